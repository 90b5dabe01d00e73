// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp: strict mode and filters come back, do what they did, and are shared
 * by whom they were shared; who may save and restore them; filters in images
 * that no system call would have taken.
 */
#include "program.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

/* What filters of the tests deny: each its own, with an errno that is known. */
#define ERR_OF(nr)	(100 + (nr) % 20)

static long seccomp(unsigned int op, unsigned int flags, void *arg)
{
	return syscall(SYS_seccomp, op, flags, arg);
}

static long deny_flags(long nr, unsigned int ret, unsigned int flags)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ret),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(insns), insns };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static long deny(long nr)
{
	return deny_flags(nr, SECCOMP_RET_ERRNO | ERR_OF(nr), 0);
}

static bool denied(long nr)
{
	errno = 0;
	return syscall(nr, 0, 0, 0, 0, 0, 0) == -1 && errno == ERR_OF(nr);
}

/* A line of /proc/self/status. */
static long status_of(pid_t pid, const char *name)
{
	char text[4096], *at;

	ckpt_read_proc(pid, "status", text, sizeof(text));
	at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 0) : -1;
}

/* ---- one process ------------------------------------------------------------ */

static void no_privs(void)
{
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void set_denies(void)
{
	no_privs();
	MUST(!deny(SYS_sched_getparam));
}

static void check_denies(void)
{
	MUST(status_of(getpid(), "\nSeccomp:") == SECCOMP_MODE_FILTER);
	MUST(status_of(getpid(), "\nSeccomp_filters:") == 1);
	MUST(status_of(getpid(), "\nNoNewPrivs:") == 1);
	MUST(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
	MUST(denied(SYS_sched_getparam));
	/* It can be made stricter still, and not be taken away. */
	MUST(!deny(SYS_sched_getscheduler));
	MUST(denied(SYS_sched_getparam) && denied(SYS_sched_getscheduler));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == -1);
}

#define MANY	100

static void set_many(void)
{
	int i;

	no_privs();
	for (i = 0; i < MANY; i++)
		MUST(!deny(i % 2 ? SYS_sched_getparam : SYS_sched_getscheduler));
	/* The newest decides among equals. */
	MUST(!deny_flags(SYS_getppid, SECCOMP_RET_ERRNO | 1, 0));
	MUST(!deny_flags(SYS_getppid, SECCOMP_RET_ERRNO | 2, 0));
}

static void check_many(void)
{
	MUST(status_of(getpid(), "\nSeccomp_filters:") == MANY + 2);
	MUST(denied(SYS_sched_getparam) && denied(SYS_sched_getscheduler));
	MUST(syscall(SYS_getppid) == -1 && errno == 2);
}

#define DEEP	400

/* So many that none may be done from within another. */
static void set_deep(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { .len = 1, .filter = &allow };
	int i;

	set_denies();
	for (i = 1; i < DEEP; i++)
		MUST(!seccomp(SECCOMP_SET_MODE_FILTER, 0, &prog));
}

static void check_deep(void)
{
	MUST(status_of(getpid(), "\nSeccomp_filters:") == DEEP);
	MUST(denied(SYS_sched_getparam));
}

/* As root, which needs no no_new_privs. */
static void set_privileged(void)
{
	MUST(!deny(SYS_sched_getparam));
}

static void check_privileged(void)
{
	MUST(status_of(getpid(), "\nNoNewPrivs:") == 0);
	MUST(denied(SYS_sched_getparam));
}

static volatile sig_atomic_t trapped;

static void on_sigsys(int sig, siginfo_t *si, void *ctx)
{
	trapped = si->si_code == 1 /* SYS_SECCOMP */ ? si->si_errno : -1;
}

static void set_trap(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO,
	};

	no_privs();
	MUST(!sigaction(SIGSYS, &sa, NULL));
	MUST(!deny_flags(SYS_sched_getparam, SECCOMP_RET_TRAP | 77, 0));
}

static void check_trap(void)
{
	syscall(SYS_sched_getparam, 0, 0);
	MUST(trapped == 77);
}

