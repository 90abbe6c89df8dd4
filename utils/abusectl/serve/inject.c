// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Callbacks that fail requests or have them answered later; see inject.h. Waiting requests
 * occupy no thread but one, which watches the time. A backend whose callbacks may
 * wait does its work at once, and its answer is kept back, with what the kernel does
 * upon that; one that answers later itself is asked later.
 *
 * All requests of an operation wait equally long, so each has a queue of its own that
 * is in order by itself, and the next one due is the first of one of them.
 */
#include "inject.h"
#include "backends/backend.h"
#include "cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#define STACK_SIZE	(128 * 1024)	/* locked memory: keep it small */
#define NSEC_PER_SEC	1000000000ULL
#define NEVER		UINT64_MAX

/* A request that waits. */
struct waiter {
	struct abuse_req *req;
	int (*callback)(struct abuse_req *req);	/* to be asked when it is due, or NULL */
	int result;				/* of one that was asked */
	uint64_t due;
	struct waiter *next;
};

struct line {
	struct waiter *first, *last;
};

static struct {
	const struct inject *wanted;
	struct abuse_ops ops;		/* the backend's */
	bool is_async;
	pthread_t thread;
	bool is_started;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	unsigned short dice[INJECT_OPS][3];
	struct line lines[INJECT_OPS];
	struct waiter *free;
	bool is_hasty;
	bool is_over;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

/* ---- callbacks ---- */

static bool is_to_fail(unsigned int op)
{
	double rate = state.wanted->rate[op], drawn;

	if (rate <= 0)
		return false;
	pthread_mutex_lock(&state.lock);
	drawn = erand48(state.dice[op]);
	pthread_mutex_unlock(&state.lock);
	return drawn < rate;
}

/* Locked. */
static void line_up(unsigned int op, struct waiter *waiter)
{
	struct line *line = &state.lines[op];

	waiter->next = NULL;
	if (line->first) {
		line->last->next = waiter;
	} else {
		line->first = waiter;
		pthread_cond_signal(&state.changed);
	}
	line->last = waiter;
}

/* False: it is not to wait. */
static bool keep_back(unsigned int op, struct abuse_req *req,
		      int (*callback)(struct abuse_req *req), int result)
{
	uint64_t delay = state.wanted->delay[op];
	struct waiter *waiter = NULL;

	if (!delay)
		return false;
	pthread_mutex_lock(&state.lock);
	if (!state.is_hasty)
		waiter = state.free;
	if (waiter) {
		state.free = waiter->next;
		waiter->req = req;
		waiter->callback = callback;
		waiter->result = result;
		waiter->due = now() + delay;
		line_up(op, waiter);
	}
	pthread_mutex_unlock(&state.lock);
	return waiter;
}

static int handle(unsigned int op, struct abuse_req *req,
		  int (*callback)(struct abuse_req *req))
{
	int result;

	if (is_to_fail(op))
		result = -state.wanted->err[op];
	else if (!callback)
		result = 0;
	else if (state.is_async)
		return keep_back(op, req, callback, 0) ? ABUSE_ASYNC : callback(req);
	else
		result = callback(req);
	return keep_back(op, req, NULL, result) ? ABUSE_ASYNC : result;
}

static int inject_pread(struct abuse_req *req)
{
	return handle(ABUSE_OP_READ, req, state.ops.pread);
}

static int inject_pwrite(struct abuse_req *req)
{
	return handle(ABUSE_OP_WRITE, req, state.ops.pwrite);
}

static int inject_trim(struct abuse_req *req)
{
	return handle(ABUSE_OP_DISCARD, req, state.ops.trim);
}

static int inject_zero(struct abuse_req *req)
{
	return handle(ABUSE_OP_WRITE_ZEROES, req, state.ops.zero);
}

static int inject_flush(struct abuse_req *req)
{
	return handle(ABUSE_OP_FLUSH, req, state.ops.flush);
}

/* ---- the thread ---- */

/* Locked: when the next one is due. */
static uint64_t next_due(void)
{
	uint64_t due = NEVER;
	unsigned int op;

	for (op = 0; op < INJECT_OPS; op++)
		if (state.lines[op].first && state.lines[op].first->due < due)
			due = state.lines[op].first->due;
	return due == NEVER || !state.is_hasty ? due : 0;
}

/* Locked: all that are due, as a list. */
static struct waiter *take_due(uint64_t time)
{
	struct waiter *due = NULL, **end = &due;
	unsigned int op;

