// SPDX-License-Identifier: GPL-2.0
/*
 * File tables, and root and working directory.
 */
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/magic.h>
#include <linux/path.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "checkpoint.h"

/* ---- file tables ----------------------------------------------------------- */

/**
 * ckpt_check_files - find what keeps a file table from being saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_files(struct ckpt_ctx *ctx, struct task_struct *t)
{
	unsigned int fd = 0;
	struct file *file;

	for (;; fd++) {
		rcu_read_lock();
		file = task_lookup_next_fdget_rcu(t, &fd);
		rcu_read_unlock();
		if (!file)
			return;
		ckpt_check_file(ctx, t, file, "fd %u", fd);
		fput(file);
		cond_resched();
	}
}

struct ckpt_fd_list {
	struct ckpt_fd *fds;
	struct file **files;
	unsigned int nr;
};

/**
 * ckpt_next_fd - the next open descriptor of a file table
 * @files: the table; the caller has a reference
 * @fd: where to begin; out: the descriptor
 *
 * Return: its file, with a reference, or NULL if there is none.
 */
struct file *ckpt_next_fd(struct files_struct *files, unsigned int *fd)
{
	struct file *file = NULL;
	struct fdtable *fdt;

	spin_lock(&files->file_lock);
	fdt = files_fdtable(files);
	for (; *fd < fdt->max_fds; ++*fd) {
		*fd = find_next_bit(fdt->open_fds, fdt->max_fds, *fd);
		file = *fd < fdt->max_fds ? files_lookup_fd_locked(files, *fd) : NULL;
		if (file) {
			get_file(file);
			break;
		}
	}
	spin_unlock(&files->file_lock);
	return file;
}

static void ckpt_fd_list_free(struct ckpt_fd_list *list)
{
	while (list->nr)
		fput(list->files[--list->nr]);
	kvfree(list->files);
	kvfree(list->fds);
}

/* All descriptors at one moment, each file under a reference. */
static int ckpt_fd_list_get(struct files_struct *files,
			    struct ckpt_fd_list *list)
{
	unsigned int room = 0, fd;
	struct fdtable *fdt;

again:
	kvfree(list->fds);
	kvfree(list->files);
	*list = (struct ckpt_fd_list) {};
	list->fds = kvcalloc(room ?: 1, sizeof(*list->fds), GFP_KERNEL_ACCOUNT);
	list->files = kvcalloc(room ?: 1, sizeof(*list->files),
			       GFP_KERNEL_ACCOUNT);
	if (!list->fds || !list->files) {
		ckpt_fd_list_free(list);
		return -ENOMEM;
	}

	spin_lock(&files->file_lock);
	fdt = files_fdtable(files);
	fd = bitmap_weight(fdt->open_fds, fdt->max_fds);
	if (fd > room) {
		spin_unlock(&files->file_lock);
		room = fd;
		goto again;
	}
	for_each_set_bit(fd, fdt->open_fds, fdt->max_fds) {
		struct file *file = rcu_dereference_protected(fdt->fd[fd],
					lockdep_is_held(&files->file_lock));
		struct ckpt_fd *e = &list->fds[list->nr];

		/* Reserved, nothing installed: nobody will, frozen as they are. */
		if (!file)
			continue;
		e->fd = fd;
		if (test_bit(fd, fdt->close_on_exec))
			e->flags = CKPT_FD_CLOEXEC;
		list->files[list->nr++] = get_file(file);
	}
	spin_unlock(&files->file_lock);
	return 0;
}

static int checkpoint_files(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct ckpt_fd_list list = {};
	struct ckpt_rec_files *rec;
	unsigned int i;
	int ret;

	ret = ckpt_fd_list_get(ptr, &list);
	if (ret)
		return ret;
	for (i = 0; i < list.nr; i++) {
		list.fds[i].file = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE,
						       list.files[i], &ret);
		cond_resched();
	}
	if (ret)
		goto out;
	rec = ckpt_rec_new(ctx, files, CKPT_REC_FILES,
			   array_size(list.nr, sizeof(*list.fds)));
	if (!rec) {
		ret = -ENOMEM;
		goto out;
	}
	rec->objref = objref;
	rec->nr_fds = list.nr;
	memcpy(ckpt_rec_var(rec), list.fds, list.nr * sizeof(*list.fds));
