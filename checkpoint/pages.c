// SPDX-License-Identifier: GPL-2.0
/*
 * Writing the contents of private memory. Reading them is in pages_restore.c,
 * contents of files are in inode_data.c.
 *
 * What is written: pages that a process has of its own. Pages that were never
 * touched, that are zero, or that are clean pages of a file are not. Pages go to
 * the output as they are.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swapops.h>

#include "checkpoint.h"

static_assert(CKPT_BATCH == 1 << CKPT_PAGES_ORDER_MAX);

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
	if (b->nr_pages && !ret)
		ret = ckpt_out_pages(&ctx->out, objref,
				     ckpt_pages_flags(b->area, b->order), b->runs,
				     b->nr_runs, b->pages, b->nr_pages);
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
	if (!ret)
		ret = checkpoint_soft_dirty(ctx, mm, objref);
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
