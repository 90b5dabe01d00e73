// SPDX-License-Identifier: GPL-2.0
/*
 * Pipes and FIFOs: capacity and contents. Their ends are open files, of which a
 * pipe may have any number.
 *
 * Until a restart is done each is kept by a file of its own. A FIFO is opened by
 * its path, with a reader and a writer there, so that no open() waits. One that was
 * deleted is an inode of the image, too, see inode.c.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>

#include "checkpoint.h"

/* What a record holds; a pipe of the default size holds 64 KiB. */
#define CKPT_PIPE_MAX_DATA	(15U << 20)

/**
 * ckpt_is_pipe - is the file an end of an unnamed pipe?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_pipe(struct ckpt_ctx *ctx, struct file *file)
{
	return file_inode(file)->i_sb->s_magic == PIPEFS_MAGIC &&
	       get_pipe_info(file, false);
}

/**
 * ckpt_is_fifo - is the file an end of a FIFO?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_fifo(struct ckpt_ctx *ctx, struct file *file)
{
	return S_ISFIFO(file_inode(file)->i_mode) &&
	       file_inode(file)->i_sb->s_magic != PIPEFS_MAGIC &&
	       get_pipe_info(file, false);
}

/**
 * ckpt_is_deleted_fifo - is the file an end of a FIFO that no path leads to?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_deleted_fifo(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_is_fifo(ctx, file) && ckpt_is_inode(ctx, file);
}

/**
 * ckpt_pipe_of - what a pipe is known by in the object hash
 * @inode: of one of its ends
 *
 * The inode itself may be an object of its own there.
 *
 * Return: the object.
 */
void *ckpt_pipe_of(struct inode *inode)
{
	return &inode->i_data;
}

/**
 * ckpt_pipe_inode - the inode of a pipe
 * @ptr: the object
 *
 * Return: the inode of its ends.
 */
struct inode *ckpt_pipe_inode(const void *ptr)
{
	return ((const struct address_space *)ptr)->host;
}

/**
 * ckpt_fifo_unpaired - has a reader of a FIFO not seen a writer yet?
 * @file: an end of a pipe or FIFO
 *
 * Until then poll() does not tell it that there is none.
 *
 * Return: true if so.
 */
bool ckpt_fifo_unpaired(struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	bool unpaired;

	mutex_lock(&pipe->mutex);
	unpaired = !(file->f_mode & FMODE_WRITE) && !pipe->writers &&
		   file->f_pipe == pipe->w_counter;
	mutex_unlock(&pipe->mutex);
	return unpaired;
}

static bool ckpt_pipe_empty(struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	bool empty;

	mutex_lock(&pipe->mutex);
	empty = pipe_empty(pipe->head, pipe->tail);
	mutex_unlock(&pipe->mutex);
	return empty;
}

/* Bytes in the pipe. Context: pipe->mutex held. */
static size_t ckpt_pipe_bytes(const struct pipe_inode_info *pipe)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = pipe->tail; i != pipe->head; i++)
		bytes += pipe->bufs[i & (pipe->ring_size - 1)].len;
	return bytes;
}

/**
 * ckpt_pipe_problem - what of a pipe cannot be saved
 * @ctx: the checkpoint
 * @file: one of its ends
 *
 * Return: the reason, to follow the name of the pipe, or NULL.
 */
const char *ckpt_pipe_problem(struct ckpt_ctx *ctx, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	size_t bytes;

#ifdef CONFIG_WATCH_QUEUE
	if (pipe->watch_queue)
		return "is a queue of notifications, which cannot be saved yet";
#endif
	mutex_lock(&pipe->mutex);
	bytes = ckpt_pipe_bytes(pipe);
	mutex_unlock(&pipe->mutex);
	return bytes > CKPT_PIPE_MAX_DATA ?
	       "holds more data than can be saved yet" : NULL;
}

/**
 * ckpt_deleted_fifo_problem - what of a FIFO without a path cannot be saved
 * @ctx: the checkpoint
 * @file: one of its ends
 *
 * Return: the reason, to follow the name of the FIFO, or NULL.
 */
const char *ckpt_deleted_fifo_problem(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_pipe_problem(ctx, file) ?: ckpt_inode_problem(ctx, file);
}

