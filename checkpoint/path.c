// SPDX-License-Identifier: GPL-2.0
/*
 * Places in the file system: their names as the root task sees them, the facts
 * that they are known by, and opening what they lead to again.
 *
 * What is opened again must be what it was: type, size and time of change of
 * contents. A device or inode number that differs is reported: another boot or
 * machine may number them otherwise.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>

#include "checkpoint.h"

/* ---- names --------------------------------------------------------------- */

/*
 * The path as the root task sees it; NULL if it cannot be reached from there,
 * ERR_PTR() if it is too long.
 */
static char *ckpt_path_name(struct ckpt_ctx *ctx, const struct path *path,
			    const struct path *root, char *buf)
{
	return __d_path(path, root, buf, CKPT_PATH_MAX);
}

/* May a look-up of its name in its directory find something else? */
static bool ckpt_is_sure(struct dentry *dentry)
{
	return !d_mountpoint(dentry) && !d_unlinked(dentry) &&
	       !(dentry->d_flags & (DCACHE_OP_REVALIDATE | DCACHE_OP_WEAK_REVALIDATE));
}

/*
 * Upwards from a path to @root: nothing is mounted over any of it, in whatever
 * namespace, and the dentries are what their names lead to. It spares a look-up
 * for almost all files, and their names if they cannot be too long.
 */
static bool ckpt_path_is_sure(const struct path *path, const struct path *root)
{
	struct path at = *path;
	struct dentry *parent;
	size_t len = 1;
	bool sure = true;

	path_get(&at);
	while (sure && !path_equal(&at, root)) {
		/* However long each of the names is, or will have become. */
		len += NAME_MAX + 1;
		sure = len <= CKPT_PATH_MAX && ckpt_is_sure(at.dentry);
		/* There it is the only one that is mounted. */
		while (sure && at.dentry == at.mnt->mnt_root)
			sure = follow_up(&at) && !path_equal(&at, root);
		parent = dget_parent(at.dentry);
		dput(at.dentry);
		at.dentry = parent;
	}
	path_put(&at);
	return sure;
}

/* Does the name lead back to where it came from? */
static bool ckpt_path_leads_back(const struct path *path,
				 const struct path *root, const char *name)
{
	struct path found;
	bool same;

	if (vfs_path_lookup(root->dentry, root->mnt, name, 0, &found))
		return false;
	same = path_equal(&found, path);
	path_put(&found);
	return same;
}

/**
 * ckpt_path_problem - what keeps a path from being found again by its name
 * @ctx: the checkpoint
 * @path: the path
 * @root: what its name is relative to
 *
 * Context: may sleep.
 * Return: the reason, to follow the path, or NULL.
 */
const char *ckpt_path_problem(struct ckpt_ctx *ctx, const struct path *path,
			      const struct path *root)
{
	const char *why = NULL;
	char *buf, *name;

	if (d_unlinked(path->dentry))
		return "was deleted; what was deleted cannot be saved yet";
	if (ckpt_path_is_sure(path, root))
		return NULL;
	buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return "cannot be looked at: out of memory";
	name = ckpt_path_name(ctx, path, root, buf);
	if (!name)
		why = "lies outside the root directory of the process";
	else if (IS_ERR(name))
		why = "has a path that is too long";
	else if (!ckpt_path_leads_back(path, root, name))
		why = "cannot be reached by its name: something is mounted over it";
	kfree(buf);
	return why;
}

/* ---- writing --------------------------------------------------------------- */

