/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The module unloads and loads 200 times, now and then after I/O was served and
 * with a device more or less, and leaves neither node nor major behind.
 */
/* timeout: 600 */
#include "abuse.h"

#define TIMES 200

static int serve_once(void)
{
	struct device d = device_of(0);
	struct ram *ram;
	unsigned char *store = memory_new(1 * MIB);
	int fd, error;

	if (!wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)))
		return -1;
	set_up(&d, 1 * MIB, 0);
	ram = ram_start(&d, store, 1 * MIB);
	error = io_end(io_write(&d, 0, 65536, 3));
	error |= !pattern_is(store, 65536, 3);
	ram_stop(ram);
	fd = server_open(&d);
	error |= reset(fd);
	close(fd);
	munmap(store, 1 * MIB);
	return error;
}

int main(void)
{
	int unloads = 0, loads = 0, served = 0, tried = 0;

	test_begin();
	for (int i = 0; i < TIMES; i++) {
		if (i % 20 == 0) {
			tried++;
			served += !serve_once();
		}
		unloads += wait_for(!shell("rmmod abuse 2>/dev/null"));
		loads += !shell("modprobe abuse %s", i % 10 == 9 ? "" : "max_abuse=1");
		if (loads <= i || unloads <= i)
			break;
	}
	is(unloads, TIMES, "times unloaded");
	is(loads, TIMES, "times loaded");
	is(served, tried, "times that it served in between");
	ok(wait_for(!shell("rmmod abuse 2>/dev/null")), "unloaded at last");
	is(shell("grep -q abuse /proc/devices"), 1, "a major of ours in /proc/devices");
	ok(access("/dev/abuse0", F_OK) && access("/dev/abuse-control", F_OK),
	   "no node is left");
	is(shell("modprobe abuse"), 0, "loaded for the next test");
	return done();
}
