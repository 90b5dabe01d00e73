// SPDX-License-Identifier: LGPL-2.1
/* The tasks of an image, for the program that creates them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void ckpt_tree_free(struct ckpt_tree *tree)
{
	__u32 i;

	if (!tree)
		return;
	for (i = 0; tree->tasks && i < tree->nr_tasks; i++)
		free(tree->tasks[i].ids);
	free(tree->tasks);
	free(tree->prefix);
	free(tree);
}

static int add_tree(struct ckpt_image *img, struct ckpt_tree *tree,
		    const struct ckpt_rec_tree *rec)
{
	/* Each task takes its part of the prefix: more cannot be meant. */
	if (rec->nr_tasks > CKPT_PREFIX_MAX / sizeof(struct ckpt_rec_tree_task))
		return image_fail(img, E2BIG, "%u tasks are more than restart() takes",
				  rec->nr_tasks);
	tree->nr_tasks = rec->nr_tasks;
	tree->root = rec->root;
	tree->tasks = calloc(rec->nr_tasks, sizeof(*tree->tasks));
	return tree->tasks ? 0 : image_fail(img, ENOMEM, "out of memory");
}

static int add_task(struct ckpt_image *img, struct ckpt_tree *tree,
		    const struct ckpt_record *r)
{
	const struct ckpt_rec_tree_task *rec = r->fixed;
	struct ckpt_tree_task *task = &tree->tasks[rec->index];

	task->rec = *rec;
	task->ids = malloc(r->data_len);
	if (!task->ids)
		return image_fail(img, ENOMEM, "out of memory");
	memcpy(task->ids, r->data, r->data_len);
	return 0;
}

static int read_records(struct ckpt_image *img, struct ckpt_tree *tree)
{
	struct ckpt_record r;
	__u32 left = 1;
	int ret;

	while (left) {
		ret = ckpt_image_next(img, &r);
		if (ret <= 0)
			return -1;
		if (!r.known)
			continue;
		if (r.type == CKPT_REC_HEADER) {
			tree->header = *(const struct ckpt_rec_header *)r.fixed;
		} else if (r.type == CKPT_REC_TREE) {
			ret = add_tree(img, tree, r.fixed);
			left = tree->nr_tasks;
		} else if (r.type == CKPT_REC_TREE_TASK) {
			ret = add_task(img, tree, &r);
			left--;
		}
		if (ret < 0)
			return -1;
	}
	return 0;
}

static int keep_prefix(struct ckpt_image *img, struct ckpt_tree *tree)
{
	const void *kept = ckpt_image_kept(img, &tree->prefix_len);

	tree->seekable = ckpt_image_seekable(img);
	if (tree->seekable) {
		tree->prefix_len = 0;
		return 0;
	}
	if (!kept)
		return image_fail(img, E2BIG,
				  "the list of tasks is longer than restart() takes");
	tree->prefix = malloc(tree->prefix_len);
	if (!tree->prefix)
		return image_fail(img, ENOMEM, "out of memory");
	memcpy(tree->prefix, kept, tree->prefix_len);
	return 0;
}

struct ckpt_tree *ckpt_tree_read(int fd, char *err, size_t err_size)
{
	struct ckpt_tree *tree = calloc(1, sizeof(*tree));
	struct ckpt_image *img;
	int saved;

	img = ckpt_image_open(fd, CKPT_OPEN_EXACT | CKPT_OPEN_KEEP);
	if (!img || !tree) {
		saved = errno;
		snprintf(err, err_size, "%s", strerror(saved));
		goto fail;
	}
	if (read_records(img, tree) || keep_prefix(img, tree)) {
		saved = errno;
		snprintf(err, err_size, "%s", ckpt_image_error(img));
		goto fail;
	}
	ckpt_image_close(img);
	return tree;

fail:
	ckpt_image_close(img);
	ckpt_tree_free(tree);
	errno = saved;
	return NULL;
}
