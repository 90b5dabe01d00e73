// SPDX-License-Identifier: GPL-2.0
/*
 * Create the tasks of an image, with their ids.
 *
 * Each process creates its children and then its threads, and takes part in the
 * restart: all of them wait in restart() until the last has come. Sessions,
 * process groups and what tasks have in common is the kernel's affair.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mktree.h"
#include "util.h"

/* How long to wait for another process to be made. */
#define ENTER_TIMEOUT_MS	10000

/* How long a pid may be taken. */
#define TAKEN_TIMEOUT_MS	500

static void plan_task(struct mk_task *t, const struct ckpt_tree_task *task,
		      pid_t *pids, bool any_pid)
{
	const struct ckpt_tree_ids *ids = task->ids;
	__u32 i, levels = task->rec.nr_levels;

	*t = (struct mk_task){
		.index = task->rec.index,
		.saved_pid = ids->pid,
		.want = any_pid ? 0 : ids->pid,
		.set_tid = pids,
		.nr_tid = any_pid ? levels - 1 : levels,
		.new_pidns = task->rec.pidns == task->rec.index + 1,
		.exit_signal = task->rec.exit_signal,
		.leads_session = ids->sid == ids->pid,
		.leads_group = ids->pgid == ids->pid && ids->sid != ids->pid,
		.child = MK_NONE,
		.thread = MK_NONE,
		.next = MK_NONE,
	};
	for (i = 0; i < t->nr_tid; i++)
		pids[i] = ids[levels - 1 - i].pid;
}

/* A process in a pid namespace that its parent is not in, nor the init of it. */
static int plan_entry(struct mktree *mk, const struct ckpt_tree *tree, __u32 i,
		      bool any_pid)
{
	const struct ckpt_rec_tree_task *rec = &tree->tasks[i].rec;
	const struct ckpt_rec_tree_task *parent = &tree->tasks[rec->parent].rec;
	struct mk_task *t = &mk->tasks[i];

	if (t->new_pidns || rec->pidns == parent->pidns)
		return 0;
	if (!rec->pidns || rec->pidns > mk->nr ||
	    rec->nr_levels <= parent->nr_levels ||
	    tree->tasks[rec->pidns - 1].rec.nr_levels < parent->nr_levels) {
		msg("the image has task %d in an impossible pid namespace",
		    t->saved_pid);
		return -1;
	}
	if (any_pid && parent->nr_levels == 1) {
		msg("process %d has entered a pid namespace, which is found by its pid",
		    t->saved_pid);
		msg("restart without --no-pids");
		return -1;
	}
	t->init = tree->tasks[rec->pidns - 1].ids[parent->nr_levels - 1].pid;
	t->depth = rec->nr_levels - parent->nr_levels;
	if (t->depth > mk->max_depth)
		mk->max_depth = t->depth;
	return 0;
}

/* Puts a task into the list of its process or of its parent's process. */
static int plan_place(struct mktree *mk, const struct ckpt_tree *tree, __u32 i,
		      bool any_pid)
{
	const struct ckpt_rec_tree_task *rec = &tree->tasks[i].rec;
	__u32 *list;

	if (rec->leader == i && rec->parent == CKPT_TREE_NO_PARENT) {
		if (i == mk->root)
			return 0;
		msg("the image has two roots");
		return -1;
	}
	if (rec->leader != i)
		list = &mk->tasks[rec->leader].thread;
	else
		list = &mk->tasks[tree->tasks[rec->parent].rec.leader].child;
	mk->tasks[i].next = *list;
	*list = i;
	return rec->leader == i ? plan_entry(mk, tree, i, any_pid) : 0;
}

int mktree_plan(struct mktree *mk, const struct ckpt_tree *tree, bool no_pids)
{
	bool any_pid;
	pid_t *pids;
	__u32 i;

	mk->nr = tree->nr_tasks;
	mk->root = tree->root;
	mk->pidfd = -1;
	mk->container = tree->tasks[tree->root].rec.pidns;
	any_pid = no_pids && !mk->container;
	mk->size = mk->nr * sizeof(*mk->tasks);
	for (i = 0; i < mk->nr; i++)
		mk->size += tree->tasks[i].rec.nr_levels * sizeof(*pids);
	/* Shared, so that fork() does not copy it for each of them. */
	mk->tasks = mmap(NULL, mk->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mk->tasks == MAP_FAILED) {
		mk->tasks = NULL;
		msg("out of memory");
		return -1;
	}
	pids = (pid_t *)(mk->tasks + mk->nr);
	for (i = 0; i < mk->nr; i++) {
		plan_task(&mk->tasks[i], &tree->tasks[i], pids, any_pid);
		pids += tree->tasks[i].rec.nr_levels;
	}
	/* Backwards: the lists are in the order of the image then. */
	while (i--)
		if (plan_place(mk, tree, i, any_pid))
			return -1;
	return 0;
}

