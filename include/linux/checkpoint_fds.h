/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What open files keep in structs of their owners, for checkpoint/restart. The
 * functions stand in fs/..._ckpt.c, which the owner includes.
 */
#ifndef _LINUX_CHECKPOINT_FDS_H
#define _LINUX_CHECKPOINT_FDS_H

#include <linux/types.h>

struct file;

/**
 * struct ckpt_eventfd - an eventfd
 * @count: its counter
 * @flags: EFD_SEMAPHORE
 */
struct ckpt_eventfd {
	u64 count;
	unsigned int flags;
};

struct file *ckpt_take_fd(int fd);
bool ckpt_eventfd_get(struct file *file, struct ckpt_eventfd *state);
struct file *ckpt_eventfd_make(const struct ckpt_eventfd *state);

#endif /* _LINUX_CHECKPOINT_FDS_H */
