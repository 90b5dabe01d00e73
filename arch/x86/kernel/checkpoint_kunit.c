// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the x86 part of checkpoint/restart: what it accepts from an
 * image, and what it refuses.
 *
 * They run in a kernel thread. It never loads its FPU buffer into the registers,
 * so that the buffer is free for tests of the conversion between formats.
 */
#include <kunit/test.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/thread_info.h>

#include <asm/checkpoint.h>
#include <linux/cpufeature.h>
#include <asm/desc.h>
#include <asm/fpu/xstate.h>
#include <asm/pkru.h>
#include <asm/ptrace.h>
#include <uapi/asm/vsyscall.h>

#include "tls.h"

#define WHY_LEN 80

/* Numbers in ckpt_rec_x86_cpu.regs. */
#define REG_AX		10
#define REG_ORIG_AX	15
#define REG_IP		16
#define REG_CS		17
#define REG_FLAGS	18
#define REG_SP		19
#define REG_SS		20

/* The last word of struct user_desc. */
#define TLS_32BIT	0x01
#define TLS_CODE	0x04
#define TLS_RDONLY	0x08
#define TLS_ABSENT	0x20
#define TLS_LM		0x80
#define TLS_EMPTY	(TLS_RDONLY | TLS_ABSENT)

static void good_cpu(struct ckpt_rec_x86_cpu *rec)
{
	unsigned int i;

	memset(rec, 0, sizeof(*rec));
	rec->regs[REG_IP] = 0x401000;
	rec->regs[REG_SP] = 0x7ffffffde000;
	rec->regs[REG_CS] = __USER_CS;
	rec->regs[REG_SS] = __USER_DS;
	rec->regs[REG_FLAGS] = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	rec->fs_base = 0x7ffff7d85740;
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		rec->tls[i].entry_number = GDT_ENTRY_TLS_MIN + i;
		rec->tls[i].flags = TLS_EMPTY;
	}
}

struct cpu_param {
	const char *desc;
	int ret;
	size_t offset;
	size_t size;
	u64 value;
};

#define CPU(_desc, _ret, _size, _field, _value) {			\
	.desc = _desc,							\
	.ret = _ret,							\
	.offset = offsetof(struct ckpt_rec_x86_cpu, _field),		\
	.size = _size,							\
	.value = _value,						\
}

static const struct cpu_param cpu_params[] = {
	CPU("32-bit code segment", 0, 8, regs[REG_CS], __USER32_CS),
	CPU("kernel code segment", -EINVAL, 8, regs[REG_CS], __KERNEL_CS),
	CPU("code segment of RPL 0", -EINVAL, 8, regs[REG_CS], __USER_CS & ~3),
	CPU("code segment in the LDT", -EINVAL, 8, regs[REG_CS], 0x7),
	CPU("null code segment", -EINVAL, 8, regs[REG_CS], 0),
	CPU("data above the code segment", -EINVAL, 8, regs[REG_CS],
	    __USER_CS | BIT(16)),
	CPU("stack segment in the TLS array", 0, 8, regs[REG_SS],
	    GDT_ENTRY_TLS_MIN * 8 + 3),
	CPU("kernel stack segment", -EINVAL, 8, regs[REG_SS], __KERNEL_DS),
	CPU("null stack segment", -EINVAL, 8, regs[REG_SS], 0),
	CPU("null stack segment of RPL 3", -EINVAL, 8, regs[REG_SS], 3),
	CPU("data above the stack segment", -EINVAL, 8, regs[REG_SS],
	    __USER_DS | BIT(32)),
	CPU("user ds", 0, 2, ds, __USER_DS),
	CPU("kernel ds", -EINVAL, 2, ds, __KERNEL_DS),
	CPU("es of RPL 2", -EINVAL, 2, es, 0x2a),
	CPU("fs of RPL 1", -EINVAL, 2, fs, 0x29),
	CPU("kernel gs", -EINVAL, 2, gs, __KERNEL_DS),
	CPU("vsyscall rip", 0, 8, regs[REG_IP], VSYSCALL_ADDR),
	CPU("non-canonical rip", -EINVAL, 8, regs[REG_IP], BIT_ULL(63)),
	CPU("kernel rip", -EINVAL, 8, regs[REG_IP], 0xffffffff81000000),
	CPU("any rsp", 0, 8, regs[REG_SP], BIT_ULL(63)),
	CPU("all eflags of user mode", 0, 8, regs[REG_FLAGS], 0x254fd7),
	CPU("eflags IOPL", -EINVAL, 8, regs[REG_FLAGS], 0x3202),
	CPU("eflags VM", -EINVAL, 8, regs[REG_FLAGS], 0x20202),
	CPU("eflags VIF", -EINVAL, 8, regs[REG_FLAGS], 0x80202),
	CPU("rflags above 32 bits", -EINVAL, 8, regs[REG_FLAGS],
	    BIT_ULL(32) | 0x202),
	CPU("kernel fs base", -EINVAL, 8, fs_base, 0xffff888000000000),
	CPU("non-canonical gs base", -EINVAL, 8, gs_base, BIT_ULL(62)),
	CPU("unknown flag", -EINVAL, 4, flags, CKPT_X86_FLAGS_ALL + 1),
	CPU("reserved field", -EINVAL, 4, __reserved, 1),
	CPU("TLS data segment", 0, 4, tls[1].flags, TLS_32BIT),
	CPU("TLS code segment", -EINVAL, 4, tls[1].flags, TLS_32BIT | TLS_CODE),
	CPU("TLS segment that is not present", -EINVAL, 4, tls[1].flags,
	    TLS_32BIT | TLS_ABSENT),
	CPU("TLS 64-bit segment", -EINVAL, 4, tls[1].flags, TLS_32BIT | TLS_LM),
	CPU("TLS limit", -EINVAL, 4, tls[0].limit, 0x100000),
	CPU("TLS entry number", -EINVAL, 4, tls[2].entry_number,
	    GDT_ENTRY_TLS_MIN),
};

