// SPDX-License-Identifier: GPL-2.0
/*
 * Signals: dispositions (sighand_struct), what the threads of a process share
 * (signal_struct), and queued signals.
 */
#include <linux/capability.h>
#include <linux/hrtimer.h>
#include <linux/oom.h>
#include <linux/posix-timers.h>
#include <linux/resource.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/security.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <asm/ia32.h>

#include "checkpoint.h"

static_assert(_NSIG == 64);
static_assert(sizeof(siginfo_t) == CKPT_SIGINFO_LEN);

/* ---- dispositions ------------------------------------------------------ */

static int checkpoint_sighand(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct sighand_struct *sighand = ptr;
	struct ckpt_rec_sighand *rec;
	struct ckpt_sigaction *sa;
	int i;

	rec = ckpt_rec_new(ctx, sighand, CKPT_REC_SIGHAND,
			   _NSIG * sizeof(*sa));
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->nr = _NSIG;
	sa = ckpt_rec_var(rec);

	spin_lock_irq(&sighand->siglock);
	for (i = 0; i < _NSIG; i++) {
		const struct sigaction *from = &sighand->action[i].sa;

		sa[i].handler = (unsigned long)from->sa_handler;
		sa[i].flags = from->sa_flags & UAPI_SA_FLAGS;
		if (from->sa_flags & SA_IA32_ABI)
			sa[i].flags |= CKPT_SA_COMPAT;
		sa[i].restorer = (unsigned long)from->sa_restorer;
		sa[i].mask = from->sa_mask.sig[0];
	}
	spin_unlock_irq(&sighand->siglock);
	return 0;
}

static int restore_sighand_check(struct ckpt_member *m)
{
	const struct ckpt_rec_sighand *rec = ckpt_rec_as(m->sighand, sighand);
	const struct ckpt_sigaction *sa = m->sighand->var;
	struct ckpt_restart *rs = m->rs;
	int i;

	if (rec->nr != _NSIG || m->sighand->var_len < _NSIG * sizeof(*sa))
		return ckpt_bad(rs, m->sighand, -EINVAL, "%u signals", rec->nr);
	for (i = 0; i < _NSIG; i++) {
		if (sa[i].handler >= TASK_SIZE_MAX ||
		    sa[i].restorer >= TASK_SIZE_MAX)
			return ckpt_bad(rs, m->sighand, -EINVAL,
					"the handler of signal %d lies in the kernel",
					i + 1);
		if (sa[i].flags & ~(u64)(UAPI_SA_FLAGS | CKPT_SA_COMPAT))
			return ckpt_bad(rs, m->sighand, -EINVAL,
					"unknown flags 0x%llx for signal %d",
					sa[i].flags, i + 1);
		if ((sa[i].flags & CKPT_SA_COMPAT) && !ia32_enabled())
			return ckpt_bad(rs, m->sighand, -ENODEV,
					"the handler of signal %d is for 32-bit frames, which this kernel lacks",
					i + 1);
		if (sig_kernel_only(i + 1) && sa[i].handler)
			return ckpt_bad(rs, m->sighand, -EINVAL,
					"signal %d cannot have a handler",
					i + 1);
	}
	return 0;
}

/* Who has them in common has memory in common, too: see clone(). */
static int restore_sighand_share(struct ckpt_member *m, struct ckpt_member *first)
{
	if (ckpt_rec_as(first->task, task)->mm != ckpt_rec_as(m->task, task)->mm)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"cannot have signal handlers in common with task %u",
				first->index);
	m->joins = first;
	return 0;
}

/* The first that has handlers makes them. */
static int restore_sighand_find(struct ckpt_member *m)
{
	u32 objref = ckpt_rec_as(m->task, task)->sighand;
	struct ckpt_member *first = ckpt_sighand_user(m->rs, objref);

	return first == m ? 0 : restore_sighand_share(m, first);
}

