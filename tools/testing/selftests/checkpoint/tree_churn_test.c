// SPDX-License-Identifier: GPL-2.0
/*
 * Trees that change while they are saved: tasks are born and die, execute other
 * programs, take locks and send signals, and a checkpoint comes at any point of
 * that. Each program counts its steps in its own memory and in a file that it
 * has mapped: memory that is older than the file, a step that was lost or made
 * twice makes the two differ.
 *
 * Then trees that save themselves, that are stopped, frozen for long, a user's
 * own, or whose pids are taken.
 */
#include "program.h"

#include <dirent.h>
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define STATE	"/tmp/churn.state"
#define PIDFILE	"/tmp/churn.pid"
#define USER	1000
#define SLOTS	16

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER	57
#endif

/**
 * struct shared - what is in the file, the same for 32-bit programs
 * @stop: all is to end
 * @steps: made by anybody
 * @living: see forks()
 * @count: steps of one of several that do the same
 * @pids: likewise
 */
struct shared {
	uint32_t stop;
	uint32_t steps;
	uint32_t living;
	uint32_t count[SLOTS];
	int32_t pids[SLOTS];
};

static volatile struct shared *sh;

static uint32_t add(volatile uint32_t *n, int by)
{
	return __atomic_add_fetch(n, by, __ATOMIC_SEQ_CST);
}

static bool map_shared(void)
{
	int fd = open(STATE, O_RDWR | O_CLOEXEC);

	if (sh)
		munmap((void *)sh, sizeof(*sh));
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return sh != MAP_FAILED;
}

/* ---- programs that change ------------------------------------------------ */

/* Both counters have made the same steps. */
static void step(unsigned int slot, uint32_t *mine)
{
	MUST(sh->count[slot] == *mine);
	++*mine;
	sh->count[slot] = *mine;
	add(&sh->steps, 1);
}

static void collect(pid_t pid, int want)
{
	int status;

	MUST(waitpid(pid, &status, 0) > 0);
	MUST(status == want << 8);
}

#define CHAINS		12
#define MAX_LIVING	200

/* Each link makes the next one and exits. */
static void chain(unsigned int slot)
{
	uint32_t mine = 0;
	pid_t pid;

	while (!sh->stop) {
		if (add(&sh->living, 1) > MAX_LIVING) {
			add(&sh->living, -1);
			ckpt_sleep_ms(1);
			continue;
		}
		pid = fork();
		MUST(pid >= 0);
		if (pid)
			break;
		step(slot, &mine);
	}
	_exit(7);
}

/* As many are collected as were made. */
static void forks(void)
{
	uint32_t mine = 0, made = CHAINS;
	int i, status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	add(&sh->living, CHAINS);
	for (i = 1; i <= CHAINS; i++)
		if (!fork())
			chain(i);
	ready();
	while (waitpid(-1, &status, 0) > 0) {
		MUST(status == 7 << 8);
		add(&sh->living, -1);
		step(0, &mine);
	}
	MUST(errno == ECHILD);
	for (i = 1; i <= CHAINS; i++)
		made += sh->count[i];
	MUST(mine == made);
	MUST(!sh->living);
}

/* What is executed next: the same, or the build for the other mode. */
static void next_program(bool other, char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 4);

	path[n > 0 ? n : 0] = 0;
	if (!other)
		return;
	if (n > 3 && !strcmp(path + n - 3, "_32"))
		path[n - 3] = 0;
	else
		strcat(path, "_32");
}

#define EXECERS		4

struct exec {
	uint32_t nr;
	unsigned int slot;
	bool other;
};

static void *exec_next(void *arg)
{
	const struct exec *e = arg;
	char path[256], slot[16], nr[16];

	next_program(e->other, path, sizeof(path));
	snprintf(slot, sizeof(slot), "%u", e->slot);
	snprintf(nr, sizeof(nr), "%u", e->nr);
	execl(path, path, "--exec", e->other ? "other" : "same", slot, nr, NULL);
	MUST(!"execl");
	return NULL;
}

