// SPDX-License-Identifier: GPL-2.0
/*
 * The stages of a restart of a lone task by itself (RESTART_TASKSELF):
 *
 *	read metadata -> check -> make objects -> map -> read payload
 *	  -> verify tail -> commit
 *
 * All that can fail comes before the commit. Until then the caller keeps its
 * own files, credentials, signals and, although it runs on the new address
 * space for a while, its own memory: a restart that fails returns an error to a
 * caller that is as it was.
 *
 *	the helper			the kernel
 *	----------			----------
 *	clone3(set_tid)
 *	  child: restart()		metadata into kernel memory, checksums,
 *					limits, rights
 *					files, credentials: made, not yet used
 *					new address space, payload into it
 *					tail verified
 *					---- point of no return ----
 *	  parent: reads done_fd <------ old memory, files, credentials go;
 *					signals, timers, registers come
 *					returns into the program
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/seccomp.h>
#include <linux/posix-timers.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <linux/checkpoint_syscalls.h>
#include <asm/checkpoint.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/* How far ahead the clocks may be after a reboot: the time to get here. */
#define CKPT_CLOCK_SLACK_NS	(600 * NSEC_PER_SEC)

/**
 * ckpt_bad - say what is wrong with a record
 * @rs: the restart
 * @rec: the record
 * @err: what to return
 * @fmt: what is wrong
 *
 * Return: @err.
 */
int ckpt_bad(struct ckpt_restart *rs, const struct ckpt_rec *rec, int err,
	     const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	ckpt_log(&rs->log, "image offset %llu, record %s: %pV: %pe",
		 rec->offset, ckpt_rec_name(rec->type), &vaf, ERR_PTR(err));
	va_end(args);
	return err;
}

/* ---- objects ------------------------------------------------------------- */

static struct ckpt_robj *ckpt_robj(struct ckpt_restart *rs,
				   enum ckpt_obj_type type, u32 objref)
{
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);

	if (!obj || obj->rec->type != ckpt_obj_ops(type)->rec_type) {
		ckpt_log(&rs->log, "the image refers to object %u as %s, which is not there",
			 objref, ckpt_obj_name(type));
		return ERR_PTR(-EINVAL);
	}
	return obj;
}

/**
 * ckpt_obj_rec - record of an object
 * @rs: the restart
 * @type: what the object must be
 * @objref: its number in the image
 *
 * Return: the record or ERR_PTR(-EINVAL).
 */
const struct ckpt_rec *ckpt_obj_rec(struct ckpt_restart *rs,
				    enum ckpt_obj_type type, u32 objref)
{
	struct ckpt_robj *obj = ckpt_robj(rs, type, objref);

	return IS_ERR(obj) ? ERR_CAST(obj) : obj->rec;
}

/**
 * ckpt_obj_restore - the object behind an objref, made if need be
 * @rs: the restart
 * @type: what the object must be
 * @objref: its number in the image
 *
 * Return: the object, whose reference the restart keeps, or an ERR_PTR().
 */
void *ckpt_obj_restore(struct ckpt_restart *rs, enum ckpt_obj_type type,
		       u32 objref)
{
	struct ckpt_robj *obj = ckpt_robj(rs, type, objref);
	void *ptr;

	if (IS_ERR(obj))
		return obj;
	if (obj->state == CKPT_ROBJ_READY && obj->type == type)
		return obj->ptr;
	if (obj->state != CKPT_ROBJ_ABSENT)
		return ERR_PTR(ckpt_bad(rs, obj->rec, -EINVAL,
					"object %u is used in two ways",
					objref));

	obj->state = CKPT_ROBJ_BUSY;
	obj->type = type;
	ptr = ckpt_obj_ops(type)->restore(rs, obj->rec);
	if (IS_ERR(ptr)) {
		obj->state = CKPT_ROBJ_ABSENT;
		return ptr;
	}
	obj->ptr = ptr;
	obj->state = CKPT_ROBJ_READY;
	return ptr;
}

static void ckpt_robj_free(struct ckpt_robj *obj)
{
	const struct ckpt_obj_ops *ops;

	if (obj->state == CKPT_ROBJ_READY && obj->ptr) {
		ops = ckpt_obj_ops(obj->type);
		if (ops->drop)
			ops->drop(obj->ptr);
	}
	kfree(obj);
}

/* ---- reading the metadata --------------------------------------------------- */

