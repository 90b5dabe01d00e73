// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that was declared broken, by UFFDIO_POISON or since it could not be
 * read from swap: who touches it gets SIGBUS. In the page table there is a mark
 * in place of a page. A mapping of any kind may have some; no contents tell.
 *
 * On restart marks are set last, when mlock() has filled in what is around them.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swapops.h>

#include "checkpoint.h"

#define CKPT_POISON_RUNS	30

/* ---- saving -------------------------------------------------------------- */

/**
 * struct ckpt_poison - marks found by one walk
 * @next: where the next walk starts, or what is really broken
 * @nr_runs: entries in @runs
 * @runs: where there are marks
 */
struct ckpt_poison {
	unsigned long next;
	u32 nr_runs;
	struct ckpt_page_run runs[CKPT_POISON_RUNS];
};

/* @nr pages that are not there. Returns 1 if there is no room for a mark. */
static int ckpt_poison_entry(struct ckpt_poison *p, unsigned long addr, u64 nr,
			     swp_entry_t entry)
{
	struct ckpt_page_run *last = &p->runs[p->nr_runs - 1];
	u64 at = addr >> PAGE_SHIFT;

	p->next = addr;
	if (is_hwpoison_entry(entry))
		return -EIO;
	if (!is_poisoned_swp_entry(entry))
		return 0;
	if (p->nr_runs && last->start + last->nr == at) {
		last->nr += nr;
		return 0;
	}
	if (p->nr_runs == CKPT_POISON_RUNS)
		return 1;
	p->runs[p->nr_runs++] = (struct ckpt_page_run) { at, nr };
	return 0;
}

static int ckpt_poison_pmd(pmd_t *pmd, unsigned long addr, unsigned long end,
			   struct mm_walk *walk)
{
	pte_t *start, *pte, entry;
	spinlock_t *ptl; /* of the page table */
	int ret = 0;

	ptl = pmd_trans_huge_lock(pmd, walk->vma);
	if (ptl) {
		spin_unlock(ptl);
		return ckpt_loop_step(0);
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (pte = start; addr < end && !ret; pte++, addr += PAGE_SIZE) {
		entry = ptep_get(pte);
		if (is_swap_pte(entry))
			ret = ckpt_poison_entry(walk->private, addr, 1,
						pte_to_swp_entry(entry));
	}
	pte_unmap_unlock(start, ptl);
	return ckpt_loop_step(ret);
}

static int ckpt_poison_hugetlb(pte_t *pte, unsigned long hmask, unsigned long addr,
			       unsigned long end, struct mm_walk *walk)
{
	pte_t entry = huge_ptep_get(walk->mm, addr & hmask, pte);
	int ret = 0;

	if (is_swap_pte(entry))
		ret = ckpt_poison_entry(walk->private, addr,
					(end - addr) >> PAGE_SHIFT,
					pte_to_swp_entry(entry));
	return ckpt_loop_step(ret);
}

static const struct mm_walk_ops ckpt_poison_ops = {
	.pmd_entry = ckpt_poison_pmd,
	.hugetlb_entry = IS_ENABLED(CONFIG_HUGETLBFS) ? ckpt_poison_hugetlb : NULL,
	.walk_lock = PGWALK_RDLOCK,
};

/* Of other files no page can be declared broken, but one of the mapping's own. */
static bool ckpt_poison_possible(struct vm_area_struct *vma, bool seen)
{
	if (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO))
		return false;
	if (ckpt_vma_has_payload(vma))
		return seen;
	return vma_is_anonymous(vma) || vma_is_shmem(vma) ||
	       is_vm_hugetlb_page(vma);
}

/* Fills @p from @p->next on; at the end of the address space next is 0. */
static int ckpt_poison_fill(struct mm_struct *mm, struct ckpt_poison *p, bool seen)
{
	VMA_ITERATOR(vmi, mm, p->next);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		unsigned long from = max(p->next, vma->vm_start);

		ret = ckpt_loop_step(0);
		if (!ret && ckpt_poison_possible(vma, seen))
			ret = ckpt_walk_vma(vma, from, &ckpt_poison_ops, p);
		if (ret)
			goto out;
		p->next = vma->vm_end;
	}
	p->next = 0;
out:
	mmap_read_unlock(mm);
	return ret;
}

/**
 * checkpoint_poison - write which memory of an address space was declared broken
 * @ctx: the checkpoint
 * @mm: the address space; its users are frozen
 * @objref: of @mm, whose contents have been written
 * @seen: there is some among these contents
 *
 * Only page tables are looked at.
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_poison(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref,
		      bool seen)
{
	struct ckpt_poison *p;
	int ret;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	do {
		p->nr_runs = 0;
		ret = ckpt_poison_fill(mm, p, seen);
		if (ret == -EIO)
			ckpt_memory_broken(ctx, p->next);
		if (ret >= 0 && p->nr_runs)
			ret = ckpt_out_poison(&ctx->out, objref, p->runs,
					      p->nr_runs);
	} while (ret >= 0 && p->next);
	kfree(p);
	return min(ret, 0);
}

/**
 * ckpt_poison_elsewhere - was memory declared broken that is not a mapping's own?
 * @ctx: the checkpoint
 * @mm: the address space; its users are frozen
 *
 * Context: may sleep; takes the mmap_lock.
 * Return: 1 if some was, 0 if not, or a negative errno; -EIO, with the place logged,
 * if some has a hardware error.
 */
