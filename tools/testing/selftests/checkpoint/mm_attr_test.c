// SPDX-License-Identifier: GPL-2.0
/*
 * What else memory has than contents and protection: that it is locked, sealed,
 * droppable, has a key or a policy; and what a process has registered with
 * membarrier(). See mm_test.c for how it is looked at.
 */
/* Addresses are offsets in /proc/PID/mem. */
#define _FILE_OFFSET_BITS 64
#include "maps.h"
#include "caps.h"
#include "tree_program.h"

#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define RW	(PROT_READ | PROT_WRITE)

static char *mem, *mem2;

/* ---- locked memory ------------------------------------------------------- */

#define KPF_UNEVICTABLE	18
#define KPF_MLOCKED	33

static uint64_t entry_of(const char *file, uint64_t index)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	MUST(pread(fd, &entry, 8, index * 8) == 8);
	close(fd);
	return entry;
}

/* Is the page there, and out of reach of reclaim? */
static bool is_locked(const char *page)
{
	uint64_t e = entry_of("/proc/self/pagemap", (unsigned long)page / PAGE);

	if (!(e >> 63))
		return false;
	return entry_of("/proc/kpageflags", e & ((1ULL << 55) - 1)) &
	       (1ULL << KPF_MLOCKED | 1ULL << KPF_UNEVICTABLE);
}

static bool all_locked(const char *page, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!is_locked(page + i * PAGE))
			return false;
	return true;
}

static bool none_there(const char *page, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (entry_of("/proc/self/pagemap",
			     (unsigned long)page / PAGE + i) >> 62)
			return false;
	return true;
}

static void lock_make(void)
{
	int fd = mm_file(MM_FILE, 8 * PAGE);

	/* Written to; only there; and its neighbours. */
	mem = mm_anon(12);
	mm_put(mem, 4);
	MUST(!mlock(mem + 2 * PAGE, 6 * PAGE));
	/* Of a file, private and shared, to its end and behind it. */
	mem2 = mm_map_file(fd, 8, RW, MAP_PRIVATE, 0);
	MUST(!mlock(mem2, 8 * PAGE));
	MUST(!mlock(mm_map_file(fd, 8, PROT_READ, MAP_PRIVATE, 0), 4 * PAGE));
	MUST(!mlock(mm_map_file(fd, 8, RW, MAP_SHARED, 0), 8 * PAGE));
	MUST(mlock(mm_map_file(fd, 9, RW, MAP_SHARED, 0), 9 * PAGE) &&
	     errno == ENOMEM);
	close(fd);
	MUST(mm_map(NULL, 4, RW, MAP_LOCKED));
	/* Read-only: the pages are there all the same. */
	MUST(!mlock(mm_map(NULL, 2, PROT_READ, 0), 2 * PAGE));
}

static void lock_verify(void)
{
	MUST(mm_value("/proc/self/status", "VmLck:") ==
	     (6 + 8 + 4 + 8 + 9 + 4 + 2) * PAGE / 1024);
	MUST(all_locked(mem + 2 * PAGE, 6));
	MUST(!is_locked(mem) && none_there(mem + 8 * PAGE, 4));
	MUST(all_locked(mem2, 8));
	MUST(mm_is_put(mem, 4) && mm_is_zero(mem + 4 * PAGE, 8));
	MUST(mm_is_file(mem2, 0, 8 * PAGE));
	/* What is unlocked is no longer charged. */
	MUST(!munlockall());
	MUST(!mm_value("/proc/self/status", "VmLck:"));
	MUST(!is_locked(mem + 2 * PAGE));
}

/* Locked with nothing behind it, and with contents that cannot be reached. */
static void lock_none_make(void)
{
	mem = mm_anon(8);
	mem2 = mm_map(NULL, 4, PROT_NONE, 0);
	mm_put(mem, 3);
	mem[3 * PAGE] = 0;
	MUST(!mlock(mem, 4 * PAGE));
	MUST(!mprotect(mem, 8 * PAGE, PROT_NONE));
	MUST(mlock(mem2, 4 * PAGE) && errno == ENOMEM);
	MUST(mm_value("/proc/self/status", "VmLck:") == 8 * PAGE / 1024);
}

