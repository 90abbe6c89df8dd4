// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exchange call: answer these, give me up to that many, wait up to so long.
 * Reads top to bottom; complete.c takes each answer, fetch.c hands out.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "abuse.h"

/* Entries in flight on the stack; larger batches allocate once for the call. */
#define ABUSE_SMALL_BATCH	32

/* What the first version of the interface had. */
#define ABUSE_EXCHANGE_SIZE_1	offsetofend(struct abuse_exchange, spin)
#define ABUSE_REPLY_SIZE_1	offsetofend(struct abuse_reply, reserved)
#define ABUSE_REQUEST_SIZE_1	offsetofend(struct abuse_request, offset)

static int check_strides(const struct abuse_exchange *x)
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

static int exchange_read(struct abuse_exchange *x, void __user *arg)
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
	return check_strides(x);
}

/* Counts back to the caller, before any wait and after the hand-out. */
static int exchange_write(const struct abuse_exchange *x, void __user *arg)
{
	struct abuse_exchange __user *to = arg;

	if (put_user(x->nr_taken, &to->nr_taken) ||
	    put_user(x->nr_requests, &to->nr_requests))
		return -EFAULT;
	return 0;
}

/* Entries of a stride we know go as one array, larger ones one by one. */
static int read_replies(struct abuse_reply *replies,
			const struct abuse_exchange *x, unsigned int first,
			unsigned int n)
{
	void __user *from = abuse_user_ptr(x->replies) +
			    (size_t)first * x->reply_size;
	unsigned int i;
	int err;

	if (x->reply_size == sizeof(*replies))
		return copy_from_user(replies, from, n * sizeof(*replies)) ?
		       -EFAULT : 0;
	for (i = 0; i < n; i++) {
		err = copy_struct_from_user(&replies[i], sizeof(*replies),
					    from + (size_t)i * x->reply_size,
					    x->reply_size);
		if (err)
			return err;
	}
	return 0;
}

static int write_statuses(const struct abuse_reply *replies,
			  const struct abuse_exchange *x, unsigned int first,
			  unsigned int n)
{
	void __user *to = abuse_user_ptr(x->replies) +
			  (size_t)first * x->reply_size;
	unsigned int i;

	if (x->reply_size == sizeof(*replies))
		return copy_to_user(to, replies, n * sizeof(*replies)) ?
		       -EFAULT : 0;
	for (i = 0; i < n; i++) {
		if (copy_to_user(to + (size_t)i * x->reply_size, &replies[i],
				 sizeof(*replies)))
			return -EFAULT;
	}
	return 0;
}

/* Each reply on its own; what went wrong with one is its status. */
static noinline_for_stack int answer(struct abuse_server *srv,
				     struct abuse_exchange *x)
{
	struct abuse_reply replies[ABUSE_SMALL_BATCH] __uninitialized;
	struct abuse_tally tally = { };
	unsigned int first, n, i;
	int err = 0;

	for (first = 0; first < x->nr_replies && !err; first += n) {
		n = min_t(unsigned int, x->nr_replies - first,
			  ARRAY_SIZE(replies));
		err = read_replies(replies, x, first, n);
		if (err)
			break;
		for (i = 0; i < n; i++) {
			int status = abuse_reply(srv, &replies[i], &tally);

			replies[i].status = status == -EINTR ? EFAULT : -status;
			if (!status)
				x->nr_taken++;
		}
		abuse_settle(srv->dev, &tally);
		err = write_statuses(replies, x, first, n);
	}
	return err;
}

/* WRITE payloads into the buffer. Returns how many entries can be handed out. */
static int deliver_payloads(struct abuse_server *srv,
			    const struct abuse_exchange *x,
			    struct abuse_request *requests, unsigned int n)
{
	unsigned int from, to = 0;
	int err;

	for (from = 0; from < n; from++) {
		struct abuse_request *req = &requests[from];

		err = 0;
		if (req->op == ABUSE_OP_WRITE && x->buffer_size)
			err = abuse_take_payload(srv, req->id,
					abuse_user_ptr(x->buffer + req->offset),
					req->length);
		if (err == -ESTALE)
			continue;
		if (err) {
			abuse_return(srv, req, n - from);
			return to ? to : err;
		}
		requests[to++] = *req;
	}
	return to;
}

