// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text to values and back; see parse.h. Pure: the unit tests compile this file.
 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC	1000000000

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

int parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift;
	uint64_t value;
	int ret;

	ret = take_number(&text, &value);
	if (ret)
		return ret;
	if (*text) {
		suffix = strchr(suffixes, toupper((unsigned char)*text));
		if (!suffix || text[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		if (value > UINT64_MAX >> shift)
			return -ERANGE;
		value <<= shift;
	}
	*bytes = value;
	return 0;
}

int parse_seconds(const char *text, int64_t *nanoseconds)
{
	int64_t fraction = 0, unit = NSEC_PER_SEC, value;
	uint64_t seconds;
	int ret;

	if (!strcmp(text, "never")) {
		*nanoseconds = -1;
		return 0;
	}
	ret = take_number(&text, &seconds);
	if (ret)
		return ret;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++) {
			unit /= 10;
			fraction += unit * (*text - '0');
		}
	}
	if (*text)
		return -EINVAL;
	if (__builtin_mul_overflow(seconds, (int64_t)NSEC_PER_SEC, &value) ||
	    __builtin_add_overflow(value, fraction, &value))
		return -ERANGE;
	*nanoseconds = value;
	return 0;
}

int parse_time(const char *text, uint64_t *nanoseconds)
{
	static const struct {
		const char *suffix;
		uint64_t scale;
	} units[] = { { "", 1 }, { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 },
		      { "s", NSEC_PER_SEC } };
	uint64_t value;
	size_t i;
	int ret;

	ret = take_number(&text, &value);
	if (ret)
		return ret;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text, units[i].suffix))
			continue;
		if (__builtin_mul_overflow(value, units[i].scale, &value))
			return -ERANGE;
		*nanoseconds = value;
		return 0;
	}
	return -EINVAL;
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

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_uuid(const char *text, uint8_t uuid[16])
{
	uint8_t bytes[16];
	size_t i;

	if (strlen(text) != UUID_TEXT - 1)
		return -EINVAL;
	for (i = 0; i < sizeof(bytes); i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		high = hex_digit(*text++);
		low = hex_digit(*text++);
		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
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

int parse_name(const char *text, char name[32])
{
	size_t len = strlen(text);

	if (!len || len != strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-"))
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

const char *format_uuid(const uint8_t uuid[16], char text[UUID_TEXT])
{
	size_t i;
	char *at = text;

	for (i = 0; i < 16; i++)
		at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ?
			      "-%02x" : "%02x", uuid[i]);
	return text;
}
