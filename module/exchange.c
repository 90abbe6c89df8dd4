// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The exchange call: complete requests, fetch others, wait for them. Read it from top to
 * bottom; complete.c processes each reply, fetch.c fetches.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "abuse.h"

/*
 * Entries on the stack; larger calls are processed in batches of so many. The number keeps
 * each stack frame below 1,024 bytes.
 */
#define ABUSE_BATCH	28

/* The size of the struct in the first version of the interface. */
#define ABUSE_EXCHANGE_SIZE_1	offsetofend(struct abuse_exchange, spin)
#define ABUSE_REPLY_SIZE_1	offsetofend(struct abuse_reply, reserved)
#define ABUSE_REQUEST_SIZE_1	offsetofend(struct abuse_request, offset)

static int abuse_check_strides(const struct abuse_exchange *x)
{
	if (x->reply_size % 8 || x->request_size % 8 ||
	    x->reply_size > PAGE_SIZE || x->request_size > PAGE_SIZE)
		return -EINVAL;
	if (x->nr_replies && x->reply_size < ABUSE_REPLY_SIZE_1)
		return -EINVAL;
	if (x->max_requests && x->request_size < ABUSE_REQUEST_SIZE_1)
		return -EINVAL;
	return 0;
}

static int abuse_exchange_read(struct abuse_exchange *x, void __user *arg)
{
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < ABUSE_EXCHANGE_SIZE_1)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(x, sizeof(*x), arg, size);
	if (err)
		return err;
	if (x->flags || x->nr_replies > ABUSE_MAX_ENTRIES ||
	    x->max_requests > ABUSE_MAX_ENTRIES || x->wait < -1 ||
	    x->spin > ABUSE_MAX_SPIN_NS || x->buffer % ABUSE_PAYLOAD_ALIGN)
		return -EINVAL;
	return abuse_check_strides(x);
}

/* Writes the counts to the caller: before the call waits, and after it has fetched. */
static int abuse_exchange_write(const struct abuse_exchange *x, void __user *arg)
{
	struct abuse_exchange __user *to = arg;

	if (put_user(x->nr_taken, &to->nr_taken) ||
	    put_user(x->nr_requests, &to->nr_requests))
		return -EFAULT;
	return 0;
}

/* Bytes beyond the known part of each entry must be 0: they may ask for something unknown. */
static int abuse_check_tails(const struct abuse_exchange *x, void __user *from,
		       unsigned int n)
{
	size_t known = sizeof(struct abuse_reply);
	int ret;

	for (; n--; from += x->reply_size) {
		ret = check_zeroed_user(from + known, x->reply_size - known);
		if (ret <= 0)
			return ret ? ret : -E2BIG;
	}
	return 0;
}

static int abuse_read_replies(struct abuse_reply *replies,
			const struct abuse_exchange *x, void __user *from,
			unsigned int n)
{
	const struct abuse_reply __user *reply;
	unsigned int i;

	if (!user_read_access_begin(from, (size_t)n * x->reply_size))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		reply = from + (size_t)i * x->reply_size;
		unsafe_get_user(replies[i].id, &reply->id, fault);
		unsafe_get_user(replies[i].address, &reply->address, fault);
		unsafe_get_user(replies[i].result, &reply->result, fault);
		unsafe_get_user(replies[i].flags, &reply->flags, fault);
		unsafe_get_user(replies[i].reserved, &reply->reserved, fault);
	}
	user_read_access_end();
	return x->reply_size > sizeof(*reply) ? abuse_check_tails(x, from, n) : 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

static int abuse_write_statuses(const struct abuse_reply *replies,
			  const struct abuse_exchange *x, void __user *to,
			  unsigned int n)
{
	struct abuse_reply __user *reply;
	unsigned int i;

	if (!user_write_access_begin(to, (size_t)n * x->reply_size))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		reply = to + (size_t)i * x->reply_size;
		unsafe_put_user(replies[i].status, &reply->status, fault);
	}
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

/* Is a refused reply's request still held? Then do not wait: the server must learn of it now. */
static bool abuse_is_any_request_held(const struct abuse_reply *replies, unsigned int n)
{
	for (; n--; replies++)
		if (replies->status && replies->status != ESTALE)
			return true;
	return false;
}

static noinline_for_stack int abuse_answer_replies(struct abuse_server *srv,
				     struct abuse_exchange *x)
{
	struct abuse_reply replies[ABUSE_BATCH] __uninitialized;
	void __user *at = abuse_user_ptr(x->replies);
	unsigned int left, n, taken;
	int err = 0;

	for (left = x->nr_replies; left && !err; left -= n) {
		n = min_t(unsigned int, left, ARRAY_SIZE(replies));
		err = abuse_read_replies(replies, x, at, n);
		if (err)
			break;
		taken = abuse_answer(srv, replies, n);
		x->nr_taken += taken;
		if (taken < n && abuse_is_any_request_held(replies, n))
			x->wait = 0;
		err = abuse_write_statuses(replies, x, at, n);
		at += (size_t)n * x->reply_size;
	}
	return err;
}

/* Copies WRITE payloads into the buffer. Returns the number of requests that are complete. */
static int abuse_deliver_payloads(struct abuse_server *srv,
			    const struct abuse_exchange *x,
			    struct abuse_dispatch *requests, unsigned int n)
{
	unsigned int from, to = 0, bytes = 0;
	int err;

