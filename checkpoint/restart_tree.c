// SPDX-License-Identifier: GPL-2.0
/*
 * A restart of many tasks: a coordinator and the members that turn into them.
 *
 *	coordinator			members, made by clone3(set_tid)
 *	-----------			-------
 *	restart(RESTART_CONTEXT)
 *	  metadata read, tree looked at
 *	  -> context descriptor
 *	clone3() of the root ---------> clone3() of children and threads
 *	restart(RESTART_RUN)		restart(index, RESTART_MEMBER)
 *	  waits until all have joined	  waits for its turn
 *	  are they each other's
 *	  parents and threads?
 *	  first turn ------------------> BUILD: objects, memory, payload;
 *					  the turn goes to the next
 *	  tail verified <--------------- after the last
 *	  sessions and groups
 *	  ----------------------------->  ZOMBIES: those exit
 *	  all of them have exited <-----
 *	  ---- point of no return ---->  COMMIT: they turn into the tasks
 *	  <-----------------------------  each: done
 *	  ----------------------------->  RELEASE: return into the program
 *	returns the pid of the root
 *
 * A failure anywhere before the commit (or the death of a member or of the
 * coordinator) fails the restart: members then kill themselves, none of them
 * returns to user mode. Each has SIGKILL for a parent-death signal while it
 * waits, so that nobody outlives the coordinator either.
 *
 * Members wait for a phase, the coordinator for the last member that has done
 * what the phase asks: on queues of their own, so that a step forward wakes
 * nobody whom it does not concern.
 *
 * Turns keep the order of the image, which streams need: the payload of an
 * address space is read by the first member that uses it. What members share is
 * made by the first that needs it and is ready for those that come later.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/tty.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/* Longest time without anybody joining. */
#define CKPT_JOIN_TIMEOUT	(10 * HZ)

/* ---- phases -------------------------------------------------------------------- */

static enum ckpt_phase ckpt_phase(struct ckpt_restart *rs)
{
	return smp_load_acquire(&rs->phase); /* pairs with ckpt_set_phase() */
}

/* Returns false if the restart has failed before. */
static bool ckpt_set_phase(struct ckpt_restart *rs, enum ckpt_phase phase, int err)
{
	struct ckpt_member *m;
	unsigned long i;
	bool set = false;

	mutex_lock(&rs->lock);
	/* Past the commit nothing fails any more. */
	if (rs->phase != CKPT_PHASE_FAILED &&
	    (phase != CKPT_PHASE_FAILED || rs->phase < CKPT_PHASE_COMMIT)) {
		if (phase == CKPT_PHASE_FAILED)
			rs->err = err;
		smp_store_release(&rs->phase, phase); /* see ckpt_phase() */
		set = true;
	}
	mutex_unlock(&rs->lock);
	if (!set)
		return false;
	wake_up_all(&rs->wait);
	if (phase == CKPT_PHASE_FAILED) {
		wake_up_all(&rs->progress);
		xa_for_each(&rs->members, i, m)
			complete_all(&m->turn);
	}
	return true;
}

static void ckpt_fail(struct ckpt_restart *rs, int err)
{
	ckpt_set_phase(rs, CKPT_PHASE_FAILED, err);
}

/**
 * ckpt_restart_cancel - end a restart that has not been committed
 * @rs: the restart
 * @why: the reason, for the log, or NULL
 */
void ckpt_restart_cancel(struct ckpt_restart *rs, const char *why)
{
	if (ckpt_set_phase(rs, CKPT_PHASE_FAILED, -ECANCELED) && why)
		ckpt_log(&rs->log, "%s", why);
}

/* Waits until the phase is @phase or a later one. */
static int ckpt_wait_phase(struct ckpt_restart *rs, enum ckpt_phase phase)
{
	int ret;

	ret = wait_event_killable(rs->wait, ckpt_phase(rs) >= phase);
	if (ret)
		return -EINTR;
	return ckpt_phase(rs) == CKPT_PHASE_FAILED ? -ECANCELED : 0;
}

/* ---- member ---------------------------------------------------------------------- */

