// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl help: all verbs, or one in full. All text comes from the verbs' own
 * files.
 */
#include "cmd.h"
#include "complete.h"
#include "options.h"

#include <ctype.h>
#include <stdio.h>

void help_all(void)
{
	const struct cmd *const *cmd;

	puts("Usage: abusectl VERB [ARGUMENT...]\n"
	     "Configure, serve and inspect block devices implemented in userspace.\n");
	for (cmd = cmds; *cmd; cmd++)
		if (!(*cmd)->is_hidden)
			printf("  %-10s %-25s %s\n", (*cmd)->name, (*cmd)->args,
			       (*cmd)->summary);
	puts("\n"
	     "DEV is a number, a name, /dev/abuseN or /dev/abctlN.\n"
	     "'abusectl help VERB' tells more, 'abusectl --version' the version.\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage.");
}

void help_one(const struct cmd *cmd)
{
	printf("Usage: abusectl %s %s\n%c%s.\n", cmd->name, cmd->args,
	       toupper((unsigned char)*cmd->summary), cmd->summary + 1);
	if (cmd->details) {
		putchar('\n');
		cmd->details();
	}
	putchar('\n');
	options_help(cmd);
}

void complete_verbs(const char *word)
{
	const struct cmd *const *cmd;

	for (cmd = cmds; *cmd; cmd++)
		if (!(*cmd)->is_hidden)
			complete_word(word, (*cmd)->name, (*cmd)->summary);
}

static void complete(int argc, char **argv)
{
	if (argc == 2 && *argv[1] != '-')
		complete_verbs(argv[1]);
	options_complete(&cmd_help, argv[argc - 1]);
}

static int run(int argc, char **argv)
{
	const struct cmd *cmd;

	int first = options_skip(&cmd_help, argc, argv);

	if (first < 0)
		return option_status(first);
	argc -= first - 1;
	argv += first - 1;
	if (argc > 2)
		return misused("one VERB at most");
	if (argc < 2) {
		help_all();
		return EXIT_OK;
	}
	cmd = cmd_lookup(argv[1]);
	if (!cmd)
		return misused("%s: no such verb", argv[1]);
	help_one(cmd);
	return EXIT_OK;
}

const struct cmd cmd_help = {
	.name = "help",
	.run = run,
	.args = "[VERB]",
	.summary = "list the verbs, or explain one",
	.complete = complete,
};
