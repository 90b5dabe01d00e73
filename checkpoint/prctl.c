// SPDX-License-Identifier: GPL-2.0
/*
 * What prctl() sets for a thread and what is not a matter of a single field:
 * control of speculation, I/O flusher, dispatch of system calls to user space.
 */
#include <linux/capability.h>
#include <linux/nospec.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/syscall_user_dispatch.h>

#include "checkpoint.h"

#define CKPT_PF_IO_FLUSHER	(PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE)

static_assert(PR_SPEC_L1D_FLUSH + 1 == CKPT_SPEC_NR);

/* ---- saving --------------------------------------------------------------- */

/* What follows from the kernel or the CPU alone is not the task's. */
static void ckpt_save_speculation(struct task_struct *t,
				  struct ckpt_rec_task *rec)
{
	unsigned int i;
	int state;

	for (i = 0; i < CKPT_SPEC_NR; i++) {
		state = arch_prctl_spec_ctrl_get(t, i);
		if (state > 0 && state & PR_SPEC_PRCTL)
			rec->spec[i] = state & ~PR_SPEC_PRCTL;
	}
}

/**
 * ckpt_is_io_flusher - has a task set PR_SET_IO_FLUSHER?
 * @t: the task: frozen, or current
 *
 * Return: true if it has; the flags for it in @t->flags are saved then.
 */
bool ckpt_is_io_flusher(struct task_struct *t)
{
	return (t->flags & CKPT_PF_IO_FLUSHER) == CKPT_PF_IO_FLUSHER;
}

static void ckpt_save_dispatch(struct task_struct *t, struct ckpt_rec_task *rec)
{
#ifdef CONFIG_GENERIC_ENTRY
	const struct syscall_user_dispatch *sd = &t->syscall_dispatch;

	if (!test_task_syscall_work(t, SYSCALL_USER_DISPATCH))
		return;
	rec->flags |= CKPT_TASK_USER_DISPATCH;
	rec->dispatch_selector = (unsigned long)sd->selector;
	rec->dispatch_offset = sd->offset;
	rec->dispatch_len = sd->len;
#endif
}

/**
 * checkpoint_prctl - save what a thread has set by prctl()
 * @t: the task: frozen, or current
 * @rec: its record
 */
void checkpoint_prctl(struct task_struct *t, struct ckpt_rec_task *rec)
{
	ckpt_save_speculation(t, rec);
	if (ckpt_is_io_flusher(t))
		rec->flags |= CKPT_TASK_IO_FLUSHER;
	ckpt_save_dispatch(t, rec);
}

/* ---- restoring ------------------------------------------------------------ */

static const struct {
	const char *name;
	u32 states;
} ckpt_spec[CKPT_SPEC_NR] = {
	[PR_SPEC_STORE_BYPASS] = {
		"store bypass", PR_SPEC_ENABLE | PR_SPEC_DISABLE |
		PR_SPEC_FORCE_DISABLE | PR_SPEC_DISABLE_NOEXEC
	},
	[PR_SPEC_INDIRECT_BRANCH] = {
		"indirect branch", PR_SPEC_ENABLE | PR_SPEC_DISABLE |
		PR_SPEC_FORCE_DISABLE
	},
	[PR_SPEC_L1D_FLUSH] = {
		"L1D flush", PR_SPEC_ENABLE | PR_SPEC_DISABLE
	},
};

/**
 * ckpt_spec_possible - can a control of speculation be had?
 * @which: PR_SPEC_STORE_BYPASS, INDIRECT_BRANCH or L1D_FLUSH
 * @want: state to be restored, PR_SPEC_*, or 0
 * @have: what PR_GET_SPECULATION_CTRL says, or a negative errno
 *
 * The task never runs with less protection than it has asked for; with more it
 * may, where this kernel or CPU gives it anyway. To ENABLE the flush of the L1D
 * cache is the protection there.
 *
 * Return: 0, -EINVAL for a @want that is none, or -EOPNOTSUPP.
 */
