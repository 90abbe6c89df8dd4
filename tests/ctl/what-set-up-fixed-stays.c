/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a device that is up SET_PARAMS may change capacity, queue limit, time-out and
 * READ_ONLY; any other field that differs is EBUSY and nothing changes; a field
 * that is the same, or 0, is fine.
 */
#include "abuse.h"

static struct abuse_params first(void)
{
	struct abuse_params p = params_of(16 * MIB);

	p.features = ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	p.logical_block_size = 1024;
	p.physical_block_size = 4096;
	p.io_min = 8192;
	p.io_opt = 65536;
	p.max_request = 262144;
	p.chunk = 131072;
	p.max_discard = 8 * MIB;
	p.max_write_zeroes = 4 * MIB;
	p.discard_granularity = 16384;
	p.queue_limit = 64;
	p.timeout = 3600 * SEC;
	strcpy(p.name, "fixed");
	p.uuid[0] = 7;
	return p;
}

#define fixed(field, value) do {					\
	struct abuse_params p_ = params_of(0);				\
	p_.queue_limit = 5;						\
	p_.capacity = 8 * MIB;						\
	p_.field = (value);						\
	is(set_params(fd, &p_), -EBUSY, #field " = " #value);		\
} while (0)

#define live(field, value) do {						\
	struct abuse_params p_ = params_of(0);				\
	p_.field = (value);						\
	is(set_params(fd, &p_), 0, #field " = " #value);		\
	is(get_params(fd, &p_), 0, "GET_PARAMS");			\
	ok(p_.field == (value), #field " is " #value);			\
} while (0)

#define bad(field, value) do {						\
	struct abuse_params p_ = params_of(0);				\
	p_.field = (value);						\
	is(set_params(fd, &p_), -EINVAL, #field " = " #value);		\
} while (0)

int main(void)
{
	struct abuse_params p, q, same;
	struct device d;
	int fd;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	p = first();
	is(set_params(fd, &p), 0, "SET_PARAMS of an empty device");
	is(get_params(fd, &q), 0, "GET_PARAMS");

	fixed(features, ABUSE_F_WRITE_CACHE);
	fixed(features, q.features | ABUSE_F_FUA);
	fixed(logical_block_size, 512);
	fixed(physical_block_size, 8192);
	fixed(io_min, 4096);
	fixed(io_opt, 8192);
	fixed(max_request, 4096);
	fixed(chunk, 4096);
	fixed(max_discard, 1 * MIB);
	fixed(max_write_zeroes, 1 * MIB);
	fixed(discard_granularity, 4096);
	fixed(name[0], 'x');
	fixed(uuid[0], 8);
	fixed(flags, ABUSE_PARAMS_SEALED);
	is(get_params(fd, &same), 0, "GET_PARAMS");
	ok(!memcmp(&q, &same, sizeof(q)), "nothing changed");

	same = first();
	is(set_params(fd, &same), 0, "all as it is");
	same = params_of(0);
	is(set_params(fd, &same), 0, "nothing given");
	is(get_params(fd, &same), 0, "GET_PARAMS");
	ok(!memcmp(&q, &same, sizeof(q)), "nothing changed");

	bad(capacity, 16 * MIB + 512);
	bad(queue_limit, 513);
	bad(timeout, 1);
	bad(timeout, -2);
	bad(reserved, 1);
	bad(flags, 1U << 31);
	live(capacity, 32 * MIB);
	live(capacity, 1024);
	live(queue_limit, 1);
	live(queue_limit, 512);
	live(timeout, 1 * SEC);
	live(timeout, -1);
	live(flags, ABUSE_PARAMS_READ_ONLY);
	live(flags, 0);
	return done();
}
