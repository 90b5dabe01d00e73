// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets of AF_UNIX that have no name, as socketpair() makes them: their other
 * end, what waits in them, who made them.
 *
 * The ends of a pair and open files on their way through sockets may refer to
 * each other in circles. So each socket is made alone; when all objects are
 * there they are connected, and messages are put into them.
 */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/af_unix.h>
#include <net/scm.h>
#include <net/tcp_states.h>
#include <net/unix_ckpt.h>

#include "checkpoint.h"

static_assert(CKPT_UNIX_MAX_FILES == SCM_MAX_FD);

/* What a record holds besides its fixed part. */
#define CKPT_UNIX_MAX_DATA	(15U << 20)
/* A message of which a part was read is not larger: what was read takes memory. */
#define CKPT_UNIX_MAX_READ	(PAGE_SIZE * 8)

/**
 * ckpt_is_unix - is the file a socket of AF_UNIX?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_unix(struct ckpt_ctx *ctx, struct file *file)
{
	struct socket *sock = sock_from_file(file);

	return IS_ENABLED(CONFIG_UNIX) && sock && sock->ops->family == PF_UNIX;
}

/* Not the socket that the image or the log goes to, nor one of others. */
static struct socket *ckpt_saved_unix(struct ckpt_ctx *ctx,
				      const struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;

	if (obj->type != CKPT_OBJ_FILE || file == ctx->out.file ||
	    file == ctx->log.file || obj->external || !ckpt_is_unix(ctx, file))
		return NULL;
	return sock_from_file(file);
}

/**
 * struct ckpt_unix_peer - the other end of a socket
 * @there: there is one
 * @odd: it is not connected to this one, or nobody has accepted it
 * @closed: it was closed
 * @file: its open file, to be compared only, else NULL
 */
struct ckpt_unix_peer {
	bool there;
	bool odd;
	bool closed;
	struct file *file;
};

static void ckpt_unix_get_peer(struct sock *sk, struct ckpt_unix_peer *p)
{
	struct sock *peer = unix_peer_get(sk);

	*p = (struct ckpt_unix_peer) { .there = peer };
	if (!peer)
		return;
	unix_state_lock(peer);
	if (sock_flag(peer, SOCK_DEAD))
		p->closed = true;
	else if (unix_peer(peer) != sk || !peer->sk_socket)
		p->odd = true;
	else
		p->file = peer->sk_socket->file;
	unix_state_unlock(peer);
	sock_put(peer);
}

/* ---- open files on their way ----------------------------------------------- */

