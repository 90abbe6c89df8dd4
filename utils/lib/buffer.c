// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Memory for data: the kernel puts payloads of WRITEs there, and callbacks the data of
 * READs. Segments are filled from front to back; a segment is empty again when all
 * requests with data in it have been completed.
 */
#include "internal.h"

/* A segment with @length bytes to spare, or NULL. */
static struct segment *find_segment(struct queue *queue, size_t length)
{
	struct segment *segment = queue->current;
	unsigned int i;

	if (queue->srv->segment_size - segment->used >= length)
		return segment;
	for (i = 0; i < queue->nr_segments; i++) {
		segment = &queue->segments[i];
		if (!segment->users)
			return queue->current = segment;
	}
	return NULL;
}

static inline size_t aligned(size_t length)
{
	return (length + ABUSE_PAYLOAD_ALIGN - 1) & ~(size_t)(ABUSE_PAYLOAD_ALIGN - 1);
}

void queue_vacate(struct queue *queue)
{
	struct segment *segment;
	unsigned int i;

	for (i = 0; i < queue->nr_replies; i++) {
		segment = queue->replied[i]->segment;
		if (segment && !--segment->users)
			segment->used = 0;
		queue->replied[i]->segment = NULL;
	}
}

bool queue_make_room(struct queue *queue, struct slot *slot)
{
	struct segment *segment = find_segment(queue, slot->req.length);

	if (!segment)
		return false;
	slot->req.data = segment->at + segment->used;
	slot->segment = segment;
	segment->used += aligned(slot->req.length);
	segment->users++;
	return true;
}

bool queue_open_window(struct queue *queue)
{
	struct abuse_exchange *call = &queue->call;
	struct segment *segment;

	segment = find_segment(queue, queue->srv->params.max_request);
	queue->window = segment;
	if (segment) {
		call->buffer = (uintptr_t)(segment->at + segment->used);
		call->buffer_size = queue->srv->segment_size - segment->used;
	}
	return segment;
}

/* Data of READs comes behind the last WRITE payload of this call. */
void queue_close_window(struct queue *queue, unsigned int nr)
{
	const struct abuse_request *from = queue->requests, *end = from + nr;
	struct segment *window = queue->window;
	uint64_t used = 0;

	for (; from < end; from++)
		if (from->op == ABUSE_OP_WRITE) {
			used = from->offset + from->length;
			window->users++;
		}
	window->used += aligned(used);
}
