// SPDX-License-Identifier: GPL-2.0
/*
 * Inotifies: what they watch, and what they have still to tell.
 *
 * A watch is of an inode, so a path is looked for by which it can be found again.
 * The restart places watches that watch for nothing, which may fail, and tells
 * them what for when the tree is complete: what it does to files is no event.
 */
#include <linux/checkpoint_fds.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/inotify.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "checkpoint.h"

#define CKPT_WATCH_MASK		(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)
#define CKPT_EVENT_MASK		(IN_ALL_EVENTS | IN_ISDIR | IN_UNMOUNT |	\
				 IN_IGNORED | IN_Q_OVERFLOW)

/* Half of the longest record is enough for tens of thousands of watches. */
#define CKPT_INOTIFY_MAX	(CKPT_REC_MAX_LEN / 2)

/**
 * ckpt_is_inotify - is the file an inotify?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_inotify(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_inotify_get(file, NULL);
}

/* ---- saving --------------------------------------------------------------------- */

/**
 * struct ckpt_inotify_out - an inotify on its way into a record
 * @watches: what it watches
 * @nr: number of @watches
 * @var: what follows the record
 * @nr_events: events in @var
 */
struct ckpt_inotify_out {
	struct ckpt_watch *watches;
	u32 nr;
	struct ckpt_var_out var;
	u32 nr_events;
};

static void ckpt_put_event(void *arg, const struct ckpt_watch_event *e)
{
	struct ckpt_inotify_out *out = arg;
	struct ckpt_inotify_event event = {
		.wd		= e->wd,
		.mask		= e->mask,
		.cookie		= e->cookie,
		.name_len	= e->name_len,
		.flags		= e->on_child ? CKPT_INOTIFY_ON_CHILD : 0,
	};

	ckpt_var_put(&out->var, &event, sizeof(event), e->name, e->name_len);
	out->nr_events++;
}

static int ckpt_put_watch(struct ckpt_inotify_out *out, struct ckpt_watched_path *p,
			  const struct ckpt_watch *w)
{
	struct ckpt_inotify_watch watch = { .wd = w->wd, .mask = w->mask };
	const char *name;

	name = w->inode ? ckpt_watched_inode(p, w->inode) : NULL;
	if (!name)
		return -ENOENT;
	watch.path_len = strlen(name) + 1;
	watch.mode = w->inode->i_mode;
	watch.ino = w->inode->i_ino;
	watch.generation = w->inode->i_generation;
	ckpt_var_put(&out->var, &watch, sizeof(watch), name, watch.path_len);
	return 0;
}

/* Called twice: how long it is, and then with room for all. */
static int ckpt_inotify_fill(struct ckpt_ctx *ctx, struct file *file,
			     struct ckpt_inotify_out *out)
{
	struct ckpt_watched_path p;
	int ret;
	u32 i;

	out->var.len = 0;
	out->nr_events = 0;
	ret = ckpt_watched_begin(ctx, &p);
	if (ret)
		return ret;
	for (i = 0; i < out->nr && !ret; i++) {
		ret = ckpt_put_watch(out, &p, &out->watches[i]);
		if (ret == -ENOENT)
			ckpt_watched_why(ctx, out->watches[i].inode);
		cond_resched();
	}
	ckpt_watched_end(&p);
	ckpt_inotify_events(file, ckpt_put_event, out);
	return ret;
}

static void ckpt_inotify_release(struct ckpt_inotify_out *out)
{
	while (out->nr)
		iput(out->watches[--out->nr].inode);
	kvfree(out->watches);
	kvfree(out->var.data);
}

