// SPDX-License-Identifier: GPL-2.0
/*
 * The program checkpoint --check: it says of all tasks and descriptors what cannot
 * be saved, a line for each, writes nothing and does no harm.
 */
#include "tree_program.h"

#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define ERRORS	DIRECTORY "/errors"
#define OUTPUT	DIRECTORY "/output"

/* ---- in the program ---------------------------------------------------------- */

static void named(const char *name)
{
	MUST(!prctl(PR_SET_NAME, name));
}

static void set_netlink(int number)
{
	move_fd(socket(AF_NETLINK, SOCK_RAW, 0), number, 0);
}

static void set_ptmx(int number)
{
	struct winsize size = { .ws_row = 17 };

	open_as(number, "/dev/ptmx", O_RDWR | O_NOCTTY);
	MUST(!ioctl(number, TIOCSWINSZ, &size));
}

static void check_ptmx(int number)
{
	struct winsize size = {};

	MUST(!ioctl(number, TIOCGWINSZ, &size) && size.ws_row == 17);
}

static void first_child(void)
{
	named("first child");
	open_as(10, DIRECTORY "/file", O_RDWR | O_CREAT);
	open_as(11, "/dev/kmsg", O_WRONLY);
	set_netlink(12);
	set_ptmx(13);
	stay_the_same();
	check_ptmx(13);
	MUST(write(10, "x", 1) == 1);
}

static void second_child(void)
{
	named("second");
	set_netlink(20);
	MUST(dup2(20, 21) == 21);
	stay_the_same();
	MUST(fcntl(20, F_GETFD) == 0 && fcntl(21, F_GETFD) == 0);
}

static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	fn();
	_exit(GOOD);
}

static void with_refusals(void)
{
	pid_t first = child(first_child), second = child(second_child);

	named("root");
	set_ptmx(10);
	stay_the_same();
	check_ptmx(10);
	collect(first, GOOD);
	collect(second, GOOD);
}

static void child_without(void)
{
	char c;

	open_as(10, DIRECTORY "/file", O_RDWR | O_CREAT);
	MUST(lseek(10, 5, SEEK_SET) == 5);
	stay_the_same();
	MUST(lseek(10, 0, SEEK_CUR) == 5 && read(10, &c, 1) == 0);
}

static void without_refusals(void)
{
	pid_t pid;
	int fds[2];
	char c;

	MUST(!pipe(fds) && write(fds[1], "x", 1) == 1);
	move_fd(eventfd(3, 0), 10, 0);
	pid = child(child_without);
	stay_the_same();
	MUST(read(fds[0], &c, 1) == 1 && c == 'x');
	collect(pid, GOOD);
}

/* ---- in the test -------------------------------------------------------------- */

/* Returns the exit status. */
static int run_check(pid_t pid)
{
	char cmd[256];
	int status;

	snprintf(cmd, sizeof(cmd), "cd " DIRECTORY " && checkpoint --check %d >%s 2>%s", pid,
		 OUTPUT, ERRORS);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int count_files(void)
{
	DIR *dir = opendir(DIRECTORY);
	int n = -2;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* How many lines begin like this? */
static int count_lines(const char *text, const char *begin)
{
	const char *line;
	int n = 0;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		n += !strncmp(line, begin, strlen(begin));
	}
	return n;
}

static pid_t child_of(pid_t pid, int n)
{
	char path[64], text[64];
	int pids[2] = {};

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (ckpt_read_text(path, text, sizeof(text)) <= 0)
		return -1;
	return sscanf(text, "%d %d", &pids[0], &pids[1]) > n ? pids[n] : -1;
}

PROGRAM_FIXTURE(check, begin_tree_files, end_tree_files);

TEST_F(check, says_all)
{
	char line[8][128], text[4096];
	pid_t first, second;
	int i;

	self->pid = start_tree(_metadata, with_refusals, 3, false);
	first = child_of(self->pid, 0);
	second = child_of(self->pid, 1);
	EXPECT_EQ(1, run_check(self->pid));

	snprintf(line[0], sizeof(line[0]), "pid %d (root) fd 10 -> /dev/ptmx: ", self->pid);
	snprintf(line[1], sizeof(line[1]), "pid %d (first child) fd 11 -> /dev/kmsg: ", first);
	snprintf(line[2], sizeof(line[2]), "pid %d (first child) fd 12 -> socket:[", first);
	snprintf(line[3], sizeof(line[3]), "pid %d (first child) fd 13 -> /dev/ptmx: ", first);
	snprintf(line[4], sizeof(line[4]), "pid %d (second) fd 20 -> socket:[", second);
	snprintf(line[5], sizeof(line[5]), "pid %d (second) fd 21 -> socket:[", second);
	ASSERT_LT(0, ckpt_read_text(ERRORS, text, sizeof(text)));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(1, count_lines(text, line[i])) {
			TH_LOG("%s in %s", line[i], text);
		}
	EXPECT_EQ(6, count_lines(text, "pid ")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, ckpt_read_text(OUTPUT, text, sizeof(text)));
	EXPECT_EQ(3, count_files());
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(check, finds_nothing)
{
	char text[4096], line[80];

	self->pid = start_tree(_metadata, without_refusals, 2, false);
	EXPECT_EQ(0, run_check(self->pid));
	EXPECT_EQ(0, ckpt_read_text(ERRORS, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	EXPECT_LT(0, ckpt_read_text(OUTPUT, text, sizeof(text)));
	snprintf(line, sizeof(line), "process %d (", self->pid);
	EXPECT_EQ(1, count_lines(text, line));
	EXPECT_TRUE(!!strstr(text, ") can be saved\n")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(3, count_files());
	/* What it has found is true. */
	kill_and_restart(_metadata, &self->pid, false);
	tree_ends_well(_metadata, &self->pid);
}

TEST_F(check, nobody)
{
	char text[4096];

	EXPECT_EQ(1, run_check(4000000));
	ASSERT_LT(0, ckpt_read_text(ERRORS, text, sizeof(text)));
	EXPECT_TRUE(!!strstr(text, "there is no such process")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(2, count_files());
}

TEST_HARNESS_MAIN
