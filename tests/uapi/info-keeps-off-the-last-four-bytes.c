/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The status calls read and write 44 bytes of abuse_info, also for a 64-bit
 * program: the four after them keep their value and need not exist.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	struct device d;
	struct abuse_info *info;
	unsigned char *page = memory_new(4096), canary[8];
	int fd;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	memset(canary, 0xc5, sizeof(canary));

	memset(page, 0xc5, 4096);
	is(get_status(fd, (void *)page), 0, "GET_STATUS");
	ok(!memcmp(page + 44, canary, 8), "bytes 44 to 51 keep their value");

	/* Only 44 bytes before memory that may not be touched. */
	page = memory_faulting(4096, 8192);
	info = (void *)(page + 4096 - 44);
	info->ab_size = 1 * MIB;
	info->ab_blocksize = 512;
	info->ab_max_queue = 4;
	is(set_status(fd, info), 0, "SET_STATUS from the last 44 bytes of a page");
	memset(info, 0, 44);
	is(get_status(fd, info), 0, "GET_STATUS to them");
	is(info->ab_size, 1 * MIB, "size");
	is(info->ab_max_queue, 4, "queue limit");
	ok(info->ab_max_vecs > 0, "the last field was filled in");
	info = (void *)(page + 4096 - 40);
	is(call(fd, ABUSE_GET_STATUS, info), -EFAULT, "GET_STATUS to the last 40");
	return done();
}
