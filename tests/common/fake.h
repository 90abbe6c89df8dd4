/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The library's serving half against a kernel played here: it hands out requests made
 * up by fake_describe(), interrupts calls, refuses replies, and keeps account of each
 * request. Payloads begin and end with the request's number; so must what is read.
 */
#ifndef ABUSE_FAKE_H
#define ABUSE_FAKE_H

#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __SANITIZE_THREAD__
/* This call is not known to gcc 12's sanitizer, which takes each thread joined by it for one that runs. */
static int fake_clockjoin(pthread_t thread, void **value, clockid_t clock, const struct timespec *until)
{
	struct timespec now;

	(void)until;
	(void)clock;
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += now.tv_nsec >= 980000000;
	now.tv_nsec = (now.tv_nsec + 20000000) % 1000000000;
	return pthread_timedjoin_np(thread, value, &now);
}
#define pthread_clockjoin_np fake_clockjoin
#endif

static int fake_ioctl(int fd, unsigned long cmd, const void *arg);
#define ioctl fake_ioctl
#define VERSION "of the tests"
#include "../../utils/lib/reason.c"
#include "../../utils/lib/memory.c"
#include "../../utils/lib/ctl.c"
#include "../../utils/lib/attach.c"
#include "../../utils/lib/queue.c"
#include "../../utils/lib/request.c"
#include "../../utils/lib/wake.c"
#include "../../utils/lib/turn.c"
#include "../../utils/lib/exchange.c"
#include "../../utils/lib/buffer.c"
#include "../../utils/lib/run.c"
#include "../../utils/lib/reply.c"
#include "../../utils/lib/server.c"
#include "../../utils/lib/threads.c"
#include "../../utils/lib/files.c"
#include "../../utils/lib/loops.c"
#undef ioctl

#define FAKE_MAX	4096

struct fake_request {
	uint32_t op, flags;
	uint64_t length;
	bool held, answered, refused;
	uint32_t result, reply_flags, file;
	uint64_t address;
	bool written, flushed;		/* for the callbacks of a test */
};

