// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX timers: reading what they are, and making them again.
 *
 * A timer is made before the point of no return, as that can fail. It gets its
 * id when its owner has become the program, and runs when all tasks of the tree
 * have: the signal of one that expires at once must not go to a restarter.
 */
#include <linux/checkpoint_timers.h>
#include <linux/hrtimer.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/time_namespace.h>
#include <uapi/linux/checkpoint_image.h>

#include "posix-timers.h"

/* ---- clocks of CPU time ------------------------------------------------------ */

/**
 * ckpt_cpu_clock_sample - what a clock of CPU time shows
 * @clock: of which only the kind counts (CPUCLOCK_*, of a thread or a process)
 * @p: the thread, or any thread of the process
 *
 * Return: the time in ns.
 */
u64 ckpt_cpu_clock_sample(clockid_t clock, struct task_struct *p)
{
	struct task_cputime ct = { };

	if (!CPUCLOCK_PERTHREAD(clock)) {
		thread_group_cputime(p, &ct);
	} else {
		task_cputime(p, &ct.utime, &ct.stime);
		ct.sum_exec_runtime = task_sched_runtime(p);
	}

	switch (CPUCLOCK_WHICH(clock)) {
	case CPUCLOCK_PROF:
		return ct.utime + ct.stime;
	case CPUCLOCK_VIRT:
		return ct.utime;
	default:
		return ct.sum_exec_runtime;
	}
}

static bool is_cpu_timer(const struct k_itimer *timr)
{
	return timr->kclock == &clock_posix_cpu;
}

/**
 * ckpt_timer_cpu_task - whose CPU time a timer goes by
 * @timr: the timer
 *
 * Context: RCU read side.
 * Return: the thread, or the leader of the process; NULL if it is gone or the
 * timer is of another clock.
 */
struct task_struct *ckpt_timer_cpu_task(const struct k_itimer *timr)
{
	if (!is_cpu_timer(timr))
		return NULL;
	return pid_task(timr->it.cpu.pid, CPUCLOCK_PERTHREAD(timr->it_clock) ?
					  PIDTYPE_PID : PIDTYPE_TGID);
}

/* ---- all timers of a process ------------------------------------------------- */

/**
 * ckpt_timers_count - number of timers of a process
 * @t: a thread of it
 * @next_id: is set to the id that the next timer would get
 *
 * Return: the number, or -ESRCH if the thread is gone.
 */
int ckpt_timers_count(struct task_struct *t, u32 *next_id)
{
	struct hlist_node *node;
	unsigned long flags;
	int nr = 0;

	if (!lock_task_sighand(t, &flags))
		return -ESRCH;
	hlist_for_each(node, &t->signal->posix_timers)
		nr++;
	*next_id = t->signal->next_posix_timer_id;
	unlock_task_sighand(t, &flags);
	return nr;
}

static int timers_list(struct task_struct *t, unsigned int nr,
		       struct k_itimer **list)
{
	struct k_itimer *timr;
	unsigned long flags;
	unsigned int n = 0;

	if (!lock_task_sighand(t, &flags))
		return -ESRCH;
	hlist_for_each_entry(timr, &t->signal->posix_timers, list) {
		if (n < nr)
			list[n] = timr;
		n++;
	}
	unlock_task_sighand(t, &flags);
	/* It makes and deletes none, but its death takes all of them. */
	return n == nr ? 0 : -ESRCH;
}

/**
 * ckpt_timers_visit - call a function for each timer of a process
 * @t: a thread of it, which is frozen or in restart()
 * @nr: the number of timers that it has
 * @list: room for as many
 * @visit: is called with the timer locked and its place in the list of timers;
 *	may not sleep
 * @data: is passed to @visit
 *
 * The timers go on and may expire at any time; and whoever is killed loses
 * them, which is why they are not touched unless they still have their owner.
 *
 * Return: 0; -ESRCH if timers are gone, then not all were visited.
 */
int ckpt_timers_visit(struct task_struct *t, unsigned int nr,
		      struct k_itimer **list,
		      void (*visit)(struct k_itimer *timr, unsigned int i,
				    void *data),
		      void *data)
{
	struct k_itimer *timr;
	unsigned long flags;
	unsigned int i;
	int ret;

	/* Timers are freed by RCU. */
	rcu_read_lock();
	ret = timers_list(t, nr, list);
	for (i = 0; i < nr && !ret; i++) {
		timr = list[i];
		spin_lock_irqsave(&timr->it_lock, flags);
		if (timr->it_signal == t->signal)
			visit(timr, i, data);
		else
			ret = -ESRCH;
		spin_unlock_irqrestore(&timr->it_lock, flags);
	}
	rcu_read_unlock();
	return ret;
}

/* ---- one timer --------------------------------------------------------------- */

