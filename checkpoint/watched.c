// SPDX-License-Identifier: GPL-2.0
/*
 * What is watched, by inotifies and fanotifies, and what their events are of: by
 * which path it is found again; and the lists that stand behind their records.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "checkpoint.h"

/* ---- a path to it ------------------------------------------------------------- */

/* Is it what is looked for? */
static bool ckpt_is_watched(const struct ckpt_watched_path *p, const struct path *path)
{
	if (p->inode)
		return d_backing_inode(path->dentry) == p->inode;
	if (p->sb)
		return path->mnt->mnt_sb == p->sb;
	return path->mnt == p->mnt && path->dentry == path->mnt->mnt_root;
}

static int ckpt_try_mount(struct vfsmount *mnt, void *arg)
{
	struct ckpt_watched_path *p = arg;
	struct path root = { .mnt = p->mounts, .dentry = p->mounts->mnt_root };
	struct path path = { .mnt = mnt, .dentry = p->dentry ?: mnt->mnt_root };
	struct path *top = &p->ctx->root, found;
	char *name;
	bool same;

	if ((p->sb && mnt->mnt_sb != p->sb) || !is_subdir(path.dentry, mnt->mnt_root))
		return 0;
	name = __d_path(&path, &root, p->buf, CKPT_PATH_MAX);
	if (IS_ERR_OR_NULL(name) || vfs_path_lookup(top->dentry, top->mnt, name, 0, &found))
		return 0;
	same = ckpt_is_watched(p, &found);
	path_put(&found);
	if (same)
		p->name = name;
	return same;
}

/**
 * ckpt_watched_inode - a path that leads to an inode
 * @p: the search
 * @inode: the inode
 *
 * Context: may sleep.
 * Return: the path, until the next search, or NULL.
 */
const char *ckpt_watched_inode(struct ckpt_watched_path *p, struct inode *inode)
{
	p->inode = inode;
	p->sb = inode->i_sb;
	p->name = NULL;
	p->dentry = d_find_alias(inode);
	if (!p->dentry)
		return NULL;
	if (!d_unlinked(p->dentry))
		iterate_mounts(ckpt_try_mount, p, p->mounts);
	dput(p->dentry);
	return p->name;
}

/**
 * ckpt_watched_path - a path that leads to a file
 * @p: the search
 * @path: the file; where no path leads to it by that mount, another will do
 *
 * Context: may sleep.
 * Return: the path, until the next search, or NULL.
 */
const char *ckpt_watched_path(struct ckpt_watched_path *p, const struct path *path)
{
	struct path *top = &p->ctx->root, found;
	char *name;
	bool same;

	name = __d_path(path, top, p->buf, CKPT_PATH_MAX);
	if (!IS_ERR_OR_NULL(name) &&
	    !vfs_path_lookup(top->dentry, top->mnt, name, 0, &found)) {
		same = path_equal(&found, path);
		path_put(&found);
		if (same)
			return name;
	}
	return ckpt_watched_inode(p, d_backing_inode(path->dentry));
}

/**
 * ckpt_watched_mount - a path that leads to a mount, or to a file system
 * @p: the search
 * @mnt: the mount; its root is looked for
 * @sb: the file system, or NULL; both are only compared
 *
 * Context: may sleep.
 * Return: the path, until the next search, or NULL.
 */
const char *ckpt_watched_mount(struct ckpt_watched_path *p, const struct vfsmount *mnt,
			       const struct super_block *sb)
{
	p->inode = NULL;
	p->dentry = NULL;
	p->mnt = mnt;
	p->sb = sb;
	p->name = NULL;
	iterate_mounts(ckpt_try_mount, p, p->mounts);
	return p->name;
}

