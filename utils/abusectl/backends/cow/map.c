// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The maps of DELTA: which chunks it has. Bits are set and never taken back, so one
 * that was seen set needs no second look; any other is looked up in the file, where
 * servers set them. The file is read and written, not mapped: where it was cut, that is an
 * error and no signal.
 */
#include "cow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE	4096			/* bytes of a map that are read or written at once */

static bool bit_is_set(const uint8_t *bits, uint64_t chunk)
{
	/* A reader that sees the bit also sees the data. */
	return __atomic_load_n(&bits[chunk / COW_GROUP], __ATOMIC_ACQUIRE) >>
	       chunk % COW_GROUP & 1;
}

static uint64_t piece_at(uint64_t at, uint64_t end)
{
	return end - at < PIECE ? end - at : PIECE;
}

/* Takes over what other servers have set in these bytes of the live map. */
static int refresh(const struct cow_map *map, uint64_t at, uint64_t end)
{
	uint64_t live = cow_live(map->size), nr, i;
	uint8_t piece[PIECE];
	int ret = 0;

	for (; at < end && !ret; at += nr) {
		nr = piece_at(at, end);
		ret = store_read(map->fd, piece, live + at, nr);
		for (i = 0; i < nr && !ret; i++)
			if (piece[i])
				__atomic_or_fetch(&map->known[at + i], piece[i],
						  __ATOMIC_RELEASE);
	}
	return ret;
}

/* Is the live map (@use NULL) or @use other than the durable one? 0, 1, or -errno */
static int differs(const struct cow_map *map, const uint8_t *use)
{
	uint64_t length = cow_map_length(map->size), at, nr;
	uint8_t durable[PIECE], live[PIECE];
	int ret = 0;

	for (at = 0; at < length && !ret; at += nr) {
		nr = piece_at(at, length);
		ret = store_read(map->fd, durable, COW_DURABLE + at, nr);
		if (!ret && !use)
			ret = store_read(map->fd, live, cow_live(map->size) + at, nr);
		if (!ret)
			ret = !!memcmp(durable, use ? use + at : live, nr);
	}
	return ret;
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
	uint8_t piece[PIECE];
	int ret = 0;

	for (at = 0; at < length && !ret; at += nr) {
		nr = piece_at(at, length);
		ret = store_read(map->fd, piece, COW_DURABLE + at, nr);
		if (!ret)
			ret = store_write(map->fd, piece, cow_live(map->size) + at, nr);
	}
	return ret;
}

/*
 * The live map is of another boot, or of none. It is done with only if nobody serves by it:
 * another server may run where the boot has another id, as in a container, and a device
 * that is up was served in this boot, whatever the id.
 */
static int begin_boot(const struct cow_map *map, bool is_up, bool is_of_none)
{
	unsigned int number;
	int ret;

	if (store_is_locked(map->fd, &number) && !is_of_none)
		return -EBUSY;
	ret = differs(map, NULL);
	if (ret <= 0)
		return ret;
	if (store_is_locked(map->fd, &number))
		return -EBUSY;
	return is_up && !is_of_none ? -ESTALE : restart(map);
}

/* The first server of this boot sees to that, any others wait meanwhile. */
static int begin(const struct cow_map *map, bool is_up)
{
	static const char none[COW_BOOT_LEN];
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
		ret = begin_boot(map, is_up, !memcmp(found, none, COW_BOOT_LEN));
		if (!ret)
			ret = store_write(map->fd, boot, stamp, COW_BOOT_LEN);
	}
	cow_lock_file(map->fd, F_UNLCK, stamp, stamp + COW_BOOT_LEN);
	return ret;
}

