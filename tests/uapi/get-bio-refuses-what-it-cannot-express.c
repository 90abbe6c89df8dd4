/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a device set up with DISCARD, WRITE_ZEROES or FUA, GET_BIO and PUT_BIO
 * give EOPNOTSUPP; exchange serves it. With none of them they work.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	static const struct {
		const char *name;
		uint64_t features;
		int error;
	} t[] = {
		{ "DISCARD", ABUSE_F_DISCARD, -EOPNOTSUPP },
		{ "WRITE_ZEROES", ABUSE_F_WRITE_ZEROES, -EOPNOTSUPP },
		{ "FUA", ABUSE_F_FUA | ABUSE_F_WRITE_CACHE, -EOPNOTSUPP },
		{ "WRITE_CACHE", ABUSE_F_WRITE_CACHE, 0 },
		{ "ROTATIONAL", ABUSE_F_ROTATIONAL, 0 },
	};
	struct device d;
	struct abuse_request q;
	struct bio bio;
	char *data = memory_new(1 * MIB);
	int fd;

	test_begin();
	d = device_new();
	for (int i = 0; i < 5; i++) {
		struct io *io;

		fd = server_open(&d);
		set_up(&d, 1 * MIB, t[i].features);
		ok(get_bio(fd, &bio) == (t[i].error ?: -ENOMSG),
		   "%s: GET_BIO of an empty queue", t[i].name);
		io = io_read(&d, 0, 4096);
		ok(wait_for(attribute_number(&d, "queued") == 1), "a read");
		ok(get_bio(fd, &bio) == t[i].error, "%s: GET_BIO", t[i].name);
		if (t[i].error) {
			q = fetch_one(fd, data, 1 * MIB);
			bio.hdr.ab_id = q.id;
			ok(put_bio(fd, &bio, 0) == t[i].error, "%s: PUT_BIO",
			   t[i].name);
			ok(put_bio(fd, &bio, ABUSE_RESULT_DEVICE_FAILURE) ==
			   t[i].error, "%s: PUT_BIO, DEVICE_FAILURE", t[i].name);
			is(reply(fd, q.id, 0, data), 0, "exchange answers");
		} else {
			bio_point(&bio, data);
			is(put_bio(fd, &bio, 0), 0, "PUT_BIO");
		}
		is(io_end(io), 0, "the read");
		is(reset(fd), 0, "RESET");
		close(fd);
	}
	return done();
}
