/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Requests that go back to the queue, because its holder closed or because it could not be
 * delivered, is handed out before all that still waits, in its old order.
 */
#include "abuse.h"

#define N	10

static struct device d;
static char *data;

static void expect(int fd, const int *order, int n, const char *what)
{
	struct abuse_request q[N + 1];
	bool right = true;
	int got = fetch(fd, q, N + 1, NULL, 0, NO_WAIT);

	is(got, n, what);
	for (int i = 0; i < got && i < n; i++)
		right &= q[i].sector == (uint64_t)order[i] * 128;
	ok(right, "%s: in order", what);
}

int main(void)
{
	struct abuse_request q[N];
	struct abuse_exchange x;
	struct abuse_request *bad;
	struct io *io[N];
	int a, b, c, n;

	test_begin();
	data = memory_new(64 * KIB);
	d = device_new();
	set_up(&d, N * 64 * KIB, 0);
	for (int i = 0; i < N; i++) {
		io[i] = io_read(&d, i * 64 * KIB, 4096);
		need(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}

	/* A holds 0 2 3, B holds 1 4; 5 .. 9 wait. */
	a = server_open(&d);
	b = server_open(&d);
	need(fetch(a, q, 1, NULL, 0, NO_WAIT) == 1, "0");
	need(fetch(b, q + 1, 1, NULL, 0, NO_WAIT) == 1, "1");
	need(fetch(a, q + 2, 2, NULL, 0, NO_WAIT) == 2, "2 and 3");
	need(fetch(b, q + 4, 1, NULL, 0, NO_WAIT) == 1, "4");
	close(b);
	c = server_open(&d);
	expect(c, (int[]){ 1, 4, 5, 6, 7, 8, 9 }, 7, "B is closed");
	close(a);
	a = server_open(&d);
	expect(a, (int[]){ 0, 2, 3 }, 3, "A is closed");
	close(a);
	close(c);
	is(attribute_number(&d, "queued"), N, "queued again");
	is(attribute_number(&d, "held"), 0, "held");

	/* The server that closed last is in front, but each in order: 1 4 .., 0 2 3 */
	a = server_open(&d);
	expect(a, (int[]){ 1, 4, 5, 6, 7, 8, 9, 0, 2, 3 }, N, "both are closed");
	close(a);

	/*
	 * One held them all, so the order is that of arrival again. Five entries of
	 * which the third faults: that and the rest go back.
	 */
	a = server_open(&d);
	bad = memory_faulting(4096, 8192);
	bad = (void *)((char *)bad + 4096 - 2 * sizeof(*bad));
	x = exchange_new();
	x.requests = ADDR(bad);
	x.max_requests = 5;
	is(exchange(a, &x), 0, "an exchange whose entries fault half-way");
	is(x.nr_requests, 2, "handed out");
	ok(bad[0].sector == 0 && bad[1].sector == 128, "the first two");
	b = server_open(&d);
	expect(b, (int[]){ 2, 3, 4, 5, 6, 7, 8, 9 }, 8, "the others");
	close(b);
	close(a);

	a = server_open(&d);
	n = fetch(a, q, N, NULL, 0, NO_WAIT);
	is(n, N, "all of them");
	for (int i = 0; i < n; i++)
		is(reply(a, q[i].id, 0, data), 0, "answer");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its caller");
	return done();
}
