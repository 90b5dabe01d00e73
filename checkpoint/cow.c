// SPDX-License-Identifier: GPL-2.0
/*
 * Anonymous pages that processes of a tree have in common, as fork() leaves
 * them: written once, and one page again after a restart.
 *
 *	saving				restoring
 *	------				---------
 *	root of the mapping's		mappings of a family hang on one root, so
 *	anon_vma -> family		that rmap finds all of them from any page
 *	has an earlier one it? -> run	it is mapped in both, read-only
 *	else write it			else, or where that cannot be, a copy
 *
 * fork() links the mappings of a child to all those of its ancestors. Here all
 * mappings of a family are children of the first: any two may have pages in
 * common, whoever was whose parent, and a mapping has two links however long
 * its line of ancestors was. Restoring is in cow_restore.c.
 */
#include <linux/hash.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "../mm/internal.h"
#include "checkpoint.h"

/**
 * ckpt_cow_vma - may a mapping be in a family?
 * @vma: the mapping
 *
 * Return: false if what it has comes back to each by itself.
 */
bool ckpt_cow_vma(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_PFNMAP |
				  VM_MIXEDMAP | VM_IO));
}

/*
 * Nothing is remembered of pages: what was written before is what an earlier
 * address space has mapped, too, and who has a page does not change while all
 * are frozen. Reclaim, migration and the like may part them, or put something
 * else in the place of a page. Then it is not found and is written twice.
 */

#define CKPT_COW_RUNS	1024
#define CKPT_COW_PLACES	4
#define CKPT_COW_FIRSTS	256

/**
 * struct ckpt_cow_place - where pages were found that were written before
 * @mm: the address space, which is held by ctx->objs
 * @objref: of @mm
 * @shift: how many pages further on they are than here; 0 unless they have moved
 */
struct ckpt_cow_place {
	struct mm_struct *mm;
	u32 objref;
	u64 shift;
};

/**
 * struct ckpt_cow_first - the first of those that may have a page
 * @anon_vma: of the page; a mapping of a frozen task holds it
 * @objref: lowest one of the address spaces with mappings in it
 */
struct ckpt_cow_first {
	struct anon_vma *anon_vma;
	u32 objref;
};

/**
 * struct ckpt_cow - what a checkpoint knows of pages in common
 * @families: root anon_vma to number of the family; the roots are held by
 *	mappings of frozen tasks
 * @nr_families: the highest number
 * @first: the address space that is written first
 * @nr_places: entries in @places
 * @places: where to look first, the last successful one in front
 * @firsts: hash by anon_vma, of which a later entry replaces an earlier one
 * @nr_runs: entries in @runs
 * @runs: pages of the present address space that were written before
 */
struct ckpt_cow {
	struct xarray families;
	u32 nr_families;
	u32 first;
	unsigned int nr_places;
	struct ckpt_cow_place places[CKPT_COW_PLACES];
	struct ckpt_cow_first firsts[CKPT_COW_FIRSTS];
	u32 nr_runs;
	struct ckpt_cow_run runs[CKPT_COW_RUNS];
};

/**
 * checkpoint_cow_begin - look out for pages in common
 * @ctx: the checkpoint, objects collected
 *
 * Does nothing where there is one address space only.
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_cow_begin(struct ckpt_ctx *ctx)
{
	struct list_head *mms = &ctx->objs.of_type[CKPT_OBJ_MM];

	if (list_empty(mms) || list_is_singular(mms))
		return 0;
	ctx->cow = kvzalloc(sizeof(*ctx->cow), GFP_KERNEL_ACCOUNT);
	if (!ctx->cow)
		return -ENOMEM;
	ctx->cow->first = list_first_entry(mms, struct ckpt_obj, list)->objref;
	xa_init_flags(&ctx->cow->families, XA_FLAGS_ACCOUNT);
	return 0;
}

/**
 * checkpoint_cow_end - forget what was known
 * @ctx: the checkpoint
 */
void checkpoint_cow_end(struct ckpt_ctx *ctx)
{
	if (!ctx->cow)
		return;
	xa_destroy(&ctx->cow->families);
	kvfree(ctx->cow);
	ctx->cow = NULL;
}

/**
 * ckpt_cow_family - the family of a mapping
 * @ctx: the checkpoint
 * @vma: the mapping, under mmap_lock
 * @err: out: -ENOMEM
 *
 * Return: its number; 0 if it has pages in common with nobody.
 */
