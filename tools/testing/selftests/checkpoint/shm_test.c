// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that only its users lead to: shared anonymous mappings and memfds.
 * Contents, holes, seals, names, and who has them in common.
 */
#define _FILE_OFFSET_BITS 64
#include <sys/prctl.h>
#include "tree_program.h"
#include "maps.h"
#include "look.h"
#include "pressure.h"

#define RW		(PROT_READ | PROT_WRITE)
#define TERA		(1LL << 40)
/* What the kernel shows, whatever the library calls it. */
#define LARGEFILE	0100000

/* Missing from older libraries. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x8U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC	0x10U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x20
#endif

/* ---- in the program ---------------------------------------------------------- */

static int fd, other;
static pid_t child;
static unsigned char *mem, *again;

static unsigned char *map(size_t len, int prot, int flags, int fd, off_t at)
{
	void *p = mmap(NULL, len, prot, flags, fd, at);

	MUST(p != MAP_FAILED);
	return p;
}

static void put(unsigned char *p, off_t at)
{
	int i;

	for (i = 0; i < PAGE; i++)
		p[i] = pattern(at + i);
}

static bool has(const unsigned char *p, off_t at)
{
	int i;

	for (i = 0; i < PAGE && p[i] == pattern(at + i); i++)
		;
	return i == PAGE;
}

/* Pages of the object that are there: bit n for page n. */
static unsigned int pages_of(void *p, int nr)
{
	unsigned char in[32];
	unsigned int bits = 0;
	int i;

	MUST(!mincore(p, nr * PAGE, in));
	for (i = 0; i < nr; i++)
		bits |= (in[i] & 1) << i;
	return bits;
}

/* Is there a line of /proc/self/maps for @p with @text? */
static bool maps_say(void *p, const char *text)
{
	char line[512], start[32];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "r");

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)p);
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, start, strlen(start)))
			found = strstr(line, text);
	fclose(f);
	return found;
}

static bool fd_is(int fd, const char *name)
{
	return !strcmp(fd_name(fd), name);
}

static off_t size_of(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_size;
}

static void nothing(void)
{
}

/* ---- shared anonymous memory ------------------------------------------------------ */

/* Pages 1, 4 and 6 of eight; 4 is zero, and read only is not there. */
static void fill_anon(void)
{
	volatile unsigned char *p = mem;

	put(mem + PAGE, PAGE);
	p[4 * PAGE] = 0;
	put(mem + 6 * PAGE, 6 * PAGE);
	MUST(pages_of(mem, 8) == 0x52);
}

static void check_filled(void)
{
	MUST(pages_of(mem, 8) == 0x52);
	MUST(has(mem + PAGE, PAGE) && has(mem + 6 * PAGE, 6 * PAGE));
	MUST(!memcmp(mem + 4 * PAGE, mem, PAGE));
	MUST(maps_say(mem, "rw-s 00000000"));
	MUST(maps_say(mem, " /dev/zero (deleted)\n"));
}

