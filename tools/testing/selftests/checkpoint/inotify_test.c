// SPDX-License-Identifier: GPL-2.0
/*
 * Inotifies watch after a restart what they watched, by the same numbers, and
 * tell what they had not told yet. Of what the restart does they tell nothing.
 */
#include "tree_program.h"

#include <sys/inotify.h>

#define A	DIRECTORY "/a"
#define B	DIRECTORY "/b"
#define SUB	DIRECTORY "/sub"
#define LIMIT	"/proc/sys/fs/inotify/max_user_watches"

/* ---- in the program ---------------------------------------------------------- */

static char was[8192], is[8192];
static int was_len;

static void new_inotify(int number)
{
	move_fd(inotify_init1(IN_NONBLOCK), number, 0);
}

static int watch(int fd, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(fd, path, mask);

	MUST(wd > 0);
	return wd;
}

static bool nothing_to_tell(int fd)
{
	return read(fd, is, sizeof(is)) < 0 && errno == EAGAIN;
}

static bool tells(int fd, int wd, uint32_t mask, const char *name)
{
	struct inotify_event *e = (void *)is;
	ssize_t n = read(fd, is, sizeof(is));

	return n == (ssize_t)(sizeof(*e) + e->len) && e->wd == wd && e->mask == mask &&
	       (name ? e->len && !strcmp(e->name, name) : !e->len);
}

static void fdinfo(int fd, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	MUST(ckpt_read_text(path, text, size) > 0);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	MUST(fd >= 0 && write(fd, "x", 1) == 1 && !close(fd));
}

static void set_watches(void)
{
	new_inotify(10);
	MUST(watch(10, DIRECTORY, IN_CREATE | IN_DELETE) == 1);
	MUST(watch(10, A, IN_MODIFY) == 2);
	MUST(watch(10, SUB, IN_ALL_EVENTS | IN_EXCL_UNLINK) == 3);
	MUST(watch(10, B, IN_ATTRIB | IN_ONESHOT) == 4);
	MUST(watch(10, "/dev/null", IN_MODIFY) == 5);
	MUST(!inotify_rm_watch(10, 2) && tells(10, 2, IN_IGNORED, NULL));
	fdinfo(10, was, sizeof(was));
}

static void check_watches(void)
{
	fdinfo(10, is, sizeof(is));
	MUST(!strcmp(was, is));
	MUST(nothing_to_tell(10) && (fcntl(10, F_GETFL) & O_NONBLOCK));
	touch(DIRECTORY "/new");
	MUST(tells(10, 1, IN_CREATE, "new"));
	MUST(!mkdir(SUB "/dir", 0755) && tells(10, 3, IN_CREATE | IN_ISDIR, "dir"));
	touch(A);
	MUST(nothing_to_tell(10));
	/* Once, and then it is gone. */
	MUST(!chmod(B, 0640) && read(10, is, sizeof(is)) == 2 * sizeof(struct inotify_event));
	MUST(!chmod(B, 0600) && nothing_to_tell(10));
	/* The same watch, and the next number. */
	MUST(watch(10, DIRECTORY, IN_DELETE) == 1 && watch(10, A, IN_MODIFY) == 6);
	touch(A);
	MUST(tells(10, 6, IN_MODIFY, NULL));
	MUST(inotify_rm_watch(10, 2) < 0 && errno == EINVAL);
}

/* Two of the same: one tells at once what the other is to tell afterwards. */
static void set_events(void)
{
	int i;

	for (i = 10; i < 12; i++) {
		new_inotify(i);
		watch(i, DIRECTORY, IN_ALL_EVENTS);
		watch(i, A, IN_MODIFY | IN_CLOSE_WRITE);
	}
	touch(DIRECTORY "/a name of some length");
	MUST(!rename(DIRECTORY "/a name of some length", SUB "/x"));
	MUST(!rename(SUB "/x", DIRECTORY "/y") && !unlink(DIRECTORY "/y"));
	MUST(!inotify_rm_watch(10, 2) && !inotify_rm_watch(11, 2));
	/* It comes last, so that another would be one with it. */
	open_as(12, DIRECTORY "/z", O_WRONLY | O_CREAT);
	MUST(write(12, "x", 1) == 1);
	was_len = read(11, was, sizeof(was));
	MUST(was_len > 0);
}

static void check_events(void)
{
	int left;

	MUST(nothing_to_tell(11));
	MUST(!ioctl(10, FIONREAD, &left) && left == was_len);
	/* The same once more. */
	MUST(write(12, "y", 1) == 1);
	MUST(!ioctl(10, FIONREAD, &left) && left == was_len);
	MUST(tells(11, 1, IN_MODIFY, "z"));
	MUST(read(10, is, sizeof(is)) == was_len && !memcmp(was, is, was_len));
	MUST(nothing_to_tell(10));
}

/* Files that the restart opens, reads and maps. */
static void set_quiet(void)
{
	new_inotify(10);
	watch(10, A, IN_ALL_EVENTS);
	watch(10, DIRECTORY, IN_ALL_EVENTS);
	watch(10, "/dev/null", IN_ALL_EVENTS);
	watch(10, "/proc/self/exe", IN_ALL_EVENTS);
	open_as(11, A, O_RDWR);
	open_as(12, DIRECTORY, O_RDONLY);
	MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 11, 0) != MAP_FAILED);
	MUST(!chdir(DIRECTORY));
	while (!nothing_to_tell(10))
		;
}

static void check_quiet(void)
{
	MUST(nothing_to_tell(10));
	MUST(write(11, "x", 1) == 1);
	/* To the file, and to the directory that it is in. */
	MUST(read(10, is, sizeof(is)) > (ssize_t)sizeof(struct inotify_event));
}

