// SPDX-License-Identifier: GPL-2.0
/*
 * Fanotify groups watch after a restart what they watched: inodes, mounts, file
 * systems. Of what the restart does they tell nothing.
 */
#include "tree_program.h"

#include <sys/fanotify.h>

#define A	DIRECTORY "/a"
#define B	DIRECTORY "/b"
#define SUB	DIRECTORY "/sub"
#define MOUNTED	SUB
#define LIMIT	"/proc/sys/fs/fanotify/max_user_marks"
#define FID	(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_DFID_NAME)

/* ---- in the program ---------------------------------------------------------- */

static char was[8192], is[8192];

static void new_group(int number, unsigned int flags, unsigned int event_f_flags)
{
	move_fd(fanotify_init(flags | FAN_NONBLOCK, event_f_flags), number, 0);
}

static void mark(int fd, unsigned int flags, uint64_t mask, const char *path)
{
	MUST(!fanotify_mark(fd, FAN_MARK_ADD | flags, mask, AT_FDCWD, path));
}

static bool nothing_to_tell(int fd)
{
	return read(fd, is, sizeof(is)) < 0 && errno == EAGAIN;
}

/* The mask of the only event, whose file is closed; 0: there is none. */
static uint64_t tells(int fd)
{
	struct fanotify_event_metadata *e = (void *)is;
	ssize_t n = read(fd, is, sizeof(is));

	if (n < (ssize_t)sizeof(*e))
		return 0;
	MUST(n == e->event_len && e->vers == FANOTIFY_METADATA_VERSION);
	if (e->fd >= 0)
		close(e->fd);
	return e->mask;
}

/* Likewise, and the name that the event has. */
static bool tells_name(int fd, uint64_t mask, const char *name)
{
	struct fanotify_event_info_fid *info;
	struct file_handle *handle;

	if (tells(fd) != mask)
		return false;
	info = (void *)(is + sizeof(struct fanotify_event_metadata));
	handle = (void *)info->handle;
	MUST(info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME);
	return !strcmp((char *)handle->f_handle + handle->handle_bytes, name);
}

static void drain(int fd)
{
	struct fanotify_event_metadata *e;
	ssize_t n;

	while ((n = read(fd, is, sizeof(is))) > 0)
		for (e = (void *)is; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n))
			close(e->fd);
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

static void look(const char *path)
{
	int fd = open(path, O_RDONLY);

	MUST(fd >= 0 && read(fd, is, 1) == 1 && !close(fd));
}

static void same_as_before(void)
{
	fdinfo(10, is, sizeof(is));
	MUST(!strcmp(was, is));
	MUST(nothing_to_tell(10));
}

/* What events open is open as asked for. */
static void set_inodes(void)
{
	new_group(10, FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE, O_RDWR | O_APPEND);
	mark(10, 0, FAN_MODIFY, A);
	mark(10, 0, FAN_OPEN | FAN_CLOSE_WRITE, B);
	mark(10, FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, B);
	mark(10, 0, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, SUB);
	/* Nothing is left of what it was for, but it is there. */
	mark(10, 0, FAN_CLOSE | FAN_ONDIR, DIRECTORY);
	MUST(!fanotify_mark(10, FAN_MARK_REMOVE, FAN_CLOSE, AT_FDCWD, DIRECTORY));
	fdinfo(10, was, sizeof(was));
}

static void check_inodes(void)
{
	struct fanotify_event_metadata *e = (void *)is;

	same_as_before();
	touch(A);
	MUST(read(10, is, sizeof(is)) == sizeof(*e) && e->mask == FAN_MODIFY);
	MUST(e->pid == getpid() && !strcmp(fd_name(e->fd), A));
	MUST((fcntl(e->fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND));
	MUST(!close(e->fd));
	look(B);
	MUST(nothing_to_tell(10));
	touch(B);
	MUST(tells(10) == FAN_CLOSE_WRITE);
	MUST(!close(open(SUB, O_RDONLY)) && tells(10) == FAN_OPEN);
	MUST(!fanotify_mark(10, FAN_MARK_REMOVE, FAN_MODIFY, AT_FDCWD, A));
	touch(A);
	MUST(nothing_to_tell(10));
	/* It is still without limits. */
	fdinfo(10, was, sizeof(was));
	MUST(strstr(was, "fanotify flags:12 event-flags:"));
}

/* A modification makes an ignore mask void, which it survives only if asked to. */
static void set_ignored(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, FAN_OPEN, A);
	mark(10, FAN_MARK_IGNORED_MASK, FAN_OPEN, A);
	mark(10, 0, FAN_OPEN, B);
	mark(10, FAN_MARK_IGNORED_MASK, FAN_OPEN, B);
	touch(B);
	MUST(nothing_to_tell(10));
	fdinfo(10, was, sizeof(was));
}

