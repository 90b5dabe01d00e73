// SPDX-License-Identifier: GPL-2.0
/*
 * What prctl() sets comes back, with the restrictions that it means, and what
 * the restarter has set does not stay but where it protects.
 */
#include "tree_program.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <sys/ptrace.h>

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

#define OFFSET	0x123456
#define LENGTH	0x7000000

/* ---- in the program -------------------------------------------------------- */

static void set_flusher(void)
{
	MUST(!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
}

static void check_flusher(void)
{
	MUST(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
}

static void check_no_flusher(void)
{
	MUST(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 0);
}

static volatile unsigned char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
static volatile sig_atomic_t dispatched;

static void on_dispatch(int sig, siginfo_t *si, void *ucontext)
{
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	dispatched = si->si_code == 2 ? si->si_syscall : -1;
}

static void set_dispatch(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_dispatch, .sa_flags = SA_SIGINFO,
	};

	MUST(!sigaction(SIGSYS, &sa, NULL));
	MUST(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
		    &selector));
}

static void check_dispatch(void)
{
	MUST(!dispatched);
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	syscall(SYS_getppid);
	MUST(dispatched == SYS_getppid);
	MUST(syscall(SYS_getppid) != SYS_getppid);
}

/* Calls from anywhere are let through, but from a place above the program. */
static void set_dispatch_range(void)
{
	MUST(!prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, OFFSET,
		    LENGTH, &selector));
}

static void set_nothing(void)
{
}

static int speculation(int which)
{
	return prctl(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);
}

static int spec_which, spec_state;

static void set_speculation(void)
{
	if (!(speculation(spec_which) & PR_SPEC_PRCTL))
		skip_program("this CPU has no such control");
	MUST(!prctl(PR_SET_SPECULATION_CTRL, spec_which, spec_state, 0, 0));
}

static void check_speculation(void)
{
	MUST(speculation(spec_which) == (PR_SPEC_PRCTL | spec_state));
}

/* A restarter that may not go back. */
static void force_off(void)
{
	MUST(!prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS,
		    PR_SPEC_FORCE_DISABLE, 0, 0));
}

static void check_forced(void)
{
	MUST(speculation(PR_SPEC_STORE_BYPASS) ==
	     (PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE));
}

static void restart_switched_off(void)
{
	MUST(!prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS,
		    PR_SPEC_DISABLE, 0, 0));
}

static void set_speculation_on(void)
{
	if (!(speculation(PR_SPEC_STORE_BYPASS) & PR_SPEC_PRCTL))
		skip_program("this CPU has no such control");
	MUST(speculation(PR_SPEC_STORE_BYPASS) ==
	     (PR_SPEC_PRCTL | PR_SPEC_ENABLE));
}

static void check_speculation_on(void)
{
	set_speculation_on();
}

/* ---- one program ----------------------------------------------------------- */

PROGRAM_FIXTURE(prctl, begin_tree, end_tree);

static const struct program flusher = { set_flusher, check_flusher };
static const struct program no_flusher = { set_nothing, check_no_flusher };
static const struct program dispatch = { set_dispatch, check_dispatch };
static const struct program dispatch_range = { set_dispatch_range };
static const struct program plain = { set_nothing };

TEST_F(prctl, io_flusher)
{
	program_comes_back(_metadata, &self->pid, &flusher);
}

TEST_F(prctl, io_flusher_does_not_stay)
{
	self->pid = start_program(_metadata, &no_flusher);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, set_flusher);
	ends_well(_metadata, &self->pid);
}

static void drop_resource(void)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &hdr, data);
	data[0].effective &= ~(1U << CAP_SYS_RESOURCE);
	syscall(SYS_capset, &hdr, data);
}

TEST_F(prctl, io_flusher_takes_capability)
{
	self->pid = start_program(_metadata, &flusher);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, drop_resource));
	EXPECT_TRUE(!!strstr(ckpt_log_text,
			     "PR_SET_IO_FLUSHER takes CAP_SYS_RESOURCE")) {
		TH_LOG("%s", ckpt_log_text);
	}
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(prctl, dispatch)
{
	program_comes_back(_metadata, &self->pid, &dispatch);
}

struct dispatch_config {
	__u64 mode, selector, offset, len;
};

/* As a debugger sees it. */
static bool get_dispatch(pid_t pid, struct dispatch_config *config)
{
	bool got;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, NULL, __WALL) != pid)
		return false;
	got = !ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, pid,
		      sizeof(*config), config);
	return !ptrace(PTRACE_DETACH, pid, 0, 0) && got;
}

TEST_F(prctl, dispatch_range)
{
	struct dispatch_config c = {};

	self->pid = start_program(_metadata, &dispatch_range);
	kill_and_bring_back(_metadata, self->pid);
	ASSERT_TRUE(get_dispatch(self->pid, &c));
	EXPECT_EQ(PR_SYS_DISPATCH_ON, c.mode);
	EXPECT_EQ((unsigned long)&selector, c.selector);
	EXPECT_EQ(OFFSET, c.offset);
	EXPECT_EQ(LENGTH, c.len);
	ends_well(_metadata, &self->pid);
}

