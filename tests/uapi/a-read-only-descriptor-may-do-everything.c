/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A control node opened O_RDONLY, as in 2009, may set up, serve, answer
 * and reset, by the old calls and the new one.
 */
#include "abuse.h"

int main(void)
{
	struct device d;
	struct abuse_info info;
	struct abuse_params p;
	struct abuse_request r;
	struct bio bio;
	struct io *io;
	char *memory = memory_new(1 * MIB);
	int fd;

	test_begin();
	d = device_new();
	fd = open(d.node, O_RDONLY | O_CLOEXEC);
	need(fd >= 0, "open %s", d.node);

	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 16;
	is(set_status(fd, &info), 0, "SET_STATUS");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(set_poll(fd, 1), 0, "SET_POLL");
	io = io_write(&d, 0, 4096, 3);
	get_bio_wait(fd, &bio);
	bio_point(&bio, memory);
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), 0, "PUT_BIO");
	is(io_end(io), 0, "the write");
	is(reset(fd), 0, "RESET");

	p = params_of(1 * MIB);
	is(set_params(fd, &p), 0, "SET_PARAMS");
	is(get_params(fd, &p), 0, "GET_PARAMS");
	io = io_write(&d, 0, 4096, 4);
	r = fetch_one(fd, memory, 1 * MIB);
	ok(pattern_is(memory + r.offset, 4096, 4), "exchange hands out");
	is(reply(fd, r.id, 0, NULL), 0, "and takes the answer");
	is(io_end(io), 0, "the write");
	return done();
}
