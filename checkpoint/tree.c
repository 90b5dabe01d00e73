// SPDX-License-Identifier: GPL-2.0
/*
 * The tasks of a tree: bringing them to a halt, keeping hold of them, and
 * writing which there are and how they are related.
 *
 * The freeze goes over the tree until a pass finds nobody new. A child that is
 * born meanwhile is found by one of the next passes or was born frozen, see
 * ckpt_fork(). Once all stand still the tasks are put into an array: a parent
 * before its children, a leader before its threads. A place in it is the index
 * that the records go by.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/* Is it of the tree, which is not known yet? */
static bool ckpt_is_below(struct ckpt_ctx *ctx, struct task_struct *t)
{
	while (!same_thread_group(t, ctx->root_task)) {
		if (t == &init_task)
			return false;
		t = rcu_dereference(t->real_parent);
	}
	return true;
}

/**
 * ckpt_refuse_traced - refuse a task that somebody traces
 * @ctx: the checkpoint
 * @t: the task
 *
 * Return: true if it is traced.
 */
bool ckpt_refuse_traced(struct ckpt_ctx *ctx, struct task_struct *t)
{
	char comm[TASK_COMM_LEN];
	bool traced, below = false;
	struct task_struct *tracer;
	pid_t pid;

	rcu_read_lock();
	traced = t->ptrace;
	if (traced) {
		tracer = rcu_dereference(t->parent);
		/* 0 if it is in none of our pid namespaces. */
		pid = task_pid_vnr(tracer);
		get_task_comm(comm, tracer);
		below = ckpt_is_below(ctx, tracer);
	}
	rcu_read_unlock();
	if (!traced)
		return false;
	if (below)
		ckpt_refuse(ctx, t,
			    "is traced by pid %d (%s), which is in the tree: a tracer and its tracee cannot be saved yet",
			    pid, comm);
	else
		ckpt_refuse(ctx, t,
			    "is traced by pid %d (%s), which is outside; detach the tracer first",
			    pid, comm);
	return true;
}

/* ---- freeze ------------------------------------------------------------- */

/**
 * struct ckpt_pass - one pass over the tree
 * @ctx: the checkpoint
 * @asked: tasks that were asked to freeze
 * @later: tasks that exit or were just thawed: look again
 * @err: what ends the freeze
 */
struct ckpt_pass {
	struct ckpt_ctx *ctx;
	unsigned int asked;
	unsigned int later;
	int err;
};

static int ckpt_freeze_one(struct ckpt_pass *pass, struct task_struct *t)
{
	struct ckpt_ctx *ctx = pass->ctx;
	int ret;

	if (t == current || t->exit_state || (t->flags & PF_USER_WORKER))
		return 0;
	if (READ_ONCE(t->ckpt_freezer) == ctx->fz) {
		pass->asked += ckpt_vfork_over(ctx->fz, t);
		return 0;
	}
	ret = ckpt_may_save(ctx, t);
	if (ret)
		return ret;
	/* A tracer would keep a stopped task from ever coming to the trap. */
	if (ckpt_refuse_traced(ctx, t))
		return -EOPNOTSUPP;
	ret = ckpt_freeze_task(ctx->fz, t);
	switch (ret) {
	case 0:
		pass->asked++;
		return 0;
	case -ESRCH:
	case -EAGAIN:
		pass->later++;
		return 0;
	case -EBUSY:
		ckpt_refuse(ctx, t, "is being checkpointed already");
	}
	return ret;
}

static int ckpt_freeze_process(struct task_struct *leader, void *data)
{
	struct ckpt_pass *pass = data;
	struct task_struct *t;

	for_each_thread(leader, t) {
		pass->err = ckpt_freeze_one(pass, t);
		if (pass->err)
			return -1;
	}
	return 1;
}

/* A thread that executes a program takes the place of the first one. */
static void ckpt_follow_root(struct ckpt_ctx *ctx)
{
	struct task_struct *t = pid_task(ctx->root_pid, PIDTYPE_TGID);

	lockdep_assert_held(&tasklist_lock);
	if (!t || t == ctx->root_task)
		return;
	put_task_struct(ctx->root_task);
	ctx->root_task = get_task_struct(t);
}

/*
 * Calls @visit for each process of the tree, under the tasklist_lock. Returns
 * false if the root was replaced meanwhile: then not all were there to be found.
 */
