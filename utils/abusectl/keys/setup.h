/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The keys of set-up: a list such as "size=64M,bs=4096,ro" becomes settings
 * (setup-keys.c), which are checked against the device they are for (setup.c).
 * setup and server share them; help prints the same table.
 */
#ifndef ABUSECTL_SETUP_H
#define ABUSECTL_SETUP_H

#include <libabuse.h>

#define SETTINGS_MAX_DISCARD	UINT32_MAX	/* bytes in one request */

struct settings {
	struct abuse_params params;	/* values of the keys given */
	uint64_t given;			/* bit n: key n of the table */
	uint64_t features_off;		/* features refused with "=0" */
	uint32_t reconnect;
};

/*
 * Takes one key. EXIT_OK; EXIT_USAGE, reported against @dev; or -1: no such
 * key, nothing said.
 */
int settings_take(struct settings *settings, const char *dev, const char *key,
		  const char *value);

/* Is there such a key? */
bool settings_knows(const char *name);

/* Does the list hold the key of this (first) name? */
bool settings_has(const struct settings *settings, const char *name);

/* The key of any name, or one that contradicts it, as ro and rw do? */
bool settings_has_either(const struct settings *settings, const char *name);

/* Only keys and values that 2009 knew? */
bool settings_are_plain(const struct settings *settings);

/* One key as it was given, "bs=4096", and the value that the device has instead. */
struct difference {
	char wanted[96];
	char has[64];
};

/* The first key whose value is another than that of @now, but for what may change. */
bool settings_differ(const struct settings *settings, const struct abuse_params *now,
		     struct difference *difference);

/*
 * Values that exclude each other, or that the device @now, which is empty, cannot have;
 * reported against it. Checks all that the module would refuse as out of range.
 */
int settings_check(const struct settings *settings,
		   const struct abuse_params *now);

/* The same for no device in particular, reported against @subject */
int settings_check_alone(const struct settings *settings, const char *subject);

/*
 * Reports the first key whose value differs from what a device that is up has,
 * qs and timeout apart, and with reconnect ro and rw: these may change, qs as far as
 * the device goes. A server that takes over must not be told other things than the
 * first.
 */
int settings_match(const struct settings *settings,
		   const struct abuse_params *now);

/* Reports why set-up of the device, which was @now, was refused with @err. */
int settings_refused(const struct settings *settings,
		     const struct abuse_params *now, int err);

void settings_help(void);

/* Keys for complete_item(); with reconnect, if @live. */
void settings_complete(const char *word, bool live);

#endif /* ABUSECTL_SETUP_H */
