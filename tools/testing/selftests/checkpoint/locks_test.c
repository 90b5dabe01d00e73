// SPDX-License-Identifier: GPL-2.0
/*
 * Locks of files are held after a restart as they were before: by the same
 * owners, on the same bytes. What somebody else has locked meanwhile refuses it.
 */
#include "tree_program.h"

#include <sys/file.h>

#define A	DIRECTORY "/a"
#define B	DIRECTORY "/b"

#ifndef F_OFD_GETLK
#define F_OFD_GETLK	36
#define F_OFD_SETLK	37
#define F_OFD_SETLKW	38
#endif

/* ---- in the program, and for the test to look from outside ------------------- */

/* Children have pids that nobody else can take meanwhile. */
static pid_t child;

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len,
	};

	return fcntl(fd, cmd, &l);
}

/* The lock that is in the way of writing there. Its type is F_UNLCK: none. */
static struct flock in_the_way(const char *path, off_t start, off_t len)
{
	struct flock l = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len,
	};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	/* An OFD lock is in the way of its own process, too. */
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &l))
		l.l_type = -1;
	return l;
}

/* POSIX locks go when any descriptor of the file is closed: not by who has any. */
static bool is_locked(const char *path, off_t at, int type, off_t start, off_t len,
		      pid_t pid)
{
	pid_t probe = fork();
	struct flock l;
	int status;

	if (!probe) {
		l = in_the_way(path, at, 1);
		if (l.l_type == type && type == F_UNLCK)
			_exit(1);
		_exit(l.l_type == type && l.l_start == start && l.l_len == len &&
		      l.l_pid == pid);
	}
	return waitpid(probe, &status, 0) == probe && WIFEXITED(status) &&
	       WEXITSTATUS(status);
}

/* Can somebody who has nothing to do with it have the lock? */
static bool can_flock(const char *path, int op)
{
	pid_t probe = fork();
	int status;

	if (!probe)
		_exit(!flock(open(path, O_RDONLY | O_CLOEXEC), op | LOCK_NB));
	return waitpid(probe, &status, 0) == probe && WIFEXITED(status) &&
	       WEXITSTATUS(status);
}

static void set_ranges(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_SETLK, F_WRLCK, 0, 10));
	MUST(!lock(10, F_SETLK, F_RDLCK, 100, 100));
	MUST(!lock(10, F_SETLK, F_WRLCK, 1000, 0));
}

static void check_ranges(void)
{
	MUST(is_locked(A, 5, F_WRLCK, 0, 10, getpid()));
	MUST(is_locked(A, 10, F_UNLCK, 0, 0, 0));
	MUST(is_locked(A, 150, F_RDLCK, 100, 100, getpid()));
	MUST(is_locked(A, 1LL << 30, F_WRLCK, 1000, 0, getpid()));
	/* They are its own: it may change them. */
	MUST(!lock(10, F_SETLK, F_UNLCK, 3, 2));
	MUST(is_locked(A, 2, F_WRLCK, 0, 3, getpid()));
	MUST(is_locked(A, 3, F_UNLCK, 0, 0, 0));
	MUST(!lock(10, F_SETLK, F_WRLCK, 0, 0));
	MUST(is_locked(A, 3, F_WRLCK, 0, 0, getpid()));
	MUST(!lock(10, F_SETLK, F_UNLCK, 0, 0));
	MUST(is_locked(A, 3, F_UNLCK, 0, 0, 0));
}

/* By the second of two open files. Closing either takes it away. */
static void set_close(void)
{
	open_as(10, A, O_RDONLY);
	open_as(11, A, O_RDWR);
	MUST(dup(11) >= 0);
	MUST(!lock(11, F_SETLK, F_WRLCK, 5, 5));
}

static void check_close(void)
{
	MUST(is_locked(A, 5, F_WRLCK, 5, 5, getpid()));
	close(10);
	MUST(is_locked(A, 5, F_UNLCK, 0, 0, 0));
}

