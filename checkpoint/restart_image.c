// SPDX-License-Identifier: GPL-2.0
/*
 * What a restart takes from an image before it makes anything: the metadata,
 * record by record into kernel memory, and whether they can be a tree of tasks
 * that this machine and this restarter may bring back.
 */
#include <linux/capability.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/checkpoint_syscalls.h>
#include <asm/checkpoint.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

/* How far ahead the clocks may be after a reboot: the time to get here. */
#define CKPT_CLOCK_SLACK_NS	(600 * NSEC_PER_SEC)

/**
 * ckpt_bad - say what is wrong with a record
 * @rs: the restart
 * @rec: the record
 * @err: what to return
 * @fmt: what is wrong
 *
 * Return: @err.
 */
int ckpt_bad(struct ckpt_restart *rs, const struct ckpt_rec *rec, int err,
	     const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	ckpt_log(&rs->log, "image offset %llu, record %s: %pV: %pe",
		 rec->offset, ckpt_rec_name(rec->type), &vaf, ERR_PTR(err));
	va_end(args);
	return err;
}

/* ---- objects ------------------------------------------------------------- */

static struct ckpt_robj *ckpt_robj(struct ckpt_restart *rs,
				   enum ckpt_obj_type type, u32 objref)
{
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);

	if (!obj || obj->rec->type != ckpt_obj_ops(type)->rec_type) {
		ckpt_log(&rs->log, "the image refers to object %u as %s, which is not there",
			 objref, ckpt_obj_name(type));
		return ERR_PTR(-EINVAL);
	}
	return obj;
}

/**
 * ckpt_rec_at - a record of the metadata
 * @rs: the restart
 * @index: its place, from 0
 *
 * Return: the record, or NULL behind the last one.
 */
const struct ckpt_rec *ckpt_rec_at(struct ckpt_restart *rs, unsigned long index)
{
	return index < rs->nr_recs ? genradix_ptr_inlined(&rs->recs, index)->rec : NULL;
}

/**
 * ckpt_obj_rec - record of an object
 * @rs: the restart
 * @type: what the object must be
 * @objref: its number in the image
 *
 * Return: the record or ERR_PTR(-EINVAL).
 */
const struct ckpt_rec *ckpt_obj_rec(struct ckpt_restart *rs,
				    enum ckpt_obj_type type, u32 objref)
{
	struct ckpt_robj *obj = ckpt_robj(rs, type, objref);

	return IS_ERR(obj) ? ERR_CAST(obj) : obj->rec;
}

/**
 * ckpt_obj_restore - the object behind an objref, made if need be
 * @rs: the restart
 * @type: what the object must be
 * @objref: its number in the image
 *
 * Return: the object, whose reference the restart keeps, or an ERR_PTR().
 */
void *ckpt_obj_restore(struct ckpt_restart *rs, enum ckpt_obj_type type,
		       u32 objref)
{
	struct ckpt_robj *obj = ckpt_robj(rs, type, objref);
	void *ptr;

	if (IS_ERR(obj))
		return obj;
	if (obj->state == CKPT_ROBJ_READY && obj->type == type)
		return obj->ptr;
	if (obj->state != CKPT_ROBJ_ABSENT)
		return ERR_PTR(ckpt_bad(rs, obj->rec, -EINVAL,
					"object %u is used in two ways",
					objref));

	obj->state = CKPT_ROBJ_BUSY;
	obj->type = type;
	ptr = ckpt_obj_ops(type)->restore(rs, obj->rec);
	if (IS_ERR(ptr)) {
		obj->state = CKPT_ROBJ_ABSENT;
		return ptr;
	}
	obj->ptr = ptr;
	obj->state = CKPT_ROBJ_READY;
	return ptr;
}

/**
 * ckpt_sighand_user - who has signal handlers of the image
 * @rs: the restart
 * @objref: of the handlers
 *
 * Return: the first task that has, or NULL.
 */
