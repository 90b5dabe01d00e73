/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that a checkpoint interrupts, and how they go on.
 *
 * A call that ends with EINTR when it is woken, or that would start its timeout
 * anew, asks ckpt_interrupted() whether only the freeze woke it. If so it
 * returns a restart code. A call with a timeout leaves its deadline in the
 * restart block. restart_syscall() then makes the same call again, with the
 * arguments that still stand in the registers, and the call takes the deadline
 * that was kept instead of counting from now:
 *
 *	epoll_wait(.., timeout)
 *	  deadline = now + timeout
 *	  sleeps; the freeze wakes it
 *	  ckpt_interrupted()		fn = ckpt_restart_call, nr, deadline
 *	get_signal()
 *	  freeze, thaw
 *	restart_syscall()
 *	  ckpt_restart_call()		fn = ckpt_call_resumed
 *	    epoll_wait(.., timeout)
 *	      ckpt_keep_timespec()	takes the deadline
 *
 * A signal that comes before the freeze finds the restart code and does what it
 * would have done: a handler runs and the call ends with EINTR.
 */
#ifndef _LINUX_CHECKPOINT_SYSCALLS_H
#define _LINUX_CHECKPOINT_SYSCALLS_H

#include <linux/checkpoint.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/time64.h>

struct ckpt_rec_restart_block;

/* Has the task semaphores that its exit would undo? In ipc/sem.c. */
bool ckpt_has_sem_undo(struct task_struct *t);

/* Restart functions of other files, to be told apart by their address. */
long hrtimer_nanosleep_restart(struct restart_block *restart);
long posix_cpu_nsleep_restart(struct restart_block *restart_block);
long alarm_timer_nsleep_restart(struct restart_block *restart);
long do_restart_poll(struct restart_block *restart_block);
long futex_wait_restart(struct restart_block *restart);

#ifdef CONFIG_CHECKPOINT

long ckpt_restart_call(struct restart_block *restart);
long ckpt_call_resumed(struct restart_block *restart);
int ckpt_restart_block_save(struct task_struct *t,
			    struct ckpt_rec_restart_block *rec);
int ckpt_restart_block_check(const struct ckpt_rec_restart_block *rec);
void ckpt_restart_block_restore(const struct ckpt_rec_restart_block *rec);
long __ckpt_interrupted(long err, const ktime_t *deadline);
int ckpt_schedule_hrtimeout(ktime_t *timeout, u64 slack);
int ckpt_sock_intr_errno(long timeo);
long ckpt_sock_timeo_left(long timeo);

/**
 * ckpt_call_goes_on - is current in a call that a freeze interrupted before?
 *
 * Return: true if restart_block.ckpt.expires is the deadline to keep.
 */
static inline bool ckpt_call_goes_on(void)
{
	return unlikely(current->restart_block.fn == ckpt_call_resumed);
}

/**
 * ckpt_interrupted - error of a call that something woke
 * @err: what the call returns to a signal
 * @deadline: on CLOCK_MONOTONIC; NULL: none, or one that the arguments hold
 *
 * The call must not have changed anything yet.
 *
 * Return: a restart code if only the freeze woke it; else @err.
 */
static inline long ckpt_interrupted(long err, const ktime_t *deadline)
{
	if (likely(!(READ_ONCE(current->jobctl) & JOBCTL_TRAP_CKPT)))
		return err;
	return __ckpt_interrupted(err, deadline);
}

/**
 * ckpt_timed_call - likewise for a call with a deadline in a timespec
 * @ret: what the call would return
 * @intr: the error of an interrupted call
 * @deadline: on CLOCK_MONOTONIC; NULL: none
 *
 * Return: a restart code if only the freeze woke it; else @ret.
 */
static inline int ckpt_timed_call(int ret, int intr,
				  const struct timespec64 *deadline)
{
	ktime_t expires;

	if (likely(ret != intr))
		return ret;
	if (!deadline)
		return ckpt_interrupted(ret, NULL);
	expires = timespec64_to_ktime(*deadline);
	return ckpt_interrupted(ret, &expires);
}

/**
 * ckpt_timer_interrupted - likewise for a call that slept on a timer
 * @err: what the call returns to a signal
 * @timeout: its timeout, KTIME_MAX: none
 * @timer: was started with @timeout
 *
 * Return: a restart code if only the freeze woke it; else @err.
 */
static inline long ckpt_timer_interrupted(long err, ktime_t timeout,
					  const struct hrtimer *timer)
{
	ktime_t expires;

	if (timeout == KTIME_MAX)
		return ckpt_interrupted(err, NULL);
	expires = hrtimer_get_softexpires(timer);
	return ckpt_interrupted(err, &expires);
}

/* A call that goes on takes the kept deadline instead of @deadline... */
static inline void ckpt_keep_deadline(ktime_t *deadline)
{
	if (ckpt_call_goes_on())
		*deadline = current->restart_block.ckpt.expires;
}

/* ... instead of @to */
static inline void ckpt_keep_timespec(struct timespec64 *to)
{
	if (ckpt_call_goes_on())
		*to = ktime_to_timespec64(current->restart_block.ckpt.expires);
}

/* ... or the time that is left until then instead of @timeout. */
static inline void ckpt_keep_timeout(ktime_t *timeout)
{
	if (ckpt_call_goes_on())
		*timeout = max(ktime_sub(current->restart_block.ckpt.expires,
					 ktime_get()), 0);
}

/* Timeout of a socket, in jiffies. */
static inline long ckpt_sock_timeo(long timeo)
{
	if (likely(timeo == MAX_SCHEDULE_TIMEOUT))
		return timeo;
	return ckpt_sock_timeo_left(timeo);
}

/* What is left of @timeo, which else the caller forgets. */
static inline long ckpt_keep_left(long *timeo, long left)
{
	*timeo = left;
	return left;
}

#else /* !CONFIG_CHECKPOINT */

static inline bool ckpt_call_goes_on(void)
{
	return false;
}

static inline long ckpt_interrupted(long err, const ktime_t *deadline)
{
	return err;
}

static inline int ckpt_timed_call(int ret, int intr,
				  const struct timespec64 *deadline)
{
	return ret;
}

static inline long ckpt_timer_interrupted(long err, ktime_t timeout,
					  const struct hrtimer *timer)
{
	return err;
}

static inline void ckpt_keep_deadline(ktime_t *deadline) { }
static inline void ckpt_keep_timespec(struct timespec64 *to) { }
static inline void ckpt_keep_timeout(ktime_t *timeout) { }

static inline int ckpt_schedule_hrtimeout(ktime_t *timeout, u64 slack)
{
	return schedule_hrtimeout_range(timeout, slack, HRTIMER_MODE_REL);
}

static inline int ckpt_sock_intr_errno(long timeo)
{
	return -EINTR;
}

static inline long ckpt_sock_timeo(long timeo)
{
	return timeo;
}

static inline long ckpt_keep_left(long *timeo, long left)
{
	return left;
}

#endif /* CONFIG_CHECKPOINT */
#endif /* _LINUX_CHECKPOINT_SYSCALLS_H */
