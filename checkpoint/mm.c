// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces. Their mappings are in vma.c, the contents in pages.c
 * and pages_restore.c.
 *
 * A restart builds a new address space and leaves the old one alone until the
 * image has been verified to its end, so that a restart that fails leaves the
 * caller as it was.
 */
#include <linux/binfmts.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/ksm.h>
#include <linux/membarrier.h>
#include <linux/mm_ckpt.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/random.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <asm/checkpoint.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/* ---- flags: each is here -------------------------------------------------- */

/* MMF_*: what is saved; what means nothing to a program; what refuses. */
#define CKPT_MMF_SAVED		(MMF_DUMPABLE_MASK | MMF_DUMP_FILTER_MASK | \
				 BIT(MMF_DISABLE_THP) | BIT(MMF_HAS_MDWE) | \
				 BIT(MMF_HAS_MDWE_NO_INHERIT) | \
				 BIT(MMF_VM_MERGE_ANY) | MMF_TOPDOWN_MASK)
#define CKPT_MMF_IGNORED	(BIT(MMF_VM_MERGEABLE) | BIT(MMF_VM_HUGEPAGE) | \
				 BIT(MMF_HUGE_ZERO_PAGE) | \
				 BIT(MMF_MULTIPROCESS) | BIT(MMF_HAS_PINNED) | \
				 BIT(MMF_RECALC_UPROBES))

static const struct {
	unsigned long mmf;
	u32 saved;
} ckpt_mm_flags[] = {
	{ BIT(MMF_DISABLE_THP),		CKPT_MM_THP_DISABLE },
	{ BIT(MMF_HAS_MDWE),		CKPT_MM_MDWE },
	{ BIT(MMF_HAS_MDWE_NO_INHERIT),	CKPT_MM_MDWE_NO_INHERIT },
	{ BIT(MMF_VM_MERGE_ANY),	CKPT_MM_KSM_ANY },
	{ MMF_TOPDOWN_MASK,		CKPT_MM_TOPDOWN },
};

/* What membarrier() has a process register, and what becomes of it. */
static const struct {
	u32 cmd;
	int state;
} ckpt_membarriers[] = {
#ifdef CONFIG_MEMBARRIER
	{ MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
	  MEMBARRIER_STATE_GLOBAL_EXPEDITED |
	  MEMBARRIER_STATE_GLOBAL_EXPEDITED_READY },
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED |
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED_READY },
#ifdef CONFIG_ARCH_HAS_MEMBARRIER_SYNC_CORE
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED |
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE |
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE_READY },
#endif
#ifdef CONFIG_RSEQ
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED |
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ |
	  MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ_READY },
#endif
#endif
};

static int ckpt_membarrier_state(struct mm_struct *mm)
{
#ifdef CONFIG_MEMBARRIER
	return atomic_read(&mm->membarrier_state);
#else
	return 0;
#endif
}

static u32 ckpt_membarrier_cmds(struct mm_struct *mm)
{
	int state = ckpt_membarrier_state(mm);
	unsigned int i;
	u32 cmds = 0;

	for (i = 0; i < ARRAY_SIZE(ckpt_membarriers); i++)
		if ((state & ckpt_membarriers[i].state) == ckpt_membarriers[i].state)
			cmds |= ckpt_membarriers[i].cmd;
	return cmds;
}

/* What of the state is not in the table. */
static int ckpt_membarrier_left(struct mm_struct *mm)
{
	int state = ckpt_membarrier_state(mm);
	u32 cmds = ckpt_membarrier_cmds(mm);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_membarriers); i++)
		if (cmds & ckpt_membarriers[i].cmd)
			state &= ~ckpt_membarriers[i].state;
	return state;
}

/* ---- what refuses ------------------------------------------------------------ */

/**
 * struct ckpt_mapped - a file that is mapped
 * @file: under a reference
 * @start: first address of a mapping of it
 * @end: the end of that
 * @nr: number of mappings in a row
 * @shared: one of them is shared
 */
struct ckpt_mapped {
	struct file *file;
	unsigned long start;
	unsigned long end;
	long nr;
	bool shared;
};

#define CKPT_MAPPED	32

/**
 * struct ckpt_mapped_some - some of the mapped files of an address space
 * @next: where those that follow start
 * @nr: entries in @list
 * @list: each under a reference
 */
