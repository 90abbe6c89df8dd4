/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A disk has 1,000,000 ranges: they are charged to who maps them, at most 64 bytes each, each READ
 * finds its own, and 10,000 of them a second change while others read. RESET frees them all.
 */
/* timeout: 240 */
#include <sys/utsname.h>

#include "cgroup.h"
#include "map.h"

#define NR		1000000
#define MOST		512		/* that one call takes */
#define DISK		(2ULL * NR * 512)
#define FILE_SIZE	(16 * MIB)
#define SECTORS		(FILE_SIZE / 512)
#define READS		200
#define SECONDS		3
#define RATE		10000		/* ranges a second */

static struct device dev;
static int ctl, file;
static struct {
	_Atomic bool is_over;
	_Atomic unsigned long nr_reads, nr_wrong;
	long long charged;
} *s;

/* Kernel memory for objects, in bytes. */
static long long charged(void)
{
	FILE *stat = fopen(CGROUP "/memory.stat", "re");
	char name[64];
	long long n, slab = -1;

	need(stat, "memory.stat");
	while (fscanf(stat, "%63s %lld", name, &n) == 2)
		if (!strcmp(name, "slab"))
			slab = n;
	fclose(stat);
	need(slab >= 0, "slab in memory.stat");
	return slab;
}

/* Where in the file range n lies; no two neighbours follow each other. */
static uint64_t place(unsigned int n, unsigned int turn)
{
	return (n * 7919ULL + turn) % SECTORS;
}

static bool map_some(unsigned int from, unsigned int turn)
{
	struct abuse_map_entry entries[MOST];
	unsigned int n = NR - from < MOST ? NR - from : MOST;

	for (unsigned int i = 0; i < n; i++)
		entries[i] = entry(2ULL * (from + i), 1, file, place(from + i, turn) * 512, MAP_R);
	return !map_entries(ctl, entries, n);
}

/* Each sector of the file has its number. */
static int file_of_numbers(void)
{
	int fd = file_new("/dev/shm", FILE_SIZE, 0, O_RDWR);

	for (uint64_t i = 0; i < SECTORS; i++)
		need(pwrite(fd, &i, sizeof(i), i * 512) == sizeof(i), "a number");
	return fd;
}

static bool is_found(int disk, void *buffer, unsigned int n, unsigned int turn)
{
	return pread(disk, buffer, 512, n * 1024ULL) == 512 &&
	       *(uint64_t *)buffer == place(n, turn);
}

static int fill(void *unused)
{
	long long before;
	unsigned int n;

	(void)unused;
	cgroup_join();
	before = charged();
	for (n = 0; n < NR && map_some(n, 0); n += MOST)
		;
	s->charged = charged() - before;
	return n < NR;
}

/* Reads all the while, in the half that does not change. */
static int read_on(void *unused)
{
	int disk = disk_open(&dev, O_RDONLY | O_DIRECT);
	void *buffer = memory_new(4096);

	(void)unused;
	for (unsigned int n = 1; !s->is_over; n = n * 48271ULL % 2147483647) {
		if (!is_found(disk, buffer, n % (NR / 2), 0))
			s->nr_wrong++;
		s->nr_reads++;
	}
	return 0;
}

static void they_are_found(void)
{
	int disk = disk_open(&dev, O_RDONLY | O_DIRECT), found = 0;
	void *buffer = memory_new(4096);
	struct hits before = hits_of(&dev);

	for (unsigned int i = 0; i < READS; i++)
		found += is_found(disk, buffer, i * (NR / READS) + i % 7, 0);
	is(found, READS, "ranges that READs find");
	is(hits_of(&dev).in_place + hits_of(&dev).by_worker - before.in_place - before.by_worker,
	   READS, "without a server");
	close(disk);
}

static void they_change(void)
{
	unsigned long changed = 0, turn = 0;
	pid_t reader = child_start(read_on, NULL);
	double begin = now(), seconds;

	need(wait_for(s->nr_reads > 10), "a reader");
	for (begin = now(); (seconds = now() - begin) < stretched(SECONDS); changed += MOST) {
		unsigned int from = NR / 2 + changed % (NR / 2 - MOST);

		turn += from == NR / 2;
		if (!map_some(from, turn + 1))
			break;
	}
	s->is_over = true;
	is(child_wait(reader), 0, "the reader");
	printf("# %lu ranges changed in %.1f s, %lu reads meanwhile\n", changed, seconds, s->nr_reads);
	ok(changed / seconds >= RATE / stretched(1), "10,000 a second change");
	is(s->nr_wrong, 0, "reads meanwhile that found another range");
	is(attribute_number(&dev, "map_extents"), NR, "ranges afterwards");
}

int main(void)
{
	struct abuse_params params = params_of(DISK);
	struct utsname system;
	int fd;

	test_begin();
	need(!uname(&system), "the kernel's name");
	if (strstr(system.release, "-abuse-check"))
		skip("objects of a kernel that checks itself are larger, and its calls slower");
	cgroup_new();
	s = memory_new(sizeof(*s));
	fd = file_of_numbers();
	dev = device_new();
	ctl = server_open(&dev);
	need(!set_params(ctl, &params), "a disk of %llu bytes", DISK);
	file = registered(ctl, fd);
	is(child_wait(child_start(fill, NULL)), 0, "1,000,000 ranges");
	is(attribute_number(&dev, "map_extents"), NR, "they are counted");
	ok(s->charged > 0 && s->charged <= 64LL * NR * 102 / 100,
	   "%lld bytes are charged, %lld at most", s->charged, 64LL * NR);
	they_are_found();
	they_change();
	is(reset(ctl), 0, "RESET");
	ok(wait_for(charged() < 4 * (long long)MIB), "the ranges are freed: %lld bytes", charged());
	close(ctl);
	return done();
}
