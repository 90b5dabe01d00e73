// SPDX-License-Identifier: GPL-2.0
/* Words for the numbers of an image, and its strings made harmless. */
#include <signal.h>
#include <string.h>

#include "model.h"
#include "util.h"

const char *file_kind_name(__u32 kind)
{
	static const char * const names[] = {
		[CKPT_FILE_REG] = "file",
		[CKPT_FILE_DIR] = "directory",
		[CKPT_FILE_CHR] = "device",
		[CKPT_FILE_TTY] = "terminal",
		[CKPT_FILE_IMAGE] = "the image",
		[CKPT_FILE_LOG] = "the log",
		[CKPT_FILE_PIPE] = "pipe",
		[CKPT_FILE_EVENTFD] = "eventfd",
		[CKPT_FILE_FIFO] = "FIFO",
		[CKPT_FILE_TIMERFD] = "timerfd",
		[CKPT_FILE_SIGNALFD] = "signalfd",
		[CKPT_FILE_EPOLL] = "epoll",
		[CKPT_FILE_PIDFD] = "pidfd",
		[CKPT_FILE_INODE] = "unnamed file",
		[CKPT_FILE_INODE_MADE] = "unnamed file",
		[CKPT_FILE_UNIX] = "socket",
		[CKPT_FILE_NODE] = "location",
		[CKPT_FILE_KERNFS] = "kernel text",
		[CKPT_FILE_PROC] = "proc",
		[CKPT_FILE_INOTIFY] = "inotify",
		[CKPT_FILE_EXTERNAL] = "external",
		[CKPT_FILE_NS] = "namespace",
		[CKPT_FILE_FANOTIFY] = "fanotify",
		[CKPT_FILE_FIFO_INODE] = "FIFO",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "unknown";
}

const char *restart_kind_name(__u32 kind)
{
	static const char * const names[] = {
		[CKPT_RESTART_NONE] = "none",
		[CKPT_RESTART_NANOSLEEP] = "nanosleep",
		[CKPT_RESTART_CPU_NANOSLEEP] = "nanosleep (CPU time)",
		[CKPT_RESTART_ALARM_NANOSLEEP] = "nanosleep (alarm clock)",
		[CKPT_RESTART_POLL] = "poll",
		[CKPT_RESTART_FUTEX_WAIT] = "futex",
		[CKPT_RESTART_CALL] = "system call",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "unknown";
}

const char *policy_name(__u32 policy)
{
	static const char * const names[] = {
		"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", NULL,
		"SCHED_IDLE", "SCHED_DEADLINE", "SCHED_EXT",
	};

	return policy < ARRAY_SIZE(names) && names[policy] ? names[policy] :
							     "unknown";
}

/* Length of the valid, harmless UTF-8 sequence at @s, 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t len, i;
	__u32 c;

	if (*s < 0x80)
		return *s >= 0x20 && *s != 0x7f;
	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	len = *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	c = *s & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* Overlong, surrogates, beyond Unicode, C1 controls. */
	if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000) ||
	    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || c < 0xa0)
		return 0;
	return len;
}

const char *clean(const char *s)
{
	static char bufs[4][4 * CKPT_PATH_MAX + 1];
	static unsigned int turn;
	char *buf = bufs[turn++ % ARRAY_SIZE(bufs)];
	size_t at = 0, n;

	while (*s && at < sizeof(bufs[0]) - 5) {
		n = utf8_len((const unsigned char *)s);
		if (n) {
			memcpy(buf + at, s, n);
			at += n;
			s += n;
		} else {
			at += sprintf(buf + at, "\\x%02x", (unsigned char)*s++);
		}
	}
	buf[at] = 0;
	return buf;
}

const char *signal_names(__u64 set)
{
	static char buf[64 * 12];
	size_t at = 0;
	int sig;

	buf[0] = 0;
	for (sig = 1; sig <= 64; sig++) {
		const char *name = sig < 32 ? sigabbrev_np(sig) : NULL;

		if (!(set >> (sig - 1) & 1))
			continue;
		at += name ? sprintf(buf + at, "%sSIG%s", at ? " " : "", name) :
			     sprintf(buf + at, "%s%d", at ? " " : "", sig);
	}
	return buf;
}

const char *uuid_text(const __u8 *uuid)
{
	static char bufs[4][2 * CKPT_UUID_LEN + 5];
	static unsigned int turn;
	char *buf = bufs[turn++ % ARRAY_SIZE(bufs)];
	size_t i, at = 0;

	for (i = 0; i < CKPT_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf[at++] = '-';
		at += sprintf(buf + at, "%02x", uuid[i]);
	}
	return buf;
}
