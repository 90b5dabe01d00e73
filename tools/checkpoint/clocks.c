// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks that go on from where they were when the image was made.
 *
 * Memory of the program is full of deadlines on CLOCK_MONOTONIC. After a reboot
 * or on another machine that clock has another value; a time namespace sets it
 * right.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "util.h"

#define BOOT_ID		"/proc/sys/kernel/random/boot_id"
#define OFFSETS		"/proc/self/timens_offsets"

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* 16 bytes from the text form of a UUID. */
static bool parse_uuid(const char *s, unsigned char *uuid)
{
	unsigned int i, byte;

	for (i = 0; i < CKPT_UUID_LEN; i++) {
		s += *s == '-';
		if (sscanf(s, "%2x", &byte) != 1)
			return false;
		uuid[i] = byte;
		s += 2;
	}
	return !*s;
}

static int same_boot(const struct ckpt_rec_header *header, bool *same)
{
	unsigned char uuid[CKPT_UUID_LEN];
	char text[64];

	if (read_text(BOOT_ID, text, sizeof(text)) <= 0 ||
	    !parse_uuid(text, uuid)) {
		msg("cannot tell whether the system was rebooted: %s: %s",
		    BOOT_ID, strerror(errno));
		msg("mount /proc, or use --time=host if nothing depends on the clocks");
		return -1;
	}
	*same = !memcmp(uuid, header->boot_id, sizeof(uuid));
	return 0;
}

int clocks_offset_line(char *buf, size_t size, const char *clock, long long ns)
{
	long long sec = ns / NSEC_PER_SEC;
	long long nsec = ns % NSEC_PER_SEC;

	if (nsec < 0) {
		nsec += NSEC_PER_SEC;
		sec--;
	}
	return snprintf(buf, size, "%s %lld %lld\n", clock, sec, nsec);
}

/* The offset that @clock has already: we may live in a time namespace. */
static long long present_offset(const char *offsets, const char *clock)
{
	const char *line = strstr(offsets, clock);
	long long sec, nsec;

	if (!line || sscanf(line + strlen(clock), "%lld %lld", &sec, &nsec) != 2)
		return 0;
	return sec * NSEC_PER_SEC + nsec;
}

static int refuse(const char *what, int err)
{
	msg("cannot %s: %s", what, strerror(err));
	if (err == EPERM || err == EACCES)
		msg("it needs CAP_SYS_ADMIN and CAP_SYS_TIME (run as root)");
	else if (err == EINVAL)
		msg("the kernel has to be built with CONFIG_TIME_NS");
	msg("the image is from before a reboot: with --time=host the program sees the clocks of this machine jump instead");
	return -1;
}

static int write_offsets(long long monotonic, long long boottime)
{
	char text[256];
	int fd, len, err;

	len = clocks_offset_line(text, sizeof(text), "monotonic", monotonic);
	len += clocks_offset_line(text + len, sizeof(text) - len, "boottime",
				  boottime);
	fd = open(OFFSETS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse("open " OFFSETS, errno);
	err = write(fd, text, len) == len ? 0 : errno;
	close(fd);
	return err ? refuse("set the clocks of a time namespace", err) : 0;
}

static int continue_clocks(const struct ckpt_rec_header *header)
{
	long long monotonic, boottime;
	char offsets[256];

	if (unshare(CLONE_NEWTIME))
		return refuse("make a time namespace", errno);
	if (read_text(OFFSETS, offsets, sizeof(offsets)) < 0)
		return refuse("read " OFFSETS, errno);
	monotonic = header->monotonic_ns - now_ns(CLOCK_MONOTONIC) +
		    present_offset(offsets, "monotonic");
	boottime = header->boottime_ns - now_ns(CLOCK_BOOTTIME) +
		   present_offset(offsets, "boottime");
	return write_offsets(monotonic, boottime);
}

/*
 * On the same boot time has simply passed, unless the program lived in a time
 * namespace that was ahead: its clocks must not go back.
 */
static bool clocks_fit(const struct ckpt_rec_header *header)
{
	return header->monotonic_ns <= now_ns(CLOCK_MONOTONIC) &&
	       header->boottime_ns <= now_ns(CLOCK_BOOTTIME);
}

int clocks_prepare(const struct ckpt_rec_header *header, bool host,
		   bool verbose)
{
	bool same;

	if (host)
		return 0;
	if (header->monotonic_ns < 0 || header->boottime_ns < 0) {
		msg("the image says that it was made before the clocks started");
		return -1;
	}
	if (same_boot(header, &same))
		return -1;
	if (same && clocks_fit(header))
		return 0;
	if (verbose)
		msg("another boot: the clocks go on from the image in a time namespace");
	return continue_clocks(header);
}
