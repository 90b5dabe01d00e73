// SPDX-License-Identifier: GPL-2.0
/*
 * Credentials of a program that is saved and brought back: it may do what it
 * might do before and no more, whoever restarts it. And nobody gets by saving
 * or restarting what he may not have by other calls.
 *
 *	image of		restarted by		is
 *	anybody			root			as it was
 *	user 1000		user 1000		as it was
 *	root, capabilities...	user 1000		refused, nothing changed
 */
#include "program.h"
#include "caps.h"

#include <grp.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SECRET		"/tmp/cred.secret"
#define USER_IMG	"/tmp/cred.img"
#define USER		1000
#define OTHER_USER	2000

/* ---- in the program -------------------------------------------------- */

static void drop_bounding(int cap)
{
	MUST(!prctl(PR_CAPBSET_DROP, cap));
}

/* All that the calls tell about the credentials of the caller. */
static void get_cred(char *buf, size_t size)
{
	gid_t groups[64], gid[3];
	__u64 bounding = 0, ambient = 0;
	struct caps c = {};
	uid_t uid[3];
	int cap, nr, i;
	size_t len;

	MUST(!getresuid(&uid[0], &uid[1], &uid[2]));
	MUST(!getresgid(&gid[0], &gid[1], &gid[2]));
	nr = getgroups(64, groups);
	MUST(nr >= 0);
	get_caps(&c);
	for (cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) == 1)
			bounding |= 1ULL << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			ambient |= 1ULL << cap;
	}
	len = snprintf(buf, size,
		       "uid %u %u %u fs %u gid %u %u %u fs %u eff %llx perm %llx inh %llx bnd %llx amb %llx bits %x nnp %d dump %d groups",
		       uid[0], uid[1], uid[2], (uid_t)setfsuid(-1), gid[0],
		       gid[1], gid[2], (gid_t)setfsgid(-1), c.effective,
		       c.permitted, c.inheritable, bounding, ambient,
		       prctl(PR_GET_SECUREBITS),
		       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
		       prctl(PR_GET_DUMPABLE));
	for (i = 0; i < nr; i++)
		len += snprintf(buf + len, size - len, " %u", groups[i]);
}

static void become(uid_t uid)
{
	MUST(!setgroups(0, NULL));
	MUST(!setresgid(uid, uid, uid));
	MUST(!setresuid(uid, uid, uid));
	/* Changing the user makes it unreadable for that user. */
	MUST(!prctl(PR_SET_DUMPABLE, 1));
}

static bool can_read_secret(void)
{
	int fd = open(SECRET, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		MUST(errno == EACCES);
	else
		close(fd);
	return fd >= 0;
}

/* ---- in the test ------------------------------------------------------ */

static void cred_begin(struct __test_metadata *_metadata)
{
	int fd;

	begin(_metadata);
	/* For everybody, whatever the umask. */
	fchmod(log_fd, 0666);
	unlink(SECRET);
	fd = open(SECRET, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fchown(fd, 0, 77))
		perror(SECRET);
	close(fd);
}

static void cred_end(pid_t pid)
{
	end(pid);
	unlink(SECRET);
	unlink(USER_IMG);
}

/* All that /proc says of credentials. */
static void cred_lines(pid_t pid, char *buf, size_t size)
{
	static const char *const names[] = {
		"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:",
		"CapBnd:", "CapAmb:", "NoNewPrivs:", "Umask:", NULL
	};

	ckpt_status_lines(pid, names, buf, size);
}

/* ---- root brings back anybody ----------------------------------------------- */

static void set_nothing(void)
{
}

static void set_user(void)
{
	const gid_t groups[] = { 5, 77, 100000, 4000000000U };

	MUST(!setgroups(4, groups));
	MUST(!setresgid(USER, USER, USER));
	MUST(!setresuid(USER, USER, USER));
}

/* All ids are different, so that none is taken for another. */
static void set_mixed(void)
{
	const gid_t groups[] = { 9 };

	MUST(!setgroups(1, groups));
	MUST(!setresgid(11, 12, 13));
	setfsgid(14);
	MUST(!setresuid(21, 0, 23));
	setfsuid(24);
	MUST((uid_t)setfsuid(-1) == 24 && (gid_t)setfsgid(-1) == 14);
}

static void set_saved_root(void)
{
	MUST(!setresuid(USER, USER, 0));
}

#define BIT_OF(cap)	(1ULL << (cap))

/* Five sets that differ from each other. */
static void set_user_with_caps(void)
{
	MUST(!prctl(PR_SET_KEEPCAPS, 1));
	drop_bounding(CAP_SYS_MODULE);
	MUST(!setresgid(USER, USER, USER));
	MUST(!setresuid(USER, USER, USER));
	set_caps(BIT_OF(CAP_NET_RAW),
		 BIT_OF(CAP_NET_RAW) | BIT_OF(CAP_SYS_TIME) | BIT_OF(CAP_BPF),
		 BIT_OF(CAP_SYS_TIME) | BIT_OF(CAP_BPF));
	MUST(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_BPF, 0, 0));
}