static int ckpt_add_object(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	/* All records of objects start alike. */
	u32 objref = ckpt_rec_as(r, ns)->objref;
	struct ckpt_robj *obj;
	int ret;

	if (!objref)
		return ckpt_bad(rs, r, -EINVAL, "an object without a number");
	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return -ENOMEM;
	obj->rec = r;
	obj->index = rs->nr_recs - 1;
	rs->stats.objects++;
	rs->max_objref = max(rs->max_objref, objref);
	ret = xa_insert(&rs->objs, objref, obj, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(obj);
		return ret == -EBUSY ? ckpt_bad(rs, r, -EINVAL,
						"object %u is there twice",
						objref) : ret;
	}
	return 0;
}

/* A record that must not come twice. */
static int ckpt_set_once(struct ckpt_restart *rs, const struct ckpt_rec **slot,
			 const struct ckpt_rec *r)
{
	if (*slot)
		return ckpt_bad(rs, r, -EINVAL, "is there twice");
	*slot = r;
	return 0;
}

static int ckpt_file_record(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	switch (r->type) {
	case CKPT_REC_HEADER:
		return ckpt_set_once(rs, &rs->hdr, r);
	case CKPT_REC_X86_FEATURES:
		return ckpt_set_once(rs, &rs->features, r);
	case CKPT_REC_TREE:
		return ckpt_set_once(rs, &rs->tree, r);
	case CKPT_REC_TREE_TASK:
		return ckpt_set_once(rs, &rs->tree_task, r);
	case CKPT_REC_TASK:
		return ckpt_set_once(rs, &rs->task, r);
	case CKPT_REC_SIGPENDING:
		return ckpt_set_once(rs, &rs->pending[!!ckpt_rec_as(r, sigpending)->shared], r);
	case CKPT_REC_RESTART_BLOCK:
		return ckpt_set_once(rs, &rs->block, r);
	case CKPT_REC_X86_CPU:
		return ckpt_set_once(rs, &rs->cpu, r);
	case CKPT_REC_X86_XSTATE:
		return ckpt_set_once(rs, &rs->xstate, r);
	case CKPT_REC_NS:
	case CKPT_REC_CRED:
	case CKPT_REC_FILE:
	case CKPT_REC_FILES:
	case CKPT_REC_FS:
	case CKPT_REC_SIGHAND:
	case CKPT_REC_SIGNAL:
	case CKPT_REC_MM:
		return ckpt_add_object(rs, r);
	case CKPT_REC_VMA:
		rs->nr_vmas++;
		return 0; /* found behind their MM record */
	}
	return ckpt_bad(rs, r, -EINVAL, "does not belong into the metadata");
}

static int ckpt_check_meta_end(struct ckpt_restart *rs,
			       const struct ckpt_rec *r)
{
	const struct ckpt_rec_meta_end *rec = ckpt_rec_as(r, meta_end);

	rs->meta_offset = r->offset;
	if (rec->nr_records != rs->in.records - 1)
		return ckpt_bad(rs, r, -EINVAL, "%llu records are announced, %llu were there",
				rec->nr_records, rs->in.records - 1);
	if (rec->nr_objects != rs->stats.objects ||
	    rec->nr_objects != rs->max_objref)
		return ckpt_bad(rs, r, -EINVAL,
				"%u objects are announced, %u were there, up to number %u",
				rec->nr_objects, rs->stats.objects,
				rs->max_objref);
	if (!rs->tree || !rs->tree_task || !rs->task || !rs->cpu || !rs->xstate)
		return ckpt_bad(rs, r, -EINVAL, "a record of the task is missing");
	return 0;
}

static int ckpt_check_header(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_header *h = ckpt_rec_as(r, header);

	if (memcmp(h->magic, CKPT_IMAGE_MAGIC, sizeof(h->magic)))
		return ckpt_bad(rs, r, -ENOEXEC, "this is not an image");
	if (h->version != CKPT_IMAGE_VERSION)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT, "image version %u, this kernel knows %u",
				h->version, CKPT_IMAGE_VERSION);
	if (h->feature_incompat & ~CKPT_INCOMPAT_ALL)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image needs features 0x%llx that this kernel does not know",
				h->feature_incompat & ~CKPT_INCOMPAT_ALL);
	if (h->arch != CKPT_ARCH_X86_64 || h->page_shift != PAGE_SHIFT)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image is of another architecture (%u, page shift %u)",
				h->arch, h->page_shift);
	if (h->nr_signals != _NSIG || h->nr_rlimits != RLIM_NLIMITS)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image is of a kernel with other limits");
	return 0;
}

