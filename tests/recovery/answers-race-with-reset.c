/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * RESET and set-up, over and over, while servers of both kinds fetch and answer:
 * every I/O ends, with its bytes or with an error, nothing hangs and no byte is wrong.
 */
/* timeout: 120 */
#include "race.h"

int main(void)
{
	struct abuse_params p = params_of(RACE_SIZE);
	unsigned long n = 0, good;
	struct race *r;
	int fd, bad = 0;
	double begin;

	test_begin();
	r = race_new(device_new_depth(2, 32), true);
	set_up_as(&r->d, &p);
	fd = server_open(&r->d);
	race_job(r, race_server_main, r);
	race_job(r, race_server_main, r);
	race_job(r, race_quitter_main, r);
	race_job(r, race_bio_main, r);
	race_writers(r);
	for (begin = now(); race_goes_on(r, begin, n); n++) {
		p.queue_limit = n % 3 ? 64 : 3;
		bad += reset(fd) != 0;
		bad += set_params(fd, &p) != 0;
		/* Sometimes at once, sometimes when I/O is well under way. */
		good = r->good;
		if (n % 4 == 0)
			need(wait_for(r->good > good), "I/O to succeed after a RESET");
	}
	is(bad, 0, "RESETs and set-ups that failed");
	race_end(r, "RESET and set up", n);
	close(fd);
	return done();
}
