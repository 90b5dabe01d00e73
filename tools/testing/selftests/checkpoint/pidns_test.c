// SPDX-License-Identifier: GPL-2.0
/*
 * A container comes back with a pid namespace of its own, in which everybody has
 * the pids that they had, and so does one inside of it. tree_test.c has trees of
 * all shapes in a container; here is what the namespaces themselves are about.
 */
#include "tree_program.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>

#define NOEXEC	"/proc/sys/vm/memfd_noexec"

/* ---- in the program -------------------------------------------------- */

static pid_t child_in(unsigned long flags)
{
	struct clone_args ca = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t pid = syscall(SYS_clone3, &ca, sizeof(ca));

	MUST(pid >= 0);
	return pid;
}

/* A child that is the init of a pid namespace; what it does is in @body. */
static pid_t nested(void (*body)(void))
{
	pid_t pid = child_in(CLONE_NEWPID);

	if (pid)
		return pid;
	MUST(getpid() == 1 && !getppid());
	body();
	/* Its end is that of all in the namespace. */
	while (!kill(-1, 0))
		ckpt_sleep_ms(1);
	_exit(7);
}

static void lone(void)
{
	pid_t pid;

	stay_the_same();
	/* What it gives out next is what it would have given out. */
	pid = fork();
	if (!pid)
		_exit(getpid() == 2 ? 5 : 6);
	MUST(pid == 2);
	collect(pid, 5);
}

/* Ids go on where they were, though the last ones are free again. */
static void ids_go_on(void)
{
	pid_t pid, last = 0;
	int i;

	for (i = 0; i < 30; i++) {
		pid = fork();
		if (!pid)
			_exit(1);
		collect(pid, 1);
		MUST(pid > last);
		last = pid;
	}
	stay_the_same();
	pid = fork();
	if (!pid)
		_exit(1);
	MUST(pid == last + 1);
	collect(pid, 1);
}

/* Nobody in the namespace can end its init, before and after. */
static void init_is_safe(void)
{
	pid_t pid = fork();

	if (!pid) {
		stay_the_same();
		MUST(!kill(1, SIGTERM) && !kill(1, SIGKILL));
		_exit(4);
	}
	stay_the_same();
	collect(pid, 4);
}

/* Three levels, with children and threads on each. */
static void *thread(void *arg)
{
	stay_the_same();
	return NULL;
}

static void third(void)
{
	pthread_t t;
	pid_t pid = fork();

	if (!pid) {
		stay_the_same();
		_exit(3);
	}
	MUST(!pthread_create(&t, NULL, thread, NULL));
	stay_the_same();
	MUST(!pthread_join(t, NULL));
	collect(pid, 3);
}

static void second(void)
{
	pid_t pid, inner;

	MUST(setsid() == 1);
	inner = nested(third);
	pid = fork();
	if (!pid) {
		MUST(!setpgid(0, 0));
		stay_the_same();
		_exit(2);
	}
	stay_the_same();
	collect(pid, 2);
	collect(inner, 7);
}

static void levels(void)
{
	pid_t a = nested(second), b = nested(third);

	stay_the_same();
	collect(a, 7);
	collect(b, 7);
}

/* The number that the outermost has for somebody of the inner one is kept. */
static void seen_from_above(void)
{
	pid_t pid = nested(lone), found;
	siginfo_t si = {};

	stay_the_same();
	MUST(!waitid(P_PID, pid, &si, WEXITED));
	found = si.si_pid;
	MUST(found == pid && si.si_status == 7);
}

static void aim(pid_t pid)
{
	MUST(!enter_pidns(pid));
}

/* Has its child in the namespace that it aims at, and none there after that. */
static void enter_and_stay(int code)
{
	pid_t pid = child_in(0);

	if (!pid) {
		MUST(getpid() > 1 && !getppid());
		stay_the_same();
		_exit(9);
	}
	aim(getpid());
	stay_the_same();
	collect(pid, 9);
	_exit(code);
}

/*
 * Somebody enters the namespace of a process that is made after him, and one two
 * levels down.
 */
