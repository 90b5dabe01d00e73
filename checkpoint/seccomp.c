// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp: strict mode, and filters. A filter is an object that refers to the
 * one before it; tasks that have a filter in common have it in common again, so
 * that a later SECCOMP_FILTER_FLAG_TSYNC finds them as before.
 *
 * Filters of who restarts stay: those of the image are put on top of them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/seccomp_ckpt.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "checkpoint.h"

/* Records hold these. */
static_assert(sizeof(struct sock_filter) == 8);

/* ---- saving --------------------------------------------------------------- */

/**
 * ckpt_may_save_seccomp - may the caller see the filters of a task?
 * @ctx: the checkpoint
 * @t: the task, frozen
 *
 * As for PTRACE_SECCOMP_GET_FILTER.
 *
 * Return: 0, or -EPERM with the reason logged.
 */
int ckpt_may_save_seccomp(struct ckpt_ctx *ctx, struct task_struct *t)
{
	if (seccomp_mode(&t->seccomp) != SECCOMP_MODE_FILTER)
		return 0;
	if (capable(CAP_SYS_ADMIN) &&
	    seccomp_mode(&current->seccomp) == SECCOMP_MODE_DISABLED)
		return 0;
	ckpt_refuse(ctx, t,
		    "has seccomp filters; saving these takes CAP_SYS_ADMIN, and no filter of your own");
	return -EPERM;
}

static const char *ckpt_filter_problem(const struct ckpt_seccomp_info *info)
{
	if (info->listener)
		return "has a seccomp filter with a listener, which cannot be saved yet";
	if (!info->insns)
		return "has a seccomp filter whose program the kernel has not kept";
	return NULL;
}

/**
 * ckpt_check_seccomp - find what of its seccomp state cannot be saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_seccomp(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct seccomp_filter *top, *filter;
	struct ckpt_seccomp_info info;
	const char *why = NULL;

	/* The mode behind these is private to seccomp: it is about to die. */
	if (seccomp_mode(&t->seccomp) > SECCOMP_MODE_FILTER) {
		ckpt_refuse(ctx, t, "is just being killed by seccomp");
		return;
	}
	top = ckpt_seccomp_get(t);
	for (filter = top; filter && !why; filter = info.prev) {
		ckpt_seccomp_read(filter, &info);
		why = ckpt_filter_problem(&info);
	}
	if (why)
		ckpt_refuse(ctx, t, "%s", why);
	ckpt_seccomp_put(top);
}

static int checkpoint_filter(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct ckpt_rec_seccomp *rec;
	struct ckpt_seccomp_info info;
	int err = 0;
	u32 prev;

	ckpt_seccomp_read(ptr, &info);
	/* It is there, see checkpoint_seccomp(). */
	prev = ckpt_obj_checkpoint(ctx, CKPT_OBJ_SECCOMP, info.prev, &err);
	if (err)
		return err;
	rec = ckpt_rec_new(ctx, seccomp, CKPT_REC_SECCOMP,
			   array_size(info.nr, sizeof(*info.insns)));
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->prev = prev;
	rec->nr_insns = info.nr;
	if (info.log)
		rec->flags |= CKPT_SECCOMP_LOG;
	memcpy(ckpt_rec_var(rec), info.insns,
	       array_size(info.nr, sizeof(*info.insns)));
	return 0;
}

/* How many filters from @top down are not in the image yet. */
static unsigned int ckpt_new_filters(struct ckpt_ctx *ctx,
				     struct seccomp_filter *top)
{
	struct ckpt_seccomp_info info;
	unsigned int nr = 0;

	for (; top && !ckpt_obj_find(&ctx->objs, top); top = info.prev) {
		ckpt_seccomp_read(top, &info);
		nr++;
	}
	return nr;
}

