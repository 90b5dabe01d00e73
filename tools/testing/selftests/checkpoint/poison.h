/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that is declared broken, and stays so when the userfaultfd is gone:
 * who touches it gets SIGBUS.
 */
#ifndef _CKPT_TEST_POISON_H
#define _CKPT_TEST_POISON_H

#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of private anonymous memory, tmpfs, hugetlb; nothing is mapped there yet. */
static inline bool ckpt_poison(void *at, size_t len)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_POISON,
	};
	struct uffdio_register reg = {
		.range = { (unsigned long)at, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_poison poison = { .range = reg.range };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	bool ok = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
		  !ioctl(fd, UFFDIO_REGISTER, &reg) &&
		  !ioctl(fd, UFFDIO_POISON, &poison) && poison.updated == len &&
		  !ioctl(fd, UFFDIO_UNREGISTER, &reg.range);

	close(fd);
	return ok;
}

#endif /* _CKPT_TEST_POISON_H */
