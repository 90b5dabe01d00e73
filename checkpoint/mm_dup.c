// SPDX-License-Identifier: GPL-2.0
/*
 * CHECKPOINT_COW: the tree runs while its memory is written out.
 *
 * While it stands still each of its address spaces is duplicated, as fork() does
 * it: what the program writes to after that is a copy of its own, and the
 * duplicate keeps what was there. The duplicates take the places of the originals
 * among the objects of the checkpoint, so that the rest of it does not know. No
 * task runs on them, and they end with the checkpoint.
 *
 * dup_mmap() makes what a child may have. A duplicate has what must be written:
 * also what children do not inherit (MADV_DONTFORK, MADV_WIPEONFORK), but no
 * mapping without memory of its own, and no page of a file, which could not
 * follow a truncation.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/task_work.h>
#include <asm/tlbflush.h>

#include "../mm/internal.h"
#include "checkpoint.h"

/* Neither anonymous nor of a file that anybody could ask for a page. */
static const struct vm_operations_struct ckpt_dup_vm_ops = {
};

/* Leaves the pages that the program has written to. */
static void ckpt_dup_part_from_file(struct vm_area_struct *vma)
{
	struct zap_details only_file_pages = { .even_cows = false };
	struct file *file = vma->vm_file;

	zap_page_range_single(vma, vma->vm_start, vma->vm_end - vma->vm_start,
			      &only_file_pages);
	unlink_file_vma(vma);
	vma->vm_file = NULL;
	vma->vm_ops = &ckpt_dup_vm_ops;
	fput(file);
}

/*
 * What is told apart by them when it is written stays told apart. Locked it is
 * not: nobody has counted that.
 */
static void ckpt_dup_flags(struct vm_area_struct *vma,
			   struct vm_area_struct *from)
{
	vm_flags_clear(vma, VM_LOCKED_MASK);
	if (ckpt_vma_keeps_zeros(from))
		vm_flags_set(vma, VM_LOCKONFAULT);
}

/* A mapping of @mm like @from, still without pages. */
static struct vm_area_struct *ckpt_dup_vma(struct mm_struct *mm,
					   struct vm_area_struct *from)
{
	struct vm_area_struct *vma;
	int ret = -ENOMEM;

	vma = vm_area_dup(from);
	if (!vma)
		return ERR_PTR(-ENOMEM);
	vma->vm_mm = mm;
	ret = vma_dup_policy(from, vma);
	if (ret)
		goto out_free;
	ret = anon_vma_fork(vma, from);
	if (ret)
		goto out_policy;
	ckpt_dup_flags(vma, from);
	if (vma->vm_file)
		get_file(vma->vm_file);
	ret = vma_link(mm, vma);
	if (ret)
		goto out_file;
	return vma;

out_file:
	if (vma->vm_file)
		fput(vma->vm_file);
	unlink_anon_vmas(vma);
out_policy:
	mpol_put(vma_policy(vma));
out_free:
	vm_area_free(vma);
	return ERR_PTR(ret);
}

static int ckpt_dup_pages(struct mm_struct *mm, struct vm_area_struct *from)
{
	unsigned long pages = from->vm_flags & VM_ACCOUNT ? vma_pages(from) : 0;
	struct vm_area_struct *vma;
	int ret;

	/* As for a child: the program may come to have all of it twice. */
	if (pages && security_vm_enough_memory_mm(from->vm_mm, pages))
		return -ENOMEM;
	vma_start_write(from);
	vma = ckpt_dup_vma(mm, from);
	if (IS_ERR(vma)) {
		vm_unacct_memory(pages);
		return PTR_ERR(vma);
	}
	ret = copy_page_range(vma, from);
	/* A private mapping of /dev/zero has a file and is anonymous. */
	if (!vma_is_anonymous(vma))
		ckpt_dup_part_from_file(vma);
	return ret;
}

/*
 * Returns the duplicate, NULL if there can be none, or an error. It has one user,
 * as obj->ptr does.
 */
static struct mm_struct *ckpt_mm_dup(struct mm_struct *from)
{
	VMA_ITERATOR(vmi, from, 0);
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	int ret = 0;

