// SPDX-License-Identifier: GPL-2.0
/*
 * A program with a file that cannot be saved is refused by the name of that
 * file and of what is special about it. It does not notice, and can be saved as
 * soon as it has closed the file.
 *
 *	program				test
 *	opens a file
 *	"ready"
 *					checkpoint(KILL): EOPNOTSUPP
 *					makes the file GO
 *	uses the file, closes it
 *	"closed"
 *					checkpoint(KILL), restart()
 *					makes the file END
 *	exits with GOOD
 */
#include "program.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define END		"/tmp/refused.end"
#define A		DIRECTORY "/a"
#define MOUNT		DIRECTORY "/mnt"

/* ---- in the program -------------------------------------------------- */

/* The file in question is always descriptor 10, what it needs are 11 and up. */
static void as(int number, int fd)
{
	move_fd(fd, number, 0);
}

static void still_open(void)
{
	MUST(fcntl(10, F_GETFD) >= 0);
}

#define SET(name, fd)			\
static void set_##name(void)		\
{					\
	as(10, fd);			\
}

static void close_all(void)
{
	int fd;

	for (fd = 10; fd < 20; fd++)
		close(fd);
}

static void reads_back(void)
{
	char buf[8];

	MUST(read(10, buf, sizeof(buf)) == 5 && !memcmp(buf, "early", 5));
	MUST(write(11, "late", 4) == 4);
	MUST(read(10, buf, sizeof(buf)) == 4 && !memcmp(buf, "late", 4));
}

static void set_datagram(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);

	as(10, socket(AF_INET, SOCK_DGRAM, 0));
	MUST(!bind(10, (void *)&addr, len));
	MUST(!getsockname(10, (void *)&addr, &len));
	as(11, socket(AF_INET, SOCK_DGRAM, 0));
	MUST(!connect(11, (void *)&addr, len));
	MUST(write(11, "early", 5) == 5);
}

SET(netlink, socket(AF_NETLINK, SOCK_RAW, 0))

SET(userfaultfd, syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY))

static void set_io_uring(void)
{
	struct io_uring_params p = {};

	as(10, syscall(SYS_io_uring_setup, 1, &p));
}

static void set_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
	};

	as(10, syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

SET(secret, syscall(SYS_memfd_secret, 0))

static void set_bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	as(10, syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static void set_landlock(void)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE,
	};

	as(10, syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
}

static void set_mqueue(void)
{
	as(10, mq_open("/refused", O_RDWR | O_CREAT, 0600, NULL));
	MUST(!mq_unlink("/refused"));
}

SET(fsopen, syscall(SYS_fsopen, "tmpfs", 0))
SET(tun, open("/dev/net/tun", O_RDWR))
SET(ptmx, open("/dev/ptmx", O_RDWR | O_NOCTTY))
SET(loop, open("/dev/loop0", O_RDONLY))
SET(kmsg, open("/dev/kmsg", O_RDONLY))

/* That of a child that is no more. */
static void set_namespace(void)
{
	int p[2], status;
	char path[64], c;
	pid_t pid;

	MUST(!pipe(p));
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWUTS))
			_exit(1);
		write(p[1], "x", 1);
		for (;;)
			pause();
	}
	close(p[1]);
	MUST(read(p[0], &c, 1) == 1);
	close(p[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	as(10, open(path, O_RDONLY));
	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0) == pid);
}

