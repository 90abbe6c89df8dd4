// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A turn of a queue, in the order in which things happen: what was answered elsewhere
 * is taken back, replies are exchanged for new requests (exchange.c), and each is done
 * by its callback (run.c) as soon as there is memory for it (buffer.c). One thread per
 * queue, no lock, no allocation on the way.
 *
 * A WRITE is over only when the callback has stored it, or the kernel does, so a server
 * may be killed at any instant: what it did not answer, another is handed again.
 */
#include "internal.h"

#define SECTOR_SHIFT	9

/* ---- what earlier turns left ---- */

/* Oldest first, which the stack has last. */
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

/* Memory for its bytes is there, if it needs any. */
static inline bool has_room(struct queue *queue, struct slot *slot)
{
	return slot->req.op != ABUSE_OP_READ || queue->is_without_data ||
	       queue_make_room(queue, slot);
}

/*
 * READs for which there was no memory, and what came behind them: they stay until
 * requests before them are answered.
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

/* What was left by an earlier turn: more than nothing only if something is slow. */
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

/* ---- what comes ---- */

/* There are slots for all that comes even if no reply is taken. */
static unsigned int room_for_more(const struct queue *queue)
{
	unsigned int held = queue->nr_slots - queue->nr_free - queue->nr_replies;
	unsigned int depth = queue->srv->config.depth;

	if (queue->todo.first || held >= depth)
		return 0;
	return depth - held < queue->nr_free ? depth - held : queue->nr_free;
}

/* What came becomes a slot. */
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

/* ---- all of it ---- */

static inline bool is_ended(const struct queue *queue)
{
	const struct abuse_server *srv = queue->srv;

	return LOAD(srv->is_stopped) &&
	       (queue->nr_free == queue->nr_slots ||
		(LOAD(srv->is_abandoned) && !queue->nr_replies));
}

/* Reset or removed, as a thread has found: what is held is nobody's any more. */
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
