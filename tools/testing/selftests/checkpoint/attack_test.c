// SPDX-License-Identifier: GPL-2.0
/*
 * Everything fails once, at every place where it can: allocations and accesses
 * to user memory, the output, and those concerned, who are killed at each step.
 * After each attack the program runs on or is dead with its image complete;
 * nothing stays frozen, and the next checkpoint or restart works.
 *
 * A feature extends this by a line in program(): what it keeps there is part of
 * every attack from then on.
 */
#include "ckpt_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define KILL_POINT	"/sys/kernel/debug/checkpoint/kill"
#define SMALL_FS	"/tmp/attack.fs"
#define OPEN_FILE	"/tmp/attack.open"
#define FIFO		"/tmp/attack.fifo"
#define FULL_IMG	"/tmp/attack.full"
#define PATTERN		64		/* pages */
#define MAX_FAULTS	5000
/* That many calls that came through: there is no n-th fault any more. */
#define UNHARMED	25
#define PAGE		4096UL

/* ---- the program ----------------------------------------------------------- */

/* Two seccomp filters, one on top of the other; one call fails from now on. */
static bool filter(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getparam, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, insns };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* One timer that runs, and one whose signal is queued. */
static void set_timers(void)
{
	struct sigevent ev = { .sigev_signo = SIGRTMIN };
	struct itimerspec it = { .it_value.tv_sec = 1000000 };
	int i, id;

	for (i = 0; i < 2; i++) {
		ev.sigev_value.sival_int = 8 + i;
		if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) ||
		    syscall(SYS_timer_settime, id, 0, &it, NULL))
			_exit(6);
		it.it_value = (struct timespec){ 0, 1 };
	}
	do {
		syscall(SYS_timer_gettime, id, &it);
	} while (it.it_value.tv_nsec);
}

static int ep, event, timer, fifo, zombie, sockets[2];

static void watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	if (fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		_exit(6);
}

/* A pair that is on its way in itself, behind a few bytes. */
static void open_sockets(void)
{
	int closed[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, closed) ||
	    write(closed[1], "last", 4) != 4 || close(closed[1]) ||
	    write(sockets[0], "data", 4) != 4 ||
	    !ckpt_send_fds(sockets[0], "pair", sockets, 2))
		_exit(6);
}

