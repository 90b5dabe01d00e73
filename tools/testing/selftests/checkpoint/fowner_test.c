// SPDX-License-Identifier: GPL-2.0
/*
 * After a restart a file sends signals to whom it sent them before, by the same
 * number and for the same descriptor; and leases are broken as they would have
 * been. The restart itself sends none.
 */
#include "tree_program.h"

#include <pthread.h>

#define A	DIRECTORY "/a"
#define B	DIRECTORY "/b"
#define FIFO	DIRECTORY "/fifo"

#define SIGNAL	(SIGRTMIN + 3)

/* Some libraries have them only for who asks. */
#ifndef F_SETSIG
#define F_SETSIG	10
#define F_GETSIG	11
#endif

/* ---- in the program ---------------------------------------------------------- */

static pid_t child;

static sigset_t the_signal(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void block(int sig)
{
	sigset_t set = the_signal(sig);

	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
}

/* The next of these signals, which must be there. */
static siginfo_t next(int sig)
{
	struct timespec soon = { 5 };
	sigset_t set = the_signal(sig);
	siginfo_t info;

	MUST(sigtimedwait(&set, &info, &soon) == sig);
	return info;
}

static bool none(int sig)
{
	sigset_t set;

	MUST(!sigpending(&set));
	return !sigismember(&set, sig);
}

static void set_owner(int fd, int type, pid_t pid)
{
	struct f_owner_ex owner = { .type = type, .pid = pid };

	MUST(!fcntl(fd, F_SETOWN_EX, &owner));
}

static bool owner_is(int fd, int type, pid_t pid)
{
	struct f_owner_ex owner = {};

	MUST(!fcntl(fd, F_GETOWN_EX, &owner));
	return owner.type == type && owner.pid == pid;
}

static void set_async(int fd)
{
	MUST(!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static bool is_async(int fd)
{
	return fcntl(fd, F_GETFL) & O_ASYNC;
}

/* It holds data: to fill it is no event. */
static void set_pipe(void)
{
	int p[2];

	block(SIGNAL);
	MUST(!pipe(p) && dup2(p[0], 10) == 10 && dup2(p[1], 11) == 11);
	close(p[0]);
	close(p[1]);
	MUST(write(11, "early", 5) == 5);
	MUST(!fcntl(10, F_SETSIG, SIGNAL) && !fcntl(10, F_SETOWN, getpid()));
	set_async(10);
}

static void check_data(void)
{
	siginfo_t info;

	MUST(none(SIGNAL) && none(SIGIO));
	MUST(fcntl(10, F_GETSIG) == SIGNAL && fcntl(10, F_GETOWN) == getpid());
	MUST(is_async(10) && !is_async(11));
	MUST(write(11, "late", 4) == 4);
	info = next(SIGNAL);
	MUST(info.si_fd == 10 && info.si_code == POLL_IN && info.si_band & POLLIN);
	MUST(!fcntl(10, F_SETFL, 0) && write(11, "more", 4) == 4 && none(SIGNAL));
}

/* The descriptor that it names is another's by now. */
static void set_fifo(void)
{
	block(SIGNAL);
	MUST(!mkfifo(FIFO, 0600));
	open_as(12, FIFO, O_RDWR | O_NONBLOCK);
	MUST(!fcntl(12, F_SETSIG, SIGNAL));
	set_owner(12, F_OWNER_TID, getpid());
	set_async(12);
	MUST(dup2(12, 10) == 10 && dup2(11, 12) < 0 && !close(12));
}

static void check_fifo(void)
{
	siginfo_t info;

	MUST(none(SIGNAL) && owner_is(10, F_OWNER_TID, getpid()));
	MUST(is_async(10) && write(10, "x", 1) == 1);
	info = next(SIGNAL);
	MUST(info.si_fd == 12);
}

static void set_console(void)
{
	open_as(10, "/dev/console", O_RDWR | O_NOCTTY);
	MUST(!fcntl(10, F_SETOWN, getpid()));
	set_async(10);
	open_as(11, "/dev/console", O_RDWR | O_NOCTTY);
	MUST(!fcntl(11, F_SETOWN, -getpgrp()));
}

static void check_console(void)
{
	MUST(is_async(10) && owner_is(10, F_OWNER_PID, getpid()));
	MUST(!is_async(11) && owner_is(11, F_OWNER_PGRP, getpgrp()));
	MUST(fcntl(10, F_GETSIG) == 0);
}

/* No signal ever comes of these. */
static void set_quiet(void)
{
	open_as(10, A, O_RDWR | O_ASYNC);
	open_as(11, A, O_RDWR);
	MUST(!fcntl(11, F_SETSIG, SIGUSR1));
	open_as(12, A, O_RDWR);
	MUST(!fcntl(12, F_SETOWN, getpid()) && !fcntl(12, F_SETOWN, 0));
	child = fork();
	if (!child)
		_exit(0);
	open_as(13, A, O_RDWR);
	set_owner(13, F_OWNER_TID, child);
	MUST(waitpid(child, NULL, 0) == child);
	MUST(owner_is(13, F_OWNER_TID, 0));
}

static void check_quiet(void)
{
	MUST(is_async(10) && owner_is(10, F_OWNER_TID, 0));
	MUST(fcntl(11, F_GETSIG) == SIGUSR1 && !is_async(11));
	MUST(fcntl(12, F_GETOWN) == 0 && owner_is(12, F_OWNER_PID, 0));
	MUST(owner_is(13, F_OWNER_TID, 0) && fcntl(13, F_GETSIG) == 0);
}

/* ---- leases ------------------------------------------------------------------- */

static void open_in_child(const char *path, int flags)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(open(path, flags | O_NONBLOCK) < 0 && errno == EWOULDBLOCK);
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status));
}

