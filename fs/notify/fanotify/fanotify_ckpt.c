// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/notify/fanotify/fanotify.c that is for checkpoint/restart; it
 * includes this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>
#include <uapi/linux/checkpoint_image.h>

/* ---- what waits ----------------------------------------------------------------- */

static void ckpt_fan_fh(struct ckpt_fan_fh *out, struct fanotify_fh *fh)
{
	*out = (struct ckpt_fan_fh) {
		.buf = fanotify_fh_buf(fh), .len = fh->len, .type = fh->type,
	};
}

static void ckpt_fan_info(struct ckpt_fan_event *e, struct fanotify_info *info)
{
	if (fanotify_info_dir_fh_len(info))
		ckpt_fan_fh(&e->dir, fanotify_info_dir_fh(info));
	if (fanotify_info_dir2_fh_len(info))
		ckpt_fan_fh(&e->dir2, fanotify_info_dir2_fh(info));
	e->name = fanotify_info_name(info);
	e->name_len = info->name_len;
	e->name2 = fanotify_info_name2(info);
	e->name2_len = info->name2_len;
}

/* What it points to is the event's own. */
static void ckpt_fan_look(struct ckpt_fan_event *e, struct fanotify_event *event)
{
	static const u32 kinds[] = {
		[FANOTIFY_EVENT_TYPE_PATH]	= CKPT_FANOTIFY_PATH,
		[FANOTIFY_EVENT_TYPE_FID]	= CKPT_FANOTIFY_FID,
		[FANOTIFY_EVENT_TYPE_FID_NAME]	= CKPT_FANOTIFY_NAME,
		[FANOTIFY_EVENT_TYPE_OVERFLOW]	= CKPT_FANOTIFY_OVERFLOW,
		[FANOTIFY_EVENT_TYPE_FS_ERROR]	= CKPT_FANOTIFY_ERROR,
	};

	*e = (struct ckpt_fan_event) {
		.kind = kinds[event->type], .mask = event->mask, .pid = event->pid,
	};
	if (fanotify_event_path(event))
		e->path = *fanotify_event_path(event);
	if (fanotify_event_fsid(event))
		e->fsid = *fanotify_event_fsid(event);
	if (fanotify_event_object_fh_len(event))
		ckpt_fan_fh(&e->object, fanotify_event_object_fh(event));
	if (fanotify_event_info(event))
		ckpt_fan_info(e, fanotify_event_info(event));
	if (event->type == FANOTIFY_EVENT_TYPE_FS_ERROR) {
		e->error = FANOTIFY_EE(event)->error;
		e->err_count = FANOTIFY_EE(event)->err_count;
	}
}

static size_t ckpt_fan_bytes(const struct ckpt_fan_event *e)
{
	return e->object.len + e->dir.len + e->dir2.len + e->name_len + e->name2_len;
}

static const void *ckpt_fan_copy(void **to, const void *from, size_t len)
{
	void *at = *to;

	memcpy(at, from, len);
	*to += len;
	return at;
}

/* It stays when the event has been read. */
static void ckpt_fan_keep(struct ckpt_fan_event *e, void **to)
{
	e->object.buf = ckpt_fan_copy(to, e->object.buf, e->object.len);
	e->dir.buf = ckpt_fan_copy(to, e->dir.buf, e->dir.len);
	e->dir2.buf = ckpt_fan_copy(to, e->dir2.buf, e->dir2.len);
	e->name = ckpt_fan_copy(to, e->name, e->name_len);
	e->name2 = ckpt_fan_copy(to, e->name2, e->name2_len);
	get_pid(e->pid);
	path_get(&e->path);
}

/* Returns the room that all of them take, and keeps them if there is as much. */
static size_t ckpt_fan_keep_all(struct fsnotify_group *group,
				struct ckpt_fan_event *events, size_t room)
{
	size_t need = group->q_len * sizeof(*events);
	void *to = (void *)events + need;
	struct fsnotify_event *fse;
	struct ckpt_fan_event e;

