// SPDX-License-Identifier: GPL-2.0
/*
 * Restart blocks: system calls that go on by restart_syscall().
 *
 * In a task that stands in the freeze trap such a call has left its state in
 * restart_block, and -ERESTART_RESTARTBLOCK in the registers. Deadlines are
 * saved as time left on the clock that they are of. That clock is the host's,
 * so time namespaces do not matter. The deadline of a futex on CLOCK_REALTIME
 * is always absolute, and so it remains.
 */
#include <linux/alarmtimer.h>
#include <linux/capability.h>
#include <linux/checkpoint_syscalls.h>
#include <linux/checkpoint_timers.h>
#include <linux/limits.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/posix-timers.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/thread_info.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/checkpoint_syscalls.h>
#include <uapi/linux/futex.h>
#include "../kernel/futex/futex.h"

#include "checkpoint.h"

/**
 * struct ckpt_restart_op - a kind of interrupted call
 * @fn: its restart function
 * @save: fill the record; the task is frozen or current, may not sleep.
 *	Returns -EOPNOTSUPP if the block holds what it does not know
 * @check: is the record one that @save could have written and the kernel can
 *	bear? It may come from an attacker
 * @restore: fill the restart block of current; cannot fail
 *
 * All but @fn may be NULL where there is no state.
 */
struct ckpt_restart_op {
	long (*fn)(struct restart_block *restart);
	int (*save)(struct task_struct *t, const struct restart_block *rb,
		    struct ckpt_rec_restart_block *rec);
	int (*check)(const struct ckpt_rec_restart_block *rec);
	void (*restore)(const struct ckpt_rec_restart_block *rec,
			struct restart_block *rb);
};

/* ---- deadlines ------------------------------------------------------ */

static void save_deadline(struct ckpt_rec_restart_block *rec, clockid_t clock,
			  s64 deadline, s64 now)
{
	rec->flags |= CKPT_RESTART_TIMED;
	rec->clock = clock;
	rec->remaining_ns = deadline == KTIME_MAX ? KTIME_MAX : deadline - now;
}

static s64 restore_deadline(const struct ckpt_rec_restart_block *rec, s64 now)
{
	s64 deadline;

	if (rec->flags & CKPT_RESTART_ABSTIME)
		return rec->remaining_ns;
	if (check_add_overflow(now, rec->remaining_ns, &deadline))
		return KTIME_MAX;
	return max(deadline, 0);
}

static bool timed(const struct ckpt_rec_restart_block *rec)
{
	return (rec->flags & CKPT_RESTART_TIMED) &&
	       !(rec->flags & CKPT_RESTART_ABSTIME);
}

static bool uaddr_ok(const struct ckpt_rec_restart_block *rec)
{
	u64 end = rec->flags & CKPT_RESTART_COMPAT ? 1ULL << 32 : TASK_SIZE_MAX;

	return rec->uaddr < end;
}

/* ---- nanosleep() and clock_nanosleep() ------------------------------ */

static int save_sleep(struct ckpt_rec_restart_block *rec,
		      const struct restart_block *rb, clockid_t clock, s64 now)
{
	save_deadline(rec, clock, rb->nanosleep.expires, now);
	rec->type = rb->nanosleep.type;
	if (rb->nanosleep.type != TT_NONE)
		rec->uaddr = (unsigned long)rb->nanosleep.rmtp;
	return 0;
}

static int check_sleep(const struct ckpt_rec_restart_block *rec)
{
	switch (rec->type) {
	case TT_COMPAT:
		if (!IS_ENABLED(CONFIG_COMPAT_32BIT_TIME))
			return -EINVAL;
		fallthrough;
	case TT_NATIVE:
		if (!uaddr_ok(rec))
			return -EINVAL;
		break;
	case TT_NONE:
		break;
	default:
		return -EINVAL;
	}
	return timed(rec) ? 0 : -EINVAL;
}

static void restore_sleep(const struct ckpt_rec_restart_block *rec,
			  struct restart_block *rb, clockid_t clock, s64 now)
{
	rb->nanosleep.clockid = clock;
	rb->nanosleep.type = rec->type;
	rb->nanosleep.rmtp = u64_to_user_ptr(rec->uaddr);
	rb->nanosleep.expires = restore_deadline(rec, now);
}

/* Clocks that hrtimers have. */
static bool hrtimer_clock_ok(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return true;
	default:
		return false;
	}
}

static ktime_t hrtimer_clock_now(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
		return ktime_get_real();
	case CLOCK_BOOTTIME:
		return ktime_get_boottime();
	case CLOCK_TAI:
		return ktime_get_clocktai();
	default:
		return ktime_get();
	}
}

