// SPDX-License-Identifier: LGPL-2.1
/*
 * References between objects: each is defined once, before what refers to it,
 * and is of the type that is expected. And the contents of records that a
 * reader would trip over.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int define(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct rec_type *t = rec_type_find(r->type);
	__u32 objref;

	if (!t->objref)
		return 0;
	memcpy(&objref, (const char *)r->fixed + t->objref, sizeof(objref));
	if (!objref)
		return image_fail(img, EINVAL, "the object has no number");
	if (!objmap_add(&img->st.objects, objref, r->type))
		return 0;
	if (errno == EEXIST)
		return image_fail(img, EINVAL, "object %u is there already",
				  objref);
	return image_fail(img, ENOMEM, "out of memory");
}

/* 0 stands for "none" wherever a reference may be missing. */
static int refer(struct ckpt_image *img, __u32 objref, __u32 type)
{
	__u32 found = objmap_find(&img->st.objects, objref);

	if (!objref || found == type)
		return 0;
	if (!found)
		return image_fail(img, EINVAL,
				  "refers to object %u, which is not there",
				  objref);
	return image_fail(img, EINVAL,
			  "refers to object %u as %s, but it is %s", objref,
			  ckpt_rec_name(type), ckpt_rec_name(found));
}

static int must_refer(struct ckpt_image *img, __u32 objref, __u32 type)
{
	if (!objref)
		return image_fail(img, EINVAL, "has no %s",
				  ckpt_rec_name(type));
	return refer(img, objref, type);
}

/* A counted string: ends with its only NUL. */
static int check_string(struct ckpt_image *img, const struct ckpt_record *r,
			size_t max)
{
	const char *s = r->data;

	if (!r->data_len)
		return 0;
	if (r->data_len > max || memchr(s, 0, r->data_len) != s + r->data_len - 1)
		return image_fail(img, EINVAL, "malformed string of %zu bytes",
				  r->data_len);
	return 0;
}

static int check_file(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_file *rec = r->fixed;

	if (refer(img, rec->cred, CKPT_REC_CRED) ||
	    refer(img, rec->pipe, CKPT_REC_PIPE) ||
	    refer(img, rec->inode, CKPT_REC_INODE))
		return -1;
	return check_string(img, r, CKPT_PATH_MAX);
}

static int check_inode(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_inode *rec = r->fixed;
	const char *path = r->data;

	if (!rec->path_len || rec->path_len > r->data_len ||
	    rec->path_len > CKPT_PATH_MAX ||
	    strnlen(path, rec->path_len) != rec->path_len - 1)
		return image_fail(img, EINVAL, "the path is malformed");
	return refer(img, rec->cred, CKPT_REC_CRED);
}

/* Of an inode or an address space. */
static int check_payload_of(struct ckpt_image *img, __u32 objref)
{
	if (objmap_find(&img->st.objects, objref) == CKPT_REC_INODE)
		return 0;
	return must_refer(img, objref, CKPT_REC_MM);
}

static int check_files(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_files *rec = r->fixed;
	const struct ckpt_fd *fd = r->data;
	__u32 i;

	for (i = 0; i < rec->nr_fds; i++) {
		if (i && fd[i].fd <= fd[i - 1].fd)
			return image_fail(img, EINVAL,
					  "descriptor %u follows %u", fd[i].fd,
					  fd[i - 1].fd);
		if (must_refer(img, fd[i].file, CKPT_REC_FILE))
			return -1;
	}
	return 0;
}

static int check_epoll(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_epoll *rec = r->fixed;
	const struct ckpt_epoll_item *item = r->data;
	__u32 i;

	if (must_refer(img, rec->file, CKPT_REC_FILE))
		return -1;
	for (i = 0; i < rec->nr_items; i++)
		if (must_refer(img, item[i].file, CKPT_REC_FILE) ||
		    refer(img, item[i].sighand, CKPT_REC_SIGHAND))
			return -1;
	return 0;
}

/* Of a file table, or of an open file. */
static int check_locks(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_locks *rec = r->fixed;
	__u32 owner = objmap_find(&img->st.objects, rec->owner);

	return must_refer(img, rec->owner,
			  owner == CKPT_REC_FILES ? owner : CKPT_REC_FILE);
}

static int check_unix_msg(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_unix_msg *rec = r->fixed;
	const __u32 *files = r->data;
	__u32 i;

	if (must_refer(img, rec->file, CKPT_REC_FILE))
		return -1;
	if (rec->nr_files > CKPT_UNIX_MAX_FILES ||
	    rec->nr_files * sizeof(*files) > r->data_len)
		return image_fail(img, EINVAL, "%u open files do not fit", rec->nr_files);
	for (i = 0; i < rec->nr_files; i++)
		if (must_refer(img, files[i], CKPT_REC_FILE))
			return -1;
	return 0;
}

static int check_mm(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_mm *rec = r->fixed;
	struct structure *st = &img->st;

	if (st->vmas_left)
		return image_fail(img, EINVAL,
				  "%u mappings of the last address space are missing",
				  st->vmas_left);
	st->mm = rec->objref;
	st->vmas_left = rec->nr_vmas;
	st->vma_end = 0;
	return refer(img, rec->exe, CKPT_REC_FILE);
}