void mktree_free(struct mktree *mk)
{
	if (mk->tasks)
		munmap(mk->tasks, mk->size);
	mk->tasks = NULL;
}

bool mktree_wants(const struct mktree *mk, pid_t pid)
{
	__u32 i;

	/* Those of a container are its own. */
	for (i = 0; i < mk->nr && !mk->container; i++)
		if (mk->tasks[i].want == pid)
			return true;
	return false;
}

pid_t mktree_fork(const struct mktree *mk)
{
	pid_t want = 0;
	struct clone_args args = {
		.set_tid = (uintptr_t)&want,
		.set_tid_size = 1,
		.exit_signal = SIGCHLD,
	};
	int tries = 100;
	long pid;
	__u32 i;

	for (i = 0; i < mk->nr; i++)
		if (mk->tasks[i].want > want)
			want = mk->tasks[i].want;
	do {
		want++;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	} while (pid < 0 && errno == EEXIST && --tries);
	return pid < 0 ? fork() : pid;
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
		if (t->new_pidns) {
			msg("you may not make a pid namespace, which process %d needs",
			    t->saved_pid);
			msg("it needs CAP_SYS_ADMIN (run as root)");
			break;
		}
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

/*
 * From here on the code runs in the new tasks.
 */

static __noreturn void give_up(const struct mktree *mk)
{
	ioctl(mk->context, CKPT_CONTEXT_KILL);
	_exit(127);
}

/*
 * Nobody shall be left when the command is gone. From another pid namespace a
 * parent cannot be seen.
 */
static void die_with_parent(const struct mk_task *t, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != (t->new_pidns || t->init ? 0 : parent))
		_exit(127);
}

static void set_tid(const struct mk_task *t, struct clone_args *args)
{
	args->set_tid = t->nr_tid ? (uintptr_t)t->set_tid : 0;
	args->set_tid_size = t->nr_tid;
}

/*
 * A pid may be taken by one who was just killed, for instance by a checkpoint,
 * and has not come to its end or to whoever waits for it.
 */
static bool taken_so_far(long long *until)
{
	struct timespec t;
	long long now;

	if (errno != EEXIST)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &t);
	errno = EEXIST;
	now = t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
	if (!*until)
		*until = now + TAKEN_TIMEOUT_MS * NSEC_PER_MSEC;
	/* By the clock: on a busy machine a sleep may last much longer. */
	return now < *until && !usleep(1000);
}

static long clone_task(const struct mk_task *t, struct clone_args *args)
{
	long long until = 0;
	long ret;

	set_tid(t, args);
	if (t->new_pidns)
		args->flags |= CLONE_NEWPID;
	do {
		ret = syscall(SYS_clone3, args, sizeof(*args));
	} while (ret < 0 && taken_so_far(&until));
	return ret;
}

/* The children of this process are born in the pid namespace of @pid. */
static int aim_at(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret;

	if (fd < 0) {
		/* A pid that somebody is just being made for is invalid so long. */
		errno = ESRCH;
		return -1;
	}
	ret = setns(fd, CLONE_NEWPID);
	close(fd);
	return ret;
}

/* Some other process makes that init, and waits for nobody in doing so. */
static long clone_into(const struct mk_task *t, struct clone_args *args)
{
	unsigned int ms;
	long ret;

	for (ms = 0; aim_at(t->init); ms++) {
		if (errno != ESRCH || ms >= ENTER_TIMEOUT_MS)
			return -1;
		usleep(1000);
	}
	ret = clone_task(t, args);
	if (ret > 0 && aim_at(getpid()))
		return -1;
	return ret;
}

/*
 * A task that creates no others goes from clone3() to restart() in registers
 * alone. So it can share the memory of its creator, stack included, which spares
 * copying it. @parent is what its parent must be still, 0: no matter.
 */
static long clone_bare_once(const struct mk_task *t, int context,
			    struct clone_args *args, pid_t parent)
{
	register unsigned long index asm("r12") = t->index;
	register unsigned long fd asm("r13") = context;
	register unsigned long ppid asm("r14") = parent;
	long ret = SYS_clone3;

	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     /* See die_with_parent(). */
		     "test %%r14, %%r14\n\t"
		     "jz 2f\n\t"
		     "mov %[prctl], %%eax\n\t"
		     "mov %[pdeathsig], %%edi\n\t"
		     "mov %[sigkill], %%esi\n\t"
		     "syscall\n\t"
		     "mov %[getppid], %%eax\n\t"
		     "syscall\n\t"
		     "cmp %%rax, %%r14\n\t"
		     "jne 3f\n"
		     "2:\n\t"
		     "mov %[nr], %%eax\n\t"
		     "mov %%r12, %%rdi\n\t"
		     "mov %%r13, %%rsi\n\t"
		     "mov %[member], %%edx\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "xor %%r8d, %%r8d\n\t"
		     "syscall\n\t"
		     /* See give_up(). */
		     "mov %[ioctl], %%eax\n\t"
		     "mov %%r13, %%rdi\n\t"
		     "mov %[kill], %%esi\n\t"
		     "syscall\n"
		     "3:\n\t"
		     "mov %[exit], %%eax\n\t"
		     "mov $127, %%edi\n\t"
		     "syscall\n\t"
		     "hlt\n"
		     "1:"
		     : "+a" (ret)
		     : "D" (args), "S" (sizeof(*args)), "r" (index), "r" (fd),
		       "r" (ppid), [prctl] "i" (SYS_prctl),
		       [pdeathsig] "i" (PR_SET_PDEATHSIG),
		       [sigkill] "i" (SIGKILL), [getppid] "i" (SYS_getppid),
		       [nr] "i" (__NR_restart), [member] "i" (RESTART_MEMBER),
		       [ioctl] "i" (SYS_ioctl), [kill] "i" (CKPT_CONTEXT_KILL),
		       [exit] "i" (SYS_exit_group)
		     : "rcx", "rdx", "r8", "r10", "r11", "memory");
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}