/* One of each kind of descriptor, all watched, one with an edge to come. */
static void open_fds(void)
{
	struct itimerspec it = { .it_value.tv_sec = 1000000 };
	struct epoll_event e[8];
	sigset_t set;
	int fds[2];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	zombie = fork();
	if (!zombie)
		_exit(0);
	if (waitpid(zombie, NULL, 0) != zombie)
		_exit(6);
	ep = epoll_create1(0);
	event = eventfd(3, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	fifo = open(FIFO, O_RDWR | O_NONBLOCK);
	if (timerfd_settime(timer, 0, &it, NULL) || pipe(fds) ||
	    write(fds[1], "pipe", 4) != 4 || write(fifo, "fifo", 4) != 4)
		_exit(6);
	watch(timer);
	watch(fifo);
	watch(fds[0]);
	watch(signalfd(-1, &set, 0));
	watch(syscall(SYS_pidfd_open, getpid(), 0));
	if (epoll_wait(ep, e, 8, 0) != 2)
		_exit(6);
	watch(event);
	open_sockets();
}

static bool fds_are_there(void)
{
	struct epoll_event e[8];
	struct itimerspec it;
	uint64_t n;
	char c[4];

	return epoll_wait(ep, e, 8, 0) == 1 && e[0].data.fd == event &&
	       read(event, &n, 8) == 8 && n == 3 &&
	       read(fifo, c, 4) == 4 && !memcmp(c, "fifo", 4) &&
	       read(sockets[1], c, 4) == 4 && !memcmp(c, "data", 4) &&
	       read(sockets[1], c, 4) == 4 && !memcmp(c, "pair", 4) &&
	       !timerfd_gettime(timer, &it) && it.it_value.tv_sec > 900000;
}

/* Waits for SIGUSR1; exits with 42 if all that it has is there. */
static void program(void *arg)
{
	unsigned long *p, i, n = PATTERN * PAGE / sizeof(*p);
	int fd = open(OPEN_FILE, O_RDWR), sig;
	union sigval value = { .sival_int = 7 };
	siginfo_t info;
	sigset_t set;

	p = mmap(NULL, PATTERN * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < n; i++)
		p[i] = i * 0x9e3779b97f4a7c15UL;
	lseek(fd, 3, SEEK_SET);
	open_fds();
	if (!filter())
		_exit(6);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigqueue(getpid(), SIGRTMIN, value);
	set_timers();
	sigdelset(&set, SIGRTMIN);
	if (write(*(int *)arg, "r", 1) != 1)
		_exit(1);
	close(*(int *)arg);
	if (sigwait(&set, &sig))
		_exit(2);

	for (i = 0; i < n; i++)
		if (p[i] != i * 0x9e3779b97f4a7c15UL)
			_exit(3);
	if (lseek(fd, 0, SEEK_CUR) != 3)
		_exit(4);
	if (!fds_are_there())
		_exit(7);
	sigaddset(&set, SIGRTMIN);
	if (sigwaitinfo(&set, &info) != SIGRTMIN || info.si_value.sival_int != 7)
		_exit(5);
	if (syscall(SYS_sched_getparam, 0, NULL) != -1 || errno != 77)
		_exit(9);
	if (sigwaitinfo(&set, &info) != SIGRTMIN || info.si_value.sival_int != 9)
		_exit(7);
	if (syscall(SYS_timer_delete, 0) || syscall(SYS_timer_delete, 1))
		_exit(8);
	_exit(42);
}

static pid_t start_program(void)
{
	int fds[2];
	pid_t pid;
	char c;

	ckpt_touch(OPEN_FILE);
	mkfifo(FIFO, 0600);
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = ckpt_spawn(program, &fds[1], fds[1]);
	close(fds[1]);
	/* Until it has closed its end, of which the other is ours. */
	if (read(fds[0], &c, 1) != 1 || read(fds[0], &c, 1))
		return -1;
	close(fds[0]);
	return pid;
}

static bool ends_well(pid_t pid)
{
	return !kill(pid, SIGUSR1) && ckpt_wait(pid, 10000) == 42;
}

/*
 * A frozen process would not do as it is told, and one that is being killed
 * does not stop any more. Returns -1 if it goes on, else as ckpt_wait() does.
 */
static int dies_or_goes_on(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid)
		return -ECHILD;
	if (!WIFSTOPPED(status))
		return ckpt_exit_code(status);
	kill(pid, SIGCONT);
	return -1;
}

static bool stops_and_goes_on(pid_t pid)
{
	return dies_or_goes_on(pid) == -1;
}

/* ---- faults -------------------------------------------------------------------- */

static bool faults_on(void)
{
#define FAULT "/sys/kernel/debug/"
	return ckpt_write_text(FAULT "failslab/ignore-gfp-wait", "N") &&
	       ckpt_write_text(FAULT "failslab/verbose", "0") &&
	       ckpt_write_text(FAULT "fail_page_alloc/ignore-gfp-wait", "N") &&
	       ckpt_write_text(FAULT "fail_page_alloc/ignore-gfp-highmem",
			       "N") &&
	       ckpt_write_text(FAULT "fail_page_alloc/min-order", "0") &&
	       ckpt_write_text(FAULT "fail_page_alloc/verbose", "0") &&
	       ckpt_write_text(FAULT "fail_usercopy/verbose", "0");
}

/* What a call came to whose n-th allocation or user access failed. */
struct outcome {
	long ret;
	bool struck;
};

/* In a child of its own, so that no fault hits the test. */
static struct outcome save_with_fault(pid_t pid, unsigned long flags, int n)
{
	struct checkpoint_args args = { .log_fd = ckpt_log_begin() };
	struct outcome o = { .ret = -ECHILD };
	struct ckpt_stats stats;
	char text[16];
	int fds[2], out;
	pid_t child;