static bool ckpt_walk(struct ckpt_ctx *ctx,
		      int (*visit)(struct task_struct *leader, void *data),
		      void *data)
{
	bool same;
	int ret;

	read_lock(&tasklist_lock);
	ckpt_follow_root(ctx);
	ret = visit(ctx->root_task, data);
	read_unlock(&tasklist_lock);
	if (ret > 0)
		walk_process_tree(ctx->root_task, visit, data);
	rcu_read_lock();
	same = pid_task(ctx->root_pid, PIDTYPE_TGID) == ctx->root_task;
	rcu_read_unlock();
	return same;
}

static int ckpt_log_straggler(struct task_struct *leader, void *data)
{
	struct ckpt_ctx *ctx = data;
	struct task_struct *t;

	for_each_thread(leader, t) {
		if (ckpt_task_frozen(t) || t->exit_state)
			continue;
		ckpt_log(&ctx->log,
			 "pid %d (%*pE) did not come to a halt within %u ms; it waits in %ps",
			 task_pid_vnr(t), (int)strnlen(t->comm, sizeof(t->comm)),
			 t->comm, jiffies_to_msecs(ctx->freeze_timeout),
			 (void *)get_wchan(t));
	}
	return 1;
}

static int ckpt_freeze_all(struct ckpt_ctx *ctx)
{
	unsigned long deadline = jiffies + ctx->freeze_timeout, now;
	struct ckpt_pass pass;
	int ret = 0;

	for (;;) {
		now = jiffies;
		pass = (struct ckpt_pass){ .ctx = ctx };
		if (!ckpt_walk(ctx, ckpt_freeze_process, &pass))
			pass.later++;
		if (pass.err)
			return pass.err;
		if (pass.asked) {
			ret = ckpt_freezer_wait(ctx->fz,
						time_before(now, deadline) ?
						deadline - now : 1);
		} else if (!pass.later) {
			return 0;
		} else if (!time_before(now, deadline)) {
			ret = -ETIMEDOUT;
		} else if (schedule_timeout_killable(1) &&
			   fatal_signal_pending(current)) {
			ret = -EINTR;
		}
		if (ret == -ETIMEDOUT)
			ckpt_walk(ctx, ckpt_log_straggler, ctx);
		if (ret)
			return ret;
	}
}

/* ---- the array ------------------------------------------------------------- */

struct ckpt_fill {
	struct ckpt_ctx *ctx;
	struct ckpt_task *v;
	unsigned int room;
	unsigned int nr;
};

static void ckpt_fill_one(struct ckpt_fill *fill, struct task_struct *t)
{
	if (fill->nr < fill->room) {
		struct ckpt_task *ct = &fill->v[fill->nr];

		ct->t = get_task_struct(t);
		ct->zombie = t->exit_state;
	}
	fill->nr++;
}

static int ckpt_fill_process(struct task_struct *leader, void *data)
{
	struct task_struct *t;

	if (leader->exit_state == EXIT_DEAD)
		return 1;
	ckpt_fill_one(data, leader);
	/* Other threads that have exited are gone in a moment. */
	for_each_thread(leader, t)
		if (t != leader && !t->exit_state)
			ckpt_fill_one(data, t);
	return 1;
}

static void ckpt_fill_drop(struct ckpt_fill *fill)
{
	unsigned int i;

	for (i = 0; i < min(fill->nr, fill->room); i++)
		put_task_struct(fill->v[i].t);
	kvfree(fill->v);
}

static int ckpt_list_tasks(struct ckpt_ctx *ctx)
{
	struct ckpt_fill fill = { .ctx = ctx };

	for (;;) {
		ckpt_walk(ctx, ckpt_fill_process, &fill);
		if (fill.nr <= fill.room)
			break;
		ckpt_fill_drop(&fill);
		fill.room = fill.nr;
		fill.nr = 0;
		fill.v = kvcalloc(fill.room, sizeof(*fill.v), GFP_KERNEL_ACCOUNT);
		if (!fill.v)
			return -ENOMEM;
	}
	ctx->tasks = fill.v;
	ctx->nr_tasks = fill.nr;
	return 0;
}

/**
 * ckpt_task_index - place of a task in the tree
 * @ctx: the checkpoint
 * @t: any task
 *
 * Return: its index, or -1 if it is not in the tree.
 */
int ckpt_task_index(struct ckpt_ctx *ctx, struct task_struct *t)
{
	void *entry = xa_load(&ctx->task_index, task_pid_nr(t));

	return entry ? xa_to_value(entry) : -1;
}

static int ckpt_task_gone(struct ckpt_ctx *ctx, struct task_struct *t)
{
	ckpt_refuse(ctx, t, "exited meanwhile");
	return -ESRCH;
}