static int save_nanosleep(struct task_struct *t, const struct restart_block *rb,
			  struct ckpt_rec_restart_block *rec)
{
	clockid_t clock = rb->nanosleep.clockid;

	if (!hrtimer_clock_ok(clock))
		return -EOPNOTSUPP;
	return save_sleep(rec, rb, clock, hrtimer_clock_now(clock));
}

static int check_nanosleep(const struct ckpt_rec_restart_block *rec)
{
	return hrtimer_clock_ok(rec->clock) ? check_sleep(rec) : -EINVAL;
}

static void restore_nanosleep(const struct ckpt_rec_restart_block *rec,
			      struct restart_block *rb)
{
	restore_sleep(rec, rb, rec->clock, hrtimer_clock_now(rec->clock));
}

/* ---- clock_nanosleep() on a CPU-time clock -------------------------- */

static struct task_struct *cpu_clock_task(struct task_struct *t,
					  clockid_t clock)
{
	struct pid_namespace *ns = task_active_pid_ns(t);
	bool thread = CPUCLOCK_PERTHREAD(clock);
	pid_t nr = CPUCLOCK_PID(clock);

	if (!nr)
		return t;
	if (!ns)
		return NULL;
	return pid_task(find_pid_ns(nr, ns),
			thread ? PIDTYPE_PID : PIDTYPE_TGID);
}

/* Time of a CPU clock as @t sees it; 0 if the task of the clock is gone. */
static s64 cpu_clock_now(struct task_struct *t, clockid_t clock)
{
	struct task_struct *p;

	guard(rcu)();
	p = cpu_clock_task(t, clock);
	return p ? ckpt_cpu_clock_sample(clock, p) : 0;
}

static int save_cpu_nanosleep(struct task_struct *t,
			      const struct restart_block *rb,
			      struct ckpt_rec_restart_block *rec)
{
	clockid_t clock = rb->nanosleep.clockid;

	return save_sleep(rec, rb, clock, cpu_clock_now(t, clock));
}

static int check_cpu_nanosleep(const struct ckpt_rec_restart_block *rec)
{
	if (rec->clock >= 0 || CPUCLOCK_WHICH(rec->clock) >= CPUCLOCK_MAX)
		return -EINVAL;
	return check_sleep(rec);
}

static void restore_cpu_nanosleep(const struct ckpt_rec_restart_block *rec,
				  struct restart_block *rb)
{
	restore_sleep(rec, rb, rec->clock, cpu_clock_now(current, rec->clock));
}

/* ---- clock_nanosleep() on an alarm clock ---------------------------- */

static clockid_t alarm_clock_base(clockid_t clock)
{
	return clock == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : CLOCK_BOOTTIME;
}

static int save_alarm_nanosleep(struct task_struct *t,
				const struct restart_block *rb,
				struct ckpt_rec_restart_block *rec)
{
	clockid_t clock = rb->nanosleep.clockid == ALARM_REALTIME ?
			  CLOCK_REALTIME_ALARM : CLOCK_BOOTTIME_ALARM;

	return save_sleep(rec, rb, clock,
			  hrtimer_clock_now(alarm_clock_base(clock)));
}

/* As alarm_timer_nsleep() */
static int check_alarm_nanosleep(const struct ckpt_rec_restart_block *rec)
{
	if (rec->clock != CLOCK_REALTIME_ALARM &&
	    rec->clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	if (!alarmtimer_get_rtcdev())
		return -EOPNOTSUPP;
	if (!capable(CAP_WAKE_ALARM))
		return -EPERM;
	return check_sleep(rec);
}

static void restore_alarm_nanosleep(const struct ckpt_rec_restart_block *rec,
				    struct restart_block *rb)
{
	enum alarmtimer_type type = rec->clock == CLOCK_REALTIME_ALARM ?
				    ALARM_REALTIME : ALARM_BOOTTIME;

	restore_sleep(rec, rb, type,
		      hrtimer_clock_now(alarm_clock_base(rec->clock)));
}

/* ---- poll() ---------------------------------------------------------- */

static int save_poll(struct task_struct *t, const struct restart_block *rb,
		     struct ckpt_rec_restart_block *rec)
{
	rec->uaddr = (unsigned long)rb->poll.ufds;
	rec->val = (u32)rb->poll.nfds;
	if (rb->poll.has_timeout)
		save_deadline(rec, CLOCK_MONOTONIC,
			      ktime_set(rb->poll.tv_sec, rb->poll.tv_nsec),
			      ktime_get());
	return 0;
}

/* The number of descriptors is checked by the call. */
static int check_poll(const struct ckpt_rec_restart_block *rec)
{
	if (!uaddr_ok(rec) || rec->val > INT_MAX)
		return -EINVAL;
	if (rec->flags & CKPT_RESTART_ABSTIME)
		return -EINVAL;
	if (timed(rec) && rec->clock != CLOCK_MONOTONIC)
		return -EINVAL;
	return 0;
}

static void restore_poll(const struct ckpt_rec_restart_block *rec,
			 struct restart_block *rb)
{
	struct timespec64 end = { };

	if (timed(rec))
		end = ktime_to_timespec64(restore_deadline(rec, ktime_get()));
	rb->poll.ufds = u64_to_user_ptr(rec->uaddr);
	rb->poll.nfds = rec->val;
	rb->poll.has_timeout = timed(rec);
	rb->poll.tv_sec = end.tv_sec;
	rb->poll.tv_nsec = end.tv_nsec;
}

/* ---- futex() --------------------------------------------------------- */

#define FUTEX_FLAGS_KNOWN	(FLAGS_SIZE_MASK | FLAGS_SHARED | \
				 FLAGS_CLOCKRT | FLAGS_HAS_TIMEOUT)

