// SPDX-License-Identifier: GPL-2.0
/*
 * The restart of a tree is attacked: at each step a member or the coordinator
 * is killed, each allocation of a member fails once, members do not come, come
 * twice or are not those of the image. Either the whole tree is there after that
 * and works, or nothing of it.
 *
 * The test makes the tasks itself, as restart(1) does.
 */
#include "ckpt_test.h"

#include <sys/prctl.h>

#define KILL_POINT	"/sys/kernel/debug/checkpoint/kill"
#define GO		"/tmp/tree_attack.go"
#define READY		"/tmp/tree_attack.ready"
#define MAX_TASKS	8
#define GOOD		42

/* ---- the program --------------------------------------------------------------- */

static void wait_go(void)
{
	while (access(GO, F_OK))
		ckpt_sleep_ms(2);
}

/*
 * The root, two children of which one has a child, and a dead one.
 *
 *	0 --+-- 1 ---- 2
 *	    +-- 3
 *	    +-- 4 (zombie)
 */
static void program(void *arg)
{
	int status, sum = 0, ready = *(int *)arg;
	siginfo_t si;
	pid_t dead;

	if (!fork()) {
		if (!fork()) {
			if (write(ready, "r", 1) != 1)
				_exit(52);
			wait_go();
			_exit(2);
		}
		wait_go();
		_exit(wait(&status) > 0 && status == 2 << 8 ? 1 : 50);
	}
	if (!fork()) {
		wait_go();
		_exit(3);
	}
	dead = fork();
	if (!dead)
		_exit(4);
	if (waitid(P_PID, dead, &si, WEXITED | WNOWAIT))
		_exit(51);
	if (write(ready, "r", 1) != 1)
		_exit(52);
	wait_go();
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	_exit(sum == 1 + 3 + 4 ? GOOD : 53);
}

static pid_t start_program(void)
{
	int fd = open(READY, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
		      0600);
	pid_t pid;

	unlink(GO);
	pid = ckpt_spawn(program, &fd, fd);
	close(fd);
	return ckpt_wait_size(READY, 2, 10000) ? pid : -1;
}

/* ---- the crew -------------------------------------------------------------------- */

/**
 * struct crew - those who take part in a restart
 * @ctx: the context
 * @nr: tasks in the image
 * @task: records of these
 * @ids: likewise
 * @go: pipe: they begin when its writing end is closed
 * @runner: the coordinator
 * @fault: index of the member whose @nth allocation fails, or -1
 * @absent: index of a member that does not come, or -1
 * @doubled: index of a member as which two come, or -1
 * @unprivileged: index of a member without capabilities, or -1
 * @wrong: index of a member that is a child of another than it should be, or -1
 */
struct crew {
	int ctx;
	unsigned int nr;
	struct ckpt_rec_tree_task task[MAX_TASKS];
	struct ckpt_tree_ids ids[MAX_TASKS];
	int go[2];
	pid_t runner;
	int log;
	int fault, nth;
	int absent;
	int doubled;
	int wrong;
	int unprivileged;
};

static bool read_tree(struct crew *crew, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ckpt_hdr h;
	off_t off = 0;

	crew->nr = 0;
	while (pread(fd, &h, sizeof(h), off) == sizeof(h) &&
	       h.type != CKPT_REC_META_END) {
		if (h.type == CKPT_REC_TREE_TASK && crew->nr < MAX_TASKS) {
			pread(fd, &crew->task[crew->nr], sizeof(crew->task[0]), off);
			pread(fd, &crew->ids[crew->nr], sizeof(crew->ids[0]),
			      off + h.fixed);
			crew->nr++;
		}
		off += h.len;
	}
	close(fd);
	return crew->nr == 5;
}

static void be_member(struct crew *crew, unsigned int index);

static pid_t make_member(struct crew *crew, unsigned int index)
{
	pid_t tid = crew->ids[index].pid;
	struct clone_args ca = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&tid,
		.set_tid_size = 1,
	};
	pid_t pid = syscall(SYS_clone3, &ca, sizeof(ca));

	if (!pid)
		be_member(crew, index);
	return pid;
}

