// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The memory of a queue: all memory for serving is allocated before serving starts.
 * abuse_server_open() has checked all sizes.
 */
#include "internal.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

static int alloc_buffer(struct queue *queue)
{
	const struct abuse_server *srv = queue->srv;
	unsigned int i;
	void *at;

	if (!srv->buffer_size)
		return 0;
	at = mmap(NULL, srv->buffer_size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	queue->buffer = at;
	queue->nr_segments = (unsigned int)(srv->buffer_size / srv->segment_size);
	for (i = 0; i < queue->nr_segments; i++)
		queue->segments[i].at = queue->buffer + i * srv->segment_size;
	queue->current = queue->segments;
	return 0;
}

static int do_nothing(struct abuse_req *req)
{
	(void)req;
	return 0;
}

static int answer_eio(struct abuse_req *req)
{
	(void)req;
	return -EIO;
}

static int answer_eopnotsupp(struct abuse_req *req)
{
	(void)req;
	return -EOPNOTSUPP;
}

/* FLUSH itself does nothing: run.c calls the flush callback once for all requests that wait for it. */
static void choose_callbacks(int (**callbacks)(struct abuse_req *req),
			     const struct abuse_ops *ops)
{
	callbacks[ABUSE_OP_READ] = ops->pread ? ops->pread : answer_eio;
	callbacks[ABUSE_OP_WRITE] = ops->pwrite ? ops->pwrite : answer_eio;
	callbacks[ABUSE_OP_FLUSH] = do_nothing;
	callbacks[ABUSE_OP_DISCARD] = ops->trim ? ops->trim : answer_eopnotsupp;
	callbacks[ABUSE_OP_WRITE_ZEROES] = ops->zero ? ops->zero : answer_eopnotsupp;
	callbacks[NR_OPS] = answer_eio;
}

int queue_init(struct queue *queue, struct abuse_server *srv)
{
	unsigned int i, nr = 2 * srv->config.depth;

	*queue = (struct queue) {
		.srv = srv,
		.nr_slots = nr,
		.is_without_data = srv->config.flags & ABUSE_SERVER_NO_READ_DATA,
		.bell = -1,
		.epoll = -1,
		.requests = calloc(nr, sizeof(*queue->requests)),
		.replies = calloc(nr, sizeof(*queue->replies)),
		.replied = calloc(nr, sizeof(struct slot *)),
		.free = calloc(nr, sizeof(struct slot *)),
		.slots = calloc(nr, sizeof(*queue->slots)),
	};
	if (!queue->requests || !queue->replies || !queue->replied || !queue->free ||
	    !queue->slots)
		return -ENOMEM;
	list_init(&queue->todo);
	list_init(&queue->late);
	for (i = 0; i < nr; i++) {
		queue->slots[i].queue = queue;
		queue->slots[i].req.arg = srv->config.arg;
		queue->free[i] = &queue->slots[i];
	}
	queue->nr_free = nr;
	choose_callbacks(queue->callbacks, &srv->ops);
	queue->call = (struct abuse_exchange) {
		.size = sizeof(queue->call),
		.reply_size = sizeof(*queue->replies),
		.request_size = sizeof(*queue->requests),
		.replies = (uintptr_t)queue->replies,
		.requests = (uintptr_t)queue->requests,
		.spin = srv->config.spin,
	};
	return alloc_buffer(queue) ?: queue_open_bell(queue);
}

void queue_destroy(struct queue *queue)
{
	if (!queue->srv)
		return;
	/* These threads have returned their requests, and are about to leave abuse_req_done(). */
	while (LOAD(queue->nr_answering))
		sched_yield();
	queue_close_bell(queue);
	if (queue->buffer)
		munmap(queue->buffer, queue->srv->buffer_size);
	free(queue->requests);
	free(queue->replies);
	free(queue->replied);
	free(queue->free);
	free(queue->slots);
}
