/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that have some kind of memory, and what is done with them: from
 * outside they look the same before and after, see picture.h; then they look
 * themselves.
 */
#ifndef _CKPT_TEST_MAPS_H
#define _CKPT_TEST_MAPS_H

#include "picture.h"

#include <glob.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <sys/shm.h>
#include <sys/uio.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

/* ---- the program --------------------------------------------------------- */

#define MM_FILE		"/tmp/mm.file"

/* The test sees that the program is stopped, and does its work meanwhile. */
static inline void mm_stop(void)
{
	MUST(!raise(SIGSTOP));
}

static inline char *mm_map(void *at, size_t pages, int prot, int flags)
{
	char *p = mmap(at, pages * PAGE, prot,
		       flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline char *mm_anon(size_t pages)
{
	char *p = mm_map(NULL, pages, PROT_READ | PROT_WRITE, 0);

	MUST(p);
	return p;
}

static inline uint64_t mm_word(const uint64_t *at)
{
	return (uintptr_t)at * 0x9e3779b97f4a7c15UL + 1;
}

/* Contents follow from the address: a page at a wrong place is seen. */
static inline void mm_put(char *page, size_t pages)
{
	uint64_t *w = (uint64_t *)page;
	size_t i;

	for (i = 0; i < pages * PAGE / 8; i++)
		w[i] = mm_word(&w[i]);
}

static inline bool mm_is_put(const char *page, size_t pages)
{
	const uint64_t *w = (const uint64_t *)page;
	size_t i;

	for (i = 0; i < pages * PAGE / 8; i++)
		if (w[i] != mm_word(&w[i]))
			return false;
	return true;
}

static inline bool mm_is_zero(const char *page, size_t pages)
{
	const uint64_t *w = (const uint64_t *)page;
	size_t i;

	for (i = 0; i < pages * PAGE / 8; i++)
		if (w[i])
			return false;
	return true;
}

/* A file whose words say where they stand. */
static inline int mm_file(const char *path, size_t bytes)
{
	static uint32_t words[PAGE / 4];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	size_t i, at;

	for (at = 0; at < bytes; at += sizeof(words)) {
		for (i = 0; i < PAGE / 4; i++)
			words[i] = at + i * 4 + 7;
		MUST(pwrite(fd, words, sizeof(words), at) == PAGE);
	}
	MUST(!ftruncate(fd, bytes));
	return fd;
}

/* Is this page @index of the file? */
static inline bool mm_is_file(const char *page, size_t index, size_t bytes)
{
	const uint32_t *w = (const uint32_t *)page;
	size_t i;

	for (i = 0; i < bytes / 4; i++)
		if (w[i] != index * PAGE + i * 4 + 7)
			return false;
	return true;
}

static sigjmp_buf mm_jump;

static inline void mm_on_fault(int sig)
{
	siglongjmp(mm_jump, sig);
}

/* The signal that an access leads to, 0 for none. */
static inline int mm_fault(char *at, bool write)
{
	struct sigaction sa = { .sa_handler = mm_on_fault };
	int sig;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sig = sigsetjmp(mm_jump, 1);
	if (!sig) {
		if (write)
			asm volatile("movb $1, (%0)" :: "r" (at) : "memory");
		else
			asm volatile("testb $0, (%0)" :: "r" (at) : "memory");
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return sig;
}

/* How many mappings there are in this part of the address space. */
static inline int mm_count(const char *from, const char *to)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long a, b;
	char line[512];
	int n = 0;

	MUST(f);
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%lx-%lx", &a, &b) == 2 &&
		     a < (unsigned long)to && b > (unsigned long)from;
	fclose(f);
	return n;
}

/* Where the mapping of this name is, 0 if there is none. */
static inline char *mm_find(const char *name, size_t *size)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to, at = 0;
	char line[512];

	MUST(f);
	*size = 0;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, name) &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2) {
			at = from;
			*size = to - from;
		}
	}
	fclose(f);
	return (char *)at;
}

/* The number behind @key, which begins a line; 0 if there is none. */
static inline unsigned long mm_value(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	unsigned long value = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = strtoul(line + strlen(key), NULL, 0);
	if (f)
		fclose(f);
	return value;
}

static inline unsigned long mm_huge_kib(void)
{
	return mm_value("/proc/self/smaps_rollup", "AnonHugePages:");
}

static inline char *mm_map_file(int fd, size_t pages, int prot, int flags,
				size_t first)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, fd, first * PAGE);

	MUST(p != MAP_FAILED);
	return p;
}

/* A place of so many pages with nothing in it nor next to it. */
static inline char *mm_place(size_t pages)
{
	char *p = mm_map(NULL, pages + 2, PROT_NONE, 0);

	MUST(p && !munmap(p, (pages + 2) * PAGE));
	return p + PAGE;
}

static inline char *mm_brk(char *to)
{
	return (char *)syscall(SYS_brk, to);
}

/* mov $value, %eax; ret */
static inline void mm_put_code(char *page, int value)
{
	page[0] = 0xb8;
	memcpy(page + 1, &value, sizeof(value));
	page[5] = 0xc3;
}

static inline long long mm_clock_ns(bool by_vdso)
{
	struct timespec ts;

	MUST(!(by_vdso ? clock_gettime(CLOCK_MONOTONIC, &ts) :
			 syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts)));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

