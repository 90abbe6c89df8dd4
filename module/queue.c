// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The lists of pending requests, one per hardware queue, and the servers that sleep
 * until a list has a request. submit.c and limit.c append, fetch.c and legacy.c take,
 * recover.c puts back.
 */
#include <linux/slab.h>

#include "abuse.h"
#include "trace.h"

int abuse_queues_alloc(struct abuse_device *dev)
{
	u32 i;

	dev->queues = kvcalloc(dev->hw_queues, sizeof(*dev->queues),
			       GFP_KERNEL_ACCOUNT);
	if (!dev->queues)
		return -ENOMEM;
	if (dev->hw_queues > 1) {
		dev->homes = kvcalloc(nr_cpu_ids, sizeof(*dev->homes),
				      GFP_KERNEL_ACCOUNT);
		if (!dev->homes)
			return -ENOMEM;
	}
	for (i = 0; i < dev->hw_queues; i++) {
		struct abuse_queue *queue = &dev->queues[i];

		spin_lock_init(&queue->lock);
		INIT_LIST_HEAD(&queue->pending);
		INIT_LIST_HEAD(&queue->backlog);
		init_waitqueue_head(&queue->fetch_wait);
	}
	return 0;
}

/*
 * Called when number and depth of the queues are known. Copies the block layer's map of
 * queues: a call may use it after the disk is gone.
 */
void abuse_queues_start(struct abuse_device *dev)
{
	const struct blk_mq_queue_map *map =
		&dev->tag_set.map[HCTX_TYPE_DEFAULT];
	u32 i, cpu;

	for (i = 0; i < dev->hw_queues; i++)
		dev->queues[i].slots = &dev->slots[i * dev->depth];
	if (dev->hw_queues > 1)
		for_each_possible_cpu(cpu)
			dev->homes[cpu] = map->mq_map[cpu];
}

void abuse_queues_free(struct abuse_device *dev)
{
	kvfree(dev->homes);
	kvfree(dev->queues);
}

/* ---- the lists ---------------------------------------------------------------- */

/* Puts a request at the front of its queue; the caller moved it to pending. */
void abuse_queue_front(struct abuse_device *dev, struct abuse_slot *slot)
{
	struct abuse_queue *queue = abuse_queue_of(dev, slot);

	lockdep_assert_held(&queue->lock);
	/* The id that GET_BIO returned for it is not valid any more. */
	if (slot->holder)
		slot->handed = 0;
	WRITE_ONCE(slot->holder, NULL);
	list_add(&slot->node, &queue->pending);
	trace_abuse_requeued(dev, slot);
}

/*
 * Removes a request from its list. nr_backlog is lowered first: if it counted more than the
 * backlogs have, abuse_limit_promote() would search in vain for as long as the caller is
 * preempted.
 */
void abuse_queue_take(struct abuse_device *dev, struct abuse_slot *slot)
{
	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	if (slot->in_backlog)
		abuse_limit_leave_backlog(dev, slot);
	list_del(&slot->node);
}

/* The caller changed state that submitters read: wait until none of them uses the old value. */
void abuse_queues_settle(struct abuse_device *dev)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++) {
		spin_lock(&dev->queues[i].lock);
		spin_unlock(&dev->queues[i].lock);
	}
}

/* ---- sleeping servers ------------------------------------------------------------ */

/* The queue of this processor: submitter and server on it share their caches. */
struct abuse_queue *abuse_queue_at_home(const struct abuse_device *dev)
{
	if (dev->hw_queues == 1)
		return dev->queues;
	return &dev->queues[dev->homes[raw_smp_processor_id()]];
}

/* A hint, without a lock. */
bool abuse_any_pending(const struct abuse_device *dev)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		if (!list_empty(&dev->queues[i].pending))
			return true;
	return false;
}

static bool abuse_wake_sleeper(struct abuse_queue *queue)
{
	/* The callers have made the barrier: abuse_wake_one(), abuse_wake_next(). */
	if (!waitqueue_active(&queue->fetch_wait))
		return false;
	wake_up_interruptible(&queue->fetch_wait);
	return true;
}

/* No server sleeps on the queue that got the request. */
static noinline void abuse_wake_elsewhere(struct abuse_device *dev,
				    const struct abuse_queue *queue)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		if (&dev->queues[i] != queue && abuse_wake_sleeper(&dev->queues[i]))
			return;
}

static void abuse_wake_exchange(struct abuse_device *dev, struct abuse_queue *queue)
{
	if (READ_ONCE(queue->spinning) || abuse_wake_sleeper(queue))
		return;
	if (dev->hw_queues > 1)
		abuse_wake_elsewhere(dev, queue);
}

static void abuse_wake_poll(struct abuse_device *dev)
{
	abuse_pollers_wake(dev, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
}

/*
 * Requests became pending in this queue: wakes one server that sleeps in exchange, and
 * all that poll. It wakes no server while one busy-polls this queue, because that
 * one looks once more before it sleeps. Pairs with the barriers in
 * prepare_to_wait_exclusive(), in abuse_pollers_wait() and at the end of the busy-poll: either
 * the server sees the request or this function sees the server.
 *
 * A woken server passes the wake-up on: after abuse_fetch_wait() it calls abuse_wake_next()
 * when it has fetched enough, fails or gives up. So while a request is pending, servers
 * sleep only if one of them was woken and has not fetched yet.
 */
void abuse_wake_one(struct abuse_device *dev, struct abuse_queue *queue)
{
	smp_mb();
	if (list_empty(&queue->pending))
		return;
	abuse_wake_exchange(dev, queue);
	abuse_wake_poll(dev);
}

/*
 * The caller was woken, or its busy-poll suppressed a wake-up, and it leaves: wake the next
 * server in exchange if any queue has a request. Servers in poll were woken when the request
 * arrived.
 */
void abuse_wake_next(struct abuse_device *dev)
{
	u32 i;

	smp_mb();
	for (i = 0; i < dev->hw_queues; i++) {
		if (list_empty(&dev->queues[i].pending))
			continue;
		abuse_wake_exchange(dev, &dev->queues[i]);
		return;
	}
}

/* The state of the device changed: every sleeper checks it again. */
void abuse_wake_all(struct abuse_device *dev)
{
	u32 i;

	smp_mb();
	for (i = 0; i < dev->hw_queues; i++)
		wake_up_interruptible_all(&dev->queues[i].fetch_wait);
	abuse_wake_poll(dev);
}
