// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl put: answer the oldest request: zeroes for a READ, bytes dropped.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"

static int run(int argc, char **argv)
{
	int first = options_skip(&cmd_put, argc, argv);

	if (first < 0)
		return option_status(first);
	if (argc - first != 1)
		return misused("one DEV is needed");
	return bio_get(argv[first], true);
}

const struct cmd cmd_put = {
	.name = "put",
	.run = run,
	.args = "DEV",
	.summary = "complete the oldest request: READ with zeroes, WRITE discarded",
	.complete = complete_device,
};