static void *wait_long(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

/* Some do it from a thread that is not the first, which takes its place. */
static void exec_again(struct exec *e)
{
	pthread_t t;

	if (e->slot % 2)
		exec_next(e);
	MUST(!pthread_create(&t, NULL, wait_long, NULL));
	MUST(!pthread_create(&t, NULL, exec_next, e));
	wait_long(NULL);
}

/* Before those of the harness, which make memory that cannot be saved. */
static void __attribute__((constructor(101))) executed(int argc, char **argv)
{
	struct exec e;
	int i;

	if (argc != 5 || strcmp(argv[1], "--exec"))
		return;
	e = (struct exec){
		.other = !strcmp(argv[2], "other"),
		.slot = atoi(argv[3]),
		.nr = strtoul(argv[4], NULL, 10),
	};
	log_fd = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	MUST(map_shared());
	MUST(getpid() == sh->pids[e.slot]);
	step(e.slot, &e.nr);
	if (!sh->stop)
		exec_again(&e);
	/* The first is the parent of the others, whatever it executes. */
	for (i = 1; !e.slot && i < EXECERS; i++)
		collect(sh->pids[i], 7);
	_exit(e.slot ? 7 : GOOD);
}

static void exec_tree(bool other)
{
	struct exec e = { .other = other };

	for (e.slot = EXECERS - 1; e.slot; e.slot--) {
		sh->pids[e.slot] = fork();
		if (!sh->pids[e.slot]) {
			sh->pids[e.slot] = getpid();
			exec_again(&e);
		}
	}
	sh->pids[0] = getpid();
	ready();
	exec_again(&e);
}

static void execs(void)
{
	exec_tree(false);
}

static void execs_mixed(void)
{
	exec_tree(true);
}

#define SPAWNERS	4
#define AT_ONCE		3

static __thread long in_tls;
static uint32_t made;

static void *short_life(void *arg)
{
	in_tls = (long)arg;
	add(&made, 1);
	sched_yield();
	MUST(in_tls == (long)arg);
	return (void *)(in_tls * 3);
}

static void *spawner(void *arg)
{
	unsigned int slot = (long)arg;
	pthread_t t[AT_ONCE];
	uint32_t mine = 0;
	void *ret;
	long i;

	while (!sh->stop) {
		for (i = 0; i < AT_ONCE; i++)
			MUST(!pthread_create(&t[i], NULL, short_life,
					     (void *)(mine + i)));
		for (i = 0; i < AT_ONCE; i++) {
			MUST(!pthread_join(t[i], &ret));
			MUST(ret == (void *)((mine + i) * 3));
		}
		step(slot, &mine);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[SPAWNERS];
	uint32_t sum = 0;
	long i;

	for (i = 0; i < SPAWNERS; i++)
		MUST(!pthread_create(&t[i], NULL, spawner, (void *)i));
	ready();
	for (i = 0; i < SPAWNERS; i++) {
		MUST(!pthread_join(t[i], NULL));
		sum += sh->count[i];
	}
	MUST(made == sum * AT_ONCE);
}

/**
 * struct guarded - two numbers that differ only while the lock is held
 * @lock: of a kind
 * @a: set first
 * @b: set then
 */
struct guarded {
	pthread_mutex_t lock;
	uint32_t a, b;
};

static struct guarded with_pi, robust, queue;
static uint32_t dead, recovered, ring[4];
static pthread_cond_t filled, emptied;

static void init_lock(struct guarded *g, int protocol, int robustness)
{
	pthread_mutexattr_t attr;

	MUST(!pthread_mutexattr_init(&attr));
	MUST(!pthread_mutexattr_setprotocol(&attr, protocol));
	MUST(!pthread_mutexattr_setrobust(&attr, robustness));
	MUST(!pthread_mutex_init(&g->lock, &attr));
}

/* Who held it may have died between the two numbers. */
static void lock(struct guarded *g)
{
	int err = pthread_mutex_lock(&g->lock);

	if (err == EOWNERDEAD) {
		MUST(g == &robust && g->a == g->b + 1);
		g->b++;
		recovered++;
		err = pthread_mutex_consistent(&g->lock);
	}
	MUST(!err);
	MUST(g->a == g->b);
}

static void unlock(struct guarded *g)
{
	MUST(!pthread_mutex_unlock(&g->lock));
}

static void *locker(void *arg)
{
	struct guarded *g = arg;

	while (!sh->stop) {
		lock(g);
		step(g == &robust, &g->a);
		sched_yield();
		MUST(g->a == ++g->b);
		unlock(g);
	}
	return NULL;
}

static void *die_with_lock(void *arg)
{
	lock(&robust);
	step(1, &robust.a);
	dead++;
	return NULL;
}

static void *dying(void *arg)
{
	pthread_t t;

	while (!sh->stop) {
		MUST(!pthread_create(&t, NULL, die_with_lock, NULL));
		MUST(!pthread_join(t, NULL));
		ckpt_sleep_ms(1);
	}
	return NULL;
}

static void *producer(void *arg)
{
	uint32_t mine = 0;

	while (!sh->stop) {
		lock(&queue);
		while (sh->count[2] - sh->count[3] == 4)
			MUST(!pthread_cond_wait(&emptied, &queue.lock));
		ring[mine % 4] = mine;
		step(2, &mine);
		pthread_cond_signal(&filled);
		unlock(&queue);
	}
	return NULL;
}

static void *consumer(void *arg)
{
	struct timespec later;
	uint32_t mine = 0;

	while (!sh->stop) {
		clock_gettime(CLOCK_REALTIME, &later);
		later.tv_sec += 20;
		lock(&queue);
		while (sh->count[2] == sh->count[3])
			MUST(!pthread_cond_timedwait(&filled, &queue.lock,
						     &later));
		MUST(ring[mine % 4] == mine);
		step(3, &mine);
		pthread_cond_signal(&emptied);
		unlock(&queue);
	}
	return NULL;
}

static void locks(void)
{
	void *(*fn[])(void *) = { locker, locker, locker, locker, locker, dying };
	pthread_t t[6], with_queue;
	int i;

	init_lock(&with_pi, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	init_lock(&robust, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
	init_lock(&queue, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	for (i = 0; i < 6; i++)
		MUST(!pthread_create(&t[i], NULL, fn[i],
				     i < 3 ? &with_pi : &robust));
	/* They are not joined: one waits for the other when it is stopped. */
	MUST(!pthread_create(&with_queue, NULL, producer, NULL));
	MUST(!pthread_create(&with_queue, NULL, consumer, NULL));
	ready();
	for (i = 0; i < 6; i++)
		MUST(!pthread_join(t[i], NULL));
	lock(&robust);
	MUST(dead && dead == recovered);
	lock(&with_pi);
	MUST(with_pi.a == sh->count[0] && robust.a == sh->count[1]);
	MUST(sh->count[2] && sh->count[2] - sh->count[3] <= 4);
}

#define TO_PROCESS	(SIGRTMIN + 1)
#define TO_THREAD	(SIGRTMIN + 2)
#define ANSWER		(SIGRTMIN + 3)
#define LAST		-1

static int wait_signal(int sig)
{
	sigset_t set;
	siginfo_t si;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ret = sigwaitinfo(&set, &si);
	MUST(ret == sig && si.si_code == SI_QUEUE);
	return si.si_value.sival_int;
}

/* None is lost, none comes twice, and they come in order. */
static void *take_signals(void *arg)
{
	int sig = *(int *)arg, got;
	unsigned int slot = sig == TO_THREAD;
	union sigval v;
	uint32_t mine = 0;

	sh->pids[slot] = syscall(SYS_gettid);
	while ((got = wait_signal(sig)) != LAST) {
		MUST(got == mine);
		step(slot, &mine);
		v.sival_int = mine;
		if (sig == TO_PROCESS)
			MUST(!sigqueue(getppid(), ANSWER, v));
	}
	return NULL;
}

static void send_signal(bool thread, int value)
{
	siginfo_t si = { .si_code = SI_QUEUE, .si_pid = getpid() };

	si.si_value.sival_int = value;
	if (thread)
		MUST(!syscall(SYS_rt_tgsigqueueinfo, sh->pids[0], sh->pids[1],
			      TO_THREAD, &si));
	else
		MUST(!sigqueue(sh->pids[0], TO_PROCESS, si.si_value));
}

static void signals(void)
{
	int of_process = TO_PROCESS, of_thread = TO_THREAD, answers = 0, i;
	uint32_t sent[2] = {};
	pthread_t t;
	sigset_t set;
	pid_t pid;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (!pid) {
		MUST(!pthread_create(&t, NULL, take_signals, &of_thread));
		take_signals(&of_process);
		MUST(!pthread_join(t, NULL));
		_exit(7);
	}
	while (!sh->pids[0] || !sh->pids[1])
		ckpt_sleep_ms(1);
	ready();
	while (!sh->stop) {
		for (i = 0; i < 2; i++)
			while (sent[i] - sh->count[i] < 6)
				send_signal(i, sent[i]++);
		MUST(wait_signal(ANSWER) == ++answers);
	}
	send_signal(false, LAST);
	send_signal(true, LAST);
	while (answers < sent[0])
		MUST(wait_signal(ANSWER) == ++answers);
	collect(pid, 7);
	MUST(sh->count[0] == sent[0] && sh->count[1] == sent[1]);
}

/* ---- in the test ------------------------------------------------------------ */

static char restart_text[4096];

/* Runs restart(1) as @user; its exit status, and what it says. */
static int restart_as(uid_t user, bool no_pids)
{
	int out = memfd_create("out", MFD_CLOEXEC), ret;
	const char *argv[] = {
		"restart", "--detach", "-i", CKPT_IMG, "--pidfile", PIDFILE,
		no_pids ? "--no-pids" : NULL, NULL,
	};
	ssize_t n;
	pid_t pid;

	unlink(PIDFILE);
	pid = fork();
	if (!pid) {
		dup2(out, 1);
		dup2(out, 2);
		if (user && (setgroups(0, NULL) || setgid(user) || setuid(user)))
			_exit(99);
		execvp(argv[0], (char **)argv);
		_exit(98);
	}
	ret = ckpt_wait(pid, 30000);
	n = pread(out, restart_text, sizeof(restart_text) - 1, 0);
	restart_text[n > 0 ? n : 0] = 0;
	close(out);
	return ret;
}

static pid_t restarted_pid(void)
{
	char text[32];

	ckpt_read_text(PIDFILE, text, sizeof(text));
	return atoi(text);
}

/* All that dies of a tree comes to us. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void churn_begin(struct __test_metadata *_metadata)
{
	int fd = open(STATE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	begin(_metadata);
	ASSERT_EQ(0, fchmod(log_fd, 0666));
	ASSERT_EQ(0, fchmod(fd, 0666));
	ASSERT_EQ(0, ftruncate(fd, sizeof(*sh)));
	close(fd);
	ASSERT_TRUE(map_shared());
	/* The restarted root is ours once the command has gone. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* No command gets a pid that a program has lost by its death. */
	ASSERT_TRUE(ckpt_write_text("/proc/sys/kernel/pid_max", "4194304"));
}

/* Of the session of the program: all of it. */
static void churn_end(pid_t pid)
{
	sh->stop = 1;
	if (pid > 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		reap_all();
	}
	end(0);
	unlink(STATE);
	unlink(PIDFILE);
}

static void churn_body(void *arg)
{
	MUST(map_shared());
	((void (*)(void))arg)();
	_exit(GOOD);
}

/* Goes on, and has found nothing wrong, nor begun again. */
static bool moves(void)
{
	uint32_t was = sh->steps;
	int i;

	for (i = 0; i < 5000 && sh->steps - was < 10; i++)
		ckpt_sleep_ms(1);
	return i < 5000 && !strcmp(log_text(), "ready\n");
}

static void save(struct __test_metadata *_metadata, pid_t pid, bool kill)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, kill ? CHECKPOINT_KILL : 0)) {
		TH_LOG("%s%s", ckpt_log_text, log_text());
	}
	if (kill)
		reap_all();
}

static void come_back(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_EQ(0, restart_as(0, false)) {
		TH_LOG("%s", restart_text);
	}
	ASSERT_EQ(pid, restarted_pid());
}

static void stop_program(struct __test_metadata *_metadata, pid_t *pid)
{
	sh->stop = 1;
	EXPECT_EQ(GOOD, ckpt_wait(*pid, 10000));
	EXPECT_STREQ("ready\n", log_text());
	if (ckpt_state(*pid) == 0)
		*pid = 0;
}

PROGRAM_FIXTURE(churn, churn_begin, churn_end);

FIXTURE_VARIANT(churn)
{
	void (*program)(void);
	int rounds;
};

#define CHURN(name, nr)				\
FIXTURE_VARIANT_ADD(churn, name)		\
{						\
	.program = name,			\
	.rounds = nr,				\
}

CHURN(forks, 30);
CHURN(execs, 50);
CHURN(execs_mixed, 50);
CHURN(threads, 50);
CHURN(locks, 50);
CHURN(signals, 50);

TEST_F_TIMEOUT(churn, again_and_again, 60)
{
	char other[256];
	int i;

	next_program(true, other, sizeof(other));
	if (variant->program == execs_mixed && access(other, X_OK))
		SKIP(return, "there is no %s", other);
	self->pid = start(_metadata, churn_body, variant->program);
	for (i = 0; i < variant->rounds; i++) {
		save(_metadata, self->pid, i % 2);
		if (i % 2)
			come_back(_metadata, self->pid);
		ASSERT_TRUE(moves()) {
			TH_LOG("round %d: %s", i, log_text());
		}
	}
	stop_program(_metadata, &self->pid);
}

/* ---- a tree that waits --------------------------------------------------------- */

/*
 * The root has a child with a second thread, a dead child, and one that is in
 * the process group of a process that is no more.
 */
enum { ROOT, CHILD, THREAD, ORPHAN, ZOMBIE, GROUP, FAMILY };

static void *in_family(void *arg)
{
	if (*(bool *)arg)
		MUST(!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	sh->pids[THREAD] = syscall(SYS_gettid);
	wait_go();
	return arg;
}

static void child_of_family(bool odd)
{
	pthread_t t;
	void *ret;

	MUST(!pthread_create(&t, NULL, in_family, &odd));
	wait_go();
	MUST(!pthread_join(t, &ret) && ret == &odd);
	_exit(1);
}

static void group_of_family(void)
{
	sh->pids[GROUP] = getpid();
	MUST(!setpgid(0, 0));
	sh->pids[ORPHAN] = fork();
	if (sh->pids[ORPHAN])
		_exit(5);
	wait_go();
	_exit(2);
}

static void family(bool odd)
{
	int status, sum = 0;
	siginfo_t si;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sh->pids[ROOT] = getpid();
	sh->pids[CHILD] = fork();
	if (!sh->pids[CHILD])
		child_of_family(odd);
	if (!fork())
		group_of_family();
	collect(sh->pids[GROUP], 5);
	sh->pids[ZOMBIE] = fork();
	if (!sh->pids[ZOMBIE])
		_exit(4);
	MUST(!waitid(P_PID, sh->pids[ZOMBIE], &si, WEXITED | WNOWAIT));
	while (!sh->pids[THREAD])
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	MUST(errno == ECHILD && sum == 1 + 2 + 4);
}

static void normal_family(void)
{
	family(false);
}

static void odd_family(void)
{
	family(true);
}

/* As a program that was started by the user: it may be traced by him. */
static void family_of_user(void *arg)
{
	MUST(!setgroups(0, NULL) && !setgid(USER) && !setuid(USER));
	MUST(!prctl(PR_SET_DUMPABLE, 1));
	churn_body(normal_family);
}

PROGRAM_FIXTURE(waiting, churn_begin, churn_end);

/* None of the tree is there, but who has taken the pid of one. */
static bool nothing_left(pid_t taken)
{
	int i, left = 1, tries;

	for (tries = 0; left && tries < 2000; tries++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		for (left = 0, i = 0; i < FAMILY; i++)
			left += sh->pids[i] != taken && !kill(sh->pids[i], 0);
		if (left)
			ckpt_sleep_ms(1);
	}
	return !left;
}

static pid_t take_pid(pid_t pid)
{
	struct clone_args ca = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	pid = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!pid)
		wait_long(NULL);
	return pid;
}

/* Nothing of it comes back, until the pid is free again. */
TEST_F(waiting, pid_is_taken)
{
	char words[64];
	pid_t pid;
	int i;

	self->pid = start(_metadata, churn_body, normal_family);
	save(_metadata, self->pid, true);
	for (i = 0; i < FAMILY; i++) {
		pid = sh->pids[i];
		ASSERT_EQ(pid, take_pid(pid));
		EXPECT_EQ(125, restart_as(0, false));
		snprintf(words, sizeof(words), i == GROUP ? "the id %d of" :
			 "pid %d is taken by process", pid);
		EXPECT_NE(NULL, strstr(restart_text, words)) {
			TH_LOG("%d: %s", i, restart_text);
		}
		EXPECT_TRUE(nothing_left(pid));
		EXPECT_EQ(0, kill(pid, 0));
		ckpt_kill(pid);
	}
	come_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void expect_restored(struct __test_metadata *_metadata, uid_t user,
			    pid_t *pid)
{
	ASSERT_EQ(0, restart_as(user, true)) {
		TH_LOG("%s", restart_text);
	}
	*pid = restarted_pid();
	ASSERT_LT(0, *pid);
}

/* A user saves what is his own; only the pids are not his to choose. */
TEST_F(waiting, of_a_user)
{
	int i, status;
	pid_t saver;

	self->pid = start(_metadata, family_of_user, NULL);
	for (i = 0; i < 3; i++) {
		saver = fork();
		if (!saver) {
			if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
				_exit(1);
			if (ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL) > 0)
				_exit(0);
			fprintf(stderr, "%s", ckpt_log_text);
			_exit(2);
		}
		ASSERT_EQ(saver, waitpid(saver, &status, 0));
		ASSERT_EQ(0, status);
		reap_all();
		EXPECT_EQ(125, restart_as(USER, false));
		EXPECT_NE(NULL, strstr(restart_text, "you may not choose pid")) {
			TH_LOG("%s", restart_text);
		}
		EXPECT_TRUE(nothing_left(0));
		expect_restored(_metadata, USER, &self->pid);
	}
	ends_well(_metadata, &self->pid);
}

/* Others' trees are not his. */
TEST_F(waiting, of_another)
{
	int status;
	pid_t saver;

	self->pid = start(_metadata, churn_body, normal_family);
	saver = fork();
	if (!saver) {
		if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
			_exit(1);
		status = ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL);
		_exit(status == -EPERM ? 0 : 2);
	}
	ASSERT_EQ(saver, waitpid(saver, &status, 0));
	EXPECT_EQ(0, status);
	ends_well(_metadata, &self->pid);
}

