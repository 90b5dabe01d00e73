// SPDX-License-Identifier: GPL-2.0
/*
 * A task: what belongs to it alone.
 *
 * Which fields of task_struct are saved, refused or not preserved stands in
 * Documentation/checkpoint/support.rst.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/ioprio.h>
#include <linux/ipc_namespace.h>
#include <linux/mm.h>
#include <linux/mnt_namespace.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/proc_ns.h>
#include <linux/ptrace.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seccomp.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <net/net_namespace.h>
#include <linux/checkpoint_syscalls.h>
#include <asm/checkpoint.h>

#include "checkpoint.h"

/* ---- flags: each is in one of these tables ----------------------------- */

/* PF_*: what they say is rebuilt, saved below, or means nothing to a program. */
#define CKPT_PF_IGNORED	(PF_FORKNOEXEC | PF_SUPERPRIV | PF_USED_MATH |	\
			 PF_RANDOMIZE | PF_NPROC_EXCEEDED |		\
			 PF_BLOCK_TS | PF_NOFREEZE)
#define CKPT_PF_SAVED	(PF_MCE_PROCESS | PF_MCE_EARLY)
/* PR_SET_IO_FLUSHER sets both. */
#define CKPT_PF_FLUSHER	(PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE)

static const struct ckpt_flag_name {
	unsigned long bit;
	const char *why;
} ckpt_pf_refused[] = {
	{ PF_NO_SETAFFINITY, "is bound to a CPU by the kernel" },
	{ PF_DUMPCORE, "is dumping core" },
	{ PF_VCPU, "is a virtual CPU" },
};

/* PFA_*: cpuset's are the restarter's; the rest is saved. */
#define CKPT_PFA_IGNORED	(BIT(PFA_SPREAD_PAGE) | BIT(PFA_SPREAD_SLAB))
#define CKPT_PFA_SAVED		(BIT(PFA_NO_NEW_PRIVS) |		\
				 BIT(PFA_SPEC_SSB_DISABLE) |		\
				 BIT(PFA_SPEC_SSB_FORCE_DISABLE) |	\
				 BIT(PFA_SPEC_IB_DISABLE) |		\
				 BIT(PFA_SPEC_IB_FORCE_DISABLE) |	\
				 BIT(PFA_SPEC_SSB_NOEXEC))

/* The bits of @flags that are in no table, and those that refuse. */
static unsigned long ckpt_unknown_flags(unsigned long flags,
					unsigned long known,
					const struct ckpt_flag_name *refused,
					unsigned int nr)
{
	while (nr--)
		known |= refused[nr].bit;
	return flags & ~known;
}

static void ckpt_check_flags(struct ckpt_ctx *ctx, struct task_struct *t)
{
	unsigned long known = CKPT_PF_IGNORED | CKPT_PF_SAVED, unknown;

	if (ckpt_is_io_flusher(t))
		known |= CKPT_PF_FLUSHER;
	unknown = ckpt_unknown_flags(t->flags, known, ckpt_pf_refused,
				     ARRAY_SIZE(ckpt_pf_refused));
	if (unknown)
		ckpt_refuse(ctx, t, "has unknown task flags 0x%lx", unknown);
	unknown = t->atomic_flags & ~(CKPT_PFA_IGNORED | CKPT_PFA_SAVED);
	if (unknown)
		ckpt_refuse(ctx, t, "has unknown task attributes 0x%lx", unknown);
}

/* ---- what refuses -------------------------------------------------------- */

static void ckpt_check_relatives(struct ckpt_ctx *ctx, struct task_struct *t)
{
	bool traces, worker = false;
	struct task_struct *thread;

	read_lock(&tasklist_lock);
	traces = !list_empty(&t->ptraced);
	/* Once for all of them, or the cost grows with their square. */
	if (thread_group_leader(t))
		for_each_thread(t, thread)
			worker |= thread->flags & PF_USER_WORKER;
	read_unlock(&tasklist_lock);

	if (traces)
		ckpt_refuse(ctx, t, "traces other processes");
	if (worker)
		ckpt_refuse(ctx, t, "has a thread that works for the kernel");
	if (is_global_init(t))
		ckpt_refuse(ctx, t, "is the init of the machine");
}

static bool ckpt_has_io_uring(struct task_struct *t)
{
#ifdef CONFIG_IO_URING
	return t->io_uring;
#endif
	return false;
}

