// SPDX-License-Identifier: GPL-2.0
/*
 * Locks of files that are held: POSIX locks (of a file table), OFD locks, those
 * of flock(), and leases (of an open file).
 *
 * They are taken again before the point of no return, without waiting: what
 * somebody else has locked meanwhile refuses the restart. Who waits for a lock
 * has none; his call begins anew.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "checkpoint.h"

/* Locks in one record: 1 MiB. */
#define CKPT_LOCKS_MAX	32768U

/* ---- saving --------------------------------------------------------------- */

static const char *ckpt_posix_problem(struct ckpt_ctx *ctx,
				      struct file_lock_context *flctx,
				      const struct files_struct *table)
{
	const char *why = NULL;
	struct ckpt_obj *obj;
	struct file_lock *fl;

	lockdep_assert_held(&flctx->flc_lock);
	for_each_file_lock(fl, &flctx->flc_posix) {
		if (fl->c.flc_owner != table)
			continue;
		/*
		 * No program gets there: whatever closes a descriptor takes
		 * away all locks that the table has on the file, by whichever
		 * open file they are; a lock that is taken just then goes, too
		 * (fcntl_setlk()), and so do those of a table that goes. Only
		 * the server of a file could leave one behind; it would not be
		 * written, as locks are looked for by descriptors.
		 */
		obj = ckpt_obj_find_typed(ctx, fl->c.flc_file, CKPT_OBJ_FILE);
		if (!obj || !obj->has_fd)
			why = "has a POSIX lock that its file system has not taken away";
	}
	return why;
}

/* Those of file servers are no leases of F_SETLEASE. */
static const char *ckpt_lease_problem(const struct file_lease *lease)
{
	if (!(lease->c.flc_flags & FL_LEASE) || !lease->fl_fasync)
		return "has a delegation or layout, which cannot be saved yet";
	if (lease->c.flc_flags & (FL_UNLOCK_PENDING | FL_DOWNGRADE_PENDING))
		return "has a lease that is just being broken";
	return NULL;
}

/**
 * ckpt_locks_problem - what of the locks of a file cannot be saved
 * @ctx: the checkpoint
 * @t: a task that uses it
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_locks_problem(struct ckpt_ctx *ctx, struct task_struct *t,
			       struct file *file)
{
	struct file_lock_context *flctx = locks_inode_context(file_inode(file));
	struct file_lease *lease;
	const char *why;

	if (!flctx)
		return NULL;
	spin_lock(&flctx->flc_lock);
	why = t->files ? ckpt_posix_problem(ctx, flctx, t->files) : NULL;
	list_for_each_entry(lease, &flctx->flc_lease, c.flc_list)
		if (lease->c.flc_file == file)
			why = why ?: ckpt_lease_problem(lease);
	spin_unlock(&flctx->flc_lock);
	return why;
}

/**
 * struct ckpt_lock_list - locks on their way into records
 * @ctx: the checkpoint
 * @locks: the locks
 * @nr: their number; more than @room if they did not fit
 * @room: of @locks
 */
struct ckpt_lock_list {
	struct ckpt_ctx *ctx;
	struct ckpt_lock *locks;
	size_t nr;
	size_t room;
};

static void ckpt_note_lock(struct ckpt_lock_list *list, enum ckpt_lock_kind kind,
			   const struct file_lock_core *flc, loff_t start,
			   loff_t end, unsigned int fd)
{
	void *task = xa_load(&list->ctx->task_index, flc->flc_pid);

	if (list->nr++ >= list->room)
		return;
	list->locks[list->nr - 1] = (struct ckpt_lock) {
		.kind	= kind,
		.type	= flc->flc_type,
		.fd	= fd,
		.task	= task ? xa_to_value(task) : CKPT_LOCK_NO_TASK,
		.start	= start,
		.end	= end,
	};
}

static void ckpt_note_lease(struct ckpt_lock_list *list, const struct file_lease *lease)
{
	if (lease->fl_fasync)
		ckpt_note_lock(list, CKPT_LOCK_LEASE, &lease->c, 0, OFFSET_MAX,
			       lease->fl_fasync->fa_fd);
}