/**
 * ckpt_inotify_problem - what of an inotify cannot be saved
 * @ctx: the checkpoint
 * @file: the inotify
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_inotify_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_inotify_out out = {};
	int ret;

	ret = ckpt_inotify_watches(file, &out.watches, &out.nr);
	if (!ret)
		ret = ckpt_inotify_fill(ctx, file, &out);
	ckpt_inotify_release(&out);
	if (ret == -ENOENT)
		return ctx->why;
	if (!ret && out.var.len > CKPT_INOTIFY_MAX)
		return "watches more than can be saved yet";
	return ret ? "cannot be looked at" : NULL;
}

/**
 * checkpoint_inotify - write the INOTIFY record of a file
 * @ctx: the checkpoint
 * @file: the inotify
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_inotify(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_inotify_out out = {};
	struct ckpt_rec_inotify *rec;
	int ret;

	ret = ckpt_inotify_watches(file, &out.watches, &out.nr);
	if (ret)
		return ret;
	/* Others may let events come in between. */
	do {
		ret = ckpt_var_room(&out.var) ?: ckpt_inotify_fill(ctx, file, &out);
	} while (!ret && out.var.len > out.var.room && out.var.len <= CKPT_INOTIFY_MAX);
	if (!ret && out.var.len > CKPT_INOTIFY_MAX)
		ret = -EOPNOTSUPP;
	rec = ret ? NULL : ckpt_rec_new(ctx, inotify, CKPT_REC_INOTIFY, out.var.len);
	if (rec) {
		rec->file = objref;
		rec->nr_watches = out.nr;
		rec->nr_events = out.nr_events;
		rec->var_len = out.var.len;
		rec->watch_len = sizeof(struct ckpt_inotify_watch);
		ckpt_inotify_get(file, &rec->next_wd);
		memcpy(ckpt_rec_var(rec), out.var.data, out.var.len);
	} else if (!ret) {
		ret = -ENOMEM;
	}
	ckpt_inotify_release(&out);
	return ret;
}

/* ---- restoring -------------------------------------------------------------------- */

/**
 * struct ckpt_inotify_in - what follows an INOTIFY record
 * @rs: the restart
 * @r: the record
 * @var: what is left of it
 * @watch_len: bytes of a watch without its path
 */
struct ckpt_inotify_in {
	struct ckpt_restart *rs;
	const struct ckpt_rec *r;
	struct ckpt_var_in var;
	size_t watch_len;
};

static int ckpt_inotify_begin(struct ckpt_inotify_in *in, struct ckpt_restart *rs,
			      const struct ckpt_rec *r)
{
	const struct ckpt_rec_inotify *rec = ckpt_rec_as(r, inotify);

	*in = (struct ckpt_inotify_in) {
		.rs = rs, .r = r, .var = { r->var, rec->var_len },
		.watch_len = rec->watch_len ?: CKPT_INOTIFY_WATCH_MIN,
	};
	if (in->watch_len != CKPT_INOTIFY_WATCH_MIN &&
	    in->watch_len != sizeof(struct ckpt_inotify_watch))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "watches of %zu bytes", in->watch_len);
	return in->var.left > r->var_len ?
	       ckpt_bad(rs, r, -EINVAL, "%zu bytes do not fit", in->var.left) : 0;
}

/* What is missing of a short one is zero. Returns its path, or NULL. */
static const char *ckpt_next_watch(struct ckpt_inotify_in *in, struct ckpt_inotify_watch *w)
{
	const void *at = ckpt_var_take(&in->var, in->watch_len);

	if (!at)
		return NULL;
	memset(w, 0, sizeof(*w));
	memcpy(w, at, in->watch_len);
	if (w->__reserved)
		return NULL;
	return ckpt_var_path(&in->var, w->path_len);
}

/* As inotify_add_watch() does it. */
static int ckpt_place_watch(const struct path *path, const struct ckpt_inotify_watch *w,
			    struct file *file)
{
	int ret = path_permission(path, MAY_READ);

	if (!ret)
		ret = security_path_notify(path, w->mask & IN_ALL_EVENTS,
					   FSNOTIFY_OBJ_TYPE_INODE);
	return ret ?: ckpt_inotify_add(file, d_backing_inode(path->dentry), w->wd);
}

static int restore_watch(struct ckpt_inotify_in *in, struct file *file)
{
	struct ckpt_inotify_watch w;
	struct ckpt_restart *rs = in->rs;
	const char *name;
	struct path path;
	int ret;

	name = ckpt_next_watch(in, &w);
	if (!name || w.wd < 1 || !w.mask || (w.mask & ~CKPT_WATCH_MASK))
		return ckpt_bad(rs, in->r, -EINVAL, "a watch is malformed");
	ret = vfs_path_lookup(rs->root.dentry, rs->root.mnt, name, 0, &path);
	if (ret)
		return ckpt_bad(rs, in->r, ret, "%s cannot be watched again", name);
	ret = ckpt_watched_compare(rs, in->r, name, d_backing_inode(path.dentry),
				   w.mode, w.ino, w.generation);
	if (!ret) {
		ret = ckpt_place_watch(&path, &w, file);
		if (ret)
			ckpt_bad(rs, in->r, ret, "%s cannot be watched again", name);
	}
	path_put(&path);
	return ret;
}

