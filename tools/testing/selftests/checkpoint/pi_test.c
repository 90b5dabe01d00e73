// SPDX-License-Identifier: GPL-2.0
/*
 * Mutexes with priority inheritance: the kernel keeps who waits for whom, and
 * lends priorities, only while somebody waits. A checkpoint ends all waiting,
 * and who waited asks for the mutex again:
 *
 *	owner		waiter of high priority, two more
 *	lock
 *			lock: sleeps, and the owner is boosted
 *	---- checkpoint, restart ----
 *			lock once more: sleeps, the owner is boosted
 *	unlock
 *			each has it once
 */
#include "tree_program.h"

#include <pthread.h>

#define WAITERS		3
#define PRIORITY	7
/* The futex() of 32-bit programs. */
#define TIME64		422

static pthread_mutex_t mutex;
static volatile int turns, dead_owners;
static volatile pid_t tids[WAITERS], owner_tid;

static void init_mutex(int robust)
{
	pthread_mutexattr_t attr;

	MUST(!pthread_mutexattr_init(&attr));
	MUST(!pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	MUST(!pthread_mutexattr_setrobust(&attr, robust));
	MUST(!pthread_mutex_init(&mutex, &attr));
}

/* The first comes with a priority that the owner has not. */
static void *waiter(void *arg)
{
	struct sched_param param = { .sched_priority = PRIORITY };
	int nr = (long)arg, err;

	if (!nr)
		MUST(!sched_setscheduler(0, SCHED_FIFO, &param));
	tids[nr] = syscall(SYS_gettid);
	err = pthread_mutex_lock(&mutex);
	if (err == EOWNERDEAD) {
		dead_owners++;
		MUST(!pthread_mutex_consistent(&mutex));
	} else {
		MUST(!err);
	}
	turns++;
	MUST(!pthread_mutex_unlock(&mutex));
	return NULL;
}

/* With what priority the kernel runs it: below 0 is real time. */
static int runs_with(pid_t tid)
{
	char path[64], text[1024];
	int prio;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	MUST(ckpt_read_text(path, text, sizeof(text)) > 0);
	MUST(sscanf(strrchr(text, ')') + 2,
		    "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d",
		    &prio) == 1);
	return prio;
}

/* Until the kernel has been told. */
static void wait_boosted(void)
{
	while (runs_with(owner_tid) != -1 - PRIORITY)
		ckpt_sleep_ms(1);
}

static bool sleeps(pid_t tid)
{
	long nr = ckpt_syscall(tid);

	return ckpt_state(tid) == 'S' && (nr == SYS_futex || nr == TIME64);
}

static void start_waiters(pthread_t *t)
{
	int i;

	for (i = 0; i < WAITERS; i++) {
		MUST(!pthread_create(&t[i], NULL, waiter, (void *)(long)i));
		while (!tids[i] || !sleeps(tids[i]))
			ckpt_sleep_ms(1);
	}
	wait_boosted();
}

static void end_waiters(pthread_t *t, int dead)
{
	int i;

	for (i = 0; i < WAITERS; i++)
		MUST(!pthread_join(t[i], NULL));
	MUST(turns == WAITERS && dead_owners == dead);
	MUST(!pthread_mutex_lock(&mutex));
	MUST(!pthread_mutex_unlock(&mutex));
}

static void owner_of(int robust)
{
	pthread_t t[WAITERS];

	init_mutex(robust);
	owner_tid = getpid();
	MUST(!pthread_mutex_lock(&mutex));
	start_waiters(t);
	ready();
	wait_go();
	wait_boosted();
	MUST(!turns);
	MUST(!pthread_mutex_unlock(&mutex));
	end_waiters(t, 0);
	MUST(runs_with(owner_tid) == 20);
}

static void stalled(void)
{
	owner_of(PTHREAD_MUTEX_STALLED);
}

static void robust(void)
{
	owner_of(PTHREAD_MUTEX_ROBUST);
}

static void *dies_with_it(void *arg)
{
	MUST(!pthread_mutex_lock(&mutex));
	owner_tid = syscall(SYS_gettid);
	wait_go();
	wait_boosted();
	return NULL;
}

/* The owner is a thread, and exits with the mutex. */
static void robust_owner_dies(void)
{
	pthread_t t[WAITERS], owner;

	init_mutex(PTHREAD_MUTEX_ROBUST);
	MUST(!pthread_create(&owner, NULL, dies_with_it, NULL));
	while (!owner_tid)
		ckpt_sleep_ms(1);
	start_waiters(t);
	ready();
	end_waiters(t, 1);
	MUST(!pthread_join(owner, NULL));
}

PROGRAM_FIXTURE(pi, begin_tree, end_tree);

FIXTURE_VARIANT(pi)
{
	void (*program)(void);
};

#define PI(_name) FIXTURE_VARIANT_ADD(pi, _name) { .program = _name }

PI(stalled);
PI(robust);
PI(robust_owner_dies);

TEST_F(pi, comes_back)
{
	self->pid = start_tree(_metadata, variant->program, 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	restart_again(_metadata, &self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(pi, goes_on)
{
	self->pid = start_tree(_metadata, variant->program, 1, false);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	tree_ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
