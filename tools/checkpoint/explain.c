// SPDX-License-Identifier: GPL-2.0
/* What an errno of checkpoint() or restart() means, and what to do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "util.h"

/**
 * struct reason - the words for an errno
 * @err: errno
 * @what: what is wrong
 * @todo: what the user can do about it, or NULL
 */
struct reason {
	int err;
	const char *what;
	const char *todo;
};

static const struct reason checkpoint_reasons[] = {
	{ ENOSYS, "this kernel has no checkpoint()",
	  "boot a kernel that was built with CONFIG_CHECKPOINT" },
	{ EPERM, "you may not trace this process",
	  "run as its owner, or with CAP_SYS_PTRACE (as root)" },
	{ ESRCH, "there is no such process, or it exited meanwhile",
	  "look it up with ps(1); a pid counts in your own pid namespace" },
	{ EBUSY, "it is being checkpointed by someone else",
	  "try again when that has finished" },
	{ EDEADLK, "only the process that is to be saved reads the output",
	  "write to a file, or to a pipe that somebody else reads" },
	{ EOPNOTSUPP, "it uses something that cannot be saved yet",
	  "--check lists everything that stands in the way" },
	{ ETIMEDOUT, "it did not come to a halt in time",
	  "it waits in the kernel, for a disk or a network file system; try a longer --timeout" },
	{ EINTR, "interrupted; the process goes on", NULL },
	{ EINVAL, "the kernel does not take these options or this output",
	  "write to a file, a pipe or a socket; is the kernel older than this program?" },
	{ E2BIG, "the kernel is older than this program", NULL },
	{ EBADF, "the output is not open for writing", NULL },
	{ ENOSPC, "no space is left where the image goes",
	  "free some space, or write elsewhere" },
	{ EDQUOT, "the disk quota is used up where the image goes",
	  "free some space, or write elsewhere" },
	{ EFBIG, "the image is larger than a file may be here",
	  "look at ulimit -f and at the limits of the file system" },
	{ EPIPE, "the reader of the output has gone", NULL },
	{ EIO, "the image could not be written (input/output error)",
	  "look at dmesg(1) for what the disk said" },
	{ ENOMEM, "not enough memory for the metadata of the image",
	  "free some memory, or look at the memory limit of the control group" },
};

static const struct reason restart_reasons[] = {
	{ ENOSYS, "this kernel has no restart()",
	  "boot a kernel that was built with CONFIG_CHECKPOINT" },
	{ EPERM, "you may not have what the image asks for",
	  "restart as the user who ran the program, or as root" },
	{ EACCES, "a file of the program may not be opened",
	  "check its permissions, or give a replacement with --inherit-fd" },
	{ EBADMSG, "the image is damaged or cut short",
	  "ckptinfo --verify says where; use another copy" },
	{ ENOEXEC, "this is not a checkpoint image", NULL },
	{ EPROTONOSUPPORT, "the image was made by a newer kernel",
	  "use a kernel that is at least as new as the one that ckptinfo shows" },
	{ EOPNOTSUPP, "the image holds something that cannot be rebuilt here",
	  NULL },
	{ ESTALE, "a file is not what it was when the program was saved",
	  "bring the old file back, or accept the difference with --force-files" },
	{ ENOENT, "a file or directory of the program is gone",
	  "bring it back, or give a replacement with --inherit-fd" },
	{ ENODEV, "the CPU lacks a feature that the program may use",
	  "restart on a machine whose CPU has the features of the old one" },
	{ EBUSY, "the restarting process shares what must be its own", NULL },
	{ EINVAL, "the image breaks a rule of the format, or an option is unknown",
	  "ckptinfo --verify checks the image" },
	{ E2BIG, "the kernel is older than this program", NULL },
	{ EBADF, "the image cannot be read from this descriptor", NULL },
	{ EINTR, "interrupted; nothing is left behind", NULL },
	{ ECANCELED, "a process of the tree could not be created", NULL },
	{ ECHILD, "a new process was killed", NULL },
	{ ETIMEDOUT, "a process of the tree was not created in time", NULL },
	{ ENOMEM, "not enough memory",
	  "free some memory, or look at the memory limit of the control group" },
	{ EIO, "the image could not be read (input/output error)",
	  "look at dmesg(1) for what the disk said" },
};

static const struct reason *find(const struct reason *r, size_t nr, int err)
{
	for (; nr--; r++)
		if (r->err == err)
			return r;
	return NULL;
}

static void explain(const struct reason *r, int err, const char *subject,
		    const char *see)
{
	msg("%s: %s%s%s", subject, r ? r->what : strerror(err),
	    see ? "; see " : "", see ? see : "");
	if (r && r->todo)
		msg("%s", r->todo);
}

void explain_checkpoint(int err, const char *task, const char *output,
			const char *see)
{
	char subject[512];

	if (output)
		snprintf(subject, sizeof(subject),
			 "process %s was not saved to %.300s", task, output);
	else
		snprintf(subject, sizeof(subject),
			 "process %s cannot be saved", task);
	explain(find(checkpoint_reasons, ARRAY_SIZE(checkpoint_reasons), err),
		err, subject, see);
}

void explain_restart(int err, const char *image, const char *see)
{
	char subject[512];

	snprintf(subject, sizeof(subject), "%.400s was not restarted", image);
	explain(find(restart_reasons, ARRAY_SIZE(restart_reasons), err), err,
		subject, see);
}