out:
	ckpt_fd_list_free(&list);
	return ret;
}

static int ckpt_collect_files(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_fd_list list = {};
	struct ckpt_obj *obj;
	unsigned int i;
	int err;

	err = ckpt_fd_list_get(ptr, &list);
	if (err)
		return err;
	for (i = 0; i < list.nr; i++) {
		obj = ckpt_obj_collect(ctx, CKPT_OBJ_FILE, list.files[i], 1,
				       &err);
		if (obj)
			ckpt_inode_in_use(ctx, obj);
		cond_resched();
	}
	ckpt_fd_list_free(&list);
	return err;
}

static long ckpt_files_users(void *ptr)
{
	return atomic_read(&((struct files_struct *)ptr)->count);
}

static void ckpt_files_grab(void *ptr)
{
	atomic_inc(&((struct files_struct *)ptr)->count);
}

static void ckpt_files_drop(void *ptr)
{
	put_files_struct(ptr);
}

/*
 * Descriptors are replaced by their number in the root task, whose table comes
 * first. In other tables that goes for the same open file.
 */
static struct ckpt_inherit *ckpt_inherited(struct ckpt_restart *rs,
					   const struct ckpt_fd *fd)
{
	struct ckpt_inherit *in;
	unsigned int i;

	for (i = 0; i < rs->nr_inherit; i++) {
		in = &rs->inherit[i];
		if (rs->me->index == 0 && !in->key && in->saved_fd == fd->fd)
			in->objref = fd->file;
		else if (rs->me->index == 0 || in->key || in->objref != fd->file)
			continue;
		return in;
	}
	return NULL;
}

/* The files of all descriptors, ready to be installed. */
static int restore_fd_files(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    struct file **files)
{
	const struct ckpt_rec_files *rec = ckpt_rec_as(r, files);
	const struct ckpt_fd *fds = r->var;
	struct ckpt_inherit *in;
	u32 i;

	for (i = 0; i < rec->nr_fds; i++) {
		struct file *file;

		if (fds[i].fd >= INT_MAX || fds[i].flags & ~CKPT_FD_CLOEXEC ||
		    fds[i].__reserved || (i && fds[i].fd <= fds[i - 1].fd))
			return ckpt_bad(rs, r, -EINVAL, "descriptor %u is out of order", fds[i].fd);
		in = ckpt_inherited(rs, &fds[i]);
		if (in) {
			int ret = restore_inherited_check(rs, fds[i].file, in->file);

			if (ret)
				return ret;
			in->used = true;
			files[i] = get_file(in->file);
			continue;
		}
		file = ckpt_obj_restore(rs, CKPT_OBJ_FILE, fds[i].file);
		if (IS_ERR(file)) {
			ckpt_log(&rs->log,
				 "descriptor %u could not be restored; --inherit-fd %u=... would put another file in its place",
				 fds[i].fd, fds[i].fd);
			return PTR_ERR(file);
		}
		/* NULL: the log of the checkpoint, and this call has none. */
		files[i] = file ? get_file(file) : NULL;
		cond_resched();
	}
	return 0;
}

/*
 * Puts the files into @table, which is current's for that while: only so can a
 * table grow. The limit of the restarter does not count here: the program may
 * have lowered it after opening the files.
 */
static int restore_fd_install(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct files_struct *table, struct file **files)
{
	const struct ckpt_rec_files *rec = ckpt_rec_as(r, files);
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_NOFILE];
	struct files_struct *old = current->files;
	const struct ckpt_fd *fds = r->var;
	unsigned long limit = rlim->rlim_cur;
	u32 i, last = 0;
	int ret = 0;

	if (rec->nr_fds)
		last = fds[rec->nr_fds - 1].fd;
	if (last >= rlim->rlim_max && !capable(CAP_SYS_RESOURCE))
		return ckpt_bad(rs, r, -EPERM,
				"descriptor %u is above your limit of open files (ulimit -Hn)",
				last);

	task_lock(current);
	current->files = table;
	rlim->rlim_cur = max_t(unsigned long, limit, last + 1UL);
	task_unlock(current);
	/* dup_fd() copies whole words of descriptors. */
	for (i = 0; i < BITS_PER_LONG; i++)
		close_fd(i);
	for (i = 0; i < rec->nr_fds && !ret; i++) {
		if (!files[i])
			continue;
		ret = replace_fd(fds[i].fd, files[i],
				 fds[i].flags & CKPT_FD_CLOEXEC ? O_CLOEXEC : 0);
		ret = min(ret, 0);
		cond_resched();
	}
	task_lock(current);
	current->files = old;
	rlim->rlim_cur = limit;
	task_unlock(current);
	return ret ? ckpt_bad(rs, r, ret, "descriptor %u cannot be installed",
			      fds[i - 1].fd) : 0;
}