static void set_root_without_caps(void)
{
	set_caps(0, 0, 0);
}

static void set_bounding(void)
{
	drop_bounding(CAP_SYS_BOOT);
	drop_bounding(CAP_CHOWN);
	drop_bounding(CAP_LAST_CAP);
}

static void set_securebits(void)
{
	MUST(!prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		    SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS |
		    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED));
}

static void set_no_new_privs(void)
{
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void cred_program(void *arg)
{
	char fresh[2048], was[2048], is[2048];
	void (*set)(void) = arg;
	bool could;

	get_cred(fresh, sizeof(fresh));
	set();
	get_cred(was, sizeof(was));
	MUST(set == set_nothing || strcmp(fresh, was));
	could = can_read_secret();
	ready();
	wait_go();
	get_cred(is, sizeof(is));
	if (strcmp(was, is))
		dprintf(log_fd, "was %s\nis  %s\n", was, is);
	MUST(!strcmp(was, is));
	MUST(could == can_read_secret());
	_exit(GOOD);
}

PROGRAM_FIXTURE(cred, cred_begin, cred_end);

FIXTURE_VARIANT(cred)
{
	void (*set)(void);
};

#define CRED(name)				\
FIXTURE_VARIANT_ADD(cred, name)			\
{						\
	.set = set_##name,			\
}

CRED(nothing);
CRED(user);
CRED(mixed);
CRED(saved_root);
CRED(user_with_caps);
CRED(root_without_caps);
CRED(bounding);
CRED(securebits);
CRED(no_new_privs);

TEST_F(cred, comes_back)
{
	char was[1024], is[1024];

	self->pid = start(_metadata, cred_program, variant->set);
	cred_lines(self->pid, was, sizeof(was));
	kill_and_bring_back(_metadata, self->pid);
	cred_lines(self->pid, is, sizeof(is));
	ASSERT_NE(NULL, strstr(was, "CapAmb:"));
	EXPECT_STREQ(was, is);
	ends_well(_metadata, &self->pid);
}

/* ---- a user for himself -------------------------------------------------------- */

PROGRAM_FIXTURE(user, cred_begin, cred_end);

/* Runs as the user, who has no capability; 0 if all went well. */
static int all_by_himself(void)
{
	struct caps c;
	pid_t pid;
	int ret;

	become(USER);
	get_caps(&c);
	MUST(!c.effective && !c.permitted);
	pid = ckpt_spawn(cred_program, set_nothing, log_fd);
	MUST(pid > 0 && wait_ready());
	ret = ckpt_save(pid, USER_IMG, CHECKPOINT_KILL);
	if (ret <= 0) {
		dprintf(log_fd, "save: %d %s\n", ret, ckpt_log_text);
		return 1;
	}
	MUST(ckpt_wait(pid, 5000) == 256 + SIGKILL);
	/* He may not choose the pid. */
	MUST(ckpt_restart(USER_IMG, pid) == -EPERM);
	pid = ckpt_restart(USER_IMG, 0);
	if (pid <= 0) {
		dprintf(log_fd, "restart: %d %s\n", pid, ckpt_log_text);
		return 1;
	}
	go();
	ret = ckpt_wait(pid, 5000);
	if (ret != GOOD)
		dprintf(log_fd, "exit %d\n", ret);
	return ret != GOOD;
}

TEST_F(user, all_by_himself)
{
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		_exit(all_by_himself());
	EXPECT_EQ(0, ckpt_wait(self->pid, 20000)) {
		TH_LOG("%s", log_text());
	}
	self->pid = 0;
}

/* ---- who may save ---------------------------------------------------------------- */

static void idle_as_other(void *arg)
{
	become(OTHER_USER);
	idle_program(arg);
}

static void idle_as_user(void *arg)
{
	become(USER);
	idle_program(arg);
}

static void idle_undumpable(void *arg)
{
	become(USER);
	MUST(!prctl(PR_SET_DUMPABLE, 0));
	idle_program(arg);
}

static void idle_with_caps(void *arg)
{
	set_user_with_caps();
	MUST(!prctl(PR_SET_DUMPABLE, 1));
	idle_program(arg);
}

static void idle_setuid(void *arg)
{
	MUST(!setresuid(USER, 0, 0));
	MUST(!prctl(PR_SET_DUMPABLE, 1));
	idle_program(arg);
}

PROGRAM_FIXTURE(others, cred_begin, cred_end);

FIXTURE_VARIANT(others)
{
	void (*program)(void *arg);
	long ret;
};

#define OTHERS(name, fn, is)			\
FIXTURE_VARIANT_ADD(others, name)		\
{						\
	.program = fn,				\
	.ret = is,				\
}

OTHERS(root, idle_program, -EPERM);
OTHERS(another_user, idle_as_other, -EPERM);
OTHERS(undumpable, idle_undumpable, -EPERM);
OTHERS(more_capabilities, idle_with_caps, -EPERM);
OTHERS(set_user_id, idle_setuid, -EPERM);
/* That it would go otherwise. */
OTHERS(own, idle_as_user, 1);

static int save_as_user(pid_t pid, long expected)
{
	struct stat st;
	long ret;

	become(USER);
	ret = ckpt_save(pid, USER_IMG, expected > 0 ? 0 : CHECKPOINT_KILL);
	if (expected > 0)
		return ret > 0 ? 0 : 1;
	if (ret != expected) {
		dprintf(log_fd, "save: %ld %s\n", ret, ckpt_log_text);
		return 1;
	}
	MUST(strstr(ckpt_log_text, "may not be saved by you"));
	MUST(!stat(USER_IMG, &st) && !st.st_size);
	/* Nor can it be asked about. */
	MUST(ckpt_check(pid, CHECKPOINT_SUBTREE) == -EPERM);
	return 0;
}

TEST_F(others, saved_by_user)
{
	pid_t pid;

	self->pid = start(_metadata, variant->program, NULL);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(save_as_user(self->pid, variant->ret));
	EXPECT_EQ(0, ckpt_wait(pid, 10000)) {
		TH_LOG("%s", log_text());
	}
	ends_well(_metadata, &self->pid);
}

/* ---- what a user may not get --------------------------------------------------------- */

static void img_root(void)
{
}

static void img_caps(void)
{
	set_user_with_caps();
}

static void img_effective_only(void)
{
	MUST(!prctl(PR_SET_KEEPCAPS, 1));
	become(USER);
	MUST(!prctl(PR_SET_KEEPCAPS, 0));
	set_caps(0, BIT_OF(CAP_SYS_ADMIN), 0);
}

static void img_groups(void)
{
	const gid_t groups[] = { 77 };

	MUST(!setgroups(1, groups));
	MUST(!setresgid(USER, USER, USER));
	MUST(!setresuid(USER, USER, USER));
}

static void img_gid(void)
{
	MUST(!setgroups(0, NULL));
	MUST(!setresgid(USER, USER, 77));
	MUST(!setresuid(USER, USER, USER));
}

static void img_fsgid(void)
{
	MUST(!setgroups(0, NULL));
	MUST(!setresgid(USER, USER, USER));
	setfsgid(77);
	MUST(!setresuid(USER, USER, USER));
}

static void img_saved_uid(void)
{
	MUST(!setgroups(0, NULL));
	MUST(!setresgid(USER, USER, USER));
	MUST(!setresuid(USER, USER, 0));
}

static void img_fsuid(void)
{
	MUST(!prctl(PR_SET_KEEPCAPS, 1));
	MUST(!setgroups(0, NULL));
	MUST(!setresgid(USER, USER, USER));
	MUST(!setresuid(USER, USER, USER));
	set_caps(BIT_OF(CAP_SETUID), BIT_OF(CAP_SETUID), 0);
	setfsuid(0);
	MUST(!setfsuid(-1));
	MUST(!prctl(PR_SET_KEEPCAPS, 0));
	set_caps(0, 0, 0);
}

static void img_bounding(void)
{
	drop_bounding(CAP_SYS_BOOT);
	become(USER);
}

static void img_securebits(void)
{
	MUST(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	become(USER);
	set_caps(0, 0, 0);
}

static void img_limit(void)
{
	struct rlimit rl;

	MUST(!getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_max++;
	MUST(!setrlimit(RLIMIT_NOFILE, &rl));
	become(USER);
}

static void img_nice(void)
{
	MUST(!setpriority(PRIO_PROCESS, 0, -1));
	become(USER);
}

static void img_real_time(void)
{
	struct sched_param p = { .sched_priority = 1 };

	MUST(!sched_setscheduler(0, SCHED_FIFO, &p));
	become(USER);
}

static void img_ioprio(void)
{
	MUST(!syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4));
	become(USER);
}

static void img_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	MUST(write(fd, "-1", 2) == 2);
	close(fd);
	become(USER);
}

/* SO_PEERCRED would say that root made it. */
static void img_peercred(void)
{
	int pair[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	become(USER);
}

static void send_pair(int to)
{
	int pair[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	MUST(ckpt_send_fds(to, "pair", pair, 2));
}

/* A pair that the user has made, in the hands of root. */
static void take_pair(int *pair)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char data[4];
	struct iovec iov = { data, 4 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	int way[2];
	pid_t pid;

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, way));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		become(USER);
		send_pair(way[0]);
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0) == pid);
	MUST(recvmsg(way[1], &m, 0) == 4);
	memcpy(pair, CMSG_DATA(CMSG_FIRSTHDR(&m)), 2 * sizeof(int));
	close(way[0]);
	close(way[1]);
}

