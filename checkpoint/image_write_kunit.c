// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the writer of images: records, payload, index and tail come
 * back through the reader, at the places that the format prescribes.
 */
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "checkpoint.h"
#include "kunit.h"

/* Images start in the middle of a file, where no offset is right by chance. */
#define START		100
#define NR_PAGES	3U

struct image {
	struct file *file;
	struct ckpt_meta meta;
	struct ckpt_out out;
	struct ckpt_in in;
	struct ckpt_log log;
	struct page *pages[NR_PAGES];
	struct page *back[NR_PAGES];
};

static struct page *new_page(struct kunit *test, u8 byte)
{
	void *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page, byte, PAGE_SIZE);
	return virt_to_page(page);
}

static int image_write_init(struct kunit *test)
{
	struct image *im = kunit_kzalloc(test, sizeof(*im), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, im);
	for (i = 0; i < NR_PAGES; i++) {
		im->pages[i] = new_page(test, 0x11 * (i + 1));
		im->back[i] = new_page(test, 0xff);
	}
	im->file = shmem_file_setup("image_write_kunit", 0, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, im->file);
	ckpt_meta_init(&im->meta);
	im->out = (struct ckpt_out) { .file = im->file, .pos = START };
	im->in = (struct ckpt_in) { .file = im->file, .pos = START };
	test->priv = im;
	return 0;
}

static void image_write_exit(struct kunit *test)
{
	struct image *im = test->priv;

	if (!im)
		return;
	ckpt_meta_free(&im->meta);
	ckpt_out_release(&im->out);
	fput(im->file);
}

/* Every image starts with a header. */
static void add_header(struct kunit *test)
{
	struct image *im = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, ckpt_meta_add(&im->meta, CKPT_REC_HEADER,
						  sizeof(struct ckpt_rec_header),
						  0));
}

static struct ckpt_rec *next(struct kunit *test, u32 type)
{
	struct image *im = test->priv;
	u64 offset = im->in.offset;
	struct ckpt_rec *rec;

	rec = ckpt_in_record(&im->in, &im->log);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->type, type);
	KUNIT_EXPECT_EQ(test, rec->offset, offset);
	return rec;
}

/* ---- records ----------------------------------------------------------------- */