static void expect_why(struct __test_metadata *_metadata, pid_t pid,
		       int32_t who, const char *why)
{
	char name[32];

	snprintf(name, sizeof(name), "pid %d (", who);
	ckpt_expect_refused(_metadata, pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says((const char *[]){ name, why, NULL })) {
		TH_LOG("%s", ckpt_log_text);
	}
}

/* It is the second thread of a child that cannot be saved. */
TEST_F(waiting, thread_is_refused)
{
	self->pid = start(_metadata, churn_body, odd_family);
	expect_why(_metadata, self->pid, sh->pids[THREAD], "PR_SET_IO_FLUSHER");
	ends_well(_metadata, &self->pid);
}

TEST_F(waiting, child_is_traced)
{
	pid_t traced;

	self->pid = start(_metadata, churn_body, normal_family);
	traced = sh->pids[CHILD];
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, traced, 0, 0));
	expect_why(_metadata, self->pid, traced, "is traced by pid");
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, traced, 0, 0));
	ASSERT_EQ(traced, waitpid(traced, NULL, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, traced, 0, 0));
	save(_metadata, self->pid, true);
	come_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- stopped, and held ------------------------------------------------------------ */

/* Those of the group that are in no @state of these. */
static int others(pid_t group, const char *states)
{
	char text[512], path[64], *p;
	int pid, pgid, nr = 0;
	struct dirent *e;
	DIR *d;

	d = opendir("/proc");
	while (d && (e = readdir(d))) {
		pid = atoi(e->d_name);
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (!pid || ckpt_read_text(path, text, sizeof(text)) <= 0)
			continue;
		p = strrchr(text, ')');
		if (p && sscanf(p + 3, "%*d %d", &pgid) == 1 && pgid == group)
			nr += !strchr(states, p[2]);
	}
	if (d)
		closedir(d);
	return nr;
}

