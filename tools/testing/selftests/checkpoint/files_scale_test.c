// SPDX-License-Identifier: GPL-2.0
/*
 * Files at the limits: the longest path, a mount in a mount, a hundred thousand
 * descriptors, an epoll with many files.
 */
#include "tree_program.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#define SRC		DIRECTORY "/src"
#define MOUNT		DIRECTORY "/mnt"
#define MANY		(ckpt_slow_kernel() ? 20000 : 100000)
#define FEW		(MANY / 10)
#define MANY_WATCHED	(MANY / 5)
#define FEW_WATCHED	(MANY / 50)

/* ---- in the program ---------------------------------------------------------- */

/* Its path has PATH_MAX - 1 bytes, the most that a call takes. */
static void set_longest(void)
{
	char name[256], text[PATH_MAX + 1];
	int left = PATH_MAX - 1 - strlen(DIRECTORY), n;

	memset(name, 'd', sizeof(name));
	MUST(!chdir(DIRECTORY));
	for (; left > 250; left -= n + 1) {
		n = left > 500 ? 249 : left - 250;
		name[n] = 0;
		MUST(!mkdir(name, 0755) && !chdir(name));
		name[n] = 'd';
	}
	memset(name, 'f', left - 1);
	name[left - 1] = 0;
	move_fd(open(name, O_RDWR | O_CREAT, 0600), 10, 0);
	MUST(write(10, "deep", 4) == 4);
	MUST(!chdir("/"));
	MUST(readlink("/proc/self/fd/10", text, sizeof(text)) == PATH_MAX - 1);
}

static void check_longest(void)
{
	char buf[4];

	MUST(lseek(10, 0, SEEK_CUR) == 4 && pread(10, buf, 4, 0) == 4);
	MUST(!memcmp(buf, "deep", 4));
}

/* Each is opened by its own mount, and is there again. */
static void set_bound(void)
{
	MUST(!mkdir(SRC, 0755) && !mkdir(MOUNT, 0755) && fill(SRC "/a"));
	MUST(!mount(SRC, MOUNT, NULL, MS_BIND, NULL));
	open_as(10, SRC "/a", O_RDONLY);
	open_as(11, MOUNT "/a", O_RDONLY);
	MUST(!mount(NULL, MOUNT, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	open_as(12, MOUNT, O_RDONLY | O_DIRECTORY);
}

static bool fd_is(int fd, const char *name)
{
	char link[64], text[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text));
	return n == (ssize_t)strlen(name) && !memcmp(text, name, n);
}

static void check_bound(void)
{
	MUST(fd_is(10, SRC "/a") && fd_is(11, MOUNT "/a") && fd_is(12, MOUNT));
	MUST(openat(12, "new", O_CREAT | O_RDWR, 0600) < 0 && errno == EROFS);
}

static void open_many(int nr)
{
	struct rlimit limit = { MANY + 100, MANY + 100 };
	int i;

	MUST(!setrlimit(RLIMIT_NOFILE, &limit) && fill(DIRECTORY "/a"));
	for (i = 10; i < nr; i++) {
		/* Not all of them the same. */
		if (i % 10)
			MUST(dup2(i - 1, i) == i);
		else
			open_as(i, DIRECTORY "/a", O_RDONLY);
	}
}

static void set_few(void)
{
	open_many(FEW);
}

static void set_many(void)
{
	open_many(MANY);
}

static void all_open(int nr)
{
	int i;

	for (i = 10; i < nr; i++) {
		MUST(fcntl(i, F_GETFL) >= 0);
		/* Who has one with its neighbour still has. */
		if (i % 10 == 5)
			MUST(lseek(i, i, SEEK_SET) == i && lseek(i - 3, 0, SEEK_CUR) == i);
	}
	MUST(fcntl(nr, F_GETFD) < 0 || nr <= log_fd);
}

static void check_few(void)
{
	all_open(FEW);
}

static void check_many(void)
{
	all_open(MANY);
}

/* An epoll with as many items, each of a file of its own; every other one is ready. */
static void watch_many(int nr)
{
	struct rlimit limit = { MANY + 100, MANY + 100 };
	struct epoll_event e = { .events = EPOLLIN };
	int i;

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	move_fd(epoll_create1(0), 10, 0);
	for (i = 11; i < nr; i++) {
		move_fd(eventfd(i & 1, 0), i, 0);
		e.data.fd = i;
		MUST(!epoll_ctl(10, EPOLL_CTL_ADD, i, &e));
	}
}

static void set_few_watched(void)
{
	watch_many(FEW_WATCHED);
}

static void set_many_watched(void)
{
	watch_many(MANY_WATCHED);
}

static void all_watched(int nr)
{
	struct epoll_event *e = calloc(nr, sizeof(*e));
	uint64_t one = 1;
	int i;

	MUST(e && epoll_wait(10, e, nr, 0) == (nr - 10) / 2);
	for (i = 0; i < (nr - 10) / 2; i++)
		MUST(e[i].data.fd & 1);
	for (i = 11; i < nr; i++)
		if (!(i & 1))
			MUST(write(i, &one, sizeof(one)) == sizeof(one));
	MUST(epoll_wait(10, e, nr, 0) == nr - 11);
	free(e);
}

static void check_few_watched(void)
{
	all_watched(FEW_WATCHED);
}

static void check_many_watched(void)
{
	all_watched(MANY_WATCHED);
}

static void hint(int fd, __u64 set)
{
	MUST(!fcntl(fd, F_SET_RW_HINT, &set));
}

static __u64 hint_of(int fd)
{
	__u64 hint = ~0ULL;

	MUST(!fcntl(fd, F_GET_RW_HINT, &hint));
	return hint;
}

/* The second has an inode of its own afterwards. */
static void set_hints(void)
{
	MUST(fill(DIRECTORY "/a") && fill(DIRECTORY "/b"));
	open_as(10, DIRECTORY "/a", O_RDWR);
	open_as(11, DIRECTORY "/b", O_RDWR);
	MUST(!unlink(DIRECTORY "/b"));
	hint(10, RWH_WRITE_LIFE_LONG);
	hint(11, RWH_WRITE_LIFE_SHORT);
	MUST(!posix_fadvise(10, 0, 0, POSIX_FADV_RANDOM));
	MUST(!posix_fadvise(11, 0, 0, POSIX_FADV_SEQUENTIAL));
	MUST(!posix_fadvise(11, 0, 0, POSIX_FADV_NOREUSE));
}

static void check_hints(void)
{
	MUST(hint_of(10) == RWH_WRITE_LIFE_LONG);
	MUST(hint_of(11) == RWH_WRITE_LIFE_SHORT);
}

/* ---- in the test -------------------------------------------------------------- */

static void scale_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
}

