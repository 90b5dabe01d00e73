// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in the guest: for each line "KIND N REPEAT WHO..." of its input, save
 * and bring back the program "work KIND N", with each WHO in turn, and print
 *
 *	KIND <tab> N <tab> WHO <tab> FIGURE <tab> VALUE
 *
 * with times in microseconds. A WHO that cannot do it prints the figure
 * "refused". WHO is ours, criu, cow, bound or watch.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

#define OUTPUT		"/tmp/output"
#define IMAGE		IMAGES "/image"

/* One program, once. */
struct job {
	const char *kind;
	const char *n;
	const char *who;
	bool observed;
	pid_t pid;
	unsigned int tasks;
};

static void say(const struct job *j, const char *figure, double value)
{
	printf("%s\t%s\t%s\t%s\t%.0f\n", j->kind, j->n, j->who, figure, value);
	fflush(stdout);
}

/* ---- programs ----------------------------------------------------------------- */

static double in_us(const struct timeval *t)
{
	return t->tv_sec * 1e6 + t->tv_usec;
}

/*
 * Runs a command, returns its status. What it says is in OUTPUT. CPU time is that
 * of the command and of whom it has waited for.
 */
static int command(char *const argv[], double *us, double *cpu_us)
{
	double start = now_us();
	pid_t pid = fork();
	struct rusage ru;
	int status;

	if (!pid) {
		int fd = open(OUTPUT, O_RDWR | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
		DIE("%s", argv[0]);
	*us = now_us() - start;
	*cpu_us = in_us(&ru.ru_utime) + in_us(&ru.ru_stime);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Everybody that was ever started and lost is ours: see main(). */
static void reap_all(void)
{
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/*
 * Threads of @pid and its children. Not by a look into /proc/PID/task: what is
 * in the dentry cache then makes their death slower.
 */
static unsigned int count_tasks(pid_t pid)
{
	unsigned int nr = 0, child;
	char path[80], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &nr) == 1)
			break;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%u", &child) == 1)
		nr++;
	if (f)
		fclose(f);
	return nr;
}

/* Time, in ticks, that all processes together have used. */
static unsigned long cpu_time(void)
{
	unsigned long user = 0, nice = 0, system = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (f) {
		fscanf(f, "cpu %lu %lu %lu", &user, &nice, &system);
		fclose(f);
	}
	return user + nice + system;
}

static char state_of(pid_t pid)
{
	char path[32], state = 'S';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f) {
		fscanf(f, "%*d (%*[^)]) %c", &state);
		fclose(f);
	}
	return state;
}

/*
 * Are a process and those below it asleep or dead? Of many children it looks at
 * some: see count_tasks().
 */
static bool at_rest(pid_t pid)
{
	bool rest = strchr("SZ", state_of(pid));
	int looked = 0, child;
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && rest && looked++ < 16 && fscanf(f, "%d", &child) == 1)
		rest = at_rest(child);
	if (f)
		fclose(f);
	return rest;
}

/*
 * All are asleep or dead, and a program that cannot say that it is ready is so. One that
 * waits for the disk is not: that may take no time by the clock of the guest.
 */
static void wait_for_rest(pid_t pid)
{
	unsigned long before, now = cpu_time();

	do {
		before = now;
		usleep(50000);
		now = cpu_time();
		/* To look takes a tick at times. */
	} while (now > before + 1 || !at_rest(pid));
}

static void start_work(struct job *j)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		DIE("pipe");
	j->pid = fork();
	if (!j->pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(ready[1], 3);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		closefrom(4);
		setsid();
		if (j->observed)
			execl("/bench/work", "work", "-o", j->kind, j->n, NULL);
		else
			execl("/bench/work", "work", j->kind, j->n, NULL);
		_exit(127);
	}
	close(ready[1]);
	while (read(ready[0], &byte, 1) > 0)
		;
	close(ready[0]);
	if (!j->observed)
		wait_for_rest(j->pid);
	j->tasks = count_tasks(j->pid);
}

