// SPDX-License-Identifier: GPL-2.0
/*
 * Deleted files that get a name again when a program is saved: their contents
 * are there and not in the image, and a restart leaves them as they are.
 *
 *	program				test
 *	makes a file, deletes it
 *	"ready"
 *					checkpoint(KILL | RELINK)
 *					there is a link, with the contents
 *					restart()
 *	changes what is its file again
 *					the link is what it was
 *					restart() once more
 */
#define _FILE_OFFSET_BITS 64
#include "tree_program.h"

#include "caps.h"
#include <dirent.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#define A		DIRECTORY "/a"
#define LINKS		DIRECTORY "/links"
#define FULL		DIRECTORY "/full"
#define OTHER		"/tmp/relink.other"
#define PAGE		4096
#define TEXT		"what only the deleted file holds"
#define LAST		(5 * PAGE + 10)

/* ---- in the program ---------------------------------------------------------- */

static char *mem;

static void make(const char *path)
{
	move_fd(open(path, O_RDWR | O_CREAT, 0640), 10, 0);
	MUST(pwrite(10, TEXT, sizeof(TEXT), 0) == sizeof(TEXT));
	MUST(pwrite(10, TEXT, sizeof(TEXT), LAST) == sizeof(TEXT));
}

static void set_deleted(void)
{
	make(A);
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 10, 0);
	MUST(mem != MAP_FAILED);
	open_as(11, A, O_RDONLY);
	MUST(!unlink(A));
}

/* A disk's file system may fill small holes with zeros. */
static bool hole_is_there(void)
{
	off_t data = lseek(11, PAGE, SEEK_DATA);
	struct statfs fs;

	MUST(!fstatfs(11, &fs));
	return data == 5 * PAGE || (data == PAGE && fs.f_type != TMPFS_MAGIC);
}

static void contents_are_there(void)
{
	char buf[sizeof(TEXT)];
	struct stat st;

	MUST(pread(11, buf, sizeof(buf), LAST) == sizeof(buf));
	MUST(!memcmp(buf, TEXT, sizeof(TEXT)) && !memcmp(mem, TEXT, sizeof(TEXT)));
	MUST(hole_is_there());
	MUST(!fstat(10, &st) && !st.st_nlink && (st.st_mode & 07777) == 0640);
	MUST(st.st_size == LAST + sizeof(TEXT));
	mem[0] = 'W';
	MUST(pread(11, buf, 1, 0) == 1 && buf[0] == 'W');
	MUST(!ftruncate(10, 5));
}

static void set_tmpfile(void)
{
	move_fd(open(DIRECTORY, O_TMPFILE | O_RDWR, 0640), 10, 0);
	MUST(pwrite(10, TEXT, sizeof(TEXT), 0) == sizeof(TEXT));
}

static void tmpfile_is_there(void)
{
	char buf[sizeof(TEXT)];
	struct stat st;

	MUST(!fstat(10, &st) && !st.st_nlink);
	MUST(pread(10, buf, sizeof(buf), 0) == sizeof(buf));
	MUST(!memcmp(buf, TEXT, sizeof(TEXT)));
	/* It may still get a name. */
	MUST(!linkat(AT_FDCWD, "/proc/self/fd/10", AT_FDCWD, A, AT_SYMLINK_FOLLOW));
	MUST(!unlink(A));
}

static void set_empty(void)
{
	move_fd(open(A, O_RDWR | O_CREAT, 0640), 10, 0);
	MUST(!unlink(A) && !ftruncate(10, 100 * PAGE));
}

static void is_empty(void)
{
	struct stat st;

	MUST(!fstat(10, &st) && !st.st_nlink && st.st_size == 100 * PAGE);
	MUST(lseek(10, 0, SEEK_DATA) < 0 && errno == ENXIO);
}

static void set_elsewhere(void)
{
	make(OTHER);
	MUST(!unlink(OTHER));
	open_as(11, "/proc/self/fd/10", O_RDONLY);
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 10, 0);
	MUST(mem != MAP_FAILED);
}

