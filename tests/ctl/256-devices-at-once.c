/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * 256 devices are added, set up and served by one process at the same time, each
 * gives its own bytes, and all are removed again.
 */
/* timeout: 300 */
#include "abuse.h"

#define N 256

static struct device d[N];
static int fd[N];
static struct pollfd p[N];

int main(void)
{
	struct io *io[N];
	char *data = memory_new(4096);
	int added = 0, answered = 0, wrong = 0, removed = 0, up = 0;

	test_begin();
	for (int i = 0; i < N; i++) {
		d[i] = device_new_depth(1, 16);
		set_up(&d[i], 1 * MIB, 0);
		fd[i] = server_open(&d[i]);
		added++;
	}
	is(added, N, "devices");
	for (int i = 0; i < N; i++) {
		up += !strcmp(attribute(&d[i], "state"), "up");
		io[i] = io_read(&d[i], i * 512, 512);
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	}
	is(up, N, "devices that are up at once");
	while (answered < N) {
		need(poll(p, N, 1000 * DEADLINE_SECONDS) > 0, "a request of any");
		for (int i = 0; i < N; i++) {
			struct abuse_request q;

			if (!(p[i].revents & POLLIN))
				continue;
			if (fetch(fd[i], &q, 1, NULL, 0, NO_WAIT) != 1)
				continue;
			wrong += q.sector != (uint64_t)i;
			pattern_fill(data, 512, i);
			wrong += reply(fd[i], q.id, 0, data) != 0;
			answered++;
		}
	}
	for (int i = 0; i < N; i++) {
		wrong += io_wait(io[i]) != 0 || !pattern_is(io[i]->data, 512, i);
		io_end(io[i]);
	}
	is(wrong, 0, "requests that met the wrong device, or bytes");
	for (int i = 0; i < N; i++) {
		close(fd[i]);
		removed += device_remove(d[i].number) == 0;
	}
	is(removed, N, "devices removed");
	return done();
}
