// SPDX-License-Identifier: GPL-2.0
/*
 * Files that no path leads to: shared anonymous memory, memfd_create(), what was
 * deleted while somebody had it, O_TMPFILE. Their contents are in the image.
 * Deleted directories have none, those of a FIFO are its pipe, see pipe.c. For the
 * way back see inode_restore.c.
 */
#include <linux/checkpoint_fds.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/path.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/stat.h>

#include "checkpoint.h"

/* ---- what is one ----------------------------------------------------------- */

/**
 * ckpt_is_shmem - is it a file of tmpfs, or shared memory?
 * @file: the file
 *
 * Return: false also of one that lies below an overlay.
 */
bool ckpt_is_shmem(struct file *file)
{
	return shmem_file(file) && !(file->f_mode & FMODE_BACKING);
}

/* Files of tmpfs that have only ever been in the kernel's own mount of it. */
static u32 ckpt_shmem_kind(struct file *file)
{
	const char *name = file_user_path(file)->dentry->d_name.name;
	struct inode *inode = ckpt_file_inode(file);

	/* SysV shared memory has operations of its own. */
	if (!ckpt_is_shmem(file) || file->f_op != inode->i_fop)
		return 0;
	if (IS_PRIVATE(inode))
		return strcmp(name, "dev/zero") ? 0 : CKPT_INODE_ANON;
	return str_has_prefix(name, CKPT_MEMFD_PREFIX) ? CKPT_INODE_MEMFD : 0;
}

/**
 * ckpt_file_path - the path that leads to an open file
 * @file: the file
 * @path: out, with references: the one that it was opened by, or another name
 *	of what was deleted under that one
 *
 * Only names that the kernel has in memory are found.
 */
void ckpt_file_path(struct file *file, struct path *path)
{
	struct inode *inode = ckpt_file_inode(file);
	struct dentry *alias;

	*path = *file_user_path(file);
	path_get(path);
	if (S_ISDIR(inode->i_mode) || !inode->i_nlink ||
	    !d_unlinked(path->dentry))
		return;
	alias = d_find_alias(inode);
	if (alias && is_subdir(alias, path->mnt->mnt_root))
		swap(path->dentry, alias);
	dput(alias);
}

/* What was found to be deleted stays so when it gets a name for the image. */
static bool ckpt_is_deleted(struct ckpt_ctx *ctx, struct file *file)
{
	struct path path;
	bool deleted;

	if (!d_unlinked(file_user_path(file)->dentry))
		return false;
	if (ckpt_obj_find_typed(ctx, ckpt_file_inode(file), CKPT_OBJ_INODE))
		return true;
	ckpt_file_path(file, &path);
	deleted = d_unlinked(path.dentry);
	path_put(&path);
	return deleted;
}

/* enum ckpt_inode_kind, 0: none, its path leads to it. */
static u32 ckpt_inode_kind(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = ckpt_file_inode(file);

	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode) &&
	    !S_ISFIFO(inode->i_mode))
		return 0;
	if (ckpt_is_hugetlb(file))
		return ckpt_hugetlb_kind(file);
	if (inode->i_sb->s_flags & SB_NOUSER)
		return S_ISREG(inode->i_mode) ? ckpt_shmem_kind(file) : 0;
	return ckpt_plain_fs(inode->i_sb) && ckpt_is_deleted(ctx, file) ?
	       CKPT_INODE_UNLINKED : 0;
}

/**
 * ckpt_is_inode - does no path lead to the file?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if its contents must be in the image.
 */
bool ckpt_is_inode(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_inode_kind(ctx, file);
}

/**
 * ckpt_is_inode_made - was the file made together with such an inode?
 * @ctx: the checkpoint
 * @file: the file
 *
 * memfd_create() and mmap() make a file that writes and does not count as a
 * writer, so that the program can execute what it has written.
 *
 * Return: true if it was.
 */
bool ckpt_is_inode_made(struct ckpt_ctx *ctx, struct file *file)
{
	u32 kind = ckpt_inode_kind(ctx, file);

	return (kind == CKPT_INODE_ANON || kind == CKPT_INODE_MEMFD) &&
	       (file->f_mode & (FMODE_WRITE | FMODE_WRITER)) == FMODE_WRITE;
}

/* ---- what refuses ------------------------------------------------------------ */

