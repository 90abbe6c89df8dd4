/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Servers that wait for ever, each a thread with a descriptor of its own, and what their
 * waiting costs. They read zeroes; RESET ends them.
 */
#ifndef TESTS_WAITER_H
#define TESTS_WAITER_H

#include "abuse.h"

static inline void *idler_main(void *cpu)
{
	struct sched_param any = { 0 };

	need(!pin((uintptr_t)cpu), "a processor");
	need(!sched_setscheduler(0, SCHED_IDLE, &any), "to come after all others");
	for (;;)
		;
}

/*
 * Keeps a processor running that has nothing else to do: one that halted is not awake
 * again for milliseconds where the host is busy. Not a server's that is to look before
 * it sleeps, which it does not where anything else is to run.
 */
static inline void keep_awake(unsigned int cpu)
{
	pthread_t thread;

	need(!pthread_create(&thread, NULL, idler_main, (void *)(uintptr_t)cpu),
	     "a thread");
}

struct waiter {
	int fd;
	unsigned int cpu;
	uint64_t spin;
	_Atomic pid_t tid;
	pthread_t thread;
};

static inline void *waiter_main(void *arg)
{
	struct abuse_exchange x = exchange_new();
	struct waiter *w = arg;
	struct abuse_request q;
	struct abuse_reply a;

	need(!pin(w->cpu), "processor %u", w->cpu);
	x.replies = ADDR(&a);
	x.requests = ADDR(&q);
	x.max_requests = 1;
	x.wait = FOR_EVER;
	x.spin = w->spin;
	w->tid = syscall(SYS_gettid);
	while (!exchange(w->fd, &x)) {
		x.nr_replies = x.nr_requests;
		a = (struct abuse_reply){ .id = q.id, .flags = ABUSE_REPLY_ZERO };
	}
	return NULL;
}

static inline bool waiter_is_asleep(struct waiter *w)
{
	return w->tid && task_is(w->tid, 'S');
}

/* Asleep on that processor when this returns. */
static inline void waiter_start(struct waiter *w, const struct device *d,
				unsigned int cpu, uint64_t spin)
{
	*w = (struct waiter){ .fd = server_open(d), .cpu = cpu, .spin = spin };
	need(!pthread_create(&w->thread, NULL, waiter_main, w), "a thread");
	need(wait_for(waiter_is_asleep(w)), "a server to sleep");
}

/* After RESET. */
static inline void waiter_end(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	close(w->fd);
}

/* How often it has gone to sleep. */
static inline unsigned int waiter_sleeps(const struct waiter *w)
{
	char path[64], line[128];
	unsigned int n = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)w->tid);
	status = fopen(path, "re");
	need(status, "%s", path);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "voluntary_ctxt_switches: %u", &n) == 1)
			break;
	fclose(status);
	return n;
}

/* Seconds of processor time that it has used. */
static inline double waiter_time(const struct waiter *w)
{
	struct timespec ts;
	clockid_t clock;

	need(!pthread_getcpuclockid(w->thread, &clock) && !clock_gettime(clock, &ts),
	     "a thread's clock");
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

#endif /* TESTS_WAITER_H */