static void lock_none_verify(void)
{
	MUST(mm_value("/proc/self/status", "VmLck:") == 8 * PAGE / 1024);
	MUST(all_locked(mem, 4) && none_there(mem2, 4));
	MUST(!mprotect(mem, 8 * PAGE, RW));
	MUST(mm_is_put(mem, 3) && mm_is_zero(mem + 3 * PAGE, 5));
}

static void on_fault_make(void)
{
	mem = mm_anon(16);
	mm_put(mem, 2);
	MUST(!mlock2(mem, 12 * PAGE, MLOCK_ONFAULT));
	mm_put(mem + 4 * PAGE, 2);
	/* There and of zeros: must not fault either. */
	memset(mem + 6 * PAGE, 0, 2 * PAGE);
}

static void on_fault_verify(void)
{
	MUST(all_locked(mem, 2) && all_locked(mem + 4 * PAGE, 4));
	MUST(none_there(mem + 2 * PAGE, 2) && none_there(mem + 8 * PAGE, 8));
	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 2));
	MUST(mm_is_zero(mem + 6 * PAGE, 2));
	mm_put(mem + 8 * PAGE, 1);
	MUST(is_locked(mem + 8 * PAGE));
}

/* What is mapped from now on; what is there already is not concerned. */
static void future_make(void)
{
	mem = mm_anon(4);
	mm_put(mem, 2);
	MUST(!mlockall(MCL_FUTURE));
}

static void future_verify(void)
{
	unsigned long was = mm_value("/proc/self/status", "VmLck:");

	MUST(!is_locked(mem));
	mem2 = mm_anon(4);
	MUST(all_locked(mem2, 4));
	MUST(mm_value("/proc/self/status", "VmLck:") == was + 16);
	MUST(mm_is_put(mem, 2));
}

static void future_on_fault_make(void)
{
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	mem = mm_anon(4);
	mm_put(mem, 2);
}

static void future_on_fault_verify(void)
{
	MUST(all_locked(mem, 2) && none_there(mem + 2 * PAGE, 2));
	mem2 = mm_anon(4);
	MUST(none_there(mem2, 4));
	mm_put(mem2, 1);
	MUST(is_locked(mem2) && none_there(mem2 + PAGE, 3));
}

static void all_locked_make(void)
{
	mem = mm_anon(4);
	mm_put(mem, 2);
	MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
}

static void all_locked_verify(void)
{
	MUST(all_locked(mem, 4) && mm_is_put(mem, 2));
	MUST(all_locked(mm_anon(2), 2));
}

/* Each stands for itself, though all look alike but for one thing. */
static void lock_apart_make(void)
{
	mem = mm_place(8);
	MUST(mm_map(mem, 2, RW, MAP_FIXED) == mem);
	mm_put(mem, 2);
	MUST(mm_map(mem + 4 * PAGE, 2, RW, MAP_FIXED));
	mm_put(mem + 4 * PAGE, 2);
	MUST(mm_map(mem + 2 * PAGE, 2, RW, MAP_FIXED));
	MUST(!mlock(mem, 6 * PAGE));
	MUST(mm_count(mem, mem + 6 * PAGE) == 2);
}

static void lock_apart_verify(void)
{
	MUST(mm_count(mem, mem + 6 * PAGE) == 2);
	MUST(all_locked(mem, 6));
	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 2));
}

/* ---- sealed, droppable --------------------------------------------------- */

static void seal_make(void)
{
	mem = mm_anon(6);
	mm_put(mem, 6);
	MUST(!syscall(__NR_mseal, mem + 2 * PAGE, 2 * PAGE, 0));
	mem2 = mm_anon(2);
	mm_put(mem2, 1);
	MUST(!mlock(mem2, 2 * PAGE));
	MUST(!mprotect(mem2, 2 * PAGE, PROT_READ));
	MUST(!syscall(__NR_mseal, mem2, 2 * PAGE, 0));
}

static void seal_verify(void)
{
	char *at = mem + 2 * PAGE;

	MUST(mm_is_put(mem, 6) && mm_is_put(mem2, 1));
	MUST(mprotect(at, PAGE, PROT_READ) && errno == EPERM);
	MUST(munmap(at + PAGE, PAGE) && errno == EPERM);
	MUST(mprotect(mem2, PAGE, RW) && errno == EPERM);
	MUST(madvise(mem2, PAGE, MADV_DONTNEED) && errno);
	MUST(mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) == MAP_FAILED && errno == EPERM);
	MUST(!munmap(mem, 2 * PAGE) && !munmap(mem + 4 * PAGE, 2 * PAGE));
	mm_put(at, 2);
}

