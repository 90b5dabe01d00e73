// SPDX-License-Identifier: LGPL-2.1
/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78): eight tables, eight
 * bytes a step; on a CPU with SSE4.2 its instruction.
 */
#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "checkpoint.h"
#include "internal.h"

#define POLY	0x82f63b78U

static __u32 table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	unsigned int i, k;

	for (i = 0; i < 256; i++) {
		__u32 crc = i;

		for (k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ POLY : crc >> 1;
		table[0][i] = crc;
	}
	for (k = 1; k < 8; k++)
		for (i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^
				      table[0][table[k - 1][i] & 0xff];
}

/* The portable form; @crc here and below is the inverted register. */
__u32 crc32c_table(__u32 crc, const unsigned char *p, size_t len)
{
	pthread_once(&once, make_tables);

	for (; len >= 8; p += 8, len -= 8) {
		__u64 v;

		memcpy(&v, p, sizeof(v));
		v = le64toh(v) ^ crc;
		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^
		      table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
		      table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		      table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	while (len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static __u32 crc32c_sse42(__u32 crc, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		__u64 v;

		memcpy(&v, p, sizeof(v));
		crc = __builtin_ia32_crc32di(crc, v);
	}
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

__u32 ckpt_crc32c(__u32 crc, const void *buf, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~crc, buf, len);
#endif
	return ~crc32c_table(~crc, buf, len);
}