/* Its init is no more, so that nobody can be born in it. */
static void set_for_children(void)
{
	pid_t pid;

	MUST(!unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	as(10, open("/proc/self/ns/pid_for_children", O_RDONLY));
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void set_deleted_device(void)
{
	MUST(!mknod(DIRECTORY "/null", S_IFCHR | 0600, makedev(1, 3)));
	as(10, open(DIRECTORY "/null", O_RDWR));
	MUST(!unlink(DIRECTORY "/null"));
}

static void use_device(void)
{
	char c;

	MUST(write(10, "x", 1) == 1 && !read(10, &c, 1));
}

static void set_path_of_pipe(void)
{
	int p[2];

	MUST(!pipe(p));
	as(11, p[0]);
	close(p[1]);
	as(10, open("/proc/self/fd/11", O_PATH));
	close(11);
}

/* ---- regular files and directories with something special ------------------- */

static void set_deleted_directory(void)
{
	MUST(!mkdir(DIRECTORY "/gone", 0755) && !mkdir(DIRECTORY "/gone/too", 0755));
	as(10, open(DIRECTORY "/gone/too", O_RDONLY | O_DIRECTORY));
	MUST(!rmdir(DIRECTORY "/gone/too") && !rmdir(DIRECTORY "/gone"));
}

static void set_mounted_over(void)
{
	MUST(!mkdir(MOUNT, 0755));
	close(open(MOUNT "/a", O_CREAT | O_RDWR, 0600));
	as(10, open(MOUNT "/a", O_RDWR));
	MUST(!mount("t", MOUNT, "tmpfs", 0, NULL));
	/* Not even one that looks the same. */
	close(open(MOUNT "/a", O_CREAT | O_RDWR, 0600));
}

/* The mapping is of the file in the lower layer, the name leads to the upper. */
static void *copied_up;

static void set_copied_up(void)
{
	int fd;

	MUST(!mkdir(MOUNT, 0755) && !mkdir(LOWER, 0755) && !mkdir(UPPER, 0755) &&
	     !mkdir(DIRECTORY "/work", 0755));
	close(open(LOWER "/a", O_CREAT | O_RDWR, 0600));
	MUST(!truncate(LOWER "/a", 4096) && mount_overlay(MOUNT));
	fd = open(MOUNT "/a", O_RDONLY);
	copied_up = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	MUST(copied_up != MAP_FAILED);
	MUST(!close(fd) && !chmod(MOUNT "/a", 0640));
}

static void undo_copied_up(void)
{
	MUST(!munmap(copied_up, 4096));
}

static void set_detached(void)
{
	MUST(!mkdir(MOUNT, 0755) && !mount("t", MOUNT, "tmpfs", 0, NULL));
	as(10, open(MOUNT "/a", O_CREAT | O_RDWR, 0600));
	MUST(!umount2(MOUNT, MNT_DETACH));
}

SET(tree, syscall(SYS_open_tree, AT_FDCWD, DIRECTORY, 1 /* CLONE */))

/* A file that somebody in another namespace opened. */
static void opened_elsewhere(int namespace)
{
	int p[2], fd, status;
	pid_t pid;
	char c;

	MUST(!pipe(p));
	pid = fork();
	if (!pid) {
		if (unshare(namespace) || open(A, O_RDWR) < 0)
			_exit(1);
		write(p[1], "x", 1);
		for (;;)
			pause();
	}
	close(p[1]);
	MUST(read(p[0], &c, 1) == 1);
	fd = syscall(SYS_pidfd_open, pid, 0);
	/* The next after the two of the pipe. */
	as(10, syscall(SYS_pidfd_getfd, fd, p[1] + 1, 0));
	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0) == pid);
	close(fd);
	close(p[0]);
}

static void set_user_namespace(void)
{
	opened_elsewhere(CLONE_NEWUSER);
}

static void set_mount_namespace(void)
{
	opened_elsewhere(CLONE_NEWNS);
}

/* ---- locks ----------------------------------------------------------------- */

static int lock(int fd, int cmd, int type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_len = 5 };

	return fcntl(fd, cmd, &l);
}

/* A child tries what conflicts with the lock. */
static bool locked_for_others(void)
{
	pid_t pid = fork();
	int fd, status;

	if (!pid) {
		fd = open(A, O_RDWR | O_NONBLOCK);
		_exit(fd >= 0 && !lock(fd, F_SETLK, F_WRLCK) &&
		      !flock(fd, LOCK_EX | LOCK_NB));
	}
	MUST(waitpid(pid, &status, 0) == pid);
	return !status;
}

static void use_lock(void)
{
	MUST(locked_for_others());
}

/* ---- directories that a program is in ---------------------------------------- */

static void set_cwd_deleted(void)
{
	set_deleted_directory();
	MUST(!fchdir(10) && !close(10));
}

static void set_cwd_mounted_over(void)
{
	MUST(!mkdir(MOUNT, 0755) && !chdir(MOUNT));
	close(open("mine", O_CREAT | O_RDWR, 0600));
	MUST(!mount("t", MOUNT, "tmpfs", 0, NULL));
}

static void use_cwd_mounted_over(void)
{
	MUST(!access("mine", F_OK) && access(MOUNT "/mine", F_OK));
}

