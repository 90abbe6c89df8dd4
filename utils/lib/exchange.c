// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The exchange with the kernel: sends replies, fetches requests. Calls no callback. If the
 * kernel refuses a reply, sends an error for that request.
 */
#include "internal.h"

#include <string.h>

/* The request was counted as completed; correct the counters. */
static void count_refused(struct abuse_counts *counts, const struct slot *slot)
{
	if (slot->req.op == ABUSE_OP_READ)
		count(&counts->read_bytes, -slot->req.length);
	else if (slot->req.op == ABUSE_OP_WRITE)
		count(&counts->written_bytes, -slot->req.length);
	if (slot->marks & IS_REDIRECTED)
		count(&counts->redirected, (uint64_t)-1);
	count(&counts->errors, 1);
}

/* The reply was processed: the program may reuse the memory that the reply named. */
static void release_slot(struct queue *queue, struct slot *slot)
{
	void (*release)(struct abuse_req *req) = queue->srv->ops.release;

	if (release && slot->marks & (IS_POINTED | IS_STORED))
		release(&slot->req);
	queue_free_slot(queue, slot);
}

/* The kernel refused the reply and the request is still held: reply with an error. */
static void clear_refused(struct queue *queue)
{
	unsigned int i, nr = 0;

	for (i = 0; i < queue->nr_replies; i++) {
		struct abuse_reply *to = &queue->replies[i];
		struct slot *slot = queue->replied[i];

		if (!to->status || to->status == ESTALE) {
			if (to->status)
				count(&queue->counts.stale, 1);
			release_slot(queue, slot);
			continue;
		}
		server_debug(queue->srv, "the answer to a request of %llu bytes at %llu was refused: %s",
			     (unsigned long long)slot->req.length,
			     (unsigned long long)slot->req.offset, strerror((int)to->status));
		if (!to->result)
			count_refused(&queue->counts, slot);
		queue->replied[nr] = slot;
		queue->replies[nr++] = (struct abuse_reply) {
			.id = to->id, .result = EIO,
		};
	}
	queue->nr_replies = nr;
}

static void clear_replies(struct queue *queue, unsigned int nr_taken)
{
	unsigned int i;

	if (nr_taken != queue->nr_replies) {
		clear_refused(queue);
		return;
	}
	for (i = 0; i < nr_taken; i++)
		release_slot(queue, queue->replied[i]);
	queue->nr_replies = 0;
}

int queue_exchange(struct queue *queue, unsigned int max_requests, int64_t wait)
{
	const struct abuse_server *srv = queue->srv;
	struct abuse_exchange *call = &queue->call;
	int ret;

	if (srv->buffer_size)
		queue_vacate(queue);
	if (max_requests && srv->buffer_size &&
	    !(srv->config.flags & ABUSE_SERVER_NO_WRITE_DATA) &&
	    !queue_open_window(queue))
		max_requests = 0;
	queue->is_full = !max_requests;
	call->wait = wait;
	call->nr_replies = queue->nr_replies;
	do {
		call->max_requests = LOAD(srv->is_stopped) ? 0 : max_requests;
		if (!call->max_requests && !call->nr_replies)
			return 0;
		ret = abuse_ioctl(srv->fd, ABUSE_EXCHANGE, call);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	count(&queue->counts.calls, 1);
	clear_replies(queue, call->nr_taken);
	return (int)call->nr_requests;
}

int queue_answer(struct queue *queue)
{
	int ret = 0;

	/* Refused replies are sent again, as errors. */
	while (queue->nr_replies && ret >= 0)
		ret = queue_exchange(queue, 0, 0);
	return ret;
}
