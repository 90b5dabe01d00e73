// SPDX-License-Identifier: GPL-2.0
/*
 * vfork() in progress: the parent waits in the kernel until its child has
 * executed a program or exited, and cannot come to the freeze trap before.
 *
 * So it is frozen where it waits, as for the cgroup freezer: it has arrived as
 * soon as it is asked, by ckpt_freeze_task() or when it enters the wait. Its
 * registers are those of the system call, which has made the child already.
 *
 *	parent				child		checkpointer
 *	------				-----		------------
 *	ckpt_enter_vfork()				ckpt_freeze_task()
 *	  asked: CKPT_FROZEN,				  of one that waits:
 *	  pending--					  CKPT_FROZEN at once
 *	sleeps					trap
 *					exec, exit
 *	ckpt_leave_vfork()				ckpt_vfork_over()
 *	  CKPT_FROZEN: sleeps on			  child is done: clear
 *	  ->thaw until it is thawed			  CKPT_FROZEN, pending++
 *	  or no more frozen: trap			  and look again
 *
 * After a restart the parent waits again, with a completion of its own in
 * vfork_done of the child, and then returns the pid that the child has now.
 */
#include <linux/checkpoint.h>
#include <linux/completion.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "checkpoint.h"

/* ---- freeze -------------------------------------------------------------- */

/**
 * ckpt_enter_vfork - current waits for a child of vfork() from now on
 * @child: the child, with a reference until ckpt_leave_vfork()
 *
 * Context: process context, no locks held.
 */
void ckpt_enter_vfork(struct task_struct *child)
{
	struct ckpt_freezer *fz = NULL;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	current->ckpt_vfork_child = child;
	if (current->jobctl & JOBCTL_TRAP_CKPT) {
		current->jobctl |= JOBCTL_CKPT_FROZEN;
		fz = current->ckpt_freezer;
	}
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	if (fz)
		ckpt_freezer_arrived(fz);
}

/* A freezer that has not thawed and counts on current to stand still. */
static struct ckpt_freezer *ckpt_frozen_by(void)
{
	struct ckpt_freezer *fz = current->ckpt_freezer;

	lockdep_assert_held(&ckpt_sighand(current)->siglock);
	if (!(current->jobctl & JOBCTL_CKPT_FROZEN))
		return NULL;
	if (!READ_ONCE(fz->thawed) && !__fatal_signal_pending(current))
		return fz;
	ckpt_freezer_put(ckpt_freeze_clear(current));
	return NULL;
}

/**
 * ckpt_leave_vfork - current has waited for its child
 *
 * Sleeps as long as somebody relies on it to stand still.
 *
 * Context: process context, no locks held.
 */
