// SPDX-License-Identifier: GPL-2.0
/*
 * Open files that are not the program's: declared external when it is saved,
 * supplied when it is brought back, refused if what is supplied does not fit.
 *
 *	test			program
 *	makes a file, 300
 *	start()
 *				takes it as descriptor 10
 *				"ready"
 *	checkpoint(), with its key
 *	restart(), with another
 *				uses 10, which is the other
 */
#include "tree_program.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>

/* Not closed by ckpt_spawn(). */
#define HANDOVER	300
#define A		DIRECTORY "/a"
#define B		DIRECTORY "/b"
#define NONE		-1

/* ---- in the program ---------------------------------------------------------- */

static void take(void)
{
	move_fd(HANDOVER, 10, 0);
	MUST(dup2(10, 11) == 11);
}

static void reads_new(void)
{
	char buf[8];

	MUST(read(11, buf, sizeof(buf)) == 3 && !memcmp(buf, "new", 3));
	MUST(fcntl(10, F_GETFD) == 0);
}

static void writes_new(void)
{
	MUST(write(10, "one ", 4) == 4 && write(11, "two", 3) == 3);
}

static void take_both(void)
{
	move_fd(HANDOVER, 10, 0);
	move_fd(HANDOVER + 1, 11, 0);
}

static void both_work(void)
{
	char buf[8];

	MUST(read(10, buf, sizeof(buf)) == 3 && !memcmp(buf, "new", 3));
	MUST(write(11, "two", 3) == 3);
}

static void counts(void)
{
	__u64 n;

	MUST(read(10, &n, sizeof(n)) == sizeof(n) && n == 7);
}

static void take_mapped(void)
{
	char *p;

	take();
	p = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, 10, 0);
	MUST(p == (void *)0x10000000);
	p[5] = 'x';
}

static void map_is_new(void)
{
	char *p = (void *)0x10000000;

	MUST(p[5] == 'n');
	p[6] = 'p';
}

static void take_and_watch(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 5 };

	take();
	move_fd(epoll_create1(0), 12, 0);
	MUST(!epoll_ctl(12, EPOLL_CTL_ADD, 10, &e));
	MUST(!epoll_wait(12, &e, 1, 0));
}

static void watch_tells(void)
{
	struct epoll_event e = {};

	MUST(epoll_wait(12, &e, 1, 5000) == 1 && e.data.u64 == 5);
	reads_new();
}

static void take_and_lock(void)
{
	take();
	MUST(!flock(10, LOCK_EX));
}

static void still_locked(void)
{
	int fd = open(B, O_RDWR);

	MUST(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	writes_new();
}

/* A log that moves, opened twice, and mapped. */
static void open_log(void)
{
	open_as(10, A, O_RDWR | O_APPEND);
	open_as(11, A, O_RDONLY);
}

static void log_moved(void)
{
	writes_new();
}

/* ---- in the test -------------------------------------------------------------- */

static int ours, theirs;

/* For the program, which has no other of them. */
static void hand_over(struct __test_metadata *_metadata, int fd, int nth)
{
	ASSERT_LE(0, fd);
	ASSERT_EQ(HANDOVER + nth, dup2(fd, HANDOVER + nth));
	close(fd);
}

static void declare(const char *key)
{
	ckpt_external[ckpt_nr_external++] = (uintptr_t)key;
}

static void external_begin(struct __test_metadata *_metadata)
{
	begin_tree(_metadata);
	ASSERT_TRUE(mount_files("tmpfs"));
	ours = NONE;
	theirs = NONE;
	ckpt_nr_external = 0;
	ckpt_touch(A);
	ckpt_touch(B);
}

static void external_end(pid_t pid)
{
	end_tree(pid);
	umount_files();
	close(HANDOVER);
	close(HANDOVER + 1);
	close(ours);
	close(theirs);
}

/* The name of a descriptor, as /proc shows it. */
static const char *name_of(int fd)
{
	static char name[64];
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = 0;
	return name;
}

/* With keys; returns as ckpt_restart() does. */
static pid_t restart_keys(pid_t pid, const struct ckpt_inherit_key *keys, int nr)
{
	struct ckpt_child c = {
		.in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC),
		.keys = keys, .nr_keys = nr,
	};
	pid_t ret = ckpt_restart_child(&c, pid);

	close(c.in);
	return ret;
}

