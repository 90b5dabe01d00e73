// SPDX-License-Identifier: GPL-2.0
/*
 * The collect pass: every shared object of the tree goes into the object hash,
 * and the references that the tree holds are counted. An object that has more
 * is shared with somebody outside, from whom a restart would part it.
 *
 * That holds always for address spaces, tables and handlers. An open file is
 * nearly always shared with whoever started the program (its terminal, its
 * log), so it counts only for a tree that is said to be whole, that is without
 * CHECKPOINT_SUBTREE; and only if it has a descriptor: a mapping has nothing of
 * an open file that could be shared, but for memory that only the image holds.
 */
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/magic.h>
#include <linux/pipe_fs_i.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "checkpoint.h"

/* A reader of /proc or a call in flight holds a reference for a moment. */
#define CKPT_LEAK_TRIES		500
#define CKPT_LEAK_LOOKS		100
#define CKPT_LEAK_WAIT_US	500

static int ckpt_collect_task(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct files_struct *files;
	struct sighand_struct *sighand;
	struct mm_struct *mm = get_task_mm(t);
	struct fs_struct *fs;
	int err = 0;

	/* SIGKILL may take them away at any time. */
	ckpt_grab_tables(t, &files, &fs);
	rcu_read_lock();
	sighand = rcu_dereference(t->sighand);
	if (sighand && !refcount_inc_not_zero(&sighand->count))
		sighand = NULL;
	rcu_read_unlock();

	ckpt_obj_collect(ctx, CKPT_OBJ_FILES, files, 1, &err);
	ckpt_obj_collect(ctx, CKPT_OBJ_FS, fs, 1, &err);
	ckpt_obj_collect(ctx, CKPT_OBJ_SIGHAND, sighand, 1, &err);
	ckpt_obj_collect(ctx, CKPT_OBJ_MM, mm, 1, &err);
	if (!err)
		err = ckpt_collect_io(ctx, t);

	ckpt_drop_tables(files, fs);
	if (sighand)
		ckpt_ops_SIGHAND.drop(sighand);
	if (mm)
		mmput(mm);
	return err;
}

/*
 * An open file of overlayfs keeps the one below it open, which is what is mapped.
 * Each refers to the dentry that was opened.
 */
static struct file *ckpt_file_below(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode) || (file->f_mode & FMODE_PATH) ||
	    inode->i_sb->s_magic != OVERLAYFS_SUPER_MAGIC)
		return NULL;
	return file->private_data;
}

static void ckpt_collect_below(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = ckpt_file_inode(file);
	struct ckpt_obj *obj;

	while ((file = ckpt_file_below(file))) {
		obj = ckpt_obj_find_typed(ctx, file, CKPT_OBJ_FILE);
		if (!obj)
			obj = ckpt_obj_find_typed(ctx, inode, CKPT_OBJ_INODE);
		if (obj)
			obj->seen++;
	}
}

static int ckpt_collect_all_below(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;
	int ret = 0;

	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		ckpt_collect_below(ctx, obj->ptr);
		ret = ckpt_loop_step(0);
		if (ret)
			break;
	}
	return ret;
}

/**
 * ckpt_collect - put all shared objects of the tree into the object hash
 * @ctx: the checkpoint; the tree is frozen
 *
 * Return: 0, -ENOMEM or -EINTR.
 */
int ckpt_collect(struct ckpt_ctx *ctx)
{
	unsigned int i;
	int ret = 0;

	ckpt_externals_begin(ctx);
	for (i = 0; i < ctx->nr_tasks && !ret; i++) {
		/* A dead leader still has handlers in common with its threads. */
		if (!ctx->tasks[i].zombie || ctx->tasks[i].threads)
			ret = ckpt_collect_task(ctx, ctx->tasks[i].t);
		ret = ckpt_loop_step(ret);
	}
	if (!ret)
		ret = ckpt_collect_in_flight(ctx);
	if (!ret)
		ret = ckpt_collect_all_below(ctx);
	return ret;
}

/* References that neither the tree nor this very call holds. */
static long ckpt_held_outside(struct ckpt_ctx *ctx, const struct ckpt_obj *obj)
{
	long known = obj->seen + 1; /* the hash */

	if (obj->type == CKPT_OBJ_FILE) {
		known += obj->ptr == ctx->out.file;
		known += obj->ptr == ctx->log.file;
	}
	return ckpt_obj_ops(obj->type)->users(obj->ptr) - known;
}

