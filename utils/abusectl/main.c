// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl: the table of verbs, and nothing but dispatch. Calls no ioctl.
 */
#include "cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct cmd *const cmds[] = {
	&cmd_setup, &cmd_info, &cmd_reset, &cmd_get, &cmd_put, &cmd_poll,
	&cmd_server, &cmd_serve_many, &cmd_stop, &cmd_detach, &cmd_add, &cmd_remove, &cmd_admit, &cmd_list, &cmd_map,
	&cmd_stat, &cmd_top, &cmd_metrics, &cmd_resize, &cmd_replay, &cmd_help, &cmd_complete,
#if HAVE_STORAGE_PROVIDER
	&cmd_storage_provider,
#endif
	NULL,
};

const struct cmd *cmd_lookup(const char *name)
{
	const struct cmd *const *cmd;

	for (cmd = cmds; *cmd; cmd++)
		if (!strcmp((*cmd)->name, name))
			break;
	return *cmd;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

/*
 * If the caller has closed a standard stream, the next open would take its number, and messages
 * would be written to a disk. So open something that fails in its place.
 */
static void occupy_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_CLOEXEC | (fcntl(0, F_GETFD) < 0 ? O_WRONLY : O_RDONLY));
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct cmd *cmd;
	int ret;

	occupy_streams();
	if (argc < 2)
		return misused("no verb given");
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("abusectl " VERSION);
		return EXIT_OK;
	}
	cmd = cmd_lookup(is_help(argv[1]) ? "help" : argv[1]);
	if (!cmd)
		return misused("%s: no such verb", argv[1]);

	report_verb(cmd);
	if (cmd->is_hidden && argc == 3 && is_help(argv[2])) {	/* options are words to it */
		help_one(cmd);
		return EXIT_OK;
	}
	ret = cmd->run(argc - 1, argv + 1);
	if (fflush(stdout) && ret == EXIT_OK)
		ret = failed("standard output", "cannot be written: %m");
	return ret;
}
