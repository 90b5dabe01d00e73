/* SPDX-License-Identifier: LGPL-2.1 */
/* What the files of the library share. */
#ifndef _LIBCHECKPOINT_INTERNAL_H
#define _LIBCHECKPOINT_INTERNAL_H

#include <stdarg.h>

#include "checkpoint.h"
#include "compiler.h"

/* @n rounded up to a multiple of @to, a power of two. */
static inline __u64 align_up(__u64 n, __u64 to)
{
	return (n + to - 1) & ~(to - 1);
}

__u32 crc32c_table(__u32 crc, const unsigned char *p, size_t len);

/**
 * struct rec_type - what is known about a type of record
 * @type: enum ckpt_rec_type
 * @name: name without CKPT_REC_
 * @min: least length of the fixed part
 * @size: its length as this library knows it
 * @count: offset of the __u32 that counts what follows, 0: nothing follows
 * @elem: size of what is counted
 * @objref: offset of the objref that the record defines, 0: none
 */
struct rec_type {
	__u32 type;
	const char *name;
	__u32 min;
	__u32 size;
	__u32 count;
	__u32 elem;
	__u32 objref;
};

/* No struct of a record is larger. */
#define REC_FIXED_MAX	512

const struct rec_type *rec_type_find(__u32 type);

/**
 * struct source - where the bytes come from
 * @fd: descriptor
 * @seekable: read at positions
 * @exact: do not read ahead
 * @base: position of the image in @fd
 * @size: size of the file, -1 if it has none
 * @pos: bytes consumed
 * @buf: read ahead
 * @start: first byte in @buf that is not consumed
 * @end: first byte behind what is in @buf
 */
struct source {
	int fd;
	bool seekable;
	bool exact;
	off_t base;
	off_t size;
	__u64 pos;
	unsigned char *buf;
	size_t start;
	size_t end;
};

int source_open(struct source *src, int fd, bool exact);
void source_close(struct source *src);
ssize_t source_read(struct source *src, void *dst, size_t len);
ssize_t source_skip(struct source *src, __u64 len);

/* The objects seen so far: objref to type of record, open addressing. */
struct objmap {
	struct objmap_slot {
		__u32 objref;
		__u32 type;
	} *slot;
	size_t size;
	size_t used;
	__u32 highest;
};

int objmap_add(struct objmap *map, __u32 objref, __u32 type);
__u32 objmap_find(const struct objmap *map, __u32 objref);

/* Where in the order of records the reader is. */
enum stage {
	STAGE_START,
	STAGE_HEADER,
	STAGE_TREE,
	STAGE_META,
	STAGE_PAYLOAD,
	STAGE_INDEX,
	STAGE_TAIL,
};

/* A PAGES record that was seen, for the index. */
struct pages_seen {
	__u64 offset;
	__u64 start;
	__u32 objref;
	bool indexed;
};

/* What the records so far say about those to come. */
struct structure {
	enum stage stage;
	struct ckpt_rec_header header;
	__u32 nr_tasks;
	__u32 tasks_seen;
	__u32 task_recs;
	__u32 mm;
	__u32 vmas_left;
	__u64 vma_end;
	__u64 meta_offset;
	__u64 index_offset;
	__u64 nr_pages;
	struct pages_seen *pages;
	size_t nr_pages_recs;
	size_t pages_alloc;
	size_t indexed;
	__u32 follows;
	struct objmap objects;
};

int structure_check(struct ckpt_image *img, const struct ckpt_record *rec);
int refs_check(struct ckpt_image *img, const struct ckpt_record *rec);
void structure_free(struct structure *st);

struct ckpt_image {
	struct source src;
	unsigned int flags;
	bool keep_overflow;
	unsigned char *kept;
	size_t kept_len;
	size_t kept_alloc;
	struct structure st;
	struct ckpt_record rec;
	unsigned char *raw;
	size_t raw_alloc;
	unsigned char fixed[REC_FIXED_MAX] __aligned(8);
	unsigned char *payload;
	bool payload_done;
	__u64 next_number;
	int err;
	char text[512];
};

__printf(3, 4)
int image_fail(struct ckpt_image *img, int err, const char *fmt, ...);

#endif /* _LIBCHECKPOINT_INTERNAL_H */
