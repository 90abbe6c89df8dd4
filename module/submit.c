// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * A request arrives: the block layer enters here, the request is put at the end
 * of the queue and a server is woken; fetch.c goes on. Never touches user memory.
 */
#include "abuse.h"
#include "trace.h"

/* Kernels split these by the chunk or not: the submitter falls back to writes. */
static bool abuse_crosses_chunk(const struct abuse_device *dev, struct request *rq)
{
	sector_t chunk = READ_ONCE(dev->chunk) >> SECTOR_SHIFT;

	return chunk && (blk_rq_pos(rq) & (chunk - 1)) + blk_rq_sectors(rq) >
			chunk;
}

static bool abuse_is_write_wanted(const struct abuse_device *dev,
			    const struct request *rq)
{
	return (!(rq->cmd_flags & REQ_FUA) || (dev->features & ABUSE_F_FUA)) &&
	       (!(rq->cmd_flags & REQ_ATOMIC) ||
		(dev->features & ABUSE_F_ATOMIC));
}

static __always_inline bool abuse_is_op_wanted(const struct abuse_device *dev,
					 struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return true;
	case REQ_OP_WRITE:
		return !(rq->cmd_flags & (REQ_FUA | REQ_ATOMIC)) ||
		       abuse_is_write_wanted(dev, rq);
	case REQ_OP_FLUSH:
		return dev->features & ABUSE_F_WRITE_CACHE;
	case REQ_OP_DISCARD:
		return (dev->features & ABUSE_F_DISCARD) &&
		       !abuse_crosses_chunk(dev, rq);
	case REQ_OP_WRITE_ZEROES:
		return (dev->features & ABUSE_F_WRITE_ZEROES) &&
		       !abuse_crosses_chunk(dev, rq);
	default:
		return false;
	}
}

/* A program that opened the unconfigured disk may still use smaller blocks. */
static bool abuse_is_request_aligned(const struct request *rq)
{
	u32 mask = (queue_logical_block_size(rq->q) >> SECTOR_SHIFT) - 1;

	return !((blk_rq_pos(rq) | blk_rq_sectors(rq)) & mask);
}

/* The upper layers refuse most of these; some kernels only warn. */
static __always_inline blk_status_t abuse_check_request(const struct abuse_device *dev,
		struct request *rq)
{
	if (smp_load_acquire(&dev->state) != ABUSE_S_UP)
		return BLK_STS_IOERR;
	if (!abuse_is_op_wanted(dev, rq))
		return BLK_STS_NOTSUPP;
	/* Not get_disk_ro(): blockdev --setro leaves a mounted file system alone. */
	if (op_is_write(req_op(rq)) && READ_ONCE(dev->read_only))
		return BLK_STS_IOERR;
	if (req_op(rq) != REQ_OP_FLUSH && !abuse_is_request_aligned(rq))
		return BLK_STS_IOERR;
	if (abuse_rq_ends_beyond(rq, get_capacity(dev->disk)))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

/* For map_submit.c, which needs no server: patience does not count. */
blk_status_t abuse_submit_check(const struct abuse_device *dev,
				struct request *rq)
{
	return abuse_check_request(dev, rq);
}

static __always_inline blk_status_t abuse_admit_request(const struct abuse_device *dev,
		struct request *rq)
{
	blk_status_t status = abuse_check_request(dev, rq);

	if (status == BLK_STS_OK && READ_ONCE(dev->patience) != ABUSE_WAITS)
		return BLK_STS_IOERR;
	return status;
}

/*
 * A request begins: it is nobody's yet. By tag: a flush borrows the tag of the request that
 * it was made for, which is not with us meanwhile, so that a tag stands for one request at
 * any time.
 */
static __always_inline struct abuse_slot *
abuse_begin_request(struct abuse_queue *queue, struct request *rq)
{
	struct abuse_slot *slot = &queue->slots[rq->tag];

	slot->rq = rq;
	WRITE_ONCE(slot->holder, NULL);
	slot->handed = 0;
	WRITE_ONCE(slot->queued, get_jiffies_64());
	return slot;
}

/* One for map_submit.c: no server is to have it. */
struct abuse_slot *abuse_submit_begin(struct abuse_device *dev, struct request *rq)
{
	struct abuse_queue *queue = &dev->queues[rq->mq_hctx->queue_num];
	struct abuse_slot *slot = abuse_begin_request(queue, rq);

	slot->counted = false;
	WRITE_ONCE(slot->in_backlog, false);
	return slot;
}

/* At the end of its queue. */
static __always_inline void abuse_enqueue_request(struct abuse_device *dev,
				    struct abuse_queue *queue,
				    struct abuse_slot *slot,
				    enum abuse_slot_state from)
{
	lockdep_assert_held(&queue->lock);
	slot->seq = queue->seq++;
	abuse_slot_step(slot, from, ABUSE_PENDING);
	abuse_limit_arrive(dev, queue, slot);
	trace_abuse_queued(dev, slot);
}

/* Before anything of a user's device is queued. */
static void abuse_note_arrival(struct abuse_device *dev)
{
	u64 tick = get_jiffies_64();

	if (abuse_device_is_users(dev) && READ_ONCE(dev->arrival_tick) != tick)
		abuse_note_tick(dev);
}

static __always_inline blk_status_t abuse_take_request(struct abuse_device *dev,
					 struct abuse_queue *queue,
					 struct request *rq)
{
	blk_status_t status = abuse_admit_request(dev, rq);

