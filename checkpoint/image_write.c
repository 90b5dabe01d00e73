// SPDX-License-Identifier: GPL-2.0
/*
 * Writing an image: metadata first collected in memory, then payload straight
 * from the pages, then index and tail. Nothing is ever written twice and the
 * output is never asked to seek.
 */
#include <linux/bvec.h>
#include <linux/crc32c.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "checkpoint.h"

#define CKPT_CHUNK_SIZE		(64U << 10)

/**
 * struct ckpt_chunk - a piece of the metadata
 * @list: in ckpt_meta.chunks
 * @used: bytes in @data
 * @size: bytes that @data can hold
 * @data: records, back to back
 */
struct ckpt_chunk {
	struct list_head list;
	size_t used;
	size_t size;
	u8 data[] __aligned(8) __counted_by(size);
};

/**
 * ckpt_meta_init - prepare for metadata
 * @meta: to be initialised
 */
void ckpt_meta_init(struct ckpt_meta *meta)
{
	INIT_LIST_HEAD(&meta->chunks);
	meta->bytes = 0;
	meta->records = 0;
}

/**
 * ckpt_meta_free - free all metadata
 * @meta: the metadata
 */
void ckpt_meta_free(struct ckpt_meta *meta)
{
	struct ckpt_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &meta->chunks, list) {
		list_del(&chunk->list);
		kvfree(chunk);
	}
}

static struct ckpt_chunk *ckpt_chunk_for(struct ckpt_meta *meta, size_t len)
{
	struct ckpt_chunk *chunk;
	size_t size = max_t(size_t, len, CKPT_CHUNK_SIZE - sizeof(*chunk));

	if (!list_empty(&meta->chunks)) {
		chunk = list_last_entry(&meta->chunks, struct ckpt_chunk, list);
		if (chunk->size - chunk->used >= len)
			return chunk;
	}
	chunk = kvmalloc(struct_size(chunk, data, size), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	list_add_tail(&chunk->list, &meta->chunks);
	return chunk;
}

/**
 * ckpt_meta_add - add a record
 * @meta: the metadata
 * @type: enum ckpt_rec_type
 * @fixed: length of the fixed part, a multiple of 8
 * @var: length of the variable data, rounded up here
 *
 * Context: may sleep.
 * Return: the record, zeroed but for its header; NULL without memory or if it
 * would be longer than a record may be.
 */
void *ckpt_meta_add(struct ckpt_meta *meta, u32 type, size_t fixed, size_t var)
{
	size_t len = size_add(fixed, var);
	struct ckpt_chunk *chunk;
	struct ckpt_hdr *h;

	if (WARN_ON_ONCE(fixed & 7) || len > CKPT_REC_MAX_LEN)
		return NULL;
	len = ALIGN(len, 8);
	chunk = ckpt_chunk_for(meta, len);
	if (!chunk)
		return NULL;

	h = (struct ckpt_hdr *)(chunk->data + chunk->used);
	memset(h, 0, len);
	h->type = type;
	h->len = len;
	h->fixed = fixed;
	chunk->used += len;
	meta->bytes += len;
	meta->records++;
	return h;
}

/**
 * ckpt_hdr_finish - put the checksum into a record
 * @h: the record, complete
 */
void ckpt_hdr_finish(struct ckpt_hdr *h)
{
	h->crc = 0;
	h->crc = ~crc32c(~0U, h, h->len);
}

/* A short write is an error: the image would have a hole. */
static int ckpt_out_result(ssize_t done, size_t len)
{
	switch (done) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -EINTR:
		/* Going on by itself would write the image twice. */
		return -EINTR;
	}
	if (done < 0)
		return done;
	if (done == len)
		return 0;
	return signal_pending(current) ? -EINTR : -ENOSPC;
}

/**
 * ckpt_has_direct - is a file open for direct I/O?
 * @file: the file; a pipe with O_DIRECT has packets instead
 *
 * Return: true if it is.
 */
