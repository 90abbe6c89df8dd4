/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A batch is the oldest requests in order, as long as the payload of the next
 * WRITE fits the buffer and there is room for entries; payloads lie on 4096
 * boundaries and do not overlap; without a buffer they are not wanted.
 */
/* build: m32 */
#include "abuse.h"

#define LARGEST	65536

static struct device d;

int main(void)
{
	static const struct {
		enum io_op op;
		uint64_t at;
		size_t length;
	} t[] = {
		{ IO_WRITE, 0, 512 },		/* takes 4096 of the buffer */
		{ IO_READ, 1 << 20, 65536 },	/* takes nothing */
		{ IO_WRITE, 1 << 16, 40960 },	/* 45056 */
		{ IO_WRITE, 2 << 16, 20480 },	/* 65536: just fits */
		{ IO_READ, 2 << 20, 4096 },	/* fits */
		{ IO_WRITE, 3 << 16, 512 },	/* does not */
		{ IO_READ, 3 << 20, 4096 },	/* would, but comes later */
	};
	enum { N = sizeof(t) / sizeof(*t) };
	struct abuse_params p = params_of(4 * MIB);
	struct abuse_request q[N + 1];
	struct io *io[N];
	char *buffer = memory_new(LARGEST + 4096);
	int fd, n;

	test_begin();
	d = device_new();
	p.max_request = LARGEST;
	set_up_as(&d, &p);
	fd = server_open(&d);
	memset(buffer, 0xee, LARGEST + 4096);
	for (int i = 0; i < N; i++) {
		io[i] = t[i].op == IO_WRITE ?
			io_write(&d, t[i].at, t[i].length, i) :
			io_read(&d, t[i].at, t[i].length);
		need(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}
	n = fetch(fd, q, N, buffer, LARGEST, NO_WAIT);
	is(n, 5, "requests up to the one that does not fit");
	for (int i = 0; i < n; i++) {
		bool write = t[i].op == IO_WRITE;

		ok(q[i].sector * 512 == t[i].at && q[i].length == t[i].length &&
		   q[i].op == (write ? ABUSE_OP_WRITE : ABUSE_OP_READ),
		   "request %d is the next in order", i);
		if (!write)
			continue;
		ok(q[i].offset % 4096 == 0, "its payload is aligned");
		ok(pattern_is(buffer + q[i].offset, q[i].length, i),
		   "its payload is there");
	}
	ok(bytes_are(buffer + LARGEST, 4096, 0xee), "nothing beyond the buffer");
	is(attribute_number(&d, "held"), 5, "held");
	is(attribute_number(&d, "queued"), 2, "queued");
	for (int i = 0; i < n; i++)
		is(reply(fd, q[i].id, 0, buffer), 0, "answer");

	/* One entry of room; no payload wanted. */
	is(fetch(fd, q, 1, NULL, 0, NO_WAIT), 1, "room for one");
	is(q[0].sector * 512, 3 << 16, "the one that did not fit comes first");
	is(q[0].op, ABUSE_OP_WRITE, "a WRITE without its payload");
	is(fetch(fd, q + 1, 8, NULL, 0, NO_WAIT), 1, "the last one");
	is(reply(fd, q[0].id, 0, NULL), 0, "answer");
	is(reply(fd, q[1].id, 0, buffer), 0, "answer");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its caller");
	is(fetch(fd, q, N, buffer, LARGEST, NO_WAIT), 0, "nothing is left");
	return done();
}
