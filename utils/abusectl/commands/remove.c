// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl remove: end what devices have queued and take them away.
 */
#include "cmd.h"
#include "complete.h"

#include <errno.h>
#include <libabuse.h>

static int remove_failed(const char *text, int err)
{
	switch (err) {
	case EBUSY:
		return failed(text, "its disk is open; unmount it, or see who has it "
			      "with 'fuser -v'");
	case EACCES:
		return failed(text, "may not open /dev/abuse-control: be root or in "
			      "the group abuse");
	case EPERM:
		return failed(text, "only root and the user who added it may "
			      "remove it");
	}
	return device_missing(text, err);
}

static int run(int argc, char **argv)
{
	int i, ret, status = EXIT_OK;

	if (argc < 2)
		return misused("a DEV is needed");
	for (i = 1; i < argc; i++) {
		ret = abuse_dev_find(argv[i]);
		if (ret >= 0)
			ret = abuse_ctl_remove((unsigned int)ret);
		if (ret < 0)
			status = remove_failed(argv[i], -ret);
	}
	return status;
}

const struct cmd cmd_remove = {
	.name = "remove",
	.run = run,
	.args = "DEV...",
	.summary = "take devices away",
	.complete = complete_all_devices,
};
