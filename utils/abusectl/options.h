/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The options of a verb as a table: getopt_long(3), help and completion come from it.
 * Each verb has --help and --quiet beside its own, and "--" ends the options.
 */
#ifndef ABUSECTL_OPTIONS_H
#define ABUSECTL_OPTIONS_H

struct cmd;

struct opt {
	char letter;			/* what option_next() returns; unique in its verb */
	char is_long_only;		/* the letter is no option itself */
	const char *name;
	const char *value;		/* its name in help; NULL: it takes none */
	const char *help;
};

/*
 * The letter of the next option, with its value in *value; 0 at the end of the options,
 * when the other arguments begin at argv[optind]; or negative: the verb is over, with
 * the exit status option_status().
 */
int option_next(const struct cmd *cmd, int argc, char **argv, const char **value);

static inline int option_status(int option)
{
	return -option - 1;
}

/* For verbs that have none of their own: optind, or negative as above. */
int options_skip(const struct cmd *cmd, int argc, char **argv);

void options_help(const struct cmd *cmd);
void options_complete(const struct cmd *cmd, const char *word);

#endif /* ABUSECTL_OPTIONS_H */
