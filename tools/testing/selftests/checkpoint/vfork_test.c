// SPDX-License-Identifier: GPL-2.0
/*
 * vfork() in progress: the parent waits until the child has executed a program
 * or exited, before a restart and after it.
 */
#include "tree_program.h"

#include <dirent.h>
#include <pthread.h>

/* ---- in the program ------------------------------------------------------------ */

/* Written by children that share the memory. */
static volatile pid_t seen;
static volatile int handled;

static void on_signal(int sig)
{
	handled++;
}

/* What a child does that stays. Not inlined: it must not use the parent's frame. */
static __attribute__((noinline)) void stay(void)
{
	ready();
	wait_go();
	seen = syscall(SYS_getpid);
}

/* The child is done, and not before that the parent goes on. */
static void parent_goes_on(pid_t pid, int code)
{
	int status;

	MUST(pid > 0);
	MUST(!access(GO, F_OK));
	MUST(pid == seen);
	MUST(waitpid(pid, &status, __WALL) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

/* Not inlined, either: nested() calls it in a child. */
static __attribute__((noinline)) void exits(void)
{
	pid_t pid = vfork();

	if (!pid) {
		stay();
		_exit(7);
	}
	parent_goes_on(pid, 7);
}

static void executes(void)
{
	pid_t pid = vfork();

	if (!pid) {
		stay();
		execl("/bin/busybox", "sh", "-c", "exit 8", NULL);
		_exit(9);
	}
	parent_goes_on(pid, 8);
}

/* CLONE_VFORK alone: with a copy of the memory. */
static void apart(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		stay();
		_exit(7);
	}
	MUST(!seen);
	seen = pid;
	parent_goes_on(pid, 7);
}

static char stack[16384] __attribute__((aligned(16)));

static int stay_fn(void *arg)
{
	stay();
	return 7;
}

/* As posix_spawn() does it; and with all signals blocked meanwhile. */
static void own_stack(void)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = clone(stay_fn, stack + sizeof(stack),
		    CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	parent_goes_on(pid, 7);
}

/* A child of vfork() that has one itself. */
static void nested(void)
{
	pid_t pid = vfork();

	if (!pid) {
		exits();
		seen = syscall(SYS_getpid);
		_exit(8);
	}
	parent_goes_on(pid, 8);
}

static void *exits_thread(void *arg)
{
	exits();
	return NULL;
}

/* Others of the process go on meanwhile. */
static void of_a_thread(void)
{
	pthread_t thread;

	MUST(!pthread_create(&thread, NULL, exits_thread, NULL));
	ready();
	wait_go();
	MUST(!pthread_join(thread, NULL));
}

static __attribute__((noinline)) void signal_parent(void)
{
	MUST(!kill(getppid(), SIGUSR1));
	MUST(!kill(getppid(), SIGUSR1));
}

/* A signal that came meanwhile is handled once the parent goes on. */
static void signalled(void)
{
	pid_t pid;

	signal(SIGUSR1, on_signal);
	pid = vfork();
	if (!pid) {
		signal_parent();
		stay();
		if (handled)
			seen = -1;
		_exit(7);
	}
	parent_goes_on(pid, 7);
	MUST(handled == 1);
}

/* Is killed, and the parent goes on. */
static void killed(void)
{
	pid_t pid = vfork();
	int status;

	if (!pid) {
		ready();
		wait_for("/tmp/never");
		_exit(7);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	wait_go();
}

/* The child belongs to who waits for the parent. */
static void child_outside(void)
{
	pid_t pid = clone(stay_fn, stack + sizeof(stack),
			  CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, NULL);

	MUST(pid > 0 && pid == seen);
}

/* ---- in the test --------------------------------------------------------------- */

PROGRAM_FIXTURE(vfork, begin_tree, end_tree);

FIXTURE_VARIANT(vfork)
{
	void (*program)(void);
	int ready;
};

#define VFORK(name, nr)				\
FIXTURE_VARIANT_ADD(vfork, name)		\
{						\
	.program = name,			\
	.ready = nr,				\
}

VFORK(exits, 1);
VFORK(executes, 1);
VFORK(apart, 1);
VFORK(own_stack, 1);
VFORK(nested, 1);
VFORK(of_a_thread, 2);
VFORK(signalled, 1);

/* How many threads of a process wait for a child of vfork(). */
static int nr_in_vfork(pid_t pid)
{
	char path[64], text[64];
	int nr = 0;
	DIR *dir;
	struct dirent *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", pid,
			 atoi(d->d_name));
		if (d->d_name[0] != '.' &&
		    ckpt_read_text(path, text, sizeof(text)) > 0)
			nr += !strcmp(text, "wait_for_vfork_done") ||
			      !strcmp(text, "kernel_clone");
	}
	if (dir)
		closedir(dir);
	return nr;
}

/* Whoever was let go takes a moment to be back there. */
static bool one_in_vfork(pid_t pid)
{
	int i;

	for (i = 0; i < 1000 && nr_in_vfork(pid) != 1; i++)
		ckpt_sleep_ms(2);
	return nr_in_vfork(pid) == 1;
}

/* What was restored is as good to be saved as what was not. */
TEST_F(vfork, comes_back)
{
	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	kill_and_restart(_metadata, &self->pid, false);
	EXPECT_TRUE(one_in_vfork(self->pid));
	restart_again(_metadata, &self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	EXPECT_TRUE(one_in_vfork(self->pid));
	tree_ends_well(_metadata, &self->pid);
}

/* Who stays where it waits is saved again, although it has not seen the end. */
TEST_F(vfork, goes_on)
{
	int i;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	for (i = 0; i < 3; i++)
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
			TH_LOG("%s", ckpt_log_text);
		}
	EXPECT_TRUE(one_in_vfork(self->pid));
	tree_ends_well(_metadata, &self->pid);
}

/* The parent is told the pid that the child has now. */
TEST_F(vfork, gets_new_pids)
{
	pid_t was;

	was = start_tree(_metadata, variant->program, variant->ready, false);
	self->pid = was;
	ASSERT_LT(0, ckpt_save(was, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = restart_image("--no-pids");
	ASSERT_LT(0, self->pid);
	EXPECT_NE(was, self->pid);
	EXPECT_EQ(0, kill(-was, SIGKILL));
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(was, 10000));
	tree_ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(vfork_end, begin_tree, end_tree);

static pid_t only_child(pid_t pid)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	return ckpt_read_text(path, text, sizeof(text)) > 0 ? atoi(text) : -1;
}

TEST_F(vfork_end, child_is_killed)
{
	pid_t child;

	self->pid = start_tree(_metadata, killed, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	child = only_child(self->pid);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, kill(child, SIGKILL));
	tree_ends_well(_metadata, &self->pid);
}

/* The parent dies where it waits; the child is none of its business. */
TEST_F(vfork_end, parent_is_killed)
{
	pid_t child;

	self->pid = start_tree(_metadata, exits, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	child = only_child(self->pid);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 10000));
	self->pid = 0;
	go();
	/* It has come to us. */
	EXPECT_EQ(7, ckpt_wait(child, 10000)) {
		TH_LOG("%s", log_text());
	}
}

TEST_F(vfork_end, child_is_outside)
{
	self->pid = start_tree(_metadata, child_outside, 1, false);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(self->pid, CKPT_IMG, 0));
	EXPECT_TRUE(!!strstr(ckpt_log_text,
			     "waits for a child of vfork() that is outside")) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(one_in_vfork(self->pid));
	tree_ends_well(_metadata, &self->pid);
	reap_all();
}

TEST_HARNESS_MAIN
