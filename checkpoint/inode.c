// SPDX-License-Identifier: GPL-2.0
/*
 * Files that no path leads to: shared anonymous memory, memfd_create(), what was
 * deleted while somebody had it, O_TMPFILE. Their contents are in the image.
 * Deleted directories have none.
 *
 * A restart makes all of them with their contents before anything else, so that
 * their payload comes first. Until it is done each is kept by a file of its own.
 */
#include <linux/checkpoint_fds.h>
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/posix_acl.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "checkpoint.h"

#define CKPT_MEMFD_PREFIX	"memfd:"
#define CKPT_SEALS		(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | \
				 F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |	\
				 F_SEAL_EXEC)

/* ---- what is one ----------------------------------------------------------- */

/* Files of tmpfs that have only ever been in the kernel's own mount of it. */
static u32 ckpt_shmem_kind(struct file *file)
{
	const char *name = file->f_path.dentry->d_name.name;
	struct inode *inode = file_inode(file);

	/* SysV shared memory has operations of its own. */
	if (!shmem_file(file) || file->f_op != inode->i_fop)
		return 0;
	if (IS_PRIVATE(inode))
		return strcmp(name, "dev/zero") ? 0 : CKPT_INODE_ANON;
	return str_has_prefix(name, CKPT_MEMFD_PREFIX) ? CKPT_INODE_MEMFD : 0;
}

/**
 * ckpt_file_path - the path that leads to an open file
 * @file: the file
 * @path: out, with references: the one that it was opened by, or another name
 *	of a regular file that was deleted under that one
 *
 * Only names that the kernel has in memory are found.
 */
void ckpt_file_path(struct file *file, struct path *path)
{
	struct inode *inode = file_inode(file);
	struct dentry *alias;

	*path = file->f_path;
	path_get(path);
	if (!S_ISREG(inode->i_mode) || !inode->i_nlink ||
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

	if (!d_unlinked(file->f_path.dentry))
		return false;
	if (ckpt_obj_find_typed(ctx, file_inode(file), CKPT_OBJ_INODE))
		return true;
	ckpt_file_path(file, &path);
	deleted = d_unlinked(path.dentry);
	path_put(&path);
	return deleted;
}

/* enum ckpt_inode_kind, 0: none, its path leads to it. */
static u32 ckpt_inode_kind(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
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
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, file_inode(file));

	/* What is there to be read of a deleted directory? */
	return S_ISDIR(file_inode(file)->i_mode) ||
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
	struct inode *inode = file_inode(file);
	bool is_dir = S_ISDIR(inode->i_mode);
	struct path dir;
	const char *why;

	if (is_dir && ckpt_parent_is_deleted(file->f_path.dentry))
		return "was deleted, and so was the directory that it was in";
	if (!is_dir && inode->i_nlink)
		return "was deleted under this name and has another that is not known";
	ckpt_inode_dir(&file->f_path, &dir);
	why = ckpt_path_problem(ctx, &dir, &ctx->root);
	if (why)
		why = "was deleted, and its directory cannot be found again by its name";
	else if (!is_dir && !d_inode(dir.dentry)->i_op->tmpfile)
		why = "was deleted, and its file system makes no files without a name (O_TMPFILE)";
	path_put(&dir);
	return why;
}

static const char *ckpt_shmem_problem(struct inode *inode)
{
#ifdef CONFIG_NUMA
	if (!RB_EMPTY_ROOT(&SHMEM_I(inode)->policy.root))
		return "has a memory policy, which cannot be saved yet";
#endif
	return NULL;
}

/* NULL where there are none. */
static unsigned int *ckpt_inode_seals(struct file *file)
{
	if (shmem_file(file))
		return &SHMEM_I(file_inode(file))->seals;
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
	struct inode *inode = file_inode(file);
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
	if (shmem_file(file))
		why = ckpt_shmem_problem(inode);
	if (!why && ckpt_inode_kind(ctx, file) == CKPT_INODE_UNLINKED)
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

	obj = ckpt_obj_collect(ctx, CKPT_OBJ_INODE, file_inode(file), 1, &err);
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
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, file_inode(file->ptr));

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
		return file->f_path.dentry->d_name.name;
	case CKPT_INODE_UNLINKED:
		name = __d_path(&file->f_path, &ctx->root, buf, CKPT_PATH_MAX);
		return name ?: ERR_PTR(-ENOENT);
	}
	return "";
}

