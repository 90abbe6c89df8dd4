/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Text to values and back: numbers, sizes, times, uuids, users, key lists.
 * Parsers return 0, -EINVAL (not such a thing) or -ERANGE (too large), and leave
 * the result alone when they fail. Touches no device and prints nothing.
 */
#ifndef ABUSECTL_PARSE_H
#define ABUSECTL_PARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int parse_number(const char *text, uint64_t *number);

/*
 * Bytes; with a suffix K M G T P E, KiB MiB .. or B, of 1024 each, also with decimals and
 * a blank, as in "1.5 GiB": what format_size() prints.
 */
int parse_size(const char *text, uint64_t *bytes);

#define NSEC_PER_SEC	1000000000

/*
 * Nanoseconds, from a number with up to nine decimals and a unit, ns us ms s min h; or
 * "never" (-1). Without a unit it counts @bare nanoseconds each, and if that is 0 it
 * must be 0.
 */
int parse_time(const char *text, int64_t bare, int64_t *nanoseconds);

/* "0.1%", from 0 to 100; as a share of 1 */
int parse_percent(const char *text, double *share);

int parse_uuid(const char *text, uint8_t uuid[16]);

/* A uid, or the name of a user; -ENOENT: there is no such user. */
int parse_user(const char *text, uid_t *uid);

/*
 * A device's name: [A-Za-z0-9._-]{1,31}, but no number, and nothing like abuseN or
 * abctlN, which would mean another device
 */
#define NAME_CHARACTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

int parse_name(const char *text, char name[32]);

/*
 * Takes the next "key" or "key=value" off the comma-separated list at *list,
 * which is cut up on the way; value is NULL where there is no '='. Returns 0
 * at the end.
 */
int parse_pair(char **list, char **key, char **value);

/*
 * One line of a file, KEY or KEY = VALUE, which is cut up on the way; value is NULL
 * where there is no '='. Blanks around both and what follows '#', at the start or
 * behind a blank, are dropped. Returns 0 if nothing is left.
 */
int parse_line(char *line, char **key, char **value);

#define SIZE_TEXT	16
#define UUID_TEXT	37
#define TIME_TEXT	32

/* "1.0 GiB"; to fit a size in text[SIZE_TEXT] */
const char *format_size(uint64_t bytes, char text[SIZE_TEXT]);
/* "5s", "200us", "never": the largest unit of which it is a multiple */
const char *format_time(int64_t nanoseconds, char text[TIME_TEXT]);
const char *format_uuid(const uint8_t uuid[16], char text[UUID_TEXT]);

#endif /* ABUSECTL_PARSE_H */
