// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets: what those of all families have. A family that is saved has a file
 * of its own, which uses what is here.
 *
 * Each option of SOL_SOCKET is saved, or refused where it has another value than
 * a new socket has.
 */
#include <linux/capability.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/socket.h>
#include <net/busy_poll.h>
#include <net/sock.h>

#include "checkpoint.h"

/* Options that are a flag of the sock. */
static const struct {
	enum sock_flags flag;
	u32 saved;
} ckpt_sock_flags[] = {
	{ SOCK_KEEPOPEN,	CKPT_SOCK_KEEPALIVE },
	{ SOCK_URGINLINE,	CKPT_SOCK_OOBINLINE },
	{ SOCK_LINGER,		CKPT_SOCK_LINGER },
	{ SOCK_BROADCAST,	CKPT_SOCK_BROADCAST },
	{ SOCK_DBG,		CKPT_SOCK_DEBUG },
	{ SOCK_LOCALROUTE,	CKPT_SOCK_DONTROUTE },
	{ SOCK_RXQ_OVFL,	CKPT_SOCK_RXQ_OVFL },
	{ SOCK_WIFI_STATUS,	CKPT_SOCK_WIFI_STATUS },
	{ SOCK_NOFCS,		CKPT_SOCK_NOFCS },
	{ SOCK_SELECT_ERR_QUEUE, CKPT_SOCK_SELECT_ERR_QUEUE },
	{ SOCK_RCVMARK,		CKPT_SOCK_RCVMARK },
};

/* Likewise, of the socket. */
static const struct {
	unsigned int bit;
	u32 saved;
} ckpt_socket_flags[] = {
	{ SOCK_PASSCRED,	CKPT_SOCK_PASSCRED },
	{ SOCK_PASSSEC,		CKPT_SOCK_PASSSEC },
	{ SOCK_PASSPIDFD,	CKPT_SOCK_PASSPIDFD },
};

/* Flags without effect on a socket that has no device below it. */
#define CKPT_SOCK_IGNORED	(BIT(SOCK_ZAPPED) | BIT(SOCK_USE_WRITE_QUEUE) | \
				 BIT(SOCK_RCU_FREE))
#define CKPT_SOCKET_IGNORED	BIT(SOCK_NOSPACE)

/* ---- what refuses --------------------------------------------------------- */

static const char *ckpt_family_name(int family)
{
	switch (family) {
	case AF_INET:
		return "AF_INET";
	case AF_INET6:
		return "AF_INET6";
	case AF_NETLINK:
		return "AF_NETLINK";
	case AF_PACKET:
		return "AF_PACKET";
	case AF_ALG:
		return "AF_ALG";
	case AF_VSOCK:
		return "AF_VSOCK";
	case AF_KEY:
		return "AF_KEY";
	case AF_BLUETOOTH:
		return "AF_BLUETOOTH";
	case AF_CAN:
		return "AF_CAN";
	case AF_TIPC:
		return "AF_TIPC";
	case AF_XDP:
		return "AF_XDP";
	}
	return NULL;
}

/**
 * ckpt_family_problem - why sockets of a family are not saved
 * @ctx: the checkpoint
 * @file: some file
 *
 * Return: the reason, to follow its name, or NULL if it is no socket.
 */
const char *ckpt_family_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct socket *sock = sock_from_file(file);
	int family;

	if (!sock)
		return NULL;
	family = sock->ops->family;
	if (ckpt_family_name(family))
		snprintf(ctx->why, sizeof(ctx->why),
			 "is a socket of family %s, which cannot be saved yet",
			 ckpt_family_name(family));
	else
		snprintf(ctx->why, sizeof(ctx->why),
			 "is a socket of family %d, which cannot be saved yet",
			 family);
	return ctx->why;
}

/* Filters, BPF, and who else has put a hand on it. */
static const char *ckpt_sock_hook_problem(const struct sock *sk)
{
	if (rcu_access_pointer(sk->sk_filter) || sock_flag(sk, SOCK_FILTER_LOCKED))
		return "has a filter (SO_ATTACH_FILTER), which cannot be saved yet";
	if (rcu_access_pointer(sk->sk_reuseport_cb) || sk->sk_reuseport)
		return "has SO_REUSEPORT, which cannot be saved yet";
	if (sk->sk_user_data || sk->sk_prot != sk->sk_prot_creator)
		return "is in a sockmap (BPF), which cannot be saved yet";
#ifdef CONFIG_BPF_SYSCALL
	if (rcu_access_pointer(sk->sk_bpf_storage))
		return "has local storage of BPF, which cannot be saved yet";
#endif
	return NULL;
}