static u32 ckpt_inode_flags(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);
	char number[24];
	u32 flags = 0;

	if (ckpt_inode_kind(ctx, file) == CKPT_INODE_ANON)
		return shmem_file(file) && SHMEM_I(inode)->flags & VM_NORESERVE ?
		       CKPT_INODE_NORESERVE : 0;
	if (inode->i_state & I_LINKABLE)
		flags |= CKPT_INODE_LINKABLE;
	snprintf(number, sizeof(number), "#%lu", inode->i_ino);
	if (!strcmp(file->f_path.dentry->d_name.name, number))
		flags |= CKPT_INODE_NAMELESS;
	return flags;
}

static int ckpt_inode_facts(struct ckpt_ctx *ctx, struct file *file,
			    struct ckpt_rec_inode *rec)
{
	struct inode *inode = file_inode(file);
	struct kstat st;
	int ret;

	rec->kind = ckpt_inode_kind(ctx, file);
	rec->flags = ckpt_inode_flags(ctx, file);
	rec->size = i_size_read(inode);
	if (rec->kind == CKPT_INODE_ANON)
		return 0;
	ret = vfs_getattr(&file->f_path, &st, STATX_BASIC_STATS,
			  AT_STATX_SYNC_AS_STAT);
	if (ret)
		return ret;
	if (rec->kind == CKPT_INODE_MEMFD)
		rec->seals = *ckpt_inode_seals(file);
	rec->size = S_ISDIR(st.mode) ? 0 : st.size;
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
	if (ret || S_ISDIR(rec->mode))
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
	obj = ckpt_obj_get(&ctx->objs, CKPT_OBJ_INODE, file_inode(file), NULL);
	if (IS_ERR(obj)) {
		*err = PTR_ERR(obj);
		return 0;
	}
	if (!obj->written) {
		obj->written = true;
		*err = checkpoint_new_inode(ctx, file, obj->objref);
		if (*err)
			ckpt_log(&ctx->log, "%s cannot be read: %pe",
				 ckpt_log_path(&ctx->log, &file->f_path),
				 ERR_PTR(*err));
	}
	return *err ? 0 : obj->objref;
}

/* ---- restoring: making it ---------------------------------------------------------- */

static int restore_inode_name_check(struct ckpt_restart *rs,
				    const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const char *path = r->var;
	bool ok = false;

	if (rec->var_len > r->var_len || rec->path_len > CKPT_PATH_MAX ||
	    ALIGN(rec->path_len, 8) > rec->var_len || !rec->path_len ||
	    strnlen(path, rec->path_len) != rec->path_len - 1)
		return ckpt_bad(rs, r, -EINVAL, "the path is malformed");
	switch (rec->kind) {
	case CKPT_INODE_ANON:
		ok = !path[0];
		break;
	case CKPT_INODE_MEMFD:
		ok = str_has_prefix(path, CKPT_MEMFD_PREFIX) &&
		     rec->path_len <= NAME_MAX + 1;
		break;
	case CKPT_INODE_UNLINKED:
		ok = path[0] == '/' && path[rec->path_len - 2] != '/';
		break;
	default:
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown kind of inode %u", rec->kind);
	}
	return ok ? 0 : ckpt_bad(rs, r, -EINVAL, "the path is malformed");
}