static void set_ofd(void)
{
	open_as(10, A, O_RDWR);
	open_as(11, A, O_RDWR);
	MUST(dup2(10, 12) == 12);
	MUST(!lock(10, F_OFD_SETLK, F_WRLCK, 7, 3));
	MUST(!lock(11, F_OFD_SETLK, F_RDLCK, 20, 3));
}

static void check_ofd(void)
{
	/* They are in each other's way. */
	MUST(lock(11, F_OFD_SETLK, F_RDLCK, 7, 1) < 0 && errno == EAGAIN);
	MUST(lock(10, F_OFD_SETLK, F_WRLCK, 20, 1) < 0 && errno == EAGAIN);
	MUST(is_locked(A, 7, F_WRLCK, 7, 3, -1));
	MUST(is_locked(A, 20, F_RDLCK, 20, 3, -1));
	close(10);
	MUST(is_locked(A, 7, F_WRLCK, 7, 3, -1));
	close(12);
	MUST(is_locked(A, 7, F_UNLCK, 0, 0, 0));
	MUST(!lock(11, F_OFD_SETLK, F_WRLCK, 7, 1));
}

static void set_flock(void)
{
	open_as(10, A, O_RDONLY);
	MUST(dup2(10, 11) == 11);
	MUST(!flock(10, LOCK_EX));
	open_as(12, B, O_RDONLY);
	MUST(!flock(12, LOCK_SH));
	open_as(13, DIRECTORY, O_RDONLY);
	MUST(!flock(13, LOCK_EX));
}

static void check_flock(void)
{
	MUST(!can_flock(A, LOCK_SH));
	MUST(can_flock(B, LOCK_SH) && !can_flock(B, LOCK_EX));
	MUST(!can_flock(DIRECTORY, LOCK_SH));
	close(10);
	MUST(!can_flock(A, LOCK_SH));
	MUST(!flock(11, LOCK_SH));
	MUST(can_flock(A, LOCK_SH) && !can_flock(A, LOCK_EX));
	close(11);
	MUST(can_flock(A, LOCK_EX));
}

/* No descriptor is left, only a mapping. */
static void *mapped;

static void set_mapped(void)
{
	open_as(10, A, O_RDONLY);
	MUST(!flock(10, LOCK_EX));
	mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 10, 0);
	MUST(mapped != MAP_FAILED);
	close(10);
}

static void check_mapped(void)
{
	MUST(!can_flock(A, LOCK_SH));
	MUST(!munmap(mapped, 4096));
	MUST(can_flock(A, LOCK_EX));
}

static void set_ofd_mapped(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_OFD_SETLK, F_WRLCK, 7, 3));
	mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 10, 0);
	MUST(mapped != MAP_FAILED && !close(10));
}

static void check_ofd_mapped(void)
{
	MUST(is_locked(A, 7, F_WRLCK, 7, 3, -1));
	MUST(!munmap(mapped, 4096));
	MUST(is_locked(A, 7, F_UNLCK, 0, 0, 0));
}

/* Nor a mapping: the open file is on its way in a socket. */
static int ends[2];

static void send_file(int fd)
{
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	MUST(ckpt_send_fds(ends[0], "x", &fd, 1) && !close(fd));
}

static int get_file(void)
{
	char data, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &data, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	MUST(recvmsg(ends[1], &m, MSG_DONTWAIT) == 1);
	MUST(m.msg_controllen >= CMSG_LEN(sizeof(fd)));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void set_in_flight(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_OFD_SETLK, F_WRLCK, 7, 3) && !flock(10, LOCK_EX));
	send_file(10);
}

static void check_in_flight(void)
{
	int fd;

	MUST(is_locked(A, 7, F_WRLCK, 7, 3, -1) && !can_flock(A, LOCK_SH));
	fd = get_file();
	MUST(!lock(fd, F_OFD_SETLK, F_WRLCK, 6, 5) && !flock(fd, LOCK_SH));
	MUST(!close(fd));
	MUST(is_locked(A, 7, F_UNLCK, 0, 0, 0) && can_flock(A, LOCK_EX));
}

