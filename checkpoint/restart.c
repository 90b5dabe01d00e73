// SPDX-License-Identifier: GPL-2.0
/*
 * What a task does that turns into one of the image:
 *
 *	build: check -> make objects -> map -> read payload
 *	commit: take over what was made
 *
 * All that can fail comes before the commit. Until then the caller keeps its
 * own files, credentials and signals and, although it may run on the new
 * address space for a while, its own memory.
 *
 * A lone task does it by itself (RESTART_TASKSELF): a restart that fails
 * returns an error to a caller that is as it was. See restart_tree.c for more
 * than one.
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
#include <linux/pid_namespace.h>
#include <linux/seccomp_ckpt.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <linux/checkpoint_syscalls.h>
#include <asm/checkpoint.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/**
 * ckpt_restart_alloc - begin a restart
 * @flags: RESTART_*
 *
 * Return: a restart with one reference, or NULL.
 */
struct ckpt_restart *ckpt_restart_alloc(unsigned long flags)
{
	struct ckpt_restart *rs = kzalloc(sizeof(*rs), GFP_KERNEL_ACCOUNT);

	if (!rs)
		return NULL;
	refcount_set(&rs->ref, 1);
	rs->flags = flags;
	genradix_init(&rs->recs);
	xa_init_flags(&rs->objs, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->members, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->pipes, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->inodes, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->dead, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->late, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->stand_ins, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->pids, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->ghosts, XA_FLAGS_ACCOUNT);
	xa_init_flags(&rs->families, XA_FLAGS_ACCOUNT);
	rs->tally.chunks_crc = ~0U;
	rs->tally.index_crc = ~0U;
	mutex_init(&rs->lock);
	init_waitqueue_head(&rs->wait);
	init_waitqueue_head(&rs->progress);
	return rs;
}

/**
 * ckpt_restart_put - let go of a restart, and of all it holds with the last
 * @rs: the restart
 *
 * Context: may sleep. The log is written with the last reference.
 */
void ckpt_restart_put(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	struct ckpt_robj *obj;
	unsigned long i;
	u32 n;

	if (!refcount_dec_and_test(&rs->ref))
		return;
	restore_pipes_done(rs);
	restore_inodes_done(rs);
	restore_locks_undo(rs);
	restore_unix_done(rs);
	xa_for_each(&rs->members, i, m) {
		ckpt_member_release(m);
		if (m->t)
			put_task_struct(m->t);
		kvfree(m->timers_room);
		kfree(m);
		cond_resched();
	}
	xa_destroy(&rs->members);
	xa_for_each(&rs->objs, i, obj) {
		ckpt_robj_free(obj);
		cond_resched();
	}
	xa_destroy(&rs->objs);
	for (i = 0; i < rs->nr_recs; i++) {
		ckpt_rec_free(genradix_ptr(&rs->recs, i)->rec);
		cond_resched();
	}
	genradix_free(&rs->recs);
	restore_pidfds_done(rs);
	restore_cow_done(rs);
	xa_destroy(&rs->late);
	xa_destroy(&rs->pids);
	xa_destroy(&rs->ghosts);
	if (rs->next)
		ckpt_rec_free(rs->next);
	if (rs->root.mnt)
		path_put(&rs->root);
	put_cred(rs->cred);
	if (rs->pid_ns)
		put_pid_ns(rs->pid_ns);
	ckpt_seccomp_put(rs->seccomp);
	for (n = 0; n < rs->nr_inherit; n++) {
		fput(rs->inherit[n].file);
		kfree(rs->inherit[n].key);
	}
	kfree(rs->inherit);
	ckpt_log_close(&rs->log);
	if (rs->done_file)
		fput(rs->done_file);
	if (rs->in.file)
		fput(rs->in.file);
	kvfree(rs->in.ahead);
	kvfree(rs->prefix);
	kfree(rs);
}

/**
 * ckpt_restart_begin - read the metadata and look at the tree
 * @rs: flags, log, input and inherited files are set
 *
 * Return: 0 or a negative errno.
 */
int ckpt_restart_begin(struct ckpt_restart *rs)
{
	int ret;

	rs->start = ktime_get();
	rs->cred = get_current_cred();
	rs->pid_ns = get_pid_ns(task_active_pid_ns(current));
	rs->seccomp = ckpt_seccomp_get(current);
	get_fs_root(current->fs, &rs->root);
	ret = ckpt_read_meta(rs);
	if (!ret)
		ret = ckpt_check_image(rs);
	rs->stats.meta_bytes = rs->in.offset;
	rs->stats.tasks = rs->nr_members;
	return ret;
}

/**
 * ckpt_restart_failed - what is left to do when a restart has failed
 * @rs: the restart
 * @ret: with this error
 *
 * Return: @ret.
 */
long ckpt_restart_failed(struct ckpt_restart *rs, long ret)
{
	rs->stats.total_ns = ktime_get() - rs->start;
	if (ret && !rs->log.len)
		ckpt_log(&rs->log, "the restart failed: %pe", ERR_PTR(ret));
	return ret;
}

/* ---- build --------------------------------------------------------------------- */

