// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/eventfd.c that is for checkpoint/restart; it includes this
 * file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/**
 * ckpt_eventfd_get - look at an eventfd
 * @file: some file
 * @state: out, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_eventfd_get(struct file *file, struct ckpt_eventfd *state)
{
	struct eventfd_ctx *ctx = file->private_data;

	if (file->f_op != &eventfd_fops)
		return false;
	if (!state)
		return true;
	spin_lock_irq(&ctx->wqh.lock);
	state->count = ctx->count;
	spin_unlock_irq(&ctx->wqh.lock);
	state->flags = ctx->flags & EFD_SEMAPHORE;
	return true;
}

/**
 * ckpt_eventfd_make - make an eventfd
 * @state: what it is like
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ckpt_eventfd_make(const struct ckpt_eventfd *state)
{
	struct eventfd_ctx *ctx;
	struct file *file;

	file = ckpt_take_fd(do_eventfd(0, state->flags));
	if (IS_ERR(file))
		return file;
	ctx = file->private_data;
	spin_lock_irq(&ctx->wqh.lock);
	ctx->count = state->count;
	spin_unlock_irq(&ctx->wqh.lock);
	return file;
}

#endif /* CONFIG_CHECKPOINT */
