/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * module/params.c: defaults, every range of SET_PARAMS at its ends, what may change
 * on a device that is up, names, and which result fits which operation.
 */
#include "../../module/params.c"
#include <stddef.h>

#include "test.h"

#define SLOTS	512
static const struct abuse_abilities oldest = { 4096, 4096, 0 };
static const struct abuse_abilities newest = { 4096, 65536, 1 };

static struct abuse_params good(void)
{
	return (struct abuse_params){
		.size = sizeof(struct abuse_params),
		.capacity = 1 << 20,
	};
}

static int complete(struct abuse_params p)
{
	return abuse_params_complete(&p, SLOTS, &oldest);
}

#define takes(member, value, want) do {					\
	struct abuse_params with = good();				\
	with.member = (value);						\
	is(complete(with), want, #member " = " #value);			\
} while (0)

static void defaults_are_as_documented(void)
{
	struct abuse_params p = good();

	is(abuse_params_complete(&p, SLOTS, &oldest), 0, "only a capacity");
	is(p.logical_block_size, 512, "logical block size");
	is(p.physical_block_size, 512, "physical block size");
	is(p.io_min, 512, "io_min");
	is(p.io_opt, 0, "io_opt");
	is(p.max_request, 1 << 20, "max_request");
	is(p.chunk, 0, "chunk");
	is(p.queue_limit, SLOTS, "queue_limit");
	is(p.timeout, 0, "timeout");
	is(p.max_discard, 0, "max_discard without DISCARD");

	p = good();
	p.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	is(abuse_params_complete(&p, SLOTS, &oldest), 0, "discard");
	is(p.max_discard, 2LL << 30, "max_discard");
	is(p.max_write_zeroes, 2LL << 30, "max_write_zeroes");
	is(p.discard_granularity, 512, "discard_granularity");
}

static void ranges_end_where_they_should(void)
{
	takes(capacity, 0, -EINVAL);
	takes(capacity, 511, -EINVAL);
	takes(capacity, 512, 0);
	takes(capacity, 1ULL << 63, -EFBIG);
	takes(logical_block_size, 256, -EINVAL);
	takes(logical_block_size, 768, -EINVAL);
	takes(logical_block_size, 4096, 0);
	takes(logical_block_size, 8192, -EINVAL);
	takes(physical_block_size, 256, -EINVAL);
	takes(physical_block_size, 3072, -EINVAL);
	takes(physical_block_size, 65536, 0);
	takes(io_min, 100, -EINVAL);
	takes(io_min, 1536, 0);
	takes(io_opt, 100, -EINVAL);
	takes(io_opt, 65536, 0);
	takes(max_request, 2048, -EINVAL);
	takes(max_request, 4096, 0);
	takes(max_request, 5000, -EINVAL);
	takes(max_request, (1 << 20) + 4096, -EINVAL);
	takes(chunk, 2048, -EINVAL);
	takes(chunk, 12288, -EINVAL);
	takes(chunk, 65536, 0);
	takes(features, 1ULL << 40, -EINVAL);
	takes(features, ABUSE_F_FUA, -EINVAL);
	takes(features, ABUSE_F_FUA | ABUSE_F_WRITE_CACHE, 0);
	takes(max_discard, 4096, -EINVAL);
	takes(max_write_zeroes, 4096, -EINVAL);
	takes(discard_granularity, 512, -EINVAL);
	takes(queue_limit, SLOTS, 0);
	takes(queue_limit, SLOTS + 1, -EINVAL);
	takes(timeout, -2, -EINVAL);
	takes(timeout, 999999, -EINVAL);
	takes(timeout, 1000000, 0);
	takes(flags, 4, -EINVAL);
	takes(reserved, 1, -EINVAL);
	takes(seal_uid, 1, -EINVAL);
	takes(name[0], '/', -EINVAL);
	takes(name[0], 'a', 0);
	takes(store[0], '\n', -EINVAL);
	takes(store[0], 0x7f, -EINVAL);
	takes(store[0], '/', 0);
	takes(store[0], (char)0xff, 0);
}

static void newer_kernels_can_more(void)
{
	struct abuse_params p;

#define able(kernel, want, ...) do {					\
	p = (struct abuse_params){ .capacity = 1 << 20, __VA_ARGS__ };	\
	is(abuse_params_complete(&p, SLOTS, &kernel), want,		\
	   #kernel ": " #__VA_ARGS__);					\
} while (0)
	able(oldest, -EINVAL, .logical_block_size = 8192);
	able(newest, 0, .logical_block_size = 8192);
	able(newest, 0, .logical_block_size = 65536);
	able(newest, -EINVAL, .logical_block_size = 131072);
	able(newest, -EINVAL, .logical_block_size = 8192, .max_request = 4096);
	able(newest, -EINVAL, .logical_block_size = 8192, .chunk = 4096);

	able(oldest, -EOPNOTSUPP, .atomic_max = 4096);
	able(oldest, -EOPNOTSUPP, .atomic_min = 512);
	able(newest, 0, .atomic_max = 4096);
	is(p.atomic_min, 512, "its least");
	able(newest, 0, .atomic_min = 4096, .atomic_max = 4096);
	able(newest, 0, .atomic_max = 1 << 20);
	able(newest, -EINVAL, .atomic_min = 512);
	able(newest, -EINVAL, .atomic_min = 8192, .atomic_max = 4096);
	able(newest, -EINVAL, .atomic_min = 256, .atomic_max = 4096);
	able(newest, -EINVAL, .atomic_min = 1536, .atomic_max = 4096);
	able(newest, -EINVAL, .atomic_max = 12288);
	able(newest, -EINVAL, .atomic_max = 2 << 20);
	able(newest, -EINVAL, .atomic_max = 8192, .max_request = 4096);
	able(newest, -EINVAL, .atomic_max = 8192, .chunk = 4096);
}