static void be_member(struct crew *crew, unsigned int index)
{
	unsigned int i;
	char c, text[16];

	close(crew->go[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < crew->nr; i++) {
		unsigned int parent = crew->task[i].parent;

		if (i == crew->wrong)
			parent = 0;
		if (i && parent == index && make_member(crew, i) < 0)
			_exit(100);
	}
	while (read(crew->go[0], &c, 1) > 0)
		;
	if (index == crew->absent)
		for (;;)
			pause();
	if (index == crew->unprivileged && setresuid(1000, 1000, 1000))
		_exit(103);
	if (index == crew->doubled)
		index--;
	if (index == crew->fault) {
		int nth = open("/proc/thread-self/fail-nth", O_RDWR);

		snprintf(text, sizeof(text), "%d", crew->nth);
		if (write(nth, text, strlen(text)) < 0)
			_exit(101);
		close(nth);
	}
	sys_restart(index, crew->ctx, RESTART_MEMBER, NULL, 0);
	_exit(102);
}

static bool crew_make(struct crew *crew)
{
	struct restart_args args = {
		.log_fd = crew->log, .context_fd = -1, .done_fd = -1,
	};
	int in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	char c;

	crew->ctx = sys_restart(0, in, RESTART_CONTEXT | RESTART_ARGS, &args,
				sizeof(args));
	close(in);
	if (crew->ctx < 0 || pipe2(crew->go, O_CLOEXEC))
		return false;
	crew->runner = fork();
	if (!crew->runner) {
		close(crew->go[1]);
		while (read(crew->go[0], &c, 1) > 0)
			;
		if (sys_restart(0, crew->ctx, RESTART_RUN, NULL, 0) > 0)
			_exit(0);
		_exit(errno);
	}
	if (make_member(crew, 0) < 0)
		return false;
	/* All have their pids. */
	while (kill(crew->ids[crew->nr - 1].pid, 0) ||
	       kill(crew->ids[2].pid, 0))
		ckpt_sleep_ms(1);
	return true;
}

/* Returns what the coordinator came to. */
static int crew_run(struct crew *crew)
{
	int ret;

	close(crew->go[0]);
	close(crew->go[1]);
	close(crew->ctx);
	ret = ckpt_wait(crew->runner, 30000);
	if (ret < 0)
		ckpt_kill(crew->runner);
	return ret;
}

/* Waits for all children; those of the tree come to us when it falls apart. */
static bool nothing_left(struct crew *crew)
{
	unsigned int i, left;
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		for (left = 0, i = 0; i < crew->nr; i++)
			left += !kill(crew->ids[i].pid, 0);
		if (!left)
			return true;
		ckpt_sleep_ms(1);
	}
	/* What are they at? */
	for (i = 0; i < crew->nr; i++) {
		char cmd[256];

		snprintf(cmd, sizeof(cmd),
			 "cd /proc/%d && grep -E 'Name|State|PPid|SigPnd|ShdPnd|Threads' status && cat wchan syscall stack",
			 crew->ids[i].pid);
		if (!kill(crew->ids[i].pid, 0) && system(cmd))
			continue;
	}
	return false;
}

static void kill_all(struct crew *crew)
{
	unsigned int i;

	for (i = 0; i < crew->nr; i++)
		kill(crew->ids[i].pid, SIGKILL);
	nothing_left(crew);
}

