// SPDX-License-Identifier: GPL-2.0
/*
 * Transparent huge pages come back as such.
 *
 * Saving, the pages of one stand in PAGES records with CKPT_PAGES_HUGE, without
 * those that are zero. On restart such records fill a new huge page, which is
 * mapped when the next record is about something else. Where none is to be had,
 * or where it is not wanted any more, the pages are small ones, as after a page
 * fault.
 *
 * Smaller large folios (mTHP) are filled and mapped as pages are, see pages_restore.c;
 * here they are made.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/khugepaged.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>
#include <linux/rmap.h>
#include <linux/swap.h>

#include "../mm/internal.h"
#include "checkpoint.h"

static_assert(HPAGE_PMD_NR == CKPT_HUGE_NR);

static bool ckpt_huge_fits(struct vm_area_struct *vma, unsigned long addr,
			   unsigned int order)
{
	return vma && vma_is_anonymous(vma) && !(vma->vm_flags & VM_MAYSHARE) &&
	       thp_vma_suitable_order(vma, addr, order);
}

static struct folio *ckpt_huge_alloc(unsigned long addr, unsigned int order)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct folio *folio = NULL;
	gfp_t gfp;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (ckpt_huge_fits(vma, addr, order) &&
	    thp_vma_allowable_order(vma, vma->vm_flags,
				    TVA_IN_PF | TVA_ENFORCE_SYSFS, order)) {
		gfp = vma_thp_gfp_mask(vma);
		folio = vma_alloc_folio(gfp, order, vma, addr, true);
		if (folio && mem_cgroup_charge(folio, mm, gfp)) {
			folio_put(folio);
			folio = NULL;
		}
	}
	mmap_read_unlock(mm);
	return folio;
}

/* As __do_huge_pmd_anonymous_page() does. */
static int ckpt_huge_map_in(struct vm_area_struct *vma, struct ckpt_huge *h,
			    pgtable_t table)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl; /* of the page table */
	pmd_t *pmd, entry;
	int ret;

	ret = anon_vma_prepare(vma);
	if (ret)
		return ret;
	pmd = ckpt_pmd_alloc(mm, h->addr);
	if (!pmd)
		return -ENOMEM;
	ptl = pmd_lock(mm, pmd);
	if (!pmd_none(*pmd)) {
		spin_unlock(ptl);
		return -EEXIST;
	}
	entry = mk_huge_pmd(folio_page(h->folio, 0), vma->vm_page_prot);
	entry = maybe_pmd_mkwrite(pmd_mkdirty(entry), vma);
	folio_add_new_anon_rmap(h->folio, vma, h->addr, RMAP_EXCLUSIVE);
	folio_add_lru_vma(h->folio, vma);
	pgtable_trans_huge_deposit(mm, pmd, table);
	set_pmd_at(mm, h->addr, pmd, entry);
	update_mmu_cache_pmd(vma, h->addr, pmd);
	add_mm_counter(mm, MM_ANONPAGES, HPAGE_PMD_NR);
	mm_inc_nr_ptes(mm);
	deferred_split_folio(h->folio, false);
	spin_unlock(ptl);
	khugepaged_enter_vma(vma, vma->vm_flags);
	return 0;
}

static int ckpt_huge_map(struct ckpt_huge *h)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	pgtable_t table;
	int ret = -EINVAL;

	table = pte_alloc_one(mm);
	if (!table)
		return -ENOMEM;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, h->addr);
	if (ckpt_huge_fits(vma, h->addr, PMD_ORDER))
		ret = ckpt_huge_map_in(vma, h, table);
	mmap_read_unlock(mm);
	if (ret)
		pte_free(mm, table);
	return ret;
}

/**
 * restore_huge_drop - forget a huge page that is not mapped yet
 * @rs: the restart
 */
void restore_huge_drop(struct ckpt_restart *rs)
{
	struct ckpt_huge *h = &rs->huge;

	if (h->folio)
		folio_put(h->folio);
	*h = (struct ckpt_huge) {};
}

/**
 * restore_huge_done - map the huge page that was filled last
 * @rs: the restart; what comes now is not about it
 *
 * Return: 0 or a negative errno. There is none any more in both cases.
 */
int restore_huge_done(struct ckpt_restart *rs)
{
	struct ckpt_huge *h = &rs->huge;
	unsigned long i;
	int ret = 0;

	if (h->folio) {
		for_each_clear_bit(i, h->there, CKPT_HUGE_NR)
			clear_user_highpage(folio_page(h->folio, i),
					    h->addr + (i << PAGE_SHIFT));
		__folio_mark_uptodate(h->folio);
		ret = ckpt_huge_map(h);
		if (!ret)
			h->folio = NULL;
		else
			ckpt_log(&rs->log, "huge page %lx cannot be mapped: %pe",
				 h->addr, ERR_PTR(ret));
	}
	restore_huge_drop(rs);
	return ret;
}