struct ckpt_mapped_some {
	unsigned long next;
	unsigned int nr;
	struct ckpt_mapped list[CKPT_MAPPED];
};

static void ckpt_mapped_put(struct ckpt_mapped_some *some)
{
	while (some->nr)
		fput(some->list[--some->nr].file);
}

/* Returns whether there was room for it. */
static bool ckpt_mapped_add(struct ckpt_mapped_some *some, const struct vm_area_struct *vma)
{
	struct ckpt_mapped *last = &some->list[some->nr - 1];

	if (!some->nr || last->file != vma->vm_file) {
		if (some->nr == CKPT_MAPPED)
			return false;
		last = &some->list[some->nr++];
		*last = (struct ckpt_mapped) {
			.file = get_file(vma->vm_file),
			.start = vma->vm_start,
			.end = vma->vm_end,
		};
	}
	last->nr++;
	last->shared |= !!(vma->vm_flags & VM_MAYSHARE);
	return true;
}

/*
 * The mapped files, to be looked at without mmap_lock: a look at a path takes
 * locks under which others fault. One file in a row stands once. Those of last
 * time are let go of. Returns their number, 0 at the end, or a negative errno.
 */
static int ckpt_mapped_next(struct mm_struct *mm, struct ckpt_mapped_some *some)
{
	VMA_ITERATOR(vmi, mm, some->next);
	struct vm_area_struct *vma;
	int ret = 0;

	ckpt_mapped_put(some);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		ret = ckpt_loop_step(0);
		if (ret || (vma->vm_file && !ckpt_mapped_add(some, vma)))
			break;
		some->next = vma->vm_end;
	}
	mmap_read_unlock(mm);
	if (ret)
		ckpt_mapped_put(some);
	return ret ?: some->nr;
}

static struct ckpt_mapped_some *ckpt_mapped_begin(void)
{
	struct ckpt_mapped_some *some = kmalloc(sizeof(*some), GFP_KERNEL_ACCOUNT);

	if (some) {
		some->next = 0;
		some->nr = 0;
	}
	return some;
}

static void ckpt_mapped_end(struct ckpt_mapped_some *some)
{
	ckpt_mapped_put(some);
	kfree(some);
}

static void ckpt_check_mapped(struct ckpt_ctx *ctx, struct task_struct *t,
			      struct mm_struct *mm)
{
	struct ckpt_mapped_some *some = ckpt_mapped_begin();
	int i;

	if (!some) {
		ckpt_refuse(ctx, t, "has mappings that cannot be looked at: out of memory");
		return;
	}
	/* Whoever was killed is told nothing. */
	while (ckpt_mapped_next(mm, some) > 0) {
		for (i = 0; i < some->nr; i++) {
			const struct ckpt_mapped *m = &some->list[i];

			ckpt_check_file(ctx, t, m->file, "mapping %lx-%lx",
					m->start, m->end);
			if (ckpt_loop_step(0))
				break;
		}
	}
	ckpt_mapped_end(some);
}

/**
 * ckpt_check_mm - find what keeps an address space from being saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 */
void ckpt_check_mm(struct ckpt_ctx *ctx, struct task_struct *t)
{
	struct mm_struct *mm = get_task_mm(t);
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	struct file *exe;
	u32 vdso_len, vdso_crc;
	u64 vdso;

	if (!mm) {
		ckpt_refuse(ctx, t, "has no memory: it exits or is a kernel thread");
		return;
	}
	if (mm->flags & ~(CKPT_MMF_SAVED | CKPT_MMF_IGNORED))
		ckpt_refuse(ctx, t, "has memory flags 0x%lx, which cannot be saved",
			    mm->flags & ~(CKPT_MMF_SAVED | CKPT_MMF_IGNORED));
	if (mm->def_flags & ~VM_LOCKED_MASK)
		ckpt_refuse(ctx, t, "has flags 0x%lx for new mappings, which cannot be saved",
			    mm->def_flags & ~VM_LOCKED_MASK);
	if (ckpt_membarrier_left(mm))
		ckpt_refuse(ctx, t,
			    "has membarrier() state 0x%x, which cannot be saved",
			    ckpt_membarrier_left(mm));
	exe = get_mm_exe_file(mm);
	if (exe) {
		ckpt_check_file(ctx, t, exe, "the executable");
		fput(exe);
	}

	if (arch_ckpt_vdso_info(mm, &vdso, &vdso_len, &vdso_crc) == -EOPNOTSUPP)
		ckpt_refuse(ctx, t,
			    "has moved or changed parts of its vdso, which cannot be saved");
	ckpt_check_mapped(ctx, t, mm);

	vma_iter_init(&vmi, mm, 0);
	/* Who asks sees by himself that he was killed. */
	if (!mmap_read_lock_killable(mm)) {
		for_each_vma(vmi, vma) {
			ckpt_check_vma(ctx, t, vma);
			if (ckpt_loop_step(0))
				break;
		}
		mmap_read_unlock(mm);
	}
	mmput(mm);
}

