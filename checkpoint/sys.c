// SPDX-License-Identifier: GPL-2.0
/*
 * The two system calls: arguments, flags, descriptors of the caller. Nothing
 * else in checkpoint/ touches user memory.
 */
#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include "checkpoint.h"

#define CHECKPOINT_FLAGS	(CHECKPOINT_SUBTREE | CHECKPOINT_CHECK | \
				 CHECKPOINT_KILL | CHECKPOINT_HOLD | \
				 CHECKPOINT_QUERY | CHECKPOINT_RELINK | \
				 CHECKPOINT_COW | CHECKPOINT_ARGS)
#define RESTART_ROLES		(RESTART_TASKSELF | RESTART_CONTEXT | \
				 RESTART_MEMBER | RESTART_RUN)
#define RESTART_OPTIONS		(RESTART_NO_PIDS | RESTART_TIME_HOST | \
				 RESTART_FORCE_FILES)
#define RESTART_FLAGS		(RESTART_ROLES | RESTART_OPTIONS | RESTART_ARGS)

/* The layout is the same for 32-bit callers, and never shrinks. */
static_assert(sizeof(struct checkpoint_args) == CHECKPOINT_ARGS_SIZE_VER1);
static_assert(sizeof(struct restart_args) == RESTART_ARGS_SIZE_VER1);
static_assert(offsetof(struct checkpoint_args, external) == CHECKPOINT_ARGS_SIZE_VER0);
static_assert(offsetof(struct restart_args, inherit_keys) == RESTART_ARGS_SIZE_VER0);
static_assert(sizeof(struct ckpt_inherit_key) == 16);
static_assert(offsetof(struct checkpoint_args, stats) == 16);
static_assert(offsetof(struct restart_args, prefix) == 8);
static_assert(sizeof(struct ckpt_stats) == 64);
static_assert(sizeof(struct ckpt_caps) == 48);

static int copy_args(void *args, size_t size, size_t ver0,
		     const void __user *uargs, size_t usize)
{
	if (usize < ver0)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, size, uargs, usize);
}

/* As much of a result as the caller knows; what it knows more is zero. */
static int put_result(u64 uptr, u32 usize, const void *data, size_t size)
{
	void __user *to = u64_to_user_ptr(uptr);
	size_t n = min_t(size_t, usize, size);

	if (!uptr)
		return 0;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	if (copy_to_user(to, data, n) || clear_user(to + n, usize - n))
		return -EFAULT;
	return 0;
}

static int put_caps(const struct checkpoint_args *args)
{
	struct ckpt_caps caps = {
		.abi_version = CKPT_ABI_VERSION,
		.image_version = CKPT_IMAGE_VERSION,
		.checkpoint_flags = CHECKPOINT_FLAGS,
		.restart_flags = RESTART_FLAGS,
		.checkpoint_args_size = sizeof(struct checkpoint_args),
		.restart_args_size = sizeof(struct restart_args),
		.feature_compat = CKPT_COMPAT_INDEX,
		.feature_incompat = CKPT_INCOMPAT_ALL,
	};

	return put_result(args->caps, args->caps_size, &caps, sizeof(caps));
}

/* ---- the descriptor that holds a tree ---------------------------------------- */

struct ckpt_context {
	struct ckpt_freezer *fz;
	struct ckpt_task *tasks;
	unsigned int nr_tasks;
	struct mutex lock; /* against two that end it */
};

static void ckpt_context_end(struct ckpt_context *c, bool kill)
{
	mutex_lock(&c->lock);
	if (c->fz) {
		if (kill)
			ckpt_kill_tasks(c->tasks, c->nr_tasks);
		ckpt_freezer_thaw(c->fz);
		ckpt_freezer_put(c->fz);
		ckpt_put_tasks(c->tasks, c->nr_tasks);
		c->fz = NULL;
	}
	mutex_unlock(&c->lock);
}

static int ckpt_context_release(struct inode *inode, struct file *file)
{
	struct ckpt_context *c = file->private_data;

	ckpt_context_end(c, false);
	kfree(c);
	return 0;
}

