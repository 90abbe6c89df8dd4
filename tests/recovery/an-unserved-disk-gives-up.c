/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * I/O of a disk without a server and without a claim, root's, ends with EIO after
 * unserved_timeout, counted from when the last server went or the claim went if that was
 * later, and then at once, until a server asks or a claim begins. A live server,
 * a claim, timeout=-1 and unserved_timeout=0 make it wait.
 */
/* timeout: 120 */
#include "patience.h"

#define UNSERVED	2

static struct device d;

static int change_timeout(int64_t timeout)
{
	struct abuse_params p = params_of(0);
	int fd = server_open(&d), ret;

	p.timeout = timeout;
	ret = set_params(fd, &p);
	close(fd);
	return ret;
}

/*
 * It ends with EIO no earlier than this after start, and not much later. The module looks eight times in
 * that time who serves and claims, and counts from the last look that found somebody.
 */
static void ends_after(struct io *io, double start, const char *what)
{
	is(io_end(io), EIO, what);
	ok(now() - start > UNSERVED * 7 / 8.0 - 0.1 && now() - start < stretched(2 * UNSERVED),
	   "in its time (%.2f s)", now() - start);
}

static void revive(void)
{
	int fd = server_open(&d);

	ok(io_is_served_again(&d, fd), "a server asks, and a read is served");
	is(attribute_number(&d, "ready"), 1, "ready");
	close(fd);
}

/* A server process, alive and silent, makes requests wait; killed it starts the count. */
static void served_by(bool by_get_bio, bool shared)
{
	int fd = shared ? server_open(&d) : -1;
	struct asker *asker = asker_start(&d, by_get_bio, fd);
	struct io *io = io_read(&d, 0, 4096);
	double killed;

	printf("# by %s, descriptor %s\n", by_get_bio ? "GET_BIO" : "EXCHANGE",
	       shared ? "shared" : "its own");
	ok(io_still_waits(io, 1.6 * UNSERVED), "it waits while a server lives");
	killed = now();
	asker_kill(asker);
	ends_after(io, killed, "when that was killed");
	ok(io_fails_at_once(&d), "the next at once");
	if (shared)
		close(fd);
}

int main(void)
{
	struct io *io, *more;
	struct pollfd poller = { .events = POLLIN };
	struct abuse_params p;
	bool together = false;
	double start;
	int fd, claim;

	test_begin();
	need(!module_reload("unserved_timeout=2"), "modprobe abuse");
	d = device_new();
	set_up(&d, 1 * MIB, 0);

	/* Nobody has ever served it. */
	for (int i = 0; i < 3 && !together; i++) {
		if (i)
			revive();
		start = now();
		io = io_read(&d, 0, 4096);
		nap_ms(1000);
		more = io_read(&d, 65536, 4096);
		ends_after(io, start, "a read");
		start = now();
		is(io_end(more), EIO, "one that came a second later");
		together = now() - start < 0.5;
	}
	ok(together, "ends with it, in one of three times");
	is(attribute_number(&d, "ready"), 0, "ready");
	for (int i = 0; i < 8; i++)
		ok(io_fails_at_once(&d), "the next ones at once");
	poller.fd = fd = server_open(&d);
	is(poll(&poller, 1, 1000), 1, "poll says that a server is missing");
	ok(io_fails_at_once(&d), "but does not count");
	close(fd);
	revive();

	/* Those who serve. */
	served_by(false, false);
	revive();
	served_by(true, false);
	revive();
	served_by(true, true);
	revive();

	/* A claim. */
	is(io_end(io_read(&d, 0, 4096)), EIO, "a read without a server");
	claim = open(d.disk, O_RDONLY | O_EXCL | O_CLOEXEC);
	need(claim >= 0, "claim the disk");
	io = io_read(&d, 0, 4096);
	ok(io_still_waits(io, 1.6 * UNSERVED), "it waits while the disk is claimed");
	start = now();
	close(claim);
	ends_after(io, start, "when the claim was gone");

	/* A time-out that was given explicitly. */
	revive();
	is(change_timeout(-1), 0, "timeout=-1");
	io = io_read(&d, 0, 4096);
	ok(io_still_waits(io, 1.6 * UNSERVED), "it waits");
	is(change_timeout(0), 0, "0 keeps it");
	ok(io_still_waits(io, UNSERVED + 0.5), "it waits");
	fd = server_open(&d);
	need(!get_params(fd, &p), "GET_PARAMS");
	is(p.timeout, -1, "time-out");
	close(fd);
	is(change_timeout(3600 * SEC), 0, "an hour");
	is(io_end(io), EIO, "is more than an unserved disk has");

	/* The parameter is live. */
	revive();
	need(!shell("echo 0 >/sys/module/abuse/parameters/unserved_timeout"), "0");
	io = io_read(&d, 0, 4096);
	ok(io_still_waits(io, 1.6 * UNSERVED), "unserved_timeout=0: it waits");
	need(!shell("echo 1 >/sys/module/abuse/parameters/unserved_timeout"), "1");
	is(io_end(io), EIO, "unserved_timeout=1: it ends");
	return done();
}
