// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep until an absolute time of CLOCK_MONOTONIC and say how punctual that
 * was.  The demo moves it to another boot, whose clock starts anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(const struct timespec *ts)
{
	return ts->tv_sec + ts->tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct timespec start, deadline, now;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &start);
	deadline = start;
	deadline.tv_sec += argc > 1 ? atoi(argv[1]) : 10;
	printf("at %.3f, sleeping until %.3f\n", seconds(&start),
	       seconds(&deadline));
	fflush(stdout);
	do {
		err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
				      &deadline, NULL);
	} while (err == EINTR);
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("woke up at %.3f, %.3f s after the deadline\n", seconds(&now),
	       seconds(&now) - seconds(&deadline));
	return err || seconds(&now) < seconds(&deadline);
}
