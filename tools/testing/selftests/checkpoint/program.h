/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that is saved and brought back, and says in a log how it fares.
 *
 *	program			test
 *				begin()
 *				start()
 *	ready()
 *				kill_and_bring_back()
 *				go(), ends_well()
 *	wait_go()
 *	MUST(all is right)
 *	_exit(GOOD)
 *				end()
 *
 * The first part is for the program, the second for the test.
 */
#ifndef _CKPT_TEST_PROGRAM_H
#define _CKPT_TEST_PROGRAM_H

#include "ckpt_test.h"

/* In this order: they define the same names. */
#include <linux/fs.h>
#include <linux/btrfs.h>
#include <sys/mount.h>

#define LOG		"/tmp/program.log"
#define GO		"/tmp/program.go"
#define GOOD		42
#define BAD		43
#define SKIPPED		44

/* Where the files of a program are. */
#define DIRECTORY	"/tmp/files"
#define FILE_SIZE	8192
#define DISK		"/tmp/files.disk"

static int log_fd;

/* ---- in the program -------------------------------------------------- */

#define MUST(cond)							\
do {									\
	if (!(cond)) {							\
		dprintf(log_fd, "%s, line %d: %s (errno %d)\n",		\
			__func__, __LINE__, #cond, errno);		\
		_exit(BAD);						\
	}								\
} while (0)

static inline void ready(void)
{
	MUST(write(log_fd, "ready\n", 6) == 6);
}

/* The name that /proc has for an open file. */
static inline const char *fd_name(int fd)
{
	static char text[PATH_MAX];
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	MUST(n > 0);
	text[n] = 0;
	return text;
}

static inline void wait_for(const char *path)
{
	while (access(path, F_OK))
		ckpt_sleep_ms(2);
}

static inline void wait_go(void)
{
	wait_for(GO);
}

/* Where it cannot be tried. */
static inline void __noreturn skip_program(const char *why)
{
	dprintf(log_fd, "skipped: %s", why);
	_exit(SKIPPED);
}

/* A program that has nothing to do. */
static inline void idle_program(void *arg)
{
	ready();
	wait_go();
	_exit(GOOD);
}

/* A program that sets something, and checks it when it goes on. */
struct program {
	void (*set)(void);
	void (*check)(void);
};

static inline void set_check_program(void *arg)
{
	const struct program *p = arg;

	p->set();
	ready();
	wait_go();
	if (p->check)
		p->check();
	_exit(GOOD);
}

/* The contents of a file say where in it one is. */
static inline unsigned char pattern(off_t i)
{
	return i * 7 + (i >> 8) + 3;
}

static inline bool fill(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	unsigned char buf[FILE_SIZE];
	ssize_t n;
	int i;

	for (i = 0; i < FILE_SIZE; i++)
		buf[i] = pattern(i);
	n = write(fd, buf, FILE_SIZE);
	close(fd);
	return n == FILE_SIZE;
}

/* What open() and the like returned becomes descriptor @number. */
static inline void move_fd(int fd, int number, int flags)
{
	MUST(fd >= 0);
	if (fd == number)
		return;
	MUST(dup3(fd, number, flags & O_CLOEXEC) == number);
	close(fd);
}

static inline void open_as(int number, const char *path, int flags)
{
	move_fd(open(path, flags, 0600), number, flags);
}

/* ---- in the test ------------------------------------------------------ */

static inline const char *log_text(void)
{
	static char text[4096];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static inline void begin(struct __test_metadata *_metadata)
{
	unlink(GO);
	unlink(LOG);
	log_fd = open(LOG, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ASSERT_LE(0, log_fd);
}

static inline void end(pid_t pid)
{
	ckpt_kill(pid);
	close(log_fd);
	unlink(GO);
	unlink(LOG);
	unlink(CKPT_IMG);
}

/* A fixture with a program, and what is done before and after each test. */
#define PROGRAM_FIXTURE(name, before, after)			\
FIXTURE(name)							\
{								\
	pid_t pid;						\
};								\
								\
FIXTURE_SETUP(name)						\
{								\
	before(_metadata);					\
}								\
								\
FIXTURE_TEARDOWN(name)						\
{								\
	after(self->pid);					\
}								\
								\
struct name##_semicolon

/* Gives them a file system of their own. */
static inline bool mount_files(const char *fs)
{
	mkdir(DIRECTORY, 0755);
	return !mount("t", DIRECTORY, fs, 0, "mode=0755");
}

/* What the layers hold comes between the two. */
#define LOWER		DIRECTORY "/lower"
#define UPPER		DIRECTORY "/upper"

static inline bool make_layers(void)
{
	return !mkdir(LOWER, 0755) && !mkdir(UPPER, 0755) &&
	       !mkdir(DIRECTORY "/work", 0755);
}

static inline bool mount_layers(void)
{
	return mount_files("tmpfs") && make_layers();
}

static inline bool mount_overlay(const char *where)
{
	return !mount("o", where, "overlay", 0, "lowerdir=" LOWER ",upperdir="
		      UPPER ",workdir=" DIRECTORY "/work");
}

/* A disk in a file: the kernel's ext4 with what busybox makes. */
static inline bool mount_loop(void)
{
	int disk = open(DISK, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool ok = !ftruncate(disk, 8 << 20);

	close(disk);
	mkdir(DIRECTORY, 0755);
	return ok && !system("busybox mke2fs -F -b 4096 " DISK " >/dev/null 2>&1") &&
	       !system("busybox mount -o loop,user_xattr -t ext4 " DISK " " DIRECTORY);
}

static inline void umount_files(void)
{
	chdir("/");
	while (!umount2(DIRECTORY, MNT_DETACH))
		;
	rmdir(DIRECTORY);
	unlink(DISK);
}

/* Where the guest has a disk with it, or a directory of its host; NULL: nowhere. */
static inline const char *disk_with(const char *fs)
{
	static const char *const disks[][2] = {
		{ "ext4", "/data" }, { "xfs", "/disks/xfs" },
		{ "btrfs", "/disks/btrfs" }, { "9p", "/disks/9p" },
	};
	struct stat disk, root;
	int i;

	for (i = 0; i < 4; i++)
		if (!strcmp(fs, disks[i][0]) && !stat(disks[i][1], &disk) &&
		    !stat("/", &root) && disk.st_dev != root.st_dev)
			return disks[i][1];
	return NULL;
}

static char disk_directory[32] __attribute__((unused));

/* Of btrfs: its inodes have numbers and a device number (st_dev) of their own. */
static inline bool make_subvolume(const char *dir, const char *name)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_ioctl_vol_args args = {};
	bool ok;

	snprintf(args.name, sizeof(args.name), "%s", name);
	ok = !ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args);
	close(fd);
	return ok;
}

static inline bool mount_from(const char *disk)
{
	bool is_btrfs = strstr(disk, "btrfs");
	char remove[64];

	/* Another test may have left something there. */
	snprintf(disk_directory, sizeof(disk_directory), "%s/program", disk);
	snprintf(remove, sizeof(remove), "busybox rm -rf %s", disk_directory);
	if (system(remove) || (is_btrfs ? !make_subvolume(disk, "program") :
			       mkdir(disk_directory, 0755)))
		return false;
	mkdir(DIRECTORY, 0755);
	return !mount(disk_directory, DIRECTORY, NULL, MS_BIND, NULL);
}

/* That of the guest's disk, or of one that is made. */
static inline bool mount_disk(void)
{
	const char *disk = disk_with("ext4");

	return disk ? mount_from(disk) : mount_loop();
}

static inline void umount_disk(void)
{
	umount_files();
	rmdir(disk_directory);
}

/* Can there be one of that type here? */
static inline bool has_fs(const char *fs)
{
	return (strcmp(fs, "xfs") && strcmp(fs, "btrfs") && strcmp(fs, "9p")) ||
	       disk_with(fs);
}

/* Of any type, an overlay on tmpfs or on a disk. */
static inline bool mount_any(const char *fs)
{
	const char *disk = disk_with(fs);

	if (!strcmp(fs, "overlay"))
		return mount_layers() && mount_overlay(DIRECTORY);
	if (!strcmp(fs, "overlay_on_disk"))
		return mount_disk() && make_layers() && mount_overlay(DIRECTORY);
	if (!strcmp(fs, "ext4"))
		return mount_disk();
	return disk ? mount_from(disk) : mount_files(fs);
}

/* Nothing more can be written to the disk of that file but @spare pages. */
static inline bool fill_disk(const char *path, int spare)
{
	static char page[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat st;
	bool ok;

	while (write(fd, page, sizeof(page)) > 0)
		;
	ok = errno == ENOSPC && !fstat(fd, &st) &&
	     !ftruncate(fd, st.st_size - spare * 4096L) && !fsync(fd);
	close(fd);
	return ok;
}

static inline bool wait_ready(void)
{
	return ckpt_wait_size(LOG, 6, 60000) && !strcmp("ready\n", log_text());
}

/* What the program gave to skip_program(), or NULL. */
static inline const char *why_skipped(void)
{
	static char why[128];

	return sscanf(log_text(), "skipped: %127[^\n]", why) == 1 ? why : NULL;
}

static inline pid_t start(struct __test_metadata *_metadata,
			  void (*fn)(void *arg), const void *arg)
{
	pid_t pid = ckpt_spawn(fn, (void *)arg, log_fd);

	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_ready()) {
		TH_LOG("%s", log_text());
	}
	return pid;
}

static inline pid_t start_program(struct __test_metadata *_metadata,
				  const struct program *program)
{
	return start(_metadata, set_check_program, program);
}

/* The last of its state comes after the news that it is there. */
static inline bool wait_resumed(pid_t pid)
{
	long nr;
	int i;

	for (i = 0; i < 2000; i++) {
		nr = ckpt_syscall(pid);
		if (nr != -2 && nr != __NR_restart)
			return true;
		ckpt_sleep_ms(1);
	}
	return false;
}

/* By a restarter that does @prepare before. */
static inline void bring_back_after(struct __test_metadata *_metadata,
				    pid_t pid, void (*prepare)(void))
{
	ASSERT_EQ(pid, ckpt_restart_after(CKPT_IMG, pid, prepare)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_TRUE(wait_resumed(pid));
}

static inline void bring_back(struct __test_metadata *_metadata, pid_t pid)
{
	bring_back_after(_metadata, pid, NULL);
}

/* The whole way. */
static inline void kill_and_bring_back(struct __test_metadata *_metadata,
				       pid_t pid)
{
	ckpt_save_and_kill(_metadata, pid);
	bring_back(_metadata, pid);
}

/* With flags and files of the restarter; returns as ckpt_restart() does. */
static inline pid_t restart_with(pid_t pid, unsigned long flags,
				 const struct ckpt_inherit_fd *list, int nr)
{
	int in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	pid_t ret = ckpt_restart_fd_opts(in, pid, flags, list, nr);

	close(in);
	return ret;
}

static inline void go(void)
{
	ckpt_touch(GO);
}

/* It says nothing more than before: it went on, it did not begin again. */
static inline void ends_well(struct __test_metadata *_metadata, pid_t *pid)
{
	char was[4096];
	int code;

	strcpy(was, log_text());
	go();
	code = ckpt_wait(*pid, 60000);
	EXPECT_EQ(GOOD, code);
	EXPECT_STREQ(was, log_text());
	/* Else end() kills it. */
	if (code != -1)
		*pid = 0;
}

/* @words: what one line of the log says; the program is as it was. */
static inline void is_refused(struct __test_metadata *_metadata, pid_t *pid,
			      const struct program *program,
			      const char *const *words)
{
	*pid = start_program(_metadata, program);
	ckpt_expect_refused(_metadata, *pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, pid);
}

#endif /* _CKPT_TEST_PROGRAM_H */
