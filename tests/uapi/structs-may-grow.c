/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A program built when the structs were longer or the strides wider is understood as
 * long as what it adds is zero; what the kernel does not know it fills with
 * zeroes, and it writes nothing beyond the size it was given.
 */
/* build: m32 */
#include "abuse.h"

#define N 3
#define PARAMS_SIZE_1	176	/* up to and with depth */
#define ADD_SIZE_1	72	/* up to and with uuid */

struct wide_request {
	struct abuse_request r;
	uint64_t more[3];
};

struct wide_reply {
	struct abuse_reply r;
	uint64_t more[4];
};

int main(void)
{
	struct {
		struct abuse_params p;
		uint64_t more[8];
	} longer;
	struct {
		struct abuse_add a;
		uint64_t more;
	} add;
	struct wide_request q[N + 1];
	struct wide_reply a[N];
	struct abuse_exchange x = exchange_new();
	struct device d;
	struct io *io[N];
	char *data = memory_new(8192);
	int fd, ret;

	test_begin();
	d = device_new();
	fd = server_open(&d);

	/* Parameters. */
	memset(&longer, 0xa5, sizeof(longer));
	longer.p.size = sizeof(longer);
	is(call(fd, ABUSE_GET_PARAMS, &longer), 0, "GET_PARAMS with more room");
	ok(bytes_are(longer.more, sizeof(longer.more), 0),
	   "what is not known is zero");
	is(longer.p.number, d.number, "number");
	memset(&longer, 0xa5, sizeof(longer));
	longer.p.size = sizeof(longer.p);
	is(call(fd, ABUSE_GET_PARAMS, &longer), 0, "GET_PARAMS");
	ok(bytes_are(longer.more, sizeof(longer.more), 0xa5),
	   "it writes nothing behind its size");
	memset(&longer, 0, sizeof(longer));
	longer.p = params_of(1 * MIB);
	longer.p.size = sizeof(longer);
	is(call(fd, ABUSE_SET_PARAMS, &longer), 0, "SET_PARAMS with zeroes behind");

	/* The first version of each is its least. */
	longer.p.size = PARAMS_SIZE_1 - 8;
	is(call(fd, ABUSE_SET_PARAMS, &longer), -EINVAL, "SET_PARAMS, too short");
	is(call(fd, ABUSE_GET_PARAMS, &longer), -EINVAL, "GET_PARAMS, too short");
	x.size = sizeof(x) - 8;
	is(call(fd, ABUSE_EXCHANGE, &x), -EINVAL, "EXCHANGE, too short");
	x.size = sizeof(x);
	memset(&add, 0, sizeof(add));
	add.a.size = ADD_SIZE_1 - 8;
	add.a.number = ABUSE_NUMBER_ANY;
	is(device_add(&add.a), -EINVAL, "ADD, too short");

	/* And it is enough: what was added since counts as 0, and is not written. */
	longer.p = params_of(0);
	longer.p.size = PARAMS_SIZE_1;
	longer.p.capacity = 2 * MIB;
	memset(longer.p.store, 0xa5, sizeof(longer.p.store));
	is(call(fd, ABUSE_SET_PARAMS, &longer), 0, "SET_PARAMS of the first version");
	memset(&longer, 0xa5, sizeof(longer));
	longer.p.size = PARAMS_SIZE_1;
	is(call(fd, ABUSE_GET_PARAMS, &longer), 0, "GET_PARAMS of the first version");
	is(longer.p.capacity, 2 * MIB, "capacity");
	ok(bytes_are((char *)&longer + PARAMS_SIZE_1,
		     sizeof(longer) - PARAMS_SIZE_1, 0xa5),
	   "it writes nothing behind the first version");

	/* Wider strides. */
	for (int i = 0; i < N; i++) {
		io[i] = io_write(&d, i * 65536, 4096, i);
		need(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}
	memset(q, 0xa5, sizeof(q));
	x.request_size = sizeof(q[0]);
	x.requests = ADDR(q);
	x.max_requests = N + 1;
	is(exchange(fd, &x), 0, "exchange with wider entries");
	is(x.nr_requests, N, "requests");
	for (int i = 0; i < N; i++) {
		is(q[i].r.sector, i * 128, "sector");
		ok(bytes_are(q[i].more, sizeof(q[i].more), 0),
		   "what is not known is zero");
	}
	ok(bytes_are(&q[N], sizeof(q[N]), 0xa5), "nothing behind the last one");
	memset(a, 0, sizeof(a));
	for (int i = 0; i < N; i++) {
		a[i].r.id = q[i].r.id;
		a[i].r.status = 99;
	}
	a[1].more[3] = 1;
	x = exchange_new();
	x.reply_size = sizeof(a[0]);
	x.replies = ADDR(a);
	x.nr_replies = N;
	ret = exchange(fd, &x);
	ok(ret == -E2BIG || (!ret && a[1].r.status),
	   "a reply that says more than is known is not taken (%d, %u)", ret,
	   a[1].r.status);
	ok(!io[1]->done, "its request is still held");
	a[1].more[3] = 0;
	x.nr_taken = 0;
	is(exchange(fd, &x), 0, "replies with zeroes behind them");
	ok(!a[1].r.status, "taken");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its write");

	/* The widest. */
	io[0] = io_read(&d, 0, 4096);
	x = exchange_new();
	x.request_size = 4096;
	x.requests = ADDR(data);
	x.max_requests = 2;
	x.wait = DEADLINE_SECONDS * SEC;
	is(exchange(fd, &x), 0, "a stride of 4096");
	is(x.nr_requests, 1, "requests");
	is(reply(fd, ((struct abuse_request *)data)->id, 0, data), 0, "answer");
	is(io_end(io[0]), 0, "its read");

	/* abuse_add. */
	memset(&add, 0, sizeof(add));
	add.a.size = sizeof(add);
	add.a.number = ABUSE_NUMBER_ANY;
	add.more = 1;
	is(device_add(&add.a), -E2BIG, "ADD with more than is known");
	add.more = 0;
	is(device_add(&add.a), 0, "ADD with zeroes at the end");
	add.a.number = ABUSE_NUMBER_ANY;
	add.a.size = ADD_SIZE_1;
	add.a.params = 1;
	is(device_add(&add.a), 0, "ADD of the first version, which had no params");
	return done();
}
