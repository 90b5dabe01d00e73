// SPDX-License-Identifier: GPL-2.0
/*
 * The guest itself: is it what the other tests take it for?
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kselftest_harness.h"

TEST(kernel_version)
{
	char buf[256] = "";
	FILE *f;

	f = fopen("/proc/version", "r");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(buf, sizeof(buf), f));
	fclose(f);
	EXPECT_EQ(0, strncmp(buf, "Linux version 6.12.", 19));
}

TEST(file_systems)
{
	static const char * const files[] = {
		"/proc/self/pagemap",
		"/proc/self/timens_offsets",
		"/sys/kernel/tracing/trace",
		"/sys/kernel/debug",
		"/sys/fs/cgroup/cgroup.procs",
		"/dev/ptmx",
		"/dev/shm",
		"/dev/mqueue",
		"/usr/bin/bc",
		"/lib64/ld-linux-x86-64.so.2",
	};
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		EXPECT_EQ(0, access(files[i], F_OK))
			TH_LOG("%s is missing", files[i]);
	}
}

TEST(dynamic_program)
{
	char buf[16] = "";
	FILE *f;

	f = popen("echo 6*7 | /usr/bin/bc -lq", "r");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(buf, sizeof(buf), f));
	EXPECT_EQ(0, pclose(f));
	EXPECT_EQ(0, strcmp(buf, "42\n"));
}

TEST(two_cpus)
{
	EXPECT_LE(2, sysconf(_SC_NPROCESSORS_ONLN));
}

TEST_HARNESS_MAIN
