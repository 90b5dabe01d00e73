// SPDX-License-Identifier: LGPL-2.1
/*
 * Reader of an image, record by record.
 *
 * The image may come from anybody: a length is compared with its bounds before
 * anything is read or allocated by it, and a record is handed out only after
 * its checksum was right and its place allowed.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "images are little endian and so is, at present, this reader"
#endif

/* Note the first error, with the record it is in. Returns -1 with errno. */
int image_fail(struct ckpt_image *img, int err, const char *fmt, ...)
{
	const char *name = ckpt_rec_name(img->rec.type);
	char type[32];
	va_list ap;
	int n;

	if (!img->err) {
		if (!name) {
			snprintf(type, sizeof(type), "type %u", img->rec.type);
			name = img->rec.len ? type : "no type yet";
		}
		n = snprintf(img->text, sizeof(img->text),
			     "record %llu (%s) at offset %llu: ",
			     img->rec.number, name,
			     img->rec.offset);
		va_start(ap, fmt);
		vsnprintf(img->text + n, sizeof(img->text) - n, fmt, ap);
		va_end(ap);
		img->err = err;
	}
	errno = img->err;
	return -1;
}

static int keep(struct ckpt_image *img, const void *buf, size_t len)
{
	unsigned char *kept;

	if (!(img->flags & CKPT_OPEN_KEEP) || img->src.seekable ||
	    img->keep_overflow)
		return 0;
	if (len > CKPT_PREFIX_MAX - img->kept_len) {
		img->keep_overflow = true;
		return 0;
	}
	if (img->kept_len + len > img->kept_alloc) {
		size_t alloc = align_up(img->kept_len + len, 65536);

		kept = realloc(img->kept, alloc);
		if (!kept)
			return image_fail(img, ENOMEM, "out of memory");
		img->kept = kept;
		img->kept_alloc = alloc;
	}
	memcpy(img->kept + img->kept_len, buf, len);
	img->kept_len += len;
	return 0;
}

/* Read exactly @len bytes, of which the caller says @what they are. */
static int read_exactly(struct ckpt_image *img, void *buf, size_t len,
			const char *what)
{
	ssize_t n = source_read(&img->src, buf, len);

	if (n < 0)
		return image_fail(img, errno, "cannot read: %s",
				  strerror(errno));
	if ((size_t)n < len)
		return image_fail(img, EBADMSG,
				  "the image is cut short at offset %llu, in %s",
				  img->src.pos, what);
	return keep(img, buf, len);
}