static void checksum(struct kunit *test)
{
	struct image *im = test->priv;
	struct ckpt_rec_tree tree = {
		.h = { .type = CKPT_REC_TREE, .len = sizeof(tree),
		       .fixed = sizeof(tree) },
		.nr_tasks = 77,
	};
	u32 crc = plain_crc32c(&tree, sizeof(tree));
	u8 *both;

	/* The field itself counts as zero, whatever it held. */
	tree.h.crc = 0xdeadbeef;
	ckpt_hdr_finish(&tree.h);
	KUNIT_EXPECT_EQ(test, tree.h.crc, crc);

	both = kunit_kzalloc(test, 2 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, both);
	memcpy(both, page_address(im->pages[0]), PAGE_SIZE);
	memcpy(both + PAGE_SIZE, page_address(im->pages[1]), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ckpt_pages_crc(im->pages, 1),
			plain_crc32c(both, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, ckpt_pages_crc(im->pages, 2),
			plain_crc32c(both, 2 * PAGE_SIZE));
}

static void meta_limits(struct kunit *test)
{
	struct image *im = test->priv;
	struct ckpt_meta *meta = &im->meta;
	struct ckpt_hdr *h;

	h = ckpt_meta_add(meta, CKPT_REC_NS, 32, 3);
	KUNIT_ASSERT_NOT_NULL(test, h);
	KUNIT_EXPECT_EQ(test, h->type, CKPT_REC_NS);
	KUNIT_EXPECT_EQ(test, h->fixed, 32);
	KUNIT_EXPECT_EQ(test, h->len, 40);
	KUNIT_EXPECT_EQ(test, meta->bytes, 40);

	KUNIT_EXPECT_NULL(test, ckpt_meta_add(meta, CKPT_REC_NS, 32,
					      CKPT_REC_MAX_LEN - 31));
	KUNIT_EXPECT_NULL(test, ckpt_meta_add(meta, CKPT_REC_NS, 32, SIZE_MAX));
	KUNIT_EXPECT_NULL(test, ckpt_meta_add(meta, CKPT_REC_NS, 32,
					      SIZE_MAX - 32));
	/* What was refused must not be counted. */
	KUNIT_EXPECT_EQ(test, meta->records, 1);
	KUNIT_EXPECT_EQ(test, meta->bytes, 40);

	h = ckpt_meta_add(meta, CKPT_REC_NS, 32, CKPT_REC_MAX_LEN - 32);
	KUNIT_ASSERT_NOT_NULL(test, h);
	KUNIT_EXPECT_EQ(test, h->len, CKPT_REC_MAX_LEN);
	KUNIT_EXPECT_NULL(test, memchr_inv(h + 1, 0, h->len - sizeof(*h)));
}

/* Lengths of variable data: odd ones, and some that need a chunk of their own. */
static size_t var_len(unsigned int i)
{
	return i % 40 == 39 ? SZ_64K + i : i * 11 % 1500;
}

#define NR_RECORDS	200U

/* Many records, over several chunks. */
static void records(struct kunit *test)
{
	struct image *im = test->priv;
	struct ckpt_rec_ns *ns;
	struct ckpt_rec *rec;
	size_t len, pad;
	u32 i;

	add_header(test);
	for (i = 1; i < NR_RECORDS; i++) {
		ns = ckpt_meta_add(&im->meta, CKPT_REC_NS, sizeof(*ns),
				   var_len(i));
		KUNIT_ASSERT_NOT_NULL(test, ns);
		ns->objref = i;
		memset(ckpt_rec_var(ns), 1 + i % 255, var_len(i));
	}
	KUNIT_EXPECT_EQ(test, im->meta.records, NR_RECORDS);
	KUNIT_ASSERT_EQ(test, ckpt_out_meta(&im->out, &im->meta), 0);
	KUNIT_EXPECT_EQ(test, im->out.records, NR_RECORDS);
	KUNIT_EXPECT_EQ(test, im->out.offset, im->meta.bytes);
	KUNIT_EXPECT_EQ(test, im->out.pos, START + im->meta.bytes);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(im->file)), im->out.pos);

	ckpt_rec_free(next(test, CKPT_REC_HEADER));
	for (i = 1; i < NR_RECORDS; i++) {
		rec = next(test, CKPT_REC_NS);
		len = var_len(i);
		pad = ALIGN(len, 8) - len;
		KUNIT_EXPECT_EQ(test, rec->offset % 8, 0);
		KUNIT_EXPECT_EQ(test, rec->var_len, len + pad);
		KUNIT_EXPECT_EQ(test, im->in.offset - rec->offset,
				sizeof(*ns) + len + pad);
		KUNIT_EXPECT_EQ(test, ckpt_rec_as(rec, ns)->objref, i);
		KUNIT_EXPECT_NULL(test, memchr_inv(rec->var, 1 + i % 255, len));
		KUNIT_EXPECT_NULL(test, memchr_inv(rec->var + len, 0, pad));
		ckpt_rec_free(rec);
	}
	KUNIT_EXPECT_EQ(test, im->in.records, NR_RECORDS);
	KUNIT_EXPECT_EQ(test, im->in.offset, im->out.offset);
	rec = ckpt_in_record(&im->in, &im->log);
	KUNIT_EXPECT_EQ(test, PTR_ERR(rec), -EBADMSG);
}

static void write_error(struct kunit *test)
{
	struct image *im = test->priv;

	add_header(test);
	im->file->f_mode &= ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, ckpt_out_meta(&im->out, &im->meta), -EBADF);
	KUNIT_EXPECT_EQ(test, im->out.offset, 0);
	KUNIT_EXPECT_EQ(test, im->out.records, 0);
	im->file->f_mode |= FMODE_WRITE;
}

