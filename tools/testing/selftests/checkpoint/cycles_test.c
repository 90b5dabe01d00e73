// SPDX-License-Identifier: GPL-2.0
/*
 * One process is saved, killed and brought back again and again. What a cycle
 * leaves behind adds up: descriptors, processes, memory.
 */
#include "ckpt_test.h"

#include <dirent.h>

#define CYCLES		500
#define COUNTED		"/tmp/cycles.log"
#define STOP		"/tmp/cycles.stop"
/* What 480 cycles may cost in all: about 17 kB each. */
#define MAX_DRIFT_KB	(8 * 1024)

#define TABLE		4096

static unsigned long table[TABLE];

/* Counts until told to stop; the table shows whether it ever lost a step. */
static void counter(void *arg)
{
	unsigned long n = 0, sum = 0, i;
	int fd = *(int *)arg;

	while (access(STOP, F_OK)) {
		table[n % TABLE] += n;
		sum += n++;
		pwrite(fd, &n, sizeof(n), 0);
		usleep(200);
	}
	for (i = 0; i < TABLE; i++)
		sum -= table[i];
	_exit(sum ? 43 : 42);
}

static int entries(const char *path, bool numbers)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char exe[300], buf[16];
	int n = 0;

	while (d && (e = readdir(d))) {
		snprintf(exe, sizeof(exe), "%s/%s/exe", path, e->d_name);
		/* Kernel threads come and go: they have no executable. */
		if (!numbers || (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
				 readlink(exe, buf, sizeof(buf)) > 0))
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* The sum of what @scan finds in the lines of @path, in units of @scale kB. */
static long read_kb(const char *path, const char *scan, long scale)
{
	char line[128];
	long n, sum = 0;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, scan, &n) == 1)
			sum += n * scale;
	if (f)
		fclose(f);
	return sum;
}

static long available_kb(void)
{
	long kb;

	/* Caches are not leaks. */
	sync();
	if (!ckpt_write_text("/proc/sys/vm/drop_caches", "3"))
		perror("drop_caches");
	ckpt_sleep_ms(300);
	kb = read_kb("/proc/meminfo", "MemAvailable: %ld kB", 1);
	/*
	 * Pages on the lists of a processor are free but not counted as such,
	 * and the lists grow by megabytes when many pages are freed.
	 */
	return kb + read_kb("/proc/zoneinfo", " count: %ld", 4);
}

FIXTURE(cycles)
{
	int fd;
	pid_t pid;
};

FIXTURE_SETUP(cycles)
{
	unlink(STOP);
	unlink(COUNTED);
	self->fd = open(COUNTED, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, self->fd);
	self->pid = ckpt_spawn(counter, &self->fd, self->fd);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(ckpt_wait_size(COUNTED, sizeof(long), 10000));
}

FIXTURE_TEARDOWN(cycles)
{
	ckpt_kill(self->pid);
	close(self->fd);
	unlink(STOP);
	unlink(COUNTED);
	unlink(CKPT_IMG);
}

TEST_F_TIMEOUT(cycles, five_hundred, 300)
{
	int i, fds = 0, processes = 0, moved = 0;
	unsigned long at, was = 0;
	long kb = 0, now;

	for (i = 0; i < CYCLES; i++) {
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, CHECKPOINT_KILL))
			TH_LOG("%d: %s", i, ckpt_log_text);
		ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
		ASSERT_EQ(sizeof(at), pread(self->fd, &at, sizeof(at), 0));
		/* It never goes back. */
		ASSERT_LE(was, at)
			TH_LOG("cycle %d", i);
		moved += at > was;
		was = at;
		ASSERT_EQ(self->pid, ckpt_restart(CKPT_IMG, self->pid))
			TH_LOG("%d: %s", i, ckpt_log_text);
		ckpt_sleep_ms(2);
		/* Once all that is made on first use is there. */
		if (i == 20) {
			fds = entries("/proc/self/fd", false);
			processes = entries("/proc", true);
			kb = available_kb();
		}
	}
	EXPECT_EQ(fds, entries("/proc/self/fd", false));
	EXPECT_EQ(processes, entries("/proc", true));
	now = available_kb();
	EXPECT_GT(MAX_DRIFT_KB, kb - now)
		TH_LOG("%ld kB available, then %ld kB", kb, now);

	EXPECT_LT(CYCLES / 4, moved);
	ckpt_touch(STOP);
	EXPECT_EQ(42, ckpt_wait(self->pid, 10000));
}

TEST_HARNESS_MAIN
