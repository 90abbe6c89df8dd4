/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* Memory that goes to swap space on the disk of a device, and has to come back from there. */
#ifndef TESTS_SWAP_H
#define TESTS_SWAP_H

#include "abuse.h"
#include <sys/swap.h>

#define PAGE	4096
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

static const char *swap_disk;

static inline void swap_at_exit(void)
{
	if (getpid() == test_main_pid)
		swapoff(swap_disk);
}

/* d stays for as long as the program. */
static inline void swap_begin(const struct device *d)
{
	swap_disk = d->disk;
	atexit(swap_at_exit);
	need(!shell("mkswap %s >/dev/null", d->disk) && !swapon(d->disk, 0), "swap space");
}

/* Anonymous memory with that pattern. */
static inline unsigned char *swap_memory(size_t size, unsigned int seed)
{
	unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED, "memory");
	pattern_fill(p, size, seed);
	return p;
}

/* Of memory, or of a file that is mapped. */
static inline unsigned int pages_in_memory(void *p, size_t size)
{
	unsigned char *there = memory_new(size / PAGE);
	unsigned int n = 0;

	need(!mincore(p, size, there), "mincore");
	for (size_t i = 0; i < size / PAGE; i++)
		n += there[i] & 1;
	munmap(there, size / PAGE);
	return n;
}

static inline unsigned long swapped_out_pages(void)
{
	char line[128];
	unsigned long pages = 0;
	FILE *file = fopen("/proc/vmstat", "re");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "pswpout %lu", &pages);
	if (file)
		fclose(file);
	return pages;
}

/* Writes most pages to swap space; they stay in memory, too. Returns how many. */
static inline unsigned long swap_write(void *p, size_t size)
{
	unsigned long before = swapped_out_pages(), out = 0;

	need(!madvise(p, size, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	need(wait_for((out = swapped_out_pages() - before) > size / PAGE / 2), "pages to be swapped out");
	return out;
}

/* Drops most pages that swap_write() wrote: once read again they need not be written again. */
static inline void swap_drop(volatile unsigned char *p, size_t size)
{
	for (unsigned int i = 0; i < 100 && pages_in_memory((void *)p, size) > size / PAGE / 2; i++) {
		nap_ms(100);
		for (size_t at = 0; at < size; at += PAGE)
			(void)p[at];
		need(!madvise((void *)p, size, MADV_PAGEOUT), "MADV_PAGEOUT: %m");
	}
	need(pages_in_memory((void *)p, size) <= size / PAGE / 2, "pages to leave memory");
}

#endif /* TESTS_SWAP_H */