/**
 * checkpoint_seccomp - write the filters of a task
 * @ctx: the checkpoint
 * @t: the task, frozen
 * @objref: out, that of the newest filter; 0 without filters
 *
 * The oldest comes first, and none is written from within another: there may
 * be thousands.
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_seccomp(struct ckpt_ctx *ctx, struct task_struct *t, u32 *objref)
{
	struct seccomp_filter *top, *filter, **chain = NULL;
	struct ckpt_seccomp_info info;
	unsigned int nr, i;
	int err = 0;

	*objref = 0;
	if (seccomp_mode(&t->seccomp) != SECCOMP_MODE_FILTER)
		return 0;
	top = ckpt_seccomp_get(t);
	if (!top)
		return -ESRCH;
	nr = ckpt_new_filters(ctx, top);
	if (nr) {
		chain = kvmalloc_array(nr, sizeof(*chain), GFP_KERNEL_ACCOUNT);
		if (!chain)
			err = -ENOMEM;
	}
	for (i = 0, filter = top; i < nr && !err; i++, filter = info.prev) {
		chain[i] = filter;
		ckpt_seccomp_read(filter, &info);
	}
	while (i-- && !err)
		ckpt_obj_checkpoint(ctx, CKPT_OBJ_SECCOMP, chain[i], &err);
	*objref = ckpt_obj_checkpoint(ctx, CKPT_OBJ_SECCOMP, top, &err);
	kvfree(chain);
	ckpt_seccomp_put(top);
	return err;
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * ckpt_check_own_seccomp - may current become another under its own filters?
 * @rs: the restart
 *
 * Return: 0, or -EPERM with the reason logged.
 */
int ckpt_check_own_seccomp(struct ckpt_restart *rs)
{
	struct seccomp_filter *own = ckpt_seccomp_get(current);
	bool same = own == rs->seccomp;

	ckpt_seccomp_put(own);
	/* Filters of the image are made once, on top of those. */
	if (!same) {
		ckpt_log(&rs->log,
			 "the restarting process has other seccomp filters than who began the restart");
		return -EPERM;
	}
	/* A saved program would escape from the filter, or the filter from it. */
	if (seccomp_mode(&current->seccomp) != SECCOMP_MODE_DISABLED &&
	    !ns_capable(current_user_ns(), CAP_SYS_ADMIN)) {
		ckpt_log(&rs->log,
			 "the restarting process runs under seccomp and has not CAP_SYS_ADMIN");
		return -EPERM;
	}
	return 0;
}

static void *restore_filter(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_seccomp *rec = ckpt_rec_as(r, seccomp);
	struct ckpt_seccomp_info info = {
		.insns = r->var,
		.nr = rec->nr_insns,
		.log = rec->flags & CKPT_SECCOMP_LOG,
	};
	struct seccomp_filter *prev = rs->seccomp, *filter;

	if (rec->flags & ~CKPT_SECCOMP_FLAGS_ALL)
		return ERR_PTR(ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags));
	if (!rec->nr_insns || rec->nr_insns > BPF_MAXINSNS ||
	    r->var_len / sizeof(*info.insns) < rec->nr_insns)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "a program of %u instructions",
					rec->nr_insns));
	if (rec->prev)
		prev = ckpt_obj_restore(rs, CKPT_OBJ_SECCOMP, rec->prev);
	if (IS_ERR(prev))
		return prev;
	filter = ckpt_seccomp_create(prev, &info);
	if (filter == ERR_PTR(-EINVAL))
		ckpt_bad(rs, r, -EINVAL, "is no program that seccomp() takes");
	else if (filter == ERR_PTR(-E2BIG))
		ckpt_bad(rs, r, -E2BIG, "is too long, with the filters before it");
	else if (IS_ERR(filter))
		ckpt_bad(rs, r, PTR_ERR(filter), "the filter cannot be made");
	return filter;
}

