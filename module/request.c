// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * One request: its slot, its id, and the one function that moves it between the
 * states of abuse.h. Knows nothing of queues, servers or user memory.
 */
#include "abuse.h"

/*
 * Moves a slot from the state that the caller saw. False: another actor moved it first, and
 * the caller must read the state again. An illegal move warns once and is refused.
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

/* For moves without a race: from pending under the lock of the queue, and from free. */
void abuse_slot_move_sure(struct abuse_slot *slot, enum abuse_slot_state to)
{
	WARN_ON_ONCE(!abuse_slot_move(slot, abuse_slot_word(slot), to));
}

/* The slot that an id names now, with its word; NULL: the id is not valid. */
struct abuse_slot *abuse_slot_find(const struct abuse_device *dev, u64 id,
				   u64 *word)
{
	struct abuse_slot *slot = abuse_slot_at(dev, id);

	if (!slot)
		return NULL;
	*word = abuse_slot_word(slot);
	if (abuse_word_state(*word) == ABUSE_FREE ||
	    *word >> ABUSE_STATE_BITS != id >> ABUSE_SLOT_BITS)
		return NULL;
	return slot;
}
