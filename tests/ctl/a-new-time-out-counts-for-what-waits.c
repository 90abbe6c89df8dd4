/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A time-out set while requests wait counts from when they came: older ones,
 * queued or held, end with EIO at once; taken off again, nothing ends by itself.
 */
#include "abuse.h"

static int timeout(int fd, int64_t ns)
{
	struct abuse_params p = params_of(0);

	p.timeout = ns;
	return set_params(fd, &p);
}

int main(void)
{
	struct device d;
	struct abuse_request q;
	struct io *queued, *held;
	unsigned int soon = stretched(2);
	double start;
	int fd;

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);
	held = io_read(&d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	queued = io_read(&d, 65536, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "one held, one queued");
	ok(wait_for(attribute_number(&d, "oldest_ms") > 300), "for 300 ms");
	start = now();
	is(timeout(fd, 300 * MSEC), 0, "time-out of 300 ms");
	is(io_wait(held), EIO, "the held one");
	is(io_wait(queued), EIO, "the queued one");
	is(reply(fd, q.id, EIO, NULL), ESTALE, "a late answer");
	io_free(held);
	io_free(queued);

	start = now();
	is(io_end(io_read(&d, 0, 4096)), EIO, "one that comes later");
	ok(now() - start >= 0.3, "in its time (%.2f s)", now() - start);

	/* Longer for what waits. */
	is(timeout(fd, soon * SEC), 0, "a time-out of some seconds");
	queued = io_read(&d, 0, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "one is queued");
	is(timeout(fd, 3600 * SEC), 0, "an hour");
	ok(wait_for(queued->done || attribute_number(&d, "oldest_ms") > 1500 * soon),
	   "time goes by");
	ok(!queued->done, "it waits longer than that");
	is(timeout(fd, 100 * MSEC), 0, "100 ms");
	is(io_end(queued), EIO, "it ends");
	is(timeout(fd, -1), 0, "no time-out");
	queued = io_read(&d, 0, 4096);
	ok(wait_for(queued->done || attribute_number(&d, "oldest_ms") > 1000),
	   "time goes by");
	ok(!queued->done, "it waits");
	q = fetch_one(fd, NULL, 0);
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_ZERO, NULL), 0, "an answer");
	is(io_end(queued), 0, "its read");
	return done();
}
