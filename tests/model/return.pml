/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Held requests return when their server dies or its call fails: module/recover.c, queue.c, fetch.c, and PUT_BIO's claim.
 *
 * Proved after any interleaving of the steps below:
 *  - what a dead server held is at the front of the queue, in order of arrival: of these requests a fetch gets the oldest
 *    first, and gets none that was never handed out before them;
 *  - after a shrink nobody is handed a request that lies beyond the new end;
 *  - each request ends once, none is lost: in the end each has ended, is queued, or is held by a server that lives;
 *  - when RESET has returned, no request is queued or held;
 *  - each move of a request is legal in module/states.h, and each move made for sure succeeds.
 *
 * The model leaves out or changes:
 *  - One queue. Each request is there once; ids are
 *    claim.pml's matter, wake-ups limit.pml's.
 *  - Memory: steps are in program order. The capacity is written before a shrink takes the queue's lock, and read under it.
 *  - What is done under the queue's lock is one step where nobody can see a part of it without the lock.
 *  - A process dies between its calls, since the module sees a death only when no call of the process is under way.
 *
 * Configuration: REQUESTS; VICTIMS servers that may die, SURVIVORS that do not; BATCH requests a fetch takes at most; SHRINK:
 * requests from this number on lie beyond the new end; LEGACY a process of GET_BIO and PUT_BIO; RESET.
 * OLD is the code until November 2026: what came back was looked at for the new end after it could be fetched, and a
 * request that PUT_BIO gave back was not looked at. FAULT_... are faults to be found.
 */
#include "states.pml"

#define SERVERS	(VICTIMS + SURVIVORS)
#define NOBODY	255
#ifdef SHRINK
#define BEYOND(r)	(r >= SHRINK)
#else
#define BEYOND(r)	false
#endif

/* A request's number is its seq. */
byte state[REQUESTS] = ABUSE_FREE;
byte holder[REQUESTS] = NOBODY;
bit ended[REQUESTS];
bit alive[REQUESTS];
chan queue = [REQUESTS] of { byte };
bit locked;
bool up = true, shrinking, shrunk;
byte nr_doomed;

/* The truth, whatever the module thinks. */
bit handed[REQUESTS];
byte came_from[REQUESTS];	/* 1 + the dead server, while it waits at the front */

hidden byte turns, other;

#define lock()		atomic { !locked -> locked = 1 }
#define unlock()	locked = 0

inline move(it, from, to) {
	d_step {
		ok = state[it] == from;
		if
		:: ok -> MOVE(from, to); state[it] = to
		:: else
		fi
	}
}

inline move_sure(it, from, to) {
	d_step { assert(state[it] == from); MOVE(from, to); state[it] = to }
}

inline end_request(it) {
	d_step { assert(alive[it] && !ended[it]); alive[it] = 0; ended[it] = 1 }
}

/* list_add(): to the front, within a d_step or atomic. */
inline put_in_front(r) {
	turns = len(queue);
	queue!r;
	do
	:: turns -> queue?other; queue!other; turns--
	:: else -> break
	od
}

/* ---- submit.c --------------------------------------------------------------------------------------------------- */

proctype submitter() {
	byte r;

	do
	:: r < REQUESTS ->
		atomic {
			!locked ->
			if
			:: up && !(BEYOND(r) && shrinking) ->
				alive[r] = 1;
				move_sure(r, ABUSE_FREE, ABUSE_PENDING);
				queue!r
			:: else -> ended[r] = 1
			fi;
			r++
		}
	:: else -> break
	od
}

/* ---- fetch.c ---------------------------------------------------------------------------------------------------- */

/* hold(), of one request; the caller has the lock. */
inline hold() {
	queue?r;
	assert(!(BEYOND(r) && shrunk));
	turns = 0;
	do
	:: turns < REQUESTS ->
		assert(!came_from[turns] || came_from[turns] != came_from[r] || turns >= r);
		assert(!came_from[turns] || handed[r]);
		turns++
	:: else -> break
	od;
	came_from[r] = 0;
	handed[r] = 1;
	holder[r] = me;
	move_sure(r, ABUSE_PENDING, ABUSE_HELD)
}