static void *restore_files(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct fd_range everything = { 0, UINT_MAX };
	const struct ckpt_rec_files *rec;
	struct files_struct *table;
	struct file **files;
	int ret;
	u32 i;

	rec = ckpt_rec_as(r, files);
	if (r->var_len / sizeof(struct ckpt_fd) < rec->nr_fds)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "%u descriptors do not fit", rec->nr_fds));

	files = kvcalloc(rec->nr_fds ?: 1, sizeof(*files), GFP_KERNEL_ACCOUNT);
	if (!files)
		return ERR_PTR(-ENOMEM);
	/* Empty, but for what restore_fd_install() closes. */
	table = dup_fd(current->files, &everything);
	if (IS_ERR(table))
		goto out;

	ret = restore_fd_files(rs, r, files);
	if (!ret)
		ret = restore_fd_install(rs, r, table, files);
	if (ret) {
		put_files_struct(table);
		table = ERR_PTR(ret);
	}
out:
	for (i = 0; i < rec->nr_fds; i++)
		if (files[i])
			fput(files[i]);
	kvfree(files);
	return table;
}

const struct ckpt_obj_ops ckpt_ops_FILES = {
	.rec_type = CKPT_REC_FILES,
	.grab = ckpt_files_grab,
	.drop = ckpt_files_drop,
	.users = ckpt_files_users,
	.collect = ckpt_collect_files,
	.checkpoint = checkpoint_files,
	.restore = restore_files,
};

/**
 * ckpt_grab_tables - take hold of what a task has of files
 * @t: the task, frozen; SIGKILL may take them away at any time
 * @files: out, its file table with a reference, or NULL
 * @fs: out, likewise root and working directory
 */
void ckpt_grab_tables(struct task_struct *t, struct files_struct **files,
		      struct fs_struct **fs)
{
	task_lock(t);
	*files = t->files;
	if (*files)
		ckpt_ops_FILES.grab(*files);
	*fs = t->fs;
	if (*fs)
		ckpt_ops_FS.grab(*fs);
	task_unlock(t);
}

/**
 * ckpt_drop_tables - let go of what ckpt_grab_tables() took
 * @files: file table, or NULL
 * @fs: root and working directory, or NULL
 */
void ckpt_drop_tables(struct files_struct *files, struct fs_struct *fs)
{
	if (fs)
		ckpt_ops_FS.drop(fs);
	if (files)
		ckpt_ops_FILES.drop(files);
}

/* ---- root and working directory --------------------------------------------- */

/* A directory that is saved by more than its path, or NULL. Goes at once: it is counted. */
static struct file *ckpt_cwd_file(struct ckpt_ctx *ctx, const struct path *path)
{
	struct file *file;

