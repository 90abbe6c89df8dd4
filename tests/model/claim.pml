/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Claim, doom, RESET and the map: module/claim.c, complete.c, redirect.c, legacy.c (PUT_BIO), recover.c (sweep), setup.c,
 * map_submit.c, map_call.c.
 *
 * Proved after any interleaving of the steps below:
 *  - each request ends once, never twice, and a request without an owner is queued;
 *  - while a call copies the payload of a request, nobody else ends the request;
 *  - a reply reaches only the request that its id was made for, and only if the caller holds it;
 *  - when RESET has returned, every slot is free or its request was answered before; a set-up's server fetches no
 *    request of another set-up;
 *  - when MAP has returned no request runs that was looked up before; no lookup takes place in the map of another set-up;
 *  - each move of a request is legal in module/states.h, and a move that the code takes for sure always succeeds.
 *
 * The model leaves out or changes:
 *  - Memory: the moves of a slot's word are cmpxchg (a full barrier), or made under the queue's lock with release. Each
 *    access that another processor can see is a step, in program order.
 *  - Limit, wake-ups and the order of requests: limit.pml, return.pml.
 *  - A server fetches one request at a time. Which pending request, which id a hostile server guesses (of the
 *    generation that the slot has at that time), and what a sweep for a time-out wants, is arbitrary.
 *  - Batches: an answered request ends some time after its slot is free.
 *  - A redirected request ends when its file's I/O ends, which it does. RESET is not killed while it waits.
 *  - The map has one range, which each slot's requests are in; MAP makes or clears it. A call that is killed while it
 *    waits, a shrink and a maker that dies are a MAP that does not wait. READs in place have no state: they are a lookup.
 *
 * Configuration: SLOTS slots, each in a queue of its own if QUEUES is not 1; EXCHANGERS and LEGACY servers; TRIES
 * requests for each slot; CALLS calls of each server; RESETS resets and set-ups; EXPIRIES sweeps for a time-out;
 * REDIRECT; MAPS calls of MAP. FAULT_... are faults to be found.
 */
#include "states.pml"

#ifndef LEGACY
#define LEGACY	0
#endif
#ifndef QUEUES
#define QUEUES	1
#endif
#if QUEUES == 1
#define QUEUE(slot)	0
#else
#define QUEUE(slot)	slot
#endif
#define NOBODY	255

/* The word of a slot, and what belongs to whoever made its last move. */
byte state[SLOTS] = ABUSE_FREE;
byte generation[SLOTS];
byte holder[SLOTS] = NOBODY;
bit pending[SLOTS];		/* it is on the list */

/* The truth about the request, whatever the module thinks. */
bit alive[SLOTS];		/* the block layer has given it to us, and we have not ended it */
byte copier[SLOTS] = NOBODY;
byte serial[SLOTS];		/* which of the slot's requests */
byte set_up_of[SLOTS];

bit locked[QUEUES];
bool up = true;
byte epoch = 1;
byte nr_doomed;

#define lock(q)		atomic { !locked[q] -> locked[q] = 1 }
#define unlock(q)	locked[q] = 0

#ifdef MAPS
/* One range, or none: made or cleared by each MAP. */
bit mapped;
byte map_seq;			/* which change was the last */
bit in_section[SLOTS];		/* SRCU, by submitter */
bit by_map[SLOTS];
bit flush[SLOTS];		/* for a server, once the files of the map are synced */
byte looked_up[SLOTS];		/* map_seq then */
bit controlled;			/* dev->control */

#define control_lock()		atomic { !controlled -> controlled = 1 }
#define control_unlock()	controlled = 0

/* abuse_map_settle(): each section that has begun ends. */
inline settle(i) {
#ifndef FAULT_NO_SETTLE
	i = 0;
	do
	:: i < SLOTS -> !in_section[i]; i++
	:: else -> break
	od;
	i = 0
#else
	skip
#endif
}
#endif

hidden byte turns;

