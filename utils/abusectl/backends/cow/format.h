/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Layout of the file DELTA of a cow: disk. Numbers are little-endian, parts
 * begin at multiples of 64 KiB, so that any page size can map them:
 *
 *	header		written once, in a file that has no name until all of it is there
 *	durable map	a bit for each chunk, bit n % 8 of byte n / 8: its bytes are
 *			in DELTA, on stable storage
 *	stamp		the boot of this machine that the next part belongs to; zeroes: it
 *			belongs to none, as after data could not be synced
 *	live map	the same bits: in DELTA, as far as processes of that boot see
 *	data		each chunk at its own place, or a hole
 *
 * A chunk that its map does not name is BASE's, or zeroes where BASE has ended, and what
 * DELTA has in its place is nothing. Servers read and set the live map. FLUSH takes it
 * over into the durable one after the data, and after a restart the live map begins
 * as the durable one: the kernel writes parts of a file back in any order, so a map that
 * names data as soon as it is written may reach the disk before that.
 */
#ifndef ABUSECTL_COW_FORMAT_H
#define ABUSECTL_COW_FORMAT_H

#include <stdint.h>

#define COW_MAGIC	"abusecow"
#define COW_VERSION	2		/* 1: without what follows base_changed */
#define COW_CHUNK	65536ULL	/* bytes */
#define COW_GROUP	8		/* chunks that share a byte of a map */
#define COW_BOOT_LEN	36		/* of a boot's id, as text */

struct cow_header {
	char	 magic[8];
	uint32_t version;
	uint32_t chunk;			/* COW_CHUNK */
	uint64_t size;			/* of the disk */
	uint64_t base_size;
	uint64_t base_changed;		/* mtime in nanoseconds; 0: it is a block device */
	uint64_t length;		/* of the whole file */
	uint64_t compat;		/* features: may be there without being known */
	uint64_t incompat;		/* features: must be known to whoever serves it */
	uint32_t checksum;		/* crc32() of zlib, of the header with 0 here */
	char	 zeroes[4096 - 68];
};

_Static_assert(sizeof(struct cow_header) == 4096, "the header is as long as ever");

#define COW_KNOWN	0ULL		/* of incompat */

#define COW_DURABLE	COW_CHUNK	/* where the durable map is */

static inline uint64_t cow_chunks(uint64_t size)
{
	return size / COW_CHUNK + !!(size % COW_CHUNK);
}

/* Bytes of a map. */
static inline uint64_t cow_map_length(uint64_t size)
{
	return (cow_chunks(size) + COW_GROUP - 1) / COW_GROUP;
}

/* Bytes of a map. */
static inline uint64_t cow_map_space(uint64_t size)
{
	return cow_chunks(cow_map_length(size)) * COW_CHUNK;
}

static inline uint64_t cow_stamp(uint64_t size)
{
	return COW_DURABLE + cow_map_space(size);
}

static inline uint64_t cow_live(uint64_t size)
{
	return cow_stamp(size) + COW_CHUNK;
}

static inline uint64_t cow_data(uint64_t size)
{
	return cow_live(size) + cow_map_space(size);
}

#endif /* ABUSECTL_COW_FORMAT_H */
