// SPDX-License-Identifier: LGPL-2.1
/* The system calls. */
#include <unistd.h>
#include <sys/syscall.h>

#include "checkpoint.h"

/* Save the tree of @pid to @fd, see checkpoint(2). */
long checkpoint(pid_t pid, int fd, unsigned long flags,
		struct checkpoint_args *args)
{
	if (!args)
		return syscall(__NR_checkpoint, pid, fd, flags, NULL, 0UL);
	return syscall(__NR_checkpoint, pid, fd, flags | CHECKPOINT_ARGS, args,
		       sizeof(*args));
}

/* Become what the image in @fd says, see restart(2). */
long restart(pid_t pid, int fd, unsigned long flags, struct restart_args *args)
{
	if (!args)
		return syscall(__NR_restart, pid, fd, flags, NULL, 0UL);
	return syscall(__NR_restart, pid, fd, flags | RESTART_ARGS, args,
		       sizeof(*args));
}

/* What can this kernel do? -1 with ENOSYS: nothing at all. */
int ckpt_query(struct ckpt_caps *caps)
{
	struct checkpoint_args args = {
		.log_fd = -1,
		.context_fd = -1,
		.caps = (uintptr_t)caps,
		.caps_size = sizeof(*caps),
	};

	*caps = (struct ckpt_caps){ 0 };
	return checkpoint(0, -1, CHECKPOINT_QUERY, &args) < 0 ? -1 : 0;
}
