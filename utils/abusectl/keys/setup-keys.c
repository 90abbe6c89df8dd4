// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of set-up as one table: spelling, range, place in struct
 * abuse_params. Parsing, range messages, comparison with what a device has,
 * completion and help all come from it. setup.c knows what goes together.
 */
#include "setup.h"
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum kind { SIZE32, SIZE64, FEATURE, NAME, UUID, SECONDS, SEAL, MODE, RECONNECT };

#define ANY_SIZE	INT64_MAX
#define PAGE		0		/* as min or max: what this machine's page is */
#define MAX_PLAIN_QUEUE	512		/* more is newer than 2009 */

/* What a number must be, beside between min and max. */
#define POWER_OF_TWO	1
#define MULTIPLE_4096	2
#define OR_ZERO		4

struct key {
	const char *names[4];		/* the first is the one in messages */
	enum kind kind;
	size_t offset;			/* in struct abuse_params */
	uint64_t min, max;
	unsigned int rules;
	uint64_t bit;			/* of flags or features */
	bool plain;			/* known to 2009 */
	const char *help;
};

#define AT(field)	offsetof(struct abuse_params, field)

static const struct key keys[] = {
	{ { "size", "sz" }, SIZE64, AT(capacity), 512, ANY_SIZE, 0, 0, true,
	  "capacity, a multiple of bs (default 16M)" },
	{ { "bs", "blocksize" }, SIZE32, AT(logical_block_size), 512, PAGE,
	  POWER_OF_TWO, 0, true, "logical block size (default 4096)" },
	{ { "qs", "queuesize", "queusize" }, SIZE32, AT(queue_limit), 1, 65536, 0, 0,
	  true, "requests handed out at once (default 128)" },
	{ { "ro" }, MODE, 0, 0, 0, 0, 1, true, "make it read-only" },
	{ { "rw" }, MODE, 0, 0, 0, 0, 0, true, "make it writable (default)" },
	{ { "reconnect" }, RECONNECT, 0, 0, 0, 0, 0, true,
	  "change qs, ro, rw, timeout of a device that is up" },
	{ { "name" }, NAME, AT(name), 0, 0, 0, 0, false,
	  "1 to 31 of A-Z a-z 0-9 . _ -; unique" },
	{ { "uuid" }, UUID, AT(uuid), 0, 0, 0, 0, false, "unique" },
	{ { "pbs" }, SIZE32, AT(physical_block_size), 512, 1U << 30, POWER_OF_TWO, 0,
	  false, "physical block size, at least bs (default bs)" },
	{ { "io_min" }, SIZE32, AT(io_min), 512, 1U << 30, 0, 0, false,
	  "smallest good request, a multiple of pbs (default pbs)" },
	{ { "io_opt" }, SIZE32, AT(io_opt), 512, 1U << 30, OR_ZERO, 0, false,
	  "best request, a multiple of io_min (default 0: none)" },
	{ { "max_request" }, SIZE32, AT(max_request), PAGE, ABUSE_MAX_REQUEST,
	  MULTIPLE_4096, 0, false, "largest request (default 1M)" },
	{ { "chunk" }, SIZE32, AT(chunk), 4096, 1U << 30, POWER_OF_TWO | OR_ZERO, 0,
	  false, "no request crosses a multiple of it (default 0: none)" },
	{ { "write_cache" }, FEATURE, 0, 0, 0, 0, ABUSE_F_WRITE_CACHE, false,
	  "pass flush on (default no)" },
	{ { "fua" }, FEATURE, 0, 0, 0, 0, ABUSE_F_FUA, false,
	  "pass forced unit access on; needs write_cache (default no)" },
	{ { "discard" }, FEATURE, 0, 0, 0, 0, ABUSE_F_DISCARD, false,
	  "pass discard on (default no)" },
	{ { "write_zeroes" }, FEATURE, 0, 0, 0, 0, ABUSE_F_WRITE_ZEROES, false,
	  "pass write-zeroes on (default no)" },
	{ { "rotational" }, FEATURE, 0, 0, 0, 0, ABUSE_F_ROTATIONAL, false,
	  "seeks are slow (default no)" },
	{ { "max_discard" }, SIZE64, AT(max_discard), 512, SETTINGS_MAX_DISCARD, 0,
	  0, false, "in one request (default 2G)" },
	{ { "max_write_zeroes" }, SIZE64, AT(max_write_zeroes), 512, UINT32_MAX, 0, 0,
	  false, "in one request (default 2G)" },
	{ { "discard_granularity" }, SIZE32, AT(discard_granularity), 512, 1U << 30,
	  POWER_OF_TWO, 0, false, "unit of discard (default pbs)" },
	{ { "timeout" }, SECONDS, AT(timeout), 1000000, INT64_MAX, 0, 0, false,
	  "an unanswered request fails after so long (default\n"
	  "                       never, on a user's device user_timeout)" },
	{ { "sealed" }, SEAL, AT(seal_uid), 0, 0, 0, 0, false,
	  "only root and this uid or user serve; makes it trusted" },
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

static const struct key *key_find(const char *name)
{
	size_t i, n;

	for (i = 0; i < NR_KEYS; i++)
		for (n = 0; n < 4 && keys[i].names[n]; n++)
			if (!strcmp(keys[i].names[n], name))
				return &keys[i];
	return NULL;
}

static uint64_t key_bit(const struct key *key)
{
	return 1ULL << (key - keys);
}

static uint64_t bound(uint64_t limit)
{
	return limit == PAGE ? (uint64_t)sysconf(_SC_PAGESIZE) : limit;
}

/* What is allowed, as in "a power of two from 512 to 4096". */
static const char *key_range(const struct key *key, char text[128])
{
	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		snprintf(text, 128, "%s%s from %llu to %llu (K, M, G, T allowed)",
			 key->rules & OR_ZERO ? "0, or " : "",
			 key->rules & POWER_OF_TWO ? "a power of two" :
			 key->rules & MULTIPLE_4096 ? "a multiple of 4096" : "a number",
			 (unsigned long long)bound(key->min),
			 (unsigned long long)bound(key->max));
		return text;
	case FEATURE:
		return "0 or 1, or left out";
	case NAME:
		return "1 to 31 of A-Z a-z 0-9 . _ -";
	case UUID:
		return "8-4-4-4-12 hexadecimal digits";
	case SECONDS:
		return "seconds, from 0.001, or never";
	case SEAL:
		return "a uid or the name of a user, or left out";
	case MODE:
	case RECONNECT:
		break;
	}
	return "given without a value";
}