	args.stats = (uintptr_t)&stats;
	args.stats_size = sizeof(stats);
	out = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || pipe(fds))
		return o;
	child = fork();
	if (!child) {
		int nth = open("/proc/thread-self/fail-nth", O_RDWR);

		snprintf(text, sizeof(text), "%d", n);
		if (write(nth, text, strlen(text)) < 0)
			_exit(1);
		o.ret = sys_checkpoint(pid, out, flags | CHECKPOINT_SUBTREE |
				       CHECKPOINT_ARGS, &args, sizeof(args));
		if (o.ret < 0)
			o.ret = -errno;
		memset(text, 0, sizeof(text));
		pread(nth, text, sizeof(text) - 1, 0);
		pwrite(nth, "0", 1, 0);
		o.struck = atoi(text) == 0;
		if (write(fds[1], &o, sizeof(o)) != sizeof(o))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], &o, sizeof(o)) != sizeof(o))
		o.ret = -ECHILD;
	close(fds[0]);
	close(out);
	waitpid(child, NULL, 0);
	ckpt_log_end(args.log_fd);
	return o;
}

static void restart_with_fault(int in, int log, int done, pid_t pid, int n)
{
	struct restart_args args = {
		.log_fd = log, .context_fd = -1, .done_fd = done,
	};
	int nth = open("/proc/thread-self/fail-nth", O_RDWR);
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	setsid();
	if (n && write(nth, text, strlen(text)) < 0)
		_exit(255);
	sys_restart(0, in, RESTART_TASKSELF | RESTART_ARGS, &args, sizeof(args));
	n = errno;
	pwrite(nth, "0", 1, 0);
	_exit(n < 255 ? n : 254);
}

/*
 * Restarts from CKPT_IMG; @n: as above, or 0. Returns 0 if the program runs,
 * else what the restarter died of: -errno, or 256 + a signal. @stage: the step
 * at which the restarter is killed, or NULL.
 */
static int restart_attacked(pid_t pid, int n, const char *stage)
{
	struct clone_args ca = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};
	int in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC), log = ckpt_log_begin();
	int done[2], go[2], status = 0;
	char byte, text[64];
	ssize_t got;
	pid_t child;

	if (pipe2(done, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return -errno;
	child = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!child) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			restart_with_fault(in, log, done[1], pid, n);
		_exit(255);
	}
	if (child != pid)
		return -errno;
	snprintf(text, sizeof(text), "%s %d", stage ?: "", pid);
	if (!stage || ckpt_write_text(KILL_POINT, text))
		if (write(go[1], "g", 1) != 1)
			return -errno;
	close(go[0]);
	close(go[1]);
	close(done[1]);
	close(in);
	got = read(done[0], &byte, 1);
	close(done[0]);
	if (got != 1)
		waitpid(pid, &status, 0);
	ckpt_log_end(log);
	if (got == 1)
		return 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

FIXTURE(attack)
{
	pid_t pid;
};

FIXTURE_SETUP(attack)
{
	self->pid = start_program();
	ASSERT_LT(0, self->pid);
	ckpt_write_text(KILL_POINT, "\n");
}

FIXTURE_TEARDOWN(attack)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
	unlink(OPEN_FILE);
	unlink(FIFO);
	unlink(FULL_IMG);
}

static void faults_in_save(struct __test_metadata *_metadata, pid_t pid,
			   unsigned long flags)
{
	int n, struck = 0, failed = 0, through = 0;

	if (!faults_on())
		SKIP(return, "no fault injection in this kernel");
	for (n = 1; n < MAX_FAULTS && through < UNHARMED; n++) {
		struct outcome o = save_with_fault(pid, flags, n);

		ASSERT_NE(-ECHILD, o.ret);
		struck += o.struck;
		through = o.struck ? 0 : through + 1;
		if (n % 16 == 0)
			ASSERT_TRUE(stops_and_goes_on(pid));
		if (o.ret > 0)
			continue;
		failed++;
		/* No fault, no failure. */
		ASSERT_TRUE(o.struck)
			TH_LOG("%d: %ld: %s", n, o.ret, ckpt_log_text);
		ASSERT_TRUE(o.ret == -ENOMEM || o.ret == -EFAULT ||
			    o.ret == -EOPNOTSUPP)
			TH_LOG("%d: %ld: %s", n, o.ret, ckpt_log_text);
	}
	TH_LOG("%d faults, %d calls failed", struck, failed);
	EXPECT_LT(n, MAX_FAULTS);
	EXPECT_LT(20, failed);
	EXPECT_TRUE(ends_well(pid));
}

