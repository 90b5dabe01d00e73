// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages of hugetlb: private and shared memory, memfds, files of a mounted
 * hugetlbfs. Contents, which of the pages are there, who has them in common,
 * seals, and what of the pool is in use and in reserve.
 *
 *	pool	     program is there	 killed		  brought back
 *	----	     ----------------	 ------		  ------------
 *	free, rsvd   other numbers	 as before	  as with the program
 */
#define _FILE_OFFSET_BITS 64
#include "tree_program.h"
#include "bad_image.h"
#include "maps.h"
#include "look.h"
#include "poison.h"

#include <sys/shm.h>

#define RW		(PROT_READ | PROT_WRITE)
#define HUGE		(2UL << 20)
#define POOL		"/proc/sys/vm/nr_hugepages"
#define POOL_SIZE	24

/* Missing from older libraries. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21U << 26)
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB	(21 << 26)
#endif

/* ---- in the program ---------------------------------------------------------- */

static int fd, other;
static pid_t child;
static unsigned char *mem, *again, *third;

static unsigned char *map(size_t pages, int prot, int flags, int fd, off_t at)
{
	void *p = mmap(NULL, pages * HUGE, prot, flags, fd, at * HUGE);

	MUST(p != MAP_FAILED);
	return p;
}

static unsigned char *map_anon(size_t pages, int flags)
{
	return map(pages, RW, MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

/* In the first, the middle and the last of its small pages. */
static void put(unsigned char *p, int seed)
{
	size_t at;

	for (at = 0; at < HUGE; at += (HUGE - PAGE) / 2) {
		at &= ~(PAGE - 1);
		*(int *)(p + at) = seed + at;
		p[at + PAGE - 1] = seed;
	}
}

/* There and nowhere else. */
static bool has(unsigned char *p, int seed)
{
	static unsigned char want[HUGE];

	memset(want, 0, HUGE);
	put(want, seed);
	return !memcmp(p, want, HUGE);
}

static bool is_zero(unsigned char *p)
{
	return !*p && !memcmp(p, p + 1, HUGE - 1);
}

/* Huge pages that are mapped: bit n for page n. */
static unsigned int pages_of(unsigned char *p, int nr)
{
	unsigned int bits = 0;
	unsigned char in;
	int i;

	for (i = 0; i < nr; i++) {
		MUST(!mincore(p + i * HUGE, PAGE, &in));
		bits |= (in & 1) << i;
	}
	return bits;
}

/* Bytes that a file has pages for, in huge pages. */
static int blocks_of(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_blocks * 512 / HUGE;
}

static int size_of(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st) && !(st.st_size % HUGE));
	return st.st_size / HUGE;
}

/* Page 1 is written, 3 is zero, 5 is one that was only read. */
static void set_private(void)
{
	mem = map_anon(6, MAP_PRIVATE);
	put(mem + HUGE, 1);
	__atomic_store_n(mem + 3 * HUGE, 0, __ATOMIC_RELAXED);
	MUST(!__atomic_load_n(mem + 5 * HUGE, __ATOMIC_RELAXED));
	MUST(pages_of(mem, 6) == 0x2a);
}

static void check_private(void)
{
	MUST(pages_of(mem, 6) == 0x2a);
	MUST(has(mem + HUGE, 1) && is_zero(mem + 3 * HUGE));
	MUST(is_zero(mem) && is_zero(mem + 5 * HUGE));
	put(mem + 3 * HUGE, 3);
	put(mem + 4 * HUGE, 4);
	put(mem + HUGE, 5);
	MUST(has(mem + 3 * HUGE, 3) && has(mem + 4 * HUGE, 4) && has(mem + HUGE, 5));
	MUST(!munmap(mem + HUGE, 2 * HUGE));
	MUST(has(mem + 3 * HUGE, 3));
}

static void set_noreserve(void)
{
	mem = map_anon(1000, MAP_PRIVATE | MAP_NORESERVE | MAP_HUGE_2MB);
	put(mem + HUGE, 1);
	put(mem + 900 * HUGE, 2);
}