static bool ckpt_has_pi_state(struct task_struct *t)
{
#ifdef CONFIG_FUTEX
	return !list_empty(&t->pi_state_list);
#endif
	return false;
}

static bool ckpt_has_user_events(struct task_struct *t)
{
#ifdef CONFIG_USER_EVENTS
	return t->user_event_mm;
#endif
	return false;
}

static bool ckpt_has_uprobes(struct task_struct *t)
{
#ifdef CONFIG_UPROBES
	return t->utask;
#endif
	return false;
}

static bool ckpt_has_keyring(struct task_struct *t)
{
	bool has = false;
#ifdef CONFIG_KEYS
	const struct cred *cred = get_task_cred(t);

	has = cred->thread_keyring || cred->process_keyring;
	put_cred(cred);
#endif
	return has;
}

static bool ckpt_has_key_authority(struct task_struct *t)
{
	bool has = false;
#ifdef CONFIG_KEYS
	const struct cred *cred = get_task_cred(t);

	has = cred->request_key_auth;
	put_cred(cred);
#endif
	return has;
}

static bool ckpt_has_perf_events(struct task_struct *t)
{
#ifdef CONFIG_PERF_EVENTS
	return t->perf_event_ctxp || !list_empty(&t->perf_event_list);
#endif
	return false;
}

/* What is in no record: it could not come back, nor would a restart end it. */
static const struct {
	bool (*has)(struct task_struct *t);
	const char *what;
} ckpt_task_problems[] = {
	{ ckpt_has_policy,	"has scheduling policy SCHED_EXT" },
	{ ckpt_has_io_uring,	"uses io_uring" },
	{ ckpt_has_pi_state,	"owns a priority-inheritance futex that others wait for" },
#ifdef CONFIG_SYSVIPC
	{ ckpt_has_sem_undo,	"has SysV semaphores with SEM_UNDO" },
#endif
	{ ckpt_has_user_events,	"has user events" },
	{ ckpt_has_uprobes,	"has been hit by a uprobe" },
	{ ckpt_has_keyring,	"has a thread or process keyring" },
	{ ckpt_has_key_authority, "has assumed authority over a key" },
	{ ckpt_has_perf_events,	"has performance events" },
};

/**
 * ckpt_task_problem - what of a task neither an image holds nor a restart ends
 * @t: the task: frozen, or current
 * @n: 0 for the first such thing, 1 for the second...
 *
 * Return: its name, to follow the name of the task; NULL if there are no more.
 */
const char *ckpt_task_problem(struct task_struct *t, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_task_problems); i++)
		if (ckpt_task_problems[i].has(t) && !n--)
			return ckpt_task_problems[i].what;
	for (i = 0; i < ARRAY_SIZE(ckpt_pf_refused); i++)
		if ((t->flags & ckpt_pf_refused[i].bit) && !n--)
			return ckpt_pf_refused[i].why;
	return NULL;
}

/* A block that no interrupted call refers to has run out. */
static bool ckpt_has_restart_block(struct task_struct *t)
{
	return t != current &&
	       syscall_get_error(t, task_pt_regs(t)) == -ERESTART_RESTARTBLOCK;
}

static void ckpt_check_call(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct ckpt_rec_restart_block rec = {};

	if (ckpt_has_restart_block(t) && ckpt_restart_block_save(t, &rec))
		ckpt_refuse(ctx, t,
			    "waits in a system call that goes on by %ps, which cannot be saved",
			    t->restart_block.fn);
}

static void ckpt_check_ns(struct ckpt_ctx *ctx, struct task_struct *t,
			  bool same, const char *name)
{
	if (!same)
		ckpt_refuse(ctx, t,
			    "is in another %s namespace than you, which cannot be saved yet",
			    name);
}