static long ckpt_context_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct ckpt_context *c = file->private_data;

	switch (cmd) {
	case CKPT_CONTEXT_THAW:
		ckpt_context_end(c, false);
		return 0;
	case CKPT_CONTEXT_KILL:
		ckpt_context_end(c, true);
		return 0;
	}
	return -ENOTTY;
}

static const struct file_operations ckpt_context_fops = {
	.owner = THIS_MODULE,
	.release = ckpt_context_release,
	.unlocked_ioctl = ckpt_context_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct file *ckpt_context_file(void)
{
	struct ckpt_context *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!c)
		return ERR_PTR(-ENOMEM);
	mutex_init(&c->lock);
	file = anon_inode_getfile("[checkpoint]", &ckpt_context_fops, c,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		kfree(c);
	return file;
}

/* ---- checkpoint ----------------------------------------------------------------- */

static int checkpoint_check_flags(unsigned long flags)
{
	if (flags & ~CHECKPOINT_FLAGS)
		return -EINVAL;
	/* What would be left of the other. */
	if ((flags & CHECKPOINT_CHECK) &&
	    (flags & (CHECKPOINT_KILL | CHECKPOINT_HOLD | CHECKPOINT_COW)))
		return -EINVAL;
	/* It goes on early, or not at all. */
	if ((flags & CHECKPOINT_COW) &&
	    (flags & (CHECKPOINT_KILL | CHECKPOINT_HOLD)))
		return -EINVAL;
	if ((flags & CHECKPOINT_HOLD) &&
	    ((flags & CHECKPOINT_KILL) || !(flags & CHECKPOINT_ARGS)))
		return -EINVAL;
	if ((flags & CHECKPOINT_RELINK) && !(flags & CHECKPOINT_ARGS))
		return -EINVAL;
	return 0;
}

static struct file *ckpt_output(struct ckpt_log *log, int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (!(file->f_mode & FMODE_WRITE)) {
		fput(file);
		return ERR_PTR(-EBADF);
	}
	if (!file->f_op->write_iter || !(file->f_mode & FMODE_CAN_WRITE)) {
		ckpt_log(log, "%s cannot be the output: it takes no data through write_iter",
			 ckpt_log_path(log, &file->f_path));
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return file;
}

static char *ckpt_copy_key(u64 uptr)
{
	return strndup_user(u64_to_user_ptr(uptr), CKPT_PATH_MAX);
}

static int checkpoint_externals(struct ckpt_ctx *ctx,
				const struct checkpoint_args *args)
{
	struct ckpt_external *ext;
	u64 *keys;
	int ret = 0;
	u32 i;

	if (!args->nr_external)
		return 0;
	if (args->nr_external > CKPT_EXTERNAL_MAX)
		return -E2BIG;
	keys = memdup_array_user(u64_to_user_ptr(args->external),
				 args->nr_external, sizeof(*keys));
	if (IS_ERR(keys))
		return PTR_ERR(keys);
	ctx->path_buf = kmalloc(CKPT_PATH_MAX, GFP_KERNEL_ACCOUNT);
	ctx->externals = kcalloc(args->nr_external, sizeof(*ext),
				 GFP_KERNEL_ACCOUNT);
	if (!ctx->path_buf || !ctx->externals)
		ret = -ENOMEM;
	for (i = 0; i < args->nr_external && !ret; i++) {
		ext = &ctx->externals[i];
		ext->key = ckpt_copy_key(keys[i]);
		if (IS_ERR(ext->key)) {
			ret = PTR_ERR(ext->key);
			break;
		}
		ctx->nr_externals++;
		ret = ckpt_external_parse(&ctx->log, ext);
	}
	kfree(keys);
	return ret;
}

static int checkpoint_relink_dir(struct ckpt_ctx *ctx, int fd)
{
	struct file *given = fget_raw(fd), *dir = ERR_PTR(-ENOTDIR);

	if (!given)
		return -EBADF;
	/* A file of our own to sync it: that one may be a location only. */
	if (d_is_dir(given->f_path.dentry))
		dir = dentry_open(&given->f_path, O_RDONLY, current_cred());
	fput(given);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	ctx->relink_dir = dir;
	return 0;
}

/* Reserve all that can fail, before anything is frozen. */
struct ckpt_hold {
	struct file *file;
	int fd;
};

static int ckpt_hold_reserve(struct ckpt_hold *hold)
{
	hold->fd = get_unused_fd_flags(O_CLOEXEC);
	if (hold->fd < 0)
		return hold->fd;
	hold->file = ckpt_context_file();
	if (IS_ERR(hold->file)) {
		put_unused_fd(hold->fd);
		return PTR_ERR(hold->file);
	}
	return 0;
}

static void ckpt_hold_publish(struct ckpt_hold *hold, struct ckpt_ctx *ctx)
{
	struct ckpt_context *c = hold->file->private_data;

	c->fz = ctx->fz;
	c->tasks = ctx->tasks;
	c->nr_tasks = ctx->nr_tasks;
	ctx->tasks = NULL;
	ctx->nr_tasks = 0;
	ctx->fz = NULL;
	fd_install(hold->fd, hold->file);
}

static void ckpt_hold_cancel(struct ckpt_hold *hold)
{
	put_unused_fd(hold->fd);
	fput(hold->file);
}

static long checkpoint_run(struct ckpt_ctx *ctx, pid_t pid,
			   struct checkpoint_args *args,
			   struct checkpoint_args __user *uargs)
{
	struct ckpt_hold hold = {};
	long ret;

	ret = ckpt_objhash_init(&ctx->objs);
	if (ret)
		return ret;
	ckpt_meta_init(&ctx->meta);
	xa_init_flags(&ctx->task_index, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->outer, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->io_seen, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->io_first, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->core_first, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->timers, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->inodes, XA_FLAGS_ACCOUNT);
	if (ctx->flags & CHECKPOINT_HOLD) {
		ret = ckpt_hold_reserve(&hold);
		if (ret)
			goto out;
		ret = -EFAULT;
		if (put_user(hold.fd, &uargs->context_fd))
			goto out_hold;
	}

	ret = ckpt_do_checkpoint(ctx, pid);
	if (ret >= 0 && ctx->out.file)
		ctx->out.file->f_pos = ctx->out.pos;
	if (ret >= 0 && put_result(args->stats, args->stats_size, &ctx->stats,
				   sizeof(ctx->stats)))
		ckpt_log(&ctx->log, "warning: the statistics could not be stored");

	if (hold.file && ret >= 0) {
		ckpt_hold_publish(&hold, ctx);
		goto out;
	}
out_hold:
	if (hold.file)
		ckpt_hold_cancel(&hold);
out:
	if (ctx->root_task)
		put_task_struct(ctx->root_task);
	if (ctx->root.mnt)
		path_put(&ctx->root);
	checkpoint_inodes_done(ctx);
	ckpt_objhash_destroy(&ctx->objs);
	xa_destroy(&ctx->task_index);
	xa_destroy(&ctx->outer);
	xa_destroy(&ctx->io_seen);
	xa_destroy(&ctx->io_first);
	xa_destroy(&ctx->core_first);
	xa_destroy(&ctx->timers);
	ckpt_put_tasks(ctx->tasks, ctx->nr_tasks);
	ckpt_meta_free(&ctx->meta);
	ckpt_out_release(&ctx->out);
	return ret;
}

/**
 * sys_checkpoint - save a running tree of processes
 * @pid: root of the tree; 0 or the caller's own: the caller itself
 * @fd: where the image goes, at its position
 * @flags: CHECKPOINT_*
 * @uargs: with CHECKPOINT_ARGS a struct checkpoint_args
 * @usize: its size
 *
 * Return: a positive id; 0 when the caller returns from a restart, and with
 * CHECKPOINT_CHECK and CHECKPOINT_QUERY; or a negative errno.
 */
SYSCALL_DEFINE5(checkpoint, pid_t, pid, int, fd, unsigned long, flags,
		struct checkpoint_args __user *, uargs, size_t, usize)
{
	struct checkpoint_args args = { .log_fd = -1 };
	struct ckpt_ctx *ctx;
	long ret;

	ret = checkpoint_check_flags(flags);
	if (ret)
		return ret;
	if (flags & CHECKPOINT_ARGS) {
		ret = copy_args(&args, sizeof(args), CHECKPOINT_ARGS_SIZE_VER0,
				uargs, usize);
		if (ret)
			return ret;
		if (args.__reserved)
			return -EINVAL;
	}
	if (flags & CHECKPOINT_QUERY)
		return put_caps(&args);
	if (pid < 0)
		return -EINVAL;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return -ENOMEM;
	INIT_LIST_HEAD(&ctx->relinked);
	ctx->flags = flags;
	ctx->freeze_timeout = msecs_to_jiffies(args.freeze_timeout_ms ?:
					       CKPT_FREEZE_TIMEOUT_MS);
	ret = ckpt_log_open(&ctx->log, args.log_fd);
	if (ret)
		goto out;
	ret = checkpoint_externals(ctx, &args);
	if (!ret && (flags & CHECKPOINT_RELINK))
		ret = checkpoint_relink_dir(ctx, args.relink_fd);
	if (ret)
		goto out_log;
	if (!(flags & CHECKPOINT_CHECK)) {
		struct file *file = ckpt_output(&ctx->log, fd);

		ret = PTR_ERR_OR_ZERO(file);
		if (ret)
			goto out_log;
		ret = ckpt_out_open(&ctx->out, file);
	}
	if (!ret)
		ret = checkpoint_run(ctx, pid, &args, uargs);
	if (ctx->out.file)
		fput(ctx->out.file);
out_log:
	ckpt_log_close(&ctx->log);
	ckpt_externals_free(ctx);
	if (ctx->relink_dir)
		fput(ctx->relink_dir);
out:
	kfree(ctx);
	return ret;
}

/* ---- restart ------------------------------------------------------------------------ */

/* Takes over @key, also on failure. */
static int restart_inherit_one(struct ckpt_restart *rs, char *key, int saved_fd,
			       int fd)
{
	struct file *file = fget(fd);

	if (!file) {
		ckpt_log(&rs->log, "inherited descriptor %d is not open", fd);
		kfree(key);
		return -EBADF;
	}
	rs->inherit[rs->nr_inherit++] = (struct ckpt_inherit) {
		.key = key, .saved_fd = saved_fd, .file = file,
	};
	return 0;
}

static int restart_inherit_fds(struct ckpt_restart *rs,
			       const struct restart_args *args)
{
	struct ckpt_inherit_fd *list;
	int ret = 0;
	u32 i;

	if (!args->nr_inherit)
		return 0;
	list = memdup_array_user(u64_to_user_ptr(args->inherit),
				 args->nr_inherit, sizeof(*list));
	if (IS_ERR(list))
		return PTR_ERR(list);
	for (i = 0; i < args->nr_inherit && !ret; i++)
		ret = restart_inherit_one(rs, NULL, list[i].saved_fd, list[i].fd);
	kfree(list);
	return ret;
}

static int restart_inherit_keys(struct ckpt_restart *rs,
				const struct restart_args *args)
{
	struct ckpt_inherit_key *list;
	char *key;
	int ret = 0;
	u32 i;

	if (!args->nr_inherit_keys)
		return 0;
	list = memdup_array_user(u64_to_user_ptr(args->inherit_keys),
				 args->nr_inherit_keys, sizeof(*list));
	if (IS_ERR(list))
		return PTR_ERR(list);
	for (i = 0; i < args->nr_inherit_keys && !ret; i++) {
		if (list[i].__reserved) {
			ret = -EINVAL;
			break;
		}
		key = ckpt_copy_key(list[i].key);
		ret = IS_ERR(key) ? PTR_ERR(key) :
				    restart_inherit_one(rs, key, -1, list[i].fd);
	}
	kfree(list);
	return ret;
}

static int restart_inherit(struct ckpt_restart *rs,
			   const struct restart_args *args)
{
	int ret;

	if (args->nr_inherit > CKPT_INHERIT_MAX ||
	    args->nr_inherit_keys > CKPT_EXTERNAL_MAX)
		return -E2BIG;
	if (!args->nr_inherit && !args->nr_inherit_keys)
		return 0;
	rs->inherit = kcalloc(args->nr_inherit + args->nr_inherit_keys,
			      sizeof(*rs->inherit), GFP_KERNEL_ACCOUNT);
	if (!rs->inherit)
		return -ENOMEM;
	ret = restart_inherit_fds(rs, args);
	return ret ?: restart_inherit_keys(rs, args);
}

static int restart_input(struct ckpt_restart *rs, int fd,
			 const struct restart_args *args)
{
	struct file *file = fget(fd);
	void *prefix;

	if (!file)
		return -EBADF;
	rs->in.file = file;
	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!file->f_op->read_iter || !(file->f_mode & FMODE_CAN_READ))
		return -EINVAL;
	ckpt_in_open(&rs->in, file, args->prefix_len);
	if (!args->prefix_len)
		return 0;
	if (args->prefix_len > CKPT_PREFIX_MAX)
		return -E2BIG;
	prefix = vmemdup_user(u64_to_user_ptr(args->prefix), args->prefix_len);
	if (IS_ERR(prefix))
		return PTR_ERR(prefix);
	rs->prefix = prefix;
	rs->in.prefix = prefix;
	rs->in.prefix_len = args->prefix_len;
	return 0;
}

static int restart_done_file(struct ckpt_restart *rs, int fd)
{
	if (fd == -1)
		return 0;
	rs->done_file = fget(fd);
	if (!rs->done_file)
		return -EBADF;
	return rs->done_file->f_mode & FMODE_WRITE ? 0 : -EBADF;
}

/* ---- the descriptor of a restart of many tasks ---------------------------------- */

static int restart_context_release(struct inode *inode, struct file *file)
{
	struct ckpt_restart *rs = file->private_data;

	ckpt_restart_cancel(rs, NULL);
	ckpt_restart_put(rs);
	return 0;
}

static long restart_context_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	if (cmd != CKPT_CONTEXT_KILL)
		return -ENOTTY;
	ckpt_restart_cancel(file->private_data,
			    "the restart was cancelled by a helper that could not go on");
	return 0;
}

