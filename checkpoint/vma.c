// SPDX-License-Identifier: GPL-2.0
/*
 * The mappings of an address space. Their contents are in pages.c
 * and pages_restore.c.
 */
#include <linux/fs.h>
#include <linux/hugetlb_inline.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/mm.h>
#include <linux/mempolicy.h>
#include <linux/mm_ckpt.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/pkeys.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>
#include <asm/checkpoint.h>
#include <asm/tlb.h>

#include "../mm/vma.h"
#include "checkpoint.h"

/* ---- flags: each is in this table ---------------------------------------- */

static const struct ckpt_vm_flag {
	vm_flags_t vm;
	u64 saved;
	const char *refused;
} ckpt_vm_flags[] = {
	{ VM_READ,		CKPT_VMA_READ },
	{ VM_WRITE,		CKPT_VMA_WRITE },
	{ VM_EXEC,		CKPT_VMA_EXEC },
	{ VM_SHARED,		CKPT_VMA_SHARED },
	{ VM_MAYREAD,		CKPT_VMA_MAYREAD },
	{ VM_MAYWRITE,		CKPT_VMA_MAYWRITE },
	{ VM_MAYEXEC,		CKPT_VMA_MAYEXEC },
	{ VM_MAYSHARE,		CKPT_VMA_MAYSHARE },
	{ VM_GROWSDOWN,		CKPT_VMA_GROWSDOWN },
	{ VM_SEQ_READ,		CKPT_VMA_SEQ_READ },
	{ VM_RAND_READ,		CKPT_VMA_RAND_READ },
	{ VM_DONTCOPY,		CKPT_VMA_DONTCOPY },
	{ VM_ACCOUNT,		CKPT_VMA_ACCOUNT },
	{ VM_NORESERVE,		CKPT_VMA_NORESERVE },
	{ VM_WIPEONFORK,	CKPT_VMA_WIPEONFORK },
	{ VM_DONTDUMP,		CKPT_VMA_DONTDUMP },
	{ VM_HUGEPAGE,		CKPT_VMA_HUGEPAGE },
	{ VM_NOHUGEPAGE,	CKPT_VMA_NOHUGEPAGE },
	{ VM_MERGEABLE,		CKPT_VMA_MERGEABLE },
	{ VM_LOCKED,		CKPT_VMA_LOCKED },
	{ VM_LOCKONFAULT,	CKPT_VMA_LOCKONFAULT },
	{ VM_SEALED,		CKPT_VMA_SEALED },
	{ VM_DROPPABLE,		CKPT_VMA_DROPPABLE },
#ifdef CONFIG_ARCH_HAS_PKEYS
	/* Saved as a number. */
	{ ARCH_VM_PKEY_FLAGS,	0 },
#endif
	/* Saved with the pages, see soft_dirty.c. */
	{ VM_SOFTDIRTY,		0 },
	{ VM_DONTEXPAND,	0, "belongs to a driver (VM_DONTEXPAND)" },
	{ VM_UFFD_MISSING,	0, "is watched by a userfaultfd" },
	{ VM_UFFD_WP,		0, "is write-protected by a userfaultfd" },
	{ VM_UFFD_MINOR,	0, "is watched by a userfaultfd" },
	{ VM_PFNMAP,		0, "maps a device (VM_PFNMAP)" },
	{ VM_IO,		0, "maps a device (VM_IO)" },
	{ VM_MIXEDMAP,		0, "maps a device (VM_MIXEDMAP)" },
	{ VM_HUGETLB,		CKPT_VMA_HUGETLB, IS_ENABLED(CONFIG_HUGETLBFS) ?
						  NULL : "is of huge pages (hugetlb)" },
	{ VM_SYNC,		0, "has MAP_SYNC" },
	{ VM_PAT,		0, "has a memory type of its own (PAT)" },
	{ VM_SHADOW_STACK,	0, "is a shadow stack" },
	{ VM_ALLOW_ANY_UNCACHED, 0, "maps a device (uncached)" },
};

static u64 ckpt_vma_flags(vm_flags_t vm)
{
	u64 flags = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_vm_flags); i++)
		if (ckpt_vm_flags[i].vm && (vm & ckpt_vm_flags[i].vm))
			flags |= ckpt_vm_flags[i].saved;
	return flags;
}

/* ---- what refuses -------------------------------------------------------- */

