// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the reader of images: it takes what is right, wherever the
 * image is cut, and nothing that breaks a rule for records in
 * Documentation/checkpoint/image-format.rst.
 *
 * Bad records are made by hand in memory and handed over as bytes that the
 * caller has read already; behind them stands an empty file.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "checkpoint.h"
#include "kunit.h"

#define BUF_SIZE	SZ_16K
#define V1_HEADER	384

struct image {
	struct file *file;
	u8 *buf;
	size_t len;
	struct ckpt_in in;
	struct ckpt_log log;
};

static int image_init(struct kunit *test)
{
	struct image *im = kunit_kzalloc(test, sizeof(*im), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, im);
	im->buf = kunit_kzalloc(test, BUF_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, im->buf);
	im->file = shmem_file_setup("image_kunit", 0, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, im->file);
	test->priv = im;
	return 0;
}

static void image_exit(struct kunit *test)
{
	struct image *im = test->priv;

	if (im)
		fput(im->file);
}

static void seal(struct ckpt_hdr *h)
{
	h->crc = 0;
	h->crc = plain_crc32c(h, h->len);
}

/* Add a record of zeros with a right checksum. */
static struct ckpt_hdr *add(struct image *im, u32 type, u32 fixed, u32 var)
{
	struct ckpt_hdr *h = (struct ckpt_hdr *)(im->buf + im->len);

	memset(h, 0, fixed + var);
	h->type = type;
	h->fixed = fixed;
	h->len = fixed + var;
	seal(h);
	im->len += h->len;
	return h;
}

static struct ckpt_hdr *add_tree(struct image *im)
{
	struct ckpt_hdr *h = add(im, CKPT_REC_TREE,
				 sizeof(struct ckpt_rec_tree), 0);

	((struct ckpt_rec_tree *)h)->nr_tasks = 0x12345678;
	((struct ckpt_rec_tree *)h)->root = 0x9abcdef0;
	seal(h);
	return h;
}

static void rewind_to(struct image *im, size_t split)
{
	im->in = (struct ckpt_in) {
		.file = im->file,
		.pos = split,
		.prefix = im->buf,
		.prefix_len = split,
	};
}

static struct ckpt_rec *next(struct image *im)
{
	return ckpt_in_record(&im->in, &im->log);
}

static void expect_rec(struct kunit *test, u32 type)
{
	struct ckpt_rec *rec = next(test->priv);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->type, type);
	ckpt_rec_free(rec);
}

static void expect_err(struct kunit *test, int err)
{
	struct ckpt_rec *rec = next(test->priv);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(rec), err);
	if (!IS_ERR(rec))
		ckpt_rec_free(rec);
}

/* ---- the stream ---------------------------------------------------------- */

/* The bytes that the caller has read may end anywhere. */
static void prefix(struct kunit *test)
{
	struct image *im = test->priv;
	struct ckpt_hdr *tree;
	struct ckpt_rec *rec;
	loff_t pos = 0;
	size_t split;

	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	tree = add_tree(im);
	KUNIT_ASSERT_EQ(test, kernel_write(im->file, im->buf, im->len, &pos),
			im->len);
	for (split = 0; split <= im->len; split++) {
		rewind_to(im, split);
		expect_rec(test, CKPT_REC_HEADER);
		rec = next(im);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rec);
		KUNIT_EXPECT_EQ(test, rec->offset, V1_HEADER);
		KUNIT_EXPECT_MEMEQ(test, rec->h, tree, tree->len);
		ckpt_rec_free(rec);
		KUNIT_EXPECT_EQ(test, im->in.offset, im->len);
		expect_err(test, -EBADMSG);
	}
}

/* Wherever an image ends, what is whole is read, and the rest is an error. */
static void truncated(struct kunit *test)
{
	struct image *im = test->priv;
	size_t len;

	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	add_tree(im);
	for (len = 0; len < im->len; len++) {
		rewind_to(im, len);
		if (len >= V1_HEADER)
			expect_rec(test, CKPT_REC_HEADER);
		expect_err(test, -EBADMSG);
		KUNIT_EXPECT_EQ(test, im->in.records, len >= V1_HEADER);
	}
}

/* Whichever bit of a record is wrong, the record is not taken. */
static void damaged(struct kunit *test)
{
	struct image *im = test->priv;
	unsigned int bit;
	u8 *tree;

	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	tree = (u8 *)add_tree(im);
	for (bit = 0; bit < 8 * sizeof(struct ckpt_rec_tree); bit++) {
		tree[bit / 8] ^= 1 << bit % 8;
		rewind_to(im, im->len);
		expect_rec(test, CKPT_REC_HEADER);
		expect_err(test, -EBADMSG);
		tree[bit / 8] ^= 1 << bit % 8;
	}
	rewind_to(im, im->len);
	expect_rec(test, CKPT_REC_HEADER);
	expect_rec(test, CKPT_REC_TREE);
}