static int ckpt_join(struct ckpt_restart *rs, u32 index)
{
	struct ckpt_member *m = ckpt_member(rs, index);
	bool last = false;
	int ret = 0;

	if (!m)
		return -EINVAL;
	mutex_lock(&rs->lock);
	if (rs->phase != CKPT_PHASE_ENTER) {
		ret = -ECANCELED;
	} else if (m->t) {
		ret = -EEXIST;
	} else {
		/* Nobody outlives whoever made it, before it is the program. */
		current->pdeath_signal = SIGKILL;
		m->t = get_task_struct(current);
		last = ++rs->joined == rs->nr_members;
	}
	mutex_unlock(&rs->lock);
	if (last)
		wake_up(&rs->progress);
	return ret;
}

static void ckpt_pass_turn(struct ckpt_member *m)
{
	struct ckpt_restart *rs = m->rs;
	struct ckpt_member *next = ckpt_member(rs, m->index + 1);

	rs->me = NULL;
	if (next) {
		complete(&next->turn);
		return;
	}
	atomic_set(&rs->left, 0);
	wake_up(&rs->progress);
}

static int ckpt_take_turn(struct ckpt_member *m)
{
	struct ckpt_restart *rs = m->rs;
	int ret;

	ret = wait_for_completion_killable(&m->turn);
	if (ret)
		return -EINTR;
	if (ckpt_phase(rs) == CKPT_PHASE_FAILED)
		return -ECANCELED;
	ret = ckpt_member_build(m);
	if (!ret && !ckpt_is_zombie(m))
		ret = restore_core(m);
	if (!ret) {
		restore_thread_times(m);
		ckpt_pass_turn(m);
	}
	return ret;
}

static void ckpt_one_less(struct ckpt_restart *rs)
{
	if (atomic_dec_and_test(&rs->left))
		wake_up(&rs->progress);
}

/* Dies as the task of the image did. What is left of it is for its parent. */
static void __noreturn ckpt_be_zombie(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;
	int code = rec->exit_code;

	set_task_comm(current, rec->comm);
	commit_creds((struct cred *)get_cred(m->cred));
	restore_zombie_times(m);
	current->pdeath_signal = 0;
	ckpt_restart_put(rs);
	do_exit(code);
}

/* Up to the point of no return. */
static int ckpt_become_ready(struct ckpt_member *m)
{
	int ret;

	ret = ckpt_take_turn(m);
	if (!ret)
		ret = ckpt_wait_phase(m->rs, ckpt_is_zombie(m) ? CKPT_PHASE_ZOMBIES :
								 CKPT_PHASE_COMMIT);
	return ret;
}

static long ckpt_become_task(struct ckpt_member *m)
{
	struct ckpt_restart *rs = m->rs;
	long ret;

	ckpt_member_commit(m);
	restore_vfork_commit(m);
	ret = ckpt_member_finish(m);
	if (m->vfork_child)
		ret = m->vfork_pid;
	ckpt_member_release(m);
	ckpt_one_less(rs);
	/* SIGKILL is all that ends this early, and then nothing is executed. */
	ckpt_wait_phase(rs, CKPT_PHASE_RELEASE);
	ckpt_restart_resume(m);
	return ret;
}

/*
 * A member that was killed may find that the others are past the point of no
 * return already. It dies alone then, and nobody waits for it.
 */
static void ckpt_give_up(struct ckpt_member *m, int err)
{
	ckpt_fail(m->rs, err == -EINTR ? -ECHILD : err);
	if (ckpt_phase(m->rs) != CKPT_PHASE_FAILED)
		ckpt_one_less(m->rs);
	restore_mm_abort(m);
	do_send_sig_info(SIGKILL, SEND_SIG_PRIV, current, PIDTYPE_TGID);
}

/**
 * ckpt_restart_member - turn current into a task of an image
 * @rs: the restart; the reference is dropped here, as not all come back
 * @index: of the task
 *
 * Return: the value that the system call must return into the registers; or a
 * negative errno if current could not join. One that has joined and does not
 * become the task is killed.
 */
long ckpt_restart_member(struct ckpt_restart *rs, u32 index)
{
	DECLARE_COMPLETION_ONSTACK(vfork);
	struct task_struct *child;
	struct ckpt_member *m;
	long ret;

	ret = ckpt_join(rs, index);
	if (ret) {
		ckpt_restart_put(rs);
		return ret;
	}
	m = ckpt_member(rs, index);
	m->vfork = &vfork;
	ret = ckpt_become_ready(m);
	if (ret)
		ckpt_give_up(m, ret);
	else if (ckpt_is_zombie(m))
		ckpt_be_zombie(m);
	else
		ret = ckpt_become_task(m);
	child = restore_vfork_wait(m);
	ckpt_restart_put(rs);
	/* May be long: nothing of the restart is kept for it. */
	if (child)
		wait_for_vfork_done(child, &vfork);
	return ret;
}

