// SPDX-License-Identifier: GPL-2.0
/*
 * Open files of proc and sysfs, which are text that is made when it is read: they
 * are of the same task afterwards and go on where they were. And locations of
 * what is not opened by its name.
 */
#include "tree_program.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

/* ---- in the program ---------------------------------------------------------- */

static pid_t child;
static char fresh[65536], text[65536];

/* What is left of the open file. */
static void read_rest(int fd)
{
	ssize_t n, len = 0;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	MUST(!n);
	text[len] = 0;
}

static void read_some(int fd, size_t nr)
{
	MUST(read(fd, text, nr) == (ssize_t)nr);
}

/* It goes on at @pos with what somebody else reads there now, and from the start. */
static void goes_on(int fd, const char *path, off_t pos)
{
	MUST(lseek(fd, 0, SEEK_CUR) == pos);
	MUST(ckpt_read_text(path, fresh, sizeof(fresh)) > pos);
	read_rest(fd);
	MUST(!strcmp(text, fresh + pos));
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	read_rest(fd);
	MUST(!strcmp(text, fresh));
}

static const char *const stable[] = {
	"/proc/version", "/proc/filesystems", "/proc/cmdline", "/proc/devices",
	"/proc/sys/kernel/ostype", "/sys/kernel/mm/ksm/run",
};

#define STABLE	(int)(sizeof(stable) / sizeof(*stable))

static void set_text(void)
{
	int i;

	for (i = 0; i < STABLE; i++) {
		open_as(10 + i, stable[i], O_RDONLY);
		read_some(10 + i, 1);
	}
	/* Nothing was read yet. */
	open_as(30, "/proc/meminfo", O_RDONLY);
	open_as(31, "/proc/stat", O_RDONLY | O_CLOEXEC);
	open_as(32, "/proc/uptime", O_RDONLY);
	open_as(33, "/proc/sys/kernel/hostname", O_RDWR);
	read_some(31, 100);
}

static void check_text(void)
{
	int i;

	for (i = 0; i < STABLE; i++)
		goes_on(10 + i, stable[i], 1);
	read_rest(30);
	MUST(!strncmp(text, "MemTotal:", 9));
	MUST(lseek(31, 0, SEEK_CUR) == 100 && fcntl(31, F_GETFD) == FD_CLOEXEC);
	MUST(lseek(31, 0, SEEK_SET) == 0);
	read_rest(31);
	MUST(!strncmp(text, "cpu ", 4) && strstr(text, "\nprocs_running "));
	read_rest(32);
	MUST(atof(text) > 0);
	MUST((fcntl(33, F_GETFL) & O_ACCMODE) == O_RDWR);
}

static void set_self(void)
{
	open_as(10, "/proc/self/stat", O_RDONLY);
	open_as(11, "/proc/self/maps", O_RDONLY);
	read_some(11, 200);
	open_as(12, "/proc/thread-self/status", O_RDONLY);
	open_as(13, "/proc/self/statm", O_RDONLY);
	/* Its memory has been looked at before, and is not any more. */
	open_as(14, "/proc/self/smaps", O_RDONLY);
}

/* It may have another pid. */
static void check_self(void)
{
	char line[32];

	goes_on(11, "/proc/self/maps", 200);
	read_rest(10);
	MUST(atoi(text) == getpid());
	read_rest(12);
	snprintf(line, sizeof(line), "\nPid:\t%d\n", getpid());
	MUST(strstr(text, line));
	read_rest(13);
	MUST(atoi(text) > 0);
	read_rest(14);
	MUST(strstr(text, "[stack]") && strstr(text, "\nRss:"));
}

/* ---- trees -------------------------------------------------------------------- */

static void open_of(int number, pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	open_as(number, path, O_RDONLY);
}

static int start_of_text(int fd)
{
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	read_rest(fd);
	return atoi(text);
}

/* A child has other memory, here, and its own stack. */
static void child_with_memory(void)
{
	MUST(mmap((void *)0x30000000, 0x5000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_FIXED_NOREPLACE, -1, 0) == (void *)0x30000000);
	ready();
	wait_for(DIRECTORY "/seen");
}

