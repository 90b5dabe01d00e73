// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what a restart takes from an image as a whole: the header, the
 * order and numbers of the metadata, payload, index and tail.
 *
 * No image here is one of a task: a restart that finds nothing wrong with it
 * ends with a complaint that there is no root.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "checkpoint.h"

#define BUF_SIZE	SZ_64K

static int restart_init(struct kunit *test)
{
	struct ckpt_restart *rs = ckpt_restart_alloc(0);
	int fd, i;

	KUNIT_ASSERT_NOT_NULL(test, rs);
	rs->in.file = shmem_file_setup("restart_kunit", 0, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rs->in.file);

	/* The log takes a descriptor; its text is looked at in memory. */
	fd = get_unused_fd_flags(0);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(rs->in.file));
	i = ckpt_log_open(&rs->log, fd);
	close_fd(fd);
	KUNIT_ASSERT_EQ(test, i, 0);
	test->priv = rs;
	return 0;
}

static void restart_exit(struct kunit *test)
{
	struct ckpt_restart *rs = test->priv;

	if (!rs)
		return;
	ckpt_restart_put(rs);
}

/* The log says why, so that no test passes for another reason than its own. */
static void expect_result(struct kunit *test, long ret, long want,
			  const char *words)
{
	struct ckpt_restart *rs = test->priv;

	KUNIT_EXPECT_EQ(test, ret, want);
	rs->log.buf[rs->log.len] = '\0';
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(rs->log.buf, words),
				  "'%s' is not in the log: %s", words,
				  rs->log.buf);
}

static void *add(struct kunit *test, struct ckpt_meta *meta, u32 type,
		 size_t fixed)
{
	struct ckpt_hdr *h = ckpt_meta_add(meta, type, fixed, 0);

	KUNIT_ASSERT_NOT_NULL(test, h);
	return h;
}

static struct ckpt_rec_header *add_header(struct kunit *test,
					  struct ckpt_meta *meta)
{
	struct ckpt_rec_header *h = add(test, meta, CKPT_REC_HEADER, sizeof(*h));

	memcpy(h->magic, CKPT_IMAGE_MAGIC, sizeof(h->magic));
	h->version = CKPT_IMAGE_VERSION;
	h->arch = CKPT_ARCH_X86_64;
	h->feature_compat = CKPT_COMPAT_INDEX;
	h->page_shift = PAGE_SHIFT;
	h->nr_signals = _NSIG;
	h->nr_rlimits = RLIM_NLIMITS;
	memset(h->uuid, 0x1d, sizeof(h->uuid));
	return h;
}

static long restart(struct kunit *test, struct ckpt_meta *meta)
{
	struct ckpt_restart *rs = test->priv;
	struct ckpt_out out = { .file = rs->in.file };

	KUNIT_EXPECT_EQ(test, ckpt_out_meta(&out, meta), 0);
	ckpt_meta_free(meta);
	return ckpt_restart_failed(rs, ckpt_restart_begin(rs));
}

/* ---- header ---------------------------------------------------------------------- */