static void check_noreserve(void)
{
	MUST(pages_of(mem, 3) == 2);
	MUST(has(mem + HUGE, 1) && has(mem + 900 * HUGE, 2));
}

/* Parts with other rights, other advice, with a gap between them. */
static void set_parts(void)
{
	mem = map_anon(8, MAP_PRIVATE);
	put(mem, 1);
	put(mem + 2 * HUGE, 2);
	put(mem + 4 * HUGE, 3);
	MUST(!mprotect(mem, HUGE, PROT_READ));
	MUST(!munmap(mem + HUGE, HUGE));
	MUST(!mprotect(mem + 2 * HUGE, HUGE, PROT_NONE));
	MUST(!madvise(mem + 4 * HUGE, HUGE, MADV_DONTFORK));
	MUST(!madvise(mem + 5 * HUGE, HUGE, MADV_DONTDUMP));
	MUST(!madvise(mem + 6 * HUGE, HUGE, MADV_SEQUENTIAL));
	MUST(!mlock(mem + 4 * HUGE, HUGE));
}

static void check_parts(void)
{
	MUST(mm_fault((char *)mem, true) && !mm_fault((char *)mem, false));
	MUST(mm_fault((char *)mem + HUGE, false));
	MUST(mm_fault((char *)mem + 2 * HUGE, false));
	MUST(has(mem, 1) && has(mem + 4 * HUGE, 3));
	MUST(!mprotect(mem + 2 * HUGE, HUGE, RW));
	MUST(has(mem + 2 * HUGE, 2));
	put(mem + 2 * HUGE, 4);
	MUST(has(mem + 2 * HUGE, 4));
}

/* Two mappings of one object. */
static void set_shared(void)
{
	mem = map_anon(5, MAP_SHARED);
	put(mem, 1);
	put(mem + 4 * HUGE, 2);
	MUST(!munmap(mem + 2 * HUGE, HUGE));
}

static void check_shared(void)
{
	MUST(has(mem, 1) && has(mem + 4 * HUGE, 2));
	MUST(is_zero(mem + HUGE) && is_zero(mem + 3 * HUGE));
}

static void child_writes(void)
{
	char byte;

	MUST(read(fd, &byte, 1) == 1);
	MUST(has(mem, 1) && has(mem + 2 * HUGE, 3));
	put(mem + HUGE, 2);
}

/* Memory in common with a child. */
static void set_family(void)
{
	int ends[2];

	mem = map_anon(4, MAP_SHARED | MAP_NORESERVE);
	put(mem, 1);
	MUST(!pipe(ends));
	fd = ends[0];
	other = ends[1];
	child = start_child(child_writes, SYS_read);
}

static void check_family(void)
{
	put(mem + 2 * HUGE, 3);
	MUST(write(other, "", 1) == 1);
	collect(child, GOOD);
	MUST(has(mem + HUGE, 2));
}

