// SPDX-License-Identifier: GPL-2.0
/*
 * The part of fs/eventpoll.c that is for checkpoint/restart; it includes this
 * file.
 */
#ifdef CONFIG_CHECKPOINT

#include <linux/checkpoint_fds.h>

/**
 * ckpt_epoll_get - look at an epoll
 * @file: some file
 * @state: out, or NULL
 *
 * Return: false if @file is none.
 */
bool ckpt_epoll_get(struct file *file, struct ckpt_epoll *state)
{
	struct eventpoll *ep = file->private_data;
	struct rb_node *rbp;

	if (!is_file_epoll(file))
		return false;
	if (!state)
		return true;
	*state = (struct ckpt_epoll) {};
#ifdef CONFIG_NET_RX_BUSY_POLL
	state->busy_poll_usecs = READ_ONCE(ep->busy_poll_usecs);
	state->busy_poll_budget = READ_ONCE(ep->busy_poll_budget);
	state->prefer_busy_poll = READ_ONCE(ep->prefer_busy_poll);
#endif
	mutex_lock(&ep->mtx);
	for (rbp = rb_first_cached(&ep->rbr); rbp; rbp = rb_next(rbp)) {
		state->nr_items++;
		cond_resched();
	}
	mutex_unlock(&ep->mtx);
	return true;
}

/**
 * ckpt_epoll_make - make an epoll without items
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ckpt_epoll_make(void)
{
	return ckpt_take_fd(do_epoll_create(0));
}

/**
 * ckpt_epoll_set - set what an epoll has but for its items
 * @file: the epoll
 * @state: what it is like
 *
 * Return: 0; -EINVAL, -EPERM or -EOPNOTSUPP as ioctl(EPIOCSPARAMS).
 */
