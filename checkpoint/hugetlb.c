// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages that a program has asked for (hugetlb): MAP_HUGETLB, MFD_HUGETLB.
 *
 * Each mapping of them is one of a file: of a file system of their own that is
 * mounted, by its path; or of one that mmap() or memfd_create() has made, which
 * is an inode of the image, see inode.c, with a HUGETLB record.
 *
 *	what			where it is in the image
 *	----			------------------------
 *	pages of a file		payload of the inode
 *	pages of a private	payload of the address space: its pages are copied
 *	mapping			into the huge one, which a page fault makes
 *	reservations of a file	regions of the HUGETLB record
 *	of a private mapping	CKPT_VMA_HUGE_RESERVED
 *
 * There are as many pages in use and in reserve afterwards as before, and no
 * page is had that the pool of this machine does not give.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/rmap.h>
#include <linux/shmem_fs.h>
#include <linux/swapops.h>

#include "checkpoint.h"

/* Bit of vm_private_data of a private mapping, HPAGE_RESV_OWNER of mm/hugetlb.c. */
#define CKPT_RESV_OWNER		1UL

#define CKPT_REGIONS_MAX	(CKPT_REC_MAX_LEN / 2 / sizeof(struct ckpt_hugetlb_region))

/* ---- what is one ----------------------------------------------------------- */

/**
 * ckpt_hugetlb_kind - where does a file of huge pages come from?
 * @file: the file, for which ckpt_is_hugetlb() is true
 *
 * Return: enum ckpt_inode_kind, 0: a file system that is mounted, or SysV
 * shared memory.
 */
u32 ckpt_hugetlb_kind(const struct file *file)
{
	const char *name = file->f_path.dentry->d_name.name;
	struct inode *inode = file_inode(file);

	if (!(inode->i_sb->s_flags & SB_KERNMOUNT) || IS_PRIVATE(inode))
		return 0;
	if (!strcmp(name, HUGETLB_ANON_FILE))
		return CKPT_INODE_ANON;
	return str_has_prefix(name, "memfd:") ? CKPT_INODE_MEMFD : 0;
}

/**
 * ckpt_hugetlb_seals - the seals of a file of huge pages
 * @file: the file
 *
 * Return: where they are.
 */
unsigned int *ckpt_hugetlb_seals(struct file *file)
{
	return &HUGETLBFS_I(file_inode(file))->seals;
}

/* ---- saving: files ------------------------------------------------------------ */

/* What of it is in use or in reserve. Returns the number, perhaps above @room. */
static u32 ckpt_regions(struct inode *inode, struct ckpt_hugetlb_region *out,
			u32 room)
{
	struct resv_map *map = inode->i_data.i_private_data;
	struct file_region *rg;
	u64 end = 0;
	u32 nr = 0;

	spin_lock(&map->lock);
	list_for_each_entry(rg, &map->regions, link) {
		/* Each control group has regions of its own. */
		if (nr && rg->from == end) {
			if (nr <= room)
				out[nr - 1].nr += rg->to - rg->from;
		} else if (nr++ < room) {
			out[nr - 1].start = rg->from;
			out[nr - 1].nr = rg->to - rg->from;
		}
		end = rg->to;
	}
	spin_unlock(&map->lock);
	return nr;
}

/**
 * checkpoint_hugetlb - write what else there is to an inode of huge pages
 * @ctx: the checkpoint
 * @file: a file of it; its users are frozen
 * @objref: of the inode, whose INODE record was written
 *
 * Return: 0 or a negative errno.
 */
int checkpoint_hugetlb(struct ckpt_ctx *ctx, struct file *file, u32 objref)
{
	struct inode *inode = file_inode(file);
	struct ckpt_rec_hugetlb *rec;
	u32 nr = ckpt_regions(inode, NULL, 0);

	if (nr > CKPT_REGIONS_MAX)
		return -E2BIG;
	rec = ckpt_rec_new(ctx, hugetlb, CKPT_REC_HUGETLB,
			   nr * sizeof(struct ckpt_hugetlb_region));
	if (!rec)
		return -ENOMEM;
	rec->inode = objref;
	rec->page_shift = huge_page_shift(hstate_inode(inode));
	rec->nr_regions = min(nr, ckpt_regions(inode, ckpt_rec_var(rec), nr));
	return 0;
}