TEST_F_TIMEOUT(attack, faults_in_checkpoint, 900)
{
	faults_in_save(_metadata, self->pid, 0);
}

/* The same, with the memory duplicated first. */
TEST_F_TIMEOUT(attack, faults_in_checkpoint_cow, 900)
{
	faults_in_save(_metadata, self->pid, CHECKPOINT_COW);
}

/* Killed if and only if there is an image that brings it back. */
TEST_F_TIMEOUT(attack, faults_in_checkpoint_and_kill, 900)
{
	int n, killed = 0, through = 0;

	if (!faults_on())
		SKIP(return, "no fault injection in this kernel");
	for (n = 1; n < MAX_FAULTS && through < UNHARMED; n += 3) {
		struct outcome o;

		o = save_with_fault(self->pid, CHECKPOINT_KILL, n);
		through = o.struck ? 0 : through + 1;
		if (o.ret <= 0) {
			ASSERT_TRUE(stops_and_goes_on(self->pid))
				TH_LOG("%d: %ld: %s", n, o.ret, ckpt_log_text);
			continue;
		}
		killed++;
		ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
			TH_LOG("%d: %s", n, ckpt_log_text);
	}
	EXPECT_LT(0, killed);
	EXPECT_TRUE(ends_well(self->pid));
}

TEST_F_TIMEOUT(attack, faults_in_restart, 900)
{
	int n, failed = 0, through = 0;

	if (!faults_on())
		SKIP(return, "no fault injection in this kernel");
	ckpt_save_and_kill(_metadata, self->pid);
	for (n = 1; n < MAX_FAULTS && through < UNHARMED; n++) {
		int ret = restart_attacked(self->pid, n, NULL);

		if (!ret) {
			through++;
			ASSERT_TRUE(ends_well(self->pid))
				TH_LOG("%d: %s", n, ckpt_log_text);
			continue;
		}
		failed++;
		through = 0;
		/* An errno to a restarter that could still tell it. */
		ASSERT_GT(0, ret)
			TH_LOG("%d: signal %d: %s", n, ret - 256, ckpt_log_text);
		/* ENFILE: pipe() has no memory. */
		ASSERT_TRUE(ret == -ENOMEM || ret == -EFAULT || ret == -EAGAIN ||
			    ret == -EBUSY || ret == -EINVAL || ret == -ENFILE)
			TH_LOG("%d: %d: %s", n, ret, ckpt_log_text);
	}
	TH_LOG("%d calls failed", failed);
	EXPECT_LT(n, MAX_FAULTS);
	EXPECT_LT(50, failed);
	ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_TRUE(ends_well(self->pid));
}

/* ---- death at each step -------------------------------------------------------- */

static const char *const save_stages[] = {
	"freeze", "frozen", "checked", "captured", "meta-written",
	"payload-written", "written", "thaw",
};

static const char *const restart_stages[] = {
	"meta-read", "checked-image", "objects", "mapped", "payload-read",
	"verified", "committed",
};

/* Saves in a child; returns its exit: 0 saved, an errno, or 256 + signal. */
static int save_in_child(pid_t pid, unsigned long flags, const char *stage,
			 bool kill_saver)
{
	int out = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC, 0600), go[2];
	char text[64], byte;
	pid_t child;

	if (out < 0 || pipe(go))
		return -1;
	child = fork();
	if (!child) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(255);
		if (sys_checkpoint(pid, out, flags | CHECKPOINT_SUBTREE, NULL,
				   0) > 0)
			_exit(0);
		_exit(errno);
	}
	close(out);
	close(go[0]);
	snprintf(text, sizeof(text), "%s %d", stage, kill_saver ? child : pid);
	if (ckpt_write_text(KILL_POINT, text) && write(go[1], "g", 1) != 1)
		return -1;
	close(go[1]);
	return ckpt_wait(child, 20000);
}

