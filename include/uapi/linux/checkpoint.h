/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * checkpoint(2) and restart(2): system call numbers, flags and arguments.
 *
 * The image format has a header of its own, <linux/checkpoint_image.h>.
 *
 * What the errno values of these two calls mean. The log (the log_fd of the
 * arguments) says the same in words, with the object that was concerned.
 *
 * ============ ==========================================================
 * EINVAL       an unknown flag, a wrong combination of flags or a malformed
 *              argument struct; restart: the image breaks a rule of the
 *              format
 * E2BIG        the argument struct is larger than this kernel knows and the
 *              excess is not zero
 * EBADF        @fd or one of the descriptors in the arguments is not open in
 *              the mode that is needed
 * ESRCH        no such task, or it exited meanwhile
 * EPERM        the caller may not trace a task; restart: the caller may not
 *              have what the image asks for
 * EBUSY        a task is being checkpointed already; restart: the caller has
 *              what cannot be replaced (threads that the image has not, signal
 *              handlers in common with another process, timers...)
 * EDEADLK      only the tree itself could drain the output
 * EOPNOTSUPP   state that cannot be saved (or, restart: not rebuilt here); each
 *              reason is named in the log
 * ETIMEDOUT    a task did not come to a halt in time; restart: a task of the
 *              image was not there in time
 * EINTR        a fatal signal came while the call waited; with RESTART_RUN any
 *              signal
 * ECANCELED    restart: one that took part gave it up, or it is over
 * ECHILD       restart: a task that took part was killed
 * EEXIST       restart: somebody is that task already; an address is taken
 * EBADMSG      restart: a checksum is wrong or the image is cut short
 * ENOEXEC      restart: this is not an image
 * EPROTONOSUPPORT restart: image version or an incompatible feature is unknown
 * ESTALE       restart: a file is not what it was when it was saved
 * ENOENT       restart: a file is gone
 * ENODEV       restart: the CPU lacks a feature that the image uses
 * ENOMEM, EFBIG, ENOSPC, EIO, EPIPE   as everywhere
 * ============ ==========================================================
 */
#ifndef _UAPI_LINUX_CHECKPOINT_H
#define _UAPI_LINUX_CHECKPOINT_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The same numbers on x86-64 and on i386. x32 has neither call. */
#define __NR_checkpoint		600
#define __NR_restart		601

/* Version of this interface, returned by CHECKPOINT_QUERY. */
#define CKPT_ABI_VERSION	1

/**
 * DOC: checkpoint flags
 *
 * CHECKPOINT_SUBTREE
 *	the tree is not a whole container: open files that it shares with
 *	processes outside do not refuse, and are parted from them at restart
 * CHECKPOINT_CHECK
 *	find every reason that would refuse a checkpoint, log each, write
 *	nothing; @fd is ignored
 * CHECKPOINT_KILL
 *	kill the tree once the image is complete (and, on a regular file,
 *	synced). On any failure the tree goes on instead
 * CHECKPOINT_HOLD
 *	keep the tree frozen; a descriptor that holds it is returned through
 *	checkpoint_args.context_fd. Closing it thaws the tree
 * CHECKPOINT_QUERY
 *	do nothing but fill in checkpoint_args.caps; @pid and @fd are ignored
 * CHECKPOINT_RELINK
 *	deleted files get a name in the directory checkpoint_args.relink_fd where
 *	that can be, and a restart copies their contents from there; else they
 *	are in the image
 * CHECKPOINT_COW
 *	duplicate private memory as fork() does, and let the tree go on before
 *	that is written; not with CHECKPOINT_KILL or CHECKPOINT_HOLD. What the
 *	image has is the moment at which all stood still. The tree stands still
 *	longer if deleted files or shared memory must be written, and until the
 *	end if it has private huge pages of hugetlb
 * CHECKPOINT_ARGS
 *	the 4th and 5th argument are a struct checkpoint_args and its size
 */
#define CHECKPOINT_SUBTREE	(1UL << 0)
#define CHECKPOINT_CHECK	(1UL << 1)
#define CHECKPOINT_KILL		(1UL << 2)
#define CHECKPOINT_HOLD		(1UL << 3)
#define CHECKPOINT_QUERY	(1UL << 4)
#define CHECKPOINT_RELINK	(1UL << 5)
#define CHECKPOINT_COW		(1UL << 6)
#define CHECKPOINT_ARGS		(1UL << 31)

