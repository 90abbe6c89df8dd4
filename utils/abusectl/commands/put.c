// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl put: answer the oldest request: zeroes for a READ, bytes dropped.
 */
#include "cmd.h"
#include "complete.h"
#include "verb.h"

static int act(const char *dev, void *arg)
{
	(void)arg;
	return bio_get(dev, true);
}

static int run(int argc, char **argv)
{
	return verb_plain(&cmd_put, argc, argv, act, NULL);
}

const struct cmd cmd_put = {
	.name = "put",
	.run = run,
	.args = "DEV",
	.summary = "complete the oldest request: READ with zeroes, WRITE discarded",
	.complete = complete_device,
};