/* abuse_slot_move(), abuse_slot_try() */
inline move(s, gen, from, to) {
	d_step {
		ok = state[s] == from && generation[s] == gen;
		if
		:: ok ->
			MOVE(from, to);
			state[s] = to;
			if
			:: STARTS_GENERATION(from, to) -> generation[s]++
			:: else
			fi
		:: else
		fi
	}
}

/* abuse_slot_move_sure(), abuse_slot_step() */
inline move_sure(s, from, to) {
	d_step {
		assert(state[s] == from);
		MOVE(from, to);
		state[s] = to;
		if
		:: STARTS_GENERATION(from, to) -> generation[s]++
		:: else
		fi
	}
}

/* abuse_end(): the tag may be used again at once. */
inline end_request(s, by) {
	d_step {
		assert(alive[s]);
		assert(copier[s] == NOBODY || copier[s] == by);
		copier[s] = NOBODY;
		alive[s] = 0
	}
}

/* ---- submit.c --------------------------------------------------------------------------------------------------- */

#ifdef MAPS
/* abuse_map_submit(): one look at the state, one at the map, and then the request is the file's. */
inline submit_by_map() {
	atomic { !alive[s] -> in_section[s] = 1 };
	admitted = up;
	if
	:: admitted ->
		atomic {
			if
			:: mapped ->
				alive[s] = 1;
				serial[s]++;
				set_up_of[s] = epoch;
				looked_up[s] = map_seq;
				taken = 1
			:: else
			fi
		};
		if
		:: taken ->
			if
			:: flush[s] = 0
			:: flush[s] = 1
			fi;
			by_map[s] = 1;
			holder[s] = NOBODY;
			move_sure(s, ABUSE_FREE, ABUSE_REDIRECTED)
		:: else
		fi
	:: else
	fi;
	in_section[s] = 0;
	admitted = 0
}
#endif

proctype submitter(byte s) {
	byte tries;
	bit admitted, taken;

	do
	:: tries < TRIES ->
#ifdef MAPS
end_map:	submit_by_map();
		if
		:: taken -> taken = 0; tries++; goto end_next
		:: else
		fi;
#endif
end_queued:	atomic {
			!alive[s] && !locked[QUEUE(s)] ->
			tries++;
			if
			:: up ->
				alive[s] = 1;
				serial[s]++;
				set_up_of[s] = epoch;
				holder[s] = NOBODY;
				move_sure(s, ABUSE_FREE, ABUSE_PENDING);
				assert(!pending[s]);
				pending[s] = 1
			:: else
			fi
		};
end_next:	skip
	:: else -> break
	od
}

#ifdef MAPS
/* ---- map_call.c --------------------------------------------------------------------------------------------------- */

/* The call may be killed while it waits: then it has proved nothing. */
proctype mapper(byte me) {
	byte s, seq, calls;

	do
	:: calls < MAPS ->
		calls++;
		control_lock();
		if
		:: up -> atomic { mapped = !mapped; map_seq++; seq = map_seq }
		:: else
		fi;
		settle(s);
		control_unlock();
		if
		:: seq ->
			s = 0;
			do
			:: s < SLOTS ->
#ifndef FAULT_MAP_DOES_NOT_WAIT
				!(state[s] == ABUSE_REDIRECTED && by_map[s] && !flush[s] && looked_up[s] < seq);
#endif
				atomic {
					assert(!(alive[s] && by_map[s] && !flush[s] && looked_up[s] < seq &&
						 state[s] == ABUSE_REDIRECTED));
					assert(!(alive[s] && in_section[s] && looked_up[s] < seq));
					s++
				}
			:: else -> break
			od
		:: else
		fi;
		s = 0; seq = 0
	:: break
	od
}
#endif

/* ---- claim.c ---------------------------------------------------------------------------------------------------- */

/* abuse_end_doomed() */
inline end_doomed(s) {
	move_sure(s, ABUSE_DOOMED, ABUSE_FREE);
	end_request(s, me);
#ifndef FAULT_DOOMED_UNCOUNTED
	d_step { assert(nr_doomed); nr_doomed-- }
#endif
}