static void set_cwd_detached(void)
{
	MUST(!mkdir(MOUNT, 0755) && !mount("t", MOUNT, "tmpfs", 0, NULL));
	MUST(!chdir(MOUNT) && !umount2(MOUNT, MNT_DETACH));
}

static void set_cwd_too_deep(void)
{
	char name[256];
	int i;

	memset(name, 'd', 255);
	name[255] = 0;
	MUST(!chdir(DIRECTORY));
	for (i = 0; i < 17; i++)
		MUST(!mkdir(name, 0755) && !chdir(name));
}

static void undo_cwd(void)
{
	MUST(!chdir("/"));
}

static void set_too_deep(void)
{
	set_cwd_too_deep();
	as(10, open("a", O_CREAT | O_RDWR, 0600));
	undo_cwd();
}

/* ---- in the test -------------------------------------------------------------- */

static void nothing(void)
{
}

struct refusal {
	void (*set)(void);
	void (*use)(void);
	void (*undo)(void);
};

static void refused_program(void *arg)
{
	struct refusal r = *(struct refusal *)arg;

	r.set();
	ready();
	wait_go();
	if (r.use)
		r.use();
	else
		still_open();
	if (r.undo)
		r.undo();
	else
		close_all();
	MUST(dprintf(log_fd, "closed\n") == 7);
	wait_for(END);
	_exit(GOOD);
}

