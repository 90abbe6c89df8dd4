// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl stat: how the devices fare, from sysfs; needs no permission.
 */
#include "cmd.h"

#include <stdio.h>

static int run(int argc, char **argv)
{
	return show_devices(argc, argv,
			    "DEVICE,STATE,QUEUED,HELD,SERVED,ERRORS,RETURNED,OLDEST");
}

static void details(void)
{
	puts("  --json                 all columns as {\"devices\": [...]}, sizes in bytes\n"
	     "  -o, --output COL,...   these columns instead of\n"
	     "                         DEVICE,STATE,QUEUED,HELD,SERVED,ERRORS,RETURNED,OLDEST\n");
	columns_help();
}

const struct cmd cmd_stat = {
	.name = "stat",
	.run = run,
	.args = "[--json] [-o COL] [DEV]",
	.summary = "show the counters of all devices, or of those given",
	.details = details,
	.complete = show_complete,
};
