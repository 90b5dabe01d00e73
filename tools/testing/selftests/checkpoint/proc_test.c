// SPDX-License-Identifier: GPL-2.0
/*
 * Open files of proc and sysfs, which are text that is made when it is read: they
 * are of the same task afterwards and go on where they were. Directories of tasks
 * likewise. And locations of what is not opened by its name.
 */
#include "tree_program.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/auxv.h>
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

#define GROUPS	DIRECTORY "/groups"
#define GROUP	GROUPS "/proc_test"

static const char *const of_group[] = {
	GROUP "/cgroup.type", GROUP "/cgroup.events", GROUPS "/cgroup.procs",
};

static void set_group(void)
{
	int i;

	MUST(!mkdir(GROUPS, 0755) && !mount("c", GROUPS, "cgroup2", 0, NULL));
	MUST(!mkdir(GROUP, 0755) || errno == EEXIST);
	for (i = 0; i < 3; i++) {
		open_as(10 + i, of_group[i], O_RDONLY);
		read_some(10 + i, 1);
	}
}

static void check_group(void)
{
	int i;

	for (i = 0; i < 3; i++)
		goes_on(10 + i, of_group[i], 1);
	MUST(!rmdir(GROUP));
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

static const char *const of_process[] = {
	"cgroup", "cmdline", "comm", "environ", "limits",
	"oom_score_adj", "personality", "timerslack_ns",
};

#define OF_PROCESS	(int)(sizeof(of_process) / sizeof(*of_process))

static void path_of_process(char *path, int i)
{
	snprintf(path, PATH_MAX, "/proc/self/%s", of_process[i]);
}

static void set_of_process(void)
{
	char path[PATH_MAX];
	int i;

	MUST(!prctl(PR_SET_NAME, "a program"));
	for (i = 0; i < OF_PROCESS; i++) {
		path_of_process(path, i);
		open_as(10 + i, path, O_RDONLY);
		read_some(10 + i, 1);
	}
	open_as(30, "/proc/self/sched", O_RDWR);
	open_as(31, "/proc/self/wchan", O_RDONLY);
	open_as(32, "/proc/self/auxv", O_RDONLY);
	open_as(33, "/proc/self/pagemap", O_RDONLY);
	open_as(34, "/proc/self/smaps_rollup", O_RDONLY);
	open_as(35, "/proc/self/comm", O_RDWR | O_CLOEXEC);
}

/* Auxiliary vector and page table of who it is now. */
static void check_memory_of_process(void)
{
	unsigned long pair[2] = {};
	__u64 page = 0;
	static char byte;

	do {
		MUST(read(32, pair, sizeof(pair)) == sizeof(pair));
	} while (pair[0] && pair[0] != AT_RANDOM);
	MUST(pair[1] == getauxval(AT_RANDOM));
	byte = 1;
	MUST(pread(33, &page, 8, (unsigned long)&byte / getpagesize() * 8) == 8);
	MUST(page >> 63);
	read_rest(34);
	MUST(strstr(text, "[rollup]") && strstr(text, "\nRss:"));
}

static void check_of_process(void)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < OF_PROCESS; i++) {
		path_of_process(path, i);
		goes_on(10 + i, path, 1);
	}
	read_rest(30);
	snprintf(path, sizeof(path), "a program (%d, #threads: 1)", getpid());
	MUST(!strncmp(text, path, strlen(path)));
	read_rest(31);
	MUST(*text);
	check_memory_of_process();
	MUST(write(35, "another", 7) == 7 && fcntl(35, F_GETFD) == FD_CLOEXEC);
	MUST(!prctl(PR_GET_NAME, path) && !strcmp(path, "another"));
}

/* ---- directories of tasks ------------------------------------------------------- */

/* One entry after the other, as they come; or NULL. */
static const char *next_entry(int fd)
{
	static char name[64];
	struct {
		__u64 ino, off;
		__u16 len;
		__u8 type;
		char name[21];
	} entry;
	int n = syscall(SYS_getdents64, fd, &entry, sizeof(entry));

	MUST(n >= 0);
	strcpy(name, n ? entry.name : "");
	/* What was read with it is read again. */
	if (n)
		MUST(lseek(fd, entry.off, SEEK_SET) == (off_t)entry.off);
	return n ? name : NULL;
}

static const char *pid_of(int dir)
{
	int fd = openat(dir, "stat", O_RDONLY);

	MUST(fd >= 0);
	read_rest(fd);
	close(fd);
	return text;
}

static int last_read;

