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
#include <limits.h>
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

/**
 * struct offsets - what a time namespace adds to the clocks of the machine
 * @monotonic: in ns
 * @boottime: in ns
 */
struct offsets {
	long long monotonic;
	long long boottime;
};

/* Zeros on a kernel without time namespaces. */
static struct offsets present_offsets(void)
{
	char text[256];

	read_text(OFFSETS, text, sizeof(text));
	return (struct offsets){
		.monotonic = present_offset(text, "monotonic"),
		.boottime = present_offset(text, "boottime"),
	};
}

static int refuse(const char *what, int err)
{
	msg("cannot %s: %s", what, strerror(err));
	if (err == EPERM || err == EACCES)
		msg("it needs CAP_SYS_ADMIN and CAP_SYS_TIME (run as root)");
	else if (err == EINVAL || err == ENOENT)
		msg("the kernel has to be built with CONFIG_TIME_NS, and /proc mounted");
	msg("the program had other clocks than this machine has now");
	msg("with --time=host it is restarted all the same and sees them jump");
	return -1;
}

static int set_offsets(const struct offsets *need)
{
	char text[256];
	int fd, len, err;

	if (unshare(CLONE_NEWTIME))
		return refuse("make a time namespace", errno);
	len = clocks_offset_line(text, sizeof(text), "monotonic",
				 need->monotonic);
	len += clocks_offset_line(text + len, sizeof(text) - len, "boottime",
				  need->boottime);
	fd = open(OFFSETS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse("open " OFFSETS, errno);
	err = write(fd, text, len) == len ? 0 : errno;
	close(fd);
	return err ? refuse("set the clocks of a time namespace", err) : 0;
}

/* Nothing below overflows with such a time. */
static bool sane(long long ns)
{
	return ns >= 0 && ns < LLONG_MAX / 4;
}

int clocks_prepare(const struct ckpt_rec_header *header, bool host,
		   bool verbose)
{
	struct offsets have = present_offsets();
	struct offsets need = {
		.monotonic = header->timens_monotonic_ns,
		.boottime = header->timens_boottime_ns,
	};
	bool same;

	if (host)
		return 0;
	if (!sane(header->monotonic_ns) || !sane(header->boottime_ns)) {
		msg("the image names a time that no clock can show");
		return -1;
	}
	if (same_boot(header, &same))
		return -1;
	if (!same) {
		need.monotonic = have.monotonic + header->monotonic_ns -
				 now_ns(CLOCK_MONOTONIC);
		need.boottime = have.boottime + header->boottime_ns -
				now_ns(CLOCK_BOOTTIME);
	}
	/* On the same boot, by the same clocks, time has simply passed. */
	if (same && need.monotonic == have.monotonic &&
	    need.boottime == have.boottime)
		return 0;
	if (verbose)
		msg("%s: its clocks go on in a time namespace", same ?
		    "the program had clocks of its own" :
		    "the program was saved on another boot");
	return set_offsets(&need);
}
