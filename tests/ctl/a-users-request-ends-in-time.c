/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a user's device a request that no server completes, queued or held, ends with EIO
 * after user_timeout, which the user cannot raise (EPERM) but may lower, and root may
 * raise; 0 stays the default; a device of the group's waits on.
 */
#include "abuse.h"

#define USER		4242

static struct device *d;
static unsigned int user_timeout;	/* seconds */

static int user(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };
	struct abuse_params p = params_of(1 * MIB);
	int fd, ret;

	(void)arg;
	ret = device_add(&a);
	if (ret)
		return 1;
	*d = device_of(a.number);
	if (!wait_for((fd = open(d->node, O_RDWR)) >= 0))
		return 2;
	p.timeout = -1;
	if (set_params(fd, &p) != -EPERM)
		return 3;
	p.timeout = user_timeout * SEC + 1;
	if (set_params(fd, &p) != -EPERM)
		return 4;
	p.timeout = 0;
	if (set_params(fd, &p))
		return 5;
	if (get_params(fd, &p) || p.timeout)
		return 6;
	/* Live. */
	p = params_of(0);
	p.timeout = -1;
	if (set_params(fd, &p) != -EPERM)
		return 7;
	p.timeout = user_timeout * SEC + 1;
	if (set_params(fd, &p) != -EPERM)
		return 8;
	p.timeout = 1 * SEC;
	if (set_params(fd, &p))
		return 9;
	p.timeout = user_timeout * SEC;
	if (set_params(fd, &p))
		return 10;
	return 0;
}

static int user_by_2009(void *arg)
{
	struct abuse_info info;
	struct abuse_params p;
	int fd = open(d->node, O_RDWR);

	(void)arg;
	if (fd < 0 || reset(fd))
		return 1;
	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 8;
	if (set_status(fd, &info))
		return 2;
	return get_params(fd, &p) || p.timeout ? 3 : 0;
}

int main(void)
{
	struct device group;
	struct abuse_request q;
	struct abuse_params p;
	struct io *queued, *held, *groups;
	double start, again;
	int fd;

	test_begin();
	d = memory_new(sizeof(*d));
	user_timeout = stretched(2);
	need(!module_reload("user_timeout=%u unserved_timeout=0", user_timeout), "modprobe abuse");
	node_for_all("/dev/abuse-control");
	is(run_as(USER, user, NULL), 0, "a user sets a device up, and cannot wait for longer");

	device_admit(d);
	group = device_new();
	set_up(&group, 1 * MIB, 0);
	fd = server_open(&group);
	need(!get_params(fd, &p), "GET_PARAMS");
	is(p.timeout, 0, "default time-out of the group's");
	close(fd);

	fd = server_open(d);
	groups = io_read(&group, 0, 4096);
	start = now();
	held = io_read(d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	queued = io_write(d, 65536, 4096, 1);
	is(io_wait(held), EIO, "the held one");
	ok(now() - start >= user_timeout, "not before its time (%.2f s)", now() - start);
	is(io_wait(queued), EIO, "the queued one");
	is(reply(fd, q.id, EIO, NULL), ESTALE, "a late answer");
	ok(attribute_number(d, "errors") >= 2, "errors");
	is(attribute_number(d, "held"), 0, "held");
	io_free(held);
	io_free(queued);

	is(run_as(USER, user_by_2009, NULL), 0, "set up through SET_STATUS it is the same");
	device_admit(d);
	close(fd);
	fd = server_open(d);
	again = now();
	is(io_end(io_read(d, 0, 4096)), EIO, "an unanswered read");
	ok(now() - again >= user_timeout, "in its time (%.2f s)", now() - again);

	/* Root may give a user more time, and that is kept by who says nothing. */
	p = params_of(0);
	p.timeout = 3600 * SEC;
	is(set_params(fd, &p), 0, "root raises it");
	p = params_of(0);
	is(set_params(fd, &p), 0, "a live change that says nothing of it");
	need(!get_params(fd, &p), "GET_PARAMS");
	is(p.timeout, 3600 * SEC, "time-out");

	ok(now() - start > 2 * user_timeout && !groups->done,
	   "the group's waits after %.1f s", now() - start);
	close(fd);
	fd = server_open(&group);
	q = fetch_one(fd, NULL, 0);
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_ZERO, NULL), 0, "and can be answered");
	is(io_end(groups), 0, "its read");
	return done();
}