static void set_directories(void)
{
	open_as(10, "/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_as(11, "/proc/self/fd", O_RDONLY);
	open_as(12, "/proc/self/task", O_RDONLY);
	open_as(13, "/proc/self/exe", O_PATH | O_NOFOLLOW);
	open_as(14, "/proc/thread-self", O_PATH);
	open_as(15, "/proc/self/status", O_PATH);
	open_as(16, "/proc/self/ns/uts", O_PATH | O_NOFOLLOW);
	open_as(17, "/proc/sys/kernel", O_RDONLY);
	open_as(18, "/proc/self/net", O_RDONLY);
	MUST(!strcmp(next_entry(11), ".") && !strcmp(next_entry(11), ".."));
	last_read = atoi(next_entry(11));
	MUST(!chdir("/proc/self/fdinfo"));
}

static void is_at(int fd, const char *rest)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d%s", getpid(), rest);
	MUST(!strcmp(fd_name(fd), path));
}

/* A half-read directory goes on behind what was read of it. */
static void check_half_read(void)
{
	int was = last_read, fd;
	const char *name;

	while ((name = next_entry(11))) {
		fd = atoi(name);
		MUST(fd > was && fcntl(fd, F_GETFD) >= 0);
		was = fd;
	}
	MUST(was == 18);
}

static void check_directories(void)
{
	char path[PATH_MAX], exe[PATH_MAX] = "";

	is_at(10, "");
	MUST(atoi(pid_of(10)) == getpid() && fcntl(10, F_GETFD) == FD_CLOEXEC);
	is_at(11, "/fd");
	check_half_read();
	is_at(12, "/task");
	snprintf(path, sizeof(path), "%d/comm", getpid());
	MUST(!faccessat(12, path, R_OK, 0));
	is_at(13, "/exe");
	MUST(readlink("/proc/self/exe", path, sizeof(path)) > 0);
	MUST(readlinkat(13, "", exe, sizeof(exe)) > 0 && !strncmp(exe, path, strlen(exe)));
	snprintf(path, sizeof(path), "/task/%d", getpid());
	is_at(14, path);
	MUST(atoi(pid_of(14)) == getpid());
	is_at(15, "/status");
	MUST((fcntl(15, F_GETFL) & O_PATH) && read(15, path, 1) < 0 && errno == EBADF);
	is_at(16, "/ns/uts");
	MUST(!faccessat(17, "ostype", R_OK, 0));
	is_at(18, "/net");
	snprintf(exe, sizeof(exe), "/proc/%d/fdinfo", getpid());
	MUST(getcwd(path, sizeof(path)) && !strcmp(path, exe));
	MUST(!access("18", R_OK));
}

/* ---- trees -------------------------------------------------------------------- */