static uint64_t get_number(const struct key *key, const struct abuse_params *params)
{
	const char *at = (const char *)params + key->offset;
	uint32_t narrow;
	uint64_t wide;

	if (key->kind == SIZE32) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void set_number(const struct key *key, struct abuse_params *params,
		       uint64_t number)
{
	char *at = (char *)params + key->offset;
	uint32_t narrow = (uint32_t)number;

	if (key->kind == SIZE32)
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &number, sizeof(number));
}

static bool is_allowed(const struct key *key, uint64_t number)
{
	if (!number && key->rules & OR_ZERO)
		return true;
	if (number < bound(key->min) || number > bound(key->max))
		return false;
	if (key->rules & POWER_OF_TWO && number & (number - 1))
		return false;
	return !(key->rules & MULTIPLE_4096) || !(number % 4096);
}

static bool take_value(const struct key *key, struct settings *settings,
		       const char *value)
{
	struct abuse_params *params = &settings->params;
	uint64_t number;
	int64_t time;
	uid_t uid = 0;

	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		if (!value || parse_size(value, &number) || !is_allowed(key, number))
			return false;
		set_number(key, params, number);
		return true;
	case FEATURE:
		if (value && strcmp(value, "0") && strcmp(value, "1"))
			return false;
		params->features &= ~key->bit;
		settings->features_off &= ~key->bit;
		if (value && *value == '0')
			settings->features_off |= key->bit;
		else
			params->features |= key->bit;
		return true;
	case NAME:
		return value && !parse_name(value, params->name);
	case UUID:
		return value && !parse_uuid(value, params->uuid);
	case SECONDS:
		if (!value || parse_seconds(value, &time) ||
		    (time >= 0 && time < (int64_t)key->min))
			return false;
		params->timeout = time;
		return true;
	case SEAL:
		if (value && parse_user(value, &uid))
			return false;
		params->seal_uid = uid;
		params->flags |= ABUSE_PARAMS_SEALED;
		return true;
	case MODE:
		if (key->bit)
			params->flags |= ABUSE_PARAMS_READ_ONLY;
		else
			params->flags &= ~ABUSE_PARAMS_READ_ONLY;
		return !value;
	case RECONNECT:
		settings->reconnect = true;
		return !value;
	}
	return false;
}

int settings_take(struct settings *settings, const char *dev, const char *name,
		  const char *value)
{
	const struct key *key = key_find(name);
	char range[128];

	if (!key)
		return -1;
	if (!take_value(key, settings, value))
		return invalid(dev, "%s%s%s: must be %s", name, value ? "=" : "",
			       value ? value : "", key_range(key, range));
	settings->given |= key_bit(key);
	return EXIT_OK;
}

bool settings_has(const struct settings *settings, const char *name)
{
	return settings->given & key_bit(key_find(name));
}

