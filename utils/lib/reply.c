// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Makes replies: maps each result to one that the kernel allows, and counts it. run.c
 * enters, and has a fast path for most replies.
 */
#include "internal.h"

/* The result for @err that the kernel allows for @op. */
static uint32_t allowed_result(uint32_t op, int err)
{
	switch (err) {
	case 0:
	case ENOSPC:
	case ETIMEDOUT:
	case ENODATA:
	case EILSEQ:
	case ENOLINK:
		return (uint32_t)err;
	case EDQUOT:
	case EFBIG:
		return ENOSPC;
	case EOPNOTSUPP:
		if (op == ABUSE_OP_DISCARD || op == ABUSE_OP_WRITE_ZEROES)
			return EOPNOTSUPP;
		break;
	}
	return EIO;
}

static void count_reply(struct abuse_counts *counts, const struct slot *slot,
			const struct abuse_reply *reply)
{
	uint32_t op = slot->req.op;

	if (op < NR_OPS)
		count(&counts->ops[op], 1);
	if (reply->result)
		count(&counts->errors, 1);
	else if (op == ABUSE_OP_READ)
		count(&counts->read_bytes, slot->req.length);
	else if (op == ABUSE_OP_WRITE)
		count(&counts->written_bytes, slot->req.length);
	if (reply->flags & ABUSE_REPLY_REDIRECT)
		count(&counts->redirected, 1);
}

void queue_reply(struct queue *queue, struct slot *slot, int result)
{
	struct abuse_reply *to = &queue->replies[queue->nr_replies];

	queue->replied[queue->nr_replies++] = slot;
	*to = (struct abuse_reply) { .id = slot->id };
	if (result < 0)
		to->result = allowed_result(slot->req.op, -result);
	else
		reply_with_bytes(to, slot, result);
	count_reply(&queue->counts, slot, to);
}
