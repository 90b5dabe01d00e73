// SPDX-License-Identifier: GPL-2.0
/*
 * Timers of threads, for threads, and for the CPU time of other processes; and
 * after a reboot. The trees come back by restart(1).
 */
#include "timers.h"

#include <pthread.h>
#include <sys/prctl.h>

static pid_t gettid_(void)
{
	return syscall(SYS_gettid);
}

static clockid_t cpu_clock(pid_t pid, int which, bool thread)
{
	return (~pid << 3) | which | (thread ? 4 : 0);
}

FIXTURE(tree)
{
	pid_t pid;
};

FIXTURE_SETUP(tree)
{
	begin(_metadata);
	/* The restarted root is ours once the command has gone. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(tree)
{
	end(self->pid);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int restart_image(const char *options)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "restart --detach -i %s %s 2>&1", CKPT_IMG, options);
	return system(cmd);
}

/* All of them die and come back. */
static void tree_dead_and_back(struct __test_metadata *_metadata, pid_t pid,
			       const char *options)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	ckpt_sleep_ms(DEAD_MS);
	ASSERT_EQ(0, restart_image(options));
}

static void run(struct __test_metadata *_metadata, pid_t *pid, void (*fn)(void *arg))
{
	*pid = start(_metadata, fn, NULL);
	tree_dead_and_back(_metadata, *pid, "");
	ends_well(_metadata, pid);
}

/* ---- threads ---------------------------------------------------------------------- */

static volatile pid_t other_tid;
static volatile int queued_id, tick_id;

/* Its signals, in its queue, in their order. */
static void *target_thread(void *arg)
{
	siginfo_t si;
	int i;

	other_tid = gettid_();
	wait_go();
	for (i = 1; i <= 3; i++) {
		MUST(take_within(SIG_A, 0, &si));
		if (i == 2)
			MUST(is_from(&si, queued_id, 51));
		else
			MUST(si.si_code == SI_QUEUE && si.si_value.sival_int == i);
	}
	for (i = 0; i < 3; i++)
		MUST(take_within(SIG_B, 10, &si) && is_from(&si, tick_id, 52));
	/* Somebody's timer goes by its CPU time. */
	burn(CLOCK_THREAD_CPUTIME_ID, 0.4);
	return NULL;
}

static void queue_thread(pthread_t thread, int value)
{
	union sigval v = { .sival_int = value };

	MUST(!pthread_sigqueue(thread, SIG_A, v));
}

static pthread_t start_thread(void *(*fn)(void *arg))
{
	pthread_t thread;

	other_tid = 0;
	MUST(!pthread_create(&thread, NULL, fn, NULL));
	while (!other_tid)
		ckpt_sleep_ms(1);
	return thread;
}

static void for_threads(void *arg)
{
	char was[4096], is[4096];
	pthread_t thread;
	siginfo_t si;
	int cpu, mine;

	block_all();
	thread = start_thread(target_thread);
	queued_id = timer_new(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIG_A, 51, other_tid);
	tick_id = timer_new(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIG_B, 52, other_tid);
	cpu = timer_new(cpu_clock(other_tid, 2, true), SIGEV_SIGNAL, SIG_B, 53, 0);
	mine = timer_new(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIG_B, 54, 0);
	MUST(queued_id == 0 && tick_id == 1 && cpu == 2 && mine == 3);
	queue_thread(thread, 1);
	timer_set(queued_id, 0, 0.001, 0);
	while (!timer_off(queued_id))
		ckpt_sleep_ms(1);
	queue_thread(thread, 3);
	/* Those of a thread, not of all. */
	MUST(!is_pending(SIG_A));
	timer_set(tick_id, 0, 0.01, 0.01);
	timer_set(cpu, 0, 0.3, 0);
	timer_set(mine, 0, 100, 0);
	timers_text(was, sizeof(was));
	ready();
	wait_go();
	timers_text(is, sizeof(is));
	/* Where they are no others: all but the count at the end. */
	if (!arg)
		*strrchr(was, 'S') = *strrchr(is, 'S') = 0;
	MUST(!strcmp(was, is));
	MUST(!is_pending(SIG_A));
	MUST(take_within(SIG_B, 10, &si) && is_from(&si, cpu, 53));
	MUST(timer_left(mine) > 90);
	MUST(!pthread_join(thread, NULL));
	_exit(GOOD);
}