static int restore_watch_event(struct ckpt_inotify_in *in, struct file *file)
{
	const struct ckpt_inotify_event *e = ckpt_var_take(&in->var, sizeof(*e));
	struct ckpt_watch_event event;
	const char *name;
	int ret;

	name = e && e->name_len <= NAME_MAX ? ckpt_var_take(&in->var, e->name_len) : NULL;
	if (!name || !e->mask || (e->mask & ~CKPT_EVENT_MASK) || e->__reserved ||
	    (e->flags & ~CKPT_INOTIFY_ON_CHILD) ||
	    (e->mask & IN_Q_OVERFLOW ? e->wd != -1 : e->wd < 1) ||
	    memchr(name, 0, e->name_len) || memchr(name, '/', e->name_len))
		return ckpt_bad(in->rs, in->r, -EINVAL, "an event is malformed");
	event = (struct ckpt_watch_event) {
		.wd		= e->wd,
		.mask		= e->mask,
		.on_child	= e->flags & CKPT_INOTIFY_ON_CHILD,
		.cookie		= e->cookie,
		.name		= name,
		.name_len	= e->name_len,
	};
	ret = ckpt_inotify_queue(file, &event);
	return ret ? ckpt_bad(in->rs, in->r, ret,
			      "an event cannot be queued (fs.inotify.max_queued_events)") : 0;
}

static int restore_inotify_state(struct ckpt_restart *rs, const struct ckpt_rec *r,
				 struct file *file)
{
	const struct ckpt_rec_inotify *rec = ckpt_rec_as(r, inotify);
	struct ckpt_inotify_in in;
	int ret;
	u32 i;

	ret = ckpt_inotify_begin(&in, rs, r);
	if (!ret && rec->next_wd > INT_MAX)
		ret = ckpt_bad(rs, r, -EINVAL, "next watch descriptor %u", rec->next_wd);
	for (i = 0; i < rec->nr_watches && !ret; i++) {
		ret = restore_watch(&in, file);
		ret = ckpt_loop_step(ret);
	}
	for (i = 0; i < rec->nr_events && !ret; i++) {
		ret = restore_watch_event(&in, file);
		cond_resched();
	}
	if (!ret && in.var.left)
		ret = ckpt_bad(rs, r, -EINVAL, "%zu bytes too many", in.var.left);
	ckpt_inotify_set_next(file, rec->next_wd);
	return ret;
}

/**
 * restore_inotify - make an inotify
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, which watches for nothing yet, or an ERR_PTR().
 */
struct file *restore_inotify(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct file *file = ckpt_inotify_make();
	int ret;

	if (IS_ERR(file)) {
		ckpt_bad(rs, r, PTR_ERR(file), "an inotify cannot be made");
		return file;
	}
	ret = restore_inotify_state(rs, ckpt_file_part(rs, r), file);
	if (!ret)
		return file;
	fput(file);
	return ERR_PTR(ret);
}

static void ckpt_start_inotify(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       struct file *file)
{
	struct ckpt_inotify_watch w;
	struct ckpt_inotify_in in;
	u32 i;

	ckpt_inotify_begin(&in, rs, r);
	for (i = 0; i < ckpt_rec_as(r, inotify)->nr_watches; i++) {
		if (ckpt_next_watch(&in, &w))
			ckpt_inotify_enable(file, w.wd, w.mask);
		cond_resched();
	}
}

/**
 * restore_inotifies_start - let all inotifies watch
 * @rs: the restart, committed; the program does not run yet
 */
void restore_inotifies_start(struct ckpt_restart *rs)
{
	ckpt_part_each(rs, CKPT_REC_INOTIFY, ckpt_start_inotify);
}
