// SPDX-License-Identifier: GPL-2.0
/*
 * What a thread has used: CPU time, page faults, context switches.
 *
 * A process has used what its threads have, and what those had that are gone,
 * which is in its signal_struct. So what each thread of an image gets goes off
 * that: the sum stays what the SIGNAL record says.
 */
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>

#include "checkpoint.h"

/* 73 years; sums of two, and of what comes on top, do not overflow. */
#define CKPT_TIME_MAX	BIT_ULL(61)

/**
 * checkpoint_thread_times - save what a thread has used
 * @t: the task: frozen, or current
 * @rec: its record
 */
void checkpoint_thread_times(struct task_struct *t, struct ckpt_rec_task *rec)
{
	u64 utime, stime;

	task_cputime_adjusted(t, &utime, &stime);
	rec->utime = utime;
	rec->stime = stime;
	rec->run_ns = task_sched_runtime(t);
	rec->min_flt = t->min_flt;
	rec->maj_flt = t->maj_flt;
	rec->nvcsw = t->nvcsw;
	rec->nivcsw = t->nivcsw;
}

/**
 * restore_check_times - look for times that cannot be
 * @m: the task, whose turn it is
 *
 * The kernel divides by sums of them. Those of threads are parts of what one
 * record says of the process.
 *
 * Return: 0 or -EINVAL, with the reason logged.
 */
int restore_check_times(struct ckpt_member *m)
{
	const struct ckpt_rec_signal *sig = ckpt_rec_as(m->signal, signal);
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);

	if (m->signal != ckpt_member(m->rs, ckpt_tree_rec(m)->leader)->signal)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"has another process state than its process");
	if (rec->utime > CKPT_TIME_MAX || rec->stime > CKPT_TIME_MAX ||
	    rec->run_ns > CKPT_TIME_MAX)
		return ckpt_bad(m->rs, m->task, -EINVAL, "impossible CPU time");
	if (sig->utime > CKPT_TIME_MAX || sig->stime > CKPT_TIME_MAX ||
	    sig->cutime > CKPT_TIME_MAX || sig->cstime > CKPT_TIME_MAX)
		return ckpt_bad(m->rs, m->signal, -EINVAL, "impossible CPU time");
	return 0;
}

/* Not more than is left of what the process has used. */
static u64 ckpt_share(u64 value, u64 total, u64 *had)
{
	value = min(value, total - *had);
	*had += value;
	return value;
}

/*
 * Who asks for the clock of this thread on another CPU adds to it, under the
 * lock of the run queue, which task_sched_runtime() takes, too: after that it is
 * known whether such a sum has gone over what was set here.
 */
static void ckpt_set_run_time(u64 run)
{
	struct sched_entity *se = &current->se;
	u64 now;

	do {
		local_irq_disable();
		WRITE_ONCE(se->sum_exec_runtime, run);
		se->prev_sum_exec_runtime = run;
		local_irq_enable();
		now = task_sched_runtime(current);
	} while (now < run || now - run > NSEC_PER_SEC);
#ifdef CONFIG_NUMA_BALANCING
	/* Times of this clock. */
	current->node_stamp = run;
	current->last_sum_exec_runtime = run;
#endif
}

/* Neither goes back, whatever share in them the ticks of the restarter have. */
static void ckpt_set_adjusted(const struct ckpt_rec_task *rec)
{
#ifndef CONFIG_VIRT_CPU_ACCOUNTING_NATIVE
	struct prev_cputime *prev = &current->prev_cputime;

	raw_spin_lock_irq(&prev->lock);
	prev->utime = rec->utime;
	prev->stime = rec->stime;
	raw_spin_unlock_irq(&prev->lock);
#endif
}

/**
 * restore_thread_times - have used what the thread had
 * @m: the task, built
 *
 * Timers for the time of the thread or of the process are started later.
 *
 * Context: no other member does the same. Cannot fail.
 */
void restore_thread_times(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	const struct ckpt_rec_signal *sig = ckpt_rec_as(m->signal, signal);
	struct ckpt_times *had;

	if (ckpt_is_zombie(m) || !rec->run_ns)
		return;
	had = &ckpt_member(m->rs, ckpt_tree_rec(m)->leader)->had;
	ckpt_set_run_time(ckpt_share(rec->run_ns, sig->utime + sig->stime,
				     &had->run_ns));
	/* Ticks count them up. */
	local_irq_disable();
	current->utime = ckpt_share(rec->utime, sig->utime, &had->utime);
	current->stime = ckpt_share(rec->stime, sig->stime, &had->stime);
	local_irq_enable();
	ckpt_set_adjusted(rec);
	current->min_flt = ckpt_share(rec->min_flt, sig->min_flt, &had->min_flt);
	current->maj_flt = ckpt_share(rec->maj_flt, sig->maj_flt, &had->maj_flt);
	current->nvcsw = ckpt_share(rec->nvcsw, sig->nvcsw, &had->nvcsw);
	current->nivcsw = ckpt_share(rec->nivcsw, sig->nivcsw, &had->nivcsw);
}