static void end_work(struct job *j)
{
	kill(-j->pid, SIGKILL);
	reap_all();
}

/* ---- results ---------------------------------------------------------------------- */

static void clear_images(void)
{
	struct dirent *e;
	DIR *dir;

	mkdir(IMAGES, 0700);
	dir = opendir(IMAGES);
	while (dir && (e = readdir(dir)))
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

static void say_image_size(const struct job *j)
{
	double bytes = 0;
	struct dirent *e;
	struct stat st;
	DIR *dir = opendir(IMAGES);

	while (dir && (e = readdir(dir)))
		if (!strstr(e->d_name, ".log") &&
		    !fstatat(dirfd(dir), e->d_name, &st, 0) && S_ISREG(st.st_mode))
			bytes += st.st_size;
	if (dir)
		closedir(dir);
	say(j, "image bytes", bytes);
}

/* The time behind @before in what a command said, in us; or -1. */
static double time_said(const char *before)
{
	char text[4096] = "", unit[8] = "";
	FILE *f = fopen(OUTPUT, "r");
	double value = -1;
	char *p;

	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = 0;
		fclose(f);
	}
	p = strstr(text, before);
	if (!p || sscanf(p + strlen(before), "%lf %7[a-z]", &value, unit) != 2)
		return -1;
	if (!strcmp(unit, "s"))
		return value * 1e6;
	if (!strcmp(unit, "ms"))
		return value * 1e3;
	return value;
}

static void show_output(const struct job *j, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];
	int nr = 0;

	while (f && nr++ < 8 && fgets(line, sizeof(line), f))
		printf("# %s %s %s: %s", j->kind, j->n, j->who, line);
	if (f)
		fclose(f);
}

/* A varint of a protocol buffer. */
static unsigned long long varint(FILE *f)
{
	unsigned long long v = 0;
	int c, shift = 0;

	while ((c = getc(f)) != EOF) {
		v |= (c & 0x7fULL) << shift;
		shift += 7;
		if (!(c & 0x80))
			break;
	}
	return v;
}

/*
 * criu's stats-dump: two magic numbers, a length, a message of which field 1 is
 * a message of which field 2 is the time frozen in us.
 */
static double criu_frozen(void)
{
	FILE *f = fopen(IMAGES "/stats-dump", "r");
	double frozen = -1;

	if (!f)
		return -1;
	fseek(f, 12, SEEK_SET);
	varint(f);
	varint(f);
	while (!feof(f)) {
		unsigned long long key = varint(f), value = varint(f);

		if (feof(f) || key & 7)
			break;
		if (key >> 3 == 2)
			frozen = value;
	}
	fclose(f);
	return frozen;
}

/* ---- who saves ------------------------------------------------------------------------ */

static bool ours_save(struct job *j, double *us)
{
	char pid[16];
	char *const argv[] = { "checkpoint", "-v", "--kill", "-o", IMAGE, pid, NULL };
	double cpu;

	snprintf(pid, sizeof(pid), "%d", j->pid);
	if (command(argv, us, &cpu)) {
		show_output(j, OUTPUT);
		return false;
	}
	say(j, "save cpu", cpu);
	say(j, "frozen", time_said("frozen for "));
	return true;
}

static bool ours_restore(struct job *j, double *us)
{
	char *const argv[] = { "restart", "-v", "--detach", "-i", IMAGE, NULL };
	double cpu;

	if (command(argv, us, &cpu)) {
		show_output(j, OUTPUT);
		return false;
	}
	say(j, "restore in kernel", time_said("restored in "));
	return true;
}

