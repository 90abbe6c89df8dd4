// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/* The loop that verbs for devices share; see verb.h. */
#include "verb.h"
#include "cmd.h"

#include <unistd.h>

const struct opt dry_run_options[] = {
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

int verb_each(int argc, char **argv, verb_act *act, void *arg)
{
	int i, status = EXIT_OK;

	if (optind == argc)
		return misused("a DEV is needed");
	for (i = optind; i < argc; i++)
		if (act(argv[i], arg))
			status = EXIT_FAILED;
	return status;
}

int verb_one(int argc, char **argv, verb_act *act, void *arg)
{
	return argc - optind == 1 ? act(argv[optind], arg) : misused("one DEV is needed");
}

int verb_plain(const struct cmd *cmd, int argc, char **argv, verb_act *act, void *arg)
{
	int first = options_skip(cmd, argc, argv);

	return first < 0 ? option_status(first) : verb_one(argc, argv, act, arg);
}

struct dry_run {
	int (*act)(const char *dev, bool is_dry);
	bool is_dry;
};

static int act_or_say(const char *dev, void *arg)
{
	const struct dry_run *run = arg;

	return run->act(dev, run->is_dry);
}

int verb_dry_run(const struct cmd *cmd, int argc, char **argv,
		 int (*act)(const char *dev, bool is_dry))
{
	struct dry_run run = { .act = act };
	const char *value;
	int option;

	while ((option = option_next(cmd, argc, argv, &value)) > 0)
		run.is_dry |= option == 'n';
	return option < 0 ? option_status(option) : verb_each(argc, argv, act_or_say, &run);
}
