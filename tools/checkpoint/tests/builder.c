// SPDX-License-Identifier: GPL-2.0
/* Make images, good ones and others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"

#define PAGE		4096UL
#define ALIGN8(n)	(((n) + 7) & ~7UL)

/* Numbers of the objects. */
enum {
	OBJ_NS = 1,
	OBJ_CRED,
	OBJ_ROOT,
	OBJ_EXE,
	OBJ_TTY,
	OBJ_FILES,
	OBJ_FS,
	OBJ_SIGHAND,
	OBJ_SIGNAL,
	OBJ_MM,
	OBJ_INODE,
	OBJ_GONE,
	OBJ_LAST = OBJ_GONE,
};

static const __u8 image_uuid[CKPT_UUID_LEN] = {
	0x5e, 0xed, 0x7e, 0x9f, 0xc7, 0x84, 0x40, 0x00,
	0x80, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
};

static unsigned char *extend(struct builder *b, size_t len)
{
	unsigned char *p;

	if (b->len + len > b->alloc) {
		b->alloc = (b->len + len) * 2;
		b->buf = realloc(b->buf, b->alloc);
		if (!b->buf)
			abort();
	}
	p = b->buf + b->len;
	memset(p, 0, len);
	b->len += len;
	return p;
}

void builder_free(struct builder *b)
{
	free(b->buf);
	*b = (struct builder){ 0 };
}

void record_seal(unsigned char *rec)
{
	struct ckpt_hdr h;

	memcpy(&h, rec, sizeof(h));
	h.crc = 0;
	memcpy(rec, &h, sizeof(h));
	h.crc = ckpt_crc32c(0, rec, h.len);
	memcpy(rec, &h, sizeof(h));
}

void builder_add(struct builder *b, __u32 type, const void *fixed,
		 size_t fixed_len, const void *data, size_t data_len)
{
	struct ckpt_hdr h = {
		.type = type,
		.len = ALIGN8(fixed_len + data_len),
		.fixed = fixed_len,
	};
	unsigned char *p;

	if (b->nr == BUILDER_MAX_RECORDS)
		abort();
	b->start[b->nr++] = b->len;
	p = extend(b, h.len);
	memcpy(p, fixed, fixed_len);
	memcpy(p, &h, sizeof(h));
	if (data_len)
		memcpy(p + fixed_len, data, data_len);
	record_seal(p);
}