/**
 * ckpt_hugetlb_data - find the next page that a file has
 * @file: the file
 * @pos: where to look from, a multiple of the page size
 * @end: out: the end of that page
 *
 * Return: its offset, or -ENXIO.
 */
loff_t ckpt_hugetlb_data(struct file *file, loff_t pos, loff_t *end)
{
	struct hstate *h = hstate_file(file);
	pgoff_t at = pos >> PAGE_SHIFT;
	struct folio_batch batch;

	folio_batch_init(&batch);
	if (!filemap_get_folios(file->f_mapping, &at, -1, &batch))
		return -ENXIO;
	pos = max(pos, folio_pos(batch.folios[0]));
	*end = round_down(pos, huge_page_size(h)) + huge_page_size(h);
	folio_batch_release(&batch);
	return pos;
}

/* ---- saving: mappings ------------------------------------------------------------ */

/**
 * ckpt_hugetlb_own - look at a page of a private mapping
 * @vma: the mapping, under mmap_lock
 * @ptep: its page table entry
 * @addr: address of the huge page
 * @page: out: the first page of it, with a reference
 *
 * Return: 1: it is the mapping's own; 0: there is none, or it is one of the
 * file; -EAGAIN: it moves; -EIO: the memory is broken; -ENODATA: it was only
 * declared so, see poison.c.
 */
int ckpt_hugetlb_own(struct vm_area_struct *vma, pte_t *ptep,
		     unsigned long addr, struct page **page)
{
	spinlock_t *ptl = huge_pte_lock(hstate_vma(vma), vma->vm_mm, ptep);
	pte_t pte = huge_ptep_get(vma->vm_mm, addr, ptep);
	swp_entry_t entry;
	int ret = 0;

	if (pte_present(pte)) {
		*page = pte_page(pte);
		ret = folio_test_anon(page_folio(*page));
		if (ret)
			get_page(*page);
	} else if (!huge_pte_none(pte)) {
		entry = pte_to_swp_entry(pte);
		if (is_hwpoison_entry(entry))
			ret = -EIO;
		else if (is_poisoned_swp_entry(entry))
			ret = -ENODATA;
		else if (!is_pte_marker_entry(entry))
			ret = -EAGAIN;
	}
	spin_unlock(ptl);
	return ret;
}

/**
 * ckpt_hugetlb_match - is a page there?
 * @vma: a mapping of huge pages, private
 * @addr: address
 * @folio: the huge page
 *
 * Context: the page tables are kept by mmap_lock, or by an anon_vma of @vma.
 * Return: true if it is, or was until it began to move.
 */
bool ckpt_hugetlb_match(struct vm_area_struct *vma, unsigned long addr,
			struct folio *folio)
{
	unsigned long pfn = 0, size = vma_kernel_pagesize(vma);
	spinlock_t *ptl; /* of the page table */
	pte_t *ptep, pte;

	ptep = hugetlb_walk(vma, addr, size);
	if (!ptep)
		return false;
	ptl = huge_pte_lock(hstate_vma(vma), vma->vm_mm, ptep);
	pte = huge_ptep_get(vma->vm_mm, addr, ptep);
	if (pte_present(pte))
		pfn = pte_pfn(pte);
	else if (!huge_pte_none(pte) && is_migration_entry(pte_to_swp_entry(pte)))
		pfn = swp_offset_pfn(pte_to_swp_entry(pte));
	spin_unlock(ptl);
	return pfn == folio_pfn(folio);
}