static void scale_end(pid_t pid)
{
	end_tree(pid);
	umount2(MOUNT, MNT_DETACH);
	umount_files();
}

static void end_disk(pid_t pid)
{
	end_tree(pid);
	umount_disk();
}

PROGRAM_FIXTURE(files, scale_begin, scale_end);

FIXTURE_VARIANT(files)
{
	struct program program;
};

#define AT_THE_LIMIT(name)					\
FIXTURE_VARIANT_ADD(files, name)				\
{								\
	.program = { set_##name, check_##name },		\
}

AT_THE_LIMIT(longest);
AT_THE_LIMIT(bound);

TEST_F(files, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

PROGRAM_FIXTURE(advice, begin_tree, end_disk);

/* What the image has of regular files, that is not nothing. */
static void find_advice(__u32 *advice, int max)
{
	static char image[1 << 20];
	int fd = open(CKPT_IMG, O_RDONLY | O_CLOEXEC), nr = 0;
	ssize_t n = read(fd, image, sizeof(image));
	struct ckpt_hdr *h;
	size_t at;

	close(fd);
	memset(advice, 0, max * sizeof(*advice));
	for (at = 0; n > 0 && at + sizeof(*h) <= n; at += h->len) {
		h = (void *)(image + at);
		if (h->type == CKPT_REC_META_END)
			break;
		if (h->type == CKPT_REC_FILE && nr < max &&
		    ((struct ckpt_rec_file *)h)->advice)
			advice[nr++] = ((struct ckpt_rec_file *)h)->advice;
	}
}

/* No call tells of it: a second image does. */
TEST_F(advice, comes_back)
{
	static const struct program p = { set_hints, check_hints };
	__u32 was[3], is[3];

	ASSERT_TRUE(mount_disk());
	self->pid = start_program(_metadata, &p);
	kill_and_bring_back(_metadata, self->pid);
	find_advice(was, 3);
	EXPECT_EQ(CKPT_ADVICE_RANDOM, was[0]);
	EXPECT_EQ(CKPT_ADVICE_SEQUENTIAL | CKPT_ADVICE_NOREUSE, was[1]);
	EXPECT_EQ(0, was[2]);
	kill_and_bring_back(_metadata, self->pid);
	find_advice(is, 3);
	EXPECT_EQ(0, memcmp(was, is, sizeof(is)));
	ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(table, scale_begin, scale_end);

FIXTURE_VARIANT(table)
{
	struct program few, many;
};

FIXTURE_VARIANT_ADD(table, descriptors)
{
	.few = { set_few, check_few },
	.many = { set_many, check_many },
};

FIXTURE_VARIANT_ADD(table, items_of_an_epoll)
{
	.few = { set_few_watched, check_few_watched },
	.many = { set_many_watched, check_many_watched },
};

/* How long it takes, in ms, there and back. */
static long long there_and_back(struct __test_metadata *_metadata, pid_t *pid,
				const struct program *p)
{
	long long start;

	*pid = start_program(_metadata, p);
	start = ckpt_now_ms();
	kill_and_bring_back(_metadata, *pid);
	start = ckpt_now_ms() - start;
	ends_well(_metadata, pid);
	unlink(GO);
	return start;
}

/* Ten times as many take about ten times as long, not a hundred. */
TEST_F(table, time_is_linear)
{
	long long ten, hundred;

	ten = there_and_back(_metadata, &self->pid, &variant->few);
	ASSERT_EQ(0, ftruncate(log_fd, 0));
	hundred = there_and_back(_metadata, &self->pid, &variant->many);
	TH_LOG("few: %lld ms, many: %lld ms", ten, hundred);
	EXPECT_LT(hundred, 40 * (ten + 20));
}

TEST_HARNESS_MAIN
