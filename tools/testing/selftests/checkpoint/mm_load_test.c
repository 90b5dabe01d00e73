// SPDX-License-Identifier: GPL-2.0
/*
 * Much memory, and little of it to be had: what saving and restarting take
 * themselves, under a limit with swap, with many mappings, and when the saver
 * is stopped in the middle of it.
 */
#include "maps.h"
#include "pressure.h"
#include "tree_program.h"

#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>

#define MIB		(1UL << 20)
#define MIB_PAGES	(MIB / PAGE)

/* What a call may take beside what is charged for the program. */
#define EXTRA		(4 * MIB)

/* ---- in the program -------------------------------------------------------------- */

static char *mem;
static size_t nr;

/* All of a page is too much for that many. */
static void bulk_set(void)
{
	size_t i;

	mem = mm_anon(nr);
	MUST(!madvise(mem, nr * PAGE, MADV_NOHUGEPAGE));
	for (i = 0; i < nr; i++)
		*(size_t *)(mem + i * PAGE + i % 500 * 8) = i + 1;
}

static void bulk_check(void)
{
	size_t i;

	for (i = 0; i < nr; i++)
		MUST(*(size_t *)(mem + i * PAGE + i % 500 * 8) == i + 1);
}

static const struct program bulk = { bulk_set, bulk_check };

static void limited_set(void)
{
	MUST(join_group());
	bulk_set();
}

static const struct program limited = { limited_set, bulk_check };

/* Every other page of a place: no two mappings are neighbours. */
static void mappings_set(void)
{
	size_t i;

	mem = mm_place(2 * nr);
	for (i = 0; i < nr; i++)
		MUST(mmap(mem + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
			  MAP_NORESERVE, -1, 0) != MAP_FAILED);
	for (i = 0; i < nr; i += 100)
		mm_put(mem + 2 * i * PAGE, 1);
}

static void mappings_check(void)
{
	size_t i;

	for (i = 0; i < nr; i += 100)
		MUST(mm_is_put(mem + 2 * i * PAGE, 1));
	MUST(mm_count(mem, mem + 2 * nr * PAGE) == nr);
}

static const struct program mappings = { mappings_set, mappings_check };

/* ---- in the test ------------------------------------------------------------------ */

/* Reads at most @max bytes of the image, into @path if it is given. */
static uint64_t take_image(int in, const char *path, uint64_t max)
{
	static char buf[64 << 10];
	uint64_t len = 0;
	int out = -1;
	ssize_t n;

	if (path)
		out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (len < max && (n = read(in, buf, sizeof(buf))) > 0) {
		len += n;
		if (path && write(out, buf, n) != n)
			break;
	}
	if (path)
		close(out);
	return len;
}

/* The caller that saves to a pipe, after it did @prepare, and exits with errno. */
struct saver {
	pid_t pid;
	int in;
	struct ckpt_stats *stats;	/* in common */
};

static bool start_saver(struct saver *s, pid_t pid, unsigned long flags,
			bool (*prepare)(void))
{
	int fds[2];
	long ret;

	s->stats = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->stats == MAP_FAILED || pipe2(fds, O_CLOEXEC))
		return false;
	s->in = fds[0];
	s->pid = fork();
	if (s->pid) {
		close(fds[1]);
		return s->pid > 0;
	}
	if (prepare && !prepare())
		_exit(200);
	ret = ckpt_save_fd(pid, fds[1], flags, s->stats);
	_exit(ret > 0 ? 0 : -ret);
}

static int end_saver(struct saver *s)
{
	int code = ckpt_wait(s->pid, 60000);

	close(s->in);
	munmap(s->stats, PAGE);
	return code;
}

static void begin_load(struct __test_metadata *_metadata)
{
	begin(_metadata);
	ASSERT_TRUE(make_group());
	if (group_value("memory.current", NULL) < 0)
		SKIP(return, "no memory cgroups");
}

static void end_load(pid_t pid)
{
	end(pid);
	leave_group();
}

PROGRAM_FIXTURE(load, begin_load, end_load);

static void restarter_joins(void)
{
	if (!join_group())
		_exit(201);
}

#define BULK_MIB	128L

