// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that are no files: what they count, who waits at them, who has
 * them in common.
 */
#include "tree_program.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* ---- in the program ---------------------------------------------------------- */

static int fd, other, child;

static bool blocks(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return !poll(&p, 1, 0);
}

/* ---- eventfd ------------------------------------------------------------------- */

static uint64_t counted(int fd)
{
	uint64_t value = 0;

	MUST(read(fd, &value, 8) == 8);
	return value;
}

static void count(int fd, uint64_t value)
{
	MUST(write(fd, &value, 8) == 8);
}

static void set_event(void)
{
	fd = eventfd(7, EFD_CLOEXEC);
	other = eventfd(0, EFD_NONBLOCK);
	MUST(fd >= 0 && other >= 0);
}

static void check_event(void)
{
	uint64_t value;

	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC && !fcntl(other, F_GETFD));
	MUST(fcntl(fd, F_GETFL) == O_RDWR);
	MUST(fcntl(other, F_GETFL) == (O_RDWR | O_NONBLOCK));
	MUST(counted(fd) == 7);
	count(fd, 3);
	count(fd, 4);
	MUST(counted(fd) == 7 && blocks(fd, POLLIN));
	MUST(read(other, &value, 8) < 0 && errno == EAGAIN);
}

static void set_semaphore(void)
{
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	MUST(fd >= 0);
}

static void check_semaphore(void)
{
	uint64_t value;

	MUST(counted(fd) == 1 && counted(fd) == 1);
	MUST(read(fd, &value, 8) < 0 && errno == EAGAIN);
}

#define FULL	0xfffffffffffffffeULL

static void set_full_event(void)
{
	fd = eventfd(0, EFD_NONBLOCK);
	MUST(fd >= 0);
	count(fd, FULL);
}

static void check_full_event(void)
{
	uint64_t one = 1;

	MUST(blocks(fd, POLLOUT) && !blocks(fd, POLLIN));
	MUST(write(fd, &one, 8) < 0 && errno == EAGAIN);
	MUST(counted(fd) == FULL);
	count(fd, 1);
}

static void read_nine(void)
{
	MUST(counted(other) == 9);
}

/* One open file of two descriptors and two tasks. */
static void set_event_reader(void)
{
	fd = eventfd(0, 0);
	other = dup(fd);
	MUST(fd >= 0 && other >= 0);
	child = start_child(read_nine, SYS_read);
}

static void check_event_reader(void)
{
	MUST(!fcntl(other, F_SETFL, O_NONBLOCK));
	MUST(fcntl(fd, F_GETFL) & O_NONBLOCK);
	MUST(!fcntl(other, F_SETFL, 0));
	count(fd, 9);
	collect(child, GOOD);
}

static void write_five(void)
{
	count(other, 5);
}

static void set_event_writer(void)
{
	fd = eventfd(0, 0);
	other = dup(fd);
	MUST(fd >= 0 && other >= 0);
	count(fd, FULL);
	child = start_child(write_five, SYS_write);
}

static void check_event_writer(void)
{
	MUST(counted(fd) == FULL);
	collect(child, GOOD);
	MUST(counted(fd) == 5);
}

/* ---- timerfd ------------------------------------------------------------------- */

/* How long at least a tree is dead, in seconds. */
#define DEAD		0.3

static double began;

static struct timespec to_timespec(double s)
{
	return (struct timespec) { (time_t)s, (s - (time_t)s) * 1e9 };
}

static void set_timer(int fd, int flags, double value, double interval)
{
	struct itimerspec it = { to_timespec(interval), to_timespec(value) };

	MUST(!timerfd_settime(fd, flags, &it, NULL));
}

static double time_left(int fd, double *interval)
{
	struct itimerspec it;

	MUST(!timerfd_gettime(fd, &it));
	if (interval)
		*interval = it.it_interval.tv_sec + it.it_interval.tv_nsec / 1e9;
	return it.it_value.tv_sec + it.it_value.tv_nsec / 1e9;
}

static const clockid_t clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
	CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM,
};

