// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * A request arrives on a device that has a map: it is served in place from the page cache,
 * or by a worker on the file of its range (redirect.c), or is left to submit.c, which queues it
 * for servers. Never sleeps. The caller is in a section of abuse_map_srcu until the request is where it belongs.
 */
#include "abuse.h"

/* Bytes that are copied in place: of one request, and of a plug. */
#define ABUSE_MAP_READ_MOST	(128U << 10)
#define ABUSE_MAP_PLUG_MOST	(1U << 20)

/* Requests that a submitter has taken from the block layer and not yet passed on. */
struct abuse_map_run {
	struct abuse_tally tally;	/* ended in place, and jobs for workers */
	unsigned int copied;		/* bytes; of the plug */
	unsigned int nr_in_place;
	unsigned int nr_by_worker;
	unsigned int nr_missed;
};

/* The right that a range must grant; 0: no range does. */
static u32 abuse_map_right(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return ABUSE_MAP_READ;
	case REQ_OP_WRITE:
		return rq->cmd_flags & REQ_ATOMIC ? 0 : ABUSE_MAP_WRITE;
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		return ABUSE_MAP_SHAPE;
	default:
		return 0;
	}
}

static bool abuse_map_read_here(struct request *rq,
				const struct abuse_place *place,
				struct abuse_map_run *run)
{
	unsigned int bytes = blk_rq_bytes(rq);

	if (req_op(rq) != REQ_OP_READ || bytes > ABUSE_MAP_READ_MOST ||
	    run->copied + bytes > ABUSE_MAP_PLUG_MOST ||
	    !abuse_map_read(rq, place))
		return false;
	run->copied += bytes;
	return true;
}

/* True: it is ours, and ends in place or by a worker. In the section. */
static bool abuse_map_take(struct abuse_device *dev, struct request *rq,
			   struct abuse_map_run *run)
{
	struct abuse_place place = { };
	u64 sector = blk_rq_pos(rq);

	if (abuse_submit_check(dev, rq) != BLK_STS_OK)
		return false;
	if (req_op(rq) != REQ_OP_FLUSH &&
	    !abuse_map_find(dev->map, sector, sector + blk_rq_sectors(rq),
			    abuse_map_right(rq), &place)) {
		run->nr_missed++;
		return false;
	}
	abuse_start_request(rq);
	if (abuse_map_read_here(rq, &place, run)) {
		abuse_end_in_place(dev, rq, &run->tally);
		run->nr_in_place++;
		return true;
	}
	abuse_redirect_mapped(dev, rq, &place, &run->tally);
	run->nr_by_worker += !!place.target;
	return true;
}

/* Passes requests on: some end here, workers begin with the others, at once if call says so. */
static void abuse_map_run_end(struct abuse_device *dev,
			      struct abuse_queue *queue,
			      struct abuse_map_run *run, bool call)
{
	if (run->tally.jobs.first || call)
		abuse_lane_submit(dev, queue - dev->queues, &run->tally.jobs,
				  call);
	run->tally.jobs.first = NULL;
	abuse_settle(dev, &run->tally);
	if (run->nr_in_place)
		abuse_count(dev, map_in_place, run->nr_in_place);
	if (run->nr_by_worker)
		abuse_count(dev, map_by_worker, run->nr_by_worker);
	if (run->nr_missed)
		abuse_count(dev, map_missed, run->nr_missed);
}

/*
 * One request of several, if it is not the last; abuse_map_submit_end() follows. False: it is
 * left to servers.
 */
bool abuse_map_submit(struct abuse_device *dev, struct abuse_queue *queue,
		      struct request *rq, bool last)
{
	u32 copied = READ_ONCE(queue->copied);
	struct abuse_map_run run = { .copied = copied };
	bool taken;

	taken = abuse_map_take(dev, rq, &run);
	abuse_map_run_end(dev, queue, &run, false);
	if (last)
		run.copied = 0;
	if (run.copied != copied)
		WRITE_ONCE(queue->copied, run.copied);
	return taken;
}

/* Of a plug, those of one queue; copied: bytes of the whole plug. */
static void abuse_map_submit_run(struct abuse_device *dev, struct rq_list *list,
				 struct rq_list *left, unsigned int *copied)
{
	struct blk_mq_hw_ctx *hctx = rq_list_peek(list)->mq_hctx;
	struct abuse_map_run run = { .copied = *copied };
	struct request *rq;

	while ((rq = rq_list_peek(list)) && rq->mq_hctx == hctx) {
		rq_list_pop(list);
		if (!abuse_map_take(dev, rq, &run))
			rq_list_add_tail(left, rq);
	}
	*copied = run.copied;
	abuse_map_run_end(dev, &dev->queues[hctx->queue_num], &run, true);
}

/* A plug: what is left to servers stays on the list, in its order. */
void abuse_map_submit_list(struct abuse_device *dev, struct rq_list *list)
{
	struct rq_list left = { };
	unsigned int copied = 0;

	while (rq_list_peek(list))
		abuse_map_submit_run(dev, list, &left, &copied);
	*list = left;
}

/* No more of a plug comes: workers begin with what was left to them. */
void abuse_map_submit_end(struct abuse_device *dev, u32 number)
{
	const struct abuse_jobs none = { };

	if (READ_ONCE(dev->queues[number].copied))
		WRITE_ONCE(dev->queues[number].copied, 0);
	abuse_lane_submit(dev, number, &none, true);
}