/* Looks at arguments, counts in scratch memory, jumps. */
static void set_program(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_LD | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12345 + sizeof(struct seccomp_data), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 99),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(insns), insns };

	no_privs();
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void check_program(void)
{
	MUST(syscall(SYS_dup, 12344) == -1 && errno == EBADF);
	MUST(syscall(SYS_dup, 12345) == -1 && errno == 99);
}

/* What is allowed without a look at the arguments: the bitmap of the kernel. */
static void set_kill(void)
{
	no_privs();
	MUST(!deny_flags(SYS_sched_getparam, SECCOMP_RET_KILL_PROCESS, 0));
}

static void check_kill(void)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		syscall(SYS_sched_getparam, 0, 0);
		_exit(1);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void set_fork(void)
{
	set_denies();
}

/* A child has them, too. */
static void check_fork(void)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid)
		_exit(denied(SYS_sched_getparam) ? 7 : 8);
	MUST(waitpid(pid, &status, 0) == pid && status == 7 << 8);
}

/* All that its path may hold, and one more does not fit afterwards either. */
static long fill_path(void)
{
	static struct sock_filter insns[BPF_MAXINSNS];
	struct sock_fprog prog = { BPF_MAXINSNS, insns };
	long n = 0, len;

	for (len = 0; len < BPF_MAXINSNS; len++)
		insns[len] = (struct sock_filter)
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (len = BPF_MAXINSNS; len; len /= 2) {
		prog.len = len;
		while (!seccomp(SECCOMP_SET_MODE_FILTER, 0, &prog))
			n++;
		MUST(errno == ENOMEM);
	}
	return n;
}

static void set_full(void)
{
	no_privs();
	MUST(fill_path() > 5);
}

static void check_full(void)
{
	MUST(fill_path() == 0);
	MUST(status_of(getpid(), "\nSeccomp_filters:") > 5);
}

PROGRAM_FIXTURE(one, begin, end);

FIXTURE_VARIANT(one)
{
	struct program p;
};

#define ONE(name)					\
FIXTURE_VARIANT_ADD(one, name)				\
{							\
	.p = { set_##name, check_##name },		\
}

ONE(denies);
ONE(many);
ONE(deep);
ONE(privileged);
ONE(trap);
ONE(program);
ONE(kill);
ONE(fork);
ONE(full);

TEST_F(one, comes_back)
{
	int i;

	self->pid = start_program(_metadata, &variant->p);
	for (i = 0; i < 2; i++) {
		kill_and_bring_back(_metadata, self->pid);
		EXPECT_EQ(SECCOMP_MODE_FILTER,
			  status_of(self->pid, "\nSeccomp:"));
	}
	ends_well(_metadata, &self->pid);
}

TEST_F(one, left_running)
{
	self->pid = start_program(_metadata, &variant->p);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	ends_well(_metadata, &self->pid);
}

/* ---- strict mode -------------------------------------------------------------- */

static void strict(void *arg)
{
	int fds[2];
	char c = 0;

	MUST(!pipe(fds));
	MUST(write(fds[1], "x", 1) == 1);
	ready();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		syscall(SYS_exit, 46);
	/* The second time it waits for ever, with what strict mode allows. */
	while (read(fds[0], &c, 1) == 1 && c == 'x')
		;
	syscall(SYS_exit, GOOD);
}

static bool wait_mode(pid_t pid, int mode)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (status_of(pid, "\nSeccomp:") == mode)
			return true;
		ckpt_sleep_ms(1);
	}
	return false;
}

FIXTURE(strict)
{
	pid_t pid;
};

FIXTURE_SETUP(strict)
{
	begin(_metadata);
	self->pid = start(_metadata, strict, NULL);
	ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_STRICT));
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
}

FIXTURE_TEARDOWN(strict)
{
	end(self->pid);
}

/* Its own end of the pipe, by way of /proc. */
static void write_to(struct __test_metadata *_metadata, pid_t pid, char c)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/4", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, &c, 1));
	close(fd);
}

