// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why a call failed, in words: one line for each thread, kept until that thread's next failure. Who found the reason
 * writes it; server.c shows it to the program's debug callback.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REASON_SIZE	256

static __thread char reason[REASON_SIZE];

const char *abuse_reason(void)
{
	return reason;
}

const char *abuse_version(void)
{
	return VERSION;
}

/* Every call that can fail for a reason of its own begins without one. */
void reason_clear(void)
{
	*reason = 0;
}

int reason_set(int err, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(reason, sizeof(reason), format, values);
	va_end(values);
	return err;
}

/* For an error that nobody below explained. */
int reason_of_error(int err, const char *what)
{
	if (err < 0 && !*reason)
		snprintf(reason, sizeof(reason), "%s: %s", what, strerror(-err));
	return err;
}