/* Those of @table by @file, its descriptor @fd; without @table those of @file. */
static void ckpt_note_locks(struct ckpt_lock_list *list, struct file *file,
			    const struct files_struct *table, unsigned int fd)
{
	struct file_lock_context *flctx = locks_inode_context(file_inode(file));
	struct file_lease *lease;
	struct file_lock *fl;

	if (!flctx)
		return;
	spin_lock(&flctx->flc_lock);
	for_each_file_lock(fl, &flctx->flc_posix) {
		if (fl->c.flc_file != file)
			continue;
		if (table && fl->c.flc_owner == table)
			ckpt_note_lock(list, CKPT_LOCK_POSIX, &fl->c,
				       fl->fl_start, fl->fl_end, fd);
		else if (!table && fl->c.flc_owner == file)
			ckpt_note_lock(list, CKPT_LOCK_OFD, &fl->c,
				       fl->fl_start, fl->fl_end, 0);
	}
	for_each_file_lock(fl, &flctx->flc_flock)
		if (!table && fl->c.flc_file == file)
			ckpt_note_lock(list, CKPT_LOCK_FLOCK, &fl->c, 0,
				       OFFSET_MAX, 0);
	list_for_each_entry(lease, &flctx->flc_lease, c.flc_list)
		if (!table && lease->c.flc_file == file)
			ckpt_note_lease(list, lease);
	spin_unlock(&flctx->flc_lock);
}

static int ckpt_add_locks(struct ckpt_lock_list *list, struct file *file,
			  const struct files_struct *table, unsigned int fd)
{
	size_t nr = list->nr;
	struct ckpt_lock *locks;

	for (;;) {
		list->nr = nr;
		ckpt_note_locks(list, file, table, fd);
		if (list->nr <= list->room)
			return 0;
		locks = kvmalloc_array(2 * list->nr, sizeof(*locks),
				       GFP_KERNEL_ACCOUNT);
		if (!locks)
			return -ENOMEM;
		if (nr)
			memcpy(locks, list->locks, nr * sizeof(*locks));
		kvfree(list->locks);
		list->locks = locks;
		list->room = 2 * list->nr;
	}
}

static int ckpt_put_locks(struct ckpt_lock_list *list, u32 owner)
{
	struct ckpt_rec_locks *rec;
	size_t done, nr;

	for (done = 0; done < list->nr; done += nr) {
		nr = min_t(size_t, list->nr - done, CKPT_LOCKS_MAX);
		rec = ckpt_rec_new(list->ctx, locks, CKPT_REC_LOCKS,
				   nr * sizeof(*list->locks));
		if (!rec)
			return -ENOMEM;
		rec->owner = owner;
		rec->nr_locks = nr;
		memcpy(ckpt_rec_var(rec), list->locks + done,
		       nr * sizeof(*list->locks));
	}
	list->nr = 0;
	return 0;
}

/**
 * ckpt_is_output - is this the image or the log, which a restart brings along?
 * @ctx: the checkpoint
 * @file: an open file, or another object
 *
 * Return: true if it is.
 */
bool ckpt_is_output(struct ckpt_ctx *ctx, const void *file)
{
	return file == ctx->out.file || file == ctx->log.file;
}

/* A descriptor of each open file of the table is enough. */
static int ckpt_add_table_locks(struct ckpt_lock_list *list,
				struct files_struct *table)
{
	size_t before;
	struct xarray seen;
	struct file *file;
	unsigned int fd;
	int ret = 0;

	xa_init_flags(&seen, XA_FLAGS_ACCOUNT);
	for (fd = 0; !ret; fd++) {
		file = ckpt_next_fd(table, &fd);
		if (!file)
			break;
		before = list->nr;
		if (!ckpt_is_output(list->ctx, file) &&
		    !xa_load(&seen, (unsigned long)file))
			ret = ckpt_add_locks(list, file, table, fd);
		if (list->nr != before)
			ret = ret ?: xa_err(xa_store(&seen, (unsigned long)file,
						     xa_mk_value(0),
						     GFP_KERNEL_ACCOUNT));
		fput(file);
		cond_resched();
	}
	xa_destroy(&seen);
	return ret;
}