#define FIELD(rec, name)	offsetof(struct ckpt_rec_##rec, name),	\
				sizeof_field(struct ckpt_rec_##rec, name)

/* One field of a record, of @size bytes at @at, becomes larger by @plus. */
static void change(void *rec, size_t at, size_t size, u64 plus)
{
	void *field = rec + at;

	if (size == 4)
		*(u32 *)field += plus;
	else if (size == 8 && IS_ALIGNED(at, 8))
		*(u64 *)field += plus;
	else
		*(u8 *)field += plus;
}

#define CUT	"the image is cut short"

static const struct header_param {
	const char *desc;
	size_t at;
	size_t size;
	u64 plus;
	int err;
	const char *words;
} header_params[] = {
	/* Right: only then the next record is asked for. */
	{ "good", FIELD(header, version), 0, -EBADMSG, CUT },
	{ "magic", FIELD(header, magic), 1, -ENOEXEC, "not an image" },
	{ "no version", FIELD(header, version), -1, -EPROTONOSUPPORT, "version" },
	{ "version", FIELD(header, version), 1, -EPROTONOSUPPORT, "version" },
	{ "arch", FIELD(header, arch), 1, -EPROTONOSUPPORT, "architecture" },
	{ "page size", FIELD(header, page_shift), 4, -EPROTONOSUPPORT,
	  "architecture" },
	{ "incompatible", FIELD(header, feature_incompat), 1,
	  -EPROTONOSUPPORT, "features 0x1 " },
	{ "incompatible, high", FIELD(header, feature_incompat), 1ULL << 63,
	  -EPROTONOSUPPORT, "features 0x8000000000000000 " },
	{ "compatible", FIELD(header, feature_compat), 1ULL << 63, -EBADMSG,
	  CUT },
	{ "signals", FIELD(header, nr_signals), 1, -EPROTONOSUPPORT, "limits" },
	{ "rlimits", FIELD(header, nr_rlimits), -1, -EPROTONOSUPPORT, "limits" },
	/* The type of the record, as a big-endian writer puts it. */
	{ "big-endian", FIELD(header, h.type), (1 << 24) - 1, -ENOEXEC,
	  "not an image" },
};

KUNIT_ARRAY_PARAM_DESC(header, header_params, desc);

static void header(struct kunit *test)
{
	const struct header_param *param = test->param_value;
	struct ckpt_meta meta;

	ckpt_meta_init(&meta);
	change(add_header(test, &meta), param->at, param->size, param->plus);
	expect_result(test, restart(test, &meta), param->err, param->words);
}

/* ---- metadata ---------------------------------------------------------------------- */

#define TASK_RECS	CKPT_REC_TREE, CKPT_REC_TREE_TASK, CKPT_REC_TASK,	\
			CKPT_REC_X86_CPU, CKPT_REC_X86_XSTATE
#define UNKNOWN		(0x4242U | CKPT_REC_MAY_IGNORE)
#define ALL_WELL	"the root is no root"
#define MISSING		"a task of the tree is missing"
#define ONE_MORE	"is one more than the TREE record announces"
#define MISPLACED	"does not belong into the metadata"

/*
 * Records behind the header, of a task and of objects with the objrefs @ref;
 * META_END announces as many records as there are and @plus more.
 */
static const struct meta_param {
	const char *desc;
	u32 types[10];
	u32 ref[2];
	int plus;
	u32 objects;
	const char *words;
} meta_params[] = {
	{ "good", { TASK_RECS }, {}, 0, 0, ALL_WELL },
	{ "objects", { CKPT_REC_NS, CKPT_REC_CRED, TASK_RECS }, { 1, 2 }, 0, 2,
	  ALL_WELL },
	{ "objects in any order", { CKPT_REC_NS, CKPT_REC_CRED, TASK_RECS },
	  { 2, 1 }, 0, 2, ALL_WELL },
	{ "padding counts", { TASK_RECS, CKPT_REC_PAD, UNKNOWN }, {}, 0, 0,
	  ALL_WELL },
	{ "no records", {}, {}, 0, 0, MISSING },
	{ "no tree", { CKPT_REC_TREE_TASK, CKPT_REC_TASK, CKPT_REC_X86_CPU,
	  CKPT_REC_X86_XSTATE }, {}, 0, 0, ONE_MORE },
	{ "no tree task", { CKPT_REC_TREE, CKPT_REC_TASK, CKPT_REC_X86_CPU,
	  CKPT_REC_X86_XSTATE }, {}, 0, 0, "task 0 is out of order" },
	{ "no task", { CKPT_REC_TREE, CKPT_REC_TREE_TASK }, {}, 0, 0,
	  "a record of a task is missing" },
	{ "parts of no task", { CKPT_REC_TREE, CKPT_REC_TREE_TASK,
	  CKPT_REC_X86_CPU, CKPT_REC_X86_XSTATE }, {}, 0, 0,
	  "X86_CPU: belongs to no task" },
	{ "cpu twice", { TASK_RECS, CKPT_REC_X86_CPU }, {}, 0, 0,
	  "X86_CPU: is there twice" },
	{ "too few records", { TASK_RECS }, {}, 1, 0,
	  "7 records are announced, 6 were there" },
	{ "too many records", { TASK_RECS }, {}, -1, 0,
	  "5 records are announced, 6 were there" },
	{ "too few objects", { CKPT_REC_NS, TASK_RECS }, { 1 }, 0, 2,
	  "2 objects are announced, 1 were there" },
	{ "too many objects", { CKPT_REC_NS, TASK_RECS }, { 1 }, 0, 0,
	  "0 objects are announced, 1 were there" },
	{ "a gap in the numbers", { CKPT_REC_NS, TASK_RECS }, { 2 }, 0, 1,
	  "1 were there, up to number 2" },
	{ "object 0", { CKPT_REC_NS, TASK_RECS }, { 0 }, 0, 1,
	  "an object without a number" },
	{ "object twice", { CKPT_REC_NS, CKPT_REC_CRED, TASK_RECS }, { 1, 1 }, 0,
	  2, "object 1 is there twice" },
	{ "header twice", { CKPT_REC_HEADER }, {}, 0, 0, "HEADER: is there twice" },
	{ "task twice", { TASK_RECS, CKPT_REC_TASK }, {}, 0, 0,
	  "TASK: task 0 is out of order" },
	{ "tree twice", { TASK_RECS, CKPT_REC_TREE }, {}, 0, 0,
	  "TREE: is there twice" },
	{ "two tasks", { TASK_RECS, CKPT_REC_TREE_TASK }, {}, 0, 0,
	  ONE_MORE },
	{ "pages", { CKPT_REC_PAGES, TASK_RECS }, {}, 0, 0, MISPLACED },
	{ "index", { CKPT_REC_INDEX, TASK_RECS }, {}, 0, 0, MISPLACED },
	{ "tail", { CKPT_REC_TAIL, TASK_RECS }, {}, 0, 0, MISPLACED },
};

KUNIT_ARRAY_PARAM_DESC(meta, meta_params, desc);

static void metadata(struct kunit *test)
{
	const struct meta_param *param = test->param_value;
	struct ckpt_rec_meta_end *end;
	struct ckpt_meta meta;
	unsigned int i, nr = 0;

	ckpt_meta_init(&meta);
	add_header(test, &meta);
	for (i = 0; param->types[i]; i++) {
		u32 type = param->types[i];
		/* Longer than any struct; what stands behind that is zero. */
		void *rec = add(test, &meta, type,
				type == CKPT_REC_PAD ? sizeof(struct ckpt_hdr)
						     : 1024);

		if (type == CKPT_REC_NS || type == CKPT_REC_CRED)
			((struct ckpt_rec_ns *)rec)->objref = param->ref[nr++];
		if (type == CKPT_REC_TREE)
			((struct ckpt_rec_tree *)rec)->nr_tasks = 1;
	}
	end = add(test, &meta, CKPT_REC_META_END, sizeof(*end));
	end->nr_records = meta.records - 1 + param->plus;
	end->nr_objects = param->objects;
	expect_result(test, restart(test, &meta), -EINVAL, param->words);
}

/* ---- the tree ---------------------------------------------------------------------- */

#define NONE		CKPT_TREE_NO_PARENT
#define ZOMBIE		CKPT_TREE_ZOMBIE
#define LATE		"does not come before it"

/**
 * struct tree_param_task - a TREE_TASK record
 * @index: of the task
 * @parent: index of its parent
 * @leader: index of its leader
 * @pid: its pid
 * @tgid: pid of its process
 * @flags: CKPT_TREE_*
 * @pidns: 1 + index of the init of its pid namespace
 * @levels: levels of pid namespaces below the first
 * @inner: its pid in these
 * @next: what comes after these fields in the record
 */
struct tree_param_task {
	u32 index, parent, leader;
	s32 pid, tgid;
	u32 flags;
	u32 pidns;
	u32 levels;
	s32 inner;
	u32 next[3];
};

/* Announced are as many tasks as there are, and @plus more. */
static const struct tree_param {
	const char *desc;
	u32 nr;
	u32 plus;
	struct tree_param_task v[4];
	int err;
	const char *words;
} tree_params[] = {
	{ "good", 4, 0, { { 0, NONE, 0, 7, 7 }, { 1, NONE, 0, 8, 7 },
	  { 2, 1, 2, 9, 9 }, { 3, 2, 3, 10, 10, ZOMBIE } }, 0, "" },
	{ "dead leader", 3, 0, { { 0, NONE, 0, 7, 7 }, { 1, 0, 1, 8, 8, ZOMBIE },
	  { 2, NONE, 1, 9, 8 } }, 0, "" },
	{ "a million", 1, 999999, { { 0, NONE, 0, 7, 7 } }, -EINVAL,
	  "a task of the tree is missing" },
	{ "all of them", 1, -2U, { { 0, NONE, 0, 7, 7 } }, -EINVAL,
	  "a task of the tree is missing" },
	{ "too many", 2, -1U, { { 0, NONE, 0, 7, 7 }, { 1, 0, 1, 8, 8 } },
	  -EINVAL, ONE_MORE },
	{ "gap", 2, 0, { { 0, NONE, 0, 7, 7 }, { 2, 0, 2, 8, 8 } }, -EINVAL,
	  "task 2 comes in place 1" },
	{ "two roots", 2, 0, { { 0, NONE, 0, 7, 7 }, { 1, NONE, 1, 8, 8 } },
	  -EINVAL, LATE },
	{ "root with a parent", 1, 0, { { 0, 0, 0, 7, 7 } }, -EINVAL, ALL_WELL },
	{ "dead root", 1, 0, { { 0, NONE, 0, 7, 7, ZOMBIE } }, -EINVAL,
	  "the root has exited" },
	{ "root whose first thread is dead", 2, 0, { { 0, NONE, 0, 7, 7, ZOMBIE },
	  { 1, NONE, 0, 8, 7 } }, 0, "" },
	{ "own parent", 2, 0, { { 0, NONE, 0, 7, 7 }, { 1, 1, 1, 8, 8 } },
	  -EINVAL, LATE },
	{ "cycle", 3, 0, { { 0, NONE, 0, 7, 7 }, { 1, 2, 1, 8, 8 },
	  { 2, 1, 2, 9, 9 } }, -EINVAL, LATE },
	{ "no such parent", 2, 0, { { 0, NONE, 0, 7, 7 }, { 1, 77, 1, 8, 8 } },
	  -EINVAL, LATE },
	{ "dead parent", 3, 0, { { 0, NONE, 0, 7, 7 }, { 1, 0, 1, 8, 8, ZOMBIE },
	  { 2, 1, 2, 9, 9 } }, -EINVAL, "has exited" },
	{ "no such leader", 2, 0, { { 0, NONE, 0, 7, 7 }, { 1, NONE, 77, 8, 7 } },
	  -EINVAL, LATE },
	{ "leader of a thread", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, NONE, 0, 8, 7 }, { 2, NONE, 1, 9, 8 } }, -EINVAL, "is none" },
	{ "thread with a parent", 2, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 0, 8, 7 } }, -EINVAL, "a thread is no child" },
	{ "dead thread", 2, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, NONE, 0, 8, 7, ZOMBIE } }, -EINVAL, "and no zombie" },
	{ "thread of another", 2, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, NONE, 0, 8, 9 } }, -EINVAL, "pid 8 of process 9" },
	{ "no pid", 1, 0, { { 0, NONE, 0, 0, 0 } }, -EINVAL, "impossible ids" },
	{ "negative pid", 1, 0, { { 0, NONE, 0, -1, -1 } }, -EINVAL,
	  "impossible ids" },
	{ "large pid", 1, 0, { { 0, NONE, 0, PID_MAX_LIMIT + 1,
	  PID_MAX_LIMIT + 1 } }, -EINVAL, "impossible ids" },
	{ "pid twice", 2, 0, { { 0, NONE, 0, 7, 7 }, { 1, 0, 1, 7, 7 } },
	  -EINVAL, "pid 7 is there twice" },
	{ "flags", 1, 0, { { 0, NONE, 0, 7, 7, 1U << 31 } }, -EOPNOTSUPP,
	  "unknown flags 0x80000000" },
	{ "container", 2, 0, { { 0, NONE, 0, 1, 1, 0, 1 },
	  { 1, 0, 1, 8, 8, 0, 1 } }, 0, "" },
	{ "pid namespace below", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 }, { 2, 1, 2, 9, 9, 0, 2, 1, 2 } }, 0, "" },
	{ "one who entered it", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 9, 9, 0, 3, 1, 2 }, { 2, 0, 2, 8, 8, 0, 3, 1, 1 } }, 0, "" },
	{ "pid namespaces for children", 4, 0, { { 0, NONE, 0, 7, 7, .next[0] = 3 },
	  { 1, 0, 1, 8, 8, .next[0] = CKPT_PIDNS_NEW },
	  { 2, 0, 2, 9, 9, 0, 3, 1, 1 },
	  { 3, 0, 3, 10, 10, .next[0] = CKPT_PIDNS_DEAD } }, 0, "" },
	{ "no levels", 1, 0, { { 0, NONE, 0, 7, 7, .levels = -1U } }, -EINVAL,
	  "0 levels" },
	{ "too many levels", 1, 0, { { 0, NONE, 0, 7, 7, .levels = 40 } },
	  -EINVAL, "41 levels" },
	{ "levels of no namespace", 1, 0, { { 0, NONE, 0, 7, 7, 0, 0, 1, 7 } },
	  -EINVAL, "not the levels of its pid namespace" },
	{ "impossible inner pid", 1, 0, { { 0, NONE, 0, 7, 7, 0, 0, 1, 0 } },
	  -EINVAL, "impossible ids" },
	{ "no such init", 1, 0, { { 0, NONE, 0, 1, 1, 0, 2 } }, -EINVAL,
	  "no such task that could be the init" },
	{ "init is not pid 1", 1, 0, { { 0, NONE, 0, 2, 2, 0, 1 } }, -EINVAL,
	  "has to be pid 1" },
	{ "init is a thread", 2, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, NONE, 0, 8, 7, 0, 2, 1, 1 } }, -EINVAL,
	  "a thread cannot be the init" },
	{ "init skips a level", 2, 0, { { 0, NONE, 0, 1, 1, 0, 1 },
	  { 1, 0, 1, 1, 1, 0, 2 } }, -EINVAL, "pid 1 is there twice" },
	{ "init on the level of its parent", 2, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 1, 1, 0, 2 } }, -EINVAL,
	  "has to be a child of the one above" },
	{ "init of another namespace", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 }, { 2, 1, 2, 9, 9, 0, 4, 1, 2 } }, -EINVAL,
	  "no such task that could be the init" },
	{ "init that is none", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 3, 1, 1 }, { 2, 0, 2, 9, 9, 0, 2, 1, 1 } }, -EINVAL,
	  "the init of its pid namespace is in another one" },
	{ "root below itself", 2, 0, { { 0, NONE, 0, 7, 7, 0, 2, 1, 2 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 } }, -EINVAL,
	  "the root is in a pid namespace below it" },
	{ "out of the container", 2, 0, { { 0, NONE, 0, 1, 1, 0, 1 },
	  { 1, 0, 1, 8, 8 } }, -EINVAL, "above the pid namespace of the root" },
	{ "up again", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 }, { 2, 1, 2, 9, 9 } }, -EINVAL,
	  "does not lie below that of its parent" },
	{ "sideways", 4, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 }, { 2, 0, 2, 9, 9, 0, 3, 1, 1 },
	  { 3, 1, 3, 10, 10, 0, 3, 1, 2 } }, -EINVAL,
	  "does not lie below that of its parent" },
	{ "dead init", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, ZOMBIE, 2, 1, 1 }, { 2, 0, 2, 9, 9, 0, 2, 1, 2 } },
	  -EINVAL, "the init of its pid namespace has exited" },
	{ "thread elsewhere", 3, 0, { { 0, NONE, 0, 7, 7 },
	  { 1, 0, 1, 8, 8, 0, 2, 1, 1 }, { 2, NONE, 0, 9, 7, 0, 2, 1, 2 } },
	  -EINVAL, "a thread is in the pid namespace of its process" },
	{ "no such children", 1, 0, { { 0, NONE, 0, 7, 7, .next[0] = 1 } },
	  -EINVAL, "no such pid namespace for its children" },
	{ "children of nobody", 1, 0, { { 0, NONE, 0, 7, 7, .next[0] = 77 } },
	  -EINVAL, "no such pid namespace for its children" },
	{ "next pid", 1, 0, { { 0, NONE, 0, 1, 1, 0, 1,
	  .next[1] = PID_MAX_LIMIT + 1 } }, -EINVAL, "impossible settings" },
	{ "memfd_noexec", 1, 0, { { 0, NONE, 0, 1, 1, 0, 1, .next[2] = 3 } },
	  -EINVAL, "impossible settings" },
};

