// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request: its slot, its id, and the one function that moves it between the
 * states of abuse.h. Knows nothing of queues, servers or user memory.
 */
#include <linux/nospec.h>

#include "abuse.h"

/*
 * Moves a slot from the state the caller saw. False: somebody else was faster,
 * the caller must look again. An illegal move warns once and is refused.
 */
bool abuse_slot_move(struct abuse_slot *slot, u64 seen,
		     enum abuse_slot_state to)
{
	enum abuse_slot_state from = abuse_word_state(seen);
	u64 next = (seen >> ABUSE_STATE_BITS << ABUSE_STATE_BITS) | to;

	if (WARN_ON_ONCE(!abuse_move_is_legal(from, to)))
		return false;
	if (abuse_move_starts_generation(from, to))
		next += 1ULL << ABUSE_STATE_BITS;
	return atomic64_cmpxchg(&slot->word, seen, next) == seen;
}

/* For moves that nobody else can make: from pending under its queue's lock, from free. */
void abuse_slot_move_sure(struct abuse_slot *slot, enum abuse_slot_state to)
{
	WARN_ON_ONCE(!abuse_slot_move(slot, abuse_slot_word(slot), to));
}

u64 abuse_slot_id(const struct abuse_device *dev, const struct abuse_slot *slot)
{
	return abuse_slot_word(slot) >> ABUSE_STATE_BITS << ABUSE_SLOT_BITS |
	       (slot - dev->slots);
}

/* The slot that an id names at this moment, with its word; else NULL. */
struct abuse_slot *abuse_slot_find(const struct abuse_device *dev, u64 id,
				   u64 *word)
{
	u32 index = id & ((1U << ABUSE_SLOT_BITS) - 1);
	struct abuse_slot *slot;

	if (index >= dev->nr_slots)
		return NULL;
	slot = &dev->slots[array_index_nospec(index, dev->nr_slots)];
	*word = abuse_slot_word(slot);
	if (abuse_word_state(*word) == ABUSE_FREE ||
	    *word >> ABUSE_STATE_BITS != id >> ABUSE_SLOT_BITS)
		return NULL;
	return slot;
}

/*
 * By tag: a flush borrows the tag of the request that it was made for, which is
 * not with us meanwhile, so that a tag stands for one request at any time.
 */
struct abuse_slot *abuse_slot_of(const struct abuse_device *dev,
				 struct request *rq)
{
	u32 tag = blk_mq_unique_tag(rq);

	return &dev->slots[blk_mq_unique_tag_to_hwq(tag) * dev->depth +
			   blk_mq_unique_tag_to_tag(tag)];
}

u32 abuse_rq_op(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return ABUSE_OP_READ;
	case REQ_OP_WRITE:
		return ABUSE_OP_WRITE;
	case REQ_OP_FLUSH:
		return ABUSE_OP_FLUSH;
	case REQ_OP_DISCARD:
		return ABUSE_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return ABUSE_OP_WRITE_ZEROES;
	default:
		return ~0U;
	}
}

u32 abuse_rq_flags(const struct request *rq)
{
	u32 flags = 0;

	if (rq->cmd_flags & REQ_FUA)
		flags |= ABUSE_REQ_FUA;
	if (req_op(rq) == REQ_OP_WRITE_ZEROES &&
	    (rq->cmd_flags & REQ_NOUNMAP))
		flags |= ABUSE_REQ_NOUNMAP;
	if (rq->cmd_flags & REQ_META)
		flags |= ABUSE_REQ_META;
	if (rq->cmd_flags & REQ_RAHEAD)
		flags |= ABUSE_REQ_RAHEAD;
	if (rq->cmd_flags & REQ_SYNC)
		flags |= ABUSE_REQ_SYNC;
	if (rq->cmd_flags & REQ_BACKGROUND)
		flags |= ABUSE_REQ_BACKGROUND;
	return flags;
}

/* A flush has no place on the disk. */
bool abuse_rq_ends_beyond(const struct request *rq, sector_t end)
{
	return blk_rq_sectors(rq) && blk_rq_pos(rq) + blk_rq_sectors(rq) > end;
}