/* Executing a file takes no right to read it. */
static bool ckpt_file_reads(struct file *file)
{
	return (file->f_mode & FMODE_READ) && !(file->f_flags & __FMODE_EXEC);
}

static bool ckpt_inode_readable(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, ckpt_file_inode(file));

	/* A deleted directory is empty, and who has its ends may read a FIFO. */
	return !S_ISREG(ckpt_file_inode(file)->i_mode) ||
	       (obj && obj->readable) || ckpt_file_reads(file) ||
	       !file_permission(file, MAY_READ);
}

/* Where it was, or the nearest directory that is still there. */
static void ckpt_inode_dir(const struct path *path, struct path *dir)
{
	struct dentry *up;

	dir->mnt = mntget(path->mnt);
	dir->dentry = dget_parent(path->dentry);
	while (d_unlinked(dir->dentry)) {
		up = dget_parent(dir->dentry);
		dput(dir->dentry);
		dir->dentry = up;
	}
}

/* Its ".." would be another. */
static bool ckpt_parent_is_deleted(struct dentry *dentry)
{
	struct dentry *parent = dget_parent(dentry);
	bool deleted = d_unlinked(parent);

	dput(parent);
	return deleted;
}

static const char *ckpt_unlinked_problem(struct ckpt_ctx *ctx, struct file *file)
{
	const struct path *path = file_user_path(file);
	struct inode *inode = ckpt_file_inode(file);
	bool is_dir = S_ISDIR(inode->i_mode);
	bool is_reg = S_ISREG(inode->i_mode);
	const char *why = NULL;
	struct path dir;

	if (is_dir && ckpt_parent_is_deleted(path->dentry))
		return "was deleted, and so was the directory that it was in";
	ckpt_inode_dir(path, &dir);
	/* First: where a server has the file, its link count may be out of date. */
	if (is_reg && !d_inode(dir.dentry)->i_op->tmpfile)
		why = "was deleted, and its file system makes no files without a name (O_TMPFILE)";
	else if (!is_dir && inode->i_nlink)
		why = "was deleted under this name and has another that is not known";
	else if (ckpt_path_problem(ctx, &dir, &ctx->root))
		why = "was deleted, and its directory cannot be found again by its name";
	path_put(&dir);
	return why;
}

/**
 * ckpt_inode_seals - where the seals of a file are
 * @file: the file
 *
 * Return: NULL where there are none.
 */
unsigned int *ckpt_inode_seals(struct file *file)
{
	if (ckpt_is_shmem(file))
		return &SHMEM_I(ckpt_file_inode(file))->seals;
	return ckpt_is_hugetlb(file) ? ckpt_hugetlb_seals(file) : NULL;
}

static bool ckpt_inode_leased(struct inode *inode)
{
	struct file_lock_context *flctx = locks_inode_context(inode);

	return flctx && !list_empty_careful(&flctx->flc_lease);
}

static bool ckpt_inode_owned(const struct inode *inode)
{
	return kuid_has_mapping(current_user_ns(), inode->i_uid) &&
	       kgid_has_mapping(current_user_ns(), inode->i_gid);
}

/**
 * ckpt_inode_problem - what keeps such a file from being saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_inode_problem(struct ckpt_ctx *ctx, struct file *file)
{
	unsigned int *seals = ckpt_inode_seals(file);
	struct inode *inode = ckpt_file_inode(file);
	const char *why = NULL;

	if (!ckpt_inode_readable(ctx, file))
		return "may not be read by you";
	if (ctx->out.file && file_inode(ctx->out.file) == inode)
		return "is the output, opened once more";
	if (inode->i_flags & (S_IMMUTABLE | S_APPEND | S_VERITY | S_SWAPFILE))
		return "has file attributes (chattr, fs-verity), which cannot be saved yet";
	if (ckpt_inode_leased(inode))
		return "was deleted and has a lease, which cannot be saved yet";
	if (!ckpt_inode_owned(inode))
		return "belongs to a user whom your user namespace does not have";
	if (seals && (*seals & ~CKPT_SEALS))
		return "has seals that this kernel does not know";
	if (ckpt_inode_kind(ctx, file) == CKPT_INODE_UNLINKED)
		why = ckpt_unlinked_problem(ctx, file);
	return why ?: ckpt_xattr_problem(ctx, file);
}

/* ---- who has it ---------------------------------------------------------------- */

