// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The part of a cow disk that the kernel serves without its servers: READs of chunks that DELTA lacks from
 * BASE, READs of those it has from DELTA, and WRITEs to DELTA where a power failure would not
 * take the chunk out of the durable map. A server that gives DELTA a chunk, or finds it there and changes it,
 * shows that to the kernel before it answers; chunks are mapped to BASE under the lock that
 * such a server needs. So no READ sees BASE once a write has been answered.
 */
#include "cow.h"

#include <errno.h>
#include <stdlib.h>

#define SECTOR		512
#define LOCKED		(512 * COW_GROUP)	/* chunks that are looked at under one lock */

static bool has_bit(const uint8_t *bits, uint64_t chunk)
{
	return __atomic_load_n(&bits[chunk / 8], __ATOMIC_RELAXED) >> chunk % 8 & 1;
}

static void set_bits(uint8_t *bits, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		__atomic_fetch_or(&bits[first / 8], (uint8_t)(1 << first % 8), __ATOMIC_RELAXED);
}

/* ---- entries, in the order of the disk ---- */

struct batch {
	struct cow_kernel *kernel;
	struct abuse_map_entry entries[64];
	unsigned int nr;
	int ret;
};

/* The disk may end before DELTA does, since it was made smaller. True: entries were cut off. */
static bool batch_cut(struct batch *batch)
{
	struct abuse_params params;
	struct abuse_map_entry *last;
	bool is_cut = false;
	uint64_t end;

	if (abuse_ctl_get_params(batch->kernel->ctl, &params) < 0)
		return false;
	end = params.capacity / SECTOR;
	for (; batch->nr; batch->nr--, is_cut = true) {
		last = &batch->entries[batch->nr - 1];
		if (last->sector < end) {
			if (last->sectors > end - last->sector) {
				last->sectors = end - last->sector;
				is_cut = true;
			}
			break;
		}
	}
	return is_cut;
}

static void batch_send(struct batch *batch)
{
	const struct cow_kernel *kernel = batch->kernel;

	if (batch->nr && !batch->ret) {
		batch->ret = abuse_ctl_map(kernel->ctl, batch->entries, batch->nr);
		if (batch->ret == -EINVAL && batch_cut(batch))
			batch->ret = batch->nr ? abuse_ctl_map(kernel->ctl, batch->entries, batch->nr) : 0;
	}
	batch->nr = 0;
}

/* Bytes of the disk; rights 0: servers have them. */
static void batch_add(struct batch *batch, uint64_t from, uint64_t end, int file, uint64_t offset,
		      uint32_t rights)
{
	end -= end % SECTOR;
	if (from >= end)
		return;
	if (batch->nr == sizeof(batch->entries) / sizeof(*batch->entries))
		batch_send(batch);
	batch->entries[batch->nr++] = (struct abuse_map_entry) {
		.sector = from / SECTOR,
		.sectors = (end - from) / SECTOR,
		.file = rights ? (uint32_t)file : 0,
		.offset = rights ? offset : 0,
		.rights = rights ?: ABUSE_MAP_READ | ABUSE_MAP_WRITE | ABUSE_MAP_SHAPE,
		.flags = rights ? 0 : ABUSE_MAP_CLEAR,
	};
}

static uint64_t chunk_start(const struct cow_kernel *kernel, uint64_t chunk)
{
	return chunk * COW_CHUNK < kernel->map->size ? chunk * COW_CHUNK : kernel->map->size;
}

/* Up to where BASE has bytes of that range, in whole sectors. */
static uint64_t base_within(const struct cow_kernel *kernel, uint64_t start, uint64_t end)
{
	uint64_t base = kernel->base_size - kernel->base_size % SECTOR;

	return base < start ? start : base < end ? base : end;
}

