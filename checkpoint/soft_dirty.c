// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages were written to since somebody asked (/proc/PID/clear_refs, see
 * admin-guide/mm/soft-dirty.rst).
 *
 * A new mapping is soft-dirty as a whole (VM_SOFTDIRTY), and so is what a restart
 * makes. For the other mappings the image tells which pages are: if nobody has
 * asked that is the stack, since exec leaves it so. That is about page tables, so
 * shared mappings have it, too: what a restart would have left to the first access
 * is mapped if it is soft-dirty.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/slab.h>
#include <linux/swapops.h>

#include <asm/tlbflush.h>

#include "../mm/internal.h"
#include "checkpoint.h"

#define CKPT_SOFT_DIRTY_RUNS	128

/* clear_refs leaves page tables of hugetlb alone, and does not reach devices. */
static bool ckpt_soft_dirty_pages(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_PFNMAP | VM_IO)) && !is_vm_hugetlb_page(vma);
}

/* ---- saving -------------------------------------------------------------- */

/**
 * struct ckpt_soft_dirty - what one walk has found in a mapping
 * @next: where the next walk starts
 * @nr_runs: entries in @runs
 * @runs: first what was looked at, then what in it is soft-dirty
 */
struct ckpt_soft_dirty {
	unsigned long next;
	u32 nr_runs;
	struct ckpt_page_run runs[CKPT_SOFT_DIRTY_RUNS];
};

/* Returns 1 if there is no room for them. */
static int ckpt_soft_dirty_add(struct ckpt_soft_dirty *s, unsigned long addr, u64 nr)
{
	struct ckpt_page_run *last = &s->runs[s->nr_runs - 1];
	u64 at = addr >> PAGE_SHIFT;

	if (s->nr_runs > 1 && last->start + last->nr == at) {
		last->nr += nr;
		return 0;
	}
	if (s->nr_runs == CKPT_SOFT_DIRTY_RUNS) {
		s->next = addr;
		return 1;
	}
	s->runs[s->nr_runs++] = (struct ckpt_page_run) { at, nr };
	return 0;
}

static bool ckpt_pmd_is_soft_dirty(pmd_t pmd)
{
	return pmd_present(pmd) ? pmd_soft_dirty(pmd) : pmd_swp_soft_dirty(pmd);
}

static bool ckpt_pte_is_soft_dirty(pte_t pte)
{
	if (pte_none(pte))
		return false;
	return pte_present(pte) ? pte_soft_dirty(pte) : pte_swp_soft_dirty(pte);
}

static int ckpt_soft_dirty_pmd(pmd_t *pmd, unsigned long addr, unsigned long end,
			       struct mm_walk *walk)
{
	struct ckpt_soft_dirty *s = walk->private;
	pte_t *start, *pte;
	spinlock_t *ptl; /* of the page table */
	int ret = 0;

	ptl = pmd_trans_huge_lock(pmd, walk->vma);
	if (ptl) {
		if (ckpt_pmd_is_soft_dirty(*pmd))
			ret = ckpt_soft_dirty_add(s, addr, (end - addr) >> PAGE_SHIFT);
		spin_unlock(ptl);
		return ckpt_loop_step(ret);
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (pte = start; addr < end && !ret; pte++, addr += PAGE_SIZE)
		if (ckpt_pte_is_soft_dirty(ptep_get(pte)))
			ret = ckpt_soft_dirty_add(s, addr, 1);
	pte_unmap_unlock(start, ptl);
	return ckpt_loop_step(ret);
}

static const struct mm_walk_ops ckpt_soft_dirty_ops = {
	.pmd_entry = ckpt_soft_dirty_pmd,
	.walk_lock = PGWALK_RDLOCK,
};

/*
 * Fills @s from @s->next on with the next mapping that is not soft-dirty as a
 * whole, or part of it; behind the last one there are no runs, and next is 0.
 */
static int ckpt_soft_dirty_fill(struct mm_struct *mm, struct ckpt_soft_dirty *s)
{
	VMA_ITERATOR(vmi, mm, s->next);
	struct vm_area_struct *vma;
	unsigned long from;
	int ret = 0;

	s->nr_runs = 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		ret = ckpt_loop_step(0);
		if (ret || vma_soft_dirty_enabled(vma))
			break;
	}
	from = vma ? max(s->next, vma->vm_start) : 0;
	s->next = vma ? vma->vm_end : 0;
	if (vma && !ret) {
		s->nr_runs = 1;
		if (ckpt_soft_dirty_pages(vma))
			ret = ckpt_walk_vma(vma, from, &ckpt_soft_dirty_ops, s);
		s->runs[0].start = from >> PAGE_SHIFT;
		s->runs[0].nr = (s->next - from) >> PAGE_SHIFT;
	}
	mmap_read_unlock(mm);
	return min(ret, 0);
}

