// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * "abusectl server" from an open store to its end: the library's threads serve, one
 * more attends to signals, and the main thread says that it serves, waits, and
 * finds words for how it ended.
 */
#include "backends/backend.h"
#include "background.h"
#include "cmd.h"
#include "leave.h"
#include "notify.h"
#include "parse.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OVER		SIGUSR2		/* to the attendant */
#define STACK_SIZE	(128 * 1024)	/* locked memory: keep it small */
#define STEP		100000000	/* nanoseconds to wait for answers, then look */
#define MAX_STEPS	100
#define READY_SECONDS	10		/* a server that cannot be ready has ended by then */

struct team {
	const struct serving *serving;
	struct abuse_server *srv;
	sem_t opened;			/* srv is there, or will not be */
	bool is_stopping;
	bool is_over;
	sigset_t signals;
	pthread_t attendant;
};

static void print_counts(const struct team *team)
{
	unsigned int holds = abuse_server_holds(team->srv);
	struct abuse_counts counts;

	abuse_server_counts(team->srv, &counts);
#define COUNT(field)	((unsigned long long)counts.field)
	note(device_name(team->serving->number),
	     "%llu reads (%llu bytes), %llu writes (%llu bytes), %llu flushes, "
	     "%llu discards, %llu write-zeroes, %llu redirected, %llu errors, "
	     "%llu stale, %llu calls; "
	     "I/O flusher: %s, memory locked: %s",
	     COUNT(ops[ABUSE_OP_READ]), COUNT(read_bytes),
	     COUNT(ops[ABUSE_OP_WRITE]), COUNT(written_bytes),
	     COUNT(ops[ABUSE_OP_FLUSH]), COUNT(ops[ABUSE_OP_DISCARD]),
	     COUNT(ops[ABUSE_OP_WRITE_ZEROES]), COUNT(redirected), COUNT(errors),
	     COUNT(stale), COUNT(calls),
	     holds & ABUSE_IS_FLUSHER ? "yes" : "no",
	     holds & ABUSE_IS_LOCKED ? "yes" :
	     holds & ABUSE_IS_OWN_LOCKED ? "of the library alone" : "no");
#undef COUNT
}

/*
 * The next signal, or < 0 after @interval, when this process tells its watchdog that it runs and looks
 * whether it may leave.
 */
static int next_signal(const sigset_t *signals, int64_t interval)
{
	const struct timespec step = {
		.tv_sec = interval / 1000000000, .tv_nsec = interval % 1000000000,
	};

	return interval ? sigtimedwait(signals, NULL, &step) : sigwaitinfo(signals, NULL);
}

static void *attend(void *arg)
{
	const int64_t interval = notify_interval();
	struct team *team = arg;
	const struct serving *serving = team->serving;
	bool is_leaving = false;	/* once the disk is in use no more */
	int sig;

	while (sem_wait(&team->opened))
		;
	for (;;) {
		if (interval)
			notify_alive();
		sig = next_signal(&team->signals, is_leaving ? LEAVE_LOOK : interval);
		/* Anyone may send it. */
		if (sig == OVER && __atomic_load_n(&team->is_over, __ATOMIC_ACQUIRE))
			break;
		if ((sig < 0 && !is_leaving) || sig == OVER || !team->srv)
			continue;
		if (sig == SIGUSR1) {
			print_counts(team);
			continue;
		}
		if ((sig == SIGTERM || sig == SIGHUP) && !is_leaving)
			is_leaving = leave_is_bound(serving);
		if (sig != SIGINT && is_leaving && leave_must_wait(serving))
			continue;
		is_leaving = false;
		__atomic_store_n(&team->is_stopping, true, __ATOMIC_RELEASE);
		notify_stopping();
		abuse_server_stop(team->srv);
		inject_hasten();
	}
	return NULL;
}

/* Before memory is locked: its stack would count. */
static int start_attendant(struct team *team)
{
	pthread_attr_t attr;
	int ret;

	sem_init(&team->opened, 0, 0);
	sigemptyset(&team->signals);
	leave_add_signals(&team->signals);
	sigaddset(&team->signals, SIGUSR1);
	sigaddset(&team->signals, OVER);
	pthread_sigmask(SIG_BLOCK, &team->signals, NULL);
	signal(SIGPIPE, SIG_IGN);	/* the reader of the counters may have ended */

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	ret = pthread_create(&team->attendant, &attr, attend, team);
	pthread_attr_destroy(&attr);
	return ret ? failed("workers", "cannot be started: %s", strerror(ret)) : EXIT_OK;
}

static void dismiss_attendant(struct team *team)
{
	__atomic_store_n(&team->is_over, true, __ATOMIC_RELEASE);
	pthread_kill(team->attendant, OVER);
	pthread_join(team->attendant, NULL);
	sem_destroy(&team->opened);
}

