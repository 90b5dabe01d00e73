/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of checkpoint/restart share: the two calls, a program to be
 * saved, and bringing it back under its pid.
 */
#ifndef _CKPT_TEST_H
#define _CKPT_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../../include/uapi/linux/checkpoint.h"
#include "../../../../include/uapi/linux/checkpoint_image.h"
#include "../kselftest_harness.h"

/* For kernels with all checks, on busy machines. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240 /* seconds */

static inline long sys_checkpoint(pid_t pid, int fd, unsigned long flags,
				  void *args, size_t size)
{
	return syscall(__NR_checkpoint, pid, fd, flags, args, size);
}

static inline long sys_restart(pid_t pid, int fd, unsigned long flags,
			       void *args, size_t size)
{
	return syscall(__NR_restart, pid, fd, flags, args, size);
}

/* Text of the last failed call: what the kernel wrote to its log. */
static char ckpt_log_text[65536] __attribute__((unused));

static inline int ckpt_log_begin(void)
{
	return memfd_create("log", MFD_CLOEXEC);
}

static inline void ckpt_log_end(int fd)
{
	ssize_t n = pread(fd, ckpt_log_text, sizeof(ckpt_log_text) - 1, 0);

	ckpt_log_text[n > 0 ? n : 0] = 0;
	close(fd);
}

/* Has the log a line with all of @parts, up to a NULL, in this order? */
static inline bool ckpt_log_says(const char *const *parts)
{
	const char *line, *next, *at;
	int i;

	for (line = ckpt_log_text; *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			next++;
		for (at = line, i = 0; at && parts[i]; i++) {
			at = memmem(at, next - at, parts[i], strlen(parts[i]));
			if (at)
				at += strlen(parts[i]);
		}
		if (at)
			return true;
	}
	return false;
}

/* Files that are external in the following calls. */
static __u64 ckpt_external[8] __attribute__((unused));
static int ckpt_nr_external __attribute__((unused));
/* Likewise, a directory for deleted files, or -1. */
static int ckpt_relink_fd __attribute__((unused)) = -1;

/* Kills a tree that goes on, all of it at once. */
static inline long ckpt_kill_tree(pid_t pid)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	long ret;

	ret = sys_checkpoint(pid, null, CHECKPOINT_SUBTREE | CHECKPOINT_KILL,
			     NULL, 0);
	close(null);
	return ret < 0 ? -errno : ret;
}

/* NAME_live: who is to be killed goes on at first, while it is written. */
#ifdef CKPT_TEST_LIVE
#define CKPT_LIVE	1
#else
#define CKPT_LIVE	0
#endif

/* Returns what the call returned, -errno on failure. */
static inline long ckpt_call(pid_t pid, int out, unsigned long flags,
			     struct ckpt_stats *stats)
{
	bool live = CKPT_LIVE && (flags & CHECKPOINT_KILL);
	struct checkpoint_args args = {
		.log_fd = ckpt_log_begin(),
		.stats = (uintptr_t)stats,
		.stats_size = stats ? sizeof(*stats) : 0,
		.external = (uintptr_t)ckpt_external,
		.nr_external = ckpt_nr_external,
		.relink_fd = ckpt_relink_fd,
	};
	long ret;

	if (ckpt_relink_fd >= 0)
		flags |= CHECKPOINT_RELINK;
	if (live)
		flags ^= CHECKPOINT_KILL | CHECKPOINT_COW;

	ret = sys_checkpoint(pid, out, flags | CHECKPOINT_ARGS, &args,
			     sizeof(args));
	if (ret < 0)
		ret = -errno;
	ckpt_log_end(args.log_fd);
	if (live && ret > 0) {
		long killed = ckpt_kill_tree(pid);

		return killed < 0 ? killed : ret;
	}
	return ret;
}

/* Saves @pid to @out. */
static inline long ckpt_save_fd(pid_t pid, int out, unsigned long flags,
				struct ckpt_stats *stats)
{
	return ckpt_call(pid, out, flags | CHECKPOINT_SUBTREE, stats);
}

/* Could @pid be saved? 0 or -errno. */
static inline long ckpt_check(pid_t pid, unsigned long flags)
{
	return ckpt_call(pid, -1, flags | CHECKPOINT_CHECK, NULL);
}

static inline long ckpt_save(pid_t pid, const char *path, unsigned long flags)
{
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	long ret;

	if (out < 0)
		return -errno;
	ret = ckpt_save_fd(pid, out, flags, NULL);
	close(out);
	return ret;
}

/* Shared with the child that restarts: where it says why it failed. */
struct ckpt_child {
	int in;
	int log;
	int done[2];
	unsigned long flags;
	const struct ckpt_inherit_fd *inherit;
	int nr_inherit;
	const struct ckpt_inherit_key *keys;
	int nr_keys;
	void (*prepare)(void);	/* what it does before */
};

