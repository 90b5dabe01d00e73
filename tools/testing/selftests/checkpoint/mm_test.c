// SPDX-License-Identifier: GPL-2.0
/*
 * Every kind of memory comes back: the same mappings at the same addresses,
 * with the same contents, that go on to behave as they would have.
 *
 * A program makes something and stops. From outside it looks the same before
 * and after a checkpoint and after a restart; then it goes on and looks itself.
 */
#include "maps.h"
#include "poison.h"
#include "pressure.h"

#include <asm/prctl.h>
#include <linux/mempolicy.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define RW	(PROT_READ | PROT_WRITE)

/* What the program remembers while it is stopped. */
static char *mem, *mem2, *private;
static size_t nr;
static int file_fd;

static void nothing(void)
{
}

/* ---- anonymous memory ---------------------------------------------------- */

static void anon_make(void)
{
	size_t i;

	mem = mm_anon(64);
	mm_put(mem, 8);
	/* 8 to 15 are not touched, 16 to 23 only read. */
	MUST(mm_is_zero(mem + 16 * PAGE, 8));
	MUST(!munmap(mem + 24 * PAGE, 8 * PAGE));
	for (i = 32; i < 48; i += 3)
		mm_put(mem + i * PAGE, 1);
	mm_put(mem + 48 * PAGE, 8);
	MUST(!madvise(mem + 50 * PAGE, 4 * PAGE, MADV_DONTNEED));
	mm_put(mem + 56 * PAGE, 8);
	memset(mem + 57 * PAGE, 0, 6 * PAGE);
	/* All but one byte are zero. */
	mem[60 * PAGE + 4095] = 1;
}

static void anon_verify(void)
{
	size_t i;

	MUST(mm_is_put(mem, 8));
	MUST(mm_is_zero(mem + 8 * PAGE, 16));
	MUST(mm_fault(mem + 24 * PAGE, false) == SIGSEGV);
	MUST(mm_fault(mem + 32 * PAGE - 1, false) == SIGSEGV);
	for (i = 32; i < 48; i++)
		MUST(i % 3 == 32 % 3 ? mm_is_put(mem + i * PAGE, 1) :
				       mm_is_zero(mem + i * PAGE, 1));
	MUST(mm_is_put(mem + 48 * PAGE, 2));
	MUST(mm_is_zero(mem + 50 * PAGE, 4));
	MUST(mm_is_put(mem + 54 * PAGE, 3));
	MUST(mm_is_zero(mem + 57 * PAGE, 3));
	MUST(mem[60 * PAGE + 4095] == 1);
	mem[60 * PAGE + 4095] = 0;
	MUST(mm_is_zero(mem + 60 * PAGE, 3));
	MUST(mm_is_put(mem + 63 * PAGE, 1));
	/* All of it can be written, and no two pages are the same one. */
	mm_put(mem, 24);
	mm_put(mem + 32 * PAGE, 32);
	MUST(mm_is_put(mem, 24));
	MUST(mm_is_put(mem + 32 * PAGE, 32));
}

/* ---- files --------------------------------------------------------------- */

static void file_private_make(void)
{
	file_fd = mm_file(MM_FILE, 16 * PAGE);
	mem = mm_map_file(file_fd, 16, RW, MAP_PRIVATE, 0);
	MUST(mm_is_file(mem, 0, 4 * PAGE));
	mm_put(mem + 4 * PAGE, 2);
	/* Zeros, where the file has something else. */
	memset(mem + 6 * PAGE, 0, PAGE);
	mem[7 * PAGE] = 1;
	mm_put(mem + 8 * PAGE, 1);
	MUST(!madvise(mem + 8 * PAGE, PAGE, MADV_DONTNEED));
	/* Not from its beginning, and not to its end. */
	mem2 = mm_map_file(file_fd, 5, PROT_READ, MAP_PRIVATE, 3);
	close(file_fd);
}

static void file_private_verify(void)
{
	static char buf[16 * PAGE];
	int fd = open(MM_FILE, O_RDONLY);

	MUST(mm_is_file(mem, 0, 4 * PAGE));
	MUST(mm_is_put(mem + 4 * PAGE, 2));
	MUST(mm_is_zero(mem + 6 * PAGE, 1));
	MUST(mem[7 * PAGE] == 1);
	mem[7 * PAGE] = 7;
	MUST(mm_is_file(mem + 7 * PAGE, 7, PAGE));
	MUST(mm_is_file(mem + 8 * PAGE, 8, 8 * PAGE));
	MUST(mm_is_file(mem2, 3, 5 * PAGE));
	MUST(mm_fault(mem2, true) == SIGSEGV);
	/* Nothing of it gets into the file. */
	mm_put(mem, 16);
	MUST(pread(fd, buf, sizeof(buf), 0) == sizeof(buf));
	MUST(mm_is_file(buf, 0, sizeof(buf)));
}

/* Shared with the file: not in the image, and still shared afterwards. */
static void file_shared_make(void)
{
	file_fd = mm_file(MM_FILE, 8 * PAGE);
	mem = mm_map_file(file_fd, 8, RW, MAP_SHARED, 0);
	mm_put(mem + PAGE, 1);
	close(file_fd);
	file_fd = open(MM_FILE, O_RDONLY);
	mem2 = mm_map_file(file_fd, 8, PROT_READ, MAP_SHARED, 0);
	close(file_fd);
}

static void file_shared_verify(void)
{
	uint64_t word;
	int fd = open(MM_FILE, O_RDONLY);

	MUST(mm_is_file(mem, 0, PAGE));
	MUST(mm_is_put(mem + PAGE, 1));
	MUST(!memcmp(mem, mem2, 8 * PAGE));
	mm_put(mem + 5 * PAGE, 1);
	MUST(!memcmp(mem, mem2, 8 * PAGE));
	MUST(pread(fd, &word, 8, 5 * PAGE) == 8);
	MUST(word == mm_word((uint64_t *)(mem + 5 * PAGE)));
	/* It was opened for reading: no way to get more. */
	MUST(mprotect(mem2, PAGE, RW) && errno == EACCES);
}

static void file_eof_make(void)
{
	file_fd = mm_file(MM_FILE, PAGE + PAGE / 2);
	mem = mm_map_file(file_fd, 4, RW, MAP_PRIVATE, 0);
	mem2 = mm_map_file(file_fd, 4, RW, MAP_SHARED, 0);
	MUST(mm_fault(mem + 2 * PAGE, false) == SIGBUS);
	mem[PAGE - 1] = 5;
	close(file_fd);
}

static void file_eof_verify(void)
{
	int fd;

	MUST(mem[PAGE - 1] == 5);
	MUST(mm_is_file(mem + PAGE, 1, PAGE / 2));
	MUST(!mem[2 * PAGE - 1] && !mem2[2 * PAGE - 1]);
	MUST(mm_fault(mem + 2 * PAGE, false) == SIGBUS);
	MUST(mm_fault(mem + 3 * PAGE, true) == SIGBUS);
	MUST(mm_fault(mem2 + 2 * PAGE, false) == SIGBUS);
	/* The file grows, and so does what can be seen of it. */
	fd = open(MM_FILE, O_RDWR);
	MUST(pwrite(fd, "x", 1, 3 * PAGE) == 1);
	MUST(mem[3 * PAGE] == 'x' && mem2[3 * PAGE] == 'x');
}

/* Called at another address, so it must not refer to anything. */
static int answer(int a)
{
	return a * 3 + 1;
}

typedef int (*answer_fn)(int a);

/* A second mapping of the executable, to be executed. */
static void file_exec_make(void)
{
	unsigned long at = (unsigned long)answer, from, to, off;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];

	file_fd = open("/proc/self/exe", O_RDONLY);
	while (!mem && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &off) == 3 &&
		    from <= at && at < to)
			mem = mm_map_file(file_fd, 2, PROT_READ | PROT_EXEC,
					  MAP_PRIVATE, (off + at - from) / PAGE);
	fclose(f);
	close(file_fd);
	MUST(mem);
	mem2 = mem + at % PAGE;
	MUST(((answer_fn)mem2)(1) == 4);
}

static void file_exec_verify(void)
{
	MUST(((answer_fn)mem2)(13) == 40);
	MUST(!memcmp(mem2, answer, 8));
	MUST(mm_fault(mem, true) == SIGSEGV);
}

/* Code that the program made itself, as a compiler at run time does. */
static void code_make(void)
{
	mem = mm_map(NULL, 2, RW | PROT_EXEC, 0);
	mem2 = mm_anon(2);
	MUST(mem && mem2);
	mm_put_code(mem, 123);
	mm_put_code(mem2, 321);
	MUST(!mprotect(mem2, 2 * PAGE, PROT_READ | PROT_EXEC));
	MUST(((answer_fn)mem)(0) == 123 && ((answer_fn)mem2)(0) == 321);
}

static void code_verify(void)
{
	MUST(((answer_fn)mem)(0) == 123 && ((answer_fn)mem2)(0) == 321);
	MUST(mm_fault(mem2, true) == SIGSEGV);
	mm_put_code(mem, 124);
	MUST(((answer_fn)mem)(0) == 124);
}

/* ---- protection ---------------------------------------------------------- */

static void protect_make(int prot)
{
	file_fd = mm_file(MM_FILE, 8 * PAGE);
	mem = mm_anon(8);
	mem2 = mm_map_file(file_fd, 8, RW, MAP_PRIVATE, 0);
	close(file_fd);
	mm_put(mem, 5);
	mm_put(mem2 + 2 * PAGE, 2);
	MUST(!mprotect(mem, 8 * PAGE, prot));
	MUST(!mprotect(mem2 + PAGE, 4 * PAGE, prot));
	/* Never written to, never writable. */
	MUST(mm_map(NULL, 8, prot, 0));
}

static void readonly_make(void)
{
	protect_make(PROT_READ);
}

static void none_make(void)
{
	protect_make(PROT_NONE);
}

static void protect_after(void)
{
	MUST(mm_fault(mem, true) == SIGSEGV);
	MUST(mm_fault(mem2 + 4 * PAGE, true) == SIGSEGV);
	MUST(!mprotect(mem, 8 * PAGE, RW));
	MUST(!mprotect(mem2, 8 * PAGE, RW));
	MUST(mm_is_put(mem, 5));
	MUST(mm_is_zero(mem + 5 * PAGE, 3));
	MUST(mm_is_file(mem2, 0, 2 * PAGE));
	MUST(mm_is_put(mem2 + 2 * PAGE, 2));
	MUST(mm_is_file(mem2 + 4 * PAGE, 4, 4 * PAGE));
	mm_put(mem, 8);
	mm_put(mem2, 8);
	MUST(mm_is_put(mem, 8) && mm_is_put(mem2, 8));
}

static void readonly_verify(void)
{
	MUST(mm_is_put(mem, 5));
	MUST(mm_is_put(mem2 + 2 * PAGE, 2));
	protect_after();
}

