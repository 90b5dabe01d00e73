// SPDX-License-Identifier: GPL-2.0
/*
 * Bringing the tasks of a checkpoint to a halt, and letting them go again.
 *
 * A task is asked to freeze by JOBCTL_TRAP_CKPT in its jobctl, with a reference
 * to the freezer in task->ckpt_freezer. It then comes to ckpt_freeze_trap() by
 * way of get_signal(), where it sleeps until the freezer thaws or SIGKILL comes.
 * One that waits for a child of vfork() freezes there, see vfork.c.
 * Job control and the cgroup freezer know nothing of it.
 *
 * The bit and task->ckpt_freezer are protected by the siglock of the task. They
 * are set by ckpt_freeze_task() or at birth by __ckpt_fork(), and cleared only
 * by the task itself, when it leaves the trap or exits. So whoever thaws need
 * not find the tasks: the last reference to the freezer goes with the last of
 * them, and a task whose parent was killed meanwhile is not left behind.
 *
 *	checkpointer			task
 *	------------			----
 *	ckpt_freeze_task()
 *	  pending++
 *	  set bit, kick			get_signal()
 *	ckpt_freezer_wait()		  ckpt_freeze_trap()
 *	  sleeps on ->wait		    set CKPT_FROZEN, queue on ->thaw
 *					    pending--, wake ->wait
 *	  pending == 0			    sleeps
 *	  wait_task_inactive()
 *	... capture ...
 *	ckpt_freezer_thaw()
 *	  thawed = true, wake ->thaw	    clear bits, put freezer
 */
#include <linux/checkpoint.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "checkpoint.h"

/**
 * ckpt_freezer_alloc - make a freezer
 *
 * Return: a freezer with one reference, or NULL.
 */
struct ckpt_freezer *ckpt_freezer_alloc(void)
{
	struct ckpt_freezer *fz = kzalloc(sizeof(*fz), GFP_KERNEL_ACCOUNT);

	if (!fz)
		return NULL;
	refcount_set(&fz->ref, 1);
	init_waitqueue_head(&fz->wait);
	init_waitqueue_head(&fz->thaw);
	return fz;
}

/**
 * ckpt_freezer_put - drop a reference to a freezer
 * @fz: the freezer, may be NULL
 */
void ckpt_freezer_put(struct ckpt_freezer *fz)
{
	if (fz && refcount_dec_and_test(&fz->ref))
		kfree(fz);
}

/**
 * ckpt_freezer_arrived - a task need no longer be waited for
 * @fz: the freezer that has asked it: it froze or it exits
 */
void ckpt_freezer_arrived(struct ckpt_freezer *fz)
{
	if (atomic_dec_and_test(&fz->pending))
		wake_up_all(&fz->wait);
}

/**
 * ckpt_freeze_clear - take the request to freeze off a task
 * @t: the task, asked to freeze
 *
 * Context: siglock of @t held.
 * Return: the freezer, with the reference that the task had.
 */
struct ckpt_freezer *ckpt_freeze_clear(struct task_struct *t)
{
	struct ckpt_freezer *fz = t->ckpt_freezer;

	lockdep_assert_held(&ckpt_sighand(t)->siglock);
	t->jobctl &= ~(JOBCTL_TRAP_CKPT | JOBCTL_CKPT_FROZEN);
	t->ckpt_freezer = NULL;
	return fz;
}

/*
 * Says that current has arrived and sleeps, with no preemption in between: the
 * checkpointer, woken by the last to arrive, would find a task that is still on
 * the run queue, and wait_task_inactive() looks again after a tick only. See
 * ptrace_stop(). Ends on SIGKILL, too, which get_signal() looks for next.
 */
