// SPDX-License-Identifier: GPL-2.0
/*
 * The stages of a checkpoint:
 *
 *	permission -> freeze -> collect -> check -> capture -> write out
 *		-> [kill] -> thaw
 *
 * Capture puts the metadata into kernel memory; writing out sends it and then
 * the pages. Until the tree thaws nothing in it executes; whatever goes wrong,
 * ckpt_release_tree() lets it go on. With CHECKPOINT_COW its memory is duplicated
 * behind the capture, and the thaw comes when only that is left to be written.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/random.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/sched/wake_q.h>
#include <linux/stdarg.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <asm/checkpoint.h>

#include "checkpoint.h"

#define CREATE_TRACE_POINTS
#include <trace/events/checkpoint.h>

/**
 * ckpt_refuse - record a reason why the tree cannot be saved
 * @ctx: the checkpoint
 * @t: the task concerned
 * @fmt: the reason, without the task
 *
 * Return: -EOPNOTSUPP.
 */
int ckpt_refuse(struct ckpt_ctx *ctx, struct task_struct *t,
		const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	ckpt_log(&ctx->log, "pid %d (%*pE) %pV", task_pid_vnr(t),
		 (int)strnlen(t->comm, sizeof(t->comm)), t->comm, &vaf);
	va_end(args);
	ctx->refusals++;
	return -EOPNOTSUPP;
}

/**
 * ckpt_may_save - may the caller save this task?
 * @ctx: the checkpoint
 * @t: the task
 *
 * Return: 0, or -EPERM with the reason logged.
 */
int ckpt_may_save(struct ckpt_ctx *ctx, struct task_struct *t)
{
	if (t == current ||
	    ptrace_may_access(t, PTRACE_MODE_ATTACH_REALCREDS))
		return 0;
	ckpt_refuse(ctx, t,
		    "may not be saved by you: saving a process takes the same rights as tracing it (same user and not set-user-ID, or CAP_SYS_PTRACE)");
	return -EPERM;
}

/* What makes no sense to freeze. */
static int ckpt_check_root(struct ckpt_ctx *ctx, struct task_struct *t)
{
	if (t->flags & (PF_KTHREAD | PF_USER_WORKER)) {
		ckpt_refuse(ctx, t, "is a kernel thread");
		return -EINVAL;
	}
	/* A process lives as long as one of its threads does. */
	if ((t->exit_state || (t->flags & PF_EXITING)) && thread_group_empty(t)) {
		ckpt_refuse(ctx, t, "has exited");
		return -ESRCH;
	}
	return 0;
}

/*
 * Under the lock, so that no thread which executes a program takes the place of
 * the first one meanwhile.
 */
static int ckpt_find_root(struct ckpt_ctx *ctx, pid_t pid)
{
	struct task_struct *t;
	int ret;

	ctx->root_pid = pid ? find_get_pid(pid) :
			      get_task_pid(current, PIDTYPE_PID);
	read_lock(&tasklist_lock);
	t = pid_task(ctx->root_pid, PIDTYPE_TGID);
	if (t) {
		ret = ckpt_check_root(ctx, t);
		if (!ret)
			ctx->root_task = get_task_struct(t);
	} else {
		t = pid_task(ctx->root_pid, PIDTYPE_PID);
		ret = t ? -EINVAL : -ESRCH;
		if (t)
			ckpt_refuse(ctx, t, "is a thread of process %d; name the process",
				    task_tgid_vnr(t));
		else
			ckpt_log(&ctx->log, "pid %d: there is no such process", pid);
	}
	read_unlock(&tasklist_lock);
	return ret;
}

/* A restart must find it. */
static void ckpt_check_relink(struct ckpt_ctx *ctx)
{
	const char *why = NULL;

	if (ctx->relink_dir)
		why = ckpt_path_problem(ctx, &ctx->relink_dir->f_path, &ctx->root);
	if (why)
		ckpt_refuse(ctx, ctx->root_task,
			    "has deleted files, and the directory %s for them %s",
			    ckpt_log_path(&ctx->log, &ctx->relink_dir->f_path), why);
}

/* Every reason is found before anything is written. */
static int ckpt_check(struct ckpt_ctx *ctx)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ctx->nr_tasks; i++) {
		struct ckpt_task *ct = &ctx->tasks[i];

		/* An exec of a set-user-ID file may lie between question and freeze. */
		ret = ckpt_may_save(ctx, ct->t);
		if (!ret)
			ret = ckpt_may_save_seccomp(ctx, ct->t);
		if (ret)
			return ret;
		ckpt_check_task(ctx, ct);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	ckpt_externals_unused(ctx);
	ckpt_check_relink(ctx);
	ckpt_check_strangers(ctx);
	ret = ckpt_check_in_flight(ctx);
	if (!ret)
		ret = ckpt_check_leaks(ctx);
	if (ret)
		return ret;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_CHECKED);
	return ctx->refusals ? -EOPNOTSUPP : 0;
}

