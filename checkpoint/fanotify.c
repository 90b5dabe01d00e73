// SPDX-License-Identifier: GPL-2.0
/*
 * Fanotify groups: what they watch, and what they have still to tell. What is
 * watched is an inode, a mount or a file system; each is found again by a path that
 * leads to it, and so is a file that an event is of. A file handle is told as it was.
 */
#include <linux/checkpoint_fds.h>
#include <linux/fanotify.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "checkpoint.h"

#define CKPT_FANOTIFY_MAX	(CKPT_REC_MAX_LEN / 2)

/**
 * ckpt_is_fanotify - is the file a fanotify group?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_fanotify(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_fanotify_get(file, NULL);
}

/* ---- saving --------------------------------------------------------------------- */

/**
 * struct ckpt_fanotify_out - a group on its way into a record
 * @state: what it is
 * @marks: what it watches
 * @nr: number of @marks
 * @events: what it has still to tell
 * @nr_events: number of @events
 * @var: what follows the record
 */
struct ckpt_fanotify_out {
	struct ckpt_fanotify state;
	struct ckpt_fan_mark *marks;
	u32 nr;
	struct ckpt_fan_event *events;
	u32 nr_events;
	struct ckpt_var_out var;
};

static const char *ckpt_mark_path(struct ckpt_watched_path *p, const struct ckpt_fan_mark *m)
{
	if (m->flags & FAN_MARK_FILESYSTEM)
		return ckpt_watched_mount(p, NULL, m->obj);
	if (m->flags & FAN_MARK_MOUNT)
		return ckpt_watched_mount(p, m->obj, NULL);
	return m->inode ? ckpt_watched_inode(p, m->inode) : NULL;
}

static void ckpt_mark_why(struct ckpt_ctx *ctx, const struct ckpt_fan_mark *m)
{
	if (m->flags & (FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM))
		snprintf(ctx->why, sizeof(ctx->why), "watches a %s that has no path here",
			 m->flags & FAN_MARK_MOUNT ? "mount" : "file system");
	else
		ckpt_watched_why(ctx, m->inode);
}

static int ckpt_put_mark(struct ckpt_fanotify_out *out, struct ckpt_watched_path *p,
			 const struct ckpt_fan_mark *m)
{
	struct ckpt_fanotify_mark mark = {
		.flags		= m->flags,
		.mask		= m->mask,
		.ignore_mask	= m->ignore_mask,
	};
	const char *name = ckpt_mark_path(p, m);

	if (!name)
		return -ENOENT;
	mark.path_len = strlen(name) + 1;
	if (m->inode) {
		mark.mode = m->inode->i_mode;
		mark.ino = m->inode->i_ino;
		mark.generation = m->inode->i_generation;
	}
	ckpt_var_put(&out->var, &mark, sizeof(mark), name, mark.path_len);
	return 0;
}

/* A group that was made without rights tells only what the reader itself did. */
static void ckpt_save_event_pid(struct ckpt_ctx *ctx, const struct ckpt_fanotify_out *out,
				struct pid *pid, struct ckpt_sock_pid *saved)
{
	if (!ckpt_save_sock_pid(ctx, pid, saved) && saved->pid)
		saved->kind = CKPT_SOCK_PID_OUTSIDE;
	if (saved->kind != CKPT_SOCK_PID_TASK && (out->state.unpriv || !saved->pid))
		*saved = (struct ckpt_sock_pid) { .kind = CKPT_SOCK_PID_NONE };
}

static void ckpt_put_bytes(struct ckpt_fanotify_out *out, const void *bytes, size_t len)
{
	ckpt_var_put(&out->var, bytes, 0, bytes, len);
}

static int ckpt_put_event(struct ckpt_ctx *ctx, struct ckpt_fanotify_out *out,
			  struct ckpt_watched_path *p, const struct ckpt_fan_event *e)
{
	struct ckpt_fanotify_event event = {
		.kind		= e->kind,
		.mask		= e->mask,
		.fsid		= { e->fsid.val[0], e->fsid.val[1] },
		.name_len	= e->name_len,
		.name2_len	= e->name2_len,
		.error		= e->error,
		.err_count	= e->err_count,
		.fh_type	= e->object.type,
		.fh_len		= e->object.len,
		.dir_type	= e->dir.type,
		.dir_len	= e->dir.len,
		.dir2_type	= e->dir2.type,
		.dir2_len	= e->dir2.len,
	};
	const char *name = "";

