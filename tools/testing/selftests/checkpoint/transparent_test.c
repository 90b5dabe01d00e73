// SPDX-License-Identifier: GPL-2.0
/*
 * A checkpoint alone is not seen by the program: no blocked system call ends
 * with EINTR or forgets its deadline because of the freeze.
 *
 *	test				child
 *	----				-----
 *	makes what the call waits on
 *	fork()
 *					blocks in the call
 *	checkpoint() x 100 in 1.5 s	frozen, thawed, goes on waiting
 *	releases it, or waits		returns what it would have returned,
 *					after the time it would have taken
 */
#define _TIME_BITS 64
#define _FILE_OFFSET_BITS 64
#include "ckpt_test.h"

#include <asm/bitsperlong.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/*
 * The C library of a 32-bit program tries the calls with a 32-bit timespec
 * first, which the kernel need not have. So use none of its wrappers.
 */
#if __BITS_PER_LONG == 32
#define NR_TIME64(name)		__NR_##name##_time64
#define NR_timerfd_settime	__NR_timerfd_settime64
#else
#define NR_TIME64(name)		__NR_##name
#define NR_timerfd_settime	__NR_timerfd_settime
#endif

#define ROUNDS		100
#define ROUND_NS	15000000L
/* After so long a time there are no more checkpoints. */
#define ROUNDS_NS	1700000000LL
/* What a busy machine must do in that time, and a slow kernel. */
#define ROUNDS_BUSY	50
#define ROUNDS_SLOW	5
#define TIMEOUT_S	2
#define TIMEOUT_NS	(TIMEOUT_S * 1000000000LL)
/* A timeout in jiffies may end within the last of them (HZ 250). */
#define EARLY_NS	4000000LL
/* A busy machine. A timeout that began anew would be 1.5 s late. */
#define LATE_NS		1400000000LL

#define SIGSET_SIZE	8	/* the kernel's */

static const struct timespec two_s = { .tv_sec = TIMEOUT_S };

/* What the child tells. */
struct report {
	atomic_int started;
	atomic_int handled;
	atomic_int grandchild;
	int futex;
	long ret;
	int err;
	long long ns;
};

/* What a call waits on, and where the images go. */
struct env {
	struct report *rep;
	int out;
	pid_t child;
	int fd[2];
	int (*own)(struct env *e);
	bool parted;
	int id;
	mqd_t mq;
	aio_context_t aio;
};

static struct report *handler_report;

static void count_signal(int sig)
{
	handler_report->handled++;
}

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static long sleep_on(clockid_t clock, int flags, const struct timespec *ts,
		     struct timespec *rem)
{
	return syscall(NR_TIME64(clock_nanosleep), clock, flags, ts, rem);
}

static void sleep_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	sleep_on(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static struct timespec in_two_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += TIMEOUT_S;
	return ts;
}

static void catch_usr1(struct env *e, int flags)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = flags };

	handler_report = e->rep;
	sigaction(SIGUSR1, &sa, NULL);
}

static sigset_t usr1_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return set;
}

