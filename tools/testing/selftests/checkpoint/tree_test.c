// SPDX-License-Identifier: GPL-2.0
/*
 * A whole tree comes back: each process with its pid, its parent, its threads,
 * its session and group, what it shares with others and what it was doing.
 *
 * The program makes a tree, in which each task writes a line when it is there,
 * and waits. After the restart all of them look at what they see of each other
 * and have to find what they found before. They go on when the file GO is there;
 * the root collects them and exits with 42.
 */
#include "tree_program.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/resource.h>

/* ---- in the program ---------------------------------------------------------- */

/* Each starts the next; the last one is @depth below the root. */
static void chain(int depth)
{
	pid_t pid = 0;

	if (depth) {
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			chain(depth - 1);
			_exit(depth);
		}
	}
	stay_the_same();
	if (depth)
		collect(pid, depth);
}

static void deep(void)
{
	chain(20);
}

static void wide(void)
{
	pid_t pids[40];
	int i;

	for (i = 0; i < 40; i++) {
		pids[i] = fork();
		MUST(pids[i] >= 0);
		if (!pids[i]) {
			stay_the_same();
			_exit(i);
		}
	}
	stay_the_same();
	for (i = 0; i < 40; i++)
		collect(pids[i], i);
}

/* Sessions, groups, and such as have lost their leader. */
static void ids(void)
{
	pid_t pids[4], mine;
	int i;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		mine = getpid();
		switch (i) {
		case 0:
			MUST(setsid() == getpid());
			break;
		case 1:
			MUST(!setpgid(0, 0));
			break;
		case 2: /* of a group whose leader is gone */
			MUST(!setpgid(0, 0));
			if (fork())
				_exit(1);
			MUST(getpgid(0) != getpid());
			break;
		case 3: /* likewise of a session */
			MUST(setsid() == getpid());
			if (fork())
				_exit(1);
			MUST(getsid(0) != getpid());
			break;
		}
		/* An orphan, whose parent is the root from now on. */
		while (i > 1 && getppid() == mine)
			ckpt_sleep_ms(1);
		stay_the_same();
		_exit(i);
	}
	collect(pids[2], 1);
	collect(pids[3], 1);
	stay_the_same();
	for (i = 0; i < 4; i++)
		MUST(waitpid(-1, NULL, 0) > 0);
	MUST(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

/* Of the session of the root, but a child of whoever has started the root. */
static void dead_outside(void)
{
	pid_t child, orphan;
	int fd[2];

	MUST(!pipe2(fd, O_CLOEXEC));
	child = fork();
	if (!child) {
		child = getpid();
		if (fork())
			_exit(GOOD);
		while (getppid() == child)
			ckpt_sleep_ms(1);
		orphan = getpid();
		_exit(write(fd[1], &orphan, sizeof(orphan)) < 0);
	}
	collect(child, GOOD);
	MUST(read(fd[0], &orphan, sizeof(orphan)) == sizeof(orphan));
	MUST(ckpt_wait_state(orphan, 'Z'));
	close(fd[0]);
	close(fd[1]);
	stay_the_same();
}

/* What a parent can still ask of a child that is dead. */
static void zombies(void)
{
	struct rusage usage;
	siginfo_t si = {};
	pid_t a, b, c;
	int status;

	a = fork();
	if (!a)
		_exit(17);
	b = fork();
	if (!b) {
		MUST(!setuid(1234));
		kill(getpid(), SIGTERM);
	}
	c = fork();
	if (!c) {
		clock_t t = clock();

		while (clock() - t < 30000)
			;
		_exit(3);
	}
	/* All of them are dead, and none has been waited for. */
	MUST(!waitid(P_PID, a, &si, WEXITED | WNOWAIT));
	MUST(!waitid(P_PID, b, &si, WEXITED | WNOWAIT));
	MUST(!waitid(P_PID, c, &si, WEXITED | WNOWAIT));
	stay_the_same();
	MUST(waitpid(a, &status, 0) == a && status == 17 << 8);
	memset(&si, 0, sizeof(si));
	MUST(!waitid(P_PID, b, &si, WEXITED));
	MUST(si.si_pid == b && si.si_uid == 1234 && si.si_code == CLD_KILLED &&
	     si.si_status == SIGTERM);
	MUST(wait4(c, &status, 0, &usage) == c && status == 3 << 8);
	MUST(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
	     usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >= 20000);
}

static volatile int handled;

static void on_child(int sig)
{
	handled++;
}

/* A handler that has run for a dead child does not run again. */
static void told_once(void)
{
	struct sigaction sa = { .sa_handler = on_child };
	siginfo_t si;
	pid_t pid;

	sigaction(SIGCHLD, &sa, NULL);
	pid = fork();
	if (!pid)
		_exit(5);
	while (waitid(P_PID, pid, &si, WEXITED | WNOWAIT))
		;
	while (!handled)
		;
	stay_the_same();
	MUST(handled == 1);
	collect(pid, 5);
}

#define THREADS	10

static __thread int in_tls;
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *thread_body(void *arg)
{
	struct ids was, is;
	char name[16];
	long nr = (long)arg;

	in_tls = nr;
	snprintf(name, sizeof(name), "thread %ld", nr);
	prctl(PR_SET_NAME, name);
	setpriority(PRIO_PROCESS, 0, nr);
	was = ids_now();
	ready();
	/* One waits at a barrier, one for a condition, the others in sleep. */
	if (nr == 1)
		pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutex);
	while (nr == 2 && !turn)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	wait_go();
	is = ids_now();
	MUST(!memcmp(&was, &is, sizeof(is)));
	MUST(in_tls == nr);
	prctl(PR_GET_NAME, name);
	MUST(name[7] == '0' + nr % 10 || nr > 9);
	MUST(getpriority(PRIO_PROCESS, 0) == nr);
	return (void *)(nr * 3);
}

