/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * For tests that include parts of abusectl: what these report as failed is left in said.
 */
#ifndef TESTS_SAID_H
#define TESTS_SAID_H

#include "test.h"
#include "../../utils/abusectl/cmd.h"

static char said[256];

static inline void vsay(const char *subject, const char *format, va_list args)
{
	int n = snprintf(said, sizeof(said), "%s: ", subject);

	vsnprintf(said + n, sizeof(said) - (size_t)n, format, args);
}

int failed(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsay(subject, format, args);
	va_end(args);
	return EXIT_FAILED;
}

#endif /* TESTS_SAID_H */