static void block_usr1(void)
{
	sigset_t set = usr1_set();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int send_usr1(struct env *e)
{
	return kill(e->child, SIGUSR1);
}

static int write_byte(struct env *e)
{
	return write(e->fd[1], "x", 1) == 1 ? 0 : -1;
}

/* ---- sleeps --------------------------------------------------------- */

static long do_nanosleep(struct env *e)
{
#if __BITS_PER_LONG == 32
	return sleep_on(CLOCK_MONOTONIC, 0, &two_s, NULL);
#else
	return syscall(__NR_nanosleep, &two_s, NULL);
#endif
}

static long do_nanosleep_rem(struct env *e)
{
	struct timespec rem;

	return sleep_on(CLOCK_MONOTONIC, 0, &two_s, &rem);
}

static long do_clock_nanosleep(struct env *e)
{
	return sleep_on(CLOCK_BOOTTIME, 0, &two_s, NULL);
}

static long do_clock_nanosleep_abs(struct env *e)
{
	struct timespec ts = in_two_s(CLOCK_MONOTONIC);

	return sleep_on(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* ---- poll and select ------------------------------------------------- */

static int make_pipe(struct env *e)
{
	return pipe(e->fd);
}

static long do_poll(struct env *e)
{
	struct pollfd p = { .fd = e->fd[0], .events = POLLIN };

	return poll(&p, 1, TIMEOUT_S * 1000);
}

static long do_poll_forever(struct env *e)
{
	struct pollfd p = { .fd = e->fd[0], .events = POLLIN };

	return poll(&p, 1, -1);
}

static long ppoll_set(struct env *e, const sigset_t *set)
{
	struct pollfd p = { .fd = e->fd[0], .events = POLLIN };
	struct timespec ts = two_s;

	/* Not the C library's, which hides the time left. */
	return syscall(NR_TIME64(ppoll), &p, 1, &ts, set,
		       SIGSET_SIZE);
}

static long do_ppoll(struct env *e)
{
	return ppoll_set(e, NULL);
}

static long do_ppoll_mask(struct env *e)
{
	sigset_t set;

	block_usr1();
	sigemptyset(&set);
	return ppoll_set(e, &set);
}

/* The time left cannot be written back. */
static long do_ppoll_readonly(struct env *e)
{
	struct timespec *ts = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*ts = two_s;
	mprotect(ts, 4096, PROT_READ);
	return syscall(NR_TIME64(ppoll), NULL, 0, ts, NULL,
		       SIGSET_SIZE);
}

static long do_select(struct env *e)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(e->fd[0], &set);
#if __BITS_PER_LONG == 32
	struct timespec ts = two_s;

	return syscall(__NR_pselect6_time64, e->fd[0] + 1, &set, NULL, NULL,
		       &ts, NULL);
#else
	struct timeval tv = { .tv_sec = TIMEOUT_S };

	return syscall(__NR_select, e->fd[0] + 1, &set, NULL, NULL, &tv);
#endif
}

static long do_pselect(struct env *e)
{
	struct { const sigset_t *set; size_t size; } arg;
	struct timespec ts = two_s;
	sigset_t none;
	fd_set set;

	block_usr1();
	sigemptyset(&none);
	arg.set = &none;
	arg.size = SIGSET_SIZE;
	FD_ZERO(&set);
	FD_SET(e->fd[0], &set);
	return syscall(NR_TIME64(pselect6), e->fd[0] + 1, &set, NULL, NULL,
		       &ts, &arg);
}

/* ---- futex ------------------------------------------------------------ */

static long do_futex_wait(struct env *e)
{
	return syscall(NR_TIME64(futex), &e->rep->futex, FUTEX_WAIT, 0, &two_s);
}

static long do_futex_realtime(struct env *e)
{
	struct timespec ts = in_two_s(CLOCK_REALTIME);

	return syscall(NR_TIME64(futex), &e->rep->futex,
		       FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL,
		       FUTEX_BITSET_MATCH_ANY);
}

static long do_futex_forever(struct env *e)
{
	return syscall(NR_TIME64(futex), &e->rep->futex, FUTEX_WAIT, 0, NULL);
}

/* A wakeup is lost while the child is on its way back into the wait. */
static int wake_futex(struct env *e)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (syscall(NR_TIME64(futex), &e->rep->futex, FUTEX_WAKE, 1) == 1)
			return 0;
		sleep_us(1000);
	}
	return -1;
}

/* ---- epoll ------------------------------------------------------------ */

static int make_epoll(struct env *e)
{
	struct epoll_event ev = { .events = EPOLLIN };

	e->fd[0] = epoll_create1(0);
	e->fd[1] = eventfd(0, 0);
	return epoll_ctl(e->fd[0], EPOLL_CTL_ADD, e->fd[1], &ev);
}

static int write_event(struct env *e)
{
	return eventfd_write(e->fd[1], 1);
}

static long do_epoll_wait(struct env *e)
{
	struct epoll_event ev;

	return syscall(__NR_epoll_wait, e->fd[0], &ev, 1, TIMEOUT_S * 1000);
}

static long do_epoll_forever(struct env *e)
{
	struct epoll_event ev;

	return syscall(__NR_epoll_wait, e->fd[0], &ev, 1, -1);
}

