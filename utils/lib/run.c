// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Executes a request: calls its callback, and makes a reply of the result, unless a flush
 * must come first or the callback completes it later. turn.c enters.
 */
#include "internal.h"

/* The fast path: a READ or WRITE that is complete and needs no flush. */
static inline bool is_plain(const struct slot *slot, int result)
{
	const struct abuse_req *req = &slot->req;

	if (slot->marks & ~(unsigned int)(IS_STORED | IS_REDIRECTED | IS_POINTED))
		return false;
	if (req->op == ABUSE_OP_READ)
		return result == ABUSE_ZEROES ||
		       (!result && (req->data || slot->marks & IS_REDIRECTED));
	return req->op == ABUSE_OP_WRITE && !result && !(req->flags & ABUSE_REQ_FUA);
}

static inline void reply_plain(struct queue *queue, struct slot *slot, int result)
{
	struct abuse_reply *to = &queue->replies[queue->nr_replies];
	struct abuse_counts *counts = &queue->counts;

	queue->replied[queue->nr_replies++] = slot;
	*to = (struct abuse_reply) { .id = slot->id };
	reply_with_bytes(to, slot, result);
	if (to->flags == ABUSE_REPLY_REDIRECT)
		count(&counts->redirected, 1);
	count(&counts->ops[slot->req.op], 1);
	count(slot->req.op == ABUSE_OP_READ ? &counts->read_bytes :
					      &counts->written_bytes, slot->req.length);
}

/* The return value of a callback, or -EIO if it is invalid. */
static int judge(const struct slot *slot, int result)
{
	if (result < 0)
		return result;
	if (slot->marks & IS_SPOILED)
		return -EIO;
	if (result == ABUSE_ZEROES && slot->req.op == ABUSE_OP_READ)
		return result;
	if (result)
		return -EIO;
	/* There is no data: the callback could not have filled it in. */
	if (slot->req.op == ABUSE_OP_READ && !slot->req.data &&
	    !(slot->marks & IS_REDIRECTED))
		return -EIO;
	return 0;
}

/* Must a flush come before the reply? For redirected requests the kernel does that. */
static bool is_late(const struct queue *queue, const struct slot *slot)
{
	const struct abuse_server *srv = queue->srv;

	if (!srv->ops.flush)
		return false;
	switch (slot->req.op) {
	case ABUSE_OP_FLUSH:
		return true;
	case ABUSE_OP_WRITE:
	case ABUSE_OP_WRITE_ZEROES:
		return slot->req.flags & ABUSE_REQ_FUA &&
		       !(slot->marks & IS_REDIRECTED) &&
		       !(srv->config.flags & ABUSE_SERVER_FUA);
	}
	return false;
}

/* The flush of @leader has ended; it covers all of its followers. */
static void settle_flushed(struct queue *queue, struct slot *leader, int result)
{
	bool is_redirected = leader->marks & IS_REDIRECTED && !result;
	struct slot *slot, *next;

	for (slot = leader->followers; slot; slot = next) {
		next = slot->next;
		slot->file = leader->file;
		slot->target = leader->target;
		if (is_redirected)
			slot->marks |= IS_REDIRECTED;
		else
			slot->marks &= ~IS_REDIRECTED;
		/* The kernel flushes for a FLUSH alone. */
		queue_reply(queue, slot, is_redirected && slot->req.op != ABUSE_OP_FLUSH ?
		      -EIO : result);
	}
	queue_reply(queue, leader, result);
}

void queue_settle(struct queue *queue, struct slot *slot, int result)
{
	result = judge(slot, result);
	if (slot->marks & IS_FLUSHING)
		settle_flushed(queue, slot, result);
	else if (!result && is_late(queue, slot))
		list_add(&queue->late, slot);
	else
		queue_reply(queue, slot, result);
}

/* The callback owns the slot until it returns; after ABUSE_ASYNC until abuse_req_done(). */
static inline void begin(struct queue *queue, struct slot *slot,
			 int (*callback)(struct abuse_req *req))
{
	int result;

	SET(slot->state, SLOT_BEGUN);
	result = callback(&slot->req);
	if (result == ABUSE_ASYNC) {
		queue->nr_async++;
		return;
	}
	if (slot_claim(slot)) {
		if (is_plain(slot, result))
			reply_plain(queue, slot, result);
		else
			queue_settle(queue, slot, result);
		return;
	}
	/* abuse_req_done() was called, too, and returns the slot. */
	slot->marks |= IS_SPOILED;
	queue->nr_async++;
}

void queue_run(struct queue *queue, struct slot *slot)
{
	uint32_t op = slot->req.op;

	begin(queue, slot, queue->callbacks[op < NR_OPS ? op : NR_OPS]);
}

/* One flush for all requests that wait for one; replies of other requests do not wait for it. */
int queue_flush_late(struct queue *queue)
{
	struct slot *leader;
	int ret;

	ret = queue_answer(queue);
	if (ret < 0)
		return ret;
	leader = list_pop(&queue->late);
	leader->followers = queue->late.first;
	leader->marks = IS_FLUSHING;
	list_init(&queue->late);
	begin(queue, leader, queue->srv->ops.flush);
	return 0;
}