/*
 * The live map may name bytes that were lost just now, and a file opened from now on
 * is not told of that: the next server is to begin as after a restart.
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

int cow_map_open(struct cow_map *map, int fd, uint64_t size, bool is_up)
{
	size_t length = cow_map_length(size);
	int ret;

	*map = (struct cow_map) { .fd = fd, .size = size };
	ret = begin(map, is_up);
	map->known = ret ? NULL : calloc(3, length);
	if (!map->known)
		return ret ? ret : -ENOMEM;
	map->seen = map->known + length;
	map->synced = map->seen + length;
	pthread_mutex_init(&map->persisting, NULL);
	return 0;
}

void cow_map_close(struct cow_map *map)
{
	free(map->known);
	pthread_mutex_destroy(&map->persisting);
}

int cow_map_look(const struct cow_map *map, uint64_t chunk, uint64_t *end)
{
	uint64_t first = chunk / COW_GROUP, most = (first + PIECE) * COW_GROUP;
	bool is_there = bit_is_set(map->known, chunk);
	int ret;

	if (!is_there) {
		if (*end > most)
			*end = most;
		ret = refresh(map, first, (*end - 1) / COW_GROUP + 1);
		if (ret)
			return ret;
		/* Looked at once: it may be added at any time, what follows is another matter. */
		is_there = bit_is_set(map->known, chunk);
	}
	while (++chunk < *end)
		if (bit_is_set(map->known, chunk) != is_there)
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
	uint64_t live = cow_live(map->size), at, byte, i;
	uint8_t piece[PIECE];
	int ret;

	ret = refresh(map, first / COW_GROUP, (end - 1) / COW_GROUP + 1);
	while (first < end && !ret) {
		at = first / COW_GROUP;
		memset(piece, 0, sizeof(piece));
		for (; first < end && first / COW_GROUP - at < PIECE; first++)
			piece[first / COW_GROUP - at] |= (uint8_t)(1 << first % COW_GROUP);
		byte = (first - 1) / COW_GROUP + 1;
		for (i = at; i < byte; i++)
			piece[i - at] |= map->known[i];
		ret = store_write(map->fd, piece, live + at, byte - at);
		for (i = at; i < byte && !ret; i++)
			__atomic_or_fetch(&map->known[i], piece[i - at], __ATOMIC_RELEASE);
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
	return !differs(map, NULL);
}

/* Adds to the durable map what was seen; other processes do so, too. */
static int take_over(struct cow_map *map)
{
	uint64_t length = cow_map_length(map->size), at, nr, i;
	uint8_t piece[PIECE], had[PIECE];
	int ret;

	ret = cow_lock_file(map->fd, F_WRLCK, COW_DURABLE, COW_DURABLE + length);
	if (ret)
		return ret;
	for (at = 0; at < length && !ret; at += nr) {
		nr = piece_at(at, length);
		ret = store_read(map->fd, had, COW_DURABLE + at, nr);
		for (i = 0; i < nr && !ret; i++)
			piece[i] = had[i] | map->seen[at + i];
		if (!ret && memcmp(piece, had, nr))
			ret = store_write(map->fd, piece, COW_DURABLE + at, nr);
	}
	cow_lock_file(map->fd, F_UNLCK, COW_DURABLE, COW_DURABLE + length);
	return ret;
}

/* With @persisting held */
static int persist(struct cow_map *map, struct store *delta)
{
	uint64_t length = cow_map_length(map->size);
	bool has_failed = delta->flush_error;
	int is_new, ret;

	ret = refresh(map, 0, length);
	if (ret)
		return ret;
	memcpy(map->seen, map->known, length);
	is_new = differs(map, map->seen);
	if (is_new < 0)
		return is_new;
	ret = store_sync(delta);
	if (!ret && is_new)
		ret = take_over(map);
	if (!ret && is_new)
		ret = store_sync(delta);
	/* Once: others may have begun anew since. */
	if (delta->flush_error && !has_failed)
		distrust(map);
	if (!ret)
		memcpy(map->synced, map->seen, length);
	return ret;
}

int cow_map_persist(struct cow_map *map, struct store *delta)
{
	int ret;

	pthread_mutex_lock(&map->persisting);
	ret = persist(map, delta);
	pthread_mutex_unlock(&map->persisting);
	return ret;
}
