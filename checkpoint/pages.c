// SPDX-License-Identifier: GPL-2.0
/*
 * Contents of private memory, and reading of all payload. Contents of files are
 * in inode_data.c.
 *
 * What is written: pages that a process has of its own. Pages that were never
 * touched, that are zero, or that are clean pages of a file are not. Pages go to
 * the output as they are; on restart they are filled from the input, checked,
 * and only then mapped.
 */
#include <linux/crc32c.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

#define CKPT_BATCH	(CKPT_PAGES_MAX_BYTES >> PAGE_SHIFT)

static_assert(CKPT_BATCH == 1 << CKPT_PAGES_ORDER_MAX);

/* ---- saving -------------------------------------------------------------- */

/**
 * struct ckpt_batch - pages found by one walk
 * @ctx: the checkpoint
 * @nr_pages: entries in @pages
 * @nr_runs: entries in @runs
 * @next: where the next walk starts
 * @huge: end of the huge page that was met last; it is saved as such, even if
 *	it falls apart meanwhile
 * @area: @huge if @pages belong to it, else 0
 * @order: if it is not 0: @pages are all those of large folios of this order
 * @whole: end of the large folio that was met last of which nothing was written
 *	before, though it is in common with others
 * @asked: end of the large folio that was looked at last, saved as such or not
 * @ask: the walk stopped at @next before this large folio: has it been written?
 *	Under a reference, or NULL
 * @swapped: the walk stopped at @next since that page is not in memory
 * @poisoned: memory was met that was declared broken, see poison.c
 * @error: what the walk met
 * @skipped: present pages that need not be written
 * @pages: each under a reference
 * @at: where they were
 * @maybe: which of them other address spaces may have, too
 * @runs: what is left of @at when those that were written before are gone
 */
struct ckpt_batch {
	struct ckpt_ctx *ctx;
	unsigned int nr_pages;
	unsigned int nr_runs;
	unsigned long next;
	unsigned long huge;
	unsigned long area;
	unsigned int order;
	unsigned long whole;
	unsigned long asked;
	struct page *ask;
	bool swapped;
	bool poisoned;
	int error;
	u64 skipped;
	struct page *pages[CKPT_BATCH];
	u64 at[CKPT_BATCH];
	DECLARE_BITMAP(maybe, CKPT_BATCH);
	struct ckpt_page_run runs[CKPT_BATCH];
};

static unsigned long ckpt_batch_area(const struct ckpt_batch *b,
				     unsigned long addr)
{
	return addr < b->huge ? b->huge : 0;
}

/* Huge pages and large folios have records of their own. */
static bool ckpt_batch_full(const struct ckpt_batch *b, unsigned long addr)
{
	return b->nr_pages == CKPT_BATCH ||
	       (b->nr_pages && (b->order || b->area != ckpt_batch_area(b, addr)));
}

static void ckpt_batch_add(struct ckpt_batch *b, unsigned long addr,
			   struct page *page, bool maybe)
{
	get_page(page);
	b->area = ckpt_batch_area(b, addr);
	b->pages[b->nr_pages] = page;
	b->at[b->nr_pages] = addr >> PAGE_SHIFT;
	__assign_bit(b->nr_pages, b->maybe, maybe);
	b->nr_pages++;
}

static void ckpt_batch_add_run(struct ckpt_batch *b, u64 at)
{
	struct ckpt_page_run *last = &b->runs[b->nr_runs - 1];

	if (b->nr_runs && last->start + last->nr == at) {
		last->nr++;
		return;
	}
	b->runs[b->nr_runs++] = (struct ckpt_page_run) { at, 1 };
}

/**
 * ckpt_page_is_zero - is there nothing in a page?
 * @page: the page
 *
 * Return: true if all of it is zero.
 */
bool ckpt_page_is_zero(struct page *page)
{
	void *addr = kmap_local_page(page);
	/* Most are not, and say so at once. */
	bool zero = !*(unsigned long *)addr && !memchr_inv(addr, 0, PAGE_SIZE);

	kunmap_local(addr);
	return zero;
}

/**
 * ckpt_page_tail_is_zero - is there nothing behind the end of a file?
 * @page: its last page
 * @from: where the file ends in it, not 0
 *
 * Return: true if the rest is zero.
 */
bool ckpt_page_tail_is_zero(struct page *page, unsigned int from)
{
	void *addr = kmap_local_page(page);
	bool zero = !memchr_inv(addr + from, 0, PAGE_SIZE - from);

	kunmap_local(addr);
	return zero;
}

/**
 * ckpt_vma_keeps_zeros - are pages of zeros written, too?
 * @vma: a mapping
 *
 * Return: true where pages are locked, but a restart does not fill what is
 * missing.
 */
bool ckpt_vma_keeps_zeros(const struct vm_area_struct *vma)
{
	/* In a duplicate only the latter is left, see mm_dup.c. */
	return ((vma->vm_flags & VM_LOCKED) && !(vma->vm_flags & VM_WRITE)) ||
	       (vma->vm_flags & VM_LOCKONFAULT);
}

