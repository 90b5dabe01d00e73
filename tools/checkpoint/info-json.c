// SPDX-License-Identifier: GPL-2.0
/* An image described for a program. */
#include <errno.h>
#include <json.h>
#include <string.h>

#include "model.h"
#include "util.h"

static void put(struct json_object *o, const char *key, struct json_object *val)
{
	json_object_object_add(o, key, val);
}

static void put_int(struct json_object *o, const char *key, long long val)
{
	put(o, key, json_object_new_int64(val));
}

static void put_u64(struct json_object *o, const char *key, __u64 val)
{
	put(o, key, json_object_new_uint64(val));
}

static void put_bool(struct json_object *o, const char *key, bool val)
{
	put(o, key, json_object_new_boolean(val));
}

static void put_str(struct json_object *o, const char *key, const char *val)
{
	put(o, key, json_object_new_string(clean(val)));
}

static struct json_object *header(const struct ckpt_rec_header *h)
{
	struct json_object *o = json_object_new_object();

	put_int(o, "version", h->version);
	put_int(o, "arch", h->arch);
	put_u64(o, "feature_compat", h->feature_compat);
	put_u64(o, "feature_incompat", h->feature_incompat);
	put_u64(o, "page_size", 1ULL << h->page_shift);
	put_u64(o, "flags", h->flags);
	put_u64(o, "id", h->id);
	put_str(o, "uuid", uuid_text(h->uuid));
	put_str(o, "parent_uuid", uuid_text(h->parent_uuid));
	put_str(o, "boot_id", uuid_text(h->boot_id));
	put_int(o, "realtime_ns", h->realtime_ns);
	put_int(o, "monotonic_ns", h->monotonic_ns);
	put_int(o, "boottime_ns", h->boottime_ns);
	put_int(o, "timens_monotonic_ns", h->timens_monotonic_ns);
	put_int(o, "timens_boottime_ns", h->timens_boottime_ns);
	put_str(o, "release", h->uts_release);
	put_str(o, "kernel_version", h->uts_version);
	put_str(o, "machine", h->uts_machine);
	return o;
}

static void put_call(struct json_object *o, const struct ckpt_record *rec)
{
	const struct ckpt_rec_restart_block *rb = rec ? rec->fixed : NULL;
	struct json_object *call;

	if (!rb || rb->kind == CKPT_RESTART_NONE)
		return;
	call = json_object_new_object();
	put_str(call, "kind", restart_kind_name(rb->kind));
	if (rb->kind == CKPT_RESTART_CALL)
		put_u64(call, "nr", rb->val);
	if (rb->flags & CKPT_RESTART_TIMED)
		put_int(call, rb->flags & CKPT_RESTART_ABSTIME ? "deadline_ns" :
			"remaining_ns", rb->remaining_ns);
	put(o, "restart_block", call);
}

static void put_cred(struct json_object *o, const struct model *m, __u32 objref)
{
	const struct ckpt_rec_cred *cred = model_object(m, objref, CKPT_REC_CRED);

	if (!cred)
		return;
	put_int(o, "uid", cred->uid);
	put_int(o, "gid", cred->gid);
	put_int(o, "euid", cred->euid);
	put_int(o, "egid", cred->egid);
	put_u64(o, "cap_effective", cred->cap_effective);
}

static void put_task(struct json_object *o, const struct model *m,
		     const struct stored *s)
{
	const struct ckpt_rec_task *t = s->rec.fixed;
	const struct ckpt_rec_fs *fs = model_object(m, t->fs, CKPT_REC_FS);
	const struct ckpt_rec_mm *mm = model_object(m, t->mm, CKPT_REC_MM);

	put_str(o, "comm", t->comm);
	put_cred(o, m, t->cred);
	put_int(o, "mm", t->mm);
	put_int(o, "files", t->files);
	if (mm)
		put_str(o, "exe", model_path(m, mm->exe));
	if (fs) {
		put_str(o, "cwd", model_path(m, fs->cwd));
		put_str(o, "root", model_path(m, fs->root));
		put_int(o, "umask", fs->umask);
	}
	put_str(o, "policy", policy_name(t->policy));
	put_int(o, "nice", t->nice);
	put_u64(o, "blocked", t->blocked);
	put_u64(o, "utime_ns", t->utime);
	put_u64(o, "stime_ns", t->stime);
	put_call(o, model_attached(m, s, CKPT_REC_RESTART_BLOCK));
}

/* From the second pid namespace downwards. */
static struct json_object *inner_pids(const struct ckpt_tree_ids *ids, __u32 levels)
{
	struct json_object *list = json_object_new_array();
	__u32 i;

	for (i = 1; i < levels; i++)
		json_object_array_add(list, json_object_new_int(ids[i].pid));
	return list;
}