static void entered(void)
{
	pid_t pids[3], init;
	int fds[2], i;

	MUST(!pipe(fds));
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		MUST(read(fds[0], &init, sizeof(init)) == sizeof(init));
		close(fds[0]);
		close(fds[1]);
		aim(init);
		enter_and_stay(i);
	}
	pids[2] = nested(third);
	MUST(write(fds[1], &pids[2], sizeof(pid_t)) == sizeof(pid_t));
	MUST(write(fds[1], &pids[2], sizeof(pid_t)) == sizeof(pid_t));
	close(fds[0]);
	close(fds[1]);
	stay_the_same();
	collect(pids[0], 0);
	collect(pids[1], 1);
	collect(pids[2], 7);
}

static void idle(void)
{
	stay_the_same();
}

/* The owner of a file is shown to each by the pid that he sees. */
static int meeting[2];

static void be_found(void)
{
	MUST(!fcntl(meeting[0], F_SETOWN, getpid()));
	close(meeting[0]);
	close(meeting[1]);
	stay_the_same();
}

static void with_inner(void)
{
	pid_t pid = nested(be_found);

	close(meeting[0]);
	close(meeting[1]);
	stay_the_same();
	collect(pid, 7);
}

static void entered_deep(void)
{
	pid_t outer, inner, pid;

	MUST(!pipe(meeting));
	pid = fork();
	/* Made before those that it needs. */
	if (!pid) {
		while ((inner = fcntl(meeting[0], F_GETOWN)) <= 0)
			ckpt_sleep_ms(1);
		close(meeting[0]);
		close(meeting[1]);
		aim(inner);
		enter_and_stay(6);
	}
	outer = nested(with_inner);
	close(meeting[0]);
	close(meeting[1]);
	stay_the_same();
	collect(pid, 6);
	collect(outer, 7);
}

/* The next child is the init of a namespace that is there already. */
static void unshared(void)
{
	pid_t pid;

	MUST(!unshare(CLONE_NEWPID));
	stay_the_same();
	pid = fork();
	if (!pid)
		_exit(getpid());
	collect(pid, 1);
	MUST(fork() < 0 && errno == ENOMEM);
}

static void unshared_dead(void)
{
	pid_t pid;

	MUST(!unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid)
		_exit(5);
	collect(pid, 5);
	stay_the_same();
	MUST(fork() < 0 && errno == ENOMEM);
}

static void unshared_alive(void)
{
	pid_t init, pid;

	MUST(!unshare(CLONE_NEWPID));
	init = fork();
	if (!init) {
		stay_the_same();
		while (waitpid(-1, NULL, 0) < 0)
			ckpt_sleep_ms(1);
		_exit(5);
	}
	stay_the_same();
	pid = fork();
	if (!pid) {
		MUST(getpid() == 2);
		if (fork())
			_exit(8);
		_exit(0);
	}
	collect(pid, 8);
	collect(init, 5);
}

/* A group and a session below whose leaders are gone. */
static void orphans(void)
{
	pid_t pid = fork();

	if (!pid) {
		MUST(setsid() == getpid());
		if (fork())
			_exit(1);
		while (getppid() != 1)
			ckpt_sleep_ms(1);
		MUST(getsid(0) != getpid() && getsid(0) > 0);
		stay_the_same();
		_exit(2);
	}
	collect(pid, 1);
	stay_the_same();
	MUST(waitpid(-1, NULL, 0) > 0);
}

static void nested_orphans(void)
{
	pid_t pid = nested(orphans);

	stay_the_same();
	collect(pid, 7);
}

static void dead_init(void)
{
	pid_t pid = child_in(CLONE_NEWPID);
	siginfo_t si = {};

	if (!pid) {
		if (!fork())
			pause();
		_exit(11);
	}
	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	stay_the_same();
	collect(pid, 11);
}

static void noexec(void)
{
	char text[16];

	MUST(ckpt_write_text(NOEXEC, "1"));
	stay_the_same();
	MUST(ckpt_read_text(NOEXEC, text, sizeof(text)) > 0);
	MUST(atoi(text) == 1);
}