static const char *ckpt_sock_value_problem(const struct sock *sk)
{
	if (sock_flag(sk, SOCK_TIMESTAMP) || sock_flag(sk, SOCK_RCVTSTAMP) ||
	    sock_flag(sk, SOCK_RCVTSTAMPNS) || sock_flag(sk, SOCK_TSTAMP_NEW) ||
	    sock_flag(sk, SOCK_TIMESTAMPING_RX_SOFTWARE) || sk->sk_tsflags)
		return "has SO_TIMESTAMP or SO_TIMESTAMPING, which cannot be saved yet";
	if (sock_flag(sk, SOCK_TXTIME))
		return "has SO_TXTIME, which cannot be saved yet";
	if (sk->sk_bound_dev_if)
		return "is bound to a device (SO_BINDTODEVICE), which cannot be saved yet";
	if (sk->sk_max_pacing_rate != ~0UL)
		return "has SO_MAX_PACING_RATE, which cannot be saved yet";
	if (sk->sk_txrehash && sk->sk_txrehash != SOCK_TXREHASH_DEFAULT)
		return "has SO_TXREHASH, which cannot be saved yet";
	if (sk->sk_incoming_cpu != -1)
		return "has SO_INCOMING_CPU, which cannot be saved yet";
	if (sk->sk_reserved_mem)
		return "has SO_RESERVE_MEM, which cannot be saved yet";
#ifdef CONFIG_NET_RX_BUSY_POLL
	if (sk->sk_ll_usec != READ_ONCE(sysctl_net_busy_read) ||
	    sk->sk_prefer_busy_poll || sk->sk_busy_poll_budget)
		return "has SO_BUSY_POLL or the like, which cannot be saved yet";
#endif
	return NULL;
}

static bool ckpt_inode_untouched(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return inode->i_mode == (S_IFSOCK | 0777) &&
	       uid_eq(inode->i_uid, file->f_cred->fsuid) &&
	       gid_eq(inode->i_gid, file->f_cred->fsgid);
}

/**
 * ckpt_sock_problem - what of that which all sockets have cannot be saved
 * @ctx: the checkpoint
 * @sock: the socket
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_sock_problem(struct ckpt_ctx *ctx, struct socket *sock)
{
	unsigned long known = CKPT_SOCK_IGNORED, bits = CKPT_SOCKET_IGNORED;
	const struct sock *sk = sock->sk;
	const char *why;
	unsigned int i;

	if (sock_net(sk) != current->nsproxy->net_ns)
		return "is of another network namespace than yours, which cannot be saved yet";
	if (!ckpt_inode_untouched(sock->file))
		return "has got another owner or mode (fchown, fchmod), which cannot be saved yet";
	why = ckpt_sock_hook_problem(sk) ?: ckpt_sock_value_problem(sk);
	if (why)
		return why;
	for (i = 0; i < ARRAY_SIZE(ckpt_sock_flags); i++)
		known |= BIT(ckpt_sock_flags[i].flag);
	for (i = 0; i < ARRAY_SIZE(ckpt_socket_flags); i++)
		bits |= BIT(ckpt_socket_flags[i].bit);
	if ((sk->sk_flags & ~known) || (sock->flags & ~bits) ||
	    (sk->sk_userlocks & ~SOCK_BUF_LOCK_MASK))
		return "has flags that this kernel does not know";
	if (sk->sk_err_soft || !skb_queue_empty_lockless(&sk->sk_error_queue))
		return "has errors in its queue, which cannot be saved yet";
	return NULL;
}

/* ---- saving --------------------------------------------------------------- */

static void ckpt_save_timeo(long timeo, s64 *sec, u32 *usec)
{
	*usec = 0;
	if (timeo == MAX_SCHEDULE_TIMEOUT) {
		*sec = 0;
	} else if (!timeo) {
		*sec = -1;
	} else {
		*sec = timeo / HZ;
		*usec = timeo % HZ * USEC_PER_SEC / HZ;
	}
}

/**
 * ckpt_save_sock - what of a socket is the same for all families
 * @sock: the socket, of frozen tasks
 * @out: out
 */
