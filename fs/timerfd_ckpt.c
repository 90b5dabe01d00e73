// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/timerfd.c that is for checkpoint/restart; it includes this
 * file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/* Only the deadline of a wall clock stays where it is. */
static bool ckpt_timerfd_absolute(const struct timerfd_ctx *ctx)
{
	return (ctx->settime_flags & TFD_TIMER_ABSTIME) &&
	       (ctx->clockid == CLOCK_REALTIME ||
		ctx->clockid == CLOCK_REALTIME_ALARM);
}

/* Behind an alarm stands an hrtimer of the same clock. */
static struct hrtimer *ckpt_timerfd_timer(struct timerfd_ctx *ctx)
{
	return isalarm(ctx) ? &ctx->t.alarm.timer : &ctx->t.tmr;
}

static s64 ckpt_timerfd_value(struct timerfd_ctx *ctx)
{
	struct hrtimer *timer = ckpt_timerfd_timer(ctx);
	ktime_t expires;

	expires = isalarm(ctx) ? ctx->t.alarm.node.expires :
				 hrtimer_get_expires(timer);
	if (ckpt_timerfd_absolute(ctx) || expires == KTIME_MAX)
		return expires;
	return expires - hrtimer_cb_get_time(timer);
}

/**
 * ckpt_timerfd_get - look at a timerfd
 * @file: some file
 * @state: out, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_timerfd_get(struct file *file, struct ckpt_timerfd *state)
{
	struct timerfd_ctx *ctx = file->private_data;

	if (file->f_op != &timerfd_fops)
		return false;
	if (!state)
		return true;
	spin_lock_irq(&ctx->wqh.lock);
	state->clock = ctx->clockid;
	state->settime_flags = ctx->settime_flags;
	state->ticks = ctx->ticks;
	state->interval = ctx->tintv;
	state->value = ckpt_timerfd_value(ctx);
	state->offset = ktime_mono_to_real(0);
	/* Also while its callback waits for the lock. */
	state->armed = hrtimer_active(ckpt_timerfd_timer(ctx)) &&
		       !ctx->expired;
	state->expired = ctx->expired;
	state->cancelable = ctx->might_cancel;
	state->canceled = ctx->might_cancel && ctx->moffs != state->offset;
	spin_unlock_irq(&ctx->wqh.lock);
	return true;
}

/**
 * ckpt_timerfd_make - make a timerfd
 * @state: what it is like
 *
 * Its timer does not run before ckpt_timerfd_start().
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ckpt_timerfd_make(const struct ckpt_timerfd *state)
{
	struct timerfd_ctx *ctx;
	struct file *file;

	file = ckpt_take_fd(__do_sys_timerfd_create(state->clock, 0));
	if (IS_ERR(file))
		return file;
	ctx = file->private_data;
	timerfd_setup_cancel(ctx, state->cancelable ?
			     TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET : 0);
	spin_lock_irq(&ctx->wqh.lock);
	ctx->settime_flags = state->settime_flags;
	ctx->ticks = state->ticks;
	ctx->tintv = state->interval;
	ctx->expired = state->expired;
	if (state->canceled) {
		ctx->moffs = KTIME_MAX;
		ctx->ticks += !ctx->ticks;
	}
	spin_unlock_irq(&ctx->wqh.lock);
	return file;
}

/**
 * ckpt_timerfd_start - set the deadline of a timerfd, and let its timer run
 * @file: made by ckpt_timerfd_make()
 * @state: what it is like; values that no timerfd has must have been refused
 */
void ckpt_timerfd_start(struct file *file, const struct ckpt_timerfd *state)
{
	struct timerfd_ctx *ctx = file->private_data;
	struct hrtimer *timer = ckpt_timerfd_timer(ctx);
	enum hrtimer_mode mode;
	ktime_t expires = state->value;

	mode = state->settime_flags & TFD_TIMER_ABSTIME ? HRTIMER_MODE_ABS :
							  HRTIMER_MODE_REL;
	spin_lock_irq(&ctx->wqh.lock);
	if (!isalarm(ctx)) {
		/* The mode chooses the clock, see timerfd_setup(). */
		hrtimer_init(timer, ctx->clockid, mode);
		timer->function = timerfd_tmrproc;
	}
	if (!ckpt_timerfd_absolute(ctx) && expires != KTIME_MAX &&
	    check_add_overflow(hrtimer_cb_get_time(timer), expires, &expires))
		expires = KTIME_MAX;
	/* The clocks of a young boot may be behind the time that is over. */
	if (state->armed)
		expires = max(expires, 0);
	/* One that is over tells by it how often it would have been. */
	if (isalarm(ctx) && state->armed) {
		alarm_start(&ctx->t.alarm, expires);
	} else if (isalarm(ctx)) {
		ctx->t.alarm.node.expires = expires;
	} else {
		hrtimer_set_expires(timer, expires);
		if (state->armed)
			hrtimer_start(timer, expires, HRTIMER_MODE_ABS);
	}
	spin_unlock_irq(&ctx->wqh.lock);
}

#endif /* CONFIG_CHECKPOINT */
