// SPDX-License-Identifier: GPL-2.0
/* An image described for a person. */
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "model.h"
#include "util.h"

/* More than this many mapped or open files are counted, not listed. */
#define LIST_MAX	200

static void print_header(const struct model *m, FILE *f)
{
	const struct ckpt_rec_header *h = m->header;
	time_t sec = h->realtime_ns / NSEC_PER_SEC;
	char when[64] = "?", total[32], meta[32], pages[32];
	struct tm tm;

	if (localtime_r(&sec, &tm))
		strftime(when, sizeof(when), "%F %T %Z", &tm);
	fprintf(f, "Image     %s, format %u, %s\n", uuid_text(h->uuid),
		h->version, m->tail ? "complete" : "DAMAGED");
	fprintf(f, "Saved     %s%s\n", when, h->flags & CHECKPOINT_SUBTREE ?
		"" : ", as a container");
	fprintf(f, "Kernel    %s %s %s\n", clean(h->uts_release),
		clean(h->uts_machine), clean(h->uts_version));
	fprintf(f, "Boot      %s, up %.3f s\n", uuid_text(h->boot_id),
		h->boottime_ns / 1e9);
	if (!m->tail)
		return;
	fprintf(f, "Size      %s: metadata %s, contents of memory %s (%llu pages of %u)\n",
		size_text(m->length, total, sizeof(total)),
		size_text(m->meta_bytes, meta, sizeof(meta)),
		size_text(m->payload_bytes, pages, sizeof(pages)),
		m->tail->nr_pages, 1U << h->page_shift);
	fprintf(f, "Contents  %llu records, %zu objects\n", m->records,
		m->nr_objects);
}

static pid_t parent_pid(const struct model *m, __u32 parent)
{
	const struct stored *s = NULL;

	while ((s = model_next(m, s, CKPT_REC_TREE_TASK))) {
		const struct ckpt_rec_tree_task *t = s->rec.fixed;

		if (t->index == parent)
			return ((const struct ckpt_tree_ids *)s->rec.data)->pid;
	}
	return 0;
}

static const char *task_comm(const struct model *m, __u32 index)
{
	const struct stored *s = model_task(m, index);

	return s ? clean(((const struct ckpt_rec_task *)s->rec.fixed)->comm) :
		   "?";
}

static void print_tree(const struct model *m, FILE *f)
{
	const struct stored *s = NULL;

	fprintf(f, "\n%8s %8s %8s %8s %8s  NAME\n", "PID", "TGID", "PPID",
		"PGID", "SID");
	while ((s = model_next(m, s, CKPT_REC_TREE_TASK))) {
		const struct ckpt_rec_tree_task *t = s->rec.fixed;
		const struct ckpt_tree_ids *ids = s->rec.data;

		fprintf(f, "%8d %8d ", ids->pid, ids->tgid);
		if (t->parent == CKPT_TREE_NO_PARENT)
			fprintf(f, "%8s", "-");
		else
			fprintf(f, "%8d", parent_pid(m, t->parent));
		fprintf(f, " %8d %8d  %s%s%s%s\n", ids->pgid, ids->sid,
			task_comm(m, t->index),
			t->flags & CKPT_TREE_ZOMBIE ? " (zombie)" : "",
			t->flags & CKPT_TREE_COMPAT ? " (32 bit)" : "",
			t->pidns == t->index + 1 ?
			" (init of a pid namespace)" : "");
	}
}

static void print_call(const struct model *m, const struct stored *s, FILE *f)
{
	const struct ckpt_record *rec;
	const struct ckpt_rec_restart_block *rb;

	rec = model_attached(m, s, CKPT_REC_RESTART_BLOCK);
	if (!rec)
		return;
	rb = rec->fixed;
	if (rb->kind == CKPT_RESTART_NONE)
		return;
	fprintf(f, "  waits in     %s", restart_kind_name(rb->kind));
	if (rb->kind == CKPT_RESTART_CALL)
		fprintf(f, " %llu", rb->val);
	if (rb->flags & CKPT_RESTART_TIMED && !(rb->flags & CKPT_RESTART_ABSTIME) &&
	    rb->remaining_ns != 0x7fffffffffffffffLL)
		fprintf(f, ", %.3f s left", rb->remaining_ns / 1e9);
	fputc('\n', f);
}

static void print_signals(const struct ckpt_record *rec, const char *what,
			  FILE *f)
{
	const struct ckpt_rec_sigpending *p = rec ? rec->fixed : NULL;

	if (p && p->set)
		fprintf(f, "  pending      %s (%s)\n", signal_names(p->set), what);
}

static void print_fs(const struct model *m, __u32 objref, FILE *f)
{
	const struct ckpt_rec_fs *fs = model_object(m, objref, CKPT_REC_FS);

	if (!fs)
		return;
	fprintf(f, "  directory    %s, umask %03o\n",
		clean(model_path(m, fs->cwd)), fs->umask);
	if (strcmp(model_path(m, fs->root), "/"))
		fprintf(f, "  root         %s\n", clean(model_path(m, fs->root)));
}

