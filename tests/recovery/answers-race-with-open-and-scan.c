/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a sealed device with a partition table, opening, closing and re-reading the
 * table race with writers, with servers that come and go, and with RESET: nothing hangs,
 * no byte is wrong, and partitions are there when it ends.
 */
/* timeout: 120 */
#include "race.h"

static struct race *r;
static _Atomic unsigned long scans, refused, opens;

static int scanner(void *arg)
{
	(void)arg;
	while (!r->stop) {
		int fd = open(r->d.disk, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			nap_ms(1);
			continue;
		}
		/* A partition is open, the device is empty or was reset meanwhile. */
		if (!ioctl(fd, BLKRRPART))
			scans++;
		else if (errno == EBUSY || errno == EINVAL || errno == ENXIO || errno == EIO)
			refused++;
		else
			race_note(r, errno, "BLKRRPART");
		close(fd);
		nap_ms(1);
	}
	return 0;
}

static int opener(void *arg)
{
	char part[64];
	unsigned char *data = memory_new(4096);

	(void)arg;
	snprintf(part, sizeof(part), "%sp1", r->d.disk);
	while (!r->stop) {
		int fd = open(opens % 2 ? part : r->d.disk, O_RDONLY | O_CLOEXEC);

		opens++;
		if (fd < 0) {
			nap_ms(1);
			continue;
		}
		if (opens % 3 == 0 && pread(fd, data, 4096, 0) < 0 && errno != EIO)
			r->wrong++;
		close(fd);
	}
	return 0;
}

/* One partition of 1 MiB at 2 MiB, beyond what the writers write; they keep off the table. */
static void partition(unsigned char *store)
{
	static const unsigned char entry[16] = {
		0, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x08, 0, 0,
	};

	memcpy(store + 446, entry, 16);
	store[510] = 0x55;
	store[511] = 0xaa;
}

static bool has_partition(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/abuse%u/abuse%up1", r->d.number,
		 r->d.number);
	return !access(path, F_OK);
}

int main(void)
{
	struct abuse_params p = params_of(RACE_SIZE);
	unsigned long n = 0;
	struct device d;
	struct ram *ram;
	double begin;
	int fd, bad = 0;

	test_begin();
	need(!module_reload("max_part=15"), "the module with max_part=15");
	d = device_new_depth(2, 32);
	r = race_new(d, true);
	r->begin = 1 * MIB;
	partition(r->store);
	p.flags = ABUSE_PARAMS_SEALED;
	set_up_as(&d, &p);
	fd = server_open(&d);
	race_job(r, race_server_main, r);
	race_job(r, race_quitter_main, r);
	race_job(r, scanner, NULL);
	race_job(r, opener, NULL);
	race_job(r, opener, NULL);
	race_writers(r);
	for (begin = now(); race_goes_on(r, begin, n); n++) {
		unsigned long before = r->answered;

		bad += reset(fd) != 0;
		/* The table must be gone before set-up; something may still close it. */
		need(wait_for(set_params(fd, &p) != -EBUSY), "set-up");
		if (n % 2)
			need(wait_for(r->answered > before + n % 5), "scans to read");
	}
	is(bad, 0, "RESETs that failed");
	race_end(r, "RESET and set up", n);
	ok(scans > 0, "the table was read again (%lu times, refused %lu times, %lu opens)",
	   scans, refused, opens);
	need(!reset(fd), "RESET");
	need(wait_for(set_params(fd, &p) != -EBUSY), "set-up");
	ram = ram_start(&d, r->store, RACE_SIZE);
	ok(wait_for(has_partition()), "the partition is there once it is served again");
	ram_stop(ram);
	is(reset(fd), 0, "RESET");
	close(fd);
	is(device_remove(d.number), 0, "REMOVE");
	return done();
}
