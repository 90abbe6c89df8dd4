/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The time-out of a user's device cannot be got around with a file that its user can
 * hold up, which is any: EPERM, unless root registers it. On root's device, which may
 * wait for ever, anybody who serves may.
 */
#include "redirect.h"

#define OWNER	4242

static struct device *d;

static int registered(void *arg)
{
	int ctl = server_open(d), fd = file_new("/dev/shm", 4096, 1, O_RDWR), index;

	(void)arg;
	index = file_register(ctl, fd);
	close(fd);
	close(ctl);
	return index < 0 ? -index : 0;
}

static int add(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };

	(void)arg;
	if (device_add(&a))
		return 255;
	*d = device_of(a.number);
	return !wait_for(!access(d->node, R_OK | W_OK));
}

int main(void)
{
	test_begin();
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	is(run_as(OWNER, add, NULL), 0, "an ordinary user adds a device");
	is(run_as(OWNER, registered, NULL), EPERM, "a file of the user's");
	is(run_as(0, registered, NULL), 0, "one of root's");

	*d = device_new();
	node_for_all(d->node);
	is(run_as(OWNER, registered, NULL), 0, "a user's, on root's device");
	return done();
}
