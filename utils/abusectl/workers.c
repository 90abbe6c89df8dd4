// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads of "abusectl server". Each runs the library's loop with buffers of
 * its own; the main thread waits for signals, prints counters, and ends them.
 *
 * All share one descriptor: what this server holds then returns to the queue at
 * once whichever way it dies, and a device removed and added again between two
 * opens cannot give two workers two devices.
 */
#include "backend.h"
#include "cmd.h"
#include "notify.h"
#include "parse.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define WAKE		SIGUSR2		/* worker to main, and main to workers */
#define STACK_SIZE	(256 * 1024)	/* locked memory: keep it small */

struct worker {
	struct abuse_worker base;
	const struct serving *serving;
	struct team *team;
	pthread_t thread;
	bool is_started;
	int ret;
};

struct team {
	pthread_t main_thread;
	bool stop;
	unsigned int holds;		/* abuse_serve_prepare() */
	unsigned int nr;
	struct worker workers[];
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	const struct serving *serving = worker->serving;
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	worker->ret = abuse_worker_run(&worker->base, &serving->backend->ops,
				       serving->store, &worker->team->stop);

	/* One that ends unasked ends all. */
	__atomic_store_n(&worker->team->stop, true, __ATOMIC_RELEASE);
	pthread_kill(worker->team->main_thread, WAKE);
	return NULL;
}

static uint64_t total(const struct team *team, size_t offset)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < team->nr; i++)
		sum += __atomic_load_n((const uint64_t *)(const void *)
				       ((const char *)&team->workers[i].base.counts +
					offset), __ATOMIC_RELAXED);
	return sum;
}

#define TOTAL(team, field) \
	((unsigned long long)total(team, offsetof(struct abuse_counts, field)))

static void print_counts(const struct serving *serving, const struct team *team)
{
	note(device_name(serving->number),
	     "%llu reads (%llu bytes), %llu writes (%llu bytes), %llu flushes, "
	     "%llu discards, %llu write-zeroes, %llu errors, %llu stale, %llu calls; "
	     "I/O flusher: %s, memory locked: %s",
	     TOTAL(team, ops[ABUSE_OP_READ]), TOTAL(team, read_bytes),
	     TOTAL(team, ops[ABUSE_OP_WRITE]), TOTAL(team, written_bytes),
	     TOTAL(team, ops[ABUSE_OP_FLUSH]), TOTAL(team, ops[ABUSE_OP_DISCARD]),
	     TOTAL(team, ops[ABUSE_OP_WRITE_ZEROES]), TOTAL(team, errors),
	     TOTAL(team, stale), TOTAL(team, calls),
	     team->holds & ABUSE_IS_FLUSHER ? "yes" : "no",
	     team->holds & ABUSE_IS_LOCKED ? "yes" : "no");
}

static void wake_up(int sig)
{
	(void)sig;		/* its only use is to interrupt a wait */
}

/* A new stack counts as locked memory, too: rather none locked than no thread. */
static int start_one(struct team *team, struct worker *worker,
		     const pthread_attr_t *attr)
{
	int ret = pthread_create(&worker->thread, attr, work, worker);

	if (ret == EAGAIN && team->holds & ABUSE_IS_LOCKED) {
		munlockall();
		team->holds &= ~ABUSE_IS_LOCKED;
		ret = pthread_create(&worker->thread, attr, work, worker);
	}
	worker->is_started = !ret;
	return ret;
}

