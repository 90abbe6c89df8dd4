// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl resize: change the capacity of a device that is up, mounted or not.
 */
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <unistd.h>

static int resize(int fd, unsigned int number, uint64_t size)
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
	int fd, status;

	if (argc != 3)
		return misused("a DEV and its new SIZE are needed");
	if (parse_size(argv[2], &size))
		return invalid(argv[1], "%s: SIZE is a number of bytes below 2^64, with an "
			       "optional suffix K, M, G or T", argv[2]);
	fd = device_open(argv[1], &number);
	if (fd < 0)
		return EXIT_FAILED;
	status = resize(fd, number, size);
	close(fd);
	return status;
}

static void details(void)
{
	puts("SIZE is in bytes, or with a suffix K, M, G or T (1024 each). Give what is\n"
	     "behind it that size, too, before growing and after shrinking: the file, or\n"
	     "for mem /dev/shm/abuse-UID-N. Requests beyond the end fail.");
}

const struct cmd cmd_resize = {
	.name = "resize",
	.run = run,
	.args = "DEV SIZE",
	.summary = "change the capacity of a device that is up",
	.details = details,
	.complete = complete_device,
};
