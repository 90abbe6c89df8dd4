// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl remove: end the requests of devices and take the devices away.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"

#include <stdio.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

static int run(int argc, char **argv)
{
	int option, i, status = EXIT_OK;
	bool is_dry = false;
	const char *value;

	while ((option = option_next(&cmd_remove, argc, argv, &value)) > 0)
		is_dry |= option == 'n';
	if (option < 0)
		return option_status(option);
	if (optind == argc)
		return misused("a DEV is needed");
	for (i = optind; i < argc; i++)
		if (device_remove(argv[i], is_dry))
			status = EXIT_FAILED;
	return status;
}

static void details(void)
{
	puts("Fails if a disk is mounted or open. Programs such as udev that open it for a\n"
	     "moment are waited for, up to 5 s.");
}

const struct cmd cmd_remove = {
	.name = "remove",
	.run = run,
	.args = "DEV...",
	.summary = "remove devices",
	.options = options,
	.details = details,
	.complete = complete_all_devices,
};
