// SPDX-License-Identifier: GPL-2.0
/*
 * Timers come back with their ids, the time that was left or the time they were
 * set to, their interval, their overruns, and their signal at its place in the
 * queue.
 *
 * See timers_tree_test.c for timers of threads and of other processes.
 */
#include "timers.h"

PROGRAM_FIXTURE(timers, begin, end);

static void run(struct __test_metadata *_metadata, pid_t *pid,
		void (*fn)(void *arg), const void *arg)
{
	*pid = start(_metadata, fn, arg);
	save_dead_and_back(_metadata, *pid);
	ends_well(_metadata, pid);
}

/* ---- how much time is left ------------------------------------------------------ */

struct setting {
	clockid_t clock;
	int notify;
	bool abstime;
	double interval;
	bool may_lack;
};

/* What the clock shows when it expires lies between these. */
struct moment {
	double from, to;
};

static struct moment expiry(int id, clockid_t clock)
{
	struct moment m;
	double left;

	/* clock_gettime() knows the alarm clocks, too. */
	m.from = ckpt_now(clock);
	left = timer_left(id);
	m.to = ckpt_now(clock) + left;
	m.from += left;
	return m;
}

/* As fine as a double can be of CLOCK_REALTIME. */
static const double tiny = 0.000001;

static void keeps_time(void *arg)
{
	const struct setting *s = arg;
	double deadline = ckpt_now(s->clock) + 1000;
	struct moment was, is;
	int id;

	block_all();
	id = timer_new(s->clock, s->notify, SIG_A, 7, 0);
	if (id == -EOPNOTSUPP && s->may_lack)
		skip_program("no alarm clock");
	MUST(id == 0);
	timer_set(id, s->abstime ? TIMER_ABSTIME : 0,
		  s->abstime ? deadline : 1000, s->interval);
	was = expiry(id, s->clock);
	ready();
	wait_go();
	is = expiry(id, s->clock);
	if (s->abstime) {
		MUST(is.from <= deadline + tiny && deadline <= is.to + tiny);
	} else {
		/* All of the time that it was dead, and not all that it ran. */
		MUST(is.to >= was.from + DEAD_MS / 1000.0);
		MUST(timer_left(id) < 1000);
	}
	MUST(s_of(timer_is(id).it_interval) == s->interval);
	/* Whether it is one that does run. */
	timer_set(id, 0, 0.005, 0);
	MUST(s->notify == SIGEV_NONE || is_pending(SIG_A) ||
	     take_within(SIG_A, 5, NULL));
	_exit(GOOD);
}

FIXTURE(setting)
{
	pid_t pid;
};

FIXTURE_VARIANT(setting)
{
	struct setting s;
};

FIXTURE_SETUP(setting)
{
	begin(_metadata);
}

FIXTURE_TEARDOWN(setting)
{
	end(self->pid);
}

#define SETTING(name, ...)				\
	FIXTURE_VARIANT_ADD(setting, name) { .s = { __VA_ARGS__ } }

SETTING(realtime, CLOCK_REALTIME);
SETTING(realtime_abs, CLOCK_REALTIME, .abstime = true);
SETTING(realtime_abs_interval, CLOCK_REALTIME, .abstime = true, .interval = 3);
SETTING(realtime_none, CLOCK_REALTIME, SIGEV_NONE);
SETTING(realtime_none_abs, CLOCK_REALTIME, SIGEV_NONE, .abstime = true);
SETTING(monotonic, CLOCK_MONOTONIC);
SETTING(monotonic_abs, CLOCK_MONOTONIC, .abstime = true);
SETTING(monotonic_interval, CLOCK_MONOTONIC, .interval = 2000);
SETTING(monotonic_thread, CLOCK_MONOTONIC, SIGEV_THREAD);
SETTING(boottime, CLOCK_BOOTTIME);
SETTING(boottime_abs, CLOCK_BOOTTIME, .abstime = true);
SETTING(tai, CLOCK_TAI);
SETTING(tai_abs, CLOCK_TAI, .abstime = true);
SETTING(realtime_alarm, CLOCK_REALTIME_ALARM, .may_lack = true);
SETTING(realtime_alarm_abs, CLOCK_REALTIME_ALARM, .abstime = true, .may_lack = true);
SETTING(boottime_alarm, CLOCK_BOOTTIME_ALARM, .may_lack = true);
SETTING(boottime_alarm_none, CLOCK_BOOTTIME_ALARM, SIGEV_NONE, .may_lack = true);

