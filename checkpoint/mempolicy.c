// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policies of tasks and of mappings: from which nodes memory comes.
 *
 * Where a page was is not saved. It is taken as the policies say, and by those
 * of the restarter where there are none.
 */
#include <linux/cpuset.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mm_ckpt.h>
#include <linux/nodemask.h>
#include <linux/sched/task.h>

#include "checkpoint.h"

#ifdef CONFIG_NUMA

static_assert(MAX_NUMNODES <= CKPT_MAX_NODES);
/* A mode that is added here may have more to it than mode and nodes. */
static_assert(MPOL_MAX - 1 == MPOL_WEIGHTED_INTERLEAVE);
static_assert(MPOL_MODE_FLAGS == (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES |
				  MPOL_F_NUMA_BALANCING));

/* The nodes are as the user gave them. */
#define CKPT_MPOL_USER_NODES	(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)

static void ckpt_policy_fill(const struct mempolicy *pol,
			     struct ckpt_rec_mempolicy *rec)
{
	const nodemask_t *nodes = &pol->nodes;

	rec->mode = pol->mode | (pol->flags & MPOL_MODE_FLAGS);
	if (pol->home_node != NUMA_NO_NODE)
		rec->home_node = pol->home_node + 1;
	if (pol->flags & CKPT_MPOL_USER_NODES)
		nodes = &pol->w.user_nodemask;
	if (pol->mode != MPOL_LOCAL)
		bitmap_to_arr64(rec->nodes, nodes->bits, MAX_NUMNODES);
}

/**
 * checkpoint_vma_policy - write the policy of a mapping
 * @ctx: the checkpoint
 * @pol: the policy, or NULL: nothing is written
 * @mm_ref: objref of the address space
 *
 * Context: mmap_lock held for reading.
 * Return: 0 or -ENOMEM.
 */
int checkpoint_vma_policy(struct ckpt_ctx *ctx, const struct mempolicy *pol,
			  u32 mm_ref)
{
	struct ckpt_rec_mempolicy *rec;

	if (!pol)
		return 0;
	rec = ckpt_rec_new(ctx, mempolicy, CKPT_REC_MEMPOLICY, 0);
	if (!rec)
		return -ENOMEM;
	rec->mm = mm_ref;
	ckpt_policy_fill(pol, rec);
	return 0;
}

/**
 * checkpoint_task_policy - write the policy of a task, if it has one
 * @ctx: the checkpoint
 * @t: the task, frozen
 *
 * Return: 0, -ENOMEM, or -ESRCH if the task is being killed.
 */
int checkpoint_task_policy(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct ckpt_rec_mempolicy *rec;
	int ret = 0;

	/* Only the task itself sets it, or takes it away when it dies. */
	if (!READ_ONCE(t->mempolicy))
		return 0;
	rec = ckpt_rec_new(ctx, mempolicy, CKPT_REC_MEMPOLICY, 0);
	if (!rec)
		return -ENOMEM;
	task_lock(t);
	if (t->mempolicy)
		ckpt_policy_fill(t->mempolicy, rec);
	else
		ret = -ESRCH;
	task_unlock(t);
	return ret;
}

/* ---- restart ------------------------------------------------------------------- */

static bool ckpt_has_home_node(int mode)
{
	return mode == MPOL_BIND || mode == MPOL_PREFERRED_MANY;
}

static int restore_policy_check(struct ckpt_restart *rs,
				const struct ckpt_rec *r, nodemask_t *nodes)
{
	const struct ckpt_rec_mempolicy *rec = ckpt_rec_as(r, mempolicy);
	u32 mode = rec->mode & ~MPOL_MODE_FLAGS, home = rec->home_node - 1;
	const unsigned long *bits = (const unsigned long *)rec->nodes;
	unsigned long n;

	if (mode == MPOL_DEFAULT || mode >= MPOL_MAX)
		return ckpt_bad(rs, r, -EINVAL, "memory policy 0x%x does not exist", rec->mode);
	n = find_next_bit(bits, CKPT_MAX_NODES, MAX_NUMNODES);
	if (n < CKPT_MAX_NODES)
		return ckpt_bad(rs, r, -EINVAL, "memory node %lu cannot exist here", n);
	bitmap_from_arr64(nodes->bits, rec->nodes, MAX_NUMNODES);
	if (nodes_empty(*nodes) ? mode != MPOL_LOCAL : mode == MPOL_LOCAL)
		return ckpt_bad(rs, r, -EINVAL, "memory policy 0x%x with nodes %*pbl",
				rec->mode, nodemask_pr_args(nodes));
	if (!(rec->mode & CKPT_MPOL_USER_NODES) &&
	    !nodes_subset(*nodes, cpuset_current_mems_allowed))
		return ckpt_bad(rs, r, -EPERM,
				"memory is to come from nodes %*pbl, you may have it from %*pbl",
				nodemask_pr_args(nodes),
				nodemask_pr_args(&cpuset_current_mems_allowed));
	if (!rec->home_node)
		return 0;
	if (!rec->mm || !ckpt_has_home_node(mode) || home >= MAX_NUMNODES ||
	    !node_online(home))
		return ckpt_bad(rs, r, -EINVAL, "home node %u of memory policy 0x%x",
				home, rec->mode);
	return 0;
}