/* A POSIX lock goes with the descriptor, whoever else has the open file. */
static void set_posix_gone(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_SETLK, F_WRLCK, 7, 3));
	mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 10, 0);
	MUST(mapped != MAP_FAILED);
	send_file(10);
}

static void check_posix_gone(void)
{
	MUST(is_locked(A, 7, F_UNLCK, 0, 0, 0));
	MUST(!lock(get_file(), F_SETLK, F_WRLCK, 7, 3));
	MUST(is_locked(A, 7, F_WRLCK, 7, 3, getpid()));
}

#define MANY	1000

static void set_many(void)
{
	int i;

	open_as(10, A, O_RDWR);
	for (i = 0; i < MANY; i++)
		MUST(!lock(10, F_SETLK, i & 1 ? F_RDLCK : F_WRLCK, 2 * i, 1));
}

static void check_many(void)
{
	int i;

	for (i = 0; i < MANY; i += 97)
		MUST(is_locked(A, 2 * i, i & 1 ? F_RDLCK : F_WRLCK, 2 * i, 1,
			       getpid()));
	MUST(is_locked(A, 1, F_UNLCK, 0, 0, 0));
	MUST(is_locked(A, 2 * MANY, F_UNLCK, 0, 0, 0));
}

/* A restart that fails must leave none of them: it takes both kinds. */
static void set_both(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_SETLK, F_WRLCK, 10, 20) && !flock(10, LOCK_EX));
	open_as(11, B, O_RDWR);
	MUST(!lock(11, F_OFD_SETLK, F_RDLCK, 0, 0));
}

static void check_both(void)
{
	MUST(is_locked(A, 10, F_WRLCK, 10, 20, getpid()) && !can_flock(A, LOCK_SH));
	MUST(is_locked(B, 10, F_RDLCK, 0, 0, -1));
}

/* ---- trees ------------------------------------------------------------------- */

/* flock() is of the open file, and POSIX locks are not inherited. */
static void child_of_fork(void)
{
	wait_go();
	MUST(!can_flock(A, LOCK_SH));
	MUST(is_locked(A, 5, F_WRLCK, 5, 1, getppid()));
	MUST(lock(10, F_SETLK, F_WRLCK, 5, 1) < 0 && errno == EAGAIN);
	MUST(!flock(10, LOCK_UN));
	MUST(can_flock(A, LOCK_EX));
}

static void shared_by_fork(void)
{
	open_as(10, A, O_RDWR);
	MUST(!flock(10, LOCK_EX) && !lock(10, F_SETLK, F_WRLCK, 5, 1));
	child = start_child(child_of_fork, __NR_clock_nanosleep);
	stay_the_same();
	collect(child, GOOD);
	MUST(is_locked(A, 5, F_WRLCK, 5, 1, getpid()));
	MUST(can_flock(A, LOCK_EX));
}

/* One table of two processes: the lock is both's, and one's name is on it. */
static char stack[16384];

static int child_of_clone(void *arg)
{
	MUST(!lock(10, F_SETLK, F_WRLCK, 5, 1));
	ready();
	wait_go();
	MUST(is_locked(A, 5, F_WRLCK, 5, 1, getpid()));
	return GOOD;
}

