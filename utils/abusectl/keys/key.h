/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The key engine: a table describes each key, "NAME=VALUE", and everything else comes
 * from the table: parsing, error messages, comparison, completion and help.
 * setup, server (also its delays and errors) and add have a table each.
 */
#ifndef ABUSECTL_KEY_H
#define ABUSECTL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind {
	KEY_SIZE,	/* bytes, with a suffix of 1024 if wanted */
	KEY_NUMBER,
	KEY_TIME,	/* nanoseconds; -1: never */
	KEY_SWITCH,	/* "=1", "=0", or bare for 1 */
	KEY_NAME,	/* char[32], a device's name */
	KEY_UUID,	/* uint8_t[16] */
	KEY_USER,	/* uid */
	KEY_BARE,	/* no value */
	KEY_OTHER,	/* parsed by a function of its own */
};

#define KEY_NAMES		4
#define KEY_PAGE		0		/* as min or max: the page size of this machine */
#define KEY_ANY_SIZE		INT64_MAX

/* Rules for values, beside min and max */
#define KEY_POWER_OF_TWO	1
#define KEY_MULTIPLE_4096	2
#define KEY_OR_ZERO		4
#define KEY_OR_NEVER		8
#define KEY_BARE_SECONDS	16		/* a time without a unit is in seconds */
#define KEY_VALUE_OPTIONAL	32
#define KEY_CLEARS		64		/* KEY_BARE: clears the bit */

struct key {
	const char *names[KEY_NAMES];	/* the first is the one in messages */
	enum key_kind kind;
	unsigned int width;		/* bytes of a number: 4 or 8 */
	size_t offset;			/* of the value in the table's struct */
	uint64_t min, max;
	unsigned int rules;

	/*
	 * KEY_SWITCH: a bit in the uint64_t at offset if on, in that at second if off.
	 * KEY_USER: a bit in the uint32_t at second, set with the uid; or 0.
	 * KEY_BARE: a bit in the uint32_t at offset.
	 */
	uint64_t bit;
	size_t second;

	/* KEY_OTHER */
	bool (*parse)(const struct key *key, void *values, const char *text);
	const char *range;

	unsigned int tag;		/* for the owner of the table */
	const char *value;		/* its name in help; NULL: as the kind says */
	const char *help;		/* lines end in \n */
};

struct key_table {
	const struct key *keys;
	size_t nr;			/* at most 64 */
};

#define KEY_TABLE(array)	{ (array), sizeof(array) / sizeof(*(array)) }

/* By any of its names; NULL: no such key. */
const struct key *key_find(const struct key_table *table, const char *name);

/* The bit of @key in a mask of keys given */
uint64_t key_bit(const struct key_table *table, const struct key *key);

/*
 * Parses @value, which is NULL if there is none, into @values and adds the key to *given.
 * EXIT_OK; EXIT_USAGE, reported against @subject with the range; or -1: no such key,
 * nothing said.
 */
int key_take(const struct key_table *table, void *values, uint64_t *given,
	     const char *subject, const char *name, const char *value);

#define KEY_TEXT	64

/* The value in @values, spelt as it would be given: equal values have equal texts. */
const char *key_text(const struct key *key, const void *values, char text[KEY_TEXT]);

void keys_help(const struct key_table *table);

/* Keys for complete_item(), but for @except, which may be NULL */
void keys_complete(const struct key_table *table, const char *word, const struct key *except);

#endif /* ABUSECTL_KEY_H */
