// SPDX-License-Identifier: GPL-2.0
/*
 * Stand for a program in front of its caller: signals, terminal, status.
 *
 * To the shell we are the job. A program that leads a process group gets the
 * terminal, as if the shell had started it; when it stops, we take the terminal
 * back and stop too, and when the shell continues us, it goes on.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"
#include "util.h"

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP,
	SIGCONT,
};

int job_signals(void)
{
	sigset_t set;

	/* What our caller has us ignore (nohup) stays ignored. */
	signal_set(&set, passed_on, ARRAY_SIZE(passed_on));
	/* Ignored, it would take the status of the program away. */
	signal(SIGCHLD, SIG_DFL);
	sigaddset(&set, SIGCHLD);
	/* We change the foreground from the background. */
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGTTOU);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void job_give_terminal(struct job *job)
{
	/* Only what is ours at the moment. */
	if (job->tty >= 0 && tcgetpgrp(job->tty) == getpgrp())
		tcsetpgrp(job->tty, job->pid);
}

void job_take_terminal(struct job *job)
{
	if (job->tty >= 0 && tcgetpgrp(job->tty) == job->pid)
		tcsetpgrp(job->tty, getpgrp());
}

static void send_signal(struct job *job, int sig)
{
	syscall(SYS_pidfd_send_signal, job->pidfd, sig, NULL, 0);
}

/* Is our process group one that no shell would continue? */
static bool orphaned(void)
{
	return getsid(0) == getpid() || getsid(getppid()) != getsid(0);
}

/* Stop our process group as ^Z does, and come back when it goes on. */
static void stop_ourselves(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	kill(0, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void stop_too(struct job *job, int sig)
{
	/*
	 * Without job control nobody would continue us. The kernel does not
	 * stop an orphaned process group from the terminal, so the program
	 * goes on at once; but a SIGSTOP is somebody's will.
	 */
	if (job->tty < 0 || (sig == SIGSTOP && orphaned()))
		return;
	job_take_terminal(job);
	stop_ourselves();
	job_give_terminal(job);
	send_signal(job, SIGCONT);
}

/* Returns true with the status once the program has ended. */
static bool reap(struct job *job, int *status)
{
	pid_t pid;

	while ((pid = waitpid(job->pid, status, WNOHANG | WUNTRACED | __WALL))) {
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0) {
			*status = 0;
			return true;
		}
		if (!WIFSTOPPED(*status))
			return true;
		stop_too(job, WSTOPSIG(*status));
	}
	return false;
}

static void pass_on(struct job *job)
{
	struct signalfd_siginfo si;

	while (read(job->sigfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		/* From the terminal its whole process group has it. */
		if (si.ssi_code == SI_KERNEL && !job->apart)
			continue;
		send_signal(job, si.ssi_signo);
	}
}

int job_wait(struct job *job)
{
	struct pollfd pfd[] = {
		{ .fd = job->pidfd, .events = POLLIN },
		{ .fd = job->sigfd, .events = POLLIN },
	};
	int status;

	while (!reap(job, &status)) {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) > 0 && pfd[1].revents)
			pass_on(job);
	}
	job_take_terminal(job);
	return status;
}
