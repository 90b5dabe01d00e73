/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memory of a process looks like from outside, and whether it looks
 * the same after a restart. The process is stopped meanwhile, so that nothing
 * but the checkpoint and the restart can make a difference.
 *
 * Left out, because support.rst does not promise it: VmPeak and VmHWM; VmRSS,
 * VmPTE and the resident part of statm, for clean pages of files and pages of
 * zeros come back as untouched; the inode numbers of files that no path leads to.
 * So the sums that smaps has of private mappings are held against the pages that
 * must be there.
 */
#ifndef _CKPT_TEST_PICTURE_H
#define _CKPT_TEST_PICTURE_H

#include "program.h"

#include <ctype.h>

#define PAGE		4096UL
#define PIC_BATCH	64
#define PIC_VEC		512
#define PIC_TEXTS	13
#define PIC_HUGE	(2UL << 20)

/* A page that the process has of its own. */
struct own_page {
	uint64_t addr;
	uint64_t hash;
	bool zero;	/* of zeros, and no file behind it */
	bool huge;	/* part of a huge page */
	uint64_t bits;	/* of pagemap, PM_* */
	bool locked;	/* and has to stay */
	bool saved;	/* must stand in an image */
};

/* The bits of pagemap that say something, see admin-guide/mm/pagemap.rst. */
#define PM_SOFT_DIRTY	(1ULL << 55)
#define PM_EXCLUSIVE	(1ULL << 56)
#define PM_SWAP		(1ULL << 62)
#define PM_PRESENT	(1ULL << 63)
#define PM_BITS		(PM_SOFT_DIRTY | PM_EXCLUSIVE | 1ULL << 61 | \
			 PM_SWAP | PM_PRESENT)

/* What smaps has of a mapping, in KiB. */
struct pic_sums {
	uint64_t from, to;
	bool file;	/* or what the kernel maps everywhere */
	bool shared;	/* or of hugetlb, which smaps counts otherwise */
	long rss, anonymous, huge, private_dirty, shared_dirty;
};

