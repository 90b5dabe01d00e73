// SPDX-License-Identifier: GPL-2.0
/*
 * A program comes back with the open files that it had, at their descriptors,
 * in its working directory. If a file is no longer what it was, the restart is
 * refused by the path of that file, and nothing is left of it.
 *
 *	program				test
 *	opens files
 *	"ready"
 *					looks at /proc, checkpoint(KILL)
 *					perhaps changes files
 *					restart(), looks again
 *					makes the file GO
 *	uses the files
 *	exits with 42
 */
#include "ckpt_test.h"

#include <dirent.h>
#include <ftw.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#define LOG		"/tmp/files.log"
#define GO		"/tmp/files.go"
/* All files are below, on a file system of their own. */
#define DIRECTORY	"/tmp/files"
#define ROOT		"/tmp/files.root"
#define OUT		"/tmp/files.out"
#define A		DIRECTORY "/a"
#define B		DIRECTORY "/b"
#define GOOD		42
#define USER		1000
#define SIZE		8192

/* ---- in the program -------------------------------------------------- */

static int log_fd;

#define MUST(cond)						\
do {								\
	if (!(cond)) {						\
		dprintf(log_fd, "line %d: %s (errno %d)\n",	\
			__LINE__, #cond, errno);		\
		_exit(43);					\
	}							\
} while (0)

static void wait_go(void)
{
	while (access(GO, F_OK))
		ckpt_sleep_ms(2);
}

static unsigned char pattern(off_t i)
{
	return i * 7 + (i >> 8) + 3;
}

static bool fill(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	unsigned char buf[SIZE];
	ssize_t n;
	int i;

	for (i = 0; i < SIZE; i++)
		buf[i] = pattern(i);
	n = write(fd, buf, SIZE);
	close(fd);
	return n == SIZE;
}

/* Reads on from @pos, where the descriptor is said to be. */
static bool reads_at(int fd, off_t pos)
{
	unsigned char buf[16];
	int i;

	if (lseek(fd, 0, SEEK_CUR) != pos || read(fd, buf, 16) != 16)
		return false;
	for (i = 0; i < 16; i++)
		if (buf[i] != pattern(pos + i))
			return false;
	return lseek(fd, 0, SEEK_CUR) == pos + 16;
}

static bool same_inode(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static void lose_cap(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	syscall(SYS_capget, &h, d);
	d[cap / 32].effective &= ~(1U << cap % 32);
	d[cap / 32].permitted &= ~(1U << cap % 32);
	syscall(SYS_capset, &h, d);
}

/* Opens the file as descriptor @number. */
static int open_as(int number, const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	MUST(fd >= 0);
	if (fd == number)
		return fd;
	MUST(dup3(fd, number, flags & O_CLOEXEC) == number);
	close(fd);
	return number;
}

/* ---- in the test ------------------------------------------------------ */

static void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	buf[len] = 0;
	close(fd);
}

static const char *log_text(void)
{
	static char text[4096];

	read_text(LOG, text, sizeof(text));
	return text;
}

static bool begin(const char *fs)
{
	unlink(GO);
	unlink(LOG);
	unlink(OUT);
	mkdir(DIRECTORY, 0755);
	if (!strcmp(fs, "overlay")) {
		if (mount("o", DIRECTORY, "tmpfs", 0, NULL) ||
		    mkdir(DIRECTORY "/lower", 0755) ||
		    mkdir(DIRECTORY "/upper", 0755) ||
		    mkdir(DIRECTORY "/work", 0755) ||
		    !fill(DIRECTORY "/lower/a") || !fill(DIRECTORY "/upper/b") ||
		    mount("o", DIRECTORY, "overlay", 0, "lowerdir=" DIRECTORY
			  "/lower,upperdir=" DIRECTORY "/upper,workdir="
			  DIRECTORY "/work"))
			return false;
	} else if (mount("t", DIRECTORY, fs, 0, "mode=0755") || !fill(A) ||
		   !fill(B)) {
		return false;
	}
	log_fd = open(LOG, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return log_fd >= 0;
}

static void end(pid_t pid)
{
	ckpt_kill(pid);
	close(log_fd);
	chdir("/");
	while (!umount2(DIRECTORY, MNT_DETACH))
		;
	rmdir(DIRECTORY);
	unlink(GO);
	unlink(LOG);
	unlink(OUT);
	unlink(CKPT_IMG);
}

struct program {
	void (*set)(void);
	void (*check)(void);
};

static void run_program(void *arg)
{
	struct program program = *(struct program *)arg;

	program.set();
	MUST(dprintf(log_fd, "ready\n") == 6);
	wait_go();
	program.check();
	_exit(GOOD);
}

static pid_t start(struct __test_metadata *_metadata,
		   const struct program *program)
{
	pid_t pid = ckpt_spawn(run_program, (void *)program, log_fd);

	ASSERT_LT(0, pid);
	ASSERT_TRUE(ckpt_wait_size(LOG, 6, 10000));
	ASSERT_STREQ("ready\n", log_text());
	return pid;
}

static void save(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(pid, 5000));
}

static pid_t restart_with(pid_t pid, unsigned long flags,
			  const struct ckpt_inherit_fd *list, int nr)
{
	int in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	pid_t ret = ckpt_restart_fd_opts(in, pid, flags, list, nr);

	close(in);
	return ret;
}

static void bring_back(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_EQ(pid, restart_with(pid, 0, NULL, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
}

/* It was ready once: it went on, it did not begin again. */
static void ends_well(struct __test_metadata *_metadata, pid_t *pid)
{
	close(open(GO, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	EXPECT_EQ(GOOD, ckpt_wait(*pid, 10000));
	EXPECT_STREQ("ready\n", log_text());
	kill(*pid, SIGKILL);
	*pid = 0;
}

struct text {
	char *buf;
	size_t size, len;
};

static void add(struct text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->len += vsnprintf(t->buf + t->len, t->size - t->len, fmt, args);
	va_end(args);
	if (t->len >= t->size)
		t->len = t->size - 1;
}

static void add_link(struct text *t, const char *path)
{
	char name[PATH_MAX + 1];
	ssize_t n = readlink(path, name, PATH_MAX);
	struct stat st = {};

	name[n > 0 ? n : 0] = 0;
	stat(path, &st);
	add(t, "-> %s inode %lu\n", name, st.st_ino);
}

static int is_number(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* The smallest descriptor that has the same open file. */
static int first_of_file(pid_t pid, struct dirent **list, int n, int fd)
{
	int i, other;

	for (i = 0; i < n; i++) {
		other = atoi(list[i]->d_name);
		if (!syscall(SYS_kcmp, pid, pid, KCMP_FILE, other, fd))
			return other;
	}
	return -1;
}

/* All that the system shows of the files of a process. */
static int look(pid_t pid, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };
	char path[300], info[4096], *line;
	struct dirent **list;
	int n, i, fd;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	n = scandir(path, &list, is_number, versionsort);
	for (i = 0; i < n; i++) {
		fd = atoi(list[i]->d_name);
		add(&t, "%d is %d ", fd, first_of_file(pid, list, n, fd));
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		add_link(&t, path);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
		read_text(path, info, sizeof(info));
		add(&t, "%s", info);
	}
	for (i = 0; i < n; i++)
		free(list[i]);
	if (n > 0)
		free(list);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	add_link(&t, path);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	add_link(&t, path);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	read_text(path, info, sizeof(info));
	line = strstr(info, "Umask:");
	if (line)
		add(&t, "%.11s\n", line);
	return n;
}

/* NULL, or the first line that is not the same in both. */
static const char *difference(const char *before, const char *now)
{
	static char text[2 * PATH_MAX];
	int i, line = 0;

	for (i = 0; before[i] && before[i] == now[i]; i++)
		if (before[i] == '\n')
			line = i + 1;
	if (before[i] == now[i])
		return NULL;
	snprintf(text, sizeof(text), "was: %.*s, is: %.*s",
		 (int)strcspn(before + line, "\n"), before + line,
		 (int)strcspn(now + line, "\n"), now + line);
	return text;
}

#define EXPECT_SAME(before, now)				\
	EXPECT_STREQ("same", difference(before, now) ?: "same")

/* ---- what is saved ----------------------------------------------------- */

static const off_t positions[] = {
	0, 1, 4095, 5000, SIZE - 16, SIZE, SIZE + 12345, 1LL << 40,
};

static void set_positions(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		open_as(10 + i, A, i & 1 ? O_RDWR : O_RDONLY);
		MUST(lseek(10 + i, positions[i], SEEK_SET) == positions[i]);
	}
	open_as(30, B, O_WRONLY);
	MUST(lseek(30, 100, SEEK_SET) == 100);
	open_as(31, B, O_RDONLY);
}

static void check_positions(void)
{
	char c;
	int i;

	for (i = 0; i < ARRAY_SIZE(positions); i++) {
		if (positions[i] < SIZE) {
			MUST(reads_at(10 + i, positions[i]));
			continue;
		}
		MUST(lseek(10 + i, 0, SEEK_CUR) == positions[i]);
		MUST(!read(10 + i, &c, 1));
	}
	MUST(write(30, "!", 1) == 1);
	MUST(pread(31, &c, 1, 100) == 1 && c == '!');
	MUST(pread(31, &c, 1, 99) == 1 && (unsigned char)c == pattern(99));
}

/* @flags are those of open(), @then those of F_SETFL if not -1. */
static const struct mode {
	int flags, then;
} modes[] = {
	{ O_RDONLY, -1 },
	{ O_WRONLY, -1 },
	{ O_RDWR, -1 },
	{ O_ACCMODE, -1 },
	{ O_RDWR | O_APPEND, -1 },
	{ O_WRONLY | O_NONBLOCK, -1 },
	{ O_RDWR | O_DSYNC, -1 },
	{ O_RDWR | O_SYNC, -1 },
	{ O_RDWR | O_DIRECT, -1 },
	{ O_RDONLY | O_NOATIME, -1 },
	{ O_RDONLY | O_NOFOLLOW, -1 },
	{ O_RDWR | O_CLOEXEC, -1 },
	{ O_RDWR | O_CREAT | O_NOCTTY, -1 },
	{ O_WRONLY | O_APPEND | O_NONBLOCK | O_SYNC | O_NOATIME | O_NOFOLLOW, -1 },
	{ O_RDWR, O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT },
	{ O_RDWR | O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT, 0 },
};

static int mode_now[ARRAY_SIZE(modes)];

static void set_modes(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		open_as(10 + i, B, modes[i].flags);
		if (modes[i].then >= 0)
			MUST(!fcntl(10 + i, F_SETFL, modes[i].then));
		mode_now[i] = fcntl(10 + i, F_GETFL);
	}
	/* Neither begun again: empty, and not there before. */
	open_as(40, A, O_RDWR | O_TRUNC);
	open_as(41, DIRECTORY "/new", O_RDWR | O_CREAT | O_EXCL);
	MUST(write(40, "kept", 4) == 4 && write(41, "kept", 4) == 4);
}

static void check_modes(void)
{
	const size_t size = 4096;
	int i, fd, mode;
	struct stat st;
	ssize_t n;
	char *buf;

	/* For O_DIRECT. */
	buf = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(buf != MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = 10 + i;
		mode = mode_now[i];
		MUST(fcntl(fd, F_GETFL) == mode);
		n = read(fd, buf, size);
		if ((mode & O_ACCMODE) == O_RDONLY || (mode & O_ACCMODE) == O_RDWR)
			MUST(n == size);
		else
			MUST(n < 0 && errno == EBADF);
		MUST(!stat(B, &st));
		n = write(fd, buf, size);
		if ((mode & O_ACCMODE) == O_WRONLY || (mode & O_ACCMODE) == O_RDWR)
			MUST(n == size);
		else
			MUST(n < 0 && errno == EBADF);
		if (mode & O_APPEND)
			MUST(lseek(fd, 0, SEEK_CUR) == st.st_size + size);
		else
			MUST(lseek(fd, 0, SEEK_CUR) <= 2 * size);
	}
	MUST(!stat(A, &st) && st.st_size == 4);
	MUST(!stat(DIRECTORY "/new", &st) && st.st_size == 4);
}

static void set_sharing(void)
{
	open_as(10, A, O_RDWR);
	open_as(11, A, O_RDWR);
	MUST(dup2(10, 12) == 12);
	MUST(fcntl(10, F_DUPFD_CLOEXEC, 13) == 13);
	MUST(dup2(11, 14) == 14);
	open_as(15, A, O_RDONLY | O_CLOEXEC);
	MUST(dup2(15, 16) == 16);
	MUST(lseek(10, 100, SEEK_SET) == 100);
	MUST(lseek(14, 200, SEEK_SET) == 200);
	/* As streams often are. */
	MUST(dup2(10, 1) == 1 && dup2(10, 2) == 2);
}

static void check_sharing(void)
{
	int i;

	for (i = 10; i <= 16; i++)
		MUST(fcntl(i, F_GETFD) == (i == 13 || i == 15 ? FD_CLOEXEC : 0));
	MUST(reads_at(12, 100));
	MUST(reads_at(13, 116));
	MUST(reads_at(10, 132));
	MUST(reads_at(1, 148));
	MUST(reads_at(11, 200));
	MUST(reads_at(14, 216));
	MUST(reads_at(16, 0));
	MUST(reads_at(15, 16));
	MUST(!fcntl(12, F_SETFL, O_APPEND));
	MUST(fcntl(10, F_GETFL) & O_APPEND && fcntl(2, F_GETFL) & O_APPEND);
	MUST(!(fcntl(11, F_GETFL) & O_APPEND));
	close(10);
	MUST(reads_at(2, 164));
}

static const int numbers[] = {
	62, 63, 64, 65, 127, 128, 255, 256, 1023, 1024, 4096, 65535,
};

static int lowest_free;

static int count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	int n = 0;

	MUST(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n - 1;
}

static void set_sparse(void)
{
	struct rlimit limit = { 70000, 70000 };
	int i;

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		open_as(numbers[i], A, i & 1 ? O_RDONLY : O_RDONLY | O_CLOEXEC);
		lseek(numbers[i], 10 * i, SEEK_SET);
	}
	/* What is open already may be above the limit. */
	limit.rlim_cur = 40;
	limit.rlim_max = 50;
	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	lose_cap(CAP_SYS_RESOURCE);
	lowest_free = dup(0);
	close(lowest_free);
}

static void check_sparse(void)
{
	struct rlimit limit;
	int i;

	MUST(!getrlimit(RLIMIT_NOFILE, &limit));
	MUST(limit.rlim_cur == 40 && limit.rlim_max == 50);
	MUST(count_open() == 3 + 1 + ARRAY_SIZE(numbers));
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		MUST(reads_at(numbers[i], 10 * i));
		MUST(fcntl(numbers[i], F_GETFD) == (i & 1 ? 0 : FD_CLOEXEC));
	}
	MUST(dup(0) == lowest_free);
	MUST(fcntl(0, F_DUPFD, 60) < 0 && errno == EINVAL);
	MUST(fcntl(0, F_DUPFD, 39) == 39);
	MUST(fcntl(0, F_DUPFD, 39) < 0 && errno == EMFILE);
}

/* Directories, one on each file system that is always there. */
static const char * const listed[] = { DIRECTORY, "/proc/sys/kernel", "/sys/kernel" };

static char entries[ARRAY_SIZE(listed)][200][32];
static int nr_entries[ARRAY_SIZE(listed)], nr_seen[ARRAY_SIZE(listed)];
static bool entry_seen[ARRAY_SIZE(listed)][200];

/* One call's worth of entries. */
static bool list_more(int which, bool learn)
{
	char buf[160];
	long n, at;
	int i;

	n = syscall(SYS_getdents64, 10 + which, buf, sizeof(buf));
	MUST(n >= 0);
	for (at = 0; at < n; at += *(unsigned short *)(buf + at + 16)) {
		const char *name = buf + at + 19;

		if (learn) {
			i = nr_entries[which]++;
			MUST(i < 200);
			snprintf(entries[which][i], 32, "%s", name);
			continue;
		}
		for (i = 0; i < nr_entries[which]; i++)
			if (!strncmp(entries[which][i], name, 31))
				break;
		MUST(i < nr_entries[which] && !entry_seen[which][i]);
		entry_seen[which][i] = true;
		nr_seen[which]++;
	}
	return n;
}

static void set_directories(void)
{
	char path[64];
	int i, fd;

	for (i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), DIRECTORY "/entry%d", i);
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		MUST(fd >= 0);
		close(fd);
	}
	/* One for openat() alone. */
	open_as(20, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < ARRAY_SIZE(listed); i++) {
		open_as(10 + i, listed[i], O_RDONLY | O_DIRECTORY);
		while (list_more(i, true))
			;
		MUST(nr_entries[i] > 15);
		MUST(!lseek(10 + i, 0, SEEK_SET));
		while (nr_seen[i] < nr_entries[i] / 2)
			list_more(i, false);
		MUST(nr_seen[i] < nr_entries[i]);
	}
}

