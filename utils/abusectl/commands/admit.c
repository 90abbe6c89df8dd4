// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl admit: let root open the disks of users, until they are reset.
 */
#include "cmd.h"
#include "complete.h"
#include "verb.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>

static int admit_failed(const char *text, bool revoke, int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return failed(text, "only root decides whether root opens it");
	case ENXIO:
		return failed(text, "it is not configured, and a reset ends the "
			      "admission; run this again once it is served");
	case EINVAL:
		if (revoke)
			return failed(text, "it is no user's disk; root always opens it");
		break;
	case EOPNOTSUPP:
		return failed(text, "the module is older than this program and lets root "
			      "open every disk");
	}
	return device_missing(text, err);
}

static const struct opt options[] = {
	{ .letter = 'r', .is_long_only = 1, .name = "revoke",
	  .help = "refuse root again; open files stay open" },
	{ 0 },
};

static int admit(const char *text, void *arg)
{
	bool revoke = *(bool *)arg;
	int ret = abuse_dev_find(text);

	if (ret >= 0)
		ret = abuse_dev_admit((unsigned int)ret, !revoke);
	return ret < 0 ? admit_failed(text, revoke, -ret) : EXIT_OK;
}

static int run(int argc, char **argv)
{
	bool revoke = false;
	const char *value;
	int option;

	while ((option = option_next(&cmd_admit, argc, argv, &value)) > 0)
		revoke |= option == 'r';
	return option < 0 ? option_status(option) : verb_each(argc, argv, admit, &revoke);
}

static void details(void)
{
	puts("Only the owner opens the disk of a user, because the owner decides what it contains\n"
	     "and how fast it replies. After 'admit' root opens it, too, for example to mount it,\n"
	     "until it is reset or removed. For root only.");
}

const struct cmd cmd_admit = {
	.name = "admit",
	.run = run,
	.args = "[--revoke] DEV...",
	.summary = "let root open the disks of users",
	.options = options,
	.details = details,
	.complete = complete_all_devices,
};
