/* SPDX-License-Identifier: GPL-2.0 */
/* An image in memory, without its payload, for ckptinfo to describe. */
#ifndef _CKPT_TOOLS_MODEL_H
#define _CKPT_TOOLS_MODEL_H

#include <stdbool.h>
#include <stdio.h>

#include "checkpoint.h"

/**
 * struct stored - a record of the metadata
 * @rec: the record; its pointers are good as long as the model is
 * @objref: the object that it defines, 0: none
 */
struct stored {
	struct ckpt_record rec;
	__u32 objref;
};

/**
 * struct payload_of - pages that belong to an object
 * @objref: the object
 * @pages: their number
 */
struct payload_of {
	__u32 objref;
	__u64 pages;
};

/**
 * struct model - all that is known about an image
 * @header: first record, NULL if even that is missing
 * @tail: last record, NULL if the image is damaged
 * @recs: all records of the metadata, in order
 * @nr: their number
 * @objects: those that define an object, by objref
 * @nr_objects: their number
 * @payload: by address space
 * @nr_payload: their number
 * @records: all records of the image
 * @meta_bytes: length of the image up to the payload
 * @payload_bytes: bytes of payload
 * @length: bytes of the image
 * @error: what is wrong with it, "" if nothing is
 */
struct model {
	const struct ckpt_rec_header *header;
	const struct ckpt_rec_tail *tail;
	struct stored *recs;
	size_t nr;
	struct stored **objects;
	size_t nr_objects;
	struct payload_of *payload;
	size_t nr_payload;
	__u64 records;
	__u64 meta_bytes;
	__u64 payload_bytes;
	__u64 length;
	char error[512];
};

/* Called for each record while the image is read. */
typedef void (*record_fn)(const struct ckpt_record *rec);

/*
 * Read the image. A damaged one gives a model of what stands before the damage,
 * and the error in it. NULL after a message if there is nothing to read.
 */
struct model *model_read(int fd, bool verify, record_fn fn);
void model_free(struct model *m);

/* The object @objref as the struct of @type, NULL if there is none. */
const void *model_object(const struct model *m, __u32 objref, __u32 type);
/* The same with the data behind the struct. */
const struct ckpt_record *model_record(const struct model *m, __u32 objref,
				       __u32 type);
/* The record of @type behind @from (NULL: the first one), NULL at the end. */
const struct stored *model_next(const struct model *m,
				const struct stored *from, __u32 type);
/*
 * A record of @type among those that belong to the TASK or SIGNAL record @of,
 * NULL if there is none.
 */
const struct ckpt_record *model_attached(const struct model *m,
					 const struct stored *of, __u32 type);
/* The TASK record of a task of the tree. */
const struct stored *model_task(const struct model *m, __u32 index);
__u64 model_pages(const struct model *m, __u32 objref);

/* Path of a FILE object, "" if it has none. */
const char *model_path(const struct model *m, __u32 objref);

/**
 * struct vma_sum - mappings of one kind
 * @what: in words
 * @count: their number
 * @bytes: their size
 */
struct vma_sum {
	const char *what;
	__u64 count;
	__u64 bytes;
};

#define VMA_SUMS	6

/* Add up the mappings of the address space @mm; returns the rows used. */
size_t model_vmas(const struct model *m, __u32 mm, struct vma_sum *sum);

/* Words for numbers. */
const char *file_kind_name(__u32 kind);
const char *restart_kind_name(__u32 kind);
const char *policy_name(__u32 policy);

/*
 * A string of the image with what is no valid UTF-8 or could control a terminal
 * written as \xNN. The result is one of a few static buffers.
 */
const char *clean(const char *s);
/* "SIGINT SIGTERM", in a static buffer. */
const char *signal_names(__u64 set);
/* "1f3c...", in a static buffer. */
const char *uuid_text(const __u8 *uuid);

/* The two ways to describe an image. */
void info_text(const struct model *m, FILE *f);
int info_json(const struct model *m, FILE *f);

#endif /* _CKPT_TOOLS_MODEL_H */
