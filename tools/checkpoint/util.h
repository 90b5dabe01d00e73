/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs share. */
#ifndef _CKPT_TOOLS_UTIL_H
#define _CKPT_TOOLS_UTIL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

#define NSEC_PER_SEC	1000000000LL
#define NSEC_PER_MSEC	1000000LL

/* "checkpoint: ..." and a newline on stderr. */
__printf(1, 2)
void msg(const char *fmt, ...);

bool parse_long(const char *s, long min, long max, long *val);
int write_all(int fd, const void *buf, size_t len);
/* The signals of @list that are not ignored. */
void signal_set(sigset_t *set, const int *list, size_t nr);
/* Whole small file as a string, without the newline at its end. */
ssize_t read_text(const char *path, char *buf, size_t size);
/* "1234 (sleep)", or "1234" if there is none. */
const char *task_name(pid_t pid, char *buf, size_t size);
/* "12.3 MiB"; "1.2 ms". */
const char *size_text(unsigned long long bytes, char *buf, size_t size);
const char *time_text(unsigned long long ns, char *buf, size_t size);

/**
 * struct klog - the lines that the kernel writes about a call
 * @fd: descriptor for the log_fd of the arguments
 * @path: file that was named; NULL: kept in memory and shown on stderr
 *
 * Lines for stderr do not go there directly: a terminal that takes no more
 * output would make the kernel wait, and the tasks with it.
 */
struct klog {
	int fd;
	const char *path;
};

int klog_open(struct klog *log, const char *path);
/* Show what has come; returns where it stands, NULL if there was nothing. */
const char *klog_show(struct klog *log);

#endif /* _CKPT_TOOLS_UTIL_H */
