// SPDX-License-Identifier: GPL-2.0
/*
 * restart - bring a program back from an image
 *
 *	this process			the new root task
 *	------------			-----------------
 *	read header and tree
 *	restart(RESTART_CONTEXT)
 *	clocks
 *	create the root			setsid(), setpgid()
 *	terminal, pidfile		wait for "go"
 *	fork the runner, which calls
 *	  restart(RESTART_RUN)
 *	"go" ------------------------->	create the others
 *	wait for the runner's report	restart(RESTART_MEMBER), all of them
 *	publish the pidfile		(each is the program again)
 *	detach, or stand for it
 *
 * The runner is there for this process to hear of signals meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checkpoint.h"
#include "clocks.h"
#include "explain.h"
#include "job.h"
#include "mktree.h"
#include "output.h"
#include "util.h"

/* Not a status that programs use: the caller can tell it from theirs. */
#define EXIT_FAILED	125
/**
 * struct bringup - one run of the program
 * @file: -i
 * @fd: --input-fd, or where the image is
 * @image: the same for messages
 * @detach: -d
 * @pidfile: --pidfile
 * @no_pids: -P
 * @time_host: --time=host
 * @flags: RESTART_* for the call
 * @log_path: -l
 * @verbose: -v
 * @copy_status: --copy-status
 * @show_status: --show-status
 * @inherit: --inherit-fd
 * @nr_inherit: number of entries
 * @keys: likewise, by key
 * @nr_keys: number of entries
 * @log: the kernel's lines
 * @tree: tasks of the image
 * @mk: tasks here
 * @pidout: the pidfile before it has its name
 * @go: pipe, from us to the task
 * @report: pipe, from the runner to us
 * @runner: the process that coordinates the restart
 * @stats: of the restart
 * @job: the program
 */
struct bringup {
	const char *file;
	int fd;
	const char *image;
	bool detach;
	const char *pidfile;
	bool no_pids;
	bool time_host;
	unsigned long flags;
	const char *log_path;
	bool verbose;
	bool copy_status;
	bool show_status;
	struct ckpt_inherit_fd *inherit;
	__u32 nr_inherit;
	struct ckpt_inherit_key *keys;
	__u32 nr_keys;

	struct klog log;
	struct ckpt_tree *tree;
	struct mktree mk;
	struct output pidout;
	int go[2];
	int report[2];
	pid_t runner;
	struct ckpt_stats stats;
	struct job job;
};

/**
 * struct report - what came of the restart
 * @err: 0, or an errno
 * @stats: of the restart
 */
struct report {
	int err;
	struct ckpt_stats stats;
};

static void print_usage(FILE *f)
{
	fputs("Usage: restart [OPTION]...\n"
	      "Bring a program back from the image on the standard input.\n"
	      "\n"
	      "  -i, --input=FILE       read the image from FILE; - is the standard input\n"
	      "      --input-fd=FD      read the image from the open descriptor FD\n"
	      "  -w, --wait             stand for the program until it ends (default)\n"
	      "  -d, --detach           return as soon as the program runs\n"
	      "      --pidfile=FILE     write its pid to FILE before it is reported running\n"
	      "      --inherit-fd=N=FD  open descriptor FD takes the place of its descriptor N\n"
	      "      --inherit-fd=N=PATH  the same with a file\n"
	      "      --inherit-fd=KEY=FD  likewise for the file that checkpoint --external=KEY\n"
	      "      --inherit-fd=KEY=PATH  has declared, or that has the path KEY\n"
	      "  -P, --no-pids          its processes may get other pids than they had\n"
	      "      --time=continue    after a reboot, its clocks go on from the image (default)\n"
	      "      --time=host        after a reboot, it sees the clocks of this machine\n"
	      "      --force-files      take files although their contents may have changed\n"
	      "      --copy-status      end by the signal that ended the program\n"
	      "      --show-status      tell how the program ended\n"
	      "  -l, --log=FILE         lines of the kernel to FILE instead of stderr\n"
	      "  -v, --verbose          tell what is done\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Exit status: 125 if the program was not restarted. Otherwise, with --detach 0;\n"
	      "with --wait that of the program, or 128+N if signal N ended it.\n", f);
}

