/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The queue limit changes while requests wait: more room lets held back requests in
 * at once, less room takes none away and counts from then on.
 */
#include "abuse.h"

#define N 10

static int limit(int fd, unsigned int n)
{
	struct abuse_params p = params_of(0);

	p.queue_limit = n;
	return set_params(fd, &p);
}

static unsigned int counted(int fd)
{
	struct abuse_info info;

	need(!get_status(fd, &info), "GET_STATUS");
	return info.ab_queue_size;
}

int main(void)
{
	struct device d;
	struct abuse_request q[N];
	struct abuse_params p = params_of(1 * MIB);
	struct pollfd pfd;
	struct io *io[N];
	char *data = memory_new(4096);
	int fd, ended = 0;

	test_begin();
	d = device_new();
	p.queue_limit = 2;
	set_up_as(&d, &p);
	fd = server_open(&d);
	for (int i = 0; i < N; i++) {
		io[i] = io_read(&d, i * 65536, 4096);
		ok(wait_for(io[i]->tid && task_is(io[i]->tid, 'D')), "a reader waits");
	}
	is(counted(fd), 2, "counted with a limit of 2");
	is(fetch(fd, q, N, NULL, 0, NO_WAIT), 2, "handed out");
	is(fetch(fd, q + 2, N, NULL, 0, NO_WAIT), 0, "no more while they are held");
	is(limit(fd, 5), 0, "limit 5");
	ok(wait_for(counted(fd) == 5), "counted with a limit of 5");
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	is(poll(&pfd, 1, 1000 * DEADLINE_SECONDS), 1, "poll is told");
	is(fetch(fd, q + 2, N, NULL, 0, NO_WAIT), 3, "handed out");
	is(limit(fd, 1), 0, "limit 1");
	is(counted(fd), 5, "what is counted is not taken away");
	for (int i = 0; i < 5; i++) {
		is(reply(fd, q[i].id, 0, data), 0, "an answer");
		is(fetch(fd, q + 5, N, NULL, 0, NO_WAIT), i == 4 ? 1 : 0,
		   "the next one comes when all but none are answered");
	}
	is(counted(fd), 1, "counted with a limit of 1");
	is(limit(fd, 512), 0, "limit 512");
	is(reply(fd, q[5].id, 0, data), 0, "an answer");
	fetch_all(fd, q, 4, NULL, 0);
	for (int i = 0; i < 4; i++)
		is(reply(fd, q[i].id, 0, data), 0, "an answer");
	for (int i = 0; i < N; i++)
		ended += io_end(io[i]) == 0;
	is(ended, N, "reads that succeeded");
	return done();
}
