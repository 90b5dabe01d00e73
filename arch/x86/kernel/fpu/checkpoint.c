// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart of the FPU and extended state.
 *
 * The image holds the standard (uncompacted) XSAVE format, as a signal frame and
 * the NT_X86_XSTATE regset do. Where the components lie in it is up to the CPU;
 * arch_ckpt_check_features() has made sure that both CPUs agree.
 *
 * What becomes of the fields of struct fpu:
 *
 *	last_cpu		not preserved: which CPU has the registers loaded
 *	avx512_timestamp	not preserved: a statistic of this boot
 *	fpstate			saved, see below
 *	__task_fpstate		refused: only set while a KVM guest runs
 *	perm			refused if a dynamic feature is permitted
 *	guest_perm		not preserved: for KVM guests, whose descriptors are
 *				refused
 *	__fpstate		saved through fpstate
 *
 * Of struct fpstate: the components of CKPT_XFEATURES are saved, all others are
 * refused; size, user_size, xfeatures, user_xfeatures, xfd, is_valloc follow from
 * the CPU as long as no dynamic feature is in use; is_guest, is_confidential and
 * in_use are KVM's.
 */
#include <linux/init.h>
#include <linux/pkeys.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <asm/checkpoint.h>
#include <asm/cpuid.h>
#include <asm/fpu/api.h>
#include <asm/fpu/sched.h>
#include <asm/fpu/signal.h>

#include "context.h"
#include "internal.h"
#include "legacy.h"
#include "xstate.h"

/* The components that are saved: all of user space but AMX. */
#define CKPT_XFEATURES (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM |	\
			XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR |	\
			XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

/* A new component must be saved or refused above, and have its values checked. */
static_assert(XFEATURE_MASK_USER_SUPPORTED ==
	      (CKPT_XFEATURES | XFEATURE_MASK_XTILE));
static_assert(XFEATURE_MASK_SUPERVISOR_SUPPORTED ==
	      (XFEATURE_MASK_PASID | XFEATURE_MASK_CET_USER));
static_assert(XFEATURE_MAX == 19);
static_assert(sizeof_field(struct xstate_header, reserved) == 48);

/* MXCSR is of use to all three, see copy_uabi_to_xstate(). */
#define CKPT_XFEATURES_MXCSR \
	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)

/* Legacy area and header, the least that an image holds. */
#define CKPT_XSTATE_MIN		(FXSAVE_SIZE + XSAVE_HDR_SIZE)

/* Where the components lie in the standard format of this CPU. */
static struct {
	u32 offset;
	u32 size;
} xlayout[XFEATURE_MAX] __ro_after_init;

static int __init ckpt_fpu_init_layout(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	if (!use_xsave())
		return 0;
	for (i = FIRST_EXTENDED_XFEATURE; i < XFEATURE_MAX; i++) {
		if (!(fpu_user_cfg.max_features & BIT_ULL(i)))
			continue;
		cpuid_count(XSTATE_CPUID, i, &eax, &ebx, &ecx, &edx);
		xlayout[i].size = eax;
		xlayout[i].offset = ebx;
	}
	return 0;
}
arch_initcall(ckpt_fpu_init_layout);

/**
 * ckpt_fpu_user_features - components that user space of this CPU can use
 *
 * Return: XCR0, or what takes its place on a CPU without XSAVE.
 */
u64 ckpt_fpu_user_features(void)
{
	return use_xsave() ? fpu_user_cfg.max_features : XFEATURE_MASK_FPSSE;
}

/**
 * ckpt_fpu_layout - where a component lies in the standard format
 * @xfeature: its number
 * @offset: filled in, 0 for none
 * @size: filled in, 0 for none
 *
 * Return: is it an extended component that this CPU has?
 */
bool ckpt_fpu_layout(unsigned int xfeature, u32 *offset, u32 *size)
{
	*offset = 0;
	*size = 0;
	if (xfeature >= XFEATURE_MAX || !xlayout[xfeature].size)
		return false;
	*offset = xlayout[xfeature].offset;
	*size = xlayout[xfeature].size;
	return true;
}

/**
 * ckpt_fpu_refusal - why the FPU state of a task cannot be saved
 * @t: the task, current or off its CPU
 * @n: how many reasons to skip; counted down by those found
 *
 * Return: the reason, or NULL if there are not that many.
 */
