/* SPDX-License-Identifier: GPL-2.0 */
/*
 * POSIX timers: what kernel/time and checkpoint/ know of each other.
 */
#ifndef _LINUX_CHECKPOINT_TIMERS_H
#define _LINUX_CHECKPOINT_TIMERS_H

#include <linux/posix-timers.h>
#include <linux/types.h>

#ifdef CONFIG_CHECKPOINT

struct ckpt_timer;
struct pid;
struct task_struct;
struct timens_offsets;

/**
 * ckpt_timer_armed - a timer has got a time to expire
 * @timr: the timer, locked
 * @abstime: it is a time of the clock, not a time from now
 *
 * Nothing else in the timer tells; to a restart it makes a difference.
 */
static inline void ckpt_timer_armed(struct k_itimer *timr, bool abstime)
{
	timr->it_abstime = abstime;
}

u64 ckpt_cpu_clock_sample(clockid_t clock, struct task_struct *p);
struct task_struct *ckpt_timer_cpu_task(const struct k_itimer *timr);
int ckpt_timers_count(struct task_struct *t, u32 *next_id);
int ckpt_timers_visit(struct task_struct *t, unsigned int nr,
		      struct k_itimer **list,
		      void (*visit)(struct k_itimer *timr, unsigned int i,
				    void *data),
		      void *data);
void ckpt_timer_save(struct k_itimer *timr, const struct timens_offsets *ns,
		     struct ckpt_timer *out);
struct k_itimer *ckpt_timer_create(const struct ckpt_timer *in,
				   struct pid *target, struct pid *clock_pid);
void ckpt_timer_discard(struct k_itimer *timr);
void ckpt_timer_publish(struct k_itimer *timr);
void ckpt_timer_start(struct k_itimer *timr, const struct ckpt_timer *in);

#else /* !CONFIG_CHECKPOINT */

static inline void ckpt_timer_armed(struct k_itimer *timr, bool abstime) { }

#endif /* CONFIG_CHECKPOINT */
#endif /* _LINUX_CHECKPOINT_TIMERS_H */
