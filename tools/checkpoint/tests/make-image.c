// SPDX-License-Identifier: GPL-2.0
/*
 * Write an image of a program that never was, to try the other programs with:
 * make-image PID PGID SID TASKS BOOT_ID MONOTONIC_S > FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"

static void parse_uuid(const char *s, __u8 *uuid)
{
	unsigned int i, byte;

	for (i = 0; i < CKPT_UUID_LEN; i++, s += 2) {
		s += *s == '-';
		if (sscanf(s, "%2x", &byte) != 1)
			exit(2);
		uuid[i] = byte;
	}
}

int main(int argc, char **argv)
{
	struct recipe recipe = {
		.realtime_ns = 1700000000000000000LL,
		.chunks = 3,
	};
	struct builder b;

	if (argc != 7)
		return 2;
	recipe.ids.pid = atoi(argv[1]);
	recipe.ids.tgid = recipe.ids.pid;
	recipe.ids.pgid = atoi(argv[2]);
	recipe.ids.sid = atoi(argv[3]);
	recipe.nr_tasks = atoi(argv[4]);
	parse_uuid(argv[5], recipe.boot_id);
	recipe.monotonic_ns = atoll(argv[6]) * 1000000000LL;
	recipe.boottime_ns = recipe.monotonic_ns;
	image_build(&b, &recipe);
	return fwrite(b.buf, 1, b.len, stdout) == b.len ? 0 : 1;
}