static inline void ckpt_child_restart(struct ckpt_child *c)
{
	struct restart_args args = {
		.log_fd = c->log,
		.context_fd = -1,
		.done_fd = c->done[1],
		.inherit = (uintptr_t)c->inherit,
		.nr_inherit = c->nr_inherit,
		.inherit_keys = (uintptr_t)c->keys,
		.nr_inherit_keys = c->nr_keys,
	};

	if (c->prepare)
		c->prepare();
	setsid();
	sys_restart(0, c->in, RESTART_TASKSELF | RESTART_ARGS | c->flags,
		    &args, sizeof(args));
	_exit(errno < 200 ? errno : 255);
}

/*
 * Restarts under @pid (0: any). Returns the pid of the program, or -errno with
 * the text in ckpt_log_text.
 */
static inline pid_t ckpt_restart_child(struct ckpt_child *c, pid_t pid)
{
	struct clone_args ca = { .exit_signal = SIGCHLD };
	int status, err;
	char byte;
	pid_t child;
	ssize_t n;

	c->log = ckpt_log_begin();
	if (pipe2(c->done, O_CLOEXEC))
		return -errno;
	if (pid) {
		ca.set_tid = (uintptr_t)&pid;
		ca.set_tid_size = 1;
	} else {
		c->flags |= RESTART_NO_PIDS;
	}
	child = syscall(SYS_clone3, &ca, sizeof(ca));
	err = -errno;
	if (!child)
		ckpt_child_restart(c);
	close(c->done[1]);
	if (child < 0) {
		snprintf(ckpt_log_text, sizeof(ckpt_log_text),
			 "clone3 with pid %d: %s", pid, strerror(-err));
		close(c->done[0]);
		close(c->log);
		return err;
	}
	do {
		n = read(c->done[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(c->done[0]);
	if (n == 1) {
		ckpt_log_end(c->log);
		return child;
	}
	waitpid(child, &status, 0);
	ckpt_log_end(c->log);
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	return -ECHILD;
}

/* Restarts from @in, with flags and files of the caller. */
static inline pid_t ckpt_restart_fd_opts(int in, pid_t pid, unsigned long flags,
					 const struct ckpt_inherit_fd *inherit,
					 int nr_inherit)
{
	struct ckpt_child c = {
		.in = in, .flags = flags,
		.inherit = inherit, .nr_inherit = nr_inherit,
	};

	return ckpt_restart_child(&c, pid);
}

/* Restarts in a child that does @prepare before. */
static inline pid_t ckpt_restart_after(const char *path, pid_t pid,
				       void (*prepare)(void))
{
	struct ckpt_child c = {
		.in = open(path, O_RDONLY | O_CLOEXEC), .prepare = prepare,
	};
	pid_t ret;

	if (c.in < 0)
		return -errno;
	ret = ckpt_restart_child(&c, pid);
	close(c.in);
	return ret;
}

static inline pid_t ckpt_restart(const char *path, pid_t pid)
{
	return ckpt_restart_after(path, pid, NULL);
}

/* The harness shares memory with its children, which is not the program's. */
static inline void ckpt_drop_shared(void)
{
	unsigned long from[64], to[64];
	char line[512];
	int n = 0;
	FILE *f;

	f = fopen("/proc/self/maps", "r");
	while (f && n < 64 && fgets(line, sizeof(line), f))
		if (strstr(line, "/dev/zero (deleted)") &&
		    sscanf(line, "%lx-%lx", &from[n], &to[n]) == 2)
			n++;
	if (f)
		fclose(f);
	while (n--)
		munmap((void *)from[n], to[n] - from[n]);
}

/*
 * Starts a program to be saved: a child in its own session whose standard
 * streams are /dev/null and that has no other descriptor but @keep.
 */
static inline pid_t ckpt_spawn(void (*fn)(void *arg), void *arg, int keep)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	setsid();
	/* The harness has a timer and signals that are not the program's. */
	alarm(0);
	ckpt_drop_shared();
	fd = open("/dev/null", O_RDWR);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	for (fd = 3; fd < 256; fd++)
		if (fd != keep)
			close(fd);
	fn(arg);
	_exit(0);
}

static inline void ckpt_kill(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* The exit code, 256 + n after the death by signal n. */
static inline int ckpt_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* Exit code of @pid as above, -1 after @ms. */
static inline int ckpt_wait(pid_t pid, int ms)
{
	struct pollfd p = { .events = POLLIN };
	int status, ret = -1;

	p.fd = syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return -1;
	if (poll(&p, 1, ms) == 1 && waitpid(pid, &status, 0) == pid)
		ret = ckpt_exit_code(status);
	close(p.fd);
	return ret;
}

/* Waits until the file has @size bytes or more. */
static inline bool ckpt_wait_size(const char *path, off_t size, int ms)
{
	struct stat st;

	for (; ms > 0; ms -= 5) {
		if (!stat(path, &st) && st.st_size >= size)
			return true;
		usleep(5000);
	}
	return false;
}

static inline void ckpt_sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static inline long long ckpt_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static inline double ckpt_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- files of text, /proc ------------------------------------------------ */

/* Length of what stands in @buf then, -1 if the file cannot be read. */
static inline ssize_t ckpt_read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	buf[0] = 0;
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	buf[len] = 0;
	close(fd);
	return n < 0 ? -1 : len;
}

static inline bool ckpt_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* A setting as it was read @before: the one in force stands in brackets. */
static inline void ckpt_set_back(const char *path, char *before)
{
	char *was = strchr(before, '[');

	if (was)
		ckpt_write_text(path, strtok(was, "[]"));
}

static inline void ckpt_touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static inline ssize_t ckpt_read_proc(pid_t pid, const char *name, char *buf,
				     size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return ckpt_read_text(path, buf, size);
}

/* The lines of /proc/PID/status that begin with one of @names, up to a NULL. */
static inline void ckpt_status_lines(pid_t pid, const char *const *names,
				     char *buf, size_t size)
{
	char text[8192], *line, *rest = text;
	size_t len = 0;
	int i;

	buf[0] = 0;
	ckpt_read_proc(pid, "status", text, sizeof(text));
	while ((line = strsep(&rest, "\n"))) {
		for (i = 0; names[i]; i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				len += snprintf(buf + len, size - len, "%s\n",
						line);
	}
}

/* As in ps(1), 0 if there is no such process. */
static inline char ckpt_state(pid_t pid)
{
	char text[1024], *p;

	ckpt_read_proc(pid, "stat", text, sizeof(text));
	p = strrchr(text, ')');
	return p ? p[2] : 0;
}

static inline bool ckpt_wait_state(pid_t pid, char state)
{
	int i;

	/* Not in step with a program that does something every 2 ms. */
	for (i = 0; i < 2500; i++) {
		if (ckpt_state(pid) == state)
			return true;
		ckpt_sleep_ms(1 + i % 4);
	}
	return false;
}

/* The system call that @pid sleeps in, -1: none, -2: it runs or is no more. */
static inline long ckpt_syscall(pid_t pid)
{
	char text[256], *end;
	long nr;

	ckpt_read_proc(pid, "syscall", text, sizeof(text));
	nr = strtol(text, &end, 10);
	return end > text ? nr : -2;
}

static inline bool ckpt_wait_syscall(pid_t pid, long nr)
{
	int i;

	for (i = 0; i < 2500; i++) {
		if (ckpt_syscall(pid) == nr)
			return true;
		ckpt_sleep_ms(2);
	}
	return false;
}

/* The first lines that differ, "" if there are none. */
static inline const char *ckpt_difference(const char *was, const char *is)
{
	static char text[8192];
	size_t i, line = 0;

	for (i = 0; was[i] && was[i] == is[i]; i++)
		if (was[i] == '\n')
			line = i + 1;
	if (was[i] == is[i])
		return "";
	snprintf(text, sizeof(text), "\n was %.*s\n  is %.*s",
		 (int)strcspn(was + line, "\n"), was + line,
		 (int)strcspn(is + line, "\n"), is + line);
	return text;
}

/* ---- what tests expect ----------------------------------------------------- */

#define CKPT_IMG	"/tmp/ckpt.img"

/* Of a record whose own checksum is 0, for who changes an image. */
static inline __u32 ckpt_crc32c(const void *buf, size_t len)
{
	const unsigned char *p = buf;
	__u32 crc = ~0U;
	int i;

	while (len--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static inline bool ckpt_is_there(void)
{
	return sys_checkpoint(-1, -1, ~0UL, NULL, 0) >= 0 || errno != ENOSYS;
}

/* There is an image, and the program is dead. */
static inline void ckpt_save_and_kill(struct __test_metadata *_metadata,
				      pid_t pid)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(pid, 5000));
}

/* There is an image, and the program is frozen until what is returned closes. */
static inline int ckpt_hold(struct __test_metadata *_metadata, pid_t pid)
{
	struct checkpoint_args args = { .log_fd = -1, .context_fd = -1 };
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ASSERT_LT(0, sys_checkpoint(pid, out, CHECKPOINT_HOLD |
				    CHECKPOINT_SUBTREE | CHECKPOINT_ARGS,
				    &args, sizeof(args)));
	close(out);
	return args.context_fd;
}

/* One with all checks, see config.debug: it does less in the same time. */
static inline bool ckpt_slow_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

/* Sends open files along with @text. */
static inline bool ckpt_send_fds(int to, const char *text, const int *fds,
				 int nr)
{
	union {
		char buf[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} u = {};
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
	return sendmsg(to, &m, 0) == (ssize_t)strlen(text);
}

/* Nothing is written, and asking finds the same. ckpt_log_text says why. */
static inline void ckpt_expect_refused(struct __test_metadata *_metadata,
				       pid_t pid, int err)
{
	static char why[sizeof(ckpt_log_text)];
	struct stat st;

	/* Killing the init of the machine by mistake would be no fun. */
	EXPECT_EQ(-err, ckpt_save(pid, CKPT_IMG,
				  pid == 1 ? 0 : CHECKPOINT_KILL));
	EXPECT_EQ(0, stat(CKPT_IMG, &st));
	EXPECT_EQ(0, st.st_size);
	memcpy(why, ckpt_log_text, sizeof(why));
	EXPECT_EQ(-err, ckpt_check(pid, CHECKPOINT_SUBTREE));
	EXPECT_STREQ(why, ckpt_log_text);
}

#endif /* _CKPT_TEST_H */