static pid_t restart_key(pid_t pid, const char *key, int fd)
{
	const struct ckpt_inherit_key k = { .key = (uintptr_t)key, .fd = fd };

	return restart_keys(pid, &k, 1);
}

static bool log_has(const char *words)
{
	const char * const parts[] = { words, NULL };

	return ckpt_log_says(parts);
}

#define EXPECT_LOG(words)			\
	EXPECT_TRUE(log_has(words)) {		\
		TH_LOG("%s", ckpt_log_text);	\
	}

/* What makes files of a kind, and two: one to be saved with, one afterwards. */
struct kind {
	int (*make)(int *other);
	void (*feed)(int other);
};

static int make_reader(int *other)
{
	int p[2];

	pipe2(p, O_CLOEXEC);
	*other = p[1];
	return p[0];
}

static void feed_three(int other)
{
	if (write(other, "new", 3) != 3)
		abort();
}

static int make_writer(int *other)
{
	int p[2];

	pipe2(p, O_CLOEXEC);
	*other = p[0];
	return p[1];
}

static int make_unix(int *other)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s);
	*other = s[1];
	return s[0];
}

static int make_unix_datagram(int *other)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s);
	*other = s[1];
	return s[0];
}

static int make_inet(int *other)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	*other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (void *)&addr, len) || getsockname(fd, (void *)&addr, &len) ||
	    connect(*other, (void *)&addr, len))
		return -1;
	return fd;
}

