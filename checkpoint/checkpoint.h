/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internals of checkpoint/restart.
 *
 * One object type, one file: checkpoint_x() writes the record of an x and
 * restore_x() reads it back, side by side.
 */
#ifndef _CHECKPOINT_CHECKPOINT_H
#define _CHECKPOINT_CHECKPOINT_H

#include <linux/checkpoint.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/generic-radix-tree.h>
#include <linux/hugetlb.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/sched/signal.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/checkpoint.h>
#include <uapi/linux/checkpoint_image.h>

#undef pr_fmt
#define pr_fmt(fmt) "checkpoint: " fmt

struct ckpt_cow;
struct cred;
struct files_struct;
struct fs_struct;
struct k_itimer;
struct mempolicy;
struct nsproxy;
struct pid_namespace;
struct seccomp_filter;
struct socket;

/* Of current, or of a task whose siglock or freeze keeps it from exiting. */
static inline struct sighand_struct *ckpt_sighand(struct task_struct *t)
{
	return rcu_dereference_raw(t->sighand);
}

/* ---- log.c: text for a person ------------------------------------- */

/**
 * struct ckpt_log - text that a call has to say, one line per reason
 * @file: where it goes, or NULL
 * @buf: collected text; written only while nothing is frozen
 * @len: bytes in @buf
 * @dropped: lines that did not fit
 * @lock: protects what is collected
 * @name: what ckpt_log_path() returned last
 */
struct ckpt_log {
	struct file *file;
	char *buf;
	size_t len;
	unsigned int dropped;
	spinlock_t lock; /* protects @buf, @len and @dropped */
	char name[512];
};

int ckpt_log_open(struct ckpt_log *log, int fd);
void ckpt_log_flush(struct ckpt_log *log);
void ckpt_log_close(struct ckpt_log *log);
__printf(2, 3) void ckpt_log(struct ckpt_log *log, const char *fmt, ...);
const char *ckpt_log_path(struct ckpt_log *log, const struct path *path);

/* ---- freeze.c ------------------------------------------------------ */

/**
 * struct ckpt_freezer - holds the tasks of one checkpoint
 * @ref: one for each task that is asked to freeze, one for the checkpoint
 * @pending: tasks that were asked and have not arrived
 * @thawed: tasks may go on
 * @wait: the checkpointer waits here for @pending to become 0
 * @thaw: the tasks sleep here
 */
struct ckpt_freezer {
	refcount_t ref;
	atomic_t pending;
	bool thawed;
	wait_queue_head_t wait;
	wait_queue_head_t thaw;
};

/*
 * Only SIGKILL wakes a frozen task. It is idle for the load average and may be
 * frozen by the system's freezer (suspend) on top.
 */
#define CKPT_FROZEN_STATE	(TASK_KILLABLE | TASK_NOLOAD | TASK_FREEZABLE)

struct ckpt_freezer *ckpt_freezer_alloc(void);
void ckpt_freezer_put(struct ckpt_freezer *fz);
int ckpt_freeze_task(struct ckpt_freezer *fz, struct task_struct *t);
int ckpt_freezer_wait(struct ckpt_freezer *fz, unsigned long timeout);
void ckpt_freezer_thaw(struct ckpt_freezer *fz);
void ckpt_freezer_arrived(struct ckpt_freezer *fz);
struct ckpt_freezer *ckpt_freeze_clear(struct task_struct *t);
bool ckpt_task_frozen(struct task_struct *t);
int ckpt_task_wait_off_cpu(struct task_struct *t);

/**
 * ckpt_loop_step - end one turn of a loop that may be long
 * @ret: what the turn has come to
 *
 * Lets others run, and lets a fatal signal end the loop.
 *
 * Context: may sleep.
 * Return: @ret if that is an error, else 0 or -EINTR.
 */
static inline int ckpt_loop_step(int ret)
{
	cond_resched();
	if (!ret && fatal_signal_pending(current))
		ret = -EINTR;
	return ret;
}

/* ---- objhash.c ----------------------------------------------------- */

/*
 * All types of shared objects, in one list: name in enums, record type, text.
 * The ops of each stand in the file that knows the type.
 */
#define CKPT_OBJ_TYPES(x)				\
	x(NS,		"namespace")			\
	x(CRED,		"credentials")			\
	x(PIPE,		"pipe")				\
	x(SECCOMP,	"seccomp filter")		\
	x(INODE,	"unnamed file")			\
	x(FILE,		"open file")			\
	x(LOCATION,	"directory")			\
	x(FILES,	"file table")			\
	x(FS,		"fs struct")			\
	x(SIGHAND,	"signal handlers")		\
	x(SIGNAL,	"process state")		\
	x(MM,		"address space")

#define CKPT_OBJ_ENUM(name, text) CKPT_OBJ_##name,
enum ckpt_obj_type {
	CKPT_OBJ_TYPES(CKPT_OBJ_ENUM)
	CKPT_OBJ_NR
};

struct ckpt_ctx;
struct ckpt_rec;
struct ckpt_member;
struct ckpt_restart;

/**
 * struct ckpt_obj_ops - a type of shared object
 * @rec_type: record that holds it in an image
 * @grab: take a reference; may not sleep
 * @drop: drop it; may sleep
 * @users: number of references that the object has now, or NULL if nobody
 *	counts
 * @collect: collect the objects that this one refers to; may sleep
 * @checkpoint: write the record; the object is held, its users are frozen,
 *	may sleep; runs once per object
 * @restore: make the object from its record, before the point of no return;
 *	current is the task that is being restored; returns it with one
 *	reference or an ERR_PTR(). May sleep
 *
 * All but @rec_type may be NULL where the type has no such thing.
 */
struct ckpt_obj_ops {
	enum ckpt_rec_type rec_type;
	void (*grab)(void *ptr);
	void (*drop)(void *ptr);
	long (*users)(void *ptr);
	int (*collect)(struct ckpt_ctx *ctx, void *ptr);
	int (*checkpoint)(struct ckpt_ctx *ctx, void *ptr, u32 objref);
	void *(*restore)(struct ckpt_restart *rs, const struct ckpt_rec *rec);
};

#define CKPT_OBJ_DECLARE(name, text) extern const struct ckpt_obj_ops ckpt_ops_##name;
CKPT_OBJ_TYPES(CKPT_OBJ_DECLARE)

const struct ckpt_obj_ops *ckpt_obj_ops(enum ckpt_obj_type type);
const char *ckpt_obj_name(enum ckpt_obj_type type);

/**
 * struct ckpt_obj - an object that a checkpoint has met
 * @node: in the hash
 * @list: among those of its type
 * @ptr: the object
 * @type: its type
 * @objref: its number in the image, from 1
 * @written: its record is there
 * @checked: it was looked at for what refuses
 * @has_fd: of an open file: a descriptor refers to it, not only mappings; or a
 *	shared mapping, if its inode is in the image; likewise of that inode
 * @readable: of an inode: an open file of the tree can read it
 * @shared: of an inode: somebody outside may write to it
 * @external: of an open file: it is not part of the tree, by the caller's word:
 *	index in ckpt_ctx.externals, plus one
 * @seen: references that the tree holds, found by the collect pass
 */
struct ckpt_obj {
	struct rhash_head node;
	struct list_head list;
	void *ptr;
	enum ckpt_obj_type type;
	u32 objref;
	bool written;
	bool checked;
	bool has_fd;
	bool readable;
	bool shared;
	u32 external;
	long seen;
};

#define CKPT_OBJ_RECENT_BITS	5

/**
 * struct ckpt_objhash - object to objref
 * @ht: by pointer
 * @of_type: &struct ckpt_obj of each type, in the order of their objrefs
 * @recent: some that were asked for, by hash_ptr(), or NULL: what tasks have in
 *	common they all refer to
 * @nr: highest objref
 */
struct ckpt_objhash {
	struct rhashtable ht;
	struct list_head of_type[CKPT_OBJ_NR];
	struct ckpt_obj *recent[1 << CKPT_OBJ_RECENT_BITS];
	u32 nr;
};

/* Those that are added meanwhile are met, too. */
#define ckpt_for_each_obj(ctx, obj_type, obj) \
	list_for_each_entry(obj, &(ctx)->objs.of_type[obj_type], list)

int ckpt_objhash_init(struct ckpt_objhash *hash);
void ckpt_objhash_destroy(struct ckpt_objhash *hash);
struct ckpt_obj *ckpt_obj_find(struct ckpt_objhash *hash, const void *ptr);
struct ckpt_obj *ckpt_obj_find_typed(struct ckpt_ctx *ctx, const void *ptr,
				     enum ckpt_obj_type type);