/* The tree is there: then it does its work. */
static bool ends_well(struct crew *crew)
{
	bool good;

	close(open(GO, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	good = ckpt_wait(crew->ids[0].pid, 10000) == GOOD;
	unlink(GO);
	return good && nothing_left(crew);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == strlen(text);

	close(fd);
	return ok;
}

FIXTURE(tree_attack)
{
	struct crew crew;
};

FIXTURE_SETUP(tree_attack)
{
	struct crew *crew = &self->crew;
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = start_program();
	ASSERT_LT(0, pid);
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL))
		TH_LOG("%s", ckpt_log_text);
	ASSERT_TRUE(read_tree(crew, CKPT_IMG));
	ASSERT_TRUE(nothing_left(crew));
	crew->log = ckpt_log_begin();
	crew->fault = -1;
	crew->absent = -1;
	crew->doubled = -1;
	crew->wrong = -1;
	crew->unprivileged = -1;
	put(KILL_POINT, "\n");
}

FIXTURE_TEARDOWN(tree_attack)
{
	kill_all(&self->crew);
	unlink(CKPT_IMG);
	unlink(GO);
	unlink(READY);
}

TEST_F(tree_attack, unharmed)
{
	ASSERT_TRUE(crew_make(&self->crew));
	EXPECT_EQ(0, crew_run(&self->crew));
	EXPECT_TRUE(ends_well(&self->crew));
}

static const char *const stages[] = {
	"checked-image", "objects", "mapped", "payload-read", "verified",
	"committed",
};

/* @victim: index of a member, -1 the coordinator; at the @nth time. */
static void killed_at(struct __test_metadata *_metadata, struct crew *crew,
		      const char *stage, int victim, int nth)
{
	char text[64];
	pid_t pid;
	int ret;

	ASSERT_TRUE(crew_make(crew));
	pid = victim < 0 ? crew->runner : crew->ids[victim].pid;
	snprintf(text, sizeof(text), "%s %d %d", stage, pid, nth);
	ASSERT_TRUE(put(KILL_POINT, text));
	ret = crew_run(crew);
	put(KILL_POINT, "\n");
	if (victim < 0)
		ASSERT_TRUE(ret == 256 + SIGKILL || !ret)
			TH_LOG("%s: %d", text, ret);
	/* Behind the point of no return each member dies for itself. */
	if (!strcmp(stage, "committed")) {
		kill_all(crew);
		return;
	}
	ASSERT_NE(0, ret)
		TH_LOG("%s: it came back", text);
	ASSERT_TRUE(nothing_left(crew))
		TH_LOG("%s: something is left", text);
}

TEST_F_TIMEOUT(tree_attack, killed_at_each_stage, 600)
{
	unsigned int i, nth;
	int victim;

	if (access(KILL_POINT, F_OK))
		SKIP(return, "no kill points in this kernel");
	for (i = 0; i < sizeof(stages) / sizeof(*stages); i++)
		for (victim = -1; victim < 4; victim++)
			for (nth = 1; nth < 4; nth += 2) {
				if (nth > 1 && !strstr("objects mapped", stages[i]))
					continue;
				killed_at(_metadata, &self->crew, stages[i],
					  victim, nth);
			}
	ASSERT_TRUE(crew_make(&self->crew));
	EXPECT_EQ(0, crew_run(&self->crew));
	EXPECT_TRUE(ends_well(&self->crew));
}

static void faults(struct __test_metadata *_metadata, struct crew *crew,
		   int member)
{
	int through = 0, failed = 0, ret;

	crew->fault = member;
	for (crew->nth = 1; through < 20 && crew->nth < 2000; crew->nth += 5) {
		ASSERT_TRUE(crew_make(crew));
		ret = crew_run(crew);
		if (!ret) {
			through++;
			ASSERT_TRUE(ends_well(crew))
				TH_LOG("%d of task %d", crew->nth, member);
			continue;
		}
		failed++;
		through = 0;
		ASSERT_TRUE(ret == ENOMEM || ret == EFAULT || ret == EAGAIN ||
			    ret == EBUSY || ret == EINVAL || ret == ECHILD)
			TH_LOG("%d of task %d: %d", crew->nth, member, ret);
		ASSERT_TRUE(nothing_left(crew))
			TH_LOG("%d of task %d: something is left", crew->nth,
			       member);
	}
	TH_LOG("task %d: %d calls failed", member, failed);
	EXPECT_LT(5, failed);
	crew->fault = -1;
}

