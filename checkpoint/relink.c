// SPDX-License-Identifier: GPL-2.0
/*
 * Deleted files that get a name again, in a directory that the caller names, so
 * that their contents need not be in the image (CHECKPOINT_RELINK).
 *
 * A link is the file itself: nothing is copied while the tree is frozen. What is
 * done to the file afterwards is done to the link. A restart makes a file
 * without a name, as for contents that are in the image, and copies the link to
 * it (or has the file system share the blocks), so that the link stays what it
 * was for the next restart.
 */
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/stat.h>

#include "checkpoint.h"

/* At once, so that a fatal signal is noticed. */
#define CKPT_RELINK_CHUNK	(16U << 20)

/**
 * struct ckpt_relinked - a link that was made
 * @node: in ckpt_ctx.relinked
 * @dentry: its name
 * @linkable: linkat() could give the file a name before
 */
struct ckpt_relinked {
	struct list_head node;
	struct dentry *dentry;
	bool linkable;
};

/* ---- saving ------------------------------------------------------------------ */

/*
 * linkat() does not give a name to what has none any more. Where it does, by
 * AT_EMPTY_PATH, it takes CAP_DAC_READ_SEARCH; and a file of somebody else's may
 * be a set-user-ID one that was deleted for good reason.
 */
static const char *ckpt_relink_problem(struct ckpt_ctx *ctx, struct file *file)
{
	const struct path *dir = &ctx->relink_dir->f_path;
	const struct super_block *sb = dir->dentry->d_sb;
	struct inode *inode = file_inode(file);

	if (file->f_path.mnt != dir->mnt)
		return "lies in another file system or mount than the directory for it";
	if (inode->i_nlink || !d_inode(dir->dentry)->i_op->tmpfile ||
	    !((sb->s_type->fs_flags & FS_REQUIRES_DEV) ||
	      sb->s_magic == TMPFS_MAGIC))
		return "cannot get a name again in its file system";
	if (!inode_owner_or_capable(mnt_idmap(dir->mnt), inode) ||
	    !ns_capable(file->f_cred->user_ns, CAP_DAC_READ_SEARCH))
		return "may not get a name again by you (its owner, CAP_DAC_READ_SEARCH)";
	return NULL;
}

/* With the parent locked. */
static int ckpt_relink_name(struct ckpt_ctx *ctx, struct file *file,
			    struct dentry *dentry, bool *linkable)
{
	const struct path *dir = &ctx->relink_dir->f_path;
	struct inode *inode = file_inode(file);
	int ret;

	if (d_is_positive(dentry))
		return -EEXIST;
	ret = security_path_link(file->f_path.dentry, dir, dentry);
	if (ret)
		return ret;
	spin_lock(&inode->i_lock);
	*linkable = inode->i_state & I_LINKABLE;
	inode->i_state |= I_LINKABLE;
	spin_unlock(&inode->i_lock);
	ret = vfs_link(file->f_path.dentry, mnt_idmap(dir->mnt),
		       d_inode(dir->dentry), dentry, NULL);
	if (ret && !*linkable) {
		spin_lock(&inode->i_lock);
		inode->i_state &= ~I_LINKABLE;
		spin_unlock(&inode->i_lock);
	}
	return ret;
}

static int ckpt_relink_file(struct ckpt_ctx *ctx, struct file *file, u32 objref,
			    struct ckpt_relinked *link)
{
	const struct path *dir = &ctx->relink_dir->f_path;
	char name[64];
	int len, ret;

	len = snprintf(name, sizeof(name), "ckpt-%pUb-%u", ctx->uuid, objref);
	ret = mnt_want_write(dir->mnt);
	if (ret)
		return ret;
	inode_lock_nested(d_inode(dir->dentry), I_MUTEX_PARENT);
	link->dentry = lookup_one(mnt_idmap(dir->mnt), name, dir->dentry, len);
	ret = PTR_ERR_OR_ZERO(link->dentry);
	if (!ret) {
		ret = ckpt_relink_name(ctx, file, link->dentry, &link->linkable);
		if (ret)
			dput(link->dentry);
	}
	inode_unlock(d_inode(dir->dentry));
	mnt_drop_write(dir->mnt);
	return ret;
}

static int checkpoint_relinked(struct ckpt_ctx *ctx, u32 objref,
			       struct dentry *dentry)
{
	const struct path path = {
		.mnt = ctx->relink_dir->f_path.mnt, .dentry = dentry,
	};
	struct ckpt_rec_relink *rec = NULL;
	char *buf, *name;
	size_t len;

	buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	name = __d_path(&path, &ctx->root, buf, CKPT_PATH_MAX);
	if (IS_ERR_OR_NULL(name)) {
		kfree(buf);
		return -ENAMETOOLONG;
	}
	len = strlen(name) + 1;
	rec = ckpt_rec_new(ctx, relink, CKPT_REC_RELINK, len);
	if (rec) {
		rec->inode = objref;
		rec->path_len = len;
		memcpy(ckpt_rec_var(rec), name, len);
	}
	kfree(buf);
	return rec ? 0 : -ENOMEM;
}

