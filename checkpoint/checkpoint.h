/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CHECKPOINT_INTERNAL_H
#define _CHECKPOINT_INTERNAL_H
#include <linux/checkpoint.h>
#include <linux/refcount.h>
#include <linux/wait.h>

struct ckpt_freezer {
	refcount_t ref;
	atomic_t pending;
	bool thawed;
	wait_queue_head_t wait;
	wait_queue_head_t thaw;
};
#endif