static void ckpt_check_namespaces(struct ckpt_ctx *ctx, struct task_struct *t)
{
	const struct cred *cred = get_task_cred(t);
	struct nsproxy *ns, *mine = current->nsproxy;

	task_lock(t);
	ns = t->nsproxy;
	if (ns)
		get_nsproxy(ns);
	task_unlock(t);
	if (!ns)
		goto out;

	ckpt_check_ns(ctx, t, ns->mnt_ns == mine->mnt_ns, "mount");
	ckpt_check_ns(ctx, t, ns->uts_ns == mine->uts_ns, "UTS");
	ckpt_check_ns(ctx, t, ns->ipc_ns == mine->ipc_ns, "IPC");
	ckpt_check_ns(ctx, t, ns->net_ns == mine->net_ns, "network");
	ckpt_check_ns(ctx, t, ns->cgroup_ns == mine->cgroup_ns, "cgroup");
	ckpt_check_pidns(ctx, t, ns->pid_ns_for_children);
#ifdef CONFIG_TIME_NS
	/* Its own time namespace is in the header; its children's is not. */
	if (ns->time_ns_for_children != ns->time_ns)
		ckpt_refuse(ctx, t,
			    "has asked for a new time namespace for its children, which cannot be saved yet");
#endif
	put_nsproxy(ns);
out:
	ckpt_check_ns(ctx, t, cred->user_ns == current_user_ns(), "user");
	if (rcu_access_pointer(t->cred) != cred)
		ckpt_refuse(ctx, t, "acts under other credentials than its own");
	put_cred(cred);
}

/* The first that lives of a process speaks for it. */
static bool ckpt_writes_process(struct ckpt_ctx *ctx, const struct ckpt_task *ct)
{
	const struct ckpt_task *leader = &ctx->tasks[ct->leader];

	return ct == leader || (leader->zombie && ct == leader + 1);
}

/**
 * ckpt_check_task - find all that keeps a task from being saved
 * @ctx: the checkpoint
 * @ct: the task, frozen
 */
void ckpt_check_task(struct ckpt_ctx *ctx, const struct ckpt_task *ct)
{
	struct task_struct *t = ct->t;
	const char *why;
	unsigned int n;

	ckpt_refuse_traced(ctx, t);
	if (ct->zombie)
		return;
	if (thread_group_leader(t))
		ckpt_check_signal(ctx, t);
	if (ckpt_writes_process(ctx, ct))
		ckpt_check_timers(ctx, t);
	if (ckpt_first_look(ctx, READ_ONCE(t->fs)))
		ckpt_check_fs(ctx, t);
	if (ckpt_first_look(ctx, READ_ONCE(t->files)))
		ckpt_check_files(ctx, t);
	if (ckpt_first_look(ctx, READ_ONCE(t->mm)))
		ckpt_check_mm(ctx, t);
	ckpt_check_flags(ctx, t);
	ckpt_check_relatives(ctx, t);
	ckpt_check_vfork(ctx, ct);
	ckpt_check_call(ctx, t);
	ckpt_check_seccomp(ctx, t);
	ckpt_check_io(ctx, t);
	ckpt_check_namespaces(ctx, t);
	for (n = 0; (why = ckpt_task_problem(t, n)); n++)
		ckpt_refuse(ctx, t, "%s, which cannot be saved yet", why);
	for (n = 0; (why = arch_ckpt_refusal(t, n)); n++)
		ckpt_refuse(ctx, t, "cannot be saved yet: %s", why);
}

/* ---- namespaces ----------------------------------------------------------- */

static const struct {
	int clone_flag;
	enum ckpt_ns_kind kind;
} ckpt_ns_kinds[] = {
	{ CLONE_NEWNS,		CKPT_NS_MNT },
	{ CLONE_NEWUTS,		CKPT_NS_UTS },
	{ CLONE_NEWIPC,		CKPT_NS_IPC },
	{ CLONE_NEWNET,		CKPT_NS_NET },
	{ CLONE_NEWPID,		CKPT_NS_PID },
	{ CLONE_NEWCGROUP,	CKPT_NS_CGROUP },
	{ CLONE_NEWTIME,	CKPT_NS_TIME },
	{ CLONE_NEWUSER,	CKPT_NS_USER },
};

static_assert(ARRAY_SIZE(ckpt_ns_kinds) == sizeof_field(struct ckpt_rec_task, ns) / sizeof(u32));

static int checkpoint_ns(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct ns_common *ns = ptr;
	struct ckpt_rec_ns *rec;
	unsigned int i;

	rec = ckpt_rec_new(ctx, ns, CKPT_REC_NS, 0);
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	for (i = 0; i < ARRAY_SIZE(ckpt_ns_kinds); i++)
		if (ckpt_ns_kinds[i].clone_flag == ns->ops->type)
			rec->kind = ckpt_ns_kinds[i].kind;
	rec->flags = CKPT_NS_RESTARTERS;
	return rec->kind ? 0 : -EOPNOTSUPP;
}

