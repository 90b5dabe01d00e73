// SPDX-License-Identifier: GPL-2.0
/*
 * A process that saves itself: the call returns twice, with an id when the image
 * is written and with 0 when the image was restarted.
 *
 *	program			test
 *	checkpoint() = id
 *	step = 2, exit(10)
 *				restart()
 *	checkpoint() = 0
 *	step is 1, exit(20)
 */
#include "ckpt_test.h"

#include <sys/socket.h>

#define SAVED		10
#define RESTARTED	20

static volatile int step;

struct self_args {
	int fd;
	bool by_pid;
};

static void saves_itself(void *arg)
{
	struct self_args *a = arg;
	volatile unsigned long on_stack = 0x11223344UL;
	volatile double x = 1.5;
	long ret;

	step = 1;
	ret = sys_checkpoint(a->by_pid ? getpid() : 0, a->fd, CHECKPOINT_SUBTREE, NULL, 0);
	if (on_stack != 0x11223344UL || x != 1.5 || step != 1)
		_exit(30);
	/* Only the process that went on sees this. */
	step = 2;
	on_stack = 0;
	x = 0;
	_exit(ret > 0 ? SAVED : ret == 0 ? RESTARTED : errno);
}

/* Drains a stream to a file while the process writes it. */
static bool drain(int from, const char *path)
{
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char buf[8192];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			n = -1;
	close(to);
	return n == 0;
}

FIXTURE(self)
{
	pid_t pid;
};

FIXTURE_SETUP(self)
{
}

FIXTURE_TEARDOWN(self)
{
	unlink(CKPT_IMG);
}

static pid_t start(int fd, bool by_pid)
{
	struct self_args a = { fd, by_pid };

	return ckpt_spawn(saves_itself, &a, fd);
}

static pid_t to_file(bool by_pid)
{
	int fd = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	pid_t pid = start(fd, by_pid);

	close(fd);
	return ckpt_wait(pid, 10000) == SAVED ? pid : -1;
}

TEST_F(self, to_a_file)
{
	pid_t pid = to_file(false);
	int i;

	ASSERT_LT(0, pid);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(pid, ckpt_restart(CKPT_IMG, pid))
			TH_LOG("%s", ckpt_log_text);
		EXPECT_EQ(RESTARTED, ckpt_wait(pid, 10000));
	}
}

TEST_F(self, by_its_pid)
{
	pid_t pid = to_file(true);

	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, ckpt_restart(CKPT_IMG, pid))
		TH_LOG("%s", ckpt_log_text);
	EXPECT_EQ(RESTARTED, ckpt_wait(pid, 10000));
}

/* The prefix is what a reader took from the stream to see what it is. */
static int restart_stream(const char *path, pid_t pid, size_t prefix_len,
			  bool cut)
{
	static unsigned char image[4 << 20];
	struct clone_args ca = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};
	int in = open(path, O_RDONLY), p[2], log = ckpt_log_begin(), ret;
	ssize_t len = read(in, image, sizeof(image)), n;
	pid_t child, writer;

	close(in);
	if (len < 8192 || pipe(p))
		return -1;
	writer = fork();
	if (!writer) {
		signal(SIGPIPE, SIG_IGN);
		close(p[0]);
		/* In uneven pieces. */
		for (size_t at = prefix_len; at < len - cut; at += n) {
			n = len - cut - at < 4097 ? len - cut - at : 4097;
			n = write(p[1], image + at, n);
			if (n <= 0)
				break;
		}
		_exit(0);
	}
	child = syscall(SYS_clone3, &ca, sizeof(ca));
	if (!child) {
		struct restart_args args = {
			.log_fd = log, .context_fd = -1, .done_fd = -1,
			.prefix = (uintptr_t)image, .prefix_len = prefix_len,
		};

		close(p[1]);
		sys_restart(0, p[0], RESTART_TASKSELF | RESTART_ARGS, &args, sizeof(args));
		_exit(100 + (errno == EBADMSG));
	}
	close(p[0]);
	close(p[1]);
	ret = ckpt_wait(child, 10000);
	ckpt_kill(writer);
	ckpt_log_end(log);
	return ret;
}

static size_t meta_len(const char *path)
{
	struct ckpt_hdr h;
	size_t off = 0;
	int fd = open(path, O_RDONLY);

	while (pread(fd, &h, sizeof(h), off) == sizeof(h)) {
		off += h.len;
		if (h.type == CKPT_REC_META_END)
			break;
	}
	close(fd);
	return off;
}

TEST_F(self, from_a_stream)
{
	pid_t pid = to_file(false);
	size_t meta = meta_len(CKPT_IMG);
	size_t len[] = { 0, 1, 16, 384, 1000, meta, meta + 100 };
	int i;

	ASSERT_LT(0, pid);
	for (i = 0; i < 7; i++) {
		EXPECT_EQ(RESTARTED, restart_stream(CKPT_IMG, pid, len[i], false))
			TH_LOG("prefix %d: %s", i, ckpt_log_text);
	}
	EXPECT_EQ(101, restart_stream(CKPT_IMG, pid, 16, true))
		TH_LOG("%s", ckpt_log_text);
}

/* Whether it has both ends of a pipe, or one file open for both. */
static void cannot_save(void *arg)
{
	char path[64];
	int p[2];

	if (pipe(p))
		_exit(1);
	if (*(bool *)arg) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
		close(p[0]);
		p[0] = open(path, O_RDWR);
		close(p[1]);
		p[1] = p[0];
	}
	step = sys_checkpoint(0, p[1], CHECKPOINT_SUBTREE, NULL, 0);
	_exit(step == -1 ? errno : 0);
}

/* The output is not part of what is saved. */
static void save_through(struct __test_metadata *_metadata,
			 FIXTURE_DATA(self) * self, const int *fds)
{
	self->pid = start(fds[1], false);
	close(fds[1]);
	EXPECT_TRUE(drain(fds[0], CKPT_IMG));
	ASSERT_EQ(SAVED, ckpt_wait(self->pid, 10000));
	EXPECT_EQ(RESTARTED, restart_stream(CKPT_IMG, self->pid, 0, false))
		TH_LOG("%s", ckpt_log_text);
}

TEST_F(self, through_a_pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	save_through(_metadata, self, fds);
}

TEST_F(self, through_a_socket)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	save_through(_metadata, self, fds);
}

/* Nobody else could ever drain it. */
TEST_F(self, own_pipe)
{
	bool both[] = { false, true };
	int i;

	for (i = 0; i < 2; i++) {
		self->pid = ckpt_spawn(cannot_save, &both[i], -1);
		EXPECT_EQ(EDEADLK, ckpt_wait(self->pid, 10000));
	}
}

TEST_HARNESS_MAIN
