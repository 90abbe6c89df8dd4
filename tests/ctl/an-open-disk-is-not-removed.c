/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * REMOVE is EBUSY while the disk is open, whether the device is up or empty, and
 * then the device serves on; once it is closed REMOVE works, with a
 * server waiting or not. There is no device after that (ENODEV).
 */
#include "abuse.h"

int main(void)
{
	struct device d;
	struct ram *ram;
	char *store = memory_new(1 * MIB);
	int disk;

	test_begin();
	d = device_new();
	disk = disk_open(&d, O_RDONLY);
	is(device_remove_once(d.number), -EBUSY, "REMOVE, empty and open");
	set_up(&d, 1 * MIB, 0);
	is(device_remove_once(d.number), -EBUSY, "REMOVE, up and open");
	ram = ram_start(&d, store, 1 * MIB);
	is(io_end(io_write(&d, 0, 65536, 1)), 0, "it serves a write");
	ok(pattern_is(store, 65536, 1), "its bytes");
	is(device_remove_once(d.number), -EBUSY, "REMOVE, served and open");
	ok(!strcmp(attribute(&d, "state"), "up"), "it is still up");
	is(io_end(io_read(&d, 0, 65536)), 0, "it serves a read");
	close(disk);
	is(device_remove(d.number), 0, "REMOVE after the close");
	ok(wait_for(ram->error), "its server is told");
	is(ram->error, -ENODEV, "what it is told");
	ram_stop(ram);
	is(device_remove_once(d.number), -ENODEV, "REMOVE again");
	ok(access("/sys/class/abuse", F_OK) == 0 && !*attribute(&d, "state"),
	   "it is gone from sysfs");
	return done();
}