/* ---- payload ------------------------------------------------------------------ */

static void payload(struct kunit *test)
{
	static const struct ckpt_page_run runs[] = { { 0x1000, 2 }, { 0x2000, 1 } };
	const struct ckpt_rec_pages *pages;
	struct image *im = test->priv;
	struct ckpt_rec *rec;
	int i;

	add_header(test);
	KUNIT_ASSERT_EQ(test, ckpt_out_meta(&im->out, &im->meta), 0);
	KUNIT_ASSERT_EQ(test, ckpt_out_pages(&im->out, 5, 0, runs, 2, im->pages,
					     NR_PAGES), 0);
	KUNIT_EXPECT_EQ(test, im->out.records, 2);
	KUNIT_EXPECT_EQ(test, im->out.pages, NR_PAGES);

	ckpt_rec_free(next(test, CKPT_REC_HEADER));
	rec = next(test, CKPT_REC_PAGES);
	pages = ckpt_rec_as(rec, pages);
	KUNIT_EXPECT_EQ(test, pages->objref, 5);
	KUNIT_EXPECT_EQ(test, pages->data_len, NR_PAGES * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, pages->data_crc,
			ckpt_pages_crc(im->pages, NR_PAGES));
	KUNIT_ASSERT_EQ(test, pages->nr_runs, 2);
	KUNIT_ASSERT_EQ(test, rec->var_len, sizeof(runs));
	KUNIT_EXPECT_MEMEQ(test, rec->var, runs, sizeof(runs));
	ckpt_rec_free(rec);

	/* Pages of the image, not of the file that it happens to be in. */
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), 0);
	KUNIT_EXPECT_EQ(test, im->in.offset, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), 0);
	KUNIT_EXPECT_EQ(test, im->in.offset, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ckpt_in_pages(&im->in, im->back, NR_PAGES), 0);
	for (i = 0; i < NR_PAGES; i++)
		KUNIT_EXPECT_MEMEQ(test, page_address(im->back[i]),
				   page_address(im->pages[i]), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, im->in.offset, im->out.offset);
	KUNIT_EXPECT_EQ(test, ckpt_in_pages(&im->in, im->back, 1), -EBADMSG);
}

/*
 * Pages that lie one behind the other in memory are one piece: more of them than
 * are taken at once, backwards, alone.
 */
static void payload_adjacent(struct kunit *test)
{
	static const u8 order[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
		19, 25, 24, 23, 30, 32, 33,
	};
	static const struct ckpt_page_run run = { 7, ARRAY_SIZE(order) };
	const unsigned int nr = ARRAY_SIZE(order), lens[] = { 20, 1, 1, 1, 1, 2 };
	struct page *pages[ARRAY_SIZE(order)], *back[ARRAY_SIZE(order)];
	struct image *im = test->priv;
	struct bio_vec *bv;
	unsigned int i, nr_bv;
	u8 *mem, *flat, *got;

	mem = kunit_kmalloc(test, 34 * PAGE_SIZE, GFP_KERNEL);
	flat = kunit_kmalloc(test, nr * PAGE_SIZE, GFP_KERNEL);
	got = kunit_kzalloc(test, nr * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_ASSERT_NOT_NULL(test, flat);
	KUNIT_ASSERT_NOT_NULL(test, got);
	for (i = 0; i < 34 * PAGE_SIZE; i++)
		mem[i] = i + (i >> PAGE_SHIFT);
	for (i = 0; i < nr; i++) {
		pages[i] = virt_to_page(mem + order[i] * PAGE_SIZE);
		back[i] = virt_to_page(got + i * PAGE_SIZE);
		memcpy(flat + i * PAGE_SIZE, page_address(pages[i]), PAGE_SIZE);
	}

	KUNIT_EXPECT_EQ(test, ckpt_pages_crc(pages, nr),
			plain_crc32c(flat, nr * PAGE_SIZE));
	bv = ckpt_pages_bvec(pages, nr, &nr_bv);
	KUNIT_ASSERT_NOT_NULL(test, bv);
	KUNIT_EXPECT_EQ(test, nr_bv, ARRAY_SIZE(lens));
	for (i = 0; i < min(nr_bv, ARRAY_SIZE(lens)); i++)
		KUNIT_EXPECT_EQ(test, bv[i].bv_len, lens[i] * PAGE_SIZE);
	kfree(bv);

	KUNIT_ASSERT_EQ(test, ckpt_out_pages(&im->out, 5, 0, &run, 1, pages, nr), 0);
	im->in.offset = im->out.offset - nr * PAGE_SIZE;
	im->in.pos = im->out.pos - nr * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ckpt_in_pages(&im->in, back, nr), 0);
	KUNIT_EXPECT_MEMEQ(test, got, flat, nr * PAGE_SIZE);
}