static void start_setting(struct __test_metadata *_metadata, pid_t *pid,
			  const struct setting *s)
{
	const char *why;

	*pid = ckpt_spawn(keeps_time, (void *)s, log_fd);
	ASSERT_LT(0, *pid);
	if (wait_ready())
		return;
	why = why_skipped();
	if (why)
		SKIP(return, "%s", why);
	ASSERT_STREQ("ready\n", log_text());
}

/* Each clock; the signal of SIGEV_SIGNAL that comes later kills unless taken. */
TEST_F(setting, comes_back)
{
	start_setting(_metadata, &self->pid, &variant->s);
	if (why_skipped())
		return;
	save_dead_and_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- states ----------------------------------------------------------------------- */

/* Ids with holes, in the order in which they were made; and the next one. */
static void ids_stay(void *arg)
{
	char was[4096], is[4096];
	int i, id[8];

	for (i = 0; i < 8; i++)
		id[i] = timer_new(i % 2 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID,
				  i % 3 ? SIGEV_SIGNAL : SIGEV_NONE, SIG_A + i, i, 0);
	for (i = 0; i < 8; i++)
		MUST(id[i] == i);
	MUST(!syscall(SYS_timer_delete, 0));
	MUST(!syscall(SYS_timer_delete, 3));
	MUST(!syscall(SYS_timer_delete, 7));
	timers_text(was, sizeof(was));
	ready();
	wait_go();
	MUST(!strcmp(was, timers_text(is, sizeof(is))));
	MUST(syscall(SYS_timer_delete, 3) == -1 && errno == EINVAL);
	MUST(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 0, 0) == 8);
	for (i = 1; i < 9; i++)
		if (i != 3 && i != 7)
			MUST(!syscall(SYS_timer_delete, i));
	_exit(GOOD);
}

TEST_F(timers, ids)
{
	run(_metadata, &self->pid, ids_stay, NULL);
}

/* Without a timer the counter is all that is left of those that were. */
static void counter_stays(void *arg)
{
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 0);
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 1);
	MUST(!syscall(SYS_timer_delete, 0));
	MUST(!syscall(SYS_timer_delete, 1));
	ready();
	wait_go();
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 2);
	_exit(GOOD);
}

TEST_F(timers, only_the_counter)
{
	run(_metadata, &self->pid, counter_stays, NULL);
}

/* What does not run: never set, set back, expired, with and without signals. */
enum { NEVER, OFF, ONCE, NONE, NONE_PAST, TICK_NONE, IDLE_TIMERS };

static void idle_timers(void *arg)
{
	static const clockid_t clocks[IDLE_TIMERS] = {
		[ONCE] = CLOCK_MONOTONIC, [NONE] = CLOCK_MONOTONIC,
		[TICK_NONE] = CLOCK_MONOTONIC,
	};
	double left;
	int i;

	block_all();
	/* The signal of one without signals is any number. */
	for (i = 0; i < IDLE_TIMERS; i++)
		MUST(timer_plain(clocks[i], i < NONE ? SIGEV_SIGNAL : SIGEV_NONE,
				 i < NONE ? SIG_A : -17) == i);
	timer_set(OFF, 0, 1000, 1);
	timer_set(OFF, 0, 0, 1);
	timer_set(ONCE, 0, 0.001, 0);
	MUST(take_within(SIG_A, 10, NULL));
	timer_set(NONE, TIMER_ABSTIME, 1e6, 0);
	timer_set(NONE_PAST, 0, 0.001, 0);
	timer_set(TICK_NONE, 0, 0.5, 700);
	ckpt_sleep_ms(2);
	ready();
	wait_go();
	MUST(timer_off(NEVER) && timer_off(OFF) && timer_off(ONCE));
	left = 1e6 - ckpt_now(CLOCK_MONOTONIC);
	MUST(timer_left(NONE) > left - 1 && timer_left(NONE) < left + 1);
	MUST(timer_off(NONE_PAST));
	/* The end of the first half second may have come since. */
	MUST(timer_left(TICK_NONE) <= 700 && timer_left(TICK_NONE) > 0);
	MUST(timer_is(TICK_NONE).it_interval.tv_sec == 700);
	/* None has a signal, and all can be set and deleted. */
	for (i = 0; i < IDLE_TIMERS; i++) {
		MUST(!timer_overrun(i));
		timer_set(i, 0, 1000, 0);
		MUST(timer_left(i) > 990);
		MUST(!syscall(SYS_timer_delete, i));
	}
	MUST(!is_pending(SIG_A));
	_exit(GOOD);
}