/* What waits in all sockets, in those that @fn finds meanwhile, too. */
static int ckpt_walk_in_flight(struct ckpt_ctx *ctx,
			       int (*fn)(void *arg, const struct ckpt_unix_msg *msg))
{
	struct socket *sock;
	struct ckpt_obj *obj;
	int ret;

	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		sock = ckpt_saved_unix(ctx, obj);
		if (!sock || READ_ONCE(sock->sk->sk_state) == TCP_LISTEN)
			continue;
		ret = ckpt_unix_walk(sock, fn, ctx);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static int ckpt_collect_msg(void *arg, const struct ckpt_unix_msg *msg)
{
	struct ckpt_ctx *ctx = arg;
	struct ckpt_obj *obj;
	int i, err = 0;

	for (i = 0; msg->fp && i < msg->fp->count; i++) {
		obj = ckpt_obj_collect(ctx, CKPT_OBJ_FILE, msg->fp->fp[i], 1, &err);
		/* It may become one. */
		if (obj)
			ckpt_inode_in_use(ctx, obj);
	}
	return err;
}

/**
 * ckpt_collect_in_flight - collect open files that are on their way in sockets
 * @ctx: the checkpoint; all that tasks have is collected
 *
 * Sockets that are found this way are looked into in turn.
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_collect_in_flight(struct ckpt_ctx *ctx)
{
	return ckpt_walk_in_flight(ctx, ckpt_collect_msg);
}

static int ckpt_check_msg(void *arg, const struct ckpt_unix_msg *msg)
{
	struct ckpt_ctx *ctx = arg;
	int i;

	for (i = 0; msg->fp && i < msg->fp->count; i++)
		ckpt_check_file(ctx, ctx->root_task, msg->fp->fp[i],
				"a descriptor on its way in a socket");
	return 0;
}

/**
 * ckpt_check_in_flight - find what keeps files on their way from being saved
 * @ctx: the checkpoint
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_check_in_flight(struct ckpt_ctx *ctx)
{
	return ckpt_walk_in_flight(ctx, ckpt_check_msg);
}

/* ---- what refuses ----------------------------------------------------------- */

static int ckpt_msg_problem(void *arg, const struct ckpt_unix_msg *msg)
{
	struct ckpt_ctx *ctx = arg;
	struct ckpt_sock_pid pid;

	if (msg->len > CKPT_UNIX_MAX_DATA)
		snprintf(ctx->why, sizeof(ctx->why),
			 "holds a message of %u bytes, which cannot be saved yet", msg->len);
	else if (!ckpt_save_sock_pid(ctx, msg->pid, &pid))
		snprintf(ctx->why, sizeof(ctx->why),
			 "holds a message from pid %d, which is outside", pid_vnr(msg->pid));
	else
		return 0;
	return -EOPNOTSUPP;
}

static const char *ckpt_unix_peer_problem(struct ckpt_ctx *ctx, struct sock *sk)
{
	struct ckpt_unix_peer peer;
	struct ckpt_obj *obj;
	char who[64];

	ckpt_unix_get_peer(sk, &peer);
	if (peer.odd)
		return "is connected to one that is not connected to it, which cannot be saved";
	if (!peer.file)
		return NULL;
	obj = ckpt_obj_find(&ctx->objs, peer.file);
	if (obj && ckpt_saved_unix(ctx, obj))
		return NULL;
	if (obj && obj->external)
		return "is the other end of a socket that you have declared external";
	if (obj)
		return "is the other end of what this call writes to";
	ckpt_file_holder(ctx, peer.file, who, sizeof(who));
	snprintf(ctx->why, sizeof(ctx->why), "has its other end at %s", who);
	return ctx->why;
}

static const char *ckpt_unix_cred_problem(struct ckpt_ctx *ctx, struct sock *sk)
{
	struct ckpt_sock_pid saved;
	const struct cred *cred;
	const char *why = NULL;
	struct pid *pid;

	spin_lock(&sk->sk_peer_lock);
	pid = get_pid(sk->sk_peer_pid);
	cred = get_cred(sk->sk_peer_cred);
	spin_unlock(&sk->sk_peer_lock);
	if (!ckpt_save_sock_pid(ctx, pid, &saved)) {
		snprintf(ctx->why, sizeof(ctx->why),
			 "was made by pid %d, which is outside (SO_PEERCRED)", pid_vnr(pid));
		why = ctx->why;
	} else if (cred && cred->user_ns != current_user_ns()) {
		why = "was made in another user namespace (SO_PEERCRED)";
	}
	put_pid(pid);
	put_cred(cred);
	return why;
}

/* A path, or as /proc/net/unix shows it the name of one that has none. */
static const char *ckpt_unix_name_problem(struct ckpt_ctx *ctx, struct sock *sk)
{
	/* See unix_bind(). */
	const struct unix_address *addr = smp_load_acquire(&unix_sk(sk)->addr);
	const char *name;
	int len;

	if (!addr)
		return NULL;
	name = addr->name->sun_path;
	len = addr->len - offsetof(struct sockaddr_un, sun_path);
	snprintf(ctx->why, sizeof(ctx->why), "%s %s%*pE, which cannot be saved yet",
		 READ_ONCE(sk->sk_state) == TCP_LISTEN ? "listens for connections at" :
							 "is bound to the name",
		 *name ? "" : "@", *name ? (int)strnlen(name, len) : len - 1,
		 *name ? name : name + 1);
	return ctx->why;
}

/**
 * ckpt_unix_problem - what of a socket of AF_UNIX cannot be saved
 * @ctx: the checkpoint
 * @file: the socket
 *
 * Return: the reason, to follow its name, or NULL. It is looked at once.
 */
const char *ckpt_unix_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct socket *sock = sock_from_file(file);
	struct sock *sk = sock->sk;
	const char *why;

	if (!ckpt_first_look(ctx, file))
		return NULL;
	why = ckpt_unix_name_problem(ctx, sk);
	if (!why)
		why = ckpt_sock_problem(ctx, sock);
	if (!why)
		why = ckpt_unix_peer_problem(ctx, sk);
	if (!why)
		why = ckpt_unix_cred_problem(ctx, sk);
	if (!why && ckpt_unix_walk(sock, ckpt_msg_problem, ctx))
		why = ctx->why;
	return why;
}

/* ---- saving ------------------------------------------------------------------ */