/* The gap before the payload must not hide anything. */
static void payload_gap(struct kunit *test)
{
	struct image *im = test->priv;
	loff_t pos = START + PAGE_SIZE - 1;

	KUNIT_ASSERT_EQ(test, kernel_write(im->file, "x", 1, &pos), 1);
	im->in.offset = 8;
	im->in.pos = START + 8;
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), -EINVAL);
	im->in.offset = 9;
	im->in.pos = START + 8;
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), 0);
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), 0);
	im->in.offset = 8;
	KUNIT_EXPECT_EQ(test, ckpt_in_skip_to_page(&im->in), -EBADMSG);
}

/* ---- index and tail -------------------------------------------------------------- */

/* Read the tail, which must be the end, and look at all that it says. */
static void expect_tail(struct kunit *test, u64 nr_pages, u64 index_offset,
			const u8 *uuid)
{
	const struct ckpt_rec_tail *tail;
	struct image *im = test->priv;
	struct ckpt_rec *rec;

	rec = next(test, CKPT_REC_TAIL);
	tail = ckpt_rec_as(rec, tail);
	KUNIT_EXPECT_EQ(test, tail->nr_records, im->in.records);
	KUNIT_EXPECT_EQ(test, tail->nr_records, im->out.records);
	KUNIT_EXPECT_EQ(test, tail->nr_pages, nr_pages);
	KUNIT_EXPECT_EQ(test, tail->meta_offset, 4711);
	KUNIT_EXPECT_EQ(test, tail->index_offset, index_offset);
	KUNIT_EXPECT_EQ(test, tail->image_len, im->in.offset);
	KUNIT_EXPECT_EQ(test, tail->image_len - sizeof(*tail), rec->offset);
	KUNIT_EXPECT_MEMEQ(test, tail->uuid, uuid, CKPT_UUID_LEN);
	KUNIT_EXPECT_MEMEQ(test, tail->magic, CKPT_TAIL_MAGIC, 8);
	ckpt_rec_free(rec);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(im->file)), im->in.pos);
}

static void tail_alone(struct kunit *test)
{
	static const u8 uuid[CKPT_UUID_LEN] = "no pages at all";
	struct image *im = test->priv;

	add_header(test);
	KUNIT_ASSERT_EQ(test, ckpt_out_meta(&im->out, &im->meta), 0);
	KUNIT_ASSERT_EQ(test, ckpt_out_finish(&im->out, 4711, uuid), 0);
	ckpt_rec_free(next(test, CKPT_REC_HEADER));
	expect_tail(test, 0, im->in.offset, uuid);
}

/* More than one INDEX record and one allocation take. */
#define NR_CHUNKS	300U

