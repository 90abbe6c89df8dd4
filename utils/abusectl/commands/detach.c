// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl detach: the opposite of "server --find": device and servers go, if nothing
 * uses the disk.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "use.h"
#include "verb.h"

#include <libabuse.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define MOST_SERVERS	256
#define PAUSE_MS	20
#define PAUSES		250

/* Servers end by themselves when their device is gone. */
static void await_servers(const int *pids, unsigned int nr)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
	unsigned int i, n;

	for (i = 0; i < nr; i++)
		for (n = 0; n < PAUSES && !kill(pids[i], 0); n++)
			nanosleep(&pause, NULL);
}

static int detach(const char *text, bool is_dry)
{
	int pids[MOST_SERVERS], status, number = abuse_dev_find(text);
	char use[USE_TEXT];
	unsigned int nr;

	if (number < 0)
		return device_missing(text, -number);
	if (use_is_claimed((unsigned int)number, use))
		return failed(device_name((unsigned int)number), "is in use: %s; end that first",
			      use);
	nr = device_servers((unsigned int)number, pids, MOST_SERVERS);
	status = device_remove(text, is_dry);
	if (!status && !is_dry)
		await_servers(pids, nr);
	return status;
}

static int run(int argc, char **argv)
{
	return verb_dry_run(&cmd_detach, argc, argv, detach);
}

static void details(void)
{
	puts("Removes the devices, and waits until their servers have ended. Fails if a disk is\n"
	     "mounted or open. Files behind the disks stay; the memory of mem is freed.");
}

const struct cmd cmd_detach = {
	.name = "detach",
	.run = run,
	.args = "DEV...",
	.summary = "remove unused devices and end their servers",
	.options = dry_run_options,
	.details = details,
	.complete = complete_all_devices,
};
