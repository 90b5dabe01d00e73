// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policies of tasks, of mappings, and of shared memory, whoever maps it:
 * from which nodes memory comes.
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
#include <linux/shmem_fs.h>

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

/* The first part that ends behind @pos, with a reference to its policy, or NULL. */
static struct mempolicy *ckpt_shared_policy(struct shared_policy *sp, u64 pos,
					    struct ckpt_page_run *run)
{
	struct mempolicy *pol = NULL;
	struct rb_node *node;
	struct sp_node *n;

	read_lock(&sp->lock);
	for (node = sp->root.rb_node; node; ) {
		n = rb_entry(node, struct sp_node, nd);
		if (n->end <= pos) {
			node = node->rb_right;
			continue;
		}
		pol = n->policy;
		*run = (struct ckpt_page_run) { n->start, n->end - n->start };
		node = node->rb_left;
	}
	if (pol)
		mpol_get(pol);
	read_unlock(&sp->lock);
	return pol;
}

/**
 * checkpoint_inode_policies - write the policies of shared memory
 * @ctx: the checkpoint
 * @inode: the memory, of tmpfs
 * @objref: of @inode, whose INODE record was written last
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_inode_policies(struct ckpt_ctx *ctx, struct inode *inode,
			      u32 objref)
{
	struct ckpt_rec_mempolicy *rec;
	struct ckpt_page_run run = {};
	struct mempolicy *pol;
	int ret = 0;

	while (!ret) {
		pol = ckpt_shared_policy(&SHMEM_I(inode)->policy,
					 run.start + run.nr, &run);
		if (!pol)
			break;
		rec = ckpt_rec_new(ctx, mempolicy, CKPT_REC_MEMPOLICY, 0);
		if (rec) {
			rec->mm = objref;
			rec->start = run.start;
			rec->nr = run.nr;
			ckpt_policy_fill(pol, rec);
		}
		mpol_put(pol);
		ret = ckpt_loop_step(rec ? 0 : -ENOMEM);
	}
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

/* Of current, which gets @pol and gives what it had. */
static struct mempolicy *ckpt_swap_policy(struct mempolicy *pol)
{
	task_lock(current);
	swap(current->mempolicy, pol);
	task_unlock(current);
	return pol;
}

/* A policy by itself, as mbind() makes one. */
static struct mempolicy *restore_policy(struct ckpt_restart *rs,
					const struct ckpt_rec *r)
{
	const struct ckpt_rec_mempolicy *rec = ckpt_rec_as(r, mempolicy);
	struct mempolicy *mine, *pol;
	nodemask_t nodes;
	int ret;

	ret = restore_policy_check(rs, r, &nodes);
	if (ret)
		return ERR_PTR(ret);
	mine = ckpt_swap_policy(NULL);
	ret = ckpt_set_mempolicy(rec->mode, &nodes);
	pol = ckpt_swap_policy(mine);
	if (ret)
		return ERR_PTR(ckpt_bad(rs, r, ret, "there can be no memory policy 0x%x",
					rec->mode));
	if (rec->home_node)
		pol->home_node = rec->home_node - 1;
	return pol;
}

static int restore_inode_policy(struct ckpt_restart *rs, const struct ckpt_rec *r,
				struct inode *inode)
{
	const struct ckpt_rec_mempolicy *rec = ckpt_rec_as(r, mempolicy);
	struct vm_area_struct vma = {};
	struct mempolicy *pol;
	int ret;

	if (rec->nr > U64_MAX >> PAGE_SHIFT ||
	    rec->start > (U64_MAX >> PAGE_SHIFT) - rec->nr)
		return ckpt_bad(rs, r, -EINVAL, "%llu pages at page %llu",
				rec->nr, rec->start);
	pol = restore_policy(rs, r);
	if (IS_ERR(pol))
		return PTR_ERR(pol);
	/* What a mapping of these pages would be. */
	vma.vm_pgoff = rec->start;
	vma.vm_end = rec->nr << PAGE_SHIFT;
	ret = mpol_set_shared_policy(&SHMEM_I(inode)->policy, &vma, pol);
	mpol_put(pol);
	return ret;
}

/**
 * restore_inode_policies - set the policies of shared memory
 * @rs: the restart
 * @r: its INODE record
 * @file: that writes it; it is empty
 *
 * Return: 0 or a negative errno.
 */
int restore_inode_policies(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct file *file)
{
	const struct ckpt_robj *obj = xa_load(&rs->objs, ckpt_rec_as(r, inode)->objref);
	unsigned long index = obj->index;
	const struct ckpt_rec *policy;
	int ret = 0;

	while (!ret) {
		policy = ckpt_rec_at(rs, ++index);
		if (!policy || policy->type != CKPT_REC_MEMPOLICY)
			break;
		if (!ckpt_is_shmem(file) && (rs->flags & RESTART_FORCE_FILES))
			return 0;
		if (!ckpt_is_shmem(file))
			return ckpt_bad(rs, policy, -EINVAL,
					"%s is no file of tmpfs",
					(const char *)r->var);
		ret = restore_inode_policy(rs, policy, file_inode(file));
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/* Does it map shared memory that has come back with its policies? */
static bool restore_vma_is_shared(struct ckpt_restart *rs,
				  const struct ckpt_rec_vma *rec)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool is;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, rec->start);
	is = vma && vma_is_shmem(vma) &&
	     restore_inode_keeps(rs, rec, vma->vm_file);
	mmap_read_unlock(mm);
	return is;
}

/* That of the mapping alone: what it maps may have got another one since. */
static int restore_vma_only_policy(struct ckpt_restart *rs,
				   const struct ckpt_rec *r,
				   const struct ckpt_rec_vma *rec)
{
	struct mempolicy *pol = restore_policy(rs, r);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	if (IS_ERR(pol))
		return PTR_ERR(pol);
	mmap_write_lock(mm);
	vma = vma_lookup(mm, rec->start);
	if (vma) {
		vma_start_write(vma);
		swap(vma->vm_policy, pol);
	}
	mmap_write_unlock(mm);
	mpol_put(pol);
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

	if (restore_vma_is_shared(rs, vma))
		return restore_vma_only_policy(rs, r, vma);
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

int checkpoint_inode_policies(struct ckpt_ctx *ctx, struct inode *inode,
			      u32 objref)
{
	return 0;
}

int restore_inode_policies(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct file *file)
{
	const struct ckpt_robj *obj = xa_load(&rs->objs, ckpt_rec_as(r, inode)->objref);
	const struct ckpt_rec *policy = ckpt_rec_at(rs, obj->index + 1);

	if (!policy || policy->type != CKPT_REC_MEMPOLICY)
		return 0;
	return ckpt_bad(rs, policy, -EOPNOTSUPP, "this kernel has no memory policies");
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