static int make_kmsg(int *other)
{
	*other = NONE;
	return open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

static int make_null(int *other)
{
	*other = NONE;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int make_file(int *other)
{
	*other = NONE;
	return open(B, O_RDWR | O_CLOEXEC);
}

static int make_directory(int *other)
{
	*other = NONE;
	return open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_eventfd(int *other)
{
	*other = NONE;
	return eventfd(7, EFD_CLOEXEC);
}

static int make_timerfd(int *other)
{
	*other = NONE;
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int make_bpf(int *other)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	*other = NONE;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int make_memfd(int *other)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);

	*other = NONE;
	if (ftruncate(fd, 4096) || pwrite(fd, "n", 1, 5) != 1)
		return -1;
	return fd;
}

FIXTURE(external)
{
	pid_t pid;
};

FIXTURE_SETUP(external)
{
	external_begin(_metadata);
}

FIXTURE_TEARDOWN(external)
{
	external_end(self->pid);
}

/*
 * @key is NULL for the name. What is refused without it by @refused comes back
 * with it; @wrong does not fit, by @words.
 */
FIXTURE_VARIANT(external)
{
	struct program program;
	int (*make)(int *other);
	void (*feed)(int other);
	const char *key;
	const char *refused;
	int (*wrong)(int *other);
	int err;
	const char *words;
};

#define EXTERNAL(name, ...)				\
FIXTURE_VARIANT_ADD(external, name) { __VA_ARGS__ }

EXTERNAL(pipe_reader, { take, reads_new }, make_reader, feed_three, NULL,
	 " shares its pipe with pid ", make_writer, EBADF,
	 " was open for reading, what you give for it is open for writing");
EXTERNAL(pipe_writer, { take, writes_new }, make_writer, NULL, NULL,
	 " shares its pipe with pid ", make_null, ESTALE,
	 " was a pipe or FIFO, what you give for it is a character device");
EXTERNAL(pipe_by_number, { take, reads_new }, make_reader, feed_three, "fd:11",
	 " shares its pipe with pid ", make_file, ESTALE,
	 " was a pipe or FIFO, what you give for it is a regular file");
EXTERNAL(unix_socket, { take, reads_new }, make_unix, feed_three, NULL,
	 " has its other end at pid ", make_unix_datagram, ESTALE,
	 " was a socket of family 1 and type 1, what you give for it is one of 1 and 2");
EXTERNAL(inet_socket, { take, reads_new }, make_inet, feed_three, "fd:10",
	 " is a socket of family AF_INET", make_unix_datagram, ESTALE,
	 " was a socket of family 2 and type 2, what you give for it is one of 1 and 2");
EXTERNAL(device, { take, writes_new }, make_kmsg, NULL, "dev:1:11",
	 ": kmsg_fops cannot be saved yet", make_null, ESTALE,
	 " was device 1:11, what you give for it is 1:3");
EXTERNAL(device_by_path, { take, writes_new }, make_kmsg, NULL, "/dev/kmsg",
	 ": kmsg_fops cannot be saved yet", make_null, ESTALE,
	 " was device 1:11, what you give for it is 1:3");
EXTERNAL(file, { take, writes_new }, make_file, NULL, B,
	 NULL, make_directory, ESTALE,
	 " was a regular file, what you give for it is a directory");
EXTERNAL(map, { take, NULL }, make_bpf, NULL, NULL,
	 ": bpf_map_fops cannot be saved yet", make_eventfd, ESTALE,
	 " is not what you give for it, which is [eventfd]");
EXTERNAL(eventfd, { take, counts }, make_eventfd, NULL, "fd:10",
	 NULL, make_timerfd, ESTALE,
	 " is not what you give for it, which is [timerfd]");
EXTERNAL(watched, { take_and_watch, watch_tells }, make_reader, feed_three, NULL,
	 " shares its pipe with pid ", make_file, ESTALE,
	 " was a pipe or FIFO, ");
EXTERNAL(locked, { take_and_lock, still_locked }, make_file, NULL, B,
	 NULL, make_null, ESTALE, " was a regular file, ");
EXTERNAL(mapped, { take_mapped, map_is_new }, make_memfd, NULL, NULL,
	 NULL, make_null, ESTALE, " was a regular file, ");

TEST_F(external, supplied)
{
	char key[64];
	int fd, wrong;

	hand_over(_metadata, variant->make(&ours), 0);
	snprintf(key, sizeof(key), "%s", variant->key ?: name_of(HANDOVER));
	self->pid = start_program(_metadata, &variant->program);
	close(HANDOVER);
	if (variant->refused) {
		ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
		EXPECT_LOG(variant->refused);
	}
	declare(key);
	EXPECT_EQ(0, ckpt_check(self->pid, CHECKPOINT_SUBTREE)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_STREQ("", ckpt_log_text);
	close(ours);

	/* Not at all, wrong, and right. */
	EXPECT_EQ(-ENOENT, restart_keys(self->pid, NULL, 0));
	EXPECT_LOG(" was declared external: give one in its place with --inherit-fd '");
	wrong = variant->wrong(&theirs);
	EXPECT_EQ(-variant->err, restart_key(self->pid, key, wrong));
	EXPECT_LOG(variant->words);
	EXPECT_LE(0, fcntl(wrong, F_GETFD));
	close(theirs);
	fd = variant->make(&theirs);
	ASSERT_EQ(self->pid, restart_key(self->pid, key, fd)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_STREQ("", ckpt_log_text);
	/* One open file: that of the test, the same at both descriptors. */
	EXPECT_EQ(0, syscall(SYS_kcmp, self->pid, getpid(), 0, 10, fd));
	EXPECT_EQ(0, syscall(SYS_kcmp, self->pid, getpid(), 0, 11, fd));
	if (variant->feed)
		variant->feed(theirs);
	ends_well(_metadata, &self->pid);
	close(fd);
	close(wrong);
}

PROGRAM_FIXTURE(more, external_begin, external_end);

/* Both ends of a pipe are in the tree, and both are outside as well. */
TEST_F(more, both_ends)
{
	static const struct program p = { take_both, both_work };
	struct ckpt_inherit_key keys[3];
	char key[64], buf[8];
	int i, in[2], out[2];

	hand_over(_metadata, make_reader(&ours), 0);
	hand_over(_metadata, dup(ours), 1);
	snprintf(key, sizeof(key), "%s", name_of(ours));
	self->pid = start_program(_metadata, &p);
	declare(key);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_EQ(3, write(in[1], "new", 3));
	for (i = 0; i < 3; i++)
		keys[i] = (struct ckpt_inherit_key){ .key = (uintptr_t)key };
	keys[0].fd = out[1];
	keys[1].fd = in[0];
	/* What nobody has is reported. */
	keys[2].fd = in[1];
	keys[2].key = (uintptr_t)"pipe:[1]";
	EXPECT_EQ(-EBADF, restart_keys(self->pid, keys, 1));
	ASSERT_EQ(self->pid, restart_keys(self->pid, keys, 3)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_STREQ("warning: the image has no file pipe:[1] that --inherit-fd could replace\n",
		     ckpt_log_text);
	ends_well(_metadata, &self->pid);
	EXPECT_EQ(3, read(out[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "two", 3));
	for (i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static const char unused_400[] =
	"warning: the processes have no open file fd:400, which you have declared external\n";

/* By its descriptor, as if it were a file of the image. */
TEST_F(more, by_descriptor)
{
	static const struct program p = { take, reads_new };
	struct ckpt_inherit_fd in[] = { { .saved_fd = 10 }, { .saved_fd = 11 } };
	int fd;

	hand_over(_metadata, make_reader(&ours), 0);
	declare("fd:10");
	declare("fd:400");
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	EXPECT_STREQ(unused_400, ckpt_log_text);
	in[0].fd = make_file(&theirs);
	in[1].fd = in[0].fd;
	EXPECT_EQ(-ESTALE, restart_with(self->pid, 0, in, 2));
	EXPECT_LOG(" was a pipe or FIFO, what you give for it is a regular file");
	close(in[0].fd);
	fd = make_reader(&theirs);
	feed_three(theirs);
	in[0].fd = fd;
	/* One of the two is enough: they are one open file. */
	ASSERT_EQ(self->pid, restart_with(self->pid, 0, in, 1)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
	close(fd);
}

/* What a whole container shares with the outside by the caller's will. */
TEST_F(more, not_alone)
{
	static const struct program p = { take, writes_new };

	hand_over(_metadata, make_file(&theirs), 0);
	self->pid = start_program(_metadata, &p);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(self->pid, 0));
	EXPECT_LOG(" has the open file " B " in common with pid ");
	declare(B);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_check(self->pid, 0));
	EXPECT_TRUE(!log_has(" " B " "));
	declare(LOG);
	EXPECT_EQ(0, ckpt_check(self->pid, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ends_well(_metadata, &self->pid);
}

/* An end of a pair in the tree cannot be parted from the other. */
static void make_pair(void)
{
	int s[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	move_fd(s[0], 10, 0);
	move_fd(s[1], 11, 0);
}

static void pair_works(void)
{
	char c;

	MUST(write(10, "x", 1) == 1 && read(11, &c, 1) == 1);
}

TEST_F(more, half_a_pair)
{
	static const struct program p = { make_pair, pair_works };

	self->pid = start_program(_metadata, &p);
	declare("fd:10");
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_LOG(" fd 11 -> ");
	EXPECT_LOG(" is the other end of a socket that you have declared external");
	ends_well(_metadata, &self->pid);
}

/* What is saved can be replaced by its path. */
TEST_F(more, log_moves)
{
	static const struct program p = { open_log, log_moved };
	struct ckpt_inherit_key keys[2] = { { .key = (uintptr_t)A } };
	char text[16];
	int fds[2];

	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	unlink(A);
	EXPECT_EQ(-ENOENT, restart_keys(self->pid, NULL, 0));
	fds[0] = open(B, O_WRONLY | O_CLOEXEC);
	fds[1] = open(B, O_RDWR | O_APPEND | O_CLOEXEC);
	keys[0].fd = fds[1];
	ASSERT_EQ(self->pid, restart_keys(self->pid, keys, 1)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_STREQ("", ckpt_log_text);
	ckpt_kill(self->pid);
	keys[0].fd = fds[0];
	ASSERT_EQ(self->pid, restart_keys(self->pid, keys, 1));
	/* Only for the one that was open for reading. */
	EXPECT_STREQ("warning: what takes the place of " A
		     " is open for writing, that was open for reading\n",
		     ckpt_log_text);
	ckpt_kill(self->pid);
	keys[0].fd = fds[1];
	ASSERT_EQ(self->pid, restart_keys(self->pid, keys, 1));
	ends_well(_metadata, &self->pid);
	ckpt_read_text(B, text, sizeof(text));
	EXPECT_STREQ("one two", text);
	close(fds[0]);
	close(fds[1]);
}

/* ---- a tree ------------------------------------------------------------------ */

static void send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	struct iovec iov = { "fd", 2 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	MUST(sendmsg(sock, &m, 0) == 2);
}

static int receive_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char buf[4];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	int fd;

	MUST(recvmsg(sock, &m, 0) == 2 && m.msg_controllen);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

/* The root has it as 10, a child as 20, and it is on its way in a socket. */
static void shared_in_tree(void)
{
	int s[2], fd;
	pid_t pid;

	move_fd(HANDOVER, 10, 0);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	send_fd(s[0], 10);
	pid = fork();
	if (!pid)
		move_fd(10, 20, 0);
	ready();
	wait_go();
	if (!pid) {
		MUST(write(20, "child ", 6) == 6);
		_exit(GOOD);
	}
	collect(pid, GOOD);
	MUST(write(10, "root ", 5) == 5);
	fd = receive_fd(s[1]);
	MUST(write(fd, "flight", 6) == 6);
}

TEST_F(more, tree)
{
	char key[64], options[128], text[32];
	pid_t was;

	hand_over(_metadata, make_writer(&ours), 0);
	snprintf(key, sizeof(key), "%s", name_of(HANDOVER));
	self->pid = start_tree(_metadata, shared_in_tree, 2, false);
	was = self->pid;
	close(HANDOVER);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	declare(key);
	kill_tree(_metadata, self->pid);
	self->pid = 0;
	EXPECT_EQ(-1, restart_image(""));
	reap_all();
	/* By a file that is a regular one. */
	snprintf(options, sizeof(options), "--inherit-fd='%s=%s'", key, B);
	EXPECT_EQ(-1, restart_image(options));
	reap_all();
	/* That of a FIFO is one of a pipe, too. */
	ASSERT_EQ(0, mkfifo(DIRECTORY "/fifo", 0600));
	theirs = open(DIRECTORY "/fifo", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "--inherit-fd='%s=%s'", key,
		 DIRECTORY "/fifo");
	self->pid = restart_image(options);
	ASSERT_EQ(was, self->pid);
	tree_ends_well(_metadata, &self->pid);
	EXPECT_EQ(17, read(theirs, text, sizeof(text)));
	EXPECT_EQ(0, memcmp(text, "child root flight", 17));
}

/* ---- arguments ------------------------------------------------------------------ */

static long save_args(pid_t pid, struct checkpoint_args *args, size_t size)
{
	long ret;

	args->log_fd = ckpt_log_begin();
	ret = sys_checkpoint(pid, -1, CHECKPOINT_CHECK | CHECKPOINT_SUBTREE |
			     CHECKPOINT_ARGS, args, size);
	if (ret < 0)
		ret = -errno;
	ckpt_log_end(args->log_fd);
	return ret;
}

TEST_F(more, arguments)
{
	static const char * const bad[] = {
		"", "x", "fd:", "fd:-1", "fd:1x", "fd:99999999999", "dev:1",
		"dev:1:", "dev:1:2:3", "dev:1:2x", "dev:0:0", "dev:4096:1",
		"dev:1:1048576", "relative/path",
	};
	static __u64 keys[CKPT_EXTERNAL_MAX + 1];
	static char long_key[2 * PATH_MAX];
	struct checkpoint_args args = {
		.external = (uintptr_t)keys, .nr_external = 1,
	};
	struct ckpt_inherit_key k = { .key = (uintptr_t)"/x", .fd = 0 };
	struct restart_args rs = { .log_fd = -1, .done_fd = -1 };
	int i, in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	unsigned long f = RESTART_TASKSELF | RESTART_ARGS;

	self->pid = start(_metadata, idle_program, NULL);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		keys[0] = (uintptr_t)bad[i];
		EXPECT_EQ(-EINVAL, save_args(self->pid, &args, sizeof(args))) {
			TH_LOG("%s", bad[i]);
		}
		EXPECT_LOG(" names no external file: a key is ");
	}
	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[0] = '/';
	keys[0] = (uintptr_t)long_key;
	EXPECT_EQ(-EINVAL, save_args(self->pid, &args, sizeof(args)));
	keys[0] = 1;
	EXPECT_EQ(-EFAULT, save_args(self->pid, &args, sizeof(args)));
	for (i = 0; i <= CKPT_EXTERNAL_MAX; i++)
		keys[i] = (uintptr_t)"/nothing";
	args.nr_external = CKPT_EXTERNAL_MAX;
	EXPECT_EQ(0, save_args(self->pid, &args, sizeof(args)));
	args.nr_external = CKPT_EXTERNAL_MAX + 1;
	EXPECT_EQ(-E2BIG, save_args(self->pid, &args, sizeof(args)));
	/* A caller that knows nothing of them has none. */
	EXPECT_EQ(0, save_args(self->pid, &args, CHECKPOINT_ARGS_SIZE_VER0));
	args.nr_external = 1;
	args.external = 1;
	EXPECT_EQ(-EFAULT, save_args(self->pid, &args, sizeof(args)));

	rs.nr_inherit_keys = CKPT_EXTERNAL_MAX + 1;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(E2BIG, errno);
	rs.nr_inherit_keys = 1;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(EFAULT, errno);
	rs.inherit_keys = (uintptr_t)&k;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(ENOEXEC, errno);
	k.fd = 9999;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(EBADF, errno);
	k.fd = 0;
	k.__reserved = 1;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(EINVAL, errno);
	k.__reserved = 0;
	k.key = 1;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(EFAULT, errno);
	rs.nr_inherit_keys = 0;
	rs.__reserved = 1;
	EXPECT_EQ(-1, sys_restart(0, in, f, &rs, sizeof(rs)));
	EXPECT_EQ(EINVAL, errno);
	close(in);
	ends_well(_metadata, &self->pid);
}

/* ---- hostile images --------------------------------------------------------------- */

static char image[1 << 20];

static void *find_record(__u32 type, size_t size)
{
	struct ckpt_hdr *h;
	size_t at;

	for (at = 0; at < size; at += h->len) {
		h = (void *)(image + at);
		if (h->type == type)
			return h;
	}
	return NULL;
}

/* The FILE record of an external file. */
static struct ckpt_rec_file *find_external(size_t size)
{
	struct ckpt_rec_external *ext = find_record(CKPT_REC_EXTERNAL, size);
	struct ckpt_hdr *h;
	size_t at;

	for (at = 0; at < size; at += h->len) {
		h = (void *)(image + at);
		if (h->type == CKPT_REC_FILE &&
		    ((struct ckpt_rec_file *)h)->objref == ext->file)
			return (void *)h;
	}
	return NULL;
}

static long try_image(pid_t pid, struct ckpt_hdr *h, const char *key, int fd)
{
	int out = open(CKPT_IMG, O_WRONLY | O_CLOEXEC);
	pid_t ret;

	h->crc = 0;
	h->crc = ckpt_crc32c(h, h->len);
	if (pwrite(out, h, h->len, (char *)h - image) != h->len)
		return -EIO;
	close(out);
	ret = restart_key(pid, key, fd);
	if (ret > 0)
		ckpt_kill(ret);
	return ret;
}

TEST_F(more, hostile)
{
	static const struct program p = { take, reads_new };
	struct ckpt_rec_external *ext, was;
	struct ckpt_rec_file *file, file_was;
	char key[64];
	ssize_t size;
	int fd;

	hand_over(_metadata, make_reader(&ours), 0);
	snprintf(key, sizeof(key), "%s", name_of(ours));
	self->pid = start_program(_metadata, &p);
	declare(key);
	ckpt_save_and_kill(_metadata, self->pid);
	fd = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	size = read(fd, image, sizeof(image));
	close(fd);
	ext = find_record(CKPT_REC_EXTERNAL, size);
	file = find_external(size);
	ASSERT_TRUE(ext && file);
	fd = make_reader(&theirs);

#define TRY(err, rec, field, value)						\
do {										\
	field = value;								\
	EXPECT_EQ(-(err), try_image(self->pid, &(rec)->h, key, fd)) {		\
		TH_LOG(#field " = " #value ": %s", ckpt_log_text);		\
	}									\
	EXPECT_TRUE((err) < 0 || strstr(ckpt_log_text, "image offset") ||		\
		    strstr(ckpt_log_text, "the image")) {			\
		TH_LOG("%s", ckpt_log_text);					\
	}									\
} while (0)

	was = *ext;
	TRY(EINVAL, ext, ext->key_len, 0);
	TRY(EINVAL, ext, ext->key_len, 1);
	TRY(EINVAL, ext, ext->key_len, was.key_len - 1);
	TRY(EINVAL, ext, ext->key_len, was.key_len + 1);
	TRY(EINVAL, ext, ext->key_len, 4097);
	TRY(EINVAL, ext, ext->key_len, 0xffffffff);
	ext->key_len = was.key_len;
	TRY(EINVAL, ext, ext->file, 0);
	TRY(EINVAL, ext, ext->file, 0xffffffff);
	/* An object of another type. */
	TRY(EINVAL, ext, ext->file, file->cred);
	ext->file = was.file;
	/* These are of sockets only. */
	TRY(-self->pid, ext, ext->family, 7);
	ext->family = was.family;
	file_was = *file;
	TRY(EINVAL, file, file->kind, CKPT_FILE_EVENTFD);
	TRY(EINVAL, file, file->kind, CKPT_FILE_REG);
	TRY(EINVAL, file, file->kind, CKPT_FILE_UNIX);
	TRY(EOPNOTSUPP, file, file->kind, 29);
	file->kind = file_was.kind;
	TRY(EINVAL, file, file->inode, 1);
	file->inode = file_was.inode;
	TRY(EINVAL, file, file->pos, -1);
	file->pos = file_was.pos;
	TRY(ESTALE, file, file->mode, S_IFSOCK | 0600);
	TRY(ESTALE, file, file->mode, 0);
	TRY(ESTALE, file, file->mode, 0xffffffff);
	file->mode = file_was.mode;
	TRY(EBADF, file, file->f_flags, O_RDWR);
	TRY(EBADF, file, file->f_flags, O_WRONLY);
	/* It could not be used at all. */
	TRY(-self->pid, file, file->f_flags, O_ACCMODE);
	TRY(EINVAL, file, file->f_flags, 0x80000000);
	file->f_flags = file_was.f_flags;
	TRY(-self->pid, file, file->f_flags, file_was.f_flags);
	ckpt_kill(self->pid);
	self->pid = 0;
	close(fd);
}

TEST_HARNESS_MAIN
