// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Options of the verbs; see options.h. Knows no verb.
 */
#include "options.h"
#include "cmd.h"
#include "complete.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPTIONS	24
#define INDENT		23

static const struct opt common[] = {
	{ .letter = 'q', .name = "quiet", .help = "print nothing but errors and what was asked for" },
	{ .letter = 'h', .name = "help", .help = "explain the verb" },
	{ 0 },
};

static const struct opt *own(const struct cmd *cmd)
{
	return cmd->options ? cmd->options : &common[sizeof(common) / sizeof(*common) - 1];
}

static unsigned int add(const struct opt *from, struct option *options, char *letters)
{
	unsigned int nr;

	for (nr = 0; from->name; from++, nr++) {
		options[nr] = (struct option){
			.name = from->name,
			.has_arg = from->value ? required_argument : no_argument,
			.val = from->letter,
		};
		if (from->is_long_only)
			continue;
		letters += strlen(letters);
		*letters++ = from->letter;
		if (from->value)
			*letters++ = ':';
		*letters = '\0';
	}
	return nr;
}

static int refuse(int argc, char **argv, int option)
{
	const char *word = argv[optind - 1 < argc ? optind - 1 : argc - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	/* A letter within a word, as in -xyz, is named by itself. */
	if (strncmp(word, "--", 2) && optopt)
		word = letter;
	misused(option == ':' ? "%s: a value is needed" : "%s: no such option", word);
	return -1 - EXIT_USAGE;
}

int option_next(const struct cmd *cmd, int argc, char **argv, const char **value)
{
	struct option options[MAX_OPTIONS + 1] = { 0 };
	char letters[2 * MAX_OPTIONS + 2] = ":";
	unsigned int nr;
	int option;

	nr = add(own(cmd), options, letters);
	add(common, options + nr, letters);
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) == 'q')
		report_quiet();
	*value = optarg;
	if (option == -1)
		return 0;
	if (option == '?' || option == ':')
		return refuse(argc, argv, option);
	if (option == 'h') {
		help_one(cmd);
		return -1 - EXIT_OK;
	}
	return option;
}

int options_skip(const struct cmd *cmd, int argc, char **argv)
{
	const char *value;
	int option = option_next(cmd, argc, argv, &value);

	return option ? option : optind;
}

static void help(const struct opt *opt)
{
	char spelling[64], letter[5] = "    ";

	for (; opt->name; opt++) {
		if (!opt->is_long_only)
			snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
		else
			strcpy(letter, "    ");
		snprintf(spelling, sizeof(spelling), "%s--%s%s%s", letter, opt->name,
			 opt->value ? " " : "", opt->value ? opt->value : "");
		if (strlen(spelling) > INDENT - 3)
			printf("  %s\n%*s%s\n", spelling, INDENT, "", opt->help);
		else
			printf("  %-*s%s\n", INDENT - 2, spelling, opt->help);
	}
}

void options_help(const struct cmd *cmd)
{
	puts("Options:");
	help(own(cmd));
	help(common);
}

void options_complete(const struct cmd *cmd, const char *word)
{
	const struct opt *opt;
	char text[32];

	if (*word != '-')
		return;
	for (opt = own(cmd); opt->name; opt++) {
		snprintf(text, sizeof(text), "--%s", opt->name);
		complete_word(word, text, opt->help);
	}
	for (opt = common; opt->name; opt++) {
		snprintf(text, sizeof(text), "--%s", opt->name);
		complete_word(word, text, opt->help);
	}
}
