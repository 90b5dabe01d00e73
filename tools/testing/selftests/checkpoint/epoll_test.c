// SPDX-License-Identifier: GPL-2.0
/*
 * Epolls watch after a restart what they watched before, and tell what they had
 * not told yet, once.
 */
#include "tree_program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* ---- in the program ---------------------------------------------------------- */

static int ep, inner[4], a, b, c, p[2], child;

static int event(int count)
{
	int fd = eventfd(count, EFD_NONBLOCK);

	MUST(fd >= 0);
	return fd;
}

static int new_epoll(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static void count(int fd)
{
	uint64_t one = 1;

	MUST(write(fd, &one, 8) == 8);
}

static int control(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, fd, &e);
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	MUST(!control(ep, EPOLL_CTL_ADD, fd, events, data));
}

/* The next of its events, 0: none. */
static uint64_t next(int ep)
{
	struct epoll_event e = {};
	int n = epoll_wait(ep, &e, 1, 0);

	MUST(n >= 0);
	return n ? e.data.u64 : 0;
}

/* Is it there, as /proc shows it? */
static bool watches(int ep, int fd, uint32_t events, uint64_t data)
{
	char path[64], text[8192], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	MUST(ckpt_read_text(path, text, sizeof(text)) > 0);
	snprintf(line, sizeof(line), "tfd: %8d events: %8x data: %16llx ",
		 fd, events, (unsigned long long)data);
	return strstr(text, line);
}

#define ALWAYS	(EPOLLERR | EPOLLHUP)

static void set_level(void)
{
	ep = new_epoll();
	a = event(1);
	b = event(0);
	add(ep, a, EPOLLIN, 0x1111222233334444);
	add(ep, b, EPOLLIN | EPOLLPRI, 2);
}

static void check_level(void)
{
	uint64_t n;

	MUST(fcntl(ep, F_GETFD) == FD_CLOEXEC);
	MUST(watches(ep, a, EPOLLIN | ALWAYS, 0x1111222233334444));
	MUST(watches(ep, b, EPOLLIN | EPOLLPRI | ALWAYS, 2));
	MUST(next(ep) == 0x1111222233334444 && next(ep) == 0x1111222233334444);
	MUST(read(a, &n, 8) == 8 && !next(ep));
	count(b);
	MUST(next(ep) == 2);
	MUST(control(ep, EPOLL_CTL_ADD, b, EPOLLIN, 3) < 0 && errno == EEXIST);
	MUST(!control(ep, EPOLL_CTL_MOD, b, EPOLLIN, 4) && next(ep) == 4);
	MUST(!epoll_ctl(ep, EPOLL_CTL_DEL, b, NULL) && !next(ep));
}

/* Edges that were told, of all kinds of files; and one that was not. */
static void set_edge(void)
{
	struct itimerspec it = { .it_value.tv_nsec = 1 };
	int pid;

	ep = new_epoll();
	a = event(1);
	MUST(!pipe(p) && write(p[1], "x", 1) == 1);
	b = timerfd_create(CLOCK_MONOTONIC, 0);
	MUST(b >= 0 && !timerfd_settime(b, 0, &it, NULL));
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(0);
	MUST(ckpt_wait_state(pid, 'Z'));
	child = pid;
	while (!({ struct pollfd q = { .fd = b, .events = POLLIN }; poll(&q, 1, 1000); }))
		;
	add(ep, a, EPOLLIN | EPOLLET, 1);
	add(ep, p[0], EPOLLIN | EPOLLET, 2);
	add(ep, b, EPOLLIN | EPOLLET, 3);
	add(ep, syscall(SYS_pidfd_open, pid, 0), EPOLLIN | EPOLLET, 7);
	MUST(next(ep) == 1 && next(ep) == 2 && next(ep) == 3 && next(ep) == 7);
	MUST(!next(ep));
	c = event(1);
	add(ep, c, EPOLLIN | EPOLLET, 4);
}

static void check_edge(void)
{
	MUST(next(ep) == 4 && !next(ep));
	count(a);
	MUST(next(ep) == 1 && !next(ep));
	MUST(write(p[1], "y", 1) == 1 && next(ep) == 2 && !next(ep));
	close(p[1]);
	MUST(next(ep) == 2 && !next(ep));
	MUST(watches(ep, b, EPOLLIN | EPOLLET | ALWAYS, 3));
	MUST(waitpid(child, NULL, 0) == child);
}

static void set_oneshot(void)
{
	ep = new_epoll();
	a = event(1);
	add(ep, a, EPOLLIN | EPOLLONESHOT, 1);
	MUST(next(ep) == 1 && !next(ep));
	b = event(1);
	add(ep, b, EPOLLIN | EPOLLONESHOT, 2);
}

