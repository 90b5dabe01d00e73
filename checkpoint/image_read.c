// SPDX-License-Identifier: GPL-2.0
/*
 * Reading an image. Whoever owns the file may change it at any time and may
 * have written anything: every byte is fetched once, checked in kernel memory
 * and used from there.
 */
#include <linux/bvec.h>
#include <linux/crc32c.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "checkpoint.h"

#define CKPT_IN_AHEAD	CKPT_DIRECT_BYTES

/*
 * All types of records that a reader meets: name, least length of the fixed
 * part in version 1, and whether it has a reserved field, which must be zero.
 * The length today is that of the struct.
 */
#define CKPT_REC_TYPES(x)				\
	x(HEADER, header, 384, none)				\
	x(TREE, tree, 24, none)					\
	x(TREE_TASK, tree_task, 40, none)			\
	x(META_END, meta_end, 32, zeros)			\
	x(PAGES, pages, 40, none)				\
	x(COW, cow, 24, none)					\
	x(POISON, poison, 24, none)				\
	x(SOFT_DIRTY, soft_dirty, 24, none)			\
	x(INDEX, index, 24, zeros)				\
	x(TAIL, tail, 80, none)					\
	x(NS, ns, 32, zeros)					\
	x(CRED, cred, 104, none)				\
	x(PIPE, pipe, 32, none)					\
	x(SECCOMP, seccomp, 32, none)				\
	x(INODE, inode, 104, zeros)				\
	x(FILE, file, 136, none)				\
	x(EVENTFD, eventfd, 32, none)				\
	x(TIMERFD, timerfd, 64, none)				\
	x(SIGNALFD, signalfd, 32, zeros)			\
	x(EPOLL, epoll, 40, zeros)				\
	x(PIDFD, pidfd, 40, zeros)				\
	x(LOCKS, locks, 24, none)				\
	x(FOWNER, fowner, 48, none)				\
	x(PROC, proc, 32, none)					\
	x(INOTIFY, inotify, 40, none)				\
	x(FANOTIFY, fanotify, 48, none)				\
	x(EXTERNAL, external, 32, none)				\
	x(RELINK, relink, 24, none)				\
	x(HUGETLB, hugetlb, 32, zeros)				\
	x(NSFILE, nsfile, 32, zeros)				\
	x(UNIX_SOCK, unix_sock, 128, none)			\
	x(UNIX_MSG, unix_msg, 80, none)				\
	x(FILES, files, 24, none)				\
	x(FS, fs, 32, none)					\
	x(SIGHAND, sighand, 24, none)				\
	x(SIGNAL, signal, 160, none)				\
	x(MM, mm, 208, zeros)					\
	x(VMA, vma, 64, none)					\
	x(MEMPOLICY, mempolicy, 160, zeros)			\
	x(TASK, task, 248, none)				\
	x(SIGPENDING, sigpending, 32, none)			\
	x(TIMERS, timers, 24, none)				\
	x(RESTART_BLOCK, restart_block, 72, none)		\
	x(X86_CPU, x86_cpu, 264, zeros)				\
	x(X86_XSTATE, x86_xstate, 40, zeros)			\
	x(X86_FEATURES, x86_features, 32, none)

struct ckpt_rec_info {
	u32 type;
	u16 min_fixed;
	u16 fixed;
	u16 reserved;
	const char *name;
};

#define CKPT_RESERVED_none(low)		0
#define CKPT_RESERVED_zeros(low)	offsetof(struct ckpt_rec_##low, __reserved)

