/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The queue limit, and the wake-ups of servers that sleep in exchange: module/limit.c, queue.c, fetch.c, submit.c.
 *
 * Proved for each state in which nothing can move any more, after any interleaving of the steps below:
 *  - no request is in a backlog while fewer requests are counted than the limit allows;
 *  - no request is pending while a server sleeps that would fetch it;
 *  - nr_counted is the number of requests that are pending or held.
 * Proved at any time: with a limit that does not change nr_counted never exceeds it; a server fetches no request of
 * another set-up than its own; each move of a request is legal in module/states.h.
 * A server may stop in user space for ever after any fetch, so that no later call of it hides a lost wake-up.
 *
 * The model leaves out or changes:
 *  - Requests of one queue are alike: numbers replace the lists. return.pml has the order in a queue, claim.pml has ids
 *    and claims. A server fetches one request at a time.
 *  - Memory: each access that another processor can see is a step, and steps are in program order. A processor may
 *    also do a read before an earlier write; between each such pair on which the protocol relies the code has a full
 *    barrier. -DNO_BARRIER_... takes one barrier away: the read then comes before the write, and a request is stranded.
 *  - Taking a lock commutes with the steps of others until the first step under it, dropping it with their steps since
 *    the last one (Lipton): such pairs are one step.
 *  - Where a server begins to look, and whose backlog is promoted next, is any queue. A server has one home, HOME.
 *  - The end of a wait by time-out is the same as that by a signal: the server leaves empty-handed.
 *  - poll() is left out: those waiters are not exclusive, and no wake-up of theirs is skipped.
 *  - A wait queue is a FIFO. As in the kernel, wake_up() takes the first task that sleeps off the queue; a signal makes a
 *    task run and leaves it on the queue.
 *
 * Configuration: NQ queues, NS servers; Q0 Q1 Q2 the queues of the requests; LIMIT; KILLS signals; RESETS resets, each
 * followed by a set-up; NEW_LIMIT a live change of the limit; SPIN servers busy-poll; PLUG the first request of a queue
 * is not the last of its plug, and wakes nobody.
 * OLD is the protocol until November 2026: it counts first and takes back later, and a woken server passes a wake-up on
 * for its own queue only, and only if it fetched. FAULT_... and NO_BARRIER_... are faults to be found.
 */
#include "states.pml"

#ifndef KILLS
#define KILLS	0
#endif
#ifndef HOME
#define HOME	me % NQ
#endif
#define NOBODY	255

byte nr_counted, nr_backlog;
byte limit = LIMIT;
byte pending[NQ], backlog[NQ];
bit locked[NQ];
byte nr_submitted[NQ];

bool up = true;
byte epoch = 1;

chan wait_queue[NQ] = [NS] of { byte };
bit spinning[NQ];
bit sleeping[NS];		/* the task is TASK_INTERRUPTIBLE */
bit signalled[NS];
byte held[NS];			/* 1 + queue of the request that this server holds */
byte served_epoch[NS];

/* Of one d_step each. */
hidden byte turns, who, waiter;

#define lock(q)		atomic { !locked[q] -> locked[q] = 1 }
#define unlock(q)	locked[q] = 0

inline any_queue(q) {
	if
	:: q = 0
#if NQ > 1
	:: q = 1
#endif
#if NQ > 2
	:: q = 2
#endif
	fi
}

/* ---- queue.c: wake-ups ------------------------------------------------------------------------------------------ */

/* wake_up_interruptible() */
inline wake_first(q) {
	d_step {
		turns = len(wait_queue[q]);
		who = NOBODY;
		do
		:: turns ->
			wait_queue[q]?waiter;
			if
			:: who == NOBODY && sleeping[waiter] ->
				who = waiter;
				sleeping[waiter] = 0
			:: else -> wait_queue[q]!waiter
			fi;
			turns--
		:: else -> break
		od
	}
}