void ckpt_save_sock(const struct socket *sock, struct ckpt_sock *out)
{
	const struct sock *sk = sock->sk;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_sock_flags); i++)
		if (sock_flag(sk, ckpt_sock_flags[i].flag))
			out->flags |= ckpt_sock_flags[i].saved;
	for (i = 0; i < ARRAY_SIZE(ckpt_socket_flags); i++)
		if (test_bit(ckpt_socket_flags[i].bit, &sock->flags))
			out->flags |= ckpt_socket_flags[i].saved;
	if (sk->sk_reuse)
		out->flags |= CKPT_SOCK_REUSEADDR;
	if (sk->sk_no_check_tx)
		out->flags |= CKPT_SOCK_NO_CHECK;
	if (sk->sk_userlocks & SOCK_SNDBUF_LOCK)
		out->flags |= CKPT_SOCK_SNDBUF_LOCK;
	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		out->flags |= CKPT_SOCK_RCVBUF_LOCK;
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		out->flags |= CKPT_SOCK_SHUT_RD;
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		out->flags |= CKPT_SOCK_SHUT_WR;
	out->err = sk->sk_err;
	out->sndbuf = sk->sk_sndbuf;
	out->rcvbuf = sk->sk_rcvbuf;
	out->rcvlowat = sk->sk_rcvlowat;
	out->peek_off = sk->sk_peek_off;
	out->priority = sk->sk_priority;
	out->mark = sk->sk_mark;
	out->linger = sk->sk_lingertime == MAX_SCHEDULE_TIMEOUT ?
		      CKPT_SOCK_LINGER_MAX : sk->sk_lingertime / HZ;
	ckpt_save_timeo(sk->sk_rcvtimeo, &out->rcvtimeo_sec, &out->rcvtimeo_usec);
	ckpt_save_timeo(sk->sk_sndtimeo, &out->sndtimeo_sec, &out->sndtimeo_usec);
}

/**
 * ckpt_save_sock_pid - a process that a socket knows
 * @ctx: the checkpoint
 * @pid: the process, or NULL
 * @out: out; of one that is outside only its number and id
 *
 * Return: false if it is outside of the tree.
 */
bool ckpt_save_sock_pid(struct ckpt_ctx *ctx, struct pid *pid,
			struct ckpt_sock_pid *out)
{
	int index;

	*out = (struct ckpt_sock_pid) { .kind = CKPT_SOCK_PID_NONE };
	if (!pid)
		return true;
	index = ckpt_pid_task(ctx, pid);
	out->pid = pid_nr_ns(pid, ns_of_pid(ctx->root_pid));
	if (index == -ENOENT || !out->pid) {
		out->id = pid->ino;
		return false;
	}
	if (index >= 0) {
		out->kind = CKPT_SOCK_PID_TASK;
		out->task = index;
	} else {
		out->kind = CKPT_SOCK_PID_DEAD;
		out->id = pid->ino;
	}
	return true;
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * restore_sock_check - look at what all sockets have
 * @rs: the restart
 * @r: the record that it stands in
 * @saved: where in it
 *
 * Return: 0, or a negative errno with the reason logged.
 */
int restore_sock_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       const struct ckpt_sock *saved)
{
	if ((saved->flags & ~CKPT_SOCK_ALL) || saved->__reserved)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags of a socket 0x%x", saved->flags);
	if (saved->err > MAX_ERRNO)
		return ckpt_bad(rs, r, -EINVAL, "error %u", saved->err);
	if (saved->sndbuf < SOCK_MIN_SNDBUF || saved->sndbuf > INT_MAX ||
	    saved->rcvbuf < SOCK_MIN_RCVBUF || saved->rcvbuf > INT_MAX)
		return ckpt_bad(rs, r, -EINVAL, "buffers of %u and %u bytes",
				saved->sndbuf, saved->rcvbuf);
	if (!saved->rcvlowat || saved->rcvlowat > INT_MAX)
		return ckpt_bad(rs, r, -EINVAL, "SO_RCVLOWAT of %u", saved->rcvlowat);
	if (saved->rcvtimeo_usec >= USEC_PER_SEC ||
	    saved->sndtimeo_usec >= USEC_PER_SEC)
		return ckpt_bad(rs, r, -EINVAL, "timeouts of %u and %u us beyond a second",
				saved->rcvtimeo_usec, saved->sndtimeo_usec);
	return 0;
}

static long ckpt_timeo(s64 sec, u32 usec)
{
	if (sec < 0)
		return 0;
	if ((!sec && !usec) || sec >= MAX_SCHEDULE_TIMEOUT / HZ - 1)
		return MAX_SCHEDULE_TIMEOUT;
	return sec * HZ + DIV_ROUND_UP((unsigned long)usec, USEC_PER_SEC / HZ);
}

/* As SO_SNDBUF and SO_SNDBUFFORCE allow it. */
static bool ckpt_buf_allowed(const struct sock *sk, u32 size, u32 max,
			     u32 usual)
{
	return size <= 2ULL * max || size <= usual ||
	       size <= SOCK_MIN_SNDBUF || capable(CAP_NET_ADMIN);
}

static int restore_sock_option(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       struct socket *sock, int option, const char *name,
			       u32 value)
{
	int ret;

	/* None, which needs no rights. */
	if (!value)
		return 0;
	ret = sock_setsockopt(sock, SOL_SOCKET, option, KERNEL_SOCKPTR(&value),
			      sizeof(value));
	return ret ? ckpt_bad(rs, r, ret, "you may not set %s to %u", name, value) : 0;
}

/**
 * restore_sock - what of a socket is the same for all families
 * @rs: the restart
 * @r: the record that it stands in
 * @sock: the socket
 * @saved: where in the record; checked
 *
 * Shutdown and a pending error stop all transfer, so it comes last.
 *
 * Return: 0, or a negative errno with the reason logged.
 */
