// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the registers of a task and of what else x86 keeps for a
 * task or an address space. The FPU is in fpu/checkpoint.c.
 *
 * What becomes of the fields of struct thread_struct:
 *
 *	tls_array		saved
 *	sp			not preserved: the kernel stack
 *	es, ds, fsindex, gsindex, fsbase, gsbase	saved
 *	ptrace_bps		refused
 *	virtual_dr6		not preserved: only a tracer sees it
 *	ptrace_dr7		refused
 *	cr2, trap_nr, error_code	not preserved, zero: what the last fault
 *				was, only copied into signal frames
 *	vm86			refused (does not exist on x86-64)
 *	io_bitmap, iopl_emul	refused
 *	iopl_warn		not preserved: limits a message in the log
 *	pkru			saved with the XSAVE area
 *	features, features_locked, shstk	refused (shadow stack)
 *	fpu			see fpu/checkpoint.c
 *
 * Of mm_context_t:
 *
 *	ctx_id, tlb_gen, next_trim_cpumask, ldt_usr_sem, lock	not preserved:
 *				at work inside the kernel
 *	ldt			refused
 *	flags			UPROBE_IA32, HAS_VSYSCALL: follow from whether the
 *				task is a 32-bit one; LOCK_LAM: not preserved,
 *				set by the first thread; FORCE_TAGGED_SVA: refused
 *	lam_cr3_mask, untag_mask	refused
 *	vdso, vdso_image	saved, see checkpoint_vdso.c
 *	perf_rdpmc_allowed	refused
 *	pkey_allocation_map, execute_only_pkey	saved, see checkpoint_pkeys.c
 *
 * Of struct thread_info: flags and syscall_work as in the tables below, status
 * saved, cpu not preserved.
 */
#include <linux/mm.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>

#include <asm/checkpoint.h>
#include <linux/cpufeature.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/gsseg.h>
#include <asm/ia32.h>
#include <linux/mmu_context.h>
#include <asm/prctl.h>
#include <asm/proto.h>
#include <asm/ptrace.h>
#include <uapi/asm/vsyscall.h>

#include "tls.h"

/*
 * Tripwires: each field stands right behind the one that the tables above name
 * before it. If one of these fails, the base has gained a field: decide what
 * becomes of it.
 */
#define FOLLOWS(type, field, prev) \
	static_assert(offsetof(type, field) == offsetofend(type, prev))

FOLLOWS(struct thread_struct, sp, tls_array);
FOLLOWS(struct thread_struct, es, sp);
FOLLOWS(struct thread_struct, ds, es);
FOLLOWS(struct thread_struct, fsindex, ds);
FOLLOWS(struct thread_struct, gsindex, fsindex);
FOLLOWS(struct thread_struct, fsbase, gsindex);
FOLLOWS(struct thread_struct, gsbase, fsbase);
FOLLOWS(struct thread_struct, ptrace_bps, gsbase);
FOLLOWS(struct thread_struct, virtual_dr6, ptrace_bps);
FOLLOWS(struct thread_struct, ptrace_dr7, virtual_dr6);
FOLLOWS(struct thread_struct, cr2, ptrace_dr7);
FOLLOWS(struct thread_struct, trap_nr, cr2);
FOLLOWS(struct thread_struct, error_code, trap_nr);
FOLLOWS(struct thread_struct, io_bitmap, error_code);
FOLLOWS(struct thread_struct, iopl_emul, io_bitmap);
/* The bit field iopl_warn lies between these two. */
static_assert(offsetof(struct thread_struct, pkru) ==
	      offsetofend(struct thread_struct, iopl_emul) + sizeof(u32));
#ifdef CONFIG_X86_USER_SHADOW_STACK
FOLLOWS(struct thread_struct, features, pkru);
FOLLOWS(struct thread_struct, features_locked, features);
FOLLOWS(struct thread_struct, shstk, features_locked);
static_assert(offsetof(struct thread_struct, fpu) ==
	      ALIGN(offsetofend(struct thread_struct, shstk), 64));