TEST_F(strict, comes_back)
{
	kill_and_bring_back(_metadata, self->pid);
	ASSERT_EQ(SECCOMP_MODE_STRICT, status_of(self->pid, "\nSeccomp:"));
	write_to(_metadata, self->pid, 'x');
	write_to(_metadata, self->pid, 'y');
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

/* A handler returns by sigreturn(), and what it does else is its end. */
static void on_usr1(int sig)
{
	syscall(SYS_getpid);
}

static void strict_handler(void *arg)
{
	signal(SIGUSR1, on_usr1);
	strict(arg);
}

TEST_F(strict, is_strict)
{
	ckpt_kill(self->pid);
	end(0);
	begin(_metadata);
	self->pid = start(_metadata, strict_handler, NULL);
	ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_STRICT));
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
	kill_and_bring_back(_metadata, self->pid);
	ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

TEST_F(strict, left_running)
{
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	write_to(_metadata, self->pid, 'x');
	write_to(_metadata, self->pid, 'y');
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

/* It came under a filter of its restarter, and that does not mix. */
static void get_filter(void)
{
	if (deny(SYS_sched_getparam))
		_exit(99);
}

#define WAS_STRICT	"was in seccomp's strict mode, which your filters would not survive"

TEST_F(strict, restarter_with_filter)
{
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, get_filter));
	EXPECT_TRUE(!!strstr(ckpt_log_text, WAS_STRICT))
		TH_LOG("%s", ckpt_log_text);
	self->pid = 0;
}

/* ---- calls that are blocked --------------------------------------------------- */

PROGRAM_FIXTURE(blocked, begin, end);

/* A filter that kills for all that it does not need to go on. */
static void only(const int *nrs, int n)
{
	struct sock_filter insns[64] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog prog = { n + 3, insns };
	int i;

	for (i = 0; i < n; i++)
		insns[i + 1] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nrs[i], n - i, 0);
	insns[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	insns[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

/* In a sleep, which goes on by restart_syscall(). */
static void sleeper(void *arg)
{
	static const int nrs[] = {
		SYS_nanosleep, SYS_restart_syscall, SYS_exit_group,
	};
	struct timespec ts = { .tv_nsec = 700000000 };

	no_privs();
	ready();
	only(nrs, ARRAY_SIZE(nrs));
	syscall(SYS_exit_group, syscall(SYS_nanosleep, &ts, NULL) ? BAD : GOOD);
}

/* In a read, which is made again. */
static void reader(void *arg)
{
	static const int nrs[] = { SYS_read, SYS_exit_group };
	int fds[2];
	char c;

	no_privs();
	MUST(!pipe(fds));
	ready();
	only(nrs, ARRAY_SIZE(nrs));
	syscall(SYS_exit_group,
		syscall(SYS_read, fds[0], &c, 1) == 1 && c == 'y' ? GOOD : BAD);
}

TEST_F(blocked, sleep)
{
	self->pid = start(_metadata, sleeper, NULL);
	ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_FILTER));
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
	kill_and_bring_back(_metadata, self->pid);
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

TEST_F(blocked, read)
{
	self->pid = start(_metadata, reader, NULL);
	ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_FILTER));
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
	kill_and_bring_back(_metadata, self->pid);
	write_to(_metadata, self->pid, 'y');
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

/* ---- in common --------------------------------------------------------------- */

/*
 *			main		thread
 *	shared_filters	A - B		A - B	TSYNC gives both a third
 *	common_prefix	A - B - C	A	TSYNC gives both A - B - C - D
 *	equal_filters	A		A'	the same program, but not the same
 *						filter: TSYNC refuses
 */
static pthread_barrier_t barrier;
static volatile long thread_result, stranger_tid;

static long tsync(long nr)
{
	return deny_flags(nr, SECCOMP_RET_ERRNO | ERR_OF(nr),
			  SECCOMP_FILTER_FLAG_TSYNC);
}

