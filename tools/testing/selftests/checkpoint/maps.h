/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memory of a process looks like from outside, and whether it looks
 * the same after a restart. The process is stopped meanwhile, so that nothing
 * but the checkpoint and the restart can make a difference.
 *
 * Left out, because support.rst does not promise it: VmPeak and VmHWM; VmRSS,
 * VmPTE, the resident part of statm and what smaps has of single pages, for
 * clean pages of files and pages of zeros come back as untouched and huge pages
 * as small ones; "sd" of VmFlags (soft-dirty).
 */
#ifndef _CKPT_TEST_MAPS_H
#define _CKPT_TEST_MAPS_H

#include "program.h"

#include <ctype.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <sys/shm.h>
#include <sys/uio.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

#define PAGE		4096UL
#define PIC_BATCH	64
#define PIC_VEC		512
#define PIC_TEXTS	13

/* A page that the process has of its own. */
struct own_page {
	uint64_t addr;
	uint64_t hash;
	bool zero;	/* of zeros, and no file behind it */
	bool locked;	/* and has to stay */
	bool saved;	/* must stand in an image */
};

struct picture {
	char *text[PIC_TEXTS];
	size_t len[PIC_TEXTS];
	struct own_page *own;
	size_t nr_own;
	bool any_locked;
};

/* Which lines or words of a file in /proc are compared; NULL: all of it. */
static const struct {
	const char *file;
	const char *lines[8];
	const int words[12];
	int first;	/* that many words of each line */
	bool optional;	/* is there only where it is configured */
} pic_texts[PIC_TEXTS] = {
	{ "maps" },
	{ "smaps", { "Size:", "KernelPageSize:", "MMUPageSize:",
		     "THPeligible:", "ProtectionKey:", "VmFlags:" } },
	{ "status", { "VmSize:", "VmLck:", "VmPin:", "VmData:", "VmStk:",
		      "VmExe:", "VmLib:", "THP_enabled:" } },
	/* size, text, lib, data */
	{ "statm", { NULL }, { 1, 4, 5, 6 } },
	/* vsize, code, stack, data, start of the heap, arguments, environment */
	{ "stat", { NULL }, { 23, 26, 27, 28, 45, 46, 47, 48, 49, 50, 51 } },
	{ "cmdline" },
	{ "environ" },
	{ "auxv" },
	{ "coredump_filter", .optional = true },
	{ "personality" },
	{ "exe" },
	{ "comm" },
	/* Which policy where. */
	{ "numa_maps", .first = 2, .optional = true },
};

static char picture_text[9000];

static inline char *pic_read(pid_t pid, const char *name, size_t *len)
{
	size_t room = 65536;
	char path[64], *buf = malloc(room + 1);
	ssize_t n;
	int fd;

	*len = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	if (!strcmp(name, "exe")) {
		n = readlink(path, buf, room);
		*len = n > 0 ? n : 0;
		buf[*len] = 0;
		return buf;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((n = read(fd, buf + *len, room - *len)) > 0) {
		*len += n;
		if (*len == room) {
			room *= 2;
			buf = realloc(buf, room + 1);
		}
	}
	close(fd);
	buf[*len] = 0;
	return buf;
}

static inline void pic_keep_lines(char *text, size_t *len,
				  const char *const *lines)
{
	char *from, *next, *to = text;
	int i;

	for (from = text; *from; from = next) {
		next = strchrnul(from, '\n');
		next += *next == '\n';
		for (i = 0; i < 8 && lines[i]; i++)
			if (!strncmp(from, lines[i], strlen(lines[i])))
				break;
		/* Lines with addresses say which mapping it is about. */
		if ((i == 8 || !lines[i]) &&
		    (isupper(*from) || !isxdigit(*from)))
			continue;
		memmove(to, from, next - from);
		to += next - from;
	}
	*to = 0;
	for (from = to = text; *from;) {
		if (!strncmp(from, " sd", 3))
			from += 3;
		else
			*to++ = *from++;
	}
	*to = 0;
	*len = to - text;
}

static inline void pic_keep_first(char *text, size_t *len, int nr)
{
	char *from, *to = text;
	int word = 1;

	for (from = text; *from; from++) {
		if (*from == '\n')
			word = 1;
		else if (*from == ' ')
			word++;
		if (word <= nr)
			*to++ = *from;
	}
	*to = 0;
	*len = to - text;
}

/* Words are counted from 1, and behind the name, which may have blanks. */
static inline void pic_keep_words(char *text, size_t *len, const int *words)
{
	char *copy = strdup(text), *rest = strrchr(copy, ')'), *word;
	int i, k = 0, nr = rest ? 2 : 0;

	rest = rest ? rest + 1 : copy;
	*len = 0;
	for (i = nr + 1; (word = strtok_r(rest, "\n ", &rest)); i++)
		if (i == words[k]) {
			*len += sprintf(text + *len, "%d=%s\n", i, word);
			k++;
		}
	free(copy);
}

static inline uint64_t pic_hash(const uint64_t *page, bool *zero)
{
	uint64_t hash = 14695981039346656037UL, or = 0;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++) {
		or |= page[i];
		hash = (hash ^ page[i]) * 1099511628211UL;
		hash ^= hash >> 29;
	}
	*zero = !or;
	return hash;
}