const char *ckpt_fpu_refusal(struct task_struct *t, unsigned int *n)
{
	struct fpu *fpu = &t->thread.fpu;
	u64 inuse = 0, perm;

	if (t == current)
		fpu_sync_fpstate(fpu);
	if (use_xsave())
		inuse = fpu->fpstate->regs.xsave.header.xfeatures;
	perm = READ_ONCE(t->group_leader->thread.fpu.perm.__state_perm);

	if (((inuse & XFEATURE_MASK_XTILE) ||
	     (perm & XFEATURE_MASK_USER_DYNAMIC) ||
	     fpu->fpstate->user_size > fpu_user_cfg.default_size) && !(*n)--)
		return "dynamic XSTATE feature (AMX)";
	if ((inuse & XFEATURE_MASK_PASID) && !(*n)--)
		return "PASID of a device is in use (ENQCMD)";
	if ((inuse & ~(CKPT_XFEATURES | XFEATURE_MASK_XTILE |
		       XFEATURE_MASK_PASID | XFEATURE_MASK_CET_USER)) && !(*n)--)
		return "unknown XSTATE feature";
	if ((fpu->__task_fpstate || fpu->fpstate->is_guest) && !(*n)--)
		return "FPU state of a KVM guest is loaded";
	return NULL;
}

/**
 * arch_ckpt_xstate_size - bytes that arch_ckpt_save_xstate() needs
 *
 * The size of the standard format without dynamic features, the same for all
 * tasks.
 *
 * Return: the size.
 */
u32 arch_ckpt_xstate_size(void)
{
	return use_xsave() ? fpu_user_cfg.default_size : CKPT_XSTATE_MIN;
}

/* PKRU is switched apart from the rest; its bit in the buffer may be stale. */
static void save_pkru(struct xstate_header *hdr, void *buf, u32 pkru)
{
	u32 offset, size;

	if (!ckpt_fpu_layout(XFEATURE_PKRU, &offset, &size))
		return;
	if (pkru) {
		struct pkru_state state = { .pkru = pkru };

		hdr->xfeatures |= XFEATURE_MASK_PKRU;
		memcpy(buf + offset, &state, sizeof(state));
	} else {
		hdr->xfeatures &= ~(u64)XFEATURE_MASK_PKRU;
		memset(buf + offset, 0, size);
	}
}

/**
 * arch_ckpt_save_xstate - save the FPU and extended state of a task
 * @t: the task, current or off its CPU
 * @rec: filled in but for its header
 * @buf: filled in
 * @size: size of @buf, which must be arch_ckpt_xstate_size()
 *
 * Context: process context. arch_ckpt_refusal() found nothing.
 *
 * Return: 0; -EINVAL for another size.
 */
int arch_ckpt_save_xstate(struct task_struct *t,
			  struct ckpt_rec_x86_xstate *rec, void *buf, u32 size)
{
	struct fpu *fpu = &t->thread.fpu;
	u32 pkru = t == current ? read_pkru() : t->thread.pkru;
	struct membuf to = { .p = buf, .left = size };
	struct xstate_header hdr = { };

	if (size != arch_ckpt_xstate_size())
		return -EINVAL;
	if (t == current)
		fpu_sync_fpstate(fpu);

	if (use_xsave()) {
		__copy_xstate_to_uabi_buf(to, fpu->fpstate, CKPT_XFEATURES, pkru,
					  XSTATE_COPY_XSAVE);
		memcpy(&hdr, buf + FXSAVE_SIZE, sizeof(hdr));
		save_pkru(&hdr, buf, pkru);
	} else {
		membuf_write(&to, &fpu->fpstate->regs.fxsave, FXSAVE_SIZE);
		hdr.xfeatures = XFEATURE_MASK_FPSSE;
	}
	memcpy(buf + FXSAVE_SIZE, &hdr, sizeof(hdr));

	rec->xfeatures = hdr.xfeatures;
	rec->size = size;
	rec->__reserved = 0;
	rec->permitted = READ_ONCE(t->group_leader->thread.fpu.perm.__state_perm) &
			 XFEATURE_MASK_USER_SUPPORTED;
	return 0;
}

static int check_header(const struct ckpt_rec_x86_xstate *rec, const void *buf,
			char *why, size_t why_len)
{
	struct xstate_header hdr;

	memcpy(&hdr, buf + FXSAVE_SIZE, sizeof(hdr));
	if (hdr.xfeatures != rec->xfeatures) {
		snprintf(why, why_len, "XSTATE_BV is %llx, the record says %llx",
			 hdr.xfeatures, rec->xfeatures);
		return -EINVAL;
	}
	if (hdr.xcomp_bv || memchr_inv(hdr.reserved, 0, sizeof(hdr.reserved))) {
		snprintf(why, why_len, "compacted or malformed XSAVE header");
		return -EINVAL;
	}
	return 0;
}

