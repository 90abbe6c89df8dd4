/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * An empty device whose disk is claimed (as by a mount that outlived RESET)
 * cannot be set up: EBUSY, by either call. A mere open is no claim, and set-up
 * leaves none behind.
 */
#include "abuse.h"

static int set_up_by(int fd, bool old)
{
	struct abuse_params p = params_of(1 * MIB);
	struct abuse_info info;

	if (!old)
		return set_params(fd, &p);
	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 16;
	return set_status(fd, &info);
}

int main(void)
{
	struct device d;
	int fd, disk;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	for (int old = 0; old < 2; old++) {
		disk = open(d.disk, O_RDONLY | O_EXCL);
		need(disk >= 0, "claim %s", d.disk);
		is(set_up_by(fd, old), -EBUSY, "set-up while claimed");
		ok(!strcmp(attribute(&d, "state"), "empty"), "it is empty");
		close(disk);
		disk = disk_open(&d, O_RDONLY);
		is(set_up_by(fd, old), 0, "set-up while open");
		is(lseek(disk, 0, SEEK_END), 1 * MIB, "who had it open sees its size");
		close(disk);
		disk = open(d.disk, O_RDWR | O_EXCL);
		ok(disk >= 0, "it can be claimed when it is up");
		is(reset(fd), 0, "RESET while claimed");
		is(set_up_by(fd, old), -EBUSY, "set-up while still claimed");
		close(disk);
		is(set_up_by(fd, old), 0, "set-up after that");
		is(reset(fd), 0, "RESET");
	}
	return done();
}