/* The queue itself, then the others from 0 on. */
#define IN_TURN(n, q)	((n == 0) * q + (n > 0 && n <= q) * (n - 1) + (n > q) * n)

/* abuse_wake_exchange(), abuse_wake_sleeper(), abuse_wake_elsewhere() */
inline wake_exchange(q) {
#ifdef SPIN
	if
	:: spinning[q]
	:: !spinning[q] ->
#endif
	do
	:: atomic { len(wait_queue[IN_TURN(i, q)]) -> break }
	:: atomic {
		!len(wait_queue[IN_TURN(i, q)]) ->
		if
		:: i == NQ - 1 -> i = NOBODY; break
		:: else -> i++
		fi
	   }
	od;
	if
	:: i != NOBODY -> wake_first(IN_TURN(i, q))
	:: else
	fi;
	i = 0
#ifdef SPIN
	fi
#endif
}

/* abuse_wake_one(): a full barrier, then these reads. */
inline wake_one(q) {
#ifdef OLD
	wake_exchange(q)
#else
	if
	:: pending[q] -> wake_exchange(q)
	:: else
	fi
#endif
}

/* Reads pending of one queue after the other: the first that has a request. */
inline find_pending() {
	do
	:: atomic { pending[i] -> news = 1; target = i; i = 0; break }
	:: atomic {
		!pending[i] ->
		if
		:: i == NQ - 1 -> i = 0; break
		:: else -> i++
		fi
	   }
	od
}

/* abuse_wake_next(): a full barrier, then these reads. */
inline wake_next() {
	find_pending();
	if
	:: news -> news = 0; wake_exchange(target); target = 0
	:: else
	fi
}

/* abuse_wake_all() */
inline wake_all() {
	d_step {
		turns = 0;
		do
		:: turns < NQ ->
			do
			:: len(wait_queue[turns]) -> wait_queue[turns]?waiter; sleeping[waiter] = 0
			:: else -> break
			od;
			turns++
		:: else -> break
		od
	}
}

/* ---- limit.c ---------------------------------------------------------------------------------------------------- */

#ifdef OLD

inline count_one() {
	d_step { nr_counted++; ok = nr_counted <= limit };
	if
	:: ok
	:: else -> nr_counted--
	fi
}

/* Under the lock. */
inline promote(q) {
	do
	:: backlog[q] ->
		count_one();
		if
		:: ok -> d_step { backlog[q]--; nr_backlog-- }; d_step { pending[q]++; ok = 0 }
		:: else -> break
		fi
	:: else -> break
	od
}

/* abuse_limit_promote() */
inline limit_promote() {
	if
	:: nr_backlog ->
		do
		:: at < NQ -> lock(at); promote(at); unlock(at); wake_one(at); at++
		:: else -> break
		od;
		at = 0
	:: else
	fi
}

/* abuse_enqueue_request() and abuse_limit_arrive(); the caller holds the lock. */
inline arrive(q) {
	if
	:: backlog[q]
	:: else -> count_one()
	fi;
	if
	:: ok -> d_step { pending[q]++; ok = 0 }
	:: else -> d_step { backlog[q]++; nr_backlog++ }; promote(q)
	fi;
	unlock(q)
}

#else

#ifdef NEW_LIMIT
#define IS_WITHIN_LIMIT	true
#else
#define IS_WITHIN_LIMIT	(nr_counted <= limit)
#endif

/* abuse_limit_count() */
inline count_one() {
#ifdef FAULT_COUNT_FIRST
	d_step { nr_counted++; ok = nr_counted <= limit; assert(IS_WITHIN_LIMIT) };
	if
	:: ok
	:: else -> nr_counted--
	fi
#else
	d_step { ok = nr_counted < limit; nr_counted = nr_counted + ok; assert(IS_WITHIN_LIMIT) }
#endif
}

