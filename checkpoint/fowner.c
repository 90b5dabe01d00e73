// SPDX-License-Identifier: GPL-2.0
/*
 * Who gets SIGIO for an open file (F_SETOWN, F_SETOWN_EX), which signal it is
 * (F_SETSIG), and whether it comes (O_ASYNC).
 *
 * The owner may be any task of the tree, so it is written behind all objects.
 * At a restart the file goes on the list of those that send signals before the
 * point of no return, but has no owner until all is as it was: what the restart
 * does to files sends no signal.
 */
#include <linux/checkpoint_fds.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/tty.h>
#include <linux/uidgid.h>

#include "checkpoint.h"

/* The list that an open file of a kind that can be saved is put on. */
static struct fasync_struct **ckpt_fasync_list(struct file *file)
{
	struct pipe_inode_info *pipe = get_pipe_info(file, false);

	if (pipe)
		return file->f_mode & FMODE_READ ? &pipe->fasync_readers :
						   &pipe->fasync_writers;
	if (S_ISCHR(file_inode(file)->i_mode) && ckpt_is_tty(file))
		return &((struct tty_file_private *)file->private_data)->tty->fasync;
	return NULL;
}

/* The descriptor that signals name, -1: the file is not on its list. */
static int ckpt_fasync_fd(struct file *file)
{
	struct fasync_struct **list = ckpt_fasync_list(file), *fa;
	int fd = -1;

	if (!list)
		return -1;
	rcu_read_lock();
	for (fa = rcu_dereference_raw(*list); fa; fa = rcu_dereference_raw(fa->fa_next))
		if (READ_ONCE(fa->fa_file) == file)
			fd = fa->fa_fd;
	rcu_read_unlock();
	return fd;
}

/* ---- saving --------------------------------------------------------------- */

/* Index of a task that stands for the owner, -ESRCH: it is no more. */
static int ckpt_owner_task(struct ckpt_ctx *ctx, struct pid *pid,
			   enum pid_type type, pid_t *outside)
{
	enum pid_type list = type == PIDTYPE_PGID ? type : PIDTYPE_PID;
	struct task_struct *t;
	int index, ret = -ESRCH;

	rcu_read_lock();
	do_each_pid_task(pid, list, t) {
		index = ckpt_task_index(ctx, t);
		if (index >= 0) {
			ret = index;
			break;
		}
		*outside = task_pid_vnr(t);
		ret = -ENOENT;
	} while_each_pid_task(pid, list, t);
	rcu_read_unlock();
	return ret;
}

/**
 * ckpt_fowner_problem - what of the owner of a file cannot be saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_fowner_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct fown_struct *owner = file_f_owner(file);
	enum pid_type type;
	pid_t outside = 0;
	struct pid *pid;
	int index;

	if (ckpt_has_dnotify(file))
		return "tells what happens in the directory (F_NOTIFY), which cannot be saved yet";
	if ((file->f_flags & FASYNC) && file->f_op->fasync && !ckpt_fasync_list(file))
		return "has O_ASYNC, which cannot be saved yet for such a file";
	if (!owner)
		return NULL;
	read_lock_irq(&owner->lock);
	pid = get_pid(owner->pid);
	type = owner->pid_type;
	read_unlock_irq(&owner->lock);
	index = pid ? ckpt_owner_task(ctx, pid, type, &outside) : 0;
	put_pid(pid);
	if (index != -ENOENT)
		return NULL;
	snprintf(ctx->why, sizeof(ctx->why), "sends SIGIO to %s %d, which is outside (F_SETOWN)",
		 type == PIDTYPE_PGID ? "the process group of pid" : "pid", outside);
	return ctx->why;
}

static int checkpoint_fowner(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct fown_struct *owner = file_f_owner(file);
	struct user_namespace *ns = current_user_ns();
	struct ckpt_rec_fowner *rec;
	struct pid *pid = NULL;
	pid_t outside;
	int index, fd;

	if (ckpt_is_output(ctx, file) || (!owner && !(file->f_flags & FASYNC)))
		return 0;
	rec = ckpt_rec_new(ctx, fowner, CKPT_REC_FOWNER, 0);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	rec->task = CKPT_FOWNER_NO_TASK;
	if (file->f_flags & FASYNC)
		rec->flags |= CKPT_FOWNER_ASYNC;
	fd = ckpt_fasync_fd(file);
	if (fd >= 0) {
		rec->flags |= CKPT_FOWNER_LISTED;
		rec->fd = fd;
	}
	if (!owner)
		return 0;
	rec->flags |= CKPT_FOWNER_SET;
	read_lock_irq(&owner->lock);
	pid = get_pid(owner->pid);
	rec->type = owner->pid_type == PIDTYPE_PGID ? F_OWNER_PGRP :
		    owner->pid_type == PIDTYPE_PID ? F_OWNER_TID : F_OWNER_PID;
	rec->uid = from_kuid_munged(ns, owner->uid);
	rec->euid = from_kuid_munged(ns, owner->euid);
	rec->sig = owner->signum;
	read_unlock_irq(&owner->lock);
	index = pid ? ckpt_owner_task(ctx, pid, owner->pid_type, &outside) : -1;
	put_pid(pid);
	if (index >= 0)
		rec->task = index;
	return 0;
}

/**
 * checkpoint_fowners - write the owners of all files
 * @ctx: the checkpoint; all that tasks have is written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_fowners(struct ckpt_ctx *ctx)
{
	return ckpt_each_file(ctx, checkpoint_fowner);
}

/* ---- restoring -------------------------------------------------------------- */