#define CLOCKS	(sizeof(clocks) / sizeof(*clocks))

static int timers[CLOCKS];

static void set_clocks(void)
{
	unsigned int i;

	for (i = 0; i < CLOCKS; i++) {
		timers[i] = timerfd_create(clocks[i], i & 1 ? TFD_NONBLOCK : 0);
		MUST(timers[i] >= 0);
		set_timer(timers[i], 0, 100, i + 7.5);
	}
	began = ckpt_now(CLOCK_MONOTONIC);
}

/* The time of death does not count. */
static void check_clocks(void)
{
	double interval, left, lived = ckpt_now(CLOCK_MONOTONIC) - began;
	char path[64], text[1024], line[32];
	unsigned int i;

	for (i = 0; i < CLOCKS; i++) {
		left = time_left(timers[i], &interval);
		MUST(left < 100 && left > 100 - lived + DEAD);
		MUST(interval > i + 7.499 && interval < i + 7.501);
		MUST(!!(fcntl(timers[i], F_GETFL) & O_NONBLOCK) == (i & 1));
		MUST(blocks(timers[i], POLLIN));
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", timers[i]);
		MUST(ckpt_read_text(path, text, sizeof(text)) > 0);
		snprintf(line, sizeof(line), "\nclockid: %d\n", clocks[i]);
		MUST(strstr(text, line) && strstr(text, "\nsettime flags: 00\n"));
	}
	/* They run. */
	set_timer(timers[3], 0, 0.02, 0);
	MUST(!fcntl(timers[3], F_SETFL, 0) && counted(timers[3]) == 1);
}

static void set_deadlines(void)
{
	double now;
	unsigned int i;

	for (i = 0; i < CLOCKS; i++) {
		timers[i] = timerfd_create(clocks[i], 0);
		MUST(timers[i] >= 0);
		now = ckpt_now(clocks[i]);
		set_timer(timers[i], TFD_TIMER_ABSTIME, now + 100, 0);
	}
	began = ckpt_now(CLOCK_MONOTONIC);
}

/* One of the wall clock is a time of day, for which dead time counts. */
static void check_deadlines(void)
{
	double lived = ckpt_now(CLOCK_MONOTONIC) - began, left;
	unsigned int i;
	bool wall;

	for (i = 0; i < CLOCKS; i++) {
		wall = clocks[i] == CLOCK_REALTIME || clocks[i] == CLOCK_REALTIME_ALARM;
		left = time_left(timers[i], NULL);
		MUST(left < 100 - (wall ? DEAD : 0));
		MUST(left > 100 - lived - 0.1 + (wall ? 0 : DEAD));
	}
}

/* Over, and not read; over several times; never set. */
static void set_expired(void)
{
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	other = timerfd_create(CLOCK_BOOTTIME_ALARM, 0);
	timers[0] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	MUST(fd >= 0 && other >= 0 && timers[0] >= 0);
	began = ckpt_now(CLOCK_MONOTONIC);
	set_timer(fd, 0, 0.001, 0);
	set_timer(other, 0, 0.01, 0.01);
	ckpt_sleep_ms(100);
	MUST(!blocks(fd, POLLIN) && !blocks(other, POLLIN));
}

static void check_expired(void)
{
	uint64_t n;

	MUST(counted(fd) == 1 && blocks(fd, POLLIN) && !time_left(fd, NULL));
	n = counted(other);
	MUST(n >= 9 && n <= 1 + 100 * (ckpt_now(CLOCK_MONOTONIC) - began));
	n = counted(other);
	MUST(n >= 1 && time_left(other, NULL) <= 0.01);
	MUST(!time_left(timers[0], NULL));
	MUST(read(timers[0], &n, 8) < 0 && errno == EAGAIN);
}

static void read_one(void)
{
	MUST(counted(fd) == 1);
}

static void set_timer_reader(void)
{
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	MUST(fd >= 0);
	began = ckpt_now(CLOCK_MONOTONIC);
	set_timer(fd, 0, 1, 0);
	child = start_child(read_one, SYS_read);
}