TEST_F(timers, idle)
{
	run(_metadata, &self->pid, idle_timers, NULL);
}

/* They go on: once, with an interval, by time of day. */
static void fires(void *arg)
{
	int once, beat, day, i;
	siginfo_t si;

	block_all();
	once = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 11, 0);
	beat = timer_new(CLOCK_BOOTTIME, SIGEV_SIGNAL, SIG_B, 12, 0);
	day = timer_new(CLOCK_REALTIME, SIGEV_SIGNAL, SIG_B + 1, 13, 0);
	timer_set(once, 0, 0.3, 0);
	timer_set(beat, 0, 0.3, 0.02);
	timer_set(day, TIMER_ABSTIME, ckpt_now(CLOCK_REALTIME) + 0.3, 0);
	ready();
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, once, 11));
	MUST(!si.si_overrun && timer_off(once));
	for (i = 0; i < 5; i++)
		MUST(take_within(SIG_B, 10, &si) && is_from(&si, beat, 12));
	MUST(si.si_overrun == timer_overrun(beat));
	MUST(take_within(SIG_B + 1, 10, &si) && is_from(&si, day, 13));
	MUST(!take_within(SIG_A, 0, NULL) && !take_within(SIG_B + 1, 0, NULL));
	_exit(GOOD);
}

TEST_F(timers, go_on)
{
	run(_metadata, &self->pid, fires, NULL);
}

/* ---- signals in the queue ----------------------------------------------------------- */

static void queue_one(int signo, int value)
{
	union sigval v = { .sival_int = value };

	MUST(!sigqueue(getpid(), signo, v));
}

/* Between those before and those behind it, once; of two timers and a past one. */
static void queued_in_place(void *arg)
{
	int first, second, gone, i;
	char was[4096], is[4096];
	siginfo_t si;

	block_all();
	first = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 21, 0);
	second = timer_new(CLOCK_REALTIME, SIGEV_SIGNAL, SIG_A, 22, 0);
	gone = timer_new(CLOCK_REALTIME, SIGEV_SIGNAL, SIG_B, 23, 0);
	queue_one(SIG_A, 1);
	timer_set(second, 0, 0.001, 0);
	while (!timer_off(second))
		ckpt_sleep_ms(1);
	queue_one(SIG_A, 2);
	timer_set(first, 0, 0.001, 0);
	while (!timer_off(first))
		ckpt_sleep_ms(1);
	queue_one(SIG_A, 3);
	timer_set(gone, 0, 0.001, 0);
	wait_pending(SIG_B);
	MUST(!syscall(SYS_timer_delete, gone));
	timers_text(was, sizeof(was));
	ready();
	wait_go();
	MUST(!strcmp(was, timers_text(is, sizeof(is))));
	for (i = 1; i <= 5; i++) {
		MUST(take_within(SIG_A, 0, &si));
		if (i == 2)
			MUST(is_from(&si, second, 22) && !si.si_overrun);
		else if (i == 4)
			MUST(is_from(&si, first, 21) && !si.si_overrun);
		else
			MUST(si.si_code == SI_QUEUE && si.si_value.sival_int == i / 2 + 1);
	}
	MUST(!is_pending(SIG_A));
	MUST(take_within(SIG_B, 0, &si) && si.si_code == SI_TIMER);
	/* The entry of the queue is the timer's own: it serves again. */
	timer_set(first, 0, 0.001, 0);
	timer_set(second, 0, 0.001, 0);
	MUST(take_within(SIG_A, 10, NULL) && take_within(SIG_A, 10, NULL));
	MUST(!syscall(SYS_timer_delete, first));
	MUST(!syscall(SYS_timer_delete, second));
	_exit(GOOD);
}

