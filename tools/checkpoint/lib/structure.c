// SPDX-License-Identifier: LGPL-2.1
/*
 * The order of the records, and what they say about each other's number and
 * place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define PAGE_SHIFT_MIN	12
#define PAGE_SHIFT_MAX	16
#define TASKS_MAX	0x400000	/* PID_MAX_LIMIT */
#define LEVELS_MAX	33		/* MAX_PID_NS_LEVEL and the first */

static int misplaced(struct ckpt_image *img)
{
	return image_fail(img, EINVAL, "such a record must not stand here");
}

static bool has_end(const char *s, size_t size)
{
	return memchr(s, 0, size);
}

static int check_header(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_header *h = r->fixed;

	if (img->st.stage != STAGE_START)
		return misplaced(img);
	if (memcmp(h->magic, CKPT_IMAGE_MAGIC, sizeof(h->magic)))
		return image_fail(img, ENOEXEC, "this is not a checkpoint image");
	if (h->version != CKPT_IMAGE_VERSION)
		return image_fail(img, EPROTONOSUPPORT,
				  "image version %u, this program knows %u",
				  h->version, CKPT_IMAGE_VERSION);
	if (h->feature_incompat & ~CKPT_INCOMPAT_ALL)
		return image_fail(img, EPROTONOSUPPORT,
				  "needs features that are not known here: %#llx",
				  (h->feature_incompat & ~CKPT_INCOMPAT_ALL));
	if (h->page_shift < PAGE_SHIFT_MIN || h->page_shift > PAGE_SHIFT_MAX)
		return image_fail(img, EINVAL, "impossible page shift %u",
				  h->page_shift);
	if (!has_end(h->uts_release, CKPT_UTS_LEN) ||
	    !has_end(h->uts_version, CKPT_UTS_LEN) ||
	    !has_end(h->uts_machine, CKPT_UTS_LEN))
		return image_fail(img, EINVAL, "a string has no end");
	img->st.header = *h;
	img->st.stage = STAGE_HEADER;
	return 0;
}

static int check_tree(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_tree *rec = r->fixed;

	if (img->st.stage != STAGE_HEADER)
		return misplaced(img);
	if (!rec->nr_tasks || rec->nr_tasks > TASKS_MAX ||
	    rec->root >= rec->nr_tasks)
		return image_fail(img, EINVAL, "%u tasks with root %u",
				  rec->nr_tasks, rec->root);
	img->st.nr_tasks = rec->nr_tasks;
	img->st.stage = STAGE_TREE;
	return 0;
}

static int check_tree_task(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_tree_task *rec = r->fixed;
	const struct ckpt_tree_ids *ids = r->data;
	struct structure *st = &img->st;
	__u32 i;

	if (st->stage != STAGE_TREE)
		return misplaced(img);
	if (rec->index != st->tasks_seen)
		return image_fail(img, EINVAL, "task %u follows task %u",
				  rec->index, st->tasks_seen - 1);
	if ((rec->parent >= st->nr_tasks && rec->parent != CKPT_TREE_NO_PARENT) ||
	    rec->leader >= st->nr_tasks)
		return image_fail(img, EINVAL, "impossible parent %u or leader %u",
				  rec->parent, rec->leader);
	if (!rec->nr_levels || rec->nr_levels > LEVELS_MAX)
		return image_fail(img, EINVAL, "%u levels of pid namespaces",
				  rec->nr_levels);
	if (rec->pidns > st->nr_tasks)
		return image_fail(img, EINVAL,
				  "impossible pid namespace, of task %u",
				  rec->pidns - 1);
	for (i = 0; i < rec->nr_levels; i++)
		if (ids[i].pid <= 0 || ids[i].tgid <= 0 || ids[i].pgid < 0 ||
		    ids[i].sid < 0)
			return image_fail(img, EINVAL,
					  "impossible ids: pid %d tgid %d pgid %d sid %d",
					  ids[i].pid, ids[i].tgid, ids[i].pgid,
					  ids[i].sid);
	if (++st->tasks_seen == st->nr_tasks)
		st->stage = STAGE_META;
	return 0;
}

static int check_meta_end(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_meta_end *rec = r->fixed;
	struct structure *st = &img->st;

	if (st->stage != STAGE_META)
		return misplaced(img);
	if (st->vmas_left)
		return image_fail(img, EINVAL,
				  "%u mappings of the last address space are missing",
				  st->vmas_left);
	if (rec->nr_records != r->number)
		return image_fail(img, EINVAL, "%llu records before it, it says %llu",
				  r->number, rec->nr_records);
	if (st->objects.highest > rec->nr_objects)
		return image_fail(img, EINVAL,
				  "an object has number %u, there should be %u",
				  st->objects.highest, rec->nr_objects);
	if (st->task_recs != st->nr_tasks)
		return image_fail(img, EINVAL, "%u TASK records for %u tasks",
				  st->task_recs, st->nr_tasks);
	st->meta_offset = r->offset;
	st->stage = STAGE_PAYLOAD;
	return 0;
}

