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

#include <glob.h>
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define STATE	"/tmp/churn.state"
#define PIDFILE	"/tmp/churn.pid"
#define USER	1000
#define SLOTS	16

/* What is in the file, the same for 32-bit programs. */
struct shared {
	unsigned int stop;		/* all is to end */
	unsigned int stopped;		/* there was a SIGSTOP */
	unsigned int steps;		/* made by anybody */
	unsigned int living;		/* see forks() */
	unsigned int count[SLOTS];	/* steps of one of several */
	int pids[SLOTS];		/* likewise */
	int root;
};

static volatile struct shared *sh;

static unsigned int add(volatile unsigned int *n, int by)
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
static void step(unsigned int slot, unsigned int *mine)
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
	unsigned int mine = 0;
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
static void forks(int unused)
{
	unsigned int mine = 0, made = CHAINS;
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
#define OTHER		1
#define BY_A_THREAD	2

struct exec {
	unsigned int mode, slot;
	unsigned int nr;
};

static void *exec_next(void *arg)
{
	const struct exec *e = arg;
	char path[256], text[48];

	next_program(e->mode & OTHER, path, sizeof(path));
	snprintf(text, sizeof(text), "%u,%u,%u", e->mode, e->slot, e->nr);
	execl(path, path, "--exec", text, NULL);
	MUST(!"execl");
	return NULL;
}

static void *wait_long(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

/* Some in a thread that is not the first, which takes the place of that. */
static void exec_again(struct exec *e)
{
	pthread_t t;

	if (!(e->mode & BY_A_THREAD) && e->slot % 2 == 0)
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

	if (argc != 3 || strcmp(argv[1], "--exec") ||
	    sscanf(argv[2], "%u,%u,%u", &e.mode, &e.slot, &e.nr) != 3)
		return;
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

static void execs(int mode)
{
	struct exec e = { .mode = mode };
	pid_t pid;

	for (e.slot = EXECERS - 1; e.slot; e.slot--) {
		pid = fork();
		sh->pids[e.slot] = pid ?: getpid();
		if (!pid)
			exec_again(&e);
	}
	sh->pids[0] = getpid();
	ready();
	exec_again(&e);
}

#define SPAWNERS	4
#define AT_ONCE		3

static __thread long in_tls;
static unsigned int made;

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
	unsigned int mine = 0;
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

static void *run_spawners(void *arg)
{
	pthread_t t[SPAWNERS];
	unsigned int sum = 0;
	long i;

	for (i = 0; i < SPAWNERS; i++)
		MUST(!pthread_create(&t[i], NULL, spawner, (void *)i));
	ready();
	for (i = 0; i < SPAWNERS; i++) {
		MUST(!pthread_join(t[i], NULL));
		sum += sh->count[i];
	}
	MUST(made == sum * AT_ONCE);
	_exit(GOOD);
}

/* The first thread takes part, or exits. */
static void threads(int leader_exits)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, run_spawners, NULL));
	if (leader_exits)
		syscall(SYS_exit, 0);
	pthread_join(t, NULL);
}

/* Two numbers that differ only while the lock is held. */
struct guarded {
	pthread_mutex_t lock;
	unsigned int a, b;
};

static struct guarded with_pi, robust, queue;
static unsigned int dead, recovered, ring[4];
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

/* In a thread of its own, which dies with the lock. */
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

/* One fills the ring, the other empties it. */
static void *use_ring(void *arg)
{
	bool fills = arg == &filled;
	struct timespec later;
	unsigned int mine = 0;

	clock_gettime(CLOCK_REALTIME, &later);
	later.tv_sec += 120;
	while (!sh->stop) {
		lock(&queue);
		while (sh->count[2] - sh->count[3] == (fills ? 4 : 0))
			MUST(!pthread_cond_timedwait(fills ? &emptied : &filled,
						     &queue.lock, &later));
		if (fills)
			ring[mine % 4] = mine;
		MUST(ring[mine % 4] == mine);
		step(fills ? 2 : 3, &mine);
		pthread_cond_signal(arg);
		unlock(&queue);
	}
	return NULL;
}

