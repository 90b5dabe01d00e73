/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images that lie: records of an image are changed where they are, and get the
 * checksum that belongs to it.
 */
#ifndef BAD_IMAGE_H
#define BAD_IMAGE_H

#include "tree_program.h"
#include "picture.h"

static unsigned char *image;
static size_t image_len;

static inline bool open_image(void)
{
	int fd = open(CKPT_IMG, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return false;
	image_len = st.st_size;
	image = mmap(NULL, image_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return image != MAP_FAILED;
}

static inline void close_image(void)
{
	munmap(image, image_len);
}

/* The @nth record of a type, or NULL. */
static inline void *find_record(uint32_t type, int nth)
{
	struct ckpt_hdr *h;
	size_t off = 0;

	while (off + sizeof(*h) <= image_len) {
		h = (void *)(image + off);
		if (h->type == type && !nth--)
			return h;
		off += h->len;
		if (h->type == CKPT_REC_PAGES) {
			off = (off + PAGE - 1) & -PAGE;
			off += ((struct ckpt_rec_pages *)h)->data_len;
		}
	}
	return NULL;
}

static inline void seal(void *record)
{
	struct ckpt_hdr *h = record;

	h->crc = 0;
	h->crc = ckpt_crc32c(h, h->len);
}

#define OUTPUT	"/tmp/ckpt.out"

/* No restart of it; it says @words. */
static inline void expect_bad(struct __test_metadata *_metadata, const char *what,
			      const char *words)
{
	char text[4096];

	EXPECT_EQ(-1, restart_image("> " OUTPUT)) {
		TH_LOG("%s was taken", what);
	}
	ckpt_read_text(OUTPUT, text, sizeof(text));
	EXPECT_TRUE(!!strstr(text, words)) {
		TH_LOG("%s: no \"%s\" in: %s", what, words, text);
	}
	unlink(OUTPUT);
	reap_all();
}

#endif
