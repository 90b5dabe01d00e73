// SPDX-License-Identifier: GPL-2.0
/*
 * Timerfds: clock, deadline, interval, expirations.
 *
 * A deadline is saved as time left, and goes on when the program does. One that
 * was given as a time of CLOCK_REALTIME stays that time; where the wall clock
 * has jumped since, as the program sees it, TFD_TIMER_CANCEL_ON_SET tells.
 */
#include <linux/checkpoint_fds.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/timerfd.h>

#include "checkpoint.h"

/**
 * ckpt_is_timerfd - is the file a timerfd?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_timerfd(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_timerfd_get(file, NULL);
}

/**
 * checkpoint_timerfd - write the TIMERFD record of a file
 * @ctx: the checkpoint
 * @file: the timerfd
 * @objref: of the file
 *
 * Return: 0 or -ENOMEM.
 */
int checkpoint_timerfd(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_rec_timerfd *rec;
	struct ckpt_timerfd state;

	rec = ckpt_rec_new(ctx, timerfd, CKPT_REC_TIMERFD, 0);
	if (!rec)
		return -ENOMEM;
	ckpt_timerfd_get(file, &state);
	rec->file = objref;
	rec->clock = state.clock;
	rec->settime_flags = state.settime_flags;
	rec->ticks = state.ticks;
	rec->interval = state.interval;
	rec->value = state.value;
	rec->offset = state.offset;
	if (state.armed)
		rec->flags |= CKPT_TIMERFD_ARMED;
	if (state.expired)
		rec->flags |= CKPT_TIMERFD_EXPIRED;
	if (state.cancelable)
		rec->flags |= CKPT_TIMERFD_CANCELABLE;
	if (state.canceled)
		rec->flags |= CKPT_TIMERFD_CANCELED;
	return 0;
}

/* ---- restoring -------------------------------------------------------------- */

static bool ckpt_wall_clock(u32 clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static int restore_timerfd_check(struct ckpt_restart *rs,
				 const struct ckpt_rec *part)
{
	const struct ckpt_rec_timerfd *rec = ckpt_rec_as(part, timerfd);
	bool wall = ckpt_wall_clock(rec->clock);

	if (!wall && rec->clock != CLOCK_MONOTONIC &&
	    rec->clock != CLOCK_BOOTTIME && rec->clock != CLOCK_BOOTTIME_ALARM)
		return ckpt_bad(rs, part, -EINVAL, "clock %u", rec->clock);
	if ((rec->flags & ~CKPT_TIMERFD_FLAGS_ALL) ||
	    (rec->settime_flags & ~TFD_SETTIME_FLAGS))
		return ckpt_bad(rs, part, -EOPNOTSUPP, "unknown flags 0x%x, 0x%x",
				rec->flags, rec->settime_flags);
	if (((rec->flags & CKPT_TIMERFD_ARMED) && (rec->flags & CKPT_TIMERFD_EXPIRED)) ||
	    ((rec->flags & CKPT_TIMERFD_CANCELABLE) && !wall) ||
	    ((rec->flags & CKPT_TIMERFD_CANCELED) &&
	     !(rec->flags & CKPT_TIMERFD_CANCELABLE)))
		return ckpt_bad(rs, part, -EINVAL, "flags 0x%x of clock %u",
				rec->flags, rec->clock);
	if (rec->interval > KTIME_MAX || rec->value < -(KTIME_MAX / 2) ||
	    (wall && (rec->settime_flags & TFD_TIMER_ABSTIME) && rec->value < 0))
		return ckpt_bad(rs, part, -EINVAL, "value %lld, interval %llu",
				rec->value, rec->interval);
	return 0;
}

/* Was the wall clock set, by the CLOCK_MONOTONIC that the program sees? */
static bool ckpt_clock_was_set(struct ckpt_restart *rs,
			       const struct ckpt_rec_timerfd *rec)
{
	s64 now = ktime_mono_to_real(0);

#ifdef CONFIG_TIME_NS
	now -= timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
#endif
	return now != rec->offset - ckpt_rec_as(rs->hdr, header)->timens_monotonic_ns;
}

static void ckpt_timerfd_state(const struct ckpt_rec_timerfd *rec,
			       struct ckpt_timerfd *state)
{
	*state = (struct ckpt_timerfd) {
		.clock		= rec->clock,
		.settime_flags	= rec->settime_flags,
		.ticks		= rec->ticks,
		.interval	= rec->interval,
		.value		= rec->value,
		.armed		= rec->flags & CKPT_TIMERFD_ARMED,
		.expired	= rec->flags & CKPT_TIMERFD_EXPIRED,
		.cancelable	= rec->flags & CKPT_TIMERFD_CANCELABLE,
		.canceled	= rec->flags & CKPT_TIMERFD_CANCELED,
	};
}

/**
 * restore_timerfd - make a timerfd
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_timerfd(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_timerfd *rec = ckpt_rec_as(part, timerfd);
	struct ckpt_timerfd state;
	struct file *file;
	int ret;

	ret = restore_timerfd_check(rs, part);
	if (ret)
		return ERR_PTR(ret);
	ckpt_timerfd_state(rec, &state);
	if (state.cancelable && ckpt_clock_was_set(rs, rec))
		state.canceled = true;
	file = ckpt_timerfd_make(&state);
	if (IS_ERR(file))
		ckpt_bad(rs, part, PTR_ERR(file), "a timer of clock %u cannot be made",
			 rec->clock);
	return file;
}

static void ckpt_start_timerfd(struct ckpt_restart *rs, const struct ckpt_rec *part,
			       struct file *file)
{
	struct ckpt_timerfd state;

	ckpt_timerfd_state(ckpt_rec_as(part, timerfd), &state);
	ckpt_timerfd_start(file, &state);
}

/**
 * restore_timerfds_start - let all timers run
 * @rs: the restart, committed; the program does not run yet
 */
void restore_timerfds_start(struct ckpt_restart *rs)
{
	ckpt_part_each(rs, CKPT_REC_TIMERFD, ckpt_start_timerfd);
}