static __noreturn void usage_error(void)
{
	fputs("Try 'restart --help'.\n", stderr);
	exit(EXIT_FAILED);
}

static int fd_number(const char *s)
{
	long val;

	if (parse_long(s, 0, INT_MAX, &val))
		return val;
	msg("%s is not a descriptor", s);
	usage_error();
}

/*
 * As much access as there is: the kernel compares it with what was saved. A FIFO
 * with nobody at its other end is not waited for.
 */
static int open_inherited(const char *path)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = open(path, modes[i] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0) {
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
			return fd;
		}
	}
	msg("cannot open %s for --inherit-fd: %s", path,
	    errno == ENXIO ? "nobody is at its other end" : strerror(errno));
	exit(EXIT_FAILED);
}

static void *grow(void *list, __u32 nr, __u32 max, size_t size)
{
	if (nr == max) {
		msg("more than %u times --inherit-fd", max);
		usage_error();
	}
	list = reallocarray(list, nr + 1, size);
	if (list)
		return list;
	msg("out of memory");
	exit(EXIT_FAILED);
}

/* The key stays where it is, in the argument. */
static void add_inherit(struct bringup *b, char *arg)
{
	char *key = arg, *eq = strchr(arg, '=');
	long fd, saved;

	if (!eq || eq == arg || !eq[1] || eq - arg >= CKPT_PATH_MAX) {
		msg("--inherit-fd takes N=FD, N=PATH, KEY=FD or KEY=PATH, not %s", arg);
		usage_error();
	}
	if (!parse_long(eq + 1, 0, INT_MAX, &fd)) {
		fd = open_inherited(eq + 1);
	} else if (fcntl(fd, F_GETFD) < 0) {
		msg("--inherit-fd=%s: descriptor %ld is not open", arg, fd);
		exit(EXIT_FAILED);
	}
	*eq = 0;
	if (parse_long(key, 0, INT_MAX, &saved)) {
		b->inherit = grow(b->inherit, b->nr_inherit, CKPT_INHERIT_MAX,
				  sizeof(*b->inherit));
		b->inherit[b->nr_inherit++] = (struct ckpt_inherit_fd){
			.saved_fd = saved, .fd = fd,
		};
		return;
	}
	if (key[0] != '/' && !strchr(key, ':')) {
		msg("%s is not a descriptor, nor the key of a file", key);
		usage_error();
	}
	b->keys = grow(b->keys, b->nr_keys, CKPT_EXTERNAL_MAX, sizeof(*b->keys));
	b->keys[b->nr_keys++] = (struct ckpt_inherit_key){
		.key = (uintptr_t)key, .fd = fd,
	};
}

static bool parse_time(const char *s)
{
	if (!strcmp(s, "host"))
		return true;
	if (!strcmp(s, "continue"))
		return false;
	msg("--time takes continue or host, not %s", s);
	usage_error();
}