/* Threads have those of their process. */
static int restore_sighand_thread(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct ckpt_member *speaks = ckpt_member(m->rs, rec->leader);

	if (!speaks->speaks)
		speaks = ckpt_member(m->rs, rec->leader + 1);
	if (m->sighand != speaks->sighand)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"has other signal handlers than its process");
	return 0;
}

/* One that is being killed may be about to take the lock that goes. */
static bool ckpt_thread_exits(struct task_struct *t)
{
	return !t->exit_state &&
	       (t->flags & PF_EXITING || fatal_signal_pending(t));
}

/*
 * As at the end of an exec, the other way round, and for all threads at once:
 * what they share is protected by the lock in their handlers. They wait for the
 * coordinator, where they do not touch it, and who comes by from outside looks
 * twice, or holds the tasklist_lock.
 */
static int restore_sighand_join(struct task_struct *t, struct task_struct *first)
{
	struct sighand_struct *old, *new;
	struct task_struct *thread;
	unsigned int nr = 0;
	int ret = -ECHILD;

	write_lock_irq(&tasklist_lock);
	old = ckpt_sighand(t);
	new = ckpt_sighand(first);
	if (!old || !new)
		goto unlock;
	spin_lock(&old->siglock);
	for_each_thread(t, thread)
		if (ckpt_thread_exits(thread))
			goto unlock_old;
	for_each_thread(t, thread) {
		refcount_inc(&new->count);
		rcu_assign_pointer(thread->sighand, new);
		nr++;
	}
	ret = 0;
unlock_old:
	spin_unlock(&old->siglock);
unlock:
	write_unlock_irq(&tasklist_lock);
	while (nr--)
		__cleanup_sighand(old);
	return ret;
}

/**
 * restore_sighands - give processes the signal handlers that they have in common
 * @rs: the restart, whose members wait for the commit
 *
 * Context: the coordinator, last before the point of no return.
 * Return: 0, or -ECHILD if a member is being killed.
 */
