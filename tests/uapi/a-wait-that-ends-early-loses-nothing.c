/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A signal in an exchange that waits is EINTR and nothing has happened, with
 * SA_RESTART too; where a reply was taken it is 0. Time-out is 0 without
 * requests. The next exchange gets what came meanwhile.
 */
/* build: m32 */
#include "abuse.h"

struct waiter {
	int fd;
	int64_t wait;
	struct abuse_reply *reply;
	struct abuse_exchange x;
	struct abuse_request q;
	int ret;
	double took;
	_Atomic pid_t tid;
	_Atomic bool done;
};

static void on_signal(int number)
{
	(void)number;
}

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	double start = now();

	w->x = exchange_new();
	w->x.requests = ADDR(&w->q);
	w->x.max_requests = 1;
	w->x.replies = ADDR(w->reply);
	w->x.nr_replies = !!w->reply;
	w->x.wait = w->wait;
	w->x.nr_requests = w->x.nr_taken = 99;
	w->tid = syscall(SYS_gettid);
	w->ret = exchange(w->fd, &w->x);
	w->took = now() - start;
	w->done = true;
	return NULL;
}

static pthread_t waiter_start(struct waiter *w)
{
	pthread_t thread;

	need(!pthread_create(&thread, NULL, waiter_main, w), "a thread");
	return thread;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct abuse_reply a;
	struct abuse_request q;
	struct device d;
	struct waiter w;
	pthread_t thread;
	struct io *io, *jo;
	char *data = memory_new(65536);
	int fd;

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);
	need(!sigaction(SIGUSR1, &action, NULL), "sigaction");

	/* A signal, nothing done. */
	for (int i = 0; i < 2; i++) {
		w = (struct waiter){ .fd = fd, .wait = i ? 3600 * SEC : FOR_EVER };
		thread = waiter_start(&w);
		ok(wait_for(w.tid && task_is(w.tid, 'S')), "asleep in exchange");
		pthread_kill(thread, SIGUSR1);
		ok(wait_for(w.done), "the signal ends the wait");
		pthread_join(thread, NULL);
		is(w.ret, -EINTR, "exchange");
	}
	io = io_read(&d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	is(q.sector, 0, "the next exchange gets the next request");

	/* A signal, a reply taken. */
	memset(&a, 0, sizeof(a));
	a.id = q.id;
	a.address = ADDR(data);
	a.status = 99;
	w = (struct waiter){ .fd = fd, .wait = FOR_EVER, .reply = &a };
	thread = waiter_start(&w);
	is(io_end(io), 0, "the read is answered before the wait");
	ok(wait_for(task_is(w.tid, 'S')), "asleep in exchange");
	is(a.status, 0, "the status is written before the wait");
	is(w.x.nr_taken, 1, "and so is the count");
	pthread_kill(thread, SIGUSR1);
	ok(wait_for(w.done), "the signal ends the wait");
	pthread_join(thread, NULL);
	is(w.ret, 0, "exchange, for a reply was taken");
	is(w.x.nr_requests, 0, "requests");

	/* A signal, and the reply was no good: nothing was done. */
	a.id = q.id;
	w = (struct waiter){ .fd = fd, .wait = FOR_EVER, .reply = &a };
	thread = waiter_start(&w);
	ok(wait_for(w.tid && task_is(w.tid, 'S')), "asleep in exchange");
	is(a.status, ESTALE, "a stale reply");
	pthread_kill(thread, SIGUSR1);
	ok(wait_for(w.done), "the signal ends the wait");
	pthread_join(thread, NULL);
	is(w.ret, -EINTR, "exchange, for no reply was taken");

	/* Time. */
	w = (struct waiter){ .fd = fd, .wait = 150 * MSEC };
	thread = waiter_start(&w);
	pthread_join(thread, NULL);
	is(w.ret, 0, "time-out");
	is(w.x.nr_requests, 0, "requests");
	ok(w.took >= 0.15, "it waited that long (%.3f s)", w.took);
	w = (struct waiter){ .fd = fd, .wait = NO_WAIT };
	thread = waiter_start(&w);
	pthread_join(thread, NULL);
	is(w.ret, 0, "no wait");
	is(w.x.nr_requests, 0, "requests");
	w = (struct waiter){ .fd = fd, .wait = 3600 * SEC };
	thread = waiter_start(&w);
	ok(wait_for(w.tid && task_is(w.tid, 'S')), "asleep in exchange");
	io = io_read(&d, 8192, 4096);
	ok(wait_for(w.done), "a request ends the wait");
	pthread_join(thread, NULL);
	is(w.x.nr_requests, 1, "requests");
	is(w.q.sector, 16, "its sector");
	is(reply(fd, w.q.id, 0, data), 0, "answer");
	is(io_end(io), 0, "the read");

	/* Signals rain on a server while requests come: none is lost. */
	{
		int lost = 0, errors = 0;

		for (int i = 0; i < 40; i++) {
			w = (struct waiter){ .fd = fd, .wait = FOR_EVER };
			thread = waiter_start(&w);
			if (i % 2)
				wait_for(w.tid && task_is(w.tid, 'S'));
			jo = io_read(&d, i * 4096, 4096);
			if (i % 4 > 1)
				wait_for(attribute_number(&d, "queued") +
					 attribute_number(&d, "held") == 1);
			pthread_kill(thread, SIGUSR1);
			pthread_join(thread, NULL);
			if (w.ret == -EINTR)
				w.q = fetch_one(fd, NULL, 0);
			else if (w.ret)
				errors++;
			if (w.q.sector != (uint64_t)i * 8)
				lost++;
			if (reply(fd, w.q.id, 0, data) || io_end(jo))
				lost++;
		}
		is(errors, 0, "other errors than EINTR");
		is(lost, 0, "requests lost between a signal and a request");
	}
	return done();
}
