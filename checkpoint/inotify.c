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
#include <linux/mount.h>
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

/* ---- a path of an inode ------------------------------------------------------ */

/**
 * struct ckpt_inode_path - the search for a path
 * @ctx: the checkpoint
 * @inode: what the path is to lead to
 * @dentry: a name of it in its file system
 * @mounts: copy of all mounts; paths are relative to its root
 * @buf: CKPT_PATH_MAX bytes
 * @name: what was found, in @buf, or NULL
 */
struct ckpt_inode_path {
	struct ckpt_ctx *ctx;
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mounts;
	char *buf;
	char *name;
};

static int ckpt_try_mount(struct vfsmount *mnt, void *arg)
{
	struct ckpt_inode_path *p = arg;
	struct path root = { .mnt = p->mounts, .dentry = p->mounts->mnt_root };
	struct path path = { .mnt = mnt, .dentry = p->dentry };
	struct path *top = &p->ctx->root, found;
	char *name;
	bool same;

	if (mnt->mnt_sb != p->inode->i_sb || !is_subdir(p->dentry, mnt->mnt_root))
		return 0;
	name = __d_path(&path, &root, p->buf, CKPT_PATH_MAX);
	if (IS_ERR_OR_NULL(name) || vfs_path_lookup(top->dentry, top->mnt, name, 0, &found))
		return 0;
	same = d_backing_inode(found.dentry) == p->inode;
	path_put(&found);
	if (same)
		p->name = name;
	return same;
}

static const char *ckpt_find_path(struct ckpt_inode_path *p, struct inode *inode)
{
	p->inode = inode;
	p->name = NULL;
	p->dentry = d_find_alias(inode);
	if (!p->dentry)
		return NULL;
	if (!d_unlinked(p->dentry))
		iterate_mounts(ckpt_try_mount, p, p->mounts);
	dput(p->dentry);
	return p->name;
}

static int ckpt_path_search(struct ckpt_ctx *ctx, struct ckpt_inode_path *p)
{
	*p = (struct ckpt_inode_path) { .ctx = ctx };
	p->buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!p->buf)
		return -ENOMEM;
	p->mounts = collect_mounts(&ctx->root);
	if (!IS_ERR(p->mounts))
		return 0;
	kfree(p->buf);
	return PTR_ERR(p->mounts);
}

static void ckpt_path_search_end(struct ckpt_inode_path *p)
{
	drop_collected_mounts(p->mounts);
	kfree(p->buf);
}

/* ---- saving --------------------------------------------------------------------- */

/**
 * struct ckpt_inotify_out - an inotify on its way into a record
 * @watches: what it watches
 * @nr: number of @watches
 * @data: what follows the record
 * @len: its length, so far
 * @room: of @data, 0: only the length is asked for
 * @nr_events: events in @data
 */
struct ckpt_inotify_out {
	struct ckpt_watch *watches;
	u32 nr;
	void *data;
	size_t len;
	size_t room;
	u32 nr_events;
};

static void ckpt_inotify_put(struct ckpt_inotify_out *out, const void *head,
			     size_t head_len, const char *name, size_t name_len)
{
	size_t len = head_len + ALIGN(name_len, 8);

	if (out->room >= len && out->len <= out->room - len) {
		memcpy(out->data + out->len, head, head_len);
		memcpy(out->data + out->len + head_len, name, name_len);
	}
	out->len += len;
}

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

	ckpt_inotify_put(out, &event, sizeof(event), e->name, e->name_len);
	out->nr_events++;
}

static int ckpt_put_watch(struct ckpt_inotify_out *out, struct ckpt_inode_path *p,
			  const struct ckpt_watch *w)
{
	struct ckpt_inotify_watch watch = { .wd = w->wd, .mask = w->mask };
	const char *name;

	name = w->inode ? ckpt_find_path(p, w->inode) : NULL;
	if (!name)
		return -ENOENT;
	watch.path_len = strlen(name) + 1;
	watch.mode = w->inode->i_mode;
	watch.ino = w->inode->i_ino;
	watch.generation = w->inode->i_generation;
	ckpt_inotify_put(out, &watch, sizeof(watch), name, watch.path_len);
	return 0;
}

/* Called twice: how long it is, and then with room for all. */
static int ckpt_inotify_fill(struct ckpt_ctx *ctx, struct file *file,
			     struct ckpt_inotify_out *out)
{
	struct ckpt_inode_path p;
	int ret;
	u32 i;

	out->len = 0;
	out->nr_events = 0;
	ret = ckpt_path_search(ctx, &p);
	if (ret)
		return ret;
	for (i = 0; i < out->nr && !ret; i++) {
		ret = ckpt_put_watch(out, &p, &out->watches[i]);
		if (ret == -ENOENT)
			snprintf(ctx->why, sizeof(ctx->why),
				 "watches inode %lu (%s), which has no path here",
				 out->watches[i].inode ? out->watches[i].inode->i_ino : 0UL,
				 out->watches[i].inode ?
				 out->watches[i].inode->i_sb->s_id : "?");
		cond_resched();
	}
	ckpt_path_search_end(&p);
	ckpt_inotify_events(file, ckpt_put_event, out);
	return ret;
}

