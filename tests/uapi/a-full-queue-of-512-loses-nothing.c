/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * 600 reads against a queue of 512 without a server: 512 are queued and
 * the rest wait; one exchange hands all 512 out, each once, one takes all
 * answers, and every read gets its own bytes.
 */
/* timeout: 120 */
#include "abuse.h"

#define N	600
#define DEPTH	512

static struct abuse_request q[N];
static struct abuse_reply a[N];

int main(void)
{
	static struct io *io[N];
	static bool seen[N];
	struct device d;
	struct abuse_exchange x = exchange_new();
	char *data = memory_new(N * 512);
	int fd, n, twice = 0, bad = 0, wrong = 0;

	test_begin();
	d = device_new();
	set_up(&d, 16 * MIB, 0);
	fd = server_open(&d);
	/* A disk that has had a server waits for it, and so many threads take their time. */
	is(fetch(fd, q, 1, NULL, 0, NO_WAIT), 0, "nothing to fetch");
	/* Apart from each other, so that none are merged. */
	for (int i = 0; i < N; i++) {
		pattern_fill(data + i * 512, 512, i);
		io[i] = io_read(&d, i * 8192, 512);
	}
	ok(wait_for(attribute_number(&d, "queued") == DEPTH), "512 are queued");
	ok(wait_for(({ int asleep = 0;
		       for (int i = 0; i < N; i++)
			       asleep += io[i]->tid && task_is(io[i]->tid, 'D');
		       asleep == N; })), "all 600 readers wait");
	is(attribute_number(&d, "queued"), DEPTH, "queued, still");

	n = fetch(fd, q, DEPTH, NULL, 0, NO_WAIT);
	is(n, DEPTH, "requests in one exchange");
	is(attribute_number(&d, "held"), DEPTH, "held");
	is(fetch(fd, q + DEPTH, N - DEPTH, NULL, 0, NO_WAIT), 0, "no more");
	for (int i = 0; i < n; i++) {
		unsigned int k = q[i].sector / 16;

		if (k >= N || seen[k])
			twice++;
		else
			seen[k] = true;
		a[i].id = q[i].id;
		a[i].address = ADDR(data + k * 512);
	}
	is(twice, 0, "requests that are none or were handed out twice");
	x.replies = ADDR(a);
	x.nr_replies = n;
	is(exchange(fd, &x), 0, "512 answers in one exchange");
	is(x.nr_taken, DEPTH, "taken");

	for (int left = N - DEPTH; left; left--) {
		q[0] = fetch_one(fd, NULL, 0);
		bad += reply(fd, q[0].id, 0, data + q[0].sector / 16 * 512) != 0;
	}
	is(bad, 0, "answers to the others that were refused");
	for (int i = 0; i < N; i++) {
		bad += io_wait(io[i]) != 0;
		wrong += !pattern_is(io[i]->data, 512, i);
		io_end(io[i]);
	}
	is(bad, 0, "reads that failed");
	is(wrong, 0, "reads with another one's bytes");
	is(attribute_number(&d, "queued"), 0, "queued");
	is(attribute_number(&d, "held"), 0, "held");
	is(attribute_number(&d, "served"), N, "served");
	return done();
}
