// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * One connection to an NBD server: a thread that connects, serves what it is given, and,
 * when the connection breaks, hands on what was not answered and connects again.
 */
#include "nbd.h"
#include "cmd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FIRST_DELAY	100
#define LAST_DELAY	5000
#define STACK_SIZE	(512 * 1024)	/* names are looked up on it */

static void list_move(struct nbd_list *to, struct nbd_list *from)
{
	struct abuse_req *req;

	while ((req = nbd_list_pop(from)))
		nbd_list_add(to, req);
}

/* With the lock. Do not repeat a message, and do not report a restart that is quick. */
static bool is_news(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;

	if (store->is_over || store->nr_open ||
	    (store->is_gone &&
	     (conn->delay < LAST_DELAY || !strcmp(store->told, conn->why))))
		return false;
	store->is_gone = true;
	snprintf(store->told, sizeof(store->told), "%s", conn->why);
	return true;
}

/* A server of our own that has ended comes back with another of ours. */
static bool is_lost(struct nbd_store *store)
{
	bool is_first;

	if (!store->child || nbd_is_over(store) || !nbd_child_is_over(store->child))
		return false;
	pthread_mutex_lock(&store->lock);
	is_first = !store->is_lost;
	store->is_lost = true;
	pthread_mutex_unlock(&store->lock);
	if (is_first)
		kill(getpid(), SIGTERM);
	return true;
}

static void tell_gone(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	bool news;

	if (is_lost(store))
		return;
	pthread_mutex_lock(&store->lock);
	news = is_news(conn);
	pthread_mutex_unlock(&store->lock);
	if (news)
		note(store->name, "the NBD server is gone (%s); I/O waits until it is "
		     "back", conn->why);
}

static void enter(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	uint64_t dirt = 0;
	bool was_gone;

	pthread_mutex_lock(&store->lock);
	was_gone = store->is_gone;
	if (was_gone) {
		dirt = store->dirt - store->clean;
		store->clean = store->dirt;
	}
	store->is_gone = false;
	store->nr_open++;
	conn->is_open = true;
	list_move(&conn->inbox, &store->waiting);
	if (!conn->index)
		store->may_fan_out = conn->export.can_multi_conn;
	pthread_mutex_unlock(&store->lock);
	if (!conn->index)
		nbd_ring_all(store);
	if (was_gone && dirt)
		note(store->name, "the NBD server is back; if it did not keep its cache, "
		     "up to %llu writes that were not flushed are lost (to prevent that, "
		     "configure the device with write_cache=0)", (unsigned long long)dirt);
	else if (was_gone)
		note(store->name, "the NBD server is back");
}

/* Requests without a reply go to another connection, or wait for one. */
static void leave(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	struct nbd_list inbox;
	struct abuse_req *req;
	unsigned int i;

	nbd_conn_close(conn);
	conn->nr_written = 0;
	pthread_mutex_lock(&store->lock);
	conn->is_open = false;
	store->nr_open--;
	if (!conn->index)
		store->may_fan_out = false;
	for (i = 0; i < NBD_MAX_COMMANDS; i++)
		if (conn->commands[i].phase != NBD_FREE) {
			nbd_give(store, conn->commands[i].req);
			nbd_release(&conn->commands[i]);
		}
	inbox = conn->inbox;
	conn->inbox.first = NULL;
	while ((req = nbd_list_pop(&inbox)))
		nbd_give(store, req);
	pthread_mutex_unlock(&store->lock);
}

/* ---- the thread ---- */

/* False: it is over. */
static bool attend(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	bool over, idle;

	pthread_mutex_lock(&store->lock);
	over = store->is_over;
	idle = !conn->inbox.first || !conn->nr_free || conn->last_call;
	conn->is_asleep = idle;
	pthread_mutex_unlock(&store->lock);
	if (over)
		return false;
	nbd_conn_step(conn, conn->last_call ? NBD_LAST_CALL : idle ? -1 : 0);
	pthread_mutex_lock(&store->lock);
	conn->is_asleep = false;
	pthread_mutex_unlock(&store->lock);
	return true;
}

