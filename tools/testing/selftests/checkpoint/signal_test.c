// SPDX-License-Identifier: GPL-2.0
/*
 * Signals of a program that is saved, killed and brought back. It relies on
 * each signal that was sent to it being delivered once, with what came along,
 * to the handler that it had installed, under the mask that it had set.
 *
 *	program				test
 *	handlers, masks, signals
 *	"ready"
 *					checkpoint(KILL), restart()
 *					/proc/PID/status says the same
 *					makes the file GO
 *	compares, exits with GOOD
 */
#include "program.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#define SIGSET_SIZE	8	/* the kernel's */
#define NSIG_KERNEL	64
#define BIT_OF(sig)	(1ULL << ((sig) - 1))

#ifndef SS_AUTODISARM
#define SS_AUTODISARM	(1U << 31)
#endif
#ifndef SA_RESTORER
#define SA_RESTORER	0x04000000
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x00000800
#endif

/* ---- in the program -------------------------------------------------- */

/* All signals, those of the C library too. */
static __u64 get_mask(void)
{
	__u64 set = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &set, SIGSET_SIZE);
	return set;
}

static void set_mask(__u64 set)
{
	MUST(!syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL,
		      SIGSET_SIZE));
}

static __u64 get_pending(void)
{
	__u64 set = 0;

	syscall(SYS_rt_sigpending, &set, SIGSET_SIZE);
	return set;
}

static void on_signal(int sig, void (*fn)(int sig, siginfo_t *si, void *uc),
		      int flags, int also)
{
	struct sigaction sa = { .sa_flags = flags | SA_SIGINFO };

	sa.sa_sigaction = fn;
	if (also < 0)
		sigfillset(&sa.sa_mask);
	else if (also)
		sigaddset(&sa.sa_mask, also);
	MUST(!sigaction(sig, &sa, NULL));
}

/* ---- in the test ------------------------------------------------------ */

/* Number of queued signals of the user, and the five sets. */
static const char *signal_lines(pid_t pid, char *buf, size_t size)
{
	static const char *const names[] = {
		"SigQ:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:",
		NULL
	};

	ckpt_status_lines(pid, names, buf, size);
	return buf;
}

static __u64 status_set(pid_t pid, const char *name)
{
	const char *const names[] = { name, NULL };
	char buf[256];

	ckpt_status_lines(pid, names, buf, sizeof(buf));
	return buf[0] ? strtoull(buf + strlen(name), NULL, 16) : 0;
}

/* The whole way, and what others see of the signals is the same. */
static void cycle(struct __test_metadata *_metadata, pid_t pid)
{
	char before[1024], after[1024];

	signal_lines(pid, before, sizeof(before));
	ASSERT_NE(NULL, strstr(before, "SigCgt:"));
	kill_and_bring_back(_metadata, pid);
	signal_lines(pid, after, sizeof(after));
	EXPECT_STREQ(before, after);
}

PROGRAM_FIXTURE(signals, begin, end);

/* ---- dispositions ------------------------------------------------------- */

struct raw_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	__u64 mask;
};

static long raw_sigaction(int sig, const struct raw_sigaction *new,
			  struct raw_sigaction *old)
{
	return syscall(SYS_rt_sigaction, sig, new, old, SIGSET_SIZE);
}

static const unsigned int sa_flags[] = {
	SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO, SA_ONSTACK, SA_RESTART,
	SA_NODEFER, SA_RESETHAND, SA_EXPOSE_TAGBITS, SA_RESTORER,
};

#define NR_SA_FLAGS	ARRAY_SIZE(sa_flags)

/* None of these handlers exists: no signal comes. */
static void set_all_dispositions(struct raw_sigaction *all)
{
	unsigned long seen_set[NR_SA_FLAGS] = {}, bits;
	struct raw_sigaction sa;
	int sig, f;

	for (sig = 1; sig <= NSIG_KERNEL; sig++) {
		memset(&sa, 0, sizeof(sa));
		if (sig % 4 > 1)
			sa.handler = (void *)(0x10000UL + sig * 16);
		else
			sa.handler = sig % 4 ? SIG_IGN : SIG_DFL;
		bits = sig * 2654435761UL >> 7;
		for (f = 0; f < NR_SA_FLAGS; f++) {
			if (!(bits & 1UL << f))
				continue;
			sa.flags |= sa_flags[f];
			seen_set[f]++;
		}
		sa.restorer = (void *)(0x20000UL + sig * 16);
		sa.mask = (sig * 0x9e3779b97f4a7c15ULL) ^ BIT_OF(sig);
		MUST(!!raw_sigaction(sig, &sa, NULL) ==
		     (sig == SIGKILL || sig == SIGSTOP));
		MUST(!raw_sigaction(sig, NULL, &all[sig]));
		MUST(sig == SIGKILL || sig == SIGSTOP ||
		     (all[sig].handler == sa.handler &&
		      all[sig].flags == sa.flags));
	}
	for (f = 0; f < NR_SA_FLAGS; f++)
		MUST(seen_set[f] > 4 && seen_set[f] < 60);
}

static void all_dispositions(void *arg)
{
	static struct raw_sigaction all[NSIG_KERNEL + 1];
	struct raw_sigaction now;
	int sig;

	set_all_dispositions(all);
	set_mask(0xfedcba9876543210ULL | BIT_OF(NSIG_KERNEL) | BIT_OF(32));
	ready();
	wait_go();
	for (sig = 1; sig <= NSIG_KERNEL; sig++) {
		memset(&now, 0xaa, sizeof(now));
		MUST(!raw_sigaction(sig, NULL, &now));
		if (memcmp(&now, &all[sig], sizeof(now)))
			dprintf(log_fd, "signal %d: %p %lx %p %llx\n", sig,
				now.handler, now.flags, now.restorer,
				(unsigned long long)now.mask);
		MUST(!memcmp(&now, &all[sig], sizeof(now)));
	}
	/* SIGKILL and SIGSTOP are never in it. */
	MUST(get_mask() == ((0xfedcba9876543210ULL | BIT_OF(NSIG_KERNEL) |
			     BIT_OF(32)) &
			    ~(BIT_OF(SIGKILL) | BIT_OF(SIGSTOP))));
	_exit(GOOD);
}

