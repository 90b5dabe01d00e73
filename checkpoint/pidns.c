// SPDX-License-Identifier: GPL-2.0
/*
 * Pid namespaces.
 *
 * A tree whose root is the init of its pid namespace is a container: it comes
 * back in a new pid namespace, in which its tasks have the pids that they had.
 * Outside they get others. Any tree may have pid namespaces below its root; each
 * is known by the task that is its init. Who makes the tree makes the namespaces
 * by making their inits, and the kernel looks whether each task is where it was.
 */
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "checkpoint.h"

/* What TREE_TASK records say of namespaces: a task by its index. */
#define CKPT_PIDNS_OF(index)	((index) + 1)

/* ---- save ----------------------------------------------------------------------- */

/* The pid namespace that the image counts from. */
static struct pid_namespace *ckpt_base_ns(struct ckpt_ctx *ctx)
{
	return ns_of_pid(ctx->root_pid);
}

static bool ckpt_is_container(struct ckpt_ctx *ctx)
{
	return is_child_reaper(ctx->root_pid) &&
	       ckpt_base_ns(ctx) != &init_pid_ns;
}

/*
 * Index of the init of a namespace, whether it lives or not; -ENOENT: there is
 * none any more, or not yet; -EXDEV: it is not in the tree.
 */
static int ckpt_init_index(struct ckpt_ctx *ctx, struct pid_namespace *ns)
{
	struct task_struct *init;
	int index = -ENOENT;

	rcu_read_lock();
	init = pid_task(find_pid_ns(1, ns), PIDTYPE_TGID);
	if (init) {
		index = ckpt_task_index(ctx, init);
		if (index < 0)
			index = -EXDEV;
	}
	rcu_read_unlock();
	return index;
}

/* Levels of @ns from that of the image downwards; 0: it lies elsewhere. */
static u32 ckpt_ns_levels(struct ckpt_ctx *ctx, struct pid_namespace *ns)
{
	struct pid_namespace *base = ckpt_base_ns(ctx), *up = ns;

	while (up && up != base)
		up = up->parent;
	return up ? ns->level - base->level + 1 : 0;
}

static bool ckpt_ns_is_base(struct ckpt_ctx *ctx, struct pid_namespace *ns)
{
	return ns == ckpt_base_ns(ctx) && !ckpt_is_container(ctx);
}

static void ckpt_check_one_pidns(struct ckpt_ctx *ctx, struct task_struct *t,
				 struct pid_namespace *ns)
{
	if (!ckpt_ns_levels(ctx, ns) ||
	    (ckpt_ns_is_base(ctx, ns) && ns != task_active_pid_ns(current)))
		ckpt_refuse(ctx, t,
			    "is in another pid namespace than you, and the init of that is not the root of the tree");
	else if (!ckpt_ns_is_base(ctx, ns) && ckpt_init_index(ctx, ns) < 0)
		ckpt_refuse(ctx, t,
			    "is in a pid namespace whose init is outside of the tree");
	else if (!ckpt_ns_is_base(ctx, ns) && ns->user_ns != current_user_ns())
		ckpt_refuse(ctx, t,
			    "is in a pid namespace of another user namespace, which cannot be saved yet");
}

/**
 * ckpt_check_pidns - refuse what cannot be brought back of pid namespaces
 * @ctx: the checkpoint
 * @t: the task
 * @children: the namespace that its next children will be in, or NULL
 */
void ckpt_check_pidns(struct ckpt_ctx *ctx, struct task_struct *t,
		      struct pid_namespace *children)
{
	struct pid_namespace *ns;

	rcu_read_lock();
	ns = task_active_pid_ns(t);
	if (ns)
		get_pid_ns(ns);
	rcu_read_unlock();
	if (!ns)
		return;
	ckpt_check_one_pidns(ctx, t, ns);
	if (children && children != ns &&
	    ckpt_init_index(ctx, children) == -EXDEV)
		ckpt_refuse(ctx, t,
			    "has children born in a pid namespace whose init is outside of the tree");
	put_pid_ns(ns);
}

/* Somebody in a namespace who is not in the tree. With a reference. */
static struct task_struct *ckpt_find_stranger(struct ckpt_ctx *ctx,
					      struct pid_namespace *ns, int *nr)
{
	struct task_struct *t = NULL;
	struct pid *pid;

	rcu_read_lock();
	for (; (pid = find_ge_pid(*nr, ns)); ++*nr) {
		*nr = pid_nr_ns(pid, ns);
		t = pid_task(pid, PIDTYPE_PID);
		/* Those are gone in a moment. */
		if (!t || t->exit_state == EXIT_DEAD ||
		    (t->exit_state && !thread_group_leader(t)) ||
		    ckpt_task_index(ctx, t) >= 0)
			continue;
		get_task_struct(t);
		break;
	}
	rcu_read_unlock();
	return pid ? t : NULL;
}

