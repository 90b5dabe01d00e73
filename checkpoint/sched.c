// SPDX-License-Identifier: GPL-2.0
/*
 * How a task is scheduled: policy, priority, time slice, utilisation clamps,
 * CPU affinity, I/O priority, and with whom it has its I/O context and its core
 * scheduling cookie in common.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/iocontext.h>
#include <linux/ioprio.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "checkpoint.h"

/* As sched_setattr() clamps them. */
#define CKPT_SLICE_MIN	(NSEC_PER_MSEC / 10)
#define CKPT_SLICE_MAX	(NSEC_PER_MSEC * 100)

#define CKPT_TASK_UTIL	(CKPT_TASK_UTIL_MIN | CKPT_TASK_UTIL_MAX)
#define CKPT_TASK_DL	(CKPT_TASK_DL_RECLAIM | CKPT_TASK_DL_OVERRUN)

/* ---- saving --------------------------------------------------------------- */

/**
 * ckpt_has_policy - has the task a policy that is in no record?
 * @t: the task
 *
 * Return: true if it has.
 */
bool ckpt_has_policy(struct task_struct *t)
{
	switch (t->policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_FIFO:
	case SCHED_RR:
	case SCHED_DEADLINE:
		return false;
	}
	return true;
}

static void ckpt_save_clamps(struct task_struct *t, struct ckpt_rec_task *rec)
{
#ifdef CONFIG_UCLAMP_TASK
	if (t->uclamp_req[UCLAMP_MIN].user_defined) {
		rec->flags |= CKPT_TASK_UTIL_MIN;
		rec->util_min = t->uclamp_req[UCLAMP_MIN].value;
	}
	if (t->uclamp_req[UCLAMP_MAX].user_defined) {
		rec->flags |= CKPT_TASK_UTIL_MAX;
		rec->util_max = t->uclamp_req[UCLAMP_MAX].value;
	}
#endif
}

/**
 * checkpoint_sched - save how a task is scheduled
 * @t: the task: frozen, or current
 * @rec: its record
 *
 * What is left of a time slice or of the runtime of a period is not.
 */
void checkpoint_sched(struct task_struct *t, struct ckpt_rec_task *rec)
{
	rec->policy = t->policy;
	rec->nice = task_nice(t);
	rec->rt_priority = t->rt_priority;
	if (t->se.custom_slice)
		rec->slice_ns = t->se.slice;
	if (t->sched_reset_on_fork)
		rec->flags |= CKPT_TASK_SCHED_RESET;
	if (t->policy == SCHED_DEADLINE) {
		rec->dl_runtime = t->dl.dl_runtime;
		rec->dl_deadline = t->dl.dl_deadline;
		rec->dl_period = t->dl.dl_period;
		if (t->dl.flags & SCHED_FLAG_RECLAIM)
			rec->flags |= CKPT_TASK_DL_RECLAIM;
		if (t->dl.flags & SCHED_FLAG_DL_OVERRUN)
			rec->flags |= CKPT_TASK_DL_OVERRUN;
	}
	ckpt_save_clamps(t, rec);
	task_lock(t);
	/* Not what follows from the nice value where nobody set it. */
	rec->ioprio = t->io_context ? t->io_context->ioprio : IOPRIO_DEFAULT;
	task_unlock(t);
}

/* ---- I/O context ------------------------------------------------------------ */

/* A number for it, 0: none, and how many tasks have it. */
static unsigned long ckpt_io(struct task_struct *t, long *users)
{
	unsigned long id = 0;

	*users = 0;
#ifdef CONFIG_BLOCK
	task_lock(t);
	if (t->io_context) {
		id = (unsigned long)t->io_context;
		*users = atomic_read(&t->io_context->active_ref);
	}
	task_unlock(t);
#endif
	return id;
}

static unsigned long ckpt_first_value(struct xarray *xa, unsigned long id)
{
	void *entry = xa_load(xa, id);

	return entry ? xa_to_value(entry) : 0;
}

static int ckpt_first_store(struct xarray *xa, unsigned long id, unsigned long v)
{
	return xa_err(xa_store(xa, id, xa_mk_value(v), GFP_KERNEL_ACCOUNT));
}

/**
 * ckpt_shares_io - has somebody else the same I/O context?
 * @t: the task
 *
 * ioprio_set() of one is that of the others then.
 *
 * Return: true if so.
 */
bool ckpt_shares_io(struct task_struct *t)
{
	long users;

	ckpt_io(t, &users);
	return users > 1;
}