static int ckpt_read_meta(struct ckpt_restart *rs)
{
	struct ckpt_rec *r;
	int ret;

	for (;;) {
		r = ckpt_in_record(&rs->in, &rs->log);
		if (IS_ERR(r))
			return PTR_ERR(r);
		ret = xa_err(xa_store(&rs->recs, rs->nr_recs, r,
				      GFP_KERNEL_ACCOUNT));
		if (ret) {
			ckpt_rec_free(r);
			return ret;
		}
		rs->nr_recs++;
		if (r->type == CKPT_REC_META_END)
			break;
		ret = ckpt_file_record(rs, r);
		if (!ret && r->type == CKPT_REC_HEADER)
			ret = ckpt_check_header(rs, r);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	ret = ckpt_check_meta_end(rs, r);
	if (!ret)
		trace_restart_stage(current, CKPT_STAGE_META_READ);
	return ret;
}

/* ---- checks -------------------------------------------------------------------- */

/* May this task turn into another? */
static int ckpt_check_caller(struct ckpt_restart *rs)
{
	struct task_struct *t = current;
	const char *why;

	/* What a record does not hold would survive in the new program. */
	why = arch_ckpt_refusal(t, 0);
	if (why) {
		ckpt_log(&rs->log, "the restarting process cannot become another: %s", why);
		return -EBUSY;
	}
	if (!thread_group_empty(t))
		why = "has other threads";
	else if (refcount_read(&ckpt_sighand(t)->count) > 1)
		why = "shares its signal handlers with another process";
	else
		why = ckpt_task_problem(t, 0);
	if (why) {
		ckpt_log(&rs->log, "the restarting process %s", why);
		return -EBUSY;
	}
	/* A saved program would escape from the filter, or the filter from it. */
	if (t->seccomp.mode != SECCOMP_MODE_DISABLED &&
	    !ns_capable(current_user_ns(), CAP_SYS_ADMIN)) {
		ckpt_log(&rs->log,
			 "the restarting process runs under seccomp and has not CAP_SYS_ADMIN");
		return -EPERM;
	}
	return 0;
}

static int ckpt_check_tree(struct ckpt_restart *rs)
{
	const struct ckpt_rec_tree *tree = ckpt_rec_as(rs->tree, tree);
	const struct ckpt_rec_tree_task *task;
	const struct ckpt_tree_ids *ids = rs->tree_task->var;

	if (tree->nr_tasks != 1 || tree->root)
		return ckpt_bad(rs, rs->tree, -EOPNOTSUPP,
				"a tree of %u tasks cannot be restored yet",
				tree->nr_tasks);
	task = ckpt_rec_as(rs->tree_task, tree_task);
	if (task->index || task->leader || task->parent != CKPT_TREE_NO_PARENT ||
	    task->flags & ~CKPT_TREE_COMPAT)
		return ckpt_bad(rs, rs->tree_task, -EINVAL, "the root is no root");
	if (task->nr_levels != 1 || rs->tree_task->var_len < sizeof(*ids))
		return ckpt_bad(rs, rs->tree_task, -EOPNOTSUPP,
				"%u levels of pid namespaces cannot be restored yet",
				task->nr_levels);
	if (ids->pid <= 0 || ids->pid != ids->tgid)
		return ckpt_bad(rs, rs->tree_task, -EINVAL,
				"pid %d of process %d",
				ids->pid, ids->tgid);
	if (ids->pid != task_pid_vnr(current) && !(rs->flags & RESTART_NO_PIDS))
		return ckpt_bad(rs, rs->tree_task, -EINVAL,
				"it was saved as pid %d, you are pid %d; --no-pids lets it have another pid",
				ids->pid, task_pid_vnr(current));
	return 0;
}

/* The clocks that the program sees must not jump unless it was asked for. */
static int ckpt_check_clocks(struct ckpt_restart *rs)
{
	const struct ckpt_rec_header *h = ckpt_rec_as(rs->hdr, header);
	s64 offset = 0, now, ahead;
	u8 boot[CKPT_UUID_LEN];

	if (rs->flags & RESTART_TIME_HOST)
		return 0;
#ifdef CONFIG_TIME_NS
	offset = timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
#endif
	random_get_boot_id(boot);
	if (!memcmp(boot, h->boot_id, sizeof(boot))) {
		if (offset == h->timens_monotonic_ns)
			return 0;
		return ckpt_bad(rs, rs->hdr, -EINVAL,
				"CLOCK_MONOTONIC would jump by %lld s: the program was saved in another time namespace; --time=host accepts that",
				div_s64(offset - h->timens_monotonic_ns,
					NSEC_PER_SEC));
	}
	now = ktime_get_ns() + offset;
	ahead = now - h->monotonic_ns;
	if (ahead >= 0 && ahead < CKPT_CLOCK_SLACK_NS)
		return 0;
	return ckpt_bad(rs, rs->hdr, -EINVAL,
			"CLOCK_MONOTONIC would jump by %lld s: the program was saved on another boot and needs a time namespace (--time=continue); --time=host accepts the jump",
			div_s64(ahead, NSEC_PER_SEC));
}

static int ckpt_check_cpu(struct ckpt_restart *rs)
{
	const struct ckpt_rec_x86_features *f;
	const struct ckpt_rec_x86_xstate *xs;
	const struct ckpt_rec *r;
	char why[128] = "";
	int ret = 0;

	r = rs->features;
	if (r) {
		f = ckpt_rec_as(r, x86_features);
		if (r->var_len / sizeof(u32) < f->nr_words)
			return ckpt_bad(rs, r, -EINVAL, "%u words do not fit", f->nr_words);
		ret = arch_ckpt_check_features(f, r->var, why, sizeof(why));
	}
	if (!ret) {
		r = rs->cpu;
		ret = arch_ckpt_check_cpu(ckpt_rec_as(r, x86_cpu), why,
					  sizeof(why));
	}
	if (!ret) {
		r = rs->xstate;
		xs = ckpt_rec_as(r, x86_xstate);
		if (r->var_len < xs->size)
			return ckpt_bad(rs, r, -EINVAL, "%u bytes do not fit", xs->size);
		ret = arch_ckpt_check_xstate(xs, r->var, why, sizeof(why));
	}
	return ret ? ckpt_bad(rs, r, ret, "%s", why) : 0;
}

static int ckpt_check_block(struct ckpt_restart *rs)
{
	const struct ckpt_rec_restart_block *rec;
	bool compat;
	int ret;

	if (!rs->block)
		return 0;
	rec = ckpt_rec_as(rs->block, restart_block);
	compat = ckpt_rec_as(rs->cpu, x86_cpu)->flags & CKPT_X86_TS_COMPAT;
	if (rec->kind != CKPT_RESTART_NONE &&
	    compat != !!(rec->flags & CKPT_RESTART_COMPAT))
		return ckpt_bad(rs, rs->block, -EINVAL,
				"a 32-bit call of a 64-bit entry, or the other way round");
	ret = ckpt_restart_block_check(rec);
	if (ret)
		return ckpt_bad(rs, rs->block, ret, "the interrupted system call cannot go on");
	rs->block_copy = *rec;
	return 0;
}

static int ckpt_check_image(struct ckpt_restart *rs)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(rs->task, task);
	unsigned int i;
	int ret;

	rs->signal = ckpt_obj_rec(rs, CKPT_OBJ_SIGNAL, task->signal);
	if (IS_ERR(rs->signal))
		return PTR_ERR(rs->signal);
	rs->sighand = ckpt_obj_rec(rs, CKPT_OBJ_SIGHAND, task->sighand);
	if (IS_ERR(rs->sighand))
		return PTR_ERR(rs->sighand);
	for (i = 0; i < ARRAY_SIZE(task->ns); i++) {
		void *ns;

		if (!task->ns[i])
			continue;
		ns = ckpt_obj_restore(rs, CKPT_OBJ_NS, task->ns[i]);
		if (IS_ERR(ns))
			return PTR_ERR(ns);
	}

	ret = ckpt_check_caller(rs);
	if (!ret)
		ret = ckpt_check_tree(rs);
	if (!ret)
		ret = ckpt_check_clocks(rs);
	if (!ret)
		ret = ckpt_check_cpu(rs);
	if (!ret)
		ret = ckpt_check_block(rs);
	if (!ret)
		ret = restore_task_check(rs);
	if (!ret)
		ret = restore_signal_check(rs);
	if (!ret)
		trace_restart_stage(current, CKPT_STAGE_CHECKED_IMAGE);
	return ret;
}

