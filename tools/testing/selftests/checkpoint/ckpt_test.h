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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../../include/uapi/linux/checkpoint.h"
#include "../../../../include/uapi/linux/checkpoint_image.h"
#include "../kselftest_harness.h"

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

/* Saves @pid to @out; returns what the call returned, -errno on failure. */
static inline long ckpt_save_fd(pid_t pid, int out, unsigned long flags,
				struct ckpt_stats *stats)
{
	struct checkpoint_args args = {
		.log_fd = ckpt_log_begin(),
		.stats = (uintptr_t)stats,
		.stats_size = stats ? sizeof(*stats) : 0,
	};
	long ret;

	ret = sys_checkpoint(pid, out, flags | CHECKPOINT_SUBTREE |
			     CHECKPOINT_ARGS, &args, sizeof(args));
	if (ret < 0)
		ret = -errno;
	ckpt_log_end(args.log_fd);
	return ret;
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
};

static inline void ckpt_child_restart(struct ckpt_child *c, pid_t pid)
{
	struct restart_args args = {
		.log_fd = c->log,
		.context_fd = -1,
		.done_fd = c->done[1],
		.inherit = (uintptr_t)c->inherit,
		.nr_inherit = c->nr_inherit,
	};

	setsid();
	sys_restart(0, c->in, RESTART_TASKSELF | RESTART_ARGS | c->flags,
		    &args, sizeof(args));
	_exit(errno < 200 ? errno : 255);
}

/*
 * Restarts from @in under @pid (0: any). Returns the pid of the program, or
 * -errno with the text in ckpt_log_text.
 */
static inline pid_t ckpt_restart_fd_opts(int in, pid_t pid, unsigned long flags,
					 const struct ckpt_inherit_fd *inherit,
					 int nr_inherit)
{
	struct ckpt_child c = {
		.in = in, .log = ckpt_log_begin(), .flags = flags,
		.inherit = inherit, .nr_inherit = nr_inherit,
	};
	struct clone_args ca = { .exit_signal = SIGCHLD };
	int status, err;
	char byte;
	pid_t child;
	ssize_t n;

	if (pipe2(c.done, O_CLOEXEC))
		return -errno;
	if (pid) {
		ca.set_tid = (uintptr_t)&pid;
		ca.set_tid_size = 1;
	} else {
		c.flags |= RESTART_NO_PIDS;
	}
	child = syscall(SYS_clone3, &ca, sizeof(ca));
	err = -errno;
	if (!child)
		ckpt_child_restart(&c, pid);
	close(c.done[1]);
	if (child < 0) {
		snprintf(ckpt_log_text, sizeof(ckpt_log_text),
			 "clone3 with pid %d: %s", pid, strerror(-err));
		close(c.done[0]);
		close(c.log);
		return err;
	}
	do {
		n = read(c.done[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(c.done[0]);
	if (n == 1) {
		ckpt_log_end(c.log);
		return child;
	}
	waitpid(child, &status, 0);
	ckpt_log_end(c.log);
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	return -ECHILD;
}

static inline pid_t ckpt_restart(const char *path, pid_t pid)
{
	int in = open(path, O_RDONLY | O_CLOEXEC);
	pid_t ret;

	if (in < 0)
		return -errno;
	ret = ckpt_restart_fd_opts(in, pid, 0, NULL, 0);
	close(in);
	return ret;
}

/* The harness shares memory with its children, which cannot be saved yet. */
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

/* Exit code of @pid, 256 + n if it died by signal n, -1 after @ms. */
static inline int ckpt_wait(pid_t pid, int ms)
{
	struct pollfd p = { .events = POLLIN };
	int status, ret = -1;

	p.fd = syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return -1;
	if (poll(&p, 1, ms) == 1 && waitpid(pid, &status, 0) == pid)
		ret = WIFEXITED(status) ? WEXITSTATUS(status) :
					  256 + WTERMSIG(status);
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

static inline double ckpt_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

#define CKPT_IMG	"/tmp/ckpt.img"

#endif /* _CKPT_TEST_H */