/* ---- saving --------------------------------------------------------------- */

/* Reads what the pipe holds, and leaves it there. */
static int ckpt_pipe_peek(struct pipe_inode_info *pipe,
			  struct ckpt_pipe_buf *bufs, u8 *data)
{
	unsigned int i, mask = pipe->ring_size - 1;
	int ret;

	for (i = pipe->tail; i != pipe->head; i++) {
		struct pipe_buffer *buf = &pipe->bufs[i & mask];

		ret = pipe_buf_confirm(pipe, buf);
		if (ret)
			return ret;
		bufs->len = buf->len;
		if (buf->flags & PIPE_BUF_FLAG_PACKET)
			bufs->flags |= CKPT_PIPE_BUF_PACKET;
		bufs++;
		memcpy_from_page(data, buf->page, buf->offset, buf->len);
		data += buf->len;
	}
	return 0;
}

static int checkpoint_pipe(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	struct pipe_inode_info *pipe = ckpt_pipe_inode(ptr)->i_pipe;
	struct ckpt_rec_pipe *rec;
	struct ckpt_pipe_buf *bufs;
	unsigned int nr;
	size_t len;
	int ret;

	/* All its ends are frozen. */
	mutex_lock(&pipe->mutex);
	nr = pipe->head - pipe->tail;
	len = array_size(nr, sizeof(*bufs)) + ckpt_pipe_bytes(pipe);
	rec = ckpt_rec_new(ctx, pipe, CKPT_REC_PIPE, len);
	ret = rec ? 0 : -ENOMEM;
	if (rec) {
		rec->objref = objref;
		rec->capacity = pipe->max_usage * PAGE_SIZE;
		rec->nr_bufs = nr;
		rec->var_len = len;
		bufs = ckpt_rec_var(rec);
		ret = ckpt_pipe_peek(pipe, bufs, (u8 *)(bufs + nr));
	}
	mutex_unlock(&pipe->mutex);
	return ret;
}

/**
 * ckpt_collect_pipe - collect the pipe that a file is an end of
 * @ctx: the checkpoint
 * @file: the file; once for each
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_collect_pipe(struct ckpt_ctx *ctx, struct file *file)
{
	int err = 0;

	ckpt_obj_collect(ctx, CKPT_OBJ_PIPE, ckpt_pipe_of(file_inode(file)),
			 !!(file->f_mode & FMODE_READ) +
			 !!(file->f_mode & FMODE_WRITE), &err);
	return err;
}

static long ckpt_pipe_users(void *ptr)
{
	struct pipe_inode_info *pipe = ckpt_pipe_inode(ptr)->i_pipe;

	/* The hash has a reference, but it is no end. */
	return READ_ONCE(pipe->readers) + READ_ONCE(pipe->writers) + 1;
}

static void ckpt_pipe_grab(void *ptr)
{
	ihold(ckpt_pipe_inode(ptr));
}

static void ckpt_pipe_drop(void *ptr)
{
	iput(ckpt_pipe_inode(ptr));
}

/* ---- restoring -------------------------------------------------------------- */

static int restore_pipe_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_pipe *rec = ckpt_rec_as(r, pipe);
	const struct ckpt_pipe_buf *bufs = r->var;
	u64 len;
	u32 i;

	if (rec->var_len > r->var_len ||
	    rec->var_len / sizeof(*bufs) < rec->nr_bufs)
		return ckpt_bad(rs, r, -EINVAL, "%u buffers do not fit", rec->nr_bufs);
	len = (u64)rec->nr_bufs * sizeof(*bufs);
	for (i = 0; i < rec->nr_bufs; i++) {
		if (!bufs[i].len || bufs[i].len > PAGE_SIZE ||
		    bufs[i].flags & ~CKPT_PIPE_BUF_PACKET)
			return ckpt_bad(rs, r, -EINVAL, "buffer %u: %u bytes, flags 0x%x",
					i, bufs[i].len, bufs[i].flags);
		len += bufs[i].len;
	}
	if (len != rec->var_len)
		return ckpt_bad(rs, r, -EINVAL, "buffers and bytes disagree");
	if (!rec->capacity || rec->capacity > INT_MAX ||
	    !PAGE_ALIGNED(rec->capacity))
		return ckpt_bad(rs, r, -EINVAL, "capacity of %u bytes", rec->capacity);
	if (rec->nr_bufs > rec->capacity / PAGE_SIZE)
		return ckpt_bad(rs, r, -EINVAL, "%u buffers in a capacity of %u bytes",
				rec->nr_bufs, rec->capacity);
	return 0;
}

