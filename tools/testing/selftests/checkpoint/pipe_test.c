// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that talk through unnamed pipes go on talking: what a pipe holds,
 * what it can hold, packets, who reads and who writes, and who waits for whom.
 */
#include "tree_program.h"

#include <limits.h>
#include <poll.h>

/* ---- in the program ---------------------------------------------------------- */

static void make_pipe(int fds[2], int flags)
{
	MUST(!pipe2(fds, flags));
}

static int queued(int fd)
{
	int nr = -1;

	MUST(!ioctl(fd, FIONREAD, &nr));
	return nr;
}

static int fds[2], more[2], child;

/* A child that does nothing but hold what it has. */
static void start_holder(void)
{
	child = fork();
	MUST(child >= 0);
	while (!child)
		pause();
}

static void end_holder(void)
{
	kill(child, SIGKILL);
	MUST(waitpid(child, NULL, 0) == child);
}

static void set_contents(void)
{
	make_pipe(fds, 0);
	MUST(write(fds[1], "hello ", 6) == 6);
	MUST(write(fds[1], "world", 5) == 5);
}

static void check_contents(void)
{
	char buf[64] = "";

	MUST(queued(fds[0]) == 11);
	MUST(read(fds[0], buf, 3) == 3 && !strcmp(buf, "hel"));
	memset(buf, 0, sizeof(buf));
	MUST(read(fds[0], buf, sizeof(buf)) == 8 && !strcmp(buf, "lo world"));
	MUST(write(fds[1], "x", 1) == 1 && queued(fds[0]) == 1);
}

#define CAPACITY	(256 * 1024)

static void set_full(void)
{
	static char buf[4096];
	int i;

	make_pipe(fds, O_NONBLOCK);
	MUST(fcntl(fds[1], F_SETPIPE_SZ, CAPACITY) == CAPACITY);
	for (i = 0; i < CAPACITY / 4096; i++) {
		memset(buf, i, sizeof(buf));
		MUST(write(fds[1], buf, sizeof(buf)) == sizeof(buf));
	}
	MUST(write(fds[1], buf, 1) < 0 && errno == EAGAIN);
}