static int ckpt_refuse_strangers(struct ckpt_ctx *ctx, struct pid_namespace *ns)
{
	struct task_struct *t;
	pid_t parent;
	int nr = 1, ret = 0;

	while ((t = ckpt_find_stranger(ctx, ns, &nr))) {
		rcu_read_lock();
		parent = task_tgid_vnr(rcu_dereference(t->real_parent));
		rcu_read_unlock();
		ret = ckpt_refuse(ctx, t,
				  "is in a pid namespace of the tree, but its parent, pid %d, is outside",
				  parent);
		put_task_struct(t);
		nr++;
		cond_resched();
	}
	return ret;
}

/**
 * ckpt_check_strangers - refuse who is in a pid namespace of the tree only
 * @ctx: the checkpoint
 *
 * Somebody who has entered a container from outside would not be in the image,
 * and would be killed with its init.
 *
 * Context: may sleep.
 * Return: 0 or -EOPNOTSUPP, with the reasons logged.
 */
int ckpt_check_strangers(struct ckpt_ctx *ctx)
{
	struct pid_namespace *ns;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ctx->nr_tasks; i++) {
		struct pid *pid = get_task_pid(ctx->tasks[i].t, PIDTYPE_TGID);

		ns = ns_of_pid(pid);
		/* Who is in a namespace is in those above, too. */
		if (ns && ctx->tasks[i].leader == i && is_child_reaper(pid) &&
		    (ckpt_is_container(ctx) ? !i :
		     ns->parent == ckpt_base_ns(ctx)))
			ret = ckpt_refuse_strangers(ctx, ns) ?: ret;
		put_pid(pid);
		cond_resched();
	}
	return ret;
}

/* Where the next children of a task will be. */
static u32 ckpt_pidns_children(struct ckpt_ctx *ctx, struct task_struct *t,
			       struct pid_namespace *own)
{
	struct pid_namespace *ns = NULL;
	u32 ret = 0;
	int index;

	task_lock(t);
	if (t->nsproxy)
		ns = get_pid_ns(t->nsproxy->pid_ns_for_children);
	task_unlock(t);
	if (!ns)
		return 0;
	if (ns != own) {
		index = ckpt_init_index(ctx, ns);
		if (index >= 0)
			ret = CKPT_PIDNS_OF(index);
		else
			ret = READ_ONCE(ns->pid_allocated) & PIDNS_ADDING ?
			      CKPT_PIDNS_NEW : CKPT_PIDNS_DEAD;
	}
	put_pid_ns(ns);
	return ret;
}

static int ckpt_memfd_noexec(struct pid_namespace *ns)
{
#if defined(CONFIG_SYSCTL) && defined(CONFIG_MEMFD_CREATE)
	return READ_ONCE(ns->memfd_noexec_scope);
#else
	return 0;
#endif
}

/**
 * ckpt_pid_levels - levels of pid namespaces that a task has pids in
 * @ctx: the checkpoint
 * @pid: of the task
 *
 * Return: their number, from the pid namespace of the image downwards.
 */
u32 ckpt_pid_levels(struct ckpt_ctx *ctx, struct pid *pid)
{
	return ckpt_ns_levels(ctx, ns_of_pid(pid));
}

/**
 * checkpoint_pidns - put into a record where a task is
 * @ctx: the checkpoint
 * @t: the task
 * @pid: of the task
 * @rec: its record, with room for as many levels as ckpt_pid_levels() has said
 */
void checkpoint_pidns(struct ckpt_ctx *ctx, struct task_struct *t,
		      struct pid *pid, struct ckpt_rec_tree_task *rec)
{
	struct ckpt_tree_ids *ids = ckpt_rec_var(rec);
	struct pid_namespace *ns = ns_of_pid(pid), *up = ns;
	u32 level = rec->nr_levels;
	int init;

	while (level--) {
		ids[level].pid = pid_nr_ns(pid, up);
		ids[level].tgid = task_tgid_nr_ns(t, up);
		ids[level].pgid = task_pgrp_nr_ns(t, up);
		ids[level].sid = task_session_nr_ns(t, up);
		up = up->parent;
	}
	init = ckpt_ns_is_base(ctx, ns) ? -1 : ckpt_init_index(ctx, ns);
	rec->pidns = CKPT_PIDNS_OF(init);
	rec->pidns_children = ckpt_pidns_children(ctx, t, ns);
	if (init < 0 || init != rec->index)
		return;
	rec->pidns_next = idr_get_cursor(&ns->idr);
	rec->pidns_memfd_noexec = ckpt_memfd_noexec(ns);
}

