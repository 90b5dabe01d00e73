// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: can a program go on with the CPU that it finds?
 */
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/checkpoint.h>
#include <linux/cpufeature.h>
#include <asm/fpu/api.h>

/*
 * The features that programs see through CPUID and rely on, by CPUID leaf. The
 * order is part of the image format: words are only added, behind the others.
 * The words of struct cpuinfo_x86 are no such thing, some change between kernels.
 */
static const u8 feature_leaf[] = {
	CPUID_1_EDX,
	CPUID_1_ECX,
	CPUID_7_0_EBX,
	CPUID_7_ECX,
	CPUID_7_EDX,
	CPUID_7_1_EAX,
	CPUID_8000_0001_EDX,
	CPUID_8000_0001_ECX,
	CPUID_8000_0008_EBX,
	CPUID_D_1_EAX,
	CPUID_C000_0001_EDX,
};

/* Look through the new feature words for instructions that programs may use. */
static_assert(NCAPINTS == 22);

/*
 * Not here: what only the kernel can use; hints that do nothing where they are
 * not known (HLE, CLDEMOTE, MPX); what only makes something faster (ERMS, FSRM);
 * what restricts programs (UMIP); what refuses a task that uses it (SHSTK, LAM,
 * ENQCMD); LA57, because addresses that need it cannot be mapped without.
 */
#define F(name) { X86_FEATURE_##name, #name }

static const struct {
	u16 bit;
	const char *name;
} user_features[] = {
	F(FPU), F(TSC), F(CX8), F(SEP), F(CMOV), F(CLFLUSH), F(MMX), F(FXSR),
	F(XMM), F(XMM2),

	F(XMM3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(XMM4_1), F(XMM4_2),
	F(MOVBE), F(POPCNT), F(AES), F(XSAVE), F(AVX), F(F16C), F(RDRAND),

	F(FSGSBASE), F(SGX), F(BMI1), F(AVX2), F(BMI2), F(RTM), F(AVX512F),
	F(AVX512DQ), F(RDSEED), F(ADX), F(AVX512IFMA), F(CLFLUSHOPT), F(CLWB),
	F(AVX512PF), F(AVX512ER), F(AVX512CD), F(SHA_NI), F(AVX512BW),
	F(AVX512VL),

	F(AVX512VBMI), F(OSPKE), F(WAITPKG), F(AVX512_VBMI2), F(GFNI), F(VAES),
	F(VPCLMULQDQ), F(AVX512_VNNI), F(AVX512_BITALG), F(AVX512_VPOPCNTDQ),
	F(RDPID), F(MOVDIRI), F(MOVDIR64B),

	F(AVX512_4VNNIW), F(AVX512_4FMAPS), F(AVX512_VP2INTERSECT),
	F(SERIALIZE), F(TSXLDTRK), F(AMX_BF16), F(AVX512_FP16), F(AMX_TILE),
	F(AMX_INT8),

	F(AVX_VNNI), F(AVX512_BF16), F(CMPCCXADD), F(AMX_FP16), F(AVX_IFMA),

	F(SYSCALL), F(MMXEXT), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),

	F(LAHF_LM), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP),
	F(LWP), F(FMA4), F(TBM), F(MWAITX),

	F(CLZERO), F(RDPRU),

	F(XSAVEOPT), F(XSAVEC), F(XGETBV1),

	F(XSTORE_EN), F(XCRYPT_EN), F(ACE2_EN), F(PHE_EN), F(PMM_EN),
};

#undef F

/*
 * Behind the features stands, for each extended XSAVE component, its offset and
 * size in the standard format: programs have signal frames and buffers of their
 * own that depend on it.
 */
#define FEATURE_WORDS		16
#define LAYOUT_COMPONENTS	30
#define LAYOUT_WORD(xfeature)	(FEATURE_WORDS + \
				 2 * ((xfeature) - FIRST_EXTENDED_XFEATURE))
#define TOTAL_WORDS		LAYOUT_WORD(FIRST_EXTENDED_XFEATURE + \
					    LAYOUT_COMPONENTS)

/* CPUs with MPX still have these, but no program uses them. */
#define XFEATURES_UNUSED	((u64)(XFEATURE_MASK_BNDREGS | \
				       XFEATURE_MASK_BNDCSR))

static_assert(ARRAY_SIZE(feature_leaf) <= FEATURE_WORDS);
static_assert(FIRST_EXTENDED_XFEATURE + LAYOUT_COMPONENTS >= XFEATURE_MAX);

