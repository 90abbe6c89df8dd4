// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl put: answer the oldest request: zeroes for a READ, bytes dropped.
 */
#include "cmd.h"
#include "complete.h"

static int run(int argc, char **argv)
{
	if (argc != 2)
		return misused("one DEV is needed");
	return bio_get(argv[1], true);
}

const struct cmd cmd_put = {
	.name = "put",
	.run = run,
	.args = "DEV",
	.summary = "answer the oldest request: zeroes for a READ, bytes dropped",
	.complete = complete_device,
};
