/* SPDX-License-Identifier: GPL-2.0 */
/* Create the tasks of an image, with their ids. */
#ifndef _CKPT_TOOLS_MKTREE_H
#define _CKPT_TOOLS_MKTREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "checkpoint.h"

/**
 * struct mk_task - a task to be created
 * @index: index in the image
 * @parent: index of its parent, CKPT_TREE_NO_PARENT: this process
 * @saved_pid: pid in the image
 * @want: pid to ask for, 0 for any
 * @leads_session: it calls setsid()
 * @leads_group: it calls setpgid(0, 0)
 * @pid: pid it got
 * @pidfd: for children of this process
 */
struct mk_task {
	__u32 index;
	__u32 parent;
	pid_t saved_pid;
	pid_t want;
	bool leads_session;
	bool leads_group;
	pid_t pid;
	int pidfd;
};

/**
 * struct mktree - all tasks to be created
 * @nr: their number
 * @root: index of the root
 * @tasks: tasks by index
 */
struct mktree {
	__u32 nr;
	__u32 root;
	struct mk_task *tasks;
};

/* What a task does once it is there; it never returns. */
typedef void (*mktree_body)(const struct mk_task *task, void *arg);

/* Work out what to create. Returns 0, or -1 after a message. */
int mktree_plan(struct mktree *mk, const struct ckpt_tree *tree, bool no_pids);

/*
 * Create the tasks; each runs @body, in a copy of this process where only
 * async-signal-safe functions may be called. Returns 0, or -1 after a message,
 * with no task left.
 */
int mktree_create(struct mktree *mk, mktree_body body, void *arg);

/* Kill and reap the tasks. */
void mktree_kill(struct mktree *mk);

#endif /* _CKPT_TOOLS_MKTREE_H */
