// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl remove: end the requests of devices and take the devices away.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "verb.h"

#include <stdio.h>

static int run(int argc, char **argv)
{
	return verb_dry_run(&cmd_remove, argc, argv, device_remove);
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
	.options = dry_run_options,
	.details = details,
	.complete = complete_all_devices,
};
