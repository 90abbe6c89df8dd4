// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * How abusectl speaks of trouble: program, verb, subject, reason on one line of
 * standard error, and the exit status that goes with it.
 */
#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>

static const struct cmd *verb;

void report_verb(const struct cmd *cmd)
{
	verb = cmd;
}

static __thread const char *place;

void report_place(const char *text)
{
	place = text;
}

static bool quiet;

void report_quiet(void)
{
	quiet = true;
}

bool is_quiet(void)
{
	return quiet;
}

/* An empty word would leave nothing between two colons. */
static const char *visible(const char *word)
{
	return *word ? word : "''";
}

static void report(const char *subject, const char *format, va_list args)
{
	char line[1024];

	/* One write, so that lines of several processes do not mix. */
	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "abusectl: %s%s%s%s%s%s%s%s\n", verb ? verb->name : "",
		verb ? ": " : "", place ? place : "", place ? ": " : "",
		subject ? visible(subject) : "", subject ? ": " : "", *line == ':' ? "''" : "", line);
}

int failed(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(subject, format, args);
	va_end(args);
	return EXIT_FAILED;
}

int invalid(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(subject, format, args);
	va_end(args);
	return EXIT_USAGE;
}

int note(const char *subject, const char *format, ...)
{
	va_list args;

	if (quiet)
		return EXIT_OK;
	va_start(args, format);
	report(subject, format, args);
	va_end(args);
	return EXIT_OK;
}

int misused(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(NULL, format, args);
	va_end(args);
	if (place)	/* it has one line, which says where */
		return EXIT_USAGE;
	if (verb == &cmd_help)		/* to explain itself helps nobody */
		report_verb(NULL);
	fprintf(stderr, "Try 'abusectl help%s%s'.\n", verb ? " " : "",
		verb ? verb->name : "");
	return EXIT_USAGE;
}
