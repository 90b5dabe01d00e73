// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of shared memory: anonymous memory in common, memfds, files of tmpfs. They
 * are written as they are, and filled where they are. They are large where they
 * were, as far as the system makes such ones.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "checkpoint.h"

/* ---- saving ---------------------------------------------------------------- */

/**
 * ckpt_shmem_folio - find memory, in swap if need be
 * @inode: of shared memory
 * @index: which page of it
 *
 * Context: may sleep.
 * Return: the folio with a reference, NULL where there is none or nothing in it, an
 * ERR_PTR() if it cannot be read.
 */
struct folio *ckpt_shmem_folio(struct inode *inode, pgoff_t index)
{
	struct folio *folio = NULL;
	int ret = shmem_get_folio(inode, index, 0, &folio, SGP_READ);

	/* Behind the end: somebody has cut it off since it was looked at. */
	if (ret == -EINVAL)
		return NULL;
	if (ret || !folio)
		return ERR_PTR(ret);
	folio_unlock(folio);
	return folio;
}

/* ---- restoring ------------------------------------------------------------- */

/* What others fill, or nobody, of a folio of which @nr pages will be filled. */
static void ckpt_shmem_clear(struct folio *folio, pgoff_t nr)
{
	long i, all = folio_nr_pages(folio);

	if (folio_test_uptodate(folio) || nr == all)
		return;
	for (i = 0; i < all; i++)
		clear_highpage(folio_page(folio, i));
	folio_mark_uptodate(folio);
}

/*
 * A page as a mapping of 2^@order pages gets it by a page fault: of no larger folio
 * than fits. It was advised if that matters, or it would not have been large.
 */
static struct folio *ckpt_shmem_fault(struct file *file, pgoff_t at, unsigned int order)
{
	struct vm_area_struct vma;
	struct vm_fault vmf = {
		.vma = &vma,
		.pgoff = at,
		.address = at << PAGE_SHIFT,
		.gfp_mask = mapping_gfp_mask(file->f_mapping),
	};

	vma_init(&vma, current->mm);
	vm_flags_init(&vma, VM_SHARED | VM_MAYSHARE | VM_HUGEPAGE);
	vma.vm_file = file;
	vma.vm_pgoff = round_down(at, 1UL << order);
	vma.vm_start = vma.vm_pgoff << PAGE_SHIFT;
	vma.vm_end = vma.vm_start + (PAGE_SIZE << order);
	if (call_mmap(file, &vma) || !(vma.vm_ops->fault(&vmf) & VM_FAULT_LOCKED))
		return NULL;
	return page_folio(vmf.page);
}

/* Finds or makes a page, locked, in a folio of 2^@order pages at most. */
static int ckpt_shmem_page(struct file *file, pgoff_t at, unsigned int order,
			   struct folio **folio)
{
	struct inode *inode = file_inode(file);

	*folio = NULL;
	/* What is only written to may become huge as well. */
	if (order || shmem_allowable_huge_orders(inode, NULL, at, 0, false))
		*folio = ckpt_shmem_fault(file, at, order);
	/* This one says why there is none. */
	return *folio ? 0 : shmem_get_folio(inode, at, 0, folio, SGP_WRITE);
}

static unsigned int ckpt_shmem_order(const struct ckpt_rec_pages *rec)
{
	return rec->flags & CKPT_PAGES_HUGE ? ilog2(CKPT_HUGE_NR) : ckpt_pages_order(rec);
}

/**
 * restore_shmem_get - have the pages of shared memory that a run fills
 * @rs: the restart
 * @r: PAGES record, checked
 * @run: a run of it
 * @pages: out, each with a reference, also on error
 * @sink: its file is of shared memory, which nobody else has yet
 *
 * Context: may sleep.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_shmem_get(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      const struct ckpt_page_run *run, struct page **pages,
		      const struct ckpt_sink *sink)
{
	unsigned int order = ckpt_shmem_order(ckpt_rec_as(r, pages));
	pgoff_t at = run->start, end = run->start + run->nr, i, nr;
	struct folio *folio;
	int ret;

	for (; at < end; at += nr) {
		ret = ckpt_shmem_page(sink->file, at, order, &folio);
		if (ret)
			return ckpt_bad(rs, r, ret, "contents cannot be written at %llu",
					run->start << PAGE_SHIFT);
		nr = min(end, folio_next_index(folio)) - at;
		ckpt_shmem_clear(folio, nr);
		folio_ref_add(folio, nr);
		for (i = 0; i < nr; i++)
			*pages++ = folio_file_page(folio, at + i);
		folio_unlock(folio);
		folio_put(folio);
	}
	return 0;
}

/**
 * restore_shmem_run - pages of shared memory have been filled
 * @rs: the restart
 * @r: PAGES record, checked
 * @run: a run of it
 * @pages: its pages, of restore_shmem_get()
 * @sink: its file is of shared memory
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_shmem_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      const struct ckpt_page_run *run, struct page **pages,
		      const struct ckpt_sink *sink)
{
	struct folio *folio, *last = NULL;
	u64 i;
	int ret;

	ret = restore_inode_tail_check(rs, r, run, pages, sink);
	for (i = 0; i < run->nr && !ret; i++) {
		folio = page_folio(pages[i]);
		if (folio == last)
			continue;
		last = folio;
		/* References keep reclaim away from those that are not dirty yet. */
		folio_lock(folio);
		folio_mark_uptodate(folio);
		folio_mark_dirty(folio);
		folio_unlock(folio);
	}
	return ret;
}