static int note_pages(struct ckpt_image *img, const struct ckpt_record *r,
		      __u64 start)
{
	const struct ckpt_rec_pages *rec = r->fixed; /* or another with runs: alike up to objref */
	struct structure *st = &img->st;
	struct pages_seen *pages;
	size_t alloc;

	if (st->nr_pages_recs == st->pages_alloc) {
		alloc = st->pages_alloc ? st->pages_alloc * 2 : 64;
		pages = reallocarray(st->pages, alloc, sizeof(*pages));
		if (!pages)
			return image_fail(img, ENOMEM, "out of memory");
		st->pages = pages;
		st->pages_alloc = alloc;
	}
	st->pages[st->nr_pages_recs++] = (struct pages_seen){
		.offset = r->offset,
		.start = start,
		.objref = rec->objref,
	};
	return 0;
}

static int check_pages(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_pages *rec = r->fixed;
	const struct ckpt_page_run *run = r->data;
	struct structure *st = &img->st;
	__u64 pages = 0, end = 0;
	__u32 i;

	if (st->stage != STAGE_PAYLOAD)
		return misplaced(img);
	if (rec->flags & ~CKPT_PAGES_FLAGS_ALL)
		return image_fail(img, EOPNOTSUPP, "unknown flags %#x", rec->flags);
	for (i = 0; i < rec->nr_runs; i++) {
		if (!run[i].nr || run[i].nr > CKPT_PAGES_MAX_BYTES ||
		    run[i].start < end ||
		    run[i].start + run[i].nr < run[i].start)
			return image_fail(img, EINVAL,
					  "impossible run of %llu pages at %#llx",
					  run[i].nr, run[i].start);
		end = run[i].start + run[i].nr;
		pages += run[i].nr;
	}
	if (pages << st->header.page_shift != rec->data_len)
		return image_fail(img, EINVAL, "%llu pages, but %llu bytes",
				  pages, rec->data_len);
	st->nr_pages += pages;
	return note_pages(img, r, run[0].start);
}

/* Pages that another address space has brought. */
static int check_cow(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_cow *rec = r->fixed;
	const struct ckpt_cow_run *run = r->data;
	__u64 end = 0;
	__u32 i;

	if (img->st.stage != STAGE_PAYLOAD)
		return misplaced(img);
	if (!rec->nr_runs)
		return image_fail(img, EINVAL, "no runs");
	for (i = 0; i < rec->nr_runs; i++) {
		if (!run[i].nr || run[i].start < end ||
		    run[i].start + run[i].nr < run[i].start ||
		    run[i].from + run[i].nr < run[i].from ||
		    run[i].mm == rec->objref)
			return image_fail(img, EINVAL,
					  "impossible run of %u pages at %#llx from %#llx of object %u",
					  run[i].nr, run[i].start, run[i].from,
					  run[i].mm);
		end = run[i].start + run[i].nr;
	}
	return note_pages(img, r, run[0].start);
}

/* POISON; SOFT_DIRTY, of which the first run is what the others are in. */
static int check_about_pages(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_poison *rec = r->fixed; /* or SOFT_DIRTY: alike */
	const struct ckpt_page_run *run = r->data;
	__u64 at = 0, end = ~0ULL;
	__u32 i;

	if (img->st.stage != STAGE_PAYLOAD)
		return misplaced(img);
	if (!rec->nr_runs)
		return image_fail(img, EINVAL, "no runs");
	for (i = 0; i < rec->nr_runs; i++) {
		if (!run[i].nr || run[i].start < at || run[i].start > end ||
		    run[i].nr > end - run[i].start)
			return image_fail(img, EINVAL,
					  "impossible run of %llu pages at %#llx",
					  run[i].nr, run[i].start);
		at = run[i].start + run[i].nr;
		if (!i && r->type == CKPT_REC_SOFT_DIRTY) {
			end = at;
			at = run[i].start;
		}
	}
	return note_pages(img, r, run[0].start);
}

