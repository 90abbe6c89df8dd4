/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SET_STATUS of a device that is up is EBUSY without RECONNECT; with it size and
 * block size must match (EINVAL), queue limit and READ_ONLY may change, and
 * no request is touched. Of an empty device it is a set-up.
 */
/* build: m32 */
#include "abuse.h"

static struct abuse_info as(uint64_t size, unsigned int block, unsigned int queue,
			    unsigned int flags)
{
	struct abuse_info info;

	memset(&info, 0, sizeof(info));
	info.ab_size = size;
	info.ab_blocksize = block;
	info.ab_max_queue = queue;
	info.ab_flags = flags;
	return info;
}

#define R ABUSE_FLAGS_RECONNECT
#define gives(error, ...) do {						\
	struct abuse_info info_ = as(__VA_ARGS__);			\
	is(set_status(fd, &info_), error, "SET_STATUS(" #__VA_ARGS__ ")"); \
} while (0)

int main(void)
{
	struct device d;
	struct abuse_info info;
	struct abuse_request q;
	struct io *io, *jo;
	char *data = memory_new(65536);
	int fd, holder, claim;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	holder = server_open(&d);
	gives(0, 1 * MIB, 4096, 64, R);
	is(disk_size(&d), 1 * MIB, "an empty device is set up");

	io = io_read(&d, 0, 4096);
	q = fetch_one(holder, NULL, 0);
	jo = io_read(&d, 65536, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "one held, one queued");

	gives(-EBUSY, 1 * MIB, 4096, 64, 0);
	gives(-EBUSY, 2 * MIB, 4096, 64, 0);
	gives(-EINVAL, 2 * MIB, 4096, 64, R);
	gives(-EINVAL, 512 * KIB, 4096, 64, R);
	gives(-EINVAL, 1 * MIB, 512, 64, R);
	gives(-EINVAL, 1 * MIB, 4096, 0, R);
	gives(-EINVAL, 1 * MIB, 4096, 513, R);
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_max_queue, 64, "queue limit");
	gives(0, 1 * MIB, 4096, 64, R);
	gives(0, 1 * MIB, 4096, 5, R);
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_max_queue, 5, "queue limit");
	is(info.ab_queue_size, 2, "requests");
	gives(0, 1 * MIB, 4096, 512, R | ABUSE_FLAGS_READ_ONLY);
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_flags & ABUSE_FLAGS_READ_ONLY, 1, "READ_ONLY");
	gives(0, 1 * MIB, 4096, 512, R);
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_flags & ABUSE_FLAGS_READ_ONLY, 0, "READ_ONLY");
	claim = open(d.disk, O_RDWR | O_EXCL);
	need(claim >= 0, "claim %s", d.disk);
	gives(0, 1 * MIB, 4096, 100, R);
	gives(-EBUSY, 1 * MIB, 4096, 100, R | ABUSE_FLAGS_READ_ONLY);
	close(claim);

	ok(!io->done && !jo->done, "both reads wait");
	is(reply(holder, q.id, 0, data), 0, "the held one is its holder's still");
	is(io_end(io), 0, "its read");
	q = fetch_one(fd, NULL, 0);
	is(reply(fd, q.id, 0, data), 0, "the queued one is handed out");
	is(io_end(jo), 0, "its read");
	return done();
}
