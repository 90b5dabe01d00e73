// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint - save a running process and its descendants to an image
 *
 * The call is made by a thread of its own; the first thread shows the progress
 * and takes the signals. On a signal that ends the program the temporary file
 * goes first; the kernel then aborts the call and lets the process run.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint.h"
#include "explain.h"
#include "output.h"
#include "progress.h"
#include "util.h"

enum {
	EXIT_SAVED	= 0,
	EXIT_REFUSED	= 1,
	EXIT_USAGE	= 2,
	EXIT_NO_KERNEL	= 3,
	EXIT_NOT_KILLED	= 4,
};

/**
 * struct save - one run of the program
 * @pid: the process
 * @task: its pid and name
 * @file: -o
 * @fd: --output-fd, or where the image goes
 * @log_path: -l
 * @timeout_ms: --timeout
 * @kill: -k
 * @cow: --cow
 * @check: --check
 * @container: -c
 * @verbose: -v
 * @external: --external
 * @nr_external: number of entries
 * @relink: directory of --relink, or -1
 * @hold: the tree is held until the image has its name
 * @out: the file, with -o
 * @where: the output, for messages
 * @begin: position of @fd at the start, -1 if it has none
 * @begin_size: size of the file then
 * @log: the kernel's lines
 * @stats: filled in by the kernel
 * @returned: when the call returned, in ns
 * @lock: protects @committed
 * @committed: the image has its name: a signal comes too late
 * @done: eventfd, ready when @status counts
 * @status: exit status
 */
struct save {
	pid_t pid;
	char task[64];
	const char *file;
	int fd;
	const char *log_path;
	long timeout_ms;
	bool kill;
	bool cow;
	bool check;
	bool container;
	bool verbose;
	__u64 *external;
	__u32 nr_external;
	int relink;

	bool hold;
	struct output out;
	const char *where;
	off_t begin;
	off_t begin_size;
	struct klog log;
	struct ckpt_stats stats;
	__u64 returned;
	pthread_mutex_t lock;
	bool committed;
	int done;
	int status;
};

static void print_usage(FILE *f)
{
	fputs("Usage: checkpoint [OPTION]... PID\n"
	      "Save the process PID with all its descendants and write the image to the\n"
	      "standard output.\n"
	      "\n"
	      "  -o, --output=FILE    write the image to FILE, complete or not at all;\n"
	      "                       - is the standard output\n"
	      "      --output-fd=FD   write the image to the open descriptor FD\n"
	      "  -k, --kill           kill the processes once the image is safe\n"
	      "      --cow            let them go on before their memory is written: the kernel\n"
	      "                       copies what they write to meanwhile\n"
	      "      --check          write nothing, list all that stands in the way\n"
	      "  -c, --container      PID is the init of a container: save all of it and\n"
	      "                       refuse if anything is shared with the outside\n"
	      "      --external=KEY   this open file is not theirs; who restarts them supplies\n"
	      "                       it. KEY is /PATH, pipe:[INODE] and the like as in\n"
	      "                       /proc/PID/fd, dev:MAJOR:MINOR or fd:N\n"
	      "      --relink=DIR     give deleted files a name in DIR where that can be, their\n"
	      "                       contents are then not in the image\n"
	      "  -l, --log=FILE       lines of the kernel to FILE instead of stderr\n"
	      "      --timeout=MS     longest wait for the processes to stand still\n"
	      "  -v, --verbose        tell what was saved and how long it took\n"
	      "  -h, --help           this text\n"
	      "\n"
	      "Exit status: 0 saved; 1 refused or failed; 2 usage; 3 the kernel cannot;\n"
	      "4 saved, but the processes could not be killed.\n", f);
}

