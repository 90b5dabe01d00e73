// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX timers (timer_create) of a process.
 *
 * Timers go on while their process is frozen, so that each of them may expire
 * between two looks. What a timer is, is read once, and the queue of its signal
 * afterwards; a signal that came in between is left out of the queue, since the
 * timer will expire once more in the restarted process.
 */
#include <linux/checkpoint_timers.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/time_namespace.h>

#include "checkpoint.h"

/* ckpt_timer.clock_task while saving: a task that is not in the tree. */
#define CKPT_TIMER_OUTSIDE	(CKPT_TIMER_NO_TASK - 1)
/* ckpt_timer.queued while saving: its place is not known yet. */
#define CKPT_TIMER_QUEUED	U32_MAX

#define CKPT_TIMERS_MAX	((CKPT_REC_MAX_LEN - sizeof(struct ckpt_rec_timers)) / \
			 sizeof(struct ckpt_timer))

static bool ckpt_timer_clock_ok(s32 clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return true;
	}
	/* CPU time of a process or thread; others are of devices. */
	return clock < 0 && CPUCLOCK_WHICH(clock) < CPUCLOCK_MAX;
}

/* ---- saving -------------------------------------------------------------- */

/**
 * struct ckpt_timers - the timers of a process while they are read
 * @ctx: the checkpoint
 * @ns: what its time namespace adds to the clocks
 * @list: the timers, in the order of the process
 * @nr: their number
 * @room: for ckpt_timers_visit()
 * @next_id: what timer_create() would look for first
 */
struct ckpt_timers {
	struct ckpt_ctx *ctx;
	struct timens_offsets ns;
	struct ckpt_timer *list;
	unsigned int nr;
	struct k_itimer **room;
	u32 next_id;
};

/* Of a thread or process that a timer is about; @none: it is not in the tree. */
static u32 ckpt_timer_task(struct ckpt_ctx *ctx, struct task_struct *p, u32 none)
{
	int index = p ? ckpt_task_index(ctx, p) : -1;

	if (index >= 0)
		return index;
	return p ? none : CKPT_TIMER_NO_TASK;
}

static void ckpt_read_timer(struct k_itimer *timr, unsigned int i, void *data)
{
	struct ckpt_timers *timers = data;
	struct ckpt_timer *out = &timers->list[i];

	ckpt_timer_save(timr, &timers->ns, out);
	out->thread = CKPT_TIMER_NO_TASK;
	/* A thread that is not in the tree has exited. */
	if (out->notify & SIGEV_THREAD_ID)
		out->thread = ckpt_timer_task(timers->ctx,
					      pid_task(timr->it_pid, PIDTYPE_PID),
					      CKPT_TIMER_NO_TASK);
	out->clock_task = ckpt_timer_task(timers->ctx, ckpt_timer_cpu_task(timr),
					  CPUCLOCK_PERTHREAD(out->clock) ?
					  CKPT_TIMER_NO_TASK : CKPT_TIMER_OUTSIDE);
	if (!list_empty_careful(&timr->sigq->list))
		out->queued = CKPT_TIMER_QUEUED;
}

static void ckpt_timers_offsets(struct task_struct *t, struct timens_offsets *ns)
{
#ifdef CONFIG_TIME_NS
	task_lock(t);
	if (t->nsproxy)
		*ns = t->nsproxy->time_ns->offsets;
	task_unlock(t);
#endif
}

/* What it has read is for ckpt_free_timers(), whatever it returns. */
static int ckpt_read_timers(struct ckpt_ctx *ctx, struct task_struct *t,
			    struct ckpt_timers *timers)
{
	int nr;

	*timers = (struct ckpt_timers){ .ctx = ctx };
	nr = ckpt_timers_count(t, &timers->next_id);
	if (nr <= 0)
		return nr;
	timers->list = kvcalloc(nr, sizeof(*timers->list), GFP_KERNEL_ACCOUNT);
	timers->room = kvcalloc(nr, sizeof(*timers->room), GFP_KERNEL_ACCOUNT);
	if (!timers->list || !timers->room)
		return -ENOMEM;
	timers->nr = nr;
	ckpt_timers_offsets(t, &timers->ns);
	return ckpt_timers_visit(t, nr, timers->room, ckpt_read_timer, timers);
}

static void ckpt_free_timers(struct ckpt_timers *timers)
{
	kvfree(timers->list);
	kvfree(timers->room);
}

/**
 * ckpt_check_timers - find what keeps the timers of a process from being saved
 * @ctx: the checkpoint
 * @t: a task of it, frozen
 */