TEST_F(tree, for_threads)
{
	run(_metadata, &self->pid, for_threads);
}

static void *brief_thread(void *arg)
{
	other_tid = gettid_();
	while (queued_id < 0)
		ckpt_sleep_ms(1);
	/* Of its CPU time: the number of the thread, of which 0 would be any. */
	tick_id = timer_new(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIG_B, 62, 0);
	timer_set(tick_id, 0, 1000, 0);
	return NULL;
}

/* Whom it is for has exited: it stays and does nothing. */
static void thread_gone(void *arg)
{
	struct itimerspec it = { { 0, 0 }, { 1, 0 } };
	pthread_t thread;
	double left;

	block_all();
	queued_id = -1;
	thread = start_thread(brief_thread);
	queued_id = timer_new(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIG_A, 61, other_tid);
	timer_set(queued_id, 0, 0.5, 0);
	MUST(!pthread_join(thread, NULL));
	/* It is no more for the kernel only a little later. */
	while (!syscall(SYS_tkill, other_tid, 0))
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	MUST(timer_off(tick_id));
	MUST(syscall(SYS_timer_settime, tick_id, 0, &it, NULL) == -1 && errno == ESRCH);
	do {
		left = timer_left(queued_id);
		ckpt_sleep_ms(5);
	} while (left);
	MUST(!is_pending(SIG_A));
	timer_set(queued_id, 0, 1000, 0);
	MUST(timer_left(queued_id) > 900);
	MUST(!syscall(SYS_timer_delete, queued_id));
	MUST(!syscall(SYS_timer_delete, tick_id));
	_exit(GOOD);
}

TEST_F(tree, thread_gone)
{
	run(_metadata, &self->pid, thread_gone);
}

static pid_t leader_tid;

static void *outlives_leader(void *arg)
{
	int mine, dead;
	siginfo_t si;

	mine = timer_new(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIG_A, 71, gettid_());
	dead = timer_new(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIG_A, 72, leader_tid);
	timer_set(mine, 0, 0.5, 0);
	timer_set(dead, 0, 0.5, 0);
	while (ckpt_state(leader_tid) != 'Z')
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, mine, 71));
	MUST(!take_within(SIG_A, 0.05, &si));
	_exit(GOOD);
}

static void leader_gone(void *arg)
{
	pthread_t thread;

	block_all();
	leader_tid = gettid_();
	MUST(!pthread_create(&thread, NULL, outlives_leader, NULL));
	pthread_exit(NULL);
}

TEST_F(tree, leader_gone)
{
	run(_metadata, &self->pid, leader_gone);
}

/* ---- processes ---------------------------------------------------------------------- */

static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		fn();
		_exit(GOOD);
	}
	return pid;
}

static void collect(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
}

/* Waits for its parent to use CPU time; nobody waits for its own. */
static void times_parent(void)
{
	clockid_t clock = cpu_clock(getppid(), 2, false);
	int id, own;
	siginfo_t si;

	id = timer_new(clock, SIGEV_SIGNAL, SIG_A, 81, 0);
	own = timer_new(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIG_A, 82, 0);
	MUST(id == 0 && own == 1);
	timer_set(id, 0, 0.3, 0.05);
	timer_set(own, 0, 100, 0);
	ckpt_touch("/tmp/timers.child");
	wait_go();
	MUST(timer_left(own) > 90);
	MUST(take_within(SIG_A, 10, &si) && is_from(&si, id, 81));
	ckpt_touch("/tmp/timers.enough");
}