TEST_F(prctl, dispatch_does_not_stay)
{
	struct dispatch_config c = { .mode = PR_SYS_DISPATCH_ON };

	self->pid = start_program(_metadata, &plain);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, set_dispatch);
	ASSERT_TRUE(get_dispatch(self->pid, &c));
	EXPECT_EQ(PR_SYS_DISPATCH_OFF, c.mode);
	EXPECT_EQ(0, c.selector);
	ends_well(_metadata, &self->pid);
}

/* ---- control of speculation --------------------------------------------------- */

PROGRAM_FIXTURE(speculation, begin_tree, end_tree);

FIXTURE_VARIANT(speculation)
{
	int which, state;
};

#define SPECULATION(name, _which, _state)		\
FIXTURE_VARIANT_ADD(speculation, name)			\
{							\
	.which = PR_SPEC_##_which,			\
	.state = PR_SPEC_##_state,			\
}

SPECULATION(store, STORE_BYPASS, DISABLE);
SPECULATION(store_forced, STORE_BYPASS, FORCE_DISABLE);
SPECULATION(store_until_exec, STORE_BYPASS, DISABLE_NOEXEC);
SPECULATION(branch, INDIRECT_BRANCH, DISABLE);
SPECULATION(branch_forced, INDIRECT_BRANCH, FORCE_DISABLE);
SPECULATION(l1d_flush, L1D_FLUSH, ENABLE);

static void start_or_skip(struct __test_metadata *_metadata, pid_t *pid,
			  const struct program *program)
{
	*pid = ckpt_spawn(set_check_program, (void *)program, log_fd);
	ASSERT_LT(0, *pid);
	ASSERT_TRUE(wait_ready() || why_skipped()) {
		TH_LOG("%s", log_text());
	}
}

TEST_F(speculation, comes_back)
{
	static const struct program p = { set_speculation, check_speculation };

	spec_which = variant->which;
	spec_state = variant->state;
	start_or_skip(_metadata, &self->pid, &p);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
	kill_and_restart(_metadata, &self->pid, false);
	restart_again(_metadata, &self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	ends_well(_metadata, &self->pid);
}

static void restarted_after(struct __test_metadata *_metadata, pid_t *pid,
			    const struct program *p, void (*prepare)(void))
{
	start_or_skip(_metadata, pid, p);
	if (why_skipped())
		return;
	ckpt_save_and_kill(_metadata, *pid);
	bring_back_after(_metadata, *pid, prepare);
	ends_well(_metadata, pid);
}

TEST_F(prctl, speculation_off_does_not_stay)
{
	static const struct program p = {
		set_speculation_on, check_speculation_on
	};

	restarted_after(_metadata, &self->pid, &p, restart_switched_off);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

TEST_F(prctl, speculation_off_stays_if_forced)
{
	static const struct program p = { set_speculation_on, check_forced };

	restarted_after(_metadata, &self->pid, &p, force_off);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

/* ---- core scheduling ------------------------------------------------------------ */

#define FAMILY	5

static unsigned long long core_cookie(pid_t pid)
{
	unsigned long long cookie = 0;

	MUST(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, pid, 0, &cookie));
	return cookie;
}

static void core_child(int nr)
{
	/* 0: none, 1 and 2 share, 3: that of the root, 4: one of its own. */
	if (nr == 1 || nr == 4)
		MUST(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0));
	if (nr == 3)
		MUST(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, getppid(),
			    0, 0));
}

static void core_family(void)
{
	bool same[FAMILY + 1][FAMILY + 1];
	pid_t pids[FAMILY + 1];
	int i, j;

	pids[FAMILY] = getpid();
	for (i = 0; i < FAMILY; i++) {
		if (i == 3)
			MUST(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0));
		pids[i] = fork();
		MUST(pids[i] >= 0);
		if (!pids[i]) {
			if (i == 2)
				MUST(!prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM,
					    pids[1], 0, 0));
			else
				core_child(i);
			ready();
			wait_go();
			_exit(GOOD);
		}
		while (!all_ready(i + 1))
			ckpt_sleep_ms(1);
	}
	for (i = 0; i <= FAMILY; i++)
		for (j = 0; j <= FAMILY; j++)
			same[i][j] = core_cookie(pids[i]) == core_cookie(pids[j]);
	MUST(same[1][2] && same[3][FAMILY] && !same[1][3] && !same[4][3]);
	MUST(!core_cookie(pids[0]) && core_cookie(pids[4]));
	ready();
	wait_go();
	for (i = 0; i <= FAMILY; i++)
		for (j = 0; j <= FAMILY; j++)
			MUST(same[i][j] == (core_cookie(pids[i]) ==
					    core_cookie(pids[j])));
	MUST(!core_cookie(pids[0]) && core_cookie(pids[1]) &&
	     core_cookie(pids[FAMILY]));
	for (i = 0; i < FAMILY; i++)
		collect(pids[i], GOOD);
}

TEST_F(prctl, core_cookies)
{
	unsigned long long cookie;

	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, &cookie))
		SKIP(return, "no core scheduling");
	self->pid = start_tree(_metadata, core_family, FAMILY + 1, false);
	kill_and_restart(_metadata, &self->pid, false);
	restart_again(_metadata, &self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
