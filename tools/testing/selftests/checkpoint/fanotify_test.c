// SPDX-License-Identifier: GPL-2.0
/*
 * Fanotify groups watch after a restart what they watched: inodes, mounts, file
 * systems. They tell what they had not told yet, and nothing of what the restart does.
 */
#include "caps.h"
#include "tree_program.h"

#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>

#define A	DIRECTORY "/a"
#define B	DIRECTORY "/b"
#define SUB	DIRECTORY "/sub"
#define MOUNTED	SUB
#define LIMIT	"/proc/sys/fs/fanotify/max_user_marks"
#define QUEUED	"/proc/sys/fs/fanotify/max_queued_events"
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

/* ---- what waits to be read ------------------------------------------------------ */

#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR	0x2000
#endif

static char told[32768];
static int left;

static char *say_pidfd(char *at, int fd)
{
	char text[1024], *pid;

	if (fd < 0)
		return at + sprintf(at, " pidfd %d", fd);
	fdinfo(fd, text, sizeof(text));
	pid = strstr(text, "Pid:");
	MUST(pid && !close(fd));
	return at + sprintf(at, " pidfd of %d", atoi(pid + 4));
}

/* Its bytes, the file that it leads to, which is no event, and the name behind it. */
static char *say_handle(char *at, struct fanotify_event_info_fid *info)
{
	struct file_handle *handle = (void *)info->handle;
	int fd = open_by_handle_at(13, handle, O_PATH);
	unsigned int i;

	at += sprintf(at, " fsid %x:%x handle %x:", info->fsid.val[0], info->fsid.val[1],
		      handle->handle_type);
	for (i = 0; i < handle->handle_bytes; i++)
		at += sprintf(at, "%02x", handle->f_handle[i]);
	at += sprintf(at, " -> %s", fd < 0 ? "nothing" : fd_name(fd));
	close(fd);
	if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_FID ||
	    info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID)
		return at;
	return at + sprintf(at, " name %s", (char *)handle->f_handle + handle->handle_bytes);
}

static char *say_infos(char *at, char *from, char *end)
{
	struct fanotify_event_info_header *info;

	for (; from < end; from += info->len) {
		info = (void *)from;
		at += sprintf(at, "; info %d", info->info_type);
		if (info->info_type == FAN_EVENT_INFO_TYPE_PIDFD)
			at = say_pidfd(at, ((struct fanotify_event_info_pidfd *)from)->pidfd);
		else if (info->info_type == FAN_EVENT_INFO_TYPE_ERROR)
			at += sprintf(at, " error %d, %u times",
				      ((struct fanotify_event_info_error *)from)->error,
				      ((struct fanotify_event_info_error *)from)->error_count);
		else
			at = say_handle(at, (void *)from);
	}
	return at;
}

static char *say_event(char *at, struct fanotify_event_metadata *e)
{
	at += sprintf(at, "mask %llx pid %d", (unsigned long long)e->mask, e->pid);
	if (e->fd >= 0) {
		at += sprintf(at, " %s flags %x", fd_name(e->fd), fcntl(e->fd, F_GETFL));
		MUST(!close(e->fd));
	} else {
		at += sprintf(at, " fd %d", e->fd);
	}
	at = say_infos(at, (char *)e + e->metadata_len, (char *)e + e->event_len);
	*at++ = '\n';
	return at;
}

/* All that waits, in words: descriptors have other numbers each time. */
static const char *say_all(int fd, char *text)
{
	struct fanotify_event_metadata *e;
	char *at = text;
	ssize_t n;

	while ((n = read(fd, is, sizeof(is))) > 0)
		for (e = (void *)is; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n))
			at = say_event(at, e);
	MUST(n < 0 && errno == EAGAIN);
	*at = 0;
	return text;
}

static int bytes_left(int fd)
{
	int n;

	MUST(!ioctl(fd, FIONREAD, &n));
	return n;
}

