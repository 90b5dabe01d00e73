// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that fork() left in common: it stands in the image once and is in
 * common again after a restart, until somebody writes to it. What one writes no
 * other sees.
 *
 * The memory of a program is slots: page p belongs to slot p % SLOTS. Each
 * process knows what it has in each slot, as its own variable, and so what each
 * page must hold.
 */
/* Addresses are offsets in /proc/PID/mem. */
#define _FILE_OFFSET_BITS 64
#include "tree_program.h"
#include "bad_image.h"
#include "picture.h"
#include "pressure.h"

#define SLOTS		64
#define MIB		(1UL << 20)
#define WORDS		(PAGE / sizeof(uint64_t))

/* ---- in the program ------------------------------------------------------------ */

static uint64_t *mem;
static unsigned long nr_pages;
static unsigned char version[SLOTS];

static uint64_t word(unsigned long page, unsigned int v)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL + v;
}

static void write_page(unsigned long page)
{
	uint64_t w = word(page, version[page % SLOTS]);

	mem[page * WORDS] = w;
	mem[page * WORDS + WORDS / 2] = ~w;
	mem[page * WORDS + WORDS - 1] = w;
}

static bool page_ok(unsigned long page)
{
	uint64_t w = word(page, version[page % SLOTS]);

	return mem[page * WORDS] == w && mem[page * WORDS + WORDS / 2] == ~w &&
	       mem[page * WORDS + WORDS - 1] == w && !mem[page * WORDS + 1];
}

static void write_pages(void)
{
	unsigned long p;

	for (p = 0; p < nr_pages; p++)
		write_page(p);
}

/* What it is made of, -1: it has no file. */
static int memory_fd = -1;

static void make_memory(unsigned long mib)
{
	int flags = memory_fd < 0 ? MAP_ANONYMOUS : 0;

	nr_pages = mib * MIB / PAGE;
	mem = mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | flags, memory_fd, 0);
	MUST(mem != MAP_FAILED);
	/* Without that a neighbour would make it a mapping with other bounds. */
	MUST(!madvise(mem, mib * MIB, MADV_NOHUGEPAGE));
	write_pages();
}

static void write_slot(unsigned int slot, unsigned int v)
{
	unsigned long p;

	version[slot] = v;
	for (p = slot; p < nr_pages; p += SLOTS)
		write_page(p);
}

static void check_pages(unsigned long from, unsigned long to)
{
	unsigned long p;

	for (p = from; p < to; p++)
		MUST(page_ok(p));
}

static void check_memory(void)
{
	check_pages(0, nr_pages);
}

static int count_lines(const char *line)
{
	char text[4096];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
	const char *p;
	int nr = 0;

	text[n > 0 ? n : 0] = 0;
	for (p = text; (p = strstr(p, line)); p++)
		nr++;
	return nr;
}

/* All @nr come here before one goes on. */
static void meet(const char *line, int nr)
{
	MUST(write(log_fd, line, strlen(line)) == strlen(line));
	while (count_lines(line) < nr)
		ckpt_sleep_ms(2);
}

static void no_change(void)
{
}

/* Who @me of @nr says it is there; afterwards writes what only it shall see. */
static void live(int me, int nr, void (*change)(void))
{
	ready();
	wait_go();
	check_memory();
	write_slot(40, 100 + me);
	write_slot(41 + me % 16, 100 + me);
	meet("wrote\n", nr);
	check_memory();
	change();
}

static void wait_children(void)
{
	int status;

	while (wait(&status) > 0)
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
	MUST(errno == ECHILD);
}

static pid_t child(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	return pid;
}

/* A child and its parent, each of whom does something first. */
static void live_two(void (*of_child)(void), void (*of_parent)(void))
{
	if (!child()) {
		of_child();
		live(1, 2, no_change);
		_exit(GOOD);
	}
	of_parent();
	live(0, 2, no_change);
	wait_children();
}

/* Eight children and a child of the first, each with changes of its own. */
#define FAMILY		10

static void family(void)
{
	int i;

	make_memory(32);
	for (i = 1; i <= 8; i++) {
		if (child())
			continue;
		write_slot(i, i);
		if (i == 1 && !child()) {
			write_slot(20, 9);
			live(9, FAMILY, no_change);
			_exit(GOOD);
		}
		live(i, FAMILY, no_change);
		if (i == 1)
			wait_children();
		_exit(GOOD);
	}
	/* Nor do they see what the parent has written since. */
	write_slot(30, 30);
	live(0, FAMILY, no_change);
	wait_children();
}

/* Anonymous memory, too, but that it has a file. */
static void zero_device(void)
{
	memory_fd = open("/dev/zero", O_RDWR);
	MUST(memory_fd >= 0);
	family();
}

#define PRIVATE_FILE	"/tmp/cow.file"
#define HIDDEN		(256 * 1024UL)

