// SPDX-License-Identifier: GPL-2.0
/*
 * Epolls: what they watch, and what of it has still to be told.
 *
 * An item is an open file and the number of a descriptor that was one of it
 * once. Items may go round in circles, so they are written when all objects are,
 * and added when all objects are there. They get their events last of all: what
 * a restart does to a file is no event, but an edge that was saved comes once.
 */
#include <linux/checkpoint_fds.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <uapi/linux/eventpoll.h>

#include "checkpoint.h"

/* Items in one record: 1 MiB. */
#define CKPT_EPOLL_MAX_ITEMS	32768U

/**
 * ckpt_is_epoll - is the file an epoll?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_epoll(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_epoll_get(file, NULL);
}

/* ---- saving --------------------------------------------------------------- */

static bool ckpt_of_zombie(struct ckpt_ctx *ctx, const struct sighand_struct *sighand)
{
	unsigned int i;

	for (i = 0; i < ctx->nr_tasks; i++)
		if (ctx->tasks[i].zombie &&
		    rcu_access_pointer(ctx->tasks[i].t->sighand) == sighand)
			return true;
	return false;
}

static int ckpt_check_epitem(void *arg, const struct ckpt_epitem *item)
{
	struct ckpt_ctx *ctx = arg;

	if (!ckpt_obj_find_typed(ctx, item->file, CKPT_OBJ_FILE))
		snprintf(ctx->why, sizeof(ctx->why),
			 "watches what was descriptor %d, whose open file no process of the tree has",
			 item->fd);
	else if (item->sighand &&
		 !ckpt_obj_find_typed(ctx, item->sighand, CKPT_OBJ_SIGHAND) &&
		 !ckpt_of_zombie(ctx, item->sighand))
		snprintf(ctx->why, sizeof(ctx->why),
			 "watches the signalfd %d for a process outside", item->fd);
	else
		return 0;
	return -EOPNOTSUPP;
}

/**
 * ckpt_epoll_problem - what of an epoll cannot be saved
 * @ctx: the checkpoint
 * @file: the epoll
 *
 * Return: the reason, to follow its name, or NULL. It is looked at once.
 */
const char *ckpt_epoll_problem(struct ckpt_ctx *ctx, struct file *file)
{
	if (!ckpt_first_look(ctx, file))
		return NULL;
	return ckpt_epoll_walk(file, ckpt_check_epitem, ctx) ? ctx->why : NULL;
}

/**
 * struct ckpt_epoll_out - items on their way into records
 * @ctx: the checkpoint
 * @state: the epoll
 * @objref: its open file
 * @items: what does not stand in a record yet
 * @nr: their number
 * @room: of @items
 */
struct ckpt_epoll_out {
	struct ckpt_ctx *ctx;
	struct ckpt_epoll state;
	u32 objref;
	struct ckpt_epoll_item *items;
	u32 nr;
	u32 room;
};

static int ckpt_put_epoll(struct ckpt_epoll_out *out)
{
	struct ckpt_rec_epoll *rec;
	size_t len = array_size(out->nr, sizeof(*out->items));

	rec = ckpt_rec_new(out->ctx, epoll, CKPT_REC_EPOLL, len);
	if (!rec)
		return -ENOMEM;
	rec->file = out->objref;
	rec->nr_items = out->nr;
	rec->busy_poll_usecs = out->state.busy_poll_usecs;
	rec->busy_poll_budget = out->state.busy_poll_budget;
	rec->prefer_busy_poll = out->state.prefer_busy_poll;
	memcpy(ckpt_rec_var(rec), out->items, len);
	out->nr = 0;
	return 0;
}

static int ckpt_put_epitem(void *arg, const struct ckpt_epitem *item)
{
	struct ckpt_epoll_out *out = arg;
	struct ckpt_epoll_item *e;
	struct ckpt_obj *obj;
	int ret;

	if (out->nr == out->room) {
		ret = ckpt_put_epoll(out);
		if (ret)
			return ret;
	}
	obj = ckpt_obj_find_typed(out->ctx, item->file, CKPT_OBJ_FILE);
	if (!obj || !obj->written)
		return -EOPNOTSUPP;
	e = &out->items[out->nr++];
	*e = (struct ckpt_epoll_item) {
		.file	= obj->objref,
		.fd	= item->fd,
		.events	= (__force u32)item->events,
		.flags	= item->ready ? CKPT_EPOLL_READY : 0,
		.data	= item->data,
	};
	if (item->sighand) {
		obj = ckpt_obj_find_typed(out->ctx, item->sighand, CKPT_OBJ_SIGHAND);
		if (obj && obj->written)
			e->sighand = obj->objref;
	}
	return 0;
}

