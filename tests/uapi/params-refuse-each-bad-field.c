/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SET_PARAMS refuses one bad field, everything else being valid, with the
 * documented errno and leaves the device empty; the edges of each range are
 * taken, and zero is the default that GET_PARAMS then tells.
 */
/* build: m32 */
#include "abuse.h"

static int fd;

static struct abuse_params good(void)
{
	struct abuse_params p = params_of(16 * MIB);

	p.features = ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	p.logical_block_size = 1024;
	p.physical_block_size = 4096;
	return p;
}

#define refused(field, value, error) do {				\
	struct abuse_params p_ = good();				\
	p_.field = (value);						\
	is(set_params(fd, &p_), -(error), #field " = " #value);		\
} while (0)

/* Set up, told by GET_PARAMS as want, reset again. */
#define taken(field, value, want) do {					\
	struct abuse_params p_ = good();				\
	p_.field = (value);						\
	is(set_params(fd, &p_), 0, #field " = " #value);		\
	is(get_params(fd, &p_), 0, "GET_PARAMS");			\
	ok(p_.field == (want), #field " = " #value " is told as %lld",	\
	   (long long)p_.field);					\
	need(!reset(fd), "RESET");					\
} while (0)

int main(void)
{
	struct device d;
	struct abuse_params p;
	struct {
		struct abuse_params p;
		uint64_t more;
	} longer;

	test_begin();
	d = device_new_depth(2, 64);
	fd = server_open(&d);

	refused(size, 0, EINVAL);
	refused(size, 4, EINVAL);
	refused(size, 1U << 31, E2BIG);
	refused(flags, 1U << 2, EINVAL);
	refused(flags, 1U << 31, EINVAL);
	refused(features, 1ULL << 5, EINVAL);
	refused(features, 1ULL << 63, EINVAL);
	refused(features, ABUSE_F_FUA | ABUSE_F_DISCARD, EINVAL);
	refused(capacity, 0, EINVAL);
	refused(capacity, 16 * MIB + 512, EINVAL);
	refused(capacity, 16 * MIB + 1, EINVAL);
	refused(capacity, 1ULL << 63, EFBIG);
	refused(logical_block_size, 256, EINVAL);
	refused(logical_block_size, 1000, EINVAL);
	refused(logical_block_size, 131072, EINVAL);
	refused(logical_block_size, 1U << 31, EINVAL);
	refused(physical_block_size, 512, EINVAL);
	refused(physical_block_size, 4097, EINVAL);
	refused(physical_block_size, 12288, EINVAL);
	refused(io_min, 2048, EINVAL);
	refused(io_min, 4097, EINVAL);
	refused(io_opt, 6144, EINVAL);
	refused(io_opt, 1, EINVAL);
	refused(max_request, 2048, EINVAL);
	refused(max_request, 4095, EINVAL);
	refused(max_request, 6144, EINVAL);
	refused(max_request, (1 << 20) + 4096, EINVAL);
	refused(max_request, 0xfffff000, EINVAL);
	refused(chunk, 2048, EINVAL);
	refused(chunk, 12288, EINVAL);
	refused(chunk, 4097, EINVAL);
	refused(max_discard, 2048, EINVAL);
	refused(max_discard, MIB + 512, EINVAL);
	refused(max_write_zeroes, MIB + 512, EINVAL);
	refused(discard_granularity, 3, EINVAL);
	refused(discard_granularity, 12288, EINVAL);
	refused(queue_limit, 129, EINVAL);
	refused(queue_limit, 0xffffffff, EINVAL);
	refused(timeout, 999999, EINVAL);
	refused(timeout, -2, EINVAL);
	refused(timeout, INT64_MIN, EINVAL);
	refused(seal_uid, 1000, EINVAL);	/* without SEALED */
	refused(reserved, 1, EINVAL);
	refused(name[0], '/', EINVAL);
	refused(name[0], ' ', EINVAL);
	refused(name[0], (char)0xe4, EINVAL);
	refused(atomic_min, 4096, get_params(fd, &p) || p.all_features & ABUSE_F_ATOMIC ?
		EINVAL : EOPNOTSUPP);
	refused(store[0], '\n', EINVAL);
	refused(store[0], 0x1b, EINVAL);
	refused(store[0], 0x7f, EINVAL);
	p = good();
	memset(p.store, 'a', sizeof(p.store));
	is(set_params(fd, &p), -EINVAL, "a label without its final 0");
	p = good();
	memset(p.name, 'a', sizeof(p.name));
	is(set_params(fd, &p), -EINVAL, "a name without its final 0");
	memset(&longer, 0, sizeof(longer));
	longer.p = good();
	longer.p.size = sizeof(longer);
	longer.more = 1;
	is(set_params(fd, &longer.p), -E2BIG, "trailing bytes that are not zero");
	is(set_params(fd, NULL), -EFAULT, "SET_PARAMS from NULL");
	is(call(fd, ABUSE_GET_PARAMS, NULL), -EFAULT, "GET_PARAMS to NULL");

	is(get_params(fd, &p), 0, "GET_PARAMS");
	is(p.state, ABUSE_S_EMPTY, "the device is still empty");
	is(p.capacity, 0, "its capacity");
	is(disk_size(&d), 0, "its disk's size");
	ok(!p.name[0], "it has no name");

	/* The edges. */
	taken(features, 0, 0);
	taken(features, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA,
	      ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	taken(features, ABUSE_F_ROTATIONAL, ABUSE_F_ROTATIONAL);
	taken(capacity, 1024, 1024);
	taken(logical_block_size, 0, 512);
	taken(logical_block_size, 4096, 4096);
	taken(physical_block_size, 0, 1024);
	taken(physical_block_size, 65536, 65536);
	taken(io_min, 0, 4096);
	taken(io_min, 12288, 12288);
	taken(io_opt, 0, 0);
	taken(io_opt, 1 << 20, 1 << 20);
	taken(max_request, 0, 1 << 20);
	taken(max_request, 4096, 4096);
	taken(max_request, 1 << 20, 1 << 20);
	taken(chunk, 0, 0);
	taken(chunk, 4096, 4096);
	taken(max_discard, 0, 2ULL << 30);
	taken(max_discard, 1 << 20, 1 << 20);
	taken(max_write_zeroes, 0, 2ULL << 30);
	taken(max_write_zeroes, 1 << 20, 1 << 20);
	taken(discard_granularity, 0, 4096);
	taken(discard_granularity, 65536, 65536);
	taken(queue_limit, 0, 128);
	taken(queue_limit, 1, 1);
	taken(queue_limit, 128, 128);
	taken(timeout, 0, 0);
	taken(timeout, -1, -1);
	taken(timeout, 1000000, 1000000);
	taken(store[0], ' ', ' ');
	taken(store[0], (char)0xe4, (char)0xe4);
	longer.more = 0;
	is(set_params(fd, &longer.p), 0, "zeroes at the end");
	return done();
}