/* One present page, with @keep also if it is of zeros. */
static void ckpt_batch_page(struct ckpt_batch *b, struct vm_area_struct *vma,
			    unsigned long addr, struct page *page, bool keep)
{
	bool maybe;

	/* Not anonymous: a clean page of the file, or none (zero page). */
	if (!page || !folio_test_anon(page_folio(page)) ||
	    (vma_is_anonymous(vma) && !keep && ckpt_page_is_zero(page))) {
		b->skipped++;
		return;
	}
	maybe = b->ctx->cow && ckpt_cow_maybe(b->ctx, vma, page);
	/* Others need not have written what is zero. */
	if (maybe && ckpt_vma_keeps_zeros(vma) && ckpt_page_is_zero(page))
		maybe = false;
	ckpt_batch_add(b, addr, page, maybe);
}

static int ckpt_batch_pte(struct ckpt_batch *b, struct vm_area_struct *vma,
			  unsigned long addr, pte_t pte)
{
	swp_entry_t entry;

	if (pte_none(pte))
		return 0;
	if (pte_present(pte)) {
		ckpt_batch_page(b, vma, addr, vm_normal_page(vma, addr, pte),
				ckpt_vma_keeps_zeros(vma));
		return 0;
	}
	entry = pte_to_swp_entry(pte);
	if (is_hwpoison_entry(entry)) {
		b->error = -EIO;
		return -EIO;
	}
	if (is_poisoned_swp_entry(entry)) {
		b->poisoned = true;
		return 0;
	}
	/* In swap, or on its way to another place: it must be faulted in. */
	b->swapped = true;
	return 1;
}

/* Has anything of a large folio, which is here as a whole, been met before? */
static bool ckpt_batch_folio_maybe(const struct ckpt_batch *b,
				   struct vm_area_struct *vma,
				   unsigned long addr, struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio);

	if (!b->ctx->cow || addr < b->whole)
		return false;
	for (i = 0; i < nr; i++)
		if (ckpt_cow_maybe(b->ctx, vma, folio_page(folio, i)))
			return true;
	return false;
}

/* Stops the walk, so that it is asked about. */
static int ckpt_batch_stop(struct ckpt_batch *b, unsigned long addr,
			   struct page *page)
{
	get_page(page);
	b->ask = page;
	b->next = addr;
	return 1;
}

/* The folio that begins here, if it is large and here as a whole. */
static struct folio *ckpt_batch_large(struct ckpt_batch *b,
				      struct vm_area_struct *vma,
				      unsigned long addr, unsigned long end,
				      pte_t *pte)
{
	pte_t entry = ptep_get(pte);
	unsigned int i, nr;
	struct folio *folio;
	struct page *page;

	if (!pte_present(entry) || addr < b->huge || !vma_is_anonymous(vma))
		return NULL;
	page = vm_normal_page(vma, addr, entry);
	if (!page || !PageHead(page) || !PageAnon(page))
		return NULL;
	folio = page_folio(page);
	nr = folio_nr_pages(folio);
	if (nr > CKPT_BATCH || (end - addr) >> PAGE_SHIFT < nr ||
	    !IS_ALIGNED(addr, folio_size(folio)))
		return NULL;
	for (i = 1; i < nr; i++) {
		entry = ptep_get(pte + i);
		if (!pte_present(entry) || pte_page(entry) != page + i)
			return NULL;
	}
	return folio;
}

/* Its pages, those of zeros too. Returns 1 if there is no room for it. */
static int ckpt_batch_folio(struct ckpt_batch *b, unsigned long addr,
			    struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio), order = folio_order(folio);

	if (b->nr_pages && (b->area || b->order != order ||
			    b->nr_pages + nr > CKPT_BATCH))
		return 1;
	for (i = 0; i < nr; i++, addr += PAGE_SIZE)
		ckpt_batch_add(b, addr, folio_page(folio, i), false);
	b->order = order;
	return 0;
}

/*
 * Does one begin here that could be saved as such? Returns 1 if it must be asked
 * first whether parts of it come from another address space.
 */
static int ckpt_batch_begin_huge(struct ckpt_batch *b, struct vm_area_struct *vma,
				 unsigned long addr, struct page *page)
{
	if (addr < b->asked || (addr & ~PMD_MASK) || !vma_is_anonymous(vma) ||
	    !folio_test_anon(page_folio(page)))
		return 0;
	if (ckpt_cow_maybe_huge(b->ctx, vma, page_folio(page)))
		return ckpt_batch_stop(b, addr, page);
	b->asked = addr + PMD_SIZE;
	b->huge = b->asked;
	return 0;
}

/* Whoever has it in common is to have it as a whole. */
static bool ckpt_huge_in_common(const struct ckpt_batch *b, struct folio *folio)
{
	bool common;

	if (!b->ctx->cow)
		return false;
	/* While it is locked those who have it may be hidden by migration. */
	if (!folio_trylock(folio))
		return true;
	common = folio_entire_mapcount(folio) > 1;
	folio_unlock(folio);
	return common;
}