/* Chunks that DELTA has. */
static void add_delta(struct batch *batch, uint64_t first, uint64_t end)
{
	struct cow_kernel *kernel = batch->kernel;
	uint64_t data = cow_data(kernel->map->size), next;
	bool synced;

	for (; first < end; first = next) {
		synced = cow_map_is_synced(kernel->map, first, first + 1);
		for (next = first + 1; next < end; next++)
			if (cow_map_is_synced(kernel->map, next, next + 1) != synced)
				break;
		batch_add(batch, chunk_start(kernel, first), chunk_start(kernel, next), kernel->delta,
			  data + first * COW_CHUNK,
			  !kernel->maps ? 0 : synced ? ABUSE_MAP_READ | ABUSE_MAP_WRITE : ABUSE_MAP_READ);
		if (synced)
			set_bits(kernel->granted, first, next);
	}
}

/* ---- what servers do ---- */

static bool is_shown(const struct cow_kernel *kernel, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		if (!has_bit(kernel->shown, first) ||
		    (kernel->maps && !has_bit(kernel->granted, first) &&
		     cow_map_is_synced(kernel->map, first, first + 1)))
			return false;
	return true;
}

int cow_kernel_show(struct cow_kernel *kernel, uint64_t first, uint64_t end)
{
	struct batch batch = { .kernel = kernel };
	uint64_t at, next;
	int ret;

	if (kernel->ctl < 0 || is_shown(kernel, first, end))
		return 0;
	for (at = first; at < end && !batch.ret; at = next) {
		next = end;
		ret = cow_map_look(kernel->map, at, &next);
		if (ret < 0)
			return ret;
		if (ret)
			add_delta(&batch, at, next);
		batch_send(&batch);
		if (ret && !batch.ret)
			set_bits(kernel->shown, at, next);
	}
	return batch.ret;
}

/* As many chunks as one lock holds, as they are now. */
static int map_piece(struct cow_kernel *kernel, struct cow_lock *lock, uint64_t first, uint64_t end)
{
	struct cow_range range = cow_map_range(kernel->map, first, end);
	struct batch batch = { .kernel = kernel };
	uint64_t at, next, base_end;
	int ret;

	ret = cow_lock_take(lock, &range);
	if (ret)
		return ret;
	for (at = first; at < end && ret >= 0; at = next) {
		next = end;
		ret = cow_map_look(kernel->map, at, &next);
		if (ret < 0)
			break;
		if (ret) {
			add_delta(&batch, at, next);
			continue;
		}
		base_end = base_within(kernel, chunk_start(kernel, at), chunk_start(kernel, next));
		batch_add(&batch, chunk_start(kernel, at), base_end, kernel->base, at * COW_CHUNK,
			  ABUSE_MAP_READ);
		/* An earlier server may have mapped what DELTA has lost since. */
		batch_add(&batch, base_end, chunk_start(kernel, next), 0, 0, 0);
	}
	batch_send(&batch);
	cow_lock_drop(lock, &range);
	return ret < 0 ? ret : batch.ret;
}

int cow_kernel_map(struct cow_kernel *kernel, struct cow_lock *lock, int base, int delta)
{
	uint64_t first, end, chunks = cow_chunks(kernel->map->size);
	int ret = 0;

	if (kernel->ctl < 0)
		return -EOPNOTSUPP;
	kernel->base = base;
	kernel->delta = delta;
	kernel->maps = true;
	for (first = 0; first < chunks && !ret; first = end) {
		end = chunks - first < LOCKED ? chunks : first + LOCKED;
		ret = map_piece(kernel, lock, first, end);
	}
	return ret;
}

int cow_kernel_init(struct cow_kernel *kernel, int ctl, const struct cow_map *map, uint64_t base_size)
{
	uint64_t length = cow_map_length(map->size);
	struct abuse_params params;
	int ret;

	*kernel = (struct cow_kernel) { .ctl = -1, .map = map, .base_size = base_size };
	if (ctl < 0)
		return 0;
	ret = abuse_ctl_get_params(ctl, &params);
	if (ret < 0)
		return ret;
	if (!(params.all_features & ABUSE_F_MAP) || params.owner)
		return 0;
	kernel->shown = calloc(2, length);
	if (!kernel->shown)
		return -ENOMEM;
	kernel->granted = kernel->shown + length;
	kernel->ctl = ctl;
	return 0;
}

void cow_kernel_free(struct cow_kernel *kernel)
{
	free(kernel->shown);
}
