// SPDX-License-Identifier: GPL-2.0
/*
 * Contents of files that no path leads to, see inode.c.
 *
 * Shared memory is its pages: they go to the output as they are, and are filled
 * from the input, see shmem.c and hugetlb.c. What somebody outside may write to is
 * copied first, so that nobody changes it between checksum and output. Other files
 * are read and written as by read() and write(), whatever the file system. Holes
 * stay holes, pages that are in no mapping and pages in swap are contents like
 * others.
 */
#include <linux/bvec.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "checkpoint.h"

/* ---- saving ---------------------------------------------------------------- */

/**
 * struct ckpt_reader - who reads an inode
 * @file: a file of our own
 * @size: how much of it is in the image
 * @as_is: its pages are written, not what is read of it
 * @copy: somebody outside may write to it meanwhile
 */
struct ckpt_reader {
	struct file *file;
	u64 size;
	bool as_is;
	bool copy;
};

static bool ckpt_folio_is_broken(const struct folio *folio)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

/* May somebody outside write to it? */
static bool ckpt_inode_may_change(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_obj *obj;

	obj = ckpt_obj_find_typed(ctx, ckpt_file_inode(file), CKPT_OBJ_INODE);
	return !obj || obj->shared;
}

/**
 * checkpoint_inode_contents - have the contents of an inode written later on
 * @ctx: the checkpoint
 * @file: a file of it, which need not be one that reads
 * @objref: of the inode
 * @size: how much of it
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_inode_contents(struct ckpt_ctx *ctx, struct file *file,
			      u32 objref, u64 size)
{
	struct ckpt_reader *reader;
	int ret;

	reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	if (!reader)
		return -ENOMEM;
	reader->size = size;
	reader->as_is = ckpt_is_hugetlb(file) ||
			(IS_ENABLED(CONFIG_SHMEM) && ckpt_is_shmem(file));
	reader->copy = reader->as_is && ckpt_inode_may_change(ctx, file);
	/* Nobody is told of it, neither by the time of access nor by events. */
	reader->file = dentry_open(file_user_path(file),
				   O_RDONLY | O_NOATIME | O_LARGEFILE |
				   __FMODE_NONOTIFY, current_cred());
	ret = PTR_ERR_OR_ZERO(reader->file);
	if (ret)
		goto out_free;
	ret = xa_insert(&ctx->inodes, objref, reader, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto out_put;
	return 0;

out_put:
	fput(reader->file);
out_free:
	kfree(reader);
	return ret;
}

/**
 * struct ckpt_inode_batch - contents of an inode, for a PAGES record
 * @file: that reads it
 * @objref: of the inode
 * @size: its size
 * @as_is: @pages are its own, each under a reference; else ours, used again and again
 * @copy: but those are copies, as somebody may write to it
 * @area: end of the huge page of shared memory that @pages belong to, or 0
 * @order: if it is not 0: @pages are all those of large folios of this order
 * @nr_pages: entries of @pages that are filled
 * @nr_runs: entries in @runs
 * @pages: their contents are written
 * @runs: where their contents belong
 */
struct ckpt_inode_batch {
	struct file *file;
	u32 objref;
	loff_t size;
	bool as_is;
	bool copy;
	pgoff_t area;
	unsigned int order;
	unsigned int nr_pages;
	unsigned int nr_runs;
	struct page *pages[CKPT_BATCH];
	struct ckpt_page_run runs[CKPT_BATCH];
};

static void ckpt_inode_put_pages(struct ckpt_inode_batch *b)
{
	unsigned int i;

	for (i = 0; i < CKPT_BATCH && b->pages[i]; i++) {
		put_page(b->pages[i]);
		b->pages[i] = NULL;
	}
}

static int ckpt_inode_flush(struct ckpt_ctx *ctx, struct ckpt_inode_batch *b)
{
	int ret = 0;

	if (b->as_is)
		ret = ckpt_pages_copy_pinned(b->pages, b->nr_pages);
	if (b->nr_pages && !ret)
		ret = ckpt_out_pages(&ctx->out, b->objref,
				     ckpt_pages_flags(b->area, b->order), b->runs,
				     b->nr_runs, b->pages, b->nr_pages);
	if (b->as_is)
		ckpt_inode_put_pages(b);
	b->nr_pages = 0;
	b->nr_runs = 0;
	b->area = 0;
	b->order = 0;
	return ret;
}

