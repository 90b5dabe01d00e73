// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/proc/base.c that is for checkpoint/restart; it includes this
 * file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>
#include <linux/magic.h>

/* Of the machine, made anew at each read, the same for whoever reads. */
static bool ckpt_proc_of_machine(const struct file *file)
{
	static const char * const names[] = {
		"cmdline", "cpuinfo", "devices", "diskstats", "filesystems",
		"interrupts", "loadavg", "meminfo", "partitions", "softirqs",
		"stat", "swaps", "uptime", "version", "vmstat", "zoneinfo",
	};
	struct dentry *dentry = file->f_path.dentry;

	return PDE(d_inode(dentry)) && IS_ROOT(dentry->d_parent) &&
	       match_string(names, ARRAY_SIZE(names), dentry->d_name.name) >= 0;
}

/* Of a task, made anew at each read; the open file is but its position. */
static const struct file_operations *const ckpt_proc_text[] = {
	&proc_single_file_operations,
	&proc_pid_cmdline_ops,
	&proc_pid_set_comm_operations,
	&proc_pid_set_timerslack_ns_operations,
	&proc_oom_adj_operations,
	&proc_oom_score_adj_operations,
#ifdef CONFIG_PROC_CHILDREN
	&proc_tid_children_operations,
#endif
#ifdef CONFIG_SCHED_DEBUG
	&proc_pid_sched_operations,
#endif
#ifdef CONFIG_SCHED_AUTOGROUP
	&proc_pid_sched_autogroup_operations,
#endif
#ifdef CONFIG_AUDIT
	&proc_loginuid_operations,
	&proc_sessionid_operations,
#endif
#ifdef CONFIG_ELF_CORE
	&proc_coredump_filter_operations,
#endif
};

/* Likewise, with an address space that was taken when it was opened. */
static const struct file_operations *const ckpt_proc_maps[] = {
	&proc_pid_maps_operations,
#ifdef CONFIG_NUMA
	&proc_pid_numa_maps_operations,
#endif
#ifdef CONFIG_PROC_PAGE_MONITOR
	&proc_pid_smaps_operations,
	&proc_pid_smaps_rollup_operations,
#endif
};

static const struct file_operations *const ckpt_proc_memory[] = {
	&proc_environ_operations,
	&proc_auxv_operations,
#ifdef CONFIG_PROC_PAGE_MONITOR
	&proc_pagemap_operations,
#endif
};

static bool ckpt_proc_is_one(const struct file *file,
			     const struct file_operations *const *ops, size_t nr)
{
	while (nr--)
		if (file->f_op == ops[nr])
			return true;
	return false;
}

/* Where an open file has the address space that it shows, or NULL. */
static struct mm_struct **ckpt_proc_mm(struct file *file)
{
	struct proc_maps_private *priv;

	if (ckpt_proc_is_one(file, ckpt_proc_memory, ARRAY_SIZE(ckpt_proc_memory)))
		return (struct mm_struct **)&file->private_data;
	if (!ckpt_proc_is_one(file, ckpt_proc_maps, ARRAY_SIZE(ckpt_proc_maps)))
		return NULL;
	/* That of numa_maps begins alike. */
	priv = ((struct seq_file *)file->private_data)->private;
	return &priv->mm;
}

/* The directory of a task that something of proc lies in, or is; or NULL. */
static struct dentry *ckpt_proc_dir(struct dentry *dentry)
{
	for (; !IS_ROOT(dentry); dentry = dentry->d_parent)
		if (d_inode(dentry)->i_fop == &proc_tid_base_operations ||
		    d_inode(dentry)->i_fop == &proc_tgid_base_operations)
			return dentry;
	return NULL;
}

/* Does its name come of a descriptor or a mapping of the task? */
static bool ckpt_proc_of_fd(const struct file *file)
{
	const struct file_operations *above = d_inode(file->f_path.dentry->d_parent)->i_fop;

	return above == &proc_fd_operations || above == &proc_fdinfo_operations ||
	       above == &proc_map_files_operations;
}

static bool ckpt_proc_get_task(struct file *file, struct dentry *dir, struct ckpt_proc *is)
{
	struct mm_struct **mm;

	is->pid = proc_pid(d_inode(dir));
	is->thread = d_inode(dir)->i_fop == &proc_tid_base_operations;
	is->of_fd = ckpt_proc_of_fd(file);
	if ((file->f_mode & FMODE_PATH) || S_ISDIR(file_inode(file)->i_mode))
		return true;
	mm = ckpt_proc_mm(file);
	is->mm = mm ? *mm : NULL;
	return is->mm || ckpt_proc_is_one(file, ckpt_proc_text, ARRAY_SIZE(ckpt_proc_text));
}

/**
 * ckpt_proc_get - look at an open file of proc
 * @file: some file
 * @state: out, what it is, or NULL
 *
 * Return: true if it is text that is made at each read, or a directory or location
 * of a task.
 */
bool ckpt_proc_get(struct file *file, struct ckpt_proc *state)
{
	struct inode *inode = file_inode(file);
	struct ckpt_proc is = {};
	struct dentry *dir;

	if (inode->i_sb->s_magic != PROC_SUPER_MAGIC)
		return false;
	dir = ckpt_proc_dir(file->f_path.dentry);
	if (dir ? !ckpt_proc_get_task(file, dir, &is) :
	    !S_ISREG(inode->i_mode) || (file->f_mode & FMODE_PATH) ||
	    (!PROC_I(inode)->sysctl && !ckpt_proc_of_machine(file)))
		return false;
	if (state)
		*state = is;
	return true;
}

/**
 * ckpt_proc_set_mm - let an open file of proc show an address space
 * @file: the file, which nobody reads yet
 * @mm: the address space of its task
 */
void ckpt_proc_set_mm(struct file *file, struct mm_struct *mm)
{
	struct mm_struct **place = ckpt_proc_mm(file);

	if (!place)
		return;
	mmgrab(mm);
	if (*place)
		mmdrop(*place);
	*place = mm;
}

#endif /* CONFIG_CHECKPOINT */