int restore_sighands(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;
	int ret;

	xa_for_each(&rs->members, i, m) {
		if (!m->joins)
			continue;
		ret = restore_sighand_join(m->t, m->joins->t);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* Several processes may do it with the same handlers: all say the same. */
static void restore_sighand(struct ckpt_member *m)
{
	const struct ckpt_sigaction *sa = m->sighand->var;
	int i;

	for (i = 0; i < _NSIG; i++) {
		struct k_sigaction ka = {
			.sa.sa_handler = (__sighandler_t)(unsigned long)sa[i].handler,
			.sa.sa_flags = sa[i].flags,
			.sa.sa_restorer = (__sigrestore_t)(unsigned long)sa[i].restorer,
			.sa.sa_mask.sig[0] = sa[i].mask,
		};

		if (!sig_kernel_only(i + 1))
			do_sigaction(i + 1, &ka, NULL);
	}
	/* do_sigaction() goes by how this system call was entered. */
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	for (i = 0; i < _NSIG; i++) {
		struct sigaction *act = &ckpt_sighand(current)->action[i].sa;

		act->sa_flags &= ~(SA_IA32_ABI | SA_X32_ABI);
		if (sa[i].flags & CKPT_SA_COMPAT)
			act->sa_flags |= SA_IA32_ABI;
	}
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

static long ckpt_sighand_users(void *ptr)
{
	return refcount_read(&((struct sighand_struct *)ptr)->count);
}

static void ckpt_sighand_grab(void *ptr)
{
	refcount_inc(&((struct sighand_struct *)ptr)->count);
}

static void ckpt_sighand_drop(void *ptr)
{
	__cleanup_sighand(ptr);
}

const struct ckpt_obj_ops ckpt_ops_SIGHAND = {
	.rec_type = CKPT_REC_SIGHAND,
	.grab = ckpt_sighand_grab,
	.drop = ckpt_sighand_drop,
	.users = ckpt_sighand_users,
	.checkpoint = checkpoint_sighand,
};

/* ---- process state -------------------------------------------------------- */

/**
 * ckpt_check_signal - find what keeps the signal state from being saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_signal(struct ckpt_ctx *ctx, struct task_struct *t)
{
	const unsigned int known = SIGNAL_STOP_MASK | SIGNAL_UNKILLABLE |
				   SIGNAL_GROUP_EXIT;
	/* Job control is SIGNAL_STOP_STOPPED; the rest comes and goes. */
	const unsigned long jobctl = JOBCTL_STOP_SIGMASK |
		JOBCTL_STOP_DEQUEUED | JOBCTL_PENDING_MASK |
		JOBCTL_STOP_CONSUME | JOBCTL_TRAPPING | JOBCTL_LISTENING |
		JOBCTL_TRAP_FREEZE | JOBCTL_PTRACE_FROZEN | JOBCTL_STOPPED |
		JOBCTL_TRACED | JOBCTL_TRAP_CKPT | JOBCTL_CKPT_FROZEN;
	struct signal_struct *sig = t->signal;

	if (sig->group_stop_count)
		ckpt_refuse(ctx, t, "is just being stopped; try again");
	if (sig->flags & ~known)
		ckpt_refuse(ctx, t, "has unknown process flags 0x%x",
			    sig->flags & ~known);
	if (READ_ONCE(t->jobctl) & ~jobctl)
		ckpt_refuse(ctx, t, "has unknown job control flags 0x%lx",
			    READ_ONCE(t->jobctl) & ~jobctl);
}

static void ckpt_signal_times(struct task_struct *t,
			      struct ckpt_rec_signal *rec)
{
	struct signal_struct *sig = t->signal;
	struct task_struct *thread;
	u64 utime, stime;

	thread_group_cputime_adjusted(t, &utime, &stime);
	rec->utime = utime;
	rec->stime = stime;
	rec->cutime = sig->cutime;
	rec->cstime = sig->cstime;
	rec->min_flt = sig->min_flt;
	rec->maj_flt = sig->maj_flt;
	rec->nvcsw = sig->nvcsw;
	rec->nivcsw = sig->nivcsw;
	rec->start_time = t->start_time;
	rcu_read_lock();
	for_each_thread(t, thread) {
		rec->min_flt += thread->min_flt;
		rec->maj_flt += thread->maj_flt;
		rec->nvcsw += thread->nvcsw;
		rec->nivcsw += thread->nivcsw;
	}
	rcu_read_unlock();
}

static void ckpt_cpu_itimer(struct task_struct *t, unsigned int clock,
			    struct ckpt_itimer *out)
{
	const struct cpu_itimer *it = &t->signal->it[clock];
	u64 samples[CPUCLOCK_MAX];

	out->interval = it->incr;
	if (!it->expires)
		return;
	thread_group_sample_cputime(t, samples);
	out->value = it->expires > samples[clock] ? it->expires - samples[clock] : 1;
}

static void ckpt_itimers(struct task_struct *t, struct ckpt_itimer *out)
{
	struct signal_struct *sig = t->signal;

	/* While its signal is pending the timer rests; the interval stays. */
	out[ITIMER_REAL].interval = sig->it_real_incr;
	if (hrtimer_active(&sig->real_timer)) {
		s64 left = hrtimer_get_remaining(&sig->real_timer);

		out[ITIMER_REAL].value = max_t(s64, left, 1);
	}
	ckpt_cpu_itimer(t, CPUCLOCK_VIRT, &out[ITIMER_VIRTUAL]);
	ckpt_cpu_itimer(t, CPUCLOCK_PROF, &out[ITIMER_PROF]);
}

static int checkpoint_signal(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct task_struct *t = ctx->task->t;
	struct signal_struct *sig = ptr;
	struct ckpt_rec_signal *rec;
	struct ckpt_rlimit *rlim;
	unsigned long flags;
	int i;

	rec = ckpt_rec_new(ctx, signal, CKPT_REC_SIGNAL,
			   RLIM_NLIMITS * sizeof(*rlim));
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->oom_score_adj = sig->oom_score_adj;
	rec->oom_score_adj_min = sig->oom_score_adj_min;
	rec->nr_rlimits = RLIM_NLIMITS;
	rlim = ckpt_rec_var(rec);

	task_lock(t->group_leader);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		rlim[i].cur = sig->rlim[i].rlim_cur;
		rlim[i].max = sig->rlim[i].rlim_max;
	}
	task_unlock(t->group_leader);

	if (!lock_task_sighand(t, &flags))
		return -ESRCH;
	if (sig->is_child_subreaper)
		rec->flags |= CKPT_SIGNAL_SUBREAPER;
	if (sig->flags & SIGNAL_STOP_STOPPED) {
		rec->flags |= CKPT_SIGNAL_STOPPED;
		rec->stop_code = sig->group_exit_code ?:
				 t->jobctl & JOBCTL_STOP_SIGMASK;
		/* Its parent has waited for it. */
		if (!sig->group_exit_code)
			rec->flags |= CKPT_SIGNAL_STOP_KNOWN;
	}
	if (sig->flags & SIGNAL_STOP_CONTINUED)
		rec->flags |= CKPT_SIGNAL_CONTINUED;
	ckpt_itimers(t, rec->itimer);
	ckpt_signal_times(t, rec);
	unlock_task_sighand(t, &flags);
	return 0;
}

const struct ckpt_obj_ops ckpt_ops_SIGNAL = {
	.rec_type = CKPT_REC_SIGNAL,
	.checkpoint = checkpoint_signal,
};

static int restore_rlimits_check(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	const struct ckpt_rlimit *rlim = m->signal->var;
	struct ckpt_restart *rs = m->rs;
	int i, ret;

	if (rec->nr_rlimits != RLIM_NLIMITS ||
	    m->signal->var_len < RLIM_NLIMITS * sizeof(*rlim))
		return ckpt_bad(rs, m->signal, -EINVAL, "%u resource limits", rec->nr_rlimits);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit new = { rlim[i].cur, rlim[i].max };

		if (new.rlim_cur > new.rlim_max ||
		    (i == RLIMIT_NOFILE && new.rlim_max > sysctl_nr_open))
			return ckpt_bad(rs, m->signal, -EINVAL,
					"impossible resource limit %d (%llu of %llu)",
					i, rlim[i].cur, rlim[i].max);
		if (new.rlim_max > rlimit_max(i) && !capable(CAP_SYS_RESOURCE))
			return ckpt_bad(rs, m->signal, -EPERM,
					"resource limit %d is higher than yours, which takes CAP_SYS_RESOURCE",
					i);
		ret = security_task_setrlimit(current, i, &new);
		if (ret)
			return ckpt_bad(rs, m->signal, ret,
					"the security module forbids resource limit %d",
					i);
	}
	return 0;
}

