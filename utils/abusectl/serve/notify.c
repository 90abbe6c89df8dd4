// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Readiness and signs of life through sd_notify(3); see notify.h. A message that does not arrive is
 * no reason not to serve.
 */
#include "notify.h"

#if HAVE_LIBSYSTEMD
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define TAKEN_OVER	1000000000	/* nanoseconds: such a process is not told the interval */

static bool takes_over;

bool notify_is_wanted(void)
{
	return getenv("NOTIFY_SOCKET");
}

void notify_take_over(void)
{
	takes_over = notify_is_wanted();
}

void notify_main_pid(int pid)
{
	sd_notifyf(0, "MAINPID=%d", pid);
}

int64_t notify_interval(void)
{
	uint64_t usec;

	if (takes_over)
		return TAKEN_OVER;
	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)usec * 1000 / 4 : 0;
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void notify_ready(const char *status)
{
	if (!takes_over)
		sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=completing the requests that it holds");
}
#endif
