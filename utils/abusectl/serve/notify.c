// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readiness and signs of life through sd_notify(3); see notify.h. A message that does not arrive is
 * no reason not to serve.
 */
#include "notify.h"

#if HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

int64_t notify_interval(void)
{
	uint64_t usec;

	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)usec * 1000 / 4 : 0;
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=answering what is held");
}
#endif