static int ckpt_batch_huge(struct ckpt_batch *b, struct vm_area_struct *vma,
			   pmd_t pmd, unsigned long addr, unsigned long end)
{
	struct page *page;
	bool keep;

	if (!pmd_present(pmd)) {
		b->next = addr;
		b->swapped = true;
		return 1;
	}
	if (is_huge_zero_pmd(pmd))
		return 0;
	page = pmd_page(pmd) + ((addr & ~HPAGE_PMD_MASK) >> PAGE_SHIFT);
	if (ckpt_batch_begin_huge(b, vma, addr, page))
		return 1;
	keep = ckpt_vma_keeps_zeros(vma) || ckpt_huge_in_common(b, page_folio(page));
	for (; addr < end; addr += PAGE_SIZE, page++) {
		if (ckpt_batch_full(b, addr)) {
			b->next = addr;
			return 1;
		}
		/* The first one says that a huge page was there. */
		ckpt_batch_page(b, vma, addr, page, keep ||
				(addr < b->huge && !(addr & ~PMD_MASK)));
	}
	return 0;
}

static int ckpt_walk_pmd(pmd_t *pmd, unsigned long addr, unsigned long end,
			 struct mm_walk *walk)
{
	struct vm_area_struct *vma = walk->vma;
	struct ckpt_batch *b = walk->private;
	pte_t *start, *pte;
	spinlock_t *ptl; /* of the page table */
	struct folio *folio;
	unsigned int nr;
	int ret = 0;

	ptl = pmd_trans_huge_lock(pmd, vma);
	if (ptl) {
		ret = ckpt_batch_huge(b, vma, *pmd, addr, end);
		spin_unlock(ptl);
		return ckpt_loop_step(ret);
	}
	start = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (pte = start; addr < end && !ret; pte += nr, addr += nr * PAGE_SIZE) {
		b->next = addr;
		folio = ckpt_batch_large(b, vma, addr, end, pte);
		if (folio && ckpt_batch_folio_maybe(b, vma, addr, folio)) {
			if (addr >= b->asked) {
				ret = ckpt_batch_stop(b, addr, folio_page(folio, 0));
				break;
			}
			folio = NULL;
		}
		nr = folio ? folio_nr_pages(folio) : 1;
		if (folio)
			ret = ckpt_batch_folio(b, addr, folio);
		else if (ckpt_batch_full(b, addr))
			ret = 1;
		else
			ret = ckpt_batch_pte(b, vma, addr, ptep_get(pte));
	}
	pte_unmap_unlock(start, ptl);
	/* There may be any number with nothing that must be written. */
	return ckpt_loop_step(ret);
}

/* The first page of a huge one says that it is there. */
static int ckpt_walk_hugetlb(pte_t *pte, unsigned long hmask, unsigned long addr,
			     unsigned long end, struct mm_walk *walk)
{
	struct ckpt_batch *b = walk->private;
	struct page *first, *page;
	int ret;

	b->next = addr;
	ret = ckpt_hugetlb_own(walk->vma, pte, addr & hmask, &first);
	if (ret > 0 && addr >= b->asked && ckpt_cow_maybe(b->ctx, walk->vma, first)) {
		b->ask = first;
		return 1;
	}
	if (ret == -EAGAIN) {
		b->swapped = true;
		return 1;
	}
	if (ret == -ENODATA) {
		b->poisoned = true;
		return 0;
	}
	if (ret < 0)
		b->error = ret;
	if (ret <= 0)
		return ret;
	ret = 0;
	for (; addr < end && !ret; addr += PAGE_SIZE) {
		page = nth_page(first, (addr & ~hmask) >> PAGE_SHIFT);
		if (page != first && ckpt_page_is_zero(page)) {
			b->skipped++;
		} else if (ckpt_batch_full(b, addr)) {
			b->next = addr;
			ret = 1;
		} else {
			ckpt_batch_add(b, addr, page, false);
		}
		ret = ckpt_loop_step(ret);
	}
	put_page(first);
	return ret;
}

static const struct mm_walk_ops ckpt_walk_ops = {
	.pmd_entry = ckpt_walk_pmd,
	.hugetlb_entry = IS_ENABLED(CONFIG_HUGETLBFS) ? ckpt_walk_hugetlb : NULL,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * ckpt_vma_has_payload - is there memory behind a mapping that only the image can
 *	hold?
 * @vma: the mapping
 *
 * Return: true if there may be.
 */
bool ckpt_vma_has_payload(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_MAYSHARE | VM_PFNMAP | VM_MIXEDMAP |
				  VM_IO)) && vma->anon_vma;
}

/**
 * ckpt_walk_vma - walk the page tables of a mapping
 * @vma: the mapping, its mmap_lock held
 * @from: where to start
 * @ops: what to do
 * @private: for @ops
 *
 * walk_page_range() looks for each mapping again, once more for the next one.
 *
 * Return: what @ops have returned.
 */
int ckpt_walk_vma(struct vm_area_struct *vma, unsigned long from,
		  const struct mm_walk_ops *ops, void *private)
{
	if (from > vma->vm_start)
		return walk_page_range(vma->vm_mm, from, vma->vm_end, ops, private);
	return walk_page_vma(vma, ops, private);
}