static int checkpoint_epoll(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_epoll_out out = { .ctx = ctx, .objref = objref };
	int ret;

	if (!ckpt_is_epoll(ctx, file))
		return 0;
	ckpt_epoll_get(file, &out.state);
	out.room = clamp_t(unsigned long, out.state.nr_items, 1, CKPT_EPOLL_MAX_ITEMS);
	out.items = kvcalloc(out.room, sizeof(*out.items), GFP_KERNEL_ACCOUNT);
	if (!out.items)
		return -ENOMEM;
	ret = ckpt_epoll_walk(file, ckpt_put_epitem, &out);
	if (!ret)
		ret = ckpt_put_epoll(&out);
	kvfree(out.items);
	return ret;
}

/**
 * checkpoint_epolls - write the items of all epolls
 * @ctx: the checkpoint; all that tasks have is written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_epolls(struct ckpt_ctx *ctx)
{
	return ckpt_each_file(ctx, checkpoint_epoll);
}

/* ---- restoring -------------------------------------------------------------- */

/**
 * restore_epoll - make an epoll; it watches nothing yet
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_epoll(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct file *file = ckpt_epoll_make();

	if (IS_ERR(file))
		ckpt_bad(rs, r, PTR_ERR(file), "an epoll cannot be made");
	return file;
}

/**
 * ckpt_linked_file - the file of an objref, or what has taken its place
 * @rs: the restart; the file tables are there
 * @objref: its number in the image
 * @fresh: out, whether another is in its place: by --inherit-fd, or since it was
 *	the image or the log
 *
 * Return: the file, whose reference the restart keeps; NULL: the log, and this
 * call has none; or an ERR_PTR().
 */
struct file *ckpt_linked_file(struct ckpt_restart *rs, u32 objref, bool *fresh)
{
	struct ckpt_inherit *in = ckpt_inherited_by(rs, objref);
	struct file *file;

	*fresh = true;
	if (in)
		return in->file;
	file = ckpt_obj_restore(rs, CKPT_OBJ_FILE, objref);
	*fresh = file && (file == rs->in.file || file == rs->log.file);
	return file;
}

static struct file *ckpt_epoll_file(struct ckpt_restart *rs,
				    const struct ckpt_rec *r)
{
	struct file *file;
	bool fresh;

	file = ckpt_linked_file(rs, ckpt_rec_as(r, epoll)->file, &fresh);
	if (!IS_ERR_OR_NULL(file) && !fresh && !ckpt_epoll_get(file, NULL))
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "object %u is no epoll",
					ckpt_rec_as(r, epoll)->file));
	/* What was put in its place has items of its own. */
	return fresh ? NULL : file;
}

static int ckpt_get_epitem(struct ckpt_restart *rs,
			   const struct ckpt_epoll_item *e,
			   struct ckpt_epitem *item, bool *fresh)
{
	struct file *file = ckpt_linked_file(rs, e->file, fresh);

	if (IS_ERR(file))
		return PTR_ERR(file);
	*item = (struct ckpt_epitem) {
		.file	= file,
		.fd	= e->fd,
		.events	= (__force __poll_t)e->events,
		.data	= e->data,
		.ready	= e->flags & CKPT_EPOLL_READY,
	};
	return 0;
}

/* The handlers of who is to become that process. */
static struct sighand_struct *ckpt_epitem_sighand(struct ckpt_restart *rs,
						  const struct ckpt_rec *r,
						  u32 objref)
{
	struct ckpt_member *m = ckpt_sighand_user(rs, objref);
	struct sighand_struct *sighand;

	if (!m)
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL, "signal handlers %u are nobody's",
					objref));
	rcu_read_lock();
	sighand = rcu_dereference(ckpt_member_task(m)->sighand);
	if (sighand && !refcount_inc_not_zero(&sighand->count))
		sighand = NULL;
	rcu_read_unlock();
	return sighand ?: ERR_PTR(-ESRCH);
}

