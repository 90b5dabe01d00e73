/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rest of the kernel calls of checkpoint/restart.
 */
#ifndef _LINUX_CHECKPOINT_H
#define _LINUX_CHECKPOINT_H

#include <linux/sched.h>
#include <linux/sched/jobctl.h>

struct completion;

int wait_for_vfork_done(struct task_struct *child, struct completion *vfork);

#ifdef CONFIG_CHECKPOINT

void ckpt_freeze_trap(void)
	__releases(&current->sighand->siglock);
void __ckpt_fork(struct task_struct *p);
void __ckpt_exit(struct task_struct *tsk);
void ckpt_enter_vfork(struct task_struct *child);
void ckpt_leave_vfork(void);
bool ckpt_only_freeze_pending(void);
void random_get_boot_id(u8 *uuid);

/**
 * ckpt_fork - a new task is about to become visible
 * @p: the new task
 *
 * A child of a task that is asked to freeze is born with the same request, so
 * that whoever walks the tree cannot miss it.
 *
 * Context: current's siglock and tasklist_lock (write) held.
 */
static inline void ckpt_fork(struct task_struct *p)
{
	p->ckpt_freezer = NULL;
	if (unlikely(current->jobctl & JOBCTL_TRAP_CKPT))
		__ckpt_fork(p);
}

/**
 * ckpt_exit - a task exits and will not reach the freeze trap any more
 * @tsk: current
 *
 * Context: PF_EXITING is set. The barrier pairs with the one in
 * ckpt_freeze_task(): either the exiting task sees the request here, or the
 * requester sees PF_EXITING.
 */
static inline void ckpt_exit(struct task_struct *tsk)
{
	smp_mb(); /* pairs with ckpt_freeze_task() */
	if (unlikely(READ_ONCE(tsk->jobctl) & JOBCTL_TRAP_CKPT))
		__ckpt_exit(tsk);
}

#else /* !CONFIG_CHECKPOINT */

static inline void ckpt_freeze_trap(void) { }
static inline void ckpt_fork(struct task_struct *p) { }
static inline void ckpt_exit(struct task_struct *tsk) { }
static inline void ckpt_enter_vfork(struct task_struct *child) { }
static inline void ckpt_leave_vfork(void) { }
static inline bool ckpt_only_freeze_pending(void) { return false; }

#endif /* CONFIG_CHECKPOINT */
#endif /* _LINUX_CHECKPOINT_H */