static void none_verify(void)
{
	MUST(mm_fault(mem, false) == SIGSEGV);
	MUST(mm_fault(mem2 + PAGE, false) == SIGSEGV);
	protect_after();
}

/* ---- heap and stack ------------------------------------------------------ */

static void brk_make(void)
{
	mem2 = mm_brk(NULL);
	mem = (char *)(((unsigned long)mem2 + PAGE - 1) & ~(PAGE - 1));
	MUST(mm_brk(mem + 40 * PAGE) == mem + 40 * PAGE);
	mm_put(mem, 40);
	/* Not a multiple of a page: the break is exact to a byte. */
	MUST(mm_brk(mem + 30 * PAGE - 100) == mem + 30 * PAGE - 100);
}

static void brk_verify(void)
{
	MUST(mm_brk(NULL) == mem + 30 * PAGE - 100);
	MUST(mm_is_put(mem, 30));
	MUST(mm_fault(mem + 30 * PAGE, false) == SIGSEGV);
	MUST(mm_brk(mem + 45 * PAGE) == mem + 45 * PAGE);
	MUST(mm_is_put(mem, 30));
	MUST(mm_is_zero(mem + 30 * PAGE, 15));
	mm_put(mem, 45);
	MUST(mm_is_put(mem, 45));
	MUST(mm_brk(mem + PAGE) == mem + PAGE);
	MUST(mm_is_put(mem, 1));
	MUST(mm_fault(mem + PAGE, false) == SIGSEGV);
}

static int deep(int n)
{
	uint64_t frame[16 * PAGE / 8];
	int i, ret = 0;

	for (i = 0; i < 16 * PAGE / 8; i += 64)
		frame[i] = mm_word(&frame[i]);
	/* It is for the compiler not to know what is in there. */
	asm volatile("" :: "r" (frame) : "memory");
	if (n)
		ret = deep(n - 1);
	else if (nr)
		mm_stop();
	for (i = 0; i < 16 * PAGE / 8; i += 64)
		ret += frame[i] != mm_word(&frame[i]);
	return ret;
}

/* Stopped 2 MiB deep in the stack; goes on to 4 MiB afterwards. */
static void stack_make(void)
{
	nr = 1;
	MUST(!deep(32));
	nr = 0;
}

static void stack_verify(void)
{
	MUST(!deep(64));
}

/* A stack of its own, that has grown by some pages. */
static void growsdown_make(void)
{
	mem2 = mm_place(2048);
	mem = mem2 + 2040 * PAGE;
	MUST(mm_map(mem, 4, RW, MAP_GROWSDOWN | MAP_FIXED) == mem);
	mm_put(mem - PAGE, 5);
	mm_put(mem - 2 * PAGE, 1);
	/* Nearer than a stack may come by growing. */
	MUST(mm_map(mem2 + 2000 * PAGE, 2, RW, MAP_FIXED));
	mm_put(mem2 + 2000 * PAGE, 2);
}

static void growsdown_verify(void)
{
	int i;

	MUST(mm_is_put(mem - 2 * PAGE, 6));
	MUST(mm_is_put(mem2 + 2000 * PAGE, 2));
	/* The gap that a stack keeps is still kept ... */
	MUST(mm_fault(mem - 3 * PAGE, true) == SIGSEGV);
	/* ... and without the neighbour it grows. */
	MUST(!munmap(mem2 + 2000 * PAGE, 2 * PAGE));
	for (i = 3; i < 200; i++)
		mm_put(mem - i * PAGE, 1);
	MUST(mm_is_put(mem - 199 * PAGE, 203));
}

/* ---- places -------------------------------------------------------------- */

/* A null pointer that is none. Who has CAP_SYS_RAWIO may. */
static void zero_make(void)
{
	errno = 0;
	MUST(!mm_map(NULL, 1, RW, MAP_FIXED) && !errno);
	asm volatile("movl $1234, 0x10" ::: "memory");
}

static void zero_verify(void)
{
	int is = 0;

	asm volatile("movl 0x10, %0" : "=r" (is) :: "memory");
	MUST(is == 1234);
}

/* The lowest, the last below 2^47, and what five levels have above. */
static char *places[] = {
	NULL, (char *)((1UL << 47) - 2 * PAGE), (char *)((1UL << 47) - PAGE),
	(char *)(1UL << 47), (char *)(1UL << 50),
	(char *)((1UL << 56) - 2 * PAGE),
};

static void extremes_make(void)
{
	size_t i;

	places[0] = (char *)mm_value("/proc/sys/vm/mmap_min_addr", "");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		mem = mm_map(places[i], 1, RW, MAP_FIXED_NOREPLACE);
		MUST(mem == places[i] || i > 1);
		if (mem == places[i])
			mm_put(mem, 1);
		else
			places[i] = NULL;
	}
	/* Without MAP_FIXED this is what asks for such an address. */
	mem = mm_map((void *)(1UL << 49), 1, RW, 0);
	MUST(mem);
	mm_put(mem, 1);
}

static void extremes_verify(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		MUST(!places[i] || mm_is_put(places[i], 1));
	MUST(mm_is_put(mem, 1));
	/* The same question has the same answer. */
	MUST(!munmap(mem, PAGE));
	MUST(mm_map((void *)(1UL << 49), 1, RW, 0) == mem);
}

/* ---- many, next to each other, far apart --------------------------------- */

#define MANY	2000

static void many_make(void)
{
	static const int prot[] = { PROT_READ, RW, PROT_NONE };
	size_t i;

	mem = mm_anon(MANY);
	for (i = 0; i < MANY; i += 5)
		mm_put(mem + i * PAGE, 1);
	for (i = 0; i < MANY; i++)
		MUST(!mprotect(mem + i * PAGE, PAGE, prot[i % 3]));
}

static void many_verify(void)
{
	size_t i;

	MUST(mm_fault(mem + PAGE, true) == 0);
	mem[PAGE] = 0;
	MUST(mm_fault(mem + 2 * PAGE, false) == SIGSEGV);
	MUST(!mprotect(mem, MANY * PAGE, PROT_READ));
	for (i = 0; i < MANY; i++)
		MUST(i % 5 ? mm_is_zero(mem + i * PAGE, 1) :
			     mm_is_put(mem + i * PAGE, 1));
}

static void neighbours_map(size_t at, size_t pages, size_t put)
{
	char *p = mem + at * PAGE;

	MUST(mm_map(p, pages, RW, MAP_FIXED_NOREPLACE) == p);
	mm_put(p, put);
}

/* What is one mapping grows as one, and parts join again. */
static void neighbours_merge_make(void)
{
	mem = mm_place(10);
	neighbours_map(0, 3, 3);
	neighbours_map(3, 3, 0);
	MUST(!mprotect(mem + PAGE, PAGE, PROT_READ));
	MUST(mm_count(mem, mem + 6 * PAGE) == 3);
}

static void neighbours_merge_verify(void)
{
	neighbours_map(6, 3, 0);
	MUST(mm_count(mem, mem + 9 * PAGE) == 3);
	MUST(!mprotect(mem + PAGE, PAGE, RW));
	MUST(mm_count(mem, mem + 9 * PAGE) == 1);
	MUST(mm_is_put(mem, 3));
}

/* Two mappings that were used before they met stay two. */
static void neighbours_used_make(void)
{
	mem = mm_place(10);
	neighbours_map(0, 2, 2);
	neighbours_map(4, 2, 2);
	neighbours_map(2, 2, 0);
	MUST(mm_count(mem, mem + 6 * PAGE) == 2);
}

static void neighbours_used_verify(void)
{
	MUST(mm_count(mem, mem + 6 * PAGE) == 2);
	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 2));
}

/* A mapping that comes from elsewhere stays apart from its neighbours. */
static void neighbours_moved_make(void)
{
	mem = mm_place(10);
	neighbours_map(0, 2, 1);
	mem2 = mm_anon(2);
	mm_put(mem2, 2);
	MUST(mremap(mem2, 2 * PAGE, 2 * PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED, mem + 2 * PAGE) ==
	     mem + 2 * PAGE);
	MUST(mm_count(mem, mem + 4 * PAGE) == 2);
}

static void neighbours_moved_verify(void)
{
	MUST(mm_count(mem, mem + 4 * PAGE) == 2);
	MUST(mm_is_put(mem, 1) && mm_is_zero(mem + PAGE, 1));
	MUST(*(uint64_t *)(mem + 2 * PAGE) == mm_word((uint64_t *)mem2));
}

/* Of a file: what goes on in the file goes on in the mapping. */
static void neighbours_file_make(void)
{
	static const size_t first[] = { 0, 2, 5, 7, 7 };
	size_t i;

	mem = mm_place(10);
	file_fd = mm_file(MM_FILE, 16 * PAGE);
	for (i = 0; i < 5; i++)
		MUST(mmap(mem + i * 2 * PAGE, 2 * PAGE, PROT_READ,
			  MAP_PRIVATE | MAP_FIXED, file_fd,
			  first[i] * PAGE) != MAP_FAILED);
	close(file_fd);
	MUST(mm_count(mem, mem + 10 * PAGE) == 3);
}

static void neighbours_file_verify(void)
{
	MUST(mm_count(mem, mem + 10 * PAGE) == 3);
	MUST(mm_is_file(mem, 0, 4 * PAGE));
	MUST(mm_is_file(mem + 4 * PAGE, 5, 4 * PAGE));
	MUST(mm_is_file(mem + 8 * PAGE, 7, 2 * PAGE));
}

#define TIB	(1024UL << 30)

static const size_t sparse_at[] = {
	0, 1UL << 21, (1UL << 30) - PAGE, 1UL << 30, 77UL << 32, TIB - PAGE,
};

static void sparse_make(void)
{
	size_t i;

	mem = mm_map(NULL, TIB / PAGE, RW, MAP_NORESERVE);
	MUST(mem);
	for (i = 0; i < 6; i++)
		mm_put(mem + sparse_at[i], 1);
}

static void sparse_verify(void)
{
	size_t i;

	for (i = 0; i < 6; i++)
		MUST(mm_is_put(mem + sparse_at[i], 1));
	MUST(mm_is_zero(mem + TIB / 2, 1));
	MUST(mm_is_zero(mem + (1UL << 30) + PAGE, 1));
}

/* Anonymous memory that has a file: from page 3 of it on, which has no meaning. */
static void zero_device_make(void)
{
	int fd = open("/dev/zero", O_RDWR);

	mem = mm_map_file(fd, 16, RW, MAP_PRIVATE, 3);
	mem2 = mm_map_file(fd, 4, PROT_READ, MAP_PRIVATE, 0);
	close(fd);
	mm_put(mem, 4);
	mm_put(mem + 8 * PAGE, 1);
	MUST(mm_is_zero(mem + 4 * PAGE, 2));
	MUST(mm_is_zero(mem2, 2));
	MUST(!mprotect(mem + 8 * PAGE, PAGE, PROT_NONE));
}