static void droppable_make(void)
{
	mem = mmap(NULL, 4 * PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		skip_program("no droppable memory");
	mm_put(mem, 2);
}

static void droppable_verify(void)
{
	int status;
	pid_t pid;

	MUST(mm_is_put(mem, 2) && mm_is_zero(mem + 2 * PAGE, 2));
	/* What it is cannot be undone. */
	MUST(madvise(mem, PAGE, MADV_KEEPONFORK) && errno == EINVAL);
	MUST(madvise(mem, PAGE, MADV_DODUMP) && errno == EINVAL);
	pid = fork();
	if (!pid)
		_exit(mm_is_zero(mem, 4) ? 41 : 1);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 41);
}

/* ---- keys ---------------------------------------------------------------- */

#define DENIED	PKEY_DISABLE_ACCESS

static int keys[3];

static void keys_make(void)
{
	int i;

	for (i = 0; i < 3; i++)
		keys[i] = pkey_alloc(0, i == 2 ? PKEY_DISABLE_WRITE : 0);
	if (keys[0] < 0)
		skip_program("no memory protection keys");
	mem = mm_anon(8);
	mm_put(mem, 8);
	for (i = 0; i < 3; i++)
		MUST(!pkey_mprotect(mem + 2 * i * PAGE, 2 * PAGE, RW, keys[i]));
	/* Locked, and out of reach; of a key that is free again. */
	MUST(!mlock(mem, 2 * PAGE));
	MUST(!pkey_set(keys[0], DENIED));
	MUST(!pkey_free(keys[1]));
}

static void keys_verify(void)
{
	MUST(pkey_get(keys[0]) == DENIED);
	MUST(pkey_get(keys[2]) == PKEY_DISABLE_WRITE);
	MUST(!mm_fault(mem + 4 * PAGE, false));
	MUST(all_locked(mem, 2));
	/* A handler that is left by a jump leaves other rights behind. */
	MUST(mm_fault(mem, false) == SIGSEGV);
	MUST(!pkey_set(keys[2], PKEY_DISABLE_WRITE));
	MUST(mm_fault(mem + 4 * PAGE, true) == SIGSEGV);
	MUST(!pkey_set(keys[1], 0));
	MUST(!pkey_set(keys[0], 0) && !pkey_set(keys[2], 0));
	MUST(mm_is_put(mem, 8));
	mm_put(mem, 8);
	/* The lowest that is free, and not one of those. */
	MUST(pkey_alloc(0, 0) == keys[1]);
	MUST(pkey_alloc(0, 0) == keys[2] + 1);
	MUST(pkey_free(keys[2] + 2) && errno == EINVAL);
	MUST(!pkey_free(keys[0]) && !pkey_free(keys[2]));
}

static void exec_only_make(void)
{
	int key = pkey_alloc(0, 0);

	if (key < 0)
		skip_program("no memory protection keys");
	MUST(!pkey_free(key));
	mem = mm_anon(2);
	mm_put_code(mem, 77);
	MUST(!mprotect(mem, 2 * PAGE, PROT_EXEC));
	/* Has taken a key for itself. */
	MUST(pkey_alloc(0, 0) == key + 1);
}

static void exec_only_verify(void)
{
	int key = pkey_alloc(0, 0);

	MUST(((int (*)(void))mem)() == 77);
	MUST(mm_fault(mem, false) == SIGSEGV);
	MUST(mm_fault(mem, true) == SIGSEGV);
	/* The key of the next such mapping is the same. */
	mem2 = mm_anon(1);
	MUST(!mprotect(mem2, PAGE, PROT_EXEC));
	MUST(mm_fault(mem2, false) == SIGSEGV);
	MUST(pkey_alloc(0, 0) == key + 1);
	MUST(!mprotect(mem, 2 * PAGE, PROT_READ) && mem[0] == (char)0xb8);
}

/* ---- membarrier() --------------------------------------------------------- */