/* Fills @b from @b->next on; at the end of the address space next is 0. */
static int ckpt_batch_fill(struct mm_struct *mm, struct ckpt_batch *b)
{
	VMA_ITERATOR(vmi, mm, b->next);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		unsigned long from = max(b->next, vma->vm_start);

		ret = ckpt_loop_step(0);
		if (!ret && ckpt_vma_has_payload(vma))
			ret = ckpt_walk_vma(vma, from, &ckpt_walk_ops, b);
		if (ret)
			goto out;
		b->next = vma->vm_end;
	}
	b->next = 0;
out:
	mmap_read_unlock(mm);
	return ret < 0 ? ret : 0;
}

/**
 * ckpt_fault_in - bring a page back into memory
 * @mm: the address space
 * @addr: where it is in swap, or on its way to another place
 *
 * Return: 0 or a negative errno.
 */
int ckpt_fault_in(struct mm_struct *mm, unsigned long addr)
{
	struct page *page;
	int locked = 1;
	long n;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	/* FOLL_FORCE: the mapping may be PROT_NONE by now. */
	n = get_user_pages_remote(mm, addr, 1, FOLL_FORCE, &page, &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (n < 0)
		return n;
	if (!n)
		return -EFAULT;
	put_page(page);
	return 0;
}

/**
 * ckpt_page_copy - have a copy instead of a page
 * @page: in and out, under a reference
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_page_copy(struct page **page)
{
	struct page *copy = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT);

	if (!copy)
		return -ENOMEM;
	copy_highpage(copy, *page);
	put_page(*page);
	*page = copy;
	return 0;
}

/**
 * ckpt_pages_copy_pinned - have copies of pages that may change
 * @pages: those that are to be written; a copy stands in the place of each that is
 *	pinned
 * @nr: their number
 *
 * A page that is pinned may change while it is written, by a device or by
 * another process. A copy does not, so that checksum and bytes agree.
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_pages_copy_pinned(struct page **pages, unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		if (folio_maybe_dma_pinned(page_folio(pages[i])))
			ret = ckpt_page_copy(&pages[i]);
	return ret;
}

/* Leaves what was not written with another address space. */
static int ckpt_batch_cow(struct ckpt_ctx *ctx, struct ckpt_batch *b, u32 objref)
{
	unsigned int i, nr = 0;
	int ret = 0;

	/* What is saved as a huge page is saved as a whole. */
	if (b->area || b->order || !ctx->cow)
		bitmap_zero(b->maybe, b->nr_pages);
	else
		ret = checkpoint_cow_pages(ctx, objref, b->pages, b->at,
					   b->nr_pages, b->maybe);
	for (i = 0; i < b->nr_pages; i++) {
		if (!ret && test_bit(i, b->maybe)) {
			put_page(b->pages[i]);
			continue;
		}
		b->pages[nr++] = b->pages[i];
		ckpt_batch_add_run(b, b->at[i]);
	}
	b->nr_pages = nr;
	return ret;
}

static int ckpt_batch_write(struct ckpt_ctx *ctx, struct ckpt_batch *b,
			    u32 objref)
{
	unsigned int i;
	int ret;

	ret = ckpt_batch_cow(ctx, b, objref);
	if (b->nr_pages && !ret)
		ret = ckpt_pages_copy_pinned(b->pages, b->nr_pages);
	ctx->out.page_flags = b->area ? CKPT_PAGES_HUGE :
					b->order << CKPT_PAGES_ORDER_SHIFT;
	if (b->nr_pages && !ret)
		ret = ckpt_out_pages(&ctx->out, objref, b->runs, b->nr_runs,
				     b->pages, b->nr_pages);
	ctx->out.page_flags = 0;
	for (i = 0; i < b->nr_pages; i++)
		put_page(b->pages[i]);
	b->nr_pages = 0;
	b->nr_runs = 0;
	b->order = 0;
	return ret;
}

/* Says what was there, so that it comes behind what is in @b already. */
static int ckpt_batch_ask_hugetlb(struct ckpt_ctx *ctx, struct ckpt_batch *b,
				  u32 objref, struct folio *folio)
{
	int ret = ckpt_batch_write(ctx, b, objref);

	if (!ret)
		ret = checkpoint_cow_hugetlb(ctx, objref, b->next >> PAGE_SHIFT, folio);
	if (ret > 0)
		b->next = b->asked;
	return min(ret, 0);
}

static int ckpt_batch_ask(struct ckpt_ctx *ctx, struct ckpt_batch *b, u32 objref)
{
	/* The reference keeps it in one piece. */
	struct folio *folio = page_folio(b->ask);
	int ret = 0;

	b->asked = b->next + folio_size(folio);
	if (folio_test_hugetlb(folio)) {
		ret = ckpt_batch_ask_hugetlb(ctx, b, objref, folio);
	} else if (!ckpt_cow_known(ctx, objref, folio)) {
		b->whole = b->asked;
		if (folio_test_pmd_mappable(folio))
			b->huge = b->asked;
	}
	put_page(b->ask);
	b->ask = NULL;
	return ret;
}

/**
 * ckpt_memory_broken - say that memory has a hardware error
 * @ctx: the checkpoint
 * @addr: where
 */
void ckpt_memory_broken(struct ckpt_ctx *ctx, unsigned long addr)
{
	ckpt_refuse(ctx, ctx->root_task,
		    "address %lx: the memory is broken (hardware error)", addr);
}

static int checkpoint_mm_pages(struct ckpt_ctx *ctx, struct ckpt_batch *b,
			       struct mm_struct *mm, u32 objref)
{
	int ret;

	memset(b, 0, offsetof(struct ckpt_batch, pages));
	b->ctx = ctx;
	do {
		b->swapped = false;
		ret = ckpt_batch_fill(mm, b);
		if (!ret && b->ask)
			ret = ckpt_batch_ask(ctx, b, objref);
		else if (!ret && b->swapped)
			ret = ckpt_fault_in(mm, b->next);
		else if (!ret)
			ret = ckpt_batch_write(ctx, b, objref);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	} while (!ret && b->next);
	if (!ret)
		ret = checkpoint_cow_flush(ctx, objref);
	if (!ret)
		ret = checkpoint_poison(ctx, mm, objref, b->poisoned);
	if (ret == -EIO && b->error)
		ckpt_memory_broken(ctx, b->next);
	ctx->stats.pages_skipped += b->skipped;
	while (b->nr_pages)
		put_page(b->pages[--b->nr_pages]);
	return ret;
}

/**
 * checkpoint_pages - write the contents of all address spaces
 * @ctx: the checkpoint; the users of all are frozen
 *
 * Context: may sleep as long as the output blocks, killable.
 * Return: 0 or a negative errno.
 */
int checkpoint_pages(struct ckpt_ctx *ctx)
{
	struct ckpt_batch *b = kvmalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	struct ckpt_obj *obj;
	int ret = 0;

	if (!b)
		return -ENOMEM;
	ckpt_for_each_obj(ctx, CKPT_OBJ_MM, obj) {
		ret = checkpoint_mm_pages(ctx, b, obj->ptr, obj->objref);
		if (ret)
			break;
	}
	kvfree(b);
	return ret;
}

/* ---- restoring ------------------------------------------------------------- */

/**
 * ckpt_pmd_alloc - the pmd of an address
 * @mm: the address space, its mmap_lock held
 * @addr: the address
 *
 * Return: the pmd, or NULL without memory.
 */
pmd_t *ckpt_pmd_alloc(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	p4d = p4d_alloc(mm, pgd, addr);
	if (!p4d)
		return NULL;
	pud = pud_alloc(mm, p4d, addr);
	if (!pud)
		return NULL;
	return pmd_alloc(mm, pud, addr);
}

/* A new page, or all pages of a new large folio. */
static int ckpt_map_folio(struct vm_area_struct *vma, unsigned long addr,
			  pte_t *pte, struct folio *folio, pgprot_t prot)
{
	unsigned int i, nr = folio_nr_pages(folio);

	/* Twice in the image, or a debugger was here. */
	for (i = 0; i < nr; i++)
		if (!pte_none(ptep_get(pte + i)))
			return -EEXIST;
	__folio_mark_uptodate(folio);
	folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
	folio_add_lru_vma(folio, vma);
	for (i = 0; i < nr; i++, pte++, addr += PAGE_SIZE) {
		set_pte_at(vma->vm_mm, addr, pte, pfn_pte(folio_pfn(folio) + i, prot));
		update_mmu_cache(vma, addr, pte);
	}
	return 0;
}

/**
 * ckpt_map_pages - map new pages that have their contents
 * @vma: a private mapping, with an anon_vma, its mmap_lock held
 * @addr: address of the first page
 * @end: end of the last; they lie in one pmd
 * @pages: the pages, large folios as a whole; what was mapped is NULL
 *	afterwards, the reference is gone
 *
 * Return: 0 or a negative errno.
 */
int ckpt_map_pages(struct vm_area_struct *vma, unsigned long addr,
		   unsigned long end, struct page **pages)
{
	struct mm_struct *mm = vma->vm_mm;
	pte_t *start, *pte, entry;
	spinlock_t *ptl; /* of the page table */
	unsigned int n, nr = 0;
	struct folio *folio;
	pgprot_t prot;
	int ret = 0;
	pmd_t *pmd;

	entry = pte_sw_mkyoung(pte_mkdirty(mk_pte(*pages, vma->vm_page_prot)));
	if (vma->vm_flags & VM_WRITE)
		entry = pte_mkwrite(entry, vma);
	prot = pte_pgprot(entry);
	pmd = ckpt_pmd_alloc(mm, addr);
	if (!pmd || pte_alloc(mm, pmd))
		return -ENOMEM;
	start = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!start)
		return -EAGAIN;
	for (pte = start; addr < end; pte += n, addr += n * PAGE_SIZE, pages += n) {
		folio = page_folio(*pages);
		n = folio_nr_pages(folio);
		ret = ckpt_map_folio(vma, addr, pte, folio, prot);
		if (ret)
			break;
		memset(pages, 0, n * sizeof(*pages));
		nr += n;
	}
	add_mm_counter(mm, MM_ANONPAGES, nr);
	pte_unmap_unlock(start, ptl);
	return ret;
}