/* A private mapping of /dev/zero is anonymous memory that has a file. */
static bool ckpt_can_be_mapped(const struct file *file, bool anonymous)
{
	const struct inode *inode = file_inode(file);

	return anonymous ? S_ISCHR(inode->i_mode) &&
			   inode->i_rdev == MKDEV(MEM_MAJOR, 5) :
			   S_ISREG(inode->i_mode);
}

static void ckpt_refuse_vma(struct ckpt_ctx *ctx, struct task_struct *t,
			    const struct vm_area_struct *vma, const char *why)
{
	if (vma->vm_file)
		ckpt_refuse(ctx, t, "mapping %lx-%lx -> %s %s, which cannot be saved yet",
			    vma->vm_start, vma->vm_end,
			    ckpt_log_path(&ctx->log, file_user_path(vma->vm_file)), why);
	else
		ckpt_refuse(ctx, t, "mapping %lx-%lx %s, which cannot be saved yet",
			    vma->vm_start, vma->vm_end, why);
}

static void ckpt_check_vma_flags(struct ckpt_ctx *ctx, struct task_struct *t,
				 const struct vm_area_struct *vma)
{
	vm_flags_t left = vma->vm_flags;
	unsigned int i;

	/* Comes with huge pages. */
	if (is_vm_hugetlb_page(vma))
		left &= ~VM_DONTEXPAND;
	for (i = 0; i < ARRAY_SIZE(ckpt_vm_flags); i++) {
		const struct ckpt_vm_flag *f = &ckpt_vm_flags[i];

		if (f->refused && (left & f->vm))
			ckpt_refuse_vma(ctx, t, vma, f->refused);
		left &= ~f->vm;
	}
	if (left)
		ckpt_refuse_vma(ctx, t, vma, "has an unknown flag");
}

/**
 * ckpt_check_vma - find what keeps a mapping from being saved
 * @ctx: the checkpoint
 * @t: the task, frozen
 * @vma: a mapping of it
 *
 * Context: mmap_lock held for reading.
 */
void ckpt_check_vma(struct ckpt_ctx *ctx, struct task_struct *t,
		    struct vm_area_struct *vma)
{
	if (arch_ckpt_vma_is_vdso(vma) || arch_ckpt_vma_is_vvar(vma)) {
		if (vma_policy(vma))
			ckpt_refuse_vma(ctx, t, vma,
					"is part of the vdso and has a memory policy");
		return;
	}
	ckpt_check_vma_flags(ctx, t, vma);
	if (vma->vm_file) {
		if (!ckpt_can_be_mapped(vma->vm_file, vma_is_anonymous(vma)))
			ckpt_refuse_vma(ctx, t, vma, "maps a device");
	} else if (!vma_is_anonymous(vma)) {
		ckpt_refuse_vma(ctx, t, vma, "is special");
	}
}

/* ---- writing ------------------------------------------------------------- */

static int checkpoint_vma(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			  u32 mm_ref)
{
	struct anon_vma_name *name = anon_vma_name(vma);
	size_t name_len = name ? strlen(name->name) + 1 : 0;
	struct ckpt_rec_vma *rec;
	struct ckpt_obj *obj;
	u32 file = 0, family;
	int err = 0;

	family = ckpt_cow_family(ctx, vma, &err);
	if (err)
		return err;
	if (vma->vm_file) {
		obj = ckpt_obj_find(&ctx->objs, vma->vm_file);
		if (WARN_ON_ONCE(!obj))
			return -EINVAL;
		file = obj->objref;
	}
	rec = ckpt_rec_new(ctx, vma, CKPT_REC_VMA, name_len);
	if (!rec)
		return -ENOMEM;
	rec->mm = mm_ref;
	rec->start = vma->vm_start;
	rec->end = vma->vm_end;
	rec->flags = ckpt_vma_flags(vma->vm_flags);
	rec->pgoff = vma->vm_pgoff;
	rec->file = file;
	rec->family = family;
	rec->name_len = name_len;
	rec->pkey = vma_pkey(vma);
	if (is_vm_hugetlb_page(vma))
		checkpoint_hugetlb_vma(ctx, vma, rec);
	if (name_len)
		memcpy(ckpt_rec_var(rec), name->name, name_len);

	if (arch_ckpt_vma_is_vdso(vma))
		rec->kind = CKPT_VMA_VDSO;
	else if (arch_ckpt_vma_is_vvar(vma))
		rec->kind = CKPT_VMA_VVAR;
	else
		rec->kind = file ? CKPT_VMA_FILE : CKPT_VMA_ANON;
	return checkpoint_vma_policy(ctx, vma_policy(vma), mm_ref);
}