/* The first version stays readable: the least length is the one it had. */
#define CKPT_REC_ASSERT(up, low, min, reserved)				\
	static_assert(sizeof(struct ckpt_rec_##low) >= (min));		\
	static_assert(sizeof(struct ckpt_rec_##low) % 8 == 0);
CKPT_REC_TYPES(CKPT_REC_ASSERT)

#define CKPT_REC_INFO(up, low, min, zero) [CKPT_REC_##up] = {		\
	.type = CKPT_REC_##up,						\
	.min_fixed = (min),						\
	.fixed = sizeof(struct ckpt_rec_##low),				\
	.reserved = CKPT_RESERVED_##zero(low),				\
	.name = #up,							\
},
static const struct ckpt_rec_info ckpt_rec_infos[] = {
	CKPT_REC_TYPES(CKPT_REC_INFO)
	[CKPT_REC_PAD] = {
		.type = CKPT_REC_PAD, .min_fixed = sizeof(struct ckpt_hdr),
		.fixed = sizeof(struct ckpt_hdr), .name = "PAD"
	},
};

static_assert(ARRAY_SIZE(ckpt_rec_infos) <= CKPT_REC_TYPES_MAX);

static const struct ckpt_rec_info *ckpt_rec_info(u32 type)
{
	if (type >= ARRAY_SIZE(ckpt_rec_infos) || !ckpt_rec_infos[type].name)
		return NULL;
	return &ckpt_rec_infos[array_index_nospec(type, ARRAY_SIZE(ckpt_rec_infos))];
}

/**
 * ckpt_rec_name - a record type in words
 * @type: enum ckpt_rec_type
 *
 * Return: the name, "unknown" for others.
 */
const char *ckpt_rec_name(u32 type)
{
	const struct ckpt_rec_info *info;

	info = ckpt_rec_info(type & ~CKPT_REC_MAY_IGNORE);
	return info ? info->name : "unknown";
}

static int ckpt_in_result(ssize_t n)
{
	switch (n) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		/* What was read from a stream cannot be read again. */
		return -EINTR;
	case 0:
		return -EBADMSG;
	}
	return n;
}

/**
 * ckpt_in_open - begin to read from a file
 * @in: the image; it has a reference to @file
 * @file: where it comes from, at its position
 * @prefix_len: bytes before that which the caller has read
 *
 * With direct I/O payload lies at pages of the file if the image starts at one.
 */
void ckpt_in_open(struct ckpt_in *in, struct file *file, u32 prefix_len)
{
	in->pos = file->f_pos;
	in->direct = ckpt_has_direct(file) && PAGE_ALIGNED(in->pos - prefix_len);
}

/* Pages are read directly; any other end of a file is not for direct I/O. */
static ssize_t ckpt_in_some(struct ckpt_in *in, struct iov_iter *iter)
{
	bool direct = in->direct && PAGE_ALIGNED(in->pos);
	struct kiocb iocb;
	ssize_t n;

	if (direct || !ckpt_has_direct(in->file))
		return vfs_iter_read(in->file, iter, &in->pos, 0);
	init_sync_kiocb(&iocb, in->file);
	iocb.ki_flags &= ~IOCB_DIRECT;
	iocb.ki_pos = in->pos;
	n = vfs_iocb_iter_read(in->file, &iocb, iter);
	in->pos = iocb.ki_pos;
	return n;
}

/* Of a stream: what follows an image is not ours to take. */
static bool ckpt_in_may_look_ahead(const struct ckpt_in *in)
{
	return in->file && S_ISREG(file_inode(in->file)->i_mode);
}

/**
 * ckpt_in_look_ahead - read more at a time than is asked for, or no longer
 * @in: the image
 * @on: there are many small records to come, or no more
 *
 * Does nothing for streams. What was read ahead is used in any case.
 *
 * Return: 0 or -ENOMEM.
 */
int ckpt_in_look_ahead(struct ckpt_in *in, bool on)
{
	in->looks_ahead = on && ckpt_in_may_look_ahead(in);
	if (!in->looks_ahead && !in->direct)
		return 0;
	if (!in->ahead)
		in->ahead = kmalloc(CKPT_IN_AHEAD, GFP_KERNEL_ACCOUNT);
	return in->ahead ? 0 : -ENOMEM;
}

/*
 * Called with nothing left of the prefix, whose place it takes. A page takes
 * nothing of the payload, which starts at one.
 */
static int ckpt_in_fill(struct ckpt_in *in)
{
	size_t len = in->looks_ahead ? CKPT_IN_AHEAD : PAGE_SIZE;
	size_t skip = in->direct ? offset_in_page(in->pos) : 0;
	struct iov_iter iter;
	struct bio_vec bv;
	ssize_t n;

	bvec_set_virt(&bv, in->ahead, len);
	iov_iter_bvec(&iter, ITER_DEST, &bv, 1, len);
	in->pos -= skip;
	n = ckpt_in_some(in, &iter);
	if (n >= 0 && n <= skip)
		n = 0;
	if (n <= 0)
		return ckpt_in_result(n);
	in->prefix = in->ahead + skip;
	in->prefix_len = n - skip;
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Is it read by ckpt_in_fill()? */
static bool ckpt_in_by_fill(const struct ckpt_in *in, const struct iov_iter *iter)
{
	size_t len = iov_iter_count(iter);

	if (in->direct && !iov_iter_is_bvec(iter))
		return len;
	return in->looks_ahead && len && len < CKPT_IN_AHEAD;
}

/* What is in memory already. */
static int ckpt_in_prefix(struct ckpt_in *in, struct iov_iter *iter)
{
	while (in->prefix_len && iov_iter_count(iter)) {
		size_t n = copy_to_iter(in->prefix, in->prefix_len, iter);

		if (!n)
			return -EFAULT;
		in->prefix += n;
		in->prefix_len -= n;
		in->offset += n;
	}
	return 0;
}

static int ckpt_in_iter(struct ckpt_in *in, struct iov_iter *iter)
{
	size_t len;
	int ret;

	ret = ckpt_in_prefix(in, iter);
	while (!ret && ckpt_in_by_fill(in, iter)) {
		ret = ckpt_in_fill(in);
		if (!ret)
			ret = ckpt_in_prefix(in, iter);
	}
	if (ret)
		return ret;
	len = iov_iter_count(iter);
	while (len) {
		ssize_t n = ckpt_in_some(in, iter);

		if (n <= 0)
			return ckpt_in_result(n);
		in->offset += n;
		len -= n;
		/* Some cut it to what they gave. */
		iov_iter_reexpand(iter, len);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int ckpt_in_bytes(struct ckpt_in *in, void *buf, size_t len)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;

	/* As most records are, of which there may be very many. */
	if (len <= in->prefix_len) {
		memcpy(buf, in->prefix, len);
		in->prefix += len;
		in->prefix_len -= len;
		in->offset += len;
		return 0;
	}
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return ckpt_in_iter(in, &iter);
}

/* The rules that hold for every record, see ckpt_hdr. */
static int ckpt_hdr_check(const struct ckpt_hdr *h)
{
	if (h->len % 8 || h->fixed % 8 || h->fixed < sizeof(*h) ||
	    h->len < h->fixed || h->len > CKPT_REC_MAX_LEN)
		return -EINVAL;
	return 0;
}

/*
 * Bring the fixed part to the length that this kernel knows. @raw holds the
 * record at offset @lead, so that the fixed part can grow into the lead.
 */
static int ckpt_rec_normalise(struct ckpt_rec *rec, u8 *raw, size_t lead,
			      const struct ckpt_rec_info *info)
{
	struct ckpt_hdr h = *(struct ckpt_hdr *)(raw + lead);
	u8 *old = raw + lead;

	rec->var = old + h.fixed;
	rec->var_len = h.len - h.fixed;
	if (h.fixed < info->min_fixed)
		return -EINVAL;
	if (h.fixed >= info->fixed) {
		if (memchr_inv(old + info->fixed, 0, h.fixed - info->fixed))
			return -EPROTONOSUPPORT;
		rec->h = (struct ckpt_hdr *)old;
		return 0;
	}
	/* An older, shorter record: what it lacks is zero. */
	memmove(old + h.fixed - info->fixed, old, h.fixed);
	memset(old + h.fixed - (info->fixed - h.fixed), 0,
	       info->fixed - h.fixed);
	rec->h = (struct ckpt_hdr *)(old + h.fixed - info->fixed);
	return 0;
}

struct ckpt_rec_mem {
	struct ckpt_rec rec;
	u8 raw[] __aligned(8);
};

static struct ckpt_rec *ckpt_in_one(struct ckpt_in *in, struct ckpt_log *log,
				    bool *skip)
{
	const struct ckpt_rec_info *info;
	struct ckpt_rec_mem *mem;
	u64 offset = in->offset;
	struct ckpt_hdr h, *raw;
	size_t lead;
	bool pad;
	u32 crc;
	int ret;

	ret = ckpt_in_bytes(in, &h, sizeof(h));
	if (ret) {
		ckpt_log(log,
			 "image offset %llu: no record header: %pe; the image is cut short or cannot be read",
			 offset, ERR_PTR(ret));
		return ERR_PTR(ret);
	}
	if (ckpt_hdr_check(&h)) {
		ckpt_log(log,
			 "image offset %llu: this is no record (type %u, length %u): not an image, or damaged",
			 offset, h.type, h.len);
		return ERR_PTR(offset ? -EBADMSG : -ENOEXEC);
	}
	info = ckpt_rec_info(h.type & ~CKPT_REC_MAY_IGNORE);
	/* The first record tells whether this is an image at all. */
	if (!offset && h.type != CKPT_REC_HEADER) {
		ckpt_log(log,
			 "image offset 0: not an image (it does not start with a HEADER record)");
		return ERR_PTR(-ENOEXEC);
	}

	lead = info && h.fixed < info->fixed ? info->fixed - h.fixed : 0;
	mem = kvzalloc(struct_size(mem, raw, lead + h.len), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	raw = (struct ckpt_hdr *)(mem->raw + lead);
	*raw = h;
	ret = ckpt_in_bytes(in, raw + 1, h.len - sizeof(h));
	if (ret) {
		ckpt_log(log, "image offset %llu: record %s is cut short: %pe",
			 offset, ckpt_rec_name(h.type), ERR_PTR(ret));
		goto err;
	}
	raw->crc = 0;
	crc = ~crc32c(~0U, raw, h.len);
	raw->crc = h.crc;
	if (crc != h.crc) {
		ret = -EBADMSG;
		ckpt_log(log,
			 "image offset %llu: record %s (type %u) has a wrong checksum: the image is damaged",
			 offset, ckpt_rec_name(h.type), h.type);
		goto err;
	}
	in->records++;

	pad = (h.type & ~CKPT_REC_MAY_IGNORE) == CKPT_REC_PAD;
	if (pad && memchr_inv(raw + 1, 0, h.len - sizeof(h))) {
		ret = -EINVAL;
		ckpt_log(log, "image offset %llu: record PAD is not all zeros",
			 offset);
		goto err;
	}
	*skip = pad || (!info && (h.type & CKPT_REC_MAY_IGNORE));
	if (*skip)
		return &mem->rec;
	if (!info) {
		ret = -EPROTONOSUPPORT;
		ckpt_log(log,
			 "image offset %llu: record type %u is unknown to this kernel and must not be ignored; a newer kernel is needed",
			 offset, h.type);
		goto err;
	}
	mem->rec.type = info->type;
	mem->rec.offset = offset;
	ret = ckpt_rec_normalise(&mem->rec, mem->raw, lead, info);
	if (ret) {
		ckpt_log(log,
			 "image offset %llu: record %s has a fixed part of %u bytes that this kernel cannot use (it knows %u): %pe",
			 offset, info->name, h.fixed, info->fixed, ERR_PTR(ret));
		goto err;
	}
	if (info->reserved && *(u32 *)((u8 *)mem->rec.h + info->reserved)) {
		ret = -EPROTONOSUPPORT;
		ckpt_log(log,
			 "image offset %llu: record %s uses a field that this kernel does not know",
			 offset, info->name);
		goto err;
	}
	return &mem->rec;
err:
	kvfree(mem);
	return ERR_PTR(ret);
}

/**
 * ckpt_in_record - read the next record that matters
 * @in: the image
 * @log: gets the reason of a failure
 *
 * Context: may sleep as long as the input blocks, killable.
 * Return: the record, to be freed with ckpt_rec_free(), or an ERR_PTR():
 * -EBADMSG cut short, wrong lengths or a wrong checksum, -ENOEXEC not an image,
 * -EINVAL a value breaks a rule, -EPROTONOSUPPORT newer than this kernel.
 */
struct ckpt_rec *ckpt_in_record(struct ckpt_in *in, struct ckpt_log *log)
{
	struct ckpt_rec *rec;
	bool skip = false;

	for (;;) {
		rec = ckpt_in_one(in, log, &skip);
		if (IS_ERR(rec) || !skip)
			return rec;
		ckpt_rec_free(rec);
	}
}

/**
 * ckpt_rec_free - free a record
 * @rec: the record, NULL is allowed
 */
void ckpt_rec_free(struct ckpt_rec *rec)
{
	if (rec)
		kvfree(container_of(rec, struct ckpt_rec_mem, rec));
}

/**
 * ckpt_in_skip_to_page - go to the next page boundary of the image
 * @in: the image
 *
 * Return: 0; -EINVAL if the gap is not zeros; or an error of the file.
 */
int ckpt_in_skip_to_page(struct ckpt_in *in)
{
	size_t gap = PAGE_ALIGN(in->offset) - in->offset;
	u8 *buf;
	int ret;

	if (!gap)
		return 0;
	buf = kmalloc(gap, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	ret = ckpt_in_bytes(in, buf, gap);
	if (!ret && memchr_inv(buf, 0, gap))
		ret = -EINVAL;
	kfree(buf);
	return ret;
}

/**
 * ckpt_in_pages - read payload into pages
 * @in: the image
 * @pages: pages that nobody else can see yet
 * @nr: their number
 *
 * Return: 0 or a negative errno.
 */
int ckpt_in_pages(struct ckpt_in *in, struct page **pages, unsigned int nr)
{
	struct bio_vec *bv;
	struct iov_iter iter;
	unsigned int nr_bv;
	int ret;

	bv = ckpt_pages_bvec(pages, nr, &nr_bv);
	if (!bv)
		return -ENOMEM;
	iov_iter_bvec(&iter, ITER_DEST, bv, nr_bv, (size_t)nr << PAGE_SHIFT);
	ret = ckpt_in_iter(in, &iter);
	kfree(bv);
	return ret;
}