static void check_ignored(void)
{
	same_as_before();
	look(B);
	MUST(tells(10) == FAN_OPEN);
	look(A);
	touch(A);
	MUST(nothing_to_tell(10));
	look(A);
	MUST(tells(10) == FAN_OPEN);
}

static void set_names(void)
{
	new_group(10, FID, 0);
	mark(10, 0, FAN_CREATE | FAN_DELETE | FAN_ONDIR, DIRECTORY);
	mark(10, FAN_MARK_EVICTABLE, FAN_ATTRIB, A);
	mark(10, 0, FAN_MODIFY | FAN_EVENT_ON_CHILD, SUB);
	mark(10, FAN_MARK_IGNORE_SURV, FAN_MODIFY | FAN_ONDIR, SUB);
	fdinfo(10, was, sizeof(was));
}

static void check_names(void)
{
	same_as_before();
	MUST(!mkdir(DIRECTORY "/new", 0755));
	MUST(tells_name(10, FAN_CREATE | FAN_ONDIR, "new"));
	MUST(!rmdir(DIRECTORY "/new"));
	MUST(tells_name(10, FAN_DELETE | FAN_ONDIR, "new"));
	MUST(!chmod(A, 0640) && tells_name(10, FAN_ATTRIB, "a"));
	touch(SUB "/x");
	MUST(tells_name(10, FAN_MODIFY, "x"));
	/* The ignore mask of the new kind cannot become one of the old kind. */
	MUST(fanotify_mark(10, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_MODIFY, AT_FDCWD,
			   SUB) < 0 && errno == EEXIST);
}

static void set_mount(void)
{
	MUST(!mount("t", MOUNTED, "tmpfs", 0, NULL));
	touch(MOUNTED "/x");
	new_group(10, FAN_CLASS_NOTIF | FAN_UNLIMITED_MARKS, O_RDONLY);
	mark(10, FAN_MARK_MOUNT, FAN_CLOSE_WRITE, MOUNTED "/x");
	mark(10, FAN_MARK_MOUNT | FAN_MARK_IGNORE_SURV, FAN_ACCESS, MOUNTED "/x");
	mark(10, FAN_MARK_MOUNT, FAN_OPEN_EXEC, "/");
	fdinfo(10, was, sizeof(was));
}

static void check_mount(void)
{
	same_as_before();
	touch(A);
	look(MOUNTED "/x");
	MUST(nothing_to_tell(10));
	touch(MOUNTED "/x");
	MUST(tells(10) == FAN_CLOSE_WRITE);
}

static void set_file_system(void)
{
	MUST(!mount("t", MOUNTED, "tmpfs", 0, NULL));
	new_group(10, FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME_TARGET | FAN_REPORT_TID, 0);
	mark(10, FAN_MARK_FILESYSTEM, FAN_CREATE | FAN_RENAME | FAN_FS_ERROR, MOUNTED);
	mark(10, FAN_MARK_FILESYSTEM, FAN_DELETE, DIRECTORY);
	fdinfo(10, was, sizeof(was));
}

static void check_file_system(void)
{
	struct fanotify_event_metadata *e = (void *)is;

	same_as_before();
	touch(MOUNTED "/x");
	MUST(tells_name(10, FAN_CREATE, "x"));
	MUST(e->pid == syscall(SYS_gettid));
	touch(DIRECTORY "/new");
	MUST(nothing_to_tell(10));
	MUST(!unlink(DIRECTORY "/new") && tells_name(10, FAN_DELETE, "new"));
	MUST(!rename(MOUNTED "/x", MOUNTED "/y") && tells(10) == FAN_RENAME);
}

/* Who made it had no rights, so it has few. */
static void set_unprivileged(void)
{
	MUST(!chmod(DIRECTORY, 0777) && !setresuid(1000, 1000, 1000));
	new_group(10, FID, 0);
	mark(10, 0, FAN_CREATE, DIRECTORY);
	fdinfo(10, was, sizeof(was));
}