static void parent_is_timed(void *arg)
{
	pid_t pid;

	block_all();
	unlink("/tmp/timers.child");
	unlink("/tmp/timers.enough");
	pid = child(times_parent);
	/* The same id in another process. */
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_B) == 0);
	timer_set(0, 0, 1000, 0);
	wait_for("/tmp/timers.child");
	ready();
	wait_go();
	MUST(timer_left(0) > 900);
	while (access("/tmp/timers.enough", F_OK))
		;
	collect(pid);
	MUST(!is_pending(SIG_A) && !is_pending(SIG_B));
	_exit(GOOD);
}

TEST_F(tree, cpu_time_of_parent)
{
	run(_metadata, &self->pid, parent_is_timed);
}

static void wait_and_exit(void)
{
	wait_for("/tmp/timers.child");
}

/* Of a child that has exited: a zombie first, and then gone. */
static void child_gone(void *arg)
{
	struct itimerspec it = { { 0, 0 }, { 1, 0 } };
	int gone, dead;
	pid_t a, b;

	block_all();
	unlink("/tmp/timers.child");
	a = child(wait_and_exit);
	b = child(wait_and_exit);
	gone = timer_new(cpu_clock(a, 2, false), SIGEV_SIGNAL, SIG_A, 91, 0);
	dead = timer_new(cpu_clock(b, 2, false), SIGEV_SIGNAL, SIG_A, 92, 0);
	MUST(gone == 0 && dead == 1);
	timer_set(gone, 0, 1000, 0);
	timer_set(dead, 0, 1000, 0);
	ckpt_touch("/tmp/timers.child");
	MUST(ckpt_wait_state(b, 'Z'));
	collect(a);
	ready();
	wait_go();
	MUST(timer_off(gone));
	MUST(syscall(SYS_timer_settime, gone, 0, &it, NULL) == -1 && errno == ESRCH);
	MUST(timer_left(dead) > 900);
	collect(b);
	MUST(timer_off(dead));
	MUST(!syscall(SYS_timer_delete, gone) && !syscall(SYS_timer_delete, dead));
	_exit(GOOD);
}

TEST_F(tree, cpu_time_of_child_gone)
{
	run(_metadata, &self->pid, child_gone);
}

static void times_outsider(void *arg)
{
	int id = timer_new(cpu_clock(getppid(), 2, false), SIGEV_SIGNAL, SIG_A, 1, 0);

	MUST(id == 0);
	timer_set(id, 0, 1000, 0);
	ready();
	wait_go();
	MUST(timer_left(id) > 900);
	_exit(GOOD);
}