/* The restarter's is there already; the record must say that it is meant. */
static void *restore_ns(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_ns *rec = ckpt_rec_as(r, ns);

	if (rec->kind < CKPT_NS_MNT || rec->kind > CKPT_NS_USER)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "unknown kind of namespace %u", rec->kind));
	if (rec->flags != CKPT_NS_RESTARTERS)
		return ERR_PTR(ckpt_bad(rs, r, -EOPNOTSUPP,
					"a namespace of its own cannot be restored yet"));
	return current->nsproxy;
}

const struct ckpt_obj_ops ckpt_ops_NS = {
	.rec_type = CKPT_REC_NS,
	.checkpoint = checkpoint_ns,
	.restore = restore_ns,
};

static void ckpt_task_namespaces(struct ckpt_ctx *ctx, struct task_struct *t,
				 struct nsproxy *ns, u32 *refs, int *err)
{
	struct ns_common *all[] = {
		[CKPT_NS_MNT - 1]	= from_mnt_ns(ns->mnt_ns),
		[CKPT_NS_PID - 1]	= &ns_of_pid(ctx->root_pid)->ns,
		[CKPT_NS_USER - 1]	= &task_cred_xxx(t, user_ns)->ns,
#ifdef CONFIG_UTS_NS
		[CKPT_NS_UTS - 1]	= &ns->uts_ns->ns,
#endif
#ifdef CONFIG_IPC_NS
		[CKPT_NS_IPC - 1]	= &ns->ipc_ns->ns,
#endif
#ifdef CONFIG_NET_NS
		[CKPT_NS_NET - 1]	= &ns->net_ns->ns,
#endif
#ifdef CONFIG_CGROUPS
		[CKPT_NS_CGROUP - 1]	= &ns->cgroup_ns->ns,
#endif
#ifdef CONFIG_TIME_NS
		[CKPT_NS_TIME - 1]	= &ns->time_ns->ns,
#endif
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		refs[i] = ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, all[i], err);
}

/* ---- the task itself -------------------------------------------------------- */

struct ckpt_task_refs {
	u32 mm, files, fs, sighand, signal, cred, seccomp, ns[8];
};

static int ckpt_task_objects(struct ckpt_ctx *ctx, struct task_struct *t,
			     struct ckpt_task_refs *refs)
{
	const struct cred *cred = get_task_cred(t);
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *ns;
	struct mm_struct *mm = get_task_mm(t);
	int err = 0;

	/* Frozen, but SIGKILL may take them away: the hash holds its own. */
	ckpt_grab_tables(t, &files, &fs);
	task_lock(t);
	ns = t->nsproxy;
	if (ns)
		get_nsproxy(ns);
	task_unlock(t);

	if (!files || !fs || !ns || !mm) {
		err = -ESRCH;
		goto out;
	}
	ckpt_task_namespaces(ctx, t, ns, refs->ns, &err);
	refs->cred = ckpt_obj_checkpoint(ctx, CKPT_OBJ_CRED, (void *)cred, &err);
	refs->fs = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FS, fs, &err);
	refs->files = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILES, files, &err);
	refs->mm = ckpt_obj_checkpoint(ctx, CKPT_OBJ_MM, mm, &err);
	refs->sighand = ckpt_obj_checkpoint(ctx, CKPT_OBJ_SIGHAND, ckpt_sighand(t), &err);
	refs->signal = ckpt_obj_checkpoint(ctx, CKPT_OBJ_SIGNAL, t->signal, &err);
	if (!err)
		err = checkpoint_seccomp(ctx, t, &refs->seccomp);
out:
	if (ns)
		put_nsproxy(ns);
	ckpt_drop_tables(files, fs);
	if (mm)
		mmput(mm);
	put_cred(cred);
	return err;
}

static int checkpoint_restart_block(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct ckpt_rec_restart_block *rec;

	rec = ckpt_rec_new(ctx, restart_block, CKPT_REC_RESTART_BLOCK, 0);
	if (!rec)
		return -ENOMEM;
	return ckpt_has_restart_block(t) ? ckpt_restart_block_save(t, rec) : 0;
}