static void check_oneshot(void)
{
	MUST(watches(ep, a, EPOLLONESHOT, 1));
	MUST(next(ep) == 2 && !next(ep));
	count(a);
	count(b);
	MUST(!next(ep));
	MUST(!control(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 5));
	MUST(next(ep) == 5 && !next(ep));
}

static void set_order(void)
{
	ep = new_epoll();
	a = event(0);
	b = event(0);
	c = event(0);
	add(ep, a, EPOLLIN | EPOLLET, 1);
	add(ep, b, EPOLLIN | EPOLLET, 2);
	add(ep, c, EPOLLIN | EPOLLET, 3);
	count(c);
	count(a);
	count(b);
}

static void check_order(void)
{
	MUST(next(ep) == 3 && next(ep) == 1 && next(ep) == 2 && !next(ep));
}

/* The number is that of another file now, or of none. */
static void set_reused(void)
{
	ep = new_epoll();
	a = event(0);
	b = dup(a);
	add(ep, a, EPOLLIN | EPOLLET, 1);
	MUST(!close(a));
	c = event(0);
	MUST(c == a);
	add(ep, c, EPOLLIN | EPOLLET, 2);
	MUST(dup2(b, 100) == 100);
	add(ep, 100, EPOLLIN | EPOLLET, 3);
	MUST(!close(100));
}

static void check_reused(void)
{
	uint64_t got[2];

	MUST(watches(ep, a, EPOLLIN | EPOLLET | ALWAYS, 1));
	MUST(watches(ep, a, EPOLLIN | EPOLLET | ALWAYS, 2));
	MUST(watches(ep, 100, EPOLLIN | EPOLLET | ALWAYS, 3));
	MUST(!next(ep));
	count(b);
	got[0] = next(ep);
	got[1] = next(ep);
	MUST(got[0] + got[1] == 4 && got[0] * got[1] == 3 && !next(ep));
	count(c);
	MUST(next(ep) == 2 && !next(ep));
	/* They go with the file. */
	close(b);
	MUST(!watches(ep, a, EPOLLIN | EPOLLET | ALWAYS, 1));
	MUST(watches(ep, a, EPOLLIN | EPOLLET | ALWAYS, 2));
}

static void set_exclusive(void)
{
	ep = new_epoll();
	a = event(0);
	add(ep, a, EPOLLIN | EPOLLEXCLUSIVE, 1);
	b = event(0);
	add(ep, b, EPOLLIN | EPOLLWAKEUP, 2);
}

static void check_exclusive(void)
{
	MUST(watches(ep, a, EPOLLIN | EPOLLEXCLUSIVE | ALWAYS, 1));
	MUST(watches(ep, b, EPOLLIN | EPOLLWAKEUP | ALWAYS, 2) ||
	     watches(ep, b, EPOLLIN | ALWAYS, 2));
	MUST(control(ep, EPOLL_CTL_MOD, a, EPOLLIN, 1) < 0 && errno == EINVAL);
	count(a);
	MUST(next(ep) == 1);
}

/* Of two that wait one wakes. The other gets the next. */
static void wait_exclusive(void)
{
	struct epoll_event e;
	int fd = new_epoll();

	add(fd, a, EPOLLIN | EPOLLEXCLUSIVE, 1);
	MUST(epoll_wait(fd, &e, 1, -1) == 1 && e.data.u64 == 1);
}

static int waiters[2];

static void set_one_wakes(void)
{
	a = event(0);
	waiters[0] = start_child(wait_exclusive, SYS_epoll_wait);
	waiters[1] = start_child(wait_exclusive, SYS_epoll_wait);
}

static void check_one_wakes(void)
{
	int status, left, i;
	pid_t pid;

	/* Who does not sleep there leaves it to the other, and finds it later. */
	for (i = 0; i < 2; i++)
		MUST(ckpt_wait_syscall(waiters[i], SYS_epoll_wait) &&
		     ckpt_wait_state(waiters[i], 'S'));
	count(a);
	pid = wait(&status);
	MUST(pid == waiters[0] || pid == waiters[1]);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
	left = waiters[pid == waiters[0]];
	/* There is still something to read, but nobody has told the other. */
	ckpt_sleep_ms(50);
	MUST(!waitpid(left, NULL, WNOHANG) && ckpt_wait_syscall(left, SYS_epoll_wait));
	count(a);
	collect(left, GOOD);
}

