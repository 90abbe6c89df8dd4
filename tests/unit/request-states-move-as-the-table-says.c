/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Every pair of request states: just the moves that module/abuse.h tells in words
 * are legal, and an id dies just where a request arrives or comes back.
 */
#include "../../module/states.h"
#include "test.h"

#define MOVE(from, to) ((from) * ABUSE_NR_STATES + (to))

static bool told(int from, int to)
{
	switch (MOVE(from, to)) {
	case MOVE(ABUSE_FREE, ABUSE_PENDING):
	case MOVE(ABUSE_FREE, ABUSE_REDIRECTED):
	case MOVE(ABUSE_PENDING, ABUSE_HELD):
	case MOVE(ABUSE_PENDING, ABUSE_CLAIMED_PENDING):
	case MOVE(ABUSE_PENDING, ABUSE_FREE):
	case MOVE(ABUSE_HELD, ABUSE_CLAIMED_HELD):
	case MOVE(ABUSE_HELD, ABUSE_PENDING):
	case MOVE(ABUSE_HELD, ABUSE_FREE):
	case MOVE(ABUSE_CLAIMED_PENDING, ABUSE_PENDING):
	case MOVE(ABUSE_CLAIMED_PENDING, ABUSE_DOOMED):
	case MOVE(ABUSE_CLAIMED_PENDING, ABUSE_FREE):
	case MOVE(ABUSE_CLAIMED_HELD, ABUSE_HELD):
	case MOVE(ABUSE_CLAIMED_HELD, ABUSE_DOOMED):
	case MOVE(ABUSE_CLAIMED_HELD, ABUSE_FREE):
	case MOVE(ABUSE_CLAIMED_HELD, ABUSE_REDIRECTED):
	case MOVE(ABUSE_DOOMED, ABUSE_FREE):
	case MOVE(ABUSE_REDIRECTED, ABUSE_PENDING):
	case MOVE(ABUSE_REDIRECTED, ABUSE_FREE):
		return true;
	default:
		return false;
	}
}

int main(void)
{
	for (int from = 0; from < ABUSE_NR_STATES; from++) {
		for (int to = 0; to < ABUSE_NR_STATES; to++) {
			bool fresh = to == ABUSE_PENDING &&
				     (from == ABUSE_FREE || from == ABUSE_HELD ||
				      from == ABUSE_REDIRECTED);

			is(abuse_move_is_legal(from, to), told(from, to), "legal");
			is(abuse_move_starts_generation(from, to), fresh, "a new id");
		}
		is(abuse_move_is_legal(from, ABUSE_NR_STATES), 0, "to no state");
		is(abuse_move_is_legal(ABUSE_NR_STATES, from), 0, "from no state");
	}
	return done();
}