/* Returns how many entries arrived whole. */
static unsigned int write_requests(const struct abuse_request *requests,
				   const struct abuse_exchange *x,
				   unsigned int n)
{
	void __user *to = abuse_user_ptr(x->requests);
	size_t known = sizeof(*requests);
	unsigned int i;

	if (x->request_size == known)
		return n - DIV_ROUND_UP(copy_to_user(to, requests, n * known),
					known);
	for (i = 0; i < n; i++, to += x->request_size) {
		if (copy_to_user(to, &requests[i], known) ||
		    clear_user(to + known, x->request_size - known))
			break;
	}
	return i;
}

/* Returns how many were handed out; what did not arrive is back at the front. */
static int hand_out(struct abuse_server *srv, struct abuse_exchange *x,
		    void __user *arg, struct abuse_request *requests,
		    unsigned int max)
{
	int n, arrived;

	n = abuse_fetch(srv, requests, max, x->buffer_size);
	if (n > 0)
		n = deliver_payloads(srv, x, requests, n);
	if (n <= 0)
		return n;
	arrived = write_requests(requests, x, n);
	x->nr_requests = arrived;
	if (exchange_write(x, arg))
		arrived = 0;
	abuse_return(srv, requests + arrived, n - arrived);
	return arrived ? arrived : -EFAULT;
}

static int hand_out_or_wait(struct abuse_server *srv, struct abuse_exchange *x,
			    void __user *arg, struct abuse_request *requests,
			    unsigned int max)
{
	ktime_t deadline = ktime_add_safe(ktime_get(), ns_to_ktime(x->wait));
	int n;

	for (;;) {
		n = hand_out(srv, x, arg, requests, max);
		if (n >= 0)
			abuse_device_is_served(srv);
		if (n || !x->wait)
			return n;
		n = abuse_fetch_wait(srv, x->wait < 0 ? NULL : &deadline,
				     x->spin);
		if (n)
			return n == -ETIME ? 0 : n;
	}
}

static noinline_for_stack int give_few(struct abuse_server *srv,
				       struct abuse_exchange *x,
				       void __user *arg)
{
	struct abuse_request requests[ABUSE_SMALL_BATCH] __uninitialized;

	return hand_out_or_wait(srv, x, arg, requests,
				min_t(unsigned int, x->max_requests,
				      ARRAY_SIZE(requests)));
}

/* Under memory pressure a small batch does as well. */
static int give(struct abuse_server *srv, struct abuse_exchange *x,
		void __user *arg)
{
	struct abuse_request *requests = NULL;
	int n;

	if (x->max_requests > ABUSE_SMALL_BATCH)
		requests = kmalloc_array(x->max_requests, sizeof(*requests),
					 GFP_KERNEL | __GFP_NORETRY |
					 __GFP_NOWARN);
	if (!requests)
		return give_few(srv, x, arg);
	n = hand_out_or_wait(srv, x, arg, requests, x->max_requests);
	kfree(requests);
	return n;
}

static int check_buffer(const struct abuse_server *srv,
			const struct abuse_exchange *x)
{
	if (x->max_requests && x->buffer_size &&
	    x->buffer_size < READ_ONCE(srv->dev->params.max_request))
		return -EINVAL;
	return 0;
}

long abuse_exchange(struct abuse_server *srv, void __user *arg)
{
	struct abuse_exchange x;
	int err;

	err = exchange_read(&x, arg);
	if (err)
		return err;
	err = abuse_server_bind(srv);
	if (err)
		return err;
	err = check_buffer(srv, &x);
	if (err)
		return err;
	x.nr_taken = 0;
	x.nr_requests = 0;

	err = answer(srv, &x);
	if (exchange_write(&x, arg))
		err = -EFAULT;
	if (!err && x.max_requests)
		err = give(srv, &x, arg);
	return x.nr_taken || err >= 0 ? 0 : err;
}
