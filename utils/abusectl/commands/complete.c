// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl complete: candidates for the last of the words of a command line, for
 * the shells; complete.h says how they are printed. Each verb knows its own.
 */
#include "cmd.h"
#include "complete.h"

#include <stdio.h>

static int run(int argc, char **argv)
{
	const struct cmd *cmd;

	if (argc < 2)
		return misused("a WORD is needed, though it may be empty");
	if (argc == 2) {
		complete_verbs(argv[1]);
		if (*argv[1] == '-') {
			complete_word(argv[1], "--help", "list the verbs");
			complete_word(argv[1], "--version", "print the version");
		}
		return EXIT_OK;
	}
	cmd = cmd_lookup(argv[1]);
	if (cmd && cmd->complete)
		cmd->complete(argc - 1, argv + 1);
	return EXIT_OK;
}

static void details(void)
{
	puts("The WORDs are what stands behind 'abusectl' on the command line, up to and with\n"
	     "the one to be completed. Prints a line for each candidate, with a tab and what\n"
	     "it means; or '@files PREFIX' where a path belongs behind PREFIX.");
}

const struct cmd cmd_complete = {
	.name = "complete",
	.run = run,
	.args = "WORD...",
	.summary = "print candidates for the last WORD, for shells",
	.details = details,
	.is_hidden = true,
};
