/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/*
 * One trace event per arrow of the state table in abuse.h. Integers only, a form
 * that has not changed between kernels.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM abuse

#if !defined(ABUSE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ABUSE_TRACE_H

#include <linux/tracepoint.h>

#include "abuse.h"

DECLARE_EVENT_CLASS(abuse_request_class,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot),
	TP_ARGS(dev, slot),
	TP_STRUCT__entry(
		__field(u32, number)
		__field(u64, id)
		__field(u32, op)
		__field(u64, sector)
		__field(u32, bytes)
	),
	TP_fast_assign(
		__entry->number = dev->number;
		__entry->id = abuse_slot_id(dev, slot);
		__entry->op = abuse_rq_op(slot->rq);
		__entry->sector = blk_rq_pos(slot->rq);
		__entry->bytes = blk_rq_bytes(slot->rq);
	),
	TP_printk("abuse%u id=%llx op=%u sector=%llu bytes=%u",
		  __entry->number, __entry->id, __entry->op, __entry->sector,
		  __entry->bytes)
);

DEFINE_EVENT(abuse_request_class, abuse_queued,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot),
	TP_ARGS(dev, slot));

DEFINE_EVENT(abuse_request_class, abuse_handed_out,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot),
	TP_ARGS(dev, slot));

DEFINE_EVENT(abuse_request_class, abuse_requeued,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot),
	TP_ARGS(dev, slot));

DEFINE_EVENT(abuse_request_class, abuse_redirected,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot),
	TP_ARGS(dev, slot));

/* error: 0 or a positive errno */
TRACE_EVENT(abuse_answered,
	TP_PROTO(const struct abuse_device *dev, const struct abuse_slot *slot,
		 u32 error),
	TP_ARGS(dev, slot, error),
	TP_STRUCT__entry(
		__field(u32, number)
		__field(u64, id)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->number = dev->number;
		__entry->id = abuse_slot_id(dev, slot);
		__entry->error = error;
	),
	TP_printk("abuse%u id=%llx error=%u", __entry->number, __entry->id,
		  __entry->error)
);

#endif /* ABUSE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