static void check_directories(void)
{
	struct stat st;
	int i;

	for (i = 0; i < ARRAY_SIZE(listed); i++) {
		while (list_more(i, false))
			;
		MUST(nr_seen[i] == nr_entries[i]);
		/* And from the start. */
		MUST(!lseek(10 + i, 0, SEEK_SET));
		memset(entry_seen[i], 0, sizeof(entry_seen[i]));
		while (list_more(i, false))
			;
		MUST(nr_seen[i] == 2 * nr_entries[i]);
	}
	MUST(!fstatat(20, "entry7", &st, 0));
	MUST(!fchdir(20) && !access("entry7", F_OK));
}

static void set_places(void)
{
	MUST(!symlink(A, DIRECTORY "/link"));
	open_as(10, A, O_PATH);
	open_as(11, DIRECTORY, O_PATH | O_DIRECTORY);
	open_as(12, DIRECTORY, O_PATH | O_CLOEXEC);
	open_as(13, "/dev/null", O_PATH);
	open_as(14, DIRECTORY "/link", O_PATH);
	open_as(15, A, O_PATH | O_NOFOLLOW);
}

static void check_places(void)
{
	int i, fd;
	char c;

	for (i = 10; i <= 15; i++) {
		MUST(fcntl(i, F_GETFL) & O_PATH);
		MUST(read(i, &c, 1) < 0 && errno == EBADF);
	}
	MUST(same_inode(10, A) && same_inode(14, A) && same_inode(15, A));
	MUST(same_inode(11, DIRECTORY) && same_inode(13, "/dev/null"));
	fd = openat(12, "a", O_RDONLY);
	MUST(reads_at(fd, 0));
	fd = open("/proc/self/fd/10", O_RDONLY);
	MUST(reads_at(fd, 0));
}