static void refused_begin(struct __test_metadata *_metadata)
{
	int fd;

	begin(_metadata);
	unlink(END);
	ASSERT_TRUE(mount_files("tmpfs"));
	fd = open(A, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(5, write(fd, "early", 5));
	close(fd);
}

static void refused_end(pid_t pid)
{
	end(pid);
	umount_files();
	unlink(END);
}

/* It still has the file, as it shows by using it, and then has it no more. */
static void use_and_close(struct __test_metadata *_metadata)
{
	go();
	ASSERT_TRUE(ckpt_wait_size(LOG, 13, 10000)) {
		TH_LOG("%s", log_text());
	}
	ASSERT_STREQ("ready\nclosed\n", log_text());
}

/*
 * In the log must stand a line about descriptor 10, or with @what about that,
 * which is @path: @words. @stays: it is never saved any more.
 */
PROGRAM_FIXTURE(refused, refused_begin, refused_end);

FIXTURE_VARIANT(refused)
{
	struct refusal refusal;
	const char *what;
	const char *path;
	const char *words;
	bool stays;
};

#define KIND(name, use_fn, where, symbol)			\
FIXTURE_VARIANT_ADD(refused, name)				\
{								\
	.refusal = { set_##name, use_fn, NULL },		\
	.path = where,						\
	.words = ": " symbol " cannot be saved yet\n",		\
}

#define FILE_IS(name, use_fn, undo_fn, where, why)		\
FIXTURE_VARIANT_ADD(refused, name)				\
{								\
	.refusal = { set_##name, use_fn, undo_fn },		\
	.path = where,						\
	.words = " " why "\n",					\
}

#define CWD_IS(name, use_fn, where, why)			\
FIXTURE_VARIANT_ADD(refused, name)				\
{								\
	.refusal = { set_##name, use_fn, undo_cwd },		\
	.what = "is in the directory ",				\
	.path = where,						\
	.words = ", which " why,				\
}

#define DELETED		"was deleted, and so was the directory that it was in"
#define OUTSIDE		"lies outside the root directory of the process"
#define COVERED		"cannot be reached by its name: something is mounted over it"
#define TOO_LONG	"has a path that is too long"
#define FAMILY(name)	"is a socket of family " name ", which cannot be saved yet"

KIND(userfaultfd, NULL, "anon_inode:[userfaultfd]", "userfaultfd_fops");
KIND(secret, NULL, "/secretmem (deleted)", "secretmem_fops");
KIND(bpf, NULL, "anon_inode:bpf-map", "bpf_map_fops");
KIND(landlock, NULL, "anon_inode:[landlock-ruleset]", "ruleset_fops");
KIND(mqueue, NULL, "/refused (deleted)", "mqueue_file_operations");
KIND(fsopen, NULL, "anon_inode:[fscontext]", "fscontext_fops");
KIND(tun, NULL, "/dev/net/tun", "tun_fops");
KIND(ptmx, NULL, "/dev/ptmx", "ptmx_fops");
KIND(loop, NULL, "/dev/loop0", "def_blk_fops");
KIND(kmsg, NULL, "/dev/kmsg", "kmsg_fops");

/* Besides, such a task is refused for good. */
FIXTURE_VARIANT_ADD(refused, io_uring)
{
	.refusal = { set_io_uring },
	.path = "anon_inode:[io_uring]",
	.words = ": io_uring_fops cannot be saved yet\n",
	.stays = true,
};

FIXTURE_VARIANT_ADD(refused, perf)
{
	.refusal = { set_perf },
	.path = "anon_inode:[perf_event]",
	.words = ": perf_fops cannot be saved yet\n",
	.stays = true,
};

FIXTURE_VARIANT_ADD(refused, copied_up)
{
	.refusal = { set_copied_up, nothing, undo_copied_up },
	.what = "mapping ",
	.path = "",
	.words = "-> " MOUNT "/a was copied up (overlayfs) since it was mapped, ",
};

FILE_IS(path_of_pipe, NULL, NULL, "pipe:[", OUTSIDE);
FILE_IS(namespace, NULL, NULL, "uts:[", "is a namespace that no process of the tree is in");
FILE_IS(for_children, NULL, NULL, "pid:[", "is a namespace that no process of the tree is in");
FILE_IS(deleted_device, use_device, NULL, DIRECTORY "/null (deleted)",
	"was deleted; what was deleted cannot be saved yet");
FILE_IS(datagram, reads_back, NULL, "socket:[", FAMILY("AF_INET"));
FILE_IS(netlink, NULL, NULL, "socket:[", FAMILY("AF_NETLINK"));
FILE_IS(deleted_directory, NULL, NULL, DIRECTORY "/gone/too (deleted)", DELETED);
FILE_IS(mounted_over, NULL, NULL, MOUNT "/a", COVERED);
FILE_IS(detached, NULL, NULL, "/a", OUTSIDE);
FILE_IS(tree, NULL, NULL, "/", OUTSIDE);
FILE_IS(too_deep, NULL, NULL, "", TOO_LONG);
FILE_IS(user_namespace, NULL, NULL, A, "was opened in another user namespace");
FILE_IS(mount_namespace, NULL, NULL, "/a", OUTSIDE);
CWD_IS(cwd_deleted, nothing, DIRECTORY "/gone/too (deleted)", DELETED);
CWD_IS(cwd_mounted_over, use_cwd_mounted_over, MOUNT, COVERED);
CWD_IS(cwd_detached, nothing, "", OUTSIDE);
CWD_IS(cwd_too_deep, nothing, "", TOO_LONG);

TEST_F(refused, by_name)
{
	char who[32], where[PATH_MAX];
	const char *const line[] = { who, where, variant->words, NULL };
	pid_t pid;

	pid = start(_metadata, refused_program, &variant->refusal);
	self->pid = pid;
	ckpt_expect_refused(_metadata, pid, EOPNOTSUPP);
	snprintf(who, sizeof(who), "pid %d (", pid);
	snprintf(where, sizeof(where), "%s%s", variant->what ?: " fd 10 -> ",
		 variant->path);
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}

	use_and_close(_metadata);
	if (!variant->stays)
		kill_and_bring_back(_metadata, pid);
	ckpt_touch(END);
	ends_well(_metadata, &self->pid);
}

/* Locks of others on the same file are not the program's. */
static void set_nothing(void)
{
	as(10, open(A, O_RDWR));
}

PROGRAM_FIXTURE(accepted, refused_begin, refused_end);

TEST_F(accepted, locks_of_others)
{
	static const struct refusal r = { set_nothing, use_lock, close_all };
	int fd = open(A, O_RDWR | O_CLOEXEC);
	int other = open(A, O_RDWR | O_CLOEXEC);

	ASSERT_EQ(0, lock(fd, F_SETLK, F_RDLCK));
	ASSERT_EQ(0, lock(other, F_OFD_SETLK, F_RDLCK));
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	self->pid = start(_metadata, refused_program, &r);
	kill_and_bring_back(_metadata, self->pid);
	use_and_close(_metadata);
	ckpt_touch(END);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