static int check_vma(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_vma *rec = r->fixed;
	struct structure *st = &img->st;
	__u64 mask = (1ULL << st->header.page_shift) - 1;

	if (!st->vmas_left || rec->mm != st->mm)
		return image_fail(img, EINVAL,
				  "a mapping of address space %u does not belong here",
				  rec->mm);
	if (rec->start >= rec->end || (rec->start | rec->end) & mask ||
	    rec->start < st->vma_end)
		return image_fail(img, EINVAL,
				  "impossible mapping %#llx-%#llx behind %#llx",
				  rec->start, rec->end,
				  st->vma_end);
	st->vmas_left--;
	st->vma_end = rec->end;
	if (refer(img, rec->file, CKPT_REC_FILE))
		return -1;
	return check_string(img, r, CKPT_PATH_MAX);
}

static int check_mempolicy(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_mempolicy *rec = r->fixed;

	return rec->nr ? must_refer(img, rec->mm, CKPT_REC_INODE) :
			 refer(img, rec->mm, CKPT_REC_MM);
}

static int check_task(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_task *rec = r->fixed;
	size_t i;

	if (rec->index >= img->st.nr_tasks)
		return image_fail(img, EINVAL, "task %u of %u", rec->index,
				  img->st.nr_tasks);
	if (!memchr(rec->comm, 0, sizeof(rec->comm)))
		return image_fail(img, EINVAL, "the name has no end");
	for (i = 0; i < ARRAY_SIZE(rec->ns); i++)
		if (refer(img, rec->ns[i], CKPT_REC_NS))
			return -1;
	img->st.task_recs++;
	if (refer(img, rec->mm, CKPT_REC_MM) ||
	    refer(img, rec->files, CKPT_REC_FILES) ||
	    refer(img, rec->fs, CKPT_REC_FS) ||
	    refer(img, rec->sighand, CKPT_REC_SIGHAND) ||
	    refer(img, rec->signal, CKPT_REC_SIGNAL) ||
	    refer(img, rec->cred, CKPT_REC_CRED) ||
	    refer(img, rec->seccomp, CKPT_REC_SECCOMP))
		return -1;
	return 0;
}

static int check_cow(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_cow *rec = r->fixed;
	const struct ckpt_cow_run *run = r->data;
	__u32 i;

	if (must_refer(img, rec->objref, CKPT_REC_MM))
		return -1;
	for (i = 0; i < rec->nr_runs; i++)
		if (must_refer(img, run[i].mm, CKPT_REC_MM))
			return -1;
	return 0;
}

int refs_check(struct ckpt_image *img, const struct ckpt_record *r)
{
	const struct ckpt_rec_cred *cred = r->fixed;
	const struct ckpt_rec_fs *fs = r->fixed;
	const struct ckpt_rec_pages *pages = r->fixed;
	const struct ckpt_rec_seccomp *seccomp = r->fixed;
	const struct ckpt_rec_eventfd *part = r->fixed;
	const struct ckpt_rec_unix_sock *sock = r->fixed;
	const struct ckpt_rec_relink *relink = r->fixed;

	if (define(img, r))
		return -1;
	switch (r->type) {
	case CKPT_REC_CRED:
		return refer(img, cred->userns, CKPT_REC_NS);
	case CKPT_REC_SECCOMP:
		return refer(img, seccomp->prev, CKPT_REC_SECCOMP);
	case CKPT_REC_INODE:
		return check_inode(img, r);
	case CKPT_REC_FILE:
		return check_file(img, r);
	case CKPT_REC_EVENTFD:
	case CKPT_REC_TIMERFD:
	case CKPT_REC_SIGNALFD:
	case CKPT_REC_PIDFD:
	case CKPT_REC_PROC:
	case CKPT_REC_INOTIFY:
	case CKPT_REC_FANOTIFY:
	case CKPT_REC_EXTERNAL:
	case CKPT_REC_NSFILE:
		return must_refer(img, part->file, CKPT_REC_FILE);
	case CKPT_REC_RELINK:
	case CKPT_REC_HUGETLB:
		return must_refer(img, relink->inode, CKPT_REC_INODE);
	case CKPT_REC_UNIX_SOCK:
		/* Its other end may come later. */
		if (refer(img, sock->peer_cred, CKPT_REC_CRED))
			return -1;
		return must_refer(img, part->file, CKPT_REC_FILE);
	case CKPT_REC_UNIX_MSG:
		return check_unix_msg(img, r);
	case CKPT_REC_EPOLL:
		return check_epoll(img, r);
	case CKPT_REC_FOWNER:
		return must_refer(img, part->file, CKPT_REC_FILE);
	case CKPT_REC_LOCKS:
		return check_locks(img, r);
	case CKPT_REC_FILES:
		return check_files(img, r);
	case CKPT_REC_FS:
		if (refer(img, fs->root, CKPT_REC_FILE))
			return -1;
		return refer(img, fs->cwd, CKPT_REC_FILE);
	case CKPT_REC_MM:
		return check_mm(img, r);
	case CKPT_REC_VMA:
		return check_vma(img, r);
	case CKPT_REC_MEMPOLICY:
		return check_mempolicy(img, r);
	case CKPT_REC_TASK:
		return check_task(img, r);
	case CKPT_REC_PAGES:
		return check_payload_of(img, pages->objref);
	case CKPT_REC_COW:
		return check_cow(img, r);
	case CKPT_REC_POISON:
	case CKPT_REC_SOFT_DIRTY:
		return must_refer(img, pages->objref, CKPT_REC_MM);
	}
	return 0;
}
