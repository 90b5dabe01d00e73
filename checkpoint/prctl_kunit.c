// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of when a control of speculation can be restored: few machines
 * have all of the controls, and no machine has and lacks one.
 */
#include <kunit/test.h>
#include <linux/prctl.h>

#include "checkpoint.h"

#define SETTABLE(state)	(PR_SPEC_PRCTL | (state))

static const struct spec_param {
	const char *desc;
	unsigned int which;
	u32 want;
	int have;
	int err;
} spec_params[] = {
	{ "nothing", PR_SPEC_STORE_BYPASS, 0, -ENODEV },
	{ "no state", PR_SPEC_STORE_BYPASS, PR_SPEC_PRCTL,
	  SETTABLE(PR_SPEC_ENABLE), -EINVAL },
	{ "two states", PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE | PR_SPEC_DISABLE,
	  SETTABLE(PR_SPEC_ENABLE), -EINVAL },
	{ "high bit", PR_SPEC_STORE_BYPASS, 1U << 31,
	  SETTABLE(PR_SPEC_ENABLE), -EINVAL },
	{ "no execution, of branches", PR_SPEC_INDIRECT_BRANCH,
	  PR_SPEC_DISABLE_NOEXEC, SETTABLE(PR_SPEC_ENABLE), -EINVAL },
	{ "forced, of the cache", PR_SPEC_L1D_FLUSH, PR_SPEC_FORCE_DISABLE,
	  SETTABLE(PR_SPEC_ENABLE), -EINVAL },
	{ "off", PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE,
	  SETTABLE(PR_SPEC_ENABLE), 0 },
	{ "until exec", PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE_NOEXEC,
	  SETTABLE(PR_SPEC_ENABLE), 0 },
	{ "on, forced off here", PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE,
	  SETTABLE(PR_SPEC_FORCE_DISABLE), 0 },
	{ "off, for all here", PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE,
	  PR_SPEC_DISABLE, 0 },
	{ "off, no need here", PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE,
	  PR_SPEC_NOT_AFFECTED, 0 },
	{ "off, cannot be had", PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE,
	  PR_SPEC_ENABLE, -EOPNOTSUPP },
	{ "off, of branches, cannot be had", PR_SPEC_INDIRECT_BRANCH,
	  PR_SPEC_FORCE_DISABLE, PR_SPEC_ENABLE, -EOPNOTSUPP },
	{ "off, unknown here", PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, -ENODEV,
	  -EOPNOTSUPP },
	{ "on, on here", PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, PR_SPEC_ENABLE,
	  0 },
	{ "on, off for all", PR_SPEC_INDIRECT_BRANCH, PR_SPEC_ENABLE,
	  PR_SPEC_DISABLE, 0 },
	{ "flush", PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE,
	  SETTABLE(PR_SPEC_DISABLE), 0 },
	{ "flush cannot be had", PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE,
	  PR_SPEC_FORCE_DISABLE, -EOPNOTSUPP },
	{ "no flush", PR_SPEC_L1D_FLUSH, PR_SPEC_DISABLE, PR_SPEC_FORCE_DISABLE,
	  0 },
};

KUNIT_ARRAY_PARAM_DESC(spec, spec_params, desc);

static void speculation(struct kunit *test)
{
	const struct spec_param *p = test->param_value;

	KUNIT_EXPECT_EQ(test, ckpt_spec_possible(p->which, p->want, p->have),
			p->err);
}

static struct kunit_case prctl_cases[] = {
	KUNIT_CASE_PARAM(speculation, spec_gen_params),
	{ }
};

static struct kunit_suite prctl_suite = {
	.name = "checkpoint_prctl",
	.test_cases = prctl_cases,
};

kunit_test_suite(prctl_suite);