static void threads(void)
{
	pthread_t t[THREADS];
	void *ret;
	long i;

	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < THREADS; i++)
		MUST(!pthread_create(&t[i], NULL, thread_body, (void *)i));
	stay_the_same();
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutex);
	turn = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (i = 0; i < THREADS; i++) {
		MUST(!pthread_join(t[i], &ret));
		MUST(ret == (void *)(i * 3));
	}
}

static void *outlive(void *arg)
{
	stay_the_same();
	_exit(21);
}

/* The thread that was first has exited, the process has not. */
static void leader_gone(void)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		MUST(!pthread_create(&t, NULL, outlive, NULL));
		syscall(SYS_exit, 0);
	}
	stay_the_same();
	collect(pid, 21);
}

static volatile int shared_value;

/* With the thread area of another it can do little but system calls. */
static int sharer(void *arg)
{
	shared_value = 1;
	if (write(log_fd, "ready\n", 6) != 6)
		return 2;
	while (shared_value != 2)
		sched_yield();
	if (lseek(log_fd, 0, SEEK_CUR) < 0)
		return 3;
	shared_value = 3;
	return chdir("/proc") ? 1 : 9;
}

/* Processes that have memory, file table or directory in common. */
static void shares(int flags)
{
	static char stack[65536] __attribute__((aligned(64)));
	char dir[64];
	pid_t pid;
	int status;

	MUST(!chdir("/tmp"));
	pid = clone(sharer, stack + sizeof(stack), flags | SIGCHLD, NULL);
	MUST(pid > 0);
	ready();
	wait_go();
	if (flags & CLONE_VM) {
		MUST(shared_value == 1);
		shared_value = 2;
		while (shared_value != 3)
			sched_yield();
	} else {
		kill(pid, SIGKILL);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(flags & CLONE_VM ? status == 9 << 8 : status == SIGKILL);
	MUST(getcwd(dir, sizeof(dir)));
	MUST(!strcmp(dir, (flags & CLONE_FS) ? "/proc" : "/tmp"));
}

static void shares_vm(void)
{
	shares(CLONE_VM);
}

static void shares_vm_fs(void)
{
	shares(CLONE_VM | CLONE_FS);
}

static void shares_vm_files(void)
{
	shares(CLONE_VM | CLONE_FILES);
}

static void on_shared(int sig)
{
	shared_value += 10;
}

/* Handlers that one sets are those of the others: here SIGUSR1, back SIGUSR2. */
static int handler_sharer(void *arg)
{
	struct sigaction sa = { .sa_handler = on_shared };

	if (write(log_fd, "ready\n", 6) != 6)
		return 2;
	while (shared_value != 2)
		sched_yield();
	if (sigaction(SIGUSR2, &sa, NULL))
		return 3;
	if (sigaction(SIGUSR1, NULL, &sa) || sa.sa_handler != on_shared)
		return 4;
	shared_value = 3;
	while (shared_value != 4)
		sched_yield();
	return 9;
}

static char handler_stack[3][65536] __attribute__((aligned(64)));

static pid_t start_handler_sharer(int nr, int flags)
{
	pid_t pid = clone(handler_sharer,
			  handler_stack[nr] + sizeof(handler_stack[nr]),
			  CLONE_VM | CLONE_SIGHAND | flags, NULL);

	MUST(pid > 0);
	return pid;
}

static void check_handlers(int value)
{
	struct sigaction sa;

	MUST(!sigaction(SIGUSR2, NULL, &sa) && sa.sa_handler == SIG_DFL);
	sa = (struct sigaction){ .sa_handler = on_shared };
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	shared_value = value;
	while (shared_value != 3)
		sched_yield();
	MUST(!sigaction(SIGUSR2, NULL, &sa) && sa.sa_handler == on_shared);
	raise(SIGUSR2);
	MUST(shared_value == 13);
	shared_value = 4;
}

static void shares_sighand(void)
{
	pid_t pid = start_handler_sharer(0, SIGCHLD);

	ready();
	wait_go();
	check_handlers(2);
	collect(pid, 9);
}

/* As who executes a program has them no longer, so here the second child. */
static void shares_sighand_some(void)
{
	pid_t own, pid;

	own = fork();
	if (!own) {
		struct sigaction sa;

		ready();
		wait_go();
		while (access("/tmp/tree.changed", F_OK))
			ckpt_sleep_ms(1);
		MUST(!sigaction(SIGUSR2, NULL, &sa) && sa.sa_handler == SIG_DFL);
		MUST(!sigaction(SIGUSR1, NULL, &sa) && sa.sa_handler == SIG_DFL);
		_exit(8);
	}
	pid = start_handler_sharer(0, SIGCHLD);
	ready();
	wait_go();
	check_handlers(2);
	close(open("/tmp/tree.changed", O_CREAT | O_WRONLY, 0600));
	collect(own, 8);
	collect(pid, 9);
	unlink("/tmp/tree.changed");
}

static volatile int handlers_seen, exit_now;

/* A thread of one of them, or of the other. */
static int sees_handlers(void *arg)
{
	struct sigaction sa;

	if (write(log_fd, "ready\n", 6) != 6)
		return 2;
	while (shared_value != 4)
		sched_yield();
	if (!sigaction(SIGUSR2, NULL, &sa) && sa.sa_handler == on_shared)
		__atomic_add_fetch(&handlers_seen, 1, __ATOMIC_SEQ_CST);
	while (!exit_now)
		sched_yield();
	/* The last that exits says it for the process. */
	return 9;
}

/* By clone(): a C library of one process knows no threads of another. */
static void start_bare_threads(int nr)
{
	static char stacks[4][65536] __attribute__((aligned(64)));
	static int used;
	int i;

	for (i = 0; i < nr; i++, used++)
		MUST(clone(sees_handlers, stacks[used] + sizeof(stacks[used]),
			   CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			   CLONE_THREAD | CLONE_SYSVSEM, NULL) > 0);
}

static int handler_sharer_with_threads(void *arg)
{
	int code;

	start_bare_threads(2);
	code = handler_sharer(arg);
	while (!exit_now)
		sched_yield();
	return code;
}

static void share_sighand_by_threads(int mine)
{
	pid_t pid = clone(handler_sharer_with_threads,
			  handler_stack[0] + sizeof(handler_stack[0]),
			  CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);

	MUST(pid > 0);
	while (!all_ready(3))
		sched_yield();
	start_bare_threads(mine);
	ready();
	wait_go();
	check_handlers(2);
	while (handlers_seen != mine + 2)
		sched_yield();
	exit_now = 1;
	collect(pid, 9);
}

static void shares_sighand_child_threads(void)
{
	share_sighand_by_threads(0);
}

static void shares_sighand_threads(void)
{
	share_sighand_by_threads(2);
}

static volatile pid_t orphan_pid;

static int dies_early(void *arg)
{
	orphan_pid = start_handler_sharer(1, SIGCHLD);
	return 5;
}

/* Who was between them is gone: no clone() could make them so. */
static void shares_sighand_orphan(void)
{
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = clone(dies_early, handler_stack[0] + sizeof(handler_stack[0]),
		    CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
	MUST(pid > 0);
	collect(pid, 5);
	ready();
	wait_go();
	check_handlers(2);
	collect(orphan_pid, 9);
}

#define IOPRIO(data)	(2 << 13 | (data))

/* ioprio_set() of one is that of the other. */
static void shares_io(void)
{
	struct clone_args ca = { .flags = CLONE_IO, .exit_signal = SIGCHLD };
	pid_t pids[3];
	int i;

	MUST(!syscall(SYS_ioprio_set, 1, 0, IOPRIO(3)));
	for (i = 0; i < 3; i++) {
		/* The last has one of its own. */
		ca.flags = i < 2 ? CLONE_IO : 0;
		pids[i] = syscall(SYS_clone3, &ca, sizeof(ca));
		MUST(pids[i] >= 0);
		if (pids[i])
			continue;
		ready();
		while (syscall(SYS_ioprio_get, 1, 0) != IOPRIO(5 + i))
			ckpt_sleep_ms(1);
		if (i == 0)
			MUST(!syscall(SYS_ioprio_set, 1, 0, IOPRIO(6)));
		_exit(i);
	}
	MUST(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(3));
	ready();
	wait_go();
	MUST(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(3));
	MUST(syscall(SYS_ioprio_get, 1, pids[2]) == IOPRIO(3));
	MUST(!syscall(SYS_ioprio_set, 1, 0, IOPRIO(5)));
	collect(pids[0], 0);
	collect(pids[1], 1);
	MUST(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(6));
	MUST(syscall(SYS_ioprio_get, 1, pids[2]) == IOPRIO(3));
	MUST(!syscall(SYS_ioprio_set, 1, pids[2], IOPRIO(7)));
	collect(pids[2], 2);
	MUST(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(6));
}

/* That a child goes on again can be asked for once. */
static void continued(void)
{
	siginfo_t si = {};
	pid_t pids[2];
	int i;

	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		while (!pids[i])
			pause();
		MUST(!kill(pids[i], SIGSTOP));
		MUST(!waitid(P_PID, pids[i], &si, WSTOPPED));
		MUST(!kill(pids[i], SIGCONT));
		MUST(!waitid(P_PID, pids[i], &si, WCONTINUED | WNOWAIT));
	}
	/* Of the second it has been asked for. */
	MUST(!waitid(P_PID, pids[1], &si, WCONTINUED));
	stay_the_same();
	si.si_pid = 0;
	MUST(!waitid(P_PID, pids[1], &si, WCONTINUED | WNOHANG) && !si.si_pid);
	MUST(!waitid(P_PID, pids[0], &si, WCONTINUED | WNOHANG));
	MUST(si.si_pid == pids[0] && si.si_code == CLD_CONTINUED &&
	     si.si_status == SIGCONT);
	si.si_pid = 0;
	MUST(!waitid(P_PID, pids[0], &si, WCONTINUED | WNOHANG) && !si.si_pid);
	for (i = 0; i < 2; i++) {
		MUST(!kill(pids[i], SIGKILL));
		MUST(waitpid(pids[i], NULL, 0) == pids[i]);
	}
}

/* Of three processes one table of files, and an open file in two tables. */
static void shares_files(void)
{
	int fd = open("/tmp/tree.shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct clone_args ca = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	pid_t pids[2];

	MUST(fd >= 0 && write(fd, "0123456789", 10) == 10);
	lseek(fd, 3, SEEK_SET);
	pids[0] = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!pids[0]) {
		ready();
		wait_go();
		/* What it opens and closes counts for the other, too. */
		MUST(dup2(fd, 77) == 77);
		MUST(lseek(fd, 7, SEEK_SET) == 7);
		_exit(1);
	}
	pids[1] = fork();
	if (!pids[1]) {
		ready();
		while (lseek(fd, 0, SEEK_CUR) != 7)
			ckpt_sleep_ms(1);
		MUST(fcntl(77, F_GETFD) < 0 && errno == EBADF);
		_exit(2);
	}
	stay_the_same();
	collect(pids[0], 1);
	MUST(fcntl(77, F_GETFD) >= 0);
	collect(pids[1], 2);
	unlink("/tmp/tree.shared");
}

/* Not the parent's own signal, but what clone() was told. */
static void exit_signals(void)
{
	struct clone_args ca = { .exit_signal = SIGUSR2 };
	sigset_t set;
	siginfo_t si;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!pid) {
		stay_the_same();
		_exit(1);
	}
	stay_the_same();
	MUST(sigwaitinfo(&set, &si) == SIGUSR2 && si.si_pid == pid);
	MUST(waitpid(pid, NULL, __WALL) == pid);
}

