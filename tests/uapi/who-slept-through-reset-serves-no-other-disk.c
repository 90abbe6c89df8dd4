/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server that waits in exchange while the device is reset and set up anew gets
 * ENXIO, is handed none of the new disk's requests, can answer none and change
 * nothing, and poll(2) tells it POLLERR; the process that made the new set-up, or opens the
 * node after it, serves.
 */
/* build: m32 */
#include "abuse.h"

#define SLEEPERS 4

struct sleeper {
	int fd, ret;
	struct abuse_request q;
	_Atomic pid_t tid;
	_Atomic bool done;
};

/* The events that poll reports at once. */
static int told(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;

	s->tid = syscall(SYS_gettid);
	s->ret = fetch(s->fd, &s->q, 1, NULL, 0, FOR_EVER);
	s->done = true;
	return NULL;
}

int main(void)
{
	struct sleeper s[SLEEPERS];
	pthread_t thread[SLEEPERS];
	struct abuse_params p;
	struct abuse_request q;
	struct device d;
	struct io *io;
	char *data = memory_new(4096);
	int fd, odd = 0, served = 0, changed = 0, untold = 0;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	for (int round = 0; round < 20; round++) {
		p = params_of(1 * MIB);
		need(!set_params(fd, &p), "set-up");
		for (int i = 0; i < SLEEPERS; i++) {
			s[i] = (struct sleeper){ .fd = server_open(&d) };
			need(!pthread_create(&thread[i], NULL, sleeper_main, &s[i]),
			     "a thread");
			need(wait_for(s[i].tid && task_is(s[i].tid, 'S')), "asleep");
		}
		/* Both before any of them runs, as well as can be. */
		p = params_of(1 * MIB);
		odd += reset(fd);
		untold += told(s[0].fd) != POLLERR;
		odd += set_params(fd, &p) != 0;
		untold += told(s[0].fd) != POLLERR;
		p = params_of(2 * MIB);
		changed += set_params(s[0].fd, &p) != -ENXIO;
		io = io_read(&d, 0, 4096);
		for (int i = 0; i < SLEEPERS; i++) {
			if (!wait_for(s[i].done) || s[i].ret != -ENXIO)
				ok(!++odd, "sleeper %d in round %d got %d", i, round,
				   s[i].ret);
			pthread_join(thread[i], NULL);
			odd += fetch(s[i].fd, &q, 1, NULL, 0, NO_WAIT) != -ENXIO;
		}
		q = fetch_one(fd, NULL, 0);
		odd += reply(s[0].fd, q.id, 0, data) != ESTALE;
		served += !reply(fd, q.id, 0, data) && !io_end(io);
		for (int i = 0; i < SLEEPERS; i++)
			close(s[i].fd);
		need(!reset(fd), "RESET");
	}
	is(odd, 0, "sleepers that were not told, or served the new disk");
	is(untold, 0, "times that poll told nothing");
	is(changed, 0, "changes to the new disk by who served the old one");
	is(served, 20, "reads that the descriptor of the new set-up answered");
	return done();
}