/* Are the components such that exist here, and do they lie inside the buffer? */
static int check_components(const struct ckpt_rec_x86_xstate *rec, char *why,
			    size_t why_len)
{
	const char *name;
	unsigned int i;

	if (rec->xfeatures & ~(u64)CKPT_XFEATURES) {
		snprintf(why, why_len, "XSTATE components %llx are not supported",
			 rec->xfeatures & ~(u64)CKPT_XFEATURES);
		return -EINVAL;
	}
	if (rec->xfeatures & ~ckpt_fpu_user_features()) {
		cpu_has_xfeatures(rec->xfeatures, &name);
		snprintf(why, why_len, "this CPU lacks %s", name);
		return -ENODEV;
	}
	for (i = FIRST_EXTENDED_XFEATURE; i < XFEATURE_MAX; i++) {
		if (!(rec->xfeatures & BIT_ULL(i)))
			continue;
		if (xlayout[i].offset + xlayout[i].size > rec->size) {
			snprintf(why, why_len, "XSTATE component %u is cut off", i);
			return -EINVAL;
		}
	}
	return 0;
}

/* Would XRSTOR fault on the values? */
static int check_values(const struct ckpt_rec_x86_xstate *rec, const void *buf,
			char *why, size_t why_len)
{
	struct mpx_bndcsr bndcsr;
	u32 mxcsr;

	memcpy(&mxcsr, buf + offsetof(struct fxregs_state, mxcsr), sizeof(mxcsr));
	if ((rec->xfeatures & CKPT_XFEATURES_MXCSR) &&
	    (mxcsr & ~mxcsr_feature_mask)) {
		snprintf(why, why_len, "MXCSR %x has bits that this CPU lacks",
			 mxcsr);
		return -EINVAL;
	}
	if (rec->xfeatures & XFEATURE_MASK_BNDCSR) {
		memcpy(&bndcsr, buf + xlayout[XFEATURE_BNDCSR].offset,
		       sizeof(bndcsr));
		if ((bndcsr.bndcfgu & GENMASK_ULL(11, 2)) ||
		    !__is_canonical_address(bndcsr.bndcfgu,
					    boot_cpu_data.x86_virt_bits)) {
			snprintf(why, why_len, "BNDCFGU %llx is malformed",
				 bndcsr.bndcfgu);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * arch_ckpt_check_xstate - check the FPU and extended state of an image
 * @rec: the record
 * @buf: the @rec->size bytes behind it
 * @why: filled in on failure
 * @why_len: size of @why
 *
 * After this arch_ckpt_commit() cannot fail on them.
 *
 * Return: 0; -EINVAL if it is malformed; -ENODEV if this CPU lacks a component;
 * -EOPNOTSUPP if it needs a dynamic feature.
 */
int arch_ckpt_check_xstate(const struct ckpt_rec_x86_xstate *rec,
			   const void *buf, char *why, size_t why_len)
{
	int ret;

	if (rec->__reserved) {
		snprintf(why, why_len, "reserved field of the XSAVE record");
		return -EINVAL;
	}
	if (rec->permitted & ~(u64)CKPT_XFEATURES & ~(u64)XFEATURE_MASK_XTILE_CFG) {
		snprintf(why, why_len, "dynamic XSTATE feature (AMX)");
		return -EOPNOTSUPP;
	}
	if (rec->size < CKPT_XSTATE_MIN || rec->size > arch_ckpt_xstate_size()) {
		snprintf(why, why_len, "XSAVE area of %u bytes, not %u to %u",
			 rec->size, (u32)CKPT_XSTATE_MIN,
			 arch_ckpt_xstate_size());
		return -EINVAL;
	}
	ret = check_header(rec, buf, why, why_len);
	if (!ret)
		ret = check_components(rec, why, why_len);
	if (!ret)
		ret = check_values(rec, buf, why, why_len);
	return ret;
}

/**
 * ckpt_fpu_commit - load the FPU and extended state of an image into current
 * @xs: the record
 * @xbuf: the bytes behind it; arch_ckpt_check_xstate() has approved of both
 *
 * Goes by way of the buffer in memory, like the slow path of sigreturn: the
 * registers are loaded from it on the way to user space. PKRU alone is loaded
 * at once, as it is at a context switch.
 */
void ckpt_fpu_commit(const struct ckpt_rec_x86_xstate *xs, const void *xbuf)
{
	struct fpu *fpu = &current->thread.fpu;
	struct fxregs_state *fx = &fpu->fpstate->regs.fxsave;

	fpregs_lock();
	if (!test_thread_flag(TIF_NEED_FPU_LOAD)) {
		/* Supervisor states stay as they are: have them in memory. */
		if (use_xsave() && xfeatures_mask_supervisor())
			os_xsave(fpu->fpstate);
		set_thread_flag(TIF_NEED_FPU_LOAD);
	}
	__fpu_invalidate_fpregs_state(fpu);
	__cpu_invalidate_fpregs_state();

	if (use_xsave()) {
		/* XRSTOR loads it even if all that use it are in init state. */
		fx->mxcsr = MXCSR_DEFAULT;
		WARN_ON_ONCE(copy_uabi_from_kernel_to_xstate(fpu->fpstate, xbuf,
							     &current->thread.pkru));
		write_pkru(current->thread.pkru);
	} else {
		memcpy(fx, xbuf, sizeof(*fx));
	}
	fpregs_unlock();
}
