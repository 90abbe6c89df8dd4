/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's loop against a kernel played by this file: each request is
 * answered exactly once and with an allowed result, whatever EINTR, refused
 * replies, failing callbacks and late flushes come between; a write that must
 * be durable is answered only after flush.
 */
#include "test.h"

#include <sys/ioctl.h>

static int fake_ioctl(int fd, unsigned long cmd, const void *arg);
#define ioctl fake_ioctl
#include "../../utils/lib/serve.c"
#undef ioctl

#define NR	2000		/* requests handed out */
#define MIB	(1U << 20)

static struct {
	uint32_t op, flags;
	bool written, flushed, answered;
	uint32_t result;
} requests[NR + 1];
static unsigned int handed, answered, calls, refused, interrupted;
static bool stop, has_cache;
static int lost;

int abuse_ctl_get_params(int fd, struct abuse_params *params)
{
	(void)fd;
	memset(params, 0, sizeof(*params));
	params->state = ABUSE_S_UP;
	params->features = has_cache ? ABUSE_F_WRITE_CACHE : 0;
	return 0;
}

static void take(struct abuse_reply *reply)
{
	/* Some that carry data are refused: they must come again, as errors. */
	if (reply->address && reply->id % 5 == 0) {
		reply->status = EFAULT;
		refused++;
		return;
	}
	reply->status = 0;
	if (!reply->id || reply->id > NR || requests[reply->id].answered)
		lost++;
	else
		requests[reply->id].answered = true;
	if (reply->id <= NR)
		requests[reply->id].result = reply->result;
	answered++;
}

/* One MiB of read data, and of payload, at most: as a real kernel hands out. */
static void hand_out(struct abuse_exchange *call)
{
	struct abuse_request *req = (void *)(uintptr_t)call->requests;
	uint64_t offset = 0;
	unsigned int most = call->max_requests;

	for (; call->nr_requests < most && handed < NR; req++, call->nr_requests++) {
		uint64_t length = (handed % 5 + 1) * 65536;
		uint32_t op = handed % 6;

		if (op == 5)
			op = ABUSE_OP_WRITE;
		if (op == ABUSE_OP_WRITE && offset + length > call->buffer_size)
			break;
		*req = (struct abuse_request) {
			.id = ++handed, .op = op,
			.flags = handed % 12 == 0 ? ABUSE_REQ_FUA : 0,
			.sector = handed * 8ULL,
			.length = op == ABUSE_OP_FLUSH ? 0 : length,
		};
		if (op == ABUSE_OP_WRITE) {
			req->offset = offset;
			memcpy((char *)(uintptr_t)call->buffer + offset, &req->id, 8);
			offset += length;
		}
		requests[req->id].op = op;
		requests[req->id].flags = req->flags;
	}
}

static int fake_ioctl(int fd, unsigned long cmd, const void *arg)
{
	struct abuse_exchange *call = (void *)(uintptr_t)arg;
	struct abuse_reply *reply = (void *)(uintptr_t)call->replies;
	unsigned int i;

	(void)fd;
	if (cmd != ABUSE_EXCHANGE || call->size != sizeof(*call))
		lost++;
	if (++calls % 7 == 0) {
		interrupted++;
		errno = EINTR;
		return -1;
	}
	for (i = 0; i < call->nr_replies; i++) {
		take(&reply[i]);
		call->nr_taken += !reply[i].status;
	}
	hand_out(call);
	if (handed == NR && !call->nr_requests)
		stop = true;
	return 0;
}

static int read_result(uint64_t id)
{
	return id % 11 ? 0 : id % 4 == 1 ? ABUSE_ZEROES : -EPERM;
}

static int do_read(void *arg, void *to, uint64_t offset, uint64_t length)
{
	(void)arg;
	memset(to, 1, length);		/* faults if it is not room for that much */
	return read_result(offset / 4096);
}

static int do_write(void *arg, const void *from, uint64_t offset, uint64_t length)
{
	uint64_t id;

	(void)arg;
	(void)length;
	memcpy(&id, from, sizeof(id));
	if (id != offset / 4096)
		lost++;
	requests[id].written = true;
	return id % 13 ? 0 : -EDQUOT;
}

static int do_discard(void *arg, uint64_t offset, uint64_t length)
{
	(void)arg;
	(void)length;
	return offset / 4096 % 3 ? 0 : -EOPNOTSUPP;
}

static int do_flush(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 1; i <= handed; i++)
		if (requests[i].written || requests[i].op == ABUSE_OP_FLUSH) {
			if (requests[i].answered && !requests[i].flushed &&
			    !requests[i].result &&
			    (!has_cache || requests[i].flags & ABUSE_REQ_FUA))
				lost++;
			requests[i].flushed = true;
		}
	return 0;
}

static void serve(unsigned int depth, bool cache)
{
	static const struct abuse_ops ops = {
		.read = do_read, .write = do_write, .discard = do_discard,
		.flush = do_flush,
	};
	struct abuse_worker worker;
	unsigned int i, wrong = 0, missing = 0, early = 0;

	memset(requests, 0, sizeof(requests));
	handed = answered = calls = refused = interrupted = 0;
	stop = false;
	has_cache = cache;
	must(!abuse_worker_alloc(&worker, 3, depth, true), "a worker of depth %u, %s",
	     depth, cache ? "write cache" : "write through");
	is(abuse_worker_run(&worker, &ops, NULL, &stop), 0, "the loop ends");
	for (i = 1; i <= NR; i++) {
		uint32_t result = requests[i].result, op = requests[i].op;

		missing += !requests[i].answered;
		if (op == ABUSE_OP_WRITE)
			wrong += result != (i % 13 ? 0 : ENOSPC);
		if (op == ABUSE_OP_DISCARD)
			wrong += result != (i % 3 ? 0 : EOPNOTSUPP);
		if (op == ABUSE_OP_WRITE_ZEROES)
			wrong += result != EOPNOTSUPP;
		if (op == ABUSE_OP_READ)
			wrong += result != (read_result(i) < 0 ||
					    (!read_result(i) && i % 5 == 0) ? EIO : 0);
		if (op == ABUSE_OP_WRITE && !result &&
		    (!cache || requests[i].flags & ABUSE_REQ_FUA))
			early += !requests[i].flushed;
	}
	is(handed, NR, "requests handed out");
	is(missing, 0, "requests that were not answered");
	is(wrong, 0, "requests with a wrong result");
	is(early, 0, "durable writes that were never flushed");
	is(lost, 0, "foreign ids, second answers, answers before flush");
	is(worker.counts.ops[ABUSE_OP_WRITE] > 0, 1, "writes are counted");
	ok(refused && interrupted, "%u replies were refused, %u calls interrupted",
	   refused, interrupted);
	abuse_worker_free(&worker);
}

int main(void)
{
	struct abuse_worker worker;

	is(abuse_worker_alloc(&worker, 3, 0, true), -EINVAL, "depth 0");
	is(abuse_worker_alloc(&worker, 3, 257, true), -EINVAL, "depth 257");
	serve(1, true);
	serve(16, true);
	serve(256, true);
	serve(16, false);
	return done();
}
