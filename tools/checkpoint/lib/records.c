// SPDX-License-Identifier: LGPL-2.1
/* The table of record types. */
#include <assert.h>

#include "internal.h"

#define END(s, field)	(offsetof(struct ckpt_rec_##s, field) + \
			 sizeof(((struct ckpt_rec_##s *)0)->field))

/*
 * @last is the last field that the first version of the record had: structs
 * grow at their end, and an old image stays good.
 */
#define REC(t, s, last, ...)					\
	{							\
		.type = CKPT_REC_##t,				\
		.name = #t,					\
		.min = END(s, last),				\
		.size = sizeof(struct ckpt_rec_##s),		\
		__VA_ARGS__					\
	}

#define COUNT(s, field, size)	.count = offsetof(struct ckpt_rec_##s, field), \
				.elem = (size)
#define OBJ(s)			.objref = offsetof(struct ckpt_rec_##s, objref)

static const struct rec_type types[] = {
	REC(HEADER, header, uts_machine),
	REC(TREE, tree, root),
	REC(TREE_TASK, tree_task, nr_levels,
	    COUNT(tree_task, nr_levels, sizeof(struct ckpt_tree_ids))),
	REC(META_END, meta_end, __reserved),
	{
		.type = CKPT_REC_PAD,
		.name = "PAD",
		.min = sizeof(struct ckpt_hdr),
		.size = sizeof(struct ckpt_hdr),
	},
	REC(PAGES, pages, flags,
	    COUNT(pages, nr_runs, sizeof(struct ckpt_page_run))),
	REC(COW, cow, nr_runs,
	    COUNT(cow, nr_runs, sizeof(struct ckpt_cow_run))),
	REC(POISON, poison, nr_runs,
	    COUNT(poison, nr_runs, sizeof(struct ckpt_page_run))),
	REC(SOFT_DIRTY, soft_dirty, nr_runs,
	    COUNT(soft_dirty, nr_runs, sizeof(struct ckpt_page_run))),
	REC(INDEX, index, __reserved,
	    COUNT(index, nr, sizeof(struct ckpt_index_entry))),
	REC(TAIL, tail, magic),
	REC(NS, ns, __reserved, OBJ(ns)),
	REC(CRED, cred, cap_ambient, OBJ(cred),
	    COUNT(cred, nr_groups, sizeof(__u32))),
	REC(PIPE, pipe, var_len, OBJ(pipe), COUNT(pipe, var_len, 1)),
	REC(SECCOMP, seccomp, nr_insns, OBJ(seccomp),
	    COUNT(seccomp, nr_insns, 8)),
	REC(INODE, inode, __reserved, OBJ(inode), COUNT(inode, var_len, 1)),
	REC(FILE, file, fs_uuid, OBJ(file), COUNT(file, path_len, 1)),
	REC(EVENTFD, eventfd, count),
	REC(TIMERFD, timerfd, offset),
	REC(SIGNALFD, signalfd, mask),
	REC(PIDFD, pidfd, id),
	REC(UNIX_SOCK, unix_sock, sock),
	REC(UNIX_MSG, unix_msg, tstamp, COUNT(unix_msg, var_len, 1)),
	REC(EPOLL, epoll, __reserved,
	    COUNT(epoll, nr_items, sizeof(struct ckpt_epoll_item))),
	REC(LOCKS, locks, nr_locks,
	    COUNT(locks, nr_locks, sizeof(struct ckpt_lock))),
	REC(FOWNER, fowner, fd),
	REC(PROC, proc, mount_len),
	REC(INOTIFY, inotify, watch_len, COUNT(inotify, var_len, 1)),
	REC(FANOTIFY, fanotify, nr_events, COUNT(fanotify, var_len, 1)),
	REC(EXTERNAL, external, key_len, COUNT(external, key_len, 1)),
	REC(NSFILE, nsfile, __reserved),
	REC(RELINK, relink, path_len, COUNT(relink, path_len, 1)),
	REC(HUGETLB, hugetlb, __reserved,
	    COUNT(hugetlb, nr_regions, sizeof(struct ckpt_hugetlb_region))),
	REC(FILES, files, nr_fds, OBJ(files),
	    COUNT(files, nr_fds, sizeof(struct ckpt_fd))),
	REC(FS, fs, cwd, OBJ(fs)),
	REC(SIGHAND, sighand, nr, OBJ(sighand),
	    COUNT(sighand, nr, sizeof(struct ckpt_sigaction))),
	REC(SIGNAL, signal, start_time, OBJ(signal),
	    COUNT(signal, nr_rlimits, sizeof(struct ckpt_rlimit))),
	REC(MM, mm, id, OBJ(mm), COUNT(mm, auxv_len, 1)),
	REC(VMA, vma, name_len, COUNT(vma, name_len, 1)),
	REC(MEMPOLICY, mempolicy, nodes),
	REC(TASK, task, start_time, COUNT(task, cpus_len, 1)),
	REC(SIGPENDING, sigpending, set,
	    COUNT(sigpending, nr, CKPT_SIGINFO_LEN)),
	REC(TIMERS, timers, next_id,
	    COUNT(timers, nr, sizeof(struct ckpt_timer))),
	REC(RESTART_BLOCK, restart_block, val2),
	REC(X86_CPU, x86_cpu, tls),
	REC(X86_XSTATE, x86_xstate, permitted, COUNT(x86_xstate, size, 1)),
	REC(X86_FEATURES, x86_features, xfeatures,
	    COUNT(x86_features, nr_words, sizeof(__u32))),
};

static_assert(sizeof(struct ckpt_rec_header) <= REC_FIXED_MAX, "header");
static_assert(sizeof(struct ckpt_rec_mm) <= REC_FIXED_MAX, "mm");
static_assert(sizeof(struct ckpt_rec_task) <= REC_FIXED_MAX, "task");
static_assert(sizeof(struct ckpt_rec_x86_cpu) <= REC_FIXED_MAX, "x86_cpu");

const struct rec_type *rec_type_find(__u32 type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

const char *ckpt_rec_name(__u32 type)
{
	const struct rec_type *t = rec_type_find(type & ~CKPT_REC_MAY_IGNORE);

	return t ? t->name : NULL;
}

size_t ckpt_rec_size(__u32 type)
{
	const struct rec_type *t = rec_type_find(type & ~CKPT_REC_MAY_IGNORE);

	return t ? t->size : 0;
}