static long do_epoll_pwait(struct env *e)
{
	struct epoll_event ev;
	sigset_t set;

	block_usr1();
	sigemptyset(&set);
	return epoll_pwait(e->fd[0], &ev, 1, TIMEOUT_S * 1000, &set);
}

static long do_epoll_pwait2(struct env *e)
{
	struct epoll_event ev;
	sigset_t set;

	sigemptyset(&set);
	return syscall(__NR_epoll_pwait2, e->fd[0], &ev, 1, &two_s, &set,
		       SIGSET_SIZE);
}

/* The signal is let through for the length of the call only. */
static long do_epoll_pwait_signal(struct env *e)
{
	catch_usr1(e, 0);
	return do_epoll_pwait(e);
}

static long do_epoll_signal(struct env *e)
{
	catch_usr1(e, SA_RESTART);
	return do_epoll_wait(e);
}

/* ---- signals ---------------------------------------------------------- */

static long do_pause(struct env *e)
{
	catch_usr1(e, 0);
	return pause();
}

static long do_sigsuspend(struct env *e)
{
	sigset_t set;

	block_usr1();
	catch_usr1(e, 0);
	sigemptyset(&set);
	return sigsuspend(&set);
}

static long do_sigtimedwait(struct env *e)
{
	sigset_t set = usr1_set();

	block_usr1();
	return syscall(NR_TIME64(rt_sigtimedwait), &set, NULL, &two_s,
		       SIGSET_SIZE);
}

static long do_sigwaitinfo(struct env *e)
{
	sigset_t set = usr1_set();

	block_usr1();
	return syscall(NR_TIME64(rt_sigtimedwait), &set, NULL, NULL,
		       SIGSET_SIZE);
}

static long do_signalfd(struct env *e)
{
	struct signalfd_siginfo si;
	sigset_t set = usr1_set();

	block_usr1();
	return read(signalfd(-1, &set, 0), &si, sizeof(si));
}

/* ---- System V and POSIX IPC ------------------------------------------- */

static int make_sem(struct env *e)
{
	e->id = semget(IPC_PRIVATE, 1, 0600);
	return e->id < 0 ? -1 : 0;
}

static void remove_sem(struct env *e)
{
	semctl(e->id, 0, IPC_RMID);
}

static long sem_op(struct env *e, struct sembuf *op, const struct timespec *ts)
{
#if __BITS_PER_LONG == 32
	return syscall(__NR_semtimedop_time64, e->id, op, 1, ts);
#else
	return ts ? syscall(__NR_semtimedop, e->id, op, 1, ts) :
		    syscall(__NR_semop, e->id, op, 1);
#endif
}

static int raise_sem(struct env *e)
{
	struct sembuf op = { .sem_op = 1 };

	return sem_op(e, &op, NULL);
}

static long do_semtimedop(struct env *e)
{
	struct sembuf op = { .sem_op = -1 };

	return sem_op(e, &op, &two_s);
}

static long do_semop(struct env *e)
{
	struct sembuf op = { .sem_op = -1 };

	return sem_op(e, &op, NULL);
}

static int make_msg(struct env *e)
{
	e->id = msgget(IPC_PRIVATE, 0600);
	return e->id < 0 ? -1 : 0;
}

static void remove_msg(struct env *e)
{
	msgctl(e->id, IPC_RMID, NULL);
}

static int send_msg(struct env *e)
{
	struct { long type; char c; } m = { .type = 1 };

	return msgsnd(e->id, &m, 1, 0);
}

static long do_msgrcv(struct env *e)
{
	struct { long type; char c; } m;

	return msgrcv(e->id, &m, 1, 0, 0);
}

static int make_mq(struct env *e)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };

	e->mq = mq_open("/ckpt_transparent", O_RDWR | O_CREAT, 0600, &attr);
	mq_unlink("/ckpt_transparent");
	return e->mq < 0 ? -1 : 0;
}

static long do_mq_timedreceive(struct env *e)
{
	struct timespec ts = in_two_s(CLOCK_REALTIME);
	char buf[8];

	return syscall(NR_TIME64(mq_timedreceive), e->mq, buf, sizeof(buf),
		       NULL, &ts);
}