static void *same_filters(void *arg)
{
	ready();
	pthread_barrier_wait(&barrier);
	thread_result = denied(SYS_sched_getparam) &&
			denied(SYS_sched_getscheduler) &&
			denied(SYS_sched_rr_get_interval);
	return NULL;
}

static void shared_filters(void *arg)
{
	pthread_t thread;

	no_privs();
	MUST(!deny(SYS_sched_getparam));
	MUST(!pthread_barrier_init(&barrier, NULL, 2));
	MUST(!deny(SYS_sched_getscheduler));
	MUST(!pthread_create(&thread, NULL, same_filters, NULL));
	wait_go();
	MUST(!tsync(SYS_sched_rr_get_interval));
	pthread_barrier_wait(&barrier);
	MUST(!pthread_join(thread, NULL));
	MUST(thread_result == 1);
	_exit(GOOD);
}

/* The thread has the first only, which is one of main's: TSYNC goes. */
static void common_prefix(void *arg)
{
	pthread_t thread;

	no_privs();
	MUST(!deny(SYS_sched_getparam));
	MUST(!pthread_barrier_init(&barrier, NULL, 2));
	MUST(!pthread_create(&thread, NULL, same_filters, NULL));
	MUST(!deny(SYS_sched_getscheduler));
	MUST(!deny(SYS_sched_rr_get_interval));
	ready();
	wait_go();
	MUST(!tsync(SYS_sched_get_priority_max));
	pthread_barrier_wait(&barrier);
	MUST(!pthread_join(thread, NULL));
	MUST(thread_result == 1);
	MUST(status_of(getpid(), "\nSeccomp_filters:") == 4);
	_exit(GOOD);
}

static void *own_filters(void *arg)
{
	MUST(!deny(SYS_sched_getparam));
	stranger_tid = syscall(SYS_gettid);
	ready();
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* Equal filters, but not the same: TSYNC names the thread. */
static void equal_filters(void *arg)
{
	pthread_t thread;

	no_privs();
	MUST(!pthread_barrier_init(&barrier, NULL, 2));
	MUST(!pthread_create(&thread, NULL, own_filters, NULL));
	MUST(!deny(SYS_sched_getparam));
	ready();
	wait_go();
	MUST(tsync(SYS_sched_getscheduler) == stranger_tid);
	pthread_barrier_wait(&barrier);
	MUST(!pthread_join(thread, NULL));
	_exit(GOOD);
}

/* Children have those of their time. */
static void processes(void *arg)
{
	static const int nrs[] = {
		SYS_sched_getparam, SYS_sched_getscheduler,
		SYS_sched_rr_get_interval, SYS_sched_get_priority_max,
	};
	int i, k, status;
	pid_t pids[4];

	no_privs();
	for (i = 0; i < 4; i++) {
		MUST(!deny(nrs[i]));
		pids[i] = fork();
		MUST(pids[i] >= 0);
		if (pids[i])
			continue;
		if (i == 1)
			MUST(!deny(SYS_sched_get_priority_min));
		ready();
		wait_go();
		for (k = 0; k < 4; k++)
			MUST(denied(nrs[k]) == (k <= i));
		MUST(denied(SYS_sched_get_priority_min) == (i == 1));
		_exit(50 + i);
	}
	wait_go();
	for (i = 0; i < 4; i++)
		MUST(waitpid(pids[i], &status, 0) == pids[i] &&
		     status == (50 + i) << 8);
	_exit(GOOD);
}

static int restart_image(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "restart --detach -i %s 2>&1", CKPT_IMG);
	return system(cmd);
}

static bool all_ready(int nr)
{
	return ckpt_wait_size(LOG, 6 * nr, 10000);
}

FIXTURE(common)
{
	pid_t pid;
};