/**
 * ckpt_file_facts - what a file is known by
 * @path: the file
 * @rec: gets them
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int ckpt_file_facts(const struct path *path, struct ckpt_rec_file *rec)
{
	struct inode *inode = d_backing_inode(path->dentry);
	struct kstat st;
	int ret;

	ret = vfs_getattr(path, &st, STATX_BASIC_STATS, AT_STATX_SYNC_AS_STAT);
	if (ret)
		return ret;
	rec->mode = st.mode;
	rec->dev_major = MAJOR(st.dev);
	rec->dev_minor = MINOR(st.dev);
	rec->rdev_major = MAJOR(st.rdev);
	rec->rdev_minor = MINOR(st.rdev);
	rec->ino = st.ino;
	rec->size = st.size;
	rec->mtime_sec = st.mtime.tv_sec;
	rec->mtime_nsec = st.mtime.tv_nsec;
	rec->generation = inode->i_generation;
	rec->fs_magic = inode->i_sb->s_magic;
	memcpy(rec->fs_uuid, inode->i_sb->s_uuid.b, sizeof(rec->fs_uuid));
	return 0;
}

/**
 * ckpt_new_file_named - a FILE record
 * @ctx: the checkpoint
 * @name: the path, or the name that the kind of file gives it
 *
 * Return: the record, empty but for the name, or NULL.
 */
struct ckpt_rec_file *ckpt_new_file_named(struct ckpt_ctx *ctx, const char *name)
{
	size_t len = strlen(name) + 1;
	struct ckpt_rec_file *rec;

	rec = ckpt_rec_new(ctx, file, CKPT_REC_FILE, len);
	if (rec) {
		rec->path_len = len;
		memcpy(ckpt_rec_var(rec), name, len);
	}
	return rec;
}

/**
 * ckpt_new_file - a FILE record of a path
 * @ctx: the checkpoint
 * @path: the file
 * @root: what its name is relative to
 *
 * Return: the record, empty but for the path, or NULL.
 */
struct ckpt_rec_file *ckpt_new_file(struct ckpt_ctx *ctx, const struct path *path,
				    const struct path *root)
{
	struct ckpt_rec_file *rec = NULL;
	char *buf, *name;

	buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return NULL;
	name = ckpt_path_name(ctx, path, root, buf);
	if (!IS_ERR_OR_NULL(name))
		rec = ckpt_new_file_named(ctx, name);
	kfree(buf);
	return rec;
}

/**
 * checkpoint_path - write a location: working directory, root...
 * @ctx: the checkpoint
 * @path: the location
 * @root: what its name is relative to
 * @objref: out
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_path(struct ckpt_ctx *ctx, const struct path *path,
		    const struct path *root, u32 *objref)
{
	struct ckpt_rec_file *rec;
	struct ckpt_obj *obj;
	struct file *file;
	u32 inode = 0;
	int ret = 0;

	/* An object as on restart: a file that is only a place. */
	file = dentry_open(path, O_PATH, current_cred());
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (ckpt_is_inode(ctx, file))
		inode = checkpoint_inode(ctx, file, &ret);
	obj = ckpt_obj_get(&ctx->objs, CKPT_OBJ_LOCATION, file, NULL);
	fput(file);
	if (ret || IS_ERR(obj))
		return ret ?: PTR_ERR(obj);
	rec = inode ? ckpt_new_file_named(ctx, "") : ckpt_new_file(ctx, path, root);
	if (!rec)
		return -ENOMEM;
	rec->objref = obj->objref;
	rec->kind = inode ? CKPT_FILE_INODE :
		    ckpt_is_proc(ctx, obj->ptr) ? CKPT_FILE_PROC : CKPT_FILE_DIR;
	rec->inode = inode;
	rec->flags = CKPT_FILE_F_PATH_ONLY;
	*objref = rec->objref;
	if (!inode)
		ret = ckpt_file_facts(path, rec);
	if (!ret && rec->kind == CKPT_FILE_PROC)
		ret = checkpoint_proc(ctx, obj->ptr, rec->objref);
	return ret;
}

/* ---- opening again ----------------------------------------------------------- */