KUNIT_ARRAY_PARAM_DESC(cpu, cpu_params, desc);

static void check_cpu(struct kunit *test)
{
	const struct cpu_param *param = test->param_value;
	struct ckpt_rec_x86_cpu rec;
	char why[WHY_LEN] = "";

	good_cpu(&rec);
	KUNIT_ASSERT_EQ_MSG(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)), 0,
			    "%s", why);

	memcpy((void *)&rec + param->offset, &param->value, param->size);
	KUNIT_EXPECT_EQ_MSG(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)),
			    param->ret, "%s", why);
	KUNIT_EXPECT_EQ(test, why[0] != '\0', param->ret != 0);
}

static void check_limits(struct kunit *test)
{
	struct ckpt_rec_x86_cpu rec;
	char why[WHY_LEN];

	good_cpu(&rec);
	rec.gs_base = TASK_SIZE_MAX - 1;
	rec.regs[REG_IP] = TASK_SIZE_MAX - 1;
	KUNIT_EXPECT_EQ(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)), 0);
	rec.gs_base = TASK_SIZE_MAX;
	KUNIT_EXPECT_EQ(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)),
			-EINVAL);
	rec.gs_base = 0;
	rec.regs[REG_IP] = TASK_SIZE_MAX;
	KUNIT_EXPECT_EQ(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)),
			-EINVAL);
}

static void check_nocpuid(struct kunit *test)
{
	int ret = boot_cpu_has(X86_FEATURE_CPUID_FAULT) ? 0 : -ENODEV;
	struct ckpt_rec_x86_cpu rec;
	char why[WHY_LEN];

	good_cpu(&rec);
	rec.flags = CKPT_X86_NOCPUID;
	KUNIT_EXPECT_EQ(test, arch_ckpt_check_cpu(&rec, why, sizeof(why)), ret);
}

/* What is accepted from an image is what set_thread_area() accepts. */
static void check_tls(struct kunit *test)
{
	struct user_desc none = { .read_exec_only = 1, .seg_not_present = 1 };
	struct ckpt_rec_x86_cpu rec;
	struct user_desc desc;
	char why[WHY_LEN];
	u32 flags, base;
	int ret;

	if (!IS_ENABLED(CONFIG_IA32_EMULATION))
		kunit_skip(test, "no TLS descriptors without IA32 emulation");

	good_cpu(&rec);
	for (base = 0; base <= 1; base++) {
		for (flags = 0; flags < TLS_LM; flags++) {
			rec.tls[0].base_addr = base;
			rec.tls[0].flags = flags;
			desc = none;
			desc.base_addr = base;
			memcpy((void *)&desc + offsetofend(struct user_desc, limit),
			       &flags, sizeof(flags));

			ret = regset_tls_set(current, NULL, 0, sizeof(desc),
					     &desc, NULL);
			KUNIT_EXPECT_EQ_MSG(test, ret,
					    arch_ckpt_check_cpu(&rec, why,
								sizeof(why)),
					    "flags %x", flags);
		}
	}
	regset_tls_set(current, NULL, 0, sizeof(none), &none, NULL);
}