static void zero_device_verify(void)
{
	MUST(!mprotect(mem + 8 * PAGE, PAGE, RW));
	MUST(mm_is_put(mem, 4));
	MUST(mm_is_put(mem + 8 * PAGE, 1));
	MUST(mm_is_zero(mem + 4 * PAGE, 4));
	MUST(mm_is_zero(mem + 9 * PAGE, 7));
	MUST(mm_is_zero(mem2, 4));
	MUST(!mprotect(mem2, PAGE, RW));
	mm_put(mem2, 1);
}

/* ---- pages that are not as usual ----------------------------------------- */

#define HUGE	(2UL << 20)

/* Written to the end, in part, only read, not touched. */
static void huge_make(void)
{
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		skip_program("no transparent huge pages");
	mem = mm_anon(5 * HUGE / PAGE);
	mem = (char *)(((unsigned long)mem + HUGE - 1) & ~(HUGE - 1));
	MUST(!madvise(mem, 4 * HUGE, MADV_HUGEPAGE));
	mm_put(mem, HUGE / PAGE);
	mm_put(mem + HUGE, 100);
	mm_put(mem + 2 * HUGE - PAGE, 1);
	MUST(mm_is_zero(mem + 2 * HUGE, HUGE / PAGE));
	MUST(mm_huge_kib() == 2 * HUGE / 1024);
}

static void huge_verify(void)
{
	MUST(mm_huge_kib() == 2 * HUGE / 1024);
	MUST(mm_is_put(mem, HUGE / PAGE + 100));
	MUST(mm_is_zero(mem + HUGE + 100 * PAGE, HUGE / PAGE - 101));
	MUST(mm_is_put(mem + 2 * HUGE - PAGE, 1));
	MUST(mm_is_zero(mem + 2 * HUGE, HUGE / PAGE));
	/* Not to be read before: a huge zero page is written to in parts. */
	nr = mm_huge_kib();
	mm_put(mem + 3 * HUGE, 1);
	MUST(mm_huge_kib() == nr + HUGE / 1024);
}

#define ALIKE	64

/* Pages that look the same and have become one. */
static void ksm_make(void)
{
	if (access(KSM "run", F_OK))
		skip_program("no KSM");
	mem = mm_anon(ALIKE);
	memset(mem, 5, ALIKE * PAGE);
	MUST(!madvise(mem, ALIKE * PAGE, MADV_MERGEABLE));
	MUST(mm_ksm(ALIKE / 2));
}

static void ksm_verify(void)
{
	size_t i;

	for (i = 0; i < ALIKE; i++) {
		MUST(mem[i * PAGE] == 5);
		MUST(!memcmp(mem + i * PAGE, mem + i * PAGE + 1, PAGE - 1));
		mm_put(mem + i * PAGE, 1);
	}
	MUST(mm_is_put(mem, ALIKE));
}

/* ---- what madvise() and prctl() say of memory ---------------------------- */

static const int advices[] = {
	MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTDUMP, MADV_SEQUENTIAL,
	MADV_RANDOM, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
};

#define ADVICES	ARRAY_SIZE(advices)

static void advice_make(void)
{
	size_t i;

	mem = mm_anon(2 * ADVICES);
	mm_put(mem, 2 * ADVICES);
	for (i = 0; i < ADVICES; i++)
		/* EINVAL: the kernel was built without that one. */
		MUST(!madvise(mem + 2 * i * PAGE, 2 * PAGE, advices[i]) ||
		     errno == EINVAL);
	MUST(mm_count(mem, mem + 2 * ADVICES * PAGE) >= 6);
}

/* The picture has the flags; here is what two of them are for. */
static void advice_verify(void)
{
	int status;
	pid_t pid;

	MUST(mm_is_put(mem, 2 * ADVICES));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		MUST(mm_fault(mem, false) == SIGSEGV);
		MUST(mm_fault(mem + 2 * PAGE - 1, false) == SIGSEGV);
		MUST(mm_is_zero(mem + 2 * PAGE, 2));
		MUST(mm_is_put(mem + 4 * PAGE, 2 * ADVICES - 4));
		_exit(41);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 41);
}

/* The picture has names, the new command line, and MERGEABLE of all. */
static void attributes_make(void)
{
	mem = mm_anon(4);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem, 2 * PAGE, "one");
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem + 2 * PAGE, PAGE, "t o");
	memcpy(mem, "not\0what it was", 16);
	MUST(!prctl(PR_SET_MM, PR_SET_MM_ARG_START, mem, 0, 0));
	MUST(!prctl(PR_SET_MM, PR_SET_MM_ARG_END, mem + 16, 0, 0));
	MUST(!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	MUST(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	MUST(!prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
	MUST(!prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) || errno == EINVAL);
	nr = prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);
}

static void attributes_verify(void)
{
	MUST(!memcmp(mem, "not\0what it was", 16));
	MUST(!prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	MUST(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	MUST(prctl(PR_GET_MDWE, 0, 0, 0, 0) == PR_MDWE_REFUSE_EXEC_GAIN);
	MUST((size_t)prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == nr);
	MUST(!mm_map(NULL, 1, RW | PROT_EXEC, 0) && errno == EACCES);
}

/* ---- memory of files that no path leads to -------------------------------- */

static int mm_memfd(size_t pages)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	MUST(fd >= 0 && !ftruncate(fd, pages * PAGE));
	return fd;
}

/* Eight pages of @fd, of which 1, 3 and 7 are there, shared twice and private. */
static void nameless_make(int fd)
{
	mem = mm_map_file(fd, 8, RW, MAP_SHARED, 0);
	mm_put(mem + PAGE, 1);
	mm_put(mem + 3 * PAGE, 1);
	mem2 = mm_map_file(fd, 4, PROT_READ, MAP_SHARED, 2);
	private = mm_map_file(fd, 8, RW, MAP_PRIVATE, 0);
	mm_put(private + 3 * PAGE, 1);
	mm_put(private + 7 * PAGE, 1);
	MUST(!mprotect(mem + 6 * PAGE, PAGE, PROT_NONE));
	close(fd);
}

static void nameless_verify(void)
{
	MUST(mm_is_put(mem + PAGE, 1) && mm_is_put(mem + 3 * PAGE, 1));
	MUST(!memcmp(mem2, mem + 2 * PAGE, 4 * PAGE));
	MUST(!memcmp(private, mem, 3 * PAGE));
	MUST(mm_is_put(private + 3 * PAGE, 1) && mm_is_put(private + 7 * PAGE, 1));
	MUST(mm_fault(mem + 6 * PAGE, false) == SIGSEGV);
	MUST(mm_is_zero(private + 4 * PAGE, 3) && mm_is_zero(mem + 7 * PAGE, 1));
	mm_put(mem + 4 * PAGE, 1);
	MUST(!memcmp(mem2, mem + 2 * PAGE, 4 * PAGE));
	MUST(!memcmp(private + 4 * PAGE, mem + 4 * PAGE, PAGE));
}

static void memfd_make(void)
{
	nameless_make(mm_memfd(8));
}

static void deleted_make(void)
{
	int fd = open(MM_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd >= 0 && !ftruncate(fd, 8 * PAGE) && !unlink(MM_FILE));
	nameless_make(fd);
}

static void tmpfile_make(void)
{
	int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	MUST(fd >= 0 && !ftruncate(fd, 8 * PAGE));
	nameless_make(fd);
}

/* As shm_open() does it. */
#define POSIX_SHM	"/dev/shm/mm"

static int posix_shm(void)
{
	int fd = open(POSIX_SHM, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);

	MUST(fd >= 0 && !ftruncate(fd, 8 * PAGE));
	return fd;
}

static void posix_shm_make(void)
{
	nameless_make(posix_shm());
}

static void posix_shm_verify(void)
{
	nameless_verify();
	MUST(!unlink(POSIX_SHM));
}

static void posix_shm_unlinked_make(void)
{
	int fd = posix_shm();

	MUST(!unlink(POSIX_SHM));
	nameless_make(fd);
}

/* Two mappings of it, and names for it and for a part. */
static void anon_shared_make(void)
{
	mem = mmap(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED);
	mm_put(mem + PAGE, 1);
	mm_put(mem + 5 * PAGE, 1);
	mem2 = mremap(mem + 4 * PAGE, 0, 4 * PAGE, MREMAP_MAYMOVE);
	MUST(mem2 != MAP_FAILED && mem2 != mem);
	MUST(!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem, 8 * PAGE, "all of it"));
	MUST(!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem + 2 * PAGE, PAGE, "part"));
}

static void anon_shared_verify(void)
{
	size_t size;

	MUST(mm_is_put(mem + PAGE, 1) && mm_is_put(mem + 5 * PAGE, 1));
	MUST(mm_is_zero(mem + 2 * PAGE, 3));
	MUST(!memcmp(mem2, mem + 4 * PAGE, 4 * PAGE));
	MUST(mm_find("[anon_shmem:part]", &size) == mem + 2 * PAGE && size == PAGE);
	mm_put(mem + 7 * PAGE, 1);
	MUST(!memcmp(mem2, mem + 4 * PAGE, 4 * PAGE));
}

/* ---- what the kernel may take, and what it watches ------------------------- */

/* Until it is taken it is there: a restart does not take it. */
static void free_make(void)
{
	mem = mm_anon(8);
	mm_put(mem, 8);
	MUST(!madvise(mem + 2 * PAGE, 4 * PAGE, MADV_FREE));
	/* Written to since: not to be taken any more. */
	mm_put(mem + 4 * PAGE, 1);
}

static void free_verify(void)
{
	size_t i;

	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 1) &&
	     mm_is_put(mem + 6 * PAGE, 2));
	for (i = 2; i < 6; i++)
		MUST(mm_is_put(mem + i * PAGE, 1) || mm_is_zero(mem + i * PAGE, 1));
	mm_put(mem, 8);
	MUST(mm_is_put(mem, 8));
}

/* ---- what was written since somebody asked -------------------------------- */

static bool soft_dirty(const char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t bits;

	MUST(pread(fd, &bits, 8, (unsigned long)page / PAGE * 8) == 8);
	close(fd);
	return bits & PM_SOFT_DIRTY;
}

/* Of the first pages these are, by bits, and no others. */
static bool soft_dirty_are(const char *p, size_t pages, unsigned int which)
{
	size_t i;

	for (i = 0; i < pages; i++)
		if (soft_dirty(p + i * PAGE) != (i < 32 && which >> i & 1))
			return false;
	return true;
}

static void soft_dirty_ask(void)
{
	MUST(ckpt_write_text("/proc/self/clear_refs", "4"));
}

