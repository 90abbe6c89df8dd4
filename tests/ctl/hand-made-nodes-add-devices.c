/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Opening a hand-made node of a number that does not exist makes the device, from
 * the control side and from the block side (where the kernel has its probe), for
 * CAP_SYS_ADMIN alone, and never brings a removed number back.
 */
#include "abuse.h"

#define NODE "/dev/abuse-test-ctl"
#define DISK "/dev/abuse-test-disk"

static void make(const char *path, mode_t type, dev_t number)
{
	unlink(path);
	need(!mknod(path, type | 0600, number) && !chmod(path, 0666), "mknod %s", path);
}

static int open_child(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static bool exists(unsigned int number)
{
	struct device d = device_of(number);

	return *attribute(&d, "state");
}

static bool kernel_probes(void)
{
	return !shell("grep -qE ' (blk_request_module|blk_register_region)$' /proc/kallsyms");
}

int main(void)
{
	struct abuse_add a = { .size = sizeof(a), .number = 500 };
	struct device d;
	int fd;

	test_begin();

	/* Control side. */
	make(NODE, S_IFCHR, makedev(ABUSECTL_MAJOR, 500));
	is(run_as(4242, open_child, NODE), ENODEV, "an ordinary user");
	ok(!exists(500), "made nothing");
	fd = open(NODE, O_RDWR | O_CLOEXEC);
	ok(fd >= 0, "root opens control node 500");
	ok(exists(500), "device 500 is there");
	d = device_of(500);
	is(attribute_number(&d, "owner"), 0, "its owner");
	test_devices[200] = 500 + 1;
	{
		struct abuse_params p = params_of(1 * MIB);

		is(set_params(fd, &p), 0, "it can be set up");
		ok(wait_for(!access(d.disk, F_OK)), "its disk has a node");
		is(disk_size(&d), 1 * MIB, "and that size");
	}
	is(run_as(4242, open_child, NODE), 0, "an ordinary user opens what is there");
	is(reset(fd), 0, "RESET");
	close(fd);
	is(device_remove(500), 0, "REMOVE");
	ok(open(NODE, O_RDWR) < 0 && errno == ENODEV, "root opens it after REMOVE");
	ok(!exists(500), "a removed number does not come back");
	is(device_add(&a), 0, "but by ADD");
	fd = open(NODE, O_RDWR | O_CLOEXEC);
	ok(fd >= 0, "and its node works");
	close(fd);
	is(device_remove(500), 0, "REMOVE");

	/* Block side. */
	if (kernel_probes()) {
		make(DISK, S_IFBLK, makedev(ABUSE_MAJOR, 501));
		is(run_as(4242, open_child, DISK), ENXIO, "an ordinary user");
		ok(!exists(501), "made nothing");
		fd = open(DISK, O_RDONLY | O_CLOEXEC);
		ok(fd >= 0, "root opens block node 501");
		ok(exists(501), "device 501 is there");
		test_devices[201] = 501 + 1;
		is(device_remove_once(501), -EBUSY, "and is open");
		close(fd);
		is(device_remove(501), 0, "REMOVE");
		ok(open(DISK, O_RDONLY) < 0 && (errno == ENXIO || errno == ENODEV),
		   "root opens it after REMOVE");
		ok(!exists(501), "a removed number does not come back");
	} else {
		ok(true, "this kernel does not probe for block nodes");
	}
	make(NODE, S_IFCHR, makedev(ABUSECTL_MAJOR, 3));
	is(device_remove(3), 0, "REMOVE of one of the first eight");
	ok(open(NODE, O_RDWR) < 0 && errno == ENODEV, "its node after that");
	unlink(NODE);
	unlink(DISK);
	return done();
}
