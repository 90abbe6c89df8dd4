/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * MEDIA_FAILURE fails that one request; DEVICE_FAILURE fails all of them, held
 * ones too, and leaves the device up; RESET fails all of them, held ones too,
 * and empties it.
 */
/* build: m32 */
#include "abuse.h"

#define N 4

static struct device d;

static void queue(struct io **io)
{
	for (int i = 0; i < N; i++) {
		io[i] = i % 2 ? io_write(&d, i * 65536, 4096, i) :
				io_read(&d, i * 65536, 4096);
		need(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}
}

int main(void)
{
	struct abuse_request q;
	struct abuse_info info;
	struct bio bio;
	struct io *io[N], *one;
	char *data = memory_new(1 * MIB);
	int fd, holder;

	test_begin();
	d = device_new();
	set_up_2009(&d, 1 * MIB, 512, 128);
	fd = server_open(&d);
	holder = server_open(&d);

	queue(io);
	get_bio_wait(fd, &bio);
	is(put_bio(fd, &bio, ABUSE_RESULT_MEDIA_FAILURE), 0, "MEDIA_FAILURE of a read");
	is(io_end(io[0]), EIO, "that read");
	get_bio_wait(fd, &bio);
	is(put_bio(fd, &bio, ABUSE_RESULT_MEDIA_FAILURE), 0, "MEDIA_FAILURE of a write");
	is(io_end(io[1]), EIO, "that write");
	ok(!io[2]->done && !io[3]->done, "the others wait");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_errors, 2, "ab_errors");
	is(info.ab_queue_size, 2, "ab_queue_size");

	q = fetch_one(holder, data, 1 * MIB);
	memset(&bio, 0, sizeof(bio));
	is(put_bio(fd, &bio, ABUSE_RESULT_DEVICE_FAILURE), 0, "DEVICE_FAILURE");
	is(io_end(io[2]), EIO, "the request that was held");
	is(io_end(io[3]), EIO, "the request that was queued");
	is(reply(holder, q.id, 0, data), ESTALE, "its holder's answer");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 1 * MIB, "the device is up");
	is(info.ab_errors, 4, "ab_errors");
	is(info.ab_queue_size, 0, "ab_queue_size");
	is(attribute_number(&d, "held"), 0, "held");
	one = io_read(&d, 0, 4096);
	get_bio_wait(fd, &bio);
	bio_point(&bio, data);
	is(put_bio(fd, &bio, 0), 0, "it serves on");
	is(io_end(one), 0, "a read");

	queue(io);
	q = fetch_one(holder, data, 1 * MIB);
	get_bio_wait(fd, &bio);
	is(reset(fd), 0, "RESET");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), EIO, "a request, held or not");
	is(reply(holder, q.id, 0, data), ESTALE, "its holder's answer");
	bio_point(&bio, data);
	is(put_bio(fd, &bio, 0), -ENOMSG, "PUT_BIO of one");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 0, "the device is empty");
	is(info.ab_queue_size, 0, "ab_queue_size");
	is(attribute_number(&d, "held"), 0, "held");
	return done();
}