bool settings_has_either(const struct settings *settings, const char *name)
{
	const struct key *key = key_find(name);
	uint64_t mask = 0;
	size_t i;

	for (i = 0; key && i < NR_KEYS; i++)
		if (&keys[i] == key ||
		    (key->kind == MODE && keys[i].kind == MODE))
			mask |= key_bit(&keys[i]);
	return settings->given & mask;
}

bool settings_are_plain(const struct settings *settings)
{
	size_t i;

	if (settings->params.queue_limit > MAX_PLAIN_QUEUE)
		return false;
	for (i = 0; i < NR_KEYS; i++)
		if (settings->given & key_bit(&keys[i]) && !keys[i].plain)
			return false;
	return true;
}

static const char *key_value(const struct key *key, const struct abuse_params *params,
			     char text[VALUE_TEXT])
{
	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		snprintf(text, VALUE_TEXT, "%llu",
			 (unsigned long long)get_number(key, params));
		return text;
	case FEATURE:
		return params->features & key->bit ? "1" : "0";
	case NAME:
		return *params->name ? params->name : "none";
	case UUID:
		return format_uuid(params->uuid, text);
	case SEAL:
		if (!(params->flags & ABUSE_PARAMS_SEALED))
			return "none";
		snprintf(text, VALUE_TEXT, "%u", params->seal_uid);
		return text;
	case MODE:
		return params->flags & ABUSE_PARAMS_READ_ONLY ? "ro" : "rw";
	case SECONDS:
	case RECONNECT:
		break;
	}
	return "";
}

static bool is_same(const struct key *key, const struct settings *settings,
		    const struct abuse_params *now)
{
	const struct abuse_params *params = &settings->params;

	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		return key->offset == AT(queue_limit) ||
		       get_number(key, params) == get_number(key, now);
	case FEATURE:
		return !(params->features & key->bit) == !(now->features & key->bit);
	case NAME:
		return !strcmp(params->name, now->name);
	case UUID:
		return !memcmp(params->uuid, now->uuid, sizeof(now->uuid));
	case SEAL:
		return now->flags & ABUSE_PARAMS_SEALED &&
		       params->seal_uid == now->seal_uid;
	case MODE:
		return settings->reconnect ||
		       !((params->flags ^ now->flags) & ABUSE_PARAMS_READ_ONLY);
	case SECONDS:
	case RECONNECT:
		break;
	}
	return true;
}

bool settings_differ(const struct settings *settings, const struct abuse_params *now,
		     struct difference *difference)
{
	char wanted[VALUE_TEXT], has[VALUE_TEXT];
	const struct key *key;

	for (key = keys; key < keys + NR_KEYS; key++)
		if (settings->given & key_bit(key) && !is_same(key, settings, now))
			break;
	if (key == keys + NR_KEYS)
		return false;
	snprintf(difference->wanted, sizeof(difference->wanted), "%s%s%s",
		 key->kind == MODE ? "" : key->names[0], key->kind == MODE ? "" : "=",
		 key_value(key, &settings->params, wanted));
	snprintf(difference->has, sizeof(difference->has), "%s", key_value(key, now, has));
	return true;
}

void settings_help(void)
{
	static const char *const values[] = {
		[SIZE32] = "=N", [SIZE64] = "=N", [FEATURE] = "[=0|1]",
		[NAME] = "=NAME", [UUID] = "=UUID", [SECONDS] = "=SEC|never",
		[SEAL] = "[=USER]", [MODE] = "", [RECONNECT] = "",
	};
	char spelling[64];
	size_t i;

	puts("Keys, separated by commas; sizes in bytes or with K, M, G, T (1024 each):");
	for (i = 0; i < NR_KEYS; i++) {
		const struct key *key = &keys[i];

		snprintf(spelling, sizeof(spelling), "%s%s%s%s%s%s", key->names[0],
			 key->names[1] ? "/" : "", key->names[1] ? key->names[1] : "",
			 key->names[1] && key->names[2] ? "/" : "",
			 key->names[1] && key->names[2] ? key->names[2] : "",
			 values[key->kind]);
		printf(strlen(spelling) > 20 ? "  %s\n%23s%s\n" : "  %-20s%.1s%s\n",
		       spelling, " ", key->help);
	}
}

void settings_complete(const char *word, bool live)
{
	char item[32];
	size_t i;

	for (i = 0; i < NR_KEYS; i++) {
		const struct key *key = &keys[i];
		bool is_bare = key->kind == FEATURE || key->kind == SEAL ||
			       key->kind == MODE || key->kind == RECONNECT;

		if (key->kind == RECONNECT && !live)
			continue;
		snprintf(item, sizeof(item), "%s%s", key->names[0],
			 is_bare ? "" : "=");
		complete_item(word, item, key->help);
	}
}
