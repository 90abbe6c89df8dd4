// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The server under test as a process: started, waited for, killed. Does no I/O.
 */
#include "conform.h"

#include <errno.h>
#include <libabuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(void)
{
	static const struct timespec time = { .tv_nsec = 5000000 };

	nanosleep(&time, NULL);
}

bool command_has(const struct subject *subject, const char *holder)
{
	char **word;

	for (word = subject->command; *word; word++)
		if (strstr(*word, holder))
			return true;
	return false;
}

/* The first @holder in @word, which is freed, becomes @text. NULL: out of memory, or @word is. */
static char *put_in(char *word, const char *holder, const char *text)
{
	const char *at = word ? strstr(word, holder) : NULL;
	char *filled;

	if (!at)
		return word;
	if (asprintf(&filled, "%.*s%s%s", (int)(at - word), word, text, at + strlen(holder)) < 0)
		filled = NULL;
	free(word);
	return filled;
}

static char *fill_in(const char *word, unsigned int number)
{
	char text[16];
	char *filled;

	snprintf(text, sizeof(text), "%u", number);
	filled = put_in(strdup(word), HOLD_NUMBER, text);
	if (!store_is_there())
		return filled;
	return put_in(put_in(filled, HOLD_DISK, store_disk()), HOLD_FOLDER, store_folder());
}

static void run(const struct subject *subject)
{
	size_t nr = 0, i;
	char **words;

	while (subject->command[nr])
		nr++;
	words = calloc(nr + 1, sizeof(*words));
	for (i = 0; words && i < nr; i++) {
		words[i] = fill_in(subject->command[i], subject->number);
		if (!words[i])
			break;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(STDERR_FILENO, STDOUT_FILENO);	/* verdicts alone go to standard output */
	if (words && *words && i == nr)
		execvp(words[0], words);
	fprintf(stderr, "abuse-conform: %s: %s\n", subject->command[0], strerror(errno));
	_exit(127);
}

pid_t server_start(const struct subject *subject)
{
	pid_t pid = fork();

	if (!pid)
		run(subject);
	return pid;
}

bool server_has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Steps of 5 ms */
static unsigned long steps(const struct subject *subject)
{
	return subject->seconds * 200UL;
}

/* Up and waiting for requests; a second server shows by the number of them. */
int server_await_ready(const struct subject *subject, pid_t pid)
{
	unsigned long i;
	struct abuse_dev dev;

	for (i = 0; i < steps(subject); i++) {
		if (server_has_ended(pid))
			return -ECHILD;
		if (!abuse_dev_stat(subject->number, &dev) && dev.ready &&
		    dev.servers > (subject->server && subject->server != pid))
			return 0;
		nap();
	}
	return -ETIMEDOUT;
}

int server_await_end(const struct subject *subject, pid_t pid, int *status)
{
	unsigned long i;

	for (i = 0; i < steps(subject); i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 0;
		nap();
	}
	return -ETIMEDOUT;
}

void server_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