	if (e->kind == CKPT_FANOTIFY_PATH) {
		const struct inode *inode = d_backing_inode(e->path.dentry);

		name = ckpt_watched_path(p, &e->path);
		if (!name)
			return -ENOENT;
		event.path_len = strlen(name) + 1;
		event.mode = inode->i_mode;
		event.ino = inode->i_ino;
		event.generation = inode->i_generation;
	}
	ckpt_save_event_pid(ctx, out, e->pid, &event.pid);
	ckpt_var_put(&out->var, &event, sizeof(event), name, event.path_len);
	ckpt_put_bytes(out, e->object.buf, e->object.len);
	ckpt_put_bytes(out, e->dir.buf, e->dir.len);
	ckpt_put_bytes(out, e->dir2.buf, e->dir2.len);
	ckpt_put_bytes(out, e->name, e->name_len);
	ckpt_put_bytes(out, e->name2, e->name2_len);
	return 0;
}

static void ckpt_event_why(struct ckpt_ctx *ctx, const struct ckpt_fan_event *e)
{
	snprintf(ctx->why, sizeof(ctx->why),
		 "has an event of inode %lu (%s), which has no path here",
		 d_backing_inode(e->path.dentry)->i_ino, e->path.dentry->d_sb->s_id);
}

static int ckpt_fanotify_fill(struct ckpt_ctx *ctx, struct ckpt_fanotify_out *out)
{
	struct ckpt_watched_path p;
	int ret;
	u32 i;

	out->var.len = 0;
	ret = ckpt_watched_begin(ctx, &p);
	if (ret)
		return ret;
	for (i = 0; i < out->nr && !ret; i++) {
		ret = ckpt_put_mark(out, &p, &out->marks[i]);
		if (ret == -ENOENT)
			ckpt_mark_why(ctx, &out->marks[i]);
		cond_resched();
	}
	for (i = 0; i < out->nr_events && !ret; i++) {
		ret = ckpt_put_event(ctx, out, &p, &out->events[i]);
		if (ret == -ENOENT)
			ckpt_event_why(ctx, &out->events[i]);
		cond_resched();
	}
	ckpt_watched_end(&p);
	return ret;
}

static void ckpt_fanotify_release(struct ckpt_fanotify_out *out)
{
	while (out->nr)
		iput(out->marks[--out->nr].inode);
	kvfree(out->marks);
	while (out->nr_events) {
		put_pid(out->events[--out->nr_events].pid);
		path_put(&out->events[out->nr_events].path);
	}
	kvfree(out->events);
	kvfree(out->var.data);
}

/* Returns what is in the way, or NULL. */
static const char *ckpt_fanotify_look(struct ckpt_ctx *ctx, struct file *file,
				      struct ckpt_fanotify_out *out)
{
	int ret;

	ckpt_fanotify_get(file, &out->state);
	if (out->state.flags & FANOTIFY_PERM_CLASSES)
		return "may be asked for permission (FAN_CLASS_CONTENT), which cannot be saved yet";
	if (out->state.nr_events > CKPT_FANOTIFY_MAX / sizeof(struct ckpt_fanotify_event))
		return "has more to tell than can be saved yet";
	ret = ckpt_fanotify_marks(file, &out->marks, &out->nr);
	if (!ret)
		ret = ckpt_fanotify_events(file, &out->events, &out->nr_events);
	if (!ret)
		ret = ckpt_fanotify_fill(ctx, out);
	if (ret == -ENOENT)
		return ctx->why;
	if (!ret && out->var.len > CKPT_FANOTIFY_MAX)
		return "watches more than can be saved yet, or has more to tell";
	return ret ? "cannot be looked at" : NULL;
}

