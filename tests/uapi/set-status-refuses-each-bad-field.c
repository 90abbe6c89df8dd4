/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SET_STATUS refuses one bad field, everything else being valid, with the
 * documented errno, and leaves the device as it was.
 */
/* build: m32 */
#include "abuse.h"

static struct abuse_info good(void)
{
	struct abuse_info info;

	memset(&info, 0, sizeof(info));
	info.ab_size = 16 * MIB;
	info.ab_blocksize = 4096;
	info.ab_max_queue = 128;
	return info;
}

#define refused(fd, field, value, error) do {				\
	struct abuse_info info_ = good();				\
	info_.field = (value);						\
	is(set_status(fd, &info_), -(error), #field " = " #value);	\
} while (0)

int main(void)
{
	struct device d;
	struct abuse_info info;
	int fd;

	test_begin();
	d = device_new();
	fd = server_open(&d);

	refused(fd, ab_blocksize, 0, EINVAL);
	refused(fd, ab_blocksize, 1, EINVAL);
	refused(fd, ab_blocksize, 256, EINVAL);
	refused(fd, ab_blocksize, 513, EINVAL);
	refused(fd, ab_blocksize, 3072, EINVAL);
	refused(fd, ab_blocksize, 0x80000000, EINVAL);
	refused(fd, ab_blocksize, 2 * sysconf(_SC_PAGESIZE), EINVAL);
	refused(fd, ab_max_queue, 0, EINVAL);
	refused(fd, ab_max_queue, 513, EINVAL);
	refused(fd, ab_max_queue, 0xffffffff, EINVAL);
	refused(fd, ab_size, 16 * MIB + 512, EINVAL);
	refused(fd, ab_size, 16 * MIB + 1, EINVAL);
	refused(fd, ab_size, ~4095ULL, EFBIG);
	refused(fd, ab_size, 1ULL << 63, EFBIG);

	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 0, "the device is still empty");
	is(disk_size(&d), 0, "and so is its disk");
	is(call(fd, ABUSE_SET_STATUS, NULL), -EFAULT, "SET_STATUS from NULL");
	is(call(fd, ABUSE_GET_STATUS, NULL), -EFAULT, "GET_STATUS to NULL");

	info = good();
	is(set_status(fd, &info), 0, "what was not varied is good");
	info = good();
	is(set_status(fd, &info), -EBUSY, "a device that is up");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 16 * MIB, "it is as it was");

	is(set_poll(fd, 2), -EINVAL, "SET_POLL 2");
	is(set_poll(fd, ~0UL), -EINVAL, "SET_POLL -1");
	is(set_poll(fd, 1), 0, "SET_POLL 1");
	is(set_poll(fd, 0), 0, "SET_POLL 0");
	is(reset(fd), 0, "RESET");
	is(reset(fd), 0, "RESET of an empty device");
	return done();
}
