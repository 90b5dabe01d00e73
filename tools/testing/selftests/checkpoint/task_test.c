// SPDX-License-Identifier: GPL-2.0
/*
 * What belongs to a task and its process comes back as the program had set it:
 * name, scheduling, limits, prctl() settings, times. What cannot is refused by
 * name, and the program goes on as if nothing had been asked.
 *
 *	program				test
 *	sets, reads back: "was"
 *	"ready"
 *					checkpoint(KILL), restart()
 *					makes the file GO
 *	reads again, must be "was"
 *	exits with GOOD
 */
#include "program.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <sys/times.h>

#define FIFO		"/tmp/task.fifo"
#define CHANGED		45

static void task_begin(struct __test_metadata *_metadata)
{
	begin(_metadata);
	mkdir(DIRECTORY, 0755);
}

static void task_end(pid_t pid)
{
	end(pid);
	rmdir(DIRECTORY);
}

PROGRAM_FIXTURE(task, task_begin, task_end);

/* ---- attributes ------------------------------------------------------------ */

/*
 * @set gives the caller a value that a fresh process has not, @get prints it.
 * @stays: a program that has it not gets it from a restarter that has it.
 * @alone: does not go together with others.
 */
struct attribute {
	const char *name;
	void (*set)(void);
	void (*get)(char *buf, size_t size);
	bool stays;
	bool alone;
};

struct sched_attr_v0 {
	__u32 size;
	__u32 policy;
	__u64 flags;
	__s32 nice;
	__u32 priority;
	__u64 runtime;
	__u64 deadline;
	__u64 period;
};

struct sched_attr_v1 {
	struct sched_attr_v0 v0;
	__u32 util_min;
	__u32 util_max;
};

#define SET(name, statement)			\
static void set_##name(void)			\
{						\
	statement;				\
}

#define GET(name, format, value)			\
static void get_##name(char *buf, size_t size)		\
{							\
	snprintf(buf, size, format, value);		\
}

#define FLAG_RESET_ON_FORK	0x01
#define FLAG_RECLAIM		0x02
#define FLAG_UTIL_CLAMP_MIN	0x20
#define FLAG_UTIL_CLAMP_MAX	0x40

static void set_sched(int policy, int nice, int priority, __u64 flags)
{
	struct sched_attr_v0 attr = {
		.size = sizeof(attr),
		.policy = policy,
		.flags = flags,
		.nice = nice,
		.priority = priority,
	};

	MUST(!setpriority(PRIO_PROCESS, 0, nice));
	MUST(!syscall(SYS_sched_setattr, 0, &attr, 0));
}

static void get_sched(char *buf, size_t size)
{
	struct sched_attr_v0 attr = { .size = sizeof(attr) };

	MUST(!syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	snprintf(buf, size,
		 "policy %u flags %llx priority %u nice %d times %llu %llu %llu",
		 attr.policy, attr.flags, attr.priority,
		 getpriority(PRIO_PROCESS, 0), attr.runtime, attr.deadline,
		 attr.period);
}

static void get_clamps(char *buf, size_t size)
{
	struct sched_attr_v1 attr = { .v0.size = sizeof(attr) };

	MUST(!syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	snprintf(buf, size, "clamps %u %u", attr.util_min, attr.util_max);
}

static void set_clamps(void)
{
	struct sched_attr_v1 attr = {
		.v0.size = sizeof(attr),
		.v0.flags = FLAG_UTIL_CLAMP_MIN | FLAG_UTIL_CLAMP_MAX,
		.util_min = 100,
		.util_max = 200,
	};

	MUST(!syscall(SYS_sched_setattr, 0, &attr, 0));
}

static void set_slice(void)
{
	struct sched_attr_v0 attr = {
		.size = sizeof(attr), .runtime = 7300000, .nice = 2,
	};

	MUST(!syscall(SYS_sched_setattr, 0, &attr, 0));
}

/* Of no use there, but it is kept. */
static void set_idle_slice(void)
{
	struct sched_attr_v0 attr = { .size = sizeof(attr), .policy = SCHED_IDLE };

	set_slice();
	MUST(!syscall(SYS_sched_setattr, 0, &attr, 0));
}

static void set_deadline(void)
{
	struct sched_attr_v0 attr = {
		.size = sizeof(attr),
		.policy = 6,
		.flags = FLAG_RECLAIM | FLAG_RESET_ON_FORK,
		.runtime = 10000000,
		.deadline = 90000000,
		.period = 100000000,
	};

	MUST(!setpriority(PRIO_PROCESS, 0, 4));
	MUST(!syscall(SYS_sched_setattr, 0, &attr, 0));
}

SET(nice, MUST(!setpriority(PRIO_PROCESS, 0, 7)))
SET(negative_nice, MUST(!setpriority(PRIO_PROCESS, 0, -9)))
SET(batch, set_sched(SCHED_BATCH, 3, 0, 0))
SET(idle, set_sched(SCHED_IDLE, 5, 0, 0))
SET(fifo, set_sched(SCHED_FIFO, 4, 42, 0))
SET(rr, set_sched(SCHED_RR, -3, 7, FLAG_RESET_ON_FORK))

/* All 16 bytes count but the last. */
SET(comm, MUST(!prctl(PR_SET_NAME, "a)\x01 (\xff\n\\\"b\x7f%s\t")))

static void get_comm(char *buf, size_t size)
{
	unsigned char comm[17] = "";
	int i;

	MUST(!prctl(PR_GET_NAME, comm));
	for (i = 0; i < 16; i++)
		snprintf(buf + 2 * i, size - 2 * i, "%02x", comm[i]);
}

static void set_affinity(void)
{
	cpu_set_t set;
	int cpu;

	/* The highest that there is. */
	MUST(!sched_getaffinity(0, sizeof(set), &set));
	for (cpu = CPU_SETSIZE - 1; !CPU_ISSET(cpu, &set); cpu--)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

static void get_affinity(char *buf, size_t size)
{
	unsigned long mask[16] = {};

	MUST(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask) > 0);
	snprintf(buf, size, "%lx %lx", mask[0], mask[1]);
}

static void set_ioprio_value(int class, int level)
{
	MUST(!syscall(SYS_ioprio_set, 1, 0, class << 13 | level));
}

SET(ioprio_be, set_ioprio_value(2, 6))
SET(ioprio_rt, set_ioprio_value(1, 3))
SET(ioprio_idle, set_ioprio_value(3, 0))

static void get_ioprio(char *buf, size_t size)
{
	long prio = syscall(SYS_ioprio_get, 1, 0);

	MUST(prio >= 0);
	snprintf(buf, size, "class %ld level %ld", prio >> 13, prio & 0x1fff);
}

SET(slack, MUST(!prctl(PR_SET_TIMERSLACK, 123456)))

/* The current value, and the one that 0 stands for. */
static void get_slack(char *buf, size_t size)
{
	long now = prctl(PR_GET_TIMERSLACK), by_default;

	MUST(!prctl(PR_SET_TIMERSLACK, 0));
	by_default = prctl(PR_GET_TIMERSLACK);
	MUST(!prctl(PR_SET_TIMERSLACK, now));
	snprintf(buf, size, "%ld, by default %ld", now, by_default);
}

SET(oom, MUST(ckpt_write_text("/proc/self/oom_score_adj", "345")))
SET(oom_low, MUST(ckpt_write_text("/proc/self/oom_score_adj", "-234")))

static void get_oom(char *buf, size_t size)
{
	MUST(ckpt_read_text("/proc/self/oom_score_adj", buf, size) > 0);
}

/* Without the capability it cannot go below what was set with it. */
static void set_oom_min(void)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	MUST(ckpt_write_text("/proc/self/oom_score_adj", "100"));
	MUST(!syscall(SYS_capget, &hdr, data));
	data[0].effective &= ~(1U << CAP_SYS_RESOURCE);
	MUST(!syscall(SYS_capset, &hdr, data));
}

static void get_oom_min(char *buf, size_t size)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int below, same;

	below = write(fd, "99", 2) < 0 ? errno : 0;
	same = write(fd, "100", 3) < 0 ? errno : 0;
	close(fd);
	get_oom(buf, size);
	snprintf(buf + strlen(buf), size - strlen(buf), "below %d same %d",
		 below, same);
}

