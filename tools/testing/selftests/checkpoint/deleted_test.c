// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are open, mapped or executed and have no name any more, on tmpfs
 * and on file systems of disks.
 */
#define _FILE_OFFSET_BITS 64
#include "tree_program.h"

#include <grp.h>
#include <linux/fs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define PAGE		4096
#define RW		(PROT_READ | PROT_WRITE)
#define A		DIRECTORY "/a"
#define B		DIRECTORY "/b"
#define FULL		DIRECTORY "/full"
#define FAR		(1LL << 33)
#define NOBODY		1000
/* What the kernel shows, whatever the library calls it. */
#define LARGEFILE	0100000

/* ---- in the program ---------------------------------------------------------- */

static int fd;
static unsigned char *mem, *again;
static struct stat was;

static unsigned char *map(int prot, int flags, off_t at)
{
	void *p = mmap(NULL, PAGE, prot, flags, fd, at);

	MUST(p != MAP_FAILED);
	return p;
}

static void put(const char *text, off_t at)
{
	MUST(pwrite(fd, text, strlen(text), at) == strlen(text));
}

static bool reads(int fd, const char *text, off_t at)
{
	char buf[64];

	MUST(pread(fd, buf, strlen(text), at) == strlen(text));
	return !memcmp(buf, text, strlen(text));
}

static bool fd_is(int fd, const char *name)
{
	const char *text = fd_name(fd);

	return !strncmp(text, name, strlen(name)) &&
	       strstr(text, " (deleted)") == text + strlen(text) - 10;
}