static void ckpt_inotify_release(struct ckpt_inotify_out *out)
{
	while (out->nr)
		iput(out->watches[--out->nr].inode);
	kvfree(out->watches);
	kvfree(out->data);
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
	if (!ret && out.len > CKPT_INOTIFY_MAX)
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
		kvfree(out.data);
		out.room = ALIGN(out.len + out.len / 8, 8);
		out.data = kvzalloc(out.room ?: 1, GFP_KERNEL_ACCOUNT);
		ret = out.data ? ckpt_inotify_fill(ctx, file, &out) : -ENOMEM;
	} while (!ret && out.len > out.room && out.len <= CKPT_INOTIFY_MAX);
	if (!ret && out.len > CKPT_INOTIFY_MAX)
		ret = -EOPNOTSUPP;
	rec = ret ? NULL : ckpt_rec_new(ctx, inotify, CKPT_REC_INOTIFY, out.len);
	if (rec) {
		rec->file = objref;
		rec->nr_watches = out.nr;
		rec->nr_events = out.nr_events;
		rec->var_len = out.len;
		rec->watch_len = sizeof(struct ckpt_inotify_watch);
		ckpt_inotify_get(file, &rec->next_wd);
		memcpy(ckpt_rec_var(rec), out.data, out.len);
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
 * @at: the next byte
 * @left: bytes from there
 * @watch_len: bytes of a watch without its path
 */
struct ckpt_inotify_in {
	struct ckpt_restart *rs;
	const struct ckpt_rec *r;
	const void *at;
	size_t left;
	size_t watch_len;
};

/* Something of @len bytes, which is padded, or NULL. */
static const void *ckpt_inotify_take(struct ckpt_inotify_in *in, size_t len)
{
	const void *at = in->at;

	len = ALIGN(len, 8);
	if (len > in->left)
		return NULL;
	in->at += len;
	in->left -= len;
	return at;
}

static int ckpt_inotify_begin(struct ckpt_inotify_in *in, struct ckpt_restart *rs,
			      const struct ckpt_rec *r)
{
	const struct ckpt_rec_inotify *rec = ckpt_rec_as(r, inotify);

	*in = (struct ckpt_inotify_in) {
		.rs = rs, .r = r, .at = r->var, .left = rec->var_len,
		.watch_len = rec->watch_len ?: CKPT_INOTIFY_WATCH_MIN,
	};
	if (in->watch_len != CKPT_INOTIFY_WATCH_MIN &&
	    in->watch_len != sizeof(struct ckpt_inotify_watch))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "watches of %zu bytes", in->watch_len);
	return in->left > r->var_len ?
	       ckpt_bad(rs, r, -EINVAL, "%zu bytes do not fit", in->left) : 0;
}

/* What is missing of a short one is zero. Returns its path, or NULL. */
static const char *ckpt_next_watch(struct ckpt_inotify_in *in, struct ckpt_inotify_watch *w)
{
	const void *at = ckpt_inotify_take(in, in->watch_len);
	const char *path;

	if (!at)
		return NULL;
	memset(w, 0, sizeof(*w));
	memcpy(w, at, in->watch_len);
	if (!w->path_len || w->path_len > CKPT_PATH_MAX || w->__reserved)
		return NULL;
	path = ckpt_inotify_take(in, w->path_len);
	if (!path || *path != '/' || strnlen(path, w->path_len) != w->path_len - 1)
		return NULL;
	return path;
}

/* Is it what was watched? As of an open file, see path.c. */
static int ckpt_compare_watched(struct ckpt_inotify_in *in, const struct ckpt_inotify_watch *w,
				const char *name, const struct inode *inode)
{
	if (!w->mode)
		return 0;
	if ((inode->i_mode ^ w->mode) & S_IFMT)
		return ckpt_bad(in->rs, in->r, -ESTALE,
				"%s, which is watched, is of another type than when it was saved",
				name);
	if (inode->i_ino != w->ino || inode->i_generation != w->generation)
		ckpt_log(&in->rs->log,
			 "note: %s, which is watched, has another inode number than when it was saved",
			 name);
	return 0;
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
	ret = ckpt_compare_watched(in, &w, name, d_backing_inode(path.dentry));
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
	const struct ckpt_inotify_event *e = ckpt_inotify_take(in, sizeof(*e));
	struct ckpt_watch_event event;
	const char *name;
	int ret;

	name = e && e->name_len <= NAME_MAX ? ckpt_inotify_take(in, e->name_len) : NULL;
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
	if (!ret && in.left)
		ret = ckpt_bad(rs, r, -EINVAL, "%zu bytes too many", in.left);
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
	struct ckpt_robj *obj;
	unsigned long i;

	xa_for_each(&rs->objs, i, obj)
		if (obj->part && obj->part->type == CKPT_REC_INOTIFY &&
		    obj->state == CKPT_ROBJ_READY && obj->ptr)
			ckpt_start_inotify(rs, obj->part, obj->ptr);
}
