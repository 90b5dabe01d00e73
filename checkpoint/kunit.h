/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit tests of checkpoint/restart share. */
#ifndef _CHECKPOINT_KUNIT_H
#define _CHECKPOINT_KUNIT_H

#include <linux/types.h>

/* CRC32C by its definition, bit by bit: nothing of the kernel's. */
static inline u32 plain_crc32c(const void *buf, size_t len)
{
	const u8 *p = buf;
	u32 crc = ~0U;
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
	}
	return ~crc;
}

#endif /* _CHECKPOINT_KUNIT_H */
