// SPDX-License-Identifier: GPL-2.0
/*
 * What a program has advised the kernel about a regular file: posix_fadvise() of
 * an open file, F_SET_RW_HINT of its inode.
 */
#include <linux/backing-dev.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/rw_hint.h>
#include <linux/stat.h>

#include "checkpoint.h"

/**
 * checkpoint_advice - put into a record what was advised
 * @file: the file
 * @rec: its record
 */
void checkpoint_advice(struct file *file, struct ckpt_rec_file *rec)
{
	struct inode *inode = file->f_mapping->host;
	unsigned long pages = inode_to_bdi(inode)->ra_pages;

	if (!S_ISREG(inode->i_mode) || (file->f_mode & FMODE_PATH))
		return;
	if (file->f_mode & FMODE_RANDOM)
		rec->advice |= CKPT_ADVICE_RANDOM;
	if (file->f_mode & FMODE_NOREUSE)
		rec->advice |= CKPT_ADVICE_NOREUSE;
	/* See generic_fadvise(). */
	if (pages && file->f_ra.ra_pages == 2 * pages)
		rec->advice |= CKPT_ADVICE_SEQUENTIAL;
	rec->write_hint = READ_ONCE(file_inode(file)->i_write_hint);
}

/**
 * ckpt_advice_valid - does this kernel know what was advised?
 * @rec: a record
 *
 * Return: true if it does.
 */
bool ckpt_advice_valid(const struct ckpt_rec_file *rec)
{
	return !(rec->advice & ~CKPT_ADVICE_ALL) &&
	       rec->write_hint <= WRITE_LIFE_EXTREME;
}

/**
 * restore_advice - advise the same again
 * @rec: the record, valid
 * @file: the file
 *
 * Nothing depends on it, so that it does not fail. A hint of somebody else's
 * stays.
 */
void restore_advice(const struct ckpt_rec_file *rec, struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode) || (file->f_mode & FMODE_PATH))
		return;
	if (rec->advice & CKPT_ADVICE_SEQUENTIAL)
		vfs_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (rec->advice & CKPT_ADVICE_RANDOM)
		vfs_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	if (rec->advice & CKPT_ADVICE_NOREUSE)
		vfs_fadvise(file, 0, 0, POSIX_FADV_NOREUSE);
	/* As F_SET_RW_HINT. */
	if (rec->write_hint && !inode->i_write_hint &&
	    inode_owner_or_capable(file_mnt_idmap(file), inode))
		WRITE_ONCE(inode->i_write_hint, rec->write_hint);
}