/* ---- coordinator: are they the tree? -------------------------------------------- */

static bool ckpt_all_joined(struct ckpt_restart *rs)
{
	return READ_ONCE(rs->joined) == rs->nr_members;
}

static int ckpt_wait_joined(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;
	u32 before;
	long left;

	do {
		before = READ_ONCE(rs->joined);
		left = wait_event_interruptible_timeout(rs->progress,
							ckpt_all_joined(rs) ||
							ckpt_phase(rs) == CKPT_PHASE_FAILED,
							CKPT_JOIN_TIMEOUT);
		if (left < 0)
			return -EINTR;
		if (ckpt_phase(rs) == CKPT_PHASE_FAILED)
			return -ECANCELED;
		if (ckpt_all_joined(rs))
			return 0;
	} while (READ_ONCE(rs->joined) != before);

	xa_for_each(&rs->members, i, m)
		if (!READ_ONCE(m->t))
			break;
	ckpt_bad(rs, m ? m->tree_task : rs->tree, -ETIMEDOUT,
		 "nobody has come to be task %lu (pid %d)", i,
		 m ? ((const struct ckpt_tree_ids *)m->tree_task->var)->pid : 0);
	return -ETIMEDOUT;
}

/* Of a task that the tasklist_lock keeps where it is. */
static struct task_struct *ckpt_real_parent(struct task_struct *t)
{
	return rcu_dereference_protected(t->real_parent,
					 lockdep_is_held(&tasklist_lock));
}

static const char *ckpt_misplaced(struct ckpt_restart *rs, struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct task_struct *t = m->t, *thread, *child, *parent;
	u32 children = 0;

	lockdep_assert_held(&tasklist_lock);
	if (t->exit_state || (t->flags & PF_EXITING))
		return "has exited";
	if (t->group_leader != ckpt_member(rs, rec->leader)->t)
		return "is not in the process that it should be in";
	if (!ckpt_is_leader(m))
		return NULL;
	if (m->index) {
		parent = ckpt_member(rs, rec->parent)->t;
		if (ckpt_real_parent(t)->group_leader != parent->group_leader)
			return "is not a child of the process that it should be a child of";
		if (t->exit_signal != rec->exit_signal)
			return "has another exit signal";
	}
	for_each_thread(t, thread)
		list_for_each_entry(child, &thread->children, sibling)
			children++;
	return children == m->children ? NULL : "has a child that is not in the image";
}

/* Those that have joined are each other's parents and threads, as the image says. */
static int ckpt_check_joined(struct ckpt_restart *rs)
{
	const char *why = NULL;
	struct ckpt_member *m;
	unsigned long i;

	read_lock(&tasklist_lock);
	xa_for_each(&rs->members, i, m) {
		why = ckpt_misplaced(rs, m);
		if (why)
			break;
	}
	read_unlock(&tasklist_lock);
	return why ? ckpt_bad(rs, m->tree_task, -EINVAL, "who has come to be it %s", why) : 0;
}

/* ---- coordinator: sessions and groups --------------------------------------------- */

/**
 * struct ckpt_ids - where a process belongs
 * @sid: its session, NULL: that of the coordinator
 * @pgid: its process group, likewise
 *
 * A pid of a member is good as long as the member lives.
 */
struct ckpt_ids {
	struct pid *sid;
	struct pid *pgid;
};

/*
 * The pid behind a number in the image. A session or group may have lost its
 * leader; a struct pid with no task of that number is all that it takes.
 */
static struct pid *ckpt_id(struct ckpt_member *m, bool of_session)
{
	const struct ckpt_tree_ids *ids = m->tree_task->var;
	pid_t nr = of_session ? ids->sid : ids->pgid;
	struct ckpt_restart *rs = m->rs;
	void *entry = xa_load(&rs->pids, nr);
	struct pid *pid;
	int ret;