static bool readable(int epoll, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct epoll_event e;

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN && epoll_wait(epoll, &e, 1, 0) == 1;
}

/* Two of the same: one tells at once what the other is to tell afterwards. */
static void two(unsigned int flags, unsigned int event_f_flags)
{
	struct epoll_event e = { .events = EPOLLIN };
	int i;

	for (i = 10; i < 12; i++)
		new_group(i, FAN_CLASS_NOTIF | flags, event_f_flags);
	move_fd(epoll_create1(0), 12, 0);
	MUST(!epoll_ctl(12, EPOLL_CTL_ADD, 10, &e));
	open_as(13, DIRECTORY, O_RDONLY);
}

static void mark_two(unsigned int flags, uint64_t mask, const char *path)
{
	mark(10, flags, mask, path);
	mark(11, flags, mask, path);
}

static void tell_one(void)
{
	left = bytes_left(10);
	MUST(left > 0);
	say_all(11, told);
}

static void same_told(void)
{
	static char text[sizeof(told)];

	MUST(readable(12, 10) && bytes_left(10) == left);
	MUST(!strcmp(say_all(10, text), told));
	MUST(nothing_to_tell(10) && !bytes_left(10));
}

/* What is done once more is one with what waits. */
static void check_told(void)
{
	MUST(nothing_to_tell(11));
	touch(B);
	MUST(bytes_left(10) == left);
	drain(11);
	same_told();
	touch(B);
	MUST(!nothing_to_tell(10));
}

/* Somebody who is no more when the program is saved. */
static void look_in_child(const char *path)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		look(path);
		_exit(GOOD);
	}
	collect(pid, GOOD);
}

#define OPENED	(FAN_ACCESS | FAN_MODIFY | FAN_OPEN | FAN_CLOSE | FAN_ONDIR | FAN_EVENT_ON_CHILD)
#define ALL	(OPENED | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_MOVE | \
		 FAN_DELETE_SELF | FAN_MOVE_SELF)

static void do_some(void)
{
	look(A);
	look_in_child(A);
	touch(B);
	MUST(!close(open(SUB, O_RDONLY)));
	touch(SUB "/x");
	look_in_child(B);
	look(A);
}

static void do_all(void)
{
	do_some();
	MUST(!rename(SUB "/x", DIRECTORY "/a name of some length"));
	MUST(!rename(DIRECTORY "/a name of some length", SUB "/y") && !unlink(SUB "/y"));
	MUST(!mkdir(SUB "/dir", 0755) && !chmod(SUB "/dir", 0700) && !rmdir(SUB "/dir"));
	MUST(!mkdir(SUB "/stays", 0755) && !chmod(A, 0640));
}

static void set_paths(void)
{
	two(0, O_RDONLY | O_NOATIME);
	mark_two(0, OPENED, DIRECTORY);
	mark_two(0, OPENED, SUB);
	do_some();
	tell_one();
}

/* By another mount than the first that leads there. */
static void set_mounted_path(void)
{
	MUST(!mount(DIRECTORY, SUB, NULL, MS_BIND, NULL));
	two(FAN_REPORT_FD_ERROR, O_RDWR | O_APPEND);
	mark_two(FAN_MARK_MOUNT, FAN_MODIFY | FAN_CLOSE_WRITE, SUB);
	touch(A);
	MUST(nothing_to_tell(10));
	touch(SUB "/a");
	tell_one();
	MUST(!!strstr(told, SUB "/a flags"));
}

static void check_mounted_path(void)
{
	same_told();
}

/* Of two names of a file the one that is told of has gone. */
static void set_another_name(void)
{
	two(0, O_RDONLY);
	mark_two(0, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, DIRECTORY);
	MUST(!link(A, DIRECTORY "/new"));
	touch(DIRECTORY "/new");
	MUST(!unlink(DIRECTORY "/new"));
	say_all(11, told);
}