/* ---- is that possible? ------------------------------------------------------------ */

/**
 * ckpt_image_is_container - does an image bring its pid namespace?
 * @rs: the restart
 *
 * Return: true if the root is the init of its pid namespace.
 */
bool ckpt_image_is_container(struct ckpt_restart *rs)
{
	return ckpt_tree_rec(ckpt_member(rs, 0))->pidns;
}

/* The init of the namespace that a task is in, NULL: of the restarter's. */
static struct ckpt_member *ckpt_ns_init(struct ckpt_member *m)
{
	u32 pidns = ckpt_tree_rec(m)->pidns;

	return pidns ? ckpt_member(m->rs, pidns - 1) : NULL;
}

/* The namespace of @m is that of its parent, or lies below it. */
static bool ckpt_ns_descends(struct ckpt_member *m, struct ckpt_member *parent)
{
	const u32 goal = ckpt_tree_rec(parent)->pidns;
	struct ckpt_member *init;
	u32 left = ckpt_tree_rec(m)->nr_levels;

	while (ckpt_tree_rec(m)->pidns != goal) {
		init = ckpt_ns_init(m);
		/* Inits that lie in a circle have no end. */
		if (!init || !init->index || !left--)
			return false;
		m = ckpt_member(m->rs, ckpt_tree_rec(init)->parent);
	}
	return true;
}

static const char *ckpt_bad_init(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	const struct ckpt_tree_ids *ids = m->tree_task->var;
	u32 above = 0;

	if (!ckpt_is_leader(m))
		return "a thread cannot be the init of its pid namespace";
	if (ids[rec->nr_levels - 1].pid != 1)
		return "the init of a pid namespace has to be pid 1";
	if (m->index)
		above = ckpt_tree_rec(ckpt_member(m->rs, rec->parent))->nr_levels;
	if (rec->nr_levels != above + 1)
		return "the init of a pid namespace has to be a child of the one above";
	if (rec->pidns_next > PID_MAX_LIMIT || rec->pidns_memfd_noexec > 2)
		return "impossible settings of a pid namespace";
	return NULL;
}

static const char *ckpt_bad_pidns(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct ckpt_member *init = ckpt_ns_init(m), *leader;
	u32 children = rec->pidns_children;

	if (rec->pidns && !init)
		return "there is no such task that could be the init of its pid namespace";
	if (children && children < CKPT_PIDNS_DEAD &&
	    (!ckpt_member(m->rs, children - 1) ||
	     ckpt_tree_rec(ckpt_member(m->rs, children - 1))->pidns != children))
		return "there is no such pid namespace for its children";
	if (!m->index && init && init != m)
		return "the root is in a pid namespace below it";
	if (init == m)
		return ckpt_bad_init(m);
	if (rec->nr_levels != (init ? ckpt_tree_rec(init)->nr_levels : 1))
		return "it has not the levels of its pid namespace";
	if (!init)
		return m->index && ckpt_image_is_container(m->rs) ?
		       "it is above the pid namespace of the root" : NULL;
	if (ckpt_tree_rec(init)->pidns != rec->pidns)
		return "the init of its pid namespace is in another one";
	if (ckpt_is_zombie(init) && !init->threads)
		return "the init of its pid namespace has exited";
	leader = ckpt_member(m->rs, rec->leader);
	if (leader != m && ckpt_tree_rec(leader)->pidns != rec->pidns)
		return "a thread is in the pid namespace of its process";
	return NULL;
}

/**
 * ckpt_check_pidns_records - can its pid namespaces be as the image says?
 * @m: a task of the image; all of them have been looked at otherwise
 *
 * Return: 0 or -EINVAL, with the reason logged.
 */
int ckpt_check_pidns_records(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	const char *why = ckpt_bad_pidns(m);

	if (!why && m->index && ckpt_is_leader(m) &&
	    !ckpt_ns_descends(m, ckpt_member(m->rs, rec->parent)))
		why = "its pid namespace does not lie below that of its parent";
	return why ? ckpt_bad(m->rs, m->tree_task, -EINVAL, "%s", why) : 0;
}

/* ---- restore ------------------------------------------------------------------------ */

/* The pid namespace of a task that has joined. With a reference, or NULL. */
static struct pid_namespace *ckpt_member_ns(struct ckpt_member *m)
{
	struct pid_namespace *ns;

	rcu_read_lock();
	ns = task_active_pid_ns(ckpt_member_task(m));
	if (ns)
		get_pid_ns(ns);
	rcu_read_unlock();
	return ns;
}