static long membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

static long registered;

static void membarrier_make(void)
{
	MUST(!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
	MUST(!membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED));
}

static void membarrier_verify(void)
{
	MUST(membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS) ==
	     (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
	      MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED));
	MUST(!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
	MUST(!membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED));
	MUST(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) &&
	     errno == EPERM);
	MUST(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) &&
	     errno == EPERM);
}

static void membarrier_core_make(void)
{
	MUST(!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE));
	MUST(!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ));
	registered = membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS);
}

static void membarrier_core_verify(void)
{
	MUST(!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE));
	MUST(!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ));
	MUST(membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS) == registered);
	MUST(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) && errno == EPERM);
}

/* ---- policies ------------------------------------------------------------- */

/* Of a mapping, or of the task (0). */
struct policy {
	int mode;
	unsigned long nodes;
	unsigned long more;	/* 64 bits are written to 32-bit programs, too */
};

static struct policy policy_of(const char *at)
{
	struct policy p = {};

	MUST(!syscall(SYS_get_mempolicy, &p.mode, &p.nodes,
		      8 * sizeof(p.nodes), at, at ? MPOL_F_ADDR : 0));
	return p;
}

static bool has_policy(const char *at, int mode, unsigned long nodes)
{
	struct policy p = policy_of(at);

	return p.mode == mode && p.nodes == nodes;
}

static unsigned long all_nodes(void)
{
	struct policy p = {};

	if (syscall(SYS_get_mempolicy, NULL, &p.nodes, 8 * sizeof(p.nodes),
		    NULL, MPOL_F_MEMS_ALLOWED))
		skip_program("no memory policies");
	return p.nodes;
}

static int node_of(char *page)
{
	int node = -1;

	MUST(!syscall(SYS_get_mempolicy, &node, NULL, 0, page,
		      MPOL_F_NODE | MPOL_F_ADDR));
	return node;
}

/* For pages 2 * i and 2 * i + 1, the last of them where there are two nodes. */
static const struct policy policies[] = {
	{ MPOL_BIND, 1 },
	{ MPOL_PREFERRED, 1 },
	{ MPOL_LOCAL, 0 },
	{ MPOL_PREFERRED_MANY, 1 },
	{ MPOL_INTERLEAVE, 1 },
	{ MPOL_WEIGHTED_INTERLEAVE, 1 },
	{ MPOL_BIND | MPOL_F_STATIC_NODES, 1 },
	{ MPOL_BIND | MPOL_F_RELATIVE_NODES, 4 },
	{ MPOL_BIND | MPOL_F_NUMA_BALANCING, 1 },
	/* Some are asked for that are not there. */
	{ MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 0x7 },
	{ MPOL_BIND, 2 },
	{ MPOL_INTERLEAVE, 3 },
	{ MPOL_PREFERRED_MANY, 3 },
};

#define POLICIES	ARRAY_SIZE(policies)

static size_t nr_policies(void)
{
	return all_nodes() == 3 ? POLICIES : POLICIES - 3;
}

static long bind_page(char *at, const struct policy *p)
{
	return syscall(SYS_mbind, at, 2 * PAGE, p->mode, &p->nodes,
		       8 * sizeof(p->nodes), 0);
}

static void policy_make(void)
{
	size_t i, nr = nr_policies();

	mem = mm_anon(2 * POLICIES + 4);
	for (i = 0; i < nr; i++)
		MUST(!bind_page(mem + 2 * i * PAGE, &policies[i]));
	mm_put(mem, 2 * POLICIES);
	/* Alike but for the node to begin with. */
	mem2 = mem + 2 * POLICIES * PAGE;
	MUST(!bind_page(mem2, &policies[0]) &&
	     !bind_page(mem2 + 2 * PAGE, &policies[0]));
	MUST(!syscall(__NR_set_mempolicy_home_node, mem2, 2 * PAGE, 0, 0));
	mm_put(mem2, 4);
	MUST(mm_count(mem2, mem2 + 4 * PAGE) == 2);
}