static int checkpoint_cpu(struct ckpt_ctx *ctx, struct task_struct *t)
{
	u32 size = arch_ckpt_xstate_size();
	struct ckpt_rec_x86_xstate *xs;
	struct ckpt_rec_x86_cpu *cpu;

	cpu = ckpt_rec_new(ctx, x86_cpu, CKPT_REC_X86_CPU, 0);
	if (!cpu)
		return -ENOMEM;
	arch_ckpt_save_cpu(t, cpu);

	xs = ckpt_rec_new(ctx, x86_xstate, CKPT_REC_X86_XSTATE, size);
	if (!xs)
		return -ENOMEM;
	return arch_ckpt_save_xstate(t, xs, ckpt_rec_var(xs), size);
}

static void ckpt_task_fill(struct task_struct *t, struct ckpt_rec_task *rec)
{
	rec->personality = t->personality;
	rec->pdeath_signal = t->pdeath_signal;
	rec->timer_slack_ns = t->timer_slack_ns;
	rec->default_timer_slack_ns = t->default_timer_slack_ns;
	rec->blocked = t->blocked.sig[0];
	rec->sas_ss_sp = t->sas_ss_sp;
	rec->sas_ss_size = t->sas_ss_size;
	rec->sas_ss_flags = t->sas_ss_flags;
	rec->clear_child_tid = (unsigned long)t->clear_child_tid;
#ifdef CONFIG_FUTEX
	rec->robust_list = (unsigned long)t->robust_list;
#ifdef CONFIG_COMPAT
	rec->compat_robust_list = (unsigned long)t->compat_robust_list;
#endif
#endif
#ifdef CONFIG_RSEQ
	rec->rseq = (unsigned long)t->rseq;
	rec->rseq_len = t->rseq_len;
	rec->rseq_sig = t->rseq_sig;
#endif
	rec->start_time = t->start_time;
	checkpoint_thread_times(t, rec);

	if (task_no_new_privs(t))
		rec->flags |= CKPT_TASK_NO_NEW_PRIVS;
	if (t->flags & PF_MCE_PROCESS)
		rec->flags |= CKPT_TASK_MCE_PROCESS;
	if (t->flags & PF_MCE_EARLY)
		rec->flags |= CKPT_TASK_MCE_EARLY;
	if (test_tsk_restore_sigmask(t)) {
		rec->flags |= CKPT_TASK_RESTORE_SIGMASK;
		rec->saved_sigmask = t->saved_sigmask.sig[0];
	}
	if (seccomp_mode(&t->seccomp) == SECCOMP_MODE_STRICT)
		rec->flags |= CKPT_TASK_SECCOMP_STRICT;
	if (t == current)
		rec->flags |= CKPT_TASK_SELF;
}

/* Of a zombie that is left which its parent can ask for. */
static int checkpoint_zombie(struct ckpt_ctx *ctx, const struct ckpt_task *ct)
{
	const struct cred *cred = get_task_cred(ct->t);
	struct signal_struct *sig = ct->t->signal;
	u32 cred_ref, signal_ref;
	struct ckpt_rec_task *rec;
	u64 utime, stime;
	int err = 0;

	cred_ref = ckpt_obj_checkpoint(ctx, CKPT_OBJ_CRED, (void *)cred, &err);
	signal_ref = ckpt_obj_checkpoint(ctx, CKPT_OBJ_SIGNAL, sig, &err);
	put_cred(cred);
	if (err)
		return err;
	rec = ckpt_rec_new(ctx, task, CKPT_REC_TASK, 0);
	if (!rec)
		return -ENOMEM;
	rec->index = ct - ctx->tasks;
	rec->cred = cred_ref;
	rec->signal = signal_ref;
	rec->ioprio = IOPRIO_DEFAULT;
	get_task_comm(rec->comm, ct->t);
	rec->exit_code = sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code :
							  ct->t->exit_code;
	rec->start_time = ct->t->start_time;
	task_cputime_adjusted(ct->t, &utime, &stime);
	rec->utime = utime;
	rec->stime = stime;
	return 0;
}