	list_for_each_entry(fse, &group->notification_list, list) {
		ckpt_fan_look(&e, FANOTIFY_E(fse));
		need += ckpt_fan_bytes(&e);
	}
	if (need > room)
		return need;
	list_for_each_entry(fse, &group->notification_list, list) {
		ckpt_fan_look(events, FANOTIFY_E(fse));
		ckpt_fan_keep(events++, &to);
	}
	return need;
}

/**
 * ckpt_fanotify_events - what a fanotify group has still to tell
 * @file: the group
 * @events: out, the oldest first, for kvfree(), each with references to its pid
 *	and path
 * @nr: out, their number
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ckpt_fanotify_events(struct file *file, struct ckpt_fan_event **events, u32 *nr)
{
	struct fsnotify_group *group = file->private_data;
	size_t room, need = 0;

	*events = NULL;
	*nr = 0;
	do {
		room = need;
		kvfree(*events);
		*events = kvzalloc(room ?: 1, GFP_KERNEL_ACCOUNT);
		if (!*events)
			return -ENOMEM;
		spin_lock(&group->notification_lock);
		need = ckpt_fan_keep_all(group, *events, room);
		if (need <= room)
			*nr = group->q_len;
		spin_unlock(&group->notification_lock);
	} while (need > room);
	return 0;
}

/* ---- what has waited ------------------------------------------------------------ */

static bool ckpt_fan_fh_valid(const struct ckpt_fan_fh *fh)
{
	if (!fh->len)
		return !fh->type;
	return fh->len % 4 == 0 && fh->len <= MAX_HANDLE_SZ &&
	       fh->type != FILEID_ROOT && fh->type < FILEID_INVALID;
}

static bool ckpt_fan_name_valid(const char *name, size_t len)
{
	return len < PATH_MAX && !memchr(name, 0, len) && !memchr(name, '/', len);
}

/* read() takes for granted that a rename has names where it has directories. */
static bool ckpt_fan_names_valid(unsigned int fid_mode, const struct ckpt_fan_event *e)
{
	if (!(fid_mode & FAN_REPORT_DIR_FID))
		return false;
	if (!(fid_mode & FAN_REPORT_NAME) && (e->name_len || e->name2_len))
		return false;
	if (!(fid_mode & FAN_REPORT_FID) && e->object.len)
		return false;
	if (!(e->mask & FAN_RENAME))
		return !e->dir2.len && !e->name2_len;
	return (!e->dir.len || e->name_len) && (!e->dir2.len || e->name2_len);
}

/* Nothing of the other kinds. */
static bool ckpt_fan_fields_valid(const struct ckpt_fan_event *e)
{
	bool error = e->kind == CKPT_FANOTIFY_ERROR, path = e->kind == CKPT_FANOTIFY_PATH;

	if (!ckpt_fan_fh_valid(&e->object) || !ckpt_fan_fh_valid(&e->dir) ||
	    !ckpt_fan_fh_valid(&e->dir2) || !ckpt_fan_name_valid(e->name, e->name_len) ||
	    !ckpt_fan_name_valid(e->name2, e->name2_len))
		return false;
	if (!!e->path.mnt != path || (!error && (e->error || e->err_count)))
		return false;
	switch (e->kind) {
	case CKPT_FANOTIFY_NAME:
		return true;
	case CKPT_FANOTIFY_FID:
	case CKPT_FANOTIFY_ERROR:
		return ckpt_fan_bytes(e) == e->object.len;
	}
	return !ckpt_fan_bytes(e) && !e->fsid.val[0] && !e->fsid.val[1];
}

/*
 * Could such a group have such an event? What read() does with one depends on the
 * mask, the kind and the flags of the group, which have to be of one mind.
 */
