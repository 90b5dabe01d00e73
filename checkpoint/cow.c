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
 * its line of ancestors was.
 */
#include <linux/hash.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <asm/tlbflush.h>

#include "../mm/internal.h"
#include "checkpoint.h"

/* Other mappings are in no family: what they have comes back to each by itself. */
static bool ckpt_cow_vma(struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_PFNMAP |
				  VM_MIXEDMAP | VM_IO));
}

/* ---- saving -------------------------------------------------------------- */

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

/* ---- restoring: families --------------------------------------------------- */

/**
 * struct ckpt_family - mappings that may have pages in common
 * @mm: address space of the first of them, which the restart holds
 * @start: its start
 * @last_mm: address space of the last of them that has links of its own
 * @last_start: its start
 */
struct ckpt_family {
	struct mm_struct *mm;
	unsigned long start;
	struct mm_struct *last_mm;
	unsigned long last_start;
};

static struct ckpt_family *ckpt_family(struct ckpt_restart *rs, u32 nr)
{
	struct ckpt_family *f = xa_load(&rs->families, nr);
	int ret;

	if (f)
		return f;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return NULL;
	ret = xa_err(xa_store(&rs->families, nr, f, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kfree(f);
		return NULL;
	}
	return f;
}

/**
 * restore_cow_done - forget the families
 * @rs: the restart
 */
void restore_cow_done(struct ckpt_restart *rs)
{
	struct ckpt_family *f;
	unsigned long i;

	xa_for_each(&rs->families, i, f) {
		kfree(f);
		cond_resched();
	}
	xa_destroy(&rs->families);
}

/* @mm may be current's: then one lock is all. Pairs with ckpt_unlock_both(). */
static int ckpt_lock_both(struct mm_struct *mm)
{
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (mm != current->mm)
		mmap_write_lock_nested(current->mm, SINGLE_DEPTH_NESTING);
	return 0;
}

static void ckpt_unlock_both(struct mm_struct *mm)
{
	if (mm != current->mm)
		mmap_write_unlock(current->mm);
	mmap_write_unlock(mm);
}

/*
 * Puts the mapping where its pages say that it is, and links it to @from. One
 * that something is mapped in already stays as it is: its pages are copied.
 */
static int ckpt_link_vma(struct vm_area_struct *vma, u64 pgoff,
			 struct vm_area_struct *from)
{
	if (mm_pgtables_bytes(vma->vm_mm))
		return 0;
	vma_start_write(vma);
	if (vma->anon_vma)
		unlink_anon_vmas(vma);
	vma->vm_pgoff = pgoff;
	if (!from || !from->anon_vma || !ckpt_cow_vma(from))
		return anon_vma_prepare(vma);
	if (from->vm_mm != vma->vm_mm)
		return anon_vma_fork(vma, from);
	/* As the halves of a mapping that was split. */
	vma->anon_vma = from->anon_vma;
	return anon_vma_clone(vma, from);
}

static int restore_family(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct mm_struct *mm = current->mm, *other = mm;
	struct vm_area_struct *vma, *from = NULL;
	struct ckpt_family *f = NULL;
	unsigned long start = 0;
	int ret;

	if (rec->family) {
		f = ckpt_family(rs, rec->family);
		if (!f)
			return -ENOMEM;
		start = f->last_mm == mm ? f->last_start : f->start;
		if (f->mm && f->last_mm != mm)
			other = f->mm;
	}
	ret = ckpt_lock_both(other);
	if (ret)
		return ret;
	vma = vma_lookup(mm, rec->start);
	if (f && f->mm)
		from = vma_lookup(other, start);
	/* Pages of a file are where its mapping says. */
	if (!vma || vma->vm_start != rec->start || vma->vm_end != rec->end ||
	    !ckpt_cow_vma(vma) ||
	    (!vma_is_anonymous(vma) && vma->vm_pgoff != rec->pgoff))
		ret = -EINVAL;
	else if (f || vma->vm_pgoff != rec->pgoff)
		ret = ckpt_link_vma(vma, rec->pgoff, from);
	ckpt_unlock_both(other);
	if (ret)
		return ckpt_bad(rs, r, ret, "mapping %llx cannot be linked to its family",
				rec->start);
	if (f && !f->mm) {
		f->mm = mm;
		f->start = rec->start;
	}
	if (f && f->last_mm != mm) {
		f->last_mm = mm;
		f->last_start = rec->start;
	}
	return 0;
}

/**
 * restore_families - link mappings to those that have pages in common with them
 * @rs: the restart; current runs on the address space, whose mappings are made
 * @r: its MM record
 * @index: of this record
 *
 * Context: may sleep; takes the mmap_lock of two address spaces of the restart,
 * which none but the member whose turn it is does.
 * Return: 0 or a negative errno.
 */
int restore_families(struct ckpt_restart *rs, const struct ckpt_rec *r,
		     unsigned long index)
{
	u32 i, nr = ckpt_rec_as(r, mm)->nr_vmas;
	const struct ckpt_rec *vma, *policy;
	const struct ckpt_rec_vma *rec;
	int ret = 0;

	index++;
	for (i = 0; i < nr && !ret; i++) {
		vma = ckpt_next_vma(rs, &index, &policy);
		rec = ckpt_rec_as(vma, vma);
		/* Memory that was moved tells, too, though it has no family. */
		if (rec->kind == CKPT_VMA_ANON || rec->family)
			ret = restore_family(rs, vma);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/* ---- restoring: pages -------------------------------------------------------- */

static bool ckpt_must_copy(const struct ckpt_share *s)
{
	struct vm_area_struct *a = s->to, *b = s->from;

	/* Each mapping is linked to its root, see anon_vma_fork(). */
	return !a->anon_vma || !b->anon_vma ||
	       a->anon_vma->root != b->anon_vma->root ||
	       linear_page_index(a, s->addr) != linear_page_index(b, s->src);
}

/**
 * ckpt_folio_to_root - let rmap look for a folio in all mappings of a family
 * @folio: an anonymous folio, in a page table that is locked
 * @root: root of the family
 *
 * No longer in those of one address space. See folio_move_anon_rmap() for the
 * way back.
 *
 * Return: false if that cannot be.
 */
bool ckpt_folio_to_root(struct folio *folio, struct anon_vma *root)
{
	void *mapping = (void *)root + PAGE_MAPPING_ANON;

	if (READ_ONCE(folio->mapping) == mapping)
		return true;
	if (!folio_trylock(folio))
		return false;
	/* KSM may have taken it meanwhile. */
	if (folio_test_ksm(folio)) {
		folio_unlock(folio);
		return false;
	}
	WRITE_ONCE(folio->mapping, mapping);
	folio_unlock(folio);
	return true;
}

static int ckpt_share_pte(struct ckpt_share *s, pte_t *to, pte_t *from)
{
	struct mm_struct *mm = s->to->vm_mm;
	pte_t pte = ptep_get(from);
	struct folio *folio;
	struct page *page;

	if (!pte_none(ptep_get(to)))
		return -EEXIST;
	if (pte_none(pte))
		return -ENODATA;
	if (!pte_present(pte))
		return -EAGAIN;
	page = vm_normal_page(s->from, s->src, pte);
	if (!page || !PageAnon(page))
		return -ENODATA;
	folio = page_folio(page);
	folio_get(folio);
	if (s->lone || folio_test_ksm(folio) ||
	    !ckpt_folio_to_root(folio, s->to->anon_vma->root) ||
	    folio_try_dup_anon_rmap_pte(folio, page, s->from)) {
		s->page = page;
		return -EXDEV;
	}
	if (pte_write(pte))
		ptep_set_wrprotect(s->from->vm_mm, s->src, from);
	/* Old, as fork() leaves it: else reclaim takes it for a page in use. */
	pte = pte_mkold(pte_mkdirty(mk_pte(page, s->to->vm_page_prot)));
	set_pte_at(mm, s->addr, to, pte_wrprotect(pte));
	inc_mm_counter(mm, MM_ANONPAGES);
	return 0;
}

/* As copy_pte_range() does for fork(). Returns as ckpt_share_pte(). */
static int ckpt_share_ptes(struct ckpt_share *s)
{
	struct mm_struct *mm = s->to->vm_mm, *other = s->from->vm_mm;
	spinlock_t *ptl, *src_ptl; /* of the page tables */
	pte_t *to, *from, *to_start, *from_start;
	pmd_t *pmd, *src_pmd;
	int ret = 0;

	if (is_vm_hugetlb_page(s->to))
		return ckpt_share_hugetlb(s);
	pmd = ckpt_pmd_alloc(mm, s->addr);
	src_pmd = ckpt_pmd_alloc(other, s->src);
	if (!pmd || !src_pmd)
		return -ENOMEM;
	if (s->end - s->addr == PMD_SIZE && !s->lone) {
		ret = ckpt_share_huge(s->to, pmd, s->from, src_pmd, s->src);
		if (!ret) {
			s->addr += PMD_SIZE;
			s->src += PMD_SIZE;
		}
		if (ret != -EAGAIN)
			return ret;
	}
	if (pte_alloc(mm, pmd))
		return -ENOMEM;
	split_huge_pmd_address(s->from, s->src, false, NULL);
	to_start = pte_offset_map_lock(mm, pmd, s->addr, &ptl);
	if (!to_start)
		return -EEXIST;
	from_start = pte_offset_map_nolock(other, src_pmd, s->src, &src_ptl);
	if (!from_start) {
		pte_unmap_unlock(to_start, ptl);
		return -ENODATA;
	}
	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	to = to_start;
	from = from_start;
	while (s->addr < s->end) {
		ret = ckpt_share_pte(s, to++, from++);
		if (ret)
			break;
		s->addr += PAGE_SIZE;
		s->src += PAGE_SIZE;
	}
	spin_unlock(src_ptl);
	pte_unmap(from_start);
	pte_unmap_unlock(to_start, ptl);
	return ret;
}

/* What fork() does around copying, for who reads page tables without locks. */
static int ckpt_share_range(struct ckpt_share *s)
{
	struct mm_struct *other = s->from->vm_mm;
	unsigned long start = s->src, end = s->src + (s->end - s->addr);
	struct mmu_notifier_range range;
	int ret;

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, other,
				start, end);
	mmu_notifier_invalidate_range_start(&range);
	vma_start_write(s->from);
	raw_write_seqcount_begin(&other->write_protect_seq);
	ret = ckpt_share_ptes(s);
	raw_write_seqcount_end(&other->write_protect_seq);
	if (s->src > start)
		flush_tlb_range(s->from, start, s->src);
	mmu_notifier_invalidate_range_end(&range);
	return ret;
}

static int ckpt_copy_small(struct ckpt_share *s)
{
	struct page *page = NULL;
	int ret;

	ret = anon_vma_prepare(s->to) ?: ckpt_pages_alloc(&page, 1);
	if (!ret && copy_mc_user_highpage(page, s->page, s->addr, s->to))
		ret = -EHWPOISON;
	if (!ret)
		ret = ckpt_map_pages(s->to, s->addr, s->addr + PAGE_SIZE, &page);
	if (page)
		put_page(page);
	return ret;
}

/* The page that @s has come to. Its reference is dropped. */
static int ckpt_copy_page(struct ckpt_share *s)
{
	unsigned long size = vma_kernel_pagesize(s->to);
	int ret;

	if (is_vm_hugetlb_page(s->to))
		ret = ckpt_copy_hugetlb(s->to, s->addr, s->page);
	else
		ret = ckpt_copy_small(s);
	put_page(s->page);
	s->page = NULL;
	s->addr += size;
	s->src += size;
	return ret;
}

static int ckpt_share_some(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct mm_struct *other, struct ckpt_share *s)
{
	struct mm_struct *mm = current->mm;
	unsigned long len, size;
	int ret;

	s->to = vma_lookup(mm, s->addr);
	s->from = vma_lookup(other, s->src);
	if (!s->to || !s->from || !ckpt_cow_vma(s->to) || !ckpt_cow_vma(s->from))
		return ckpt_bad(rs, r, -EINVAL,
				"page %lx here or %lx there lies in no private mapping",
				s->addr, s->src);
	size = vma_kernel_pagesize(s->to);
	if (size != vma_kernel_pagesize(s->from) || s->end - s->addr < size ||
	    !IS_ALIGNED(s->addr | s->src, size))
		return ckpt_bad(rs, r, -EINVAL,
				"page %lx here and %lx there are not of one size, or not all of one",
				s->addr, s->src);
	len = min(min(pmd_addr_end(s->addr, s->end), s->to->vm_end) - s->addr,
		  min(pmd_addr_end(s->src, s->from->vm_end), s->from->vm_end) - s->src);
	s->end = s->addr + max(len, size);
	s->lone = ckpt_must_copy(s);
	ret = ckpt_share_range(s);
	if (ret == -EXDEV)
		ret = ckpt_copy_page(s);
	if (ret && ret != -EAGAIN)
		ckpt_bad(rs, r, ret, "page %lx cannot be that at %lx of another process",
			 s->addr, s->src);
	return ret;
}

static int restore_cow_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   const struct ckpt_cow_run *run, struct mm_struct *other)
{
	unsigned long end = (run->start + run->nr) << PAGE_SHIFT;
	struct ckpt_share s = {
		.addr = run->start << PAGE_SHIFT,
		.src = run->from << PAGE_SHIFT,
	};
	int ret = 0;

	while (s.addr < end && !ret) {
		ret = ckpt_lock_both(other);
		if (ret)
			break;
		s.end = end;
		ret = ckpt_share_some(rs, r, other, &s);
		ckpt_unlock_both(other);
		/* It went to swap since it was restored. */
		if (ret == -EAGAIN)
			ret = ckpt_fault_in(other, s.src);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

static bool ckpt_cow_run_ok(u64 start, u32 nr)
{
	return start < TASK_SIZE_MAX >> PAGE_SHIFT &&
	       start + nr <= TASK_SIZE_MAX >> PAGE_SHIFT;
}

/* An address space that was restored before: so they make no circle. */
static struct mm_struct *ckpt_cow_mm(struct ckpt_restart *rs, u32 objref)
{
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);

	if (!obj || obj->rec->type != CKPT_REC_MM ||
	    obj->state != CKPT_ROBJ_READY || obj->ptr == current->mm)
		return NULL;
	return obj->ptr;
}

/**
 * restore_cow - pages that are those of an address space restored before
 * @rs: the restart; current runs on the address space
 * @r: a COW record
 * @last: in and out: page behind the last one of the record before
 *
 * Return: 0 or a negative errno.
 */
int restore_cow(struct ckpt_restart *rs, const struct ckpt_rec *r, u64 *last)
{
	const struct ckpt_rec_cow *rec = ckpt_rec_as(r, cow);
	const struct ckpt_cow_run *run = r->var;
	struct mm_struct *other;
	int ret = 0;
	u32 i;

	if (!rec->nr_runs || r->var_len / sizeof(*run) < rec->nr_runs)
		return ckpt_bad(rs, r, -EINVAL, "%u runs do not fit", rec->nr_runs);
	for (i = 0; i < rec->nr_runs && !ret; i++, run++) {
		if (!run->nr || run->start < *last ||
		    !ckpt_cow_run_ok(run->start, run->nr) ||
		    !ckpt_cow_run_ok(run->from, run->nr))
			return ckpt_bad(rs, r, -EINVAL,
					"run of %u pages at page %llx from %llx",
					run->nr, run->start, run->from);
		*last = run->start + run->nr;
		other = ckpt_cow_mm(rs, run->mm);
		if (!other)
			return ckpt_bad(rs, r, -EINVAL,
					"pages of object %u, which is no address space that comes before",
					run->mm);
		ret = restore_cow_run(rs, r, run, other);
	}
	return ret;
}