static void set_limits(void)
{
	struct rlimit rl;
	int i;

	for (i = 0; i < RLIM_NLIMITS; i++) {
		MUST(!getrlimit(i, &rl));
		if (rl.rlim_max == RLIM_INFINITY)
			rl.rlim_max = (1ULL << 40) + i;
		else if (rl.rlim_max > 1000)
			rl.rlim_max -= i + 1;
		else
			rl.rlim_max += i + 2;
		rl.rlim_cur = rl.rlim_max - 1;
		if (rl.rlim_cur > 1ULL << 32 && i != RLIMIT_AS)
			rl.rlim_cur = (1ULL << 32) + i;
		MUST(!setrlimit(i, &rl));
	}
}

static void get_limits(char *buf, size_t size)
{
	struct rlimit rl;
	size_t len = 0;
	int i;

	for (i = 0; i < RLIM_NLIMITS; i++) {
		MUST(!getrlimit(i, &rl));
		len += snprintf(buf + len, size - len, "%llx/%llx ",
				(unsigned long long)rl.rlim_cur,
				(unsigned long long)rl.rlim_max);
	}
}

static void set_personality(void)
{
	MUST(personality(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT |
			 STICKY_TIMEOUTS) >= 0);
}

GET(personality, "%x", personality(0xffffffff))

static int prctl_value(int option)
{
	int value = -1;

	MUST(!prctl(option, &value));
	return value;
}

SET(pdeathsig, MUST(!prctl(PR_SET_PDEATHSIG, SIGUSR2)))
GET(pdeathsig, "%d", prctl_value(PR_GET_PDEATHSIG))

SET(subreaper, MUST(!prctl(PR_SET_CHILD_SUBREAPER, 1)))
GET(subreaper, "%d", prctl_value(PR_GET_CHILD_SUBREAPER))

SET(undumpable, MUST(!prctl(PR_SET_DUMPABLE, 0)))
GET(dumpable, "%d", prctl(PR_GET_DUMPABLE))

SET(nnp, MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
GET(nnp, "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))

SET(keepcaps, MUST(!prctl(PR_SET_KEEPCAPS, 1)))
GET(keepcaps, "%d", prctl(PR_GET_KEEPCAPS))

static void set_securebits(void)
{
	MUST(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP |
		    SECBIT_NO_CAP_AMBIENT_RAISE));
}

GET(securebits, "%x", prctl(PR_GET_SECUREBITS))

SET(tsc, MUST(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV)))
GET(tsc, "%d", prctl_value(PR_GET_TSC))

SET(mce_early, MUST(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0)))
SET(mce_late, MUST(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0)))
GET(mce, "%d", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0))