KUNIT_ARRAY_PARAM_DESC(tree, tree_params, desc);

static void add_tree_task(struct kunit *test, struct ckpt_meta *meta,
			  const struct tree_param_task *t)
{
	struct ckpt_rec_tree_task *rec;
	struct ckpt_tree_ids *ids;

	rec = ckpt_meta_add(meta, CKPT_REC_TREE_TASK, sizeof(*rec),
			    sizeof(*ids) * 2);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	rec->index = t->index;
	rec->parent = t->parent;
	rec->leader = t->leader;
	rec->exit_signal = SIGCHLD;
	rec->flags = t->flags;
	rec->nr_levels = 1 + t->levels;
	rec->pidns = t->pidns;
	rec->pidns_children = t->next[0];
	rec->pidns_next = t->next[1];
	rec->pidns_memfd_noexec = t->next[2];
	ids = (struct ckpt_tree_ids *)(rec + 1);
	ids[0].pid = t->pid;
	ids[0].tgid = t->tgid;
	ids[1].pid = t->inner;
	ids[1].tgid = t->inner;
}

static void tree(struct kunit *test)
{
	const struct tree_param *param = test->param_value;
	struct ckpt_rec_meta_end *end;
	struct ckpt_rec_tree *head;
	struct ckpt_rec_task *task;
	struct ckpt_meta meta;
	u32 i;

	ckpt_meta_init(&meta);
	add_header(test, &meta);
	head = add(test, &meta, CKPT_REC_TREE, sizeof(*head));
	head->nr_tasks = param->nr + param->plus;
	for (i = 0; i < param->nr; i++)
		add_tree_task(test, &meta, &param->v[i]);
	for (i = 0; i < param->nr; i++) {
		task = add(test, &meta, CKPT_REC_TASK, sizeof(*task));
		task->index = i;
		if (param->v[i].flags & ZOMBIE)
			continue;
		add(test, &meta, CKPT_REC_X86_CPU, sizeof(struct ckpt_rec_x86_cpu));
		add(test, &meta, CKPT_REC_X86_XSTATE,
		    sizeof(struct ckpt_rec_x86_xstate));
	}
	end = add(test, &meta, CKPT_REC_META_END, sizeof(*end));
	end->nr_records = meta.records - 1;
	expect_result(test, restart(test, &meta), param->err, param->words);
}