/* How many pages will stand in the image with this address space. */
static u32 ckpt_hugetlb_count(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			      u32 objref)
{
	unsigned long size = vma_kernel_pagesize(vma), addr;
	struct page *page;
	pte_t *ptep;
	u32 nr = 0;

	for (addr = vma->vm_start; addr < vma->vm_end; addr += size) {
		ptep = hugetlb_walk(vma, addr, size);
		if (ptep && ckpt_hugetlb_own(vma, ptep, addr, &page) > 0) {
			nr += !ckpt_cow_maybe(ctx, vma, page) ||
			      !ckpt_cow_known(ctx, objref, page_folio(page));
			put_page(page);
		}
		/* The caller's loop ends of that, too. */
		if (ckpt_loop_step(0))
			break;
	}
	return nr;
}

/**
 * checkpoint_hugetlb_vma - fill in what is about huge pages
 * @ctx: the checkpoint
 * @vma: a mapping of huge pages, under mmap_lock
 * @rec: its record, with the objref of the address space
 */
void checkpoint_hugetlb_vma(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
			    struct ckpt_rec_vma *rec)
{
	rec->huge_shift = huge_page_shift(hstate_vma(vma));
	if (vma->vm_flags & VM_MAYSHARE)
		return;
	/* Children of fork() have none, nor has what is MAP_NORESERVE. */
	if ((unsigned long)vma->vm_private_data & CKPT_RESV_OWNER)
		rec->flags |= CKPT_VMA_HUGE_RESERVED;
	rec->huge_pages = ckpt_hugetlb_count(ctx, vma, rec->mm);
}

/* ---- restoring: the pool --------------------------------------------------------- */

static struct hstate *ckpt_hstate(u32 shift)
{
	return shift > PAGE_SHIFT && shift < BITS_PER_LONG ?
	       size_to_hstate(1UL << shift) : NULL;
}

static u64 ckpt_hugetlb_available(struct hstate *h)
{
	long nr;

	spin_lock_irq(&hugetlb_lock);
	nr = h->free_huge_pages - h->resv_huge_pages;
	if (h->nr_overcommit_huge_pages > h->surplus_huge_pages)
		nr += h->nr_overcommit_huge_pages - h->surplus_huge_pages;
	spin_unlock_irq(&hugetlb_lock);
	return max(nr, 0L);
}

/* Says what is missing. */
static int ckpt_hugetlb_short(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct hstate *h, u64 wanted)
{
	u64 have = ckpt_hugetlb_available(h);

	return ckpt_bad(rs, r, -ENOMEM,
			"%llu huge pages of %lu kB are wanted, %llu are free: have at least %llu more (vm.nr_hugepages, or nr_hugepages in /sys/kernel/mm/hugepages)",
			wanted, huge_page_size(h) / SZ_1K, have,
			wanted > have ? wanted - have : 0);
}

/* That the pool is empty is not all that may be wrong. */
static int ckpt_hugetlb_no_page(struct ckpt_restart *rs, const struct ckpt_rec *r,
				struct hstate *h, int err, u64 at)
{
	if (!ckpt_hugetlb_available(h))
		return ckpt_hugetlb_short(rs, r, h, 1);
	return ckpt_bad(rs, r, err, "there can be no huge page for %llx", at);
}

static int ckpt_no_hstate(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  u32 shift)
{
	return ckpt_bad(rs, r, -EOPNOTSUPP,
			"this machine has no huge pages of 2^%u bytes", shift);
}

/* How many pages a record takes from the pool. */
static u64 ckpt_hugetlb_wants(const struct ckpt_rec *r, u32 *shift)
{
	const struct ckpt_hugetlb_region *regions = r->var;
	const struct ckpt_rec_hugetlb *rec;
	const struct ckpt_rec_vma *vma;
	u64 wants = 0;
	u32 i, nr;

	switch (r->type) {
	case CKPT_REC_HUGETLB:
		rec = ckpt_rec_as(r, hugetlb);
		*shift = rec->page_shift;
		nr = min(rec->nr_regions, r->var_len / sizeof(*regions));
		for (i = 0; i < nr; i++)
			wants += regions[i].nr;
		return wants;
	case CKPT_REC_VMA:
		vma = ckpt_rec_as(r, vma);
		*shift = vma->huge_shift;
		if (!ckpt_hstate(*shift) || (vma->flags & CKPT_VMA_MAYSHARE))
			return 0;
		return vma->flags & CKPT_VMA_HUGE_RESERVED ?
		       (vma->end - vma->start) >> *shift : vma->huge_pages;
	}
	*shift = 0;
	return 0;
}