struct ckpt_member *ckpt_sighand_user(struct ckpt_restart *rs, u32 objref)
{
	struct ckpt_robj *obj = ckpt_robj(rs, CKPT_OBJ_SIGHAND, objref);

	return IS_ERR(obj) ? NULL : obj->user;
}

/**
 * ckpt_robj_free - let go of an object of an image
 * @obj: the object
 */
void ckpt_robj_free(struct ckpt_robj *obj)
{
	const struct ckpt_obj_ops *ops;

	if (obj->state == CKPT_ROBJ_READY && obj->ptr) {
		ops = ckpt_obj_ops(obj->type);
		if (ops->drop)
			ops->drop(obj->ptr);
	}
	kfree(obj);
}

/**
 * ckpt_member - a task of the image
 * @rs: the restart
 * @index: its index
 *
 * Return: the task, or NULL if there is none of that index.
 */
struct ckpt_member *ckpt_member(struct ckpt_restart *rs, u32 index)
{
	return xa_load(&rs->members, index);
}

/* ---- reading the metadata --------------------------------------------------- */

static int ckpt_add_object(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	/* All records of objects start alike. */
	u32 objref = ckpt_rec_as(r, ns)->objref;
	struct ckpt_robj *obj;
	int ret;

	if (!objref)
		return ckpt_bad(rs, r, -EINVAL, "an object without a number");
	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return -ENOMEM;
	obj->rec = r;
	obj->index = rs->nr_recs - 1;
	rs->stats.objects++;
	rs->max_objref = max(rs->max_objref, objref);
	ret = xa_insert(&rs->objs, objref, obj, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(obj);
		return ret == -EBUSY ? ckpt_bad(rs, r, -EINVAL,
						"object %u is there twice",
						objref) : ret;
	}
	return 0;
}

/* A record that must not come twice. */
static int ckpt_set_once(struct ckpt_restart *rs, const struct ckpt_rec **slot,
			 const struct ckpt_rec *r)
{
	if (*slot)
		return ckpt_bad(rs, r, -EINVAL, "is there twice");
	*slot = r;
	return 0;
}

/* A task is there with its TREE_TASK record: no memory for what is only said. */
static int ckpt_add_member(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_tree_task *rec = ckpt_rec_as(r, tree_task);
	struct ckpt_member *m;
	int ret;

	if (!rs->tree || rs->nr_members >= ckpt_rec_as(rs->tree, tree)->nr_tasks)
		return ckpt_bad(rs, r, -EINVAL, "is one more than the TREE record announces");
	if (rec->index != rs->nr_members)
		return ckpt_bad(rs, r, -EINVAL, "task %u comes in place %u",
				rec->index, rs->nr_members);
	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	m->rs = rs;
	m->index = rec->index;
	m->tree_task = r;
	init_sigpending(&m->queue[0]);
	init_sigpending(&m->queue[1]);
	xa_init_flags(&m->made_timers, XA_FLAGS_ACCOUNT);
	xa_init_flags(&m->queued_timers, XA_FLAGS_ACCOUNT);
	init_completion(&m->turn);
	ret = xa_err(xa_store(&rs->members, m->index, m, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kfree(m);
		return ret;
	}
	rs->nr_members++;
	return 0;
}

static int ckpt_add_task(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	u32 index = ckpt_rec_as(r, task)->index;

	if (index != (rs->last ? rs->last->index + 1 : 0) ||
	    index >= rs->nr_members)
		return ckpt_bad(rs, r, -EINVAL, "task %u is out of order", index);
	rs->last = ckpt_member(rs, index);
	rs->last->task = r;
	return 0;
}

/* What belongs to a task follows its TASK record. */
static int ckpt_add_part(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct ckpt_member *m = rs->last;

	if (!m)
		return ckpt_bad(rs, r, -EINVAL, "belongs to no task");
	switch (r->type) {
	case CKPT_REC_SIGPENDING:
		return ckpt_set_once(rs, &m->pending[!!ckpt_rec_as(r, sigpending)->shared], r);
	case CKPT_REC_TIMERS:
		return ckpt_set_once(rs, &m->timers, r);
	case CKPT_REC_RESTART_BLOCK:
		return ckpt_set_once(rs, &m->block, r);
	case CKPT_REC_MEMPOLICY:
		return ckpt_set_once(rs, &m->policy, r);
	case CKPT_REC_X86_CPU:
		return ckpt_set_once(rs, &m->cpu, r);
	}
	return ckpt_set_once(rs, &m->xstate, r);
}

/* What belongs to an open file stands behind its FILE record. */
static struct ckpt_robj *ckpt_part_of(struct ckpt_restart *rs,
				      const struct ckpt_rec *r)
{
	/* All such records start alike. */
	u32 objref = ckpt_rec_as(r, eventfd)->file;
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);

	if (!obj || obj->rec->type != CKPT_REC_FILE) {
		ckpt_bad(rs, r, -EINVAL, "belongs to object %u, which is no open file", objref);
		return NULL;
	}
	return obj;
}