/* ---- sockets ----------------------------------------------------------- */

static void set_timeouts(int fd)
{
	struct timeval tv = { .tv_sec = TIMEOUT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static int make_stream(struct env *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, e->fd))
		return -1;
	set_timeouts(e->fd[0]);
	return 0;
}

static int make_dgram(struct env *e)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, e->fd))
		return -1;
	set_timeouts(e->fd[0]);
	return 0;
}

static int make_full_dgram(struct env *e)
{
	if (make_dgram(e))
		return -1;
	while (send(e->fd[0], "x", 1, MSG_DONTWAIT) == 1)
		;
	return 0;
}

static int make_full_stream(struct env *e)
{
	char buf[4096] = "";

	if (make_stream(e))
		return -1;
	while (send(e->fd[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return 0;
}

static int make_tcp(struct env *e)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	e->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(e->fd[1], (struct sockaddr *)&sa, len) ||
	    listen(e->fd[1], 0) ||
	    getsockname(e->fd[1], (struct sockaddr *)&sa, &len))
		return -1;
	e->fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	set_timeouts(e->fd[0]);
	set_timeouts(e->fd[1]);
	e->id = sa.sin_port;
	return 0;
}

static int tcp_connect(struct env *e, int fd)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = e->id };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static int make_tcp_connected(struct env *e)
{
	return make_tcp(e) ? -1 : tcp_connect(e, e->fd[0]);
}

/* Nobody answers once the queue of the listener is full. */
static int make_tcp_full(struct env *e)
{
	int i;

	if (make_tcp(e))
		return -1;
	for (i = 0; i < 4; i++)
		tcp_connect(e, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	return 0;
}

static int make_unix_full(struct env *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa);
	int i;

	e->fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	/* The kernel chooses an abstract name. */
	if (bind(e->fd[1], (struct sockaddr *)&sa, sizeof(sa.sun_family)) ||
	    listen(e->fd[1], 0) ||
	    getsockname(e->fd[1], (struct sockaddr *)&sa, &len))
		return -1;
	for (i = 0; i < 4; i++)
		connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
			(struct sockaddr *)&sa, len);
	e->fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	set_timeouts(e->fd[0]);
	return 0;
}

/*
 * Sockets that two processes have are not saved, and it takes a while to be sure
 * that both have them. So they are made by who uses them.
 */
#define OWN(name)					\
static int own_##name(struct env *e)			\
{							\
	e->own = make_##name;				\
	return 0;					\
}

OWN(stream)
OWN(dgram)
OWN(full_dgram)
OWN(full_stream)
OWN(unix_full)

/* One end for each. */
static int make_peers(struct env *e)
{
	e->parted = true;
	return make_stream(e);
}

static long do_recv(struct env *e)
{
	char c;

	return recv(e->fd[0], &c, 1, 0);
}

static long do_socket_read(struct env *e)
{
	char c;

	return read(e->fd[0], &c, 1);
}

static long do_peer_recv(struct env *e)
{
	char c;

	return recv(e->fd[1], &c, 1, 0);
}

static int peer_send(struct env *e)
{
	return send(e->fd[0], "x", 1, 0) == 1 ? 0 : -1;
}

static long do_recv_signal(struct env *e)
{
	catch_usr1(e, SA_RESTART);
	return do_recv(e);
}

static long do_send(struct env *e)
{
	return send(e->fd[0], "x", 1, 0);
}

static long do_accept(struct env *e)
{
	return accept(e->fd[1], NULL, NULL);
}

static long do_connect_tcp(struct env *e)
{
	return tcp_connect(e, e->fd[0]);
}

static long do_connect_unix(struct env *e)
{
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa);

	getsockname(e->fd[1], (struct sockaddr *)&sa, &len);
	return connect(e->fd[0], (struct sockaddr *)&sa, len);
}

/* ---- asynchronous I/O ------------------------------------------------- */

static long io_setup(struct env *e)
{
	e->aio = 0;
	return syscall(__NR_io_setup, 1, &e->aio);
}