static void check_timer_reader(void)
{
	collect(child, GOOD);
	MUST(ckpt_now(CLOCK_MONOTONIC) - began > 1 + DEAD);
}

static void wall_clock_jumps(void)
{
	struct timespec ts;

	MUST(!clock_gettime(CLOCK_REALTIME, &ts));
	ts.tv_nsec += ts.tv_nsec < 500000000 ? 1000000 : -1000000;
	MUST(!clock_settime(CLOCK_REALTIME, &ts));
}

static void make_cancelable(int *fd, int flags)
{
	*fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	MUST(*fd >= 0);
	set_timer(*fd, TFD_TIMER_ABSTIME | flags,
		  ckpt_now(CLOCK_REALTIME) + 1000, 0);
}

/* One that is told, one that is not, one that does not want to know. */
static void set_cancel(void)
{
	make_cancelable(&fd, TFD_TIMER_CANCEL_ON_SET);
	wall_clock_jumps();
	make_cancelable(&other, TFD_TIMER_CANCEL_ON_SET);
	make_cancelable(&timers[0], 0);
	/* It remembers what the clock was when it was made. */
	wall_clock_jumps();
	make_cancelable(&timers[1], TFD_TIMER_CANCEL_ON_SET);
}

static bool canceled(int fd)
{
	uint64_t n;

	MUST(read(fd, &n, 8) < 0);
	return errno == ECANCELED;
}

static void check_cancel(void)
{
	MUST(canceled(fd) && !canceled(fd));
	MUST(canceled(other) && !canceled(other));
	MUST(!canceled(timers[0]) && !canceled(timers[1]));
	wall_clock_jumps();
	MUST(canceled(fd) && !canceled(timers[0]) && canceled(timers[1]));
	MUST(time_left(timers[1], NULL) > 900);
}

/* ---- signalfd ------------------------------------------------------------------ */

static sigset_t signals(int sig, int other)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigaddset(&set, other);
	return set;
}

static void read_signal(int fd, int sig, int value)
{
	struct signalfd_siginfo info;

	MUST(read(fd, &info, sizeof(info)) == sizeof(info));
	MUST(info.ssi_signo == sig && info.ssi_int == value);
}

static void block(int sig, int other)
{
	sigset_t set = signals(sig, other);

	MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
}

static void set_signal(void)
{
	sigset_t set = signals(SIGUSR1, SIGRTMIN);

	block(SIGUSR1, SIGRTMIN);
	block(SIGUSR2, SIGUSR2);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	MUST(fd >= 0);
	MUST(!sigqueue(getpid(), SIGRTMIN, (union sigval) { 5 }));
	MUST(!sigqueue(getpid(), SIGRTMIN, (union sigval) { 6 }));
	MUST(!raise(SIGUSR2));
}