#define KSM	"/sys/kernel/mm/ksm/"

/* Waits until KSM has made one of so many pages. */
static inline bool mm_ksm(unsigned long pages)
{
	int ms;

	if (!ckpt_write_text(KSM "pages_to_scan", "1000") ||
	    !ckpt_write_text(KSM "sleep_millisecs", "1") || !ckpt_write_text(KSM "run", "1"))
		return false;
	for (ms = 5000; ms > 0; ms -= 5) {
		if (mm_value("/proc/self/ksm_merging_pages", "") >= pages)
			break;
		ckpt_sleep_ms(5);
	}
	return ckpt_write_text(KSM "run", "0") && ms > 0;
}

static inline bool mm_userfault(char *at, int mode)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (unsigned long)at, PAGE }, .mode = mode,
	};

	return fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
	       !ioctl(fd, UFFDIO_REGISTER, &reg);
}

/* Memory of the first device that has some, as those of virtio do; else MAP_FAILED. */
static inline char *mm_device(void)
{
	char *p = MAP_FAILED;
	glob_t g;
	size_t i;
	int fd;

	if (glob("/sys/bus/pci/devices/*/resource4", 0, NULL, &g))
		g.gl_pathc = 0;
	for (i = 0; i < g.gl_pathc && p == MAP_FAILED; i++) {
		fd = open(g.gl_pathv[i], O_RDWR);
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	errno = ENOENT;
	return p;
}

static inline char *mm_sysv(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	char *p = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return p;
}

/* As a debugger does, who may write where the program may not. */
static inline bool mm_poke(char *at)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool ok = pwrite(fd, at, 1, (off_t)(uintptr_t)at) == 1;

	close(fd);
	return ok;
}

/* ---- the test ------------------------------------------------------------ */

/* A program makes something, is stopped, and looks at it when it goes on. */
struct mm_case {
	void (*make)(void);
	void (*verify)(void);
	bool stops;	/* make() does it itself */
};

static int mm_begun;

/* Where new memory would be. */
static inline void *mm_next_place(void)
{
	void *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, PAGE);
	return p;
}

static inline void mm_stop_and_go(void)
{
	void *place = mm_next_place();

	mm_stop();
	MUST(mm_next_place() == place);
}

static inline void mm_program(void *arg)
{
	const struct mm_case *c = arg;

	mm_begun++;
	c->make();
	if (!c->stops)
		mm_stop_and_go();
	c->verify();
	MUST(mm_begun == 1);
	_exit(GOOD);
}

/* Pages that an image holds of files that no path leads to. */
static uint64_t mm_pages_of_files;

/* Is @pid stopped by itself, or does it end? */
static inline bool mm_wait_stop(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

/* Starts it and waits until it is stopped; 0 if why_skipped() says why. */
static inline pid_t mm_start(struct __test_metadata *_metadata,
			     const struct mm_case *c)
{
	bool stopped;
	pid_t pid;

	begin(_metadata);
	pid = ckpt_spawn(mm_program, (void *)c, log_fd);
	ASSERT_LT(0, pid);
	stopped = mm_wait_stop(pid);
	if (why_skipped())
		return 0;
	ASSERT_TRUE(stopped) {
		TH_LOG("%s", log_text());
	}
	return pid;
}

/* The notice of a stop before the checkpoint does not come again. */
static inline void mm_bring_back(struct __test_metadata *_metadata, pid_t pid)
{
	bring_back(_metadata, pid);
	ASSERT_TRUE(ckpt_wait_state(pid, 'T'));
}

/* Lets a stopped program go on to its end. */
static inline void mm_ends_well(struct __test_metadata *_metadata, pid_t *pid)
{
	kill(*pid, SIGCONT);
	ends_well(_metadata, pid);
}

static inline void mm_tidy(pid_t pid)
{
	end(pid);
	unlink(MM_FILE);
}

/*
 * Saves and leaves alone, saves and kills, and restarts @pid, which is stopped
 * and is so again afterwards. Compares all along.
 */
static inline void mm_round_trip(struct __test_metadata *_metadata, pid_t pid,
				 struct ckpt_stats *stats)
{
	struct picture before, after;
	int out;

	ASSERT_TRUE(picture_take(&before, pid))
		TH_LOG("%s", picture_text);
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ASSERT_LT(0, ckpt_save_fd(pid, out, 0, stats))
		TH_LOG("%s", ckpt_log_text);
	close(out);
	ASSERT_TRUE(picture_take(&after, pid))
		TH_LOG("%s", picture_text);
	EXPECT_TRUE(picture_same(&before, &after, false))
		TH_LOG("left running: %s", picture_text);
	picture_free(&after);

	out = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LT(0, ckpt_save_fd(pid, out, CHECKPOINT_KILL, stats))
		TH_LOG("%s", ckpt_log_text);
	close(out);
	EXPECT_EQ(picture_pages(&before) + mm_pages_of_files,
		  stats->pages_written);
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(pid, 5000));

	mm_bring_back(_metadata, pid);
	ASSERT_TRUE(picture_take(&after, pid))
		TH_LOG("%s", picture_text);
	EXPECT_TRUE(picture_same(&before, &after, true))
		TH_LOG("restarted: %s", picture_text);
	picture_free(&before);
	picture_free(&after);
}

#endif /* _CKPT_TEST_MAPS_H */