/* Absolute times are saved as the program sees them. */
static ktime_t from_host(clockid_t clock, ktime_t expires,
			 const struct timens_offsets *ns)
{
	s64 offset = 0;

	switch (clock) {
	case CLOCK_MONOTONIC:
		offset = timespec64_to_ns(&ns->monotonic);
		break;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		offset = timespec64_to_ns(&ns->boottime);
		break;
	}
	if (check_add_overflow(expires, offset, &expires))
		return KTIME_MAX;
	return max_t(ktime_t, expires, 0);
}

static ktime_t timer_expires(const struct k_itimer *timr)
{
	if (timr->kclock == &alarm_clock)
		return timr->it.alarm.alarmtimer.node.expires;
	return hrtimer_get_expires(&timr->it.real.timer);
}

static void save_expires(struct k_itimer *timr, const struct timens_offsets *ns,
			 struct ckpt_timer *out)
{
	ktime_t expires = timer_expires(timr), now;

	if (!expires && !timr->it_active)
		return;
	out->flags |= CKPT_TIMER_SET;
	if (timr->it_abstime) {
		out->flags |= CKPT_TIMER_ABSTIME;
		out->expires = from_host(timr->it_clock, expires, ns);
		return;
	}
	now = timr->kclock->clock_get_ktime(timr->it_clock);
	out->expires = expires == KTIME_MAX ? KTIME_MAX : expires - now;
}

static void save_cpu_expires(struct k_itimer *timr, struct ckpt_timer *out)
{
	u64 expires = cpu_timer_getexpires(&timr->it.cpu);
	struct task_struct *p = ckpt_timer_cpu_task(timr);

	/* Nothing starts it again where the clock is gone. */
	if (!expires || !p) {
		out->flags &= ~CKPT_TIMER_ARMED;
		return;
	}
	out->flags |= CKPT_TIMER_SET;
	out->expires = expires - ckpt_cpu_clock_sample(timr->it_clock, p);
}

/**
 * ckpt_timer_save - what a timer is
 * @timr: the timer, locked
 * @ns: what the time namespace of its owner adds to the clocks
 * @out: is filled, but for what refers to tasks and for the place of the signal
 *
 * Context: RCU read side.
 */
void ckpt_timer_save(struct k_itimer *timr, const struct timens_offsets *ns,
		     struct ckpt_timer *out)
{
	const struct kernel_siginfo *info = &timr->sigq->info;

	lockdep_assert_held(&timr->it_lock);
	out->id = timr->it_id;
	out->clock = timr->it_clock;
	out->notify = timr->it_sigev_notify;
	out->signo = info->si_signo;
	out->value = (unsigned long)info->si_value.sival_ptr;
	out->interval = timr->it_interval;
	out->overrun = timr->it_overrun;
	out->overrun_last = timr->it_overrun_last;
	out->signal_overrun = info->si_overrun;
	if (timr->it_active)
		out->flags |= CKPT_TIMER_ARMED;
	if (timr->it_requeue_pending & REQUEUE_PENDING) {
		out->flags |= CKPT_TIMER_REQUEUE;
		/* An older signal would not start it. */
		if (info->si_sys_private == timr->it_requeue_pending)
			out->flags |= CKPT_TIMER_REARMS;
	}
	if (is_cpu_timer(timr))
		save_cpu_expires(timr, out);
	else
		save_expires(timr, ns, out);
}

/* As do_timer_create(): a clock of CPU time gets its pid later. */
static struct k_itimer *timer_of_clock(clockid_t clock)
{
	const struct k_clock *kc;
	struct k_itimer *timr;
	int err;

	if (clock < 0)
		clock = CLOCK_PROCESS_CPUTIME_ID;
	kc = clockid_to_kclock(clock);
	if (!kc || !kc->timer_create)
		return ERR_PTR(-EINVAL);
	timr = alloc_posix_timer();
	if (!timr)
		return ERR_PTR(-EAGAIN);
	spin_lock_init(&timr->it_lock);
	timr->it_clock = clock;
	timr->kclock = kc;
	err = kc->timer_create(timr);
	if (err) {
		posix_timer_free(timr);
		return ERR_PTR(err);
	}
	return timr;
}

/**
 * ckpt_timer_create - make a timer of the process of current
 * @in: what it is; has been checked but for the rights to the clock
 * @target: process or thread that it signals
 * @clock_pid: process or thread whose CPU time it goes by, or NULL
 *
 * It has no id that a system call would find and does not run yet.
 *
 * Context: current has the time namespace and the rights of the restarter.
 * Return: the timer; ERR_PTR(-EAGAIN) without memory or beyond
 * RLIMIT_SIGPENDING, -EPERM and -EOPNOTSUPP as timer_create().
 */
struct k_itimer *ckpt_timer_create(const struct ckpt_timer *in,
				   struct pid *target, struct pid *clock_pid)
{
	struct k_itimer *timr = timer_of_clock(in->clock);
	struct kernel_siginfo *info;

