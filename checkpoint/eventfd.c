// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds: a counter. Its number in /proc/PID/fdinfo is the kernel's.
 */
#include <linux/checkpoint_fds.h>
#include <linux/eventfd.h>
#include <linux/file.h>

#include "checkpoint.h"

/**
 * ckpt_is_eventfd - is the file an eventfd?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_eventfd(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_eventfd_get(file, NULL);
}

/**
 * checkpoint_eventfd - write the EVENTFD record of a file
 * @ctx: the checkpoint
 * @file: the eventfd
 * @objref: of the file
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_eventfd(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_rec_eventfd *rec;
	struct ckpt_eventfd state;

	rec = ckpt_rec_new(ctx, eventfd, CKPT_REC_EVENTFD, 0);
	if (!rec)
		return -ENOMEM;
	ckpt_eventfd_get(file, &state);
	rec->file = objref;
	rec->count = state.count;
	if (state.flags & EFD_SEMAPHORE)
		rec->flags |= CKPT_EVENTFD_SEMAPHORE;
	return 0;
}

/**
 * restore_eventfd - make an eventfd
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_eventfd(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_eventfd *rec = ckpt_rec_as(part, eventfd);
	struct ckpt_eventfd state = { .count = rec->count };
	struct file *file;

	if (rec->flags & ~CKPT_EVENTFD_SEMAPHORE)
		return ERR_PTR(ckpt_bad(rs, part, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags));
	if (rec->flags & CKPT_EVENTFD_SEMAPHORE)
		state.flags = EFD_SEMAPHORE;
	file = ckpt_eventfd_make(&state);
	if (IS_ERR(file))
		ckpt_bad(rs, part, PTR_ERR(file), "an eventfd cannot be made");
	return file;
}