/* Has the mapping that begins at @from this flag in smaps? */
static inline bool pic_has_flag(const struct picture *p, uint64_t from,
				const char *flag)
{
	char head[32], *at, *end;

	snprintf(head, sizeof(head), "%08llx-", (unsigned long long)from);
	for (at = p->text[1]; at && strncmp(at, head, strlen(head));) {
		at = strchr(at, '\n');
		at += !!at;
	}
	at = at ? strstr(at, "VmFlags:") : NULL;
	end = at ? strchrnul(at, '\n') : NULL;
	return at && memmem(at, end - at, flag, strlen(flag));
}

static inline bool pic_add_own(struct picture *p, int mem, uint64_t from,
			       uint64_t to, bool file, bool locked, bool filled)
{
	static uint64_t buf[PIC_BATCH * PAGE / 8];
	struct own_page *own;
	uint64_t n, i;

	p->own = realloc(p->own, (p->nr_own + (to - from) / PAGE) *
			 sizeof(*p->own));
	for (; from < to; from += n) {
		n = to - from < sizeof(buf) ? to - from : sizeof(buf);
		if (pread(mem, buf, n, from) != (ssize_t)n)
			return false;
		for (i = 0; i < n; i += PAGE) {
			own = &p->own[p->nr_own++];
			own->addr = from + i;
			own->hash = pic_hash(buf + i / 8, &own->zero);
			own->zero = own->zero && !file;
			own->locked = locked;
			/* Those of zeros are only filled in again. */
			own->saved = !own->zero || (locked && !filled);
		}
	}
	return true;
}

/* The pages of one mapping that are neither of a file nor the zero page. */
static inline bool pic_scan(struct picture *p, int pagemap, int mem,
			    uint64_t from, uint64_t to, bool file)
{
	bool locked = p->any_locked && pic_has_flag(p, from, " lo");
	bool filled = locked && pic_has_flag(p, from, " wr") &&
		      !pic_has_flag(p, from, " lf");
	static struct page_region vec[PIC_VEC];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = from,
		.end = to,
		.vec = (uintptr_t)vec,
		.vec_len = PIC_VEC,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED |
			       PAGE_IS_FILE | PAGE_IS_PFNZERO,
	};
	int i, n;

	while (arg.start < to) {
		n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return false;
		for (i = 0; i < n; i++)
			if (!(vec[i].categories &
			      (PAGE_IS_FILE | PAGE_IS_PFNZERO)) &&
			    !pic_add_own(p, mem, vec[i].start, vec[i].end,
					 file, locked, filled))
				return false;
		arg.start = arg.walk_end;
	}
	return true;
}

static inline bool pic_pages(struct picture *p, pid_t pid)
{
	char path[64], prot[5], *maps, *line, *rest;
	unsigned long from, to, inode;
	int pagemap, mem;
	bool ok = true;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	maps = strdup(p->text[0]);
	for (rest = maps; ok && (line = strtok_r(rest, "\n", &rest));) {
		if (strstr(line, "[vvar") || strstr(line, "[vsyscall]"))
			continue;
		ok = sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, prot,
			    &inode) == 4 &&
		     /* In shared memory there are no pages of its own. */
		     (prot[3] == 's' ||
		      pic_scan(p, pagemap, mem, from, to, inode));
	}
	free(maps);
	close(pagemap);
	close(mem);
	return ok && p->nr_own;
}