/**
 * checkpoint_vmas - write the VMA records of an address space
 * @ctx: the checkpoint
 * @mm: the address space; its users are frozen, so that the list of mappings
 *	does not change between locks
 * @mm_ref: objref of @mm
 * @rec: its record, which stands before them
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 mm_ref,
		    struct ckpt_rec_mm *rec)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int ret = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		ret = checkpoint_vma(ctx, vma, mm_ref);
		ret = ckpt_loop_step(ret);
		if (ret)
			break;
		rec->nr_vmas++;
	}
	mmap_read_unlock(mm);
	return ret;
}

/* ---- restart ------------------------------------------------------------- */

/* What MAP_DROPPABLE brings with it and nobody can change; what it cannot have. */
#define CKPT_VMA_DROPPABLE_SET	(CKPT_VMA_NORESERVE | CKPT_VMA_WIPEONFORK | \
				 CKPT_VMA_DONTDUMP)
#define CKPT_VMA_DROPPABLE_CLEAR (CKPT_VMA_SHARED | CKPT_VMA_MAYSHARE | \
				 CKPT_VMA_ACCOUNT | CKPT_VMA_LOCKED | \
				 CKPT_VMA_LOCKONFAULT | CKPT_VMA_GROWSDOWN)

static int restore_vma_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     u32 mm_ref, u64 *end)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	const char *name = r->var;

	if (r->type != CKPT_REC_VMA || rec->mm != mm_ref)
		return ckpt_bad(rs, r, -EINVAL,
				"a mapping of address space %u was expected",
				mm_ref);
	if (!PAGE_ALIGNED(rec->start) || !PAGE_ALIGNED(rec->end) ||
	    rec->start >= rec->end || rec->end > TASK_SIZE_MAX)
		return ckpt_bad(rs, r, -EINVAL,
				"mapping %llx-%llx is impossible",
				rec->start, rec->end);
	if (rec->start < *end)
		return ckpt_bad(rs, r, -EINVAL,
				"mapping %llx-%llx overlaps the one before it",
				rec->start, rec->end);
	*end = rec->end;
	if (rec->flags & ~CKPT_VMA_FLAGS_ALL)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%llx", rec->flags);
	if ((rec->flags & CKPT_VMA_DONTEXPAND) &&
	    rec->kind != CKPT_VMA_VDSO && rec->kind != CKPT_VMA_VVAR)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "mappings of drivers cannot be restored yet");
	if ((rec->flags & (CKPT_VMA_HUGETLB | CKPT_VMA_HUGE_RESERVED) || rec->huge_shift) &&
	    (rec->kind != CKPT_VMA_FILE || !IS_ENABLED(CONFIG_HUGETLBFS)))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "there are no huge pages (hugetlb) here");
	if ((rec->flags & CKPT_VMA_LOCKONFAULT) &&
	    !(rec->flags & CKPT_VMA_LOCKED))
		return ckpt_bad(rs, r, -EINVAL, "locked on fault, but not locked");
	if ((rec->flags & CKPT_VMA_DROPPABLE) &&
	    (rec->kind != CKPT_VMA_ANON ||
	     (rec->flags & (CKPT_VMA_DROPPABLE_SET | CKPT_VMA_DROPPABLE_CLEAR)) !=
	     CKPT_VMA_DROPPABLE_SET))
		return ckpt_bad(rs, r, -EINVAL, "no droppable memory has flags 0x%llx", rec->flags);
	if (rec->pkey >= arch_max_pkey())
		return ckpt_bad(rs, r, -EOPNOTSUPP, "memory protection key %u does not exist here",
				rec->pkey);
	if (rec->pgoff > (U64_MAX >> PAGE_SHIFT) - (rec->end >> PAGE_SHIFT))
		return ckpt_bad(rs, r, -EINVAL, "file offset of page %llx", rec->pgoff);
	if (rec->name_len > r->var_len || rec->name_len > 80 ||
	    (rec->name_len && strnlen(name, rec->name_len) != rec->name_len - 1))
		return ckpt_bad(rs, r, -EINVAL, "the name is malformed");
	if (rec->kind == CKPT_VMA_FILE ? !rec->file : rec->file)
		return ckpt_bad(rs, r, -EINVAL,
				"a mapping of kind %u with file %u",
				rec->kind, rec->file);
	if (rec->kind == CKPT_VMA_ANON && (rec->flags & CKPT_VMA_SHARED))
		return ckpt_bad(rs, r, -EOPNOTSUPP,
				"shared anonymous memory without a file");
	return 0;
}

