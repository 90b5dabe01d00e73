/* SPDX-License-Identifier: GPL-2.0 */
/* Stand for a program in front of its caller: signals, terminal, status. */
#ifndef _CKPT_TOOLS_JOB_H
#define _CKPT_TOOLS_JOB_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct job - the program that we stand for
 * @pid: of its first process
 * @pidfd: likewise
 * @apart: it is not in our process group
 * @tty: our terminal, where the program is to have it; else -1
 * @sigfd: from job_signals()
 */
struct job {
	pid_t pid;
	int pidfd;
	bool apart;
	int tty;
	int sigfd;
};

/* Block the signals that are passed on; returns a signalfd for them, or -1. */
int job_signals(void);

/* Make the program's process group that of the foreground, and back to ours. */
void job_give_terminal(struct job *job);
void job_take_terminal(struct job *job);

/*
 * Wait for the program to end; meanwhile pass on signals, and stop and continue
 * with it. Returns its status as wait(2) encodes it.
 */
int job_wait(struct job *job);

#endif /* _CKPT_TOOLS_JOB_H */
