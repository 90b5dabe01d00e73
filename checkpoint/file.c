// SPDX-License-Identifier: GPL-2.0
/*
 * Open files, by kind. What no kind matches is refused with the name of its
 * file operations.
 *
 * A file that has a path is opened again by it, see path.c.
 */
#include <linux/checkpoint_fds.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/statfs.h>
#include <linux/string.h>
#include <linux/tty.h>

#include "checkpoint.h"

/* f_flags that are kept; O_CREAT and the like are not in f_flags any more. */
#define CKPT_O_SAVED	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC |	\
			 __O_SYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | \
			 O_NOFOLLOW | O_NOATIME | O_PATH | __O_TMPFILE)
/* f_flags that say how the file was opened and have no effect afterwards. */
#define CKPT_O_IGNORED	(O_NOCTTY | O_TRUNC | O_CREAT | O_EXCL | \
			 O_CLOEXEC | __FMODE_EXEC)

/* f_mode: what comes of the kind of file and of how it is opened. */
#define CKPT_FMODE_DERIVED						\
	(FMODE_READ | FMODE_WRITE | FMODE_LSEEK | FMODE_PREAD |		\
	 FMODE_PWRITE | FMODE_EXEC | FMODE_CAN_ATOMIC_WRITE |		\
	 FMODE_32BITHASH | FMODE_64BITHASH | FMODE_PATH |		\
	 FMODE_ATOMIC_POS | FMODE_WRITER | FMODE_CAN_READ |		\
	 FMODE_CAN_WRITE | FMODE_OPENED | FMODE_STREAM | FMODE_BACKING | \
	 FMODE_NONOTIFY | FMODE_NONOTIFY_PERM | FMODE_NOWAIT |		\
	 FMODE_CAN_ODIRECT | FMODE_RANDOM | FMODE_NOREUSE)
/* Of what a stackable file system maps in place of the file that was opened. */
#define CKPT_FMODE_BACKING	FMODE_NOACCOUNT
#define CKPT_O_BACKING		O_NOATIME
#define CKPT_FMODE_SAVED	FMODE_CREATED

/**
 * struct ckpt_file_ops - a kind of open file
 * @kind: enum ckpt_file_kind
 * @part: type of the record that goes with the FILE record, 0: none does
 * @by_path: it is opened again by its path
 * @foreign: who restarts supplies it: nothing of it is set
 * @match: is @file of this kind? May not sleep
 * @problem: what keeps @file from being saved, to follow its name, or NULL.
 *	May sleep
 * @name: what it is called in the image, without @by_path
 * @checkpoint: write the record of type @part, if it is to follow; the users of @file are frozen.
 *	May sleep
 * @restore: make the file where more is to do than to open its path. current
 *	acts with the credentials that the file was opened with, or its own.
 *	Returns a reference or an ERR_PTR(). May sleep
 *
 * All but @kind and @match may be missing.
 */
struct ckpt_file_ops {
	enum ckpt_file_kind kind;
	enum ckpt_rec_type part;
	bool by_path;
	bool foreign;
	bool (*match)(struct ckpt_ctx *ctx, struct file *file);
	const char *(*problem)(struct ckpt_ctx *ctx, struct file *file);
	const char *(*name)(struct ckpt_ctx *ctx, struct file *file);
	int (*checkpoint)(struct ckpt_ctx *ctx, struct file *file, u32 objref);
	struct file *(*restore)(struct ckpt_restart *rs, const struct ckpt_rec *r);
};

static bool ckpt_match_image(struct ckpt_ctx *ctx, struct file *file)
{
	return file == ctx->out.file;
}

static bool ckpt_match_log(struct ckpt_ctx *ctx, struct file *file)
{
	return file == ctx->log.file;
}

/**
 * ckpt_plain_fs - are regular files nothing but their contents here?
 * @sb: the file system
 *
 * Elsewhere (proc, sysfs, secretmem...) a file may be anything.
 *
 * Return: true if they are.
 */
bool ckpt_plain_fs(const struct super_block *sb)
{
	if (sb->s_flags & SB_NOUSER)
		return false;
	if (sb->s_type->fs_flags & FS_REQUIRES_DEV)
		return true;
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case V9FS_MAGIC:
	case NFS_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
		return true;
	case HUGETLBFS_MAGIC:
		/* Not what mmap(), memfd_create() and shmget() have made. */
		return !(sb->s_flags & SB_KERNMOUNT);
	}
	return false;
}

