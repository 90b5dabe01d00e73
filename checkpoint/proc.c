// SPDX-License-Identifier: GPL-2.0
/*
 * Open files of proc and of sysfs and control groups, as far as they are nothing
 * but text that is made at each read; and locations (O_PATH) of what is not opened
 * by its name.
 *
 * The text goes on at the saved position of what it is after the restart. A file
 * or directory of a task is that of the same task of the tree, whatever its pid is
 * then.
 */
#include <linux/checkpoint_fds.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "checkpoint.h"

/* ---- locations ------------------------------------------------------------- */

/**
 * ckpt_is_node - is this the location of what is not opened by its name?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true for O_PATH of a symbolic link, FIFO, socket or device node, and of a
 * regular file that may be anything, as those of proc and sysfs.
 */
bool ckpt_is_node(struct ckpt_ctx *ctx, struct file *file)
{
	return (file->f_mode & FMODE_PATH) && ckpt_node_fits(file_inode(file));
}

/**
 * ckpt_node_fits - may this be the location of what is not opened by its name?
 * @inode: what is there
 *
 * Return: true if so.
 */
bool ckpt_node_fits(const struct inode *inode)
{
	if (S_ISREG(inode->i_mode))
		return !ckpt_plain_fs(inode->i_sb);
	return !S_ISDIR(inode->i_mode);
}

/* ---- sysfs, control groups --------------------------------------------------- */

/**
 * ckpt_is_kernfs - is this a file of sysfs or control groups that is only text?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is and is only read.
 */
bool ckpt_is_kernfs(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);
	unsigned long magic = inode->i_sb->s_magic;
	struct kernfs_node *kn = inode->i_private;

	if ((magic != SYSFS_MAGIC && magic != CGROUP2_SUPER_MAGIC) ||
	    !S_ISREG(inode->i_mode) || (file->f_mode & (FMODE_WRITE | FMODE_PATH)))
		return false;
	return kn->attr.ops->seq_show;
}

/* ---- proc ---------------------------------------------------------------------- */

/**
 * ckpt_is_proc - is this text of proc, or a directory or location of a task there?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_proc(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_proc_get(file, NULL);
}

/* Index of the task that a file is of, or -1. */
static int ckpt_proc_task(struct ckpt_ctx *ctx, const struct ckpt_proc *state)
{
	struct task_struct *t;
	int index = -1;

	rcu_read_lock();
	t = pid_task(state->pid, PIDTYPE_PID);
	if (t)
		index = ckpt_task_index(ctx, t);
	rcu_read_unlock();
	return index;
}

/**
 * ckpt_proc_problem - what of a file of proc cannot be saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_proc_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_proc state;
	int index;

	ckpt_proc_get(file, &state);
	if (!state.pid)
		return NULL;
	if (file->f_path.mnt->mnt_root != file->f_path.mnt->mnt_sb->s_root)
		return "is in a part of proc that is mounted elsewhere";
	index = ckpt_proc_task(ctx, &state);
	if (index < 0)
		return "is of a process outside, or of one that is no more";
	if (state.of_fd)
		return "is of a descriptor or mapping of its process, which cannot be saved yet";
	if (state.mm && state.mm != READ_ONCE(ctx->tasks[index].t->mm))
		return "is of an address space that its process has no more";
	return NULL;
}

/* Length of the path of where proc is mounted, as the root task sees it. */
static int ckpt_proc_mount_len(struct ckpt_ctx *ctx, struct file *file, u32 *len)
{
	struct path mount = {
		.mnt = file->f_path.mnt, .dentry = file->f_path.dentry->d_sb->s_root,
	};
	char *buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT), *name;
	int ret = -ESRCH;

	if (!buf)
		return -ENOMEM;
	name = __d_path(&mount, &ctx->root, buf, CKPT_PATH_MAX);
	if (!IS_ERR_OR_NULL(name)) {
		*len = strlen(name);
		ret = 0;
	}
	kfree(buf);
	return ret;
}

/**
 * checkpoint_proc - write the PROC record of a file
 * @ctx: the checkpoint
 * @file: a file of proc
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_proc(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_rec_proc *rec;
	struct ckpt_proc state;
	int index;

	rec = ckpt_rec_new(ctx, proc, CKPT_REC_PROC, 0);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	rec->task = CKPT_PROC_NO_TASK;
	ckpt_proc_get(file, &state);
	if (!state.pid)
		return 0;
	index = ckpt_proc_task(ctx, &state);
	/* It may have been killed meanwhile. */
	if (index < 0)
		return -ESRCH;
	rec->task = index;
	if (state.thread)
		rec->flags |= CKPT_PROC_THREAD;
	return ckpt_proc_mount_len(ctx, file, &rec->mount_len);
}