/*
 * Opened by a 32-bit call the file has no O_LARGEFILE, which says whether more
 * than 2 GiB can be written.
 */
static void set_small(void)
{
	static const char path[] = B;
	long fd;

	MUST((unsigned long)path < 1UL << 32);
	/* NR_open of i386 */
	asm volatile("int $0x80" : "=a" (fd)
		     : "a" (5L), "b" (path), "c" ((long)O_RDWR), "d" (0L)
		     : "memory", "r8", "r9", "r10", "r11");
	MUST(fd >= 0 && dup2(fd, 10) == 10);
	close(fd);
	MUST(pwrite(10, "x", 1, 1L << 31) < 0 && errno == EFBIG);
	open_as(11, B, O_RDWR);
}

static void check_small(void)
{
	MUST(pwrite(11, "x", 1, 1L << 31) == 1);
	MUST(pwrite(10, "x", 1, 1L << 31) < 0 && errno == EFBIG);
}

static void set_devices(void)
{
	open_as(10, "/dev/null", O_RDWR | O_APPEND | O_CLOEXEC);
	open_as(11, "/dev/zero", O_RDONLY);
	open_as(12, "/dev/full", O_RDWR);
	open_as(13, "/dev/random", O_RDONLY | O_NONBLOCK);
	open_as(14, "/dev/urandom", O_RDONLY);
}

