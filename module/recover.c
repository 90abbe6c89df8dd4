// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody answers: what a dead server held goes back to the queue, what was reset,
 * removed, cut off or waited too long ends with EIO. Entered by server.c when a
 * descriptor or its process goes, by device.c, and by expire.c.
 */
#include <linux/list_sort.h>

#include "abuse.h"
#include "trace.h"

/* While they were held the device may have shrunk. */
static void came_back(struct abuse_device *dev)
{
	u64 capacity;
	u32 i;

	spin_lock(&dev->lock);
	capacity = dev->params.capacity;
	spin_unlock(&dev->lock);
	abuse_fail_beyond(dev, capacity >> SECTOR_SHIFT);
	for (i = 0; i < dev->hw_queues; i++)
		if (!list_empty(&dev->queues[i].pending))
			abuse_wake_one(dev, &dev->queues[i]);
}

/* What was fetched but could not be delivered: back to the front, in order. */
void abuse_return(struct abuse_server *srv, const struct abuse_request *requests,
		  unsigned int n)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_queue *queue;
	struct abuse_slot *slot;
	u64 word;

	if (!n)
		return;
	while (n--) {
		slot = abuse_slot_find(dev, requests[n].id, &word);
		if (!slot)
			continue;
		queue = abuse_queue_of(dev, slot);
		spin_lock(&queue->lock);
		if (abuse_word_state(word) == ABUSE_HELD &&
		    READ_ONCE(slot->holder) == srv &&
		    abuse_slot_move(slot, word, ABUSE_PENDING))
			abuse_queue_front(dev, slot);
		spin_unlock(&queue->lock);
	}
	came_back(dev);
}

static int later(void *priv, const struct list_head *a,
		 const struct list_head *b)
{
	return list_entry(a, struct abuse_slot, node)->seq >
	       list_entry(b, struct abuse_slot, node)->seq;
}

/* Of one queue; how many. */
static unsigned int return_queue(struct abuse_server *srv, u32 number)
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
		if (READ_ONCE(slot->holder) != srv)
			continue;
		WARN_ON_ONCE(abuse_word_state(word) == ABUSE_CLAIMED_HELD);
		if (abuse_word_state(word) == ABUSE_HELD &&
		    abuse_slot_move(slot, word, ABUSE_PENDING)) {
			list_add_tail(&slot->node, &back);
			n++;
		}
	}
	list_sort(NULL, &back, later);
	list_for_each_entry_safe_reverse(slot, next, &back, node) {
		list_del(&slot->node);
		abuse_queue_front(dev, slot);
	}
	spin_unlock(&queue->lock);
	return n;
}

/*
 * All that a descriptor holds, to the front, in order of arrival. No call is
 * under way on it: its last reference or its address space is gone.
 */
void abuse_return_all(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	unsigned int n = 0;
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		n += return_queue(srv, i);
	abuse_count(dev, returned, n);
	if (n)
		came_back(dev);
}

struct sweep {
	bool (*wants)(const struct abuse_slot *slot, const struct sweep *sweep);
	sector_t end;
	u64 before_ns;
};

/*
 * Takes what a sweep wants from whoever has it, onto the list ended; what is being
 * copied right now is doomed, and its claimer ends it. True: one is on the list.
 */
static bool sweep_slot(struct abuse_device *dev, struct abuse_slot *slot,
		       const struct sweep *sweep, struct list_head *ended)
{
	u64 word;

	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	for (;;) {
		word = abuse_slot_word(slot);
		switch (abuse_word_state(word)) {
		case ABUSE_PENDING:
			if (!sweep->wants(slot, sweep))
				return false;
			abuse_queue_take(dev, slot);
			abuse_slot_move_sure(slot, ABUSE_FREE);
			break;
		case ABUSE_HELD:
			if (!sweep->wants(slot, sweep))
				return false;
			if (!abuse_slot_move(slot, word, ABUSE_FREE))
				continue;
			break;
		case ABUSE_CLAIMED_PENDING:
		case ABUSE_CLAIMED_HELD:
			if (!sweep->wants(slot, sweep))
				return false;
			atomic_inc(&dev->nr_doomed);
			if (abuse_slot_move(slot, word, ABUSE_DOOMED))
				return false;
			if (atomic_dec_and_test(&dev->nr_doomed))
				wake_up(&dev->doomed_wait);
			continue;
		default:
			return false;
		}
		trace_abuse_answered(dev, slot, EIO);
		list_add_tail(&slot->node, ended);
		return true;
	}
}

/* Of one queue. */
static void sweep_queue(struct abuse_device *dev, u32 number,
			const struct sweep *sweep)
{
	struct abuse_queue *queue = &dev->queues[number];
	struct abuse_slot *slots = &dev->slots[number * dev->depth];
	unsigned int n = 0, counted = 0;
	struct abuse_slot *slot, *next;
	LIST_HEAD(ended);
	u32 i;

	spin_lock(&queue->lock);
	for (i = 0; i < dev->depth; i++) {
		if (!sweep_slot(dev, &slots[i], sweep, &ended))
			continue;
		counted += slots[i].counted;
		n++;
	}
	spin_unlock(&queue->lock);
	if (!n)
		return;
	abuse_count(dev, errors, n);
	if (counted)
		abuse_uncount(dev, counted);

	/* Once its request has ended a slot is used again at any moment. */
	list_for_each_entry_safe(slot, next, &ended, node) {
		list_del_init(&slot->node);
		abuse_end(slot->rq, EIO);
	}
}

static void sweep(struct abuse_device *dev, const struct sweep *sweep)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		sweep_queue(dev, i, sweep);
}

static bool wants_all(const struct abuse_slot *slot, const struct sweep *sweep)
{
	return true;
}

/* Every request, held ones too. What is being copied may end a little later. */
void abuse_fail_all(struct abuse_device *dev)
{
	const struct sweep all = { .wants = wants_all };

	sweep(dev, &all);
}

static bool wants_beyond(const struct abuse_slot *slot,
			 const struct sweep *sweep)
{
	return abuse_word_state(abuse_slot_word(slot)) == ABUSE_PENDING &&
	       abuse_rq_ends_beyond(slot->rq, sweep->end);
}

/* Queued requests that a shrunken device no longer has room for. */
void abuse_fail_beyond(struct abuse_device *dev, sector_t end)
{
	const struct sweep beyond = { .wants = wants_beyond, .end = end };

	sweep(dev, &beyond);
}

static bool wants_old(const struct abuse_slot *slot, const struct sweep *sweep)
{
	return abuse_queued_ns(slot) <= sweep->before_ns;
}

/* Queued or held, those that came then or before. */
void abuse_fail_older(struct abuse_device *dev, u64 before_ns)
{
	const struct sweep old = { .wants = wants_old, .before_ns = before_ns };

	sweep(dev, &old);
}