static void first_record(struct kunit *test)
{
	static const u32 types[] = {
		CKPT_REC_TREE, CKPT_REC_PAD, CKPT_REC_TAIL, 0, 99,
		99 | CKPT_REC_MAY_IGNORE, CKPT_REC_HEADER << 24,
	};
	struct image *im = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		im->len = 0;
		add(im, types[i], sizeof(struct ckpt_hdr), 64);
		add(im, CKPT_REC_HEADER, V1_HEADER, 0);
		rewind_to(im, im->len);
		expect_err(test, -ENOEXEC);
	}
	memset(im->buf, 'A', im->len);
	rewind_to(im, im->len);
	expect_err(test, -ENOEXEC);
}

/* ---- rules for the header of a record -------------------------------------- */

static const struct hdr_param {
	const char *desc;
	u32 len;
	u32 fixed;
} hdr_params[] = {
	{ "all zero", 0, 0 },
	{ "len not a multiple of 8", 28, 24 },
	{ "fixed not a multiple of 8", 32, 28 },
	{ "fixed shorter than a header", 24, 8 },
	{ "fixed is 0", 24, 0 },
	{ "shorter than a header", 8, 8 },
	{ "fixed longer than len", 24, 32 },
	{ "too long", CKPT_REC_MAX_LEN + 8, 24 },
	{ "fixed and len too long", CKPT_REC_MAX_LEN + 8, CKPT_REC_MAX_LEN + 8 },
	{ "as long as can be", 0xfffffff8U, 24 },
};

KUNIT_ARRAY_PARAM_DESC(hdr, hdr_params, desc);

static void hdr_rules(struct kunit *test)
{
	const struct hdr_param *param = test->param_value;
	struct image *im = test->priv;
	struct ckpt_hdr *h;

	/* As the first record: this is no image. Later: it is damaged. */
	h = add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	h->len = param->len;
	h->fixed = param->fixed;
	rewind_to(im, im->len);
	expect_err(test, -ENOEXEC);
	KUNIT_EXPECT_EQ(test, im->in.offset, sizeof(*h));

	im->len = 0;
	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	h = add(im, CKPT_REC_TREE, 24, 64);
	h->len = param->len;
	h->fixed = param->fixed;
	h->crc = 0;
	if (param->len <= 64)
		h->crc = plain_crc32c(h, param->len);
	rewind_to(im, im->len);
	expect_rec(test, CKPT_REC_HEADER);
	expect_err(test, -EBADMSG);
	/* Nothing was read on the word of such a header. */
	KUNIT_EXPECT_EQ(test, im->in.offset, V1_HEADER + sizeof(*h));
	KUNIT_EXPECT_EQ(test, im->in.records, 1);
}

/* ---- types of records -------------------------------------------------------- */

#define RES_none(low)	0
#define RES_zero(low)	offsetof(struct ckpt_rec_##low, __reserved)
#define V1(up, low, v1_len, res) {					\
	.desc = #up, .type = CKPT_REC_##up, .v1 = (v1_len),		\
	.now = sizeof(struct ckpt_rec_##low), .reserved = RES_##res(low),	\
}

/* Version 1, for ever: images of it exist. */
static const struct type_param {
	const char *desc;
	u32 type;
	u32 v1;
	u32 now;
	u32 reserved;
} type_params[] = {
	V1(HEADER, header, V1_HEADER, none),
	V1(TREE, tree, 24, none),
	V1(TREE_TASK, tree_task, 40, none),
	V1(META_END, meta_end, 32, zero),
	V1(PAGES, pages, 40, none),
	V1(COW, cow, 24, none),
	V1(POISON, poison, 24, none),
	V1(SOFT_DIRTY, soft_dirty, 24, none),
	V1(INDEX, index, 24, zero),
	V1(TAIL, tail, 80, none),
	V1(NS, ns, 32, zero),
	V1(CRED, cred, 104, none),
	V1(FILE, file, 136, none),
	V1(FILES, files, 24, none),
	V1(FS, fs, 32, none),
	V1(SIGHAND, sighand, 24, none),
	V1(SIGNAL, signal, 160, none),
	V1(MM, mm, 208, zero),
	V1(VMA, vma, 64, none),
	V1(MEMPOLICY, mempolicy, 160, zero),
	V1(TASK, task, 248, none),
	V1(SIGPENDING, sigpending, 32, none),
	V1(RESTART_BLOCK, restart_block, 72, none),
	V1(X86_CPU, x86_cpu, 264, zero),
	V1(X86_XSTATE, x86_xstate, 40, zero),
	V1(X86_FEATURES, x86_features, 32, none),
};

KUNIT_ARRAY_PARAM_DESC(type, type_params, desc);