int ckpt_poison_elsewhere(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_poison *p;
	int ret;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	ret = ckpt_poison_fill(mm, p, false);
	if (ret == -EIO)
		ckpt_memory_broken(ctx, p->next);
	if (ret >= 0)
		ret = p->nr_runs > 0;
	kfree(p);
	return ret;
}

/* ---- restoring ------------------------------------------------------------- */

static int ckpt_poison_set(struct vm_area_struct *vma, unsigned long addr,
			   unsigned long end)
{
	pte_t mark = make_pte_marker(PTE_MARKER_POISONED), *start, *pte;
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl; /* of the page table */
	int ret = 0;
	pmd_t *pmd;

	pmd = ckpt_pmd_alloc(mm, addr);
	if (!pmd || pte_alloc(mm, pmd))
		return -ENOMEM;
	start = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!start)
		return -EEXIST;
	for (pte = start; addr < end && !ret; pte++, addr += PAGE_SIZE) {
		if (pte_none(ptep_get(pte)))
			set_pte_at(mm, addr, pte, mark);
		else
			ret = -EEXIST;
	}
	pte_unmap_unlock(start, ptl);
	return ret;
}

/* Several mappings may have a page table in common: it may be there already. */
static int ckpt_poison_set_hugetlb(struct vm_area_struct *vma, unsigned long addr)
{
#ifdef CONFIG_HUGETLBFS
	unsigned long size = vma_kernel_pagesize(vma);
	struct mm_struct *mm = vma->vm_mm;
	int ret = -ENOMEM;
	spinlock_t *ptl; /* of the page table */
	pte_t *pte, is;

	hugetlb_vma_lock_read(vma);
	pte = huge_pte_alloc(mm, vma, addr, size);
	if (!pte)
		goto out;
	ptl = huge_pte_lock(hstate_vma(vma), mm, pte);
	is = huge_ptep_get(mm, addr, pte);
	ret = huge_pte_none(is) || is_pte_marker(is) ? 0 : -EEXIST;
	if (!ret)
		set_huge_pte_at(mm, addr, pte,
				make_pte_marker(PTE_MARKER_POISONED), size);
	spin_unlock(ptl);
out:
	hugetlb_vma_unlock_read(vma);
	return ret;
#else
	return -EOPNOTSUPP;
#endif
}

static int restore_poison_in(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     unsigned long addr, unsigned long end,
			     unsigned long *next)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);
	unsigned long size;
	int ret;

	if (!vma || (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO)))
		return ckpt_bad(rs, r, -EINVAL,
				"address %lx, declared broken, lies in no mapping that could be",
				addr);
	size = vma_kernel_pagesize(vma);
	if (is_vm_hugetlb_page(vma) && (!IS_ALIGNED(addr, size) || end - addr < size))
		return ckpt_bad(rs, r, -EINVAL,
				"part of the huge page at %lx was declared broken", addr);
	*next = is_vm_hugetlb_page(vma) ? addr + size :
		min(pmd_addr_end(addr, end), vma->vm_end);
	/* mlock() has filled it in, or khugepaged has. */
	zap_page_range_single(vma, addr, *next - addr, NULL);
	ret = is_vm_hugetlb_page(vma) ? ckpt_poison_set_hugetlb(vma, addr) :
					ckpt_poison_set(vma, addr, *next);
	return ret ? ckpt_bad(rs, r, ret, "address %lx cannot be declared broken",
			      addr) : 0;
}

static int restore_poison_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      const struct ckpt_page_run *run)
{
	unsigned long addr = run->start << PAGE_SHIFT;
	unsigned long end = addr + (run->nr << PAGE_SHIFT);
	int ret = 0;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	while (addr < end && !ret) {
		ret = restore_poison_in(rs, r, addr, end, &addr);
		ret = ckpt_loop_step(ret);
	}
	mmap_read_unlock(current->mm);
	return ret;
}

/**
 * restore_poison_record - declare memory broken
 * @rs: the restart; current runs on the address space, whose contents are there
 * @r: a POISON record
 * @last: in and out: page behind the last one of the record before
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_poison_record(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  u64 *last)
{
	const struct ckpt_rec_poison *rec = ckpt_rec_as(r, poison);
	const struct ckpt_page_run *run = r->var;
	u64 max = TASK_SIZE_MAX >> PAGE_SHIFT;
	int ret = 0;
	u32 i;

	if (!rec->nr_runs || r->var_len / sizeof(*run) < rec->nr_runs)
		return ckpt_bad(rs, r, -EINVAL, "%u runs do not fit", rec->nr_runs);
	for (i = 0; i < rec->nr_runs && !ret; i++, run++) {
		if (!ckpt_run_fits(run, *last, max))
			return ckpt_bad(rs, r, -EINVAL,
					"run of %llu pages at page %llx",
					run->nr, run->start);
		*last = run->start + run->nr;
		ret = restore_poison_run(rs, r, run);
	}
	return ret;
}
