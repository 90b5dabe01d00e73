// SPDX-License-Identifier: GPL-2.0
/*
 * The programs that are saved and brought back:
 *
 *	work KIND N		make N of KIND, say so on descriptor 3, wait
 *	work -o KIND N		the same, and look out for standing still
 *	work -b KIND N		instead, what the same costs by other calls
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <nmmintrin.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#define READY_FD	3
#define PAGE		4096UL
#define MIB		(1UL << 20)
#define STACK		(32UL << 10)
#define SMALL		(16UL << 10)
#define LARGE		(256UL << 10)
#define COMMON		(64 * MIB)
/* The pieces in which write() and read() are fastest. */
#define WRITE_PIECE	(64UL << 10)
#define READ_PIECE	MIB

static const char *what;
static unsigned long count;
static char *memory;
static size_t memory_len;
static int sharing = MAP_PRIVATE;

static void bound(const char *name, double us)
{
	printf("%s\t%lu\tbound\t%s\t%.0f\n", what, count, name, us);
}

/* ---- what a program can have --------------------------------------------- */

/* No page is zero, and none is like another. */
static void dirty(char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(i))
		*(size_t *)(p + i) = i * 2654435761UL + 1;
}

static void get_memory(size_t len, int advice)
{
	char *p = mmap(NULL, len + 2 * MIB, PROT_READ | PROT_WRITE,
		       sharing | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		DIE("mmap of %zu bytes", len);
	memory = (char *)(((unsigned long)p + 2 * MIB - 1) & ~(2 * MIB - 1));
	memory_len = len;
	madvise(memory, len, advice);
	dirty(memory, len);
}

static void set_idle(void)
{
}

static void set_small_pages(void)
{
	get_memory(count * MIB, MADV_NOHUGEPAGE);
}

/* Shared memory, as it would be between processes. */
static void set_shared_pages(void)
{
	sharing = MAP_SHARED;
	set_small_pages();
}

static void set_huge_pages(void)
{
	get_memory(count * MIB, MADV_HUGEPAGE);
}

/* A page in each MiB, of N MiB. */
static void set_sparse(void)
{
	unsigned long i;
	char *p = mmap(NULL, count * MIB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		DIE("mmap of %lu MiB", count);
	madvise(p, count * MIB, MADV_NOHUGEPAGE);
	for (i = 0; i < count; i++)
		dirty(p + i * MIB, PAGE);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void make_children(size_t len)
{
	unsigned long i;
	pid_t pid;

	for (i = 0; i < count; i++) {
		pid = fork();
		if (pid < 0)
			DIE("fork %lu", i);
		if (!pid) {
			if (len)
				get_memory(len, MADV_NOHUGEPAGE);
			/* The end of descriptor 3 says that all are ready. */
			close(READY_FD);
			wait_for_ever();
		}
	}
}

static void set_processes(void)
{
	make_children(SMALL);
}

static void set_large_processes(void)
{
	make_children(LARGE);
}

/* All of them have the memory of their parent, copy-on-write. */
static void set_cow(void)
{
	get_memory(COMMON, MADV_NOHUGEPAGE);
	make_children(0);
}

static void *thread(void *arg)
{
	wait_for_ever();
	return arg;
}

static void set_threads(void)
{
	pthread_attr_t attr;
	unsigned long i;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < count; i++) {
		errno = pthread_create(&t, &attr, thread, NULL);
		if (errno)
			DIE("thread %lu", i);
	}
}

/* Neighbours differ, so that they stay apart. */
static void set_mappings(void)
{
	char *p = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long i;

	if (p == MAP_FAILED)
		DIE("mmap");
	for (i = 0; i < count; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_READ))
			DIE("mprotect %lu", i);
}

static void more_files(void)
{
	struct rlimit r = { count + 64, count + 64 };

	if (setrlimit(RLIMIT_NOFILE, &r))
		DIE("RLIMIT_NOFILE");
}

static void set_files(void)
{
	unsigned long i;

	more_files();
	for (i = 0; i < count; i++)
		if (open("/bench/file", O_RDONLY) < 0)
			DIE("file %lu", i);
}

static void set_pipes(void)
{
	unsigned long i;
	int fd[2];

	more_files();
	for (i = 0; i < count; i += 2)
		if (pipe(fd))
			DIE("pipe %lu", i);
}

static void set_eventfds(void)
{
	unsigned long i;

	more_files();
	for (i = 0; i < count; i++)
		if (eventfd(i, 0) < 0)
			DIE("eventfd %lu", i);
}

/* One that watches N descriptors. */
static void set_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd;
	unsigned long i;

	more_files();
	for (i = 0; i < count; i++) {
		fd = eventfd(0, 0);
		e.data.u64 = i;
		if (fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
			DIE("item %lu", i);
	}
}

static void set_timers(void)
{
	struct rlimit r = { count + 64, count + 64 };
	struct itimerspec when = { .it_value.tv_sec = 100000 };
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	unsigned long i;
	timer_t t;

	if (setrlimit(RLIMIT_SIGPENDING, &r))
		DIE("RLIMIT_SIGPENDING");
	for (i = 0; i < count; i++)
		if (timer_create(CLOCK_MONOTONIC, &e, &t) ||
		    timer_settime(t, 0, &when, NULL))
			DIE("timer %lu", i);
}

static void set_signals(void)
{
	struct rlimit r = { count + 64, count + 64 };
	unsigned long i;
	union sigval v;
	sigset_t set;

	if (setrlimit(RLIMIT_SIGPENDING, &r))
		DIE("RLIMIT_SIGPENDING");
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < count; i++) {
		v.sival_int = i;
		if (sigqueue(getpid(), SIGRTMIN, v))
			DIE("signal %lu", i);
	}
}

