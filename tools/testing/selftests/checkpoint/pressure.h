/* SPDX-License-Identifier: GPL-2.0 */
/* Little memory: swap, and a control group that this process and others enter. */
#ifndef _CKPT_TEST_PRESSURE_H
#define _CKPT_TEST_PRESSURE_H

#include "ckpt_test.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>

#define SWAP_DIR	"/tmp/swap"
#define SWAP_PAGE	4096
#define CGROUP		"/tmp/cgroup"
#define GROUP		CGROUP "/ckpt"

static char loop_path[32];
static int loop_fd = -1;

/* Swap on a loop device: a file on ramfs holds it, which is never swapped. */
static inline bool swap_on(unsigned long mib)
{
	static uint32_t header[SWAP_PAGE / 4];
	unsigned long bytes = mib << 20;
	int file, ctl, nr;

	mkdir(SWAP_DIR, 0700);
	if (mount("r", SWAP_DIR, "ramfs", 0, NULL))
		return false;
	file = open(SWAP_DIR "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	snprintf(loop_path, sizeof(loop_path), "/dev/loop%d", nr);
	loop_fd = open(loop_path, O_RDWR | O_CLOEXEC);
	close(ctl);
	/* See union swap_header. */
	header[256] = 1;
	header[257] = bytes / SWAP_PAGE - 1;
	memcpy((char *)header + SWAP_PAGE - 10, "SWAPSPACE2", 10);
	if (ftruncate(file, bytes) ||
	    pwrite(file, header, SWAP_PAGE, 0) != SWAP_PAGE ||
	    ioctl(loop_fd, LOOP_SET_FD, file))
		return false;
	close(file);
	return !swapon(loop_path, 0);
}

static inline void swap_off(void)
{
	swapoff(loop_path);
	ioctl(loop_fd, LOOP_CLR_FD, 0);
	close(loop_fd);
	umount2(SWAP_DIR, MNT_DETACH);
	rmdir(SWAP_DIR);
}

static inline bool make_group(void)
{
	mkdir(CGROUP, 0700);
	if (mount("c", CGROUP, "cgroup2", 0, NULL))
		return false;
	ckpt_write_text(CGROUP "/cgroup.subtree_control", "+memory");
	return !mkdir(GROUP, 0700) || errno == EEXIST;
}

/* This process, and all that it starts. */
static inline bool join_group(void)
{
	return ckpt_write_text(GROUP "/cgroup.procs", "0");
}

static inline bool enter_group(void)
{
	return make_group() && join_group();
}

static inline void leave_group(void)
{
	ckpt_write_text(CGROUP "/cgroup.procs", "0");
	rmdir(GROUP);
	umount2(CGROUP, MNT_DETACH);
	rmdir(CGROUP);
}

/* A number, or that behind @key; -1 if there is none. */
static inline long group_value(const char *name, const char *key)
{
	char path[128], text[4096];
	const char *p = text;

	snprintf(path, sizeof(path), GROUP "/%s", name);
	if (ckpt_read_text(path, text, sizeof(text)) <= 0)
		return -1;
	if (key)
		p = strstr(text, key);
	return p ? atol(p + (key ? strlen(key) : 0)) : -1;
}

#endif /* _CKPT_TEST_PRESSURE_H */