static void save_cpu(struct kunit *test)
{
	struct ckpt_rec_x86_cpu rec;
	unsigned int i;

	memset(&rec, 0xff, sizeof(rec));
	arch_ckpt_save_cpu(current, &rec);
	KUNIT_EXPECT_EQ(test, rec.regs[REG_AX], 0);
	KUNIT_EXPECT_EQ(test, rec.regs[REG_ORIG_AX], -1);
	KUNIT_EXPECT_EQ(test, rec.flags, 0);
	KUNIT_EXPECT_EQ(test, rec.__reserved, 0);
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		KUNIT_EXPECT_EQ(test, rec.tls[i].entry_number,
				GDT_ENTRY_TLS_MIN + i);
		KUNIT_EXPECT_EQ(test, rec.tls[i].flags, TLS_EMPTY);
	}
}

static bool is_refused(const char *why)
{
	const char *reason;
	unsigned int n;

	for (n = 0; (reason = arch_ckpt_refusal(current, n)); n++)
		if (!strcmp(reason, why))
			return true;
	return false;
}

static void refusal(struct kunit *test)
{
	struct thread_struct *thread = &current->thread;
	unsigned int free_bit = 28;

	KUNIT_EXPECT_FALSE(test, is_refused("unknown thread flag"));
	set_thread_flag(free_bit);
	KUNIT_EXPECT_TRUE(test, is_refused("unknown thread flag"));
	clear_thread_flag(free_bit);

	KUNIT_EXPECT_FALSE(test, is_refused("hardware breakpoints"));
	thread->ptrace_dr7 = 1;
	KUNIT_EXPECT_TRUE(test, is_refused("hardware breakpoints"));
	thread->ptrace_dr7 = 0;

	KUNIT_EXPECT_FALSE(test, is_refused("single-stepped by a debugger"));
	set_thread_flag(TIF_SINGLESTEP);
	set_thread_flag(TIF_FORCED_TF);
	KUNIT_EXPECT_TRUE(test, is_refused("single-stepped by a debugger"));
	clear_thread_flag(TIF_SINGLESTEP);
	clear_thread_flag(TIF_FORCED_TF);

	KUNIT_EXPECT_FALSE(test, is_refused("dynamic XSTATE feature (AMX)"));
	KUNIT_EXPECT_FALSE(test, is_refused("unknown XSTATE feature"));
}

/* An XSAVE area that has @xfeatures. */
static void *xsave_area(struct kunit *test, struct ckpt_rec_x86_xstate *rec,
			u64 xfeatures)
{
	u32 size = arch_ckpt_xstate_size();
	struct xregs_state *xsave;

	/* Alignment is not needed, but convenient here. */
	xsave = kunit_kzalloc(test, roundup_pow_of_two(size), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, xsave);
	xsave->i387.cwd = 0x37f;
	xsave->i387.mxcsr = MXCSR_DEFAULT;
	xsave->header.xfeatures = xfeatures;

	memset(rec, 0, sizeof(*rec));
	rec->xfeatures = xfeatures;
	rec->size = size;
	return xsave;
}

static int check_xsave(const struct ckpt_rec_x86_xstate *rec, const void *xsave)
{
	char why[WHY_LEN] = "";
	int ret = arch_ckpt_check_xstate(rec, xsave, why, sizeof(why));

	return !ret == !why[0] ? ret : -ENOMSG;
}

struct xfeature_param {
	const char *desc;
	u64 xfeatures;
	int ret;	/* on a CPU that has them */
};

