// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl list: what devices there are, from sysfs; needs no permission.
 */
#include "cmd.h"

#include <stdio.h>

static int run(int argc, char **argv)
{
	return show_devices(argc, argv,
			    "DEVICE,STATE,SIZE,RO,OWNER,TRUSTED,READY,NAME");
}

static void details(void)
{
	puts("  --json                 all columns as {\"devices\": [...]}, sizes in bytes\n"
	     "  -o, --output COL,...   these columns instead of\n"
	     "                         DEVICE,STATE,SIZE,RO,OWNER,TRUSTED,READY,NAME\n");
	columns_help();
}

const struct cmd cmd_list = {
	.name = "list",
	.run = run,
	.args = "[--json] [-o COL] [DEV]",
	.summary = "show all devices, or those given",
	.details = details,
	.complete = show_complete,
};
