// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request arrives: the block layer enters here, the request is put at the end
 * of the queue and a server is woken; fetch.c goes on. Never touches user memory.
 */
#include <linux/timekeeping.h>

#include "abuse.h"
#include "trace.h"

/* Kernels split these by the chunk or not: who asked falls back to writes. */
static bool crosses_chunk(const struct abuse_device *dev, struct request *rq)
{
	sector_t chunk = dev->params.chunk >> SECTOR_SHIFT;

	return chunk && (blk_rq_pos(rq) & (chunk - 1)) + blk_rq_sectors(rq) >
			chunk;
}

static bool op_is_wanted(const struct abuse_device *dev, struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return true;
	case REQ_OP_WRITE:
		return !(rq->cmd_flags & REQ_FUA) ||
		       (dev->features & ABUSE_F_FUA);
	case REQ_OP_FLUSH:
		return dev->features & ABUSE_F_WRITE_CACHE;
	case REQ_OP_DISCARD:
		return (dev->features & ABUSE_F_DISCARD) &&
		       !crosses_chunk(dev, rq);
	case REQ_OP_WRITE_ZEROES:
		return (dev->features & ABUSE_F_WRITE_ZEROES) &&
		       !crosses_chunk(dev, rq);
	default:
		return false;
	}
}

/* Who opened the empty disk may still think in smaller blocks. */
static bool is_aligned(const struct request *rq)
{
	u32 mask = (queue_logical_block_size(rq->q) >> SECTOR_SHIFT) - 1;

	return !((blk_rq_pos(rq) | blk_rq_sectors(rq)) & mask);
}

/* The upper layers refuse most of these; some kernels only warn. */
static blk_status_t admit(const struct abuse_device *dev, struct request *rq)
{
	lockdep_assert_held(&dev->lock);
	if (dev->state != ABUSE_S_UP || dev->lapsed)
		return BLK_STS_IOERR;
	if (!op_is_wanted(dev, rq))
		return BLK_STS_NOTSUPP;
	if (op_is_write(req_op(rq)) && get_disk_ro(dev->disk))
		return BLK_STS_IOERR;
	if (req_op(rq) != REQ_OP_FLUSH && !is_aligned(rq))
		return BLK_STS_IOERR;
	if (abuse_rq_ends_beyond(rq, get_capacity(dev->disk)))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

static void enqueue(struct abuse_device *dev, struct request *rq, u64 now)
{
	struct abuse_slot *slot = abuse_slot_of(dev, rq);

	lockdep_assert_held(&dev->lock);
	slot->rq = rq;
	slot->holder = NULL;
	slot->handed = 0;
	slot->seq = dev->seq++;
	slot->queued_ns = now;
	slot->visible = dev->nr_visible < dev->queue_limit;
	abuse_slot_move_sure(slot, ABUSE_PENDING);
	if (slot->visible) {
		dev->nr_visible++;
		list_add_tail(&slot->node, &dev->pending);
	} else {
		dev->nr_backlog++;
		list_add_tail(&slot->node, &dev->backlog);
	}
	if (dev->timeout_ns)
		queue_delayed_work(abuse_wq, &dev->expire_work,
				   nsecs_to_jiffies(dev->timeout_ns) + 1);
	trace_abuse_queued(dev, slot);
}

static blk_status_t abuse_queue_rq(struct blk_mq_hw_ctx *hctx,
				   const struct blk_mq_queue_data *bd)
{
	struct abuse_device *dev = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	blk_status_t status;

	blk_mq_start_request(rq);
	spin_lock(&dev->lock);
	status = admit(dev, rq);
	if (status == BLK_STS_OK)
		enqueue(dev, rq, ktime_get_ns());
	else
		dev->nr_errors++;
	spin_unlock(&dev->lock);

	if (bd->last)
		abuse_wake_servers(dev);
	return status;
}

/* A plug; what is not admitted stays on the list, to be refused one by one. */
static ABUSE_QUEUE_RQS_FN(abuse_queue_rqs, list)
{
	struct abuse_device *dev = rq_list_peek(list)->q->queuedata;
	struct rq_list refused = { };
	u64 now = ktime_get_ns();
	struct request *rq;

	spin_lock(&dev->lock);
	while ((rq = rq_list_pop(list))) {
		if (admit(dev, rq) != BLK_STS_OK) {
			rq_list_add_tail(&refused, rq);
			continue;
		}
		blk_mq_start_request(rq);
		enqueue(dev, rq, now);
	}
	spin_unlock(&dev->lock);
	*list = refused;
	abuse_wake_servers(dev);
}

static void abuse_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	abuse_wake_servers(hctx->queue->queuedata);
}

/* Time-outs are ours (recover.c): by default a request waits for a server. */
static ABUSE_TIMEOUT_FN(abuse_rq_timeout, rq)
{
	return BLK_EH_RESET_TIMER;
}

const struct blk_mq_ops abuse_mq_ops = {
	.queue_rq	= abuse_queue_rq,
	ABUSE_QUEUE_RQS(abuse_queue_rqs)
	.commit_rqs	= abuse_commit_rqs,
	.timeout	= abuse_rq_timeout,
};

/* Back to the front of the queue; the caller moved it to pending. */
void abuse_queue_front(struct abuse_device *dev, struct abuse_slot *slot)
{
	lockdep_assert_held(&dev->lock);
	/* Who was handed it by GET_BIO knows it by an id that is gone. */
	if (slot->holder)
		slot->handed = 0;
	slot->holder = NULL;
	list_add(&slot->node, &dev->pending);
	trace_abuse_requeued(dev, slot);
}

/* Room within the queue limit: the oldest of the backlog become visible. */
void abuse_promote(struct abuse_device *dev)
{
	struct abuse_slot *slot;

	lockdep_assert_held(&dev->lock);
	while (dev->nr_backlog && dev->nr_visible < dev->queue_limit) {
		slot = list_first_entry(&dev->backlog, struct abuse_slot, node);
		list_move_tail(&slot->node, &dev->pending);
		slot->visible = true;
		dev->nr_backlog--;
		dev->nr_visible++;
	}
}

/*
 * One waiter in exchange, who wakes the next if it leaves something behind, unless
 * a server is spinning, which looks once more before it sleeps; and all who poll.
 * Pairs with the barriers in prepare_to_wait_exclusive(), in poll_wait() and at the
 * end of the spin: either they see the request or we see them.
 */
void abuse_wake_servers(struct abuse_device *dev)
{
	if (wq_has_sleeper(&dev->fetch_wait) && !atomic_read(&dev->nr_spinning))
		wake_up_interruptible(&dev->fetch_wait);
	if (wq_has_sleeper(&dev->poll_wait))
		wake_up_interruptible_poll(&dev->poll_wait,
					   EPOLLIN | EPOLLRDNORM | EPOLLMSG);
}