/* As deep as it may be; one is told of once and one twice. */
static void set_nested(void)
{
	int i;

	ep = new_epoll();
	a = event(0);
	for (i = 0; i < 4; i++)
		inner[i] = new_epoll();
	add(ep, inner[0], EPOLLIN | EPOLLET, 1);
	for (i = 0; i < 3; i++)
		add(inner[i], inner[i + 1], EPOLLIN, 2 + i);
	add(inner[3], a, EPOLLIN, 5);
	b = new_epoll();
	add(b, inner[2], EPOLLIN | EPOLLET, 9);
	count(a);
	MUST(next(ep) == 1 && !next(ep));
}

static void check_nested(void)
{
	MUST(!next(ep));
	MUST(next(b) == 9 && !next(b));
	MUST(next(inner[0]) == 2 && next(inner[2]) == 4 && next(inner[3]) == 5);
	count(a);
	MUST(next(ep) == 1 && !next(ep));
	MUST(control(inner[3], EPOLL_CTL_ADD, ep, EPOLLIN, 7) < 0 && errno == ELOOP);
}

static void wait_long(void)
{
	struct epoll_event e;

	MUST(epoll_wait(ep, &e, 1, -1) == 1 && e.data.u64 == 6);
}

/* An epoll of two processes. */
static void set_waiter(void)
{
	ep = new_epoll();
	a = event(0);
	add(ep, a, EPOLLIN | EPOLLET, 6);
	child = start_child(wait_long, SYS_epoll_wait);
}

static void check_waiter(void)
{
	count(a);
	collect(child, GOOD);
	MUST(!next(ep));
}

static void wait_with_timeout(void)
{
	double began = ckpt_now(CLOCK_MONOTONIC);
	/* As the kernel has it, for 32-bit programs, too. */
	long long ts[2] = { 0, 700000000 };
	struct epoll_event e;

	MUST(!syscall(SYS_epoll_pwait2, ep, &e, 1, ts, NULL, 0));
	MUST(ckpt_now(CLOCK_MONOTONIC) - began > 0.69);
}

static void set_timeout(void)
{
	ep = new_epoll();
	a = event(0);
	add(ep, a, EPOLLIN, 6);
	child = start_child(wait_with_timeout, SYS_epoll_pwait2);
}

static void check_timeout(void)
{
	collect(child, GOOD);
	count(a);
	MUST(next(ep) == 6);
}

static int signal_epoll(int sig, uint64_t data)
{
	int fd = new_epoll();
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
	a = signalfd(-1, &set, SFD_NONBLOCK);
	MUST(a >= 0);
	add(fd, a, EPOLLIN, data);
	return fd;
}

static void wait_for_signal(void)
{
	struct signalfd_siginfo info;
	struct epoll_event e;

	ep = signal_epoll(SIGUSR2, 2);
	MUST(epoll_wait(ep, &e, 1, -1) == 1 && e.data.u64 == 2);
	MUST(read(a, &info, sizeof(info)) > 0 && info.ssi_signo == SIGUSR2);
}

/* Each watches for its own signals, and one for those of a process that is gone. */
static void set_signals(void)
{
	b = new_epoll();
	ep = signal_epoll(SIGUSR1, 1);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		add(b, a, EPOLLIN, 3);
		_exit(GOOD);
	}
	collect(child, GOOD);
	child = start_child(wait_for_signal, SYS_epoll_wait);
}

static void check_signals(void)
{
	struct epoll_event e;

	MUST(!next(ep) && !next(b));
	MUST(watches(b, a, EPOLLIN | ALWAYS, 3));
	MUST(!kill(child, SIGUSR2));
	collect(child, GOOD);
	MUST(!raise(SIGUSR1));
	MUST(epoll_wait(ep, &e, 1, 1000) == 1 && e.data.u64 == 1);
	/* Nobody told it. */
	MUST(!next(b));
}

/* More than a record holds, of one file. */
#define MANY	20000

static void set_many(void)
{
	struct rlimit r = { MANY + 200, MANY + 200 };
	int i;

	MUST(!setrlimit(RLIMIT_NOFILE, &r));
	ep = new_epoll();
	a = event(0);
	for (i = 100; i < MANY + 100; i++) {
		MUST(dup2(a, i) == i);
		add(ep, i, EPOLLIN | EPOLLET, i);
		close(i);
	}
	count(a);
}

static void check_many(void)
{
	static struct epoll_event e[MANY + 1];
	static char seen[MANY];
	int i, n;

	MUST(epoll_wait(ep, e, MANY + 1, 0) == MANY);
	for (i = 0; i < MANY; i++) {
		n = e[i].data.u64 - 100;
		MUST(n >= 0 && n < MANY && !seen[n]++);
	}
	MUST(!next(ep));
}