	mm = mm_alloc();
	if (!mm)
		return ERR_PTR(-ENOMEM);
	if (mmap_write_lock_killable(from)) {
		mmput(mm);
		return ERR_PTR(-EINTR);
	}
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);
	for_each_vma(vmi, vma) {
		if (ckpt_vma_has_payload(vma))
			ret = ckpt_dup_pages(mm, vma);
		ret = ckpt_loop_step(ret);
		if (ret)
			break;
	}
	mmap_write_unlock(mm);
	/* It may not write any more to what both have. */
	flush_tlb_mm(from);
	mmap_write_unlock(from);
	if (!ret)
		return mm;
	mmput(mm);
	return ERR_PTR(ret);
}

/*
 * A program that writes to a private huge page of which somebody else has a
 * duplicate may need one that is not there; the kernel then takes it away from
 * the duplicate. Of mappings without memory of their own there is no duplicate.
 */
static const char *ckpt_vma_no_dup(struct vm_area_struct *vma)
{
	bool own = ckpt_vma_has_payload(vma);

	if (own && is_vm_hugetlb_page(vma))
		return "private huge pages (hugetlb)";
	if (!own && vma_soft_dirty_enabled(vma))
		return "shared memory or files watched for soft-dirty pages (clear_refs)";
	return NULL;
}

static const char *ckpt_mm_no_dup(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	const char *why = NULL;

	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		why = ckpt_vma_no_dup(vma);
		if (why)
			break;
		cond_resched();
	}
	mmap_read_unlock(mm);
	return why;
}

/* Returns 1, 0 with the reason logged, or a negative errno. */
static int ckpt_can_dup(struct ckpt_ctx *ctx)
{
	const char *why = NULL;
	struct ckpt_obj *obj;
	int ret;

	ckpt_for_each_obj(ctx, CKPT_OBJ_MM, obj) {
		why = ckpt_mm_no_dup(obj->ptr);
		if (why)
			break;
		ret = ckpt_poison_elsewhere(ctx, obj->ptr);
		if (ret < 0)
			return ret;
		if (ret) {
			why = "memory declared broken (UFFDIO_POISON) that it has not of its own";
			break;
		}
	}
	if (!why)
		return 1;
	ckpt_log(&ctx->log,
		 "note: the processes stand still until all is written, for one has %s",
		 why);
	return 0;
}

/**
 * checkpoint_dup - duplicate the memory of a tree
 * @ctx: the checkpoint; the metadata is captured, the tree stands still
 *
 * Does nothing without CHECKPOINT_COW, or where it cannot be; the log says so.
 *
 * Context: may sleep, killable.
 * Return: 0, with @ctx->dup set if the tree need not stand still for its memory
 * any more; or a negative errno.
 */
int checkpoint_dup(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;
	struct mm_struct *mm;
	int ret;

	if (!(ctx->flags & CHECKPOINT_COW))
		return 0;
	ret = ckpt_can_dup(ctx);
	if (ret <= 0)
		return ret;
	ckpt_for_each_obj(ctx, CKPT_OBJ_MM, obj) {
		mm = ckpt_mm_dup(obj->ptr);
		ret = PTR_ERR_OR_ZERO(mm);
		if (!ret) {
			ret = ckpt_obj_replace(&ctx->objs, obj, mm);
			mmput(mm);
		}
		if (ret == -ENOMEM)
			ckpt_log(&ctx->log,
				 "there is not enough memory to duplicate that of the processes; without CHECKPOINT_COW none is needed");
		if (ret)
			return ret;
	}
	ctx->dup = true;
	return 0;
}

/**
 * checkpoint_dup_only - let go of all objects but the duplicates
 * @ctx: the checkpoint; what is left to be written is memory
 *
 * The tree runs: who waits until it has closed a pipe is not to wait for us.
 */
void checkpoint_dup_only(struct ckpt_ctx *ctx)
{
	struct ckpt_objhash *hash = &ctx->objs;
	struct ckpt_obj *obj, *next;
	unsigned int type;

	checkpoint_inodes_done(ctx);
	for (type = 0; type < CKPT_OBJ_NR; type++) {
		if (type == CKPT_OBJ_MM)
			continue;
		list_for_each_entry_safe(obj, next, &hash->of_type[type], list) {
			ckpt_obj_drop(hash, obj);
			cond_resched();
		}
	}
	/* The last references to files are waiting there. */
	task_work_run();
}
