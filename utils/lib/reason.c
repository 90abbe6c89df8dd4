// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Why a call failed, in words: one line for each thread, kept until that thread's next failure. The function that
 * finds the reason writes it; server.c passes it to the debug callback.
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

/* Clears the reason at the begin of each call that can fail. */
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

/* Explains an error if no function below has explained it. */
int reason_of_error(int err, const char *what)
{
	if (err < 0 && !*reason)
		snprintf(reason, sizeof(reason), "%s: %s", what, strerror(-err));
	return err;
}