/* ---- writing ------------------------------------------------------------------- */

/* The records of mapped files come before that of the address space. */
static int checkpoint_mapped(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_mapped_some *some = ckpt_mapped_begin();
	int i, err = 0, ret;

	if (!some)
		return -ENOMEM;
	while ((ret = ckpt_mapped_next(mm, some)) > 0 && !err) {
		for (i = 0; i < some->nr && !err; i++) {
			ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE,
					    some->list[i].file, &err);
			err = ckpt_loop_step(err);
		}
	}
	ckpt_mapped_end(some);
	return err ?: ret;
}

static void ckpt_mm_layout(struct mm_struct *mm, struct ckpt_rec_mm *rec)
{
	spin_lock(&mm->arg_lock);
	rec->start_code = mm->start_code;
	rec->end_code = mm->end_code;
	rec->start_data = mm->start_data;
	rec->end_data = mm->end_data;
	rec->start_brk = mm->start_brk;
	rec->brk = mm->brk;
	rec->start_stack = mm->start_stack;
	rec->arg_start = mm->arg_start;
	rec->arg_end = mm->arg_end;
	rec->env_start = mm->env_start;
	rec->env_end = mm->env_end;
	spin_unlock(&mm->arg_lock);
	rec->mmap_base = mm->mmap_base;
	rec->mmap_legacy_base = mm->mmap_legacy_base;
#ifdef CONFIG_HAVE_ARCH_COMPAT_MMAP_BASES
	rec->mmap_compat_base = mm->mmap_compat_base;
	rec->mmap_compat_legacy_base = mm->mmap_compat_legacy_base;
#endif
	rec->task_size = mm->task_size;
}

static int checkpoint_mm(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct mm_struct *mm = ptr;
	struct ckpt_rec_mm *rec;
	struct file *exe;
	unsigned int i;
	u32 exe_ref;
	int ret = 0;

	exe = get_mm_exe_file(mm);
	exe_ref = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE, exe, &ret);
	if (exe)
		fput(exe);
	if (!ret)
		ret = checkpoint_mapped(ctx, mm);
	if (ret)
		return ret;

	rec = ckpt_rec_new(ctx, mm, CKPT_REC_MM, sizeof(mm->saved_auxv));
	if (!rec)
		return -ENOMEM;
	rec->objref = objref;
	rec->flags = mm->flags & MMF_DUMPABLE_MASK;
	for (i = 0; i < ARRAY_SIZE(ckpt_mm_flags); i++)
		if (mm->flags & ckpt_mm_flags[i].mmf)
			rec->flags |= ckpt_mm_flags[i].saved;
	if (!is_64bit_mm(mm))
		rec->flags |= CKPT_MM_COMPAT;
	rec->coredump_filter = (mm->flags & MMF_DUMP_FILTER_MASK) >>
			       MMF_DUMP_FILTER_SHIFT;
	if (mm->def_flags & VM_LOCKED)
		rec->flags |= CKPT_MM_DEF_LOCKED;
	if (mm->def_flags & VM_LOCKONFAULT)
		rec->flags |= CKPT_MM_DEF_LOCKONFAULT;
	rec->membarrier = ckpt_membarrier_cmds(mm);
	arch_ckpt_save_pkeys(mm, rec);
	rec->exe = exe_ref;
	rec->auxv_len = sizeof(mm->saved_auxv);
	memcpy(ckpt_rec_var(rec), mm->saved_auxv, sizeof(mm->saved_auxv));
	ckpt_mm_layout(mm, rec);
	get_random_bytes(rec->id, sizeof(rec->id));

	ret = arch_ckpt_vdso_info(mm, &rec->vdso, &rec->vdso_len,
				  &rec->vdso_crc);
	if (!ret)
		rec->flags |= CKPT_MM_HAS_VDSO;
	else if (ret != -ENOENT)
		return ret;
	return checkpoint_vmas(ctx, mm, objref, rec);
}

