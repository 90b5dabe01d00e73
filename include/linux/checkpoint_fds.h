/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What open files keep in structs of their owners, for checkpoint/restart. The
 * functions stand in fs/..._ckpt.c, which the owner includes.
 */
#ifndef _LINUX_CHECKPOINT_FDS_H
#define _LINUX_CHECKPOINT_FDS_H

#include <linux/err.h>
#include <linux/path.h>
#include <linux/signal_types.h>
#include <linux/types.h>

struct dentry;
struct file;
struct fsnotify_group;
struct inode;
struct mm_struct;
struct pid;
struct sighand_struct;

/**
 * struct ckpt_eventfd - an eventfd
 * @count: its counter
 * @flags: EFD_SEMAPHORE
 */
struct ckpt_eventfd {
	u64 count;
	unsigned int flags;
};

/**
 * struct ckpt_timerfd - a timerfd
 * @clock: CLOCK_*
 * @settime_flags: TFD_TIMER_* that it was last set with
 * @ticks: expirations that were counted and not read
 * @interval: in ns
 * @value: time left in ns, KTIME_MAX: for ever; if it was set to an absolute
 *	time of CLOCK_REALTIME that time
 * @offset: what CLOCK_REALTIME is ahead of CLOCK_MONOTONIC
 * @armed: the deadline is still to come
 * @expired: it has come and was not read, so that an interval rests
 * @cancelable: it tells when CLOCK_REALTIME is set
 * @canceled: the clock was set, and it has still to tell
 */
struct ckpt_timerfd {
	int clock;
	unsigned int settime_flags;
	u64 ticks;
	s64 interval;
	s64 value;
	s64 offset;
	bool armed;
	bool expired;
	bool cancelable;
	bool canceled;
};

/**
 * struct ckpt_epoll - an epoll
 * @nr_items: number of items
 * @busy_poll_usecs: see EPIOCSPARAMS
 * @busy_poll_budget: likewise
 * @prefer_busy_poll: likewise
 */
struct ckpt_epoll {
	unsigned long nr_items;
	u32 busy_poll_usecs;
	u32 busy_poll_budget;
	u32 prefer_busy_poll;
};

/**
 * struct ckpt_epitem - an item of an epoll
 * @file: what it watches
 * @fd: the descriptor that it was added by
 * @events: EPOLL*
 * @data: of the program
 * @sighand: of a signalfd: handlers of the process whose signals it waits for,
 *	to be compared only; NULL: it is no more
 * @ready: it has still to be told
 */
struct ckpt_epitem {
	struct file *file;
	int fd;
	__poll_t events;
	u64 data;
	struct sighand_struct *sighand;
	bool ready;
};

/**
 * struct ckpt_proc - an open file, directory or location of proc
 * @pid: of the task that it is of, or NULL
 * @mm: of maps and the like: the address space that it shows, or NULL; both to be
 *	compared only
 * @thread: it lies below .../task
 * @of_fd: its name is that of a descriptor or mapping of the task
 */
struct ckpt_proc {
	struct pid *pid;
	struct mm_struct *mm;
	bool thread;
	bool of_fd;
};

/**
 * struct ckpt_watch - what an inotify watches
 * @inode: what is watched
 * @wd: watch descriptor
 * @mask: IN_*
 */
struct ckpt_watch {
	struct inode *inode;
	int wd;
	u32 mask;
};

/**
 * struct ckpt_watch_event - what an inotify has still to tell
 * @wd: watch descriptor
 * @mask: IN_*
 * @on_child: it is of a file and told by its directory
 * @cookie: the same for both events of a rename()
 * @name: not ended by a NUL
 * @name_len: its length
 */
struct ckpt_watch_event {
	int wd;
	u32 mask;
	bool on_child;
	u32 cookie;
	const char *name;
	u32 name_len;
};

/**
 * struct ckpt_fanotify - a fanotify group
 * @flags: FAN_* of fanotify_init()
 * @event_f_flags: O_* of what events open
 * @unpriv: it was made without CAP_SYS_ADMIN
 * @nr_events: what it has still to tell
 */
struct ckpt_fanotify {
	u32 flags;
	u32 event_f_flags;
	bool unpriv;
	u32 nr_events;
};

/**
 * struct ckpt_fan_mark - what a fanotify group watches
 * @inode: an inode with a reference; NULL: it is just being deleted, or @obj counts
 * @obj: the mount or file system, to be compared only
 * @flags: FAN_MARK_INODE, MOUNT or FILESYSTEM; IGNORED_SURV_MODIFY, EVICTABLE, IGNORE
 * @mask: FAN_*
 * @ignore_mask: FAN_* that are not told
 */
struct ckpt_fan_mark {
	struct inode *inode;
	const void *obj;
	u32 flags;
	u32 mask;
	u32 ignore_mask;
};

/**
 * struct ckpt_fan_fh - a file handle
 * @buf: its bytes
 * @len: their number, 0: there is none
 * @type: its type
 */
struct ckpt_fan_fh {
	const void *buf;
	u8 len;
	u8 type;
};

