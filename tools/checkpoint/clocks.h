/* SPDX-License-Identifier: GPL-2.0 */
/* Clocks that go on from where they were when the image was made. */
#ifndef _CKPT_TOOLS_CLOCKS_H
#define _CKPT_TOOLS_CLOCKS_H

#include <stdbool.h>
#include <time.h>

#include "checkpoint.h"

/**
 * clocks_prepare - make the children of this process see the clocks of an image
 * @header: of the image
 * @host: the program is to see the clocks of this machine instead
 * @verbose: say what was done
 *
 * On the boot that the image was made on, the clocks stay those that the
 * program had: of the machine, or of a time namespace. On another boot they
 * continue from the image. Where that differs from the present ones, children
 * live in a new time namespace from now on.
 *
 * Returns 0, or -1 after a message.
 */
int clocks_prepare(const struct ckpt_rec_header *header, bool host,
		   bool verbose);

/* The line for /proc/self/timens_offsets; @ns may be negative. */
int clocks_offset_line(char *buf, size_t size, const char *clock, long long ns);

#endif /* _CKPT_TOOLS_CLOCKS_H */