static void *thread(void *arg)
{
	*(_Atomic pid_t *)arg = syscall(SYS_gettid);
	wait_for(DIRECTORY "/seen");
	return NULL;
}

static void of_others(void)
{
	static _Atomic pid_t tid;
	char name[64];
	pthread_t t;

	child = fork();
	MUST(child >= 0);
	if (!child) {
		child_with_memory();
		_exit(GOOD);
	}
	MUST(!pthread_create(&t, NULL, thread, (void *)&tid));
	while (!tid || !all_ready(1))
		ckpt_sleep_ms(1);
	open_of(10, child, "stat");
	open_of(11, child, "maps");
	snprintf(name, sizeof(name), "task/%d/status", tid);
	open_of(12, getpid(), name);
	stay_the_same();
	MUST(start_of_text(10) == child);
	start_of_text(11);
	MUST(strstr(text, "30000000-30005000 ---p "));
	start_of_text(12);
	snprintf(name, sizeof(name), "\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n", getpid(), tid);
	MUST(strstr(text, name));
	ckpt_touch(DIRECTORY "/seen");
	collect(child, GOOD);
	/* It is gone, and so is what can be said of it. */
	MUST(lseek(10, 0, SEEK_SET) == 0 && read(10, text, 10) < 0 && errno == ESRCH);
	MUST(!pthread_join(t, NULL));
}

/* ---- locations ------------------------------------------------------------------ */

#define LINK	DIRECTORY "/link"
#define FIFO	DIRECTORY "/fifo"
#define SOCK	DIRECTORY "/socket"
#define BLOCK	DIRECTORY "/block"

static void set_nodes(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCK };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	MUST(!symlink("nowhere", LINK) && !mkfifo(FIFO, 0600));
	MUST(!mknod(BLOCK, S_IFBLK | 0600, makedev(7, 200)));
	MUST(!bind(fd, (void *)&addr, sizeof(addr)) && !close(fd));
	open_as(10, LINK, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	open_as(11, FIFO, O_PATH);
	open_as(12, SOCK, O_PATH);
	open_as(13, BLOCK, O_PATH);
	open_as(14, "/dev/null", O_PATH);
}

static void is_node(int fd, mode_t type, const char *path)
{
	struct stat st;
	char c;

	MUST(!fstat(fd, &st) && (st.st_mode & S_IFMT) == type);
	MUST(!strcmp(fd_name(fd), path));
	MUST(fcntl(fd, F_GETFL) & O_PATH);
	MUST(read(fd, &c, 1) < 0 && errno == EBADF);
}

static void check_nodes(void)
{
	char name[16] = "";

	is_node(10, S_IFLNK, LINK);
	MUST(readlinkat(10, "", name, sizeof(name)) == 7 && !strcmp(name, "nowhere"));
	MUST((fcntl(10, F_GETFL) & O_NOFOLLOW) && fcntl(10, F_GETFD) == FD_CLOEXEC);
	is_node(11, S_IFIFO, FIFO);
	is_node(12, S_IFSOCK, SOCK);
	is_node(13, S_IFBLK, BLOCK);
	is_node(14, S_IFCHR, "/dev/null");
}

static const char *const namespaces[] = {
	"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts",
};

#define NAMESPACES	(int)(sizeof(namespaces) / sizeof(*namespaces))

static void open_namespace(int fd, int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
	open_as(fd, path, O_RDONLY | O_CLOEXEC);
}

static void set_namespaces(void)
{
	int i;

	for (i = 0; i < NAMESPACES; i++)
		open_namespace(10 + i, i);
}

static void check_namespaces(void)
{
	struct stat mine, now;
	int i;

	for (i = 0; i < NAMESPACES; i++) {
		open_namespace(30, i);
		MUST(!fstat(10 + i, &mine) && !fstat(30, &now));
		MUST(mine.st_ino == now.st_ino && mine.st_dev == now.st_dev);
		MUST(fcntl(10 + i, F_GETFD) == FD_CLOEXEC);
		MUST(fcntl(10 + i, F_GETFL) == fcntl(30, F_GETFL));
		close(30);
	}
	MUST(!setns(17, CLONE_NEWUTS) && setns(17, CLONE_NEWNET) < 0);
}