static int ckpt_put_locks_of(struct ckpt_lock_list *list, enum ckpt_obj_type type)
{
	struct ckpt_ctx *ctx = list->ctx;
	struct ckpt_obj *obj;
	int ret;

	ckpt_for_each_obj(ctx, type, obj) {
		if (!obj->written || ckpt_is_output(ctx, obj->ptr))
			continue;
		ret = type == CKPT_OBJ_FILES ?
		      ckpt_add_table_locks(list, obj->ptr) :
		      ckpt_add_locks(list, obj->ptr, NULL, 0);
		if (!ret)
			ret = ckpt_put_locks(list, obj->objref);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * checkpoint_locks - write the locks of all files
 * @ctx: the checkpoint; all that tasks have is written
 *
 * Those of the image and of the log are not looked at.
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_locks(struct ckpt_ctx *ctx)
{
	struct ckpt_lock_list list = { .ctx = ctx };
	int ret;

	ret = ckpt_put_locks_of(&list, CKPT_OBJ_FILES);
	if (!ret)
		ret = ckpt_put_locks_of(&list, CKPT_OBJ_FILE);
	kvfree(list.locks);
	return ret;
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * struct ckpt_locker - who takes a lock
 * @rs: the restart
 * @r: the record
 * @file: by this file
 * @owner: for whom
 * @l: the lock
 */
struct ckpt_locker {
	struct ckpt_restart *rs;
	const struct ckpt_rec *r;
	struct file *file;
	void *owner;
	const struct ckpt_lock *l;
};

static const char *ckpt_lock_name(const struct ckpt_lock *l)
{
	switch (l->kind) {
	case CKPT_LOCK_POSIX:
		return l->type == F_RDLCK ? "POSIX lock for reading" :
					    "POSIX lock for writing";
	case CKPT_LOCK_OFD:
		return l->type == F_RDLCK ? "OFD lock for reading" :
					    "OFD lock for writing";
	case CKPT_LOCK_LEASE:
		return l->type == F_RDLCK ? "lease for reading" : "lease for writing";
	}
	return l->type == F_RDLCK ? "flock() in common" : "flock()";
}

static int restore_lock_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      const struct ckpt_lock *l, bool of_table)
{
	bool posix = l->kind == CKPT_LOCK_POSIX;
	struct ckpt_member *m;

	if (l->kind < CKPT_LOCK_POSIX || l->kind > CKPT_LOCK_LEASE ||
	    (l->type != F_RDLCK && l->type != F_WRLCK))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown kind of lock %u, type %u",
				l->kind, l->type);
	if (posix != of_table)
		return ckpt_bad(rs, r, -EINVAL, "a %s of the wrong owner", ckpt_lock_name(l));
	if (l->start < 0 || l->end < l->start ||
	    (l->kind >= CKPT_LOCK_FLOCK && (l->start || l->end != OFFSET_MAX)) ||
	    l->fd > INT_MAX ||
	    ((l->kind == CKPT_LOCK_OFD || l->kind == CKPT_LOCK_FLOCK) && l->fd))
		return ckpt_bad(rs, r, -EINVAL, "a %s of bytes %lld to %lld, descriptor %u",
				ckpt_lock_name(l), l->start, l->end, l->fd);
	m = l->task == CKPT_LOCK_NO_TASK ? NULL : ckpt_member(rs, l->task);
	if (l->task != CKPT_LOCK_NO_TASK && (!m || !ckpt_is_leader(m)))
		return ckpt_bad(rs, r, -EINVAL, "a lock of task %u, which is no process",
				l->task);
	return 0;
}

/* As the system calls have it. */
static bool ckpt_may_lock(const struct ckpt_locker *lk)
{
	fmode_t mode = lk->file->f_mode;

	if (lk->l->kind >= CKPT_LOCK_FLOCK)
		return mode & (FMODE_READ | FMODE_WRITE);
	return mode & (lk->l->type == F_RDLCK ? FMODE_READ : FMODE_WRITE);
}

static void ckpt_fill_lock(const struct ckpt_locker *lk, struct file_lock *fl)
{
	static const unsigned int flags[] = {
		[CKPT_LOCK_POSIX]	= FL_POSIX,
		[CKPT_LOCK_OFD]		= FL_POSIX | FL_OFDLCK,
		[CKPT_LOCK_FLOCK]	= FL_FLOCK,
	};
	u32 task = lk->l->task == CKPT_LOCK_NO_TASK ? 0 : lk->l->task;

	fl->c.flc_file = lk->file;
	fl->c.flc_owner = lk->owner;
	fl->c.flc_flags = flags[lk->l->kind];
	fl->c.flc_type = lk->l->type;
	fl->c.flc_pid = task_tgid_nr(ckpt_member_task(ckpt_member(lk->rs, task)));
	fl->fl_start = lk->l->start;
	fl->fl_end = lk->l->end;
}

/* Pid (of the machine) of somebody who has a lock that is in the way, or 0. */
static pid_t ckpt_flock_holder(const struct ckpt_locker *lk)
{
	struct file_lock_context *flctx;
	struct file_lock *fl;
	pid_t pid = 0;

	flctx = locks_inode_context(file_inode(lk->file));
	if (!flctx)
		return 0;
	spin_lock(&flctx->flc_lock);
	for_each_file_lock(fl, &flctx->flc_flock)
		if (fl->c.flc_file != lk->file &&
		    (lk->l->type == F_WRLCK || fl->c.flc_type == F_WRLCK))
			pid = fl->c.flc_pid;
	spin_unlock(&flctx->flc_lock);
	return pid;
}

static pid_t ckpt_posix_holder(const struct ckpt_locker *lk)
{
	struct file_lock *fl = locks_alloc_lock();
	pid_t pid = 0;

	if (!fl)
		return 0;
	ckpt_fill_lock(lk, fl);
	if (!vfs_test_lock(lk->file, fl) && fl->c.flc_type != F_UNLCK)
		pid = fl->c.flc_pid;
	locks_free_lock(fl);
	return pid;
}

static int ckpt_lock_taken(const struct ckpt_locker *lk)
{
	const char *path = ckpt_log_path(&lk->rs->log, &lk->file->f_path);
	const struct ckpt_lock *l = lk->l;
	pid_t pid, seen;

	pid = l->kind == CKPT_LOCK_FLOCK ? ckpt_flock_holder(lk) :
					   ckpt_posix_holder(lk);
	rcu_read_lock();
	/* Negative: on another machine. */
	seen = pid > 0 ? pid_vnr(find_pid_ns(pid, &init_pid_ns)) : pid;
	rcu_read_unlock();
	if (l->kind == CKPT_LOCK_FLOCK)
		return ckpt_bad(lk->rs, lk->r, -EBUSY,
				"%s: the %s is in conflict with that of pid %d",
				path, ckpt_lock_name(l), seen);
	return ckpt_bad(lk->rs, lk->r, -EBUSY,
			"%s: the %s of bytes %lld to %lld is in conflict with that of pid %d",
			path, ckpt_lock_name(l), l->start, l->end, seen);
}

static int ckpt_take_lock(const struct ckpt_locker *lk)
{
	struct file *file = lk->file;
	struct file_lock *fl;
	int ret;

	fl = locks_alloc_lock();
	if (!fl)
		return -ENOMEM;
	ckpt_fill_lock(lk, fl);
	ret = security_file_lock(file, lk->l->type);
	if (ret)
		goto out;
	/* None of them sleeps until the lock is free: FL_SLEEP is not set. */
	if (lk->l->kind != CKPT_LOCK_FLOCK)
		ret = vfs_lock_file(file, F_SETLK, fl, NULL);
	else if (file->f_op->flock)
		ret = file->f_op->flock(file, F_SETLK, fl);
	else
		ret = locks_lock_file_wait(file, fl);
out:
	locks_free_lock(fl);
	return ret;
}

/* As F_SETLEASE does it, with its rights. */
static int restore_lease(const struct ckpt_locker *lk)
{
	const char *path = ckpt_log_path(&lk->rs->log, &lk->file->f_path);
	int ret = fcntl_setlease(lk->l->fd, lk->file, lk->l->type);

	if (ret == -EAGAIN)
		return ckpt_bad(lk->rs, lk->r, -EBUSY,
				"%s: the %s cannot be had: somebody has opened the file",
				path, ckpt_lock_name(lk->l));
	return ret ? ckpt_bad(lk->rs, lk->r, ret, "%s: the %s cannot be had",
			      path, ckpt_lock_name(lk->l)) : 0;
}

static int restore_lock(const struct ckpt_locker *lk)
{
	int ret;

	if (!ckpt_may_lock(lk))
		return ckpt_bad(lk->rs, lk->r, -EBADF, "%s is not open for a %s",
				ckpt_log_path(&lk->rs->log, &lk->file->f_path),
				ckpt_lock_name(lk->l));
	if (lk->l->kind == CKPT_LOCK_LEASE)
		return restore_lease(lk);
	ret = ckpt_take_lock(lk);
	if (ret == -EAGAIN)
		return ckpt_lock_taken(lk);
	return ret ? ckpt_bad(lk->rs, lk->r, ret, "%s: the %s cannot be had",
			      ckpt_log_path(&lk->rs->log, &lk->file->f_path),
			      ckpt_lock_name(lk->l)) : 0;
}

/* Has the open file locks of its own? */
static bool ckpt_file_has_locks(struct file *file)
{
	struct file_lock_context *flctx = locks_inode_context(file_inode(file));
	struct file_lock *fl;
	bool has = false;

	if (!flctx)
		return false;
	spin_lock(&flctx->flc_lock);
	for_each_file_lock(fl, &flctx->flc_posix)
		has |= fl->c.flc_owner == file;
	for_each_file_lock(fl, &flctx->flc_flock)
		has |= fl->c.flc_file == file;
	spin_unlock(&flctx->flc_lock);
	return has;
}

/*
 * What has come in the place of the file by --inherit-fd is locked, too; unless
 * who has given it has done so already. A lease would be about another file.
 */
static int ckpt_lock_inherited(const struct ckpt_locker *lk,
			       struct ckpt_inherit *in)
{
	if (lk->l->kind == CKPT_LOCK_LEASE) {
		ckpt_log(&lk->rs->log, "warning: %s: the %s is not taken of a file of yours",
			 ckpt_log_path(&lk->rs->log, &lk->file->f_path),
			 ckpt_lock_name(lk->l));
		return 0;
	}
	if (!in->locked && ckpt_file_has_locks(lk->file)) {
		ckpt_log(&lk->rs->log, "note: %s has locks of its own, which stay as they are",
			 ckpt_log_path(&lk->rs->log, &lk->file->f_path));
		return 0;
	}
	in->locked = true;
	return restore_lock(lk);
}

static int restore_file_lock(struct ckpt_locker *lk, u32 objref)
{
	struct ckpt_inherit *in = ckpt_inherited_by(lk->rs, objref);
	bool fresh;

	lk->file = ckpt_linked_file(lk->rs, objref, &fresh);
	if (IS_ERR_OR_NULL(lk->file))
		return PTR_ERR_OR_ZERO(lk->file);
	lk->owner = lk->file;
	if (in)
		return ckpt_lock_inherited(lk, in);
	/* Those of the image and of the log are the restarter's. */
	return fresh ? 0 : restore_lock(lk);
}

/* Of no other file: only what the table closes, when it goes, frees its locks. */
static int restore_table_lock(struct ckpt_locker *lk, u32 objref)
{
	struct files_struct *table = ckpt_obj_restore(lk->rs, CKPT_OBJ_FILES, objref);
	unsigned int fd = lk->l->fd;
	int ret;

	if (IS_ERR(table))
		return PTR_ERR(table);
	lk->file = ckpt_next_fd(table, &fd);
	if (lk->file && fd == lk->l->fd) {
		lk->owner = table;
		ret = restore_lock(lk);
	} else {
		ret = ckpt_bad(lk->rs, lk->r, -EINVAL, "there is no descriptor %u for a %s",
			       lk->l->fd, ckpt_lock_name(lk->l));
	}
	if (lk->file)
		fput(lk->file);
	return ret;
}

static int restore_lock_record(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_locks *rec = ckpt_rec_as(r, locks);
	const struct ckpt_robj *obj = xa_load(&rs->objs, rec->owner);
	struct ckpt_locker lk = { .rs = rs, .r = r };
	bool of_table = obj->rec->type == CKPT_REC_FILES;
	const struct ckpt_lock *locks = r->var;
	int ret = 0;
	u32 i;

	if (r->var_len / sizeof(*locks) < rec->nr_locks)
		return ckpt_bad(rs, r, -EINVAL, "%u locks do not fit", rec->nr_locks);
	for (i = 0; i < rec->nr_locks && !ret; i++) {
		lk.l = &locks[i];
		ret = restore_lock_check(rs, r, lk.l, of_table);
		if (!ret)
			ret = of_table ? restore_table_lock(&lk, rec->owner) :
					 restore_file_lock(&lk, rec->owner);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * restore_locks - take all locks
 * @rs: the restart; the files of all members are there
 *
 * Those of file tables and files that a failed restart lets go of go with them.
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_locks(struct ckpt_restart *rs)
{
	return ckpt_late_each(rs, CKPT_REC_LOCKS, restore_lock_record);
}

/* All of one kind that the open file has. */
static void ckpt_unlock(struct file *file, enum ckpt_lock_kind kind)
{
	struct file_lock *fl = locks_alloc_lock();

	if (!fl)
		return;
	fl->c.flc_file = file;
	fl->c.flc_owner = file;
	fl->c.flc_flags = kind == CKPT_LOCK_OFD ? FL_POSIX | FL_OFDLCK : FL_FLOCK;
	fl->c.flc_type = F_UNLCK;
	fl->fl_end = OFFSET_MAX;
	if (kind == CKPT_LOCK_OFD)
		vfs_lock_file(file, F_SETLK, fl, NULL);
	else if (file->f_op->flock)
		file->f_op->flock(file, F_SETLK, fl);
	else
		locks_lock_file_wait(file, fl);
	locks_free_lock(fl);
}

/**
 * restore_locks_undo - unlock files of the restarter after a failure
 * @rs: the restart
 */
void restore_locks_undo(struct ckpt_restart *rs)
{
	unsigned int i;

	for (i = 0; i < rs->nr_inherit && !rs->committed; i++) {
		if (!rs->inherit[i].locked)
			continue;
		ckpt_unlock(rs->inherit[i].file, CKPT_LOCK_OFD);
		ckpt_unlock(rs->inherit[i].file, CKPT_LOCK_FLOCK);
	}
}