static int restore_epitem(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct file *file, const struct ckpt_epoll_item *e)
{
	struct ckpt_epitem item;
	bool fresh;
	int ret;

	if (e->fd < 0 || (e->flags & ~CKPT_EPOLL_READY) || e->__reserved)
		return ckpt_bad(rs, r, -EINVAL, "item of descriptor %d, flags 0x%x",
				e->fd, e->flags);
	ret = ckpt_get_epitem(rs, e, &item, &fresh);
	/* No file: the log of the checkpoint, and this call has none. */
	if (ret || !item.file)
		return ret;
	if (fresh && !file_can_poll(item.file)) {
		ckpt_log(&rs->log,
			 "warning: what is in place of descriptor %d cannot be watched by an epoll",
			 e->fd);
		return 0;
	}
	if (e->sighand && !fresh && !ckpt_signalfd_get(item.file, NULL))
		return ckpt_bad(rs, r, -EINVAL, "descriptor %d is no signalfd", e->fd);
	if (e->sighand) {
		item.sighand = ckpt_epitem_sighand(rs, r, e->sighand);
		if (IS_ERR(item.sighand))
			return PTR_ERR(item.sighand);
	}
	ret = ckpt_epoll_add(file, &item);
	if (item.sighand)
		ckpt_ops_SIGHAND.drop(item.sighand);
	return ret ? ckpt_bad(rs, r, ret, "descriptor %d cannot be watched", e->fd) : 0;
}

static int restore_epoll_items(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_epoll *rec = ckpt_rec_as(r, epoll);
	const struct ckpt_epoll_item *items = r->var;
	struct ckpt_epoll state = {
		.busy_poll_usecs = rec->busy_poll_usecs,
		.busy_poll_budget = rec->busy_poll_budget,
		.prefer_busy_poll = rec->prefer_busy_poll,
	};
	struct file *file;
	int ret;
	u32 i;

	if (r->var_len / sizeof(*items) < rec->nr_items)
		return ckpt_bad(rs, r, -EINVAL, "%u items do not fit", rec->nr_items);
	file = ckpt_epoll_file(rs, r);
	if (IS_ERR_OR_NULL(file))
		return PTR_ERR_OR_ZERO(file);
	ret = ckpt_epoll_set(file, &state);
	if (ret)
		return ckpt_bad(rs, r, ret, "busy polling %u, %u, %u", rec->busy_poll_usecs,
				rec->busy_poll_budget, rec->prefer_busy_poll);
	for (i = 0; i < rec->nr_items && !ret; i++) {
		ret = restore_epitem(rs, r, file, &items[i]);
		ret = ckpt_loop_step(ret);
	}
	return ret;
}

/**
 * restore_epolls - add the items of all epolls
 * @rs: the restart; the files of all members are there
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_epolls(struct ckpt_restart *rs)
{
	return ckpt_late_each(rs, CKPT_REC_EPOLL, restore_epoll_items);
}

static void ckpt_start_epoll(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     bool recheck)
{
	const struct ckpt_epoll_item *items = r->var;
	struct file *file = ckpt_epoll_file(rs, r);
	struct ckpt_epitem item;
	bool fresh;
	u32 i;

	if (IS_ERR_OR_NULL(file))
		return;
	for (i = 0; i < ckpt_rec_as(r, epoll)->nr_items; i++) {
		if (ckpt_get_epitem(rs, &items[i], &item, &fresh) || !item.file)
			continue;
		if (!recheck)
			ckpt_epoll_enable(file, &item);
		else if (fresh || !(item.events & EPOLLET) ||
			 S_ISCHR(file_inode(item.file)->i_mode))
			ckpt_epoll_recheck(file, &item);
		cond_resched();
	}
}

/**
 * restore_epolls_start - let all epolls tell of events
 * @rs: the restart, committed; the program does not run yet
 */
void restore_epolls_start(struct ckpt_restart *rs)
{
	struct ckpt_rec *r;
	unsigned long i;

	xa_for_each(&rs->late, i, r)
		if (r->type == CKPT_REC_EPOLL)
			ckpt_start_epoll(rs, r, false);
	xa_for_each(&rs->late, i, r)
		if (r->type == CKPT_REC_EPOLL)
			ckpt_start_epoll(rs, r, true);
}
