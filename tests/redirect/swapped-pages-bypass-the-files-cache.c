/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Pages that are swapped out to a mapped file go to its disk without a copy in the file's page cache, which
 * would need memory where there is none, and come back as they were.
 */
#include "map.h"
#include <sys/swap.h>

#define BYTES	(32 * MIB)
#define STORE	(48 * MIB)
#define PAGE	4096
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

static struct device d;

static void swap_off(void)
{
	if (getpid() == test_main_pid)
		swapoff(d.disk);
}

static unsigned long swapped_out_pages(void)
{
	char line[128];
	unsigned long pages = 0;
	FILE *file = fopen("/proc/vmstat", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "pswpout %lu", &pages);
	if (file)
		fclose(file);
	return pages;
}

static unsigned int cached_pages(int file)
{
	unsigned char there[STORE / PAGE];
	void *p = mmap(NULL, STORE, PROT_READ, MAP_SHARED, file, 0);
	unsigned int n = 0;

	need(p != MAP_FAILED && !mincore(p, STORE, there), "mincore");
	for (size_t i = 0; i < STORE / PAGE; i++)
		n += there[i] & 1;
	munmap(p, STORE);
	return n;
}

int main(void)
{
	unsigned long before, out;
	unsigned int cached;
	char *pages;
	int file, ctl;

	test_begin();
	atexit(swap_off);
	file = file_new("/var/tmp", STORE, 1, O_RDWR);
	d = device_new();
	set_up(&d, STORE, 0);
	ctl = server_open(&d);
	is(map_bytes(ctl, registered(ctl, file), 0, STORE, MAP_ALL), 0, "MAP");
	need(!shell("mkswap -q %s >/dev/null", d.disk) && !swapon(d.disk, 0), "swap space");
	need(!fsync(file) && !posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), "an empty cache");
	cached = cached_pages(file);

	pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(pages != MAP_FAILED, "memory");
	pattern_fill(pages, BYTES, 5);
	before = swapped_out_pages();
	need(!madvise(pages, BYTES, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	need(wait_for((out = swapped_out_pages() - before) > BYTES / PAGE / 2), "pages to be swapped out");
	printf("# %lu pages went out, of the file %u were in memory before and %u are now\n", out, cached,
	       cached_pages(file));
	ok(cached_pages(file) < cached + out / 8, "the file's page cache does not grow by them");
	ok(pattern_is(pages, BYTES, 5), "they come back as they were");
	is(swapoff(d.disk), 0, "swapoff");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