/**
 * checkpoint_task - write a task and the objects that it uses
 * @ctx: the checkpoint
 * @ct: the task, frozen
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_task(struct ckpt_ctx *ctx, const struct ckpt_task *ct)
{
	struct ckpt_task_refs refs = {};
	struct task_struct *t = ct->t;
	struct ckpt_rec_task *rec;
	size_t cpus_len = 0;
	int ret;

	ctx->task = ct;
	if (ct->zombie)
		return checkpoint_zombie(ctx, ct);
	ret = ckpt_task_objects(ctx, t, &refs);
	if (ret)
		return ret;

	if (t->user_cpus_ptr)
		cpus_len = BITS_TO_LONGS(nr_cpu_ids) * sizeof(long);
	rec = ckpt_rec_new(ctx, task, CKPT_REC_TASK, cpus_len);
	if (!rec)
		return -ENOMEM;
	rec->index = ct - ctx->tasks;
	rec->mm = refs.mm;
	rec->files = refs.files;
	rec->fs = refs.fs;
	rec->sighand = refs.sighand;
	rec->signal = refs.signal;
	rec->cred = refs.cred;
	rec->seccomp = refs.seccomp;
	rec->vfork = ct->vfork;
	memcpy(rec->ns, refs.ns, sizeof(rec->ns));
	get_task_comm(rec->comm, t);
	ckpt_task_fill(t, rec);
	checkpoint_prctl(t, rec);
	checkpoint_sched(t, rec);
	ret = checkpoint_io(ctx, t, rec) ?: checkpoint_core(ctx, t, rec);
	if (ret)
		return ret;
	rec->cpus_len = cpus_len;
	if (cpus_len)
		memcpy(ckpt_rec_var(rec), cpumask_bits(t->user_cpus_ptr),
		       cpus_len);

	if (ckpt_writes_process(ctx, ct))
		ret = checkpoint_timers(ctx, t);
	if (!ret)
		ret = checkpoint_sigpending(ctx, t, false);
	if (!ret && ckpt_writes_process(ctx, ct))
		ret = checkpoint_sigpending(ctx, t, true);
	if (!ret)
		ret = checkpoint_restart_block(ctx, t);
	if (!ret)
		ret = checkpoint_cpu(ctx, t);
	if (!ret)
		ret = checkpoint_task_policy(ctx, t);
	return ret;
}

/* ---- restart ------------------------------------------------------------------ */

static int restore_check_cpus(struct ckpt_member *m,
			      const struct ckpt_rec_task *rec)
{
	struct ckpt_restart *rs = m->rs;
	cpumask_var_t mask;
	int ret = 0;

	if (rec->cpus_len % sizeof(long) || rec->cpus_len > m->task->var_len ||
	    rec->cpus_len > PAGE_SIZE)
		return ckpt_bad(rs, m->task, -EINVAL, "CPU mask of %u bytes", rec->cpus_len);
	if (!rec->cpus_len)
		return 0;
	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	memcpy(cpumask_bits(mask), m->task->var,
	       min_t(size_t, rec->cpus_len, cpumask_size()));
	if (!cpumask_intersects(mask, cpu_active_mask))
		ret = ckpt_bad(rs, m->task, -EINVAL, "none of the CPUs it was bound to is there");
	free_cpumask_var(mask);
	return ret;
}

static bool ckpt_user_range_ok(u64 addr, u64 len)
{
	return addr < TASK_SIZE_MAX && len <= TASK_SIZE_MAX - addr;
}

