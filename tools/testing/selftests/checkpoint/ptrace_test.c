// SPDX-License-Identifier: GPL-2.0
/*
 * Who is traced is refused at once and by the name of the tracer, whatever it is
 * doing and wherever the tracer is; both go on as if nobody had asked.
 */
#include "tree_program.h"

#include <sys/ptrace.h>

enum stop { RUNS, SEIZED_STOP, ATTACHED, GROUP_STOP, SYSCALL_STOP };

/* ---- the tracer and its child --------------------------------------------------- */

static void tracee(void)
{
	wait_go();
	_exit(GOOD);
}

static void wait_stop(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
}

static void trace(pid_t pid, enum stop stop)
{
	if (stop == ATTACHED || stop == SYSCALL_STOP) {
		MUST(!ptrace(PTRACE_ATTACH, pid, 0, 0));
		wait_stop(pid);
	} else {
		MUST(!ptrace(PTRACE_SEIZE, pid, 0, 0));
	}
	if (stop == SEIZED_STOP) {
		MUST(!ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		wait_stop(pid);
	}
	if (stop == SYSCALL_STOP) {
		MUST(!ptrace(PTRACE_SYSCALL, pid, 0, 0));
		wait_stop(pid);
	}
	/* First for the signal, then for the stop of the group. */
	if (stop == GROUP_STOP) {
		MUST(!kill(pid, SIGSTOP));
		wait_stop(pid);
		MUST(!ptrace(PTRACE_CONT, pid, 0, SIGSTOP));
		wait_stop(pid);
	}
}

static void untrace(pid_t pid, enum stop stop)
{
	/* It exits as it finds GO, too. */
	if (stop == RUNS)
		return;
	MUST(!ptrace(PTRACE_DETACH, pid, 0, 0));
	if (stop == GROUP_STOP)
		MUST(!kill(pid, SIGCONT));
}

static void tracer(void *arg)
{
	enum stop stop = (long)arg;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		tracee();
	trace(pid, stop);
	dprintf(log_fd, "ready %d", pid);
	wait_go();
	untrace(pid, stop);
	collect(pid, GOOD);
	_exit(GOOD);
}

/* ---- in the test ------------------------------------------------------------------ */

PROGRAM_FIXTURE(traced, begin, end);

FIXTURE_VARIANT(traced)
{
	enum stop stop;
};

#define TRACED(name, _stop) FIXTURE_VARIANT_ADD(traced, name) { .stop = _stop }

TRACED(runs, RUNS);
TRACED(seized, SEIZED_STOP);
TRACED(attached, ATTACHED);
TRACED(group_stop, GROUP_STOP);
TRACED(syscall_stop, SYSCALL_STOP);

static pid_t start_tracer(struct __test_metadata *_metadata, pid_t *pid,
			  enum stop stop)
{
	int target = 0, nr;

	*pid = ckpt_spawn(tracer, (void *)stop, log_fd);
	ASSERT_LT(0, *pid);
	ASSERT_TRUE(ckpt_wait_size(LOG, 7, 10000));
	nr = sscanf(log_text(), "ready %d", &target);
	ASSERT_EQ(1, nr) {
		TH_LOG("%s", log_text());
	}
	return target;
}

static void refused_in_time(struct __test_metadata *_metadata, pid_t target,
			    pid_t tracer, const char *where)
{
	long long began = ckpt_now_ms();
	char who[64];

	snprintf(who, sizeof(who), "is traced by pid %d (", tracer);
	ckpt_expect_refused(_metadata, target, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says((const char *[]){ who, where, NULL })) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_GT(8000, ckpt_now_ms() - began);
}

TEST_F(traced, from_outside)
{
	pid_t target = start_tracer(_metadata, &self->pid, variant->stop);

	refused_in_time(_metadata, target, self->pid,
			"), which is outside; detach the tracer first");
	ends_well(_metadata, &self->pid);
}

TEST_F(traced, from_inside)
{
	start_tracer(_metadata, &self->pid, variant->stop);
	refused_in_time(_metadata, self->pid, self->pid,
			"), which is in the tree: a tracer and its tracee cannot be saved yet");
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