static bool ckpt_fan_valid(struct fsnotify_group *group, const struct ckpt_fan_event *e)
{
	unsigned int fid_mode = FAN_GROUP_FLAG(group, FANOTIFY_FID_BITS);
	bool unpriv = FAN_GROUP_FLAG(group, FANOTIFY_UNPRIV);
	u32 events = e->mask & ~FANOTIFY_EVENT_FLAGS;

	if (!events || !ckpt_fan_fields_valid(e))
		return false;
	switch (e->kind) {
	case CKPT_FANOTIFY_PATH:
		return !fid_mode && !unpriv && !(e->mask & ~FANOTIFY_PATH_EVENTS);
	case CKPT_FANOTIFY_OVERFLOW:
		return e->mask == FAN_Q_OVERFLOW && !e->pid;
	case CKPT_FANOTIFY_ERROR:
		return (fid_mode & FAN_REPORT_FID) && !unpriv && e->mask == FAN_FS_ERROR;
	}
	if (events & ~(FANOTIFY_PATH_EVENTS | FANOTIFY_INODE_EVENTS))
		return false;
	if (e->kind == CKPT_FANOTIFY_FID)
		return fid_mode && !(events & FAN_RENAME);
	return e->kind == CKPT_FANOTIFY_NAME && ckpt_fan_names_valid(fid_mode, e);
}

/* As fanotify_encode_fh() does it. Returns the length with the head, or 0. */
static unsigned int ckpt_fan_set_fh(struct fanotify_fh *fh, const struct ckpt_fan_fh *from,
				    unsigned int *hash, gfp_t gfp)
{
	void *buf = fh->buf;

	fh->type = from->len ? from->type : FILEID_INVALID;
	fh->len = 0;
	fh->flags = 0;
	if (!from->len)
		return 0;
	if (gfp && from->len > FANOTIFY_INLINE_FH_LEN) {
		buf = kmalloc(from->len, gfp);
		if (!buf)
			return 0;
		*fanotify_fh_ext_buf_ptr(fh) = buf;
		fh->flags |= FANOTIFY_FH_FLAG_EXT_BUF;
	}
	memcpy(buf, from->buf, from->len);
	fh->len = from->len;
	*hash ^= fanotify_hash_fh(fh);
	return FANOTIFY_FH_HDR_LEN + from->len;
}

static struct fanotify_event *ckpt_fan_alloc_fid(const struct ckpt_fan_event *e,
						 unsigned int *hash)
{
	struct fanotify_fid_event *ffe;

	ffe = kmem_cache_alloc(fanotify_fid_event_cachep, GFP_KERNEL_ACCOUNT);
	if (!ffe)
		return NULL;
	ffe->fae.type = FANOTIFY_EVENT_TYPE_FID;
	ffe->fsid = e->fsid;
	if (!ckpt_fan_set_fh(&ffe->object_fh, &e->object, hash, GFP_KERNEL_ACCOUNT) &&
	    e->object.len) {
		kmem_cache_free(fanotify_fid_event_cachep, ffe);
		return NULL;
	}
	return &ffe->fae;
}

static void ckpt_fan_set_name(char *to, const char *name, size_t len, unsigned int *hash)
{
	memcpy(to, name, len);
	to[len] = 0;
	*hash ^= full_name_hash((void *)len, to, len);
}

/* As fanotify_alloc_name_event() does it. */
static struct fanotify_event *ckpt_fan_alloc_name(const struct ckpt_fan_event *e,
						  unsigned int *hash)
{
	struct fanotify_name_event *fne;
	struct fanotify_info *info;

	fne = kvmalloc(sizeof(*fne) + ckpt_fan_bytes(e) + 3 * FANOTIFY_FH_HDR_LEN + 2,
		       GFP_KERNEL_ACCOUNT);
	if (!fne)
		return NULL;
	fne->fae.type = FANOTIFY_EVENT_TYPE_FID_NAME;
	fne->fsid = e->fsid;
	info = &fne->info;
	fanotify_info_init(info);
	if (e->dir.len)
		info->dir_fh_totlen = ckpt_fan_set_fh(fanotify_info_dir_fh(info), &e->dir,
						      hash, 0);
	if (e->dir2.len)
		info->dir2_fh_totlen = ckpt_fan_set_fh(fanotify_info_dir2_fh(info), &e->dir2,
						       hash, 0);
	if (e->object.len)
		info->file_fh_totlen = ckpt_fan_set_fh(fanotify_info_file_fh(info), &e->object,
						       hash, 0);
	info->name_len = e->name_len;
	if (e->name_len)
		ckpt_fan_set_name(fanotify_info_name(info), e->name, e->name_len, hash);
	info->name2_len = e->name2_len;
	if (e->name2_len)
		ckpt_fan_set_name(fanotify_info_name2(info), e->name2, e->name2_len, hash);
	return &fne->fae;
}

