// SPDX-License-Identifier: GPL-2.0
/*
 * Pidfds: of which task. Its inode number is of this boot.
 */
#include <linux/file.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pidfs.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <uapi/linux/pidfd.h>

#include "checkpoint.h"

/**
 * ckpt_is_pidfd - is the file a pidfd?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_pidfd(struct ckpt_ctx *ctx, struct file *file)
{
	return !IS_ERR(pidfd_pid(file));
}

/**
 * ckpt_pid_task - whose pid is it?
 * @ctx: the checkpoint
 * @pid: the pid
 *
 * Return: index of the task, -ENOENT if it is outside, another negative errno
 * if it is no more.
 */
int ckpt_pid_task(struct ckpt_ctx *ctx, struct pid *pid)
{
	struct task_struct *t;
	int index = -ESRCH;

	rcu_read_lock();
	t = pid_task(pid, PIDTYPE_PID);
	if (t) {
		index = ckpt_task_index(ctx, t);
		/* Another thread than the first is gone as soon as it has exited. */
		if (index < 0 && (!READ_ONCE(t->exit_state) || thread_group_leader(t)))
			index = -ENOENT;
	}
	rcu_read_unlock();
	return index;
}

/**
 * ckpt_pidfd_problem - what of a pidfd cannot be saved
 * @ctx: the checkpoint
 * @file: the pidfd
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_pidfd_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct task_struct *t;

	if (ckpt_pid_task(ctx, pidfd_pid(file)) != -ENOENT)
		return NULL;
	rcu_read_lock();
	t = pid_task(pidfd_pid(file), PIDTYPE_PID);
	if (t)
		snprintf(ctx->why, sizeof(ctx->why), "is of pid %d (%*pE), which is outside",
			 task_pid_vnr(t), (int)strnlen(t->comm, sizeof(t->comm)), t->comm);
	rcu_read_unlock();
	/* It may just have exited. */
	return t ? ctx->why : NULL;
}

/**
 * checkpoint_pidfd - write the PIDFD record of a file
 * @ctx: the checkpoint
 * @file: the pidfd
 * @objref: of the file
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_pidfd(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	int index = ckpt_pid_task(ctx, pidfd_pid(file));
	struct ckpt_rec_pidfd *rec;

	rec = ckpt_rec_new(ctx, pidfd, CKPT_REC_PIDFD, 0);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	if (file->f_flags & PIDFD_THREAD)
		rec->flags |= CKPT_PIDFD_THREAD;
	if (index >= 0) {
		rec->task = index;
	} else {
		rec->flags |= CKPT_PIDFD_DEAD;
		rec->id = pidfd_pid(file)->ino;
	}
	return 0;
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * ckpt_dead_pid - a pid of nobody any more
 * @rs: the restart
 * @id: of the process; what refers to the same gets the same
 * @nr: the number that it had, or 0 where that cannot be seen
 *
 * Its number is free again. Another one, if it is somebody else's now.
 *
 * Return: the pid with a reference, or an ERR_PTR().
 */
struct pid *ckpt_dead_pid(struct ckpt_restart *rs, u64 id, pid_t nr)
{
	struct task_struct *root = ckpt_member_task(ckpt_member(rs, 0));
	struct pid_namespace *ns = task_active_pid_ns(root);
	struct pid *pid = xa_load(&rs->dead, id);
	int ret;

	if (pid)
		return get_pid(pid);
	pid = alloc_pid(ns, &nr, !!nr);
	if (IS_ERR(pid) && nr) {
		ckpt_log(&rs->log,
			 "note: another pid than %d will be told of a process that is no more",
			 nr);
		pid = alloc_pid(ns, NULL, 0);
	}
	if (IS_ERR(pid))
		return pid;
	get_pid(pid);
	free_pid(pid);
	ret = xa_err(xa_store(&rs->dead, id, pid, GFP_KERNEL_ACCOUNT));
	if (ret) {
		put_pid(pid);
		return ERR_PTR(ret);
	}
	return get_pid(pid);
}

/**
 * ckpt_outside_pid - the pid of a process that was outside, or is no more
 * @rs: the restart
 * @id: of the process
 * @nr: the number that it had
 *
 * Return: the pid with a reference: that of the process if it is still there, else
 * one of nobody; NULL if the number is somebody else's now; or an ERR_PTR().
 */
struct pid *ckpt_outside_pid(struct ckpt_restart *rs, u64 id, pid_t nr)
{
	struct task_struct *root = ckpt_member_task(ckpt_member(rs, 0));
	struct pid *pid = NULL;

	if (!xa_load(&rs->dead, id)) {
		rcu_read_lock();
		pid = get_pid(find_pid_ns(nr, task_active_pid_ns(root)));
		rcu_read_unlock();
	}
	if (!pid)
		return ckpt_dead_pid(rs, id, nr);
	if (pid->ino == id && ckpt_same_boot(rs))
		return pid;
	put_pid(pid);
	return NULL;
}

static struct pid *ckpt_pidfd_pid(struct ckpt_restart *rs,
				  const struct ckpt_rec *part)
{
	const struct ckpt_rec_pidfd *rec = ckpt_rec_as(part, pidfd);
	struct ckpt_member *m;
	struct pid *pid;

	if (rec->flags & ~CKPT_PIDFD_FLAGS_ALL)
		return ERR_PTR(ckpt_bad(rs, part, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags));
	if (rec->flags & CKPT_PIDFD_DEAD)
		return ckpt_dead_pid(rs, rec->id, 0);
	m = ckpt_member(rs, rec->task);
	if (!m)
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "there is no task %u", rec->task));
	if (!(rec->flags & CKPT_PIDFD_THREAD) &&
	    !ckpt_is_leader(m))
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "task %u is no process", rec->task));
	pid = get_task_pid(ckpt_member_task(m), PIDTYPE_PID);
	return pid ?: ERR_PTR(-ESRCH);
}

/**
 * restore_pidfd - make a pidfd
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_pidfd(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	struct pid *pid = ckpt_pidfd_pid(rs, part);
	struct file *file;

	if (IS_ERR(pid))
		return ERR_CAST(pid);
	file = pidfs_alloc_file(pid, O_RDWR);
	put_pid(pid);
	if (IS_ERR(file)) {
		ckpt_bad(rs, part, PTR_ERR(file), "a pidfd cannot be made");
		return file;
	}
	if (ckpt_rec_as(part, pidfd)->flags & CKPT_PIDFD_THREAD)
		file->f_flags |= PIDFD_THREAD;
	return file;
}

/**
 * restore_pidfds_done - let go of the pids of nobody
 * @rs: the restart
 */
void restore_pidfds_done(struct ckpt_restart *rs)
{
	struct pid *pid;
	unsigned long i;

	xa_for_each(&rs->dead, i, pid)
		put_pid(pid);
	xa_destroy(&rs->dead);
}
