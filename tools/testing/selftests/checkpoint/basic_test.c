// SPDX-License-Identifier: GPL-2.0
/*
 * One process is saved in the middle of its work, killed, and brought back.
 *
 *	program		test
 *	step 1..n
 *			checkpoint(KILL), wait: it is dead
 *			restart()
 *	step n+1..N
 *			each step stands in the log once
 */
#include "ckpt_test.h"

#define STEPS		60
#define STEP_LOG	"/tmp/basic.steps"

static volatile unsigned long started_once;

static void stepper(void *arg)
{
	unsigned long sum = 0, i;
	int fd = *(int *)arg;

	started_once++;
	for (i = 1; i <= STEPS; i++) {
		dprintf(fd, "%lu\n", i);
		sum += i * i;
		ckpt_sleep_ms(20);
	}
	dprintf(fd, "sum %lu starts %lu\n", sum, started_once);
	_exit(42);
}

static bool steps_are_right(void)
{
	unsigned long sum = 0, i, a, b;
	FILE *f = fopen(STEP_LOG, "r");
	bool ok = f;

	for (i = 1; ok && i <= STEPS; i++) {
		ok = fscanf(f, "%lu\n", &a) == 1 && a == i;
		sum += i * i;
	}
	ok = ok && fscanf(f, "sum %lu starts %lu\n", &a, &b) == 2 &&
	     a == sum && b == 1 && fgetc(f) == EOF;
	if (f)
		fclose(f);
	return ok;
}

FIXTURE(basic)
{
	int fd;
	pid_t pid;
};

FIXTURE_SETUP(basic)
{
	unlink(STEP_LOG);
	self->fd = open(STEP_LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ASSERT_LE(0, self->fd);
	self->pid = ckpt_spawn(stepper, &self->fd, self->fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_size(STEP_LOG, 20, 10000));
}

FIXTURE_TEARDOWN(basic)
{
	ckpt_kill(self->pid);
	close(self->fd);
	unlink(STEP_LOG);
	unlink(CKPT_IMG);
}

TEST_F(basic, left_running)
{
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_EQ(42, ckpt_wait(self->pid, 20000));
	EXPECT_TRUE(steps_are_right());
}

TEST_F(basic, killed_and_restarted)
{
	struct stat st;
	pid_t pid;

	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, stat(STEP_LOG, &st));
	/* In the middle: neither begun only nor done. */
	ASSERT_LE(20, st.st_size);
	ASSERT_GE(150, st.st_size);

	pid = ckpt_restart(CKPT_IMG, self->pid);
	ASSERT_EQ(self->pid, pid)
		TH_LOG("%s", ckpt_log_text);
	EXPECT_EQ(42, ckpt_wait(pid, 20000));
	EXPECT_TRUE(steps_are_right());
}

/* Nothing of the restarter is left in the program. */
TEST_F(basic, nothing_of_the_restarter)
{
	char path[64], before[4096], now[4096];
	struct stat st;
	int i;

	ASSERT_LT(0, ckpt_read_proc(self->pid, "maps", before, sizeof(before)));
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid));
	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", self->pid, i);
		EXPECT_EQ(i < 3 || i == self->fd ? 0 : -1, lstat(path, &st))
			TH_LOG("descriptor %d", i);
	}
	ASSERT_LT(0, ckpt_read_proc(self->pid, "maps", now, sizeof(now)));
	EXPECT_STREQ(before, now);
	EXPECT_EQ(42, ckpt_wait(self->pid, 20000));
}

TEST_F(basic, many_generations)
{
	pid_t pid = self->pid;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL))
			TH_LOG("%d: %s", i, ckpt_log_text);
		ASSERT_EQ(256 + SIGKILL, ckpt_wait(pid, 5000));
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, pid))
			TH_LOG("%d: %s", i, ckpt_log_text);
		ckpt_sleep_ms(10);
	}
	EXPECT_EQ(42, ckpt_wait(pid, 20000));
	EXPECT_TRUE(steps_are_right());
}

TEST_F(basic, check_only)
{
	EXPECT_EQ(0, ckpt_check(self->pid, CHECKPOINT_SUBTREE))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_EQ(42, ckpt_wait(self->pid, 20000));
	EXPECT_TRUE(steps_are_right());
}

TEST_F(basic, hold_then_thaw)
{
	int context = ckpt_hold(_metadata, self->pid), out;
	struct stat before, after;

	ASSERT_LE(0, context);
	ASSERT_EQ(0, stat(STEP_LOG, &before));
	ckpt_sleep_ms(300);
	ASSERT_EQ(0, stat(STEP_LOG, &after));
	EXPECT_EQ(before.st_size, after.st_size);
	/* A second checkpoint meanwhile is refused. */
	out = open("/dev/null", O_WRONLY);
	EXPECT_EQ(-1, sys_checkpoint(self->pid, out, 0, NULL, 0));
	EXPECT_EQ(EBUSY, errno);
	close(out);
	/* The last close lets it go. */
	close(context);
	EXPECT_EQ(42, ckpt_wait(self->pid, 20000));
	EXPECT_TRUE(steps_are_right());
}

TEST_F(basic, hold_then_kill)
{
	int context = ckpt_hold(_metadata, self->pid);

	ASSERT_EQ(0, ioctl(context, CKPT_CONTEXT_KILL));
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	close(context);
}

TEST_HARNESS_MAIN