static int start(struct team *team)
{
	struct sigaction action = { .sa_handler = wake_up };
	pthread_attr_t attr;
	unsigned int i;
	int ret = 0;

	sigaction(WAKE, &action, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (i = 0; i < team->nr && !ret; i++)
		ret = start_one(team, &team->workers[i], &attr);
	pthread_attr_destroy(&attr);
	return ret ? failed("workers", "cannot be started: %s", strerror(ret)) :
		     EXIT_OK;
}

/*
 * A signal that comes before a worker has begun to wait is lost on it, so it is
 * sent until the thread has ended; one that is busy finishes its batch first.
 */
static void stop(struct team *team)
{
	unsigned int i;

	__atomic_store_n(&team->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < team->nr; i++) {
		struct worker *worker = &team->workers[i];
		struct timespec until;

		if (!worker->is_started)
			continue;
		do {
			pthread_kill(worker->thread, WAKE);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 20000000;
			until.tv_sec += until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
		} while (pthread_timedjoin_np(worker->thread, NULL, &until));
	}
}

/* Until told to end, or a worker ended by itself. */
static void attend(const struct serving *serving, const struct team *team,
		   const sigset_t *signals)
{
	int sig;

	while (!__atomic_load_n(&team->stop, __ATOMIC_ACQUIRE)) {
		sig = sigwaitinfo(signals, NULL);
		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGUSR1)
			print_counts(serving, team);
	}
}

/* What the first worker that failed has to say. */
static int verdict(const struct serving *serving, const struct team *team,
		   bool *is_gone)
{
	const char *name = device_name(serving->number);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < team->nr && !ret; i++)
		ret = team->workers[i].ret;
	*is_gone = ret == -ENXIO || ret == -ENODEV;
	switch (-ret) {
	case 0:
		return EXIT_OK;
	case ENXIO:
		return failed(name, "the device was reset; nothing is left to serve");
	case ENODEV:
		return failed(name, "the device was removed; nothing is left to serve");
	}
	return device_failed(serving->number, "serve", -ret);
}

static int prepare(const struct serving *serving, struct team *team)
{
	unsigned int i;
	int ret;

	team->main_thread = pthread_self();
	for (i = 0; i < serving->nr_workers; i++) {
		struct worker *worker = &team->workers[i];

		worker->serving = serving;
		worker->team = team;
		ret = abuse_worker_alloc(&worker->base, serving->fd, serving->batch,
					 serving->backend->wants_payload);
		if (ret < 0)
			return device_failed(serving->number, "prepare to serve", -ret);
		team->nr++;
	}
	team->holds = abuse_serve_prepare();
	return EXIT_OK;
}

/* The first worker is about to wait: who hears of it finds the disk served. */
static void await_ready(const struct serving *serving, const struct team *team)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };
	struct abuse_dev dev;

	while (!__atomic_load_n(&team->stop, __ATOMIC_ACQUIRE) &&
	       !abuse_dev_stat(serving->number, &dev) && !dev.ready)
		nanosleep(&nap, NULL);
}

static void announce(const struct serving *serving, const struct team *team)
{
	char size[SIZE_TEXT], text[512];

	await_ready(serving, team);
	snprintf(text, sizeof(text), "serving /dev/abuse%u (%s, %s) with %u worker%s",
		 serving->number, format_size(serving->size, size), serving->spec,
		 serving->nr_workers, serving->nr_workers == 1 ? "" : "s");
	printf("abusectl: %s\n", text);
	fflush(stdout);
	notify_ready(text);
	if (serving->verbose)
		print_counts(serving, team);
}

int workers_run(const struct serving *serving, bool *is_gone)
{
	struct team *team;
	sigset_t signals;
	unsigned int i;
	int status;

	team = calloc(1, sizeof(*team) + serving->nr_workers * sizeof(*team->workers));
	if (!team)
		return failed("workers", "out of memory");
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, WAKE);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);	/* nobody may be reading the counters */

	status = prepare(serving, team);
	if (!status) {
		status = start(team);
		if (!status) {
			announce(serving, team);
			attend(serving, team, &signals);
			notify_stopping();
		}
		stop(team);
		if (!status)
			status = verdict(serving, team, is_gone);
	}
	for (i = 0; i < team->nr; i++)
		abuse_worker_free(&team->workers[i].base);
	free(team);
	return status;
}