static const struct file_operations restart_context_fops = {
	.owner = THIS_MODULE,
	.release = restart_context_release,
	.unlocked_ioctl = restart_context_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* The restart behind a descriptor, with a reference. */
static struct ckpt_restart *restart_of_context(int fd)
{
	struct ckpt_restart *rs = ERR_PTR(-EINVAL);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &restart_context_fops) {
		rs = file->private_data;
		refcount_inc(&rs->ref);
	}
	fput(file);
	return rs;
}

static long restart_join(int index, int fd)
{
	struct ckpt_restart *rs = restart_of_context(fd);

	if (IS_ERR(rs))
		return PTR_ERR(rs);
	return ckpt_restart_member(rs, index);
}

static long restart_run(int fd, const struct restart_args *args)
{
	struct ckpt_restart *rs = restart_of_context(fd);
	long ret;

	if (IS_ERR(rs))
		return PTR_ERR(rs);
	ret = ckpt_restart_run(rs);
	/* The other one says what there is to say. */
	if (ret == -EBUSY)
		goto out;
	if (ret < 0)
		ckpt_restart_failed(rs, ret);
	if (put_result(args->stats, args->stats_size, &rs->stats,
		       sizeof(rs->stats)))
		ckpt_log(&rs->log, "warning: the statistics could not be stored");
	ckpt_log_flush(&rs->log);
out:
	ckpt_restart_put(rs);
	return ret;
}

