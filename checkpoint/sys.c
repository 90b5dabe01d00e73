// SPDX-License-Identifier: GPL-2.0
#include <linux/syscalls.h>

SYSCALL_DEFINE5(checkpoint, pid_t, pid, int, fd, unsigned long, flags,
		void __user *, uargs, size_t, usize)
{
	return -EOPNOTSUPP;
}

SYSCALL_DEFINE5(restart, pid_t, pid, int, fd, unsigned long, flags,
		void __user *, uargs, size_t, usize)
{
	return -EOPNOTSUPP;
}