/* A restart need not have copied anything. */
static void blocks_are_shared(void)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extents[8];
	} m = { .map = {
		.fm_length = FIEMAP_MAX_OFFSET,
		.fm_flags = FIEMAP_FLAG_SYNC,
		.fm_extent_count = 8,
	} };
	int i;

	MUST(!ioctl(10, FS_IOC_FIEMAP, &m) && m.map.fm_mapped_extents > 0);
	for (i = 0; i < m.map.fm_mapped_extents; i++)
		MUST(m.extents[i].fe_flags & FIEMAP_EXTENT_SHARED);
	contents_are_there();
}

/* Each with contents of its own. */
#define NR_SEVERAL	3

static void set_several(void)
{
	char c;
	int i;

	for (i = 0; i < NR_SEVERAL; i++) {
		c = 'a' + i;
		open_as(20 + i, A, O_RDWR | O_CREAT | O_EXCL);
		MUST(pwrite(20 + i, &c, 1, i * PAGE) == 1 && !unlink(A));
	}
}

static void several_are_there(void)
{
	struct stat st;
	char c;
	int i;

	for (i = 0; i < NR_SEVERAL; i++) {
		MUST(pread(20 + i, &c, 1, i * PAGE) == 1 && c == 'a' + i);
		MUST(!fstat(20 + i, &st) && st.st_size == i * PAGE + 1);
		MUST(!st.st_nlink && !ftruncate(20 + i, 0));
	}
}

#define SUBVOLUME	DIRECTORY "/s"

static void set_in_subvolume(void)
{
	make(SUBVOLUME "/f");
	open_as(11, SUBVOLUME "/f", O_RDONLY);
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 10, 0);
	MUST(mem != MAP_FAILED && !unlink(SUBVOLUME "/f"));
}

/* Nobody may write to it when the mount is to be read only. */
static void set_reader(void)
{
	make(A);
	open_as(11, A, O_RDONLY);
	MUST(!close(10) && !unlink(A));
}

static void reader_is_there(void)
{
	char buf[sizeof(TEXT)];

	MUST(pread(11, buf, sizeof(buf), LAST) == sizeof(buf));
	MUST(!memcmp(buf, TEXT, sizeof(TEXT)));
}

/* ---- in the test -------------------------------------------------------------- */

static char path[NR_SEVERAL][PATH_MAX];

/* How many links there are; their paths are in @path. */
static int count_links(void)
{
	struct dirent *d;
	DIR *dir = opendir(LINKS);
	int n = 0;

	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "ckpt-", 5))
			continue;
		if (n < ARRAY_SIZE(path))
			snprintf(path[n], PATH_MAX, LINKS "/%s", d->d_name);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static bool link_is_good(void)
{
	char buf[sizeof(TEXT)] = "";
	struct stat st;
	int fd = open(path[0], O_RDONLY | O_CLOEXEC);
	bool good;

	good = !fstat(fd, &st) && st.st_nlink == 1 &&
	       st.st_size == LAST + sizeof(TEXT) &&
	       pread(fd, buf, sizeof(buf), LAST) == sizeof(buf) &&
	       !memcmp(buf, TEXT, sizeof(TEXT));
	close(fd);
	return good;
}

/* Memory of the program has the text as well, but not at the end of a page. */
static bool image_has_pages_of_inode(void)
{
	static char image[4 << 20];
	int fd = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, image, sizeof(image));
	__u32 inode = 0;
	size_t at = 0;

	close(fd);
	while (n > 0 && at + sizeof(struct ckpt_hdr) <= n) {
		struct ckpt_hdr *h = (void *)(image + at);

		at += h->len;
		if (h->type == CKPT_REC_INODE)
			inode = ((struct ckpt_rec_inode *)h)->objref;
		if (h->type != CKPT_REC_PAGES)
			continue;
		if (inode && ((struct ckpt_rec_pages *)h)->objref == inode)
			return true;
		at = (at + PAGE - 1) & ~(PAGE - 1UL);
		at += ((struct ckpt_rec_pages *)h)->data_len;
	}
	return false;
}

static void relink_begin_on(struct __test_metadata *_metadata, const char *fs)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_any(fs));
	ASSERT_EQ(0, mkdir(LINKS, 0700));
	ckpt_relink_fd = open(LINKS, O_PATH | O_CLOEXEC);
}