static void serve(struct nbd_conn *conn)
{
	do {
		nbd_issue_inbox(conn);
		nbd_flush_written(conn);
		if (conn->last_call && nbd_is_alive(conn->handle) && !nbd_is_last_call(conn)) {
			snprintf(conn->why, sizeof(conn->why), "it is shutting down");
			return;
		}
	} while (nbd_is_alive(conn->handle) && attend(conn));
}

static void pause_for(const struct nbd_conn *conn, int timeout)
{
	struct pollfd fd = { .fd = conn->bell, .events = POLLIN };

	if (poll(&fd, 1, timeout) > 0)
		nbd_silence(conn);
}

/*
 * Requests that have waited for a connection may be of a set-up that is over, which the
 * library is about to find out. This export may be another's disk by now. Without any
 * that wait nobody is asked: to be polled means to be served.
 */
static bool is_orphaned(struct nbd_store *store)
{
	struct pollfd node = { .fd = store->fd };
	bool waits, is_gone;

	pthread_mutex_lock(&store->lock);
	waits = store->waiting.first;
	pthread_mutex_unlock(&store->lock);
	is_gone = waits && poll(&node, 1, 0) > 0 && node.revents & (POLLERR | POLLHUP);
	if (!is_gone)
		return false;
	pthread_mutex_lock(&store->lock);
	store->is_over = true;
	pthread_mutex_unlock(&store->lock);
	return true;
}

/* Connected, and the device is as the export says? */
static bool come_back(struct nbd_conn *conn)
{
	uint64_t size;
	int ret;

	if (!nbd_conn_open(conn))
		return false;
	if (is_orphaned(conn->store)) {
		nbd_conn_close(conn);
		return false;
	}
	size = conn->export.size;
	if (conn->index && !conn->export.can_multi_conn) {
		snprintf(conn->why, sizeof(conn->why), "it takes one connection");
		nbd_conn_close(conn);
		return false;
	}
	ret = nbd_follow_size(conn->store, size);
	if (ret < 0) {
		snprintf(conn->why, sizeof(conn->why), "its export of %llu bytes cannot be "
			 "this device: %s", (unsigned long long)size, strerror(-ret));
		nbd_conn_close(conn);
		return false;
	}
	return true;
}

static bool may_connect(const struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	bool may;

	pthread_mutex_lock(&store->lock);
	may = !conn->index || store->may_fan_out;
	pthread_mutex_unlock(&store->lock);
	return may;
}

static void slow_down(struct nbd_conn *conn)
{
	if (conn->has_answered || !conn->delay)
		conn->delay = FIRST_DELAY;
	else
		conn->delay = conn->delay < LAST_DELAY / 2 ? 2 * conn->delay : LAST_DELAY;
	conn->has_answered = false;
}

static void *thread_main(void *arg)
{
	struct nbd_conn *conn = arg;
	struct nbd_store *store = conn->store;

	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	while (!nbd_is_over(store)) {
		if (!may_connect(conn)) {
			pause_for(conn, -1);
			continue;
		}
		if (conn->handle || come_back(conn)) {
			enter(conn);
			serve(conn);
			leave(conn);
		}
		tell_gone(conn);
		slow_down(conn);
		pause_for(conn, (int)conn->delay);
	}
	nbd_conn_close(conn);
	return NULL;
}

int nbd_conn_start(struct nbd_conn *conn)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	ret = pthread_create(&conn->thread, &attr, thread_main, conn);
	pthread_attr_destroy(&attr);
	conn->is_started = !ret;
	return -ret;
}

void nbd_conn_init(struct nbd_conn *conn, struct nbd_store *store, unsigned int index)
{
	*conn = (struct nbd_conn) {
		.store = store,
		.index = index,
		.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	};
	for (conn->nr_free = 0; conn->nr_free < NBD_MAX_COMMANDS; conn->nr_free++) {
		conn->commands[conn->nr_free].conn = conn;
		conn->free[conn->nr_free] = &conn->commands[conn->nr_free];
	}
}