	if (!d_unlinked(path->dentry) && path->dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return NULL;
	file = dentry_open(path, O_PATH, current_cred());
	if (IS_ERR(file))
		return NULL;
	if (ckpt_is_inode(ctx, file) || ckpt_is_proc(ctx, file))
		return file;
	__fput_sync(file);
	return NULL;
}

static const char *ckpt_cwd_problem(struct ckpt_ctx *ctx, const struct path *cwd,
				    const struct path *root)
{
	struct file *file = ckpt_cwd_file(ctx, cwd);
	const char *why = NULL;

	if (file && ckpt_is_inode(ctx, file)) {
		why = ckpt_inode_problem(ctx, file);
	} else {
		if (file)
			why = ckpt_proc_problem(ctx, file);
		why = why ?: ckpt_path_problem(ctx, cwd, root);
	}
	if (file)
		__fput_sync(file);
	return why;
}

/**
 * ckpt_check_fs - find what keeps root and working directory from being saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_fs(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct path mine, root = {}, cwd = {};
	const char *why = NULL;

	task_lock(t);
	if (t->fs) {
		get_fs_root(t->fs, &root);
		get_fs_pwd(t->fs, &cwd);
	}
	task_unlock(t);
	if (!root.mnt)
		return;

	get_fs_root(current->fs, &mine);
	if (!path_equal(&root, &mine))
		ckpt_refuse(ctx, t,
			    "has another root directory than you (chroot), which cannot be saved yet");
	else
		why = ckpt_cwd_problem(ctx, &cwd, &root);
	if (why)
		ckpt_refuse(ctx, t, "is in the directory %s, which %s",
			    ckpt_log_path(&ctx->log, &cwd), why);
	path_put(&mine);
	path_put(&root);
	path_put(&cwd);
}

static int checkpoint_fs(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct fs_struct *fs = ptr;
	u32 root_ref = 0, cwd_ref = 0;
	struct ckpt_rec_fs *rec;
	struct path root, cwd;
	int ret;

	get_fs_root(fs, &root);
	get_fs_pwd(fs, &cwd);
	ret = checkpoint_path(ctx, &root, &ctx->root, &root_ref);
	if (!ret)
		ret = checkpoint_path(ctx, &cwd, &root, &cwd_ref);
	path_put(&root);
	path_put(&cwd);
	if (ret)
		return ret;

	rec = ckpt_rec_new(ctx, fs, CKPT_REC_FS, 0);
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->umask = fs->umask;
	rec->root = root_ref;
	rec->cwd = cwd_ref;
	return 0;
}

static int ckpt_collect_fs(struct ckpt_ctx *ctx, void *ptr)
{
	struct file *file;
	struct path cwd;
	int ret = 0;

	get_fs_pwd(ptr, &cwd);
	file = ckpt_cwd_file(ctx, &cwd);
	if (file) {
		if (ckpt_is_inode(ctx, file))
			ret = ckpt_collect_inode(ctx, file);
		__fput_sync(file);
	}
	path_put(&cwd);
	return ret;
}

static long ckpt_fs_users(void *ptr)
{
	return READ_ONCE(((struct fs_struct *)ptr)->users);
}

static void ckpt_fs_grab(void *ptr)
{
	struct fs_struct *fs = ptr;

	spin_lock(&fs->lock);
	fs->users++;
	spin_unlock(&fs->lock);
}

static void ckpt_fs_drop(void *ptr)
{
	struct fs_struct *fs = ptr;
	bool last;

	spin_lock(&fs->lock);
	last = !--fs->users;
	spin_unlock(&fs->lock);
	if (last)
		free_fs_struct(fs);
}

static void *restore_fs(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_fs *rec;
	struct file *root, *cwd;
	struct fs_struct *fs;

	rec = ckpt_rec_as(r, fs);
	if (rec->umask & ~0777)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "umask 0%o", rec->umask));
	root = ckpt_obj_restore(rs, CKPT_OBJ_LOCATION, rec->root);
	if (IS_ERR(root))
		return ERR_CAST(root);
	if (!path_equal(&root->f_path, &rs->root))
		return ERR_PTR(ckpt_bad(rs, r, -EOPNOTSUPP,
					"another root directory cannot be restored yet"));
	cwd = ckpt_obj_restore(rs, CKPT_OBJ_LOCATION, rec->cwd);
	if (IS_ERR(cwd))
		return ERR_CAST(cwd);
	/* Whoever looks for a relative path takes that for granted. */
	if (!d_can_lookup(cwd->f_path.dentry))
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "the working directory is no directory"));

	fs = copy_fs_struct(current->fs);
	if (!fs)
		return ERR_PTR(-ENOMEM);
	set_fs_root(fs, &root->f_path);
	set_fs_pwd(fs, &cwd->f_path);
	fs->umask = rec->umask;
	return fs;
}

const struct ckpt_obj_ops ckpt_ops_FS = {
	.rec_type = CKPT_REC_FS,
	.grab = ckpt_fs_grab,
	.drop = ckpt_fs_drop,
	.collect = ckpt_collect_fs,
	.users = ckpt_fs_users,
	.checkpoint = checkpoint_fs,
	.restore = restore_fs,
};