static long ckpt_excess(struct ckpt_ctx *ctx, const struct ckpt_obj *obj)
{
	if (!ckpt_obj_ops(obj->type)->users || obj->external)
		return 0;
	/* An end of a pair cannot be parted from the other. */
	if ((obj->type == CKPT_OBJ_FILE || obj->type == CKPT_OBJ_INODE) &&
	    (((ctx->flags & CHECKPOINT_SUBTREE) &&
	      !(obj->type == CKPT_OBJ_FILE && ckpt_is_unix(ctx, obj->ptr))) ||
	     !obj->has_fd))
		return 0;
	return ckpt_held_outside(ctx, obj);
}

/* The first descriptor of a file that is @wanted or of @inode, or -1. */
static int ckpt_task_fd_of(struct task_struct *p, const struct file *wanted,
			   const struct inode *inode)
{
	bool found;
	struct file *file;
	unsigned int fd;

	for (fd = 0; (file = task_lookup_next_fdget_rcu(p, &fd)); fd++) {
		found = file == wanted || ckpt_file_inode(file) == inode;
		fput(file);
		if (found)
			return fd;
	}
	return -1;
}

static bool ckpt_task_holds(struct task_struct *p, const struct ckpt_obj *obj)
{
	switch (obj->type) {
	case CKPT_OBJ_FILE:
		return ckpt_task_fd_of(p, obj->ptr, NULL) >= 0;
	case CKPT_OBJ_PIPE:
		return ckpt_task_fd_of(p, NULL, ckpt_pipe_inode(obj->ptr)) >= 0;
	case CKPT_OBJ_INODE:
		return ckpt_task_fd_of(p, NULL, obj->ptr) >= 0;
	case CKPT_OBJ_FILES:
		return READ_ONCE(p->files) == obj->ptr;
	case CKPT_OBJ_FS:
		return READ_ONCE(p->fs) == obj->ptr;
	case CKPT_OBJ_SIGHAND:
		return rcu_access_pointer(p->sighand) == obj->ptr;
	case CKPT_OBJ_MM:
		return READ_ONCE(p->mm) == obj->ptr;
	default:
		return false;
	}
}

/* Some process outside that the caller may look into and that holds the object. */
static struct task_struct *ckpt_find_holder(struct ckpt_ctx *ctx,
					    const struct ckpt_obj *obj)
{
	struct task_struct *p, *found = NULL;

	rcu_read_lock();
	for_each_process(p) {
		if (ckpt_task_index(ctx, p) >= 0 || !task_pid_vnr(p) ||
		    !ckpt_task_holds(p, obj))
			continue;
		if (!ptrace_may_access(p, PTRACE_MODE_READ_REALCREDS))
			continue;
		found = get_task_struct(p);
		break;
	}
	rcu_read_unlock();
	return found;
}

static void ckpt_holder_name(struct ckpt_ctx *ctx, const struct ckpt_obj *obj,
			     char *who, size_t size)
{
	struct task_struct *holder = ckpt_find_holder(ctx, obj);

	if (!holder) {
		strscpy(who, "somebody outside", size);
		return;
	}
	snprintf(who, size, "pid %d (%*pE), which is outside", task_pid_vnr(holder),
		 (int)strnlen(holder->comm, sizeof(holder->comm)), holder->comm);
	put_task_struct(holder);
}

/**
 * ckpt_file_holder - who outside has an open file?
 * @ctx: the checkpoint
 * @file: the file, to be compared only
 * @who: out, text
 * @size: of @who
 */
void ckpt_file_holder(struct ckpt_ctx *ctx, struct file *file, char *who,
		      size_t size)
{
	const struct ckpt_obj obj = { .ptr = file, .type = CKPT_OBJ_FILE };

	ckpt_holder_name(ctx, &obj, who, size);
}

/* A pipe is named as /proc shows it, which is its key for CHECKPOINT_EXTERNAL. */
static void ckpt_refuse_pipe(struct ckpt_ctx *ctx, const struct ckpt_obj *obj, const char *who)
{
	const struct inode *inode = ckpt_pipe_inode(obj->ptr);
	struct ckpt_obj *end;
	unsigned int t;
	int fd = -1;

	for (t = 0; t < ctx->nr_tasks; t++) {
		rcu_read_lock();
		fd = ckpt_task_fd_of(ctx->tasks[t].t, NULL, inode);
		rcu_read_unlock();
		if (fd >= 0)
			break;
	}
	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, end) {
		const char *name;

		if (file_inode(end->ptr) != inode)
			continue;
		name = ckpt_log_path(&ctx->log, file_user_path(end->ptr));
		if (fd >= 0)
			ckpt_refuse(ctx, ctx->tasks[t].t, "fd %d -> %s shares its pipe with %s",
				    fd, name, who);
		else
			ckpt_refuse(ctx, ctx->root_task, "%s shares its pipe with %s", name, who);
		return;
	}
}

