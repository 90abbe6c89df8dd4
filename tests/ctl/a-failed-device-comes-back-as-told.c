/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A user's device whose request expired fails as a whole, live servers or not, until one
 * more user_timeout has passed and a server then asks for requests: one that asked
 * before, or that only polls, does not bring it back; poll says when to ask, a server
 * that sleeps in EXCHANGE is woken, and GET_BIO counts as well.
 */
#include "patience.h"

static struct device d;
static unsigned int time_out;	/* seconds */

/* The user's own, live. */
static void set_timeout(int fd, int64_t ns)
{
	struct abuse_params p = { .size = sizeof(p), .timeout = ns };

	need(!set_params(fd, &p), "a live change");
}

/* Fails it by one request that is held and never answered; when it was sent. */
static double fail_it(int fd)
{
	double begun = now();
	struct io *held = io_read(&d, 0, 4096), *queued;

	fetch_one(fd, NULL, 0);
	nap_ms(1000);
	queued = io_read(&d, 65536, 4096);
	is(io_end(held), EIO, "the held read");
	is(io_end(queued), EIO, "one that came a second later");
	return begun;
}

static void *sleeper(void *fd)
{
	struct abuse_request q;

	/* One that comes when the machine is slow may have expired before it is answered. */
	while (fetch(*(int *)fd, &q, 1, NULL, 0, FOR_EVER) == 1)
		if (!reply_with(*(int *)fd, q.id, 0, ABUSE_REPLY_ZERO, NULL))
			break;
	return NULL;
}

int main(void)
{
	struct pollfd poller = { .events = POLLIN };
	struct abuse_request q;
	pthread_t thread;
	struct bio bio;
	int fd, other;
	double begun;

	test_begin();
	time_out = stretched(2);
	need(!module_reload("user_timeout=%u unserved_timeout=0", time_out), "modprobe abuse");
	d = users_device(8);
	fd = server_open(&d);

	/* Too early. */
	begun = fail_it(fd);
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), 0, "a server asks too early");
	ok(io_fails_at_once(&d), "reads fail at once");
	poller.fd = fd;
	is(poll(&poller, 1, 0), 0, "poll says nothing yet");
	is(reply(fd, 1, 0, NULL), ESTALE, "answers without room for requests");

	/* The time is over, nobody asks. */
	is(poll(&poller, 1, 1000 * stretched(10)), 1, "poll says when to ask");
	ok(now() - begun >= 2 * time_out - 0.2, "which is a time-out later (%.2f s)",
	   now() - begun);
	ok(io_fails_at_once(&d), "but polling does not count");
	is(reply(fd, 1, 0, NULL), ESTALE, "nor an exchange without room");
	ok(io_fails_at_once(&d), "reads fail at once");

	/* An empty answer counts. */
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), 0, "a server asks");
	is(poll(&poller, 1, 0), 0, "poll has nothing to say any more");
	ok(io_is_served(&d, fd), "a read is served");

	/* A server that was asleep all the time is woken, and asks. */
	other = server_open(&d);
	begun = fail_it(fd);
	need(!pthread_create(&thread, NULL, sleeper, &other), "a thread");
	ok(wait_for(!io_end(io_read(&d, 0, 4096))), "a sleeping server brings it back");
	ok(now() - begun >= 2 * time_out - 0.2, "in its time (%.2f s)", now() - begun);
	pthread_join(thread, NULL);
	close(other);

	/* As in 2009. */
	fail_it(fd);
	is(poll(&poller, 1, 1000 * stretched(10)), 1, "poll says when to ask");
	ok(io_fails_at_once(&d), "reads fail at once");
	is(get_bio(fd, &bio), -ENOMSG, "GET_BIO");
	ok(io_is_served(&d, fd), "a read is served");

	/* The user's own time-out makes it no shorter. */
	begun = fail_it(fd);
	set_timeout(fd, MSEC);
	is(poll(&poller, 1, 1000 * stretched(10)), 1, "poll says when to ask");
	ok(now() - begun >= 2 * time_out - 0.2, "which is a user_timeout later (%.2f s)",
	   now() - begun);
	set_timeout(fd, time_out * SEC);
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), 0, "a server asks");
	ok(io_is_served(&d, fd), "a read is served");

	/* A set-up is a new beginning. */
	fail_it(fd);
	is(reset(fd), 0, "RESET");
	close(fd);
	set_up(&d, 1 * MIB, 0);
	device_admit(&d);
	fd = server_open(&d);
	ok(io_is_served(&d, fd), "set up anew it waits for servers");
	close(fd);
	return done();
}
