// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/notify/fanotify/fanotify_user.c that is for checkpoint/restart; it
 * includes this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>
#include <uapi/linux/checkpoint_image.h>

/**
 * ckpt_fanotify_get - look at a fanotify group
 * @file: some file
 * @state: out, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_fanotify_get(struct file *file, struct ckpt_fanotify *state)
{
	struct fsnotify_group *group = file->private_data;

	if (file->f_op != &fanotify_fops)
		return false;
	if (!state)
		return true;
	state->flags = group->fanotify_data.flags & ~FANOTIFY_INTERNAL_GROUP_FLAGS;
	state->event_f_flags = group->fanotify_data.f_flags;
	state->unpriv = FAN_GROUP_FLAG(group, FANOTIFY_UNPRIV);
	spin_lock(&group->notification_lock);
	state->nr_events = group->q_len;
	spin_unlock(&group->notification_lock);
	return true;
}

static void ckpt_fanotify_mark(struct fsnotify_mark *mark, struct ckpt_fan_mark *m)
{
	void *obj = mark->connector->obj;

	spin_lock(&mark->lock);
	m->flags = fanotify_mark_user_flags(mark);
	m->mask = mark->mask;
	m->ignore_mask = mark->ignore_mask;
	spin_unlock(&mark->lock);
	switch (mark->connector->type) {
	case FSNOTIFY_OBJ_TYPE_VFSMOUNT:
		m->flags |= FAN_MARK_MOUNT;
		m->obj = obj;
		break;
	case FSNOTIFY_OBJ_TYPE_SB:
		m->flags |= FAN_MARK_FILESYSTEM;
		m->obj = obj;
		break;
	default:
		m->inode = obj ? igrab(obj) : NULL;
	}
}

/**
 * ckpt_fanotify_marks - what a fanotify group watches
 * @file: the group
 * @marks: out, the oldest first, for kvfree(), whose inodes are for iput()
 * @nr: out, its length
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ckpt_fanotify_marks(struct file *file, struct ckpt_fan_mark **marks, u32 *nr)
{
	struct fsnotify_group *group = file->private_data;
	struct fsnotify_mark *mark;
	u32 room = 0;

	fsnotify_group_lock(group);
	list_for_each_entry(mark, &group->marks_list, g_list)
		room++;
	*nr = 0;
	*marks = kvcalloc(room ?: 1, sizeof(**marks), GFP_KERNEL_ACCOUNT);
	if (*marks)
		list_for_each_entry_reverse(mark, &group->marks_list, g_list)
			ckpt_fanotify_mark(mark, &(*marks)[(*nr)++]);
	fsnotify_group_unlock(group);
	return *marks ? 0 : -ENOMEM;
}

/**
 * ckpt_fanotify_make - make a fanotify group that watches nothing
 * @state: what it is to be; takes the rights that fanotify_init() takes
 *
 * Return: the file, which tells nothing before ckpt_fanotify_start(), or an
 * ERR_PTR().
 */
struct file *ckpt_fanotify_make(const struct ckpt_fanotify *state)
{
	struct fsnotify_group *group;
	struct file *file;

	if (state->unpriv && ((state->flags & FANOTIFY_ADMIN_INIT_FLAGS) ||
			      !(state->flags & FANOTIFY_FID_BITS)))
		return ERR_PTR(-EINVAL);
	file = ckpt_take_fd(__do_sys_fanotify_init(state->flags, state->event_f_flags));
	if (IS_ERR(file))
		return file;
	group = file->private_data;
	if (FAN_GROUP_FLAG(group, FANOTIFY_UNPRIV) && !state->unpriv) {
		fput(file);
		return ERR_PTR(-EPERM);
	}
	if (state->unpriv)
		group->fanotify_data.flags |= FANOTIFY_UNPRIV;
	fsnotify_group_stop_queueing(group);
	return file;
}

/* As do_fanotify_mark() does it. */
static bool ckpt_fanotify_mark_valid(struct fsnotify_group *group, const struct path *path,
				     const struct ckpt_fan_mark *m)
{
	unsigned int type = m->flags & FANOTIFY_MARK_TYPE_BITS;
	unsigned int fid_mode = FAN_GROUP_FLAG(group, FANOTIFY_FID_BITS);
	u32 mask = m->mask | m->ignore_mask;

	if (m->flags & ~(FANOTIFY_MARK_TYPE_BITS | FAN_MARK_IGNORED_SURV_MODIFY |
			 FAN_MARK_EVICTABLE | FAN_MARK_IGNORE))
		return false;
	if (type == FANOTIFY_MARK_TYPE_BITS || (type && (m->flags & FAN_MARK_EVICTABLE)))
		return false;
	if (mask & ~(FANOTIFY_EVENTS | FANOTIFY_EVENT_FLAGS))
		return false;
	if ((mask & FAN_FS_ERROR) && type != FAN_MARK_FILESYSTEM)
		return false;
	if ((mask & ~(FANOTIFY_FD_EVENTS | FANOTIFY_EVENT_FLAGS)) &&
	    (!fid_mode || type == FAN_MARK_MOUNT))
		return false;
	if ((mask & FAN_RENAME) && !(fid_mode & FAN_REPORT_NAME))
		return false;
	return !(m->flags & FAN_MARK_IGNORE) || (m->flags & FAN_MARK_IGNORED_SURV_MODIFY) ||
	       (!type && !d_is_dir(path->dentry));
}