static bool all_stopped(pid_t group)
{
	int i;

	for (i = 0; i < 1000 && others(group, "TZX"); i++)
		ckpt_sleep_ms(2);
	return i < 1000;
}

static bool stands_still(void)
{
	uint32_t was = sh->steps;

	ckpt_sleep_ms(30);
	return was == sh->steps;
}

PROGRAM_FIXTURE(still, churn_begin, churn_end);

FIXTURE_VARIANT(still)
{
	void (*program)(void);
};

FIXTURE_VARIANT_ADD(still, forks) {
	.program = forks,
};

FIXTURE_VARIANT_ADD(still, threads) {
	.program = threads,
};

FIXTURE_VARIANT_ADD(still, locks) {
	.program = locks,
};

FIXTURE_VARIANT_ADD(still, signals) {
	.program = signals,
};

TEST_F(still, stopped)
{
	int i;

	self->pid = start(_metadata, churn_body, variant->program);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, kill(-self->pid, SIGSTOP));
		ASSERT_TRUE(all_stopped(self->pid));
		save(_metadata, self->pid, i % 2);
		if (i % 2)
			come_back(_metadata, self->pid);
		EXPECT_TRUE(all_stopped(self->pid));
		EXPECT_TRUE(stands_still());
		ASSERT_EQ(0, kill(-self->pid, SIGCONT));
		ASSERT_TRUE(moves()) {
			TH_LOG("%s", log_text());
		}
	}
	stop_program(_metadata, &self->pid);
}

