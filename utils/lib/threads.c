// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The threads of a server, one for each queue, and their end. A program with an event loop
 * of its own uses loops.c instead.
 */
#include "internal.h"
#include "join.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define KICK		(SIGRTMAX - 1)	/* ends a wait */
#define KICK_INTERVAL	20000000	/* nanoseconds */
#define NSEC_PER_SEC	1000000000LL
#define LONGEST		((1LL << 29) * NSEC_PER_SEC)	/* any longer is for ever */

/* A thread that ends because of an error stops all others. */
static void end(struct abuse_server *srv, int err)
{
	int none = 0;

	if (err != -ESHUTDOWN)
		__atomic_compare_exchange_n(&srv->error, &none, err, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	abuse_server_stop(srv);
}

/* The server to which this thread belongs. */
static __thread const struct abuse_server *own_server;

/*
 * SCHED_BATCH: a submitter on the same processor runs until it waits, and its first request
 * does not let this thread preempt it. Any other policy was chosen by the program and stays.
 */
static void be_patient(void)
{
	static const struct sched_param none;

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *thread_main(void *arg)
{
	struct queue *queue = arg;
	struct abuse_server *srv = queue->srv;
	int ret;

	be_patient();
	own_server = srv;
	memory_hold_stack(srv);
	if (srv->ops.thread_begin)
		srv->ops.thread_begin(srv->config.arg);
	do {
		ret = queue_turn(queue, -1);
		if (!ret && queue->nr_async)
			ret = queue_sleep(queue);
	} while (ret >= 0);
	if (srv->ops.thread_end)
		srv->ops.thread_end(srv->config.arg);
	server_debug(srv, "a thread ends: %s", strerror(-ret));
	end(srv, ret);
	return NULL;
}

static void kicked(int sig)
{
	(void)sig;		/* its only use is to interrupt a wait */
}

/* Signals are for the threads of the program, and not for these. */
static void mask_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	struct sigaction action = { .sa_handler = kicked, .sa_flags = SA_RESTART };
	sigset_t mask;
	size_t i;

	sigaction(KICK, &action, NULL);
	sigfillset(&mask);
	sigdelset(&mask, KICK);
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&mask, faults[i]);
	pthread_sigmask(SIG_SETMASK, &mask, old);
}

static int start_one(struct queue *queue, const pthread_attr_t *attr)
{
	int ret = pthread_create(&queue->thread, attr, thread_main, queue);

	queue->is_running = !ret;
	return reason_of_error(-ret, "cannot start a thread");
}

int abuse_server_start(struct abuse_server *srv)
{
	pthread_attr_t attr;
	unsigned int i;
	sigset_t old;
	int ret = 0;

	if (!server_enter(srv, SERVES_THREADS))
		return server_explain(srv, LOAD(srv->serves) == SERVES_THREADS ? -EALREADY : -EBUSY);
	reason_clear();
	server_hold_again(srv);
	mask_signals(&old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, srv->config.stack_size);
	for (i = 0; i < srv->nr_queues && !ret; i++)
		ret = start_one(&srv->queues[i], &attr);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret < 0)
		end(srv, ret);
	return ret;
}

static void add_time(struct timespec *at, int64_t nanoseconds)
{
	nanoseconds += at->tv_nsec;
	at->tv_sec += (time_t)(nanoseconds / NSEC_PER_SEC);
	at->tv_nsec = (long)(nanoseconds % NSEC_PER_SEC);
}

/*
 * A signal that arrives before the thread waits has no effect, so it is repeated until the
 * thread has ended. A busy thread finishes its batch first.
 */
static int join(struct queue *queue, const struct timespec *deadline)
{
	struct timespec until;

	for (;;) {
		pthread_kill(queue->thread, KICK);
		clock_gettime(CLOCK_MONOTONIC, &until);
		add_time(&until, KICK_INTERVAL);
		if (join_by(queue->thread, &until))
			break;
		if (deadline && is_past(deadline))
			return -ETIMEDOUT;
	}
	queue->is_running = false;
	return 0;
}

int abuse_server_wait(struct abuse_server *srv, int64_t timeout)
{
	struct timespec deadline;
	unsigned int i;
	int ret = 0;

	if (LOAD(srv->serves) != SERVES_THREADS)
		return reason_set(-EINVAL, "abuse_server_start() was not called");
	if (own_server == srv)
		return server_explain(srv, -EDEADLK);
	while (!LOAD(srv->is_stopped))
		if (sem_wait(&srv->ending) && !LOAD(srv->is_stopped)) {
			reason_clear();
			return -EINTR;
		}
	if (timeout > LONGEST)
		timeout = -1;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	if (timeout > 0)
		add_time(&deadline, timeout);
	for (i = 0; i < srv->nr_queues && !ret; i++)
		if (srv->queues[i].is_running)
			ret = join(&srv->queues[i], timeout < 0 ? NULL : &deadline);
	return server_explain(srv, ret ? ret : LOAD(srv->error));
}

int abuse_server_run(struct abuse_server *srv)
{
	int ret = abuse_server_start(srv);

	if (ret < 0)
		return ret;
	do
		ret = abuse_server_wait(srv, -1);
	while (ret == -EINTR);
	return ret;
}