static int ckpt_map_small(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end, struct page **pages)
{
	int ret = anon_vma_prepare(vma);

	if (!ret)
		ret = ckpt_map_pages(vma, addr, end, pages);
	if (ret == -EEXIST)
		return ckpt_bad(rs, r, ret,
				"page %lx is there already: has a debugger been at it? Try again",
				addr);
	return ret ? ckpt_bad(rs, r, ret, "page %lx cannot be mapped", addr) : 0;
}

static int ckpt_map_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
			const struct ckpt_page_run *run, struct page **pages,
			const struct ckpt_sink *sink)
{
	unsigned long addr = run->start << PAGE_SHIFT;
	unsigned long end = addr + (run->nr << PAGE_SHIFT);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long next;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (; addr < end && !ret; addr = next) {
		vma = vma_lookup(mm, addr);
		if (!vma || (vma->vm_flags & (VM_MAYSHARE | VM_PFNMAP |
					      VM_MIXEDMAP | VM_IO))) {
			ret = ckpt_bad(rs, r, -EINVAL, "page %lx lies in no private mapping", addr);
			break;
		}
		if (is_vm_hugetlb_page(vma)) {
			next = min(ALIGN(addr + 1, vma_kernel_pagesize(vma)), end);
			ret = restore_hugetlb_pages(rs, r, vma, addr, next, pages);
		} else {
			next = min(pmd_addr_end(addr, end), vma->vm_end);
			ret = ckpt_map_small(rs, r, vma, addr, next, pages);
		}
		pages += (next - addr) >> PAGE_SHIFT;
	}
	mmap_read_unlock(mm);
	return ret;
}