/**
 * ckpt_fanotify_problem - what of a fanotify group cannot be saved
 * @ctx: the checkpoint
 * @file: the group
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_fanotify_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_fanotify_out out = {};
	const char *why;

	why = ckpt_fanotify_look(ctx, file, &out);
	ckpt_fanotify_release(&out);
	return why;
}

static int ckpt_new_fanotify(struct ckpt_ctx *ctx, const struct ckpt_fanotify_out *out,
			     u32 objref)
{
	struct ckpt_rec_fanotify *rec;

	rec = ckpt_rec_new(ctx, fanotify, CKPT_REC_FANOTIFY, out->var.len);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	rec->flags = out->state.unpriv ? CKPT_FANOTIFY_UNPRIV : 0;
	rec->init_flags = out->state.flags;
	rec->event_f_flags = out->state.event_f_flags;
	rec->nr_marks = out->nr;
	rec->mark_len = sizeof(struct ckpt_fanotify_mark);
	rec->var_len = out->var.len;
	rec->nr_events = out->nr_events;
	memcpy(ckpt_rec_var(rec), out->var.data, out->var.len);
	return 0;
}

/**
 * checkpoint_fanotify - write the FANOTIFY record of a file
 * @ctx: the checkpoint
 * @file: the group
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_fanotify(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_fanotify_out out = {};
	const char *why;
	int ret;

	/* Others may have let events come since it was looked at. */
	why = ckpt_fanotify_look(ctx, file, &out);
	ret = why ? ckpt_refuse(ctx, ctx->root_task, "has a fanotify group that %s; try again",
				why) : 0;
	while (!ret && out.var.len > out.var.room && out.var.len <= CKPT_FANOTIFY_MAX)
		ret = ckpt_var_room(&out.var) ?: ckpt_fanotify_fill(ctx, &out);
	if (!ret)
		ret = out.var.len > CKPT_FANOTIFY_MAX ? -EOPNOTSUPP :
							ckpt_new_fanotify(ctx, &out, objref);
	ckpt_fanotify_release(&out);
	return ret;
}

/* ---- restoring -------------------------------------------------------------------- */

static const char *ckpt_next_mark(struct ckpt_var_in *var, struct ckpt_fanotify_mark *mark)
{
	const void *at = ckpt_var_take(var, sizeof(*mark));

	if (!at)
		return NULL;
	memcpy(mark, at, sizeof(*mark));
	return ckpt_var_path(var, mark->path_len);
}

/* A mount must be there; of an inode see ckpt_watched_compare(). */
static int ckpt_compare_marked(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       const char *name, const struct path *path,
			       const struct ckpt_fanotify_mark *mark)
{
	if ((mark->flags & FANOTIFY_MARK_TYPE_BITS) == FAN_MARK_MOUNT &&
	    path->dentry != path->mnt->mnt_root)
		return ckpt_bad(rs, r, -ESTALE,
				"%s, which is watched, was a mount when it was saved", name);
	return ckpt_watched_compare(rs, r, name, d_backing_inode(path->dentry),
				    mark->mode, mark->ino, mark->generation);
}

static int restore_mark(struct ckpt_restart *rs, const struct ckpt_rec *r,
			struct ckpt_var_in *var, struct file *file)
{
	struct ckpt_fanotify_mark mark;
	struct ckpt_fan_mark m;
	const char *name;
	struct path path;
	int ret;

	name = ckpt_next_mark(var, &mark);
	if (!name)
		return ckpt_bad(rs, r, -EINVAL, "a mark is malformed");
	ret = vfs_path_lookup(rs->root.dentry, rs->root.mnt, name, 0, &path);
	if (ret)
		return ckpt_bad(rs, r, ret, "%s cannot be watched again", name);
	m = (struct ckpt_fan_mark) {
		.flags = mark.flags, .mask = mark.mask, .ignore_mask = mark.ignore_mask,
	};
	ret = ckpt_compare_marked(rs, r, name, &path, &mark);
	if (!ret) {
		ret = ckpt_fanotify_add(file, &path, &m);
		if (ret)
			ckpt_bad(rs, r, ret, "%s cannot be watched again (flags 0x%x, mask 0x%x)",
				 name, m.flags, m.mask | m.ignore_mask);
	}
	path_put(&path);
	return ret;
}

/**
 * struct ckpt_fanotify_in - events of a record on their way into a group
 * @rs: the restart
 * @r: the record
 * @var: what is left of it
 * @file: the group
 * @pid_noted: it was said that a number is somebody else's
 * @fsid_noted: it was said that a file system is not watched
 */
struct ckpt_fanotify_in {
	struct ckpt_restart *rs;
	const struct ckpt_rec *r;
	struct ckpt_var_in var;
	struct file *file;
	bool pid_noted;
	bool fsid_noted;
};