static void check_unprivileged(void)
{
	same_as_before();
	touch(DIRECTORY "/new");
	MUST(tells_name(10, FAN_CREATE, "new"));
	MUST(fanotify_mark(10, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE, AT_FDCWD,
			   DIRECTORY) < 0 && errno == EPERM);
	MUST(fanotify_init(FAN_CLASS_NOTIF, 0) < 0 && errno == EPERM);
}

/* Its own user has rights again, but not this group. */
static void set_made_by_another(void)
{
	MUST(!seteuid(1000));
	new_group(10, FID, 0);
	MUST(!seteuid(0));
	mark(10, 0, FAN_CREATE, DIRECTORY);
	fdinfo(10, was, sizeof(was));
}

static void check_made_by_another(void)
{
	same_as_before();
	MUST(fanotify_mark(10, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE, AT_FDCWD,
			   DIRECTORY) < 0 && errno == EPERM);
}

/* Files that the restart opens, reads and maps. */
static void set_quiet(void)
{
	const uint64_t all = FAN_ACCESS | FAN_MODIFY | FAN_OPEN | FAN_CLOSE | FAN_OPEN_EXEC;

	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, all | FAN_ONDIR | FAN_EVENT_ON_CHILD, DIRECTORY);
	mark(10, 0, all, A);
	mark(10, FAN_MARK_FILESYSTEM, all | FAN_ONDIR, DIRECTORY);
	open_as(11, A, O_RDWR);
	open_as(12, DIRECTORY, O_RDONLY);
	open_as(13, DIRECTORY "/gone", O_RDWR | O_CREAT);
	MUST(write(13, "x", 1) == 1 && !unlink(DIRECTORY "/gone"));
	MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 11, 0) != MAP_FAILED);
	MUST(!chdir(DIRECTORY));
	drain(10);
}

static void check_quiet(void)
{
	MUST(nothing_to_tell(10));
	MUST(write(11, "x", 1) == 1 && tells(10) == FAN_MODIFY);
}

/* It sleeps in read(). */
static void read_in_child(void)
{
	MUST(tells(10) == FAN_CLOSE_WRITE);
}

static void reader(void)
{
	pid_t child;

	move_fd(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY), 10, 0);
	mark(10, 0, FAN_CLOSE_WRITE, A);
	child = start_child(read_in_child, __NR_read);
	stay_the_same();
	MUST(!waitpid(child, NULL, WNOHANG));
	touch(A);
	collect(child, GOOD);
}

/* ---- in the test -------------------------------------------------------------- */

static void fanotify_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
	ASSERT_TRUE(fill(A) && fill(B));
	ASSERT_EQ(0, mkdir(SUB, 0755));
}

static void fanotify_end(pid_t pid)
{
	end_tree(pid);
	umount2(MOUNTED, MNT_DETACH);
	umount_files();
}

PROGRAM_FIXTURE(fanotify, fanotify_begin, fanotify_end);

FIXTURE_VARIANT(fanotify)
{
	struct program program;
};

#define FANOTIFY(name)					\
FIXTURE_VARIANT_ADD(fanotify, name)			\
{							\
	.program = { set_##name, check_##name },	\
}

FANOTIFY(inodes);
FANOTIFY(ignored);
FANOTIFY(names);
FANOTIFY(mount);
FANOTIFY(file_system);
FANOTIFY(unprivileged);
FANOTIFY(made_by_another);
FANOTIFY(quiet);

TEST_F(fanotify, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fanotify, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(tree, fanotify_begin, fanotify_end);

TEST_F(tree, reader)
{
	self->pid = start_tree(_metadata, reader, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what refuses -------------------------------------------------------------- */

PROGRAM_FIXTURE(refused, fanotify_begin, fanotify_end);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *words;
};

#define REFUSED(name, why)				\
FIXTURE_VARIANT_ADD(refused, name)			\
{							\
	.program = { set_##name },			\
	.words = why "\n",				\
}

static void set_permission(void)
{
	new_group(10, FAN_CLASS_CONTENT, O_RDONLY);
}

static void set_events(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, FAN_OPEN, A);
	mark(10, 0, FAN_OPEN, B);
	look(A);
	look(B);
}

static void set_deleted(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, FAN_MODIFY, A);
	open_as(11, A, O_RDWR);
	MUST(!unlink(A));
}

static void set_unmounted(void)
{
	MUST(!mount("t", MOUNTED, "tmpfs", 0, NULL));
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, FAN_MARK_MOUNT, FAN_OPEN, MOUNTED);
	open_as(11, MOUNTED, O_RDONLY | O_PATH);
	MUST(!umount2(MOUNTED, MNT_DETACH));
}

static void set_unmounted_fs(void)
{
	MUST(!mount("t", MOUNTED, "tmpfs", 0, NULL));
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, FAN_MARK_FILESYSTEM, FAN_OPEN, MOUNTED);
	open_as(11, MOUNTED, O_RDONLY | O_PATH);
	MUST(!umount2(MOUNTED, MNT_DETACH));
}

