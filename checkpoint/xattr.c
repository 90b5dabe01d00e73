// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes of files that are in the image.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "checkpoint.h"

#define CKPT_XATTRS_MAX		0x100000

enum ckpt_xattr_class { CKPT_XATTR_SAVED, CKPT_XATTR_IGNORED, CKPT_XATTR_REFUSED };

/* Labels of security modules are those of the restarter, as all labels are. */
static enum ckpt_xattr_class ckpt_xattr_class(const char *name)
{
	if (str_has_prefix(name, XATTR_USER_PREFIX))
		return CKPT_XATTR_SAVED;
	if (!strcmp(name, XATTR_NAME_SELINUX) ||
	    str_has_prefix(name, XATTR_SECURITY_PREFIX "SMACK64") ||
	    !strcmp(name, XATTR_SECURITY_PREFIX "apparmor"))
		return CKPT_XATTR_IGNORED;
	return CKPT_XATTR_REFUSED;
}

/* All names, one after the other; to be freed. Returns their length. */
static ssize_t ckpt_xattr_names(struct dentry *dentry, char **names)
{
	ssize_t len;

	*names = kvmalloc(XATTR_LIST_MAX, GFP_KERNEL_ACCOUNT);
	if (!*names)
		return -ENOMEM;
	len = vfs_listxattr(dentry, *names, XATTR_LIST_MAX);
	return len == -EOPNOTSUPP ? 0 : len;
}

/**
 * ckpt_xattr_problem - which attribute of a file cannot be saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_xattr_problem(struct ckpt_ctx *ctx, struct file *file)
{
	const char *why = NULL;
	char *names;
	ssize_t len, at;

	if (IS_PRIVATE(ckpt_file_inode(file)))
		return NULL;
	len = ckpt_xattr_names(file_user_path(file)->dentry, &names);
	if (len < 0)
		why = "has extended attributes that cannot be read";
	for (at = 0; at < len && !why; at += strlen(names + at) + 1) {
		if (ckpt_xattr_class(names + at) != CKPT_XATTR_REFUSED)
			continue;
		snprintf(ctx->why, sizeof(ctx->why),
			 "was deleted and has the attribute %.48s, which cannot be saved yet",
			 names + at);
		why = ctx->why;
	}
	kvfree(names);
	return why;
}

/* ---- saving --------------------------------------------------------------- */

static int ckpt_xattr_add(struct ckpt_xattrs *xattrs, struct file *file,
			  const char *name)
{
	size_t name_len = strlen(name) + 1, room, used;
	struct ckpt_xattr *x = (void *)(xattrs->buf + xattrs->len);
	const struct path *path = file_user_path(file);
	ssize_t len;

	used = xattrs->len + sizeof(*x) + name_len;
	if (used + 8 > CKPT_XATTRS_MAX)
		return -E2BIG;
	room = CKPT_XATTRS_MAX - used - 8;
	len = vfs_getxattr(mnt_idmap(path->mnt), path->dentry, name,
			   (u8 *)(x + 1) + name_len, room);
	if (len < 0)
		return len;
	x->name_len = name_len;
	x->value_len = len;
	memcpy(x + 1, name, name_len);
	xattrs->len = ALIGN(used + len, 8);
	xattrs->nr++;
	return 0;
}

/**
 * ckpt_xattrs_get - read the attributes of a file
 * @xattrs: zeroed; its buf is to be freed with kvfree()
 * @file: the file
 *
 * Return: 0 or a negative errno.
 */
int ckpt_xattrs_get(struct ckpt_xattrs *xattrs, struct file *file)
{
	ssize_t len, at;
	char *names;
	int ret = 0;

	if (IS_PRIVATE(ckpt_file_inode(file)))
		return 0;
	len = ckpt_xattr_names(file_user_path(file)->dentry, &names);
	if (len > 0) {
		xattrs->buf = kvzalloc(CKPT_XATTRS_MAX, GFP_KERNEL_ACCOUNT);
		ret = xattrs->buf ? 0 : -ENOMEM;
	}
	for (at = 0; at < len && !ret; at += strlen(names + at) + 1)
		if (ckpt_xattr_class(names + at) == CKPT_XATTR_SAVED)
			ret = ckpt_xattr_add(xattrs, file, names + at);
	kvfree(names);
	return len < 0 ? len : ret;
}

/* ---- restoring ------------------------------------------------------------- */

/**
 * restore_xattrs_check - are the attributes of an INODE record well-formed?
 * @rs: the restart
 * @r: the record, whose path is
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_xattrs_check(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	size_t at = ALIGN(rec->path_len, 8), len;
	const struct ckpt_xattr *x;
	const char *name;
	u32 i;

	for (i = 0; i < rec->nr_xattrs; i++) {
		x = r->var + at;
		if (at + sizeof(*x) > rec->var_len)
			return ckpt_bad(rs, r, -EINVAL, "attribute %u does not fit", i);
		len = rec->var_len - at - sizeof(*x);
		if (x->name_len > len || x->value_len > len - x->name_len ||
		    ALIGN(x->name_len + x->value_len, 8) > len)
			return ckpt_bad(rs, r, -EINVAL, "attribute %u: %u and %u bytes",
					i, x->name_len, x->value_len);
		name = (const char *)(x + 1);
		if (!x->name_len || x->name_len > XATTR_NAME_MAX + 1 ||
		    x->value_len > XATTR_SIZE_MAX ||
		    strnlen(name, x->name_len) != x->name_len - 1 ||
		    ckpt_xattr_class(name) != CKPT_XATTR_SAVED)
			return ckpt_bad(rs, r, -EINVAL, "attribute %u is malformed", i);
		at += sizeof(*x) + ALIGN(x->name_len + x->value_len, 8);
	}
	if (at != rec->var_len)
		return ckpt_bad(rs, r, -EINVAL, "attributes and bytes disagree");
	return 0;
}

/**
 * restore_xattrs - give a file its attributes, as setxattr() does
 * @rs: the restart
 * @r: its INODE record, checked
 * @file: the file
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_xattrs(struct ckpt_restart *rs, const struct ckpt_rec *r,
		   struct file *file)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	size_t at = ALIGN(rec->path_len, 8);
	const struct ckpt_xattr *x;
	int ret;
	u32 i;

	for (i = 0; i < rec->nr_xattrs; i++) {
		const char *name;

		x = r->var + at;
		name = (const char *)(x + 1);
		ret = vfs_setxattr(file_mnt_idmap(file), file->f_path.dentry,
				   name, name + x->name_len, x->value_len, 0);
		if (ret)
			return ckpt_bad(rs, r, ret, "%s: the attribute %s cannot be set",
					(const char *)r->var, name);
		at += sizeof(*x) + ALIGN(x->name_len + x->value_len, 8);
	}
	return 0;
}