static void locks(int unused)
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
	MUST(!pthread_create(&with_queue, NULL, use_ring, &filled));
	MUST(!pthread_create(&with_queue, NULL, use_ring, &emptied));
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
#define LAST		-1

static int wait_signal(int sig)
{
	sigset_t set;
	siginfo_t si;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, sig);
	/* A stop interrupts it, a checkpoint does not. */
	do {
		ret = sigwaitinfo(&set, &si);
	} while (ret < 0 && errno == EINTR && sh->stopped);
	MUST(ret == sig && si.si_code == SI_QUEUE);
	return si.si_value.sival_int;
}

/* None is lost, none comes twice, and they come in order. */
static void *take_signals(void *arg)
{
	int sig = *(int *)arg, got;
	unsigned int slot = sig == TO_THREAD, mine = 0;

	sh->pids[slot] = syscall(SYS_gettid);
	while ((got = wait_signal(sig)) != LAST) {
		MUST(got == mine);
		step(slot, &mine);
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

static void signals(int unused)
{
	int of_process = TO_PROCESS, of_thread = TO_THREAD, i;
	unsigned int sent[2] = {};
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
		ckpt_sleep_ms(1);
	}
	send_signal(false, LAST);
	send_signal(true, LAST);
	collect(pid, 7);
	MUST(sh->count[0] == sent[0] && sh->count[1] == sent[1]);
}

static void become_user(void)
{
	MUST(!setgroups(0, NULL) && !setgid(USER) && !setuid(USER));
}

/* ---- in the test ------------------------------------------------------------ */

static char restart_text[4096];

/* Runs restart(1) as @user; the pid of the root, or 0 and what it says. */
static pid_t restart_as(uid_t user, bool no_pids)
{
	int out = memfd_create("out", MFD_CLOEXEC), ret;
	const char *const argv[] = {
		"restart", "--detach", "-i", CKPT_IMG, "--pidfile", PIDFILE,
		no_pids ? "--no-pids" : NULL, NULL,
	};
	char text[32];
	ssize_t n;
	pid_t pid;

	unlink(PIDFILE);
	pid = fork();
	if (!pid) {
		dup2(out, 1);
		dup2(out, 2);
		if (user)
			become_user();
		execvp(argv[0], (char **)argv);
		_exit(98);
	}
	ret = ckpt_wait(pid, 30000);
	n = pread(out, restart_text, sizeof(restart_text) - 1, 0);
	restart_text[n > 0 ? n : 0] = 0;
	close(out);
	if (!ret) {
		ckpt_read_text(PIDFILE, text, sizeof(text));
		return atoi(text);
	}
	return ret == 125 ? 0 : -1;
}

/* All that dies of a tree comes to us. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void churn_begin(struct __test_metadata *_metadata)
{
	int fd;

	/* What a case has left that ended by an assertion. */
	if (!access(STATE, F_OK) && map_shared() && sh->root)
		kill(-sh->root, SIGKILL);
	unlink(STATE);
	fd = open(STATE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
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

struct churn_program {
	void (*run)(int arg);
	int arg;
	bool user;	/* unprivileged */
};

static void churn_body(void *arg)
{
	const struct churn_program *p = arg;

	/* Else a second one begins with a look into sysfs, which is refused. */
	mallopt(M_ARENA_MAX, 1);
	if (p->user) {
		become_user();
		/* As a program that was started by him. */
		MUST(!prctl(PR_SET_DUMPABLE, 1));
	}
	MUST(map_shared());
	sh->root = getpid();
	p->run(p->arg);
	_exit(GOOD);
}

/* Goes on, and has found nothing wrong, nor begun again. */
static bool moves(void)
{
	unsigned int was = sh->steps;
	int i;

	for (i = 0; i < 5000 && sh->steps - was < 10; i++)
		ckpt_sleep_ms(1);
	return i < 5000 && !strcmp(log_text(), "ready\n");
}

static void save(struct __test_metadata *_metadata, pid_t pid, bool kill)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, kill ? CHECKPOINT_KILL : 0))
		TH_LOG("%s%s", ckpt_log_text, log_text());
	if (kill)
		reap_all();
}

