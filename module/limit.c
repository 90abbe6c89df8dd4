// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The queue limit: how many requests of a device may be pending, held or claimed at
 * once, across all of its hardware queues. A request beyond the limit waits in the
 * backlog of its queue.
 *
 * Invariant
 *
 *  1. nr_counted never exceeds what the limit was when the last request was counted:
 *     it is incremented only below the limit, in one atomic step, and is never
 *     incremented to be taken back.
 *  2. A request stays in a backlog only if the device had no room at some instant
 *     after the request became visible in nr_backlog: its submitter increments
 *     nr_backlog, makes a full barrier and looks for room (abuse_limit_promote()).
 *  3. An actor that makes room looks at nr_backlog after a full barrier: abuse_uncount()
 *     lowers nr_counted, abuse_set_limit() raises the limit, and both promote.
 *
 * By 2 and 3 no request waits while there is room: of a submitter and of an actor
 * that makes room at the same time, at least one sees what the other did.
 *
 * Order: an arriving request passes neither its own queue's backlog nor that of any
 * other queue. If there is any backlog, the request joins its own queue's and is
 * promoted in turn. Promotion goes round the queues that have a backlog, for every
 * actor that promotes: each queue gets a bounded share, then it is the next one's turn.
 *
 * Locks: backlog, in_backlog and counted of a queue's slots change under its lock;
 * nr_backlog changes under the lock of the queue whose backlog changes.
 * abuse_limit_promote() takes one queue lock at a time, so none may be held.
 */
#include "abuse.h"

/* Requests that one queue gets in its turn; a single queue gets all. */
#define ABUSE_LIMIT_SHARE	4

static bool abuse_limit_has_room(const struct abuse_device *dev)
{
	return !READ_ONCE(dev->has_limit) ||
	       (u32)atomic_read(&dev->nr_counted) < READ_ONCE(dev->queue_limit);
}

static bool abuse_limit_count(struct abuse_device *dev)
{
	int counted = atomic_read(&dev->nr_counted);

	do {
		if ((u32)counted >= READ_ONCE(dev->queue_limit))
			return false;
	} while (!atomic_try_cmpxchg(&dev->nr_counted, &counted, counted + 1));
	return true;
}

/* May a request that has just arrived be pending at once? */
static bool abuse_limit_admits(struct abuse_device *dev,
			       const struct abuse_queue *queue,
			       struct abuse_slot *slot)
{
	if (!READ_ONCE(dev->has_limit))
		return list_empty(&queue->backlog);
	if (atomic_read(&dev->nr_backlog))
		return false;
	slot->counted = abuse_limit_count(dev);
	return slot->counted;
}

/*
 * A request arrives: to the end of pending, or of the backlog. The caller promotes
 * after it has dropped the queue's lock.
 */
void abuse_limit_arrive(struct abuse_device *dev, struct abuse_queue *queue,
			struct abuse_slot *slot)
{
	lockdep_assert_held(&queue->lock);
	slot->counted = false;
	if (likely(abuse_limit_admits(dev, queue, slot))) {
		WRITE_ONCE(slot->in_backlog, false);
		list_add_tail(&slot->node, &queue->pending);
		return;
	}
	WRITE_ONCE(slot->in_backlog, true);
	list_add_tail(&slot->node, &queue->backlog);
	atomic_inc(&dev->nr_backlog);
}

/* The caller has taken or takes this request off the backlog. */
void abuse_limit_leave_backlog(struct abuse_device *dev, struct abuse_slot *slot)
{
	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	WRITE_ONCE(slot->in_backlog, false);
	atomic_dec(&dev->nr_backlog);
}

/* The oldest of this backlog become pending, as far as room and share go; how many. */
static unsigned int abuse_limit_promote_share(struct abuse_device *dev,
					      struct abuse_queue *queue)
{
	unsigned int n = 0, share = ABUSE_LIMIT_SHARE;
	struct abuse_slot *slot, *next;

	if (dev->hw_queues == 1)
		share = dev->nr_slots;
	spin_lock(&queue->lock);
	list_for_each_entry_safe(slot, next, &queue->backlog, node) {
		if (n == share)
			break;
		if (READ_ONCE(dev->has_limit)) {
			if (!abuse_limit_count(dev))
				break;
			slot->counted = true;
		}
		abuse_limit_leave_backlog(dev, slot);
		list_move_tail(&slot->node, &queue->pending);
		n++;
	}
	spin_unlock(&queue->lock);
	return n;
}

static u32 abuse_limit_after(const struct abuse_device *dev, u32 at)
{
	return at + 1 < dev->hw_queues ? at + 1 : 0;
}

/*
 * The queue whose turn it is, of those that have a backlog, gets its share. The turn
 * moves on only when the queue got something: an actor that finds no room there any
 * more leaves the turn to the next actor.
 */
static void abuse_limit_give_turn(struct abuse_device *dev)
{
	u32 turn = READ_ONCE(dev->limit_turn), at = turn, i;
	struct abuse_queue *queue = &dev->queues[at];

	for (i = 1; i < dev->hw_queues && list_empty(&queue->backlog); i++) {
		at = abuse_limit_after(dev, at);
		queue = &dev->queues[at];
	}
	if (!abuse_limit_promote_share(dev, queue))
		return;
	cmpxchg(&dev->limit_turn, turn, abuse_limit_after(dev, at));
	abuse_wake_one(dev, queue);
}

/*
 * Fills the room that there is from the backlogs, and ends when either is gone.
 * The caller holds no queue's lock.
 */
void abuse_limit_promote(struct abuse_device *dev)
{
	smp_mb();	/* points 2 and 3 of the invariant */
	while (atomic_read(&dev->nr_backlog) && abuse_limit_has_room(dev))
		abuse_limit_give_turn(dev);
}

/* n counted requests have ended. */
void abuse_uncount(struct abuse_device *dev, unsigned int n)
{
	atomic_sub(n, &dev->nr_counted);
	abuse_limit_promote(dev);
}

/*
 * A device with several queues counts only while it has a limit, so that its queues
 * share no counter without one. A limit that comes later counts what arrives from
 * then on.
 */
void abuse_set_limit(struct abuse_device *dev, u32 limit)
{
	WRITE_ONCE(dev->queue_limit, limit);
	WRITE_ONCE(dev->has_limit, dev->hw_queues == 1 || limit < dev->nr_slots);
	abuse_limit_promote(dev);
}
