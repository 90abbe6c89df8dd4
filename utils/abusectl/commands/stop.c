// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl stop: end the servers of devices, which stay up.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "parse.h"
#include "verb.h"

#include <limits.h>
#include <libabuse.h>
#include <stdio.h>

#define DEFAULT_MS	30000

static const struct opt options[] = {
	{ .letter = 't', .name = "timeout", .value = "TIME",
	  .help = "wait at most this long for each (default 30s)" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

struct stop {
	bool is_dry;
	int milliseconds;
};

static int stop(const char *text, void *arg)
{
	const struct stop *how = arg;
	int number = abuse_dev_find(text);
	struct abuse_dev dev;
	int ret = number < 0 ? number : abuse_dev_stat((unsigned int)number, &dev);

	if (ret < 0)
		return device_missing(text, -ret);
	return device_stop((unsigned int)number, how->is_dry, how->milliseconds);
}

static int run(int argc, char **argv)
{
	struct stop how = { .milliseconds = DEFAULT_MS };
	const char *value;
	int64_t time;
	int option;

	while ((option = option_next(&cmd_stop, argc, argv, &value)) > 0) {
		if (option == 'n') {
			how.is_dry = true;
			continue;
		}
		if (parse_time(value, NSEC_PER_SEC, &time) || time < 0 ||
		    time / 1000000 > INT_MAX)
			return invalid(NULL, "--timeout %s: must be a time such as 500ms, 30s or "
				       "5min", value);
		how.milliseconds = (int)(time / 1000000);
	}
	return option < 0 ? option_status(option) : verb_each(argc, argv, stop, &how);
}

static void details(void)
{
	puts("Sends SIGTERM to each server and waits until it has completed the requests that it\n"
	     "holds and has ended. The device stays up, and its requests wait for the next server.\n"
	     "To end a server of abuse@NAME.service, stop the unit, or it starts the server again.");
}

const struct cmd cmd_stop = {
	.name = "stop",
	.run = run,
	.args = "[-t TIME] DEV...",
	.summary = "end the servers of devices; the devices stay up",
	.options = options,
	.details = details,
	.complete = complete_all_devices,
};
