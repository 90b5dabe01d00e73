// SPDX-License-Identifier: GPL-2.0
/*
 * Which limit it is that memory of an image exceeds here. mmap() and the like
 * say ENOMEM for all of them.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "checkpoint.h"

#define CKPT_PAGE_KB	(PAGE_SIZE / SZ_1K)

/**
 * struct ckpt_needs - what the address space of a mapping takes
 * @nr: number of mappings
 * @kb: size of all
 * @data_kb: of those that RLIMIT_DATA is about
 */
struct ckpt_needs {
	u32 nr;
	u64 kb;
	u64 data_kb;
};

static bool ckpt_is_data(const struct ckpt_rec_vma *rec)
{
	return (rec->flags & (CKPT_VMA_WRITE | CKPT_VMA_SHARED |
			      CKPT_VMA_GROWSDOWN)) == CKPT_VMA_WRITE;
}

/* For a person: not all that is summed up has been checked. */
static void ckpt_needs(struct ckpt_restart *rs, u32 mm_ref,
		       struct ckpt_needs *needs)
{
	const struct ckpt_robj *obj = xa_load(&rs->objs, mm_ref);
	const struct ckpt_rec *r, *policy;
	const struct ckpt_rec_vma *rec;
	unsigned long index = obj->index + 1;
	u32 i;

	*needs = (struct ckpt_needs) { ckpt_rec_as(obj->rec, mm)->nr_vmas };
	for (i = 0; i < needs->nr; i++) {
		r = ckpt_next_vma(rs, &index, &policy);
		if (!r || r->type != CKPT_REC_VMA || ckpt_loop_step(0))
			break;
		rec = ckpt_rec_as(r, vma);
		needs->kb += (rec->end - rec->start) / SZ_1K;
		if (ckpt_is_data(rec))
			needs->data_kb += (rec->end - rec->start) / SZ_1K;
	}
}

static bool ckpt_exceeds(unsigned long have, unsigned long more,
			 unsigned int limit)
{
	return have + more > rlimit(limit) >> PAGE_SHIFT;
}

/**
 * ckpt_check_map_count - may a process have so many mappings here?
 * @rs: the restart
 * @r: its MM record
 *
 * Return: 0, or -ENOMEM with the reason logged.
 */
int ckpt_check_map_count(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	u32 nr = ckpt_rec_as(r, mm)->nr_vmas;

	/* As mmap() has it: one more than the limit. */
	if (nr <= (u32)sysctl_max_map_count + 1)
		return 0;
	return ckpt_bad(rs, r, -ENOMEM,
			"the process has %u mappings, vm.max_map_count allows %d here: raise it",
			nr, sysctl_max_map_count);
}

/**
 * ckpt_bad_memory - a mapping cannot be had: say which limit is in the way
 * @rs: the restart; current runs on the address space
 * @r: VMA record of the mapping, checked
 * @what: what could not be done with it
 *
 * Return: -ENOMEM.
 */
int ckpt_bad_memory(struct ckpt_restart *rs, const struct ckpt_rec *r,
		    const char *what)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	unsigned long nr = (rec->end - rec->start) >> PAGE_SHIFT;
	struct mm_struct *mm = current->mm;
	struct ckpt_needs needs;

	ckpt_needs(rs, rec->mm, &needs);
	if (mm->map_count >= sysctl_max_map_count)
		return ckpt_bad(rs, r, -ENOMEM,
				"mapping %llx-%llx cannot be %s: the process has %u mappings, vm.max_map_count allows %d here: raise it",
				rec->start, rec->end, what, needs.nr,
				sysctl_max_map_count);
	if (ckpt_exceeds(mm->total_vm, nr, RLIMIT_AS))
		return ckpt_bad(rs, r, -ENOMEM,
				"mapping %llx-%llx cannot be %s: the process has %llu kB of address space, RLIMIT_AS of the restarter allows %lu kB: raise it (ulimit -v)",
				rec->start, rec->end, what, needs.kb,
				rlimit(RLIMIT_AS) / SZ_1K);
	if (ckpt_is_data(rec) && ckpt_exceeds(mm->data_vm, nr, RLIMIT_DATA))
		return ckpt_bad(rs, r, -ENOMEM,
				"mapping %llx-%llx cannot be %s: the process has %llu kB of data, RLIMIT_DATA of the restarter allows %lu kB: raise it (ulimit -d)",
				rec->start, rec->end, what, needs.data_kb,
				rlimit(RLIMIT_DATA) / SZ_1K);
	if ((rec->flags & CKPT_VMA_ACCOUNT) &&
	    sysctl_overcommit_memory == OVERCOMMIT_GUESS &&
	    nr > totalram_pages() + total_swap_pages)
		return ckpt_bad(rs, r, -ENOMEM,
				"mapping %llx-%llx cannot be %s: its %lu kB are more than the %lu kB of memory and swap here: add swap, or set vm.overcommit_memory to 1",
				rec->start, rec->end, what, nr * CKPT_PAGE_KB,
				(totalram_pages() + total_swap_pages) * CKPT_PAGE_KB);
	if ((rec->flags & CKPT_VMA_ACCOUNT) &&
	    sysctl_overcommit_memory == OVERCOMMIT_NEVER)
		return ckpt_bad(rs, r, -ENOMEM,
				"mapping %llx-%llx cannot be %s: of the %lu kB that may be committed here, %lu kB are: raise vm.overcommit_kbytes or vm.overcommit_ratio, add swap, or set vm.overcommit_memory to 0",
				rec->start, rec->end, what,
				vm_commit_limit() * CKPT_PAGE_KB,
				vm_memory_committed() * CKPT_PAGE_KB);
	return ckpt_bad(rs, r, -ENOMEM, "mapping %llx-%llx cannot be %s: out of memory",
			rec->start, rec->end, what);
}