static int restore_pipe_data(struct ckpt_restart *rs, const struct ckpt_rec *r,
			     struct file *file)
{
	const struct ckpt_rec_pipe *rec = ckpt_rec_as(r, pipe);
	const struct ckpt_pipe_buf *bufs = r->var;
	const u8 *data = (const u8 *)(bufs + rec->nr_bufs);
	u32 i;

	for (i = 0; i < rec->nr_bufs; i++) {
		ssize_t n;

		if (bufs[i].flags & CKPT_PIPE_BUF_PACKET)
			file->f_flags |= O_DIRECT;
		else
			file->f_flags &= ~O_DIRECT;
		n = kernel_write(file, data, bufs[i].len, NULL);
		if (n != bufs[i].len)
			return ckpt_bad(rs, r, n < 0 ? n : -EINVAL,
					"its contents do not fit");
		data += n;
	}
	return 0;
}

/* Fills the pipe behind @file, which keeps it from here on if all is well. */
static int restore_pipe_state(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct file *file)
{
	const struct ckpt_rec_pipe *rec = ckpt_rec_as(r, pipe);
	long size;
	int ret;

	size = pipe_fcntl(file, F_GETPIPE_SZ, 0);
	if (size != rec->capacity)
		size = pipe_fcntl(file, F_SETPIPE_SZ, rec->capacity);
	if (size != rec->capacity)
		return ckpt_bad(rs, r, size < 0 ? size : -EINVAL,
				"the pipe cannot have its capacity of %u bytes (/proc/sys/fs/pipe-max-size)",
				rec->capacity);
	ret = restore_pipe_data(rs, r, file);
	if (!ret)
		ret = xa_insert(&rs->pipes, rec->objref, file, GFP_KERNEL_ACCOUNT);
	return ret == -EBUSY ?
	       ckpt_bad(rs, r, -EINVAL, "is both a pipe and a FIFO") : ret;
}

/* Until the restart is done a file to write keeps the pipe, which nobody uses. */
static void *restore_pipe(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct file *ends[2];
	int ret;

	ret = restore_pipe_check(rs, r);
	if (ret)
		return ERR_PTR(ret);
	ret = create_pipe_files(ends, O_NONBLOCK);
	if (ret)
		return ERR_PTR(ckpt_bad(rs, r, ret, "a pipe cannot be made"));
	ret = restore_pipe_state(rs, r, ends[1]);
	fput(ends[0]);
	if (ret) {
		fput(ends[1]);
		return ERR_PTR(ret);
	}
	ihold(file_inode(ends[1]));
	return ckpt_pipe_of(file_inode(ends[1]));
}

/**
 * restore_pipe_end - open an end of a pipe
 * @rs: the restart
 * @r: the FILE record of the end
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_pipe_end(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct file *pipe, *file;
	void *obj;

	obj = ckpt_obj_restore(rs, CKPT_OBJ_PIPE, rec->pipe);
	if (IS_ERR(obj))
		return obj;
	pipe = xa_load(&rs->pipes, rec->pipe);
	/* open() takes O_DIRECT for files with direct I/O only. */
	file = dentry_open(&pipe->f_path, rec->f_flags & ~O_DIRECT,
			   current_cred());
	if (IS_ERR(file))
		return ERR_PTR(ckpt_bad(rs, r, PTR_ERR(file),
					"the end of a pipe cannot be opened"));
	file->f_flags |= rec->f_flags & O_DIRECT;
	/* See __do_pipe_flags(). */
	file->f_mode |= FMODE_NOWAIT;
	return file;
}

static const char *ckpt_fifo_name(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	u32 inode = ckpt_rec_as(r, file)->inode;

	return (inode ? ckpt_obj_rec(rs, CKPT_OBJ_INODE, inode) : r)->var;
}

