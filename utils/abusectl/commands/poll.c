// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl poll: wait until a request is there; prints what poll(2) returned and
 * the events it reported, as in 2009.
 */
#include "cmd.h"
#include "complete.h"
#include "verb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define ABUSE_POLLMSG	0x400	/* POLLMSG, hidden by some feature macros */

static int poll_device(const char *dev, void *arg)
{
	struct pollfd wanted = { .events = ABUSE_POLLMSG };
	unsigned int number;
	int ret, status = EXIT_OK;

	(void)arg;
	wanted.fd = device_open(dev, &number);
	if (wanted.fd < 0)
		return EXIT_FAILED;
	do
		ret = poll(&wanted, 1, -1);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		status = device_failed(number, "poll", errno);
	else if (wanted.revents & POLLHUP)
		status = device_failed(number, "poll", ENODEV);
	else
		printf("%d %x\n", ret, (unsigned int)wanted.revents);
	close(wanted.fd);
	return status;
}

static int run(int argc, char **argv)
{
	return verb_plain(&cmd_poll, argc, argv, poll_device, NULL);
}

const struct cmd cmd_poll = {
	.name = "poll",
	.run = run,
	.args = "DEV",
	.summary = "wait until a request is queued",
	.complete = complete_device,
};
