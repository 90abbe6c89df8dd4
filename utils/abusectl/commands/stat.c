// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl stat: how the devices fare, from sysfs; needs no permission.
 */
#include "cmd.h"

#define COLUMNS	"DEVICE,STATE,QUEUED,HELD,REDIRECTED,SERVED,ERRORS,RETURNED,OLDEST"

static int run(int argc, char **argv)
{
	return show_devices(&cmd_stat, argc, argv, COLUMNS);
}

static void details(void)
{
	show_details(COLUMNS);
}

const struct cmd cmd_stat = {
	.name = "stat",
	.run = run,
	.args = "[-Jnrb] [-o COL] [DEV]",
	.options = show_options,
	.summary = "show counters of all devices, or of those given",
	.details = details,
	.complete = show_complete,
};