/* A worker is about to wait: from now on the disk is served. */
static void await_ready(const struct team *team)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };
	struct abuse_dev dev;
	unsigned int i;

	for (i = 0; i < READY_SECONDS * 1000; i++) {
		if (__atomic_load_n(&team->is_stopping, __ATOMIC_ACQUIRE) ||
		    abuse_dev_stat(team->serving->number, &dev) || dev.ready ||
		    strcmp(dev.state, "up"))
			return;
		nanosleep(&nap, NULL);
	}
}

static void announce(const struct team *team)
{
	const struct serving *serving = team->serving;
	char size[SIZE_TEXT], text[512];

	await_ready(team);
	snprintf(text, sizeof(text), "serving /dev/abuse%u (%s, %s) with %u worker%s",
		 serving->number, format_size(serving->size, size), serving->spec,
		 serving->nr_workers, serving->nr_workers == 1 ? "" : "s");
	if (!is_quiet() && !serving->is_silent)
		printf("abusectl: %s\n", text);
	fflush(stdout);
	notify_ready(text);
	if (serving->verbose)
		print_counts(team);
	serving->greet(serving, serving->greet_arg);
	background_ready(serving->number);
}

/* The exit status and message for @err, which ended the server. */
static int verdict(const struct serving *serving, int err, bool *is_gone)
{
	const char *name = device_name(serving->number);

	*is_gone = err == -ENXIO || err == -ENODEV;
	switch (-err) {
	case 0:
		return EXIT_OK;
	case ENXIO:
		return failed(name, "the device was reset; nothing is left to serve");
	case ENODEV:
		return failed(name, "the device was removed; nothing is left to serve");
	}
	return device_failed(serving->number, "serve", -err);
}

/* Threads of their own, if there are any, before memory is locked: see above. */
static int start_helpers(const struct serving *serving, struct abuse_ops *ops)
{
	int ret;

	ret = inject_start(&serving->inject, serving->backend,
			   2 * serving->nr_workers * serving->batch, ops);
	if (ret || !serving->backend->start)
		return ret;
	ret = serving->backend->start(serving->store);
	return ret < 0 ? failed(serving->spec, "no thread can be started: %s",
				strerror(-ret)) : EXIT_OK;
}

static void end_helpers(const struct serving *serving)
{
	inject_quit();
	if (serving->backend->quit)
		serving->backend->quit(serving->store);
}

static int open_server(struct team *team, const struct abuse_ops *ops)
{
	const struct serving *serving = team->serving;
	int ret = serving_open(serving, ops, serving->nr_workers, 0, &team->srv);

	sem_post(&team->opened);
	return ret < 0 ? device_failed(serving->number, "prepare to serve", -ret) :
			 EXIT_OK;
}

/* Requests that cannot be completed now are left to the next server; delays are not waited for. */
static int await_end(const struct team *team)
{
	const struct serving *serving = team->serving;
	const struct backend *backend = serving->backend;
	unsigned int steps = 0;
	int ret;

	while ((ret = abuse_server_wait(team->srv, STEP)) == -ETIMEDOUT) {
		inject_hasten();
		if (!backend->is_stuck ||
		    (!backend->is_stuck(serving->store) && ++steps < MAX_STEPS))
			continue;
		note(device_name(serving->number), "requests that are not completed wait for the "
		     "next server");
		/* Unasked, it ended by an error that is told only when all threads have. */
		return __atomic_load_n(&team->is_stopping, __ATOMIC_ACQUIRE) ? 0 : -EIO;
	}
	return ret;
}

static int write_pid(const char *path)
{
	FILE *file = fopen(path, "we");
	bool is_written;

	if (!file)
		return failed(path, "cannot be written: %s", strerror(errno));
	is_written = fprintf(file, "%d\n", (int)getpid()) > 0;
	is_written &= !fclose(file);
	return is_written ? EXIT_OK : failed(path, "cannot be written: %s", strerror(errno));
}

static int serve(struct team *team, bool *has_served, bool *is_gone)
{
	const struct serving *serving = team->serving;
	const struct backend *backend = serving->backend;
	const char *pid_file = serving->pid_file;
	int ret = pid_file ? write_pid(pid_file) : EXIT_OK;

	if (ret)
		return ret;
	ret = abuse_server_start(team->srv);
	if (ret < 0)
		return failed("workers", "cannot be started: %s", strerror(-ret));
	*has_served = true;
	announce(team);
	ret = verdict(serving, await_end(team), is_gone);
	return !ret && backend->is_lost && backend->is_lost(serving->store) ? EXIT_FAILED : ret;
}

int workers_run(const struct serving *serving, bool *has_served, bool *is_gone)
{
	struct team team = { .serving = serving };
	struct abuse_ops ops;
	int status;

	status = start_attendant(&team);
	if (status)
		return status;
	status = start_helpers(serving, &ops);
	if (status)
		sem_post(&team.opened);
	else
		status = open_server(&team, &ops);
	if (!status)
		status = serve(&team, has_served, is_gone);
	if (*has_served && serving->pid_file)
		unlink(serving->pid_file);
	end_helpers(serving);
	dismiss_attendant(&team);
	abuse_server_free(team.srv);
	return status;
}
