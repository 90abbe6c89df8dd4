/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Delays and errors put between a device and any backend, for those who test file
 * systems: the keys that ask for them, and callbacks that stand before the backend's.
 * There is one set of them in a process.
 */
#ifndef ABUSECTL_INJECT_H
#define ABUSECTL_INJECT_H

#include <libabuse.h>

#define INJECT_OPS	5		/* ABUSE_OP_* */

struct backend;

/* The delays and errors that the keys ask for. */
struct inject {
	uint64_t given;			/* bit n: key n of the table */
	uint64_t delay[INJECT_OPS];	/* nanoseconds */
	double rate[INJECT_OPS];	/* of errors, 0 to 1 */
	int err[INJECT_OPS];
	uint32_t seed;
};

/* As plan_take() and plan_has() */
int inject_take(struct inject *inject, const char *subject, const char *name,
		const char *value);
bool inject_knows(const char *name);
bool inject_has(const struct inject *inject, const char *name);

void inject_help(void);
void inject_complete(const char *word);

bool inject_delays(const struct inject *inject);

/* Does a backend of these @ops do what keys are about? Reports what it does not. */
int inject_check(const struct inject *inject, const struct abuse_ops *ops);

/*
 * Starts to do so in front of @backend, for at most @nr requests at once, and leaves
 * in *ops what to serve with instead of backend->ops. Reports its failures and
 * returns an exit status.
 */
int inject_start(const struct inject *inject, const struct backend *backend,
		 unsigned int nr, struct abuse_ops *ops);

/* Ends all delays, also of requests that wait. */
void inject_hasten(void);

/* After this no request is touched any more. */
void inject_quit(void);

#endif /* ABUSECTL_INJECT_H */
