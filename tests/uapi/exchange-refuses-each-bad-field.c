/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Exchange refuses one bad field, everything else being valid, with the
 * documented errno, and neither takes a reply nor hands a request out then.
 */
/* build: m32 */
#include "abuse.h"

#define BUFFER	(1 * MIB)

static struct abuse_request requests[ABUSE_MAX_ENTRIES + 1];
static struct abuse_reply replies[ABUSE_MAX_ENTRIES + 1];
static char *buffer;

static struct abuse_exchange good(void)
{
	struct abuse_exchange x = exchange_new();

	x.replies = ADDR(replies);
	x.requests = ADDR(requests);
	x.max_requests = ABUSE_MAX_ENTRIES;
	x.buffer = ADDR(buffer);
	x.buffer_size = BUFFER;
	return x;
}

#define refused(fd, field, value, error) do {				\
	struct abuse_exchange x_ = good();				\
	x_.field = (value);						\
	is(exchange(fd, &x_), -(error), #field " = " #value);		\
} while (0)

int main(void)
{
	struct device d;
	struct abuse_exchange x;
	struct {
		struct abuse_exchange x;
		uint64_t more;
	} longer;
	struct io *io;
	char *page;
	int fd;

	test_begin();
	buffer = memory_new(BUFFER + 8192);
	d = device_new();
	set_up(&d, 16 * MIB, 0);
	fd = server_open(&d);
	io = io_write(&d, 0, 4096, 1);
	ok(wait_for(attribute_number(&d, "queued") == 1), "a request is there");

	refused(fd, size, 0, EINVAL);
	refused(fd, size, 4, EINVAL);
	refused(fd, size, 1U << 31, E2BIG);
	refused(fd, flags, 1, EINVAL);
	refused(fd, flags, 1U << 31, EINVAL);
	refused(fd, request_size, 0, EINVAL);
	refused(fd, request_size, 40 - 8, EINVAL);
	refused(fd, request_size, sizeof(struct abuse_request) + 4, EINVAL);
	refused(fd, request_size, 4104, EINVAL);
	refused(fd, request_size, 0xfffffff8, EINVAL);
	refused(fd, max_requests, ABUSE_MAX_ENTRIES + 1, EINVAL);
	refused(fd, max_requests, 0xffffffff, EINVAL);
	refused(fd, nr_replies, ABUSE_MAX_ENTRIES + 1, EINVAL);
	refused(fd, nr_replies, 0xffffffff, EINVAL);
	refused(fd, buffer, ADDR(buffer) + 512, EINVAL);
	refused(fd, buffer, ADDR(buffer) + 1, EINVAL);
	refused(fd, buffer_size, BUFFER - 4096, EINVAL);
	refused(fd, buffer_size, 1, EINVAL);
	refused(fd, wait, -2, EINVAL);
	refused(fd, wait, INT64_MIN, EINVAL);
	refused(fd, spin, 1000001, EINVAL);
	refused(fd, spin, ~0ULL, EINVAL);

	/* Strides of replies count when there are replies. */
	memset(replies, 0, sizeof(replies));
	for (int i = 0; i < 4; i++) {
		static const uint32_t bad[] = { 0, 24, 36, 4104 };

		x = good();
		x.nr_replies = 1;
		x.reply_size = bad[i];
		is(exchange(fd, &x), -EINVAL, "reply_size of 0, 24, 36, 4104");
	}

	memset(&longer, 0, sizeof(longer));
	longer.x = good();
	longer.x.size = sizeof(longer);
	longer.more = 1;
	is(exchange(fd, &longer.x), -E2BIG, "trailing bytes that are not zero");
	longer.more = 1ULL << 63;
	is(exchange(fd, &longer.x), -E2BIG, "trailing bytes, the last one");

	is(exchange(fd, NULL), -EFAULT, "no struct");
	page = memory_faulting(4096, 8192);
	x = good();
	memcpy(page + 4096 - 40, &x, 40);
	is(call(fd, ABUSE_EXCHANGE, page + 4096 - 40), -EFAULT,
	   "a struct that is half there");
	x = good();
	x.nr_replies = 1;
	x.replies = ADDR(page) + 4096;
	is(exchange(fd, &x), -EFAULT, "replies that cannot be read");

	is(attribute_number(&d, "held"), 0, "held requests after all that");
	is(attribute_number(&d, "queued"), 1, "queued requests after all that");
	is(attribute_number(&d, "served"), 0, "served requests after all that");

	/* The limits themselves are fine, and so is what was not varied. */
	longer.more = 0;
	longer.x.spin = 1000000;
	longer.x.wait = FOR_EVER;
	is(exchange(fd, &longer.x), 0, "zeroes at the end, 1 ms of spin");
	is(longer.x.nr_requests, 1, "it hands out");
	ok(pattern_is(buffer + requests[0].offset, 4096, 1), "with the payload");
	is(reply(fd, requests[0].id, 0, NULL), 0, "the answer");
	is(io_end(io), 0, "the write");
	return done();
}