static void ckpt_freeze_sleep(struct ckpt_freezer *fz)
{
	bool rt = IS_ENABLED(CONFIG_PREEMPT_RT);
	DEFINE_WAIT(wait);

	prepare_to_wait(&fz->thaw, &wait, CKPT_FROZEN_STATE);
	if (!rt)
		preempt_disable();
	ckpt_freezer_arrived(fz);
	if (!rt)
		preempt_enable_no_resched();
	while (!READ_ONCE(fz->thawed) &&
	       !signal_pending_state(CKPT_FROZEN_STATE, current)) {
		schedule();
		prepare_to_wait(&fz->thaw, &wait, CKPT_FROZEN_STATE);
	}
	finish_wait(&fz->thaw, &wait);
}

/**
 * ckpt_freeze_trap - sleep until the checkpoint lets go
 *
 * Context: called by get_signal() with the siglock held, which is dropped. The
 * task holds no other lock and has left its system call.
 */
void ckpt_freeze_trap(void)
	__releases(&current->sighand->siglock)
{
	struct ckpt_freezer *fz = current->ckpt_freezer;

	current->jobctl |= JOBCTL_CKPT_FROZEN;
	spin_unlock_irq(&ckpt_sighand(current)->siglock);

	ckpt_freeze_sleep(fz);

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	ckpt_freeze_clear(current);
	recalc_sigpending();
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	ckpt_freezer_put(fz);
}

/* See ckpt_fork(). */
void __ckpt_fork(struct task_struct *p)
{
	struct ckpt_freezer *fz = current->ckpt_freezer;

	refcount_inc(&fz->ref);
	atomic_inc(&fz->pending);
	p->ckpt_freezer = fz;
	p->jobctl |= JOBCTL_TRAP_CKPT;
	set_tsk_thread_flag(p, TIF_SIGPENDING);
}

/* See ckpt_exit(). */
void __ckpt_exit(struct task_struct *tsk)
{
	struct ckpt_freezer *fz = NULL;

	spin_lock_irq(&ckpt_sighand(tsk)->siglock);
	if (tsk->jobctl & JOBCTL_TRAP_CKPT)
		fz = ckpt_freeze_clear(tsk);
	spin_unlock_irq(&ckpt_sighand(tsk)->siglock);
	if (fz) {
		ckpt_freezer_arrived(fz);
		ckpt_freezer_put(fz);
	}
}

static bool has_deliverable_signal(struct task_struct *t)
{
	sigset_t ready;

	lockdep_assert_held(&ckpt_sighand(t)->siglock);
	sigorsets(&ready, &t->pending.signal, &t->signal->shared_pending.signal);
	sigandnsets(&ready, &ready, &t->blocked);
	return !sigisemptyset(&ready);
}

/**
 * ckpt_only_freeze_pending - is the request to freeze all that woke current?
 *
 * For system calls that would end with EINTR or forget their deadline when they
 * are woken: if only the freeze woke them, they return a restart code instead.
 *
 * Return: true if there is a request to freeze and no signal to deliver. A
 * signal may come right after; restart codes allow for that.
 */
bool ckpt_only_freeze_pending(void)
{
	struct task_struct *t = current;
	bool only;

	if (likely(!(READ_ONCE(t->jobctl) & JOBCTL_TRAP_CKPT)))
		return false;

	spin_lock_irq(&ckpt_sighand(t)->siglock);
	only = (t->jobctl & JOBCTL_TRAP_CKPT) &&
	       !(t->jobctl & JOBCTL_PENDING_MASK) &&
	       !has_deliverable_signal(t);
	spin_unlock_irq(&ckpt_sighand(t)->siglock);
	return only;
}

/*
 * A stopped task goes from the stop to the trap. It stops again when it leaves
 * the trap, unless SIGCONT came in between: that takes JOBCTL_STOP_PENDING away.
 */
static void ckpt_freeze_kick(struct task_struct *t)
{
	lockdep_assert_held(&ckpt_sighand(t)->siglock);

	set_tsk_thread_flag(t, TIF_SIGPENDING);
	if (task_is_stopped(t)) {
		if (!(t->jobctl & JOBCTL_STOP_SIGMASK))
			t->jobctl |= SIGSTOP;
		t->jobctl |= JOBCTL_STOP_PENDING;
		t->jobctl &= ~JOBCTL_STOPPED;
		wake_up_state(t, __TASK_STOPPED);
		return;
	}
	signal_wake_up(t, 0);
}

