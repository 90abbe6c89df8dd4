/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SET_STATUS sets an empty device up and GET_STATUS tells what was set: size,
 * block size, queue limit, flags, number, the block device's number, counts.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	struct device d;
	struct abuse_info info;
	struct stat st;
	struct io *io;
	int fd, value;

	test_begin();
	d = device_new();
	fd = server_open(&d);

	memset(&info, 0xff, sizeof(info));
	is(get_status(fd, &info), 0, "GET_STATUS of an empty device");
	is(info.ab_size, 0, "its size");
	is(info.ab_number, d.number, "its number");
	is(info.ab_flags, 0, "its flags");
	is(info.ab_queue_size, 0, "its queue");
	is(info.ab_errors, 0, "its errors");
	ok(info.ab_max_vecs >= 1 && info.ab_max_vecs <= 256,
	   "at most 256 vecs (%u)", info.ab_max_vecs);
	need(!stat(d.disk, &st), "stat of %s", d.disk);
	ok(info.ab_device == st.st_rdev, "ab_device %llx is the disk's st_rdev %llx",
	   (unsigned long long)info.ab_device, (unsigned long long)st.st_rdev);

	memset(&info, 0, sizeof(info));
	info.ab_size = 4096 * 4096;
	info.ab_blocksize = 4096;
	info.ab_max_queue = 128;
	info.ab_flags = 0xfffffffc;	/* unknown flags are ignored */
	is(set_status(fd, &info), 0, "SET_STATUS");
	memset(&info, 0xff, sizeof(info));
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 4096 * 4096, "size");
	is(info.ab_blocksize, 4096, "block size");
	is(info.ab_max_queue, 128, "queue limit");
	is(info.ab_flags & ABUSE_FLAGS_READ_ONLY, 0, "READ_ONLY");
	is(info.ab_number, d.number, "number");
	is(info.ab_device, st.st_rdev, "device");
	is(disk_size(&d), 4096 * 4096, "the disk's size");

	io = io_write(&d, 0, 4096, 1);
	ok(wait_for(!get_status(fd, &info) && info.ab_queue_size == 1),
	   "one request is counted in ab_queue_size");
	is(info.ab_errors, 0, "no error yet");
	is(reset(fd), 0, "RESET");
	is(io_end(io), EIO, "the request ended by RESET");
	is(get_status(fd, &info), 0, "GET_STATUS after RESET");
	is(info.ab_size, 0, "size after RESET");
	is(info.ab_queue_size, 0, "queue after RESET");
	is(disk_size(&d), 0, "the disk's size after RESET");

	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 1;
	info.ab_flags = ABUSE_FLAGS_READ_ONLY;
	is(set_status(fd, &info), 0, "SET_STATUS, read-only");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_flags & ABUSE_FLAGS_READ_ONLY, 1, "READ_ONLY is told");
	is(info.ab_errors, 0, "errors count from set-up on");
	close(fd);

	fd = disk_open(&d, O_RDONLY);
	ok(!ioctl(fd, BLKROGET, &value) && value == 1, "the disk is read-only");
	ok(!ioctl(fd, BLKSSZGET, &value) && value == 512, "blocks of 512");
	close(fd);
	return done();
}