static int save_futex(struct task_struct *t, const struct restart_block *rb,
		      struct ckpt_rec_restart_block *rec)
{
	unsigned int flags = rb->futex.flags;

	if ((flags & ~FUTEX_FLAGS_KNOWN) || !(flags & FLAGS_HAS_TIMEOUT) ||
	    (flags & FLAGS_SIZE_MASK) != FLAGS_SIZE_32)
		return -EOPNOTSUPP;

	rec->uaddr = (unsigned long)rb->futex.uaddr;
	rec->val = rb->futex.val;
	rec->val2 = rb->futex.bitset;
	if (!(flags & FLAGS_SHARED))
		rec->type |= FUTEX_PRIVATE_FLAG;
	if (flags & FLAGS_CLOCKRT) {
		rec->type |= FUTEX_CLOCK_REALTIME;
		rec->flags |= CKPT_RESTART_TIMED | CKPT_RESTART_ABSTIME;
		rec->clock = CLOCK_REALTIME;
		rec->remaining_ns = rb->futex.time;
	} else {
		save_deadline(rec, CLOCK_MONOTONIC, rb->futex.time,
			      ktime_get());
	}
	return 0;
}

static int check_futex(const struct ckpt_rec_restart_block *rec)
{
	bool real = rec->type & FUTEX_CLOCK_REALTIME;

	if (rec->type & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))
		return -EINVAL;
	if (!uaddr_ok(rec) || !IS_ALIGNED(rec->uaddr, sizeof(u32)))
		return -EINVAL;
	if (rec->val > U32_MAX || !rec->val2 || rec->val2 > U32_MAX)
		return -EINVAL;
	if (rec->clock != (real ? CLOCK_REALTIME : CLOCK_MONOTONIC))
		return -EINVAL;
	if (!(rec->flags & CKPT_RESTART_TIMED) ||
	    !!(rec->flags & CKPT_RESTART_ABSTIME) != real)
		return -EINVAL;
	return real && rec->remaining_ns < 0 ? -EINVAL : 0;
}

static void restore_futex(const struct ckpt_rec_restart_block *rec,
			  struct restart_block *rb)
{
	rb->futex.uaddr = u64_to_user_ptr(rec->uaddr);
	rb->futex.val = rec->val;
	rb->futex.flags = futex_to_flags(rec->type) | FLAGS_HAS_TIMEOUT;
	rb->futex.bitset = rec->val2;
	rb->futex.time = restore_deadline(rec, ktime_get());
	rb->futex.uaddr2 = NULL;
}

/* ---- calls that are made again, see restart_call.c ------------------ */

static int save_call(struct task_struct *t, const struct restart_block *rb,
		     struct ckpt_rec_restart_block *rec)
{
	rec->val = rb->ckpt.nr;
	save_deadline(rec, CLOCK_MONOTONIC, rb->ckpt.expires, ktime_get());
	return 0;
}

static int check_call(const struct ckpt_rec_restart_block *rec)
{
	if (rec->val > INT_MAX || rec->clock != CLOCK_MONOTONIC || !timed(rec))
		return -EINVAL;
	if (!arch_ckpt_call_restarts(rec->val,
				     rec->flags & CKPT_RESTART_COMPAT))
		return -EINVAL;
	return 0;
}