struct picture {
	struct pic_sums *sums;
	size_t nr_sums;
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

/* Pages may be in common with others whose picture is taken, too. */
static bool picture_of_tree;

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

/* Does no path lead to the file that a line of maps ends with? */
static inline bool pic_is_nameless(const char *line, const char *end)
{
	static const char deleted[] = " (deleted)", shmem[] = "[anon_shmem:";

	return (end - line > strlen(deleted) &&
		!memcmp(end - strlen(deleted), deleted, strlen(deleted))) ||
	       memmem(line, end - line, shmem, strlen(shmem));
}

/* The inode number in a line of maps, with the blanks behind it. */
static inline bool pic_find_number(const char *line, int *at, int *behind)
{
	*behind = 0;
	return sscanf(line, "%*x-%*x %*s %*x %*x:%*x %n%*u %n", at, behind) == 0 &&
	       *behind;
}

/* Their numbers are others afterwards, and so is a name that is a number. */
static inline void pic_forget_numbers(char *text, size_t *len)
{
	char *line, *end, *name, *to = text;
	int at, behind;

	for (line = text; *line; line = end) {
		end = strchrnul(line, '\n');
		if (pic_is_nameless(line, end) && pic_find_number(line, &at, &behind)) {
			memmove(to, line, at);
			to += at;
			*to++ = '1';
			*to++ = ' ';
			line += behind;
			name = memmem(line, end - line, "/#", 2);
			if (name && strspn(name + 2, "0123456789"))
				line = name + 2 + strspn(name + 2, "0123456789");
		}
		end += *end == '\n';
		memmove(to, line, end - line);
		to += end - line;
	}
	*to = 0;
	*len = to - text;
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

static inline void pic_keep_sums(struct picture *p, const char *smaps)
{
	static const struct {
		const char *format;
		size_t at;
	} lines[] = {
		{ "Rss: %ld kB", offsetof(struct pic_sums, rss) },
		{ "Anonymous: %ld kB", offsetof(struct pic_sums, anonymous) },
		{ "AnonHugePages: %ld kB", offsetof(struct pic_sums, huge) },
		{ "Private_Dirty: %ld kB",
		  offsetof(struct pic_sums, private_dirty) },
		{ "Shared_Dirty: %ld kB",
		  offsetof(struct pic_sums, shared_dirty) },
	};
	char prot[5], *copy = strdup(smaps), *rest = copy, *line;
	unsigned long from, to, inode;
	struct pic_sums *s = NULL;
	size_t i;
	long kib;

	while ((line = strtok_r(rest, "\n", &rest))) {
		for (i = 0; s && i < ARRAY_SIZE(lines); i++)
			if (sscanf(line, lines[i].format, &kib) == 1)
				*(long *)((char *)s + lines[i].at) = kib;
		if (s && sscanf(line, "KernelPageSize: %ld kB", &kib) == 1)
			s->shared |= kib * 1024 > (long)PAGE;
		if (isupper(*line) ||
		    sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, prot,
			   &inode) != 4)
			continue;
		p->sums = realloc(p->sums, (p->nr_sums + 1) * sizeof(*s));
		s = &p->sums[p->nr_sums++];
		*s = (struct pic_sums){
			.from = from,
			.to = to,
			.file = inode || strstr(line, "[v"),
			.shared = prot[3] == 's',
		};
	}
	free(copy);
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

static inline bool pic_add_own(struct picture *p, int pagemap, int mem,
			       const struct page_region *r, bool file,
			       bool locked, bool filled)
{
	static uint64_t buf[PIC_BATCH * PAGE / 8], bits[PIC_BATCH];
	uint64_t from = r->start, to = r->end;
	struct own_page *own;
	uint64_t n, i;

	p->own = realloc(p->own, (p->nr_own + (to - from) / PAGE) *
			 sizeof(*p->own));
	for (; from < to; from += n) {
		n = to - from < sizeof(buf) ? to - from : sizeof(buf);
		/* Before it is read: that brings it back from swap. */
		if (pread(pagemap, bits, n / PAGE * 8, from / PAGE * 8) !=
		    (ssize_t)(n / PAGE * 8))
			return false;
		if (pread(mem, buf, n, from) != (ssize_t)n) {
			if (errno != EIO)
				return false;
			/* Declared broken: there is nothing to be compared. */
			continue;
		}
		for (i = 0; i < n; i += PAGE) {
			own = &p->own[p->nr_own++];
			own->addr = from + i;
			own->hash = pic_hash(buf + i / 8, &own->zero);
			own->zero = own->zero && !file;
			own->huge = r->categories & PAGE_IS_HUGE;
			own->bits = bits[i / PAGE] & PM_BITS;
			own->locked = locked;
			/*
			 * Those of zeros are only filled in again, but for the
			 * first of a huge page.
			 */
			own->saved = !own->zero || (locked && !filled) ||
				     (own->huge && !(own->addr % PIC_HUGE));
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
			       PAGE_IS_FILE | PAGE_IS_PFNZERO | PAGE_IS_HUGE,
	};
	int i, n;

	while (arg.start < to) {
		n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return false;
		for (i = 0; i < n; i++)
			if (!(vec[i].categories &
			      (PAGE_IS_FILE | PAGE_IS_PFNZERO)) &&
			    !pic_add_own(p, pagemap, mem, &vec[i], file, locked,
					 filled))
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
		if (!strcmp(pic_texts[i].file, "smaps"))
			pic_keep_sums(p, p->text[i]);
		if (strstr(pic_texts[i].file, "maps"))
			pic_forget_numbers(p->text[i], &p->len[i]);
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
	free(p->sums);
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

/*
 * A checkpoint alone reads in what was in swap; and the test may have parted from
 * a page that it had in common with the program.
 */
static inline bool pic_same_bits(const struct own_page *was,
				 const struct own_page *is)
{
	return is->bits == was->bits || (was->bits & PM_SWAP) ||
	       is->bits == (was->bits | PM_EXCLUSIVE);
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
		if (restarted && was->zero && !was->locked && !was->huge) {
			if (there)
				return pic_tell_page(is->addr,
						     "of zeros takes memory");
			continue;
		}
		if (!there)
			return pic_tell_page(was->addr, "is lost");
		if (is->hash != was->hash)
			return pic_tell_page(was->addr, "has other contents");
		if (is->huge != was->huge)
			return pic_tell_page(was->addr, was->huge ?
					     "has become small" :
					     "has become huge");
		if (!restarted && !pic_same_bits(was, is))
			return pic_tell_page(was->addr, "differs in pagemap");
		if ((was->bits ^ is->bits) & PM_SOFT_DIRTY)
			return pic_tell_page(was->addr, was->bits & PM_SOFT_DIRTY ?
					     "is not soft-dirty any more" :
					     "has become soft-dirty");
		if (was->bits & ~is->bits & PM_EXCLUSIVE)
			return pic_tell_page(was->addr, "is in common with others");
		k++;
	}
	if (k < b->nr_own)
		return pic_tell_page(b->own[k].addr, "was no page of its own");
	return true;
}

/* What was restored is there, and of this process alone or one of the tree. */
static inline bool pic_right_bits(const struct picture *p)
{
	uint64_t any = picture_of_tree ? PM_EXCLUSIVE : 0;
	size_t i;

	for (i = 0; i < p->nr_own; i++)
		if (((p->own[i].bits | any) & ~PM_SOFT_DIRTY) !=
		    (PM_PRESENT | PM_EXCLUSIVE))
			return pic_tell_page(p->own[i].addr,
					     "is not new in pagemap");
	return true;
}

/* Pages of a mapping that are of its own and in memory, in KiB. */
static inline long pic_own_kib(const struct picture *p, const struct pic_sums *s,
			       bool huge)
{
	long nr = 0;
	size_t i;

	for (i = 0; i < p->nr_own; i++)
		nr += p->own[i].addr >= s->from && p->own[i].addr < s->to &&
		      !(p->own[i].bits & PM_SWAP) && (p->own[i].huge || !huge);
	return nr * PAGE / 1024;
}

/* Do the sums fit what pagemap says of single pages? */
static inline bool pic_right_sums(const struct picture *p, bool restarted)
{
	const struct pic_sums *s;
	long own, dirty;

	for (s = p->sums; s < p->sums + p->nr_sums; s++) {
		if (s->shared)
			continue;
		own = pic_own_kib(p, s, false);
		dirty = s->private_dirty + (picture_of_tree ? s->shared_dirty : 0);
		/* A page of a file may be there, and dirty. */
		if (s->anonymous == own && s->huge == pic_own_kib(p, s, true) &&
		    s->rss >= own && (s->file || s->rss == own) &&
		    (!restarted || (dirty >= own && (s->file || dirty == own))))
			continue;
		snprintf(picture_text, sizeof(picture_text),
			 "smaps of %llx: Rss %ld, own %ld, huge %ld, dirty %ld, not %ld",
			 (unsigned long long)s->from, s->rss, s->anonymous,
			 s->huge, dirty, own);
		return false;
	}
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
	return pic_same_pages(a, b, restarted) &&
	       (!restarted || pic_right_bits(b)) && pic_right_sums(b, restarted);
}

#endif /* _CKPT_TEST_PICTURE_H */
