/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What checkpoint/restart reads of seccomp filters, and how it makes them.
 * kernel/seccomp_ckpt.c and net/core/filter_ckpt.c are part of the files that
 * own these.
 */
#ifndef _LINUX_SECCOMP_CKPT_H
#define _LINUX_SECCOMP_CKPT_H

#include <linux/err.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

/* Most filters on a way: each takes an instruction and counts for four more. */
#define CKPT_SECCOMP_MAX_FILTERS	((1 << 18) / sizeof(struct sock_filter) / 5)

/**
 * struct ckpt_seccomp_info - a seccomp filter
 * @prev: the one that was there before it, or NULL
 * @insns: its program as it was given; NULL if the kernel has not kept it
 * @nr: instructions in @insns
 * @log: SECCOMP_FILTER_FLAG_LOG
 * @listener: somebody is asked what it shall do (SECCOMP_RET_USER_NOTIF)
 *
 * The pointers are good as long as the filter is.
 */
struct ckpt_seccomp_info {
	struct seccomp_filter *prev;
	const struct sock_filter *insns;
	u16 nr;
	bool log;
	bool listener;
};

int ckpt_bpf_prog_create(struct bpf_prog **pfp,
			 const struct sock_fprog_kern *fprog,
			 bpf_aux_classic_check_t trans);

#ifdef CONFIG_SECCOMP_FILTER

struct seccomp_filter *ckpt_seccomp_get(struct task_struct *t);
void ckpt_seccomp_grab(struct seccomp_filter *filter);
void ckpt_seccomp_put(struct seccomp_filter *filter);
void ckpt_seccomp_read(struct seccomp_filter *filter,
		       struct ckpt_seccomp_info *info);
struct seccomp_filter *ckpt_seccomp_create(struct seccomp_filter *prev,
					   const struct ckpt_seccomp_info *info);
void ckpt_seccomp_attach(struct seccomp_filter *filter);

#else /* !CONFIG_SECCOMP_FILTER */

static inline struct seccomp_filter *ckpt_seccomp_get(struct task_struct *t)
{
	return NULL;
}

static inline void ckpt_seccomp_grab(struct seccomp_filter *filter) { }
static inline void ckpt_seccomp_put(struct seccomp_filter *filter) { }

static inline void ckpt_seccomp_read(struct seccomp_filter *filter,
				     struct ckpt_seccomp_info *info)
{
}

static inline struct seccomp_filter *
ckpt_seccomp_create(struct seccomp_filter *prev,
		    const struct ckpt_seccomp_info *info)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void ckpt_seccomp_attach(struct seccomp_filter *filter) { }

#endif /* CONFIG_SECCOMP_FILTER */

#ifdef CONFIG_SECCOMP
void ckpt_seccomp_set_strict(void);
#else
static inline void ckpt_seccomp_set_strict(void) { }
#endif

#endif /* _LINUX_SECCOMP_CKPT_H */