TEST_F_TIMEOUT(tree_attack, faults_in_members, 900)
{
#define FAULT "/sys/kernel/debug/"
	if (!put(FAULT "failslab/ignore-gfp-wait", "N") ||
	    !put(FAULT "failslab/verbose", "0") ||
	    !put(FAULT "fail_page_alloc/ignore-gfp-wait", "N") ||
	    !put(FAULT "fail_page_alloc/ignore-gfp-highmem", "N") ||
	    !put(FAULT "fail_page_alloc/min-order", "0") ||
	    !put(FAULT "fail_page_alloc/verbose", "0") ||
	    !put(FAULT "fail_usercopy/verbose", "0"))
		SKIP(return, "no fault injection in this kernel");
	faults(_metadata, &self->crew, 0);
	faults(_metadata, &self->crew, 2);
}

TEST_F(tree_attack, one_does_not_come)
{
	char words[64];

	self->crew.absent = 2;
	ASSERT_TRUE(crew_make(&self->crew));
	EXPECT_EQ(ETIMEDOUT, crew_run(&self->crew));
	ckpt_log_end(dup(self->crew.log));
	snprintf(words, sizeof(words), "nobody has come to be task 2 (pid %d)",
		 self->crew.ids[2].pid);
	EXPECT_NE(NULL, strstr(ckpt_log_text, words))
		TH_LOG("%s", ckpt_log_text);
	kill(self->crew.ids[2].pid, SIGKILL);
	EXPECT_TRUE(nothing_left(&self->crew));
}

TEST_F(tree_attack, one_comes_twice)
{
	self->crew.doubled = 2;
	ASSERT_TRUE(crew_make(&self->crew));
	EXPECT_NE(0, crew_run(&self->crew));
	EXPECT_TRUE(nothing_left(&self->crew));
}

TEST_F(tree_attack, child_of_another)
{
	self->crew.wrong = 2;
	ASSERT_TRUE(crew_make(&self->crew));
	EXPECT_EQ(EINVAL, crew_run(&self->crew));
	ckpt_log_end(dup(self->crew.log));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "child"))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_TRUE(nothing_left(&self->crew));
}

/* A member whose coordinator never comes, and whose parent goes. */
TEST_F(tree_attack, nobody_coordinates)
{
	struct crew *crew = &self->crew;

	ASSERT_TRUE(crew_make(crew));
	ckpt_kill(crew->runner);
	close(crew->go[0]);
	close(crew->go[1]);
	ckpt_sleep_ms(50);
	ASSERT_EQ(0, ioctl(crew->ctx, CKPT_CONTEXT_KILL));
	EXPECT_TRUE(nothing_left(crew));
	/* It is over, and was begun once. */
	EXPECT_EQ(-1, sys_restart(0, crew->ctx, RESTART_MEMBER, NULL, 0));
	EXPECT_EQ(ECANCELED, errno);
	close(crew->ctx);
}

/* Two that coordinate would each do half of it. */
TEST_F(tree_attack, two_coordinators)
{
	struct crew *crew = &self->crew;

	ASSERT_TRUE(crew_make(crew));
	close(crew->go[0]);
	close(crew->go[1]);
	EXPECT_EQ(0, ckpt_wait(crew->runner, 30000));
	EXPECT_EQ(-1, sys_restart(0, crew->ctx, RESTART_RUN, NULL, 0));
	EXPECT_EQ(EBUSY, errno);
	close(crew->ctx);
	EXPECT_TRUE(ends_well(crew));
}

/* What others are allowed is nothing for one who is not. */
TEST_F(tree_attack, member_with_other_rights)
{
	struct crew *crew = &self->crew;

	crew->unprivileged = 2;
	ASSERT_TRUE(crew_make(crew));
	EXPECT_EQ(EPERM, crew_run(crew));
	ckpt_log_end(dup(crew->log));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "other credentials"))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_TRUE(nothing_left(crew));
}

TEST_HARNESS_MAIN