/**
 * checkpoint_soft_dirty - write which pages of an address space are soft-dirty
 * @ctx: the checkpoint
 * @mm: the address space; its users are frozen
 * @objref: of @mm, whose contents have been written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_soft_dirty(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref)
{
	struct ckpt_soft_dirty *s;
	int ret;

	if (!IS_ENABLED(CONFIG_MEM_SOFT_DIRTY))
		return 0;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	do {
		ret = ckpt_soft_dirty_fill(mm, s);
		if (!ret && s->nr_runs)
			ret = ckpt_out_soft_dirty(&ctx->out, objref, s->runs,
						  s->nr_runs);
	} while (!ret && s->next);
	kfree(s);
	return ret;
}

/* ---- restoring ------------------------------------------------------------- */

/**
 * struct ckpt_soft_dirty_set - soft-dirty pages that are to be set
 * @run: the first run that does not end before what is looked at
 * @end: behind the last run
 * @missing: the walk has stopped at this page, which is soft-dirty and not mapped
 */
struct ckpt_soft_dirty_set {
	const struct ckpt_page_run *run, *end;
	unsigned long missing;
};

/* The first of these pages that is to be soft-dirty; @end if none is. */
static unsigned long ckpt_soft_dirty_first(struct ckpt_soft_dirty_set *s,
					   unsigned long addr, unsigned long end)
{
	u64 at = addr >> PAGE_SHIFT;

	while (s->run < s->end && s->run->start + s->run->nr <= at)
		s->run++;
	if (s->run == s->end || s->run->start >= end >> PAGE_SHIFT)
		return end;
	return max(addr, (unsigned long)s->run->start << PAGE_SHIFT);
}

/* As change_huge_pmd() and clear_refs do. */
static void ckpt_huge_not_soft_dirty(struct vm_area_struct *vma, unsigned long addr,
				     pmd_t *pmd)
{
	pmd_t is = *pmd, old;

	if (!pmd_present(is)) {
		set_pmd_at(vma->vm_mm, addr, pmd, pmd_swp_clear_soft_dirty(is));
		return;
	}
	/* The CPU may have set these meanwhile. */
	old = pmdp_invalidate(vma, addr, pmd);
	if (pmd_dirty(old))
		is = pmd_mkdirty(is);
	if (pmd_young(old))
		is = pmd_mkyoung(is);
	is = pmd_clear_soft_dirty(pmd_wrprotect(is));
	set_pmd_at(vma->vm_mm, addr, pmd, is);
}

/*
 * Write-protected, so that the next access tells. Of shared memory a page may be
 * writable that is not soft-dirty.
 */
static void ckpt_pte_set_soft_dirty(struct vm_area_struct *vma, unsigned long addr,
				    pte_t *pte, bool dirty)
{
	pte_t is = ptep_get(pte), old;

	if (dirty && ckpt_pte_is_soft_dirty(is))
		return;
	if (!pte_present(is)) {
		is = dirty ? pte_swp_mksoft_dirty(is) : pte_swp_clear_soft_dirty(is);
		set_pte_at(vma->vm_mm, addr, pte, is);
		return;
	}
	old = ptep_modify_prot_start(vma, addr, pte);
	is = dirty ? pte_mksoft_dirty(old) :
		     pte_clear_soft_dirty(pte_wrprotect(old));
	ptep_modify_prot_commit(vma, addr, pte, old, is);
}

static int ckpt_soft_dirty_set_hole(unsigned long addr, unsigned long end, int depth,
				    struct mm_walk *walk)
{
	struct ckpt_soft_dirty_set *s = walk->private;

	addr = ckpt_soft_dirty_first(s, addr, end);
	if (addr == end)
		return ckpt_loop_step(0);
	s->missing = addr;
	return 1;
}