/**
 * checkpoint_unix - write the UNIX_SOCK record of a file
 * @ctx: the checkpoint
 * @file: the socket
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_unix(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct socket *sock = sock_from_file(file);
	struct ckpt_rec_unix_sock *rec;
	struct sock *sk = sock->sk;
	struct ckpt_unix_peer peer;
	struct ckpt_obj *obj;
	u32 cred;
	int ret = 0;

	cred = ckpt_obj_checkpoint(ctx, CKPT_OBJ_CRED, (void *)sk->sk_peer_cred, &ret);
	if (ret)
		return ret;
	rec = ckpt_rec_new(ctx, unix_sock, CKPT_REC_UNIX_SOCK, 0);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	rec->sock_type = sk->sk_type;
	rec->peer_cred = cred;
	rec->nr_msgs = skb_queue_len(&sk->sk_receive_queue);
	ckpt_save_sock_pid(ctx, sk->sk_peer_pid, &rec->peer_pid);
	ckpt_save_sock(sock, &rec->sock);
	if (sk->sk_state == TCP_ESTABLISHED)
		rec->flags |= CKPT_UNIX_CONNECTED;
	ckpt_unix_get_peer(sk, &peer);
	if (peer.closed)
		rec->flags |= CKPT_UNIX_PEER_CLOSED;
	if (!peer.file)
		return 0;
	obj = ckpt_obj_find(&ctx->objs, peer.file);
	if (!obj)
		return -EOPNOTSUPP;
	rec->peer = obj->objref;
	return 0;
}

struct ckpt_unix_out {
	struct ckpt_ctx *ctx;
	u32 objref;
};

static int checkpoint_unix_msg(void *arg, const struct ckpt_unix_msg *msg)
{
	u32 bytes = msg->len - msg->consumed, excess = 0;
	u32 nr = msg->fp ? msg->fp->count : 0, i, *files;
	struct user_namespace *ns = current_user_ns();
	struct ckpt_unix_out *out = arg;
	struct ckpt_ctx *ctx = out->ctx;
	struct ckpt_rec_unix_msg *rec;
	int ret = 0;

	for (i = 0; i < nr; i++)
		ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE, msg->fp->fp[i], &ret);
	if (ret)
		return ret;
	rec = ckpt_rec_new(ctx, unix_msg, CKPT_REC_UNIX_MSG, nr * sizeof(*files) + bytes);
	if (!rec)
		return -ENOMEM;
	if (msg->consumed && msg->len > CKPT_UNIX_MAX_READ)
		excess = min(msg->consumed, msg->len - (u32)CKPT_UNIX_MAX_READ);
	rec->file = out->objref;
	rec->flags = msg->oob ? CKPT_UNIX_MSG_OOB : 0;
	rec->len = msg->len - excess;
	rec->consumed = msg->consumed - excess;
	rec->nr_files = nr;
	rec->var_len = nr * sizeof(*files) + bytes;
	rec->uid = from_kuid(ns, msg->uid);
	rec->gid = from_kgid(ns, msg->gid);
	ckpt_save_sock_pid(ctx, msg->pid, &rec->pid);
	rec->tstamp = msg->tstamp;
	files = ckpt_rec_var(rec);
	for (i = 0; i < nr; i++)
		files[i] = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE, msg->fp->fp[i], &ret);
	return ret ?: skb_copy_bits(msg->skb, msg->consumed, files + nr, bytes);
}

/**
 * checkpoint_unix_queues - write the messages that wait in sockets
 * @ctx: the checkpoint; all that tasks have is written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_unix_queues(struct ckpt_ctx *ctx)
{
	struct ckpt_unix_out out = { .ctx = ctx };
	struct ckpt_obj *obj;
	int ret = 0;

	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		if (!ckpt_saved_unix(ctx, obj))
			continue;
		/* It may be only on its way itself. */
		out.objref = ckpt_obj_checkpoint(ctx, CKPT_OBJ_FILE, obj->ptr, &ret);
		if (!ret)
			ret = ckpt_unix_walk(sock_from_file(obj->ptr),
					     checkpoint_unix_msg, &out);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- restoring --------------------------------------------------------------- */

