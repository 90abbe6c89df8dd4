// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl resize: change the capacity of a device that is up, mounted or not.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

/* Requests beyond the end of the file would fail. Only a label that is not shortened is a path. */
static int check_backing(unsigned int number, const struct abuse_params *now, uint64_t size)
{
	const char *path = now->store + strlen("file:");
	struct stat st;

	if (strncmp(now->store, "file:/", strlen("file:/")) || stat(path, &st) ||
	    !S_ISREG(st.st_mode) || size <= (uint64_t)st.st_size)
		return EXIT_OK;
	return failed(device_name(number), "size=%llu: its file has %lld bytes; first run "
		      "'truncate -s %llu %s'", (unsigned long long)size,
		      (long long)st.st_size, (unsigned long long)size, path);
}

static int resize(int fd, unsigned int number, uint64_t size, bool is_dry)
{
	struct abuse_params now, wanted = { .capacity = size };
	int ret;

	ret = abuse_ctl_get_params(fd, &now);
	if (ret < 0)
		return device_failed(number, "read parameters", -ret);
	if (now.state != ABUSE_S_UP)
		return device_failed(number, "resize", ENXIO);
	if (!size || size % now.logical_block_size)
		return failed(device_name(number), "size=%llu: must be a multiple of "
			      "its block size, %u", (unsigned long long)size,
			      now.logical_block_size);
	ret = check_backing(number, &now, size);
	if (ret)
		return ret;
	if (is_dry) {
		printf("would change %s from %llu to %llu bytes\n", device_name(number),
		       (unsigned long long)now.capacity, (unsigned long long)size);
		return EXIT_OK;
	}
	wanted.flags = now.flags;	/* flags always count */
	wanted.seal_uid = now.seal_uid;
	ret = abuse_ctl_set_params(fd, &wanted);
	if (ret == -EFBIG)
		return failed(device_name(number), "size=%llu: more than this kernel "
			      "can address", (unsigned long long)size);
	return ret < 0 ? device_failed(number, "resize", -ret) : EXIT_OK;
}

static int run(int argc, char **argv)
{
	unsigned int number;
	uint64_t size;
	int fd, option, status;
	bool is_dry = false;
	const char *value;

	while ((option = option_next(&cmd_resize, argc, argv, &value)) > 0)
		is_dry |= option == 'n';
	if (option < 0)
		return option_status(option);
	argv += optind;
	if (argc - optind != 2)
		return misused("a DEV and its new SIZE are needed");
	if (parse_size(argv[1], &size))
		return invalid(argv[0], "%s: SIZE is a number of bytes below 2^64, or as 64K, "
			       "1.5G or 1GiB", argv[1]);
	fd = device_open(argv[0], &number);
	if (fd < 0)
		return EXIT_FAILED;
	status = resize(fd, number, size, is_dry);
	close(fd);
	return status;
}

static void details(void)
{
	puts("SIZE is in bytes, or as 64K, 1.5G or 1GiB (1024 each). To grow, resize the file of\n"
	     "the disk first (for mem: /dev/shm/abuse-UID-N); to shrink, resize it afterwards.\n"
	     "Requests beyond the end fail.");
}

const struct cmd cmd_resize = {
	.name = "resize",
	.run = run,
	.args = "DEV SIZE",
	.options = options,
	.summary = "change the capacity of a device that is up",
	.details = details,
	.complete = complete_device,
};