u32 ckpt_cow_family(struct ckpt_ctx *ctx, struct vm_area_struct *vma, int *err)
{
	struct ckpt_cow *cow = ctx->cow;
	unsigned long key;
	struct anon_vma *root;
	void *entry;

	if (!cow || !vma->anon_vma || !ckpt_cow_vma(vma))
		return 0;
	/* A root is a child of its own; without another nobody was forked. */
	root = vma->anon_vma->root;
	if (root == vma->anon_vma && root->num_children < 2)
		return 0;
	key = (unsigned long)root / sizeof(long);
	entry = xa_load(&cow->families, key);
	if (entry)
		return xa_to_value(entry);
	*err = xa_err(xa_store(&cow->families, key,
			       xa_mk_value(cow->nr_families + 1),
			       GFP_KERNEL_ACCOUNT));
	return *err ? 0 : ++cow->nr_families;
}

static unsigned int ckpt_page_mappings(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_large(folio))
		return folio_mapcount(folio);
	return atomic_read(&page->_mapcount) + 1 + folio_entire_mapcount(folio);
}

/**
 * ckpt_cow_maybe - can a page be met again in another address space?
 * @ctx: the checkpoint
 * @vma: where it is mapped
 * @page: the page, anonymous
 *
 * What KSM has merged was never in common.
 *
 * Context: under the lock of the page table.
 * Return: false if it cannot.
 */
bool ckpt_cow_maybe(const struct ckpt_ctx *ctx, struct vm_area_struct *vma,
		    struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!ctx->cow || PageAnonExclusive(page) || folio_test_ksm(folio) ||
	    !ckpt_cow_vma(vma))
		return false;
	/* Others may have it in swap still. */
	return ckpt_page_mappings(page) > 1 || folio_test_swapcache(folio);
}

/**
 * ckpt_cow_maybe_huge - can parts of a huge page be met in another address space?
 * @ctx: the checkpoint
 * @vma: where it is mapped as a whole
 * @folio: the huge page, anonymous
 *
 * Context: under the lock of the page table.
 * Return: false if none of it can.
 */
bool ckpt_cow_maybe_huge(const struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			 struct folio *folio)
{
	return ctx->cow && ckpt_cow_vma(vma) &&
	       !PageAnonExclusive(folio_page(folio, 0)) &&
	       (folio_mapcount(folio) > 1 || folio_test_swapcache(folio));
}

/* Is it that page, or was it until reclaim or migration came? */
static bool ckpt_cow_same(pte_t pte, struct page *page)
{
	swp_entry_t entry;

	if (pte_present(pte))
		return pte_pfn(pte) == page_to_pfn(page);
	if (pte_none(pte))
		return false;
	entry = pte_to_swp_entry(pte);
	if (is_migration_entry(entry))
		return swp_offset_pfn(entry) == page_to_pfn(page);
	/* The entry keeps its slot, and so what the swap cache has for that. */
	return !non_swap_entry(entry) && folio_test_swapcache(page_folio(page)) &&
	       page_swap_entry(page).val == entry.val;
}

static unsigned int ckpt_cow_match_huge(pmd_t pmd, unsigned long addr,
					struct page **pages, unsigned int nr)
{
	unsigned long pfn;
	unsigned int i = 0;

	if (pmd_present(pmd))
		pfn = pmd_pfn(pmd);
	else if (is_pmd_migration_entry(pmd))
		pfn = swp_offset_pfn(pmd_to_swp_entry(pmd));
	else
		return 0;
	pfn += (addr & ~HPAGE_PMD_MASK) >> PAGE_SHIFT;
	while (i < nr && page_to_pfn(pages[i]) == pfn + i)
		i++;
	return i;
}

/*
 * How many of the pages, from the first on, are in @vma from @addr on? A page of
 * zeros was written only where it hides one of a file, or with a huge page that
 * both have as such.
 */
static unsigned int ckpt_cow_match(struct vm_area_struct *vma, unsigned long addr,
				   struct page **pages, unsigned int nr)
{
	unsigned long end = pmd_addr_end(addr, vma->vm_end);
	unsigned int i = 0;
	spinlock_t *ptl; /* of the page table */
	pmd_t *pmd;
	pte_t *pte;

	if (is_vm_hugetlb_page(vma))
		return ckpt_hugetlb_match(vma, addr, page_folio(pages[0]));
	pmd = mm_find_pmd(vma->vm_mm, addr);
	if (!pmd)
		return 0;
	nr = min_t(unsigned long, nr, (end - addr) >> PAGE_SHIFT);
	ptl = pmd_trans_huge_lock(pmd, vma);
	if (ptl) {
		i = ckpt_cow_match_huge(*pmd, addr, pages, nr);
		spin_unlock(ptl);
		return i;
	}
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!pte)
		return 0;
	while (i < nr && ckpt_cow_same(ptep_get(pte + i), pages[i]) &&
	       !(vma_is_anonymous(vma) && ckpt_page_is_zero(pages[i])))
		i++;
	pte_unmap_unlock(pte, ptl);
	return i;
}