FIXTURE_SETUP(common)
{
	begin(_metadata);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(common)
{
	end(self->pid);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

FIXTURE_VARIANT(common)
{
	void (*program)(void *arg);
	int ready;
	int filters;	/* records in the image */
};

#define COMMON(name, n, records)			\
FIXTURE_VARIANT_ADD(common, name)			\
{							\
	.program = name,				\
	.ready = n,					\
	.filters = records,				\
}

COMMON(shared_filters, 1, 2);
COMMON(common_prefix, 2, 3);
COMMON(equal_filters, 2, 2);
COMMON(processes, 4, 5);

/* ---- the image ------------------------------------------------------------------ */

static unsigned char img[8 << 20];
static size_t img_len;

static bool load(void)
{
	int fd = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, img, sizeof(img));

	close(fd);
	img_len = n > 0 ? n : 0;
	return n > 0 && n < (ssize_t)sizeof(img);
}

/* The record of that type, after @nr others of it; NULL: there is none. */
static void *record(unsigned int type, int nr)
{
	size_t off = 0;

	while (off + sizeof(struct ckpt_hdr) <= img_len) {
		struct ckpt_hdr *h = (void *)(img + off);

		if (h->type == type && !nr--)
			return h;
		if (h->type == CKPT_REC_META_END || h->len < sizeof(*h))
			break;
		off += h->len;
	}
	return NULL;
}

static int count(unsigned int type)
{
	int nr = 0;

	while (record(type, nr))
		nr++;
	return nr;
}

static void finish(void *rec)
{
	struct ckpt_hdr *h = rec;

	h->crc = 0;
	h->crc = ckpt_crc32c(h, h->len);
}

static void store(void)
{
	int fd = open(CKPT_IMG, O_WRONLY | O_CLOEXEC);

	pwrite(fd, img, img_len, 0);
	close(fd);
}

TEST_F(common, comes_back)
{
	int i;

	self->pid = ckpt_spawn(variant->program, NULL, log_fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(all_ready(variant->ready));
	for (i = 0; i < 2; i++) {
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL))
			TH_LOG("%s", ckpt_log_text);
		while (waitpid(-1, NULL, 0) > 0)
			;
		ASSERT_TRUE(load());
		EXPECT_EQ(variant->filters, count(CKPT_REC_SECCOMP));
		ASSERT_EQ(0, restart_image());
	}
	ends_well(_metadata, &self->pid);
}

TEST_F(common, left_running)
{
	self->pid = ckpt_spawn(variant->program, NULL, log_fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(all_ready(variant->ready));
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	ends_well(_metadata, &self->pid);
}

/* ---- what the program and others can be told of a filter ----------------------- */

PROGRAM_FIXTURE(told, begin, end);

static void flagged(void *arg)
{
	no_privs();
	MUST(!deny_flags(SYS_sched_getparam, SECCOMP_RET_ERRNO | 1,
			 SECCOMP_FILTER_FLAG_LOG));
	MUST(!deny_flags(SYS_sched_getscheduler, SECCOMP_RET_ERRNO | 2,
			 SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	idle_program(arg);
}

/* A tracer sees program and flags, as it did before. */
static void look(struct __test_metadata *_metadata, pid_t pid, char *buf)
{
	struct { uint64_t off, flags; } meta;
	struct sock_filter insns[8];
	int status, i, n;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (i = 0; i < 2; i++) {
		n = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, i, insns);
		ASSERT_EQ(4, n);
		memcpy(buf, insns, n * sizeof(*insns));
		buf += n * sizeof(*insns);
		meta.off = i;
		ASSERT_EQ(sizeof(meta), ptrace(PTRACE_SECCOMP_GET_METADATA, pid,
					       sizeof(meta), &meta));
		memcpy(buf, &meta.flags, 8);
		buf += 8;
	}
	EXPECT_EQ(0, meta.flags);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, 0, 0));
}

TEST_F(told, program_and_flags)
{
	static char was[128], is[128];

	self->pid = start(_metadata, flagged, NULL);
	look(_metadata, self->pid, was);
	kill_and_bring_back(_metadata, self->pid);
	look(_metadata, self->pid, is);
	EXPECT_EQ(0, memcmp(was, is, sizeof(is)));
	EXPECT_EQ(SECCOMP_FILTER_FLAG_LOG, is[32]);
	ends_well(_metadata, &self->pid);
}

/* ---- who may ------------------------------------------------------------------- */

