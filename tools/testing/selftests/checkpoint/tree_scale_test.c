// SPDX-License-Identifier: GPL-2.0
/*
 * Large trees come back, each task as itself: thousands of processes, thousands
 * of threads in one process. How long that takes is for bench/ to say.
 *
 * Here all tasks but the first sleep until they are told, for a thousand that
 * look at a file every now and then leave no time for anything else.
 */
#include "program.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>

#define STACK	(32 << 10)
#define MAX	2000

/* ---- in the program ------------------------------------------------------ */

static int told;

static void __noreturn child(int i, const sigset_t *set)
{
	pid_t me = getpid(), parent = getppid(), sid = getsid(0);
	int n = i, sig;

	ready();
	MUST(!sigwait(set, &sig) && sig == SIGUSR1);
	MUST(n == i && getpid() == me && getppid() == parent && getsid(0) == sid);
	_exit(i % 199);
}

static void processes(int nr)
{
	pid_t pids[MAX];
	sigset_t set;
	int i, status;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < nr; i++) {
		pids[i] = fork();
		MUST(pids[i] >= 0);
		if (!pids[i])
			child(i, &set);
	}
	ready();
	wait_go();
	for (i = 0; i < nr; i++) {
		MUST(!kill(pids[i], SIGUSR1));
		MUST(waitpid(pids[i], &status, 0) == pids[i]);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == i % 199);
	}
	MUST(waitpid(-1, &status, 0) < 0 && errno == ECHILD);
}

/* Each starts the next. */
static void chain(int nr)
{
	int status, depth;
	pid_t pid = 0;

	for (depth = 0; depth < nr; depth++) {
		pid = fork();
		MUST(pid >= 0);
		if (pid)
			break;
	}
	ready();
	if (!pid) {
		wait_go();
		_exit(depth % 199);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	if (!depth)
		MUST(WEXITSTATUS(status) == nr % 199);
	else
		_exit(WEXITSTATUS(status));
}

static void *thread(void *arg)
{
	pid_t me = gettid();

	ready();
	while (!__atomic_load_n(&told, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &told, FUTEX_WAIT, 0, NULL);
	MUST(gettid() == me);
	return arg;
}

static void threads(int nr)
{
	pthread_t t[MAX];
	pthread_attr_t attr;
	void *value;
	long i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < nr; i++)
		MUST(!pthread_create(&t[i], &attr, thread, (void *)i));
	ready();
	wait_go();
	__atomic_store_n(&told, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &told, FUTEX_WAKE, nr);
	for (i = 0; i < nr; i++)
		MUST(!pthread_join(t[i], &value) && value == (void *)i);
}

/* ---- in the test --------------------------------------------------------- */

FIXTURE(scale)
{
	pid_t pid;
};

FIXTURE_VARIANT(scale)
{
	void (*program)(int nr);
	int nr;
};

FIXTURE_VARIANT_ADD(scale, processes)
{
	.program = processes,
	.nr = 2000,
};

FIXTURE_VARIANT_ADD(scale, chain)
{
	.program = chain,
	.nr = 500,
};

FIXTURE_VARIANT_ADD(scale, threads)
{
	.program = threads,
	.nr = 2000,
};

FIXTURE_SETUP(scale)
{
	begin(_metadata);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

FIXTURE_TEARDOWN(scale)
{
	if (self->pid > 0)
		kill(-self->pid, SIGKILL);
	reap_all();
	end(0);
}

struct body {
	void (*program)(int nr);
	int nr;
};

static void body(void *arg)
{
	const struct body *b = arg;

	b->program(b->nr);
	_exit(GOOD);
}

TEST_F_TIMEOUT(scale, comes_back, 400)
{
	int nr = ckpt_slow_kernel() ? variant->nr / 5 : variant->nr;
	struct body b = { variant->program, nr };
	struct checkpoint_args args = { .log_fd = -1, .context_fd = -1 };
	struct ckpt_stats stats = { 0 };
	int fd, code;

	self->pid = ckpt_spawn(body, &b, log_fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_size(LOG, 6 * (nr + 1), 150000)) {
		TH_LOG("%s", log_text());
	}
	fd = open(CKPT_IMG, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	args.stats = (uintptr_t)&stats;
	args.stats_size = sizeof(stats);
	ASSERT_LT(0, sys_checkpoint(self->pid, fd, CHECKPOINT_SUBTREE |
				    CHECKPOINT_KILL | CHECKPOINT_ARGS, &args,
				    sizeof(args)));
	close(fd);
	EXPECT_EQ(nr + 1, stats.tasks);
	/* What a task takes of kernel memory has a bound. */
	EXPECT_GT(16 << 10, stats.meta_bytes / stats.tasks);
	reap_all();
	ASSERT_EQ(0, system("restart --detach -i " CKPT_IMG));
	go();
	code = ckpt_wait(self->pid, 150000);
	EXPECT_EQ(GOOD, code) {
		TH_LOG("%s", log_text());
	}
	if (code != -1)
		self->pid = 0;
}

FIXTURE(pids)
{
	pid_t pid;
};

FIXTURE_SETUP(pids)
{
	begin(_metadata);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(pids)
{
	if (self->pid > 0)
		kill(-self->pid, SIGKILL);
	reap_all();
	end(0);
}

/* By a command that gets the pid before that of the root. */
static int restart_before(pid_t root)
{
	char last[16];
	pid_t pid;

	snprintf(last, sizeof(last), "%d", root - 2);
	if (!ckpt_write_text("/proc/sys/kernel/ns_last_pid", last))
		return -1;
	pid = fork();
	if (!pid) {
		execlp("restart", "restart", "--detach", "-i", CKPT_IMG, NULL);
		_exit(127);
	}
	return ckpt_wait(pid, 20000);
}

/*
 * As after a reboot: the next pids that the command would get are those of the
 * tree. Whoever else starts a process meanwhile may take one, hence the tries.
 */
TEST_F(pids, of_tree_are_next)
{
	struct body b = { processes, 200 };
	int i, code = -1;

	for (i = 0; i < 5 && code; i++) {
		/* Leave some numbers before the root free. */
		if (!fork())
			_exit(0);
		if (!fork())
			_exit(0);
		reap_all();
		ASSERT_EQ(0, ftruncate(log_fd, 0));
		self->pid = ckpt_spawn(body, &b, log_fd);
		ASSERT_LT(0, self->pid);
		ASSERT_TRUE(ckpt_wait_size(LOG, 6 * (b.nr + 1), 30000));
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_SUBTREE |
				       CHECKPOINT_KILL)) {
			TH_LOG("%s", ckpt_log_text);
		}
		reap_all();
		code = restart_before(self->pid);
	}
	ASSERT_EQ(0, code);
	go();
	code = ckpt_wait(self->pid, 60000);
	EXPECT_EQ(GOOD, code) {
		TH_LOG("%s", log_text());
	}
	if (code != -1)
		self->pid = 0;
}

TEST_HARNESS_MAIN
