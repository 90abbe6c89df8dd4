// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Guesses the meaning of an unknown word; see hint.h. Knows all tables of keys and changes
 * none.
 */
#include "hint.h"
#include "backends/backend.h"
#include "cmd.h"
#include "parse.h"
#include "plan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LONGEST		32		/* bytes of a key, and more */

static const struct {
	bool (*knows)(const char *name);
	const char *verbs;
} tables[] = {
	{ settings_knows, "'abusectl setup' and 'abusectl server' have this key" },
	{ plan_knows, "'abusectl server' has this key" },
	{ add_knows, "'abusectl add' has this key" },
};

static const char *verbs_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (tables[i].knows(name))
			return tables[i].verbs;
	return NULL;
}

/* The part of @word before a colon or blank, in small letters; false: it is too long for a key */
static bool simplify(const char *word, char name[LONGEST])
{
	size_t len = strcspn(word, ": "), i;

	if (len >= LONGEST)
		return false;
	for (i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)word[i]);
	name[len] = '\0';
	return true;
}

static bool is_backend(const char *name)
{
	const char *args;

	return *name && backend_find(name, &args);
}

const char *key_hint(const char *word, const char *value, char text[HINT_TEXT])
{
	const char *colon = strpbrk(word, ": "), *verbs = verbs_of(word);
	char name[LONGEST];
	uint64_t bytes;

	*text = '\0';
	if (verbs)
		snprintf(text, HINT_TEXT, "; %s", verbs);
	else if (!parse_size(word, &bytes))
		snprintf(text, HINT_TEXT, "; a device is named once, and a capacity is given as size=%s", word);
	else if (!simplify(word, name))
		;
	else if (verbs_of(name) && colon)
		snprintf(text, HINT_TEXT, "; say %s=%.64s", name, colon + 1);
	else if (verbs_of(name))
		snprintf(text, HINT_TEXT, "; keys are in small letters: %s", name);
	else if (is_backend(name) && value && !colon)
		snprintf(text, HINT_TEXT, "; say %s:%.64s", name, value);
	else if (is_backend(name) && !strncmp(name, word, strlen(name)))
		snprintf(text, HINT_TEXT, "; 'abusectl server' takes one backend, behind DEV");
	else if (is_backend(name))
		snprintf(text, HINT_TEXT, "; backends are in small letters: %s", name);
	return text;
}