static int ckpt_add_file_part(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct ckpt_robj *obj = ckpt_part_of(rs, r);

	return obj ? ckpt_set_once(rs, &obj->part, r) : -EINVAL;
}

/* What else there is to it, behind the INODE record. */
static int ckpt_add_inode_part(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	/* All such records start alike. */
	u32 objref = ckpt_rec_as(r, relink)->inode;
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);

	if (!obj || obj->rec->type != CKPT_REC_INODE)
		return ckpt_bad(rs, r, -EINVAL, "belongs to object %u, which is no inode",
				objref);
	if (r->type == CKPT_REC_HUGETLB && !IS_ENABLED(CONFIG_HUGETLBFS))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "this kernel has no huge pages (hugetlb)");
	return ckpt_set_once(rs, &obj->part, r);
}

/* What can only be done when all objects are there. */
static int ckpt_add_late(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	return xa_err(xa_store(&rs->late, rs->nr_late++, (void *)r,
			       GFP_KERNEL_ACCOUNT));
}

/**
 * ckpt_late_each - do what waits until all objects are there
 * @rs: the restart
 * @type: of the records, that are taken in the order of the image
 * @fn: what to do with each
 *
 * Context: may sleep.
 * Return: 0, what @fn has failed with, or -EINTR.
 */