static long clone_bare(const struct mk_task *t, int context,
		       struct clone_args *args, pid_t parent)
{
	long long until = 0;
	long ret;

	set_tid(t, args);
	do {
		ret = clone_bare_once(t, context, args, parent);
	} while (ret < 0 && taken_so_far(&until));
	return ret;
}

static long clone_thread(const struct mk_task *t, int context)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			 CLONE_THREAD | CLONE_SYSVSEM,
	};

	return clone_bare(t, context, &args, 0);
}

/* A process without children and threads, in the pid namespace of its parent. */
static bool is_leaf(const struct mk_task *t)
{
	return t->child == MK_NONE && t->thread == MK_NONE && !t->new_pidns &&
	       !t->init;
}

static long clone_leaf(const struct mk_task *t, int context, pid_t parent)
{
	struct clone_args args = {
		.flags = CLONE_VM,
		.exit_signal = t->exit_signal,
	};

	return clone_bare(t, context, &args, parent);
}

/*
 * Creates the children of @t that are @depth levels of pid namespaces below it
 * without being the init there. Returns the child in it, and NULL in @t.
 */
static const struct mk_task *make_children(const struct mktree *mk,
					   const struct mk_task *t, __u32 depth)
{
	const struct mk_task *c;
	pid_t me = getpid();
	__u32 i;

	for (i = t->child; i != MK_NONE; i = c->next) {
		struct clone_args args = { 0 };
		long pid;

		c = &mk->tasks[i];
		if (c->depth != depth)
			continue;
		args.exit_signal = c->exit_signal;
		if (depth)
			pid = clone_into(c, &args);
		else if (is_leaf(c))
			pid = clone_leaf(c, mk->context, me);
		else
			pid = clone_task(c, &args);
		if (pid < 0) {
			explain_clone(c, errno);
			give_up(mk);
		}
		if (!pid) {
			die_with_parent(c, me);
			return c;
		}
	}
	return NULL;
}

/*
 * Creates all below @t and takes part; in a child, for that child. Inits wait
 * for nobody, those that need them come after them and the deepest last: so each
 * finds the init that it waits for.
 */
static __noreturn void run_task(const struct mktree *mk, const struct mk_task *t)
{
	const struct mk_task *c;
	__u32 i;

	for (i = 0; i <= mk->max_depth; i++) {
		c = make_children(mk, t, i);
		if (c) {
			t = c;
			i = -1;
		}
	}
	for (i = t->thread; i != MK_NONE; i = c->next) {
		c = &mk->tasks[i];
		if (clone_thread(c, mk->context) < 0) {
			explain_clone(c, errno);
			give_up(mk);
		}
	}
	restart(t->index, mk->context, RESTART_MEMBER, NULL);
	msg("process %d cannot take part in the restart: %s", t->saved_pid,
	    strerror(errno));
	give_up(mk);
}

/*
 * From here on the code runs in the command again.
 */

int mktree_create(struct mktree *mk, mktree_start start, void *arg)
{
	const struct mk_task *root = &mk->tasks[mk->root];
	pid_t parent = getpid();
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&mk->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = clone_task(root, &args);

	if (!pid) {
		die_with_parent(root, parent);
		if (start(root, arg))
			give_up(mk);
		run_task(mk, root);
	}
	if (pid < 0) {
		explain_clone(root, errno);
		return -1;
	}
	mk->pid = pid;
	/* Both sides do it: whoever is first, the other finds it done. */
	if (root->leads_group)
		setpgid(mk->pid, mk->pid);
	return 0;
}

void mktree_kill(struct mktree *mk)
{
	siginfo_t si;

	if (mk->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, mk->pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, mk->pidfd, &si, WEXITED | __WALL) < 0 &&
	       errno == EINTR)
		;
	close(mk->pidfd);
	mk->pidfd = -1;
}