TEST_F(timers, queued_in_place)
{
	run(_metadata, &self->pid, queued_in_place, NULL);
}

/* Overruns count on until the signal is delivered, which starts the timer. */
static void overruns_go_on(void *arg)
{
	bool abstime = arg;
	double start, now;
	siginfo_t si;
	int id, n;

	block_all();
	id = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 31, 0);
	start = ckpt_now(CLOCK_MONOTONIC) + 0.01;
	timer_set(id, abstime ? TIMER_ABSTIME : 0, abstime ? start : 0.01, 0.01);
	wait_pending(SIG_A);
	ckpt_sleep_ms(30);
	ready();
	wait_go();
	now = ckpt_now(CLOCK_MONOTONIC);
	MUST(take_within(SIG_A, 0, &si) && is_from(&si, id, 31));
	n = si.si_overrun;
	MUST(n == timer_overrun(id));
	/* Was it dead for the timer, too? */
	if (abstime)
		MUST(n >= (int)((now - start) / 0.01) - 1);
	else
		MUST(n >= 3 && n <= (now - start - DEAD_MS / 1000.0) / 0.01 + 1);
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 31));
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 31));
	timer_set(id, 0, 0, 0);
	MUST(!timer_overrun(id));
	_exit(GOOD);
}

TEST_F(timers, overruns)
{
	run(_metadata, &self->pid, overruns_go_on, NULL);
}

TEST_F(timers, overruns_abstime)
{
	run(_metadata, &self->pid, overruns_go_on, self);
}

/* That of the last delivery, while the timer has not expired since. */
static void overrun_is_kept(void *arg)
{
	siginfo_t si;
	int id;

	block_all();
	id = timer_new(CLOCK_REALTIME, SIGEV_SIGNAL, SIG_A, 32, 0);
	timer_set(id, TIMER_ABSTIME, ckpt_now(CLOCK_REALTIME) - 1050, 100);
	MUST(take_within(SIG_A, 10, &si) && si.si_overrun == 10);
	MUST(timer_overrun(id) == 10);
	ready();
	wait_go();
	MUST(timer_overrun(id) == 10 && !is_pending(SIG_A));
	MUST(timer_left(id) <= 50 && timer_left(id) > 20);
	MUST(s_of(timer_is(id).it_interval) == 100);
	_exit(GOOD);
}

TEST_F(timers, last_overrun)
{
	run(_metadata, &self->pid, overrun_is_kept, NULL);
}

/* One that is ignored runs on, and is there when it is wanted. */
static void ignored(void *arg)
{
	siginfo_t si;
	int id;

	signal(SIG_A, SIG_IGN);
	id = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 36, 0);
	timer_set(id, 0, 0.005, 0.005);
	ckpt_sleep_ms(20);
	ready();
	wait_go();
	block_all();
	signal(SIG_A, SIG_DFL);
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 36));
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 36));
	_exit(GOOD);
}

TEST_F(timers, ignored)
{
	run(_metadata, &self->pid, ignored, NULL);
}

/* Set anew while its signal is queued: that signal does not start it. */
static void set_while_queued(void *arg)
{
	siginfo_t si;
	int id, again;

	block_all();
	id = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 33, 0);
	again = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_B, 34, 0);
	timer_set(id, 0, 0.001, 0.001);
	timer_set(again, 0, 0.001, 0);
	wait_pending(SIG_A);
	wait_pending(SIG_B);
	timer_set(id, 0, 1000, 500);
	timer_set(again, 0, 0.001, 0);
	while (!timer_off(again))
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	MUST(timer_left(id) > 900);
	MUST(take_within(SIG_A, 0, &si) && is_from(&si, id, 33));
	MUST(timer_left(id) > 900 && timer_is(id).it_interval.tv_sec == 500);
	MUST(!is_pending(SIG_A));
	/* Both times that it expired, in one signal. */
	MUST(take_within(SIG_B, 0, &si) && is_from(&si, again, 34));
	MUST(si.si_overrun == 1 && !is_pending(SIG_B));
	_exit(GOOD);
}