int ckpt_late_each(struct ckpt_restart *rs, u32 type, ckpt_late_fn *fn)
{
	const struct ckpt_rec *r;
	unsigned long i;
	int ret;

	xa_for_each(&rs->late, i, r) {
		ret = r->type == type ? fn(rs, r) : 0;
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ckpt_part_each - do something with all open files that have a part of a type
 * @rs: the restart
 * @type: of the records
 * @fn: what, with the record and the file, which is there
 *
 * Context: may sleep.
 */
void ckpt_part_each(struct ckpt_restart *rs, u32 type, ckpt_part_fn *fn)
{
	struct ckpt_robj *obj;
	unsigned long i;

	if (!test_bit(type, rs->met))
		return;
	xa_for_each(&rs->objs, i, obj) {
		if (obj->part && obj->part->type == type &&
		    obj->state == CKPT_ROBJ_READY && obj->ptr)
			fn(rs, obj->part, obj->ptr);
		cond_resched();
	}
}

/* A file may have several. */
static int ckpt_add_epoll(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct ckpt_robj *obj = ckpt_part_of(rs, r);

	if (!obj)
		return -EINVAL;
	if (obj->part && obj->part->type != r->type)
		return ckpt_bad(rs, r, -EINVAL, "belongs to a file of another kind");
	obj->part = r;
	return ckpt_add_late(rs, r);
}

/* What an object of any type may have. */
static int ckpt_add_owned(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	/* All such records start alike. */
	u32 objref = ckpt_rec_as(r, locks)->owner;
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);
	int ret = 0;

	if (!obj)
		return ckpt_bad(rs, r, -EINVAL, "belongs to object %u, which is not there", objref);
	if (r->type == CKPT_REC_FOWNER)
		ret = ckpt_set_once(rs, &obj->fowner, r);
	return ret ?: ckpt_add_late(rs, r);
}

/* Sockets and what waits in them. */
static int ckpt_add_socket(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct ckpt_robj *obj = ckpt_part_of(rs, r);
	int ret = 0;

	if (!obj)
		return -EINVAL;
	if (r->type == CKPT_REC_UNIX_SOCK)
		ret = ckpt_set_once(rs, &obj->part, r);
	else if (!obj->part || obj->part->type != CKPT_REC_UNIX_SOCK)
		ret = ckpt_bad(rs, r, -EINVAL, "belongs to a file of another kind");
	return ret ?: ckpt_add_late(rs, r);
}

/* Those of shared memory stand one behind the other. */
static bool ckpt_follows_inode(const struct ckpt_rec *prev,
			       const struct ckpt_rec_mempolicy *rec)
{
	const struct ckpt_rec_mempolicy *last = ckpt_rec_as(prev, mempolicy);

	if (prev->type == CKPT_REC_MEMPOLICY)
		return last->nr && last->mm == rec->mm &&
		       rec->start >= last->start &&
		       rec->start - last->start >= last->nr;
	return prev->type == CKPT_REC_INODE &&
	       ckpt_rec_as(prev, inode)->objref == rec->mm;
}

/* That of a mapping or of shared memory is found behind its record. */
static int ckpt_add_policy(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_mempolicy *rec = ckpt_rec_as(r, mempolicy);
	const struct ckpt_rec *prev;
	u32 mm = rec->mm;

	prev = rs->nr_recs > 1 ? ckpt_rec_at(rs, rs->nr_recs - 2) : NULL;
	if (rec->nr)
		return prev && ckpt_follows_inode(prev, rec) ? 0 :
		       ckpt_bad(rs, r, -EINVAL,
				"page %llu follows neither inode %u nor pages of it",
				rec->start, mm);
	if (!mm)
		return ckpt_add_part(rs, r);
	if (!prev || prev->type != CKPT_REC_VMA || ckpt_rec_as(prev, vma)->mm != mm)
		return ckpt_bad(rs, r, -EINVAL, "follows no mapping of address space %u", mm);
	return 0;
}

static int ckpt_file_record(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	__set_bit(r->type, rs->met);
	switch (r->type) {
	case CKPT_REC_HEADER:
		return ckpt_set_once(rs, &rs->hdr, r);
	case CKPT_REC_X86_FEATURES:
		return ckpt_set_once(rs, &rs->features, r);
	case CKPT_REC_TREE:
		return ckpt_set_once(rs, &rs->tree, r);
	case CKPT_REC_TREE_TASK:
		return ckpt_add_member(rs, r);
	case CKPT_REC_TASK:
		return ckpt_add_task(rs, r);
	case CKPT_REC_SIGPENDING:
	case CKPT_REC_TIMERS:
	case CKPT_REC_RESTART_BLOCK:
	case CKPT_REC_X86_CPU:
	case CKPT_REC_X86_XSTATE:
		return ckpt_add_part(rs, r);
	case CKPT_REC_MM:
		rs->nr_vmas -= ckpt_rec_as(r, mm)->nr_vmas;
		fallthrough;
	case CKPT_REC_NS:
	case CKPT_REC_CRED:
	case CKPT_REC_PIPE:
	case CKPT_REC_SECCOMP:
	case CKPT_REC_INODE:
	case CKPT_REC_FILE:
	case CKPT_REC_FILES:
	case CKPT_REC_FS:
	case CKPT_REC_SIGHAND:
	case CKPT_REC_SIGNAL:
		return ckpt_add_object(rs, r);
	case CKPT_REC_EVENTFD:
	case CKPT_REC_TIMERFD:
	case CKPT_REC_SIGNALFD:
	case CKPT_REC_PIDFD:
	case CKPT_REC_PROC:
	case CKPT_REC_INOTIFY:
	case CKPT_REC_FANOTIFY:
	case CKPT_REC_EXTERNAL:
	case CKPT_REC_NSFILE:
		return ckpt_add_file_part(rs, r);
	case CKPT_REC_RELINK:
	case CKPT_REC_HUGETLB:
		return ckpt_add_inode_part(rs, r);
	case CKPT_REC_UNIX_SOCK:
	case CKPT_REC_UNIX_MSG:
		return ckpt_add_socket(rs, r);
	case CKPT_REC_EPOLL:
		return ckpt_add_epoll(rs, r);
	case CKPT_REC_LOCKS:
	case CKPT_REC_FOWNER:
		return ckpt_add_owned(rs, r);
	case CKPT_REC_MEMPOLICY:
		return ckpt_add_policy(rs, r);
	case CKPT_REC_VMA:
		rs->nr_vmas++;
		rs->huge_vmas |= !!ckpt_rec_as(r, vma)->huge_shift;
		return 0; /* found behind their MM record */
	}
	return ckpt_bad(rs, r, -EINVAL, "does not belong into the metadata");
}

static int ckpt_check_meta_end(struct ckpt_restart *rs,
			       const struct ckpt_rec *r)
{
	const struct ckpt_rec_meta_end *rec = ckpt_rec_as(r, meta_end);

	rs->meta_offset = r->offset;
	if (rec->nr_records != rs->in.records - 1)
		return ckpt_bad(rs, r, -EINVAL, "%llu records are announced, %llu were there",
				rec->nr_records, rs->in.records - 1);
	if (rec->nr_objects != rs->stats.objects ||
	    rec->nr_objects != rs->max_objref)
		return ckpt_bad(rs, r, -EINVAL,
				"%u objects are announced, %u were there, up to number %u",
				rec->nr_objects, rs->stats.objects,
				rs->max_objref);
	if (rs->nr_vmas)
		return ckpt_bad(rs, r, -EINVAL,
				"the image has %ld mappings more than are announced",
				rs->nr_vmas);
	if (!rs->nr_members ||
	    rs->nr_members != ckpt_rec_as(rs->tree, tree)->nr_tasks)
		return ckpt_bad(rs, r, -EINVAL, "a task of the tree is missing");
	if (!rs->last || rs->last->index + 1 != rs->nr_members)
		return ckpt_bad(rs, r, -EINVAL, "a record of a task is missing");
	return 0;
}

static int ckpt_check_header(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_header *h = ckpt_rec_as(r, header);

	if (memcmp(h->magic, CKPT_IMAGE_MAGIC, sizeof(h->magic)))
		return ckpt_bad(rs, r, -ENOEXEC, "this is not an image");
	if (h->version != CKPT_IMAGE_VERSION)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT, "image version %u, this kernel knows %u",
				h->version, CKPT_IMAGE_VERSION);
	if (h->feature_incompat & ~CKPT_INCOMPAT_ALL)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image needs features 0x%llx that this kernel does not know",
				h->feature_incompat & ~CKPT_INCOMPAT_ALL);
	if (h->arch != CKPT_ARCH_X86_64 || h->page_shift != PAGE_SHIFT)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image is of another architecture (%u, page shift %u)",
				h->arch, h->page_shift);
	if (h->nr_signals != _NSIG || h->nr_rlimits != RLIM_NLIMITS)
		return ckpt_bad(rs, r, -EPROTONOSUPPORT,
				"the image is of a kernel with other limits");
	return 0;
}

