// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The key engine; see key.h. Knows no key and touches no device.
 */
#include "key.h"
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RANGE_TEXT	160
#define INDENT		23		/* columns before the explanation of a key */

const struct key *key_find(const struct key_table *table, const char *name)
{
	size_t i, n;

	for (i = 0; i < table->nr; i++)
		for (n = 0; n < KEY_NAMES && table->keys[i].names[n]; n++)
			if (!strcmp(table->keys[i].names[n], name))
				return &table->keys[i];
	return NULL;
}

uint64_t key_bit(const struct key_table *table, const struct key *key)
{
	return 1ULL << (key - table->keys);
}

static uint64_t bound(uint64_t limit)
{
	return limit == KEY_PAGE ? (uint64_t)sysconf(_SC_PAGESIZE) : limit;
}

/* ---- values in the table's struct ---- */

static uint64_t get_number(const struct key *key, const void *values)
{
	const char *at = (const char *)values + key->offset;
	uint32_t narrow;
	uint64_t wide;

	if (key->width == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void set_number(const struct key *key, void *values, uint64_t number)
{
	char *at = (char *)values + key->offset;
	uint32_t narrow = (uint32_t)number;

	if (key->width == sizeof(narrow))
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &number, sizeof(number));
}

static void set_switch(const struct key *key, void *values, bool is_on)
{
	uint64_t *on = (uint64_t *)((char *)values + key->offset);
	uint64_t *off = (uint64_t *)((char *)values + key->second);

	*on = is_on ? *on | key->bit : *on & ~key->bit;
	*off = is_on ? *off & ~key->bit : *off | key->bit;
}

static uint32_t *flags_at(const void *values, size_t offset)
{
	return (uint32_t *)((char *)(uintptr_t)values + offset);
}

/* ---- parsing ---- */

static bool is_allowed(const struct key *key, uint64_t number)
{
	if (!number && key->rules & KEY_OR_ZERO)
		return true;
	if (key->kind == KEY_NUMBER ? number < key->min || number > key->max :
	    number < bound(key->min) || number > bound(key->max))
		return false;
	if (key->rules & KEY_POWER_OF_TWO && number & (number - 1))
		return false;
	return !(key->rules & KEY_MULTIPLE_4096) || !(number % 4096);
}

static bool take_time(const struct key *key, void *values, const char *text)
{
	int64_t time;

	if (parse_time(text, key->rules & KEY_BARE_SECONDS ? NSEC_PER_SEC : 0, &time))
		return false;
	if (time < 0 ? !(key->rules & KEY_OR_NEVER) :
	    (uint64_t)time < key->min || (uint64_t)time > key->max)
		return false;
	set_number(key, values, (uint64_t)time);
	return true;
}

static bool take_user(const struct key *key, void *values, const char *text)
{
	uid_t uid = 0;

	if (text && parse_user(text, &uid))
		return false;
	*flags_at(values, key->offset) = uid;
	*flags_at(values, key->second) |= (uint32_t)key->bit;
	return true;
}

static bool take_bare(const struct key *key, void *values)
{
	uint32_t *flags = flags_at(values, key->offset), bit = (uint32_t)key->bit;

	*flags = key->rules & KEY_CLEARS ? *flags & ~bit : *flags | bit;
	return true;
}

static bool take_value(const struct key *key, void *values, const char *text)
{
	char *at = (char *)values + key->offset;
	bool is_optional = key->kind == KEY_SWITCH || key->kind == KEY_BARE ||
			   key->rules & KEY_VALUE_OPTIONAL;
	uint64_t number;

	if (!text && !is_optional)
		return false;
	switch (key->kind) {
	case KEY_SIZE:
	case KEY_NUMBER:
		if ((key->kind == KEY_SIZE ? parse_size(text, &number) :
					     parse_number(text, &number)) ||
		    !is_allowed(key, number))
			return false;
		set_number(key, values, number);
		return true;
	case KEY_TIME:
		return take_time(key, values, text);
	case KEY_SWITCH:
		if (text && strcmp(text, "0") && strcmp(text, "1"))
			return false;
		set_switch(key, values, !text || *text == '1');
		return true;
	case KEY_NAME:
		return !parse_name(text, at);
	case KEY_UUID:
		return !parse_uuid(text, (uint8_t *)at);
	case KEY_USER:
		return take_user(key, values, text);
	case KEY_BARE:
		return !text && take_bare(key, values);
	case KEY_OTHER:
		return key->parse(key, values, text);
	}
	return false;
}

static const char *time_range(const struct key *key, char text[RANGE_TEXT])
{
	char min[TIME_TEXT], max[TIME_TEXT];
	bool has_end = key->max < INT64_MAX;

	snprintf(text, RANGE_TEXT, "a time from %s%s%s, in ns, us, ms, s, min or h%s%s",
		 format_time((int64_t)key->min, min), has_end ? " to " : "",
		 has_end ? format_time((int64_t)key->max, max) : "",
		 key->rules & KEY_BARE_SECONDS ? " (s if no unit is given)" : "",
		 key->rules & KEY_OR_NEVER ? ", or never" : "");
	return text;
}

/* The values allowed, as in "a power of two from 512 to 4096" */
static const char *key_range(const struct key *key, char text[RANGE_TEXT])
{
	bool is_size = key->kind == KEY_SIZE;

	switch (key->kind) {
	case KEY_SIZE:
	case KEY_NUMBER:
		if (key->max == 1)
			return "0 or 1";
		snprintf(text, RANGE_TEXT, "%s%s from %llu to %llu%s",
			 key->rules & KEY_OR_ZERO ? "0, or " : "",
			 key->rules & KEY_POWER_OF_TWO ? "a power of two" :
			 key->rules & KEY_MULTIPLE_4096 ? "a multiple of 4096" : "a number",
			 (unsigned long long)(is_size ? bound(key->min) : key->min),
			 (unsigned long long)(is_size ? bound(key->max) : key->max),
			 is_size ? " (K, M, G, T, P, E or KiB, MiB, .. allowed)" : "");
		return text;
	case KEY_TIME:
		return time_range(key, text);
	case KEY_SWITCH:
		return "0 or 1, or left out";
	case KEY_NAME:
		return "1 to 31 of A-Z a-z 0-9 . _ -, no number and not like abuseN or abctlN";
	case KEY_UUID:
		return "8-4-4-4-12 hexadecimal digits";
	case KEY_USER:
		return key->rules & KEY_VALUE_OPTIONAL ?
			"a uid or the name of a user, or left out" :
			"a uid or the name of a user";
	case KEY_OTHER:
		return key->range;
	case KEY_BARE:
		break;
	}
	return "given without a value";
}

int key_take(const struct key_table *table, void *values, uint64_t *given,
	     const char *subject, const char *name, const char *value)
{
	const struct key *key = key_find(table, name);
	char range[RANGE_TEXT];

	if (!key)
		return -1;
	if (!take_value(key, values, value))
		return invalid(subject, "%s%s%s: must be %s", name, value ? "=" : "",
			       value ? value : "", key_range(key, range));
	*given |= key_bit(table, key);
	return EXIT_OK;
}

/* ---- back to text ---- */

const char *key_text(const struct key *key, const void *values, char text[KEY_TEXT])
{
	const char *at = (const char *)values + key->offset;
	uint64_t features;

	switch (key->kind) {
	case KEY_SIZE:
	case KEY_NUMBER:
		snprintf(text, KEY_TEXT, "%llu", (unsigned long long)get_number(key, values));
		return text;
	case KEY_TIME:
		return format_time((int64_t)get_number(key, values), text);
	case KEY_SWITCH:
		memcpy(&features, at, sizeof(features));
		return features & key->bit ? "1" : "0";
	case KEY_NAME:
		return *at ? at : "(none)";
	case KEY_UUID:
		return format_uuid((const uint8_t *)at, text);
	case KEY_USER:
		if (key->bit && !(*flags_at(values, key->second) & key->bit))
			return "none";
		snprintf(text, KEY_TEXT, "%u", *flags_at(values, key->offset));
		return text;
	case KEY_BARE:
		return !(*flags_at(values, key->offset) & key->bit) ==
		       !!(key->rules & KEY_CLEARS) ? key->names[0] : "(none)";
	case KEY_OTHER:
		break;
	}
	return "";
}

/* ---- help and completion ---- */

static const char *value_name(const struct key *key)
{
	static const char *const names[] = {
		[KEY_SIZE] = "SIZE", [KEY_NUMBER] = "N", [KEY_TIME] = "TIME",
		[KEY_SWITCH] = "0|1", [KEY_NAME] = "NAME", [KEY_UUID] = "UUID",
		[KEY_USER] = "USER", [KEY_OTHER] = "VALUE",
	};

	return key->value ? key->value : names[key->kind];
}

static bool may_be_bare(const struct key *key)
{
	return key->kind == KEY_SWITCH || key->kind == KEY_BARE ||
	       key->rules & KEY_VALUE_OPTIONAL;
}

static void spell(const struct key *key, char *text, size_t size)
{
	const char *open = "=", *close = "";
	size_t n, len = 0;

	for (n = 0; n < KEY_NAMES && key->names[n]; n++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", n ? "/" : "",
					key->names[n]);
	if (key->kind == KEY_BARE)
		return;
	if (may_be_bare(key)) {
		open = "[=";
		close = "]";
	}
	snprintf(text + len, size - len, "%s%s%s", open, value_name(key), close);
}

void keys_help(const struct key_table *table)
{
	char spelling[80];
	const char *line, *end;
	size_t i;

	for (i = 0; i < table->nr; i++) {
		spell(&table->keys[i], spelling, sizeof(spelling));
		line = table->keys[i].help;
		if (strlen(spelling) > INDENT - 3)
			printf("  %s\n%*s", spelling, INDENT, "");
		else
			printf("  %-*s", INDENT - 2, spelling);
		for (; line; line = *end ? end + 1 : NULL) {
			end = strchrnul(line, '\n');
			printf("%*s%.*s\n", line == table->keys[i].help ? 0 : INDENT, "",
			       (int)(end - line), line);
		}
	}
}

void keys_complete(const struct key_table *table, const char *word, const struct key *except)
{
	char item[48];
	size_t i;

	for (i = 0; i < table->nr; i++) {
		const struct key *key = &table->keys[i];

		if (key == except)
			continue;
		snprintf(item, sizeof(item), "%s%s", key->names[0],
			 may_be_bare(key) ? "" : "=");
		complete_item(word, item, key->help);
	}
}
