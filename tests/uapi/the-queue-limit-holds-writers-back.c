/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * With a queue limit of 1 (and 3) never more than that are counted or handed
 * out; the other writers wait, none of them fails, and all end in the end.
 */
#include "abuse.h"

#define N 12

static void limited_to(unsigned int limit, bool old)
{
	struct device d = device_new();
	struct abuse_params p = params_of(1 * MIB);
	struct abuse_request q[N];
	struct abuse_info info;
	struct bio bio;
	struct io *io[N];
	char *data = memory_new(1 * MIB);
	int fd, more = 0, ended = 0, errors = 0, served = 0;

	p.queue_limit = limit;
	if (old)
		set_up_2009(&d, 1 * MIB, 512, limit);
	else
		set_up_as(&d, &p);
	fd = server_open(&d);
	for (int i = 0; i < N; i++)
		io[i] = io_write(&d, i * 4096, 4096, i);
	for (int i = 0; i < N; i++)
		ok(wait_for(io[i]->tid && task_is(io[i]->tid, 'D')),
		   "limit %u: writer %d waits", limit, i);

	while (served < N && !more) {
		int n = 0;

		need(!get_status(fd, &info), "GET_STATUS");
		more |= info.ab_queue_size > limit || info.ab_max_queue != limit;
		if (old) {
			uint64_t first;

			get_bio_wait(fd, &bio);
			first = bio.hdr.ab_id;
			/* All that GET_BIO gives, until it begins again. */
			for (n = 1; n <= N; n++) {
				need(!get_bio(fd, &bio), "GET_BIO");
				if (bio.hdr.ab_id == first)
					break;
			}
			more |= n > (int)limit;
			bio_point(&bio, data);
			errors += put_bio(fd, &bio, 0) != 0;
			served++;
			continue;
		}
		n = fetch(fd, q, N, data, 1 * MIB, DEADLINE_SECONDS * SEC);
		need(n > 0, "requests (%d)", n);
		more |= n > (int)limit;
		more |= attribute_number(&d, "held") > limit;
		if (n == (int)limit)
			more |= fetch(fd, q + n, N - n, data, 1 * MIB,
				      20 * MSEC) > 0;
		for (int i = 0; i < n; i++)
			errors += reply(fd, q[i].id, 0, NULL) != 0;
		served += n;
	}
	ok(!more, "limit %u: never more than that", limit);
	is(errors, 0, "answers refused");
	for (int i = 0; i < N; i++)
		ended += io_end(io[i]) == 0;
	is(ended, N, "writes that succeeded");
	is(attribute_number(&d, "errors"), 0, "errors");
	close(fd);
}

int main(void)
{
	test_begin();
	limited_to(1, false);
	limited_to(1, true);
	limited_to(3, false);
	limited_to(3, true);
	return done();
}
