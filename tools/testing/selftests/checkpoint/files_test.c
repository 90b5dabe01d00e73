// SPDX-License-Identifier: GPL-2.0
/*
 * A program comes back with the open files that it had, at their descriptors,
 * in its working directory.
 *
 *	program				test
 *	opens files
 *	"ready"
 *					looks at /proc, checkpoint(KILL)
 *					restart(), looks again
 *					makes the file GO
 *	uses the files
 *	exits with GOOD
 */
#include "program.h"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#define ROOT		"/tmp/files.root"
#define OUT		"/tmp/files.out"
#define A		DIRECTORY "/a"
#define B		DIRECTORY "/b"
#define USER		1000

/* ---- in the program -------------------------------------------------- */

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

/* ---- in the test ------------------------------------------------------ */

static bool make_files(const char *fs)
{
	bool layers;

	/* One file in the lower layer, one in the upper. */
	if (!strcmp(fs, "overlay"))
		layers = mount_layers();
	else if (!strcmp(fs, "overlay_on_disk"))
		layers = mount_disk() && make_layers();
	else
		return mount_any(fs) && fill(A) && fill(B);
	return layers && fill(LOWER "/a") && fill(UPPER "/b") &&
	       mount_overlay(DIRECTORY);
}

static void files_begin(struct __test_metadata *_metadata, const char *fs)
{
	begin(_metadata);
	unlink(OUT);
	ASSERT_TRUE(make_files(fs));
}

static void files_end(pid_t pid)
{
	end(pid);
	umount_disk();
	unlink(OUT);
}

static void show_link(FILE *to, const char *path)
{
	char name[PATH_MAX + 1];
	ssize_t n = readlink(path, name, PATH_MAX);
	struct stat st = {};

	name[n > 0 ? n : 0] = 0;
	stat(path, &st);
	fprintf(to, "-> %s inode %lu\n", name, st.st_ino);
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
	FILE *to = fmemopen(buf, size, "w");
	char path[300], info[4096], *line;
	struct dirent **list;
	int n, i, fd;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	n = scandir(path, &list, is_number, versionsort);
	for (i = 0; i < n; i++) {
		fd = atoi(list[i]->d_name);
		fprintf(to, "%d is %d ", fd, first_of_file(pid, list, n, fd));
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		show_link(to, path);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
		ckpt_read_text(path, info, sizeof(info));
		fprintf(to, "%s", info);
	}
	for (i = 0; i < n; i++)
		free(list[i]);
	if (n > 0)
		free(list);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	show_link(to, path);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	show_link(to, path);
	ckpt_read_proc(pid, "status", info, sizeof(info));
	line = strstr(info, "Umask:");
	if (line)
		fprintf(to, "%.11s\n", line);
	fclose(to);
	return n;
}

/* ---- what is saved ----------------------------------------------------- */