static __noreturn void usage_error(void)
{
	fputs("Try 'checkpoint --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static long number(const char *s, long min, const char *what)
{
	long val;

	if (parse_long(s, min, INT_MAX, &val))
		return val;
	msg("%s is not %s", s, what);
	usage_error();
}

static void add_external(struct save *s, const char *key)
{
	if (s->nr_external == CKPT_EXTERNAL_MAX) {
		msg("more than %d times --external", CKPT_EXTERNAL_MAX);
		usage_error();
	}
	s->external = reallocarray(s->external, s->nr_external + 1,
				   sizeof(*s->external));
	if (!s->external) {
		msg("out of memory");
		exit(EXIT_REFUSED);
	}
	s->external[s->nr_external++] = (uintptr_t)key;
}

static void open_relink(struct save *s, const char *dir)
{
	if (s->relink >= 0)
		close(s->relink);
	s->relink = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->relink >= 0)
		return;
	msg("cannot open the directory %s: %s", dir, strerror(errno));
	exit(EXIT_REFUSED);
}

static void check_options(struct save *s)
{
	if (s->file && s->fd >= 0) {
		msg("give either --output or --output-fd");
		usage_error();
	}
	if (s->check && (s->file || s->fd >= 0 || s->kill)) {
		msg("--check writes no image and kills nothing");
		usage_error();
	}
	if (s->file && !strcmp(s->file, "-"))
		s->file = NULL;
	if (s->cow && (s->kill || s->check)) {
		msg("--cow is for processes that go on; it goes with neither --kill nor --check");
		usage_error();
	}
}

static void parse_options(struct save *s, int argc, char **argv)
{
	enum {
		OPT_FD = 256, OPT_CHECK, OPT_COW, OPT_TIMEOUT, OPT_EXTERNAL,
		OPT_RELINK
	};
	static const struct option longopts[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "output-fd", required_argument, NULL, OPT_FD },
		{ "kill", no_argument, NULL, 'k' },
		{ "cow", no_argument, NULL, OPT_COW },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "container", no_argument, NULL, 'c' },
		{ "external", required_argument, NULL, OPT_EXTERNAL },
		{ "relink", required_argument, NULL, OPT_RELINK },
		{ "log", required_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:kcl:vh", longopts, NULL)) >= 0) {
		switch (c) {
		case 'o':
			s->file = optarg;
			break;
		case OPT_FD:
			s->fd = number(optarg, 0, "a descriptor");
			break;
		case 'k':
			s->kill = true;
			break;
		case OPT_COW:
			s->cow = true;
			break;
		case OPT_CHECK:
			s->check = true;
			break;
		case 'c':
			s->container = true;
			break;
		case OPT_EXTERNAL:
			add_external(s, optarg);
			break;
		case OPT_RELINK:
			open_relink(s, optarg);
			break;
		case 'l':
			s->log_path = optarg;
			break;
		case OPT_TIMEOUT:
			s->timeout_ms = number(optarg, 1, "a time in milliseconds");
			break;
		case 'v':
			s->verbose = true;
			break;
		case 'h':
			print_usage(stdout);
			exit(EXIT_SAVED);
		default:
			usage_error();
		}
	}
	if (argc - optind != 1) {
		msg(optind == argc ? "which process? PID is missing" :
		    "one PID at a time");
		usage_error();
	}
	s->pid = number(argv[optind], 1, "a process id");
	check_options(s);
}

/* Where does the image go? */
static int open_output(struct save *s)
{
	struct stat st;

	if (s->check)
		return 0;
	s->where = s->file ? s->file : "the output";
	if (s->file) {
		if (output_open(&s->out, s->file, 0600))
			return EXIT_REFUSED;
		s->fd = s->out.fd;
	} else if (s->fd < 0) {
		s->fd = STDOUT_FILENO;
	}
	if (fstat(s->fd, &st)) {
		msg("descriptor %d cannot be written: %s", s->fd, strerror(errno));
		return EXIT_REFUSED;
	}
	if (isatty(s->fd)) {
		msg("an image is not written to a terminal: use -o FILE, or a pipe");
		return EXIT_USAGE;
	}
	s->begin = S_ISREG(st.st_mode) ? lseek(s->fd, 0, SEEK_CUR) : -1;
	s->begin_size = st.st_size;
	return 0;
}