/* abuse_fetch_from_queue() */
inline fetch() {
	atomic {
		!locked ->
		n = 0;
		do
		:: up && n < BATCH && len(queue) -> hold(); taken[n] = r; n++
		:: break
		od;
		r = 0
	}
}

/* ---- complete.c ------------------------------------------------------------------------------------------------- */

/* A reply to any request that this server may hold. */
inline answer() {
	r = 0;
	do
	:: r < REQUESTS - 1 -> r++
	:: break
	od;
	if
	:: state[r] == ABUSE_HELD && holder[r] == me -> move(r, ABUSE_HELD, ABUSE_CLAIMED_HELD)
	:: else
	fi;
	if
	:: ok ->
		if
		:: move(r, ABUSE_CLAIMED_HELD, ABUSE_FREE)
		:: move(r, ABUSE_CLAIMED_HELD, ABUSE_HELD); back = 1
		fi;
		if
		:: ok && back
		:: ok && !back -> end_request(r)
		:: else -> end_doomed(r)
		fi
	:: else
	fi;
	r = 0; ok = 0; back = 0
}

inline end_doomed(r) {
	move_sure(r, ABUSE_DOOMED, ABUSE_FREE);
	end_request(r);
	nr_doomed--
}

/* ---- recover.c -------------------------------------------------------------------------------------------------- */

/* abuse_fail_beyond(): under the lock one step, since only moves to and from held and claimed need no lock. */
inline fail_beyond() {
	lock();
	s = 0;
	do
	:: s < REQUESTS ->
		if
		:: BEYOND(s) && state[s] == ABUSE_PENDING ->
			atomic {
				queue??eval(s);
				came_from[s] = 0;
				move_sure(s, ABUSE_PENDING, ABUSE_FREE);
				end_request(s)
			}
#ifndef OLD
		:: BEYOND(s) && state[s] == ABUSE_CLAIMED_PENDING ->
			nr_doomed++;
			move(s, ABUSE_CLAIMED_PENDING, ABUSE_DOOMED);
			if
			:: ok -> ok = 0
			:: else -> nr_doomed--
			fi
#endif
		:: else
		fi;
		s++
	:: else -> break
	od;
	s = 0;
	unlock()
}

/* abuse_requeue_held_slot(): the caller has the lock. ok: it is pending, for the caller to put on the list. */
inline take_back(r) {
	ok = 0;
	if
	:: state[r] == ABUSE_HELD && holder[r] == me ->
#ifndef OLD
		if
		:: BEYOND(r) && shrinking ->
			move(r, ABUSE_HELD, ABUSE_FREE);
			if
			:: ok -> end_request(r); ok = 0
			:: else
			fi
		:: else ->
#endif
			move(r, ABUSE_HELD, ABUSE_PENDING);
			if
			:: ok -> holder[r] = NOBODY
			:: else
			fi
#ifndef OLD
		fi
#endif
	:: else
	fi
}

/* abuse_return(): what was fetched but could not be delivered, the last first. */
inline return_some() {
	do
	:: n ->
		n--;
		atomic {
			!locked ->
			r = taken[n];
			take_back(r);
			if
			:: ok -> put_in_front(r); ok = 0
			:: else
			fi;
			r = 0
		}
	:: else -> break
	od;
#ifdef OLD
	came_back()
#endif
}

inline came_back() {
	if
	:: shrinking -> fail_beyond()
	:: else
	fi
}

/* abuse_return_all() and abuse_return_held_of_queue(): slots are scanned in any order, so that what comes back is sorted. */
inline return_all() {
	atomic {
		!locked -> locked = 1;
		n = 0;
		do
		:: n < REQUESTS ->
			r = n;
			take_back(r);
			if
			:: ok -> back_list[r] = 1; came_from[r] = 1 + me; ok = 0
#ifdef FAULT_NOT_SORTED
				put_in_front(r)
#endif
			:: else
			fi;
			n++
		:: else -> break
		od;
#ifndef FAULT_NOT_SORTED
		do
		:: n ->
			n--;
			if
			:: back_list[n] ->
#ifdef FAULT_TO_THE_END
				queue!n
#else
				put_in_front(n)
#endif
			:: else
			fi
		:: else -> break
		od;
#endif
		n = 0; r = 0;
		unlock()
	};
#ifdef OLD
	came_back()
#endif
}