static void index_and_tail(struct kunit *test)
{
	static const u8 uuid[CKPT_UUID_LEN] = "an odd identity";
	struct ckpt_index_entry *want;
	struct image *im = test->priv;
	struct ckpt_page_run run;
	struct ckpt_rec *rec;
	u64 index_offset;
	u32 i, nr;

	want = kunit_kzalloc(test, NR_CHUNKS * sizeof(*want), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, want);
	add_header(test);
	KUNIT_ASSERT_EQ(test, ckpt_out_meta(&im->out, &im->meta), 0);
	for (i = 0; i < NR_CHUNKS; i++) {
		want[i].objref = 1 + i / 100;
		want[i].start = 1000 + 3 * i;
		run = (struct ckpt_page_run) { want[i].start, 1 };
		KUNIT_ASSERT_EQ(test, ckpt_out_pages(&im->out, want[i].objref, 0,
						     &run, 1, im->pages, 1), 0);
	}
	KUNIT_ASSERT_EQ(test, ckpt_out_finish(&im->out, 4711, uuid), 0);

	ckpt_rec_free(next(test, CKPT_REC_HEADER));
	for (i = 0; i < NR_CHUNKS; i++) {
		want[i].offset = im->in.offset;
		ckpt_rec_free(next(test, CKPT_REC_PAGES));
		KUNIT_ASSERT_EQ(test, ckpt_in_skip_to_page(&im->in), 0);
		KUNIT_ASSERT_EQ(test, ckpt_in_pages(&im->in, im->back, 1), 0);
	}
	index_offset = im->in.offset;
	for (i = 0; i < NR_CHUNKS; i += nr) {
		rec = next(test, CKPT_REC_INDEX);
		nr = ckpt_rec_as(rec, index)->nr;
		KUNIT_ASSERT_GT(test, nr, 0);
		KUNIT_ASSERT_LE(test, nr, NR_CHUNKS - i);
		KUNIT_ASSERT_EQ(test, rec->var_len, nr * sizeof(*want));
		KUNIT_EXPECT_MEMEQ(test, rec->var, want + i, rec->var_len);
		ckpt_rec_free(rec);
	}
	expect_tail(test, NR_CHUNKS, index_offset, uuid);
}

#ifdef CONFIG_SPARSEMEM
/* Two pages make one piece only if both they and their struct pages are adjacent. */
static void expect_pieces(struct kunit *test, unsigned long a, unsigned long b)
{
	struct page *pages[2] = { pfn_to_page(a), pfn_to_page(b) };
	bool one = b == a + 1 && pages[1] == pages[0] + 1;
	struct bio_vec *bv;
	unsigned int nr;

	bv = ckpt_pages_bvec(pages, 2, &nr);
	KUNIT_ASSERT_NOT_NULL(test, bv);
	KUNIT_EXPECT_EQ_MSG(test, nr, one ? 1 : 2, "pages %lx and %lx", a, b);
	kfree(bv);
}

/* Last and first pages of all sections of memory: they are looked at, not used. */
static void between_sections(struct kunit *test)
{
	unsigned long a, b;

	for (a = PAGES_PER_SECTION; a < max_pfn; a += PAGES_PER_SECTION) {
		if (!pfn_valid(a - 1))
			continue;
		for (b = PAGES_PER_SECTION; b < max_pfn; b += PAGES_PER_SECTION)
			if (pfn_valid(b))
				expect_pieces(test, a - 1, b);
	}
}
#endif

static struct kunit_case image_write_cases[] = {
	KUNIT_CASE(checksum),
	KUNIT_CASE(meta_limits),
	KUNIT_CASE(records),
	KUNIT_CASE(write_error),
	KUNIT_CASE(payload),
	KUNIT_CASE(payload_adjacent),
	KUNIT_CASE(payload_gap),
#ifdef CONFIG_SPARSEMEM
	KUNIT_CASE(between_sections),
#endif
	KUNIT_CASE(tail_alone),
	KUNIT_CASE(index_and_tail),
	{ }
};

static struct kunit_suite image_write_suite = {
	.name = "checkpoint_image_write",
	.init = image_write_init,
	.exit = image_write_exit,
	.test_cases = image_write_cases,
};

kunit_test_suite(image_write_suite);