TEST_F(still, held)
{
	int i, context;

	self->pid = start(_metadata, churn_body, variant->program);
	for (i = 0; i < 4; i++) {
		context = ckpt_hold(_metadata, self->pid);
		EXPECT_TRUE(stands_still());
		/* Nor is it there for anybody else. */
		EXPECT_EQ(-EBUSY, ckpt_check(self->pid, CHECKPOINT_SUBTREE));
		if (i % 2)
			EXPECT_EQ(0, ioctl(context, CKPT_CONTEXT_THAW));
		close(context);
		ASSERT_TRUE(moves()) {
			TH_LOG("%s", log_text());
		}
	}
	context = ckpt_hold(_metadata, self->pid);
	EXPECT_EQ(0, ioctl(context, CKPT_CONTEXT_KILL));
	close(context);
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	reap_all();
	/* Not one of them, dead or alive. */
	EXPECT_EQ(-1, kill(-self->pid, 0));
	self->pid = 0;
}

/* ---- a tree that saves itself ------------------------------------------------------ */

#define SAVED		10
#define RESTARTED	20

enum who { BY_ROOT, BY_THREAD, BY_CHILD, BY_THREAD_OF_CHILD };

static enum who saver;
static pid_t itself;
static volatile int lives;

static void *save_tree(void *arg)
{
	int fd = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	volatile int life = ++lives;
	long ret;

	MUST(fd >= 0);
	ret = sys_checkpoint(itself, fd, CHECKPOINT_SUBTREE, NULL, 0);
	MUST(ret >= 0);
	MUST(life == 1 && lives == 1);
	lives++;
	ckpt_touch(GO);
	return (void *)(long)(ret ? SAVED : RESTARTED);
}