/**
 * restore_huge_pages - where the payload of a record goes
 * @rs: the restart; current runs on the address space
 * @r: PAGES record, whose runs have been checked
 * @pages: gets pages of a huge page, each with a reference
 *
 * Maps the last huge page if @r is not about that one.
 *
 * Return: 1 if @pages has been filled; 0 if it takes small pages; or a negative
 * errno.
 */
int restore_huge_pages(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       struct page **pages)
{
	const struct ckpt_rec_pages *rec = ckpt_rec_as(r, pages);
	const struct ckpt_page_run *runs = r->var;
	struct ckpt_huge *h = &rs->huge;
	bool is_huge = rec->flags & CKPT_PAGES_HUGE;
	unsigned long addr, at;
	u32 i, k;
	int ret;

	addr = round_down(runs[0].start, CKPT_HUGE_NR) << PAGE_SHIFT;
	if (h->begun && (!is_huge || h->addr != addr)) {
		ret = restore_huge_done(rs);
		if (ret)
			return ret;
	}
	if (!is_huge)
		return 0;
	if (!h->begun) {
		h->begun = true;
		h->addr = addr;
		h->folio = ckpt_huge_alloc(addr, PMD_ORDER);
	}
	if (!h->folio)
		return 0;
	for (i = 0; i < rec->nr_runs; i++) {
		at = runs[i].start % CKPT_HUGE_NR;
		bitmap_set(h->there, at, runs[i].nr);
		for (k = 0; k < runs[i].nr; k++) {
			*pages = folio_page(h->folio, at + k);
			get_page(*pages++);
		}
	}
	return 1;
}

/**
 * restore_folios - make large folios for the payload of a record
 * @rec: PAGES record that is about large folios, checked
 * @runs: its runs
 * @pages: gets the pages of those that could be had, each with a reference
 *
 * Context: current runs on the address space.
 */
void restore_folios(const struct ckpt_rec_pages *rec,
		    const struct ckpt_page_run *runs, struct page **pages)
{
	unsigned int i, k, order = ckpt_pages_order(rec), nr = 1 << order;
	struct folio *folio;
	u64 at;

	for (i = 0; i < rec->nr_runs; i++) {
		for (at = runs[i].start; at < runs[i].start + runs[i].nr;
		     at += nr, pages += nr) {
			folio = ckpt_huge_alloc(at << PAGE_SHIFT, order);
			if (!folio)
				continue;
			folio_ref_add(folio, nr - 1);
			for (k = 0; k < nr; k++)
				pages[k] = folio_page(folio, k);
		}
	}
}

/* Makes rmap look in all of the family, as of small pages. */
static bool ckpt_huge_to_root(struct vm_area_struct *vma, pmd_t *pmd,
			      struct anon_vma *root)
{
	spinlock_t *ptl = pmd_trans_huge_lock(pmd, vma);
	bool ok = false;

	if (!ptl)
		return false;
	if (pmd_present(*pmd) && !is_huge_zero_pmd(*pmd) &&
	    folio_test_anon(pmd_folio(*pmd)))
		ok = ckpt_folio_to_root(pmd_folio(*pmd), root);
	spin_unlock(ptl);
	return ok;
}

/**
 * ckpt_share_huge - have a huge page in common, as fork() leaves it
 * @to: the mapping that gets it; both are private and anonymous, of one family
 * @to_pmd: its pmd
 * @from: the mapping that has it
 * @from_pmd: its pmd
 * @addr: address in @from
 *
 * Context: both mmap_locks held for writing.
 * Return: 0; -EAGAIN if it must be done page by page; or -ENOMEM.
 */
int ckpt_share_huge(struct vm_area_struct *to, pmd_t *to_pmd,
		    struct vm_area_struct *from, pmd_t *from_pmd,
		    unsigned long addr)
{
	/* The entry is copied with its protection. */
	if (pgprot_val(to->vm_page_prot) != pgprot_val(from->vm_page_prot) ||
	    !pmd_none(*to_pmd) ||
	    !ckpt_huge_to_root(from, from_pmd, to->anon_vma->root))
		return -EAGAIN;
	/* The address is that of the source; it matters for no other. */
	return copy_huge_pmd(to->vm_mm, from->vm_mm, to_pmd, from_pmd, addr,
			     to, from);
}