void ckpt_check_timers(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct ckpt_timers timers;
	unsigned int i;

	/* One that is killed is found to be later. */
	if (ckpt_read_timers(ctx, t, &timers))
		timers.nr = 0;
	if (timers.nr > CKPT_TIMERS_MAX)
		ckpt_refuse(ctx, t, "has more POSIX timers than can be saved (%u)",
			    timers.nr);
	for (i = 0; i < timers.nr; i++) {
		const struct ckpt_timer *timer = &timers.list[i];

		if (!ckpt_timer_clock_ok(timer->clock))
			ckpt_refuse(ctx, t,
				    "has POSIX timer %d of clock %d, which cannot be saved yet",
				    timer->id, timer->clock);
		else if (timer->clock_task == CKPT_TIMER_OUTSIDE)
			ckpt_refuse(ctx, t,
				    "has POSIX timer %d for the CPU time of pid %d, which is outside",
				    timer->id, CPUCLOCK_PID(timer->clock));
	}
	ckpt_free_timers(&timers);
}

/* Those whose signal is in a queue wait for the queue to be written. */
static int ckpt_expect_queued(struct ckpt_ctx *ctx, struct ckpt_timer *list,
			      unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		if (list[i].queued != CKPT_TIMER_QUEUED)
			continue;
		list[i].queued = 0;
		ret = xa_err(xa_store(&ctx->timers, list[i].id, &list[i],
				      GFP_KERNEL_ACCOUNT));
	}
	return ret;
}

/**
 * checkpoint_timers - write the timers of a process
 * @ctx: the checkpoint
 * @t: the first task of the process that lives, frozen
 *
 * Its queues must be written afterwards, before the timers of another process.
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_timers(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct ckpt_rec_timers *rec;
	struct ckpt_timers timers;
	int ret;

	xa_destroy(&ctx->timers);
	ret = ckpt_read_timers(ctx, t, &timers);
	if (ret || (!timers.nr && !timers.next_id))
		goto out;
	ret = -ENOMEM;
	rec = ckpt_rec_new(ctx, timers, CKPT_REC_TIMERS,
			   array_size(timers.nr, sizeof(*timers.list)));
	if (!rec)
		goto out;
	rec->nr = timers.nr;
	rec->next_id = timers.next_id;
	if (timers.nr)
		memcpy(ckpt_rec_var(rec), timers.list,
		       timers.nr * sizeof(*timers.list));
	ret = ckpt_expect_queued(ctx, ckpt_rec_var(rec), timers.nr);
out:
	ckpt_free_timers(&timers);
	return ret;
}

/**
 * ckpt_timer_at - is this entry of a queue one to be saved?
 * @ctx: the checkpoint
 * @q: the entry
 * @place: its place in the queue, from 1
 *
 * Context: siglock of the task held.
 * Return: false if it is of a timer that expired after it was read.
 */
bool ckpt_timer_at(struct ckpt_ctx *ctx, const struct sigqueue *q, u32 place)
{
	struct ckpt_timer *timer;

	if (!(q->flags & SIGQUEUE_PREALLOC))
		return true;
	timer = xa_load(&ctx->timers, q->info.si_tid);
	if (!timer)
		return false;
	timer->queued = place;
	return true;
}

/* ---- restart --------------------------------------------------------------- */

static __printf(4, 5)
int ckpt_bad_timer(const struct ckpt_member *m, const struct ckpt_timer *timer,
		   int err, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	ckpt_bad(m->rs, m->timers, err, "POSIX timer %d: %pV", timer->id, &vaf);
	va_end(args);
	return err;
}

/* Who gets the signal; itself, if that is the process or nobody. */
static struct ckpt_member *ckpt_timer_target(struct ckpt_member *m,
					     const struct ckpt_timer *timer)
{
	struct ckpt_member *target;

	if (!(timer->notify & SIGEV_THREAD_ID) ||
	    timer->thread == CKPT_TIMER_NO_TASK)
		return m;
	target = ckpt_member(m->rs, timer->thread);
	return target && ckpt_tree_rec(target)->leader == ckpt_tree_rec(m)->leader ?
	       target : NULL;
}

static bool ckpt_timer_flags_ok(const struct ckpt_timer *timer)
{
	u32 flags = timer->flags;

	/* One that runs is not in want of its signal to run again. */
	return !(flags & ~CKPT_TIMER_FLAGS_ALL) &&
	       (!(flags & CKPT_TIMER_ARMED) || (flags & CKPT_TIMER_SET)) &&
	       (!(flags & CKPT_TIMER_ARMED) || !(flags & CKPT_TIMER_REQUEUE)) &&
	       (!(flags & CKPT_TIMER_ABSTIME) || (flags & CKPT_TIMER_SET)) &&
	       (!(flags & CKPT_TIMER_ABSTIME) || timer->clock >= 0) &&
	       (!(flags & CKPT_TIMER_REARMS) || (flags & CKPT_TIMER_REQUEUE));
}