SET(no_thp, MUST(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)))
GET(no_thp, "%d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0))

SET(umask, umask(0127))

static void get_umask(char *buf, size_t size)
{
	mode_t mask = umask(0);

	umask(mask);
	snprintf(buf, size, "%o", mask);
}

SET(cwd, MUST(!chdir(DIRECTORY)))

static void get_cwd(char *buf, size_t size)
{
	struct stat st;

	MUST(getcwd(buf, size - 32));
	MUST(!stat(".", &st));
	snprintf(buf + strlen(buf), 32, " %lu", st.st_ino);
}

static void *my_robust_list[3] = { my_robust_list };

static void set_robust(void)
{
	MUST(!syscall(SYS_set_robust_list, my_robust_list,
		      sizeof(my_robust_list)));
}

static void get_robust(char *buf, size_t size)
{
	void *head = NULL;
	size_t len = 0;

	MUST(!syscall(SYS_get_robust_list, 0, &head, &len));
	snprintf(buf, size, "%p %zu", head, len);
}

static int my_tid;

SET(tid_address, MUST(syscall(SYS_set_tid_address, &my_tid) == getpid()))

static void get_tid_address(char *buf, size_t size)
{
	int *addr = NULL;

	MUST(!prctl(PR_GET_TID_ADDRESS, &addr));
	snprintf(buf, size, "%p", addr);
}

SET(core_filter, MUST(ckpt_write_text("/proc/self/coredump_filter", "0x55")))

static void get_core_filter(char *buf, size_t size)
{
	MUST(ckpt_read_text("/proc/self/coredump_filter", buf, size) > 0);
}

static const struct attribute attributes[] = {
	{ "comm", set_comm, get_comm },
	{ "nice", set_nice, get_sched, .alone = true },
	{ "negative_nice", set_negative_nice, get_sched, .alone = true },
	{ "batch", set_batch, get_sched, .alone = true },
	{ "idle", set_idle, get_sched, .alone = true },
	{ "fifo", set_fifo, get_sched, .alone = true },
	{ "rr", set_rr, get_sched },
	{ "slice", set_slice, get_sched, .alone = true },
	{ "idle_slice", set_idle_slice, get_sched, .alone = true },
	{ "deadline", set_deadline, get_sched, .alone = true },
	{ "clamps", set_clamps, get_clamps, .alone = true },
	{ "affinity", set_affinity, get_affinity },
	{ "ioprio_rt", set_ioprio_rt, get_ioprio, .alone = true },
	{ "ioprio_idle", set_ioprio_idle, get_ioprio, .alone = true },
	{ "ioprio_be", set_ioprio_be, get_ioprio },
	/* A real-time task has no slack. */
	{ "slack", set_slack, get_slack, .alone = true },
	{ "oom", set_oom, get_oom, .alone = true },
	{ "oom_low", set_oom_low, get_oom },
	{ "oom_min", set_oom_min, get_oom_min, .alone = true },
	{ "limits", set_limits, get_limits },
	{ "personality", set_personality, get_personality },
	{ "pdeathsig", set_pdeathsig, get_pdeathsig },
	{ "subreaper", set_subreaper, get_subreaper },
	{ "undumpable", set_undumpable, get_dumpable, .alone = true },
	{ "no_new_privs", set_nnp, get_nnp, .stays = true },
	{ "keepcaps", set_keepcaps, get_keepcaps, .alone = true },
	{ "securebits", set_securebits, get_securebits },
	/* No use of the clock in the vdso any more. */
	{ "tsc", set_tsc, get_tsc, .alone = true },
	{ "mce_early", set_mce_early, get_mce, .alone = true },
	{ "mce_late", set_mce_late, get_mce },
	{ "no_thp", set_no_thp, get_no_thp },
	{ "umask", set_umask, get_umask },
	{ "cwd", set_cwd, get_cwd },
	{ "robust_list", set_robust, get_robust },
	{ "tid_address", set_tid_address, get_tid_address },
	{ "core_filter", set_core_filter, get_core_filter },
};

static const struct attribute *find_attribute(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(attributes); i++)
		if (!strcmp(attributes[i].name, name))
			return &attributes[i];
	return NULL;
}

static bool has_attribute(const struct attribute *a)
{
	if (a->get == get_affinity)
		return sysconf(_SC_NPROCESSORS_ONLN) > 1;
	if (a->get == get_clamps)
		return !access("/proc/sys/kernel/sched_util_clamp_min", F_OK);
	if (a->get == get_core_filter)
		return !access("/proc/self/coredump_filter", F_OK);
	return true;
}

/* The attribute is the same before and after. */
static void plain_program(void *arg)
{
	char was[1024] = "", is[1024] = "";
	const struct attribute *a = arg;

	a->get(was, sizeof(was));
	ready();
	wait_go();
	a->get(is, sizeof(is));
	if (strcmp(is, was)) {
		dprintf(log_fd, "%s: was %s, is %s\n", a->name, was, is);
		_exit(CHANGED);
	}
	_exit(GOOD);
}

static void one_attribute(void *arg)
{
	char fresh[1024] = "", now[1024] = "";
	const struct attribute *a = arg;

	a->get(fresh, sizeof(fresh));
	a->set();
	a->get(now, sizeof(now));
	MUST(strcmp(fresh, now));
	plain_program(arg);
}

PROGRAM_FIXTURE(attribute, task_begin, task_end);

FIXTURE_VARIANT(attribute)
{
	const char *name;
};

#define ATTRIBUTE(_name)			\
FIXTURE_VARIANT_ADD(attribute, _name)		\
{						\
	.name = #_name,				\
}

ATTRIBUTE(comm);
ATTRIBUTE(nice);
ATTRIBUTE(negative_nice);
ATTRIBUTE(batch);
ATTRIBUTE(idle);
ATTRIBUTE(fifo);
ATTRIBUTE(rr);
ATTRIBUTE(slice);
ATTRIBUTE(idle_slice);
ATTRIBUTE(deadline);
ATTRIBUTE(clamps);
ATTRIBUTE(affinity);
ATTRIBUTE(ioprio_rt);
ATTRIBUTE(ioprio_idle);
ATTRIBUTE(ioprio_be);
ATTRIBUTE(slack);
ATTRIBUTE(oom);
ATTRIBUTE(oom_low);
ATTRIBUTE(oom_min);
ATTRIBUTE(limits);
ATTRIBUTE(personality);
ATTRIBUTE(pdeathsig);
ATTRIBUTE(subreaper);
ATTRIBUTE(undumpable);
ATTRIBUTE(no_new_privs);
ATTRIBUTE(keepcaps);
ATTRIBUTE(securebits);
ATTRIBUTE(tsc);
ATTRIBUTE(mce_early);
ATTRIBUTE(mce_late);
ATTRIBUTE(no_thp);
ATTRIBUTE(umask);
ATTRIBUTE(cwd);
ATTRIBUTE(robust_list);
ATTRIBUTE(tid_address);
ATTRIBUTE(core_filter);