bool ckpt_has_direct(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	return (file->f_flags & O_DIRECT) && (S_ISREG(mode) || S_ISBLK(mode));
}

/**
 * ckpt_out_open - begin to write to a file
 * @out: the image, zeroed
 * @file: where it goes, at its position; under a reference, which is taken over
 *	also on failure
 *
 * With direct I/O payload lies at pages of the file if the image starts at one.
 * Where it cannot be told or does not, the page cache is used.
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_out_open(struct ckpt_out *out, struct file *file)
{
	out->file = file;
	out->pos = file->f_pos;
	if (!ckpt_has_direct(file) || (file->f_flags & O_APPEND) ||
	    !PAGE_ALIGNED(out->pos))
		return 0;
	out->held = kmalloc(CKPT_DIRECT_BYTES, GFP_KERNEL_ACCOUNT);
	return out->held ? 0 : -ENOMEM;
}

static ssize_t ckpt_out_some(struct ckpt_out *out, struct iov_iter *iter,
			     bool direct)
{
	struct kiocb iocb;
	ssize_t n;

	if (direct || !ckpt_has_direct(out->file))
		return vfs_iter_write(out->file, iter, &out->pos, 0);
	init_sync_kiocb(&iocb, out->file);
	iocb.ki_flags &= ~IOCB_DIRECT;
	iocb.ki_pos = out->pos;
	n = vfs_iocb_iter_write(out->file, &iocb, iter);
	out->pos = iocb.ki_pos;
	return n;
}

static int ckpt_out_iter(struct ckpt_out *out, struct iov_iter *iter,
			 bool direct)
{
	size_t len = iov_iter_count(iter), done = 0;
	ssize_t n = 0;

	while (done < len) {
		n = ckpt_out_some(out, iter, direct);
		if (n <= 0)
			break;
		done += n;
		/* Some cut it to what they took, as at RLIMIT_FSIZE. */
		iov_iter_reexpand(iter, len - done);
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	out->offset += done;
	if (done == len)
		return 0;
	return ckpt_out_result(n < 0 ? n : done, len);
}

/* Writes the first @len bytes of those that are held. */
static int ckpt_out_held(struct ckpt_out *out, size_t len, bool direct)
{
	struct iov_iter iter;
	struct bio_vec bv;
	int ret;

	if (!len)
		return 0;
	bvec_set_virt(&bv, out->held, len);
	iov_iter_bvec(&iter, ITER_SOURCE, &bv, 1, len);
	out->offset -= out->nr_held;
	ret = ckpt_out_iter(out, &iter, direct);
	if (ret)
		return ret;
	out->nr_held -= len;
	out->offset += out->nr_held;
	memmove(out->held, out->held + len, out->nr_held);
	return 0;
}

/* Of direct I/O: until there are whole blocks of it. */
static int ckpt_out_hold(struct ckpt_out *out, const void *buf, size_t len)
{
	size_t n;
	int ret = 0;

	for (; len && !ret; buf += n, len -= n) {
		n = min(len, CKPT_DIRECT_BYTES - out->nr_held);
		memcpy(out->held + out->nr_held, buf, n);
		out->nr_held += n;
		out->offset += n;
		if (out->nr_held == CKPT_DIRECT_BYTES)
			ret = ckpt_out_held(out, out->nr_held, true);
	}
	return ret;
}

/* What is left fills no block: it goes through the page cache. */
static int ckpt_out_end(struct ckpt_out *out)
{
	int ret;

	ret = ckpt_out_held(out, round_down(out->nr_held, PAGE_SIZE), true);
	return ret ?: ckpt_out_held(out, out->nr_held, false);
}

/**
 * ckpt_out_bytes - write bytes of kernel memory
 * @out: the image
 * @buf: the bytes
 * @len: their number
 *
 * Context: may sleep as long as the output blocks, killable.
 * Return: 0 or a negative errno.
 */
int ckpt_out_bytes(struct ckpt_out *out, const void *buf, size_t len)
{
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = len };
	struct iov_iter iter;

	if (out->held)
		return ckpt_out_hold(out, buf, len);
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return ckpt_out_iter(out, &iter, false);
}