static void open_of(int number, pid_t pid, const char *name)
{
	char path[128];

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

static _Atomic pid_t *child_now;

/* Its own, the child's and a dead child's, by whatever pid they have then. */
static void directories_of_others(void)
{
	char path[64];
	pid_t dead;

	child_now = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	child = fork();
	MUST(child >= 0);
	if (!child) {
		ready();
		wait_go();
		*child_now = getpid();
		wait_for(DIRECTORY "/seen");
		_exit(GOOD);
	}
	dead = fork();
	if (!dead)
		_exit(GOOD);
	MUST(!waitid(P_PID, dead, (siginfo_t *)text, WEXITED | WNOWAIT));
	while (!all_ready(1))
		ckpt_sleep_ms(1);
	snprintf(path, sizeof(path), "task/%d", child);
	open_of(10, child, "");
	open_of(11, child, path);
	open_of(12, dead, "");
	snprintf(path, sizeof(path), "/proc/%d/task", child);
	MUST(!chdir(path));
	ready();
	wait_go();
	while (!*child_now)
		ckpt_sleep_ms(1);
	MUST(atoi(pid_of(10)) == *child_now && atoi(pid_of(11)) == *child_now);
	MUST(strstr(pid_of(12), ") Z "));
	snprintf(fresh, sizeof(fresh), "/proc/%d/task", *child_now);
	MUST(getcwd(path, sizeof(path)) && !strcmp(path, fresh));
	ckpt_touch(DIRECTORY "/seen");
	collect(*child_now, GOOD);
	MUST(faccessat(10, "stat", F_OK, 0) && errno == ESRCH);
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
	open_as(15, "/proc/meminfo", O_PATH);
	open_as(16, "/sys/kernel/mm/ksm/run", O_PATH);
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
	is_node(15, S_IFREG, "/proc/meminfo");
	is_node(16, S_IFREG, "/sys/kernel/mm/ksm/run");
}

static const char *const namespaces[] = {
	"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts",
	"pid_for_children", "time_for_children",
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

static ino_t namespace_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	MUST(!stat(path, &st));
	return st.st_ino;
}

/* Of those that it makes next, not its own. */
static void for_children(void)
{
	struct stat st;
	pid_t pid;

	MUST(!unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid) {
		stay_the_same();
		_exit(GOOD);
	}
	open_as(10, "/proc/self/ns/pid_for_children", O_RDONLY);
	stay_the_same();
	MUST(!fstat(10, &st) && st.st_ino == namespace_of(pid));
	MUST(st.st_ino != namespace_of(getpid()));
	MUST(!setns(10, CLONE_NEWPID));
	collect(pid, GOOD);
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

PROGRAM_FIXTURE(proc, begin_tree_files, end_tree_files);

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
PROC(group);
PROC(self);
PROC(of_process);
PROC(directories);
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

PROGRAM_FIXTURE(tree, begin_tree_files, end_tree_files);

TEST_F(tree, of_others)
{
	self->pid = start_tree(_metadata, of_others, 2, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(tree, directories_of_others)
{
	self->pid = start_tree(_metadata, directories_of_others, 2, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(tree, for_children)
{
	self->pid = start_tree(_metadata, for_children, 2, false);
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

/* While others have the old ones. */
TEST_F(tree, directories_with_other_pids)
{
	pid_t was;

	self->pid = start_tree(_metadata, directories_of_others, 2, false);
	was = self->pid;
	ASSERT_LT(0, ckpt_save(was, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	self->pid = restart_image("--no-pids");
	ASSERT_LT(0, self->pid);
	EXPECT_NE(was, self->pid);
	tree_ends_well(_metadata, &self->pid);
	ckpt_kill(was);
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

static void set_memory(void)
{
	open_as(10, "/proc/self/mem", O_RDWR);
}

static void set_fdinfo(void)
{
	open_as(10, "/proc/self/fdinfo/1", O_RDONLY);
}

static void set_fd_link(void)
{
	open_as(11, "/dev/null", O_RDONLY);
	open_as(10, "/proc/self/fd/11", O_PATH | O_NOFOLLOW);
}

static void set_dir_outside(void)
{
	open_of(10, getppid(), "");
}

static void set_dir_dead(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	open_of(10, pid, "task");
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void set_written(void)
{
	open_as(10, "/sys/kernel/mm/ksm/run", O_RDWR);
}

static void set_binary(void)
{
	open_as(10, "/sys/kernel/notes", O_RDONLY);
}

static void set_path_outside(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", getppid());
	open_as(10, path, O_PATH | O_NOFOLLOW);
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

PROGRAM_FIXTURE(refused, begin_tree_files, end_tree_files);

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
REFUSED(memory, undo, "/mem: proc_mem_operations cannot be saved yet");
REFUSED(fdinfo, undo, "/fdinfo/1: proc_fdinfo_file_operations cannot be saved yet");
REFUSED(fd_link, undo, "/fd/11 is of a descriptor or mapping of its process");
REFUSED(dir_outside, undo, " is of a process outside, or of one that is no more");
REFUSED(dir_dead, undo, "/task is of a process outside, or of one that is no more");
REFUSED(path_outside, undo, "/exe is of a process outside, or of one that is no more");
REFUSED(written, undo, "/ksm/run: kernfs_file_fops cannot be saved yet");
REFUSED(binary, undo, "/sys/kernel/notes: kernfs_file_fops cannot be saved yet");
REFUSED(elsewhere, undo, "is in a part of proc that is mounted elsewhere");

TEST_F(refused, by_name)
{
	const char *const line[] = { " fd 10 -> ", variant->words, NULL };

	is_refused(_metadata, &self->pid, &variant->program, line);
}

PROGRAM_FIXTURE(proc_cwd, begin_tree_files, end_tree_files);

static void go_outside(void)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", getppid());
	MUST(!chdir(path));
}

static void come_back(void)
{
	MUST(!chdir("/"));
}

TEST_F(proc_cwd, outside_is_refused)
{
	static const struct program p = { go_outside, come_back };
	static const char *const line[] = {
		" is in the directory /proc/", ", which is of a process outside", NULL
	};

	is_refused(_metadata, &self->pid, &p, line);
}

TEST_HARNESS_MAIN
