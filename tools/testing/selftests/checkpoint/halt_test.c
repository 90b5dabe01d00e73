// SPDX-License-Identifier: GPL-2.0
/*
 * A task that does not come to a halt: it writes to a file system that is
 * frozen, and cannot be interrupted there. The checkpoint waits no longer than
 * it was told to, names the task and where it waits, and lets the others go on.
 *
 *	root	counts
 *	child	write()	waits for the file system
 */
#include "tree_program.h"

#define FILE_ON_DISK	DIRECTORY "/f"
#define WRITE		"/tmp/halt.write"
#define STATE		"/tmp/halt.state"
#define WAIT_MS		300

static struct shared {
	volatile unsigned long steps;
	volatile pid_t child;
} *sh;

static bool map_state(int flags)
{
	int fd = open(STATE, O_RDWR | O_CLOEXEC | flags, 0600);
	bool ok = !ftruncate(fd, sizeof(*sh));

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return ok && sh != MAP_FAILED;
}

static void writes(void)
{
	int fd = open(FILE_ON_DISK, O_RDWR | O_CREAT, 0600);

	MUST(fd >= 0);
	ready();
	wait_for(WRITE);
	MUST(write(fd, "written", 7) == 7);
	wait_go();
}

static void counts(void)
{
	pid_t child;

	MUST(map_state(0));
	child = fork();
	MUST(child >= 0);
	if (!child) {
		writes();
		_exit(GOOD);
	}
	sh->child = child;
	ready();
	while (access(GO, F_OK)) {
		sh->steps++;
		ckpt_sleep_ms(1);
	}
	collect(child, GOOD);
}

FIXTURE(halt)
{
	pid_t pid;
	int disk;
};

FIXTURE_SETUP(halt)
{
	begin_tree(_metadata);
	ASSERT_TRUE(map_state(O_CREAT));
	ASSERT_TRUE(mount_disk());
	self->pid = start_tree(_metadata, counts, 2, false);
	self->disk = open(DIRECTORY, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(self->disk, FIFREEZE, 0));
	ckpt_touch(WRITE);
	ASSERT_TRUE(ckpt_wait_state(sh->child, 'D'));
}

FIXTURE_TEARDOWN(halt)
{
	ioctl(self->disk, FITHAW, 0);
	close(self->disk);
	end_tree(self->pid);
	unlink(WRITE);
	unlink(STATE);
	umount_disk();
}

static bool counts_on(int within_ms)
{
	unsigned long was = sh->steps;
	int i;

	for (i = 0; i < within_ms && sh->steps < was + 5; i++)
		ckpt_sleep_ms(1);
	return sh->steps >= was + 5;
}

/* All that was asked for happens once the file system lets it. */
static void comes_to_a_halt(struct __test_metadata *_metadata, pid_t *pid,
			    int disk)
{
	char text[8] = "";
	int fd;

	ASSERT_TRUE(counts_on(5000));
	ASSERT_EQ('D', ckpt_state(sh->child));
	ASSERT_EQ(0, ioctl(disk, FITHAW, 0));
	kill_and_restart(_metadata, pid, false);
	tree_ends_well(_metadata, pid);
	fd = open(FILE_ON_DISK, O_RDONLY);
	EXPECT_EQ(7, read(fd, text, sizeof(text)));
	EXPECT_STREQ("written", text);
	close(fd);
}

static long save_within(pid_t pid, unsigned int ms)
{
	struct checkpoint_args args = {
		.log_fd = ckpt_log_begin(),
		.freeze_timeout_ms = ms,
	};
	int out = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	long ret = sys_checkpoint(pid, out, CHECKPOINT_KILL | CHECKPOINT_SUBTREE |
				  CHECKPOINT_ARGS, &args, sizeof(args));

	if (ret < 0)
		ret = -errno;
	close(out);
	ckpt_log_end(args.log_fd);
	return ret;
}

TEST_F(halt, is_waited_for_no_longer)
{
	char who[32];
	const char *const line[] = {
		who, " did not come to a halt within 300 ms; it waits in percpu_",
		NULL,
	};
	long long start = ckpt_now_ms(), took;

	ASSERT_EQ(-ETIMEDOUT, save_within(self->pid, WAIT_MS));
	took = ckpt_now_ms() - start;
	EXPECT_LE(WAIT_MS, took);
	EXPECT_GE(WAIT_MS + 5000, took);
	snprintf(who, sizeof(who), "pid %d (", sh->child);
	EXPECT_TRUE(ckpt_log_says(line)) {
		TH_LOG("%s", ckpt_log_text);
	}
	comes_to_a_halt(_metadata, &self->pid, self->disk);
}

/* Nobody has to wait until the time is over. */
TEST_F(halt, saver_is_killed)
{
	pid_t saver = fork();

	if (!saver)
		_exit(save_within(self->pid, 600000) == -ETIMEDOUT);
	/* The root stands still before that. */
	while (counts_on(200))
		;
	ASSERT_EQ(0, kill(saver, SIGKILL));
	ASSERT_EQ(saver, waitpid(saver, NULL, 0));
	comes_to_a_halt(_metadata, &self->pid, self->disk);
}

TEST_HARNESS_MAIN