TEST_F(signals, all_dispositions)
{
	self->pid = start(_metadata, all_dispositions, NULL);
	cycle(_metadata, self->pid);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- what the flags do -------------------------------------------------- */

static char alt_stack[65536] __attribute__((aligned(64)));

static volatile struct {
	int count;
	int sig;
	int code;
	int value;
	bool on_alt;
	__u64 mask;
	int write_to;
} seen;

static bool on_alt_stack(void)
{
	char here;
	volatile char *p = &here;

	return p >= alt_stack && p < alt_stack + sizeof(alt_stack);
}

static void note(int sig, siginfo_t *si, void *uc)
{
	seen.count++;
	seen.sig = sig;
	seen.code = si->si_code;
	seen.value = si->si_value.sival_int;
	seen.mask = get_mask();
	seen.on_alt = on_alt_stack();
	if (seen.write_to)
		MUST(write(seen.write_to, "x", 1) == 1);
}

static const struct {
	int sig;
	int flags;
	int also;
} effects[] = {
	{ SIGUSR1, SA_RESTART, 0 },
	{ SIGUSR2, SA_NODEFER, 0 },
	{ SIGHUP, SA_RESETHAND, SIGTERM },
	{ SIGTERM, SA_ONSTACK, 0 },
	{ SIGURG, SA_ONSTACK | SA_NODEFER | SA_RESETHAND, SIGQUIT },
	{ 45, 0, -1 },
};

static void one_effect(int i)
{
	union sigval value = { .sival_int = 1000 + i };
	int sig = effects[i].sig, flags = effects[i].flags;
	__u64 base = get_mask(), in;
	struct raw_sigaction sa;
	struct sigaction now;

	sigaction(sig, NULL, &now);
	MUST(!raw_sigaction(sig, NULL, &sa));
	in = base | sa.mask;
	if (!(flags & SA_NODEFER))
		in |= BIT_OF(sig);
	in &= ~(BIT_OF(SIGKILL) | BIT_OF(SIGSTOP));

	seen.count = 0;
	MUST(!sigqueue(getpid(), sig, value));
	MUST(seen.count == 1 && seen.sig == sig && seen.code == SI_QUEUE);
	MUST(seen.value == value.sival_int);
	MUST(seen.mask == in);
	MUST(seen.on_alt == !!(flags & SA_ONSTACK));
	MUST(get_mask() == base);
	MUST(!raw_sigaction(sig, NULL, &sa));
	MUST((sa.handler == SIG_DFL) == !!(flags & SA_RESETHAND));
}

/* A read that @sig interrupts, whose handler writes what is read. */
static ssize_t read_and_get(int sig)
{
	ssize_t ret;
	char c;
	int fd[2];

	MUST(!pipe(fd));
	seen.write_to = fd[1];
	seen.count = 0;
	if (!fork()) {
		ckpt_sleep_ms(30);
		kill(getppid(), sig);
		_exit(0);
	}
	ret = read(fd[0], &c, 1);
	if (ret < 0)
		ret = -errno;
	MUST(seen.count == 1);
	seen.write_to = 0;
	close(fd[0]);
	close(fd[1]);
	return ret;
}

static void flags_work(void *arg)
{
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	int i, status;
	pid_t pid;

	MUST(!sigaltstack(&ss, NULL));
	for (i = 0; i < ARRAY_SIZE(effects); i++)
		on_signal(effects[i].sig, note, effects[i].flags,
			  effects[i].also);
	on_signal(SIGCHLD, note, SA_NOCLDWAIT | SA_RESTART, 0);
	signal(SIGCHLD, SIG_DFL);
	on_signal(SIGCHLD, note, SA_NOCLDWAIT | SA_RESTART, 0);
	signal(SIGINT, SIG_IGN);
	set_mask(BIT_OF(SIGQUIT) | BIT_OF(50));
	ready();
	wait_go();

	for (i = 0; i < ARRAY_SIZE(effects); i++)
		one_effect(i);
	MUST(!raise(SIGINT));
	/* A child that nobody has to wait for. */
	seen.count = 0;
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(0);
	MUST(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
	MUST(seen.count == 1 && seen.sig == SIGCHLD);

	signal(SIGCHLD, SIG_IGN);
	MUST(read_and_get(SIGUSR1) == 1);
	MUST(read_and_get(SIGUSR2) == -EINTR);
	_exit(GOOD);
}

TEST_F(signals, flags_work)
{
	self->pid = start(_metadata, flags_work, NULL);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- queued signals ------------------------------------------------------- */

#define MAX_QUEUED	2000

static siginfo_t expected[MAX_QUEUED], got[MAX_QUEUED];
static int nr_expected, nr_got;

/* What will be delivered next, in the order of delivery. */
static siginfo_t *expect(int sig, int code)
{
	siginfo_t *si = &expected[nr_expected++];

	MUST(nr_expected <= MAX_QUEUED);
	memset(si, 0, sizeof(*si));
	si->si_signo = sig;
	si->si_code = code;
	return si;
}

static siginfo_t *expect_from_me(int sig, int code)
{
	siginfo_t *si = expect(sig, code);

	si->si_pid = getpid();
	si->si_uid = getuid();
	return si;
}

static int tgkill_me(int sig)
{
	return syscall(SYS_tgkill, getpid(), getpid(), sig);
}

static int queue_shared(int sig, siginfo_t *si)
{
	return syscall(SYS_rt_sigqueueinfo, getpid(), sig, si);
}

static int queue_private(int sig, siginfo_t *si)
{
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), sig, si);
}

static void wait_pending(int sig)
{
	while (!(get_pending() & BIT_OF(sig)))
		ckpt_sleep_ms(1);
}

static void queue_nothing(void)
{
}

static void queue_tgkill(void)
{
	MUST(!tgkill_me(SIGUSR1));
	expect_from_me(SIGUSR1, SI_TKILL);
}

static void queue_kill(void)
{
	MUST(!kill(getpid(), SIGUSR1));
	expect_from_me(SIGUSR1, SI_USER);
}

static void queue_value(void)
{
	union sigval value = { .sival_ptr = (void *)0x123456789abcUL };

	MUST(!sigqueue(getpid(), SIGUSR1, value));
	expect_from_me(SIGUSR1, SI_QUEUE)->si_value = value;
}

/* The second of the same kind is lost, the thread's and the process's not. */
static void queue_twice(void)
{
	union sigval first = { .sival_int = 1 }, second = { .sival_int = 2 };

	MUST(!sigqueue(getpid(), SIGTERM, first));
	MUST(!sigqueue(getpid(), SIGTERM, second));
	MUST(!kill(getpid(), SIGTERM));
	MUST(!tgkill_me(SIGTERM));
	MUST(!tgkill_me(SIGTERM));
	expect_from_me(SIGTERM, SI_TKILL);
	expect_from_me(SIGTERM, SI_QUEUE)->si_value = first;
}

/* From the lowest to the highest number, each kind in the order of sending. */
static void queue_in_order(void)
{
	union sigval value;
	siginfo_t si;
	int i, sig;

	for (i = 0; i < 66; i++) {
		value.sival_int = i;
		MUST(!sigqueue(getpid(), 64 - i * 7 % 11, value));
	}
	for (i = 0; i < 5; i++) {
		memset(&si, 0, sizeof(si));
		si.si_code = -77;
		si.si_value.sival_int = i;
		MUST(!queue_private(60, &si));
	}
	MUST(!kill(getpid(), SIGHUP));
	MUST(!tgkill_me(SIGUSR2));
	MUST(!kill(getpid(), 40));
	MUST(!kill(getpid(), 40));

	expect_from_me(SIGUSR2, SI_TKILL);
	for (i = 0; i < 5; i++)
		expect(60, -77)->si_value.sival_int = i;
	expect_from_me(SIGHUP, SI_USER);
	expect_from_me(40, SI_USER);
	expect_from_me(40, SI_USER);
	for (sig = 54; sig <= 64; sig++) {
		for (i = 0; i < 66; i++) {
			if (64 - i * 7 % 11 != sig)
				continue;
			expect_from_me(sig, SI_QUEUE)->si_int = i;
		}
	}
}

static void queue_many(void)
{
	union sigval value;
	int i;

	for (i = 0; i < 1500; i++) {
		value.sival_ptr = (void *)(0x100000001UL * i);
		MUST(!sigqueue(getpid(), 37, value));
		expect_from_me(37, SI_QUEUE)->si_value = value;
	}
}

#define FULL	200

static void set_queue_limit(unsigned int nr)
{
	struct rlimit rl;

	MUST(!getrlimit(RLIMIT_SIGPENDING, &rl));
	rl.rlim_cur = nr;
	MUST(!setrlimit(RLIMIT_SIGPENDING, &rl));
}

static void queue_full(void)
{
	union sigval value = { .sival_int = 0 };

	set_queue_limit(FULL);
	while (!sigqueue(getpid(), 50, value)) {
		expect_from_me(50, SI_QUEUE)->si_value = value;
		value.sival_int++;
	}
	MUST(errno == EAGAIN);
	MUST(value.sival_int == FULL);
}

/* They count against the limit as before. */
static void still_full(void)
{
	union sigval value = { .sival_int = 0 };

	MUST(sigqueue(getpid(), 50, value) == -1 && errno == EAGAIN);
}

/* Where the limit is reached, kill() sends a signal without a queue entry. */
static void queue_without_info(void)
{
	set_queue_limit(0);
	MUST(!kill(getpid(), 44));
	MUST(!kill(getpid(), 44));
	expect(44, SI_USER);
}

static void queue_itimer(void)
{
	struct itimerval it = { .it_value.tv_usec = 1000 };

	MUST(!setitimer(ITIMER_REAL, &it, NULL));
	wait_pending(SIGALRM);
	expect(SIGALRM, SI_KERNEL);
}

/* A timer that is gone has left its signal. */
static void queue_posix_timer(void)
{
	struct itimerspec it = { .it_value.tv_nsec = 1000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL };
	int timer;
	siginfo_t *si;

	ev.sigev_signo = 48;
	ev.sigev_value.sival_ptr = &timer;
	MUST(!syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &timer));
	MUST(!syscall(SYS_timer_settime, timer, 0, &it, NULL));
	wait_pending(48);
	MUST(!syscall(SYS_timer_delete, timer));
	si = expect(48, SI_TIMER);
	si->si_timerid = timer;
	si->si_value.sival_ptr = &timer;
}