static void restore_call(const struct ckpt_rec_restart_block *rec,
			 struct restart_block *rb)
{
	rb->ckpt.nr = rec->val;
	rb->ckpt.expires = restore_deadline(rec, ktime_get());
}

/* ---- all of them ----------------------------------------------------- */

static const struct ckpt_restart_op ckpt_restart_ops[] = {
	[CKPT_RESTART_NONE] = {
		.fn		= do_no_restart_syscall,
	},
	[CKPT_RESTART_NANOSLEEP] = {
		.fn		= hrtimer_nanosleep_restart,
		.save		= save_nanosleep,
		.check		= check_nanosleep,
		.restore	= restore_nanosleep,
	},
	[CKPT_RESTART_CPU_NANOSLEEP] = {
		.fn		= posix_cpu_nsleep_restart,
		.save		= save_cpu_nanosleep,
		.check		= check_cpu_nanosleep,
		.restore	= restore_cpu_nanosleep,
	},
	[CKPT_RESTART_ALARM_NANOSLEEP] = {
		.fn		= alarm_timer_nsleep_restart,
		.save		= save_alarm_nanosleep,
		.check		= check_alarm_nanosleep,
		.restore	= restore_alarm_nanosleep,
	},
	[CKPT_RESTART_POLL] = {
		.fn		= do_restart_poll,
		.save		= save_poll,
		.check		= check_poll,
		.restore	= restore_poll,
	},
	[CKPT_RESTART_FUTEX_WAIT] = {
		.fn		= futex_wait_restart,
		.save		= save_futex,
		.check		= check_futex,
		.restore	= restore_futex,
	},
	[CKPT_RESTART_CALL] = {
		.fn		= ckpt_restart_call,
		.save		= save_call,
		.check		= check_call,
		.restore	= restore_call,
	},
};

/**
 * ckpt_restart_block_save - save the restart block of a task
 * @t: current, or frozen and off its CPU
 * @rec: the record but for its header is filled
 *
 * Return: 0; -EOPNOTSUPP if the call is of no known kind, see
 * t->restart_block.fn.
 */
int ckpt_restart_block_save(struct task_struct *t,
			    struct ckpt_rec_restart_block *rec)
{
	const struct restart_block *rb = &t->restart_block;
	struct ckpt_rec_restart_block out = { .h = rec->h };
	unsigned int kind;
	int ret = 0;

	if (WARN_ON_ONCE(!ckpt_task_frozen(t)))
		return -EINVAL;

	for (kind = 0; kind < ARRAY_SIZE(ckpt_restart_ops); kind++)
		if (ckpt_restart_ops[kind].fn == rb->fn)
			break;
	if (kind == ARRAY_SIZE(ckpt_restart_ops))
		return -EOPNOTSUPP;

	out.kind = kind;
	if (kind != CKPT_RESTART_NONE && arch_ckpt_restart_compat(rb))
		out.flags |= CKPT_RESTART_COMPAT;
	if (ckpt_restart_ops[kind].save)
		ret = ckpt_restart_ops[kind].save(t, rb, &out);
	if (!ret)
		*rec = out;
	return ret;
}

/**
 * ckpt_restart_block_check - may a record be restored?
 * @rec: from an image
 *
 * Whether CKPT_RESTART_COMPAT agrees with the registers is for the caller to
 * look at; if it does not, the call ends with an error and no more.
 *
 * Context: the task that the record will be restored in, with its credentials.
 *
 * Return: 0; -EINVAL; -EPERM and -EOPNOTSUPP as the call itself.
 */
int ckpt_restart_block_check(const struct ckpt_rec_restart_block *rec)
{
	const struct ckpt_restart_op *op;
	u32 kind = rec->kind;

	if (kind >= ARRAY_SIZE(ckpt_restart_ops))
		return -EINVAL;
	if (rec->flags & ~CKPT_RESTART_FLAGS_ALL)
		return -EINVAL;
	op = &ckpt_restart_ops[array_index_nospec(kind,
						  ARRAY_SIZE(ckpt_restart_ops))];
	return op->check ? op->check(rec) : 0;
}

/**
 * ckpt_restart_block_restore - give current the restart block of a record
 * @rec: has passed ckpt_restart_block_check()
 *
 * Context: current has the clocks, pids and entry ABI of the restored task.
 */
void ckpt_restart_block_restore(const struct ckpt_rec_restart_block *rec)
{
	const struct ckpt_restart_op *op = &ckpt_restart_ops[rec->kind];
	struct restart_block *rb = &current->restart_block;

	if (op->restore)
		op->restore(rec, rb);
	set_restart_fn(rb, op->fn);
}