/**
 * DOC: restart flags
 *
 * One of the first four; the next three go with RESTART_TASKSELF and
 * RESTART_CONTEXT only.
 *
 * RESTART_TASKSELF
 *	the calling task turns itself into the one task of the image
 * RESTART_CONTEXT
 *	read the metadata and return a descriptor for the two that follow
 * RESTART_MEMBER
 *	the calling task turns itself into the task whose index @pid is; @fd is
 *	the descriptor. Its parent and its threads must be those that the image
 *	says, and take part as well. One that has joined and does not become the
 *	task is killed
 * RESTART_RUN
 *	wait until all tasks of the image have come, and bring them back
 *	together; @fd is the descriptor. Returns the pid of the root, or an
 *	error and none of them is left. Until nothing can fail any more a signal
 *	ends it
 * RESTART_NO_PIDS
 *	do not insist that those who turn into the tasks have the pids that are
 *	recorded, nor that sessions and groups have their ids
 * RESTART_TIME_HOST
 *	after a reboot, accept that the clocks of the caller are not those that
 *	the image was saved under
 * RESTART_FORCE_FILES
 *	accept files whose contents may have changed (size, times); the log
 *	says which
 * RESTART_ARGS
 *	the 4th and 5th argument are a struct restart_args and its size
 */
#define RESTART_TASKSELF	(1UL << 0)
#define RESTART_CONTEXT		(1UL << 1)
#define RESTART_MEMBER		(1UL << 2)
#define RESTART_NO_PIDS		(1UL << 3)
#define RESTART_TIME_HOST	(1UL << 4)
#define RESTART_FORCE_FILES	(1UL << 5)
#define RESTART_RUN		(1UL << 6)
#define RESTART_ARGS		(1UL << 31)

/*
 * ioctls of the descriptor of CHECKPOINT_HOLD. That of RESTART_CONTEXT knows only
 * CKPT_CONTEXT_KILL: the restart fails, and all members die, unless it is past
 * the point where it can fail. So does its last close.
 */
#define CKPT_CONTEXT_IOC	0xC9
#define CKPT_CONTEXT_THAW	_IO(CKPT_CONTEXT_IOC, 0)
#define CKPT_CONTEXT_KILL	_IO(CKPT_CONTEXT_IOC, 1)

/**
 * struct ckpt_caps - what this kernel can do
 * @abi_version: CKPT_ABI_VERSION
 * @image_version: newest image version that is written and read
 * @checkpoint_flags: all flags that checkpoint() knows
 * @restart_flags: all flags that restart() knows
 * @checkpoint_args_size: sizeof(struct checkpoint_args) of this kernel
 * @restart_args_size: sizeof(struct restart_args) of this kernel
 * @feature_compat: CKPT_COMPAT_* bits of the images written
 * @feature_incompat: CKPT_INCOMPAT_* bits that are understood
 */
struct ckpt_caps {
	__u32 abi_version;
	__u32 image_version;
	__u64 checkpoint_flags;
	__u64 restart_flags;
	__u32 checkpoint_args_size;
	__u32 restart_args_size;
	__u64 feature_compat;
	__u64 feature_incompat;
};

/**
 * struct ckpt_stats - what the call did, times in ns of CLOCK_MONOTONIC
 * @freeze_ns: from the first task asked to stop until the last one stood still
 * @frozen_ns: from the first task asked to stop until the tree ran again (or
 *	was killed); with CHECKPOINT_HOLD until the call returned
 * @total_ns: the whole call
 * @image_bytes: length of the image
 * @meta_bytes: length of the metadata, which is held in kernel memory
 * @pages_written: pages in the image
 * @pages_skipped: present pages that needed not be written
 * @tasks: tasks saved or restored
 * @objects: objects saved or restored
 */
struct ckpt_stats {
	__u64 freeze_ns;
	__u64 frozen_ns;
	__u64 total_ns;
	__u64 image_bytes;
	__u64 meta_bytes;
	__u64 pages_written;
	__u64 pages_skipped;
	__u32 tasks;
	__u32 objects;
};

