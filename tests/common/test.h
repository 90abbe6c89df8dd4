/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Functions for all C tests: ok() notes a failure and goes on, must() ends the test
 * at once, done() is the exit status. Lines are TAP; 0 passed, 1 failed, 77 skipped.
 */
#ifndef ABUSE_TEST_H
#define ABUSE_TEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int test_count, test_failures;

__attribute__((format(printf, 4, 5), unused))
static bool test_report(bool passed, const char *file, int line, const char *fmt, ...)
{
	int error = errno;
	va_list args;

	printf("%sok %d - ", passed ? "" : "not ", ++test_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	if (!passed) {
		printf(" (%s:%d, errno %d: %s)", file, line, error, strerror(error));
		test_failures++;
	}
	printf("\n");
	fflush(stdout);
	errno = error;
	return passed;
}

/* Each takes a description in printf's way; ok() tells whether the condition held. */
#define ok(cond, ...) test_report(!!(cond), __FILE__, __LINE__, __VA_ARGS__)
#define must(cond, ...) do { if (!ok(cond, __VA_ARGS__)) exit(1); } while (0)
#define fail(...) do { test_report(false, __FILE__, __LINE__, __VA_ARGS__); exit(1); } while (0)
#define skip(...) do { printf("skip: " __VA_ARGS__); printf("\n"); exit(77); } while (0)
#define is(got, want, what) do { \
	long long test_got = (long long)(got), test_want = (long long)(want); \
	test_report(test_got == test_want, __FILE__, __LINE__, "%s: %lld, wanted %lld", what, test_got, test_want); \
} while (0)
/* The call fails, with just that errno. */
#define fails_with(call, error) do { \
	errno = 0; \
	long long test_ret = (long long)(call); \
	test_report(test_ret == -1 && errno == (error), __FILE__, __LINE__, "%s gives %s", #call, #error); \
} while (0)

__attribute__((unused))
static int done(void)
{
	if (!test_count)
		printf("not ok - nothing was tested\n");
	return test_failures || !test_count;
}

/* Where a test makes its files: in memory, unless that is root's alone, as where packages are built. */
__attribute__((unused))
static const char *test_folder(void)
{
	return access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
}

/* Seconds, stretched where the harness says that the machine is slow. */
__attribute__((unused))
static unsigned int stretched(unsigned int seconds)
{
	const char *factor = getenv("TIMEOUT_FACTOR");

	return seconds * (factor && atoi(factor) > 0 ? atoi(factor) : 1);
}

#endif
