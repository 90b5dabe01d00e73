// SPDX-License-Identifier: GPL-2.0
/* Create the tasks of an image, with their ids. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mktree.h"
#include "util.h"

static int plan_task(struct mk_task *t, const struct ckpt_tree_task *task,
		     bool no_pids)
{
	const struct ckpt_tree_ids *ids = task->ids;

	if (task->rec.flags & ~CKPT_TREE_COMPAT) {
		msg("task %d of the image is not a live one (flags %#x): not supported yet",
		    ids->pid, task->rec.flags);
		return -1;
	}
	if (task->rec.nr_levels != 1) {
		msg("task %d of the image is in a nested pid namespace: not supported yet",
		    ids->pid);
		return -1;
	}
	*t = (struct mk_task){
		.index = task->rec.index,
		.parent = task->rec.parent,
		.saved_pid = ids->pid,
		.want = no_pids ? 0 : ids->pid,
		.leads_session = ids->sid == ids->pid,
		.leads_group = ids->pgid == ids->pid && ids->sid != ids->pid,
		.pidfd = -1,
	};
	return 0;
}

int mktree_plan(struct mktree *mk, const struct ckpt_tree *tree, bool no_pids)
{
	__u32 i;

	if (tree->nr_tasks != 1) {
		msg("the image holds %u tasks: more than one is not supported yet",
		    tree->nr_tasks);
		return -1;
	}
	mk->nr = tree->nr_tasks;
	mk->root = tree->root;
	mk->tasks = calloc(mk->nr, sizeof(*mk->tasks));
	if (!mk->tasks) {
		msg("out of memory");
		return -1;
	}
	for (i = 0; i < mk->nr; i++)
		if (plan_task(&mk->tasks[i], &tree->tasks[i], no_pids))
			return -1;
	return 0;
}

static void explain_taken(pid_t pid)
{
	char name[80], comm[64], path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (pid == getpid())
		msg("pid %d is taken by this command itself: run it once more",
		    pid);
	else if (read_text(path, comm, sizeof(comm)) < 0)
		msg("pid %d is taken: it is the number of a process group or session that lives on",
		    pid);
	else
		msg("pid %d is taken by process %s: end it first", pid,
		    task_name(pid, name, sizeof(name)));
	msg("with --no-pids the program gets another pid, if it can do with that");
}

static void explain_clone(const struct mk_task *t, int err)
{
	char max[32] = "?";

	switch (err) {
	case EEXIST:
		explain_taken(t->want);
		break;
	case EPERM:
		msg("you may not choose pid %d", t->want);
		msg("it needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN (run as root)");
		msg("with --no-pids the program gets another pid, if it can do with that");
		break;
	case EINVAL:
		read_text("/proc/sys/kernel/pid_max", max, sizeof(max));
		msg("pid %d cannot be had here: the largest is below %s (/proc/sys/kernel/pid_max)",
		    t->want, max);
		break;
	case EAGAIN:
		msg("cannot create a process: the limit of processes is reached");
		msg("look at ulimit -u and at pids.max of the control group");
		break;
	default:
		msg("cannot create process %d: %s", t->saved_pid, strerror(err));
	}
}

static int create(struct mk_task *t, mktree_body body, void *arg)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = t->want ? (uintptr_t)&t->want : 0,
		.set_tid_size = t->want ? 1 : 0,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid) {
		/* glibc's getpid() asks the kernel: no cached id is stale. */
		t->pid = getpid();
		body(t, arg);
		_exit(127);
	}
	if (pid < 0) {
		explain_clone(t, errno);
		return -1;
	}
	t->pid = pid;
	t->pidfd = pidfd;
	/* Both sides do it: whoever is first, the other finds it done. */
	if (t->leads_group)
		setpgid(t->pid, t->pid);
	return 0;
}

int mktree_create(struct mktree *mk, mktree_body body, void *arg)
{
	__u32 i;

	for (i = 0; i < mk->nr; i++) {
		if (mk->tasks[i].parent != CKPT_TREE_NO_PARENT)
			continue;
		if (create(&mk->tasks[i], body, arg)) {
			mktree_kill(mk);
			return -1;
		}
	}
	return 0;
}

void mktree_kill(struct mktree *mk)
{
	siginfo_t si;
	__u32 i;

	for (i = 0; i < mk->nr; i++) {
		struct mk_task *t = &mk->tasks[i];

		if (t->pidfd < 0)
			continue;
		syscall(SYS_pidfd_send_signal, t->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, t->pidfd, &si, WEXITED | __WALL) < 0 &&
		       errno == EINTR)
			;
		close(t->pidfd);
		t->pidfd = -1;
	}
}