/**
 * ckpt_read_meta - read all metadata into memory
 * @rs: the restart
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int ckpt_read_meta(struct ckpt_restart *rs)
{
	struct ckpt_rec_slot *slot;
	struct ckpt_rec *r;
	int ret;

	ret = ckpt_in_look_ahead(&rs->in, true);
	if (ret)
		return ret;
	for (;;) {
		r = ckpt_in_record(&rs->in, &rs->log);
		if (IS_ERR(r))
			return PTR_ERR(r);
		slot = genradix_ptr_alloc(&rs->recs, rs->nr_recs, GFP_KERNEL_ACCOUNT);
		if (!slot) {
			ckpt_rec_free(r);
			return -ENOMEM;
		}
		slot->rec = r;
		rs->nr_recs++;
		if (r->type == CKPT_REC_META_END)
			break;
		ret = ckpt_file_record(rs, r);
		if (!ret && r->type == CKPT_REC_HEADER)
			ret = ckpt_check_header(rs, r);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	/* Payload is read into its pages, not into memory that is copied. */
	ckpt_in_look_ahead(&rs->in, false);
	ret = ckpt_check_meta_end(rs, r);
	if (!ret)
		trace_restart_stage(current, CKPT_STAGE_META_READ);
	return ret;
}

/* ---- checks -------------------------------------------------------------------- */

