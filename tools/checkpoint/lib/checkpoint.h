/* SPDX-License-Identifier: LGPL-2.1 */
/*
 * libcheckpoint: checkpoint(2), restart(2) and a reader for their images.
 *
 * The numbers, flags, argument structs and records are those of the kernel's
 * own headers, which this one includes.
 */
#ifndef _LIBCHECKPOINT_H
#define _LIBCHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/checkpoint.h>
#include <linux/checkpoint_image.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * System calls. @args may be NULL; otherwise the *_ARGS flag is added and the
 * size of the struct passed. They return what the calls return: -1 and errno
 * on error.
 */
long checkpoint(pid_t pid, int fd, unsigned long flags,
		struct checkpoint_args *args);
long restart(pid_t pid, int fd, unsigned long flags, struct restart_args *args);
int ckpt_query(struct ckpt_caps *caps);

/*
 * CRC32C of @len bytes. @crc is 0 at first, and the value that the last call
 * returned where the bytes come in several pieces.
 */
__u32 ckpt_crc32c(__u32 crc, const void *buf, size_t len);

/* "VMA" for CKPT_REC_VMA, NULL for a type that is not known. */
const char *ckpt_rec_name(__u32 type);
/* Length of its struct, 0 for a type that is not known. */
size_t ckpt_rec_size(__u32 type);

/* Reader of an image. */
struct ckpt_image;

/* ckpt_image_open(): never read more of a stream than was asked for. */
#define CKPT_OPEN_EXACT		0x1
/* Keep the bytes read, as far as CKPT_PREFIX_MAX. */
#define CKPT_OPEN_KEEP		0x2
/* Check all payload, and that nothing stands behind the tail. */
#define CKPT_OPEN_VERIFY	0x4

/**
 * struct ckpt_record - a record as the reader hands it out
 * @offset: of the record in the image
 * @number: counted from 0
 * @type: enum ckpt_rec_type, without CKPT_REC_MAY_IGNORE
 * @len: length of the record in the image
 * @known: the type is one that this library knows
 * @fixed: the fixed part as the struct of its type, filled up with zeros where
 *	the image has a shorter one; NULL if not @known
 * @data: what follows the fixed part, without padding
 * @data_len: its length, which fits the count in the fixed part
 * @payload_offset: where the payload of a PAGES record starts
 * @payload_len: its length, 0 for all other records
 *
 * The pointers are good until the next call with the same image.
 */
struct ckpt_record {
	__u64 offset;
	__u64 number;
	__u32 type;
	__u32 len;
	bool known;
	const void *fixed;
	const void *data;
	size_t data_len;
	__u64 payload_offset;
	__u64 payload_len;
};

/*
 * The image starts at the position of @fd. A regular file or block device is
 * read without moving the position. Returns NULL with errno. The descriptor
 * stays the caller's.
 */
struct ckpt_image *ckpt_image_open(int fd, unsigned int flags);
void ckpt_image_close(struct ckpt_image *img);

/*
 * Read the next record and check its checksum, its bounds and its place among
 * the others. Returns 1, 0 behind the tail, -1 with errno:
 *
 *	EBADMSG	a checksum is wrong or the image is cut short
 *	EINVAL	a rule of the format is broken
 *	ENOEXEC	this is not an image
 *	EPROTONOSUPPORT version, feature or type of record is unknown
 *
 * or what read(2) said. An error is final; ckpt_image_error() has the words.
 */
int ckpt_image_next(struct ckpt_image *img, struct ckpt_record *rec);

/*
 * Read and check the payload of the PAGES record that was returned last.
 * Returns payload_len bytes, or NULL with errno as above.
 */
const void *ckpt_image_payload(struct ckpt_image *img);

/* What was wrong, with record and offset; "" if nothing was. */
const char *ckpt_image_error(const struct ckpt_image *img);
/* Bytes of the image that were read or skipped. */
__u64 ckpt_image_consumed(const struct ckpt_image *img);
/* Is the descriptor read at positions, not as a stream? */
bool ckpt_image_seekable(const struct ckpt_image *img);
/* The bytes that CKPT_OPEN_KEEP kept. */
const void *ckpt_image_kept(const struct ckpt_image *img, size_t *len);

/**
 * struct ckpt_tree_task - a task of the tree
 * @rec: its record
 * @ids: rec.nr_levels sets of ids, that of the root's pid namespace first
 */
struct ckpt_tree_task {
	struct ckpt_rec_tree_task rec;
	struct ckpt_tree_ids *ids;
};

/**
 * struct ckpt_tree - what has to be known to create the tasks of an image
 * @header: header of the image
 * @nr_tasks: number of tasks
 * @root: index of the root task
 * @tasks: the tasks, in the order of their indices
 * @seekable: the image is read at positions: nothing was consumed
 * @prefix: otherwise: the bytes that were, for restart_args.prefix
 * @prefix_len: their number
 */
struct ckpt_tree {
	struct ckpt_rec_header header;
	__u32 nr_tasks;
	__u32 root;
	struct ckpt_tree_task *tasks;
	bool seekable;
	void *prefix;
	size_t prefix_len;
};

/*
 * Read the start of the image up to the last TREE_TASK record, and not one byte
 * of a stream more. Returns NULL with errno and the reason in @err.
 */
struct ckpt_tree *ckpt_tree_read(int fd, char *err, size_t err_size);
void ckpt_tree_free(struct ckpt_tree *tree);

#ifdef __cplusplus
}
#endif

#endif /* _LIBCHECKPOINT_H */
