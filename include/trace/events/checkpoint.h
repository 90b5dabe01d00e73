/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM checkpoint

#if !defined(_TRACE_CHECKPOINT_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_CHECKPOINT_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

/*
 * Steps of checkpoint() and restart(), in their order. Each is a point at which
 * tests kill one of those concerned.
 */
#define CKPT_STAGES				\
	EM(FREEZE,		"freeze")	\
	EM(FROZEN,		"frozen")	\
	EM(CHECKED,		"checked")	\
	EM(CAPTURED,		"captured")	\
	EM(META_WRITTEN,	"meta-written")	\
	EM(PAYLOAD_WRITTEN,	"payload-written") \
	EM(WRITTEN,		"written")	\
	EM(THAW,		"thaw")		\
	EM(META_READ,		"meta-read")	\
	EM(CHECKED_IMAGE,	"checked-image") \
	EM(OBJECTS,		"objects")	\
	EM(MAPPED,		"mapped")	\
	EM(PAYLOAD_READ,	"payload-read")	\
	EM(VERIFIED,		"verified")	\
	EMe(COMMITTED,		"committed")

#ifndef _CKPT_STAGE_ENUM
#define _CKPT_STAGE_ENUM
#undef EM
#undef EMe
#define EM(a, b)	CKPT_STAGE_##a,
#define EMe(a, b)	CKPT_STAGE_##a, CKPT_STAGE_NR
enum ckpt_stage { CKPT_STAGES };
#undef EM
#undef EMe
#endif

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(CKPT_STAGE_##a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(CKPT_STAGE_##a);
CKPT_STAGES
#undef EM
#undef EMe

#define EM(a, b)	{ CKPT_STAGE_##a, b },
#define EMe(a, b)	{ CKPT_STAGE_##a, b }

DECLARE_EVENT_CLASS(ckpt_stage_class,
	TP_PROTO(struct task_struct *t, enum ckpt_stage stage),
	TP_ARGS(t, stage),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(int, stage)
	),
	TP_fast_assign(
		__entry->pid = t->pid;
		__entry->stage = stage;
	),
	TP_printk("pid=%d stage=%s", __entry->pid,
		  __print_symbolic(__entry->stage, CKPT_STAGES))
);

DEFINE_EVENT(ckpt_stage_class, checkpoint_stage,
	TP_PROTO(struct task_struct *t, enum ckpt_stage stage),
	TP_ARGS(t, stage));

DEFINE_EVENT(ckpt_stage_class, restart_stage,
	TP_PROTO(struct task_struct *t, enum ckpt_stage stage),
	TP_ARGS(t, stage));

#endif /* _TRACE_CHECKPOINT_H */

#include <trace/define_trace.h>