static void set_anon(void)
{
	mem = map(8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill_anon();
}

static void check_anon(void)
{
	check_filled();
	mem[2 * PAGE] = 1;
	MUST(pages_of(mem, 8) == 0x57);
}

static void set_noreserve(void)
{
	mem = map(8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	fill_anon();
}

static void set_zero(void)
{
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

	mem = map(8 * PAGE, RW, MAP_SHARED, zero, 0);
	close(zero);
	fill_anon();
}

/* A second mapping of part of it, with another offset. */
static void set_twice(void)
{
	set_anon();
	again = mremap(mem + 4 * PAGE, 0, 4 * PAGE, MREMAP_MAYMOVE);
	MUST(again != MAP_FAILED);
}

static void check_twice(void)
{
	check_filled();
	MUST(maps_say(again, "rw-s 00004000"));
	MUST(has(again + 2 * PAGE, 6 * PAGE));
	put(again + PAGE, 77);
	MUST(has(mem + 5 * PAGE, 77));
	put(mem + 7 * PAGE, 78);
	MUST(has(again + 3 * PAGE, 78));
}

/* What nobody maps is there all the same. */
static void set_unmapped(void)
{
	set_anon();
	again = mremap(mem, 0, PAGE, MREMAP_MAYMOVE);
	MUST(again != MAP_FAILED);
	MUST(!munmap(mem, 8 * PAGE));
}

static void check_unmapped(void)
{
	mem = mremap(again, PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	MUST(mem != MAP_FAILED);
	check_filled();
}

/* Parent and child say by turns what the other reads. */
#define TURNS	20

static void say(int turn)
{
	while (__atomic_load_n((int *)mem, __ATOMIC_ACQUIRE) != turn)
		sched_yield();
	put(mem + PAGE, turn + 1);
	__atomic_store_n((int *)mem, turn + 1, __ATOMIC_RELEASE);
}

static void hear(int turn)
{
	while (__atomic_load_n((int *)mem, __ATOMIC_ACQUIRE) != turn)
		sched_yield();
	MUST(has(mem + PAGE, turn));
}

static void child_says(void)
{
	char byte;
	int i;

	MUST(read(fd, &byte, 1) == 1);
	for (i = 0; i < TURNS; i += 2) {
		hear(i + 1);
		say(i + 1);
	}
}

static void set_family(void)
{
	int ends[2];

	set_anon();
	MUST(!pipe(ends));
	fd = ends[0];
	other = ends[1];
	child = start_child(child_says, SYS_read);
}

static void check_family(void)
{
	int i;

	check_filled();
	MUST(write(other, "", 1) == 1);
	for (i = 0; i < TURNS; i += 2) {
		say(i);
		hear(i + 2);
	}
	collect(child, GOOD);
}

static void set_read_only(void)
{
	set_anon();
	MUST(!mprotect(mem, 8 * PAGE, PROT_READ));
}

static void check_read_only(void)
{
	MUST(maps_say(mem, "r--s 00000000"));
	MUST(!mprotect(mem, 8 * PAGE, RW));
	check_filled();
}

static void set_large(void)
{
	off_t at;

	mem = map(5UL << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (at = 0; at < 5L << 20; at += PAGE)
		if (at / PAGE % 7)
			put(mem + at, at);
}

static void check_large(void)
{
	off_t at;

	for (at = 0; at < 5L << 20; at += PAGE) {
		MUST(pages_of(mem + at, 1) == !!(at / PAGE % 7));
		MUST(!(at / PAGE % 7) || has(mem + at, at));
	}
}

/* ---- memfd ------------------------------------------------------------------------- */

/* Read and written by three open files, of which two were opened by path. */
static void set_memfd(void)
{
	char path[64];

	fd = memfd_create("a name", MFD_CLOEXEC);
	MUST(fd >= 0 && !ftruncate(fd, 5 * PAGE + 100));
	mem = map(6 * PAGE, RW, MAP_SHARED, fd, 0);
	put(mem + 2 * PAGE, 5);
	MUST(pwrite(fd, "end", 3, 5 * PAGE + 97) == 3);
	MUST(lseek(fd, 1234, SEEK_SET) == 1234);
	MUST(dup2(fd, 20) == 20);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	open_as(21, path, O_RDONLY);
	open_as(22, path, O_WRONLY | O_APPEND | O_CLOEXEC);
	MUST(lseek(21, 99, SEEK_SET) == 99);
	MUST(!fchmod(fd, 0640));
	again = map(PAGE, RW, MAP_PRIVATE, fd, 2 * PAGE);
	again[7] = 99;
}

static void check_memfd(void)
{
	struct stat st, same;
	char buf[8];

	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC && !fcntl(20, F_GETFD));
	MUST(fd_is(fd, "/memfd:a name (deleted)") &&
	     fd_is(21, "/memfd:a name (deleted)"));
	MUST(maps_say(mem, " /memfd:a name (deleted)\n"));
	MUST((fcntl(fd, F_GETFL) & ~LARGEFILE) == O_RDWR);
	MUST((fcntl(21, F_GETFL) & ~LARGEFILE) == O_RDONLY);
	MUST((fcntl(22, F_GETFL) & ~LARGEFILE) == (O_WRONLY | O_APPEND));
	MUST(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	MUST(size_of(fd) == 5 * PAGE + 100);
	MUST(lseek(20, 0, SEEK_CUR) == 1234 && lseek(21, 0, SEEK_CUR) == 99);
	MUST(!fstat(fd, &st) && !fstat(22, &same) && st.st_ino == same.st_ino);
	MUST((st.st_mode & 07777) == 0640 && !st.st_nlink);
	MUST(pages_of(mem, 6) == 0x24 && has(mem + 2 * PAGE, 5));
	MUST(again[7] == 99 && again[8] == pattern(5 + 8));
	MUST(pread(21, buf, 8, 5 * PAGE + 97) == 3 && !memcmp(buf, "end", 3));
	MUST(mem[5 * PAGE + 100] == 0);
	/* One inode. */
	MUST(write(22, "more", 4) == 4);
	MUST(pread(21, buf, 8, 5 * PAGE + 97) == 7 && !memcmp(buf, "endmore", 7));
	MUST(lseek(fd, 4, SEEK_SET) == 4 && lseek(20, 0, SEEK_CUR) == 4);
}

static void set_sparse(void)
{
	fd = memfd_create("sparse", 0);
	MUST(fd >= 0 && !ftruncate(fd, TERA + 5));
	MUST(pwrite(fd, "far", 3, TERA / 2 + 5) == 3);
	MUST(pwrite(fd, "end", 3, TERA + 2) == 3);
}

static void check_sparse(void)
{
	char buf[4] = "";

	MUST(size_of(fd) == TERA + 5);
	MUST(lseek(fd, 0, SEEK_DATA) == TERA / 2);
	MUST(lseek(fd, TERA / 2, SEEK_HOLE) == TERA / 2 + PAGE);
	MUST(lseek(fd, TERA / 2 + PAGE, SEEK_DATA) == TERA);
	MUST(pread(fd, buf, 3, TERA / 2 + 5) == 3 && !strcmp(buf, "far"));
	MUST(pread(fd, buf, 4, TERA + 2) == 3 && !strcmp(buf, "end"));
}

static void set_empty(void)
{
	move_fd(memfd_create("", MFD_ALLOW_SEALING), 20, 0);
	fd = 20;
}

static void check_empty(void)
{
	MUST(!size_of(fd) && fd_is(fd, "/memfd: (deleted)"));
	MUST(fcntl(fd, F_GET_SEALS) == 0);
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	MUST(write(fd, "x", 1) < 0 && errno == EPERM);
}

#define SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void set_sealed(void)
{
	fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	MUST(fd >= 0 && write(fd, "sealed", 6) == 6);
	MUST(!fcntl(fd, F_ADD_SEALS, SEALS));
	mem = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

static void check_sealed(void)
{
	MUST(fcntl(fd, F_GET_SEALS) == SEALS);
	MUST(!memcmp(mem, "sealed", 7));
	MUST(mprotect(mem, PAGE, RW) < 0);
	MUST(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED);
	MUST(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	MUST(ftruncate(fd, 1) < 0 && errno == EPERM);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) < 0 && errno == EPERM);
}

/* It can still be sealed as if nothing had been: no writer is counted twice. */
static void set_unsealed(void)
{
	fd = memfd_create("unsealed", MFD_ALLOW_SEALING);
	MUST(fd >= 0 && write(fd, "sealed", 6) == 6);
	mem = map(PAGE, RW, MAP_SHARED, fd, 0);
}

static void check_unsealed(void)
{
	MUST(fcntl(fd, F_ADD_SEALS, SEALS) < 0 && errno == EBUSY);
	MUST(!munmap(mem, PAGE));
	MUST(!fcntl(fd, F_ADD_SEALS, SEALS));
	mem = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
	check_sealed();
}

/* Who maps it already may write. */
static void set_future(void)
{
	fd = memfd_create("future", MFD_ALLOW_SEALING);
	MUST(fd >= 0 && write(fd, "sealed", 6) == 6);
	mem = map(PAGE, RW, MAP_SHARED, fd, 0);
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	again = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

static void check_future(void)
{
	MUST(fcntl(fd, F_GET_SEALS) == F_SEAL_FUTURE_WRITE);
	mem[0] = 'h';
	MUST(!memcmp(again, "healed", 7));
	MUST(mprotect(again, PAGE, RW) < 0);
	MUST(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED);
	MUST(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	/* Of all mappings only the one that may write stands in the way. */
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY);
	MUST(!munmap(mem, PAGE) && !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

static void set_noexec(void)
{
	fd = memfd_create("noexec", MFD_NOEXEC_SEAL);
	MUST(fd >= 0 && write(fd, "data", 4) == 4);
}

static void check_noexec(void)
{
	struct stat st;

	MUST(fcntl(fd, F_GET_SEALS) == F_SEAL_EXEC);
	MUST(!fstat(fd, &st) && (st.st_mode & 0777) == 0666);
	MUST(fchmod(fd, 0777) < 0 && errno == EPERM);
}

/* Who has written it may execute it, with the descriptor still there. */
static void set_script(void)
{
	static const char script[] = "#!/bin/busybox true\n";

	fd = memfd_create("script", MFD_EXEC);
	MUST(fd >= 0 && write(fd, script, strlen(script)) == strlen(script));
}

static void check_script(void)
{
	static char *const argv[] = { "script", NULL }, *const envp[] = { NULL };
	int status;

	child = fork();
	if (!child) {
		fexecve(fd, argv, envp);
		_exit(errno);
	}
	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* The descriptor of the child and the mapping of the parent. */
static void child_writes(void)
{
	char byte;

	MUST(read(20, &byte, 1) == 1);
	MUST(pwrite(fd, "after", 5, 0) == 5);
}

static void set_shared_memfd(void)
{
	int ends[2];

	fd = memfd_create("shared", 0);
	MUST(fd >= 0 && write(fd, "before", 6) == 6 && !pipe2(ends, O_CLOEXEC));
	move_fd(ends[0], 20, 0);
	other = ends[1];
	child = start_child(child_writes, SYS_read);
	mem = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
	MUST(!close(fd));
}

static void check_shared_memfd(void)
{
	MUST(!memcmp(mem, "before", 6));
	MUST(write(other, "", 1) == 1);
	collect(child, GOOD);
	MUST(!memcmp(mem, "aftere", 6));
}

/* What a mapping shows behind the end of a file is no part of it. */
static void set_odd(void)
{
	fd = memfd_create("odd", 0);
	MUST(fd >= 0 && !ftruncate(fd, PAGE + 100));
	mem = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
	put(mem, 0);
	put(mem + PAGE, PAGE);
}

static void check_odd(void)
{
	unsigned char buf[2 * PAGE];
	int i;

	MUST(size_of(fd) == PAGE + 100);
	MUST(pread(fd, buf, sizeof(buf), 0) == PAGE + 100);
	for (i = 0; i < PAGE + 100; i++)
		MUST(mem[i] == pattern(i) && buf[i] == mem[i]);
}

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(shm, begin_tree, end_tree);

FIXTURE_VARIANT(shm)
{
	struct program program;
};

#define PROGRAM(name)	PROGRAM_OF(name, name)
#define PROGRAM_OF(set, check)			\
FIXTURE_VARIANT_ADD(shm, set)			\
{						\
	.program = { set_##set, check_##check },	\
}

PROGRAM(anon);
PROGRAM_OF(noreserve, anon);
PROGRAM_OF(zero, anon);
PROGRAM(twice);
PROGRAM(unmapped);
PROGRAM(family);
PROGRAM(read_only);
PROGRAM(large);
PROGRAM(memfd);
PROGRAM(sparse);
PROGRAM(empty);
PROGRAM(sealed);
PROGRAM(unsealed);
PROGRAM(future);
PROGRAM(noexec);
PROGRAM(script);
PROGRAM(shared_memfd);
PROGRAM(odd);

TEST_F(shm, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(shm, looks_the_same)
{
	program_looks_the_same(_metadata, &self->pid, &variant->program);
}

TEST_F(shm, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- swap ------------------------------------------------------------------------ */

FIXTURE(swap)
{
	pid_t pid;
};

FIXTURE_SETUP(swap)
{
	begin_tree(_metadata);
	ASSERT_TRUE(swap_on(8));
}

FIXTURE_TEARDOWN(swap)
{
	end_tree(self->pid);
	swap_off();
}

/* How much of the mapping at @p is in swap, in KiB. */
static long in_swap(void *p)
{
	char line[512], start[32];
	bool found = false;
	long kib = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)p);
	while (f && kib < 0 && fgets(line, sizeof(line), f)) {
		found |= !strncmp(line, start, strlen(start));
		if (found)
			sscanf(line, "Swap: %ld kB", &kib);
	}
	fclose(f);
	return kib;
}

/* It is on the disk when it is saved. */
static void set_swapped(void)
{
	again = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	put(again, 3);
	MUST(!madvise(again, PAGE, MADV_PAGEOUT));
	MUST(in_swap(again) == PAGE / 1024);
}

static void check_swapped(void)
{
	MUST(has(again, 3));
}

TEST_F(swap, comes_back)
{
	static const struct program p = { set_swapped, check_swapped };

	program_comes_back(_metadata, &self->pid, &p);
}

/* ---- what it costs, who else has it ------------------------------------------------ */

PROGRAM_FIXTURE(image, begin, end);

/* A terabyte of nothing is nothing. */
TEST_F(image, is_small)
{
	static const struct program p = { set_sparse, check_sparse };
	struct stat st;

	self->pid = start_program(_metadata, &p);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
	ASSERT_EQ(0, stat(CKPT_IMG, &st));
	EXPECT_GT(4 << 20, st.st_size);
	ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(outside, begin, end);

static void check_inherited(void)
{
	MUST(has(mem, 3));
}

/* Memory that we share is not parted from us without being asked. */
TEST_F(outside, shares_memory)
{
	static const struct program p = { nothing, check_inherited };
	const char *const words[] = {
		"/memfd:outside (deleted) in common with", "outside", NULL
	};

	fd = memfd_create("outside", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	mem = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	ASSERT_TRUE(mem != MAP_FAILED);
	close(fd);
	put(mem, 3);
	self->pid = start_program(_metadata, &p);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(self->pid, 0));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(0, ckpt_check(self->pid, CHECKPOINT_SUBTREE));
	munmap(mem, PAGE);
	ckpt_check(self->pid, 0);
	EXPECT_FALSE(ckpt_log_says(words));
	ends_well(_metadata, &self->pid);
}

#define CHANGING	1024

/* It was something, and is nobody else's now. */
static void check_parted(void)
{
	static unsigned char copy[CHANGING * PAGE];
	size_t i;

	memcpy(copy, mem, sizeof(copy));
	for (i = 0; i < CHANGING * PAGE; i += PAGE)
		MUST(copy[i + 1] == 1);
	usleep(10000);
	MUST(CKPT_LIVE || !memcmp(copy, mem, sizeof(copy)));
}

/* Somebody outside writes to it all the time: what is in the image agrees with itself. */
TEST_F(outside, writes_to_memory)
{
	static const struct program p = { nothing, check_parted };
	size_t i;
	pid_t writer;

	fd = memfd_create("changing", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(fd, CHANGING * PAGE));
	mem = mmap(NULL, CHANGING * PAGE, RW, MAP_SHARED, fd, 0);
	ASSERT_TRUE(mem != MAP_FAILED);
	close(fd);
	for (i = 0; i < CHANGING * PAGE; i++)
		mem[i] = 1;
	writer = fork();
	ASSERT_LE(0, writer);
	if (!writer)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!writer)
		for (i = 0; i < CHANGING * PAGE; i += 64)
			*(volatile unsigned char *)(mem + i) += 1;
	self->pid = start_program(_metadata, &p);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG,
			       CHECKPOINT_SUBTREE | CHECKPOINT_KILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	munmap(mem, CHANGING * PAGE);
}

/* By an open file of our own. */
TEST_F(outside, shares_inode)
{
	static const struct program p = { set_empty, check_empty };
	static const char *const words[] = {
		"shares its unnamed file with pid", "outside", NULL
	};
	char path[64];

	self->pid = start_program(_metadata, &p);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", self->pid, 20);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(self->pid, 0));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(fd);
	ckpt_check(self->pid, 0);
	EXPECT_FALSE(ckpt_log_says(words));
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