/**
 * restore_unix - make a socket of AF_UNIX; it is connected to nobody yet
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_unix(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_unix_sock *rec = ckpt_rec_as(part, unix_sock);
	struct socket *sock;
	struct file *file;
	int ret;

	if (rec->flags & ~CKPT_UNIX_FLAGS_ALL)
		return ERR_PTR(ckpt_bad(rs, part, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags));
	if (rec->sock_type != SOCK_STREAM && rec->sock_type != SOCK_DGRAM &&
	    rec->sock_type != SOCK_SEQPACKET)
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "type of socket %u", rec->sock_type));
	ret = restore_sock_check(rs, part, &rec->sock);
	if (ret)
		return ERR_PTR(ret);
	ret = sock_create(PF_UNIX, rec->sock_type, 0, &sock);
	if (ret)
		return ERR_PTR(ckpt_bad(rs, part, ret, "a socket cannot be made"));
	file = sock_alloc_file(sock, 0, NULL);
	if (IS_ERR(file)) {
		ckpt_bad(rs, part, PTR_ERR(file), "a socket cannot be made");
		return file;
	}
	file->f_flags |= ckpt_rec_as(r, file)->f_flags & (O_APPEND | O_NOATIME);
	return file;
}

/* The socket of an objref, made if nobody had a descriptor of it. */
static struct socket *ckpt_unix_sock(struct ckpt_restart *rs,
				     const struct ckpt_rec *r, u32 objref)
{
	struct file *file = ckpt_obj_restore(rs, CKPT_OBJ_FILE, objref);

	if (IS_ERR(file))
		return ERR_CAST(file);
	/* One of the restarter's stays as it is. */
	if (ckpt_rec_as(ckpt_obj_rec(rs, CKPT_OBJ_FILE, objref), file)->kind !=
	    CKPT_FILE_UNIX)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "object %u is no socket of AF_UNIX",
					objref));
	return sock_from_file(file);
}

static int ckpt_unix_pair(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct socket *a, struct socket *b)
{
	int ret;

	ret = security_socket_socketpair(a, b);
	if (!ret)
		ret = a->ops->socketpair(a, b);
	if (ret)
		return ckpt_bad(rs, r, ret, "sockets cannot be connected");
	/* Until restore_unix_state(): what waits in them was not too much once. */
	a->sk->sk_sndbuf = INT_MAX;
	b->sk->sk_sndbuf = INT_MAX;
	return 0;
}

/* In place of an end that was closed, for as long as messages come from it. */
static int ckpt_unix_stand_in(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct socket *sock)
{
	struct socket *other;
	int ret;

	ret = sock_create(PF_UNIX, sock->type, 0, &other);
	if (ret)
		return ckpt_bad(rs, r, ret, "a socket cannot be made");
	ret = ckpt_unix_pair(rs, r, sock, other);
	if (!ret)
		ret = xa_insert(&rs->stand_ins, ckpt_rec_as(r, unix_sock)->file, other,
				GFP_KERNEL_ACCOUNT);
	if (ret)
		sock_release(other);
	return ret;
}

static int restore_unix_pair(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_unix_sock *rec = ckpt_rec_as(r, unix_sock), *other;
	struct socket *sock = ckpt_unix_sock(rs, r, rec->file), *peer;
	bool closed = rec->flags & CKPT_UNIX_PEER_CLOSED;
	struct ckpt_robj *obj;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (!rec->peer && !closed) {
		if (rec->flags & CKPT_UNIX_CONNECTED)
			return ckpt_bad(rs, r, -EINVAL, "is connected to nothing");
		return 0;
	}
	if ((rec->peer && closed) || !(rec->flags & CKPT_UNIX_CONNECTED))
		return ckpt_bad(rs, r, -EINVAL, "flags 0x%x with other end %u",
				rec->flags, rec->peer);
	if (closed)
		return ckpt_unix_stand_in(rs, r, sock);
	peer = ckpt_unix_sock(rs, r, rec->peer);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	obj = xa_load(&rs->objs, rec->peer);
	other = ckpt_rec_as(obj->part, unix_sock);
	if (other->peer != rec->file || other->sock_type != rec->sock_type ||
	    rec->peer == rec->file)
		return ckpt_bad(rs, r, -EINVAL, "sockets %u and %u are no pair",
				rec->file, rec->peer);
	return rec->file < rec->peer ? ckpt_unix_pair(rs, r, sock, peer) : 0;
}