static void parse_options(struct bringup *b, int argc, char **argv)
{
	enum { OPT_FD = 256, OPT_PIDFILE, OPT_INHERIT, OPT_TIME, OPT_FORCE,
	       OPT_COPY, OPT_SHOW };
	static const struct option longopts[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "input-fd", required_argument, NULL, OPT_FD },
		{ "wait", no_argument, NULL, 'w' },
		{ "detach", no_argument, NULL, 'd' },
		{ "pidfile", required_argument, NULL, OPT_PIDFILE },
		{ "inherit-fd", required_argument, NULL, OPT_INHERIT },
		{ "no-pids", no_argument, NULL, 'P' },
		{ "time", required_argument, NULL, OPT_TIME },
		{ "force-files", no_argument, NULL, OPT_FORCE },
		{ "copy-status", no_argument, NULL, OPT_COPY },
		{ "show-status", no_argument, NULL, OPT_SHOW },
		{ "log", required_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:wdPl:vh", longopts, NULL)) >= 0) {
		switch (c) {
		case 'i':
			b->file = optarg;
			break;
		case OPT_FD:
			b->fd = fd_number(optarg);
			break;
		case 'w':
			b->detach = false;
			break;
		case 'd':
			b->detach = true;
			break;
		case OPT_PIDFILE:
			b->pidfile = optarg;
			break;
		case OPT_INHERIT:
			add_inherit(b, optarg);
			break;
		case 'P':
			b->no_pids = true;
			b->flags |= RESTART_NO_PIDS;
			break;
		case OPT_TIME:
			b->time_host = parse_time(optarg);
			break;
		case OPT_FORCE:
			b->flags |= RESTART_FORCE_FILES;
			break;
		case OPT_COPY:
			b->copy_status = true;
			break;
		case OPT_SHOW:
			b->show_status = true;
			break;
		case 'l':
			b->log_path = optarg;
			break;
		case 'v':
			b->verbose = true;
			break;
		case 'h':
			print_usage(stdout);
			exit(0);
		default:
			usage_error();
		}
	}
	if (optind < argc) {
		msg("what is %s? An image is named by --input=FILE", argv[optind]);
		usage_error();
	}
	if (b->file && b->fd >= 0) {
		msg("give either --input or --input-fd");
		usage_error();
	}
	if (b->file && !strcmp(b->file, "-"))
		b->file = NULL;
	if (b->time_host)
		b->flags |= RESTART_TIME_HOST;
}