REFUSED(permission, "may be asked for permission (FAN_CLASS_CONTENT), which cannot be saved yet");
REFUSED(events, "has 2 events that were not read, which cannot be saved yet");
REFUSED(deleted, " (tmpfs), which has no path here");
REFUSED(unmounted, "watches a mount that has no path here");
REFUSED(unmounted_fs, "watches a file system that has no path here");

TEST_F(refused, by_name)
{
	const char *const line[] = { " fd 10 -> anon_inode:[fanotify] ", variant->words, NULL };

	self->pid = start_program(_metadata, &variant->program);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- what a restart refuses ------------------------------------------------------ */

PROGRAM_FIXTURE(restart, fanotify_begin, fanotify_end);

static void save_it(struct __test_metadata *_metadata, pid_t *pid,
		    void (*set)(void), void (*check)(void))
{
	static struct program p;

	p = (struct program){ set, check };
	*pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, *pid);
}

static void expect_says(struct __test_metadata *_metadata, const char *words)
{
	EXPECT_TRUE(!!strstr(ckpt_log_text, words)) {
		TH_LOG("%s", ckpt_log_text);
	}
}

TEST_F(restart, gone)
{
	save_it(_metadata, &self->pid, set_inodes, NULL);
	ASSERT_EQ(0, rmdir(SUB));
	EXPECT_EQ(-ENOENT, ckpt_restart(CKPT_IMG, self->pid));
	expect_says(_metadata, SUB " cannot be watched again");
	self->pid = 0;
}

TEST_F(restart, another_type)
{
	save_it(_metadata, &self->pid, set_inodes, NULL);
	ASSERT_EQ(0, rmdir(SUB));
	ASSERT_TRUE(fill(SUB));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	expect_says(_metadata, SUB ", which is watched, is of another type than");
	self->pid = 0;
}

TEST_F(restart, not_mounted)
{
	save_it(_metadata, &self->pid, set_mount, check_mount);
	ASSERT_EQ(0, umount(MOUNTED));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	expect_says(_metadata, MOUNTED ", which is watched, was a mount when it was saved");
	self->pid = 0;
}

static void too_few(void)
{
	ckpt_write_text(LIMIT, "2");
}

TEST_F(restart, limit)
{
	char limit[32];

	ASSERT_LT(0, ckpt_read_text(LIMIT, limit, sizeof(limit)));
	save_it(_metadata, &self->pid, set_inodes, check_inodes);
	EXPECT_EQ(-ENOSPC, ckpt_restart_after(CKPT_IMG, self->pid, too_few));
	EXPECT_TRUE(ckpt_write_text(LIMIT, limit));
	expect_says(_metadata, "cannot be watched again");
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void become_user(void)
{
	if (setresuid(1000, 1000, 1000))
		_exit(1);
}

static void set_as_user(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, FAN_CLOSE_WRITE, A);
	MUST(!fchmod(log_fd, 0666) && !chmod(DIRECTORY, 0777));
	MUST(!setresuid(1000, 1000, 1000));
}

static void check_as_user(void)
{
	MUST(nothing_to_tell(10));
}

/* The rights that it takes to make one. */
TEST_F(restart, without_rights)
{
	ASSERT_EQ(0, chmod(A, 0666));
	save_it(_metadata, &self->pid, set_as_user, check_as_user);
	EXPECT_EQ(0, chmod(CKPT_IMG, 0644));
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, become_user));
	expect_says(_metadata, "a fanotify group cannot be made");
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
