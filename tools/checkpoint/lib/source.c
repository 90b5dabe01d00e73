// SPDX-License-Identifier: LGPL-2.1
/* Bytes of an image, from a file by positions or from a stream in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define READ_AHEAD	(16U << 10)

int source_open(struct source *src, int fd, bool exact)
{
	struct stat st;

	*src = (struct source){ .fd = fd, .size = -1 };
	if (fstat(fd, &st))
		return -1;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
		src->base = lseek(fd, 0, SEEK_CUR);
		if (src->base < 0)
			return -1;
		src->seekable = true;
		if (S_ISREG(st.st_mode))
			src->size = st.st_size;
	}
	/* Reading ahead of a position takes nothing from anyone. */
	src->exact = exact && !src->seekable;
	src->buf = malloc(READ_AHEAD);
	return src->buf ? 0 : -1;
}

void source_close(struct source *src)
{
	free(src->buf);
	src->buf = NULL;
}

/* One read from the descriptor behind what is consumed. */
static ssize_t read_some(struct source *src, void *dst, size_t len)
{
	ssize_t n;

	do {
		if (src->seekable)
			n = pread(src->fd, dst, len, src->base + src->pos);
		else
			n = read(src->fd, dst, len);
	} while (n < 0 && errno == EINTR);
	return n;
}

static size_t take_buffered(struct source *src, void *dst, size_t len)
{
	size_t n = src->end - src->start;

	if (n > len)
		n = len;
	memcpy(dst, src->buf + src->start, n);
	src->start += n;
	src->pos += n;
	return n;
}

/* Read @len bytes; fewer only at the end of the file, -1 with errno. */
ssize_t source_read(struct source *src, void *dst, size_t len)
{
	unsigned char *p = dst;
	size_t done = take_buffered(src, p, len);
	ssize_t n;

	while (done < len) {
		bool direct = src->exact || len - done >= READ_AHEAD;

		if (direct)
			n = read_some(src, p + done, len - done);
		else
			n = read_some(src, src->buf, READ_AHEAD);
		if (n < 0)
			return -1;
		if (!n)
			break;
		if (direct) {
			src->pos += n;
			done += n;
		} else {
			src->start = 0;
			src->end = n;
			done += take_buffered(src, p + done, len - done);
		}
	}
	return done;
}

/* Skip @len bytes: 1 done, 0 there are not as many, -1 with errno. */
ssize_t source_skip(struct source *src, __u64 len)
{
	unsigned char scratch[4096];
	ssize_t n;

	if (src->seekable) {
		size_t ahead = src->end - src->start;

		if (src->size >= 0 &&
		    len > (__u64)(src->size - src->base) - src->pos)
			return 0;
		if (len <= ahead) {
			src->start += len;
		} else {
			src->start = 0;
			src->end = 0;
		}
		src->pos += len;
		return 1;
	}
	while (len) {
		size_t want = len < sizeof(scratch) ? len : sizeof(scratch);

		n = source_read(src, scratch, want);
		if (n < 0)
			return -1;
		if ((size_t)n < want)
			return 0;
		len -= want;
	}
	return 1;
}