	if (IS_ERR(timr))
		return timr;
	timr->it_id = in->id;
	timr->it_clock = in->clock;
	timr->it_sigev_notify = in->notify;
	timr->it_interval = in->interval;
	timr->it_overrun = in->overrun;
	timr->it_overrun_last = in->overrun_last;
	timr->it_requeue_pending = !!(in->flags & CKPT_TIMER_REQUEUE);
	timr->it_pid = get_pid(target);
	info = &timr->sigq->info;
	info->si_signo = in->signo;
	info->si_code = SI_TIMER;
	info->si_tid = in->id;
	info->si_value.sival_ptr = (void __user *)(unsigned long)in->value;
	info->si_overrun = in->signal_overrun;
	if (in->flags & CKPT_TIMER_REARMS)
		info->si_sys_private = timr->it_requeue_pending;
	if (is_cpu_timer(timr)) {
		put_pid(timr->it.cpu.pid);
		timr->it.cpu.pid = get_pid(clock_pid);
		return timr;
	}
	timr->it_abstime = in->flags & CKPT_TIMER_ABSTIME;
	/* It is set like one without signals, which does not run. */
	if (timr->it_abstime)
		timr->kclock->timer_arm(timr, timens_ktime_to_host(in->clock, in->expires),
					true, true);
	return timr;
}

/**
 * ckpt_timer_discard - free a timer that was made and not published
 * @timr: the timer
 */
void ckpt_timer_discard(struct k_itimer *timr)
{
	spin_lock_irq(&timr->it_lock);
	timr->kclock->timer_del(timr);
	spin_unlock_irq(&timr->it_lock);
	posix_timer_free(timr);
}

/**
 * ckpt_timer_publish - let the process of current have a timer
 * @timr: was made by current; it becomes the first in the list of timers
 *
 * Context: the process has no timer of that id, and none of its threads is in
 * user mode.
 */
void ckpt_timer_publish(struct k_itimer *timr)
{
	struct signal_struct *sig = current->signal;
	unsigned long flags;

	sig->next_posix_timer_id = timr->it_id;
	WARN_ON_ONCE(posix_timer_add(timr) != timr->it_id);
	/* As in do_timer_create() */
	spin_lock_irq(&timr->it_lock);
	if (!WARN_ON_ONCE(!lock_task_sighand(current, &flags))) {
		WRITE_ONCE(timr->it_signal, sig);
		hlist_add_head(&timr->list, &sig->posix_timers);
		unlock_task_sighand(current, &flags);
	}
	spin_unlock_irq(&timr->it_lock);
}

static void start_cpu_timer(struct k_itimer *timr, const struct ckpt_timer *in)
{
	struct task_struct *p = ckpt_timer_cpu_task(timr);
	ktime_t interval = timr->it_interval;
	s64 expires;

	if (!p)
		return;
	if (check_add_overflow((s64)ckpt_cpu_clock_sample(timr->it_clock, p),
			       in->expires, &expires))
		expires = KTIME_MAX;
	/* 0 is a timer that is not set. */
	cpu_timer_setexpires(&timr->it.cpu, max_t(s64, expires, 1));
	if (!(in->flags & CKPT_TIMER_ARMED))
		return;
	/* Without an interval it gets that very time. */
	timr->it_interval = 0;
	timr->kclock->timer_rearm(timr);
	timr->it_interval = interval;
}

static void set_time_left(struct k_itimer *timr, s64 left)
{
	ktime_t expires;

	/* This chooses the clock: see common_hrtimer_arm(). */
	timr->kclock->timer_arm(timr, 0, false, true);
	if (check_add_overflow(timr->kclock->clock_get_ktime(timr->it_clock),
			       left, &expires))
		expires = KTIME_MAX;
	expires = max_t(ktime_t, expires, 0);
	if (timr->kclock == &alarm_clock)
		timr->kclock->timer_arm(timr, expires, true, true);
	else
		hrtimer_set_expires(&timr->it.real.timer, expires);
}

/**
 * ckpt_timer_start - let a timer run if it ran when it was saved
 * @timr: has been published and is locked
 * @in: what it is
 *
 * Context: RCU read side. All tasks of the tree have the CPU times, and take
 * the signals, of the program.
 */
void ckpt_timer_start(struct k_itimer *timr, const struct ckpt_timer *in)
{
	lockdep_assert_held(&timr->it_lock);
	if (WARN_ON_ONCE(timr->it_id != in->id) ||
	    !(in->flags & CKPT_TIMER_SET))
		return;
	if (is_cpu_timer(timr)) {
		start_cpu_timer(timr, in);
		return;
	}
	if (!(in->flags & CKPT_TIMER_ABSTIME))
		set_time_left(timr, in->expires);
	if (!(in->flags & CKPT_TIMER_ARMED))
		return;
	timr->it_active = 1;
	if (timr->kclock == &alarm_clock)
		alarm_start(&timr->it.alarm.alarmtimer, timer_expires(timr));
	else
		hrtimer_start_expires(&timr->it.real.timer, HRTIMER_MODE_ABS);
}