/* ---- payload, index, tail ---------------------------------------------------------- */

enum { FIRST, SECOND, INDEX, TAIL };

#define MM_REF		7
#define FIRST_PAGE	0x10000ULL
#define META_OFFSET	0x4240
#define RUN(i, name)	sizeof(struct ckpt_rec_pages) +			\
			(i) * sizeof(struct ckpt_page_run) +		\
			offsetof(struct ckpt_page_run, name), 8
#define ENTRY(i, name)	sizeof(struct ckpt_rec_index) +			\
			(i) * sizeof(struct ckpt_index_entry) +		\
			offsetof(struct ckpt_index_entry, name),		\
			sizeof_field(struct ckpt_index_entry, name)
#define NO_FIT		"entries do not fit"
#define INDEX_WRONG	"the index disagrees"
#define TAIL_WRONG	"the tail disagrees"
#define UNMAPPED	"lies in no private mapping"
#define UNREADABLE	"its payload cannot be read"

/* A field of one record becomes larger by @plus; the checksum stays right. */
static const struct payload_param {
	const char *desc;
	int rec;
	size_t at;
	size_t size;
	u64 plus;
	int err;
	const char *words;
} payload_params[] = {
	{ "good", TAIL, 0, 4, 0, 0, "" },
	{ "other object", FIRST, FIELD(pages, objref), 1, -EINVAL,
	  "not in order" },
	{ "other object later", SECOND, FIELD(pages, objref), -1, -EINVAL,
	  "not in order" },
	{ "runs do not fit", FIRST, FIELD(pages, nr_runs), 1, -EINVAL,
	  "3 runs" },
	{ "no runs", SECOND, FIELD(pages, nr_runs), -1, -EINVAL, "0 runs" },
	{ "fewer runs", FIRST, FIELD(pages, nr_runs), -1, -EINVAL,
	  "runs and bytes disagree" },
	{ "odd length", FIRST, FIELD(pages, data_len), 1, -EINVAL,
	  "2 runs with 8193 bytes" },
	{ "no bytes", SECOND, FIELD(pages, data_len), -(u64)PAGE_SIZE, -EINVAL,
	  "0 bytes" },
	{ "one page more", SECOND, FIELD(pages, data_len), PAGE_SIZE, -EINVAL,
	  "runs and bytes disagree" },
	{ "too long", FIRST, FIELD(pages, data_len), CKPT_PAGES_MAX_BYTES,
	  -EINVAL, "2 runs with 1056768 bytes" },
	{ "checksum of payload", SECOND, FIELD(pages, data_crc), 1, -EBADMSG,
	  "wrong checksum" },
	{ "payload", FIRST, PAGE_SIZE + 5000, 1, 1, -EBADMSG, "wrong checksum" },
	{ "gap", FIRST, 200, 1, 1, -EINVAL, UNREADABLE },
	{ "empty run", FIRST, RUN(1, nr), -1, -EINVAL, "run of 0 pages" },
	{ "endless run", FIRST, RUN(0, nr), -2ULL, -EINVAL, "run of" },
	{ "large run", FIRST, RUN(0, nr), 1 << 20, -EINVAL, "run of" },
	{ "runs overlap", FIRST, RUN(1, start), -2, -EINVAL, "run of" },
	{ "records overlap", SECOND, RUN(0, start), -2, -EINVAL, "run of" },
	{ "kernel address", SECOND, RUN(0, start), 1ULL << 51, -EINVAL, "run of" },
	{ "wraps around", SECOND, RUN(0, start), -(FIRST_PAGE + 4) - 1, -EINVAL,
	  "run of" },
	{ "outside of mappings", SECOND, RUN(0, start), 1, -EINVAL, UNMAPPED },
	{ "metadata", INDEX, FIELD(index, h.type), CKPT_REC_TREE - CKPT_REC_INDEX,
	  -EINVAL, "does not belong behind" },
	{ "no tail", TAIL, FIELD(tail, h.type), UNKNOWN - CKPT_REC_TAIL,
	  -EBADMSG, CUT },
	{ "empty index", INDEX, FIELD(index, nr), -2, -EINVAL, NO_FIT },
	{ "large index", INDEX, FIELD(index, nr), 1, -EINVAL, NO_FIT },
	{ "huge index", INDEX, FIELD(index, nr), -3, -EINVAL, NO_FIT },
	{ "small index", INDEX, FIELD(index, nr), -1, -EINVAL, INDEX_WRONG },
	{ "index object", INDEX, ENTRY(1, objref), 1, -EINVAL, INDEX_WRONG },
	{ "index start", INDEX, ENTRY(0, start), 1, -EINVAL, INDEX_WRONG },
	{ "index offset", INDEX, ENTRY(1, offset), 8, -EINVAL, INDEX_WRONG },
	{ "index reserved", INDEX, ENTRY(0, __reserved), 1, -EINVAL,
	  INDEX_WRONG },
	{ "records", TAIL, FIELD(tail, nr_records), 1, -EBADMSG, TAIL_WRONG },
	{ "pages", TAIL, FIELD(tail, nr_pages), -1, -EBADMSG, TAIL_WRONG },
	{ "metadata offset", TAIL, FIELD(tail, meta_offset), 8, -EBADMSG,
	  TAIL_WRONG },
	{ "offset of index", TAIL, FIELD(tail, index_offset), 8, -EBADMSG,
	  TAIL_WRONG },
	{ "length", TAIL, FIELD(tail, image_len), 8, -EBADMSG, TAIL_WRONG },
	{ "uuid", TAIL, FIELD(tail, uuid), 1, -EINVAL, "another image" },
	{ "magic", TAIL, FIELD(tail, magic[7]), 1, -EINVAL, "another image" },
};

