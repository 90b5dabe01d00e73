/* SPDX-License-Identifier: GPL-2.0 */
/* A file that bears its name only once it is complete. */
#ifndef _CKPT_TOOLS_OUTPUT_H
#define _CKPT_TOOLS_OUTPUT_H

#include <stdbool.h>

/**
 * struct output - a file being written
 * @fd: where to write
 * @path: as it was named
 * @dir: descriptor of the directory
 * @name: final name in @dir
 * @tmp: temporary name in @dir, "" if there is none
 */
struct output {
	int fd;
	const char *path;
	int dir;
	char name[256];
	char tmp[256];
};

/*
 * Open a temporary file beside @path. Where @path is a device, a FIFO or the
 * like, it is opened itself. On error a message was given.
 */
int output_open(struct output *out, const char *path, unsigned int mode);
/* Contents to the disk. */
int output_sync(struct output *out);
/* Final name; the directory to the disk. */
int output_publish(struct output *out);
/* Remove the temporary file. May be called at any time, and twice. */
void output_discard(struct output *out);

#endif /* _CKPT_TOOLS_OUTPUT_H */