static struct fanotify_event *ckpt_fan_alloc_error(struct fsnotify_group *group,
						   const struct ckpt_fan_event *e)
{
	struct fanotify_error_event *fee;
	unsigned int unused = 0;

	/* It may not wait for one of the pool to be read. */
	fee = mempool_alloc(&group->fanotify_data.error_events_pool, GFP_NOWAIT);
	if (!fee)
		return NULL;
	fee->fae.type = FANOTIFY_EVENT_TYPE_FS_ERROR;
	fee->error = e->error;
	fee->err_count = e->err_count;
	fee->fsid = e->fsid;
	ckpt_fan_set_fh(&fee->object_fh, &e->object, &unused, 0);
	return &fee->fae;
}

/* It is found by what is to be one with it, as if it had just come. */
static struct fanotify_event *ckpt_fan_alloc(struct fsnotify_group *group,
					     const struct ckpt_fan_event *e)
{
	__kernel_fsid_t fsid = e->fsid;
	struct fanotify_event *event;
	bool ondir = e->mask & FAN_ONDIR;
	unsigned int hash = 0;

	switch (e->kind) {
	case CKPT_FANOTIFY_PATH:
		event = fanotify_alloc_path_event(&e->path, &hash, GFP_KERNEL_ACCOUNT);
		break;
	case CKPT_FANOTIFY_FID:
		event = ckpt_fan_alloc_fid(e, &hash);
		break;
	case CKPT_FANOTIFY_NAME:
		event = ckpt_fan_alloc_name(e, &hash);
		break;
	default:
		event = ckpt_fan_alloc_error(group, e);
	}
	if (!event)
		return NULL;
	if (e->kind != CKPT_FANOTIFY_PATH)
		hash ^= fanotify_hash_fsid(&fsid);
	hash ^= hash_long((unsigned long)e->pid | ondir, FANOTIFY_EVENT_HASH_BITS);
	fanotify_init_event(event, hash, e->mask);
	event->pid = get_pid(e->pid);
	return event;
}

/* fsnotify_insert_event() takes none before ckpt_fanotify_start(). */
static int ckpt_fan_add(struct fsnotify_group *group, struct fsnotify_event *fse)
{
	int ret = 0;

	spin_lock(&group->notification_lock);
	if (!list_empty(&fse->list)) {
		ret = -EEXIST;
	} else if (fse != group->overflow_event && group->q_len >= group->max_events) {
		ret = -ENOSPC;
	} else {
		group->q_len++;
		list_add_tail(&fse->list, &group->notification_list);
		fanotify_insert_event(group, fse);
	}
	spin_unlock(&group->notification_lock);
	return ret;
}

/**
 * ckpt_fanotify_insert - the part of ckpt_fanotify_queue() that only this file can do
 * @group: the group
 * @e: the event
 *
 * Context: may sleep.
 * Return: see there.
 */
int ckpt_fanotify_insert(struct fsnotify_group *group, const struct ckpt_fan_event *e)
{
	struct fanotify_event *event;
	int ret;

	if (!ckpt_fan_valid(group, e))
		return -EINVAL;
	if (e->kind == CKPT_FANOTIFY_OVERFLOW)
		return ckpt_fan_add(group, group->overflow_event);
	event = ckpt_fan_alloc(group, e);
	if (!event)
		return -ENOMEM;
	ret = ckpt_fan_add(group, &event->fse);
	if (ret)
		fsnotify_destroy_event(group, &event->fse);
	return ret;
}

#endif /* CONFIG_CHECKPOINT */