/* The init of a pid namespace that is made anew. */
static void namespaces_of_container(void)
{
	set_namespaces();
	ready();
	wait_go();
	check_namespaces();
}

/* ---- in the test ----------------------------------------------------------------- */

static void proc_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
}

static void proc_end(pid_t pid)
{
	end_tree(pid);
	umount_files();
}

PROGRAM_FIXTURE(proc, proc_begin, proc_end);

FIXTURE_VARIANT(proc)
{
	struct program program;
};

#define PROC(name)					\
FIXTURE_VARIANT_ADD(proc, name)				\
{							\
	.program = { set_##name, check_##name },	\
}

PROC(text);
PROC(self);
PROC(nodes);
PROC(namespaces);

TEST_F(proc, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(proc, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* It has another pid then, by which the files are found. */
TEST_F(proc, with_another_pid)
{
	pid_t was;

	self->pid = start_program(_metadata, &variant->program);
	was = self->pid;
	ckpt_save_and_kill(_metadata, was);
	self->pid = ckpt_restart(CKPT_IMG, 0);
	ASSERT_LT(0, self->pid) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_NE(was, self->pid);
	ASSERT_TRUE(wait_resumed(self->pid));
	ends_well(_metadata, &self->pid);
}

PROGRAM_FIXTURE(tree, proc_begin, proc_end);

TEST_F(tree, of_others)
{
	self->pid = start_tree(_metadata, of_others, 2, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(tree, in_container)
{
	self->pid = start_tree(_metadata, namespaces_of_container, 1, true);
	kill_and_restart(_metadata, &self->pid, true);
	tree_ends_well(_metadata, &self->pid);
}

/* ---- what refuses ------------------------------------------------------------------ */

static void set_outside(void)
{
	open_of(10, getppid(), "stat");
}

static void set_dead(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	open_of(10, pid, "status");
	MUST(waitpid(pid, NULL, 0) == pid);
}

/* It has executed another program since. */
static void set_old_memory(void)
{
	child = fork();
	if (!child) {
		wait_for(DIRECTORY "/opened");
		execl("/bin/busybox", "sleep", "1000", NULL);
		_exit(BAD);
	}
	open_of(10, child, "maps");
	ckpt_touch(DIRECTORY "/opened");
	while (ckpt_read_proc(child, "comm", text, sizeof(text)) <= 0 ||
	       strcmp(text, "busybox\n"))
		ckpt_sleep_ms(1);
}

static void undo_old_memory(void)
{
	MUST(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
}

static void set_environ(void)
{
	open_of(10, getpid(), "environ");
}

static void set_elsewhere(void)
{
	MUST(!mkdir(DIRECTORY "/p", 0755));
	MUST(!mount("/proc/self", DIRECTORY "/p", NULL, MS_BIND, NULL));
	open_as(10, DIRECTORY "/p/stat", O_RDONLY);
}

static void undo(void)
{
	close(10);
}

PROGRAM_FIXTURE(refused, proc_begin, proc_end);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *words;
};

#define REFUSED(name, undo, text)			\
FIXTURE_VARIANT_ADD(refused, name)			\
{							\
	.program = { set_##name, undo },		\
	.words = text,					\
}

REFUSED(outside, undo, "/stat is of a process outside, or of one that is no more");
REFUSED(dead, undo, "is of a process outside, or of one that is no more");
REFUSED(old_memory, undo_old_memory, "is of an address space that its process has no more");
REFUSED(environ, undo, "/environ: proc_environ_operations cannot be saved yet");
REFUSED(elsewhere, undo, "is in a part of proc that is mounted elsewhere");

TEST_F(refused, by_name)
{
	const char *const line[] = { " fd 10 -> ", variant->words, NULL };

	is_refused(_metadata, &self->pid, &variant->program, line);
}

TEST_HARNESS_MAIN
