// SPDX-License-Identifier: GPL-2.0
/*
 * Images that are cut short, damaged or hostile. Each is given to restart() by
 * a process that must survive the refusal: it gets an error, a line in the log,
 * and has its memory and its descriptors as before.
 *
 * Many attempts are made by one process. Where an image is accepted, that
 * process turns into the saved program, which exits with SAVED_EXIT.
 */
#include "ckpt_test.h"
#include "poison.h"

#include <dirent.h>
#include <linux/mempolicy.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>

#define GO		"/tmp/ckpt.go"
#define READY		"/tmp/ckpt.ready"
#define SAVED_EXIT	42
#define PATTERN_LEN	(16 * 4096)
#define MAX_RECS	512
#define MAX_CASES	2048
#define PAGE		4096UL
#define KERNEL_ADDR	0xffffffff81000000ULL

static unsigned char pattern[PATTERN_LEN];

static void pattern_fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = i * 7 + i / 4096 + 1;
}

static bool pattern_ok(void)
{
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		if (pattern[i] != (unsigned char)(i * 7 + i / 4096 + 1))
			return false;
	return true;
}

/* Two that run, and one whose signal is queued, which is the last made. */
static void set_timers(void)
{
	static const clockid_t clocks[] = {
		CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME,
	};
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 50 };
	struct itimerspec it = { { 5, 0 }, { 1000000, 0 } };
	sigset_t set;
	int i, id;

	sigemptyset(&set);
	sigaddset(&set, 50);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 3; i++) {
		if (i == 2)
			it.it_value = (struct timespec){ 0, 1000000 };
		if (syscall(SYS_timer_create, clocks[i], &ev, &id) ||
		    syscall(SYS_timer_settime, id, 0, &it, NULL))
			_exit(44);
	}
	while (!sigpending(&set) && !sigismember(&set, 50))
		;
}

/* An epoll in an epoll, and all else that has a record behind its FILE record. */
static void open_fds(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 5, .l_len = 5 };
	struct itimerspec it = { .it_value.tv_sec = 1000 };
	struct epoll_event e = { .events = EPOLLIN };
	int inner = epoll_create1(0), outer = epoll_create1(0), fds[4], i;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fds[0] = eventfd(1, 0);
	fds[1] = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(fds[1], 0, &it, NULL);
	fds[2] = signalfd(-1, &set, 0);
	pid = fork();
	if (!pid)
		_exit(0);
	fds[3] = syscall(SYS_pidfd_open, pid, 0);
	waitpid(pid, NULL, 0);
	syscall(SYS_pidfd_open, getpid(), 0);
	fcntl(fds[1], F_SETOWN, getpid());
	i = inotify_init();
	mkdir("/tmp/watched", 0755);
	inotify_add_watch(i, "/tmp/watched", IN_ATTRIB);
	chmod("/tmp/watched", 0700);
	i = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
	fanotify_mark(i, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, 0, "/tmp/watched");
	close(open("/tmp/watched", O_RDONLY));
	i = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_REPORT_FID, O_RDONLY);
	fanotify_mark(i, FAN_MARK_ADD, FAN_RENAME | FAN_ATTRIB | FAN_ONDIR, 0, "/tmp/watched");
	close(open("/tmp/watched/a", O_RDONLY | O_CREAT, 0600));
	rename("/tmp/watched/a", "/tmp/watched/b");
	unlink("/tmp/watched/b");
	chmod("/tmp/watched", 0755);
	open("/proc/self/stat", O_RDONLY);
	open("/proc/version", O_RDONLY);
	open("/proc/self/ns/uts", O_RDONLY);
	fcntl(fds[0], F_SETLK, &lock);
	flock(fds[0], LOCK_SH);
	epoll_ctl(outer, EPOLL_CTL_ADD, inner, &e);
	for (i = 0; i < 4; i++)
		epoll_ctl(inner, EPOLL_CTL_ADD, fds[i], &e);
}

/* Two pages, the second not to its end, an attribute, policies of parts. */
static void open_memfd(void)
{
	unsigned long nodes = 1;
	char buf[PAGE + 5], *p;
	int fd = memfd_create("inode", MFD_ALLOW_SEALING);

	memset(buf, 'x', sizeof(buf));
	if (write(fd, buf, sizeof(buf)) != sizeof(buf) ||
	    fsetxattr(fd, "user.x", "value", 5, 0) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		_exit(45);
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	syscall(SYS_mbind, p, PAGE, MPOL_BIND, &nodes, 64, 0);
	syscall(SYS_mbind, p + 2 * PAGE, PAGE, MPOL_INTERLEAVE, &nodes, 64, 0);
	munmap(p, 4 * PAGE);
}

#define HUGE		(2UL << 20)
#define POOL		"/proc/sys/vm/nr_hugepages"

/* One that is in reserve for a file, one that is private and written to. */
static void map_huge(void)
{
	int fd = memfd_create("huge", MFD_HUGETLB);
	char *p;

	ftruncate(fd, 3 * HUGE);
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, HUGE);
	if (p == MAP_FAILED)
		return;
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		*p = 1;
}

#define ASKED_PAGES	11

/*
 * Memory that is locked, or broken, or soft-dirty in part; policies, of both kinds,
 * if there are any.
 */
static void set_memory(void)
{
	char *asked = mmap(NULL, ASKED_PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *broken = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	unsigned long nodes = 1;

	if (!ckpt_poison(broken + PAGE, PAGE) || !ckpt_poison(broken + 4 * PAGE, PAGE))
		_exit(46);
	mlock(p, PAGE);
	syscall(SYS_mbind, p + 2 * PAGE, PAGE, MPOL_BIND, &nodes, 64, 0);
	syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &nodes, 64);
	if (!ckpt_write_text("/proc/self/clear_refs", "4"))
		_exit(46);
	asked[2 * PAGE] = 1;
	asked[5 * PAGE] = 1;
}

/* A pair with a byte of which one was read before, and an end on its way in itself. */
static void open_sockets(void)
{
	int s[2], one = 1;
	char ch;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) ||
	    setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) ||
	    send(s[0], "ab", 2, 0) != 2 || recv(s[1], &ch, 1, 0) != 1 ||
	    !ckpt_send_fds(s[0], "fd", &s[1], 1))
		_exit(44);
}

#define FIFO	"/tmp/image.fifo"

/* Two packets, and bytes; a FIFO with a name, and one that was deleted. */
static void open_pipes(void)
{
	int p[2], f;

	unlink(FIFO);
	if (pipe2(p, O_DIRECT) || write(p[1], "abc", 3) != 3 || write(p[1], "de", 2) != 2 ||
	    mkfifo(FIFO, 0600))
		_exit(44);
	f = open(FIFO, O_RDWR);
	if (write(f, "xyz", 3) != 3 || mkfifo(FIFO ".gone", 0600))
		_exit(44);
	f = open(FIFO ".gone", O_RDWR);
	if (write(f, "uvw", 3) != 3 || unlink(FIFO ".gone"))
		_exit(44);
}

static void saved_program(void *arg)
{
	set_memory();
	open_fds();
	open_pipes();
	open_memfd();
	map_huge();
	open_sockets();
	pattern_fill();
	set_timers();
	ckpt_touch(READY);
	while (access(GO, F_OK))
		usleep(5000);
	_exit(pattern_ok() ? SAVED_EXIT : 43);
}

/* ---- the format, as this test understands it ------------------------------ */

static void crc_fix(struct ckpt_hdr *h)
{
	h->crc = 0;
	h->crc = ckpt_crc32c(h, h->len);
}

struct rec {
	struct ckpt_hdr *h;
	size_t off;
	unsigned char *payload;
	size_t payload_len;
};

static unsigned char *img;
static size_t img_len;
static struct rec recs[MAX_RECS];
static int nr_recs;

static bool parse(void)
{
	size_t off = 0;

	for (nr_recs = 0; off < img_len && nr_recs < MAX_RECS; nr_recs++) {
		struct rec *r = &recs[nr_recs];

		r->h = (void *)(img + off);
		r->off = off;
		r->payload = NULL;
		r->payload_len = 0;
		if (off + sizeof(*r->h) > img_len || r->h->len < sizeof(*r->h) ||
		    off + r->h->len > img_len)
			return false;
		off += r->h->len;
		if (r->h->type == CKPT_REC_PAGES) {
			off = (off + PAGE - 1) & ~(PAGE - 1);
			r->payload = img + off;
			r->payload_len = ((struct ckpt_rec_pages *)r->h)->data_len;
			off += r->payload_len;
		}
	}
	return off == img_len && recs[nr_recs - 1].h->type == CKPT_REC_TAIL;
}

static struct rec *find(uint32_t type, int nth)
{
	int i;

	for (i = 0; i < nr_recs; i++)
		if (recs[i].h->type == type && !nth--)
			return &recs[i];
	return NULL;
}

/* The first payload of an address space. */
static struct rec *find_memory(void)
{
	struct ckpt_rec_mm *mm = (void *)find(CKPT_REC_MM, 0)->h;
	struct rec *r;
	int i;

	for (i = 0; (r = find(CKPT_REC_PAGES, i)); i++)
		if (((struct ckpt_rec_pages *)r->h)->objref == mm->objref)
			break;
	return r;
}

static void *var_of(const struct rec *r)
{
	return (char *)r->h + r->h->fixed;
}

/* ---- cases ------------------------------------------------------------------ */

struct patch {
	size_t off;
	size_t len;
	uint64_t value;
};

struct kase {
	char name[80];
	struct patch p[2];
	size_t cut;		/* length of the image, 0: whole */
	unsigned char *full;	/* another image altogether */
	size_t full_len;
	int err;		/* 0: any */
	bool accept;
};

static struct kase cases[MAX_CASES];
static int nr_cases;

static struct kase *new_case(int err, const char *fmt, ...)
{
	struct kase *k = &cases[nr_cases++];
	va_list ap;

	if (nr_cases > MAX_CASES)
		abort();
	memset(k, 0, sizeof(*k));
	va_start(ap, fmt);
	vsnprintf(k->name, sizeof(k->name), fmt, ap);
	va_end(ap);
	k->err = err;
	return k;
}

/* One value, the checksum as it was. */
static void raw(const char *name, size_t off, size_t len, uint64_t value, int err)
{
	struct kase *k = new_case(err, "%s", name);

	k->p[0] = (struct patch) { off, len, value };
}

/* One value in a record that is right otherwise. */
static struct kase *field_at(const char *name, const struct rec *r, size_t at,
			     size_t len, uint64_t value, int err)
{
	struct kase *k;
	struct ckpt_hdr *copy;

	if (!r || at + len > r->h->len) {
		/* Shows up as a case that was accepted. */
		new_case(err, "%s: the image has no such field", name);
		return &cases[nr_cases - 1];
	}
	k = new_case(err, "%s = 0x%llx", name, (unsigned long long)value);
	copy = malloc(r->h->len);
	memcpy(copy, r->h, r->h->len);
	memcpy((char *)copy + at, &value, len);
	crc_fix(copy);
	k->p[0] = (struct patch) { r->off + at, len, value };
	k->p[1] = (struct patch) { r->off + offsetof(struct ckpt_hdr, crc), 4, copy->crc };
	free(copy);
	return k;
}

#define FIELD(r, low, f, value, err)					\
	field_at(#low "." #f, r, offsetof(struct ckpt_rec_##low, f),	\
		 sizeof(((struct ckpt_rec_##low *)0)->f), value, err)
#define VAR(r, name, at, len, value, err)				\
	field_at(name, r, (r) ? (r)->h->fixed + (at) : 0, len, value, err)
#define AS(low, r)	((struct ckpt_rec_##low *)(r)->h)

/*
 * Writes records as an image, with all that follows from their number and place
 * made right: checksums, META_END, INDEX, TAIL.
 */
static void structural(struct kase *k, struct rec *list, int n)
{
	size_t pages_at[MAX_RECS], off = 0, meta = 0, index = 0, nr_pages = 0;
	int i, j, nr_chunks = 0, indexed = 0;
	size_t room = 2 * PAGE * (n + 4);

	for (i = 0; i < n; i++)
		room += list[i].h->len + list[i].payload_len;
	k->full = calloc(1, room);
	for (i = 0; i < n; i++) {
		struct ckpt_hdr *h = (void *)(k->full + off);

		memcpy(h, list[i].h, list[i].h->len);
		if (h->type == CKPT_REC_META_END) {
			((struct ckpt_rec_meta_end *)h)->nr_records = i;
			meta = off;
		} else if (h->type == CKPT_REC_PAGES) {
			pages_at[nr_chunks++] = off;
			nr_pages += list[i].payload_len / PAGE;
		} else if (h->type == CKPT_REC_POISON ||
			   h->type == CKPT_REC_SOFT_DIRTY) {
			pages_at[nr_chunks++] = off;
		} else if (h->type == CKPT_REC_INDEX) {
			struct ckpt_index_entry *e = (void *)((char *)h + h->fixed);
			uint32_t nr = ((struct ckpt_rec_index *)h)->nr;

			if (!index)
				index = off;
			for (j = 0; j < nr && indexed < nr_chunks; j++)
				e[j].offset = pages_at[indexed++];
		} else if (h->type == CKPT_REC_TAIL) {
			struct ckpt_rec_tail *t = (void *)h;

			t->nr_records = i + 1;
			t->nr_pages = nr_pages;
			t->meta_offset = meta;
			t->index_offset = index ?: off;
			t->image_len = off + h->len;
		}
		crc_fix(h);
		off += h->len;
		if (list[i].payload) {
			off = (off + PAGE - 1) & ~(PAGE - 1);
			memcpy(k->full + off, list[i].payload, list[i].payload_len);
			off += list[i].payload_len;
		}
	}
	k->full_len = off;
}

static void insert(struct kase *k, int at, struct rec r)
{
	struct rec list[MAX_RECS + 1];

	memcpy(list, recs, at * sizeof(*recs));
	list[at] = r;
	memcpy(list + at + 1, recs + at, (nr_recs - at) * sizeof(*recs));
	structural(k, list, nr_recs + 1);
}

static struct rec make_rec(uint32_t type, size_t len)
{
	struct ckpt_hdr *h = calloc(1, len);

	h->type = type;
	h->len = len;
	h->fixed = sizeof(*h);
	return (struct rec) { .h = h };
}

static struct rec grown(const struct rec *r, size_t by, int fill)
{
	struct rec new = *r;

	new.h = calloc(1, r->h->len + by);
	memcpy(new.h, r->h, r->h->fixed);
	memset((char *)new.h + r->h->fixed, fill, by);
	memcpy((char *)new.h + r->h->fixed + by, var_of(r), r->h->len - r->h->fixed);
	new.h->len += by;
	new.h->fixed += by;
	return new;
}

/* ---- the process that tries --------------------------------------------------- */

struct shared {
	int at;			/* the case that is being tried */
	int bad;		/* failed attempts that went wrong */
	char text[8192];	/* what went wrong */
};

static struct shared *shm;

static int nr_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static int nr_processes(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	char path[300], exe[16];
	int n = 0;

	while (d && (e = readdir(d))) {
		/* Kernel threads come and go: they have no executable. */
		snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' &&
		    readlink(path, exe, sizeof(exe)) > 0)
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

static void complain(const struct kase *k, const char *fmt, ...)
{
	size_t len = strlen(shm->text);
	va_list ap;
	char what[512];

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	shm->bad++;
	snprintf(shm->text + len, sizeof(shm->text) - len, "# %s: %s\n", k->name,
		 what);
}

static void write_all(int fd, const unsigned char *buf, size_t len)
{
	if (ftruncate(fd, len) || pwrite(fd, buf, len, 0) != len)
		_exit(99);
}

static void try_case(const struct kase *k, int fd, int log)
{
	struct restart_args args = { .log_fd = log, .context_fd = -1, .done_fd = -1 };
	char text[400] = "";
	int fds = nr_open(), err, i;
	long ret;

	if (k->full)
		write_all(fd, k->full, k->full_len);
	else if (k->cut)
		write_all(fd, img, k->cut == SIZE_MAX ? 0 : k->cut);
	for (i = 0; i < 2; i++)
		pwrite(fd, &k->p[i].value, k->p[i].len, k->p[i].off);
	lseek(log, 0, SEEK_SET);
	ftruncate(log, 0);

	ret = sys_restart(0, fd, RESTART_TASKSELF | RESTART_NO_PIDS |
			  RESTART_ARGS, &args, sizeof(args));
	err = errno;
	pread(log, text, sizeof(text) - 1, 0);
	if (ret != -1)
		complain(k, "restart() returned %ld", ret);
	else if (k->accept || (k->err && k->err != err))
		complain(k, "%s, expected %s: %s", strerrorname_np(err),
			 k->accept ? "success" : strerrorname_np(k->err), text);
	if (!strchr(text, '\n'))
		complain(k, "%s, but nothing in the log", strerrorname_np(err));
	if (!pattern_ok())
		complain(k, "the memory of the restarter has changed");
	if (nr_open() != fds)
		complain(k, "%d descriptors, then %d", fds, nr_open());

	if (k->full || k->cut)
		write_all(fd, img, img_len);
	for (i = 0; i < 2; i++)
		if (k->p[i].len)
			pwrite(fd, img + k->p[i].off, k->p[i].len, k->p[i].off);
}

static void try_cases(int from)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	int log = memfd_create("log", MFD_CLOEXEC);

	pattern_fill();
	write_all(fd, img, img_len);
	for (shm->at = from; shm->at < nr_cases; shm->at++)
		try_case(&cases[shm->at], fd, log);
	_exit(0);
}

/* Returns the number of cases that went wrong; the text is in shm. */
static int run_cases(void)
{
	int from = 0, status, processes = nr_processes();
	pid_t pid;

	shm->bad = 0;
	shm->text[0] = 0;
	while (from < nr_cases) {
		pid = fork();
		if (!pid)
			try_cases(from);
		if (waitpid(pid, &status, 0) != pid)
			return -1;
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			break;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != SAVED_EXIT)
			complain(&cases[shm->at], "ended with status 0x%x", status);
		else if (!cases[shm->at].accept)
			complain(&cases[shm->at], "accepted");
		from = shm->at + 1;
	}
	if (nr_processes() != processes)
		complain(&cases[nr_cases - 1], "%d processes, then %d", processes,
			 nr_processes());
	return shm->bad;
}

/* Saves @program, and has the image to play with. */
static pid_t take_image(struct __test_metadata *_metadata, void (*program)(void *arg))
{
	struct stat st;
	pid_t pid;
	int fd, i;

	unlink(GO);
	unlink(READY);
	nr_cases = 0;
	ckpt_write_text(POOL, "2");
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shm);
	pid = ckpt_spawn(program, NULL, -1);
	ASSERT_LT(0, pid);
	for (i = 0; i < 5000 && access(READY, F_OK); i++)
		ckpt_sleep_ms(2);
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL))
		TH_LOG("%s", ckpt_log_text);
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(pid, 5000));
	fd = open(GO, O_CREAT | O_WRONLY, 0600);
	close(fd);

	fd = open(CKPT_IMG, O_RDONLY);
	ASSERT_EQ(0, fstat(fd, &st));
	img_len = st.st_size;
	img = malloc(img_len);
	ASSERT_EQ(img_len, read(fd, img, img_len));
	close(fd);
	ASSERT_TRUE(parse());
	return pid;
}

