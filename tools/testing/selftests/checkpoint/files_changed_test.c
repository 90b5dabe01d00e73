// SPDX-License-Identifier: GPL-2.0
/*
 * If a file is no longer what it was when it was saved, the restart is refused
 * by the path of that file, and nothing is left of it.
 *
 *	program				test
 *	opens files
 *	"ready"
 *					checkpoint(KILL)
 *					changes a file
 *					restart() fails
 *					makes it good, restart()
 *					makes the file GO
 *	uses the files
 *	exits with GOOD
 */
#include "program.h"

#include <ftw.h>
#include <sys/sysmacros.h>

#define USER		1000
#define TOP		DIRECTORY "/top"
#define FILE_		TOP "/file"
#define DIR_		TOP "/dir"
#define NULL_		TOP "/null"
#define CWD		DIRECTORY "/cwd"
#define MAPPED		DIRECTORY "/mapped"
#define KEPT		DIRECTORY "/kept"

/* Of a user, so that permissions matter. */
static void set_all(void)
{
	const unsigned char *p;
	int fd;

	MUST(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
	open_as(10, FILE_, O_RDWR);
	lseek(10, 100, SEEK_SET);
	open_as(11, DIR_, O_RDONLY | O_DIRECTORY);
	open_as(12, NULL_, O_RDWR);
	fd = open(MAPPED, O_RDONLY);
	p = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED && p[5] == pattern(5));
	close(fd);
	MUST(!chdir(CWD));
}

static void check_all(void)
{
	char c;

	/* Of what is another file, at least the place is right. */
	MUST(lseek(10, 0, SEEK_CUR) == 100 && read(10, &c, 1) >= 0);
	MUST(write(12, &c, 1) == 1 && !read(12, &c, 1));
	MUST(!faccessat(11, ".", F_OK, 0));
}

static void away(const char *path)
{
	rename(path, KEPT);
}

static void set_mtime(const char *path, const struct stat *st, long ns)
{
	struct timespec ts[2] = { st->st_atim, st->st_mtim };

	ts[1].tv_nsec ^= ns;
	utimensat(AT_FDCWD, path, ts, 0);
}

static void truncated(const char *path, const struct stat *st)
{
	truncate(path, 10);
	set_mtime(path, st, 0);
}

static void grown(const char *path, const struct stat *st)
{
	truncate(path, FILE_SIZE + 1);
	set_mtime(path, st, 0);
}

static void touched(const char *path, const struct stat *st)
{
	set_mtime(path, st, 1);
}

static void gone(const char *path, const struct stat *st)
{
	away(path);
}

static void copied(const char *path, const struct stat *st)
{
	away(path);
	fill(path);
	chown(path, USER, USER);
	set_mtime(path, st, 0);
}

static void another(const char *path, const struct stat *st)
{
	copied(path, st);
	truncated(path, st);
}

static void is_directory(const char *path, const struct stat *st)
{
	away(path);
	mkdir(path, 0777);
}

static void is_file(const char *path, const struct stat *st)
{
	away(path);
	fill(path);
	chown(path, USER, USER);
}

static void is_fifo(const char *path, const struct stat *st)
{
	away(path);
	mkfifo(path, 0777);
	chmod(path, 0777);
}

static void is_link(const char *path, const struct stat *st)
{
	away(path);
	symlink(KEPT, path);
}

#define IS_DEVICE(name, minor)						\
static void is_##name(const char *path, const struct stat *st)		\
{									\
	away(path);							\
	mknod(path, S_IFCHR | 0666, makedev(1, minor));			\
	chmod(path, 0666);						\
}

IS_DEVICE(null, 3)
IS_DEVICE(zero, 5)
IS_DEVICE(kmsg, 11)

static void forbidden(const char *path, const struct stat *st)
{
	chmod(path, 0);
}

static void not_of_the_user(const char *path, const struct stat *st)
{
	chown(path, 0, 0);
	chmod(path, 0644);
}

