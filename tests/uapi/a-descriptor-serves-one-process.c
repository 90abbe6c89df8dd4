/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The first exchange binds a descriptor to its process: from a forked child it is
 * EBUSY then, while the child's own descriptor works; the calls of 2009 do not
 * mind.
 */
/* build: m32 */
#include "abuse.h"

static struct device d;
static int bound, unbound;

static int child(void *arg)
{
	struct abuse_info info;
	struct abuse_request q;
	int own;

	(void)arg;
	if (fetch(bound, &q, 1, NULL, 0, NO_WAIT) != -EBUSY)
		return 1;
	if (reply(bound, 1, 0, NULL) != -EBUSY)
		return 2;
	if (get_status(bound, &info))
		return 3;
	own = open(d.node, O_RDWR);
	if (own < 0 || fetch(own, &q, 1, NULL, 0, NO_WAIT) != 0)
		return 4;
	/* Nobody has used this one yet: it becomes the child's. */
	if (fetch(unbound, &q, 1, NULL, 0, NO_WAIT) != 0)
		return 5;
	return 0;
}

int main(void)
{
	struct abuse_request q;
	struct io *io;
	char *data = memory_new(4096);

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	bound = server_open(&d);
	unbound = server_open(&d);
	io = io_read(&d, 0, 4096);
	q = fetch_one(bound, NULL, 0);
	is(child_wait(child_start(child, NULL)), 0, "exit status of the child");
	is(fetch(unbound, &q, 0, NULL, 0, NO_WAIT), -EBUSY,
	   "what the child bound is not the parent's, dead or alive");
	is(reply(bound, q.id, 0, data), 0, "the parent answers what it held");
	is(io_end(io), 0, "the read");
	return done();
}