/**
 * restore_vma_policy - set the policy of a mapping; its pages move
 * @rs: the restart; current runs on the address space
 * @r: MEMPOLICY record
 * @vma: VMA record
 *
 * Return: 0 or a negative errno.
 */
int restore_vma_policy(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       const struct ckpt_rec_vma *vma)
{
	nodemask_t nodes;
	int ret;

	ret = restore_policy_check(rs, r, &nodes);
	if (ret)
		return ret;
	ret = ckpt_mbind(vma->start, vma->end - vma->start,
			 ckpt_rec_as(r, mempolicy)->mode, &nodes);
	return ret ? ckpt_bad(rs, r, ret, "the memory policy of mapping %llx cannot be set",
			      vma->start) : 0;
}

/**
 * restore_vma_home_node - as set_mempolicy_home_node()
 * @rs: the restart; current runs on the address space
 * @r: MEMPOLICY record, whose policy has been set
 * @vma: VMA record, whose mapping stands apart from others
 *
 * Return: 0 or a negative errno.
 */
int restore_vma_home_node(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_rec_vma *vma)
{
	const struct ckpt_rec_mempolicy *rec = ckpt_rec_as(r, mempolicy);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *at;
	int ret = -EINVAL;

	if (!rec->home_node)
		return 0;
	mmap_write_lock(mm);
	at = vma_lookup(mm, vma->start);
	if (at && vma_policy(at)) {
		vma_start_write(at);
		vma_policy(at)->home_node = rec->home_node - 1;
		ret = 0;
	}
	mmap_write_unlock(mm);
	return ret;
}

/* Of current, which gets @pol and gives what it had. */
static struct mempolicy *ckpt_swap_policy(struct mempolicy *pol)
{
	task_lock(current);
	swap(current->mempolicy, pol);
	task_unlock(current);
	return pol;
}

/**
 * restore_task_policy - set the policy of a task
 * @m: the task
 *
 * Its memory is taken from there already.
 *
 * Return: 0 or a negative errno; restore_task_policy_abort() in both cases
 * undoes it.
 */
int restore_task_policy(struct ckpt_member *m)
{
	nodemask_t nodes;
	int ret;

	m->old_policy = ckpt_swap_policy(NULL);
	m->has_policy = true;
	if (!m->policy)
		return 0;
	ret = restore_policy_check(m->rs, m->policy, &nodes);
	if (ret)
		return ret;
	ret = ckpt_set_mempolicy(ckpt_rec_as(m->policy, mempolicy)->mode, &nodes);
	return ret ? ckpt_bad(m->rs, m->policy, ret,
			      "the memory policy of task %u cannot be set", m->index) : 0;
}

/**
 * restore_task_policy_abort - go back to the old policy, if it was left
 * @m: the task
 */
void restore_task_policy_abort(struct ckpt_member *m)
{
	if (m->has_policy)
		mpol_put(ckpt_swap_policy(m->old_policy));
	m->old_policy = NULL;
	m->has_policy = false;
}

/**
 * restore_task_policy_commit - the new policy is the only one from now on
 * @m: the task
 */
void restore_task_policy_commit(struct ckpt_member *m)
{
	mpol_put(m->old_policy);
	m->old_policy = NULL;
	m->has_policy = false;
}

#else /* !CONFIG_NUMA */

int checkpoint_vma_policy(struct ckpt_ctx *ctx, const struct mempolicy *pol,
			  u32 mm_ref)
{
	return 0;
}

int checkpoint_task_policy(struct ckpt_ctx *ctx, struct task_struct *t)
{
	return 0;
}

int restore_vma_policy(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       const struct ckpt_rec_vma *vma)
{
	return ckpt_bad(rs, r, -EOPNOTSUPP, "this kernel has no memory policies");
}

int restore_vma_home_node(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_rec_vma *vma)
{
	return 0;
}

int restore_task_policy(struct ckpt_member *m)
{
	if (!m->policy)
		return 0;
	return ckpt_bad(m->rs, m->policy, -EOPNOTSUPP,
			"this kernel has no memory policies");
}

void restore_task_policy_abort(struct ckpt_member *m) { }
void restore_task_policy_commit(struct ckpt_member *m) { }

#endif /* CONFIG_NUMA */
