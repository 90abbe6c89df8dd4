/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * poll reports POLLMSG together with POLLIN while a request is there that is
 * not held; in mode 1 only while one is there that no live descriptor was handed.
 * The mode is the descriptor's own.
 */
/* build: m32 */
#include "abuse.h"

#define READY (POLLIN | POLLMSG)

/* The events of poll now, with errors beside those that were asked for. */
static int events(int fd, int wanted)
{
	struct pollfd p = { .fd = fd, .events = wanted };

	need(poll(&p, 1, 0) >= 0, "poll");
	return p.revents;
}

struct poller {
	int fd;
	int revents;
	_Atomic pid_t tid;
	_Atomic bool done;
};

static void *poller_main(void *arg)
{
	struct poller *poller = arg;
	struct pollfd p = { .fd = poller->fd, .events = POLLMSG };

	poller->tid = syscall(SYS_gettid);
	poll(&p, 1, -1);
	poller->revents = p.revents;
	poller->done = true;
	return NULL;
}

int main(void)
{
	struct device d;
	struct bio bio;
	struct abuse_request q;
	struct poller poller = { .fd = -1 };
	pthread_t thread;
	struct io *io, *jo;
	char *data = memory_new(65536);
	int zero, one, third;

	test_begin();
	d = device_new();
	zero = server_open(&d);
	one = server_open(&d);
	third = server_open(&d);
	is(events(zero, READY), 0, "an empty device");
	set_up_2009(&d, 1 * MIB, 512, 128);
	is(set_poll(one, 1), 0, "SET_POLL 1");
	is(events(zero, READY), 0, "no request");
	is(events(one, READY), 0, "no request, mode 1");

	/* Asleep in poll when it comes. */
	poller.fd = zero;
	need(!pthread_create(&thread, NULL, poller_main, &poller), "a thread");
	ok(wait_for(poller.tid && task_is(poller.tid, 'S')), "asleep in poll");
	io = io_read(&d, 0, 4096);
	ok(wait_for(poller.done), "poll wakes up");
	pthread_join(thread, NULL);
	is(poller.revents, POLLMSG, "asked for POLLMSG alone");
	is(events(zero, READY), READY, "a new request");
	is(events(zero, POLLIN), POLLIN, "asked for POLLIN alone");
	is(events(one, READY), READY, "a new request, mode 1");

	/* Handed out, unanswered. */
	is(get_bio(third, &bio), 0, "GET_BIO");
	is(events(zero, READY), READY, "handed out");
	is(events(one, READY), 0, "handed out, mode 1");
	is(get_bio(third, &bio), 0, "GET_BIO again");
	is(events(one, READY), 0, "handed out twice, mode 1");
	is(events(third, READY), READY, "mode is the descriptor's own");
	jo = io_read(&d, 65536, 4096);
	ok(wait_for(events(one, READY) == READY), "another one, mode 1");
	get_bio_wait(third, &bio);
	get_bio_wait(third, &bio);
	is(events(one, READY), 0, "both handed out, mode 1");

	/* Whom it was handed is gone: it is anyone's again. */
	poller = (struct poller){ .fd = one };
	need(!pthread_create(&thread, NULL, poller_main, &poller), "a thread");
	ok(wait_for(poller.tid && task_is(poller.tid, 'S')), "asleep in poll");
	close(third);
	ok(wait_for(poller.done), "poll in mode 1 wakes up");
	pthread_join(thread, NULL);
	is(events(one, READY), READY, "its descriptor was closed, mode 1");

	/* Held ones never count. */
	q = fetch_one(zero, NULL, 0);
	is(events(zero, READY), READY, "one is held, one is not");
	is(reply(zero, q.id, 0, data), 0, "answer");
	q = fetch_one(zero, NULL, 0);
	is(events(zero, READY), 0, "the last one is held");
	is(events(one, READY), 0, "the last one is held, mode 1");
	third = server_open(&d);
	is(events(third, READY), 0, "held, seen by another one");
	is(reply(zero, q.id, 0, data), 0, "answer");
	is(io_end(io), 0, "read");
	is(io_end(jo), 0, "read");
	is(set_poll(one, 0), 0, "SET_POLL 0");
	io = io_read(&d, 0, 4096);
	ok(wait_for(events(zero, READY) == READY), "a request");
	is(get_bio(zero, &bio), 0, "GET_BIO");
	is(events(one, READY), READY, "back in mode 0");
	bio_point(&bio, data);
	is(put_bio(zero, &bio, 0), 0, "PUT_BIO");
	is(io_end(io), 0, "read");
	is(events(zero, READY), 0, "answered");
	return done();
}