static const struct xfeature_param xfeature_params[] = {
	{ "all in init state", 0, 0 },
	{ "x87 and SSE", XFEATURE_MASK_FPSSE, 0 },
	{ "AVX", XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM, 0 },
	{ "AVX-512", XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM |
		     XFEATURE_MASK_AVX512, 0 },
	{ "PKRU", XFEATURE_MASK_PKRU, 0 },
	{ "MPX", XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR, 0 },
	{ "AMX", XFEATURE_MASK_XTILE, -EINVAL },
	{ "PASID", XFEATURE_MASK_PASID, -EINVAL },
	{ "shadow stack", XFEATURE_MASK_CET_USER, -EINVAL },
	{ "unknown component", BIT_ULL(19), -EINVAL },
	{ "bit 63", BIT_ULL(63), -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(xfeature, xfeature_params, desc);

static void check_xfeature(struct kunit *test)
{
	const struct xfeature_param *param = test->param_value;
	struct ckpt_rec_x86_xstate rec;
	void *xsave = xsave_area(test, &rec, param->xfeatures);
	int ret = param->ret;

	if (!ret && (param->xfeatures & ~ckpt_fpu_user_features()))
		ret = -ENODEV;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), ret);
}

static void check_xsave_header(struct kunit *test)
{
	struct ckpt_rec_x86_xstate rec;
	struct xregs_state *xsave = xsave_area(test, &rec, XFEATURE_MASK_FPSSE);

	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);

	rec.xfeatures = XFEATURE_MASK_FP;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	rec.xfeatures = XFEATURE_MASK_FPSSE;

	xsave->header.xcomp_bv = XCOMP_BV_COMPACTED_FORMAT;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	xsave->header.xcomp_bv = 0;

	xsave->header.reserved[5] = 1;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	xsave->header.reserved[5] = 0;

	rec.__reserved = 1;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	rec.__reserved = 0;

	rec.permitted = XFEATURE_MASK_XTILE_DATA;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EOPNOTSUPP);
	rec.permitted = 0;

	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);
}

static void check_xsave_size(struct kunit *test)
{
	struct ckpt_rec_x86_xstate rec;
	struct xregs_state *xsave = xsave_area(test, &rec, XFEATURE_MASK_FPSSE);
	u32 least = FXSAVE_SIZE + XSAVE_HDR_SIZE;
	u32 i, offset, size;

	rec.size = 0;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	rec.size = least - 1;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	rec.size = least;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);
	rec.size = arch_ckpt_xstate_size() + 1;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	rec.size = U32_MAX;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);

	/* Each component must be there up to its last byte. */
	for (i = FIRST_EXTENDED_XFEATURE; i < XFEATURE_XTILE_CFG; i++) {
		if (!ckpt_fpu_layout(i, &offset, &size))
			continue;
		xsave->header.xfeatures = BIT_ULL(i);
		rec.xfeatures = BIT_ULL(i);
		rec.size = offset + size;
		KUNIT_EXPECT_EQ_MSG(test, check_xsave(&rec, xsave), 0,
				    "component %u", i);
		rec.size--;
		KUNIT_EXPECT_EQ_MSG(test, check_xsave(&rec, xsave), -EINVAL,
				    "component %u", i);
	}
}

static void check_xsave_values(struct kunit *test)
{
	struct ckpt_rec_x86_xstate rec;
	struct xregs_state *xsave = xsave_area(test, &rec, XFEATURE_MASK_FPSSE);
	struct mpx_bndcsr *bndcsr;
	u32 offset, size;

	xsave->i387.mxcsr = 0xffff;	/* all that there is */
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);
	xsave->i387.mxcsr = BIT(16);
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	xsave->i387.mxcsr = U32_MAX;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);

	/* Not loaded, hence of no interest. */
	rec.xfeatures = 0;
	xsave->header.xfeatures = 0;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);

	if (!ckpt_fpu_layout(XFEATURE_BNDCSR, &offset, &size))
		return;
	rec.xfeatures = XFEATURE_MASK_BNDCSR;
	xsave->header.xfeatures = XFEATURE_MASK_BNDCSR;
	bndcsr = (void *)xsave + offset;
	bndcsr->bndcfgu = PAGE_SIZE | 3;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);
	bndcsr->bndcfgu = PAGE_SIZE | 4;
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
	bndcsr->bndcfgu = BIT_ULL(63);
	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), -EINVAL);
}

