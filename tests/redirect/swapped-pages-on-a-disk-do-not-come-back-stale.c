/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Pages that are swapped out to a mapped disk come back as they were, also if somebody reads the
 * former bytes of their place into the page cache of that disk while they are written.
 */
#include "map.h"
#include "swap.h"

#define STORE	(8 * MIB)
#define BYTES	(1 * MIB)
#define SERVERS	4

static struct device below, above;
static unsigned char *store;
static int cached;			/* the disk below, through its page cache */
static pthread_mutex_t reader = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool reads_first;
static _Atomic unsigned int raced;	/* writes */

/* While one server reads the place of a write through the disk, the others serve that read. */
static void read_before(const struct abuse_request *q)
{
	unsigned char *former;

	if (!reads_first || pthread_mutex_trylock(&reader))
		return;
	former = memory_new(q->length);
	need(pread(cached, former, q->length, q->sector * 512) == (ssize_t)q->length, "the former bytes");
	munmap(former, q->length);
	raced++;
	pthread_mutex_unlock(&reader);
}

static void *server_main(void *unused)
{
	unsigned char *buffer = memory_new(RAM_BUFFER);
	struct abuse_request q;
	int fd = server_open(&below);

	(void)unused;
	while (fetch(fd, &q, 1, buffer, RAM_BUFFER, FOR_EVER) == 1) {
		unsigned char *place = store + q.sector * 512;

		if (q.op == ABUSE_OP_WRITE) {
			read_before(&q);
			memcpy(place, buffer + q.offset, q.length);
		}
		need(!reply(fd, q.id, 0, q.op == ABUSE_OP_READ ? place : NULL), "to complete a request");
	}
	close(fd);
	return NULL;
}

int main(void)
{
	pthread_t servers[SERVERS];
	unsigned char *pages;
	int lower, upper;

	test_begin();
	store = memory_new(STORE);
	below = device_new();
	set_up(&below, STORE, 0);
	for (unsigned int i = 0; i < SERVERS; i++)
		need(!pthread_create(&servers[i], NULL, server_main, NULL), "a thread");
	cached = disk_open(&below, O_RDONLY);
	lower = disk_open(&below, O_RDWR);
	above = device_new();
	set_up(&above, STORE, 0);
	upper = server_open(&above);
	is(map_bytes(upper, registered(upper, lower), 0, STORE, MAP_ALL), 0, "MAP");
	swap_begin(&above);

	pages = swap_memory(BYTES, 5);
	need(!fdatasync(lower) && !posix_fadvise(lower, 0, 0, POSIX_FADV_DONTNEED), "an empty cache");
	reads_first = true;
	swap_write(pages, BYTES);
	swap_drop(pages, BYTES);
	reads_first = false;
	printf("# %u writes had their place read meanwhile\n", raced);
	ok(raced > 0, "their place is read while they are written");
	ok(pattern_is(pages, BYTES, 5), "they come back as they were");

	is(swapoff(above.disk), 0, "swapoff");
	is(reset(upper), 0, "RESET");
	close(upper);
	close(lower);
	close(cached);
	upper = server_open(&below);
	is(reset(upper), 0, "RESET of the disk below");
	for (unsigned int i = 0; i < SERVERS; i++)
		pthread_join(servers[i], NULL);
	close(upper);
	return done();
}