	if (entry)
		return task_pid(ckpt_member(rs, xa_to_value(entry))->t);
	pid = xa_load(&rs->ghosts, nr);
	if (pid)
		return pid;
	pid = ckpt_alloc_ghost(m, of_session);
	if (IS_ERR(pid)) {
		ckpt_bad(rs, m->tree_task, PTR_ERR(pid),
			 "the id %d of a session or process group cannot be had here", nr);
		return pid;
	}
	ret = xa_err(xa_store(&rs->ghosts, nr, pid, GFP_KERNEL_ACCOUNT));
	if (ret) {
		free_pid(pid);
		return ERR_PTR(ret);
	}
	return pid;
}

static int ckpt_find_ids(struct ckpt_member *m, struct ckpt_ids *ids)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	const struct ckpt_tree_ids *want = m->tree_task->var;

	/* Those of the coordinator stand for what stayed outside. */
	if (!(rec->flags & CKPT_TREE_OUTER_SESSION) && want->sid)
		ids->sid = ckpt_id(m, true);
	if (IS_ERR(ids->sid))
		return PTR_ERR(ids->sid);
	if (!(rec->flags & CKPT_TREE_OUTER_GROUP) && want->pgid)
		ids->pgid = ckpt_id(m, false);
	return PTR_ERR_OR_ZERO(ids->pgid);
}

static void ckpt_set_ids(struct task_struct *t, const struct ckpt_ids *ids)
{
	struct pid *sid = ids->sid ?: task_session(current);
	struct pid *pgid = ids->pgid ?: task_pgrp(current);

	lockdep_assert_held_write(&tasklist_lock);
	if (task_session(t) != sid) {
		change_pid(t, PIDTYPE_SID, sid);
		/* A terminal belongs to a session; see setsid(). */
		proc_clear_tty(t);
	}
	if (task_pgrp(t) != pgid)
		change_pid(t, PIDTYPE_PGID, pgid);
	t->signal->leader = sid == task_pid(t);
}

/*
 * A member that was killed takes the restart with it, and its pid with it. It
 * need not know of it yet.
 */
static bool ckpt_all_alive(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;

	lockdep_assert_held(&tasklist_lock);
	xa_for_each(&rs->members, i, m)
		if (m->t->exit_state || !pid_alive(m->t) ||
		    fatal_signal_pending(m->t))
			return false;
	return true;
}

/*
 * The very thread that the child was a child of; and there in the order of the
 * image, whoever was made first.
 */
static void ckpt_set_parent(struct ckpt_restart *rs, struct ckpt_member *m)
{
	struct task_struct *t = m->t, *parent;

	if (!m->index)
		return;
	parent = ckpt_member(rs, ckpt_tree_rec(m)->parent)->t;
	if (t->ptrace)
		return;
	RCU_INIT_POINTER(t->real_parent, parent);
	RCU_INIT_POINTER(t->parent, parent);
	list_move_tail(&t->sibling, &parent->children);
}