static int ckpt_compare_facts(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      const struct path *path)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	const char *name = r->var;
	struct ckpt_rec_file now = {};
	bool force = rs->flags & RESTART_FORCE_FILES;
	int ret;

	ret = ckpt_file_facts(path, &now);
	if (ret)
		return ckpt_bad(rs, r, ret, "%s: cannot be looked at", name);
	if ((now.mode ^ rec->mode) & S_IFMT)
		return ckpt_bad(rs, r, -ESTALE,
				"%s is of another type than when it was saved",
				name);
	if (rec->kind == CKPT_FILE_CHR || rec->kind == CKPT_FILE_TTY ||
	    rec->kind == CKPT_FILE_NODE) {
		if (now.rdev_major != rec->rdev_major ||
		    (rec->kind != CKPT_FILE_TTY &&
		     now.rdev_minor != rec->rdev_minor))
			return ckpt_bad(rs, r, -ESTALE,
					"%s is another device than when it was saved",
					name);
		return 0;
	}
	if (rec->kind == CKPT_FILE_FIFO &&
	    (now.ino != rec->ino || now.generation != rec->generation))
		ckpt_log(&rs->log,
			 "note: the FIFO %s has another inode number than when it was saved", name);
	if (rec->kind != CKPT_FILE_REG)
		return 0;
	if (now.size != rec->size || now.mtime_sec != rec->mtime_sec ||
	    now.mtime_nsec != rec->mtime_nsec) {
		if (!force)
			return ckpt_bad(rs, r, -ESTALE,
					"%s was changed since it was saved (size now %llu, was %llu; changed at %lld.%09u, was %lld.%09u); put the old file back or use --force-files",
					name, now.size, rec->size,
					now.mtime_sec, now.mtime_nsec,
					rec->mtime_sec, rec->mtime_nsec);
		ckpt_log(&rs->log,
			 "warning: %s was changed since it was saved; going on as you asked",
			 name);
	} else if (now.ino != rec->ino || now.generation != rec->generation) {
		ckpt_log(&rs->log,
			 "note: %s has another inode number than when it was saved; contents agree by size and time",
			 name);
	}
	return 0;
}

/* Before ->open, which may have side effects (a FIFO, a device). */
static bool ckpt_inode_fits(const struct ckpt_rec_file *rec,
			    const struct inode *inode)
{
	switch (rec->kind) {
	case CKPT_FILE_REG:
		return S_ISREG(inode->i_mode);
	case CKPT_FILE_DIR:
		return S_ISDIR(inode->i_mode);
	case CKPT_FILE_FIFO:
		return S_ISFIFO(inode->i_mode);
	case CKPT_FILE_CHR:
		return S_ISCHR(inode->i_mode) && ckpt_chr_allowed(inode->i_rdev);
	case CKPT_FILE_TTY:
		return S_ISCHR(inode->i_mode) && ckpt_tty_allowed(inode->i_rdev);
	case CKPT_FILE_KERNFS:
		return S_ISREG(inode->i_mode) &&
		       (inode->i_sb->s_magic == SYSFS_MAGIC ||
			inode->i_sb->s_magic == CGROUP2_SUPER_MAGIC);
	case CKPT_FILE_NODE:
		/* Nothing is opened: restore_file_check() has seen to that. */
		return ckpt_node_fits(inode);
	}
	return false;
}

/**
 * ckpt_open_path - open a file of an image by its path
 * @rs: the restart
 * @r: its FILE record
 * @flags: O_*
 *
 * Return: the file, which is what it was, or an ERR_PTR().
 */
struct file *ckpt_open_path(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    int flags)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct file *file;
	struct path where;
	int ret;

	/* First the place alone: no ->open, no symbolic link at its end. */
	ret = vfs_path_lookup(rs->root.dentry, rs->root.mnt, r->var, 0, &where);
	if (ret)
		goto failed;
	if (!ckpt_inode_fits(rec, d_backing_inode(where.dentry)))
		ret = ckpt_bad(rs, r, -ESTALE, "%s is of another type than when it was saved",
			       (const char *)r->var);
	else
		ret = ckpt_compare_facts(rs, r, &where);
	if (ret) {
		path_put(&where);
		return ERR_PTR(ret);
	}
	/* What was looked at is what is opened; permissions as by name. */
	if (flags & O_PATH)
		file = dentry_open(&where, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW),
				   current_cred());
	else
		file = file_open_root(&where, "", flags, 0);
	path_put(&where);
	if (!IS_ERR(file))
		return file;
	ret = PTR_ERR(file);
failed:
	return ERR_PTR(ckpt_bad(rs, r, ret, "%s cannot be opened again (flags 0%o)",
				(const char *)r->var, flags));
}