static bool ckpt_match_reg(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = ckpt_file_inode(file);

	return S_ISREG(inode->i_mode) && ckpt_plain_fs(inode->i_sb);
}

static bool ckpt_match_dir(struct ckpt_ctx *ctx, struct file *file)
{
	return S_ISDIR(file_inode(file)->i_mode);
}

/**
 * ckpt_chr_allowed - has a character device no state of its own?
 * @dev: its number
 *
 * Return: true if it is opened again by its path.
 */
bool ckpt_chr_allowed(dev_t dev)
{
	if (MAJOR(dev) != MEM_MAJOR)
		return false;
	switch (MINOR(dev)) {
	case 3:	/* null */
	case 5:	/* zero */
	case 7:	/* full */
	case 8:	/* random */
	case 9:	/* urandom */
		return true;
	}
	return false;
}

static bool ckpt_match_chr(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && ckpt_chr_allowed(inode->i_rdev);
}

/**
 * ckpt_tty_allowed - is a character device a terminal?
 * @dev: its number
 *
 * Return: true if it is one, and not the master side of a pseudo terminal.
 */
bool ckpt_tty_allowed(dev_t dev)
{
	switch (MAJOR(dev)) {
	case TTY_MAJOR:
	case UNIX98_PTY_SLAVE_MAJOR ... UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT - 1:
		return true;
	case TTYAUX_MAJOR:
		return MINOR(dev) == 0 || MINOR(dev) == 1; /* tty, console */
	case 229: /* hvc */
		return true;
	}
	return false;
}

/**
 * ckpt_is_tty - is the open file a terminal?
 * @file: the file
 *
 * Return: true if it is one, and not only a location.
 */
bool ckpt_is_tty(struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && ckpt_tty_allowed(inode->i_rdev) &&
	       !(file->f_mode & FMODE_PATH);
}

static bool ckpt_match_tty(struct ckpt_ctx *ctx, struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && ckpt_tty_allowed(inode->i_rdev);
}

static struct file *restore_own_file(struct ckpt_restart *rs, const struct ckpt_rec *r);