static int ckpt_relink_not(struct ckpt_ctx *ctx, struct file *file, const char *why)
{
	ckpt_log(&ctx->log, "note: %s %s; its contents are in the image",
		 ckpt_log_path(&ctx->log, file_user_path(file)), why);
	return 0;
}

/**
 * checkpoint_relink - give a deleted file a name, if that is asked for
 * @ctx: the checkpoint
 * @file: the file, whose INODE record is there
 * @objref: of the inode
 *
 * Return: 1 if that was done and a RELINK record written, 0 if its contents
 * have to be in the image, or a negative errno.
 */
int checkpoint_relink(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_relinked *link;
	const char *why;
	int ret;

	if (!ctx->relink_dir)
		return 0;
	why = ckpt_relink_problem(ctx, file);
	if (why)
		return ckpt_relink_not(ctx, file, why);
	link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);
	if (!link)
		return -ENOMEM;
	ret = ckpt_relink_file(ctx, file, objref, link);
	if (ret)
		kfree(link);
	/* One mount may have several parts. */
	if (ret == -EXDEV)
		return ckpt_relink_not(ctx, file,
				       "lies in another subvolume or project than the directory for it");
	if (ret) {
		ckpt_log(&ctx->log, "%s cannot be linked into the directory for deleted files: %pe",
			 ckpt_log_path(&ctx->log, file_user_path(file)), ERR_PTR(ret));
		return ret;
	}
	list_add(&link->node, &ctx->relinked);
	return checkpoint_relinked(ctx, objref, link->dentry) ?: 1;
}

/**
 * ckpt_relink_sync - have the names survive a power failure
 * @ctx: the checkpoint
 *
 * Return: 0 or a negative errno.
 */
int ckpt_relink_sync(struct ckpt_ctx *ctx)
{
	struct ckpt_relinked *link;
	int ret = 0;

	list_for_each_entry(link, &ctx->relinked, node) {
		const struct path path = {
			.mnt = ctx->relink_dir->f_path.mnt,
			.dentry = link->dentry,
		};
		struct file *file;

		file = dentry_open(&path, O_RDONLY | O_LARGEFILE, current_cred());
		if (IS_ERR(file))
			return PTR_ERR(file);
		ret = vfs_fsync(file, 0);
		fput(file);
		if (ret)
			return ret;
	}
	return list_empty(&ctx->relinked) ? 0 : vfs_fsync(ctx->relink_dir, 0);
}

static int ckpt_relink_remove(struct ckpt_ctx *ctx, struct ckpt_relinked *link)
{
	const struct path *dir = &ctx->relink_dir->f_path;
	struct inode *inode = d_inode(link->dentry);
	int ret;

	ret = mnt_want_write(dir->mnt);
	if (ret)
		return ret;
	inode_lock_nested(d_inode(dir->dentry), I_MUTEX_PARENT);
	/* Somebody may have moved or removed it. */
	if (link->dentry->d_parent == dir->dentry && !d_unhashed(link->dentry)) {
		ret = vfs_unlink(mnt_idmap(dir->mnt), d_inode(dir->dentry),
				 link->dentry, NULL);
		if (!ret && link->linkable) {
			spin_lock(&inode->i_lock);
			inode->i_state |= I_LINKABLE;
			spin_unlock(&inode->i_lock);
		}
	}
	inode_unlock(d_inode(dir->dentry));
	mnt_drop_write(dir->mnt);
	return ret;
}

/**
 * ckpt_relink_end - let go of the links, and remove them after a failure
 * @ctx: the checkpoint
 * @failed: there will be no image
 */
void ckpt_relink_end(struct ckpt_ctx *ctx, bool failed)
{
	struct ckpt_relinked *link, *next;
	int ret;

	list_for_each_entry_safe(link, next, &ctx->relinked, node) {
		ret = failed ? ckpt_relink_remove(ctx, link) : 0;
		if (ret)
			ckpt_log(&ctx->log, "warning: the link %pd cannot be removed: %pe",
				 link->dentry, ERR_PTR(ret));
		dput(link->dentry);
		kfree(link);
	}
	INIT_LIST_HEAD(&ctx->relinked);
}

/* ---- restoring ----------------------------------------------------------------- */

