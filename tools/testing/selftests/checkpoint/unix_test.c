// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets of AF_UNIX as socketpair() makes them: what waits in them, who is at
 * the other end, descriptors on their way.
 */
#include "tree_program.h"

#include <linux/filter.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#ifndef SIOCINQ
#define SIOCINQ		0x541b
#endif
#ifndef SIOCOUTQ
#define SIOCOUTQ	0x5411
#endif
#define ATMARK		0x8905
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD	76
#endif
#define SCM_CREDS	0x02
#define USER		1000

/* ---- in the program ---------------------------------------------------------- */

static int s[2], t[2], child;

static void make_pair(int *p, int type)
{
	MUST(!socketpair(AF_UNIX, type, 0, p));
}

static short events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

	MUST(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void put(int fd, const char *text)
{
	MUST(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* Exactly this comes of one call. */
static void get(int fd, const char *text)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	MUST(n == (ssize_t)strlen(text) && !memcmp(buf, text, n));
}

static void is_empty(int fd)
{
	char c;

	MUST(recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static int number(int fd, int request)
{
	int n = -1;

	MUST(!ioctl(fd, request, &n));
	return n;
}

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	MUST(!getsockopt(fd, SOL_SOCKET, name, &value, &len));
	return value;
}

static void set_option(int fd, int name, int value)
{
	MUST(!setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)));
}

/* The two go on as a pair. */
static void talk(int a, int b)
{
	put(a, "ping");
	get(b, "ping");
	put(b, "pong");
	get(a, "pong");
}

/* What the others of a message are, of which it has one byte of data. */
struct aside {
	int fds[16];
	int nr;
	struct ucred cred;
	bool has_cred;
};

static void send_with(int fd, const char *text, const struct aside *a)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} u = {};
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	size_t len = 0;

	if (a->nr) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(a->nr * sizeof(int));
		memcpy(CMSG_DATA(c), a->fds, a->nr * sizeof(int));
		len += CMSG_SPACE(a->nr * sizeof(int));
		c = (void *)(u.buf + len);
	}
	if (a->has_cred) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_CREDS;
		c->cmsg_len = CMSG_LEN(sizeof(a->cred));
		memcpy(CMSG_DATA(c), &a->cred, sizeof(a->cred));
		len += CMSG_SPACE(sizeof(a->cred));
	}
	m.msg_controllen = len;
	MUST(sendmsg(fd, &m, 0) == (ssize_t)strlen(text));
}

static void get_with(int fd, const char *text, struct aside *a)
{
	union {
		char buf[512];
		struct cmsghdr align;
	} u;
	char data[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c;
	ssize_t n;

	memset(a, 0, sizeof(*a));
	n = recvmsg(fd, &m, MSG_DONTWAIT);
	MUST(n == (ssize_t)strlen(text) && !memcmp(data, text, n));
	MUST(!(m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)));
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		MUST(c->cmsg_level == SOL_SOCKET);
		if (c->cmsg_type == SCM_RIGHTS) {
			a->nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(a->fds, CMSG_DATA(c), a->nr * sizeof(int));
		} else {
			MUST(c->cmsg_type == SCM_CREDS);
			memcpy(&a->cred, CMSG_DATA(c), sizeof(a->cred));
			a->has_cred = true;
		}
	}
}

static void send_fds(int fd, const char *text, int a, int b)
{
	struct aside aside = { .fds = { a, b }, .nr = 1 + (b >= 0) };

	send_with(fd, text, &aside);
}

static int get_fds(int fd, const char *text, int *other)
{
	struct aside a;

	get_with(fd, text, &a);
	MUST(a.nr == 1 + !!other);
	if (other)
		*other = a.fds[1];
	return a.fds[0];
}

/* ---- pairs --------------------------------------------------------------------- */

static void set_stream(void)
{
	make_pair(s, SOCK_STREAM | SOCK_CLOEXEC);
	MUST(!fcntl(s[1], F_SETFD, 0) && !fcntl(s[1], F_SETFL, O_NONBLOCK));
	put(s[0], "one");
	put(s[0], "two");
	put(s[1], "back");
}

