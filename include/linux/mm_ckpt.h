/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What checkpoint/ needs of the inside of mm/.
 */
#ifndef _LINUX_MM_CKPT_H
#define _LINUX_MM_CKPT_H

#include <linux/nodemask.h>
#include <linux/types.h>

#ifdef CONFIG_CHECKPOINT

int ckpt_mlock(unsigned long start, unsigned long len, bool on_fault);
int ckpt_mlock_future(bool on_fault);

#ifdef CONFIG_NUMA
int ckpt_set_mempolicy(int mode, nodemask_t *nodes);
int ckpt_mbind(unsigned long start, unsigned long len, int mode,
	       nodemask_t *nodes);
#endif

#endif /* CONFIG_CHECKPOINT */
#endif /* _LINUX_MM_CKPT_H */
