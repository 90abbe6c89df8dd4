// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The maps of DELTA: which chunks it has. They are read where they are mapped, which
 * all servers see alike, and set by writing the file, so that a full disk is an error
 * and no signal. Bits are set and never taken back.
 */
#include "cow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE	4096			/* bytes of a map that are written at once */

static bool bit_is_set(const uint8_t *bits, uint64_t chunk)
{
	/* A reader that sees the bit also sees the data. */
	return __atomic_load_n(&bits[chunk / COW_GROUP], __ATOMIC_ACQUIRE) >>
	       chunk % COW_GROUP & 1;
}

static int read_boot(char boot[COW_BOOT_LEN])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = store_read(fd, boot, 0, COW_BOOT_LEN);
	close(fd);
	return ret;
}

/* After a restart of the machine, the live map may name chunks whose data was lost. */
static int restart(const struct cow_map *map)
{
	uint64_t length = cow_map_length(map->size), at, nr;
	int ret = 0;

	for (at = 0; at < length && !ret; at += nr) {
		nr = length - at < PIECE ? length - at : PIECE;
		if (memcmp(map->live + at, map->durable + at, nr))
			ret = store_write(map->fd, map->durable + at,
					  cow_live(map->size) + at, nr);
	}
	return ret;
}

/* The first server of this boot sees to that, any others wait meanwhile. */
static int begin(const struct cow_map *map)
{
	uint64_t stamp = cow_stamp(map->size);
	char boot[COW_BOOT_LEN], found[COW_BOOT_LEN];
	int ret;

	ret = read_boot(boot);
	if (ret)
		return ret;
	ret = cow_lock_file(map->fd, F_WRLCK, stamp, stamp + COW_BOOT_LEN);
	if (ret)
		return ret;
	ret = store_read(map->fd, found, stamp, COW_BOOT_LEN);
	if (!ret && memcmp(boot, found, COW_BOOT_LEN)) {
		ret = restart(map);
		if (!ret)
			ret = store_write(map->fd, boot, stamp, COW_BOOT_LEN);
	}
	cow_lock_file(map->fd, F_UNLCK, stamp, stamp + COW_BOOT_LEN);
	return ret;
}

/*
 * The live map may name bytes that were lost just now, and a file opened from now on
 * is not told of that: who comes next is to begin as after a restart.
 */
static void distrust(const struct cow_map *map)
{
	static const char none[COW_BOOT_LEN];
	uint64_t stamp = cow_stamp(map->size);

	if (cow_lock_file(map->fd, F_WRLCK, stamp, stamp + COW_BOOT_LEN))
		return;
	store_write(map->fd, none, stamp, COW_BOOT_LEN);
	cow_lock_file(map->fd, F_UNLCK, stamp, stamp + COW_BOOT_LEN);
}

int cow_map_open(struct cow_map *map, int fd, uint64_t size)
{
	size_t length = cow_map_length(size);
	char *mapped;
	int ret;

	*map = (struct cow_map) { .fd = fd, .size = size };
	mapped = mmap(NULL, cow_data(size) - COW_DURABLE, PROT_READ, MAP_SHARED, fd,
		      (off_t)COW_DURABLE);
	if (mapped == MAP_FAILED)
		return -errno;
	map->mapped = mapped;
	map->durable = (uint8_t *)mapped;
	map->live = (uint8_t *)mapped + (cow_live(size) - COW_DURABLE);
	ret = begin(map);
	map->seen = ret ? NULL : calloc(2, length);
	if (!map->seen) {
		munmap(mapped, cow_data(size) - COW_DURABLE);
		return ret ? ret : -ENOMEM;
	}
	map->synced = map->seen + length;
	pthread_mutex_init(&map->persisting, NULL);
	return 0;
}

void cow_map_close(struct cow_map *map)
{
	munmap(map->mapped, cow_data(map->size) - COW_DURABLE);
	free(map->seen);
	pthread_mutex_destroy(&map->persisting);
}

bool cow_map_look(const struct cow_map *map, uint64_t chunk, uint64_t *end)
{
	/* Looked at once: it may be added at any time, what follows is another matter. */
	bool is_there = bit_is_set(map->live, chunk);

	while (++chunk < *end)
		if (bit_is_set(map->live, chunk) != is_there)
			*end = chunk;
	return is_there;
}

/* Chunks of one byte exclude each other: setting a bit writes them all. */
struct cow_range cow_map_range(const struct cow_map *map, uint64_t first, uint64_t end)
{
	uint64_t live = cow_live(map->size);

	return (struct cow_range) {
		.first = live + first / COW_GROUP,
		.end = live + (end - 1) / COW_GROUP + 1,
	};
}

int cow_map_add(struct cow_map *map, uint64_t first, uint64_t end)
{
	uint64_t live = cow_live(map->size), at, byte;
	uint8_t piece[PIECE];
	int ret = 0;

	while (first < end && !ret) {
		at = first / COW_GROUP;
		memset(piece, 0, sizeof(piece));
		for (; first < end && first / COW_GROUP - at < PIECE; first++)
			piece[first / COW_GROUP - at] |= (uint8_t)(1 << first % COW_GROUP);
		byte = (first - 1) / COW_GROUP + 1;
		for (uint64_t i = at; i < byte; i++)
			piece[i - at] |= map->live[i];
		ret = store_write(map->fd, piece, live + at, byte - at);
	}
	return ret;
}

bool cow_map_is_synced(const struct cow_map *map, uint64_t first, uint64_t end)
{
	while (first < end && bit_is_set(map->synced, first))
		first++;
	return first == end;
}

bool cow_map_is_durable(const struct cow_map *map)
{
	return !memcmp(map->live, map->durable, cow_map_length(map->size));
}

/* Adds to the durable map what was seen; other processes do so, too. */
static int take_over(struct cow_map *map)
{
	uint64_t length = cow_map_length(map->size), at, nr, i;
	uint8_t piece[PIECE];
	int ret;

	ret = cow_lock_file(map->fd, F_WRLCK, COW_DURABLE, COW_DURABLE + length);
	if (ret)
		return ret;
	for (at = 0; at < length && !ret; at += nr) {
		nr = length - at < PIECE ? length - at : PIECE;
		for (i = 0; i < nr; i++)
			piece[i] = map->durable[at + i] | map->seen[at + i];
		if (memcmp(piece, map->durable + at, nr))
			ret = store_write(map->fd, piece, COW_DURABLE + at, nr);
	}
	cow_lock_file(map->fd, F_UNLCK, COW_DURABLE, COW_DURABLE + length);
	return ret;
}

int cow_map_persist(struct cow_map *map, struct store *delta)
{
	uint64_t length = cow_map_length(map->size);
	bool is_new, has_failed;
	int ret;

	pthread_mutex_lock(&map->persisting);
	memcpy(map->seen, map->live, length);
	is_new = memcmp(map->seen, map->durable, length);
	has_failed = delta->flush_error;
	ret = store_sync(delta);
	/* Once: others may have begun anew since. */
	if (ret && !has_failed)
		distrust(map);
	if (!ret && is_new)
		ret = take_over(map);
	if (!ret && is_new)
		ret = store_sync(delta);
	if (!ret)
		memcpy(map->synced, map->seen, length);
	pthread_mutex_unlock(&map->persisting);
	return ret;
}
