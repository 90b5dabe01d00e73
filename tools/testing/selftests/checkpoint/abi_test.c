// SPDX-License-Identifier: GPL-2.0
/*
 * What the two calls refuse, with which error and which words, and that the
 * process that was not saved goes on.
 */
#include "ckpt_test.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>

#define ALIVE	"/tmp/abi.alive"

/* Shows that it runs by what it writes. */
static void ticker(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		dprintf(fd, ".");
		usleep(5000);
	}
}

FIXTURE(abi)
{
	int fd;
	int out;
	pid_t pid;
};

FIXTURE_SETUP(abi)
{
	signal(SIGPIPE, SIG_IGN);
	unlink(ALIVE);
	self->fd = open(ALIVE, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ASSERT_LE(0, self->fd);
	self->pid = ckpt_spawn(ticker, &self->fd, self->fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_size(ALIVE, 1, 10000));
	self->out = open("/dev/null", O_WRONLY);
}

FIXTURE_TEARDOWN(abi)
{
	struct stat st;

	/* None of the tests may hurt it. */
	EXPECT_EQ(0, stat(ALIVE, &st));
	EXPECT_TRUE(ckpt_wait_size(ALIVE, st.st_size + 2, 5000));
	ckpt_kill(self->pid);
	close(self->fd);
	close(self->out);
	unlink(ALIVE);
}

static int cp(pid_t pid, int fd, unsigned long flags, void *args, size_t size)
{
	long ret = sys_checkpoint(pid, fd, flags | CHECKPOINT_SUBTREE, args,
				  size);

	return ret < 0 ? -errno : ret > 0;
}

static int rs(pid_t pid, int fd, unsigned long flags, void *args, size_t size)
{
	return sys_restart(pid, fd, flags, args, size) < 0 ? -errno : 0;
}

TEST_F(abi, checkpoint_flags)
{
	static const unsigned long bad[] = {
		1UL << 7, 1UL << 30, 1UL << 32, 1UL << 63,
		CHECKPOINT_CHECK | CHECKPOINT_KILL,
		CHECKPOINT_CHECK | CHECKPOINT_HOLD | CHECKPOINT_ARGS,
		CHECKPOINT_KILL | CHECKPOINT_HOLD | CHECKPOINT_ARGS,
		CHECKPOINT_HOLD, CHECKPOINT_RELINK,
		CHECKPOINT_COW | CHECKPOINT_CHECK,
		CHECKPOINT_COW | CHECKPOINT_KILL,
		CHECKPOINT_COW | CHECKPOINT_HOLD | CHECKPOINT_ARGS,
	};
	struct checkpoint_args args = { .log_fd = -1 };
	int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(-EINVAL, cp(self->pid, self->out, bad[i], &args, sizeof(args)))
			TH_LOG("flags 0x%lx", bad[i]);
}

TEST_F(abi, checkpoint_descriptors)
{
	struct checkpoint_args args = { .log_fd = -1 };
	int ro = open("/dev/null", O_RDONLY), path = open("/tmp", O_PATH);

	EXPECT_EQ(-EBADF, cp(self->pid, -1, 0, NULL, 0));
	EXPECT_EQ(-EBADF, cp(self->pid, 9999, 0, NULL, 0));
	EXPECT_EQ(-EBADF, cp(self->pid, ro, 0, NULL, 0));
	EXPECT_EQ(-EBADF, cp(self->pid, path, 0, NULL, 0));
	args.log_fd = 9999;
	EXPECT_EQ(-EBADF, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
	args.log_fd = -2;
	EXPECT_EQ(-EBADF, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
	args.log_fd = ro;
	EXPECT_EQ(-EBADF, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
	close(ro);
	close(path);
}

TEST_F(abi, checkpoint_args)
{
	struct {
		struct checkpoint_args a;
		char more[64];
	} args = { .a.log_fd = -1 };
	static char huge[8192];

	EXPECT_EQ(-EINVAL, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, 0));
	EXPECT_EQ(-EINVAL, cp(self->pid, self->out, CHECKPOINT_ARGS, &args,
			      CHECKPOINT_ARGS_SIZE_VER0 - 1));
	EXPECT_EQ(-E2BIG, cp(self->pid, self->out, CHECKPOINT_ARGS, huge, sizeof(huge)));
	EXPECT_EQ(-EFAULT, cp(self->pid, self->out, CHECKPOINT_ARGS, NULL,
			      CHECKPOINT_ARGS_SIZE_VER0));
	args.more[63] = 1;
	EXPECT_EQ(-E2BIG, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
	args.more[63] = 0;
	EXPECT_EQ(1, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
	args.a.__reserved = 1;
	EXPECT_EQ(-EINVAL, cp(self->pid, self->out, CHECKPOINT_ARGS, &args, sizeof(args)));
}

TEST_F(abi, restart_errors)
{
	struct {
		struct restart_args a;
		char more[64];
	} args = { .a.log_fd = -1, .a.done_fd = -1 };
	int in = open("/dev/zero", O_RDONLY), wo = self->out;
	unsigned long f = RESTART_TASKSELF | RESTART_ARGS;

	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_TASKSELF | 1UL << 7, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_TASKSELF | 1UL << 63, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(1, in, RESTART_TASKSELF, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(-1, in, RESTART_TASKSELF, NULL, 0));
	/* In one way, and one way only. */
	EXPECT_EQ(-EINVAL, rs(0, in, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_TASKSELF | RESTART_CONTEXT, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_MEMBER | RESTART_RUN, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_MEMBER | RESTART_NO_PIDS, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_RUN | RESTART_TIME_HOST, NULL, 0));
	/* What is no context cannot be taken part in. */
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_MEMBER, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, RESTART_RUN, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, -1, RESTART_MEMBER, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, -1, RESTART_RUN, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(1, in, RESTART_RUN, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, -1, RESTART_CONTEXT, NULL, 0));
	EXPECT_EQ(-ENOEXEC, rs(0, in, RESTART_CONTEXT, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, -1, RESTART_TASKSELF, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, 9999, RESTART_TASKSELF, NULL, 0));
	EXPECT_EQ(-EBADF, rs(0, wo, RESTART_TASKSELF, NULL, 0));
	EXPECT_EQ(-EINVAL, rs(0, in, f, &args, RESTART_ARGS_SIZE_VER0 - 1));
	EXPECT_EQ(-EFAULT, rs(0, in, f, NULL, RESTART_ARGS_SIZE_VER0));
	args.more[0] = 1;
	EXPECT_EQ(-E2BIG, rs(0, in, f, &args, sizeof(args)));
	args.more[0] = 0;
	/* Zeros are no image, but the arguments were fine. */
	EXPECT_EQ(-ENOEXEC, rs(0, in, f, &args, sizeof(args)));
	args.a.log_fd = 9999;
	EXPECT_EQ(-EBADF, rs(0, in, f, &args, sizeof(args)));
	args.a.log_fd = in;
	EXPECT_EQ(-EBADF, rs(0, in, f, &args, sizeof(args)));
	args.a.log_fd = -1;
	args.a.done_fd = 9999;
	EXPECT_EQ(-EBADF, rs(0, in, f, &args, sizeof(args)));
	args.a.done_fd = in;
	EXPECT_EQ(-EBADF, rs(0, in, f, &args, sizeof(args)));
	args.a.done_fd = -1;
	args.a.prefix_len = CKPT_PREFIX_MAX + 1;
	EXPECT_EQ(-E2BIG, rs(0, in, f, &args, sizeof(args)));
	args.a.prefix_len = 16;
	EXPECT_EQ(-EFAULT, rs(0, in, f, &args, sizeof(args)));
	args.a.prefix_len = 0;
	args.a.nr_inherit = CKPT_INHERIT_MAX + 1;
	EXPECT_EQ(-E2BIG, rs(0, in, f, &args, sizeof(args)));
	args.a.nr_inherit = 1;
	EXPECT_EQ(-EFAULT, rs(0, in, f, &args, sizeof(args)));
	close(in);
}

static int gone_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void *thread_sleeps(void *arg)
{
	*(pid_t *)arg = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

TEST_F(abi, which_process)
{
	pid_t pid = gone_pid(), tid = 0;
	char text[64];
	pthread_t th;

	EXPECT_EQ(-ESRCH, ckpt_save_fd(pid, self->out, 0, NULL));
	snprintf(text, sizeof(text), "pid %d", pid);
	EXPECT_NE(NULL, strstr(ckpt_log_text, text));
	EXPECT_EQ(-EINVAL, ckpt_save_fd(-1, self->out, 0, NULL));
	EXPECT_EQ(-EINVAL, ckpt_save_fd(INT32_MIN, self->out, 0, NULL));
	/* kthreadd */
	EXPECT_EQ(-EINVAL, ckpt_save_fd(2, self->out, 0, NULL));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "kernel thread"));

	ASSERT_EQ(0, pthread_create(&th, NULL, thread_sleeps, &tid));
	while (!*(volatile pid_t *)&tid)
		usleep(1000);
	EXPECT_EQ(-EINVAL, ckpt_save_fd(tid, self->out, 0, NULL));
	snprintf(text, sizeof(text), "process %d", getpid());
	EXPECT_NE(NULL, strstr(ckpt_log_text, text))
		TH_LOG("%s", ckpt_log_text);
}

TEST_F(abi, query)
{
	unsigned char buf[128];
	struct ckpt_caps caps;
	struct checkpoint_args args = {
		.log_fd = -1, .caps = (uintptr_t)buf, .caps_size = sizeof(caps),
	};
	unsigned long f = CHECKPOINT_QUERY | CHECKPOINT_ARGS;
	int i;

	EXPECT_EQ(0, cp(-1, -1, f, &args, sizeof(args)));
	memcpy(&caps, buf, sizeof(caps));
	EXPECT_EQ(CKPT_ABI_VERSION, caps.abi_version);
	EXPECT_EQ(CKPT_IMAGE_VERSION, caps.image_version);
	EXPECT_LE(CHECKPOINT_ARGS_SIZE_VER0, caps.checkpoint_args_size);
	EXPECT_LE(RESTART_ARGS_SIZE_VER0, caps.restart_args_size);
	EXPECT_TRUE(caps.checkpoint_flags & CHECKPOINT_KILL);
	EXPECT_TRUE(caps.restart_flags & RESTART_TASKSELF);

	/* An older caller gets the beginning, a newer one zeros at the end. */
	memset(buf, 0xff, sizeof(buf));
	args.caps_size = 8;
	EXPECT_EQ(0, cp(0, -1, f, &args, sizeof(args)));
	EXPECT_EQ(0, memcmp(buf, &caps, 8));
	EXPECT_EQ(0xff, buf[8]);
	args.caps_size = 100;
	EXPECT_EQ(0, cp(0, -1, f, &args, sizeof(args)));
	EXPECT_EQ(0, memcmp(buf, &caps, sizeof(caps)));
	for (i = sizeof(caps); i < 128; i++)
		EXPECT_EQ(i < 100 ? 0 : 0xff, buf[i]);
	args.caps = 8;
	EXPECT_EQ(-EFAULT, cp(0, -1, f, &args, sizeof(args)));
}

TEST_F(abi, stats)
{
	int out = memfd_create("image", 0);
	struct ckpt_stats stats = {};
	struct stat st;

	ASSERT_LT(0, ckpt_save_fd(self->pid, out, 0, &stats));
	ASSERT_EQ(0, fstat(out, &st));
	EXPECT_EQ(st.st_size, stats.image_bytes);
	EXPECT_EQ(st.st_size, lseek(out, 0, SEEK_CUR));
	EXPECT_GT(stats.image_bytes, stats.meta_bytes);
	EXPECT_GE(stats.image_bytes, stats.meta_bytes + 4096 * stats.pages_written);
	EXPECT_LT(0, stats.meta_bytes);
	EXPECT_LT(0, stats.pages_written);
	EXPECT_EQ(1, stats.tasks);
	EXPECT_LT(0, stats.objects);
	EXPECT_LT(0, stats.freeze_ns);
	EXPECT_LE(stats.freeze_ns, stats.frozen_ns);
	EXPECT_LE(stats.frozen_ns, stats.total_ns);
	close(out);
}

TEST_F(abi, output_is_a_closed_pipe)
{
	int p[2];

	ASSERT_EQ(0, pipe(p));
	close(p[0]);
	EXPECT_EQ(-EPIPE, ckpt_save_fd(self->pid, p[1], CHECKPOINT_KILL, NULL));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "offset"));
	EXPECT_EQ(-1, ckpt_wait(self->pid, 100));
	close(p[1]);
}

TEST_F(abi, output_is_full)
{
	const char *dir = "/tmp/abi.small";
	int out;

	mkdir(dir, 0700);
	ASSERT_EQ(0, mount("none", dir, "tmpfs", 0, "size=16k"));
	out = open("/tmp/abi.small/image", O_WRONLY | O_CREAT, 0600);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	ASSERT_LE(0, out);
	EXPECT_EQ(-ENOSPC, ckpt_save_fd(self->pid, out, CHECKPOINT_KILL, NULL));
	EXPECT_NE(NULL, strstr(ckpt_log_text, "offset"));
	EXPECT_EQ(-1, ckpt_wait(self->pid, 100));
	close(out);
}

TEST_F(abi, somebody_else)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(99);
		status = ckpt_save_fd(self->pid, self->out, CHECKPOINT_KILL, NULL);
		_exit(status == -EPERM && strstr(ckpt_log_text, "may not be saved") ?
		      0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(abi, traced)
{
	char text[64];

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->pid, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save_fd(self->pid, self->out, 0, NULL));
	snprintf(text, sizeof(text), "traced by pid %d", getpid());
	EXPECT_NE(NULL, strstr(ckpt_log_text, text))
		TH_LOG("%s", ckpt_log_text);
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->pid, 0, 0));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, 0, 0));
	EXPECT_LT(0, ckpt_save_fd(self->pid, self->out, 0, NULL));
}

