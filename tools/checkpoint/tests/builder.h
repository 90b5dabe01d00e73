/* SPDX-License-Identifier: GPL-2.0 */
/* Make images, good ones and others. */
#ifndef _CKPT_TESTS_BUILDER_H
#define _CKPT_TESTS_BUILDER_H

#include "checkpoint.h"

#define BUILDER_MAX_RECORDS	256
#define BUILDER_PAGE_SHIFT	12

/**
 * struct builder - an image in memory
 * @buf: its bytes
 * @len: their number
 * @alloc: room in @buf
 * @start: where each record starts
 * @nr: number of records
 * @pages: pages of payload so far
 * @index: entries for the INDEX record
 * @nr_index: their number
 * @meta_offset: of the META_END record
 */
struct builder {
	unsigned char *buf;
	size_t len;
	size_t alloc;
	size_t start[BUILDER_MAX_RECORDS];
	size_t nr;
	__u64 pages;
	struct ckpt_index_entry index[16];
	size_t nr_index;
	__u64 meta_offset;
};

/**
 * struct recipe - what image_build() is to make
 * @ids: of the root task
 * @nr_tasks: number of tasks
 * @boot_id: of the header
 * @realtime_ns: of the header; likewise up to @timens_boottime_ns
 * @chunks: number of PAGES records
 */
struct recipe {
	struct ckpt_tree_ids ids;
	__u32 nr_tasks;
	__u8 boot_id[CKPT_UUID_LEN];
	__s64 realtime_ns;
	__s64 monotonic_ns;
	__s64 boottime_ns;
	__s64 timens_monotonic_ns;
	__s64 timens_boottime_ns;
	unsigned int chunks;
};

void builder_free(struct builder *b);
/* Add a record. @fixed starts with a ckpt_hdr, which is filled in. */
void builder_add(struct builder *b, __u32 type, const void *fixed,
		 size_t fixed_len, const void *data, size_t data_len);
void builder_pages(struct builder *b, __u32 objref, __u64 first, __u64 nr);
void builder_index(struct builder *b);
void builder_tail(struct builder *b);
/* A whole image. */
void image_build(struct builder *b, const struct recipe *recipe);
/* Put the right checksum into a record. */
void record_seal(unsigned char *rec);

#endif /* _CKPT_TESTS_BUILDER_H */