static void *save_xsave(struct kunit *test, struct ckpt_rec_x86_xstate *rec)
{
	u32 size = arch_ckpt_xstate_size();
	void *buf = kunit_kmalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, 0xff, size);
	memset(rec, 0xff, sizeof(*rec));
	KUNIT_EXPECT_EQ(test, arch_ckpt_save_xstate(current, rec, buf, size - 1),
			-EINVAL);
	KUNIT_ASSERT_EQ(test, arch_ckpt_save_xstate(current, rec, buf, size), 0);
	return buf;
}

/* What is saved is accepted. */
static void save_check_xsave(struct kunit *test)
{
	struct ckpt_rec_x86_xstate rec;
	void *xsave = save_xsave(test, &rec);

	KUNIT_EXPECT_EQ(test, check_xsave(&rec, xsave), 0);
}

/* All components through the kernel's own format and back. */
static void convert_xsave(struct kunit *test)
{
	u64 xfeatures = ckpt_fpu_user_features() & ~XFEATURE_MASK_XTILE;
	struct ckpt_rec_x86_xstate old_rec, rec, back_rec;
	void *old = save_xsave(test, &old_rec);
	struct xregs_state *xsave = xsave_area(test, &rec, xfeatures);
	u32 i, byte, offset, size;
	struct xregs_state *back;
	u8 *p;

	for (i = 0; i < sizeof(xsave->i387.st_space); i++)
		((u8 *)xsave->i387.st_space)[i] = i | 1;
	for (i = 0; i < sizeof(xsave->i387.xmm_space); i++)
		((u8 *)xsave->i387.xmm_space)[i] = i | 2;
	xsave->i387.mxcsr = 0x1fa0;
	for (i = FIRST_EXTENDED_XFEATURE; i < XFEATURE_XTILE_CFG; i++) {
		if (!ckpt_fpu_layout(i, &offset, &size))
			continue;
		/* PKRU is 4 bytes and padding, BNDCFGU must make sense. */
		if (i == XFEATURE_PKRU)
			size = 4;
		if (i == XFEATURE_BNDCSR)
			size = 1;
		p = (u8 *)xsave + offset;
		for (byte = 0; byte < size; byte++)
			p[byte] = i == XFEATURE_BNDCSR ? 3 : byte + i;
		/* Access stays allowed for key 0, which the kernel uses. */
		if (i == XFEATURE_PKRU)
			p[0] &= ~3;
	}
	KUNIT_ASSERT_EQ(test, check_xsave(&rec, xsave), 0);

	ckpt_fpu_commit(&rec, xsave);
	back = save_xsave(test, &back_rec);
	KUNIT_EXPECT_EQ(test, back_rec.xfeatures, xfeatures);
	KUNIT_EXPECT_EQ(test, back->header.xfeatures, xfeatures);
	/* The kernel says what XSAVE is good for in the last 48 bytes. */
	memset(back->i387.sw_reserved, 0, sizeof(back->i387.sw_reserved));
	back->i387.mxcsr_mask = 0;
	KUNIT_EXPECT_MEMEQ(test, back, xsave, arch_ckpt_xstate_size());

	/* And into init state. */
	xsave = xsave_area(test, &rec, 0);
	ckpt_fpu_commit(&rec, xsave);
	back = save_xsave(test, &back_rec);
	if (cpu_feature_enabled(X86_FEATURE_XSAVE))
		KUNIT_EXPECT_EQ(test, back_rec.xfeatures, 0);
	KUNIT_EXPECT_EQ(test, back->i387.mxcsr, MXCSR_DEFAULT);
	KUNIT_EXPECT_EQ(test, read_pkru(), 0);

	ckpt_fpu_commit(&old_rec, old);
}

static int check_words(const struct ckpt_rec_x86_features *rec,
		       const u32 *words, char *why)
{
	why[0] = '\0';
	return arch_ckpt_check_features(rec, words, why, WHY_LEN);
}

