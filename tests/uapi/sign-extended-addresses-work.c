/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A 32-bit program may pass addresses that its compiler extended with the
 * sign, such as those of its stack: for GET_BIO and PUT_BIO, the vecs, and
 * everything that exchange points to. (In a 64-bit one this is plain use.)
 */
/* build: m32 */
#include "abuse.h"

#define SIGNED(p)	((uint64_t)(int64_t)(intptr_t)(p))

int main(void)
{
	struct device d;
	struct abuse_xfr_hdr hdr;
	struct abuse_vec vecs[256];
	struct abuse_exchange x;
	struct abuse_request q[2];
	struct abuse_reply a;
	char memory[65536], area[8192 + 65536], *buffer;
	struct io *io;
	int fd;

	test_begin();
	if (sizeof(long) == 4)
		must(SIGNED(vecs) >> 32 == 0xffffffff,
		     "the stack is in the upper half");
	buffer = area + 4096 - (uintptr_t)area % 4096;
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);

	io = io_write(&d, 0, 16384, 5);
	ok(wait_for(attribute_number(&d, "queued") == 1), "a write");
	memset(&hdr, 0, sizeof(hdr));
	hdr.ab_transfer_address = SIGNED(vecs);
	is(call(fd, ABUSE_GET_BIO, &hdr), 0, "GET_BIO to the stack");
	for (unsigned int i = 0, at = 0; i < hdr.ab_vec_count; i++) {
		vecs[i].ab_address = SIGNED(memory + at);
		at += vecs[i].ab_len;
	}
	is(call(fd, ABUSE_PUT_BIO, &hdr), 0, "PUT_BIO of a write");
	is(io_end(io), 0, "the write");
	ok(pattern_is(memory, 16384, 5), "its bytes are on the stack");

	io = io_read(&d, 0, 16384);
	ok(wait_for(attribute_number(&d, "queued") == 1), "a read");
	memset(&hdr, 0, sizeof(hdr));
	hdr.ab_transfer_address = SIGNED(vecs);
	is(call(fd, ABUSE_GET_BIO, &hdr), 0, "GET_BIO to the stack");
	for (unsigned int i = 0, at = 0; i < hdr.ab_vec_count; i++) {
		vecs[i].ab_address = SIGNED(memory + at);
		at += vecs[i].ab_len;
	}
	is(call(fd, ABUSE_PUT_BIO, &hdr), 0, "PUT_BIO of a read");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, 16384, 5), "its bytes came from the stack");
	io_free(io);
	close(fd);

	/* The largest request must fit the buffer. */
	fd = server_open(&d);
	is(reset(fd), 0, "RESET");
	{
		struct abuse_params p = params_of(1 * MIB);

		p.max_request = 65536;
		set_up_as(&d, &p);
	}
	io = io_write(&d, 0, 16384, 6);
	x = exchange_new();
	x.requests = SIGNED(q);
	x.max_requests = 2;
	x.buffer = SIGNED(buffer);
	x.buffer_size = 65536;
	x.wait = DEADLINE_SECONDS * SEC;
	is(exchange(fd, &x), 0, "exchange with all on the stack");
	is(x.nr_requests, 1, "requests");
	ok(pattern_is(buffer + q[0].offset, 16384, 6), "payload on the stack");
	memset(&a, 0, sizeof(a));
	a.id = q[0].id;
	x = exchange_new();
	x.replies = SIGNED(&a);
	x.nr_replies = 1;
	is(exchange(fd, &x), 0, "a reply on the stack");
	is(x.nr_taken, 1, "replies taken");
	is(io_end(io), 0, "the write");

	io = io_read(&d, 0, 16384);
	q[0] = fetch_one(fd, NULL, 0);
	pattern_fill(memory, 16384, 7);
	memset(&a, 0, sizeof(a));
	a.id = q[0].id;
	a.address = SIGNED(memory);
	x = exchange_new();
	x.replies = SIGNED(&a);
	x.nr_replies = 1;
	is(exchange(fd, &x), 0, "a payload on the stack");
	is(a.status, 0, "its status");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, 16384, 7), "its bytes came from the stack");
	io_free(io);
	return done();
}
