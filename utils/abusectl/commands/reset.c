// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl reset: end every request with an error and empty the device.
 */
#include "backends/backend.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "use.h"

#include <libabuse.h>
#include <stdio.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'f', .name = "force", .help = "even if the disk is in use: its users get errors" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

static int reset(const char *text, bool is_forced, bool is_dry)
{
	struct mem_object memory;
	char use[USE_TEXT];
	unsigned int number;
	int fd, ret, status = EXIT_OK;

	fd = device_open(text, &number);
	if (fd < 0)
		return EXIT_FAILED;
	if (!is_forced && use_is_claimed(number, use)) {
		status = failed(device_name(number), "is in use: %s; end that first, or pass "
				"--force: all its I/O then fails, and data not written yet is "
				"lost", use);
	} else if (is_dry) {
		printf("would reset %s: all I/O ends with errors\n", device_name(number));
	} else {
		mem_find(number, &memory);
		ret = abuse_ctl_reset(fd);
		mem_free(&memory, ret >= 0);
		if (ret < 0)
			status = device_failed(number, "reset", -ret);
	}
	close(fd);
	return status;
}

static int run(int argc, char **argv)
{
	bool is_forced = false, is_dry = false;
	const char *value;
	int option;

	while ((option = option_next(&cmd_reset, argc, argv, &value)) > 0) {
		is_forced |= option == 'f';
		is_dry |= option == 'n';
	}
	if (option < 0)
		return option_status(option);
	if (argc - optind != 1)
		return misused("one DEV is needed");
	return reset(argv[optind], is_forced, is_dry);
}

const struct cmd cmd_reset = {
	.name = "reset",
	.run = run,
	.args = "[-f] DEV",
	.summary = "let all requests fail and make the device unconfigured",
	.options = options,
	.complete = complete_device,
};