/* ---- restart ------------------------------------------------------------------------ */

/* Everything of the caller that a restart needs, and the metadata. */
static int restart_open(struct ckpt_restart *rs, int fd,
			const struct restart_args *args)
{
	int ret;

	rs->stats_len = min_t(u32, args->stats_size, sizeof(rs->stats));
	ret = ckpt_log_open(&rs->log, args->log_fd);
	if (!ret)
		ret = restart_input(rs, fd, args);
	if (!ret)
		ret = restart_inherit(rs, args);
	if (!ret)
		ret = restart_done_file(rs, args->done_fd);
	if (!ret)
		ret = ckpt_restart_begin(rs);
	return ret;
}

static long restart_self(struct ckpt_restart *rs, int fd,
			 const struct restart_args *args)
{
	long ret;

	ret = restart_open(rs, fd, args);
	if (!ret)
		ret = ckpt_restart_self(rs);
	/* After the commit that memory is the program's. */
	if (!rs->committed) {
		ckpt_restart_failed(rs, ret);
		if (put_result(args->stats, args->stats_size, &rs->stats,
			       sizeof(rs->stats)))
			ckpt_log(&rs->log, "warning: the statistics could not be stored");
	}
	ckpt_restart_put(rs);
	return ret;
}

static long restart_context(struct ckpt_restart *rs, int fd,
			    const struct restart_args *args)
{
	long ret;

	ret = restart_open(rs, fd, args);
	if (!ret)
		ret = anon_inode_getfd("[restart]", &restart_context_fops, rs,
				       O_RDWR | O_CLOEXEC);
	if (ret < 0) {
		ckpt_restart_failed(rs, ret);
		ckpt_restart_put(rs);
	}
	return ret;
}

