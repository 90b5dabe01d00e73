// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of shared objects: the hash of a checkpoint, which numbers them
 * and holds them, and the table of a restart, which finds them by number.
 *
 * Namespaces serve as objects that are only addresses: the hash takes no
 * reference to them and never looks behind the pointer. One address with two
 * types is not tried, since the kernel warns of it.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/proc_ns.h>
#include <linux/rhashtable.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>

#include "checkpoint.h"

static int objhash_init(struct kunit *test)
{
	struct ckpt_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx || ckpt_objhash_init(&ctx->objs))
		return -ENOMEM;
	ckpt_meta_init(&ctx->meta);
	test->priv = ctx;
	return 0;
}

static void objhash_exit(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;

	if (!ctx)
		return;
	ckpt_objhash_destroy(&ctx->objs);
	ckpt_meta_free(&ctx->meta);
}

/* Drop all objects now; the hash is usable afterwards. */
static void drop_all(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;

	ckpt_objhash_destroy(&ctx->objs);
	KUNIT_ASSERT_EQ(test, ckpt_objhash_init(&ctx->objs), 0);
}

static struct file *new_file(struct kunit *test)
{
	struct file *file = shmem_file_setup("objhash_kunit", 0, VM_NORESERVE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	return file;
}

static struct ckpt_obj *get(struct kunit *test, enum ckpt_obj_type type,
			    void *ptr, bool want_fresh)
{
	struct ckpt_ctx *ctx = test->priv;
	struct ckpt_obj *obj;
	bool fresh = !want_fresh;

	obj = ckpt_obj_get(&ctx->objs, type, ptr, &fresh);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, fresh, want_fresh);
	KUNIT_EXPECT_PTR_EQ(test, obj->ptr, ptr);
	KUNIT_EXPECT_EQ(test, obj->type, type);
	return obj;
}

static void expect_next(struct kunit *test, enum ckpt_obj_type type,
			struct ckpt_obj *obj, struct ckpt_obj *next)
{
	struct ckpt_ctx *ctx = test->priv;
	struct list_head *all = &ctx->objs.of_type[type];
	struct list_head *at = obj ? obj->list.next : all->next;

	KUNIT_EXPECT_PTR_EQ(test, at, next ? &next->list : all);
}

/* ---- the hash ------------------------------------------------------------- */

static void types(struct kunit *test)
{
	const struct ckpt_obj_ops *ops;
	unsigned int i, k;

	for (i = 0; i < CKPT_OBJ_NR; i++) {
		ops = ckpt_obj_ops(i);
		KUNIT_ASSERT_NOT_NULL(test, ops);
		KUNIT_EXPECT_STRNEQ(test, ckpt_rec_name(ops->rec_type),
				    "unknown");
		/* Whoever grabs must drop, and only then count users. */
		KUNIT_EXPECT_EQ(test, !ops->grab, !ops->drop);
		KUNIT_EXPECT_TRUE(test, ops->grab || !ops->users);
		KUNIT_EXPECT_GT(test, strlen(ckpt_obj_name(i)), 0);
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_STRNEQ(test, ckpt_obj_name(i),
					    ckpt_obj_name(k));
	}
}

static void get_and_find(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct ckpt_objhash *hash = &ctx->objs;
	struct ckpt_obj *a, *b, *c;
	char objects[4];

	KUNIT_EXPECT_NULL(test, ckpt_obj_find(hash, &objects[0]));
	a = get(test, CKPT_OBJ_NS, &objects[0], true);
	b = get(test, CKPT_OBJ_SIGNAL, &objects[1], true);
	c = get(test, CKPT_OBJ_NS, &objects[2], true);

	/* Neighbours, of whatever type, are objects of their own. */
	KUNIT_EXPECT_EQ(test, a->objref, 1);
	KUNIT_EXPECT_EQ(test, b->objref, 2);
	KUNIT_EXPECT_EQ(test, c->objref, 3);
	KUNIT_EXPECT_EQ(test, hash->nr, 3);

	KUNIT_EXPECT_PTR_EQ(test, get(test, CKPT_OBJ_NS, &objects[0], false), a);
	KUNIT_EXPECT_PTR_EQ(test, get(test, CKPT_OBJ_SIGNAL, &objects[1], false),
			    b);
	KUNIT_EXPECT_PTR_EQ(test,
			    ckpt_obj_get(hash, CKPT_OBJ_NS, &objects[2], NULL), c);
	KUNIT_EXPECT_EQ(test, hash->nr, 3);

	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_find(hash, &objects[0]), a);
	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_find(hash, &objects[1]), b);
	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_find(hash, &objects[2]), c);
	KUNIT_EXPECT_NULL(test, ckpt_obj_find(hash, &objects[3]));

	expect_next(test, CKPT_OBJ_NS, NULL, a);
	expect_next(test, CKPT_OBJ_NS, a, c);
	expect_next(test, CKPT_OBJ_NS, c, NULL);
	expect_next(test, CKPT_OBJ_SIGNAL, NULL, b);
	expect_next(test, CKPT_OBJ_SIGNAL, b, NULL);
	expect_next(test, CKPT_OBJ_FILE, NULL, NULL);

	drop_all(test);
	KUNIT_EXPECT_EQ(test, hash->nr, 0);
	KUNIT_EXPECT_NULL(test, ckpt_obj_find(hash, &objects[0]));
	KUNIT_EXPECT_EQ(test, get(test, CKPT_OBJ_NS, &objects[2], true)->objref,
			1);
}