static void read_only(const char *path, const struct stat *st)
{
	mount(NULL, DIRECTORY, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* Of no importance: time of access and of change, mode, links. */
static void looked_at(const char *path, const struct stat *st)
{
	char c;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	read(fd, &c, 1);
	close(fd);
	chmod(path, 0666);
	chown(path, USER, 0);
	link(path, KEPT "2");
	unlink(KEPT "2");
}

/* Makes good what was done. */
static void undo(const char *path, const struct stat *st)
{
	mount(NULL, DIRECTORY, NULL, MS_REMOUNT, NULL);
	if (!access(KEPT, F_OK)) {
		remove(path);
		rename(KEPT, path);
		return;
	}
	if (S_ISREG(st->st_mode))
		fill(path);
	chown(path, st->st_uid, st->st_gid);
	chmod(path, st->st_mode & 07777);
	set_mtime(path, st, 0);
}

static void changed_begin(struct __test_metadata *_metadata)
{
	begin(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
	ASSERT_EQ(0, mkdir(TOP, 0755) | mkdir(DIR_, 0755) | mkdir(CWD, 0755));
	ASSERT_TRUE(fill(FILE_) && fill(MAPPED));
	ASSERT_EQ(0, chown(FILE_, USER, USER));
	ASSERT_EQ(0, mknod(NULL_, S_IFCHR | 0666, makedev(1, 3)));
	ASSERT_EQ(0, chmod(NULL_, 0666));
}

static void changed_end(pid_t pid)
{
	end(pid);
	umount_files();
}

PROGRAM_FIXTURE(changed, changed_begin, changed_end);

/*
 * The program is restarted if @err is 0. @words stand in the log behind @path,
 * or nothing at all does.
 */
FIXTURE_VARIANT(changed)
{
	void (*change)(const char *path, const struct stat *st);
	const char *path;
	const char *words;
	int err;
	unsigned long flags;
};

#define CHANGED(name, fn, where, error, text, flag)		\
FIXTURE_VARIANT_ADD(changed, name)				\
{								\
	.change = fn,						\
	.path = where,						\
	.err = error,						\
	.words = text,						\
	.flags = flag,						\
}

#define CHANGED_TEXT	" was changed since it was saved ("
#define AGAIN		" cannot be opened again (flags "
#define TYPE		" is of another type than when it was saved"
#define DEVICE		" is another device than when it was saved"
#define FORCED		" was changed since it was saved; going on as you asked"
#define NUMBER		" has another inode number than when it was saved"

CHANGED(file_gone, gone, FILE_, ENOENT, AGAIN, 0);
CHANGED(file_gone_forced, gone, FILE_, ENOENT, AGAIN, RESTART_FORCE_FILES);
CHANGED(file_truncated, truncated, FILE_, ESTALE,
	CHANGED_TEXT "size now 10, was 8192; ", 0);
CHANGED(file_grown, grown, FILE_, ESTALE,
	CHANGED_TEXT "size now 8193, was 8192; ", 0);
CHANGED(file_touched, touched, FILE_, ESTALE,
	CHANGED_TEXT "size now 8192, was 8192; ", 0);
CHANGED(file_another, another, FILE_, ESTALE,
	CHANGED_TEXT "size now 10, was 8192; ", 0);
CHANGED(file_copied, copied, FILE_, 0, NUMBER, 0);
CHANGED(file_looked_at, looked_at, FILE_, 0, NULL, 0);
CHANGED(file_truncated_forced, truncated, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_touched_forced, touched, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_another_forced, another, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_is_directory, is_directory, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_fifo, is_fifo, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_fifo_forced, is_fifo, FILE_, ESTALE, TYPE, RESTART_FORCE_FILES);
CHANGED(file_is_link, is_link, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_null, is_null, FILE_, ESTALE, TYPE, 0);
CHANGED(file_forbidden, forbidden, FILE_, EACCES, AGAIN, 0);
CHANGED(file_not_of_the_user, not_of_the_user, FILE_, EACCES, AGAIN, 0);
CHANGED(file_read_only, read_only, FILE_, EROFS, AGAIN, 0);
CHANGED(directory_gone, gone, DIR_, ENOENT, AGAIN, 0);
CHANGED(directory_is_file, is_file, DIR_, ESTALE, TYPE, 0);
CHANGED(directory_forbidden, forbidden, DIR_, EACCES, AGAIN, 0);
CHANGED(device_gone, gone, NULL_, ENOENT, AGAIN, 0);
CHANGED(device_is_file, is_file, NULL_, ESTALE, TYPE, 0);
CHANGED(device_is_zero, is_zero, NULL_, ESTALE, DEVICE, 0);
CHANGED(device_is_zero_forced, is_zero, NULL_, ESTALE, DEVICE, RESTART_FORCE_FILES);
CHANGED(device_is_kmsg, is_kmsg, NULL_, ESTALE, TYPE, 0);
CHANGED(device_is_null, is_null, NULL_, 0, NULL, 0);
CHANGED(mapped_gone, gone, MAPPED, ENOENT, AGAIN, 0);
CHANGED(mapped_touched, touched, MAPPED, ESTALE, CHANGED_TEXT, 0);
CHANGED(mapped_forbidden, forbidden, MAPPED, EACCES, AGAIN, 0);
CHANGED(cwd_gone, gone, CWD, ENOENT, AGAIN, 0);
CHANGED(cwd_is_file, is_file, CWD, ESTALE, TYPE, 0);
CHANGED(cwd_is_link, is_link, CWD, ESTALE, TYPE, 0);

/* The directories above, of which the program has nothing open. */
CHANGED(above_gone, gone, TOP, ENOENT, "/file" AGAIN, 0);
CHANGED(above_forbidden, forbidden, TOP, EACCES, "/file" AGAIN, 0);
CHANGED(above_is_link, is_link, TOP, 0, NULL, 0);

static FILE *tree;

static int show_file(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	fprintf(tree, "%s %o %lu %lu %ld.%09ld\n", path, st->st_mode,
		st->st_ino, st->st_size, st->st_mtim.tv_sec,
		st->st_mtim.tv_nsec);
	return 0;
}

static void look_at_tree(char *buf, size_t size)
{
	tree = fmemopen(buf, size, "w");
	nftw(DIRECTORY, show_file, 16, FTW_PHYS);
	fclose(tree);
}

/* A lease is only given if nobody else has it open for writing. */
static bool held_by_nobody(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0 && !fcntl(fd, F_SETLEASE, F_WRLCK);

	close(fd);
	return ok;
}

TEST_F(changed, restarted)
{
	static const struct program program = { set_all, check_all };
	static char before[8192], now[8192];
	char words[256] = "image offset";
	struct stat st;
	pid_t pid;

	pid = start_program(_metadata, &program);
	self->pid = pid;
	ASSERT_FALSE(held_by_nobody(FILE_));
	ckpt_save_and_kill(_metadata, pid);
	self->pid = 0;
	if (variant->words)
		snprintf(words, sizeof(words), " %s%s", variant->path,
			 variant->words);
	ASSERT_EQ(0, lstat(variant->path, &st));
	variant->change(variant->path, &st);
	look_at_tree(before, sizeof(before));
	ASSERT_NE(NULL, strstr(before, DIRECTORY));

	self->pid = restart_with(pid, variant->flags, NULL, 0);
	EXPECT_EQ(variant->err ? -variant->err : pid, self->pid) {
		TH_LOG("%s", ckpt_log_text);
	}
	if (variant->words || !variant->err)
		EXPECT_EQ(!variant->words, !strstr(ckpt_log_text, words)) {
			TH_LOG("%s", ckpt_log_text);
		}
	look_at_tree(now, sizeof(now));
	EXPECT_STREQ("", ckpt_difference(before, now));
	if (variant->err) {
		/* Nothing is left, and the image is still good. */
		EXPECT_EQ(-1, kill(pid, 0));
		self->pid = 0;
		undo(variant->path, &st);
		EXPECT_TRUE(held_by_nobody(FILE_));
		bring_back(_metadata, pid);
		self->pid = pid;
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