/* A root whose first thread has exited has no namespaces, its next thread has. */
static void ckpt_header_times(struct ckpt_ctx *ctx, struct ckpt_rec_header *h)
{
	struct task_struct *t = ctx->tasks[ctx->tasks[0].zombie].t;
	struct timens_offsets off = {};

#ifdef CONFIG_TIME_NS
	task_lock(t);
	if (t->nsproxy)
		off = t->nsproxy->time_ns->offsets;
	task_unlock(t);
#endif
	h->timens_monotonic_ns = timespec64_to_ns(&off.monotonic);
	h->timens_boottime_ns = timespec64_to_ns(&off.boottime);
	h->realtime_ns = ktime_get_real_ns();
	h->monotonic_ns = ktime_get_ns() + h->timens_monotonic_ns;
	h->boottime_ns = ktime_get_boottime_ns() + h->timens_boottime_ns;
}

static int checkpoint_header(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_x86_features *f;
	struct ckpt_rec_header *h;
	u32 words;

	h = ckpt_rec_new(ctx, header, CKPT_REC_HEADER, 0);
	if (!h)
		return -ENOMEM;
	memcpy(h->magic, CKPT_IMAGE_MAGIC, sizeof(h->magic));
	h->version = CKPT_IMAGE_VERSION;
	h->arch = CKPT_ARCH_X86_64;
	h->feature_compat = CKPT_COMPAT_INDEX;
	h->page_shift = PAGE_SHIFT;
	h->nr_signals = _NSIG;
	h->nr_rlimits = RLIM_NLIMITS;
	h->hz = USER_HZ;
	h->flags = ctx->flags;
	memcpy(h->uuid, ctx->uuid, sizeof(h->uuid));
	random_get_boot_id(h->boot_id);
	h->id = ctx->id;
	ckpt_header_times(ctx, h);

	down_read(&uts_sem);
	strscpy(h->uts_release, utsname()->release);
	strscpy(h->uts_version, utsname()->version);
	strscpy(h->uts_machine, utsname()->machine);
	up_read(&uts_sem);

	words = arch_ckpt_feature_words();
	f = ckpt_rec_new(ctx, x86_features, CKPT_REC_X86_FEATURES, words * 4);
	if (!f)
		return -ENOMEM;
	f->nr_words = words;
	arch_ckpt_save_features(f, ckpt_rec_var(f));
	return 0;
}

static int checkpoint_meta_end(struct ckpt_ctx *ctx)
{
	struct ckpt_rec_meta_end *end;

	end = ckpt_rec_new(ctx, meta_end, CKPT_REC_META_END, 0);
	if (!end)
		return -ENOMEM;
	end->nr_records = ctx->meta.records - 1;
	end->nr_objects = ctx->objs.nr;
	return 0;
}

static int ckpt_capture(struct ckpt_ctx *ctx)
{
	unsigned int i;
	int ret;

	ret = checkpoint_header(ctx);
	if (!ret)
		ret = checkpoint_tree(ctx);
	for (i = 0; i < ctx->nr_tasks && !ret; i++) {
		ret = checkpoint_task(ctx, &ctx->tasks[i]);
		ret = ckpt_loop_step(ret);
	}
	if (!ret)
		ret = checkpoint_unix_queues(ctx);
	if (!ret)
		ret = checkpoint_epolls(ctx);
	if (!ret)
		ret = checkpoint_locks(ctx);
	if (!ret)
		ret = checkpoint_fowners(ctx);
	if (!ret)
		ret = checkpoint_meta_end(ctx);
	if (ret)
		return ret;
	ctx->stats.meta_bytes = ctx->meta.bytes;
	ctx->stats.objects = ctx->objs.nr;
	ctx->stats.tasks = ctx->nr_tasks;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_CAPTURED);
	return 0;
}

static void ckpt_release_tree(struct ckpt_ctx *ctx)
{
	if (!ctx->fz)
		return;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_THAW);
	ckpt_freezer_thaw(ctx->fz);
	ckpt_freezer_put(ctx->fz);
	ctx->fz = NULL;
	if (ctx->freeze_start)
		ctx->stats.frozen_ns = ktime_get() - ctx->freeze_start;
}

/* Only the duplicates of its memory are left to be written. */
static int ckpt_release_early(struct ckpt_ctx *ctx)
{
	/* What was captured of it may be what it was in death. */
	if (ckpt_tree_killed(ctx))
		return -ESRCH;
	ckpt_release_tree(ctx);
	checkpoint_dup_only(ctx);
	return 0;
}

static int ckpt_write_payload(struct ckpt_ctx *ctx)
{
	int ret;

	ret = checkpoint_inodes_payload(ctx);
	if (!ret && ctx->dup && ctx->fz)
		ret = ckpt_release_early(ctx);
	return ret ?: checkpoint_pages(ctx);
}

