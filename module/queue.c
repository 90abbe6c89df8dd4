// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lists of pending requests, one per hardware queue: their ends, the limit on
 * what is handed out at once, and the servers that sleep until there is something.
 * submit.c puts in, fetch.c and legacy.c take out, recover.c puts back.
 */
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "abuse.h"
#include "trace.h"

/* What a wake-up takes, until one was seen: nanoseconds, of a processor half asleep. */
#define ABUSE_WAKE_NS	5000

int abuse_queues_alloc(struct abuse_device *dev)
{
	u32 i;

	dev->queues = kvcalloc(dev->hw_queues, sizeof(*dev->queues), GFP_KERNEL);
	if (!dev->queues)
		return -ENOMEM;
	if (dev->hw_queues > 1) {
		dev->homes = kvcalloc(nr_cpu_ids, sizeof(*dev->homes),
				      GFP_KERNEL);
		if (!dev->homes)
			return -ENOMEM;
	}
	for (i = 0; i < dev->hw_queues; i++) {
		struct abuse_queue *queue = &dev->queues[i];

		spin_lock_init(&queue->lock);
		INIT_LIST_HEAD(&queue->pending);
		INIT_LIST_HEAD(&queue->backlog);
		init_waitqueue_head(&queue->fetch_wait);
		queue->wake_ns = ABUSE_WAKE_NS;
	}
	return 0;
}

/*
 * Once it is known how many queues of what depth there are. A call may outlast the
 * disk, and the block layer's map goes with that.
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

/* ---- the limit ------------------------------------------------------------- */

/* Room within the limit: the oldest of this backlog become pending. */
static void promote(struct abuse_device *dev, struct abuse_queue *queue)
{
	struct abuse_slot *slot, *next;

	lockdep_assert_held(&queue->lock);
	list_for_each_entry_safe(slot, next, &queue->backlog, node) {
		slot->counted = abuse_count_one(dev);
		if (!slot->counted && READ_ONCE(dev->has_limit))
			return;
		slot->in_backlog = false;
		atomic_dec(&dev->nr_backlog);
		list_move_tail(&slot->node, &queue->pending);
	}
}

/* Pairs with abuse_queue_backlog(): one of both sees what the other did. */
static void promote_all(struct abuse_device *dev)
{
	u32 i;

	smp_mb();
	if (!atomic_read(&dev->nr_backlog))
		return;
	for (i = 0; i < dev->hw_queues; i++) {
		struct abuse_queue *queue = &dev->queues[i];

		spin_lock(&queue->lock);
		promote(dev, queue);
		spin_unlock(&queue->lock);
		abuse_wake_one(dev, queue);
	}
}

/* So many that were counted are answered. */
void abuse_uncount(struct abuse_device *dev, unsigned int n)
{
	atomic_sub(n, &dev->nr_counted);
	promote_all(dev);
}

/*
 * With several queues requests are counted only where there is a limit, so that
 * the queues share nothing without one: a lower limit then counts what comes.
 */
void abuse_set_limit(struct abuse_device *dev, u32 limit)
{
	WRITE_ONCE(dev->queue_limit, limit);
	WRITE_ONCE(dev->has_limit, dev->hw_queues == 1 || limit < dev->nr_slots);
	promote_all(dev);
}

/* ---- the lists ---------------------------------------------------------------- */

/* A request that has just arrived and has no room within the limit. */
void abuse_queue_backlog(struct abuse_device *dev, struct abuse_queue *queue,
			 struct abuse_slot *slot)
{
	lockdep_assert_held(&queue->lock);
	slot->in_backlog = true;
	list_add_tail(&slot->node, &queue->backlog);
	atomic_inc(&dev->nr_backlog);
	smp_mb__after_atomic();
	promote(dev, queue);
}

/* Back to the front of its queue; the caller moved it to pending. */
void abuse_queue_front(struct abuse_device *dev, struct abuse_slot *slot)
{
	struct abuse_queue *queue = abuse_queue_of(dev, slot);

	lockdep_assert_held(&queue->lock);
	/* Who was handed it by GET_BIO knows it by an id that is gone. */
	if (slot->holder)
		slot->handed = 0;
	slot->holder = NULL;
	list_add(&slot->node, &queue->pending);
	trace_abuse_requeued(dev, slot);
}

/* Off its list, wherever in it. */
void abuse_queue_take(struct abuse_device *dev, struct abuse_slot *slot)
{
	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	list_del(&slot->node);
	if (slot->in_backlog) {
		slot->in_backlog = false;
		atomic_dec(&dev->nr_backlog);
	}
}

/* Whoever is queueing by what was true before the caller changed it is done. */
void abuse_queues_settle(struct abuse_device *dev)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++) {
		spin_lock(&dev->queues[i].lock);
		spin_unlock(&dev->queues[i].lock);
	}
}

/* ---- sleeping servers ------------------------------------------------------------ */

/* That of this processor: who submits and who serves here share their caches. */
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

static bool wake_sleeper(struct abuse_queue *queue)
{
	/* Its callers made the barrier: abuse_wake_one(), abuse_wake_all(). */
	if (!waitqueue_active(&queue->fetch_wait))
		return false;
	WRITE_ONCE(queue->woken_at, local_clock());
	wake_up_interruptible(&queue->fetch_wait);
	return true;
}

/* Nobody sleeps at home there. */
static noinline void wake_elsewhere(struct abuse_device *dev,
				    const struct abuse_queue *queue)
{
	u32 i;

	for (i = 0; i < dev->hw_queues; i++)
		if (&dev->queues[i] != queue && wake_sleeper(&dev->queues[i]))
			return;
}

static void wake_exchange(struct abuse_device *dev, struct abuse_queue *queue)
{
	if (atomic_read(&queue->nr_spinning) || wake_sleeper(queue))
		return;
	if (dev->hw_queues > 1)
		wake_elsewhere(dev, queue);
}

static void wake_poll(struct abuse_device *dev)
{
	/* As for wake_sleeper(). */
	if (waitqueue_active(&dev->poll_wait))
		wake_up_interruptible_poll(&dev->poll_wait,
					   EPOLLIN | EPOLLRDNORM | EPOLLMSG);
}

/*
 * There is something in this queue: one waiter in exchange, who wakes the next if it
 * leaves something behind, unless a server is spinning, which looks once more
 * before it sleeps; and all who poll. Pairs with the barriers in
 * prepare_to_wait_exclusive(), in poll_wait() and at the end of the spin: either
 * they see the request or we see them.
 */
void abuse_wake_one(struct abuse_device *dev, struct abuse_queue *queue)
{
	smp_mb();
	wake_exchange(dev, queue);
	wake_poll(dev);
}

/* Something about the device changed: all look again. */
void abuse_wake_all(struct abuse_device *dev)
{
	u32 i;

	smp_mb();
	for (i = 0; i < dev->hw_queues; i++)
		wake_up_interruptible_all(&dev->queues[i].fetch_wait);
	wake_poll(dev);
}
