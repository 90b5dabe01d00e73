// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the vdso.
 */
#include <linux/crc32c.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/security.h>

#include <asm/checkpoint.h>
#include <asm/vdso.h>

/* What _install_special_mapping() makes of the flags of map_vdso(). */
#define VDSO_FLAGS	(VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
#define VVAR_FLAGS	(VM_READ | VM_MAYREAD | VM_IO | VM_DONTDUMP | VM_PFNMAP)

/**
 * arch_ckpt_vma_is_vdso - is this the text of the vdso?
 * @vma: the mapping; its mmap_lock is held
 *
 * Return: true if it is.
 */
bool arch_ckpt_vma_is_vdso(const struct vm_area_struct *vma)
{
	return vma_is_special_mapping(vma, &vdso_mapping);
}

/**
 * arch_ckpt_vma_is_vvar - are these the data pages of the vdso?
 * @vma: the mapping; its mmap_lock is held
 *
 * Return: true if they are.
 */
bool arch_ckpt_vma_is_vvar(const struct vm_area_struct *vma)
{
	return vma_is_special_mapping(vma, &vvar_mapping);
}

/* Is this the whole mapping, with the flags that it was made with? */
static bool vma_untouched(const struct vm_area_struct *vma, unsigned long start,
			  unsigned long len, vm_flags_t flags)
{
	return vma->vm_start == start && vma->vm_end == start + len &&
	       (vma->vm_flags & ~VM_SOFTDIRTY) == (flags | VM_DONTEXPAND);
}

static bool has_vdso(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	for_each_vma(vmi, vma)
		if (arch_ckpt_vma_is_vdso(vma) || arch_ckpt_vma_is_vvar(vma))
			return true;
	return false;
}

static int check_mappings(struct mm_struct *mm, const struct vdso_image *image,
			  unsigned long text)
{
	unsigned long vvar_len = -image->sym_vvar_start;
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	vma = vma_lookup(mm, text);
	if (!vma || !arch_ckpt_vma_is_vdso(vma))
		return has_vdso(mm) ? -EOPNOTSUPP : -ENOENT;
	/* A debugger's breakpoints are in copies of its pages. */
	if (!vma_untouched(vma, text, image->size, VDSO_FLAGS) || vma->anon_vma)
		return -EOPNOTSUPP;

	vma = vma_lookup(mm, text - vvar_len);
	if (!vma || !arch_ckpt_vma_is_vvar(vma) ||
	    !vma_untouched(vma, text - vvar_len, vvar_len, VVAR_FLAGS))
		return -EOPNOTSUPP;
	return 0;
}

/**
 * arch_ckpt_vdso_info - which vdso an address space has, and where
 * @mm: the address space; the mmap_lock is not held
 * @vdso: address of its text
 * @len: length of its text
 * @crc: CRC32C of its text (seed ~0, inverted at the end)
 *
 * The text depends on the CPU, too, because it has alternatives. A program may be
 * interrupted in the middle of one, so nothing but the same text will do.
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -ENOENT if there is no vdso; -EOPNOTSUPP if it or its data pages are
 * not whole, have other flags or were written to; -EINTR.
 */
int arch_ckpt_vdso_info(struct mm_struct *mm, u64 *vdso, u32 *len, u32 *crc)
{
	const struct vdso_image *image;
	unsigned long addr;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	image = mm->context.vdso_image;
	addr = (unsigned long)mm->context.vdso;
	ret = image ? check_mappings(mm, image, addr) : -ENOENT;
	mmap_read_unlock(mm);
	if (ret)
		return ret;

	*vdso = addr;
	*len = image->size;
	*crc = ~crc32c(~0, image->data, image->size);
	return 0;
}

static const struct vdso_image *vdso_image_of(bool compat)
{
#ifdef CONFIG_IA32_EMULATION
	if (compat)
		return &vdso_image_32;
#endif
	return compat ? NULL : &vdso_image_64;
}

/* As map_vdso() does, but at this address or not at all. */
static int install_vdso(struct mm_struct *mm, const struct vdso_image *image,
			unsigned long text)
{
	unsigned long start = text + image->sym_vvar_start;
	struct vm_area_struct *vma;

	mmap_assert_write_locked(mm);
	if (has_vdso(mm) ||
	    find_vma_intersection(mm, start, text + image->size))
		return -EEXIST;

	vma = _install_special_mapping(mm, text, image->size, VDSO_FLAGS,
				       &vdso_mapping);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	vma = _install_special_mapping(mm, start, text - start, VVAR_FLAGS,
				       &vvar_mapping);
	if (IS_ERR(vma)) {
		do_munmap(mm, text, image->size, NULL);
		return PTR_ERR(vma);
	}
	mm->context.vdso = (void __user *)text;
	mm->context.vdso_image = image;
	return 0;
}

/**
 * arch_ckpt_map_vdso - map the vdso into current's mm at a given place
 * @vdso_addr: address of its text; the data pages lie before it
 * @compat: the one for 32-bit programs
 *
 * Compare arch_ckpt_vdso_info() with the image afterwards.
 *
 * Context: process context, the mmap_lock is not held.
 *
 * Return: 0; -EINVAL for an impossible address or a vdso that this kernel lacks;
 * -EEXIST if something is there or a vdso is mapped already; -EPERM below
 * mmap_min_addr; -ENOMEM; -EINTR.
 */
int arch_ckpt_map_vdso(u64 vdso_addr, bool compat)
{
	const struct vdso_image *image = vdso_image_of(compat);
	unsigned long end = compat ? IA32_PAGE_OFFSET : TASK_SIZE_MAX;
	struct mm_struct *mm = current->mm;
	int ret;

	if (!image || !PAGE_ALIGNED(vdso_addr) ||
	    vdso_addr <= -image->sym_vvar_start ||
	    vdso_addr > end - image->size)
		return -EINVAL;
	ret = security_mmap_addr(vdso_addr + image->sym_vvar_start);
	if (ret)
		return ret;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = install_vdso(mm, image, vdso_addr);
	mmap_write_unlock(mm);
	return ret;
}
