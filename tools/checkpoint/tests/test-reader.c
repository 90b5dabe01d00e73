// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the image reader, to be built with AddressSanitizer: images that are
 * good, cut short, damaged, and well sealed but hostile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder.h"
#include "internal.h"

static int failures;
static int tests;

#define CHECK(cond, fmt, ...)						\
	do {								\
		if (!(cond)) {						\
			printf("# %s:%d: " fmt "\n", __FILE__, __LINE__, \
			       ##__VA_ARGS__);				\
			failures++;					\
		}							\
	} while (0)

static const struct recipe plain = {
	.ids = { .pid = 4711, .tgid = 4711, .pgid = 4711, .sid = 100 },
	.nr_tasks = 2,
	.monotonic_ns = 5,
	.chunks = 3,
};

static char why[512];
static __u64 records_read;

/* errno of reading everything, 0 if all is well. */
static int read_fd(int fd, unsigned int flags)
{
	struct ckpt_image *img = ckpt_image_open(fd, flags);
	struct ckpt_record rec;
	int ret, err;

	if (!img)
		return errno;
	records_read = 0;
	while ((ret = ckpt_image_next(img, &rec)) > 0)
		records_read++;
	err = ret ? errno : 0;
	snprintf(why, sizeof(why), "%s", ckpt_image_error(img));
	ckpt_image_close(img);
	return err;
}

static int read_file(const void *buf, size_t len, unsigned int flags)
{
	static int fd = -1;

	/* The image does not have to start where the file does. */
	if (fd < 0)
		fd = memfd_create("image", 0);
	if (ftruncate(fd, 0) || pwrite(fd, "abc", 3, 0) != 3 ||
	    pwrite(fd, buf, len, 3) != (ssize_t)len || lseek(fd, 3, SEEK_SET) != 3)
		abort();
	return read_fd(fd, flags);
}

/* Feed @buf to the reading end of a pipe, by a child. */
static int feed(const void *buf, size_t len, pid_t *pid)
{
	int p[2];

	if (pipe(p))
		abort();
	fflush(stdout);
	*pid = fork();
	if (!*pid) {
		const char *at = buf;

		close(p[0]);
		while (len) {
			/* In pieces that fit nothing. */
			ssize_t n = write(p[1], at, len < 777 ? len : 777);

			if (n < 0)
				break;
			at += n;
			len -= n;
		}
		_exit(0);
	}
	close(p[1]);
	return p[0];
}

static int read_pipe(const void *buf, size_t len, unsigned int flags)
{
	pid_t pid;
	int fd = feed(buf, len, &pid);
	int ret = read_fd(fd, flags);

	close(fd);
	waitpid(pid, NULL, 0);
	return ret;
}

static void test_crc(void)
{
	unsigned char buf[1021];
	size_t i, cut;

	CHECK(ckpt_crc32c(0, "123456789", 9) == 0xe3069283, "check value");
	CHECK(ckpt_crc32c(0, "", 0) == 0, "empty");
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i * 31 + 7;
	for (cut = 0; cut < sizeof(buf); cut++) {
		__u32 one = ckpt_crc32c(0, buf, sizeof(buf));
		__u32 two = ckpt_crc32c(0, buf, cut);

		two = ckpt_crc32c(two, buf + cut, sizeof(buf) - cut);
		CHECK(one == two, "in two pieces, %zu", cut);
		CHECK(ckpt_crc32c(0, buf, cut) == ~crc32c_table(~0U, buf, cut),
		      "table, %zu bytes", cut);
	}
}

static void test_good(void)
{
	struct builder b;

	image_build(&b, &plain);
	CHECK(!read_file(b.buf, b.len, CKPT_OPEN_VERIFY), "file: %s", why);
	CHECK(records_read == b.nr, "%llu records of %zu", records_read, b.nr);
	CHECK(!read_file(b.buf, b.len, 0), "file, no payload: %s", why);
	CHECK(!read_pipe(b.buf, b.len, CKPT_OPEN_VERIFY), "pipe: %s", why);
	CHECK(!read_pipe(b.buf, b.len, CKPT_OPEN_EXACT), "exact: %s", why);
	builder_free(&b);
}

static void test_truncated(void)
{
	struct builder b;
	size_t i, len;

	image_build(&b, &plain);
	for (i = 0; i < b.nr; i++) {
		for (len = b.start[i]; len < b.start[i] + 17; len++)
			CHECK(read_file(b.buf, len, 0) == EBADMSG,
			      "cut to %zu bytes: %s", len, why);
		CHECK(read_pipe(b.buf, b.start[i], CKPT_OPEN_VERIFY) == EBADMSG,
		      "pipe cut to %zu bytes: %s", b.start[i], why);
	}
	for (len = 0; len < b.len; len += 61)
		CHECK(read_file(b.buf, len, CKPT_OPEN_VERIFY) == EBADMSG,
		      "cut to %zu bytes: %s", len, why);
	CHECK(read_file(b.buf, b.len - 1, CKPT_OPEN_VERIFY) == EBADMSG, "-1");
	builder_free(&b);
}

/* Every byte of an image counts, that of gaps and padding too. */
static void test_flips(void)
{
	struct builder b;
	size_t i;

	image_build(&b, &plain);
	for (i = 0; i < b.len; i++) {
		unsigned char bit = 1 << (i * 5 % 8);

		b.buf[i] ^= bit;
		CHECK(read_file(b.buf, b.len, CKPT_OPEN_VERIFY),
		      "bit %#x of byte %zu", bit, i);
		b.buf[i] ^= bit;
	}
	CHECK(!read_file(b.buf, b.len, CKPT_OPEN_VERIFY), "whole again");
	builder_free(&b);
}

/*
 * An attacker seals what he wrote. Whatever it means, the reader comes to an
 * end, inside its memory.
 */
static void test_hostile(void)
{
	static const __u32 values[] = {
		0, 1, 7, 8, 0x10, 0xfff, 0x7fffffff, 0x80000000, 0xfffffff8,
		0xffffffff,
	};
	struct builder b;
	size_t i, k, at;

	image_build(&b, &plain);
	for (i = 0; i < b.nr; i++) {
		unsigned char *rec = b.buf + b.start[i];
		struct ckpt_hdr h;

		memcpy(&h, rec, sizeof(h));
		for (at = 0; at < h.fixed + 16 && at < h.len; at += 4) {
			__u32 old;

			memcpy(&old, rec + at, 4);
			for (k = 0; k < ARRAY_SIZE(values); k++) {
				memcpy(rec + at, &values[k], 4);
				/* A wrong length has its own checks. */
				if (at != offsetof(struct ckpt_hdr, len))
					record_seal(rec);
				read_file(b.buf, b.len, CKPT_OPEN_VERIFY);
			}
			memcpy(rec + at, &old, 4);
			record_seal(rec);
		}
	}
	CHECK(!read_file(b.buf, b.len, CKPT_OPEN_VERIFY), "whole again: %s", why);
	builder_free(&b);
}

static void test_random(void)
{
	struct builder b;
	unsigned int n, k;

	srandom(1);
	image_build(&b, &plain);
	for (n = 0; n < 3000; n++) {
		unsigned char *copy = malloc(b.len);

		memcpy(copy, b.buf, b.len);
		for (k = random() % 4 + 1; k; k--) {
			size_t i = random() % b.nr;
			unsigned char *rec = copy + b.start[i];
			struct ckpt_hdr h;

			memcpy(&h, rec, sizeof(h));
			rec[16 + random() % (h.len - 15) - 1] = random();
			memcpy(rec, &h, sizeof(h));
			record_seal(rec);
		}
		read_file(copy, b.len, CKPT_OPEN_VERIFY);
		free(copy);
	}
	builder_free(&b);
}

/* Copy records of @src, with one of them changed by @fn. */
static int read_changed(size_t which,
			void (*fn)(struct builder *dst, const unsigned char *rec))
{
	struct builder src, dst = { 0 };
	size_t i;
	int ret;

	image_build(&src, &plain);
	for (i = 0; i < src.nr; i++) {
		const unsigned char *rec = src.buf + src.start[i];
		struct ckpt_hdr h;

		memcpy(&h, rec, sizeof(h));
		if (h.type >= CKPT_REC_META_END && h.type <= CKPT_REC_TAIL)
			break;
		if (i == which)
			fn(&dst, rec);
		else
			builder_add(&dst, h.type, rec, h.fixed, rec + h.fixed,
				    h.len - h.fixed);
	}
	{
		struct ckpt_rec_meta_end end = {
			.nr_records = dst.nr,
			.nr_objects = 12,
		};

		dst.meta_offset = dst.len;
		builder_add(&dst, CKPT_REC_META_END, &end, sizeof(end), NULL, 0);
	}
	builder_pages(&dst, 10, 0x402, 2);
	builder_index(&dst);
	builder_tail(&dst);
	ret = read_file(dst.buf, dst.len, CKPT_OPEN_VERIFY);
	builder_free(&src);
	builder_free(&dst);
	return ret;
}

static void add_with_fixed(struct builder *dst, const unsigned char *rec,
			   size_t fixed, unsigned char junk)
{
	unsigned char buf[REC_FIXED_MAX + 64] = { 0 };
	struct ckpt_hdr h;

	memcpy(&h, rec, sizeof(h));
	memcpy(buf, rec, h.fixed < fixed ? h.fixed : fixed);
	if (junk)
		buf[fixed - 1] = junk;
	builder_add(dst, h.type, buf, fixed, rec + h.fixed, h.len - h.fixed);
}

static __u32 fixed_of(const unsigned char *rec)
{
	struct ckpt_hdr h;

	memcpy(&h, rec, sizeof(h));
	return h.fixed;
}

static void same(struct builder *dst, const unsigned char *rec)
{
	add_with_fixed(dst, rec, fixed_of(rec), 0);
}

static void longer(struct builder *dst, const unsigned char *rec)
{
	add_with_fixed(dst, rec, fixed_of(rec) + 16, 0);
}

static void longer_with_junk(struct builder *dst, const unsigned char *rec)
{
	add_with_fixed(dst, rec, fixed_of(rec) + 16, 1);
}

static void too_short(struct builder *dst, const unsigned char *rec)
{
	add_with_fixed(dst, rec, fixed_of(rec) - 8, 0);
}

static void twice(struct builder *dst, const unsigned char *rec)
{
	same(dst, rec);
	same(dst, rec);
}

static void left_out(struct builder *dst, const unsigned char *rec)
{
	(void)dst;
	(void)rec;
}

static void with_ignorable(struct builder *dst, const unsigned char *rec)
{
	struct ckpt_hdr h;

	same(dst, rec);
	builder_add(dst, 0x1234 | CKPT_REC_MAY_IGNORE, &h, sizeof(h), "what?", 5);
}

static void with_unknown(struct builder *dst, const unsigned char *rec)
{
	struct ckpt_hdr h;

	same(dst, rec);
	builder_add(dst, 0x1234, &h, sizeof(h), "what?", 5);
}

static void test_rules(void)
{
	struct builder b;
	size_t i, nr;

	image_build(&b, &plain);
	for (nr = 0; b.start[nr] != b.meta_offset; nr++)
		;
	for (i = 0; i < nr; i++) {
		const struct ckpt_hdr *h = (void *)(b.buf + b.start[i]);
		const char *name = ckpt_rec_name(h->type);
		int ret;

		CHECK(!read_changed(i, same), "%s: %s", name, why);
		CHECK(!read_changed(i, longer), "%s longer: %s", name, why);
		CHECK(read_changed(i, longer_with_junk) == EPROTONOSUPPORT,
		      "%s with a field that is not known: %s", name, why);
		CHECK(!read_changed(i, with_ignorable), "%s: %s", name, why);
		CHECK(read_changed(i, with_unknown) == EPROTONOSUPPORT,
		      "%s: %s", name, why);
		/* One that has grown since the first version may be short. */
		if (h->fixed > sizeof(*h) && h->type != CKPT_REC_FILE &&
		    h->type != CKPT_REC_TREE_TASK && h->type != CKPT_REC_MM &&
		    h->type != CKPT_REC_TASK && h->type != CKPT_REC_VMA)
			CHECK(read_changed(i, too_short) == EINVAL,
			      "short %s: %s", name, why);
		ret = read_changed(i, twice);
		if (h->type < CKPT_REC_SIGPENDING && h->type != CKPT_REC_NS)
			CHECK(ret == EINVAL, "two %s: %s", name, why);
		ret = read_changed(i, left_out);
		if (h->type == CKPT_REC_HEADER)
			CHECK(ret == ENOEXEC, "no %s: %s", name, why);
		else if (h->type < CKPT_REC_SIGPENDING)
			CHECK(ret == EINVAL, "no %s: %s", name, why);
	}
	builder_free(&b);
}

/* Changes behind the metadata. */
static void test_end(void)
{
	struct builder b;
	struct ckpt_rec_tail *tail;
	struct ckpt_rec_index *index;
	struct ckpt_index_entry *entry;
	unsigned char *end;

	image_build(&b, &plain);
	end = b.buf + b.start[b.nr - 1];
	tail = (struct ckpt_rec_tail *)end;
	index = (struct ckpt_rec_index *)(b.buf + b.start[b.nr - 2]);
	entry = (struct ckpt_index_entry *)(index + 1);

#define TRY(change, undo, rec, what)					\
	do {								\
		change;							\
		record_seal((unsigned char *)(rec));			\
		CHECK(read_file(b.buf, b.len, CKPT_OPEN_VERIFY) == EINVAL, \
		      what ": %s", why);				\
		undo;							\
		record_seal((unsigned char *)(rec));			\
	} while (0)

	TRY(tail->nr_records++, tail->nr_records--, tail, "records");
	TRY(tail->nr_pages--, tail->nr_pages++, tail, "pages");
	TRY(tail->meta_offset += 8, tail->meta_offset -= 8, tail, "meta");
	TRY(tail->index_offset += 8, tail->index_offset -= 8, tail, "index");
	TRY(tail->image_len += 8, tail->image_len -= 8, tail, "length");
	TRY(tail->uuid[3]++, tail->uuid[3]--, tail, "uuid");
	TRY(tail->magic[0]++, tail->magic[0]--, tail, "magic");
	TRY(entry[1].offset += 8, entry[1].offset -= 8, index, "entry");
	TRY(entry[1].start++, entry[1].start--, index, "first page");
	TRY(entry[1].objref++, entry[1].objref--, index, "object");
#undef TRY
	CHECK(!read_file(b.buf, b.len, CKPT_OPEN_VERIFY), "whole again: %s", why);

	b.buf = realloc(b.buf, b.len + 1);
	b.buf[b.len] = 0;
	CHECK(read_file(b.buf, b.len + 1, CKPT_OPEN_VERIFY) == EINVAL,
	      "a byte behind the tail");
	CHECK(!read_file(b.buf, b.len + 1, 0), "the same, not verified");
	builder_free(&b);
}

static void test_not_an_image(void)
{
	char text[] = "#!/bin/sh\necho this is something else entirely\n";

	CHECK(read_file(text, sizeof(text), 0) == ENOEXEC, "text: %s", why);
	CHECK(read_file("", 0, 0) == EBADMSG, "empty: %s", why);
	CHECK(read_fd(-1, 0) == EBADF, "no descriptor");
}

/* The tree is read to the byte, and what was read is kept. */
static void test_tree(void)
{
	struct ckpt_tree *tree;
	struct builder b;
	size_t want, left = 0;
	char err[512] = "", rest[4096];
	ssize_t n;
	pid_t pid;
	int fd;

	image_build(&b, &plain);
	want = b.start[5];	/* header, features, tree, two tasks */
	fd = feed(b.buf, b.len, &pid);
	tree = ckpt_tree_read(fd, err, sizeof(err));
	CHECK(tree, "%s", err);
	if (tree) {
		CHECK(tree->nr_tasks == 2 && tree->root == 0, "tasks");
		CHECK(tree->tasks[0].ids[0].pid == 4711, "pid");
		CHECK(tree->tasks[1].ids[0].pid == 4712, "pid of the child");
		CHECK(tree->tasks[1].rec.parent == 0, "parent");
		CHECK(tree->header.monotonic_ns == 5, "header");
		CHECK(!tree->seekable, "a pipe is no file");
		CHECK(tree->prefix_len == want, "%zu bytes kept of %zu",
		      tree->prefix_len, want);
		CHECK(!memcmp(tree->prefix, b.buf, want), "prefix");
	}
	while ((n = read(fd, rest, sizeof(rest))) > 0)
		left += n;
	CHECK(left == b.len - want, "%zu bytes left in the pipe", left);
	close(fd);
	waitpid(pid, NULL, 0);
	ckpt_tree_free(tree);

	fd = memfd_create("image", 0);
	if (write(fd, b.buf, want) != (ssize_t)want)
		abort();
	lseek(fd, 0, SEEK_SET);
	tree = ckpt_tree_read(fd, err, sizeof(err));
	CHECK(tree && tree->seekable && !tree->prefix_len, "file: %s", err);
	CHECK(lseek(fd, 0, SEEK_CUR) == 0, "the position of a file stays");
	ckpt_tree_free(tree);
	CHECK(!ftruncate(fd, want - 8), "ftruncate");
	tree = ckpt_tree_read(fd, err, sizeof(err));
	CHECK(!tree && errno == EBADMSG && *err, "cut short: %s", err);
	ckpt_tree_free(tree);
	close(fd);
	builder_free(&b);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} all[] = {
		{ "checksum", test_crc },
		{ "good images", test_good },
		{ "cut short", test_truncated },
		{ "one bit wrong", test_flips },
		{ "hostile values", test_hostile },
		{ "random changes", test_random },
		{ "rules of the format", test_rules },
		{ "index and tail", test_end },
		{ "no image at all", test_not_an_image },
		{ "reading the tree", test_tree },
	};
	int bad = 0;

	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(all));
	for (; (size_t)tests < ARRAY_SIZE(all); tests++) {
		failures = 0;
		all[tests].fn();
		printf("%sok %d %s\n", failures ? "not " : "", tests + 1,
		       all[tests].name);
		bad += !!failures;
	}
	return !!bad;
}