TEST_F(attribute, comes_back)
{
	const struct attribute *a = find_attribute(variant->name);

	ASSERT_NE(NULL, a);
	if (!has_attribute(a))
		SKIP(return, "this machine has it not");
	self->pid = start(_metadata, one_attribute, a);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- a restarter that has it, a program that has not ---------------------------- */

TEST_F(attribute, not_from_the_restarter)
{
	const struct attribute *a = find_attribute(variant->name);

	ASSERT_NE(NULL, a);
	if (!has_attribute(a))
		SKIP(return, "this machine has it not");
	self->pid = start(_metadata, plain_program, a);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, a->set);
	go();
	EXPECT_EQ(a->stays ? CHANGED : GOOD, ckpt_wait(self->pid, 10000)) {
		TH_LOG("%s", log_text());
	}
	self->pid = 0;
}

/* ---- a policy that is not to be had ---------------------------------------------- */

/* Whoever is bound to a CPU may not have deadlines. */
static void bind_to_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

TEST_F(task, deadline_not_to_be_had)
{
	static const char * const words[] = {
		"SCHED_DEADLINE cannot be had ",
		"(10000000 of 90000000 ns in 100000000 ns)",
		NULL,
	};

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "this machine has one CPU");
	self->pid = start(_metadata, one_attribute, find_attribute("deadline"));
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, self->pid, bind_to_cpu));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- seen by others ------------------------------------------------------------ */

/* Its memory and what the scheduler counts is of this life. */
static const char *const status_may_differ[] = {
	/* it polls */
	"State:",
	/* a table that is as large as it must be */
	"FDSize:",
	/* statistics, and pages that nobody has touched yet */
	"VmPeak:", "VmHWM:", "VmRSS:", "RssAnon:", "RssFile:", "RssShmem:",
	"VmPTE:", "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:",
};

static char *without_lines(char *text, const char *const *names, int nr)
{
	char *from = text, *to = text, *next;
	int i;

	for (; *from; from = next) {
		next = strchrnul(from, '\n');
		if (*next)
			next++;
		for (i = 0; i < nr; i++)
			if (!strncmp(from, names[i], strlen(names[i])))
				break;
		if (i < nr)
			continue;
		memmove(to, from, next - from);
		to += next - from;
	}
	*to = 0;
	return text;
}

/*
 * Fields of /proc/PID/stat that may differ: state, flags of the kernel, page
 * faults, times, start time, resident set, stack and instruction pointer, wchan, CPU, I/O delay.
 */
static const int stat_may_differ[] = {
	3, 9, 10, 11, 12, 13, 14, 15, 16, 17, 22, 24, 29, 30, 35, 39, 42,
};

static void without_fields(char *text)
{
	char *p = strrchr(text, ')'), *to, *field, *save_ptr;
	int nr = 3, i;

	if (!p)
		return;
	to = p + 1;
	for (field = strtok_r(p + 1, " ", &save_ptr); field;
	     field = strtok_r(NULL, " ", &save_ptr), nr++) {
		for (i = 0; i < ARRAY_SIZE(stat_may_differ); i++)
			if (stat_may_differ[i] == nr)
				break;
		if (i < ARRAY_SIZE(stat_may_differ))
			continue;
		*to++ = ' ';
		memmove(to, field, strlen(field) + 1);
		to += strlen(to);
	}
}

static const char *const proc_files[] = {
	"status", "stat", "limits", "comm", "cmdline", "environ", "auxv",
	"coredump_filter", "oom_score_adj", "oom_adj", "personality",
	"timerslack_ns", "cpuset", "uid_map", "mountinfo", "cgroup",
};

static const char *const proc_links[] = { "exe", "cwd", "root" };

#define NR_SEEN	(ARRAY_SIZE(proc_files) + ARRAY_SIZE(proc_links))

static const char *seen_name(int i)
{
	return i < ARRAY_SIZE(proc_files) ? proc_files[i] :
					    proc_links[i - ARRAY_SIZE(proc_files)];
}

static ssize_t see(pid_t pid, int i, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	if (i >= ARRAY_SIZE(proc_files)) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, seen_name(i));
		n = readlink(path, buf, size - 1);
		buf[n > 0 ? n : 0] = 0;
		return n;
	}
	n = ckpt_read_proc(pid, seen_name(i), buf, size);
	if (n <= 0)
		return n;
	if (!strcmp(seen_name(i), "status"))
		without_lines(buf, status_may_differ,
			      ARRAY_SIZE(status_may_differ));
	else if (!strcmp(seen_name(i), "stat"))
		without_fields(buf);
	else
		return n;
	return strlen(buf);
}

static void all_attributes(void *arg)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(attributes); i++)
		if (!attributes[i].alone && has_attribute(&attributes[i]))
			attributes[i].set();
	ready();
	wait_go();
	_exit(GOOD);
}

static void same_for_others(struct __test_metadata *_metadata, pid_t pid)
{
	static char was[NR_SEEN][16384], is[16384];
	ssize_t len[NR_SEEN];
	int i, compared = 0;

	for (i = 0; i < NR_SEEN; i++)
		len[i] = see(pid, i, was[i], sizeof(was[i]));
	kill_and_bring_back(_metadata, pid);
	for (i = 0; i < NR_SEEN; i++) {
		EXPECT_EQ(len[i], see(pid, i, is, sizeof(is))) {
			TH_LOG("/proc/PID/%s", seen_name(i));
		}
		if (len[i] <= 0)
			continue;
		EXPECT_STREQ(was[i], is) {
			TH_LOG("/proc/PID/%s", seen_name(i));
		}
		/* Some have bytes of zero in them. */
		EXPECT_EQ(0, memcmp(was[i], is, len[i])) {
			TH_LOG("/proc/PID/%s", seen_name(i));
		}
		compared++;
	}
	/* The kernel may lack one or two of the files. */
	EXPECT_LE(NR_SEEN - 3, compared);
}

