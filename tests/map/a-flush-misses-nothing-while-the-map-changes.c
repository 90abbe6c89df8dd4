/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Ranges come and go, with files that are registered anew, while writers flush what they have
 * just written: it is then in the store of the disk below, out of the page cache that the map
 * wrote it into, or at the server of the upper disk. Each page that a writer wrote is its own.
 * While one file of the whole disk replaces another, no request goes to a server: there is none.
 */
/* timeout: 120 */
#include "map.h"
#include "recorder.h"

#define SIZE		(1 * MIB)
#define WRITERS		3
#define PAGES		(SIZE / 4096)
#define SECONDS		6

static struct device upper, lower;
static unsigned char *served, *stored;
static _Atomic bool over;
static _Atomic unsigned long by_map, by_server, lost, failed;

/* The writer's own pages, so that the same page is not written by two. */
static int writer(void *arg)
{
	unsigned int number = *(unsigned int *)arg, page = number, seed = number;
	unsigned char *bytes = memory_new(4096);
	int fd = disk_open(&upper, O_RDWR | O_DIRECT);

	while (!over) {
		uint64_t offset = page * 4096UL;

		pattern_fill(bytes, 4096, seed);
		if (pwrite(fd, bytes, 4096, offset) != 4096 || fsync(fd))
			failed++;
		else if (!memcmp(stored + offset, bytes, 4096))
			by_map++;
		else if (!memcmp(served + offset, bytes, 4096))
			by_server++;
		else
			lost++;
		page = page + WRITERS < PAGES ? page + WRITERS : number;
		seed += WRITERS;
	}
	close(fd);
	return 0;
}

/* All of the disk, one half of it, or none. */
static unsigned long change(int ctl)
{
	static const uint64_t lengths[] = { SIZE, SIZE / 2 };
	double end = now() + SECONDS;
	unsigned long changes = 0;

	while (now() < end && !lost) {
		int fd = disk_open(&lower, O_RDWR), index = registered(ctl, fd);

		close(fd);
		need(!map_bytes(ctl, index, 0, lengths[changes % 2], MAP_W), "MAP");
		nap_ms(changes % 5);
		need(!map_one(ctl, entry_clear(0, SIZE / 512, MAP_W)), "CLEAR");
		need(!file_unregister(ctl, index), "UNREGISTER_FILE");
		nap_ms(changes % 3);
		changes++;
	}
	return changes;
}

/* All of the disk, by one descriptor of the file and the other in turn; one of them with other rights, too. */
static unsigned long replace(int ctl)
{
	int fds[2] = { disk_open(&lower, O_RDWR), disk_open(&lower, O_RDWR) };
	unsigned int files[2] = { registered(ctl, fds[0]), registered(ctl, fds[1]) };
	double end = now() + SECONDS;
	unsigned long changes;

	for (changes = 0; now() < end; changes++)
		need(!map_bytes(ctl, files[changes % 2], 0, SIZE, changes % 2 ? MAP_RW : MAP_W), "MAP");
	close(fds[0]);
	close(fds[1]);
	return changes;
}

static void writers_run(int ctl, unsigned long (*change_it)(int ctl))
{
	static unsigned int numbers[WRITERS];
	struct job writers[WRITERS];
	unsigned long changes;

	over = false;
	by_map = by_server = 0;
	for (unsigned int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		job_start(&writers[i], writer, &numbers[i]);
	}
	changes = change_it(ctl);
	over = true;
	for (unsigned int i = 0; i < WRITERS; i++)
		job_wait(&writers[i], "a writer");
	printf("# %lu changes; pages flushed: %lu by the map, %lu by the server\n", changes, by_map, by_server);
	is(lost, 0, "pages that a FLUSH missed");
	is(failed, 0, "writes and flushes that failed");
}

int main(void)
{
	struct ram *above, *below;
	int ctl, keep;

	test_begin();
	lower = device_new();
	upper = device_new();
	stored = memory_new(SIZE);
	served = memory_new(SIZE);
	set_up(&lower, SIZE, ABUSE_F_WRITE_CACHE);
	set_up(&upper, SIZE, ABUSE_F_WRITE_CACHE);
	below = ram_start(&lower, stored, SIZE);
	above = ram_start(&upper, served, SIZE);
	/* The last close would write back. */
	keep = disk_open(&lower, O_RDWR);
	ctl = server_open(&upper);
	writers_run(ctl, change);
	ok(by_map > 10 && by_server > 10, "some went by the map, some by the server");

	need(!map_bytes(ctl, registered(ctl, keep), 0, SIZE, MAP_W), "MAP of the whole disk");
	ram_stop(above);
	writers_run(ctl, replace);
	is(by_server, 0, "pages at a server");
	close(ctl);
	close(keep);
	ram_stop(below);
	return done();
}