static int give_name(int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static void opened(void)
{
	fd = open(A, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	MUST(fd >= 0);
	put("start", 0);
	put("middle", 5 * PAGE + 10);
}

static bool same_inode(int a, int b)
{
	struct stat x, y;

	MUST(!fstat(a, &x) && !fstat(b, &y));
	return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* Its size and holes, rights and times. */
static void look(void)
{
	/* A disk counts blocks once they have a place there. */
	MUST(!fsync(fd) && !fstat(fd, &was) && !was.st_nlink);
}

static void looks_the_same(void)
{
	struct stat is;

	MUST(!fsync(fd) && !fstat(fd, &is));
	MUST(is.st_mode == was.st_mode && is.st_nlink == 0);
	MUST(is.st_uid == was.st_uid && is.st_gid == was.st_gid);
	MUST(is.st_size == was.st_size && is.st_blocks == was.st_blocks);
	MUST(is.st_mtim.tv_sec == was.st_mtim.tv_sec &&
	     is.st_mtim.tv_nsec == was.st_mtim.tv_nsec);
	MUST(is.st_atim.tv_sec == was.st_atim.tv_sec &&
	     is.st_atim.tv_nsec == was.st_atim.tv_nsec);
	MUST(is.st_dev == was.st_dev);
}

static void set_open(void)
{
	opened();
	MUST(dup2(fd, 20) == 20);
	open_as(21, A, O_RDONLY);
	open_as(22, A, O_WRONLY | O_APPEND);
	MUST(lseek(fd, 3, SEEK_SET) == 3 && lseek(21, 4, SEEK_SET) == 4);
	mem = map(RW, MAP_SHARED, 0);
	again = map(RW, MAP_PRIVATE, 0);
	again[1] = 'm';
	MUST(!unlink(A));
	look();
}

static void check_open(void)
{
	looks_the_same();
	MUST(fd_is(fd, A " (deleted)") && fd_is(21, A " (deleted)"));
	MUST((fcntl(fd, F_GETFL) & ~LARGEFILE) == O_RDWR);
	MUST((fcntl(21, F_GETFL) & ~LARGEFILE) == O_RDONLY);
	MUST((fcntl(22, F_GETFL) & ~LARGEFILE) == (O_WRONLY | O_APPEND));
	MUST(same_inode(fd, 21) && same_inode(fd, 22));
	MUST(lseek(20, 0, SEEK_CUR) == 3 && lseek(21, 0, SEEK_CUR) == 4);
	MUST(reads(fd, "start", 0) && reads(21, "middle", 5 * PAGE + 10));
	MUST(!memcmp(mem, "start", 6) && !memcmp(again, "smart", 6));
	mem[0] = 'S';
	MUST(reads(21, "Start", 0) && again[0] == 's');
	MUST(write(22, "er", 2) == 2 && reads(fd, "middleer", 5 * PAGE + 10));
	/* No name, no way back. */
	MUST(access(A, F_OK) && give_name(fd, B) < 0 && errno == ENOENT);
}

/* Somebody else has the name, and keeps it. */
static void set_replaced(void)
{
	set_open();
	MUST(fill(A));
}

static void check_replaced(void)
{
	struct stat st;

	looks_the_same();
	MUST(fd_is(fd, A " (deleted)") && reads(fd, "start", 0));
	MUST(!stat(A, &st) && st.st_size == FILE_SIZE && st.st_ino != was.st_ino);
	MUST(!unlink(A));
}

static void set_sparse(void)
{
	opened();
	put("far", FAR);
	MUST(!ftruncate(fd, 2 * FAR) && !unlink(A));
	look();
}

static void check_sparse(void)
{
	looks_the_same();
	MUST(reads(fd, "far", FAR) && reads(fd, "middle", 5 * PAGE + 10));
	MUST(lseek(fd, 0, SEEK_HOLE) == PAGE);
	MUST(lseek(fd, PAGE, SEEK_DATA) == 5 * PAGE);
	MUST(lseek(fd, 6 * PAGE, SEEK_DATA) == FAR);
	MUST(lseek(fd, FAR + PAGE, SEEK_DATA) < 0 && errno == ENXIO);
}

/* mkstemp(), and what is special about it. */
static void set_rights(void)
{
	const struct timespec times[2] = { { 1000000, 5 }, { 2000000, 6 } };

	opened();
	MUST(!unlink(A) && !fchown(fd, NOBODY, NOBODY + 1) && !fchmod(fd, 06751));
	MUST(!fsetxattr(fd, "user.one", "value", 5, 0));
	MUST(!fsetxattr(fd, "user.another", "", 0, 0));
	MUST(!futimens(fd, times));
	mem = map(PROT_READ, MAP_SHARED, 0);
	/* Mapping it was an access. */
	MUST(!futimens(fd, times));
	look();
}

static void check_rights(void)
{
	char buf[64];

	looks_the_same();
	MUST((was.st_mode & 07777) == 06751 && was.st_uid == NOBODY);
	MUST(fgetxattr(fd, "user.one", buf, sizeof(buf)) == 5 &&
	     !memcmp(buf, "value", 5));
	MUST(!fgetxattr(fd, "user.another", buf, sizeof(buf)));
	MUST(flistxattr(fd, buf, sizeof(buf)) == 22);
	MUST(reads(fd, "start", 0));
}

static void set_tmpfile(void)
{
	open_as(20, DIRECTORY, O_TMPFILE | O_RDWR);
	open_as(21, DIRECTORY, O_TMPFILE | O_RDWR | O_EXCL);
	fd = 20;
	put("start", 0);
	look();
}

static void check_tmpfile(void)
{
	looks_the_same();
	MUST(fd_is(20, DIRECTORY "/#") && fd_is(21, DIRECTORY "/#"));
	MUST((fcntl(20, F_GETFL) & ~LARGEFILE) == (O_TMPFILE | O_RDWR));
	MUST(reads(20, "start", 0));
	MUST(give_name(21, A) < 0 && errno == ENOENT);
	MUST(!give_name(20, A) && !unlink(A));
}

/* The directory has gone, too. */
static void set_directory(void)
{
	MUST(!mkdir(DIRECTORY "/d", 0700) && !mkdir(DIRECTORY "/d/e", 0700));
	fd = open(DIRECTORY "/d/e/f", O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0);
	put("start", 0);
	MUST(!unlink(DIRECTORY "/d/e/f") && !rmdir(DIRECTORY "/d/e") &&
	     !rmdir(DIRECTORY "/d"));
	look();
}

static void check_directory(void)
{
	looks_the_same();
	MUST(fd_is(fd, DIRECTORY "/d/e/f (deleted)") && reads(fd, "start", 0));
}

/* Only a path to it, and a mapping that needs no descriptor. */
static void set_path_only(void)
{
	opened();
	open_as(20, A, O_PATH);
	mem = map(PROT_READ, MAP_PRIVATE, 5 * PAGE);
	MUST(!close(fd) && !unlink(A));
}

static void check_path_only(void)
{
	MUST(fcntl(20, F_GETFL) & O_PATH);
	MUST(fd_is(20, A " (deleted)") && !memcmp(mem + 10, "middle", 7));
	open_as(21, "/proc/self/fd/20", O_RDWR);
	MUST(reads(21, "start", 0));
}

/* Its only open file cannot read it, its owner can. */
static void set_write_only(void)
{
	opened();
	open_as(20, A, O_WRONLY);
	MUST(!close(fd) && !unlink(A));
}

static void check_write_only(void)
{
	open_as(21, "/proc/self/fd/20", O_RDONLY);
	MUST(reads(21, "start", 0));
}

static void set_long_name(void)
{
	char name[256] = DIRECTORY "/";
	size_t len = strlen(name);

	memset(name + len, 'x', 200);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && !unlink(name));
	look();
}

static void check_long_name(void)
{
	looks_the_same();
	MUST(fd_is(fd, DIRECTORY "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
}

/* Another name lives: that leads to it. */
static void set_living_name(void)
{
	opened();
	open_as(20, A, O_RDONLY);
	MUST(!link(A, B));
	open_as(21, B, O_RDWR);
	mem = map(RW, MAP_SHARED, 0);
	MUST(!unlink(A));
	/* One that had no name, and has got one. */
	open_as(22, DIRECTORY, O_TMPFILE | O_RDWR);
	MUST(pwrite(22, "x", 1, 0) == 1 && !give_name(22, DIRECTORY "/c"));
}

static void check_living_name(void)
{
	struct stat st;

	MUST(!fstat(fd, &st) && st.st_nlink == 1 && same_inode(fd, 20) && same_inode(fd, 21));
	MUST(!stat(B, &st) && pwrite(fd, "S", 1, 0) == 1);
	MUST(reads(20, "Start", 0) && reads(21, "Start", 0) && mem[0] == 'S');
	open_as(23, B, O_RDONLY);
	MUST(same_inode(fd, 23) && access(A, F_OK));
	open_as(24, DIRECTORY "/c", O_RDONLY);
	MUST(same_inode(22, 24) && reads(22, "x", 0));
	MUST((fcntl(22, F_GETFL) & O_TMPFILE) == O_TMPFILE);
}

/* Two subvolumes of btrfs, whose files have the same inode number. */
static void set_subvolumes(void)
{
	struct stat st;

	MUST(make_subvolume(DIRECTORY, "s") && make_subvolume(DIRECTORY, "t"));
	open_as(20, DIRECTORY "/s/f", O_RDWR | O_CREAT);
	open_as(21, DIRECTORY "/t/f", O_RDWR | O_CREAT);
	MUST(pwrite(20, "one", 3, 0) == 3 && pwrite(21, "two", 3, 0) == 3);
	fd = 20;
	mem = map(RW, MAP_SHARED, 0);
	fd = 21;
	again = map(RW, MAP_SHARED, 0);
	MUST(!unlink(DIRECTORY "/s/f") && !unlink(DIRECTORY "/t/f"));
	MUST(!fstat(20, &st));
	look();
	MUST(st.st_ino == was.st_ino && st.st_dev != was.st_dev);
}

static void check_subvolumes(void)
{
	struct stat st;

	looks_the_same();
	MUST(!fstat(20, &st) && st.st_dev != was.st_dev);
	MUST(fd_is(20, DIRECTORY "/s/f") && fd_is(21, DIRECTORY "/t/f"));
	MUST(!memcmp(mem, "one", 4) && !memcmp(again, "two", 4));
	mem[0] = 'O';
	MUST(reads(20, "One", 0) && reads(21, "two", 0));
	MUST(!rmdir(DIRECTORY "/s") && !rmdir(DIRECTORY "/t"));
}

/* Open, a path, and where the program is. */
static void set_dead_dir(void)
{
	MUST(!mkdir(A, 0700) && !chmod(A, 01751));
	fd = open(A, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0 && dup2(fd, 20) == 20);
	open_as(21, A, O_PATH);
	MUST(!chdir(A) && !rmdir(A));
	look();
}

static void check_dead_dir(void)
{
	char text[PATH_MAX];
	struct stat st;

	looks_the_same();
	MUST(fd_is(fd, A " (deleted)") && fd_is(21, A " (deleted)"));
	MUST(fcntl(fd, F_GETFL) & O_DIRECTORY && fcntl(21, F_GETFL) & O_PATH);
	open_as(22, ".", O_PATH);
	MUST(same_inode(fd, 20) && same_inode(fd, 21) && same_inode(fd, 22));
	MUST(fd_is(22, A " (deleted)"));
	MUST(!getcwd(text, sizeof(text)) && errno == ENOENT);
	MUST(syscall(SYS_getdents64, fd, text, sizeof(text)) < 0 && errno == ENOENT);
	MUST(mkdir("x", 0700) && errno == ENOENT);
	MUST(stat(A, &st) && errno == ENOENT);
	open_as(23, "..", O_PATH);
	open_as(24, DIRECTORY, O_PATH);
	MUST(same_inode(23, 24));
}

/* ---- in the test ---------------------------------------------------------------- */

static void end_deleted(pid_t pid)
{
	end_tree(pid);
	umount_disk();
}

PROGRAM_FIXTURE(tmpfs, begin_tree, end_deleted);
PROGRAM_FIXTURE(others, begin_tree, end_deleted);

FIXTURE_VARIANT(tmpfs)
{
	struct program program;
};

FIXTURE_VARIANT(others)
{
	struct program program;
	const char *fs;
};

#define ON_TMPFS(name)					\
FIXTURE_VARIANT_ADD(tmpfs, name)			\
{							\
	.program = { set_##name, check_##name },	\
}

#define PROGRAM_ON(on, name)				\
FIXTURE_VARIANT_ADD(others, on##_##name)		\
{							\
	.program = { set_##name, check_##name },	\
	.fs = #on,					\
}

ON_TMPFS(open);
PROGRAM_ON(ext4, open);
PROGRAM_ON(xfs, open);
PROGRAM_ON(btrfs, open);
PROGRAM_ON(overlay, open);
PROGRAM_ON(overlay_on_disk, open);
ON_TMPFS(replaced);
PROGRAM_ON(ext4, replaced);
PROGRAM_ON(xfs, replaced);
PROGRAM_ON(btrfs, replaced);
PROGRAM_ON(overlay, replaced);
PROGRAM_ON(overlay_on_disk, replaced);
ON_TMPFS(sparse);
PROGRAM_ON(ext4, sparse);
PROGRAM_ON(xfs, sparse);
PROGRAM_ON(btrfs, sparse);
PROGRAM_ON(overlay, sparse);
PROGRAM_ON(overlay_on_disk, sparse);
ON_TMPFS(rights);
PROGRAM_ON(ext4, rights);
PROGRAM_ON(xfs, rights);
PROGRAM_ON(btrfs, rights);
PROGRAM_ON(overlay, rights);
PROGRAM_ON(overlay_on_disk, rights);
ON_TMPFS(tmpfile);
PROGRAM_ON(ext4, tmpfile);
PROGRAM_ON(xfs, tmpfile);
PROGRAM_ON(btrfs, tmpfile);
PROGRAM_ON(overlay, tmpfile);
PROGRAM_ON(overlay_on_disk, tmpfile);
ON_TMPFS(directory);
PROGRAM_ON(ext4, directory);
PROGRAM_ON(xfs, directory);
PROGRAM_ON(btrfs, directory);
PROGRAM_ON(overlay, directory);
PROGRAM_ON(overlay_on_disk, directory);
ON_TMPFS(path_only);
PROGRAM_ON(ext4, path_only);
PROGRAM_ON(xfs, path_only);
PROGRAM_ON(btrfs, path_only);
PROGRAM_ON(overlay, path_only);
PROGRAM_ON(overlay_on_disk, path_only);
ON_TMPFS(write_only);
PROGRAM_ON(ext4, write_only);
PROGRAM_ON(xfs, write_only);
PROGRAM_ON(btrfs, write_only);
PROGRAM_ON(overlay, write_only);
PROGRAM_ON(overlay_on_disk, write_only);
ON_TMPFS(long_name);
PROGRAM_ON(ext4, long_name);
PROGRAM_ON(xfs, long_name);
PROGRAM_ON(btrfs, long_name);
ON_TMPFS(living_name);
PROGRAM_ON(ext4, living_name);
PROGRAM_ON(xfs, living_name);
PROGRAM_ON(btrfs, living_name);
ON_TMPFS(dead_dir);
PROGRAM_ON(ext4, dead_dir);
PROGRAM_ON(xfs, dead_dir);
PROGRAM_ON(btrfs, dead_dir);
PROGRAM_ON(overlay, dead_dir);
PROGRAM_ON(overlay_on_disk, dead_dir);
PROGRAM_ON(btrfs, subvolumes);

TEST_F(tmpfs, comes_back)
{
	ASSERT_TRUE(mount_files("tmpfs"));
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(tmpfs, goes_on)
{
	ASSERT_TRUE(mount_files("tmpfs"));
	program_goes_on(_metadata, &self->pid, &variant->program);
}

TEST_F(others, comes_back)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	ASSERT_TRUE(mount_any(variant->fs));
	program_comes_back(_metadata, &self->pid, &variant->program);
}

/* ---- programs whose files are gone ------------------------------------------------ */

PROGRAM_FIXTURE(upgrade, begin_tree, end_deleted);

#define SH	DIRECTORY "/sh"

/* It reads its script as a here-document, from a file that is gone. */
static void script(void *arg)
{
	execl(SH, "sh", "-c",
	      "exec 5<<END\nready\nwell\nEND\n"
	      "exec 6<>" A "; echo kept >&6; rm " A " " SH "\n"
	      "read word <&5; echo $word >>" LOG "\n"
	      "while [ ! -e " GO " ]; do :; done\n"
	      "read word <&5; [ $word = well ] || exit 1\n"
	      "exec 7</proc/self/fd/6; read word <&7; [ $word = kept ] || exit 2\n"
	      "exit 42", NULL);
	_exit(BAD);
}

FIXTURE_VARIANT(upgrade)
{
	bool overlay;
};

FIXTURE_VARIANT_ADD(upgrade, tmpfs)
{
	.overlay = false,
};

/* As in a container: the file below stays, a whiteout hides it. */
FIXTURE_VARIANT_ADD(upgrade, overlay)
{
	.overlay = true,
};

TEST_F(upgrade, executable_is_gone)
{
	char path[64], text[256];
	ssize_t n;

	if (variant->overlay) {
		ASSERT_TRUE(mount_layers());
		ASSERT_EQ(0, system("cp /bin/busybox " LOWER "/sh"));
		ASSERT_TRUE(mount_overlay(DIRECTORY));
	} else {
		ASSERT_TRUE(mount_files("tmpfs"));
		ASSERT_EQ(0, system("cp /bin/busybox " SH));
	}
	self->pid = start(_metadata, script, NULL);
	kill_and_restart(_metadata, &self->pid, false);
	restart_again(_metadata, &self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	snprintf(path, sizeof(path), "/proc/%d/exe", self->pid);
	n = readlink(path, text, sizeof(text) - 1);
	ASSERT_LT(0, n);
	text[n] = 0;
	EXPECT_STREQ(SH " (deleted)", text);
	ends_well(_metadata, &self->pid);
}

/* ---- what is refused ---------------------------------------------------------------- */

PROGRAM_FIXTURE(refused, begin_tree, end_deleted);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *fs;
	const char *words[3];
};

#define REFUSED_ON(on, name, ...)		\
FIXTURE_VARIANT_ADD(refused, name)		\
{						\
	.program = { set_##name, NULL },	\
	.fs = on,				\
	.words = { __VA_ARGS__, NULL },		\
}

#define REFUSED(name, ...)	REFUSED_ON("tmpfs", name, __VA_ARGS__)

static void set_append(void)
{
	int flags = FS_APPEND_FL;

	opened();
	MUST(!unlink(A) && !ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static void set_trusted(void)
{
	opened();
	MUST(!unlink(A) && !fsetxattr(fd, "trusted.x", "1", 1, 0));
}

static void set_lease(void)
{
	opened();
	MUST(!unlink(A) && !fcntl(fd, F_SETLEASE, F_WRLCK));
}

static void set_covered(void)
{
	set_directory();
	close(fd);
	MUST(!mkdir(DIRECTORY "/d", 0700));
	fd = open(DIRECTORY "/d/f", O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && !unlink(DIRECTORY "/d/f"));
	MUST(!mount("t", DIRECTORY "/d", "tmpfs", 0, NULL));
}

static void set_no_tmpfile(void)
{
	opened();
	MUST(!unlink(A));
}

REFUSED(append, A " (deleted)", "has file attributes (chattr, fs-verity)");
REFUSED(trusted, A " (deleted)", "has the attribute trusted.x,");
REFUSED(lease, A " (deleted)", "lease");
REFUSED(covered, "/d/f (deleted)", "its directory cannot be found again by its name");
REFUSED_ON("9p", no_tmpfile, A " (deleted)",
	   "was deleted, and its file system makes no files without a name (O_TMPFILE)");

TEST_F(refused, by_name)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	ASSERT_TRUE(mount_any(variant->fs));
	is_refused(_metadata, &self->pid, &variant->program, variant->words);
}

PROGRAM_FIXTURE(restart, begin, end_deleted);

/* Nobody gets a file where he may not make one. */
static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		_exit(99);
}

static void set_nobody(void)
{
	opened();
	MUST(!unlink(A) && !fchmod(fd, 0600));
	become_nobody();
	/* As after an exec, so that it can be saved. */
	MUST(!prctl(PR_SET_DUMPABLE, 1));
}

TEST_F(restart, may_not_write_there)
{
	static const struct program p = { set_nobody, NULL };
	static const char *const words[] = {
		"record INODE",
		A " was deleted; a file without a name cannot be made in " DIRECTORY,
		NULL
	};

	ASSERT_TRUE(mount_files("tmpfs"));
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	chmod(CKPT_IMG, 0644);
	EXPECT_EQ(-EACCES, ckpt_restart_after(CKPT_IMG, self->pid, become_nobody));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	/* Nor a set-user-ID file that belongs to another. */
	chmod(DIRECTORY, 0777);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, become_nobody));
	EXPECT_TRUE(!!strstr(ckpt_log_text, A " cannot belong to 0:0"));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(restart, on_another_file_system)
{
	static const struct program p = { set_open, NULL };
	static const char *const words[] = {
		A " was in a file system of another type", NULL
	};

	ASSERT_TRUE(mount_disk());
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	umount_files();
	ASSERT_TRUE(mount_files("tmpfs"));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = restart_with(self->pid, RESTART_FORCE_FILES, NULL, 0);
	ASSERT_LT(0, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- no room for them ------------------------------------------------------------- */

#define LARGE		128	/* pages */

static void set_large(void)
{
	int i;

	fd = open(A, O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0);
	for (i = 0; i < LARGE; i++)
		put("page", i * PAGE + i);
	MUST(!unlink(A));
}

static void check_large(void)
{
	int i;

	for (i = 0; i < LARGE; i++)
		MUST(reads(fd, "page", i * PAGE + i));
}

static void small_end(pid_t pid)
{
	end(pid);
	umount_files();
}

PROGRAM_FIXTURE(room, begin, small_end);

FIXTURE_VARIANT(room)
{
	bool disk;
};

FIXTURE_VARIANT_ADD(room, tmpfs)
{
	.disk = false,
};

FIXTURE_VARIANT_ADD(room, disk)
{
	.disk = true,
};

static unsigned long blocks_free(void)
{
	struct statvfs fs;

	return statvfs(DIRECTORY, &fs) ? 0 : fs.f_bfree;
}

/* Nothing of what was begun stays. */
TEST_F(room, there_is_none)
{
	static const struct program p = { set_large, check_large };
	static const char *const words[] = {
		"record PAGES", "contents cannot be written at ", NULL
	};
	unsigned long was;
	int i;

	ASSERT_TRUE(variant->disk ? mount_loop() : mount_files("tmpfs"));
	if (!variant->disk)
		ASSERT_EQ(0, mount(NULL, DIRECTORY, NULL, MS_REMOUNT, "size=2M"));
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(fill_disk(FULL, LARGE / 2));
	was = blocks_free();
	ASSERT_LT(0, was);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOSPC, ckpt_restart(CKPT_IMG, self->pid));
		EXPECT_TRUE(ckpt_log_says(words)) {
			TH_LOG("%s", ckpt_log_text);
		}
		EXPECT_EQ(was, blocks_free());
	}
	ASSERT_EQ(0, unlink(FULL));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

FIXTURE(read_only)
{
	pid_t pid;
};

FIXTURE_VARIANT(read_only)
{
	struct program program;
	const char *what;
};

FIXTURE_SETUP(read_only)
{
	begin(_metadata);
}

FIXTURE_TEARDOWN(read_only)
{
	small_end(self->pid);
}

FIXTURE_VARIANT_ADD(read_only, file)
{
	.program = { set_open, check_open },
	.what = "a file without a name cannot be made in " DIRECTORY,
};

FIXTURE_VARIANT_ADD(read_only, directory)
{
	.program = { set_dead_dir, check_dead_dir },
	.what = "a directory without a name cannot be made in " DIRECTORY,
};

TEST_F(read_only, is_refused)
{
	const char *const words[] = { A " was deleted; ", variant->what, NULL };

	ASSERT_TRUE(mount_files("tmpfs"));
	self->pid = start_program(_metadata, &variant->program);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, mount(NULL, DIRECTORY, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_EQ(-EROFS, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(0, mount(NULL, DIRECTORY, NULL, MS_REMOUNT, NULL));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- rights and names --------------------------------------------------------------- */

/* Whoever may not read a file does not read it in an image. */
static void set_unreadable(void)
{
	opened();
	open_as(20, A, O_WRONLY);
	MUST(!close(fd) && !unlink(A));
	become_nobody();
	MUST(!prctl(PR_SET_DUMPABLE, 1));
}

TEST_F(restart, may_not_be_read)
{
	static const struct program p = { set_unreadable, NULL };
	int status, out[2];
	pid_t saver;
	char say;

	ASSERT_TRUE(mount_files("tmpfs"));
	self->pid = start_program(_metadata, &p);
	ASSERT_EQ(0, pipe(out));
	saver = fork();
	if (!saver) {
		become_nobody();
		say = ckpt_check(self->pid, CHECKPOINT_SUBTREE) == -EOPNOTSUPP &&
		      strstr(ckpt_log_text, A " (deleted) may not be read by you");
		_exit(write(out[1], &say, 1) != 1);
	}
	waitpid(saver, &status, 0);
	ASSERT_EQ(1, read(out[0], &say, 1));
	EXPECT_EQ(1, say);
	close(out[0]);
	close(out[1]);
	ends_well(_metadata, &self->pid);
}

/* The disk has its other name, and nobody has looked there. */
static void set_forgotten_name(void)
{
	set_living_name();
	close(21);
	close(22);
	MUST(!munmap(mem, PAGE));
	sync();
}

TEST_F(restart, name_is_not_known)
{
	static const struct program p = { set_forgotten_name, NULL };
	static const char *const words[] = {
		A " (deleted)", "has another that is not known", NULL
	};
	pid_t pid;

	ASSERT_TRUE(mount_disk());
	pid = start_program(_metadata, &p);
	self->pid = pid;
	ASSERT_TRUE(ckpt_write_text("/proc/sys/vm/drop_caches", "2"));
	ckpt_expect_refused(_metadata, pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words));
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