/* The copy itself: it neither faults nor sleeps. */
inline copy(s) {
	d_step { assert(alive[s] && copier[s] == NOBODY); copier[s] = me };
	d_step { assert(alive[s] && copier[s] == me); copier[s] = NOBODY }
}

/* ---- exchange --------------------------------------------------------------------------------------------------- */

inline any_slot(s) {
	if
	:: s = 0
#if SLOTS > 1
	:: s = 1
#endif
#if SLOTS > 2
	:: s = 2
#endif
	fi
}

/* abuse_fetch_from_queue() and abuse_check_server(), under the lock; holder can be read without it. */
inline fetch() {
	any_slot(s);
	atomic {
		!locked[QUEUE(s)] ->
		if
		:: !up || (served && served != epoch)
		:: else ->
			served = epoch;
			if
			:: pending[s] ->
				locked[QUEUE(s)] = 1;
				assert(set_up_of[s] == served);
				holder[s] = me;
				got = 1
			:: else
			fi
		fi
	};
	if
	:: got ->
		atomic {
			move_sure(s, ABUSE_PENDING, ABUSE_HELD);
			pending[s] = 0;
			id = generation[s];
			known = serial[s];
			got = 0;
			unlock(QUEUE(s))
		}
	:: else
	fi
}

/* abuse_answer_one_reply(), abuse_copy_payload_in_steps(); also abuse_take_payload(), which always gives the request back. */
inline answer() {
	if
	:: true			/* the reply names what it fetched last */
#ifdef HOSTILE
	:: atomic { any_slot(s); id = generation[s]; known = 0 }
#endif
	fi;
	do
	:: /* abuse_claim_held() */
		if
		:: state[s] == ABUSE_HELD && generation[s] == id
		:: else -> break
		fi;
#ifndef FAULT_NO_HOLDER_CHECK
		if
		:: holder[s] == me
		:: else -> break
		fi;
#endif
		move(s, id, ABUSE_HELD, ABUSE_CLAIMED_HELD);
		if
		:: ok
		:: else -> break
		fi;
		assert(holder[s] == me);
		assert(known == 0 || known == serial[s]);
		copy(s);
		if
		:: move(s, id, ABUSE_CLAIMED_HELD, ABUSE_FREE);
			if
			:: ok -> end_request(s, me)
			:: else -> end_doomed(s)
			fi;
			break
#ifdef REDIRECT
		:: move(s, id, ABUSE_CLAIMED_HELD, ABUSE_REDIRECTED);
			if
			:: ok
			:: else -> end_doomed(s)
			fi;
			break
#endif
		:: /* abuse_unclaim(), then fault the memory in and try again, or not. */
			move(s, id, ABUSE_CLAIMED_HELD, ABUSE_HELD);
			if
			:: ok
			:: else -> end_doomed(s); break
			fi;
			if
			:: true
			:: break
			fi
		fi
	od;
	ok = 0; id = 0; known = 0
}

/* abuse_return_held_of_queue(): its process is gone, no call is under way. */
inline return_all() {
	s = 0;
	do
	:: s < SLOTS ->
		lock(QUEUE(s));
		if
		:: holder[s] == me ->
			id = generation[s];
			assert(state[s] != ABUSE_CLAIMED_HELD);
			if
			:: state[s] == ABUSE_HELD ->
				move(s, id, ABUSE_HELD, ABUSE_PENDING);
				if
				:: ok -> atomic { holder[s] = NOBODY; assert(!pending[s]); pending[s] = 1 }
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		ok = 0; id = 0;
		unlock(QUEUE(s));
		s++
	:: else -> break
	od;
	s = 0
}

proctype exchanger(byte me) {
	byte s, id, known, served, calls;
	bool ok, got;

	do
	:: calls < CALLS -> calls++; fetch(); answer()
	:: break
	od;
	return_all()
}

/* ---- legacy.c --------------------------------------------------------------------------------------------------- */

