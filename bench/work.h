/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of the benchmark share. */
#ifndef _BENCH_WORK_H
#define _BENCH_WORK_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Where images go: a tmpfs or a disk. */
#define IMAGES	"/tmp/images"

/* What an observed program says: a number, and behind TOUCH_AT two more. */
#define GAP	"/tmp/gap"
#define TOUCH_AT	32

/* Ends the program. */
#define DIE(...)						\
do {								\
	fprintf(stderr, __VA_ARGS__);				\
	fprintf(stderr, ": %m\n");				\
	exit(1);						\
} while (0)

/* Microseconds. */
static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

#endif /* _BENCH_WORK_H */
