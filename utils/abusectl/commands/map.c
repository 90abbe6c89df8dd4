// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl map: what the kernel serves of a disk without its servers.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"

#include <inttypes.h>
#include <libabuse.h>
#include <stdio.h>
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

/* All extents; 0 or -errno. */
static int print_extents(int fd, bool is_json)
{
	struct abuse_map_entry entries[ABUSE_MAX_ENTRIES];
	bool is_first = true;
	uint64_t sector = 0;
	int nr, i;

	do {
		nr = abuse_ctl_get_map(fd, sector, entries, ABUSE_MAX_ENTRIES);
		if (nr < 0)
			return nr;
		if (is_first && !is_json && nr)
			printf("%12s %12s %s %16s %s %s\n", "SECTOR", "SECTORS", "RWS", "OFFSET",
			       "DEV", "INODE");
		for (i = 0; i < nr; i++, is_first = false) {
			print_extent(&entries[i], is_json, is_first);
			sector = entries[i].sector + entries[i].sectors;
		}
	} while (nr == ABUSE_MAX_ENTRIES);
	return 0;
}

static void print_counters(unsigned int number, bool is_json)
{
	static const char *const names[] = { "map_in_place", "map_by_worker", "map_missed" };
	char text[3][32];

	for (unsigned int i = 0; i < 3; i++)
		device_attribute(number, names[i], text[i], sizeof(text[i]));
	if (is_json)
		printf("],\n    \"in_place\": %s, \"by_worker\": %s, \"missed\": %s\n}\n", text[0],
		       text[1], text[2]);
	else
		printf("%s reads in place, %s requests by a worker, %s missed\n", text[0], text[1],
		       text[2]);
}

static int run(int argc, char **argv)
{
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
	if (is_json)
		printf("{\"device\": \"abuse%u\",\n    \"extents\": [", number);
	ret = print_extents(fd, is_json);
	close(fd);
	if (ret < 0)
		return device_failed(number, "read the map", -ret);
	print_counters(number, is_json);
	return EXIT_OK;
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