static void relink_begin(struct __test_metadata *_metadata)
{
	relink_begin_on(_metadata, "tmpfs");
}

static void relink_end(pid_t pid)
{
	end_tree(pid);
	close(ckpt_relink_fd);
	ckpt_relink_fd = -1;
	umount_disk();
	unlink(OTHER);
}

static bool stat_of_fd(pid_t pid, int fd, struct stat *st)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
	return !stat(name, st);
}

static bool log_has(const char *words)
{
	const char * const parts[] = { words, NULL };

	return ckpt_log_says(parts);
}

FIXTURE(relink)
{
	pid_t pid;
};

FIXTURE_VARIANT(relink)
{
	struct program program;
	bool deleted;
	const char *fs;
};

FIXTURE_SETUP(relink)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	relink_begin_on(_metadata, variant->fs);
}

FIXTURE_TEARDOWN(relink)
{
	relink_end(self->pid);
}

FIXTURE_VARIANT_ADD(relink, deleted)
{
	.program = { set_deleted, contents_are_there },
	.deleted = true,
	.fs = "tmpfs",
};

FIXTURE_VARIANT_ADD(relink, tmpfile)
{
	.program = { set_tmpfile, tmpfile_is_there },
	.fs = "tmpfs",
};

FIXTURE_VARIANT_ADD(relink, empty)
{
	.program = { set_empty, is_empty },
	.fs = "tmpfs",
};

FIXTURE_VARIANT_ADD(relink, deleted_on_disk)
{
	.program = { set_deleted, contents_are_there },
	.deleted = true,
	.fs = "ext4",
};

FIXTURE_VARIANT_ADD(relink, tmpfile_on_disk)
{
	.program = { set_tmpfile, tmpfile_is_there },
	.fs = "ext4",
};

FIXTURE_VARIANT_ADD(relink, deleted_on_xfs)
{
	.program = { set_deleted, blocks_are_shared },
	.deleted = true,
	.fs = "xfs",
};

FIXTURE_VARIANT_ADD(relink, tmpfile_on_xfs)
{
	.program = { set_tmpfile, tmpfile_is_there },
	.fs = "xfs",
};

FIXTURE_VARIANT_ADD(relink, empty_on_xfs)
{
	.program = { set_empty, is_empty },
	.fs = "xfs",
};

FIXTURE_VARIANT_ADD(relink, deleted_on_btrfs)
{
	.program = { set_deleted, blocks_are_shared },
	.deleted = true,
	.fs = "btrfs",
};

FIXTURE_VARIANT_ADD(relink, tmpfile_on_btrfs)
{
	.program = { set_tmpfile, tmpfile_is_there },
	.fs = "btrfs",
};

FIXTURE_VARIANT_ADD(relink, empty_on_btrfs)
{
	.program = { set_empty, is_empty },
	.fs = "btrfs",
};

TEST_F(relink, comes_back_twice)
{
	struct stat was, is;
	int i;

	self->pid = start_program(_metadata, &variant->program);
	EXPECT_EQ(0, ckpt_check(self->pid, CHECKPOINT_SUBTREE));
	EXPECT_EQ(0, count_links());
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_STREQ("", ckpt_log_text);
	ASSERT_EQ(1, count_links());
	ASSERT_EQ(0, stat(path[0], &was));
	EXPECT_FALSE(image_has_pages_of_inode());
	for (i = 0; i < 2; i++) {
		pid_t pid = self->pid;

		EXPECT_TRUE(!variant->deleted || link_is_good());
		bring_back(_metadata, pid);
		ends_well(_metadata, &self->pid);
		self->pid = pid;
		unlink(GO);
	}
	self->pid = 0;
	EXPECT_EQ(1, count_links());
	ASSERT_EQ(0, stat(path[0], &is));
	EXPECT_TRUE(was.st_ino == is.st_ino && was.st_size == is.st_size &&
		    is.st_nlink == 1);
	EXPECT_TRUE(!variant->deleted || link_is_good());
}

PROGRAM_FIXTURE(links, relink_begin, relink_end);

static const struct program deleted = { set_deleted, contents_are_there };