static void set_lease_read(void)
{
	block(SIGNAL);
	open_as(12, A, O_RDONLY);
	MUST(!fcntl(12, F_SETSIG, SIGNAL) && !fcntl(12, F_SETLEASE, F_RDLCK));
	MUST(dup2(12, 10) == 10 && !close(12));
}

static void check_lease_read(void)
{
	siginfo_t info;
	int fd;

	MUST(none(SIGNAL) && fcntl(10, F_GETLEASE) == F_RDLCK);
	MUST(fcntl(10, F_GETOWN) == getpid());
	fd = open(A, O_RDONLY);
	MUST(fd >= 0 && none(SIGNAL));
	open_in_child(A, O_WRONLY);
	info = next(SIGNAL);
	MUST(info.si_fd == 12 && info.si_code == POLL_MSG);
	MUST(!fcntl(10, F_SETLEASE, F_UNLCK) && open(A, O_WRONLY) >= 0);
}

static void set_lease_write(void)
{
	block(SIGIO);
	open_as(10, A, O_RDWR);
	MUST(!fcntl(10, F_SETLEASE, F_WRLCK));
}

static void check_lease_write(void)
{
	MUST(none(SIGIO) && fcntl(10, F_GETLEASE) == F_WRLCK);
	open_in_child(A, O_RDONLY);
	next(SIGIO);
	MUST(!fcntl(10, F_SETLEASE, F_UNLCK) && fcntl(10, F_GETLEASE) == F_UNLCK);
}

/* ---- trees ------------------------------------------------------------------- */

static void wait_signal(void)
{
	next(SIGNAL);
}

/* By either of the two calls that a 32-bit program has for that. */
static bool waits_for_signal(pid_t pid)
{
	long call;
	int i;

	for (i = 0; i < 2500; i++) {
		call = ckpt_syscall(pid);
		if (call == __NR_rt_sigtimedwait)
			return true;
#ifdef __NR_rt_sigtimedwait_time64
		if (call == __NR_rt_sigtimedwait_time64)
			return true;
#endif
		ckpt_sleep_ms(2);
	}
	return false;
}

/* The signal is for a child, which waits for it. */
static void owned_by(int type, bool group)
{
	block(SIGNAL);
	set_pipe();
	child = fork();
	MUST(child >= 0);
	if (!child) {
		struct timespec ever = { 1000 };
		sigset_t set = the_signal(SIGNAL);

		if (group)
			setpgid(0, 0);
		MUST(sigtimedwait(&set, NULL, &ever) == SIGNAL);
		_exit(GOOD);
	}
	if (group)
		setpgid(child, child);
	set_owner(10, type, child);
	MUST(waits_for_signal(child));
	stay_the_same();
	MUST(owner_is(10, type, child) && is_async(10));
	MUST(!waitpid(child, NULL, WNOHANG));
	MUST(write(11, "late", 4) == 4);
	collect(child, GOOD);
	MUST(none(SIGNAL));
}

static void owned_by_child(void)
{
	owned_by(F_OWNER_PID, false);
}

static void owned_by_group(void)
{
	owned_by(F_OWNER_PGRP, true);
}

static _Atomic pid_t tid;

static void *thread(void *arg)
{
	tid = syscall(SYS_gettid);
	wait_signal();
	return &child;
}