TEST_F(tree, cpu_time_of_outsider_refused)
{
	char words[128];

	snprintf(words, sizeof(words),
		 "has POSIX timer 0 for the CPU time of pid %d, which is outside", getpid());
	self->pid = start(_metadata, times_outsider, NULL);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(!!strstr(ckpt_log_text, words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- a timer of somebody else for the restarter ---------------------------------------- */

#define HERE	"/tmp/timers.here"
#define ARMED	"/tmp/timers.armed"

static void be_here(void)
{
	char text[16];
	int fd = open(HERE ".new", O_CREAT | O_WRONLY | O_TRUNC, 0600);

	snprintf(text, sizeof(text), "%d", getpid());
	write(fd, text, strlen(text));
	close(fd);
	rename(HERE ".new", HERE);
	wait_for(ARMED);
}

/* It stays in the queue of a process that turns into another one. */
static void times_restarter(void *arg)
{
	char text[16];
	siginfo_t si;
	int i, id[3];

	block_all();
	wait_for(HERE);
	MUST(ckpt_read_text(HERE, text, sizeof(text)) > 0);
	for (i = 0; i < 3; i++) {
		id[i] = timer_new(cpu_clock(atoi(text), 2, false), SIGEV_SIGNAL, SIG_A + i, i, 0);
		MUST(id[i] == i);
		timer_set(id[i], 0, i == 1 ? 0.5 : 1000, 0);
	}
	ckpt_touch(ARMED);
	MUST(take_within(SIG_B, 20, &si) && is_from(&si, 1, 1));
	MUST(!syscall(SYS_timer_delete, 0));
	/* The rest goes when the process is no more. */
	wait_for(GO);
	while (!timer_off(2))
		ckpt_sleep_ms(2);
	MUST(!syscall(SYS_timer_delete, 2));
	_exit(GOOD);
}

static void burner(void *arg)
{
	clock_t from;

	ready();
	while (access(GO, F_OK)) {
		/* Who looks sees it in a system call now and then. */
		for (from = clock(); clock() - from < CLOCKS_PER_SEC / 100;)
			;
		ckpt_sleep_ms(1);
	}
	_exit(GOOD);
}

TEST_F(tree, of_somebody_else_for_the_restarter)
{
	pid_t timer;
	int i;

	unlink(HERE);
	unlink(ARMED);
	self->pid = start(_metadata, burner, NULL);
	timer = ckpt_spawn(times_restarter, NULL, log_fd);
	ASSERT_LT(0, timer);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, be_here);
	/* It has gone over half a second of the program's time, and told. */
	for (i = 0; i < 500 && ckpt_state(timer) == 'S'; i++)
		ckpt_sleep_ms(2);
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(GOOD, ckpt_wait(timer, 10000)) {
		TH_LOG("%s", log_text());
	}
	ckpt_kill(timer);
	unlink(HERE);
	unlink(ARMED);
}

/* ---- another boot ------------------------------------------------------------------------ */

/* As if it had been saved on another boot. */
static bool change_boot_id(void)
{
	int fd = open(CKPT_IMG, O_RDWR | O_CLOEXEC);
	struct ckpt_rec_header h;
	bool ok;

	ok = pread(fd, &h, sizeof(h), 0) == sizeof(h) && h.h.len == sizeof(h);
	h.boot_id[0] ^= 1;
	h.h.crc = 0;
	h.h.crc = ckpt_crc32c(&h, sizeof(h));
	ok = ok && pwrite(fd, &h, sizeof(h), 0) == sizeof(h);
	close(fd);
	return ok;
}

static const double tiny = 0.000001;

/* Its clocks have gone on, as if it had not been away; but for the time of day. */
static void two_clocks(void *arg)
{
	double mono, boot, real, now;

	block_all();
	mono = ckpt_now(CLOCK_MONOTONIC) + 1000;
	boot = ckpt_now(CLOCK_BOOTTIME) + 1000;
	real = ckpt_now(CLOCK_REALTIME) + 1000;
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 0);
	MUST(timer_plain(CLOCK_BOOTTIME, SIGEV_NONE, SIG_A) == 1);
	MUST(timer_plain(CLOCK_REALTIME, SIGEV_SIGNAL, SIG_A) == 2);
	MUST(timer_plain(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG_A) == 3);
	timer_set(0, TIMER_ABSTIME, mono, 0);
	timer_set(1, TIMER_ABSTIME, boot, 0);
	timer_set(2, TIMER_ABSTIME, real, 0);
	timer_set(3, 0, 1000, 0);
	ready();
	wait_go();
	now = ckpt_now(CLOCK_MONOTONIC);
	MUST(timer_left(0) > mono - now - 0.1 && timer_left(0) <= mono - now + tiny);
	/* Its time stands still from when the clocks are set until it is started. */
	MUST(timer_left(3) > mono - now - 0.1 && timer_left(3) <= mono - now + 2);
	now = ckpt_now(CLOCK_BOOTTIME);
	MUST(timer_left(1) > boot - now - 0.1 && timer_left(1) <= boot - now + tiny);
	now = ckpt_now(CLOCK_REALTIME);
	MUST(timer_left(2) > real - now - 0.1 && timer_left(2) <= real - now + tiny);
	_exit(GOOD);
}

TEST_F(tree, another_boot)
{
	self->pid = start(_metadata, two_clocks, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(change_boot_id());
	ckpt_sleep_ms(DEAD_MS);
	ASSERT_EQ(0, restart_image(""));
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
