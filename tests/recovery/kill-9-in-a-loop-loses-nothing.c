/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Server processes are killed over and over, wherever they are, each time another takes
 * over: no I/O fails, each write that was acknowledged is read back.
 */
/* timeout: 120 */
#include "race.h"

#define SERVERS	2

static struct race *r;

static int serve(void *arg)
{
	(void)arg;
	close_all_above_2();
	return race_server_main(r);
}

int main(void)
{
	unsigned long n = 0, answered;
	pid_t pid[SERVERS];
	double begin;
	int bad = 0;

	test_begin();
	r = race_new(device_new_depth(2, 32), false);
	set_up(&r->d, RACE_SIZE, 0);
	for (int i = 0; i < SERVERS; i++)
		pid[i] = child_start(serve, NULL);
	race_writers(r);
	for (begin = now(); race_goes_on(r, begin, n); n++) {
		answered = r->answered;
		if (n % 3)
			need(wait_for(r->answered > answered + n % 11), "servers to go on");
		kill(pid[n % SERVERS], SIGKILL);
		bad += child_wait(pid[n % SERVERS]) != 256 + SIGKILL;
		pid[n % SERVERS] = child_start(serve, NULL);
	}
	is(bad, 0, "servers that could not be killed");
	race_end(r, "killed a server", n);
	for (int i = 0; i < SERVERS; i++)
		is(child_wait(pid[i]), 0, "a server ends");
	is(attribute_number(&r->d, "errors"), 0, "errors");
	ok(attribute_number(&r->d, "returned") > 0, "requests came back from the dead (%lld)",
	   attribute_number(&r->d, "returned"));
	return done();
}