static int ckpt_collect_mm(struct ckpt_ctx *ctx, void *ptr)
{
	struct ckpt_mapped_some *some = ckpt_mapped_begin();
	struct mm_struct *mm = ptr;
	struct ckpt_obj *obj;
	struct file *exe;
	int i, err = 0, ret;

	if (!some)
		return -ENOMEM;

	exe = get_mm_exe_file(mm);
	ckpt_obj_collect(ctx, CKPT_OBJ_FILE, exe, 1, &err);
	if (exe)
		fput(exe);
	while ((ret = ckpt_mapped_next(mm, some)) > 0 && !err) {
		for (i = 0; i < some->nr && !err; i++) {
			const struct ckpt_mapped *m = &some->list[i];

			obj = ckpt_obj_collect(ctx, CKPT_OBJ_FILE, m->file, m->nr, &err);
			/* Others would see what is written there. */
			if (obj && m->shared && ckpt_is_inode(ctx, m->file))
				ckpt_inode_in_use(ctx, obj);
			err = ckpt_loop_step(err);
		}
	}
	ckpt_mapped_end(some);
	return err ?: ret;
}

static long ckpt_mm_users(void *ptr)
{
	return atomic_read(&((struct mm_struct *)ptr)->mm_users);
}

static void ckpt_mm_grab(void *ptr)
{
	mmget(ptr);
}

static void ckpt_mm_drop(void *ptr)
{
	mmput(ptr);
}

const struct ckpt_obj_ops ckpt_ops_MM = {
	.rec_type = CKPT_REC_MM,
	.grab = ckpt_mm_grab,
	.drop = ckpt_mm_drop,
	.users = ckpt_mm_users,
	.collect = ckpt_collect_mm,
	.checkpoint = checkpoint_mm,
};

/* ---- restart --------------------------------------------------------------------- */

/*
 * Go over to another address space, as exec does. The one that is left keeps
 * its reference, which is the caller's now.
 */
static void ckpt_use_mm(struct mm_struct *mm)
{
	struct task_struct *tsk = current;
	struct mm_struct *active_mm;

	sched_mm_cid_before_execve(tsk);
	task_lock(tsk);
	local_irq_disable();
	active_mm = tsk->active_mm;
	tsk->active_mm = mm;
	tsk->mm = mm;
	/* Not as exec does: what is registered with membarrier() stays. */
	membarrier_update_current_mm(mm);
	if (!IS_ENABLED(CONFIG_ARCH_WANT_IRQS_OFF_ACTIVATE_MM))
		local_irq_enable();
	activate_mm(active_mm, mm);
	if (IS_ENABLED(CONFIG_ARCH_WANT_IRQS_OFF_ACTIVATE_MM))
		local_irq_enable();
	task_unlock(tsk);
	lru_gen_use_mm(mm);
	sched_mm_cid_after_execve(tsk);
}

static bool ckpt_addr_ok(u64 addr)
{
	return addr < TASK_SIZE_MAX;
}

static int restore_mm_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	const u64 addrs[] = {
		rec->start_code, rec->end_code, rec->start_data, rec->end_data,
		rec->start_brk, rec->brk, rec->start_stack, rec->arg_start,
		rec->arg_end, rec->env_start, rec->env_end, rec->mmap_base,
		rec->mmap_legacy_base, rec->mmap_compat_base,
		rec->mmap_compat_legacy_base,
	};
	unsigned int i;

	if (rec->flags & ~CKPT_MM_FLAGS_ALL ||
	    (rec->flags & CKPT_MM_DUMPABLE_MASK) > SUID_DUMP_ROOT)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if ((rec->flags & CKPT_MM_DEF_LOCKONFAULT) &&
	    !(rec->flags & CKPT_MM_DEF_LOCKED))
		return ckpt_bad(rs, r, -EINVAL, "new memory is locked on fault, but not locked");
	if (rec->coredump_filter > MMF_DUMP_FILTER_MASK >> MMF_DUMP_FILTER_SHIFT)
		return ckpt_bad(rs, r, -EINVAL, "coredump filter 0x%x", rec->coredump_filter);
	if (rec->auxv_len > r->var_len || rec->auxv_len % sizeof(long) ||
	    rec->auxv_len > sizeof(current->mm->saved_auxv))
		return ckpt_bad(rs, r, -EINVAL, "auxiliary vector of %u bytes", rec->auxv_len);
	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		if (!ckpt_addr_ok(addrs[i]))
			return ckpt_bad(rs, r, -EINVAL,
					"address %llx lies in the kernel",
					addrs[i]);
	if (rec->start_code > rec->end_code || rec->start_data > rec->end_data ||
	    rec->start_brk > rec->brk || rec->arg_start > rec->arg_end ||
	    rec->env_start > rec->env_end)
		return ckpt_bad(rs, r, -EINVAL, "a segment ends before it starts");
	return 0;
}