static struct {
	pthread_mutex_t lock;
	int node;			/* readable while there are requests */
	unsigned int nr;		/* requests to hand out */
	unsigned int handed, answered, calls, refused, interrupted, lost, most_held;
	bool refuses, interrupts;
	int error;			/* of the next call that asks for requests */
	int set_up;			/* calls of SET_PARAMS */
	struct abuse_params params;
	struct fake_request requests[FAKE_MAX + 1];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Of the test: op, flags, length of request @id, which counts from 1. */
static void fake_describe(uint64_t id, struct abuse_request *req);

static bool fake_is_marked(const void *data, uint64_t length, uint64_t id)
{
	const char *at = data;

	return !memcmp(at, &id, sizeof(id)) &&
	       !memcmp(at + length - sizeof(id), &id, sizeof(id));
}

static void fake_mark(void *data, uint64_t length, uint64_t id)
{
	char *at = data;

	memcpy(at, &id, sizeof(id));
	memcpy(at + length - sizeof(id), &id, sizeof(id));
}

static uint64_t fake_id(const struct abuse_req *req)
{
	return req->offset / 4096;
}

__attribute__((unused))
static struct fake_request *fake_of(const struct abuse_req *req)
{
	return &fake.requests[fake_id(req)];
}

/* As the kernel finds out: without a signal. */
static bool fake_is_there(uint64_t address, uint64_t length)
{
	char first, last;
	struct iovec to[] = { { &first, 1 }, { &last, 1 } };
	struct iovec from[] = {
		{ (void *)(uintptr_t)address, 1 },
		{ (void *)(uintptr_t)(address + length - 1), 1 },
	};

	return process_vm_readv(getpid(), to, 2, from, 2, 0) == 2;
}

/* A payload comes where the reply says, or is not allowed there. */
static bool fake_store(uint64_t address, uint64_t length, uint64_t id)
{
	struct iovec from[] = { { &id, sizeof(id) }, { &id, sizeof(id) } };
	struct iovec to[] = {
		{ (void *)(uintptr_t)address, sizeof(id) },
		{ (void *)(uintptr_t)(address + length - sizeof(id)), sizeof(id) },
	};

	return process_vm_writev(getpid(), from, 2, to, 2, 0) == 2 * sizeof(id);
}

static void fake_take(struct abuse_reply *reply)
{
	struct fake_request *req = &fake.requests[reply->id];
	bool is_copied, is_stored = reply->flags & ABUSE_REPLY_STORE;

	reply->status = 0;
	if (!reply->id || reply->id > fake.nr || !req->held || req->answered) {
		fake.lost++;
		return;
	}
	is_copied = reply->address && !reply->flags;
	if (is_stored && (req->op != ABUSE_OP_WRITE || req->flags & ABUSE_REQ_FUA ||
			  reply->result))
		fake.lost++;
	/* Some that carry data are refused: they must come again, as errors. */
	if ((fake.refuses && reply->address && reply->id % 5 == 0) ||
	    (is_stored && !fake_store(reply->address, req->length, reply->id)) ||
	    (is_copied && !fake_is_there(reply->address, req->length))) {
		reply->status = EFAULT;
		req->refused = true;
		fake.refused++;
		return;
	}
	if (is_copied &&
	    !fake_is_marked((void *)(uintptr_t)reply->address, req->length, reply->id))
		fake.lost++;
	req->answered = true;
	req->result = reply->result;
	req->reply_flags = reply->flags;
	req->file = reply->file;
	req->address = reply->address;
	__atomic_add_fetch(&fake.answered, 1, __ATOMIC_SEQ_CST);
}

static void fake_hand_out(struct abuse_exchange *call)
{
	struct abuse_request *req = (void *)(uintptr_t)call->requests;
	uint64_t offset = 0, count;

	for (; call->nr_requests < call->max_requests && fake.handed < fake.nr; req++) {
		uint64_t id = fake.handed + 1;

		*req = (struct abuse_request) { .id = id, .sector = id * 8 };
		fake_describe(id, req);
		if (req->op == ABUSE_OP_WRITE && call->buffer_size) {
			if (offset + req->length > call->buffer_size)
				break;
			req->offset = offset;
			fake_mark((char *)(uintptr_t)call->buffer + offset, req->length, id);
			offset += (req->length + 4095) / 4096 * 4096;
		}
		fake.requests[id] = (struct fake_request) {
			.op = req->op, .flags = req->flags, .length = req->length,
			.held = true,
		};
		fake.handed++;
		call->nr_requests++;
	}
	if (fake.handed - fake.answered > fake.most_held)
		fake.most_held = fake.handed - fake.answered;
	if (fake.handed == fake.nr && read(fake.node, &count, sizeof(count)) < 0)
		(void)count;
}

static int fake_exchange(struct abuse_exchange *call)
{
	struct abuse_reply *reply = (void *)(uintptr_t)call->replies;
	unsigned int i;

	call->nr_taken = call->nr_requests = 0;
	if (call->size != sizeof(*call) || call->max_requests > ABUSE_MAX_ENTRIES ||
	    call->nr_replies > ABUSE_MAX_ENTRIES ||
	    (call->max_requests && call->buffer_size &&
	     call->buffer_size < fake.params.max_request))
		fake.lost++;
	if (++fake.calls % 7 == 0 && fake.interrupts) {
		fake.interrupted++;
		return EINTR;
	}
	for (i = 0; i < call->nr_replies; i++) {
		fake_take(&reply[i]);
		call->nr_taken += !reply[i].status;
	}
	if (call->max_requests && __atomic_load_n(&fake.error, __ATOMIC_SEQ_CST))
		return call->nr_taken ? 0 : __atomic_load_n(&fake.error, __ATOMIC_SEQ_CST);
	if (call->max_requests)
		fake_hand_out(call);
	return 0;
}

static int fake_wait(struct abuse_exchange *call)
{
	int ret;

	for (;;) {
		pthread_mutex_lock(&fake.lock);
		ret = fake_exchange(call);
		pthread_mutex_unlock(&fake.lock);
		if (ret || call->nr_taken || call->nr_taken < call->nr_replies ||
		    call->nr_requests || !call->wait || !call->max_requests)
			return ret;
		call->nr_replies = 0;
		if (poll(NULL, 0, 1) < 0)
			return EINTR;
	}
}

/* While it is up, 0 leaves a value as it is. */
static void fake_set_params(const struct abuse_params *given)
{
	struct abuse_params *now = &fake.params;
	bool is_up = now->state == ABUSE_S_UP;

	fake.set_up++;
	now->state = ABUSE_S_UP;
	now->capacity = is_up && !given->capacity ? now->capacity : given->capacity;
	now->features = is_up && !given->features ? now->features : given->features;
	now->queue_limit = is_up && !given->queue_limit ? now->queue_limit : given->queue_limit;
	now->timeout = is_up && !given->timeout ? now->timeout : given->timeout;
}

static int fake_call(unsigned long cmd, void *arg)
{
	struct abuse_params *params = arg;

	switch (cmd) {
	case ABUSE_EXCHANGE:
		return fake_wait(arg);
	case ABUSE_GET_PARAMS:
		*params = fake.params;
		return 0;
	case ABUSE_SET_PARAMS:
		fake_set_params(params);
		return 0;
	case ABUSE_REGISTER_FILE:
		if (!(fake.params.all_features & ABUSE_F_REDIRECT))
			return ENOTTY;
		((struct abuse_file *)arg)->index = 3;
		return 0;
	}
	return ENOTTY;
}

static int fake_ioctl(int fd, unsigned long cmd, const void *arg)
{
	int err;

	if (fd != fake.node)
		fake.lost++;
	err = fake_call(cmd, (void *)(uintptr_t)arg);
	errno = err;
	return err ? -1 : 0;
}

/* Only devices given by an open node are played. */
int abuse_dev_open(const char *text)
{
	(void)text;
	return -ENODEV;
}

int abuse_dev_find(const char *text)
{
	(void)text;
	return -ENODEV;
}

/* A device that is up, with @nr requests waiting. */
static void fake_begin(unsigned int nr, uint64_t features)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int old = fake.node;

	memset(&fake, 0, sizeof(fake));
	if (old > 0)
		close(old);
	fake.lock = lock;
	fake.node = eventfd(1, EFD_NONBLOCK);
	fake.nr = nr;
	fake.params = (struct abuse_params) {
		.state = ABUSE_S_UP, .features = features, .capacity = 1 << 30,
		.max_request = ABUSE_MAX_REQUEST, .number = 7,
		.all_features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
				ABUSE_F_WRITE_ZEROES,
	};
}

/* Until @value, which other threads change, is @wanted, or it takes far too long. */
__attribute__((unused))
static bool fake_await(const unsigned int *value, unsigned int wanted)
{
	unsigned int i;

	for (i = 0; i < 1000 * stretched(20); i++) {
		if (__atomic_load_n(value, __ATOMIC_SEQ_CST) == wanted)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

#endif