KUNIT_ARRAY_PARAM_DESC(payload, payload_params, desc);

/* Every other page, the last one in a record of its own. */
static void write_image(struct kunit *test, struct ckpt_out *out,
			struct ckpt_rec *hdr)
{
	static const struct ckpt_page_run runs[] = {
		{ FIRST_PAGE, 1 }, { FIRST_PAGE + 2, 1 },
	};
	static const struct ckpt_page_run last = { FIRST_PAGE + 4, 1 };
	struct page *pages[3];
	struct ckpt_meta meta;
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		u8 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		memset(page, 'A' + i, PAGE_SIZE);
		pages[i] = virt_to_page(page);
	}
	ckpt_meta_init(&meta);
	hdr->h = kunit_kmalloc(test, sizeof(struct ckpt_rec_header), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hdr->h);
	memcpy((void *)hdr->h, add_header(test, &meta),
	       sizeof(struct ckpt_rec_header));
	KUNIT_EXPECT_EQ(test, ckpt_out_meta(out, &meta), 0);
	ckpt_meta_free(&meta);
	KUNIT_EXPECT_EQ(test, ckpt_out_pages(out, MM_REF, 0, runs, 2, pages, 2), 0);
	KUNIT_EXPECT_EQ(test, ckpt_out_pages(out, MM_REF, 0, &last, 1, pages + 2, 1),
			0);
	KUNIT_EXPECT_EQ(test, ckpt_out_finish(out, META_OFFSET,
					      ckpt_rec_as(hdr, header)->uuid), 0);
	KUNIT_ASSERT_NOT_NULL(test, out->index);
	KUNIT_ASSERT_EQ(test, out->index->rec.nr, 2);
}

