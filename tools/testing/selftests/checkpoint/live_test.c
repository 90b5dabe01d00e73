// SPDX-License-Identifier: GPL-2.0
/*
 * CHECKPOINT_COW: a program goes on while its memory is written, and the image
 * has what it was before. That all kinds of memory get into the image this way is
 * for the tests NAME_live, see the Makefile.
 *
 * The image goes to a pipe that is full: so the save lasts as long as the test
 * wants, and the program must go on meanwhile.
 */
#include "program.h"

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define PAGE		4096UL
#define MIB		(1UL << 20)
#define PAGES		1024
#define WORDS		(PAGE / sizeof(unsigned long))

/* ---- a save that takes its time ---------------------------------------------- */

struct slow {
	pid_t saver;
	int from;	/* the pipe */
	int to;		/* the image */
};

static void take_bytes(struct __test_metadata *_metadata, struct slow *s,
		       size_t bytes)
{
	static char buf[65536];
	ssize_t n = 1;

	while (bytes && n) {
		n = read(s->from, buf, bytes < sizeof(buf) ? bytes : sizeof(buf));
		ASSERT_LE(0, n);
		ASSERT_EQ(n, write(s->to, buf, n));
		bytes -= n;
	}
}

/* It comes to a halt when @first bytes have been taken, and a pipe is full. */
static struct slow slow_save(struct __test_metadata *_metadata, pid_t pid,
			     size_t first)
{
	struct slow s;
	int fds[2], i, n;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	s.from = fds[0];
	s.to = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, s.to);
	s.saver = fork();
	ASSERT_LE(0, s.saver);
	if (!s.saver) {
		close(fds[0]);
		if (ckpt_save_fd(pid, fds[1], CHECKPOINT_COW, NULL) > 0)
			_exit(0);
		TH_LOG("%s", ckpt_log_text);
		_exit(1);
	}
	close(fds[1]);
	take_bytes(_metadata, &s, first);
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(0, ioctl(s.from, FIONREAD, &n));
		if (n > 60000 && ckpt_state(s.saver) == 'S')
			return s;
		ckpt_sleep_ms(5);
	}
	ASSERT_TRUE(false) {
		TH_LOG("the save does not wait for its reader");
	}
	return s;
}

static void take_image(struct __test_metadata *_metadata, struct slow *s)
{
	take_bytes(_metadata, s, SIZE_MAX);
	close(s->from);
	close(s->to);
	ASSERT_EQ(0, ckpt_wait(s->saver, 60000));
}

static unsigned long peek(pid_t pid, unsigned long *at)
{
	unsigned long val = 0;
	struct iovec to = { &val, sizeof(val) }, from = { at, sizeof(val) };

	process_vm_readv(pid, &to, 1, &from, 1, 0);
	return val;
}

static bool comes_to(pid_t pid, unsigned long *at, unsigned long val)
{
	int i;

	for (i = 0; i < 6000; i++) {
		if (peek(pid, at) >= val)
			return true;
		ckpt_sleep_ms(5);
	}
	return false;
}

/* It need not wait in a call, as it does for bring_back(). */
static void come_back(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_EQ(pid, ckpt_restart(CKPT_IMG, pid)) {
		TH_LOG("%s", ckpt_log_text);
	}
}

PROGRAM_FIXTURE(live, begin, end);

/* ---- a program that writes all the time ------------------------------------ */

static unsigned long round_nr;
static unsigned long *words;

/*
 * Each page has the number of the round in which it was written last: the pages
 * before the present one that of this round, those behind it that of the one
 * before. Any page of another moment is found.
 */