/**
 * restore_task_check - look for all in a TASK record that may be wrong
 * @m: the task, whose turn it is
 *
 * Context: before the point of no return; changes nothing.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_task_check(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;
	int ret;

	if (rec->flags & ~CKPT_TASK_FLAGS_ALL)
		return ckpt_bad(rs, m->task, -EOPNOTSUPP, "unknown task flags 0x%x", rec->flags);
	if (strnlen(rec->comm, sizeof(rec->comm)) == sizeof(rec->comm))
		return ckpt_bad(rs, m->task, -EINVAL, "the name is not terminated");
	if (!ckpt_user_range_ok(rec->sas_ss_sp, rec->sas_ss_size) ||
	    (rec->sas_ss_flags & ~(SS_ONSTACK | SS_DISABLE | SS_AUTODISARM)))
		return ckpt_bad(rs, m->task, -EINVAL, "impossible alternate signal stack");
	if (rec->clear_child_tid >= TASK_SIZE_MAX ||
	    rec->robust_list >= TASK_SIZE_MAX ||
	    rec->compat_robust_list > U32_MAX)
		return ckpt_bad(rs, m->task, -EINVAL, "a user address lies in the kernel");
#ifdef CONFIG_RSEQ
	if (rec->rseq && (rec->rseq_len < offsetof(struct rseq, end) ||
			  rec->rseq_len > PAGE_SIZE ||
			  !IS_ALIGNED(rec->rseq, 32) ||
			  !ckpt_user_range_ok(rec->rseq, rec->rseq_len)))
		return ckpt_bad(rs, m->task, -EINVAL, "impossible rseq registration");
#else
	if (rec->rseq)
		return ckpt_bad(rs, m->task, -EOPNOTSUPP, "this kernel has no rseq()");
#endif
	if (rec->pdeath_signal && !valid_signal(rec->pdeath_signal))
		return ckpt_bad(rs, m->task, -EINVAL, "impossible parent-death signal");
	ret = restore_vfork_check(m);
	if (!ret)
		ret = restore_check_sched(m);
	if (!ret)
		ret = restore_check_prctl(m);
	if (!ret)
		ret = restore_check_cpus(m, rec);
	return ret;
}

static void restore_rseq(const struct ckpt_rec_task *rec)
{
#ifdef CONFIG_RSEQ
	preempt_disable();
	current->rseq = (struct rseq __user *)(unsigned long)rec->rseq;
	current->rseq_len = rec->rseq_len;
	current->rseq_sig = rec->rseq_sig;
	/* A critical section aborts, and the CPU number is written anew. */
	if (rec->rseq) {
		__set_bit(RSEQ_EVENT_PREEMPT_BIT, &current->rseq_event_mask);
		rseq_set_notify_resume(current);
	}
	preempt_enable();
#endif
}

/* How long ago the task started, as its clock saw it. */
static void restore_start_time(struct ckpt_restart *rs,
			       const struct ckpt_rec_task *rec)
{
	const struct ckpt_rec_header *h = ckpt_rec_as(rs->hdr, header);
	u64 saved_now = h->monotonic_ns - h->timens_monotonic_ns;
	u64 now = ktime_get_ns(), age;

	if (rec->start_time > saved_now)
		return;
	age = saved_now - rec->start_time;
	/* The machine may not have been up for so long. */
	current->start_time = age < now ? now - age : 0;
	now = ktime_get_boottime_ns();
	current->start_boottime = age < now ? now - age : 0;
}

/**
 * restore_task_commit - become the task
 * @m: the task, all of it checked
 *
 * Context: past the point of no return, on the new address space; cannot fail.
 */
void restore_task_commit(struct ckpt_member *m)
{
	const struct ckpt_rec_task *rec = ckpt_rec_as(m->task, task);
	struct task_struct *t = current;

	set_task_comm(t, rec->comm);
	t->personality = rec->personality;
	t->timer_slack_ns = rec->timer_slack_ns ?: 1;
	t->default_timer_slack_ns = rec->default_timer_slack_ns ?: 1;
	t->pdeath_signal = rec->pdeath_signal;
	t->sas_ss_sp = rec->sas_ss_sp;
	t->sas_ss_size = rec->sas_ss_size;
	t->sas_ss_flags = rec->sas_ss_flags;
	t->clear_child_tid = (int __user *)(unsigned long)rec->clear_child_tid;
	t->set_child_tid = NULL;
#ifdef CONFIG_FUTEX
	t->robust_list = (void __user *)(unsigned long)rec->robust_list;
#ifdef CONFIG_COMPAT
	t->compat_robust_list = (void __user *)(unsigned long)rec->compat_robust_list;
#endif
#endif
#ifdef CONFIG_FAULT_INJECTION
	t->make_it_fail = 0;
	t->fail_nth = 0;
#endif
	if (rec->flags & CKPT_TASK_NO_NEW_PRIVS)
		task_set_no_new_privs(t);
	t->flags &= ~(PF_MCE_PROCESS | PF_MCE_EARLY);
	if (rec->flags & CKPT_TASK_MCE_PROCESS)
		t->flags |= PF_MCE_PROCESS;
	if (rec->flags & CKPT_TASK_MCE_EARLY)
		t->flags |= PF_MCE_EARLY;
	restore_sched_commit(m);
	restore_prctl_commit(m);
	restore_rseq(rec);
	restore_start_time(m->rs, rec);
}
