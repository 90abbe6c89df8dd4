// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * No server completes a request: the requests of a dead server return to the queue; RESET,
 * REMOVE, a smaller capacity and time-outs end requests with EIO. Entered by server.c when a
 * descriptor or its process goes, by device.c, and by expire.c.
 */
#include <linux/list_sort.h>

#include "abuse.h"
#include "trace.h"

/*
 * Ends the requests on the list with EIO. Their slots are free already, and a slot may be
 * used again as soon as its request has ended.
 */
static void abuse_end_listed_requests(struct abuse_device *dev, struct list_head *ended)
{
	unsigned int n = 0, counted = 0;
	struct abuse_slot *slot, *next;

	list_for_each_entry(slot, ended, node) {
		counted += slot->counted;
		n++;
	}
	if (!n)
		return;
	abuse_count(dev, errors, n);
	if (counted)
		abuse_uncount(dev, counted);
	list_for_each_entry_safe(slot, next, ended, node) {
		list_del_init(&slot->node);
		abuse_end(slot->rq, EIO);
	}
}

/*
 * Takes a held request from srv, under the lock of its queue. If the device has shrunk while
 * the request was held, and the request lies beyond the new end, it becomes free and goes
 * onto the list ended. Otherwise it becomes pending, and the caller queues it. True: it is
 * pending.
 */
static bool abuse_requeue_held_slot(struct abuse_server *srv, struct abuse_slot *slot,
		      u64 word, struct list_head *ended)
{
	struct abuse_device *dev = srv->dev;

	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	if (abuse_word_state(word) != ABUSE_HELD ||
	    READ_ONCE(slot->holder) != srv)
		return false;
	if (!abuse_rq_ends_beyond(slot->rq, get_capacity(dev->disk)))
		return abuse_slot_move(slot, word, ABUSE_PENDING);
	if (abuse_slot_move(slot, word, ABUSE_FREE)) {
		trace_abuse_answered(dev, slot, EIO);
		list_add_tail(&slot->node, ended);
	}
	return false;
}

static void abuse_wake_all_servers(struct abuse_device *dev)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		if (!list_empty(&dev->queues[i].pending))
			abuse_wake_one(dev, &dev->queues[i]);
}

/* Requests were fetched and could not be delivered: put them back to the front, in order. */
void abuse_return(struct abuse_server *srv, const struct abuse_dispatch *requests,
		  unsigned int n)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_queue *queue;
	struct abuse_slot *slot;
	LIST_HEAD(ended);
	u64 word;

	if (!n)
		return;
	while (n--) {
		slot = abuse_slot_find(dev, requests[n].id, &word);
		if (!slot)
			continue;
		queue = abuse_queue_of(dev, slot);
		spin_lock(&queue->lock);
		if (abuse_requeue_held_slot(srv, slot, word, &ended))
			abuse_queue_front(dev, slot);
		spin_unlock(&queue->lock);
	}
	abuse_end_listed_requests(dev, &ended);
	abuse_wake_all_servers(dev);
}

static ABUSE_LIST_CMP(abuse_sweep_slot_later, a, b)
{
	return list_entry(a, struct abuse_slot, node)->seq >
	       list_entry(b, struct abuse_slot, node)->seq;
}

/* Takes all held requests of one queue; returns their number. */
static unsigned int abuse_return_held_of_queue(struct abuse_server *srv, u32 number,
				 struct list_head *ended)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_queue *queue = &dev->queues[number];
	struct abuse_slot *slots = &dev->slots[number * dev->depth];
	struct abuse_slot *slot, *next;
	unsigned int n = 0;
	LIST_HEAD(back);
	u64 word;
	u32 i;

	spin_lock(&queue->lock);
	for (i = 0; i < dev->depth; i++) {
		slot = &slots[i];
		word = abuse_slot_word(slot);
		WARN_ON_ONCE(abuse_word_state(word) == ABUSE_CLAIMED_HELD &&
			     READ_ONCE(slot->holder) == srv);
		if (abuse_requeue_held_slot(srv, slot, word, ended)) {
			list_add_tail(&slot->node, &back);
			n++;
		}
	}
	list_sort(NULL, &back, abuse_sweep_slot_later);
	list_for_each_entry_safe_reverse(slot, next, &back, node) {
		list_del(&slot->node);
		abuse_queue_front(dev, slot);
	}
	spin_unlock(&queue->lock);
	return n;
}

/*
 * Puts all requests that a descriptor holds to the front, in order of arrival. No call on
 * the descriptor runs: its last reference or its address space is gone.
 */