/* ---- programs that nobody here wrote -------------------------------------------- */

/* N thousand strings in a list. Descriptor 3 ends with the exec. */
static void set_python(void)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "import signal; l = [str(i) * 20 for i in range(%lu000)]; signal.pause()",
		 count);
	fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
	execl("/usr/bin/python3", "python3", "-IS", "-c", text, NULL);
	DIE("python3");
}

/* An array of N MiB. */
static void set_numpy(void)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "import sys, signal; sys.path.append('/usr/lib/python3/dist-packages')\n"
		 "import numpy; a = numpy.arange(%lu << 17); signal.pause()", count);
	fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
	execl("/usr/bin/python3", "python3", "-IS", "-c", text, NULL);
	DIE("python3");
}

/* What talks to a server is no child of it, and ready is who closes the pipe. */
static void talk_to_redis(void)
{
	char text[256];

	if (fork()) {
		fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
		wait(NULL);
		return;
	}
	if (fork())
		_exit(0);
	snprintf(text, sizeof(text),
		 "for i in $(seq 100); do redis-cli ping && break; sleep 0.1; done\n"
		 "redis-cli debug populate %lu key 1000\n"
		 "redis-cli config set port 0\n", count * 1000);
	execl("/bin/sh", "sh", "-c", text, NULL);
	DIE("sh");
}

/* A server with N thousand values of 1 kB, that listens no longer. */
static void set_redis(void)
{
	if (chdir("/tmp"))
		DIE("/tmp");
	talk_to_redis();
	execl("/usr/bin/redis-server", "redis-server", "--bind", "127.0.0.1",
	      "--save", "", "--enable-debug-command", "yes", NULL);
	DIE("redis-server");
}

/* A table of N thousand rows. The pipe has no end, so it waits for more. */
static void set_sqlite(void)
{
	int fd[2];

	if (pipe(fd))
		DIE("pipe");
	dprintf(fd[1], "create table t(a integer primary key, b text);\n"
		"with recursive n(i) as (select 1 union all select i + 1 from n where i < %lu000)\n"
		"insert into t select i, hex(randomblob(20)) from n;\n", count);
	dup2(fd[0], STDIN_FILENO);
	close(fd[0]);
	fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
	execl("/usr/bin/sqlite3", "sqlite3", "-batch", ":memory:", NULL);
	DIE("sqlite3");
}

/*
 * make with N compilers at work. Each has got as far as a header that is a FIFO,
 * which nobody writes.
 */