static void check_another_name(void)
{
	struct fanotify_event_metadata *e = (void *)is;
	struct stat one, other;

	MUST(read(10, is, sizeof(is)) == sizeof(*e) && e->mask == FAN_CLOSE_WRITE);
	MUST(!fstat(e->fd, &one) && !stat(A, &other) && one.st_ino == other.st_ino);
}

static void set_fid(void)
{
	two(FAN_REPORT_FID, 0);
	mark_two(0, ALL, DIRECTORY);
	mark_two(0, ALL, SUB);
	do_all();
	tell_one();
}

static void set_dir_fid(void)
{
	two(FAN_REPORT_DIR_FID, 0);
	mark_two(0, ALL, DIRECTORY);
	mark_two(0, ALL, SUB);
	do_all();
	tell_one();
}

static void set_both_fids(void)
{
	two(FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_PIDFD, 0);
	mark_two(0, ALL, DIRECTORY);
	mark_two(0, ALL, SUB);
	do_all();
	tell_one();
}

static void set_names_told(void)
{
	two(FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD, 0);
	mark_two(0, ALL, DIRECTORY);
	mark_two(0, ALL, SUB);
	do_all();
	tell_one();
	MUST(!!strstr(told, "name a name of some length"));
	MUST(!!strstr(told, "pidfd -1"));
}

static void set_renamed(void)
{
	two(FAN_REPORT_DFID_NAME_TARGET, 0);
	mark_two(FAN_MARK_FILESYSTEM, (ALL & ~FAN_EVENT_ON_CHILD) | FAN_RENAME, DIRECTORY);
	do_all();
	tell_one();
}

/* Only one of the two directories is watched. */
static void set_renamed_from_to(void)
{
	two(FAN_REPORT_DFID_NAME, 0);
	mark_two(0, FAN_RENAME | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, DIRECTORY);
	MUST(!rename(A, SUB "/from") && !rename(SUB "/from", A));
	touch(B);
	tell_one();
}

static void *looking_thread(void *arg)
{
	look(A);
	return NULL;
}

static void look_in_thread(void)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, looking_thread, NULL) && !pthread_join(t, NULL));
}

static void set_tids(void)
{
	two(FAN_REPORT_TID, O_RDONLY);
	mark_two(0, FAN_OPEN, A);
	mark_two(0, FAN_CLOSE_WRITE, B);
	look_in_thread();
	touch(B);
	tell_one();
}

/* Of others it is not told who did it. */
static void set_without_rights(void)
{
	MUST(!chmod(DIRECTORY, 0777) && !chmod(SUB, 0777) && !chmod(B, 0666));
	MUST(!setresuid(1000, 1000, 1000));
	two(FAN_REPORT_DFID_NAME, 0);
	mark_two(0, OPENED, DIRECTORY);
	do_some();
	tell_one();
	MUST(!!strstr(told, "pid 0") && !!strstr(told, "name b"));
}

static void set_few_queued(const char *nr)
{
	static char was_nr[32];

	if (nr)
		MUST(ckpt_read_text(QUEUED, was_nr, sizeof(was_nr)) > 0);
	MUST(ckpt_write_text(QUEUED, nr ?: was_nr));
}

/* Too much to tell: that is told, too, and only once. */
static void set_overflow(void)
{
	char name[64];
	int i;

	set_few_queued("3");
	two(FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD, 0);
	set_few_queued(NULL);
	mark_two(0, FAN_CREATE | FAN_ONDIR, DIRECTORY);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), DIRECTORY "/%d", i);
		MUST(!mkdir(name, 0755));
	}
	tell_one();
	MUST(!!strstr(told, "name 2") && !strstr(told, "name 3"));
	MUST(!!strstr(told, "mask 4000 pid 0"));
}

static void check_overflow(void)
{
	same_told();
	MUST(!mkdir(DIRECTORY "/new", 0755));
	MUST(tells_name(10, FAN_CREATE | FAN_ONDIR, "new"));
}