static int ckpt_timer_check_notify(struct ckpt_member *m,
				   const struct ckpt_timer *timer)
{
	struct ckpt_member *target;

	switch (timer->notify) {
	case SIGEV_NONE:
		/* Its signal number is anything. */
		if (timer->queued || (timer->flags & CKPT_TIMER_ARMED))
			return ckpt_bad_timer(m, timer, -EINVAL, "a signal of a timer without");
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		break;
	default:
		return ckpt_bad_timer(m, timer, -EINVAL, "unknown notification %u",
				      timer->notify);
	}
	if (timer->signo < 1 || !valid_signal(timer->signo))
		return ckpt_bad_timer(m, timer, -EINVAL, "signal %d", timer->signo);
	target = ckpt_timer_target(m, timer);
	if (!target)
		return ckpt_bad_timer(m, timer, -EINVAL,
				      "task %u is not a thread of the process",
				      timer->thread);
	if (timer->queued && (timer->notify & SIGEV_THREAD_ID) &&
	    (timer->thread == CKPT_TIMER_NO_TASK || ckpt_is_zombie(target)))
		return ckpt_bad_timer(m, timer, -EINVAL, "a signal for a thread that is gone");
	return 0;
}

/* Others than CPU-time clocks refer to no task. */
static int ckpt_timer_check_clock(struct ckpt_member *m,
				  const struct ckpt_timer *timer)
{
	bool thread = CPUCLOCK_PERTHREAD(timer->clock);
	struct ckpt_member *of;

	if (!ckpt_timer_clock_ok(timer->clock))
		return ckpt_bad_timer(m, timer, -EINVAL, "unknown clock %d", timer->clock);
	if (timer->clock_task == CKPT_TIMER_NO_TASK)
		return 0;
	of = ckpt_member(m->rs, timer->clock_task);
	if (timer->clock >= 0 || !of ||
	    ckpt_tree_rec(of)->leader !=
			(thread ? ckpt_tree_rec(m)->leader : of->index))
		return ckpt_bad_timer(m, timer, -EINVAL, "clock of task %u", timer->clock_task);
	return 0;
}

static int ckpt_timer_check(struct ckpt_member *m, const struct ckpt_timer *timer)
{
	int ret;

	if (timer->id < 0)
		return ckpt_bad_timer(m, timer, -EINVAL, "impossible id");
	if (!ckpt_timer_flags_ok(timer) || timer->__reserved)
		return ckpt_bad_timer(m, timer, -EINVAL, "impossible flags 0x%x", timer->flags);
	if (timer->interval > KTIME_MAX ||
	    ((timer->flags & CKPT_TIMER_ABSTIME) && timer->expires < 0))
		return ckpt_bad_timer(m, timer, -EINVAL, "impossible time");
	if (timer->overrun < -1 || timer->overrun_last < -1 ||
	    timer->signal_overrun < 0)
		return ckpt_bad_timer(m, timer, -EINVAL, "impossible number of overruns");
	ret = ckpt_timer_check_notify(m, timer);
	return ret ?: ckpt_timer_check_clock(m, timer);
}

static struct pid *ckpt_timer_pid(struct ckpt_member *m, u32 index)
{
	return task_pid(ckpt_member_task(ckpt_member(m->rs, index)));
}

static struct k_itimer *ckpt_timer_make(struct ckpt_member *m,
					const struct ckpt_timer *timer)
{
	struct pid *target, *clock = &init_struct_pid;

	/* That struct pid is of no task, as is that of one that is gone. */
	if (!(timer->notify & SIGEV_THREAD_ID))
		target = ckpt_timer_pid(m, ckpt_tree_rec(m)->leader);
	else if (timer->thread != CKPT_TIMER_NO_TASK)
		target = ckpt_timer_pid(m, timer->thread);
	else
		target = &init_struct_pid;
	if (timer->clock_task != CKPT_TIMER_NO_TASK)
		clock = ckpt_timer_pid(m, timer->clock_task);
	return ckpt_timer_create(timer, target, clock);
}

/* Queues are told apart by the lowest bit. */
static unsigned long ckpt_queue_key(bool shared, u32 place)
{
	return (unsigned long)place << 1 | shared;
}