static int restore_vdso(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	u32 len, crc;
	u64 addr;
	int ret;

	if (!(rec->flags & CKPT_MM_HAS_VDSO))
		return 0;
	ret = arch_ckpt_map_vdso(rec->vdso, rec->flags & CKPT_MM_COMPAT);
	if (ret)
		return ckpt_bad(rs, r, ret, "the vdso cannot be mapped at %llx", rec->vdso);
	ret = arch_ckpt_vdso_info(current->mm, &addr, &len, &crc);
	if (ret || addr != rec->vdso || len != rec->vdso_len ||
	    crc != rec->vdso_crc)
		return ckpt_bad(rs, r, -EOPNOTSUPP,
				"the vdso of this kernel differs from that of the kernel that saved the image; programs keep addresses inside it. Restart on the same kernel build");
	return 0;
}

static int restore_exe(struct ckpt_member *m, const struct ckpt_rec *r)
{
	struct ckpt_restart *rs = m->rs;
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	struct file *file, *mine;
	int ret = 0;

	if (!rec->exe)
		return 0;
	file = ckpt_obj_restore(rs, CKPT_OBJ_FILE, rec->exe);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (!file || !S_ISREG(file_inode(file)->i_mode))
		return ckpt_bad(rs, r, -EINVAL, "the executable is no regular file");

	mine = get_mm_exe_file(m->old_mm);
	/* As PR_SET_MM_MAP has it. */
	if (!checkpoint_restore_ns_capable(current_user_ns()) &&
	    !(mine && file_inode(mine) == file_inode(file))) {
		ckpt_log(&rs->log,
			 "note: /proc/PID/exe shows the restarter: setting it takes CAP_CHECKPOINT_RESTORE");
		file = mine;
	} else if (path_noexec(&file->f_path)) {
		ret = ckpt_bad(rs, r, -EACCES,
			       "the executable %s lies on a file system mounted noexec",
			       ckpt_log_path(&rs->log, &file->f_path));
	}
	if (!ret && file)
		ret = set_mm_exe_file(current->mm, file);
	if (mine)
		fput(mine);
	return ret;
}

static void restore_mm_layout(const struct ckpt_rec *r)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	struct mm_struct *mm = current->mm;

	mmap_write_lock(mm);
	spin_lock(&mm->arg_lock);
	mm->start_code = rec->start_code;
	mm->end_code = rec->end_code;
	mm->start_data = rec->start_data;
	mm->end_data = rec->end_data;
	mm->start_brk = rec->start_brk;
	mm->brk = rec->brk;
	mm->start_stack = rec->start_stack;
	mm->arg_start = rec->arg_start;
	mm->arg_end = rec->arg_end;
	mm->env_start = rec->env_start;
	mm->env_end = rec->env_end;
	spin_unlock(&mm->arg_lock);
	mm->mmap_base = rec->mmap_base;
	mm->mmap_legacy_base = rec->mmap_legacy_base;
#ifdef CONFIG_HAVE_ARCH_COMPAT_MMAP_BASES
	mm->mmap_compat_base = rec->mmap_compat_base;
	mm->mmap_compat_legacy_base = rec->mmap_compat_legacy_base;