int ckpt_spec_possible(unsigned int which, u32 want, int have)
{
	if (!want)
		return 0;
	if ((want & ~ckpt_spec[which].states) || !is_power_of_2(want))
		return -EINVAL;
	if (have > 0 && have & PR_SPEC_PRCTL)
		return 0;
	if (which == PR_SPEC_L1D_FLUSH)
		return want == PR_SPEC_DISABLE ? 0 : -EOPNOTSUPP;
	if (want == PR_SPEC_ENABLE || have == PR_SPEC_NOT_AFFECTED)
		return 0;
	if (have > 0 && have & (PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE))
		return 0;
	return -EOPNOTSUPP;
}

static int restore_check_speculation(struct ckpt_member *m,
				     const struct ckpt_rec_task *rec)
{
	unsigned int i;
	int ret;

	for (i = 0; i < CKPT_SPEC_NR; i++) {
		ret = ckpt_spec_possible(i, rec->spec[i],
					 arch_prctl_spec_ctrl_get(current, i));
		if (ret == -EINVAL)
			return ckpt_bad(m->rs, m->task, ret,
					"impossible control of speculation 0x%x (%s)",
					rec->spec[i], ckpt_spec[i].name);
		if (ret)
			return ckpt_bad(m->rs, m->task, ret,
					"this kernel or CPU has no control of speculation for a task (%s)",
					ckpt_spec[i].name);
	}
	return 0;
}

static int restore_check_dispatch(struct ckpt_member *m,
				  const struct ckpt_rec_task *rec)
{
	u64 end = rec->dispatch_offset + rec->dispatch_len;

	if (!(rec->flags & CKPT_TASK_USER_DISPATCH)) {
		if (rec->dispatch_selector || rec->dispatch_offset ||
		    rec->dispatch_len)
			return ckpt_bad(m->rs, m->task, -EINVAL,
					"a dispatch of system calls that is off");
		return 0;
	}
	/* As prctl() has it. */
	if ((rec->dispatch_offset && end <= rec->dispatch_offset) ||
	    rec->dispatch_selector >= TASK_SIZE_MAX)
		return ckpt_bad(m->rs, m->task, -EINVAL,
				"impossible dispatch of system calls");
	if (!IS_ENABLED(CONFIG_GENERIC_ENTRY))
		return ckpt_bad(m->rs, m->task, -EOPNOTSUPP,
				"this kernel has no dispatch of system calls");
	return 0;
}

/**
 * restore_check_prctl - look for all that may be wrong with what prctl() sets
 * @m: the task, whose turn it is
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_check_prctl(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	int ret;

	if ((rec->flags & CKPT_TASK_IO_FLUSHER) && !capable(CAP_SYS_RESOURCE))
		return ckpt_bad(m->rs, m->task, -EPERM,
				"PR_SET_IO_FLUSHER takes CAP_SYS_RESOURCE");
	ret = restore_check_speculation(m, rec);
	return ret ?: restore_check_dispatch(m, rec);
}

/* What is forced stays. */
static void restore_speculation(const struct ckpt_rec_task *rec)
{
	unsigned int i;
	int have;

	for (i = 0; i < CKPT_SPEC_NR; i++) {
		have = arch_prctl_spec_ctrl_get(current, i);
		if (rec->spec[i] && have > 0 && have & PR_SPEC_PRCTL &&
		    !(have & (PR_SPEC_FORCE_DISABLE | rec->spec[i])))
			WARN_ON_ONCE(arch_prctl_spec_ctrl_set(current, i,
							      rec->spec[i]));
	}
}

static void restore_dispatch(const struct ckpt_rec_task *rec)
{
	bool on = rec->flags & CKPT_TASK_USER_DISPATCH;
	char __user *selector;

	/* All three are 0 if it is off. */
	selector = (char __user *)(unsigned long)rec->dispatch_selector;
	WARN_ON_ONCE(set_syscall_user_dispatch(on ? PR_SYS_DISPATCH_ON :
						    PR_SYS_DISPATCH_OFF,
					       rec->dispatch_offset,
					       rec->dispatch_len, selector));
}

/**
 * restore_prctl_commit - have set what the thread had
 * @m: the task
 *
 * Context: past the point of no return, on the new address space.
 */
void restore_prctl_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);

	current->flags &= ~CKPT_PF_IO_FLUSHER;
	if (rec->flags & CKPT_TASK_IO_FLUSHER)
		current->flags |= CKPT_PF_IO_FLUSHER;
	restore_speculation(rec);
	restore_dispatch(rec);
}