static int ckpt_pages_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    u64 *last, u64 end, bool has_folios)
{
	const struct ckpt_rec_pages *rec = ckpt_rec_as(r, pages);
	const struct ckpt_page_run *runs = r->var;
	u32 i, order = ckpt_pages_order(rec);
	u64 nr = 0, area;

	if (rec->flags & ~CKPT_PAGES_FLAGS_ALL)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (order && (!has_folios || order > CKPT_PAGES_ORDER_MAX ||
		      (rec->flags & CKPT_PAGES_HUGE)))
		return ckpt_bad(rs, r, -EINVAL, "there are no folios of order %u here",
				order);
	if (!rec->nr_runs || r->var_len / sizeof(*runs) < rec->nr_runs ||
	    !rec->data_len || rec->data_len > CKPT_PAGES_MAX_BYTES ||
	    !PAGE_ALIGNED(rec->data_len))
		return ckpt_bad(rs, r, -EINVAL,
				"%u runs with %llu bytes",
				rec->nr_runs, rec->data_len);
	for (i = 0; i < rec->nr_runs; i++) {
		if (!runs[i].nr || runs[i].nr > CKPT_BATCH ||
		    runs[i].start < *last ||
		    runs[i].start >= end || runs[i].nr > end - runs[i].start)
			return ckpt_bad(rs, r, -EINVAL,
					"run of %llu pages at page %llx",
					runs[i].nr, runs[i].start);
		if ((runs[i].start | runs[i].nr) & ((1 << order) - 1))
			return ckpt_bad(rs, r, -EINVAL,
					"run of %llu pages at page %llx: these are no folios of order %u",
					runs[i].nr, runs[i].start, order);
		*last = runs[i].start + runs[i].nr;
		nr += runs[i].nr;
	}
	if (nr != rec->data_len >> PAGE_SHIFT)
		return ckpt_bad(rs, r, -EINVAL, "runs and bytes disagree");
	if (!(rec->flags & CKPT_PAGES_HUGE))
		return 0;
	area = runs[0].start / CKPT_HUGE_NR;
	if (!has_folios || (*last - 1) / CKPT_HUGE_NR != area)
		return ckpt_bad(rs, r, -EINVAL, "pages %llx to %llx are no huge page",
				runs[0].start, *last - 1);
	return 0;
}