#endif
	/* Lower than that with ADDR_LIMIT_3GB. */
	mm->task_size = min_t(u64, rec->task_size, rec->flags & CKPT_MM_COMPAT ?
			      IA32_PAGE_OFFSET : TASK_SIZE_MAX);
	memcpy(mm->saved_auxv, r->var, rec->auxv_len);
	/* As the specification of the vector requires. */
	mm->saved_auxv[AT_VECTOR_SIZE - 2] = AT_NULL;
	mm->saved_auxv[AT_VECTOR_SIZE - 1] = AT_NULL;
	mmap_write_unlock(mm);
}

static int restore_membarrier(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	u32 left = ckpt_rec_as(r, mm)->membarrier;
	unsigned int i;
	int state = 0;

	for (i = 0; i < ARRAY_SIZE(ckpt_membarriers); i++)
		if (left & ckpt_membarriers[i].cmd) {
			left &= ~ckpt_membarriers[i].cmd;
			state |= ckpt_membarriers[i].state;
		}
	if (left)
		return ckpt_bad(rs, r, -EOPNOTSUPP,
				"membarrier() has no commands 0x%x here", left);
#ifdef CONFIG_MEMBARRIER
	/* Nobody else runs on it yet: no other CPU has to know. */
	preempt_disable();
	atomic_set(&current->mm->membarrier_state, state);
	membarrier_update_current_mm(current->mm);
	smp_mb(); /* as in sync_runqueues_membarrier_state() */
	preempt_enable();
#endif
	return 0;
}

static int restore_pkeys(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	int ret = arch_ckpt_restore_pkeys(current->mm, rec);

	return ret ? ckpt_bad(rs, r, ret,
			      "memory protection keys 0x%x, %u for execution, cannot be had",
			      rec->pkeys, rec->exec_pkey) : 0;
}

/* From now on it would concern what the restart itself maps. */
static int restore_mm_future(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	int ret;

	if (!(rec->flags & CKPT_MM_DEF_LOCKED))
		return 0;
	ret = ckpt_mlock_future(rec->flags & CKPT_MM_DEF_LOCKONFAULT);
	if (ret)
		return ckpt_bad(rs, r, ret,
				"memory cannot be locked for the future (RLIMIT_MEMLOCK, CAP_IPC_LOCK)");
	return 0;
}

/* Makes the address space of the image; current runs on it afterwards. */
static int restore_new_mm(struct ckpt_member *m, struct ckpt_robj *obj)
{
	struct linux_binfmt *binfmt = current->mm->binfmt;
	const struct ckpt_rec *r = obj->rec;
	struct ckpt_restart *rs = m->rs;
	int ret;

	ret = restore_mm_check(rs, r);
	if (ret)
		return ret;
	m->mm = mm_alloc();
	if (!m->mm)
		return -ENOMEM;
	/* Inherited from the restarter; MDWE stays, it is a restriction. */
	clear_bit(MMF_DISABLE_THP, &m->mm->flags);
	clear_bit(MMF_VM_MERGE_ANY, &m->mm->flags);
	/* Nobody looks into what is half done. */
	set_dumpable(m->mm, SUID_DUMP_DISABLE);
	m->old_mm = current->mm;
	ckpt_use_mm(m->mm);
	lru_gen_add_mm(m->mm);
	set_binfmt(binfmt);

	arch_pick_mmap_layout(m->mm, &current->signal->rlim[RLIMIT_STACK]);
	ret = restore_membarrier(rs, r);
	if (!ret)
		ret = restore_pkeys(rs, r);
	if (!ret)
		ret = restore_vmas(rs, r, obj->index);
	if (!ret)
		ret = restore_families(rs, r, obj->index);
	if (!ret)
		ret = restore_vdso(rs, r);
	if (!ret)
		ret = restore_exe(m, r);
	if (ret)
		return ret;
#ifdef CONFIG_KSM
	if (ckpt_rec_as(r, mm)->flags & CKPT_MM_KSM_ANY) {
		mmap_write_lock(m->mm);
		ret = ksm_enable_merge_any(m->mm);
		mmap_write_unlock(m->mm);
	}
#endif
	trace_restart_stage(current, CKPT_STAGE_MAPPED);
	if (!ret)
		ret = restore_payload(rs, ckpt_rec_as(r, mm)->objref);
	if (!ret)
		ret = restore_vmas_late(rs, r, obj->index);
	/* What is locked has been filled in around it. */
	if (!ret)
		ret = restore_poison(rs, ckpt_rec_as(r, mm)->objref);
	if (!ret)
		ret = restore_soft_dirty(rs, ckpt_rec_as(r, mm)->objref);
	if (!ret)
		ret = restore_mm_future(rs, r);
	/* Whoever reads /proc/PID/cmdline would fault pages in before. */
	if (!ret)
		restore_mm_layout(r);
	return ret;
}