/* Who is whose child and whose thread. */
static int ckpt_relate(struct ckpt_ctx *ctx, unsigned int i)
{
	struct ckpt_task *ct = &ctx->tasks[i];
	int leader, parent = 0;

	rcu_read_lock();
	leader = ckpt_task_index(ctx, ct->t->group_leader);
	/* That of the root is not asked for. */
	if (leader == i && i)
		parent = ckpt_task_index(ctx, rcu_dereference(ct->t->real_parent));
	rcu_read_unlock();
	if (leader < 0 || parent < 0)
		return ckpt_task_gone(ctx, ct->t);
	ct->leader = leader;
	ct->parent = leader == i && i ? parent : CKPT_TREE_NO_PARENT;
	if (leader != i)
		ctx->tasks[leader].threads++;
	return 0;
}

/* SIGKILL may end a task at any time; its registers must not go with it. */
static int ckpt_hold_task(struct ckpt_ctx *ctx, struct ckpt_task *ct)
{
	int ret;

	if (ct->zombie)
		return 0;
	ret = ckpt_task_wait_off_cpu(ct->t);
	if (!ret) {
		ct->stack = try_get_task_stack(ct->t);
		if (!ct->stack)
			ret = -ESRCH;
	}
	return ret == -ESRCH ? ckpt_task_gone(ctx, ct->t) : ret;
}

/**
 * ckpt_freeze_tree - bring all tasks of the tree to a halt and list them
 * @ctx: the checkpoint, with its root
 *
 * Context: may sleep.
 * Return: 0, or a negative errno with the reason logged; the caller lets those
 * go that are frozen.
 */
int ckpt_freeze_tree(struct ckpt_ctx *ctx)
{
	unsigned int i;
	int ret;

	ctx->freeze_start = ktime_get();
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_FREEZE);
	ret = ckpt_freeze_all(ctx);
	if (!ret)
		ret = ckpt_list_tasks(ctx);
	for (i = 0; i < ctx->nr_tasks && !ret; i++)
		ret = xa_err(xa_store(&ctx->task_index,
				      task_pid_nr(ctx->tasks[i].t),
				      xa_mk_value(i), GFP_KERNEL_ACCOUNT));
	for (i = 0; i < ctx->nr_tasks && !ret; i++) {
		ret = ckpt_relate(ctx, i);
		if (!ret)
			ret = ckpt_hold_task(ctx, &ctx->tasks[i]);
		if (!ret)
			ckpt_relate_vfork(ctx, &ctx->tasks[i]);
		cond_resched();
	}
	if (!ret && (!ctx->nr_tasks ||
		     (ctx->tasks[0].zombie && !ctx->tasks[0].threads)))
		ret = ckpt_task_gone(ctx, ctx->root_task);
	ctx->stats.freeze_ns = ktime_get() - ctx->freeze_start;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_FROZEN);
	return ret;
}

/**
 * ckpt_tree_killed - was a task of the tree killed since it froze?
 * @ctx: the checkpoint
 *
 * SIGKILL and the OOM killer take a frozen task, too. It may be in the trap
 * still, about to die.
 *
 * Return: the task, or NULL.
 */
struct task_struct *ckpt_tree_killed(struct ckpt_ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < ctx->nr_tasks; i++) {
		struct task_struct *t = ctx->tasks[i].t;

		if (!ctx->tasks[i].zombie && ctx->tasks[i].stack &&
		    (!ckpt_task_frozen(t) || t->exit_state ||
		     fatal_signal_pending(t)))
			return t;
	}
	return NULL;
}

/**
 * ckpt_kill_tasks - kill the tasks of a frozen tree
 * @tasks: its tasks
 * @nr: their number
 *
 * The signal is pending when they thaw, so that none executes an instruction.
 */
void ckpt_kill_tasks(struct ckpt_task *tasks, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (tasks[i].leader == i)
			do_send_sig_info(SIGKILL, SEND_SIG_PRIV, tasks[i].t,
					 PIDTYPE_TGID);
		cond_resched();
	}
}

/**
 * ckpt_put_tasks - let go of the tasks of a tree
 * @tasks: its tasks, may be NULL
 * @nr: their number
 */
void ckpt_put_tasks(struct ckpt_task *tasks, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (tasks[i].stack)
			put_task_stack(tasks[i].t);
		put_task_struct(tasks[i].t);
	}
	kvfree(tasks);
}

/* ---- records ---------------------------------------------------------------- */

/*
 * Is a session or group in use by others than the tree? Who is dead outside, and
 * has not been waited for, does not part it from its leader.
 */
static bool ckpt_used_outside(struct ckpt_ctx *ctx, struct pid *pid,
			      enum pid_type type)
{
	struct task_struct *p;
	bool outside = false, led;