static int kill_point_left(void)
{
	char text[16];

	ckpt_read_text(KILL_POINT, text, sizeof(text));
	return atoi(text);
}

TEST_F(attack, saver_killed)
{
	static const unsigned long ways[] = { 0, CHECKPOINT_KILL, CHECKPOINT_COW };
	unsigned int i, way;

	if (access(KILL_POINT, F_OK))
		SKIP(return, "no kill points in this kernel");
	for (i = 0; i < sizeof(save_stages) / sizeof(*save_stages); i++) {
		for (way = 0; way < 3; way++) {
			int ret = save_in_child(self->pid, ways[way],
						save_stages[i], true);
			int gone;

			ASSERT_EQ(256 + SIGKILL, ret)
				TH_LOG("%s", save_stages[i]);
			ASSERT_EQ(0, kill_point_left());
			gone = dies_or_goes_on(self->pid);
			if (gone == -1)
				continue;
			/* Killed: then there must be an image. */
			ASSERT_TRUE(ways[way] == CHECKPOINT_KILL &&
				    gone == 256 + SIGKILL)
				TH_LOG("%s: %d", save_stages[i], gone);
			ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
				TH_LOG("%s: %s", save_stages[i], ckpt_log_text);
		}
	}
	EXPECT_TRUE(ends_well(self->pid));
}

TEST_F(attack, target_killed)
{
	const unsigned int nr = sizeof(save_stages) / sizeof(*save_stages);
	unsigned int n;

	if (access(KILL_POINT, F_OK))
		SKIP(return, "no kill points in this kernel");
	for (n = 0; n < 2 * nr; n++) {
		unsigned int i = n % nr;
		int ret = save_in_child(self->pid, n < nr ? 0 : CHECKPOINT_COW,
					save_stages[i], false);

		ASSERT_EQ(0, kill_point_left());
		ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000))
			TH_LOG("%s", save_stages[i]);
		/* An image is complete, or the death is told. */
		if (ret) {
			ASSERT_EQ(ESRCH, ret)
				TH_LOG("%s", save_stages[i]);
			self->pid = start_program();
			ASSERT_LT(0, self->pid);
			continue;
		}
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
			TH_LOG("%s: %s", save_stages[i], ckpt_log_text);
	}
	EXPECT_TRUE(ends_well(self->pid));
}

TEST_F(attack, restarter_killed)
{
	unsigned int i;

	if (access(KILL_POINT, F_OK))
		SKIP(return, "no kill points in this kernel");
	ckpt_save_and_kill(_metadata, self->pid);
	for (i = 0; i < sizeof(restart_stages) / sizeof(*restart_stages); i++) {
		int ret = restart_attacked(self->pid, 0, restart_stages[i]);

		ASSERT_EQ(0, kill_point_left());
		/* Behind the commit it may say that it was done. */
		if (!ret)
			ret = ckpt_wait(self->pid, 5000);
		ASSERT_EQ(256 + SIGKILL, ret)
			TH_LOG("%s: %s", restart_stages[i], ckpt_log_text);
		ASSERT_EQ(-1, kill(self->pid, 0));
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
			TH_LOG("%s: %s", restart_stages[i], ckpt_log_text);
		ASSERT_TRUE(ends_well(self->pid))
			TH_LOG("%s", restart_stages[i]);
	}
}

/* ---- output that fails ----------------------------------------------------------- */

#define MAX_BOUNDS	1000

/* Offsets at which records and payloads of the image end. */
static int image_bounds(const char *path, off_t *bounds)
{
	struct ckpt_rec_pages pages;
	struct ckpt_hdr h;
	off_t off = 0;
	int nr = 0, fd;

	fd = open(path, O_RDONLY);
	while (nr < MAX_BOUNDS && pread(fd, &h, sizeof(h), off) == sizeof(h)) {
		bounds[nr++] = off;
		if (h.type == CKPT_REC_PAGES &&
		    pread(fd, &pages, sizeof(pages), off) == sizeof(pages)) {
			off = (off + h.len + PAGE - 1) & ~(PAGE - 1);
			bounds[nr++] = off;
			off += pages.data_len;
		} else {
			off += h.len;
		}
	}
	close(fd);
	return nr;
}