/* Whatever was refused, the good image is as good as before. */
static void give_image_back(struct __test_metadata *_metadata, pid_t pid)
{
	EXPECT_EQ(pid, ckpt_restart(CKPT_IMG, pid))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_EQ(SAVED_EXIT, ckpt_wait(pid, 10000));
	ckpt_write_text(POOL, "0");
	unlink(CKPT_IMG);
	unlink(GO);
}

FIXTURE(image)
{
	pid_t pid;
	int devnull, exe, dir;	/* objrefs of files */
};

FIXTURE_SETUP(image)
{
	int i;

	self->pid = take_image(_metadata, saved_program);
	for (i = 0; i < nr_recs; i++) {
		struct ckpt_rec_file *f = AS(file, &recs[i]);

		if (f->h.type != CKPT_REC_FILE)
			continue;
		if (f->kind == CKPT_FILE_CHR)
			self->devnull = i;
		if (f->kind == CKPT_FILE_REG)
			self->exe = i;
		if (f->kind == CKPT_FILE_DIR)
			self->dir = i;
	}
	ASSERT_TRUE(self->devnull && self->exe && self->dir);
}

FIXTURE_TEARDOWN(image)
{
	give_image_back(_metadata, self->pid);
}

#define EXPECT_CASES() do {						\
	EXPECT_EQ(0, run_cases());					\
	if (shm->bad)							\
		printf("%s", shm->text);				\
} while (0)

TEST_F(image, checksums_agree)
{
	int i;

	/* Or all the rest means nothing. */
	for (i = 0; i < nr_recs; i++) {
		uint32_t crc = recs[i].h->crc;

		crc_fix(recs[i].h);
		EXPECT_EQ(crc, recs[i].h->crc)
			TH_LOG("record %d of type %u", i, recs[i].h->type);
	}
	new_case(0, "the good image")->accept = true;
	structural(new_case(0, "the good image put together again"), recs, nr_recs);
	EXPECT_EQ(img_len, cases[1].full_len);
	EXPECT_EQ(0, memcmp(img, cases[1].full, img_len));
	cases[1].accept = true;
	EXPECT_CASES();
}

TEST_F(image, cut_short)
{
	int i;

	for (i = 0; i < nr_recs; i++) {
		size_t off = recs[i].off;

		new_case(EBADMSG, "cut before record %d (type %u)", i,
			 recs[i].h->type)->cut = off ?: SIZE_MAX;
		new_case(EBADMSG, "cut in the header of record %d", i)->cut = off + 8;
		new_case(EBADMSG, "cut behind the header of record %d", i)->cut = off + 16;
		new_case(EBADMSG, "cut in record %d", i)->cut = off + recs[i].h->len - 1;
		if (recs[i].payload)
			new_case(EBADMSG, "cut in the payload of record %d", i)->cut =
				recs[i].payload - img + recs[i].payload_len / 2;
	}
	EXPECT_CASES();
}

TEST_F(image, headers_flipped)
{
	int i;

	for (i = 0; i < nr_recs; i++) {
		struct ckpt_hdr *h = recs[i].h;
		size_t off = recs[i].off;
		char name[64];

		snprintf(name, sizeof(name), "type of record %d (type %u)", i, h->type);
		raw(name, off, 4, h->type ^ 1, 0);
		raw(name, off, 4, h->type ^ CKPT_REC_MAY_IGNORE, 0);
		raw(name, off, 4, CKPT_REC_PAD, 0);
		snprintf(name, sizeof(name), "len of record %d (type %u)", i, h->type);
		raw(name, off + 4, 4, h->len ^ 8, 0);
		raw(name, off + 4, 4, h->len + 4, 0);
		raw(name, off + 4, 4, 0, 0);
		raw(name, off + 4, 4, 0xfffffff8, 0);
		raw(name, off + 4, 4, CKPT_REC_MAX_LEN + 8, 0);
		snprintf(name, sizeof(name), "fixed of record %d (type %u)", i, h->type);
		raw(name, off + 8, 4, h->fixed ^ 8, 0);
		raw(name, off + 8, 4, 0, 0);
		raw(name, off + 8, 4, 0xfffffff8, 0);
		snprintf(name, sizeof(name), "crc of record %d (type %u)", i, h->type);
		raw(name, off + 12, 4, h->crc ^ 1, 0);
	}
	raw("longest record", recs[1].off + 4, 4, CKPT_REC_MAX_LEN, EBADMSG);
	EXPECT_CASES();
}

/* No byte is without a checksum or a rule. */
TEST_F(image, random_flips)
{
	size_t meta = find(CKPT_REC_META_END, 0)->off, off;
	struct rec *r = find(CKPT_REC_PAGES, 0);
	char name[64];
	int i;

	srandom(12345);
	for (i = 0; i < 200; i++) {
		off = random() % (i % 2 ? img_len : meta);
		snprintf(name, sizeof(name), "flip %d at %zu", i, off);
		raw(name, off, 1, img[off] ^ 1U << random() % 8, 0);
	}
	/* The gap before the payload must be zeros. */
	off = r->off + r->h->len;
	ASSERT_LT(off, r->payload - img);
	raw("first byte of the gap", off, 1, 1, EINVAL);
	raw("last byte of the gap", r->payload - img - 1, 1, 0x80, EINVAL);
	raw("first byte of the payload", r->payload - img, 1, *r->payload ^ 1, EBADMSG);
	EXPECT_CASES();
}

TEST_F(image, hostile_head)
{
	struct rec *h = find(CKPT_REC_HEADER, 0);
	struct rec *t = find(CKPT_REC_TREE_TASK, 0);
	struct rec *f = find(CKPT_REC_X86_FEATURES, 0);
	struct rec *e = find(CKPT_REC_META_END, 0);
	struct rec *c = find(CKPT_REC_CRED, 0);
	struct rec *n = find(CKPT_REC_NS, 0);

	field_at("header.magic", h, offsetof(struct ckpt_rec_header, magic), 8, 1, ENOEXEC);
	FIELD(h, header, version, 0, EPROTONOSUPPORT);
	FIELD(h, header, version, 2, EPROTONOSUPPORT);
	FIELD(h, header, arch, 3, EPROTONOSUPPORT);
	FIELD(h, header, page_shift, 16, EPROTONOSUPPORT);
	FIELD(h, header, feature_incompat, 1ULL << 63, EPROTONOSUPPORT);
	FIELD(h, header, feature_incompat, 1, EPROTONOSUPPORT);
	FIELD(h, header, feature_compat, 1ULL << 63 | CKPT_COMPAT_INDEX, 0)->accept = true;
	FIELD(h, header, nr_signals, 65, EPROTONOSUPPORT);
	FIELD(h, header, nr_rlimits, 17, EPROTONOSUPPORT);
	FIELD(h, header, timens_monotonic_ns, 10000000000ULL, EINVAL);
	field_at("header.uuid", h, offsetof(struct ckpt_rec_header, uuid), 8, 1, EINVAL);
	field_at("header.boot_id", h, offsetof(struct ckpt_rec_header, boot_id), 8, 1, 0)
		->accept = true;

	FIELD(find(CKPT_REC_TREE, 0), tree, nr_tasks, 0, EINVAL);
	FIELD(find(CKPT_REC_TREE, 0), tree, nr_tasks, 2, EINVAL);
	FIELD(find(CKPT_REC_TREE, 0), tree, nr_tasks, 0xffffffff, EINVAL);
	FIELD(find(CKPT_REC_TREE, 0), tree, root, 1, EINVAL);
	FIELD(t, tree_task, index, 1, EINVAL);
	FIELD(t, tree_task, parent, 0, EINVAL);
	FIELD(t, tree_task, leader, 1, EINVAL);
	FIELD(t, tree_task, flags, CKPT_TREE_ZOMBIE, EINVAL);
	FIELD(t, tree_task, flags, 0x80000000, EOPNOTSUPP);
	FIELD(t, tree_task, nr_levels, 0, EINVAL);
	FIELD(t, tree_task, nr_levels, 2, EINVAL);
	FIELD(t, tree_task, nr_levels, 0xffffffff, EINVAL);
	VAR(t, "ids.pid", 0, 4, 0, EINVAL);
	VAR(t, "ids.pid", 0, 4, -5, EINVAL);
	VAR(t, "ids.tgid", 4, 4, 1, EINVAL);

	FIELD(e, meta_end, nr_records, AS(meta_end, e)->nr_records + 1, EINVAL);
	FIELD(e, meta_end, nr_records, AS(meta_end, e)->nr_records - 1, EINVAL);
	FIELD(e, meta_end, nr_records, ~0ULL, EINVAL);

	FIELD(f, x86_features, nr_words, 0xffffffff, EINVAL);
	FIELD(f, x86_features, xfeatures, ~0ULL, 0);
	VAR(f, "a feature word", 0, 4, 0xffffffff, ENODEV);

	FIELD(n, ns, kind, 0, EINVAL);
	FIELD(n, ns, kind, 99, EINVAL);
	FIELD(n, ns, flags, 0, EOPNOTSUPP);
	FIELD(n, ns, objref, 0, EINVAL);
	FIELD(n, ns, objref, 9999, EINVAL);

	FIELD(c, cred, nr_groups, 0xffffffff, EINVAL);
	FIELD(c, cred, nr_groups, 65537, EINVAL);
	FIELD(c, cred, securebits, 0x80000000, EINVAL);
	FIELD(c, cred, cap_effective, ~0ULL, EINVAL);
	FIELD(c, cred, cap_permitted, 0, EINVAL);
	FIELD(c, cred, cap_ambient, 1, EINVAL);
	FIELD(c, cred, uid, 0xffffffff, 0);
	EXPECT_CASES();
}

/* The location that is the working directory becomes that of a regular file. */
static void cwd_is_file(const struct rec *fs, const struct rec *reg)
{
	struct rec list[MAX_RECS];
	int i;

	memcpy(list, recs, nr_recs * sizeof(*recs));
	for (i = 0; i < nr_recs; i++) {
		if (recs[i].h->type != CKPT_REC_FILE ||
		    AS(file, &recs[i])->objref != AS(fs, fs)->cwd)
			continue;
		list[i].h = malloc(reg->h->len);
		memcpy(list[i].h, reg->h, reg->h->len);
		AS(file, &list[i])->objref = AS(fs, fs)->cwd;
	}
	structural(new_case(EINVAL, "a file for the working directory"), list, nr_recs);
}