#define ADD(b, type, rec) \
	builder_add(b, CKPT_REC_##type, &(rec), sizeof(rec), NULL, 0)
#define ADD_DATA(b, type, rec, data, len) \
	builder_add(b, CKPT_REC_##type, &(rec), sizeof(rec), data, len)

void builder_pages(struct builder *b, __u32 objref, __u64 first, __u64 nr)
{
	struct ckpt_page_run run = { .start = first, .nr = nr };
	unsigned char *payload = malloc(nr * PAGE);
	struct ckpt_rec_pages rec = {
		.objref = objref,
		.nr_runs = 1,
		.data_len = nr * PAGE,
	};
	size_t i;

	if (!payload)
		abort();
	for (i = 0; i < nr * PAGE; i++)
		payload[i] = i * 7 + first;
	rec.data_crc = ckpt_crc32c(0, payload, nr * PAGE);
	b->index[b->nr_index++] = (struct ckpt_index_entry){
		.objref = objref,
		.start = first,
		.offset = b->len,
	};
	ADD_DATA(b, PAGES, rec, &run, sizeof(run));
	extend(b, -b->len & (PAGE - 1));
	memcpy(extend(b, nr * PAGE), payload, nr * PAGE);
	b->pages += nr;
	free(payload);
}

void builder_index(struct builder *b)
{
	struct ckpt_rec_index rec = { .nr = b->nr_index };

	ADD_DATA(b, INDEX, rec, b->index, b->nr_index * sizeof(b->index[0]));
}

void builder_tail(struct builder *b)
{
	struct ckpt_rec_tail rec = {
		.nr_records = b->nr + 1,
		.nr_pages = b->pages,
		.meta_offset = b->meta_offset,
		.index_offset = b->nr_index ? b->start[b->nr - 1] : b->len,
		.image_len = b->len + sizeof(rec),
	};

	memcpy(rec.uuid, image_uuid, sizeof(rec.uuid));
	memcpy(rec.magic, CKPT_TAIL_MAGIC, sizeof(rec.magic));
	ADD(b, TAIL, rec);
}

static void add_header(struct builder *b, const struct recipe *recipe)
{
	struct ckpt_rec_header rec = {
		.version = CKPT_IMAGE_VERSION,
		.arch = CKPT_ARCH_X86_64,
		.feature_compat = CKPT_COMPAT_INDEX,
		.page_shift = BUILDER_PAGE_SHIFT,
		.nr_signals = 64,
		.nr_rlimits = 16,
		.hz = 100,
		.flags = CHECKPOINT_SUBTREE,
		.realtime_ns = recipe->realtime_ns,
		.monotonic_ns = recipe->monotonic_ns,
		.boottime_ns = recipe->boottime_ns,
		.timens_monotonic_ns = recipe->timens_monotonic_ns,
		.timens_boottime_ns = recipe->timens_boottime_ns,
		.id = 1,
		.uts_release = "6.12.0-test",
		.uts_version = "#1 SMP",
		.uts_machine = "x86_64",
	};

	memcpy(rec.magic, CKPT_IMAGE_MAGIC, sizeof(rec.magic));
	memcpy(rec.uuid, image_uuid, sizeof(rec.uuid));
	memcpy(rec.boot_id, recipe->boot_id, sizeof(rec.boot_id));
	ADD(b, HEADER, rec);
}

static void add_tree(struct builder *b, const struct recipe *recipe)
{
	struct ckpt_rec_tree tree = { .nr_tasks = recipe->nr_tasks };
	__u32 i;

	ADD(b, TREE, tree);
	for (i = 0; i < recipe->nr_tasks; i++) {
		struct ckpt_tree_ids ids = recipe->ids;
		struct ckpt_rec_tree_task task = {
			.index = i,
			.parent = i ? 0 : CKPT_TREE_NO_PARENT,
			.leader = i,
			.exit_signal = 17,
			.nr_levels = 1,
		};

		ids.pid += i;
		ids.tgid += i;
		ADD_DATA(b, TREE_TASK, task, &ids, sizeof(ids));
	}
}

static void add_file(struct builder *b, __u32 objref, __u32 kind,
		     const char *path)
{
	struct ckpt_rec_file rec = {
		.objref = objref,
		.kind = kind,
		.f_flags = kind == CKPT_FILE_TTY ? 2 : 0,
		.cred = OBJ_CRED,
		.size = 4096,
		.path_len = strlen(path) + 1,
	};

	ADD_DATA(b, FILE, rec, path, rec.path_len);
}

/* A file that was deleted has its name in another record. */
static void add_deleted_file(struct builder *b)
{
	static const char path[16] = "/tmp/gone";
	struct ckpt_rec_inode inode = {
		.objref = OBJ_INODE, .kind = CKPT_INODE_UNLINKED,
		.mode = 0100600, .cred = OBJ_CRED,
		.path_len = strlen(path) + 1, .var_len = sizeof(path),
	};
	struct ckpt_rec_file file = {
		.objref = OBJ_GONE, .kind = CKPT_FILE_INODE, .cred = OBJ_CRED,
		.inode = OBJ_INODE, .path_len = 1,
	};

	ADD_DATA(b, INODE, inode, path, sizeof(path));
	ADD_DATA(b, FILE, file, "", 1);
}

static void add_objects(struct builder *b)
{
	struct ckpt_rec_ns ns = { .objref = OBJ_NS, .kind = CKPT_NS_USER,
				  .flags = CKPT_NS_RESTARTERS };
	struct ckpt_rec_cred cred = { .objref = OBJ_CRED, .userns = OBJ_NS,
				      .uid = 1000, .gid = 1000, .nr_groups = 3 };
	const __u32 groups[] = { 4, 24, 27 };
	struct ckpt_fd fds[] = {
		{ .fd = 0, .file = OBJ_TTY },
		{ .fd = 1, .file = OBJ_TTY },
		{ .fd = 7, .file = OBJ_EXE, .flags = CKPT_FD_CLOEXEC },
		{ .fd = 8, .file = OBJ_GONE },
	};
	struct ckpt_rec_files files = { .objref = OBJ_FILES, .nr_fds = 4 };
	struct ckpt_rec_fs fs = { .objref = OBJ_FS, .umask = 022,
				  .root = OBJ_ROOT, .cwd = OBJ_ROOT };
	struct ckpt_sigaction actions[64] = { 0 };
	struct ckpt_rec_sighand sighand = { .objref = OBJ_SIGHAND, .nr = 64 };
	struct ckpt_rlimit limits[16] = { 0 };
	struct ckpt_rec_signal sig = { .objref = OBJ_SIGNAL, .nr_rlimits = 16 };
	struct ckpt_rec_sigpending pending = { .shared = 1, .set = 0x6 };

	ADD(b, NS, ns);
	ADD_DATA(b, CRED, cred, groups, sizeof(groups));
	add_file(b, OBJ_ROOT, CKPT_FILE_DIR, "/");
	add_file(b, OBJ_EXE, CKPT_FILE_REG, "/usr/bin/w\303\266rk\033[31m");
	add_file(b, OBJ_TTY, CKPT_FILE_TTY, "/dev/pts/0");
	add_deleted_file(b);
	ADD_DATA(b, FILES, files, fds, sizeof(fds));
	ADD(b, FS, fs);
	ADD_DATA(b, SIGHAND, sighand, actions, sizeof(actions));
	ADD_DATA(b, SIGNAL, sig, limits, sizeof(limits));
	ADD(b, SIGPENDING, pending);
}

static void add_mm(struct builder *b)
{
	const __u64 auxv[] = { 6, 4096, 0, 0 };
	struct ckpt_rec_mm mm = { .objref = OBJ_MM, .nr_vmas = 3,
				  .exe = OBJ_EXE, .auxv_len = sizeof(auxv) };
	struct ckpt_rec_vma vma[] = {
		{ .mm = OBJ_MM, .kind = CKPT_VMA_FILE, .start = 0x400000,
		  .end = 0x402000, .file = OBJ_EXE,
		  .flags = CKPT_VMA_READ | CKPT_VMA_EXEC },
		{ .mm = OBJ_MM, .kind = CKPT_VMA_ANON, .start = 0x402000,
		  .end = 0x480000, .name_len = 5,
		  .flags = CKPT_VMA_READ | CKPT_VMA_WRITE },
		{ .mm = OBJ_MM, .kind = CKPT_VMA_VDSO, .start = 0x7ff000000000,
		  .end = 0x7ff000002000, .flags = CKPT_VMA_READ },
	};

	ADD_DATA(b, MM, mm, auxv, sizeof(auxv));
	ADD(b, VMA, vma[0]);
	ADD_DATA(b, VMA, vma[1], "heap", 5);
	ADD(b, VMA, vma[2]);
}

static void add_task(struct builder *b, __u32 index)
{
	struct ckpt_rec_task task = {
		.index = index, .mm = OBJ_MM, .files = OBJ_FILES, .fs = OBJ_FS,
		.sighand = OBJ_SIGHAND, .signal = OBJ_SIGNAL, .cred = OBJ_CRED,
		.comm = "worker", .cpus_len = 4, .blocked = 1 << 9,
	};
	struct ckpt_rec_restart_block rb = {
		.kind = CKPT_RESTART_NANOSLEEP, .flags = CKPT_RESTART_TIMED,
		.remaining_ns = 1500000000,
	};
	struct ckpt_rec_x86_cpu cpu = { 0 };
	struct ckpt_rec_x86_xstate xstate = { .size = 576 };
	const char area[576] = { 0 };
	const __u32 cpus = 3;

	ADD_DATA(b, TASK, task, &cpus, sizeof(cpus));
	ADD(b, RESTART_BLOCK, rb);
	ADD(b, X86_CPU, cpu);
	ADD_DATA(b, X86_XSTATE, xstate, area, sizeof(area));
}

void image_build(struct builder *b, const struct recipe *recipe)
{
	struct ckpt_rec_x86_features features = { .nr_words = 4 };
	const __u32 words[4] = { 1, 2, 3, 4 };
	struct ckpt_rec_meta_end end = { .nr_objects = OBJ_LAST };
	struct ckpt_hdr pad;
	unsigned int i;

	*b = (struct builder){ 0 };
	add_header(b, recipe);
	ADD_DATA(b, X86_FEATURES, features, words, sizeof(words));
	add_tree(b, recipe);
	add_objects(b);
	add_mm(b);
	for (i = 0; i < recipe->nr_tasks; i++)
		add_task(b, i);
	end.nr_records = b->nr;
	b->meta_offset = b->len;
	ADD(b, META_END, end);
	ADD_DATA(b, PAD, pad, "\0\0\0\0\0\0\0", 8);
	for (i = 0; i < recipe->chunks; i++)
		builder_pages(b, OBJ_MM, 0x402 + 2 * i, 1);
	builder_index(b);
	builder_tail(b);
}