static void come_back(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_EQ(pid, restart_as(0, false))
		TH_LOG("%s", restart_text);
}

static void stop_program(struct __test_metadata *_metadata, pid_t *pid)
{
	if (!*pid)
		return;
	sh->stop = 1;
	EXPECT_EQ(GOOD, ckpt_wait(*pid, 10000));
	EXPECT_STREQ("ready\n", log_text());
	if (ckpt_state(*pid) == 0)
		*pid = 0;
}

PROGRAM_FIXTURE(churn, churn_begin, churn_end);

FIXTURE_VARIANT(churn)
{
	struct churn_program program;
};

/* Half of them end in a restart. The others run the same kernel, or a slow one. */
static int rounds(void)
{
	return sizeof(long) == 8 && !ckpt_slow_kernel() ? 200 : 30;
}

#define CHURN(name, fn, value)			\
FIXTURE_VARIANT_ADD(churn, name)		\
{						\
	.program = { .run = fn, .arg = value },	\
}

CHURN(forks, forks, 0);
CHURN(execs, execs, 0);
CHURN(execs_mixed, execs, OTHER);
CHURN(execs_by_thread, execs, BY_A_THREAD);
CHURN(threads, threads, false);
CHURN(leader_gone, threads, true);
CHURN(locks, locks, 0);
CHURN(signals, signals, 0);

static void start_churn(struct __test_metadata *_metadata,
			FIXTURE_DATA(churn) * self,
			const struct churn_program *program)
{
	char other[256];

	next_program(true, other, sizeof(other));
	if (program->run == execs && program->arg == OTHER &&
	    access(other, X_OK))
		SKIP(return, "there is no %s", other);
	self->pid = start(_metadata, churn_body, program);
}

static void still_right(struct __test_metadata *_metadata, int round)
{
	ASSERT_TRUE(moves())
		TH_LOG("round %d: %s", round, log_text());
}

TEST_F(churn, again_and_again)
{
	int i, nr = rounds();

	start_churn(_metadata, self, &variant->program);
	for (i = 0; self->pid && i < nr; i++) {
		save(_metadata, self->pid, i % 2);
		if (i % 2)
			come_back(_metadata, self->pid);
		still_right(_metadata, i);
	}
	stop_program(_metadata, &self->pid);
}

/* ---- stopped, and held ------------------------------------------------------------ */

/* Is there a thread in the group that neither stands nor is dead? */
static bool one_moves(pid_t group)
{
	bool found = false;
	char text[512], *p;
	size_t i;
	int pgid;
	glob_t g;

	glob("/proc/[0-9]*/task/[0-9]*/stat", 0, NULL, &g);
	for (i = 0; i < g.gl_pathc && !found; i++) {
		/* What has gone may be there by another name. */
		found = ckpt_read_text(g.gl_pathv[i], text, sizeof(text)) <= 0;
		p = strrchr(text, ')');
		if (p && sscanf(p + 3, " %*d %d", &pgid) == 1)
			found = pgid == group && !strchr("TZX", p[2]);
	}
	globfree(&g);
	return found;
}

/*
 * SIGSTOP is sent once more, as the exec of another thread takes it away before
 * all have stopped. Or with 0: are they by themselves?
 */
static bool all_stopped(pid_t group, int sig)
{
	int i;

	for (i = 0; i < 1000; i++) {
		kill(-group, sig);
		/* The first look may miss a thread that was born meanwhile. */
		if (!one_moves(group) && !one_moves(group))
			return true;
		ckpt_sleep_ms(2);
	}
	return false;
}