static void check_devices(void)
{
	unsigned char buf[32], other[32];

	memset(buf, 1, sizeof(buf));
	MUST(!read(10, buf, 1) && write(10, buf, 32) == 32);
	MUST(read(11, buf, 32) == 32 && !buf[0] && !memcmp(buf, buf + 1, 31));
	MUST(read(12, buf, 32) == 32);
	MUST(write(12, buf, 1) < 0 && errno == ENOSPC);
	MUST(read(13, buf, 32) == 32);
	MUST(read(14, other, 32) == 32 && memcmp(buf, other, 32));
}

#define ODD	DIRECTORY "/ a \\\n\t\"%s\xff (deleted)"

static void set_names(void)
{
	MUST(fill(ODD) && fill(DIRECTORY "/old") && fill(DIRECTORY "/one"));
	open_as(10, ODD, O_RDWR);
	open_as(11, DIRECTORY "/old", O_RDWR);
	MUST(!rename(DIRECTORY "/old", DIRECTORY "/moved"));
	/* The name that it was opened by counts, of two. */
	MUST(!link(DIRECTORY "/one", DIRECTORY "/two"));
	open_as(12, DIRECTORY "/one", O_RDWR);
	open_as(13, DIRECTORY "/two", O_RDWR);
	MUST(!symlink("moved", DIRECTORY "/link"));
	open_as(14, DIRECTORY "/link", O_RDONLY);
	open_as(15, DIRECTORY "/../files/./b", O_RDONLY);
}

static void check_names(void)
{
	MUST(same_inode(10, ODD) && reads_at(10, 0));
	MUST(same_inode(11, DIRECTORY "/moved") && reads_at(11, 0));
	MUST(same_inode(12, DIRECTORY "/two") && same_inode(13, DIRECTORY "/one"));
	MUST(same_inode(14, DIRECTORY "/moved") && same_inode(15, B));
}

static int deep_len;

/* As deep as a path can say it. */
static void set_cwd_deep(void)
{
	char name[256], path[PATH_MAX];

	memset(name, 'd', 255);
	name[255] = 0;
	MUST(!chdir(DIRECTORY));
	while (strlen(getcwd(path, sizeof(path))) + 256 < PATH_MAX) {
		MUST(!mkdir(name, 0755) && !chdir(name));
		deep_len = strlen(getcwd(path, sizeof(path)));
	}
	name[PATH_MAX - 1 - deep_len - 1] = 0;
	if (name[0]) {
		MUST(!mkdir(name, 0755) && !chdir(name));
		deep_len = strlen(getcwd(path, sizeof(path)));
	}
	MUST(deep_len == PATH_MAX - 1);
	MUST(fill("here"));
	umask(0137);
}