/* One turn of abuse_limit_promote_share(): counts the oldest of this backlog, or drops the lock. */
inline count_oldest(q) {
	if
	:: backlog[q] -> count_one()
	:: else
	fi;
	if
	:: ok
	:: else -> unlock(q)
	fi
}

/* abuse_limit_promote(): a full barrier, then nr_backlog, then the room. */
inline limit_promote() {
	do
	:: atomic { !nr_backlog -> break }
	:: atomic { nr_backlog -> skip };
		if
		:: atomic { nr_counted >= limit -> break }
		:: atomic { nr_counted < limit -> skip }
		fi;
		/* abuse_limit_after() and the lock. A hint that was wrong changes nothing: one that is right. */
		if
		:: atomic { !locked[0] && backlog[0] -> at = 0; locked[0] = 1; count_oldest(0) }
#if NQ > 1
		:: atomic { !locked[1] && backlog[1] -> at = 1; locked[1] = 1; count_oldest(1) }
#endif
#if NQ > 2
		:: atomic { !locked[2] && backlog[2] -> at = 2; locked[2] = 1; count_oldest(2) }
#endif
		:: !nr_backlog
		fi;
		do
		:: ok ->
			d_step { backlog[at]--; nr_backlog-- };
			d_step { pending[at]++; promoted = 1; ok = 0 };
			atomic { count_oldest(at) }
		:: else -> break
		od;
		if
		:: promoted -> promoted = 0; wake_one(at)
		:: else
		fi;
		at = 0
	od
}

#endif

/* abuse_uncount(); of the submitter, abuse_submit_promote(). */
inline uncount(number) {
#ifdef NO_BARRIER_UNCOUNT
	ok = nr_backlog > 0;
	nr_counted = nr_counted - number;
	if
	:: ok -> ok = 0; limit_promote()
	:: else
	fi
#else
	nr_counted = nr_counted - number;
	limit_promote()
#endif
}

/* ---- submit.c --------------------------------------------------------------------------------------------------- */

/* The submitters of one queue are alike: they take its lock in the order of their tickets. */
proctype submitter(byte q; byte ticket) {
	bool ok, promoted, early, behind;
	byte i, at;

#ifdef NO_BARRIER_SUBMIT
	nr_submitted[q] == ticket;
	early = len(wait_queue[q]) > 0;
#endif
	atomic {
		!locked[q] && nr_submitted[q] == ticket -> locked[q] = 1;
		nr_submitted[q]++;
#ifdef RESETS
		if
		:: up
		:: else -> unlock(q); goto done
		fi;
#endif
		MOVE(ABUSE_FREE, ABUSE_PENDING);
#ifdef OLD
	};
	arrive(q);
#else
		/* abuse_limit_arrive() */
		behind = nr_backlog > 0
	};
	if
	:: behind
	:: else -> count_one()
	fi;
	if
	:: ok -> d_step { pending[q]++; ok = 0; unlock(q) }
	:: else ->
#ifdef NO_BARRIER_BACKLOG
		/* abuse_limit_promote() reads the room before nr_backlog is written. */
		ok = nr_counted < limit;
		d_step { backlog[q]++; nr_backlog++; unlock(q) };
		if
		:: !ok -> wake_one(q); goto done
		:: else
		fi;
		ok = 0
#else
		d_step { backlog[q]++; nr_backlog++; unlock(q) }
#endif
	fi;
#ifndef FAULT_NO_PROMOTION
	limit_promote();
#endif
#endif
#ifdef NO_BARRIER_SUBMIT
	if
	:: early
	:: else -> goto done
	fi;
#endif
#ifdef PLUG
	if
	:: ticket == 0 -> goto done
	:: else
	fi;
#endif
	wake_one(q);
done:	skip
}

/* ---- fetch.c and exchange.c ------------------------------------------------------------------------------------- */

/* abuse_has_news() */
inline look() {
#ifdef RESETS
	if
	:: !up -> news = 1
	:: else ->
		if
		:: epoch != served_epoch[me] -> news = 1
		:: else -> find_pending()
		fi
	fi;
#else
	find_pending();
#endif
	target = 0
}

