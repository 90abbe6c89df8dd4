/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The attribute servers counts the descriptors that asked for requests in this set-up and whose
 * process lives, whether by EXCHANGE or by GET_BIO, and names the pids that the reader's
 * pid namespace knows; a process that only polls, opened, or answered is no server.
 */
#include "patience.h"

static struct device d;

static bool servers_are(const char *want)
{
	return !strcmp(attribute(&d, "servers"), want);
}

/* In a new pid namespace, whose first process is this. */
static int look_inside(void *arg)
{
	struct asker *asker;
	bool good;

	(void)arg;
	asker = asker_start(&d, false, -1);
	/* It is 2 here; those outside are counted and not named. */
	good = servers_are("2 2");
	kill(asker->pid, SIGKILL);
	waitpid(asker->pid, NULL, 0);
	return good && servers_are("1") ? 0 : 1;
}

static int enter(void *arg)
{
	if (unshare(CLONE_NEWPID))
		return 2;
	return child_wait(child_start(look_inside, arg));
}

int main(void)
{
	struct asker *one, *two;
	struct pollfd poller = { .events = POLLIN };
	struct abuse_request q;
	char want[64];
	int fd, parent;

	test_begin();
	d = device_new();
	ok(servers_are("0"), "an empty device: %s", attribute(&d, "servers"));
	set_up(&d, 1 * MIB, 0);
	poller.fd = fd = server_open(&d);
	poll(&poller, 1, 0);
	reply(fd, 1, 0, NULL);
	ok(servers_are("0"), "who opened, polled and answered: %s", attribute(&d, "servers"));
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), 0, "it asks");
	snprintf(want, sizeof(want), "1 %d", (int)getpid());
	ok(servers_are(want), "and is a server: %s", attribute(&d, "servers"));
	close(fd);
	ok(servers_are("0"), "until it closes: %s", attribute(&d, "servers"));

	one = asker_start(&d, false, -1);
	two = asker_start(&d, true, -1);
	snprintf(want, sizeof(want), "2 %d %d", (int)one->pid, (int)two->pid);
	ok(servers_are(want), "two processes: %s", attribute(&d, "servers"));
	asker_kill(one);
	snprintf(want, sizeof(want), "1 %d", (int)two->pid);
	ok(wait_for(servers_are(want)), "one was killed: %s", attribute(&d, "servers"));
	is(child_wait(child_start(enter, NULL)), 0, "seen from another pid namespace");
	asker_kill(two);
	ok(wait_for(servers_are("0")), "none is left: %s", attribute(&d, "servers"));

	/* A descriptor that outlives the process that asked on it. */
	parent = server_open(&d);
	two = asker_start(&d, true, parent);
	snprintf(want, sizeof(want), "1 %d", (int)two->pid);
	ok(servers_are(want), "a child asks: %s", attribute(&d, "servers"));
	asker_kill(two);
	ok(wait_for(servers_are("0")), "and is killed: %s", attribute(&d, "servers"));
	is(fetch(parent, &q, 1, NULL, 0, NO_WAIT), 0, "its parent asks");
	ok(attribute_number(&d, "servers") == 1, "%s", attribute(&d, "servers"));
	is(reset(parent), 0, "RESET");
	ok(servers_are("0"), "%s", attribute(&d, "servers"));
	close(parent);
	set_up(&d, 1 * MIB, 0);
	ok(servers_are("0"), "set up anew: %s", attribute(&d, "servers"));
	return done();
}