TEST_F(image, hostile_files)
{
	struct rec *exe = &recs[self->exe], *null = &recs[self->devnull];
	struct rec *fs = find(CKPT_REC_FS, 0), *fds = find(CKPT_REC_FILES, 0);
	uint32_t len = AS(file, exe)->path_len;
	size_t last = (AS(files, fds)->nr_fds - 1) * sizeof(struct ckpt_fd);
	uint32_t mm = AS(mm, find(CKPT_REC_MM, 0))->objref;

	ASSERT_LE(3, AS(files, fds)->nr_fds);
	VAR(exe, "path without NUL", len - 1, 1, 'x', EINVAL);
	VAR(exe, "path with two NULs", 1, 1, 0, EINVAL);
	VAR(exe, "relative path", 0, 1, 'x', EINVAL);
	VAR(exe, "another path", 1, 1, '~', ENOENT);
	FIELD(exe, file, path_len, 0, EINVAL);
	FIELD(exe, file, path_len, len - 1, EINVAL);
	FIELD(exe, file, path_len, 0xffffffff, EINVAL);
	FIELD(exe, file, path_len, CKPT_PATH_MAX + 1, EINVAL);
	FIELD(exe, file, kind, 0, EOPNOTSUPP);
	FIELD(exe, file, kind, 99, EOPNOTSUPP);
	FIELD(exe, file, flags, 0x80000000, EOPNOTSUPP);
	FIELD(exe, file, f_flags, 0x80000000, EINVAL);
	FIELD(exe, file, f_flags, O_CREAT, EINVAL);
	FIELD(exe, file, f_flags, O_TRUNC, EINVAL);
	FIELD(exe, file, pos, -1, EINVAL);
	FIELD(exe, file, mode, S_IFDIR | 0755, ESTALE);
	FIELD(exe, file, size, 1, ESTALE);
	FIELD(exe, file, mtime_sec, 1, ESTALE);
	FIELD(null, file, rdev_minor, 99, ESTALE);
	FIELD(null, file, mode, S_IFREG | 0600, ESTALE);
	FIELD(null, file, pos, 1ULL << 63, EINVAL);

	FIELD(fds, files, nr_fds, 0xffffffff, EINVAL);
	FIELD(fds, files, nr_fds, AS(files, fds)->nr_fds + 1, EINVAL);
	VAR(fds, "descriptors out of order", 0, 4, 5, EINVAL);
	VAR(fds, "a descriptor twice", 0, 4, 1, EINVAL);
	VAR(fds, "last descriptor", last, 4, 0xffffffff, EINVAL);
	VAR(fds, "last descriptor", last, 4, 0x7fffffff, EINVAL);
	VAR(fds, "last descriptor", last, 4, 0x7ffffffe, EMFILE);
	VAR(fds, "descriptor flags", 4, 4, 0x80000000, EINVAL);
	VAR(fds, "file that is missing", 8, 4, 9999, EINVAL);
	VAR(fds, "file 0", 8, 4, 0, EINVAL);
	VAR(fds, "file that is an address space", 8, 4, mm, EINVAL);
	FIELD(fds, files, objref, 0, EINVAL);
	FIELD(fds, files, objref, mm, EINVAL);

	FIELD(fs, fs, umask, 01000, EINVAL);
	FIELD(fs, fs, root, 9999, EINVAL);
	FIELD(fs, fs, cwd, 9999, EINVAL);
	FIELD(fs, fs, cwd, mm, EINVAL);
	FIELD(fs, fs, cwd, AS(file, null)->objref, 0);
	FIELD(fs, fs, root, AS(file, null)->objref, 0);
	cwd_is_file(fs, &recs[self->exe]);
	FIELD(fs, fs, objref, mm, EINVAL);
	EXPECT_CASES();
}

/* The FILE record that a record belongs to. */
static struct rec *file_of(const struct rec *r)
{
	int i;

	for (i = 0; r && i < nr_recs; i++)
		if (recs[i].h->type == CKPT_REC_FILE &&
		    AS(file, &recs[i])->objref == AS(eventfd, r)->file)
			return &recs[i];
	return NULL;
}