static bool criu_save(struct job *j, double *us)
{
	char pid[16];
	char *const argv[] = { "criu", "dump", "-v1", "-D", IMAGES, "-o", "dump.log",
			 "-t", pid, NULL };
	double cpu;

	snprintf(pid, sizeof(pid), "%d", j->pid);
	if (command(argv, us, &cpu)) {
		show_output(j, OUTPUT);
		show_output(j, IMAGES "/dump.log");
		return false;
	}
	say(j, "save cpu", cpu);
	say(j, "frozen", criu_frozen());
	return true;
}

static bool criu_restore(struct job *j, double *us)
{
	char *const argv[] = { "criu", "restore", "-v1", "-d", "-D", IMAGES, "-o",
			 "restore.log", NULL };
	double cpu;

	if (command(argv, us, &cpu)) {
		show_output(j, OUTPUT);
		show_output(j, IMAGES "/restore.log");
		return false;
	}
	return true;
}

static void save_and_restore(struct job *j)
{
	bool criu = !strcmp(j->who, "criu"), good;
	unsigned int tasks;
	double us;

	clear_images();
	start_work(j);
	good = criu ? criu_save(j, &us) : ours_save(j, &us);
	if (good) {
		say(j, "save", us);
		say_image_size(j);
	}
	/* Dead, if it was saved. */
	if (!good)
		end_work(j);
	reap_all();
	if (good) {
		good = criu ? criu_restore(j, &us) : ours_restore(j, &us);
		tasks = count_tasks(j->pid);
		if (good && tasks != j->tasks) {
			printf("# %s %s %s: %u tasks instead of %u\n", j->kind,
			       j->n, j->who, tasks, j->tasks);
			good = false;
		}
		if (good)
			say(j, "restore", us);
		end_work(j);
	}
	if (!good)
		say(j, "refused", 1);
	clear_images();
}

/* ---- memory, standing still ------------------------------------------------------ */

/*
 * A memory cgroup is there only while it is needed, so that it is in nobody's
 * figures.
 */