static int ckpt_fanotify_may_mark(struct fsnotify_group *group, const struct path *path,
				  const struct ckpt_fan_mark *m, unsigned int obj_type,
				  struct fan_fsid *fsid)
{
	/* Added for a group that tells of directories, not asked for. */
	u32 mask = (m->mask | m->ignore_mask) & ~FAN_EVENT_ON_CHILD;
	int ret;

	if (obj_type != FSNOTIFY_OBJ_TYPE_INODE &&
	    (!capable(CAP_SYS_ADMIN) || FAN_GROUP_FLAG(group, FANOTIFY_UNPRIV)))
		return -EPERM;
	ret = fanotify_events_supported(group, path, mask, m->flags);
	if (!ret)
		ret = path_permission(path, MAY_READ);
	if (!ret)
		ret = security_path_notify(path, mask, obj_type);
	if (!ret && fsid)
		ret = fanotify_test_fsid(path->dentry, m->flags, fsid);
	if (!ret && fsid)
		ret = fanotify_test_fid(path->dentry, m->flags);
	return ret;
}

/**
 * ckpt_fanotify_add - let a fanotify group watch what it has watched
 * @file: the group
 * @path: what is watched, by an inode or mount of it
 * @m: how; takes the rights that fanotify_mark() takes
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int ckpt_fanotify_add(struct file *file, const struct path *path,
		      const struct ckpt_fan_mark *m)
{
	struct fsnotify_group *group = file->private_data;
	unsigned int ignore = m->flags & FAN_MARK_IGNORE ?: FAN_MARK_IGNORED_MASK;
	unsigned int obj_type = FSNOTIFY_OBJ_TYPE_INODE;
	void *obj = d_backing_inode(path->dentry);
	struct fsnotify_mark *there;
	struct fan_fsid id, *fsid;
	int ret;

	if (!ckpt_fanotify_mark_valid(group, path, m))
		return -EINVAL;
	if (m->flags & FAN_MARK_MOUNT) {
		obj_type = FSNOTIFY_OBJ_TYPE_VFSMOUNT;
		obj = path->mnt;
	} else if (m->flags & FAN_MARK_FILESYSTEM) {
		obj_type = FSNOTIFY_OBJ_TYPE_SB;
		obj = path->mnt->mnt_sb;
	}
	fsid = FAN_GROUP_FLAG(group, FANOTIFY_FID_BITS) ? &id : NULL;
	ret = ckpt_fanotify_may_mark(group, path, m, obj_type, fsid);
	if (ret)
		return ret;
	there = fsnotify_find_mark(obj, obj_type, group);
	if (there) {
		fsnotify_put_mark(there);
		return -EEXIST;
	}
	ret = fanotify_add_mark(group, obj, obj_type, m->mask,
				m->flags & FAN_MARK_EVICTABLE, fsid);
	return ret ?: fanotify_add_mark(group, obj, obj_type, m->ignore_mask,
					m->flags | ignore, fsid);
}

/**
 * ckpt_fanotify_has_fsid - does a fanotify group watch something in a file system?
 * @file: the group
 * @fsid: the file system
 *
 * Context: may sleep.
 * Return: true if it does.
 */
bool ckpt_fanotify_has_fsid(struct file *file, const __kernel_fsid_t *fsid)
{
	struct fsnotify_group *group = file->private_data;
	__kernel_fsid_t id = *fsid;
	struct fsnotify_mark *mark;
	bool found = false;

	fsnotify_group_lock(group);
	list_for_each_entry(mark, &group->marks_list, g_list)
		found |= fanotify_fsid_equal(&FANOTIFY_MARK(mark)->fsid, &id);
	fsnotify_group_unlock(group);
	return found;
}

/**
 * ckpt_fanotify_queue - let a fanotify group tell an event
 * @file: the group, of ckpt_fanotify_make()
 * @e: the event, nothing of which was checked
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if the group could not have such an event; -EEXIST if it tells
 * twice that there were too many; -ENOSPC if there are more than there may be; or
 * -ENOMEM.
 */
int ckpt_fanotify_queue(struct file *file, const struct ckpt_fan_event *e)
{
	struct fsnotify_group *group = file->private_data;
	int ret = 0;

	/* The mark that it came by may be no more. */
	if (e->kind == CKPT_FANOTIFY_ERROR) {
		fsnotify_group_lock(group);
		ret = fanotify_group_init_error_pool(group);
		fsnotify_group_unlock(group);
	}
	return ret ?: ckpt_fanotify_insert(group, e);
}

/**
 * ckpt_fanotify_start - let a fanotify group tell what happens
 * @file: the group, of ckpt_fanotify_make()
 */
void ckpt_fanotify_start(struct file *file)
{
	struct fsnotify_group *group = file->private_data;

	spin_lock(&group->notification_lock);
	group->shutdown = false;
	spin_unlock(&group->notification_lock);
}

#endif /* CONFIG_CHECKPOINT */
