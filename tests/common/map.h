/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Mapping: entries, the calls MAP and GET_MAP, and the counters of a map.
 */
#ifndef TEST_MAP_H
#define TEST_MAP_H

#include "redirect.h"

#define MAP_R	ABUSE_MAP_READ
#define MAP_W	ABUSE_MAP_WRITE
#define MAP_S	ABUSE_MAP_SHAPE
#define MAP_RW	(MAP_R | MAP_W)
#define MAP_ALL	(MAP_R | MAP_W | MAP_S)

static inline struct abuse_map_entry entry(uint64_t sector, uint64_t sectors,
					   unsigned int file, uint64_t offset, uint32_t rights)
{
	return (struct abuse_map_entry) {
		.sector = sector, .sectors = sectors, .file = file, .offset = offset,
		.rights = rights,
	};
}

static inline struct abuse_map_entry entry_clear(uint64_t sector, uint64_t sectors,
						 uint32_t rights)
{
	return (struct abuse_map_entry) {
		.sector = sector, .sectors = sectors, .rights = rights,
		.flags = ABUSE_MAP_CLEAR,
	};
}

static inline struct abuse_map map_of(struct abuse_map_entry *entries, unsigned int nr)
{
	return (struct abuse_map) {
		.size = sizeof(struct abuse_map), .entries = ADDR(entries), .nr = nr,
		.entry_size = sizeof(*entries),
	};
}

static inline int map_entries(int ctl, struct abuse_map_entry *entries, unsigned int nr)
{
	struct abuse_map map = map_of(entries, nr);

	return call(ctl, ABUSE_MAP, &map);
}

static inline int map_one(int ctl, struct abuse_map_entry e)
{
	return map_entries(ctl, &e, 1);
}

/* Bytes of the disk at the same place of the file; 0 or -errno. */
static inline int map_bytes(int ctl, unsigned int file, uint64_t from, uint64_t length,
			    uint32_t rights)
{
	return map_one(ctl, entry(from / 512, length / 512, file, from, rights));
}

/* How many extents end beyond that sector, at most nr of them; or -errno. */
static inline int map_get(int ctl, uint64_t sector, struct abuse_map_entry *entries,
			  unsigned int nr)
{
	struct abuse_map map = map_of(entries, nr);
	int ret;

	map.sector = sector;
	ret = call(ctl, ABUSE_GET_MAP, &map);
	return ret ? ret : (int)map.nr;
}

static inline int registered(int ctl, int fd)
{
	int index = file_register(ctl, fd);

	errno = -index;
	need(index >= 0, "REGISTER_FILE");
	return index;
}

struct hits { long long in_place, by_worker, missed; };

static inline struct hits hits_of(const struct device *d)
{
	return (struct hits) {
		attribute_number(d, "map_in_place"), attribute_number(d, "map_by_worker"),
		attribute_number(d, "map_missed"),
	};
}

#define hits_are(d, a, b, c, what) do {					\
	struct hits hits_ = hits_of(d);					\
	is(hits_.in_place, a, what ", in place");			\
	is(hits_.by_worker, b, what ", by a worker");			\
	is(hits_.missed, c, what ", missed");				\
} while (0)

/* In a process of its own, which has no descriptor of ours but one for MAP. */
struct mapper {
	struct device device;
	int file;			/* registered there first, if not negative */
	unsigned int nr;
	struct abuse_map_entry entries[4];
};

static inline int mapper_main(void *arg)
{
	struct mapper *m = arg;
	int ctl = open(m->device.node, O_RDWR | O_CLOEXEC), index;

	if (m->file >= 0) {
		index = file_register(ctl, m->file);
		for (unsigned int i = 0; i < m->nr; i++)
			if (!(m->entries[i].flags & ABUSE_MAP_CLEAR))
				m->entries[i].file = index;
	}
	return -map_entries(ctl, m->entries, m->nr);
}

#endif /* TEST_MAP_H */
