/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * In one batch each reply gets its own status, a bad one takes nothing from
 * the good ones, and after EINVAL or EFAULT the request is still held and can be
 * answered again: a call that would wait returns at once to say so.
 */
/* build: m32 */
#include "abuse.h"

enum { READ_OK, READ_BAD, READ_RESULT, READ_FLAGS, READ_RESERVED, READ_ZERO, N };

int main(void)
{
	struct device d;
	struct abuse_request q[N];
	struct abuse_reply a[N + 2];
	struct abuse_exchange x = exchange_new();
	struct io *io[N];
	char *data = memory_new(4096), *bad = memory_faulting(0, 4096);
	int fd;

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);
	pattern_fill(data, 4096, 9);
	for (int i = 0; i < N; i++) {
		io[i] = io_read(&d, i * 4096, 4096);
		q[i] = fetch_one(fd, NULL, 0);
	}

	memset(a, 0, sizeof(a));
	for (int i = 0; i < N; i++) {
		a[i].id = q[i].id;
		a[i].address = ADDR(data);
		a[i].status = 77;
	}
	a[READ_BAD].address = ADDR(bad);
	a[READ_RESULT].result = EPERM;
	a[READ_FLAGS].flags = 1U << 1;
	a[READ_RESERVED].reserved = 1;
	a[READ_ZERO].flags = ABUSE_REPLY_ZERO;
	a[READ_ZERO].address = ADDR(bad);	/* not looked at */
	a[N] = a[READ_OK];			/* a second time */
	a[N + 1].id = 0xdeadbeefdeadbeef;
	x.replies = ADDR(a);
	x.nr_replies = N + 2;
	is(exchange(fd, &x), 0, "the call");
	is(x.nr_taken, 2, "replies taken");
	is(a[READ_OK].status, 0, "a good reply");
	is(a[READ_BAD].status, EFAULT, "a bad address");
	is(a[READ_RESULT].status, EINVAL, "a result that is not allowed");
	is(a[READ_FLAGS].status, EINVAL, "an unknown flag");
	is(a[READ_RESERVED].status, EINVAL, "reserved is not 0");
	is(a[READ_ZERO].status, 0, "ZERO");
	is(a[N].status, ESTALE, "the same id a second time");
	is(a[N + 1].status, ESTALE, "an id that was never given");
	is(attribute_number(&d, "held"), 4, "still held");

	is(io_wait(io[READ_OK]), 0, "read answered with data");
	ok(pattern_is(io[READ_OK]->data, 4096, 9), "its bytes");
	is(io_wait(io[READ_ZERO]), 0, "read answered with ZERO");
	ok(bytes_are(io[READ_ZERO]->data, 4096, 0), "its bytes");
	ok(!io[READ_BAD]->done && !io[READ_RESULT]->done &&
	   !io[READ_FLAGS]->done && !io[READ_RESERVED]->done, "others wait");

	for (int i = READ_BAD; i <= READ_RESERVED; i++) {
		is(reply(fd, q[i].id, 0, data), 0, "a good answer afterwards");
		is(io_wait(io[i]), 0, "its read");
		ok(pattern_is(io[i]->data, 4096, 9), "its bytes");
	}
	for (int i = 0; i < N; i++)
		io_end(io[i]);

	/* Nothing but bad replies: the call itself is fine, none was taken. */
	memset(a, 0, sizeof(a));
	x = exchange_new();
	x.replies = ADDR(a);
	x.nr_replies = 3;
	is(exchange(fd, &x), 0, "three ids of 0");
	is(x.nr_taken, 0, "replies taken");
	is(a[2].status, ESTALE, "status of the last");

	/* A call that would wait for another request reports it first. */
	io[0] = io_read(&d, 0, 4096);
	q[0] = fetch_one(fd, NULL, 0);
	memset(a, 0, sizeof(a));
	a[0].id = q[0].id;
	a[0].address = ADDR(bad);
	is(exchange_both(fd, a, 1, q, 1, NULL, 0, FOR_EVER), 0, "a bad reply, and a wait for ever");
	is(a[0].status, EFAULT, "its status");
	is(reply(fd, a[0].id, EIO, NULL), 0, "another answer");
	is(io_wait(io[0]), EIO, "its read");
	io_end(io[0]);
	return done();
}