static bool ckpt_id_possible(pid_t id, pid_t least)
{
	return id >= least && id <= PID_MAX_LIMIT;
}

static int ckpt_check_ids(struct ckpt_restart *rs, struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	const struct ckpt_tree_ids *ids = m->tree_task->var, *group;
	u32 i;

	if (!rec->nr_levels || rec->nr_levels > MAX_PID_NS_LEVEL + 1 ||
	    m->tree_task->var_len < rec->nr_levels * sizeof(*ids))
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"%u levels of pid namespaces", rec->nr_levels);
	for (i = 0; i < rec->nr_levels; i++)
		if (!ckpt_id_possible(ids[i].pid, 1) ||
		    !ckpt_id_possible(ids[i].tgid, 1) ||
		    !ckpt_id_possible(ids[i].pgid, 0) ||
		    !ckpt_id_possible(ids[i].sid, 0))
			return ckpt_bad(rs, m->tree_task, -EINVAL,
					"impossible ids: %d %d %d %d", ids[i].pid,
					ids[i].tgid, ids[i].pgid, ids[i].sid);
	group = ckpt_member(rs, rec->leader)->tree_task->var;
	if (ids->tgid != group->pid)
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"pid %d of process %d", ids->pid, ids->tgid);
	return 0;
}

/* A parent comes before its children and a leader before its threads. */
static int ckpt_check_place(struct ckpt_restart *rs, struct ckpt_member *m)
{
	const struct ckpt_rec_tree_task *rec = ckpt_tree_rec(m);
	struct ckpt_member *leader, *parent;

	if (rec->flags & ~CKPT_TREE_FLAGS_ALL)
		return ckpt_bad(rs, m->tree_task, -EOPNOTSUPP,
				"unknown flags 0x%x", rec->flags);
	if (rec->leader > m->index)
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"its leader, task %u, does not come before it",
				rec->leader);
	leader = ckpt_member(rs, rec->leader);
	if (!ckpt_is_leader(leader))
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"its leader, task %u, is none", rec->leader);
	if (leader != m) {
		if (rec->parent != CKPT_TREE_NO_PARENT ||
		    ckpt_is_zombie(m))
			return ckpt_bad(rs, m->tree_task, -EINVAL,
					"a thread is no child and no zombie");
		leader->threads++;
		if (leader->threads == 1 && ckpt_is_zombie(leader))
			m->speaks = true;
		return 0;
	}
	m->speaks = !ckpt_is_zombie(m);
	if (rec->exit_signal > _NSIG)
		return ckpt_bad(rs, m->tree_task, -EINVAL, "exit signal %u",
				rec->exit_signal);
	if (!m->index) {
		if (rec->parent != CKPT_TREE_NO_PARENT)
			return ckpt_bad(rs, m->tree_task, -EINVAL, "the root is no root");
		return 0;
	}
	if (rec->parent >= m->index)
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"its parent, task %u, does not come before it",
				rec->parent);
	parent = ckpt_member(rs, rec->parent);
	if (ckpt_is_zombie(parent))
		return ckpt_bad(rs, m->tree_task, -EINVAL,
				"its parent, task %u, has exited", rec->parent);
	parent = ckpt_member(rs, ckpt_tree_rec(parent)->leader);
	parent->children++;
	return 0;
}