/**
 * ckpt_collect_inode - collect the inode of a file that no path leads to
 * @ctx: the checkpoint
 * @file: the file; once for each
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_collect_inode(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_obj *obj;
	int err = 0;

	obj = ckpt_obj_collect(ctx, CKPT_OBJ_INODE, ckpt_file_inode(file), 1,
			       &err);
	if (obj && ckpt_file_reads(file))
		obj->readable = true;
	return err;
}

/**
 * ckpt_inode_in_use - others would notice if an open file were parted from theirs
 * @ctx: the checkpoint
 * @file: object of the file
 */
void ckpt_inode_in_use(struct ckpt_ctx *ctx, struct ckpt_obj *file)
{
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, ckpt_file_inode(file->ptr));

	file->has_fd = true;
	if (obj && obj->type == CKPT_OBJ_INODE)
		obj->has_fd = true;
}

/* Each open file has the dentry that it was opened by; there is no other way. */
static long ckpt_inode_users(void *ptr)
{
	struct inode *inode = ptr;
	struct dentry *alias;
	long users = 1; /* the hash, which has the inode itself */

	spin_lock(&inode->i_lock);
	hlist_for_each_entry(alias, &inode->i_dentry, d_u.d_alias)
		users += d_count(alias);
	spin_unlock(&inode->i_lock);
	return users;
}

static void ckpt_inode_grab(void *ptr)
{
	ihold(ptr);
}

static void ckpt_inode_drop(void *ptr)
{
	iput(ptr);
}

/* ---- saving: the record ---------------------------------------------------------- */

/* The path of a deleted file, the name of a memfd, nothing. */
static const char *ckpt_inode_name(struct ckpt_ctx *ctx, struct file *file,
				   char *buf)
{
	char *name;

	switch (ckpt_inode_kind(ctx, file)) {
	case CKPT_INODE_MEMFD:
		return file_user_path(file)->dentry->d_name.name;
	case CKPT_INODE_UNLINKED:
		name = __d_path(file_user_path(file), &ctx->root, buf,
				CKPT_PATH_MAX);
		return name ?: ERR_PTR(-ENOENT);
	}
	return "";
}

static u32 ckpt_inode_flags(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = ckpt_file_inode(file);
	char number[24];
	u32 flags = 0;

	if (ckpt_inode_kind(ctx, file) == CKPT_INODE_ANON)
		return ckpt_is_shmem(file) && SHMEM_I(inode)->flags & VM_NORESERVE ?
		       CKPT_INODE_NORESERVE : 0;
	if (inode->i_state & I_LINKABLE)
		flags |= CKPT_INODE_LINKABLE;
	snprintf(number, sizeof(number), "#%lu", inode->i_ino);
	if (!strcmp(file_user_path(file)->dentry->d_name.name, number))
		flags |= CKPT_INODE_NAMELESS;
	return flags;
}

static int ckpt_inode_facts(struct ckpt_ctx *ctx, struct file *file,
			    struct ckpt_rec_inode *rec)
{
	struct inode *inode = ckpt_file_inode(file);
	struct kstat st;
	int ret;

	rec->kind = ckpt_inode_kind(ctx, file);
	rec->flags = ckpt_inode_flags(ctx, file);
	rec->size = i_size_read(inode);
	if (rec->kind == CKPT_INODE_ANON)
		return 0;
	ret = vfs_getattr(file_user_path(file), &st, STATX_BASIC_STATS,
			  AT_STATX_SYNC_AS_STAT);
	if (ret)
		return ret;
	if (rec->kind == CKPT_INODE_MEMFD)
		rec->seals = *ckpt_inode_seals(file);
	rec->size = S_ISREG(st.mode) ? st.size : 0;
	rec->mode = st.mode;
	rec->uid = from_kuid_munged(current_user_ns(), st.uid);
	rec->gid = from_kgid_munged(current_user_ns(), st.gid);
	rec->atime_sec = st.atime.tv_sec;
	rec->atime_nsec = st.atime.tv_nsec;
	rec->mtime_sec = st.mtime.tv_sec;
	rec->mtime_nsec = st.mtime.tv_nsec;
	rec->fs_magic = inode->i_sb->s_magic;
	return 0;
}