/**
 * ckpt_check_hugetlb - are there huge pages enough for an image?
 * @rs: the restart, with all metadata read, of which nothing was checked
 *
 * Others may take them before they are used: then what uses them says so.
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int ckpt_check_hugetlb(struct ckpt_restart *rs)
{
	const struct ckpt_rec *r, *last[HUGE_MAX_HSTATE] = {};
	u64 wants[HUGE_MAX_HSTATE] = {}, nr;
	unsigned long index;
	struct hstate *h;
	u32 shift;
	int ret;

	if (!rs->huge_vmas && !test_bit(CKPT_REC_HUGETLB, rs->met))
		return 0;
	for (index = 0; index < rs->nr_recs; index++) {
		r = ckpt_rec_at(rs, index);
		nr = ckpt_hugetlb_wants(r, &shift);
		h = shift ? ckpt_hstate(shift) : NULL;
		if (shift && !h)
			return ckpt_no_hstate(rs, r, shift);
		if (h && nr) {
			wants[hstate_index(h)] += nr;
			last[hstate_index(h)] = r;
		}
		ret = ckpt_loop_step(0);
		if (ret)
			return ret;
	}
	for_each_hstate(h) {
		index = hstate_index(h);
		if (wants[index] > ckpt_hugetlb_available(h))
			return ckpt_hugetlb_short(rs, last[index], h, wants[index]);
	}
	return 0;
}

/* ---- restoring: files ------------------------------------------------------------ */

/**
 * restore_hugetlb_check - look at an inode of huge pages
 * @rs: the restart
 * @r: its INODE record
 * @part: its HUGETLB record
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_hugetlb_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  const struct ckpt_rec *part)
{
	const struct ckpt_rec_hugetlb *rec = ckpt_rec_as(part, hugetlb);
	const struct ckpt_rec_inode *inode = ckpt_rec_as(r, inode);
	const struct ckpt_hugetlb_region *regions = part->var;
	struct hstate *h = ckpt_hstate(rec->page_shift);
	u64 max, end = 0;
	u32 i;

	if (inode->kind == CKPT_INODE_UNLINKED)
		return ckpt_bad(rs, part, -EINVAL, "belongs to a file that had a name");
	if (!h)
		return ckpt_no_hstate(rs, part, rec->page_shift);
	if (inode->size & ~huge_page_mask(h))
		return ckpt_bad(rs, part, -EINVAL,
				"%llu bytes are no number of huge pages of %lu kB",
				inode->size, huge_page_size(h) / SZ_1K);
	if (rec->nr_regions > part->var_len / sizeof(*regions))
		return ckpt_bad(rs, part, -EINVAL, "%u regions do not fit",
				rec->nr_regions);
	max = MAX_LFS_FILESIZE >> huge_page_shift(h);
	for (i = 0; i < rec->nr_regions; i++) {
		if (!regions[i].nr || regions[i].start < end ||
		    regions[i].start >= max || regions[i].nr > max - regions[i].start)
			return ckpt_bad(rs, part, -EINVAL,
					"region of %llu pages at %llu",
					regions[i].nr, regions[i].start);
		end = regions[i].start + regions[i].nr;
	}
	return 0;
}

/**
 * restore_empty_hugetlb - make an inode of huge pages
 * @r: its INODE record, checked
 * @part: its HUGETLB record, checked
 *
 * Return: a file that is empty, or an ERR_PTR().
 */