/* 0 if it is not of the tree. */
static u32 ckpt_cow_objref(struct ckpt_ctx *ctx, struct vm_area_struct *vma)
{
	const struct ckpt_obj *obj;

	obj = ckpt_obj_find_typed(ctx, vma->vm_mm, CKPT_OBJ_MM);
	return obj && ckpt_cow_vma(vma) ? obj->objref : 0;
}

/* Most pages are new, and stand in the first address space that may have them. */
static bool ckpt_cow_is_first(struct ckpt_ctx *ctx, struct anon_vma *anon_vma,
			      u32 objref)
{
	struct ckpt_cow_first *f;
	struct anon_vma_chain *avc;
	u32 other;

	f = &ctx->cow->firsts[hash_ptr(anon_vma, ilog2(CKPT_COW_FIRSTS))];
	if (f->anon_vma != anon_vma) {
		f->anon_vma = anon_vma;
		f->objref = objref;
		anon_vma_interval_tree_foreach(avc, &anon_vma->rb_root, 0, ULONG_MAX) {
			other = ckpt_cow_objref(ctx, avc->vma);
			if (other)
				f->objref = min(f->objref, other);
			cond_resched();
		}
	}
	return f->objref >= objref;
}

/*
 * Asks all mappings that the first page may be in, in the order of forks. What
 * is not mapped any more, or is KSM's by now, is not found. Returns as
 * ckpt_cow_match().
 */
static unsigned int ckpt_cow_search(struct ckpt_ctx *ctx, u32 objref, u64 at,
				    struct page **pages, unsigned int nr,
				    struct ckpt_cow_place *place)
{
	struct folio *folio = page_folio(pages[0]);
	pgoff_t pgoff = folio->index + folio_page_idx(folio, pages[0]);
	struct anon_vma *anon_vma;
	struct anon_vma_chain *avc;
	unsigned int found = 0;
	unsigned long addr;
	u32 other;

	anon_vma = folio_lock_anon_vma_read(folio, NULL);
	if (!anon_vma)
		return 0;
	if (ckpt_cow_is_first(ctx, anon_vma, objref))
		goto out;
	anon_vma_interval_tree_foreach(avc, &anon_vma->rb_root, pgoff, pgoff) {
		other = ckpt_cow_objref(ctx, avc->vma);
		if (!other || other >= objref)
			continue;
		addr = vma_address(avc->vma, pgoff, 1);
		found = ckpt_cow_match(avc->vma, addr, pages, nr);
		if (found) {
			place->mm = avc->vma->vm_mm;
			place->objref = other;
			place->shift = (addr >> PAGE_SHIFT) - at;
			break;
		}
		cond_resched();
	}
out:
	anon_vma_unlock_read(anon_vma);
	return found;
}

/* Returns as ckpt_cow_match(). */
static unsigned int ckpt_cow_try(const struct ckpt_cow_place *place, u64 at,
				 struct page **pages, unsigned int nr)
{
	unsigned long addr = (at + place->shift) << PAGE_SHIFT;
	struct vm_area_struct *vma;
	unsigned int found = 0;

	if (mmap_read_lock_killable(place->mm))
		return 0;
	vma = vma_lookup(place->mm, addr);
	if (vma && ckpt_cow_vma(vma))
		found = ckpt_cow_match(vma, addr, pages, nr);
	mmap_read_unlock(place->mm);
	return found;
}

/*
 * Leaves in front of @cow->places where the pages are. It need not be where they
 * were written; those who have them are told, one by the other, the same page.
 * Returns as ckpt_cow_match().
 */
static unsigned int ckpt_cow_find(struct ckpt_ctx *ctx, u32 objref, u64 at,
				  struct page **pages, unsigned int nr)
{
	struct ckpt_cow *cow = ctx->cow;
	struct ckpt_cow_place place;
	unsigned int which, found;

	for (which = 0, found = 0; which < cow->nr_places; which++) {
		found = ckpt_cow_try(&cow->places[which], at, pages, nr);
		if (found)
			break;
	}
	if (found) {
		place = cow->places[which];
	} else {
		found = ckpt_cow_search(ctx, objref, at, pages, nr, &place);
		if (!found)
			return 0;
		if (cow->nr_places < CKPT_COW_PLACES)
			cow->nr_places++;
		which = cow->nr_places - 1;
	}
	memmove(&cow->places[1], &cow->places[0], which * sizeof(place));
	cow->places[0] = place;
	return found;
}