/**
 * ckpt_collect_io - count who has an I/O context
 * @ctx: the checkpoint
 * @t: the task, frozen
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_collect_io(struct ckpt_ctx *ctx, struct task_struct *t)
{
	unsigned long id;
	long users;

	id = ckpt_io(t, &users);
	if (users < 2)
		return 0;
	return ckpt_first_store(&ctx->io_seen, id,
			     ckpt_first_value(&ctx->io_seen, id) + 1);
}

/**
 * ckpt_check_io - refuse an I/O context that somebody outside has, too
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_io(struct ckpt_ctx *ctx, struct task_struct *t)
{
	unsigned long id;
	long users;

	id = ckpt_io(t, &users);
	if (users > 1 && users > ckpt_first_value(&ctx->io_seen, id))
		ckpt_refuse(ctx, t,
			    "shares its I/O context (CLONE_IO) with somebody outside");
}

/**
 * checkpoint_io - save whose I/O context a task has
 * @ctx: the checkpoint
 * @t: the task, frozen
 * @rec: its record, with its index
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_io(struct ckpt_ctx *ctx, struct task_struct *t,
		  struct ckpt_rec_task *rec)
{
	unsigned long id;
	long users;

	id = ckpt_io(t, &users);
	if (users < 2)
		return 0;
	rec->io = ckpt_first_value(&ctx->io_first, id);
	return rec->io ? 0 : ckpt_first_store(&ctx->io_first, id, rec->index + 1);
}

/**
 * restore_io - see that the I/O context is there that a task is to have
 * @m: the task, whose turn it is
 *
 * Context: before the point of no return.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_io(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task), *other;
	struct ckpt_restart *rs = m->rs;
	struct ckpt_member *first;
	int ret;

	if (!rec->io)
		return 0;
	if (!IS_ENABLED(CONFIG_BLOCK))
		return ckpt_bad(rs, m->task, -EOPNOTSUPP, "this kernel has no I/O contexts");
	first = rec->io <= m->index ? ckpt_member(rs, rec->io - 1) : NULL;
	if (!first || ckpt_is_zombie(first))
		return ckpt_bad(rs, m->task, -EINVAL,
				"no task before it has the I/O context of task %u",
				rec->io - 1);
	other = ckpt_rec_as(first->task, task);
	if (other->io || other->ioprio != rec->ioprio)
		return ckpt_bad(rs, m->task, -EINVAL,
				"task %u cannot have its I/O context in common",
				rec->io - 1);
	/* Makes one where there is none. The first sets it once more. */
	ret = set_task_ioprio(first->t, rec->ioprio);
	if (ret)
		return ckpt_bad(rs, m->task, ret, "its I/O context cannot be made");
	m->io = first;
	return 0;
}

/* One that was killed a moment ago has none that it could give. */
static void restore_io_commit(struct ckpt_member *m)
{
#ifdef CONFIG_BLOCK
	struct io_context *ioc;

	if (!m->io)
		return;
	task_lock(m->io->t);
	ioc = m->io->t->io_context;
	if (ioc)
		atomic_inc(&ioc->active_ref);
	task_unlock(m->io->t);
	if (!ioc)
		return;
	if (current->io_context)
		exit_io_context(current);
	task_lock(current);
	current->io_context = ioc;
	task_unlock(current);
#endif
}

/* ---- core scheduling --------------------------------------------------------- */

/**
 * checkpoint_core - save with whom a task has its core scheduling cookie
 * @ctx: the checkpoint
 * @t: the task, frozen
 * @rec: its record, with its index
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_core(struct ckpt_ctx *ctx, struct task_struct *t,
		    struct ckpt_rec_task *rec)
{
#ifdef CONFIG_SCHED_CORE
	unsigned long cookie = t->core_cookie;

	if (!cookie)
		return 0;
	rec->core = ckpt_first_value(&ctx->core_first, cookie);
	if (rec->core)
		return 0;
	rec->core = rec->index + 1;
	return ckpt_first_store(&ctx->core_first, cookie, rec->core);
#else
	return 0;
#endif
}

/**
 * restore_core - have a new cookie, or that of another task
 * @m: the task, built
 *
 * Who shared a cookie shares one again. A task without one keeps what the
 * restarter has: it is kept apart from others as that is. Nothing takes a
 * cookie back, so this is the last that can fail.
 *
 * Context: before the point of no return.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_core(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	int ret = -EOPNOTSUPP;

	if (!rec->core)
		return 0;
#ifdef CONFIG_SCHED_CORE
	if (rec->core == m->index + 1)
		ret = sched_core_share_pid(PR_SCHED_CORE_CREATE, 0, PIDTYPE_PID, 0);
	else
		ret = sched_core_share_pid(PR_SCHED_CORE_SHARE_FROM,
					   task_pid_vnr(ckpt_member(m->rs, rec->core - 1)->t),
					   PIDTYPE_PID, 0);
#endif
	if (ret)
		return ckpt_bad(m->rs, m->task, ret,
				"a core scheduling cookie cannot be had");
	return 0;
}

/* ---- restoring -------------------------------------------------------------- */

