/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The module does not unload while a device is up, or a control node or a
 * disk is open, and what is up serves on; after RESET and close it does.
 */
#include "abuse.h"

#define BUSY "rmmod abuse 2>&1 | grep -q 'in use'"

int main(void)
{
	struct device d;
	struct ram *ram;
	char *store = memory_new(1 * MIB);
	int fd;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	is(shell(BUSY), 0, "EBUSY while a control node is open");
	close(fd);
	fd = disk_open(&d, O_RDONLY);
	is(shell(BUSY), 0, "EBUSY while a disk is open");
	close(fd);
	set_up(&d, 1 * MIB, 0);
	is(shell(BUSY), 0, "EBUSY while a device is up, nothing open");
	ram = ram_start(&d, store, 1 * MIB);
	is(io_end(io_write(&d, 0, 4096, 1)), 0, "it serves on");
	ram_stop(ram);
	fd = server_open(&d);
	is(reset(fd), 0, "RESET");
	close(fd);
	ok(wait_for(!shell("rmmod abuse 2>/dev/null")), "then it unloads");
	ok(access("/sys/module/abuse", F_OK) && access("/sys/class/abuse", F_OK) &&
	   wait_for(access("/dev/abuse0", F_OK) && access("/dev/abctl0", F_OK) &&
		    access("/dev/abuse-control", F_OK)), "nothing of it is left");
	is(shell("modprobe abuse"), 0, "it loads again");
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	ram = ram_start(&d, store, 1 * MIB);
	is(io_end(io_write(&d, 0, 4096, 1)), 0, "and serves");
	ram_stop(ram);
	/* A device that is up holds the module just once. */
	fd = server_open(&d);
	is(reset(fd), 0, "RESET");
	is(reset(fd), 0, "RESET of what is empty");
	close(fd);
	is(device_remove(d.number), 0, "REMOVE");
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	is(device_remove(d.number), 0, "REMOVE of what is up");
	ok(wait_for(!shell("rmmod abuse 2>/dev/null")), "it unloads");
	is(shell("modprobe abuse"), 0, "it loads again");
	return done();
}