struct file *restore_empty_hugetlb(const struct ckpt_rec *r,
				   const struct ckpt_rec *part)
{
	const struct ckpt_rec_inode *rec = ckpt_rec_as(r, inode);
	bool anon = rec->kind == CKPT_INODE_ANON;

	return hugetlb_file_setup(anon ? HUGETLB_ANON_FILE : r->var,
				  anon ? rec->size : 0, VM_NORESERVE,
				  HUGETLB_ANONHUGE_INODE,
				  ckpt_rec_as(part, hugetlb)->page_shift);
}

/**
 * restore_hugetlb_reserve - reserve what was in use or in reserve
 * @rs: the restart
 * @part: HUGETLB record, checked
 * @file: the inode, without pages
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_hugetlb_reserve(struct ckpt_restart *rs, const struct ckpt_rec *part,
			    struct file *file)
{
	const struct ckpt_rec_hugetlb *rec = ckpt_rec_as(part, hugetlb);
	const struct ckpt_hugetlb_region *regions = part->var;
	struct inode *inode = file_inode(file);
	u32 i;
	int ret;

	for (i = 0; i < rec->nr_regions; i++) {
		if (!hugetlb_reserve_pages(inode, regions[i].start,
					   regions[i].start + regions[i].nr,
					   NULL, 0))
			return ckpt_hugetlb_short(rs, part, hstate_inode(inode),
						  regions[i].nr);
		ret = ckpt_loop_step(0);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Page @idx of a file, made if need be, as hugetlbfs_fallocate() does. With @fill all
 * of it is going to be filled.
 */
static struct folio *ckpt_hugetlb_page(struct file *file, pgoff_t idx, bool fill)
{
	struct inode *inode = file_inode(file);
	struct address_space *mapping = inode->i_mapping;
	struct hstate *h = hstate_inode(inode);
	unsigned long addr = idx << huge_page_shift(h);
	struct vm_area_struct vma;
	struct folio *folio;
	u32 hash;
	int ret;

	vma_init(&vma, current->mm);
	vm_flags_init(&vma, VM_HUGETLB | VM_MAYSHARE | VM_SHARED);
	vma.vm_file = file;

	hash = hugetlb_fault_mutex_hash(mapping, idx);
	mutex_lock(&hugetlb_fault_mutex_table[hash]);
	folio = filemap_get_folio(mapping, idx << huge_page_order(h));
	if (!IS_ERR(folio))
		goto out;
	folio = alloc_hugetlb_folio(&vma, addr, false);
	if (IS_ERR(folio))
		goto out;
	if (!fill)
		folio_zero_user(folio, addr);
	__folio_mark_uptodate(folio);
	ret = hugetlb_add_to_page_cache(folio, mapping, idx);
	if (ret) {
		restore_reserve_on_error(h, &vma, addr, folio);
		folio_put(folio);
		folio = ERR_PTR(ret);
		goto out;
	}
	folio_set_hugetlb_migratable(folio);
	folio_unlock(folio);
out:
	mutex_unlock(&hugetlb_fault_mutex_table[hash]);
	return folio;
}

/**
 * restore_hugetlb_get - have the pages of a file that a run fills
 * @rs: the restart
 * @r: PAGES record, checked
 * @run: a run of it
 * @pages: out, each with a reference, also on error
 * @sink: its file is of huge pages, and nobody else has it yet
 *
 * Context: may sleep.
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_hugetlb_get(struct ckpt_restart *rs, const struct ckpt_rec *r,
			const struct ckpt_page_run *run, struct page **pages,
			const struct ckpt_sink *sink)
{
	struct hstate *h = hstate_file(sink->file);
	u64 at = run->start, end = run->start + run->nr, next, i;
	unsigned long per = pages_per_huge_page(h);
	struct folio *folio;

	for (; at < end; at = next) {
		next = min(round_down(at, per) + per, end);
		folio = ckpt_hugetlb_page(sink->file, at >> huge_page_order(h),
					  next - at == per);
		if (IS_ERR(folio))
			return ckpt_hugetlb_no_page(rs, r, h, PTR_ERR(folio),
						    at << PAGE_SHIFT);
		folio_ref_add(folio, next - at);
		for (i = at; i < next; i++)
			*pages++ = folio_page(folio, i % per);
		folio_put(folio);
	}
	return 0;
}

/* ---- restoring: mappings ---------------------------------------------------------- */

