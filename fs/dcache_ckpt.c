// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/dcache.c that is for checkpoint/restart; it includes this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/**
 * ckpt_dentry_rename - say what a file was called that has no name any more
 * @dentry: of a file that was made without a name
 * @name: what /proc/PID/fd shows behind the path of its directory
 *
 * As unlink() leaves it behind: the name is text, no lookup finds it.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_dentry_rename(struct dentry *dentry, const char *name)
{
	struct dentry *parent = dentry->d_parent, *named;
	struct qstr q = QSTR_INIT(name, strlen(name));

	if (WARN_ON_ONCE(!d_unhashed(dentry) || IS_ROOT(dentry)))
		return -EINVAL;
	q.hash = full_name_hash(parent, q.name, q.len);
	named = d_alloc(parent, &q);
	if (!named)
		return -ENOMEM;
	write_seqlock(&rename_lock);
	spin_lock(&parent->d_lock);
	spin_lock_nested(&dentry->d_lock, DENTRY_D_LOCK_NESTED);
	write_seqcount_begin(&dentry->d_seq);
	copy_name(dentry, named);
	write_seqcount_end(&dentry->d_seq);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&parent->d_lock);
	write_sequnlock(&rename_lock);
	dput(named);
	return 0;
}

#endif /* CONFIG_CHECKPOINT */