/* One of the ways to take part, and what goes with it. */
static int restart_check_flags(unsigned long flags)
{
	switch (flags & RESTART_ROLES) {
	case RESTART_TASKSELF:
	case RESTART_CONTEXT:
		return flags & ~(RESTART_ROLES | RESTART_OPTIONS | RESTART_ARGS) ?
		       -EINVAL : 0;
	case RESTART_MEMBER:
		return flags & ~RESTART_MEMBER ? -EINVAL : 0;
	case RESTART_RUN:
		return flags & ~(RESTART_RUN | RESTART_ARGS) ? -EINVAL : 0;
	}
	return -EINVAL;
}

/**
 * sys_restart - bring a saved tree back
 * @pid: with RESTART_MEMBER: index of the task; else 0
 * @fd: the image; a seekable one is read from its position, which stays. With
 *	RESTART_MEMBER and RESTART_RUN what RESTART_CONTEXT has returned
 * @flags: RESTART_*
 * @uargs: with RESTART_ARGS a struct restart_args
 * @usize: its size
 *
 * Return: with RESTART_CONTEXT a descriptor, with RESTART_RUN the pid of the
 * root. A task that becomes one of the image does not return to the caller but
 * into the saved program. Or a negative errno, and the caller is as it was.
 */
SYSCALL_DEFINE5(restart, pid_t, pid, int, fd, unsigned long, flags,
		struct restart_args __user *, uargs, size_t, usize)
{
	struct restart_args args = { .log_fd = -1, .done_fd = -1 };
	struct ckpt_restart *rs;
	long ret;

	ret = restart_check_flags(flags);
	if (ret || (pid && !(flags & RESTART_MEMBER)))
		return -EINVAL;
	if (flags & RESTART_ARGS) {
		ret = copy_args(&args, sizeof(args), RESTART_ARGS_SIZE_VER0,
				uargs, usize);
		if (ret)
			return ret;
		if (args.__reserved)
			return -EINVAL;
	}
	if (flags & RESTART_MEMBER)
		return restart_join(pid, fd);
	if (flags & RESTART_RUN)
		return restart_run(fd, &args);

	rs = ckpt_restart_alloc(flags);
	if (!rs)
		return -ENOMEM;
	return flags & RESTART_TASKSELF ? restart_self(rs, fd, &args) :
					  restart_context(rs, fd, &args);
}
