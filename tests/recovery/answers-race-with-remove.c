/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Devices are added, served, reset and removed, by two callers at once, while servers
 * and writers are at work on them: REMOVE is EBUSY as long as the disk is open and
 * ENODEV for who comes second, every I/O ends, descriptors that stay open get ENODEV.
 * Half of the devices have a time-out, whose timer runs when they go and would fire soon after.
 */
/* timeout: 120 */
#include "race.h"

static _Atomic unsigned long removed, busy, late, other;

static int remover(void *arg)
{
	const struct device *d = arg;
	int fd = open(d->node, O_RDWR | O_CLOEXEC), ret;

	for (;;) {
		if (fd >= 0)
			reset(fd);
		ret = device_remove_once(d->number);
		if (ret != -EBUSY)
			break;
		busy++;
	}
	if (!ret)
		removed++;
	else if (ret == -ENODEV)
		late++;
	else
		other++;
	if (fd >= 0) {
		struct abuse_params p;

		if (get_params(fd, &p) != -ENODEV)
			other++;
		close(fd);
	}
	return 0;
}

int main(void)
{
	unsigned long n = 0, good = 0, failed = 0;
	double begin;
	int wrong = 0;

	test_begin();
	for (begin = now(); now() - begin < race_seconds() || n < 10; n++) {
		struct race *r = race_new(device_new_depth(1, 16), true);
		struct abuse_params p = params_of(RACE_SIZE);
		struct job job[2];

		if (n & 2)
			p.timeout = n & 4 ? 20 * MSEC : SEC;
		set_up_as(&r->d, &p);
		race_job(r, race_server_main, r);
		race_job(r, race_bio_main, r);
		race_writers(r);
		if (n % 2)
			need(wait_for(r->good > 4), "I/O");
		job_start(&job[0], remover, &r->d);
		job_start(&job[1], remover, &r->d);
		/* Writers open it again and again; in the end they must not. */
		nap_ms(n % 7);
		r->stop = true;
		job_wait(&job[0], "REMOVE");
		job_wait(&job[1], "REMOVE");
		for (unsigned int i = 0; i < r->nr_jobs; i++)
			job_wait(&r->job[i], "a thread of the race");
		wrong += r->wrong;
		good += r->good;
		failed += r->failed;
		munmap(r->store, RACE_SIZE);
		munmap(r, sizeof(*r));
	}
	printf("# %lu devices; %lu I/Os succeeded, %lu failed; EBUSY %lu times\n", n, good,
	       failed, busy);
	is(wrong, 0, "wrong bytes and unexpected errors");
	is(other, 0, "unexpected answers of REMOVE or a removed device");
	is(removed, n, "devices removed");
	is(late, n, "callers that came second");
	ok(n >= 10 && good, "often enough");
	return done();
}
