// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of memory protection keys: which of them an address space
 * has allocated. The rights of a task, PKRU, are part of its XSAVE area.
 */
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/pkeys.h>

#include <asm/checkpoint.h>
#include <asm/pkru.h>

#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS

#define PKEYS_ALL	GENMASK(15, 0)

/**
 * arch_ckpt_save_pkeys - save which keys are allocated
 * @mm: the address space; its users are frozen
 * @rec: pkeys and exec_pkey are filled in
 */
void arch_ckpt_save_pkeys(struct mm_struct *mm, struct ckpt_rec_mm *rec)
{
	if (!arch_pkeys_enabled())
		return;
	rec->pkeys = mm_pkey_allocation_map(mm);
	if (mm->context.execute_only_pkey > 0)
		rec->exec_pkey = mm->context.execute_only_pkey;
}

/**
 * arch_ckpt_restore_pkeys - allocate the keys of an image
 * @mm: the new address space
 * @rec: its record
 *
 * Return: 0; -EINVAL if no address space could have these; -ENODEV if this
 * machine has no keys.
 */
int arch_ckpt_restore_pkeys(struct mm_struct *mm, const struct ckpt_rec_mm *rec)
{
	/* Nothing but key 0, which all have. */
	if (rec->pkeys <= 1 && !rec->exec_pkey)
		return 0;
	if ((rec->pkeys & ~PKEYS_ALL) || !(rec->pkeys & 1) ||
	    (rec->exec_pkey &&
	     (rec->exec_pkey > 15 || !(rec->pkeys & BIT(rec->exec_pkey)))))
		return -EINVAL;
	if (!arch_pkeys_enabled())
		return -ENODEV;
	mm_pkey_allocation_map(mm) = rec->pkeys;
	if (rec->exec_pkey)
		mm->context.execute_only_pkey = rec->exec_pkey;
	return 0;
}

/**
 * arch_ckpt_open_pkeys - let current reach memory of any key
 *
 * Return: what arch_ckpt_close_pkeys() takes.
 */
u32 arch_ckpt_open_pkeys(void)
{
	u32 pkru = read_pkru();

	write_pkru(0);
	return pkru;
}

/**
 * arch_ckpt_close_pkeys - undo arch_ckpt_open_pkeys()
 * @pkru: what it returned
 */
void arch_ckpt_close_pkeys(u32 pkru)
{
	write_pkru(pkru);
}

#else /* !CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS */

void arch_ckpt_save_pkeys(struct mm_struct *mm, struct ckpt_rec_mm *rec) { }

int arch_ckpt_restore_pkeys(struct mm_struct *mm, const struct ckpt_rec_mm *rec)
{
	return rec->pkeys <= 1 && !rec->exec_pkey ? 0 : -ENODEV;
}

u32 arch_ckpt_open_pkeys(void)
{
	return 0;
}

void arch_ckpt_close_pkeys(u32 pkru) { }

#endif