/**
 * restore_hugetlb_vma_check - look at what is about huge pages
 * @rs: the restart
 * @r: VMA record
 * @file: what it maps, or NULL
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_hugetlb_vma_check(struct ckpt_restart *rs, const struct ckpt_rec *r,
			      struct file *file)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);
	struct hstate *h = NULL;
	u64 mask;

	if (file && is_file_hugepages(file))
		h = hstate_file(file);
	if (!!h != !!(rec->flags & CKPT_VMA_HUGETLB) ||
	    rec->huge_shift != (h ? huge_page_shift(h) : 0))
		return ckpt_bad(rs, r, -EINVAL,
				"huge pages of 2^%u bytes, of a file with pages of 2^%u",
				rec->huge_shift, h ? huge_page_shift(h) : PAGE_SHIFT);
	if ((rec->flags & CKPT_VMA_HUGE_RESERVED) &&
	    (!h || (rec->flags & (CKPT_VMA_MAYSHARE | CKPT_VMA_NORESERVE))))
		return ckpt_bad(rs, r, -EINVAL, "huge pages are reserved with flags 0x%llx",
				rec->flags);
	if (!h)
		return 0;
	mask = ~huge_page_mask(h);
	if (((rec->start | rec->end | rec->pgoff << PAGE_SHIFT) & mask) ||
	    (rec->flags & CKPT_VMA_ACCOUNT))
		return ckpt_bad(rs, r, -EINVAL,
				"mapping %llx-%llx of page %llx is none of huge pages (flags 0x%llx)",
				rec->start, rec->end, rec->pgoff, rec->flags);
	return 0;
}

/**
 * restore_hugetlb_vma_failed - say that pages are missing for a mapping
 * @rs: the restart
 * @r: its VMA record, checked
 *
 * Return: -ENOMEM.
 */
int restore_hugetlb_vma_failed(struct ckpt_restart *rs, const struct ckpt_rec *r)
{
	const struct ckpt_rec_vma *rec = ckpt_rec_as(r, vma);

	return ckpt_hugetlb_short(rs, r, ckpt_hstate(rec->huge_shift),
				  (rec->end - rec->start) >> rec->huge_shift);
}

static void ckpt_hugetlb_copy(struct folio *folio, unsigned long at,
			      struct page **pages, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		copy_highpage(folio_page(folio, at + i), pages[i]);
}

/* Two faults: the first may find a page of the file, which is not to be changed. */
static struct folio *ckpt_hugetlb_fault(struct vm_area_struct *vma,
					unsigned long addr)
{
	unsigned long size = vma_kernel_pagesize(vma);
	unsigned int flags, turn;
	struct page *page;
	vm_fault_t ret;
	pte_t *ptep;

	for (turn = 0; ; turn++) {
		ptep = hugetlb_walk(vma, addr, size);
		if (ptep && ckpt_hugetlb_own(vma, ptep, addr, &page) > 0)
			return page_folio(page);
		if (turn == 3)
			return ERR_PTR(-EFAULT);
		if (vma->vm_flags & VM_WRITE)
			flags = FAULT_FLAG_WRITE;
		else
			flags = turn ? FAULT_FLAG_UNSHARE : 0;
		/* The pages of any key. */
		ret = handle_mm_fault(vma, addr, flags | FAULT_FLAG_REMOTE, NULL);
		if (ret & VM_FAULT_ERROR)
			return ERR_PTR(vm_fault_to_errno(ret, 0));
	}
}

/**
 * restore_hugetlb_pages - put contents into a private mapping
 * @rs: the restart; current runs on the address space
 * @r: PAGES record
 * @vma: a mapping of huge pages, its mmap_lock held
 * @addr: address of the first page
 * @end: end of the last; they lie in one huge page
 * @pages: the contents, verified
 *
 * Return: 0 or a negative errno, with the reason logged.
 */