	read_lock(&tasklist_lock);
	p = pid_task(pid, PIDTYPE_TGID);
	led = p && ckpt_task_index(ctx, p) >= 0;
	do_each_pid_task(pid, type, p) {
		if (ckpt_task_index(ctx, p) < 0 &&
		    !(led && p->exit_state && thread_group_empty(p)))
			outside = true;
	} while_each_pid_task(pid, type, p);
	read_unlock(&tasklist_lock);
	return outside;
}

/*
 * A session that has members outside stays behind, and so does a group: on
 * restart the tasks are in those of the restarter. Each is looked at once.
 */
static int ckpt_is_outer(struct ckpt_ctx *ctx, struct pid *pid,
			 enum pid_type type)
{
	unsigned long key = 2UL * pid_nr(pid) + (type == PIDTYPE_SID);
	void *entry = xa_load(&ctx->outer, key);
	bool outer;
	int ret;

	if (entry)
		return xa_to_value(entry);
	outer = ckpt_used_outside(ctx, pid, type);
	ret = xa_err(xa_store(&ctx->outer, key, xa_mk_value(outer),
			      GFP_KERNEL_ACCOUNT));
	return ret ?: outer;
}

static int ckpt_tree_outer_flags(struct ckpt_ctx *ctx, struct task_struct *t,
				 u32 *flags)
{
	struct pid *sid, *pgid;
	int ret = -ESRCH;

	rcu_read_lock();
	sid = get_pid(task_session(t));
	pgid = get_pid(task_pgrp(t));
	rcu_read_unlock();
	if (!sid || !pgid)
		goto out;
	ret = ckpt_is_outer(ctx, sid, PIDTYPE_SID);
	if (ret > 0)
		*flags |= CKPT_TREE_OUTER_SESSION;
	if (ret >= 0)
		ret = ckpt_is_outer(ctx, pgid, PIDTYPE_PGID);
	if (ret > 0)
		*flags |= CKPT_TREE_OUTER_GROUP;
out:
	put_pid(sid);
	put_pid(pgid);
	return min(ret, 0);
}

/* See do_notify_parent(). */
static int ckpt_exit_signal(struct ckpt_ctx *ctx, unsigned int i)
{
	struct task_struct *t = ctx->tasks[i].t, *parent;

	if (!i)
		return SIGCHLD;
	parent = ctx->tasks[ctx->tasks[i].parent].t;
	if (!ctx->tasks[i].zombie && t->exit_signal != SIGCHLD &&
	    t->parent_exec_id != READ_ONCE(parent->self_exec_id))
		return SIGCHLD;
	return t->exit_signal;
}

static int checkpoint_tree_task(struct ckpt_ctx *ctx, unsigned int i)
{
	const struct ckpt_task *ct = &ctx->tasks[i];
	struct pid *pid = get_task_pid(ct->t, PIDTYPE_PID);
	u32 levels = pid ? ckpt_pid_levels(ctx, pid) : 0;
	struct ckpt_rec_tree_task *rec;

	if (!levels) {
		put_pid(pid);
		return ckpt_task_gone(ctx, ct->t);
	}
	rec = ckpt_rec_new(ctx, tree_task, CKPT_REC_TREE_TASK,
			   levels * sizeof(struct ckpt_tree_ids));
	if (!rec) {
		put_pid(pid);
		return -ENOMEM;
	}
	rec->index = i;
	rec->parent = ct->parent;
	rec->leader = ct->leader;
	rec->exit_signal = ct->leader == i ? ckpt_exit_signal(ctx, i) : 0;
	rec->nr_levels = levels;
	if (ct->zombie)
		rec->flags |= CKPT_TREE_ZOMBIE;
	if (test_tsk_thread_flag(ct->t, TIF_ADDR32))
		rec->flags |= CKPT_TREE_COMPAT;
	checkpoint_pidns(ctx, ct->t, pid, rec);
	put_pid(pid);
	return ct->leader == i ? ckpt_tree_outer_flags(ctx, ct->t, &rec->flags) : 0;
}

/**
 * checkpoint_tree - write which tasks there are
 * @ctx: the checkpoint
 *
 * Return: 0, -ENOMEM, or -ESRCH if a task is gone.
 */
int checkpoint_tree(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_tree *tree;
	unsigned int i;
	int ret = 0;

	tree = ckpt_rec_new(ctx, tree, CKPT_REC_TREE, 0);
	if (!tree)
		return -ENOMEM;
	tree->nr_tasks = ctx->nr_tasks;
	for (i = 0; i < ctx->nr_tasks && !ret; i++) {
		ret = checkpoint_tree_task(ctx, i);
		cond_resched();
	}
	return ret;
}
