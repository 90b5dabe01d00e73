// SPDX-License-Identifier: GPL-2.0
/*
 * Restoring files that no path leads to, see inode.c.
 *
 * A restart makes all of them with their contents before anything else, so that
 * their payload comes first. Until it is done each is kept by a file of its own.
 */
#include <linux/checkpoint_fds.h>
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/posix_acl.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "checkpoint.h"

/* ---- what the record may say ----------------------------------------------- */

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

/* Only what was deleted may have no contents of its own. */
static bool restore_inode_mode_ok(const struct ckpt_rec_inode *rec)
{
	if (rec->mode & ~(S_IFMT | S_IALLUGO))
		return false;
	if (S_ISREG(rec->mode))
		return true;
	return (S_ISDIR(rec->mode) || S_ISFIFO(rec->mode)) &&
	       rec->kind == CKPT_INODE_UNLINKED && !rec->size;
}

static int restore_inode_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const struct ckpt_rec *hugetlb = ckpt_hugetlb_part(rs, rec->objref);
	const struct ckpt_robj *obj = xa_load(&rs->objs, rec->objref);
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
	/* The restarter may not be allowed to have them, but there they are. */
	if (rec->cred && IS_ERR(ckpt_obj_rec(rs, CKPT_OBJ_CRED, rec->cred)))
		return -EINVAL;
	if (rec->size > MAX_LFS_FILESIZE)
		return ckpt_bad(rs, r, -EINVAL, "size %llu", rec->size);
	if (rec->kind == CKPT_INODE_ANON)
		return 0;
	if (!restore_inode_mode_ok(rec))
		return ckpt_bad(rs, r, -EINVAL, "mode 0%o of kind %u, %llu bytes",
				rec->mode, rec->kind, rec->size);
	if (obj->part && !S_ISREG(rec->mode))
		return ckpt_bad(rs, obj->part, -EINVAL, "belongs to what has no contents");
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

/* ---- making it ------------------------------------------------------------- */

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

static int ckpt_make_node(const struct path *dir, struct dentry *dentry, umode_t mode)
{
	struct mnt_idmap *idmap = mnt_idmap(dir->mnt);
	struct inode *inode = d_inode(dir->dentry);
	int ret;

	/* What is made here could not be removed. */
	if (IS_APPEND(inode))
		return -EPERM;
	if (S_ISDIR(mode)) {
		ret = security_path_mkdir(dir, dentry, mode & 0777);
		return ret ?: vfs_mkdir(idmap, inode, dentry, mode & 0777);
	}
	ret = security_path_mknod(dir, dentry, mode, 0);
	return ret ?: vfs_mknod(idmap, inode, dentry, mode, 0);
}

/* A directory or FIFO cannot be made without a name: it has one for a moment. */
static struct file *ckpt_make_nameless(const struct path *dir, const char *name,
				       umode_t mode)
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
		ret = ckpt_make_node(dir, path.dentry, mode);
	if (ret)
		goto out_put;
	/* What keeps a FIFO is none of its ends. */
	file = dentry_open(&path, S_ISDIR(mode) ? O_RDONLY | O_LARGEFILE : O_PATH,
			   current_cred());
	ret = S_ISDIR(mode) ? vfs_rmdir(idmap, inode, path.dentry) :
			      vfs_unlink(idmap, inode, path.dentry, NULL);
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

	if (!S_ISREG(rec->mode)) {
		snprintf(name, sizeof(name), ".ckpt-%d-%u", task_pid_nr(current),
			 rec->objref);
		return ckpt_make_nameless(dir, name, (rec->mode & S_IFMT) | 0700);
	}
	if (!(rec->flags & CKPT_INODE_LINKABLE))
		flags |= O_EXCL;
	return file_open_root(dir, "", flags, 0600);
}

static const char *ckpt_type_name(umode_t mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISFIFO(mode) ? "FIFO" : "file";
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
				 (const char *)r->var, ckpt_type_name(rec->mode), path);
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

/* ---- what else there is to it ---------------------------------------------- */

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
	bool is_reg = S_ISREG(file_inode(*file)->i_mode);
	int ret = 0;

	if (is_reg)
		ret = restore_inode_policies(rs, r, *file) ?:
		      restore_inode_contents(rs, r, *file);
	if (ret || rec->kind == CKPT_INODE_ANON)
		return ret;
	ret = restore_xattrs(rs, r, *file);
	if (!ret)
		ret = restore_inode_rights(rs, r, *file);
	if (!ret)
		ret = restore_inode_times(rs, r, *file);
	if (!ret && rec->kind == CKPT_INODE_MEMFD)
		ret = restore_inode_seals(rs, r, *file);
	if (!ret && rec->kind == CKPT_INODE_UNLINKED && is_reg)
		ret = restore_inode_keeper(file);
	return ret;
}

/**
 * restore_inode - make an inode that the image holds
 * @rs: the restart
 * @r: its record
 *
 * Return: the inode, which rs->inodes keeps, with a reference, or an ERR_PTR().
 */
void *restore_inode(struct ckpt_restart *rs, const struct ckpt_rec *r)
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

/* ---- for others ------------------------------------------------------------ */

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

	if (!test_bit(CKPT_REC_INODE, rs->met))
		return 0;
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
	bool is_dir, is_fifo;
	void *inode;

	inode = ckpt_obj_restore(rs, CKPT_OBJ_INODE, rec->inode);
	if (IS_ERR(inode))
		return inode;
	keeper = xa_load(&rs->inodes, rec->inode);
	of = ckpt_obj_rec(rs, CKPT_OBJ_INODE, rec->inode);
	if (rec->flags & CKPT_FILE_F_PATH_ONLY)
		flags = O_PATH;
	/* A location is a directory, and no directory is written to. */
	is_dir = S_ISDIR(file_inode(keeper)->i_mode);
	/* An end of a FIFO is of another kind. */
	is_fifo = S_ISFIFO(file_inode(keeper)->i_mode);
	if ((!is_dir && (rec->flags & CKPT_FILE_F_PATH_ONLY)) ||
	    (is_fifo && !(flags & O_PATH)) ||
	    (is_dir && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY))
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
	if (IS_ERR(file))
		ckpt_bad(rs, r, PTR_ERR(file), "%s cannot be opened again (flags 0%o)",
			 (const char *)of->var, rec->f_flags);
	return file;
}

/**
 * restore_inode_fifo - open a FIFO that no path leads to
 * @rs: the restart
 * @r: the FILE record of an end
 * @flags: O_*; with O_NONBLOCK
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_inode_fifo(struct ckpt_restart *rs, const struct ckpt_rec *r,
				int flags)
{
	u32 objref = ckpt_rec_as(r, file)->inode;
	struct file *keeper, *file;
	const char *name;
	void *inode;

	inode = ckpt_obj_restore(rs, CKPT_OBJ_INODE, objref);
	if (IS_ERR(inode))
		return inode;
	keeper = xa_load(&rs->inodes, objref);
	name = ckpt_obj_rec(rs, CKPT_OBJ_INODE, objref)->var;
	if (!S_ISFIFO(file_inode(keeper)->i_mode))
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "%s is no FIFO", name));
	flags &= ~(__O_TMPFILE | O_DIRECTORY | O_NOFOLLOW);
	file = dentry_open(&keeper->f_path, flags, current_cred());
	if (IS_ERR(file))
		ckpt_bad(rs, r, PTR_ERR(file), "%s cannot be opened again (flags 0%o)",
			 name, flags);
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