	for (from = 0; from < n; from++) {
		struct abuse_dispatch *req = &requests[from];

		err = 0;
		if (req->op == ABUSE_OP_WRITE && x->buffer_size) {
			err = abuse_take_payload(srv, req->id,
					abuse_user_ptr(x->buffer + req->offset),
					req->length);
			bytes += req->length;
		}
		if (bytes >= ABUSE_COPY_AT_ONCE) {
			bytes = 0;
			cond_resched();
		}
		if (err == -ESTALE)
			continue;
		if (err) {
			abuse_return(srv, req, n - from);
			return to ? to : err;
		}
		if (to != from)
			requests[to] = *req;
		to++;
	}
	return to;
}

/* Writes entries behind those of earlier batches; returns the number that was written. */
static unsigned int abuse_write_requests(const struct abuse_dispatch *requests,
				   const struct abuse_exchange *x,
				   unsigned int n)
{
	size_t stride = x->request_size, at;
	void __user *to = abuse_user_ptr(x->requests) +
			  x->nr_requests * stride;
	struct abuse_request __user *req;
	unsigned int i = 0;

	if (!user_write_access_begin(to, n * stride))
		return 0;
	for (; i < n; i++, to += stride) {
		req = to;
		unsafe_put_user(requests[i].id, &req->id, fault);
		unsafe_put_user(requests[i].op, &req->op, fault);
		unsafe_put_user(requests[i].flags, &req->flags, fault);
		unsafe_put_user(requests[i].sector, &req->sector, fault);
		unsafe_put_user(requests[i].length, &req->length, fault);
		unsafe_put_user(requests[i].offset, &req->offset, fault);
		if (stride < sizeof(*req))
			continue;
		unsafe_put_user(requests[i].ioprio, &req->ioprio, fault);
		unsafe_put_user(requests[i].write_hint, &req->write_hint, fault);
		for (at = sizeof(*req); at < stride; at += sizeof(u64))
			unsafe_put_user(0, (u64 __user *)(to + at), fault);
	}
fault:
	user_write_access_end();
	return i;
}

/* Fetches a batch. Returns the number delivered; the others are back at the front of the queue. */
static noinline_for_stack int abuse_dispatch_requests(struct abuse_server *srv,
				       struct abuse_exchange *x,
				       void __user *arg,
				       struct abuse_wish *wish)
{
	struct abuse_dispatch requests[ABUSE_BATCH] __uninitialized;
	int n, arrived;

	n = abuse_fetch(srv, wish, requests, ARRAY_SIZE(requests));
	if (n > 0)
		n = abuse_deliver_payloads(srv, x, requests, n);
	if (n <= 0)
		return n;
	arrived = abuse_write_requests(requests, x, n);
	x->nr_requests += arrived;
	if (abuse_exchange_write(x, arg)) {
		x->nr_requests -= arrived;
		arrived = 0;
	}
	abuse_return(srv, requests + arrived, n - arrived);
	return arrived ? arrived : -EFAULT;
}

/* Fetches batches until the queue is empty or the call is full; how many, or -errno. */
static int abuse_give_requests(struct abuse_server *srv, struct abuse_exchange *x,
		void __user *arg, bool woken)
{
	struct abuse_wish wish = {
		.left = x->max_requests, .buffer_size = x->buffer_size,
		.woken = woken,
	};
	int n;

	do {
		n = abuse_dispatch_requests(srv, x, arg, &wish);
	} while (n >= 0 && wish.left);
	return x->nr_requests ? x->nr_requests : n;
}

static int abuse_give_requests_or_wait(struct abuse_server *srv, struct abuse_exchange *x,
			void __user *arg)
{
	u64 spin = x->spin;
	ktime_t deadline = 0;
	bool woken = false;
	int n;

	if (x->wait > 0) {
		deadline = ktime_add_safe(ktime_get(), ns_to_ktime(x->wait));
		spin = min_t(u64, spin, x->wait);
	}
	for (;;) {
		n = abuse_give_requests(srv, x, arg, woken);
		if (n >= 0) {
			abuse_device_is_served(srv);
			abuse_server_asks(srv, true);
		}
		if (n || !x->wait)
			return n;
		n = abuse_fetch_wait(srv, x->wait < 0 ? NULL : &deadline,
				     &spin);
		if (n)
			return n == -ETIME ? 0 : n;
		woken = true;
	}
}

static int abuse_check_buffer(const struct abuse_server *srv,
			const struct abuse_exchange *x)
{
	if (x->max_requests && x->buffer_size &&
	    x->buffer_size < READ_ONCE(srv->dev->max_request))
		return -EINVAL;
	return 0;
}

long abuse_exchange(struct abuse_server *srv, void __user *arg)
{
	struct abuse_exchange x;
	int err;

	err = abuse_exchange_read(&x, arg);
	if (err)
		return err;
	err = abuse_server_bind(srv);
	if (err)
		return err;
	err = abuse_check_buffer(srv, &x);
	if (err)
		return err;
	x.nr_taken = 0;
	x.nr_requests = 0;

	err = abuse_answer_replies(srv, &x);
	if (abuse_exchange_write(&x, arg))
		err = -EFAULT;
	if (!err && x.max_requests)
		err = abuse_give_requests_or_wait(srv, &x, arg);
	return x.nr_taken || err >= 0 ? 0 : err;
}