/* The group is the saver's, then the restarter's. */
TEST_F(load, takes_little)
{
	struct saver s;
	long peak;

	nr = BULK_MIB * MIB_PAGES;
	self->pid = start_program(_metadata, &bulk);
	ASSERT_TRUE(start_saver(&s, self->pid, CHECKPOINT_KILL, join_group));
	EXPECT_LT(BULK_MIB * MIB, take_image(s.in, CKPT_IMG, UINT64_MAX));
	EXPECT_LT(BULK_MIB * MIB_PAGES, s.stats->pages_written);
	peak = group_value("memory.peak", NULL);
	EXPECT_LT(0, peak);
	EXPECT_GT(s.stats->meta_bytes + EXTRA, peak);
	TH_LOG("saving takes %ld KiB", peak >> 10);
	ASSERT_EQ(0, end_saver(&s));
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));

	ASSERT_EQ(0, rmdir(GROUP));
	ASSERT_EQ(0, mkdir(GROUP, 0700));
	bring_back_after(_metadata, self->pid, restarter_joins);
	peak = group_value("memory.peak", NULL);
	EXPECT_LE(BULK_MIB * MIB, peak);
	EXPECT_GT(BULK_MIB * MIB + BULK_MIB * MIB / 512 + EXTRA, peak);
	TH_LOG("restarting takes %ld KiB", (peak >> 10) - (BULK_MIB << 10));
	ends_well(_metadata, &self->pid);
}

static void look_at(const char *path)
{
	static char buf[16 << 10];
	int fd, i;

	if (readlink(path, buf, sizeof(buf)) >= 0)
		return;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	for (i = 0; i < 100 && read(fd, buf, sizeof(buf)) > 0; i++)
		;
	close(fd);
}

/* What everybody may read, as ps(1) does. */
static void look_at_cmdline(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	look_at(path);
}

/* All that is there for whom it is for; its memory is for a debugger. */
static void look_at_all(pid_t pid)
{
	char pattern[64];
	const char *name;
	size_t i;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "/proc/%d/{,fd/,map_files/}*", pid);
	if (glob(pattern, GLOB_BRACE, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++) {
		name = strrchr(g.gl_pathv[i], '/') + 1;
		if (strcmp(name, "mem") && strcmp(name, "pagemap"))
			look_at(g.gl_pathv[i]);
	}
	globfree(&g);
}

static pid_t start_looking(void (*look)(pid_t pid), pid_t at)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		look(at);
}

#define LOOKED_AT_MIB	16

FIXTURE(looked_at)
{
	pid_t pid;
};

FIXTURE_VARIANT(looked_at)
{
	void (*look)(pid_t pid);
};

FIXTURE_VARIANT_ADD(looked_at, cmdline) { .look = look_at_cmdline };
FIXTURE_VARIANT_ADD(looked_at, all) { .look = look_at_all };

FIXTURE_SETUP(looked_at)
{
	begin(_metadata);
}

FIXTURE_TEARDOWN(looked_at)
{
	end(self->pid);
}

/* What is looked at is faulted in: it must not be where contents are to come. */
TEST_F(looked_at, comes_back)
{
	pid_t other;
	int i;

	nr = LOOKED_AT_MIB * MIB_PAGES;
	self->pid = start_program(_metadata, &bulk);
	other = start_looking(variant->look, self->pid);
	for (i = 0; i < 5; i++) {
		ckpt_save_and_kill(_metadata, self->pid);
		bring_back(_metadata, self->pid);
	}
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(0, kill(other, SIGKILL));
	EXPECT_EQ(other, waitpid(other, NULL, 0));
}

/* ---- memory in common ----------------------------------------------------------- */

#define SHARERS		4

/* Less than it is with 32 bytes for each page in common. */
#define SHARED_EXTRA	(3 * EXTRA / 8)

static void shared_program(void)
{
	int i, status;

	bulk_set();
	for (i = 1; i < SHARERS; i++) {
		if (fork())
			continue;
		ready();
		wait_go();
		bulk_check();
		_exit(GOOD);
	}
	ready();
	wait_go();
	bulk_check();
	for (i = 1; i < SHARERS; i++) {
		MUST(wait(&status) > 0);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
	}
}