/* In this order: the first that matches. */
static const struct ckpt_file_ops ckpt_file_kinds[] = {
	{
		.kind		= CKPT_FILE_IMAGE,
		.foreign	= true,
		.match		= ckpt_match_image,
		.restore	= restore_own_file,
	}, {
		.kind		= CKPT_FILE_LOG,
		.foreign	= true,
		.match		= ckpt_match_log,
		.restore	= restore_own_file,
	}, {
		.kind		= CKPT_FILE_EXTERNAL,
		.part		= CKPT_REC_EXTERNAL,
		.foreign	= true,
		.match		= ckpt_is_external,
		.name		= ckpt_external_name,
		.checkpoint	= checkpoint_external,
		.restore	= restore_external,
	}, {
		.kind		= CKPT_FILE_PIPE,
		.match		= ckpt_is_pipe,
		.problem	= ckpt_pipe_problem,
		.restore	= restore_pipe_end,
	}, {
		.kind		= CKPT_FILE_FIFO_INODE,
		.match		= ckpt_is_deleted_fifo,
		.problem	= ckpt_deleted_fifo_problem,
		.restore	= restore_fifo_end,
	}, {
		.kind		= CKPT_FILE_FIFO,
		.by_path	= true,
		.match		= ckpt_is_fifo,
		.problem	= ckpt_pipe_problem,
		.restore	= restore_fifo_end,
	}, {
		.kind		= CKPT_FILE_INODE_MADE,
		.match		= ckpt_is_inode_made,
		.problem	= ckpt_inode_problem,
		.restore	= restore_inode_file,
	}, {
		.kind		= CKPT_FILE_INODE,
		.match		= ckpt_is_inode,
		.problem	= ckpt_inode_problem,
		.restore	= restore_inode_file,
	}, {
		.kind		= CKPT_FILE_PROC,
		.part		= CKPT_REC_PROC,
		.by_path	= true,
		.match		= ckpt_is_proc,
		.problem	= ckpt_proc_problem,
		.checkpoint	= checkpoint_proc,
		.restore	= restore_proc,
	}, {
		.kind		= CKPT_FILE_NODE,
		.match		= ckpt_is_node,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_REG,
		.match		= ckpt_match_reg,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_DIR,
		.match		= ckpt_match_dir,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_CHR,
		.match		= ckpt_match_chr,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_TTY,
		.match		= ckpt_match_tty,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_EVENTFD,
		.part		= CKPT_REC_EVENTFD,
		.match		= ckpt_is_eventfd,
		.checkpoint	= checkpoint_eventfd,
		.restore	= restore_eventfd,
	}, {
		.kind		= CKPT_FILE_TIMERFD,
		.part		= CKPT_REC_TIMERFD,
		.match		= ckpt_is_timerfd,
		.checkpoint	= checkpoint_timerfd,
		.restore	= restore_timerfd,
	}, {
		.kind		= CKPT_FILE_SIGNALFD,
		.part		= CKPT_REC_SIGNALFD,
		.match		= ckpt_is_signalfd,
		.checkpoint	= checkpoint_signalfd,
		.restore	= restore_signalfd,
	}, {
		.kind		= CKPT_FILE_EPOLL,
		.part		= CKPT_REC_EPOLL,
		.match		= ckpt_is_epoll,
		.problem	= ckpt_epoll_problem,
		.restore	= restore_epoll,
	}, {
		.kind		= CKPT_FILE_PIDFD,
		.part		= CKPT_REC_PIDFD,
		.match		= ckpt_is_pidfd,
		.problem	= ckpt_pidfd_problem,
		.checkpoint	= checkpoint_pidfd,
		.restore	= restore_pidfd,
	}, {
		.kind		= CKPT_FILE_KERNFS,
		.match		= ckpt_is_kernfs,
		.by_path	= true,
	}, {
		.kind		= CKPT_FILE_INOTIFY,
		.part		= CKPT_REC_INOTIFY,
		.match		= ckpt_is_inotify,
		.problem	= ckpt_inotify_problem,
		.checkpoint	= checkpoint_inotify,
		.restore	= restore_inotify,
	}, {
		.kind		= CKPT_FILE_FANOTIFY,
		.part		= CKPT_REC_FANOTIFY,
		.match		= ckpt_is_fanotify,
		.problem	= ckpt_fanotify_problem,
		.checkpoint	= checkpoint_fanotify,
		.restore	= restore_fanotify,
	}, {
		.kind		= CKPT_FILE_NS,
		.part		= CKPT_REC_NSFILE,
		.match		= ckpt_is_nsfile,
		.problem	= ckpt_nsfile_problem,
		.checkpoint	= checkpoint_nsfile,
		.restore	= restore_nsfile,
	}, {
		.kind		= CKPT_FILE_UNIX,
		.part		= CKPT_REC_UNIX_SOCK,
		.match		= ckpt_is_unix,
		.problem	= ckpt_unix_problem,
		.checkpoint	= checkpoint_unix,
		.restore	= restore_unix,
	},
};

static const struct ckpt_file_ops *ckpt_file_kind(struct ckpt_ctx *ctx,
						  struct file *file)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_file_kinds); i++)
		if (ckpt_file_kinds[i].match(ctx, file))
			return &ckpt_file_kinds[i];
	return NULL;
}

/* With a PIPE record behind it. */
static bool ckpt_kind_of_pipe(u32 kind)
{
	return kind == CKPT_FILE_PIPE || kind == CKPT_FILE_FIFO ||
	       kind == CKPT_FILE_FIFO_INODE;
}

/* With an INODE record before it. */
static bool ckpt_kind_of_inode(u32 kind)
{
	return kind == CKPT_FILE_INODE || kind == CKPT_FILE_INODE_MADE ||
	       kind == CKPT_FILE_FIFO_INODE;
}

/* It may have a reader that has not met a writer yet. */
static bool ckpt_kind_of_fifo(u32 kind)
{
	return kind == CKPT_FILE_FIFO || kind == CKPT_FILE_FIFO_INODE;
}

/* How files of an image are made; NULL for what this kernel does not know. */
static const struct ckpt_file_ops *ckpt_file_ops(u32 kind)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_file_kinds); i++)
		if (ckpt_file_kinds[i].kind == kind)
			return &ckpt_file_kinds[i];
	return NULL;
}

/* ---- what refuses --------------------------------------------------------- */

static fmode_t ckpt_fmode_derived(const struct file *file)
{
	if (file->f_mode & FMODE_BACKING)
		return CKPT_FMODE_DERIVED | CKPT_FMODE_BACKING;
	return CKPT_FMODE_DERIVED;
}