static void check_features(struct kunit *test)
{
	u32 n = arch_ckpt_feature_words();
	u32 *words = kunit_kzalloc(test, (n + 1) * sizeof(*words), GFP_KERNEL);
	struct ckpt_rec_x86_features rec = { };
	char why[WHY_LEN];
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, words);
	arch_ckpt_save_features(&rec, words);
	KUNIT_EXPECT_EQ(test, rec.nr_words, n);
	KUNIT_EXPECT_EQ_MSG(test, check_words(&rec, words, why), 0, "%s", why);
	/* This is x86-64: there is always SSE2. */
	KUNIT_EXPECT_TRUE(test, words[0] & BIT(26));

	/* A shorter record, from an older kernel; a longer one. */
	rec.nr_words = 1;
	KUNIT_EXPECT_EQ(test, check_words(&rec, words, why), 0);
	rec.nr_words = n + 1;
	KUNIT_EXPECT_EQ(test, check_words(&rec, words, why), 0);
	words[n] = 1;
	KUNIT_EXPECT_EQ(test, check_words(&rec, words, why), -ENODEV);
	words[n] = 0;
	rec.nr_words = n;

	/* Each word counts. */
	for (i = 0; i < n; i++) {
		u32 old = words[i];

		words[i] = U32_MAX;
		KUNIT_EXPECT_EQ_MSG(test, check_words(&rec, words, why), -ENODEV,
				    "word %u", i);
		KUNIT_EXPECT_NE(test, why[0], '\0');
		words[i] = old;
	}

	/* VIA's cipher engine is nowhere else. */
	if (!boot_cpu_has(X86_FEATURE_XCRYPT_EN)) {
		words[10] |= BIT(X86_FEATURE_XCRYPT_EN % 32);
		KUNIT_EXPECT_EQ(test, check_words(&rec, words, why), -ENODEV);
		KUNIT_EXPECT_STREQ(test, why, "this CPU lacks ace_en");
		words[10] = 0;
	}

	rec.xfeatures |= BIT_ULL(XFEATURE_RSRVD_COMP_16);
	KUNIT_EXPECT_EQ(test, check_words(&rec, words, why), -ENODEV);
}

/*
 * All features that have a name are either looked at when an image is restored
 * or stand here. If this fails, the base has gained a feature: can user space
 * use it?
 */
static const u16 ignored_features[] = {
	X86_FEATURE_VME, X86_FEATURE_DE, X86_FEATURE_PSE, X86_FEATURE_MSR,
	X86_FEATURE_PAE, X86_FEATURE_MCE, X86_FEATURE_APIC, X86_FEATURE_MTRR,
	X86_FEATURE_PGE, X86_FEATURE_MCA, X86_FEATURE_PAT, X86_FEATURE_PSE36,
	X86_FEATURE_PN, X86_FEATURE_DS, X86_FEATURE_ACPI,
	X86_FEATURE_SELFSNOOP, X86_FEATURE_HT, X86_FEATURE_ACC,
	X86_FEATURE_IA64, X86_FEATURE_PBE,

	X86_FEATURE_DTES64, X86_FEATURE_MWAIT, X86_FEATURE_DSCPL,
	X86_FEATURE_VMX, X86_FEATURE_SMX, X86_FEATURE_EST, X86_FEATURE_TM2,
	X86_FEATURE_CID, X86_FEATURE_SDBG, X86_FEATURE_XTPR,
	X86_FEATURE_PDCM, X86_FEATURE_PCID, X86_FEATURE_DCA,
	X86_FEATURE_X2APIC, X86_FEATURE_TSC_DEADLINE_TIMER,
	X86_FEATURE_HYPERVISOR,

	X86_FEATURE_TSC_ADJUST, X86_FEATURE_HLE, X86_FEATURE_SMEP,
	X86_FEATURE_ERMS, X86_FEATURE_INVPCID, X86_FEATURE_CQM,
	X86_FEATURE_MPX, X86_FEATURE_RDT_A, X86_FEATURE_SMAP,
	X86_FEATURE_INTEL_PT,

	X86_FEATURE_UMIP, X86_FEATURE_PKU, X86_FEATURE_TME, X86_FEATURE_LA57,
	X86_FEATURE_BUS_LOCK_DETECT, X86_FEATURE_CLDEMOTE,
	X86_FEATURE_ENQCMD, X86_FEATURE_SGX_LC,

	X86_FEATURE_FSRM, X86_FEATURE_MD_CLEAR, X86_FEATURE_PCONFIG,
	X86_FEATURE_ARCH_LBR, X86_FEATURE_IBT, X86_FEATURE_FLUSH_L1D,
	X86_FEATURE_ARCH_CAPABILITIES,

	X86_FEATURE_FRED, X86_FEATURE_LAM,

	X86_FEATURE_MP, X86_FEATURE_NX, X86_FEATURE_FXSR_OPT,
	X86_FEATURE_GBPAGES,

	X86_FEATURE_CMP_LEGACY, X86_FEATURE_SVM, X86_FEATURE_EXTAPIC,
	X86_FEATURE_CR8_LEGACY, X86_FEATURE_OSVW, X86_FEATURE_IBS,
	X86_FEATURE_SKINIT, X86_FEATURE_WDT, X86_FEATURE_TCE,
	X86_FEATURE_NODEID_MSR, X86_FEATURE_TOPOEXT,
	X86_FEATURE_PERFCTR_CORE, X86_FEATURE_PERFCTR_NB, X86_FEATURE_BPEXT,
	X86_FEATURE_PTSC, X86_FEATURE_PERFCTR_LLC,

	X86_FEATURE_IRPERF, X86_FEATURE_XSAVEERPTR, X86_FEATURE_WBNOINVD,
	X86_FEATURE_AMD_PPIN, X86_FEATURE_VIRT_SSBD, X86_FEATURE_CPPC,
	X86_FEATURE_BRS,

	X86_FEATURE_XSAVES,

	X86_FEATURE_XSTORE, X86_FEATURE_XCRYPT, X86_FEATURE_ACE2,
	X86_FEATURE_PHE, X86_FEATURE_PMM,
};