/* ---- in the test ------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The pids of all tasks that came after us, on all levels but the top, sorted. */
static void inner_pids(char *buf, size_t size)
{
	static char lines[64][64];
	char path[64], text[4096], *p;
	struct dirent *d;
	int i, nr = 0;
	size_t len = 0;
	DIR *dir = opendir("/proc");

	while ((d = readdir(dir)) && nr < 64) {
		snprintf(path, sizeof(path), "/proc/%d/status", atoi(d->d_name));
		if (atoi(d->d_name) <= getpid() ||
		    ckpt_read_text(path, text, sizeof(text)) <= 0)
			continue;
		p = strstr(text, "NSpid:");
		if (!p || strstr(text, "\nPPid:\t2\n")) /* one of the kernel's */
			continue;
		p = strchr(p, '\t') + 1;
		p += strcspn(p, "\t\n");
		snprintf(lines[nr++], sizeof(lines[0]), "%.*s",
			 (int)strcspn(p, "\n"), p);
	}
	closedir(dir);
	qsort(lines, nr, sizeof(lines[0]), compare);
	for (i = 0; i < nr; i++)
		len += snprintf(buf + len, size - len, "%s\n", lines[i]);
}

FIXTURE(pidns)
{
	pid_t pid;
};

FIXTURE_VARIANT(pidns)
{
	void (*program)(void);
	int ready;
	bool container;
	const char *restart;
};

#define ADD(variant_name, fn, nr, in_container)				\
FIXTURE_VARIANT_ADD(pidns, variant_name)				\
{									\
	.program = fn, .ready = nr, .container = in_container, .restart = "", \
}

ADD(lone, lone, 1, true);
ADD(ids_go_on, ids_go_on, 1, true);
ADD(init_is_safe, init_is_safe, 2, true);
ADD(noexec, noexec, 1, true);
/* In there they have the pids that they had all the same. */
FIXTURE_VARIANT_ADD(pidns, no_pids) {
	.program = levels, .ready = 8, .container = true, .restart = "--no-pids",
};

ADD(orphans, orphans, 2, true);
ADD(levels, levels, 8, true);
ADD(levels_below, levels, 8, false);
ADD(seen_from_above, seen_from_above, 2, true);
ADD(seen_from_above_below, seen_from_above, 2, false);
ADD(entered, entered, 8, true);
ADD(entered_below, entered, 8, false);
ADD(entered_deep, entered_deep, 5, true);
ADD(entered_deep_below, entered_deep, 5, false);
ADD(unshared, unshared, 1, true);
ADD(unshared_below, unshared, 1, false);
ADD(unshared_dead, unshared_dead, 1, true);
ADD(unshared_dead_below, unshared_dead, 1, false);
ADD(unshared_alive, unshared_alive, 2, true);
ADD(unshared_alive_below, unshared_alive, 2, false);
ADD(nested_orphans, nested_orphans, 3, true);
ADD(nested_orphans_below, nested_orphans, 3, false);
ADD(dead_init, dead_init, 1, true);
ADD(dead_init_below, dead_init, 1, false);

FIXTURE_SETUP(pidns)
{
	begin_tree(_metadata);
}

FIXTURE_TEARDOWN(pidns)
{
	end_tree(self->pid);
}

