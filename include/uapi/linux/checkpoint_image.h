/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Format of a checkpoint image.
 *
 * An image is one stream of records. All numbers are little endian and have a
 * fixed width; the layout is the same for 32-bit and 64-bit users. Offsets
 * count from the first byte of the image.
 *
 *	CKPT_REC_HEADER			exactly one, first
 *	CKPT_REC_TREE, TREE_TASK...	which tasks there are
 *	objects and tasks		an object stands before what refers to it,
 *					tasks in the order of TREE_TASK
 *	CKPT_REC_META_END		exactly one
 *	CKPT_REC_PAGES, COW, POISON...	each PAGES followed by its payload
 *	CKPT_REC_INDEX			where these records are
 *	CKPT_REC_TAIL			exactly one, last, of fixed size
 *
 * Each record starts with a struct ckpt_hdr; its length is a multiple of 8.
 * Behind the fixed part of a record stand its variable data. A fixed part that
 * is shorter than the reader knows is filled up with zeros, and zero means what
 * the shorter record meant. Where it is longer, the excess must be zero. A
 * record whose type is not known is skipped if CKPT_REC_MAY_IGNORE is set in
 * it and refused otherwise.
 */
#ifndef _UAPI_LINUX_CHECKPOINT_IMAGE_H
#define _UAPI_LINUX_CHECKPOINT_IMAGE_H

#include <linux/types.h>

#define CKPT_IMAGE_MAGIC	"\211CKPT\r\n\032"	/* 8 bytes, no NUL */
#define CKPT_TAIL_MAGIC		"CKPTTAIL"		/* 8 bytes, no NUL */
#define CKPT_IMAGE_VERSION	1

/* feature_compat: may be ignored. feature_incompat: must be understood. */
#define CKPT_COMPAT_INDEX	(1ULL << 0)	/* an INDEX record is there */
#define CKPT_INCOMPAT_ALL	0ULL

#define CKPT_ARCH_X86_64	62	/* EM_X86_64 */

/* Bit of ckpt_hdr.type: a reader that does not know the record may skip it. */
#define CKPT_REC_MAY_IGNORE	0x80000000U

/* Longest record; what is larger goes into several or into payload. */
#define CKPT_REC_MAX_LEN	(16U << 20)
/* Most payload bytes behind one PAGES record. */
#define CKPT_PAGES_MAX_BYTES	(1U << 20)
#define CKPT_PATH_MAX		4096

/**
 * struct ckpt_hdr - start of every record
 * @type: enum ckpt_rec_type, perhaps with CKPT_REC_MAY_IGNORE
 * @len: length of the record in bytes with this header, a multiple of 8
 * @fixed: length of its fixed part with this header, a multiple of 8
 * @crc: CRC32C (seed ~0, inverted at the end) of the record with @crc = 0
 */
struct ckpt_hdr {
	__u32 type;
	__u32 len;
	__u32 fixed;
	__u32 crc;
};

/**
 * enum ckpt_rec_type - types of records; the numbers never change
 * @CKPT_REC_HEADER: &struct ckpt_rec_header
 * @CKPT_REC_TREE: &struct ckpt_rec_tree
 * @CKPT_REC_TREE_TASK: &struct ckpt_rec_tree_task, one for each task
 * @CKPT_REC_META_END: &struct ckpt_rec_meta_end
 * @CKPT_REC_PAD: only the header and zeros, aligns what follows
 * @CKPT_REC_PAGES: &struct ckpt_rec_pages, payload follows
 * @CKPT_REC_INDEX: &struct ckpt_rec_index
 * @CKPT_REC_TAIL: &struct ckpt_rec_tail
 * @CKPT_REC_NS: &struct ckpt_rec_ns
 * @CKPT_REC_CRED: &struct ckpt_rec_cred
 * @CKPT_REC_FILE: &struct ckpt_rec_file
 * @CKPT_REC_FILES: &struct ckpt_rec_files
 * @CKPT_REC_FS: &struct ckpt_rec_fs
 * @CKPT_REC_SIGHAND: &struct ckpt_rec_sighand
 * @CKPT_REC_SIGNAL: &struct ckpt_rec_signal
 * @CKPT_REC_MM: &struct ckpt_rec_mm
 * @CKPT_REC_VMA: &struct ckpt_rec_vma, follow their MM record in address order
 * @CKPT_REC_TASK: &struct ckpt_rec_task
 * @CKPT_REC_SIGPENDING: &struct ckpt_rec_sigpending, follows TASK: that of the
 *	thread, and with the first that lives of a process that of the process
 * @CKPT_REC_PIPE: &struct ckpt_rec_pipe
 * @CKPT_REC_TIMERS: &struct ckpt_rec_timers, follows TASK: with the first that
 *	lives of a process
 * @CKPT_REC_SECCOMP: &struct ckpt_rec_seccomp
 * @CKPT_REC_EVENTFD: &struct ckpt_rec_eventfd, follows FILE
 * @CKPT_REC_TIMERFD: &struct ckpt_rec_timerfd, follows FILE
 * @CKPT_REC_SIGNALFD: &struct ckpt_rec_signalfd, follows FILE
 * @CKPT_REC_EPOLL: &struct ckpt_rec_epoll, behind all objects
 * @CKPT_REC_PIDFD: &struct ckpt_rec_pidfd, follows FILE
 * @CKPT_REC_INODE: &struct ckpt_rec_inode, its contents are payload
 * @CKPT_REC_LOCKS: &struct ckpt_rec_locks, behind all objects
 * @CKPT_REC_FOWNER: &struct ckpt_rec_fowner, behind all objects
 * @CKPT_REC_PROC: &struct ckpt_rec_proc, follows FILE
 * @CKPT_REC_INOTIFY: &struct ckpt_rec_inotify, follows FILE
 * @CKPT_REC_FANOTIFY: &struct ckpt_rec_fanotify, follows FILE
 * @CKPT_REC_COW: &struct ckpt_rec_cow, among the PAGES records
 * @CKPT_REC_POISON: &struct ckpt_rec_poison, behind the PAGES and COW records of
 *	an address space
 * @CKPT_REC_SOFT_DIRTY: &struct ckpt_rec_soft_dirty, behind the POISON records of
 *	an address space
 * @CKPT_REC_UNIX_SOCK: &struct ckpt_rec_unix_sock, follows FILE
 * @CKPT_REC_UNIX_MSG: &struct ckpt_rec_unix_msg, behind all tasks
 * @CKPT_REC_EXTERNAL: &struct ckpt_rec_external, follows FILE
 * @CKPT_REC_RELINK: &struct ckpt_rec_relink, follows INODE
 * @CKPT_REC_NSFILE: &struct ckpt_rec_nsfile, follows FILE
 * @CKPT_REC_HUGETLB: &struct ckpt_rec_hugetlb, follows INODE
 * @CKPT_REC_RESTART_BLOCK: &struct ckpt_rec_restart_block, follows TASK
 * @CKPT_REC_MEMPOLICY: &struct ckpt_rec_mempolicy, follows the VMA or INODE or, as
 *	one of its parts, the TASK that has it
 * @CKPT_REC_X86_CPU: &struct ckpt_rec_x86_cpu, follows TASK
 * @CKPT_REC_X86_XSTATE: &struct ckpt_rec_x86_xstate, follows TASK
 * @CKPT_REC_X86_FEATURES: &struct ckpt_rec_x86_features, follows HEADER
 */
enum ckpt_rec_type {
	CKPT_REC_HEADER		= 1,
	CKPT_REC_TREE		= 2,
	CKPT_REC_TREE_TASK	= 3,
	CKPT_REC_META_END	= 4,
	CKPT_REC_PAD		= 5,
	CKPT_REC_PAGES		= 6,
	CKPT_REC_INDEX		= 7,
	CKPT_REC_TAIL		= 8,

	CKPT_REC_NS		= 16,
	CKPT_REC_CRED		= 17,
	CKPT_REC_FILE		= 18,
	CKPT_REC_FILES		= 19,
	CKPT_REC_FS		= 20,
	CKPT_REC_SIGHAND	= 21,
	CKPT_REC_SIGNAL		= 22,
	CKPT_REC_MM		= 23,
	CKPT_REC_VMA		= 24,
	CKPT_REC_TASK		= 25,
	CKPT_REC_SIGPENDING	= 26,
	CKPT_REC_RESTART_BLOCK	= 27,
	CKPT_REC_PIPE		= 28,
	CKPT_REC_TIMERS		= 29,
	CKPT_REC_SECCOMP	= 30,
	CKPT_REC_EVENTFD	= 31,
	CKPT_REC_TIMERFD	= 32,
	CKPT_REC_SIGNALFD	= 33,
	CKPT_REC_EPOLL		= 34,
	CKPT_REC_PIDFD		= 35,
	CKPT_REC_INODE		= 36,
	CKPT_REC_UNIX_SOCK	= 39,
	CKPT_REC_UNIX_MSG	= 40,
	CKPT_REC_LOCKS		= 45,
	CKPT_REC_FOWNER		= 46,
	CKPT_REC_PROC		= 47,
	CKPT_REC_INOTIFY	= 48,
	CKPT_REC_COW		= 55,
	CKPT_REC_HUGETLB	= 56,
	CKPT_REC_POISON		= 57,
	CKPT_REC_SOFT_DIRTY	= 58,
	CKPT_REC_EXTERNAL	= 60,
	CKPT_REC_RELINK		= 61,
	CKPT_REC_NSFILE		= 62,
	CKPT_REC_FANOTIFY	= 63,

	CKPT_REC_MEMPOLICY	= 42,

	CKPT_REC_X86_CPU	= 64,
	CKPT_REC_X86_XSTATE	= 65,
	CKPT_REC_X86_FEATURES	= 66,
};

#define CKPT_UTS_LEN		72
#define CKPT_UUID_LEN		16