PROGRAM_FIXTURE(may, begin, end);

static void simple(void *arg)
{
	static const struct program p = { set_denies, check_denies };

	set_check_program((void *)&p);
}

static void without_nnp(void *arg)
{
	MUST(!deny(SYS_sched_getparam));
	idle_program(arg);
}

static void drop_sys_admin(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		_exit(98);
	d[CAP_SYS_ADMIN / 32].effective &= ~(1U << CAP_SYS_ADMIN % 32);
	if (syscall(SYS_capset, &h, d))
		_exit(97);
}

/* In a child, so that the test keeps what it has. */
static int save_after(pid_t pid, void (*prepare)(void), char *why, size_t size)
{
	int fd = open("/tmp/why", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pid_t child = fork();
	long ret;
	ssize_t n;

	if (!child) {
		prepare();
		ret = ckpt_save(pid, CKPT_IMG, 0);
		write(fd, ckpt_log_text, strlen(ckpt_log_text));
		_exit(ret < 0 ? -ret : 0);
	}
	ret = ckpt_wait(child, 5000);
	n = pread(fd, why, size - 1, 0);
	why[n > 0 ? n : 0] = 0;
	close(fd);
	unlink("/tmp/why");
	return ret;
}

#define MAY_NOT_SAVE	"has seccomp filters; saving these takes CAP_SYS_ADMIN"

TEST_F(may, save_without_capability)
{
	char why[4096];

	self->pid = start(_metadata, simple, NULL);
	EXPECT_EQ(EPERM, save_after(self->pid, drop_sys_admin, why, sizeof(why)));
	EXPECT_TRUE(!!strstr(why, MAY_NOT_SAVE))
		TH_LOG("%s", why);
	ends_well(_metadata, &self->pid);
}

TEST_F(may, save_under_filter)
{
	char why[4096];

	self->pid = start(_metadata, simple, NULL);
	EXPECT_EQ(EPERM, save_after(self->pid, get_filter, why, sizeof(why)));
	EXPECT_TRUE(!!strstr(why, MAY_NOT_SAVE))
		TH_LOG("%s", why);
	ends_well(_metadata, &self->pid);
}

/* no_new_privs is in the image, and that is enough. */
static void nothing_less(void)
{
	drop_sys_admin();
}

/* What the image holds of capabilities, the restarter has permitted. */
TEST_F(may, restart_without_capability)
{
	self->pid = start(_metadata, simple, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, nothing_less);
	ends_well(_metadata, &self->pid);
}

#define TAKES_ADMIN	"has seccomp filters without no_new_privs, which takes CAP_SYS_ADMIN"

TEST_F(may, not_restart_without_nnp)
{
	self->pid = start(_metadata, without_nnp, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, drop_sys_admin));
	EXPECT_TRUE(!!strstr(ckpt_log_text, TAKES_ADMIN))
		TH_LOG("%s", ckpt_log_text);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void get_filter_drop(void)
{
	get_filter();
	drop_sys_admin();
}

TEST_F(may, not_restart_under_filter)
{
	self->pid = start(_metadata, simple, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, get_filter_drop));
	EXPECT_TRUE(!!strstr(ckpt_log_text, "runs under seccomp and has not CAP_SYS_ADMIN"))
		TH_LOG("%s", ckpt_log_text);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void deny_sched_get(void)
{
	if (deny(SYS_sched_get_priority_max))
		_exit(96);
}

static void set_two(void)
{
	no_privs();
	MUST(!deny(SYS_sched_getparam));
	MUST(!deny(SYS_sched_getscheduler));
}

static void check_three(void)
{
	MUST(denied(SYS_sched_getparam) && denied(SYS_sched_getscheduler));
	MUST(denied(SYS_sched_get_priority_max));
	MUST(status_of(getpid(), "\nSeccomp_filters:") == 3);
}

/* The filter of the restarter stays, below those of the program. */
TEST_F(may, restarters_filter_stays)
{
	static const struct program p = { set_two, check_three };

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, deny_sched_get);
	ends_well(_metadata, &self->pid);
}