/* What fails when it is written to. */
static int no_output(void)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	pipe2(p, O_CLOEXEC);
	close(p[0]);
	return p[1];
}

/* No image, no link; and the program notices nothing. */
TEST_F(links, gone_after_failure)
{
	int out = no_output();

	self->pid = start_program(_metadata, &deleted);
	EXPECT_EQ(-EPIPE, ckpt_save_fd(self->pid, out, CHECKPOINT_KILL, NULL));
	EXPECT_EQ(0, count_links());
	EXPECT_EQ(-EPIPE, ckpt_save_fd(self->pid, out, 0, NULL));
	EXPECT_EQ(0, count_links());
	ends_well(_metadata, &self->pid);
	close(out);
}

/* Nor is there one that can have a name no more. */
TEST_F(links, tmpfile_after_failure)
{
	static const struct program p = { set_tmpfile, tmpfile_is_there };
	int out = no_output();

	self->pid = start_program(_metadata, &p);
	EXPECT_EQ(-EPIPE, ckpt_save_fd(self->pid, out, CHECKPOINT_KILL, NULL));
	EXPECT_EQ(0, count_links());
	ends_well(_metadata, &self->pid);
	close(out);
}

TEST_F(links, on_another_file_system)
{
	static const struct program p = { set_elsewhere, contents_are_there };

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_TRUE(log_has("note: " OTHER)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(log_has(" lies in another file system or mount than "));
	EXPECT_TRUE(log_has("; its contents are in the image"));
	EXPECT_EQ(0, count_links());
	EXPECT_TRUE(image_has_pages_of_inode());
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

FIXTURE(subvolume)
{
	pid_t pid;
};

FIXTURE_SETUP(subvolume)
{
	if (!has_fs("btrfs"))
		SKIP(return, "the guest has no btrfs");
	relink_begin_on(_metadata, "btrfs");
}

FIXTURE_TEARDOWN(subvolume)
{
	rmdir(SUBVOLUME);
	relink_end(self->pid);
}

/* Nothing has names in two of them. */
TEST_F(subvolume, cannot_have_a_link)
{
	static const struct program p = { set_in_subvolume, contents_are_there };

	ASSERT_TRUE(make_subvolume(DIRECTORY, "s"));
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_TRUE(log_has("note: " SUBVOLUME "/f")) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(log_has(" lies in another subvolume or project than "));
	EXPECT_TRUE(log_has("; its contents are in the image"));
	EXPECT_EQ(0, count_links());
	EXPECT_TRUE(image_has_pages_of_inode());
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Who could not read a deleted file of others by any name cannot make one. */
TEST_F(links, without_the_right)
{
	self->pid = start_program(_metadata, &deleted);
	drop_cap(CAP_DAC_READ_SEARCH);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(log_has(" may not get a name again by you ")) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(0, count_links());
	EXPECT_TRUE(image_has_pages_of_inode());
}

TEST_F(links, directory_read_only)
{
	self->pid = start_program(_metadata, &deleted);
	ASSERT_EQ(0, chmod(LINKS, 0500));
	drop_cap(CAP_DAC_OVERRIDE);
	EXPECT_EQ(-EACCES, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(log_has(" cannot be linked into the directory for deleted files: ")) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(0, count_links());
	ends_well(_metadata, &self->pid);
}

TEST_F(links, changed_or_gone)
{
	int fd;

	self->pid = start_program(_metadata, &deleted);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(1, count_links());
	fd = open(path[0], O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(1, pwrite(fd, "x", 1, 100));
	close(fd);
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(log_has(" was changed since it was saved (size now ")) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(0, unlink(path[0]));
	EXPECT_EQ(-ENOENT, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(log_has(", which has the contents of a deleted file, cannot be opened"));
	/* It is not waited for. */
	ASSERT_EQ(0, mkfifo(path[0], 0600));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(log_has(" is no regular file"));
	self->pid = 0;
}

/* The link is the file, which the program goes on with. */
TEST_F(links, goes_on)
{
	struct stat st;

	self->pid = start_program(_metadata, &deleted);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	ASSERT_EQ(1, count_links());
	ASSERT_EQ(0, stat(path[0], &st));
	/* With a name it is another's to delete. */
	ASSERT_EQ(0, unlink(path[0]));
	ends_well(_metadata, &self->pid);
}

TEST_F(links, arguments)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), dir = ckpt_relink_fd;

	self->pid = start_program(_metadata, &deleted);
	ckpt_relink_fd = fd;
	EXPECT_EQ(-ENOTDIR, ckpt_save(self->pid, CKPT_IMG, 0));
	ckpt_relink_fd = 9999;
	EXPECT_EQ(-EBADF, ckpt_save(self->pid, CKPT_IMG, 0));
	ckpt_relink_fd = dir;
	/* Not found again. */
	ASSERT_EQ(0, rmdir(LINKS));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(self->pid, CKPT_IMG, 0));
	EXPECT_TRUE(log_has(" for them was deleted; ")) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(fd);
	ends_well(_metadata, &self->pid);
}

static void several_come_back(struct __test_metadata *_metadata, pid_t pid)
{
	bring_back(_metadata, pid);
	ends_well(_metadata, &pid);
	unlink(GO);
}

static const struct program several = { set_several, several_are_there };

/* Each image has links of its own, also one of what another had. */
TEST_F(links, several_of_two_images)
{
	static const char first[] = "/tmp/relink.first";
	pid_t pid = start_program(_metadata, &several);

	ckpt_save_and_kill(_metadata, pid);
	EXPECT_EQ(NR_SEVERAL, count_links());
	bring_back(_metadata, pid);
	ASSERT_EQ(0, rename(CKPT_IMG, first));
	ckpt_save_and_kill(_metadata, pid);
	EXPECT_STREQ("", ckpt_log_text);
	EXPECT_EQ(2 * NR_SEVERAL, count_links());
	several_come_back(_metadata, pid);
	ASSERT_EQ(0, rename(first, CKPT_IMG));
	several_come_back(_metadata, pid);
	EXPECT_EQ(2 * NR_SEVERAL, count_links());
}

TEST_F(links, several_gone_after_failure)
{
	int out = no_output();

	self->pid = start_program(_metadata, &several);
	EXPECT_EQ(-EPIPE, ckpt_save_fd(self->pid, out, CHECKPOINT_KILL, NULL));
	EXPECT_EQ(0, count_links());
	ends_well(_metadata, &self->pid);
	close(out);
}

/* Saved once more, what goes on has the link for its name. */
TEST_F(links, saved_once_more)
{
	struct stat was, is;

	self->pid = start_program(_metadata, &deleted);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	ASSERT_EQ(1, count_links());
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(1, count_links());
	ASSERT_EQ(0, stat(path[0], &was));
	bring_back(_metadata, self->pid);
	ASSERT_TRUE(stat_of_fd(self->pid, 10, &is));
	EXPECT_TRUE(was.st_ino == is.st_ino && was.st_dev == is.st_dev);
}

/* ---- where no link can be made ----------------------------------------------- */

static void overlay_begin(struct __test_metadata *_metadata)
{
	relink_begin_on(_metadata, "overlay");
}

PROGRAM_FIXTURE(overlay, overlay_begin, relink_end);

TEST_F(overlay, contents_are_in_the_image)
{
	static const char *const words[] = {
		"note: " A, " cannot get a name again in its file system; ",
		"its contents are in the image", NULL
	};

	self->pid = start_program(_metadata, &deleted);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(0, count_links());
	EXPECT_TRUE(image_has_pages_of_inode());
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static bool make_read_only(bool on)
{
	return !mount(NULL, DIRECTORY, NULL,
		      MS_REMOUNT | MS_BIND | (on ? MS_RDONLY : 0), NULL);
}

/* No image, no link, and the program goes on. */
static void no_link(struct __test_metadata *_metadata, pid_t pid, int err)
{
	static const char *const words[] = {
		A, " cannot be linked into the directory for deleted files: ", NULL
	};
	struct stat st;

	EXPECT_EQ(-err, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(0, count_links());
	EXPECT_TRUE(!stat(CKPT_IMG, &st) && !st.st_size);
}

TEST_F(links, read_only)
{
	static const struct program p = { set_reader, reader_is_there };

	self->pid = start_program(_metadata, &p);
	ASSERT_TRUE(make_read_only(true));
	no_link(_metadata, self->pid, EROFS);
	ASSERT_TRUE(make_read_only(false));
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(1, count_links());
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Until nothing more goes into that directory. */
static bool fill_links(void)
{
	char name[128];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), LINKS "/%060d", i);
		if (link(FULL, name))
			break;
	}
	return i < 1000 && errno == ENOSPC;
}

static void small_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_loop());
	ASSERT_EQ(0, mkdir(LINKS, 0700));
	ckpt_relink_fd = open(LINKS, O_PATH | O_CLOEXEC);
}

PROGRAM_FIXTURE(small, small_begin, relink_end);

TEST_F(small, directory_is_full)
{
	self->pid = start_program(_metadata, &several);
	ASSERT_TRUE(fill_disk(FULL, 0));
	ASSERT_TRUE(fill_links());
	no_link(_metadata, self->pid, ENOSPC);
	ASSERT_EQ(0, truncate(FULL, 0));
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(NR_SEVERAL, count_links());
	several_come_back(_metadata, self->pid);
	self->pid = 0;
}

/* The link stays, and is used when there is room. */
TEST_F(small, no_room_for_a_copy)
{
	static const char *const words[] = { "record RELINK", " cannot be copied", NULL };

	self->pid = start_program(_metadata, &deleted);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(fill_disk(FULL, 0));
	EXPECT_EQ(-ENOSPC, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(1, count_links());
	EXPECT_TRUE(link_is_good());
	ASSERT_EQ(0, unlink(FULL));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- a link that has grown ------------------------------------------------------ */

FIXTURE(grown)
{
	pid_t pid;
};

FIXTURE_VARIANT(grown)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(grown, tmpfs)
{
	.fs = "tmpfs",
};

FIXTURE_VARIANT_ADD(grown, xfs)
{
	.fs = "xfs",
};

FIXTURE_VARIANT_ADD(grown, btrfs)
{
	.fs = "btrfs",
};

FIXTURE_SETUP(grown)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	relink_begin_on(_metadata, variant->fs);
}

FIXTURE_TEARDOWN(grown)
{
	relink_end(self->pid);
}

/* The program looks at the size of its file. */
TEST_F(grown, is_cut)
{
	self->pid = start_program(_metadata, &deleted);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(1, count_links());
	ASSERT_EQ(0, truncate(path[0], 100 * PAGE));
	ASSERT_EQ(self->pid, restart_with(self->pid, RESTART_FORCE_FILES, NULL, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- hostile images --------------------------------------------------------------- */

TEST_F(links, hostile)
{
	struct ckpt_rec_relink *rec, was;
	static char image[4 << 20];
	struct ckpt_hdr *h;
	ssize_t size;
	size_t at;
	int fd, i;

	self->pid = start_program(_metadata, &deleted);
	ckpt_save_and_kill(_metadata, self->pid);
	fd = open(CKPT_IMG, O_RDWR | O_CLOEXEC);
	size = read(fd, image, sizeof(image));
	for (at = 0; at < size; at += h->len) {
		h = (void *)(image + at);
		if (h->type == CKPT_REC_RELINK)
			break;
	}
	ASSERT_LT(at, size);
	rec = (void *)(image + at);
	was = *rec;
	for (i = 0; i < 7; i++) {
		static const __u32 lens[] = { 0, 1, 4097, 0xffffffff };
		char *path = (char *)(rec + 1), first = path[0];

		*rec = was;
		if (i < 4)
			rec->path_len = lens[i];
		else if (i == 4)
			rec->inode = 0;
		else if (i == 5)
			rec->inode = 1;
		else
			path[0] = 'r';
		rec->h.crc = 0;
		rec->h.crc = ckpt_crc32c(rec, rec->h.len);
		ASSERT_EQ(rec->h.len, pwrite(fd, rec, rec->h.len, at));
		EXPECT_EQ(-EINVAL, ckpt_restart(CKPT_IMG, self->pid)) {
			TH_LOG("case %d: %s", i, ckpt_log_text);
		}
		EXPECT_TRUE(log_has("record RELINK"));
		path[0] = first;
	}
	close(fd);
	self->pid = 0;
}

TEST_HARNESS_MAIN
