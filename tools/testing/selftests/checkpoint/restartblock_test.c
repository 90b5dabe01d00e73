// SPDX-License-Identifier: GPL-2.0
/*
 * A program that is saved in a call with a deadline comes back in that call,
 * with the time left that it had.
 *
 *	program			test
 *	call for 2 s
 *				700 ms: checkpoint(KILL)
 *	-			800 ms nothing
 *				restart()
 *	1300 ms more		exits with what the call returned
 *
 * A deadline on CLOCK_REALTIME that the program gave as a time of day stays
 * where it is.
 */
#include "ckpt_test.h"

#include <linux/futex.h>

#define TIMEOUT_S	2
#define BEFORE_MS	700
#define DEAD_MS		800

/*
 * No call ends early. That one ends late says something only if it always does:
 * the machine may have had something else to do.
 */
#define LATE_MS		500
#define TRIES		5

/* On i386 __NR_select is a call with another layout of arguments. */
#ifdef __NR__newselect
#define NR_SELECT	__NR__newselect
#else
#define NR_SELECT	__NR_select
#endif

static const struct timespec two_s = { .tv_sec = TIMEOUT_S };
static int futex_word;

static long do_nanosleep(void)
{
	return syscall(__NR_nanosleep, &two_s, NULL);
}

static long do_nanosleep_rem(void)
{
	struct timespec rem = { .tv_sec = -1 };

	return syscall(__NR_nanosleep, &two_s, &rem);
}

static long do_boottime(void)
{
	return syscall(__NR_clock_nanosleep, CLOCK_BOOTTIME, 0, &two_s, NULL);
}

static long do_poll(void)
{
	return syscall(__NR_poll, NULL, 0, TIMEOUT_S * 1000);
}

static long do_ppoll(void)
{
	struct timespec ts = two_s;
	sigset_t set;

	sigfillset(&set);
	return syscall(__NR_ppoll, NULL, 0, &ts, &set, 8);
}

static long do_select(void)
{
	struct timeval tv = { .tv_sec = TIMEOUT_S };

	return syscall(NR_SELECT, 0, NULL, NULL, NULL, &tv);
}

static long do_futex(void)
{
	return syscall(__NR_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &two_s);
}

static long do_futex_shared(void)
{
	return syscall(__NR_futex, &futex_word, FUTEX_WAIT, 0, &two_s);
}

static long do_futex_realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += TIMEOUT_S;
	return syscall(__NR_futex, &futex_word,
		       FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0,
		       &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

static long do_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return syscall(__NR_rt_sigtimedwait, &set, NULL, &two_s, 8);
}

/* The exit code is errno, 0 on success, 255 if the call returned more. */
static void program(void *arg)
{
	long (*call)(void) = arg;
	long ret = call();

	_exit(ret < 0 ? errno : ret ? 255 : 0);
}

FIXTURE(restartblock)
{
	pid_t pid;
};

/* @err is what the call ends with. */
FIXTURE_VARIANT(restartblock)
{
	long (*call)(void);
	int err;
	bool time_of_day;
};

#define BLOCKED(name, ...)						\
	FIXTURE_VARIANT_ADD(restartblock, name) { .call = do_##name, __VA_ARGS__ }

BLOCKED(nanosleep);
BLOCKED(nanosleep_rem);
BLOCKED(boottime);
BLOCKED(poll);
BLOCKED(ppoll);
BLOCKED(select);
BLOCKED(futex, .err = ETIMEDOUT);
BLOCKED(futex_shared, .err = ETIMEDOUT);
BLOCKED(futex_realtime, .err = ETIMEDOUT, .time_of_day = true);
BLOCKED(sigtimedwait, .err = EAGAIN);

FIXTURE_SETUP(restartblock)
{
	if (!ckpt_is_there())
		SKIP(return, "no checkpoint()");
}

FIXTURE_TEARDOWN(restartblock)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
}

static bool in_time(struct __test_metadata *_metadata, pid_t *child,
		    long (*call)(void), int err, bool time_of_day)
{
	long long start = ckpt_now_ms(), before, saved, back, took, dead = 0;
	pid_t pid;

	pid = *child = ckpt_spawn(program, call, -1);
	ASSERT_LT(0, pid);
	ckpt_sleep_ms(BEFORE_MS);
	before = ckpt_now_ms();
	ckpt_save_and_kill(_metadata, pid);
	saved = ckpt_now_ms();
	*child = 0;

	ckpt_sleep_ms(DEAD_MS);
	back = ckpt_now_ms();
	*child = ckpt_restart(CKPT_IMG, pid);
	ASSERT_EQ(pid, *child) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(err, ckpt_wait(pid, 10000));
	*child = 0;
	took = ckpt_now_ms() - back;

	/* It stood still from some moment between the two; all in whole ms. */
	if (time_of_day)
		dead = back - saved;
	EXPECT_LE(TIMEOUT_S * 1000 - (saved - start) - dead - 2, took);
	return took <= TIMEOUT_S * 1000 - (before - start) - dead + LATE_MS;
}

TEST_F(restartblock, killed_and_restarted)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (in_time(_metadata, &self->pid, variant->call, variant->err,
			    variant->time_of_day))
			return;
		TH_LOG("late");
	}
	EXPECT_GT(TRIES, i);
}

TEST_HARNESS_MAIN