#else
static_assert(offsetof(struct thread_struct, fpu) ==
	      ALIGN(offsetofend(struct thread_struct, pkru), 64));
#endif

FOLLOWS(mm_context_t, tlb_gen, ctx_id);
FOLLOWS(mm_context_t, next_trim_cpumask, tlb_gen);
#ifdef CONFIG_MODIFY_LDT_SYSCALL
FOLLOWS(mm_context_t, ldt_usr_sem, next_trim_cpumask);
FOLLOWS(mm_context_t, ldt, ldt_usr_sem);
FOLLOWS(mm_context_t, flags, ldt);
#else
FOLLOWS(mm_context_t, flags, next_trim_cpumask);
#endif
#ifdef CONFIG_ADDRESS_MASKING
FOLLOWS(mm_context_t, lam_cr3_mask, flags);
FOLLOWS(mm_context_t, untag_mask, lam_cr3_mask);
FOLLOWS(mm_context_t, lock, untag_mask);
#else
FOLLOWS(mm_context_t, lock, flags);
#endif
FOLLOWS(mm_context_t, vdso, lock);
FOLLOWS(mm_context_t, vdso_image, vdso);
FOLLOWS(mm_context_t, perf_rdpmc_allowed, vdso_image);
#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
FOLLOWS(mm_context_t, pkey_allocation_map, perf_rdpmc_allowed);
FOLLOWS(mm_context_t, execute_only_pkey, pkey_allocation_map);
static_assert(sizeof(mm_context_t) ==
	      ALIGN(offsetofend(mm_context_t, execute_only_pkey), 8));
#else
static_assert(sizeof(mm_context_t) ==
	      ALIGN(offsetofend(mm_context_t, perf_rdpmc_allowed), 8));
#endif

FOLLOWS(struct thread_info, syscall_work, flags);
FOLLOWS(struct thread_info, status, syscall_work);
#ifdef CONFIG_SMP
FOLLOWS(struct thread_info, cpu, status);
static_assert(sizeof(struct thread_info) ==
	      ALIGN(offsetofend(struct thread_info, cpu), 8));
#else
static_assert(sizeof(struct thread_info) ==
	      ALIGN(offsetofend(struct thread_info, status), 8));
#endif

/* The record has the registers in the order of struct pt_regs. */
static_assert(sizeof(struct pt_regs) ==
	      sizeof_field(struct ckpt_rec_x86_cpu, regs));
static_assert(offsetof(struct pt_regs, r15) == 0);
static_assert(offsetof(struct pt_regs, ax) == 10 * 8);
static_assert(offsetof(struct pt_regs, orig_ax) == 15 * 8);
static_assert(offsetof(struct pt_regs, ip) == 16 * 8);
static_assert(offsetof(struct pt_regs, cs) == 17 * 8);
static_assert(offsetof(struct pt_regs, ss) == 20 * 8);
static_assert(ARRAY_SIZE(((struct ckpt_rec_x86_cpu *)0)->tls) ==
	      GDT_ENTRY_TLS_ENTRIES);

/* What PR_SET_SPECULATION_CTRL has set; in the hands of checkpoint/. */
#define TIF_SPEC	(_TIF_SSBD | _TIF_SPEC_IB | _TIF_SPEC_L1D_FLUSH)

/*
 * Thread flags that a record holds, and those that the kernel sets again by
 * itself when there is a reason. All others refuse the task.
 */
#define TIF_SAVED	(_TIF_NOCPUID | _TIF_NOTSC | _TIF_ADDR32 |	\
			 TIF_SPEC)