static int ckpt_check_member(struct ckpt_restart *rs, struct ckpt_member *m)
{
	const struct ckpt_tree_ids *ids = m->tree_task->var;
	int ret;

	ret = ckpt_check_place(rs, m);
	if (!ret)
		ret = ckpt_check_ids(rs, m);
	if (ret)
		return ret;
	if (m->speaks && (!m->cpu || !m->xstate))
		return ckpt_bad(rs, m->task, -EINVAL, "has no registers");
	ret = xa_insert(&rs->pids, ids->pid, xa_mk_value(m->index),
			GFP_KERNEL_ACCOUNT);
	if (ret == -EBUSY)
		return ckpt_bad(rs, m->tree_task, -EINVAL, "pid %d is there twice",
				ids->pid);
	return ret;
}

static int ckpt_check_tree(struct ckpt_restart *rs)
{
	struct ckpt_member *m;
	unsigned long i;
	int ret;

	if (ckpt_rec_as(rs->tree, tree)->root)
		return ckpt_bad(rs, rs->tree, -EINVAL, "the root is not the first task");
	xa_for_each(&rs->members, i, m) {
		ret = ckpt_check_member(rs, m);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	xa_for_each(&rs->members, i, m) {
		ret = ckpt_check_pidns_records(m);
		if (ret)
			return ret;
		cond_resched();
	}
	m = ckpt_member(rs, 0);
	if (!m->speaks && !m->threads)
		return ckpt_bad(rs, m->tree_task, -EINVAL, "the root has exited");
	return 0;
}

/**
 * ckpt_same_boot - was it saved since this machine was booted?
 * @rs: the restart
 *
 * Return: true if it was.
 */
bool ckpt_same_boot(struct ckpt_restart *rs)
{
	u8 boot[CKPT_UUID_LEN];

	random_get_boot_id(boot);
	return !memcmp(boot, ckpt_rec_as(rs->hdr, header)->boot_id, sizeof(boot));
}

/* The clocks that the program sees must not jump unless it was asked for. */
static int ckpt_check_clocks(struct ckpt_restart *rs)
{
	const struct ckpt_rec_header *h = ckpt_rec_as(rs->hdr, header);
	s64 offset = 0, now, ahead;

	if (rs->flags & RESTART_TIME_HOST)
		return 0;
#ifdef CONFIG_TIME_NS
	offset = timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
#endif
	if (ckpt_same_boot(rs)) {
		if (offset == h->timens_monotonic_ns)
			return 0;
		return ckpt_bad(rs, rs->hdr, -EINVAL,
				"CLOCK_MONOTONIC would jump by %lld s: the program was saved in another time namespace; --time=host accepts that",
				div_s64(offset - h->timens_monotonic_ns,
					NSEC_PER_SEC));
	}
	now = ktime_get_ns() + offset;
	ahead = now - h->monotonic_ns;
	if (ahead >= 0 && ahead < CKPT_CLOCK_SLACK_NS)
		return 0;
	return ckpt_bad(rs, rs->hdr, -EINVAL,
			"CLOCK_MONOTONIC would jump by %lld s: the program was saved on another boot and needs a time namespace (--time=continue); --time=host accepts the jump",
			div_s64(ahead, NSEC_PER_SEC));
}

static int ckpt_check_features(struct ckpt_restart *rs)
{
	const struct ckpt_rec_x86_features *f;
	const struct ckpt_rec *r = rs->features;
	char why[128] = "";
	int ret;

	if (!r)
		return 0;
	f = ckpt_rec_as(r, x86_features);
	if (r->var_len / sizeof(u32) < f->nr_words)
		return ckpt_bad(rs, r, -EINVAL, "%u words do not fit", f->nr_words);
	ret = arch_ckpt_check_features(f, r->var, why, sizeof(why));
	return ret ? ckpt_bad(rs, r, ret, "%s", why) : 0;
}

/**
 * ckpt_check_image - can this image be brought back here?
 * @rs: the restart, with all metadata read
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int ckpt_check_image(struct ckpt_restart *rs)
{
	int ret;

	ret = ckpt_check_tree(rs);
	if (!ret)
		ret = ckpt_check_features(rs);
	if (!ret && IS_ENABLED(CONFIG_HUGETLBFS))
		ret = ckpt_check_hugetlb(rs);
	return ret;
}

static int ckpt_check_cpu(struct ckpt_member *m)
{
	const struct ckpt_rec_x86_xstate *xs;
	struct ckpt_restart *rs = m->rs;
	const struct ckpt_rec *r = m->cpu;
	char why[128] = "";
	int ret;

	if (!m->cpu || !m->xstate)
		return ckpt_bad(rs, m->task, -EINVAL, "has no registers");
	ret = arch_ckpt_check_cpu(ckpt_rec_as(r, x86_cpu), why, sizeof(why));
	if (!ret) {
		r = m->xstate;
		xs = ckpt_rec_as(r, x86_xstate);
		if (r->var_len < xs->size)
			return ckpt_bad(rs, r, -EINVAL, "%u bytes do not fit", xs->size);
		ret = arch_ckpt_check_xstate(xs, r->var, why, sizeof(why));
	}
	return ret ? ckpt_bad(rs, r, ret, "%s", why) : 0;
}

static int ckpt_check_block(struct ckpt_member *m)
{
	const struct ckpt_rec_restart_block *rec;
	struct ckpt_restart *rs = m->rs;
	bool compat;
	int ret;

	if (!m->block)
		return 0;
	rec = ckpt_rec_as(m->block, restart_block);
	compat = ckpt_rec_as(m->cpu, x86_cpu)->flags & CKPT_X86_TS_COMPAT;
	if (rec->kind != CKPT_RESTART_NONE &&
	    compat != !!(rec->flags & CKPT_RESTART_COMPAT))
		return ckpt_bad(rs, m->block, -EINVAL,
				"a 32-bit call of a 64-bit entry, or the other way round");
	ret = ckpt_restart_block_check(rec);
	if (ret)
		return ckpt_bad(rs, m->block, ret, "the interrupted system call cannot go on");
	m->block_copy = *rec;
	return 0;
}

/**
 * ckpt_check_records - look at the records of one task
 * @m: the task; current is to turn into it
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int ckpt_check_records(struct ckpt_member *m)
{
	const struct ckpt_rec_task *task = ckpt_rec_as(m->task, task);
	struct ckpt_restart *rs = m->rs;
	struct ckpt_robj *sighand;
	unsigned int i;
	int ret;

	m->signal = ckpt_obj_rec(rs, CKPT_OBJ_SIGNAL, task->signal);
	if (IS_ERR(m->signal))
		return PTR_ERR(m->signal);
	ret = restore_check_times(m);
	if (ret || ckpt_is_zombie(m))
		return ret;
	sighand = ckpt_robj(rs, CKPT_OBJ_SIGHAND, task->sighand);
	if (IS_ERR(sighand))
		return PTR_ERR(sighand);
	m->sighand = sighand->rec;
	if (!sighand->user)
		sighand->user = m;
	for (i = 0; i < ARRAY_SIZE(task->ns); i++) {
		void *ns;

		if (!task->ns[i])
			continue;
		ns = ckpt_obj_restore(rs, CKPT_OBJ_NS, task->ns[i]);
		if (IS_ERR(ns))
			return PTR_ERR(ns);
	}
	ret = ckpt_check_clocks(rs);
	if (!ret)
		ret = ckpt_check_cpu(m);
	if (!ret)
		ret = ckpt_check_block(m);
	if (!ret)
		ret = restore_task_check(m);
	/* Their signals have places in the queues. */
	if (!ret)
		ret = restore_timers_prepare(m);
	if (!ret)
		ret = restore_signal_check(m);
	return ret;
}