/* It comes to that thread, others have it blocked but may not take it. */
static void owned_by_thread(void)
{
	pthread_t t;
	void *ret;

	set_pipe();
	MUST(!pthread_create(&t, NULL, thread, NULL));
	while (!tid)
		ckpt_sleep_ms(1);
	set_owner(10, F_OWNER_TID, tid);
	stay_the_same();
	MUST(owner_is(10, F_OWNER_TID, tid));
	MUST(write(11, "late", 4) == 4);
	MUST(!pthread_join(t, &ret) && ret == &child);
}

/* ---- in the test -------------------------------------------------------------- */

static void fowner_begin(struct __test_metadata *_metadata)
{
	begin_tree_files(_metadata);
	ASSERT_TRUE(fill(A) && fill(B));
}

PROGRAM_FIXTURE(fowner, fowner_begin, end_tree_files);

FIXTURE_VARIANT(fowner)
{
	struct program program;
};

#define OWNER(name, check)				\
FIXTURE_VARIANT_ADD(fowner, name)			\
{							\
	.program = { set_##name, check },		\
}

OWNER(pipe, check_data);
OWNER(fifo, check_fifo);
OWNER(console, check_console);
OWNER(quiet, check_quiet);
OWNER(lease_read, check_lease_read);
OWNER(lease_write, check_lease_write);

TEST_F(fowner, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fowner, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(trees, fowner_begin, end_tree_files);

FIXTURE_VARIANT(trees)
{
	void (*program)(void);
};

#define TREE(name)					\
FIXTURE_VARIANT_ADD(trees, name)			\
{							\
	.program = name,				\
}

TREE(owned_by_child);
TREE(owned_by_group);
TREE(owned_by_thread);

TEST_F(trees, come_back)
{
	self->pid = start_tree(_metadata, variant->program, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what refuses -------------------------------------------------------------- */

static void set_outside(void)
{
	open_as(10, A, O_RDWR);
	MUST(!fcntl(10, F_SETOWN, getppid()));
}

static void set_outside_group(void)
{
	open_as(10, A, O_RDWR);
	set_owner(10, F_OWNER_PGRP, getpgid(getppid()));
}

static void set_notify(void)
{
	/* One line in the log all the same. */
	MUST(!mkdir(DIRECTORY "/b\nc", 0755));
	open_as(10, DIRECTORY "/b\nc", O_RDONLY);
	MUST(!fcntl(10, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	/* That alone does not help. */
	MUST(!fcntl(10, F_SETOWN, 0));
}

static void set_random(void)
{
	open_as(10, "/dev/random", O_RDONLY);
	MUST(!fcntl(10, F_SETOWN, getpid()));
	set_async(10);
}

static void set_breaking(void)
{
	pid_t pid;

	block(SIGIO);
	open_as(10, A, O_RDONLY);
	MUST(!fcntl(10, F_SETLEASE, F_RDLCK));
	pid = fork();
	if (!pid) {
		open(A, O_WRONLY | O_NONBLOCK);
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void undo_owner(void)
{
	MUST(!fcntl(10, F_SETOWN, 0));
}

static void undo_close(void)
{
	close(10);
}

PROGRAM_FIXTURE(refused, fowner_begin, end_tree_files);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *words;
};

#define REFUSED(name, undo, text)			\
FIXTURE_VARIANT_ADD(refused, name)			\
{							\
	.program = { set_##name, undo },		\
	.words = text,					\
}

REFUSED(outside, undo_owner, "sends SIGIO to pid ");
REFUSED(outside_group, undo_owner, "sends SIGIO to the process group of pid ");
REFUSED(notify, undo_close, "/b\\012c tells what happens in the directory (F_NOTIFY)");
REFUSED(random, undo_close, "has O_ASYNC, which cannot be saved yet for such a file");
REFUSED(breaking, undo_close, "has a lease that is just being broken");

TEST_F(refused, by_name)
{
	const char *const line[] = { " fd 10 -> ", variant->words, NULL };

	is_refused(_metadata, &self->pid, &variant->program, line);
}

/* Somebody has opened the file: a lease says that nobody has. */
static const struct program lease = { set_lease_write, check_lease_write };

PROGRAM_FIXTURE(lease, fowner_begin, end_tree_files);

#define NOT_TO_BE_HAD	"record LOCKS: " A ": the lease for writing cannot be had: "

TEST_F(lease, conflict)
{
	const char *const line[] = {
		NOT_TO_BE_HAD "somebody has opened the file", NULL
	};
	int fd;

	self->pid = start_program(_metadata, &lease);
	ckpt_save_and_kill(_metadata, self->pid);
	fd = open(A, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBUSY, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(fd);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