/* ---- servers ---------------------------------------------------------------------------------------------------- */

proctype server(byte me) {
	byte r, n, s, calls;
	byte taken[BATCH];
	bit back_list[REQUESTS];
	bool ok, back;

	do
	:: calls < CALLS ->
		calls++;
		fetch();
		if
		:: n = 0
		:: return_some()
		fi;
		taken[0] = 0;
#if BATCH > 1
		taken[1] = 0;
#endif
		answer()
	:: break
	od;
	calls = 0;
	if
	:: me < VICTIMS -> return_all()
	:: else
	fi
}

#ifdef LEGACY
/* PUT_BIO of any pending request: abuse_claim() and abuse_unclaim(). */
proctype legacy() {
	byte r;
	bool ok;

	do
	:: r < REQUESTS - 1 -> r++
	:: break
	od;
	atomic {
		!locked ->
		if
		:: state[r] == ABUSE_PENDING ->
			queue??eval(r);
			came_from[r] = 0;
			handed[r] = 1;
			move_sure(r, ABUSE_PENDING, ABUSE_CLAIMED_PENDING)
		:: else -> goto done
		fi
	};
	if
	:: move(r, ABUSE_CLAIMED_PENDING, ABUSE_FREE);
		if
		:: ok -> end_request(r)
		:: else -> end_doomed(r)
		fi
	:: atomic {
		!locked ->
		move(r, ABUSE_CLAIMED_PENDING, ABUSE_PENDING);
		if
		:: ok -> put_in_front(r)
		:: else
		fi
	   };
		if
		:: ok
		:: else -> end_doomed(r)
		fi
	fi;
done:	skip
}
#endif

#ifdef SHRINK
/* change(): the capacity first. */
proctype shrinker() {
	byte s;
	bool ok;

	shrinking = true;
	fail_beyond();
	shrunk = true
}
#endif

#ifdef RESET
proctype resetter() {
	byte s, r;
	bool ok;
	bit failed[REQUESTS];

	up = false;
	lock();
	do
	:: s < REQUESTS ->
		r = state[s];
		if
		:: r == ABUSE_PENDING ->
			atomic { queue??eval(s); came_from[s] = 0; move_sure(s, ABUSE_PENDING, ABUSE_FREE); failed[s] = 1; s++ }
		:: r == ABUSE_HELD ->
			move(s, ABUSE_HELD, ABUSE_FREE);
			if
			:: ok -> failed[s] = 1; s++
			:: else
			fi
		:: r == ABUSE_CLAIMED_HELD || r == ABUSE_CLAIMED_PENDING ->
			nr_doomed++;
			move(s, r, ABUSE_DOOMED);
			if
			:: ok -> s++
			:: else -> nr_doomed--
			fi
		:: else -> s++
		fi
	:: else -> break
	od;
	unlock();
	s = 0;
	do
	:: s < REQUESTS ->
		if
		:: failed[s] -> failed[s] = 0; end_request(s)
		:: else
		fi;
		s++
	:: else -> break
	od;
	nr_doomed == 0;
	s = 0;
	do
	:: s < REQUESTS -> assert(state[s] == ABUSE_FREE); s++
	:: else -> break
	od
}
#endif

active proctype judge() {
	timeout ->
	d_step {
		turns = 0;
		do
		:: turns < REQUESTS ->
			if
			:: ended[turns] -> assert(state[turns] == ABUSE_FREE)
			:: else ->
				assert(alive[turns]);
				if
				:: state[turns] == ABUSE_PENDING -> assert(queue??[eval(turns)])
				:: else -> assert(state[turns] == ABUSE_HELD && holder[turns] >= VICTIMS && holder[turns] < SERVERS)
				fi
			fi;
			turns++
		:: else -> break
		od;
		assert(nr_doomed == 0)
	}
}

init {
	byte n;

	atomic {
		run submitter();
		do
		:: n < SERVERS -> run server(n); n++
		:: else -> break
		od;
		n = 0;
#ifdef LEGACY
		run legacy();
#endif
#ifdef SHRINK
		run shrinker();
#endif
#ifdef RESET
		run resetter()
#endif
	}
}