static void many_reasons(void *arg)
{
	pid_t tid = 0;
	pthread_t th;
	int shm;

	if (socket(AF_INET, SOCK_DGRAM, 0) < 0)
		_exit(1);
	pthread_create(&th, NULL, thread_sleeps, &tid);
	shm = shmget(IPC_PRIVATE, 4096, 0600);
	if (shmat(shm, NULL, 0) == (void *)-1 || shmctl(shm, IPC_RMID, NULL))
		_exit(1);
	if (!fork()) {
		struct io_uring_params params = {};

		/* Reasons of the children count as well. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (syscall(SYS_io_uring_setup, 1, &params) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ticker(arg);
}

TEST_F(abi, all_reasons_at_once)
{
	static const char *const words[] = { "AF_INET", "mapping", "io_uring" };
	struct stat st;
	pid_t pid;
	int i;

	ASSERT_EQ(0, stat(ALIVE, &st));
	pid = ckpt_spawn(many_reasons, &self->fd, self->fd);
	ckpt_sleep_ms(300);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save_fd(pid, -1, CHECKPOINT_CHECK, NULL));
	ckpt_sleep_ms(100);
	for (i = 0; i < 3; i++)
		EXPECT_NE(NULL, strstr(ckpt_log_text, words[i]))
			TH_LOG("no \"%s\" in:\n%s", words[i] ?: "", ckpt_log_text);
	/* For real it is the same, and nothing is written. */
	EXPECT_EQ(-EOPNOTSUPP, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL));
	EXPECT_EQ(0, stat(CKPT_IMG, &st));
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(-1, ckpt_wait(pid, 50));
	ckpt_kill(pid);
	unlink(CKPT_IMG);
}

TEST_HARNESS_MAIN