static int restore_check_clamps(struct ckpt_member *m,
				const struct ckpt_rec_task *rec)
{
	u32 min = rec->flags & CKPT_TASK_UTIL_MIN ? rec->util_min : 0;
	u32 max = rec->flags & CKPT_TASK_UTIL_MAX ? rec->util_max :
						    SCHED_CAPACITY_SCALE;

	if (!(rec->flags & CKPT_TASK_UTIL))
		return 0;
	if (!IS_ENABLED(CONFIG_UCLAMP_TASK))
		return ckpt_bad(m->rs, m->task, -EOPNOTSUPP,
				"this kernel has no utilisation clamps");
	if (max > SCHED_CAPACITY_SCALE || min > max)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"impossible utilisation clamps %u, %u", min, max);
	return 0;
}

/* The first of those that share a cookie has its own. */
static int restore_check_core(struct ckpt_member *m,
			      const struct ckpt_rec_task *rec)
{
	struct ckpt_member *first;

	if (!rec->core || rec->core == m->index + 1)
		return 0;
	first = rec->core <= m->index ? ckpt_member(m->rs, rec->core - 1) : NULL;
	if (!first || ckpt_is_zombie(first) ||
	    ckpt_rec_as(first->task, task)->core != rec->core)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"no task before it has the core scheduling cookie of task %u",
				rec->core - 1);
	return 0;
}

static int restore_check_policy(struct ckpt_member *m,
				const struct ckpt_rec_task *rec)
{
	bool rt = rec->policy == SCHED_FIFO || rec->policy == SCHED_RR;
	bool dl = rec->policy == SCHED_DEADLINE;
	struct ckpt_restart *rs = m->rs;

	if (rec->policy != SCHED_NORMAL && rec->policy != SCHED_BATCH &&
	    rec->policy != SCHED_IDLE && !rt && !dl)
		return ckpt_bad(rs, m->task, -EINVAL, "unknown scheduling policy %u", rec->policy);
	if (rec->nice < MIN_NICE || rec->nice > MAX_NICE ||
	    (rt ? rec->rt_priority < 1 || rec->rt_priority >= MAX_RT_PRIO :
		  rec->rt_priority != 0))
		return ckpt_bad(rs, m->task, -EINVAL, "impossible priority");
	if (rec->slice_ns && (rec->slice_ns < CKPT_SLICE_MIN ||
			      rec->slice_ns > CKPT_SLICE_MAX))
		return ckpt_bad(rs, m->task, -EINVAL, "impossible time slice of %llu ns",
				rec->slice_ns);
	if (!dl && (rec->dl_runtime || rec->dl_deadline || rec->dl_period ||
		    rec->flags & CKPT_TASK_DL))
		return ckpt_bad(rs, m->task, -EINVAL, "a deadline without SCHED_DEADLINE");
	if ((rt || dl) && !capable(CAP_SYS_NICE))
		return ckpt_bad(rs, m->task, -EPERM, "a real-time priority takes CAP_SYS_NICE");
	return 0;
}

/**
 * restore_check_sched - look for all that may be wrong with how it is scheduled
 * @m: the task, whose turn it is
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_check_sched(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;
	int ret;

	ret = restore_check_policy(m, rec);
	if (!ret)
		ret = restore_check_clamps(m, rec);
	if (!ret)
		ret = restore_check_core(m, rec);
	if (ret)
		return ret;
	if (rec->nice < task_nice(current) && !can_nice(current, rec->nice))
		return ckpt_bad(rs, m->task, -EPERM,
				"nice %d takes CAP_SYS_NICE or RLIMIT_NICE",
				rec->nice);
	if (rec->ioprio != IOPRIO_DEFAULT) {
		ret = ioprio_check_cap(rec->ioprio);
		if (ret)
			return ckpt_bad(rs, m->task, ret,
					"I/O priority 0x%x is not permitted",
					rec->ioprio);
	}
	return 0;
}

/* Clamps of the restarter do not stay, either. */
static void ckpt_attr_clamps(const struct ckpt_rec_task *rec,
			     struct sched_attr *attr)
{
	if (!IS_ENABLED(CONFIG_UCLAMP_TASK))
		return;
	attr->sched_flags |= SCHED_FLAG_UTIL_CLAMP;
	attr->sched_util_min = rec->flags & CKPT_TASK_UTIL_MIN ? rec->util_min : -1;
	attr->sched_util_max = rec->flags & CKPT_TASK_UTIL_MAX ? rec->util_max : -1;
}

