// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/notify/inotify/inotify_user.c that is for checkpoint/restart; it
 * includes this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>
#include "../fsnotify.h"

/**
 * ckpt_inotify_get - look at an inotify
 * @file: some file
 * @next_wd: out, where the search for the next watch descriptor begins, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_inotify_get(struct file *file, u32 *next_wd)
{
	struct fsnotify_group *group = file->private_data;

	if (file->f_op != &inotify_fops)
		return false;
	if (next_wd) {
		spin_lock(&group->inotify_data.idr_lock);
		*next_wd = idr_get_cursor(&group->inotify_data.idr);
		spin_unlock(&group->inotify_data.idr_lock);
	}
	return true;
}

/**
 * ckpt_inotify_watches - what an inotify watches
 * @file: the inotify
 * @watches: out, the oldest first, for kvfree(), whose inodes are for iput(); of one
 *	that is just being deleted it is NULL
 * @nr: out, its length
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ckpt_inotify_watches(struct file *file, struct ckpt_watch **watches, u32 *nr)
{
	struct fsnotify_group *group = file->private_data;
	struct fsnotify_mark *mark;
	struct ckpt_watch *w;
	u32 room = 0;

	fsnotify_group_lock(group);
	list_for_each_entry(mark, &group->marks_list, g_list)
		room++;
	*nr = 0;
	*watches = kvcalloc(room ?: 1, sizeof(**watches), GFP_KERNEL_ACCOUNT);
	if (*watches)
		list_for_each_entry_reverse(mark, &group->marks_list, g_list) {
			w = &(*watches)[(*nr)++];
			w->inode = igrab(fsnotify_conn_inode(mark->connector));
			w->wd = container_of(mark, struct inotify_inode_mark, fsn_mark)->wd;
			w->mask = inotify_mark_user_mask(mark);
		}
	fsnotify_group_unlock(group);
	return *watches ? 0 : -ENOMEM;
}

/**
 * ckpt_inotify_events - what an inotify has still to tell
 * @file: the inotify
 * @fn: called for each event, with a lock held; may not sleep
 * @arg: for @fn
 */
void ckpt_inotify_events(struct file *file,
			 void (*fn)(void *arg, const struct ckpt_watch_event *e),
			 void *arg)
{
	struct fsnotify_group *group = file->private_data;
	struct fsnotify_event *fse;

	spin_lock(&group->notification_lock);
	list_for_each_entry(fse, &group->notification_list, list) {
		const struct inotify_event_info *event = INOTIFY_E(fse);
		struct ckpt_watch_event e = {
			.wd		= event->wd,
			.mask		= inotify_mask_to_arg(event->mask),
			.on_child	= event->mask & FS_EVENT_ON_CHILD,
			.cookie		= event->sync_cookie,
			.name		= event->name,
			.name_len	= event->name_len,
		};

		fn(arg, &e);
	}
	spin_unlock(&group->notification_lock);
}

/**
 * ckpt_inotify_make - make an inotify that watches nothing
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ckpt_inotify_make(void)
{
	return ckpt_take_fd(do_inotify_init(0));
}

/**
 * ckpt_inotify_set_next - set where the search for a watch descriptor begins
 * @file: the inotify
 * @next_wd: from ckpt_inotify_get()
 */
void ckpt_inotify_set_next(struct file *file, u32 next_wd)
{
	struct fsnotify_group *group = file->private_data;

	spin_lock(&group->inotify_data.idr_lock);
	idr_set_cursor(&group->inotify_data.idr, next_wd);
	spin_unlock(&group->inotify_data.idr_lock);
}

/**
 * ckpt_inotify_add - watch an inode, but for nothing yet
 * @file: the inotify
 * @inode: what is watched
 * @wd: watch descriptor, 1 or more
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int ckpt_inotify_add(struct file *file, struct inode *inode, int wd)
{
	struct fsnotify_group *group = file->private_data;
	int ret;

	fsnotify_group_lock(group);
	ckpt_inotify_set_next(file, wd);
	ret = inotify_new_watch(group, inode, 0);
	fsnotify_group_unlock(group);
	if (ret >= 0 && ret != wd)
		return -EEXIST;
	return min(ret, 0);
}

/**
 * ckpt_inotify_enable - watch for what was watched for
 * @file: the inotify
 * @wd: watch descriptor; that of who is no more does no harm
 * @mask: IN_*
 *
 * Context: may sleep.
 */
void ckpt_inotify_enable(struct file *file, int wd, u32 mask)
{
	struct fsnotify_group *group = file->private_data;
	struct inotify_inode_mark *i_mark = inotify_idr_find(group, wd);
	struct fsnotify_mark *mark;

	if (!i_mark)
		return;
	mark = &i_mark->fsn_mark;
	fsnotify_group_lock(group);
	if (mark->flags & FSNOTIFY_MARK_FLAG_ATTACHED) {
		spin_lock(&mark->lock);
		mark->mask |= mask & INOTIFY_USER_MASK;
		mark->flags |= inotify_arg_to_flags(mask);
		spin_unlock(&mark->lock);
		fsnotify_recalc_mask(mark->connector);
	}
	fsnotify_group_unlock(group);
	fsnotify_put_mark(mark);
}

/**
 * ckpt_inotify_queue - let an inotify tell an event
 * @file: the inotify
 * @e: the event
 *
 * Return: 0, -ENOMEM, or -ENOSPC if there are more than there may be.
 */
int ckpt_inotify_queue(struct file *file, const struct ckpt_watch_event *e)
{
	struct fsnotify_group *group = file->private_data;
	struct inotify_event_info *event;

	if (e->mask & IN_Q_OVERFLOW) {
		fsnotify_queue_overflow(group);
		return 0;
	}
	event = kmalloc(sizeof(*event) + e->name_len + 1, GFP_KERNEL_ACCOUNT);
	if (!event)
		return -ENOMEM;
	fsnotify_init_event(&event->fse);
	event->mask = e->mask | (e->on_child ? FS_EVENT_ON_CHILD : 0);
	event->wd = e->wd;
	event->sync_cookie = e->cookie;
	event->name_len = e->name_len;
	memcpy(event->name, e->name, e->name_len);
	event->name[e->name_len] = 0;
	if (fsnotify_add_event(group, &event->fse, NULL)) {
		fsnotify_destroy_event(group, &event->fse);
		return -ENOSPC;
	}
	return 0;
}

#endif /* CONFIG_CHECKPOINT */
