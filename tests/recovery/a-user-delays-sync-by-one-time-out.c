/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * sync(2) waits at most one user_timeout in all for a user's device of one request at a
 * time and many dirty pages, whose server polls and looks but never answers; likewise the
 * last close of its disk, and with it who opens the disk meanwhile.
 */
/* timeout: 90 */
#include "patience.h"

#define TIMEOUT	3
#define PAGES	12

static struct device d;

static int serve_nothing(void *has_asked)
{
	int fd = server_open(&d);
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct abuse_request q;

	fetch(fd, &q, 1, NULL, 0, NO_WAIT);
	*(_Atomic bool *)has_asked = true;
	while (poll(&poller, 1, 0) >= 0) {
		fetch(fd, &q, 0, NULL, 0, NO_WAIT);
		nap_ms(50);
	}
	return 1;
}

/* Until one has asked, a device that failed as a whole fails its I/O at once. */
static pid_t start_server(void)
{
	_Atomic bool *has_asked = memory_new(sizeof(*has_asked));
	pid_t pid = child_start(serve_nothing, (void *)has_asked);

	need(wait_for(*has_asked), "a server to ask");
	return pid;
}

static int dirty(int disk)
{
	static char page[4096] = "dirty";

	for (int i = 0; i < PAGES; i++)
		if (pwrite(disk, page, sizeof(page), i * 8192) != sizeof(page))
			return -1;
	return 0;
}

static int sync_all(void *unused)
{
	(void)unused;
	sync();
	return 0;
}

static int dirty_and_close(void *unused)
{
	int disk = open(d.disk, O_RDWR);

	(void)unused;
	if (disk < 0 || dirty(disk))
		return 1;
	close(disk);
	return 0;
}

static int open_and_close(void *unused)
{
	int disk = open(d.disk, O_RDONLY);

	(void)unused;
	if (disk >= 0)
		close(disk);
	return 0;
}

static double end_of(pid_t pid, const char *what)
{
	double start = now();

	is(child_wait(pid), 0, what);
	return now() - start;
}

int main(void)
{
	struct pollfd waker = { .events = POLLIN };
	pid_t server, closer;
	double took;
	int disk;

	test_begin();
	need(!module_reload("user_timeout=3"), "modprobe abuse");
	d = users_device(1);
	server = start_server();
	disk = disk_open(&d, O_RDWR);
	need(!dirty(disk), "dirty pages");
	took = end_of(child_start(sync_all, NULL), "sync");
	ok(took < stretched(2 * TIMEOUT), "it took less than two time-outs (%.2f s)", took);
	ok(attribute_number(&d, "errors") >= PAGES, "all pages failed (%lld)",
	   attribute_number(&d, "errors"));
	close(disk);

	/* It is back only when a server asks, which this one no longer does. */
	took = end_of(child_start(sync_all, NULL), "another sync");
	ok(took < stretched(TIMEOUT), "at once (%.2f s)", took);

	/* The last close writes back under the lock that every open takes. */
	is(child_wait((kill(server, SIGKILL), server)), 256 + SIGKILL, "the server is killed");
	waker.fd = server_open(&d);
	need(poll(&waker, 1, 1000 * stretched(10 * TIMEOUT)) == 1, "the time when a server may ask");
	close(waker.fd);
	server = start_server();
	closer = child_start(dirty_and_close, NULL);
	ok(wait_for(attribute_number(&d, "queued") || attribute_number(&d, "held")),
	   "a close waits for the server");
	took = end_of(child_start(open_and_close, NULL), "an open");
	ok(took < stretched(2 * TIMEOUT), "the open took less than two time-outs (%.2f s)", took);
	end_of(closer, "the close");
	kill(server, SIGKILL);
	child_wait(server);
	return done();
}