/* Take back what stands in a file that we did not create. */
static void discard_output(struct save *s)
{
	int err = errno;

	output_discard(&s->out);
	if (!s->file && !s->check && s->begin >= 0 &&
	    s->begin == s->begin_size && !ftruncate(s->fd, s->begin))
		lseek(s->fd, s->begin, SEEK_SET);
	errno = err;
}

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static long call(struct save *s, unsigned long flags, int *context)
{
	struct checkpoint_args args = {
		.log_fd = s->log.fd,
		.context_fd = -1,
		.freeze_timeout_ms = s->timeout_ms,
		.stats = (uintptr_t)&s->stats,
		.stats_size = sizeof(s->stats),
		.external = (uintptr_t)s->external,
		.nr_external = s->nr_external,
		.relink_fd = s->relink,
	};
	long ret;

	if (!s->container)
		flags |= CHECKPOINT_SUBTREE;
	if (s->relink >= 0)
		flags |= CHECKPOINT_RELINK;
	if (s->cow)
		flags |= CHECKPOINT_COW;
	ret = checkpoint(s->pid, s->check ? -1 : s->fd, flags, &args);
	s->returned = now_ns();
	*context = ret > 0 && flags & CHECKPOINT_HOLD ? args.context_fd : -1;
	return ret;
}

/*
 * To kill only when the image has its final name, the tree is held over the
 * rename. A kernel that cannot hold kills when the temporary file is synced.
 */
static long save_tree(struct save *s, int *context)
{
	struct ckpt_caps caps;
	long ret;

	*context = -1;
	if (s->check)
		return call(s, CHECKPOINT_CHECK, context);
	if (!s->kill)
		return call(s, 0, context);
	if (s->file && s->out.tmp[0] &&
	    (ckpt_query(&caps) || caps.checkpoint_flags & CHECKPOINT_HOLD)) {
		ret = call(s, CHECKPOINT_HOLD, context);
		if (ret >= 0 || errno != EINVAL) {
			s->hold = true;
			return ret;
		}
	}
	return call(s, CHECKPOINT_KILL, context);
}

static int kill_tree(struct save *s, int context)
{
	if (!s->hold)
		return EXIT_SAVED;
	/* The kernel knows of the time up to its return only. */
	s->stats.frozen_ns += now_ns() - s->returned;
	if (!ioctl(context, CKPT_CONTEXT_KILL))
		return EXIT_SAVED;
	msg("%s is complete, but process %s was not killed and goes on: %s",
	    s->where, s->task, strerror(errno));
	return EXIT_NOT_KILLED;
}

static bool complete(struct save *s)
{
	struct stat st;

	if (!s->out.tmp[0] || !s->stats.image_bytes || fstat(s->fd, &st) ||
	    (__u64)st.st_size == s->stats.image_bytes)
		return true;
	msg("%s: %lld bytes of %llu arrived, something else writes to it",
	    s->where, (long long)st.st_size, s->stats.image_bytes);
	return false;
}

/* The image is written: make it last, then let the process run or end. */
static int finish(struct save *s, int context)
{
	int status = EXIT_REFUSED;

	if (!complete(s) || output_sync(&s->out))
		return EXIT_REFUSED;
	pthread_mutex_lock(&s->lock);
	s->committed = true;
	pthread_mutex_unlock(&s->lock);
	if (!output_publish(&s->out))
		status = kill_tree(s, context);
	return status;
}

static int failed(struct save *s, int err)
{
	discard_output(s);
	explain_checkpoint(err, s->task, s->check ? NULL : s->where,
			   klog_show(&s->log));
	return err == ENOSYS ? EXIT_NO_KERNEL : EXIT_REFUSED;
}