static int ckpt_relinked_differs(struct ckpt_restart *rs,
				 const struct ckpt_rec *r,
				 const struct ckpt_rec *part,
				 const struct path *path)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const char *name = part->var;
	struct kstat st;
	int ret;

	ret = vfs_getattr(path, &st, STATX_BASIC_STATS, AT_STATX_SYNC_AS_STAT);
	if (ret)
		return ckpt_bad(rs, part, ret, "%s: cannot be looked at", name);
	if (!S_ISREG(st.mode))
		return ckpt_bad(rs, part, -ESTALE, "%s is no regular file", name);
	if (st.size == rec->size && st.mtime.tv_sec == rec->mtime_sec &&
	    st.mtime.tv_nsec == rec->mtime_nsec)
		return 0;
	if (!(rs->flags & RESTART_FORCE_FILES))
		return ckpt_bad(rs, part, -ESTALE,
				"%s, which has the contents of a deleted file, was changed since it was saved (size now %llu, was %llu); put the old file back or use --force-files",
				name, st.size, rec->size);
	ckpt_log(&rs->log, "warning: %s was changed since it was saved; going on as you asked",
		 name);
	return 0;
}

static struct file *ckpt_open_relinked(struct ckpt_restart *rs,
				       const struct ckpt_rec *r,
				       const struct ckpt_rec *part)
{
	struct file *where, *file;
	int ret;

	/* What is no regular file is not opened: that may have side effects. */
	where = file_open_root(&rs->root, part->var, O_PATH | O_NOFOLLOW, 0);
	ret = PTR_ERR_OR_ZERO(where);
	if (ret)
		goto failed;
	ret = ckpt_relinked_differs(rs, r, part, &where->f_path);
	file = ret ? ERR_PTR(ret) :
		     file_open_root(&where->f_path, "", O_RDONLY | O_LARGEFILE, 0);
	fput(where);
	if (!IS_ERR(file) || ret)
		return file;
	ret = PTR_ERR(file);
failed:
	ckpt_bad(rs, part, ret, "%s, which has the contents of a deleted file, cannot be opened",
		 (const char *)part->var);
	return ERR_PTR(ret);
}

static int ckpt_copy_range(struct file *from, struct file *to, loff_t pos,
			   loff_t end)
{
	ssize_t n;

	while (pos < end) {
		n = vfs_copy_file_range(from, pos, to, pos,
					min_t(loff_t, end - pos, CKPT_RELINK_CHUNK),
					COPY_FILE_SPLICE);
		if (n <= 0)
			return n ?: -EIO;
		if (fatal_signal_pending(current))
			return -EINTR;
		pos += n;
		cond_resched();
	}
	return 0;
}

/* Holes stay holes. */
static int ckpt_copy_contents(struct file *from, struct file *to, loff_t size)
{
	loff_t pos = 0, end;
	int ret = 0;

	while (pos < size && !ret) {
		pos = vfs_llseek(from, pos, SEEK_DATA);
		if (pos == -ENXIO || pos >= size)
			break;
		if (pos < 0)
			return pos;
		end = vfs_llseek(from, pos, SEEK_HOLE);
		if (end < 0)
			return end;
		if (end <= pos)
			break;
		end = min(end, size);
		ret = ckpt_copy_range(from, to, pos, end);
		pos = end;
	}
	return ret;
}

static int restore_relink_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
				const struct ckpt_rec *part)
{
	const struct ckpt_rec_relink *rec = ckpt_rec_as(part, relink);
	const char *path = part->var;

	if (ckpt_rec_as(r, inode)->kind != CKPT_INODE_UNLINKED)
		return ckpt_bad(rs, part, -EINVAL, "belongs to what never had a name");
	if (rec->path_len > CKPT_PATH_MAX || rec->path_len > part->var_len ||
	    !rec->path_len || path[0] != '/' ||
	    strnlen(path, rec->path_len) != rec->path_len - 1)
		return ckpt_bad(rs, part, -EINVAL, "the path is malformed");
	return 0;
}

/**
 * restore_relinked - copy the contents of a deleted file from its link
 * @rs: the restart
 * @r: its INODE record, checked
 * @part: its RELINK record
 * @file: that writes it; it has its size, and is empty
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_relinked(struct ckpt_restart *rs, const struct ckpt_rec *r,
		     const struct ckpt_rec *part, struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const struct cred *saved;
	struct file *from;
	int ret;

	ret = restore_relink_check(rs, r, part);
	if (ret)
		return ret;
	saved = override_creds(ckpt_file_cred(rs, rec->cred));
	from = ckpt_open_relinked(rs, r, part);
	revert_creds(saved);
	if (IS_ERR(from))
		return PTR_ERR(from);
	/* The file system may share the blocks. What has grown is only copied. */
	if (!rec->size ||
	    vfs_clone_file_range(from, 0, file, 0, rec->size, 0) != rec->size)
		ret = ckpt_copy_contents(from, file, rec->size);
	if (ret)
		ckpt_bad(rs, part, ret, "%s cannot be copied",
			 (const char *)part->var);
	/* Who has changed it meanwhile has changed the copy. */
	if (!ret)
		ret = ckpt_relinked_differs(rs, r, part, &from->f_path);
	fput(from);
	return ret;
}