static const char *ckpt_file_problem(struct ckpt_ctx *ctx,
				     struct task_struct *t, struct file *file,
				     const struct ckpt_file_ops *kind)
{
	const char *why;
	struct path path;

	if (ckpt_is_output(ctx, file))
		return NULL;
	why = ckpt_locks_problem(ctx, t, file);
	/* The rest of it is for who supplies it. */
	if (why || kind->foreign)
		return why;
	why = ckpt_fowner_problem(ctx, file);
	if (why)
		return why;
	if (file->f_flags & ~(CKPT_O_SAVED | CKPT_O_IGNORED | FASYNC))
		return "has open flags that this kernel does not know";
	if (file->f_cred->user_ns != current_user_ns())
		return "was opened in another user namespace";
	if (kind->problem)
		why = kind->problem(ctx, file);
	if (!why && kind->by_path) {
		ckpt_file_path(file, &path);
		why = ckpt_path_problem(ctx, &path, &ctx->root);
		path_put(&path);
	}
	if (!why && (file->f_mode & ~(CKPT_FMODE_SAVED | ckpt_fmode_derived(file))))
		why = "has a file mode (f_mode) that cannot be saved yet";
	if (!why && (file->f_mode & FMODE_BACKING) &&
	    d_real_inode(file_user_path(file)->dentry) != file_inode(file))
		why = "was copied up (overlayfs) since it was mapped, which cannot be saved yet";
	return why;
}

/**
 * ckpt_check_file - find what keeps a file from being saved
 * @ctx: the checkpoint
 * @t: a task that uses it
 * @file: the file
 * @fmt: how it uses it, as "fd 7"
 */
void ckpt_check_file(struct ckpt_ctx *ctx, struct task_struct *t,
		     struct file *file, const char *fmt, ...)
{
	const struct ckpt_file_ops *kind = ckpt_file_kind(ctx, file);
	struct va_format what = { .fmt = fmt };
	const char *why;
	va_list args;

	why = kind ? ckpt_file_problem(ctx, t, file, kind) :
		     ckpt_family_problem(ctx, file);
	if (kind && !why)
		return;
	va_start(args, fmt);
	what.va = &args;
	if (why)
		ckpt_refuse(ctx, t, "%pV -> %s %s", &what,
			    ckpt_log_path(&ctx->log, file_user_path(file)), why);
	else
		ckpt_refuse(ctx, t, "%pV -> %s: %ps cannot be saved yet", &what,
			    ckpt_log_path(&ctx->log, file_user_path(file)), file->f_op);
	va_end(args);
}

/* ---- writing --------------------------------------------------------------- */

static int checkpoint_file(struct ckpt_ctx *ctx, void *ptr, u32 objref)
{
	const struct ckpt_file_ops *kind;
	struct ckpt_rec_file *rec;
	struct file *file = ptr;
	struct path path;
	int ret = 0;
	u32 cred, pipe = 0, inode = 0;

	kind = ckpt_file_kind(ctx, file);
	if (!kind)
		return -EOPNOTSUPP;
	if (ckpt_kind_of_pipe(kind->kind))
		pipe = ckpt_obj_checkpoint(ctx, CKPT_OBJ_PIPE,
					   ckpt_pipe_of(file_inode(file)), &ret);
	if (ckpt_kind_of_inode(kind->kind))
		inode = checkpoint_inode(ctx, file, &ret);

	cred = ckpt_obj_checkpoint(ctx, CKPT_OBJ_CRED, (void *)file->f_cred,
				   &ret);
	if (ret)
		return ret;
	ckpt_file_path(file, &path);
	if (kind->by_path)
		rec = ckpt_new_file(ctx, &path, &ctx->root);
	else
		rec = ckpt_new_file_named(ctx, kind->name ? kind->name(ctx, file) : "");
	if (!rec) {
		ret = -ENOMEM;
		goto out;
	}
	rec->objref = objref;
	rec->kind = kind->kind;
	rec->f_flags = file->f_flags & CKPT_O_SAVED;
	if (file->f_mode & FMODE_BACKING)
		rec->f_flags &= ~CKPT_O_BACKING;
	if (file->f_mode & FMODE_CREATED)
		rec->flags |= CKPT_FILE_F_CREATED;
	if (ckpt_kind_of_fifo(kind->kind) && ckpt_fifo_unpaired(file))
		rec->flags |= CKPT_FILE_F_UNPAIRED;
	rec->pos = file->f_pos;
	rec->cred = cred;
	rec->pipe = pipe;
	rec->inode = inode;
	if (kind->by_path || kind->name)
		ret = ckpt_file_facts(&path, rec);
	checkpoint_advice(file, rec);
	if (!ret && kind->checkpoint)
		ret = kind->checkpoint(ctx, file, objref);
out:
	path_put(&path);
	return ret;
}