/* GET_BIO and PUT_BIO */
proctype legacy(byte me) {
	byte s, id, calls;
	bool ok;

	do
	:: calls < CALLS ->
		calls++;
		any_slot(s);
		if
		:: atomic { pending[s] && !locked[QUEUE(s)] -> id = generation[s] }
		:: true -> id = 0
		fi;
		do
		:: /* abuse_claim_pending_slot() */
			lock(QUEUE(s));
			if
			:: id && state[s] == ABUSE_PENDING && generation[s] == id ->
				atomic {
					assert(pending[s]);
					pending[s] = 0;
					move_sure(s, ABUSE_PENDING, ABUSE_CLAIMED_PENDING);
					unlock(QUEUE(s))
				}
			:: else -> unlock(QUEUE(s)); break
			fi;
			copy(s);
			if
			:: move(s, id, ABUSE_CLAIMED_PENDING, ABUSE_FREE);
				if
				:: ok -> end_request(s, me)
				:: else -> end_doomed(s)
				fi;
				break
			:: /* abuse_unclaim() */
				if
				:: state[s] == ABUSE_CLAIMED_PENDING ->
					lock(QUEUE(s));
					move(s, id, ABUSE_CLAIMED_PENDING, ABUSE_PENDING);
					if
					:: ok -> atomic { assert(!pending[s]); pending[s] = 1 }
					:: else
					fi;
					unlock(QUEUE(s))
				:: else -> ok = 0
				fi;
				if
				:: ok
				:: else -> end_doomed(s); break
				fi;
				if
				:: true
				:: break
				fi
			fi
		od;
		ok = 0; id = 0
	:: break
	od
}

/* ---- recover.c -------------------------------------------------------------------------------------------------- */

#if QUEUES == 1
#define IS_FIRST(s)	(s == 0)
#define IS_LAST(s)	(s == SLOTS - 1)
#else
#define IS_FIRST(s)	true
#define IS_LAST(s)	true
#endif

/* sweep_slot(), under the lock; all: it wants each request, else any. */
inline sweep_slot() {
	do
	:: d_step { seen = state[s]; id = generation[s] };
		if
		:: seen == ABUSE_PENDING ->
			atomic {
				assert(pending[s]);
				pending[s] = 0;
				move_sure(s, ABUSE_PENDING, ABUSE_FREE);
				ended = ended | (1 << s)
			};
			break
		:: seen == ABUSE_HELD ->
			move(s, id, ABUSE_HELD, ABUSE_FREE);
			if
			:: ok -> ended = ended | (1 << s); break
			:: else
			fi
		:: seen == ABUSE_CLAIMED_PENDING || seen == ABUSE_CLAIMED_HELD ->
#ifdef FAULT_DOOM_COUNTED_LATE
			move(s, id, seen, ABUSE_DOOMED);
			if
			:: ok -> nr_doomed++; break
			:: else
			fi
#else
			nr_doomed++;
			move(s, id, seen, ABUSE_DOOMED);
			if
			:: ok -> break
			:: else -> nr_doomed--
			fi
#endif
#ifdef FAULT_SWEEP_TAKES_CLAIMED
		:: seen == ABUSE_CLAIMED_PENDING || seen == ABUSE_CLAIMED_HELD ->
			move(s, id, seen, ABUSE_FREE);
			if
			:: ok -> ended = ended | (1 << s); break
			:: else
			fi
#endif
		:: seen == ABUSE_FREE || seen == ABUSE_DOOMED || seen == ABUSE_REDIRECTED -> break
		:: !all -> break
		fi
	od
}

/* abuse_sweep_queue() for each queue */
inline sweep() {
	s = 0;
	do
	:: s < SLOTS ->
		if
		:: IS_FIRST(s) -> lock(QUEUE(s))
		:: else
		fi;
		sweep_slot();
		if
		:: IS_LAST(s) ->
			unlock(QUEUE(s));
			n = 0;
			do
			:: n == SLOTS -> break
			:: n < SLOTS && (ended & (1 << n)) -> end_request(n, me); n++
			:: n < SLOTS && !(ended & (1 << n)) -> n++
			od;
			n = 0; ended = 0
		:: else
		fi;
		s++
	:: else -> break
	od;
	s = 0; id = 0; seen = 0; ok = 0
}