int restore_sock(struct ckpt_restart *rs, const struct ckpt_rec *r,
		 struct socket *sock, const struct ckpt_sock *saved)
{
	struct sock *sk = sock->sk;
	unsigned int i;
	int ret;

	if (!ckpt_buf_allowed(sk, saved->sndbuf, READ_ONCE(sysctl_wmem_max),
			      READ_ONCE(sysctl_wmem_default)) ||
	    !ckpt_buf_allowed(sk, saved->rcvbuf, READ_ONCE(sysctl_rmem_max),
			      READ_ONCE(sysctl_rmem_default)))
		return ckpt_bad(rs, r, -EPERM,
				"buffers of %u and %u bytes take CAP_NET_ADMIN (/proc/sys/net/core/wmem_max, rmem_max)",
				saved->sndbuf, saved->rcvbuf);
	ret = restore_sock_option(rs, r, sock, SO_PRIORITY, "SO_PRIORITY",
				  saved->priority);
	if (!ret)
		ret = restore_sock_option(rs, r, sock, SO_MARK, "SO_MARK",
					  saved->mark);
	if (!ret)
		ret = restore_sock_option(rs, r, sock, SO_DEBUG, "SO_DEBUG",
					  !!(saved->flags & CKPT_SOCK_DEBUG));
	if (ret)
		return ret;

	lock_sock(sk);
	for (i = 0; i < ARRAY_SIZE(ckpt_sock_flags); i++)
		if (saved->flags & ckpt_sock_flags[i].saved)
			sock_set_flag(sk, ckpt_sock_flags[i].flag);
	for (i = 0; i < ARRAY_SIZE(ckpt_socket_flags); i++)
		if (saved->flags & ckpt_socket_flags[i].saved)
			set_bit(ckpt_socket_flags[i].bit, &sock->flags);
	sk->sk_reuse = saved->flags & CKPT_SOCK_REUSEADDR ? SK_CAN_REUSE : SK_NO_REUSE;
	sk->sk_no_check_tx = !!(saved->flags & CKPT_SOCK_NO_CHECK);
	if (saved->flags & CKPT_SOCK_SNDBUF_LOCK)
		sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	if (saved->flags & CKPT_SOCK_RCVBUF_LOCK)
		sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, saved->sndbuf);
	WRITE_ONCE(sk->sk_rcvbuf, saved->rcvbuf);
	WRITE_ONCE(sk->sk_rcvlowat, saved->rcvlowat);
	WRITE_ONCE(sk->sk_peek_off, saved->peek_off);
	WRITE_ONCE(sk->sk_lingertime,
		   saved->linger == CKPT_SOCK_LINGER_MAX ? MAX_SCHEDULE_TIMEOUT :
							   (unsigned long)saved->linger * HZ);
	WRITE_ONCE(sk->sk_rcvtimeo, ckpt_timeo(saved->rcvtimeo_sec, saved->rcvtimeo_usec));
	WRITE_ONCE(sk->sk_sndtimeo, ckpt_timeo(saved->sndtimeo_sec, saved->sndtimeo_usec));
	WRITE_ONCE(sk->sk_shutdown,
		   (saved->flags & CKPT_SOCK_SHUT_RD ? RCV_SHUTDOWN : 0) |
		   (saved->flags & CKPT_SOCK_SHUT_WR ? SEND_SHUTDOWN : 0));
	WRITE_ONCE(sk->sk_err, saved->err);
	release_sock(sk);
	return 0;
}

/**
 * restore_sock_pid - a process that a socket knows
 * @rs: the restart
 * @r: the record that it stands in
 * @saved: where in it
 *
 * Return: the process with a reference, NULL for none, or an ERR_PTR().
 */
struct pid *restore_sock_pid(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     const struct ckpt_sock_pid *saved)
{
	struct ckpt_member *m;
	struct pid *pid;

	if (saved->__reserved)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "reserved fields are not zero"));
	switch (saved->kind) {
	case CKPT_SOCK_PID_NONE:
		return NULL;
	case CKPT_SOCK_PID_DEAD:
		if (!saved->pid || saved->pid > PID_MAX_LIMIT)
			return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "pid %u", saved->pid));
		return ckpt_dead_pid(rs, saved->id, saved->pid);
	case CKPT_SOCK_PID_TASK:
		m = ckpt_member(rs, saved->task);
		if (!m)
			return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "there is no task %u",
						saved->task));
		pid = get_task_pid(ckpt_member_task(m), PIDTYPE_PID);
		return pid ?: ERR_PTR(-ESRCH);
	}
	return ERR_PTR(ckpt_bad(rs, r, -EOPNOTSUPP, "unknown kind of process %u", saved->kind));
}