/* A child that is gone has sent a signal of its own, and that of its end. */
static void queue_child(void)
{
	union sigval value = { .sival_int = 4711 };
	siginfo_t *si;
	int status;
	pid_t pid;

	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		sigqueue(getppid(), SIGUSR2, value);
		_exit(7);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	si = expect(SIGUSR2, SI_QUEUE);
	si->si_pid = pid;
	si->si_uid = getuid();
	si->si_value = value;
	si = expect(SIGCHLD, CLD_EXITED);
	si->si_pid = pid;
	si->si_uid = getuid();
	si->si_status = 7;
}

static void queue_broken_pipe(void)
{
	int fd[2];

	MUST(!pipe(fd));
	close(fd[0]);
	MUST(write(fd[1], "x", 1) == -1 && errno == EPIPE);
	close(fd[1]);
	expect_from_me(SIGPIPE, SI_USER);
}

/* Of each layout, as long as the kernel's. */
static void queue_payload(void)
{
	siginfo_t si, *e;

	memset(&si, 0, sizeof(si));
	memset(&si, 0x5a, 48);
	si.si_signo = 43;
	si.si_errno = 99;
	si.si_code = -60;
	MUST(!queue_shared(43, &si));

	MUST(!tgkill_me(SIGHUP));
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSEGV;
	si.si_code = SEGV_MAPERR;
	si.si_addr = (void *)0xdeadbeef000UL;
	MUST(!queue_private(SIGSEGV, &si));
	/* A fault comes before all else. */
	e = expect(SIGSEGV, SEGV_MAPERR);
	e->si_addr = si.si_addr;
	expect_from_me(SIGHUP, SI_TKILL);

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGIO;
	si.si_code = POLL_IN;
	si.si_band = POLLIN | POLLRDNORM;
	si.si_fd = 17;
	MUST(!queue_shared(SIGIO, &si));
	*expect(SIGIO, POLL_IN) = si;

	e = expect(43, -60);
	memset(e, 0x5a, 48);
	e->si_signo = 43;
	e->si_errno = 99;
	e->si_code = -60;
}

