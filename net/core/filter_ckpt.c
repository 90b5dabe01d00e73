// SPDX-License-Identifier: GPL-2.0
/*
 * Classic BPF programs that come from an image. Part of filter.c.
 */
#include <linux/seccomp_ckpt.h>

/**
 * ckpt_bpf_prog_create - bpf_prog_create_from_user(), from kernel memory
 * @pfp: out, the program
 * @fprog: what it is made of; is checked here
 * @trans: further check and translation
 *
 * The program as it was given is kept.
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int ckpt_bpf_prog_create(struct bpf_prog **pfp,
			 const struct sock_fprog_kern *fprog,
			 bpf_aux_classic_check_t trans)
{
	/* The instructions are taken from the new program. */
	struct sock_fprog orig = { .len = fprog->len };
	struct bpf_prog *fp;
	int err;

	if (!bpf_check_basics_ok(fprog->filter, fprog->len))
		return -EINVAL;
	fp = bpf_prog_alloc(bpf_prog_size(fprog->len), __GFP_NOWARN);
	if (!fp)
		return -ENOMEM;
	memcpy(fp->insns, fprog->filter, bpf_classic_proglen(fprog));
	fp->len = fprog->len;
	fp->orig_prog = NULL;
	err = bpf_prog_store_orig_filter(fp, &orig);
	if (err) {
		__bpf_prog_free(fp);
		return err;
	}
	/* Frees it on failure. */
	fp = bpf_prepare_filter(fp, trans);
	if (IS_ERR(fp))
		return PTR_ERR(fp);
	*pfp = fp;
	return 0;
}