TEST_F(pidns, comes_back)
{
	char was[4096] = "", is[4096] = "";
	pid_t pid;
	int i;

	pid = start_tree(_metadata, variant->program, variant->ready,
			 variant->container);
	self->pid = pid;
	for (i = 0; i < 2; i++) {
		inner_pids(was, sizeof(was));
		kill_tree(_metadata, self->pid);
		self->pid = restart_image(variant->restart);
		ASSERT_LT(0, self->pid);
		inner_pids(is, sizeof(is));
		EXPECT_STREQ(was, is);
	}
	if (!variant->container)
		EXPECT_EQ(pid, self->pid);
	tree_ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(one, begin_tree, end_tree);

/* A copy does not need the pids of the first one. */
TEST_F(one, comes_back_twice)
{
	pid_t copy;

	self->pid = start_tree(_metadata, lone, 1, true);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	copy = restart_image("");
	ASSERT_LT(0, copy);
	EXPECT_NE(copy, self->pid);
	tree_ends_well(_metadata, &self->pid);
	tree_ends_well(_metadata, &copy);
}

/* The new init is one: all goes with it. */
TEST_F(one, goes_with_its_init)
{
	self->pid = start_tree(_metadata, levels, 8, true);
	kill_and_restart(_metadata, &self->pid, true);
	ckpt_kill(self->pid);
	self->pid = 0;
	EXPECT_EQ(-1, waitpid(-1, NULL, 0));
	EXPECT_EQ(ECHILD, errno);
}

/* Who has entered from outside is told of, and left in peace. */
TEST_F(one, stranger)
{
	static const char * const words[] = {
		"is in a pid namespace of the tree, but its parent, pid ",
		", is outside",
		NULL,
	};
	pid_t pid;

	self->pid = start_tree(_metadata, lone, 1, true);
	ASSERT_EQ(0, enter_pidns(self->pid));
	pid = ckpt_spawn(tree_body, idle, log_fd);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, enter_pidns(getpid()));
	ASSERT_TRUE(all_ready(2));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(ckpt_log_says(words))
		TH_LOG("%s", ckpt_log_text);
	ckpt_kill(pid);
	kill_and_restart(_metadata, &self->pid, true);
	ckpt_touch(GO);
	/* The stranger has taken the id that it counts on. */
	EXPECT_EQ(BAD, ckpt_wait(self->pid, 10000));
	self->pid = 0;
}

/* A tree in a container, without its init. */
TEST_F(one, not_the_init)
{
	static const char * const words[] = {
		"is in another pid namespace than you", NULL,
	};
	pid_t init;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	init = fork();
	if (!init) {
		pause();
		_exit(1);
	}
	self->pid = ckpt_spawn(tree_body, idle, log_fd);
	ASSERT_EQ(0, enter_pidns(getpid()));
	ASSERT_TRUE(all_ready(1));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(self->pid, CKPT_IMG, 0));
	EXPECT_TRUE(ckpt_log_says(words))
		TH_LOG("%s", ckpt_log_text);
	tree_ends_well(_metadata, &self->pid);
	ckpt_kill(init);
}

/* Its children are born where the tree is not. */
static pid_t other_init;

static void aims_outside(void)
{
	aim(other_init);
	stay_the_same();
}

static void child_outside(void)
{
	pid_t pid;

	aim(other_init);
	pid = child_in(0);
	if (!pid) {
		stay_the_same();
		_exit(1);
	}
	aim(getpid());
	stay_the_same();
	collect(pid, 1);
}

static void init_is_outside(struct __test_metadata *_metadata, pid_t *pid,
			    void (*program)(void), int nr, const char *what)
{
	const char * const words[] = { what, NULL };

	other_init = child_in(CLONE_NEWPID);
	if (!other_init) {
		for (;;)
			pause();
	}
	*pid = start_tree(_metadata, program, nr, false);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(*pid, CKPT_IMG, 0));
	EXPECT_TRUE(ckpt_log_says(words))
		TH_LOG("%s", ckpt_log_text);
	tree_ends_well(_metadata, pid);
	ckpt_kill(other_init);
}

TEST_F(one, children_outside)
{
	init_is_outside(_metadata, &self->pid, aims_outside, 1,
			"has children born in a pid namespace whose init is outside of the tree");
}

TEST_F(one, child_outside)
{
	init_is_outside(_metadata, &self->pid, child_outside, 2,
			"is in a pid namespace whose init is outside of the tree");
}

/* A member has to be where the image says. */
TEST_F(one, becomes_no_init)
{
	static const char * const words[] = {
		"is not in the pid namespace that it should be in", NULL,
	};

	self->pid = start_tree(_metadata, idle, 1, true);
	kill_tree(_metadata, self->pid);
	self->pid = ckpt_restart(CKPT_IMG, 0);
	EXPECT_EQ(-EINVAL, self->pid);
	EXPECT_TRUE(ckpt_log_says(words))
		TH_LOG("%s", ckpt_log_text);
	self->pid = 0;
}

TEST_HARNESS_MAIN