/**
 * ckpt_pages_alloc - make pages for the memory of current
 * @pages: gets them where there is none yet, which would be of a large folio;
 *	those that are not NULL are the caller's also on error
 * @nr: their number
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_pages_alloc(struct page **pages, unsigned int nr)
{
	unsigned int i, had, have = 0;

	/* Not cleared: they are overwritten, or never mapped. */
	while (have < nr) {
		had = have;
		if (IS_ENABLED(CONFIG_NUMA))
			have = alloc_pages_bulk_array_mempolicy(GFP_HIGHUSER_MOVABLE,
								nr, pages);
		else
			have = alloc_pages_bulk_array(GFP_HIGHUSER_MOVABLE, nr,
						      pages);
		if (have == had)
			return -ENOMEM;
	}
	for (i = 0; i < nr; i++)
		if (!folio_test_large(page_folio(pages[i])) &&
		    mem_cgroup_charge(page_folio(pages[i]), current->mm,
				      GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

/* Where the contents are read to. */
static int ckpt_pages_get(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_sink *sink, struct page **pages)
{
	const struct ckpt_rec_pages *rec = ckpt_rec_as(r, pages);
	unsigned int nr = rec->data_len >> PAGE_SHIFT, i;
	const struct ckpt_page_run *runs = r->var;
	int ret = 0;

	if (sink->get) {
		for (i = 0; i < rec->nr_runs && !ret; pages += runs[i++].nr)
			ret = sink->get(rs, r, &runs[i], pages, sink);
		return ret;
	}
	if (sink->has_cow && ckpt_pages_order(rec))
		restore_folios(rec, runs, pages);
	ret = ckpt_pages_alloc(pages, nr);
	return ret ? ckpt_bad(rs, r, ret, "out of memory for %u pages", nr) : 0;
}

static int restore_pages(struct ckpt_restart *rs, const struct ckpt_rec *r,
			 const struct ckpt_sink *sink, u64 *last,
			 struct page **pages)
{
	const struct ckpt_rec_pages *rec = ckpt_rec_as(r, pages);
	const struct ckpt_page_run *runs = r->var;
	unsigned int nr, i, at = 0;
	int ret, huge = 0;

	ret = ckpt_pages_check(rs, r, last, sink->end, sink->has_folios);
	if (ret)
		return ret;
	nr = rec->data_len >> PAGE_SHIFT;
	if (sink->has_cow)
		huge = restore_huge_pages(rs, r, pages);
	if (huge < 0)
		return huge;
	if (!huge)
		ret = ckpt_pages_get(rs, r, sink, pages);
	if (ret)
		goto out;
	ret = ckpt_in_skip_to_page(&rs->in);
	if (!ret)
		ret = ckpt_in_pages(&rs->in, pages, nr);
	if (ret) {
		ckpt_bad(rs, r, ret,
			 "its payload cannot be read (the image is cut short or damaged)");
		goto out;
	}
	if (ckpt_pages_crc(pages, nr) != rec->data_crc) {
		ret = ckpt_bad(rs, r, -EBADMSG,
			       "its payload has a wrong checksum: the image is damaged");
		goto out;
	}
	/* Mapped when it is complete. */
	if (huge || !sink->put)
		goto out;
	for (i = 0; i < rec->nr_runs && !ret; i++) {
		ret = sink->put(rs, r, &runs[i], pages + at, sink);
		at += runs[i].nr;
	}
out:
	for (i = 0; i < nr; i++) {
		if (pages[i])
			put_page(pages[i]);
		pages[i] = NULL;
	}
	return ret;
}

/* PAGES, COW and POISON records begin alike, and so do their runs. */
static void ckpt_tally_record(struct ckpt_tally *tally, const struct ckpt_rec *r)
{
	struct ckpt_index_entry e = {
		.objref = ckpt_rec_as(r, pages)->objref,
		.start = *(const u64 *)r->var,
		.offset = r->offset,
	};

	if (r->type == CKPT_REC_PAGES)
		tally->pages += ckpt_rec_as(r, pages)->data_len >> PAGE_SHIFT;
	tally->chunks++;
	tally->chunks_crc = crc32c(tally->chunks_crc, &e, sizeof(e));
}

static int ckpt_tally_index(struct ckpt_restart *rs, struct ckpt_tally *tally,
			    const struct ckpt_rec *r)
{
	const struct ckpt_rec_index *rec = ckpt_rec_as(r, index);

	if (!rec->nr || r->var_len / sizeof(struct ckpt_index_entry) < rec->nr)
		return ckpt_bad(rs, r, -EINVAL, "%u entries do not fit", rec->nr);
	if (!tally->indexed)
		tally->index_offset = r->offset;
	tally->indexed += rec->nr;
	tally->index_crc = crc32c(tally->index_crc, r->var,
				  rec->nr * sizeof(struct ckpt_index_entry));
	return 0;
}

static int restore_tail(struct ckpt_restart *rs, const struct ckpt_tally *tally,
			const struct ckpt_rec *r)
{
	const struct ckpt_rec_tail *rec = ckpt_rec_as(r, tail);
	const struct ckpt_rec_header *h = ckpt_rec_as(rs->hdr, header);
	u64 index = tally->indexed ? tally->index_offset : r->offset;

	if (memcmp(rec->magic, CKPT_TAIL_MAGIC, sizeof(rec->magic)) ||
	    memcmp(rec->uuid, h->uuid, sizeof(rec->uuid)))
		return ckpt_bad(rs, r, -EINVAL, "the tail is of another image");
	if (rec->nr_records != rs->in.records || rec->nr_pages != tally->pages ||
	    rec->image_len != rs->in.offset || rec->index_offset != index ||
	    rec->meta_offset != rs->meta_offset)
		return ckpt_bad(rs, r, -EBADMSG,
				"the tail disagrees with the image: %llu records of %llu, %llu pages of %llu",
				rs->in.records, rec->nr_records, tally->pages,
				rec->nr_pages);
	if ((h->feature_compat & CKPT_COMPAT_INDEX) &&
	    (tally->indexed != tally->chunks ||
	     tally->index_crc != tally->chunks_crc))
		return ckpt_bad(rs, r, -EINVAL, "the index disagrees with the image");
	return 0;
}

/* The next record behind the metadata. It stays in @rs->next until it is used. */
static struct ckpt_rec *ckpt_peek(struct ckpt_restart *rs)
{
	if (!rs->next)
		rs->next = ckpt_in_record(&rs->in, &rs->log);
	if (IS_ERR(rs->next)) {
		struct ckpt_rec *err = rs->next;

		rs->next = NULL;
		return err;
	}
	return rs->next;
}

static void ckpt_used(struct ckpt_restart *rs)
{
	ckpt_rec_free(rs->next);
	rs->next = NULL;
}

/**
 * restore_payload_to - read the pages of an object
 * @rs: the restart
 * @sink: the object
 *
 * Objects are read in the order of the image. Stops at the first record that is
 * not about pages of this one.
 *
 * Return: 0 or a negative errno.
 */
int restore_payload_to(struct ckpt_restart *rs, const struct ckpt_sink *sink)
{
	struct page **pages;
	struct ckpt_rec *r;
	u64 last = 0, last_cow = 0;
	int ret = 0;

	pages = kcalloc(CKPT_BATCH, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	while (!ret) {
		r = ckpt_peek(rs);
		if (IS_ERR(r)) {
			ret = PTR_ERR(r);
			break;
		}
		if ((r->type != CKPT_REC_PAGES &&
		     !(r->type == CKPT_REC_COW && sink->has_cow)) ||
		    ckpt_rec_as(r, pages)->objref != sink->objref)
			break;
		if (r->type == CKPT_REC_COW)
			ret = restore_huge_done(rs) ?: restore_cow(rs, r, &last_cow);
		else
			ret = restore_pages(rs, r, sink, &last, pages);
		if (!ret)
			ckpt_tally_record(&rs->tally, r);
		ckpt_used(rs);
		ret = ckpt_loop_step(ret);
	}
	if (!ret)
		ret = restore_huge_done(rs);
	restore_huge_drop(rs);
	kfree(pages);
	return ret;
}

/**
 * restore_payload - read the pages of an address space
 * @rs: the restart; current runs on the address space
 * @mm_ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int restore_payload(struct ckpt_restart *rs, u32 mm_ref)
{
	const struct ckpt_sink sink = {
		.objref = mm_ref,
		.end = TASK_SIZE_MAX >> PAGE_SHIFT,
		.put = ckpt_map_run,
		.has_cow = true,
		.has_folios = true,
	};

	return restore_payload_to(rs, &sink);
}

/**
 * restore_poison - declare memory broken that was
 * @rs: the restart; current runs on the address space, whose contents are there
 * @mm_ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int restore_poison(struct ckpt_restart *rs, u32 mm_ref)
{
	struct ckpt_rec *r;
	u64 last = 0;
	int ret = 0;

	while (!ret) {
		r = ckpt_peek(rs);
		if (IS_ERR(r))
			return PTR_ERR(r);
		if (r->type != CKPT_REC_POISON ||
		    ckpt_rec_as(r, poison)->objref != mm_ref)
			break;
		ret = restore_poison_record(rs, r, &last);
		if (!ret)
			ckpt_tally_record(&rs->tally, r);
		ckpt_used(rs);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * restore_payload_end - read index and tail
 * @rs: the restart; all payload has been read
 *
 * Return: 0 once the tail is verified, or a negative errno.
 */
int restore_payload_end(struct ckpt_restart *rs)
{
	struct ckpt_rec *r;
	u32 type = 0;
	int ret = 0;

	trace_restart_stage(current, CKPT_STAGE_PAYLOAD_READ);
	while (!ret && type != CKPT_REC_TAIL) {
		r = ckpt_peek(rs);
		if (IS_ERR(r)) {
			ret = PTR_ERR(r);
			break;
		}
		type = r->type;
		switch (type) {
		case CKPT_REC_PAGES:
		case CKPT_REC_COW:
		case CKPT_REC_POISON:
			ret = ckpt_bad(rs, r, -EINVAL,
				       "pages of object %u, which has none, not in order, or behind the index",
				       ckpt_rec_as(r, pages)->objref);
			break;
		case CKPT_REC_INDEX:
			ret = ckpt_tally_index(rs, &rs->tally, r);
			break;
		case CKPT_REC_TAIL:
			ret = restore_tail(rs, &rs->tally, r);
			break;
		default:
			ret = ckpt_bad(rs, r, -EINVAL, "does not belong behind the metadata");
		}
		ckpt_used(rs);
		ret = ckpt_loop_step(ret);
	}
	rs->stats.pages_written = rs->tally.pages;
	rs->stats.image_bytes = rs->in.offset;
	return ret;
}
