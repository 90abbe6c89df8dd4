// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl get: print the oldest request, which stays in the queue.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"

static int run(int argc, char **argv)
{
	int first = options_skip(&cmd_get, argc, argv);

	if (first < 0)
		return option_status(first);
	if (argc - first != 1)
		return misused("one DEV is needed");
	return bio_get(argv[first], false);
}

const struct cmd cmd_get = {
	.name = "get",
	.run = run,
	.args = "DEV",
	.summary = "print the oldest request; it stays in the queue",
	.complete = complete_device,
};