static void restore_rlimits(struct ckpt_member *m)
{
	const struct ckpt_rlimit *rlim = m->signal->var;
	int i;

	task_lock(current->group_leader);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		current->signal->rlim[i].rlim_cur = rlim[i].cur;
		current->signal->rlim[i].rlim_max = rlim[i].max;
	}
	task_unlock(current->group_leader);
	if (rlim[RLIMIT_CPU].cur != RLIM_INFINITY)
		update_rlimit_cpu(current, rlim[RLIMIT_CPU].cur);
}

/*
 * What was used before and is not the part of a thread that has come back counts
 * as the share of threads that are gone.
 */
static void restore_times(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	const struct ckpt_times *had =
		&ckpt_member(m->rs, ckpt_tree_rec(m)->leader)->had;
	struct signal_struct *sig = current->signal;
	u64 never = U64_MAX;
	bool runs;

	/* A clock that runs already would not start from the times below. */
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	runs = sig->posix_cputimers.timers_active;
	WRITE_ONCE(sig->posix_cputimers.timers_active, false);
	sig->cputimer.cputime_atomic = INIT_CPUTIME_ATOMIC;
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	write_seqlock_irq(&sig->stats_lock);
	sig->utime = rec->utime - had->utime;
	sig->stime = rec->stime - had->stime;
	sig->cutime = rec->cutime;
	sig->cstime = rec->cstime;
	sig->min_flt = rec->min_flt - had->min_flt;
	sig->maj_flt = rec->maj_flt - had->maj_flt;
	sig->nvcsw = rec->nvcsw - had->nvcsw;
	sig->nivcsw = rec->nivcsw - had->nivcsw;
	sig->sum_sched_runtime = rec->utime + rec->stime - had->run_ns;
	write_sequnlock_irq(&sig->stats_lock);
#ifndef CONFIG_VIRT_CPU_ACCOUNTING_NATIVE
	/* Ticks of the restarter must not make either of them go back. */
	raw_spin_lock_irq(&sig->prev_cputime.lock);
	sig->prev_cputime.utime = rec->utime;
	sig->prev_cputime.stime = rec->stime;
	raw_spin_unlock_irq(&sig->prev_cputime.lock);
#endif
	if (!runs)
		return;
	/* RLIMIT_CPU, and timers of others, who may have some on any process. */
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	set_process_cpu_timer(current, CPUCLOCK_PROF, &never, NULL);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

static void restore_cpu_itimer(unsigned int clock, const struct ckpt_itimer *in)
{
	struct cpu_itimer *it = &current->signal->it[clock];
	u64 expires = in->value, none = 0;

	/* This makes of it a time of the clock, as of now. */
	if (expires)
		set_process_cpu_timer(current, clock, &expires, &none);
	it->expires = expires;
	it->incr = in->interval;
}

static void restore_itimers(const struct ckpt_itimer *in)
{
	const struct ckpt_itimer *real = &in[ITIMER_REAL];
	struct signal_struct *sig = current->signal;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	sig->it_real_incr = real->interval;
	if (real->value)
		hrtimer_start(&sig->real_timer, real->value, HRTIMER_MODE_REL);
	restore_cpu_itimer(CPUCLOCK_VIRT, &in[ITIMER_VIRTUAL]);
	restore_cpu_itimer(CPUCLOCK_PROF, &in[ITIMER_PROF]);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

/* The restarter's own do not outlive it: nor do their signals, which go next. */
static void restore_drop_timers(void)
{
	struct signal_struct *sig = current->signal;

	hrtimer_cancel(&sig->real_timer);
	exit_itimers(current);
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	memset(sig->it, 0, sizeof(sig->it));
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

static void restore_process(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	struct signal_struct *sig = current->signal;

	restore_times(m);
	restore_rlimits(m);
	sig->oom_score_adj = rec->oom_score_adj;
	sig->oom_score_adj_min = rec->oom_score_adj_min;
	sig->is_child_subreaper = !!(rec->flags & CKPT_SIGNAL_SUBREAPER);
	restore_itimers(rec->itimer);
	restore_timers_commit(m);
}

/* ---- queued signals -------------------------------------------------------- */

static int ckpt_count_pending(struct sigpending *pending)
{
	struct sigqueue *q;
	int nr = 0;

	list_for_each_entry(q, &pending->list, list)
		nr++;
	return nr;
}

/**
 * checkpoint_sigpending - write the queue of a task or of its process
 * @ctx: the checkpoint
 * @t: the task, frozen; others may still send it signals
 * @shared: the queue of the process
 *
 * Return: 0, -ENOMEM, or -ESRCH if the task is gone.
 */
int checkpoint_sigpending(struct ckpt_ctx *ctx, struct task_struct *t,
			  bool shared)
{
	struct ckpt_rec_sigpending *rec;
	struct sigpending *pending;
	u64 set, kept, left_out;
	unsigned long flags;
	struct sigqueue *q;
	siginfo_t *info;
	int nr = 0, room;

again:
	room = nr;
	info = kvcalloc(room ?: 1, sizeof(*info), GFP_KERNEL_ACCOUNT);
	if (!info)
		return -ENOMEM;
	if (!lock_task_sighand(t, &flags)) {
		kvfree(info);
		return -ESRCH;
	}
	pending = shared ? &t->signal->shared_pending : &t->pending;
	nr = ckpt_count_pending(pending);
	if (nr > room) {
		unlock_task_sighand(t, &flags);
		kvfree(info);
		goto again;
	}
	nr = 0;
	kept = 0;
	left_out = 0;
	list_for_each_entry(q, &pending->list, list) {
		if (!ckpt_timer_at(ctx, q, nr + 1)) {
			left_out |= sigmask(q->info.si_signo);
			continue;
		}
		kept |= sigmask(q->info.si_signo);
		copy_siginfo_to_external(&info[nr++], &q->info);
	}
	set = pending->signal.sig[0] & ~(left_out & ~kept);
	unlock_task_sighand(t, &flags);

	rec = ckpt_rec_new(ctx, sigpending, CKPT_REC_SIGPENDING,
			   array_size(nr, sizeof(*info)));
	if (rec) {
		rec->nr = nr;
		rec->shared = shared;
		rec->set = set;
		memcpy(ckpt_rec_var(rec), info, nr * sizeof(*info));
	}
	kvfree(info);
	return rec ? 0 : -ENOMEM;
}

static int restore_pending_check(struct ckpt_restart *rs,
				 const struct ckpt_rec *r)
{
	const struct ckpt_rec_sigpending *rec;
	const siginfo_t *info;
	u32 i;

	if (!r)
		return 0;
	rec = ckpt_rec_as(r, sigpending);
	info = r->var;
	if (rec->shared > 1 || r->var_len / sizeof(*info) < rec->nr)
		return ckpt_bad(rs, r, -EINVAL, "%u queued signals do not fit", rec->nr);
	if (rec->set & sigmask(SIGKILL))
		return ckpt_bad(rs, r, -EINVAL, "a killed process cannot be brought back");
	for (i = 0; i < rec->nr; i++) {
		int sig = info[i].si_signo;

		if (!valid_signal(sig) || sig < 1 ||
		    !(rec->set & sigmask(sig)))
			return ckpt_bad(rs, r, -EINVAL, "queued signal %u is signal %d", i, sig);
		/* All layouts that this kernel knows fit kernel_siginfo. */
		if (memchr_inv((char *)&info[i] + sizeof(kernel_siginfo_t), 0,
			       sizeof(*info) - sizeof(kernel_siginfo_t)))
			return ckpt_bad(rs, r, -EINVAL,
					"siginfo of signal %d has an unknown layout",
					sig);
	}
	return 0;
}

/*
 * The queue is made before the point of no return, since it takes memory and
 * counts against RLIMIT_SIGPENDING.
 */
static int restore_pending_prepare(struct ckpt_member *m, bool shared)
{
	struct sigpending *queue = &m->queue[shared];
	const struct ckpt_rec *r = m->pending[shared];
	const struct ckpt_rec_sigpending *rec;
	struct ckpt_restart *rs = m->rs;
	struct k_itimer *timr;
	const siginfo_t *info;
	u32 i;

	if (!r)
		return 0;
	rec = ckpt_rec_as(r, sigpending);
	info = r->var;
	for (i = 0; i < rec->nr; i++) {
		struct sigqueue *q;

		timr = restore_timer_at(m, shared, i + 1);
		if (timr) {
			q = timr->sigq;
			if (q->info.si_signo != info[i].si_signo)
				return ckpt_bad(rs, r, -EINVAL,
						"queued signal %u is not that of POSIX timer %d",
						i, timr->it_id);
			list_add_tail(&q->list, &queue->list);
			continue;
		}
		q = sigqueue_alloc();
		if (!q)
			return ckpt_bad(rs, r, -EAGAIN,
					"no room for its %u queued signals: out of memory, or more than your limit (ulimit -i)",
					rec->nr);
		/* No timer keeps it: it goes when the signal is delivered. */
		q->flags &= ~SIGQUEUE_PREALLOC;
		memcpy(&q->info, &info[i], sizeof(q->info));
		list_add_tail(&q->list, &queue->list);
	}
	queue->signal.sig[0] = rec->set;
	return 0;
}

/* The saved signals come before those that were sent meanwhile. */
static void restore_pending(struct sigpending *saved, struct sigpending *to)
{
	lockdep_assert_held(&ckpt_sighand(current)->siglock);
	list_splice_init(&saved->list, &to->list);
	sigorsets(&to->signal, &to->signal, &saved->signal);
	sigemptyset(&saved->signal);
}

/* ---- restart ------------------------------------------------------------------ */

static int restore_process_check(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	struct ckpt_restart *rs = m->rs;
	unsigned int i;

	if (rec->oom_score_adj < OOM_SCORE_ADJ_MIN ||
	    rec->oom_score_adj > OOM_SCORE_ADJ_MAX ||
	    rec->oom_score_adj_min < OOM_SCORE_ADJ_MIN ||
	    rec->oom_score_adj_min > OOM_SCORE_ADJ_MAX)
		return ckpt_bad(rs, m->signal, -EINVAL,
				"impossible oom_score_adj %d",
				rec->oom_score_adj);
	if ((rec->oom_score_adj < current->signal->oom_score_adj_min ||
	     rec->oom_score_adj_min < current->signal->oom_score_adj_min) &&
	    !capable(CAP_SYS_RESOURCE))
		return ckpt_bad(rs, m->signal, -EPERM,
				"oom_score_adj %d takes CAP_SYS_RESOURCE",
				rec->oom_score_adj);
	for (i = 0; i < ARRAY_SIZE(rec->itimer); i++)
		if (rec->itimer[i].value > KTIME_MAX ||
		    rec->itimer[i].interval > KTIME_MAX)
			return ckpt_bad(rs, m->signal, -EINVAL, "impossible timer");
	if (rec->flags & ~CKPT_SIGNAL_FLAGS_ALL ||
	    (rec->flags & CKPT_SIGNAL_STOPPED &&
	     rec->flags & CKPT_SIGNAL_CONTINUED) ||
	    (rec->flags & CKPT_SIGNAL_STOPPED &&
	     (rec->stop_code > _NSIG || !sig_kernel_stop(rec->stop_code))))
		return ckpt_bad(rs, m->signal, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	return restore_rlimits_check(m) ?: restore_sighand_check(m);
}

/**
 * restore_signal_check - look for all that may be wrong in the signal records
 * @m: the task, whose turn it is
 *
 * Context: before the point of no return; changes nothing of current.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_signal_check(struct ckpt_member *m)
{
	unsigned int i;
	int ret = 0;

	if (m->speaks)
		ret = restore_process_check(m) ?: restore_sighand_find(m);
	else
		ret = restore_sighand_thread(m);
	if (!ret && !m->speaks && m->pending[1])
		ret = ckpt_bad(m->rs, m->pending[1], -EINVAL,
			       "signals of a process with one of its threads");
	for (i = 0; i < ARRAY_SIZE(m->pending) && !ret; i++) {
		ret = restore_pending_check(m->rs, m->pending[i]);
		if (!ret)
			ret = restore_pending_prepare(m, i);
	}
	return ret ?: restore_timers_queued(m);
}

/**
 * restore_signal_release - let go of signals that were not delivered
 * @m: the task
 */
void restore_signal_release(struct ckpt_member *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(m->queue); i++)
		flush_sigqueue(&m->queue[i]);
}

/*
 * A stopped program stops again before it executes an instruction, for the same
 * signal: get_signal() finds a stop that it has to take part in. A signal would
 * not do, which might be handled, blocked or without effect on an orphan.
 *
 * The parent of the root is told, as it knows nothing of it. Within the tree the
 * stop is old: whether the parent has heard of it came back with its signals.
 */
static void restore_stop(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	int sig = rec->stop_code;
	bool tell = ckpt_tree_rec(m)->leader == 0;
	unsigned long mask = sig | JOBCTL_STOP_PENDING;
	struct signal_struct *group = current->signal;

	spin_lock_irq(&ckpt_sighand(current)->siglock);
	if (tell)
		mask |= JOBCTL_STOP_CONSUME;
	if (task_set_jobctl_pending(current, mask)) {
		if (tell)
			group->group_stop_count++;
		else
			signal_set_stop_flags(group, SIGNAL_STOP_STOPPED);
		if (tell || !(rec->flags & CKPT_SIGNAL_STOP_KNOWN))
			group->group_exit_code = sig;
	}
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

/* What the parent can still ask for by WCONTINUED; that of the root is new. */
static void restore_continued(struct ckpt_member *m)
{
	struct signal_struct *group = current->signal;

	if (!ckpt_tree_rec(m)->leader)
		return;
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	if (!(group->flags & SIGNAL_GROUP_EXIT))
		signal_set_stop_flags(group, SIGNAL_STOP_CONTINUED);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
}

/**
 * restore_signal_commit - take over the saved signal state
 * @m: the task, all of it checked
 *
 * What others send from now on is meant for the program.
 *
 * Context: past the point of no return; cannot fail.
 */
void restore_signal_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *rec = ckpt_rec_as(m->signal, signal);
	const struct ckpt_rec_task *task = ckpt_rec_as(m->task, task);
	sigset_t mask = { .sig[0] = task->blocked };

	if (m->speaks) {
		restore_sighand(m);
		restore_drop_timers();
	}
	set_current_blocked(&mask);
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	/* What was sent to the restarter was not meant for the program. */
	if (!fatal_signal_pending(current)) {
		flush_sigqueue(&current->pending);
		if (m->speaks)
			flush_sigqueue(&current->signal->shared_pending);
	}
	restore_pending(&m->queue[1], &current->signal->shared_pending);
	restore_pending(&m->queue[0], &current->pending);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);

	if (task->flags & CKPT_TASK_RESTORE_SIGMASK) {
		current->saved_sigmask.sig[0] = task->saved_sigmask &
			~(sigmask(SIGKILL) | sigmask(SIGSTOP));
		set_restore_sigmask();
	}
	if (m->speaks)
		restore_process(m);
	if (rec->flags & CKPT_SIGNAL_STOPPED)
		restore_stop(m);
	else if (m->speaks && rec->flags & CKPT_SIGNAL_CONTINUED)
		restore_continued(m);
}

/**
 * restore_signal_finish - take away what writing to the parent has raised
 * @m: the task, committed
 *
 * That the parent is gone is not the program's affair.
 */
void restore_signal_finish(struct ckpt_member *m)
{
	struct sigpending *own = &current->pending, dropped;
	unsigned long mask = sigmask(SIGPIPE) | sigmask(SIGXFSZ);
	struct sigqueue *q, *n;

	if (m->pending[0])
		mask &= ~ckpt_rec_as(m->pending[0], sigpending)->set;
	init_sigpending(&dropped);
	spin_lock_irq(&ckpt_sighand(current)->siglock);
	list_for_each_entry_safe(q, n, &own->list, list)
		if (sigmask(q->info.si_signo) & mask)
			list_move(&q->list, &dropped.list);
	sigdelsetmask(&own->signal, mask);
	spin_unlock_irq(&ckpt_sighand(current)->siglock);
	flush_sigqueue(&dropped);
}

/**
 * restore_zombie_times - what the parent of a zombie may ask for
 * @m: the zombie, about to exit
 */
void restore_zombie_times(struct ckpt_member *m)
{
	restore_times(m);
}