/* What lies behind the end of the file is no contents of it. */
static int ckpt_inode_cut(struct ckpt_inode_batch *b, struct page **last)
{
	unsigned int from = offset_in_page(b->size);
	int ret;

	if (ckpt_page_tail_is_zero(*last, from))
		return 0;
	ret = ckpt_page_copy(last);
	if (!ret)
		memzero_page(*last, from, PAGE_SIZE - from);
	return ret;
}

/* Page @index in a folio with a reference, NULL where there is none, or an ERR_PTR(). */
static struct folio *ckpt_inode_folio(struct ckpt_ctx *ctx, struct file *file,
				      pgoff_t index)
{
	struct folio *folio;

	if (ckpt_is_hugetlb(file)) {
		folio = filemap_get_folio(file->f_mapping, index);
		if (folio == ERR_PTR(-ENOENT))
			return NULL;
	} else {
		folio = ckpt_shmem_folio(file_inode(file), index);
	}
	if (IS_ERR_OR_NULL(folio) || !ckpt_folio_is_broken(folio))
		return folio;
	folio_put(folio);
	ckpt_refuse(ctx, ctx->root_task, "%s at %llu: the memory is broken (hardware error)",
		    ckpt_log_path(&ctx->log, file_user_path(file)),
		    (u64)index << PAGE_SHIFT);
	return ERR_PTR(-EIO);
}

/* It can be written as such if all of it is. */
static bool ckpt_inode_is_large(struct folio *folio, pgoff_t at, pgoff_t end)
{
	return folio_order(folio) <= CKPT_PAGES_ORDER_MAX && folio->index == at &&
	       folio_next_index(folio) <= end;
}

/*
 * Huge pages and large folios have records of their own. A huge page may have lost
 * what is behind the end of the file.
 */
static int ckpt_inode_begin(struct ckpt_ctx *ctx, struct ckpt_inode_batch *b,
			    struct folio *folio, pgoff_t at, pgoff_t end)
{
	unsigned int order = 0;
	pgoff_t area = 0;
	int ret = 0;

	if (folio_test_hugetlb(folio))
		return 0;
	if (folio_nr_pages(folio) == CKPT_HUGE_NR)
		area = folio_next_index(folio);
	else if (ckpt_inode_is_large(folio, at, end))
		order = folio_order(folio);
	if (b->nr_pages && (b->area != area || b->order != order))
		ret = ckpt_inode_flush(ctx, b);
	b->area = area;
	b->order = order;
	return ret;
}

/* Pages of a folio, from page @at of the file on, but not from @end on. */
static unsigned int ckpt_inode_add_folio(struct ckpt_inode_batch *b,
					 struct folio *folio, pgoff_t at, pgoff_t end)
{
	unsigned int i, nr = min3(end - at, folio_next_index(folio) - at,
				  CKPT_BATCH - (pgoff_t)b->nr_pages);
	struct ckpt_page_run *last = &b->runs[b->nr_runs - 1];

	if (b->nr_runs && last->start + last->nr == at)
		last->nr += nr;
	else
		b->runs[b->nr_runs++] = (struct ckpt_page_run) { at, nr };
	folio_ref_add(folio, nr);
	for (i = 0; i < nr; i++)
		b->pages[b->nr_pages++] = folio_file_page(folio, at + i);
	return nr;
}

/* Nobody changes a copy between checksum and output. */
static int ckpt_inode_copy(struct ckpt_inode_batch *b, unsigned int nr)
{
	int ret = 0;

	for (; nr && !ret; nr--)
		ret = ckpt_page_copy(&b->pages[b->nr_pages - nr]);
	return ret;
}

/* From @pos on, which is set to where the next hole was met. */
static int ckpt_inode_add_as_is(struct ckpt_ctx *ctx, struct ckpt_inode_batch *b,
				loff_t *pos)
{
	pgoff_t at = *pos >> PAGE_SHIFT, end = DIV_ROUND_UP(b->size, PAGE_SIZE);
	struct folio *folio;
	unsigned int nr;
	int ret = 0;

	while (at < end && !ret) {
		folio = ckpt_inode_folio(ctx, b->file, at);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		if (!folio) {
			at++;
			break;
		}
		ret = ckpt_inode_begin(ctx, b, folio, at, end);
		nr = ret ? 0 : ckpt_inode_add_folio(b, folio, at, end);
		folio_put(folio);
		at += nr;
		if (!ret && b->copy)
			ret = ckpt_inode_copy(b, nr);
		if (!ret && at > b->size >> PAGE_SHIFT && offset_in_page(b->size))
			ret = ckpt_inode_cut(b, &b->pages[b->nr_pages - 1]);
		if (!ret && b->nr_pages == CKPT_BATCH)
			ret = ckpt_inode_flush(ctx, b);
		ret = ckpt_loop_step(ret);
	}
	*pos = (loff_t)at << PAGE_SHIFT;
	return ret;
}