static void policy_verify(void)
{
	size_t i, nr = nr_policies();

	for (i = 0; i < nr; i++)
		MUST(has_policy(mem + 2 * i * PAGE, policies[i].mode,
				policies[i].nodes));
	if (nr == POLICIES)
		/* Bound to the second node, and there it is. */
		MUST(node_of(mem + 2 * 10 * PAGE) == 1 &&
		     node_of(mem + 21 * PAGE) == 1 && node_of(mem) == 0);
	MUST(mm_is_put(mem, 2 * POLICIES + 4));
	MUST(has_policy(NULL, MPOL_DEFAULT, 0));
	/* They can be one again. */
	MUST(mm_count(mem2, mem2 + 4 * PAGE) == 2);
	MUST(!syscall(__NR_set_mempolicy_home_node, mem2 + 2 * PAGE, 2 * PAGE,
		      0, 0));
	MUST(mm_count(mem2, mem2 + 4 * PAGE) == 1);
}

/* Of memory that two mappings have in common, and of what none has any more. */
static void shared_policy_make(void)
{
	int fd = memfd_create("policies", MFD_CLOEXEC);
	size_t i, nr = nr_policies();

	MUST(fd >= 0 && !ftruncate(fd, 40 * PAGE));
	mem = mm_map_file(fd, 40, RW, MAP_SHARED, 0);
	for (i = 0; i < nr; i++)
		MUST(!bind_page(mem + 2 * i * PAGE, &policies[i]));
	mem2 = mm_map_file(fd, 2, RW, MAP_SHARED, 38);
	MUST(!bind_page(mem2, &policies[0]));
	MUST(!syscall(__NR_set_mempolicy_home_node, mem2, 2 * PAGE, 0, 0));
	MUST(!munmap(mem2, 2 * PAGE));
	mem2 = mm_map_file(fd, 40, RW, MAP_SHARED, 0);
	close(fd);
	/* What a mapping was told first is not what counts. */
	MUST(!bind_page(mem + 30 * PAGE, &policies[0]));
	MUST(!bind_page(mem2 + 30 * PAGE, &policies[1]));
	mm_put(mem, 36);
}

static void shared_policy_verify(void)
{
	size_t i, nr = nr_policies();

	for (i = 0; i < nr; i++)
		MUST(has_policy(mem + 2 * i * PAGE, policies[i].mode,
				policies[i].nodes) &&
		     has_policy(mem2 + 2 * i * PAGE, policies[i].mode,
				policies[i].nodes));
	for (i = 30; i < 32; i++)
		MUST(has_policy(mem + i * PAGE, policies[1].mode, 1) &&
		     has_policy(mem2 + i * PAGE, policies[1].mode, 1));
	MUST(has_policy(mem + 32 * PAGE, MPOL_DEFAULT, 0));
	MUST(has_policy(mem2 + 39 * PAGE, policies[0].mode, 1));
	if (nr == POLICIES)
		MUST(node_of(mem + 2 * 10 * PAGE) == 1 &&
		     node_of(mem2 + 21 * PAGE) == 1 && node_of(mem) == 0);
	MUST(mm_is_put(mem, 36));
	/* They are those of the memory, not of who maps it. */
	MUST(!bind_page(mem2 + 38 * PAGE, &policies[1]));
	MUST(has_policy(mem + 38 * PAGE, policies[1].mode, 1));
}

/* Of shared anonymous memory. */
static void anon_policy_make(void)
{
	all_nodes();
	mem = mmap(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED && !bind_page(mem + 4 * PAGE, &policies[4]));
	mm_put(mem, 8);
}

static void anon_policy_verify(void)
{
	MUST(has_policy(mem, MPOL_DEFAULT, 0) && mm_is_put(mem, 8));
	MUST(has_policy(mem + 4 * PAGE, policies[4].mode, 1) &&
	     has_policy(mem + 5 * PAGE, policies[4].mode, 1) &&
	     has_policy(mem + 6 * PAGE, MPOL_DEFAULT, 0));
}

static void set_policy(const struct policy *p)
{
	MUST(!syscall(SYS_set_mempolicy, p->mode, &p->nodes,
		      8 * sizeof(p->nodes)));
}

static const struct policy task_policies[] = {
	{ MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 0x5 },
	{ MPOL_BIND | MPOL_F_RELATIVE_NODES, 1 },
};