static void check_restarters(void)
{
	MUST(denied(SYS_sched_get_priority_max));
	MUST(status_of(getpid(), "\nSeccomp_filters:") == 1);
}

static void set_nothing(void)
{
}

TEST_F(may, restarters_filter_stays_alone)
{
	static const struct program p = { set_nothing, check_restarters };

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, deny_sched_get);
	ends_well(_metadata, &self->pid);
}

/* The program's own filters forbid all that a restart consists of. */
static void forbids_all(void *arg)
{
	static const int nrs[] = { SYS_read, SYS_exit_group };

	no_privs();
	ready();
	only(nrs, ARRAY_SIZE(nrs));
	for (;;)
		;
}

TEST_F(may, not_stumble_over_them)
{
	int i;

	self->pid = start(_metadata, forbids_all, NULL);
	ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_FILTER));
	for (i = 0; i < 3; i++) {
		ckpt_save_and_kill(_metadata, self->pid);
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
			TH_LOG("%s", ckpt_log_text);
		/* It runs and runs, and is seen in no system call. */
		ASSERT_TRUE(wait_mode(self->pid, SECCOMP_MODE_FILTER));
		ASSERT_TRUE(ckpt_wait_state(self->pid, 'R'));
	}
	EXPECT_EQ(-1, ckpt_wait(self->pid, 30));
}

/* ---- refused ------------------------------------------------------------------- */

static int listener_fd;

static void listener(void *arg)
{
	no_privs();
	listener_fd = deny_flags(SYS_sched_getparam, SECCOMP_RET_USER_NOTIF,
				 SECCOMP_FILTER_FLAG_NEW_LISTENER);
	MUST(listener_fd >= 0);
	MUST(!deny(SYS_sched_getscheduler));
	idle_program(arg);
}

#define LISTENS	"has a seccomp filter with a listener, which cannot be saved yet"

TEST_F(may, not_save_listener)
{
	self->pid = start(_metadata, listener, NULL);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(!!strstr(ckpt_log_text, LISTENS))
		TH_LOG("%s", ckpt_log_text);
	ends_well(_metadata, &self->pid);
}

static void set_deaf(void)
{
	int fd;

	no_privs();
	fd = deny_flags(SYS_sched_getparam, SECCOMP_RET_USER_NOTIF,
			SECCOMP_FILTER_FLAG_NEW_LISTENER);
	MUST(fd >= 0);
	close(fd);
}

static void check_deaf(void)
{
	MUST(syscall(SYS_sched_getparam, 0, 0) == -1 && errno == ENOSYS);
}