static int save_limited(pid_t pid, off_t limit)
{
	pid_t child = fork();
	int out;

	if (child)
		return ckpt_wait(child, 20000);
	signal(SIGXFSZ, SIG_IGN);
	out = open(FULL_IMG, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ limit, limit });
	if (sys_checkpoint(pid, out, CHECKPOINT_KILL | CHECKPOINT_SUBTREE,
			   NULL, 0) > 0)
		_exit(0);
	_exit(errno);
}

/* A reader that takes @limit bytes and goes. */
static int save_to_reader(pid_t pid, off_t limit)
{
	char buf[4096];
	int fds[2];
	pid_t child;
	ssize_t n;

	if (pipe(fds))
		return -1;
	child = fork();
	if (!child) {
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN);
		fcntl(fds[1], F_SETPIPE_SZ, 4096);
		if (sys_checkpoint(pid, fds[1], CHECKPOINT_KILL |
				   CHECKPOINT_SUBTREE, NULL, 0) > 0)
			_exit(0);
		_exit(errno);
	}
	close(fds[1]);
	while (limit > 0) {
		n = read(fds[0], buf, limit < sizeof(buf) ? limit : sizeof(buf));
		if (n <= 0)
			break;
		limit -= n;
	}
	close(fds[0]);
	return ckpt_wait(child, 20000);
}

TEST_F(attack, output_fails_at_each_record)
{
	static off_t bounds[MAX_BOUNDS];
	int i, nr, ret;

	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	nr = image_bounds(CKPT_IMG, bounds);
	ASSERT_LT(30, nr);
	for (i = 0; i < nr; i++) {
		/* One byte more or less than up to the boundary. */
		off_t limit = bounds[i] + i % 3 - (i > 0);

		ret = save_limited(self->pid, limit);
		ASSERT_EQ(EFBIG, ret)
			TH_LOG("limit %ld", (long)limit);
		ret = save_to_reader(self->pid, limit);
		/* What fits into the pipe is gone before the reader. */
		ASSERT_TRUE(ret == EPIPE ||
			    (!ret && limit + 4096 >= bounds[nr - 1]))
			TH_LOG("reader of %ld bytes: %d", (long)limit, ret);
		if (!ret) {
			/* The same program, for an image of the same length. */
			ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
			ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
				TH_LOG("%s", ckpt_log_text);
		}
		if (i % 8 == 0)
			ASSERT_TRUE(stops_and_goes_on(self->pid));
	}
	EXPECT_TRUE(ends_well(self->pid));
}

TEST_F(attack, no_space_left)
{
	char opts[64];
	struct stat st;
	int i, out;

	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	ASSERT_EQ(0, stat(CKPT_IMG, &st));
	mkdir(SMALL_FS, 0700);
	ASSERT_EQ(0, mount("none", SMALL_FS, "tmpfs", 0, "size=4k"));
	for (i = 1; i < st.st_size / PAGE; i += 3) {
		snprintf(opts, sizeof(opts), "size=%dk", i * 4);
		ASSERT_EQ(0, mount(NULL, SMALL_FS, NULL, MS_REMOUNT, opts));
		out = open(SMALL_FS "/image", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		ASSERT_LE(0, out);
		ASSERT_EQ(-ENOSPC, ckpt_save_fd(self->pid, out, CHECKPOINT_KILL,
						NULL));
		ASSERT_NE(NULL, strstr(ckpt_log_text, "writing the image failed at offset"))
			TH_LOG("%s", ckpt_log_text);
		close(out);
		unlink(SMALL_FS "/image");
	}
	ASSERT_EQ(0, umount(SMALL_FS));
	rmdir(SMALL_FS);
	EXPECT_TRUE(ends_well(self->pid));
}

TEST_HARNESS_MAIN