#define TIF_TRANSIENT							\
	(_TIF_NOTIFY_RESUME | _TIF_SIGPENDING | _TIF_NEED_RESCHED |	\
	 _TIF_USER_RETURN_NOTIFY | _TIF_PATCH_PENDING |			\
	 _TIF_NEED_FPU_LOAD | _TIF_NOTIFY_SIGNAL |			\
	 _TIF_POLLING_NRFLAG | _TIF_SPEC_FORCE_UPDATE |			\
	 _TIF_LAZY_MMU_UPDATES)

#define TIF_STEP	(_TIF_SINGLESTEP | _TIF_FORCED_TF | _TIF_BLOCKSTEP)
#define TIF_OTHER	(_TIF_UPROBE | BIT(TIF_MEMDIE) | _TIF_IO_BITMAP)

/* Likewise of syscall_work; seccomp and dispatch are in the hands of checkpoint/. */
#define WORK_TRANSIENT							\
	(SYSCALL_WORK_SYSCALL_TRACEPOINT | SYSCALL_WORK_SYSCALL_AUDIT |	\
	 SYSCALL_WORK_SECCOMP | SYSCALL_WORK_SYSCALL_USER_DISPATCH)
#define WORK_PTRACE							\
	(SYSCALL_WORK_SYSCALL_TRACE | SYSCALL_WORK_SYSCALL_EMU |	\
	 SYSCALL_WORK_SYSCALL_EXIT_TRAP)

static const struct {
	unsigned long mask;
	const char *why;
} tif_refused[] = {
	{ TIF_STEP, "single-stepped by a debugger" },
	{ _TIF_UPROBE, "in the middle of a uprobe" },
	{ BIT(TIF_MEMDIE), "being killed for lack of memory" },
	{ _TIF_IO_BITMAP, "I/O port permissions (ioperm, iopl)" },
	{ ~(TIF_SAVED | TIF_TRANSIENT | TIF_STEP | TIF_OTHER),
	  "unknown thread flag" },
}, work_refused[] = {
	{ WORK_PTRACE, "system calls are traced" },
	{ ~(WORK_TRANSIENT | WORK_PTRACE),
	  "unknown system call work" },
};

static const char *refuse_flags(struct task_struct *t, unsigned int *n)
{
	unsigned long flags = read_task_thread_flags(t);
	unsigned long work = READ_ONCE(task_thread_info(t)->syscall_work);
	u32 status = READ_ONCE(task_thread_info(t)->status);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tif_refused); i++)
		if ((flags & tif_refused[i].mask) && !(*n)--)
			return tif_refused[i].why;
	for (i = 0; i < ARRAY_SIZE(work_refused); i++)
		if ((work & work_refused[i].mask) && !(*n)--)
			return work_refused[i].why;
	if ((status & ~TS_COMPAT) && !(*n)--)
		return "registers written by a 32-bit debugger";
	return NULL;
}

static bool has_breakpoint(const struct thread_struct *thread)
{
	unsigned int i;

	for (i = 0; i < HBP_NUM; i++)
		if (thread->ptrace_bps[i])
			return true;
	return thread->ptrace_dr7;
}

static bool has_shadow_stack(const struct thread_struct *thread)
{
#ifdef CONFIG_X86_USER_SHADOW_STACK
	return thread->features || thread->features_locked ||
	       thread->shstk.size;
#else
	return false;
#endif
}

static const char *refuse_thread(struct task_struct *t, unsigned int *n)
{
	struct thread_struct *thread = &t->thread;

	if (has_breakpoint(thread) && !(*n)--)
		return "hardware breakpoints";
	/* The last thread to drop its permissions may keep the bitmap. */
	if ((thread->io_bitmap || thread->iopl_emul) &&
	    !test_tsk_thread_flag(t, TIF_IO_BITMAP) && !(*n)--)
		return "I/O port permissions (ioperm, iopl)";
	if (has_shadow_stack(thread) && !(*n)--)
		return "user shadow stack";
	return NULL;
}

static bool has_ldt(struct mm_struct *mm)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	return READ_ONCE(mm->context.ldt);
#else
	return false;
#endif
}