	for (op = 0; op < INJECT_OPS; op++) {
		struct line *line = &state.lines[op];

		while (line->first && (state.is_hasty || line->first->due <= time)) {
			*end = line->first;
			end = &line->first->next;
			line->first = line->first->next;
		}
	}
	*end = NULL;
	return due;
}

static void wait_until(uint64_t due)
{
	struct timespec until = {
		.tv_sec = (time_t)(due / NSEC_PER_SEC),
		.tv_nsec = (long)(due % NSEC_PER_SEC),
	};

	if (due == NEVER)
		pthread_cond_wait(&state.changed, &state.lock);
	else
		pthread_cond_timedwait(&state.changed, &state.lock, &until);
}

static void let_go(struct waiter *waiter)
{
	int result = waiter->callback ? waiter->callback(waiter->req) : waiter->result;

	if (result != ABUSE_ASYNC)
		abuse_req_done(waiter->req, result);
}

static void *thread_main(void *arg)
{
	struct waiter *due, *next;
	uint64_t time;

	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	pthread_mutex_lock(&state.lock);
	while (!state.is_over) {
		time = now();
		if (next_due() > time) {
			wait_until(next_due());
			continue;
		}
		due = take_due(time);
		pthread_mutex_unlock(&state.lock);
		for (next = due; next; next = next->next)
			let_go(next);
		pthread_mutex_lock(&state.lock);
		for (; due; due = next) {
			next = due->next;
			due->next = state.free;
			state.free = due;
		}
	}
	pthread_mutex_unlock(&state.lock);
	return arg;
}

static int start_thread(void)
{
	pthread_condattr_t clock;
	pthread_attr_t attr;
	int ret;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&state.changed, &clock);
	pthread_condattr_destroy(&clock);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	ret = pthread_create(&state.thread, &attr, thread_main, NULL);
	pthread_attr_destroy(&attr);
	state.is_started = !ret;
	return ret;
}

/* ---- start and end ---- */

static bool has_errors(const struct inject *inject)
{
	unsigned int op;

	for (op = 0; op < INJECT_OPS; op++)
		if (inject->rate[op] > 0)
			return true;
	return false;
}

/* Each operation has its own random sequence, so that other operations do not change it. */
static int prepare_dice(const struct inject *inject)
{
	uint32_t seed = inject->seed;
	unsigned int op;

	if (!has_errors(inject))
		return EXIT_OK;
	if (!inject_has(inject, "seed")) {
		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			return failed("seed", "no random number is to be had: %s; give one",
				      strerror(errno));
		note("seed", "%u has the same requests fail again", seed);
	}
	for (op = 0; op < INJECT_OPS; op++) {
		state.dice[op][0] = (unsigned short)(op + 1);
		state.dice[op][1] = (unsigned short)seed;
		state.dice[op][2] = (unsigned short)(seed >> 16);
	}
	return EXIT_OK;
}

static int make_room(unsigned int nr)
{
	struct waiter *waiters = calloc(nr, sizeof(*waiters));
	unsigned int i;

	if (!waiters)
		return -1;
	for (i = 0; i + 1 < nr; i++)
		waiters[i].next = &waiters[i + 1];
	state.free = waiters;
	return 0;
}

int inject_start(const struct inject *inject, const struct backend *backend,
		 unsigned int nr, struct abuse_ops *ops)
{
	int ret;

	*ops = backend->ops;
	if (!inject->given)
		return EXIT_OK;
	if (inject_check(inject, ops))
		return EXIT_FAILED;
	state.wanted = inject;
	state.ops = backend->ops;
	state.is_async = backend->is_async;
	*ops = (struct abuse_ops) {
		.pread = inject_pread,
		.pwrite = inject_pwrite,
		.trim = backend->ops.trim ? inject_trim : NULL,
		.zero = backend->ops.zero ? inject_zero : NULL,
		.flush = backend->ops.flush ? inject_flush : NULL,
	};
	if (prepare_dice(inject))
		return EXIT_FAILED;
	if (!inject_delays(inject))
		return EXIT_OK;
	if (make_room(nr))
		return failed("delay", "out of memory");
	ret = start_thread();
	return ret ? failed("delay", "no thread can be started: %s", strerror(ret)) :
		     EXIT_OK;
}

static void tell(bool *what)
{
	pthread_mutex_lock(&state.lock);
	*what = true;
	pthread_cond_signal(&state.changed);
	pthread_mutex_unlock(&state.lock);
}

void inject_hasten(void)
{
	if (state.is_started)
		tell(&state.is_hasty);
}

void inject_quit(void)
{
	if (!state.is_started)
		return;
	tell(&state.is_over);
	pthread_join(state.thread, NULL);
	state.is_started = false;
}