static int open_image(struct bringup *b)
{
	char err[512];

	b->image = b->file ? b->file : "the image";
	if (b->file)
		b->fd = open(b->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else if (b->fd < 0)
		b->fd = STDIN_FILENO;
	if (b->fd < 0) {
		msg("cannot open the image %s: %s", b->file, strerror(errno));
		return -1;
	}
	if (isatty(b->fd)) {
		msg("an image is not read from a terminal: use -i FILE, or a pipe");
		return -1;
	}
	b->tree = ckpt_tree_read(b->fd, err, sizeof(err));
	if (b->tree)
		return 0;
	msg("cannot restart %s: %s", b->image, err);
	return -1;
}

/*
 * From here to restart() the code runs in the new task.
 */

static void reset_signals(void)
{
	sigset_t none;
	int sig;

	/*
	 * A task in restart() can be killed from the terminal, but is not to
	 * stop. The program's own settings replace these.
	 */
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU ?
			    SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start_root(const struct mk_task *root, void *arg)
{
	const struct bringup *b = arg;
	char go;

	/* Our own end of it open, its other end would never be noticed gone. */
	close(b->go[1]);
	close(b->report[0]);
	close(b->report[1]);
	if (root->leads_session && setsid() < 0) {
		msg("%s was not restarted: the new process could not lead its session: %s",
		    b->image, strerror(errno));
		return -1;
	}
	if (root->leads_group && setpgid(0, 0)) {
		msg("%s was not restarted: the new process could not lead its process group: %s",
		    b->image, strerror(errno));
		return -1;
	}
	if (read(b->go[0], &go, 1) != 1)
		return -1;
	close(b->go[0]);
	reset_signals();
	return 0;
}

static __noreturn void run_restart(const struct bringup *b)
{
	struct report report = { 0 };
	struct restart_args args = {
		.log_fd = -1,
		.context_fd = -1,
		.done_fd = -1,
		.stats = (uintptr_t)&report.stats,
		.stats_size = sizeof(report.stats),
	};

	close(b->report[0]);
	close(b->go[1]);
	if (restart(0, b->mk.context, RESTART_RUN, &args) < 0)
		report.err = errno;
	write_all(b->report[1], &report, sizeof(report));
	_exit(0);
}

/*
 * From here on the code runs in the command again.
 */

static int make_context(struct bringup *b)
{
	struct restart_args args = {
		.log_fd = b->log.fd,
		.context_fd = -1,
		.prefix = (uintptr_t)b->tree->prefix,
		.prefix_len = b->tree->prefix_len,
		.nr_inherit = b->nr_inherit,
		.inherit = (uintptr_t)b->inherit,
		.inherit_keys = (uintptr_t)b->keys,
		.nr_inherit_keys = b->nr_keys,
		.done_fd = -1,
	};

	b->mk.context = restart(0, b->fd, b->flags | RESTART_CONTEXT, &args);
	if (b->mk.context >= 0)
		return 0;
	explain_restart(errno, b->image, klog_show(&b->log));
	return -1;
}

static int prepare(struct bringup *b)
{
	if (b->pidfile && output_open(&b->pidout, b->pidfile, 0644))
		return -1;
	if (pipe2(b->go, O_CLOEXEC) || pipe2(b->report, O_CLOEXEC)) {
		msg("cannot make a pipe: %s", strerror(errno));
		return -1;
	}
	b->job.sigfd = job_signals();
	if (b->job.sigfd < 0) {
		msg("cannot set up signals: %s", strerror(errno));
		return -1;
	}
	return mktree_create(&b->mk, start_root, b);
}

/*
 * It must not have a pid that the tree needs. A large tree may need all that
 * come next.
 */
static int start_runner(struct bringup *b)
{
	pid_t pid, in_the_way = 0;
	int tries = 100;

	do {
		pid = in_the_way ? mktree_fork(&b->mk) : fork();
		if (!pid) {
			if (mktree_wants(&b->mk, getpid()))
				for (;;)
					pause();
			run_restart(b);
		}
		if (in_the_way > 0) {
			kill(in_the_way, SIGKILL);
			waitpid(in_the_way, NULL, 0);
		}
		in_the_way = pid;
	} while (pid > 0 && mktree_wants(&b->mk, pid) && --tries);
	if (pid > 0 && tries) {
		b->runner = pid;
		return 0;
	}
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	msg("cannot create a process: %s", pid < 0 ? strerror(errno) :
	    "the pids that are left are those of the image");
	return -1;
}

static void end_runner(struct bringup *b, bool kill_it)
{
	if (b->runner <= 0)
		return;
	if (kill_it)
		kill(b->runner, SIGKILL);
	while (waitpid(b->runner, NULL, 0) < 0 && errno == EINTR)
		;
	b->runner = 0;
}

static int find_terminal(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (tcgetpgrp(fd) >= 0)
			return fd;
	return -1;
}

/* The root is there and waits: all that has to be so when it runs. */
static int launch(struct bringup *b)
{
	const struct mk_task *root = &b->mk.tasks[b->mk.root];

	close(b->go[0]);
	b->job.pid = b->mk.pid;
	b->job.pidfd = b->mk.pidfd;
	b->job.apart = root->leads_group || root->leads_session;
	b->job.tty = b->detach ? -1 : find_terminal();
	if (b->pidfile &&
	    (dprintf(b->pidout.fd, "%d\n", b->mk.pid) < 0 ||
	     output_sync(&b->pidout))) {
		msg("cannot write %s: %s", b->pidfile, strerror(errno));
		return -1;
	}
	if (start_runner(b))
		return -1;
	close(b->report[1]);
	close(b->mk.context);
	job_give_terminal(&b->job);
	write_all(b->go[1], "", 1);
	close(b->go[1]);
	return 0;
}

static int end_signal(int sigfd)
{
	struct signalfd_siginfo si;

	while (read(sigfd, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo == SIGHUP || si.ssi_signo == SIGINT ||
		    si.ssi_signo == SIGQUIT || si.ssi_signo == SIGTERM)
			return si.ssi_signo;
	return 0;
}

/* End as if @sig had its default effect. */
static void die_by(int sig)
{
	struct rlimit no_core = { 0 };
	sigset_t set;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Returns 0 if the program runs, -1 after a message. */
static int read_outcome(struct bringup *b)
{
	struct report report;
	ssize_t n;

	do {
		n = read(b->report[0], &report, sizeof(report));
	} while (n < 0 && errno == EINTR);
	end_runner(b, false);
	if (n == sizeof(report)) {
		b->stats = report.stats;
		if (!report.err)
			return 0;
		explain_restart(report.err, b->image, klog_show(&b->log));
		return -1;
	}
	msg("%s was not restarted: the process that coordinates it was killed",
	    b->image);
	klog_show(&b->log);
	return -1;
}

static int wait_for_program(struct bringup *b)
{
	struct pollfd pfd[] = {
		{ .fd = b->report[0], .events = POLLIN },
		{ .fd = b->job.sigfd, .events = POLLIN },
	};
	int sig;

	for (;;) {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0)
			continue;
		if (pfd[0].revents)
			return read_outcome(b);
		sig = end_signal(b->job.sigfd);
		if (!sig)
			continue;
		job_take_terminal(&b->job);
		end_runner(b, true);
		mktree_kill(&b->mk);
		output_discard(&b->pidout);
		klog_show(&b->log);
		msg("interrupted by a signal (%s): nothing is left of the restart",
		    strsignal(sig));
		die_by(sig);
	}
}

static void show_stats(const struct ckpt_stats *st)
{
	char a[32], b[32], c[32];

	msg("image of %s: %s of metadata, %llu pages",
	    size_text(st->image_bytes, a, sizeof(a)),
	    size_text(st->meta_bytes, b, sizeof(b)), st->pages_written);
	msg("%u task%s, %u objects, restored in %s", st->tasks,
	    st->tasks == 1 ? "" : "s", st->objects,
	    time_text(st->total_ns, c, sizeof(c)));
}

static int report_running(struct bringup *b)
{
	klog_show(&b->log);
	if (b->pidfile && output_publish(&b->pidout)) {
		msg("the program runs as process %d nevertheless", b->job.pid);
		return -1;
	}
	if (b->verbose) {
		msg("%s runs as process %d", b->image, b->job.pid);
		show_stats(&b->stats);
	}
	return 0;
}

static int stand_for(struct bringup *b)
{
	int status = job_wait(&b->job);

	if (!WIFSIGNALED(status)) {
		if (b->show_status)
			msg("process %d ended with exit status %d", b->job.pid,
			    WEXITSTATUS(status));
		return WEXITSTATUS(status);
	}
	if (b->show_status)
		msg("process %d was ended by signal %d (%s)", b->job.pid,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (b->copy_status)
		die_by(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int bring_up(struct bringup *b)
{
	if (mktree_plan(&b->mk, b->tree, b->no_pids) ||
	    make_context(b) ||
	    clocks_prepare(&b->tree->header, b->time_host, b->verbose))
		goto fail;
	/* Every process of the tree would begin with a copy of it. */
	ckpt_tree_free(b->tree);
	b->tree = NULL;
	if (prepare(b))
		goto fail;
	if (launch(b) || wait_for_program(b)) {
		job_take_terminal(&b->job);
		end_runner(b, true);
		mktree_kill(&b->mk);
		goto fail;
	}
	if (report_running(b))
		return EXIT_FAILED;
	/* Who writes a pipe shall not wait for us. */
	close(b->fd);
	return b->detach ? 0 : stand_for(b);

fail:
	output_discard(&b->pidout);
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct bringup b = {
		.fd = -1,
		.pidout = { .fd = -1, .dir = -1 },
		.mk = { .pidfd = -1 },
		.job = { .pidfd = -1, .tty = -1, .sigfd = -1 },
	};
	int ret;

	parse_options(&b, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (klog_open(&b.log, b.log_path) || open_image(&b))
		return EXIT_FAILED;
	ret = bring_up(&b);
	ckpt_tree_free(b.tree);
	mktree_free(&b.mk);
	free(b.inherit);
	free(b.keys);
	return ret;
}