/**
 * ckpt_out_meta - write the metadata
 * @out: the image
 * @meta: the metadata; checksums are filled in here
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_meta(struct ckpt_out *out, struct ckpt_meta *meta)
{
	struct ckpt_chunk *chunk;
	int ret;

	list_for_each_entry(chunk, &meta->chunks, list) {
		size_t at = 0;

		while (at < chunk->used) {
			struct ckpt_hdr *h;

			h = (struct ckpt_hdr *)(chunk->data + at);
			ckpt_hdr_finish(h);
			at += h->len;
			cond_resched();
		}
		ret = ckpt_out_bytes(out, chunk->data, chunk->used);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	out->records += meta->records;
	return 0;
}

static int ckpt_out_record(struct ckpt_out *out, struct ckpt_hdr *h)
{
	ckpt_hdr_finish(h);
	out->records++;
	return ckpt_out_bytes(out, h, h->len);
}

static int ckpt_out_align_page(struct ckpt_out *out)
{
	size_t gap = PAGE_ALIGN(out->offset) - out->offset;

	return gap ? ckpt_out_bytes(out, page_address(ZERO_PAGE(0)), gap) : 0;
}

static struct ckpt_index_part *ckpt_out_index_part(struct ckpt_out *out)
{
	struct ckpt_index_part *part = out->index_last;

	if (part && part->rec.nr < CKPT_INDEX_BATCH)
		return part;
	part = kzalloc(sizeof(*part), GFP_KERNEL_ACCOUNT);
	if (!part)
		return NULL;
	if (out->index_last)
		out->index_last->next = part;
	else
		out->index = part;
	out->index_last = part;
	return part;
}

static int ckpt_out_index_add(struct ckpt_out *out, u32 objref, u64 start)
{
	struct ckpt_index_part *part = ckpt_out_index_part(out);

	if (!part)
		return -ENOMEM;
	part->entries[part->rec.nr++] = (struct ckpt_index_entry) {
		.objref = objref,
		.start = start,
		.offset = out->offset,
	};
	return 0;
}

/*
 * How many of the pages lie one behind the other in memory, from the first on. So
 * must their struct pages, by which an iterator of bvecs counts; between two sections
 * of memory neither follows from the other.
 */
static unsigned int ckpt_pages_adjacent(struct page **pages, unsigned int nr)
{
	unsigned int i = 1;

	while (i < nr && pages[i] == pages[0] + i && pages[i] == nth_page(pages[0], i))
		i++;
	return i;
}

/* So much is looked at with preemption off, see kernel_fpu_begin(). */
#define CKPT_CRC_BYTES	(64U << 10)

/* What is adjacent in memory is so in the kernel's map of it. */
static u32 ckpt_adjacent_crc(u32 crc, struct page *page, unsigned int len)
{
	const u8 *p = page_address(page);
	unsigned int n;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_HIGHMEM));
	for (; len; p += n, len -= n) {
		n = min(len, CKPT_CRC_BYTES);
		crc = crc32c(crc, p, n);
	}
	return crc;
}

/**
 * ckpt_pages_crc - checksum of payload, see struct ckpt_rec_pages
 * @pages: the pages
 * @nr: their number
 *
 * Return: the CRC32C of their bytes.
 */
u32 ckpt_pages_crc(struct page **pages, unsigned int nr)
{
	u32 crc = ~0U;
	unsigned int i, n;

	for (i = 0; i < nr; i += n) {
		n = ckpt_pages_adjacent(pages + i, nr - i);
		crc = ckpt_adjacent_crc(crc, pages[i], n << PAGE_SHIFT);
	}
	return ~crc;
}

/* The same where adjacent pages are known. */
static u32 ckpt_bvec_crc(const struct bio_vec *bv, unsigned int nr)
{
	u32 crc = ~0U;

	for (; nr; nr--, bv++)
		crc = ckpt_adjacent_crc(crc, bv->bv_page, bv->bv_len);
	return ~crc;
}

