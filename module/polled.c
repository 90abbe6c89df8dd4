// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Polled I/O: a submitter that asks for it (IORING_SETUP_IOPOLL) does not sleep until its request
 * is completed, which costs more than a request. It runs on its processor and looks again and
 * again. Servers and workers complete its requests like any other, so that a queue of its own
 * would gain nothing: it uses the queues of all, and there is nothing to do in a poll.
 *
 * Only a sealed disk takes it (disk.c). When a submitter is killed, the kernel goes on polling for
 * it in a task of its own, so whoever serves the disk must not be able to let requests wait for
 * ever. Kernels without that feature in the limits cannot refuse polled I/O to one disk, and some
 * (5.15) poll for each page that they need from swap space.
 */
#include "abuse.h"

#if ABUSE_HAVE_POLL_FEATURE

/* Into the queues that the tag set has, each for both kinds of submitters. */
void abuse_map_queues(struct blk_mq_tag_set *set)
{
	unsigned int type;

	for (type = 0; type < set->nr_maps; type++) {
		struct blk_mq_queue_map *map = &set->map[type];

		/* Without queues of their own, reads go where all go. */
		map->nr_queues = type == HCTX_TYPE_READ ? 0 : set->nr_hw_queues;
		if (map->nr_queues)
			blk_mq_map_queues(map);
	}
}

/* The submitter sees by itself that its request is completed. */
int abuse_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *batch)
{
	return 0;
}

/*
 * In the place of blk_mq_start_request().
 *
 * From the flags of a polled bio bio_put() concludes that bottom halves are on, but here they are
 * off where a request is completed (complete.c). The flags have no other use once a request is
 * started; a scheduler merges bios with them and without.
 */
void abuse_start_request(struct request *rq)
{
	struct bio *bio;

	blk_mq_start_request(rq);
	if (likely(!(rq->cmd_flags & REQ_POLLED) && rq->bio == rq->biotail))
		return;
	__rq_for_each_bio(bio, rq)
		if (bio->bi_opf & REQ_POLLED)
			bio_clear_polled(bio);
}

#endif