static int restore_proc_check(struct ckpt_restart *rs, const struct ckpt_rec *part,
			      const struct ckpt_rec_file *file)
{
	const struct ckpt_rec_proc *rec = ckpt_rec_as(part, proc);

	if (rec->flags & ~CKPT_PROC_FLAGS_ALL)
		return ckpt_bad(rs, part, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (rec->task == CKPT_PROC_NO_TASK) {
		if (rec->mount_len || rec->flags)
			return ckpt_bad(rs, part, -EINVAL, "a task's file of no task");
		return 0;
	}
	if (!ckpt_member(rs, rec->task))
		return ckpt_bad(rs, part, -EINVAL, "there is no task %u", rec->task);
	if (!rec->mount_len || rec->mount_len >= file->path_len)
		return ckpt_bad(rs, part, -EINVAL, "%u bytes of a path of %u",
				rec->mount_len, file->path_len);
	return 0;
}

/* What follows the directory of the task in the path, from its / on; or NULL. */
static const char *ckpt_proc_rest(const struct ckpt_rec_proc *rec, const char *path)
{
	/* PID, or PID/task/TID. */
	int parts = rec->flags & CKPT_PROC_THREAD ? 3 : 1;

	/* Of / itself, the slash is that of what follows. */
	path += rec->mount_len > 1 ? rec->mount_len : 0;
	while (path && *path == '/' && parts--)
		path = strchr(path + 1, '/');
	if (!path)
		return parts > 0 ? NULL : "";
	return *path == '/' ? path : NULL;
}

/* Where it is of the same task, by the pids of that proc. */
static char *ckpt_proc_name(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    const struct ckpt_rec *part)
{
	const struct ckpt_rec_proc *rec = ckpt_rec_as(part, proc);
	struct task_struct *t = ckpt_member_task(ckpt_member(rs, rec->task));
	const char *path = r->var, *rest = ckpt_proc_rest(rec, path);
	struct pid_namespace *ns = NULL;
	char *mount, *name;
	struct path found;

	if (!rest)
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "%s is no path of a task", path));
	mount = kmemdup_nul(path, rec->mount_len, GFP_KERNEL_ACCOUNT);
	if (!mount)
		return ERR_PTR(-ENOMEM);
	if (!vfs_path_lookup(rs->root.dentry, rs->root.mnt, mount, 0, &found)) {
		if (found.dentry->d_sb->s_magic == PROC_SUPER_MAGIC)
			ns = get_pid_ns(proc_pid_ns(found.dentry->d_sb));
		path_put(&found);
	}
	if (!ns)
		name = ERR_PTR(ckpt_bad(rs, part, -ESTALE, "%s is no proc file system", mount));
	else if (rec->flags & CKPT_PROC_THREAD)
		name = kasprintf(GFP_KERNEL_ACCOUNT, "%s/%d/task/%d%s", mount,
				 task_tgid_nr_ns(t, ns), task_pid_nr_ns(t, ns), rest);
	else
		name = kasprintf(GFP_KERNEL_ACCOUNT, "%s/%d%s", mount,
				 task_pid_nr_ns(t, ns), rest);
	if (ns)
		put_pid_ns(ns);
	kfree(mount);
	return name ?: ERR_PTR(-ENOMEM);
}

/* Nothing is asked of what is found otherwise. */
static bool ckpt_proc_fits(const struct ckpt_rec_file *rec, const struct inode *inode)
{
	return inode->i_sb->s_magic == PROC_SUPER_MAGIC &&
	       !((inode->i_mode ^ rec->mode) & S_IFMT);
}

static struct file *ckpt_open_proc(struct ckpt_restart *rs, const struct ckpt_rec *r,
				   const char *name, const struct pid *pid)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct ckpt_proc state;
	struct file *where, *file;

	where = file_open_root(&rs->root, name, O_PATH | O_NOFOLLOW, 0);
	file = where;
	if (!IS_ERR(where)) {
		if (!ckpt_proc_fits(rec, file_inode(where)))
			file = ERR_PTR(-ESTALE);
		else if ((rec->f_flags & O_PATH) || (rec->flags & CKPT_FILE_F_PATH_ONLY))
			file = get_file(where);
		else
			file = file_open_root(&where->f_path, "",
					      rec->f_flags | O_LARGEFILE | O_NOFOLLOW, 0);
		fput(where);
	}
	if (!IS_ERR(file) && (!ckpt_proc_get(file, &state) || state.pid != pid)) {
		fput(file);
		file = ERR_PTR(-ESTALE);
	}
	if (IS_ERR(file))
		ckpt_bad(rs, r, PTR_ERR(file), "%s cannot be opened again (flags 0%o)",
			 name, rec->f_flags);
	return file;
}

/**
 * restore_proc - open a file of proc
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_proc(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_proc *rec = ckpt_rec_as(part, proc);
	struct file *file;
	char *name;
	int ret;

	ret = restore_proc_check(rs, part, ckpt_rec_as(r, file));
	if (ret)
		return ERR_PTR(ret);
	if (rec->task == CKPT_PROC_NO_TASK)
		return ckpt_open_proc(rs, r, r->var, NULL);
	name = ckpt_proc_name(rs, r, part);
	if (IS_ERR(name))
		return ERR_CAST(name);
	file = ckpt_open_proc(rs, r, name, task_pid(ckpt_member_task(ckpt_member(rs, rec->task))));
	kfree(name);
	return file;
}

/* What was opened when the task was none of the image yet shows it as it is. */
static void ckpt_start_proc(struct ckpt_restart *rs, const struct ckpt_rec *part,
			    struct file *file)
{
	const struct ckpt_rec_proc *rec = ckpt_rec_as(part, proc);
	struct ckpt_proc state;
	struct mm_struct *mm;

	if (rec->task == CKPT_PROC_NO_TASK || !ckpt_proc_get(file, &state) || !state.mm)
		return;
	mm = get_task_mm(ckpt_member_task(ckpt_member(rs, rec->task)));
	if (!mm)
		return;
	ckpt_proc_set_mm(file, mm);
	mmput(mm);
}

/**
 * restore_procs_start - let files of proc show the tasks as they are now
 * @rs: the restart, committed; the program does not run yet
 */
void restore_procs_start(struct ckpt_restart *rs)
{
	ckpt_part_each(rs, CKPT_REC_PROC, ckpt_start_proc);
}