/**
 * struct ckpt_fan_event - what a fanotify group has still to tell
 * @kind: CKPT_FANOTIFY_*
 * @mask: FAN_*
 * @pid: who did it, or NULL
 * @path: of CKPT_FANOTIFY_PATH
 * @fsid: of the handles
 * @object: the file
 * @dir: the directory that has @name
 * @dir2: the directory that has @name2
 * @name: not ended by a NUL
 * @name2: likewise
 * @name_len: its length
 * @name2_len: likewise
 * @error: of CKPT_FANOTIFY_ERROR
 * @err_count: likewise
 */
struct ckpt_fan_event {
	u32 kind;
	u32 mask;
	struct pid *pid;
	struct path path;
	__kernel_fsid_t fsid;
	struct ckpt_fan_fh object;
	struct ckpt_fan_fh dir;
	struct ckpt_fan_fh dir2;
	const char *name;
	const char *name2;
	u16 name_len;
	u16 name2_len;
	s32 error;
	u32 err_count;
};

bool ckpt_inotify_get(struct file *file, u32 *next_wd);
int ckpt_inotify_watches(struct file *file, struct ckpt_watch **watches, u32 *nr);
void ckpt_inotify_events(struct file *file,
			 void (*fn)(void *arg, const struct ckpt_watch_event *e),
			 void *arg);
struct file *ckpt_inotify_make(void);
void ckpt_inotify_set_next(struct file *file, u32 next_wd);
int ckpt_inotify_add(struct file *file, struct inode *inode, int wd);
void ckpt_inotify_enable(struct file *file, int wd, u32 mask);
int ckpt_inotify_queue(struct file *file, const struct ckpt_watch_event *e);
#ifdef CONFIG_FANOTIFY
bool ckpt_fanotify_get(struct file *file, struct ckpt_fanotify *state);
int ckpt_fanotify_marks(struct file *file, struct ckpt_fan_mark **marks, u32 *nr);
struct file *ckpt_fanotify_make(const struct ckpt_fanotify *state);
int ckpt_fanotify_add(struct file *file, const struct path *path,
		      const struct ckpt_fan_mark *m);
void ckpt_fanotify_start(struct file *file);
int ckpt_fanotify_events(struct file *file, struct ckpt_fan_event **events, u32 *nr);
bool ckpt_fanotify_has_fsid(struct file *file, const __kernel_fsid_t *fsid);
int ckpt_fanotify_queue(struct file *file, const struct ckpt_fan_event *e);
int ckpt_fanotify_insert(struct fsnotify_group *group, const struct ckpt_fan_event *e);
#else
static inline bool ckpt_fanotify_get(struct file *file, struct ckpt_fanotify *state)
{
	return false;
}

static inline int ckpt_fanotify_marks(struct file *file, struct ckpt_fan_mark **marks,
				      u32 *nr)
{
	return -EOPNOTSUPP;
}

static inline struct file *ckpt_fanotify_make(const struct ckpt_fanotify *state)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline int ckpt_fanotify_add(struct file *file, const struct path *path,
				    const struct ckpt_fan_mark *m)
{
	return -EOPNOTSUPP;
}

static inline void ckpt_fanotify_start(struct file *file)
{
}

static inline int ckpt_fanotify_events(struct file *file, struct ckpt_fan_event **events,
				       u32 *nr)
{
	return -EOPNOTSUPP;
}

static inline bool ckpt_fanotify_has_fsid(struct file *file, const __kernel_fsid_t *fsid)
{
	return false;
}

static inline int ckpt_fanotify_queue(struct file *file, const struct ckpt_fan_event *e)
{
	return -EOPNOTSUPP;
}
#endif
bool ckpt_proc_get(struct file *file, struct ckpt_proc *state);
void ckpt_proc_set_mm(struct file *file, struct mm_struct *mm);
struct file *ckpt_take_fd(int fd);
#ifdef CONFIG_DNOTIFY
bool ckpt_has_dnotify(struct file *file);
#else
static inline bool ckpt_has_dnotify(struct file *file)
{
	return false;
}
#endif
bool ckpt_eventfd_get(struct file *file, struct ckpt_eventfd *state);
struct file *ckpt_eventfd_make(const struct ckpt_eventfd *state);
bool ckpt_timerfd_get(struct file *file, struct ckpt_timerfd *state);
struct file *ckpt_timerfd_make(const struct ckpt_timerfd *state);
void ckpt_timerfd_start(struct file *file, const struct ckpt_timerfd *state);
bool ckpt_signalfd_get(struct file *file, sigset_t *mask);
struct file *ckpt_signalfd_make(const sigset_t *mask);
bool ckpt_epoll_get(struct file *file, struct ckpt_epoll *state);
struct file *ckpt_epoll_make(void);
int ckpt_epoll_set(struct file *file, const struct ckpt_epoll *state);
int ckpt_epoll_walk(struct file *file,
		    int (*fn)(void *arg, const struct ckpt_epitem *item),
		    void *arg);
int ckpt_epoll_add(struct file *file, const struct ckpt_epitem *item);
void ckpt_epoll_enable(struct file *file, const struct ckpt_epitem *item);
void ckpt_epoll_recheck(struct file *file, const struct ckpt_epitem *item);
int ckpt_dentry_rename(struct dentry *dentry, const char *name);

#endif /* _LINUX_CHECKPOINT_FDS_H */
