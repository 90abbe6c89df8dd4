/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Of two servers that wait for the same queue, each on a processor of its own and each willing to busy-poll for as
 * long as it waits, one does so and the other sleeps: together they use one processor, not two.
 */
/* timeout: 60 */
#include "abuse.h"

#define SERVERS	2
#define SECONDS	2

struct server {
	struct device d;
	int processor;
	pthread_t thread;
	double time;		/* of a processor, in seconds */
	unsigned long calls;
};

static pthread_barrier_t all_there;

static void *wait_in_a_loop(void *arg)
{
	struct server *s = arg;
	struct abuse_request q;
	struct abuse_exchange x = exchange_new();
	int fd = server_open(&s->d);
	struct timespec used;
	double end;

	x.requests = ADDR(&q);
	x.max_requests = 1;
	x.wait = x.spin = MSEC;
	need(!pin(s->processor), "a processor");
	pthread_barrier_wait(&all_there);
	for (end = now() + SECONDS; now() < end; s->calls++)
		need(!exchange(fd, &x) && !x.nr_requests, "a call that finds nothing");
	need(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), "a thread's clock");
	s->time = used.tv_sec + used.tv_nsec / 1e9;
	close(fd);
	return NULL;
}

int main(void)
{
	struct device d;
	struct server servers[SERVERS];
	double sum = 0;

	test_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < SERVERS)
		skip("needs two processors");
	d = device_new();
	set_up(&d, MIB, 0);
	need(!pthread_barrier_init(&all_there, NULL, SERVERS), "a barrier");
	for (int i = 0; i < SERVERS; i++) {
		servers[i] = (struct server) { .d = d, .processor = i };
		need(!pthread_create(&servers[i].thread, NULL, wait_in_a_loop, &servers[i]), "a thread");
	}
	for (int i = 0; i < SERVERS; i++) {
		pthread_join(servers[i].thread, NULL);
		printf("# %lu calls, %.2f s of a processor in %d s\n", servers[i].calls, servers[i].time, SECONDS);
		sum += servers[i].time;
	}
	ok(sum > 0.4 * SECONDS, "one of them busy-polls");
	ok(sum < 1.45 * SECONDS, "not both of them");
	return done();
}