static void only_live_fields_change(void)
{
	struct abuse_params now = good(), next;

	abuse_params_complete(&now, SLOTS, &oldest);
	memset(&next, 0, sizeof(next));
	is(abuse_params_merge(&now, &next, SLOTS), 0, "nothing asked for");
	is(memcmp(&now.features, &next.features,
		  offsetof(struct abuse_params, name) -
		  offsetof(struct abuse_params, features)), 0, "nothing changed");

#define changes(member, value, want) do {				\
	memset(&next, 0, sizeof(next));					\
	next.member = (value);						\
	is(abuse_params_merge(&now, &next, SLOTS), want, #member);	\
	if (!(want))							\
		is(next.member, value, #member " after");		\
} while (0)
	changes(capacity, 2 << 20, 0);
	changes(capacity, 100, -EINVAL);
	changes(queue_limit, 1, 0);
	changes(queue_limit, SLOTS + 1, -EINVAL);
	changes(timeout, 5000000, 0);
	changes(flags, ABUSE_PARAMS_READ_ONLY, 0);
	changes(flags, ABUSE_PARAMS_SEALED, -EBUSY);
	changes(logical_block_size, 4096, -EBUSY);
	changes(logical_block_size, 512, 0);
	changes(physical_block_size, 4096, -EBUSY);
	changes(max_request, 4096, -EBUSY);
	changes(chunk, 4096, -EBUSY);
	changes(features, ABUSE_F_WRITE_CACHE, -EBUSY);
	changes(name[0], 'x', -EBUSY);
	changes(uuid[3], 1, -EBUSY);
	changes(store[0], 'x', -EBUSY);
	changes(store[0], '\n', -EINVAL);
	changes(reserved, 1, -EINVAL);
}

static void status_of_2009_is_checked(void)
{
	struct abuse_info info = {
		.ab_size = 1 << 20, .ab_blocksize = 4096, .ab_max_queue = 128,
	};
	struct abuse_params p;

	is(abuse_params_from_info(&info, &p), 0, "2009's default");
	is(complete(p), 0, "it is complete");
	info.ab_max_queue = 512;
	is(abuse_params_from_info(&info, &p), 0, "queue of 512");
	info.ab_max_queue = 513;
	is(abuse_params_from_info(&info, &p), -EINVAL, "queue of 513");
	info.ab_max_queue = 0;
	is(abuse_params_from_info(&info, &p), -EINVAL, "queue of 0");
	info.ab_max_queue = 1;
	info.ab_blocksize = 0;
	is(abuse_params_from_info(&info, &p), -EINVAL, "blocks of 0 bytes");
}

static void names_and_results(void)
{
	char name[ABUSE_NAME_LEN];

	is(abuse_name_check(""), 0, "no name");
	is(abuse_name_check("Az09._-"), 0, "all kinds of characters");
	is(abuse_name_check("a b"), -EINVAL, "a space");
	is(abuse_name_check("a/b"), -EINVAL, "a slash");
	memset(name, 'a', sizeof(name));
	is(abuse_name_check(name), -EINVAL, "no final 0");
	name[ABUSE_NAME_LEN - 1] = 0;
	is(abuse_name_check(name), 0, "31 characters");

	is(abuse_result_check(ABUSE_OP_WRITE, 0), 0, "0");
	is(abuse_result_check(ABUSE_OP_WRITE, ENOSPC), 0, "ENOSPC");
	is(abuse_result_check(ABUSE_OP_WRITE, EPERM), -EINVAL, "EPERM");
	is(abuse_result_check(ABUSE_OP_WRITE, EOPNOTSUPP), -EINVAL, "EOPNOTSUPP, WRITE");
	is(abuse_result_check(ABUSE_OP_FLUSH, EOPNOTSUPP), -EINVAL, "EOPNOTSUPP, FLUSH");
	is(abuse_result_check(ABUSE_OP_DISCARD, EOPNOTSUPP), 0, "EOPNOTSUPP, DISCARD");
	is(abuse_result_check(ABUSE_OP_WRITE_ZEROES, EOPNOTSUPP), 0, "EOPNOTSUPP, ZEROES");
}

int main(void)
{
	defaults_are_as_documented();
	ranges_end_where_they_should();
	newer_kernels_can_more();
	only_live_fields_change();
	status_of_2009_is_checked();
	names_and_results();
	return done();
}
