/* SPDX-License-Identifier: GPL-2.0 */
/* Create the tasks of an image, with their ids. */
#ifndef _CKPT_TOOLS_MKTREE_H
#define _CKPT_TOOLS_MKTREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "checkpoint.h"

/* Ends a list of tasks. */
#define MK_NONE		0xffffffffU

/**
 * struct mk_task - a task to be created
 * @index: index in the image
 * @saved_pid: pid in the image
 * @want: pid to ask for, 0 for any
 * @set_tid: all pids to ask for, the innermost pid namespace first
 * @nr_tid: their number
 * @init: pid, as the parent sees it, of the init of a pid namespace that the
 *	parent has to enter to make this task in it, else 0
 * @depth: levels of pid namespaces that the parent has to go down for that
 * @new_pidns: it is made with a pid namespace of its own
 * @exit_signal: of a child
 * @leads_session: it leads its session; the root calls setsid() for that
 * @leads_group: it leads its process group only; the root calls setpgid()
 * @child: index of its first child, or MK_NONE
 * @thread: index of its first thread besides itself, or MK_NONE
 * @next: index of the next child of the same parent, or thread of the same
 *	process
 */
struct mk_task {
	__u32 index;
	pid_t saved_pid;
	pid_t want;
	const pid_t *set_tid;
	__u32 nr_tid;
	pid_t init;
	__u32 depth;
	bool new_pidns;
	int exit_signal;
	bool leads_session;
	bool leads_group;
	__u32 child;
	__u32 thread;
	__u32 next;
};

/**
 * struct mktree - all tasks to be created
 * @nr: their number
 * @root: index of the root
 * @tasks: tasks by index
 * @size: bytes that they and their pids take
 * @context: descriptor of the restart that they take part in
 * @pid: of the root
 * @pidfd: of the root, or -1
 * @container: the root is the init of a pid namespace of its own
 * @max_depth: largest of @tasks[].depth
 */
struct mktree {
	__u32 nr;
	__u32 root;
	struct mk_task *tasks;
	size_t size;
	int context;
	pid_t pid;
	int pidfd;
	bool container;
	__u32 max_depth;
};

/* What the root does before it makes others. Returns 0, or -1 to give up. */
typedef int (*mktree_start)(const struct mk_task *root, void *arg);

/* Work out what to create. Returns 0, or -1 after a message. */
int mktree_plan(struct mktree *mk, const struct ckpt_tree *tree, bool no_pids);

/* Forget the plan. */
void mktree_free(struct mktree *mk);

/* Is this one of the pids that are asked for? */
bool mktree_wants(const struct mktree *mk, pid_t pid);

/*
 * As fork(), with a pid above all that are asked for, if there is one and we may
 * choose.
 */
pid_t mktree_fork(const struct mktree *mk);

/*
 * Create the root, which runs @start, creates the others and takes part in the
 * restart, as they do. Returns 0, or -1 after a message, with no task left.
 */
int mktree_create(struct mktree *mk, mktree_start start, void *arg);

/* Kill and reap the root; the others go with it, unless the restart is done. */
void mktree_kill(struct mktree *mk);

#endif /* _CKPT_TOOLS_MKTREE_H */