static void *thread_policy(void *arg)
{
	set_policy(&task_policies[1]);
	__atomic_store_n(&mem, mm_anon(1), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&mem2, __ATOMIC_SEQ_CST))
		ckpt_sleep_ms(2);
	MUST(has_policy(NULL, task_policies[1].mode, task_policies[1].nodes));
	return NULL;
}

static pthread_t thread;

/* Each thread has its own. */
static void task_policy_make(void)
{
	all_nodes();
	MUST(!pthread_create(&thread, NULL, thread_policy, NULL));
	while (!__atomic_load_n(&mem, __ATOMIC_SEQ_CST))
		ckpt_sleep_ms(2);
	set_policy(&task_policies[0]);
}

static void task_policy_verify(void)
{
	MUST(has_policy(NULL, task_policies[0].mode, task_policies[0].nodes));
	__atomic_store_n(&mem2, mem, __ATOMIC_SEQ_CST);
	MUST(!pthread_join(thread, NULL));
}

static const struct program task_policies_program = {
	task_policy_make, task_policy_verify,
};

/* ---- the cases ------------------------------------------------------------ */

FIXTURE(attr)
{
	pid_t pid;
};

FIXTURE_VARIANT(attr)
{
	struct mm_case c;
	uint64_t of_files;
};

#define ATTR(name)							\
	FIXTURE_VARIANT_ADD(attr, name)					\
	{								\
		.c = { name##_make, name##_verify },			\
	}

ATTR(lock);
ATTR(lock_none);
ATTR(on_fault);
ATTR(future);
ATTR(future_on_fault);
ATTR(all_locked);
ATTR(lock_apart);
ATTR(seal);
ATTR(droppable);
ATTR(keys);
ATTR(exec_only);
ATTR(membarrier);
ATTR(membarrier_core);
ATTR(policy);

FIXTURE_VARIANT_ADD(attr, shared_policy)
{
	.c = { shared_policy_make, shared_policy_verify }, .of_files = 36,
};

FIXTURE_VARIANT_ADD(attr, anon_policy)
{
	.c = { anon_policy_make, anon_policy_verify }, .of_files = 8,
};

FIXTURE_SETUP(attr)
{
	mm_pages_of_files = variant->of_files;
	self->pid = mm_start(_metadata, &variant->c);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

FIXTURE_TEARDOWN(attr)
{
	mm_tidy(self->pid);
}

TEST_F(attr, comes_back)
{
	struct ckpt_stats stats;

	mm_round_trip(_metadata, self->pid, &stats);
	mm_ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(threads, begin_tree, end_tree);

TEST_F(threads, policies_come_back)
{
	if (access("/proc/self/numa_maps", F_OK))
		SKIP(return, "no memory policies");
	program_comes_back(_metadata, &self->pid, &task_policies_program);
}

/* ---- what the restarter may not have --------------------------------------- */

/* Of locked memory; the limit of the program is higher. */
static void may_lock(rlim_t pages)
{
	struct rlimit rl = { pages * PAGE, pages * PAGE };

	drop_cap(CAP_IPC_LOCK);
	MUST(!setrlimit(RLIMIT_MEMLOCK, &rl));
}

static void limited_make(void)
{
	may_lock(64);
	mem = mm_anon(32);
	mm_put(mem, 16);
	MUST(!mlock(mem, 8 * PAGE) && !mlock(mem + 8 * PAGE, 8 * PAGE));
	MUST(!mlock2(mem + 20 * PAGE, 4 * PAGE, MLOCK_ONFAULT));
}

static void limited_verify(void)
{
	MUST(all_locked(mem, 16));
	MUST(mm_value("/proc/self/status", "VmLck:") == 20 * PAGE / 1024);
	MUST(!mlock(mem, 32 * PAGE));
	MUST(mlock(mm_anon(64), 64 * PAGE) && errno == ENOMEM);
}

static void future_limited_make(void)
{
	may_lock(64);
	mem = mm_anon(2);
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
}

static void future_limited_verify(void)
{
	mem2 = mm_anon(4);
	mm_put(mem2, 1);
	MUST(is_locked(mem2) && none_there(mem2 + PAGE, 3));
	MUST(mmap(NULL, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED && errno == EAGAIN);
}

static void may_lock_nothing(void)
{
	may_lock(0);
}

static void may_lock_less(void)
{
	may_lock(19);
}

static void may_lock_enough(void)
{
	may_lock(20);
}

/* Limits do not count for who has the capability. */
static void has_cap(void)
{
	struct rlimit rl = { PAGE, PAGE };

	MUST(!setrlimit(RLIMIT_MEMLOCK, &rl));
}

FIXTURE(limit)
{
	pid_t pid;
};

FIXTURE_VARIANT(limit)
{
	struct mm_case c;
	void (*too_little)(void);
	void (*enough)(void);
	int err;
	const char *words;
};

#define CANNOT	"cannot be locked in memory (RLIMIT_MEMLOCK, CAP_IPC_LOCK)"

FIXTURE_VARIANT_ADD(limit, none)
{
	.c = { limited_make, limited_verify },
	.too_little = may_lock_nothing, .enough = may_lock_enough,
	.err = EPERM, .words = CANNOT,
};

FIXTURE_VARIANT_ADD(limit, less)
{
	.c = { limited_make, limited_verify },
	.too_little = may_lock_less, .enough = has_cap,
	.err = ENOMEM, .words = CANNOT,
};

FIXTURE_VARIANT_ADD(limit, future)
{
	.c = { future_limited_make, future_limited_verify },
	.too_little = may_lock_nothing, .enough = may_lock_enough,
	.err = EPERM, .words = "memory cannot be locked for the future",
};

FIXTURE_SETUP(limit)
{
	self->pid = mm_start(_metadata, &variant->c);
}

FIXTURE_TEARDOWN(limit)
{
	mm_tidy(self->pid);
}

TEST_F(limit, of_the_restarter)
{
	const char *const line[] = { variant->words, NULL };

	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_EQ(-variant->err, ckpt_restart_after(CKPT_IMG, self->pid,
						    variant->too_little));
	EXPECT_TRUE(ckpt_log_says(line))
		TH_LOG("%s", ckpt_log_text);
	bring_back_after(_metadata, self->pid, variant->enough);
	ASSERT_TRUE(ckpt_wait_state(self->pid, 'T'));
	mm_ends_well(_metadata, &self->pid);
}

/* ---- a restart that fails ---------------------------------------------------- */

/* All that a restart changes before it has seen the end of the image. */
static void much_make(void)
{
	lock_make();
	membarrier_core_make();
	exec_only_make();
	if (!access("/proc/self/numa_maps", F_OK))
		set_policy(&task_policies[0]);
}

static uint32_t rights(void)
{
	uint32_t pkru = 0;
	int i;

	for (i = 0; i < 16; i++)
		pkru |= (uint32_t)pkey_get(i) << 2 * i;
	return pkru;
}

static void failing_restarter(void *arg)
{
	bool numa = !access("/proc/self/numa_maps", F_OK);
	struct policy mine = task_policies[1];
	uint32_t pkru;
	int in = *(int *)arg;

	membarrier_make();
	if (numa)
		set_policy(&mine);
	pkru = rights();
	MUST(sys_restart(0, in, RESTART_TASKSELF | RESTART_NO_PIDS, NULL, 0) &&
	     errno == EBADMSG);
	membarrier_verify();
	MUST(!numa || has_policy(NULL, mine.mode, mine.nodes));
	MUST(rights() == pkru);
	MUST(!mm_value("/proc/self/status", "VmLck:"));
	_exit(GOOD);
}

TEST(restarter_stays_as_it_was)
{
	static const struct mm_case c = { much_make, lock_verify };
	pid_t pid = mm_start(_metadata, &c), restarter;
	struct stat st;
	int in;

	if (why_skipped())
		SKIP(return, "%s", why_skipped());
	ckpt_save_and_kill(_metadata, pid);
	ASSERT_EQ(0, stat(CKPT_IMG, &st));
	ASSERT_EQ(0, truncate(CKPT_IMG, st.st_size - sizeof(struct ckpt_rec_tail)));
	in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	/* The harness may have moved it; the program keeps only one. */
	ASSERT_LE(0, in);
	restarter = fork();
	if (!restarter)
		failing_restarter(&in);
	EXPECT_EQ(GOOD, ckpt_wait(restarter, 10000))
		TH_LOG("%s", log_text());
	close(in);
	mm_tidy(0);
}

TEST_HARNESS_MAIN
