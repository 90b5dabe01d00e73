// SPDX-License-Identifier: GPL-2.0
/*
 * The part of net/unix/af_unix.c that is for checkpoint/restart; it includes
 * this file.
 */
#ifdef CONFIG_CHECKPOINT

#include <net/unix_ckpt.h>

static void ckpt_unix_put_copy(struct ckpt_unix_msg *msg)
{
	struct scm_cookie scm = { .fp = msg->fp };

	scm_destroy(&scm);
	put_pid(msg->pid);
	consume_skb(msg->skb);
}

/* As for MSG_PEEK: with references to all that it carries. */
static int ckpt_unix_copy(struct sock *sk, struct sk_buff *skb,
			  struct ckpt_unix_msg *msg)
{
	struct scm_cookie scm = {};

	if (UNIXCB(skb).fp) {
		unix_peek_fds(&scm, skb);
		if (!scm.fp)
			return -ENOMEM;
	}
	*msg = (struct ckpt_unix_msg) {
		.skb		= skb_get(skb),
		.fp		= scm.fp,
		.pid		= get_pid(UNIXCB(skb).pid),
		.uid		= UNIXCB(skb).uid,
		.gid		= UNIXCB(skb).gid,
		.len		= skb->len,
		.consumed	= UNIXCB(skb).consumed,
		.tstamp		= skb->tstamp,
	};
#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	msg->oob = skb == READ_ONCE(unix_sk(sk)->oob_skb);
#endif
	return 0;
}

/* Under iolock nobody takes a message; who adds one adds it at the end. */
static int ckpt_unix_copies(struct sock *sk, struct ckpt_unix_msg *msgs,
			    unsigned int room, unsigned int *nr)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct sk_buff *skb;
	int ret = 0;

	spin_lock(&queue->lock);
	skb = skb_peek(queue);
	spin_unlock(&queue->lock);
	while (skb && *nr < room && !ret) {
		ret = ckpt_unix_copy(sk, skb, &msgs[*nr]);
		*nr += !ret;
		spin_lock(&queue->lock);
		skb = skb_peek_next(skb, queue);
		spin_unlock(&queue->lock);
	}
	return ret;
}

/**
 * ckpt_unix_walk - look at the messages in a receive queue
 * @sock: a socket of AF_UNIX that does not listen; its caller holds its file
 * @fn: called for each, in their order; stops when it returns an error. May
 *	sleep; no locks held
 * @arg: for @fn
 *
 * Return: 0, -ENOMEM or what @fn returned.
 */
int ckpt_unix_walk(struct socket *sock,
		   int (*fn)(void *arg, const struct ckpt_unix_msg *msg),
		   void *arg)
{
	struct sock *sk = sock->sk;
	struct ckpt_unix_msg *msgs;
	unsigned int i, nr = 0, room;
	int ret;

	mutex_lock(&unix_sk(sk)->iolock);
	room = skb_queue_len_lockless(&sk->sk_receive_queue);
	msgs = kvcalloc(room ?: 1, sizeof(*msgs), GFP_KERNEL_ACCOUNT);
	ret = msgs ? ckpt_unix_copies(sk, msgs, room, &nr) : -ENOMEM;
	mutex_unlock(&unix_sk(sk)->iolock);

	for (i = 0; i < nr; i++) {
		if (!ret)
			ret = fn(arg, &msgs[i]);
		ckpt_unix_put_copy(&msgs[i]);
		cond_resched();
	}
	kvfree(msgs);
	return ret;
}

/**
 * ckpt_unix_rights - open files that a message is to carry
 * @files: the files; they get a reference each
 * @nr: their number, at least 1, at most SCM_MAX_FD
 *
 * See scm_fp_copy().
 *
 * Return: the list for &struct ckpt_unix_msg, or NULL.
 */
struct scm_fp_list *ckpt_unix_rights(struct file **files, unsigned int nr)
{
	struct scm_fp_list *fpl = kzalloc(sizeof(*fpl), GFP_KERNEL_ACCOUNT);

	if (!fpl)
		return NULL;
	INIT_LIST_HEAD(&fpl->vertices);
	fpl->max = SCM_MAX_FD;
	fpl->user = get_uid(current_user());
	while (fpl->count < nr) {
		if (unix_get_socket(files[fpl->count]))
			fpl->count_unix++;
		fpl->fp[fpl->count] = get_file(files[fpl->count]);
		fpl->count++;
	}
	return fpl;
}

