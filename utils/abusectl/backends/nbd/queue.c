// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Requests on their way to a connection to an NBD server: which one gets them, in whose
 * list they are, and the bells that wake threads. Knows nothing of libnbd.
 */
#include "nbd.h"

#include <time.h>
#include <unistd.h>

int64_t nbd_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}


void nbd_list_add(struct nbd_list *list, struct abuse_req *req)
{
	req->priv[0] = NULL;
	if (list->first)
		list->last->priv[0] = req;
	else
		list->first = req;
	list->last = req;
}

struct abuse_req *nbd_list_pop(struct nbd_list *list)
{
	struct abuse_req *req = list->first;

	if (req)
		list->first = req->priv[0];
	return req;
}

static void ring(const struct nbd_conn *conn)
{
	static const uint64_t one = 1;
	ssize_t ret = write(conn->bell, &one, sizeof(one));

	(void)ret;		/* it fails only if it has been ringing for ever */
}

void nbd_silence(const struct nbd_conn *conn)
{
	uint64_t times;
	ssize_t ret = read(conn->bell, &times, sizeof(times));

	(void)ret;
}

void nbd_ring_all(const struct nbd_store *store)
{
	unsigned int i;

	for (i = 0; i < store->nr_conns; i++)
		ring(&store->conns[i]);
}

/* Locked. In turn, so that all that are open are used; NULL: none is. */
static struct nbd_conn *pick(struct nbd_store *store)
{
	unsigned int i;

	for (i = 0; i < store->nr_conns; i++) {
		struct nbd_conn *conn = &store->conns[store->next++ % store->nr_conns];

		if (conn->is_open)
			return conn;
	}
	return NULL;
}

/* Locked. */
void nbd_give(struct nbd_store *store, struct abuse_req *req)
{
	struct nbd_conn *conn = pick(store);

	nbd_list_add(conn ? &conn->inbox : &store->waiting, req);
	if (conn && conn->is_asleep) {
		conn->is_asleep = false;
		ring(conn);
	}
}

void nbd_submit(struct nbd_store *store, struct abuse_req *req)
{
	pthread_mutex_lock(&store->lock);
	nbd_give(store, req);
	pthread_mutex_unlock(&store->lock);
}

bool nbd_is_over(struct nbd_store *store)
{
	bool over;

	pthread_mutex_lock(&store->lock);
	over = store->is_over;
	pthread_mutex_unlock(&store->lock);
	return over;
}
