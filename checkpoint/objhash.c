// SPDX-License-Identifier: GPL-2.0
/*
 * Shared objects: each is written once and referred to by its objref.
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "checkpoint.h"

#define CKPT_OBJ_OPS(name, text) [CKPT_OBJ_##name] = &ckpt_ops_##name,

static const struct ckpt_obj_ops *const ckpt_obj_all_ops[] = {
	CKPT_OBJ_TYPES(CKPT_OBJ_OPS)
};

static_assert(ARRAY_SIZE(ckpt_obj_all_ops) == CKPT_OBJ_NR);

#define CKPT_OBJ_NAME(name, text) [CKPT_OBJ_##name] = text,

static const char *const ckpt_obj_names[] = {
	CKPT_OBJ_TYPES(CKPT_OBJ_NAME)
};

/**
 * ckpt_obj_ops - ops of a type of object
 * @type: the type
 *
 * Return: the ops.
 */
const struct ckpt_obj_ops *ckpt_obj_ops(enum ckpt_obj_type type)
{
	return ckpt_obj_all_ops[type];
}

/**
 * ckpt_obj_name - a type of object in words
 * @type: the type
 *
 * Return: its name.
 */
const char *ckpt_obj_name(enum ckpt_obj_type type)
{
	return ckpt_obj_names[type];
}

static const struct rhashtable_params ckpt_obj_params = {
	.key_len = sizeof_field(struct ckpt_obj, ptr),
	.key_offset = offsetof(struct ckpt_obj, ptr),
	.head_offset = offsetof(struct ckpt_obj, node),
	.automatic_shrinking = true,
};

/**
 * ckpt_objhash_init - prepare an empty hash
 * @hash: the hash
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_objhash_init(struct ckpt_objhash *hash)
{
	unsigned int type;

	hash->nr = 0;
	memset(hash->recent, 0, sizeof(hash->recent));
	for (type = 0; type < CKPT_OBJ_NR; type++)
		INIT_LIST_HEAD(&hash->of_type[type]);
	return rhashtable_init(&hash->ht, &ckpt_obj_params);
}

static void ckpt_obj_end(struct ckpt_obj *obj)
{
	const struct ckpt_obj_ops *ops = ckpt_obj_ops(obj->type);

	if (ops->drop)
		ops->drop(obj->ptr);
	kfree(obj);
}

/**
 * ckpt_objhash_destroy - drop all objects
 * @hash: the hash
 */
void ckpt_objhash_destroy(struct ckpt_objhash *hash)
{
	struct ckpt_obj *obj, *next;
	unsigned int type;

	/* First, for a worker may be moving entries to a larger table. */
	rhashtable_destroy(&hash->ht);
	for (type = 0; type < CKPT_OBJ_NR; type++)
		list_for_each_entry_safe(obj, next, &hash->of_type[type], list) {
			ckpt_obj_end(obj);
			cond_resched();
		}
}

static struct ckpt_obj **ckpt_obj_recent(struct ckpt_objhash *hash, const void *ptr)
{
	return &hash->recent[hash_ptr(ptr, CKPT_OBJ_RECENT_BITS)];
}

static void ckpt_obj_unhash(struct ckpt_objhash *hash, struct ckpt_obj *obj)
{
	struct ckpt_obj **recent = ckpt_obj_recent(hash, obj->ptr);

	rhashtable_remove_fast(&hash->ht, &obj->node, ckpt_obj_params);
	if (*recent == obj)
		*recent = NULL;
}

/**
 * ckpt_obj_find - look up an object
 * @hash: the hash
 * @ptr: the object
 *
 * Return: its entry, or NULL if the hash does not hold it.
 */
struct ckpt_obj *ckpt_obj_find(struct ckpt_objhash *hash, const void *ptr)
{
	struct ckpt_obj **recent = ckpt_obj_recent(hash, ptr);

	if (!*recent || (*recent)->ptr != ptr)
		*recent = rhashtable_lookup_fast(&hash->ht, &ptr, ckpt_obj_params);
	return *recent;
}

/**
 * ckpt_obj_find_typed - look up an object of a checkpoint
 * @ctx: the checkpoint
 * @ptr: the object
 * @type: what it must be
 *
 * Return: its entry, or NULL.
 */
struct ckpt_obj *ckpt_obj_find_typed(struct ckpt_ctx *ctx, const void *ptr,
				     enum ckpt_obj_type type)
{
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, ptr);

	return obj && obj->type == type ? obj : NULL;
}

/**
 * ckpt_first_look - whether the check stage meets an object for the first time
 * @ctx: the checkpoint
 * @ptr: the object, which tasks or files may have in common; may be NULL
 *
 * Return: true for one that is collected and was not asked for before.
 */
bool ckpt_first_look(struct ckpt_ctx *ctx, const void *ptr)
{
	struct ckpt_obj *obj = ptr ? ckpt_obj_find(&ctx->objs, ptr) : NULL;

	if (!obj || obj->checked)
		return false;
	obj->checked = true;
	return true;
}

/**
 * ckpt_each_file - do something with every open file that is written, and is
 *	part of the tree
 * @ctx: the checkpoint
 * @fn: what, with the file and its objref
 *
 * Context: may sleep.
 * Return: 0, what @fn has failed with, or -EINTR.
 */