TEST_F(timers, set_while_queued)
{
	run(_metadata, &self->pid, set_while_queued, NULL);
}

/* A checkpoint alone changes nothing: nor do many. */
static void ticks(void *arg)
{
	double start, now;
	int id, n = 0;
	siginfo_t si;

	block_all();
	id = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, 35, 0);
	start = ckpt_now(CLOCK_MONOTONIC) + 0.002;
	timer_set(id, TIMER_ABSTIME, start, 0.002);
	ready();
	while (access(GO, F_OK)) {
		MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 35));
		MUST(si.si_overrun >= 0);
		n += 1 + si.si_overrun;
	}
	now = ckpt_now(CLOCK_MONOTONIC);
	MUST(n <= (now - start) / 0.002 + 1);
	MUST(take_within(SIG_A, 10, &si));
	n += 1 + si.si_overrun;
	MUST(n >= (now - start) / 0.002);
	_exit(GOOD);
}

TEST_F(timers, not_one_is_lost)
{
	int i;

	self->pid = start(_metadata, ticks, NULL);
	for (i = 0; i < 30; i++)
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
			TH_LOG("%s", ckpt_log_text);
		}
	kill_and_bring_back(_metadata, self->pid);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- CPU time -------------------------------------------------------------------------- */

static double itimer_left(int which)
{
	struct itimerval it;

	MUST(!getitimer(which, &it));
	return it.it_value.tv_sec + it.it_value.tv_usec / 1e6;
}

/* In ms. */
static long itimer_interval(int which)
{
	struct itimerval it;

	MUST(!getitimer(which, &it));
	return it.it_interval.tv_sec * 1000 + it.it_interval.tv_usec / 1000;
}

static void itimer_set(int which, double value, double interval)
{
	struct timespec v = ts_of(value), i = ts_of(interval);
	struct itimerval it = {
		{ i.tv_sec, i.tv_nsec / 1000 }, { v.tv_sec, v.tv_nsec / 1000 },
	};

	MUST(!setitimer(which, &it, NULL));
}

/* These are as fine as the tick of the machine. */
static const double tick = 0.02;

static void cpu_itimers(void *arg)
{
	double virt, prof, used;

	block_all();
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.15);
	itimer_set(ITIMER_VIRTUAL, 500, 0.25);
	itimer_set(ITIMER_PROF, 0.3, 0);
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.05);
	virt = itimer_left(ITIMER_VIRTUAL);
	prof = itimer_left(ITIMER_PROF);
	used = ckpt_now(CLOCK_PROCESS_CPUTIME_ID);
	ready();
	wait_go();
	/* Waiting costs a little, too. */
	used = ckpt_now(CLOCK_PROCESS_CPUTIME_ID) - used + 2 * tick;
	MUST(itimer_left(ITIMER_VIRTUAL) <= virt + tick);
	MUST(itimer_left(ITIMER_VIRTUAL) >= virt - used);
	MUST(itimer_left(ITIMER_PROF) <= prof + tick);
	MUST(itimer_left(ITIMER_PROF) >= prof - used);
	MUST(itimer_interval(ITIMER_VIRTUAL) == 250);
	MUST(itimer_interval(ITIMER_PROF) == 0);
	MUST(!is_pending(SIGPROF));
	burn_until(SIGPROF);
	MUST(take_within(SIGPROF, 0, NULL));
	MUST(!itimer_left(ITIMER_PROF) && !is_pending(SIGVTALRM));
	itimer_set(ITIMER_VIRTUAL, 0.02, 0);
	burn_until(SIGVTALRM);
	MUST(take_within(SIGVTALRM, 0, NULL));
	_exit(GOOD);
}

TEST_F(timers, itimer_virtual_and_prof)
{
	run(_metadata, &self->pid, cpu_itimers, NULL);
}

static void cpu_intervals(void *arg)
{
	int i;

	block_all();
	itimer_set(ITIMER_VIRTUAL, 0, 7);
	itimer_set(ITIMER_PROF, 0.05, 0.0501);
	ready();
	wait_go();
	MUST(!itimer_left(ITIMER_VIRTUAL) && itimer_interval(ITIMER_VIRTUAL) == 7000);
	MUST(itimer_interval(ITIMER_PROF) == 50);
	for (i = 0; i < 3; i++) {
		burn_until(SIGPROF);
		MUST(take_within(SIGPROF, 0, NULL));
	}
	_exit(GOOD);
}