static bool is_ignored(u16 feature)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ignored_features); i++)
		if (ignored_features[i] == feature)
			return true;
	return false;
}

/* A feature that is looked at is there, or its absence is called by its name. */
static bool is_looked_at(struct kunit *test, u32 word, u16 feature)
{
	u32 *words = kunit_kzalloc(test, (word + 1) * sizeof(*words), GFP_KERNEL);
	struct ckpt_rec_x86_features rec = { .nr_words = word + 1 };
	char why[WHY_LEN];
	bool looked_at;

	KUNIT_ASSERT_NOT_NULL(test, words);
	words[word] = BIT(feature % 32);
	looked_at = !check_words(&rec, words, why) || !strchr(why, ':');
	kunit_kfree(test, words);
	return looked_at;
}

static void classify_features(struct kunit *test)
{
	static const u8 leaves[] = {
		CPUID_1_EDX, CPUID_1_ECX, CPUID_7_0_EBX, CPUID_7_ECX,
		CPUID_7_EDX, CPUID_7_1_EAX, CPUID_8000_0001_EDX,
		CPUID_8000_0001_ECX, CPUID_8000_0008_EBX, CPUID_D_1_EAX,
		CPUID_C000_0001_EDX,
	};
	u32 word, bit;

	for (word = 0; word < ARRAY_SIZE(leaves); word++) {
		for (bit = 0; bit < 32; bit++) {
			u16 feature = leaves[word] * 32 + bit;

			if (!x86_cap_flags[feature])
				continue;
			KUNIT_EXPECT_NE_MSG(test, is_ignored(feature),
					    is_looked_at(test, word, feature),
					    "%s", x86_cap_flags[feature]);
		}
	}
}

static struct kunit_case checkpoint_x86_cases[] = {
	KUNIT_CASE_PARAM(check_cpu, cpu_gen_params),
	KUNIT_CASE(check_limits),
	KUNIT_CASE(check_nocpuid),
	KUNIT_CASE(check_tls),
	KUNIT_CASE(save_cpu),
	KUNIT_CASE(refusal),
	KUNIT_CASE_PARAM(check_xfeature, xfeature_gen_params),
	KUNIT_CASE(check_xsave_header),
	KUNIT_CASE(check_xsave_size),
	KUNIT_CASE(check_xsave_values),
	KUNIT_CASE(save_check_xsave),
	KUNIT_CASE(convert_xsave),
	KUNIT_CASE(check_features),
	KUNIT_CASE(classify_features),
	{ }
};

static struct kunit_suite checkpoint_x86_suite = {
	.name = "checkpoint_x86",
	.test_cases = checkpoint_x86_cases,
};

kunit_test_suite(checkpoint_x86_suite);
