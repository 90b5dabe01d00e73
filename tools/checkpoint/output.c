// SPDX-License-Identifier: GPL-2.0
/*
 * A file that bears its name only once it is complete: written under a
 * temporary name, synced, renamed, the directory synced.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "util.h"

#define TRIES	100

static int open_tmp(struct output *out, unsigned int mode)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char rnd[6];
	unsigned int i, k;

	for (i = 0; i < TRIES; i++) {
		char suffix[sizeof(rnd) + 1] = "";

		if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
			return -1;
		for (k = 0; k < sizeof(rnd); k++)
			suffix[k] = set[rnd[k] % (sizeof(set) - 1)];
		/* The long name is cut, so that the temporary one fits. */
		snprintf(out->tmp, sizeof(out->tmp), ".%.240s.%s", out->name,
			 suffix);
		out->fd = openat(out->dir, out->tmp,
				 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (out->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	out->tmp[0] = 0;
	return -1;
}

/* Split @full into directory and name and open the directory. */
static int open_dir(struct output *out, const char *full)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(full, '/');

	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else if (slash == full)
		snprintf(dir, sizeof(dir), "/");
	else if (slash - full < PATH_MAX)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - full), full);
	else
		goto too_long;
	slash = slash ? slash + 1 : full;
	if (strlen(slash) >= sizeof(out->name))
		goto too_long;
	snprintf(out->name, sizeof(out->name), "%s", slash);
	if (!*slash) {
		errno = EISDIR;
		return -1;
	}
	out->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->dir < 0 ? -1 : 0;

too_long:
	errno = ENAMETOOLONG;
	return -1;
}

int output_open(struct output *out, const char *path, unsigned int mode)
{
	char *full = NULL;
	struct stat st;
	int ret;

	*out = (struct output){ .fd = -1, .dir = -1, .path = path };
	if (!stat(path, &st)) {
		if (S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			goto fail;
		}
		if (!S_ISREG(st.st_mode)) {
			out->fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
			if (out->fd < 0)
				goto fail;
			return 0;
		}
		/* A symbolic link stays; what it names is replaced. */
		full = realpath(path, NULL);
		if (!full)
			goto fail;
	}
	ret = open_dir(out, full ? full : path);
	if (!ret)
		ret = open_tmp(out, mode);
	free(full);
	if (!ret)
		return 0;
fail:
	msg("cannot write %s: %s", path, strerror(errno));
	return -1;
}

int output_sync(struct output *out)
{
	if (!out->tmp[0] || !fsync(out->fd))
		return 0;
	msg("%s could not be written to the disk: %s", out->path,
	    strerror(errno));
	return -1;
}

int output_publish(struct output *out)
{
	if (!out->tmp[0])
		return 0;
	if (renameat(out->dir, out->tmp, out->dir, out->name)) {
		msg("cannot rename the temporary file to %s: %s", out->path,
		    strerror(errno));
		return -1;
	}
	out->tmp[0] = 0;
	if (!fsync(out->dir))
		return 0;
	msg("%s is complete, but its directory could not be written to the disk: %s",
	    out->path, strerror(errno));
	return -1;
}

void output_discard(struct output *out)
{
	if (out->tmp[0])
		unlinkat(out->dir, out->tmp, 0);
	out->tmp[0] = 0;
}
