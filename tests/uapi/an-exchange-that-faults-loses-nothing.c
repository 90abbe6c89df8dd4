/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Memory that faults anywhere in an exchange costs no request and no reply: what could
 * not be handed out is back at the front, what was not taken is still held,
 * what was taken stays taken.
 */
/* build: m32 */
#include "abuse.h"

#define LEN	65536
#define BUFFER	(1 * MIB)

static struct device d;
static int fd;
static char *buffer;

/* Fetches what is there and says whether it is these, in that order. */
static bool next_are(const uint64_t *offsets, int n)
{
	struct abuse_request q[8];
	int got = fetch(fd, q, 8, buffer, BUFFER, NO_WAIT);
	bool same = got == n;

	for (int i = 0; same && i < n; i++)
		same = q[i].sector * 512 == offsets[i];
	if (!same)
		for (int i = 0; i < got; i++)
			printf("# got %d: sector %llu\n", i,
			       (unsigned long long)q[i].sector);
	for (int i = 0; i < got; i++)
		reply(fd, q[i].id, 0, buffer);
	return same;
}

static void queue_three(struct io **io, uint64_t *at, enum io_op op)
{
	for (int i = 0; i < 3; i++) {
		at[i] = i * LEN;
		io[i] = op == IO_READ ? io_read(&d, at[i], LEN) :
					io_write(&d, at[i], LEN, i);
		need(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}
}

static void end_three(struct io **io)
{
	for (int i = 0; i < 3; i++)
		is(io_end(io[i]), 0, "its caller");
}

int main(void)
{
	struct abuse_exchange x, *there;
	struct abuse_request *q, r;
	struct abuse_reply a, *at;
	struct io *io[3];
	uint64_t where[3];
	char *page;
	int ret;

	test_begin();
	buffer = memory_new(BUFFER);
	d = device_new();
	set_up(&d, 4 * MIB, 0);
	fd = server_open(&d);

	/* Payload of a reply. */
	io[0] = io_read(&d, 0, LEN);
	r = fetch_one(fd, NULL, 0);
	page = memory_faulting(LEN / 2, LEN);
	is(reply(fd, r.id, 0, page), EFAULT, "a payload that faults half-way");
	ok(!io[0]->done && attribute_number(&d, "held") == 1, "it is still held");
	memory_mend(page, LEN);
	pattern_fill(page, LEN, 1);
	is(reply(fd, r.id, 0, page), 0, "a good payload");
	is(io_wait(io[0]), 0, "the read");
	ok(pattern_is(io[0]->data, LEN, 1), "its bytes");
	io_free(io[0]);

	/* The entries: the first one cannot be written; the second one cannot. */
	page = memory_faulting(4096, 8192);
	for (int good = 0; good < 2; good++) {
		queue_three(io, where, IO_READ);
		q = (void *)(page + 4096 - good * sizeof(*q));
		ret = fetch(fd, q, 3, NULL, 0, NO_WAIT);
		is(ret, good ? good : -EFAULT, "entries that fault");
		is(attribute_number(&d, "held"), good, "held");
		is(attribute_number(&d, "queued"), 3 - good, "queued");
		if (good)
			is(q->sector, 0, "the one that came is the oldest");
		ok(next_are(where + good, 3 - good), "the others come in order");
		if (good)
			is(reply(fd, q->id, 0, buffer), 0, "the answer");
		end_three(io);
	}

	/* Payloads of writes: half of the buffer is there. */
	for (int good = 0; good < 2; good++) {
		char *half = memory_faulting(good * LEN + LEN / 2, BUFFER);
		struct abuse_request three[3];

		queue_three(io, where, IO_WRITE);
		ret = fetch(fd, three, 3, half, BUFFER, NO_WAIT);
		is(ret, good ? good : -EFAULT, "a buffer that faults");
		is(attribute_number(&d, "held"), good, "held");
		if (good)
			ok(pattern_is(half + three[0].offset, LEN, 0),
			   "the payload that came");
		ok(next_are(where + good, 3 - good), "the others come in order");
		if (good)
			is(reply(fd, three[0].id, 0, NULL), 0, "the answer");
		end_three(io);
		munmap(half, BUFFER);
	}

	/* The counts: nothing can be told, so nothing is handed out. */
	queue_three(io, where, IO_READ);
	page = memory_new(4096);
	there = (void *)page;
	*there = exchange_new();
	there->requests = ADDR(buffer);
	there->max_requests = 3;
	need(!mprotect(page, 4096, PROT_READ), "mprotect");
	is(exchange(fd, there), -EFAULT, "a struct that cannot be written");
	is(attribute_number(&d, "held"), 0, "held");
	ok(next_are(where, 3), "all three come in order");
	end_three(io);

	/* Status of a reply: it is taken, whether it can be told or not. */
	io[0] = io_read(&d, 0, LEN);
	r = fetch_one(fd, NULL, 0);
	memory_mend(page, 4096);
	at = (void *)page;
	memset(at, 0, sizeof(*at));
	at->id = r.id;
	at->address = ADDR(buffer);
	pattern_fill(buffer, LEN, 6);
	need(!mprotect(page, 4096, PROT_READ), "mprotect");
	x = exchange_new();
	x.replies = ADDR(at);
	x.nr_replies = 1;
	ret = exchange(fd, &x);
	ok(ret == 0 || ret == -EFAULT, "a status that cannot be written (%d)", ret);
	if (!io[0]->done && attribute_number(&d, "held") == 1)
		is(reply(fd, r.id, 0, buffer), 0, "held: answered again");
	is(io_wait(io[0]), 0, "the read");
	ok(pattern_is(io[0]->data, LEN, 6), "its bytes");
	io_free(io[0]);

	/* Replies of which the second cannot be read: the first may count, never be lost. */
	io[0] = io_read(&d, 0, LEN);
	r = fetch_one(fd, NULL, 0);
	page = memory_faulting(4096, 8192);
	memset(&a, 0, sizeof(a));
	a.id = r.id;
	a.address = ADDR(buffer);
	at = (void *)(page + 4096 - sizeof(a));
	*at = a;
	x = exchange_new();
	x.replies = ADDR(at);
	x.nr_replies = 2;
	ret = exchange(fd, &x);
	ok(ret == -EFAULT || (!ret && x.nr_taken == 1),
	   "replies half of which are there (%d)", ret);
	if (ret)
		is(reply(fd, r.id, 0, buffer), 0, "nothing was done: answered again");
	is(io_end(io[0]), 0, "the read");

	/* Replies count though nothing can be handed out. */
	io[0] = io_read(&d, 0, LEN);
	r = fetch_one(fd, NULL, 0);
	io[1] = io_read(&d, LEN, LEN);
	ok(wait_for(attribute_number(&d, "queued") == 1), "another one is queued");
	memset(&a, 0, sizeof(a));
	a.id = r.id;
	a.address = ADDR(buffer);
	is(exchange_both(fd, &a, 1, (void *)(page + 4096), 1, NULL, 0, NO_WAIT), 0,
	   "a reply, and entries that fault: 0, for the reply was taken");
	is(a.status, 0, "status of the reply");
	is(io_end(io[0]), 0, "the read that was answered");
	where[0] = LEN;
	ok(next_are(where, 1), "the other one is still there");
	is(io_end(io[1]), 0, "its read");
	return done();
}
