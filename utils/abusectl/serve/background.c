// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A server that goes into the background when it serves; see background.h. Until then it
 * is its caller's: of its session, so that ^C ends both, with its standard streams for
 * what went wrong, and gone when that is. Opens no device.
 */
#include "background.h"
#include "cmd.h"
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int caller = -1;			/* write end of a pipe to it */

static int reap(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return failed("the server", "cannot be waited for: %s",
				      strerror(errno));
	if (WIFSIGNALED(status))
		return failed("the server", "was ended by signal %d before it served",
			      WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* The child writes to the pipe when it serves; the pipe is closed without a byte if it has ended. */
static int await_child(struct background *server, int from)
{
	ssize_t nr;

	do
		nr = read(from, &server->number, sizeof(server->number));
	while (nr < 0 && errno == EINTR);
	close(from);
	return nr == sizeof(server->number) ? EXIT_OK : reap(server->pid);
}

/* False: the caller has gone already. */
static bool be_bound_to(pid_t parent)
{
	return !prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) && getppid() == parent;
}

int background_begin(bool *is_child, struct background *server)
{
	pid_t parent = getpid(), child;
	int ends[2];

	*is_child = false;
	fflush(NULL);
	if (pipe2(ends, O_CLOEXEC))
		return failed("--fork", "no pipe can be had: %s", strerror(errno));
	child = fork();
	if (child < 0) {
		failed("--fork", "no process can be started: %s", strerror(errno));
		close(ends[0]);
		close(ends[1]);
		return EXIT_FAILED;
	}
	if (child) {
		close(ends[1]);
		server->pid = child;
		return await_child(server, ends[0]);
	}
	close(ends[0]);
	caller = ends[1];
	*is_child = true;
	return be_bound_to(parent) ? EXIT_OK : EXIT_FAILED;
}

/* A reader of the caller's output would wait until this process closes it. */
static void leave_streams(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

void background_ready(unsigned int number)
{
	ssize_t ret;

	if (caller < 0)
		return;
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	setsid();
	if (!notify_is_wanted())	/* else they are the journal's */
		leave_streams();
	ret = write(caller, &number, sizeof(number));
	(void)ret;			/* an error means that the caller has ended */
	close(caller);
	caller = -1;
}

void background_let_go(void)
{
	int ret = chdir("/");

	(void)ret;			/* there is always a root directory */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