/**
 * struct ckpt_rec_header - what the image is and where it was made
 * @h: header
 * @magic: CKPT_IMAGE_MAGIC
 * @version: CKPT_IMAGE_VERSION
 * @arch: CKPT_ARCH_*
 * @feature_compat: CKPT_COMPAT_*
 * @feature_incompat: CKPT_INCOMPAT_*
 * @page_shift: page size of the payload is 1 << @page_shift
 * @nr_signals: number of signals (_NSIG)
 * @nr_rlimits: number of resource limits (RLIM_NLIMITS)
 * @hz: USER_HZ
 * @flags: CHECKPOINT_* flags that the image was made with
 * @uuid: random identity of the image
 * @parent_uuid: identity of the image that this one adds to, or zeros
 * @boot_id: as /proc/sys/kernel/random/boot_id, to tell a reboot
 * @realtime_ns: CLOCK_REALTIME at the freeze, as the root task sees it
 * @monotonic_ns: CLOCK_MONOTONIC likewise
 * @boottime_ns: CLOCK_BOOTTIME likewise
 * @timens_monotonic_ns: what the time namespace of the root task adds to
 *	CLOCK_MONOTONIC of the machine; contained in @monotonic_ns
 * @timens_boottime_ns: likewise, of CLOCK_BOOTTIME
 * @id: what checkpoint() returned
 * @uts_release: utsname.release of the kernel that wrote it, NUL terminated
 * @uts_version: utsname.version
 * @uts_machine: utsname.machine
 */
struct ckpt_rec_header {
	struct ckpt_hdr h;
	__u8  magic[8];
	__u32 version;
	__u32 arch;
	__u64 feature_compat;
	__u64 feature_incompat;
	__u32 page_shift;
	__u32 nr_signals;
	__u32 nr_rlimits;
	__u32 hz;
	__u64 flags;
	__u8  uuid[CKPT_UUID_LEN];
	__u8  parent_uuid[CKPT_UUID_LEN];
	__u8  boot_id[CKPT_UUID_LEN];
	__s64 realtime_ns;
	__s64 monotonic_ns;
	__s64 boottime_ns;
	__s64 timens_monotonic_ns;
	__s64 timens_boottime_ns;
	__u64 id;
	char  uts_release[CKPT_UTS_LEN];
	char  uts_version[CKPT_UTS_LEN];
	char  uts_machine[CKPT_UTS_LEN];
};

/**
 * struct ckpt_rec_tree - the tasks of the image
 * @h: header
 * @nr_tasks: number of TREE_TASK records that follow, in the order of their
 *	index: a parent before its children, a leader before its threads
 * @root: index of the root task, 0
 */
struct ckpt_rec_tree {
	struct ckpt_hdr h;
	__u32 nr_tasks;
	__u32 root;
};

/* ckpt_rec_tree_task.flags */
#define CKPT_TREE_ZOMBIE	(1U << 0)	/* exited, not waited for */
#define CKPT_TREE_COMPAT	(1U << 2)	/* a 32-bit task */
#define CKPT_TREE_OUTER_SESSION	(1U << 3)	/* others are in its session, too */
#define CKPT_TREE_OUTER_GROUP	(1U << 4)	/* likewise its process group */
#define CKPT_TREE_FLAGS_ALL	0x1dU

#define CKPT_TREE_NO_PARENT	0xffffffffU

/* ckpt_rec_tree_task.pidns_children */
#define CKPT_PIDNS_NEW		0xffffffffU	/* nobody has been in it yet */
#define CKPT_PIDNS_DEAD		0xfffffffeU	/* its init has exited */

/**
 * struct ckpt_tree_ids - ids of a task in one pid namespace, 0: not in it
 * @pid: thread id
 * @tgid: process id
 * @pgid: process group id
 * @sid: session id
 */
struct ckpt_tree_ids {
	__s32 pid;
	__s32 tgid;
	__s32 pgid;
	__s32 sid;
};

/**
 * struct ckpt_rec_tree_task - one task, for the program that makes the tree
 * @h: header
 * @index: index of the task, counted from 0
 * @parent: index of the thread that is the parent; CKPT_TREE_NO_PARENT for the
 *	root, and for threads that are not the leader
 * @leader: index of the thread group leader
 * @exit_signal: signal to the parent at exit, of a leader
 * @flags: CKPT_TREE_*; CKPT_TREE_OUTER_* of a leader
 * @nr_levels: number of &struct ckpt_tree_ids that follow, from the pid
 *	namespace of the root task downwards
 * @pidns: the pid namespace that the task is in: 1 + index of the task that is
 *	its init; 0: that of the restarter
 * @pidns_children: likewise, the one that its next children will be in, or
 *	CKPT_PIDNS_*; 0: @pidns
 * @pidns_next: of an init: from this id on the namespace looks for the next one
 * @pidns_memfd_noexec: of an init: sysctl vm.memfd_noexec of the namespace
 */
struct ckpt_rec_tree_task {
	struct ckpt_hdr h;
	__u32 index;
	__u32 parent;
	__u32 leader;
	__u32 exit_signal;
	__u32 flags;
	__u32 nr_levels;
	__u32 pidns;
	__u32 pidns_children;
	__u32 pidns_next;
	__u32 pidns_memfd_noexec;
};

/**
 * struct ckpt_rec_meta_end - end of the metadata
 * @h: header
 * @nr_records: records before this one
 * @nr_objects: objects, that is the highest objref
 * @__reserved: zero
 */
struct ckpt_rec_meta_end {
	struct ckpt_hdr h;
	__u64 nr_records;
	__u32 nr_objects;
	__u32 __reserved;
};

/**
 * struct ckpt_page_run - pages that follow each other
 * @start: number of the first page in the object: the address, or the offset in
 *	the file, divided by the page size
 * @nr: number of pages
 */
struct ckpt_page_run {
	__u64 start;
	__u64 nr;
};

/* Bits of ckpt_rec_pages.flags. */
#define CKPT_PAGES_HUGE		(1U << 0)
#define CKPT_PAGES_ORDER_SHIFT	8
#define CKPT_PAGES_ORDER_MASK	(0xfU << CKPT_PAGES_ORDER_SHIFT)
#define CKPT_PAGES_FLAGS_ALL	(CKPT_PAGES_HUGE | CKPT_PAGES_ORDER_MASK)

/* Highest order there: as many pages as a record announces at most. */
#define CKPT_PAGES_ORDER_MAX	8

/* Pages of a huge page, which lies at a multiple of it. */
#define CKPT_HUGE_NR		512

/**
 * struct ckpt_rec_pages - announces payload
 * @h: header
 * @objref: the object that the pages belong to
 * @nr_runs: number of &struct ckpt_page_run that follow, ascending in one
 *	record and from one record of the object to the next
 * @data_len: bytes of payload; they start at the next page boundary of the
 *	image behind this record, the gap is filled with zeros
 * @data_crc: CRC32C of the payload
 * @flags: CKPT_PAGES_*
 *
 * The records of an object stand together: first inodes, in the order of their
 * numbers, then address spaces, in the order in which the tasks use them for the
 * first time. What stands behind the end of a file in its last page is zero.
 *
 * CKPT_PAGES_HUGE: all pages of the record belong to one huge page, of private
 * anonymous memory or of shared memory (tmpfs). Records about one huge page follow
 * each other. What is in none of them is zero; of shared memory that is what lies
 * behind the end of the file. A reader may do with small pages.
 *
 * CKPT_PAGES_ORDER_MASK: if it is not 0 all pages of the record belong to large
 * folios of 2^N pages, of private anonymous memory or of shared memory, each of
 * which lies at a multiple of its size and is complete. Likewise, a reader may do
 * with small pages. It does not go with CKPT_PAGES_HUGE.
 */
struct ckpt_rec_pages {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr_runs;
	__u64 data_len;
	__u32 data_crc;
	__u32 flags;
};

/**
 * struct ckpt_cow_run - pages that are those of another address space
 * @start: number of the first page, as in &struct ckpt_page_run
 * @from: number of the first page in the other address space
 * @nr: number of pages
 * @mm: objref of the other address space, whose pages come before in the image
 */
struct ckpt_cow_run {
	__u64 start;
	__u64 from;
	__u32 nr;
	__u32 mm;
};

/**
 * struct ckpt_rec_cow - pages that stand in the image with another address space
 * @h: header
 * @objref: the address space
 * @nr_runs: number of &struct ckpt_cow_run that follow, ascending by their start
 *	in one record and from one record of the object to the next
 *
 * They are one page in memory until one of those who have it writes to it. The
 * other address space has the page, from a PAGES record or again from a COW
 * record. Both pages lie in private mappings.
 */
struct ckpt_rec_cow {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr_runs;
};

/**
 * struct ckpt_rec_poison - memory that was declared broken (UFFDIO_POISON)
 * @h: header
 * @objref: the address space
 * @nr_runs: number of &struct ckpt_page_run that follow, ascending in one record
 *	and from one record of the object to the next
 *
 * An access to it is answered by SIGBUS. It is about the mapping, of any kind,
 * not about what is mapped. Of huge pages (hugetlb) all is.
 */
struct ckpt_rec_poison {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr_runs;
};

/**
 * struct ckpt_rec_soft_dirty - pages that were written to since somebody asked
 * @h: header
 * @objref: the address space
 * @nr_runs: number of &struct ckpt_page_run that follow: first a mapping, or part
 *	of one, that is not soft-dirty as a whole, then the pages in it that are,
 *	ascending; each record of the object is about pages behind those of the
 *	record before
 *
 * A mapping that no record is about is soft-dirty as a whole.
 */
struct ckpt_rec_soft_dirty {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr_runs;
};

/**
 * struct ckpt_index_entry - where a record with or about pages is
 * @objref: its object
 * @__reserved: zero
 * @start: the first page in it
 * @offset: offset of the record
 */
struct ckpt_index_entry {
	__u32 objref;
	__u32 __reserved;
	__u64 start;
	__u64 offset;
};

/**
 * struct ckpt_rec_index - part of the list of PAGES, COW, POISON and SOFT_DIRTY
 * records
 * @h: header
 * @nr: number of &struct ckpt_index_entry that follow
 * @__reserved: zero
 */
