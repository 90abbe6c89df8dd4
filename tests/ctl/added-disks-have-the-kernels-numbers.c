/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A disk added through /dev/abuse-control has a number of the kernel's blkext major, one that was
 * made at load keeps 2009's, unless major= was given; each opens as itself, GET_STATUS tells its
 * number, and an administrator may add partitions, which go with RESET.
 */
/* timeout: 120 */
#include <linux/blkpg.h>
#include "abuse.h"

#define BLKEXT	259

static struct stat stat_of(const struct device *d)
{
	struct stat st;

	need(!stat(d->disk, &st), "stat %s", d->disk);
	return st;
}

static bool partition_is_there(const struct device *d)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/abuse%u/abuse%up3", d->number, d->number);
	return !access(path, F_OK);
}

static void add_partition(const struct device *d)
{
	struct blkpg_partition part = { .start = 4096, .length = 65536, .pno = 3 };
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part,
	};
	struct device p = *d;
	int fd = disk_open(d, O_RDONLY);

	is(call(fd, BLKPG, &arg), 0, "BLKPG_ADD_PARTITION");
	close(fd);
	ok(wait_for(partition_is_there(d)), "the partition is there");
	snprintf(p.disk, sizeof(p.disk), "/dev/abuse%up3", d->number);
	ok(wait_for(!access(p.disk, F_OK)), "and its node");
	is(disk_size(&p), 65536, "its size");
}

static void check(const struct device *d, unsigned int block_major, unsigned int mib)
{
	struct abuse_info info;
	struct stat st = stat_of(d);
	int fd = server_open(d);

	is(major(st.st_rdev), block_major, "major number");
	set_up(d, mib * MIB, 0);
	is(disk_size(d), mib * MIB, "the disk that opens is the one that was set up");
	need(!get_status(fd, &info), "GET_STATUS");
	ok(info.ab_device == st.st_rdev, "ab_device is its number");
	is(info.ab_number, d->number, "ab_number");
	add_partition(d);
	is(reset(fd), 0, "RESET");
	ok(wait_for(!partition_is_there(d)), "takes the partition away");
	close(fd);
}

static void added(unsigned int block_major, int n)
{
	struct device d[2];

	for (int i = 0; i < n; i++)
		d[i] = device_new();
	for (int i = 0; i < n; i++)
		check(&d[i], block_major, 3 + i);
	for (int i = 0; i < n; i++)
		is(device_remove(d[i].number), 0, "REMOVE");
}

int main(void)
{
	struct device d;

	test_begin();
	added(BLKEXT, 2);

	need(!module_reload("max_part=15"), "modprobe abuse max_part=15");
	d = device_of(7);
	is(minor(stat_of(&d).st_rdev), 7 * 16, "minor number of the eighth made at load");
	check(&d, ABUSE_MAJOR, 2);
	added(BLKEXT, 1);

	need(!module_reload("major=60"), "modprobe abuse major=60");
	added(ABUSE_MAJOR, 1);
	return done();
}
