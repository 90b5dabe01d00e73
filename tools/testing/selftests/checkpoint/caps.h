/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capabilities of the calling thread.
 */
#ifndef _CKPT_TEST_CAPS_H
#define _CKPT_TEST_CAPS_H

#include "program.h"

#include <linux/capability.h>

#ifndef BIT_OF
#define BIT_OF(cap)	(1ULL << (cap))
#endif

struct caps {
	__u64 effective;
	__u64 permitted;
	__u64 inheritable;
};

static inline void get_caps(struct caps *c)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	MUST(!syscall(SYS_capget, &hdr, data));
	c->effective = data[0].effective | (__u64)data[1].effective << 32;
	c->permitted = data[0].permitted | (__u64)data[1].permitted << 32;
	c->inheritable = data[0].inheritable |
			 (__u64)data[1].inheritable << 32;
}

static inline void set_caps(__u64 effective, __u64 permitted, __u64 inheritable)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ effective, permitted, inheritable },
		{ effective >> 32, permitted >> 32, inheritable >> 32 },
	};

	MUST(!syscall(SYS_capset, &hdr, data));
}

/* For good, what they allow included. */
static inline void drop_cap(int cap)
{
	struct caps c;

	get_caps(&c);
	set_caps(c.effective & ~BIT_OF(cap), c.permitted & ~BIT_OF(cap),
		 c.inheritable & ~BIT_OF(cap));
}

#endif /* _CKPT_TEST_CAPS_H */