/* Too much to tell: that is told, too. */
static void set_overflow(void)
{
	char name[64];
	int i;

	MUST(ckpt_read_text("/proc/sys/fs/inotify/max_queued_events", was, sizeof(was)) > 0);
	MUST(ckpt_write_text("/proc/sys/fs/inotify/max_queued_events", "3"));
	new_inotify(10);
	MUST(ckpt_write_text("/proc/sys/fs/inotify/max_queued_events", was));
	watch(10, DIRECTORY, IN_CREATE);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), DIRECTORY "/%d", i);
		MUST(!mkdir(name, 0755));
	}
}

static void check_overflow(void)
{
	struct inotify_event *e = (void *)is;
	ssize_t n = read(10, is, sizeof(is)), at = 0;
	int i;

	for (i = 0; i < 3; i++, at += sizeof(*e) + e->len) {
		e = (void *)(is + at);
		MUST(e->wd == 1 && e->mask == (IN_CREATE | IN_ISDIR) && atoi(e->name) == i);
	}
	e = (void *)(is + at);
	MUST(n == at + (ssize_t)sizeof(*e) && e->wd == -1 && e->mask == IN_Q_OVERFLOW);
}

/* It sleeps in read(). */
static void read_in_child(void)
{
	MUST(read(10, is, sizeof(is)) > 0);
	MUST(((struct inotify_event *)is)->wd == 1);
}

static void set_reader(void)
{
	move_fd(inotify_init(), 10, 0);
	watch(10, DIRECTORY, IN_CREATE);
}

static void reader(void)
{
	pid_t child;

	set_reader();
	child = start_child(read_in_child, __NR_read);
	stay_the_same();
	MUST(!waitpid(child, NULL, WNOHANG));
	touch(DIRECTORY "/new");
	collect(child, GOOD);
}

/* ---- in the test -------------------------------------------------------------- */

static void inotify_begin(struct __test_metadata *_metadata)
{
	begin_tree_files(_metadata);
	ASSERT_TRUE(fill(A) && fill(B));
	ASSERT_EQ(0, mkdir(SUB, 0755));
}

PROGRAM_FIXTURE(inotify, inotify_begin, end_tree_files);

FIXTURE_VARIANT(inotify)
{
	struct program program;
};

#define INOTIFY(name)					\
FIXTURE_VARIANT_ADD(inotify, name)			\
{							\
	.program = { set_##name, check_##name },	\
}

INOTIFY(watches);
INOTIFY(events);
INOTIFY(quiet);
INOTIFY(overflow);

TEST_F(inotify, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(inotify, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(tree, inotify_begin, end_tree_files);

TEST_F(tree, reader)
{
	self->pid = start_tree(_metadata, reader, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what refuses -------------------------------------------------------------- */

static void set_deleted(void)
{
	new_inotify(10);
	watch(10, A, IN_MODIFY);
	open_as(11, A, O_RDWR);
	MUST(!unlink(A));
}

static const struct program watches = { set_watches, check_watches };

PROGRAM_FIXTURE(refused, inotify_begin, end_tree_files);
PROGRAM_FIXTURE(inotify_note, inotify_begin, end_tree_files);

TEST_F(refused, gone)
{
	self->pid = start_program(_metadata, &watches);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, rmdir(SUB));
	EXPECT_EQ(-ENOENT, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(!!strstr(ckpt_log_text, SUB " cannot be watched again")) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(0, mkdir(SUB, 0755));
	/* It has another inode number now, which its fdinfo shows. */
	self->pid = 0;
}

/* Under its name there is something else now. */
TEST_F(refused, another_type)
{
	self->pid = start_program(_metadata, &watches);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, rmdir(SUB));
	ASSERT_TRUE(fill(SUB));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(!!strstr(ckpt_log_text, SUB ", which is watched, is of another type than")) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = 0;
}

static void set_replaced(void)
{
	new_inotify(10);
	watch(10, A, IN_MODIFY);
	watch(10, B, IN_MODIFY);
}

static void check_replaced(void)
{
	touch(A);
	MUST(tells(10, 1, IN_MODIFY, NULL) && nothing_to_tell(10));
}

/* It is watched, and said to be another. */
TEST_F(inotify_note, another_inode)
{
	static const struct program p = { set_replaced, check_replaced };

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(fill(DIRECTORY "/other"));
	ASSERT_EQ(0, rename(DIRECTORY "/other", A));
	bring_back(_metadata, self->pid);
	EXPECT_TRUE(!!strstr(ckpt_log_text, "note: " A ", which is watched, has another inode")) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_FALSE(!!strstr(ckpt_log_text, B));
	ends_well(_metadata, &self->pid);
}

static void too_few(void)
{
	ckpt_write_text(LIMIT, "3");
}

TEST_F(refused, limit)
{
	char limit[32];

	ASSERT_LT(0, ckpt_read_text(LIMIT, limit, sizeof(limit)));
	self->pid = start_program(_metadata, &watches);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-ENOSPC, ckpt_restart_after(CKPT_IMG, self->pid, too_few));
	EXPECT_TRUE(ckpt_write_text(LIMIT, limit));
	EXPECT_TRUE(!!strstr(ckpt_log_text, "cannot be watched again")) {
		TH_LOG("%s", ckpt_log_text);
	}
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(refused, without_a_path)
{
	static const struct program program = { set_deleted, NULL };
	const char *const line[] = {
		" fd 10 -> ", "watches inode ", " (tmpfs), which has no path here\n", NULL
	};

	self->pid = start_program(_metadata, &program);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