static long do_io_getevents(struct env *e)
{
	struct io_event ev;

	if (io_setup(e))
		return -1;
#if __BITS_PER_LONG == 32
	return syscall(NR_TIME64(io_pgetevents), e->aio, 1, 1, &ev, &two_s, NULL);
#else
	return syscall(__NR_io_getevents, e->aio, 1, 1, &ev, &two_s);
#endif
}

static long do_io_pgetevents(struct env *e)
{
	struct { const sigset_t *set; size_t size; } arg;
	struct io_event ev;
	sigset_t set;

	block_usr1();
	sigemptyset(&set);
	arg.set = &set;
	arg.size = SIGSET_SIZE;
	return io_setup(e) ? -1 :
	       syscall(NR_TIME64(io_pgetevents), e->aio, 1, 1, &ev, &two_s, &arg);
}

static long do_io_getevents_forever(struct env *e)
{
	struct iocb cb = {
		.aio_fildes = e->fd[0],
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_buf = POLLIN,
	}, *list = &cb;
	struct io_event ev;

	if (io_setup(e) || syscall(__NR_io_submit, e->aio, 1, &list) != 1)
		return -1;
	return syscall(NR_TIME64(io_pgetevents), e->aio, 1, 1, &ev, NULL, NULL);
}

/* ---- files and the rest ----------------------------------------------- */

static long do_pipe_read(struct env *e)
{
	char c;

	return read(e->fd[0], &c, 1);
}

static long do_timerfd(struct env *e)
{
	struct itimerspec it = { .it_value = two_s };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	__u64 n;

	if (syscall(NR_timerfd_settime, fd, 0, &it, NULL))
		return -1;
	return read(fd, &n, sizeof(n)) == sizeof(n) ? 0 : -1;
}

static int make_eventfd(struct env *e)
{
	e->fd[0] = eventfd(0, 0);
	e->fd[1] = dup(e->fd[0]);
	return e->fd[1] < 0 ? -1 : 0;
}

static long do_eventfd(struct env *e)
{
	eventfd_t n;

	return eventfd_read(e->fd[0], &n);
}

static int make_inotify(struct env *e)
{
	e->fd[0] = inotify_init1(0);
	e->fd[1] = -1;
	return inotify_add_watch(e->fd[0], "/tmp", IN_CREATE) < 0 ? -1 : 0;
}

static int create_file(struct env *e)
{
	int fd = open("/tmp/ckpt_transparent", O_CREAT | O_RDWR, 0600);

	unlink("/tmp/ckpt_transparent");
	return close(fd);
}

static long do_inotify(struct env *e)
{
	char buf[512];

	return read(e->fd[0], buf, sizeof(buf));
}

static int make_locked(struct env *e)
{
	e->fd[0] = open("/tmp/ckpt_transparent", O_CREAT | O_RDWR, 0600);
	e->fd[1] = open("/tmp/ckpt_transparent", O_RDWR);
	unlink("/tmp/ckpt_transparent");
	return flock(e->fd[0], LOCK_EX);
}

static int unlock(struct env *e)
{
	return flock(e->fd[0], LOCK_UN);
}

static long do_flock(struct env *e)
{
	return flock(e->fd[1], LOCK_EX);
}

static int make_posix_locked(struct env *e)
{
	struct flock fl = { .l_type = F_WRLCK };

	return make_locked(e) ? -1 : fcntl(e->fd[0], F_SETLK, &fl);
}

static int posix_unlock(struct env *e)
{
	struct flock fl = { .l_type = F_UNLCK };

	return fcntl(e->fd[0], F_SETLK, &fl);
}

static long do_setlkw(struct env *e)
{
	struct flock fl = { .l_type = F_WRLCK };

	return fcntl(e->fd[1], F_SETLKW, &fl);
}

static long do_wait4(struct env *e)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	e->rep->grandchild = pid;
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static int kill_grandchild(struct env *e)
{
	return kill(e->rep->grandchild, SIGKILL);
}

/* ---- the test ---------------------------------------------------------- */

static void run_child(struct env *e, long (*call)(struct env *e))
{
	struct report *rep = e->rep;
	long long start;

	start = now_ns(CLOCK_MONOTONIC);
	rep->started = 1;
	rep->ret = call(e);
	rep->err = errno;
	rep->ns = now_ns(CLOCK_MONOTONIC) - start;
	_exit(0);
}