static void check_stream(void)
{
	MUST(fcntl(s[0], F_GETFD) == FD_CLOEXEC && !fcntl(s[1], F_GETFD));
	MUST(fcntl(s[0], F_GETFL) == O_RDWR);
	MUST(fcntl(s[1], F_GETFL) == (O_RDWR | O_NONBLOCK));
	MUST(option(s[0], SO_TYPE) == SOCK_STREAM && option(s[0], SO_DOMAIN) == AF_UNIX);
	get(s[1], "onetwo");
	get(s[0], "back");
	is_empty(s[0]);
	is_empty(s[1]);
	talk(s[0], s[1]);
	talk(s[1], s[0]);
}

static void set_messages(int type)
{
	make_pair(s, type);
	put(s[0], "one");
	put(s[0], "");
	put(s[0], "three");
	put(s[1], "back");
}

static void check_messages(void)
{
	MUST(events_of(s[1]) == (POLLIN | POLLOUT));
	get(s[1], "one");
	get(s[1], "");
	get(s[1], "three");
	is_empty(s[1]);
	get(s[0], "back");
	is_empty(s[0]);
	talk(s[0], s[1]);
}

static void set_dgram(void)
{
	set_messages(SOCK_DGRAM);
}

static void check_dgram(void)
{
	MUST(option(s[0], SO_TYPE) == SOCK_DGRAM);
	check_messages();
}

static void set_seqpacket(void)
{
	set_messages(SOCK_SEQPACKET);
}

static void check_seqpacket(void)
{
	MUST(option(s[0], SO_TYPE) == SOCK_SEQPACKET);
	check_messages();
}