void abuse_return_all(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	unsigned int n = 0;
	LIST_HEAD(ended);
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		n += abuse_return_held_of_queue(srv, i, &ended);
	abuse_count(dev, returned, n);
	abuse_end_listed_requests(dev, &ended);
	if (n)
		abuse_wake_all_servers(dev);
}

struct sweep {
	bool (*wants)(const struct abuse_slot *slot, const struct sweep *sweep);
	sector_t end;
	u64 before_ns;
};

/*
 * Moves a request that the sweep wants, pending or held, onto the list ended. If a call has
 * claimed the request, the request becomes doomed, and that call ends it.
 */
static void abuse_sweep_slot(struct abuse_device *dev, struct abuse_slot *slot,
		       const struct sweep *sweep, struct list_head *ended)
{
	u64 word;

	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	for (;;) {
		word = abuse_slot_word(slot);
		switch (abuse_word_state(word)) {
		case ABUSE_PENDING:
			if (!sweep->wants(slot, sweep))
				return;
			abuse_queue_take(dev, slot);
			abuse_slot_move_sure(slot, ABUSE_FREE);
			break;
		case ABUSE_HELD:
			if (!sweep->wants(slot, sweep))
				return;
			if (!abuse_slot_move(slot, word, ABUSE_FREE))
				continue;
			break;
		case ABUSE_CLAIMED_PENDING:
		case ABUSE_CLAIMED_HELD:
			if (!sweep->wants(slot, sweep))
				return;
			atomic_inc(&dev->nr_doomed);
			if (abuse_slot_move(slot, word, ABUSE_DOOMED))
				return;
			if (atomic_dec_and_test(&dev->nr_doomed))
				wake_up(&dev->doomed_wait);
			continue;
		default:
			return;
		}
		trace_abuse_answered(dev, slot, EIO);
		list_add_tail(&slot->node, ended);
		return;
	}
}

/* Sweeps one queue. */
static void abuse_sweep_queue(struct abuse_device *dev, u32 number,
			const struct sweep *sweep)
{
	struct abuse_queue *queue = &dev->queues[number];
	struct abuse_slot *slots = &dev->slots[number * dev->depth];
	LIST_HEAD(ended);
	u32 i;

	spin_lock(&queue->lock);
	for (i = 0; i < dev->depth; i++)
		abuse_sweep_slot(dev, &slots[i], sweep, &ended);
	spin_unlock(&queue->lock);
	abuse_end_listed_requests(dev, &ended);
}

static void abuse_sweep_device(struct abuse_device *dev, const struct sweep *sweep)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		abuse_sweep_queue(dev, i, sweep);
}

static bool abuse_sweep_wants_all(const struct abuse_slot *slot, const struct sweep *sweep)
{
	return true;
}

/* Fails every request, also held ones. Claimed ones end when their copy has ended. */
void abuse_fail_all(struct abuse_device *dev)
{
	const struct sweep all = { .wants = abuse_sweep_wants_all };

	abuse_sweep_device(dev, &all);
}

/*
 * A request that PUT_BIO claimed counts as queued: if the copy faults, it is pending again.
 * A held request stays, since its holder may still complete it; abuse_requeue_held_slot()
 * checks it when it returns.
 */
static bool abuse_sweep_wants_beyond(const struct abuse_slot *slot,
			 const struct sweep *sweep)
{
	enum abuse_slot_state state = abuse_word_state(abuse_slot_word(slot));

	return (state == ABUSE_PENDING || state == ABUSE_CLAIMED_PENDING) &&
	       abuse_rq_ends_beyond(slot->rq, sweep->end);
}

/*
 * Fails queued requests beyond the new end of the device. The capacity has changed before:
 * an actor that queues a request or returns one sees the new capacity under the lock of the
 * queue, or this function finds its request in the queue.
 */
void abuse_fail_beyond(struct abuse_device *dev, sector_t end)
{
	const struct sweep beyond = { .wants = abuse_sweep_wants_beyond, .end = end };

	abuse_sweep_device(dev, &beyond);
}

static bool abuse_sweep_wants_old(const struct abuse_slot *slot, const struct sweep *sweep)
{
	return abuse_queued_ns(slot) <= sweep->before_ns;
}

/* Fails queued and held requests that arrived at this time or before. */
void abuse_fail_older(struct abuse_device *dev, u64 before_ns)
{
	const struct sweep old = { .wants = abuse_sweep_wants_old, .before_ns = before_ns };

	abuse_sweep_device(dev, &old);
}