/* By its path, or what has none. */
static struct file *ckpt_open_fifo_as(struct ckpt_restart *rs,
				      const struct ckpt_rec *r, int flags)
{
	flags |= O_NONBLOCK | O_NOFOLLOW | O_LARGEFILE;
	return ckpt_rec_as(r, file)->inode ? restore_inode_fifo(rs, r, flags) :
					     ckpt_open_path(rs, r, flags);
}

/* A file that reads and writes; where that is not permitted one that reads. */
static struct file *ckpt_open_fifo(struct ckpt_restart *rs,
				   const struct ckpt_rec *r, bool writes)
{
	size_t mark = rs->log.len;
	struct file *file;

	file = ckpt_open_fifo_as(rs, r, O_RDWR);
	if (file != ERR_PTR(-EACCES) || writes)
		return file;
	/* No failure yet. */
	rs->log.len = mark;
	return ckpt_open_fifo_as(rs, r, O_RDONLY);
}

/* One that was made for the image keeps its times, which are those of the image. */
static int restore_fifo_state(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct file *file, bool is_new)
{
	struct inode *inode = file_inode(file);
	int ret;

	if (!is_new || IS_NOCMTIME(inode))
		return restore_pipe_state(rs, r, file);
	inode_set_flags(inode, S_NOCMTIME, S_NOCMTIME);
	ret = restore_pipe_state(rs, r, file);
	inode_set_flags(inode, 0, S_NOCMTIME);
	return ret;
}

static struct file *restore_fifo(struct ckpt_restart *rs,
				 const struct ckpt_rec *r)
{
	const struct ckpt_rec *state;
	struct file *file;
	int ret;

	state = ckpt_obj_rec(rs, CKPT_OBJ_PIPE, ckpt_rec_as(r, file)->pipe);
	if (IS_ERR(state))
		return ERR_CAST(state);
	ret = restore_pipe_check(rs, state);
	if (ret)
		return ERR_PTR(ret);
	file = ckpt_open_fifo(rs, r, ckpt_rec_as(state, pipe)->nr_bufs);
	if (IS_ERR(file))
		return file;
	/* What others have put there is not to be mixed with what is ours. */
	if (!ckpt_pipe_empty(file))
		ret = ckpt_bad(rs, r, -EBUSY, "the FIFO %s holds data of others",
			       ckpt_fifo_name(rs, r));
	if (!ret)
		ret = restore_fifo_state(rs, state, file, ckpt_rec_as(r, file)->inode);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	return file;
}

/**
 * restore_fifo_end - open an end of a FIFO
 * @rs: the restart
 * @r: the FILE record of the end
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_fifo_end(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct file *fifo = xa_load(&rs->pipes, rec->pipe), *file;
	struct pipe_inode_info *pipe;

	if (!fifo)
		fifo = restore_fifo(rs, r);
	if (IS_ERR(fifo))
		return fifo;
	file = ckpt_open_fifo_as(rs, r, rec->f_flags & ~O_DIRECT);
	if (IS_ERR(file))
		return file;
	pipe = file->private_data;
	if (pipe != fifo->private_data) {
		fput(file);
		return ERR_PTR(ckpt_bad(rs, r, -EINVAL,
					"%s is not the FIFO that its other end is of",
					ckpt_fifo_name(rs, r)));
	}
	mutex_lock(&pipe->mutex);
	file->f_flags |= rec->f_flags & O_DIRECT;
	file->f_pipe = pipe->w_counter - !(rec->flags & CKPT_FILE_F_UNPAIRED);
	mutex_unlock(&pipe->mutex);
	return file;
}

/**
 * restore_pipes_done - let go of what has kept the pipes
 * @rs: the restart; the program does not run yet
 *
 * A reader sees the end of a pipe, and a writer gets SIGPIPE, by the ends that
 * there are.
 */
void restore_pipes_done(struct ckpt_restart *rs)
{
	struct file *file;
	unsigned long i;

	xa_for_each(&rs->pipes, i, file)
		__fput_sync(file);
	xa_destroy(&rs->pipes);
}

const struct ckpt_obj_ops ckpt_ops_PIPE = {
	.rec_type = CKPT_REC_PIPE,
	.grab = ckpt_pipe_grab,
	.drop = ckpt_pipe_drop,
	.users = ckpt_pipe_users,
	.checkpoint = checkpoint_pipe,
	.restore = restore_pipe,
};