/*
 * What one member may have, another gets without a further question: objects
 * are made once. So all must be allowed the same.
 */
static bool ckpt_same_rights(const struct cred *a, const struct cred *b)
{
	return a == b ||
	       (!cred_fscmp(a, b) && uid_eq(a->uid, b->uid) &&
		uid_eq(a->euid, b->euid) && uid_eq(a->suid, b->suid) &&
		gid_eq(a->gid, b->gid) && gid_eq(a->egid, b->egid) &&
		gid_eq(a->sgid, b->sgid) && a->user_ns == b->user_ns &&
		a->securebits == b->securebits &&
		cap_issubset(a->cap_permitted, b->cap_permitted) &&
		cap_issubset(b->cap_permitted, a->cap_permitted) &&
		cap_issubset(a->cap_effective, b->cap_effective) &&
		cap_issubset(b->cap_effective, a->cap_effective) &&
		cap_issubset(a->cap_bset, b->cap_bset) &&
		cap_issubset(b->cap_bset, a->cap_bset));
}

/* May this task turn into another? */
static int ckpt_check_caller(struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct ckpt_restart *rs = m->rs;
	struct task_struct *t = current;
	unsigned int threads;
	const char *why;
	int ret;

	if (!ckpt_same_rights(current_cred(), rs->cred))
		return ckpt_bad(rs, m->tree_task, -EPERM,
				"who has come to be it has other credentials than who began the restart");
	threads = 1 + ckpt_member(rs, rec->leader)->threads;
	/* What a record does not hold would survive in the new program. */
	why = arch_ckpt_refusal(t, 0);
	if (why) {
		ckpt_log(&rs->log, "the restarting process cannot become another: %s", why);
		return -EBUSY;
	}
	if (get_nr_threads(t) != threads)
		why = threads == 1 ? "has other threads" :
				     "has not the threads that the image has";
	else if (refcount_read(&ckpt_sighand(t)->count) > threads)
		why = "shares its signal handlers with another process";
	else if (ckpt_shares_io(t))
		why = "shares its I/O context (CLONE_IO)";
	else
		why = ckpt_task_problem(t, 0);
	if (why) {
		ckpt_log(&rs->log, "the restarting process %s", why);
		return -EBUSY;
	}
	ret = ckpt_check_own_seccomp(rs);
	return ret ?: ckpt_check_pids(m);
}

static int ckpt_make_objects(struct ckpt_member *m)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;
	struct cred *cred;
	void *fs, *files;
	int ret;

	cred = ckpt_obj_restore(rs, CKPT_OBJ_CRED, task->cred);
	if (IS_ERR(cred))
		return PTR_ERR(cred);
	m->cred = cred;
	/* Their payload comes before that of the first address space. */
	ret = m->index ? 0 : restore_inodes(rs);
	if (ret || ckpt_is_zombie(m))
		return ret;

	fs = ckpt_obj_restore(rs, CKPT_OBJ_FS, task->fs);
	if (IS_ERR(fs))
		return PTR_ERR(fs);
	ckpt_ops_FS.grab(fs);
	m->fs = fs;

	files = ckpt_obj_restore(rs, CKPT_OBJ_FILES, task->files);
	if (IS_ERR(files))
		return PTR_ERR(files);
	ckpt_ops_FILES.grab(files);
	m->files = files;
	return restore_pidns(m) ?: restore_seccomp(m) ?: restore_io(m);
}

/**
 * ckpt_member_build - make what current needs to turn into a task
 * @m: the task
 *
 * Context: no other member builds at the same time.
 * Return: 0 or a negative errno, with the reason logged.
 */
int ckpt_member_build(struct ckpt_member *m)
{
	int ret;

	m->rs->me = m;
	ret = ckpt_check_caller(m);
	if (!ret)
		ret = ckpt_check_records(m);
	if (ret)
		return ret;
	trace_restart_stage(current, CKPT_STAGE_CHECKED_IMAGE);
	ret = ckpt_make_objects(m);
	if (!ret && m->index + 1 == m->rs->nr_members)
		ret = restore_unix_links(m->rs) ?: restore_epolls(m->rs) ?:
		      restore_fowners(m->rs) ?: restore_locks(m->rs);
	if (ret)
		return ret;
	trace_restart_stage(current, CKPT_STAGE_OBJECTS);
	if (!ckpt_is_zombie(m))
		ret = restore_mm(m) ?: restore_sched_build(m);
	if (!ret && m->index + 1 == m->rs->nr_members)
		restore_inherited_unused(m->rs);
	return ret;
}

/* ---- commit ---------------------------------------------------------------------- */

static void ckpt_swap_files(struct ckpt_member *m)
{
	task_lock(current);
	swap(current->files, m->files);
	swap(current->fs, m->fs);
	task_unlock(current);
	/* Now they are the restarter's and go with @m. */
}

/**
 * ckpt_member_commit - turn into the task
 * @m: the task, built
 *
 * Nothing of it fails.
 *
 * Context: past the point of no return.
 */