void ckpt_leave_vfork(void)
{
	struct ckpt_freezer *fz;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	while ((fz = ckpt_frozen_by())) {
		/* The next freezer may take the place of one that has thawed. */
		refcount_inc(&fz->ref);
		spin_unlock_irq(&ckpt_sighand(current)->siglock);
		wait_event_state(fz->thaw, READ_ONCE(fz->thawed) ||
				 !(READ_ONCE(current->jobctl) & JOBCTL_CKPT_FROZEN),
				 CKPT_FROZEN_STATE);
		ckpt_freezer_put(fz);
		spin_lock_irq(&ckpt_sighand(current)->siglock);
	}
	current->ckpt_vfork_child = NULL;
	recalc_sigpending();
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

/**
 * ckpt_vfork_over - does a frozen task no longer wait for a child of vfork()?
 * @fz: the freezer that holds it
 * @t: the task
 *
 * If so it has to come to the trap after all.
 *
 * Return: true if it is to be waited for again.
 */
bool ckpt_vfork_over(struct ckpt_freezer *fz, struct task_struct *t)
{
	struct task_struct *child;
	unsigned long flags;
	bool over;

	if (!READ_ONCE(t->ckpt_vfork_child) || !lock_task_sighand(t, &flags))
		return false;
	child = t->ckpt_vfork_child;
	over = child && !READ_ONCE(child->vfork_done) &&
	       (t->jobctl & JOBCTL_CKPT_FROZEN) && t->ckpt_freezer == fz;
	if (over) {
		WRITE_ONCE(t->jobctl, t->jobctl & ~JOBCTL_CKPT_FROZEN);
		atomic_inc(&fz->pending);
		wake_up_process(t);
	}
	unlock_task_sighand(t, &flags);
	return over;
}

/* ---- checkpoint ------------------------------------------------------------- */

/**
 * ckpt_relate_vfork - find the child of vfork() that a task waits for
 * @ctx: the checkpoint, with the index of its tasks
 * @ct: the task, frozen
 *
 * Sets @ct->vfork and, of the child, its @waited.
 */
void ckpt_relate_vfork(struct ckpt_ctx *ctx, struct ckpt_task *ct)
{
	struct task_struct *child;
	unsigned long flags;
	int i = -1;

	if (!READ_ONCE(ct->t->ckpt_vfork_child) ||
	    !lock_task_sighand(ct->t, &flags))
		return;
	child = ct->t->ckpt_vfork_child;
	if (child)
		i = ckpt_task_index(ctx, child);
	/* One that has exited may have left its number to another. */
	if (i >= 0 && ctx->tasks[i].t == child) {
		ct->vfork = 1 + i;
		ctx->tasks[i].waited = true;
	}
	unlock_task_sighand(ct->t, &flags);
}

/**
 * ckpt_check_vfork - refuse vfork() if parent or child are outside the tree
 * @ctx: the checkpoint
 * @ct: the task, frozen
 */
void ckpt_check_vfork(struct ckpt_ctx *ctx, const struct ckpt_task *ct)
{
	if (READ_ONCE(ct->t->vfork_done) && !ct->waited)
		ckpt_refuse(ctx, ct->t,
			    "was made by vfork() and its parent waits for it, which is outside");
	if (READ_ONCE(ct->t->ckpt_vfork_child) && !ct->vfork)
		ckpt_refuse(ctx, ct->t,
			    "waits for a child of vfork() that is outside");
}

/* ---- restart ---------------------------------------------------------------- */

/**
 * restore_vfork_check - look for the child of vfork() that a task waits for
 * @m: the task, whose turn it is
 *
 * Context: all tasks have joined.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_vfork_check(struct ckpt_member *m)
{
	u32 vfork = ckpt_rec_as(m->task, task)->vfork;
	struct ckpt_member *child;

	if (!vfork)
		return 0;
	child = ckpt_member(m->rs, vfork - 1);
	if (!child || child == m || child->waiter || ckpt_is_zombie(m) ||
	    ckpt_is_zombie(child))
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"task %u cannot be a child of vfork() that it waits for",
				vfork - 1);
	child->waiter = m;
	m->vfork_child = child;
	m->vfork_pid = task_pid_vnr(child->t);
	return 0;
}

/**
 * restore_vfork_commit - somebody waits for current, a child of vfork()
 * @m: the child, committed
 *
 * Context: past the point of no return, after the change of address space: that
 * ends a wait.
 */
void restore_vfork_commit(struct ckpt_member *m)
{
	if (!m->waiter)
		return;
	/* Pairs with restore_vfork_wait(). */
	task_lock(current);
	current->vfork_done = m->waiter->vfork;
	task_unlock(current);
}

/**
 * restore_vfork_wait - whom does current wait for, now that all may run?
 * @m: the task; on the way out of the restart, whether it failed or not
 *
 * Nobody has @m->vfork after this but the child that is returned.
 *
 * Return: the child, for wait_for_vfork_done(), or NULL.
 */
struct task_struct *restore_vfork_wait(struct ckpt_member *m)
{
	struct task_struct *child;
	bool waits;

	if (!m->vfork_child)
		return NULL;
	child = m->vfork_child->t;
	task_lock(child);
	waits = m->vfork && child->vfork_done == m->vfork;
	m->vfork = NULL;
	task_unlock(child);
	return waits ? get_task_struct(child) : NULL;
}
