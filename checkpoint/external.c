// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are not part of the tree: the caller of checkpoint() declares them
 * by a key, and who restarts the image supplies them by the same key. Nothing of
 * them is saved but what they were. And other files that the restarter puts in
 * the place of those of the image.
 *
 * A file of the restarter stays as it is, with its position and its flags. It
 * has the rights that he has opened it with.
 */
#include <linux/dcache.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <net/sock.h>

#include "checkpoint.h"

/* Before the names of files that have no type. */
#define CKPT_ANON_PREFIX	"anon_inode:"

/* ---- keys ------------------------------------------------------------------ */

/**
 * ckpt_external_parse - understand a key
 * @log: for what is wrong with it
 * @ext: with the key; out: what it says
 *
 * Return: 0 or -EINVAL.
 */
int ckpt_external_parse(struct ckpt_log *log, struct ckpt_external *ext)
{
	unsigned int major, minor;
	const char *key = ext->key;
	char more;

	ext->fd = -1;
	if (str_has_prefix(key, "fd:")) {
		if (!kstrtoint(key + 3, 10, &ext->fd) && ext->fd >= 0)
			return 0;
	} else if (str_has_prefix(key, "dev:")) {
		if (sscanf(key, "dev:%u:%u%c", &major, &minor, &more) == 2 &&
		    major < 1U << (32 - MINORBITS) && minor <= MINORMASK) {
			ext->dev = MKDEV(major, minor);
			if (ext->dev)
				return 0;
		}
	} else if (key[0] == '/' || strstr(key, ":[") ||
		   str_has_prefix(key, CKPT_ANON_PREFIX)) {
		return 0;
	}
	ckpt_log(log,
		 "%s names no external file: a key is /PATH, pipe:[INODE] and the like as in /proc/PID/fd, dev:MAJOR:MINOR or fd:N",
		 key);
	return -EINVAL;
}

/* ---- saving ------------------------------------------------------------------ */

/**
 * ckpt_externals_begin - find out what descriptors of the root task are
 * @ctx: the checkpoint; the tree is frozen
 */
void ckpt_externals_begin(struct ckpt_ctx *ctx)
{
	/* A leader that has exited has no descriptors, its next thread has. */
	struct task_struct *t = ctx->tasks[ctx->tasks[0].zombie].t;
	struct file *file;
	u32 i;

	for (i = 0; i < ctx->nr_externals; i++) {
		if (ctx->externals[i].fd < 0)
			continue;
		file = fget_task(t, ctx->externals[i].fd);
		ctx->externals[i].file = file;
		if (file)
			fput(file);
	}
}

/**
 * ckpt_externals_unused - report keys of files that the tree does not have
 * @ctx: the checkpoint, collected
 */
void ckpt_externals_unused(struct ckpt_ctx *ctx)
{
	u32 i;

	for (i = 0; i < ctx->nr_externals; i++)
		if (!ctx->externals[i].used)
			ckpt_log(&ctx->log,
				 "warning: the processes have no open file %s, which you have declared external",
				 ctx->externals[i].key);
}

/**
 * ckpt_externals_free - let go of the keys
 * @ctx: the checkpoint
 */
void ckpt_externals_free(struct ckpt_ctx *ctx)
{
	while (ctx->nr_externals)
		kfree(ctx->externals[--ctx->nr_externals].key);
	kfree(ctx->externals);
	kfree(ctx->path_buf);
}

static bool ckpt_external_match(const struct ckpt_external *ext,
				struct file *file, const char *name)
{
	const struct inode *inode = file_inode(file);

	if (ext->fd >= 0)
		return ext->file == file;
	if (ext->dev)
		return (S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode)) &&
		       inode->i_rdev == ext->dev;
	return !IS_ERR(name) && !strcmp(name, ext->key);
}

/**
 * ckpt_collect_external - is an open file external? That is decided here, once
 * @ctx: the checkpoint
 * @file: the file, which is in the object hash
 */
void ckpt_collect_external(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, file);
	const char *name;
	u32 i;

	if (!ctx->nr_externals || !obj)
		return;
	name = d_path(file_user_path(file), ctx->path_buf, CKPT_PATH_MAX);
	for (i = 0; i < ctx->nr_externals && !obj->external; i++) {
		if (!ckpt_external_match(&ctx->externals[i], file, name))
			continue;
		ctx->externals[i].used = true;
		obj->external = i + 1;
	}
}

/**
 * ckpt_is_external - is the file not part of the tree?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if the caller has said so.
 */
bool ckpt_is_external(struct ckpt_ctx *ctx, struct file *file)
{
	struct ckpt_obj *obj;

	if (!ctx->nr_externals)
		return false;
	obj = ckpt_obj_find_typed(ctx, file, CKPT_OBJ_FILE);
	return obj && obj->external;
}

/**
 * ckpt_external_name - an external file, as /proc/PID/fd shows it
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: its name, valid until the next call.
 */
