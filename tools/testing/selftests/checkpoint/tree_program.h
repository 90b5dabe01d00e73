/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program of many tasks that is saved and brought back with restart(1). Each
 * task says ready() when it is there. See program.h.
 */
#ifndef _CKPT_TREE_PROGRAM_H
#define _CKPT_TREE_PROGRAM_H

#include "program.h"

#include <sched.h>
#include <sys/prctl.h>

#define PIDFILE	"/tmp/program.pid"

/* ---- in the program -------------------------------------------------- */

struct ids {
	pid_t pid, tid, ppid, pgid, sid;
};

static inline struct ids ids_now(void)
{
	return (struct ids){
		getpid(), syscall(SYS_gettid), getppid(), getpgid(0), getsid(0),
	};
}

/* Says that it is there, and looks whether it is the same afterwards. */
static inline void stay_the_same(void)
{
	struct ids was = ids_now(), is;

	ready();
	wait_go();
	is = ids_now();
	MUST(!memcmp(&was, &is, sizeof(is)));
}

static inline void collect(pid_t pid, int want)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == want);
}

/* A child that says by its exit code GOOD that all was well. */
static inline pid_t start_child(void (*fn)(void), long blocks_in)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		fn();
		_exit(GOOD);
	}
	MUST(ckpt_wait_syscall(pid, blocks_in));
	return pid;
}

static inline void tree_body(void *arg)
{
	((void (*)(void))arg)();
	_exit(GOOD);
}

/* ---- in the test ------------------------------------------------------ */

static inline bool all_ready(int nr)
{
	const char *p;
	int i, n;

	for (i = 0; i < 2000; i++) {
		for (n = 0, p = log_text(); (p = strstr(p, "ready\n")); p++)
			n++;
		if (n >= nr)
			return true;
		ckpt_sleep_ms(5);
	}
	return false;
}

static inline void begin_tree(struct __test_metadata *_metadata)
{
	begin(_metadata);
	/* The restarted root is ours once the command has gone. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

static inline void end_tree(pid_t pid)
{
	end(pid);
	unlink(PIDFILE);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* With a file system of its own. */
static inline void begin_tree_files(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
}

static inline void end_tree_files(pid_t pid)
{
	end_tree(pid);
	umount_files();
}

/* The children of this process are born in the pid namespace of @pid. */
static inline int enter_pidns(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret;

	if (fd < 0)
		return -1;
	ret = setns(fd, CLONE_NEWPID);
	close(fd);
	return ret;
}

/* Starts a program of @nr tasks, perhaps as the init of a pid namespace. */
static inline pid_t start_tree(struct __test_metadata *_metadata,
			       void (*program)(void), int nr, bool container)
{
	pid_t pid;

	if (container)
		ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = ckpt_spawn(tree_body, program, log_fd);
	ASSERT_LT(0, pid);
	if (container)
		ASSERT_EQ(0, enter_pidns(getpid()));
	ASSERT_TRUE(all_ready(nr)) {
		TH_LOG("%s", log_text());
	}
	return pid;
}

/* All that dies of the tree comes to us. */
static inline void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* Returns the pid of the root, or -1. */
static inline pid_t restart_image(const char *options)
{
	char cmd[256], text[32];

	snprintf(cmd, sizeof(cmd), "restart --detach -i %s --pidfile=%s %s 2>&1",
		 CKPT_IMG, PIDFILE, options);
	if (system(cmd) || ckpt_read_text(PIDFILE, text, sizeof(text)) <= 0)
		return -1;
	return atoi(text);
}

static inline void kill_tree(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_LT(0, ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	reap_all();
}

/* The whole way; where it is not in a container of its own, with its pid. */
static inline void kill_and_restart(struct __test_metadata *_metadata,
				    pid_t *pid, bool container)
{
	pid_t was = *pid;

	kill_tree(_metadata, was);
	*pid = restart_image("");
	ASSERT_LT(0, *pid);
	if (!container)
		ASSERT_EQ(was, *pid);
}

/* Brings it back once more from the image that it came from. */
static inline void restart_again(struct __test_metadata *_metadata, pid_t *pid)
{
	/* It leads its process group. */
	ASSERT_EQ(0, kill(-*pid, SIGKILL));
	reap_all();
	*pid = restart_image("");
	ASSERT_LT(0, *pid);
}

/* A program that is killed twice, and restarted twice from one image. */
static inline void program_comes_back(struct __test_metadata *_metadata,
				      pid_t *pid, const struct program *program)
{
	*pid = start_program(_metadata, program);
	kill_and_restart(_metadata, pid, false);
	restart_again(_metadata, pid);
	kill_and_restart(_metadata, pid, false);
	ends_well(_metadata, pid);
}

/* A program that is saved and left alone. */
static inline void program_goes_on(struct __test_metadata *_metadata, pid_t *pid,
				   const struct program *program)
{
	*pid = start_program(_metadata, program);
	ASSERT_LT(0, ckpt_save(*pid, CKPT_IMG, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, pid);
}

/* They all found what they had to find. */
static inline void tree_ends_well(struct __test_metadata *_metadata, pid_t *pid)
{
	int code;

	go();
	code = ckpt_wait(*pid, 10000);
	EXPECT_EQ(GOOD, code) {
		TH_LOG("%s", log_text());
	}
	if (code != -1)
		*pid = 0;
}

#endif /* _CKPT_TREE_PROGRAM_H */