static int ckpt_soft_dirty_set_pmd(pmd_t *pmd, unsigned long addr,
				   unsigned long end, struct mm_walk *walk)
{
	struct ckpt_soft_dirty_set *s = walk->private;
	struct vm_area_struct *vma = walk->vma;
	pte_t *start, *pte;
	spinlock_t *ptl; /* of the page table */
	int ret = 0;
	bool dirty;

	ptl = pmd_trans_huge_lock(pmd, vma);
	if (ptl) {
		/*
		 * All are or none is. Or khugepaged has come by: then some are, which
		 * may be others than these.
		 */
		if (end - addr == PMD_SIZE &&
		    ckpt_soft_dirty_first(s, addr, end) == end)
			ckpt_huge_not_soft_dirty(vma, addr, pmd);
		spin_unlock(ptl);
		return ckpt_loop_step(0);
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (pte = start; addr < end && !ret; pte++, addr += PAGE_SIZE) {
		dirty = ckpt_soft_dirty_first(s, addr, addr + PAGE_SIZE) == addr;
		if (!pte_none(ptep_get(pte))) {
			ckpt_pte_set_soft_dirty(vma, addr, pte, dirty);
		} else if (dirty) {
			s->missing = addr;
			ret = 1;
		}
	}
	pte_unmap_unlock(start, ptl);
	return ckpt_loop_step(ret);
}

static const struct mm_walk_ops ckpt_soft_dirty_set_ops = {
	.pmd_entry = ckpt_soft_dirty_set_pmd,
	.pte_hole = ckpt_soft_dirty_set_hole,
	.walk_lock = PGWALK_WRLOCK,
};

/* Returns 1 if a page is missing. */
static int ckpt_soft_dirty_walk(struct vm_area_struct *vma, unsigned long addr,
				unsigned long end, struct ckpt_soft_dirty_set *s)
{
	struct mm_struct *mm = vma->vm_mm;
	int ret;

	inc_tlb_flush_pending(mm);
	ret = walk_page_range(mm, addr, end, &ckpt_soft_dirty_set_ops, s);
	flush_tlb_range(vma, addr, end);
	dec_tlb_flush_pending(mm);
	return ret;
}

static int restore_soft_dirty_at(struct ckpt_restart *rs, const struct ckpt_rec *r,
				 unsigned long addr, unsigned long end,
				 struct ckpt_soft_dirty_set *s)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, addr);
	if (!vma || vma->vm_end < end ||
	    (s->run < s->end && !ckpt_soft_dirty_pages(vma))) {
		ret = ckpt_bad(rs, r, -EINVAL,
			       "pages %lx to %lx, said to be soft-dirty in part, lie in no mapping that can be",
			       addr, end - 1);
		goto out;
	}
	if (!vma_soft_dirty_enabled(vma)) {
		vm_flags_clear(vma, VM_SOFTDIRTY);
		vma_set_page_prot(vma);
	}
	if (ckpt_soft_dirty_pages(vma))
		ret = ckpt_soft_dirty_walk(vma, addr, end, s);
out:
	mmap_write_unlock(mm);
	return ret;
}

static int restore_soft_dirty_in(struct ckpt_restart *rs, const struct ckpt_rec *r,
				 const struct ckpt_page_run *area, u32 nr_runs)
{
	unsigned long end = (area->start + area->nr) << PAGE_SHIFT;
	struct ckpt_soft_dirty_set s = {
		.run = area + 1,
		.end = area + nr_runs,
		.missing = area->start << PAGE_SHIFT,
	};
	int ret;

	for (;;) {
		ret = restore_soft_dirty_at(rs, r, s.missing, end, &s);
		if (ret <= 0)
			return ret;
		/* Of zeros, or of a file. Reclaim may take it away once more. */
		ret = ckpt_fault_in(current->mm, s.missing);
		if (ret)
			return ckpt_bad(rs, r, ret,
					"page %lx, which is soft-dirty, cannot be had",
					s.missing);
	}
}

/**
 * restore_soft_dirty_record - set which pages of a mapping are soft-dirty
 * @rs: the restart; current runs on the address space, whose contents are there
 * @r: a SOFT_DIRTY record
 * @last: in and out: page behind the last one of the record before
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_soft_dirty_record(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      u64 *last)
{
	const struct ckpt_rec_soft_dirty *rec = ckpt_rec_as(r, soft_dirty);
	u64 max = TASK_SIZE_MAX >> PAGE_SHIFT, end;
	const struct ckpt_page_run *run = r->var;
	u32 i;

	if (!IS_ENABLED(CONFIG_MEM_SOFT_DIRTY))
		return ckpt_bad(rs, r, -EOPNOTSUPP,
				"this kernel has no soft-dirty pages (CONFIG_MEM_SOFT_DIRTY)");
	if (!rec->nr_runs || r->var_len / sizeof(*run) < rec->nr_runs)
		return ckpt_bad(rs, r, -EINVAL, "%u runs do not fit", rec->nr_runs);
	for (i = 0, end = *last; i < rec->nr_runs; i++) {
		if (!ckpt_run_fits(&run[i], end, max))
			return ckpt_bad(rs, r, -EINVAL,
					"run of %llu pages at page %llx",
					run[i].nr, run[i].start);
		/* All others are in the first one. */
		end = i ? run[i].start + run[i].nr : run[0].start;
		max = run[0].start + run[0].nr;
	}
	*last = max;
	return restore_soft_dirty_in(rs, r, run, rec->nr_runs);
}
