// SPDX-License-Identifier: GPL-2.0
/*
 * Calls with a timeout that a checkpoint interrupts: the slow paths of
 * checkpoint_syscalls.h, where the idea is drawn.
 */
#include <linux/checkpoint_syscalls.h>
#include <linux/compat.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/overflow.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/seccomp.h>
#include <linux/thread_info.h>
#include <asm/checkpoint_syscalls.h>
#include <asm/syscall.h>

/**
 * ckpt_call_resumed - mark of a call that goes on
 * @restart: of current
 *
 * The restart block holds this function while the call is made again and at no
 * other time, so a program never gets here.
 *
 * Return: -EINTR.
 */
long ckpt_call_resumed(struct restart_block *restart)
{
	return do_no_restart_syscall(restart);
}

/**
 * ckpt_restart_call - make a call again that a freeze interrupted
 * @restart: of current
 *
 * The registers name the call itself instead of restart_syscall() from here
 * on, so that a signal in it restarts it or not as ever. Its arguments may have
 * changed since the first time, if a debugger or the program's own
 * restart_syscall() had a hand in it, so seccomp looks at them again.
 *
 * Return: what the call returns.
 */
long ckpt_restart_call(struct restart_block *restart)
{
	struct pt_regs *regs = current_pt_regs();
	int nr = restart->ckpt.nr;
	long ret;

	restart->fn = do_no_restart_syscall;
	if (arch_ckpt_restart_compat(restart) != in_compat_syscall() ||
	    !arch_ckpt_call_restarts(nr, in_compat_syscall()))
		return -EINTR;

	arch_ckpt_set_nr(regs, nr);
	if (secure_computing() == -1)
		return syscall_get_return_value(current, regs);

	restart->fn = ckpt_call_resumed;
	ret = arch_ckpt_call(regs, nr);
	if (restart->fn == ckpt_call_resumed)
		restart->fn = do_no_restart_syscall;
	return ret;
}

/* seccomp's strict mode knows no restart_syscall(). */
static bool may_restart(int nr)
{
	if (seccomp_mode(&current->seccomp) == SECCOMP_MODE_STRICT)
		return false;
	return arch_ckpt_call_restarts(nr, in_compat_syscall());
}

/* See ckpt_interrupted(). */
long __ckpt_interrupted(long err, const ktime_t *deadline)
{
	struct restart_block *restart = &current->restart_block;
	int nr;

	if (!ckpt_only_freeze_pending())
		return err;
	if (!deadline)
		return -ERESTARTNOHAND;

	nr = syscall_get_nr(current, current_pt_regs());
	if (!may_restart(nr))
		return err;
	/* One deadline however often the call is interrupted. */
	if (!ckpt_call_goes_on())
		restart->ckpt.expires = *deadline;
	restart->ckpt.nr = nr;
	return set_restart_fn(restart, ckpt_restart_call);
}

/**
 * ckpt_schedule_hrtimeout - sleep for a time, or until the deadline kept
 * @timeout: time to sleep, turned into the deadline; NULL: without end
 * @slack: how much later will do
 *
 * Return: 0 when the time has come, -EINTR when woken before.
 */
int ckpt_schedule_hrtimeout(ktime_t *timeout, u64 slack)
{
	if (timeout) {
		*timeout = ktime_add_safe(ktime_get(), *timeout);
		ckpt_keep_deadline(timeout);
	}
	return schedule_hrtimeout_range(timeout, slack, HRTIMER_MODE_ABS);
}

/**
 * ckpt_sock_intr_errno - error of a socket call with a timeout
 * @timeo: jiffies that are left of it
 *
 * Return: a restart code if only the freeze woke it; else -EINTR.
 */
int ckpt_sock_intr_errno(long timeo)
{
	ktime_t deadline;
	s64 left;

	if (likely(!(READ_ONCE(current->jobctl) & JOBCTL_TRAP_CKPT)))
		return -EINTR;
	if (check_mul_overflow(timeo, (s64)TICK_NSEC, &left))
		left = KTIME_MAX;
	deadline = ktime_add_safe(ktime_get(), left);
	return __ckpt_interrupted(-EINTR, &deadline);
}
EXPORT_SYMBOL(ckpt_sock_intr_errno);

/**
 * ckpt_sock_timeo_left - how long a socket call may wait
 * @timeo: timeout of the socket in jiffies
 *
 * Return: @timeo, or what a call that goes on has left of it.
 */
long ckpt_sock_timeo_left(long timeo)
{
	ktime_t left;

	if (!ckpt_call_goes_on())
		return timeo;
	left = ktime_sub(current->restart_block.ckpt.expires, ktime_get());
	if (left <= 0)
		return 0;
	return min_t(u64, timeo, nsecs_to_jiffies64((u64)left + TICK_NSEC - 1));
}
EXPORT_SYMBOL(ckpt_sock_timeo_left);