static const struct {
	u64 saved;
	int advice;
} ckpt_advices[] = {
	{ CKPT_VMA_SEQ_READ,	MADV_SEQUENTIAL },
	{ CKPT_VMA_RAND_READ,	MADV_RANDOM },
	{ CKPT_VMA_DONTCOPY,	MADV_DONTFORK },
	{ CKPT_VMA_WIPEONFORK,	MADV_WIPEONFORK },
	{ CKPT_VMA_DONTDUMP,	MADV_DONTDUMP },
	{ CKPT_VMA_HUGEPAGE,	MADV_HUGEPAGE },
	{ CKPT_VMA_NOHUGEPAGE,	MADV_NOHUGEPAGE },
	{ CKPT_VMA_MERGEABLE,	MADV_MERGEABLE },
};

/* Returns 1 if there was any. */
static int restore_vma_advice(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	int ret, any = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_advices); i++) {
		if (!(rec->flags & ckpt_advices[i].saved))
			continue;
		ret = do_madvise(current->mm, rec->start, rec->end - rec->start,
				 ckpt_advices[i].advice);
		if (ret)
			return ckpt_bad(rs, r, ret, "madvise(%d) on %llx-%llx failed",
					ckpt_advices[i].advice, rec->start, rec->end);
		any = 1;
	}
	return any;
}

static int restore_vma_name(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct anon_vma_name *name;
	int ret;

	if (!rec->name_len || !IS_ENABLED(CONFIG_ANON_VMA_NAME))
		return 0;
	name = anon_vma_name_alloc(r->var);
	if (!name)
		return -ENOMEM;
	mmap_write_lock(current->mm);
	ret = madvise_set_anon_name(current->mm, rec->start,
				    rec->end - rec->start, name);
	mmap_write_unlock(current->mm);
	anon_vma_name_put(name);
	return ret ? ckpt_bad(rs, r, ret, "the name of mapping %llx cannot be set", rec->start) : 0;
}

/* A page gets its key when it is mapped: this comes before the contents. */
static void restore_vma_pkey(struct vm_area_struct *vma, u32 pkey)
{
#ifdef CONFIG_ARCH_HAS_PKEYS
	vm_flags_reset(vma, (vma->vm_flags & ~ARCH_VM_PKEY_FLAGS) |
			    (vm_flags_t)pkey << VM_PKEY_SHIFT);
	vma_set_page_prot(vma);
#endif
}

static bool restore_vma_exec_only(const struct ckpt_rec_vma *rec)
{
	return (rec->flags & (CKPT_VMA_READ | CKPT_VMA_WRITE |
			      CKPT_VMA_EXEC)) == CKPT_VMA_EXEC;
}

#define CKPT_VMA_MAY	(CKPT_VMA_MAYREAD | CKPT_VMA_MAYWRITE | CKPT_VMA_MAYEXEC)

/* What mmap() does not let one say. */
static int restore_vma_flags(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct vm_area_struct *vma;
	u64 have, excess;
	int ret = 0;

	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, rec->start);
	if (!vma || vma->vm_start != rec->start || vma->vm_end != rec->end) {
		ret = ckpt_bad(rs, r, -EINVAL, "mapping %llx is not there", rec->start);
		goto out;
	}
	vma_start_write(vma);
	if (restore_vma_exec_only(rec))
		vm_flags_clear(vma, VM_READ);
	restore_vma_pkey(vma, rec->pkey);
	have = ckpt_vma_flags(vma->vm_flags);
	/* More than was saved comes of the restarter's READ_IMPLIES_EXEC. */
	if ((rec->flags & ~have & (CKPT_VMA_MAY | CKPT_VMA_SHARED |
				   CKPT_VMA_GROWSDOWN)) ||
	    ((rec->flags ^ have) & (CKPT_VMA_READ | CKPT_VMA_WRITE |
				    CKPT_VMA_EXEC))) {
		ret = ckpt_bad(rs, r, -EPERM,
			       "mapping %llx-%llx may not have its protection here (flags 0x%llx, wanted 0x%llx)",
			       rec->start, rec->end, have, rec->flags);
		goto out;
	}
	/* What is in reserve was found by itself, see restore_vma_noreserve(). */
	if ((rec->flags & CKPT_VMA_HUGETLB) && !(rec->flags & CKPT_VMA_NORESERVE))
		vm_flags_clear(vma, VM_NORESERVE);
	excess = have & ~rec->flags & CKPT_VMA_MAY;
	if (excess & CKPT_VMA_MAYREAD)
		vm_flags_clear(vma, VM_MAYREAD);
	if (excess & CKPT_VMA_MAYWRITE)
		vm_flags_clear(vma, VM_MAYWRITE);
	if (excess & CKPT_VMA_MAYEXEC)
		vm_flags_clear(vma, VM_MAYEXEC);
