// SPDX-License-Identifier: GPL-2.0
/* An image in memory, without its payload, for ckptinfo to describe. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "util.h"

/*
 * The objref is the first field behind the header of every record that
 * defines an object.
 */
#define OBJREF_FIRST(name)						\
	static_assert(offsetof(struct ckpt_rec_##name, objref) ==	\
		      sizeof(struct ckpt_hdr), #name)

OBJREF_FIRST(ns);
OBJREF_FIRST(cred);
OBJREF_FIRST(pipe);
OBJREF_FIRST(inode);
OBJREF_FIRST(file);
OBJREF_FIRST(files);
OBJREF_FIRST(fs);
OBJREF_FIRST(sighand);
OBJREF_FIRST(signal);
OBJREF_FIRST(mm);
OBJREF_FIRST(seccomp);

static __u32 objref_of(const struct ckpt_record *rec)
{
	switch (rec->known ? rec->type : 0) {
	case CKPT_REC_NS:
	case CKPT_REC_CRED:
	case CKPT_REC_PIPE:
	case CKPT_REC_SECCOMP:
	case CKPT_REC_INODE:
	case CKPT_REC_FILE:
	case CKPT_REC_FILES:
	case CKPT_REC_FS:
	case CKPT_REC_SIGHAND:
	case CKPT_REC_SIGNAL:
	case CKPT_REC_MM:
		return ((const struct ckpt_rec_ns *)rec->fixed)->objref;
	}
	return 0;
}

static void *copy(const void *p, size_t len)
{
	void *q = len ? malloc(len) : NULL;

	if (q)
		memcpy(q, p, len);
	return q;
}

static bool store(struct model *m, const struct ckpt_record *rec)
{
	struct stored *s;

	/* Room doubles: at 0, 1, 2, 4... records. */
	if (!(m->nr & (m->nr - 1))) {
		s = reallocarray(m->recs, m->nr ? m->nr * 2 : 1, sizeof(*s));
		if (!s)
			return false;
		m->recs = s;
	}
	s = &m->recs[m->nr];
	*s = (struct stored){ .rec = *rec, .objref = objref_of(rec) };
	if (!rec->known) {
		s->rec.data = NULL;
		m->nr++;
		return true;
	}
	s->rec.fixed = copy(rec->fixed, ckpt_rec_size(rec->type));
	s->rec.data = copy(rec->data, rec->data_len);
	if (!s->rec.fixed || (rec->data_len && !s->rec.data)) {
		free((void *)s->rec.fixed);
		free((void *)s->rec.data);
		return false;
	}
	m->nr++;
	if (rec->type == CKPT_REC_HEADER)
		m->header = s->rec.fixed;
	else if (rec->type == CKPT_REC_TAIL)
		m->tail = s->rec.fixed;
	return true;
}

static bool add_payload(struct model *m, const struct ckpt_record *rec)
{
	const struct ckpt_rec_pages *pages = rec->fixed;
	struct payload_of *p;
	size_t i;

	m->payload_bytes += rec->payload_len;
	/* Pages of one object stand together. */
	for (i = m->nr_payload; i--;)
		if (m->payload[i].objref == pages->objref)
			break;
	if (i == (size_t)-1) {
		p = reallocarray(m->payload, m->nr_payload + 1, sizeof(*p));
		if (!p)
			return false;
		m->payload = p;
		i = m->nr_payload++;
		m->payload[i] = (struct payload_of){ .objref = pages->objref };
	}
	m->payload[i].pages += rec->payload_len >> m->header->page_shift;
	return true;
}

static bool add(struct model *m, const struct ckpt_record *rec)
{
	m->records++;
	if (!rec->known)
		return store(m, rec);
	switch (rec->type) {
	case CKPT_REC_PAGES:
		return add_payload(m, rec);
	case CKPT_REC_INDEX:
	case CKPT_REC_PAD:
		return true;
	case CKPT_REC_META_END:
		m->meta_bytes = rec->offset + rec->len;
	}
	return store(m, rec);
}

static int by_objref(const void *a, const void *b)
{
	__u32 x = (*(struct stored * const *)a)->objref;
	__u32 y = (*(struct stored * const *)b)->objref;

	return x < y ? -1 : x > y;
}

static bool sort_objects(struct model *m)
{
	size_t i;

	m->objects = reallocarray(NULL, m->nr + 1, sizeof(*m->objects));
	if (!m->objects)
		return false;
	for (i = 0; i < m->nr; i++)
		if (m->recs[i].objref)
			m->objects[m->nr_objects++] = &m->recs[i];
	qsort(m->objects, m->nr_objects, sizeof(*m->objects), by_objref);
	return true;
}

struct model *model_read(int fd, bool verify, record_fn fn)
{
	struct model *m = calloc(1, sizeof(*m));
	struct ckpt_image *img = NULL;
	struct ckpt_record rec;
	int ret;

	if (m)
		img = ckpt_image_open(fd, verify ? CKPT_OPEN_VERIFY : 0);
	if (!img) {
		msg("cannot read the image: %s", strerror(errno));
		model_free(m);
		return NULL;
	}
	while ((ret = ckpt_image_next(img, &rec)) > 0) {
		if (fn)
			fn(&rec);
		if (!add(m, &rec))
			goto no_memory;
	}
	if (ret < 0)
		snprintf(m->error, sizeof(m->error), "%s",
			 ckpt_image_error(img));
	m->length = ckpt_image_consumed(img);
	if (!sort_objects(m))
		goto no_memory;
	ckpt_image_close(img);
	return m;

no_memory:
	msg("out of memory");
	ckpt_image_close(img);
	model_free(m);
	return NULL;
}

void model_free(struct model *m)
{
	size_t i;

	if (!m)
		return;
	for (i = 0; i < m->nr; i++) {
		free((void *)m->recs[i].rec.fixed);
		free((void *)m->recs[i].rec.data);
	}
	free(m->recs);
	free(m->objects);
	free(m->payload);
	free(m);
}

const struct ckpt_record *model_record(const struct model *m, __u32 objref,
				       __u32 type)
{
	struct stored key = { .objref = objref };
	const struct stored *pkey = &key;
	struct stored **found;

	if (!objref)
		return NULL;
	found = bsearch(&pkey, m->objects, m->nr_objects, sizeof(*m->objects),
			by_objref);
	return found && (*found)->rec.type == type ? &(*found)->rec : NULL;
}

const void *model_object(const struct model *m, __u32 objref, __u32 type)
{
	const struct ckpt_record *rec = model_record(m, objref, type);

	return rec ? rec->fixed : NULL;
}

const struct stored *model_next(const struct model *m,
				const struct stored *from, __u32 type)
{
	const struct stored *s = from ? from + 1 : m->recs;

	for (; s < m->recs + m->nr; s++)
		if (s->rec.known && s->rec.type == type)
			return s;
	return NULL;
}

const struct ckpt_record *model_attached(const struct model *m,
					 const struct stored *of, __u32 type)
{
	const struct stored *s;

	for (s = of + 1; s < m->recs + m->nr; s++) {
		if (!s->rec.known)
			continue;
		if (s->rec.type == type)
			return &s->rec;
		if (s->objref || s->rec.type == CKPT_REC_TASK ||
		    s->rec.type == CKPT_REC_META_END)
			break;
	}
	return NULL;
}

const struct stored *model_task(const struct model *m, __u32 index)
{
	const struct stored *s = NULL;

	while ((s = model_next(m, s, CKPT_REC_TASK)))
		if (((const struct ckpt_rec_task *)s->rec.fixed)->index == index)
			return s;
	return NULL;
}

__u64 model_pages(const struct model *m, __u32 objref)
{
	size_t i;

	for (i = 0; i < m->nr_payload; i++)
		if (m->payload[i].objref == objref)
			return m->payload[i].pages;
	return 0;
}

const char *model_path(const struct model *m, __u32 objref)
{
	const struct ckpt_record *rec = model_record(m, objref, CKPT_REC_FILE);
	const struct ckpt_rec_file *file = rec ? rec->fixed : NULL;

	if (file && file->inode)
		rec = model_record(m, file->inode, CKPT_REC_INODE);
	return rec && rec->data_len ? rec->data : "";
}

static size_t vma_row(const struct ckpt_rec_vma *vma)
{
	switch (vma->kind) {
	case CKPT_VMA_ANON:
		return 0;
	case CKPT_VMA_FILE:
		return vma->flags & CKPT_VMA_SHARED ? 2 : 1;
	case CKPT_VMA_VDSO:
	case CKPT_VMA_VVAR:
		return 3;
	}
	return 4;
}

size_t model_vmas(const struct model *m, __u32 mm, struct vma_sum *sum)
{
	static const char * const names[] = {
		"anonymous", "file, private", "file, shared", "vdso", "other",
		"all",
	};
	const struct stored *s = NULL;
	size_t i, used = 0;

	for (i = 0; i < VMA_SUMS; i++)
		sum[i] = (struct vma_sum){ .what = names[i] };
	while ((s = model_next(m, s, CKPT_REC_VMA))) {
		const struct ckpt_rec_vma *vma = s->rec.fixed;
		struct vma_sum *row = &sum[vma_row(vma)];
		struct vma_sum *all = &sum[VMA_SUMS - 1];

		if (vma->mm != mm)
			continue;
		row->count++;
		row->bytes += vma->end - vma->start;
		all->count++;
		all->bytes += vma->end - vma->start;
	}
	for (i = 0; i < VMA_SUMS; i++)
		if (sum[i].count)
			sum[used++] = sum[i];
	return used;
}
