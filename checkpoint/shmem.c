// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of shared memory: anonymous memory in common, memfds, files of tmpfs. They
 * are written as they are, and filled where they are.
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
	pgoff_t at = run->start, end = run->start + run->nr, i, nr;
	struct folio *folio;
	int ret;

	for (; at < end; at += nr) {
		ret = shmem_get_folio(file_inode(sink->file), at,
				      (loff_t)end << PAGE_SHIFT, &folio, SGP_WRITE);
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
