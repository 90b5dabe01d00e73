// SPDX-License-Identifier: GPL-2.0
/*
 * FIFOs: what they hold, who has which end, who waits for the other one; and at
 * restart what others have made of them. Then those that were deleted while they
 * are open.
 */
#include "tree_program.h"

#include <grp.h>
#include <sys/statvfs.h>

#define FIFO	DIRECTORY "/fifo"
#define OTHER	DIRECTORY "/other"

/* ---- in the program ---------------------------------------------------------- */

static int in, out, child;
static bool deleted;

/* It has its ends: no name is needed any more. */
static void made(void)
{
	if (deleted)
		MUST(!unlink(FIFO));
}

static void make_fifo(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDONLY | O_NONBLOCK);
	out = open(FIFO, O_WRONLY);
	MUST(in >= 0 && out >= 0);
	made();
}

/* By its name, or by an end of it. */
static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(deleted ? path : FIFO, flags);
}

static bool reads(int fd, const char *text)
{
	char buf[64] = "";
	ssize_t n = read(fd, buf, strlen(text));

	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static short polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	MUST(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void set_contents(void)
{
	make_fifo();
	MUST(fcntl(out, F_SETPIPE_SZ, 131072) == 131072);
	MUST(write(out, "hello world", 11) == 11);
}

static void check_contents(void)
{
	char c;

	/* O_LARGEFILE is none of a C library for 64 bit. */
	MUST((fcntl(in, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK));
	MUST((fcntl(out, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_WRONLY);
	MUST(fcntl(in, F_GETPIPE_SZ) == 131072);
	MUST(reads(in, "hello") && reads(in, " world"));
	MUST(read(in, &c, 1) < 0 && errno == EAGAIN);
	MUST(write(out, "more", 4) == 4 && reads(in, "more"));
	close(out);
	MUST(!read(in, &c, 1));
}

static void set_both(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDWR);
	MUST(in >= 0 && write(in, "hello", 5) == 5);
	made();
}

static void check_both(void)
{
	MUST((fcntl(in, F_GETFL) & O_ACCMODE) == O_RDWR);
	MUST(reads(in, "hello") && write(in, "x", 1) == 1 && reads(in, "x"));
}

/* Waits until its parent opens it for writing. */
static void open_to_read(void)
{
	in = open(FIFO, O_RDONLY);
	MUST(in >= 0 && reads(in, "late"));
}

static void set_waiting_reader(void)
{
	MUST(!mkfifo(FIFO, 0600));
	child = start_child(open_to_read, SYS_openat);
}

static void check_waiting_reader(void)
{
	MUST(ckpt_wait_syscall(child, SYS_openat));
	out = open(FIFO, O_WRONLY);
	MUST(out >= 0 && write(out, "late", 4) == 4);
	collect(child, GOOD);
}

static void open_to_write(void)
{
	out = open(FIFO, O_WRONLY);
	MUST(out >= 0 && write(out, "late", 4) == 4);
}

static void set_waiting_writer(void)
{
	MUST(!mkfifo(FIFO, 0600));
	child = start_child(open_to_write, SYS_openat);
}

static void check_waiting_writer(void)
{
	in = open(FIFO, O_RDONLY);
	MUST(in >= 0 && reads(in, "late"));
	collect(child, GOOD);
}

static void read_late(void)
{
	MUST(reads(in, "late"));
}

static void set_reader_in_child(void)
{
	make_fifo();
	MUST(!fcntl(in, F_SETFL, 0));
	child = start_child(read_late, SYS_read);
	close(in);
}

static void check_reader_in_child(void)
{
	MUST(write(out, "late", 4) == 4);
	collect(child, GOOD);
	signal(SIGPIPE, SIG_IGN);
	MUST(write(out, "x", 1) < 0 && errno == EPIPE);
}

/* Nobody hangs up who has not come. */
static void set_no_writer_yet(void)
{
	MUST(!mkfifo(FIFO, 0600));
	in = open(FIFO, O_RDONLY | O_NONBLOCK);
	MUST(in >= 0 && !polled(in));
	made();
}

static void check_no_writer_yet(void)
{
	MUST(!polled(in));
	out = open_again(in, O_WRONLY);
	MUST(out >= 0 && !polled(in));
	close(out);
	MUST(polled(in) == POLLHUP);
}

static void set_writer_gone(void)
{
	make_fifo();
	MUST(write(out, "left", 4) == 4);
	close(out);
	MUST(polled(in) == (POLLIN | POLLHUP));
}

static void check_writer_gone(void)
{
	char c;

	MUST(polled(in) == (POLLIN | POLLHUP));
	MUST(reads(in, "left") && !read(in, &c, 1));
	MUST(polled(in) == POLLHUP);
}

static void set_reader_gone(void)
{
	make_fifo();
	close(in);
}

static void check_reader_gone(void)
{
	signal(SIGPIPE, SIG_IGN);
	MUST(polled(out) & POLLERR);
	MUST(write(out, "x", 1) < 0 && errno == EPIPE);
	/* And a new one may come. */
	in = open_again(out, O_RDONLY | O_NONBLOCK);
	MUST(in >= 0 && write(out, "new", 3) == 3 && reads(in, "new"));
}

#define MUCH	(128 * 1024)

/* It waits for room; each checkpoint ends the call with what it has written. */
static void write_much(void)
{
	static char text[MUCH];
	ssize_t n, sum;

	for (sum = 0; sum < MUCH; sum += n) {
		n = write(out, text, MUCH - sum);
		MUST(n > 0);
	}
}

static void set_writer_in_child(void)
{
	make_fifo();
	child = start_child(write_much, SYS_write);
	close(out);
}

static void check_writer_in_child(void)
{
	char text[4096];
	ssize_t n, sum = 0;

	MUST(!fcntl(in, F_SETFL, 0));
	while ((n = read(in, text, sizeof(text))) > 0)
		sum += n;
	MUST(!n && sum == MUCH);
	collect(child, GOOD);
}

/* ---- those without a name ------------------------------------------------------ */

static struct stat was;

/* Who owns it, by what is opened again the same way; times that no one else has. */
static void set_deleted(void)
{
	const struct timespec times[2] = { { 1000000, 5 }, { 2000000, 6 } };

	MUST(!mkfifo(FIFO, 0600) && !link(FIFO, OTHER));
	open_as(20, FIFO, O_RDONLY | O_NONBLOCK);
	open_as(21, OTHER, O_WRONLY);
	MUST(!fcntl(21, F_SETFL, O_DIRECT));
	open_as(22, FIFO, O_PATH);
	open_as(23, FIFO, O_RDWR | O_APPEND);
	MUST(dup2(20, 24) == 24);
	MUST(fcntl(20, F_SETPIPE_SZ, 8 * 4096) == 8 * 4096);
	MUST(write(21, "one", 3) == 3 && write(21, "two", 3) == 3);
	MUST(!fchown(20, 1000, 1001) && !fchmod(20, 0620));
	MUST(!futimens(20, times) && !unlink(FIFO) && !unlink(OTHER));
	MUST(!fstat(20, &was) && !was.st_nlink);
}

static bool same_inode(int a, int b)
{
	struct stat x, y;

	MUST(!fstat(a, &x) && !fstat(b, &y));
	return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static bool is_deleted(int fd)
{
	const char *name = fd_name(fd);

	return !strcmp(name, FIFO " (deleted)") || !strcmp(name, OTHER " (deleted)");
}

static void check_deleted(void)
{
	char text[16] = "";
	struct stat is;
	int fd;

	for (fd = 20; fd <= 24; fd++)
		MUST(is_deleted(fd) && same_inode(fd, 20));
	MUST(!fstat(22, &is) && S_ISFIFO(is.st_mode) && !is.st_nlink);
	MUST(is.st_mode == was.st_mode && is.st_dev == was.st_dev);
	MUST(is.st_uid == 1000 && is.st_gid == 1001 && is.st_size == was.st_size);
	MUST(is.st_mtim.tv_sec == 2000000 && is.st_mtim.tv_nsec == 6);
	MUST(is.st_atim.tv_sec == 1000000 && is.st_atim.tv_nsec == 5);
	MUST((fcntl(20, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK));
	MUST((fcntl(21, F_GETFL) & (O_ACCMODE | O_DIRECT)) == (O_WRONLY | O_DIRECT));
	MUST(fcntl(22, F_GETFL) & O_PATH);
	MUST((fcntl(23, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND));
	MUST(fcntl(20, F_GETPIPE_SZ) == 8 * 4096);
	/* Two packets. */
	MUST(read(24, text, sizeof(text)) == 3 && !strcmp(text, "one"));
	MUST(read(23, text, sizeof(text)) == 3 && !strcmp(text, "two"));
	/* What is only a place leads to it, too. */
	open_as(25, "/proc/self/fd/22", O_WRONLY);
	MUST(write(25, "x", 1) == 1 && read(20, text, 1) == 1 && *text == 'x');
	/* Each end as often as it was open. */
	close(25);
	close(23);
	close(21);
	MUST(!read(20, text, 1));
	MUST(access(FIFO, F_OK) && access(OTHER, F_OK));
}

/* Only the place of it: nobody has an end. */
static void set_place(void)
{
	MUST(!mkfifo(FIFO, 0600));
	open_as(22, FIFO, O_PATH);
	MUST(!unlink(FIFO));
}

static void check_place(void)
{
	MUST(is_deleted(22) && fcntl(22, F_GETFL) & O_PATH);
	open_as(23, "/proc/self/fd/22", O_RDWR);
	MUST(write(23, "x", 1) == 1 && same_inode(22, 23));
}

/* Its directory has gone, too, and somebody else has its name. */
static void set_directory(void)
{
	MUST(!mkdir(DIRECTORY "/d", 0700) && !mkfifo(DIRECTORY "/d/f", 0600));
	in = open(DIRECTORY "/d/f", O_RDWR);
	MUST(in >= 0 && write(in, "hello", 5) == 5);
	MUST(!unlink(DIRECTORY "/d/f") && !rmdir(DIRECTORY "/d"));
	MUST(fill(DIRECTORY "/d"));
}

static void check_directory(void)
{
	MUST(!strcmp(fd_name(in), DIRECTORY "/d/f (deleted)") && reads(in, "hello"));
	MUST(!unlink(DIRECTORY "/d"));
}

/* Another name lives: that leads to it. */
static void set_living_name(void)
{
	deleted = false;
	make_fifo();
	open_as(22, FIFO, O_PATH);
	MUST(!link(FIFO, OTHER) && !unlink(FIFO));
	MUST(write(out, "hello", 5) == 5);
}

static void check_living_name(void)
{
	struct stat st;

	MUST(!fstat(in, &st) && st.st_nlink == 1 && reads(in, "hello"));
	open_as(23, OTHER, O_WRONLY);
	MUST(same_inode(in, 22) && same_inode(in, 23));
	MUST(write(23, "x", 1) == 1 && reads(in, "x") && !unlink(OTHER));
}

/* ---- in the test ---------------------------------------------------------------- */

static void fifo_end(pid_t pid)
{
	end_tree(pid);
	umount_disk();
	deleted = false;
}

PROGRAM_FIXTURE(fifo, begin_tree_files, fifo_end);

FIXTURE_VARIANT(fifo)
{
	struct program program;
};

#define PROGRAM(name)				\
FIXTURE_VARIANT_ADD(fifo, name)			\
{						\
	.program = { set_##name, check_##name },	\
}

PROGRAM(contents);
PROGRAM(both);
PROGRAM(waiting_reader);
PROGRAM(waiting_writer);
PROGRAM(reader_in_child);
PROGRAM(writer_in_child);
PROGRAM(no_writer_yet);
PROGRAM(writer_gone);
PROGRAM(reader_gone);

TEST_F(fifo, comes_back)
{
	program_comes_back(_metadata, &self->pid, &variant->program);
}

TEST_F(fifo, goes_on)
{
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- those that were deleted --------------------------------------------------------- */

PROGRAM_FIXTURE(deleted, begin_tree, fifo_end);

FIXTURE_VARIANT(deleted)
{
	struct program program;
	const char *fs;
};

#define DELETED_ON(on, name)				\
FIXTURE_VARIANT_ADD(deleted, on##_##name)		\
{							\
	.program = { set_##name, check_##name },	\
	.fs = #on,					\
}

DELETED_ON(tmpfs, contents);
DELETED_ON(tmpfs, both);
DELETED_ON(tmpfs, no_writer_yet);
DELETED_ON(tmpfs, writer_gone);
DELETED_ON(tmpfs, reader_gone);
DELETED_ON(tmpfs, reader_in_child);
DELETED_ON(ext4, reader_in_child);
DELETED_ON(overlay, reader_in_child);
DELETED_ON(tmpfs, writer_in_child);
DELETED_ON(ext4, writer_in_child);
DELETED_ON(overlay, writer_in_child);
DELETED_ON(tmpfs, deleted);
DELETED_ON(ext4, deleted);
DELETED_ON(overlay, deleted);
DELETED_ON(tmpfs, place);
DELETED_ON(ext4, place);
DELETED_ON(overlay, place);
DELETED_ON(tmpfs, directory);
DELETED_ON(ext4, directory);
DELETED_ON(overlay, directory);
DELETED_ON(xfs, deleted);
DELETED_ON(btrfs, deleted);
DELETED_ON(tmpfs, living_name);
DELETED_ON(ext4, living_name);

static bool is_empty(const char *path)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "[ -z \"$(ls -A %s | grep -v lost+found)\" ]", path);
	return !system(cmd);
}

TEST_F(deleted, comes_back)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	deleted = true;
	ASSERT_TRUE(mount_any(variant->fs));
	program_comes_back(_metadata, &self->pid, &variant->program);
	EXPECT_TRUE(is_empty(DIRECTORY));
}

TEST_F(deleted, goes_on)
{
	if (!has_fs(variant->fs))
		SKIP(return, "the guest has no %s", variant->fs);
	deleted = true;
	ASSERT_TRUE(mount_any(variant->fs));
	program_goes_on(_metadata, &self->pid, &variant->program);
}

/* ---- what refuses ------------------------------------------------------------------ */

static const struct program contents = { set_contents, check_contents };

PROGRAM_FIXTURE(refused, begin_tree_files, end_tree_files);

TEST_F(refused, end_outside)
{
	char holder[64];
	const char *const words[] = { "shares its pipe with pid ", holder,
				      ", which is outside", NULL };
	int fd;

	snprintf(holder, sizeof(holder), "%d (", getpid());
	self->pid = start_program(_metadata, &contents);
	fd = open(FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(fd);
	kill_and_restart(_metadata, &self->pid, false);
	ends_well(_metadata, &self->pid);
}

/* Where it was is out of reach. */
TEST_F(refused, covered)
{
	static const char *const words[] = {
		"/d/f (deleted)", "its directory cannot be found again by its name", NULL
	};
	static const struct program p = { set_directory, check_directory };

	self->pid = start_program(_metadata, &p);
	ASSERT_EQ(0, mount("t", DIRECTORY, "tmpfs", 0, NULL));
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	ASSERT_EQ(0, umount2(DIRECTORY, MNT_DETACH));
	ends_well(_metadata, &self->pid);
}

/* A restart that may not make it, or where there is no room for it. */
PROGRAM_FIXTURE(not_made, begin_tree_files, fifo_end);

FIXTURE_VARIANT(not_made)
{
	bool (*with)(void);
	bool (*without)(void);
	void (*restarter)(void);
	int err;
	const char *what;
};

static bool remount(unsigned long flags, const char *options)
{
	return !mount(NULL, DIRECTORY, NULL, MS_REMOUNT | flags, options);
}

static bool read_only(void)
{
	return remount(MS_RDONLY, NULL);
}

static bool writable(void)
{
	return remount(0, NULL);
}

/* The directory is one, too. */
static bool no_room(void)
{
	ckpt_touch(OTHER);
	return remount(0, "nr_inodes=2");
}

static bool room(void)
{
	return !unlink(OTHER);
}

static bool as_it_is(void)
{
	return true;
}

static bool for_all(void)
{
	return !chmod(DIRECTORY, 0777);
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
	    setresuid(1000, 1000, 1000))
		_exit(99);
}

FIXTURE_VARIANT_ADD(not_made, read_only)
{
	read_only, writable, NULL, EROFS,
	"a FIFO without a name cannot be made in " DIRECTORY,
};

FIXTURE_VARIANT_ADD(not_made, no_room)
{
	no_room, room, NULL, ENOSPC,
	"a FIFO without a name cannot be made in " DIRECTORY,
};

FIXTURE_VARIANT_ADD(not_made, no_right)
{
	as_it_is, as_it_is, become_nobody, EACCES,
	"a FIFO without a name cannot be made in " DIRECTORY,
};

FIXTURE_VARIANT_ADD(not_made, not_the_owner)
{
	for_all, as_it_is, become_nobody, EPERM,
	" cannot belong to 0:0 as it did",
};

/* Saved by who may, with the rights of somebody else. */
static void set_nobodys(void)
{
	set_contents();
	become_nobody();
	MUST(!prctl(PR_SET_DUMPABLE, 1));
}

TEST_F(not_made, by_name)
{
	static const struct program p = { set_nobodys, check_contents };
	const char *const words[] = { "record INODE", FIFO, variant->what, NULL };
	struct statvfs before, after;
	int i;

	deleted = true;
	self->pid = start_program(_metadata, &p);
	ckpt_save_and_kill(_metadata, self->pid);
	chmod(CKPT_IMG, 0644);
	ASSERT_TRUE(variant->with());
	ASSERT_EQ(0, statvfs(DIRECTORY, &before));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-variant->err,
			  ckpt_restart_after(CKPT_IMG, self->pid, variant->restarter));
		EXPECT_TRUE(ckpt_log_says(words)) {
			TH_LOG("%s", ckpt_log_text);
		}
		ASSERT_EQ(0, statvfs(DIRECTORY, &after));
		EXPECT_EQ(before.f_ffree, after.f_ffree);
	}
	ASSERT_TRUE(variant->without());
	EXPECT_TRUE(is_empty(DIRECTORY));
	bring_back(_metadata, self->pid);
	ends_well(_metadata, &self->pid);
}

/* The call waits for another end by the name, as after SIGSTOP and SIGCONT. */
static void open_in_vain(void)
{
	MUST(open(FIFO, O_RDONLY) < 0 && errno == ENOENT);
}

static void set_waiting_open(void)
{
	MUST(!mkfifo(FIFO, 0600));
	child = start_child(open_in_vain, SYS_openat);
	MUST(!unlink(FIFO));
}

static void check_waiting_open(void)
{
	collect(child, GOOD);
}

PROGRAM_FIXTURE(waits, begin_tree_files, fifo_end);

TEST_F(waits, for_a_name_that_is_gone)
{
	static const struct program p = { set_waiting_open, check_waiting_open };

	program_comes_back(_metadata, &self->pid, &p);
}

static void gone(void)
{
	unlink(FIFO);
}

static void file_instead(void)
{
	unlink(FIFO);
	ckpt_touch(FIFO);
}

static int others = -1;

/* Somebody else uses it meanwhile. */
static void others_data(void)
{
	others = open(FIFO, O_RDWR | O_CLOEXEC);
	write(others, "theirs", 6);
}

static void link_instead(void)
{
	unlink(FIFO);
	symlink(DIRECTORY "/elsewhere", FIFO);
	mkfifo(DIRECTORY "/elsewhere", 0600);
}

FIXTURE(changed)
{
	pid_t pid;
};

FIXTURE_VARIANT(changed)
{
	void (*change)(void);
	int err;
	const char *words;
};

FIXTURE_VARIANT_ADD(changed, gone)
{
	gone, ENOENT, "cannot be opened again",
};

FIXTURE_VARIANT_ADD(changed, file)
{
	file_instead, ESTALE, "is of another type",
};

FIXTURE_VARIANT_ADD(changed, link)
{
	link_instead, ESTALE, "is of another type",
};

FIXTURE_VARIANT_ADD(changed, not_empty)
{
	others_data, EBUSY, "holds data of others",
};

FIXTURE_SETUP(changed)
{
	begin_tree_files(_metadata);
}

FIXTURE_TEARDOWN(changed)
{
	end_tree_files(self->pid);
}

/* Refused by name; once the FIFO is there again all is well. */
TEST_F(changed, by_name)
{
	const char *const words[] = { FIFO, variant->words, NULL };
	pid_t pid = start_program(_metadata, &contents);

	self->pid = pid;
	ckpt_save_and_kill(_metadata, pid);
	self->pid = 0;
	variant->change();
	EXPECT_EQ(-variant->err, ckpt_restart(CKPT_IMG, pid));
	EXPECT_TRUE(ckpt_log_says(words)) {
		TH_LOG("%s", ckpt_log_text);
	}
	close(others);
	unlink(FIFO);
	ASSERT_EQ(0, mkfifo(FIFO, 0600));
	bring_back(_metadata, pid);
	self->pid = pid;
	ends_well(_metadata, &self->pid);
}

TEST_HARNESS_MAIN