static int restore_inode_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const struct ckpt_rec *hugetlb = ckpt_hugetlb_part(rs, rec->objref);
	int ret;

	ret = restore_inode_name_check(rs, r);
	if (!ret)
		ret = restore_xattrs_check(rs, r);
	if (!ret && hugetlb)
		ret = restore_hugetlb_check(rs, r, hugetlb);
	if (ret)
		return ret;
	if (rec->flags & ~CKPT_INODE_FLAGS_ALL)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (rec->seals & ~CKPT_SEALS)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown seals 0x%x", rec->seals);
	if (rec->seals && rec->kind != CKPT_INODE_MEMFD)
		return ckpt_bad(rs, r, -EINVAL, "seals 0x%x of kind %u", rec->seals, rec->kind);
	if (rec->size > MAX_LFS_FILESIZE)
		return ckpt_bad(rs, r, -EINVAL, "size %llu", rec->size);
	if (rec->kind == CKPT_INODE_ANON)
		return 0;
	if ((!S_ISREG(rec->mode) &&
	     (!S_ISDIR(rec->mode) || rec->kind != CKPT_INODE_UNLINKED || rec->size)) ||
	    (rec->mode & ~(S_IFMT | S_IALLUGO)))
		return ckpt_bad(rs, r, -EINVAL, "mode 0%o of kind %u, %llu bytes",
				rec->mode, rec->kind, rec->size);
	if (rec->uid == (u32)-1 || rec->gid == (u32)-1 ||
	    rec->atime_nsec >= NSEC_PER_SEC || rec->mtime_nsec >= NSEC_PER_SEC)
		return ckpt_bad(rs, r, -EINVAL, "owner %u:%u, times %u, %u",
				rec->uid, rec->gid, rec->atime_nsec,
				rec->mtime_nsec);
	/* What may be executed is not made where memfd_create() would not. */
	if (rec->kind == CKPT_INODE_MEMFD && (rec->mode & 0111) &&
	    pidns_memfd_noexec_scope(task_active_pid_ns(current)) >=
	    MEMFD_NOEXEC_SCOPE_NOEXEC_ENFORCED)
		return ckpt_bad(rs, r, -EACCES,
				"%s may be executed, which vm.memfd_noexec forbids here",
				(const char *)r->var);
	return 0;
}

/* The directory of @path, or the nearest that is there. Changes @path. */
static struct file *ckpt_open_dir(struct ckpt_restart *rs, char *path)
{
	struct file *dir;
	char *end;

	do {
		end = strrchr(path, '/');
		end[end == path] = 0;
		dir = file_open_root(&rs->root, path,
				     O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	} while ((dir == ERR_PTR(-ENOENT) || dir == ERR_PTR(-ENOTDIR)) &&
		 end != path);
	return dir;
}

/* As it was called below that directory. */
static int restore_inode_rename(const struct ckpt_rec *r, const char *dir,
				struct file *file)
{
	const char *name = (const char *)r->var + strlen(dir);

	if (ckpt_rec_as(r, inode)->flags & CKPT_INODE_NAMELESS)
		return 0;
	while (*name == '/')
		name++;
	return ckpt_dentry_rename(file->f_path.dentry, name);
}

static int ckpt_dir_fits(struct ckpt_restart *rs, const struct ckpt_rec *r,
			 struct file *dir)
{
	if (file_inode(dir)->i_sb->s_magic == ckpt_rec_as(r, inode)->fs_magic)
		return 0;
	if (!(rs->flags & RESTART_FORCE_FILES))
		return ckpt_bad(rs, r, -ESTALE,
				"%s was in a file system of another type than there is now; mount it or use --force-files",
				(const char *)r->var);
	ckpt_log(&rs->log,
		 "warning: %s was in a file system of another type; going on as you asked",
		 (const char *)r->var);
	return 0;
}

/* A directory cannot be made without a name: it has one for a moment. */
static struct file *ckpt_make_dir(const struct path *dir, const char *name)
{
	struct inode *inode = d_inode(dir->dentry);
	struct mnt_idmap *idmap = mnt_idmap(dir->mnt);
	struct path path = { .mnt = dir->mnt };
	struct file *file;
	int ret;

	ret = mnt_want_write(dir->mnt);
	if (ret)
		return ERR_PTR(ret);
	inode_lock_nested(inode, I_MUTEX_PARENT);
	path.dentry = lookup_one(idmap, name, dir->dentry, strlen(name));
	ret = PTR_ERR_OR_ZERO(path.dentry);
	if (ret)
		goto out;
	if (d_is_positive(path.dentry))
		ret = -EEXIST;
	if (!ret)
		ret = security_path_mkdir(dir, path.dentry, 0700);
	if (!ret)
		ret = vfs_mkdir(idmap, inode, path.dentry, 0700);
	if (ret)
		goto out_put;
	file = dentry_open(&path, O_RDONLY | O_LARGEFILE, current_cred());
	ret = vfs_rmdir(idmap, inode, path.dentry);
	if (ret && !IS_ERR(file))
		__fput_sync(file);
out_put:
	dput(path.dentry);
out:
	inode_unlock(inode);
	mnt_drop_write(dir->mnt);
	return ret ? ERR_PTR(ret) : file;
}

static struct file *restore_nameless(struct ckpt_restart *rs,
				     const struct ckpt_rec *r,
				     const struct path *dir)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	int flags = O_TMPFILE | O_RDWR | O_LARGEFILE;
	char name[32];