static void begin_shared(struct __test_metadata *_metadata)
{
	begin_load(_metadata);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

static void end_shared(pid_t pid)
{
	end_tree(pid);
	leave_group();
}

PROGRAM_FIXTURE(shared, begin_shared, end_shared);

/* Pages that are met again are written once, and nothing is remembered of them. */
TEST_F(shared, takes_little)
{
	struct saver s;
	uint64_t len;
	long peak;

	nr = BULK_MIB * MIB_PAGES;
	self->pid = start_tree(_metadata, shared_program, SHARERS, false);
	ASSERT_TRUE(start_saver(&s, self->pid, CHECKPOINT_KILL, join_group));
	len = take_image(s.in, CKPT_IMG, UINT64_MAX);
	EXPECT_LT(BULK_MIB * MIB, len);
	EXPECT_GT(BULK_MIB * MIB + 2 * MIB, len);
	peak = group_value("memory.peak", NULL);
	EXPECT_LT(0, peak);
	EXPECT_GT(s.stats->meta_bytes + SHARED_EXTRA, peak);
	TH_LOG("saving takes %ld KiB", peak >> 10);
	ASSERT_EQ(0, end_saver(&s));
	reap_all();
	ASSERT_EQ(self->pid, restart_image(""));
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what one more of something takes -------------------------------------------- */

#define MANY_TASKS	2000

static pid_t pids[MANY_TASKS];

static void processes_set(void)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		pids[i] = fork();
		MUST(pids[i] >= 0);
		if (!pids[i])
			pause();
	}
}