/**
 * restore_mm - the address space of a task: made, or that of another
 * @m: the task, whose turn it is
 *
 * Context: current may run on the new address space afterwards, and must not
 * return to user mode before restore_mm_commit() or restore_mm_abort().
 * Return: 0 or a negative errno; the old address space may have been left.
 */
int restore_mm(struct ckpt_member *m)
{
	u32 objref = ckpt_rec_as(m->task, task)->mm;
	const struct ckpt_rec *r = ckpt_obj_rec(m->rs, CKPT_OBJ_MM, objref);
	struct ckpt_robj *obj;
	int ret;

	if (IS_ERR(r))
		return PTR_ERR(r);
	ret = restore_task_policy(m);
	if (ret)
		return ret;
	obj = xa_load(&m->rs->objs, objref);
	if (obj->state == CKPT_ROBJ_READY) {
		m->adopts = obj->ptr;
		mmget(m->adopts);
		return 0;
	}
	if (ckpt_rec_as(r, mm)->nr_vmas > INT_MAX)
		return ckpt_bad(m->rs, r, -EINVAL, "%u mappings",
				ckpt_rec_as(r, mm)->nr_vmas);
	ret = restore_new_mm(m, obj);
	if (ret)
		return ret;
	mmget(m->mm);
	obj->ptr = m->mm;
	obj->type = CKPT_OBJ_MM;
	obj->state = CKPT_ROBJ_READY;
	return 0;
}

/**
 * restore_mm_abort - go back to the old address space, if it was left
 * @m: the task
 */
void restore_mm_abort(struct ckpt_member *m)
{
	restore_task_policy_abort(m);
	if (m->adopts)
		mmput(m->adopts);
	m->adopts = NULL;
	if (!m->old_mm)
		return;
	ckpt_use_mm(m->old_mm);
	m->old_mm = NULL;
	mmput(m->mm);
	m->mm = NULL;
}

/**
 * restore_mm_commit - the new address space is the only one from now on
 * @m: the task
 *
 * Context: past the point of no return.
 */
void restore_mm_commit(struct ckpt_member *m)
{
	struct mm_struct *mm = m->mm ?: m->adopts;
	struct mm_struct *old = m->old_mm ?: current->mm;

	/*
	 * Robust futexes, clear_child_tid and vfork() of the restarter are about
	 * its own memory.
	 */
	if (m->old_mm)
		ckpt_use_mm(old);
	exec_mm_release(current, old);
	ckpt_use_mm(mm);
	setmax_mm_hiwater_rss(&current->signal->maxrss, old);
	mm_update_next_owner(old);
	mmput(old);
	m->old_mm = NULL;
	m->adopts = NULL;
	restore_task_policy_commit(m);
}

/**
 * restore_mm_dumpable - let others look into the new address space
 * @m: the task
 *
 * Context: past the point of no return, after the credentials were committed:
 * that may have changed what is set here.
 */
void restore_mm_dumpable(struct ckpt_member *m)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(m->task, task);
	const struct ckpt_rec *r = ckpt_obj_rec(m->rs, CKPT_OBJ_MM, task->mm);
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	struct mm_struct *mm = current->mm;
	unsigned long flags = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_mm_flags); i++)
		if (rec->flags & ckpt_mm_flags[i].saved)
			flags |= ckpt_mm_flags[i].mmf;
	flags |= (unsigned long)rec->coredump_filter << MMF_DUMP_FILTER_SHIFT;
	set_mask_bits(&mm->flags, MMF_DUMP_FILTER_MASK | MMF_TOPDOWN_MASK, flags);
	set_dumpable(mm, rec->flags & CKPT_MM_DUMPABLE_MASK);
	/* "Only root may look" is not for everyone to set, see prctl(). */
	if (get_dumpable(mm) == SUID_DUMP_ROOT && !capable(CAP_SYS_ADMIN))
		set_dumpable(mm, SUID_DUMP_DISABLE);
	m->mm = NULL;
}