static struct json_object *tree_task(const struct model *m,
				     const struct ckpt_record *rec)
{
	const struct ckpt_rec_tree_task *t = rec->fixed;
	const struct ckpt_tree_ids *ids = rec->data;
	struct json_object *o = json_object_new_object();
	const struct stored *s = model_task(m, t->index);

	put_int(o, "index", t->index);
	if (t->parent != CKPT_TREE_NO_PARENT)
		put_int(o, "parent", t->parent);
	put_int(o, "pid", ids->pid);
	put_int(o, "tgid", ids->tgid);
	put_int(o, "pgid", ids->pgid);
	put_int(o, "sid", ids->sid);
	if (t->nr_levels > 1)
		json_object_object_add(o, "inner_pids", inner_pids(ids, t->nr_levels));
	if (t->pidns)
		put_int(o, "pidns_init", t->pidns - 1);
	put_bool(o, "zombie", t->flags & CKPT_TREE_ZOMBIE);
	put_bool(o, "compat", t->flags & CKPT_TREE_COMPAT);
	if (s)
		put_task(o, m, s);
	return o;
}

static struct json_object *tasks(const struct model *m)
{
	struct json_object *list = json_object_new_array();
	const struct stored *s = NULL;

	while ((s = model_next(m, s, CKPT_REC_TREE_TASK)))
		json_object_array_add(list, tree_task(m, &s->rec));
	return list;
}

static struct json_object *vmas(const struct model *m, __u32 mm)
{
	struct json_object *list = json_object_new_array();
	const struct stored *s = NULL;

	while ((s = model_next(m, s, CKPT_REC_VMA))) {
		const struct ckpt_rec_vma *vma = s->rec.fixed;
		struct json_object *o;

		if (vma->mm != mm)
			continue;
		o = json_object_new_object();
		put_u64(o, "start", vma->start);
		put_u64(o, "end", vma->end);
		put_int(o, "kind", vma->kind);
		put_u64(o, "flags", vma->flags);
		put_u64(o, "pgoff", vma->pgoff);
		if (vma->file)
			put_str(o, "path", model_path(m, vma->file));
		if (s->rec.data_len)
			put_str(o, "name", s->rec.data);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *mms(const struct model *m)
{
	struct json_object *list = json_object_new_array();
	const struct stored *s = NULL;

	while ((s = model_next(m, s, CKPT_REC_MM))) {
		const struct ckpt_rec_mm *mm = s->rec.fixed;
		struct json_object *o = json_object_new_object();

		put_int(o, "objref", mm->objref);
		put_str(o, "id", uuid_text(mm->id));
		put_u64(o, "pages", model_pages(m, mm->objref));
		put_str(o, "exe", model_path(m, mm->exe));
		put(o, "vmas", vmas(m, mm->objref));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *descriptor(const struct model *m,
				      const struct ckpt_fd *fd)
{
	const struct ckpt_rec_file *file;
	struct json_object *o = json_object_new_object();

	file = model_object(m, fd->file, CKPT_REC_FILE);
	put_int(o, "fd", fd->fd);
	put_bool(o, "cloexec", fd->flags & CKPT_FD_CLOEXEC);
	put_int(o, "objref", fd->file);
	if (!file)
		return o;
	put_str(o, "kind", file_kind_name(file->kind));
	put_int(o, "f_flags", file->f_flags);
	put_int(o, "pos", file->pos);
	put_u64(o, "size", file->size);
	put_u64(o, "ino", file->ino);
	put_str(o, "path", model_path(m, fd->file));
	return o;
}

static struct json_object *file_tables(const struct model *m)
{
	struct json_object *list = json_object_new_array();
	const struct stored *s = NULL;
	__u32 i;

	while ((s = model_next(m, s, CKPT_REC_FILES))) {
		const struct ckpt_rec_files *files = s->rec.fixed;
		struct json_object *o = json_object_new_object();
		struct json_object *fds = json_object_new_array();
		const struct ckpt_fd *fd = s->rec.data;

		for (i = 0; i < files->nr_fds; i++)
			json_object_array_add(fds, descriptor(m, &fd[i]));
		put_int(o, "objref", files->objref);
		put(o, "fds", fds);
		json_object_array_add(list, o);
	}
	return list;
}

int info_json(const struct model *m, FILE *f)
{
	struct json_object *o = json_object_new_object();
	const char *text;

	put_bool(o, "complete", m->tail);
	if (m->error[0])
		put_str(o, "error", m->error);
	put_u64(o, "bytes", m->length);
	put_u64(o, "meta_bytes", m->meta_bytes);
	put_u64(o, "payload_bytes", m->payload_bytes);
	put_u64(o, "records", m->records);
	put_u64(o, "objects", m->nr_objects);
	if (m->header)
		put(o, "header", header(m->header));
	put(o, "tasks", tasks(m));
	put(o, "memory", mms(m));
	put(o, "file_tables", file_tables(m));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(f, "%s\n", text);
	else
		msg("out of memory");
	json_object_put(o);
	return text ? 0 : -1;
}
