// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * How candidates are printed for the shells, and the ones that several verbs share;
 * see complete.h. Opens no device.
 */
#include "complete.h"
#include "cmd.h"
#include "options.h"
#include "parse.h"

#include <libabuse.h>
#include <stdio.h>
#include <string.h>

/* The first @kept bytes of @word stay as they are. */
static void print(const char *word, size_t kept, const char *candidate,
		  const char *about)
{
	if (strncmp(word + kept, candidate, strlen(word + kept)))
		return;
	printf("%.*s%s\t%.*s\n", (int)kept, word, candidate,
	       (int)strcspn(about, "\n"), about);
}

void complete_word(const char *word, const char *candidate, const char *about)
{
	print(word, 0, candidate, about);
}

void complete_behind(const char *word, size_t prefix, const char *candidate,
		     const char *about)
{
	print(word, prefix, candidate, about);
}

void complete_item(const char *word, const char *item, const char *about)
{
	const char *comma = strrchr(word, ',');

	print(word, comma ? (size_t)(comma + 1 - word) : 0, item, about);
}

void complete_files(const char *word, size_t prefix)
{
	printf("@files %.*s\n", (int)prefix, word);
}

static int complete_one(const struct abuse_dev *dev, void *arg)
{
	static const char *const nodes[] = { "/dev/abuse", "/dev/abctl" };
	const char *word = arg;
	unsigned int number = (unsigned int)dev->number;
	char text[48], about[64], size[SIZE_TEXT];
	size_t i;

	snprintf(about, sizeof(about), "%s%s%s %s", dev->state,
		 dev->size ? ", " : "",
		 dev->size ? format_size(dev->size, size) : "", dev->name);
	complete_word(word, device_name(number), about);
	if (*dev->name) {
		snprintf(about, sizeof(about), "abuse%u, %s", number, dev->state);
		complete_word(word, dev->name, about);
	}
	for (i = 0; *word == '/' && i < sizeof(nodes) / sizeof(*nodes); i++) {
		snprintf(text, sizeof(text), "%s%u", nodes[i], number);
		complete_word(word, text, dev->state);
	}
	return 0;
}

void complete_devices(const char *word)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", word);
	abuse_dev_each(complete_one, copy);
}

/* Words before the last that are no options */
static int nr_arguments(int argc, char **argv)
{
	int i, nr = 0;

	for (i = 1; i < argc - 1; i++)
		nr += *argv[i] != '-';
	return nr;
}

void complete_device(int argc, char **argv)
{
	options_complete(cmd_lookup(argv[0]), argv[argc - 1]);
	if (!nr_arguments(argc, argv))
		complete_devices(argv[argc - 1]);
}

void complete_all_devices(int argc, char **argv)
{
	options_complete(cmd_lookup(argv[0]), argv[argc - 1]);
	complete_devices(argv[argc - 1]);
}