static void payload(struct kunit *test)
{
	static const char want[] = { 'A', 0, 'B', 0, 'C' };
	const struct payload_param *param = test->param_value;
	struct ckpt_restart *rs = test->priv;
	struct ckpt_out out = { .file = rs->in.file };
	struct ckpt_rec hdr = {};
	unsigned long addr;
	loff_t pos = 0;
	u8 *buf, got;
	u64 at[4];
	int i, ret;

	addr = kunit_vm_mmap(test, NULL, FIRST_PAGE << PAGE_SHIFT, 5 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, FIRST_PAGE << PAGE_SHIFT);
	write_image(test, &out, &hdr);
	at[FIRST] = out.index->entries[0].offset;
	at[SECOND] = out.index->entries[1].offset;
	at[TAIL] = out.offset - sizeof(struct ckpt_rec_tail);
	at[INDEX] = at[TAIL] - sizeof(struct ckpt_rec_index) -
		    2 * sizeof(struct ckpt_index_entry);
	ckpt_out_release(&out);

	buf = kunit_kzalloc(test, BUF_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, kernel_read(rs->in.file, buf, BUF_SIZE, &pos),
			out.offset);
	change(buf + at[param->rec], param->at, param->size, param->plus);
	ckpt_hdr_finish((struct ckpt_hdr *)(buf + at[param->rec]));

	/* As a restart that has read the metadata, here the header alone. */
	rs->hdr = &hdr;
	rs->meta_offset = META_OFFSET;
	rs->in = (struct ckpt_in) {
		.file = rs->in.file,
		.pos = out.offset,
		.prefix = buf + at[FIRST],
		.prefix_len = out.offset - at[FIRST],
		.offset = at[FIRST],
		.records = 1,
	};
	ret = restore_payload(rs, MM_REF) ?: restore_payload_end(rs);
	expect_result(test, ret, param->err, param->words);
	if (ret)
		return;
	KUNIT_EXPECT_EQ(test, rs->stats.pages_written, 3);
	KUNIT_EXPECT_EQ(test, rs->stats.image_bytes, out.offset);
	for (i = 0; i < 5 * PAGE_SIZE; i += PAGE_SIZE / 2 - 1) {
		KUNIT_ASSERT_EQ(test, get_user(got, (u8 __user *)addr + i), 0);
		KUNIT_EXPECT_EQ(test, got, want[i / PAGE_SIZE]);
	}
}

static struct kunit_case restart_cases[] = {
	KUNIT_CASE_PARAM(header, header_gen_params),
	KUNIT_CASE_PARAM(metadata, meta_gen_params),
	KUNIT_CASE_PARAM(tree, tree_gen_params),
	KUNIT_CASE_PARAM(payload, payload_gen_params),
	{ }
};

static struct kunit_suite restart_suite = {
	.name = "checkpoint_restart",
	.init = restart_init,
	.exit = restart_exit,
	.test_cases = restart_cases,
};

kunit_test_suite(restart_suite);