static void take(int sig, siginfo_t *si, void *uc)
{
	if (nr_got < MAX_QUEUED)
		got[nr_got++] = *si;
}

static void compare_queue(void)
{
	int i;

	for (i = 0; i < nr_got && i < nr_expected; i++) {
		/* Clock ticks of a child cannot be foretold. */
		if (expected[i].si_code == CLD_EXITED &&
		    expected[i].si_signo == SIGCHLD) {
			MUST(got[i].si_utime < 100 && got[i].si_stime < 100);
			expected[i].si_utime = got[i].si_utime;
			expected[i].si_stime = got[i].si_stime;
		}
		if (memcmp(&got[i], &expected[i], sizeof(got[i])))
			dprintf(log_fd, "%d: signal %d code %d pid %d value %p\n",
				i, got[i].si_signo, got[i].si_code,
				got[i].si_pid, got[i].si_ptr);
		MUST(!memcmp(&got[i], &expected[i], sizeof(got[i])));
	}
	if (nr_got != nr_expected)
		dprintf(log_fd, "%d signals instead of %d\n", nr_got,
			nr_expected);
	MUST(nr_got == nr_expected);
	MUST(!get_pending());
}

struct queue {
	void (*send)(void);
	void (*after)(void);
	bool by_handler;
};

static void queue_program(void *arg)
{
	const __u64 all = ~(BIT_OF(SIGKILL) | BIT_OF(SIGSTOP));
	struct timespec now = {};
	const struct queue *q = arg;
	int sig;

	for (sig = 1; q->by_handler && sig <= NSIG_KERNEL; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
			on_signal(sig, take, 0, -1);
	set_mask(all);
	q->send();
	ready();
	wait_go();

	if (q->after)
		q->after();
	if (q->by_handler) {
		set_mask(0);
	} else {
		while (nr_got < MAX_QUEUED &&
		       syscall(SYS_rt_sigtimedwait, &all, &got[nr_got], &now,
			       SIGSET_SIZE) > 0)
			nr_got++;
		MUST(errno == EAGAIN);
	}
	compare_queue();
	_exit(GOOD);
}

PROGRAM_FIXTURE(queued, begin, end);

FIXTURE_VARIANT(queued)
{
	void (*send)(void);
	void (*after)(void);
};

#define QUEUED(name, check)				\
FIXTURE_VARIANT_ADD(queued, name)			\
{							\
	.send = queue_##name,				\
	.after = check,					\
}

QUEUED(nothing, NULL);
QUEUED(tgkill, NULL);
QUEUED(kill, NULL);
QUEUED(value, NULL);
QUEUED(twice, NULL);
QUEUED(in_order, NULL);
QUEUED(many, NULL);
QUEUED(full, still_full);
QUEUED(without_info, NULL);
QUEUED(itimer, NULL);
QUEUED(posix_timer, NULL);
QUEUED(child, NULL);
QUEUED(broken_pipe, NULL);
QUEUED(payload, NULL);

TEST_F(queued, waited_for)
{
	struct queue queue = { variant->send, variant->after, false };

	self->pid = start(_metadata, queue_program, &queue);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(queued, handled)
{
	struct queue queue = { variant->send, variant->after, true };

	self->pid = start(_metadata, queue_program, &queue);
	/* Twice as far away. */
	cycle(_metadata, self->pid);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* A restarter that may not queue as many loses none of them silently. */
TEST_F(signals, limit_of_the_restarter)
{
	struct queue queue = { queue_many, NULL, false };
	struct rlimit old, low;

	self->pid = start(_metadata, queue_program, &queue);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, getrlimit(RLIMIT_SIGPENDING, &old));
	low = old;
	low.rlim_cur = 1000;
	ASSERT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &low));
	EXPECT_EQ(-EAGAIN, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "1500 queued signals"));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "your limit")) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &old));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* One that was blocked kills the program when it lets it in. */
static void fatal_when_let_in(void *arg)
{
	set_mask(BIT_OF(SIGTERM));
	MUST(!raise(SIGTERM));
	ready();
	wait_go();
	set_mask(0);
	_exit(GOOD);
}

TEST_F(signals, fatal_when_let_in)
{
	self->pid = start(_metadata, fatal_when_let_in, NULL);
	cycle(_metadata, self->pid);
	go();
	EXPECT_EQ(256 + SIGTERM, ckpt_wait(self->pid, 10000));
	self->pid = 0;
}

/* ---- calls with a mask of their own ------------------------------------------ */

#define OLD_MASK	(BIT_OF(SIGUSR2) | BIT_OF(55))
#define CALL_MASK	(~(BIT_OF(SIGUSR1) | BIT_OF(SIGKILL) | BIT_OF(SIGSTOP)))

static const __u64 call_mask = CALL_MASK;
static int order[8], nr_order;
static __u64 order_mask[8];

static void note_order(int sig, siginfo_t *si, void *uc)
{
	if (nr_order < 8) {
		order_mask[nr_order] = get_mask();
		order[nr_order++] = sig;
	}
}

static long call_sigsuspend(struct timespec *ts)
{
	return syscall(SYS_rt_sigsuspend, &call_mask, SIGSET_SIZE);
}

static long call_ppoll(struct timespec *ts)
{
	return syscall(SYS_ppoll, NULL, 0, ts, &call_mask, SIGSET_SIZE);
}

