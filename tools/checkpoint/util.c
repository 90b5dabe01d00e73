// SPDX-License-Identifier: GPL-2.0
/* What the programs share. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

void msg(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
}

bool parse_long(const char *s, long min, long max, long *val)
{
	char *end;

	errno = 0;
	*val = strtol(s, &end, 10);
	return !errno && *s >= '0' && *s <= '9' && !*end && *val >= min &&
	       *val <= max;
}

void signal_set(sigset_t *set, const int *list, size_t nr)
{
	struct sigaction sa;

	sigemptyset(set);
	for (; nr--; list++)
		if (!sigaction(*list, NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(set, *list);
}

int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

ssize_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	buf[0] = 0;
	if (fd < 0)
		return -1;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	close(fd);
	if (n < 0)
		return -1;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = 0;
	return len;
}

const char *task_name(pid_t pid, char *buf, size_t size)
{
	char path[64], comm[64];
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (read_text(path, comm, sizeof(comm)) <= 0) {
		snprintf(buf, size, "%d", pid);
		return buf;
	}
	/* A task chooses its name: no control characters to the terminal. */
	for (p = comm; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	snprintf(buf, size, "%d (%s)", pid, comm);
	return buf;
}

const char *size_text(unsigned long long bytes, char *buf, size_t size)
{
	static const char * const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = bytes / 1024.0;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, size, "%llu bytes", bytes);
		return buf;
	}
	while (v >= 1024 && i < ARRAY_SIZE(unit) - 1) {
		v /= 1024;
		i++;
	}
	snprintf(buf, size, "%.1f %s", v, unit[i]);
	return buf;
}

const char *time_text(unsigned long long ns, char *buf, size_t size)
{
	if (ns < 1000000)
		snprintf(buf, size, "%.1f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buf, size, "%.1f ms", ns / 1e6);
	else
		snprintf(buf, size, "%.2f s", ns / 1e9);
	return buf;
}

int klog_open(struct klog *log, const char *path)
{
	log->path = path;
	if (path)
		log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
			       O_CLOEXEC | O_NOCTTY, 0600);
	else
		log->fd = memfd_create("log", MFD_CLOEXEC);
	if (log->fd >= 0)
		return 0;
	msg("cannot open the log %s: %s", path ? path : "(in memory)",
	    strerror(errno));
	return -1;
}

const char *klog_show(struct klog *log)
{
	struct stat st;
	char buf[4096];
	off_t pos = 0;
	ssize_t n;

	if (fstat(log->fd, &st) || !st.st_size)
		return NULL;
	if (log->path)
		return log->path;
	while ((n = pread(log->fd, buf, sizeof(buf), pos)) > 0) {
		fwrite(buf, 1, n, stderr);
		pos += n;
	}
	return "above";
}