struct ckpt_rec_index {
	struct ckpt_hdr h;
	__u32 nr;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_tail - last record
 * @h: header
 * @nr_records: all records with this one
 * @nr_pages: pages of payload
 * @meta_offset: offset of the META_END record
 * @index_offset: offset of the first INDEX record, or of this record where
 *	there is none since there are no such records
 * @image_len: length of the image with this record
 * @uuid: as in the header
 * @magic: CKPT_TAIL_MAGIC
 */
struct ckpt_rec_tail {
	struct ckpt_hdr h;
	__u64 nr_records;
	__u64 nr_pages;
	__u64 meta_offset;
	__u64 index_offset;
	__u64 image_len;
	__u8  uuid[CKPT_UUID_LEN];
	__u8  magic[8];
};

/* Kinds of namespaces, as CLONE_NEW* tells them apart. */
enum ckpt_ns_kind {
	CKPT_NS_MNT	= 1,
	CKPT_NS_UTS	= 2,
	CKPT_NS_IPC	= 3,
	CKPT_NS_NET	= 4,
	CKPT_NS_PID	= 5,
	CKPT_NS_CGROUP	= 6,
	CKPT_NS_TIME	= 7,
	CKPT_NS_USER	= 8,
};

/* ckpt_rec_ns.flags: use the namespace that the restarter is in. */
#define CKPT_NS_RESTARTERS	(1U << 0)

/**
 * struct ckpt_rec_ns - a namespace
 * @h: header
 * @objref: of this object
 * @kind: enum ckpt_ns_kind
 * @flags: CKPT_NS_*
 * @__reserved: zero
 */
struct ckpt_rec_ns {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 kind;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_cred - credentials of a task or of an open file; ids are
 *	those that the user namespace @userns shows
 * @h: header
 * @objref: of this object
 * @userns: objref of the user namespace
 * @uid: real; likewise the others
 * @gid: real
 * @suid: saved
 * @sgid: saved
 * @euid: effective
 * @egid: effective
 * @fsuid: for file access
 * @fsgid: for file access
 * @securebits: SECBIT_*
 * @nr_groups: number of supplementary groups, __u32 each, that follow
 * @cap_inheritable: bit n is capability n; likewise the others
 * @cap_permitted: permitted
 * @cap_effective: effective
 * @cap_bset: bounding set
 * @cap_ambient: ambient
 */
struct ckpt_rec_cred {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 userns;
	__u32 uid;
	__u32 gid;
	__u32 suid;
	__u32 sgid;
	__u32 euid;
	__u32 egid;
	__u32 fsuid;
	__u32 fsgid;
	__u32 securebits;
	__u32 nr_groups;
	__u64 cap_inheritable;
	__u64 cap_permitted;
	__u64 cap_effective;
	__u64 cap_bset;
	__u64 cap_ambient;
};

/* How an open file is brought back. */
enum ckpt_file_kind {
	CKPT_FILE_REG	= 1,	/* regular file, opened by path */
	CKPT_FILE_DIR	= 2,	/* directory, opened by path */
	CKPT_FILE_CHR	= 3,	/* character device of the allow list, by path */
	CKPT_FILE_TTY	= 4,	/* terminal, by path */
	CKPT_FILE_IMAGE	= 5,	/* output of the checkpoint that saved it */
	CKPT_FILE_LOG	= 6,	/* log of the checkpoint that saved it */
	CKPT_FILE_PIPE	= 7,	/* end of an unnamed pipe */
	CKPT_FILE_EVENTFD = 8,	/* see &struct ckpt_rec_eventfd */
	CKPT_FILE_FIFO	= 9,	/* end of a FIFO, by path */
	CKPT_FILE_TIMERFD = 10,	/* see &struct ckpt_rec_timerfd */
	CKPT_FILE_SIGNALFD = 11, /* see &struct ckpt_rec_signalfd */
	CKPT_FILE_EPOLL	= 12,	/* see &struct ckpt_rec_epoll */
	CKPT_FILE_PIDFD	= 13,	/* see &struct ckpt_rec_pidfd */
	CKPT_FILE_INODE	= 14,	/* see &struct ckpt_rec_inode */
	CKPT_FILE_INODE_MADE = 15, /* likewise, and made with its inode */
	CKPT_FILE_UNIX	= 18,	/* see &struct ckpt_rec_unix_sock */
	CKPT_FILE_NODE	= 21,	/* symbolic link, FIFO... with O_PATH, by path */
	CKPT_FILE_KERNFS = 22,	/* text of sysfs or of a control group, by path */
	CKPT_FILE_PROC	= 23,	/* text, or of a task; see &struct ckpt_rec_proc */
	CKPT_FILE_INOTIFY = 24,	/* see &struct ckpt_rec_inotify */
	CKPT_FILE_EXTERNAL = 25, /* see &struct ckpt_rec_external */
	CKPT_FILE_NS	= 26,	/* see &struct ckpt_rec_nsfile */
	CKPT_FILE_FANOTIFY = 27, /* see &struct ckpt_rec_fanotify */
	CKPT_FILE_FIFO_INODE = 28, /* end of a FIFO that was deleted */
};

/* ckpt_rec_file.flags */
#define CKPT_FILE_F_PATH_ONLY	(1U << 0)	/* a location, not an open file */
#define CKPT_FILE_F_CREATED	(1U << 1)	/* its open() made the file */
#define CKPT_FILE_F_UNPAIRED	(1U << 2)	/* no writer of the FIFO has come yet */
#define CKPT_FILE_F_ALL		0x7U

/* ckpt_rec_file.advice, of posix_fadvise() for the whole file */
#define CKPT_ADVICE_RANDOM	(1U << 0)
#define CKPT_ADVICE_SEQUENTIAL	(1U << 1)
#define CKPT_ADVICE_NOREUSE	(1U << 2)
#define CKPT_ADVICE_ALL		0x7U

/**
 * struct ckpt_rec_file - an open file, or a location (working directory...)
 * @h: header
 * @objref: of this object
 * @kind: enum ckpt_file_kind
 * @flags: CKPT_FILE_F_*
 * @f_flags: O_* as F_GETFL shows them
 * @pos: file position
 * @cred: objref of the credentials that opened it
 * @mode: st_mode
 * @dev_major: of the device that holds the file
 * @dev_minor: likewise
 * @rdev_major: of a device node
 * @rdev_minor: likewise
 * @ino: inode number
 * @size: st_size
 * @mtime_sec: time of the last change of contents
 * @mtime_nsec: likewise
 * @generation: inode generation, 0 where the file system has none
 * @fs_magic: statfs.f_type
 * @owner_pid: pid that gets SIGIO, negative: process group; 0: none
 * @owner_type: F_OWNER_*
 * @owner_sig: F_SETSIG
 * @path_len: bytes of path with its NUL; the path as seen from the root
 *	directory of the root task
 * @fs_uuid: of the file system, zeros where it has none
 * @pipe: objref of the PIPE record with CKPT_FILE_PIPE, CKPT_FILE_FIFO and
 *	CKPT_FILE_FIFO_INODE, else 0
 * @inode: objref of the INODE record with CKPT_FILE_INODE, CKPT_FILE_INODE_MADE
 *	and CKPT_FILE_FIFO_INODE, else 0
 * @advice: CKPT_ADVICE_* of a regular file
 * @write_hint: RWH_WRITE_LIFE_* of its inode, likewise
 */
struct ckpt_rec_file {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 kind;
	__u32 flags;
	__u32 f_flags;
	__s64 pos;
	__u32 cred;
	__u32 mode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 rdev_major;
	__u32 rdev_minor;
	__u64 ino;
	__u64 size;
	__s64 mtime_sec;
	__u32 mtime_nsec;
	__u32 generation;
	__u64 fs_magic;
	__s32 owner_pid;
	__u32 owner_type;
	__u32 owner_sig;
	__u32 path_len;
	__u8  fs_uuid[CKPT_UUID_LEN];
	__u32 pipe;
	__u32 inode;
	__u32 advice;
	__u32 write_hint;
};

/* Where an inode comes from that no path leads to. */
enum ckpt_inode_kind {
	CKPT_INODE_ANON		= 1,	/* shared anonymous memory */
	CKPT_INODE_MEMFD	= 2,	/* memfd_create() */
	CKPT_INODE_UNLINKED	= 3,	/* deleted, or opened with O_TMPFILE */
};

/* ckpt_rec_inode.flags */
#define CKPT_INODE_NORESERVE	(1U << 0)	/* MAP_NORESERVE, of CKPT_INODE_ANON */
#define CKPT_INODE_LINKABLE	(1U << 1)	/* linkat() may give it a name */
#define CKPT_INODE_NAMELESS	(1U << 2)	/* has never had a name */
#define CKPT_INODE_FLAGS_ALL	0x7U

/**
 * struct ckpt_xattr - an extended attribute
 * @name_len: bytes of its name with the NUL
 * @value_len: bytes of its value
 *
 * Name and value follow, then zeros up to a multiple of 8.
 */
struct ckpt_xattr {
	__u32 name_len;
	__u32 value_len;
};

/**
 * struct ckpt_rec_inode - contents of files that no path leads to
 * @h: header
 * @objref: of this object
 * @kind: enum ckpt_inode_kind
 * @flags: CKPT_INODE_*
 * @seals: F_SEAL_* of a CKPT_INODE_MEMFD
 * @size: st_size; what of it is no hole is payload
 * @mode: st_mode, of a regular file; of a CKPT_INODE_UNLINKED also of a
 *	directory or FIFO, whose size is 0
 * @uid: owner, as the user namespace of the caller shows it
 * @gid: group, likewise
 * @cred: objref of credentials that it was opened with
 * @atime_sec: time of the last access
 * @mtime_sec: time of the last change of contents
 * @atime_nsec: likewise
 * @mtime_nsec: likewise
 * @fs_magic: statfs.f_type
 * @path_len: bytes of the path with its NUL, which follows: of a
 *	CKPT_INODE_UNLINKED the one that it had, as seen from the root directory
 *	of the root task; of a CKPT_INODE_MEMFD its name with "memfd:"
 * @nr_xattrs: number of &struct ckpt_xattr, which stand behind the path and
 *	zeros up to a multiple of 8
 * @var_len: bytes of these and of the path
 * @__reserved: zero
 *
 * Only @size, @flags and the contents count of a CKPT_INODE_ANON.
 */
struct ckpt_rec_inode {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 kind;
	__u32 flags;
	__u32 seals;
	__u64 size;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 cred;
	__s64 atime_sec;
	__s64 mtime_sec;
	__u32 atime_nsec;
	__u32 mtime_nsec;
	__u64 fs_magic;
	__u32 path_len;
	__u32 nr_xattrs;
	__u32 var_len;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_relink - where the contents of an inode are, not in the image
 * @h: header
 * @inode: objref of the INODE record, which is a CKPT_INODE_UNLINKED
 * @path_len: bytes of the path with its NUL, which follows: of a file of the
 *	same size and time of change of contents, as seen from the root
 *	directory of the root task
 */
struct ckpt_rec_relink {
	struct ckpt_hdr h;
	__u32 inode;
	__u32 path_len;
};

/**
 * struct ckpt_hugetlb_region - huge pages of a file that are in use or in reserve
 * @start: number of the first huge page in the file
 * @nr: their number
 */
struct ckpt_hugetlb_region {
	__u64 start;
	__u64 nr;
};

/**
 * struct ckpt_rec_hugetlb - an inode of huge pages (hugetlb)
 * @h: header
 * @inode: objref of the INODE record, which is no CKPT_INODE_UNLINKED; its size
 *	is a multiple of the page size
 * @page_shift: the page size is 1 << @page_shift
 * @nr_regions: number of &struct ckpt_hugetlb_region that follow, ascending
 * @__reserved: zero
 *
 * The payload of the inode holds the huge pages that are in use, each complete.
 */
struct ckpt_rec_hugetlb {
	struct ckpt_hdr h;
	__u32 inode;
	__u32 page_shift;
	__u32 nr_regions;
	__u32 __reserved;
};

#define CKPT_PIPE_BUF_PACKET	(1U << 0)	/* one read() takes it whole */

/**
 * struct ckpt_pipe_buf - a piece of what a pipe holds
 * @len: its length, at most a page
 * @flags: CKPT_PIPE_BUF_*
 */
struct ckpt_pipe_buf {
	__u32 len;
	__u32 flags;
};

/**
 * struct ckpt_rec_pipe - an unnamed pipe, or a FIFO
 * @h: header
 * @objref: of this object
 * @capacity: in bytes, as F_GETPIPE_SZ shows it
 * @nr_bufs: number of &struct ckpt_pipe_buf that follow
 * @var_len: bytes of these and of the contents behind them
 */
struct ckpt_rec_pipe {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 capacity;
	__u32 nr_bufs;
	__u32 var_len;
};

/**
 * struct ckpt_rec_external - an open file that is not part of the tree
 * @h: header
 * @file: objref of the open file. Of its FILE record count mode, rdev_major,
 *	rdev_minor, f_flags, and the path: the text that /proc/PID/fd has shown
 * @family: of a socket its address family, else 0
 * @type: of a socket SOCK_*, else 0
 * @key_len: bytes of the key with its NUL, which follows: it was declared
 *	external by that
 */
struct ckpt_rec_external {
	struct ckpt_hdr h;
	__u32 file;
	__u32 family;
	__u32 type;
	__u32 key_len;
};

/**
 * struct ckpt_rec_nsfile - a namespace that is open as a file
 * @h: header
 * @file: objref of the open file
 * @task: index of a task that is in the namespace
 * @type: CLONE_NEW*
 * @__reserved: zero
 */
struct ckpt_rec_nsfile {
	struct ckpt_hdr h;
	__u32 file;
	__u32 task;
	__u32 type;
	__u32 __reserved;
};

#define CKPT_EVENTFD_SEMAPHORE	(1U << 0)	/* EFD_SEMAPHORE */

/**
 * struct ckpt_rec_eventfd - counter of an eventfd
 * @h: header
 * @file: objref of the open file
 * @flags: CKPT_EVENTFD_*
 * @count: what it has counted
 */
struct ckpt_rec_eventfd {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u64 count;
};

/* ckpt_rec_timerfd.flags */
#define CKPT_TIMERFD_ARMED	(1U << 0)	/* the deadline is still to come */
#define CKPT_TIMERFD_EXPIRED	(1U << 1)	/* it has come and was not read */
#define CKPT_TIMERFD_CANCELABLE	(1U << 2)	/* TFD_TIMER_CANCEL_ON_SET counts */
#define CKPT_TIMERFD_CANCELED	(1U << 3)	/* the clock was set, not yet told */
#define CKPT_TIMERFD_FLAGS_ALL	0xfU

/**
 * struct ckpt_rec_timerfd - a timerfd
 * @h: header
 * @file: objref of the open file
 * @clock: CLOCK_*
 * @flags: CKPT_TIMERFD_*
 * @settime_flags: TFD_TIMER_* that it was last set with
 * @ticks: expirations that were counted and not read
 * @interval: in ns
 * @value: time left in ns when it was saved, negative if the deadline is over,
 *	the largest number is for ever; with TFD_TIMER_ABSTIME on
 *	CLOCK_REALTIME the deadline itself
 * @offset: what CLOCK_REALTIME was ahead of CLOCK_MONOTONIC of the machine, to
 *	tell whether it was set
 */
struct ckpt_rec_timerfd {
	struct ckpt_hdr h;
	__u32 file;
	__u32 clock;
	__u32 flags;
	__u32 settime_flags;
	__u64 ticks;
	__u64 interval;
	__s64 value;
	__s64 offset;
};

/**
 * struct ckpt_rec_signalfd - a signalfd
 * @h: header
 * @file: objref of the open file
 * @__reserved: zero
 * @mask: signals that it takes, bit n - 1 is signal n
 */
struct ckpt_rec_signalfd {
	struct ckpt_hdr h;
	__u32 file;
	__u32 __reserved;
	__u64 mask;
};

#define CKPT_EPOLL_READY	(1U << 0)	/* has still to be told */

/**
 * struct ckpt_epoll_item - what an epoll watches
 * @file: objref of the open file
 * @fd: descriptor that it was added by, which may be another's today
 * @events: EPOLL*, as they count now: none but flags after EPOLLONESHOT
 * @flags: CKPT_EPOLL_*
 * @data: of the program
 * @sighand: of a signalfd: objref of the signal handlers of the process whose
 *	signals count, 0: it is no more
 * @__reserved: zero
 */
struct ckpt_epoll_item {
	__u32 file;
	__s32 fd;
	__u32 events;
	__u32 flags;
	__u64 data;
	__u32 sighand;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_epoll - items of an epoll; one with many has more records
 * @h: header
 * @file: objref of the open file
 * @nr_items: number of &struct ckpt_epoll_item that follow, those that are
 *	ready first and in the order in which they are told
 * @busy_poll_usecs: as EPIOCSPARAMS takes it; likewise the next two
 * @busy_poll_budget: packets
 * @prefer_busy_poll: 0 or 1
 * @__reserved: zero
 */
struct ckpt_rec_epoll {
	struct ckpt_hdr h;
	__u32 file;
	__u32 nr_items;
	__u32 busy_poll_usecs;
	__u32 busy_poll_budget;
	__u32 prefer_busy_poll;
	__u32 __reserved;
};

/* Whose a lock of a file is. */
enum ckpt_lock_kind {
	CKPT_LOCK_POSIX	= 1,	/* F_SETLK: of a file table */
	CKPT_LOCK_OFD	= 2,	/* F_OFD_SETLK: of an open file */
	CKPT_LOCK_FLOCK	= 3,	/* flock(): of an open file */
	CKPT_LOCK_LEASE	= 4,	/* F_SETLEASE: likewise */
};

#define CKPT_LOCK_NO_TASK	(~0U)	/* who took it is no more, or outside */

/**
 * struct ckpt_lock - a lock of a file, which is held
 * @kind: enum ckpt_lock_kind
 * @type: F_RDLCK or F_WRLCK
 * @fd: with CKPT_LOCK_POSIX a descriptor of the table for the open file that it
 *	was taken by; with CKPT_LOCK_LEASE the descriptor that a signal names;
 *	else 0
 * @task: index of the process that took it, or CKPT_LOCK_NO_TASK
 * @start: first byte
 * @end: last byte; up to the end of the file, wherever that may be: the largest
 *	number. CKPT_LOCK_FLOCK and _LEASE go from 0 to there
 */
struct ckpt_lock {
	__u32 kind;
	__u32 type;
	__u32 fd;
	__u32 task;
	__s64 start;
	__s64 end;
};

/**
 * struct ckpt_rec_locks - locks of one owner; one with many has more records
 * @h: header
 * @owner: objref of a file table or of an open file
 * @nr_locks: number of &struct ckpt_lock that follow
 */
struct ckpt_rec_locks {
	struct ckpt_hdr h;
	__u32 owner;
	__u32 nr_locks;
};

/* ckpt_rec_fowner.flags */
#define CKPT_FOWNER_SET		(1U << 0)	/* there was an owner once */
#define CKPT_FOWNER_ASYNC	(1U << 1)	/* O_ASYNC */
#define CKPT_FOWNER_LISTED	(1U << 2)	/* and signals come */
#define CKPT_FOWNER_FLAGS_ALL	0x7U

#define CKPT_FOWNER_NO_TASK	(~0U)	/* nobody, or who is no more */

/**
 * struct ckpt_rec_fowner - who gets SIGIO for an open file
 * @h: header
 * @file: objref of the open file
 * @flags: CKPT_FOWNER_*
 * @type: F_OWNER_*
 * @task: index of the owner, with F_OWNER_PGRP of one of the group, or
 *	CKPT_FOWNER_NO_TASK
 * @uid: of who has set the owner
 * @euid: likewise, effective
 * @sig: F_SETSIG
 * @fd: descriptor that signals name, with CKPT_FOWNER_LISTED
 */
struct ckpt_rec_fowner {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u32 type;
	__u32 task;
	__u32 uid;
	__u32 euid;
	__u32 sig;
	__s32 fd;
};

#define CKPT_PROC_THREAD	(1U << 0)	/* of or in .../task/TID */
#define CKPT_PROC_FLAGS_ALL	0x1U

#define CKPT_PROC_NO_TASK	(~0U)	/* of the machine, or of namespaces */

/**
 * struct ckpt_rec_proc - a file of proc, or a directory of a task there
 * @h: header
 * @file: objref of the open file
 * @flags: CKPT_PROC_*
 * @task: index of the task that it is of, or CKPT_PROC_NO_TASK
 * @mount_len: of what is of a task: bytes of its path up to where proc is mounted
 */
struct ckpt_rec_proc {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u32 task;
	__u32 mount_len;
};

/**
 * struct ckpt_inotify_watch - what an inotify watches; the path follows
 * @wd: watch descriptor
 * @mask: IN_*
 * @path_len: bytes of path with its NUL, which are filled up to a multiple of 8
 * @mode: st_mode of what is watched; 0: what is found by the path is not compared
 * @ino: its inode number
 * @generation: inode generation, 0 where the file system has none
 * @__reserved: zero
 */
struct ckpt_inotify_watch {
	__s32 wd;
	__u32 mask;
	__u32 path_len;
	__u32 mode;
	__u64 ino;
	__u32 generation;
	__u32 __reserved;
};

/* What there was of it in version 1. */
#define CKPT_INOTIFY_WATCH_MIN	16

/* ckpt_inotify_event.flags */
#define CKPT_INOTIFY_ON_CHILD	(1U << 0)	/* of a file, told by its directory */

/**
 * struct ckpt_inotify_event - what an inotify has still to tell; a name follows
 * @wd: watch descriptor, which may be no more; -1 with IN_Q_OVERFLOW
 * @mask: IN_*
 * @cookie: the same for both events of a rename()
 * @name_len: bytes of name without a NUL, which are filled up to a multiple of 8
 * @flags: CKPT_INOTIFY_*
 * @__reserved: zero
 */
struct ckpt_inotify_event {
	__s32 wd;
	__u32 mask;
	__u32 cookie;
	__u32 name_len;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_inotify - an inotify
 * @h: header
 * @file: objref of the open file
 * @nr_watches: number of &struct ckpt_inotify_watch that follow
 * @nr_events: number of &struct ckpt_inotify_event behind them, oldest first
 * @next_wd: where the search for the next watch descriptor begins
 * @var_len: bytes of both
 * @watch_len: length of a &struct ckpt_inotify_watch, 0: CKPT_INOTIFY_WATCH_MIN
 */
struct ckpt_rec_inotify {
	struct ckpt_hdr h;
	__u32 file;
	__u32 nr_watches;
	__u32 nr_events;
	__u32 next_wd;
	__u32 var_len;
	__u32 watch_len;
};

/* ckpt_sock_pid.kind */
#define CKPT_SOCK_PID_NONE	0U
#define CKPT_SOCK_PID_TASK	1U	/* a process of the tree */
#define CKPT_SOCK_PID_DEAD	2U	/* one that is no more */
#define CKPT_SOCK_PID_OUTSIDE	3U	/* one outside of the tree; of an event only */

/**
 * struct ckpt_sock_pid - a process that a socket or an event knows
 * @kind: CKPT_SOCK_PID_*
 * @task: index of a process of the tree; of an event perhaps of a thread
 * @pid: number that it had in the pid namespace of the root
 * @__reserved: zero
 * @id: with CKPT_SOCK_PID_DEAD, OUTSIDE: the same where the same process is meant
 */
struct ckpt_sock_pid {
	__u32 kind;
	__u32 task;
	__u32 pid;
	__u32 __reserved;
	__u64 id;
};

/**
 * struct ckpt_fanotify_mark - what a fanotify group watches; the path follows
 * @flags: FAN_MARK_INODE, FAN_MARK_MOUNT or FAN_MARK_FILESYSTEM, and
 *	FAN_MARK_IGNORED_SURV_MODIFY, FAN_MARK_EVICTABLE, FAN_MARK_IGNORE
 * @mask: FAN_*
 * @ignore_mask: FAN_* that are not told
 * @path_len: bytes of path with its NUL, which are filled up to a multiple of 8
 * @mode: st_mode of the inode that is watched; 0: what is found by the path is not
 *	compared
 * @generation: inode generation, 0 where the file system has none
 * @ino: its inode number
 */
struct ckpt_fanotify_mark {
	__u32 flags;
	__u32 mask;
	__u32 ignore_mask;
	__u32 path_len;
	__u32 mode;
	__u32 generation;
	__u64 ino;
};

/* ckpt_fanotify_event.kind */
#define CKPT_FANOTIFY_PATH	1U	/* of a file that is told by a descriptor */
#define CKPT_FANOTIFY_FID	2U	/* told by one file handle */
#define CKPT_FANOTIFY_NAME	3U	/* by handles of directories, and names */
#define CKPT_FANOTIFY_OVERFLOW	4U	/* there were more than could wait */
#define CKPT_FANOTIFY_ERROR	5U	/* of a file system */

/**
 * struct ckpt_fanotify_event - what a fanotify group has still to tell
 * @kind: CKPT_FANOTIFY_*
 * @mask: FAN_*
 * @pid: who did it
 * @ino: with CKPT_FANOTIFY_PATH: inode number of the file
 * @mode: likewise its st_mode; 0: what is found by the path is not compared
 * @generation: likewise, 0 where the file system has none
 * @fsid: of the handles
 * @path_len: bytes of path with its NUL
 * @name_len: bytes of name without a NUL
 * @name2_len: the same of the name that it has been given
 * @error: with CKPT_FANOTIFY_ERROR: errno
 * @err_count: likewise, how many there were
 * @fh_type: type of the handle of the file
 * @fh_len: its bytes, 0: there is none
 * @dir_type: the same of the directory that has @name_len
 * @dir_len: likewise
 * @dir2_type: the same of the directory that has @name2_len
 * @dir2_len: likewise
 * @__reserved: zero
 *
 * Behind it stand the path, the handles of the file and of both directories, and
 * both names, each filled up to a multiple of 8.
 */
struct ckpt_fanotify_event {
	__u32 kind;
	__u32 mask;
	struct ckpt_sock_pid pid;
	__u64 ino;
	__u32 mode;
	__u32 generation;
	__u32 fsid[2];
	__u32 path_len;
	__u16 name_len;
	__u16 name2_len;
	__s32 error;
	__u32 err_count;
	__u8 fh_type;
	__u8 fh_len;
	__u8 dir_type;
	__u8 dir_len;
	__u8 dir2_type;
	__u8 dir2_len;
	__u16 __reserved;
};

/* ckpt_rec_fanotify.flags */
#define CKPT_FANOTIFY_UNPRIV	(1U << 0)	/* made without CAP_SYS_ADMIN */

/**
 * struct ckpt_rec_fanotify - a fanotify group
 * @h: header
 * @file: objref of the open file
 * @flags: CKPT_FANOTIFY_*
 * @init_flags: FAN_* of fanotify_init()
 * @event_f_flags: O_* of what its events open
 * @nr_marks: number of &struct ckpt_fanotify_mark that follow
 * @mark_len: length of one without its path
 * @var_len: bytes of all
 * @nr_events: number of &struct ckpt_fanotify_event behind them, oldest first
 */
struct ckpt_rec_fanotify {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u32 init_flags;
	__u32 event_f_flags;
	__u32 nr_marks;
	__u32 mark_len;
	__u32 var_len;
	__u32 nr_events;
};

/* ckpt_rec_pidfd.flags */
#define CKPT_PIDFD_THREAD	(1U << 0)	/* PIDFD_THREAD */
#define CKPT_PIDFD_DEAD		(1U << 1)	/* its task is no more */
#define CKPT_PIDFD_FLAGS_ALL	0x3U

/**
 * struct ckpt_rec_pidfd - a pidfd
 * @h: header
 * @file: objref of the open file
 * @flags: CKPT_PIDFD_*
 * @task: index of the task, without CKPT_PIDFD_DEAD
 * @__reserved: zero
 * @id: with CKPT_PIDFD_DEAD: the same for pidfds of the same task
 */
struct ckpt_rec_pidfd {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u32 task;
	__u32 __reserved;
	__u64 id;
};

/* ckpt_sock.flags; where no word is said what SO_* of that name sets */
#define CKPT_SOCK_KEEPALIVE	(1U << 0)
#define CKPT_SOCK_OOBINLINE	(1U << 1)
#define CKPT_SOCK_LINGER	(1U << 2)
#define CKPT_SOCK_BROADCAST	(1U << 3)
#define CKPT_SOCK_DEBUG		(1U << 4)
#define CKPT_SOCK_DONTROUTE	(1U << 5)
#define CKPT_SOCK_RXQ_OVFL	(1U << 6)
#define CKPT_SOCK_WIFI_STATUS	(1U << 7)
#define CKPT_SOCK_NOFCS		(1U << 8)
#define CKPT_SOCK_SELECT_ERR_QUEUE (1U << 9)
#define CKPT_SOCK_RCVMARK	(1U << 10)
#define CKPT_SOCK_REUSEADDR	(1U << 11)
#define CKPT_SOCK_NO_CHECK	(1U << 12)
#define CKPT_SOCK_PASSCRED	(1U << 13)
#define CKPT_SOCK_PASSSEC	(1U << 14)
#define CKPT_SOCK_PASSPIDFD	(1U << 15)
#define CKPT_SOCK_SNDBUF_LOCK	(1U << 16)	/* the program has set SO_SNDBUF */
#define CKPT_SOCK_RCVBUF_LOCK	(1U << 17)	/* or SO_RCVBUF */
#define CKPT_SOCK_SHUT_RD	(1U << 18)	/* shutdown() of this side */
#define CKPT_SOCK_SHUT_WR	(1U << 19)
#define CKPT_SOCK_ALL		0xfffffU

/* ckpt_sock.linger: for ever */
#define CKPT_SOCK_LINGER_MAX	0xffffffffU

/**
 * struct ckpt_sock - what sockets of all families have
 * @flags: CKPT_SOCK_*
 * @err: errno that SO_ERROR tells
 * @sndbuf: bytes, as SO_SNDBUF tells it
 * @rcvbuf: bytes, as SO_RCVBUF tells it
 * @rcvlowat: SO_RCVLOWAT
 * @peek_off: SO_PEEK_OFF
 * @priority: SO_PRIORITY
 * @mark: SO_MARK
 * @linger: SO_LINGER, seconds
 * @rcvtimeo_usec: SO_RCVTIMEO, microseconds beyond @rcvtimeo_sec
 * @sndtimeo_usec: SO_SNDTIMEO, likewise
 * @__reserved: zero
 * @rcvtimeo_sec: seconds; both zero: for ever; negative: not at all
 * @sndtimeo_sec: likewise
 */
struct ckpt_sock {
	__u32 flags;
	__u32 err;
	__u32 sndbuf;
	__u32 rcvbuf;
	__u32 rcvlowat;
	__s32 peek_off;
	__u32 priority;
	__u32 mark;
	__u32 linger;
	__u32 rcvtimeo_usec;
	__u32 sndtimeo_usec;
	__u32 __reserved;
	__s64 rcvtimeo_sec;
	__s64 sndtimeo_sec;
};

#define CKPT_UNIX_CONNECTED	(1U << 0)	/* as socketpair() leaves it */
#define CKPT_UNIX_PEER_CLOSED	(1U << 1)	/* its other end was closed */
#define CKPT_UNIX_FLAGS_ALL	0x3U

/**
 * struct ckpt_rec_unix_sock - a socket of AF_UNIX without a name
 * @h: header
 * @file: objref of the open file
 * @sock_type: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
 * @flags: CKPT_UNIX_*
 * @peer: objref of the open file of its other end, or 0
 * @peer_cred: objref of the credentials that SO_PEERCRED tells, or 0
 * @nr_msgs: number of UNIX_MSG records that wait in it
 * @peer_pid: process that SO_PEERCRED tells
 * @sock: what sockets of all families have
 */
struct ckpt_rec_unix_sock {
	struct ckpt_hdr h;
	__u32 file;
	__u32 sock_type;
	__u32 flags;
	__u32 peer;
	__u32 peer_cred;
	__u32 nr_msgs;
	struct ckpt_sock_pid peer_pid;
	struct ckpt_sock sock;
};

#define CKPT_UNIX_MSG_OOB	(1U << 0)	/* the out-of-band byte */
/* What one message carries, SCM_MAX_FD. */
#define CKPT_UNIX_MAX_FILES	253

/**
 * struct ckpt_rec_unix_msg - a message that waits in a socket of AF_UNIX
 * @h: header
 * @file: objref of the open file of the socket
 * @flags: CKPT_UNIX_MSG_*
 * @len: bytes of the message, with those that were read
 * @consumed: bytes that were read, which do not follow
 * @nr_files: open files on their way
 * @var_len: bytes that follow: __u32 objrefs of the open files, then data
 * @uid: of SCM_CREDENTIALS, -1: none
 * @gid: likewise
 * @pid: likewise
 * @tstamp: CLOCK_REALTIME when it was sent, in ns, or 0
 *
 * The messages of a socket follow each other in their order.
 */
struct ckpt_rec_unix_msg {
	struct ckpt_hdr h;
	__u32 file;
	__u32 flags;
	__u32 len;
	__u32 consumed;
	__u32 nr_files;
	__u32 var_len;
	__u32 uid;
	__u32 gid;
	struct ckpt_sock_pid pid;
	__s64 tstamp;
};

#define CKPT_FD_CLOEXEC		(1U << 0)

/**
 * struct ckpt_fd - a descriptor
 * @fd: its number
 * @flags: CKPT_FD_*
 * @file: objref of the open file
 * @__reserved: zero
 */
struct ckpt_fd {
	__u32 fd;
	__u32 flags;
	__u32 file;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_files - a file table
 * @h: header
 * @objref: of this object
 * @nr_fds: number of &struct ckpt_fd that follow, in ascending order
 */
struct ckpt_rec_files {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr_fds;
};

/**
 * struct ckpt_rec_fs - root and working directory
 * @h: header
 * @objref: of this object
 * @umask: file mode creation mask
 * @root: objref of the FILE record of the root directory
 * @cwd: objref of the FILE record of the working directory
 */
struct ckpt_rec_fs {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 umask;
	__u32 root;
	__u32 cwd;
};

/* &ckpt_sigaction.flags: set by a 32-bit call, so its frames are 32-bit. */
#define CKPT_SA_COMPAT	(1ULL << 32)

/**
 * struct ckpt_sigaction - what one signal does
 * @handler: user address, or 0 (SIG_DFL), 1 (SIG_IGN)
 * @flags: SA_*, CKPT_SA_COMPAT
 * @restorer: user address
 * @mask: signals blocked meanwhile, bit n - 1 is signal n
 */
struct ckpt_sigaction {
	__u64 handler;
	__u64 flags;
	__u64 restorer;
	__u64 mask;
};

/**
 * struct ckpt_rec_sighand - signal dispositions
 * @h: header
 * @objref: of this object
 * @nr: number of &struct ckpt_sigaction that follow, for signals 1 to @nr
 */
struct ckpt_rec_sighand {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 nr;
};

/**
 * struct ckpt_rlimit - a resource limit; ~0 is RLIM_INFINITY
 * @cur: soft
 * @max: hard
 */
struct ckpt_rlimit {
	__u64 cur;
	__u64 max;
};

/**
 * struct ckpt_itimer - an interval timer, in ns
 * @value: time left, 0: not armed
 * @interval: reload value
 */
struct ckpt_itimer {
	__u64 value;
	__u64 interval;
};

/* ckpt_rec_signal.flags */
#define CKPT_SIGNAL_SUBREAPER	(1U << 0)
#define CKPT_SIGNAL_STOPPED	(1U << 1)	/* job control stop */
#define CKPT_SIGNAL_STOP_KNOWN	(1U << 2)	/* the parent has waited for it */
#define CKPT_SIGNAL_CONTINUED	(1U << 3)	/* goes on; nobody has waited for it */
#define CKPT_SIGNAL_FLAGS_ALL	0xfU

/**
 * struct ckpt_rec_signal - what the threads of a process share
 * @h: header
 * @objref: of this object
 * @flags: CKPT_SIGNAL_*
 * @oom_score_adj: as in /proc/PID/oom_score_adj
 * @oom_score_adj_min: the least that an unprivileged writer may set
 * @stop_code: signal that stopped the process, with CKPT_SIGNAL_STOPPED
 * @nr_rlimits: number of &struct ckpt_rlimit that follow
 * @itimer: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF
 * @utime: user CPU time of all threads, ns
 * @stime: system CPU time of all threads, ns
 * @cutime: of waited-for children
 * @cstime: of waited-for children
 * @min_flt: minor faults
 * @maj_flt: major faults
 * @nvcsw: voluntary context switches
 * @nivcsw: involuntary context switches
 * @start_time: ns of CLOCK_MONOTONIC at which the process started
 */
struct ckpt_rec_signal {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 flags;
	__s32 oom_score_adj;
	__s32 oom_score_adj_min;
	__u32 stop_code;
	__u32 nr_rlimits;
	struct ckpt_itimer itimer[3];
	__u64 utime;
	__u64 stime;
	__u64 cutime;
	__u64 cstime;
	__u64 min_flt;
	__u64 maj_flt;
	__u64 nvcsw;
	__u64 nivcsw;
	__u64 start_time;
};

/* ckpt_rec_mm.flags */
#define CKPT_MM_DUMPABLE_MASK	0x3U		/* SUID_DUMP_* */
#define CKPT_MM_THP_DISABLE	(1U << 2)
#define CKPT_MM_MDWE		(1U << 3)
#define CKPT_MM_MDWE_NO_INHERIT	(1U << 4)
#define CKPT_MM_KSM_ANY		(1U << 5)
#define CKPT_MM_TOPDOWN		(1U << 6)
#define CKPT_MM_COMPAT		(1U << 7)	/* address space of a 32-bit task */
#define CKPT_MM_DEF_LOCKED	(1U << 8)	/* mlockall(MCL_FUTURE) */
#define CKPT_MM_DEF_LOCKONFAULT	(1U << 9)	/* MCL_ONFAULT */
#define CKPT_MM_HAS_VDSO	(1U << 10)
#define CKPT_MM_FLAGS_ALL	0x7ffU

/**
 * struct ckpt_rec_mm - an address space
 * @h: header
 * @objref: of this object
 * @flags: CKPT_MM_*
 * @coredump_filter: as /proc/PID/coredump_filter shows it
 * @nr_vmas: number of VMA records that follow
 * @exe: objref of the FILE record of the executable, 0: none
 * @membarrier: MEMBARRIER_CMD_REGISTER_* that have been called
 * @auxv_len: bytes of the auxiliary vector that follow
 * @__reserved: zero
 * @start_code: as in /proc/PID/stat; likewise up to @env_end
 * @end_code: end of text
 * @start_data: start of data
 * @end_data: end of data
 * @start_brk: start of the heap
 * @brk: end of the heap
 * @start_stack: start of the stack
 * @arg_start: start of the arguments
 * @arg_end: end of the arguments
 * @env_start: start of the environment
 * @env_end: end of the environment
 * @mmap_base: where mmap() starts to look
 * @mmap_legacy_base: likewise, bottom up
 * @mmap_compat_base: @mmap_base of 32-bit calls
 * @mmap_compat_legacy_base: likewise, bottom up
 * @task_size: end of the address space
 * @vdso: address of the vdso, with CKPT_MM_HAS_VDSO
 * @vdso_len: its length in bytes
 * @vdso_crc: CRC32C of its contents: programs keep addresses inside the vdso,
 *	so that only the same vdso can take its place
 * @id: identity of the address space, stable along a lineage of images
 * @pkeys: bit n: memory protection key n is allocated; 0: as in a new one
 * @exec_pkey: key of memory that may only be executed, which is one of @pkeys;
 *	0: none
 */
struct ckpt_rec_mm {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 flags;
	__u32 coredump_filter;
	__u32 nr_vmas;
	__u32 exe;
	__u32 membarrier;
	__u32 auxv_len;
	__u32 __reserved;
	__u64 start_code;
	__u64 end_code;
	__u64 start_data;
	__u64 end_data;
	__u64 start_brk;
	__u64 brk;
	__u64 start_stack;
	__u64 arg_start;
	__u64 arg_end;
	__u64 env_start;
	__u64 env_end;
	__u64 mmap_base;
	__u64 mmap_legacy_base;
	__u64 mmap_compat_base;
	__u64 mmap_compat_legacy_base;
	__u64 task_size;
	__u64 vdso;
	__u32 vdso_len;
	__u32 vdso_crc;
	__u8  id[CKPT_UUID_LEN];
	__u32 pkeys;
	__u32 exec_pkey;
};

/* What a mapping maps. */
enum ckpt_vma_kind {
	CKPT_VMA_ANON	= 1,	/* private anonymous memory */
	CKPT_VMA_FILE	= 2,	/* a file, see CKPT_VMA_SHARED; /dev/zero */
	CKPT_VMA_VDSO	= 3,
	CKPT_VMA_VVAR	= 4,
};

/* ckpt_rec_vma.flags: those of /proc/PID/smaps' VmFlags that are kept */
#define CKPT_VMA_READ		(1ULL << 0)
#define CKPT_VMA_WRITE		(1ULL << 1)
#define CKPT_VMA_EXEC		(1ULL << 2)
#define CKPT_VMA_SHARED		(1ULL << 3)
#define CKPT_VMA_MAYREAD	(1ULL << 4)
#define CKPT_VMA_MAYWRITE	(1ULL << 5)
#define CKPT_VMA_MAYEXEC	(1ULL << 6)
#define CKPT_VMA_MAYSHARE	(1ULL << 7)
#define CKPT_VMA_GROWSDOWN	(1ULL << 8)
#define CKPT_VMA_LOCKED		(1ULL << 9)
#define CKPT_VMA_LOCKONFAULT	(1ULL << 10)
#define CKPT_VMA_SEQ_READ	(1ULL << 11)
#define CKPT_VMA_RAND_READ	(1ULL << 12)
#define CKPT_VMA_DONTCOPY	(1ULL << 13)
#define CKPT_VMA_DONTEXPAND	(1ULL << 14)
#define CKPT_VMA_ACCOUNT	(1ULL << 15)
#define CKPT_VMA_NORESERVE	(1ULL << 16)
#define CKPT_VMA_WIPEONFORK	(1ULL << 17)
#define CKPT_VMA_DONTDUMP	(1ULL << 18)
#define CKPT_VMA_HUGEPAGE	(1ULL << 19)
#define CKPT_VMA_NOHUGEPAGE	(1ULL << 20)
#define CKPT_VMA_MERGEABLE	(1ULL << 21)
#define CKPT_VMA_SEALED		(1ULL << 22)
#define CKPT_VMA_DROPPABLE	(1ULL << 23)
#define CKPT_VMA_HUGETLB	(1ULL << 24)
#define CKPT_VMA_HUGE_RESERVED	(1ULL << 25)	/* see @huge_shift */
#define CKPT_VMA_FLAGS_ALL	((1ULL << 26) - 1)

/**
 * struct ckpt_rec_vma - a mapping
 * @h: header
 * @mm: objref of the address space
 * @kind: enum ckpt_vma_kind
 * @start: first address
 * @end: first address behind it
 * @flags: CKPT_VMA_*
 * @pgoff: offset in pages in the file; of anonymous memory its own
 * @file: objref of the file, 0: none
 * @name_len: bytes of the name (PR_SET_VMA_ANON_NAME) with its NUL, 0: none
 * @family: of a private mapping: those with the same number may have pages in
 *	common, 0: with none
 * @pkey: memory protection key, which need not be allocated any more
 * @huge_shift: with CKPT_VMA_HUGETLB: it maps a file whose page size is
 *	1 << @huge_shift, else 0
 * @huge_pages: likewise, of a private mapping: number of huge pages that stand in
 *	the image with it. Payload holds small pages of them: the first, and those
 *	that are not zero. With CKPT_VMA_HUGE_RESERVED the others that it may need
 *	are in reserve
 */
struct ckpt_rec_vma {
	struct ckpt_hdr h;
	__u32 mm;
	__u32 kind;
	__u64 start;
	__u64 end;
	__u64 flags;
	__u64 pgoff;
	__u32 file;
	__u32 name_len;
	__u32 family;
	__u32 pkey;
	__u32 huge_shift;
	__u32 huge_pages;
};

#define CKPT_MAX_NODES		1024

/**
 * struct ckpt_rec_mempolicy - where memory is to come from
 * @h: header
 * @mm: objref of the address space of the mapping, or with @nr of the inode; 0:
 *	the policy of a task
 * @mode: as set_mempolicy() and mbind() take it: MPOL_* and MPOL_F_*
 * @home_node: node to begin with (set_mempolicy_home_node()), plus one; 0: none;
 *	not of a task
 * @__reserved: zero
 * @nodes: bit n: node n; those that were asked for with MPOL_F_STATIC_NODES or
 *	MPOL_F_RELATIVE_NODES, else those that were in use
 * @start: of shared memory: the first page that it is about
 * @nr: likewise their number, 0: it is not the policy of an inode
 */
struct ckpt_rec_mempolicy {
	struct ckpt_hdr h;
	__u32 mm;
	__u32 mode;
	__u32 home_node;
	__u32 __reserved;
	__u64 nodes[CKPT_MAX_NODES / 64];
	__u64 start;
	__u64 nr;
};

/* ckpt_rec_seccomp.flags */
#define CKPT_SECCOMP_LOG	(1U << 0)	/* SECCOMP_FILTER_FLAG_LOG */
#define CKPT_SECCOMP_FLAGS_ALL	0x1U

/**
 * struct ckpt_rec_seccomp - a filter of system calls
 * @h: header
 * @objref: of this object
 * @prev: objref of the filter that was there before, which is less than
 *	@objref, 0: none
 * @flags: CKPT_SECCOMP_*
 * @nr_insns: number of struct sock_filter that follow: the program in classic
 *	BPF, as seccomp() takes it
 */
struct ckpt_rec_seccomp {
	struct ckpt_hdr h;
	__u32 objref;
	__u32 prev;
	__u32 flags;
	__u32 nr_insns;
};

#define CKPT_COMM_LEN		16

/* ckpt_rec_task.flags */
#define CKPT_TASK_NO_NEW_PRIVS	(1U << 0)
#define CKPT_TASK_RESTORE_SIGMASK (1U << 1)	/* @saved_sigmask counts */
#define CKPT_TASK_SCHED_RESET	(1U << 2)	/* SCHED_RESET_ON_FORK */
#define CKPT_TASK_MCE_PROCESS	(1U << 3)	/* PR_MCE_KILL_SET was used */
#define CKPT_TASK_MCE_EARLY	(1U << 4)	/* PR_MCE_KILL_EARLY */
#define CKPT_TASK_SELF		(1U << 5)	/* it called checkpoint() itself */
#define CKPT_TASK_SECCOMP_STRICT (1U << 6)	/* seccomp's strict mode */
#define CKPT_TASK_DL_RECLAIM	(1U << 7)	/* SCHED_FLAG_RECLAIM */
#define CKPT_TASK_DL_OVERRUN	(1U << 8)	/* SCHED_FLAG_DL_OVERRUN */
#define CKPT_TASK_UTIL_MIN	(1U << 9)	/* @util_min was set */
#define CKPT_TASK_UTIL_MAX	(1U << 10)	/* @util_max was set */
#define CKPT_TASK_IO_FLUSHER	(1U << 11)	/* PR_SET_IO_FLUSHER */
#define CKPT_TASK_USER_DISPATCH	(1U << 12)	/* PR_SET_SYSCALL_USER_DISPATCH */
#define CKPT_TASK_FLAGS_ALL	0x1fffU

/* Kinds of PR_SET_SPECULATION_CTRL: PR_SPEC_STORE_BYPASS and so on. */
#define CKPT_SPEC_NR		3

/**
 * struct ckpt_rec_task - a thread
 * @h: header
 * @index: as in its TREE_TASK record
 * @flags: CKPT_TASK_*
 * @mm: objref; likewise up to @ns
 * @files: objref
 * @fs: objref
 * @sighand: objref
 * @signal: objref
 * @cred: objref
 * @ns: objrefs of the namespaces, by enum ckpt_ns_kind - 1
 * @comm: name, NUL terminated
 * @personality: as personality() returns it
 * @policy: SCHED_*
 * @nice: -20 to 19
 * @rt_priority: of SCHED_FIFO and SCHED_RR
 * @exit_code: of a zombie
 * @pdeath_signal: PR_SET_PDEATHSIG
 * @ioprio: as ioprio_set() takes it, 0: follows from the nice value
 * @cpus_len: bytes of the affinity mask that follow; 0: all CPUs
 * @timer_slack_ns: PR_SET_TIMERSLACK
 * @default_timer_slack_ns: what PR_SET_TIMERSLACK of 0 sets
 * @blocked: blocked signals, bit n - 1 is signal n
 * @saved_sigmask: mask to be restored, with CKPT_TASK_RESTORE_SIGMASK
 * @sas_ss_sp: alternate signal stack
 * @sas_ss_size: its size
 * @sas_ss_flags: SS_*
 * @rseq_len: length of the registered struct rseq
 * @rseq_sig: its signature
 * @vfork: index, plus one, of the child of vfork() that it waits for; 0: none
 * @clear_child_tid: set_tid_address()
 * @robust_list: set_robust_list()
 * @compat_robust_list: likewise, of 32-bit calls
 * @rseq: address of the registered struct rseq, 0: none
 * @utime: user CPU time, ns
 * @stime: system CPU time, ns
 * @start_time: ns of CLOCK_MONOTONIC at which the thread started
 * @seccomp: objref of the newest of its filters, 0: none
 * @io: index, plus one, of the first task that has the same I/O context; 0: none
 *	before it
 * @slice_ns: time slice that was asked for, 0: none
 * @dl_runtime: of SCHED_DEADLINE, in ns; likewise up to @dl_period
 * @dl_deadline: relative deadline
 * @dl_period: period
 * @util_min: utilisation clamp, 0 to 1024
 * @util_max: likewise
 * @spec: PR_SET_SPECULATION_CTRL, by kind: PR_SPEC_*, 0: not a matter of the task
 * @core: index, plus one, of the first task that has the same core scheduling
 *	cookie, which may be itself; 0: it has none
 * @dispatch_selector: with CKPT_TASK_USER_DISPATCH: address of the selector, or 0
 * @dispatch_offset: addresses whose calls are not dispatched
 * @dispatch_len: their length
 * @run_ns: CPU time as the scheduler counts it, 0: it starts anew, and so do the
 *	counts that follow
 * @min_flt: page faults without I/O
 * @maj_flt: page faults with I/O
 * @nvcsw: voluntary context switches
 * @nivcsw: involuntary context switches
 *
 * Of a zombie only @index, @signal, @cred, @comm, @exit_code and the times count.
 */
struct ckpt_rec_task {
	struct ckpt_hdr h;
	__u32 index;
	__u32 flags;
	__u32 mm;
	__u32 files;
	__u32 fs;
	__u32 sighand;
	__u32 signal;
	__u32 cred;
	__u32 ns[8];
	char  comm[CKPT_COMM_LEN];
	__u32 personality;
	__u32 policy;
	__s32 nice;
	__u32 rt_priority;
	__s32 exit_code;
	__s32 pdeath_signal;
	__u32 ioprio;
	__u32 cpus_len;
	__u64 timer_slack_ns;
	__u64 default_timer_slack_ns;
	__u64 blocked;
	__u64 saved_sigmask;
	__u64 sas_ss_sp;
	__u64 sas_ss_size;
	__u32 sas_ss_flags;
	__u32 rseq_len;
	__u32 rseq_sig;
	__u32 vfork;
	__u64 clear_child_tid;
	__u64 robust_list;
	__u64 compat_robust_list;
	__u64 rseq;
	__u64 utime;
	__u64 stime;
	__u64 start_time;
	__u32 seccomp;
	__u32 io;
	__u64 slice_ns;
	__u64 dl_runtime;
	__u64 dl_deadline;
	__u64 dl_period;
	__u32 util_min;
	__u32 util_max;
	__u32 spec[CKPT_SPEC_NR];
	__u32 core;
	__u64 dispatch_selector;
	__u64 dispatch_offset;
	__u64 dispatch_len;
	__u64 run_ns;
	__u64 min_flt;
	__u64 maj_flt;
	__u64 nvcsw;
	__u64 nivcsw;
};

#define CKPT_SIGINFO_LEN	128

/**
 * struct ckpt_rec_sigpending - queued signals
 * @h: header
 * @nr: number of siginfo_t that follow, CKPT_SIGINFO_LEN bytes each in the
 *	64-bit layout, in the order of the queue
 * @shared: 1: sent to the process, 0: to the thread
 * @set: pending signals, bit n - 1 is signal n; a bit without a siginfo is a
 *	signal whose siginfo was lost when the queue was full
 */
struct ckpt_rec_sigpending {
	struct ckpt_hdr h;
	__u32 nr;
	__u32 shared;
	__u64 set;
};

/* ckpt_timer.flags */
#define CKPT_TIMER_ARMED	(1U << 0)	/* it runs */
#define CKPT_TIMER_SET		(1U << 1)	/* @expires counts */
#define CKPT_TIMER_ABSTIME	(1U << 2)	/* ... and is a time of its clock */
#define CKPT_TIMER_REQUEUE	(1U << 3)	/* runs again after its signal */
#define CKPT_TIMER_REARMS	(1U << 4)	/* ... which is the last that it sent */
#define CKPT_TIMER_FLAGS_ALL	0x1fU

#define CKPT_TIMER_NO_TASK	0xffffffffU

/**
 * struct ckpt_timer - a POSIX timer
 * @id: as timer_create() returned it
 * @clock: CLOCK_*, negative: CPU time
 * @flags: CKPT_TIMER_*
 * @notify: SIGEV_*
 * @signo: its signal
 * @thread: index of the thread that gets the signal, with SIGEV_THREAD_ID;
 *	CKPT_TIMER_NO_TASK: it has exited
 * @clock_task: index of the thread, or of the leader of the process, whose CPU
 *	time it is; CKPT_TIMER_NO_TASK: none, or it has exited
 * @queued: place of its signal in the queue of the thread, or in that of the
 *	process, from 1; 0: its signal is not pending
 * @value: sigev_value
 * @expires: time left in ns, negative if it has expired, the largest number is
 *	for ever; with CKPT_TIMER_ABSTIME the time of @clock as the program sees it
 * @interval: ns, 0: none
 * @overrun: expirations since the signal was queued, less 1
 * @overrun_last: likewise when the last signal was delivered, for
 *	timer_getoverrun()
 * @signal_overrun: overruns that the signal will have in addition
 * @__reserved: zero
 */
struct ckpt_timer {
	__s32 id;
	__s32 clock;
	__u32 flags;
	__u32 notify;
	__s32 signo;
	__u32 thread;
	__u32 clock_task;
	__u32 queued;
	__u64 value;
	__s64 expires;
	__u64 interval;
	__s64 overrun;
	__s64 overrun_last;
	__s32 signal_overrun;
	__u32 __reserved;
};

/**
 * struct ckpt_rec_timers - POSIX timers of a process
 * @h: header
 * @nr: number of &struct ckpt_timer that follow, the last made first
 * @next_id: the id that timer_create() tries first
 */
struct ckpt_rec_timers {
	struct ckpt_hdr h;
	__u32 nr;
	__u32 next_id;
};

/* System calls that go on by restart_syscall(). */
enum ckpt_restart_kind {
	CKPT_RESTART_NONE		= 0,
	CKPT_RESTART_NANOSLEEP		= 1,	/* hrtimer nanosleep */
	CKPT_RESTART_CPU_NANOSLEEP	= 2,	/* CPU-time clock */
	CKPT_RESTART_ALARM_NANOSLEEP	= 3,	/* alarm clock */
	CKPT_RESTART_POLL		= 4,
	CKPT_RESTART_FUTEX_WAIT		= 5,
	CKPT_RESTART_CALL		= 6,	/* made again, see @val */
};

#define CKPT_RESTART_COMPAT	(1U << 0)	/* 32-bit user pointers */
#define CKPT_RESTART_TIMED	(1U << 1)	/* @remaining_ns counts */
#define CKPT_RESTART_ABSTIME	(1U << 2)	/* ... and is the deadline itself */
#define CKPT_RESTART_FLAGS_ALL	0x7U

/**
 * struct ckpt_rec_restart_block - an interrupted system call
 * @h: header
 * @kind: enum ckpt_restart_kind
 * @flags: CKPT_RESTART_*
 * @clock: CLOCK_* that the deadline is of
 * @type: of a sleep: 0 no @uaddr, 1 struct __kernel_timespec, 2 struct
 *	old_timespec32; of a futex wait: FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME
 * @remaining_ns: time left, with CKPT_RESTART_TIMED; may be negative, and
 *	the largest number is for ever. With CKPT_RESTART_ABSTIME, which goes with
 *	CLOCK_REALTIME, the deadline
 * @uaddr: user address the call works on (rmtp, ufds, the futex)
 * @uaddr2: zero
 * @val: number (nfds, futex value); with CKPT_RESTART_CALL the number of the
 *	system call, whose arguments stand in the registers
 * @val2: second number (futex bitset)
 */
struct ckpt_rec_restart_block {
	struct ckpt_hdr h;
	__u32 kind;
	__u32 flags;
	__s32 clock;
	__u32 type;
	__s64 remaining_ns;
	__u64 uaddr;
	__u64 uaddr2;
	__u64 val;
	__u64 val2;
};

/* ckpt_rec_x86_cpu.flags */
#define CKPT_X86_TS_COMPAT	(1U << 0)	/* entered by a 32-bit call */
#define CKPT_X86_IA32_TASK	(1U << 1)	/* TIF_ADDR32 */
#define CKPT_X86_NOTSC		(1U << 2)	/* PR_TSC_SIGSEGV */
#define CKPT_X86_NOCPUID	(1U << 3)	/* ARCH_SET_CPUID 0 */
#define CKPT_X86_FLAGS_ALL	0xfU

/**
 * struct ckpt_x86_tls - a TLS descriptor, as set_thread_area() takes it
 * @base_addr: base
 * @limit: limit
 * @flags: the bit fields of struct user_desc
 * @entry_number: index in the GDT; the whole is the layout of struct user_desc
 */
struct ckpt_x86_tls {
	__u32 base_addr;
	__u32 limit;
	__u32 flags;
	__u32 entry_number;
};

/**
 * struct ckpt_rec_x86_cpu - registers, always in the 64-bit layout
 * @h: header
 * @flags: CKPT_X86_*
 * @__reserved: zero
 * @regs: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax
 *	rip cs eflags rsp ss, as in struct pt_regs
 * @fs_base: base of fs
 * @gs_base: base of gs
 * @ds: selector
 * @es: selector
 * @fs: selector
 * @gs: selector
 * @tls: the three TLS descriptors
 */
struct ckpt_rec_x86_cpu {
	struct ckpt_hdr h;
	__u32 flags;
	__u32 __reserved;
	__u64 regs[21];
	__u64 fs_base;
	__u64 gs_base;
	__u16 ds;
	__u16 es;
	__u16 fs;
	__u16 gs;
	struct ckpt_x86_tls tls[3];
};

/**
 * struct ckpt_rec_x86_xstate - FPU and extended state
 * @h: header
 * @xfeatures: components that are not in their initial state (XSTATE_BV)
 * @size: bytes of the XSAVE area that follow, in the standard (uncompacted)
 *	format
 * @__reserved: zero
 * @permitted: components that arch_prctl(ARCH_REQ_XCOMP_PERM) has allowed
 */
struct ckpt_rec_x86_xstate {
	struct ckpt_hdr h;
	__u64 xfeatures;
	__u32 size;
	__u32 __reserved;
	__u64 permitted;
};

/**
 * struct ckpt_rec_x86_features - the CPU that the programs have seen
 * @h: header
 * @nr_words: number of __u32 feature words that follow
 * @vendor: X86_VENDOR_*
 * @xfeatures: components that XCR0 enabled
 */
struct ckpt_rec_x86_features {
	struct ckpt_hdr h;
	__u32 nr_words;
	__u32 vendor;
	__u64 xfeatures;
};

#endif /* _UAPI_LINUX_CHECKPOINT_IMAGE_H */
