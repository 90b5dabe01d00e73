// SPDX-License-Identifier: GPL-2.0
/*
 * Kill points: a process is killed at a given step of a checkpoint or restart.
 *
 *	echo 'captured 412' >/sys/kernel/debug/checkpoint/kill
 *	echo 'captured 412 3' >/sys/kernel/debug/checkpoint/kill
 *
 * sends SIGKILL to process 412 when any task comes to that step, or comes there
 * for the third time. Reading shows how often the step must still be met: 0
 * says that the signal was sent. The steps are those of the events
 * checkpoint_stage and restart_stage. There is one kill point at a time; an
 * empty line takes it away.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <trace/events/checkpoint.h>

#include "checkpoint.h"

#undef EM
#undef EMe
#define EM(a, b)	[CKPT_STAGE_##a] = b,
#define EMe(a, b)	[CKPT_STAGE_##a] = b,
static const char *const ckpt_stage_names[] = { CKPT_STAGES };
#undef EM
#undef EMe

static DEFINE_SPINLOCK(ckpt_kill_lock); /* protects ckpt_kill */
static struct {
	struct pid *pid;
	int stage;
	unsigned int left;
} ckpt_kill;

static void ckpt_kill_probe(void *data, struct task_struct *t,
			    enum ckpt_stage stage)
{
	struct pid *pid = NULL;

	spin_lock(&ckpt_kill_lock);
	if (ckpt_kill.left && ckpt_kill.stage == stage && !--ckpt_kill.left)
		pid = get_pid(ckpt_kill.pid);
	spin_unlock(&ckpt_kill_lock);
	if (pid) {
		kill_pid(pid, SIGKILL, 1);
		put_pid(pid);
	}
}

static void ckpt_kill_set(struct pid *pid, int stage, unsigned int left)
{
	spin_lock(&ckpt_kill_lock);
	swap(ckpt_kill.pid, pid);
	ckpt_kill.stage = stage;
	ckpt_kill.left = left;
	spin_unlock(&ckpt_kill_lock);
	put_pid(pid);
}

static ssize_t ckpt_kill_write(struct file *file, const char __user *ubuf,
			       size_t len, loff_t *ppos)
{
	unsigned int left = 1;
	char buf[64], name[32];
	struct pid *pid;
	int stage, nr;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = 0;
	if (!*strim(buf)) {
		ckpt_kill_set(NULL, 0, 0);
		return len;
	}
	if (sscanf(buf, "%31s %d %u", name, &nr, &left) < 2 || !left)
		return -EINVAL;
	stage = match_string(ckpt_stage_names, ARRAY_SIZE(ckpt_stage_names),
			     name);
	if (stage < 0)
		return -EINVAL;
	pid = find_get_pid(nr);
	if (!pid)
		return -ESRCH;
	ckpt_kill_set(pid, stage, left);
	return len;
}

static ssize_t ckpt_kill_read(struct file *file, char __user *ubuf, size_t len,
			      loff_t *ppos)
{
	char buf[16];
	int n = scnprintf(buf, sizeof(buf), "%u\n", READ_ONCE(ckpt_kill.left));

	return simple_read_from_buffer(ubuf, len, ppos, buf, n);
}

static const struct file_operations ckpt_kill_fops = {
	.owner = THIS_MODULE,
	.read = ckpt_kill_read,
	.write = ckpt_kill_write,
};

static int __init ckpt_test_init(void)
{
	struct dentry *dir;
	int ret;

	ret = register_trace_checkpoint_stage(ckpt_kill_probe, NULL);
	if (ret)
		return ret;
	ret = register_trace_restart_stage(ckpt_kill_probe, NULL);
	if (ret) {
		unregister_trace_checkpoint_stage(ckpt_kill_probe, NULL);
		return ret;
	}
	dir = debugfs_create_dir("checkpoint", NULL);
	debugfs_create_file("kill", 0600, dir, NULL, &ckpt_kill_fops);
	return 0;
}
late_initcall(ckpt_test_init);
