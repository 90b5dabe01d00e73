// SPDX-License-Identifier: GPL-2.0
/* How far a long write has come, on a terminal. */
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.h"
#include "util.h"

/* What is over sooner needs no progress display. */
#define DELAY_S		0.5

void progress_start(struct progress *p, int fd)
{
	*p = (struct progress){ .fd = fd, .on = isatty(STDERR_FILENO) };
	clock_gettime(CLOCK_MONOTONIC, &p->start);
}

/* A stopped terminal must not stop us: the tasks may be frozen now. */
static bool can_write(void)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLOUT;
}

void progress_tick(struct progress *p)
{
	struct timespec now;
	struct stat st;
	double seconds;
	char size[32];

	if (!p->on || !can_write())
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = now.tv_sec - p->start.tv_sec +
		  (now.tv_nsec - p->start.tv_nsec) / 1e9;
	if (seconds < DELAY_S)
		return;
	if (fstat(p->fd, &st) || !S_ISREG(st.st_mode))
		fprintf(stderr, "\r%.0f s\033[K", seconds);
	else
		fprintf(stderr, "\r%s written in %.0f s, %.1f MiB/s\033[K",
			size_text(st.st_size, size, sizeof(size)), seconds,
			st.st_size / seconds / (1 << 20));
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown && can_write())
		fputs("\r\033[K", stderr);
	p->shown = false;
}