static int ckpt_timer_prepare(struct ckpt_member *m, const struct ckpt_timer *timer)
{
	bool shared = !(timer->notify & SIGEV_THREAD_ID);
	struct k_itimer *timr;
	int ret;

	ret = ckpt_timer_check(m, timer);
	if (ret)
		return ret;
	timr = ckpt_timer_make(m, timer);
	if (IS_ERR(timr)) {
		ret = PTR_ERR(timr);
		switch (ret) {
		case -EAGAIN:
			return ckpt_bad_timer(m, timer, ret,
					      "no room for it: out of memory, or more than your limit (ulimit -i)");
		case -EPERM:
			return ckpt_bad_timer(m, timer, ret,
					      "clock %d takes CAP_WAKE_ALARM", timer->clock);
		}
		return ckpt_bad_timer(m, timer, ret, "clock %d", timer->clock);
	}
	ret = xa_insert(&m->made_timers, timer->id, timr, GFP_KERNEL_ACCOUNT);
	if (ret) {
		ckpt_timer_discard(timr);
		return ret == -EBUSY ? ckpt_bad_timer(m, timer, -EINVAL, "is there twice") : ret;
	}
	if (!timer->queued)
		return 0;
	ret = xa_insert(&ckpt_timer_target(m, timer)->queued_timers,
			ckpt_queue_key(shared, timer->queued), timr,
			GFP_KERNEL_ACCOUNT);
	return ret == -EBUSY ? ckpt_bad_timer(m, timer, -EINVAL,
					      "its place in the queue is taken") : ret;
}

/**
 * restore_timers_prepare - make the timers of a process
 * @m: the task, whose turn it is
 *
 * Context: before the point of no return; before the queues of the process are
 * made.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_timers_prepare(struct ckpt_member *m)
{
	const struct ckpt_timer *timer;
	const struct ckpt_rec_timers *rec;
	struct ckpt_restart *rs = m->rs;
	int ret = 0;
	u32 i;

	if (!m->timers)
		return 0;
	rec = ckpt_rec_as(m->timers, timers);
	timer = m->timers->var;
	if (!m->speaks)
		return ckpt_bad(rs, m->timers, -EINVAL,
				"timers of a process with one of its threads");
	if (m->timers->var_len / sizeof(*timer) < rec->nr)
		return ckpt_bad(rs, m->timers, -EINVAL, "%u timers do not fit", rec->nr);
	if (rec->next_id > INT_MAX)
		return ckpt_bad(rs, m->timers, -EINVAL, "impossible next id %u", rec->next_id);
	/* For the time when nothing may fail any more. */
	m->timers_room = kvcalloc(rec->nr, sizeof(*m->timers_room), GFP_KERNEL_ACCOUNT);
	if (!m->timers_room)
		return -ENOMEM;
	for (i = 0; i < rec->nr && !ret; i++) {
		ret = ckpt_timer_prepare(m, &timer[i]);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * restore_timer_at - the timer whose signal is an entry of a queue
 * @m: the task, whose turn it is
 * @shared: the queue of the process, not of the thread
 * @place: of the entry, from 1
 *
 * Return: the timer, which is not found a second time, or NULL.
 */
struct k_itimer *restore_timer_at(struct ckpt_member *m, bool shared, u32 place)
{
	return xa_erase(&m->queued_timers, ckpt_queue_key(shared, place));
}

/**
 * restore_timers_queued - have all timers found their place in a queue?
 * @m: the task, whose queues are made
 *
 * Return: 0 or -EINVAL, with the reason logged.
 */
int restore_timers_queued(struct ckpt_member *m)
{
	if (xa_empty(&m->queued_timers))
		return 0;
	return ckpt_bad(m->rs, m->task, -EINVAL,
			"a POSIX timer has a place behind the end of the queue");
}

/**
 * restore_timers_commit - give current the timers of its process
 * @m: the task, all of it prepared
 *
 * Context: past the point of no return; the restarter's are gone.
 */
void restore_timers_commit(struct ckpt_member *m)
{
	const struct ckpt_timer *timer;
	u32 i, next_id = 0;

	if (m->timers) {
		timer = m->timers->var;
		next_id = ckpt_rec_as(m->timers, timers)->next_id;
		/* Each comes before those that are there. */
		for (i = ckpt_rec_as(m->timers, timers)->nr; i--;) {
			ckpt_timer_publish(xa_erase(&m->made_timers, timer[i].id));
			cond_resched();
		}
	}
	current->signal->next_posix_timer_id = next_id;
}

static void ckpt_start_timer(struct k_itimer *timr, unsigned int i, void *data)
{
	const struct ckpt_timer *timer = data;

	ckpt_timer_start(timr, &timer[i]);
}

/**
 * restore_timers_start - let the timers of a process run
 * @m: the first task of it that lives
 *
 * Context: all tasks of the tree are committed, none is in user mode. The timers
 * of a task that was killed are gone.
 */
void restore_timers_start(struct ckpt_member *m)
{
	if (m->timers)
		ckpt_timers_visit(ckpt_member_task(m), ckpt_rec_as(m->timers, timers)->nr,
				  m->timers_room, ckpt_start_timer,
				  (void *)m->timers->var);
}

/**
 * restore_timers_release - let go of timers that nobody has got
 * @m: the task
 */
void restore_timers_release(struct ckpt_member *m)
{
	struct k_itimer *timr;
	unsigned long id;

	xa_for_each(&m->made_timers, id, timr)
		ckpt_timer_discard(timr);
	xa_destroy(&m->made_timers);
	xa_destroy(&m->queued_timers);
}