/**
 * ckpt_pages_bvec - describe pages for an iterator
 * @pages: the pages
 * @nr: their number
 * @nr_bv: out: number of entries
 *
 * Return: the entries, to be freed with kfree(); NULL without memory.
 */
struct bio_vec *ckpt_pages_bvec(struct page **pages, unsigned int nr,
				unsigned int *nr_bv)
{
	struct bio_vec *bv;
	unsigned int i, n;

	bv = kmalloc_array(nr, sizeof(*bv), GFP_KERNEL_ACCOUNT);
	if (!bv)
		return NULL;
	*nr_bv = 0;
	for (i = 0; i < nr; i += n) {
		n = ckpt_pages_adjacent(pages + i, nr - i);
		bvec_set_page(&bv[(*nr_bv)++], pages[i], n << PAGE_SHIFT, 0);
	}
	return bv;
}

static int ckpt_out_payload(struct ckpt_out *out, const struct bio_vec *bv,
			    unsigned int nr_bv, unsigned int nr_pages)
{
	struct iov_iter iter;
	int ret;

	/* Whole pages: payload starts at one. */
	ret = ckpt_out_held(out, out->nr_held, true);
	if (ret)
		return ret;
	iov_iter_bvec(&iter, ITER_SOURCE, bv, nr_bv,
		      (size_t)nr_pages << PAGE_SHIFT);
	ret = ckpt_out_iter(out, &iter, out->held);
	if (!ret)
		out->pages += nr_pages;
	return ret;
}

/**
 * ckpt_out_pages - write a PAGES record and its payload
 * @out: the image
 * @objref: object that the pages belong to
 * @flags: CKPT_PAGES_*
 * @runs: which pages of it, ascending
 * @nr_runs: number of @runs
 * @pages: the pages, each under a reference; nobody may write to them meanwhile
 * @nr_pages: their number, at most CKPT_PAGES_MAX_BYTES worth
 *
 * The bytes go from the pages to the output, without a copy in between.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_pages(struct ckpt_out *out, u32 objref, u32 flags,
		   const struct ckpt_page_run *runs, unsigned int nr_runs,
		   struct page **pages, unsigned int nr_pages)
{
	struct ckpt_rec_pages *rec;
	struct bio_vec *bv;
	unsigned int nr_bv;
	size_t len;
	int ret;

	bv = ckpt_pages_bvec(pages, nr_pages, &nr_bv);
	if (!bv)
		return -ENOMEM;
	len = struct_size_t(struct { struct ckpt_rec_pages r;
				     struct ckpt_page_run runs[]; },
			    runs, nr_runs);
	rec = kzalloc(len, GFP_KERNEL_ACCOUNT);
	if (!rec) {
		kfree(bv);
		return -ENOMEM;
	}
	rec->h.type = CKPT_REC_PAGES;
	rec->h.len = len;
	rec->h.fixed = sizeof(*rec);
	rec->objref = objref;
	rec->nr_runs = nr_runs;
	rec->data_len = (u64)nr_pages << PAGE_SHIFT;
	rec->data_crc = ckpt_bvec_crc(bv, nr_bv);
	rec->flags = flags;
	memcpy(ckpt_rec_var(rec), runs, array_size(nr_runs, sizeof(*runs)));

	ret = ckpt_out_index_add(out, objref, runs[0].start);
	if (!ret)
		ret = ckpt_out_record(out, &rec->h);
	if (!ret)
		ret = ckpt_out_align_page(out);
	if (!ret)
		ret = ckpt_out_payload(out, bv, nr_bv, nr_pages);
	kfree(rec);
	kfree(bv);
	return ret;
}

/* A record that has runs and no payload. All such records and runs begin alike. */
static int ckpt_out_runs(struct ckpt_out *out, u32 type, u32 objref,
			 const void *runs, unsigned int nr_runs, size_t size)
{
	size_t len = array_size(nr_runs, size);
	struct ckpt_rec_cow *rec;
	int ret;

	rec = kvzalloc(size_add(sizeof(*rec), len), GFP_KERNEL_ACCOUNT);
	if (!rec)
		return -ENOMEM;
	rec->h.type = type;
	rec->h.len = sizeof(*rec) + len;
	rec->h.fixed = sizeof(*rec);
	rec->objref = objref;
	rec->nr_runs = nr_runs;
	memcpy(ckpt_rec_var(rec), runs, len);

	ret = ckpt_out_index_add(out, objref, *(const u64 *)runs);
	if (!ret)
		ret = ckpt_out_record(out, &rec->h);
	kvfree(rec);
	return ret;
}