/* Copies of the pages of a file, of which some hide with zeros what the file has. */
static void private_file(void)
{
	char text[PAGE];
	unsigned long i;

	memory_fd = open(PRIVATE_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(memory_fd >= 0 && !ftruncate(memory_fd, 8 * MIB));
	memset(text, 'x', PAGE);
	for (i = 8 * MIB - HIDDEN; i < 8 * MIB; i += PAGE)
		MUST(pwrite(memory_fd, text, PAGE, i) == PAGE);
	make_memory(8);
	nr_pages -= HIDDEN / PAGE;
	memset(mem + nr_pages * WORDS, 0, HIDDEN);
	for (i = 1; i <= 3; i++) {
		if (child())
			continue;
		write_slot(i, i);
		live(i, 4, no_change);
		for (i = nr_pages * WORDS; i < 8 * MIB / 8; i++)
			MUST(!mem[i]);
		_exit(GOOD);
	}
	write_slot(30, 30);
	live(0, 4, no_change);
	wait_children();
	MUST(!unlink(PRIVATE_FILE));
}

/* Who made the memory is gone: first a zombie, then not even that. */
static void orphans_of(bool zombie)
{
	siginfo_t si;
	pid_t parent;
	int i;

	MUST(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = child();
	if (!parent) {
		make_memory(8);
		for (i = 1; i <= 4; i++) {
			if (child())
				continue;
			write_slot(i, i);
			/* In common with the third, but not with the first. */
			if (i == 1)
				write_slot(50, 1);
			live(i, 4, no_change);
			_exit(GOOD);
		}
		_exit(GOOD);
	}
	MUST(!waitid(P_PID, parent, &si, WEXITED | (zombie ? WNOWAIT : 0)));
	wait_children();
}

static void orphans(void)
{
	orphans_of(false);
}

static void zombie_parent(void)
{
	orphans_of(true);
}

static void middle_forks(void)
{
	unsigned int i;

	if (!child()) {
		for (i = 0; i < 32; i++)
			write_slot(i, 1);
		if (!child()) {
			live(2, 3, no_change);
			_exit(GOOD);
		}
		for (i = 32; i < SLOTS; i++)
			write_slot(i, 2);
		live(1, 3, no_change);
		wait_children();
		_exit(GOOD);
	}
	live(0, 3, no_change);
	wait_children();
}

/* One that shares with the root and with its parent, who share nothing. */
static void middle(void)
{
	make_memory(8);
	middle_forks();
}

/* All know what they have written since, and had written before their fork. */
static void soft_dirty(void)
{
	make_memory(8);
	MUST(ckpt_write_text("/proc/self/clear_refs", "4"));
	middle_forks();
}

/* It lies somewhere else in a child, before or after it was forked. */
static void moved_by(bool before, unsigned long skip)
{
	void *to, *at;

	if (before)
		make_memory(8);
	if (!child()) {
		to = mmap(NULL, 8 * MIB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		MUST(to != MAP_FAILED);
		at = mremap((char *)mem + skip, 8 * MIB - skip, 8 * MIB - skip,
			    MREMAP_MAYMOVE | MREMAP_FIXED, (char *)to + skip);
		MUST(at == (char *)to + skip);
		if (skip) {
			/* Both parts are known by the same name. */
			at = mremap(mem, skip, skip,
				    MREMAP_MAYMOVE | MREMAP_FIXED, to);
			MUST(at == to);
		}
		mem = to;
		live(1, 2, no_change);
		_exit(GOOD);
	}
	live(0, 2, no_change);
	wait_children();
}

static void moved(void)
{
	moved_by(true, 0);
}

static void moved_in_parts(void)
{
	moved_by(true, 3 * MIB);
}

/* Moved by the parent before: its pages are known by another address. */
static void moved_parent(void)
{
	void *to;

	make_memory(8);
	to = mremap(mem, 8 * MIB, 8 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0));
	MUST(to != MAP_FAILED);
	mem = to;
	live_two(no_change, no_change);
}

/* Parts of it are gone, or may no longer be written to. */
static void torn_child(unsigned long gone, unsigned long nr)
{
	ready();
	wait_go();
	check_pages(0, gone);
	check_pages(gone + nr, nr_pages);
	meet("wrote\n", 3);
	check_pages(0, gone);
	check_pages(gone + nr, nr_pages);
	_exit(GOOD);
}

static void torn(void)
{
	char *m;

	make_memory(8);
	m = (char *)mem;
	if (!child()) {
		MUST(!munmap(m + 2 * MIB, MIB));
		torn_child(2 * MIB / PAGE, MIB / PAGE);
	}
	if (!child()) {
		MUST(!mprotect(m + MIB, MIB, PROT_READ));
		MUST(!mprotect(m + 4 * MIB, MIB, PROT_NONE));
		ready();
		wait_go();
		check_pages(0, 4 * MIB / PAGE);
		MUST(!mprotect(m, 8 * MIB, PROT_READ | PROT_WRITE));
		check_memory();
		write_slot(40, 7);
		meet("wrote\n", 3);
		check_memory();
		_exit(GOOD);
	}
	MUST(!mprotect(m + 6 * MIB, MIB, PROT_READ));
	ready();
	wait_go();
	check_memory();
	MUST(!mprotect(m + 6 * MIB, MIB, PROT_READ | PROT_WRITE));
	write_slot(40, 8);
	meet("wrote\n", 3);
	check_memory();
	wait_children();
}

/* What is not inherited is not there, or zeros, and stays so. */
static void not_inherited(void)
{
	unsigned long i;
	char *gone, *wiped, *m;
	unsigned char vec;

	make_memory(8);
	m = mmap(NULL, 6 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(m != MAP_FAILED);
	gone = m + MIB;
	wiped = m + 3 * MIB;
	memset(m, 'x', 6 * MIB);
	MUST(!madvise(gone, MIB, MADV_DONTFORK));
	MUST(!madvise(wiped, MIB, MADV_WIPEONFORK));
	if (!child()) {
		live(1, 2, no_change);
		MUST(mincore(gone, PAGE, &vec) && errno == ENOMEM);
		for (i = 0; i < MIB; i += PAGE)
			MUST(!wiped[i] && m[i] == 'x');
		_exit(GOOD);
	}
	live(0, 2, no_change);
	for (i = 0; i < 6 * MIB; i += PAGE)
		MUST(m[i] == 'x');
	wait_children();
}

/* Not to be inherited any more since: what they have in common they keep. */
static void late_advice(void)
{
	make_memory(8);
	if (!child()) {
		MUST(!madvise(mem, 2 * MIB, MADV_WIPEONFORK));
		live(1, 2, no_change);
		_exit(GOOD);
	}
	MUST(!madvise((char *)mem + 4 * MIB, 2 * MIB, MADV_DONTFORK));
	live(0, 2, no_change);
	wait_children();
}

/* Of a region one of three has other advice; every other slot only two have. */
static void advice_between(void)
{
	unsigned int i;

	make_memory(8);
	if (!child()) {
		MUST(!madvise(mem, 2 * MIB, MADV_WIPEONFORK));
		live(1, 3, no_change);
		_exit(GOOD);
	}
	if (!child()) {
		live(2, 3, no_change);
		_exit(GOOD);
	}
	for (i = 0; i < SLOTS; i += 2)
		write_slot(i, 5);
	live(0, 3, no_change);
	wait_children();
}

/* Locked, which a child does not inherit; parts of it will not be written to. */
static void locked(void)
{
	int i;

	make_memory(8);
	MUST(!mprotect((char *)mem + 6 * MIB, MIB, PROT_READ));
	MUST(!mlock(mem, 8 * MIB));
	for (i = 1; i <= 3; i++) {
		if (child())
			continue;
		MUST(!mprotect((char *)mem + 6 * MIB, MIB, PROT_READ | PROT_WRITE));
		write_slot(i, i);
		/* What it has of its own, or will not write to, stays as it is. */
		if (i == 2)
			MUST(!mprotect(mem, 8 * MIB, PROT_READ) &&
			     !mlock(mem, 8 * MIB) &&
			     !mprotect(mem, 8 * MIB, PROT_READ | PROT_WRITE));
		if (i == 3)
			MUST(!mlock2(mem, 8 * MIB, MLOCK_ONFAULT));
		live(i, 4, no_change);
		_exit(GOOD);
	}
	ready();
	wait_go();
	check_memory();
	MUST(!mprotect((char *)mem + 6 * MIB, MIB, PROT_READ | PROT_WRITE));
	write_slot(40, 8);
	meet("wrote\n", 4);
	check_memory();
	wait_children();
}

/* Each child has the memory as it was then, a slot later than the one before. */
static void snapshots(void)
{
	int i;

	make_memory(8);
	for (i = 1; i <= 8; i++) {
		if (!child()) {
			live(i, 9, no_change);
			_exit(GOOD);
		}
		write_slot(i * 4, i);
		write_slot(i * 4 + 1, i);
	}
	live(0, 9, no_change);
	wait_children();
}

static void fork_more(void)
{
	if (!child()) {
		check_memory();
		write_slot(60, 60);
		if (!child()) {
			check_memory();
			write_slot(61, 61);
			check_memory();
			_exit(GOOD);
		}
		check_memory();
		wait_children();
		_exit(GOOD);
	}
	write_slot(62, 62);
	check_memory();
}

/* They fork again after the restart. */
static void forks_again(void)
{
	make_memory(8);
	if (!child()) {
		write_slot(1, 1);
		live(1, 2, fork_more);
		wait_children();
		_exit(GOOD);
	}
	live(0, 2, fork_more);
	wait_children();
}

static void make_huge(void)
{
	char *m = mmap(NULL, 10 * MIB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(m != MAP_FAILED);
	mem = (void *)(((uintptr_t)m + 2 * MIB - 1) & -(2 * MIB));
	MUST(!madvise(mem, 8 * MIB, MADV_HUGEPAGE));
	nr_pages = 8 * MIB / PAGE;
	write_pages();
}

/* Huge pages in common; one that is of zeros for the most part. */
static void huge_whole(void)
{
	make_huge();
	memset(mem + 100 * WORDS, 0, MIB);
	nr_pages = 100;
	live_two(no_change, no_change);
}

/* Of one the parent has parts only. */
static void huge_of_child(void)
{
	make_huge();
	if (!child()) {
		live(1, 2, no_change);
		MUST(!mem[5]);
		_exit(GOOD);
	}
	mem[5] = 5;
	live(0, 2, no_change);
	MUST(mem[5] == 5);
	wait_children();
}

/* Of one the child has parts only. */
static void huge(void)
{
	make_huge();
	if (!child()) {
		mem[5] = 5;
		live(1, 2, no_change);
		MUST(mem[5] == 5);
		_exit(GOOD);
	}
	live(0, 2, no_change);
	MUST(!mem[5]);
	wait_children();
}

/* ---- in the test ------------------------------------------------------------------ */

#define CHILDREN	32

/* Returns their number. */
static int children_of(pid_t pid, pid_t *child)
{
	char path[64], text[4096], *p, *end;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (ckpt_read_text(path, text, sizeof(text)) <= 0)
		return 0;
	for (p = text; nr < CHILDREN; p = end) {
		child[nr] = strtol(p, &end, 10);
		if (end == p)
			break;
		nr++;
	}
	return nr;
}

/* What @of says of a process and all below it. */
static long tree_sum(pid_t pid, long (*of)(pid_t pid, const char *name),
		     const char *name)
{
	long sum = of(pid, name);
	pid_t child[CHILDREN];
	int i, nr;

	nr = children_of(pid, child);
	for (i = 0; i < nr; i++)
		sum += tree_sum(child[i], of, name);
	return sum;
}

static long value_of(pid_t pid, const char *name)
{
	char path[64], text[4096], *p;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	if (ckpt_read_text(path, text, sizeof(text)) <= 0)
		return 0;
	p = strstr(text, name);
	return p ? atol(p + strlen(name)) : 0;
}

/* In KiB. */
static long tree_value(pid_t pid, const char *name)
{
	return tree_sum(pid, value_of, name);
}

/* Without the pages of files: they come back when they are looked at. */
static long tree_pss(pid_t pid)
{
	long was, is = -1;

	/* Who has just lost a parent may be found by neither. */
	do {
		was = is;
		ckpt_sleep_ms(20);
		is = tree_value(pid, "\nPss_Anon:");
	} while (is != was);
	return is;
}

static long image_kib(void)
{
	struct stat st;

	return stat(CKPT_IMG, &st) ? -1 : st.st_size >> 10;
}

PROGRAM_FIXTURE(cow, begin_tree, end_tree);

FIXTURE_VARIANT(cow)
{
	void (*program)(void);
	int ready;
	long huge;	/* KiB that come back as huge pages */
};

#define VARIANT(fixture, name, nr, ...)				\
FIXTURE_VARIANT_ADD(fixture, name)				\
{								\
	.program = name,					\
	.ready = nr,						\
	__VA_ARGS__						\
}

VARIANT(cow, family, FAMILY);
VARIANT(cow, zero_device, FAMILY);
VARIANT(cow, private_file, 4);
VARIANT(cow, orphans, 4);
VARIANT(cow, zombie_parent, 4);
VARIANT(cow, middle, 3);
VARIANT(cow, moved, 2);
VARIANT(cow, moved_in_parts, 2);
VARIANT(cow, moved_parent, 2);
VARIANT(cow, torn, 3);
VARIANT(cow, not_inherited, 2);
VARIANT(cow, late_advice, 2);
VARIANT(cow, advice_between, 3);
VARIANT(cow, locked, 4);
VARIANT(cow, snapshots, 9);
VARIANT(cow, forks_again, 2);
VARIANT(cow, huge, 2, .huge = 2 * 6144);
VARIANT(cow, huge_whole, 2, .huge = 2 * 8192);
VARIANT(cow, huge_of_child, 2, .huge = 2 * 6144);

static void expect_pss(struct __test_metadata *_metadata, pid_t pid, long was)
{
	long is = tree_pss(pid);

	EXPECT_LE(labs(is - was) * 100, was * 2) {
		TH_LOG("%ld KiB, it was %ld", is, was);
	}
}

/* What was restored is as good to be saved as what was not. */
TEST_F(cow, comes_back)
{
	long was;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	was = tree_pss(self->pid);
	kill_and_restart(_metadata, &self->pid, false);
	/* The bytes of a page stand in it once; more than that is metadata. */
	EXPECT_LE(image_kib(), was + was / 20);
	expect_pss(_metadata, self->pid, was);
	EXPECT_EQ(variant->huge, tree_value(self->pid, "\nAnonHugePages:"));
	kill_and_restart(_metadata, &self->pid, false);
	EXPECT_LE(image_kib(), was + was / 20);
	expect_pss(_metadata, self->pid, was);
	tree_ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(cow_saved, begin_tree, end_tree);

/* Of all that they have, as tools show it. */
TEST_F(cow_saved, total)
{
	long was, is;

	self->pid = start_tree(_metadata, family, FAMILY, false);
	was = tree_value(self->pid, "\nPss:");
	kill_and_restart(_metadata, &self->pid, false);
	is = tree_value(self->pid, "\nPss:");
	EXPECT_LE(labs(is - was) * 100, was * 2) {
		TH_LOG("%ld KiB, it was %ld", is, was);
	}
	tree_ends_well(_metadata, &self->pid);
}

/* A checkpoint alone changes nothing. */

TEST_F(cow_saved, goes_on)
{
	long was;

	self->pid = start_tree(_metadata, middle, 3, false);
	was = tree_pss(self->pid);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	expect_pss(_metadata, self->pid, was);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what each of them looks like from outside ------------------------------------- */

#define PICTURES	16

struct pictures {
	int nr;
	pid_t pid[PICTURES];
	struct picture picture[PICTURES];
};

/*
 * All of the tree from @pid on; false if one is not there or does not stop. One that
 * is dead is seen if its parent was stopped before it could wait for it.
 */
static bool find_tree(pid_t pid, struct pictures *all)
{
	pid_t child[CHILDREN];
	int i, nr;

	if (all->nr == PICTURES)
		return false;
	if (!ckpt_wait_state(pid, 'T'))
		return ckpt_state(pid) == 'Z';
	all->pid[all->nr++] = pid;
	nr = children_of(pid, child);
	for (i = 0; i < nr; i++)
		if (!find_tree(child[i], all))
			return false;
	return true;
}

static void take_pictures(struct __test_metadata *_metadata, pid_t pid,
			  struct pictures *all)
{
	int i;

	all->nr = 0;
	ASSERT_TRUE(find_tree(pid, all));
	picture_of_tree = true;
	for (i = 0; i < all->nr; i++)
		ASSERT_TRUE(picture_take(&all->picture[i], all->pid[i])) {
			TH_LOG("%d: %s", i, picture_text);
		}
}

PROGRAM_FIXTURE(cow_picture, begin_tree, end_tree);

FIXTURE_VARIANT(cow_picture)
{
	void (*program)(void);
	int ready;
};

VARIANT(cow_picture, orphans, 4);
VARIANT(cow_picture, private_file, 4);
VARIANT(cow_picture, middle, 3);
VARIANT(cow_picture, soft_dirty, 3);
VARIANT(cow_picture, moved_in_parts, 2);
VARIANT(cow_picture, torn, 3);
VARIANT(cow_picture, not_inherited, 2);
VARIANT(cow_picture, huge_whole, 2);

TEST_F(cow_picture, is_the_same)
{
	static struct pictures before, after;
	int i;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	ASSERT_EQ(0, kill(-self->pid, SIGSTOP));
	take_pictures(_metadata, self->pid, &before);
	ASSERT_LE(variant->ready, before.nr);
	kill_and_restart(_metadata, &self->pid, false);
	take_pictures(_metadata, self->pid, &after);
	ASSERT_EQ(before.nr, after.nr);
	for (i = 0; i < before.nr; i++) {
		EXPECT_EQ(before.pid[i], after.pid[i]);
		EXPECT_TRUE(picture_same(&before.picture[i], &after.picture[i],
					 true)) {
			TH_LOG("%d of %d: %s", i, before.nr, picture_text);
		}
		picture_free(&before.picture[i]);
		picture_free(&after.picture[i]);
	}
	ASSERT_EQ(0, kill(-self->pid, SIGCONT));
	tree_ends_well(_metadata, &self->pid);
}

/* ---- reclaim and migration --------------------------------------------------------- */

#define SWAP_MIB	96

/* Until so much of the tree is in swap; it may take more than one look at it. */
static bool push_out(pid_t pid, long kib)
{
	char text[32];
	int i;

	for (i = 0; i < 50 && tree_value(pid, "\nSwap:") < kib; i++) {
		snprintf(text, sizeof(text), "%ldK", kib);
		ckpt_write_text(GROUP "/memory.reclaim", text);
	}
	return tree_value(pid, "\nSwap:") >= kib;
}

static void begin_swap(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(enter_group());
	ASSERT_TRUE(swap_on(SWAP_MIB));
}

static void end_swap(pid_t pid)
{
	end_tree(pid);
	leave_group();
	swap_off();
}

PROGRAM_FIXTURE(cow_swap, begin_swap, end_swap);

FIXTURE_VARIANT(cow_swap)
{
	void (*program)(void);
	int ready;
};

VARIANT(cow_swap, private_file, 4);
VARIANT(cow_swap, orphans, 4);
VARIANT(cow_swap, moved_in_parts, 2);

/*
 * A page in common goes to swap only if all mappings of it are found, and then
 * counts for each of them.
 */
TEST_F(cow_swap, pushed_out_after)
{
	long was;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	kill_and_restart(_metadata, &self->pid, false);
	unlink(CKPT_IMG);
	was = tree_value(self->pid, "\nRss:");
	EXPECT_TRUE(push_out(self->pid, was / 2));
	EXPECT_GT(was * 3 / 4, tree_value(self->pid, "\nRss:"));
	tree_ends_well(_metadata, &self->pid);
}

/* In swap when they are saved. */
TEST_F(cow_swap, pushed_out_before)
{
	long was;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	was = tree_pss(self->pid);
	EXPECT_TRUE(push_out(self->pid, was / 2));
	kill_and_restart(_metadata, &self->pid, false);
	EXPECT_LE(image_kib(), was + was / 20);
	expect_pss(_metadata, self->pid, was);
	tree_ends_well(_metadata, &self->pid);
}

/* What has been written goes out before another who has it is saved. */
TEST_F(cow_swap, pushed_out_meanwhile)
{
	pid_t pid;
	long was;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	pid = self->pid;
	was = tree_pss(pid);
	ASSERT_TRUE(ckpt_write_text(GROUP "/memory.high", "4M"));
	kill_tree(_metadata, pid);
	ASSERT_TRUE(ckpt_write_text(GROUP "/memory.high", "max"));
	EXPECT_LE(image_kib(), was + was / 20) {
		TH_LOG("%ld KiB, it was %ld", image_kib(), was);
	}
	ASSERT_EQ(pid, restart_image(""));
	expect_pss(_metadata, pid, was);
	tree_ends_well(_metadata, &self->pid);
}

#define MEM_PAGES	(8 * MIB / PAGE)

/* Where in memory the pages of the largest mapping of a process are. */
static bool page_frames(pid_t pid, uint64_t *frame)
{
	unsigned long start, end, best = 0;
	char path[64], line[256];
	ssize_t n;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    end - start == MEM_PAGES * PAGE)
			best = start;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = pread(fd, frame, MEM_PAGES * 8, (off_t)(best / PAGE * 8));
	close(fd);
	return best && n == MEM_PAGES * 8;
}

/* All that can leave the node @from goes to the node @to. */
static bool migrate(pid_t pid, int from, int to)
{
	unsigned long old = 1UL << from, new = 1UL << to;

	return syscall(__NR_migrate_pages, pid, 8 * sizeof(old), &old, &new) >= 0;
}

/* Pages that move in memory move for all who have them. */
TEST_F(cow_saved, migrated)
{
	static uint64_t was[MEM_PAGES], is[MEM_PAGES];
	int i, moved = 0;
	long pss;

	self->pid = start_tree(_metadata, middle, 3, false);
	kill_and_restart(_metadata, &self->pid, false);
	pss = tree_pss(self->pid);
	ASSERT_TRUE(migrate(self->pid, 0, 1));
	ASSERT_TRUE(page_frames(self->pid, was));
	ASSERT_TRUE(migrate(self->pid, 1, 0));
	ASSERT_TRUE(page_frames(self->pid, is));
	for (i = 0; i < MEM_PAGES; i++)
		moved += was[i] != is[i];
	/* Of pages that are on their way elsewhere some stay. */
	EXPECT_LT(MEM_PAGES * 3 / 4, moved);
	expect_pss(_metadata, self->pid, pss);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- large folios -------------------------------------------------------------------- */

#define LARGE_PAGES	16UL
#define LARGE_ENABLED	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
#define KPF_LARGE	(1ULL << 15 | 1ULL << 16)	/* compound: head, tail */

static char large_was[64];

static void begin_large(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	if (ckpt_read_text(LARGE_ENABLED, large_was, sizeof(large_was)) <= 0)
		SKIP(return, "no large folios");
	ASSERT_TRUE(ckpt_write_text(LARGE_ENABLED, "always"));
	/* What came before may have left memory in pieces. */
	ckpt_write_text("/proc/sys/vm/drop_caches", "3");
	ckpt_write_text("/proc/sys/vm/compact_memory", "1");
}

static void end_large(pid_t pid)
{
	end_tree(pid);
	ckpt_set_back(LARGE_ENABLED, large_was);
}

static void make_large(void)
{
	nr_pages = MEM_PAGES;
	mem = mmap(NULL, MEM_PAGES * PAGE + MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED);
	mem = (void *)(((uintptr_t)mem + MIB - 1) & -MIB);
	/* For the bounds of it. */
	MUST(!madvise(mem, MEM_PAGES * PAGE, MADV_RANDOM));
	write_pages();
}

static void large_whole(void)
{
	make_large();
	live_two(no_change, no_change);
}

static void write_five(void)
{
	write_slot(5, 5);
}

/* The child has parts of some. */
static void large_of_parent(void)
{
	make_large();
	live_two(write_five, no_change);
}

/* The parent has parts of some, and so the child comes back with parts. */
static void large_of_child(void)
{
	make_large();
	live_two(no_change, write_five);
}

/* Whom the root has nothing in common with. */
static void large_below(void)
{
	if (!child()) {
		make_large();
		if (!child()) {
			live(2, 2, no_change);
			_exit(GOOD);
		}
		live(1, 2, no_change);
		wait_children();
		_exit(GOOD);
	}
	wait_children();
}

/* How many pages of the memory of a process are parts of large folios. */
static long large_pages_of(pid_t pid, const char *unused)
{
	static uint64_t frame[MEM_PAGES];
	uint64_t flags;
	long i, nr = 0;
	int fd;

	if (!page_frames(pid, frame))
		return 0;
	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	for (i = 0; i < MEM_PAGES; i++)
		if (frame[i] >> 63 &&
		    pread(fd, &flags, 8, (frame[i] & ((1ULL << 55) - 1)) * 8) == 8 &&
		    flags & KPF_LARGE)
			nr++;
	close(fd);
	return nr;
}

static long large_pages(pid_t pid)
{
	return tree_sum(pid, large_pages_of, NULL);
}

PROGRAM_FIXTURE(cow_large, begin_large, end_large);

FIXTURE_VARIANT(cow_large)
{
	void (*program)(void);
	int ready;
	long before;	/* pages of large folios that the tree has, */
	long after;	/* and after a restart */
};

VARIANT(cow_large, large_whole, 2, .before = 2 * MEM_PAGES, .after = 2 * MEM_PAGES);
VARIANT(cow_large, large_of_parent, 2, .before = 2 * MEM_PAGES - MEM_PAGES / SLOTS,
	.after = 2 * MEM_PAGES - MEM_PAGES / SLOTS);
VARIANT(cow_large, large_of_child, 2, .before = 2 * MEM_PAGES - MEM_PAGES / SLOTS,
	.after = 2 * (MEM_PAGES - MEM_PAGES / SLOTS * LARGE_PAGES));
VARIANT(cow_large, large_below, 2, .before = 2 * MEM_PAGES, .after = 2 * MEM_PAGES);

TEST_F(cow_large, comes_back)
{
	long pss;
	int i;

	self->pid = start_tree(_metadata, variant->program, variant->ready, false);
	ASSERT_EQ(variant->before, large_pages(self->pid));
	pss = tree_pss(self->pid);
	for (i = 0; i < 2; i++) {
		kill_and_restart(_metadata, &self->pid, false);
		EXPECT_LE(image_kib(), pss + pss / 20);
		EXPECT_EQ(variant->after, large_pages(self->pid));
		expect_pss(_metadata, self->pid, pss);
	}
	tree_ends_well(_metadata, &self->pid);
}

/* ---- images that lie ------------------------------------------------------------------ */

PROGRAM_FIXTURE(cow_bad, begin_tree, end_tree);

/* A mapping as nobody shares it, besides the memory in common. */
static void with_file(void)
{
	int fd = open("/tmp/cow.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *m;

	make_memory(1);
	MUST(fd >= 0 && !ftruncate(fd, 4 * PAGE));
	m = mmap((void *)0x10000000, 4 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
	MUST(m != MAP_FAILED);
	memset(m, 'f', 4 * PAGE);
	m = mmap((void *)0x10010000, 4 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	MUST(m != MAP_FAILED);
	close(fd);
	m = mmap((void *)0x10020000, 4 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MUST(m != MAP_FAILED);
	live_two(no_change, no_change);
}

static struct ckpt_cow_run *biggest_run(struct ckpt_rec_cow *rec)
{
	struct ckpt_cow_run *run = (void *)((char *)rec + rec->h.fixed);
	struct ckpt_cow_run *best = run;
	uint32_t i;

	for (i = 0; i < rec->nr_runs; i++)
		if (run[i].nr > best->nr)
			best = &run[i];
	return best;
}

TEST_F(cow_bad, runs)
{
	const uint64_t file = 0x10000, shared = 0x10010, empty = 0x10020;
	const uint64_t end = 1ULL << 44;
	uint64_t left;
	uint32_t many;
	struct ckpt_rec_cow *rec;
	struct ckpt_rec_mm *first, *second;
	struct ckpt_cow_run *run, was;
	struct ckpt_rec_pages *pages;
	struct ckpt_page_run *own;
	unsigned int i;

	self->pid = start_tree(_metadata, with_file, 2, false);
	kill_tree(_metadata, self->pid);
	ASSERT_TRUE(open_image());
	rec = find_record(CKPT_REC_COW, 0);
	first = find_record(CKPT_REC_MM, 0);
	second = find_record(CKPT_REC_MM, 1);
	ASSERT_TRUE(rec && first && second);
	ASSERT_EQ(second->objref, rec->objref);
	run = biggest_run(rec);
	ASSERT_LE(256, run->nr);
	ASSERT_EQ(first->objref, run->mm);
	/* A page that the second has of its own, of the file. */
	for (i = 0; (pages = find_record(CKPT_REC_PAGES, i)); i++)
		if (pages->objref == second->objref)
			break;
	ASSERT_TRUE(!!pages);
	own = (void *)((char *)pages + pages->h.fixed);
	/* As many as there are addresses. */
	left = (1ULL << 35) - 1 - (run->start > run->from ? run->start : run->from);
	many = left < ~0U ? left : ~0U;

	const struct {
		const char *what;
		uint64_t start, from;
		uint32_t nr, mm;
		const char *words;
	} bad[] = {
		{ "no page", run->start, run->from, 0, run->mm, "run of 0 pages" },
		{ "many pages", run->start, run->from, many, run->mm,
		  "no private mapping" },
		{ "start in the kernel", end, run->from, 1, run->mm, "run of" },
		{ "start wraps", ~0ULL, run->from, 2, run->mm, "run of" },
		{ "from in the kernel", run->start, end, 1, run->mm, "run of" },
		{ "from wraps", run->start, ~0ULL, 2, run->mm, "run of" },
		{ "from wraps as an address", run->start, run->from + (1ULL << 52),
		  1, run->mm, "run of" },
		{ "end wraps", run->start, end - 1, 2, run->mm, "run of" },
		{ "itself", run->start, run->from, run->nr, second->objref,
		  "no address space that comes before" },
		{ "no object", run->start, run->from, run->nr, 0,
		  "no address space that comes before" },
		{ "absent object", run->start, run->from, run->nr, 0xffffff,
		  "no address space that comes before" },
		{ "other object", run->start, run->from, run->nr, first->exe,
		  "no address space that comes before" },
		{ "from nothing", run->start, 0x10, 1, run->mm, "no private mapping" },
		{ "from a shared file", run->start, shared, 1, run->mm,
		  "no private mapping" },
		{ "from no page", run->start, empty, 1, run->mm, "cannot be that at" },
		{ "from one page too few", run->start, run->from + 1, run->nr,
		  run->mm, "" },
		{ "to nothing", 0x10, run->from, 1, run->mm, "" },
		{ "to a file", file, run->from, 1, run->mm, "" },
		{ "to a shared file", shared, run->from, 1, run->mm, "" },
		{ "to a page of its own", own->start, run->from, 1, run->mm, "" },
	};

	was = *run;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		run->start = bad[i].start;
		run->from = bad[i].from;
		run->nr = bad[i].nr;
		run->mm = bad[i].mm;
		seal(rec);
		expect_bad(_metadata, bad[i].what, bad[i].words);
	}
	*run = was;
	rec->nr_runs++;
	seal(rec);
	expect_bad(_metadata, "more runs than there are", "do not fit");
	rec->nr_runs = 0;
	seal(rec);
	expect_bad(_metadata, "no runs", "do not fit");
	unlink("/tmp/cow.file");
	close_image();
	self->pid = 0;
}

/* Families are a hint: a wrong one costs memory, and nothing else. */
static void families_are(struct __test_metadata *_metadata, pid_t *pid,
			 uint32_t (*number)(uint32_t was, int i))
{
	struct ckpt_rec_vma *vma;
	int i;

	*pid = start_tree(_metadata, middle, 3, false);
	kill_tree(_metadata, *pid);
	ASSERT_TRUE(open_image());
	for (i = 0; (vma = find_record(CKPT_REC_VMA, i)); i++) {
		if (vma->kind != CKPT_VMA_ANON && !vma->family)
			continue;
		vma->family = number(vma->family, i);
		seal(vma);
	}
	close_image();
	*pid = restart_image("");
	ASSERT_LT(0, *pid);
	tree_ends_well(_metadata, pid);
}

static uint32_t none(uint32_t was, int i)
{
	return 0;
}

static uint32_t all_one(uint32_t was, int i)
{
	return 1;
}

static uint32_t all_other(uint32_t was, int i)
{
	return 0x80000000U + i;
}

static uint32_t mixed(uint32_t was, int i)
{
	return i % 3;
}

TEST_F(cow_bad, no_families)
{
	families_are(_metadata, &self->pid, none);
}

TEST_F(cow_bad, one_family)
{
	families_are(_metadata, &self->pid, all_one);
}

TEST_F(cow_bad, other_families)
{
	families_are(_metadata, &self->pid, all_other);
}

TEST_F(cow_bad, mixed_families)
{
	families_are(_metadata, &self->pid, mixed);
}

TEST_HARNESS_MAIN
