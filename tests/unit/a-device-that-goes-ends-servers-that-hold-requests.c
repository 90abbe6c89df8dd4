/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server all of whose threads or loops wait for answers from elsewhere, full or not,
 * hears that its device was reset or removed, and ends with what it holds; so it does when
 * only one of its threads hears of it.
 */
/* under: thread */
#include "fake.h"

#include <fcntl.h>

#define NR_QUEUES	2
#define DEPTH		4

static unsigned int kept;
static int far_end;		/* of what is the control node here */

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = ABUSE_OP_WRITE;
	req->length = 4096;
}

static int keep(struct abuse_req *req)
{
	(void)req;
	__atomic_add_fetch(&kept, 1, __ATOMIC_SEQ_CST);
	return ABUSE_ASYNC;
}

static const struct abuse_ops ops = { .pwrite = keep };

/* A node that tells of no request; with its far end closed it is EPOLLERR, or EPOLLHUP. */
static struct abuse_server *begin_server(unsigned int nr, bool hangs_up)
{
	struct abuse_config config = {
		.ops = &ops, .threads = NR_QUEUES, .depth = DEPTH,
		.buffer = 64 * ABUSE_MAX_REQUEST,
	};
	struct abuse_server *srv;
	int ends[2];

	fake_begin(nr, ABUSE_F_WRITE_CACHE);
	must(!pipe(ends), "a node");
	close(fake.node);
	fake.node = ends[!hangs_up];
	far_end = ends[hangs_up];
	fcntl(fake.node, F_SETFL, O_NONBLOCK);
	kept = 0;
	config.fd = fake.node;
	must(!abuse_server_open(&srv, &config), "a server");
	return srv;
}

static void threads(unsigned int nr, bool hangs_up, int wanted, const char *what)
{
	struct abuse_server *srv = begin_server(nr, hangs_up);

	must(!abuse_server_start(srv), "its threads");
	must(fake_await(&kept, nr), "all is kept");
	poll(NULL, 0, 50);
	close(far_end);
	is(abuse_server_wait(srv, -1), wanted, what);
	is(fake.answered, 0, "nothing was answered");
	abuse_server_free(srv);
}

/* The node says nothing: the server that asks for requests is told, the other is not. */
static void only_one_hears(void)
{
	struct abuse_server *srv = begin_server(1, false);

	must(!abuse_server_start(srv), "its threads");
	must(fake_await(&kept, 1), "one is kept");
	__atomic_store_n(&fake.error, ENXIO, __ATOMIC_SEQ_CST);
	is(abuse_server_wait(srv, -1), -ENXIO, "one thread was told that it was reset");
	abuse_server_free(srv);
	close(far_end);
}

static bool is_readable(struct abuse_server *srv, unsigned int loop)
{
	struct pollfd fd = { .fd = abuse_server_fd(srv, loop), .events = POLLIN };

	return poll(&fd, 1, 100) == 1;
}

static void loop(unsigned int nr, bool is_stopped)
{
	struct abuse_server *srv = begin_server(nr, false);

	ok(is_readable(srv, 0), "the first dispatch is due");
	is(abuse_server_dispatch(srv, 0), 0, "dispatch");
	is(kept, nr, "all is kept");
	if (is_stopped) {
		abuse_server_stop(srv);
		is(abuse_server_dispatch(srv, 0), 0, "stopped, but some are held");
	}
	ok(!is_readable(srv, 0), "nothing to do");
	close(far_end);
	ok(is_readable(srv, 0), "the loop is woken");
	is(abuse_server_dispatch(srv, 0), -ENXIO, "and told that the device was reset");
	abuse_server_free(srv);
}

int main(void)
{
	alarm(stretched(30));
	threads(NR_QUEUES * DEPTH, false, -ENXIO, "full, reset");
	threads(NR_QUEUES * DEPTH, true, -ENODEV, "full, removed");
	threads(DEPTH / 2, false, -ENXIO, "not full, reset");
	only_one_hears();
	loop(DEPTH, false);
	loop(DEPTH, true);
	return done();
}