static const char *error_trigger(void)
{
	static char path[128];
	glob_t g;

	MUST(!glob("/sys/fs/ext4/loop*/trigger_fs_error", 0, NULL, &g) && g.gl_pathc == 1);
	strcpy(path, g.gl_pathv[0]);
	return path;
}

static void set_error(void)
{
	two(FAN_REPORT_FID, 0);
	mark_two(FAN_MARK_FILESYSTEM, FAN_FS_ERROR, DIRECTORY);
	MUST(ckpt_write_text(error_trigger(), "one") && ckpt_write_text(error_trigger(), "two"));
	/* What waits does not need the mark. */
	MUST(!fanotify_mark(10, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, DIRECTORY));
	tell_one();
	MUST(!!strstr(told, ", 2 times"));
}

/* It is one with a further one. */
static void check_error(void)
{
	char *times = strstr(told, ", 2 times");

	mark(10, FAN_MARK_FILESYSTEM, FAN_FS_ERROR, DIRECTORY);
	MUST(ckpt_write_text(error_trigger(), "three") && bytes_left(10) == left);
	times[2] = '3';
	same_told();
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

/* Just that somebody opened the file, and @rest. */
static bool tells_who(int fd, pid_t pid, const char *path, const char *rest)
{
	char text[128];
	size_t len;

	len = snprintf(text, sizeof(text), "mask 20 pid %d %s flags ", pid, path);
	say_all(fd, told);
	return !strncmp(told, text, len) && strstr(told, rest) &&
	       strchr(told, '\n') == told + strlen(told) - 1;
}

static bool tells_pidfd(int fd, pid_t pid, pid_t pidfd_of)
{
	char text[64];

	snprintf(text, sizeof(text), pidfd_of ? "; info 4 pidfd of %d\n" :
						"; info 4 pidfd -1\n", pidfd_of);
	return tells_who(fd, pid, A, text);
}

/* Tasks of the tree have done it, who live. */
static void look_and_wait(void)
{
	look(A);
	pause();
}

static void *look_and_stay(void *arg)
{
	look(B);
	*(pid_t *)arg = syscall(SYS_gettid);
	ckpt_touch(DIRECTORY "/looked");
	pause();
	return NULL;
}

static void members(void)
{
	static pid_t tid;
	pthread_t t;
	pid_t child;

	new_group(10, FAN_CLASS_NOTIF | FAN_REPORT_PIDFD, O_RDONLY);
	new_group(11, FAN_CLASS_NOTIF | FAN_REPORT_TID, O_RDONLY);
	mark(10, 0, FAN_OPEN, A);
	mark(11, 0, FAN_OPEN, B);
	child = start_child(look_and_wait, __NR_pause);
	MUST(!pthread_create(&t, NULL, look_and_stay, &tid));
	wait_for(DIRECTORY "/looked");
	stay_the_same();
	MUST(tells_pidfd(10, child, child));
	MUST(tells_who(11, tid, B, ""));
	MUST(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
}

/* ---- in the test -------------------------------------------------------------- */

static void fanotify_begin(struct __test_metadata *_metadata)
{
	begin_tree_files(_metadata);
	ASSERT_TRUE(fill(A) && fill(B));
	ASSERT_EQ(0, mkdir(SUB, 0755));
}

PROGRAM_FIXTURE(fanotify, fanotify_begin, end_tree_files);

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
FANOTIFY(another_name);
FANOTIFY(mounted_path);
FANOTIFY(overflow);

#define TOLD(name)					\
FIXTURE_VARIANT_ADD(fanotify, name)			\
{							\
	.program = { set_##name, check_told },		\
}

TOLD(paths);
TOLD(fid);
TOLD(dir_fid);
TOLD(both_fids);
TOLD(names_told);
TOLD(renamed);
TOLD(renamed_from_to);
TOLD(tids);
TOLD(without_rights);

TEST_F(fanotify, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fanotify, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(tree, fanotify_begin, end_tree_files);

TEST_F(tree, reader)
{
	self->pid = start_tree(_metadata, reader, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(tree, members)
{
	self->pid = start_tree(_metadata, members, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

/* Handles that are longer than those of most file systems. */
static void overlay_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_any("overlay"));
	ASSERT_TRUE(fill(A) && fill(B));
	ASSERT_EQ(0, mkdir(SUB, 0755));
}

static void disk_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_loop());
}

PROGRAM_FIXTURE(overlay, overlay_begin, end_tree_files);
PROGRAM_FIXTURE(disk, disk_begin, end_tree_files);

TEST_F(overlay, fid)
{
	static const struct program p = { set_fid, check_told };

	program_comes_back(_metadata, &self->pid, &p);
}

TEST_F(overlay, names)
{
	static const struct program p = { set_names_told, check_told };

	program_comes_back(_metadata, &self->pid, &p);
}

TEST_F(disk, error)
{
	static const struct program p = { set_error, check_error };

	program_comes_back(_metadata, &self->pid, &p);
}

/* ---- what refuses -------------------------------------------------------------- */

PROGRAM_FIXTURE(refused, fanotify_begin, end_tree_files);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *words, *end;
};

#define REFUSED(name, why, rest)			\
FIXTURE_VARIANT_ADD(refused, name)			\
{							\
	.program = { set_##name },			\
	.words = why, .end = rest "\n",			\
}

static void set_permission(void)
{
	new_group(10, FAN_CLASS_CONTENT, O_RDONLY);
}

static void set_event_of_deleted(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDONLY);
	mark(10, 0, FAN_OPEN | FAN_EVENT_ON_CHILD, DIRECTORY);
	look(A);
	look(B);
	MUST(!unlink(B));
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

REFUSED(permission, "may be asked for permission (FAN_CLASS_CONTENT)",
	", which cannot be saved yet");
REFUSED(event_of_deleted, "has an event of inode ", " (tmpfs), which has no path here");
REFUSED(deleted, "watches inode ", " (tmpfs), which has no path here");
REFUSED(unmounted, "watches a mount ", "that has no path here");
REFUSED(unmounted_fs, "watches a file system ", "that has no path here");

TEST_F(refused, by_name)
{
	const char *const line[] = {
		" fd 10 -> anon_inode:[fanotify] ", variant->words, variant->end, NULL
	};

	self->pid = start_program(_metadata, &variant->program);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- what a restart refuses ------------------------------------------------------ */

PROGRAM_FIXTURE(restart, fanotify_begin, end_tree_files);

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

static void lose_override(void)
{
	struct caps c;

	get_caps(&c);
	set_caps(c.effective & ~BIT_OF(CAP_DAC_OVERRIDE),
		 c.permitted & ~BIT_OF(CAP_DAC_OVERRIDE), c.inheritable);
}

/* A group tells even of files that its reader may not open; a restarter must. */
static void set_as_reader(void)
{
	new_group(10, FAN_CLASS_NOTIF, O_RDWR);
	mark(10, 0, FAN_CLOSE_NOWRITE, A);
	look(A);
	lose_override();
}

static void check_as_reader(void)
{
	MUST(open(A, O_RDWR) < 0 && errno == EACCES);
	MUST(tells(10) == FAN_CLOSE_NOWRITE);
}

TEST_F(restart, of_what_may_not_be_opened)
{
	save_it(_metadata, &self->pid, set_as_reader, check_as_reader);
	ASSERT_EQ(0, chmod(A, 0444));
	EXPECT_EQ(-EACCES, ckpt_restart_after(CKPT_IMG, self->pid, lose_override));
	expect_says(_metadata, A ", which an event is of, may not be opened by you");
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(restart, event_of_gone)
{
	save_it(_metadata, &self->pid, set_paths, check_told);
	ASSERT_EQ(0, unlink(A));
	EXPECT_EQ(-ENOENT, ckpt_restart(CKPT_IMG, self->pid));
	expect_says(_metadata, A ", which an event is of, cannot be found again");
	ASSERT_EQ(0, mkdir(A, 0755));
	EXPECT_EQ(-ESTALE, ckpt_restart(CKPT_IMG, self->pid));
	expect_says(_metadata, A ", which is watched, is of another type than");
	self->pid = 0;
}

static void only_one(void)
{
	ckpt_write_text(QUEUED, "1");
}

TEST_F(restart, limit_of_events)
{
	char limit[32];

	ASSERT_LT(0, ckpt_read_text(QUEUED, limit, sizeof(limit)));
	save_it(_metadata, &self->pid, set_names_told, check_told);
	EXPECT_EQ(-ENOSPC, ckpt_restart_after(CKPT_IMG, self->pid, only_one));
	EXPECT_TRUE(ckpt_write_text(QUEUED, limit));
	expect_says(_metadata, "an event cannot be queued (fs.fanotify.max_queued_events)");
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* It is mounted anew: what its handles led to is no more. */
TEST_F(restart, another_file_system)
{
	save_it(_metadata, &self->pid, set_overflow, NULL);
	umount_files();
	ASSERT_TRUE(mount_files("tmpfs"));
	bring_back(_metadata, self->pid);
	expect_says(_metadata, "note: an event is of a file system (fsid ");
	ends_well(_metadata, &self->pid);
}

/* ---- others have done it ---------------------------------------------------------- */

static pid_t other;

/* Looks at a file when it is told to. */
static void start_other(struct __test_metadata *_metadata)
{
	other = fork();
	ASSERT_LE(0, other);
	if (!other) {
		raise(SIGSTOP);
		look(A);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(other, waitpid(other, NULL, WUNTRACED));
}

static void set_other(void)
{
	new_group(10, FAN_CLASS_NOTIF | FAN_REPORT_PIDFD, O_RDONLY);
	mark(10, 0, FAN_OPEN, A);
}

static void check_other_there(void)
{
	MUST(tells_pidfd(10, other, other));
}

static void check_other_gone(void)
{
	MUST(tells_pidfd(10, other, 0));
}

static void check_other_replaced(void)
{
	MUST(tells_pidfd(10, 0, 0));
}

static void save_when_other_looked(struct __test_metadata *_metadata, pid_t *pid,
				   void (*check)(void))
{
	static struct program p;

	p = (struct program){ set_other, check };
	start_other(_metadata);
	*pid = start_program(_metadata, &p);
	ASSERT_EQ(0, kill(other, SIGCONT));
	ASSERT_EQ(other, waitpid(other, NULL, WUNTRACED));
	ckpt_save_and_kill(_metadata, *pid);
}

PROGRAM_FIXTURE(outside, fanotify_begin, end_tree_files);

TEST_F(outside, there)
{
	save_when_other_looked(_metadata, &self->pid, check_other_there);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
	ckpt_kill(other);
}

TEST_F(outside, gone)
{
	save_when_other_looked(_metadata, &self->pid, check_other_gone);
	ckpt_kill(other);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Somebody else has the number: he has not done it. */
TEST_F(outside, replaced)
{
	struct clone_args ca = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	pid_t set_tid;

	save_when_other_looked(_metadata, &self->pid, check_other_replaced);
	ckpt_kill(other);
	set_tid = other;
	ca.set_tid = (uintptr_t)&set_tid;
	other = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!other)
		for (;;)
			pause();
	ASSERT_EQ(set_tid, other);
	bring_back(_metadata, self->pid);
	expect_says(_metadata, "note: an event tells of pid 0: the number of who did it, ");
	ends_well(_metadata, &self->pid);
	ckpt_kill(other);
}

TEST_HARNESS_MAIN