static void shared_table(void)
{
	open_as(10, A, O_RDWR);
	child = clone(child_of_clone, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	MUST(child > 0);
	stay_the_same();
	/* It closes nothing: the table stays. */
	collect(child, GOOD);
	MUST(is_locked(A, 5, F_WRLCK, 5, 1, child));
	MUST(!lock(10, F_SETLK, F_UNLCK, 0, 0));
	MUST(is_locked(A, 5, F_UNLCK, 0, 0, 0));
}

/* The lock stays with the table, also when who has taken it leaves that. */
static int child_that_keeps(void *arg)
{
	wait_go();
	MUST(is_locked(A, 5, F_WRLCK, 5, 1, getppid()));
	MUST(!close(10));
	MUST(is_locked(A, 5, F_UNLCK, 0, 0, 0));
	return GOOD;
}

static void left_table(void)
{
	open_as(10, A, O_RDWR);
	child = clone(child_that_keeps, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	MUST(child > 0 && !lock(10, F_SETLK, F_WRLCK, 5, 1));
	MUST(!unshare(CLONE_FILES) && !close(10));
	stay_the_same();
	collect(child, GOOD);
}

/* Somebody waits for each kind of lock. */
static void wait_posix(void)
{
	MUST(!lock(10, F_SETLKW, F_WRLCK, 5, 1));
	MUST(!access(GO, F_OK));
}

static void wait_posix_of_another(void)
{
	open_as(10, A, O_RDWR);
	wait_posix();
}

static void wait_ofd(void)
{
	int fd = open(A, O_RDWR);

	MUST(!lock(fd, F_OFD_SETLKW, F_WRLCK, 5, 1));
	MUST(!access(GO, F_OK));
}

static void wait_flock(void)
{
	int fd = open(A, O_RDWR);

	MUST(!flock(fd, LOCK_EX));
	MUST(!access(GO, F_OK));
}

/* What fcntl() is called by. */
#ifdef __NR_fcntl64
#define NR_FCNTL	__NR_fcntl64
#else
#define NR_FCNTL	__NR_fcntl
#endif

static void waiters(void)
{
	pid_t posix, ofd, other;

	open_as(10, A, O_RDWR);
	MUST(!flock(10, LOCK_EX) && !lock(10, F_SETLK, F_WRLCK, 5, 1));
	posix = start_child(wait_posix, NR_FCNTL);
	ofd = start_child(wait_ofd, NR_FCNTL);
	other = start_child(wait_flock, __NR_flock);
	stay_the_same();
	/* They still wait, and begin anew if they had to. */
	MUST(ckpt_wait_syscall(posix, NR_FCNTL) && ckpt_wait_syscall(ofd, NR_FCNTL) &&
	     ckpt_wait_syscall(other, __NR_flock));
	MUST(!lock(10, F_SETLK, F_UNLCK, 0, 0));
	collect(posix, GOOD);
	collect(ofd, GOOD);
	MUST(!waitpid(other, NULL, WNOHANG));
	/* The others have descriptor 10, too. */
	MUST(!flock(10, LOCK_UN));
	collect(other, GOOD);
}

/* ---- in the test -------------------------------------------------------------- */

static void locks_begin(struct __test_metadata *_metadata)
{
	begin_tree_files(_metadata);
	ASSERT_TRUE(fill(A) && fill(B));
}

PROGRAM_FIXTURE(locks, locks_begin, end_tree_files);

FIXTURE_VARIANT(locks)
{
	struct program program;
};

#define LOCKS(name)					\
FIXTURE_VARIANT_ADD(locks, name)			\
{							\
	.program = { set_##name, check_##name },	\
}

LOCKS(ranges);
LOCKS(close);
LOCKS(ofd);
LOCKS(flock);
LOCKS(mapped);
LOCKS(ofd_mapped);
LOCKS(in_flight);
LOCKS(posix_gone);
LOCKS(many);

TEST_F(locks, come_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(locks, go_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(trees, locks_begin, end_tree_files);

FIXTURE_VARIANT(trees)
{
	void (*program)(void);
	int ready;
};

#define TREE(name, nr)					\
FIXTURE_VARIANT_ADD(trees, name)			\
{							\
	.program = name,				\
	.ready = nr,					\
}

TREE(shared_by_fork, 1);
TREE(shared_table, 2);
TREE(left_table, 1);
TREE(waiters, 1);

TEST_F(trees, come_back)
{
	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(trees, go_on)
{
	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	tree_ends_well(_metadata, &self->pid);
}

/* ---- locks of others that one waits for ------------------------------------------ */

static void wait_for_others(void)
{
	pid_t posix, other;

	posix = start_child(wait_posix_of_another, NR_FCNTL);
	other = start_child(wait_flock, __NR_flock);
	stay_the_same();
	collect(posix, GOOD);
	collect(other, GOOD);
}

PROGRAM_FIXTURE(others, locks_begin, end_tree_files);

FIXTURE_VARIANT(others)
{
	bool killed;
};

FIXTURE_VARIANT_ADD(others, go_on)
{
};

FIXTURE_VARIANT_ADD(others, come_back)
{
	.killed = true,
};

/* The lock is outside of the tree and stays there. */
TEST_F(others, are_waited_for)
{
	int fd = open(A, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	ASSERT_EQ(0, lock(fd, F_SETLK, F_WRLCK, 5, 1));
	self->pid = start_tree(_metadata, wait_for_others, 1, false);
	if (variant->killed) {
		kill_and_restart(_metadata, &self->pid, false);
	} else {
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
			TH_LOG("%s", ckpt_log_text);
		}
	}
	go();
	ckpt_sleep_ms(100);
	/* They wait still: for us. */
	EXPECT_EQ(-1, ckpt_wait(self->pid, 1));
	close(fd);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what others have locked meanwhile ------------------------------------------ */

static const struct program both = { set_both, check_both };

PROGRAM_FIXTURE(conflict, locks_begin, end_tree_files);

FIXTURE_VARIANT(conflict)
{
	const char *path;
	int how;
	off_t start, len;
	const char *what;
};

FIXTURE_VARIANT_ADD(conflict, posix)
{
	.path = A, .how = F_SETLK, .start = 29, .len = 5,
	.what = "the POSIX lock for writing of bytes 10 to 29 ",
};

FIXTURE_VARIANT_ADD(conflict, ofd)
{
	.path = B, .how = F_OFD_SETLK, .start = 1000, .len = 1,
	.what = "the OFD lock for reading of bytes 0 to 9223372036854775807 ",
};

FIXTURE_VARIANT_ADD(conflict, flock)
{
	.path = A, .how = 0,
	.what = "the flock() ",
};

TEST_F(conflict, refused)
{
	char who[64], where[64];
	const char *const line[] = {
		"record LOCKS: ", where, variant->what, "is in conflict with that of ",
		who, NULL
	};
	int fd;

	self->pid = start_program(_metadata, &both);
	ckpt_save_and_kill(_metadata, self->pid);
	fd = open(variant->path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, variant->how ? lock(fd, variant->how, F_WRLCK, variant->start,
					 variant->len) :
				    flock(fd, LOCK_SH));
	EXPECT_EQ(-EBUSY, ckpt_restart(CKPT_IMG, self->pid));
	snprintf(where, sizeof(where), "%s: ", variant->path);
	snprintf(who, sizeof(who), "pid %d: ", getpid());
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	/* Of what it had taken before nothing is left, and the other still has his. */
	if (variant->how) {
		EXPECT_TRUE(can_flock(variant->path, LOCK_EX));
		EXPECT_TRUE(is_locked(variant->path, variant->start, F_WRLCK,
				      variant->start, variant->len,
				      variant->how == F_SETLK ? getpid() : -1));
	} else {
		EXPECT_FALSE(can_flock(variant->path, LOCK_EX));
	}
	EXPECT_TRUE(is_locked(A, 15, F_UNLCK, 0, 0, 0));
	EXPECT_TRUE(is_locked(B, 15, F_UNLCK, 0, 0, 0));
	close(fd);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Two cannot have one lock. */
PROGRAM_FIXTURE(beside, locks_begin, end_tree_files);

FIXTURE_VARIANT(beside)
{
	struct program program;
};

FIXTURE_VARIANT_ADD(beside, ranges)
{
	.program = { set_ranges, check_ranges },
};

FIXTURE_VARIANT_ADD(beside, flock)
{
	.program = { set_flock, check_flock },
};

TEST_F(beside, the_original)
{
	char who[32];
	const char *const line[] = { "is in conflict with that of pid ", who, NULL };

	self->pid = start_program(_metadata, &variant->program);
	snprintf(who, sizeof(who), "%d: ", self->pid);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	EXPECT_EQ(-EBUSY, ckpt_restart(CKPT_IMG, 0));
	EXPECT_TRUE(ckpt_log_says(line));
	ends_well(_metadata, &self->pid);
}

/* ---- files that the restarter gives ----------------------------------------------- */

PROGRAM_FIXTURE(inherit, locks_begin, end_tree_files);

static void check_inherited(void)
{
	MUST(is_locked(B, 10, F_WRLCK, 10, 20, getpid()) && !can_flock(B, LOCK_SH));
	MUST(!flock(10, LOCK_UN) && can_flock(B, LOCK_EX));
	MUST(can_flock(A, LOCK_EX) && is_locked(A, 10, F_UNLCK, 0, 0, 0));
}

static void set_one(void)
{
	open_as(10, A, O_RDWR);
	MUST(!lock(10, F_SETLK, F_WRLCK, 10, 20) && !flock(10, LOCK_EX));
}

static const struct program one = { set_one, check_inherited };

TEST_F(inherit, locked)
{
	struct ckpt_inherit_fd in = { .saved_fd = 10 };

	self->pid = start_program(_metadata, &one);
	ckpt_save_and_kill(_metadata, self->pid);
	in.fd = open(B, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(self->pid, restart_with(self->pid, 0, &in, 1)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_TRUE(wait_resumed(self->pid));
	ends_well(_metadata, &self->pid);
	close(in.fd);
}

/* It was refused, and is not locked any more although it is open. */
TEST_F(inherit, unlocked_after_failure)
{
	struct ckpt_inherit_fd in = { .saved_fd = 10 };
	int fd = open(A, O_RDWR | O_CLOEXEC);

	self->pid = start_program(_metadata, &both);
	ckpt_save_and_kill(_metadata, self->pid);
	in.fd = open(DIRECTORY "/c", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	/* The last of its locks is the one of B. */
	fd = open(B, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, lock(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
	EXPECT_EQ(-EBUSY, restart_with(self->pid, 0, &in, 1));
	EXPECT_TRUE(can_flock(DIRECTORY "/c", LOCK_EX));
	EXPECT_TRUE(is_locked(DIRECTORY "/c", 15, F_UNLCK, 0, 0, 0));
	close(fd);
	/* What its giver has locked stays locked. */
	ASSERT_EQ(0, flock(in.fd, LOCK_SH));
	fd = open(B, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, lock(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
	EXPECT_EQ(-EBUSY, restart_with(self->pid, 0, &in, 1));
	EXPECT_TRUE(!!strstr(ckpt_log_text, "has locks of its own, which stay"));
	EXPECT_TRUE(can_flock(DIRECTORY "/c", LOCK_SH));
	EXPECT_FALSE(can_flock(DIRECTORY "/c", LOCK_EX));
	close(fd);
	close(in.fd);
}

/* Not open for writing, so that there can be no such lock. */
TEST_F(inherit, wrong_mode)
{
	struct ckpt_inherit_fd in = { .saved_fd = 10 };

	self->pid = start_program(_metadata, &one);
	ckpt_save_and_kill(_metadata, self->pid);
	in.fd = open(B, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADF, restart_with(self->pid, 0, &in, 1));
	EXPECT_TRUE(!!strstr(ckpt_log_text, B " is not open for a POSIX lock for writing"));
	close(in.fd);
	in.fd = -1;
	self->pid = 0;
}

TEST_HARNESS_MAIN