/* abuse_fetch_first(): of the first queue that has a request. failed: what abuse_check_server() says. */
inline fetch() {
	any_queue(at);
	do
	:: atomic {
		!locked[at] ->
		if
#ifdef RESETS
		:: !up || (served_epoch[me] && served_epoch[me] != epoch) -> failed = 1; break
#endif
		:: else ->
#ifdef RESETS
			served_epoch[me] = epoch;
#endif
			if
			:: pending[at] ->
				MOVE(ABUSE_PENDING, ABUSE_HELD);
				pending[at]--;
				held[me] = 1 + at;
				got = 1;
				break
			:: else
			fi
		fi;
		n++;
		if
		:: n == NQ -> break
		:: else -> at = (at + 1) % NQ
		fi
	   }
	od;
	n = 0;
#ifdef OLD
	if
	:: got && pending[at] -> wake_one(at)
	:: else
	fi;
	at = 0
#else
	at = 0;
	/* abuse_fetch() */
	if
#ifdef FAULT_ERROR_KEEPS_WAKE_UP
	:: woken && !failed -> wake_next()
#else
#ifdef FAULT_SUCCESS_KEEPS_WAKE_UP
	:: woken && !got -> wake_next()
#else
	:: woken -> wake_next()
#endif
#endif
	:: else
	fi;
	woken = 0
#endif
}

#define is_waiting(q)	wait_queue[q]??[eval(me)]

inline prepare_to_wait() {
#ifdef NO_BARRIER_SLEEP
	look();
#endif
	d_step {
		if
		:: is_waiting(home)
		:: else -> wait_queue[home]!me
		fi;
		sleeping[me] = 1
	};
#ifndef NO_BARRIER_SLEEP
	look()
#endif
}

/* spin(): one look stands for many. The server that spins looks again once the flag is down. */
inline spin() {
	if
	:: true
	:: atomic { !spinning[home] -> spinning[home] = 1 };
		look();
#ifndef FAULT_NO_LOOK_AFTER_SPIN
		spinning[home] = 0
#endif
	fi
}

/* abuse_fetch_wait(): failed if a signal came. */
inline fetch_wait() {
#ifdef SPIN
	spin();
#endif
	do
	:: news -> break
	:: else ->
		prepare_to_wait();
		if
		:: news -> failed = 0; break
		:: else
		fi;
		if
		:: failed -> break
		:: else
		fi;
		if
		:: atomic { signalled[me] -> failed = 1; break }
		:: atomic { !signalled[me] -> skip }
		fi;
#ifdef FAULT_NO_LOOK_AFTER_SPIN
		spinning[home] = 0;
#endif
end_asleep:	!sleeping[me];
		if
		:: atomic { signalled[me] -> failed = 1 }
		:: atomic { !signalled[me] -> skip }
		fi
	od;
#ifdef FAULT_NO_LOOK_AFTER_SPIN
	spinning[home] = 0;
#endif
	sleeping[me] = 0;
	d_step {
		if
		:: is_waiting(home) -> wait_queue[home]??eval(me)
		:: else
		fi
	};
	news = 0;
	/* A wake-up that came as it gave up belongs to the next. */
#ifndef FAULT_LEAVER_KEEPS_WAKE_UP
	if
	:: failed ->
#ifdef OLD
		look();
		if
		:: news -> news = 0; wake_one(home)
		:: else
		fi
#else
		wake_next()
#endif
	:: else
	fi;
#endif
	woken = 1
}

/* The process is gone: abuse_return_all(). */
inline give_back() {
	at = held[me];
	if
	:: at ->
		at--;
		atomic {
			!locked[at] ->
			if
			:: held[me] -> MOVE(ABUSE_HELD, ABUSE_PENDING); pending[at]++; held[me] = 0; got = 1
			:: else
			fi
		};
		at = 0;
		do
		:: !got || at == NQ -> break
		:: got && at < NQ -> wake_one(at); at++
		od;
		got = 0; at = 0
	:: else
	fi
}