/* ---- making it -------------------------------------------------------------------- */

static int ckpt_make_objects(struct ckpt_restart *rs)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(rs->task, task);
	struct files_struct *files;
	struct fs_struct *fs;
	struct cred *cred;

	get_fs_root(current->fs, &rs->root);
	cred = ckpt_obj_restore(rs, CKPT_OBJ_CRED, task->cred);
	if (IS_ERR(cred))
		return PTR_ERR(cred);
	rs->cred = cred;

	fs = restore_fs(rs, task->fs);
	if (IS_ERR(fs))
		return PTR_ERR(fs);
	rs->fs = fs;

	files = restore_files(rs, task->files);
	if (IS_ERR(files))
		return PTR_ERR(files);
	rs->files = files;
	restore_files_unused(rs);
	trace_restart_stage(current, CKPT_STAGE_OBJECTS);
	return 0;
}

static int ckpt_make_memory(struct ckpt_restart *rs)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(rs->task, task);
	int ret;

	ret = restore_mm(rs, task->mm);
	if (ret)
		return ret;
	trace_restart_stage(current, CKPT_STAGE_MAPPED);
	ret = restore_payload(rs, task->mm);
	if (ret)
		return ret;
	trace_restart_stage(current, CKPT_STAGE_VERIFIED);
	return 0;
}

