// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that processes of a tree had in common are one page again, see cow.c:
 * mappings are linked to their families before there are any pages, and pages are
 * put into a second page table as fork() does it.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <asm/tlbflush.h>

#include "checkpoint.h"

/* ---- families --------------------------------------------------- */

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

/* ---- pages -------------------------------------------------------- */

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
