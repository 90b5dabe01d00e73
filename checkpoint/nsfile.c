// SPDX-License-Identifier: GPL-2.0
/*
 * Files of namespaces (/proc/PID/ns/...): which kind, and which task of the tree
 * is in it.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/path.h>
#include <linux/proc_fs.h>
#include <linux/proc_ns.h>
#include <linux/sched.h>

#include "checkpoint.h"

static const struct proc_ns_operations *const ckpt_ns_kinds[] = {
#ifdef CONFIG_NET_NS
	&netns_operations,
#endif
#ifdef CONFIG_UTS_NS
	&utsns_operations,
#endif
#ifdef CONFIG_IPC_NS
	&ipcns_operations,
#endif
#ifdef CONFIG_PID_NS
	&pidns_operations,
#endif
#ifdef CONFIG_USER_NS
	&userns_operations,
#endif
	&mntns_operations,
#ifdef CONFIG_CGROUPS
	&cgroupns_operations,
#endif
#ifdef CONFIG_TIME_NS
	&timens_operations,
#endif
};

static const struct proc_ns_operations *ckpt_ns_kind(u32 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_ns_kinds); i++)
		if (ckpt_ns_kinds[i]->type == type)
			return ckpt_ns_kinds[i];
	return NULL;
}

/**
 * ckpt_is_nsfile - is the file a namespace?
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: true if it is.
 */
bool ckpt_is_nsfile(struct ckpt_ctx *ctx, struct file *file)
{
	return proc_ns_file(file);
}

/* Index of a task that is in it, or -ENOENT. */
static int ckpt_nsfile_task(struct ckpt_ctx *ctx, struct file *file)
{
	const struct ns_common *ns = get_proc_ns(file_inode(file));
	const struct proc_ns_operations *ops = ckpt_ns_kind(ns->ops->type);
	struct ns_common *of;
	unsigned int i;

	for (i = 0; ops && i < ctx->nr_tasks; i++) {
		if (ctx->tasks[i].zombie)
			continue;
		of = ops->get(ctx->tasks[i].t);
		if (of)
			ops->put(of);
		if (of == ns)
			return i;
	}
	return -ENOENT;
}

/**
 * ckpt_nsfile_problem - what keeps such a file from being saved
 * @ctx: the checkpoint
 * @file: the file
 *
 * Return: the reason, to follow its name, or NULL.
 */
const char *ckpt_nsfile_problem(struct ckpt_ctx *ctx, struct file *file)
{
	return ckpt_nsfile_task(ctx, file) < 0 ?
	       "is a namespace that no process of the tree is in" : NULL;
}

/**
 * checkpoint_nsfile - write the NSFILE record of a file
 * @ctx: the checkpoint
 * @file: the file
 * @objref: of the file
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_nsfile(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	int index = ckpt_nsfile_task(ctx, file);
	struct ckpt_rec_nsfile *rec;

	/* It may have been killed meanwhile. */
	if (index < 0)
		return -ESRCH;
	rec = ckpt_rec_new(ctx, nsfile, CKPT_REC_NSFILE, 0);
	if (!rec)
		return -ENOMEM;
	rec->file = objref;
	rec->task = index;
	rec->type = get_proc_ns(file_inode(file))->ops->type;
	return 0;
}

/**
 * restore_nsfile - open the file of a namespace
 * @rs: the restart
 * @r: the FILE record
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *restore_nsfile(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec *part = ckpt_file_part(rs, r);
	const struct ckpt_rec_nsfile *rec = ckpt_rec_as(part, nsfile);
	const struct proc_ns_operations *ops = ckpt_ns_kind(rec->type);
	struct ckpt_member *m = ckpt_member(rs, rec->task);
	struct file *file;
	struct path path;
	int ret;

	if (!m || ckpt_is_zombie(m))
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL,
					"there is no task %u, or it has no namespaces", rec->task));
	if (!ops)
		return ERR_PTR(ckpt_bad(rs, part, -EOPNOTSUPP,
					"unknown kind of namespace 0x%x", rec->type));
	if ((ckpt_rec_as(r, file)->f_flags & (O_ACCMODE | O_PATH)) != O_RDONLY)
		return ERR_PTR(ckpt_bad(rs, part, -EINVAL, "such a file is only read"));
	ret = ns_get_path(&path, ckpt_member_task(m), ops);
	if (ret)
		return ERR_PTR(ckpt_bad(rs, part, ret,
					"the %s namespace of task %u cannot be opened",
					ops->name, rec->task));
	file = dentry_open(&path, O_RDONLY, current_cred());
	path_put(&path);
	return file;
}
