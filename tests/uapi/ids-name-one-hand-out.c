/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * An id answers the one hand-out it names: stale, forged, duplicated and foreign
 * ids, those of GET_BIO and those of another device are ESTALE, and end
 * nothing.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	struct device d, e;
	struct abuse_request q, r;
	struct abuse_reply a[3];
	struct abuse_exchange x = exchange_new();
	struct bio bio;
	struct io *io, *jo;
	char *data = memory_new(65536);
	uint64_t old;
	int fd, other, there, taken = 0;

	test_begin();
	d = device_new();
	e = device_new();
	set_up(&d, 1 * MIB, 0);
	set_up(&e, 1 * MIB, 0);
	fd = server_open(&d);
	other = server_open(&d);
	there = server_open(&e);

	/* Ids of two devices are not alike, from their first requests on. */
	io = io_read(&d, 0, 4096);
	jo = io_read(&e, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	r = fetch_one(there, NULL, 0);
	ok(q.id != r.id, "the first ids of two devices differ");
	is(reply(fd, q.id, 0, data), 0, "an answer");
	is(reply(there, r.id, 0, data), 0, "an answer");
	is(io_end(io), 0, "the read");
	is(io_end(jo), 0, "the read");

	/* Stale: answered before, also when its slot is used again. */
	io = io_read(&d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	is(reply(fd, q.id, 0, data), 0, "an answer");
	is(io_end(io), 0, "the read");
	is(reply(fd, q.id, 0, data), ESTALE, "the same again");
	for (int i = 0; i < 50; i++) {
		io = io_read(&d, 0, 4096);
		r = fetch_one(fd, NULL, 0);
		taken += reply(fd, q.id, 0, data) != ESTALE;
		taken += r.id == q.id;
		taken += reply(fd, r.id, 0, data) != 0;
		taken += io_end(io) != 0;
	}
	is(taken, 0, "of 50 later requests those that met an old id");

	/* Foreign: held by another descriptor, or belonging to another device. */
	io = io_read(&d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	is(reply(other, q.id, 0, data), ESTALE, "held by another descriptor");
	is(reply(there, q.id, 0, data), ESTALE, "on another device, which is idle");
	jo = io_read(&e, 0, 4096);
	r = fetch_one(there, NULL, 0);
	is(reply(there, q.id, 0, data), ESTALE, "on another device, which is not");
	is(reply(there, r.id, 0, data), 0, "the other device's own");
	is(io_end(jo), 0, "the other device's read");
	ok(!io->done, "the read itself waits");

	/* Forged. */
	for (int bit = 0; bit < 64; bit++)
		taken += reply(fd, q.id ^ 1ULL << bit, 0, data) != ESTALE;
	is(taken, 0, "ids one bit off that were taken");
	is(reply(fd, 0, 0, data), ESTALE, "id 0");
	is(reply(fd, ~0ULL, 0, data), ESTALE, "id -1");

	/* Duplicated in one call: the first counts. */
	memset(a, 0, sizeof(a));
	for (int i = 0; i < 3; i++) {
		a[i].id = q.id;
		a[i].address = ADDR(data);
	}
	x.replies = ADDR(a);
	x.nr_replies = 3;
	is(exchange(fd, &x), 0, "one id three times");
	is(x.nr_taken, 1, "taken");
	ok(!a[0].status && a[1].status == ESTALE && a[2].status == ESTALE,
	   "the first of them (%u %u %u)", a[0].status, a[1].status, a[2].status);
	is(io_end(io), 0, "the read");

	/* A request that GET_BIO gave is nobody's, so exchange does not answer it. */
	io = io_read(&d, 0, 4096);
	get_bio_wait(fd, &bio);
	is(reply(fd, bio.hdr.ab_id, 0, data), ESTALE, "an id of GET_BIO");
	q = fetch_one(fd, NULL, 0);
	old = q.id;

	/* Returned to the queue and handed out again: the old id is gone. */
	close(fd);
	q = fetch_one(other, NULL, 0);
	ok(q.id != old, "another hand-out has another id");
	is(reply(other, old, 0, data), ESTALE, "the id before it went back");
	fd = server_open(&d);
	is(reply(fd, old, 0, data), ESTALE, "on another descriptor");
	pattern_fill(data, 4096, 3);
	is(reply(other, q.id, 0, data), 0, "the new id");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, 4096, 3), "its bytes");
	io_free(io);

	/* RESET takes ids away. */
	io = io_read(&d, 0, 4096);
	q = fetch_one(other, NULL, 0);
	is(reset(fd), 0, "RESET");
	is(io_end(io), EIO, "the read");
	is(reply(other, q.id, 0, data), ESTALE, "an id from before RESET");
	return done();
}