static void *worker(void *arg)
{
	struct save *s = arg;
	__u64 one = 1;
	int context;
	long ret;

	ret = save_tree(s, &context);
	if (!ret && !s->check)
		_exit(EXIT_SAVED);	/* we were saved too: this is the restart */
	if (ret < 0)
		s->status = -errno;
	else if (s->check)
		s->status = EXIT_SAVED;
	else
		s->status = finish(s, context);
	if (context >= 0)
		close(context);
	write_all(s->done, &one, sizeof(one));
	return NULL;
}

static const int signals_that_end_us[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU,
	SIGVTALRM, SIGPROF,
};

/* End by @sig, unless the image has got its name already. */
static void end_by_signal(struct save *s, int sig)
{
	sigset_t set;

	pthread_mutex_lock(&s->lock);
	if (s->committed) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	discard_output(s);
	klog_show(&s->log);
	msg("interrupted by a signal (%s), process %s goes on and no image is left",
	    strsignal(sig), s->task);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	/* The lock is kept: nothing gets a name any more. */
	kill(getpid(), sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}

static void supervise(struct save *s, int sigfd)
{
	struct pollfd pfd[] = {
		{ .fd = s->done, .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
	};
	struct signalfd_siginfo si;
	struct progress progress;

	progress_start(&progress, s->check ? -1 : s->fd);
	for (;;) {
		poll(pfd, ARRAY_SIZE(pfd), PROGRESS_INTERVAL_MS);
		if (pfd[0].revents)
			break;
		if (pfd[1].revents && read(sigfd, &si, sizeof(si)) == sizeof(si)) {
			progress_end(&progress);
			end_by_signal(s, si.ssi_signo);
		}
		progress_tick(&progress);
	}
	progress_end(&progress);
}

static void show_stats(const struct save *s)
{
	const struct ckpt_stats *st = &s->stats;
	char a[32], b[32], c[32];

	msg("process %s saved to %s%s", s->task, s->where,
	    s->kill ? " and killed" : "");
	msg("image of %s: %s of metadata, %llu pages written, %llu needed no writing",
	    size_text(st->image_bytes, a, sizeof(a)),
	    size_text(st->meta_bytes, b, sizeof(b)), st->pages_written,
	    st->pages_skipped);
	msg("%u task%s, %u objects", st->tasks, st->tasks == 1 ? "" : "s",
	    st->objects);
	msg("frozen for %s (%s until all stood still), %s in all",
	    time_text(st->frozen_ns, a, sizeof(a)),
	    time_text(st->freeze_ns, b, sizeof(b)),
	    time_text(st->total_ns, c, sizeof(c)));
}

static int report(struct save *s)
{
	if (s->status < 0)
		return failed(s, -s->status);
	klog_show(&s->log);
	if (s->status == EXIT_REFUSED)
		discard_output(s);
	if (s->check)
		printf("process %s can be saved\n", s->task);
	else if (s->verbose && s->status == EXIT_SAVED)
		show_stats(s);
	return s->status;
}

static int run(struct save *s)
{
	pthread_t thread;
	sigset_t set;
	int sigfd, err;

	signal_set(&set, signals_that_end_us, ARRAY_SIZE(signals_that_end_us));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigfd = signalfd(-1, &set, SFD_CLOEXEC);
	s->done = eventfd(0, EFD_CLOEXEC);
	if (sigfd < 0 || s->done < 0) {
		msg("cannot set up signals: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	err = open_output(s);
	if (err)
		return err;
	err = pthread_create(&thread, NULL, worker, s);
	if (err) {
		msg("cannot create a thread: %s", strerror(err));
		discard_output(s);
		return EXIT_REFUSED;
	}
	supervise(s, sigfd);
	pthread_join(thread, NULL);
	return report(s);
}

int main(int argc, char **argv)
{
	struct save s = {
		.fd = -1,
		.out = { .fd = -1, .dir = -1 },
		.begin = -1,
		.relink = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};

	parse_options(&s, argc, argv);
	task_name(s.pid, s.task, sizeof(s.task));
	/* As errors of a write, these can be told and cleaned up after. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (klog_open(&s.log, s.log_path))
		return EXIT_REFUSED;
	return run(&s);
}