/* Written anew, set to zero, read; and a mapping that is new. */
static void soft_dirty_make(void)
{
	mem = mm_anon(8);
	mm_put(mem, 6);
	soft_dirty_ask();
	mm_put(mem + PAGE, 1);
	memset(mem + 3 * PAGE, 0, PAGE);
	MUST(mm_is_put(mem + 4 * PAGE, 2) && mm_is_zero(mem + 6 * PAGE, 1));
	private = mm_map(NULL, 2, PROT_READ, 0);
	MUST(soft_dirty_are(mem, 8, 0xa) && soft_dirty_are(private, 2, 0x3));
}

static void soft_dirty_verify(void)
{
	MUST(soft_dirty_are(mem, 8, 0xa) && soft_dirty_are(private, 2, 0x3));
	MUST(mm_is_put(mem, 3) && mm_is_zero(mem + 3 * PAGE, 1) &&
	     mm_is_put(mem + 4 * PAGE, 2) && mm_is_zero(mem + 6 * PAGE, 2));
	mm_put(mem + 2 * PAGE, 1);
	mm_put(mem + 7 * PAGE, 1);
	MUST(soft_dirty_are(mem, 8, 0x8e));
	soft_dirty_ask();
	MUST(soft_dirty_are(mem, 8, 0) && soft_dirty_are(private, 2, 0));
	mm_put(mem, 4);
	MUST(soft_dirty_are(mem, 8, 0xf));
}

/* More of them than a record can tell, and one that is all of a mapping. */
#define DIRTY_PAGES	600

static void soft_dirty_scattered_make(void)
{
	size_t i;

	mem = mm_anon(DIRTY_PAGES);
	mm_put(mem, DIRTY_PAGES);
	mem2 = mm_map(NULL, 1, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
	soft_dirty_ask();
	for (i = 0; i < DIRTY_PAGES; i += 2)
		mm_put(mem + i * PAGE, 1);
	mm_put(mem2, 1);
}

static void soft_dirty_scattered_verify(void)
{
	size_t i;

	for (i = 0; i < DIRTY_PAGES; i++)
		MUST(soft_dirty(mem + i * PAGE) == !(i % 2));
	MUST(soft_dirty(mem2) && mm_is_put(mem, DIRTY_PAGES) && mm_is_put(mem2, 1));
	mm_put(mem + PAGE, 1);
	MUST(soft_dirty(mem + PAGE) && !soft_dirty(mem + 3 * PAGE));
}

static void soft_dirty_huge_make(void)
{
	huge_make();
	soft_dirty_ask();
	mm_put(mem + HUGE, 1);
	MUST(!soft_dirty(mem + 3 * PAGE) && soft_dirty(mem + HUGE + 3 * PAGE));
}

static void soft_dirty_huge_verify(void)
{
	MUST(mm_huge_kib() == 2 * HUGE / 1024);
	MUST(!soft_dirty(mem + 3 * PAGE) && soft_dirty(mem + HUGE + 3 * PAGE));
	MUST(mm_is_put(mem, HUGE / PAGE + 100));
	mm_put(mem + PAGE, 1);
	MUST(soft_dirty(mem + PAGE) && mm_is_put(mem, HUGE / PAGE + 100));
}

/* Shared, locked or not, and of a file, written to and read. */
static void soft_dirty_shared_make(void)
{
	mem = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mm_put(mem, 4);
	mem2 = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mm_put(mem2, 4);
	MUST(!mlock(mem2, 4 * PAGE));
	file_fd = mm_file(MM_FILE, 16 * PAGE);
	private = mm_map_file(file_fd, 16, RW, MAP_PRIVATE, 0);
	MUST(mm_is_file(private, 0, 16 * PAGE));
	soft_dirty_ask();
	mm_put(mem + PAGE, 1);
	mm_put(mem2 + 2 * PAGE, 1);
	mm_put(private + 3 * PAGE, 1);
	MUST(soft_dirty_are(mem, 4, 0x2) && soft_dirty_are(mem2, 4, 0x4) &&
	     soft_dirty_are(private, 16, 0x8));
}

static void soft_dirty_shared_verify(void)
{
	MUST(soft_dirty_are(mem, 4, 0x2) && soft_dirty_are(mem2, 4, 0x4) &&
	     soft_dirty_are(private, 16, 0x8));
	MUST(mm_is_put(mem, 4) && mm_is_put(mem2, 4));
	mm_put(mem, 1);
	mm_put(mem2 + 3 * PAGE, 1);
	mm_put(private, 1);
	MUST(soft_dirty_are(mem, 4, 0x3) && soft_dirty_are(mem2, 4, 0xc) &&
	     soft_dirty_are(private, 16, 0x9));
}

/* What was moved counts as written, untouched pages of a file and zeros, too. */
static void soft_dirty_moved_make(void)
{
	file_fd = mm_file(MM_FILE, 16 * PAGE);
	mem = mm_map_file(file_fd, 4, RW, MAP_PRIVATE, 0);
	private = mm_anon(4);
	mem2 = mm_place(8);
	MUST(mm_is_file(mem, 0, 4 * PAGE) && mm_is_zero(private, 2));
	soft_dirty_ask();
	MUST(mremap(mem, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mem2) == mem2);
	MUST(mremap(private, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mem2 + 4 * PAGE) == mem2 + 4 * PAGE);
	MUST(soft_dirty_are(mem2, 8, 0x3f));
}

static void soft_dirty_moved_verify(void)
{
	MUST(soft_dirty_are(mem2, 8, 0x3f));
	MUST(mm_is_file(mem2, 0, 4 * PAGE) && mm_is_zero(mem2 + 4 * PAGE, 4));
	mm_put(mem2, 8);
	MUST(soft_dirty_are(mem2, 8, 0xff) && mm_is_put(mem2, 8));
}

/* ---- the vdso ------------------------------------------------------------ */

static void vdso_verify(void)
{
	long long from = mm_clock_ns(false), at = mm_clock_ns(true);

	MUST(from <= at && at <= mm_clock_ns(false));
}

/* The page above all others, by which old programs ask for the time. */
static void vsyscall_verify(void)
{
	time_t (*vtime)(time_t *now) = (void *)0xffffffffff600400;
	time_t from = time(NULL), at = vtime(NULL);

	MUST(from <= at && at <= time(NULL));
}

static void vsyscall_make(void)
{
	size_t size;

	if (!mm_find("[vsyscall]", &size))
		skip_program("no vsyscall page");
	vsyscall_verify();
}

/* Data and text of it, which are neighbours, to another place. */
static void vdso_moved_make(void)
{
	size_t data, text;
	char *from = mm_find("[vvar]", &data), *to;

	mem = mm_find("[vdso]", &text);
	MUST(from && mem == from + data);
	to = mm_anon((data + text) / PAGE);
	MUST(to && mremap(from, data, data, MREMAP_MAYMOVE | MREMAP_FIXED,
			  to) == to);
	MUST(mremap(mem, text, text, MREMAP_MAYMOVE | MREMAP_FIXED,
		    to + data) == to + data);
	mem = to + data;
}

static void vdso_moved_verify(void)
{
	size_t size;

	MUST(mm_find("[vdso]", &size) == mem && !memcmp(mem, "\177ELF", 4));
	MUST(mm_find("[vvar]", &size) + size == mem);
}

static void vdso_gone_make(void)
{
	size_t data, text;
	char *from = mm_find("[vvar]", &data);

	MUST(from && mm_find("[vdso]", &text));
	MUST(!munmap(from, data + text));
}

static void vdso_gone_verify(void)
{
	size_t size;

	MUST(!mm_find("[vvar]", &size) && !mm_find("[vdso]", &size));
	MUST(!syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, 0) || errno);
}

/* ---- from low to high ----------------------------------------------------- */

#define LEGACY	"CKPT_MM_LEGACY"

/* The layout is chosen by exec: the program begins anew, see legacy_again(). */
static void legacy_make(void)
{
	char fd[16];

	snprintf(fd, sizeof(fd), "%d", dup(log_fd));
	MUST(!setenv(LEGACY, fd, 1));
	MUST(personality(ADDR_COMPAT_LAYOUT) >= 0);
	execl("/proc/self/exe", "legacy", NULL);
	MUST(false);
}

static void legacy_low_make(void)
{
	mem = mm_anon(4);
	mem2 = mm_anon(8);
	mm_put(mem, 4);
	MUST(!mprotect(mem2, 8 * PAGE, PROT_READ));
	MUST(mem2 > mem && (unsigned long)mem2 < 1UL << 46);
}

static void legacy_low_verify(void)
{
	MUST(mm_is_put(mem, 4));
	private = mm_anon(2);
	MUST(private > mem2 && (unsigned long)private < 1UL << 46);
}

static void __attribute__((constructor)) legacy_again(void)
{
	static const struct mm_case c = { legacy_low_make, legacy_low_verify };
	const char *fd = getenv(LEGACY);

	if (!fd)
		return;
	log_fd = atoi(fd);
	mm_program((void *)&c);
}

/* ---- the cases ----------------------------------------------------------- */

FIXTURE(mm)
{
	pid_t pid;
};

FIXTURE_VARIANT(mm)
{
	struct mm_case c;
	uint64_t of_files;
};