static int ckpt_cow_add_run(struct ckpt_ctx *ctx, u32 objref,
			    const struct ckpt_cow_run *run)
{
	struct ckpt_cow *cow = ctx->cow;
	struct ckpt_cow_run *last = &cow->runs[cow->nr_runs - 1];
	int ret;

	if (cow->nr_runs && last->mm == run->mm &&
	    last->start + last->nr == run->start &&
	    last->from + last->nr == run->from && last->nr <= U32_MAX - run->nr) {
		last->nr += run->nr;
		return 0;
	}
	if (cow->nr_runs == CKPT_COW_RUNS) {
		ret = checkpoint_cow_flush(ctx, objref);
		if (ret)
			return ret;
	}
	cow->runs[cow->nr_runs++] = *run;
	return 0;
}

/* How many of the pages, from the first on, lie one behind the other? */
static unsigned int ckpt_cow_in_row(const u64 *at, unsigned int nr,
				    const unsigned long *maybe, unsigned int i)
{
	unsigned int n = 1;

	while (i + n < nr && test_bit(i + n, maybe) && at[i + n] == at[i] + n)
		n++;
	return n;
}

/**
 * checkpoint_cow_pages - which of these pages were written before?
 * @ctx: the checkpoint; ctx->cow is there
 * @objref: of the address space that is being written
 * @pages: pages of it, each under a reference
 * @at: where in it they are
 * @nr: number of @pages
 * @maybe: those of which ckpt_cow_maybe() was true; out: those that were written
 *	with another address space, as the image will say
 *
 * Context: may sleep; takes the mmap_lock of other address spaces.
 * Return: 0 or a negative errno.
 */
int checkpoint_cow_pages(struct ckpt_ctx *ctx, u32 objref, struct page **pages,
			 const u64 *at, unsigned int nr, unsigned long *maybe)
{
	const struct ckpt_cow_place *place = &ctx->cow->places[0];
	unsigned int i, n;
	int ret = 0;

	if (objref == ctx->cow->first) {
		bitmap_zero(maybe, nr);
		return 0;
	}
	for (i = find_first_bit(maybe, nr); i < nr && !ret;
	     i = find_next_bit(maybe, nr, i + n)) {
		n = ckpt_cow_in_row(at, nr, maybe, i);
		n = ckpt_cow_find(ctx, objref, at[i], pages + i, n);
		if (n) {
			ret = ckpt_cow_add_run(ctx, objref, &(struct ckpt_cow_run) {
				.start = at[i], .from = at[i] + place->shift,
				.nr = n, .mm = place->objref,
			});
		} else {
			clear_bit(i, maybe);
			n = 1;
		}
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * ckpt_cow_known - has another address space written parts of a large folio?
 * @ctx: the checkpoint
 * @objref: of the address space that is being written
 * @folio: the folio, under a reference
 *
 * Context: may sleep.
 * Return: true if it has.
 */
bool ckpt_cow_known(struct ckpt_ctx *ctx, u32 objref, struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio);
	struct ckpt_cow_place place;
	struct page *page;

	if (objref == ctx->cow->first)
		return false;
	if (folio_test_hugetlb(folio))
		nr = 1;
	for (i = 0; i < nr; i++) {
		page = folio_page(folio, i);
		if (ckpt_cow_search(ctx, objref, 0, &page, 1, &place))
			return true;
	}
	return false;
}

/**
 * checkpoint_cow_hugetlb - was this page of hugetlb written before?
 * @ctx: the checkpoint; ctx->cow is there
 * @objref: of the address space that is being written
 * @at: where in it the page is
 * @folio: the page, under a reference; ckpt_cow_maybe() was true
 *
 * Context: may sleep.
 * Return: 1 if it was, as the image will say; 0; or a negative errno.
 */
int checkpoint_cow_hugetlb(struct ckpt_ctx *ctx, u32 objref, u64 at,
			   struct folio *folio)
{
	struct page *page = folio_page(folio, 0);
	struct ckpt_cow_place place;

	if (objref == ctx->cow->first ||
	    !ckpt_cow_search(ctx, objref, at, &page, 1, &place))
		return 0;
	return ckpt_cow_add_run(ctx, objref, &(struct ckpt_cow_run) {
		.start = at, .from = at + place.shift,
		.nr = folio_nr_pages(folio), .mm = place.objref,
	}) ?: 1;
}

/**
 * checkpoint_cow_flush - write what was found in common
 * @ctx: the checkpoint
 * @objref: of the address space that is being written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_cow_flush(struct ckpt_ctx *ctx, u32 objref)
{
	struct ckpt_cow *cow = ctx->cow;
	int ret;

	if (!cow || !cow->nr_runs)
		return 0;
	ret = ckpt_out_cow(&ctx->out, objref, cow->runs, cow->nr_runs);
	cow->nr_runs = 0;
	return ret;
}