/* ---- in the test ---------------------------------------------------------------- */

static void all_end(pid_t pid)
{
	if (pid > 0)
		kill(-pid, SIGKILL);
	end_tree(pid);
}

PROGRAM_FIXTURE(epoll, begin_tree, all_end);

FIXTURE_VARIANT(epoll)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(epoll, name)		\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(level);
PROGRAM(edge);
PROGRAM(oneshot);
PROGRAM(order);
PROGRAM(reused);
PROGRAM(exclusive);
PROGRAM(one_wakes);
PROGRAM(nested);
PROGRAM(waiter);
PROGRAM(timeout);
PROGRAM(signals);
PROGRAM(many);

TEST_F(epoll, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(epoll, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- talking while it is saved ----------------------------------------------------- */

#define ROUNDS		2000
#define CHANNELS	3
#define FIFO		"/tmp/epoll.fifo"

struct way {
	int in[CHANNELS];
	int out[CHANNELS];
};

/* An eventfd, a pipe, a FIFO: no read waits, so each needs an edge of its own. */
static void open_way(struct way *w)
{
	MUST(!mkfifo(FIFO, 0600));
	w->in[0] = event(0);
	w->out[0] = w->in[0];
	MUST(!pipe2(p, O_NONBLOCK));
	w->in[1] = p[0];
	w->out[1] = p[1];
	w->in[2] = open(FIFO, O_RDONLY | O_NONBLOCK);
	w->out[2] = open(FIFO, O_WRONLY | O_NONBLOCK);
	MUST(w->in[2] >= 0 && w->out[2] >= 0);
}

static int watch_way(const struct way *w)
{
	int i, fd = new_epoll();

	for (i = 0; i < CHANNELS; i++)
		add(fd, w->in[i], EPOLLIN | EPOLLET, i);
	return fd;
}

static void send_on(const struct way *w, uint64_t value)
{
	MUST(write(w->out[value % CHANNELS], &value, 8) == 8);
}

/* One edge for each value, neither more nor less. */
static uint64_t receive(int ep, const struct way *w)
{
	struct epoll_event e;
	uint64_t value;

	MUST(epoll_wait(ep, &e, 1, -1) == 1);
	MUST(read(w->in[e.data.u64], &value, 8) == 8);
	return value;
}

static void talk(void *arg)
{
	struct way there, back;
	uint64_t n;

	unlink(FIFO);
	open_way(&there);
	/* Open as it is, it needs no name but to be found again. */
	MUST(!rename(FIFO, FIFO "2"));
	open_way(&back);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		ep = watch_way(&there);
		for (;;)
			send_on(&back, receive(ep, &there) + 1);
	}
	ep = watch_way(&back);
	ready();
	for (n = 1; n <= ROUNDS; n++) {
		send_on(&there, n);
		MUST(receive(ep, &back) == n + 1);
		/* Not through before the test is. */
		if (n % 10 == 0)
			ckpt_sleep_ms(3);
	}
	kill(child, SIGKILL);
	MUST(waitpid(child, NULL, 0) == child);
	_exit(GOOD);
}

PROGRAM_FIXTURE(talk, begin_tree, all_end);

TEST_F(talk, no_edge_is_lost)
{
	int i;

	unlink(FIFO "2");
	self->pid = start(_metadata, talk, NULL);
	for (i = 0; i < 8; i++) {
		ckpt_sleep_ms(3 + 7 * i);
		kill_and_restart(_metadata, &self->pid, false);
	}
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 30000));
	EXPECT_STREQ("ready\n", log_text());
	self->pid = 0;
	unlink(FIFO);
	unlink(FIFO "2");
}

/* ---- what refuses ------------------------------------------------------------------ */

/* What it watches is kept by one who has left. */
static void set_kept_outside(void)
{
	int pid;

	ep = new_epoll();
	a = event(0);
	add(ep, a, EPOLLIN, 1);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(ep);
		close(log_fd);
		if (!fork())
			for (;;)
				pause();
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0) == pid);
	close(a);
}

static void check_kept_outside(void)
{
	MUST(watches(ep, a, EPOLLIN | ALWAYS, 1));
}

PROGRAM_FIXTURE(refused, begin_tree, all_end);

TEST_F(refused, kept_outside)
{
	static const struct program p = { set_kept_outside, check_kept_outside };
	static const char *const words[] = {
		"anon_inode:[eventpoll] watches what was descriptor ",
		", whose open file no process of the tree has", NULL
	};

	self->pid = start_program(_metadata, &p);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	go();
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
	kill(-self->pid, SIGKILL);
	self->pid = 0;
}

TEST_HARNESS_MAIN