/**
 * struct checkpoint_args - extensible arguments of checkpoint()
 * @log_fd: descriptor that gets one line of text for each reason or error, or
 *	-1. A struct of zeros therefore logs to descriptor 0: set it
 * @context_fd: out, with CHECKPOINT_HOLD: the descriptor that holds the tree
 * @freeze_timeout_ms: longest wait for the tree to stand still, 0 for the
 *	default (CKPT_FREEZE_TIMEOUT_MS)
 * @__reserved: must be zero
 * @stats: out, user pointer to a struct ckpt_stats, or 0
 * @caps: out, user pointer to a struct ckpt_caps, or 0
 * @stats_size: size of *@stats as the caller knows it
 * @caps_size: size of *@caps as the caller knows it
 * @external: user pointer to an array of user pointers (__u64) to strings: the
 *	keys of open files that are not part of the tree. Who restarts it
 *	supplies them
 * @nr_external: number of entries in @external, at most CKPT_EXTERNAL_MAX
 * @relink_fd: with CHECKPOINT_RELINK: a directory
 *
 * A key is "fd:N", descriptor N of the root task; "dev:MAJOR:MINOR", a device
 * that was opened under whatever name; or the text that /proc/PID/fd shows to
 * the caller: "/path", "pipe:[INODE]", "socket:[INODE]", "anon_inode:[KIND]".
 */
struct checkpoint_args {
	__s32 log_fd;
	__s32 context_fd;
	__u32 freeze_timeout_ms;
	__u32 __reserved;
	__aligned_u64 stats;
	__aligned_u64 caps;
	__u32 stats_size;
	__u32 caps_size;
	__aligned_u64 external;
	__u32 nr_external;
	__s32 relink_fd;
};

#define CHECKPOINT_ARGS_SIZE_VER0	40
#define CHECKPOINT_ARGS_SIZE_VER1	56	/* with external files */
#define CKPT_FREEZE_TIMEOUT_MS		10000

/**
 * struct ckpt_inherit_fd - a descriptor of the restarter that replaces a saved one
 * @saved_fd: descriptor number in the root task of the image. What is the same
 *	open file in other tasks is replaced, too
 * @fd: descriptor of the caller of restart()
 */
struct ckpt_inherit_fd {
	__s32 saved_fd;
	__s32 fd;
};

/**
 * struct ckpt_inherit_key - a descriptor of the restarter for files of an image
 * @key: user pointer to a string: the key that a file was declared external by,
 *	or the path that the image has of a file
 * @fd: descriptor of the caller of restart()
 * @__reserved: must be zero
 *
 * A key may be there several times, as for both ends of a pipe: of those the
 * first counts that is open in the mode that is needed.
 */
struct ckpt_inherit_key {
	__aligned_u64 key;
	__s32 fd;
	__u32 __reserved;
};

/**
 * struct restart_args - extensible arguments of restart()
 * @log_fd: as in struct checkpoint_args
 * @context_fd: not used; RESTART_CONTEXT returns its descriptor
 * @prefix: user pointer to the bytes of the image that the caller has read from
 *	a stream already; they come before what is left in the descriptor
 * @prefix_len: their number, at most CKPT_PREFIX_MAX
 * @nr_inherit: number of entries in @inherit, at most CKPT_INHERIT_MAX
 * @inherit: user pointer to an array of struct ckpt_inherit_fd
 * @stats: out, user pointer to a struct ckpt_stats, or 0. Filled in by
 *	RESTART_RUN, and by RESTART_TASKSELF on failure; on success the memory
 *	of that caller is gone, see @done_fd
 * @stats_size: size of struct ckpt_stats as the caller knows it
 * @done_fd: with RESTART_TASKSELF: descriptor, or -1 for none, to which one byte
 *	of value 0 is written when the restart can no longer fail: it tells the
 *	parent of the caller that the program runs again. In the same write
 *	follow as many bytes of a struct ckpt_stats as @stats_size says and the
 *	kernel knows. All descriptors of the caller are closed after that, and
 *	the log is complete when this one is
 * @inherit_keys: user pointer to an array of struct ckpt_inherit_key
 * @nr_inherit_keys: number of entries in @inherit_keys, at most
 *	CKPT_EXTERNAL_MAX
 * @__reserved: must be zero
 *
 * RESTART_RUN looks at @stats and @stats_size only, RESTART_MEMBER at nothing.
 */
struct restart_args {
	__s32 log_fd;
	__s32 context_fd;
	__aligned_u64 prefix;
	__u32 prefix_len;
	__u32 nr_inherit;
	__aligned_u64 inherit;
	__aligned_u64 stats;
	__u32 stats_size;
	__s32 done_fd;
	__aligned_u64 inherit_keys;
	__u32 nr_inherit_keys;
	__u32 __reserved;
};

#define RESTART_ARGS_SIZE_VER0		48
#define RESTART_ARGS_SIZE_VER1		64	/* with keys */
#define CKPT_PREFIX_MAX			(1U << 20)
#define CKPT_INHERIT_MAX		4096
#define CKPT_EXTERNAL_MAX		1024

#endif /* _UAPI_LINUX_CHECKPOINT_H */