#ifdef EXPIRIES
proctype expirer(byte me) {
	byte s, n, id, seen, ended, times;
	bool ok, all;

	do
	:: times < EXPIRIES -> times++; sweep()
	:: break
	od
}
#endif

#ifdef RESETS
proctype resetter(byte me) {
	byte s, n, id, seen, ended, times;
	bool ok, all = 1;

	do
	:: times < RESETS ->
		times++;
#ifdef MAPS
		control_lock();
#endif
#ifndef FAULT_RESET_SWEEPS_FIRST
		up = false;
		sweep();
#else
		sweep();
		up = false;
#endif
		/* abuse_device_end_all(), abuse_map_close() */
#ifdef MAPS
		atomic { mapped = 0; map_seq++ };
		settle(s);
#endif
#ifndef FAULT_RESET_WAITS_FOR_NOBODY
		nr_doomed == 0;
#endif
		s = 0;
		do
		:: s < SLOTS ->
			state[s] != ABUSE_REDIRECTED;
			s++
		:: else -> break
		od;
		s = 0;
		do
		:: s < SLOTS -> assert(state[s] == ABUSE_FREE); s++
		:: else -> break
		od;
		s = 0;
		epoch++;
		up = true;
#ifdef MAPS
		control_unlock()
#endif
	:: break
	od
}
#endif

#ifdef REDIRECT
/* abuse_redirect_end_one() */
inline file_ends(n) {
#ifdef MAPS
	if
	:: by_map[n] && flush[n] ->
		/* abuse_submit_flush() */
		lock(QUEUE(n));
		if
#ifndef FAULT_FLUSH_GOES_ON_AFTER_RESET
		:: up ->
#else
		:: true ->
#endif
			atomic {
				by_map[n] = 0;
				move_sure(n, ABUSE_REDIRECTED, ABUSE_PENDING);
				assert(!pending[n]);
				pending[n] = 1
			};
			unlock(QUEUE(n))
		:: else ->
			unlock(QUEUE(n));
			by_map[n] = 0;
			move_sure(n, ABUSE_REDIRECTED, ABUSE_FREE);
			end_request(n, me)
		fi
	:: else ->
		by_map[n] = 0;
		move_sure(n, ABUSE_REDIRECTED, ABUSE_FREE);
		end_request(n, me)
	fi
#else
	move_sure(n, ABUSE_REDIRECTED, ABUSE_FREE);
	end_request(n, me)
#endif
}

proctype file(byte me) {
end:	do
	:: state[0] == ABUSE_REDIRECTED -> file_ends(0)
#if SLOTS > 1
	:: state[1] == ABUSE_REDIRECTED -> file_ends(1)
#endif
	od
}
#endif

/* Nothing moves any more: what has not ended is queued, since nobody is left who holds a request. */
active proctype judge() {
	timeout ->
	d_step {
		turns = 0;
		do
		:: turns < SLOTS ->
			assert(alive[turns] == (state[turns] == ABUSE_PENDING));
			assert(pending[turns] == (state[turns] == ABUSE_PENDING));
			turns++
		:: else -> break
		od;
		assert(nr_doomed == 0)
	}
}

init {
	byte n;

	atomic {
		do
		:: n < SLOTS -> run submitter(n); n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < EXCHANGERS -> run exchanger(n); n++
		:: else -> break
		od;
		do
		:: n < EXCHANGERS + LEGACY -> run legacy(n); n++
		:: else -> break
		od;
#ifdef EXPIRIES
		run expirer(100);
#endif
#ifdef REDIRECT
		run file(101);
#endif
#ifdef RESETS
		run resetter(102);
#endif
#ifdef MAPS
		run mapper(103);
#endif
		n = 0
	}
}