static void processes_check(void)
{
	size_t i;
	int status;

	for (i = 0; i < nr; i++) {
		MUST(!kill(pids[i], SIGKILL));
		MUST(waitpid(pids[i], &status, 0) == pids[i]);
		MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

static const struct program processes = { processes_set, processes_check };

static void *idle_thread(void *arg)
{
	pause();
	return arg;
}

/* Their stacks are one mapping. */
static void threads_set(void)
{
	const size_t size = 32 << 10;
	pthread_attr_t attr;
	pthread_t thread;
	char *stacks;
	size_t i;

	stacks = mm_anon(nr * size / PAGE);
	pthread_attr_init(&attr);
	for (i = 0; i < nr; i++) {
		MUST(!pthread_attr_setstack(&attr, stacks + i * size, size));
		MUST(!pthread_create(&thread, &attr, idle_thread, NULL));
	}
}

static const struct program threads = { threads_set, NULL };

#define ONE_FILE	"/tmp/file.of.many"

static void files_set(void)
{
	struct rlimit limit = { nr + 100, nr + 100 };
	size_t i;

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	MUST(fill(ONE_FILE));
	for (i = 0; i < nr; i++)
		MUST(open(ONE_FILE, O_RDONLY | O_CLOEXEC) >= 0);
}

static void files_check(void)
{
	MUST(open(ONE_FILE, O_RDONLY | O_CLOEXEC) >= (int)nr);
	unlink(ONE_FILE);
}

static const struct program files = { files_set, files_check };

FIXTURE(cost)
{
	pid_t pid;
};

/* See "Locks and memory" in design.rst; @bytes is a little more than that. */
FIXTURE_VARIANT(cost)
{
	const struct program *program;
	size_t few;
	long bytes;
};

#define COST(name, how_few, most)					\
	FIXTURE_VARIANT_ADD(cost, name)					\
	{								\
		.program = &name,					\
		.few = how_few,						\
		.bytes = most,						\
	}

COST(processes, 50, 12288);
COST(threads, 200, 5120);
COST(mappings, 2000, 160);
COST(files, 1000, 512);

FIXTURE_SETUP(cost)
{
	begin_load(_metadata);
}

FIXTURE_TEARDOWN(cost)
{
	end_load(self->pid);
}

/* The peak of a save of @count of them. */
static long cost_of(struct __test_metadata *_metadata, pid_t *pid,
		    const struct program *program, size_t count)
{
	struct saver s;
	long peak;

	nr = count;
	*pid = start_program(_metadata, program);
	EXPECT_TRUE(start_saver(&s, *pid, 0, join_group));
	take_image(s.in, NULL, UINT64_MAX);
	EXPECT_EQ(0, end_saver(&s));
	peak = group_value("memory.peak", NULL);
	ends_well(_metadata, pid);
	end(*pid);
	begin(_metadata);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, mkdir(GROUP, 0700));
	return peak;
}

TEST_F(cost, of_one_more)
{
	size_t few = variant->few;
	long peak, more;

	peak = cost_of(_metadata, &self->pid, variant->program, few);
	EXPECT_LT(0, peak);
	more = cost_of(_metadata, &self->pid, variant->program, 10 * few);
	TH_LOG("%zu: %ld KiB, %zu: %ld KiB; one more: %ld bytes", few, peak >> 10,
	       10 * few, more >> 10, (more - peak) / (long)(9 * few));
	EXPECT_LT(peak, more);
	/* KASAN puts something around each object. */
	EXPECT_GT((ckpt_slow_kernel() ? 2 : 1) * variant->bytes,
		  (more - peak) / (long)(9 * few));
}

/* ---- under a limit ------------------------------------------------------------ */

#define LIMITED_MIB	24

static void begin_limited(struct __test_metadata *_metadata)
{
	begin_load(_metadata);
	if (!swap_on(3 * LIMITED_MIB))
		SKIP(return, "no swap");
	/* Swap takes its time, which the kernel does not wait for at the max. */
	ASSERT_TRUE(ckpt_write_text(GROUP "/memory.high", "12M"));
	ASSERT_TRUE(ckpt_write_text(GROUP "/memory.max", "18M"));
	nr = LIMITED_MIB * MIB_PAGES;
}

static void end_limited(pid_t pid)
{
	end_load(pid);
	swap_off();
}

PROGRAM_FIXTURE(limited, begin_limited, end_limited);

static bool is_swapped(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return mm_value(path, "VmSwap:") * 1024 >= LIMITED_MIB * MIB / 3;
}

/* All who are in it share the limit: what one reads in pushes out the other's. */
TEST_F(limited, goes_on)
{
	struct saver s;

	self->pid = start_program(_metadata, &limited);
	EXPECT_TRUE(is_swapped(self->pid));
	ASSERT_TRUE(start_saver(&s, self->pid, 0, join_group));
	EXPECT_LT(LIMITED_MIB * MIB, take_image(s.in, NULL, UINT64_MAX));
	ASSERT_EQ(0, end_saver(&s));
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(0, group_value("memory.events", "oom_kill "));
}

TEST_F(limited, comes_back)
{
	struct saver s;

	self->pid = start_program(_metadata, &limited);
	ASSERT_TRUE(start_saver(&s, self->pid, CHECKPOINT_KILL, join_group));
	EXPECT_LT(LIMITED_MIB * MIB, take_image(s.in, CKPT_IMG, UINT64_MAX));
	ASSERT_EQ(0, end_saver(&s));
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	bring_back_after(_metadata, self->pid, restarter_joins);
	EXPECT_TRUE(is_swapped(self->pid));
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(0, group_value("memory.events", "oom_kill "));
}

/* ---- a restart that fails with its last record ---------------------------------- */

#define LEFT_MIB	16

static bool cut_image(void)
{
	struct stat st;

	return !stat(CKPT_IMG, &st) && !truncate(CKPT_IMG, st.st_size - 8);
}

/*
 * What stays charged of a restart that has taken all that it had to take. Each
 * CPU has pages that are on their way to a list, which drop_caches sends on, and
 * keeps the rest of a page that small objects were in until one more is freed.
 */
static void expect_nothing_left(struct __test_metadata *_metadata)
{
	long rest = sysconf(_SC_NPROCESSORS_ONLN) * PAGE, left = LONG_MAX;
	int i;

	EXPECT_LT(LEFT_MIB * MIB, group_value("memory.peak", NULL));
	for (i = 0; i < 500 && left > rest; i++) {
		if (i % 50 == 0)
			ckpt_write_text("/proc/sys/vm/drop_caches", "1");
		/* So that what is charged in advance is given back. */
		ckpt_write_text(GROUP "/memory.high", i % 2 ? "1" : "0");
		ckpt_sleep_ms(10);
		left = group_value("memory.current", NULL);
	}
	EXPECT_LE(0, left);
	EXPECT_GE(rest, left);
}

TEST_F(load, nothing_is_left)
{
	nr = LEFT_MIB * MIB_PAGES;
	self->pid = start_program(_metadata, &bulk);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(cut_image());
	ASSERT_EQ(-EBADMSG, ckpt_restart_after(CKPT_IMG, self->pid,
					       restarter_joins));
	expect_nothing_left(_metadata);
	self->pid = 0;
}

static void put_all(int fd, int flags)
{
	char *p = mmap(NULL, LEFT_MIB / 4 * MIB, PROT_READ | PROT_WRITE, flags, fd, 0);

	MUST(p != MAP_FAILED);
	mm_put(p, LEFT_MIB / 4 * MIB_PAGES);
}

/* Memory of all kinds that is charged, in two processes. */
static void kinds_program(void)
{
	const off_t size = LEFT_MIB / 4 * MIB;
	int memfd = memfd_create("left", MFD_CLOEXEC), file;
	pid_t pid;

	file = open(ONE_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(!unlink(ONE_FILE));
	MUST(!ftruncate(memfd, size) && !ftruncate(file, size));
	put_all(memfd, MAP_SHARED);
	put_all(file, MAP_SHARED);
	put_all(-1, MAP_SHARED | MAP_ANONYMOUS);
	mem = mm_anon(LEFT_MIB * MIB_PAGES);
	madvise(mem, LEFT_MIB * MIB, MADV_HUGEPAGE);
	mm_put(mem, LEFT_MIB / 2 * MIB_PAGES);
	pid = fork();
	MUST(pid >= 0);
	if (pid)
		mm_put(mem, 100);
	ready();
	wait_go();
	if (!pid)
		_exit(GOOD);
	collect(pid, GOOD);
}

#define IN_GROUP	"echo 0 >" GROUP "/cgroup.procs && exec "

FIXTURE(left)
{
	pid_t pid;
};

FIXTURE_VARIANT(left)
{
	void (*program)(void);
	int tasks;
};

FIXTURE_VARIANT_ADD(left, in_common) {
	.program = shared_program, .tasks = SHARERS,
};

FIXTURE_VARIANT_ADD(left, all_kinds) {
	.program = kinds_program, .tasks = 2,
};

FIXTURE_SETUP(left)
{
	begin_shared(_metadata);
}

FIXTURE_TEARDOWN(left)
{
	end_shared(self->pid);
}

/* The command, too, is in the group: it is about the members that it makes. */
TEST_F(left, by_no_tree)
{
	nr = LEFT_MIB * MIB_PAGES;
	self->pid = start_tree(_metadata, variant->program, variant->tasks, false);
	kill_tree(_metadata, self->pid);
	self->pid = 0;
	ASSERT_TRUE(cut_image());
	EXPECT_NE(0, system(IN_GROUP "restart --detach -i " CKPT_IMG " >/dev/null 2>&1"));
	reap_all();
	expect_nothing_left(_metadata);
}

/* ---- many mappings ------------------------------------------------------------- */

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"

static char map_count[16];

static void begin_mappings(struct __test_metadata *_metadata)
{
	begin(_metadata);
	ASSERT_LT(0, ckpt_read_text(MAX_MAP_COUNT, map_count, sizeof(map_count)));
	ASSERT_TRUE(ckpt_write_text(MAX_MAP_COUNT, "200000"));
}

static void end_mappings(pid_t pid)
{
	end(pid);
	ckpt_write_text(MAX_MAP_COUNT, map_count);
}

PROGRAM_FIXTURE(mappings, begin_mappings, end_mappings);

/* The debug kernel looks at all mappings whenever one is made. */
#define MANY		(ckpt_slow_kernel() ? 10000 : 100000)

/* How long it takes to save and to restart, in ms. */
static void time_mappings(struct __test_metadata *_metadata, pid_t *pid,
			  size_t count, long long *save, long long *restart)
{
	nr = count;
	*pid = start_program(_metadata, &mappings);
	*save = ckpt_now_ms();
	ckpt_save_and_kill(_metadata, *pid);
	*save = ckpt_now_ms() - *save;
	*restart = ckpt_now_ms();
	bring_back(_metadata, *pid);
	*restart = ckpt_now_ms() - *restart;
	ends_well(_metadata, pid);
	end(*pid);
	begin(_metadata);
}

/* Ten times as many take ten times as long: not a hundred times. */
TEST_F(mappings, linear)
{
	long long save[2], restart[2];

	time_mappings(_metadata, &self->pid, MANY / 10, &save[0], &restart[0]);
	time_mappings(_metadata, &self->pid, MANY, &save[1], &restart[1]);
	EXPECT_GT(25 * (save[0] + 10), save[1]);
	EXPECT_GT(25 * (restart[0] + 10), restart[1]);
	TH_LOG("%d: %lld and %lld ms, %d: %lld and %lld ms", MANY / 10, save[0],
	       restart[0], MANY, save[1], restart[1]);
}

/* ---- limits that the restarter has ------------------------------------------------- */

#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"
#define COMMIT_KB	"/proc/sys/vm/overcommit_kbytes"
#define COMMIT_RATIO	"/proc/sys/vm/overcommit_ratio"

static const char *const sysctls[] = {
	MAX_MAP_COUNT, OVERCOMMIT, COMMIT_RATIO,
};

static char sysctl_was[3][16];

/* More than the machine has. */
static void huge_set(void)
{
	mem = mm_anon(nr);
	mm_put(mem, 1);
}

static void huge_check(void)
{
	MUST(mm_is_put(mem, 1));
}

static void few_mappings(void)
{
	ckpt_write_text(MAX_MAP_COUNT, "2000");
}

static void limit_8m(int resource)
{
	struct rlimit r = { 8 * MIB, 8 * MIB };

	setrlimit(resource, &r);
}

static void little_space(void)
{
	limit_8m(RLIMIT_AS);
}

static void little_data(void)
{
	limit_8m(RLIMIT_DATA);
}

static void guess(void)
{
	ckpt_write_text(OVERCOMMIT, "0");
}

static void never(void)
{
	char kb[32];

	ckpt_write_text(COMMIT_KB, "1000000000");
	ckpt_write_text(OVERCOMMIT, "2");
	/* The log takes some, too. */
	snprintf(kb, sizeof(kb), "%lu",
		 mm_value("/proc/meminfo", "Committed_AS:") + 16384);
	ckpt_write_text(COMMIT_KB, kb);
}

FIXTURE(limit)
{
	pid_t pid;
};

FIXTURE_VARIANT(limit)
{
	struct program p;
	size_t pages;
	void (*prepare)(void);
	const char *words[4];
};

#define LIMITED(name, what, nr_pages, ...)				\
	FIXTURE_VARIANT_ADD(limit, name)				\
	{								\
		.p = { what##_set, what##_check },			\
		.pages = nr_pages,					\
		.prepare = name,					\
		.words = { __VA_ARGS__ },				\
	}

LIMITED(few_mappings, mappings, 3000, "record MM: the process has 30",
	" mappings, vm.max_map_count allows 2000 here: raise it");
LIMITED(little_space, bulk, 16 * MIB_PAGES, "cannot be made: the process has ",
	" kB of address space, RLIMIT_AS of the restarter allows 8192 kB: raise it (ulimit -v)");
LIMITED(little_data, bulk, 16 * MIB_PAGES, "cannot be made: the process has ",
	" kB of data, RLIMIT_DATA of the restarter allows 8192 kB: raise it (ulimit -d)");
LIMITED(guess, huge, 8192 * MIB_PAGES,
	"cannot be made: its 8388608 kB are more than the ",
	" kB of memory and swap here: add swap, or set vm.overcommit_memory to 1");
LIMITED(never, bulk, 64 * MIB_PAGES, "cannot be made: of the ",
	" kB that may be committed here, ",
	" kB are: raise vm.overcommit_kbytes or vm.overcommit_ratio, add swap, or set vm.overcommit_memory to 0");

static bool sysctls_back(void)
{
	bool ok = true;
	int i;

	for (i = 0; i < 3; i++)
		ok = ckpt_write_text(sysctls[i], sysctl_was[i]) && ok;
	return ok;
}

FIXTURE_SETUP(limit)
{
	int i;

	begin(_metadata);
	for (i = 0; i < 3; i++)
		ASSERT_LT(0, ckpt_read_text(sysctls[i], sysctl_was[i],
					    sizeof(sysctl_was[i])));
	ASSERT_TRUE(ckpt_write_text(OVERCOMMIT, "1"));
	nr = variant->pages;
}

FIXTURE_TEARDOWN(limit)
{
	end(self->pid);
	sysctls_back();
}

/* The restart fails, says which it is, and can be made where it is higher. */
TEST_F(limit, is_named)
{
	self->pid = start_program(_metadata, &variant->p);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-ENOMEM, ckpt_restart_after(CKPT_IMG, self->pid,
					      variant->prepare));
	EXPECT_TRUE(ckpt_log_says(variant->words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_TRUE(sysctls_back());
	ASSERT_TRUE(ckpt_write_text(OVERCOMMIT, "1"));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- stopped in the middle --------------------------------------------------------- */

static void on_signal(int sig)
{
}

static bool catch_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	return !sigaction(SIGUSR1, &sa, NULL);
}

FIXTURE(middle)
{
	pid_t pid;
};

FIXTURE_VARIANT(middle)
{
	unsigned long flags;
	int sig;
	int code;
};

#define MIDDLE(name, how, what, ends)					\
	FIXTURE_VARIANT_ADD(middle, name)				\
	{								\
		.flags = how,						\
		.sig = what,						\
		.code = ends,						\
	}

MIDDLE(killed, 0, SIGKILL, 256 + SIGKILL);
MIDDLE(killed_in_kill, CHECKPOINT_KILL, SIGKILL, 256 + SIGKILL);
MIDDLE(interrupted, 0, SIGINT, 256 + SIGINT);
MIDDLE(interrupted_in_kill, CHECKPOINT_KILL, SIGINT, 256 + SIGINT);
/* Half an image cannot be begun again, whatever the handler says. */
MIDDLE(handled, 0, SIGUSR1, EINTR);
MIDDLE(handled_in_kill, CHECKPOINT_KILL, SIGUSR1, EINTR);

FIXTURE_SETUP(middle)
{
	begin(_metadata);
	nr = 4 * MIB_PAGES;
	self->pid = start_program(_metadata, &bulk);
}

FIXTURE_TEARDOWN(middle)
{
	end(self->pid);
}

TEST_F(middle, of_the_payload)
{
	char c;
	struct saver s;

	ASSERT_TRUE(start_saver(&s, self->pid, variant->flags, catch_signal));
	/* Then it waits for somebody to read on. */
	ASSERT_LE(2 * MIB, take_image(s.in, NULL, 2 * MIB));
	ASSERT_TRUE(ckpt_wait_syscall(s.pid, __NR_checkpoint));
	ASSERT_EQ('I', ckpt_state(self->pid));
	ASSERT_EQ(0, kill(s.pid, variant->sig));
	ASSERT_EQ(variant->code, ckpt_wait(s.pid, 10000));
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'S'));
	/* What is in the pipe, and then nothing. */
	EXPECT_GT(MIB, take_image(s.in, NULL, UINT64_MAX));
	EXPECT_EQ(0, read(s.in, &c, 1));
	close(s.in);
	ends_well(_metadata, &self->pid);
}

/* ---- killed where nothing is written ------------------------------------------ */

#define KILL_POINT	"/sys/kernel/debug/checkpoint/kill"

/* A page at either end; in between one page of zeros is mapped everywhere. */
static void zeros_set(void)
{
	mem = mm_map(NULL, nr, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	MUST(mem);
	MUST(!madvise(mem, nr * PAGE, MADV_NOHUGEPAGE));
	MUST(!madvise(mem, nr * PAGE, MADV_POPULATE_READ));
	mm_put(mem, 1);
	mm_put(mem + (nr - 1) * PAGE, 1);
}

static void zeros_check(void)
{
	MUST(mm_is_put(mem, 1));
	MUST(mm_is_put(mem + (nr - 1) * PAGE, 1));
}

static const struct program zeros = { zeros_set, zeros_check };

/* When all but the contents is written, the saver is killed. */
static bool dies_at_payload(void)
{
	char text[64];

	snprintf(text, sizeof(text), "meta-written %d", getpid());
	return ckpt_write_text(KILL_POINT, text);
}

/* How long a saver that did @prepare takes, in ms. */
static long long time_saver(struct __test_metadata *_metadata, pid_t pid,
			    bool (*prepare)(void), int code)
{
	long long start = ckpt_now_ms();
	struct saver s;

	ASSERT_TRUE(start_saver(&s, pid, 0, prepare));
	take_image(s.in, NULL, UINT64_MAX);
	ASSERT_EQ(code, end_saver(&s));
	return ckpt_now_ms() - start;
}

PROGRAM_FIXTURE(zeros, begin, end);

TEST_F(zeros, saver_ends_soon)
{
	long long all, killed;

	if (access(KILL_POINT, F_OK))
		SKIP(return, "no kill points in this kernel");
	nr = (ckpt_slow_kernel() ? 512 : 4096) * MIB_PAGES;
	self->pid = start_program(_metadata, &zeros);
	all = time_saver(_metadata, self->pid, NULL, 0);
	killed = time_saver(_metadata, self->pid, dies_at_payload, 256 + SIGKILL);
	/* To die takes the debug kernel as long as to save a part of it. */
	EXPECT_GT(ckpt_slow_kernel() ? all : all / 2, killed);
	TH_LOG("saving takes %lld ms, dying %lld ms", all, killed);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