/* Where feature number @i stands in the words of the record. */
static u32 feature_word(unsigned int i)
{
	u32 word;

	for (word = 0; word < ARRAY_SIZE(feature_leaf); word++)
		if (feature_leaf[word] == user_features[i].bit / 32)
			return word;
	WARN_ON_ONCE(1);
	return FEATURE_WORDS - 1;
}

static const char *feature_name(u32 word, u32 bit)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(user_features); i++)
		if (feature_word(i) == word && user_features[i].bit % 32 == bit)
			return x86_cap_flags[user_features[i].bit] ?:
			       user_features[i].name;
	return NULL;
}

/**
 * arch_ckpt_feature_words - number of words that arch_ckpt_save_features() fills
 *
 * Return: the number.
 */
u32 arch_ckpt_feature_words(void)
{
	return TOTAL_WORDS;
}

/**
 * arch_ckpt_save_features - save what programs can see of this CPU
 * @rec: filled in but for its header
 * @words: arch_ckpt_feature_words() words, filled in
 */
void arch_ckpt_save_features(struct ckpt_rec_x86_features *rec, u32 *words)
{
	u32 *layout;
	unsigned int i;

	rec->nr_words = TOTAL_WORDS;
	rec->vendor = boot_cpu_data.x86_vendor;
	rec->xfeatures = ckpt_fpu_user_features() & ~XFEATURES_UNUSED;

	memset(words, 0, TOTAL_WORDS * sizeof(*words));
	for (i = 0; i < ARRAY_SIZE(user_features); i++)
		if (boot_cpu_has(user_features[i].bit))
			words[feature_word(i)] |= BIT(user_features[i].bit % 32);

	for (i = FIRST_EXTENDED_XFEATURE; i < XFEATURE_MAX; i++) {
		if (!(rec->xfeatures & BIT_ULL(i)))
			continue;
		layout = &words[LAYOUT_WORD(i)];
		ckpt_fpu_layout(i, &layout[0], &layout[1]);
	}
}

static int check_feature_word(u32 word, u32 image, u32 here, char *why,
			      size_t why_len)
{
	u32 missing = image & ~here;
	const char *name;

	if (!missing)
		return 0;
	name = feature_name(word, __ffs(missing));
	if (name)
		snprintf(why, why_len, "this CPU lacks %s", name);
	else
		snprintf(why, why_len, "this CPU lacks feature %u:%lu", word,
			 __ffs(missing));
	return -ENODEV;
}

static int check_layout(u32 word, u32 image, u32 here, char *why,
			size_t why_len)
{
	/* A component that the image's CPU has not does not matter. */
	if (!image || image == here)
		return 0;
	snprintf(why, why_len,
		 "XSAVE component %u lies elsewhere on this CPU or is missing",
		 (word - FEATURE_WORDS) / 2 + FIRST_EXTENDED_XFEATURE);
	return -ENODEV;
}

/**
 * arch_ckpt_check_features - can the programs of an image run on this CPU?
 * @rec: the record
 * @words: the @rec->nr_words words behind it
 * @why: filled in on failure
 * @why_len: size of @why
 *
 * A program asks CPUID once and uses what it saw from then on; so this CPU must
 * have all that the other had. Words that the image lacks are zero; words that
 * are not known here must be.
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -ENODEV with the first feature that is missing.
 */
int arch_ckpt_check_features(const struct ckpt_rec_x86_features *rec,
			     const u32 *words, char *why, size_t why_len)
{
	struct ckpt_rec_x86_features here;
	u32 have[TOTAL_WORDS];
	const char *name;
	int ret = 0;
	u32 i;

	arch_ckpt_save_features(&here, have);
	for (i = 0; i < rec->nr_words && !ret; i++) {
		if (i >= FEATURE_WORDS && i < TOTAL_WORDS)
			ret = check_layout(i, words[i], have[i], why, why_len);
		else
			ret = check_feature_word(i, words[i],
						 i < TOTAL_WORDS ? have[i] : 0,
						 why, why_len);
	}
	if (!ret && (rec->xfeatures & ~here.xfeatures)) {
		cpu_has_xfeatures(rec->xfeatures & ~here.xfeatures, &name);
		snprintf(why, why_len, "this CPU lacks %s", name);
		ret = -ENODEV;
	}
	return ret;
}