static void ckpt_swap_files(struct ckpt_restart *rs)
{
	task_lock(current);
	swap(current->files, rs->files);
	swap(current->fs, rs->fs);
	task_unlock(current);
	/* Now they are the restarter's and go with @rs. */
}

/* One write, so that who reads a pipe gets all of it at once. */
static void ckpt_say_done(struct ckpt_restart *rs)
{
	char message[1 + sizeof(rs->stats)] = {};
	loff_t pos = 0;

	if (!rs->done_file)
		return;
	rs->stats.total_ns = ktime_get() - rs->start;
	memcpy(message + 1, &rs->stats, rs->stats_len);
	kernel_write(rs->done_file, message, 1 + rs->stats_len, &pos);
}

/*
 * Nothing below fails. Context: exec_update_lock is held, so that nobody who
 * asks for rights over this task sees it half changed.
 */
static void ckpt_commit(struct ckpt_restart *rs)
{
	restore_mm_commit(rs);
	ckpt_swap_files(rs);
	commit_creds((struct cred *)get_cred(rs->cred));
	restore_mm_dumpable(rs);
	current->flags &= ~PF_FORKNOEXEC;
	WRITE_ONCE(current->self_exec_id, current->self_exec_id + 1);
	restore_task_commit(rs);
	trace_restart_stage(current, CKPT_STAGE_COMMITTED);
}

/**
 * ckpt_do_restart - turn current into the task of an image
 * @rs: flags, log, input and inherited files are set
 *
 * Context: may sleep; no locks held.
 * Return: a negative errno with current as it was; or the value that the system
 * call must return into the restored registers, with @rs->committed set.
 */
long ckpt_do_restart(struct ckpt_restart *rs)
{
	long ret;

	rs->start = ktime_get();
	ret = ckpt_read_meta(rs);
	if (!ret)
		ret = ckpt_check_image(rs);
	if (!ret)
		ret = ckpt_make_objects(rs);
	if (!ret)
		ret = ckpt_make_memory(rs);
	if (!ret)
		ret = down_write_killable(&current->signal->exec_update_lock);
	if (ret) {
		restore_mm_abort(rs);
		rs->stats.total_ns = ktime_get() - rs->start;
		if (!rs->log.len)
			ckpt_log(&rs->log, "the restart failed: %pe",
				 ERR_PTR(ret));
		return ret;
	}
	rs->stats.tasks = 1;
	ckpt_commit(rs);
	up_write(&current->signal->exec_update_lock);
	rs->committed = true;

	ret = arch_ckpt_commit(ckpt_rec_as(rs->cpu, x86_cpu),
			       ckpt_rec_as(rs->xstate, x86_xstate),
			       rs->xstate->var);
	/* A limit or signal that the log runs into is not the program's yet. */
	ckpt_log_close(&rs->log);
	restore_signal_commit(rs);
	ckpt_say_done(rs);
	restore_signal_finish(rs);
	return ret;
}

/**
 * ckpt_restart_resume - last step before current returns to the program
 * @rs: the restart, committed
 *
 * A system call that was interrupted is gone through get_signal() once more,
 * which makes it go on.
 */
void ckpt_restart_resume(struct ckpt_restart *rs)
{
	current->restart_block.fn = do_no_restart_syscall;
	if (rs->block)
		ckpt_restart_block_restore(&rs->block_copy);
	set_thread_flag(TIF_SIGPENDING);
}

/**
 * ckpt_restart_release - let go of all that a restart holds
 * @rs: the restart; its log and files of the caller are the caller's
 */
void ckpt_restart_release(struct ckpt_restart *rs)
{
	struct ckpt_robj *obj;
	struct ckpt_rec *r;
	unsigned long i;

	if (rs->files)
		put_files_struct(rs->files);
	if (rs->fs)
		ckpt_ops_FS.drop(rs->fs);
	restore_signal_release(rs);
	xa_for_each(&rs->objs, i, obj)
		ckpt_robj_free(obj);
	xa_destroy(&rs->objs);
	xa_for_each(&rs->recs, i, r)
		ckpt_rec_free(r);
	xa_destroy(&rs->recs);
	if (rs->root.mnt)
		path_put(&rs->root);
}