static long call_pselect(struct timespec *ts)
{
	struct { const __u64 *set; size_t size; } arg = {
		&call_mask, SIGSET_SIZE
	};

	return syscall(SYS_pselect6, 0, NULL, NULL, NULL, ts, &arg);
}

struct masked_call {
	long (*call)(struct timespec *ts);
	long nr;
	int timeout_ms;
};

static void masked_program(void *arg)
{
	const struct masked_call *c = arg;
	struct timespec ts = { .tv_nsec = c->timeout_ms * 1000000L };
	long ret;

	on_signal(SIGUSR1, note_order, 0, SIGHUP);
	on_signal(SIGTERM, note_order, 0, 0);
	set_mask(OLD_MASK);
	ready();
	ret = c->call(c->timeout_ms ? &ts : NULL);
	if (c->timeout_ms) {
		MUST(!ret);
		/* SIGTERM had to wait for the end of the call. */
		MUST(nr_order == 1 && order[0] == SIGTERM);
		MUST(order_mask[0] == (OLD_MASK | BIT_OF(SIGTERM)));
	} else {
		MUST(ret == -1 && errno == EINTR);
		MUST(nr_order == 2 && order[0] == SIGUSR1 && order[1] == SIGTERM);
		MUST(order_mask[0] == (CALL_MASK | BIT_OF(SIGUSR1)));
		MUST(order_mask[1] == (OLD_MASK | BIT_OF(SIGTERM)));
	}
	MUST(get_mask() == OLD_MASK);
	MUST(get_pending() == BIT_OF(55));
	_exit(GOOD);
}

PROGRAM_FIXTURE(masked, begin, end);

FIXTURE_VARIANT(masked)
{
	struct masked_call c;
};

FIXTURE_VARIANT_ADD(masked, sigsuspend)
{
	.c = { call_sigsuspend, SYS_rt_sigsuspend, 0 },
};

FIXTURE_VARIANT_ADD(masked, ppoll)
{
	.c = { call_ppoll, SYS_ppoll, 0 },
};

FIXTURE_VARIANT_ADD(masked, pselect)
{
	.c = { call_pselect, SYS_pselect6, 0 },
};

FIXTURE_VARIANT_ADD(masked, ppoll_timeout)
{
	.c = { call_ppoll, SYS_ppoll, 900 },
};

FIXTURE_VARIANT_ADD(masked, pselect_timeout)
{
	.c = { call_pselect, SYS_pselect6, 900 },
};

TEST_F(masked, old_mask_is_back)
{
	char before[1024], after[1024];

	self->pid = start(_metadata, masked_program, &variant->c);
	ASSERT_TRUE(ckpt_wait_syscall(self->pid, variant->c.nr));
	EXPECT_EQ(CALL_MASK, status_set(self->pid, "SigBlk:"));
	ASSERT_EQ(0, kill(self->pid, 55));
	signal_lines(self->pid, before, sizeof(before));
	kill_and_bring_back(_metadata, self->pid);
	ASSERT_TRUE(ckpt_wait_syscall(self->pid, variant->c.nr));
	EXPECT_STREQ(before, signal_lines(self->pid, after, sizeof(after)));

	ASSERT_EQ(0, kill(self->pid, SIGTERM));
	EXPECT_EQ(BIT_OF(SIGTERM) | BIT_OF(55),
		  status_set(self->pid, "ShdPnd:"));
	if (!variant->c.timeout_ms)
		ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	ends_well(_metadata, &self->pid);
}

/* The signal that it waits for comes while it stands still. */
TEST_F(masked, signalled_while_frozen)
{
	int fd;

	self->pid = start(_metadata, masked_program, &variant->c);
	ASSERT_TRUE(ckpt_wait_syscall(self->pid, variant->c.nr));
	fd = ckpt_hold(_metadata, self->pid);
	ASSERT_EQ(0, kill(self->pid, 55));
	if (!variant->c.timeout_ms) {
		ASSERT_EQ(0, kill(self->pid, SIGTERM));
		ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	}
	close(fd);
	if (variant->c.timeout_ms) {
		/* It is in the call again; frozen is another state. */
		ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
		ASSERT_EQ(0, kill(self->pid, SIGTERM));
	}
	ends_well(_metadata, &self->pid);
}

/* ---- inside of handlers ---------------------------------------------------- */

static int depth;

static void inner(int sig, siginfo_t *si, void *uc)
{
	__u64 mask = get_mask();
	siginfo_t copy = *si;

	depth = 2;
	MUST(mask == (BIT_OF(SIGUSR1) | BIT_OF(SIGTERM) | BIT_OF(SIGUSR2) |
		      BIT_OF(SIGHUP) | BIT_OF(40)));
	ready();
	wait_go();
	MUST(depth == 2);
	MUST(get_mask() == mask);
	MUST(!memcmp(si, &copy, sizeof(copy)) && si->si_int == 77);
	depth = 1;
}

static void outer(int sig, siginfo_t *si, void *ctx)
{
	union sigval value = { .sival_int = 77 };
	ucontext_t *uc = ctx;
	__u64 mask = get_mask();

	MUST(mask == (BIT_OF(SIGUSR1) | BIT_OF(SIGTERM) | BIT_OF(40)));
	depth = 1;
	MUST(!sigqueue(getpid(), SIGUSR2, value));
	MUST(depth == 1);
	MUST(get_mask() == mask);
	MUST(si->si_int == 66 && si->si_code == SI_QUEUE);
	/* What it asks for on return counts, too. */
	sigaddset(&uc->uc_sigmask, 41);
	sigdelset(&uc->uc_sigmask, 40);
}

static void nested_handlers(void *arg)
{
	union sigval value = { .sival_int = 66 };
	volatile unsigned long on_stack[16];
	int i;

	for (i = 0; i < 16; i++)
		on_stack[i] = 0x1111111111111111UL * i;
	on_signal(SIGUSR1, outer, 0, SIGTERM);
	on_signal(SIGUSR2, inner, 0, SIGHUP);
	set_mask(BIT_OF(40));
	MUST(!sigqueue(getpid(), SIGUSR1, value));
	MUST(depth == 1);
	MUST(get_mask() == BIT_OF(41));
	for (i = 0; i < 16; i++)
		MUST(on_stack[i] == 0x1111111111111111UL * i);
	_exit(GOOD);
}