/**
 * ckpt_freeze_task - ask a task to freeze
 * @fz: the freezer
 * @t: the task, not current
 *
 * Return: 0; -EBUSY if a checkpoint holds it already; -EAGAIN if one has let it
 * go and it has not run yet; -ESRCH if it exits.
 */
int ckpt_freeze_task(struct ckpt_freezer *fz, struct task_struct *t)
{
	unsigned long flags;
	int ret = 0;

	if (!lock_task_sighand(t, &flags))
		return -ESRCH;

	/* One that waits for a child of vfork() need not have seen the thaw. */
	if ((t->jobctl & JOBCTL_CKPT_FROZEN) && t->ckpt_vfork_child &&
	    READ_ONCE(t->ckpt_freezer->thawed))
		ckpt_freezer_put(ckpt_freeze_clear(t));
	if (t->flags & PF_EXITING) {
		ret = -ESRCH;
	} else if (t->jobctl & JOBCTL_TRAP_CKPT) {
		if (t->ckpt_freezer != fz)
			ret = READ_ONCE(t->ckpt_freezer->thawed) ? -EAGAIN :
								   -EBUSY;
	} else {
		refcount_inc(&fz->ref);
		t->ckpt_freezer = fz;
		if (t->ckpt_vfork_child) {
			t->jobctl |= JOBCTL_TRAP_CKPT | JOBCTL_CKPT_FROZEN;
			goto out;
		}
		atomic_inc(&fz->pending);
		WRITE_ONCE(t->jobctl, t->jobctl | JOBCTL_TRAP_CKPT);
		smp_mb(); /* pairs with ckpt_exit() */
		if (READ_ONCE(t->flags) & PF_EXITING) {
			ckpt_freeze_clear(t);
			atomic_dec(&fz->pending);
			ckpt_freezer_put(fz);
			ret = -ESRCH;
		} else {
			ckpt_freeze_kick(t);
		}
	}
out:
	unlock_task_sighand(t, &flags);
	return ret;
}

/**
 * ckpt_freezer_wait - wait until all tasks that were asked stand still
 * @fz: the freezer
 * @timeout: longest wait in jiffies
 *
 * Return: 0; -ETIMEDOUT; -EINTR if the caller got SIGKILL.
 */
int ckpt_freezer_wait(struct ckpt_freezer *fz, unsigned long timeout)
{
	long left;

	might_sleep();
	left = wait_event_killable_timeout(fz->wait,
					   !atomic_read(&fz->pending), timeout);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/**
 * ckpt_task_frozen - does the task stand still in the trap?
 * @t: the task
 *
 * Return: true if @t waits in the trap or for a child of vfork(), or has been
 * asked by nobody but is current, which is the caller of checkpoint() itself.
 */
bool ckpt_task_frozen(struct task_struct *t)
{
	return t == current || (READ_ONCE(t->jobctl) & JOBCTL_CKPT_FROZEN);
}

/**
 * ckpt_task_wait_off_cpu - wait until a frozen task is off its CPU
 * @t: a task that ckpt_freezer_wait() has waited for
 *
 * After this its registers and FPU state are in memory.
 *
 * Return: 0; -ESRCH if it was killed; -EINTR if the caller was.
 */
int ckpt_task_wait_off_cpu(struct task_struct *t)
{
	might_sleep();
	if (t == current)
		return 0;
	/* It may still be between the decrement and its sleep. */
	while (!wait_task_inactive(t, CKPT_FROZEN_STATE)) {
		if (!ckpt_task_frozen(t))
			return -ESRCH;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return ckpt_task_frozen(t) ? 0 : -ESRCH;
}

/**
 * ckpt_freezer_thaw - let all tasks go on
 * @fz: the freezer; it cannot freeze again
 */
void ckpt_freezer_thaw(struct ckpt_freezer *fz)
{
	WRITE_ONCE(fz->thawed, true);
	wake_up_all(&fz->thaw);
}
