/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * With max_part a sealed device's partitions appear when its first server
 * waits, are read and written where they lie, and go with RESET; one that is not
 * sealed is not scanned; without max_part none is.
 */
/* timeout: 120 */
#include "abuse.h"

#define SIZE	(16 * MIB)

static unsigned char *store;

/* A table of two Linux partitions: 1 MiB at 1 MiB, 4 MiB at 2 MiB. */
static void write_table(void)
{
	static const unsigned int start[2] = { 2048, 4096 }, count[2] = { 2048, 8192 };

	memset(store, 0, SIZE);
	for (int i = 0; i < 2; i++) {
		unsigned char *entry = store + 446 + 16 * i;

		entry[4] = 0x83;
		for (int k = 0; k < 4; k++) {
			entry[8 + k] = start[i] >> 8 * k;
			entry[12 + k] = count[i] >> 8 * k;
		}
	}
	store[510] = 0x55;
	store[511] = 0xaa;
}

static bool has_partition(const struct device *d, int n)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/abuse%u/abuse%up%d", d->number,
		 d->number, n);
	return !access(path, F_OK);
}

static void set_up_sealed(const struct device *d, bool sealed)
{
	struct abuse_params p = params_of(SIZE);

	p.flags = sealed ? ABUSE_PARAMS_SEALED : 0;
	set_up_as(d, &p);
}

int main(void)
{
	struct device d, part;
	struct ram *ram;
	unsigned long reads;
	int fd, partition = -1;

	test_begin();
	store = memory_new(SIZE);
	need(!module_reload("max_part=15"), "modprobe abuse max_part=15");
	d = device_new();
	fd = server_open(&d);

	for (int round = 0; round < 3; round++) {
		write_table();
		set_up_sealed(&d, true);
		is(attribute_number(&d, "ready"), 0, "not ready before a server waits");
		ok(!has_partition(&d, 1), "no partition before a server waits");
		ram = ram_start(&d, store, SIZE);
		ok(wait_for(has_partition(&d, 1) && has_partition(&d, 2)),
		   "two partitions when it does");
		ok(!has_partition(&d, 3), "and no third one");
		is(attribute_number(&d, "ready"), 1, "ready");
		part = d;
		snprintf(part.disk, sizeof(part.disk), "/dev/abuse%up2", d.number);
		ok(wait_for(!access(part.disk, F_OK)), "node of the second");
		is(disk_size(&part), 4 * MIB, "its size");
		is(io_end(io_write(&part, 4096, 8192, 9)), 0, "a write to it");
		ok(pattern_is(store + 2 * MIB + 4096, 8192, 9), "is where it lies");
		if (round == 1)		/* RESET with a partition open */
			partition = disk_open(&part, O_RDONLY);
		is(reset(fd), 0, "RESET");
		if (round != 1)
			ok(wait_for(!has_partition(&d, 1) && !has_partition(&d, 2)),
			   "RESET takes them away");
		else
			ok(io_end(io_read(&part, 0, 4096)) > 0,
			   "an open one fails all I/O");
		ram_stop(ram);
		if (round == 1) {
			close(partition);
			ok(wait_for(!has_partition(&d, 1) && !has_partition(&d, 2)),
			   "and they go when it is closed");
		}
	}

	/* Not sealed. */
	write_table();
	set_up_sealed(&d, false);
	ram = ram_start(&d, store, SIZE);
	ok(wait_for(attribute_number(&d, "ready") == 1), "ready");
	reads = ram->served[ABUSE_OP_READ];
	is(io_end(io_read(&d, 0, 4096)), 0, "a read");
	ok(!wait_for_within(1, has_partition(&d, 1)), "no partition of one not sealed");
	is(ram->served[ABUSE_OP_READ] - reads, 1, "reads that the server saw");
	is(reset(fd), 0, "RESET");
	ram_stop(ram);
	close(fd);
	is(device_remove(d.number), 0, "REMOVE");

	/* Numbers of disks leave room for partitions. */
	d = device_of(3);
	{
		struct stat st;

		ok(!stat(d.disk, &st) && minor(st.st_rdev) == 3 * 16,
		   "minor of abuse3 is 48");
		ok(!stat(d.node, &st) && minor(st.st_rdev) == 3,
		   "minor of abctl3 is 3");
	}

	need(!module_reload("%s", ""), "modprobe abuse");
	d = device_new();
	write_table();
	set_up_sealed(&d, true);
	ram = ram_start(&d, store, SIZE);
	ok(wait_for(attribute_number(&d, "ready") == 1), "ready");
	is(io_end(io_read(&d, 0, 4096)), 0, "a read");
	ok(!wait_for_within(1, has_partition(&d, 1)), "no partition without max_part");
	ram_stop(ram);
	return done();
}