bool ckpt_first_look(struct ckpt_ctx *ctx, const void *ptr);
int ckpt_each_file(struct ckpt_ctx *ctx,
		   int (*fn)(struct ckpt_ctx *ctx, struct file *file, u32 objref));
struct ckpt_obj *ckpt_obj_get(struct ckpt_objhash *hash,
			      enum ckpt_obj_type type, void *ptr, bool *fresh);
int ckpt_obj_replace(struct ckpt_objhash *hash, struct ckpt_obj *obj, void *ptr);
void ckpt_obj_drop(struct ckpt_objhash *hash, struct ckpt_obj *obj);
struct ckpt_obj *ckpt_obj_collect(struct ckpt_ctx *ctx,
				  enum ckpt_obj_type type, void *ptr,
				  long refs, int *err);
u32 ckpt_obj_checkpoint(struct ckpt_ctx *ctx, enum ckpt_obj_type type,
			void *ptr, int *err);

/* ---- image_write.c ------------------------------------------------- */

/**
 * struct ckpt_meta - metadata that waits to be written
 * @chunks: &struct ckpt_chunk, records back to back
 * @bytes: length of all
 * @records: number of records
 */
struct ckpt_meta {
	struct list_head chunks;
	u64 bytes;
	u64 records;
};

/* As many entries as fit into one record of a page or so. */
#define CKPT_INDEX_BATCH	160

/**
 * struct ckpt_index_part - an INDEX record that waits to be written
 * @next: the next one, or NULL
 * @rec: the record
 * @entries: its entries, right behind it
 */
struct ckpt_index_part {
	struct ckpt_index_part *next;
	struct ckpt_rec_index rec;
	struct ckpt_index_entry entries[CKPT_INDEX_BATCH];
};

/**
 * struct ckpt_out - the image on its way out
 * @file: where it goes
 * @pos: position in @file
 * @offset: bytes of the image written
 * @records: records written
 * @pages: pages of payload written
 * @index: the first of the INDEX records, or NULL
 * @index_last: the last of them
 * @held: memory of CKPT_DIRECT_BYTES, or NULL without direct I/O
 * @nr_held: bytes in it that wait to become whole blocks
 */
struct ckpt_out {
	struct file *file;
	loff_t pos;
	u64 offset;
	u64 records;
	u64 pages;
	struct ckpt_index_part *index;
	struct ckpt_index_part *index_last;
	u8 *held;
	size_t nr_held;
};

/* So much of what is no payload goes directly at a time. */
#define CKPT_DIRECT_BYTES	((size_t)32 << 10)

void ckpt_meta_init(struct ckpt_meta *meta);
void ckpt_meta_free(struct ckpt_meta *meta);
void *ckpt_meta_add(struct ckpt_meta *meta, u32 type, size_t fixed, size_t var);
void ckpt_hdr_finish(struct ckpt_hdr *h);
u32 ckpt_pages_crc(struct page **pages, unsigned int nr);
struct bio_vec *ckpt_pages_bvec(struct page **pages, unsigned int nr,
				unsigned int *nr_bv);
bool ckpt_has_direct(const struct file *file);
int ckpt_out_open(struct ckpt_out *out, struct file *file);
int ckpt_out_bytes(struct ckpt_out *out, const void *buf, size_t len);
int ckpt_out_meta(struct ckpt_out *out, struct ckpt_meta *meta);
int ckpt_out_pages(struct ckpt_out *out, u32 objref, u32 flags,
		   const struct ckpt_page_run *runs, unsigned int nr_runs,
		   struct page **pages, unsigned int nr_pages);
int ckpt_out_cow(struct ckpt_out *out, u32 objref,
		 const struct ckpt_cow_run *runs, unsigned int nr_runs);
int ckpt_out_poison(struct ckpt_out *out, u32 objref,
		    const struct ckpt_page_run *runs, unsigned int nr_runs);
int ckpt_out_soft_dirty(struct ckpt_out *out, u32 objref,
			const struct ckpt_page_run *runs, unsigned int nr_runs);
int ckpt_out_finish(struct ckpt_out *out, u64 meta_offset, const u8 *uuid);
void ckpt_out_release(struct ckpt_out *out);

/* ---- image_read.c -------------------------------------------------- */

/**
 * struct ckpt_in - the image on its way in
 * @file: where it comes from
 * @pos: position in @file
 * @prefix: bytes that are in memory already: the caller has read them, or they
 *	were read ahead
 * @prefix_len: their number
 * @ahead: memory to read ahead into, or NULL
 * @looks_ahead: it is used
 * @direct: direct I/O; what is no payload is read ahead always
 * @offset: bytes of the image consumed
 * @records: records consumed
 */
struct ckpt_in {
	struct file *file;
	loff_t pos;
	u8 *prefix;
	u32 prefix_len;
	u8 *ahead;
	bool looks_ahead;
	bool direct;
	u64 offset;
	u64 records;
};

/**
 * struct ckpt_rec - a record in memory, checked and brought to this kernel's form
 * @h: the record: fixed part as long as this kernel knows it
 * @var: variable data behind the fixed part
 * @var_len: their length
 * @type: enum ckpt_rec_type
 * @offset: where it stood in the image
 */
struct ckpt_rec {
	const struct ckpt_hdr *h;
	const void *var;
	u32 var_len;
	u32 type;
	u64 offset;
};

#define ckpt_rec_as(rec, name) ((const struct ckpt_rec_##name *)(rec)->h)

void ckpt_in_open(struct ckpt_in *in, struct file *file, u32 prefix_len);
struct ckpt_rec *ckpt_in_record(struct ckpt_in *in, struct ckpt_log *log);
void ckpt_rec_free(struct ckpt_rec *rec);
int ckpt_in_look_ahead(struct ckpt_in *in, bool on);
int ckpt_in_skip_to_page(struct ckpt_in *in);
int ckpt_in_pages(struct ckpt_in *in, struct page **pages, unsigned int nr);
const char *ckpt_rec_name(u32 type);

/* ---- vfork.c -------------------------------------------------------- */

struct ckpt_task;

bool ckpt_vfork_over(struct ckpt_freezer *fz, struct task_struct *t);
void ckpt_relate_vfork(struct ckpt_ctx *ctx, struct ckpt_task *ct);
void ckpt_check_vfork(struct ckpt_ctx *ctx, const struct ckpt_task *ct);
int restore_vfork_check(struct ckpt_member *m);
void restore_vfork_commit(struct ckpt_member *m);
struct task_struct *restore_vfork_wait(struct ckpt_member *m);

/* ---- saving ---------------------------------------------------------- */

/**
 * struct ckpt_task - a task of the tree that is being saved
 * @t: the task, with a reference
 * @parent: index of its parent, CKPT_TREE_NO_PARENT for the root and for threads
 * @leader: index of its thread group leader
 * @threads: of a leader: how many other threads are in the tree
 * @vfork: 1 + index of the child of vfork() that it waits for, or 0
 * @waited: a task of the tree waits for it, a child of vfork()
 * @zombie: it had exited and stays until its parent has waited for it
 * @stack: a reference to its stack, and so to its registers, is held
 */
struct ckpt_task {
	struct task_struct *t;
	u32 parent;
	u32 leader;
	u32 threads;
	u32 vfork;
	bool waited;
	bool zombie;
	bool stack;
};

/**
 * struct ckpt_ctx - one checkpoint
 * @flags: CHECKPOINT_*
 * @log: text for the caller
 * @out: the image
 * @meta: metadata, captured while the tree is frozen
 * @objs: shared objects
 * @fz: holds the tree
 * @root_task: root of the tree
 * @root_pid: its pid, which outlives it
 * @tasks: all tasks once they are frozen; the root is the first
 * @nr_tasks: their number
 * @task_index: pid (of the machine) of a task to its place in @tasks
 * @outer: sessions and process groups that were looked at, see tree.c
 * @io_seen: I/O context in common to how many tasks of the tree have it
 * @io_first: likewise to the index of the first of them, plus one
 * @core_first: core scheduling cookie to the index, plus one, of the first task
 *	that has it
 * @task: the one whose records are being written
 * @timers: POSIX timers of its process whose signal is queued, by id
 * @inodes: objref of an inode to &struct ckpt_reader
 * @cow: what is known of pages in common, or NULL
 * @dup: the address spaces in @objs are duplicates, see mm_dup.c
 * @root: root directory of the root task
 * @externals: files that are not part of the tree
 * @nr_externals: their number
 * @path_buf: a path, of ckpt_is_external(); NULL if there are no @externals
 * @relink_dir: where deleted files get a name, or NULL
 * @relinked: &struct ckpt_relinked
 * @refusals: reasons found that refuse the checkpoint
 * @why: text of a reason that has numbers in it
 * @uuid: of the image
 * @id: of the checkpoint
 * @freeze_start: ktime_get() when the first task was asked to stop
 * @freeze_timeout: in jiffies
 * @stats: for the caller
 */