static int ckpt_link(struct ckpt_restart *rs)
{
	struct ckpt_ids *ids;
	struct ckpt_member *m;
	unsigned long i;
	struct pid *pid;
	int ret = 0;

	ids = kvcalloc(rs->nr_members, sizeof(*ids), GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	xa_for_each(&rs->members, i, m) {
		if (!ret && ckpt_is_leader(m))
			ret = ckpt_find_ids(m, &ids[i]);
		cond_resched();
	}
	write_lock_irq(&tasklist_lock);
	if (!ret && !ckpt_all_alive(rs))
		ret = -ECHILD;
	xa_for_each(&rs->members, i, m) {
		if (ret || !ckpt_is_leader(m))
			continue;
		ckpt_set_ids(m->t, &ids[i]);
		ckpt_set_parent(rs, m);
	}
	/* What has found nobody to hold it. The others go with their last user. */
	xa_for_each(&rs->ghosts, i, pid)
		if (!pid_has_task(pid, PIDTYPE_PGID) &&
		    !pid_has_task(pid, PIDTYPE_SID))
			free_pid(pid);
	write_unlock_irq(&tasklist_lock);
	kvfree(ids);
	return ret;
}

/* ---- coordinator ------------------------------------------------------------------- */

static int ckpt_wait_left(struct ckpt_restart *rs)
{
	if (wait_event_interruptible(rs->progress, !atomic_read(&rs->left) ||
				     ckpt_phase(rs) == CKPT_PHASE_FAILED))
		return -EINTR;
	return ckpt_phase(rs) == CKPT_PHASE_FAILED ? -ECANCELED : 0;
}

static int ckpt_run_build(struct ckpt_restart *rs)
{
	int ret;

	atomic_set(&rs->left, 1);
	if (!ckpt_set_phase(rs, CKPT_PHASE_BUILD, 0))
		return -ECANCELED;
	complete(&ckpt_member(rs, 0)->turn);
	ret = ckpt_wait_left(rs);
	if (!ret)
		ret = restore_payload_end(rs);
	if (!ret)
		trace_restart_stage(current, CKPT_STAGE_VERIFIED);
	return ret;
}

static u32 ckpt_count_live(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;
	u32 nr = 0;

	xa_for_each(&rs->members, i, m)
		nr += !ckpt_is_zombie(m);
	return nr;
}

/* Their parents are not told again: signals that come now are thrown away. */
static int ckpt_run_zombies(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;

	/* Nothing is to be done: do not wake all the others for it. */
	if (ckpt_count_live(rs) == rs->nr_members)
		return 0;
	if (!ckpt_set_phase(rs, CKPT_PHASE_ZOMBIES, 0))
		return -ECANCELED;
	xa_for_each(&rs->members, i, m) {
		if (!ckpt_is_zombie(m))
			continue;
		while (!READ_ONCE(m->t->exit_state)) {
			if (schedule_timeout_interruptible(1) &&
			    signal_pending(current))
				return -EINTR;
			if (ckpt_phase(rs) == CKPT_PHASE_FAILED)
				return -ECANCELED;
		}
	}
	return 0;
}

/*
 * What a child has for an exit signal counts unless its parent has executed
 * another program since, and turning into the program counts as that.
 */
static void ckpt_keep_exit_signals(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;

	read_lock(&tasklist_lock);
	xa_for_each(&rs->members, i, m)
		if (m->index && ckpt_is_leader(m) && !m->t->exit_state)
			m->t->parent_exec_id = READ_ONCE(ckpt_real_parent(m->t)->self_exec_id);
	read_unlock(&tasklist_lock);
}

static void ckpt_run_commit(struct ckpt_restart *rs)
{
	wait_event(rs->progress, !atomic_read(&rs->left));
	ckpt_keep_exit_signals(rs);
	ckpt_restart_start(rs);
	rs->stats.total_ns = ktime_get() - rs->start;
	ckpt_set_phase(rs, CKPT_PHASE_RELEASE, 0);
}

static bool ckpt_none_killed(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;

	xa_for_each(&rs->members, i, m)
		if (!ckpt_is_zombie(m) && fatal_signal_pending(m->t))
			return false;
	return true;
}

/**
 * ckpt_restart_run - coordinate a restart
 * @rs: the restart, begun
 *
 * Context: may sleep; a signal of the caller ends it before the commit.
 * Return: the pid of the root, or a negative errno after which no member lives;
 * -EBUSY if there is or was another coordinator, which goes on.
 */
long ckpt_restart_run(struct ckpt_restart *rs)
{
	struct task_struct *root;
	int ret;

	mutex_lock(&rs->lock);
	ret = rs->running ? -EBUSY : 0;
	rs->running = true;
	mutex_unlock(&rs->lock);
	if (ret)
		return ret;
	ret = ckpt_wait_joined(rs);
	if (!ret)
		ret = ckpt_check_joined(rs);
	if (!ret)
		ret = ckpt_run_build(rs);
	if (!ret)
		ret = ckpt_link(rs);
	if (!ret)
		ret = ckpt_run_zombies(rs);
	if (!ret && signal_pending(current))
		ret = -EINTR;
	if (!ret && !ckpt_none_killed(rs))
		ret = -ECHILD;
	if (!ret)
		ret = restore_sighands(rs);
	if (!ret) {
		atomic_set(&rs->left, ckpt_count_live(rs));
		if (!ckpt_set_phase(rs, CKPT_PHASE_COMMIT, 0))
			ret = -ECANCELED;
	}
	if (ret) {
		/* What a member has failed with tells more. */
		ckpt_fail(rs, ret);
		return rs->err ?: ret;
	}
	ckpt_run_commit(rs);
	root = ckpt_member(rs, 0)->t;
	return task_pid_vnr(root);
}