/* The death of the parent is told as it was asked for. */
static void parent_death(void)
{
	pid_t pid = fork();

	if (!pid) {
		sigset_t set;
		siginfo_t si;
		pid_t child;

		child = fork();
		if (child) {
			stay_the_same();
			_exit(1);
		}
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		ready();
		MUST(sigwaitinfo(&set, &si) == SIGUSR1);
		_exit(6);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	stay_the_same();
	collect(pid, 1);
	MUST(waitpid(-1, &pid, 0) > 0 && pid == 6 << 8);
}

/* A stop that the parent knows of stays one that it knows of. */
static void stopped(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		kill(getpid(), SIGSTOP);
		_exit(8);
	}
	MUST(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	stay_the_same();
	MUST(!waitpid(pid, &status, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	collect(pid, 8);
}

/* Pending for one thread, pending for the process. */
static pthread_t signal_thread;

static void *takes_signals(void *arg)
{
	sigset_t set;
	siginfo_t si;

	sigfillset(&set);
	sigdelset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	ready();
	wait_go();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	MUST(sigwaitinfo(&set, &si) == SIGRTMIN + 3);
	MUST(si.si_value.sival_int == 33);
	return NULL;
}

static void thread_signals(void)
{
	union sigval v = { .sival_int = 33 }, w = { .sival_int = 44 };
	sigset_t set;
	siginfo_t si;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	MUST(!pthread_create(&signal_thread, NULL, takes_signals, NULL));
	MUST(!pthread_sigqueue(signal_thread, SIGRTMIN + 3, v));
	MUST(!sigqueue(getpid(), SIGRTMIN + 4, w));
	stay_the_same();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 4);
	MUST(sigwaitinfo(&set, &si) == SIGRTMIN + 4);
	MUST(si.si_value.sival_int == 44);
	MUST(!pthread_join(signal_thread, NULL));
}

/* A parent that waits for its child of vfork() cannot come to a halt before. */
static void vforks(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	unsigned int n;
	int status;
	pid_t pid;

	ready();
	for (n = 0; access(GO, F_OK); n++) {
		pid = vfork();
		if (!pid) {
			syscall(SYS_nanosleep, &ms, NULL);
			_exit(n % 100);
		}
		MUST(pid > 0);
		MUST(waitpid(pid, &status, 0) == pid);
		MUST(status == (int)(n % 100) << 8);
	}
	/* A restart that began again would have but a few. */
	MUST(n > 30);
}

/* ---- in the test --------------------------------------------------------------- */

FIXTURE(tree)
{
	pid_t pid;
};

FIXTURE_VARIANT(tree)
{
	void (*program)(void);
	int ready;
};

#define TREE(name, nr)				\
FIXTURE_VARIANT_ADD(tree, name)			\
{						\
	.program = name,			\
	.ready = nr,				\
}

TREE(deep, 21);
TREE(wide, 41);
TREE(ids, 5);
TREE(zombies, 1);
TREE(told_once, 1);
TREE(threads, 1 + THREADS);
TREE(leader_gone, 2);
TREE(shares_vm, 2);
TREE(shares_vm_fs, 2);
TREE(shares_vm_files, 2);
TREE(shares_files, 3);
TREE(shares_sighand, 2);
TREE(shares_sighand_some, 3);
TREE(shares_sighand_orphan, 2);
TREE(shares_sighand_child_threads, 4);
TREE(shares_sighand_threads, 6);
TREE(shares_io, 4);
TREE(continued, 1);
TREE(exit_signals, 2);
TREE(parent_death, 3);
TREE(stopped, 1);
TREE(thread_signals, 2);

FIXTURE_SETUP(tree)
{
	begin_tree(_metadata);
}

FIXTURE_TEARDOWN(tree)
{
	end_tree(self->pid);
}

TEST_F(tree, left_running)
{
	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	tree_ends_well(_metadata, &self->pid);
}

static void comes_back(struct __test_metadata *_metadata, pid_t *pid,
		       void (*program)(void), int nr, bool container)
{
	int i;

	*pid = start_tree(_metadata, program, nr, container);
	for (i = 0; i < 3; i++)
		kill_and_restart(_metadata, pid, container);
	tree_ends_well(_metadata, pid);
}

TEST_F(tree, comes_back)
{
	comes_back(_metadata, &self->pid, variant->program, variant->ready, false);
}

/* The root is the init of a pid namespace. */
TEST_F(tree, container)
{
	comes_back(_metadata, &self->pid, variant->program, variant->ready, true);
}

PROGRAM_FIXTURE(late, begin_tree, end_tree);

/* Who was killed has its pid until somebody waits for it. */
TEST_F(late, is_not_gone_yet)
{
	pid_t pid, other;

	self->pid = start_tree(_metadata, wide, 41, false);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL))
		TH_LOG("%s", ckpt_log_text);
	other = fork();
	if (!other)
		_exit(restart_image("") == self->pid ? 1 : 2);
	ckpt_sleep_ms(100);
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		ASSERT_NE(other, pid);
	EXPECT_EQ(1, ckpt_wait(other, 10000));
	tree_ends_well(_metadata, &self->pid);
}

/* Whoever is dead keeps nobody from leading the session that both were in. */
TEST_F(late, is_outside)
{
	comes_back(_metadata, &self->pid, dead_outside, 1, false);
}

PROGRAM_FIXTURE(vforks, begin_tree, end_tree);

TEST_F(vforks, at_any_moment)
{
	int i;

	self->pid = start_tree(_metadata, vforks, 1, false);
	for (i = 0; i < 20; i++) {
		ckpt_sleep_ms(3 + i % 5);
		if (i % 2)
			kill_and_restart(_metadata, &self->pid, false);
		else
			ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
				TH_LOG("%s", ckpt_log_text);
	}
	tree_ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
