/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/*
 * The state table of a request as data: which state may follow which. abuse.h
 * tells it in words. Pure, so that tests/unit compiles it in user space.
 */
#ifndef ABUSE_STATES_H
#define ABUSE_STATES_H

enum abuse_slot_state {
	ABUSE_FREE,
	ABUSE_PENDING,
	ABUSE_HELD,
	ABUSE_CLAIMED_PENDING,
	ABUSE_CLAIMED_HELD,
	ABUSE_DOOMED,
	ABUSE_REDIRECTED,
	ABUSE_NR_STATES,
};

#define ABUSE_TO(state)	(1U << ABUSE_##state)

/* [from] = set of legal next states */
static const unsigned char abuse_moves[ABUSE_NR_STATES] = {
	[ABUSE_FREE]		= ABUSE_TO(PENDING) | ABUSE_TO(REDIRECTED),
	[ABUSE_PENDING]		= ABUSE_TO(HELD) | ABUSE_TO(CLAIMED_PENDING) |
				  ABUSE_TO(FREE),
	[ABUSE_HELD]		= ABUSE_TO(CLAIMED_HELD) | ABUSE_TO(PENDING) |
				  ABUSE_TO(FREE),
	[ABUSE_CLAIMED_PENDING]	= ABUSE_TO(PENDING) | ABUSE_TO(DOOMED) |
				  ABUSE_TO(FREE),
	[ABUSE_CLAIMED_HELD]	= ABUSE_TO(HELD) | ABUSE_TO(DOOMED) |
				  ABUSE_TO(REDIRECTED) | ABUSE_TO(FREE),
	[ABUSE_DOOMED]		= ABUSE_TO(FREE),
	[ABUSE_REDIRECTED]	= ABUSE_TO(PENDING) | ABUSE_TO(FREE),
};

#undef ABUSE_TO

static inline int abuse_move_is_legal(enum abuse_slot_state from,
				      enum abuse_slot_state to)
{
	return from < ABUSE_NR_STATES && to < ABUSE_NR_STATES &&
	       (abuse_moves[from] >> to & 1);
}

/* A new generation begins where an old id must stop naming the request. */
static inline int abuse_move_starts_generation(enum abuse_slot_state from,
					       enum abuse_slot_state to)
{
	return to == ABUSE_PENDING &&
	       (from == ABUSE_FREE || from == ABUSE_HELD ||
		from == ABUSE_REDIRECTED);
}

#endif /* ABUSE_STATES_H */