static bool all_zero(const unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static int check_hdr(struct ckpt_image *img, const struct ckpt_hdr *h)
{
	/* The first thing said about a file that is no image. */
	if (!img->rec.number && h->type != CKPT_REC_HEADER)
		return image_fail(img, ENOEXEC, "this is not a checkpoint image");
	if (h->len < sizeof(*h) || h->len % 8 || h->len > CKPT_REC_MAX_LEN)
		return image_fail(img, EINVAL, "impossible length %u", h->len);
	if (h->fixed < sizeof(*h) || h->fixed % 8 || h->fixed > h->len)
		return image_fail(img, EINVAL,
				  "impossible length %u of the fixed part (record %u)",
				  h->fixed, h->len);
	return 0;
}

static int grow_raw(struct ckpt_image *img, size_t len)
{
	if (len <= img->raw_alloc)
		return 0;
	free(img->raw);
	img->raw_alloc = 0;
	img->raw = malloc(len);
	if (!img->raw)
		return image_fail(img, ENOMEM, "out of memory");
	img->raw_alloc = len;
	return 0;
}

static int check_crc(struct ckpt_image *img)
{
	struct ckpt_hdr *h = (struct ckpt_hdr *)img->raw;
	__u32 crc = h->crc;
	__u32 sum;

	h->crc = 0;
	sum = ckpt_crc32c(0, img->raw, h->len);
	h->crc = crc;
	if (sum != crc)
		return image_fail(img, EBADMSG,
				  "wrong checksum %08x, the record says %08x",
				  sum, crc);
	return 0;
}

/* Bring the fixed part to the length that is known here. */
static int take_fixed(struct ckpt_image *img, const struct rec_type *t)
{
	const struct ckpt_hdr *h = (const struct ckpt_hdr *)img->raw;

	if (h->fixed < t->min)
		return image_fail(img, EINVAL,
				  "fixed part of %u bytes, at least %u are needed",
				  h->fixed, t->min);
	memset(img->fixed, 0, t->size);
	memcpy(img->fixed, img->raw, h->fixed < t->size ? h->fixed : t->size);
	if (h->fixed > t->size &&
	    !all_zero(img->raw + t->size, h->fixed - t->size))
		return image_fail(img, EPROTONOSUPPORT,
				  "it has fields that this version does not know");
	img->rec.fixed = img->fixed;
	return 0;
}

/* What follows the fixed part must be what its count says, and zeros to 8. */
static int take_data(struct ckpt_image *img, const struct rec_type *t)
{
	const struct ckpt_hdr *h = (const struct ckpt_hdr *)img->raw;
	size_t room = h->len - h->fixed;
	__u64 len = 0;
	__u32 count;

	if (t->type == CKPT_REC_PAD) {
		if (!all_zero(img->raw + h->fixed, room))
			return image_fail(img, EINVAL, "padding is not zero");
		return 0;
	}
	if (t->count) {
		memcpy(&count, img->fixed + t->count, sizeof(count));
		len = (__u64)count * t->elem;
	}
	if (align_up(len, 8) != room)
		return image_fail(img, EINVAL,
				  "%zu bytes follow the fixed part, %llu should",
				  room, len);
	if (!all_zero(img->raw + h->fixed + len, room - len))
		return image_fail(img, EINVAL, "padding is not zero");
	img->rec.data = img->raw + h->fixed;
	img->rec.data_len = len;
	return 0;
}

/* A PAGES record: where its payload is. */
static int take_payload(struct ckpt_image *img)
{
	const struct ckpt_rec_pages *rec = img->rec.fixed;
	__u64 page = 1ULL << img->st.header.page_shift;

	if (!rec->data_len || rec->data_len > CKPT_PAGES_MAX_BYTES ||
	    rec->data_len % page)
		return image_fail(img, EINVAL, "impossible payload of %llu bytes",
				  rec->data_len);
	img->rec.payload_offset = align_up(img->src.pos, page);
	img->rec.payload_len = rec->data_len;
	img->payload_done = false;
	return 0;
}

static int take_record(struct ckpt_image *img)
{
	const struct ckpt_hdr *h = (const struct ckpt_hdr *)img->raw;
	const struct rec_type *t = rec_type_find(img->rec.type);

	if (!t) {
		if (h->type & CKPT_REC_MAY_IGNORE)
			return structure_check(img, &img->rec);
		return image_fail(img, EPROTONOSUPPORT,
				  "unknown type of record, a newer version is needed");
	}
	img->rec.known = true;
	if (take_fixed(img, t) || take_data(img, t))
		return -1;
	if (t->type == CKPT_REC_PAGES && img->st.stage != STAGE_START &&
	    take_payload(img))
		return -1;
	if (structure_check(img, &img->rec))
		return -1;
	return refs_check(img, &img->rec);
}

static int check_end(struct ckpt_image *img)
{
	unsigned char byte;
	ssize_t n;

	if (!(img->flags & CKPT_OPEN_VERIFY))
		return 0;
	n = source_read(&img->src, &byte, 1);
	if (n < 0)
		return image_fail(img, errno, "cannot read: %s",
				  strerror(errno));
	if (n)
		return image_fail(img, EINVAL,
				  "something stands behind the tail, at offset %llu",
				  img->src.pos - n);
	return 0;
}

/* Leave the payload of the last record behind. */
static int pass_payload(struct ckpt_image *img)
{
	__u64 end = img->rec.payload_offset + img->rec.payload_len;
	ssize_t n;

	if (!img->rec.payload_len || img->payload_done)
		return 0;
	if (img->flags & CKPT_OPEN_VERIFY)
		return ckpt_image_payload(img) ? 0 : -1;
	n = source_skip(&img->src, end - img->src.pos);
	if (n < 0)
		return image_fail(img, errno, "cannot read: %s",
				  strerror(errno));
	if (!n)
		return image_fail(img, EBADMSG,
				  "the image is cut short, in the payload");
	return 0;
}

int ckpt_image_next(struct ckpt_image *img, struct ckpt_record *rec)
{
	struct ckpt_hdr h;

	if (img->err)
		return image_fail(img, img->err, " ");
	if (pass_payload(img))
		return -1;
	if (img->st.stage == STAGE_TAIL)
		return check_end(img);

	img->rec = (struct ckpt_record){
		.offset = img->src.pos,
		.number = img->next_number++,
	};
	if (read_exactly(img, &h, sizeof(h), "the start of a record"))
		return -1;
	img->rec.type = h.type & ~CKPT_REC_MAY_IGNORE;
	img->rec.len = h.len;
	if (check_hdr(img, &h) || grow_raw(img, h.len))
		return -1;
	memcpy(img->raw, &h, sizeof(h));
	if (read_exactly(img, img->raw + sizeof(h), h.len - sizeof(h),
			 "this record"))
		return -1;
	if (check_crc(img) || take_record(img))
		return -1;
	*rec = img->rec;
	return 1;
}

const void *ckpt_image_payload(struct ckpt_image *img)
{
	const struct ckpt_rec_pages *rec = img->rec.fixed;
	unsigned char *gap;
	size_t gap_len;
	__u32 crc;

	if (img->err || !img->rec.payload_len || img->payload_done) {
		if (!img->err)
			errno = EINVAL;
		else
			errno = img->err;
		return NULL;
	}
	if (!img->payload)
		img->payload = malloc(CKPT_PAGES_MAX_BYTES);
	if (!img->payload) {
		image_fail(img, ENOMEM, "out of memory");
		return NULL;
	}
	gap = img->payload;
	gap_len = img->rec.payload_offset - img->src.pos;
	if (read_exactly(img, gap, gap_len, "the gap before the payload"))
		return NULL;
	if (!all_zero(gap, gap_len)) {
		image_fail(img, EINVAL, "the gap before the payload is not zero");
		return NULL;
	}
	if (read_exactly(img, img->payload, img->rec.payload_len, "the payload"))
		return NULL;
	crc = ckpt_crc32c(0, img->payload, img->rec.payload_len);
	if (crc != rec->data_crc) {
		image_fail(img, EBADMSG,
			   "wrong checksum %08x of the payload, the record says %08x",
			   crc, rec->data_crc);
		return NULL;
	}
	img->payload_done = true;
	return img->payload;
}

struct ckpt_image *ckpt_image_open(int fd, unsigned int flags)
{
	struct ckpt_image *img = calloc(1, sizeof(*img));

	if (!img)
		return NULL;
	img->flags = flags;
	if (source_open(&img->src, fd, flags & CKPT_OPEN_EXACT)) {
		int err = errno;

		free(img);
		errno = err;
		return NULL;
	}
	return img;
}

void ckpt_image_close(struct ckpt_image *img)
{
	if (!img)
		return;
	source_close(&img->src);
	structure_free(&img->st);
	free(img->payload);
	free(img->kept);
	free(img->raw);
	free(img);
}

const char *ckpt_image_error(const struct ckpt_image *img)
{
	return img->text;
}

__u64 ckpt_image_consumed(const struct ckpt_image *img)
{
	return img->src.pos;
}

bool ckpt_image_seekable(const struct ckpt_image *img)
{
	return img->src.seekable;
}

const void *ckpt_image_kept(const struct ckpt_image *img, size_t *len)
{
	*len = img->kept_len;
	return img->keep_overflow ? NULL : img->kept;
}
