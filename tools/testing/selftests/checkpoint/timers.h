/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of timers share. The calls are made without the C library,
 * which has ids of its own in front of those of the kernel.
 */
#ifndef _CKPT_TEST_TIMERS_H
#define _CKPT_TEST_TIMERS_H

#include "program.h"

#include <sys/resource.h>
#include <sys/time.h>

/* Where the C library has no name for it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define SIG_A		40
#define SIG_B		41

/* Longer dead than a program may be late. */
#define DEAD_MS		400

static inline struct timespec ts_of(double s)
{
	struct timespec ts = { .tv_sec = s };

	ts.tv_nsec = (s - ts.tv_sec) * 1e9;
	return ts;
}

static inline double s_of(struct timespec ts)
{
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Returns the id, or -errno. */
static inline int timer_new(clockid_t clock, int notify, int signo, int value,
			    pid_t tid)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = signo };
	int id;

	ev.sigev_value.sival_int = value;
	ev.sigev_notify_thread_id = tid;
	return syscall(SYS_timer_create, clock, &ev, &id) ? -errno : id;
}

static inline int timer_plain(clockid_t clock, int notify, int signo)
{
	int id = timer_new(clock, notify, signo, 100 + signo, 0);

	MUST(id >= 0);
	return id;
}

static inline void timer_set(int id, int flags, double value, double interval)
{
	struct itimerspec it = { ts_of(interval), ts_of(value) };

	MUST(!syscall(SYS_timer_settime, id, flags, &it, NULL));
}

static inline struct itimerspec timer_is(int id)
{
	struct itimerspec it;

	MUST(!syscall(SYS_timer_gettime, id, &it));
	return it;
}

static inline double timer_left(int id)
{
	return s_of(timer_is(id).it_value);
}

static inline bool timer_off(int id)
{
	struct itimerspec it = timer_is(id), none = {};

	return !memcmp(&it, &none, sizeof(it));
}

static inline int timer_overrun(int id)
{
	return syscall(SYS_timer_getoverrun, id);
}

static inline void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	MUST(!sigprocmask(SIG_BLOCK, &all, NULL));
}

/* Takes @signo from the queue, waiting up to @s. */
static inline bool take_within(int signo, double s, siginfo_t *si)
{
	struct timespec ts = ts_of(s);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	return sigtimedwait(&set, si, &ts) == signo;
}

static inline bool is_pending(int signo)
{
	sigset_t set;

	MUST(!sigpending(&set));
	return sigismember(&set, signo);
}

static inline void wait_pending(int signo)
{
	while (!is_pending(signo))
		ckpt_sleep_ms(1);
}

/* What a timer says about itself in its signal. */
static inline bool is_from(const siginfo_t *si, int id, int value)
{
	return si->si_code == SI_TIMER && si->si_timerid == id &&
	       si->si_value.sival_int == value;
}

/* Of CPU time, in @clock; most of it in user mode. */
static inline void burn(clockid_t clock, double s)
{
	double until = ckpt_now(clock) + s;
	volatile int i;

	while (ckpt_now(clock) < until)
		for (i = 0; i < 100000; i++)
			;
}

/* These clocks count ticks, of which a loaded machine has few. */
static inline void burn_until(int signo)
{
	while (!is_pending(signo))
		burn(CLOCK_THREAD_CPUTIME_ID, 0.02);
}

/* /proc/self/timers, and the signals that count against the limit. */
static inline const char *timers_text(char *buf, size_t size)
{
	char status[4096], *p;
	ssize_t n = ckpt_read_text("/proc/self/timers", buf, size);

	MUST(n >= 0);
	MUST(ckpt_read_text("/proc/self/status", status, sizeof(status)) > 0);
	p = strstr(status, "SigQ:");
	MUST(p);
	snprintf(buf + n, size - n, "%.*s\n", (int)strcspn(p, "/"), p);
	return buf;
}

static inline void save_dead_and_back(struct __test_metadata *_metadata, pid_t pid)
{
	ckpt_save_and_kill(_metadata, pid);
	ckpt_sleep_ms(DEAD_MS);
	bring_back(_metadata, pid);
}

#endif /* _CKPT_TEST_TIMERS_H */
