/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Pages that are swapped out to a mapped file go to its disk without a copy in the file's page cache, which
 * would need memory where there is none, and come back as they were.
 */
#include "map.h"
#include "swap.h"

#define BYTES	(16 * MIB)
#define STORE	(48 * MIB)

static struct device d;

static unsigned int cached_pages(int file)
{
	void *p = mmap(NULL, STORE, PROT_READ, MAP_SHARED, file, 0);
	unsigned int n;

	need(p != MAP_FAILED, "the file's pages");
	n = pages_in_memory(p, STORE);
	munmap(p, STORE);
	return n;
}

int main(void)
{
	unsigned long out;
	unsigned int cached;
	unsigned char *pages;
	int file, ctl;

	test_begin();
	file = file_new("/var/tmp", STORE, 1, O_RDWR);
	d = device_new();
	set_up(&d, STORE, 0);
	ctl = server_open(&d);
	is(map_bytes(ctl, registered(ctl, file), 0, STORE, MAP_ALL), 0, "MAP");
	swap_begin(&d);
	need(!fsync(file) && !posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), "an empty cache");
	cached = cached_pages(file);

	pages = swap_memory(BYTES, 5);
	out = swap_write(pages, BYTES);
	printf("# %lu pages went out, of the file %u were in memory before and %u are now\n", out, cached,
	       cached_pages(file));
	ok(cached_pages(file) < cached + out / 8, "the file's page cache does not grow by them");
	swap_drop(pages, BYTES);
	ok(pattern_is(pages, BYTES, 5), "they come back as they were");
	is(swapoff(d.disk), 0, "swapoff");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