TEST_F(signals, nested_handlers)
{
	self->pid = start(_metadata, nested_handlers, NULL);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- the alternate stack ------------------------------------------------------ */

struct alt_case {
	int flags;
	bool saved_on_it;
};

static const struct alt_case *alt_case;
static int alt_runs;

static void on_alt(int sig, siginfo_t *si, void *uc)
{
	stack_t was, is;

	MUST(on_alt_stack() == !(alt_case->flags & SS_DISABLE));
	MUST(!sigaltstack(NULL, &was));
	if (alt_case->flags & (SS_AUTODISARM | SS_DISABLE))
		MUST(was.ss_flags & SS_DISABLE);
	else
		MUST(was.ss_flags == SS_ONSTACK && was.ss_sp == alt_stack);
	if (alt_case->saved_on_it && !alt_runs) {
		ready();
		wait_go();
		memset(&is, 0, sizeof(is));
		MUST(!sigaltstack(NULL, &is));
		MUST(is.ss_sp == was.ss_sp && is.ss_size == was.ss_size &&
		     is.ss_flags == was.ss_flags);
		MUST(on_alt_stack() == !(alt_case->flags & SS_DISABLE));
	}
	alt_runs++;
}

static void alt_program(void *arg)
{
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	stack_t was, is;

	alt_case = arg;
	ss.ss_flags = alt_case->flags;
	MUST(!syscall(SYS_sigaltstack, &ss, NULL));
	on_signal(SIGUSR1, on_alt, SA_ONSTACK, 0);
	MUST(!sigaltstack(NULL, &was));
	if (!(alt_case->flags & SS_DISABLE))
		MUST(was.ss_sp == alt_stack &&
		     was.ss_size == sizeof(alt_stack) &&
		     was.ss_flags == alt_case->flags);
	if (alt_case->saved_on_it) {
		MUST(!raise(SIGUSR1));
	} else {
		ready();
		wait_go();
	}
	MUST(!sigaltstack(NULL, &is));
	MUST(is.ss_sp == was.ss_sp && is.ss_size == was.ss_size &&
	     is.ss_flags == was.ss_flags);
	MUST(!raise(SIGUSR1));
	MUST(alt_runs == 1 + alt_case->saved_on_it);
	_exit(GOOD);
}

PROGRAM_FIXTURE(altstack, begin, end);

FIXTURE_VARIANT(altstack)
{
	struct alt_case c;
};

FIXTURE_VARIANT_ADD(altstack, plain)
{
	.c = { 0, false },
};

FIXTURE_VARIANT_ADD(altstack, on_it)
{
	.c = { 0, true },
};

FIXTURE_VARIANT_ADD(altstack, autodisarm)
{
	.c = { SS_AUTODISARM, false },
};

FIXTURE_VARIANT_ADD(altstack, autodisarm_on_it)
{
	.c = { SS_AUTODISARM, true },
};

FIXTURE_VARIANT_ADD(altstack, disabled)
{
	.c = { SS_DISABLE, false },
};

TEST_F(altstack, comes_back)
{
	self->pid = start(_metadata, alt_program, &variant->c);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- timers ------------------------------------------------------------------ */

/*
 * No timer is early. That one is late says something only if it always is: the
 * machine may have had something else to do.
 */
#define LATE_MS		120
#define TRIES		5

#define TICKS		3

struct ticker {
	int first_ms;
	int interval_ms;
	bool by_alarm;
};

static volatile int nr_ticks;
static volatile long long ticked_at[TICKS];
static long long armed_at;

static void tick(int sig, siginfo_t *si, void *uc)
{
	if (nr_ticks < TICKS)
		ticked_at[nr_ticks] = ckpt_now_ms();
	nr_ticks++;
}

static struct timeval ms_to_timeval(int ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

/* Writes when it armed the timer, and when each signal came. */
static void tick_program(void *arg)
{
	const struct ticker *t = arg;
	struct itimerval it = {
		.it_value = ms_to_timeval(t->first_ms),
		.it_interval = ms_to_timeval(t->interval_ms),
	}, now;
	int ticks = t->interval_ms ? TICKS : 1;

	on_signal(SIGALRM, tick, 0, 0);
	armed_at = ckpt_now_ms();
	if (t->by_alarm)
		MUST(!alarm(t->first_ms / 1000));
	else
		MUST(!setitimer(ITIMER_REAL, &it, NULL));
	ready();
	while (nr_ticks < ticks)
		ckpt_sleep_ms(5);
	MUST(!getitimer(ITIMER_REAL, &now));
	MUST(now.it_interval.tv_sec == it.it_interval.tv_sec &&
	     now.it_interval.tv_usec == it.it_interval.tv_usec);
	MUST(timerisset(&now.it_value) == !!t->interval_ms);
	MUST(now.it_value.tv_sec * 1000 + now.it_value.tv_usec / 1000 <=
	     t->interval_ms);
	dprintf(log_fd, "armed %lld ticks %lld %lld %lld\n", armed_at,
		ticked_at[0], ticked_at[1], ticked_at[2]);
	_exit(GOOD);
}

PROGRAM_FIXTURE(itimer, begin, end);

FIXTURE_VARIANT(itimer)
{
	struct ticker t;
};

FIXTURE_VARIANT_ADD(itimer, once)
{
	.t = { .first_ms = 600 },
};

FIXTURE_VARIANT_ADD(itimer, interval)
{
	.t = { .first_ms = 600, .interval_ms = 120 },
};

FIXTURE_VARIANT_ADD(itimer, alarm)
{
	.t = { .first_ms = 1000, .by_alarm = true },
};

/* Dead for longer than what is left, it neither comes at once nor anew. */
static bool in_time(struct __test_metadata *_metadata, pid_t *pid,
		    const struct ticker *t)
{
	long long armed, at[TICKS], before, saved, back, took;
	int n;

	*pid = start(_metadata, tick_program, t);
	ckpt_sleep_ms(t->first_ms / 3);
	before = ckpt_now_ms();
	ckpt_save_and_kill(_metadata, *pid);
	saved = ckpt_now_ms();
	ckpt_sleep_ms(t->first_ms);
	back = ckpt_now_ms();
	bring_back(_metadata, *pid);
	ASSERT_EQ(GOOD, ckpt_wait(*pid, 10000)) {
		TH_LOG("%s", log_text());
	}
	*pid = 0;
	n = sscanf(log_text(), "ready\narmed %lld ticks %lld %lld %lld",
		   &armed, &at[0], &at[1], &at[2]);
	ASSERT_EQ(4, n);

	/* It stood still from some moment between the two; all in whole ms. */
	took = at[0] - back;
	EXPECT_LE(t->first_ms - (saved - armed) - 2, took) {
		TH_LOG("it was saved after %lld ms", saved - armed);
	}
	if (took > t->first_ms - (before - armed) + LATE_MS)
		return false;
	/* From the first on, all go by its time. */
	return !t->interval_ms ||
	       llabs(at[2] - at[0] - 2 * t->interval_ms) <= LATE_MS;
}

TEST_F(itimer, keeps_time_left)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (in_time(_metadata, &self->pid, &variant->t))
			return;
		TH_LOG("late: %s", log_text());
		end(0);
		begin(_metadata);
	}
	EXPECT_GT(TRIES, i);
}

/* getitimer() before and after; a pending SIGALRM does not stop the interval. */
static void interval_goes_on(void *arg)
{
	struct itimerval it = {
		.it_value.tv_usec = 20000, .it_interval.tv_usec = 30000,
	};
	__u64 set = BIT_OF(SIGALRM);
	int i;

	set_mask(set);
	MUST(!setitimer(ITIMER_REAL, &it, NULL));
	wait_pending(SIGALRM);
	ready();
	wait_go();
	MUST(!getitimer(ITIMER_REAL, &it));
	MUST(it.it_interval.tv_usec == 30000);
	for (i = 0; i < 3; i++)
		MUST(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL,
			     SIGSET_SIZE) == SIGALRM);
	_exit(GOOD);
}