/* SCM_CREDENTIALS would say that root has sent it. */
static void img_sender(void)
{
	int pair[2], one = 1;

	take_pair(pair);
	MUST(!setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	MUST(write(pair[0], "root", 4) == 4);
	become(USER);
}

static void img_buffer(void)
{
	int pair[2], size = 1 << 24;

	take_pair(pair);
	MUST(!setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
	become(USER);
}

static void img_mark(void)
{
	int pair[2], mark = 7;

	take_pair(pair);
	MUST(!setsockopt(pair[0], SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
	become(USER);
}

PROGRAM_FIXTURE(denied, cred_begin, cred_end);

FIXTURE_VARIANT(denied)
{
	void (*set)(void);
	const char *words;
};

#define DENIED(name, text)			\
FIXTURE_VARIANT_ADD(denied, name)		\
{						\
	.set = img_##name,			\
	.words = text,				\
}

DENIED(root, "you may not become user 0 ");
DENIED(saved_uid, "you may not become user 1000 (effective 1000, saved 0)");
DENIED(fsuid, "you may not become user 1000");
DENIED(gid, "you may not become group 1000 (effective 1000, saved 77)");
DENIED(fsgid, "you may not become group 1000");
DENIED(groups, "you may not set its supplementary groups");
DENIED(caps, "it has capabilities that you have not");
DENIED(effective_only, "it has capabilities that you have not");
DENIED(bounding, "its bounding set or securebits take CAP_SETPCAP");
DENIED(securebits, "its bounding set or securebits take CAP_SETPCAP");
DENIED(limit, "is higher than yours, which takes CAP_SYS_RESOURCE");
DENIED(nice, "nice -1 takes CAP_SYS_NICE or RLIMIT_NICE");
DENIED(real_time, "a real-time priority takes CAP_SYS_NICE");
DENIED(ioprio, "I/O priority 0x2004 is not permitted");
DENIED(peercred, "you may not become user 0 ");
DENIED(sender, "you may not send as user 0, group 0");
DENIED(buffer, "take CAP_NET_ADMIN");
DENIED(mark, "you may not set SO_MARK to 7");
DENIED(oom, "oom_score_adj -1 takes CAP_SYS_RESOURCE");

/* All that a failed restart must not have changed, beside the credentials. */
static void get_standing(char *buf, size_t size)
{
	struct rlimit rl = {};
	size_t len;

	get_cred(buf, size);
	getrlimit(RLIMIT_NOFILE, &rl);
	len = strlen(buf);
	snprintf(buf + len, size - len,
		 " nice %d policy %d ioprio %ld files %llu", getpriority(0, 0),
		 sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0),
		 (unsigned long long)rl.rlim_max);
}

static int get_it_as_user(const char *words)
{
	struct restart_args args = {
		.log_fd = ckpt_log_begin(), .context_fd = -1, .done_fd = -1,
	};
	char was[2048], is[2048];
	long ret;
	int in;

	become(USER);
	in = open(CKPT_IMG, O_RDONLY | O_CLOEXEC);
	MUST(in >= 0);
	get_standing(was, sizeof(was));
	ret = sys_restart(0, in, RESTART_TASKSELF | RESTART_NO_PIDS |
			  RESTART_ARGS, &args, sizeof(args));
	MUST(ret == -1);
	ret = errno;
	ckpt_log_end(args.log_fd);
	if (ret != EPERM || !strstr(ckpt_log_text, words)) {
		dprintf(log_fd, "%s, expected: %s\n%s", strerror(ret), words,
			ckpt_log_text);
		return 1;
	}
	get_standing(is, sizeof(is));
	MUST(!strcmp(was, is));
	return 0;
}

TEST_F(denied, to_user)
{
	struct program program = { variant->set };
	pid_t pid;

	self->pid = start_program(_metadata, &program);
	ckpt_save_and_kill(_metadata, self->pid);
	ASSERT_EQ(0, chmod(CKPT_IMG, 0644));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(get_it_as_user(variant->words));
	EXPECT_EQ(0, ckpt_wait(pid, 10000)) {
		TH_LOG("%s", log_text());
	}
	/* Root may have it: nothing else is wrong with the image. */
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* ---- restarters with less than root has ------------------------------------------------ */

static void expect_denied(struct __test_metadata *_metadata, pid_t pid,
			  void (*prepare)(void), const char *words)
{
	EXPECT_EQ(-EPERM, ckpt_restart_after(CKPT_IMG, pid, prepare));
	EXPECT_NE(NULL, strstr(ckpt_log_text, words)) {
		TH_LOG("%s", ckpt_log_text);
	}
}

/* Bounding set and locks are not to be got rid of, no_new_privs neither. */
TEST_F(user, restarter_has_less)
{
	self->pid = start(_metadata, cred_program, set_nothing);
	ckpt_save_and_kill(_metadata, self->pid);
	expect_denied(_metadata, self->pid, set_bounding,
		      "it has capabilities that you have not");
	expect_denied(_metadata, self->pid, set_root_without_caps,
		      "it has capabilities that you have not");
	expect_denied(_metadata, self->pid, set_securebits,
		      "its securebits differ from your locked ones");
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

static void expect_nnp(void *arg)
{
	MUST(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	ready();
	wait_go();
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	_exit(GOOD);
}

TEST_F(user, no_new_privs_stays)
{
	self->pid = start(_metadata, expect_nnp, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, set_no_new_privs);
	ends_well(_metadata, &self->pid);
}

/* More than the program has does not stay with it. */
static void more_groups(void)
{
	const gid_t groups[] = { 0, 77, 99 };

	MUST(!setgroups(3, groups));
}

static void own_program(void *arg)
{
	become(USER);
	cred_program(set_nothing);
}

TEST_F(user, nothing_of_the_restarter)
{
	self->pid = start(_metadata, own_program, NULL);
	ckpt_save_and_kill(_metadata, self->pid);
	bring_back_after(_metadata, self->pid, more_groups);
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
