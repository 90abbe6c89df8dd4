// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl stop: end the servers of devices, which stay up.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "parse.h"

#include <limits.h>
#include <libabuse.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_MS	30000

static const struct opt options[] = {
	{ .letter = 't', .name = "timeout", .value = "TIME",
	  .help = "wait at most this long for each (default 30s)" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

static int stop(const char *text, bool is_dry, int milliseconds)
{
	int number = abuse_dev_find(text);
	struct abuse_dev dev;
	int ret = number < 0 ? number : abuse_dev_stat((unsigned int)number, &dev);

	if (ret < 0)
		return device_missing(text, -ret);
	return device_stop((unsigned int)number, is_dry, milliseconds);
}

static int run(int argc, char **argv)
{
	int option, i, status = EXIT_OK, milliseconds = DEFAULT_MS;
	bool is_dry = false;
	const char *value;
	int64_t time;

	while ((option = option_next(&cmd_stop, argc, argv, &value)) > 0) {
		if (option == 'n') {
			is_dry = true;
			continue;
		}
		if (parse_time(value, NSEC_PER_SEC, &time) || time < 0 ||
		    time / 1000000 > INT_MAX)
			return invalid(NULL, "--timeout %s: must be a time such as 500ms, 30s or "
				       "5min", value);
		milliseconds = (int)(time / 1000000);
	}
	if (option < 0)
		return option_status(option);
	if (optind == argc)
		return misused("a DEV is needed");
	for (i = optind; i < argc; i++)
		if (stop(argv[i], is_dry, milliseconds))
			status = EXIT_FAILED;
	return status;
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
