// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl list: what devices there are, from sysfs; needs no permission.
 */
#include "cmd.h"

#define COLUMNS	"DEVICE,STATE,SIZE,RO,OWNER,TRUSTED,SERVERS,PIDS,BACKING,NAME"

static int run(int argc, char **argv)
{
	return show_devices(&cmd_list, argc, argv, COLUMNS);
}

static void details(void)
{
	show_details(COLUMNS);
}

const struct cmd cmd_list = {
	.name = "list",
	.run = run,
	.args = "[-Jnrb] [-o COL] [DEV]",
	.options = show_options,
	.summary = "show all devices, or those given",
	.details = details,
	.complete = show_complete,
};