/* Without its listener it is a filter as any other. */
TEST_F(may, save_without_listener)
{
	static const struct program p = { set_deaf, check_deaf };

	self->pid = start_program(_metadata, &p);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- hostile images --------------------------------------------------------------- */

FIXTURE(hostile)
{
	pid_t pid;
};

FIXTURE_VARIANT(hostile)
{
	int record;		/* -1: TASK */
	int what;
	unsigned int value;
	int err;
	const char *words;
};

enum { PREV, FLAGS, NR, CODE, K, LAST, TASK_REF, TASK_STRICT };

#define HOSTILE(name, ...) FIXTURE_VARIANT_ADD(hostile, name) { __VA_ARGS__ }
#define NOT_TAKEN	"is no program that seccomp() takes"
#define NOT_BEFORE	"does not come before it"

HOSTILE(length_0, 0, NR, 0, EINVAL, "a program of 0 instructions");
HOSTILE(length_5, 0, NR, 5, EINVAL, "a program of 5 instructions");
HOSTILE(length_max, 0, NR, BPF_MAXINSNS + 1, EINVAL, "a program of 4097 instr");
HOSTILE(length_u16, 1, NR, 0x10004, EINVAL, "a program of 65540 instructions");
HOSTILE(length_million, 2, NR, 1000000, EINVAL, "a program of 1000000 instr");
HOSTILE(length_all, 0, NR, ~0U, EINVAL, "a program of 4294967295 instructions");
HOSTILE(shorter, 0, NR, 2, EINVAL, NOT_TAKEN);
HOSTILE(bad_code, 0, CODE, 0xffff, EINVAL, NOT_TAKEN);
HOSTILE(socket_code, 1, CODE, BPF_LD | BPF_H | BPF_ABS, EINVAL, NOT_TAKEN);
HOSTILE(kernel_code, 1, CODE, BPF_JMP | 0x80, EINVAL, NOT_TAKEN);
HOSTILE(unaligned_load, 1, K, 2, EINVAL, NOT_TAKEN);
HOSTILE(load_behind, 1, K, sizeof(struct seccomp_data), EINVAL, NOT_TAKEN);
HOSTILE(no_return, 2, LAST, BPF_ALU | BPF_NEG, EINVAL, NOT_TAKEN);
HOSTILE(flags, 0, FLAGS, 2, EOPNOTSUPP, "unknown flags 0x2");
HOSTILE(flags_high, 2, FLAGS, 1U << 31, EOPNOTSUPP, "unknown flags 0x80000000");
HOSTILE(prev_self, 0, PREV, 0x10000, EINVAL, NOT_BEFORE);
HOSTILE(prev_self_last, 2, PREV, 0x10000, EINVAL, NOT_BEFORE);
HOSTILE(prev_forward, 0, PREV, 0x10001, EINVAL, NOT_BEFORE);
HOSTILE(prev_nobody, 2, PREV, 0x7fffffff, EINVAL, NOT_BEFORE);
HOSTILE(prev_other, 0, PREV, 1, EINVAL, "which is not there");
HOSTILE(task_nobody, -1, TASK_REF, 0x7fffffff, EINVAL, "which is not there");
HOSTILE(task_other, -1, TASK_REF, 1, EINVAL, "which is not there");
HOSTILE(both, -1, TASK_STRICT, 0, EINVAL, "has both seccomp filters and the strict mode");

FIXTURE_SETUP(hostile)
{
	begin(_metadata);
}

FIXTURE_TEARDOWN(hostile)
{
	end(self->pid);
}

static void three(void *arg)
{
	static const struct program p = { set_two, NULL };

	set_two();
	MUST(!deny(SYS_sched_get_priority_min));
	ready();
	wait_go();
	MUST(denied(SYS_sched_getparam) && denied(SYS_sched_getscheduler) &&
	     denied(SYS_sched_get_priority_min));
	_exit(p.check ? BAD : GOOD);
}

static void *spoil(int nr, int what, unsigned int value)
{
	struct ckpt_rec_seccomp *rec = record(CKPT_REC_SECCOMP, nr);
	struct ckpt_rec_task *task = record(CKPT_REC_TASK, 0);
	struct sock_filter *insns = (void *)(rec + 1);

	switch (what) {
	case PREV:
		rec->prev = value & 0x10000 && value < 0x20000 ?
			    rec->objref + (value & 0xffff) : value;
		break;
	case FLAGS:
		rec->flags = value;
		break;
	case NR:
		rec->nr_insns = value;
		break;
	case CODE:
		insns->code = value;
		break;
	case K:
		insns->k = value;
		break;
	case LAST:
		insns[3].code = value;
		break;
	case TASK_REF:
		task->seccomp = value;
		return task;
	case TASK_STRICT:
		task->flags |= CKPT_TASK_SECCOMP_STRICT;
		return task;
	}
	return rec;
}

TEST_F(hostile, refused)
{
	static unsigned char good[sizeof(img)];

	self->pid = start(_metadata, three, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(load());
	ASSERT_EQ(3, count(CKPT_REC_SECCOMP));
	memcpy(good, img, img_len);
	finish(spoil(variant->record < 0 ? 0 : variant->record, variant->what,
		     variant->value));
	store();
	EXPECT_EQ(-variant->err, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(!!strstr(ckpt_log_text, variant->words))
		TH_LOG("%s", ckpt_log_text);
	memcpy(img, good, img_len);
	store();
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