static void set_gcc(void)
{
	char jobs[16], object[32];
	unsigned long i;
	FILE *f;

	mkdir("/tmp/build", 0700);
	if (chdir("/tmp/build"))
		DIE("/tmp/build");
	f = fopen("Makefile", "w");
	fprintf(f, "all:");
	for (i = 0; i < count; i++) {
		fprintf(f, " %lu.o", i);
		/* Of one who could not save it. */
		snprintf(object, sizeof(object), "%lu.o", i);
		unlink(object);
	}
	fprintf(f, "\n%%.o: ; gcc -pipe -O2 -c -o $@ work.c\n");
	fclose(f);
	f = fopen("work.c", "w");
	fprintf(f, "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
	for (i = 0; i < 1000; i++)
		fprintf(f, "int f%lu(int x)\n{\n\treturn printf(\"%%d\", x * %lu);\n}\n",
			i, i);
	fprintf(f, "#include \"wait.h\"\n");
	fclose(f);
	mkfifo("wait.h", 0600);
	snprintf(jobs, sizeof(jobs), "-j%lu", count);
	fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
	execl("/usr/bin/make", "make", jobs, NULL);
	DIE("make");
}

/* ---- the same by other calls -------------------------------------------------- */

/* CRC32C of the memory, in three chains as the kernel does it. */
__attribute__((target("sse4.2")))
static void time_crc(void)
{
	const unsigned long *p = (void *)memory, third = memory_len / 24, *end = p + third;
	unsigned long a = ~0U, b = ~0U, c = ~0U;
	double start = now_us();

#pragma GCC unroll 16
	for (; p < end; p++) {
		a = _mm_crc32_u64(a, p[0]);
		b = _mm_crc32_u64(b, p[third]);
		c = _mm_crc32_u64(c, p[2 * third]);
	}
	asm volatile("" : : "r" (a ^ b ^ c));
	bound("crc32c", now_us() - start);
}

static void time_fork(void)
{
	double start = now_us();
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0)
		DIE("fork");
	bound("fork", now_us() - start);
	waitpid(pid, NULL, 0);
}

