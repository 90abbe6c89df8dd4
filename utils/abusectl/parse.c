// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Text to values and back; see parse.h. Pure: the unit tests compile this file.
 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uuid/uuid.h>

#define BILLION	1000000000ULL

/* Decimal digits at *text, which is moved behind them. */
static int take_number(const char **text, uint64_t *number)
{
	uint64_t value = 0;
	const char *at = *text;

	if (!isdigit((unsigned char)*at))
		return -EINVAL;
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	*text = at;
	*number = value;
	return 0;
}

int parse_number(const char *text, uint64_t *number)
{
	uint64_t value;
	int ret = take_number(&text, &value);

	if (ret)
		return ret;
	if (*text)
		return -EINVAL;
	*number = value;
	return 0;
}

/*
 * Decimal digits and up to nine decimals, at *text, which is moved behind them; *fraction
 * is in billionths.
 */
static int take_decimal(const char **text, uint64_t *number, uint64_t *fraction)
{
	uint64_t unit = BILLION;
	int ret = take_number(text, number);

	*fraction = 0;
	if (ret || **text != '.')
		return ret;
	if (!isdigit((unsigned char)*++*text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); ++*text) {
		unit /= 10;
		*fraction += unit * (uint64_t)(**text - '0');
	}
	return 0;
}

/* @number and @fraction of @unit each */
static int scale(uint64_t number, uint64_t fraction, uint64_t unit, uint64_t *result)
{
	unsigned __int128 value = (unsigned __int128)number * unit +
				  (unsigned __int128)fraction * unit / BILLION;

	if (value > UINT64_MAX)
		return -ERANGE;
	*result = (uint64_t)value;
	return 0;
}

/* The power of two of a suffix, or -1 */
static int size_shift(const char *suffix)
{
	static const char letters[] = "KMGTPE";
	const char *letter;

	if (!*suffix || !strcasecmp(suffix, "B"))
		return 0;
	letter = strchr(letters, toupper((unsigned char)*suffix));
	if (!letter || (suffix[1] && strcasecmp(suffix + 1, "iB")))
		return -1;
	return 10 * (int)(letter - letters + 1);
}

int parse_size(const char *text, uint64_t *bytes)
{
	uint64_t value, fraction;
	int ret, shift;

	ret = take_decimal(&text, &value, &fraction);
	if (ret)
		return ret;
	if (*text == ' ' && text[1])
		text++;
	shift = size_shift(text);
	if (shift < 0 || (!shift && fraction))
		return -EINVAL;
	return scale(value, fraction, 1ULL << shift, bytes);
}

static const struct {
	const char *name;
	int64_t nanoseconds;
} time_units[] = {
	{ "h", 3600LL * NSEC_PER_SEC }, { "min", 60LL * NSEC_PER_SEC },
	{ "s", NSEC_PER_SEC }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 },
};

#define NR_TIME_UNITS	(sizeof(time_units) / sizeof(*time_units))

int parse_time(const char *text, int64_t bare, int64_t *nanoseconds)
{
	uint64_t value, fraction;
	int64_t unit = bare;
	size_t i;
	int ret;

	if (!strcmp(text, "never")) {
		*nanoseconds = -1;
		return 0;
	}
	ret = take_decimal(&text, &value, &fraction);
	if (ret)
		return ret;
	if (*text)
		for (i = 0, unit = 0; i < NR_TIME_UNITS; i++)
			if (!strcmp(text, time_units[i].name))
				unit = time_units[i].nanoseconds;
	if (!unit && (*text || value || fraction))
		return -EINVAL;
	ret = scale(value, fraction, (uint64_t)unit, &value);
	if (ret || value > INT64_MAX)
		return -ERANGE;
	*nanoseconds = (int64_t)value;
	return 0;
}

int parse_percent(const char *text, double *share)
{
	size_t len = strspn(text, "0123456789.");
	double percent;
	char *end;

	if (!isdigit((unsigned char)*text) || strcmp(text + len, "%"))
		return -EINVAL;
	percent = strtod(text, &end);
	if (end != text + len)
		return -EINVAL;
	if (percent > 100)
		return -ERANGE;
	*share = percent / 100;
	return 0;
}

int parse_uuid(const char *text, uint8_t uuid[16])
{
	uuid_t bytes;

	if (uuid_parse(text, bytes))
		return -EINVAL;
	memcpy(uuid, bytes, sizeof(bytes));
	return 0;
}

int parse_user(const char *text, uid_t *uid)
{
	const struct passwd *user;
	uint64_t number;
	int ret;

	ret = parse_number(text, &number);
	if (!ret) {
		if (number >= UINT32_MAX)	/* (uid_t)-1 is nobody at all */
			return -ERANGE;
		*uid = (uid_t)number;
		return 0;
	}
	if (ret == -ERANGE)
		return ret;
	user = getpwnam(text);
	if (!user)
		return -ENOENT;
	*uid = user->pw_uid;
	return 0;
}

static bool means_another(const char *text)
{
	if (!strncmp(text, "abuse", 5) || !strncmp(text, "abctl", 5))
		text += 5;
	return *text && !text[strspn(text, "0123456789")];
}

int parse_name(const char *text, char name[32])
{
	size_t len = strlen(text);

	if (!len || len != strspn(text, NAME_CHARACTERS))
		return -EINVAL;
	if (means_another(text))
		return -EINVAL;
	if (len > 31)
		return -ERANGE;
	memset(name, 0, 32);
	memcpy(name, text, len);
	return 0;
}

int parse_pair(char **list, char **key, char **value)
{
	char *item;

	do {
		item = strsep(list, ",");
		if (!item)
			return 0;
	} while (!*item);
	*value = strchr(item, '=');
	if (*value)
		*(*value)++ = '\0';
	*key = item;
	return 1;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

int parse_line(char *line, char **key, char **value)
{
	char *at;

	for (at = strchr(line, '#'); at; at = strchr(at + 1, '#'))
		if (at == line || isspace((unsigned char)at[-1])) {
			*at = '\0';
			break;
		}
	line = trim(line);
	*value = strchr(line, '=');
	if (*value) {
		*(*value)++ = '\0';
		*value = trim(*value);
	}
	*key = trim(line);
	return **key || *value;
}

const char *format_size(uint64_t bytes, char text[SIZE_TEXT])
{
	static const char units[] = "KMGTPE";
	unsigned int unit = 0;
	double value = (double)bytes;

	if (bytes < 1024) {
		snprintf(text, SIZE_TEXT, "%u B", (unsigned int)bytes);
		return text;
	}
	for (value /= 1024; value >= 1024 && unit < 5; value /= 1024)
		unit++;
	snprintf(text, SIZE_TEXT, "%.1f %ciB", value, units[unit]);
	return text;
}

const char *format_time(int64_t nanoseconds, char text[TIME_TEXT])
{
	size_t i;

	if (nanoseconds <= 0) {
		strcpy(text, nanoseconds ? "never" : "0s");
		return text;
	}
	for (i = 0; nanoseconds % time_units[i].nanoseconds; i++)
		;
	snprintf(text, TIME_TEXT, "%lld%s",
		 (long long)(nanoseconds / time_units[i].nanoseconds), time_units[i].name);
	return text;
}

const char *format_uuid(const uint8_t uuid[16], char text[UUID_TEXT])
{
	uuid_unparse_lower(uuid, text);
	return text;
}
