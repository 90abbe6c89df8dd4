/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * 512 requests of several hardware queues are handed out, each queue's in one
 * exchange; then one takes 512 answers. Each request has its own bytes.
 */
#include "recorder.h"

#define N	512
#define ROUNDS	6

static struct device d;
static struct aio *aio[2];	/* each from a processor of its own */
static unsigned char *data;

static int run_pinned(void *arg)
{
	pin(arg == aio[1]);
	return aio_run(arg);
}

/* One call is given what one queue has. */
static int fetch_each(int fd, struct abuse_request *q,
		      unsigned char *buffer)
{
	int n = 0, got;

	do {
		got = fetch(fd, q + n, N - n, buffer + n * 4096, N * 4096,
			    NO_WAIT);
		need(got >= 0, "fetch");
		for (int i = n; i < n + got; i++)
			q[i].offset += n * 4096;
		n += got;
	} while (got && n < N);
	return n;
}

int main(void)
{
	struct abuse_request *q = memory_new(N * sizeof(*q));
	struct abuse_reply *r = memory_new(N * sizeof(*r));
	unsigned char *store, *buffer;
	struct job job[2];
	int fd, wrong, got;

	test_begin();
	store = memory_new(N * 8192);
	data = memory_new(N * 512);
	buffer = memory_new(2 * N * 4096);
	d = device_new_depth(4, 512);
	set_up(&d, N * 8192, 0);
	/* The kernel makes no more than it has processors. */
	is(attribute_number(&d, "hw_queues"),
	   sysconf(_SC_NPROCESSORS_CONF) < 4 ? sysconf(_SC_NPROCESSORS_CONF) : 4,
	   "hardware queues");
	fd = server_open(&d);
	/* A disk that has had a server waits for it, however slow the machine is. */
	is(fetch(fd, q, 1, NULL, 0, NO_WAIT), 0, "nothing to fetch");
	for (int i = 0; i < 2; i++)
		aio[i] = aio_new(&d);
	for (int round = 0; round < ROUNDS; round++) {
		bool write = !(round % 2);

		for (int i = 0; i < 2; i++)
			aio_again(aio[i]);
		if (write)
			pattern_fill(data, N * 512, round);
		else
			memset(data, 0, N * 512);
		/* Apart, so that nothing is merged. */
		for (int i = 0; i < N; i++)
			aio_add(aio[i % 2], write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
				data + i * 512, 512, i * 8192, 0);
		for (int i = 0; i < 2; i++)
			job_start(&job[i], run_pinned, aio[i]);
		need(wait_for(attribute_number(&d, "queued") == N), "%d queued", N);
		got = fetch_each(fd, q, buffer);
		is(got, N, "requests");
		memset(r, 0, N * sizeof(*r));
		for (int i = 0; i < got; i++) {
			unsigned char *at = store + q[i].sector * 512;

			if (write)
				memcpy(at, buffer + q[i].offset, 512);
			r[i].id = q[i].id;
			r[i].address = ADDR(at);
			r[i].status = 0xdead;
		}
		is(exchange_both(fd, r, got, NULL, 0, NULL, 0, NO_WAIT), 0, "512 replies");
		wrong = 0;
		for (int i = 0; i < got; i++)
			wrong += r[i].status != 0;
		is(wrong, 0, "replies not taken");
		for (int i = 0; i < 2; i++)
			is(job_wait(&job[i], "io_submit"), 0, "io_submit");
		for (int i = 0; i < N; i++)
			wrong += aio[i % 2]->res[i / 2] != 512;
		is(wrong, 0, "I/Os that failed");
		if (!write)
			ok(pattern_is(data, N * 512, round - 1), "the bytes came back");
	}
	aio_free(aio[0]);
	aio_free(aio[1]);
	return done();
}