	if (S_ISDIR(rec->mode)) {
		snprintf(name, sizeof(name), ".ckpt-%d-%u", task_pid_nr(current),
			 rec->objref);
		return ckpt_make_dir(dir, name);
	}
	if (!(rec->flags & CKPT_INODE_LINKABLE))
		flags |= O_EXCL;
	return file_open_root(dir, "", flags, 0600);
}

/* By the rights that the program had; owner and mode come later. */
static struct file *restore_unlinked(struct ckpt_restart *rs,
				     const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	struct file *dir, *file = NULL;
	const struct cred *saved;
	char *path;
	int ret;

	path = kstrdup(r->var, GFP_KERNEL_ACCOUNT);
	if (!path)
		return ERR_PTR(-ENOMEM);
	saved = override_creds(ckpt_file_cred(rs, rec->cred));
	dir = ckpt_open_dir(rs, path);
	ret = PTR_ERR_OR_ZERO(dir);
	if (ret)
		ckpt_bad(rs, r, ret, "the directory of %s cannot be opened",
			 (const char *)r->var);
	if (!ret)
		ret = ckpt_dir_fits(rs, r, dir);
	if (!ret) {
		file = restore_nameless(rs, r, &dir->f_path);
		ret = PTR_ERR_OR_ZERO(file);
		if (ret)
			ckpt_bad(rs, r, ret,
				 "%s was deleted; a %s without a name cannot be made in %s",
				 (const char *)r->var,
				 S_ISDIR(rec->mode) ? "directory" : "file", path);
	}
	revert_creds(saved);
	if (!IS_ERR(dir))
		fput(dir);
	if (!ret)
		ret = restore_inode_rename(r, path, file);
	kfree(path);
	if (!ret)
		return file;
	if (!IS_ERR_OR_NULL(file))
		fput(file);
	return ERR_PTR(ret);
}

/* A file that reads and writes the new inode, which is empty. */
static struct file *restore_empty_inode(struct ckpt_restart *rs,
					const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const struct ckpt_rec *hugetlb = ckpt_hugetlb_part(rs, rec->objref);
	unsigned long flags = VM_NORESERVE;
	struct file *file;

	if (hugetlb) {
		file = restore_empty_hugetlb(r, hugetlb);
	} else if (rec->kind == CKPT_INODE_UNLINKED) {
		return restore_unlinked(rs, r);
	} else if (rec->kind == CKPT_INODE_MEMFD) {
		file = shmem_file_setup(r->var, 0, flags);
	} else {
		if (!(rec->flags & CKPT_INODE_NORESERVE))
			flags = 0;
		file = shmem_kernel_file_setup("dev/zero", rec->size, flags);
	}
	if (IS_ERR(file)) {
		ckpt_bad(rs, r, PTR_ERR(file), "shared memory of %llu bytes cannot be made",
			 rec->size);
		return file;
	}
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	file->f_flags |= O_LARGEFILE;
	return file;
}

/* ---- restoring: what else there is to it ---------------------------------------------- */

/* As chown() and chmod() by the restarter, which may take bits away. */
static int restore_inode_rights(struct ckpt_restart *rs,
				const struct ckpt_rec *r, struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	struct inode *inode = file_inode(file);
	struct kstat st;
	int ret;

	/* The default of the directory, that of the file is another. */
	vfs_remove_acl(file_mnt_idmap(file), file->f_path.dentry,
		       XATTR_NAME_POSIX_ACL_ACCESS);
	ret = vfs_getattr(&file->f_path, &st, STATX_BASIC_STATS, 0);
	if (!ret && (rec->uid != from_kuid(current_user_ns(), st.uid) ||
		     rec->gid != from_kgid(current_user_ns(), st.gid)))
		ret = vfs_fchown(file, rec->uid, rec->gid);
	if (ret)
		return ckpt_bad(rs, r, ret, "%s cannot belong to %u:%u as it did",
				(const char *)r->var, rec->uid, rec->gid);
	if (inode->i_mode != rec->mode)
		ret = vfs_fchmod(file, rec->mode & S_IALLUGO);
	if (!ret && inode->i_mode != rec->mode)
		ret = -EPERM;
	return ret ? ckpt_bad(rs, r, ret, "%s cannot have its mode 0%o",
			      (const char *)r->var, rec->mode) : 0;
}