#define MM_CONTEXT_KNOWN						\
	(BIT(MM_CONTEXT_UPROBE_IA32) | BIT(MM_CONTEXT_HAS_VSYSCALL) |	\
	 BIT(MM_CONTEXT_LOCK_LAM))

static const char *refuse_mm(struct task_struct *t, unsigned int *n)
{
	struct mm_struct *mm = t->mm;

	if (!mm)
		return NULL;
	if (has_ldt(mm) && !(*n)--)
		return "local descriptor table (modify_ldt)";
	if (mm_lam_cr3_mask(mm) && !(*n)--)
		return "tagged addresses (LAM)";
	if ((mm->context.flags & ~MM_CONTEXT_KNOWN) && !(*n)--)
		return "unknown flag of the address space";
	if (atomic_read(&mm->context.perf_rdpmc_allowed) && !(*n)--)
		return "performance counters are mapped (RDPMC)";
	if (test_tsk_thread_flag(t, TIF_ADDR32) && is_64bit_mm(mm) && !(*n)--)
		return "x32 program";
	return NULL;
}

/* What a program can do to its registers that no restart would accept. */
static const char *refuse_regs(struct task_struct *t, unsigned int *n)
{
	struct ckpt_rec_x86_cpu rec;
	char why[64];

	arch_ckpt_save_cpu(t, &rec);
	if (arch_ckpt_check_cpu(&rec, why, sizeof(why)) && !(*n)--)
		return "instruction pointer, segment or base outside user space";
	return NULL;
}

/**
 * arch_ckpt_refusal - why the x86 state of a task cannot be saved
 * @t: the task, current or frozen and off its CPU
 * @n: number of the reason, counted from 0
 *
 * The same holds for a task that restart() is to fill: what is named here would
 * survive in it. Ask for current before a restart begins.
 *
 * Context: process context, may sleep.
 *
 * Return: the reason, or NULL if there are not that many.
 */
const char *arch_ckpt_refusal(struct task_struct *t, unsigned int n)
{
	const char *why;

	why = refuse_flags(t, &n);
	if (!why)
		why = refuse_thread(t, &n);
	if (!why)
		why = ckpt_fpu_refusal(t, &n);
	if (!why)
		why = refuse_mm(t, &n);
	if (!why)
		why = refuse_regs(t, &n);
	return why;
}

/*
 * TLS descriptors. ckpt_x86_tls.flags is the last word of struct user_desc, but
 * for the bit "lm", which no descriptor in the TLS array has.
 */
#define TLS_FLAGS_ALL		GENMASK(6, 0)
#define TLS_LIMIT_MAX		0xfffff

union tls_desc {
	struct user_desc desc;
	u32 words[4];	/* entry_number, base_addr, limit, bit fields */
};

static_assert(sizeof(union tls_desc) == sizeof(struct user_desc));

static void tls_from_desc(struct ckpt_x86_tls *tls, const struct user_desc *desc)
{
	union tls_desc d = { .desc = *desc };

	tls->entry_number = d.words[0];
	tls->base_addr = d.words[1];
	tls->limit = d.words[2];
	tls->flags = d.words[3];
}

static void tls_to_desc(struct user_desc *desc, const struct ckpt_x86_tls *tls)
{
	union tls_desc d = {
		.words = {
			tls->entry_number, tls->base_addr, tls->limit, tls->flags
		},
	};

	*desc = d.desc;
}

/* Without IA32 emulation there is no call that sets a descriptor. */
#ifdef CONFIG_IA32_EMULATION
static void save_tls(struct task_struct *t, struct ckpt_rec_x86_cpu *rec)
{
	struct user_desc desc[GDT_ENTRY_TLS_ENTRIES];
	struct membuf to = { .p = desc, .left = sizeof(desc) };
	unsigned int i;

	regset_tls_get(t, NULL, to);
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		tls_from_desc(&rec->tls[i], &desc[i]);
}

