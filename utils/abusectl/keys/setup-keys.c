// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The keys of set-up as a table for the key engine, and what all settings together say.
 * setup.c knows what goes together.
 */
#include "setup.h"
#include "key.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>

#define MAX_PLAIN_QUEUE	512		/* more is newer than 2009 */
#define PLAIN		1		/* tag: known to 2009 */

#define AT(field)	offsetof(struct settings, params.field)
#define SIZE32(field)	KEY_SIZE, 4, AT(field)
#define SIZE64(field)	KEY_SIZE, 8, AT(field)
#define FEATURE(name_, bit_, help_) \
	{ .names = { name_ }, .kind = KEY_SWITCH, .offset = AT(features), \
	  .second = offsetof(struct settings, features_off), .bit = (bit_), .help = help_ }

static const struct key keys[] = {
	{ { "size", "sz" }, SIZE64(capacity), 512, KEY_ANY_SIZE, .tag = PLAIN,
	  .help = "capacity, a multiple of bs (default 16M)" },
	{ { "bs", "blocksize" }, SIZE32(logical_block_size), 512, KEY_PAGE, KEY_POWER_OF_TWO,
	  .tag = PLAIN, .help = "logical block size (default 4096)" },
	{ { "qs", "queuesize", "queusize" }, KEY_NUMBER, 4, AT(queue_limit), 1, 65536,
	  .tag = PLAIN, .help = "most requests with servers at once (default 128; for server: the maximum)" },
	{ { "ro" }, KEY_BARE, .offset = AT(flags), .bit = ABUSE_PARAMS_READ_ONLY,
	  .tag = PLAIN, .help = "make it read-only" },
	{ { "rw" }, KEY_BARE, .offset = AT(flags), .bit = ABUSE_PARAMS_READ_ONLY,
	  .rules = KEY_CLEARS, .tag = PLAIN, .help = "make it writable (default)" },
	{ { "reconnect" }, KEY_BARE, .offset = offsetof(struct settings, reconnect), .bit = 1,
	  .tag = PLAIN, .help = "change qs, ro, rw, timeout of a device that is up" },
	{ { "name" }, KEY_NAME, .offset = AT(name),
	  .help = "1 to 31 of A-Z a-z 0-9 . _ -; unique" },
	{ { "uuid" }, KEY_UUID, .offset = AT(uuid), .help = "unique" },
	{ { "pbs" }, SIZE32(physical_block_size), 512, 1U << 30, KEY_POWER_OF_TWO,
	  .help = "physical block size, at least bs (default bs)" },
	{ { "io_min" }, SIZE32(io_min), 512, 1U << 30,
	  .help = "smallest good request, a multiple of pbs (default pbs)" },
	{ { "io_opt" }, SIZE32(io_opt), 512, 1U << 30, KEY_OR_ZERO,
	  .help = "best request, a multiple of io_min (default 0: none)" },
	{ { "max_request" }, SIZE32(max_request), KEY_PAGE, ABUSE_MAX_REQUEST,
	  KEY_MULTIPLE_4096, .help = "largest request (default 1M)" },
	{ { "chunk" }, SIZE32(chunk), 4096, 1U << 30, KEY_POWER_OF_TWO | KEY_OR_ZERO,
	  .help = "no request crosses a multiple of it (default 0: none)" },
	FEATURE("write_cache", ABUSE_F_WRITE_CACHE, "pass flush on (default no)"),
	FEATURE("fua", ABUSE_F_FUA,
		"pass forced unit access on; needs write_cache (default no)"),
	FEATURE("discard", ABUSE_F_DISCARD, "pass discard on (default no)"),
	FEATURE("write_zeroes", ABUSE_F_WRITE_ZEROES, "pass write-zeroes on (default no)"),
	FEATURE("rotational", ABUSE_F_ROTATIONAL, "seeks are slow (default no)"),
	{ { "max_discard" }, SIZE64(max_discard), 512, SETTINGS_MAX_DISCARD,
	  .help = "in one request (default 2G)" },
	{ { "max_write_zeroes" }, SIZE64(max_write_zeroes), 512, UINT32_MAX,
	  .help = "in one request (default 2G)" },
	{ { "discard_granularity" }, SIZE32(discard_granularity), 512, 1U << 30,
	  KEY_POWER_OF_TWO, .help = "unit of discard (default pbs)" },
	{ { "timeout" }, KEY_TIME, 8, AT(timeout), 1000000, INT64_MAX,
	  KEY_OR_NEVER | KEY_BARE_SECONDS, .value = "TIME|never",
	  .help = "a request that is not completed in this time fails; never: not\n"
		  "even without a server (default: abuse(4), TIME-OUTS)" },
	{ { "sealed" }, KEY_USER, .offset = AT(seal_uid), .second = AT(flags),
	  .bit = ABUSE_PARAMS_SEALED, .rules = KEY_VALUE_OPTIONAL,
	  .help = "only root and this uid or user serve; makes it trusted" },
};