TEST_F(timers, itimer_intervals)
{
	run(_metadata, &self->pid, cpu_intervals, NULL);
}

static clockid_t cpu_clock(pid_t pid, int which, bool thread)
{
	return (~pid << 3) | which | (thread ? 4 : 0);
}

/* All clocks of one's own CPU time, with and without one's own number. */
static void cpu_timers(void *arg)
{
	clockid_t clocks[] = {
		CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		cpu_clock(getpid(), 0, false), cpu_clock(0, 1, false),
		cpu_clock(getpid(), 2, false), cpu_clock(0, 0, true),
		cpu_clock(getpid(), 1, true), cpu_clock(getpid(), 2, true),
	};
	const int nr = sizeof(clocks) / sizeof(*clocks);
	int id[8], late[8], none[8], i;
	char was[8192], is[8192];
	double left[8], used;
	siginfo_t si;

	block_all();
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.1);
	for (i = 0; i < nr; i++) {
		id[i] = timer_new(clocks[i], SIGEV_SIGNAL, SIG_A + i, i, 0);
		late[i] = timer_new(clocks[i], SIGEV_SIGNAL, 60, i, 0);
		none[i] = timer_new(clocks[i], SIGEV_NONE, 0, i, 0);
		MUST(id[i] >= 0 && late[i] >= 0 && none[i] >= 0);
		timer_set(id[i], 0, 0.2, i % 2 ? 0.1 : 0);
		timer_set(late[i], TIMER_ABSTIME, 1000, 0);
		timer_set(none[i], 0, 100, 0);
	}
	for (i = 0; i < nr; i++)
		left[i] = timer_left(late[i]);
	used = ckpt_now(CLOCK_PROCESS_CPUTIME_ID);
	timers_text(was, sizeof(was));
	ready();
	wait_go();
	MUST(!strcmp(was, timers_text(is, sizeof(is))));
	used = ckpt_now(CLOCK_PROCESS_CPUTIME_ID) - used + 2 * tick;
	for (i = 0; i < nr; i++) {
		MUST(timer_left(late[i]) <= left[i] + tick);
		MUST(timer_left(late[i]) >= left[i] - used);
		MUST(timer_left(none[i]) <= 100 && timer_left(none[i]) >= 100 - used);
	}
	for (i = 0; i < nr; i++) {
		burn_until(SIG_A + i);
		MUST(take_within(SIG_A + i, 0, &si));
		MUST(is_from(&si, id[i], i));
	}
	for (i = 0; i < nr; i++) {
		MUST(!syscall(SYS_timer_delete, id[i]));
		MUST(!syscall(SYS_timer_delete, late[i]));
		MUST(!syscall(SYS_timer_delete, none[i]));
	}
	_exit(GOOD);
}

TEST_F(timers, of_cpu_time)
{
	run(_metadata, &self->pid, cpu_timers, NULL);
}

/* Expired, with its signal queued: it goes on when that is taken. */
static void cpu_queued(void *arg)
{
	siginfo_t si;
	int id;

	block_all();
	id = timer_new(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIG_A, 41, 0);
	timer_set(id, 0, 0.02, 0.02);
	burn_until(SIG_A);
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.1);
	ready();
	wait_go();
	MUST(take_within(SIG_A, 0, &si) && is_from(&si, id, 41));
	MUST(si.si_overrun >= 3 && si.si_overrun == timer_overrun(id));
	burn_until(SIG_A);
	MUST(take_within(SIG_A, 0, &si) && is_from(&si, id, 41));
	_exit(GOOD);
}

TEST_F(timers, of_cpu_time_queued)
{
	run(_metadata, &self->pid, cpu_queued, NULL);
}

/* ---- how many ---------------------------------------------------------------------------- */

#define MANY	3000