struct ckpt_ctx {
	unsigned long flags;
	struct ckpt_log log;
	struct ckpt_out out;
	struct ckpt_meta meta;
	struct ckpt_objhash objs;
	struct ckpt_freezer *fz;
	struct task_struct *root_task;
	struct pid *root_pid;
	struct ckpt_task *tasks;
	unsigned int nr_tasks;
	struct xarray task_index;
	struct xarray outer;
	struct xarray io_seen;
	struct xarray io_first;
	struct xarray core_first;
	const struct ckpt_task *task;
	struct xarray timers;
	struct xarray inodes;
	struct ckpt_cow *cow;
	bool dup;
	struct path root;
	struct ckpt_external *externals;
	u32 nr_externals;
	char *path_buf;
	struct file *relink_dir;
	struct list_head relinked;
	unsigned int refusals;
	char why[512];
	u8 uuid[CKPT_UUID_LEN];
	u64 id;
	ktime_t freeze_start;
	unsigned long freeze_timeout;
	struct ckpt_stats stats;
};

/**
 * ckpt_rec_new - add a record to the metadata
 * @ctx: the checkpoint
 * @name: the struct is struct ckpt_rec_<name>
 * @type: enum ckpt_rec_type
 * @var: bytes of variable data
 *
 * Return: the record, zeroed but for its header, or NULL without memory. It
 * stays where it is until it is written.
 */
