// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of an image that was locked. Part of mlock.c.
 */
#include <linux/mm_ckpt.h>

/**
 * ckpt_mlock - as mlock2() for current
 * @start: first address
 * @len: in bytes
 * @on_fault: with MLOCK_ONFAULT
 *
 * Context: may sleep; no locks held.
 * Return: as mlock2(). The memory may be locked in spite of an error: where
 * pages of it cannot be had, as with PROT_NONE.
 */
int ckpt_mlock(unsigned long start, unsigned long len, bool on_fault)
{
	return do_mlock(start, len,
			on_fault ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED);
}

/**
 * ckpt_mlock_future - as mlockall(MCL_FUTURE) for current
 * @on_fault: with MCL_ONFAULT
 *
 * Context: may sleep; no locks held.
 * Return: 0, -EPERM or -EINTR.
 */
int ckpt_mlock_future(bool on_fault)
{
	int ret;

	if (!can_do_mlock())
		return -EPERM;
	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	ret = apply_mlockall_flags(on_fault ? MCL_FUTURE | MCL_ONFAULT :
					      MCL_FUTURE);
	mmap_write_unlock(current->mm);
	return ret;
}