void ckpt_member_commit(struct ckpt_member *m)
{
	/* Nobody who asks for rights over this task sees it half changed. */
	down_write(&current->signal->exec_update_lock);
	restore_mm_commit(m);
	ckpt_swap_files(m);
	commit_creds((struct cred *)get_cred(m->cred));
	restore_mm_dumpable(m);
	current->flags &= ~PF_FORKNOEXEC;
	WRITE_ONCE(current->self_exec_id, current->self_exec_id + 1);
	restore_task_commit(m);
	restore_pidns_commit(m);
	restore_seccomp_commit(m);
	trace_restart_stage(current, CKPT_STAGE_COMMITTED);
	up_write(&current->signal->exec_update_lock);
	m->rs->committed = true;
}

/**
 * ckpt_member_finish - registers and signals
 * @m: the task, committed
 *
 * Return: the value that the system call must return into the registers.
 */
long ckpt_member_finish(struct ckpt_member *m)
{
	long ret;

	ret = arch_ckpt_commit(ckpt_rec_as(m->cpu, x86_cpu),
			       ckpt_rec_as(m->xstate, x86_xstate),
			       m->xstate->var);
	restore_signal_commit(m);
	return ret;
}

/**
 * ckpt_member_release - let go of what was made for a task, or left by it
 * @m: the task
 */
void ckpt_member_release(struct ckpt_member *m)
{
	if (m->files)
		put_files_struct(m->files);
	if (m->fs)
		ckpt_ops_FS.drop(m->fs);
	if (m->nsproxy)
		put_nsproxy(m->nsproxy);
	m->files = NULL;
	m->fs = NULL;
	m->nsproxy = NULL;
	kfree(m->old_sched);
	m->old_sched = NULL;
	restore_signal_release(m);
	restore_timers_release(m);
}

/**
 * ckpt_restart_start - let all run that goes on by itself
 * @rs: the restart, with all tasks of the tree committed
 *
 * What the restart itself does to a file is no event for who watches it: so
 * epolls tell of events and files send signals after the pipes are as they
 * were, and timers of descriptors run after that.
 *
 * Context: may sleep; none of the tree is in user mode.
 */
void ckpt_restart_start(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;

	xa_for_each(&rs->members, i, m) {
		if (m->speaks)
			restore_timers_start(m);
		cond_resched();
	}
	restore_pipes_done(rs);
	restore_inodes_done(rs);
	restore_epolls_start(rs);
	restore_fowners_start(rs);
	restore_procs_start(rs);
	restore_inotifies_start(rs);
	restore_fanotifies_start(rs);
	restore_timerfds_start(rs);
}

/**
 * ckpt_restart_resume - last step before current returns to the program
 * @m: the task, committed
 *
 * A system call that was interrupted is gone through get_signal() once more,
 * which makes it go on.
 */
void ckpt_restart_resume(struct ckpt_member *m)
{
	current->restart_block.fn = do_no_restart_syscall;
	if (m->block)
		ckpt_restart_block_restore(&m->block_copy);
	set_thread_flag(TIF_SIGPENDING);
}

/* ---- a lone task -------------------------------------------------------------------- */

/* One write, so that who reads a pipe gets all of it at once. */
static void ckpt_say_done(struct ckpt_restart *rs)
{
	char message[1 + sizeof(rs->stats)] = {};
	loff_t pos = 0;

	if (!rs->done_file)
		return;
	memcpy(message + 1, &rs->stats, rs->stats_len);
	kernel_write(rs->done_file, message, 1 + rs->stats_len, &pos);
}

static int ckpt_self_build(struct ckpt_restart *rs, struct ckpt_member *m)
{
	int ret;

	if (rs->nr_members != 1)
		return ckpt_bad(rs, rs->tree, -EINVAL,
				"a tree of %u tasks cannot be one task (RESTART_TASKSELF)",
				rs->nr_members);
	ret = ckpt_member_build(m);
	if (!ret)
		ret = restore_payload_end(rs);
	if (!ret)
		trace_restart_stage(current, CKPT_STAGE_VERIFIED);
	if (!ret && fatal_signal_pending(current))
		ret = -EINTR;
	return ret ?: restore_core(m);
}

/**
 * ckpt_restart_self - turn current into the one task of an image
 * @rs: the restart, begun
 *
 * Context: may sleep; no locks held.
 * Return: a negative errno with current as it was; or the value that the system
 * call must return into the restored registers, with @rs->committed set.
 */
long ckpt_restart_self(struct ckpt_restart *rs)
{
	struct ckpt_member *m = ckpt_member(rs, 0);
	long ret;

	ret = ckpt_self_build(rs, m);
	if (ret) {
		restore_sched_abort(m);
		restore_mm_abort(m);
		return ret;
	}
	rs->stats.total_ns = ktime_get() - rs->start;
	restore_thread_times(m);
	ckpt_member_commit(m);
	/* A limit or signal that the log runs into is not the program's yet. */
	ckpt_log_close(&rs->log);
	ret = ckpt_member_finish(m);
	ckpt_restart_start(rs);
	ckpt_say_done(rs);
	restore_signal_finish(m);
	ckpt_restart_resume(m);
	return ret;
}