/* However often the tree refers to an object, the hash holds it once. */
static void references(struct kunit *test)
{
	struct file *file = new_file(test);
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	get(test, CKPT_OBJ_FILE, file, true);
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	get(test, CKPT_OBJ_FILE, file, false);
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	KUNIT_EXPECT_EQ(test, ckpt_obj_ops(CKPT_OBJ_FILE)->users(file), 2);

	get(test, CKPT_OBJ_CRED, cred, true);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cred->usage), 2);
	get(test, CKPT_OBJ_CRED, cred, false);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cred->usage), 2);

	drop_all(test);
	KUNIT_EXPECT_EQ(test, file_count(file), 1);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cred->usage), 1);
	put_cred(cred);
	fput(file);
}

static unsigned int longest_chain(struct rhashtable *ht)
{
	unsigned int i, nr, most = 0;
	struct bucket_table *tbl;
	struct rhash_head *pos;

	/* Let it grow as far as it wants to. */
	flush_work(&ht->run_work);
	rcu_read_lock();
	tbl = rht_dereference_rcu(ht->tbl, ht);
	for (i = 0; i < tbl->size; i++) {
		nr = 0;
		rht_for_each_rcu(pos, tbl, i)
			nr++;
		most = max(most, nr);
	}
	rcu_read_unlock();
	return most;
}

#define MANY	100000U

/* A look-up must not become a search when there are many objects. */
static void many(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct ckpt_objhash *hash = &ctx->objs;
	char *base = (char *)ctx;
	struct ckpt_obj *obj;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		obj = ckpt_obj_get(hash, CKPT_OBJ_NS, base + i * 64, NULL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
		KUNIT_ASSERT_EQ(test, obj->objref, i + 1);
		if (i % 1024 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, hash->nr, MANY);
	KUNIT_EXPECT_EQ(test, atomic_read(&hash->ht.nelems), MANY);
	KUNIT_EXPECT_LE(test, longest_chain(&hash->ht), RHT_ELASTICITY);

	for (i = 0; i < MANY; i++) {
		obj = ckpt_obj_find(hash, base + i * 64);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		KUNIT_ASSERT_EQ(test, obj->objref, i + 1);
		if (i % 1024 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_NULL(test, ckpt_obj_find(hash, base + i * 64));
	drop_all(test);
	KUNIT_EXPECT_NULL(test, ckpt_obj_find(hash, base));
}

#define ROUNDS	64

/*
 * It is let go of while it grows: a worker moves the entries at that moment. What
 * was wrong, KASAN tells.
 */
static void dropped_while_it_grows(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	char *base = (char *)ctx;
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i <= 48U << (round % 8); i++)
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
						     ckpt_obj_get(&ctx->objs, CKPT_OBJ_NS,
								  base + i * 64, NULL));
		drop_all(test);
		cond_resched();
	}
}

/* ---- collect and checkpoint -------------------------------------------------- */

static void collect(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct file *file = new_file(test);
	struct ckpt_obj *obj;
	int err = 0;

	obj = ckpt_obj_collect(ctx, CKPT_OBJ_FILE, file, 1, &err);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, obj->seen, 1);
	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_collect(ctx, CKPT_OBJ_FILE, file, 3,
						   &err), obj);
	KUNIT_EXPECT_EQ(test, obj->seen, 4);
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	KUNIT_EXPECT_FALSE(test, obj->written);

	KUNIT_EXPECT_NULL(test, ckpt_obj_collect(ctx, CKPT_OBJ_FILE, NULL, 1,
						 &err));
	KUNIT_EXPECT_EQ(test, err, 0);
	/* After an error nothing is done, and the error stays. */
	err = -EIO;
	KUNIT_EXPECT_NULL(test, ckpt_obj_collect(ctx, CKPT_OBJ_FILE, file, 1,
						 &err));
	KUNIT_EXPECT_NULL(test, ckpt_obj_collect(ctx, CKPT_OBJ_NS, test, 1,
						 &err));
	KUNIT_EXPECT_EQ(test, err, -EIO);
	KUNIT_EXPECT_EQ(test, obj->seen, 4);
	KUNIT_EXPECT_EQ(test, ctx->objs.nr, 1);
	drop_all(test);
	fput(file);
}