static void check_signal(void)
{
	struct signalfd_siginfo info;
	sigset_t set = signals(SIGUSR2, SIGUSR2);
	char path[64], text[1024];

	MUST(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	MUST(ckpt_read_text(path, text, sizeof(text)) > 0);
	MUST(strstr(text, "\nsigmask:\t0000000200000200\n"));
	read_signal(fd, SIGRTMIN, 5);
	read_signal(fd, SIGRTMIN, 6);
	MUST(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	MUST(blocks(fd, POLLIN) && !raise(SIGUSR1) && !blocks(fd, POLLIN));
	read_signal(fd, SIGUSR1, 0);
	MUST(signalfd(fd, &set, 0) == fd);
	read_signal(fd, SIGUSR2, 0);
}

static void read_queued(void)
{
	read_signal(fd, SIGRTMIN, 7);
}

/* The child's signals, by an open file of its parent. */
static void set_signal_reader(void)
{
	sigset_t set = signals(SIGRTMIN, SIGRTMIN);

	block(SIGRTMIN, SIGRTMIN);
	fd = signalfd(-1, &set, 0);
	MUST(fd >= 0);
	child = start_child(read_queued, SYS_read);
}

static void check_signal_reader(void)
{
	MUST(blocks(fd, POLLIN));
	MUST(!sigqueue(child, SIGRTMIN, (union sigval) { 7 }));
	collect(child, GOOD);
}

/* ---- pidfd --------------------------------------------------------------------- */

/* linux/pidfd.h and fcntl.h do not go together. */
#define PIDFD_NONBLOCK	O_NONBLOCK
#define PIDFD_THREAD	O_EXCL

static int self_fd, alive_fd, zombie_fd, dead_fd[2], thread_fd, zombie;

static int pidfd(pid_t pid, int flags)
{
	int fd = syscall(SYS_pidfd_open, pid, flags);

	MUST(fd >= 0);
	return fd;
}

static int send_signal(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

static pid_t make_zombie(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		_exit(5);
	MUST(ckpt_wait_state(pid, 'Z'));
	return pid;
}

static void set_pidfd(void)
{
	pid_t dead;

	self_fd = pidfd(getpid(), PIDFD_NONBLOCK);
	thread_fd = pidfd(getpid(), PIDFD_THREAD);
	child = start_child(wait_forever, SYS_pause);
	alive_fd = pidfd(child, 0);
	zombie = make_zombie();
	zombie_fd = pidfd(zombie, 0);
	dead = make_zombie();
	dead_fd[0] = pidfd(dead, 0);
	dead_fd[1] = pidfd(dead, 0);
	MUST(waitpid(dead, NULL, 0) == dead);
}

static bool shows_pid(int fd, int pid)
{
	char path[64], text[1024], line[32];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	MUST(ckpt_read_text(path, text, sizeof(text)) > 0);
	snprintf(line, sizeof(line), "\nPid:\t%d\n", pid);
	return strstr(text, line);
}

static ino_t inode(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_ino;
}

static void check_pidfd(void)
{
	siginfo_t info = {};

	MUST(fcntl(self_fd, F_GETFL) == (O_RDWR | PIDFD_NONBLOCK));
	MUST(fcntl(thread_fd, F_GETFL) == (O_RDWR | PIDFD_THREAD));
	MUST(shows_pid(self_fd, getpid()) && shows_pid(alive_fd, child));
	MUST(shows_pid(zombie_fd, zombie) && shows_pid(dead_fd[0], -1));
	MUST(inode(self_fd) == inode(thread_fd));
	MUST(inode(dead_fd[0]) == inode(dead_fd[1]));
	MUST(inode(dead_fd[0]) != inode(zombie_fd));
	MUST(!send_signal(self_fd, 0));

	MUST(blocks(alive_fd, POLLIN) && !send_signal(alive_fd, SIGKILL));
	MUST(!waitid(P_PIDFD, alive_fd, &info, WEXITED));
	MUST(info.si_pid == child && info.si_status == SIGKILL);
	MUST(!blocks(alive_fd, POLLIN));

	MUST(!blocks(zombie_fd, POLLIN));
	MUST(!waitid(P_PIDFD, zombie_fd, &info, WEXITED));
	MUST(info.si_pid == zombie && info.si_status == 5);

	MUST(!blocks(dead_fd[0], POLLIN) && !blocks(dead_fd[1], POLLIN));
	MUST(send_signal(dead_fd[0], 0) < 0 && errno == ESRCH);
}

/* ---- pidfd of a thread --------------------------------------------------------- */

#define PIDFD_SIGNAL_THREAD	1

static int tids[2], end_thread[2];

/* One stays, the other is gone when the program is saved. */
static void *thread_body(void *arg)
{
	int nr = (long)arg;
	uint64_t c;

	__atomic_store_n(&tids[nr], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	MUST(read(end_thread[nr], &c, sizeof(c)) == sizeof(c));
	return NULL;
}

static pthread_t threads[2];
static int tid_fd[2], same_fd;

static void finish_thread(int nr)
{
	uint64_t one = 1;

	MUST(write(end_thread[nr], &one, sizeof(one)) == sizeof(one));
	MUST(!pthread_join(threads[nr], NULL));
}

/* Who joins a thread may be faster than its last step. */
static bool thread_is_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int i;

	for (i = 0; i < 1000 && !shows_pid(fd, -1); i++)
		ckpt_sleep_ms(2);
	return poll(&p, 1, 0) == 1 && shows_pid(fd, -1);
}

static void set_thread(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		end_thread[i] = eventfd(0, 0);
		MUST(end_thread[i] >= 0);
		MUST(!pthread_create(&threads[i], NULL, thread_body, (void *)(long)i));
		while (!__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST))
			ckpt_sleep_ms(1);
		tid_fd[i] = pidfd(tids[i], PIDFD_THREAD);
	}
	same_fd = pidfd(tids[0], PIDFD_THREAD);
	finish_thread(1);
	MUST(thread_is_gone(tid_fd[1]));
}

static void check_thread(void)
{
	MUST(fcntl(tid_fd[0], F_GETFL) == (O_RDWR | PIDFD_THREAD));
	MUST(shows_pid(tid_fd[0], tids[0]) && inode(tid_fd[0]) == inode(same_fd));
	MUST(blocks(tid_fd[0], POLLIN));
	MUST(!syscall(SYS_pidfd_send_signal, tid_fd[0], 0, NULL, PIDFD_SIGNAL_THREAD));
	finish_thread(0);
	MUST(thread_is_gone(tid_fd[0]));

	MUST(fcntl(tid_fd[1], F_GETFL) == (O_RDWR | PIDFD_THREAD));
	MUST(thread_is_gone(tid_fd[1]));
	MUST(inode(tid_fd[1]) != inode(tid_fd[0]));
	MUST(syscall(SYS_pidfd_send_signal, tid_fd[1], 0, NULL, PIDFD_SIGNAL_THREAD) < 0 &&
	     errno == ESRCH);
}

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(fds, begin_tree, end_tree);

FIXTURE_VARIANT(fds)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(fds, name)			\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(event);
PROGRAM(semaphore);
PROGRAM(full_event);
PROGRAM(event_reader);
PROGRAM(event_writer);
PROGRAM(expired);
PROGRAM(cancel);
PROGRAM(signal);
PROGRAM(signal_reader);
PROGRAM(pidfd);
PROGRAM(thread);

TEST_F(fds, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fds, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* Time passes while they are dead. */
PROGRAM_FIXTURE(timers, begin_tree, end_tree);

FIXTURE_VARIANT(timers)
{
	struct program program;
};

#define TIMER(name)				\
FIXTURE_VARIANT_ADD(timers, name)		\
{						\
	.program = { set_##name, check_##name },	\
}

TIMER(clocks);
TIMER(deadlines);
TIMER(timer_reader);

TEST_F(timers, time_of_death)
{
	self->pid = start_program(_metadata, &variant->program);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	ckpt_sleep_ms(1000 * DEAD);
	ASSERT_EQ(self->pid, restart_image(""));
	ends_well(_metadata, &self->pid);
}

static void set_cancelable(void)
{
	make_cancelable(&fd, TFD_TIMER_CANCEL_ON_SET);
	make_cancelable(&other, 0);
}

static void check_cancelable(void)
{
	MUST(canceled(fd) && !canceled(fd) && !canceled(other));
}

PROGRAM_FIXTURE(cancel, begin, end);

/* The clock is set while nobody can be told. */
TEST_F(cancel, clock_set_meanwhile)
{
	static const struct program p = { set_cancelable, check_cancelable };

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	wall_clock_jumps();
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void set_outsider(void)
{
	fd = pidfd(getppid(), 0);
}

static void check_outsider(void)
{
	MUST(shows_pid(fd, getppid()));
}

PROGRAM_FIXTURE(refused, begin_tree, end_tree);

TEST_F(refused, pidfd_of_outsider)
{
	static const struct program p = { set_outsider, check_outsider };
	char who[32];
	const char *const words[] = {
		" -> anon_inode:[pidfd] ", who, "), which is outside", NULL
	};

	snprintf(who, sizeof(who), "is of pid %d (", getpid());
	self->pid = start_program(_metadata, &p);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