static void print_task(const struct model *m, const struct stored *s, FILE *f)
{
	const struct ckpt_rec_task *t = s->rec.fixed;
	const struct ckpt_rec_cred *cred;
	const struct ckpt_rec_mm *mm;
	const struct stored *sig = NULL;

	fprintf(f, "\nTask %s\n", clean(t->comm));
	cred = model_object(m, t->cred, CKPT_REC_CRED);
	if (cred)
		fprintf(f, "  user         uid %u, gid %u%s\n", cred->uid, cred->gid,
			cred->cap_effective ? ", with capabilities" : "");
	mm = model_object(m, t->mm, CKPT_REC_MM);
	if (mm)
		fprintf(f, "  program      %s\n", clean(model_path(m, mm->exe)));
	print_fs(m, t->fs, f);
	fprintf(f, "  scheduling   %s, nice %d\n", policy_name(t->policy),
		t->nice);
	fprintf(f, "  CPU time     %.3f s user, %.3f s system\n", t->utime / 1e9,
		t->stime / 1e9);
	if (t->blocked)
		fprintf(f, "  blocked      %s\n", signal_names(t->blocked));
	print_signals(model_attached(m, s, CKPT_REC_SIGPENDING), "thread", f);
	while ((sig = model_next(m, sig, CKPT_REC_SIGNAL)))
		if (sig->objref == t->signal)
			print_signals(model_attached(m, sig, CKPT_REC_SIGPENDING),
				      "process", f);
	print_call(m, s, f);
}

static void print_mapped_files(const struct model *m, __u32 mm, FILE *f)
{
	const struct stored *s = NULL;
	__u32 last = 0;
	__u64 bytes = 0;
	char size[32];
	int left = LIST_MAX;

	/* Mappings of one file mostly stand side by side. */
	do {
		const struct ckpt_rec_vma *vma;

		s = model_next(m, s, CKPT_REC_VMA);
		vma = s ? s->rec.fixed : NULL;
		if (vma && (vma->mm != mm || !vma->file))
			continue;
		if (last && (!vma || vma->file != last) && left-- > 0)
			fprintf(f, "  %24s  %s\n",
				size_text(bytes, size, sizeof(size)),
				clean(model_path(m, last)));
		if (!vma)
			break;
		bytes = (vma->file == last ? bytes : 0) + vma->end - vma->start;
		last = vma->file;
	} while (s);
	if (left < 0)
		fprintf(f, "  %24s  and %d more\n", "", -left);
}

static void print_mms(const struct model *m, FILE *f)
{
	struct vma_sum sum[VMA_SUMS];
	const struct stored *s = NULL;
	char size[32];
	size_t i, n;

	while ((s = model_next(m, s, CKPT_REC_MM))) {
		const struct ckpt_rec_mm *mm = s->rec.fixed;
		__u64 pages = model_pages(m, mm->objref);

		fprintf(f, "\nMemory (object %u): %llu pages in the image, %s\n",
			mm->objref, pages,
			size_text(pages << m->header->page_shift, size,
				  sizeof(size)));
		fprintf(f, "  %-14s %9s %12s\n", "MAPPINGS", "NUMBER", "SIZE");
		n = model_vmas(m, mm->objref, sum);
		for (i = 0; i < n; i++)
			fprintf(f, "  %-14s %9llu %12s\n", sum[i].what,
				sum[i].count,
				size_text(sum[i].bytes, size, sizeof(size)));
		print_mapped_files(m, mm->objref, f);
	}
}

static const char *access_name(__u32 f_flags)
{
	switch (f_flags & O_ACCMODE) {
	case O_RDONLY:
		return "r";
	case O_WRONLY:
		return "w";
	case O_RDWR:
		return "rw";
	}
	return "-";
}

static void print_fd(const struct model *m, const struct ckpt_fd *fd, FILE *f)
{
	const struct ckpt_rec_file *file;

	file = model_object(m, fd->file, CKPT_REC_FILE);
	if (!file)
		return;
	fprintf(f, "  %6u  %-10s %-4s %-5s %12lld  %s\n", fd->fd,
		file_kind_name(file->kind), access_name(file->f_flags),
		fd->flags & CKPT_FD_CLOEXEC ? "exec" : "-", file->pos,
		clean(model_path(m, fd->file)));
}

static void print_files(const struct model *m, FILE *f)
{
	const struct stored *s = NULL;
	__u32 i;

	while ((s = model_next(m, s, CKPT_REC_FILES))) {
		const struct ckpt_rec_files *files = s->rec.fixed;
		const struct ckpt_fd *fd = s->rec.data;

		fprintf(f, "\nOpen files (object %u): %u\n", files->objref,
			files->nr_fds);
		fprintf(f, "  %6s  %-10s %-4s %-5s %12s  PATH\n", "FD", "KIND",
			"MODE", "CLOSE", "POSITION");
		for (i = 0; i < files->nr_fds && i < LIST_MAX; i++)
			print_fd(m, &fd[i], f);
		if (i < files->nr_fds)
			fprintf(f, "  and %u more\n", files->nr_fds - i);
	}
}

void info_text(const struct model *m, FILE *f)
{
	const struct stored *s = NULL;

	print_header(m, f);
	print_tree(m, f);
	while ((s = model_next(m, s, CKPT_REC_TASK)))
		print_task(m, s, f);
	print_mms(m, f);
	print_files(m, f);
}