#define CGROUP		"/run/cgroup"
#define GROUP		CGROUP "/command"

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static double get_number(const char *path)
{
	FILE *f = fopen(path, "r");
	double value = -1;

	if (f) {
		if (fscanf(f, "%lf", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

static void make_group(void)
{
	mkdir(CGROUP, 0700);
	if (mount("cgroup2", CGROUP, "cgroup2", 0, NULL) ||
	    !put_text(CGROUP "/cgroup.subtree_control", "+memory") ||
	    mkdir(GROUP, 0700))
		DIE("memory cgroup");
}

static void drop_group(void)
{
	/* Until the last of its dead is gone. */
	while (rmdir(GROUP) && errno == EBUSY)
		usleep(1000);
	put_text(CGROUP "/cgroup.subtree_control", "-memory");
	umount2(CGROUP, MNT_DETACH);
}

/* As command(), in the group. Output goes to a pipe that somebody else empties. */
static int grouped(char *const argv[], double *peak, double *left)
{
	char buf[65536];
	int out[2], status;
	pid_t pid, reader;

	make_group();
	if (pipe2(out, O_CLOEXEC))
		DIE("pipe");
	reader = fork();
	if (!reader) {
		close(out[1]);
		while (read(out[0], buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	pid = fork();
	if (!pid) {
		int fd = open(OUTPUT, O_RDWR | O_CREAT | O_TRUNC, 0600);

		put_text(GROUP "/cgroup.procs", "0");
		dup2(out[1], STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(out[0]);
	close(out[1]);
	if (reader < 0 || pid < 0 || waitpid(pid, &status, 0) != pid)
		DIE("%s", argv[0]);
	waitpid(reader, NULL, 0);
	*peak = get_number(GROUP "/memory.peak");
	*left = get_number(GROUP "/memory.current");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* How often, and how long the last time, the observer has touched its memory. */
static double touched(int *nr)
{
	FILE *f = fopen(GAP, "r");
	double us = -1;

	*nr = 0;
	if (f) {
		if (fseek(f, TOUCH_AT, SEEK_SET) || fscanf(f, "%d %lf", nr, &us) != 2)
			us = -1;
		fclose(f);
	}
	return us;
}

static void say_touch(const struct job *j, const char *figure)
{
	int before, now, i;
	double us;

	touched(&before);
	kill(j->pid, SIGUSR2);
	for (i = 0; i < 1000; i++) {
		usleep(10000);
		us = touched(&now);
		if (us >= 0 && now > before) {
			say(j, figure, us);
			return;
		}
	}
}

/*
 * How long a program stands still that is saved and goes on, as a thread of it
 * sees that; how long it takes to write to each of its pages, before a save and
 * as the first thing after a restart; and the most memory that is charged to the
 * commands, beside what is there when they are done.
 */
static void watch(struct job *j)
{
	char pid[16];
	char *const save[] = { "checkpoint", "-o", IMAGE, pid, NULL };
	char *const pipe_it[] = { "checkpoint", pid, NULL };
	char *const kill_it[] = { "checkpoint", "--kill", "-o", IMAGE, pid, NULL };
	char *const restore[] = { "restart", "--detach", "-i", IMAGE, NULL };
	double us, peak, left;

	clear_images();
	j->observed = true;
	start_work(j);
	snprintf(pid, sizeof(pid), "%d", j->pid);
	usleep(20000);
	kill(j->pid, SIGUSR1);
	usleep(20000);
	say(j, "gap alone", get_number(GAP));
	say_touch(j, "touch");
	kill(j->pid, SIGUSR1);
	usleep(1000);
	if (command(save, &us, &us)) {
		show_output(j, OUTPUT);
		say(j, "refused", 1);
		end_work(j);
		return;
	}
	usleep(20000);
	say(j, "gap", get_number(GAP));
	if (!grouped(pipe_it, &peak, &left))
		say(j, "save peak bytes", peak);
	else
		show_output(j, OUTPUT);
	drop_group();
	unlink(IMAGE);
	command(kill_it, &us, &us);
	end_work(j);
	if (!grouped(restore, &peak, &left)) {
		say(j, "restore peak bytes", peak - left);
		say_touch(j, "touch restored");
	} else {
		show_output(j, OUTPUT);
	}
	end_work(j);
	drop_group();
	clear_images();
}

/* How long a program stands still that goes on before its memory is written. */
static void save_cow(struct job *j)
{
	char pid[16];
	char *const argv[] = { "checkpoint", "-v", "--cow", "-o", IMAGE, pid, NULL };
	double us, cpu;

	clear_images();
	start_work(j);
	snprintf(pid, sizeof(pid), "%d", j->pid);
	if (command(argv, &us, &cpu)) {
		show_output(j, OUTPUT);
		say(j, "refused", 1);
	} else {
		say(j, "save", us);
		say(j, "save cpu", cpu);
		say(j, "frozen", time_said("frozen for "));
	}
	end_work(j);
	clear_images();
}

static void bounds(struct job *j)
{
	pid_t pid = fork();

	if (!pid) {
		clear_images();
		setpgid(0, 0);
		execl("/bench/work", "work", "-b", j->kind, j->n, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	kill(-pid, SIGKILL);
	reap_all();
}

int main(void)
{
	char line[256], kind[32], n[16], who[5][16];
	int fields, rep, reps, i;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		fields = sscanf(line, "%31s %15s %d %15s %15s %15s %15s %15s",
				kind, n, &reps, who[0], who[1], who[2], who[3],
				who[4]);
		if (line[0] == '#' || fields < 4)
			continue;
		for (rep = 0; rep < reps; rep++) {
			for (i = 0; i < fields - 3; i++) {
				struct job j = { kind, n, who[i] };

				if (!strcmp(j.who, "bound"))
					bounds(&j);
				else if (!strcmp(j.who, "cow"))
					save_cow(&j);
				else if (!strcmp(j.who, "watch"))
					watch(&j);
				else
					save_and_restore(&j);
			}
		}
	}
	return 0;
}