/* By three open files, mapped from two offsets and in private. */
static void set_memfd(void)
{
	char path[64];

	fd = memfd_create("of huge pages", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	MUST(fd >= 0 && !ftruncate(fd, 5 * HUGE));
	mem = map(5, RW, MAP_SHARED, fd, 0);
	put(mem + HUGE, 1);
	put(mem + 3 * HUGE, 2);
	again = map(2, PROT_READ, MAP_SHARED, fd, 3);
	third = map(2, RW, MAP_PRIVATE, fd, 1);
	put(third, 3);
	MUST(!fallocate(fd, 0, 4 * HUGE, HUGE));
	MUST(lseek(fd, 1234, SEEK_SET) == 1234);
	MUST(dup2(fd, 20) == 20 && !fchmod(fd, 0640));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	open_as(21, path, O_RDONLY);
}

static void check_memfd(void)
{
	struct stat st, same;
	int word;

	MUST(!strcmp(fd_name(fd), "/memfd:of huge pages (deleted)"));
	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC && !fcntl(20, F_GETFD));
	MUST(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	MUST(!fstat(fd, &st) && !fstat(21, &same) && st.st_ino == same.st_ino);
	MUST((st.st_mode & 07777) == 0640 && st.st_blksize == HUGE);
	MUST(size_of(fd) == 5 && blocks_of(fd) == 3);
	MUST(lseek(20, 0, SEEK_CUR) == 1234);
	MUST(has(mem + HUGE, 1) && has(mem + 3 * HUGE, 2) && has(third, 3));
	MUST(pread(21, &word, 4, 3 * HUGE) == 4 && word == 2);
	put(mem + 4 * HUGE, 4);
	MUST(has(again, 2) && has(again + HUGE, 4) && blocks_of(fd) == 3);
	put(mem + 2 * HUGE, 5);
	MUST(has(third + HUGE, 5) && blocks_of(fd) == 4);
	put(third, 6);
	MUST(has(mem + HUGE, 1) && has(third, 6));
}

/* Its own page, in a mapping that is not to write, over one of the file. */
static void set_unshared(void)
{
	fd = memfd_create("unshared", MFD_HUGETLB);
	MUST(fd >= 0 && !ftruncate(fd, 3 * HUGE));
	mem = map(3, RW, MAP_SHARED | MAP_NORESERVE, fd, 0);
	put(mem, 1);
	put(mem + HUGE, 2);
	again = map(3, RW, MAP_PRIVATE, fd, 0);
	put(again, 3);
	MUST(!mprotect(again, 3 * HUGE, PROT_READ));
}

static void check_unshared(void)
{
	MUST(has(mem, 1) && has(again, 3) && has(again + HUGE, 2));
	MUST(blocks_of(fd) == 2);
	put(mem + HUGE, 4);
	MUST(has(again + HUGE, 4));
	MUST(!mprotect(again, 3 * HUGE, RW));
	put(again, 5);
	MUST(has(again, 5) && has(mem, 1));
}

#define SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static void set_sealed(void)
{
	fd = memfd_create("sealed", MFD_HUGETLB | MFD_ALLOW_SEALING);
	MUST(fd >= 0 && !ftruncate(fd, 2 * HUGE));
	mem = map(2, RW, MAP_SHARED, fd, 0);
	put(mem, 1);
	MUST(!munmap(mem, 2 * HUGE));
	MUST(!fcntl(fd, F_ADD_SEALS, SEALS));
	mem = map(1, PROT_READ, MAP_SHARED, fd, 0);
}

static void check_sealed(void)
{
	MUST(fcntl(fd, F_GET_SEALS) == SEALS && has(mem, 1));
	MUST(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED);
	MUST(ftruncate(fd, HUGE) < 0 && errno == EPERM);
	MUST(ftruncate(fd, 3 * HUGE) < 0 && errno == EPERM);
}

/* Who maps it already may write. */
static void set_future(void)
{
	fd = memfd_create("future", MFD_HUGETLB | MFD_ALLOW_SEALING);
	MUST(fd >= 0 && !ftruncate(fd, HUGE));
	mem = map(1, RW, MAP_SHARED, fd, 0);
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	again = map(1, PROT_READ, MAP_SHARED, fd, 0);
}

static void check_future(void)
{
	MUST(fcntl(fd, F_GET_SEALS) == F_SEAL_FUTURE_WRITE);
	put(mem, 1);
	MUST(has(again, 1));
	MUST(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY);
	MUST(!munmap(mem, HUGE) && !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

/* What was mapped once is in reserve for the file. */
static void set_reserved(void)
{
	fd = memfd_create("reserved", MFD_HUGETLB);
	MUST(fd >= 0 && !ftruncate(fd, 8 * HUGE));
	mem = map(2, RW, MAP_SHARED, fd, 1);
	MUST(!munmap(mem, 2 * HUGE));
	mem = map(2, RW, MAP_SHARED, fd, 5);
	put(mem, 1);
	MUST(!munmap(mem, 2 * HUGE));
}

static void check_reserved(void)
{
	mem = map(8, RW, MAP_SHARED | MAP_NORESERVE, fd, 0);
	MUST(blocks_of(fd) == 1 && has(mem + 5 * HUGE, 1));
}

/* Mapped beyond its end. */
static void set_truncated(void)
{
	fd = memfd_create("truncated", MFD_HUGETLB);
	mem = map(3, RW, MAP_SHARED, fd, 0);
	MUST(size_of(fd) == 3);
	put(mem, 1);
	put(mem + HUGE, 2);
	MUST(!ftruncate(fd, HUGE));
}

static void check_truncated(void)
{
	MUST(size_of(fd) == 1 && has(mem, 1));
	MUST(mm_fault((char *)mem + HUGE, false));
	MUST(!ftruncate(fd, 3 * HUGE) && is_zero(mem + HUGE));
}

/* Declared broken, in mappings of all kinds; what is mapped is as it was. */
static void set_poisoned(void)
{
	fd = memfd_create("poisoned", MFD_HUGETLB);
	MUST(fd >= 0 && !ftruncate(fd, 3 * HUGE));
	again = map(3, RW, MAP_SHARED, fd, 0);
	put(again, 1);
	put(again + HUGE, 2);
	mem = map(3, RW, MAP_SHARED, fd, 0);
	third = map_anon(3, MAP_PRIVATE);
	put(third, 3);
	MUST(ckpt_poison(mem + HUGE, 2 * HUGE));
	MUST(ckpt_poison(third + 2 * HUGE, HUGE));
}

static void check_poisoned(void)
{
	MUST(has(mem, 1) && has(again, 1) && has(again + HUGE, 2) && has(third, 3));
	MUST(mm_fault((char *)mem + HUGE, false) == SIGBUS);
	MUST(mm_fault((char *)mem + 3 * HUGE - 1, true) == SIGBUS);
	MUST(mm_fault((char *)third + 2 * HUGE, true) == SIGBUS);
	MUST(is_zero(third + HUGE) && is_zero(again + 2 * HUGE));
	MUST(!madvise(mem + HUGE, HUGE, MADV_DONTNEED) && has(mem + HUGE, 2));
}

/*
 * Page 0 is in common after fork(), 1 the parent has written to since, 2 the child,
 * 3 nobody has. Small pages stand between them in the image.
 */
static void child_of_fork(void)
{
	char byte;

	MUST(read(fd, &byte, 1) == 1);
	MUST(has(mem, 1) && has(mem + HUGE, 3) && has(mem + 2 * HUGE, 6));
	put(mem, 4);
	MUST(has(mem, 4));
}

static void grow_child_of_fork(void)
{
	put(mem + 2 * HUGE, 6);
	child_of_fork();
}

static void set_fork(void)
{
	int ends[2];

	mem = map_anon(4, MAP_PRIVATE);
	put(mem, 1);
	put(mem + HUGE, 3);
	put(mem + 2 * HUGE, 5);
	MUST(!pipe(ends));
	fd = ends[0];
	other = ends[1];
}

static void set_forked(void)
{
	set_fork();
	child = start_child(grow_child_of_fork, SYS_read);
	put(mem + HUGE, 2);
}

static void check_forked(void)
{
	MUST(write(other, "", 1) == 1);
	collect(child, GOOD);
	MUST(has(mem, 1) && has(mem + HUGE, 2) && has(mem + 2 * HUGE, 5));
	put(mem, 7);
	MUST(has(mem, 7));
}

/* The child has it somewhere else, and may not write to one of it. */
static void moved_child_of_fork(void)
{
	unsigned char *to = map_anon(4, MAP_PRIVATE | MAP_NORESERVE);

	MUST(mremap(mem, 4 * HUGE, 4 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	mem = to;
	put(mem + 2 * HUGE, 6);
	MUST(!mprotect(mem + HUGE, HUGE, PROT_READ));
	child_of_fork();
	MUST(mm_fault((char *)mem + HUGE, true) == SIGSEGV);
}

static void set_moved(void)
{
	set_fork();
	child = start_child(moved_child_of_fork, SYS_read);
	put(mem + HUGE, 2);
}

static void check_moved(void)
{
	check_forked();
}

/* A child and its child, who both have what their parent wrote to; it left a page. */
static void older_child_of_fork(void)
{
	pid_t pid = start_child(child_of_fork, SYS_read);
	char byte;

	MUST(read(fd, &byte, 1) == 1 && has(mem, 1));
	put(mem + 2 * HUGE, 8);
	collect(pid, GOOD);
	MUST(has(mem, 1) && has(mem + 2 * HUGE, 8));
}

static void set_generations(void)
{
	set_fork();
	put(mem + 2 * HUGE, 6);
	child = start_child(older_child_of_fork, SYS_read);
	put(mem + HUGE, 2);
	put(mem + 2 * HUGE, 5);
	MUST(!munmap(mem + 3 * HUGE, HUGE));
}

static void check_generations(void)
{
	MUST(write(other, "ab", 2) == 2);
	collect(child, GOOD);
	MUST(has(mem, 1) && has(mem + HUGE, 2) && has(mem + 2 * HUGE, 5));
}

/* A file that a path leads to: it is where it was. */
static void set_path(void)
{
	fd = open(DIRECTORY "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && !ftruncate(fd, 3 * HUGE));
	mem = map(3, RW, MAP_SHARED, fd, 0);
	put(mem + HUGE, 1);
	again = map(2, RW, MAP_PRIVATE, fd, 1);
	put(again, 2);
}

static void check_path(void)
{
	MUST(!strcmp(fd_name(fd), DIRECTORY "/file"));
	MUST(size_of(fd) == 3 && blocks_of(fd) == 1);
	MUST(has(mem + HUGE, 1) && has(again, 2));
}

static void set_unlinked(void)
{
	set_path();
	MUST(!unlink(DIRECTORY "/file"));
}

static void set_sysv(void)
{
	int id = shmget(IPC_PRIVATE, HUGE, IPC_CREAT | SHM_HUGETLB | 0600);

	MUST(id >= 0);
	mem = shmat(id, NULL, 0);
	MUST(mem != (void *)-1 && !shmctl(id, IPC_RMID, NULL));
}

static void on_error(int sig)
{
}

/* The second of three is lost as a whole. */
static void set_lost(void)
{
	struct sigaction sa = { .sa_handler = on_error };

	mem = map_anon(3, MAP_PRIVATE);
	put(mem, 1);
	put(mem + HUGE, 2);
	put(mem + 2 * HUGE, 3);
	MUST(!sigaction(SIGBUS, &sa, NULL));
	MUST(!madvise(mem + HUGE + 5 * PAGE, PAGE, MADV_HWPOISON));
	sa.sa_handler = SIG_DFL;
	MUST(!sigaction(SIGBUS, &sa, NULL));
}

static void check_lost(void)
{
	MUST(has(mem, 1) && has(mem + 2 * HUGE, 3));
	MUST(mm_fault((char *)mem + HUGE, false) == SIGBUS);
}

static void nothing(void)
{
}

/* ---- in the test ---------------------------------------------------------------- */

struct pool {
	long total, free, reserved;
};

static long pool_was;

static struct pool pool_now(void)
{
	static const char file[] = "/proc/meminfo";

	return (struct pool) {
		mm_value(file, "HugePages_Total:"),
		mm_value(file, "HugePages_Free:"),
		mm_value(file, "HugePages_Rsvd:"),
	};
}

static bool pool_is(const struct pool *want)
{
	struct pool is;
	int i;

	/* What has exited lets go of the last a moment later. */
	for (i = 0; i < 1000; i++) {
		is = pool_now();
		if (!memcmp(&is, want, sizeof(is)))
			return true;
		ckpt_sleep_ms(2);
	}
	printf("# pool %ld, %ld free, %ld reserved, not %ld, %ld, %ld\n",
	       is.total, is.free, is.reserved, want->total, want->free,
	       want->reserved);
	return false;
}

static bool pool_set(int nr)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nr);
	if (!ckpt_write_text(POOL, text))
		return false;
	if (pool_now().total == nr)
		return true;
	/* Memory lies in pieces. */
	ckpt_write_text("/proc/sys/vm/drop_caches", "3");
	ckpt_write_text("/proc/sys/vm/compact_memory", "1");
	return ckpt_write_text(POOL, text) && pool_now().total == nr;
}

/*
 * The mappings of huge pages: addresses, page size, flags, and of private ones
 * the pages, own and in common.
 */
static const char *mappings_of(pid_t pid, char *text, size_t size)
{
	char path[64], line[512], one[1024] = "";
	bool is_private = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	*text = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long from, to, off;
		char perms[8];

		if (sscanf(line, "%lx-%lx %7s %lx", &from, &to, perms, &off) == 4) {
			sprintf(one, "%lx-%lx %s %lx\n", from, to, perms, off);
			is_private = perms[3] == 'p';
		} else if (!strncmp(line, "KernelPageSize:", 15)) {
			strcat(one, line);
		} else if (is_private && (!strncmp(line, "Shared_Hugetlb:", 15) ||
					  !strncmp(line, "Private_Hugetlb:", 16))) {
			strcat(one, line);
		} else if (!strncmp(line, "VmFlags:", 8) && strstr(line, " ht")) {
			strncat(text, one, size - strlen(text) - 1);
			strncat(text, line, size - strlen(text) - 1);
		}
	}
	if (f)
		fclose(f);
	return text;
}

struct saved {
	char maps[8192];
	struct pool empty, pool;
};

static void begin_huge(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	pool_was = pool_now().total;
	if (!pool_set(POOL_SIZE))
		SKIP(return, "there are no %d huge pages to be had", POOL_SIZE);
}

static void end_huge(pid_t pid)
{
	end_tree(pid);
	while (!umount2(DIRECTORY, MNT_DETACH))
		;
	pool_set(pool_was);
}

PROGRAM_FIXTURE(hugetlb, begin_huge, end_huge);

FIXTURE_VARIANT(hugetlb)
{
	struct program program;
};

#define PROGRAM(name)					\
FIXTURE_VARIANT_ADD(hugetlb, name)			\
{							\
	.program = { set_##name, check_##name },	\
}

PROGRAM(private);
PROGRAM(noreserve);
PROGRAM(parts);
PROGRAM(shared);
PROGRAM(family);
PROGRAM(memfd);
PROGRAM(unshared);
PROGRAM(sealed);
PROGRAM(future);
PROGRAM(reserved);
PROGRAM(truncated);
PROGRAM(poisoned);
PROGRAM(forked);
PROGRAM(moved);
PROGRAM(generations);

/* What it has of the pool and its mappings are as they were. */
static void is_as_before(struct __test_metadata *_metadata, pid_t pid,
			 struct saved *s)
{
	char maps[8192];

	EXPECT_TRUE(pool_is(&s->pool));
	EXPECT_STREQ(s->maps, mappings_of(pid, maps, sizeof(maps)));
}

TEST_F(hugetlb, comes_back)
{
	static struct saved s;
	long more;

	s.empty = pool_now();
	self->pid = start_program(_metadata, &variant->program);
	mappings_of(self->pid, s.maps, sizeof(s.maps));
	s.pool = pool_now();
	EXPECT_NE(0, memcmp(&s.empty, &s.pool, sizeof(s.pool)));

	kill_tree(_metadata, self->pid);
	EXPECT_TRUE(pool_is(&s.empty));
	self->pid = restart_image("");
	ASSERT_LT(0, self->pid);
	is_as_before(_metadata, self->pid, &s);
	restart_again(_metadata, &self->pid);
	is_as_before(_metadata, self->pid, &s);
	/* In a pool that has these pages and no more. */
	kill_tree(_metadata, self->pid);
	more = s.pool.free - s.pool.reserved;
	ASSERT_TRUE(pool_set(POOL_SIZE - more));
	self->pid = restart_image("");
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(pool_set(POOL_SIZE));
	is_as_before(_metadata, self->pid, &s);
	ends_well(_metadata, &self->pid);
	EXPECT_TRUE(pool_is(&s.empty));
}

TEST_F(hugetlb, looks_the_same)
{
	program_looks_the_same(_metadata, &self->pid, &variant->program);
}

TEST_F(hugetlb, goes_on)
{
	struct pool empty = pool_now();

	program_goes_on(_metadata, &self->pid, &variant->program);
	EXPECT_TRUE(pool_is(&empty));
}

/* ---- hardware errors -------------------------------------------------------------- */

PROGRAM_FIXTURE(lost, begin_huge, end_huge);

/* Shared memory would keep the page in the pool, for tests to come. */
TEST_F(lost, is_refused)
{
	static const struct program program = { set_lost, check_lost };
	static const char *const words[] = {
		"address", "the memory is broken (hardware error)", NULL
	};
	struct pool pool = pool_now();

	self->pid = start_program(_metadata, &program);
	EXPECT_EQ(-EIO, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
	pool.total--;
	pool.free--;
	EXPECT_TRUE(pool_is(&pool));
}

/* ---- pages in common that cannot be ----------------------------------------------- */

#define HUGE_PAGES	(HUGE / PAGE)

PROGRAM_FIXTURE(bad, begin_huge, end_huge);

/* And small pages, where a huge one would have room. */
#define SMALL		0x30000000UL

static void set_with_small(void)
{
	set_forked();
	again = mmap((void *)SMALL, HUGE, RW,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MUST(again == (void *)SMALL);
	memset(again, 'x', HUGE);
}

TEST_F(bad, runs)
{
	static const struct program program = { set_with_small, check_forked };
	struct pool empty = pool_now();
	struct ckpt_rec_cow *rec;
	struct ckpt_cow_run *run, was;
	unsigned int i, nr;

	self->pid = start_program(_metadata, &program);
	kill_tree(_metadata, self->pid);
	self->pid = 0;
	ASSERT_TRUE(open_image());
	for (nr = 0; (rec = find_record(CKPT_REC_COW, nr)); nr++) {
		run = (void *)((char *)rec + rec->h.fixed);
		for (i = 0; i < rec->nr_runs; i++)
			if (run[i].nr == HUGE_PAGES)
				break;
		if (i < rec->nr_runs)
			break;
	}
	ASSERT_TRUE(!!rec);
	run += i;
	was = *run;

	const struct {
		const char *what;
		uint64_t start, from;
		uint32_t nr;
		const char *words;
	} bad[] = {
		{ "part of one", was.start, was.from, HUGE_PAGES - 1, "not all of one" },
		{ "from its second page on", was.start + 1, was.from + 1,
		  HUGE_PAGES - 1, "not all of one" },
		{ "from the middle of one", was.start, was.from + 1, HUGE_PAGES,
		  "not all of one" },
		{ "one and a half", was.start, was.from, HUGE_PAGES * 3 / 2, "" },
		{ "a page that is not there", was.start, was.from + 3 * HUGE_PAGES,
		  HUGE_PAGES, "cannot be that at" },
		{ "to one that it has", was.start + 2 * HUGE_PAGES, was.from,
		  HUGE_PAGES, "" },
		{ "small ones", was.start, SMALL / PAGE, HUGE_PAGES, "not of one size" },
		{ "to small ones", SMALL / PAGE, was.from, HUGE_PAGES, "" },
	};

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		run->start = bad[i].start;
		run->from = bad[i].from;
		run->nr = bad[i].nr;
		seal(rec);
		expect_bad(_metadata, bad[i].what, bad[i].words);
		EXPECT_TRUE(pool_is(&empty));
	}
	close_image();
}

/* Families are a hint: a wrong one costs a page. */
TEST_F(bad, no_families)
{
	static const struct program program = { set_forked, check_forked };
	struct pool empty = pool_now(), pool;
	struct ckpt_rec_vma *vma;
	int i;

	self->pid = start_program(_metadata, &program);
	pool = pool_now();
	kill_tree(_metadata, self->pid);
	ASSERT_TRUE(open_image());
	for (i = 0; (vma = find_record(CKPT_REC_VMA, i)); i++) {
		if (!(vma->flags & CKPT_VMA_HUGETLB))
			continue;
		EXPECT_NE(0, vma->family);
		vma->family = 0;
		seal(vma);
	}
	close_image();
	self->pid = restart_image("");
	ASSERT_LT(0, self->pid);
	pool.free--;
	EXPECT_TRUE(pool_is(&pool));
	ends_well(_metadata, &self->pid);
	EXPECT_TRUE(pool_is(&empty));
}

/* ---- a pool that is too small ---------------------------------------------------- */

PROGRAM_FIXTURE(too_few, begin_huge, end_huge);

FIXTURE_VARIANT(too_few)
{
	struct program program;
	int takes;
};

#define TOO_FEW(name, nr)				\
FIXTURE_VARIANT_ADD(too_few, name)			\
{							\
	.program = { set_##name, check_##name },	\
	.takes = nr,					\
}

TOO_FEW(private, 6);
TOO_FEW(noreserve, 2);
TOO_FEW(shared, 5);
TOO_FEW(reserved, 4);

TEST_F(too_few, says_how_many)
{
	char want[128];
	const char *const words[] = { want, "vm.nr_hugepages", NULL };
	struct pool small;
	pid_t pid;

	self->pid = start_program(_metadata, &variant->program);
	ckpt_save_and_kill(_metadata, self->pid);
	pid = self->pid;
	self->pid = 0;
	ASSERT_TRUE(pool_set(variant->takes - 1));
	small = pool_now();
	snprintf(want, sizeof(want),
		 "%d huge pages of 2048 kB are wanted, %d are free: have at least 1 more",
		 variant->takes, variant->takes - 1);
	EXPECT_EQ(-ENOMEM, ckpt_restart(CKPT_IMG, pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(pool_is(&small));

	ASSERT_TRUE(pool_set(POOL_SIZE));
	self->pid = pid;
	bring_back(_metadata, pid);
	ends_well(_metadata, &self->pid);
}

/* ---- an image that is damaged ----------------------------------------------------- */

PROGRAM_FIXTURE(damaged, begin_huge, end_huge);

FIXTURE_VARIANT(damaged)
{
	struct program program;
};

FIXTURE_VARIANT_ADD(damaged, private) {
	.program = { set_private, check_private },
};

FIXTURE_VARIANT_ADD(damaged, memfd) {
	.program = { set_memfd, check_memfd },
};

/* Nothing of what was made before that was found is left. */
TEST_F(damaged, gives_back)
{
	struct pool empty = pool_now();
	struct stat st;
	int img;
	char byte;

	self->pid = start_program(_metadata, &variant->program);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, stat(CKPT_IMG, &st));
	img = open(CKPT_IMG, O_RDWR | O_CLOEXEC);
	/* In the tail, which is read last. */
	ASSERT_EQ(1, pread(img, &byte, 1, st.st_size - 20));
	byte ^= 1;
	ASSERT_EQ(1, pwrite(img, &byte, 1, st.st_size - 20));
	EXPECT_GT(0, ckpt_restart(CKPT_IMG, self->pid));
	EXPECT_TRUE(pool_is(&empty));
	byte ^= 1;
	ASSERT_EQ(1, pwrite(img, &byte, 1, st.st_size - 20));
	close(img);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
	EXPECT_TRUE(pool_is(&empty));
}

/* ---- hugetlbfs, SysV --------------------------------------------------------------- */

FIXTURE(mounted)
{
	pid_t pid;
};

FIXTURE_SETUP(mounted)
{
	begin_huge(_metadata);
	mkdir(DIRECTORY, 0755);
	ASSERT_EQ(0, mount("t", DIRECTORY, "hugetlbfs", 0, "mode=0755"));
}

FIXTURE_TEARDOWN(mounted)
{
	end_huge(self->pid);
}

TEST_F(mounted, file_is_found_again)
{
	static const struct program p = { set_path, check_path };

	program_comes_back(_metadata, &self->pid, &p);
}

TEST_F(mounted, deleted_is_refused)
{
	static const struct program p = { set_unlinked, nothing };
	static const char *const words[] = {
		DIRECTORY "/file", "was deleted; what was deleted cannot be saved yet",
		NULL
	};

	is_refused(_metadata, &self->pid, &p, words);
}

TEST_F(mounted, sysv_is_refused)
{
	static const struct program p = { set_sysv, nothing };
	static const char *const words[] = {
		"/SYSV", "shm_file_operations_huge", NULL
	};

	is_refused(_metadata, &self->pid, &p, words);
}

TEST_HARNESS_MAIN
