/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Servers that fetch, answer some and close over the rest, beside others that stay:
 * no I/O fails, no byte is wrong, nothing hangs.
 */
/* timeout: 120 */
#include "race.h"

int main(void)
{
	unsigned long n = 0;
	struct race *r;
	double begin;
	int bad = 0;

	test_begin();
	r = race_new(device_new_depth(2, 32), false);
	set_up(&r->d, RACE_SIZE, 0);
	race_job(r, race_quitter_main, r);
	race_job(r, race_quitter_main, r);
	race_job(r, race_server_main, r);
	race_writers(r);
	for (begin = now(); race_goes_on(r, begin, n); n++) {
		struct abuse_request q[4];
		int fd = server_open(&r->d);

		/* And one that fetches and closes right away. */
		bad += fetch(fd, q, 4, NULL, 0, MSEC) < 0;
		close(fd);
	}
	is(bad, 0, "exchanges that failed");
	race_end(r, "closed over what was fetched", n);
	ok(attribute_number(&r->d, "returned") > 0, "requests were returned");
	return done();
}
