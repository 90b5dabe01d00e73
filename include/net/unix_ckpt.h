/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only net/unix/af_unix.c knows of a socket, for checkpoint/restart. The
 * functions stand in net/unix/unix_ckpt.c, which it includes.
 */
#ifndef _NET_UNIX_CKPT_H
#define _NET_UNIX_CKPT_H

#include <linux/errno.h>
#include <linux/types.h>
#include <linux/uidgid_types.h>

struct file;
struct pid;
struct scm_fp_list;
struct sk_buff;
struct socket;

/**
 * struct ckpt_unix_msg - a message in a receive queue
 * @skb: it holds the bytes; of one that is to be made NULL
 * @fp: open files on their way, or NULL
 * @pid: who sent it, or NULL
 * @uid: likewise, or invalid
 * @gid: likewise
 * @len: bytes, with those that were read
 * @consumed: bytes that were read
 * @oob: the out-of-band byte
 * @tstamp: CLOCK_REALTIME when it was sent, in ns, or 0
 */
struct ckpt_unix_msg {
	struct sk_buff *skb;
	struct scm_fp_list *fp;
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	u32 len;
	u32 consumed;
	bool oob;
	s64 tstamp;
};

#if IS_ENABLED(CONFIG_UNIX)
int ckpt_unix_walk(struct socket *sock,
		   int (*fn)(void *arg, const struct ckpt_unix_msg *msg),
		   void *arg);
struct scm_fp_list *ckpt_unix_rights(struct file **files, unsigned int nr);
int ckpt_unix_put(struct socket *sock, struct ckpt_unix_msg *msg,
		  const void *data);
void ckpt_unix_purge(struct socket *sock);
#else
static inline int
ckpt_unix_walk(struct socket *sock,
	       int (*fn)(void *arg, const struct ckpt_unix_msg *msg), void *arg)
{
	return 0;
}

static inline struct scm_fp_list *ckpt_unix_rights(struct file **files,
						   unsigned int nr)
{
	return NULL;
}

static inline int ckpt_unix_put(struct socket *sock, struct ckpt_unix_msg *msg,
				const void *data)
{
	return -EAFNOSUPPORT;
}

static inline void ckpt_unix_purge(struct socket *sock)
{
}
#endif

#endif /* _NET_UNIX_CKPT_H */