static int ckpt_unix_msg_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       bool stream)
{
	const struct ckpt_rec_unix_msg *rec = ckpt_rec_as(r, unix_msg);
	bool mark = rec->len == 1;

	if (rec->flags & ~CKPT_UNIX_MSG_OOB)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown flags 0x%x", rec->flags);
	if (rec->nr_files > SCM_MAX_FD || rec->consumed > rec->len ||
	    rec->len > CKPT_UNIX_MAX_DATA || rec->var_len > r->var_len ||
	    (u64)rec->nr_files * sizeof(u32) + rec->len - rec->consumed != rec->var_len)
		return ckpt_bad(rs, r, -EINVAL,
				"%u bytes, %u of them read, and %u open files in %u bytes",
				rec->len, rec->consumed, rec->nr_files, rec->var_len);
	if (rec->consumed &&
	    (!stream || rec->len > CKPT_UNIX_MAX_READ ||
	     (rec->consumed == rec->len && !mark)))
		return ckpt_bad(rs, r, -EINVAL, "%u of %u bytes were read", rec->consumed,
				rec->len);
	if (stream && !rec->len)
		return ckpt_bad(rs, r, -EINVAL, "is empty");
	if ((rec->flags & CKPT_UNIX_MSG_OOB) && (!stream || !mark || rec->consumed))
		return ckpt_bad(rs, r, -EINVAL, "is no out-of-band byte");
	return 0;
}

/* Nobody says that it comes from somebody as whom he could not send it. */
static int restore_unix_msg_cred(struct ckpt_restart *rs, const struct ckpt_rec *r,
				 struct ckpt_unix_msg *msg)
{
	const struct ckpt_rec_unix_msg *rec = ckpt_rec_as(r, unix_msg);
	const struct cred *cred = current_cred();
	struct user_namespace *ns = cred->user_ns;

	msg->uid = make_kuid(ns, rec->uid);
	msg->gid = make_kgid(ns, rec->gid);
	if ((rec->uid != (u32)-1 &&
	     !ckpt_uid_allowed(cred, msg->uid, ns_capable(ns, CAP_SETUID))) ||
	    (rec->gid != (u32)-1 &&
	     !ckpt_gid_allowed(cred, msg->gid, ns_capable(ns, CAP_SETGID))))
		return ckpt_bad(rs, r, -EPERM, "you may not send as user %u, group %u",
				rec->uid, rec->gid);
	msg->pid = restore_sock_pid(rs, r, &rec->pid);
	return PTR_ERR_OR_ZERO(msg->pid);
}

static int restore_unix_rights(struct ckpt_restart *rs, const struct ckpt_rec *r,
			       struct ckpt_unix_msg *msg)
{
	const struct ckpt_rec_unix_msg *rec = ckpt_rec_as(r, unix_msg);
	struct file **files;
	const u32 *refs = r->var;
	bool fresh;
	int ret = 0;
	u32 i;

	if (!rec->nr_files)
		return 0;
	files = kcalloc(rec->nr_files, sizeof(*files), GFP_KERNEL_ACCOUNT);
	if (!files)
		return -ENOMEM;
	for (i = 0; i < rec->nr_files && !ret; i++) {
		files[i] = ckpt_linked_file(rs, refs[i], &fresh);
		if (!files[i])
			ret = ckpt_bad(rs, r, -EINVAL,
				       "the log is on its way, and this call has none");
		else
			ret = PTR_ERR_OR_ZERO(files[i]);
	}
	if (!ret) {
		msg->fp = ckpt_unix_rights(files, rec->nr_files);
		ret = msg->fp ? 0 : -ENOMEM;
	}
	kfree(files);
	return ret;
}

/* As much as a call could send: what is read is charged to the sender. */
static bool ckpt_unix_has_room(const struct sock *from)
{
	const u32 most = max(READ_ONCE(sysctl_wmem_max), READ_ONCE(sysctl_wmem_default));

	return sk_wmem_alloc_get(from) < 4ULL * most || capable(CAP_NET_ADMIN);
}

static int restore_unix_msg(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_unix_msg *rec = ckpt_rec_as(r, unix_msg);
	struct socket *sock = ckpt_unix_sock(rs, r, rec->file);
	struct ckpt_unix_msg msg = {
		.len		= rec->len,
		.consumed	= rec->consumed,
		.oob		= rec->flags & CKPT_UNIX_MSG_OOB,
		.tstamp		= rec->tstamp,
	};
	int ret;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (!unix_peer(sock->sk))
		return ckpt_bad(rs, r, -EINVAL, "waits in a socket without another end");
	if (!ckpt_unix_has_room(unix_peer(sock->sk)))
		return ckpt_bad(rs, r, -ENOBUFS, "more waits than you may send");
	ret = ckpt_unix_msg_check(rs, r, sock->type == SOCK_STREAM);
	if (!ret)
		ret = restore_unix_msg_cred(rs, r, &msg);
	if (ret)
		return ret;
	ret = restore_unix_rights(rs, r, &msg);
	if (!ret) {
		ret = ckpt_unix_put(sock, &msg, r->var + rec->nr_files * sizeof(u32));
		if (ret)
			ckpt_bad(rs, r, ret, "cannot be sent again");
	}
	put_pid(msg.pid);
	return ret;
}

