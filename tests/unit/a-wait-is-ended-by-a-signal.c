/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* abuse_server_wait() returns -EINTR after a signal handler ran, serves on, and 0 if the handler stops the server. */
/* under: thread */
#include "fake.h"

#include <signal.h>
#include <sys/time.h>

static struct abuse_server *server;
static bool stops;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = ABUSE_OP_READ;
	req->length = 4096;
}

static int do_pread(struct abuse_req *req)
{
	(void)req;
	return ABUSE_ZEROES;
}

static void handler(int sig)
{
	(void)sig;
	if (stops)
		abuse_server_stop(server);
}

int main(void)
{
	struct abuse_ops ops = { .pread = do_pread };
	struct abuse_config config = { .ops = &ops };
	struct sigaction action = { .sa_handler = handler };	/* without SA_RESTART */
	struct itimerval often = { { 0, 50000 }, { 0, 50000 } }, never = { 0 };

	fake_begin(10, 0);
	config.fd = fake.node;
	must(!abuse_server_open(&server, &config), "a server");
	must(!abuse_server_start(server), "start");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	is(abuse_server_wait(server, -1), -EINTR, "a handler that does nothing");
	is(abuse_server_wait(server, -1), -EINTR, "and once more");
	stops = true;
	is(abuse_server_wait(server, -1), 0, "a handler that stops");
	setitimer(ITIMER_REAL, &never, NULL);	/* the handler uses the server */
	abuse_server_free(server);
	return done();
}
