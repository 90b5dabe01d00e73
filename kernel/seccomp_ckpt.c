// SPDX-License-Identifier: GPL-2.0
/*
 * Filters that are saved in an image and made from one. Part of seccomp.c.
 */
#include <linux/seccomp_ckpt.h>

#ifdef CONFIG_SECCOMP_FILTER

/**
 * ckpt_seccomp_get - the newest filter of a task
 * @t: the task
 *
 * Return: the filter with a reference, NULL if there is none.
 */
struct seccomp_filter *ckpt_seccomp_get(struct task_struct *t)
{
	struct seccomp_filter *filter;
	unsigned long flags;

	if (!lock_task_sighand(t, &flags))
		return NULL;
	get_seccomp_filter(t);
	filter = t->seccomp.filter;
	unlock_task_sighand(t, &flags);
	return filter;
}

/**
 * ckpt_seccomp_grab - take a reference
 * @filter: the filter, may be NULL
 */
void ckpt_seccomp_grab(struct seccomp_filter *filter)
{
	if (!filter)
		return;
	__get_seccomp_filter(filter);
	refcount_inc(&filter->users);
}

/**
 * ckpt_seccomp_put - drop a reference
 * @filter: the filter, may be NULL
 */
void ckpt_seccomp_put(struct seccomp_filter *filter)
{
	__seccomp_filter_release(filter);
}

/**
 * ckpt_seccomp_read - what a filter is
 * @filter: the filter, held
 * @info: out
 *
 * Context: may sleep.
 */
void ckpt_seccomp_read(struct seccomp_filter *filter,
		       struct ckpt_seccomp_info *info)
{
	const struct sock_fprog_kern *orig = filter->prog->orig_prog;

	info->prev = filter->prev;
	info->insns = orig ? orig->filter : NULL;
	info->nr = orig ? orig->len : 0;
	info->log = filter->log;
	mutex_lock(&filter->notify_lock);
	info->listener = filter->notif;
	mutex_unlock(&filter->notify_lock);
}

/* As seccomp_attach_filter() counts. */
static bool ckpt_seccomp_fits(const struct seccomp_filter *filter)
{
	unsigned long total = filter->prog->len;
	const struct seccomp_filter *walker;

	for (walker = filter->prev; walker; walker = walker->prev)
		total += walker->prog->len + 4;
	return total <= MAX_INSNS_PER_PATH;
}

/**
 * ckpt_seccomp_create - make a filter that no task has yet
 * @prev: the one before it, or NULL
 * @info: its program, which is checked here, and flags
 *
 * Whether current may have it is for the caller to ask.
 *
 * Context: may sleep.
 * Return: the filter with a reference; ERR_PTR(-EINVAL): no program that
 * seccomp() takes; -E2BIG: too long with those before it; -ENOMEM.
 */
struct seccomp_filter *ckpt_seccomp_create(struct seccomp_filter *prev,
					   const struct ckpt_seccomp_info *info)
{
	struct sock_fprog_kern fprog = {
		.len = info->nr,
		.filter = (struct sock_filter *)info->insns,
	};
	struct seccomp_filter *filter;
	int ret;

	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	ret = ckpt_bpf_prog_create(&filter->prog, &fprog, seccomp_check_filter);
	if (ret) {
		kfree(filter);
		return ERR_PTR(ret);
	}
	refcount_set(&filter->refs, 1);
	refcount_set(&filter->users, 1);
	mutex_init(&filter->notify_lock);
	init_waitqueue_head(&filter->wqh);
	filter->log = info->log;
	ckpt_seccomp_grab(prev);
	filter->prev = prev;
	if (!ckpt_seccomp_fits(filter)) {
		ckpt_seccomp_put(filter);
		return ERR_PTR(-E2BIG);
	}
	seccomp_cache_prepare(filter);
	return filter;
}

/**
 * ckpt_seccomp_attach - put current under filters
 * @filter: the newest of them; those that current has are among them
 *
 * Nothing is said about speculation: whoever was saved had none of the
 * mitigations, or it would have been refused.
 */
void ckpt_seccomp_attach(struct seccomp_filter *filter)
{
	struct seccomp_filter *walker, *old;
	unsigned long flags;
	int count = 0;

	for (walker = filter; walker; walker = walker->prev)
		count++;
	/* It is there as long as current runs. */
	if (WARN_ON_ONCE(!lock_task_sighand(current, &flags)))
		return;
	ckpt_seccomp_grab(filter);
	old = current->seccomp.filter;
	WARN_ON_ONCE(!is_ancestor(old, filter));
	/* Nobody else looks at it without the lock: see seccomp_sync_threads(). */
	WRITE_ONCE(current->seccomp.filter, filter);
	atomic_set(&current->seccomp.filter_count, count);
	seccomp_assign_mode(current, SECCOMP_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	unlock_task_sighand(current, &flags);
	ckpt_seccomp_put(old);
}

#endif /* CONFIG_SECCOMP_FILTER */

/**
 * ckpt_seccomp_set_strict - put current into strict mode
 *
 * Context: current has no filters.
 */
void ckpt_seccomp_set_strict(void)
{
	WARN_ON_ONCE(seccomp_set_mode_strict());
}
