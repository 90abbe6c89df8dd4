/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * For unit tests of libabuse: requests that callbacks leave to another thread, memory
 * for a store of FAKE_MAX blocks, and a server from open to free.
 */
#ifndef ABUSE_LATER_H
#define ABUSE_LATER_H

#include "fake.h"

static struct {
	pthread_mutex_t lock;
	struct abuse_req *first;
	void (*answer)(struct abuse_req *req);
	bool is_over;
} later = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* For a callback that returns ABUSE_ASYNC. */
static int later_leave(struct abuse_req *req)
{
	pthread_mutex_lock(&later.lock);
	req->priv[0] = later.first;
	later.first = req;
	pthread_mutex_unlock(&later.lock);
	return ABUSE_ASYNC;
}

static void *later_main(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&later.is_over, __ATOMIC_SEQ_CST)) {
		struct abuse_req *req, *next;

		pthread_mutex_lock(&later.lock);
		req = later.first;
		later.first = NULL;
		pthread_mutex_unlock(&later.lock);
		for (; req; req = next) {
			next = req->priv[0];
			later.answer(req);
			abuse_req_done(req, 0);
		}
		poll(NULL, 0, 1);
	}
	return NULL;
}

/*
 * Serves all requests of the fake; those that were left are shown to @answer, and done.
 * The caller frees the server when it has looked at the fake.
 */
static struct abuse_server *later_serve(struct abuse_config *config,
					void (*answer)(struct abuse_req *req))
{
	struct abuse_server *srv;
	pthread_t thread;

	later.answer = answer;
	later.is_over = false;
	config->fd = fake.node;
	must(!abuse_server_open(&srv, config), "a server of depth %u, flags %x",
	     config->depth, config->flags);
	must(!pthread_create(&thread, NULL, later_main, NULL), "another thread");
	must(!abuse_server_start(srv), "it starts");
	ok(fake_await(&fake.answered, fake.nr), "all is answered");
	abuse_server_stop(srv);
	is(abuse_server_wait(srv, -1), 0, "it ends");
	__atomic_store_n(&later.is_over, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	return srv;
}

static char *store_new(int protection)
{
	char *at = mmap(NULL, FAKE_MAX * 4096, protection,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED, "memory");
	return at;
}

#endif
