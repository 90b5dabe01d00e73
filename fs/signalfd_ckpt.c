// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/signalfd.c that is for checkpoint/restart; it includes this
 * file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/**
 * ckpt_signalfd_get - look at a signalfd
 * @file: some file
 * @mask: out, the signals that it takes, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_signalfd_get(struct file *file, sigset_t *mask)
{
	struct signalfd_ctx *ctx = file->private_data;

	if (file->f_op != &signalfd_fops)
		return false;
	if (!mask)
		return true;
	*mask = ctx->sigmask;
	signotset(mask);
	return true;
}

/**
 * ckpt_signalfd_make - make a signalfd
 * @mask: the signals that it takes
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ckpt_signalfd_make(const sigset_t *mask)
{
	sigset_t set = *mask;

	return ckpt_take_fd(do_signalfd4(-1, &set, 0));
}

#endif /* CONFIG_CHECKPOINT */