/* abuse_answer(): the request ends; if RESET ended it before, the reply is refused. */
inline answer() {
	d_step {
		if
		:: held[me] ->
			MOVE(ABUSE_HELD, ABUSE_CLAIMED_HELD);
			MOVE(ABUSE_CLAIMED_HELD, ABUSE_FREE);
			held[me] = 0;
			got = 1
		:: else
		fi
	};
	if
	:: got -> uncount(1)
	:: else
	fi;
	got = 0
}

proctype server(byte me) {
	bool ok, promoted, news, got, failed, woken;
	byte i, n, at, target, home;

	home = HOME;
	do
	:: fetch();
		if
		:: failed -> break
		:: got ->
			got = 0;
			if
			:: answer()
			:: true ->
end_in_user_space:		signalled[me] -> break
			fi
		:: else ->
			fetch_wait();
			if
			:: failed -> break
			:: else
			fi
		fi
	od;
	failed = 0; woken = 0;
	give_back()
}

/* ---- others ----------------------------------------------------------------------------------------------------- */

proctype killer() {
	byte kills, victim;

	do
	:: kills < KILLS ->
		kills++;
		victim = 0;
		do
		:: victim < NS - 1 -> victim++
		:: break
		od;
		atomic { signalled[victim] = 1; sleeping[victim] = 0 }
	:: break
	od
}

#ifdef NEW_LIMIT
/* abuse_set_limit() */
proctype changer() {
	bool ok, promoted;
	byte i, at;

	limit = NEW_LIMIT;
	limit_promote()
}
#endif

#ifdef RESETS
/* abuse_device_reset() and the next set-up. */
proctype resetter() {
	bool ok, promoted;
	byte i, at, q, swept, resets;

	do
	:: resets < RESETS ->
		resets++;
		up = false;
		do
		:: q < NQ ->
			lock(q);
			d_step {
				swept = pending[q];
				pending[q] = 0;
				nr_backlog = nr_backlog - backlog[q];
				backlog[q] = 0;
				who = 0;
				do
				:: who < NS ->
					if
					:: held[who] == 1 + q -> held[who] = 0; swept++
					:: else
					fi;
					who++
				:: else -> break
				od
			};
			unlock(q);
			if
			:: swept -> uncount(swept); swept = 0
			:: else
			fi;
			q++
		:: else -> break
		od;
		q = 0;
		wake_all();
		epoch++;
		up = true
	:: break
	od
}
#endif

/* Nothing moves any more. */
active proctype judge() {
	timeout ->
	d_step {
		turns = 0;
		who = 0;
		waiter = 0;
		do
		:: turns < NQ -> who = who + pending[turns]; turns++
		:: else -> break
		od;
		waiter = who;
		turns = 0;
		do
		:: turns < NS -> waiter = waiter + (held[turns] > 0); turns++
		:: else -> break
		od;
		/* nr_counted is wrong */
		assert(waiter == nr_counted);
		/* a request is stranded in a backlog */
		assert(!nr_backlog || nr_counted >= limit);
		turns = 0;
		do
		:: turns < NS ->
			/* a wake-up is lost */
			assert(!who || !sleeping[turns]);
			turns++
		:: else -> break
		od
	}
}

init {
	byte s;

	atomic {
		run submitter(Q0, 0);
#ifdef Q1
		run submitter(Q1, Q1 == Q0);
#endif
#ifdef Q2
		run submitter(Q2, (Q2 == Q0) + (Q2 == Q1));
#endif
		do
		:: s < NS -> run server(s); s++
		:: else -> break
		od;
		s = 0;
#if KILLS
		run killer();
#endif
#ifdef NEW_LIMIT
		run changer();
#endif
#ifdef RESETS
		run resetter()
#endif
	}
}