static int restore_inode_times(struct ckpt_restart *rs,
			       const struct ckpt_rec *r, struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	struct timespec64 times[2] = {
		{ rec->atime_sec, rec->atime_nsec },
		{ rec->mtime_sec, rec->mtime_nsec },
	};
	int ret = vfs_utimes(&file->f_path, times);

	return ret ? ckpt_bad(rs, r, ret, "%s cannot have its times",
			      (const char *)r->var) : 0;
}

/*
 * Mappings that may write and are older than F_SEAL_FUTURE_WRITE are still to
 * be made, see restore_inode_unseal().
 */
static int restore_inode_seals(struct ckpt_restart *rs,
			       const struct ckpt_rec *r, struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	long ret = 0;

	*ckpt_inode_seals(file) = 0;
	if (rec->seals)
		ret = memfd_fcntl(file, F_ADD_SEALS, rec->seals);
	return ret ? ckpt_bad(rs, r, ret, "%s cannot be sealed (0x%x)",
			      (const char *)r->var, rec->seals) : 0;
}

/* What has written is not to count as a writer of what may be executed. */
static int restore_inode_keeper(struct file **file)
{
	struct file *keeper;

	keeper = dentry_open(&(*file)->f_path, O_RDONLY | O_LARGEFILE,
			     current_cred());
	if (IS_ERR(keeper))
		return PTR_ERR(keeper);
	__fput_sync(*file);
	*file = keeper;
	return 0;
}

static int restore_inode_state(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       struct file **file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	bool is_dir = S_ISDIR(rec->mode);
	int ret = 0;

	if (!is_dir)
		ret = restore_inode_contents(rs, r, *file);
	if (ret || rec->kind == CKPT_INODE_ANON)
		return ret;
	ret = restore_xattrs(rs, r, *file);
	if (!ret)
		ret = restore_inode_rights(rs, r, *file);
	if (!ret)
		ret = restore_inode_times(rs, r, *file);
	if (!ret && rec->kind == CKPT_INODE_MEMFD)
		ret = restore_inode_seals(rs, r, *file);
	if (!ret && rec->kind == CKPT_INODE_UNLINKED && !is_dir)
		ret = restore_inode_keeper(file);
	return ret;
}

static void *restore_inode(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	u32 objref = ckpt_rec_as(r, inode)->objref;
	struct inode *inode;
	struct file *file;
	int ret;

	ret = restore_inode_check(rs, r);
	if (ret)
		return ERR_PTR(ret);
	file = restore_empty_inode(rs, r);
	if (IS_ERR(file))
		return file;
	ret = restore_inode_state(rs, r, &file);
	if (!ret)
		ret = xa_insert(&rs->inodes, objref, file, GFP_KERNEL_ACCOUNT);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	inode = file_inode(file);
	/* Mapping it is no access of the program; see restore_inodes_done(). */
	if (!(inode->i_flags & S_NOATIME)) {
		inode_set_flags(inode, S_NOATIME, S_NOATIME);
		xa_set_mark(&rs->inodes, objref, XA_MARK_1);
	}
	ihold(inode);
	return inode;
}

