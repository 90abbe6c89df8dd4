// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl resize: change the capacity of a device that is up, mounted or not.
 */
#include "away.h"
#include "backends/label.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "parse.h"
#include "use.h"

#include <errno.h>
#include <libabuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR	512

static const struct opt options[] = {
	{ .letter = 'f', .name = "force", .help = "below the end of a file system in use, or against the store" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

static uint64_t size_of_disk(dev_t disk)
{
	char path[64], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(disk), minor(disk));
	file = fopen(path, "re");
	if (file && !fgets(text, sizeof(text), file))
		*text = '\0';
	if (file)
		fclose(file);
	return strtoull(text, NULL, 10) * SECTOR;
}

/* Bytes of a regular file or block device; 0: unknown */
static uint64_t size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return 0;
	if (S_ISBLK(st.st_mode))
		return size_of_disk(st.st_rdev);
	return S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* The path of the store: that of the label or, if the label is shortened, what a server has open */
static bool find_path(unsigned int number, const char *label, char path[PATH_MAX])
{
	const char *colon = strchr(label, ':');
	int pids[MOST_SERVERS];
	unsigned int i, nr;

	if (!colon)
		return false;
	snprintf(path, PATH_MAX, "%s", colon + 1);
	if (*path == '/')
		return true;
	nr = device_servers(number, pids, MOST_SERVERS);
	for (i = 0; i < nr; i++)
		if (label_find_open(label, pids[i], path))
			return true;
	return false;
}

static bool is_of(const char *label, const char *backend)
{
	size_t len = strlen(backend);

	return !strncmp(label, backend, len) && label[len] == ':';
}

/* Requests beyond the end of the store would fail. */
static int check_backing(unsigned int number, const struct abuse_params *now, uint64_t size)
{
	static const char *const fixed[] = { "cow", "record", "nbd", "nbdkit", "qemu" };
	const char *name = device_name(number);
	char path[PATH_MAX];
	uint64_t has;
	size_t i;

	for (i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (is_of(now->store, fixed[i]) && size > now->capacity)
			return failed(name, "size=%llu: a disk of the backend %s is as large as its store, which "
				      "has %llu bytes; with --force requests beyond these fail",
				      (unsigned long long)size, fixed[i], (unsigned long long)now->capacity);
	if ((!is_of(now->store, "file") && !is_of(now->store, "mem")) ||
	    !find_path(number, now->store, path))
		return EXIT_OK;
	has = size_of(path);
	return !has || size <= has ? EXIT_OK :
	       failed(name, "size=%llu: its file has %llu bytes; first run 'truncate -s %llu %s'",
		      (unsigned long long)size, (unsigned long long)has, (unsigned long long)size, path);
}

/* A file system loses its data beyond the new end. */
static int check_users(unsigned int number, const struct abuse_params *now, uint64_t size)
{
	char use[USE_TEXT];

	if (size >= now->capacity || !use_is_claimed(number, use))
		return EXIT_OK;
	return failed(device_name(number), "size=%llu: the disk has %llu bytes and is in use: %s; what lies beyond "
		      "the new end would be lost: shrink its file system first, then pass --force",
		      (unsigned long long)size, (unsigned long long)now->capacity, use);
}

static int resize(int fd, unsigned int number, uint64_t size, bool is_forced, bool is_dry)
{
	struct abuse_params now, wanted = { .capacity = size };
	int ret;

	ret = abuse_ctl_get_params(fd, &now);
	if (ret < 0)
		return device_failed(number, "read parameters", -ret);
	if (now.state != ABUSE_S_UP)
		return device_failed(number, "resize", ENXIO);
	if (!size || size % now.logical_block_size)
		return invalid(device_name(number), "size=%llu: must be a multiple of its block "
			       "size, %u", (unsigned long long)size, now.logical_block_size);
	ret = is_forced ? EXIT_OK : check_users(number, &now, size) ?: check_backing(number, &now, size);
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
	bool is_forced = false, is_dry = false;
	const char *value;

	while ((option = option_next(&cmd_resize, argc, argv, &value)) > 0) {
		is_forced |= option == 'f';
		is_dry |= option == 'n';
	}
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
	/* A server that starts tries the file beyond the end that it had: not when a larger disk has bytes there. */
	status = is_dry ? EXIT_OK : device_lock(number, fd);
	if (!status)
		status = resize(fd, number, size, is_forced, is_dry);
	close(fd);
	return status;
}

static void details(void)
{
	puts("SIZE is in bytes, or as 64K, 1.5G or 1GiB (1024 each). To grow, resize the file of\n"
	     "the disk first (for mem: /dev/shm/abuse-UID-N); to shrink, resize it afterwards.\n"
	     "Requests beyond the end fail. A disk of cow, record, nbd, nbdkit or qemu does not grow\n"
	     "beyond its store.");
}

const struct cmd cmd_resize = {
	.name = "resize",
	.run = run,
	.args = "[-f] DEV SIZE",
	.options = options,
	.summary = "change the capacity of a device that is up",
	.details = details,
	.complete = complete_device,
};
