/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * PUT_BIO with a stale, forged or other device's id is ENOMSG; with another
 * sector, command or vec_count than the request's it is EINVAL and the request
 * is back in the queue.
 */
/* build: m32 */
#include "abuse.h"

static char *data;

#define refused(fd, field, value) do {					\
	struct bio b_;							\
	get_bio_wait(fd, &b_);						\
	bio_point(&b_, data);						\
	b_.hdr.field = (value);						\
	is(put_bio(fd, &b_, ABUSE_RESULT_OKAY), -EINVAL, #field " = " #value); \
} while (0)

int main(void)
{
	struct device d, e;
	struct bio bio, old;
	struct io *io;
	int fd, there, taken = 0;

	test_begin();
	data = memory_new(1 * MIB);
	d = device_new();
	e = device_new();
	set_up_2009(&d, 1 * MIB, 512, 128);
	set_up_2009(&e, 1 * MIB, 512, 128);
	fd = server_open(&d);
	there = server_open(&e);

	io = io_write(&d, 8192, 16384, 4);
	refused(fd, ab_sector, 0);
	refused(fd, ab_sector, 17);
	refused(fd, ab_sector, 1ULL << 63 | 16);
	refused(fd, ab_command, ABUSE_READ);
	refused(fd, ab_command, ABUSE_SYNC_NOTIFICATION);
	refused(fd, ab_command, 0x100 | ABUSE_WRITE);
	refused(fd, ab_vec_count, 0);
	refused(fd, ab_vec_count, b_.hdr.ab_vec_count + 1);
	refused(fd, ab_vec_count, b_.hdr.ab_vec_count - 1);
	refused(fd, ab_vec_count, 0xffffffff);
	ok(!io->done, "the write waits");
	ok(bytes_are(data, 16384, 0), "none of its bytes were given away");

	get_bio_wait(fd, &bio);
	bio_point(&bio, data);
	is(put_bio(fd, &bio, 3), -EINVAL, "ab_result = 3");
	is(put_bio(there, &bio, ABUSE_RESULT_OKAY), -ENOMSG, "on another device");
	for (int bit = 0; bit < 64; bit++) {
		old = bio;
		old.hdr.ab_id ^= 1ULL << bit;
		taken += put_bio(fd, &old, ABUSE_RESULT_OKAY) != -ENOMSG;
	}
	is(taken, 0, "ids one bit off that were not ENOMSG");
	is(call(fd, ABUSE_PUT_BIO, NULL), -EFAULT, "no header");
	is(call(fd, ABUSE_GET_BIO, NULL), -EFAULT, "GET_BIO without a header");
	old = bio;
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), 0, "the right answer");
	is(io_end(io), 0, "the write");
	ok(pattern_is(data, 16384, 4), "its bytes");
	is(put_bio(fd, &old, ABUSE_RESULT_OKAY), -ENOMSG, "once more");

	/* A request just like it, in the same slot perhaps, has another id. */
	for (int i = 0; i < 50; i++) {
		io = io_write(&d, 8192, 16384, 5);
		get_bio_wait(fd, &bio);
		bio_point(&bio, data);
		taken += put_bio(fd, &old, ABUSE_RESULT_OKAY) != -ENOMSG;
		taken += put_bio(fd, &bio, ABUSE_RESULT_OKAY) != 0;
		taken += io_end(io) != 0;
	}
	is(taken, 0, "of 50 like it those that met the old id");
	is(get_bio(fd, &bio), -ENOMSG, "GET_BIO of an empty queue");
	return done();
}