/**
 * restore_inodes - make all inodes that the image holds, with their contents
 * @rs: the restart
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_inodes(struct ckpt_restart *rs)
{
	struct ckpt_robj *obj;
	unsigned long objref;
	void *inode;

	xa_for_each(&rs->objs, objref, obj) {
		if (obj->rec->type != CKPT_REC_INODE)
			continue;
		inode = ckpt_obj_restore(rs, CKPT_OBJ_INODE, objref);
		if (IS_ERR(inode))
			return PTR_ERR(inode);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * restore_inode_file - open a file that no path leads to
 * @rs: the restart
 * @r: its FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_inode_file(struct ckpt_restart *rs,
				const struct ckpt_rec *r)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	int flags = rec->f_flags & ~(__O_TMPFILE | O_DIRECTORY | O_NOFOLLOW);
	struct file *keeper, *file;
	const struct ckpt_rec *of;
	void *inode;

	inode = ckpt_obj_restore(rs, CKPT_OBJ_INODE, rec->inode);
	if (IS_ERR(inode))
		return inode;
	keeper = xa_load(&rs->inodes, rec->inode);
	of = ckpt_obj_rec(rs, CKPT_OBJ_INODE, rec->inode);
	if (rec->flags & CKPT_FILE_F_PATH_ONLY)
		flags = O_PATH;
	if (S_ISDIR(file_inode(keeper)->i_mode) ?
	    !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY :
	    rec->flags & CKPT_FILE_F_PATH_ONLY)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "%s is opened as it cannot be (flags 0%o)",
					(const char *)of->var, rec->f_flags));
	if (rec->kind == CKPT_FILE_INODE) {
		file = dentry_open(&keeper->f_path, flags, current_cred());
	} else if (ckpt_rec_as(of, inode)->kind == CKPT_INODE_UNLINKED ||
		   (flags & (O_ACCMODE | O_PATH | O_DIRECT)) != O_RDWR) {
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL,
					"was not made with its inode (flags 0%o)",
					rec->f_flags));
	} else {
		file = alloc_file_clone(keeper, flags, keeper->f_op);
		if (!IS_ERR(file))
			file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	}
	if (IS_ERR(file)) {
		ckpt_bad(rs, r, PTR_ERR(file), "%s cannot be opened again (flags 0%o)",
			 (const char *)of->var, rec->f_flags);
		return file;
	}
	return file;
}

/**
 * restore_inode_keeps - is what is mapped an inode of the image?
 * @rs: the restart
 * @rec: the mapping
 * @file: what it maps
 *
 * Return: false also of a file of the restarter in its place.
 */
bool restore_inode_keeps(struct ckpt_restart *rs, const struct ckpt_rec_vma *rec,
			 struct file *file)
{
	const struct ckpt_rec *r = ckpt_obj_rec(rs, CKPT_OBJ_FILE, rec->file);
	struct file *keeper;

	keeper = IS_ERR(r) ? NULL :
		 xa_load(&rs->inodes, ckpt_rec_as(r, file)->inode);
	return keeper && file_inode(keeper) == file_inode(file);
}

/**
 * restore_inode_unseal - let a mapping be made that is older than a seal
 * @rs: the restart
 * @rec: the mapping
 * @file: what it maps
 *
 * F_SEAL_FUTURE_WRITE leaves mappings alone that may write already.
 *
 * Return: true if the seal is off; restore_inode_seal() puts it on again.
 */
bool restore_inode_unseal(struct ckpt_restart *rs,
			  const struct ckpt_rec_vma *rec, struct file *file)
{
	unsigned int *seals = ckpt_inode_seals(file);

	if (!seals || !restore_inode_keeps(rs, rec, file) ||
	    !(rec->flags & CKPT_VMA_MAYSHARE) ||
	    !(rec->flags & CKPT_VMA_MAYWRITE))
		return false;
	if ((*seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !=
	    F_SEAL_FUTURE_WRITE)
		return false;
	*seals &= ~F_SEAL_FUTURE_WRITE;
	return true;
}

/**
 * restore_inode_seal - put the seal on again
 * @file: what was mapped
 */
void restore_inode_seal(struct file *file)
{
	*ckpt_inode_seals(file) |= F_SEAL_FUTURE_WRITE;
}

/**
 * restore_inodes_done - let go of what has kept the inodes
 * @rs: the restart; the program does not run yet
 */
void restore_inodes_done(struct ckpt_restart *rs)
{
	struct file *file;
	unsigned long i;

	xa_for_each(&rs->inodes, i, file) {
		if (xa_get_mark(&rs->inodes, i, XA_MARK_1))
			inode_set_flags(file_inode(file), 0, S_NOATIME);
		__fput_sync(file);
	}
	xa_destroy(&rs->inodes);
}

const struct ckpt_obj_ops ckpt_ops_INODE = {
	.rec_type = CKPT_REC_INODE,
	.grab = ckpt_inode_grab,
	.drop = ckpt_inode_drop,
	.users = ckpt_inode_users,
	.restore = restore_inode,
};
