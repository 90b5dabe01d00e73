// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that are no files: what they count, who waits at them, who has
 * them in common.
 */
#include "program.h"

#include <sys/eventfd.h>

/* ---- in the program ---------------------------------------------------------- */

static int fd, other, child;

/* The child says by its exit code whether all was well. */
static void start_child(void (*fn)(void), long blocks_in)
{
	child = fork();
	MUST(child >= 0);
	if (!child) {
		fn();
		_exit(GOOD);
	}
	MUST(ckpt_wait_syscall(child, blocks_in));
}

static void end_child(void)
{
	int status;

	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
}

static bool blocks(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return !poll(&p, 1, 0);
}

/* ---- eventfd ------------------------------------------------------------------- */

static uint64_t counted(int fd)
{
	uint64_t value = 0;

	MUST(read(fd, &value, 8) == 8);
	return value;
}

static void count(int fd, uint64_t value)
{
	MUST(write(fd, &value, 8) == 8);
}

static void set_event(void)
{
	fd = eventfd(7, EFD_CLOEXEC);
	other = eventfd(0, EFD_NONBLOCK);
	MUST(fd >= 0 && other >= 0);
}

static void check_event(void)
{
	uint64_t value;

	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC && !fcntl(other, F_GETFD));
	MUST(fcntl(fd, F_GETFL) == O_RDWR);
	MUST(fcntl(other, F_GETFL) == (O_RDWR | O_NONBLOCK));
	MUST(counted(fd) == 7);
	count(fd, 3);
	count(fd, 4);
	MUST(counted(fd) == 7 && blocks(fd, POLLIN));
	MUST(read(other, &value, 8) < 0 && errno == EAGAIN);
}

static void set_semaphore(void)
{
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	MUST(fd >= 0);
}

static void check_semaphore(void)
{
	uint64_t value;

	MUST(counted(fd) == 1 && counted(fd) == 1);
	MUST(read(fd, &value, 8) < 0 && errno == EAGAIN);
}

#define FULL	0xfffffffffffffffeULL

static void set_full_event(void)
{
	fd = eventfd(0, EFD_NONBLOCK);
	MUST(fd >= 0);
	count(fd, FULL);
}

static void check_full_event(void)
{
	uint64_t one = 1;

	MUST(blocks(fd, POLLOUT) && !blocks(fd, POLLIN));
	MUST(write(fd, &one, 8) < 0 && errno == EAGAIN);
	MUST(counted(fd) == FULL);
	count(fd, 1);
}

static void read_nine(void)
{
	MUST(counted(other) == 9);
}

/* One open file of two descriptors and two tasks. */
static void set_event_reader(void)
{
	fd = eventfd(0, 0);
	other = dup(fd);
	MUST(fd >= 0 && other >= 0);
	start_child(read_nine, SYS_read);
}

static void check_event_reader(void)
{
	MUST(!fcntl(other, F_SETFL, O_NONBLOCK));
	MUST(fcntl(fd, F_GETFL) & O_NONBLOCK);
	MUST(!fcntl(other, F_SETFL, 0));
	count(fd, 9);
	end_child();
}

static void write_five(void)
{
	count(other, 5);
}

static void set_event_writer(void)
{
	fd = eventfd(0, 0);
	other = dup(fd);
	MUST(fd >= 0 && other >= 0);
	count(fd, FULL);
	start_child(write_five, SYS_write);
}

static void check_event_writer(void)
{
	MUST(counted(fd) == FULL);
	end_child();
	MUST(counted(fd) == 5);
}

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(fds, become_reaper, end);

FIXTURE_VARIANT(fds)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(fds, name)			\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(event);
PROGRAM(semaphore);
PROGRAM(full_event);
PROGRAM(event_reader);
PROGRAM(event_writer);

TEST_F(fds, comes_back)
{
	self->pid = start_program(_metadata, &variant->program);
	kill_and_bring_tree_back(_metadata, self->pid);
	restart_again(_metadata, self->pid);
	kill_and_bring_tree_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

TEST_F(fds, goes_on)
{
	self->pid = start_program(_metadata, &variant->program);
	EXPECT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