/* As tls_desc_okay(): empty, or a 32-bit data segment that is present. */
static bool tls_valid(const struct ckpt_x86_tls *tls)
{
	struct user_desc desc;

	tls_to_desc(&desc, tls);
	return LDT_empty(&desc) || LDT_zero(&desc) ||
	       (desc.seg_32bit && desc.contents <= 1 && !desc.seg_not_present);
}

static void commit_tls(const struct ckpt_rec_x86_cpu *cpu)
{
	struct user_desc desc[GDT_ENTRY_TLS_ENTRIES];
	unsigned int i;

	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		tls_to_desc(&desc[i], &cpu->tls[i]);
	WARN_ON_ONCE(regset_tls_set(current, NULL, 0, sizeof(desc), desc, NULL));
}
#else
static void save_tls(struct task_struct *t, struct ckpt_rec_x86_cpu *rec)
{
	struct user_desc desc = { .read_exec_only = 1, .seg_not_present = 1 };
	unsigned int i;

	/* As fill_user_desc() shows an empty entry. */
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		desc.entry_number = GDT_ENTRY_TLS_MIN + i;
		tls_from_desc(&rec->tls[i], &desc);
	}
}

static bool tls_valid(const struct ckpt_x86_tls *tls)
{
	struct user_desc desc;

	tls_to_desc(&desc, tls);
	return LDT_empty(&desc) || LDT_zero(&desc);
}

static void commit_tls(const struct ckpt_rec_x86_cpu *cpu) { }
#endif

static void save_selectors(struct task_struct *t, struct ckpt_rec_x86_cpu *rec)
{
	if (t == current) {
		savesegment(ds, rec->ds);
		savesegment(es, rec->es);
		savesegment(fs, rec->fs);
		savesegment(gs, rec->gs);
	} else {
		rec->ds = t->thread.ds;
		rec->es = t->thread.es;
		rec->fs = t->thread.fsindex;
		rec->gs = t->thread.gsindex;
	}
}

/**
 * arch_ckpt_save_cpu - save the registers of a task
 * @t: the task, current or frozen and off its CPU
 * @rec: filled in but for its header
 *
 * If @t is current, the record shows the system call as done, with the value 0:
 * that is what the program sees after a restart.
 *
 * Context: process context, may sleep.
 */
void arch_ckpt_save_cpu(struct task_struct *t, struct ckpt_rec_x86_cpu *rec)
{
	struct pt_regs regs = *task_pt_regs(t);

	/* Above the selectors there may be FRED's event data. */
	regs.csx = regs.cs;
	regs.ssx = regs.ss;
	if (test_tsk_thread_flag(t, TIF_FORCED_TF))
		regs.flags &= ~X86_EFLAGS_TF;
	if (t == current) {
		regs.ax = 0;
		regs.orig_ax = -1;
	}
	memcpy(rec->regs, &regs, sizeof(rec->regs));

	rec->flags = 0;
	if (task_thread_info(t)->status & TS_COMPAT)
		rec->flags |= CKPT_X86_TS_COMPAT;
	if (test_tsk_thread_flag(t, TIF_ADDR32))
		rec->flags |= CKPT_X86_IA32_TASK;
	if (test_tsk_thread_flag(t, TIF_NOTSC))
		rec->flags |= CKPT_X86_NOTSC;
	if (test_tsk_thread_flag(t, TIF_NOCPUID))
		rec->flags |= CKPT_X86_NOCPUID;
	rec->__reserved = 0;

	save_selectors(t, rec);
	rec->fs_base = x86_fsbase_read_task(t);
	rec->gs_base = x86_gsbase_read_task(t);
	save_tls(t, rec);
}

/* What POPF can change in user mode, and what is always set there. */
#define FLAGS_USER	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF |     \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_TF |     \
			 X86_EFLAGS_DF | X86_EFLAGS_OF | X86_EFLAGS_NT |     \
			 X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID)
#define FLAGS_ALWAYS	(X86_EFLAGS_IF | X86_EFLAGS_FIXED)