int ckpt_epoll_set(struct file *file, const struct ckpt_epoll *state)
{
	if (!state->busy_poll_usecs && !state->busy_poll_budget &&
	    !state->prefer_busy_poll)
		return 0;
#ifdef CONFIG_NET_RX_BUSY_POLL
	struct eventpoll *ep = file->private_data;

	if (state->busy_poll_usecs > S32_MAX ||
	    state->busy_poll_budget > U16_MAX || state->prefer_busy_poll > 1)
		return -EINVAL;
	if (state->busy_poll_budget > NAPI_POLL_WEIGHT && !capable(CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(ep->busy_poll_usecs, state->busy_poll_usecs);
	WRITE_ONCE(ep->busy_poll_budget, state->busy_poll_budget);
	WRITE_ONCE(ep->prefer_busy_poll, state->prefer_busy_poll);
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

static void ckpt_epoll_item(const struct epitem *epi, bool ready,
			    struct ckpt_epitem *item)
{
	wait_queue_head_t *whead = NULL;

	*item = (struct ckpt_epitem) {
		.file	= epi->ffd.file,
		.fd	= epi->ffd.fd,
		.events	= epi->event.events,
		.data	= epi->event.data,
		.ready	= ready,
	};
	if (!ckpt_signalfd_get(item->file, NULL))
		return;
	/* NULL: its process is no more, see POLLFREE. Only compared, not used. */
	if (epi->pwqlist)
		whead = READ_ONCE(epi->pwqlist->whead);
	if (whead)
		item->sighand = container_of(whead, struct sighand_struct, signalfd_wqh);
}

/**
 * ckpt_epoll_walk - look at all items of an epoll
 * @file: the epoll; who uses it is frozen
 * @fn: called for each item, first for those that are ready, in the order in
 *	which they are told; stops when it returns an error. May sleep
 * @arg: for @fn
 *
 * Return: 0, or what @fn returned.
 */
int ckpt_epoll_walk(struct file *file,
		    int (*fn)(void *arg, const struct ckpt_epitem *item),
		    void *arg)
{
	struct eventpoll *ep = file->private_data;
	struct ckpt_epitem item;
	struct epitem *epi;
	LIST_HEAD(scan_batch);
	struct rb_node *rbp;
	int ret = 0;

	mutex_lock(&ep->mtx);
	/* What happens meanwhile goes to a list of its own. */
	ep_start_scan(ep, &scan_batch);
	list_for_each_entry(epi, &scan_batch, rdllink) {
		ckpt_epoll_item(epi, true, &item);
		ret = fn(arg, &item);
		if (ret)
			break;
		cond_resched();
	}
	for (rbp = rb_first_cached(&ep->rbr); rbp && !ret; rbp = rb_next(rbp)) {
		epi = rb_entry(rbp, struct epitem, rbn);
		if (ep_is_linked(epi))
			continue;
		ckpt_epoll_item(epi, false, &item);
		ret = fn(arg, &item);
		cond_resched();
	}
	ep_done_scan(ep, &scan_batch);
	mutex_unlock(&ep->mtx);
	return ret;
}

/* Of a signalfd: waits for signals of that process, not of who adds it. */
static int ckpt_epoll_wait_for(struct eventpoll *ep, struct epitem *epi,
			       struct sighand_struct *sighand)
{
	struct ep_pqueue epq = { .epi = epi };

	ep_unregister_pollwait(ep, epi);
	if (!sighand)
		return 0;
	ep_ptable_queue_proc(epi->ffd.file, &sighand->signalfd_wqh, &epq.pt);
	return epq.epi ? 0 : -ENOMEM;
}

static int ckpt_epoll_insert(struct eventpoll *ep, const struct ckpt_epitem *item,
			     int full_check)
{
	/* Its events come with ckpt_epoll_enable(). */
	struct epoll_event event = {
		.events	= item->events & EP_PRIVATE_BITS,
		.data	= item->data,
	};
	struct epitem *epi;
	int ret;

	if (ep_find(ep, item->file, item->fd))
		return -EEXIST;
	ret = ep_insert(ep, &event, item->file, item->fd, full_check);
	if (ret || !ckpt_signalfd_get(item->file, NULL))
		return ret;
	epi = ep_find(ep, item->file, item->fd);
	ret = ckpt_epoll_wait_for(ep, epi, item->sighand);
	if (ret)
		ep_remove(ep, epi);
	return ret;
}

/**
 * ckpt_epoll_add - add an item, which has no events yet
 * @file: the epoll
 * @item: the item; its descriptor need not be that of its file
 *
 * See do_epoll_ctl() for the checks.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_epoll_add(struct file *file, const struct ckpt_epitem *item)
{
	struct eventpoll *ep = file->private_data;
	bool nested = is_file_epoll(item->file);
	bool full_check = false;
	int ret = 0;

	if (!file_can_poll(item->file))
		return -EPERM;
	if (file == item->file || item->fd < 0)
		return -EINVAL;
	if ((item->events & EPOLLEXCLUSIVE) &&
	    (nested || (item->events & ~EPOLLEXCLUSIVE_OK_BITS)))
		return -EINVAL;
	if ((item->events & EPOLLWAKEUP) && !capable(CAP_BLOCK_SUSPEND))
		return -EPERM;

	mutex_lock(&ep->mtx);
	if (READ_ONCE(file->f_ep) || ep->gen == loop_check_gen || nested) {
		mutex_unlock(&ep->mtx);
		mutex_lock(&epnested_mutex);
		loop_check_gen++;
		full_check = true;
		if (nested && ep_loop_check(ep, item->file->private_data))
			ret = -ELOOP;
		mutex_lock(&ep->mtx);
	}
	if (!ret)
		ret = ckpt_epoll_insert(ep, item, full_check);
	mutex_unlock(&ep->mtx);
	if (full_check) {
		clear_tfile_check_list();
		loop_check_gen++;
		mutex_unlock(&epnested_mutex);
	}
	return ret;
}

static void ckpt_epoll_ready(struct eventpoll *ep, struct epitem *epi)
{
	spin_lock_irq(&ep->lock);
	if (!ep_is_linked(epi)) {
		list_add_tail(&epi->rdllink, &ep->rdllist);
		ep_pm_stay_awake(epi);
	}
	spin_unlock_irq(&ep->lock);
}

/**
 * ckpt_epoll_enable - give an item its events, and its place among the ready
 * @file: the epoll
 * @item: the item, added before
 *
 * Nothing has been told of it that happened before.
 */
void ckpt_epoll_enable(struct file *file, const struct ckpt_epitem *item)
{
	struct eventpoll *ep = file->private_data;
	struct epitem *epi;

	mutex_lock(&ep->mtx);
	epi = ep_find(ep, item->file, item->fd);
	if (epi) {
		spin_lock_irq(&ep->lock);
		epi->event.events = item->events;
		spin_unlock_irq(&ep->lock);
		if (item->ready)
			ckpt_epoll_ready(ep, epi);
	}
	mutex_unlock(&ep->mtx);
}

/**
 * ckpt_epoll_recheck - is an item ready by what its file is like?
 * @file: the epoll
 * @item: the item, enabled before
 *
 * For level-triggered items, which must not miss what has happened, and for
 * files that others have changed meanwhile.
 */
void ckpt_epoll_recheck(struct file *file, const struct ckpt_epitem *item)
{
	struct eventpoll *ep = file->private_data;
	struct epitem *epi;
	bool ready = false;
	poll_table pt;

	init_poll_funcptr(&pt, NULL);
	mutex_lock(&ep->mtx);
	epi = ep_find(ep, item->file, item->fd);
	if (epi && !ep_is_linked(epi) && ep_item_poll(epi, &pt, 1)) {
		ckpt_epoll_ready(ep, epi);
		ready = true;
	}
	mutex_unlock(&ep->mtx);
	if (ready)
		ep_poll_safewake(ep, NULL, 0);
}

#endif /* CONFIG_CHECKPOINT */