int restore_hugetlb_pages(struct ckpt_restart *rs, const struct ckpt_rec *r,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end, struct page **pages)
{
	struct hstate *h = hstate_vma(vma);
	struct folio *folio;

	folio = ckpt_hugetlb_fault(vma, addr & huge_page_mask(h));
	if (IS_ERR(folio))
		return ckpt_hugetlb_no_page(rs, r, h, PTR_ERR(folio), addr);
	ckpt_hugetlb_copy(folio, (addr & ~huge_page_mask(h)) >> PAGE_SHIFT,
			  pages, (end - addr) >> PAGE_SHIFT);
	folio_put(folio);
	return 0;
}

static int ckpt_share_hugetlb_pte(struct ckpt_share *s, struct hstate *h,
				  pte_t *to, pte_t *from)
{
	struct mm_struct *mm = s->to->vm_mm, *other = s->from->vm_mm;
	pte_t pte = huge_ptep_get(other, s->src, from);
	struct folio *folio;

	if (!huge_pte_none(huge_ptep_get(mm, s->addr, to)))
		return -EEXIST;
	if (huge_pte_none(pte))
		return -ENODATA;
	if (!pte_present(pte))
		return -EAGAIN;
	folio = page_folio(pte_page(pte));
	if (!folio_test_anon(folio))
		return -ENODATA;
	folio_get(folio);
	if (s->lone || !ckpt_folio_to_root(folio, s->to->anon_vma->root) ||
	    hugetlb_try_dup_anon_rmap(folio, s->from)) {
		s->page = folio_page(folio, 0);
		return -EXDEV;
	}
	huge_ptep_set_wrprotect(other, s->src, from);
	pte = huge_pte_wrprotect(mk_huge_pte(folio_page(folio, 0),
					     s->to->vm_page_prot));
	pte = arch_make_huge_pte(pte_mkyoung(pte), huge_page_shift(h),
				 s->to->vm_flags);
	set_huge_pte_at(mm, s->addr, to, pte, huge_page_size(h));
	hugetlb_count_add(pages_per_huge_page(h), mm);
	return 0;
}

/**
 * ckpt_share_hugetlb - have a huge page in common, as fork() leaves it
 * @s: private mappings of the same page size; goes on to the next page
 *
 * Context: both mmap_locks held for writing.
 * Return: 0; -EXDEV if @s->page must be copied; -EAGAIN if it moves; -ENODATA,
 * -EEXIST or -ENOMEM.
 */
int ckpt_share_hugetlb(struct ckpt_share *s)
{
	struct hstate *h = hstate_vma(s->to);
	unsigned long size = huge_page_size(h);
	spinlock_t *ptl, *src_ptl; /* of the page tables */
	pte_t *to, *from;
	int ret;

	from = hugetlb_walk(s->from, s->src, size);
	if (!from)
		return -ENODATA;
	to = huge_pte_alloc(s->to->vm_mm, s->to, s->addr, size);
	if (!to)
		return -ENOMEM;
	ptl = huge_pte_lock(h, s->to->vm_mm, to);
	src_ptl = huge_pte_lockptr(h, s->from->vm_mm, from);
	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	ret = ckpt_share_hugetlb_pte(s, h, to, from);
	spin_unlock(src_ptl);
	spin_unlock(ptl);
	if (!ret) {
		s->addr += size;
		s->src += size;
	}
	return ret;
}

/**
 * ckpt_copy_hugetlb - have a copy of a huge page
 * @vma: a private mapping of the same page size, its mmap_lock held
 * @addr: address
 * @page: the first page of the other, under a reference
 *
 * Return: 0 or a negative errno.
 */
int ckpt_copy_hugetlb(struct vm_area_struct *vma, unsigned long addr,
		      struct page *page)
{
	struct folio *folio = ckpt_hugetlb_fault(vma, addr);
	int ret;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	ret = copy_user_large_folio(folio, page_folio(page), addr, vma);
	folio_put(folio);
	return ret;
}
