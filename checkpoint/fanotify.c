// SPDX-License-Identifier: GPL-2.0
/*
 * Fanotify groups: what they watch. What is watched is an inode, a mount or a file
 * system; each is found again by a path that leads to it.
 */
#include <linux/checkpoint_fds.h>
#include <linux/fanotify.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
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
 * @var: what follows the record
 */
struct ckpt_fanotify_out {
	struct ckpt_fanotify state;
	struct ckpt_fan_mark *marks;
	u32 nr;
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
	ckpt_watched_end(&p);
	return ret;
}

static void ckpt_fanotify_release(struct ckpt_fanotify_out *out)
{
	while (out->nr)
		iput(out->marks[--out->nr].inode);
	kvfree(out->marks);
	kvfree(out->var.data);
}

/* What is in the way, or NULL. */
static const char *ckpt_fanotify_state(struct ckpt_ctx *ctx, struct file *file,
				       struct ckpt_fanotify *state)
{
	ckpt_fanotify_get(file, state);
	if (state->flags & FANOTIFY_PERM_CLASSES)
		return "may be asked for permission (FAN_CLASS_CONTENT), which cannot be saved yet";
	if (!state->nr_events)
		return NULL;
	snprintf(ctx->why, sizeof(ctx->why),
		 "has %u events that were not read, which cannot be saved yet", state->nr_events);
	return ctx->why;
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
	int ret;

	why = ckpt_fanotify_state(ctx, file, &out.state);
	if (why)
		return why;
	ret = ckpt_fanotify_marks(file, &out.marks, &out.nr);
	if (!ret)
		ret = ckpt_fanotify_fill(ctx, &out);
	ckpt_fanotify_release(&out);
	if (ret == -ENOENT)
		return ctx->why;
	if (!ret && out.var.len > CKPT_FANOTIFY_MAX)
		return "watches more than can be saved yet";
	return ret ? "cannot be looked at" : NULL;
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
	why = ckpt_fanotify_state(ctx, file, &out.state);
	if (why)
		return ckpt_refuse(ctx, ctx->root_task, "has a fanotify group that %s; try again",
				   why);
	ret = ckpt_fanotify_marks(file, &out.marks, &out.nr);
	if (ret)
		return ret;
	do {
		ret = ckpt_var_room(&out.var) ?: ckpt_fanotify_fill(ctx, &out);
	} while (!ret && out.var.len > out.var.room && out.var.len <= CKPT_FANOTIFY_MAX);
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

static int restore_marks(struct ckpt_restart *rs, const struct ckpt_rec *r, struct file *file)
{
	const struct ckpt_rec_fanotify *rec = ckpt_rec_as(r, fanotify);
	struct ckpt_var_in var = { r->var, rec->var_len };
	int ret = 0;
	u32 i;

	for (i = 0; i < rec->nr_marks && !ret; i++) {
		ret = restore_mark(rs, r, &var, file);
		ret = ckpt_loop_step(ret);
	}
	if (!ret && var.left)
		ret = ckpt_bad(rs, r, -EINVAL, "%zu bytes too many", var.left);
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
	ret = restore_marks(rs, part, file);
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