/* A record with @fixed bytes of fixed part, of which the byte at @at is not 0. */
static void try_type(struct kunit *test, u32 type, u32 fixed, u32 at, int err)
{
	const struct type_param *param = test->param_value;
	struct image *im = test->priv;
	struct ckpt_rec *rec;
	u8 *raw;

	im->len = 0;
	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	raw = (u8 *)add(im, type, fixed, 16);
	memset(raw + sizeof(struct ckpt_hdr), 0x5a,
	       min(fixed, param->v1) - sizeof(struct ckpt_hdr));
	if (param->reserved)
		memset(raw + param->reserved, 0, sizeof(u32));
	if (at)
		raw[at] = 1;
	memset(raw + fixed, 0xa5, 16);
	seal((struct ckpt_hdr *)raw);

	rewind_to(im, im->len);
	expect_rec(test, CKPT_REC_HEADER);
	if (err) {
		expect_err(test, err);
		return;
	}
	rec = next(im);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->type, param->type);
	KUNIT_EXPECT_EQ(test, rec->var_len, 16);
	KUNIT_EXPECT_NULL(test, memchr_inv(rec->var, 0xa5, 16));
	KUNIT_EXPECT_MEMEQ(test, (u8 *)rec->h, raw, param->v1);
	/* What a record of version 1 does not have is zero. */
	KUNIT_EXPECT_NULL(test, memchr_inv((u8 *)rec->h + param->v1, 0,
					   param->now - param->v1));
	ckpt_rec_free(rec);
	KUNIT_EXPECT_EQ(test, im->in.offset, im->len);
}

static void type_rules(struct kunit *test)
{
	const struct type_param *param = test->param_value;

	KUNIT_EXPECT_STREQ(test, ckpt_rec_name(param->type), param->desc);
	try_type(test, param->type, param->v1, 0, 0);
	try_type(test, param->type | CKPT_REC_MAY_IGNORE, param->v1, 0, 0);
	try_type(test, param->type, param->v1 - 8, 0, -EINVAL);
	/* Longer: of a newer kernel, which may not mean anything by it. */
	try_type(test, param->type, param->now + 8, 0, 0);
	try_type(test, param->type, param->now + 256, 0, 0);
	try_type(test, param->type, param->now + 8, param->now,
		 -EPROTONOSUPPORT);
	try_type(test, param->type, param->now + 256, param->now + 255,
		 -EPROTONOSUPPORT);
	if (param->reserved) {
		try_type(test, param->type, param->v1, param->reserved,
			 -EPROTONOSUPPORT);
		try_type(test, param->type, param->v1, param->reserved + 3,
			 -EPROTONOSUPPORT);
	}
}

static void unknown_types(struct kunit *test)
{
	static const u32 types[] = { 0, 9, 15, 59, 67, 100, 0x7fffffff };
	struct image *im = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		im->len = 0;
		add(im, CKPT_REC_HEADER, V1_HEADER, 0);
		add(im, types[i] | CKPT_REC_MAY_IGNORE, 24, 8);
		add(im, types[i], 24, 8);
		add_tree(im);
		rewind_to(im, im->len);
		expect_rec(test, CKPT_REC_HEADER);
		expect_err(test, -EPROTONOSUPPORT);
		/* Skipped, but whole: it is one of the records of the image. */
		KUNIT_EXPECT_EQ(test, im->in.records, 3);
		KUNIT_EXPECT_STREQ(test, ckpt_rec_name(types[i]), "unknown");
	}
	/* What is ignored must still be undamaged. */
	im->len = 0;
	add(im, CKPT_REC_HEADER, V1_HEADER, 0);
	add(im, 99 | CKPT_REC_MAY_IGNORE, 24, 8)->crc ^= 1;
	add_tree(im);
	rewind_to(im, im->len);
	expect_rec(test, CKPT_REC_HEADER);
	expect_err(test, -EBADMSG);
}

static void padding(struct kunit *test)
{
	static const u32 types[] = {
		CKPT_REC_PAD, CKPT_REC_PAD | CKPT_REC_MAY_IGNORE,
	};
	struct image *im = test->priv;
	unsigned int i;
	u8 *pad;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		im->len = 0;
		add(im, CKPT_REC_HEADER, V1_HEADER, 0);
		add(im, types[i], sizeof(struct ckpt_hdr), 0);
		add(im, types[i], sizeof(struct ckpt_hdr), 800);
		add(im, types[i], 64, 64);
		add_tree(im);
		pad = (u8 *)add(im, types[i], sizeof(struct ckpt_hdr), 800);
		pad[815] = 1;
		seal((struct ckpt_hdr *)pad);
		rewind_to(im, im->len);
		expect_rec(test, CKPT_REC_HEADER);
		expect_rec(test, CKPT_REC_TREE);
		KUNIT_EXPECT_EQ(test, im->in.records, 5);
		expect_err(test, -EINVAL);
	}
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(prefix),
	KUNIT_CASE(truncated),
	KUNIT_CASE(damaged),
	KUNIT_CASE(first_record),
	KUNIT_CASE_PARAM(hdr_rules, hdr_gen_params),
	KUNIT_CASE_PARAM(type_rules, type_gen_params),
	KUNIT_CASE(unknown_types),
	KUNIT_CASE(padding),
	{ }
};

static struct kunit_suite image_suite = {
	.name = "checkpoint_image",
	.init = image_init,
	.exit = image_exit,
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);
