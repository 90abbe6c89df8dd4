// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A command line in one word, split as a shell would, without anything else that a
 * shell does. Paths become absolute: the command runs in the root directory, and the line
 * stands for a store, whoever names it from wherever.
 */
#include "words.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add(struct words *words, char byte)
{
	if (words->length == sizeof(words->text))
		return false;
	words->text[words->length++] = byte;
	return true;
}

/* One word off *line; false: it does not end, or there is no room. */
static bool take(struct words *words, const char **line)
{
	char quote = '\0';
	const char *at;

	for (at = *line; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (!quote && (*at == '"' || *at == '\'')) {
			quote = *at;
			continue;
		}
		if (*at == quote) {
			quote = '\0';
			continue;
		}
		if (*at == '\\' && quote != '\'' && at[1])
			at++;
		if (!add(words, *at))
			return false;
	}
	*line = at;
	return !quote && add(words, '\0');
}

/* The part of @word that may be a relative path, or NULL */
static char *relative(char *word, bool is_command)
{
	char *value = strchr(word, '=');
	char *path = value && !is_command ? value + 1 : word;

	if (*word == '-' || !*path || *path == '/' || (is_command && !strchr(path, '/')))
		return NULL;
	return path;
}

/* The last word, if it names what is there */
static bool make_absolute(struct words *words, bool is_command)
{
	char *word = words->words[words->nr], *path = relative(word, is_command);
	char full[PATH_MAX];
	size_t length;

	if (!path || !realpath(path, full))
		return true;
	length = strlen(full) + 1;
	if (path - words->text + length > sizeof(words->text))
		return false;
	memcpy(path, full, length);
	words->length = (size_t)(path - words->text) + length;
	return true;
}

bool words_split(struct words *words, const char *line)
{
	bool has_command = false, is_command;
	char *word;

	words->nr = 0;
	words->length = 0;
	for (;;) {
		line += strspn(line, " \t\n");
		if (!*line)
			break;
		word = words->text + words->length;
		words->words[words->nr] = word;
		if (words->nr == MAX_WORDS || !take(words, &line))
			return false;
		is_command = !has_command && *word != '-';
		has_command |= is_command;
		if (!make_absolute(words, is_command))
			return false;
		words->nr++;
	}
	words->words[words->nr] = NULL;
	return true;
}

void words_join(const struct words *words, char *to, size_t size)
{
	size_t length = 0;
	unsigned int i;

	*to = '\0';
	for (i = 0; i < words->nr && length < size; i++)
		length += (size_t)snprintf(to + length, size - length, "%s%s", i ? " " : "",
					   words->words[i]);
}
