// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Calls for callbacks, from any thread: complete a request later, name the memory of its
 * data, or redirect it to a file. The slot returns to its queue on a stack without a lock;
 * turn.c takes it from there. Allocates nothing, makes no exchange.
 */
#include "internal.h"

#include <string.h>

static struct slot *slot_of(struct abuse_req *req)
{
	return (struct slot *)(void *)req;
}

int abuse_req_done(struct abuse_req *req, int result)
{
	struct slot *slot = slot_of(req);
	struct queue *queue = slot->queue;
	bool is_answer = result < 0 || !result ||
			 (result == ABUSE_ZEROES && req->op == ABUSE_OP_READ);

	__atomic_add_fetch(&queue->nr_answering, 1, __ATOMIC_SEQ_CST);
	if (!slot_claim(slot)) {
		__atomic_sub_fetch(&queue->nr_answering, 1, __ATOMIC_SEQ_CST);
		return -EALREADY;
	}
	slot->result = is_answer ? result : -EIO;
	slot->next = LOAD(queue->done);
	while (!__atomic_compare_exchange_n(&queue->done, &slot->next, slot, true,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	/* From here on the slot may belong to another request; after the count drops, the queue may be freed. */
	queue_wake(queue);
	__atomic_sub_fetch(&queue->nr_answering, 1, __ATOMIC_SEQ_CST);
	return is_answer ? 0 : -EINVAL;
}

int abuse_req_point(struct abuse_req *req, const void *bytes)
{
	struct slot *slot = slot_of(req);

	if (LOAD(slot->state) != SLOT_BEGUN)
		return -EALREADY;
	if (req->op != ABUSE_OP_READ)
		return -EOPNOTSUPP;
	if (!bytes)
		return -EINVAL;
	/* If a redirect was set before, this call replaces it. */
	slot->marks &= ~(unsigned int)IS_REDIRECTED;
	slot->marks |= IS_POINTED;
	req->data = (void *)(uintptr_t)bytes;
	return 0;
}

int abuse_req_gather(struct abuse_req *req, const struct iovec *pieces, unsigned int nr)
{
	struct slot *slot = slot_of(req);
	uint64_t length = 0;
	unsigned int i;
	char *to;

	if (LOAD(slot->state) != SLOT_BEGUN)
		return -EALREADY;
	if (req->op != ABUSE_OP_READ || !slot->segment || slot->marks & IS_POINTED)
		return -EOPNOTSUPP;
	for (i = 0; i < nr; i++)
		length += pieces[i].iov_len;
	if (length != req->length)
		return -EINVAL;
	slot->marks &= ~(unsigned int)IS_REDIRECTED;
	for (to = req->data, i = 0; i < nr; to += pieces[i++].iov_len)
		memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
	return 0;
}

struct abuse_server *abuse_req_server(const struct abuse_req *req)
{
	return ((const struct slot *)(const void *)req)->queue->srv;
}

int abuse_req_store(struct abuse_req *req, void *place)
{
	struct slot *slot = slot_of(req);

	if (LOAD(slot->state) != SLOT_BEGUN)
		return -EALREADY;
	/* A flush would run before the kernel has stored the data. */
	if (req->op != ABUSE_OP_WRITE ||
	    req->flags & (ABUSE_REQ_FUA | ABUSE_REQ_ATOMIC) ||
	    !(slot->queue->srv->params.all_features & ABUSE_F_STORE))
		return -EOPNOTSUPP;
	if (!place)
		return -EINVAL;
	slot->marks = IS_STORED;
	slot->target = (uintptr_t)place;
	return 0;
}

int abuse_req_redirect(struct abuse_req *req, unsigned int file, uint64_t offset)
{
	struct slot *slot = slot_of(req);

	if (LOAD(slot->state) != SLOT_BEGUN)
		return -EALREADY;
	if (!(slot->queue->srv->params.all_features & ABUSE_F_REDIRECT) ||
	    req->flags & ABUSE_REQ_ATOMIC)
		return -EOPNOTSUPP;
	/* A write that waits for its flush is executed already. */
	if (slot->marks & IS_FLUSHING && req->op != ABUSE_OP_FLUSH)
		return -EOPNOTSUPP;
	slot->marks &= ~(unsigned int)IS_STORED;
	slot->marks |= IS_REDIRECTED;
	slot->file = file;
	slot->target = req->op == ABUSE_OP_FLUSH ? 0 : offset;
	return 0;
}