out:
	mmap_write_unlock(current->mm);
	return ret;
}

/*
 * A private mapping that was writable once has been charged since, and does not
 * merge with one that never was. It is mapped writable first, as it was then.
 */
static bool restore_vma_was_writable(const struct ckpt_rec_vma *rec)
{
	return (rec->flags & CKPT_VMA_ACCOUNT) &&
	       (rec->flags & CKPT_VMA_MAYWRITE) &&
	       !(rec->flags & (CKPT_VMA_WRITE | CKPT_VMA_MAYSHARE));
}

static int restore_vma_readonly(struct ckpt_restart *rs,
				const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma, *prev;
	struct vma_iterator vmi;
	struct mmu_gather tlb;
	int ret = -EINVAL;

	vma_iter_init(&vmi, mm, rec->start);
	mmap_write_lock(mm);
	vma = vma_find(&vmi, rec->end);
	if (vma && vma->vm_start <= rec->start && vma->vm_end >= rec->end) {
		prev = vma_prev(&vmi);
		if (rec->start > vma->vm_start)
			prev = vma;
		vma_iter_init(&vmi, mm, rec->start);
		vma_next(&vmi);
		/* Without one its charge is taken back, see mprotect_fixup(). */
		ret = vma_is_anonymous(vma) ? anon_vma_prepare(vma) : 0;
		if (!ret) {
			tlb_gather_mmu(&tlb, mm);
			ret = mprotect_fixup(&vmi, &tlb, vma, &prev, rec->start,
					     rec->end, vma->vm_flags & ~VM_WRITE);
			tlb_finish_mmu(&tlb);
		}
	}
	mmap_write_unlock(mm);
	if (ret == -ENOMEM)
		return ckpt_bad_memory(rs, r, "made read-only");
	return ret ? ckpt_bad(rs, r, ret, "mapping %llx-%llx cannot be made read-only",
			      rec->start, rec->end) : 0;
}

/*
 * Neighbours that look alike may have been apart: pages of a parent, a mapping
 * that was moved. mremap() and the next image tell the difference.
 */
static int restore_vma_apart(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int ret;

	vma_iter_init(&vmi, current->mm, rec->start);
	mmap_write_lock(current->mm);
	vma = vma_find(&vmi, rec->end);
	/* With this flag nothing merges: what is left to do is the split. */
	if (vma && vma->vm_start < rec->start)
		vma = vma_modify_flags(&vmi, vma, vma, rec->start, vma->vm_end,
				       vma->vm_flags | VM_DONTEXPAND);
	ret = PTR_ERR_OR_ZERO(vma);
	mmap_write_unlock(current->mm);
	if (ret == -ENOMEM)
		return ckpt_bad_memory(rs, r, "set apart");
	return ret ? ckpt_bad(rs, r, ret, "mapping %llx-%llx cannot be set apart",
			      rec->start, rec->end) : 0;
}

/*
 * Huge pages of a file of the image are in reserve already, those of a private
 * mapping need not be.
 */
static bool restore_vma_noreserve(struct ckpt_restart *rs,
				  const struct ckpt_rec_vma *rec,
				  struct file *file)
{
	if (!(rec->flags & CKPT_VMA_HUGETLB))
		return rec->flags & CKPT_VMA_NORESERVE;
	if (rec->flags & CKPT_VMA_MAYSHARE)
		return (rec->flags & CKPT_VMA_NORESERVE) ||
		       restore_inode_keeps(rs, rec, file);
	return !(rec->flags & CKPT_VMA_HUGE_RESERVED);
}