/* Never connected. */
static void set_lone(void)
{
	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	s[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	MUST(s[0] >= 0 && s[1] >= 0);
}

static void check_lone(void)
{
	struct sockaddr_un addr = { AF_UNIX, "" };
	char c;

	MUST(recv(s[0], &c, 1, 0) < 0 && errno == EINVAL);
	MUST(send(s[1], "a", 1, 0) < 0 && errno == ENOTCONN);
	MUST(events_of(s[0]) == (POLLOUT | POLLHUP));
	MUST(!bind(s[0], (void *)&addr, sizeof(sa_family_t)) && !listen(s[0], 1));
}

static char stock[1 << 18];
static int stock_len, charged;

static void set_full(void)
{
	ssize_t n;
	int i;

	make_pair(s, SOCK_STREAM | SOCK_NONBLOCK);
	for (i = 0; i < (int)sizeof(stock); i++)
		stock[i] = pattern(i);
	/* Pieces of all sizes; of the first a part is read. */
	for (i = 1; (n = write(s[0], stock + stock_len, i)) > 0; i = i * 3 + 1)
		stock_len += n;
	MUST(errno == EAGAIN && stock_len > 100000);
	MUST(read(s[1], stock, 300) == 300);
	charged = number(s[0], SIOCOUTQ);
}

static void check_full(void)
{
	static char buf[sizeof(stock)];
	int n, got = 300;

	MUST(number(s[0], SIOCOUTQ) == charged);
	MUST(number(s[1], SIOCINQ) == stock_len - 300);
	MUST(events_of(s[0]) == 0 && events_of(s[1]) == (POLLIN | POLLOUT));
	MUST(write(s[0], "a", 1) < 0 && errno == EAGAIN);
	while ((n = read(s[1], buf + got, sizeof(buf) - got)) > 0)
		got += n;
	MUST(errno == EAGAIN && got == stock_len);
	MUST(!memcmp(buf + 300, stock + 300, got - 300));
	MUST(!number(s[0], SIOCOUTQ) && events_of(s[0]) == POLLOUT);
	talk(s[0], s[1]);
}

/* As large as a message may be. */
static void set_large(void)
{
	int i;

	make_pair(s, SOCK_DGRAM);
	for (i = 0; i < (int)sizeof(stock); i++)
		stock[i] = pattern(i);
	stock_len = option(s[0], SO_SNDBUF) - 32;
	MUST(stock_len <= (int)sizeof(stock));
	MUST(send(s[0], stock, stock_len, 0) == stock_len);
	/* Less than what waits. */
	set_option(s[0], SO_SNDBUF, 5000);
}

static void check_large(void)
{
	static char buf[sizeof(stock)];

	MUST(option(s[0], SO_SNDBUF) == 10000 && !(events_of(s[0]) & POLLOUT));
	MUST(recv(s[1], buf, sizeof(buf), 0) == stock_len);
	MUST(!memcmp(buf, stock, stock_len));
	MUST(send(s[0], buf, 20000, 0) < 0 && errno == EMSGSIZE);
	talk(s[0], s[1]);
}

static void set_consumed(void)
{
	char buf[8];

	make_pair(s, SOCK_STREAM);
	put(s[0], "0123456789");
	put(s[0], "abc");
	MUST(read(s[1], buf, 4) == 4);
	set_option(s[1], SO_PEEK_OFF, 2);
}

static void check_consumed(void)
{
	char buf[8];

	MUST(number(s[1], SIOCINQ) == 9);
	MUST(option(s[1], SO_PEEK_OFF) == 2);
	MUST(recv(s[1], buf, 3, MSG_PEEK) == 3 && !memcmp(buf, "678", 3));
	get(s[1], "456789abc");
	talk(s[0], s[1]);
}

static void set_oob(void)
{
	make_pair(s, SOCK_STREAM);
	make_pair(t, SOCK_STREAM);
	put(s[0], "ab");
	MUST(send(s[0], "!", 1, MSG_OOB) == 1);
	put(s[0], "cd");
	/* One that was read leaves a mark. */
	put(t[0], "ab");
	MUST(send(t[0], "!", 1, MSG_OOB) == 1);
	put(t[0], "cd");
	MUST(recv(t[1], stock, 1, MSG_OOB) == 1);
}

static void check_oob(void)
{
	char c;

	MUST(events_of(s[1]) & POLLPRI);
	get(s[1], "ab");
	MUST(number(s[1], ATMARK) == 1);
	MUST(recv(s[1], &c, 1, MSG_OOB) == 1 && c == '!');
	get(s[1], "cd");
	MUST(!(events_of(s[1]) & POLLPRI));

	MUST(!(events_of(t[1]) & POLLPRI));
	MUST(recv(t[1], &c, 1, MSG_OOB) < 0 && errno == EINVAL);
	get(t[1], "ab");
	MUST(number(t[1], ATMARK) == 1);
	get(t[1], "cd");
	talk(s[0], s[1]);
}

/* ---- ends ---------------------------------------------------------------------- */

static void answer(void)
{
	char buf[8];

	MUST(read(s[1], buf, 8) == 4 && !memcmp(buf, "ping", 4));
	put(s[1], "pong");
}

static void set_child(void)
{
	make_pair(s, SOCK_STREAM);
	child = start_child(answer, SYS_read);
	close(s[1]);
	t[0] = dup(s[0]);
}

static void check_child(void)
{
	char buf[8];

	put(t[0], "ping");
	MUST(read(s[0], buf, 8) == 4 && !memcmp(buf, "pong", 4));
	collect(child, GOOD);
	/* That was the other end. */
	MUST(!read(s[0], buf, 8));
	MUST(!fcntl(t[0], F_SETFL, O_NONBLOCK) && fcntl(s[0], F_GETFL) & O_NONBLOCK);
}

static void set_closed(void)
{
	make_pair(s, SOCK_STREAM);
	put(s[1], "last words");
	close(s[1]);
	/* What was not read is a reset for who wrote it. */
	make_pair(t, SOCK_STREAM);
	put(t[0], "unread");
	put(t[1], "last");
	close(t[1]);
}

static void is_broken(int fd)
{
	char c;

	MUST(recv(fd, &c, 1, 0) == 0);
	MUST(send(fd, "a", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	MUST((events_of(fd) & (POLLIN | POLLHUP | POLLRDHUP)) ==
	     (POLLIN | POLLHUP | POLLRDHUP));
}

static void check_closed(void)
{
	char c;

	MUST(!(events_of(s[0]) & POLLERR) && events_of(t[0]) & POLLERR);
	get(s[0], "last words");
	is_broken(s[0]);
	get(t[0], "last");
	MUST(recv(t[0], &c, 1, 0) < 0 && errno == ECONNRESET);
	is_broken(t[0]);
}

static void set_closed_messages(void)
{
	make_pair(s, SOCK_SEQPACKET);
	put(s[1], "one");
	put(s[1], "two");
	close(s[1]);
	make_pair(t, SOCK_DGRAM);
	put(t[1], "one");
	put(t[1], "two");
	close(t[1]);
}

static void check_closed_messages(void)
{
	get(s[0], "one");
	get(s[0], "two");
	is_broken(s[0]);
	get(t[0], "one");
	get(t[0], "two");
	is_empty(t[0]);
	MUST(send(t[0], "a", 1, 0) < 0 && errno == ECONNREFUSED);
	MUST(send(t[0], "a", 1, 0) < 0 && errno == ENOTCONN);
}

/* It has learnt already that the other is gone. */
static void set_alone(void)
{
	make_pair(t, SOCK_DGRAM);
	close(t[1]);
	MUST(send(t[0], "a", 1, 0) < 0 && errno == ECONNREFUSED);
	make_pair(s, SOCK_STREAM);
	put(s[0], "unread");
	close(s[1]);
	MUST(option(s[0], SO_ERROR) == ECONNRESET);
}

static void check_alone(void)
{
	MUST(send(t[0], "a", 1, 0) < 0 && errno == ENOTCONN);
	is_broken(s[0]);
}

static void set_shutdown(void)
{
	make_pair(s, SOCK_STREAM);
	put(s[0], "last");
	MUST(!shutdown(s[0], SHUT_WR));
	make_pair(t, SOCK_DGRAM);
	put(t[0], "last");
	MUST(!shutdown(t[1], SHUT_RD));
}

static void check_shutdown(void)
{
	char c;

	get(s[1], "last");
	MUST(recv(s[1], &c, 1, 0) == 0);
	MUST(send(s[0], "a", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	put(s[1], "still");
	get(s[0], "still");
	is_empty(s[0]);
	MUST(events_of(s[0]) == POLLOUT);
	MUST(events_of(s[1]) == (POLLIN | POLLOUT | POLLRDHUP));
	get(t[1], "last");
	MUST(recv(t[1], &c, 1, 0) == 0);
	MUST(send(t[0], "a", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	put(t[1], "still");
	get(t[0], "still");
}

/* ---- credentials --------------------------------------------------------------- */

static int dead;

static void send_and_die(void)
{
	struct aside a = {
		.has_cred = true, .cred = { getpid(), 21, 22 },
	};

	put(s[0], "usual");
	send_with(s[0], "named", &a);
	a.cred.pid = getppid();
	send_with(s[0], "parent", &a);
}

static void send_and_wait(void)
{
	put(s[0], "alive");
	pause();
}

static void set_creds(void)
{
	make_pair(s, SOCK_STREAM);
	set_option(s[1], SO_PASSCRED, 1);
	dead = fork();
	if (!dead) {
		send_and_die();
		_exit(GOOD);
	}
	collect(dead, GOOD);
	child = start_child(send_and_wait, SYS_pause);
}

static void expect_cred(const char *text, pid_t pid, uid_t uid, gid_t gid)
{
	struct aside a;

	get_with(s[1], text, &a);
	MUST(a.has_cred && a.cred.pid == pid && a.cred.uid == uid && a.cred.gid == gid);
}

static void check_creds(void)
{
	MUST(option(s[1], SO_PASSCRED) == 1 && !option(s[0], SO_PASSCRED));
	expect_cred("usual", dead, 0, 0);
	expect_cred("named", dead, 21, 22);
	expect_cred("parent", getpid(), 21, 22);
	expect_cred("alive", child, 0, 0);
	put(s[0], "now");
	expect_cred("now", getpid(), 0, 0);
	kill(child, SIGKILL);
	MUST(waitpid(child, NULL, 0) == child);
}

static struct ucred peer_of(int fd)
{
	struct ucred cred = {};
	socklen_t len = sizeof(cred);

	MUST(!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	return cred;
}

static void give_pair(void)
{
	MUST(!setresgid(22, 22, 22) && !setresuid(21, 21, 21));
	make_pair(t, SOCK_DGRAM);
	send_fds(s[0], "pair", t[0], t[1]);
}

/* Made by somebody who is no more, and by a child that lives. */
static void set_peercred(void)
{
	make_pair(s, SOCK_STREAM);
	dead = fork();
	if (!dead) {
		give_pair();
		_exit(GOOD);
	}
	collect(dead, GOOD);
	t[0] = get_fds(s[1], "pair", &t[1]);
}

static void check_peercred(void)
{
	struct ucred mine = peer_of(s[0]), its = peer_of(t[1]);

	MUST(mine.pid == getpid() && !mine.uid && !mine.gid);
	MUST(its.pid == dead && its.uid == 21 && its.gid == 22);
	talk(t[0], t[1]);
}

/* ---- descriptors on their way ---------------------------------------------------- */

static int on_way;

static void set_rights(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 7 };
	int p[2], event = eventfd(5, 0), ep = epoll_create1(0), mem;

	make_pair(s, SOCK_DGRAM);
	mem = syscall(SYS_memfd_create, "way", 0);
	MUST(mem >= 0 && write(mem, "memory", 6) == 6);
	send_fds(s[0], "memfd", mem, -1);
	close(mem);
	MUST(!pipe(p) && write(p[1], "pipe", 4) == 4);
	on_way = p[1];
	send_fds(s[0], "pipe", p[0], p[1]);
	close(p[0]);
	MUST(!epoll_ctl(ep, EPOLL_CTL_ADD, event, &e));
	send_fds(s[0], "epoll", ep, event);
	close(ep);
	close(event);
	put(s[0], "end");
}

static void check_rights(void)
{
	int in, out, ep, event;
	struct epoll_event e;
	uint64_t n;
	char buf[8];

	in = get_fds(s[1], "memfd", NULL);
	MUST(pread(in, buf, 8, 0) == 6 && !memcmp(buf, "memory", 6));
	close(in);
	in = get_fds(s[1], "pipe", &out);
	MUST(read(in, buf, 8) == 4 && !memcmp(buf, "pipe", 4));
	/* One open file. */
	MUST(!fcntl(on_way, F_SETFL, O_NONBLOCK) && fcntl(out, F_GETFL) & O_NONBLOCK);
	MUST(write(on_way, "more", 4) == 4 && read(in, buf, 8) == 4);
	ep = get_fds(s[1], "epoll", &event);
	MUST(epoll_wait(ep, &e, 1, 0) == 1 && e.data.u32 == 7);
	MUST(read(event, &n, 8) == 8 && n == 5);
	get(s[1], "end");
	close(in);
	close(out);
	signal(SIGPIPE, SIG_IGN);
	MUST(write(on_way, "a", 1) < 0 && errno == EPIPE);
}

static int unix_sockets(void)
{
	static char text[1 << 16];
	int n = 0;
	char *p;

	MUST(ckpt_read_text("/proc/self/net/unix", text, sizeof(text)) > 0);
	for (p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

/* In each other, in themselves, and one that is nowhere else. */
static void set_circle(void)
{
	int u[2];

	make_pair(s, SOCK_STREAM);
	make_pair(t, SOCK_DGRAM);
	make_pair(u, SOCK_STREAM);
	put(u[0], "deep");
	send_fds(s[0], "self", s[1], -1);
	send_fds(s[0], "other", t[0], t[1]);
	send_fds(t[0], "back", s[0], s[1]);
	send_fds(t[1], "pair", u[0], u[1]);
	close(u[0]);
	close(u[1]);
}

/* Closing one lets the kernel look for those that nobody can reach. */
static void collect_garbage(void)
{
	int p[2];

	make_pair(p, SOCK_STREAM);
	close(p[0]);
	close(p[1]);
	ckpt_sleep_ms(5);
}

static void check_circle(void)
{
	int base = 0, a, b, i;

	/* Of those that were killed, too. */
	for (i = 0; i < 400 && base != unix_sockets(); i++) {
		base = unix_sockets();
		for (a = 0; a < 4; a++)
			collect_garbage();
	}
	/* Leave all of it on its way, out of reach of anybody. */
	a = get_fds(s[1], "self", NULL);
	MUST(!fcntl(a, F_SETFL, O_NONBLOCK) && fcntl(s[1], F_GETFL) & O_NONBLOCK);
	a = get_fds(t[0], "pair", &b);
	get(b, "deep");
	talk(a, b);
	send_fds(t[1], "pair", a, b);
	for (i = 3; i < 64; i++)
		if (i != log_fd)
			close(i);
	for (i = 0; i < 400 && unix_sockets() > base - 6; i++)
		collect_garbage();
	MUST(unix_sockets() == base - 6);
}

/* A long chain of sockets, each on its way in the one before. */
#define CHAIN	200

static void set_chain(void)
{
	int i, p[2], last = -1;

	for (i = 0; i < CHAIN; i++) {
		make_pair(p, SOCK_DGRAM);
		if (i) {
			send_fds(p[0], "next", last, -1);
			close(last);
		}
		close(p[0]);
		last = p[1];
	}
	s[0] = last;
}

static void check_chain(void)
{
	int i, next;

	for (i = 1; i < CHAIN; i++) {
		next = get_fds(s[0], "next", NULL);
		close(s[0]);
		s[0] = next;
	}
	is_empty(s[0]);
}

/* ---- options --------------------------------------------------------------------- */

static const struct {
	int name, value;
} options[] = {
	{ SO_KEEPALIVE, 1 }, { SO_OOBINLINE, 1 }, { SO_BROADCAST, 1 },
	{ SO_DEBUG, 1 }, { SO_DONTROUTE, 1 }, { SO_RXQ_OVFL, 1 },
	{ SO_REUSEADDR, 1 }, { SO_NO_CHECK, 1 }, { SO_PASSCRED, 1 },
	{ SO_PASSSEC, 1 }, { SO_PASSPIDFD, 1 }, { SO_SNDBUF, 7001 },
	{ SO_RCVBUF, 8002 }, { SO_RCVLOWAT, 3 }, { SO_PEEK_OFF, 5 },
	{ SO_PRIORITY, 9 }, { SO_MARK, 77 },
};

static void set_options(void)
{
	struct linger l = { 1, 33 };
	struct timeval tv = { 7, 400000 };
	unsigned int i;

	make_pair(s, SOCK_STREAM);
	for (i = 0; i < ARRAY_SIZE(options); i++)
		set_option(s[0], options[i].name, options[i].value);
	MUST(!setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	MUST(!setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_sec = 0;
	MUST(!setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	set_option(s[1], SO_SNDBUFFORCE, 1 << 20);
	MUST(!fcntl(s[1], F_SETFL, O_APPEND));
}

static void check_options(void)
{
	socklen_t len = sizeof(struct linger);
	struct linger l;
	struct timeval tv;
	unsigned int i;
	bool buf;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		buf = options[i].name == SO_SNDBUF || options[i].name == SO_RCVBUF;
		MUST(option(s[0], options[i].name) == options[i].value << buf);
		if (!buf && options[i].name != SO_RCVLOWAT && options[i].name != SO_PEEK_OFF)
			MUST(!option(s[1], options[i].name));
	}
	MUST(!getsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, &len));
	MUST(l.l_onoff == 1 && l.l_linger == 33);
	len = sizeof(tv);
	MUST(!getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	MUST(tv.tv_sec == 7 && tv.tv_usec == 400000);
	MUST(!getsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
	MUST(!tv.tv_sec && tv.tv_usec == 400000);
	MUST(!getsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	MUST(!tv.tv_sec && !tv.tv_usec);
	MUST(option(s[1], SO_SNDBUF) == 2 << 20 && option(s[1], SO_PEEK_OFF) == -1);
	MUST(fcntl(s[1], F_GETFL) == (O_RDWR | O_APPEND));
}

/* ---- who waits -------------------------------------------------------------------- */

static void read_late(void)
{
	char buf[8];

	MUST(read(s[1], buf, 8) == 4 && !memcmp(buf, "late", 4));
}

static void receive_late(void)
{
	struct aside a;
	struct iovec iov = { &a, 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	/* Of 32 bits the C library goes by socketcall(). */
	MUST(syscall(SYS_recvmsg, t[1], &m, 0) == 4 && !memcmp(&a, "late", 4));
}

static void set_readers(void)
{
	make_pair(s, SOCK_STREAM);
	make_pair(t, SOCK_SEQPACKET);
	child = start_child(read_late, SYS_read);
	dead = start_child(receive_late, SYS_recvmsg);
}

static void check_readers(void)
{
	put(s[0], "late");
	put(t[0], "late");
	collect(child, GOOD);
	collect(dead, GOOD);
}

static void write_late(void)
{
	MUST(write(s[0], "late", 4) == 4);
}

static void poll_late(void)
{
	struct pollfd p = { .fd = t[1], .events = POLLIN };

	MUST(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
	get(t[1], "late");
}

static void set_waiters(void)
{
	make_pair(s, SOCK_STREAM | SOCK_NONBLOCK);
	make_pair(t, SOCK_DGRAM);
	while (write(s[0], stock, 1000) > 0)
		stock_len += 1000;
	MUST(errno == EAGAIN && !fcntl(s[0], F_SETFL, 0));
	child = start_child(write_late, SYS_write);
	dead = start_child(poll_late, SYS_poll);
}

static void check_waiters(void)
{
	int i;

	put(t[0], "late");
	collect(dead, GOOD);
	for (i = 0; i < stock_len; i += 1000)
		MUST(recv(s[1], stock, 1000, MSG_WAITALL) == 1000);
	collect(child, GOOD);
	get(s[1], "late");
}

static void watch(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	MUST(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static int told(int ep)
{
	struct epoll_event e;
	int n = epoll_wait(ep, &e, 1, 0);

	MUST(n >= 0);
	return n ? e.data.fd : -1;
}

/* An edge that was told, one that was not, and what has a level. */
static void set_edges(void)
{
	make_pair(s, SOCK_STREAM);
	make_pair(t, SOCK_STREAM);
	put(s[0], "told");
	on_way = epoll_create1(0);
	watch(on_way, s[1], EPOLLIN | EPOLLET);
	MUST(told(on_way) == s[1] && told(on_way) == -1);
	watch(on_way, t[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
	put(t[0], "not told");
	close(t[0]);
	dead = epoll_create1(0);
	watch(dead, s[1], EPOLLIN);
}

static void check_edges(void)
{
	MUST(told(on_way) == t[1] && told(on_way) == -1);
	MUST(told(dead) == s[1] && told(dead) == s[1]);
	put(s[0], "again");
	MUST(told(on_way) == s[1] && told(on_way) == -1);
	get(s[1], "toldagain");
	MUST(told(dead) == -1);
	close(s[0]);
	MUST(told(on_way) == s[1] && told(dead) == s[1]);
}

/* ---- in the test ---------------------------------------------------------------- */

PROGRAM_FIXTURE(pairs, begin_tree, end_tree);

FIXTURE_VARIANT(pairs)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(pairs, name)		\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(stream);
PROGRAM(dgram);
PROGRAM(seqpacket);
PROGRAM(lone);
PROGRAM(full);
PROGRAM(large);
PROGRAM(consumed);
PROGRAM(oob);
PROGRAM(child);
PROGRAM(closed);
PROGRAM(closed_messages);
PROGRAM(alone);
PROGRAM(shutdown);
PROGRAM(creds);
PROGRAM(peercred);
PROGRAM(rights);
PROGRAM(circle);
PROGRAM(chain);
PROGRAM(options);
PROGRAM(readers);
PROGRAM(waiters);
PROGRAM(edges);

TEST_F(pairs, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(pairs, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- what is refused -------------------------------------------------------------- */

#define NAME	"/tmp/unix.name"

static int outside[2];

static void take_outside(int i)
{
	int fd = syscall(SYS_pidfd_open, getppid(), 0);

	s[i] = syscall(SYS_pidfd_getfd, fd, outside[i], 0);
	MUST(s[i] >= 0);
	close(fd);
}

static void set_outside(void)
{
	take_outside(0);
}

static void set_both_outside(void)
{
	take_outside(0);
	take_outside(1);
}

static void use_pair(void)
{
	talk(s[0], s[1]);
}

static void set_bound(void)
{
	struct sockaddr_un addr = { AF_UNIX, NAME };

	unlink(NAME);
	s[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	MUST(!bind(s[0], (void *)&addr, sizeof(addr)));
	unlink(NAME);
}

static void set_abstract(void)
{
	struct sockaddr_un addr = { AF_UNIX };

	s[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	MUST(!bind(s[0], (void *)&addr, sizeof(sa_family_t)));
}

/* What is said of it is one line. */
static void set_odd_name(void)
{
	struct sockaddr_un addr = { AF_UNIX, "\0two\nlines\0" };

	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(!bind(s[0], (void *)&addr, sizeof(sa_family_t) + 11));
}

static void set_long_name(void)
{
	struct sockaddr_un addr = { AF_UNIX };

	memset(addr.sun_path + 1, '\n', sizeof(addr.sun_path) - 1);
	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(!bind(s[0], (void *)&addr, sizeof(addr)));
}

static void set_listening(void)
{
	struct sockaddr_un addr = { AF_UNIX, NAME };

	unlink(NAME);
	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(!bind(s[0], (void *)&addr, sizeof(addr)) && !listen(s[0], 3));
	unlink(NAME);
}

static void set_timestamp(void)
{
	make_pair(s, SOCK_DGRAM);
	set_option(s[0], SO_TIMESTAMP, 1);
}

static void set_filter(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, -1U);
	struct sock_fprog prog = { 1, &all };

	make_pair(s, SOCK_DGRAM);
	MUST(!setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
}

static void set_device(void)
{
	make_pair(s, SOCK_DGRAM);
	MUST(!setsockopt(s[0], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
}

static void set_pacing(void)
{
	make_pair(s, SOCK_DGRAM);
	set_option(s[0], SO_MAX_PACING_RATE, 1000);
}

static void set_netns(void)
{
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	MUST(ns >= 0 && !unshare(CLONE_NEWNET));
	make_pair(s, SOCK_DGRAM);
	MUST(!setns(ns, CLONE_NEWNET));
	close(ns);
}

static void set_chmod(void)
{
	make_pair(s, SOCK_DGRAM);
	MUST(!fchmod(s[0], 0600));
}

static void set_one_way(void)
{
	struct sockaddr addr = { .sa_family = AF_UNSPEC };

	make_pair(s, SOCK_DGRAM);
	MUST(!connect(s[0], &addr, sizeof(addr)));
}

static void set_inet(void)
{
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	MUST(s[0] >= 0);
}

static void set_family(void)
{
	s[0] = socket(AF_NETLINK, SOCK_RAW, 0);
	MUST(s[0] >= 0);
}

static void set_inet_on_way(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	make_pair(s, SOCK_STREAM);
	MUST(fd >= 0);
	send_fds(s[0], "inet", fd, -1);
	close(fd);
}

static void use_inet_on_way(void)
{
	MUST(option(get_fds(s[1], "inet", NULL), SO_DOMAIN) == AF_INET);
	talk(s[0], s[1]);
}

static void begin_refused(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, outside));
}

static void end_refused(pid_t pid)
{
	end_tree(pid);
	close(outside[0]);
	close(outside[1]);
}

PROGRAM_FIXTURE(refused, begin_refused, end_refused);

FIXTURE_VARIANT(refused)
{
	struct program program;
	const char *words;
	bool close;
};

#define REFUSED(name, check_fn, text)			\
FIXTURE_VARIANT_ADD(refused, name)			\
{							\
	.program = { set_##name, check_fn },		\
	.words = text,					\
}

REFUSED(outside, NULL, " has its other end at pid ");
REFUSED(both_outside, use_pair, " in common with pid ");
REFUSED(bound, NULL, " is bound to the name " NAME ", which cannot be saved yet\n");
REFUSED(abstract, NULL, " is bound to the name @");
REFUSED(odd_name, NULL, " is bound to the name @two\\nlines\\0, which cannot be saved yet\n");
REFUSED(long_name, NULL, "\\n\\n, which cannot be saved yet\n");
REFUSED(listening, NULL, " listens for connections at " NAME ", which cannot be saved yet\n");
REFUSED(timestamp, use_pair, " has SO_TIMESTAMP or SO_TIMESTAMPING, which cannot");
REFUSED(filter, use_pair, " has a filter (SO_ATTACH_FILTER), which cannot");
REFUSED(device, use_pair, " is bound to a device (SO_BINDTODEVICE), which cannot");
REFUSED(pacing, use_pair, " has SO_MAX_PACING_RATE, which cannot");
REFUSED(netns, use_pair, " is of another network namespace than yours");
REFUSED(chmod, use_pair, " has got another owner or mode (fchown, fchmod)");
REFUSED(one_way, NULL, " is connected to one that is not connected to it");
REFUSED(inet, NULL, " is a socket of family AF_INET, which cannot be saved yet");
REFUSED(family, NULL, " is a socket of family AF_NETLINK, which cannot be saved yet");
REFUSED(inet_on_way, use_inet_on_way, " on its way in a socket -> socket:[");

FIXTURE_VARIANT_ADD(refused, made_outside)
{
	.program = { set_both_outside, use_pair },
	.words = "is outside (SO_PEERCRED)",
	.close = true,
};

TEST_F(refused, by_name)
{
	const char *const words[] = { variant->words, NULL };

	self->pid = start_program(_metadata, &variant->program);
	if (variant->close) {
		close(outside[0]);
		close(outside[1]);
	}
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