static void time_write(void)
{
	int fd = open(IMAGES "/bytes", O_RDWR | O_CREAT | O_TRUNC, 0600);
	double start = now_us();
	size_t at;
	char *p;

	for (at = 0; at < memory_len; at += WRITE_PIECE)
		if (write(fd, memory + at, WRITE_PIECE) != WRITE_PIECE)
			DIE("write");
	bound("write", now_us() - start);
	lseek(fd, 0, SEEK_SET);
	start = now_us();
	p = mmap(NULL, memory_len, PROT_READ | PROT_WRITE,
		 sharing | MAP_ANONYMOUS, -1, 0);
	madvise(p, memory_len, strcmp(what, "anon-thp") ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	for (at = 0; at < memory_len; at += READ_PIECE)
		if (read(fd, p + at, READ_PIECE) != READ_PIECE)
			DIE("read");
	bound("read", now_us() - start);
	close(fd);
	unlink(IMAGES "/bytes");
	time_crc();
}

static void time_forks(const char *name)
{
	double start = now_us();
	unsigned long i;
	pid_t pid;

	for (i = 0; i < count; i++) {
		pid = fork();
		if (!pid)
			wait_for_ever();
		if (pid < 0)
			DIE("fork %lu", i);
	}
	bound(name, now_us() - start);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	signal(SIGTERM, SIG_DFL);
}

/* As many processes as that; then as many forks of one that has what each has. */
static void time_processes(void)
{
	time_forks("create");
	if (!strcmp(what, "processes-cow"))
		get_memory(COMMON, MADV_NOHUGEPAGE);
	else
		get_memory(strcmp(what, "processes") ? LARGE : SMALL, MADV_NOHUGEPAGE);
	time_forks("fork");
}

static void time_set(void)
{
	const double start = now_us();

	if (!strcmp(what, "threads"))
		set_threads();
	else if (!strcmp(what, "files"))
		set_files();
	else if (!strcmp(what, "pipes"))
		set_pipes();
	else if (!strcmp(what, "eventfds"))
		set_eventfds();
	else if (!strcmp(what, "epoll"))
		set_epoll();
	else if (!strcmp(what, "timers"))
		set_timers();
	else
		return;
	bound("create", now_us() - start);
}

/* ---- standing still --------------------------------------------------------- */

static volatile double gap;
static volatile sig_atomic_t asked;

static void new_gap(int sig)
{
	gap = 0;
}

static void ask(int sig)
{
	asked++;
}

/* Writes to each page of the memory; says how long that took. */
static void touch(int fd, int nr)
{
	double start = now_us();
	char text[64];
	size_t at;
	int len;

	for (at = 0; at < memory_len; at += PAGE)
		(*(volatile char *)(memory + at))++;
	len = snprintf(text, sizeof(text), "%d %-20.0f\n", nr, now_us() - start);
	if (pwrite(fd, text, len, TOUCH_AT) != len)
		DIE("%s", GAP);
}

/*
 * A thread that never rests: the longest time in which it made no progress, since
 * the last SIGUSR1, is always in the file GAP. SIGUSR2 asks it to touch() once.
 */
static void *observe(void *arg)
{
	int fd = open(GAP, O_RDWR | O_CREAT | O_TRUNC, 0600), touched = 0;
	double last = now_us(), now;
	char text[32];
	int len;

	for (;;) {
		if (touched < asked) {
			touch(fd, ++touched);
			last = now_us();
		}
		now = now_us();
		if (now - last > gap) {
			gap = now - last;
			len = snprintf(text, sizeof(text), "%-20.0f\n", gap);
			if (pwrite(fd, text, len, 0) != len)
				DIE("%s", GAP);
			now = now_us();
		}
		last = now;
	}
	return arg;
}

static void start_observer(void)
{
	pthread_t t;

	signal(SIGUSR1, new_gap);
	signal(SIGUSR2, ask);
	errno = pthread_create(&t, NULL, observe, NULL);
	if (errno)
		DIE("observer");
}

/* ---- */

static const struct kind {
	const char *name;
	void (*set)(void);
	void (*time)(void);
} kinds[] = {
	{ "idle", set_idle, time_fork },
	{ "anon-4k", set_small_pages, time_write },
	{ "anon-thp", set_huge_pages, time_write },
	{ "shared", set_shared_pages, time_write },
	{ "processes", set_processes, time_processes },
	{ "processes-256k", set_large_processes, time_processes },
	{ "processes-cow", set_cow, time_processes },
	{ "threads", set_threads, time_set },
	{ "mappings", set_mappings, time_fork },
	{ "sparse", set_sparse, time_fork },
	{ "files", set_files, time_set },
	{ "pipes", set_pipes, time_set },
	{ "eventfds", set_eventfds, time_set },
	{ "epoll", set_epoll, time_set },
	{ "timers", set_timers, time_set },
	{ "signals", set_signals, NULL },
	{ "python3", set_python, NULL },
	{ "numpy", set_numpy, NULL },
	{ "redis", set_redis, NULL },
	{ "sqlite3", set_sqlite, NULL },
	{ "gcc", set_gcc, NULL },
};

static bool starts_itself(const struct kind *k)
{
	return k->time == time_set || k->time == time_processes;
}

int main(int argc, char **argv)
{
	bool bounds = argc > 1 && !strcmp(argv[1], "-b");
	bool observed = argc > 1 && !strcmp(argv[1], "-o");
	size_t i;

	argv += bounds || observed;
	if (argc - (bounds || observed) != 3) {
		fprintf(stderr, "usage: work [-b|-o] KIND N\n");
		return 1;
	}
	what = argv[1];
	count = strtoul(argv[2], NULL, 10);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct kind *k = &kinds[i];

		if (strcmp(k->name, what))
			continue;
		if (!bounds) {
			k->set();
			if (observed)
				start_observer();
			close(READY_FD);
			wait_for_ever();
		}
		if (!starts_itself(k)) {
			k->set();
			time_fork();
		}
		if (k->time && k->time != time_fork)
			k->time();
		return 0;
	}
	fprintf(stderr, "work: no such kind: %s\n", what);
	return 1;
}
