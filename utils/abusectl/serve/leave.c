// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Whether a server that was told to end serves on, see leave.h. Asks systemd, without a
 * library and only while the disk is in use; opens no disk.
 */
#include "leave.h"
#include "use.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void leave_add_signals(sigset_t *signals)
{
	struct sigaction action;

	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	if (!sigaction(SIGHUP, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(signals, SIGHUP);
}

/* The last act of a shutdown, when abuse-shutdown.service runs; users cannot ask systemd then. */
static bool is_last_act(void)
{
	return !access("/run/abuse-shutdown", F_OK);
}

/* SIGTERM stays blocked there: a signal to all processes of a session reaches that process, too. */
static int spawn_systemctl(pid_t *child, int to)
{
	char *words[] = { (char *)"systemctl", (char *)"is-system-running", NULL };
	posix_spawn_file_actions_t actions;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	ret = posix_spawnp(child, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return ret;
}

static bool is_stopping(void)
{
	static const char stopping[] = "stopping";
	char text[32] = "";
	int ends[2], ret;
	pid_t child;

	if (access("/run/systemd/system", F_OK) || pipe2(ends, O_CLOEXEC))
		return false;
	ret = spawn_systemctl(&child, ends[1]);
	close(ends[1]);
	if (!ret) {
		while (read(ends[0], text, sizeof(text) - 1) < 0 && errno == EINTR)
			;
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	return !strncmp(text, stopping, sizeof(stopping) - 1);
}

bool leave_is_shutdown(void)
{
	return is_last_act() || is_stopping();
}

bool leave_must_wait(const struct serving *serving)
{
	return use_is_busy(serving->number);
}

bool leave_is_bound(const struct serving *serving)
{
	if (!leave_must_wait(serving))
		return false;
	if (!serving->is_root_storage && !leave_is_shutdown())
		return false;
	leave_mark();
	return true;
}

/* systemd spares root's processes whose first argument begins so. */
void leave_mark(void)
{
	*program_invocation_name = '@';
}
