// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl get: print the oldest request, which stays in the queue.
 */
#include "cmd.h"
#include "complete.h"
#include "verb.h"

static int act(const char *dev, void *arg)
{
	(void)arg;
	return bio_get(dev, false);
}

static int run(int argc, char **argv)
{
	return verb_plain(&cmd_get, argc, argv, act, NULL);
}

const struct cmd cmd_get = {
	.name = "get",
	.run = run,
	.args = "DEV",
	.summary = "print the oldest request; it stays in the queue",
	.complete = complete_device,
};
