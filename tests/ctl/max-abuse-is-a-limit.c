/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * max_abuse=3 makes three devices at load and lets no more in, neither through
 * ADD and GET_FREE (ENOSPC) nor through hand-made nodes; a removed one may be
 * added again.
 */
#include "abuse.h"

int main(void)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };
	struct abuse_params p;
	struct device d;
	int fd;

	test_begin();
	need(!module_reload("max_abuse=3"), "modprobe abuse max_abuse=3");
	for (int i = 0; i < 3; i++) {
		d = device_of(i);
		ok(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)),
		   "device %d is there", i);
	}
	ok(access("/sys/block/abuse3", F_OK), "device 3 is not");
	is(device_add(&a), -ENOSPC, "ADD of any");
	a.number = 3;
	is(device_add(&a), -ENOSPC, "ADD of device 3");
	a.number = 2;
	is(device_add(&a), -EEXIST, "ADD of device 2");
	is(device_remove(2), 0, "REMOVE of device 2");
	is(device_add(&a), 0, "ADD of device 2 after that");

	for (int i = 0; i < 3; i++) {
		d = device_of(i);
		fd = server_open(&d);
		p = params_of(1 * MIB);
		is(set_params(fd, &p), 0, "set-up");
		close(fd);
	}
	is(device_get_free(), -ENOSPC, "GET_FREE with all of them up");
	unlink("/dev/abuse-test-node");
	need(!mknod("/dev/abuse-test-node", S_IFCHR | 0600,
		    makedev(ABUSECTL_MAJOR, 3)), "mknod");
	ok(open("/dev/abuse-test-node", O_RDWR) < 0 &&
	   (errno == ENODEV || errno == ENXIO), "a hand-made node of number 3");
	unlink("/dev/abuse-test-node");
	for (int i = 0; i < 3; i++) {
		d = device_of(i);
		fd = server_open(&d);
		is(reset(fd), 0, "RESET");
		close(fd);
	}
	/* udev may still look at the disks that were reset. */
	ok(wait_for(!shell("modprobe -r abuse")), "it unloads");
	ok(shell("modprobe abuse max_abuse=-1 2>/dev/null") != 0, "max_abuse=-1 is refused");
	ok(shell("modprobe abuse max_abuse=2000000 2>/dev/null") != 0,
	   "max_abuse=2000000 is refused");
	ok(access("/sys/module/abuse", F_OK) != 0, "nothing is loaded");
	return done();
}
