// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl get: hand out the oldest request and print it.
 */
#include "cmd.h"
#include "complete.h"

static int run(int argc, char **argv)
{
	if (argc != 2)
		return misused("one DEV is needed");
	return bio_get(argv[1], false);
}

const struct cmd cmd_get = {
	.name = "get",
	.run = run,
	.args = "DEV",
	.summary = "hand out the oldest request and print it",
	.complete = complete_device,
};