/* Returns its path, "" if it is of a kind that has none, or NULL. */
static const char *ckpt_next_event(struct ckpt_var_in *var, struct ckpt_fanotify_event *saved,
				   struct ckpt_fan_event *e)
{
	const void *at = ckpt_var_take(var, sizeof(*saved));
	const char *name = "";

	if (!at)
		return NULL;
	memcpy(saved, at, sizeof(*saved));
	*e = (struct ckpt_fan_event) {
		.kind		= saved->kind,
		.mask		= saved->mask,
		.fsid		= { { saved->fsid[0], saved->fsid[1] } },
		.object		= { .len = saved->fh_len, .type = saved->fh_type },
		.dir		= { .len = saved->dir_len, .type = saved->dir_type },
		.dir2		= { .len = saved->dir2_len, .type = saved->dir2_type },
		.name_len	= saved->name_len,
		.name2_len	= saved->name2_len,
		.error		= saved->error,
		.err_count	= saved->err_count,
	};
	if (saved->kind == CKPT_FANOTIFY_PATH)
		name = ckpt_var_path(var, saved->path_len);
	else if (saved->path_len || saved->mode || saved->ino || saved->generation)
		return NULL;
	e->object.buf = ckpt_var_take(var, e->object.len);
	e->dir.buf = ckpt_var_take(var, e->dir.len);
	e->dir2.buf = ckpt_var_take(var, e->dir2.len);
	e->name = ckpt_var_take(var, e->name_len);
	e->name2 = ckpt_var_take(var, e->name2_len);
	if (!e->object.buf || !e->dir.buf || !e->dir2.buf || !e->name || !e->name2 ||
	    saved->__reserved)
		return NULL;
	return name;
}

/*
 * read() opens it without asking whether the reader may: a group is told of what
 * others open. So the restarter must be allowed to open it as read() does.
 */
static int restore_event_path(struct ckpt_fanotify_in *in, const char *name,
			      const struct ckpt_fanotify_event *saved, struct path *path)
{
	u32 flags = ckpt_rec_as(in->r, fanotify)->event_f_flags;
	struct ckpt_restart *rs = in->rs;
	const struct inode *inode;
	int ret;

	ret = vfs_path_lookup(rs->root.dentry, rs->root.mnt, name, 0, path);
	if (ret)
		return ckpt_bad(rs, in->r, ret, "%s, which an event is of, cannot be found again",
				name);
	inode = d_backing_inode(path->dentry);
	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
		return ckpt_bad(rs, in->r, -EINVAL,
				"%s, which an event is of, is no file or directory", name);
	ret = ckpt_watched_compare(rs, in->r, name, inode, saved->mode, saved->ino,
				   saved->generation);
	if (ret)
		return ret;
	ret = path_permission(path, ACC_MODE(flags));
	return ret ? ckpt_bad(rs, in->r, ret,
			      "%s, which an event is of, may not be opened by you", name) : 0;
}

static struct pid *restore_event_pid(struct ckpt_fanotify_in *in,
				     const struct ckpt_sock_pid *saved)
{
	struct pid *pid;

	if (saved->kind != CKPT_SOCK_PID_OUTSIDE && saved->kind != CKPT_SOCK_PID_DEAD)
		return restore_sock_pid(in->rs, in->r, saved);
	if (!saved->pid || saved->pid > PID_MAX_LIMIT || saved->__reserved)
		return ERR_PTR(ckpt_bad(in->rs, in->r, -EINVAL, "pid %u", saved->pid));
	pid = ckpt_outside_pid(in->rs, saved->id, saved->pid);
	if (!pid && !in->pid_noted) {
		ckpt_log(&in->rs->log,
			 "note: an event tells of pid 0: the number of who did it, %u, is another's now",
			 saved->pid);
		in->pid_noted = true;
	}
	return pid;
}

static void ckpt_note_fsid(struct ckpt_fanotify_in *in, const struct ckpt_fan_event *e)
{
	if (e->kind == CKPT_FANOTIFY_PATH || e->kind == CKPT_FANOTIFY_OVERFLOW ||
	    in->fsid_noted || ckpt_fanotify_has_fsid(in->file, &e->fsid))
		return;
	ckpt_log(&in->rs->log,
		 "note: an event is of a file system (fsid %x:%x) that the group does not watch here; its file handles may lead nowhere",
		 e->fsid.val[0], e->fsid.val[1]);
	in->fsid_noted = true;
}

