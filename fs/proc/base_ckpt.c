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

static bool ckpt_proc_is_maps(const struct file *file)
{
#ifdef CONFIG_PROC_PAGE_MONITOR
	if (file->f_op == &proc_pid_smaps_operations)
		return true;
#endif
	return file->f_op == &proc_pid_maps_operations;
}

static struct proc_maps_private *ckpt_proc_maps(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

/**
 * ckpt_proc_get - look at an open file of proc
 * @file: some file
 * @state: out, what it is, or NULL
 *
 * Return: false if it is none, or one that is more than text made at each read.
 */
bool ckpt_proc_get(struct file *file, struct ckpt_proc *state)
{
	struct inode *inode = file_inode(file);
	struct ckpt_proc is = {};

	if (inode->i_sb->s_magic != PROC_SUPER_MAGIC || !S_ISREG(inode->i_mode) ||
	    (file->f_mode & FMODE_PATH))
		return false;
	if (ckpt_proc_is_maps(file))
		is.mm = ckpt_proc_maps(file)->mm;
	if (is.mm || file->f_op == &proc_single_file_operations)
		is.pid = proc_pid(inode);
	else if (!PROC_I(inode)->sysctl && !ckpt_proc_of_machine(file))
		return false;
	if (state)
		*state = is;
	return true;
}

/**
 * ckpt_proc_set_mm - let an open maps or smaps show an address space
 * @file: the file, which nobody reads yet
 * @mm: the address space of its task
 */
void ckpt_proc_set_mm(struct file *file, struct mm_struct *mm)
{
	struct proc_maps_private *priv;

	if (!ckpt_proc_is_maps(file))
		return;
	priv = ckpt_proc_maps(file);
	mmgrab(mm);
	if (priv->mm)
		mmdrop(priv->mm);
	priv->mm = mm;
}

#endif /* CONFIG_CHECKPOINT */
