// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policies that are made from an image. Part of mempolicy.c.
 */
#include <linux/mm_ckpt.h>

/**
 * ckpt_set_mempolicy - as set_mempolicy() for current
 * @mode: MPOL_* with MPOL_F_*
 * @nodes: the nodes
 *
 * Context: may sleep; no locks held.
 * Return: 0 or a negative errno.
 */
int ckpt_set_mempolicy(int mode, nodemask_t *nodes)
{
	unsigned short flags;

	return sanitize_mpol_flags(&mode, &flags) ?:
	       do_set_mempolicy(mode, flags, nodes);
}

/**
 * ckpt_mbind - as mbind() for current; pages that are elsewhere are moved
 * @start: first address
 * @len: in bytes
 * @mode: MPOL_* with MPOL_F_*
 * @nodes: the nodes
 *
 * Context: may sleep; no locks held.
 * Return: 0 or a negative errno.
 */
int ckpt_mbind(unsigned long start, unsigned long len, int mode,
	       nodemask_t *nodes)
{
	unsigned short flags;

	return sanitize_mpol_flags(&mode, &flags) ?:
	       do_mbind(start, len, mode, flags, nodes, MPOL_MF_MOVE);
}