/**
 * ckpt_watched_begin - begin to look for paths
 * @ctx: the checkpoint
 * @p: the search, for ckpt_watched_end()
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int ckpt_watched_begin(struct ckpt_ctx *ctx, struct ckpt_watched_path *p)
{
	*p = (struct ckpt_watched_path) { .ctx = ctx };
	p->buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!p->buf)
		return -ENOMEM;
	p->mounts = collect_mounts(&ctx->root);
	if (!IS_ERR(p->mounts))
		return 0;
	kfree(p->buf);
	return PTR_ERR(p->mounts);
}

/**
 * ckpt_watched_end - no more paths are looked for
 * @p: the search
 */
void ckpt_watched_end(struct ckpt_watched_path *p)
{
	drop_collected_mounts(p->mounts);
	kfree(p->buf);
}

/**
 * ckpt_watched_why - say that an inode has no path
 * @ctx: the checkpoint, whose @why gets it
 * @inode: the inode, or NULL
 */
void ckpt_watched_why(struct ckpt_ctx *ctx, const struct inode *inode)
{
	snprintf(ctx->why, sizeof(ctx->why), "watches inode %lu (%s), which has no path here",
		 inode ? inode->i_ino : 0UL, inode ? inode->i_sb->s_id : "?");
}

/**
 * ckpt_watched_compare - is it what was watched? As of an open file, see path.c
 * @rs: the restart
 * @r: the record
 * @name: its path
 * @inode: what is there
 * @mode: what it was, or 0: that is not known
 * @ino: likewise
 * @generation: likewise
 *
 * Return: 0 or a negative errno.
 */
int ckpt_watched_compare(struct ckpt_restart *rs, const struct ckpt_rec *r,
			 const char *name, const struct inode *inode,
			 u32 mode, u64 ino, u32 generation)
{
	if (!mode)
		return 0;
	if ((inode->i_mode ^ mode) & S_IFMT)
		return ckpt_bad(rs, r, -ESTALE,
				"%s, which is watched, is of another type than when it was saved",
				name);
	if (inode->i_ino != ino || inode->i_generation != generation)
		ckpt_log(&rs->log,
			 "note: %s, which is watched, has another inode number than when it was saved",
			 name);
	return 0;
}

/* ---- lists behind a record ------------------------------------------------------- */

/**
 * ckpt_var_room - have room for what had not enough
 * @out: the list; what is in it is lost
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_var_room(struct ckpt_var_out *out)
{
	kvfree(out->data);
	out->room = ALIGN(out->len + out->len / 8, 8);
	out->data = kvzalloc(out->room ?: 1, GFP_KERNEL_ACCOUNT);
	return out->data ? 0 : -ENOMEM;
}

/**
 * ckpt_var_put - add an entry, or its length if there is no room
 * @out: the list
 * @head: the entry
 * @head_len: its length, a multiple of 8
 * @name: the name that follows it
 * @name_len: its length
 */
void ckpt_var_put(struct ckpt_var_out *out, const void *head, size_t head_len,
		  const char *name, size_t name_len)
{
	size_t len = head_len + ALIGN(name_len, 8);

	if (out->room >= len && out->len <= out->room - len) {
		memcpy(out->data + out->len, head, head_len);
		memcpy(out->data + out->len + head_len, name, name_len);
	}
	out->len += len;
}

/**
 * ckpt_var_take - the next part of a list
 * @in: what is left of the list
 * @len: bytes, which are padded
 *
 * Return: the part, or NULL if there are not as many.
 */
const void *ckpt_var_take(struct ckpt_var_in *in, size_t len)
{
	const void *at = in->at;

	len = ALIGN(len, 8);
	if (len > in->left)
		return NULL;
	in->at += len;
	in->left -= len;
	return at;
}

/**
 * ckpt_var_path - the next part of a list, which is to be a path
 * @in: what is left of the list
 * @len: bytes with the NUL
 *
 * Return: the path, or NULL if it is none.
 */
const char *ckpt_var_path(struct ckpt_var_in *in, size_t len)
{
	const char *path;

	if (!len || len > CKPT_PATH_MAX)
		return NULL;
	path = ckpt_var_take(in, len);
	if (!path || *path != '/' || strnlen(path, len) != len - 1)
		return NULL;
	return path;
}