static void check_full(void)
{
	unsigned char buf[4096];
	int i, n;

	MUST(fcntl(fds[0], F_GETPIPE_SZ) == CAPACITY);
	MUST(fcntl(fds[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
	MUST(fcntl(fds[0], F_GETFL) == (O_RDONLY | O_NONBLOCK));
	MUST(write(fds[1], buf, 1) < 0 && errno == EAGAIN);
	for (i = 0; i < CAPACITY / 4096; i++) {
		MUST(read(fds[0], buf, sizeof(buf)) == sizeof(buf));
		for (n = 0; n < 4096; n++)
			MUST(buf[n] == (unsigned char)i);
	}
	MUST(read(fds[0], buf, 1) < 0 && errno == EAGAIN);
}

static void set_packets(void)
{
	make_pipe(fds, O_DIRECT);
	MUST(write(fds[1], "one", 3) == 3);
	MUST(write(fds[1], "three", 5) == 5);
	MUST(write(fds[1], "five!", 5) == 5);
}

static void check_packets(void)
{
	char buf[64];

	MUST(fcntl(fds[1], F_GETFL) & O_DIRECT);
	MUST(read(fds[0], buf, sizeof(buf)) == 3);
	/* What is not read of a packet is lost. */
	MUST(read(fds[0], buf, 2) == 2 && !memcmp(buf, "th", 2));
	MUST(read(fds[0], buf, sizeof(buf)) == 5 && !memcmp(buf, "five!", 5));
	MUST(write(fds[1], "a", 1) == 1 && write(fds[1], "b", 1) == 1);
	MUST(read(fds[0], buf, sizeof(buf)) == 1);
}

/* The last writer is a child, and its end counts. */
static void set_end_of_file(void)
{
	make_pipe(fds, 0);
	start_holder();
	close(fds[1]);
}

static void check_end_of_file(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	char c;

	MUST(!poll(&p, 1, 0));
	end_holder();
	MUST(poll(&p, 1, 0) == 1 && p.revents == POLLHUP);
	MUST(!read(fds[0], &c, 1));
}

static void set_no_reader(void)
{
	make_pipe(fds, 0);
	MUST(write(fds[1], "lost", 4) == 4);
	close(fds[0]);
}

static void check_no_reader(void)
{
	struct pollfd p = { .fd = fds[1], .events = POLLOUT };

	signal(SIGPIPE, SIG_IGN);
	MUST(poll(&p, 1, 0) == 1 && p.revents & POLLERR);
	MUST(write(fds[1], "x", 1) < 0 && errno == EPIPE);
}

static void set_no_writer(void)
{
	make_pipe(fds, 0);
	MUST(write(fds[1], "left", 4) == 4);
	close(fds[1]);
}

static void check_no_writer(void)
{
	char buf[64];

	MUST(read(fds[0], buf, sizeof(buf)) == 4 && !memcmp(buf, "left", 4));
	MUST(!read(fds[0], buf, sizeof(buf)));
}

/* Descriptions of their own, opened by way of /proc. */
static void set_opened(void)
{
	char path[64];

	make_pipe(fds, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	more[0] = open(path, O_RDONLY | O_NONBLOCK);
	more[1] = open(path, O_RDWR);
	MUST(more[0] >= 0 && more[1] >= 0);
	MUST(write(more[1], "abc", 3) == 3);
}

static void check_opened(void)
{
	char c;

	MUST(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
	MUST(fcntl(more[0], F_GETFL) & O_NONBLOCK);
	MUST((fcntl(more[1], F_GETFL) & O_ACCMODE) == O_RDWR);
	MUST(read(more[0], &c, 1) == 1 && c == 'a');
	MUST(read(fds[0], &c, 1) == 1 && c == 'b');
	MUST(read(more[1], &c, 1) == 1 && c == 'c');
	close(more[1]);
	close(fds[1]);
	MUST(!read(more[0], &c, 1));
}

/* What is written: more than the pipe holds, so that it waits in the middle of it. */
#define LONG_TEXT	200001

static void fill_text(unsigned char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		text[i] = pattern(i);
}

/* A write may transfer less than asked for, but none is lost or done twice. */
static void write_long(void)
{
	static unsigned char text[LONG_TEXT];
	ssize_t at, n;

	close(fds[0]);
	fill_text(text, sizeof(text));
	for (at = 0; at < LONG_TEXT; at += n) {
		n = write(fds[1], text + at, LONG_TEXT - at);
		MUST(n > 0);
	}
}

static void set_blocked_writer(void)
{
	make_pipe(fds, 0);
	child = start_child(write_long, __NR_write);
	close(fds[1]);
	MUST(queued(fds[0]) == 65536);
}

static void check_blocked_writer(void)
{
	unsigned char byte[1000];
	ssize_t at = 0, n, i;

	MUST(ckpt_wait_syscall(child, __NR_write) && queued(fds[0]) == 65536);
	while ((n = read(fds[0], byte, sizeof(byte))) > 0)
		for (i = 0; i < n; i++, at++)
			MUST(byte[i] == pattern(at));
	MUST(!n && at == LONG_TEXT);
	collect(child, GOOD);
}

/* As much as is written at once or not at all. */
static void write_at_once(void)
{
	static unsigned char text[PIPE_BUF];

	fill_text(text, sizeof(text));
	MUST(write(fds[1], text, sizeof(text)) == sizeof(text));
}

static void set_atomic_writer(void)
{
	static unsigned char text[4096];

	make_pipe(fds, 0);
	MUST(fcntl(fds[1], F_SETPIPE_SZ, 4096) == 4096);
	MUST(write(fds[1], text, 100) == 100);
	child = start_child(write_at_once, __NR_write);
}

static void check_atomic_writer(void)
{
	unsigned char text[PIPE_BUF];
	int i;

	MUST(ckpt_wait_syscall(child, __NR_write) && queued(fds[0]) == 100);
	MUST(read(fds[0], text, sizeof(text)) == 100);
	collect(child, GOOD);
	MUST(queued(fds[0]) == PIPE_BUF && read(fds[0], text, PIPE_BUF) == PIPE_BUF);
	for (i = 0; i < PIPE_BUF; i++)
		MUST(text[i] == pattern(i));
}

static void read_short(void)
{
	char text[64] = "";

	MUST(read(fds[0], text, sizeof(text)) == 5 && !strcmp(text, "hello"));
	MUST(read(more[0], text, sizeof(text)) == 3 && !strncmp(text, "bye", 3));
}

static void set_blocked_reader(void)
{
	make_pipe(fds, 0);
	make_pipe(more, 0);
	child = start_child(read_short, __NR_read);
}

static void check_blocked_reader(void)
{
	MUST(ckpt_wait_syscall(child, __NR_read) && !queued(fds[0]));
	MUST(write(more[1], "bye", 3) == 3);
	ckpt_sleep_ms(20);
	MUST(!waitpid(child, NULL, WNOHANG));
	MUST(write(fds[1], "hello", 5) == 5);
	collect(child, GOOD);
}

/* The most that is saved. */
#define MUCH		(15 << 20)

static void fill_much(int bytes)
{
	unsigned char buf[65536];
	int at, n;

	make_pipe(fds, 0);
	MUST(fcntl(fds[1], F_SETPIPE_SZ, 32 << 20) == 32 << 20);
	for (at = 0; at < bytes; at += n) {
		n = bytes - at < 65536 ? bytes - at : 65536;
		memset(buf, at >> 16, n);
		MUST(write(fds[1], buf, n) == n);
	}
}

static void set_much(void)
{
	fill_much(MUCH);
}

static void check_much(void)
{
	unsigned char buf[65536];
	int at, i;

	MUST(fcntl(fds[0], F_GETPIPE_SZ) == 32 << 20 && queued(fds[0]) == MUCH);
	for (at = 0; at < MUCH; at += 65536) {
		MUST(read(fds[0], buf, sizeof(buf)) == sizeof(buf));
		for (i = 0; i < 65536; i++)
			MUST(buf[i] == (unsigned char)(at >> 16));
	}
	MUST(!queued(fds[0]));
}

static void set_too_much(void)
{
	fill_much(MUCH + 1);
}

static void check_too_much(void)
{
	MUST(queued(fds[0]) == MUCH + 1);
}

#define CONTENTS(name)					\
static struct program name = { set_##name, check_##name }

CONTENTS(contents);
CONTENTS(full);
CONTENTS(packets);
CONTENTS(end_of_file);
CONTENTS(no_reader);
CONTENTS(no_writer);
CONTENTS(opened);
CONTENTS(blocked_writer);
CONTENTS(atomic_writer);
CONTENTS(blocked_reader);
CONTENTS(much);
CONTENTS(too_much);

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(pipes, begin_tree, end_tree);

FIXTURE_VARIANT(pipes)
{
	struct program *program;
};

#define PIPE(name)				\
FIXTURE_VARIANT_ADD(pipes, name)		\
{						\
	.program = &name,			\
}

PIPE(contents);
PIPE(full);
PIPE(packets);
PIPE(end_of_file);
PIPE(no_reader);
PIPE(no_writer);
PIPE(opened);
PIPE(blocked_writer);
PIPE(atomic_writer);
PIPE(blocked_reader);
PIPE(much);

TEST_F(pipes, comes_back)
{
	self->pid = start_program(_metadata, variant->program);
	kill_and_restart(_metadata, &self->pid, false);
	kill_and_restart(_metadata, &self->pid, false);
	ends_well(_metadata, &self->pid);
}

TEST_F(pipes, goes_on)
{
	program_goes_on(_metadata, &self->pid, variant->program);
}

PROGRAM_FIXTURE(refused, begin_tree, end_tree);

TEST_F(refused, too_much)
{
	static const char *const words[] = {
		" -> pipe:[", "] holds more data than can be saved yet\n", NULL
	};

	self->pid = start_program(_metadata, &too_much);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* ---- talking while it is saved ----------------------------------------------------- */

#define NUMBERS		60000
#define STAGES		3

/*
 * The first counts, each of the others adds one and passes on, the root looks
 * whether a number is missing. All are somewhere in read() or write() at any time.
 */
static void relay(void *arg)
{
	int in = -1, p[2], i, n, status;

	for (i = 0; i < STAGES; i++) {
		MUST(!pipe(p));
		child = fork();
		MUST(child >= 0);
		if (child) {
			close(p[1]);
			if (in >= 0)
				close(in);
			in = p[0];
			continue;
		}
		close(p[0]);
		for (n = 0; n < NUMBERS; n++) {
			int value = n;

			if (in >= 0 && read(in, &value, sizeof(value)) != sizeof(value))
				_exit(1);
			value++;
			if (write(p[1], &value, sizeof(value)) != sizeof(value))
				_exit(2);
		}
		_exit(0);
	}
	ready();
	for (n = 0; n < NUMBERS; n++) {
		MUST(read(in, &i, sizeof(i)) == sizeof(i));
		MUST(i == n + STAGES);
		/* For the test to see how far it is. */
		if (n % 1000 == 0)
			MUST(dprintf(log_fd, "%d\n", n) > 0);
		if (n % 100 == 0)
			ckpt_sleep_ms(1);
	}
	MUST(!read(in, &i, sizeof(i)));
	for (i = 0; i < STAGES; i++) {
		MUST(wait(&status) > 0);
		MUST(!status);
	}
	_exit(GOOD);
}

FIXTURE(talk)
{
	pid_t pid;
};

FIXTURE_SETUP(talk)
{
	begin_tree(_metadata);
}

FIXTURE_TEARDOWN(talk)
{
	end(self->pid);
}

TEST_F(talk, no_number_is_lost)
{
	const char *line;
	int i;

	self->pid = ckpt_spawn(relay, NULL, log_fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_size(LOG, 6, 10000));
	for (i = 0; i < 10; i++) {
		ckpt_sleep_ms(7 + 5 * i);
		kill_and_restart(_metadata, &self->pid, false);
	}
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 30000)) {
		TH_LOG("%s", log_text());
	}
	/* Each line once: nothing was done twice. */
	line = strstr(log_text(), "\n1000\n");
	ASSERT_NE(NULL, line);
	EXPECT_EQ(NULL, strstr(line + 1, "\n1000\n"));
}

/* ---- ends that others have ------------------------------------------------------------ */

static void idle(void *arg)
{
	ready();
	wait_go();
	_exit(GOOD);
}

/* Only the child has it. */
static void child_with_pipe(void *arg)
{
	pid_t child = fork();

	if (!child) {
		setpgid(0, 0);
		idle(NULL);
	}
	close(10);
	waitpid(child, NULL, 0);
	_exit(GOOD);
}

/* A tree that has the end to read as descriptor 10, and @write, which others keep. */
static pid_t start_with_pipe(struct __test_metadata *_metadata, void (*program)(void *arg),
			     int *write, char *name)
{
	struct stat st;
	int p[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, fstat(p[0], &st));
	sprintf(name, " fd 10 -> pipe:[%llu] ", (unsigned long long)st.st_ino);
	pid = fork();
	if (!pid) {
		setsid();
		ckpt_drop_shared();
		alarm(0);
		close(p[1]);
		move_fd(p[0], 10, 0);
		program(NULL);
	}
	close(p[0]);
	*write = p[1];
	ASSERT_TRUE(wait_ready());
	return pid;
}

static void pipe_is_refused(struct __test_metadata *_metadata, pid_t pid, const char *name,
			    const char *who)
{
	const char *const words[] = { name, "shares its pipe with ", who, NULL };

	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
}

TEST_F(talk, other_end_outside)
{
	char name[64], who[64];
	int end;

	snprintf(who, sizeof(who), "pid %d (", getpid());
	self->pid = start_with_pipe(_metadata, idle, &end, name);
	pipe_is_refused(_metadata, self->pid, name, who);
	close(end);
	go();
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
}

/* The one that has it is named, not the root. */
TEST_F(talk, end_of_a_child)
{
	char name[64], line[80], who[64];
	const char *first;
	int end;
	pid_t child;

	snprintf(who, sizeof(who), "pid %d (", getpid());
	self->pid = start_with_pipe(_metadata, child_with_pipe, &end, name);
	pipe_is_refused(_metadata, self->pid, name, who);
	first = strstr(ckpt_log_text, "pid ");
	ASSERT_NE(NULL, first);
	child = atoi(first + 4);
	ASSERT_LT(0, child);
	EXPECT_NE(self->pid, child);
	snprintf(line, sizeof(line), "/proc/%d/fd/10", child);
	EXPECT_EQ(0, access(line, F_OK));
	close(end);
	go();
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
}

/* No descriptor refers to the other end: it waits in a socket. */
TEST_F(talk, other_end_in_flight_outside)
{
	char name[64];
	int end, s[2];

	self->pid = start_with_pipe(_metadata, idle, &end, name);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	ASSERT_TRUE(ckpt_send_fds(s[0], "x", &end, 1));
	close(end);
	pipe_is_refused(_metadata, self->pid, name, "somebody outside");
	close(s[0]);
	close(s[1]);
	go();
	EXPECT_EQ(GOOD, ckpt_wait(self->pid, 10000));
}

TEST_HARNESS_MAIN
