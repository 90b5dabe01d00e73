// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/notify/dnotify/dnotify.c that is for checkpoint/restart; it
 * includes this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/**
 * ckpt_has_dnotify - is somebody told by this open file what happens?
 * @file: some file
 *
 * Context: may sleep.
 * Return: true if F_NOTIFY was used on it, and not every event has come yet.
 */
bool ckpt_has_dnotify(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct fsnotify_mark *mark;
	struct dnotify_struct *dn;
	bool has = false;

	if (!S_ISDIR(inode->i_mode))
		return false;
	mark = fsnotify_find_inode_mark(inode, dnotify_group);
	if (!mark)
		return false;
	spin_lock(&mark->lock);
	for (dn = container_of(mark, struct dnotify_mark, fsn_mark)->dn; dn; dn = dn->dn_next)
		has |= dn->dn_filp == file;
	spin_unlock(&mark->lock);
	fsnotify_put_mark(mark);
	return has;
}

#endif /* CONFIG_CHECKPOINT */
