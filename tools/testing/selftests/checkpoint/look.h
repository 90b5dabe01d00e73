/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of programs and trees looks the same after a restart.
 */
#ifndef _CKPT_TEST_LOOK_H
#define _CKPT_TEST_LOOK_H

#include "tree_program.h"
#include "picture.h"

/* That of the first process. It ends well afterwards. */
static inline void program_looks_the_same(struct __test_metadata *_metadata,
					  pid_t *pid, const struct program *program)
{
	struct picture before, after;

	/* With its children. */
	picture_of_tree = true;
	*pid = start_program(_metadata, program);
	ASSERT_EQ(0, kill(*pid, SIGSTOP));
	ASSERT_TRUE(ckpt_wait_state(*pid, 'T'));
	ASSERT_TRUE(picture_take(&before, *pid))
		TH_LOG("%s", picture_text);
	kill_and_restart(_metadata, pid, false);
	ASSERT_TRUE(ckpt_wait_state(*pid, 'T'));
	ASSERT_TRUE(picture_take(&after, *pid))
		TH_LOG("%s", picture_text);
	EXPECT_TRUE(picture_same(&before, &after, true))
		TH_LOG("%s", picture_text);
	picture_free(&before);
	picture_free(&after);
	ASSERT_EQ(0, kill(*pid, SIGCONT));
	ends_well(_metadata, pid);
}

#endif /* _CKPT_TEST_LOOK_H */