/* ---- opening again ----------------------------------------------------------- */

/**
 * ckpt_file_part - the record that belongs to an open file
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the record, or NULL if there is none.
 */
const struct ckpt_rec *ckpt_file_part(struct ckpt_restart *rs,
				      const struct ckpt_rec *r)
{
	struct ckpt_robj *obj = xa_load(&rs->objs, ckpt_rec_as(r, file)->objref);

	return obj->part;
}

/**
 * ckpt_take_fd - take the file of a descriptor that was just made
 * @fd: the descriptor, or a negative errno
 *
 * Calls that make a file give it a descriptor, which is not what it gets here.
 *
 * Return: the file, which has no descriptor any more, or an ERR_PTR().
 */
struct file *ckpt_take_fd(int fd)
{
	struct file *file;

	if (fd < 0)
		return ERR_PTR(fd);
	file = fget(fd);
	close_fd(fd);
	return file ?: ERR_PTR(-EBADF);
}

static int restore_file_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	const struct ckpt_file_ops *kind = ckpt_file_ops(rec->kind);
	const struct ckpt_rec *part;
	const char *path = r->var;

	if (rec->path_len > CKPT_PATH_MAX || rec->path_len > r->var_len ||
	    !rec->path_len || strnlen(path, rec->path_len) != rec->path_len - 1)
		return ckpt_bad(rs, r, -EINVAL, "the path is malformed");
	if (rec->f_flags & ~CKPT_O_SAVED)
		return ckpt_bad(rs, r, -EINVAL, "unknown open flags 0%o", rec->f_flags);
	if (rec->flags & ~CKPT_FILE_F_ALL)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown file flags 0x%x", rec->flags);
	if ((rec->flags & CKPT_FILE_F_UNPAIRED) &&
	    (!ckpt_kind_of_fifo(rec->kind) || (rec->f_flags & O_ACCMODE) != O_RDONLY))
		return ckpt_bad(rs, r, -EINVAL, "only a reader of a FIFO waits for a writer");
	if ((rec->flags & CKPT_FILE_F_PATH_ONLY) &&
	    rec->kind != CKPT_FILE_DIR && rec->kind != CKPT_FILE_INODE &&
	    (rec->kind != CKPT_FILE_PROC || !S_ISDIR(rec->mode)))
		return ckpt_bad(rs, r, -EINVAL, "a location that is no directory");
	if (rec->kind == CKPT_FILE_NODE && !(rec->f_flags & O_PATH))
		return ckpt_bad(rs, r, -EINVAL, "only the location of such a file can be opened");
	if (rec->kind == CKPT_FILE_KERNFS && (rec->f_flags & (O_ACCMODE | O_PATH)) != O_RDONLY)
		return ckpt_bad(rs, r, -EINVAL, "such a file is only read");
	if (!ckpt_advice_valid(rec))
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown advice 0x%x, hint %u",
				rec->advice, rec->write_hint);
	if (rec->pos < 0)
		return ckpt_bad(rs, r, -EINVAL, "file position %lld", rec->pos);
	if (!kind)
		return ckpt_bad(rs, r, -EOPNOTSUPP, "unknown kind of file %u", rec->kind);
	if (kind->by_path && path[0] != '/')
		return ckpt_bad(rs, r, -EINVAL, "the path is not absolute");
	if (ckpt_kind_of_inode(rec->kind) ? !rec->inode :
	    rec->inode || ((rec->f_flags & __O_TMPFILE) && rec->kind != CKPT_FILE_REG))
		return ckpt_bad(rs, r, -EINVAL, "kind of file %u with contents %u, open flags 0%o",
				rec->kind, rec->inode, rec->f_flags);
	/* The restarter may not be allowed to have them, but there they are. */
	if (rec->cred && IS_ERR(ckpt_obj_rec(rs, CKPT_OBJ_CRED, rec->cred)))
		return -EINVAL;
	part = ckpt_file_part(rs, r);
	if (kind->part != (part ? part->type : 0))
		return ckpt_bad(rs, r, -EINVAL, "kind of file %u with %s record", rec->kind,
				part ? ckpt_rec_name(part->type) : "no");
	if (ckpt_kind_of_pipe(rec->kind) &&
	    (rec->f_flags & O_ACCMODE) == O_ACCMODE)
		return ckpt_bad(rs, r, -EINVAL, "an end of a pipe for nothing");
	return 0;
}

