// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl map: what the kernel serves of a disk without its servers.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <libabuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'J', .name = "json", .help = "print JSON" },
	{ 0 },
};

static void print_extent(const struct abuse_map_entry *e, bool is_json, bool is_first)
{
	char rights[4] = {
		e->rights & ABUSE_MAP_READ ? 'r' : '-',
		e->rights & ABUSE_MAP_WRITE ? 'w' : '-',
		e->rights & ABUSE_MAP_SHAPE ? 's' : '-',
	};

	if (is_json)
		printf("%s\n      {\"sector\": %" PRIu64 ", \"sectors\": %" PRIu64
		       ", \"rights\": \"%s\", \"offset\": %" PRIu64 ", \"device\": \"%u:%u\", "
		       "\"inode\": %" PRIu64 "}", is_first ? "" : ",", (uint64_t)e->sector,
		       (uint64_t)e->sectors, rights, (uint64_t)e->offset, major(e->device),
		       minor(e->device), (uint64_t)e->inode);
	else
		printf("%12" PRIu64 " %12" PRIu64 " %s %16" PRIu64 " %u:%u %" PRIu64 "\n",
		       (uint64_t)e->sector, (uint64_t)e->sectors, rights, (uint64_t)e->offset,
		       major(e->device), minor(e->device), (uint64_t)e->inode);
}

struct extents {
	struct abuse_map_entry *entries;
	size_t nr;
};

/* All extents, before anything is printed: an error prints no part of an object. 0 or -errno. */
static int read_extents(int fd, struct extents *all)
{
	struct abuse_map_entry *entries;
	uint64_t sector = 0;
	int nr;

	do {
		entries = reallocarray(all->entries, all->nr + ABUSE_MAX_ENTRIES, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		all->entries = entries;
		nr = abuse_ctl_get_map(fd, sector, entries + all->nr, ABUSE_MAX_ENTRIES);
		if (nr < 0)
			return nr;
		all->nr += (size_t)nr;
		if (nr)
			sector = entries[all->nr - 1].sector + entries[all->nr - 1].sectors;
	} while (nr == ABUSE_MAX_ENTRIES);
	return 0;
}

static void print_extents(const struct extents *all, bool is_json)
{
	if (!is_json && all->nr)
		printf("%12s %12s %s %16s %s %s\n", "SECTOR", "SECTORS", "RWS", "OFFSET", "DEV",
		       "INODE");
	for (size_t i = 0; i < all->nr; i++)
		print_extent(&all->entries[i], is_json, !i);
}

/* A counter is unknown if sysfs is not there, as in some containers, or the device is gone by now. */
static void print_counters(unsigned int number, bool is_json)
{
	static const char *const names[] = { "map_in_place", "map_by_worker", "map_missed" };
	char text[3][32];

	for (unsigned int i = 0; i < 3; i++) {
		device_attribute(number, names[i], text[i], sizeof(text[i]));
		if (!*text[i])
			strcpy(text[i], is_json ? "null" : "-");
	}
	if (is_json)
		printf("],\n    \"in_place\": %s, \"by_worker\": %s, \"missed\": %s\n}\n", text[0],
		       text[1], text[2]);
	else
		printf("%s reads in place, %s requests by a worker, %s missed\n", text[0], text[1],
		       text[2]);
}

static int run(int argc, char **argv)
{
	struct extents all = { 0 };
	unsigned int number;
	bool is_json = false;
	const char *value;
	int fd, option, ret;

	while ((option = option_next(&cmd_map, argc, argv, &value)) > 0)
		is_json |= option == 'J';
	if (option < 0)
		return option_status(option);
	if (argc - optind != 1)
		return misused("one DEV is needed");
	fd = device_open(argv[optind], &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = read_extents(fd, &all);
	close(fd);
	if (!ret) {
		if (is_json)
			printf("{\"device\": \"abuse%u\",\n    \"extents\": [", number);
		print_extents(&all, is_json);
		print_counters(number, is_json);
	}
	free(all.entries);
	return ret ? device_failed(number, "read the map", -ret) : EXIT_OK;
}

static void details(void)
{
	puts("The kernel serves these ranges without asking a server: where in which file\n"
	     "they are, and whether it reads (r), writes (w), discards and zeroes (s) there.\n"
	     "Sectors have 512 bytes.");
}

const struct cmd cmd_map = {
	.name = "map",
	.run = run,
	.args = "[-J] DEV",
	.options = options,
	.summary = "show what the kernel serves of a device without its servers",
	.details = details,
	.complete = complete_device,
};
