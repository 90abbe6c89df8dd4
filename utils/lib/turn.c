// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A turn of a queue, in this order: collect requests that other threads have completed,
 * send replies and fetch new requests (exchange.c), and call the callback for each
 * (run.c) as soon as there is memory for its data (buffer.c). One thread per queue, no
 * lock, no allocation.
 *
 * A WRITE is completed only after the callback or the kernel has stored it, so a server may
 * be killed at any instant: another server fetches the requests without a reply.
 */
#include "internal.h"

#define SECTOR_SHIFT	9

/* ---- requests of earlier turns ---- */

/* Reverses the stack: oldest first. */
static void take_done(struct queue *queue)
{
	struct slot *slot, *next, *order = NULL;

	if (!LOAD(queue->done))
		return;
	for (slot = SWAP(queue->done, NULL); slot; slot = next) {
		next = slot->next;
		slot->next = order;
		order = slot;
	}
	for (slot = order; slot; slot = next) {
		next = slot->next;
		queue->nr_async--;
		queue_settle(queue, slot, slot->result);
	}
}

/* Gets memory for the data of a READ, if it needs any. */
static inline bool has_room(struct queue *queue, struct slot *slot)
{
	return slot->req.op != ABUSE_OP_READ || queue->is_without_data ||
	       queue_make_room(queue, slot);
}

/*
 * READs without memory for their data, and the requests behind them, wait until earlier
 * requests are completed.
 */
static int run_todo(struct queue *queue)
{
	struct slot *slot;
	int ret;

	while ((slot = queue->todo.first)) {
		while (!has_room(queue, slot)) {
			if (!queue->nr_replies)
				return 0;
			ret = queue_answer(queue);
			if (ret < 0)
				return ret;
		}
		list_pop(&queue->todo);
		queue_run(queue, slot);
	}
	return 0;
}

/* Requests that an earlier turn left; none, unless a callback is slow. */
static int catch_up(struct queue *queue)
{
	int ret;

	take_done(queue);
	ret = run_todo(queue);
	if (!ret && queue->late.first)
		ret = queue_flush_late(queue);
	return ret;
}

static bool is_behind(const struct queue *queue)
{
	return queue->nr_async || queue->todo.first || queue->late.first;
}

/* ---- new requests ---- */

/* There are enough slots even if the kernel refuses all replies. */
static unsigned int room_for_more(const struct queue *queue)
{
	unsigned int held = queue->nr_slots - queue->nr_free - queue->nr_replies;
	unsigned int depth = queue->srv->config.depth;

	if (queue->todo.first || held >= depth)
		return 0;
	return depth - held < queue->nr_free ? depth - held : queue->nr_free;
}

/* Puts a fetched request into a slot. */
static inline struct slot *adopt(struct queue *queue, const struct abuse_request *from)
{
	struct slot *slot = queue_take_slot(queue);

	slot->id = from->id;
	slot->marks = 0;
	slot->req.data = NULL;
	slot->req.offset = from->sector << SECTOR_SHIFT;
	slot->req.length = from->length;
	slot->req.op = from->op;
	slot->req.flags = from->flags;
	slot->req.ioprio = from->ioprio;
	slot->req.write_hint = from->write_hint;
	if (from->op == ABUSE_OP_WRITE || from->op == ABUSE_OP_WRITE_ZEROES)
		slot->req.flags |= queue->srv->always;
	return slot;
}

/* Runs the @nr requests that came, in order, as far as there is memory for READs. */
static int run_new(struct queue *queue, unsigned int nr)
{
	const struct abuse_request *from = queue->requests, *end = from + nr;
	struct segment *window = queue->window;
	size_t base = window ? window->used : 0;

	if (window)
		queue_close_window(queue, nr);
	for (; from < end; from++) {
		struct slot *slot = adopt(queue, from);

		if (from->op == ABUSE_OP_WRITE && window) {
			slot->segment = window;
			slot->req.data = window->at + base + from->offset;
		}
		if (queue->todo.first || !has_room(queue, slot))
			list_add(&queue->todo, slot);
		else
			queue_run(queue, slot);
	}
	return run_todo(queue);
}

/* ---- a whole turn ---- */

static inline bool is_ended(const struct queue *queue)
{
	const struct abuse_server *srv = queue->srv;

	return LOAD(srv->is_stopped) &&
	       (queue->nr_free == queue->nr_slots ||
		(LOAD(srv->is_abandoned) && !queue->nr_replies));
}

/* A thread found the device reset or removed: forget the requests that were held. */
static inline int is_orphaned(const struct queue *queue)
{
	int err = LOAD(queue->srv->error);

	return err == -ENXIO || err == -ENODEV || err == -EPERM ? err : 0;
}

int queue_turn(struct queue *queue, int64_t wait)
{
	int ret;

	ret = is_orphaned(queue);
	if (ret < 0)
		return ret;
	if (is_behind(queue)) {
		ret = catch_up(queue);
		if (ret < 0)
			return ret;
		if (is_behind(queue))
			wait = 0;
	}
	if (is_ended(queue))
		return -ESHUTDOWN;
	ret = queue_exchange(queue, room_for_more(queue), wait);
	if (ret > 0)
		ret = run_new(queue, (unsigned int)ret);
	if (ret < 0)
		return ret;
	return queue->nr_replies || queue->late.first || is_ended(queue);
}
