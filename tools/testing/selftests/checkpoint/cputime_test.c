// SPDX-License-Identifier: GPL-2.0
/*
 * What each thread has used comes back with it: CPU time, page faults, context
 * switches. The sums of the process stay what they were.
 *
 *	main thread	worker
 *	burns a little	burns a lot, touches pages
 *	---- checkpoint, restart ----
 *	no more used	no more used
 *			burns again: its clock shows that and no more
 */
#include "tree_program.h"

#include <pthread.h>
#include <sys/resource.h>

#define WORKER	1.2
#define MAIN	0.1
#define PAGES	300
/* What two restarts may take: the time of a busy host counts, too. */
#define EXTRA	1.0

static const char * const go_on[] = { "/tmp/cputime.1", "/tmp/cputime.2" };

static void burn(double seconds)
{
	double end = ckpt_now(CLOCK_THREAD_CPUTIME_ID) + seconds;

	while (ckpt_now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

struct used {
	double clock, times, process, process_times;
	long faults, process_faults, switches, process_switches;
};

static double seconds(const struct rusage *r)
{
	return r->ru_utime.tv_sec + r->ru_stime.tv_sec +
	       (r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1e6;
}

static struct used used_now(void)
{
	struct rusage thread, process;
	struct used u;

	MUST(!getrusage(RUSAGE_THREAD, &thread));
	MUST(!getrusage(RUSAGE_SELF, &process));
	u.clock = ckpt_now(CLOCK_THREAD_CPUTIME_ID);
	u.process = ckpt_now(CLOCK_PROCESS_CPUTIME_ID);
	u.times = seconds(&thread);
	u.process_times = seconds(&process);
	u.faults = thread.ru_minflt;
	u.process_faults = process.ru_minflt;
	u.switches = thread.ru_nvcsw;
	u.process_switches = process.ru_nvcsw;
	return u;
}

static bool grew_little(double was, double is, double extra)
{
	return is >= was && is < was + extra;
}

/* As it waits it sleeps and wakes, and a restart reads in all pages again. */
static void must_be_as(const struct used *was)
{
	struct used is = used_now();

	MUST(grew_little(was->clock, is.clock, EXTRA));
	MUST(grew_little(was->times, is.times, EXTRA));
	MUST(grew_little(was->process, is.process, EXTRA + MAIN));
	MUST(grew_little(was->process_times, is.process_times,
			 EXTRA + MAIN));
	MUST(is.faults >= was->faults && is.faults < was->faults + 2000);
	MUST(is.process_faults >= was->process_faults &&
	     is.process_faults < was->process_faults + 4000);
	MUST(is.switches >= was->switches);
	MUST(is.process_switches >= was->process_switches);
}

static void used_before(const struct used *was)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(go_on); i++) {
		while (access(go_on[i], F_OK))
			ckpt_sleep_ms(20);
		must_be_as(was);
	}
}

static volatile bool working;

static void *worker(void *arg)
{
	volatile char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct used was, is;
	int i;

	MUST(pages != MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		pages[i * 4096] = 1;
	burn(WORKER);
	was = used_now();
	MUST(was.clock >= WORKER && was.faults >= PAGES);
	working = true;
	used_before(&was);
	/* It is a clock. */
	was = used_now();
	burn(0.1);
	is = used_now();
	MUST(is.clock >= was.clock + 0.1 && is.clock < was.clock + 0.1 + EXTRA);
	MUST(is.process >= was.process + 0.1);
	return NULL;
}

static void threads(void)
{
	struct used was;
	pthread_t t;

	MUST(!pthread_create(&t, NULL, worker, NULL));
	while (!working)
		ckpt_sleep_ms(2);
	burn(MAIN);
	was = used_now();
	MUST(was.clock < was.process - WORKER);
	ready();
	used_before(&was);
	MUST(used_now().clock < used_now().process - WORKER);
	MUST(!pthread_join(t, NULL));
	MUST(used_now().process >= WORKER + MAIN);
}

/* Of a thread that is gone only the process knows. */
static void *short_lived(void *arg)
{
	burn(WORKER);
	return NULL;
}

static void gone_thread(void)
{
	struct used was;
	pthread_t t;

	MUST(!pthread_create(&t, NULL, short_lived, NULL));
	MUST(!pthread_join(t, NULL));
	was = used_now();
	MUST(was.clock < was.process - WORKER + 0.01);
	ready();
	used_before(&was);
}

static void begin_cputime(struct __test_metadata *_metadata)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(go_on); i++)
		unlink(go_on[i]);
	begin_tree(_metadata);
}

static void end_cputime(pid_t pid)
{
	int i;

	end_tree(pid);
	for (i = 0; i < ARRAY_SIZE(go_on); i++)
		unlink(go_on[i]);
}

/* A lone task. */
PROGRAM_FIXTURE(restarter, begin_cputime, end_cputime);

FIXTURE(cputime)
{
	pid_t pid;
};

FIXTURE_VARIANT(cputime)
{
	void (*program)(void);
};

#define CPUTIME(_name) FIXTURE_VARIANT_ADD(cputime, _name) { .program = _name }

CPUTIME(threads);
CPUTIME(gone_thread);

FIXTURE_SETUP(cputime)
{
	begin_cputime(_metadata);
}

FIXTURE_TEARDOWN(cputime)
{
	end_cputime(self->pid);
}

TEST_F(cputime, comes_back)
{
	int i;

	self->pid = start_tree(_metadata, variant->program, 1, false);
	for (i = 0; i < ARRAY_SIZE(go_on); i++) {
		kill_and_restart(_metadata, &self->pid, false);
		ckpt_touch(go_on[i]);
	}
	tree_ends_well(_metadata, &self->pid);
}

/* A restarter that turns into it by itself, and has used more. */
static void burn_more(void)
{
	burn(1.5);
}

TEST_F(restarter, has_used_more)
{
	self->pid = start_tree(_metadata, gone_thread, 1, false);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, burn_more);
	ckpt_touch(go_on[0]);
	ckpt_touch(go_on[1]);
	tree_ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