static bool stands_still(void)
{
	unsigned int was = sh->steps;

	ckpt_sleep_ms(30);
	return was == sh->steps;
}

TEST_F(churn, stopped)
{
	int i;

	start_churn(_metadata, self, &variant->program);
	for (i = 0; self->pid && i < 4; i++) {
		sh->stopped = 1;
		ASSERT_TRUE(all_stopped(self->pid, SIGSTOP));
		save(_metadata, self->pid, i % 2);
		if (i % 2)
			come_back(_metadata, self->pid);
		EXPECT_TRUE(all_stopped(self->pid, 0));
		EXPECT_TRUE(stands_still());
		ASSERT_EQ(0, kill(-self->pid, SIGCONT));
		still_right(_metadata, i);
	}
	stop_program(_metadata, &self->pid);
}

/* As ckpt_hold(), but says why not. */
static int hold(struct __test_metadata *_metadata, pid_t pid)
{
	struct checkpoint_args args = { .log_fd = ckpt_log_begin() };
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	long ret;

	ret = sys_checkpoint(pid, out, CHECKPOINT_HOLD | CHECKPOINT_SUBTREE |
			     CHECKPOINT_ARGS, &args, sizeof(args));
	ckpt_log_end(args.log_fd);
	close(out);
	ASSERT_LT(0, ret)
		TH_LOG("errno %d: %s", errno, ckpt_log_text);
	return args.context_fd;
}

TEST_F(churn, held)
{
	int i, context;

	start_churn(_metadata, self, &variant->program);
	for (i = 0; self->pid && i < 5; i++) {
		context = hold(_metadata, self->pid);
		EXPECT_TRUE(stands_still());
		/* Nor is it there for anybody else. */
		EXPECT_EQ(-EBUSY, ckpt_check(self->pid, CHECKPOINT_SUBTREE));
		if (i > 2)
			EXPECT_EQ(0, ioctl(context, i == 4 ? CKPT_CONTEXT_KILL :
							     CKPT_CONTEXT_THAW));
		close(context);
		if (i < 4)
			still_right(_metadata, i);
	}
	if (!self->pid)
		return;
	EXPECT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	reap_all();
	/* Not one of them, dead or alive. */
	EXPECT_EQ(-1, kill(-self->pid, 0));
	self->pid = 0;
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
		MUST(syscall(SYS_keyctl, 0, -1, 1) > 0);
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

/* Only the one that it is the pid of says so. */
static pid_t member(int who)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		sh->pids[who] = getpid();
	return pid;
}

static void group_of_family(void)
{
	MUST(!setpgid(0, 0));
	if (member(ORPHAN))
		_exit(5);
	wait_go();
	_exit(2);
}

static void family(int odd)
{
	int status, sum = 0;
	siginfo_t si;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sh->pids[ROOT] = getpid();
	if (!member(CHILD))
		child_of_family(odd);
	pid = member(GROUP);
	if (!pid)
		group_of_family();
	collect(pid, 5);
	pid = member(ZOMBIE);
	if (!pid)
		_exit(4);
	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	while (!sh->pids[THREAD] || !sh->pids[ORPHAN])
		ckpt_sleep_ms(1);
	ready();
	wait_go();
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	MUST(errno == ECHILD && sum == 1 + 2 + 4);
}

static const struct churn_program normal = { .run = family };
static const struct churn_program odd = { .run = family, .arg = true };
static const struct churn_program of_user = { .run = family, .user = true };

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

	self->pid = start(_metadata, churn_body, &normal);
	save(_metadata, self->pid, true);
	for (i = 0; i < FAMILY; i++) {
		pid = sh->pids[i];
		ASSERT_EQ(pid, take_pid(pid));
		EXPECT_EQ(0, restart_as(0, false));
		snprintf(words, sizeof(words), i == GROUP ? "the id %d of" :
			 "pid %d is taken by process", pid);
		EXPECT_TRUE(!!strstr(restart_text, words))
			TH_LOG("%d: %s", i, restart_text);
		EXPECT_TRUE(nothing_left(pid));
		EXPECT_EQ(0, kill(pid, 0));
		ckpt_kill(pid);
	}
	come_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* A user saves what is his own; only the pids are not his to choose. */