#define MM_CASE(name)							\
	FIXTURE_VARIANT_ADD(mm, name)					\
	{								\
		.c = { name##_make, name##_verify },			\
	}

MM_CASE(anon);
MM_CASE(file_private);
MM_CASE(file_shared);
MM_CASE(file_eof);
MM_CASE(file_exec);
MM_CASE(code);
MM_CASE(readonly);
MM_CASE(none);
MM_CASE(brk);
MM_CASE(growsdown);
MM_CASE(zero);
MM_CASE(extremes);
MM_CASE(many);
MM_CASE(neighbours_merge);
MM_CASE(neighbours_used);
MM_CASE(neighbours_moved);
MM_CASE(neighbours_file);
MM_CASE(sparse);
MM_CASE(zero_device);
MM_CASE(huge);
MM_CASE(ksm);
MM_CASE(advice);
MM_CASE(attributes);
MM_CASE(free);
MM_CASE(soft_dirty);
MM_CASE(soft_dirty_scattered);
MM_CASE(soft_dirty_huge);
MM_CASE(soft_dirty_moved);
MM_CASE(vdso_moved);
MM_CASE(vdso_gone);

FIXTURE_VARIANT_ADD(mm, vsyscall)
{
	.c = { vsyscall_make, vsyscall_verify },
};

#define MM_FILE_CASE(name, check, pages)				\
	FIXTURE_VARIANT_ADD(mm, name)					\
	{								\
		.c = { name##_make, check }, .of_files = pages,		\
	}

MM_FILE_CASE(memfd, nameless_verify, 3);
MM_FILE_CASE(deleted, nameless_verify, 3);
MM_FILE_CASE(tmpfile, nameless_verify, 3);
MM_FILE_CASE(posix_shm, posix_shm_verify, 0);
MM_FILE_CASE(posix_shm_unlinked, nameless_verify, 3);
MM_FILE_CASE(anon_shared, anon_shared_verify, 2);
MM_FILE_CASE(soft_dirty_shared, soft_dirty_shared_verify, 8);

FIXTURE_VARIANT_ADD(mm, vdso)
{
	.c = { nothing, vdso_verify },
};

FIXTURE_VARIANT_ADD(mm, stack)
{
	.c = { stack_make, stack_verify, .stops = true },
};

FIXTURE_SETUP(mm)
{
	mm_pages_of_files = variant->of_files;
	self->pid = mm_start(_metadata, &variant->c);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

FIXTURE_TEARDOWN(mm)
{
	mm_tidy(self->pid);
}

TEST_F(mm, comes_back)
{
	struct ckpt_stats stats;
	struct stat st;

	mm_round_trip(_metadata, self->pid, &stats);
	/* The image holds the pages that it must, and little else. */
	ASSERT_EQ(0, stat(CKPT_IMG, &st));
	EXPECT_EQ(stats.image_bytes, st.st_size);
	EXPECT_GT(stats.pages_written * PAGE + (1 << 20), st.st_size);
	mm_ends_well(_metadata, &self->pid);
}

/* New memory is looked for where it was before. */
TEST(legacy_layout)
{
	static const struct mm_case c = { legacy_make };
	pid_t pid = mm_start(_metadata, &c);
	struct picture before, after;

	ASSERT_TRUE(picture_take(&before, pid))
		TH_LOG("%s", picture_text);
	ckpt_save_and_kill(_metadata, pid);
	mm_bring_back(_metadata, pid);
	ASSERT_TRUE(picture_take(&after, pid))
		TH_LOG("%s", picture_text);
	EXPECT_TRUE(picture_same(&before, &after, true))
		TH_LOG("%s", picture_text);
	picture_free(&before);
	picture_free(&after);
	mm_ends_well(_metadata, &pid);
	mm_tidy(pid);
}

/* Huge pages that are not wanted any more come back as small ones. */
#define THP_ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

static void huge_small_verify(void)
{
	MUST(!mm_huge_kib());
	MUST(mm_is_put(mem, HUGE / PAGE + 100));
	MUST(mm_is_zero(mem + HUGE + 100 * PAGE, HUGE / PAGE - 101));
	MUST(mm_is_put(mem + 2 * HUGE - PAGE, 1));
}

static void huge_unwanted_make(void)
{
	huge_make();
	MUST(!madvise(mem, 4 * HUGE, MADV_NOHUGEPAGE));
}

FIXTURE(huge)
{
	char enabled[64];
	pid_t pid;
};

FIXTURE_SETUP(huge)
{
	ckpt_read_text(THP_ENABLED, self->enabled, sizeof(self->enabled));
}

FIXTURE_TEARDOWN(huge)
{
	mm_tidy(self->pid);
	ckpt_set_back(THP_ENABLED, self->enabled);
}

static void small_again(struct __test_metadata *_metadata, pid_t *pid,
			const struct mm_case *c, const char *setting)
{
	*pid = mm_start(_metadata, c);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
	ckpt_save_and_kill(_metadata, *pid);
	if (setting)
		ASSERT_TRUE(ckpt_write_text(THP_ENABLED, setting));
	mm_bring_back(_metadata, *pid);
	mm_ends_well(_metadata, pid);
}

TEST_F(huge, not_by_the_system)
{
	static const struct mm_case c = { huge_make, huge_small_verify };

	small_again(_metadata, &self->pid, &c, "never");
}

TEST_F(huge, not_by_the_program)
{
	static const struct mm_case c = { huge_unwanted_make, huge_small_verify };

	small_again(_metadata, &self->pid, &c, NULL);
}

/* Large folios that are no huge pages: those that were there are there again. */
#define MTHP_ENABLED	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
#define LARGE		(64UL << 10)
#define LARGE_PAGES	(LARGE / PAGE)

#define KPF_COMPOUND_HEAD	15
#define KPF_COMPOUND_TAIL	16

static uint64_t number_at(const char *file, uint64_t index)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t number;

	MUST(pread(fd, &number, 8, index * 8) == 8);
	close(fd);
	return number;
}

static uint64_t frame_of(const char *page)
{
	return number_at("/proc/self/pagemap", (unsigned long)page / PAGE);
}

/* Does a large folio lie here, as a whole? */
static bool is_large(const char *at)
{
	uint64_t first = frame_of(at);
	size_t i;

	if (!(first & PM_PRESENT))
		return false;
	for (i = 0; i < LARGE_PAGES; i++)
		if (frame_of(at + i * PAGE) != first + i ||
		    !(number_at("/proc/kpageflags",
				(first & ((1ULL << 55) - 1)) + i) &
		      1ULL << (i ? KPF_COMPOUND_TAIL : KPF_COMPOUND_HEAD)))
			return false;
	return true;
}

/* 40 of them; two whose last page is its only one; two in pieces; a small page. */
static void mthp_make(void)
{
	size_t i;

	mem = mm_anon(64 * LARGE_PAGES);
	mem = (char *)(((unsigned long)mem + LARGE - 1) & ~(LARGE - 1));
	MUST(!mprotect(mem + 62 * LARGE, LARGE, PROT_READ));
	MUST(!munmap(mem + 62 * LARGE, LARGE));
	mm_put(mem, 40 * LARGE_PAGES);
	mm_put(mem + 43 * LARGE - PAGE, 1);
	mm_put(mem + 46 * LARGE - PAGE, 1);
	for (i = 0; i < 46; i++)
		MUST(is_large(mem + i * LARGE) == (i < 40 || i == 42 || i == 45));
	MUST(!munmap(mem + 20 * LARGE, PAGE));
	MUST(!madvise(mem + 30 * LARGE + 5 * PAGE, PAGE, MADV_DONTNEED));
}

static void mthp_same(void)
{
	size_t i;

	for (i = 0; i < 40; i++) {
		if (i == 20) {
			MUST(mm_is_put(mem + i * LARGE + PAGE, LARGE_PAGES - 1));
		} else if (i == 30) {
			MUST(mm_is_put(mem + i * LARGE, 5));
			MUST(mm_is_zero(mem + i * LARGE + 5 * PAGE, 1));
			MUST(mm_is_put(mem + i * LARGE + 6 * PAGE, LARGE_PAGES - 6));
		} else {
			MUST(mm_is_put(mem + i * LARGE, LARGE_PAGES));
		}
	}
	MUST(mm_is_zero(mem + 42 * LARGE, LARGE_PAGES - 1));
	MUST(mm_is_put(mem + 43 * LARGE - PAGE, 1));
	MUST(mm_is_put(mem + 46 * LARGE - PAGE, 1));
	MUST(mm_is_zero(mem + 43 * LARGE, LARGE_PAGES));
	mm_put(mem + LARGE, 50);
	MUST(mm_is_put(mem, 100));
}

static void mthp_verify(void)
{
	size_t i;

	for (i = 0; i < 46; i++)
		MUST(is_large(mem + i * LARGE) ==
		     ((i < 40 && i != 20 && i != 30) || i == 42 || i == 45));
	mthp_same();
	MUST(is_large(mem));
}

static void mthp_small_verify(void)
{
	size_t i;

	for (i = 0; i < 46; i++)
		MUST(!is_large(mem + i * LARGE));
	mthp_same();
}

FIXTURE(mthp)
{
	char enabled[64];
	pid_t pid;
};

FIXTURE_VARIANT(mthp)
{
	struct mm_case c;
	const char *setting;
};

FIXTURE_VARIANT_ADD(mthp, wanted) {
	.c = { mthp_make, mthp_verify }, .setting = "always",
};

FIXTURE_VARIANT_ADD(mthp, not_wanted) {
	.c = { mthp_make, mthp_small_verify }, .setting = "never",
};

FIXTURE_SETUP(mthp)
{
	if (ckpt_read_text(MTHP_ENABLED, self->enabled, sizeof(self->enabled)) <= 0)
		SKIP(return, "no large folios");
	ASSERT_TRUE(ckpt_write_text(MTHP_ENABLED, "always"));
	self->pid = mm_start(_metadata, &variant->c);
}

FIXTURE_TEARDOWN(mthp)
{
	mm_tidy(self->pid);
	ckpt_set_back(MTHP_ENABLED, self->enabled);
}

TEST_F(mthp, comes_back)
{
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_TRUE(ckpt_write_text(MTHP_ENABLED, variant->setting));
	mm_bring_back(_metadata, self->pid);
	ckpt_save_and_kill(_metadata, self->pid);
	mm_bring_back(_metadata, self->pid);
	mm_ends_well(_metadata, &self->pid);
}

/*
 * Huge pages and large folios of shared memory: large where they were large, small
 * where they were small.
 */
#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define SHMEM_LARGE	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled"
#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs"
#define HUGE_PAGES	(HUGE / PAGE)

/* Of the system, when the program began. */
static unsigned long huge_before;

/* How much is in huge pages of shared memory, in KiB. */
static unsigned long shmem_huge_kib(void)
{
	return mm_value("/proc/meminfo", "ShmemHugePages:") - huge_before;
}

/* How much of it is mapped as such. */
static unsigned long shmem_mapped_kib(void)
{
	return mm_value("/proc/self/smaps_rollup", "ShmemPmdMapped:");
}

static void shmem_map(size_t len, int prot, int flags, int fd)
{
	huge_before = mm_value("/proc/meminfo", "ShmemHugePages:");
	mem = mmap(NULL, len, prot, MAP_SHARED | flags, fd, 0);
	MUST(mem != MAP_FAILED);
}

static void shmem_huge_make(void)
{
	shmem_map(2 * HUGE, RW, MAP_ANONYMOUS, -1);
	mm_put(mem, HUGE_PAGES);
	MUST(shmem_mapped_kib() == HUGE / 1024);
}

static void shmem_huge_verify(void)
{
	MUST(mm_is_put(mem, HUGE_PAGES));
	MUST(shmem_mapped_kib() == HUGE / 1024);
	MUST(mm_is_zero(mem + HUGE, HUGE_PAGES));
}

static void shmem_small_verify(void)
{
	MUST(mm_is_put(mem, HUGE_PAGES));
	MUST(mm_is_zero(mem + HUGE, HUGE_PAGES));
	MUST(!shmem_mapped_kib() && !shmem_huge_kib());
}

/* A huge page that is full, one with little in it, and what was not advised. */
static void shmem_advised_make(void)
{
	shmem_map(4 * HUGE, RW, MAP_ANONYMOUS, -1);
	MUST(!madvise(mem, 2 * HUGE, MADV_HUGEPAGE));
	mm_put(mem, HUGE_PAGES);
	mm_put(mem + HUGE + 300 * PAGE, 1);
	mm_put(mem + 2 * HUGE, HUGE_PAGES);
	MUST(shmem_mapped_kib() == 2 * HUGE / 1024);
	MUST(shmem_huge_kib() == 2 * HUGE / 1024);
}

static void shmem_advised_verify(void)
{
	MUST(mm_is_put(mem, HUGE_PAGES));
	MUST(mm_is_zero(mem + HUGE, 300));
	MUST(mm_is_put(mem + HUGE + 300 * PAGE, 1));
	MUST(mm_is_zero(mem + HUGE + 301 * PAGE, HUGE_PAGES - 301));
	MUST(mm_is_put(mem + 2 * HUGE, HUGE_PAGES));
	MUST(shmem_mapped_kib() == 2 * HUGE / 1024);
	MUST(shmem_huge_kib() == 2 * HUGE / 1024);
	/* The advice is there, too, and of use to what comes. */
	MUST(!madvise(mem, HUGE, MADV_REMOVE));
	mm_put(mem, 1);
	MUST(shmem_huge_kib() == 2 * HUGE / 1024);
}

/* Every 37th page, one at a time. */
#define SHMEM_SPARSE	37

static void shmem_sparse_make(void)
{
	size_t i;

	shmem_map(4 * HUGE, RW, MAP_ANONYMOUS, -1);
	for (i = 0; i < 4 * HUGE_PAGES; i += SHMEM_SPARSE)
		mm_put(mem + i * PAGE, 1);
	mm_put(mem, HUGE_PAGES);
	MUST(!shmem_huge_kib());
}

static void shmem_sparse_verify(void)
{
	unsigned char in;
	size_t i;

	MUST(mm_is_put(mem, HUGE_PAGES));
	for (i = HUGE_PAGES; i < 4 * HUGE_PAGES; i++) {
		/* A hole is still one. */
		MUST(!mincore(mem + i * PAGE, PAGE, &in));
		MUST((in & 1) == !(i % SHMEM_SPARSE));
	}
	MUST(!shmem_huge_kib());
	for (i = HUGE_PAGES; i < 4 * HUGE_PAGES; i++)
		if (!(i % SHMEM_SPARSE))
			MUST(mm_is_put(mem + i * PAGE, 1));
}

/*
 * The file ends within a huge page. What is behind the end comes from memory that is
 * full of something else.
 */
#define SHMEM_END	(HUGE + HUGE / 2)

static void shmem_memfd_make(void)
{
	file_fd = memfd_create("huge", MFD_CLOEXEC);
	MUST(file_fd >= 0 && !ftruncate(file_fd, SHMEM_END));
	shmem_map(2 * HUGE, RW, 0, file_fd);
	mm_put(mem, SHMEM_END / PAGE);
	MUST(shmem_huge_kib() == 2 * HUGE / 1024);
	mem2 = mm_anon(16 * HUGE_PAGES);
	mm_put(mem2, 16 * HUGE_PAGES);
	MUST(!munmap(mem2, 16 * HUGE));
}

static void shmem_memfd_verify(void)
{
	MUST(mm_is_put(mem, SHMEM_END / PAGE));
	MUST(shmem_huge_kib() == 2 * HUGE / 1024);
	MUST(!ftruncate(file_fd, 2 * HUGE));
	MUST(mm_is_zero(mem + SHMEM_END, (2 * HUGE - SHMEM_END) / PAGE));
}

#define SHMEM_SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static void shmem_sealed_make(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0 && !ftruncate(fd, HUGE));
	shmem_map(HUGE, RW, 0, fd);
	mm_put(mem, HUGE_PAGES);
	MUST(!munmap(mem, HUGE) && !fcntl(fd, F_ADD_SEALS, SHMEM_SEALS));
	MUST(mmap(mem, HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == mem);
	MUST(shmem_huge_kib() == HUGE / 1024);
	file_fd = fd;
}

static void shmem_sealed_verify(void)
{
	MUST(mm_is_put(mem, HUGE_PAGES));
	MUST(shmem_mapped_kib() == HUGE / 1024);
	MUST(fcntl(file_fd, F_GET_SEALS) == SHMEM_SEALS);
	MUST(pwrite(file_fd, "x", 1, 0) < 0 && errno == EPERM);
}

static bool shmem_mount(void)
{
	mkdir(DIRECTORY, 0755);
	return !mount("t", DIRECTORY, "tmpfs", 0, "huge=advise");
}

/* By what the mount says, which is for those that advise. */
static void shmem_deleted_make(void)
{
	struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
	int fd = open(DIRECTORY "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	MUST(fd >= 0 && !ftruncate(fd, 2 * HUGE));
	shmem_map(2 * HUGE, RW, 0, fd);
	MUST(!madvise(mem, HUGE, MADV_HUGEPAGE));
	mm_put(mem, HUGE_PAGES + 5);
	MUST(!unlink(DIRECTORY "/file") && !futimens(fd, times));
	MUST(shmem_huge_kib() == HUGE / 1024);
	file_fd = fd;
}

static void shmem_deleted_verify(void)
{
	struct stat st;

	MUST(!fstat(file_fd, &st) && st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000);
	MUST(st.st_blocks == (HUGE_PAGES + 5) * (PAGE / 512));
	MUST(mm_is_put(mem, HUGE_PAGES + 5));
	MUST(mm_is_zero(mem + HUGE + 5 * PAGE, HUGE_PAGES - 5));
	MUST(shmem_mapped_kib() == HUGE / 1024);
}

static void shmem_at(char *at, size_t len, size_t folio)
{
	MUST(mmap(at, len, RW, MAP_SHARED | MAP_FIXED, file_fd, folio * LARGE) == at);
}

/* 20 large folios, of which one is in pieces, a small page, one with the end of the file. */
static void shmem_large_fill(int fd)
{
	size_t i;

	file_fd = fd;
	MUST(file_fd >= 0 && !ftruncate(file_fd, 25 * LARGE - 5 * PAGE));
	mem = mm_place(32 * LARGE_PAGES);
	mem = (char *)(((unsigned long)mem + LARGE - 1) & ~(LARGE - 1));
	shmem_at(mem, 20 * LARGE, 0);
	shmem_at(mem + 20 * LARGE, PAGE, 20);
	shmem_at(mem + 24 * LARGE, LARGE, 24);
	mm_put(mem, 20 * LARGE_PAGES + 1);
	mm_put(mem + 24 * LARGE, LARGE_PAGES - 5);
	MUST(!madvise(mem + 7 * LARGE + 5 * PAGE, PAGE, MADV_REMOVE));
	for (i = 0; i < 20; i++)
		MUST(is_large(mem + i * LARGE) == (i != 7));
}

static void shmem_large_make(void)
{
	shmem_large_fill(memfd_create("large", MFD_CLOEXEC));
}

static void shmem_large_same(void)
{
	MUST(mm_is_put(mem, 7 * LARGE_PAGES + 5));
	MUST(mm_is_put(mem + 7 * LARGE + 6 * PAGE, 13 * LARGE_PAGES - 5));
	MUST(mm_is_put(mem + 24 * LARGE, LARGE_PAGES - 5));
	MUST(mm_fault(mem + 25 * LARGE - 5 * PAGE, false) == SIGBUS);
}

static void shmem_large_verify(void)
{
	size_t i;

	shmem_large_same();
	for (i = 0; i < 20; i++)
		MUST(is_large(mem + i * LARGE) == (i != 7));
	MUST(mm_is_zero(mem + 7 * LARGE + 5 * PAGE, 1));
}

static void shmem_no_large_verify(void)
{
	size_t i;

	shmem_large_same();
	for (i = 0; i < 20; i++)
		MUST(!is_large(mem + i * LARGE));
}

/* Both in files of tmpfs, one that has never had a name. */
static void shmem_elsewhere_make(void)
{
	shmem_deleted_make();
	mem2 = mem;
	shmem_large_fill(open(DIRECTORY, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
}

static void shmem_elsewhere_verify(void)
{
	shmem_large_same();
	MUST(mm_is_put(mem2, HUGE_PAGES + 5));
	MUST(mm_is_zero(mem2 + HUGE + 5 * PAGE, HUGE_PAGES - 5));
}

FIXTURE(shmem_huge)
{
	char enabled[96];
	char sleep[32];
	pid_t pid;
};

FIXTURE_VARIANT(shmem_huge)
{
	struct mm_case c;
	const char *path;
	const char *before;
	const char *after;	/* NULL: on another file system */
};

#define SHMEM_CASE(name, make, verify, path_, before_, after_)		\
FIXTURE_VARIANT_ADD(shmem_huge, name) {					\
	.c = { shmem_##make##_make, shmem_##verify##_verify },		\
	.path = path_, .before = before_, .after = after_,		\
}

SHMEM_CASE(always, huge, huge, SHMEM_ENABLED, "always", "always");
SHMEM_CASE(advised, advised, advised, SHMEM_ENABLED, "advise", "advise");
/* Only what was huge is. */
SHMEM_CASE(always_then_advised, huge, huge, SHMEM_ENABLED, "always", "advise");
SHMEM_CASE(not_wanted, huge, small, SHMEM_ENABLED, "always", "never");
SHMEM_CASE(small_stay_small, sparse, sparse, SHMEM_ENABLED, "never", "always");
SHMEM_CASE(memfd, memfd, memfd, SHMEM_ENABLED, "always", "advise");
SHMEM_CASE(sealed, sealed, sealed, SHMEM_ENABLED, "always", "advise");
SHMEM_CASE(deleted, deleted, deleted, SHMEM_ENABLED, "never", "never");
SHMEM_CASE(large, large, large, SHMEM_LARGE, "always", "advise");
SHMEM_CASE(large_not_wanted, large, no_large, SHMEM_LARGE, "always", "never");
SHMEM_CASE(elsewhere, elsewhere, elsewhere, SHMEM_LARGE, "always", NULL);

/* Nobody else makes huge pages meanwhile. */
static bool shmem_begin(const char *path, const char *setting, char *sleep)
{
	ckpt_read_text(KHUGEPAGED, sleep, 32);
	return ckpt_write_text(KHUGEPAGED, "1000000") && ckpt_write_text(path, setting) &&
	       shmem_mount();
}

static void shmem_tidy(pid_t pid, const char *path, char *enabled, const char *sleep)
{
	mm_tidy(pid);
	umount_disk();
	ckpt_set_back(path, enabled);
	ckpt_write_text(KHUGEPAGED, sleep);
}

FIXTURE_SETUP(shmem_huge)
{
	if (ckpt_read_text(variant->path, self->enabled, sizeof(self->enabled)) <= 0)
		SKIP(return, "no huge pages of shared memory");
	ASSERT_TRUE(shmem_begin(variant->path, variant->before, self->sleep));
	self->pid = mm_start(_metadata, &variant->c);
}

FIXTURE_TEARDOWN(shmem_huge)
{
	shmem_tidy(self->pid, variant->path, self->enabled, self->sleep);
}

/* A disk has none of them. */
static void shmem_go_elsewhere(struct __test_metadata *_metadata, pid_t pid)
{
	umount_files();
	ASSERT_TRUE(mount_disk());
	ASSERT_EQ(pid, restart_with(pid, RESTART_FORCE_FILES, NULL, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_TRUE(ckpt_wait_state(pid, 'T'));
}

TEST_F(shmem_huge, comes_back)
{
	ckpt_save_and_kill(_metadata, self->pid);
	if (variant->after) {
		ASSERT_TRUE(ckpt_write_text(variant->path, variant->after));
		mm_bring_back(_metadata, self->pid);
	} else {
		shmem_go_elsewhere(_metadata, self->pid);
	}
	ckpt_save_and_kill(_metadata, self->pid);
	mm_bring_back(_metadata, self->pid);
	mm_ends_well(_metadata, &self->pid);
}

/* What somebody outside may write to is copied, and known to be huge all the same. */
FIXTURE(shmem_outside)
{
	char enabled[96];
	char sleep[32];
	pid_t pid;
};

FIXTURE_SETUP(shmem_outside)
{
	if (ckpt_read_text(SHMEM_ENABLED, self->enabled, sizeof(self->enabled)) <= 0)
		SKIP(return, "no huge pages of shared memory");
	ASSERT_TRUE(shmem_begin(SHMEM_ENABLED, "always", self->sleep));
}

FIXTURE_TEARDOWN(shmem_outside)
{
	shmem_tidy(self->pid, SHMEM_ENABLED, self->enabled, self->sleep);
}

TEST_F(shmem_outside, comes_back)
{
	static const struct mm_case c = { nothing, shmem_huge_verify };
	int fd = memfd_create("outside", MFD_CLOEXEC);

	ASSERT_EQ(0, ftruncate(fd, 2 * HUGE));
	mem = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	close(fd);
	mm_put(mem, HUGE_PAGES);
	ASSERT_EQ(HUGE / 1024, shmem_mapped_kib());
	self->pid = mm_start(_metadata, &c);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_SUBTREE | CHECKPOINT_KILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	ASSERT_TRUE(ckpt_write_text(SHMEM_ENABLED, "advise"));
	mm_bring_back(_metadata, self->pid);
	/* It is nobody else's now. */
	memset(mem, 0, HUGE);
	mm_ends_well(_metadata, &self->pid);
	munmap(mem, 2 * HUGE);
}

/* ---- only what must be written is written -------------------------------- */

#define BULK	2048UL		/* pages of each kind */

static void bulk_make(void)
{
	size_t i;
	char *p;

	/* What the rest of the program takes is seen now. */
	mm_stop();
	mem = mm_anon(BULK);
	mem2 = mm_anon(BULK);
	/* Pages of its own, but of zeros. */
	for (i = 0; i < BULK; i++)
		mem[i * PAGE] = 0;
	/* The zero page. */
	MUST(mm_is_zero(mem2, BULK));
	/* Never touched. */
	mm_anon(BULK);
	/* Clean pages of a file, private but for one, and shared. */
	file_fd = mm_file(MM_FILE, BULK * PAGE);
	p = mm_map_file(file_fd, BULK, RW, MAP_PRIVATE, 0);
	MUST(mm_is_file(p, 0, BULK * PAGE));
	mm_put(p, 1);
	MUST(mm_is_file(mm_map_file(file_fd, BULK, RW, MAP_SHARED, 0), 0,
			BULK * PAGE));
	close(file_fd);
	mm_stop();
}

static void bulk_verify(void)
{
	MUST(mm_is_zero(mem, BULK) && mm_is_zero(mem2, BULK));
}

TEST(only_what_must_be_written)
{
	static const struct mm_case c = {
		bulk_make, bulk_verify, .stops = true
	};
	struct ckpt_stats before, after;
	pid_t pid = mm_start(_metadata, &c);
	int out;

	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ASSERT_LT(0, ckpt_save_fd(pid, out, 0, &before))
		TH_LOG("%s", ckpt_log_text);
	close(out);
	EXPECT_LT(0, before.pages_written);
	kill(pid, SIGCONT);
	ASSERT_TRUE(mm_wait_stop(pid));
	mm_round_trip(_metadata, pid, &after);
	EXPECT_GE(before.pages_written + 32, after.pages_written);
	EXPECT_GE(before.image_bytes + 33 * PAGE, after.image_bytes);
	/* Those of zeros were looked at, those of the file unless it goes on. */
	EXPECT_LE((CKPT_LIVE ? 0 : before.pages_skipped) + 2 * BULK - 1,
		  after.pages_skipped);
	mm_ends_well(_metadata, &pid);
	mm_tidy(pid);
}

/* ---- swap ---------------------------------------------------------------- */

#define SWAP_MIB	8

static void swap_make(void)
{
	mem = mm_anon(256);
	mm_put(mem, 256);
	MUST(!mprotect(mem + 64 * PAGE, 64 * PAGE, PROT_NONE));
	/* The test wants to know where. */
	dprintf(log_fd, "%p", mem);
}

static void swap_verify(void)
{
	MUST(mm_fault(mem + 64 * PAGE, false) == SIGSEGV);
	MUST(!mprotect(mem + 64 * PAGE, 64 * PAGE, PROT_READ));
	MUST(mm_is_put(mem, 256));
}

FIXTURE(swap)
{
	pid_t pid;
};

FIXTURE_SETUP(swap)
{
	static const struct mm_case c = { swap_make, swap_verify };

	if (!swap_on(SWAP_MIB)) {
		swap_off();
		SKIP(return, "no swap");
	}
	self->pid = mm_start(_metadata, &c);
}

FIXTURE_TEARDOWN(swap)
{
	mm_tidy(self->pid);
	swap_off();
}

TEST_F(swap, comes_back)
{
	struct iovec v = { .iov_len = 256 * PAGE };
	struct picture before, after;
	pid_t pid = self->pid;
	char path[64];
	int pidfd;

	v.iov_base = (void *)strtoul(log_text(), NULL, 16);
	ASSERT_TRUE(picture_take(&before, pid));
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_EQ(v.iov_len, syscall(SYS_process_madvise, pidfd, &v, 1,
				     MADV_PAGEOUT, 0));
	close(pidfd);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	/* Most of it at least: a page may be in use for a moment. */
	EXPECT_LT(128 * PAGE / 1024, mm_value(path, "VmSwap:"));
	ckpt_save_and_kill(_metadata, pid);
	mm_bring_back(_metadata, pid);
	ASSERT_TRUE(picture_take(&after, pid));
	EXPECT_TRUE(picture_same(&before, &after, true))
		TH_LOG("%s", picture_text);
	mm_ends_well(_metadata, &self->pid);
}

/* ---- memory that was declared broken -------------------------------------- */

/* Pages 2, 3 and 5 of eight. */
static void poison_make(void)
{
	MUST(ckpt_poison(mem + 2 * PAGE, 2 * PAGE));
	MUST(ckpt_poison(mem + 5 * PAGE, PAGE));
}

static void poison_verify(void)
{
	MUST(mm_fault(mem + 2 * PAGE, false) == SIGBUS);
	MUST(mm_fault(mem + 4 * PAGE - 1, true) == SIGBUS);
	MUST(mm_fault(mem + 5 * PAGE, true) == SIGBUS);
	MUST(!mm_fault(mem + PAGE, false) && !mm_fault(mem + 4 * PAGE, false) &&
	     !mm_fault(mem + 6 * PAGE, false));
}

static void poison_untouched_make(void)
{
	mem = mm_anon(8);
	poison_make();
}

static void poison_untouched_verify(void)
{
	poison_verify();
	/* What is there is the mark and no page: it can be taken away. */
	MUST(!madvise(mem, 8 * PAGE, MADV_DONTNEED));
	MUST(mm_is_zero(mem, 8));
}

static void poison_used_make(void)
{
	mem = mm_anon(8);
	mm_put(mem, 8);
	MUST(!madvise(mem + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	MUST(!madvise(mem + 5 * PAGE, PAGE, MADV_DONTNEED));
	poison_make();
}

static void poison_used_verify(void)
{
	poison_verify();
	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 1) &&
	     mm_is_put(mem + 6 * PAGE, 2));
}

/* It is about one mapping, not about what is mapped. */
static void poison_shared_make(void)
{
	int fd = mm_memfd(8);

	mem = mm_map_file(fd, 8, RW, MAP_SHARED, 0);
	mm_put(mem, 8);
	mem2 = mm_map_file(fd, 8, RW, MAP_SHARED, 0);
	close(fd);
	MUST(!madvise(mem, 8 * PAGE, MADV_DONTNEED));
	poison_make();
}

static void poison_shared_verify(void)
{
	poison_verify();
	MUST(mm_is_put(mem, 2) && mm_is_put(mem + 4 * PAGE, 1));
	MUST(!memcmp(mem + 6 * PAGE, mem2 + 6 * PAGE, 2 * PAGE));
	MUST(!mm_fault(mem2 + 2 * PAGE, false));
	MUST(!madvise(mem, 8 * PAGE, MADV_DONTNEED) && mm_is_put(mem, 8));
}

static void poison_of_file_make(void)
{
	int fd = mm_memfd(8);

	mem = mm_map_file(fd, 8, RW, MAP_PRIVATE, 0);
	close(fd);
	poison_make();
}

/* All the rest is there, and stays. */
static void poison_locked_make(void)
{
	mem = mm_anon(8);
	mm_put(mem, 1);
	MUST(!mlock(mem, 8 * PAGE));
	MUST(!madvise(mem + 2 * PAGE, 2 * PAGE, MADV_DONTNEED_LOCKED));
	MUST(!madvise(mem + 5 * PAGE, PAGE, MADV_DONTNEED_LOCKED));
	poison_make();
}

static void poison_locked_verify(void)
{
	unsigned char in[8];

	MUST(mm_value("/proc/self/status", "VmLck:") == 8 * PAGE / 1024);
	MUST(!mincore(mem, 8 * PAGE, in));
	MUST(in[0] & in[1] & in[4] & in[6] & in[7] & 1);
	poison_verify();
	MUST(mm_is_put(mem, 1));
}

#define SCATTERED	1200UL

/* Every other page, in several page tables. */
static void poison_scattered_make(void)
{
	size_t i;

	mem = mm_anon(SCATTERED);
	for (i = 0; i < SCATTERED; i += 2)
		MUST(ckpt_poison(mem + i * PAGE, PAGE));
	mm_put(mem + 701 * PAGE, 1);
}

static void poison_scattered_verify(void)
{
	size_t i;

	for (i = 0; i < SCATTERED; i++)
		MUST(mm_fault(mem + i * PAGE, false) == (i % 2 ? 0 : SIGBUS));
	MUST(mm_is_put(mem + 701 * PAGE, 1) && mm_is_zero(mem + 703 * PAGE, 1));
}

FIXTURE(poison)
{
	pid_t pid;
};

FIXTURE_VARIANT(poison)
{
	struct mm_case c;
};

#define POISON_AS(name, check)						\
	FIXTURE_VARIANT_ADD(poison, name)				\
	{								\
		.c = { poison_##name##_make, check },			\
	}
#define POISON(name)	POISON_AS(name, poison_##name##_verify)

POISON(untouched);
POISON(used);
POISON(shared);
POISON_AS(of_file, poison_verify);
POISON(locked);
POISON(scattered);

FIXTURE_SETUP(poison)
{
	self->pid = mm_start(_metadata, &variant->c);
}

FIXTURE_TEARDOWN(poison)
{
	mm_tidy(self->pid);
}

/* What was restored is as good to be saved as what was not. */
TEST_F(poison, comes_back)
{
	ckpt_save_and_kill(_metadata, self->pid);
	mm_bring_back(_metadata, self->pid);
	ckpt_save_and_kill(_metadata, self->pid);
	mm_bring_back(_metadata, self->pid);
	mm_ends_well(_metadata, &self->pid);
}

TEST_F(poison, goes_on)
{
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0))
		TH_LOG("%s", ckpt_log_text);
	mm_ends_well(_metadata, &self->pid);
}

/* ---- hardware errors ------------------------------------------------------- */

static void on_error(int sig)
{
}

/* Page 3 of eight is lost; who uses it is told so at once. */
static void broken_make(void)
{
	struct sigaction sa = { .sa_handler = on_error };

	mm_put(mem, 8);
	MUST(!sigaction(SIGBUS, &sa, NULL));
	errno = 0;
	if (madvise(mem + 3 * PAGE, PAGE, MADV_HWPOISON)) {
		MUST(errno == EINVAL);
		skip_program("no recovery from hardware errors");
	}
	sa.sa_handler = SIG_DFL;
	MUST(!sigaction(SIGBUS, &sa, NULL));
}

static void broken_private_make(void)
{
	mem = mm_anon(8);
	broken_make();
}

static void broken_shared_make(void)
{
	mem = mmap(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED);
	broken_make();
}

static void broken_verify(void)
{
	MUST(mm_is_put(mem, 3) && mm_is_put(mem + 4 * PAGE, 4));
	MUST(mm_fault(mem + 3 * PAGE, false) == SIGBUS);
}

FIXTURE(broken)
{
	pid_t pid;
};

FIXTURE_VARIANT(broken)
{
	struct mm_case c;
	const char *words;
};

FIXTURE_VARIANT_ADD(broken, private) {
	.c = { broken_private_make, broken_verify }, .words = "address",
};

FIXTURE_VARIANT_ADD(broken, shared) {
	.c = { broken_shared_make, broken_verify },
	/* Of which the page tables are looked at first. */
	.words = CKPT_LIVE ? "address" : "/dev/zero (deleted) at 12288",
};

FIXTURE_SETUP(broken)
{
	self->pid = mm_start(_metadata, &variant->c);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

FIXTURE_TEARDOWN(broken)
{
	mm_tidy(self->pid);
}

TEST_F(broken, is_refused)
{
	const char *const words[] = {
		variant->words, "the memory is broken (hardware error)", NULL
	};

	EXPECT_EQ(-EIO, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	mm_ends_well(_metadata, &self->pid);
}

/* ---- what refuses -------------------------------------------------------- */

FIXTURE(refused)
{
	pid_t pid;
};

FIXTURE_VARIANT(refused)
{
	struct mm_case c;
	const char *words;
	bool mapping;
};

static void refused_begin(void)
{
	mem2 = mm_anon(4);
	mem = mm_map(mm_place(4), 4, RW, MAP_FIXED);
	MUST(mem && mem2);
	mm_put(mem, 4);
	mm_put(mem2, 4);
	errno = 0;
}

/* Tells the test which mapping it is about. */
static void refused_end(bool ok)
{
	if (!ok && (errno == ENOSYS || errno == ENOSPC || errno == ENOENT))
		skip_program("cannot be made here");
	MUST(ok);
	dprintf(log_fd, "mapping %lx-", (unsigned long)mem);
}

static void refused_verify(void)
{
	MUST(mm_is_put(mem2, 4));
}

#define REFUSED_AS(name, is_mapping, text, make)			\
	static void name##_make(void)					\
	{								\
		refused_begin();					\
		refused_end(make);					\
	}								\
	FIXTURE_VARIANT_ADD(refused, name)				\
	{								\
		.c = { name##_make, refused_verify },			\
		.words = text,						\
		.mapping = is_mapping,					\
	}

/* Of the mapping at mem; of the process. */
#define REFUSED(name, words, make)	REFUSED_AS(name, true, words, make)
#define REFUSED_ALL(name, words, make)	REFUSED_AS(name, false, words, make)

/* The errno of @fd counts, if that is what failed. */
static bool map(size_t size, int flags, int fd)
{
	int was = errno;

	mem = mmap(NULL, size, RW, flags, fd, 0);
	errno = was ?: errno;
	return mem != MAP_FAILED;
}

/* Of struct io_uring_params, and room for more. */
static char ring[512];

/* Before it is taken to pieces: nothing of libc that needs it comes after. */
static bool vdso(const char *name)
{
	mem = mm_find(name, &nr);
	return mem;
}

REFUSED(uffd_missing, "is watched by a userfaultfd",
	mm_userfault(mem, UFFDIO_REGISTER_MODE_MISSING));
REFUSED(uffd_wp, "is write-protected by a userfaultfd",
	mm_userfault(mem, UFFDIO_REGISTER_MODE_WP));
REFUSED(uffd_minor, "is watched by a userfaultfd",
	map(PAGE, MAP_SHARED, mm_memfd(1)) &&
	mm_userfault(mem, UFFDIO_REGISTER_MODE_MINOR));
REFUSED(io_uring, ": io_uring_fops cannot be saved yet",
	map(PAGE, MAP_SHARED, syscall(SYS_io_uring_setup, 1, ring)));
REFUSED(sysv, ": shm_file_operations cannot be saved yet",
	(mem = mm_sysv()) != MAP_FAILED);
REFUSED(secret, ": secretmem_fops cannot be saved yet",
	map(PAGE, MAP_SHARED, syscall(__NR_memfd_secret, 0)));
REFUSED(real_device, "/resource4 maps a device (VM_PFNMAP), which cannot be saved yet",
	(mem = mm_device()) != MAP_FAILED);
REFUSED(aio, ": aio_ring_fops cannot be saved yet",
	(mem = NULL, !syscall(SYS_io_setup, 1, &mem)));

#define PARTS	"has moved or changed parts of its vdso, which cannot be saved"

REFUSED_ALL(vdso_text_moved, PARTS, vdso("[vdso]") &&
	    mremap(mem, nr, nr, MREMAP_MAYMOVE | MREMAP_FIXED,
		   mm_place(nr / PAGE)) != MAP_FAILED);
REFUSED_ALL(vdso_no_text, PARTS, vdso("[vdso]") && !munmap(mem, nr));
REFUSED_ALL(vdso_no_data, PARTS, vdso("[vvar]") && !munmap(mem, nr));
REFUSED_ALL(vdso_sealed, PARTS, vdso("[vdso]") &&
	    !syscall(__NR_mseal, mem, nr, 0));
REFUSED_AS(vdso_policy, true,
	   "is part of the vdso and has a memory policy, which cannot be saved yet",
	   vdso("[vdso]") && !syscall(SYS_mbind, mem, nr, MPOL_BIND,
				      &(unsigned long){ 1 }, 8, 0));
REFUSED_ALL(vdso_other_flags, PARTS, vdso("[vdso]") &&
	    !mprotect(mem, nr, RW | PROT_EXEC));
REFUSED_ALL(vdso_written, PARTS, vdso("[vdso]") && mm_poke(mem));

FIXTURE_SETUP(refused)
{
	self->pid = mm_start(_metadata, &variant->c);
	if (why_skipped())
		SKIP(return, "%s", why_skipped());
}

FIXTURE_TEARDOWN(refused)
{
	mm_tidy(self->pid);
}

/* The log says why, and nothing else happens. */
TEST_F(refused, by_name)
{
	struct picture before, after;
	const char *const line[] = {
		variant->mapping ? log_text() : "pid ", variant->words, NULL
	};

	ASSERT_TRUE(picture_take(&before, self->pid))
		TH_LOG("%s", picture_text);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(line))
		TH_LOG("%s%s", log_text(), ckpt_log_text);
	ASSERT_TRUE(picture_take(&after, self->pid))
		TH_LOG("%s", picture_text);
	EXPECT_TRUE(picture_same(&before, &after, false))
		TH_LOG("%s", picture_text);
	mm_ends_well(_metadata, &self->pid);
}

/* ---- the comparison itself ----------------------------------------------- */

static void changes_make(void)
{
	cpu_set_t cpu;

	/* On another CPU, the kernel writes its number into the rseq area. */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	MUST(!sched_setaffinity(0, sizeof(cpu), &cpu));
	mem = mm_anon(8);
	mm_put(mem, 4);
	mm_stop();
	mem[PAGE + 17] ^= 1;				/* 0: contents */
	mm_stop();
	mem[5 * PAGE] = 1;				/* 1: one page more */
	mm_stop();
	madvise(mem + 2 * PAGE, PAGE, MADV_DONTNEED);	/* 2: one page less */
	mm_stop();
	madvise(mem, 8 * PAGE, MADV_DONTFORK);		/* 3: flags */
	mm_stop();
	munmap(mem + 7 * PAGE, PAGE);			/* 4: mappings */
	mm_stop();
	prctl(PR_SET_MM, PR_SET_MM_START_STACK, &cpu, 0, 0);	/* 5: layout */
	mm_stop();
	memset(mem + 3 * PAGE, 0, PAGE);		/* 6: zeros, kept */
}

/* Each of these changes would be seen, and nothing else is. */
TEST(comparison_sees_changes)
{
	static const struct mm_case c = { changes_make, nothing };
	static const char *const words[] = {
		"has other contents", "was no page of its own", "is lost",
		"smaps differs", "maps differs", "stat differs",
		"of zeros takes memory",
	};
	struct picture a, b;
	pid_t pid = mm_start(_metadata, &c);
	int i;

	ASSERT_TRUE(picture_take(&a, pid));
	for (i = 0; i < 7; i++) {
		ASSERT_TRUE(picture_take(&b, pid));
		EXPECT_TRUE(picture_same(&a, &b, false))
			TH_LOG("%d: %s", i, picture_text);
		picture_free(&b);
		kill(pid, SIGCONT);
		ASSERT_TRUE(mm_wait_stop(pid));
		ASSERT_TRUE(picture_take(&b, pid));
		if (i == 6) {
			picture_free(&a);
			ASSERT_TRUE(picture_take(&a, pid));
		}
		EXPECT_FALSE(picture_same(&a, &b, i == 6));
		EXPECT_NE(NULL, strstr(picture_text, words[i]))
			TH_LOG("%d: %s", i, picture_text);
		picture_free(&a);
		a = b;
	}
	mm_ends_well(_metadata, &pid);
	picture_free(&a);
	mm_tidy(pid);
}

TEST_HARNESS_MAIN
