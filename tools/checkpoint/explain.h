/* SPDX-License-Identifier: GPL-2.0 */
/* What an errno of checkpoint() or restart() means, and what to do. */
#ifndef _CKPT_TOOLS_EXPLAIN_H
#define _CKPT_TOOLS_EXPLAIN_H

/**
 * explain_checkpoint - say why checkpoint() failed
 * @err: the errno
 * @task: the process, as task_name() names it
 * @output: where the image was to go, NULL if nowhere
 * @see: where the kernel's own lines stand, NULL if there are none
 */
void explain_checkpoint(int err, const char *task, const char *output,
			const char *see);

/**
 * explain_restart - say why restart() failed
 * @err: the errno
 * @image: where the image came from
 * @see: where the kernel's own lines stand, NULL if there are none
 */
void explain_restart(int err, const char *image, const char *see);

#endif /* _CKPT_TOOLS_EXPLAIN_H */