/* As ptrace has it: null, or of user privilege. */
static bool selector_valid(u64 sel)
{
	return sel <= U16_MAX &&
	       (!sel || (sel & SEGMENT_RPL_MASK) == USER_RPL);
}

/*
 * Without an LDT these are all code segments there are. Others would only make
 * IRET fault, but it is better to know before the program is there.
 */
static bool cs_valid(const struct pt_regs *regs)
{
	return regs->csx <= U16_MAX &&
	       (regs->cs == __USER32_CS || user_64bit_mode((void *)regs));
}

static bool ip_valid(u64 ip)
{
	return ip < TASK_SIZE_MAX || (ip & PAGE_MASK) == VSYSCALL_ADDR;
}

static const char *check_regs(const struct ckpt_rec_x86_cpu *rec)
{
	const struct pt_regs *regs = (const struct pt_regs *)rec->regs;

	if (!cs_valid(regs))
		return "code segment";
	if (regs->ssx <= USER_RPL || !selector_valid(regs->ssx))
		return "stack segment";
	if (!selector_valid(rec->ds) || !selector_valid(rec->es) ||
	    !selector_valid(rec->fs) || !selector_valid(rec->gs))
		return "segment selector";
	if (!ip_valid(regs->ip))
		return "instruction pointer";
	if (regs->flags & ~(FLAGS_USER | FLAGS_ALWAYS))
		return "eflags";
	if (rec->fs_base >= TASK_SIZE_MAX || rec->gs_base >= TASK_SIZE_MAX)
		return "segment base";
	return NULL;
}

static const char *check_tls(const struct ckpt_rec_x86_cpu *rec)
{
	const struct ckpt_x86_tls *tls = rec->tls;
	unsigned int i;

	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++, tls++)
		if (tls->entry_number != GDT_ENTRY_TLS_MIN + i ||
		    tls->limit > TLS_LIMIT_MAX ||
		    (tls->flags & ~TLS_FLAGS_ALL) || !tls_valid(tls))
			return "TLS descriptor";
	return NULL;
}

/**
 * arch_ckpt_check_cpu - check the registers of an image
 * @rec: the record
 * @why: filled in on failure
 * @why_len: size of @why
 *
 * The stack pointer may have any value, here as in user mode: nothing in the
 * kernel trusts it.
 *
 * Return: 0; -EINVAL if user mode could not have had these registers; -ENODEV if
 * this CPU or kernel lacks what they need.
 */
int arch_ckpt_check_cpu(const struct ckpt_rec_x86_cpu *rec, char *why,
			size_t why_len)
{
	const char *bad;

	if (rec->flags & ~CKPT_X86_FLAGS_ALL)
		bad = "flags";
	else if (rec->__reserved)
		bad = "reserved field";
	else
		bad = check_regs(rec) ?: check_tls(rec);
	if (bad) {
		snprintf(why, why_len, "register record: bad %s", bad);
		return -EINVAL;
	}
	if ((rec->flags & (CKPT_X86_IA32_TASK | CKPT_X86_TS_COMPAT)) &&
	    !ia32_enabled()) {
		snprintf(why, why_len, "this kernel runs no 32-bit programs");
		return -ENODEV;
	}
	if ((rec->flags & CKPT_X86_NOCPUID) &&
	    !boot_cpu_has(X86_FEATURE_CPUID_FAULT)) {
		snprintf(why, why_len, "this CPU lacks CPUID faulting");
		return -ENODEV;
	}
	return 0;
}