/* In a thread of its own or not. */
static int save_in(bool thread)
{
	pthread_t t;
	void *ret;

	if (!thread)
		return (long)save_tree(NULL);
	MUST(!pthread_create(&t, NULL, save_tree, NULL));
	MUST(!pthread_join(t, &ret));
	return (long)ret;
}

static void saves_itself(void *arg)
{
	int status = 0;
	pid_t pid;

	saver = *(enum who *)arg;
	itself = getpid();
	pid = fork();
	if (!pid) {
		if (saver >= BY_CHILD)
			_exit(save_in(saver == BY_THREAD_OF_CHILD));
		wait_go();
		_exit(0);
	}
	if (saver < BY_CHILD)
		status = save_in(saver == BY_THREAD);
	wait_go();
	collect(pid, saver < BY_CHILD ? 0 : access(PIDFILE, F_OK) ? SAVED :
								    RESTARTED);
	_exit(status ?: GOOD);
}

PROGRAM_FIXTURE(itself, churn_begin, churn_end);

FIXTURE_VARIANT(itself)
{
	enum who who;
	int first;
	int later;
};

FIXTURE_VARIANT_ADD(itself, root) {
	.who = BY_ROOT,
	.first = SAVED,
	.later = RESTARTED,
};

FIXTURE_VARIANT_ADD(itself, thread) {
	.who = BY_THREAD,
	.first = SAVED,
	.later = RESTARTED,
};

FIXTURE_VARIANT_ADD(itself, child) {
	.who = BY_CHILD,
	.first = GOOD,
	.later = GOOD,
};

FIXTURE_VARIANT_ADD(itself, thread_of_child) {
	.who = BY_THREAD_OF_CHILD,
	.first = GOOD,
	.later = GOOD,
};

/* Returns an id in the first life, 0 in each later one. */
TEST_F(itself, saved)
{
	enum who who = variant->who;
	pid_t pid;
	int i;

	pid = ckpt_spawn(saves_itself, &who, log_fd);
	EXPECT_EQ(variant->first, ckpt_wait(pid, 10000)) {
		TH_LOG("%s", log_text());
	}
	for (i = 0; i < 3; i++) {
		reap_all();
		unlink(GO);
		ASSERT_EQ(0, restart_as(0, false)) {
			TH_LOG("%s", restart_text);
		}
		EXPECT_EQ(variant->later, ckpt_wait(pid, 10000)) {
			TH_LOG("%s", log_text());
		}
	}
	EXPECT_STREQ("", log_text());
}

TEST_HARNESS_MAIN