/* Maps a file as it is: without a seal that is newer, without making it larger. */
static unsigned long restore_vma_map(struct ckpt_restart *rs,
				     const struct ckpt_rec_vma *rec,
				     struct file *file, unsigned long prot,
				     unsigned long flags)
{
	bool unsealed = file && restore_inode_unseal(rs, rec, file);
	loff_t size = file ? i_size_read(file_inode(file)) : 0;
	unsigned long addr;

	addr = vm_mmap(file, rec->start, rec->end - rec->start, prot, flags,
		       file ? rec->pgoff << PAGE_SHIFT : 0);
	if (unsealed)
		restore_inode_seal(file);
	/* A mapping of huge pages that may write does. */
	if ((rec->flags & CKPT_VMA_HUGETLB) && restore_inode_keeps(rs, rec, file))
		i_size_write(file_inode(file), size);
	return addr;
}

static int restore_vma(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	unsigned long flags = MAP_FIXED_NOREPLACE, prot = 0, addr;
	struct file *file = NULL;
	int ret = 0;

	switch (rec->kind) {
	case CKPT_VMA_VDSO:
	case CKPT_VMA_VVAR:
		return 0; /* see restore_vdso() */
	case CKPT_VMA_ANON:
		flags |= MAP_ANONYMOUS;
		break;
	case CKPT_VMA_FILE:
		file = ckpt_obj_restore(rs, CKPT_OBJ_FILE, rec->file);
		if (IS_ERR(file))
			return PTR_ERR(file);
		if (!file || (!ckpt_can_be_mapped(file, false) &&
			      ((rec->flags & CKPT_VMA_MAYSHARE) ||
			       !ckpt_can_be_mapped(file, true))))
			return ckpt_bad(rs, r, -EINVAL,
					"maps what is neither a regular file nor /dev/zero");
		break;
	default:
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown kind of mapping %u", rec->kind);
	}
	if (IS_ENABLED(CONFIG_HUGETLBFS))
		ret = restore_hugetlb_vma_check(rs, r, file);
	if (ret)
		return ret;
	/* VM_MAYSHARE without VM_SHARED: shared, of a file opened for reading. */
	if (rec->flags & CKPT_VMA_DROPPABLE)
		flags |= MAP_DROPPABLE;
	else
		flags |= rec->flags & CKPT_VMA_MAYSHARE ? MAP_SHARED : MAP_PRIVATE;
	if (rec->flags & CKPT_VMA_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (restore_vma_noreserve(rs, rec, file))
		flags |= MAP_NORESERVE;
	/* PROT_EXEC alone would choose a protection key and change PKRU. */
	if ((rec->flags & CKPT_VMA_READ) || restore_vma_exec_only(rec))
		prot |= PROT_READ;
	if ((rec->flags & CKPT_VMA_WRITE) || restore_vma_was_writable(rec))
		prot |= PROT_WRITE;
	if (rec->flags & CKPT_VMA_EXEC)
		prot |= PROT_EXEC;

	addr = restore_vma_map(rs, rec, file, prot, flags);
	if (addr == -ENOMEM && IS_ENABLED(CONFIG_HUGETLBFS) &&
	    (rec->flags & CKPT_VMA_HUGE_RESERVED))
		return restore_hugetlb_vma_failed(rs, r);
	if (addr == -ENOMEM)
		return ckpt_bad_memory(rs, r, "made");
	if (IS_ERR_VALUE(addr))
		return ckpt_bad(rs, r, (int)addr, "mapping %llx-%llx cannot be made",
				rec->start, rec->end);
	if (addr != rec->start)
		return ckpt_bad(rs, r, -EEXIST, "address %llx is taken", rec->start);

	if (restore_vma_was_writable(rec))
		ret = restore_vma_readonly(rs, r);
	if (!ret)
		ret = restore_vma_apart(rs, r);
	if (!ret)
		ret = restore_vma_flags(rs, r);
	if (!ret)
		ret = restore_vma_advice(rs, r);
	if (ret >= 0 && rec->name_len)
		ret = restore_vma_name(rs, r) ?: 1;
	/* Each of these may have merged it again. */
	return ret > 0 ? restore_vma_apart(rs, r) : ret;
}

/**
 * ckpt_next_vma - the next VMA record of an address space
 * @rs: the restart
 * @index: in and out: index of the record
 * @policy: out: the MEMPOLICY record that stands behind it, or NULL
 *
 * Return: the record, which may be of any type before it was checked, or NULL
 * at the end of the metadata.
 */
const struct ckpt_rec *ckpt_next_vma(struct ckpt_restart *rs,
				     unsigned long *index,
				     const struct ckpt_rec **policy)
{
	const struct ckpt_rec *r = ckpt_rec_at(rs, (*index)++);

	*policy = ckpt_rec_at(rs, *index);
	if (*policy && (*policy)->type == CKPT_REC_MEMPOLICY)
		(*index)++;
	else
		*policy = NULL;
	return r;
}

/**
 * restore_vmas - make the mappings of an address space
 * @rs: the restart; current runs on the address space
 * @r: its MM record
 * @index: index of that record
 *
 * Return: 0 or a negative errno.
 */
int restore_vmas(struct ckpt_restart *rs, const struct ckpt_rec *r,
		 unsigned long index)
{
	const struct ckpt_rec_mm *rec = ckpt_rec_as(r, mm);
	const struct ckpt_rec *vma, *policy;
	u64 end = 0;
	int ret;
	u32 i;

	ret = ckpt_check_map_count(rs, r);
	if (ret)
		return ret;
	index++;
	for (i = 0; i < rec->nr_vmas; i++) {
		vma = ckpt_next_vma(rs, &index, &policy);
		if (!vma)
			return ckpt_bad(rs, r, -EINVAL,
					"%u mappings are announced, %u are there",
					rec->nr_vmas, i);
		ret = restore_vma_check(rs, vma, rec->objref, &end);
		if (!ret)
			ret = restore_vma(rs, vma);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- what comes after the contents -------------------------------------------- */

/*
 * Charged to the restarter, whose limits are in force, as mlock() does. Pages
 * that cannot be had are no error: they could not be had before either, as those
 * behind the end of a file.
 */
static int restore_vma_lock(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool locked;
	u32 pkru;
	int ret;

	/* The pages of any key; what the restarter may is about its own. */
	pkru = arch_ckpt_open_pkeys();
	ret = ckpt_mlock(rec->start, rec->end - rec->start,
			 rec->flags & CKPT_VMA_LOCKONFAULT);
	arch_ckpt_close_pkeys(pkru);

	mmap_read_lock(mm);
	vma = vma_lookup(mm, rec->start);
	locked = vma && (vma->vm_flags & VM_LOCKED);
	mmap_read_unlock(mm);
	if (locked)
		return fatal_signal_pending(current) ? -EINTR : 0;
	return ckpt_bad(rs, r, ret ?: -EINVAL,
			"mapping %llx-%llx cannot be locked in memory (RLIMIT_MEMLOCK, CAP_IPC_LOCK)",
			rec->start, rec->end);
}

/* As mseal(), but that neighbours stay apart. */
static int restore_vma_seal(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	if (!VM_SEALED)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "this kernel cannot seal memory");
	mmap_write_lock(mm);
	vma = vma_lookup(mm, rec->start);
	if (vma) {
		vma_start_write(vma);
		vm_flags_set(vma, VM_SEALED);
	}
	mmap_write_unlock(mm);
	return 0;
}

static int restore_vma_late(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    const struct ckpt_rec *policy)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	int ret = 0;

	if (rec->kind == CKPT_VMA_VDSO || rec->kind == CKPT_VMA_VVAR)
		return 0;
	if (policy) {
		ret = restore_vma_policy(rs, policy, rec);
		if (!ret)
			ret = restore_vma_apart(rs, r);
		if (!ret)
			ret = restore_vma_home_node(rs, policy, rec);
	}
	if (!ret && (rec->flags & CKPT_VMA_LOCKED)) {
		ret = restore_vma_lock(rs, r);
		if (!ret)
			ret = restore_vma_apart(rs, r);
	}
	if (!ret && (rec->flags & CKPT_VMA_SEALED))
		ret = restore_vma_seal(rs, r);
	return ret;
}

/**
 * restore_vmas_late - what mappings get when they have their contents
 * @rs: the restart; current runs on the address space
 * @r: its MM record, whose VMA records have been checked
 * @index: index of that record
 *
 * Return: 0 or a negative errno.
 */
int restore_vmas_late(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      unsigned long index)
{
	const struct ckpt_rec *vma, *policy;
	int ret = 0;
	u32 i;

	index++;
	for (i = 0; i < ckpt_rec_as(r, mm)->nr_vmas && !ret; i++) {
		vma = ckpt_next_vma(rs, &index, &policy);
		ret = restore_vma_late(rs, vma, policy);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}
