/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart of what belongs to the x86 CPU.
 *
 * These functions move state between a task and the records of the image. They
 * know nothing of files, objects or the order of things; checkpoint/ calls them.
 */
#ifndef _ASM_X86_CHECKPOINT_H
#define _ASM_X86_CHECKPOINT_H

#include <linux/checkpoint_image.h>
#include <linux/types.h>

struct mm_struct;
struct task_struct;
struct vm_area_struct;

/* Saving. The task is current, or frozen and off its CPU. */
const char *arch_ckpt_refusal(struct task_struct *t, unsigned int n);
void arch_ckpt_save_cpu(struct task_struct *t, struct ckpt_rec_x86_cpu *rec);
u32 arch_ckpt_xstate_size(void);
int arch_ckpt_save_xstate(struct task_struct *t,
			  struct ckpt_rec_x86_xstate *rec, void *buf, u32 size);
u32 arch_ckpt_feature_words(void);
void arch_ckpt_save_features(struct ckpt_rec_x86_features *rec, u32 *words);

/* Checking records that an attacker may have written. */
int arch_ckpt_check_features(const struct ckpt_rec_x86_features *rec,
			     const u32 *words, char *why, size_t why_len);
int arch_ckpt_check_cpu(const struct ckpt_rec_x86_cpu *rec, char *why,
			size_t why_len);
int arch_ckpt_check_xstate(const struct ckpt_rec_x86_xstate *rec,
			   const void *buf, char *why, size_t why_len);

/* Restoring current. */
long arch_ckpt_commit(const struct ckpt_rec_x86_cpu *cpu,
		      const struct ckpt_rec_x86_xstate *xs, const void *xbuf);

/* Memory protection keys. */
void arch_ckpt_save_pkeys(struct mm_struct *mm, struct ckpt_rec_mm *rec);
int arch_ckpt_restore_pkeys(struct mm_struct *mm, const struct ckpt_rec_mm *rec);
u32 arch_ckpt_open_pkeys(void);
void arch_ckpt_close_pkeys(u32 pkru);

/* The vdso. */
bool arch_ckpt_vma_is_vdso(const struct vm_area_struct *vma);
bool arch_ckpt_vma_is_vvar(const struct vm_area_struct *vma);
int arch_ckpt_vdso_info(struct mm_struct *mm, u64 *vdso, u32 *len, u32 *crc);
int arch_ckpt_map_vdso(u64 vdso_addr, bool compat);

/* Between fpu/checkpoint.c and checkpoint.c. */
const char *ckpt_fpu_refusal(struct task_struct *t, unsigned int *n);
u64 ckpt_fpu_user_features(void);
bool ckpt_fpu_layout(unsigned int xfeature, u32 *offset, u32 *size);
void ckpt_fpu_commit(const struct ckpt_rec_x86_xstate *xs, const void *xbuf);

#endif /* _ASM_X86_CHECKPOINT_H */
