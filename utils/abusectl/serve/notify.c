// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readiness through sd_notify(3); see notify.h. A message that does not arrive is
 * no reason not to serve.
 */
#include "notify.h"

#if HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=answering what is held");
}
#endif