TEST_F(task, same_for_others)
{
	self->pid = start(_metadata, all_attributes, NULL);
	same_for_others(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(task, same_for_others_if_plain)
{
	self->pid = start(_metadata, idle_program, NULL);
	same_for_others(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- rseq ----------------------------------------------------------------------- */

#define RSEQ_SIGNATURE	0x53053053	/* what the C library registers with */
#define RSEQ_LEN	32

static struct rseq *my_rseq(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() +
			       __rseq_offset);
}

/* The kernel writes the number of the CPU when the task was preempted. */
static void expect_rseq_alive(void)
{
	volatile struct rseq *rs = my_rseq();
	unsigned int cpu, i;

	for (i = 0; i < 100; i++) {
		rs->cpu_id = 77;
		rs->cpu_id_start = 77;
		ckpt_sleep_ms(1);
		MUST(!syscall(SYS_getcpu, &cpu, NULL, NULL));
		if (rs->cpu_id == cpu && rs->cpu_id_start == cpu)
			return;
	}
	MUST(rs->cpu_id == cpu);
}

static long call_rseq(int flags, __u32 len, __u32 sig)
{
	return syscall(SYS_rseq, my_rseq(), len, flags, sig);
}

static void rseq_program(void *arg)
{
	expect_rseq_alive();
	/* What a checkpoint alone would not hide. */
	my_rseq()->cpu_id = 77;
	ready();
	wait_go();

	MUST(my_rseq()->cpu_id != 77);
	expect_rseq_alive();
	/* Only who knows how it was registered can take it back. */
	MUST(call_rseq(0, RSEQ_LEN, RSEQ_SIGNATURE) == -1 && errno == EBUSY);
	MUST(call_rseq(RSEQ_FLAG_UNREGISTER, RSEQ_LEN, 0x12345678) == -1 &&
	     errno == EPERM);
	MUST(call_rseq(RSEQ_FLAG_UNREGISTER, RSEQ_LEN * 2,
		       RSEQ_SIGNATURE) == -1 && errno == EINVAL);
	MUST(!call_rseq(RSEQ_FLAG_UNREGISTER, RSEQ_LEN, RSEQ_SIGNATURE));
	MUST(!call_rseq(0, RSEQ_LEN, RSEQ_SIGNATURE));
	expect_rseq_alive();
	_exit(GOOD);
}

TEST_F(task, rseq)
{
	if (!__rseq_size)
		SKIP(return, "no rseq()");
	self->pid = start(_metadata, rseq_program, NULL);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* One that has taken it back gets nothing from the restarter, which has one. */
static void no_rseq_program(void *arg)
{
	volatile struct rseq *rs = my_rseq();

	MUST(!call_rseq(RSEQ_FLAG_UNREGISTER, RSEQ_LEN, RSEQ_SIGNATURE));
	rs->cpu_id = 77;
	ready();
	wait_go();
	ckpt_sleep_ms(5);
	MUST(rs->cpu_id == 77);
	MUST(!call_rseq(0, RSEQ_LEN, RSEQ_SIGNATURE));
	_exit(GOOD);
}

TEST_F(task, no_rseq)
{
	if (!__rseq_size)
		SKIP(return, "no rseq()");
	self->pid = start(_metadata, no_rseq_program, NULL);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- times ---------------------------------------------------------------------- */

struct usage {
	struct rusage self;
	struct rusage children;
	struct tms tms;
	long long cpu_ns;
};

static void get_usage(struct usage *u)
{
	struct timespec ts;

	MUST(!getrusage(RUSAGE_SELF, &u->self));
	MUST(!getrusage(RUSAGE_CHILDREN, &u->children));
	MUST(times(&u->tms) != (clock_t)-1);
	MUST(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
	u->cpu_ns = ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static long long timeval_ms(struct timeval tv)
{
	return tv.tv_sec * 1000LL + tv.tv_usec / 1000;
}

/* CPU time that is more than a few clock ticks, in both modes. */
static void use_cpu(int ms)
{
	struct rusage ru;
	int i;

	do {
		for (i = 0; i < 100000; i++)
			__asm__ volatile ("" : : : "memory");
		for (i = 0; i < 300; i++)
			syscall(SYS_getppid);
		MUST(!getrusage(RUSAGE_SELF, &ru));
	} while (timeval_ms(ru.ru_utime) < ms || timeval_ms(ru.ru_stime) < ms);
}

/* From what it was, a bit on: the restarter has used some. */
static bool goes_on(long long was, long long is, long long slack)
{
	return was > 0 && is >= was && is <= was + slack;
}

#define MUST_GO_ON(_was, _is, _slack)				\
do {								\
	long long _a = _was, _b = _is;				\
								\
	if (!goes_on(_a, _b, _slack))				\
		dprintf(log_fd, "was %lld, is %lld\n", _a, _b);	\
	MUST(goes_on(_a, _b, _slack));				\
} while (0)

static void times_program(void *arg)
{
	struct usage was, is;
	int status, i;
	pid_t pid;

	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		use_cpu(30);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && !status);
	use_cpu(40);
	for (i = 0; i < 50; i++)
		usleep(100);
	get_usage(&was);
	ready();
	wait_go();
	get_usage(&is);
	MUST_GO_ON(timeval_ms(was.self.ru_utime), timeval_ms(is.self.ru_utime),
		   500);
	MUST_GO_ON(timeval_ms(was.self.ru_stime), timeval_ms(is.self.ru_stime),
		   500);
	MUST_GO_ON(was.tms.tms_utime, is.tms.tms_utime, 50);
	MUST_GO_ON(was.tms.tms_stime, is.tms.tms_stime, 50);
	MUST_GO_ON(was.cpu_ns / 1000000, is.cpu_ns / 1000000, 1000);
	MUST_GO_ON(was.self.ru_minflt, is.self.ru_minflt, 1000);
	MUST_GO_ON(was.self.ru_nvcsw, is.self.ru_nvcsw, 1000);
	MUST(is.self.ru_nivcsw >= was.self.ru_nivcsw);
	MUST(is.self.ru_majflt >= was.self.ru_majflt);
	/* It had no child since. */
	MUST(timeval_ms(was.children.ru_utime) >= 30);
	MUST(!memcmp(&is.children.ru_utime, &was.children.ru_utime,
		     sizeof(is.children.ru_utime)));
	MUST(!memcmp(&is.children.ru_stime, &was.children.ru_stime,
		     sizeof(is.children.ru_stime)));
	_exit(GOOD);
}

/* A field of /proc/PID/stat by its number in proc(5), from 3 on. */
static long long stat_field(pid_t pid, int nr)
{
	char text[1024], *p;

	if (ckpt_read_proc(pid, "stat", text, sizeof(text)) <= 0)
		return -1;
	p = strrchr(text, ')');
	for (nr -= 2; p && nr--; )
		p = strchr(p + 1, ' ');
	return p ? atoll(p) : -1;
}

static void expect_times_go_on(struct __test_metadata *_metadata,
			       FIXTURE_DATA(task) * self)
{
	long long utime, stime;

	self->pid = start(_metadata, times_program, NULL);
	utime = stat_field(self->pid, 14);
	stime = stat_field(self->pid, 15);
	EXPECT_LT(0, utime);
	kill_and_bring_back(_metadata, self->pid);
	EXPECT_TRUE(goes_on(utime, stat_field(self->pid, 14), 50));
	EXPECT_TRUE(goes_on(stime, stat_field(self->pid, 15), 50));
	ends_well(_metadata, &self->pid);
}

TEST_F(task, times_go_on)
{
	expect_times_go_on(_metadata, self);
}

/* With a limit there is a clock that runs all the time, the restarter's too. */
TEST_F(task, times_go_on_with_a_limit)
{
	struct rlimit limit = { 1000, RLIM_INFINITY };

	ASSERT_EQ(0, setrlimit(RLIMIT_CPU, &limit));
	expect_times_go_on(_metadata, self);
}

/* It is as old as it was: the time that it was dead does not count. */
TEST_F(task, age)
{
	long long was, is, ticks = sysconf(_SC_CLK_TCK);
	double saved, back;

	self->pid = start(_metadata, idle_program, NULL);
	was = stat_field(self->pid, 22);
	EXPECT_LT(0, was);
	ckpt_sleep_ms(100);
	saved = ckpt_now(CLOCK_BOOTTIME);
	ckpt_save_and_kill(_metadata, self->pid);
	ckpt_sleep_ms(500);
	bring_back(_metadata, self->pid);
	back = ckpt_now(CLOCK_BOOTTIME);
	is = stat_field(self->pid, 22);
	EXPECT_LE(was + ticks * 2 / 5, is);
	EXPECT_GE(was + (back - saved) * ticks + 1, is);
	ends_well(_metadata, &self->pid);
}

/* ---- effects of attributes --------------------------------------------------------- */

/* The timer slack that 0 stands for comes from the first parent. */
TEST_F(task, default_timer_slack)
{
	long own = prctl(PR_GET_TIMERSLACK);

	ASSERT_EQ(0, prctl(PR_SET_TIMERSLACK, 77777));
	self->pid = start(_metadata, plain_program, find_attribute("slack"));
	ASSERT_EQ(0, prctl(PR_SET_TIMERSLACK, own));
	ASSERT_NE(77777, own);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void die_with_parent(int sig)
{
	_exit(GOOD);
}

static void orphan_program(void *arg)
{
	signal(SIGUSR2, die_with_parent);
	set_pdeathsig();
	ready();
	for (;;)
		pause();
}

/* The parent is now who restarted it. */
TEST_F(task, signal_at_parents_death)
{
	int status;
	pid_t middle;

	self->pid = start(_metadata, orphan_program, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	middle = fork();
	ASSERT_LE(0, middle);
	if (!middle)
		_exit(ckpt_restart(CKPT_IMG, self->pid) == self->pid ? 0 : 1);
	ASSERT_EQ(middle, waitpid(middle, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 5000));
	self->pid = 0;
}

/* Who was a subreaper gets the orphans that come after. */
static void reaper_program(void *arg)
{
	int fd[2], status;
	pid_t pid, orphan;

	set_subreaper();
	ready();
	wait_go();
	MUST(!pipe(fd));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		pid = fork();
		if (!pid) {
			/* Until its parent is gone. */
			while (getppid() != *(pid_t *)arg)
				ckpt_sleep_ms(1);
			_exit(5);
		}
		_exit(write(fd[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	MUST(waitpid(pid, &status, 0) == pid && !status);
	MUST(read(fd[0], &orphan, sizeof(orphan)) == sizeof(orphan));
	MUST(waitpid(orphan, &status, 0) == orphan);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	_exit(GOOD);
}

static void call_reaper(void *arg)
{
	pid_t self = getpid();

	reaper_program(&self);
}

TEST_F(task, gets_orphans)
{
	self->pid = start(_metadata, call_reaper, NULL);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* Limits are in force, not only shown. */
static void limited_program(void *arg)
{
	struct rlimit rl = { 8, 8 };

	MUST(!setrlimit(RLIMIT_NOFILE, &rl));
	rl = (struct rlimit){ 1000, 1000 };
	MUST(!setrlimit(RLIMIT_FSIZE, &rl));
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	ready();
	wait_go();
	MUST(dup2(0, 7) == 7);
	MUST(dup2(0, 8) == -1 && errno == EBADF);
	MUST(ftruncate(log_fd, 1001) == -1 && errno == EFBIG);
	MUST(!mkdir(DIRECTORY "/x", 0777));
	MUST(!access(DIRECTORY "/x", F_OK));
	_exit(GOOD);
}

TEST_F(task, limits_in_force)
{
	struct stat st = {};

	/* The log must be below the limit of descriptors. */
	ASSERT_GT(8, log_fd);
	self->pid = start(_metadata, limited_program, NULL);
	kill_and_bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(0, stat(DIRECTORY "/x", &st));
	EXPECT_EQ(0700, st.st_mode & 07777);
	rmdir(DIRECTORY "/x");
}

/* ---- refused ------------------------------------------------------------------------ */

static void refused_begin(struct __test_metadata *_metadata)
{
	task_begin(_metadata);
	unlink(FIFO);
	ASSERT_EQ(0, mkfifo(FIFO, 0600));
}

static void refused_end(pid_t pid)
{
	task_end(pid);
	unlink(FIFO);
}

/* It is not the program itself that is to be saved. */
static void ready_other(pid_t target)
{
	MUST(dprintf(log_fd, "ready %d\n", target) > 0);
}

static void hold_other(pid_t target)
{
	ready_other(target);
	wait_go();
	_exit(GOOD);
}

static void *idle_thread(void *arg)
{
	*(volatile pid_t *)arg = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static pid_t start_thread(void)
{
	static volatile pid_t tid;
	pthread_t thread;

	MUST(!pthread_create(&thread, NULL, idle_thread, (void *)&tid));
	while (!tid)
		ckpt_sleep_ms(1);
	return tid;
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	wait_go();
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0) == pid);
	_exit(GOOD);
}

/* Ends as the child does. */
static void end_as_child(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	_exit(WEXITSTATUS(status));
}

static void is_thread(void *arg)
{
	hold_other(start_thread());
}

static pid_t start_zombie(void)
{
	siginfo_t si;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		_exit(0);
	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	return pid;
}

static void is_zombie(void *arg)
{
	hold_other(start_zombie());
}

static void no_process(void *arg)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		_exit(0);
	MUST(waitpid(pid, NULL, 0) == pid);
	hold_other(pid);
}

static void kernel_thread(void *arg)
{
	char text[1024];
	pid_t pid;

	/* One that has no memory. */
	for (pid = 2; pid < 100; pid++) {
		if (ckpt_read_proc(pid, "status", text, sizeof(text)) > 0 &&
		    strstr(text, "Kthread:\t1"))
			hold_other(pid);
	}
	skip_program("no kernel thread");
}

static void init_of_the_machine(void *arg)
{
	hold_other(1);
}

static void vforked(void *arg)
{
	pid_t pid;

	/* The parent sleeps meanwhile. */
	pid = vfork();
	if (!pid) {
		ready_other(getpid());
		wait_go();
		_exit(GOOD);
	}
	end_as_child(pid);
}

static void is_traced(void *arg)
{
	pid_t pid = start_child();

	MUST(!ptrace(PTRACE_SEIZE, pid, 0, 0));
	ready_other(pid);
	end_child(pid);
}

static void is_tracing(void *arg)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		end_as_child(pid);
	/* One that is not in the tree. */
	MUST(!ptrace(PTRACE_SEIZE, getppid(), 0, 0));
	hold_other(getpid());
}

static void io_uring(void *arg)
{
	struct io_uring_params p = {};

	if (syscall(SYS_io_uring_setup, 4, &p) < 0)
		skip_program("no io_uring");
	idle_program(arg);
}

static void perf_event(void *arg)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CONTEXT_SWITCHES,
	};

	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0)
		skip_program("no performance events");
	idle_program(arg);
}

static void sem_undo(void *arg)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };
	int id = semget(IPC_PRIVATE, 1, 0600);

	MUST(id >= 0);
	MUST(!semop(id, &op, 1));
	ready();
	wait_go();
	MUST(!semctl(id, 0, IPC_RMID));
	_exit(GOOD);
}

static void thread_keyring(void *arg)
{
	if (syscall(SYS_keyctl, 0, -1, 1) < 0)
		skip_program("no keyrings");
	idle_program(arg);
}

static void process_keyring(void *arg)
{
	if (syscall(SYS_keyctl, 0, -2, 1) < 0)
		skip_program("no keyrings");
	idle_program(arg);
}

static void new_root(void *arg)
{
	/* All that the program needs afterwards it has open. */
	int fd = open(FIFO, O_RDWR | O_CLOEXEC);
	char c;

	MUST(!chroot(DIRECTORY));
	ready();
	MUST(read(fd, &c, 1) == 1);
	_exit(GOOD);
}

#define UNSHARED(name, flag)			\
static void name(void *arg)			\
{						\
	MUST(!unshare(flag));			\
	idle_program(arg);			\
}

UNSHARED(mount_namespace, CLONE_NEWNS)
UNSHARED(uts_namespace, CLONE_NEWUTS)
UNSHARED(ipc_namespace, CLONE_NEWIPC)
UNSHARED(net_namespace, CLONE_NEWNET)
UNSHARED(cgroup_namespace, CLONE_NEWCGROUP)
UNSHARED(user_namespace, CLONE_NEWUSER)
UNSHARED(time_namespace_for_children, CLONE_NEWTIME)

/* A child that is made with @flags is to be saved. */
static void special_child(unsigned long flags)
{
	struct clone_args ca = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t pid;

	pid = syscall(SYS_clone3, &ca, sizeof(ca));
	MUST(pid >= 0);
	if (!pid) {
		wait_go();
		_exit(GOOD);
	}
	ready_other(pid);
	end_as_child(pid);
}

static void shared_io(void *arg)
{
	MUST(!syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3));
	special_child(CLONE_IO);
}

static bool pi_lock(int op, volatile unsigned int *word)
{
	return !syscall(SYS_futex, word, op, 0, NULL, NULL, 0);
}

/* Somebody outside waits for a lock of the task, with its priority lent. */
static void pi_owner(void *arg)
{
	const char *path = "/tmp/task.pi";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	volatile unsigned int *word;
	pid_t owner, waiter;

	MUST(fd >= 0 && !unlink(path) && !ftruncate(fd, 4096));
	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(word != MAP_FAILED);
	owner = fork();
	if (!owner) {
		MUST(pi_lock(FUTEX_LOCK_PI, word));
		wait_go();
		MUST(pi_lock(FUTEX_UNLOCK_PI, word));
		_exit(GOOD);
	}
	while (*word != owner)
		ckpt_sleep_ms(1);
	waiter = fork();
	if (!waiter)
		_exit(pi_lock(FUTEX_LOCK_PI, word) ? GOOD : BAD);
	while (!(*word & FUTEX_WAITERS) || ckpt_state(waiter) != 'S')
		ckpt_sleep_ms(1);
	ready_other(owner);
	/* It gets the lock only from an owner that goes on. */
	end_as_child(waiter);
}

static char child_stack[16384] __attribute__((aligned(64)));

static int pause_forever(void *arg)
{
	for (;;)
		pause();
	return 0;
}

/* A child with the same memory that is no thread. */
static pid_t start_sharer(int (*fn)(void *arg))
{
	pid_t pid = clone(fn, child_stack + sizeof(child_stack),
			  CLONE_VM | SIGCHLD, NULL);

	MUST(pid > 0);
	return pid;
}

static void shared_memory(void *arg)
{
	pid_t pid = start_sharer(pause_forever);

	ready_other(pid);
	end_child(pid);
}

PROGRAM_FIXTURE(refused, refused_begin, refused_end);

FIXTURE_VARIANT(refused)
{
	void (*program)(void *arg);
	const char *words;
	int err;
};

#define REFUSED(name, error, text)		\
FIXTURE_VARIANT_ADD(refused, name)		\
{						\
	.program = name,			\
	.err = error,				\
	.words = text,				\
}

REFUSED(vforked, EOPNOTSUPP, "was made by vfork() and its parent waits for it");
REFUSED(shared_memory, EOPNOTSUPP,
	"shares its address space with pid ");
REFUSED(is_traced, EOPNOTSUPP, "is traced by pid ");
REFUSED(is_tracing, EOPNOTSUPP, "traces other processes");
REFUSED(io_uring, EOPNOTSUPP, "uses io_uring, which cannot be saved yet");
REFUSED(perf_event, EOPNOTSUPP, "has performance events");
REFUSED(pi_owner, EOPNOTSUPP,
	"owns a priority-inheritance futex that others wait for, which cannot be saved yet");
REFUSED(sem_undo, EOPNOTSUPP,
	"has SysV semaphores with SEM_UNDO, which cannot be saved yet");
REFUSED(shared_io, EOPNOTSUPP,
	"shares its I/O context (CLONE_IO) with somebody outside");
REFUSED(thread_keyring, EOPNOTSUPP,
	"has a thread or process keyring, which cannot be saved yet");
REFUSED(process_keyring, EOPNOTSUPP,
	"has a thread or process keyring, which cannot be saved yet");
REFUSED(new_root, EOPNOTSUPP,
	"has another root directory than you (chroot), which cannot be saved yet");
REFUSED(mount_namespace, EOPNOTSUPP,
	"is in another mount namespace than you, which cannot be saved yet");
REFUSED(uts_namespace, EOPNOTSUPP,
	"is in another UTS namespace than you, which cannot be saved yet");
REFUSED(ipc_namespace, EOPNOTSUPP,
	"is in another IPC namespace than you, which cannot be saved yet");
REFUSED(net_namespace, EOPNOTSUPP,
	"is in another network namespace than you, which cannot be saved yet");
REFUSED(cgroup_namespace, EOPNOTSUPP,
	"is in another cgroup namespace than you, which cannot be saved yet");
REFUSED(user_namespace, EOPNOTSUPP,
	"is in another user namespace than you, which cannot be saved yet");
REFUSED(time_namespace_for_children, EOPNOTSUPP,
	"has asked for a new time namespace for its children, which cannot be saved yet");
REFUSED(init_of_the_machine, EOPNOTSUPP, "is the init of the machine");
REFUSED(is_thread, EINVAL, "; name the process");
REFUSED(kernel_thread, EINVAL, "is a kernel thread");
REFUSED(is_zombie, ESRCH, "has exited");
REFUSED(no_process, ESRCH, "there is no such process");

/* The process that the program wants to be saved goes to @target. */
static pid_t start_other(struct __test_metadata *_metadata,
			 void (*fn)(void *arg), pid_t *target)
{
	pid_t pid = ckpt_spawn(fn, NULL, log_fd);

	ASSERT_LT(0, pid);
	*target = pid;
	ASSERT_TRUE(ckpt_wait_size(LOG, 6, 10000));
	if (!why_skipped() && strcmp("ready\n", log_text())) {
		int n = sscanf(log_text(), "ready %d", target);

		ASSERT_EQ(1, n) {
			TH_LOG("%s", log_text());
		}
	}
	return pid;
}

TEST_F(refused, by_name)
{
	pid_t target;
	int fd;

	self->pid = start_other(_metadata, variant->program, &target);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
	ckpt_expect_refused(_metadata, target, variant->err);
	EXPECT_NE(NULL, strstr(ckpt_log_text, variant->words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	fd = open(FIFO, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(1, write(fd, "x", 1));
	ends_well(_metadata, &self->pid);
	close(fd);
}

TEST_HARNESS_MAIN