/*
 * The policies that have no use for a nice value or a slice keep one, too: it
 * comes by way of the ordinary policy.
 */
static int ckpt_set_sched(const struct ckpt_rec_task *rec)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = rec->nice,
		.sched_runtime = rec->slice_ns,
	};
	int ret;

	ckpt_attr_clamps(rec, &attr);
	ret = sched_setattr_nocheck(current, &attr);
	if (ret)
		return ret;
	attr.sched_policy = rec->policy;
	attr.sched_priority = rec->rt_priority;
	if (rec->flags & CKPT_TASK_SCHED_RESET)
		attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	if (rec->policy != SCHED_DEADLINE)
		return sched_setattr_nocheck(current, &attr);
	attr.sched_runtime = rec->dl_runtime;
	attr.sched_deadline = rec->dl_deadline;
	attr.sched_period = rec->dl_period;
	if (rec->flags & CKPT_TASK_DL_RECLAIM)
		attr.sched_flags |= SCHED_FLAG_RECLAIM;
	if (rec->flags & CKPT_TASK_DL_OVERRUN)
		attr.sched_flags |= SCHED_FLAG_DL_OVERRUN;
	/* Asks whether all deadlines can be kept. */
	return sched_setattr(current, &attr);
}

/**
 * restore_sched_build - come under SCHED_DEADLINE if the task is
 * @m: the task, built but for this
 *
 * The only policy that may not be had; so it is taken before the point of no
 * return, and given back if that is not reached.
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_sched_build(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	int ret;

	if (rec->policy != SCHED_DEADLINE)
		return 0;
	m->old_sched = kzalloc(sizeof(*m->old_sched), GFP_KERNEL_ACCOUNT);
	if (!m->old_sched)
		return -ENOMEM;
	checkpoint_sched(current, m->old_sched);
	ret = ckpt_set_sched(rec);
	if (!ret)
		return 0;
	restore_sched_abort(m);
	return ckpt_bad(m->rs, m->task, ret,
			"SCHED_DEADLINE cannot be had (%llu of %llu ns in %llu ns)",
			rec->dl_runtime, rec->dl_deadline, rec->dl_period);
}

/**
 * restore_sched_abort - be scheduled as before
 * @m: the task
 */
void restore_sched_abort(struct ckpt_member *m)
{
	if (m->old_sched)
		ckpt_set_sched(m->old_sched);
	kfree(m->old_sched);
	m->old_sched = NULL;
}

static void restore_affinity(struct ckpt_member *m,
			     const struct ckpt_rec_task *rec)
{
	cpumask_var_t mask;

	/* Without a mask it ran wherever it might; the restarter's does not stay. */
	if ((!rec->cpus_len && !current->user_cpus_ptr) ||
	    !zalloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	if (rec->cpus_len)
		memcpy(cpumask_bits(mask), m->task->var,
		       min_t(size_t, rec->cpus_len, cpumask_size()));
	else
		cpumask_copy(mask, cpu_possible_mask);
	if (sched_setaffinity(0, mask))
		ckpt_log(&m->rs->log, "warning: the CPU affinity could not be restored");
	free_cpumask_var(mask);
}

/**
 * restore_sched_commit - be scheduled as the task was
 * @m: the task
 *
 * Context: past the point of no return.
 */
void restore_sched_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);

	kfree(m->old_sched);
	m->old_sched = NULL;
	if (rec->policy != SCHED_DEADLINE && ckpt_set_sched(rec))
		ckpt_log(&m->rs->log, "warning: the scheduling policy could not be restored");
	restore_affinity(m, rec);
	if ((rec->ioprio != IOPRIO_DEFAULT || current->io_context) &&
	    set_task_ioprio(current, rec->ioprio))
		ckpt_log(&m->rs->log, "warning: the I/O priority could not be restored");
	restore_io_commit(m);
}