static const off_t positions[] = {
	0, 1, 4095, 5000, FILE_SIZE - 16, FILE_SIZE, FILE_SIZE + 12345, 1LL << 40,
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
		if (positions[i] < FILE_SIZE) {
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

/* What is mapped, and what still has a descriptor. */
static unsigned char *mapped[4];

static unsigned char *map(const char *path, int how, int prot, int flags)
{
	int fd = open(path, how);
	void *p = mmap(NULL, FILE_SIZE, prot, flags, fd, 0);

	MUST(fd >= 0 && p != MAP_FAILED && !close(fd));
	return p;
}

static bool maps_show(const void *p, const char *path)
{
	char line[512], at[32];
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;

	snprintf(at, sizeof(at), "%lx-", (unsigned long)p);
	while (!found && fgets(line, sizeof(line), maps))
		found = !strncmp(line, at, strlen(at));
	fclose(maps);
	line[strcspn(line, "\n")] = 0;
	return found && strlen(line) > strlen(path) &&
	       !strcmp(line + strlen(line) - strlen(path), path);
}

static void set_mapped(void)
{
	int rw = PROT_READ | PROT_WRITE;

	mapped[0] = map(A, O_RDONLY, PROT_READ, MAP_SHARED);
	mapped[1] = map(A, O_RDONLY, rw, MAP_PRIVATE);
	mapped[2] = map(B, O_RDWR, rw, MAP_SHARED);
	open_as(10, B, O_RDWR);
	mapped[3] = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, 10, 0);
	MUST(mapped[3] != MAP_FAILED);
	mapped[1][1] = 'x';
	mapped[2][2] = 'y';
}

static void check_mapped(void)
{
	int i;

	for (i = 0; i < 4; i++)
		MUST(maps_show(mapped[i], i < 2 ? A : B));
	MUST(mapped[0][1] == pattern(1) && mapped[0][2] == pattern(2));
	MUST(mapped[1][1] == 'x' && mapped[1][2] == pattern(2));
	MUST(mapped[2][2] == 'y' && mapped[3][2] == 'y');
	MUST(pwrite(10, "z", 1, 3) == 1);
	MUST(mapped[2][3] == 'z' && mapped[3][3] == 'z');
	MUST(mapped[1][FILE_SIZE - 1] == pattern(FILE_SIZE - 1));
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

/* Two of btrfs, in which files have the same number: which is which? */
#define S	DIRECTORY "/s"
#define T	DIRECTORY "/t"

static bool is_locked(int fd, int cmd, pid_t by)
{
	struct flock l = { .l_type = F_WRLCK };

	MUST(!fcntl(fd, cmd, &l));
	return l.l_type == F_WRLCK && l.l_pid == by;
}

static void set_subvolumes(void)
{
	struct flock l = { .l_type = F_WRLCK };
	int rw = PROT_READ | PROT_WRITE;
	struct stat s, t;

	MUST(make_subvolume(DIRECTORY, "s") && make_subvolume(DIRECTORY, "t"));
	MUST(fill(S "/f") && fill(T "/f"));
	open_as(10, S "/f", O_RDWR);
	open_as(11, T "/f", O_RDWR);
	MUST(!fstat(10, &s) && !fstat(11, &t));
	MUST(s.st_ino == t.st_ino && s.st_dev != t.st_dev);
	mapped[0] = map(S "/f", O_RDWR, rw, MAP_SHARED);
	mapped[1] = map(T "/f", O_RDWR, rw, MAP_PRIVATE);
	mapped[1][1] = 'x';
	/* Closing any descriptor of the file would have taken it away. */
	MUST(!fcntl(10, F_SETLK, &l) && !fcntl(11, F_OFD_SETLK, &l));
	MUST(!flock(10, LOCK_SH | LOCK_NB));
	move_fd(inotify_init1(IN_NONBLOCK), 12, 0);
	MUST(inotify_add_watch(12, S "/f", IN_MODIFY) == 1);
	MUST(inotify_add_watch(12, T "/f", IN_MODIFY) == 2);
	MUST(!chdir(T));
}

static bool is_told_of(int watch)
{
	struct inotify_event e = {};

	MUST(read(12, &e, sizeof(e)) == sizeof(e));
	return e.wd == watch && e.mask == IN_MODIFY;
}

static void check_subvolumes(void)
{
	pid_t pid = getpid(), child = fork();
	int status;

	MUST(child >= 0);
	if (!child) {
		int s = open(S "/f", O_RDWR), t = open("f", O_RDWR);

		MUST(is_locked(s, F_GETLK, pid) && is_locked(t, F_GETLK, -1));
		MUST(flock(s, LOCK_EX | LOCK_NB) && !flock(t, LOCK_EX | LOCK_NB));
		_exit(GOOD);
	}
	MUST(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == GOOD);
	MUST(same_inode(10, S "/f") && same_inode(11, T "/f"));
	MUST(maps_show(mapped[0], S "/f") && maps_show(mapped[1], T "/f"));
	MUST(mapped[1][1] == 'x');
	mapped[0][1] = 'y';
	MUST(pwrite(11, "z", 1, 2) == 1 && is_told_of(2));
	MUST(mapped[0][2] == pattern(2) && mapped[1][2] == pattern(2));
	MUST(pwrite(10, "z", 1, 2) == 1 && is_told_of(1) && mapped[0][2] == 'z');
	MUST(!chdir("/") && !unlink(S "/f") && !unlink(T "/f"));
	MUST(!rmdir(S) && !rmdir(T));
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
SAVED(tmpfs, mapped);
SAVED(overlay, mapped);
SAVED(tmpfs, cwd_deep);
SAVED(tmpfs, cwd);
SAVED(ramfs, of_root);

/* On a disk, and on a directory of another machine. */
SAVED(ext4, positions);
SAVED(xfs, positions);
SAVED(btrfs, positions);
SAVED(9p, positions);
SAVED(ext4, modes);
SAVED(xfs, modes);
SAVED(btrfs, modes);
SAVED(ext4, sharing);
SAVED(xfs, sharing);
SAVED(btrfs, sharing);
SAVED(ext4, sparse);
SAVED(xfs, sparse);
SAVED(btrfs, sparse);
SAVED(ext4, directories);
SAVED(xfs, directories);
SAVED(btrfs, directories);
SAVED(9p, directories);
SAVED(overlay_on_disk, directories);
SAVED(ext4, places);
SAVED(xfs, places);
SAVED(btrfs, places);
SAVED(9p, places);
SAVED(ext4, names);
SAVED(xfs, names);
SAVED(btrfs, names);
SAVED(9p, names);
SAVED(overlay_on_disk, names);
SAVED(ext4, mapped);
SAVED(xfs, mapped);
SAVED(btrfs, mapped);
SAVED(9p, mapped);
SAVED(overlay_on_disk, mapped);
SAVED(btrfs, subvolumes);

FIXTURE_SETUP(saved)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	files_begin(_metadata, variant->fs);
}

FIXTURE_TEARDOWN(saved)
{
	files_end(self->pid);
}

TEST_F(saved, comes_back)
{
	static char before[32768], now[32768];

	self->pid = start_program(_metadata, &variant->program);
	/* Its position in the log is behind what it wrote once it waits. */
	ASSERT_TRUE(ckpt_wait_syscall(self->pid, __NR_clock_nanosleep));
	/* At least the streams and the log. */
	ASSERT_LE(4, look(self->pid, before, sizeof(before)));
	ASSERT_NE(NULL, strstr(before, "Umask:"));
	ASSERT_EQ(0, syscall(SYS_kcmp, self->pid, getpid(), KCMP_FILE, log_fd, log_fd));
	kill_and_bring_back(_metadata, self->pid);
	/* What it shared with the test, it has of its own now. */
	EXPECT_LT(0, syscall(SYS_kcmp, self->pid, getpid(), KCMP_FILE, log_fd, log_fd));
	look(self->pid, now, sizeof(now));
	EXPECT_STREQ("", ckpt_difference(before, now));
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

	files_begin(_metadata, "tmpfs");
	self->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, self->master);
	ASSERT_EQ(0, ioctl(self->master, TIOCSPTLCK, &n));
	ASSERT_EQ(0, ioctl(self->master, TIOCGPTN, &n));
	snprintf(slave, sizeof(slave), "/dev/pts/%d", n);
}

FIXTURE_TEARDOWN(files)
{
	close(self->master);
	files_end(self->pid);
}

TEST_F(files, terminal)
{
	static const struct program program = { set_terminal, check_terminal };
	static char before[8192], now[8192];
	struct winsize size = { .ws_row = 7, .ws_col = 9 };
	struct pollfd p = { .fd = self->master, .events = POLLIN };
	char buf[16] = "";

	self->pid = start_program(_metadata, &program);
	look(self->pid, before, sizeof(before));
	ASSERT_NE(NULL, strstr(before, slave));
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, ioctl(self->master, TIOCSWINSZ, &size));
	bring_back(_metadata, self->pid);
	look(self->pid, now, sizeof(now));
	EXPECT_STREQ("", ckpt_difference(before, now));
	go();
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

	self->pid = start_program(_metadata, &streams);
	ckpt_save_and_kill(_metadata, self->pid);

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
	ckpt_read_text(OUT, text, sizeof(text));
	EXPECT_STREQ("start one two", text);
	/* The position is common. */
	EXPECT_EQ(13, lseek(out, 0, SEEK_CUR));
}

TEST_F(files, not_inherited)
{
	struct ckpt_inherit_fd list = { 12, 999 };
	char words[128];
	pid_t pid;

	pid = start_program(_metadata, &streams);
	ckpt_save_and_kill(_metadata, pid);
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

	self->pid = start_program(_metadata, &program);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	/* Root may. */
	bring_back(_metadata, self->pid);
	ckpt_save_and_kill(_metadata, self->pid);
	lose_cap(CAP_SYS_RESOURCE);
	EXPECT_EQ(-EPERM, restart_with(self->pid, 0, NULL, 0));
	EXPECT_NE(NULL, strstr(ckpt_log_text,
			       "descriptor 65535 is above your limit of open files (ulimit -Hn)")) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = 0;
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
	ckpt_read_text(CHROOT_LOG, text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, "pass:2 fail:0")) {
		TH_LOG("%s", text);
	}
	rmdir(ROOT);
	unlink(CHROOT_LOG);
}

TEST_HARNESS_MAIN
