/* SPDX-License-Identifier: GPL-2.0 */
/* How far a long write has come, on a terminal. */
#ifndef _CKPT_TOOLS_PROGRESS_H
#define _CKPT_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <time.h>

#define PROGRESS_INTERVAL_MS	200

/**
 * struct progress - a line that is kept up to date
 * @fd: the file whose growth is shown
 * @on: stderr is a terminal
 * @shown: there is a line to be wiped out
 * @start: when it began
 */
struct progress {
	int fd;
	bool on;
	bool shown;
	struct timespec start;
};

void progress_start(struct progress *p, int fd);
/* Call every PROGRESS_INTERVAL_MS. */
void progress_tick(struct progress *p);
void progress_end(struct progress *p);

#endif /* _CKPT_TOOLS_PROGRESS_H */
