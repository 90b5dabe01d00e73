// SPDX-License-Identifier: GPL-2.0
/*
 * Images that go to a disk and come from it past the page cache: the file is
 * open with O_DIRECT. The page cache tells whether it was so.
 */
#include "maps.h"

#define IMAGE		DIRECTORY "/image"
#define PAGES		1000

/* ---- in the program ------------------------------------------------------ */

static char *mem;

static void memory_set(void)
{
	mem = mm_anon(PAGES);
	mm_put(mem, PAGES);
}

static void memory_check(void)
{
	MUST(mm_is_put(mem, PAGES));
}

static const struct program memory = { memory_set, memory_check };

/* ---- in the test ----------------------------------------------------------- */

static off_t image_size(void)
{
	struct stat st;

	return stat(IMAGE, &st) ? -1 : st.st_size;
}

/* Pages of the image that are in memory. */
static size_t cached(void)
{
	size_t i, size = image_size(), nr = 0;
	unsigned char in[2 * PAGES];
	int fd = open(IMAGE, O_RDWR | O_CLOEXEC);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	if (p == MAP_FAILED || size > sizeof(in) * PAGE || mincore(p, size, in))
		return -1;
	for (i = 0; i < size; i += PAGE)
		nr += in[i / PAGE] & 1;
	munmap(p, size);
	return nr;
}

static bool forget(void)
{
	int fd = open(IMAGE, O_RDWR | O_CLOEXEC);
	bool ok = !fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	close(fd);
	return ok && !cached();
}

static int open_image(int flags, off_t at)
{
	int fd = open(IMAGE, flags | O_CLOEXEC, 0600);

	return fd >= 0 && lseek(fd, at, SEEK_SET) == at ? fd : -1;
}

/* Saves to a new file from @at on; the position is behind the image then. */
static long save(pid_t pid, int flags, off_t at, unsigned long how)
{
	int out = open_image(O_WRONLY | O_CREAT | O_TRUNC | flags, at);
	long ret = ckpt_save_fd(pid, out, how, NULL);

	if (ret > 0 && lseek(out, 0, SEEK_CUR) != image_size())
		ret = -ERANGE;
	close(out);
	return ret;
}

static pid_t restart(pid_t pid, int flags, off_t at)
{
	int in = open_image(O_RDONLY | flags, at);
	pid_t ret = ckpt_restart_fd_opts(in, pid, 0, NULL, 0);

	close(in);
	return ret;
}

FIXTURE(direct)
{
	pid_t pid;
};

/* Where in the file the image starts; is payload direct then? */
FIXTURE_VARIANT(direct)
{
	int save;
	int restart;
	off_t at;
	bool saved;
	bool restored;
};

#define DIRECT(name, ...)						\
	FIXTURE_VARIANT_ADD(direct, name) { __VA_ARGS__ }

DIRECT(cached, 0, 0, 0, false, false);
DIRECT(both, O_DIRECT, O_DIRECT, 0, true, true);
DIRECT(save, O_DIRECT, 0, 0, true, false);
DIRECT(restart, 0, O_DIRECT, 0, false, true);
DIRECT(at_a_page, O_DIRECT, O_DIRECT, 3 * PAGE, true, true);
DIRECT(at_a_block, O_DIRECT, O_DIRECT, 512, false, false);
DIRECT(at_any_byte, O_DIRECT, O_DIRECT, 4097, false, false);
DIRECT(appended, O_DIRECT | O_APPEND, O_DIRECT, 0, false, true);

FIXTURE_SETUP(direct)
{
	begin(_metadata);
	ASSERT_TRUE(mount_disk());
	self->pid = start_program(_metadata, &memory);
}

FIXTURE_TEARDOWN(direct)
{
	end(self->pid);
	umount_disk();
}

/* The end of an image may be in the page cache: it fills no block. */
static bool is_cached(bool payload)
{
	return payload ? cached() > PAGES : cached() <= 1;
}

TEST_F(direct, comes_back)
{
	off_t size;

	ASSERT_LT(0, save(self->pid, 0, variant->at, 0)) {
		TH_LOG("%s", ckpt_log_text);
	}
	size = image_size();
	ASSERT_LT(variant->at + PAGES * PAGE, size);
	ASSERT_NE(0, size % PAGE);
	ASSERT_LT(0, save(self->pid, variant->save, variant->at,
			  CHECKPOINT_KILL)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_EQ(size, image_size());
	EXPECT_TRUE(is_cached(!variant->saved)) {
		TH_LOG("%zu pages", cached());
	}
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	if (!variant->at)
		EXPECT_EQ(0, system("ckptinfo --verify " IMAGE " >/dev/null"));

	ASSERT_TRUE(forget());
	ASSERT_EQ(self->pid, restart(self->pid, variant->restart, variant->at)) {
		TH_LOG("%s", ckpt_log_text);
	}
	EXPECT_TRUE(is_cached(!variant->restored)) {
		TH_LOG("%zu pages", cached());
	}
	ends_well(_metadata, &self->pid);
}

/* What is behind the last page that there is of it. */
TEST_F(direct, cut_short)
{
	off_t size;

	ASSERT_LT(0, save(self->pid, variant->save, variant->at,
			  CHECKPOINT_KILL));
	ASSERT_EQ(256 + SIGKILL, ckpt_wait(self->pid, 5000));
	size = image_size();
	ASSERT_EQ(0, truncate(IMAGE, size - 8));
	EXPECT_EQ(-EBADMSG, restart(self->pid, variant->restart, variant->at));
	ASSERT_EQ(0, truncate(IMAGE, size / 2 / PAGE * PAGE));
	EXPECT_EQ(-EBADMSG, restart(self->pid, variant->restart, variant->at));
	ASSERT_EQ(0, truncate(IMAGE, size / 2 / PAGE * PAGE + 1000));
	EXPECT_EQ(-EBADMSG, restart(self->pid, variant->restart, variant->at));
	self->pid = 0;
}

TEST_HARNESS_MAIN