static void commit_mode(u32 flags)
{
	struct thread_info *ti = current_thread_info();
	mm_context_t *ctx = &current->mm->context;

	/* As set_personality_ia32() and set_personality_64bit() do. */
	if (flags & CKPT_X86_IA32_TASK) {
		set_thread_flag(TIF_ADDR32);
		set_bit(MM_CONTEXT_UPROBE_IA32, &ctx->flags);
		clear_bit(MM_CONTEXT_HAS_VSYSCALL, &ctx->flags);
	} else {
		clear_thread_flag(TIF_ADDR32);
		clear_bit(MM_CONTEXT_UPROBE_IA32, &ctx->flags);
		set_bit(MM_CONTEXT_HAS_VSYSCALL, &ctx->flags);
	}

	ti->status &= ~TS_COMPAT;
	if (flags & CKPT_X86_TS_COMPAT)
		ti->status |= TS_COMPAT;
	/* Says which number restart_syscall() has, see get_nr_restart_syscall() */
	arch_set_restart_data((&current->restart_block));
}

static void commit_segments(const struct ckpt_rec_x86_cpu *cpu)
{
	bool fsgsbase = boot_cpu_has(X86_FEATURE_FSGSBASE);

	/* No context switch may see half of this. */
	preempt_disable();
	commit_tls(cpu);
	loadsegment(ds, cpu->ds);
	loadsegment(es, cpu->es);

	if (static_cpu_has_bug(X86_BUG_NULL_SEG)) {
		/* Loading a null selector does not clear the base. */
		loadsegment(fs, __USER_DS);
		load_gs_index(__USER_DS);
	}
	loadsegment(fs, cpu->fs);
	load_gs_index(cpu->gs);

	/* Without FSGSBASE a selector other than 0 determines the base. */
	if (fsgsbase || !cpu->fs) {
		x86_fsbase_write_cpu(cpu->fs_base);
		current->thread.fsbase = cpu->fs_base;
	}
	if (fsgsbase || !cpu->gs) {
		x86_gsbase_write_cpu_inactive(cpu->gs_base);
		current->thread.gsbase = cpu->gs_base;
	}
	preempt_enable();
}

/* The functions behind prctl(PR_SET_TSC) and arch_prctl(ARCH_SET_CPUID). */
static void commit_traps(u32 flags)
{
	set_tsc_mode(flags & CKPT_X86_NOTSC ? PR_TSC_SIGSEGV : PR_TSC_ENABLE);
	/* Only fails where CPUID cannot be disabled in the first place. */
	do_arch_prctl_common(ARCH_SET_CPUID, !(flags & CKPT_X86_NOCPUID));

	current->thread.virtual_dr6 = 0;
	current->thread.cr2 = 0;
	current->thread.trap_nr = 0;
	current->thread.error_code = 0;
}

/**
 * arch_ckpt_commit - turn current into the task of an image
 * @cpu: its registers, approved of by arch_ckpt_check_cpu()
 * @xs: its FPU and extended state, approved of by arch_ckpt_check_xstate()
 * @xbuf: the bytes behind @xs
 *
 * Comes last, when current has its new mm and its restart block. Cannot fail.
 * The caller returns the result from restart() at once and makes sure that
 * TIF_SIGPENDING is set, so that a system call that was interrupted is restarted
 * or ends as it would have.
 *
 * SYSRET is no danger: do_syscall_64() uses it only if rcx, r11, cs and ss are
 * what it would leave behind, and IRET otherwise.
 *
 * Context: in a system call of current, whose mm has no other user that runs in
 * user mode.
 *
 * Return: the value of rax in user mode, for the system call entry to store.
 */
long arch_ckpt_commit(const struct ckpt_rec_x86_cpu *cpu,
		      const struct ckpt_rec_x86_xstate *xs, const void *xbuf)
{
	struct pt_regs *regs = current_pt_regs();

	commit_mode(cpu->flags);
	ckpt_fpu_commit(xs, xbuf);
	commit_segments(cpu);
	commit_traps(cpu->flags);

	memcpy(regs, cpu->regs, sizeof(*regs));
	regs->flags |= FLAGS_ALWAYS;
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		/* As start_thread() does: this is the return from a call. */
		regs->fred_ss.swevent = true;
		regs->fred_ss.nmi = true;
	}
	return regs->ax;
}
