// SPDX-License-Identifier: GPL-2.0
/*
 * What a process shares with somebody outside of the tree: a restart would part
 * them. Memory, tables and handlers always refuse; an open file does for a tree
 * that is said to be whole.
 */
#include "ckpt_test.h"

#include <pthread.h>

static const char *const shared_log = "/tmp/leak.log";
static char stack[65536] __attribute__((aligned(16)));

static void wait_for_signal(void *arg)
{
	sigset_t usr1;
	int sig;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	sigwait(&usr1, &sig);
	_exit(42);
}

/* Its own files, however many mappings it has in common with its parent. */
TEST(nothing_shared)
{
	pid_t pid = ckpt_spawn(wait_for_signal, NULL, -1);

	ASSERT_TRUE(ckpt_wait_state(pid, 'S'));
	EXPECT_EQ(0, ckpt_check(pid, 0))
		TH_LOG("%s", ckpt_log_text);
	kill(pid, SIGUSR1);
	EXPECT_EQ(42, ckpt_wait(pid, 5000));
}

TEST(file_of_the_parent)
{
	char who[64];
	pid_t pid;
	int fd;

	fd = open(shared_log, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	pid = ckpt_spawn(wait_for_signal, NULL, fd);
	ASSERT_TRUE(ckpt_wait_state(pid, 'S'));

	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(pid, 0));
	EXPECT_NE(NULL, strstr(ckpt_log_text, shared_log))
		TH_LOG("%s", ckpt_log_text);
	snprintf(who, sizeof(who), "with pid %d (leak_test)", getpid());
	EXPECT_NE(NULL, strstr(ckpt_log_text, who))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_NE(NULL, strstr(ckpt_log_text, "CHECKPOINT_SUBTREE"));
	EXPECT_EQ(0, ckpt_check(pid, CHECKPOINT_SUBTREE))
		TH_LOG("%s", ckpt_log_text);

	/* Held no more: no leak. */
	close(fd);
	EXPECT_EQ(0, ckpt_check(pid, 0))
		TH_LOG("%s", ckpt_log_text);
	kill(pid, SIGUSR1);
	EXPECT_EQ(42, ckpt_wait(pid, 5000));
	unlink(shared_log);
}

/* The image and the log are this call's, in the caller's table or not. */
TEST(output_is_no_leak)
{
	struct checkpoint_args args = { .log_fd = -1 };
	pid_t pid;
	int fd;

	fd = open(CKPT_IMG, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, fd);
	pid = ckpt_spawn(wait_for_signal, NULL, -1);
	ASSERT_TRUE(ckpt_wait_state(pid, 'S'));
	EXPECT_LT(0, sys_checkpoint(pid, fd, CHECKPOINT_ARGS, &args,
				    sizeof(args)));
	close(fd);
	kill(pid, SIGUSR1);
	EXPECT_EQ(42, ckpt_wait(pid, 5000));
	unlink(CKPT_IMG);
}

static volatile int reading;

static void *read_proc(void *arg)
{
	char buf[4096], path[64];
	int fd;

	while (reading) {
		snprintf(path, sizeof(path), "/proc/%d/maps", *(pid_t *)arg);
		fd = open(path, O_RDONLY);
		while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
	return NULL;
}

/* A look into /proc takes references, too, but gives them back. */
TEST(readers_of_proc_are_no_leak)
{
	pthread_t thread;
	pid_t pid;
	int i;

	pid = ckpt_spawn(wait_for_signal, NULL, -1);
	ASSERT_TRUE(ckpt_wait_state(pid, 'S'));
	reading = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_proc, &pid));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(0, ckpt_check(pid, 0))
			TH_LOG("%d: %s", i, ckpt_log_text);
	reading = 0;
	pthread_join(thread, NULL);
	kill(pid, SIGUSR1);
	EXPECT_EQ(42, ckpt_wait(pid, 5000));
}

FIXTURE(clone_shares)
{
	pid_t middle;
	pid_t pid;
};

FIXTURE_VARIANT(clone_shares)
{
	unsigned long flags;
	const char *what;
};

FIXTURE_VARIANT_ADD(clone_shares, vm) {
	.flags = CLONE_VM,
	.what = "address space",
};

FIXTURE_VARIANT_ADD(clone_shares, sighand) {
	.flags = CLONE_VM | CLONE_SIGHAND,
	.what = "signal handlers",
};

FIXTURE_VARIANT_ADD(clone_shares, files) {
	.flags = CLONE_FILES,
	.what = "file table",
};

FIXTURE_VARIANT_ADD(clone_shares, fs) {
	.flags = CLONE_FS,
	.what = "fs struct",
};

static int start_waiting(void *arg)
{
	wait_for_signal(NULL);
	return 0;
}

static int middle_pipe[2];

/* Has a child that shares with it; says its pid. */
static void middle(void *arg)
{
	unsigned long flags = *(unsigned long *)arg;
	pid_t pid;

	pid = clone(start_waiting, stack + sizeof(stack), flags | SIGCHLD, NULL);
	if (write(middle_pipe[1], &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	/* The table may be the child's, too: it must hold nothing but streams. */
	close(middle_pipe[1]);
	for (;;)
		pause();
}

FIXTURE_SETUP(clone_shares)
{
	unsigned long flags = variant->flags;

	ASSERT_EQ(0, pipe(middle_pipe));
	self->middle = ckpt_spawn(middle, &flags, middle_pipe[1]);
	close(middle_pipe[1]);
	ASSERT_EQ(sizeof(self->pid), read(middle_pipe[0], &self->pid,
					  sizeof(self->pid)));
	close(middle_pipe[0]);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
}

FIXTURE_TEARDOWN(clone_shares)
{
	kill(self->pid, SIGKILL);
	ckpt_kill(self->middle);
}

TEST_F(clone_shares, refused)
{
	char words[64], who[64];

	snprintf(words, sizeof(words), "shares its %s", variant->what);
	snprintf(who, sizeof(who), "with pid %d (leak_test)", self->middle);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(self->pid, CHECKPOINT_SUBTREE));
	EXPECT_NE(NULL, strstr(ckpt_log_text, words))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_NE(NULL, strstr(ckpt_log_text, who))
		TH_LOG("%s", ckpt_log_text);
	/* It has not changed: it still answers. */
	EXPECT_EQ(0, kill(self->pid, 0));
	EXPECT_TRUE(ckpt_wait_state(self->pid, 'S'));
}

TEST_HARNESS_MAIN