const char *ckpt_external_name(struct ckpt_ctx *ctx, struct file *file)
{
	const char *name = d_path(file_user_path(file), ctx->path_buf, CKPT_PATH_MAX);

	return IS_ERR(name) ? "?" : name;
}

/**
 * checkpoint_external - write the EXTERNAL record of a file
 * @ctx: the checkpoint
 * @file: the file
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_external(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct ckpt_obj *obj = ckpt_obj_find(&ctx->objs, file);
	const char *key = ctx->externals[obj->external - 1].key;
	struct socket *sock = sock_from_file(file);
	u32 len = strlen(key) + 1;
	struct ckpt_rec_external *rec;

	rec = ckpt_rec_new(ctx, external, CKPT_REC_EXTERNAL, len);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	if (sock) {
		rec->family = sock->ops->family;
		rec->type = sock->type;
	}
	rec->key_len = len;
	memcpy(ckpt_rec_var(rec), key, len);
	return 0;
}

/* ---- restoring: what fits --------------------------------------------------------- */

static const char *ckpt_type_name(umode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	case S_IFIFO:
		return "a pipe or FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFLNK:
		return "a symbolic link";
	}
	return "something without a type";
}

static const char *ckpt_access_name(fmode_t mode)
{
	static const char * const names[] = {
		"for nothing", "for reading", "for writing",
		"for reading and writing",
	};

	return names[(__force unsigned int)(mode & (FMODE_READ | FMODE_WRITE))];
}

static fmode_t ckpt_saved_access(const struct ckpt_rec_file *rec)
{
	return rec->f_flags & O_PATH ? 0 : OPEN_FMODE(rec->f_flags);
}

static bool ckpt_access_fits(const struct ckpt_rec_file *rec,
			     const struct file *file)
{
	return !(ckpt_saved_access(rec) & ~file->f_mode);
}

/* Is it of another kind than the record says? Text in @why if so. */
static bool ckpt_kind_differs(const struct ckpt_rec *r,
			      const struct ckpt_rec *part,
			      struct file *file, char *why, size_t size)
{
	const struct ckpt_rec_external *ext = ckpt_rec_as(part, external);
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	const struct inode *inode = file_inode(file);
	struct socket *sock = sock_from_file(file);
	const char *name;

	if ((inode->i_mode ^ rec->mode) & S_IFMT) {
		snprintf(why, size, "was %s, what you give for it is %s",
			 ckpt_type_name(rec->mode),
			 ckpt_type_name(inode->i_mode));
		return true;
	}
	if ((S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode)) &&
	    (MAJOR(inode->i_rdev) != rec->rdev_major ||
	     MINOR(inode->i_rdev) != rec->rdev_minor)) {
		snprintf(why, size, "was device %u:%u, what you give for it is %u:%u",
			 rec->rdev_major, rec->rdev_minor,
			 MAJOR(inode->i_rdev), MINOR(inode->i_rdev));
		return true;
	}
	if (sock && (sock->ops->family != ext->family || sock->type != ext->type)) {
		snprintf(why, size,
			 "was a socket of family %u and type %u, what you give for it is one of %u and %u",
			 ext->family, ext->type, sock->ops->family, sock->type);
		return true;
	}
	/* Only the name tells an eventfd from an epoll. */
	name = file->f_path.dentry->d_name.name;
	if (!(inode->i_mode & S_IFMT) &&
	    !(str_has_prefix(r->var, CKPT_ANON_PREFIX) &&
	      !strcmp((const char *)r->var + strlen(CKPT_ANON_PREFIX), name))) {
		snprintf(why, size, "is not what you give for it, which is %s", name);
		return true;
	}
	return false;
}

static int restore_external_fits(struct ckpt_restart *rs,
				 const struct ckpt_rec *r,
				 const struct ckpt_rec *part, struct file *file)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	char why[160];

	if (ckpt_kind_differs(r, part, file, why, sizeof(why)))
		return ckpt_bad(rs, r, -ESTALE, "the external file %s %s",
				(const char *)r->var, why);
	if (!ckpt_access_fits(rec, file))
		return ckpt_bad(rs, r, -EBADF,
				"the external file %s was open %s, what you give for it is open %s",
				(const char *)r->var,
				ckpt_access_name(ckpt_saved_access(rec)),
				ckpt_access_name(file->f_mode));
	return 0;
}

/* ---- restoring: what takes whose place --------------------------------------------- */

static struct ckpt_inherit *ckpt_inherit_find(struct ckpt_restart *rs,
					      const struct ckpt_rec *r,
					      const char *key)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct ckpt_inherit *in, *first = NULL;
	unsigned int i;

	for (i = 0; i < rs->nr_inherit; i++) {
		in = &rs->inherit[i];
		if (in->key ? strcmp(in->key, key) : in->objref != rec->objref)
			continue;
		if (ckpt_access_fits(rec, in->file))
			return in;
		first = first ?: in;
	}
	return first;
}