/* Reads [pos, pos + len) into pages; what has become no contents is zeros. */
static int ckpt_inode_read(struct ckpt_inode_batch *b, loff_t pos, size_t len)
{
	unsigned int i, nr_bv, nr = DIV_ROUND_UP(len, PAGE_SIZE);
	struct page **pages = b->pages + b->nr_pages;
	struct bio_vec *bv;
	struct iov_iter iter;
	ssize_t n = 0;

	for (i = 0; i < nr; i++) {
		if (!pages[i])
			pages[i] = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT);
		if (!pages[i])
			return -ENOMEM;
	}
	bv = ckpt_pages_bvec(pages, nr, &nr_bv);
	if (!bv)
		return -ENOMEM;
	iov_iter_bvec(&iter, ITER_DEST, bv, nr_bv, (size_t)nr << PAGE_SHIFT);
	iov_iter_truncate(&iter, len);
	while (iov_iter_count(&iter)) {
		n = vfs_iter_read(b->file, &iter, &pos, 0);
		if (n <= 0)
			break;
	}
	iov_iter_reexpand(&iter, iov_iter_count(&iter) + nr * PAGE_SIZE - len);
	iov_iter_zero(iov_iter_count(&iter), &iter);
	kfree(bv);
	return n < 0 ? n : 0;
}

/* From @pos to @end, to which @pos is set. */
static int ckpt_inode_add_copies(struct ckpt_ctx *ctx, struct ckpt_inode_batch *b,
				 loff_t *pos, loff_t end)
{
	while (*pos < end) {
		unsigned int room = CKPT_BATCH - b->nr_pages;
		size_t len = min_t(loff_t, end - *pos, (loff_t)room << PAGE_SHIFT);
		int ret = ckpt_inode_read(b, *pos, len);

		if (ret)
			return ret;
		b->runs[b->nr_runs++] = (struct ckpt_page_run) {
			*pos >> PAGE_SHIFT, DIV_ROUND_UP(len, PAGE_SIZE)
		};
		b->nr_pages += DIV_ROUND_UP(len, PAGE_SIZE);
		if (b->nr_pages == CKPT_BATCH)
			ret = ckpt_inode_flush(ctx, b);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
		*pos += len;
	}
	return 0;
}

/* Where contents begin, from @pos on, or an error; and where there are none, if known. */
static loff_t ckpt_inode_data(struct ckpt_inode_batch *b, loff_t pos, loff_t *end)
{
	if (ckpt_is_hugetlb(b->file))
		return ckpt_hugetlb_data(b->file, pos, end);
	pos = vfs_llseek(b->file, pos, SEEK_DATA);
	if (b->as_is)
		*end = b->size;
	else if (pos >= 0 && pos < b->size)
		*end = vfs_llseek(b->file, pos, SEEK_HOLE);
	return pos;
}

static int ckpt_inode_contents(struct ckpt_ctx *ctx, struct ckpt_inode_batch *b)
{
	loff_t pos = 0, end;
	int ret = 0;

	while (pos < b->size && !ret) {
		pos = ckpt_inode_data(b, pos, &end);
		if (pos == -ENXIO || pos >= b->size)
			break;
		if (pos < 0)
			return pos;
		if (end < 0)
			return end;
		pos = round_down(pos, PAGE_SIZE);
		end = min(round_up(end, PAGE_SIZE), b->size);
		/* Behind its end by now. */
		if (end <= pos)
			break;
		ret = b->as_is ? ckpt_inode_add_as_is(ctx, b, &pos) :
				 ckpt_inode_add_copies(ctx, b, &pos, end);
	}
	return ret ?: ckpt_inode_flush(ctx, b);
}

/**
 * checkpoint_inodes_payload - write the contents of all inodes
 * @ctx: the checkpoint
 *
 * Context: may sleep as long as input or output block, killable.
 * Return: 0 or a negative errno.
 */