static struct ckpt_rec_inode *ckpt_new_inode(struct ckpt_ctx *ctx,
					     const char *name,
					     const struct ckpt_xattrs *xattrs)
{
	u32 path_len = strlen(name) + 1, at = ALIGN(path_len, 8);
	struct ckpt_rec_inode *rec;

	rec = ckpt_rec_new(ctx, inode, CKPT_REC_INODE, at + xattrs->len);
	if (!rec)
		return NULL;
	rec->path_len = path_len;
	rec->nr_xattrs = xattrs->nr;
	rec->var_len = at + xattrs->len;
	memcpy(ckpt_rec_var(rec), name, path_len);
	if (xattrs->len)
		memcpy(ckpt_rec_var(rec) + at, xattrs->buf, xattrs->len);
	return rec;
}

static struct ckpt_rec_inode *ckpt_named_inode(struct ckpt_ctx *ctx,
					       struct file *file,
					       const struct ckpt_xattrs *xattrs)
{
	struct ckpt_rec_inode *rec;
	const char *name;
	char *buf;

	buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	name = ckpt_inode_name(ctx, file, buf);
	rec = IS_ERR(name) ? ERR_CAST(name) : ckpt_new_inode(ctx, name, xattrs);
	kfree(buf);
	return rec ?: ERR_PTR(-ENOMEM);
}

static int checkpoint_new_inode(struct ckpt_ctx *ctx, struct file *file,
				u32 objref)
{
	struct ckpt_xattrs xattrs = {};
	struct ckpt_rec_inode *rec;
	int ret = 0;
	u32 cred;

	/* Somebody outside may have deleted it since it was looked at. */
	if (ckpt_inode_problem(ctx, file))
		return -EOPNOTSUPP;
	cred = ckpt_obj_checkpoint(ctx, CKPT_OBJ_CRED, (void *)file->f_cred,
				   &ret);
	if (!ret)
		ret = ckpt_xattrs_get(&xattrs, file);
	if (ret)
		goto out;
	rec = ckpt_named_inode(ctx, file, &xattrs);
	ret = PTR_ERR_OR_ZERO(rec);
	if (ret)
		goto out;
	rec->objref = objref;
	rec->cred = cred;
	ret = ckpt_inode_facts(ctx, file, rec);
	if (ret || !S_ISREG(ckpt_file_inode(file)->i_mode))
		goto out;
	if (ckpt_is_shmem(file))
		ret = checkpoint_inode_policies(ctx, ckpt_file_inode(file), objref);
	if (ret)
		goto out;
	if (rec->kind == CKPT_INODE_UNLINKED)
		ret = checkpoint_relink(ctx, file, objref);
	if (!ret && ckpt_is_hugetlb(file))
		ret = checkpoint_hugetlb(ctx, file, objref);
	if (!ret)
		ret = checkpoint_inode_contents(ctx, file, objref, rec->size);
	ret = min(ret, 0);
out:
	kvfree(xattrs.buf);
	return ret;
}

/**
 * checkpoint_inode - write the inode of a file that no path leads to
 * @ctx: the checkpoint
 * @file: the file; its users are frozen
 * @err: in and out: an error; nothing is done if it is set already
 *
 * Return: the objref, 0 on error.
 */
u32 checkpoint_inode(struct ckpt_ctx *ctx, struct file *file, int *err)
{
	struct ckpt_obj *obj;

	if (*err)
		return 0;
	obj = ckpt_obj_get(&ctx->objs, CKPT_OBJ_INODE, ckpt_file_inode(file),
			   NULL);
	if (IS_ERR(obj)) {
		*err = PTR_ERR(obj);
		return 0;
	}
	if (!obj->written) {
		obj->written = true;
		*err = checkpoint_new_inode(ctx, file, obj->objref);
		if (*err)
			ckpt_log(&ctx->log, "%s cannot be read: %pe",
				 ckpt_log_path(&ctx->log, file_user_path(file)),
				 ERR_PTR(*err));
	}
	return *err ? 0 : obj->objref;
}

const struct ckpt_obj_ops ckpt_ops_INODE = {
	.rec_type = CKPT_REC_INODE,
	.grab = ckpt_inode_grab,
	.drop = ckpt_inode_drop,
	.users = ckpt_inode_users,
	.restore = restore_inode,
};