	if (likely(status == BLK_STS_OK)) {
		abuse_start_request(rq);
		abuse_enqueue_request(dev, queue, abuse_begin_request(queue, rq),
				      ABUSE_FREE);
	}
	return status;
}

/* Once the lock is dropped: what was put into the backlog may have room meanwhile. */
static void abuse_submit_promote(struct abuse_device *dev)
{
	if (unlikely(atomic_read(&dev->nr_backlog)))
		abuse_limit_promote(dev);
}

static struct abuse_queue *abuse_queue_of_request(struct abuse_device *dev,
				    const struct blk_mq_hw_ctx *hctx)
{
	return &dev->queues[hctx->queue_num];
}

/*
 * The files of the map are synced: the FLUSH goes on to servers. False: the device takes
 * none any more.
 */
bool abuse_submit_flush(struct abuse_device *dev, struct abuse_slot *slot)
{
	struct abuse_queue *queue = abuse_queue_of(dev, slot);
	blk_status_t status;

	spin_lock(&queue->lock);
	status = abuse_admit_request(dev, slot->rq);
	/* The sync of the files may have taken longer than a server is given. */
	WRITE_ONCE(slot->queued, get_jiffies_64());
	if (status == BLK_STS_OK)
		abuse_enqueue_request(dev, queue, slot, ABUSE_REDIRECTED);
	spin_unlock(&queue->lock);
	if (status != BLK_STS_OK)
		return false;
	abuse_submit_promote(dev);
	abuse_wake_one(dev, queue);
	abuse_watch(dev);
	return true;
}

/* No more of a plug comes: servers, and workers of the lane, begin with what has come. */
static void abuse_submit_end(struct abuse_device *dev, struct abuse_queue *queue)
{
	/* Not has_map: since the first request of the plug, RESET may have taken the map. */
	if (smp_load_acquire(&dev->lanes))
		abuse_map_submit_end(dev, queue - dev->queues);
	abuse_wake_one(dev, queue);
	abuse_watch(dev);
}

static blk_status_t abuse_submit_to_servers(struct abuse_device *dev,
					    struct abuse_queue *queue,
					    struct request *rq)
{
	blk_status_t status;

	abuse_note_arrival(dev);
	spin_lock(&queue->lock);
	status = abuse_take_request(dev, queue, rq);
	spin_unlock(&queue->lock);
	abuse_submit_promote(dev);

	if (status != BLK_STS_OK)
		abuse_count(dev, errors, 1);
	return status;
}

/* A MAP that follows waits until the request is queued for servers, if it is for them. */
static blk_status_t abuse_submit_by_map(struct abuse_device *dev,
					struct abuse_queue *queue,
					const struct blk_mq_queue_data *bd)
{
	int idx = srcu_read_lock(&abuse_map_srcu);
	blk_status_t status = BLK_STS_OK;

	if (!abuse_map_submit(dev, queue, bd->rq, bd->last))
		status = abuse_submit_to_servers(dev, queue, bd->rq);
	srcu_read_unlock(&abuse_map_srcu, idx);
	return status;
}

static blk_status_t abuse_queue_rq(struct blk_mq_hw_ctx *hctx,
				   const struct blk_mq_queue_data *bd)
{
	struct abuse_device *dev = hctx->queue->queuedata;
	struct abuse_queue *queue = abuse_queue_of_request(dev, hctx);
	blk_status_t status;

	if (smp_load_acquire(&dev->has_map))
		status = abuse_submit_by_map(dev, queue, bd);
	else
		status = abuse_submit_to_servers(dev, queue, bd->rq);
	if (bd->last)
		abuse_submit_end(dev, queue);
	return status;
}

/* Of a plug, what is one queue's; what is not admitted goes to refused. */
static void abuse_queue_run(struct abuse_device *dev, struct rq_list *list,
		      struct rq_list *refused)
{
	struct blk_mq_hw_ctx *hctx = rq_list_peek(list)->mq_hctx;
	struct abuse_queue *queue = abuse_queue_of_request(dev, hctx);
	struct request *rq;

	abuse_note_arrival(dev);
	spin_lock(&queue->lock);
	while ((rq = rq_list_peek(list)) && rq->mq_hctx == hctx) {
		rq_list_pop(list);
		if (abuse_take_request(dev, queue, rq) != BLK_STS_OK)
			rq_list_add_tail(refused, rq);
	}
	spin_unlock(&queue->lock);
	abuse_submit_promote(dev);
	abuse_wake_one(dev, queue);
	abuse_watch(dev);
}

static void abuse_queue_list(struct abuse_device *dev, struct rq_list *list)
{
	struct rq_list refused = { };

	while (rq_list_peek(list))
		abuse_queue_run(dev, list, &refused);
	*list = refused;
}

/* A plug; what stays on the list is refused one by one. */
static ABUSE_QUEUE_RQS_FN(abuse_queue_rqs, list)
{
	struct abuse_device *dev = rq_list_peek(list)->q->queuedata;
	int idx;

	if (!smp_load_acquire(&dev->has_map)) {
		abuse_queue_list(dev, list);
		return;
	}
	idx = srcu_read_lock(&abuse_map_srcu);
	abuse_map_submit_list(dev, list);
	abuse_queue_list(dev, list);
	srcu_read_unlock(&abuse_map_srcu, idx);
}

static void abuse_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct abuse_device *dev = hctx->queue->queuedata;

	abuse_submit_end(dev, abuse_queue_of_request(dev, hctx));
}

/* Time-outs are ours (expire.c): by default a request waits for a server. */
static ABUSE_TIMEOUT_FN(abuse_rq_timeout, rq)
{
	return BLK_EH_RESET_TIMER;
}

const struct blk_mq_ops abuse_mq_ops = {
	.queue_rq	= abuse_queue_rq,
	ABUSE_QUEUE_RQS(abuse_queue_rqs)
	.commit_rqs	= abuse_commit_rqs,
	ABUSE_POLL_OPS(abuse_map_queues, abuse_poll)
	.timeout	= abuse_rq_timeout,
};
