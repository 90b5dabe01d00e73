// SPDX-License-Identifier: GPL-2.0
/*
 * Signalfds: which signals they take. The signals themselves stay in the queues
 * of the tasks, and whose they are is a matter of who reads.
 */
#include <linux/checkpoint_fds.h>
#include <linux/file.h>
#include <linux/signal.h>

#include "checkpoint.h"

/**
 * ckpt_is_signalfd - is the file a signalfd?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_signalfd(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_signalfd_get(file, NULL);
}

/**
 * checkpoint_signalfd - write the SIGNALFD record of a file
 * @ctx: the checkpoint
 * @file: the signalfd
 * @objref: of the file
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_signalfd(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_rec_signalfd *rec;
	sigset_t mask;

	BUILD_BUG_ON(_NSIG_WORDS != 1);
	rec = ckpt_rec_new(ctx, signalfd, CKPT_REC_SIGNALFD, 0);
	if (!rec)
		return -ENOMEM;
	ckpt_signalfd_get(file, &mask);
	rec->file = objref;
	rec->mask = mask.sig[0];
	return 0;
}

/**
 * restore_signalfd - make a signalfd
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_signalfd(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	sigset_t mask = { { ckpt_rec_as(part, signalfd)->mask } };
	struct file *file;

	if (mask.sig[0] & (sigmask(SIGKILL) | sigmask(SIGSTOP)))
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "takes SIGKILL or SIGSTOP"));
	file = ckpt_signalfd_make(&mask);
	if (IS_ERR(file))
		ckpt_bad(rs, part, PTR_ERR(file), "a signalfd cannot be made");
	return file;
}