/* Laid out as the call that sent it did, so that it counts for the same. */
static struct sk_buff *ckpt_unix_skb(struct sock *from, u32 len, int *err)
{
	bool stream = from->sk_type == SOCK_STREAM;
	u32 head = stream ? SKB_MAX_HEAD(0) : SKB_MAX_ALLOC;
	u32 paged = len > head ? len - head : 0;
	struct sk_buff *skb;

	if (!stream)
		paged = min_t(u32, paged, MAX_SKB_FRAGS * PAGE_SIZE);
	paged = min_t(u32, PAGE_ALIGN(paged), len);
	skb = sock_alloc_send_pskb(from, len - paged, paged, 1, err,
				   stream ? get_order(UNIX_SKB_FRAGS_SZ) :
					    PAGE_ALLOC_COSTLY_ORDER);
	if (!skb) {
		if (*err == -ENOBUFS)
			*err = -ENOMEM;
		return NULL;
	}
	skb_put(skb, len - paged);
	skb->data_len = paged;
	skb->len = len;
	return skb;
}

static int ckpt_unix_fill(struct sk_buff *skb, u32 consumed, const void *data)
{
	u32 at = 0, n;
	int ret = 0;

	/* What was read is not there any more. */
	for (; at < consumed && !ret; at += n) {
		n = min_t(u32, consumed - at, PAGE_SIZE);
		ret = skb_store_bits(skb, at, page_address(ZERO_PAGE(0)), n);
	}
	if (!ret && consumed < skb->len)
		ret = skb_store_bits(skb, consumed, data, skb->len - consumed);
	return ret;
}

static int ckpt_unix_queue(struct sock *sk, struct sk_buff *skb, bool oob)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct unix_sock *u = unix_sk(sk);
	struct sk_buff *last;
	int ret = 0;

	unix_state_lock(sk);
	last = skb_peek_tail(queue);
	/* What is read up stays only as the mark where a byte has been. */
	if (sk->sk_type == SOCK_STREAM && last && !unix_skb_len(last) &&
	    !unix_skb_len(skb))
		ret = -EINVAL;
#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	if (oob && u->oob_skb)
		ret = -EINVAL;
#else
	if (oob || (sk->sk_type == SOCK_STREAM && !unix_skb_len(skb)))
		ret = -EOPNOTSUPP;
#endif
	if (!ret) {
		scm_stat_add(sk, skb);
		spin_lock(&queue->lock);
#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
		if (oob)
			WRITE_ONCE(u->oob_skb, skb);
#endif
		__skb_queue_tail(queue, skb);
		spin_unlock(&queue->lock);
	}
	unix_state_unlock(sk);
	return ret;
}

/**
 * ckpt_unix_put - put a message into a receive queue, and wake nobody
 * @sock: the socket; connected, and in no hands but the caller's
 * @msg: the message; its @fp goes with it, whatever is returned
 * @data: bytes that were not read
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_put(struct socket *sock, struct ckpt_unix_msg *msg,
		  const void *data)
{
	struct sock *sk = sock->sk, *from = unix_peer(sk);
	struct scm_cookie scm = {
		.pid	= get_pid(msg->pid),
		.fp	= msg->fp,
		.creds	= { .uid = msg->uid, .gid = msg->gid },
	};
	struct sk_buff *skb;
	int ret;

	unix_get_peersec_dgram(from->sk_socket, &scm);
	skb = ckpt_unix_skb(from, msg->len, &ret);
	if (!skb)
		goto out;
	ret = unix_scm_to_skb(&scm, skb, true);
	if (!ret)
		ret = ckpt_unix_fill(skb, msg->consumed, data);
	if (!ret) {
		UNIXCB(skb).consumed = msg->consumed;
		skb->tstamp = msg->tstamp;
		ret = ckpt_unix_queue(sk, skb, msg->oob);
	}
	if (ret)
		kfree_skb(skb);
out:
	scm_destroy(&scm);
	return ret;
}

/**
 * ckpt_unix_purge - throw away what is in a receive queue
 * @sock: the socket; in no hands but the caller's
 *
 * Sockets that are on their way in each other would stay until the next garbage
 * collection.
 */
void ckpt_unix_purge(struct socket *sock)
{
	struct sock *sk = sock->sk;

#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	WRITE_ONCE(unix_sk(sk)->oob_skb, NULL);
#endif
	skb_queue_purge(&sk->sk_receive_queue);
}

#endif /* CONFIG_CHECKPOINT */