/**
 * ckpt_out_cow - write a COW record
 * @out: the image
 * @objref: the address space
 * @runs: which pages of it are those of others, ascending
 * @nr_runs: number of @runs
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_cow(struct ckpt_out *out, u32 objref,
		 const struct ckpt_cow_run *runs, unsigned int nr_runs)
{
	return ckpt_out_runs(out, CKPT_REC_COW, objref, runs, nr_runs,
			     sizeof(*runs));
}

/**
 * ckpt_out_poison - write a POISON record
 * @out: the image
 * @objref: the address space
 * @runs: which pages of it were declared broken, ascending
 * @nr_runs: number of @runs
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_poison(struct ckpt_out *out, u32 objref,
		    const struct ckpt_page_run *runs, unsigned int nr_runs)
{
	return ckpt_out_runs(out, CKPT_REC_POISON, objref, runs, nr_runs,
			     sizeof(*runs));
}

/**
 * ckpt_out_soft_dirty - write a SOFT_DIRTY record
 * @out: the image
 * @objref: the address space
 * @runs: part of a mapping, and which pages in it are soft-dirty, ascending
 * @nr_runs: number of @runs
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_soft_dirty(struct ckpt_out *out, u32 objref,
			const struct ckpt_page_run *runs, unsigned int nr_runs)
{
	return ckpt_out_runs(out, CKPT_REC_SOFT_DIRTY, objref, runs, nr_runs,
			     sizeof(*runs));
}

static int ckpt_out_index(struct ckpt_out *out)
{
	struct ckpt_index_part *part;
	int ret = 0;

	static_assert(offsetof(struct ckpt_index_part, entries) ==
		      offsetofend(struct ckpt_index_part, rec));
	for (part = out->index; part && !ret; part = part->next) {
		part->rec.h.type = CKPT_REC_INDEX;
		part->rec.h.fixed = sizeof(part->rec);
		part->rec.h.len = sizeof(part->rec) +
				  part->rec.nr * sizeof(part->entries[0]);
		ret = ckpt_out_record(out, &part->rec.h);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * ckpt_out_finish - write index and tail
 * @out: the image
 * @meta_offset: offset of the META_END record
 * @uuid: of the image
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_finish(struct ckpt_out *out, u64 meta_offset, const u8 *uuid)
{
	struct ckpt_rec_tail tail = {
		.h.type = CKPT_REC_TAIL,
		.h.len = sizeof(tail),
		.h.fixed = sizeof(tail),
		.meta_offset = meta_offset,
		.nr_pages = out->pages,
		.index_offset = out->offset,
	};
	int ret;

	ret = ckpt_out_index(out);
	if (ret)
		return ret;
	tail.nr_records = out->records + 1;
	tail.image_len = out->offset + sizeof(tail);
	memcpy(tail.uuid, uuid, sizeof(tail.uuid));
	memcpy(tail.magic, CKPT_TAIL_MAGIC, sizeof(tail.magic));
	ret = ckpt_out_record(out, &tail.h);
	return ret ?: ckpt_out_end(out);
}

/**
 * ckpt_out_release - free what belongs to an output, but not the file
 * @out: the image
 */
void ckpt_out_release(struct ckpt_out *out)
{
	struct ckpt_index_part *part;

	while ((part = out->index)) {
		out->index = part->next;
		kfree(part);
	}
	out->index_last = NULL;
	kfree(out->held);
	out->held = NULL;
}
