// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Other commands that a verb needs: systemctl, partx.
 */
#include "cmd.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int command_run(const char *subject, char *const words[])
{
	int status, ret;
	pid_t child;

	ret = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
	if (ret) {
		failed(subject, "%s cannot be run: %s", words[0], strerror(ret));
		return -1;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) {
			failed(subject, "%s cannot be waited for: %s", words[0], strerror(errno));
			return -1;
		}
	return status;
}
