// SPDX-License-Identifier: GPL-2.0
/*
 * Reading of all payload, and contents of private memory: pages are filled from the
 * input, checked, and only then mapped. Saving is in pages.c, contents of files are
 * in inode_data.c.
 */
#include <linux/crc32c.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

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
		if (runs[i].nr > CKPT_BATCH || !ckpt_run_fits(&runs[i], *last, end))
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

/* PAGES, COW, POISON and SOFT_DIRTY records begin alike, and so do their runs. */
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

/* Records of one type that tell something of the pages of an address space. */
static int restore_about_pages(struct ckpt_restart *rs, u32 mm_ref, u32 type,
			       int (*restore)(struct ckpt_restart *rs,
					      const struct ckpt_rec *r, u64 *last))
{
	struct ckpt_rec *r;
	u64 last = 0;
	int ret = 0;

	while (!ret) {
		r = ckpt_peek(rs);
		if (IS_ERR(r))
			return PTR_ERR(r);
		if (r->type != type || ckpt_rec_as(r, pages)->objref != mm_ref)
			break;
		ret = restore(rs, r, &last);
		if (!ret)
			ckpt_tally_record(&rs->tally, r);
		ckpt_used(rs);
		ret = ckpt_loop_step(ret);
	}
	return ret;
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
	return restore_about_pages(rs, mm_ref, CKPT_REC_POISON,
				   restore_poison_record);
}

/**
 * restore_soft_dirty - tell pages that were written to lately from others
 * @rs: the restart; current runs on the address space, in which nothing is to be
 *	mapped any more
 * @mm_ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int restore_soft_dirty(struct ckpt_restart *rs, u32 mm_ref)
{
	return restore_about_pages(rs, mm_ref, CKPT_REC_SOFT_DIRTY,
				   restore_soft_dirty_record);
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
		case CKPT_REC_SOFT_DIRTY:
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
