// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The devices that a verb is about: those named, or all. From sysfs, without permission.
 */
#include "cmd.h"

#include <errno.h>
#include <libabuse.h>
#include <stdlib.h>
#include <string.h>

int devices_append(const struct abuse_dev *dev, void *arg)
{
	struct devices *all = arg;
	struct abuse_dev *devs = reallocarray(all->devs, all->nr + 1, sizeof(*devs));

	if (!devs)
		return -ENOMEM;
	devs[all->nr++] = *dev;
	all->devs = devs;
	return 0;
}

static int collect_one(const char *text, struct devices *all)
{
	struct abuse_dev dev;
	int ret = abuse_dev_find(text);

	if (ret >= 0)
		ret = abuse_dev_stat((unsigned int)ret, &dev);
	if (!ret)
		ret = devices_append(&dev, all);
	return ret ? device_missing(text, -ret) : EXIT_OK;
}

static int collect_all(struct devices *all)
{
	int ret = abuse_dev_each(devices_append, all);

	if (ret == -ENODEV)
		return note(NULL, "no devices: %s", module_remedy());
	return ret ? failed("devices", "cannot be listed: %s", strerror(-ret)) :
		     EXIT_OK;
}

int devices_collect(char *const *names, struct devices *all)
{
	int status = EXIT_OK;

	if (!*names)
		return collect_all(all);
	for (; *names; names++)
		if (collect_one(*names, all))
			status = EXIT_FAILED;
	return status;
}