TEST_F(signals, interval_goes_on)
{
	self->pid = start(_metadata, interval_goes_on, NULL);
	cycle(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- job control --------------------------------------------------------------- */

static volatile int nr_cont, nr_usr1;

static void count_job(int sig, siginfo_t *si, void *uc)
{
	if (sig == SIGCONT)
		nr_cont++;
	else
		nr_usr1++;
}

static void job(void *arg)
{
	long n = 0;

	on_signal(SIGCONT, count_job, 0, 0);
	on_signal(SIGUSR1, count_job, 0, 0);
	ready();
	for (;;) {
		n++;
		pwrite(log_fd, &n, 0, 0);
		if (!access(GO, F_OK))
			break;
		ckpt_sleep_ms(2);
	}
	dprintf(log_fd, "cont %d usr1 %d\n", nr_cont, nr_usr1);
	_exit(GOOD);
}

/* The program stops, and its parent sees it once. */
static void expect_stopped(struct __test_metadata *_metadata, pid_t pid)
{
	int status = 0;

	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(SIGSTOP, WSTOPSIG(status));
	EXPECT_EQ('T', ckpt_state(pid));
	EXPECT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG));
}

static void stop(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	expect_stopped(_metadata, pid);
}

static void expect_continued(struct __test_metadata *_metadata, pid_t pid)
{
	int status = 0;

	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, WCONTINUED));
	EXPECT_TRUE(WIFCONTINUED(status));
}

TEST_F(signals, stopped_comes_back_stopped)
{
	char before[1024], after[1024];

	self->pid = start(_metadata, job, NULL);
	stop(_metadata, self->pid);
	/* It is not blocked, but nothing is delivered to a stopped process. */
	ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	signal_lines(self->pid, before, sizeof(before));
	kill_and_bring_back(_metadata, self->pid);
	expect_stopped(_metadata, self->pid);
	EXPECT_STREQ(before, signal_lines(self->pid, after, sizeof(after)));

	/* Once more from there. */
	kill_and_bring_back(_metadata, self->pid);
	expect_stopped(_metadata, self->pid);
	go();
	EXPECT_EQ(-1, ckpt_wait(self->pid, 50));
	EXPECT_STREQ("ready\n", log_text());
	EXPECT_EQ('T', ckpt_state(self->pid));

	expect_continued(_metadata, self->pid);
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
	self->pid = 0;
	EXPECT_STREQ("ready\ncont 1 usr1 1\n", log_text());
}

