// SPDX-License-Identifier: GPL-2.0
/*
 * FIFOs: what they hold, who has which end, who waits for the other one; and at
 * restart what others have made of them.
 */
#include "tree_program.h"

#define FIFO	DIRECTORY "/fifo"

/* ---- in the program ---------------------------------------------------------- */

static int in, out, child;

static void make_fifo(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDONLY | O_NONBLOCK);
	out = open(FIFO, O_WRONLY);
	MUST(in >= 0 && out >= 0);
}

static bool reads(int fd, const char *text)
{
	char buf[64] = "";
	ssize_t n = read(fd, buf, strlen(text));

	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static short polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	MUST(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void set_contents(void)
{
	make_fifo();
	MUST(fcntl(out, F_SETPIPE_SZ, 131072) == 131072);
	MUST(write(out, "hello world", 11) == 11);
}

static void check_contents(void)
{
	char c;

	/* O_LARGEFILE is none of a C library for 64 bit. */
	MUST((fcntl(in, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK));
	MUST((fcntl(out, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_WRONLY);
	MUST(fcntl(in, F_GETPIPE_SZ) == 131072);
	MUST(reads(in, "hello") && reads(in, " world"));
	MUST(read(in, &c, 1) < 0 && errno == EAGAIN);
	MUST(write(out, "more", 4) == 4 && reads(in, "more"));
	close(out);
	MUST(!read(in, &c, 1));
}

static void set_both(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDWR);
	MUST(in >= 0 && write(in, "hello", 5) == 5);
}

static void check_both(void)
{
	MUST((fcntl(in, F_GETFL) & O_ACCMODE) == O_RDWR);
	MUST(reads(in, "hello") && write(in, "x", 1) == 1 && reads(in, "x"));
}

/* Waits until its parent opens it for writing. */
static void open_to_read(void)
{
	in = open(FIFO, O_RDONLY);
	MUST(in >= 0 && reads(in, "late"));
}

static void set_waiting_reader(void)
{
	MUST(!mkfifo(FIFO, 0600));
	child = start_child(open_to_read, SYS_openat);
}

static void check_waiting_reader(void)
{
	MUST(ckpt_wait_syscall(child, SYS_openat));
	out = open(FIFO, O_WRONLY);
	MUST(out >= 0 && write(out, "late", 4) == 4);
	collect(child, GOOD);
}

static void open_to_write(void)
{
	out = open(FIFO, O_WRONLY);
	MUST(out >= 0 && write(out, "late", 4) == 4);
}

static void set_waiting_writer(void)
{
	MUST(!mkfifo(FIFO, 0600));
	child = start_child(open_to_write, SYS_openat);
}

static void check_waiting_writer(void)
{
	in = open(FIFO, O_RDONLY);
	MUST(in >= 0 && reads(in, "late"));
	collect(child, GOOD);
}

static void read_late(void)
{
	MUST(reads(in, "late"));
}

static void set_reader_in_child(void)
{
	make_fifo();
	MUST(!fcntl(in, F_SETFL, 0));
	child = start_child(read_late, SYS_read);
	close(in);
}

static void check_reader_in_child(void)
{
	MUST(write(out, "late", 4) == 4);
	collect(child, GOOD);
	signal(SIGPIPE, SIG_IGN);
	MUST(write(out, "x", 1) < 0 && errno == EPIPE);
}

/* Nobody hangs up who has not come. */
static void set_no_writer_yet(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDONLY | O_NONBLOCK);
	MUST(in >= 0 && !polled(in));
}

static void check_no_writer_yet(void)
{
	MUST(!polled(in));
	out = open(FIFO, O_WRONLY);
	MUST(out >= 0 && !polled(in));
	close(out);
	MUST(polled(in) == POLLHUP);
}

static void set_writer_gone(void)
{
	make_fifo();
	MUST(write(out, "left", 4) == 4);
	close(out);
	MUST(polled(in) == (POLLIN | POLLHUP));
}

static void check_writer_gone(void)
{
	char c;

	MUST(polled(in) == (POLLIN | POLLHUP));
	MUST(reads(in, "left") && !read(in, &c, 1));
	MUST(polled(in) == POLLHUP);
}

static void set_reader_gone(void)
{
	make_fifo();
	close(in);
}

static void check_reader_gone(void)
{
	signal(SIGPIPE, SIG_IGN);
	MUST(polled(out) & POLLERR);
	MUST(write(out, "x", 1) < 0 && errno == EPIPE);
	/* And a new one may come. */
	in = open(FIFO, O_RDONLY | O_NONBLOCK);
	MUST(in >= 0 && write(out, "new", 3) == 3 && reads(in, "new"));
}

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(fifo, begin_tree_files, end_tree_files);

FIXTURE_VARIANT(fifo)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(fifo, name)			\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(contents);
PROGRAM(both);
PROGRAM(waiting_reader);
PROGRAM(waiting_writer);
PROGRAM(reader_in_child);
PROGRAM(no_writer_yet);
PROGRAM(writer_gone);
PROGRAM(reader_gone);

TEST_F(fifo, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fifo, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- what refuses ------------------------------------------------------------------ */

static const struct program contents = { set_contents, check_contents };

PROGRAM_FIXTURE(refused, begin_tree_files, end_tree_files);

TEST_F(refused, end_outside)
{
	char holder[64];
	const char *const words[] = { "shares its pipe with pid ", holder,
				      ", which is outside", NULL };
	int fd;

	snprintf(holder, sizeof(holder), "%d (", getpid());
	self->pid = start_program(_metadata, &contents);
	fd = open(FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(fd);
	kill_and_restart(_metadata, &self->pid, false);
	ends_well(_metadata, &self->pid);
}

TEST_F(refused, deleted)
{
	static const char *const words[] = { FIFO " (deleted)", "was deleted", NULL };

	self->pid = start_program(_metadata, &contents);
	ASSERT_EQ(0, unlink(FIFO));
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

static void gone(void)
{
	unlink(FIFO);
}

static void file_instead(void)
{
	unlink(FIFO);
	ckpt_touch(FIFO);
}

static int others = -1;

/* Somebody else uses it meanwhile. */
static void others_data(void)
{
	others = open(FIFO, O_RDWR | O_CLOEXEC);
	write(others, "theirs", 6);
}

static void link_instead(void)
{
	unlink(FIFO);
	symlink(DIRECTORY "/elsewhere", FIFO);
	mkfifo(DIRECTORY "/elsewhere", 0600);
}

FIXTURE(changed)
{
	pid_t pid;
};

FIXTURE_VARIANT(changed)
{
	void (*change)(void);
	int err;
	const char *words;
};

FIXTURE_VARIANT_ADD(changed, gone)
{
	gone, ENOENT, "cannot be opened again",
};

FIXTURE_VARIANT_ADD(changed, file)
{
	file_instead, ESTALE, "is of another type",
};

FIXTURE_VARIANT_ADD(changed, link)
{
	link_instead, ESTALE, "is of another type",
};

FIXTURE_VARIANT_ADD(changed, not_empty)
{
	others_data, EBUSY, "holds data of others",
};

FIXTURE_SETUP(changed)
{
	begin_tree_files(_metadata);
}

FIXTURE_TEARDOWN(changed)
{
	end_tree_files(self->pid);
}

/* Refused by name; once the FIFO is there again all is well. */
TEST_F(changed, by_name)
{
	const char *const words[] = { FIFO, variant->words, NULL };
	pid_t pid = start_program(_metadata, &contents);

	self->pid = pid;
	ckpt_save_and_kill(_metadata, pid);
	self->pid = 0;
	variant->change();
	EXPECT_EQ(-variant->err, ckpt_restart(CKPT_IMG, pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(others);
	unlink(FIFO);
	ASSERT_EQ(0, mkfifo(FIFO, 0600));
	bring_back(_metadata, pid);
	self->pid = pid;
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