static int ckpt_write_out(struct ckpt_ctx *ctx)
{
	u64 meta_offset = ctx->meta.bytes - sizeof(struct ckpt_rec_meta_end);
	struct ckpt_out *out = &ctx->out;
	int ret = 0;

	if (ctx->dup && xa_empty(&ctx->inodes))
		ret = ckpt_release_early(ctx);
	if (ret)
		return ret;
	ret = ckpt_out_meta(out, &ctx->meta);
	if (ret)
		goto failed;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_META_WRITTEN);
	ret = ckpt_write_payload(ctx);
	if (ret)
		goto failed;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_PAYLOAD_WRITTEN);
	if (ctx->fz && ckpt_tree_killed(ctx))
		return -ESRCH;
	/* They would die with the init. */
	ret = ctx->flags & CHECKPOINT_KILL ? ckpt_check_strangers(ctx) : 0;
	if (ret)
		return ret;
	ret = ckpt_out_finish(out, meta_offset, ctx->uuid);
	if (ret)
		goto failed;
	if ((ctx->flags & CHECKPOINT_KILL) &&
	    S_ISREG(file_inode(out->file)->i_mode)) {
		ret = vfs_fsync(out->file, 0);
		if (ret)
			goto failed;
	}
	if (ctx->flags & (CHECKPOINT_KILL | CHECKPOINT_HOLD)) {
		ret = ckpt_relink_sync(ctx);
		if (ret)
			goto failed;
	}
	ctx->stats.image_bytes = out->offset;
	ctx->stats.pages_written = out->pages;
	trace_checkpoint_stage(ctx->root_task, CKPT_STAGE_WRITTEN);
	return 0;

failed:
	ckpt_log(&ctx->log,
		 "writing the image failed at offset %llu: %pe; the processes go on",
		 out->offset, ERR_PTR(ret));
	return ret;
}

static int ckpt_begin(struct ckpt_ctx *ctx, pid_t pid)
{
	static atomic64_t last_id;
	int ret;

	ret = ckpt_find_root(ctx, pid);
	if (!ret)
		ret = ckpt_may_save(ctx, ctx->root_task);
	if (ret)
		return ret;

	get_fs_root(current->fs, &ctx->root);
	get_random_bytes(ctx->uuid, sizeof(ctx->uuid));
	/* Positive, and it fits an int for who takes it as one. */
	ctx->id = (atomic64_inc_return(&last_id) & INT_MAX) ?: 1;
	ctx->fz = ckpt_freezer_alloc();
	return ctx->fz ? 0 : -ENOMEM;
}

/**
 * ckpt_do_checkpoint - save a tree
 * @ctx: flags, log, output and timeout are set
 * @pid: root of the tree in the caller's pid namespace, 0 for the caller
 *
 * Context: may sleep; no locks held.
 * Return: a positive id (0 with CHECKPOINT_CHECK), or a negative errno. With
 * CHECKPOINT_HOLD and no error the tree is still frozen, held by @ctx->fz and
 * @ctx->tasks.
 */
long ckpt_do_checkpoint(struct ckpt_ctx *ctx, pid_t pid)
{
	ktime_t start = ktime_get();
	struct task_struct *killed;
	long ret;

	ret = ckpt_begin(ctx, pid);
	if (!ret)
		ret = ckpt_freeze_tree(ctx);
	if (!ret)
		ret = ckpt_collect(ctx);
	if (!ret)
		ret = ckpt_check_output(ctx);
	if (!ret)
		ret = ckpt_check(ctx);
	if (!ret && !(ctx->flags & CHECKPOINT_CHECK)) {
		ret = checkpoint_cow_begin(ctx);
		if (!ret)
			ret = ckpt_capture(ctx);
		if (!ret)
			ret = checkpoint_dup(ctx);
		if (!ret)
			ret = ckpt_write_out(ctx);
		checkpoint_cow_end(ctx);
		if (!ret && (ctx->flags & CHECKPOINT_KILL))
			ckpt_kill_tasks(ctx->tasks, ctx->nr_tasks);
	}
	/* Whatever else was found wrong with it came of that. */
	killed = ret && ctx->fz ? ckpt_tree_killed(ctx) : NULL;
	if (killed) {
		ckpt_refuse(ctx, killed, "was killed while it was being saved");
		ret = -ESRCH;
	}
	ckpt_relink_end(ctx, ret);
	if (ret || !(ctx->flags & CHECKPOINT_HOLD))
		ckpt_release_tree(ctx);
	else
		ctx->stats.frozen_ns = ktime_get() - ctx->freeze_start;
	put_pid(ctx->root_pid);
	ctx->stats.total_ns = ktime_get() - start;
	if (ret && !ctx->log.len)
		ckpt_log(&ctx->log, "pid %d could not be saved: %pe", pid,
			 ERR_PTR(ret));
	if (ret)
		return ret;
	return ctx->flags & CHECKPOINT_CHECK ? 0 : ctx->id;
}