static const struct key_table table = KEY_TABLE(keys);

/* ro and rw are one setting. */
static bool is_mode(const struct key *key)
{
	return key->kind == KEY_BARE && key->offset == AT(flags);
}

int settings_take(struct settings *settings, const char *dev, const char *name,
		  const char *value)
{
	return key_take(&table, settings, &settings->given, dev, name, value);
}

bool settings_has(const struct settings *settings, const char *name)
{
	return settings->given & key_bit(&table, key_find(&table, name));
}

bool settings_knows(const char *name)
{
	return key_find(&table, name);
}

bool settings_has_either(const struct settings *settings, const char *name)
{
	const struct key *key = key_find(&table, name);
	uint64_t mask = 0;
	size_t i;

	for (i = 0; key && i < table.nr; i++)
		if (&keys[i] == key || (is_mode(key) && is_mode(&keys[i])))
			mask |= key_bit(&table, &keys[i]);
	return settings->given & mask;
}

bool settings_are_plain(const struct settings *settings)
{
	size_t i;

	if (settings->params.queue_limit > MAX_PLAIN_QUEUE)
		return false;
	for (i = 0; i < table.nr; i++)
		if (settings->given & key_bit(&table, &keys[i]) && keys[i].tag != PLAIN)
			return false;
	return true;
}

static const char *value_text(const struct key *key, const struct settings *settings,
			      char text[KEY_TEXT])
{
	if (is_mode(key))
		return settings->params.flags & ABUSE_PARAMS_READ_ONLY ? "ro" : "rw";
	return key_text(key, settings, text);
}

/* qs and timeout may differ, and with reconnect the mode. */
static bool may_differ(const struct key *key, const struct settings *settings)
{
	return key->offset == AT(queue_limit) || key->kind == KEY_TIME ||
	       (key->kind == KEY_BARE && (!is_mode(key) || settings->reconnect));
}

bool settings_differ(const struct settings *settings, const struct abuse_params *now,
		     struct difference *difference)
{
	const struct settings has = { .params = *now };
	char wanted_text[KEY_TEXT], has_text[KEY_TEXT];
	const char *wanted_value, *has_value;
	size_t i;

	for (i = 0; i < table.nr; i++) {
		const struct key *key = &keys[i];

		if (!(settings->given & key_bit(&table, key)) || may_differ(key, settings))
			continue;
		wanted_value = value_text(key, settings, wanted_text);
		has_value = value_text(key, &has, has_text);
		if (!strcmp(wanted_value, has_value))
			continue;
		snprintf(difference->wanted, sizeof(difference->wanted), "%s%s%s",
			 is_mode(key) ? "" : key->names[0], is_mode(key) ? "" : "=",
			 wanted_value);
		snprintf(difference->has, sizeof(difference->has), "%s", has_value);
		return true;
	}
	return false;
}

void settings_help(void)
{
	puts("Keys, separated by commas; sizes in bytes or as 64K, 1.5G, 1GiB (1024 each), times\n"
	     "as 200us, 5ms, 1.5s, 2min, 1h:");
	keys_help(&table);
}

void settings_complete(const char *word, bool live)
{
	keys_complete(&table, word, live ? NULL : key_find(&table, "reconnect"));
}