/* Is current in the namespace that the image says? */
static bool ckpt_in_right_ns(struct ckpt_member *m)
{
	struct pid_namespace *own = task_active_pid_ns(current), *ns;
	struct ckpt_member *init = ckpt_ns_init(m);
	bool right;

	if (!init)
		return own == m->rs->pid_ns;
	if (init == m)
		return is_child_reaper(task_pid(current));
	ns = ckpt_member_ns(init);
	right = ns == own;
	if (ns)
		put_pid_ns(ns);
	return right;
}

/**
 * ckpt_check_pids - has current the ids of the task that it is to be?
 * @m: the task
 *
 * Return: 0 or -EINVAL, with the reason logged.
 */
int ckpt_check_pids(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	const struct ckpt_tree_ids *ids = m->tree_task->var;
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct ckpt_restart *rs = m->rs;
	u32 level = rec->nr_levels;
	pid_t nr;

	if (!ckpt_in_right_ns(m))
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"who has come to be it is not in the pid namespace that it should be in");
	while (level-- && ns) {
		nr = task_pid_nr_ns(current, ns);
		ns = ns->parent;
		if (nr == ids[level].pid)
			continue;
		if (!level && (rs->flags & RESTART_NO_PIDS) &&
		    !ckpt_image_is_container(rs))
			continue;
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"it was saved as pid %d, you are pid %d; --no-pids lets it have another pid",
				ids[level].pid, nr);
	}
	return 0;
}

/**
 * ckpt_alloc_ghost - an id that no task has, only a session or process group
 * @m: the leader of a process that is in it
 * @of_session: the session is meant, not the group
 *
 * Return: a pid, to be freed by free_pid() if nobody takes it, or an ERR_PTR().
 */
struct pid *ckpt_alloc_ghost(struct ckpt_member *m, bool of_session)
{
	const struct ckpt_tree_ids *ids = m->tree_task->var;
	u32 i, skip, nr = 0, levels = ckpt_tree_rec(m)->nr_levels;
	struct pid_namespace *own = ckpt_member_ns(m), *ns = own;
	pid_t want[MAX_PID_NS_LEVEL + 1];
	struct pid *pid;

	if (!own)
		return ERR_PTR(-ECHILD);
	/* A leader is seen from its own namespace upwards. */
	while (nr < levels && (of_session ? ids[nr].sid : ids[nr].pgid))
		nr++;
	for (i = nr; i < levels; i++)
		ns = ns->parent;
	for (i = 0; i < nr; i++)
		want[i] = of_session ? ids[nr - 1 - i].sid : ids[nr - 1 - i].pgid;
	skip = (m->rs->flags & RESTART_NO_PIDS) && !ckpt_image_is_container(m->rs);
	pid = alloc_pid(ns, want, nr - skip);
	put_pid_ns(own);
	return pid;
}

/**
 * restore_pidns - make what its next children need
 * @m: the task, current
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_pidns(struct ckpt_member *m)
{
	const u32 children = ckpt_tree_rec(m)->pidns_children;
	struct pid_namespace *ns;
	int ret;

	ns = current->nsproxy->pid_ns_for_children;
	if (ns != task_active_pid_ns(current))
		return ckpt_bad(m->rs, m->tree_task, -EINVAL,
				"who has come to be it has asked for another pid namespace for its children");
	if (!children)
		return 0;
	ret = unshare_nsproxy_namespaces(CLONE_NEWPID, &m->nsproxy, NULL, NULL);
	if (ret) {
		m->nsproxy = NULL;
		return ckpt_bad(m->rs, m->tree_task, ret,
				"the pid namespace of its next children cannot be had");
	}
	if (children == CKPT_PIDNS_NEW)
		return 0;
	if (children == CKPT_PIDNS_DEAD) {
		disable_pid_allocation(m->nsproxy->pid_ns_for_children);
		return 0;
	}
	ns = ckpt_member_ns(ckpt_member(m->rs, children - 1));
	if (!ns)
		return -ECHILD;
	put_pid_ns(m->nsproxy->pid_ns_for_children);
	m->nsproxy->pid_ns_for_children = ns;
	return 0;
}

/**
 * restore_pidns_commit - put it to use
 * @m: the task, current
 *
 * Context: past the point of no return; all tasks of the tree are there.
 */
void restore_pidns_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (m->nsproxy)
		switch_task_namespaces(current, m->nsproxy);
	m->nsproxy = NULL;
	if (ckpt_ns_init(m) != m)
		return;
	idr_set_cursor(&ns->idr, rec->pidns_next);
#if defined(CONFIG_SYSCTL) && defined(CONFIG_MEMFD_CREATE)
	WRITE_ONCE(ns->memfd_noexec_scope, rec->pidns_memfd_noexec);
#endif
}