int checkpoint_inodes_payload(struct ckpt_ctx *ctx)
{
	struct ckpt_inode_batch *b;
	struct ckpt_reader *reader;
	unsigned long objref;
	int ret = 0;

	if (xa_empty(&ctx->inodes))
		return 0;
	b = kvzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	xa_for_each(&ctx->inodes, objref, reader) {
		b->file = reader->file;
		b->objref = objref;
		b->size = reader->size;
		if (reader->as_is)
			ckpt_inode_put_pages(b);
		b->as_is = reader->as_is;
		b->copy = reader->copy;
		ret = ckpt_inode_contents(ctx, b);
		ret = ckpt_loop_step(ret);
		if (ret)
			break;
	}
	ckpt_inode_put_pages(b);
	kvfree(b);
	return ret;
}

/**
 * checkpoint_inodes_done - let go of the files that inodes were read by
 * @ctx: the checkpoint
 */
void checkpoint_inodes_done(struct ckpt_ctx *ctx)
{
	struct ckpt_reader *reader;
	unsigned long i;

	xa_for_each(&ctx->inodes, i, reader) {
		fput(reader->file);
		kfree(reader);
	}
	xa_destroy(&ctx->inodes);
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * restore_inode_tail_check - is there nothing that no read() would see?
 * @rs: the restart
 * @r: PAGES record
 * @run: a run of it, checked
 * @pages: the contents
 * @sink: its file has its size
 *
 * Return: 0 or -EINVAL, with the reason logged.
 */
int restore_inode_tail_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     const struct ckpt_page_run *run, struct page **pages,
			     const struct ckpt_sink *sink)
{
	loff_t size = i_size_read(file_inode(sink->file));

	if (!offset_in_page(size) || run->start + run->nr <= size >> PAGE_SHIFT ||
	    ckpt_page_tail_is_zero(pages[run->nr - 1], offset_in_page(size)))
		return 0;
	return ckpt_bad(rs, r, -EINVAL, "contents behind the end of the file");
}

static int restore_inode_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     const struct ckpt_page_run *run,
			     struct page **pages, const struct ckpt_sink *sink)
{
	loff_t pos = run->start << PAGE_SHIFT;
	size_t len = min_t(loff_t, run->nr << PAGE_SHIFT,
			   i_size_read(file_inode(sink->file)) - pos);
	struct bio_vec *bv;
	struct iov_iter iter;
	unsigned int nr_bv;
	ssize_t n = 0;
	int ret;

	ret = restore_inode_tail_check(rs, r, run, pages, sink);
	if (ret)
		return ret;
	bv = ckpt_pages_bvec(pages, run->nr, &nr_bv);
	if (!bv)
		return -ENOMEM;
	iov_iter_bvec(&iter, ITER_SOURCE, bv, nr_bv, len);
	while (iov_iter_count(&iter)) {
		n = vfs_iter_write(sink->file, &iter, &pos, 0);
		if (n <= 0)
			break;
	}
	kfree(bv);
	if (!iov_iter_count(&iter))
		return 0;
	return ckpt_bad(rs, r, n < 0 ? n : -ENOSPC, "contents cannot be written at %lld",
			pos);
}

/**
 * restore_inode_contents - read the contents of an inode
 * @rs: the restart
 * @r: its INODE record, checked
 * @file: that writes it; it is empty
 *
 * They are in the image, or in a file that a RELINK record names.
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_inode_contents(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	const struct ckpt_rec *hugetlb = ckpt_hugetlb_part(rs, rec->objref);
	bool shmem = IS_ENABLED(CONFIG_SHMEM) && ckpt_is_shmem(file);
	const struct ckpt_sink sink = {
		.objref = rec->objref,
		.end = DIV_ROUND_UP(rec->size, PAGE_SIZE),
		.get = shmem ? restore_shmem_get : hugetlb ? restore_hugetlb_get : NULL,
		.put = shmem ? restore_shmem_run : hugetlb ? NULL : restore_inode_run,
		.file = file,
		/* What was of tmpfs may be of another file system now. */
		.has_folios = !hugetlb && (shmem || rec->fs_magic == TMPFS_MAGIC),
	};
	const struct ckpt_robj *obj = xa_load(&rs->objs, rec->objref);
	int ret = 0;

	if (rec->kind != CKPT_INODE_ANON)
		ret = vfs_truncate(&file->f_path, rec->size);
	if (ret)
		return ckpt_bad(rs, r, ret, "%s cannot have its size of %llu bytes",
				(const char *)r->var, rec->size);
	if (hugetlb)
		return restore_hugetlb_reserve(rs, hugetlb, file) ?:
		       restore_payload_to(rs, &sink);
	return obj->part ? restore_relinked(rs, r, obj->part, file) :
			   restore_payload_to(rs, &sink);
}
