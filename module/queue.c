// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lists of pending requests, one per hardware queue, and the servers that sleep
 * until a list has a request. submit.c and limit.c append, fetch.c and legacy.c take,
 * recover.c puts back.
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

/* ---- the lists ---------------------------------------------------------------- */

/* Back to the front of its queue; the caller moved it to pending. */
void abuse_queue_front(struct abuse_device *dev, struct abuse_slot *slot)
{
	struct abuse_queue *queue = abuse_queue_of(dev, slot);

	lockdep_assert_held(&queue->lock);
	/* Who was handed it by GET_BIO knows it by an id that is gone. */
	if (slot->holder)
		slot->handed = 0;
	WRITE_ONCE(slot->holder, NULL);
	list_add(&slot->node, &queue->pending);
	trace_abuse_requeued(dev, slot);
}

/*
 * Off its list, wherever in it. nr_backlog goes first: it never counts more than the
 * backlogs hold, or abuse_limit_promote() would look for a request that nobody has,
 * for as long as the caller is preempted.
 */
void abuse_queue_take(struct abuse_device *dev, struct abuse_slot *slot)
{
	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	if (slot->in_backlog)
		abuse_limit_leave_backlog(dev, slot);
	list_del(&slot->node);
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

static bool abuse_wake_sleeper(struct abuse_queue *queue)
{
	/* The callers made the barrier: abuse_wake_one(), abuse_wake_next(). */
	if (!waitqueue_active(&queue->fetch_wait))
		return false;
	WRITE_ONCE(queue->woken_at, local_clock());
	wake_up_interruptible(&queue->fetch_wait);
	return true;
}

/* Nobody sleeps at home there. */
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
 * they see the request or we see them.
 *
 * Whom a wake-up reaches owes it: a server that comes out of abuse_fetch_wait() calls
 * abuse_wake_next() when it has taken what it wants, fails or gives up. So while a
 * request is pending, a server sleeps only if another one is still on its way.
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
 * The caller was woken, or kept others from being woken, and leaves: the next server
 * in exchange is woken if any queue has a request. All that poll were woken when
 * the request arrived.
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

/* Something about the device changed: all look again. */
void abuse_wake_all(struct abuse_device *dev)
{
	u32 i;

	smp_mb();
	for (i = 0; i < dev->hw_queues; i++)
		wake_up_interruptible_all(&dev->queues[i].fetch_wait);
	abuse_wake_poll(dev);
}
