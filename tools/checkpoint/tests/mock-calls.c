// SPDX-License-Identifier: GPL-2.0
/*
 * Stand-ins for the system calls, to try the programs on any kernel.
 *
 * MOCK_ERRNO	both calls fail with it, after a line in the log
 * MOCK_SLEEP	seconds that checkpoint() takes
 * MOCK_NO_HOLD	the kernel does not know CHECKPOINT_HOLD
 * MOCK_PROGRAM	shell command that restart() turns into
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "checkpoint.h"
#include "util.h"

static long fail(int log_fd)
{
	const char *err = getenv("MOCK_ERRNO");

	if (!err || !atoi(err))
		return 0;
	dprintf(log_fd, "this is the reason\n");
	errno = atoi(err);
	return -1;
}

long checkpoint(pid_t pid, int fd, unsigned long flags,
		struct checkpoint_args *args)
{
	struct ckpt_stats *stats = (void *)(uintptr_t)args->stats;

	(void)pid;
	if (flags & CHECKPOINT_HOLD && getenv("MOCK_NO_HOLD")) {
		errno = EINVAL;
		return -1;
	}
	if (flags & CHECKPOINT_CHECK)
		return fail(args->log_fd) ? -1 : 1;
	if (write(fd, "half an ", 8) != 8)
		return -1;
	if (getenv("MOCK_SLEEP"))
		sleep(atoi(getenv("MOCK_SLEEP")));
	if (fail(args->log_fd))
		return -1;
	if (write(fd, "image", 5) != 5)
		return -1;
	stats->image_bytes = 13;
	/* Something that refuses to kill. */
	if (flags & CHECKPOINT_HOLD)
		args->context_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 1;
}

/* Is what was consumed plus what is left a whole image? */
static bool image_arrives(int fd, const struct restart_args *args)
{
	FILE *f = tmpfile();
	struct ckpt_image *img;
	struct ckpt_record rec;
	char buf[4096];
	off_t pos = lseek(fd, 0, SEEK_CUR);
	ssize_t n;
	int ret;

	fwrite((void *)(uintptr_t)args->prefix, 1, args->prefix_len, f);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, f);
	fflush(f);
	rewind(f);
	if (pos >= 0)
		lseek(fd, pos, SEEK_SET);
	img = ckpt_image_open(fileno(f), CKPT_OPEN_VERIFY);
	while ((ret = ckpt_image_next(img, &rec)) > 0)
		;
	return !ret;
}

/* Stands for the context: the root writes a byte when it has come. */
static int context[2];
static struct restart_args context_args;
static unsigned long context_flags;

static long make_context(int fd, unsigned long flags, struct restart_args *args)
{
	if (!image_arrives(fd, args)) {
		errno = EBADMSG;
		return -1;
	}
	if (fail(args->log_fd) || pipe2(context, O_CLOEXEC))
		return -1;
	context_args = *args;
	context_flags = flags & ~(RESTART_CONTEXT | RESTART_ARGS);
	return context[0];
}

static __attribute__((noreturn)) void be_member(pid_t index)
{
	const struct ckpt_inherit_fd *inherit =
		(void *)(uintptr_t)context_args.inherit;
	const struct ckpt_inherit_key *keys =
		(void *)(uintptr_t)context_args.inherit_keys;
	char text[32];
	__u32 i;

	if (index)
		for (;;)
			pause();
	for (i = 0; i < context_args.nr_inherit; i++)
		dup2(inherit[i].fd, inherit[i].saved_fd);
	/* The first key, and its file as descriptor 50. */
	if (context_args.nr_inherit_keys) {
		setenv("MOCK_KEY", (char *)(uintptr_t)keys->key, 1);
		dup2(keys->fd, 50);
	}
	snprintf(text, sizeof(text), "%lx", context_flags);
	setenv("MOCK_FLAGS", text, 1);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, 0);
	if (write_all(context[1], "", 1))
		_exit(99);
	execl("/bin/sh", "sh", "-c", getenv("MOCK_PROGRAM"), NULL);
	_exit(98);
}

long restart(pid_t pid, int fd, unsigned long flags, struct restart_args *args)
{
	char c;

	if (flags & RESTART_CONTEXT)
		return make_context(fd, flags, args);
	if (flags & RESTART_MEMBER)
		be_member(pid);
	if (flags & RESTART_RUN && read(fd, &c, 1) == 1)
		return 1;
	errno = EINVAL;
	return -1;
}

int ckpt_query(struct ckpt_caps *caps)
{
	*caps = (struct ckpt_caps){
		.checkpoint_flags = getenv("MOCK_NO_HOLD") ? 0 : ~0ULL,
	};
	return 0;
}