TEST_F(waiting, of_a_user)
{
	pid_t pid;
	int i;

	self->pid = start(_metadata, churn_body, &of_user);
	for (i = 0; i < 3; i++) {
		pid = fork();
		if (!pid) {
			become_user();
			if (ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL) > 0)
				_exit(GOOD);
			TH_LOG("%s", ckpt_log_text);
			_exit(BAD);
		}
		ASSERT_EQ(GOOD, ckpt_wait(pid, 10000));
		reap_all();
		EXPECT_EQ(0, restart_as(USER, false));
		EXPECT_TRUE(!!strstr(restart_text, "you may not choose pid"))
			TH_LOG("%s", restart_text);
		self->pid = restart_as(USER, true);
		ASSERT_LT(0, self->pid)
			TH_LOG("%s", restart_text);
	}
	ends_well(_metadata, &self->pid);
}

/* It is the second thread of a child that cannot be saved. */
TEST_F(waiting, thread_is_refused)
{
	char name[32];

	self->pid = start(_metadata, churn_body, &odd);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	snprintf(name, sizeof(name), "pid %d (", sh->pids[THREAD]);
	EXPECT_TRUE(ckpt_log_says((const char *[]){
			name, "has a thread or process keyring", NULL }))
		TH_LOG("%s", ckpt_log_text);
	ends_well(_metadata, &self->pid);
}

/* ---- a tree that saves itself ------------------------------------------------------ */

#define SAVED		10
#define RESTARTED	20

enum who { BY_ROOT, BY_THREAD, BY_CHILD, BY_THREAD_OF_CHILD };

static pid_t itself;

static void *save_tree(void *arg)
{
	int fd = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static int lives;
	long ret;

	MUST(!lives);
	ret = sys_checkpoint(itself, fd, CHECKPOINT_SUBTREE, NULL, 0);
	MUST(ret >= 0 && !lives++);
	ckpt_touch(GO);
	return (void *)(long)(ret ? SAVED : RESTARTED);
}

/* One of them does it and the others wait; its code is that of the root. */
static void saves_itself(void *arg)
{
	enum who who = *(enum who *)arg;
	void *ret = NULL;
	int status = 0;
	pthread_t t;
	pid_t pid;
	bool mine;

	itself = getpid();
	pid = fork();
	mine = pid ? who < BY_CHILD : who >= BY_CHILD;
	if (mine && who % 2) {
		MUST(!pthread_create(&t, NULL, save_tree, NULL));
		MUST(!pthread_join(t, &ret));
	} else if (mine) {
		ret = save_tree(NULL);
	}
	wait_go();
	if (pid)
		MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	_exit((long)ret + WEXITSTATUS(status));
}

/* Returns an id in the first life, 0 in each later one. */
TEST_F(waiting, saves_itself)
{
	enum who who;
	pid_t pid;
	int i;

	for (who = BY_ROOT; who <= BY_THREAD_OF_CHILD; who++) {
		unlink(GO);
		pid = ckpt_spawn(saves_itself, &who, log_fd);
		EXPECT_EQ(SAVED, ckpt_wait(pid, 10000));
		for (i = 0; i < 3; i++) {
			reap_all();
			unlink(GO);
			come_back(_metadata, pid);
			EXPECT_EQ(RESTARTED, ckpt_wait(pid, 10000))
				TH_LOG("%d: %s", who, log_text());
		}
	}
	EXPECT_STREQ("", log_text());
}

TEST_HARNESS_MAIN
