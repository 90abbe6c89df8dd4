// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Serving, read top to bottom: abuse_worker_run() fetches a batch,
 * serve_batch() has each request done, serve_late() makes durable what must be,
 * and the replies go out with the next fetch. One thread per worker, no lock,
 * no allocation on the way.
 *
 * A WRITE is answered only after the backend has stored it, so a server may be
 * killed at any instant: what it did not answer, another is handed again.
 */
#include "internal.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define SECTOR_SHIFT	9
#define BUFFER_SIZE	ABUSE_MAX_REQUEST	/* the largest request fits */
#define MAX_DEPTH	(ABUSE_MAX_ENTRIES / 2)

/* Counters have one writer; readers in other threads see whole values. */
static void count(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static int serve_batch(struct abuse_worker *worker, const struct abuse_ops *ops,
		       void *arg);

int abuse_worker_run(struct abuse_worker *worker, const struct abuse_ops *ops,
		     void *arg, const bool *stop)
{
	int ret;

	while (!__atomic_load_n(stop, __ATOMIC_ACQUIRE)) {
		ret = abuse_worker_fetch(worker, -1);
		if (ret == -EINTR)
			continue;
		if (ret > 0)
			ret = serve_batch(worker, ops, arg);
		if (ret < 0)
			return ret;
	}
	return abuse_worker_answer(worker);
}

static int serve_one(const struct abuse_ops *ops, void *arg,
		     const struct abuse_request *req, void *data)
{
	uint64_t offset = req->sector << SECTOR_SHIFT;

	switch (req->op) {
	case ABUSE_OP_READ:
		return ops->read ? ops->read(arg, data, offset, req->length) : -EIO;
	case ABUSE_OP_WRITE:
		return ops->write ? ops->write(arg, data, offset, req->length) : -EIO;
	case ABUSE_OP_FLUSH:
		return 0;
	case ABUSE_OP_DISCARD:
		return ops->discard ? ops->discard(arg, offset, req->length) :
				      -EOPNOTSUPP;
	case ABUSE_OP_WRITE_ZEROES:
		return ops->write_zeroes ?
			ops->write_zeroes(arg, offset, req->length,
					  !(req->flags & ABUSE_REQ_NOUNMAP)) :
			-EOPNOTSUPP;
	}
	return -EIO;
}

/* Must what @req did be on stable storage before it is answered? */
static bool is_durable(const struct abuse_worker *worker,
		       const struct abuse_request *req)
{
	if (req->op == ABUSE_OP_READ || req->op == ABUSE_OP_DISCARD)
		return false;
	return req->op == ABUSE_OP_FLUSH || req->flags & ABUSE_REQ_FUA ||
	       worker->write_through;
}

/* One flush for all requests that wait for one; the others are not kept waiting. */
static int serve_late(struct abuse_worker *worker, const struct abuse_ops *ops,
		      void *arg, unsigned int nr_late)
{
	unsigned int i;
	int ret;

	ret = abuse_worker_answer(worker);
	if (ret < 0)
		return ret;
	ret = ops->flush(arg);
	for (i = 0; i < nr_late; i++)
		abuse_worker_reply(worker, &worker->requests[i], ret, NULL);
	return 0;
}

static int serve_batch(struct abuse_worker *worker, const struct abuse_ops *ops,
		       void *arg)
{
	unsigned int i, nr_late = 0;
	void *data;
	int ret;

	for (i = 0; i < worker->nr_requests; i++) {
		const struct abuse_request *req = &worker->requests[i];

		data = worker->payload ? worker->payload + req->offset : NULL;
		if (req->op == ABUSE_OP_READ) {
			if (req->length > BUFFER_SIZE - worker->arena_used) {
				ret = abuse_worker_answer(worker);
				if (ret < 0)
					return ret;
			}
			data = worker->arena + worker->arena_used;
			worker->arena_used += req->length;
		}
		ret = serve_one(ops, arg, req, data);
		if (!ret && ops->flush && is_durable(worker, req))
			worker->requests[nr_late++] = *req;
		else
			abuse_worker_reply(worker, req, ret, data);
	}
	return nr_late ? serve_late(worker, ops, arg, nr_late) : 0;
}

/* The result for @err that the kernel allows for @op. */
static uint32_t allowed_result(uint32_t op, int err)
{
	switch (err) {
	case 0:
	case ENOSPC:
	case ETIMEDOUT:
	case ENODATA:
	case EILSEQ:
	case ENOLINK:
		return (uint32_t)err;
	case EDQUOT:
	case EFBIG:
		return ENOSPC;
	case EOPNOTSUPP:
		if (op == ABUSE_OP_DISCARD || op == ABUSE_OP_WRITE_ZEROES)
			return EOPNOTSUPP;
		break;
	}
	return EIO;
}

void abuse_worker_reply(struct abuse_worker *worker,
			const struct abuse_request *req, int result,
			const void *data)
{
	struct abuse_reply *reply = &worker->replies[worker->nr_replies++];
	struct abuse_counts *counts = &worker->counts;

	*reply = (struct abuse_reply) { .id = req->id };
	if (result < 0)
		reply->result = allowed_result(req->op, -result);
	else if (req->op == ABUSE_OP_READ && result == ABUSE_ZEROES)
		reply->flags = ABUSE_REPLY_ZERO;
	else if (req->op == ABUSE_OP_READ)
		reply->address = (uintptr_t)data;

	if (req->op < sizeof(counts->ops) / sizeof(*counts->ops))
		count(&counts->ops[req->op], 1);
	if (reply->result)
		count(&counts->errors, 1);
	else if (req->op == ABUSE_OP_READ)
		count(&counts->read_bytes, req->length);
	else if (req->op == ABUSE_OP_WRITE)
		count(&counts->written_bytes, req->length);
}

/*
 * After an exchange: what was refused but is still held is answered again, as
 * an error; everything else is done with.
 */
static void keep_refused(struct abuse_worker *worker, unsigned int nr_taken)
{
	unsigned int i, nr = 0;

	for (i = 0; nr_taken < worker->nr_replies && i < worker->nr_replies; i++) {
		struct abuse_reply *reply = &worker->replies[i];

		if (reply->status == ESTALE)
			count(&worker->counts.stale, 1);
		else if (reply->status)
			worker->replies[nr++] = (struct abuse_reply) {
				.id = reply->id, .result = EIO,
			};
	}
	worker->nr_replies = nr;
	worker->arena_used = 0;
}

static int exchange(struct abuse_worker *worker, unsigned int max_requests,
		    int64_t wait)
{
	struct abuse_exchange call = {
		.size = sizeof(call),
		.reply_size = sizeof(struct abuse_reply),
		.request_size = sizeof(struct abuse_request),
		.replies = (uintptr_t)worker->replies,
		.requests = (uintptr_t)worker->requests,
		.nr_replies = worker->nr_replies,
		.max_requests = max_requests,
		.buffer = (uintptr_t)worker->payload,
		.buffer_size = worker->payload ? BUFFER_SIZE : 0,
		.wait = wait,
	};
	int ret = abuse_ioctl(worker->fd, ABUSE_EXCHANGE, &call);

	if (ret < 0)
		return ret;
	count(&worker->counts.calls, 1);
	keep_refused(worker, call.nr_taken);
	return (int)call.nr_requests;
}

int abuse_worker_fetch(struct abuse_worker *worker, int64_t wait)
{
	int ret = exchange(worker, worker->depth, wait);

	worker->nr_requests = ret < 0 ? 0 : (unsigned int)ret;
	return ret;
}

int abuse_worker_answer(struct abuse_worker *worker)
{
	int ret = 0;

	while (worker->nr_replies && (!ret || ret == -EINTR))
		ret = exchange(worker, 0, 0);
	return ret;
}

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void unmap(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

#define REQUESTS_SIZE	(MAX_DEPTH * sizeof(struct abuse_request))
#define REPLIES_SIZE	(ABUSE_MAX_ENTRIES * sizeof(struct abuse_reply))

int abuse_worker_alloc(struct abuse_worker *worker, int fd, unsigned int depth,
		       bool payload)
{
	struct abuse_params params;
	int ret;

	if (!depth || depth > MAX_DEPTH)
		return -EINVAL;
	ret = abuse_ctl_get_params(fd, &params);
	if (ret < 0)
		return ret;
	if (params.state != ABUSE_S_UP)
		return -ENXIO;

	*worker = (struct abuse_worker) {
		.fd = fd,
		.depth = depth,
		.write_through = !(params.features & ABUSE_F_WRITE_CACHE),
		.requests = map(REQUESTS_SIZE),
		.replies = map(REPLIES_SIZE),
		.payload = payload ? map(BUFFER_SIZE) : NULL,
		.arena = map(BUFFER_SIZE),
	};
	if (worker->requests && worker->replies && worker->arena &&
	    (worker->payload || !payload))
		return 0;
	abuse_worker_free(worker);
	return -ENOMEM;
}

void abuse_worker_free(struct abuse_worker *worker)
{
	unmap(worker->requests, REQUESTS_SIZE);
	unmap(worker->replies, REPLIES_SIZE);
	unmap(worker->payload, BUFFER_SIZE);
	unmap(worker->arena, BUFFER_SIZE);
	memset(worker, 0, sizeof(*worker));
	worker->fd = -1;
}

unsigned int abuse_serve_prepare(void)
{
	unsigned int holds = 0;

	if (!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		holds |= ABUSE_IS_FLUSHER;
	if (!mlockall(MCL_CURRENT | MCL_FUTURE))
		holds |= ABUSE_IS_LOCKED;
	return holds;
}