#define ckpt_rec_new(ctx, name, type, var)				\
	((struct ckpt_rec_##name *)ckpt_meta_add(&(ctx)->meta, type,	\
			sizeof(struct ckpt_rec_##name), var))

/* The variable data of a record that is being written. */
#define ckpt_rec_var(rec)	((void *)((rec) + 1))

__printf(3, 4) int ckpt_refuse(struct ckpt_ctx *ctx, struct task_struct *t,
			       const char *fmt, ...);
long ckpt_do_checkpoint(struct ckpt_ctx *ctx, pid_t pid);
int ckpt_may_save(struct ckpt_ctx *ctx, struct task_struct *t);

/* ---- tree.c -------------------------------------------------------------- */

bool ckpt_refuse_traced(struct ckpt_ctx *ctx, struct task_struct *t);
int ckpt_freeze_tree(struct ckpt_ctx *ctx);
int ckpt_task_index(struct ckpt_ctx *ctx, struct task_struct *t);
struct task_struct *ckpt_tree_killed(struct ckpt_ctx *ctx);
void ckpt_kill_tasks(struct ckpt_task *tasks, unsigned int nr);
void ckpt_put_tasks(struct ckpt_task *tasks, unsigned int nr);
int checkpoint_tree(struct ckpt_ctx *ctx);

/* ---- restoring ------------------------------------------------------- */

/**
 * struct ckpt_inherit - a file of the restarter for a file of the image
 * @key: which file, or NULL: what descriptor @saved_fd is
 * @saved_fd: the descriptor, else -1
 * @objref: the open file in the image that it takes the place of, by descriptor
 * @file: the file
 * @used: it took the place of something
 * @locked: locks of the image were taken by it, see restore_locks_undo()
 */
struct ckpt_inherit {
	char *key;
	int saved_fd;
	u32 objref;
	struct file *file;
	bool used;
	bool locked;
};

/**
 * struct ckpt_robj - an object of the image
 * @rec: its record
 * @part: of an open file or inode: what else the image says of it, or NULL
 * @fowner: likewise its FOWNER record, or NULL
 * @user: of signal handlers: the first task that has them
 * @index: index of the record in ckpt_restart.recs
 * @ptr: the object once it is made
 * @type: of @ptr
 * @state: an object refers only to those before it, so that none is waited for
 */
struct ckpt_robj {
	const struct ckpt_rec *rec;
	const struct ckpt_rec *part;
	const struct ckpt_rec *fowner;
	struct ckpt_member *user;
	unsigned long index;
	enum ckpt_obj_type type;
	enum { CKPT_ROBJ_ABSENT, CKPT_ROBJ_BUSY, CKPT_ROBJ_READY } state;
	void *ptr;
};

/**
 * struct ckpt_times - share of the threads in what their process has used
 * @utime: user CPU time, ns
 * @stime: system CPU time, ns
 * @run_ns: CPU time as the scheduler counts it
 * @min_flt: page faults without I/O
 * @maj_flt: page faults with I/O
 * @nvcsw: voluntary context switches
 * @nivcsw: involuntary context switches
 */
struct ckpt_times {
	u64 utime;
	u64 stime;
	u64 run_ns;
	u64 min_flt;
	u64 maj_flt;
	u64 nvcsw;
	u64 nivcsw;
};

/**
 * struct ckpt_member - a task of the image, and who turns into it
 * @rs: the restart
 * @index: its place in the tree
 * @t: the task that has joined, with a reference, or NULL
 * @tree_task: its TREE_TASK record
 * @task: its TASK record
 * @pending: SIGPENDING records: of the thread, of the process
 * @queue: the signals of these, ready to be queued
 * @timers: TIMERS record of its process, with the first that lives
 * @made_timers: id to timer, made and not in use yet
 * @timers_room: for ckpt_timers_visit(), until the restart is over
 * @queued_timers: timers whose signal is in @queue, by its place
 * @block: its RESTART_BLOCK record, or NULL
 * @cpu: its X86_CPU record
 * @xstate: its X86_XSTATE record
 * @sighand: SIGHAND record of its process
 * @signal: SIGNAL record of its process
 * @had: of a leader: what threads of its process have got so far
 * @threads: of a leader: how many other threads the image has
 * @children: of a leader: how many children the image has
 * @speaks: the first of its process that lives: it restores what threads share
 * @old_mm: the restarter's address space, while it is not current's
 * @mm: the new address space, which current runs on already
 * @adopts: the new address space, made by another
 * @files: the new file table
 * @fs: the new fs struct
 * @nsproxy: the new namespaces, or NULL: they stay
 * @cred: the new credentials
 * @joins: who has the signal handlers that its process is to have, NULL: itself
 * @io: who has the I/O context that it is to have, NULL: itself
 * @old_sched: how the restarter was scheduled, when it is no more, or NULL
 * @seccomp: newest of its filters, which the restart keeps, or NULL
 * @policy: its MEMPOLICY record, or NULL
 * @old_policy: the restarter's memory policy, with @has_policy
 * @has_policy: the policy of the image is in force
 * @vfork_child: the child of vfork() that it waits for, or NULL
 * @vfork_pid: the pid of this child, as it sees it
 * @vfork: how it is told that the child is done: on its stack, while it waits
 * @waiter: who waits for it, a child of vfork(), or NULL
 * @block_copy: contents of @block, for after the records are gone
 * @turn: completed when it is to restore its part
 */
struct ckpt_member {
	struct ckpt_restart *rs;
	u32 index;
	struct task_struct *t;
	const struct ckpt_rec *tree_task;
	const struct ckpt_rec *task;
	const struct ckpt_rec *pending[2];
	struct sigpending queue[2];
	const struct ckpt_rec *timers;
	struct xarray made_timers;
	struct k_itimer **timers_room;
	struct xarray queued_timers;
	const struct ckpt_rec *block;
	const struct ckpt_rec *cpu;
	const struct ckpt_rec *xstate;
	const struct ckpt_rec *sighand;
	const struct ckpt_rec *signal;
	struct ckpt_times had;
	u32 threads;
	u32 children;
	bool speaks;
	struct mm_struct *old_mm;
	struct mm_struct *mm;
	struct mm_struct *adopts;
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct cred *cred;
	struct ckpt_member *joins;
	struct ckpt_member *io;
	struct ckpt_rec_task *old_sched;
	struct seccomp_filter *seccomp;
	const struct ckpt_rec *policy;
	struct mempolicy *old_policy;
	bool has_policy;
	struct ckpt_member *vfork_child;
	pid_t vfork_pid;
	struct completion *vfork;
	struct ckpt_member *waiter;
	struct ckpt_rec_restart_block block_copy;
	struct completion turn;
};

/**
 * struct ckpt_tally - what has been read, to be compared with index and tail
 * @pages: pages of payload
 * @chunks: PAGES records
 * @chunks_crc: checksum of what their index entries must be
 * @indexed: entries in the INDEX records so far
 * @index_crc: checksum of these
 * @index_offset: offset of the first INDEX record
 */
struct ckpt_tally {
	u64 pages;
	u64 chunks;
	u32 chunks_crc;
	u64 indexed;
	u32 index_crc;
	u64 index_offset;
};

/**
 * enum ckpt_phase - where a restart of a tree is
 * @CKPT_PHASE_ENTER: members join
 * @CKPT_PHASE_BUILD: one after the other restores its part
 * @CKPT_PHASE_ZOMBIES: those that were dead die
 * @CKPT_PHASE_COMMIT: the point of no return: members turn into the tasks
 * @CKPT_PHASE_RELEASE: they go on
 * @CKPT_PHASE_FAILED: all members die
 */
enum ckpt_phase {
	CKPT_PHASE_ENTER,
	CKPT_PHASE_BUILD,
	CKPT_PHASE_ZOMBIES,
	CKPT_PHASE_COMMIT,
	CKPT_PHASE_RELEASE,
	CKPT_PHASE_FAILED,
};

/**
 * struct ckpt_huge - a huge page that is being read, see huge.c
 * @begun: there is one
 * @addr: its address
 * @folio: the page, or NULL: it becomes small pages
 * @there: which of its pages have their contents
 */
struct ckpt_huge {
	bool begun;
	unsigned long addr;
	struct folio *folio;
	DECLARE_BITMAP(there, CKPT_HUGE_NR);
};

/**
 * struct ckpt_rec_slot - one of many records in a row
 * @rec: the record
 */
struct ckpt_rec_slot {
	struct ckpt_rec *rec;
};

/* All types that this kernel knows are below. */
#define CKPT_REC_TYPES_MAX	128

/**
 * struct ckpt_restart - one restart
 * @recs: all metadata records in order, by index
 * @ref: references: the coordinator's and one of each member
 * @flags: RESTART_*
 * @log: text for the caller
 * @in: the image
 * @nr_recs: number of @recs
 * @met: types of records that are there
 * @huge_vmas: some VMA records are of huge pages from a pool
 * @nr_vmas: VMA records less what MM records have announced
 * @objs: objref to &struct ckpt_robj
 * @hdr: the HEADER record
 * @features: the X86_FEATURES record, or NULL
 * @tree: the TREE record
 * @members: index to &struct ckpt_member
 * @nr_members: TREE_TASK records so far
 * @last: the member whose TASK record was the last
 * @me: the member that restores its part
 * @next: a record that was read and not used, or NULL
 * @tally: what was read of the payload
 * @huge: huge page that is being read
 * @done_file: gets a byte at commit, or NULL
 * @inherit: files of the restarter
 * @nr_inherit: their number
 * @root: directory that paths of the image are relative to
 * @stats: for the caller
 * @max_objref: the highest objref
 * @stats_len: how much of @stats goes to @done_file
 * @start: ktime_get() at the start
 * @meta_offset: offset of the META_END record
 * @prefix: start of the bytes that @in takes from memory
 * @committed: past the point of no return
 * @lock: protects @phase and joining
 * @phase: enum ckpt_phase
 * @wait: members wait here for @phase
 * @progress: the coordinator waits here for @joined and @left
 * @cred: of who began it; members have the same rights
 * @pid_ns: of who began it
 * @seccomp: filters of who began it, which stay; members have the same
 * @running: there is a coordinator
 * @joined: members that have come
 * @left: members that have still to do what the phase asks
 * @err: what @phase failed with
 * @pipes: objref to a file that keeps the pipe
 * @inodes: objref to a file that keeps the inode
 * @dead: processes that are no more: number in the image to struct pid
 * @late: records that are for when all objects are there: EPOLL, FOWNER,
 *	LOCKS, UNIX_MSG, UNIX_SOCK
 * @nr_late: their number
 * @stand_ins: objref of a socket to who is its other end for the time being
 * @pids: pid in the image to index, of leaders
 * @ghosts: ids whose leader is gone: number in the image to struct pid
 * @families: number to &struct ckpt_family, see cow_restore.c
 */
struct ckpt_restart {
	GENRADIX(struct ckpt_rec_slot)
		recs;
	refcount_t ref;
	unsigned long flags;
	struct ckpt_log log;
	struct ckpt_in in;
	unsigned long nr_recs;
	DECLARE_BITMAP(met, CKPT_REC_TYPES_MAX);
	bool huge_vmas;
	long nr_vmas;
	struct xarray objs;
	const struct ckpt_rec *hdr;
	const struct ckpt_rec *features;
	const struct ckpt_rec *tree;
	struct xarray members;
	u32 nr_members;
	struct ckpt_member *last;
	struct ckpt_member *me;
	struct ckpt_rec *next;
	struct ckpt_tally tally;
	struct ckpt_huge huge;
	struct file *done_file;
	struct ckpt_inherit *inherit;
	unsigned int nr_inherit;
	struct path root;
	struct ckpt_stats stats;
	u32 max_objref;
	u32 stats_len;
	ktime_t start;
	u64 meta_offset;
	void *prefix;
	bool committed;
	struct mutex lock; /* protects phase and joining */
	enum ckpt_phase phase;
	wait_queue_head_t wait;
	wait_queue_head_t progress;
	const struct cred *cred;
	struct pid_namespace *pid_ns;
	struct seccomp_filter *seccomp;
	bool running;
	u32 joined;
	atomic_t left;
	int err;
	struct xarray pipes;
	struct xarray inodes;
	struct xarray dead;
	struct xarray late;
	unsigned long nr_late;
	struct xarray stand_ins;
	struct xarray pids;
	struct xarray ghosts;
	struct xarray families;
};

__printf(4, 5) int ckpt_bad(struct ckpt_restart *rs, const struct ckpt_rec *rec,
			    int err, const char *fmt, ...);
void *ckpt_obj_restore(struct ckpt_restart *rs, enum ckpt_obj_type type,
		       u32 objref);
const struct ckpt_rec *ckpt_rec_at(struct ckpt_restart *rs, unsigned long index);
const struct ckpt_rec *ckpt_obj_rec(struct ckpt_restart *rs,
				    enum ckpt_obj_type type, u32 objref);
struct ckpt_member *ckpt_member(struct ckpt_restart *rs, u32 index);
struct ckpt_member *ckpt_sighand_user(struct ckpt_restart *rs, u32 objref);

static inline const struct ckpt_rec_tree_task *
ckpt_tree_rec(const struct ckpt_member *m)
{
	return ckpt_rec_as(m->tree_task, tree_task);
}

/* Had it exited when it was saved? */
static inline bool ckpt_is_zombie(const struct ckpt_member *m)
{
	return ckpt_tree_rec(m)->flags & CKPT_TREE_ZOMBIE;
}

static inline bool ckpt_is_leader(const struct ckpt_member *m)
{
	return ckpt_tree_rec(m)->leader == m->index;
}

/* Who turns into it. A lone task that restores itself has joined nobody. */
static inline struct task_struct *ckpt_member_task(const struct ckpt_member *m)
{
	return m->t ?: current;
}

void ckpt_robj_free(struct ckpt_robj *obj);

/* ---- restart_image.c: the metadata -------------------------------------- */

typedef void ckpt_part_fn(struct ckpt_restart *rs, const struct ckpt_rec *part,
			  struct file *file);

void ckpt_part_each(struct ckpt_restart *rs, u32 type, ckpt_part_fn *fn);

typedef int ckpt_late_fn(struct ckpt_restart *rs, const struct ckpt_rec *r);

int ckpt_late_each(struct ckpt_restart *rs, u32 type, ckpt_late_fn *fn);
int ckpt_read_meta(struct ckpt_restart *rs);
int ckpt_check_image(struct ckpt_restart *rs);
bool ckpt_same_boot(struct ckpt_restart *rs);
int ckpt_check_records(struct ckpt_member *m);

/* ---- restart.c: a task, restart_tree.c: many ----------------------------- */

struct ckpt_restart *ckpt_restart_alloc(unsigned long flags);
void ckpt_restart_put(struct ckpt_restart *rs);
int ckpt_restart_begin(struct ckpt_restart *rs);
long ckpt_restart_failed(struct ckpt_restart *rs, long ret);
int ckpt_member_build(struct ckpt_member *m);
void ckpt_member_commit(struct ckpt_member *m);
long ckpt_member_finish(struct ckpt_member *m);
void ckpt_member_release(struct ckpt_member *m);
void ckpt_restart_start(struct ckpt_restart *rs);
void ckpt_restart_resume(struct ckpt_member *m);
long ckpt_restart_self(struct ckpt_restart *rs);
long ckpt_restart_member(struct ckpt_restart *rs, u32 index);
long ckpt_restart_run(struct ckpt_restart *rs);
void ckpt_restart_cancel(struct ckpt_restart *rs, const char *why);

/* ---- collect.c --------------------------------------------------------- */

int ckpt_collect(struct ckpt_ctx *ctx);
int ckpt_check_leaks(struct ckpt_ctx *ctx);
int ckpt_check_output(struct ckpt_ctx *ctx);
void ckpt_file_holder(struct ckpt_ctx *ctx, struct file *file, char *who,
		      size_t size);

/* ---- task.c ------------------------------------------------------------ */

const char *ckpt_task_problem(struct task_struct *t, unsigned int n);
void ckpt_check_task(struct ckpt_ctx *ctx, const struct ckpt_task *ct);
int checkpoint_task(struct ckpt_ctx *ctx, const struct ckpt_task *ct);
int restore_task_check(struct ckpt_member *m);
void restore_task_commit(struct ckpt_member *m);

/* ---- pidns.c ----------------------------------------------------------- */

void ckpt_check_pidns(struct ckpt_ctx *ctx, struct task_struct *t,
		      struct pid_namespace *children);
int ckpt_check_strangers(struct ckpt_ctx *ctx);
u32 ckpt_pid_levels(struct ckpt_ctx *ctx, struct pid *pid);
void checkpoint_pidns(struct ckpt_ctx *ctx, struct task_struct *t,
		      struct pid *pid, struct ckpt_rec_tree_task *rec);
bool ckpt_image_is_container(struct ckpt_restart *rs);
int ckpt_check_pidns_records(struct ckpt_member *m);
int ckpt_check_pids(struct ckpt_member *m);
struct pid *ckpt_alloc_ghost(struct ckpt_member *m, bool of_session);
int restore_pidns(struct ckpt_member *m);
void restore_pidns_commit(struct ckpt_member *m);

/* ---- signal.c ---------------------------------------------------------- */

void ckpt_check_signal(struct ckpt_ctx *ctx, struct task_struct *t);
int checkpoint_sigpending(struct ckpt_ctx *ctx, struct task_struct *t,
			  bool shared);
void restore_zombie_times(struct ckpt_member *m);
int restore_signal_check(struct ckpt_member *m);
void restore_signal_commit(struct ckpt_member *m);
int restore_sighands(struct ckpt_restart *rs);
void restore_signal_finish(struct ckpt_member *m);
void restore_signal_release(struct ckpt_member *m);

/* ---- timers.c ---------------------------------------------------------- */

void ckpt_check_timers(struct ckpt_ctx *ctx, struct task_struct *t);
int checkpoint_timers(struct ckpt_ctx *ctx, struct task_struct *t);
bool ckpt_timer_at(struct ckpt_ctx *ctx, const struct sigqueue *q, u32 place);
int restore_timers_prepare(struct ckpt_member *m);
struct k_itimer *restore_timer_at(struct ckpt_member *m, bool shared, u32 place);
int restore_timers_queued(struct ckpt_member *m);
void restore_timers_commit(struct ckpt_member *m);
void restore_timers_start(struct ckpt_member *m);
void restore_timers_release(struct ckpt_member *m);

/* ---- files.c, file.c --------------------------------------------------- */

void ckpt_grab_tables(struct task_struct *t, struct files_struct **files,
		      struct fs_struct **fs);
void ckpt_drop_tables(struct files_struct *files, struct fs_struct *fs);
void ckpt_check_files(struct ckpt_ctx *ctx, struct task_struct *t);
__printf(4, 5) void ckpt_check_file(struct ckpt_ctx *ctx, struct task_struct *t,
				    struct file *file, const char *fmt, ...);
void ckpt_check_fs(struct ckpt_ctx *ctx, struct task_struct *t);

const struct ckpt_rec *ckpt_file_part(struct ckpt_restart *rs,
				      const struct ckpt_rec *r);
const struct cred *ckpt_file_cred(struct ckpt_restart *rs, u32 objref);
bool ckpt_plain_fs(const struct super_block *sb);
bool ckpt_chr_allowed(dev_t dev);
bool ckpt_tty_allowed(dev_t dev);

/* ---- path.c -------------------------------------------------------------- */

const char *ckpt_path_problem(struct ckpt_ctx *ctx, const struct path *path,
			      const struct path *root);
int ckpt_file_facts(const struct path *path, struct ckpt_rec_file *rec);
struct ckpt_rec_file *ckpt_new_file_named(struct ckpt_ctx *ctx, const char *name);
struct ckpt_rec_file *ckpt_new_file(struct ckpt_ctx *ctx, const struct path *path,
				    const struct path *root);
int checkpoint_path(struct ckpt_ctx *ctx, const struct path *path,
		    const struct path *root, u32 *objref);
struct file *ckpt_open_path(struct ckpt_restart *rs, const struct ckpt_rec *r,
			    int flags);

/* ---- external.c ---------------------------------------------------------- */

/**
 * struct ckpt_external - files that are not part of the tree, by their key
 * @key: as the caller has said it
 * @dev: of "dev:MAJOR:MINOR", else 0
 * @file: of "fd:N", to be compared only, else NULL
 * @fd: likewise N, else -1
 * @used: there is such a file
 */
struct ckpt_external {
	char *key;
	dev_t dev;
	const struct file *file;
	int fd;
	bool used;
};

int ckpt_external_parse(struct ckpt_log *log, struct ckpt_external *ext);
void ckpt_externals_begin(struct ckpt_ctx *ctx);
void ckpt_externals_unused(struct ckpt_ctx *ctx);
void ckpt_externals_free(struct ckpt_ctx *ctx);
void ckpt_collect_external(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_is_external(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_external_name(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_external(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_external(struct ckpt_restart *rs, const struct ckpt_rec *r);
struct file *restore_replaced(struct ckpt_restart *rs, const struct ckpt_rec *r);
int restore_inherited_check(struct ckpt_restart *rs, u32 objref,
			    struct file *file);
struct ckpt_inherit *ckpt_inherited_by(struct ckpt_restart *rs, u32 objref);
void restore_inherited_unused(struct ckpt_restart *rs);

/* ---- advice.c ------------------------------------------------------------ */

void checkpoint_advice(struct file *file, struct ckpt_rec_file *rec);
bool ckpt_advice_valid(const struct ckpt_rec_file *rec);
void restore_advice(const struct ckpt_rec_file *rec, struct file *file);

/* ---- inode.c ------------------------------------------------------------ */

/*
 * The inode that the program has opened. What is mapped of a stackable file
 * system (overlayfs) is another file, below it: file_user_path() is the place
 * where the program knows it.
 */
static inline struct inode *ckpt_file_inode(const struct file *file)
{
	return (struct inode *)file_user_inode(file);
}

#define CKPT_MEMFD_PREFIX	"memfd:"
#define CKPT_SEALS		(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | \
				 F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |	\
				 F_SEAL_EXEC)

void ckpt_file_path(struct file *file, struct path *path);
bool ckpt_is_shmem(struct file *file);
bool ckpt_is_inode(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_is_inode_made(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_inode_problem(struct ckpt_ctx *ctx, struct file *file);
int ckpt_collect_inode(struct ckpt_ctx *ctx, struct file *file);
void ckpt_inode_in_use(struct ckpt_ctx *ctx, struct ckpt_obj *file);
u32 checkpoint_inode(struct ckpt_ctx *ctx, struct file *file, int *err);
unsigned int *ckpt_inode_seals(struct file *file);

/* ---- inode_restore.c ------------------------------------------------------ */

void *restore_inode(struct ckpt_restart *rs, const struct ckpt_rec *r);
int restore_inodes(struct ckpt_restart *rs);
struct file *restore_inode_file(struct ckpt_restart *rs,
				const struct ckpt_rec *r);
struct file *restore_inode_fifo(struct ckpt_restart *rs, const struct ckpt_rec *r,
				int flags);
bool restore_inode_keeps(struct ckpt_restart *rs, const struct ckpt_rec_vma *rec,
			 struct file *file);
bool restore_inode_unseal(struct ckpt_restart *rs, const struct ckpt_rec_vma *rec,
			  struct file *file);
void restore_inode_seal(struct file *file);
void restore_inodes_done(struct ckpt_restart *rs);

/* ---- inode_data.c -------------------------------------------------------- */

int checkpoint_inode_contents(struct ckpt_ctx *ctx, struct file *file,
			      u32 objref, u64 size);
int checkpoint_inodes_payload(struct ckpt_ctx *ctx);
void checkpoint_inodes_done(struct ckpt_ctx *ctx);
struct ckpt_sink;
int restore_inode_tail_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     const struct ckpt_page_run *run, struct page **pages,
			     const struct ckpt_sink *sink);
int restore_inode_contents(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct file *file);

/* ---- shmem.c --------------------------------------------------------------- */

struct folio *ckpt_shmem_folio(struct inode *inode, pgoff_t index);
int restore_shmem_get(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      const struct ckpt_page_run *run, struct page **pages,
		      const struct ckpt_sink *sink);
int restore_shmem_run(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      const struct ckpt_page_run *run, struct page **pages,
		      const struct ckpt_sink *sink);

/* ---- relink.c ------------------------------------------------------------- */

int checkpoint_relink(struct ckpt_ctx *ctx, struct file *file, u32 objref);
int ckpt_relink_sync(struct ckpt_ctx *ctx);
void ckpt_relink_end(struct ckpt_ctx *ctx, bool failed);
int restore_relinked(struct ckpt_restart *rs, const struct ckpt_rec *r,
		     const struct ckpt_rec *part, struct file *file);

/* ---- xattr.c ---------------------------------------------------------------- */

/**
 * struct ckpt_xattrs - extended attributes as they stand in the record
 * @buf: the attributes
 * @len: what is used of it
 * @nr: number of attributes
 */
struct ckpt_xattrs {
	u8 *buf;
	u32 len;
	u32 nr;
};

const char *ckpt_xattr_problem(struct ckpt_ctx *ctx, struct file *file);
int ckpt_xattrs_get(struct ckpt_xattrs *xattrs, struct file *file);
int restore_xattrs_check(struct ckpt_restart *rs, const struct ckpt_rec *r);
int restore_xattrs(struct ckpt_restart *rs, const struct ckpt_rec *r,
		   struct file *file);

bool ckpt_is_tty(struct file *file);
struct file *ckpt_next_fd(struct files_struct *files, unsigned int *fd);

/* ---- locks.c ------------------------------------------------------------ */

const char *ckpt_locks_problem(struct ckpt_ctx *ctx, struct task_struct *t,
			       struct file *file);
bool ckpt_is_output(struct ckpt_ctx *ctx, const void *file);
int checkpoint_locks(struct ckpt_ctx *ctx);
int restore_locks(struct ckpt_restart *rs);
void restore_locks_undo(struct ckpt_restart *rs);

/* ---- fowner.c ----------------------------------------------------------- */

const char *ckpt_fowner_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_fowners(struct ckpt_ctx *ctx);
int restore_fowners(struct ckpt_restart *rs);
void restore_fowners_start(struct ckpt_restart *rs);

/* ---- eventfd.c ---------------------------------------------------------- */

bool ckpt_is_eventfd(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_eventfd(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_eventfd(struct ckpt_restart *rs, const struct ckpt_rec *r);

/* ---- timerfd.c ---------------------------------------------------------- */

bool ckpt_is_timerfd(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_timerfd(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_timerfd(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_timerfds_start(struct ckpt_restart *rs);

/* ---- signalfd.c --------------------------------------------------------- */

bool ckpt_is_signalfd(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_signalfd(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_signalfd(struct ckpt_restart *rs, const struct ckpt_rec *r);

/* ---- epoll.c ------------------------------------------------------------ */

bool ckpt_is_epoll(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_epoll_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_epolls(struct ckpt_ctx *ctx);
struct file *restore_epoll(struct ckpt_restart *rs, const struct ckpt_rec *r);
struct file *ckpt_linked_file(struct ckpt_restart *rs, u32 objref, bool *fresh);
int restore_epolls(struct ckpt_restart *rs);
void restore_epolls_start(struct ckpt_restart *rs);

/* ---- pidfd.c ------------------------------------------------------------ */

int ckpt_pid_task(struct ckpt_ctx *ctx, struct pid *pid);
struct pid *ckpt_dead_pid(struct ckpt_restart *rs, u64 id, pid_t nr);
struct pid *ckpt_outside_pid(struct ckpt_restart *rs, u64 id, pid_t nr);
bool ckpt_is_pidfd(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_pidfd_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_pidfd(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_pidfd(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_pidfds_done(struct ckpt_restart *rs);

/* ---- cred.c -------------------------------------------------------------- */

bool ckpt_uid_allowed(const struct cred *old, kuid_t uid, bool cap);
bool ckpt_gid_allowed(const struct cred *old, kgid_t gid, bool cap);

/* ---- socket.c, unix.c ---------------------------------------------------- */

const char *ckpt_family_problem(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_sock_problem(struct ckpt_ctx *ctx, struct socket *sock);
void ckpt_save_sock(const struct socket *sock, struct ckpt_sock *out);
bool ckpt_save_sock_pid(struct ckpt_ctx *ctx, struct pid *pid,
			struct ckpt_sock_pid *out);
int restore_sock_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       const struct ckpt_sock *saved);
int restore_sock(struct ckpt_restart *rs, const struct ckpt_rec *r,
		 struct socket *sock, const struct ckpt_sock *saved);
struct pid *restore_sock_pid(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     const struct ckpt_sock_pid *saved);

bool ckpt_is_unix(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_unix_problem(struct ckpt_ctx *ctx, struct file *file);
int ckpt_collect_in_flight(struct ckpt_ctx *ctx);
int ckpt_check_in_flight(struct ckpt_ctx *ctx);
int checkpoint_unix(struct ckpt_ctx *ctx, struct file *file, u32 objref);
int checkpoint_unix_queues(struct ckpt_ctx *ctx);
struct file *restore_unix(struct ckpt_restart *rs, const struct ckpt_rec *r);
int restore_unix_links(struct ckpt_restart *rs);
void restore_unix_done(struct ckpt_restart *rs);

/* ---- pipe.c -------------------------------------------------------------- */

bool ckpt_is_pipe(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_is_fifo(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_is_deleted_fifo(struct ckpt_ctx *ctx, struct file *file);
void *ckpt_pipe_of(struct inode *inode);
struct inode *ckpt_pipe_inode(const void *ptr);
bool ckpt_fifo_unpaired(struct file *file);
const char *ckpt_pipe_problem(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_deleted_fifo_problem(struct ckpt_ctx *ctx, struct file *file);
int ckpt_collect_pipe(struct ckpt_ctx *ctx, struct file *file);
struct file *restore_pipe_end(struct ckpt_restart *rs, const struct ckpt_rec *r);
struct file *restore_fifo_end(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_pipes_done(struct ckpt_restart *rs);

/* ---- seccomp.c ----------------------------------------------------------- */

int ckpt_may_save_seccomp(struct ckpt_ctx *ctx, struct task_struct *t);
void ckpt_check_seccomp(struct ckpt_ctx *ctx, struct task_struct *t);
int checkpoint_seccomp(struct ckpt_ctx *ctx, struct task_struct *t, u32 *objref);
int ckpt_check_own_seccomp(struct ckpt_restart *rs);
int restore_seccomp(struct ckpt_member *m);
void restore_seccomp_commit(struct ckpt_member *m);

/* ---- sched.c --------------------------------------------------------------- */

bool ckpt_has_policy(struct task_struct *t);
bool ckpt_shares_io(struct task_struct *t);
int ckpt_collect_io(struct ckpt_ctx *ctx, struct task_struct *t);
void ckpt_check_io(struct ckpt_ctx *ctx, struct task_struct *t);
void checkpoint_sched(struct task_struct *t, struct ckpt_rec_task *rec);
int checkpoint_io(struct ckpt_ctx *ctx, struct task_struct *t,
		  struct ckpt_rec_task *rec);
int restore_check_sched(struct ckpt_member *m);
int restore_io(struct ckpt_member *m);
int restore_sched_build(struct ckpt_member *m);
int checkpoint_core(struct ckpt_ctx *ctx, struct task_struct *t,
		    struct ckpt_rec_task *rec);
int restore_core(struct ckpt_member *m);
void restore_sched_abort(struct ckpt_member *m);
void restore_sched_commit(struct ckpt_member *m);

/* ---- vma.c --------------------------------------------------------------- */

void ckpt_check_vma(struct ckpt_ctx *ctx, struct task_struct *t,
		    struct vm_area_struct *vma);
int checkpoint_vmas(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 mm_ref,
		    struct ckpt_rec_mm *rec);
const struct ckpt_rec *ckpt_next_vma(struct ckpt_restart *rs,
				     unsigned long *index,
				     const struct ckpt_rec **policy);
int restore_vmas(struct ckpt_restart *rs, const struct ckpt_rec *r,
		 unsigned long index);
int restore_vmas_late(struct ckpt_restart *rs, const struct ckpt_rec *r,
		      unsigned long index);

/* ---- limits.c ------------------------------------------------------------ */

int ckpt_check_map_count(struct ckpt_restart *rs, const struct ckpt_rec *r);
int ckpt_bad_memory(struct ckpt_restart *rs, const struct ckpt_rec *r,
		    const char *what);

/* ---- mempolicy.c --------------------------------------------------------- */

int checkpoint_vma_policy(struct ckpt_ctx *ctx, const struct mempolicy *pol,
			  u32 mm_ref);
int checkpoint_task_policy(struct ckpt_ctx *ctx, struct task_struct *t);
int checkpoint_inode_policies(struct ckpt_ctx *ctx, struct inode *inode,
			      u32 objref);
int restore_inode_policies(struct ckpt_restart *rs, const struct ckpt_rec *r,
			   struct file *file);
int restore_vma_policy(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       const struct ckpt_rec_vma *vma);
int restore_vma_home_node(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_rec_vma *vma);
int restore_task_policy(struct ckpt_member *m);
void restore_task_policy_abort(struct ckpt_member *m);
void restore_task_policy_commit(struct ckpt_member *m);

/* ---- cputime.c ------------------------------------------------------------- */

void checkpoint_thread_times(struct task_struct *t, struct ckpt_rec_task *rec);
int restore_check_times(struct ckpt_member *m);
void restore_thread_times(struct ckpt_member *m);

/* ---- prctl.c --------------------------------------------------------------- */

bool ckpt_is_io_flusher(struct task_struct *t);
void checkpoint_prctl(struct task_struct *t, struct ckpt_rec_task *rec);
int ckpt_spec_possible(unsigned int which, u32 want, int have);
int restore_check_prctl(struct ckpt_member *m);
void restore_prctl_commit(struct ckpt_member *m);

/* ---- proc.c ------------------------------------------------------------ */

bool ckpt_is_node(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_is_kernfs(struct ckpt_ctx *ctx, struct file *file);
bool ckpt_node_fits(const struct inode *inode);
bool ckpt_is_proc(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_proc_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_proc(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_proc(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_procs_start(struct ckpt_restart *rs);

/* ---- nsfile.c ------------------------------------------------------------ */

bool ckpt_is_nsfile(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_nsfile_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_nsfile(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_nsfile(struct ckpt_restart *rs, const struct ckpt_rec *r);

/* ---- watched.c ----------------------------------------------------------- */

/**
 * struct ckpt_watched_path - the search for a path of what is watched
 * @ctx: the checkpoint
 * @inode: what the path is to lead to, or NULL
 * @sb: likewise, or the file system of @inode
 * @mnt: likewise, where both are NULL
 * @dentry: a name of @inode in its file system
 * @mounts: copy of all mounts; paths are relative to its root
 * @buf: CKPT_PATH_MAX bytes
 * @name: what was found, in @buf, or NULL
 */
struct ckpt_watched_path {
	struct ckpt_ctx *ctx;
	struct inode *inode;
	const struct super_block *sb;
	const struct vfsmount *mnt;
	struct dentry *dentry;
	struct vfsmount *mounts;
	char *buf;
	char *name;
};

/**
 * struct ckpt_var_out - a list that is to stand behind a record
 * @data: its entries
 * @len: their length, so far
 * @room: of @data, 0: only the length is asked for
 */
struct ckpt_var_out {
	void *data;
	size_t len;
	size_t room;
};

/**
 * struct ckpt_var_in - such a list of an image
 * @at: the next byte
 * @left: bytes from there
 */
struct ckpt_var_in {
	const void *at;
	size_t left;
};

int ckpt_watched_begin(struct ckpt_ctx *ctx, struct ckpt_watched_path *p);
void ckpt_watched_end(struct ckpt_watched_path *p);
const char *ckpt_watched_inode(struct ckpt_watched_path *p, struct inode *inode);
const char *ckpt_watched_path(struct ckpt_watched_path *p, const struct path *path);
const char *ckpt_watched_mount(struct ckpt_watched_path *p, const struct vfsmount *mnt,
			       const struct super_block *sb);
void ckpt_watched_why(struct ckpt_ctx *ctx, const struct inode *inode);
int ckpt_watched_compare(struct ckpt_restart *rs, const struct ckpt_rec *r,
			 const char *name, const struct inode *inode,
			 u32 mode, u64 ino, u32 generation);
int ckpt_var_room(struct ckpt_var_out *out);
void ckpt_var_put(struct ckpt_var_out *out, const void *head, size_t head_len,
		  const char *name, size_t name_len);
const void *ckpt_var_take(struct ckpt_var_in *in, size_t len);
const char *ckpt_var_path(struct ckpt_var_in *in, size_t len);

/* ---- inotify.c ----------------------------------------------------------- */

bool ckpt_is_inotify(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_inotify_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_inotify(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_inotify(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_inotifies_start(struct ckpt_restart *rs);

/* ---- fanotify.c ---------------------------------------------------------- */

bool ckpt_is_fanotify(struct ckpt_ctx *ctx, struct file *file);
const char *ckpt_fanotify_problem(struct ckpt_ctx *ctx, struct file *file);
int checkpoint_fanotify(struct ckpt_ctx *ctx, struct file *file, u32 objref);
struct file *restore_fanotify(struct ckpt_restart *rs, const struct ckpt_rec *r);
void restore_fanotifies_start(struct ckpt_restart *rs);

/* ---- cred.c ---------------------------------------------------------------- */

bool ckpt_uid_allowed(const struct cred *old, kuid_t uid, bool cap);

/* ---- mm.c, pages.c, pages_restore.c -------------------------------------- */

/* The most pages that a PAGES record has. */
#define CKPT_BATCH	(CKPT_PAGES_MAX_BYTES >> PAGE_SHIFT)

void ckpt_check_mm(struct ckpt_ctx *ctx, struct task_struct *t);
bool ckpt_vma_has_payload(const struct vm_area_struct *vma);
bool ckpt_vma_keeps_zeros(const struct vm_area_struct *vma);
struct mm_walk_ops;
int ckpt_walk_vma(struct vm_area_struct *vma, unsigned long from,
		  const struct mm_walk_ops *ops, void *private);
int checkpoint_pages(struct ckpt_ctx *ctx);
int restore_mm(struct ckpt_member *m);

/**
 * struct ckpt_sink - an object that gets payload
 * @objref: its number in the image
 * @end: first page behind it
 * @get: finds the pages of a run, which are part of the object already, with
 *	a reference to each; or NULL: they are new ones
 * @put: takes over the contents of a run of pages, which are verified; where it
 *	keeps a page it sets its entry to NULL; or NULL: nothing is left to do
 * @file: for @get and @put
 * @has_cow: it is an address space: COW records may stand among its PAGES
 * @has_folios: its PAGES may be about huge pages and large folios, even if it cannot
 *	have such ones now
 */
struct ckpt_sink {
	u32 objref;
	u64 end;
	int (*get)(struct ckpt_restart *rs, const struct ckpt_rec *r,
		   const struct ckpt_page_run *run, struct page **pages,
		   const struct ckpt_sink *sink);
	int (*put)(struct ckpt_restart *rs, const struct ckpt_rec *r,
		   const struct ckpt_page_run *run, struct page **pages,
		   const struct ckpt_sink *sink);
	struct file *file;
	bool has_cow;
	bool has_folios;
};

/**
 * ckpt_run_fits - is a run of an image within bounds?
 * @run: the run, of whatever numbers
 * @from: first page that it may have
 * @to: behind the last
 *
 * Return: true if it has pages, and only such.
 */
static inline bool ckpt_run_fits(const struct ckpt_page_run *run, u64 from, u64 to)
{
	return run->nr && run->start >= from && run->start < to &&
	       run->nr <= to - run->start;
}

int restore_payload_to(struct ckpt_restart *rs, const struct ckpt_sink *sink);
int restore_payload(struct ckpt_restart *rs, u32 mm_objref);
int restore_poison(struct ckpt_restart *rs, u32 mm_objref);
int restore_soft_dirty(struct ckpt_restart *rs, u32 mm_objref);
int restore_payload_end(struct ckpt_restart *rs);
void restore_mm_abort(struct ckpt_member *m);
void restore_mm_commit(struct ckpt_member *m);
void restore_mm_dumpable(struct ckpt_member *m);

void ckpt_memory_broken(struct ckpt_ctx *ctx, unsigned long addr);
bool ckpt_page_is_zero(struct page *page);
bool ckpt_page_tail_is_zero(struct page *page, unsigned int from);
int ckpt_page_copy(struct page **page);
int ckpt_pages_copy_pinned(struct page **pages, unsigned int nr);
int ckpt_fault_in(struct mm_struct *mm, unsigned long addr);
pmd_t *ckpt_pmd_alloc(struct mm_struct *mm, unsigned long addr);
int ckpt_map_pages(struct vm_area_struct *vma, unsigned long addr,
		   unsigned long end, struct page **pages);
int ckpt_pages_alloc(struct page **pages, unsigned int nr);

/* ---- mm_dup.c ------------------------------------------------------------ */

int checkpoint_dup(struct ckpt_ctx *ctx);
void checkpoint_dup_only(struct ckpt_ctx *ctx);

/* ---- poison.c ------------------------------------------------------------ */

int checkpoint_poison(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref,
		      bool seen);
int ckpt_poison_elsewhere(struct ckpt_ctx *ctx, struct mm_struct *mm);
int restore_poison_record(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  u64 *last);

/* ---- soft_dirty.c -------------------------------------------------------- */

int checkpoint_soft_dirty(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 objref);
int restore_soft_dirty_record(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      u64 *last);

/* ---- cow.c, cow_restore.c ------------------------------------------------ */

int checkpoint_cow_begin(struct ckpt_ctx *ctx);
void checkpoint_cow_end(struct ckpt_ctx *ctx);
bool ckpt_cow_vma(const struct vm_area_struct *vma);
u32 ckpt_cow_family(struct ckpt_ctx *ctx, struct vm_area_struct *vma, int *err);
bool ckpt_cow_maybe(const struct ckpt_ctx *ctx, struct vm_area_struct *vma,
		    struct page *page);
bool ckpt_cow_maybe_huge(const struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			 struct folio *folio);
int checkpoint_cow_pages(struct ckpt_ctx *ctx, u32 objref, struct page **pages,
			 const u64 *at, unsigned int nr, unsigned long *maybe);
bool ckpt_cow_known(struct ckpt_ctx *ctx, u32 objref, struct folio *folio);
int checkpoint_cow_hugetlb(struct ckpt_ctx *ctx, u32 objref, u64 at,
			   struct folio *folio);
int checkpoint_cow_flush(struct ckpt_ctx *ctx, u32 objref);
int restore_families(struct ckpt_restart *rs, const struct ckpt_rec *r,
		     unsigned long index);
int restore_cow(struct ckpt_restart *rs, const struct ckpt_rec *r, u64 *last);
void restore_cow_done(struct ckpt_restart *rs);
bool ckpt_folio_to_root(struct folio *folio, struct anon_vma *root);

/**
 * struct ckpt_share - pages that two address spaces are to have in common
 * @to: mapping of the one that is being restored
 * @from: mapping of the other
 * @addr: the next page in @to
 * @src: the next page in @from
 * @end: end of the pages in @to; here and there they lie in one page table, or are
 *	one page of hugetlb
 * @lone: they cannot be in common
 * @page: out: the page that must be copied, under a reference
 */
struct ckpt_share {
	struct vm_area_struct *to;
	struct vm_area_struct *from;
	unsigned long addr;
	unsigned long src;
	unsigned long end;
	bool lone;
	struct page *page;
};

/* ---- huge.c -------------------------------------------------------------- */

/* Of a PAGES record about one huge page, or about large folios of an order, or none. */
static inline u32 ckpt_pages_flags(bool huge, u32 order)
{
	return huge ? CKPT_PAGES_HUGE : order << CKPT_PAGES_ORDER_SHIFT;
}

/* Of the large folios that a PAGES record is about, 0: it is about none. */
static inline u32 ckpt_pages_order(const struct ckpt_rec_pages *rec)
{
	return (rec->flags & CKPT_PAGES_ORDER_MASK) >> CKPT_PAGES_ORDER_SHIFT;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
void restore_folios(const struct ckpt_rec_pages *rec,
		    const struct ckpt_page_run *runs, struct page **pages);
int restore_huge_pages(struct ckpt_restart *rs, const struct ckpt_rec *r,
		       struct page **pages);
int restore_huge_done(struct ckpt_restart *rs);
void restore_huge_drop(struct ckpt_restart *rs);
int ckpt_share_huge(struct vm_area_struct *to, pmd_t *to_pmd,
		    struct vm_area_struct *from, pmd_t *from_pmd,
		    unsigned long addr);
#else
static inline void restore_folios(const struct ckpt_rec_pages *rec,
				  const struct ckpt_page_run *runs,
				  struct page **pages)
{
}

static inline int restore_huge_pages(struct ckpt_restart *rs,
				     const struct ckpt_rec *r,
				     struct page **pages)
{
	return 0;
}

static inline int restore_huge_done(struct ckpt_restart *rs)
{
	return 0;
}

static inline void restore_huge_drop(struct ckpt_restart *rs) { }

static inline int ckpt_share_huge(struct vm_area_struct *to, pmd_t *to_pmd,
				  struct vm_area_struct *from, pmd_t *from_pmd,
				  unsigned long addr)
{
	return -EAGAIN;
}
#endif

/* ---- hugetlb.c ----------------------------------------------------------- */

/* Without CONFIG_HUGETLBFS nobody calls them. */
/**
 * ckpt_is_hugetlb - is it a file of huge pages?
 * @file: the file
 *
 * SysV shared memory has operations of its own.
 *
 * Return: true if it is.
 */
static inline bool ckpt_is_hugetlb(const struct file *file)
{
	return is_file_hugepages(file) && file->f_op == file_inode(file)->i_fop;
}

u32 ckpt_hugetlb_kind(const struct file *file);
unsigned int *ckpt_hugetlb_seals(struct file *file);
int checkpoint_hugetlb(struct ckpt_ctx *ctx, struct file *file, u32 objref);
loff_t ckpt_hugetlb_data(struct file *file, loff_t pos, loff_t *end);
int ckpt_hugetlb_own(struct vm_area_struct *vma, pte_t *ptep,
		     unsigned long addr, struct page **page);
void checkpoint_hugetlb_vma(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			    struct ckpt_rec_vma *rec);
bool ckpt_hugetlb_match(struct vm_area_struct *vma, unsigned long addr,
			struct folio *folio);
int ckpt_check_hugetlb(struct ckpt_restart *rs);

/* The HUGETLB record of an inode, or NULL: it is not of huge pages. */
static inline const struct ckpt_rec *
ckpt_hugetlb_part(struct ckpt_restart *rs, u32 inode)
{
	const struct ckpt_robj *obj = xa_load(&rs->objs, inode);

	return IS_ENABLED(CONFIG_HUGETLBFS) && obj->part &&
	       obj->part->type == CKPT_REC_HUGETLB ? obj->part : NULL;
}

int restore_hugetlb_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_rec *part);
struct file *restore_empty_hugetlb(const struct ckpt_rec *r,
				   const struct ckpt_rec *part);
int restore_hugetlb_reserve(struct ckpt_restart *rs, const struct ckpt_rec *part,
			    struct file *file);
int restore_hugetlb_get(struct ckpt_restart *rs, const struct ckpt_rec *r,
			const struct ckpt_page_run *run, struct page **pages,
			const struct ckpt_sink *sink);
int restore_hugetlb_vma_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct file *file);
int restore_hugetlb_vma_failed(struct ckpt_restart *rs, const struct ckpt_rec *r);
int restore_hugetlb_pages(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end, struct page **pages);
int ckpt_share_hugetlb(struct ckpt_share *s);
int ckpt_copy_hugetlb(struct vm_area_struct *vma, unsigned long addr,
		      struct page *page);

#endif /* _CHECKPOINT_CHECKPOINT_H */