TEST_F(signals, stopped_is_killed)
{
	self->pid = start(_metadata, job, NULL);
	stop(_metadata, self->pid);
	kill_and_bring_back(_metadata, self->pid);
	expect_stopped(_metadata, self->pid);
	kill(self->pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

/* A checkpoint alone leaves it stopped, and tells its parent nothing new. */
TEST_F(signals, stopped_stays_stopped)
{
	int status;

	self->pid = start(_metadata, job, NULL);
	stop(_metadata, self->pid);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(ckpt_wait_state(self->pid, 'T'));
	go();
	EXPECT_EQ(-1, ckpt_wait(self->pid, 50));
	EXPECT_EQ('T', ckpt_state(self->pid));
	EXPECT_EQ(0, waitpid(self->pid, &status, WCONTINUED | WNOHANG));
	expect_continued(_metadata, self->pid);
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
	self->pid = 0;
	EXPECT_STREQ("ready\ncont 1 usr1 0\n", log_text());
}

/* ---- signals while it stands still ------------------------------------------------ */

static void frozen_program(void *arg)
{
	int i;

	for (i = 34; i < 38; i++)
		on_signal(i, take, 0, -1);
	on_signal(SIGUSR1, take, 0, -1);
	ready();
	wait_go();
	MUST(nr_got == 5);
	MUST(got[0].si_signo == SIGUSR1 && got[0].si_code == SI_USER);
	for (i = 0; i < 4; i++)
		MUST(got[i + 1].si_signo == 34 + i / 2 &&
		     got[i + 1].si_code == SI_QUEUE &&
		     got[i + 1].si_int == i && got[i + 1].si_pid == getppid());
	_exit(GOOD);
}

TEST_F(signals, sent_while_frozen)
{
	union sigval value;
	int fd, i;

	self->pid = start(_metadata, frozen_program, NULL);
	fd = ckpt_hold(_metadata, self->pid);
	for (i = 0; i < 4; i++) {
		value.sival_int = i;
		EXPECT_EQ(0, sigqueue(self->pid, 34 + i / 2, value));
	}
	EXPECT_EQ(0, kill(self->pid, SIGUSR1));
	EXPECT_EQ(0, kill(self->pid, SIGUSR1));
	EXPECT_EQ(BIT_OF(SIGUSR1) | BIT_OF(34) | BIT_OF(35),
		  status_set(self->pid, "ShdPnd:"));
	EXPECT_EQ(-1, ckpt_wait(self->pid, 50));
	EXPECT_EQ(0, ioctl(fd, CKPT_CONTEXT_THAW));
	close(fd);
	ends_well(_metadata, &self->pid);
}

TEST_F(signals, killed_while_frozen)
{
	int fd;

	self->pid = start(_metadata, job, NULL);
	fd = ckpt_hold(_metadata, self->pid);
	EXPECT_EQ(0, kill(self->pid, SIGKILL));
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	self->pid = 0;
	/* There is nobody to thaw any more. */
	EXPECT_EQ(0, ioctl(fd, CKPT_CONTEXT_THAW));
	close(fd);
}

/* A fatal signal with a default action has to wait for the thaw. */
TEST_F(signals, terminated_while_frozen)
{
	int fd;

	self->pid = start(_metadata, job, NULL);
	fd = ckpt_hold(_metadata, self->pid);
	EXPECT_EQ(0, kill(self->pid, SIGINT));
	close(fd);
	EXPECT_EQ(256 + SIGINT, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

TEST_F(signals, stopped_while_frozen)
{
	int fd;

	self->pid = start(_metadata, job, NULL);
	fd = ckpt_hold(_metadata, self->pid);
	EXPECT_EQ(0, kill(self->pid, SIGSTOP));
	close(fd);
	expect_stopped(_metadata, self->pid);
	go();
	EXPECT_EQ(-1, ckpt_wait(self->pid, 50));
	expect_continued(_metadata, self->pid);
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
	self->pid = 0;
	EXPECT_STREQ("ready\ncont 1 usr1 0\n", log_text());
}

TEST_F(signals, continued_while_frozen)
{
	int fd;

	self->pid = start(_metadata, job, NULL);
	stop(_metadata, self->pid);
	fd = ckpt_hold(_metadata, self->pid);
	EXPECT_EQ(0, kill(self->pid, SIGCONT));
	close(fd);
	go();
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
	self->pid = 0;
	EXPECT_STREQ("ready\ncont 1 usr1 0\n", log_text());
}

/* ---- nothing of the restarter ------------------------------------------------------ */

/* A restarter that has all that a fresh process has not. */
static void burden(void)
{
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct itimerval it = {
		.it_value.tv_sec = 1, .it_interval.tv_usec = 1000,
	};
	union sigval value = { .sival_int = 1 };
	int sig;

	set_mask(~0ULL);
	sigaltstack(&ss, NULL);
	for (sig = 1; sig <= NSIG_KERNEL; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
			on_signal(sig, take, SA_ONSTACK | SA_RESETHAND, -1);
	signal(SIGUSR2, SIG_IGN);
	for (sig = 40; sig < 64; sig++)
		sigqueue(getpid(), sig, value);
	kill(getpid(), SIGTERM);
	tgkill_me(SIGHUP);
	tgkill_me(50);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void plain_program(void *arg)
{
	struct raw_sigaction was[NSIG_KERNEL + 1], is;
	struct itimerval it;
	stack_t ss;
	int sig;

	for (sig = 1; sig <= NSIG_KERNEL; sig++)
		MUST(!raw_sigaction(sig, NULL, &was[sig]));
	set_mask(BIT_OF(60));
	ready();
	wait_go();
	for (sig = 1; sig <= NSIG_KERNEL; sig++) {
		MUST(!raw_sigaction(sig, NULL, &is));
		MUST(!memcmp(&is, &was[sig], sizeof(is)));
	}
	MUST(get_mask() == BIT_OF(60));
	MUST(!get_pending());
	MUST(!sigaltstack(NULL, &ss) && ss.ss_flags == SS_DISABLE);
	MUST(!getitimer(ITIMER_REAL, &it));
	MUST(!timerisset(&it.it_value) && !timerisset(&it.it_interval));
	_exit(GOOD);
}

TEST_F(signals, nothing_of_the_restarter)
{
	char before[1024], after[1024];

	self->pid = start(_metadata, plain_program, NULL);
	signal_lines(self->pid, before, sizeof(before));
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, burden);
	EXPECT_STREQ(before, signal_lines(self->pid, after, sizeof(after)));
	ends_well(_metadata, &self->pid);
}

/* ---- refused ------------------------------------------------------------------------ */

static void have_sigio(void)
{
	int fd = open("/dev/random", O_RDONLY);

	MUST(fd >= 0);
	MUST(!fcntl(fd, F_SETFL, O_ASYNC));
}

PROGRAM_FIXTURE(refused, begin, end);

FIXTURE_VARIANT(refused)
{
	void (*have)(void);
	const char *words;
};

#define REFUSED(name, text)			\
FIXTURE_VARIANT_ADD(refused, name)		\
{						\
	.have = have_##name,			\
	.words = text,				\
}

REFUSED(sigio, "has O_ASYNC, which cannot be saved yet");

TEST_F(refused, by_name)
{
	struct program program = { variant->have };

	self->pid = start_program(_metadata, &program);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_NE(NULL, strstr(ckpt_log_text, variant->words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