/* Each refers to one with a lower number: there is no way round in circles. */
static int ckpt_filter_chain(struct ckpt_restart *rs, u32 objref, u32 *chain,
			     unsigned int *nr)
{
	const struct ckpt_rec *r;

	for (*nr = 0; objref; objref = ckpt_rec_as(r, seccomp)->prev) {
		r = ckpt_obj_rec(rs, CKPT_OBJ_SECCOMP, objref);
		if (IS_ERR(r))
			return PTR_ERR(r);
		if (ckpt_rec_as(r, seccomp)->prev >= objref)
			return ckpt_bad(rs, r, -EINVAL,
					"the filter before it, %u, does not come before it",
					ckpt_rec_as(r, seccomp)->prev);
		if (*nr == CKPT_SECCOMP_MAX_FILTERS)
			return ckpt_bad(rs, r, -E2BIG, "is one filter too many");
		chain[(*nr)++] = objref;
	}
	return 0;
}

static int restore_filters(struct ckpt_member *m, u32 objref)
{
	struct ckpt_restart *rs = m->rs;
	struct seccomp_filter *filter;
	unsigned int nr;
	u32 *chain;
	int ret;

	chain = kvmalloc_array(CKPT_SECCOMP_MAX_FILTERS, sizeof(*chain),
			       GFP_KERNEL_ACCOUNT);
	if (!chain)
		return -ENOMEM;
	ret = ckpt_filter_chain(rs, objref, chain, &nr);
	while (!ret && nr--) {
		filter = ckpt_obj_restore(rs, CKPT_OBJ_SECCOMP, chain[nr]);
		if (IS_ERR(filter))
			ret = PTR_ERR(filter);
		else
			m->seccomp = filter;
		ret = ckpt_loop_step(ret);
	}
	kvfree(chain);
	return ret;
}

/**
 * restore_seccomp - make the filters of a task; they do nothing yet
 * @m: the task, whose turn it is
 *
 * The rules are those of seccomp().
 *
 * Context: before the point of no return.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_seccomp(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;

	if (rec->flags & CKPT_TASK_SECCOMP_STRICT) {
		if (!IS_ENABLED(CONFIG_SECCOMP))
			return ckpt_bad(rs, m->task, -EOPNOTSUPP, "this kernel has no seccomp");
		if (rec->seccomp)
			return ckpt_bad(rs, m->task, -EINVAL,
					"has both seccomp filters and the strict mode");
		if (seccomp_mode(&current->seccomp) != SECCOMP_MODE_DISABLED)
			return ckpt_bad(rs, m->task, -EPERM,
					"was in seccomp's strict mode, which your filters would not survive");
		return 0;
	}
	if (!rec->seccomp)
		return 0;
	if (!(rec->flags & CKPT_TASK_NO_NEW_PRIVS) &&
	    !task_no_new_privs(current) &&
	    !ns_capable_noaudit(current_user_ns(), CAP_SYS_ADMIN))
		return ckpt_bad(rs, m->task, -EPERM,
				"has seccomp filters without no_new_privs, which takes CAP_SYS_ADMIN");
	return restore_filters(m, rec->seccomp);
}

/**
 * restore_seccomp_commit - come under the filters
 * @m: the task
 *
 * They look at system calls that are made from now on; the one that goes on
 * comes as restart_syscall().
 *
 * Context: past the point of no return; the last that current needs a right for
 * is done.
 */
void restore_seccomp_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);

	if (rec->flags & CKPT_TASK_SECCOMP_STRICT)
		ckpt_seccomp_set_strict();
	else if (m->seccomp)
		ckpt_seccomp_attach(m->seccomp);
}

static void ckpt_filter_grab(void *ptr)
{
	ckpt_seccomp_grab(ptr);
}

static void ckpt_filter_drop(void *ptr)
{
	ckpt_seccomp_put(ptr);
}

/* Who else has a filter makes no difference to anybody. */
const struct ckpt_obj_ops ckpt_ops_SECCOMP = {
	.rec_type = CKPT_REC_SECCOMP,
	.grab = ckpt_filter_grab,
	.drop = ckpt_filter_drop,
	.checkpoint = checkpoint_filter,
	.restore = restore_filter,
};