static void ckpt_refuse_leak(struct ckpt_ctx *ctx, const struct ckpt_obj *obj)
{
	struct task_struct *t = ctx->root_task;
	char who[64];

	ckpt_holder_name(ctx, obj, who, sizeof(who));
	if (obj->type == CKPT_OBJ_FILE && ckpt_is_unix(ctx, obj->ptr))
		ckpt_refuse(ctx, t, "has the socket %s in common with %s",
			    ckpt_log_path(&ctx->log, file_user_path(obj->ptr)),
			    who);
	else if (obj->type == CKPT_OBJ_FILE)
		ckpt_refuse(ctx, t,
			    "has the open file %s in common with %s; with CHECKPOINT_SUBTREE a restart parts them",
			    ckpt_log_path(&ctx->log, file_user_path(obj->ptr)),
			    who);
	else if (obj->type == CKPT_OBJ_PIPE)
		ckpt_refuse_pipe(ctx, obj, who);
	else
		ckpt_refuse(ctx, t, "shares its %s with %s",
			    ckpt_obj_name(obj->type), who);
}

/* Only what stays is a leak: look often, at times that nobody can be in step with. */
static int ckpt_leak_stays(struct ckpt_ctx *ctx, const struct ckpt_obj *obj,
			   unsigned int *tries)
{
	unsigned int i;

	for (; *tries < CKPT_LEAK_TRIES; ++*tries) {
		for (i = 0; i < CKPT_LEAK_LOOKS; i++) {
			if (ckpt_excess(ctx, obj) <= 0)
				return 0;
			cpu_relax();
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(CKPT_LEAK_WAIT_US, 2 * CKPT_LEAK_WAIT_US);
	}
	return ckpt_excess(ctx, obj) > 0;
}

static int ckpt_check_leaks_of(struct ckpt_ctx *ctx, enum ckpt_obj_type type,
			       unsigned int *tries)
{
	struct ckpt_obj *obj;
	int ret;

	ckpt_for_each_obj(ctx, type, obj) {
		ret = ckpt_leak_stays(ctx, obj, tries);
		if (ret < 0)
			return ret;
		if (ret)
			ckpt_refuse_leak(ctx, obj);
		ret = ckpt_loop_step(0);
		if (ret)
			return ret;
	}
	return 0;
}

/* Which inodes may somebody outside write to, by an open file or a mapping? */
static int ckpt_mark_shared_inodes(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj, *inode;
	int ret = 0;

	ckpt_for_each_obj(ctx, CKPT_OBJ_INODE, obj)
		obj->shared = ckpt_held_outside(ctx, obj) > 0;
	if (list_empty(&ctx->objs.of_type[CKPT_OBJ_INODE]))
		return 0;
	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		inode = ckpt_obj_find_typed(ctx, ckpt_file_inode(obj->ptr), CKPT_OBJ_INODE);
		if (inode && (obj->external || ckpt_held_outside(ctx, obj) > 0))
			inode->shared = true;
		ret = ckpt_loop_step(0);
		if (ret)
			break;
	}
	return ret;
}

/**
 * ckpt_check_leaks - refuse objects that somebody outside of the tree shares
 * @ctx: the checkpoint, after ckpt_collect()
 *
 * Context: sleeps for half a second or so if there are such.
 * Return: 0, with ctx->refusals counted up, or -EINTR.
 */
int ckpt_check_leaks(struct ckpt_ctx *ctx)
{
	unsigned int tries = 0, type;
	int ret = 0;

	for (type = 0; type < CKPT_OBJ_NR && !ret; type++)
		if (ckpt_obj_ops(type)->users)
			ret = ckpt_check_leaks_of(ctx, type, &tries);
	return ret ?: ckpt_mark_shared_inodes(ctx);
}

/**
 * ckpt_check_output - will anybody read what is written?
 * @ctx: the checkpoint, after ckpt_collect()
 *
 * Return: 0, or -EDEADLK if the output is a pipe whose readers are all frozen.
 */
int ckpt_check_output(struct ckpt_ctx *ctx)
{
	struct pipe_inode_info *pipe;
	struct ckpt_obj *obj;
	unsigned int frozen = 0;

	pipe = ctx->out.file ? get_pipe_info(ctx->out.file, false) : NULL;
	if (!pipe)
		return 0;
	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		struct file *file = obj->ptr;

		if ((file->f_mode & FMODE_READ) &&
		    get_pipe_info(file, false) == pipe &&
		    ckpt_held_outside(ctx, obj) <= 0)
			frozen++;
	}
	if (!frozen || READ_ONCE(pipe->readers) > frozen)
		return 0;
	ckpt_log(&ctx->log, "the output %s is a pipe that only the frozen processes read",
		 ckpt_log_path(&ctx->log, &ctx->out.file->f_path));
	return -EDEADLK;
}