int ckpt_each_file(struct ckpt_ctx *ctx,
		   int (*fn)(struct ckpt_ctx *ctx, struct file *file, u32 objref))
{
	struct ckpt_obj *obj;
	int ret;

	ckpt_for_each_obj(ctx, CKPT_OBJ_FILE, obj) {
		if (!obj->written || obj->external)
			continue;
		ret = fn(ctx, obj->ptr, obj->objref);
		ret = ckpt_loop_step(ret);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ckpt_obj_get - look up an object, add it if it is new
 * @hash: the hash
 * @type: type of the object
 * @ptr: the object; the caller holds a reference, the hash takes its own
 * @fresh: out, whether it was added just now; may be NULL
 *
 * Context: may sleep.
 * Return: its entry, or an ERR_PTR() of -ENOMEM or -EINVAL (one address, two
 * types).
 */
struct ckpt_obj *ckpt_obj_get(struct ckpt_objhash *hash,
			      enum ckpt_obj_type type, void *ptr, bool *fresh)
{
	const struct ckpt_obj_ops *ops = ckpt_obj_ops(type);
	struct ckpt_obj *obj = ckpt_obj_find(hash, ptr);
	int ret;

	if (fresh)
		*fresh = !obj;
	if (obj)
		return WARN_ON_ONCE(obj->type != type) ? ERR_PTR(-EINVAL) : obj;

	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->ptr = ptr;
	obj->type = type;
	obj->objref = hash->nr + 1;

	ret = rhashtable_insert_fast(&hash->ht, &obj->node, ckpt_obj_params);
	if (ret) {
		kfree(obj);
		return ERR_PTR(ret);
	}
	list_add_tail(&obj->list, &hash->of_type[type]);
	*ckpt_obj_recent(hash, ptr) = obj;
	hash->nr++;
	if (ops->grab)
		ops->grab(ptr);
	return obj;
}

/**
 * ckpt_obj_replace - let another object take the place of one
 * @hash: the hash
 * @obj: the entry; it keeps its objref
 * @ptr: the other object, of the same type and not in the hash; the caller holds
 *	a reference, the hash takes its own and drops that to the former one
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM, and the entry cannot be found any more.
 */
int ckpt_obj_replace(struct ckpt_objhash *hash, struct ckpt_obj *obj, void *ptr)
{
	const struct ckpt_obj_ops *ops = ckpt_obj_ops(obj->type);

	ckpt_obj_unhash(hash, obj);
	if (ops->grab)
		ops->grab(ptr);
	if (ops->drop)
		ops->drop(obj->ptr);
	obj->ptr = ptr;
	return rhashtable_insert_fast(&hash->ht, &obj->node, ckpt_obj_params);
}

/**
 * ckpt_obj_drop - forget an object
 * @hash: the hash
 * @obj: its entry, which is gone then; its objref is not given out again
 */
void ckpt_obj_drop(struct ckpt_objhash *hash, struct ckpt_obj *obj)
{
	ckpt_obj_unhash(hash, obj);
	list_del(&obj->list);
	ckpt_obj_end(obj);
}

/**
 * ckpt_obj_collect - count references of the tree to an object
 * @ctx: the checkpoint
 * @type: type of the object
 * @ptr: the object, or NULL
 * @refs: how many references
 * @err: in and out: an error; nothing is done if it is set already
 *
 * What the object refers to is collected with it, once.
 *
 * Return: its entry, or NULL if there is none.
 */
struct ckpt_obj *ckpt_obj_collect(struct ckpt_ctx *ctx,
				  enum ckpt_obj_type type, void *ptr,
				  long refs, int *err)
{
	struct ckpt_obj *obj;
	bool fresh;

	if (*err || !ptr)
		return NULL;
	obj = ckpt_obj_get(&ctx->objs, type, ptr, &fresh);
	if (IS_ERR(obj)) {
		*err = PTR_ERR(obj);
		return NULL;
	}
	obj->seen += refs;
	if (fresh && ckpt_obj_ops(type)->collect)
		*err = ckpt_obj_ops(type)->collect(ctx, ptr);
	return obj;
}

/**
 * ckpt_obj_checkpoint - write an object unless that is done, and refer to it
 * @ctx: the checkpoint
 * @type: type of the object
 * @ptr: the object, or NULL
 * @err: in and out: an error; nothing is done if it is set already
 *
 * The record of the object comes before the record that the caller makes
 * afterwards, so that a reader knows each objref when it meets it.
 *
 * Return: the objref, 0 for NULL and on error.
 */
u32 ckpt_obj_checkpoint(struct ckpt_ctx *ctx, enum ckpt_obj_type type,
			void *ptr, int *err)
{
	struct ckpt_obj *obj;

	if (*err || !ptr)
		return 0;
	obj = ckpt_obj_get(&ctx->objs, type, ptr, NULL);
	if (IS_ERR(obj)) {
		*err = PTR_ERR(obj);
		return 0;
	}
	if (!obj->written) {
		obj->written = true;
		*err = ckpt_obj_ops(type)->checkpoint(ctx, ptr, obj->objref);
		if (*err)
			return 0;
	}
	return obj->objref;
}