static void install_fd(struct kunit *test, struct file *file)
{
	int fd = get_unused_fd_flags(0);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));
}

static int close_one(const void *wanted, struct file *file, unsigned int fd)
{
	return file == wanted ? fd + 1 : 0;
}

/* A table of its own, in which two descriptors are the same open file. */
static struct files_struct *new_files(struct kunit *test, struct file *file)
{
	struct files_struct *files;
	int fd;

	install_fd(test, file);
	install_fd(test, file);
	files = dup_fd(current->files, NULL);
	while ((fd = iterate_fd(current->files, 0, close_one, file)) > 0)
		close_fd(fd - 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, files);
	return files;
}

/* What an object refers to is collected with it, and only the first time. */
static void collect_nested(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct file *file = new_file(test);
	struct files_struct *files = new_files(test, file);
	struct ckpt_obj *table, *obj;
	int err = 0;

	table = ckpt_obj_collect(ctx, CKPT_OBJ_FILES, files, 1, &err);
	KUNIT_ASSERT_NOT_NULL(test, table);
	obj = ckpt_obj_find(&ctx->objs, file);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, obj->type, CKPT_OBJ_FILE);
	KUNIT_EXPECT_EQ(test, obj->seen, 2);
	KUNIT_EXPECT_TRUE(test, obj->has_fd);

	ckpt_obj_collect(ctx, CKPT_OBJ_FILES, files, 1, &err);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, table->seen, 2);
	KUNIT_EXPECT_EQ(test, obj->seen, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&files->count), 2);
	/* This test, two descriptors, the hash. */
	KUNIT_EXPECT_EQ(test, file_count(file), 4);

	drop_all(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&files->count), 1);
	put_files_struct(files);
	KUNIT_EXPECT_EQ(test, file_count(file), 1);
	fput(file);
}

/* The first record that was written. */
static struct ckpt_rec_ns first_record(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct ckpt_out out = { .file = new_file(test) };
	struct ckpt_rec_ns rec = {};
	loff_t pos = 0;

	KUNIT_EXPECT_EQ(test, ckpt_out_meta(&out, &ctx->meta), 0);
	KUNIT_EXPECT_EQ(test, kernel_read(out.file, &rec, sizeof(rec), &pos),
			sizeof(rec));
	fput(out.file);
	return rec;
}

static void write_once(struct kunit *test)
{
	struct ckpt_ctx *ctx = test->priv;
	struct ns_common *ns = &init_uts_ns.ns;
	struct ckpt_rec_ns rec;
	int err = 0;

	/* So that objref and number of the record differ. */
	get(test, CKPT_OBJ_SIGNAL, test, true);
	KUNIT_EXPECT_EQ(test, ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, ns, &err), 2);
	KUNIT_EXPECT_EQ(test, ctx->meta.records, 1);
	KUNIT_EXPECT_EQ(test, ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, ns, &err), 2);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, ctx->meta.records, 1);
	KUNIT_EXPECT_TRUE(test, ckpt_obj_find(&ctx->objs, ns)->written);
	KUNIT_EXPECT_FALSE(test, ckpt_obj_find(&ctx->objs, test)->written);
	rec = first_record(test);
	KUNIT_EXPECT_EQ(test, rec.h.type, CKPT_REC_NS);
	KUNIT_EXPECT_EQ(test, rec.objref, 2);
	KUNIT_EXPECT_EQ(test, rec.kind, CKPT_NS_UTS);
}

static void write_errors(struct kunit *test)
{
	static const struct proc_ns_operations no_kind = { .name = "none" };
	struct ckpt_ctx *ctx = test->priv;
	struct ns_common ns = { .ops = &no_kind };
	int err = 0;

	/* No object is no error. */
	KUNIT_EXPECT_EQ(test, ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, NULL, &err),
			0);
	KUNIT_EXPECT_EQ(test, err, 0);
	/* What cannot be written must not be referred to. */
	KUNIT_EXPECT_EQ(test, ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS, &ns, &err),
			0);
	KUNIT_EXPECT_EQ(test, err, -EOPNOTSUPP);
	/* An earlier error stays, and nothing is written after it. */
	err = -EIO;
	KUNIT_EXPECT_EQ(test, ckpt_obj_checkpoint(ctx, CKPT_OBJ_NS,
						  &init_uts_ns.ns, &err), 0);
	KUNIT_EXPECT_EQ(test, err, -EIO);
	KUNIT_EXPECT_NULL(test, ckpt_obj_find(&ctx->objs, &init_uts_ns.ns));
}

