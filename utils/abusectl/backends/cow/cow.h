/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The parts of the backend cow, which read from top to bottom: DELTA is opened, its
 * maps say which chunks it has, and who gives it another one holds a lock. Where things
 * are in that file, format.h says. Functions return 0 or -errno unless
 * said otherwise.
 */
#ifndef ABUSECTL_COW_H
#define ABUSECTL_COW_H

#include "backends/backend.h"
#include "format.h"

struct cow_base {
	const char *path;
	int fd;
	uint64_t size;
	uint64_t changed;		/* as struct cow_header has it */
};

/*
 * delta.c: DELTA at @path, opened or made, fit for @base and what @target says,
 * of which it fills in the size. A descriptor, or -1 after reporting.
 */
int cow_delta_open(struct target *target, const char *path, const struct cow_base *base);

/* lock.c: ranges of bytes of DELTA that one thread of one process has. */
struct cow_range {
	uint64_t first, end;
	struct cow_range *next;
};

struct cow_lock {
	int fd;
	pthread_mutex_t mutex;		/* guards held */
	pthread_cond_t dropped;
	struct cow_range *held;		/* by threads of this process */
};

void cow_lock_init(struct cow_lock *lock, int fd);

/* Waits for it. @range stays the lock's until it is dropped. */
int cow_lock_take(struct cow_lock *lock, struct cow_range *range);
void cow_lock_drop(struct cow_lock *lock, struct cow_range *range);

/* Of the bytes from @first to @end, F_WRLCK or F_UNLCK, among processes alone. */
int cow_lock_file(int fd, short type, uint64_t first, uint64_t end);

/* map.c: which chunks are in DELTA. */
struct cow_map {
	int fd;
	uint64_t size;			/* of the disk */
	uint8_t *known;			/* of the live map: set, that is sure */
	pthread_mutex_t persisting;	/* guards seen */
	uint8_t *seen;			/* the live map before the data was synced */
	uint8_t *synced;		/* what of the durable map is known to be so */
};

/*
 * @fd has the lock of the store. -EBUSY: the live map is of another boot, or cannot be
 * trusted, and another server is at it; -ESTALE: it is of another boot, but the device is up.
 */
int cow_map_open(struct cow_map *map, int fd, uint64_t size, bool is_up);
void cow_map_close(struct cow_map *map);

/*
 * Is @chunk in DELTA? 1, 0 or -errno. Lowers *end to the first one after it of which that
 * differs, or is not known yet.
 */
int cow_map_look(const struct cow_map *map, uint64_t chunk, uint64_t *end);

/* The bytes to be locked before chunks from @first to @end are added. */
struct cow_range cow_map_range(const struct cow_map *map, uint64_t first, uint64_t end);

/* From now on they are in DELTA, where their bytes have been written. */
int cow_map_add(struct cow_map *map, uint64_t first, uint64_t end);

/* Would they all be there after a power failure? */
bool cow_map_is_synced(const struct cow_map *map, uint64_t first, uint64_t end);

/* Is there nothing that a power failure would take out of the map? */
bool cow_map_is_durable(const struct cow_map *map);

/* Makes the data and the added chunks of @delta durable. */
int cow_map_persist(struct cow_map *map, struct store *delta);

/*
 * kernel.c: what the kernel serves alone. A server that maps nothing itself takes what others
 * have mapped away again, where it changes something.
 */
struct cow_kernel {
	int ctl;			/* the control node; -1: the kernel maps nothing */
	const struct cow_map *map;
	uint64_t base_size;
	int base, delta;		/* registered as */
	bool maps;
	uint8_t *shown;			/* chunks of DELTA that the kernel knows of */
	uint8_t *granted;		/* and may write to */
};

int cow_kernel_init(struct cow_kernel *kernel, int ctl, const struct cow_map *map,
		    uint64_t base_size);
void cow_kernel_free(struct cow_kernel *kernel);

/* Before a change of those of these chunks that DELTA has is answered. */
int cow_kernel_show(struct cow_kernel *kernel, uint64_t first, uint64_t end);

/* All of the disk, as it is now. */
int cow_kernel_map(struct cow_kernel *kernel, struct cow_lock *lock, int base, int delta);

#endif /* ABUSECTL_COW_H */