static int restore_event(struct ckpt_fanotify_in *in)
{
	struct ckpt_fanotify_event saved;
	struct ckpt_fan_event e;
	const char *name;
	int ret = 0;

	name = ckpt_next_event(&in->var, &saved, &e);
	if (!name)
		return ckpt_bad(in->rs, in->r, -EINVAL, "an event is malformed");
	if (*name)
		ret = restore_event_path(in, name, &saved, &e.path);
	e.pid = ret ? NULL : restore_event_pid(in, &saved.pid);
	if (IS_ERR(e.pid)) {
		ret = PTR_ERR(e.pid);
		e.pid = NULL;
	}
	if (!ret) {
		ckpt_note_fsid(in, &e);
		ret = ckpt_fanotify_queue(in->file, &e);
		if (ret == -ENOSPC)
			ckpt_bad(in->rs, in->r, ret,
				 "an event cannot be queued (fs.fanotify.max_queued_events)");
		else if (ret)
			ckpt_bad(in->rs, in->r, ret,
				 "an event does not suit the group (kind %u, mask 0x%x)",
				 e.kind, e.mask);
	}
	put_pid(e.pid);
	path_put(&e.path);
	return ret;
}

static int restore_fanotify_state(struct ckpt_restart *rs, const struct ckpt_rec *r,
				  struct file *file)
{
	const struct ckpt_rec_fanotify *rec = ckpt_rec_as(r, fanotify);
	struct ckpt_fanotify_in in = {
		.rs = rs, .r = r, .var = { r->var, rec->var_len }, .file = file,
	};
	int ret = 0;
	u32 i;

	for (i = 0; i < rec->nr_marks && !ret; i++) {
		ret = restore_mark(rs, r, &in.var, file);
		ret = ckpt_loop_step(ret);
	}
	for (i = 0; i < rec->nr_events && !ret; i++) {
		ret = restore_event(&in);
		ret = ckpt_loop_step(ret);
	}
	if (!ret && in.var.left)
		ret = ckpt_bad(rs, r, -EINVAL, "%zu bytes too many", in.var.left);
	return ret;
}

static int restore_fanotify_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_fanotify *rec = ckpt_rec_as(r, fanotify);

	if (rec->flags & ~CKPT_FANOTIFY_UNPRIV)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (rec->init_flags & FANOTIFY_PERM_CLASSES)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "a group that may be asked for permission");
	if (rec->mark_len != sizeof(struct ckpt_fanotify_mark))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "marks of %u bytes", rec->mark_len);
	if (rec->var_len > r->var_len)
		return ckpt_bad(rs, r, -EINVAL, "%u bytes do not fit", rec->var_len);
	return 0;
}

/**
 * restore_fanotify - make a fanotify group
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, which tells nothing yet, or an ERR_PTR().
 */
struct file *restore_fanotify(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_fanotify *rec = ckpt_rec_as(part, fanotify);
	struct ckpt_fanotify state = {
		.flags		= rec->init_flags,
		.event_f_flags	= rec->event_f_flags,
		.unpriv		= rec->flags & CKPT_FANOTIFY_UNPRIV,
	};
	struct file *file;
	int ret;

	ret = restore_fanotify_check(rs, part);
	if (ret)
		return ERR_PTR(ret);
	file = ckpt_fanotify_make(&state);
	if (IS_ERR(file)) {
		ckpt_bad(rs, part, PTR_ERR(file), "a fanotify group cannot be made (flags 0x%x)",
			 state.flags);
		return file;
	}
	ret = restore_fanotify_state(rs, part, file);
	if (!ret)
		return file;
	fput(file);
	return ERR_PTR(ret);
}

static void ckpt_start_fanotify(struct ckpt_restart *rs, const struct ckpt_rec *part,
				struct file *file)
{
	ckpt_fanotify_start(file);
}

/**
 * restore_fanotifies_start - let all fanotify groups tell
 * @rs: the restart, committed; the program does not run yet
 */
void restore_fanotifies_start(struct ckpt_restart *rs)
{
	ckpt_part_each(rs, CKPT_REC_FANOTIFY, ckpt_start_fanotify);
}