static void many(void *arg)
{
	struct rlimit limit = { 10 * MANY, 10 * MANY };
	siginfo_t si;
	int i;

	block_all();
	MUST(!setrlimit(RLIMIT_SIGPENDING, &limit));
	for (i = 0; i < MANY; i++) {
		MUST(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A, i, 0) == i);
		if (i % 3)
			timer_set(i, 0, i % 3 == 1 ? 1000 + i : 0.001, 0);
	}
	while (!timer_off(MANY - 1))
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	for (i = 0; i < MANY; i++) {
		if (i % 3 == 1)
			MUST(timer_left(i) > i + 900);
		else
			MUST(timer_off(i));
	}
	for (i = 0; i < MANY / 3; i++)
		MUST(take_within(SIG_A, 0, &si) &&
		     is_from(&si, si.si_timerid, si.si_timerid) &&
		     si.si_timerid % 3 == 2);
	MUST(!is_pending(SIG_A));
	_exit(GOOD);
}

TEST_F(timers, many)
{
	run(_metadata, &self->pid, many, NULL);
}

/* ---- limits and rights ------------------------------------------------------------------- */

static void three_timers(void *arg)
{
	int i;

	for (i = 0; i < 3; i++)
		MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == i);
	ready();
	wait_go();
	for (i = 0; i < 3; i++)
		MUST(timer_off(i));
	_exit(GOOD);
}

static void two_signals(void)
{
	struct rlimit limit = { 2, 2 };

	/* A user of its own, who has none yet; the right to the pid is not asked. */
	setrlimit(RLIMIT_SIGPENDING, &limit);
}

TEST_F(timers, beyond_the_limit)
{
	self->pid = start(_metadata, three_timers, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EAGAIN, ckpt_restart_after(CKPT_IMG, self->pid, two_signals));
	EXPECT_TRUE(!!strstr(ckpt_log_text, "more than your limit (ulimit -i)")) {
		TH_LOG("%s", ckpt_log_text);
	}
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Not by way of an image either. */
static void drop_wake_alarm(void)
{
	struct __user_cap_header_struct {
		__u32 version;
		int pid;
	} head = { 0x20080522, 0 };
	struct { __u32 effective, permitted, inheritable; } data[2];

	syscall(SYS_capget, &head, data);
	data[1].effective &= ~(1U << (35 - 32));
	syscall(SYS_capset, &head, data);
}

TEST_F(timers, alarm_takes_the_right)
{
	static const struct setting alarm_clock = {
		CLOCK_BOOTTIME_ALARM, .may_lack = true,
	};

	start_setting(_metadata, &self->pid, &alarm_clock);
	if (why_skipped())
		return;
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, drop_wake_alarm));
	EXPECT_TRUE(!!strstr(ckpt_log_text, "takes CAP_WAKE_ALARM")) {
		TH_LOG("%s", ckpt_log_text);
	}
	ckpt_sleep_ms(DEAD_MS);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- nothing of the restarter ------------------------------------------------------------ */

static void burden(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIG_B };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } };
	struct itimerval prof = { { 0, 1000 }, { 0, 1000 } };
	sigset_t all;
	int i, id;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (i = 0; i < 5; i++) {
		syscall(SYS_timer_create, i % 2 ? CLOCK_MONOTONIC :
			CLOCK_PROCESS_CPUTIME_ID, &ev, &id);
		syscall(SYS_timer_settime, id, 0, &it, NULL);
	}
	setitimer(ITIMER_PROF, &prof, NULL);
	setitimer(ITIMER_VIRTUAL, &prof, NULL);
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.05);
}

static void one_timer(void *arg)
{
	char was[4096], is[4096];

	block_all();
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 0);
	timer_set(0, 0, 1000, 0);
	timers_text(was, sizeof(was));
	ready();
	wait_go();
	MUST(!strcmp(was, timers_text(is, sizeof(is))));
	MUST(timer_left(0) > 900);
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.05);
	MUST(!is_pending(SIG_A) && !is_pending(SIG_B));
	MUST(!is_pending(SIGPROF) && !is_pending(SIGVTALRM));
	MUST(!itimer_left(ITIMER_PROF) && !itimer_interval(ITIMER_VIRTUAL));
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 1);
	_exit(GOOD);
}

TEST_F(timers, nothing_of_the_restarter)
{
	self->pid = start(_metadata, one_timer, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, burden);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