static void write_rounds(unsigned long *mem, bool huge)
{
	unsigned long i;

	MUST(!madvise(mem, PAGES * PAGE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	for (i = 0; i < PAGES; i++)
		mem[i * WORDS] = 0;
	ready();
	while (access(GO, F_OK)) {
		round_nr++;
		for (i = 0; i < PAGES; i++) {
			MUST(mem[i * WORDS] == round_nr - 1);
			mem[i * WORDS] = round_nr;
		}
		for (i = 0; i < PAGES; i++)
			MUST(mem[i * WORDS] == round_nr);
	}
	_exit(GOOD);
}

static void writer(void *arg)
{
	/* In two huge pages. */
	char *mem = mmap(NULL, 6 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(mem != MAP_FAILED);
	mem += -(unsigned long)mem & (2 * MIB - 1);
	write_rounds((unsigned long *)mem, *(bool *)arg);
}

FIXTURE_VARIANT(live)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(live, small_pages)
{
};

FIXTURE_VARIANT_ADD(live, huge_pages)
{
	.huge = true,
};

TEST_F(live, writes_meanwhile)
{
	unsigned long began, left;
	struct slow s;

	self->pid = start(_metadata, writer, &variant->huge);
	began = peek(self->pid, &round_nr);
	s = slow_save(_metadata, self->pid, 0);
	left = peek(self->pid, &round_nr);
	EXPECT_TRUE(comes_to(self->pid, &round_nr, left + 3));
	take_image(_metadata, &s);

	ckpt_kill(self->pid);
	come_back(_metadata, self->pid);
	EXPECT_LE(began, peek(self->pid, &round_nr));
	EXPECT_TRUE(comes_to(self->pid, &round_nr, left + 3));
	ends_well(_metadata, &self->pid);
}

/* Who goes on can be saved again, while the first save has not come to an end. */
TEST_F(live, saved_twice_at_once)
{
	struct slow s, t;

	self->pid = start(_metadata, writer, &variant->huge);
	s = slow_save(_metadata, self->pid, 0);
	t = slow_save(_metadata, self->pid, 0);
	take_image(_metadata, &s);
	take_image(_metadata, &t);
	ckpt_save_and_kill(_metadata, self->pid);
	come_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* KiB of @name in the mapping at @at, or -1. */
static long smaps_value(pid_t pid, unsigned long at, const char *name)
{
	char path[64], line[512];
	unsigned long start, end;
	bool here = false;
	long val = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = at >= start && at < end;
		else if (here && !strncmp(line, name, strlen(name)))
			val = atol(line + strlen(name));
	}
	if (f)
		fclose(f);
	return val;
}

/* It stays in the first round: only what the kernel does changes its memory. */
static void idle_writer(void *arg)
{
	unsigned long i;
	char *more;

	/* Promised, which is what counts where not more is promised than is there. */
	more = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(more != MAP_FAILED);
	*more = 1;

	words = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(words != MAP_FAILED);
	MUST(!madvise(words, PAGES * PAGE, MADV_NOHUGEPAGE));
	for (i = 0; i < PAGES; i++)
		words[i * WORDS] = i + 1;
	ready();
	wait_go();
	for (i = 0; i < PAGES; i++)
		MUST(words[i * WORDS] == i + 1);
	_exit(GOOD);
}

PROGRAM_FIXTURE(live_saver, begin, end);

/* A saver that dies leaves the program all of its memory, and nothing else. */
TEST_F(live_saver, killed)
{
	unsigned long at;
	struct slow s;

	self->pid = start(_metadata, idle_writer, NULL);
	at = peek(self->pid, (unsigned long *)&words);
	EXPECT_EQ(0, smaps_value(self->pid, at, "Shared_Dirty:"));
	s = slow_save(_metadata, self->pid, 0);
	EXPECT_LE(PAGES * 4, smaps_value(self->pid, at, "Shared_Dirty:"));
	ASSERT_EQ(0, kill(s.saver, SIGKILL));
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(s.saver, 10000));
	EXPECT_EQ(0, smaps_value(self->pid, at, "Shared_Dirty:"));
	EXPECT_LE(PAGES * 4, smaps_value(self->pid, at, "Private_Dirty:"));
	close(s.from);
	close(s.to);
	ends_well(_metadata, &self->pid);
}

/* Nor does one whose reader goes. */
TEST_F(live_saver, without_reader)
{
	unsigned long at;
	struct slow s;

	self->pid = start(_metadata, idle_writer, NULL);
	at = peek(self->pid, (unsigned long *)&words);
	s = slow_save(_metadata, self->pid, 0);
	close(s.from);
	close(s.to);
	EXPECT_EQ(256 + SIGPIPE, ckpt_wait(s.saver, 10000));
	EXPECT_EQ(0, smaps_value(self->pid, at, "Shared_Dirty:"));
	ends_well(_metadata, &self->pid);
}

/* Nothing that is asked for before, but the log says why it stands still. */
TEST_F(live_saver, soft_dirty)
{
	const char *const line[] = { "note:", "watched for soft-dirty", NULL };
	char path[64];

	self->pid = start(_metadata, idle_writer, NULL);
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_COW));
	EXPECT_FALSE(ckpt_log_says(line));
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", self->pid);
	ASSERT_TRUE(ckpt_write_text(path, "4"));
	ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_COW));
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* Where nobody may have more memory than there is, it is not promised twice. */
TEST_F(live_saver, overcommit)
{
	const char *const line[] = { "not enough memory to duplicate", NULL };
	char text[4096], *p, was[16], was_kib[32], kib[32];

	self->pid = start(_metadata, idle_writer, NULL);
	ASSERT_LT(0, ckpt_read_text("/proc/sys/vm/overcommit_memory", was,
				    sizeof(was)));
	ASSERT_LT(0, ckpt_read_text("/proc/sys/vm/overcommit_kbytes", was_kib,
				    sizeof(was_kib)));
	ASSERT_LT(0, ckpt_read_text("/proc/meminfo", text, sizeof(text)));
	p = strstr(text, "\nCommitted_AS:");
	ASSERT_NE(NULL, p);
	snprintf(kib, sizeof(kib), "%ld", atol(p + 14) + PAGES * 2);
	ASSERT_TRUE(ckpt_write_text("/proc/sys/vm/overcommit_kbytes", kib));
	ASSERT_TRUE(ckpt_write_text("/proc/sys/vm/overcommit_memory", "2"));
	/* The image is not to be memory itself. */
	EXPECT_EQ(-ENOMEM, ckpt_save(self->pid, "/dev/null", CHECKPOINT_COW));
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_LT(0, ckpt_save(self->pid, "/dev/null", 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ckpt_write_text("/proc/sys/vm/overcommit_memory", was);
	if (atol(was_kib))
		ckpt_write_text("/proc/sys/vm/overcommit_kbytes", was_kib);
	else	/* It was by ratio, whose value switches back to it. */
		ckpt_write_text("/proc/sys/vm/overcommit_ratio", "50");
	EXPECT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_COW)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- a program that destroys what it had ------------------------------------ */

#define DESTROY		"/tmp/live.destroy"

static unsigned long *not_forked, *wiped, *locked, *of_file, *shared;
static int file_fd;

static unsigned long *fill_with(unsigned long *mem, unsigned long salt)
{
	unsigned long i;

	MUST(mem != MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		mem[i * WORDS + i % 8] = salt + i;
	return mem;
}

static void check(const unsigned long *mem, unsigned long salt)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		MUST(mem[i * WORDS + i % 8] == salt + i);
}

static unsigned long *map_at(int flags, int fd)
{
	return mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

/* It has mapped a file that was deleted, and shared memory. */
static void destroyer_set(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	file_fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	MUST(file_fd >= 0 && !ftruncate(file_fd, PAGES * PAGE));
	not_forked = fill_with(map_at(anon, -1), 1000000);
	MUST(!madvise(not_forked, PAGES * PAGE, MADV_DONTFORK));
	wiped = fill_with(map_at(anon, -1), 2000000);
	MUST(!madvise(wiped, PAGES * PAGE, MADV_WIPEONFORK));
	locked = fill_with(map_at(anon, -1), 3000000);
	MUST(!mlock(locked, PAGES * PAGE));
	of_file = fill_with(map_at(MAP_PRIVATE, file_fd), 4000000);
	shared = fill_with(map_at(MAP_SHARED | MAP_ANONYMOUS, -1), 5000000);
}

static void destroyer_check(void)
{
	check(not_forked, 1000000);
	check(wiped, 2000000);
	check(locked, 3000000);
	check(of_file, 4000000);
	check(shared, 5000000);
}

static void destroyer(void *arg)
{
	destroyer_set();
	ready();
	while (access(GO, F_OK)) {
		if (access(DESTROY, F_OK)) {
			ckpt_sleep_ms(2);
			continue;
		}
		MUST(!ftruncate(file_fd, 0));
		MUST(!madvise(not_forked, PAGES * PAGE, MADV_DONTNEED));
		memset(wiped, 0xee, PAGES * PAGE);
		munmap(locked, PAGES * PAGE);
		memset(shared, 0xee, PAGES * PAGE);
		_exit(0);
	}
	destroyer_check();
	_exit(GOOD);
}

static void end_destroyer(pid_t pid)
{
	unlink(DESTROY);
	end(pid);
}

PROGRAM_FIXTURE(live_destroyer, begin, end_destroyer);

/* By its end, too, at which all of its memory is given back. */
TEST_F(live_destroyer, what_it_had_is_saved)
{
	struct slow s;

	self->pid = start(_metadata, destroyer, NULL);
	/* What is shared is written before it goes on. */
	s = slow_save(_metadata, self->pid, (2 * PAGES + PAGES / 4) * PAGE);
	ckpt_touch(DESTROY);
	ASSERT_EQ(0, ckpt_wait(self->pid, 10000));
	take_image(_metadata, &s);
	unlink(DESTROY);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- others who wait for the program ----------------------------------------- */

#define LOCKED		"/tmp/live.locked"

static void locker(void *arg)
{
	int fd = open(LOCKED, O_RDWR | O_CREAT, 0600);

	MUST(fd >= 0 && !flock(fd, LOCK_EX));
	words = fill_with(map_at(MAP_PRIVATE | MAP_ANONYMOUS, -1), 1);
	ready();
	while (access(GO, F_OK)) {
		if (!access(DESTROY, F_OK))
			_exit(0);
		ckpt_sleep_ms(2);
	}
	check(words, 1);
	_exit(GOOD);
}

static void end_locker(pid_t pid)
{
	end_destroyer(pid);
	unlink(LOCKED);
}

PROGRAM_FIXTURE(live_locker, begin, end_locker);

/* Nobody has its files any longer than it has them itself. */
TEST_F(live_locker, lets_go)
{
	struct slow s;
	int fd;

	self->pid = start(_metadata, locker, NULL);
	fd = open(LOCKED, O_RDWR | O_CLOEXEC);
	s = slow_save(_metadata, self->pid, 0);
	EXPECT_EQ(-1, flock(fd, LOCK_EX | LOCK_NB));
	ckpt_touch(DESTROY);
	ASSERT_EQ(0, ckpt_wait(self->pid, 10000));
	EXPECT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	close(fd);
	take_image(_metadata, &s);
	unlink(DESTROY);
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