static struct pages_seen *find_pages(struct structure *st, __u64 offset)
{
	size_t lo = 0, hi = st->nr_pages_recs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (st->pages[mid].offset == offset)
			return &st->pages[mid];
		if (st->pages[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int check_index(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_index_entry *entry = r->data;
	const struct ckpt_rec_index *rec = r->fixed;
	struct structure *st = &img->st;
	struct pages_seen *p;
	__u32 i;

	if (st->stage != STAGE_PAYLOAD && st->stage != STAGE_INDEX)
		return misplaced(img);
	if (st->stage == STAGE_PAYLOAD)
		st->index_offset = r->offset;
	st->stage = STAGE_INDEX;
	for (i = 0; i < rec->nr; i++) {
		p = find_pages(st, entry[i].offset);
		if (!p || p->objref != entry[i].objref ||
		    p->start != entry[i].start)
			return image_fail(img, EINVAL,
					  "entry %u: no such record with or about pages at offset %llu",
					  i, entry[i].offset);
		if (p->indexed)
			return image_fail(img, EINVAL,
					  "entry %u: the record at offset %llu is listed twice",
					  i, entry[i].offset);
		p->indexed = true;
		st->indexed++;
	}
	return 0;
}

static int check_tail(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_tail *rec = r->fixed;
	struct structure *st = &img->st;

	if (st->stage != STAGE_PAYLOAD && st->stage != STAGE_INDEX)
		return misplaced(img);
	if (memcmp(rec->magic, CKPT_TAIL_MAGIC, sizeof(rec->magic)))
		return image_fail(img, EINVAL, "wrong magic");
	if (memcmp(rec->uuid, st->header.uuid, CKPT_UUID_LEN))
		return image_fail(img, EINVAL,
				  "it belongs to another image than the header");
	if (rec->nr_records != r->number + 1)
		return image_fail(img, EINVAL, "%llu records, it says %llu",
				  r->number + 1, rec->nr_records);
	if (rec->nr_pages != st->nr_pages)
		return image_fail(img, EINVAL, "%llu pages, it says %llu",
				  st->nr_pages, rec->nr_pages);
	if (rec->image_len != r->offset + r->len)
		return image_fail(img, EINVAL, "%llu bytes, it says %llu",
				  r->offset + r->len, rec->image_len);
	if (rec->meta_offset != st->meta_offset)
		return image_fail(img, EINVAL, "META_END at %llu, it says %llu",
				  st->meta_offset, rec->meta_offset);
	/* An empty index is where the tail is. */
	if (st->stage == STAGE_PAYLOAD)
		st->index_offset = r->offset;
	if (st->header.feature_compat & CKPT_COMPAT_INDEX &&
	    (rec->index_offset != st->index_offset ||
	     st->indexed != st->nr_pages_recs))
		return image_fail(img, EINVAL,
				  "the index is wrong: %zu of %zu records with or about pages, at %llu, it says %llu",
				  st->indexed, st->nr_pages_recs,
				  st->index_offset, rec->index_offset);
	st->stage = STAGE_TAIL;
	return 0;
}

/* Records that belong to the one before them. */
static int check_follows(struct ckpt_image *img, const struct ckpt_record *r)
{
	struct structure *st = &img->st;

	switch (r->type) {
	case CKPT_REC_SIGPENDING:
		if (st->follows != CKPT_REC_TASK &&
		    st->follows != CKPT_REC_SIGNAL)
			return misplaced(img);
		break;
	case CKPT_REC_TIMERS:
	case CKPT_REC_RESTART_BLOCK:
	case CKPT_REC_X86_CPU:
	case CKPT_REC_X86_XSTATE:
		if (st->follows != CKPT_REC_TASK)
			return misplaced(img);
		break;
	default:
		st->follows = r->type;
	}
	return 0;
}

/* Is this the place for the record, and does it fit to those before it? */
int structure_check(struct ckpt_image *img, const struct ckpt_record *r)
{
	struct structure *st = &img->st;

	if (!r->known || r->type == CKPT_REC_PAD)
		return st->stage == STAGE_START ? misplaced(img) : 0;
	switch (r->type) {
	case CKPT_REC_HEADER:
		return check_header(img, r);
	case CKPT_REC_TREE:
		return check_tree(img, r);
	case CKPT_REC_TREE_TASK:
		return check_tree_task(img, r);
	case CKPT_REC_META_END:
		return check_meta_end(img, r);
	case CKPT_REC_PAGES:
		return check_pages(img, r);
	case CKPT_REC_COW:
		return check_cow(img, r);
	case CKPT_REC_POISON:
	case CKPT_REC_SOFT_DIRTY:
		return check_about_pages(img, r);
	case CKPT_REC_INDEX:
		return check_index(img, r);
	case CKPT_REC_TAIL:
		return check_tail(img, r);
	case CKPT_REC_X86_FEATURES:
		if (st->stage == STAGE_HEADER)
			return 0;
		break;
	}
	if (st->stage != STAGE_META)
		return misplaced(img);
	return check_follows(img, r);
}

void structure_free(struct structure *st)
{
	free(st->pages);
	free(st->objects.slot);
}