static int restore_external_check(struct ckpt_restart *rs,
				  const struct ckpt_rec *part)
{
	const struct ckpt_rec_external *rec = ckpt_rec_as(part, external);

	if (!rec->key_len || rec->key_len > CKPT_PATH_MAX ||
	    rec->key_len > part->var_len ||
	    strnlen(part->var, rec->key_len) != rec->key_len - 1)
		return ckpt_bad(rs, part, -EINVAL, "the key is malformed");
	return 0;
}

/**
 * restore_external - the restarter's file for one that was declared external
 * @rs: the restart
 * @r: its FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_external(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	struct ckpt_inherit *in;
	int ret;

	ret = restore_external_check(rs, part);
	if (ret)
		return ERR_PTR(ret);
	in = ckpt_inherit_find(rs, r, part->var);
	if (!in)
		return ERR_PTR(ckpt_bad(rs, r, -ENOENT,
					"the file %s was declared external: give one in its place with --inherit-fd '%s=...'",
					(const char *)r->var,
					(const char *)part->var));
	in->used = true;
	ret = restore_external_fits(rs, r, part, in->file);
	return ret ? ERR_PTR(ret) : get_file(in->file);
}

/**
 * restore_replaced - the restarter's file for one that is opened by its path
 * @rs: the restart
 * @r: its FILE record
 *
 * Return: the file, or NULL: he gives none for this path.
 */
struct file *restore_replaced(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_file *rec = ckpt_rec_as(r, file);
	struct ckpt_inherit *in = NULL;

	if (!(rec->flags & CKPT_FILE_F_PATH_ONLY))
		in = ckpt_inherit_find(rs, r, r->var);
	/* What goes by descriptor is not for the mappings of that file. */
	if (!in || !in->key)
		return NULL;
	in->used = true;
	restore_inherited_check(rs, rec->objref, in->file);
	return get_file(in->file);
}

/**
 * restore_inherited_check - is this what a file of the image can be replaced by?
 * @rs: the restart
 * @objref: of the open file in the image
 * @file: what takes its place
 *
 * What was declared external must be of the same kind, and open as that was. For
 * others it may well be meant that a log goes to a pipe, or a terminal becomes a
 * file to write; only one that is of no use is reported.
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_inherited_check(struct ckpt_restart *rs, u32 objref,
			    struct file *file)
{
	const struct ckpt_rec *r = ckpt_obj_rec(rs, CKPT_OBJ_FILE, objref), *part;
	const struct ckpt_rec_file *rec;
	int ret;

	if (IS_ERR(r))
		return PTR_ERR(r);
	rec = ckpt_rec_as(r, file);
	part = ckpt_file_part(rs, r);
	if (rec->kind == CKPT_FILE_EXTERNAL && part &&
	    part->type == CKPT_REC_EXTERNAL) {
		ret = restore_external_check(rs, part);
		return ret ?: restore_external_fits(rs, r, part, file);
	}
	if (ckpt_saved_access(rec) && !(ckpt_saved_access(rec) & file->f_mode))
		ckpt_log(&rs->log,
			 "warning: what takes the place of %s is open %s, that was open %s",
			 rec->path_len > 1 && rec->path_len <= r->var_len &&
			 strnlen(r->var, rec->path_len) < rec->path_len ?
			 (const char *)r->var : "an open file",
			 ckpt_access_name(file->f_mode),
			 ckpt_access_name(ckpt_saved_access(rec)));
	return 0;
}

/**
 * ckpt_inherited_by - what of the restarter has taken the place of an open file
 * @rs: the restart; all file tables are there
 * @objref: of the open file
 *
 * Return: it, or NULL.
 */
struct ckpt_inherit *ckpt_inherited_by(struct ckpt_restart *rs, u32 objref)
{
	struct ckpt_robj *obj = xa_load(&rs->objs, objref);
	struct ckpt_inherit *in;
	unsigned int i;

	for (i = 0; i < rs->nr_inherit; i++) {
		in = &rs->inherit[i];
		if (!in->used)
			continue;
		if (!in->key && in->objref == objref)
			return in;
		if (obj && obj->state == CKPT_ROBJ_READY &&
		    obj->type == CKPT_OBJ_FILE && obj->ptr == in->file)
			return in;
	}
	return NULL;
}

/**
 * restore_inherited_unused - report files of the restarter that replaced nothing
 * @rs: the restart
 */
void restore_inherited_unused(struct ckpt_restart *rs)
{
	const struct ckpt_inherit *in;
	unsigned int i;

	for (i = 0; i < rs->nr_inherit; i++) {
		in = &rs->inherit[i];
		if (in->used)
			continue;
		if (in->key)
			ckpt_log(&rs->log,
				 "warning: the image has no file %s that --inherit-fd could replace",
				 in->key);
		else
			ckpt_log(&rs->log,
				 "warning: the image has no descriptor %d that --inherit-fd could replace",
				 in->saved_fd);
	}
}
