// SPDX-License-Identifier: GPL-2.0
/*
 * The log: what a person wants to know about a call that failed.
 *
 * Text is collected in memory and written when nothing is frozen any more: the
 * log may be a pipe that only a frozen task would drain.
 */
#include <linux/ctype.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stdarg.h>

#include "checkpoint.h"

#define CKPT_LOG_MAX	(256U << 10)
#define CKPT_LOG_LINE	1024

/**
 * ckpt_log_open - start a log
 * @log: zeroed
 * @fd: descriptor of the caller, or -1 for none
 *
 * Return: 0; -EBADF if @fd cannot be written to; -ENOMEM.
 */
int ckpt_log_open(struct ckpt_log *log, int fd)
{
	spin_lock_init(&log->lock);
	if (fd == -1)
		return 0;

	log->file = fget(fd);
	if (!log->file)
		return -EBADF;
	if (!(log->file->f_mode & FMODE_WRITE) ||
	    !(log->file->f_mode & FMODE_CAN_WRITE)) {
		fput(log->file);
		log->file = NULL;
		return -EBADF;
	}
	log->buf = kvmalloc(CKPT_LOG_MAX, GFP_KERNEL_ACCOUNT);
	if (!log->buf) {
		fput(log->file);
		log->file = NULL;
		return -ENOMEM;
	}
	return 0;
}

/**
 * ckpt_log - add a line
 * @log: the log
 * @fmt: text without a newline at its end
 *
 * Context: may be called while tasks are frozen; does not sleep.
 */
void ckpt_log(struct ckpt_log *log, const char *fmt, ...)
{
	size_t room, end;
	va_list args;
	int len;

	if (!log->file)
		return;
	/* Members of a restart may have something to say at the same time. */
	spin_lock(&log->lock);
	room = CKPT_LOG_MAX - log->len;
	if (room < CKPT_LOG_LINE) {
		log->dropped++;
		goto out;
	}
	va_start(args, fmt);
	len = vscnprintf(log->buf + log->len, CKPT_LOG_LINE - 1, fmt, args);
	va_end(args);
	/* A name in an image must not look like a line of its own. */
	for (end = log->len + len; log->len < end; log->len++)
		if (iscntrl(log->buf[log->len]))
			log->buf[log->len] = '?';
	log->buf[log->len++] = '\n';
out:
	spin_unlock(&log->lock);
}

/**
 * ckpt_log_path - a path as the caller would write it, for the log
 * @log: the log
 * @path: the path
 *
 * What has no path gets the name that /proc/PID/fd shows. A newline, which would
 * make two lines of one, is shown as an octal number.
 *
 * Context: may sleep.
 * Return: text that is valid until the next call.
 */
const char *ckpt_log_path(struct ckpt_log *log, const struct path *path)
{
	char *name, *end;

	if (!log->file)
		return "";
	name = d_path(path, log->name, sizeof(log->name));
	if (!IS_ERR(name)) {
		end = mangle_path(log->name, name, "\n");
		if (end) {
			*end = 0;
			return log->name;
		}
	}
	scnprintf(log->name, sizeof(log->name), ".../%pd", path->dentry);
	return log->name;
}

/**
 * ckpt_log_flush - write out what the log has so far
 * @log: the log
 *
 * Context: nothing is frozen. Waits for whoever reads the log.
 */
void ckpt_log_flush(struct ckpt_log *log)
{
	size_t done = 0;
	loff_t pos;

	might_sleep();
	if (!log->file)
		return;
	if (log->dropped) {
		log->len += scnprintf(log->buf + log->len,
				      CKPT_LOG_MAX - log->len,
				      "... and %u lines more\n", log->dropped);
		log->dropped = 0;
	}
	while (done < log->len) {
		ssize_t n;

		pos = log->file->f_pos;
		n = kernel_write(log->file, log->buf + done, log->len - done,
				 &pos);
		/* A log that cannot be written must not change the outcome. */
		if (n <= 0)
			break;
		log->file->f_pos = pos;
		done += n;
	}
	log->len = 0;
}

/**
 * ckpt_log_close - write out the log and let go of it
 * @log: the log
 *
 * Context: nothing is frozen. Waits for whoever reads the log.
 */
void ckpt_log_close(struct ckpt_log *log)
{
	if (!log->file)
		return;
	ckpt_log_flush(log);
	kvfree(log->buf);
	fput(log->file);
	log->buf = NULL;
	log->file = NULL;
}
