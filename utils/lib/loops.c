// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Event loops: a program with a loop of its own waits for the descriptor of a queue and
 * has what is there served, in place of threads of the library's.
 */
#include "internal.h"

#define MAX_TURNS	16		/* in a dispatch, before others have theirs */

static int find_loop(struct abuse_server *srv, unsigned int loop)
{
	if (loop >= srv->nr_queues)
		return reason_set(-EINVAL, "loop %u: the server has %u", loop, srv->nr_queues);
	return server_enter(srv, SERVES_LOOPS) ? 0 : server_explain(srv, -EBUSY);
}

int abuse_server_fd(struct abuse_server *srv, unsigned int loop)
{
	int ret = find_loop(srv, loop);

	if (ret < 0)
		return ret;
	if (!SWAP(srv->queues[loop].is_polled, true))
		queue_ring(&srv->queues[loop]);	/* have the first dispatch come */
	return srv->queues[loop].epoll;
}

static int dispatch(struct queue *queue)
{
	/* Of this thread: when it was last declared a flusher, plus 1. */
	static __thread unsigned int declared;
	unsigned int turns = 0;
	int ret;

	if (declared != memory_generation() + 1 ||
	    LOAD(queue->srv->generation) != memory_generation()) {
		server_hold_again(queue->srv);
		declared = memory_generation() + 1;
	}
	queue_rise(queue);
	do
		ret = queue_turn(queue, 0);
	while (ret > 0 && ++turns < MAX_TURNS);
	if (ret > 0)
		queue_ring(queue);
	/* A turn that fetches no request does not notice a reset. */
	if (!ret && (queue->is_full || LOAD(queue->srv->is_stopped)))
		ret = queue_is_orphaned(queue);
	queue_lie_down(queue);
	return ret < 0 ? ret : 0;
}

int abuse_server_dispatch(struct abuse_server *srv, unsigned int loop)
{
	struct queue *queue;
	int ret;

	ret = find_loop(srv, loop);
	if (ret < 0)
		return ret;
	queue = &srv->queues[loop];
	if (SWAP(queue->is_dispatching, true))
		return server_explain(srv, -EDEADLK);
	ret = dispatch(queue);
	STORE(queue->is_dispatching, false);
	return ret < 0 && ret != -ESHUTDOWN ? server_explain(srv, ret) : ret;
}