/* The image and the log of the checkpoint are those of the restart now. */
static struct file *restore_own_file(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	struct file *file;

	file = ckpt_rec_as(r, file)->kind == CKPT_FILE_IMAGE ? rs->in.file : rs->log.file;
	return file ? get_file(file) : NULL;
}

/**
 * ckpt_file_cred - whose rights a file is opened with
 * @rs: the restart
 * @objref: of the credentials that it was opened with
 *
 * Return: those, or where the restarter may not have them those of the task.
 */
const struct cred *ckpt_file_cred(struct ckpt_restart *rs, u32 objref)
{
	const struct cred *cred;
	size_t mark = rs->log.len;

	cred = ckpt_obj_restore(rs, CKPT_OBJ_CRED, objref);
	if (!IS_ERR(cred))
		return cred;
	/* No failure yet: the task's own may do. */
	rs->log.len = mark;
	return rs->me->cred;
}

static void *restore_file(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	/* What open() does not take or this function adds. */
	const unsigned int own = O_NONBLOCK | O_NOFOLLOW | O_DIRECTORY | O_LARGEFILE;
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	const struct ckpt_file_ops *kind;
	const struct cred *saved;
	struct file *file;
	int flags, ret;

	ret = restore_file_check(rs, r);
	if (ret)
		return ERR_PTR(ret);
	kind = ckpt_file_ops(rec->kind);
	/* These stay as they are. */
	if (kind->foreign)
		return kind->restore(rs, r);
	file = kind->by_path && !kind->part ? restore_replaced(rs, r) : NULL;
	if (file)
		return file;

	flags = rec->f_flags | O_LARGEFILE;
	/* It has got a name since. */
	if (flags & __O_TMPFILE)
		flags &= ~O_TMPFILE;
	if (rec->flags & CKPT_FILE_F_PATH_ONLY)
		flags = O_PATH | O_DIRECTORY;
	flags |= O_NOFOLLOW;
	if (!(flags & O_PATH))
		flags |= O_NONBLOCK | O_NOCTTY;

	saved = override_creds(ckpt_file_cred(rs, rec->cred));
	file = kind->restore ? kind->restore(rs, r) :
			       ckpt_open_path(rs, r, flags);
	revert_creds(saved);
	if (IS_ERR(file))
		return file;

	spin_lock(&file->f_lock);
	file->f_flags = (file->f_flags & ~(own | O_NOCTTY)) |
			(rec->f_flags & (own | __O_TMPFILE));
	if (rec->flags & CKPT_FILE_F_CREATED)
		file->f_mode |= FMODE_CREATED;
	spin_unlock(&file->f_lock);
	restore_advice(rec, file);
	/* Some directories keep more than a number behind their position. */
	if (rec->kind == CKPT_FILE_DIR && rec->pos && !(file->f_flags & O_PATH)) {
		if (vfs_llseek(file, rec->pos, SEEK_SET) != rec->pos) {
			fput(file);
			return ERR_PTR(ckpt_bad(rs, r, -ESTALE,
						"%s: its position %lld cannot be found again",
						(const char *)r->var, rec->pos));
		}
		return file;
	}
	file->f_pos = rec->pos;
	return file;
}

static int ckpt_collect_file(struct ckpt_ctx *ctx, void *ptr)
{
	const struct ckpt_file_ops *kind;
	int ret = 0;

	ckpt_collect_external(ctx, ptr);
	kind = ckpt_file_kind(ctx, ptr);
	if (kind && ckpt_kind_of_pipe(kind->kind))
		ret = ckpt_collect_pipe(ctx, ptr);
	if (!ret && kind && ckpt_kind_of_inode(kind->kind))
		ret = ckpt_collect_inode(ctx, ptr);
	return ret;
}

static long ckpt_file_users(void *ptr)
{
	return file_count((struct file *)ptr);
}

static void ckpt_file_grab(void *ptr)
{
	get_file(ptr);
}

static void ckpt_file_drop(void *ptr)
{
	fput(ptr);
}

const struct ckpt_obj_ops ckpt_ops_FILE = {
	.rec_type = CKPT_REC_FILE,
	.grab = ckpt_file_grab,
	.drop = ckpt_file_drop,
	.collect = ckpt_collect_file,
	.users = ckpt_file_users,
	.checkpoint = checkpoint_file,
	.restore = restore_file,
};

/* Locations stand in FILE records, too, see checkpoint_path(). */
const struct ckpt_obj_ops ckpt_ops_LOCATION = {
	.rec_type = CKPT_REC_FILE,
	.grab = ckpt_file_grab,
	.drop = ckpt_file_drop,
	.restore = restore_file,
};