static int restore_unix_peercred(struct ckpt_restart *rs, const struct ckpt_rec *r,
				 struct sock *sk)
{
	const struct ckpt_rec_unix_sock *rec = ckpt_rec_as(r, unix_sock);
	const struct cred *cred = NULL;
	struct pid *pid;

	/* Only what the restarter could be itself. */
	if (rec->peer_cred)
		cred = ckpt_obj_restore(rs, CKPT_OBJ_CRED, rec->peer_cred);
	if (IS_ERR(cred))
		return PTR_ERR(cred);
	pid = restore_sock_pid(rs, r, &rec->peer_pid);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	if (!pid != !cred) {
		put_pid(pid);
		return ckpt_bad(rs, r, -EINVAL, "credentials %u and no process, or the reverse",
				rec->peer_cred);
	}
	spin_lock(&sk->sk_peer_lock);
	swap(sk->sk_peer_pid, pid);
	swap(sk->sk_peer_cred, cred);
	if (sk->sk_peer_cred)
		get_cred(sk->sk_peer_cred);
	spin_unlock(&sk->sk_peer_lock);
	put_pid(pid);
	put_cred(cred);
	return 0;
}

static int restore_unix_state(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_unix_sock *rec = ckpt_rec_as(r, unix_sock);
	struct socket *sock = ckpt_unix_sock(rs, r, rec->file);
	int ret;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (skb_queue_len(&sock->sk->sk_receive_queue) != rec->nr_msgs)
		return ckpt_bad(rs, r, -EINVAL, "%u messages are announced, %u were there",
				rec->nr_msgs, skb_queue_len(&sock->sk->sk_receive_queue));
	ret = restore_unix_peercred(rs, r, sock->sk);
	return ret ?: restore_sock(rs, r, sock, &rec->sock);
}

static void ckpt_unix_close_stand_ins(struct ckpt_restart *rs)
{
	struct socket *sock;
	unsigned long i;

	xa_for_each(&rs->stand_ins, i, sock)
		sock_release(sock);
	xa_destroy(&rs->stand_ins);
}

/**
 * restore_unix_links - connect sockets, and put into them what waits there
 * @rs: the restart; the files of all members are there
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_unix_links(struct ckpt_restart *rs)
{
	int ret;

	ret = ckpt_late_each(rs, CKPT_REC_UNIX_SOCK, restore_unix_pair);
	if (!ret)
		ret = ckpt_late_each(rs, CKPT_REC_UNIX_MSG, restore_unix_msg);
	/* Which tells the other end; it may have read that long ago. */
	ckpt_unix_close_stand_ins(rs);
	return ret ?: ckpt_late_each(rs, CKPT_REC_UNIX_SOCK, restore_unix_state);
}

/* The socket of a UNIX_SOCK record, if this restart has made it. */
static struct socket *ckpt_unix_made(struct ckpt_restart *rs,
				     const struct ckpt_rec *r)
{
	struct ckpt_robj *obj;

	if (r->type != CKPT_REC_UNIX_SOCK)
		return NULL;
	obj = xa_load(&rs->objs, ckpt_rec_as(r, unix_sock)->file);
	if (!obj || obj->state != CKPT_ROBJ_READY || obj->type != CKPT_OBJ_FILE ||
	    !obj->ptr || !ckpt_is_unix(NULL, obj->ptr) ||
	    ckpt_rec_as(obj->rec, file)->kind != CKPT_FILE_UNIX)
		return NULL;
	return sock_from_file(obj->ptr);
}

/**
 * restore_unix_done - let go of what is left of sockets
 * @rs: the restart
 */
void restore_unix_done(struct ckpt_restart *rs)
{
	const struct ckpt_rec *r;
	struct socket *sock;
	unsigned long i;

	xa_for_each(&rs->late, i, r) {
		/* Nobody but a restart that has failed has them. */
		sock = rs->committed ? NULL : ckpt_unix_made(rs, r);
		if (sock)
			ckpt_unix_purge(sock);
		cond_resched();
	}
}