/* NULL: what has come in the place of the file has an owner of its own. */
static struct file *ckpt_fowner_file(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct file *file;
	bool fresh;

	file = ckpt_linked_file(rs, ckpt_rec_as(r, fowner)->file, &fresh);
	return IS_ERR(file) || !fresh ? file : NULL;
}

static int restore_fowner_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_fowner *rec = ckpt_rec_as(r, fowner);

	if (rec->flags & ~CKPT_FOWNER_FLAGS_ALL)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (rec->type > F_OWNER_PGRP)
		return ckpt_bad(rs, r, -EINVAL, "type %u", rec->type);
	if (!valid_signal(rec->sig))
		return ckpt_bad(rs, r, -EINVAL, "signal %u", rec->sig);
	if (rec->fd < 0 || (rec->fd && !(rec->flags & CKPT_FOWNER_LISTED)))
		return ckpt_bad(rs, r, -EINVAL, "descriptor %d", rec->fd);
	if ((rec->flags & CKPT_FOWNER_LISTED) && !(rec->flags & CKPT_FOWNER_ASYNC))
		return ckpt_bad(rs, r, -EINVAL, "flags 0x%x", rec->flags);
	if (rec->task != CKPT_FOWNER_NO_TASK &&
	    (!(rec->flags & CKPT_FOWNER_SET) || !ckpt_member(rs, rec->task)))
		return ckpt_bad(rs, r, -EINVAL, "owner is task %u", rec->task);
	return 0;
}

static int restore_fowner(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_fowner *rec = ckpt_rec_as(r, fowner);
	struct file *file;
	int ret;

	ret = restore_fowner_check(rs, r);
	if (ret)
		return ret;
	file = ckpt_fowner_file(rs, r);
	if (IS_ERR_OR_NULL(file))
		return PTR_ERR_OR_ZERO(file);
	if (file->f_mode & FMODE_PATH)
		return ckpt_bad(rs, r, -EINVAL, "object %u is only a location", rec->file);
	if (rec->flags & CKPT_FOWNER_SET) {
		ret = file_f_owner_allocate(file);
		if (ret)
			return ret;
		file_f_owner(file)->signum = rec->sig;
	}
	if (rec->flags & CKPT_FOWNER_LISTED) {
		if (!ckpt_fasync_list(file))
			return ckpt_bad(rs, r, -EINVAL, "a file that cannot have O_ASYNC");
		ret = file->f_op->fasync(rec->fd, file, 1);
		if (ret < 0)
			return ckpt_bad(rs, r, ret, "O_ASYNC cannot be set");
		/* A terminal may have got one by that. */
		if (file_f_owner(file))
			f_delown(file);
	} else if (rec->flags & CKPT_FOWNER_ASYNC) {
		spin_lock(&file->f_lock);
		file->f_flags |= FASYNC;
		spin_unlock(&file->f_lock);
	}
	return 0;
}

/**
 * restore_fowners - prepare all files that have an owner
 * @rs: the restart; the files of all members are there
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_fowners(struct ckpt_restart *rs)
{
	return ckpt_late_each(rs, CKPT_REC_FOWNER, restore_fowner);
}

/* Whom a signal may reach: never more than who began the restart could. */
static void ckpt_fowner_ids(struct ckpt_restart *rs, const struct ckpt_rec_fowner *rec,
			    struct fown_struct *owner)
{
	const struct cred *cred = rs->cred;
	kuid_t uid = make_kuid(cred->user_ns, rec->uid);
	kuid_t euid = make_kuid(cred->user_ns, rec->euid);
	bool setuid = cap_raised(cred->cap_effective, CAP_SETUID);

	write_lock_irq(&owner->lock);
	owner->uid = ckpt_uid_allowed(cred, uid, setuid) ? uid : cred->uid;
	owner->euid = ckpt_uid_allowed(cred, euid, setuid) ? euid : cred->euid;
	write_unlock_irq(&owner->lock);
}

static void ckpt_start_fowner(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	static const enum pid_type types[] = {
		[F_OWNER_TID]	= PIDTYPE_PID,
		[F_OWNER_PID]	= PIDTYPE_TGID,
		[F_OWNER_PGRP]	= PIDTYPE_PGID,
	};
	const struct ckpt_rec_fowner *rec = ckpt_rec_as(r, fowner);
	struct file *file = ckpt_fowner_file(rs, r);
	struct pid *pid = NULL;
	struct task_struct *t;

	if (IS_ERR_OR_NULL(file) || !file_f_owner(file))
		return;
	if (rec->task != CKPT_FOWNER_NO_TASK) {
		t = ckpt_member_task(ckpt_member(rs, rec->task));
		pid = get_task_pid(t, rec->type == F_OWNER_PGRP ? PIDTYPE_PGID : PIDTYPE_PID);
	}
	/* A lease has made the restarter its owner. */
	__f_setown(file, pid, types[rec->type], 1);
	ckpt_fowner_ids(rs, rec, file_f_owner(file));
	put_pid(pid);
}

/**
 * restore_fowners_start - let all files send signals
 * @rs: the restart, committed; the program does not run yet
 */
void restore_fowners_start(struct ckpt_restart *rs)
{
	struct ckpt_rec *r;
	unsigned long i;

	xa_for_each(&rs->late, i, r)
		if (r->type == CKPT_REC_FOWNER)
			ckpt_start_fowner(rs, r);
}