/* How often it has gone to sleep. */
static long switches(pid_t pid)
{
	const char *const names[] = { "voluntary_ctxt_switches:", NULL };
	char line[256];

	ckpt_status_lines(pid, names, line, sizeof(line));
	return line[0] ? atol(line + strlen(names[0])) : -1;
}

/*
 * 0 also when the call was refused after the freeze. A task that was thawed and
 * has not run since is still held by the checkpoint before.
 */
static int freeze_once(pid_t pid, int fd)
{
	int tries = 0;
	long ret;

	do {
		if (tries)
			sleep_us(1000);
		ret = sys_checkpoint(pid, fd, CHECKPOINT_SUBTREE, NULL, 0);
	} while (ret < 0 && errno == EBUSY && tries++ < 500);

	return ret > 0 || (ret < 0 && errno == EOPNOTSUPP) ? 0 : -1;
}

static struct report *new_report(void)
{
	void *p = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void sleep_until(long long ns)
{
	struct timespec ts = {
		.tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000,
	};

	sleep_on(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void set_up(struct __test_metadata *_metadata, struct env *e,
		   int (*make)(struct env *e))
{
	e->out = open("/dev/null", O_WRONLY);
	ASSERT_LE(0, e->out);
	e->rep = new_report();
	ASSERT_FALSE(!e->rep);
	ASSERT_EQ(0, make ? make(e) : 0);
}

/* Blocks in the call, as far as can be seen from outside. */
static void begin_call(struct __test_metadata *_metadata, struct env *e,
		       long (*call)(struct env *e), bool catches)
{
	e->child = fork();
	ASSERT_LE(0, e->child);
	if (!e->child) {
		if (e->own && e->own(e))
			_exit(1);
		if (e->parted)
			close(e->fd[0]);
		if (catches)
			catch_usr1(e, SA_RESTART);
		run_child(e, call);
	}
	if (e->parted)
		close(e->fd[1]);
	while (!e->rep->started)
		sleep_us(1000);
	sleep_us(20000);
}

FIXTURE(transparent)
{
	struct env env;
};

/*
 * Without @release the call has a timeout of TIMEOUT_S. @err is 0 if it
 * succeeds; @handled is how often the signal handler runs.
 */
FIXTURE_VARIANT(transparent)
{
	int (*make)(struct env *e);
	long (*call)(struct env *e);
	int (*release)(struct env *e);
	void (*remove)(struct env *e);
	int err;
	int handled;
};

#define BLOCKED(name, fn, ...)						\
	FIXTURE_VARIANT_ADD(transparent, name) { .call = fn, __VA_ARGS__ }

BLOCKED(nanosleep, do_nanosleep);
BLOCKED(nanosleep_rem, do_nanosleep_rem);
BLOCKED(clock_nanosleep, do_clock_nanosleep);
BLOCKED(clock_nanosleep_abs, do_clock_nanosleep_abs);
BLOCKED(poll, do_poll, .make = make_pipe);
BLOCKED(poll_forever, do_poll_forever, .make = make_pipe,
	.release = write_byte);
BLOCKED(ppoll, do_ppoll, .make = make_pipe);
BLOCKED(ppoll_mask, do_ppoll_mask, .make = make_pipe);
BLOCKED(ppoll_readonly, do_ppoll_readonly);
BLOCKED(select, do_select, .make = make_pipe);
BLOCKED(pselect, do_pselect, .make = make_pipe);
BLOCKED(futex_wait, do_futex_wait, .err = ETIMEDOUT);
BLOCKED(futex_realtime, do_futex_realtime, .err = ETIMEDOUT);
BLOCKED(futex_forever, do_futex_forever, .release = wake_futex);
BLOCKED(epoll_wait, do_epoll_wait, .make = make_epoll);
BLOCKED(epoll_forever, do_epoll_forever, .make = make_epoll,
	.release = write_event);
BLOCKED(epoll_pwait, do_epoll_pwait, .make = make_epoll);
BLOCKED(epoll_pwait2, do_epoll_pwait2, .make = make_epoll);
BLOCKED(epoll_signal, do_epoll_signal, .make = make_epoll,
	.release = send_usr1, .err = EINTR, .handled = 1);
BLOCKED(epoll_pwait_signal, do_epoll_pwait_signal, .make = make_epoll,
	.release = send_usr1, .err = EINTR, .handled = 1);
BLOCKED(pause, do_pause, .release = send_usr1, .err = EINTR, .handled = 1);
BLOCKED(sigsuspend, do_sigsuspend, .release = send_usr1, .err = EINTR,
	.handled = 1);
BLOCKED(sigtimedwait, do_sigtimedwait, .err = EAGAIN);
BLOCKED(sigwaitinfo, do_sigwaitinfo, .release = send_usr1);
BLOCKED(signalfd, do_signalfd, .release = send_usr1);
BLOCKED(semtimedop, do_semtimedop, .make = make_sem, .remove = remove_sem,
	.err = EAGAIN);
BLOCKED(semop, do_semop, .make = make_sem, .release = raise_sem,
	.remove = remove_sem);
BLOCKED(msgrcv, do_msgrcv, .make = make_msg, .release = send_msg,
	.remove = remove_msg);
BLOCKED(mq_timedreceive, do_mq_timedreceive, .make = make_mq, .err = ETIMEDOUT);
BLOCKED(recv, do_recv, .make = own_stream, .err = EAGAIN);
BLOCKED(socket_read, do_socket_read, .make = own_stream, .err = EAGAIN);
BLOCKED(recv_signal, do_recv_signal, .make = own_stream, .release = send_usr1,
	.err = EINTR, .handled = 1);
BLOCKED(peer_recv, do_peer_recv, .make = make_peers, .release = peer_send);
BLOCKED(send, do_send, .make = own_full_stream, .err = EAGAIN);
BLOCKED(accept, do_accept, .make = make_tcp, .err = EAGAIN);
BLOCKED(connect_tcp, do_connect_tcp, .make = make_tcp_full, .err = EINPROGRESS);
BLOCKED(connect_unix, do_connect_unix, .make = own_unix_full, .err = EAGAIN);
BLOCKED(io_getevents, do_io_getevents);
BLOCKED(io_pgetevents, do_io_pgetevents);
BLOCKED(io_getevents_forever, do_io_getevents_forever, .make = make_pipe,
	.release = write_byte);
BLOCKED(pipe_read, do_pipe_read, .make = make_pipe, .release = write_byte);
BLOCKED(timerfd, do_timerfd);
BLOCKED(eventfd, do_eventfd, .make = make_eventfd, .release = write_event);
BLOCKED(inotify, do_inotify, .make = make_inotify, .release = create_file);
BLOCKED(flock, do_flock, .make = make_locked, .release = unlock);
BLOCKED(setlkw, do_setlkw, .make = make_posix_locked, .release = posix_unlock);
BLOCKED(wait4, do_wait4, .release = kill_grandchild);
BLOCKED(recv_dgram, do_recv, .make = own_dgram, .err = EAGAIN);
BLOCKED(send_dgram, do_send, .make = own_full_dgram, .err = EAGAIN);
BLOCKED(recv_tcp, do_recv, .make = make_tcp_connected, .err = EAGAIN);

FIXTURE_SETUP(transparent)
{
	if (!ckpt_is_there())
		SKIP(return, "no checkpoint()");
	set_up(_metadata, &self->env, variant->make);
}

FIXTURE_TEARDOWN(transparent)
{
	if (variant->remove)
		variant->remove(&self->env);
	close(self->env.out);
}

TEST_F(transparent, hundred_checkpoints)
{
	struct env *e = &self->env;
	struct report *rep = e->rep;
	long long start;
	bool slow = ckpt_slow_kernel(), gone;
	int i, status, failed = 0;
	long before;

	begin_call(_metadata, e, variant->call, false);
	before = switches(e->child);
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < ROUNDS && now_ns(CLOCK_MONOTONIC) < start + ROUNDS_NS; i++) {
		failed = freeze_once(e->child, e->out) ? errno : 0;
		if (failed)
			break;
		sleep_until(start + (i + 1) * ROUND_NS);
	}
	gone = ckpt_state(e->child) == 'Z';
	/* On a busy machine it may be over. It tells itself how long it has waited. */
	ASSERT_TRUE(gone ? !variant->release : !failed) {
		TH_LOG("checkpoint %d: %s; the call %s: %ld, %s", i, strerror(failed),
		       gone ? "has ended" : "goes on", rep->ret, strerror(rep->err));
		kill(e->child, SIGKILL);
	}
	EXPECT_LE(slow ? ROUNDS_SLOW : ROUNDS_BUSY, i);
	/* It was indeed frozen each time. */
	EXPECT_LE(before + i, switches(e->child));

	EXPECT_EQ(0, variant->release ? variant->release(e) : 0);
	ASSERT_EQ(e->child, waitpid(e->child, &status, 0));
	ASSERT_EQ(0, status);

	if (variant->err) {
		EXPECT_EQ(-1, rep->ret);
		EXPECT_EQ(variant->err, rep->err) {
			TH_LOG("%s", strerror(rep->err));
		}
	} else {
		EXPECT_LE(0, rep->ret) {
			TH_LOG("%s", strerror(rep->err));
		}
	}
	EXPECT_EQ(variant->handled, rep->handled);
	if (!variant->release) {
		EXPECT_LE(TIMEOUT_NS - EARLY_NS, rep->ns);
		EXPECT_GE(TIMEOUT_NS + LATE_NS, rep->ns);
	}
}

/* ---- signals that meet the freeze -------------------------------------- */

FIXTURE(signalled)
{
	struct env env;
};

/* Calls that a signal ends with EINTR even if its handler is SA_RESTART. */
FIXTURE_VARIANT(signalled)
{
	int (*make)(struct env *e);
	long (*call)(struct env *e);
	void (*remove)(struct env *e);
};

#define SIGNALLED(name, fn, ...)					\
	FIXTURE_VARIANT_ADD(signalled, name) { .call = fn, __VA_ARGS__ }

SIGNALLED(epoll_wait, do_epoll_wait, .make = make_epoll);
SIGNALLED(epoll_pwait, do_epoll_pwait, .make = make_epoll);
SIGNALLED(ppoll, do_ppoll_mask, .make = make_pipe);
SIGNALLED(recv, do_recv, .make = own_stream);
SIGNALLED(semtimedop, do_semtimedop, .make = make_sem, .remove = remove_sem);
SIGNALLED(io_getevents, do_io_getevents);

FIXTURE_SETUP(signalled)
{
	if (!ckpt_is_there())
		SKIP(return, "no checkpoint()");
	set_up(_metadata, &self->env, variant->make);
}

FIXTURE_TEARDOWN(signalled)
{
	if (variant->remove)
		variant->remove(&self->env);
	close(self->env.out);
}

/*
 * One process freezes the child over and over, another sends it one signal: it
 * comes before, between and after the steps of the freeze.
 */
TEST_F(signalled, once)
{
	struct env *e = &self->env;
	struct report *rep = e->rep;
	int i, status;
	pid_t killer;
	long before;

	for (i = 0; i < 40; i++) {
		memset(rep, 0, sizeof(*rep));
		begin_call(_metadata, e, variant->call, true);
		before = switches(e->child);
		ASSERT_EQ(0, freeze_once(e->child, e->out));
		EXPECT_LT(before, switches(e->child));

		killer = fork();
		ASSERT_LE(0, killer);
		if (!killer) {
			sleep_us(5000 + i * 137);
			_exit(send_usr1(e) ? 1 : 0);
		}
		while (!waitpid(e->child, &status, WNOHANG))
			freeze_once(e->child, e->out);
		ASSERT_EQ(0, status);
		ASSERT_EQ(killer, waitpid(killer, &status, 0));
		ASSERT_EQ(0, status);

		ASSERT_EQ(-1, rep->ret);
		ASSERT_EQ(EINTR, rep->err) {
			TH_LOG("round %d: %s", i, strerror(rep->err));
		}
		ASSERT_EQ(1, rep->handled);
	}
}

TEST_HARNESS_MAIN