static inline bool picture_take(struct picture *p, pid_t pid)
{
	int i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < PIC_TEXTS; i++) {
		p->text[i] = pic_read(pid, pic_texts[i].file, &p->len[i]);
		if (pic_texts[i].lines[0])
			pic_keep_lines(p->text[i], &p->len[i],
				       pic_texts[i].lines);
		if (pic_texts[i].words[0])
			pic_keep_words(p->text[i], &p->len[i],
				       pic_texts[i].words);
		if (pic_texts[i].first)
			pic_keep_first(p->text[i], &p->len[i],
				       pic_texts[i].first);
		if (!p->len[i] && !pic_texts[i].optional) {
			snprintf(picture_text, sizeof(picture_text),
				 "%s cannot be read", pic_texts[i].file);
			return false;
		}
	}
	p->any_locked = strstr(p->text[1], " lo");
	if (pic_pages(p, pid))
		return true;
	snprintf(picture_text, sizeof(picture_text),
		 "pages cannot be looked at: %s", strerror(errno));
	return false;
}

static inline void picture_free(struct picture *p)
{
	int i;

	for (i = 0; i < PIC_TEXTS; i++)
		free(p->text[i]);
	free(p->own);
	memset(p, 0, sizeof(*p));
}

/*
 * Pages that must stand in an image of it: none of files, and of zeros only
 * those that are locked and would not be filled in.
 */
static inline uint64_t picture_pages(const struct picture *p)
{
	uint64_t nr = 0;
	size_t i;

	for (i = 0; i < p->nr_own; i++)
		nr += p->own[i].saved;
	return nr;
}

static inline bool pic_tell_page(uint64_t addr, const char *what)
{
	snprintf(picture_text, sizeof(picture_text), "page %llx %s",
		 (unsigned long long)addr, what);
	return false;
}

/* With @restarted, pages of zeros must have become untouched, if they may. */
static inline bool pic_same_pages(const struct picture *a,
				  const struct picture *b, bool restarted)
{
	size_t i, k = 0;

	for (i = 0; i < a->nr_own; i++) {
		const struct own_page *was = &a->own[i];
		const struct own_page *is = &b->own[k];
		bool there = k < b->nr_own && is->addr == was->addr;

		if (k < b->nr_own && is->addr < was->addr)
			return pic_tell_page(is->addr, "was no page of its own");
		if (restarted && was->zero && !was->locked) {
			if (there)
				return pic_tell_page(is->addr,
						     "of zeros takes memory");
			continue;
		}
		if (!there)
			return pic_tell_page(was->addr, "is lost");
		if (is->hash != was->hash)
			return pic_tell_page(was->addr, "has other contents");
		k++;
	}
	if (k < b->nr_own)
		return pic_tell_page(b->own[k].addr, "was no page of its own");
	return true;
}

/* If false, picture_text says where they differ. */
static inline bool picture_same(const struct picture *a,
				const struct picture *b, bool restarted)
{
	int i;

	for (i = 0; i < PIC_TEXTS; i++)
		if (a->len[i] != b->len[i] ||
		    memcmp(a->text[i], b->text[i], a->len[i])) {
			snprintf(picture_text, sizeof(picture_text),
				 "%s differs%s", pic_texts[i].file,
				 ckpt_difference(a->text[i], b->text[i]));
			return false;
		}
	return pic_same_pages(a, b, restarted);
}

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

/* Registers or memory of the first device that has some; else MAP_FAILED. */
static inline char *mm_device(void)
{
	char *p = MAP_FAILED;
	glob_t g;
	size_t i;
	int fd;

	if (glob("/sys/bus/pci/devices/*/resource0", 0, NULL, &g))
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

static inline void mm_program(void *arg)
{
	const struct mm_case *c = arg;

	mm_begun++;
	c->make();
	if (!c->stops)
		mm_stop();
	c->verify();
	MUST(mm_begun == 1);
	_exit(GOOD);
}

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
	EXPECT_EQ(picture_pages(&before), stats->pages_written);
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
