/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * While one server sleeps in its backend with what it fetched, another that waits is
 * woken for each further request; a wake-up that finds its waiter gone or interrupted
 * goes on to the next one.
 */
#include "recorder.h"

#define ROUNDS	100

static struct device d;
static _Atomic bool stop;
static _Atomic unsigned int interrupted;

static void nothing(int signal)
{
	(void)signal;
}

/* Waits, is interrupted, waits: any wake-up it is given it may lose. */
static int waverer(void *arg)
{
	int fd = server_open(&d);
	struct abuse_exchange x = exchange_new();
	struct abuse_request q;
	int ret;

	(void)arg;
	x.requests = ADDR(&q);
	x.max_requests = 1;
	while (!stop) {
		x.wait = 3 * MSEC;
		ret = exchange(fd, &x);
		interrupted += ret == -EINTR;
		if (!ret && x.nr_requests) {
			close(fd);	/* without an answer: for the others */
			fd = server_open(&d);
		}
	}
	close(fd);
	return 0;
}

int main(void)
{
	struct sigaction action = { .sa_handler = nothing };
	unsigned char *store;
	struct abuse_request q;
	struct ram *ram;
	struct job job;
	struct io *slow, *io;
	int fd, bad = 0;

	test_begin();
	sigaction(SIGUSR1, &action, NULL);
	store = memory_new(4 * MIB);
	d = device_new();
	set_up(&d, 4 * MIB, 0);
	fd = server_open(&d);
	slow = io_read(&d, 2 * MIB, 4096);
	q = fetch_one(fd, NULL, 0);

	/* fd's owner sleeps now. */
	ram = ram_start(&d, store, 4 * MIB);
	for (int i = 0; i < ROUNDS; i++)
		bad += io_end(io_write(&d, (i % 64) * 4096, 4096, i)) != 0;
	is(bad, 0, "writes that failed or were not served by the other");
	ok(!slow->done, "the sleeper's request waits for it");

	job_start(&job, waverer, NULL);
	need(wait_for(job.tid), "a third server");
	for (int i = 0; i < ROUNDS; i++) {
		io = io_write(&d, (i % 64) * 4096, 4096, i);
		for (int j = 0; j < 3; j++)
			syscall(SYS_tgkill, getpid(), job.tid, SIGUSR1);
		bad += io_end(io) != 0;
	}
	is(bad, 0, "writes lost between servers that wait and give up");
	stop = true;
	is(job_wait(&job, "the third server"), 0, "the third server");
	ok(interrupted > 0, "which was interrupted (%u times)", interrupted);
	is(reply(fd, q.id, 0, store), 0, "the sleeper awakes and answers");
	is(io_end(slow), 0, "its caller");
	ram_stop(ram);
	return done();
}
