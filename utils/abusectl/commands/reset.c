// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl reset: end every request with an error and empty the device.
 */
#include "cmd.h"
#include "complete.h"

#include <libabuse.h>
#include <unistd.h>

static int run(int argc, char **argv)
{
	unsigned int number;
	int fd, ret, status = EXIT_OK;

	if (argc != 2)
		return misused("one DEV is needed");
	fd = device_open(argv[1], &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = abuse_ctl_reset(fd);
	if (ret < 0)
		status = device_failed(number, "reset", -ret);
	close(fd);
	return status;
}

const struct cmd cmd_reset = {
	.name = "reset",
	.run = run,
	.args = "DEV",
	.summary = "end every request with an error and empty the device",
	.complete = complete_device,
};