static void check_cwd_deep(void)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	MUST(getcwd(path, sizeof(path)) && strlen(path) == deep_len);
	fd = open("here", O_RDWR);
	MUST(reads_at(fd, 0));
	MUST(open("new", O_RDWR | O_CREAT, 0777) >= 0);
	MUST(!stat("new", &st) && (st.st_mode & 07777) == 0640);
	MUST(umask(0) == 0137);
}

static void set_cwd(void)
{
	MUST(!mkdir(ODD, 0755) && !chdir(ODD));
	open_as(10, "../a", O_RDWR);
	umask(0777);
}

static void check_cwd(void)
{
	MUST(umask(0) == 0777);
	MUST(reads_at(10, 0) && same_inode(10, "../a"));
	MUST(!chdir("..") && !access("a", F_OK));
}

/* It may not open them, but has them open. */
static void set_of_root(void)
{
	MUST(!chmod(A, 0600) && !chmod(B, 0));
	open_as(10, A, O_RDWR);
	open_as(11, B, O_RDONLY);
	MUST(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
	MUST(open(A, O_RDONLY) < 0 && errno == EACCES);
}

static void check_of_root(void)
{
	MUST(getuid() == USER && open(A, O_RDONLY) < 0 && errno == EACCES);
	MUST(reads_at(10, 0) && write(10, "x", 1) == 1 && reads_at(11, 0));
}

FIXTURE(saved)
{
	pid_t pid;
};

FIXTURE_VARIANT(saved)
{
	struct program program;
	const char *fs;
};

#define SAVED(on, what)						\
FIXTURE_VARIANT_ADD(saved, on##_##what)				\
{								\
	.program = { set_##what, check_##what },		\
	.fs = #on,						\
}

SAVED(tmpfs, positions);
SAVED(ramfs, positions);
SAVED(overlay, positions);
SAVED(tmpfs, modes);
SAVED(tmpfs, sharing);
SAVED(tmpfs, sparse);
SAVED(tmpfs, directories);
SAVED(ramfs, directories);
SAVED(overlay, directories);
SAVED(tmpfs, places);
SAVED(tmpfs, small);
SAVED(tmpfs, devices);
SAVED(tmpfs, names);
SAVED(overlay, names);
SAVED(tmpfs, cwd_deep);
SAVED(tmpfs, cwd);
SAVED(ramfs, of_root);

FIXTURE_SETUP(saved)
{
	ASSERT_TRUE(begin(variant->fs));
}

FIXTURE_TEARDOWN(saved)
{
	end(self->pid);
}

TEST_F(saved, comes_back)
{
	static char before[32768], now[32768];

	self->pid = start(_metadata, &variant->program);
	/* At least the streams and the log. */
	ASSERT_LE(4, look(self->pid, before, sizeof(before)));
	ASSERT_NE(NULL, strstr(before, "Umask:"));
	ASSERT_EQ(0, syscall(SYS_kcmp, self->pid, getpid(), KCMP_FILE, log_fd, log_fd));
	save(_metadata, self->pid);
	bring_back(_metadata, self->pid);
	/* What it shared with the test, it has of its own now. */
	EXPECT_LT(0, syscall(SYS_kcmp, self->pid, getpid(), KCMP_FILE, log_fd, log_fd));
	look(self->pid, now, sizeof(now));
	EXPECT_SAME(before, now);
	ends_well(_metadata, &self->pid);
}

/* ---- terminals ---------------------------------------------------------- */

static char slave[64];

static void set_terminal(void)
{
	/* The first becomes its controlling terminal. */
	open_as(10, slave, O_RDWR);
	open_as(11, slave, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	open_as(12, "/dev/console", O_WRONLY | O_NOCTTY);
	MUST(dup2(10, 0) == 0);
	MUST(!close(open("/dev/tty", O_RDWR)));
}

static void check_terminal(void)
{
	struct winsize size;
	char buf[16];

	MUST(isatty(0) && isatty(10) && isatty(11) && isatty(12));
	MUST(read(11, buf, 1) < 0 && errno == EAGAIN);
	/* Those of now. */
	MUST(!ioctl(10, TIOCGWINSZ, &size) && size.ws_row == 7 && size.ws_col == 9);
	MUST(open("/dev/tty", O_RDWR) < 0 && errno == ENXIO);
	MUST(write(10, "say", 3) == 3);
	MUST(read(0, buf, sizeof(buf)) == 5 && !memcmp(buf, "said\n", 5));
}

FIXTURE(files)
{
	pid_t pid;
	int master;
};

FIXTURE_SETUP(files)
{
	int n = 0;

	ASSERT_TRUE(begin("tmpfs"));
	self->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, self->master);
	ASSERT_EQ(0, ioctl(self->master, TIOCSPTLCK, &n));
	ASSERT_EQ(0, ioctl(self->master, TIOCGPTN, &n));
	snprintf(slave, sizeof(slave), "/dev/pts/%d", n);
}

FIXTURE_TEARDOWN(files)
{
	close(self->master);
	end(self->pid);
}

TEST_F(files, terminal)
{
	static const struct program program = { set_terminal, check_terminal };
	static char before[8192], now[8192];
	struct winsize size = { .ws_row = 7, .ws_col = 9 };
	struct pollfd p = { .fd = self->master, .events = POLLIN };
	char buf[16] = "";

	self->pid = start(_metadata, &program);
	look(self->pid, before, sizeof(before));
	ASSERT_NE(NULL, strstr(before, slave));
	save(_metadata, self->pid);
	ASSERT_EQ(0, ioctl(self->master, TIOCSWINSZ, &size));
	bring_back(_metadata, self->pid);
	look(self->pid, now, sizeof(now));
	EXPECT_SAME(before, now);
	close(open(GO, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ASSERT_EQ(1, poll(&p, 1, 5000)) {
		TH_LOG("%s", log_text());
	}
	EXPECT_EQ(3, read(self->master, buf, sizeof(buf)));
	EXPECT_STREQ("say", buf);
	EXPECT_EQ(5, write(self->master, "said\n", 5));
	ends_well(_metadata, &self->pid);
}

/* ---- files of the restarter ------------------------------------------------ */

static void set_streams(void)
{
	open_as(10, A, O_RDWR | O_CLOEXEC);
	lseek(10, 100, SEEK_SET);
	MUST(dup2(10, 11) == 11);
	MUST(dup2(10, 1) == 1 && dup2(10, 2) == 2);
	open_as(12, slave, O_RDWR | O_NOCTTY);
}

/* 1 and 2 are OUT, 10 a pipe; 11 remains, 12 is /dev/null. */
static void check_streams(void)
{
	char buf[16];

	MUST(write(1, "one ", 4) == 4 && write(2, "two", 3) == 3);
	MUST(fcntl(10, F_GETFD) == FD_CLOEXEC && !fcntl(11, F_GETFD));
	MUST(read(10, buf, sizeof(buf)) == 4 && !memcmp(buf, "pipe", 4));
	MUST(reads_at(11, 100));
	MUST(!read(12, buf, 1));
}

static const struct program streams = { set_streams, check_streams };

TEST_F(files, inherited)
{
	struct ckpt_inherit_fd list[] = {
		{ .saved_fd = 1 }, { .saved_fd = 2 }, { .saved_fd = 10 },
		{ .saved_fd = 12 }, { .saved_fd = 77 },
	};
	char text[64];
	int out, p[2];

	self->pid = start(_metadata, &streams);
	save(_metadata, self->pid);

	out = open(OUT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(6, write(out, "start ", 6));
	ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
	ASSERT_EQ(4, write(p[1], "pipe", 4));
	list[0].fd = out;
	list[1].fd = out;
	list[2].fd = p[0];
	list[3].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list[4].fd = out;
	/* The terminal is gone, and is not looked for. */
	close(self->master);
	self->master = -1;
	ASSERT_EQ(self->pid, restart_with(self->pid, 0, list, ARRAY_SIZE(list))) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_STREQ("warning: the image has no descriptor 77 that --inherit-fd could replace\n",
		     ckpt_log_text);
	EXPECT_EQ(0, syscall(SYS_kcmp, self->pid, self->pid, KCMP_FILE, 1, 2));
	EXPECT_EQ(0, syscall(SYS_kcmp, self->pid, getpid(), KCMP_FILE, 1, out));
	/* What was one with the replaced is parted from it. */
	EXPECT_NE(0, syscall(SYS_kcmp, self->pid, self->pid, KCMP_FILE, 10, 11));
	ends_well(_metadata, &self->pid);
	read_text(OUT, text, sizeof(text));
	EXPECT_STREQ("start one two", text);
	/* The position is common. */
	EXPECT_EQ(13, lseek(out, 0, SEEK_CUR));
}

TEST_F(files, not_inherited)
{
	struct ckpt_inherit_fd list = { 12, 999 };
	char words[128];
	pid_t pid;

	pid = start(_metadata, &streams);
	save(_metadata, pid);
	EXPECT_EQ(-EBADF, restart_with(pid, 0, &list, 1));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "inherited descriptor 999 is not open"));
	close(self->master);
	self->master = -1;
	EXPECT_GT(0, restart_with(pid, 0, NULL, 0));
	snprintf(words, sizeof(words), ", record FILE: %s cannot be opened again", slave);
	EXPECT_NE(NULL, strstr(ckpt_log_text, words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_NE(NULL, strstr(ckpt_log_text,
			       "descriptor 12 could not be restored; --inherit-fd 12=... would "));
}

/* ---- more than the restarter may have ------------------------------------- */

TEST_F(files, above_the_limit)
{
	static const struct program program = { set_sparse, check_sparse };
	struct rlimit limit = { 100, 60000 };

	self->pid = start(_metadata, &program);
	save(_metadata, self->pid);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	/* Root may. */
	bring_back(_metadata, self->pid);
	save(_metadata, self->pid);
	lose_cap(CAP_SYS_RESOURCE);
	EXPECT_EQ(-EPERM, restart_with(self->pid, 0, NULL, 0));
	EXPECT_NE(NULL, strstr(ckpt_log_text,
			       "descriptor 65535 is above your limit of open files (ulimit -Hn)")) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = 0;
}

/* ---- files that are not what they were -------------------------------------- */

#define TOP	DIRECTORY "/top"
#define FILE_	TOP "/file"
#define DIR_	TOP "/dir"
#define NULL_	TOP "/null"
#define CWD	DIRECTORY "/cwd"
#define MAPPED	DIRECTORY "/mapped"
#define KEPT	DIRECTORY "/kept"

/* Of a user, so that permissions matter. */
static void set_all(void)
{
	const unsigned char *p;
	int fd;

	MUST(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
	open_as(10, FILE_, O_RDWR);
	lseek(10, 100, SEEK_SET);
	open_as(11, DIR_, O_RDONLY | O_DIRECTORY);
	open_as(12, NULL_, O_RDWR);
	fd = open(MAPPED, O_RDONLY);
	p = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED && p[5] == pattern(5));
	close(fd);
	MUST(!chdir(CWD));
}

static void check_all(void)
{
	char c;

	/* Of what is another file, at least the place is right. */
	MUST(lseek(10, 0, SEEK_CUR) == 100 && read(10, &c, 1) >= 0);
	MUST(write(12, &c, 1) == 1 && !read(12, &c, 1));
	MUST(!faccessat(11, ".", F_OK, 0));
}

static void away(const char *path)
{
	rename(path, KEPT);
}

static void set_mtime(const char *path, const struct stat *st, long ns)
{
	struct timespec ts[2] = { st->st_atim, st->st_mtim };

	ts[1].tv_nsec ^= ns;
	utimensat(AT_FDCWD, path, ts, 0);
}

static void truncated(const char *path, const struct stat *st)
{
	truncate(path, 10);
	set_mtime(path, st, 0);
}

static void grown(const char *path, const struct stat *st)
{
	truncate(path, SIZE + 1);
	set_mtime(path, st, 0);
}

static void touched(const char *path, const struct stat *st)
{
	set_mtime(path, st, 1);
}

static void gone(const char *path, const struct stat *st)
{
	away(path);
}

static void copied(const char *path, const struct stat *st)
{
	away(path);
	fill(path);
	chown(path, USER, USER);
	set_mtime(path, st, 0);
}

static void another(const char *path, const struct stat *st)
{
	copied(path, st);
	truncated(path, st);
}

static void is_directory(const char *path, const struct stat *st)
{
	away(path);
	mkdir(path, 0777);
}

static void is_file(const char *path, const struct stat *st)
{
	away(path);
	fill(path);
	chown(path, USER, USER);
}

static void is_fifo(const char *path, const struct stat *st)
{
	away(path);
	mkfifo(path, 0777);
	chmod(path, 0777);
}

static void is_link(const char *path, const struct stat *st)
{
	away(path);
	symlink(KEPT, path);
}

#define IS_DEVICE(name, minor)						\
static void is_##name(const char *path, const struct stat *st)		\
{									\
	away(path);							\
	mknod(path, S_IFCHR | 0666, makedev(1, minor));			\
	chmod(path, 0666);						\
}

IS_DEVICE(null, 3)
IS_DEVICE(zero, 5)
IS_DEVICE(kmsg, 11)

static void forbidden(const char *path, const struct stat *st)
{
	chmod(path, 0);
}

static void not_of_the_user(const char *path, const struct stat *st)
{
	chown(path, 0, 0);
	chmod(path, 0644);
}

static void read_only(const char *path, const struct stat *st)
{
	mount(NULL, DIRECTORY, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* Of no importance: time of access and of change, mode, links. */
static void looked_at(const char *path, const struct stat *st)
{
	char c;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	read(fd, &c, 1);
	close(fd);
	chmod(path, 0666);
	chown(path, USER, 0);
	link(path, KEPT "2");
	unlink(KEPT "2");
}

/* Makes good what was done. */
static void undo(const char *path, const struct stat *st)
{
	mount(NULL, DIRECTORY, NULL, MS_REMOUNT, NULL);
	if (!access(KEPT, F_OK)) {
		remove(path);
		rename(KEPT, path);
		return;
	}
	if (S_ISREG(st->st_mode))
		fill(path);
	chown(path, st->st_uid, st->st_gid);
	chmod(path, st->st_mode & 07777);
	set_mtime(path, st, 0);
}

FIXTURE(changed)
{
	pid_t pid;
};

/*
 * The program is restarted if @err is 0. @words stand in the log behind @path,
 * or nothing at all does.
 */
FIXTURE_VARIANT(changed)
{
	void (*change)(const char *path, const struct stat *st);
	const char *path;
	const char *words;
	int err;
	unsigned long flags;
};

#define CHANGED(name, fn, where, error, text, flag)		\
FIXTURE_VARIANT_ADD(changed, name)				\
{								\
	.change = fn,						\
	.path = where,						\
	.err = error,						\
	.words = text,						\
	.flags = flag,						\
}

#define CHANGED_TEXT	" was changed since it was saved ("
#define AGAIN		" cannot be opened again (flags "
#define TYPE		" is of another type than when it was saved"
#define DEVICE		" is another device than when it was saved"
#define FORCED		" was changed since it was saved; going on as you asked"
#define NUMBER		" has another inode number than when it was saved"

CHANGED(file_gone, gone, FILE_, ENOENT, AGAIN, 0);
CHANGED(file_gone_forced, gone, FILE_, ENOENT, AGAIN, RESTART_FORCE_FILES);
CHANGED(file_truncated, truncated, FILE_, ESTALE,
	CHANGED_TEXT "size 10, then 8192; ", 0);
CHANGED(file_grown, grown, FILE_, ESTALE,
	CHANGED_TEXT "size 8193, then 8192; ", 0);
CHANGED(file_touched, touched, FILE_, ESTALE,
	CHANGED_TEXT "size 8192, then 8192; ", 0);
CHANGED(file_another, another, FILE_, ESTALE,
	CHANGED_TEXT "size 10, then 8192; ", 0);
CHANGED(file_copied, copied, FILE_, 0, NUMBER, 0);
CHANGED(file_looked_at, looked_at, FILE_, 0, NULL, 0);
CHANGED(file_truncated_forced, truncated, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_touched_forced, touched, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_another_forced, another, FILE_, 0, FORCED, RESTART_FORCE_FILES);
CHANGED(file_is_directory, is_directory, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_fifo, is_fifo, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_fifo_forced, is_fifo, FILE_, ESTALE, TYPE, RESTART_FORCE_FILES);
CHANGED(file_is_link, is_link, FILE_, ESTALE, TYPE, 0);
CHANGED(file_is_null, is_null, FILE_, ESTALE, TYPE, 0);
CHANGED(file_forbidden, forbidden, FILE_, EACCES, AGAIN, 0);
CHANGED(file_not_of_the_user, not_of_the_user, FILE_, EACCES, AGAIN, 0);
CHANGED(file_read_only, read_only, FILE_, EROFS, AGAIN, 0);
CHANGED(directory_gone, gone, DIR_, ENOENT, AGAIN, 0);
CHANGED(directory_is_file, is_file, DIR_, ESTALE, TYPE, 0);
CHANGED(directory_forbidden, forbidden, DIR_, EACCES, AGAIN, 0);
CHANGED(device_gone, gone, NULL_, ENOENT, AGAIN, 0);
CHANGED(device_is_file, is_file, NULL_, ESTALE, TYPE, 0);
CHANGED(device_is_zero, is_zero, NULL_, ESTALE, DEVICE, 0);
CHANGED(device_is_zero_forced, is_zero, NULL_, ESTALE, DEVICE, RESTART_FORCE_FILES);
CHANGED(device_is_kmsg, is_kmsg, NULL_, ESTALE, TYPE, 0);
CHANGED(device_is_null, is_null, NULL_, 0, NULL, 0);
CHANGED(mapped_gone, gone, MAPPED, ENOENT, AGAIN, 0);
CHANGED(mapped_touched, touched, MAPPED, ESTALE, CHANGED_TEXT, 0);
CHANGED(mapped_forbidden, forbidden, MAPPED, EACCES, AGAIN, 0);
CHANGED(cwd_gone, gone, CWD, ENOENT, AGAIN, 0);
CHANGED(cwd_is_file, is_file, CWD, ESTALE, TYPE, 0);
CHANGED(cwd_is_link, is_link, CWD, ESTALE, TYPE, 0);

/* The directories above, of which the program has nothing open. */
CHANGED(above_gone, gone, TOP, ENOENT, "/file" AGAIN, 0);
CHANGED(above_forbidden, forbidden, TOP, EACCES, "/file" AGAIN, 0);
CHANGED(above_is_link, is_link, TOP, 0, NULL, 0);

FIXTURE_SETUP(changed)
{
	ASSERT_TRUE(begin("tmpfs"));
	ASSERT_EQ(0, mkdir(TOP, 0755) | mkdir(DIR_, 0755) | mkdir(CWD, 0755));
	ASSERT_TRUE(fill(FILE_) && fill(MAPPED));
	ASSERT_EQ(0, chown(FILE_, USER, USER));
	ASSERT_EQ(0, mknod(NULL_, S_IFCHR | 0666, makedev(1, 3)));
	ASSERT_EQ(0, chmod(NULL_, 0666));
}

FIXTURE_TEARDOWN(changed)
{
	end(self->pid);
}

static struct text tree;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	add(&tree, "%s %o %lu %lu %ld.%09ld\n", path, st->st_mode, st->st_ino,
	    st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	return 0;
}

static void look_at_tree(char *buf, size_t size)
{
	tree = (struct text){ .buf = buf, .size = size };
	nftw(DIRECTORY, add_file, 16, FTW_PHYS);
}

/* A lease is only given if nobody else has it open for writing. */
static bool held_by_nobody(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0 && !fcntl(fd, F_SETLEASE, F_WRLCK);

	close(fd);
	return ok;
}

TEST_F(changed, restarted)
{
	static const struct program program = { set_all, check_all };
	static char before[8192], now[8192];
	char words[256] = "image offset";
	struct stat st;
	pid_t pid;

	pid = start(_metadata, &program);
	self->pid = pid;
	ASSERT_FALSE(held_by_nobody(FILE_));
	save(_metadata, pid);
	self->pid = 0;
	if (variant->words)
		snprintf(words, sizeof(words), " %s%s", variant->path,
			 variant->words);
	ASSERT_EQ(0, lstat(variant->path, &st));
	variant->change(variant->path, &st);
	look_at_tree(before, sizeof(before));
	ASSERT_NE(NULL, strstr(before, DIRECTORY));

	self->pid = restart_with(pid, variant->flags, NULL, 0);
	EXPECT_EQ(variant->err ? -variant->err : pid, self->pid) {
		TH_LOG("%s", ckpt_log_text);
	}
	if (variant->words || !variant->err)
		EXPECT_EQ(!variant->words, !strstr(ckpt_log_text, words)) {
			TH_LOG("%s", ckpt_log_text);
		}
	look_at_tree(now, sizeof(now));
	EXPECT_SAME(before, now);
	if (variant->err) {
		/* Nothing is left, and the image is still good. */
		EXPECT_EQ(-1, kill(pid, 0));
		self->pid = 0;
		undo(variant->path, &st);
		EXPECT_TRUE(held_by_nobody(FILE_));
		bring_back(_metadata, pid);
		self->pid = pid;
	}
	ends_well(_metadata, &self->pid);
}

/* ---- under another root directory ------------------------------------------- */

#define CHROOT_LOG	"/tmp/files.chroot"

/* This program again, in a root directory of its own. */
static void in_chroot(const char *exe)
{
	int fd = open(CHROOT_LOG, O_RDWR | O_CREAT | O_TRUNC, 0600);

	dup2(fd, 1);
	dup2(fd, 2);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("/", ROOT, NULL, MS_BIND | MS_REC, NULL) || chroot(ROOT) ||
	    chdir("/"))
		_exit(99);
	execl(exe, exe, "-v", "tmpfs_names", "-v", "tmpfs_cwd", NULL);
	_exit(98);
}

TEST(chrooted)
{
	char exe[PATH_MAX + 1] = "", text[4096];
	pid_t pid;

	ASSERT_LT(0, readlink("/proc/self/exe", exe, PATH_MAX));
	mkdir(ROOT, 0755);
	pid = fork();
	if (!pid)
		in_chroot(exe);
	EXPECT_EQ(0, ckpt_wait(pid, 20000));
	read_text(CHROOT_LOG, text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, "pass:2 fail:0")) {
		TH_LOG("%s", text);
	}
	rmdir(ROOT);
	unlink(CHROOT_LOG);
}

TEST_HARNESS_MAIN