/* ---- restart ------------------------------------------------------------------- */

static struct ckpt_restart *new_restart(struct kunit *test)
{
	struct ckpt_restart *rs = ckpt_restart_alloc(0);

	KUNIT_ASSERT_NOT_NULL(test, rs);
	return rs;
}

static struct ckpt_robj *new_robj(struct kunit *test, struct ckpt_restart *rs,
				  u32 objref, struct ckpt_rec *rec, void *h)
{
	struct ckpt_robj *obj = kzalloc(sizeof(*obj), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	rec->h = h;
	obj->rec = rec;
	KUNIT_ASSERT_EQ(test, xa_insert(&rs->objs, objref, obj, GFP_KERNEL), 0);
	return obj;
}

static void restore_by_number(struct kunit *test)
{
	struct ckpt_rec_ns good = {
		.objref = 3,
		.kind = CKPT_NS_UTS,
		.flags = CKPT_NS_RESTARTERS,
	}, bad = { .objref = 5, .kind = CKPT_NS_USER + 1 };
	struct ckpt_rec recs[2] = {
		{ .type = CKPT_REC_NS }, { .type = CKPT_REC_NS },
	};
	struct ckpt_restart *rs = new_restart(test);
	struct ckpt_robj *obj, *broken;
	void *ptr;

	obj = new_robj(test, rs, 3, &recs[0], &good);
	broken = new_robj(test, rs, 5, &recs[1], &bad);

	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_rec(rs, CKPT_OBJ_NS, 3), &recs[0]);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_rec(rs, CKPT_OBJ_NS, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_rec(rs, CKPT_OBJ_NS, 4)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_rec(rs, CKPT_OBJ_CRED, 3)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_restore(rs, CKPT_OBJ_NS, 4)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_restore(rs, CKPT_OBJ_CRED, 3)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, obj->state, CKPT_ROBJ_ABSENT);

	ptr = ckpt_obj_restore(rs, CKPT_OBJ_NS, 3);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, ptr);
	KUNIT_EXPECT_EQ(test, obj->state, CKPT_ROBJ_READY);
	/* Made once: a second user must not look at the record any more. */
	good.kind = 0;
	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_restore(rs, CKPT_OBJ_NS, 3), ptr);

	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_restore(rs, CKPT_OBJ_NS, 5)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, broken->state, CKPT_ROBJ_ABSENT);
	ckpt_restart_put(rs);
}

/* A FILE record is an open file or a location, never both. */
static void restore_one_use(struct kunit *test)
{
	struct ckpt_rec_file file_rec = {}, busy_rec = {};
	struct ckpt_rec recs[2] = {
		{ .type = CKPT_REC_FILE }, { .type = CKPT_REC_FILE },
	};
	struct ckpt_restart *rs = new_restart(test);
	struct file *file = new_file(test);
	struct ckpt_robj *obj;

	obj = new_robj(test, rs, 1, &recs[0], &file_rec);
	obj->state = CKPT_ROBJ_READY;
	obj->type = CKPT_OBJ_FILE;
	obj->ptr = get_file(file);
	KUNIT_EXPECT_PTR_EQ(test, ckpt_obj_restore(rs, CKPT_OBJ_FILE, 1), file);
	/* The restart keeps the one reference. */
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_restore(rs, CKPT_OBJ_LOCATION, 1)),
			-EINVAL);

	/* Whoever needs itself to be made is not there yet. */
	obj = new_robj(test, rs, 2, &recs[1], &busy_rec);
	obj->state = CKPT_ROBJ_BUSY;
	obj->type = CKPT_OBJ_FILE;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_obj_restore(rs, CKPT_OBJ_FILE, 2)),
			-EINVAL);

	ckpt_restart_put(rs);
	KUNIT_EXPECT_EQ(test, file_count(file), 1);
	fput(file);
}

static struct kunit_case objhash_cases[] = {
	KUNIT_CASE(types),
	KUNIT_CASE(get_and_find),
	KUNIT_CASE(references),
	KUNIT_CASE_SLOW(many),
	KUNIT_CASE_SLOW(dropped_while_it_grows),
	KUNIT_CASE(collect),
	KUNIT_CASE(collect_nested),
	KUNIT_CASE(write_once),
	KUNIT_CASE(write_errors),
	KUNIT_CASE(restore_by_number),
	KUNIT_CASE(restore_one_use),
	{ }
};

static struct kunit_suite objhash_suite = {
	.name = "checkpoint_objhash",
	.init = objhash_init,
	.exit = objhash_exit,
	.test_cases = objhash_cases,
};

kunit_test_suite(objhash_suite);