TEST_F(image, hostile_sockets)
{
	struct rec *a = find(CKPT_REC_UNIX_SOCK, 0), *b = find(CKPT_REC_UNIX_SOCK, 1);
	struct rec *m = find(CKPT_REC_UNIX_MSG, 0), *n = find(CKPT_REC_UNIX_MSG, 1);
	uint32_t null = AS(file, &recs[self->devnull])->objref;
	uint32_t event = AS(eventfd, find(CKPT_REC_EVENTFD, 0))->file;

	ASSERT_TRUE(a && b && m && n);
	ASSERT_EQ(2, AS(unix_msg, m)->len);
	ASSERT_EQ(1, AS(unix_msg, m)->consumed);
	ASSERT_EQ(1, AS(unix_msg, n)->nr_files);

	FIELD(a, unix_sock, file, 0, EINVAL);
	FIELD(a, unix_sock, file, 9999, EINVAL);
	FIELD(a, unix_sock, file, event, EINVAL);
	FIELD(a, unix_sock, file, AS(unix_sock, b)->file, EINVAL);
	FIELD(a, unix_sock, sock_type, 0, EINVAL);
	FIELD(a, unix_sock, sock_type, SOCK_RAW, EINVAL);
	FIELD(a, unix_sock, sock_type, SOCK_DGRAM, EINVAL);
	FIELD(a, unix_sock, sock_type, SOCK_STREAM | SOCK_NONBLOCK, EINVAL);
	FIELD(a, unix_sock, flags, 4, EOPNOTSUPP);
	FIELD(a, unix_sock, flags, 0, EINVAL);
	FIELD(a, unix_sock, flags, CKPT_UNIX_PEER_CLOSED, EINVAL);
	FIELD(a, unix_sock, flags, CKPT_UNIX_FLAGS_ALL, EINVAL);
	FIELD(a, unix_sock, peer, 0, EINVAL);
	FIELD(a, unix_sock, peer, 9999, EINVAL);
	FIELD(a, unix_sock, peer, null, EINVAL);
	FIELD(a, unix_sock, peer, event, EINVAL);
	FIELD(a, unix_sock, peer, AS(unix_sock, a)->file, EINVAL);
	FIELD(a, unix_sock, peer_cred, 0, EINVAL);
	FIELD(a, unix_sock, peer_cred, 9999, EINVAL);
	FIELD(a, unix_sock, peer_cred, null, EINVAL);
	FIELD(a, unix_sock, nr_msgs, 77, EINVAL);
	FIELD(a, unix_sock, peer_pid.kind, CKPT_SOCK_PID_NONE, EINVAL);
	FIELD(a, unix_sock, peer_pid.kind, 3, EOPNOTSUPP);
	FIELD(a, unix_sock, peer_pid.task, 1, EINVAL);
	FIELD(a, unix_sock, peer_pid.__reserved, 1, EINVAL);
	FIELD(a, unix_sock, sock.flags, 0x80000000, EOPNOTSUPP);
	FIELD(a, unix_sock, sock.err, 4096, EINVAL);
	FIELD(a, unix_sock, sock.err, 0xffffffff, EINVAL);
	FIELD(a, unix_sock, sock.sndbuf, 0, EINVAL);
	FIELD(a, unix_sock, sock.sndbuf, 0x80000000, EINVAL);
	FIELD(a, unix_sock, sock.rcvbuf, 0xffffffff, EINVAL);
	FIELD(a, unix_sock, sock.rcvlowat, 0, EINVAL);
	FIELD(a, unix_sock, sock.rcvlowat, 0x80000000, EINVAL);
	FIELD(a, unix_sock, sock.rcvtimeo_usec, 1000000, EINVAL);
	FIELD(a, unix_sock, sock.sndtimeo_usec, 0xffffffff, EINVAL);
	FIELD(a, unix_sock, sock.__reserved, 1, EOPNOTSUPP);

	FIELD(m, unix_msg, file, 0, EINVAL);
	FIELD(m, unix_msg, file, 9999, EINVAL);
	FIELD(m, unix_msg, file, null, EINVAL);
	FIELD(m, unix_msg, flags, 2, EOPNOTSUPP);
	FIELD(m, unix_msg, flags, CKPT_UNIX_MSG_OOB, EINVAL);
	FIELD(m, unix_msg, len, 0, EINVAL);
	FIELD(m, unix_msg, len, 1, EINVAL);
	FIELD(m, unix_msg, len, 0xffffffff, EINVAL);
	FIELD(m, unix_msg, consumed, 0xffffffff, EINVAL);
	FIELD(m, unix_msg, consumed, 2, EINVAL);
	FIELD(m, unix_msg, nr_files, 1, EINVAL);
	FIELD(m, unix_msg, nr_files, 254, EINVAL);
	FIELD(m, unix_msg, nr_files, 0x40000001, EINVAL);
	FIELD(m, unix_msg, var_len, 0, EINVAL);
	FIELD(m, unix_msg, var_len, 0xffffffff, EINVAL);
	FIELD(m, unix_msg, pid.kind, 3, EOPNOTSUPP);
	FIELD(m, unix_msg, pid.task, 9999, EINVAL);
	VAR(n, "file", 0, 4, 0, EINVAL);
	VAR(n, "file", 0, 4, 9999, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_fds)
{
	struct rec *e = find(CKPT_REC_EVENTFD, 0), *t = find(CKPT_REC_TIMERFD, 0);
	struct rec *s = find(CKPT_REC_SIGNALFD, 0), *p = find(CKPT_REC_PIDFD, 0);
	struct rec *q = find(CKPT_REC_PIDFD, 1), *x = find(CKPT_REC_EPOLL, 0);
	struct rec *y = find(CKPT_REC_EPOLL, 1), *inner, *outer;
	uint32_t null = AS(file, &recs[self->devnull])->objref;
	const size_t size = sizeof(struct ckpt_epoll_item);

	ASSERT_TRUE(e && t && s && p && q && x && y);
	inner = AS(epoll, x)->nr_items == 1 ? y : x;
	outer = inner == x ? y : x;
	ASSERT_EQ(4, AS(epoll, inner)->nr_items);

	FIELD(e, eventfd, file, 0, EINVAL);
	FIELD(e, eventfd, file, 9999, EINVAL);
	FIELD(e, eventfd, file, null, EINVAL);
	FIELD(e, eventfd, file, AS(timerfd, t)->file, EINVAL);
	FIELD(e, eventfd, flags, 2, EOPNOTSUPP);
	FIELD(file_of(e), file, kind, CKPT_FILE_TIMERFD, EINVAL);
	FIELD(file_of(e), file, kind, CKPT_FILE_EPOLL, EINVAL);
	FIELD(file_of(x), file, kind, CKPT_FILE_EVENTFD, EINVAL);
	FIELD(file_of(x), file, kind, CKPT_FILE_PIPE, EINVAL);
	FIELD(file_of(x), file, kind, CKPT_FILE_FIFO, EINVAL);
	FIELD(file_of(e), file, flags, CKPT_FILE_F_UNPAIRED, EINVAL);

	FIELD(t, timerfd, clock, 99, EINVAL);
	FIELD(t, timerfd, clock, CLOCK_TAI, EINVAL);
	FIELD(t, timerfd, flags, 0x10, EOPNOTSUPP);
	FIELD(t, timerfd, flags, CKPT_TIMERFD_ARMED | CKPT_TIMERFD_EXPIRED, EINVAL);
	FIELD(t, timerfd, flags, CKPT_TIMERFD_CANCELABLE, EINVAL);
	FIELD(t, timerfd, flags, CKPT_TIMERFD_CANCELED, EINVAL);
	FIELD(t, timerfd, settime_flags, 4, EOPNOTSUPP);
	FIELD(t, timerfd, interval, 1ULL << 63, EINVAL);
	FIELD(t, timerfd, value, 1ULL << 63, EINVAL);

	FIELD(s, signalfd, mask, 1ULL << (SIGKILL - 1), EINVAL);
	FIELD(s, signalfd, __reserved, 1, EPROTONOSUPPORT);

	FIELD(p, pidfd, flags, 4, EOPNOTSUPP);
	FIELD(AS(pidfd, p)->flags ? q : p, pidfd, task, 1, EINVAL);
	FIELD(p, pidfd, __reserved, 1, EPROTONOSUPPORT);

	FIELD(inner, epoll, file, 9999, EINVAL);
	FIELD(inner, epoll, file, null, EINVAL);
	FIELD(inner, epoll, file, AS(eventfd, e)->file, EINVAL);
	FIELD(inner, epoll, nr_items, 0xffffffff, EINVAL);
	FIELD(inner, epoll, nr_items, 5, EINVAL);
	FIELD(inner, epoll, busy_poll_usecs, 0x80000000, 0);
	FIELD(inner, epoll, prefer_busy_poll, 2, 0);
	FIELD(inner, epoll, __reserved, 1, EPROTONOSUPPORT);

#define ITEM(r, f, value, err)						\
	VAR(r, "item." #f, offsetof(struct ckpt_epoll_item, f),		\
	    sizeof(((struct ckpt_epoll_item *)0)->f), value, err)

	ITEM(inner, file, 0, EINVAL);
	ITEM(inner, file, 9999, EINVAL);
	ITEM(inner, file, null, EPERM);
	/* Round in circles. */
	ITEM(inner, file, AS(epoll, inner)->file, EINVAL);
	ITEM(inner, file, AS(epoll, outer)->file, ELOOP);
	ITEM(inner, fd, 0x80000000, EINVAL);
	ITEM(inner, flags, 2, EINVAL);
	ITEM(inner, __reserved, 1, EINVAL);
	ITEM(inner, events, EPOLLEXCLUSIVE | EPOLLONESHOT, EINVAL);
	ITEM(outer, events, EPOLLEXCLUSIVE, EINVAL);
	ITEM(inner, sighand, 9999, EINVAL);
	ITEM(outer, sighand, AS(sighand, find(CKPT_REC_SIGHAND, 0))->objref, EINVAL);
	/* Twice the same. */
	VAR(inner, "item[1]", size, 8, *(uint64_t *)var_of(inner), EEXIST);
	EXPECT_CASES();
}

/* The end of a pipe, which a FILE record is of. */
static struct rec *end_of(uint32_t pipe, int nth)
{
	int i;

	for (i = 0; i < nr_recs; i++)
		if (recs[i].h->type == CKPT_REC_FILE && AS(file, &recs[i])->pipe == pipe &&
		    !nth--)
			return &recs[i];
	return NULL;
}

/* The pipe that files of a kind are ends of. */
static struct rec *pipe_of(uint32_t kind)
{
	struct rec *r, *f;
	int i;

	for (i = 0; (r = find(CKPT_REC_PIPE, i)); i++) {
		f = end_of(AS(pipe, r)->objref, 0);
		if (f && AS(file, f)->kind == kind)
			return r;
	}
	return NULL;
}

/* The same records, one of them behind another that refers to it. */
static void move_behind(struct kase *k, const struct rec *r, const struct rec *other)
{
	struct rec list[MAX_RECS];
	int i, n = 0;

	for (i = 0; i < nr_recs; i++) {
		if (&recs[i] != r)
			list[n++] = recs[i];
		if (&recs[i] == other)
			list[n++] = *r;
	}
	structural(k, list, n);
}

TEST_F(image, hostile_pipes)
{
	const size_t buf = sizeof(struct ckpt_pipe_buf);
	struct rec *p = pipe_of(CKPT_FILE_PIPE), *f = pipe_of(CKPT_FILE_FIFO), *a, *b, *c;
	uint32_t pipe, fifo, cred = AS(task, find(CKPT_REC_TASK, 0))->cred;

	ASSERT_TRUE(p && f);
	ASSERT_EQ(2, AS(pipe, p)->nr_bufs);
	ASSERT_EQ(1, AS(pipe, f)->nr_bufs);
	pipe = AS(pipe, p)->objref;
	fifo = AS(pipe, f)->objref;
	a = end_of(pipe, 0);
	b = end_of(pipe, 1);
	c = end_of(fifo, 0);
	ASSERT_TRUE(a && b && c);
	ASSERT_EQ(CKPT_FILE_FIFO, AS(file, c)->kind);

#define BUF(f, value, err)						\
	VAR(p, "buf." #f, offsetof(struct ckpt_pipe_buf, f), 4, value, err)

	BUF(len, 0, EINVAL);
	BUF(len, 2, EINVAL);
	BUF(len, PAGE + 1, EINVAL);
	BUF(len, 0xffffffff, EINVAL);
	BUF(flags, 2, EINVAL);
	VAR(p, "buf[1].len", buf + offsetof(struct ckpt_pipe_buf, len), 4, 3, EINVAL);
	FIELD(p, pipe, nr_bufs, 0, EINVAL);
	FIELD(p, pipe, nr_bufs, 1, EINVAL);
	FIELD(p, pipe, nr_bufs, 3, EINVAL);
	FIELD(p, pipe, nr_bufs, 0xffffffff, EINVAL);
	FIELD(p, pipe, var_len, 0, EINVAL);
	FIELD(p, pipe, var_len, 2 * buf, EINVAL);
	FIELD(p, pipe, var_len, 0xfffffff8, EINVAL);
	FIELD(p, pipe, capacity, 0, EINVAL);
	FIELD(p, pipe, capacity, 1, EINVAL);
	FIELD(p, pipe, capacity, 0x80000000, EINVAL);
	/* Less than what it holds; none that a pipe can have; none that is to be had. */
	FIELD(p, pipe, capacity, PAGE, EINVAL);
	FIELD(p, pipe, capacity, 3 * PAGE, EINVAL);
	FIELD(p, pipe, capacity, 0x40000000, ENOMEM);
	FIELD(f, pipe, capacity, 3 * PAGE, EINVAL);
	FIELD(f, pipe, nr_bufs, 2, EINVAL);

	FIELD(a, file, pipe, 0, EINVAL);
	FIELD(a, file, pipe, 9999, EINVAL);
	/* Another type of object; a pipe and a FIFO; an end for nothing. */
	FIELD(a, file, pipe, cred, EINVAL);
	FIELD(a, file, cred, pipe, EINVAL);
	FIELD(c, file, pipe, cred, EINVAL);
	FIELD(a, file, pipe, fifo, EINVAL);
	FIELD(c, file, pipe, pipe, EINVAL);
	FIELD(a, file, kind, CKPT_FILE_FIFO, EINVAL);
	FIELD(c, file, kind, CKPT_FILE_REG, ESTALE);
	FIELD(a, file, f_flags, O_ACCMODE, EINVAL);
	FIELD(c, file, f_flags, O_ACCMODE, EINVAL);

	/* The order among objects is free. */
	move_behind(new_case(0, "a pipe behind its end"), p, a);
	cases[nr_cases - 1].accept = true;
	EXPECT_CASES();
}

TEST_F(image, hostile_locks)
{
	struct rec *e = find(CKPT_REC_EVENTFD, 0);
	struct rec *x = find(CKPT_REC_LOCKS, 0), *y = find(CKPT_REC_LOCKS, 1);
	struct rec *table, *file;
	uint32_t cred = AS(task, find(CKPT_REC_TASK, 0))->cred;

	ASSERT_TRUE(e && x && y);
	/* One of the table, one of the open file. */
	file = AS(locks, x)->owner == AS(eventfd, e)->file ? x : y;
	table = file == x ? y : x;
	ASSERT_EQ(AS(eventfd, e)->file, AS(locks, file)->owner);

#define LOCK(r, f, value, err)						\
	VAR(r, "lock." #f, offsetof(struct ckpt_lock, f),		\
	    sizeof(((struct ckpt_lock *)0)->f), value, err)

	FIELD(table, locks, owner, 0, EINVAL);
	FIELD(table, locks, owner, 9999, EINVAL);
	FIELD(table, locks, owner, AS(locks, file)->owner, EINVAL);
	FIELD(table, locks, nr_locks, 2, EINVAL);
	FIELD(table, locks, nr_locks, 0xffffffff, EINVAL);
	FIELD(file, locks, owner, AS(locks, table)->owner, EINVAL);
	FIELD(file, locks, owner, cred, EINVAL);
	LOCK(table, kind, 0, EOPNOTSUPP);
	LOCK(table, kind, 9, EOPNOTSUPP);
	LOCK(table, kind, CKPT_LOCK_OFD, EINVAL);
	LOCK(table, type, F_UNLCK, EOPNOTSUPP);
	LOCK(table, fd, 9999, EINVAL);
	LOCK(table, fd, 0xffffffff, EINVAL);
	LOCK(table, task, 1, EINVAL);
	LOCK(table, start, 1ULL << 63, EINVAL);
	LOCK(table, start, 10, EINVAL);
	LOCK(table, end, 4, EINVAL);
	LOCK(file, kind, CKPT_LOCK_POSIX, EINVAL);
	LOCK(file, fd, 1, EINVAL);
	LOCK(file, start, 1, EINVAL);
	LOCK(file, end, 1, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_owners)
{
	struct rec *o = find(CKPT_REC_FOWNER, 0);
	struct rec *p = find(CKPT_REC_PROC, 0), *q = find(CKPT_REC_PROC, 1);
	uint32_t null = AS(file, &recs[self->devnull])->objref, len;

	ASSERT_TRUE(o && p && q);
	FIELD(o, fowner, file, 0, EINVAL);
	FIELD(o, fowner, file, 9999, EINVAL);
	FIELD(o, fowner, file, AS(task, find(CKPT_REC_TASK, 0))->cred, EINVAL);
	FIELD(o, fowner, flags, 8, EOPNOTSUPP);
	FIELD(o, fowner, flags, 0, EINVAL);
	FIELD(o, fowner, flags, CKPT_FOWNER_SET | CKPT_FOWNER_LISTED, EINVAL);
	/* Of a timerfd no signal ever comes. */
	FIELD(o, fowner, flags, CKPT_FOWNER_FLAGS_ALL, EINVAL);
	FIELD(o, fowner, type, 3, EINVAL);
	FIELD(o, fowner, task, 1, EINVAL);
	FIELD(o, fowner, sig, 65, EINVAL);
	FIELD(o, fowner, sig, 0x80000000, EINVAL);
	FIELD(o, fowner, fd, 5, EINVAL);
	FIELD(o, fowner, fd, 0x80000000, EINVAL);

	ASSERT_EQ(0, AS(proc, p)->task);
	ASSERT_EQ(CKPT_PROC_NO_TASK, AS(proc, q)->task);
	len = AS(proc, p)->mount_len;
	FIELD(p, proc, file, null, EINVAL);
	FIELD(p, proc, flags, 2, EOPNOTSUPP);
	FIELD(p, proc, task, 1, EINVAL);
	FIELD(p, proc, task, CKPT_PROC_NO_TASK, EINVAL);
	FIELD(p, proc, mount_len, 0, EINVAL);
	FIELD(p, proc, mount_len, len - 1, EINVAL);
	FIELD(p, proc, mount_len, 9999, EINVAL);
	FIELD(q, proc, task, 0, EINVAL);
	FIELD(q, proc, mount_len, len, EINVAL);
	FIELD(q, proc, flags, CKPT_PROC_THREAD, EINVAL);
	/* Not below .../task; nothing of that name; of another type; no directory. */
	FIELD(p, proc, flags, CKPT_PROC_THREAD, EINVAL);
	VAR(file_of(p), "path", strlen(var_of(file_of(p))) - 1, 1, 'x', ENOENT);
	VAR(file_of(p), "path", len + 1, 1, '/', ENOENT);
	FIELD(file_of(p), file, mode, S_IFDIR, ESTALE);
	FIELD(file_of(p), file, flags, CKPT_FILE_F_PATH_ONLY, EINVAL);
	FIELD(file_of(p), file, kind, CKPT_FILE_DIR, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_namespace)
{
	uint32_t null = AS(file, &recs[self->devnull])->objref;
	struct rec *r = find(CKPT_REC_NSFILE, 0);

	ASSERT_NE(NULL, r);
	ASSERT_EQ(CLONE_NEWUTS, AS(nsfile, r)->type);
	FIELD(r, nsfile, file, null, EINVAL);
	FIELD(r, nsfile, task, 1, EINVAL);
	FIELD(r, nsfile, task, 0xffffffff, EINVAL);
	FIELD(r, nsfile, type, 0, EOPNOTSUPP);
	FIELD(r, nsfile, type, CLONE_NEWUTS | CLONE_NEWNET, EOPNOTSUPP);
	FIELD(r, nsfile, __reserved, 1, EPROTONOSUPPORT);
	EXPECT_CASES();
}

TEST_F(image, hostile_fanotify)
{
	uint32_t null = AS(file, &recs[self->devnull])->objref;
	struct rec *r = find(CKPT_REC_FANOTIFY, 0);
	const size_t path = sizeof(struct ckpt_fanotify_mark), event = path + 16;

	ASSERT_NE(NULL, r);
	ASSERT_EQ(1, AS(fanotify, r)->nr_marks);
	ASSERT_EQ(1, AS(fanotify, r)->nr_events);
	ASSERT_EQ(event + sizeof(struct ckpt_fanotify_event) + 16, AS(fanotify, r)->var_len);

#define MARK(f, value, err)						\
	VAR(r, "mark." #f, offsetof(struct ckpt_fanotify_mark, f), 4, value, err)

	FIELD(r, fanotify, file, null, EINVAL);
	FIELD(r, fanotify, flags, 2, EOPNOTSUPP);
	FIELD(r, fanotify, init_flags, FAN_CLASS_CONTENT, EOPNOTSUPP);
	FIELD(r, fanotify, init_flags, FAN_CLASS_PRE_CONTENT, EOPNOTSUPP);
	FIELD(r, fanotify, init_flags, 0x80000000, EINVAL);
	FIELD(r, fanotify, init_flags, FAN_REPORT_NAME, EINVAL);
	FIELD(r, fanotify, event_f_flags, O_ACCMODE, EINVAL);
	FIELD(r, fanotify, event_f_flags, O_CREAT, EINVAL);
	FIELD(r, fanotify, nr_marks, 0, EINVAL);
	FIELD(r, fanotify, nr_marks, 2, EINVAL);
	FIELD(r, fanotify, nr_marks, 0xffffffff, EINVAL);
	FIELD(r, fanotify, mark_len, 0, EOPNOTSUPP);
	FIELD(r, fanotify, mark_len, 0xfffffff8, EOPNOTSUPP);
	FIELD(r, fanotify, var_len, 0, EINVAL);
	FIELD(r, fanotify, var_len, 0xfffffff8, EINVAL);
	FIELD(r, fanotify, nr_events, 0, EINVAL);
	FIELD(r, fanotify, nr_events, 2, EINVAL);
	FIELD(r, fanotify, nr_events, 0xffffffff, EINVAL);
	/* An unprivileged group is told of no files, nor one that is told of handles. */
	FIELD(r, fanotify, flags, CKPT_FANOTIFY_UNPRIV, EINVAL);
	FIELD(r, fanotify, init_flags, FAN_REPORT_FID, EINVAL);
	MARK(flags, FAN_MARK_ADD, EINVAL);
	MARK(flags, FAN_MARK_IGNORED_MASK, EINVAL);
	MARK(flags, FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, EINVAL);
	MARK(flags, FAN_MARK_MOUNT, ESTALE);
	MARK(flags, FAN_MARK_FILESYSTEM | FAN_MARK_EVICTABLE, EINVAL);
	MARK(flags, FAN_MARK_IGNORE, EINVAL);
	MARK(mask, FAN_OPEN_PERM, EINVAL);
	MARK(mask, FAN_FS_ERROR, EINVAL);
	MARK(mask, FAN_CREATE, EINVAL);
	MARK(mask, FAN_RENAME, EINVAL);
	MARK(mask, FAN_Q_OVERFLOW, EINVAL);
	MARK(ignore_mask, FAN_ACCESS_PERM, EINVAL);
	MARK(ignore_mask, FAN_ATTRIB, EINVAL);
	MARK(path_len, 0, EINVAL);
	MARK(path_len, 5, EINVAL);
	MARK(path_len, 0xffffffff, EINVAL);
	MARK(mode, S_IFREG, ESTALE);
	VAR(r, "path", path, 1, 'x', EINVAL);
	VAR(r, "path", path + 5, 1, 'x', ENOENT);

#define FAN_EVENT(at, f, value, err)					\
	VAR(r, "event." #f, (at) + offsetof(struct ckpt_fanotify_event, f),	\
	    sizeof(((struct ckpt_fanotify_event *)0)->f), value, err)

	FAN_EVENT(event, kind, 0, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_FID, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_NAME, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_OVERFLOW, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_ERROR, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_ERROR + 1, EINVAL);
	FAN_EVENT(event, mask, 0, EINVAL);
	FAN_EVENT(event, mask, FAN_ONDIR, EINVAL);
	FAN_EVENT(event, mask, FAN_OPEN | FAN_ONDIR, EINVAL);
	FAN_EVENT(event, mask, FAN_OPEN | FAN_OPEN_PERM, EINVAL);
	FAN_EVENT(event, mask, FAN_OPEN | FAN_Q_OVERFLOW, EINVAL);
	FAN_EVENT(event, mask, FAN_OPEN | FAN_FS_ERROR, EINVAL);
	FAN_EVENT(event, mask, FAN_CREATE, EINVAL);
	FAN_EVENT(event, pid.kind, 9, EOPNOTSUPP);
	FAN_EVENT(event, pid.task, 1, EINVAL);
	FAN_EVENT(event, pid.__reserved, 1, EINVAL);
	FAN_EVENT(event, mode, S_IFREG, ESTALE);
	FAN_EVENT(event, fsid, 1, EINVAL);
	FAN_EVENT(event, path_len, 0, EINVAL);
	FAN_EVENT(event, path_len, 5, EINVAL);
	FAN_EVENT(event, path_len, 0xffffffff, EINVAL);
	FAN_EVENT(event, name_len, 1, EINVAL);
	FAN_EVENT(event, name2_len, 0xffff, EINVAL);
	FAN_EVENT(event, error, 1, EINVAL);
	FAN_EVENT(event, err_count, 1, EINVAL);
	FAN_EVENT(event, fh_type, 1, EINVAL);
	FAN_EVENT(event, fh_len, 8, EINVAL);
	FAN_EVENT(event, dir_len, 0xff, EINVAL);
	FAN_EVENT(event, dir2_len, 4, EINVAL);
	FAN_EVENT(event, __reserved, 1, EINVAL);
	VAR(r, "event.path", event + sizeof(struct ckpt_fanotify_event), 1, 'x', EINVAL);
	VAR(r, "event.path", event + sizeof(struct ckpt_fanotify_event) + 5, 1, 'x', ENOENT);
	EXPECT_CASES();
}

/* A rename from "a" to "b", and a change of the directory. */
TEST_F(image, hostile_handles)
{
	const size_t event = sizeof(struct ckpt_fanotify_mark) + 16;
	const size_t fh = 16, name = event + sizeof(struct ckpt_fanotify_event) + 2 * fh;
	const size_t next = name + 16;
	struct rec *r = find(CKPT_REC_FANOTIFY, 1);

	ASSERT_NE(NULL, r);
	ASSERT_EQ(2, AS(fanotify, r)->nr_events);
	ASSERT_EQ(next + sizeof(struct ckpt_fanotify_event) + fh, AS(fanotify, r)->var_len);

	/* It told of names, and of files. */
	FIELD(r, fanotify, init_flags, 0, EINVAL);
	FIELD(r, fanotify, init_flags, FAN_REPORT_FID, EINVAL);
	FIELD(r, fanotify, init_flags, FAN_REPORT_DIR_FID, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_PATH, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_FID, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_ERROR, EINVAL);
	FAN_EVENT(event, kind, CKPT_FANOTIFY_OVERFLOW, EINVAL);
	FAN_EVENT(event, mask, FAN_MOVED_FROM, EINVAL);
	FAN_EVENT(event, mask, FAN_RENAME | FAN_Q_OVERFLOW, EINVAL);
	FAN_EVENT(event, mask, FAN_RENAME | FAN_FS_ERROR, EINVAL);
	FAN_EVENT(event, mask, FAN_RENAME | FAN_ACCESS_PERM, EINVAL);
	FAN_EVENT(event, mask, 0x80000000 | FAN_RENAME, EINVAL);
	FAN_EVENT(event, ino, 1, EINVAL);
	FAN_EVENT(event, mode, S_IFREG, EINVAL);
	FAN_EVENT(event, path_len, 1, EINVAL);
	/* A name that is too long or not there is missed by read(). */
	FAN_EVENT(event, name_len, 0, EINVAL);
	FAN_EVENT(event, name_len, 2, EINVAL);
	FAN_EVENT(event, name_len, 4096, EINVAL);
	FAN_EVENT(event, name2_len, 0, EINVAL);
	FAN_EVENT(event, name2_len, 0xffff, EINVAL);
	FAN_EVENT(event, error, 5, EINVAL);
	FAN_EVENT(event, dir_type, 0, EINVAL);
	FAN_EVENT(event, dir_type, 0xff, EINVAL);
	FAN_EVENT(event, dir_len, 0, EINVAL);
	FAN_EVENT(event, dir_len, 9, EINVAL);
	FAN_EVENT(event, dir_len, 132, EINVAL);
	FAN_EVENT(event, dir2_type, 0xff, EINVAL);
	FAN_EVENT(event, dir2_len, 0xff, EINVAL);
	VAR(r, "event.name", name, 1, '/', EINVAL);
	VAR(r, "event.name", name, 1, 0, EINVAL);
	VAR(r, "event.name2", name + 8, 1, '/', EINVAL);
	FAN_EVENT(next, kind, CKPT_FANOTIFY_ERROR, EINVAL);
	FAN_EVENT(next, mask, FAN_RENAME, EINVAL);
	FAN_EVENT(next, mask, FAN_FS_ERROR, EINVAL);
	FAN_EVENT(next, fh_type, 0xff, EINVAL);
	FAN_EVENT(next, fh_len, 0, EINVAL);
	FAN_EVENT(next, fh_len, 10, EINVAL);
	FAN_EVENT(next, fh_len, 0xfc, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_inotify)
{
	uint32_t null = AS(file, &recs[self->devnull])->objref;
	struct rec *r = find(CKPT_REC_INOTIFY, 0);
	/* A watch with "/tmp/watched", and an event without a name. */
	const size_t path = sizeof(struct ckpt_inotify_watch), event = path + 16;

	ASSERT_NE(NULL, r);
	ASSERT_EQ(1, AS(inotify, r)->nr_watches);
	ASSERT_EQ(1, AS(inotify, r)->nr_events);
	ASSERT_EQ(event + sizeof(struct ckpt_inotify_event), AS(inotify, r)->var_len);

#define WATCH(f, value, err)						\
	VAR(r, "watch." #f, offsetof(struct ckpt_inotify_watch, f), 4, value, err)
#define EVENT(f, value, err)						\
	VAR(r, "event." #f, event + offsetof(struct ckpt_inotify_event, f), 4, value, err)

	FIELD(r, inotify, file, null, EINVAL);
	FIELD(r, inotify, nr_watches, 2, EINVAL);
	FIELD(r, inotify, nr_watches, 0xffffffff, EINVAL);
	FIELD(r, inotify, nr_events, 0, EINVAL);
	FIELD(r, inotify, nr_events, 2, EINVAL);
	FIELD(r, inotify, next_wd, 0x80000000, EINVAL);
	FIELD(r, inotify, var_len, 0, EINVAL);
	FIELD(r, inotify, var_len, 0xfffffff8, EINVAL);
	FIELD(r, inotify, watch_len, 0, EINVAL);
	FIELD(r, inotify, watch_len, 1, EOPNOTSUPP);
	FIELD(r, inotify, watch_len, 40, EOPNOTSUPP);
	FIELD(r, inotify, watch_len, 0xfffffff8, EOPNOTSUPP);
	WATCH(wd, 0, EINVAL);
	WATCH(wd, 0x80000000, EINVAL);
	WATCH(mask, 0, EINVAL);
	WATCH(mask, IN_IGNORED, EINVAL);
	WATCH(mask, IN_MASK_ADD, EINVAL);
	WATCH(path_len, 0, EINVAL);
	WATCH(path_len, 5, EINVAL);
	WATCH(path_len, 0xffffffff, EINVAL);
	WATCH(mode, S_IFREG, ESTALE);
	WATCH(__reserved, 1, EINVAL);
	VAR(r, "path", path, 1, 'x', EINVAL);
	VAR(r, "path", path + 5, 1, 'x', ENOENT);
	EVENT(wd, 0, EINVAL);
	EVENT(wd, 0xffffffff, EINVAL);
	EVENT(mask, 0, EINVAL);
	EVENT(mask, IN_Q_OVERFLOW, EINVAL);
	EVENT(mask, IN_ONESHOT, EINVAL);
	EVENT(name_len, 1, EINVAL);
	EVENT(name_len, 0xffffffff, EINVAL);
	EVENT(flags, 2, EINVAL);
	EVENT(__reserved, 1, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_task)
{
	struct rec *t = find(CKPT_REC_TASK, 0), *g = find(CKPT_REC_SIGNAL, 0);
	struct rec *s = find(CKPT_REC_SIGHAND, 0), *c = find(CKPT_REC_X86_CPU, 0);
	struct rec *x = find(CKPT_REC_X86_XSTATE, 0);
	struct rec *q = find(CKPT_REC_SIGPENDING, 0);
	struct rec *b = find(CKPT_REC_RESTART_BLOCK, 0);
	uint32_t mm = AS(task, t)->mm, cred = AS(task, t)->cred;

#define REF(f, other)						\
	do {							\
		FIELD(t, task, f, 0, EINVAL);			\
		FIELD(t, task, f, 9999, EINVAL);		\
		FIELD(t, task, f, 0xffffffff, EINVAL);		\
		FIELD(t, task, f, other, EINVAL);		\
	} while (0)

	REF(mm, cred);
	REF(files, mm);
	REF(fs, mm);
	REF(sighand, mm);
	REF(signal, mm);
	REF(cred, mm);
	field_at("task.ns[0]", t, offsetof(struct ckpt_rec_task, ns), 4, mm, EINVAL);
	FIELD(t, task, flags, 0x80000000, EOPNOTSUPP);
	FIELD(t, task, flags, CKPT_TASK_DL_RECLAIM, EINVAL);
	FIELD(t, task, seccomp, 1, EINVAL);
	FIELD(t, task, seccomp, ~0U, EINVAL);
	FIELD(t, task, vfork, 1, EINVAL);
	FIELD(t, task, vfork, 2, EINVAL);
	FIELD(t, task, vfork, ~0U, EINVAL);
	FIELD(t, task, io, 1, EINVAL);
	FIELD(t, task, io, 2, EINVAL);
	FIELD(t, task, io, ~0U, EINVAL);
	FIELD(t, task, slice_ns, 1, EINVAL);
	FIELD(t, task, slice_ns, ~0ULL, EINVAL);
	FIELD(t, task, dl_runtime, 1, EINVAL);
	FIELD(t, task, dl_deadline, 1, EINVAL);
	FIELD(t, task, dl_period, 1, EINVAL);
	FIELD(t, task, core, 2, EINVAL);
	FIELD(t, task, utime, 1ULL << 62, EINVAL);
	FIELD(t, task, stime, ~0ULL, EINVAL);
	FIELD(t, task, run_ns, ~0ULL, EINVAL);
	FIELD(t, task, run_ns, 1ULL << 61, 0)->accept = true;
	FIELD(t, task, min_flt, ~0ULL, 0)->accept = true;
	FIELD(t, task, spec[0], 1, EINVAL);
	FIELD(t, task, spec[0], 0x24, EINVAL);
	FIELD(t, task, spec[0], 6, EINVAL);
	FIELD(t, task, spec[1], 16, EINVAL);
	FIELD(t, task, spec[2], 8, EINVAL);
	FIELD(t, task, spec[2], ~0U, EINVAL);
	FIELD(t, task, dispatch_selector, 1, EINVAL);
	FIELD(t, task, dispatch_offset, 1, EINVAL);
	FIELD(t, task, dispatch_len, 1, EINVAL);
	FIELD(t, task, policy, 99, EINVAL);
	FIELD(t, task, policy, 6, EINVAL);
	FIELD(t, task, policy, 1, EINVAL);
	FIELD(t, task, nice, 20, EINVAL);
	FIELD(t, task, nice, -21, EINVAL);
	FIELD(t, task, rt_priority, 1, EINVAL);
	FIELD(t, task, pdeath_signal, 65, EINVAL);
	FIELD(t, task, pdeath_signal, -1, EINVAL);
	FIELD(t, task, ioprio, 0xffffffff, EINVAL);
	FIELD(t, task, cpus_len, 4, EINVAL);
	FIELD(t, task, cpus_len, 1024, EINVAL);
	FIELD(t, task, cpus_len, 0xfffffff8, EINVAL);
	FIELD(t, task, sas_ss_sp, KERNEL_ADDR, EINVAL);
	FIELD(t, task, sas_ss_size, ~0ULL, EINVAL);
	FIELD(t, task, sas_ss_flags, 0x40, EINVAL);
	FIELD(t, task, clear_child_tid, KERNEL_ADDR, EINVAL);
	FIELD(t, task, robust_list, KERNEL_ADDR, EINVAL);
	FIELD(t, task, compat_robust_list, 1ULL << 32, EINVAL);
	FIELD(t, task, rseq, KERNEL_ADDR & ~31ULL, EINVAL);
	FIELD(t, task, rseq, 0x400001, EINVAL);
	field_at("task.comm", t, offsetof(struct ckpt_rec_task, comm) + 8, 8,
		 0x4141414141414141ULL, strlen(AS(task, t)->comm) >= 8 ? EINVAL : 0)
		->accept = strlen(AS(task, t)->comm) < 8;

	FIELD(g, signal, nr_rlimits, 0, EINVAL);
	FIELD(g, signal, nr_rlimits, 17, EINVAL);
	FIELD(g, signal, nr_rlimits, 0xffffffff, EINVAL);
	FIELD(g, signal, flags, 0x80000000, EOPNOTSUPP);
	FIELD(g, signal, flags, CKPT_SIGNAL_STOPPED | CKPT_SIGNAL_CONTINUED,
	      EOPNOTSUPP);
	FIELD(g, signal, oom_score_adj, 1001, EINVAL);
	FIELD(g, signal, utime, ~0ULL, EINVAL);
	FIELD(g, signal, stime, 1ULL << 62, EINVAL);
	FIELD(g, signal, cutime, ~0ULL, EINVAL);
	FIELD(g, signal, cstime, ~0ULL, EINVAL);
	VAR(g, "soft limit above the hard one", 8, 8, 0, EINVAL);
	field_at("signal.itimer", g, offsetof(struct ckpt_rec_signal, itimer), 8, ~0ULL, EINVAL);

	FIELD(s, sighand, nr, 0, EINVAL);
	FIELD(s, sighand, nr, 65, EINVAL);
	FIELD(s, sighand, nr, 0xffffffff, EINVAL);
	VAR(s, "handler of SIGHUP", 0, 8, KERNEL_ADDR, EINVAL);
	VAR(s, "flags of SIGHUP", 8, 8, 1ULL << 63, EINVAL);
	VAR(s, "restorer of SIGHUP", 16, 8, KERNEL_ADDR, EINVAL);
	VAR(s, "handler of SIGKILL", 32 * (SIGKILL - 1), 8, 0x400000, EINVAL);
	VAR(s, "SIGSTOP ignored", 32 * (SIGSTOP - 1), 8, 1, EINVAL);

	FIELD(q, sigpending, nr, 1, EINVAL);
	FIELD(q, sigpending, nr, 0xffffffff, EINVAL);
	FIELD(b, restart_block, kind, 99, 0);
	FIELD(b, restart_block, flags, 0x80000000, 0);

	VAR(x, "FPU MXCSR", 24, 4, 0xffffffff, EINVAL);
	VAR(x, "XSAVE header", 512 + 8, 8, 1ULL << 63, EINVAL);
	FIELD(x, x86_xstate, size, 0, EINVAL);
	FIELD(x, x86_xstate, size, 0xffffffff, EINVAL);
	FIELD(x, x86_xstate, size, AS(x86_xstate, x)->size + 64, EINVAL);
	FIELD(x, x86_xstate, xfeatures, ~0ULL, EINVAL);
	FIELD(x, x86_xstate, __reserved, 1, EPROTONOSUPPORT);

#define REG(n, v, err)							\
	field_at("regs[" #n "]", c, offsetof(struct ckpt_rec_x86_cpu, regs) + 8 * (n), 8, v, err)
	REG(16, KERNEL_ADDR, EINVAL);
	REG(16, 1ULL << 56, EINVAL);
	REG(16, ~0ULL, EINVAL);
	REG(17, 0x10, EINVAL);
	REG(17, 0x100000033ULL, EINVAL);
	REG(20, 0x18, EINVAL);
	FIELD(c, x86_cpu, fs_base, KERNEL_ADDR, EINVAL);
	FIELD(c, x86_cpu, gs_base, KERNEL_ADDR, EINVAL);
	FIELD(c, x86_cpu, fs_base, 1ULL << 56, EINVAL);
	FIELD(c, x86_cpu, flags, 0x80000000, 0);
	FIELD(c, x86_cpu, __reserved, 1, EPROTONOSUPPORT);
	FIELD(c, x86_cpu, fs, 0x10, EINVAL);
	FIELD(c, x86_cpu, ds, 0x10, EINVAL);
	EXPECT_CASES();
}

/* The first timer of @r: for a thread that is not there, or has no signals. */
static void for_thread(const struct rec *r, uint32_t thread)
{
	struct rec list[MAX_RECS];
	struct ckpt_timer *t;
	struct rec copy = *r;

	copy.h = malloc(r->h->len);
	memcpy(copy.h, r->h, r->h->len);
	t = var_of(&copy);
	t->notify = SIGEV_THREAD_ID;
	t->thread = thread;
	memcpy(list, recs, nr_recs * sizeof(*recs));
	list[r - recs] = copy;
	structural(new_case(EINVAL, "a signal for task %u", thread), list, nr_recs);
}

/* The list begins with the last made: the one whose signal is queued. */
TEST_F(image, hostile_timers)
{
	struct rec *r = find(CKPT_REC_TIMERS, 0);
	struct ckpt_timer *t = var_of(r);
	struct rec *q = find(CKPT_REC_SIGPENDING, 1);

#define TIMER(n, f, v, err)						\
	VAR(r, "timer " #n "." #f,				\
	    (n) * sizeof(*t) + offsetof(struct ckpt_timer, f),		\
	    sizeof(t->f), v, err)

	ASSERT_EQ(3, AS(timers, r)->nr);
	ASSERT_TRUE(t[0].queued == 1 && AS(sigpending, q)->nr == 1);
	FIELD(r, timers, nr, 4, EINVAL);
	FIELD(r, timers, nr, 0xffffffff, EINVAL);
	FIELD(r, timers, nr, 0x10000003, EINVAL);
	FIELD(r, timers, next_id, 0x80000000, EINVAL);
	FIELD(r, timers, next_id, 0, 0)->accept = true;
	TIMER(0, id, 1, EINVAL);
	TIMER(0, id, -1, EINVAL);
	TIMER(0, id, 0x7fffffff, 0)->accept = true;
	TIMER(0, clock, 2, EINVAL);
	TIMER(0, clock, 4, EINVAL);
	TIMER(0, clock, 99, EINVAL);
	TIMER(0, clock, -5, EINVAL);
	TIMER(0, flags, 0x80000000, EINVAL);
	TIMER(0, flags, CKPT_TIMER_ARMED, EINVAL);
	TIMER(0, flags, t[0].flags | CKPT_TIMER_ARMED, EINVAL);
	TIMER(0, flags, CKPT_TIMER_REARMS, EINVAL);
	TIMER(0, flags, CKPT_TIMER_ABSTIME, EINVAL);
	TIMER(0, flags, t[0].flags | CKPT_TIMER_ABSTIME, EINVAL);
	TIMER(1, flags, t[1].flags | CKPT_TIMER_ABSTIME, EINVAL);
	TIMER(1, flags, t[1].flags | CKPT_TIMER_REQUEUE, EINVAL);
	TIMER(0, notify, 3, EINVAL);
	TIMER(0, notify, SIGEV_NONE, EINVAL);
	TIMER(0, notify, 5, EINVAL);
	TIMER(0, signo, 0, EINVAL);
	TIMER(0, signo, 65, EINVAL);
	TIMER(0, signo, -1, EINVAL);
	TIMER(0, signo, 51, EINVAL);
	/* Only a thread that is there can have it in its queue. */
	TIMER(0, notify, SIGEV_THREAD_ID, EINVAL);
	for_thread(r, 7);
	for_thread(r, 0);
	TIMER(0, clock_task, 0, EINVAL);
	TIMER(1, clock_task, 1, EINVAL);
	TIMER(1, clock_task, 0xfffffffe, EINVAL);
	TIMER(1, clock_task, CKPT_TIMER_NO_TASK, 0)->accept = true;
	TIMER(0, queued, 2, EINVAL);
	TIMER(0, queued, 0xffffffff, EINVAL);
	TIMER(1, queued, 1, EINVAL);
	TIMER(0, queued, 0, 0)->accept = true;
	TIMER(2, expires, 1ULL << 63, 0)->accept = true;
	TIMER(2, expires, ~0ULL >> 1, 0)->accept = true;
	TIMER(1, expires, 1ULL << 63, 0)->accept = true;
	TIMER(1, expires, ~0ULL >> 1, 0)->accept = true;
	TIMER(0, interval, 1ULL << 63, EINVAL);
	TIMER(2, interval, ~0ULL >> 1, 0)->accept = true;
	TIMER(0, overrun, -2, EINVAL);
	TIMER(0, overrun, ~0ULL >> 1, 0)->accept = true;
	TIMER(0, overrun_last, -2, EINVAL);
	TIMER(0, signal_overrun, -1, EINVAL);
	TIMER(0, __reserved, 1, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_memory)
{
	struct rec *m = find(CKPT_REC_MM, 0), *v0 = find(CKPT_REC_VMA, 0);
	struct rec *v1 = find(CKPT_REC_VMA, 1), *a = NULL, *fv = NULL, *r;
	uint32_t mm = AS(mm, m)->objref;
	int i;

	for (i = 0; (r = find(CKPT_REC_VMA, i)); i++) {
		if (!a && AS(vma, r)->kind == CKPT_VMA_ANON)
			a = r;
		if (!fv && AS(vma, r)->kind == CKPT_VMA_FILE)
			fv = r;
	}
	ASSERT_TRUE(a && fv && v1);

	FIELD(m, mm, objref, 0, EINVAL);
	FIELD(m, mm, flags, AS(mm, m)->flags | 0x80000000, EOPNOTSUPP);
	FIELD(m, mm, flags, AS(mm, m)->flags | 3, EOPNOTSUPP);
	FIELD(m, mm, coredump_filter, 0xffffffff, EINVAL);
	FIELD(m, mm, nr_vmas, 0, EINVAL);
	FIELD(m, mm, nr_vmas, AS(mm, m)->nr_vmas + 1, EINVAL);
	FIELD(m, mm, nr_vmas, 0xffffffff, EINVAL);
	FIELD(m, mm, exe, 9999, EINVAL);
	FIELD(m, mm, exe, mm, EINVAL);
	FIELD(m, mm, exe, AS(file, &recs[self->devnull])->objref, EINVAL);
	FIELD(m, mm, membarrier, 1, EOPNOTSUPP);
	FIELD(m, mm, membarrier, 0x80000000, EOPNOTSUPP);
	FIELD(m, mm, flags, AS(mm, m)->flags | CKPT_MM_DEF_LOCKONFAULT, EINVAL);
	FIELD(m, mm, pkeys, 2, EINVAL);
	FIELD(m, mm, pkeys, 0x10001, EINVAL);
	FIELD(m, mm, pkeys, 0xffffffff, EINVAL);
	FIELD(m, mm, exec_pkey, 1, EINVAL);
	FIELD(m, mm, exec_pkey, 16, EINVAL);
	FIELD(m, mm, exec_pkey, 0xffffffff, EINVAL);
	FIELD(m, mm, auxv_len, 0xfffffff8, EINVAL);
	FIELD(m, mm, auxv_len, AS(mm, m)->auxv_len + 4, EINVAL);
	FIELD(m, mm, auxv_len, 4096, EINVAL);
	FIELD(m, mm, start_code, KERNEL_ADDR, EINVAL);
	FIELD(m, mm, brk, KERNEL_ADDR, EINVAL);
	FIELD(m, mm, brk, AS(mm, m)->start_brk - 1, EINVAL);
	FIELD(m, mm, arg_end, KERNEL_ADDR, EINVAL);
	FIELD(m, mm, env_start, AS(mm, m)->env_end + 1, EINVAL);
	FIELD(m, mm, mmap_base, KERNEL_ADDR, EINVAL);
	FIELD(m, mm, start_stack, ~0ULL, EINVAL);
	FIELD(m, mm, vdso, KERNEL_ADDR, 0);
	FIELD(m, mm, vdso, AS(vma, v0)->start, 0);
	FIELD(m, mm, vdso, AS(mm, m)->vdso + 1, 0);
	FIELD(m, mm, vdso_len, 1, EOPNOTSUPP);
	FIELD(m, mm, vdso_crc, ~AS(mm, m)->vdso_crc, EOPNOTSUPP);

	FIELD(v1, vma, start, AS(vma, v0)->start, EINVAL);
	FIELD(v0, vma, end, AS(vma, v1)->end, EINVAL);
	FIELD(a, vma, mm, 9999, EINVAL);
	FIELD(a, vma, start, 0, EINVAL);
	FIELD(a, vma, start, AS(vma, a)->end, EINVAL);
	FIELD(a, vma, start, AS(vma, a)->end + PAGE, EINVAL);
	FIELD(a, vma, start, AS(vma, a)->start + 1, EINVAL);
	FIELD(a, vma, start, KERNEL_ADDR & ~(PAGE - 1), EINVAL);
	FIELD(a, vma, end, AS(vma, a)->end + 8, EINVAL);
	FIELD(a, vma, end, KERNEL_ADDR & ~(PAGE - 1), EINVAL);
	FIELD(a, vma, end, 1ULL << 56, EINVAL);
	FIELD(a, vma, end, ~(PAGE - 1), EINVAL);
	FIELD(a, vma, flags, AS(vma, a)->flags | 1ULL << 63, EOPNOTSUPP);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_DONTEXPAND, EOPNOTSUPP);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_LOCKONFAULT, EINVAL);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_DROPPABLE, EINVAL);
	FIELD(fv, vma, flags, AS(vma, fv)->flags | CKPT_VMA_DROPPABLE, EINVAL);
	FIELD(a, vma, flags, CKPT_VMA_DROPPABLE | CKPT_VMA_WIPEONFORK |
	      CKPT_VMA_DONTDUMP | CKPT_VMA_NORESERVE | CKPT_VMA_LOCKED, EINVAL);
	FIELD(a, vma, pkey, 16, EOPNOTSUPP);
	FIELD(a, vma, pkey, 0xffffffff, EOPNOTSUPP);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_SHARED, EOPNOTSUPP);
	FIELD(a, vma, kind, 0, EOPNOTSUPP);
	FIELD(a, vma, kind, 99, EOPNOTSUPP);
	FIELD(a, vma, kind, CKPT_VMA_FILE, EINVAL);
	FIELD(a, vma, file, AS(vma, fv)->file, EINVAL);
	FIELD(a, vma, pgoff, ~0ULL, EINVAL);
	FIELD(a, vma, name_len, 1, EINVAL);
	FIELD(a, vma, name_len, 0xffffffff, EINVAL);
	FIELD(fv, vma, file, 9999, EINVAL);
	FIELD(fv, vma, file, mm, EINVAL);
	FIELD(fv, vma, file, AS(file, &recs[self->devnull])->objref, EINVAL);
	FIELD(fv, vma, file, AS(file, &recs[self->dir])->objref, EINVAL);
	FIELD(fv, vma, pgoff, ~0ULL, EINVAL);
	FIELD(fv, vma, kind, CKPT_VMA_ANON, EINVAL);
	EXPECT_CASES();
}

/* What no path leads to, of a type. */
static struct rec *inode_of(uint32_t type)
{
	struct rec *r;
	int i;

	for (i = 0; (r = find(CKPT_REC_INODE, i)); i++)
		if ((AS(inode, r)->mode & S_IFMT) == type)
			return r;
	return NULL;
}

/* The first inode of huge pages that has a region, or that is of small ones. */
static struct rec *find_inode(bool huge)
{
	struct rec *r, *next;
	bool is_huge;
	int i;

	for (i = 0; (r = find(CKPT_REC_INODE, i)); i++) {
		next = r + 1;
		is_huge = next->h->type == CKPT_REC_HUGETLB;
		if (is_huge == huge && (!huge || AS(hugetlb, next)->nr_regions) &&
		    !S_ISFIFO(AS(inode, r)->mode))
			return r;
	}
	return NULL;
}

TEST_F(image, hostile_inode)
{
	struct rec *n = find_inode(false), *f = NULL, *exe = NULL;
	uint32_t mm = AS(mm, find(CKPT_REC_MM, 0))->objref, at;
	struct rec *p = find(CKPT_REC_PAGES, 0);
	int i;

	ASSERT_TRUE(!!n);
	for (i = 0; i < nr_recs; i++) {
		if (recs[i].h->type != CKPT_REC_FILE)
			continue;
		if (AS(file, &recs[i])->inode == AS(inode, n)->objref)
			f = &recs[i];
		else if (AS(file, &recs[i])->kind == CKPT_FILE_REG)
			exe = &recs[i];
	}
	ASSERT_TRUE(f && exe);
	ASSERT_EQ(CKPT_FILE_INODE_MADE, AS(file, f)->kind);
	ASSERT_EQ(AS(inode, n)->objref, AS(pages, p)->objref);
	ASSERT_EQ(PAGE + 5, AS(inode, n)->size);

	FIELD(n, inode, kind, 0, EOPNOTSUPP);
	FIELD(n, inode, kind, 99, EOPNOTSUPP);
	FIELD(n, inode, kind, CKPT_INODE_ANON, EINVAL);
	FIELD(n, inode, kind, CKPT_INODE_UNLINKED, EINVAL);
	FIELD(n, inode, flags, 0x80000000, EOPNOTSUPP);
	FIELD(n, inode, seals, 0x80000000, EOPNOTSUPP);
	FIELD(n, inode, size, 1ULL << 63, EINVAL);
	FIELD(n, inode, size, 0, EINVAL);
	FIELD(n, inode, size, PAGE, EINVAL);
	FIELD(n, inode, size, PAGE + 4, EINVAL);
	FIELD(n, inode, mode, 0, EINVAL);
	FIELD(n, inode, mode, S_IFDIR | 0700, EINVAL);
	FIELD(n, inode, mode, S_IFREG | 0200000, EINVAL);
	FIELD(n, inode, uid, 0xffffffff, EINVAL);
	FIELD(n, inode, gid, 0xffffffff, EINVAL);
	FIELD(n, inode, atime_nsec, 1000000000, EINVAL);
	FIELD(n, inode, mtime_nsec, 1000000000, EINVAL);
	FIELD(n, inode, path_len, 0, EINVAL);
	FIELD(n, inode, path_len, 5, EINVAL);
	FIELD(n, inode, path_len, 0xffffffff, EINVAL);
	FIELD(n, inode, nr_xattrs, 0, EINVAL);
	FIELD(n, inode, nr_xattrs, 2, EINVAL);
	FIELD(n, inode, nr_xattrs, 0xffffffff, EINVAL);
	FIELD(n, inode, var_len, 0, EINVAL);
	FIELD(n, inode, var_len, AS(inode, n)->var_len - 8, EINVAL);
	FIELD(n, inode, var_len, 0xffffffff, EINVAL);
	FIELD(n, inode, __reserved, 1, EPROTONOSUPPORT);
	VAR(n, "memfd name", 0, 1, 'x', EINVAL);
	at = (AS(inode, n)->path_len + 7) & ~7;
	VAR(n, "xattr.name_len", at, 4, 0, EINVAL);
	VAR(n, "xattr.name_len", at, 4, 0xffffffff, EINVAL);
	VAR(n, "xattr.name_len", at, 4, 6, EINVAL);
	VAR(n, "xattr.value_len", at + 4, 4, 0xffffffff, EINVAL);
	VAR(n, "xattr.value_len", at + 4, 4, 0xfffffff9, EINVAL);
	VAR(n, "xattr name", at + 8, 1, 'x', EINVAL);

	FIELD(f, file, kind, CKPT_FILE_REG, EINVAL);
	FIELD(f, file, kind, CKPT_FILE_PIPE, EINVAL);
	FIELD(f, file, inode, 0, EINVAL);
	FIELD(f, file, inode, 9999, EINVAL);
	FIELD(f, file, inode, mm, EINVAL);
	FIELD(f, file, f_flags, O_RDONLY, EINVAL);
	FIELD(f, file, f_flags, O_RDWR | O_PATH, EINVAL);
	FIELD(exe, file, inode, AS(inode, n)->objref, EINVAL);
	FIELD(exe, file, advice, CKPT_ADVICE_ALL + 1, EOPNOTSUPP);
	FIELD(exe, file, write_hint, 6, EOPNOTSUPP);
	/* That of a regular file, which may have got a name since, is one. */
	FIELD(&recs[self->devnull], file, f_flags, O_TMPFILE | O_RDWR, EINVAL);
	FIELD(p, pages, objref, 9999, EINVAL);
	FIELD(p, pages, objref, mm, EINVAL);
	VAR(p, "run.start", 0, 8, 1, EINVAL);
	VAR(p, "run.start", 0, 8, 1ULL << 63, EINVAL);
	EXPECT_CASES();
}

/* The inode of one file, the pipe of another. */
TEST_F(image, hostile_deleted_fifo)
{
	struct rec *n = inode_of(S_IFIFO), *memfd = inode_of(S_IFREG);
	struct rec *p = pipe_of(CKPT_FILE_FIFO_INODE), *other = pipe_of(CKPT_FILE_FIFO), *f;
	struct rec *data = find(CKPT_REC_PAGES, 0);

	ASSERT_TRUE(n && memfd && p && other && data);
	f = end_of(AS(pipe, p)->objref, 0);
	ASSERT_EQ(CKPT_FILE_FIFO_INODE, AS(file, f)->kind);
	ASSERT_EQ(AS(inode, n)->objref, AS(file, f)->inode);
	ASSERT_EQ(CKPT_INODE_UNLINKED, AS(inode, n)->kind);

	FIELD(n, inode, kind, CKPT_INODE_MEMFD, EINVAL);
	FIELD(n, inode, kind, CKPT_INODE_ANON, EINVAL);
	FIELD(n, inode, size, 1, EINVAL);
	FIELD(n, inode, seals, 1, EINVAL);
	/* Types that it is not, and those that nobody is given. */
	FIELD(n, inode, mode, S_IFREG | 0600, EINVAL);
	FIELD(n, inode, mode, S_IFDIR | 0700, EINVAL);
	FIELD(n, inode, mode, S_IFCHR | 0600, EINVAL);
	FIELD(n, inode, mode, S_IFBLK | 0600, EINVAL);
	FIELD(n, inode, mode, S_IFSOCK | 0600, EINVAL);
	FIELD(n, inode, mode, S_IFLNK | 0777, EINVAL);
	FIELD(n, inode, mode, 0600, EINVAL);
	FIELD(n, inode, mode, S_IFIFO | 0200000, EINVAL);
	FIELD(memfd, inode, mode, S_IFIFO | 0600, EINVAL);
	FIELD(n, inode, uid, 0xffffffff, EINVAL);
	FIELD(n, inode, cred, 9999, EINVAL);
	VAR(n, "path", 0, 1, 'x', EINVAL);
	/* Contents that it has not. */
	FIELD(data, pages, objref, AS(inode, n)->objref, EINVAL);

	FIELD(f, file, kind, CKPT_FILE_FIFO, EINVAL);
	FIELD(f, file, kind, CKPT_FILE_PIPE, EINVAL);
	FIELD(f, file, kind, CKPT_FILE_INODE, EINVAL);
	FIELD(f, file, kind, CKPT_FILE_INODE_MADE, EINVAL);
	FIELD(f, file, kind, CKPT_FILE_REG, EINVAL);
	FIELD(f, file, inode, 0, EINVAL);
	FIELD(f, file, inode, 9999, EINVAL);
	FIELD(f, file, inode, AS(inode, memfd)->objref, EINVAL);
	FIELD(f, file, inode, AS(pipe, p)->objref, EINVAL);
	FIELD(f, file, pipe, 0, EINVAL);
	FIELD(f, file, pipe, 9999, EINVAL);
	FIELD(f, file, pipe, AS(inode, n)->objref, EINVAL);
	/* That of a FIFO with a name. */
	FIELD(f, file, pipe, AS(pipe, other)->objref, EINVAL);
	FIELD(f, file, f_flags, O_ACCMODE, EINVAL);
	FIELD(f, file, f_flags, O_RDWR | O_PATH, EINVAL);
	FIELD(f, file, flags, CKPT_FILE_F_UNPAIRED, EINVAL);
	FIELD(f, file, flags, CKPT_FILE_F_PATH_ONLY, EINVAL);
	FIELD(end_of(AS(pipe, other)->objref, 0), file, inode, AS(inode, n)->objref, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_huge_pages)
{
	struct rec *n = find_inode(true), *h = n + 1, *v = NULL, *s = NULL, *r;
	struct rec *a = NULL, *fv = NULL;
	uint64_t flags;
	int i;

	if (!n)
		SKIP(return, "no huge pages");
	for (i = 0; (r = find(CKPT_REC_VMA, i)); i++) {
		if (AS(vma, r)->huge_pages)
			v = r;
		else if (AS(vma, r)->flags & CKPT_VMA_HUGETLB)
			s = r;
		else if (AS(vma, r)->kind == CKPT_VMA_ANON)
			a = r;
		else if (AS(vma, r)->kind == CKPT_VMA_FILE)
			fv = r;
	}
	ASSERT_TRUE(v && s && a && fv);

	FIELD(n, inode, size, 3 * HUGE + PAGE, EINVAL);
	FIELD(h, hugetlb, inode, 9999, EINVAL);
	FIELD(h, hugetlb, inode, AS(vma, v)->mm, EINVAL);
	FIELD(h, hugetlb, inode, AS(inode, find_inode(false))->objref, 0);
	FIELD(h, hugetlb, page_shift, 0, EOPNOTSUPP);
	FIELD(h, hugetlb, page_shift, 12, EOPNOTSUPP);
	FIELD(h, hugetlb, page_shift, 22, EOPNOTSUPP);
	FIELD(h, hugetlb, page_shift, 64, EOPNOTSUPP);
	FIELD(h, hugetlb, page_shift, 0xffffffff, EOPNOTSUPP);
	FIELD(h, hugetlb, page_shift, 30, 0);
	FIELD(h, hugetlb, nr_regions, AS(hugetlb, h)->nr_regions + 1, EINVAL);
	FIELD(h, hugetlb, nr_regions, 0xffffffff, EINVAL);
	FIELD(h, hugetlb, __reserved, 1, EPROTONOSUPPORT);
	VAR(h, "region.start", 0, 8, 1ULL << 62, EINVAL);
	VAR(h, "region.start", 0, 8, ~0ULL, EINVAL);
	VAR(h, "region.nr", 8, 8, 0, EINVAL);
	VAR(h, "region.nr", 8, 8, ~0ULL, 0);
	VAR(h, "region.nr", 8, 8, 1ULL << 62, ENOMEM);
	VAR(h, "region.nr", 8, 8, 1000, ENOMEM);

	flags = AS(vma, v)->flags;
	FIELD(v, vma, start, AS(vma, v)->start + PAGE, EINVAL);
	FIELD(v, vma, end, AS(vma, v)->end - PAGE, EINVAL);
	FIELD(v, vma, pgoff, 1, EINVAL);
	FIELD(v, vma, file, AS(vma, fv)->file, EINVAL);
	FIELD(v, vma, flags, flags & ~CKPT_VMA_HUGETLB, EINVAL);
	FIELD(v, vma, flags, flags | CKPT_VMA_HUGE_RESERVED, EINVAL);
	FIELD(v, vma, flags, flags | CKPT_VMA_ACCOUNT, EINVAL);
	FIELD(v, vma, flags, flags | CKPT_VMA_LOCKED, EINVAL);
	FIELD(v, vma, huge_shift, 0, EINVAL);
	FIELD(v, vma, huge_shift, 12, EOPNOTSUPP);
	FIELD(v, vma, huge_shift, 0xffffffff, EOPNOTSUPP);
	FIELD(v, vma, huge_shift, 30, 0);
	FIELD(v, vma, huge_pages, 1000, ENOMEM);
	FIELD(s, vma, flags, AS(vma, s)->flags | CKPT_VMA_HUGE_RESERVED, EINVAL);
	FIELD(s, vma, huge_shift, 0, EINVAL);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_HUGETLB, EOPNOTSUPP);
	FIELD(a, vma, flags, AS(vma, a)->flags | CKPT_VMA_HUGE_RESERVED, EOPNOTSUPP);
	FIELD(a, vma, huge_shift, 21, EOPNOTSUPP);
	FIELD(fv, vma, flags, AS(vma, fv)->flags | CKPT_VMA_HUGETLB, EINVAL);
	FIELD(fv, vma, flags, AS(vma, fv)->flags | CKPT_VMA_HUGE_RESERVED, EINVAL);
	FIELD(fv, vma, huge_shift, 21, EINVAL);
	EXPECT_CASES();
}

/* That one is missing is found when it is needed. */
TEST_F(image, huge_page_missing)
{
	struct rec *r;
	int i;

	if (!find_inode(true))
		SKIP(return, "no huge pages");
	for (i = 0; (r = find(CKPT_REC_VMA, i)); i++)
		if (AS(vma, r)->huge_pages)
			FIELD(r, vma, huge_pages, 0, ENOMEM);
	ASSERT_EQ(1, nr_cases);
	ASSERT_TRUE(ckpt_write_text(POOL, "1"));
	EXPECT_CASES();
	ASSERT_TRUE(ckpt_write_text(POOL, "2"));
}

#define POLICY(r, field, value, err) FIELD(r, mempolicy, field, value, err)

TEST_F(image, hostile_policies)
{
	/* Of shared memory, twice; of a mapping; of the task. */
	struct rec *s = find(CKPT_REC_MEMPOLICY, 0);
	struct rec *s2 = find(CKPT_REC_MEMPOLICY, 1);
	struct rec *v = find(CKPT_REC_MEMPOLICY, 2);
	struct rec *t = find(CKPT_REC_MEMPOLICY, 3), *r[3] = { v, t, s };
	uint32_t mm = AS(mm, find(CKPT_REC_MM, 0))->objref, memfd;
	const size_t nodes = offsetof(struct ckpt_rec_mempolicy, nodes);
	int i;

	if (!s)
		SKIP(return, "no memory policies");
	ASSERT_NE(NULL, t);
	memfd = AS(inode, find_inode(false))->objref;
	ASSERT_EQ(memfd, AS(mempolicy, s)->mm);
	ASSERT_EQ(memfd, AS(mempolicy, s2)->mm);
	ASSERT_EQ(2, AS(mempolicy, s2)->start);
	ASSERT_EQ(mm, AS(mempolicy, v)->mm);
	ASSERT_EQ(0, AS(mempolicy, t)->mm);
	POLICY(s, mm, 0, EINVAL);
	POLICY(s, mm, mm, EINVAL);
	POLICY(s, mm, 9999, EINVAL);
	POLICY(s, nr, 0, EINVAL);
	POLICY(s, nr, 3, EINVAL);
	POLICY(s, nr, ~0ULL, EINVAL);
	POLICY(s, start, ~0ULL, EINVAL);
	POLICY(s2, mm, mm, EINVAL);
	POLICY(s2, start, 0, EINVAL);
	POLICY(s2, start, ~0ULL, EINVAL);
	POLICY(s2, nr, ~0ULL, EINVAL);
	POLICY(s2, nr, 1ULL << 52, EINVAL);
	POLICY(s2, nr, 1ULL << 40, 0)->accept = true;
	POLICY(v, nr, 1, EINVAL);
	POLICY(t, nr, 1, EINVAL);
	POLICY(v, mm, 0, EINVAL);
	POLICY(v, mm, 9999, EINVAL);
	POLICY(v, mm, AS(file, &recs[self->devnull])->objref, EINVAL);
	POLICY(t, mm, mm, EINVAL);
	for (i = 0; i < 3; i++) {
		POLICY(r[i], mode, MPOL_DEFAULT, EINVAL);
		POLICY(r[i], mode, MPOL_MAX, EINVAL);
		POLICY(r[i], mode, 0xffffffff, EINVAL);
		POLICY(r[i], mode, MPOL_BIND | 1 << 16, EINVAL);
		POLICY(r[i], mode, MPOL_LOCAL, EINVAL);
		POLICY(r[i], mode, MPOL_BIND | MPOL_F_STATIC_NODES |
		       MPOL_F_RELATIVE_NODES, EINVAL);
		POLICY(r[i], mode, MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING,
		       EINVAL);
		POLICY(r[i], __reserved, 1, EPROTONOSUPPORT);
		field_at("no nodes", r[i], nodes, 8, 0, EINVAL);
		field_at("node 63", r[i], nodes, 8, 1ULL << 63 | 1, EPERM);
		field_at("node 64", r[i], nodes + 8, 8, 1, EINVAL);
		field_at("node 1023", r[i], nodes + 15 * 8, 8, 1ULL << 63,
			 EINVAL);
	}
	POLICY(v, home_node, 65, EINVAL);
	POLICY(v, home_node, 64, EINVAL);
	POLICY(v, home_node, 0xffffffff, EINVAL);
	POLICY(v, home_node, 1, 0)->accept = true;
	POLICY(t, home_node, 1, EINVAL);
	POLICY(s, home_node, 65, EINVAL);
	POLICY(s, home_node, 1, 0)->accept = true;
	EXPECT_CASES();
}

TEST_F(image, hostile_payload)
{
	struct rec *p = find_memory(), *i = find(CKPT_REC_INDEX, 0);
	struct rec *t = find(CKPT_REC_TAIL, 0);
	struct ckpt_page_run *run = var_of(p);
	uint32_t nr = AS(pages, p)->nr_runs;

	ASSERT_LE(2, nr);
	FIELD(p, pages, objref, 1, EINVAL);
	FIELD(p, pages, objref, 9999, EINVAL);
	FIELD(p, pages, nr_runs, 0, EINVAL);
	FIELD(p, pages, nr_runs, nr - 1, EINVAL);
	FIELD(p, pages, nr_runs, nr + 1, EINVAL);
	FIELD(p, pages, nr_runs, 0xffffffff, EINVAL);
	FIELD(p, pages, nr_runs, 0x10000000, EINVAL);
	FIELD(p, pages, data_len, 0, EINVAL);
	FIELD(p, pages, data_len, PAGE + 1, EINVAL);
	FIELD(p, pages, data_len, AS(pages, p)->data_len - PAGE, EINVAL);
	FIELD(p, pages, data_len, 1ULL << 40, EINVAL);
	FIELD(p, pages, data_len, ~(PAGE - 1), EINVAL);
	FIELD(p, pages, data_crc, ~AS(pages, p)->data_crc, EBADMSG);
	FIELD(p, pages, flags, 1U << 1, EOPNOTSUPP);
	FIELD(p, pages, flags, 1U << 31, EOPNOTSUPP);
	/* Of several places. */
	FIELD(p, pages, flags, CKPT_PAGES_HUGE, EINVAL);
	/* Of another size; of no size. */
	FIELD(p, pages, flags, 8 << CKPT_PAGES_ORDER_SHIFT, EINVAL);
	FIELD(p, pages, flags, 9 << CKPT_PAGES_ORDER_SHIFT, EINVAL);
	FIELD(p, pages, flags, 15 << CKPT_PAGES_ORDER_SHIFT, EINVAL);
	VAR(p, "page outside of all mappings", 0, 8, 0x20, EINVAL);
	VAR(p, "page of the kernel", 0, 8, KERNEL_ADDR / PAGE, EINVAL);
	VAR(p, "last page", 0, 8, ~0ULL, EINVAL);
	VAR(p, "runs in the wrong order", 0, 8, run[1].start, EINVAL);
	VAR(p, "run of nothing", 8, 8, 0, EINVAL);
	VAR(p, "endless run", 8, 8, ~0ULL, EINVAL);
	VAR(p, "run that wraps around", 8, 8, ~run[0].start + 2, EINVAL);
	VAR(p, "run of one page more", 8, 8, run[0].nr + 1, EINVAL);

	FIELD(i, index, nr, 0, EINVAL);
	FIELD(i, index, nr, AS(index, i)->nr + 1, EINVAL);
	FIELD(i, index, nr, 0xffffffff, EINVAL);
	VAR(i, "index objref", 0, 4, 9999, EINVAL);
	VAR(i, "index start", 8, 8, 1, EINVAL);
	VAR(i, "index offset", 16, 8, 0, EINVAL);
	FIELD(t, tail, nr_records, AS(tail, t)->nr_records + 1, EBADMSG);
	FIELD(t, tail, nr_pages, AS(tail, t)->nr_pages - 1, EBADMSG);
	FIELD(t, tail, meta_offset, 0, EBADMSG);
	FIELD(t, tail, index_offset, 0, EBADMSG);
	FIELD(t, tail, image_len, AS(tail, t)->image_len + 8, EBADMSG);
	field_at("tail.uuid", t, offsetof(struct ckpt_rec_tail, uuid), 8, 0, EINVAL);
	field_at("tail.magic", t, offsetof(struct ckpt_rec_tail, magic), 8, 0, EINVAL);
	EXPECT_CASES();
}

TEST_F(image, hostile_poison)
{
	struct rec *p = find(CKPT_REC_POISON, 0);
	struct ckpt_page_run *run = var_of(p);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(2, AS(poison, p)->nr_runs);
	FIELD(p, poison, objref, 1, EINVAL);
	FIELD(p, poison, objref, 9999, EINVAL);
	FIELD(p, poison, nr_runs, 0, EINVAL);
	FIELD(p, poison, nr_runs, 3, EINVAL);
	FIELD(p, poison, nr_runs, 0xffffffff, EINVAL);
	VAR(p, "outside of all mappings", 0, 8, 0x20, EINVAL);
	VAR(p, "in the kernel", 0, 8, KERNEL_ADDR / PAGE, EINVAL);
	VAR(p, "last page", 0, 8, ~0ULL, EINVAL);
	VAR(p, "runs in the wrong order", 0, 8, run[1].start, EINVAL);
	VAR(p, "run of nothing", 8, 8, 0, EINVAL);
	VAR(p, "endless run", 8, 8, ~0ULL, EINVAL);
	VAR(p, "run that wraps around", 8, 8, ~run[0].start + 2, EINVAL);
	VAR(p, "run into the next", 8, 8, run[1].start - run[0].start + 1, EINVAL);
	VAR(p, "run beyond the mapping", 24, 8, 1ULL << 32, EINVAL);
	EXPECT_CASES();
}

static struct rec *find_soft_dirty(void)
{
	struct rec *r;
	int i;

	for (i = 0; (r = find(CKPT_REC_SOFT_DIRTY, i)); i++)
		if (AS(soft_dirty, r)->nr_runs == 3 &&
		    ((struct ckpt_page_run *)var_of(r))->nr == ASKED_PAGES)
			return r;
	return NULL;
}

TEST_F(image, hostile_soft_dirty)
{
	struct rec *p = find_soft_dirty();
	struct ckpt_page_run *run = var_of(p);

	ASSERT_NE(NULL, p);
	FIELD(p, soft_dirty, objref, 1, EINVAL);
	FIELD(p, soft_dirty, objref, 9999, EINVAL);
	FIELD(p, soft_dirty, nr_runs, 0, EINVAL);
	FIELD(p, soft_dirty, nr_runs, 4, EINVAL);
	FIELD(p, soft_dirty, nr_runs, 0xffffffff, EINVAL);
	VAR(p, "outside of all mappings", 0, 8, 0x20, EINVAL);
	VAR(p, "in the kernel", 0, 8, KERNEL_ADDR / PAGE, EINVAL);
	VAR(p, "last page", 0, 8, ~0ULL, EINVAL);
	VAR(p, "nothing", 8, 8, 0, EINVAL);
	VAR(p, "endless", 8, 8, ~0ULL, EINVAL);
	VAR(p, "beyond the mapping", 8, 8, 1ULL << 30, EINVAL);
	VAR(p, "wraps around", 8, 8, ~run[0].start + 2, EINVAL);
	VAR(p, "run before it", 16, 8, run[0].start - 1, EINVAL);
	VAR(p, "run behind it", 32, 8, run[0].start + run[0].nr, EINVAL);
	VAR(p, "runs in the wrong order", 16, 8, run[2].start, EINVAL);
	VAR(p, "run of nothing", 24, 8, 0, EINVAL);
	VAR(p, "endless run", 24, 8, ~0ULL, EINVAL);
	VAR(p, "run that wraps around", 24, 8, ~run[1].start + 2, EINVAL);
	VAR(p, "run into the next", 24, 8, run[2].start - run[1].start + 1, EINVAL);
	VAR(p, "run beyond the end", 40, 8, run[0].nr, EINVAL);
	EXPECT_CASES();
}

static bool may_be_left_out(uint32_t type)
{
	return type == CKPT_REC_X86_FEATURES || type == CKPT_REC_SIGPENDING ||
	       type == CKPT_REC_RESTART_BLOCK || type == CKPT_REC_TIMERS ||
	       type == CKPT_REC_LOCKS || type == CKPT_REC_FOWNER ||
	       type == CKPT_REC_MEMPOLICY;
}

/* The same locks once more make no difference. */
static bool may_come_twice(uint32_t type)
{
	return type == CKPT_REC_LOCKS;
}

TEST_F(image, records_missing_or_twice)
{
	struct rec list[MAX_RECS];
	int i, meta = find(CKPT_REC_META_END, 0) - recs;

	for (i = 0; i < nr_recs; i++) {
		uint32_t type = recs[i].h->type;

		/* Only the first credentials are those of the task. */
		if (may_be_left_out(type) || (type == CKPT_REC_CRED &&
					      &recs[i] != find(type, 0)))
			continue;
		memcpy(list, recs, i * sizeof(*recs));
		memcpy(list + i, recs + i + 1, (nr_recs - i - 1) * sizeof(*recs));
		structural(new_case(i ? 0 : ENOEXEC, "without record %d (type %u)", i, type),
			   list, nr_recs - 1);
	}
	/* After the tail nobody looks. */
	for (i = 0; i < nr_recs - 1; i++)
		if (!may_come_twice(recs[i].h->type) &&
		    (recs[i].h->type != CKPT_REC_VMA ||
		     recs[i + 1].h->type == CKPT_REC_VMA))
			insert(new_case(0, "record %d (type %u) twice", i,
					recs[i].h->type), i, recs[i]);
	insert(new_case(EINVAL, "payload in the metadata"), meta,
	       *find(CKPT_REC_PAGES, 0));
	insert(new_case(EINVAL, "tail in the metadata"), meta, recs[nr_recs - 1]);
	insert(new_case(EINVAL, "mapping behind the metadata"), meta + 1,
	       *find(CKPT_REC_VMA, 0));
	EXPECT_CASES();
}

/* They have grown since. */
#define TASK_VERSION_1	248
#define VMA_VERSION_1	64

TEST_F(image, newer_writers)
{
	int meta = find(CKPT_REC_META_END, 0) - recs, i;
	struct rec list[MAX_RECS], r;
	struct kase *k;

#define ACCEPTED(...)	({ k = new_case(0, __VA_ARGS__); k->accept = true; k; })

	insert(ACCEPTED("PAD in the metadata"), 1, make_rec(CKPT_REC_PAD, 48));
	insert(ACCEPTED("PAD before META_END"), meta, make_rec(CKPT_REC_PAD, 16));
	insert(ACCEPTED("PAD before the payload"), meta + 1, make_rec(CKPT_REC_PAD, 4096));
	insert(ACCEPTED("PAD before the tail"), nr_recs - 1, make_rec(CKPT_REC_PAD, 24));
	r = make_rec(12345 | CKPT_REC_MAY_IGNORE, 64);
	memset(r.h + 1, 0x5a, 48);
	insert(ACCEPTED("unknown record that may be ignored"), meta, r);
	insert(ACCEPTED("likewise behind the metadata"), meta + 1, r);
	r.h->type = 12345;
	insert(new_case(EPROTONOSUPPORT, "unknown record"), meta, r);
	insert(new_case(EPROTONOSUPPORT, "unknown record behind the metadata"), meta + 1, r);
	insert(new_case(ENOEXEC, "PAD first"), 0, make_rec(CKPT_REC_PAD, 16));
	insert(new_case(ENOEXEC, "something to be ignored first"), 0,
	       make_rec(12345 | CKPT_REC_MAY_IGNORE, 16));

	for (i = 0; i < nr_recs; i++)
		list[i] = grown(&recs[i], 16, 0);
	structural(ACCEPTED("all records longer by zeros"), list, nr_recs);
	for (i = 0; i < nr_recs; i++) {
		memcpy(list, recs, nr_recs * sizeof(*recs));
		list[i] = grown(&recs[i], 8, 1);
		structural(new_case(EPROTONOSUPPORT, "record %d (type %u) longer by junk",
				    i, recs[i].h->type), list, nr_recs);
		/* All that version 1 has must be there; FILE has grown since. */
		if (recs[i].h->type == CKPT_REC_FILE &&
		    AS(file, &recs[i])->path_len == 1)
			continue;
		r = make_rec(recs[i].h->type, recs[i].h->len);
		memcpy(r.h, recs[i].h, recs[i].h->len);
		if (r.h->type == CKPT_REC_TASK)
			r.h->fixed = TASK_VERSION_1;
		if (r.h->type == CKPT_REC_MM)
			r.h->fixed = offsetof(struct ckpt_rec_mm, pkeys);
		if (r.h->type == CKPT_REC_VMA)
			r.h->fixed = VMA_VERSION_1;
		if (r.h->type == CKPT_REC_MEMPOLICY)
			r.h->fixed = offsetof(struct ckpt_rec_mempolicy, start);
		r.h->fixed -= 8;
		list[i] = r;
		structural(new_case(EINVAL, "record %d (type %u) too short",
				    i, recs[i].h->type), list, nr_recs);
	}
	EXPECT_CASES();
}

/* The same image, but the caller has another pid and did not say it matters not. */
TEST_F(image, another_pid)
{
	struct restart_args args = { .context_fd = -1, .done_fd = -1 };
	int fd = open(CKPT_IMG, O_RDONLY);

	args.log_fd = ckpt_log_begin();
	ASSERT_NE(self->pid, getpid());
	EXPECT_EQ(-1, sys_restart(0, fd, RESTART_TASKSELF | RESTART_ARGS, &args,
				  sizeof(args)));
	EXPECT_EQ(EINVAL, errno);
	ckpt_log_end(args.log_fd);
	EXPECT_NE(NULL, strstr(ckpt_log_text, "pid"));
	/* The position stays. */
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	close(fd);
}

TEST_F(image, not_an_image)
{
	static const char *const files[] = { "/proc/self/exe", "/dev/zero",
					     "/dev/null" };
	int i, fd;

	for (i = 0; i < 3; i++) {
		fd = open(files[i], O_RDONLY);
		EXPECT_EQ(-1, sys_restart(0, fd, RESTART_TASKSELF, NULL, 0));
		EXPECT_EQ(i == 2 ? EBADMSG : ENOEXEC, errno)
			TH_LOG("%s: %s", files[i], strerror(errno));
		close(fd);
	}
}

/* ---- huge pages of files -------------------------------------------------------- */

#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define ON_DISK		"/data/image.gone"

/* Shared memory; huge pages of hugetlb; a file on a disk. Their sizes tell them apart. */
#define SHMEM_SIZE	(4 * HUGE)
#define HUGETLB_SIZE	HUGE
#define DISK_SIZE	(2 * PAGE)

/* A huge page, and two small ones behind it that are not next to each other. */
static bool shmem_ok(const char *p)
{
	size_t i;

	for (i = 0; i < SHMEM_SIZE; i += PAGE)
		if (p[i] != (i < HUGE || i == HUGE + 3 * PAGE || i == HUGE + 5 * PAGE ?
			     (char)(i / PAGE + i / HUGE + 1) : 0) || p[i + PAGE - 1])
			return false;
	return true;
}

static void put_page(char *p, size_t i)
{
	p[i] = i / PAGE + i / HUGE + 1;
}

static void folios_program(void *arg)
{
	int fd = memfd_create("shmem", 0), pool = memfd_create("pool", MFD_HUGETLB);
	int disk = open(ON_DISK, O_RDWR | O_CREAT, 0600);
	char *p, *q, buf[DISK_SIZE], was[DISK_SIZE];
	size_t i;

	memset(was, 'd', DISK_SIZE);
	if (ftruncate(fd, SHMEM_SIZE) || ftruncate(pool, HUGETLB_SIZE) ||
	    write(disk, was, DISK_SIZE) != DISK_SIZE || unlink(ON_DISK))
		_exit(47);
	p = mmap(NULL, SHMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, HUGETLB_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pool, 0);
	if (p == MAP_FAILED || q == MAP_FAILED || madvise(p, HUGE, MADV_HUGEPAGE))
		_exit(48);
	for (i = 0; i < HUGE; i += PAGE)
		put_page(p, i);
	put_page(p, HUGE + 3 * PAGE);
	put_page(p, HUGE + 5 * PAGE);
	*q = 1;
	pattern_fill();
	ckpt_touch(READY);
	while (access(GO, F_OK))
		usleep(5000);
	if (pread(disk, buf, DISK_SIZE, 0) != DISK_SIZE || memcmp(buf, was, DISK_SIZE))
		_exit(49);
	_exit(pattern_ok() && shmem_ok(p) && *q == 1 ? SAVED_EXIT : 43);
}

FIXTURE(folios)
{
	char enabled[96];
	pid_t pid;
};

FIXTURE_SETUP(folios)
{
	if (ckpt_read_text(SHMEM_ENABLED, self->enabled, sizeof(self->enabled)) <= 0)
		SKIP(return, "no huge pages of shared memory");
	ASSERT_TRUE(ckpt_write_text(SHMEM_ENABLED, "advise"));
	self->pid = take_image(_metadata, folios_program);
}

FIXTURE_TEARDOWN(folios)
{
	if (!*self->enabled)
		return;
	give_image_back(_metadata, self->pid);
	ckpt_set_back(SHMEM_ENABLED, self->enabled);
}

/* Record @nth of the payload of a file, of which @size says which it is. */
static struct rec *payload_of(uint64_t size, int nth)
{
	struct rec *inode, *r;
	int i;

	for (i = 0; (inode = find(CKPT_REC_INODE, i)); i++)
		if (AS(inode, inode)->size == size)
			break;
	for (i = 0; inode && (r = find(CKPT_REC_PAGES, i)); i++)
		if (AS(pages, r)->objref == AS(inode, inode)->objref && !nth--)
			return r;
	return NULL;
}

#define ORDER(n)	((n) << CKPT_PAGES_ORDER_SHIFT)

TEST_F(folios, hostile)
{
	struct rec *first = payload_of(SHMEM_SIZE, 0), *second = payload_of(SHMEM_SIZE, 1);
	struct rec *small = payload_of(SHMEM_SIZE, 2), *disk = payload_of(DISK_SIZE, 0);
	struct rec *pool = payload_of(HUGETLB_SIZE, 0), apart, list[MAX_RECS];
	struct ckpt_page_run *run;

	ASSERT_TRUE(first && second && small && disk && pool);
	ASSERT_EQ(NULL, payload_of(SHMEM_SIZE, 3));
	ASSERT_EQ(CKPT_PAGES_HUGE, AS(pages, first)->flags);
	ASSERT_EQ(CKPT_PAGES_HUGE, AS(pages, second)->flags);
	ASSERT_EQ(0, AS(pages, small)->flags);
	ASSERT_EQ(2, AS(pages, small)->nr_runs);

	FIELD(second, pages, flags, CKPT_PAGES_HUGE | ORDER(8), EINVAL);
	FIELD(second, pages, flags, ORDER(9), EINVAL);
	FIELD(second, pages, flags, ORDER(15), EINVAL);
	FIELD(second, pages, flags, ORDER(8), 0)->accept = true;
	FIELD(second, pages, flags, 0, 0)->accept = true;
	/* These lie at odd places, alone. What is around them is zero. */
	FIELD(small, pages, flags, ORDER(1), EINVAL);
	FIELD(small, pages, flags, ORDER(8), EINVAL);
	FIELD(small, pages, flags, CKPT_PAGES_HUGE, 0)->accept = true;
	apart = grown(small, 0, 0);
	run = var_of(&apart);
	run[1].start = 2 * CKPT_HUGE_NR;
	AS(pages, &apart)->flags = CKPT_PAGES_HUGE;
	memcpy(list, recs, nr_recs * sizeof(*recs));
	list[small - recs] = apart;
	structural(new_case(EINVAL, "one huge page at two places"), list, nr_recs);
	/* Other files have no such folios, be they aligned or not. */
	FIELD(disk, pages, flags, CKPT_PAGES_HUGE, EINVAL);
	FIELD(disk, pages, flags, ORDER(1), EINVAL);
	FIELD(pool, pages, flags, CKPT_PAGES_HUGE, EINVAL);
	FIELD(pool, pages, flags, ORDER(8), EINVAL);
	EXPECT_CASES();
}

TEST_HARNESS_MAIN
