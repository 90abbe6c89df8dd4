/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A program that the backends nbdkit and qemu start is marked for the last kill of a shutdown, and neither SIGTERM nor
 * SIGHUP, nor ^C in the terminal of its caller, ends it. It ends when its server ends it, and when that is killed.
 */
#include "test.h"

#include "../../utils/abusectl/backends/nbd/child.c"

#include <stdarg.h>

int failed(const char *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# %s: ", subject ? subject : "");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	return EXIT_FAILED;
}

int note(const char *subject, const char *fmt, ...)
{
	(void)subject;
	(void)fmt;
	return EXIT_OK;
}

const char *device_name(unsigned int number)
{
	(void)number;
	return "abuse0";
}

/* A file in the place of the control node. */
int store_file_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static bool lives(pid_t pid)
{
	static const struct timespec moment = { .tv_nsec = 200000000 };

	nanosleep(&moment, NULL);
	return !waitpid(pid, NULL, WNOHANG);
}

static void start(struct nbd_child *child, const struct target *target)
{
	char program[] = "sleep", time[] = "1000";
	char *argv[] = { program, time, NULL };

	must(!nbd_child_start(child, target, argv), "a program is started");
}

static void is_shielded(const struct nbd_child *child)
{
	char path[64], name[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)child->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, name, sizeof(name) - 1) > 0, "its command line");
	close(fd);
	ok(!strcmp(name, "@/sleep"), "its first argument is %s, wanted @/sleep", name);
	ok(getsid(child->pid) == child->pid, "its session is its own");
	kill(child->pid, SIGTERM);
	ok(lives(child->pid), "SIGTERM does not end it");
	kill(child->pid, SIGHUP);
	ok(lives(child->pid), "SIGHUP does not end it");
}

/* In another process, which is killed: its program is @pid. */
static void start_and_wait(const struct target *target, int to)
{
	struct nbd_child child;

	start(&child, target);
	if (write(to, &child.pid, sizeof(child.pid)) == sizeof(child.pid))
		pause();
	_exit(1);
}

static void ends_with_a_killed_server(const struct target *target)
{
	struct timespec nap = { .tv_nsec = NAP };
	unsigned int tries = stretched(20) * 20;
	pid_t server, pid = 0, ended = 0;
	int ends[2];

	must(!pipe(ends), "a pipe");
	fflush(stdout);
	server = fork();
	if (server < 0)
		fail("fork");
	if (!server)
		start_and_wait(target, ends[1]);
	must(read(ends[0], &pid, sizeof(pid)) == sizeof(pid), "a server has a program");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	while (!(ended = waitpid(pid, NULL, WNOHANG)) && tries--)
		nanosleep(&nap, NULL);
	ok(ended == pid, "the program of a killed server ends");
}

int main(void)
{
	char path[64];
	struct nbd_child child;
	struct target target = { .number = 0 };

	snprintf(path, sizeof(path), "%s/abuse-test-XXXXXX", test_folder());
	target.fd = mkstemp(path);
	must(target.fd >= 0, "a file");
	unlink(path);
	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* the program of a killed server becomes a child */

	start(&child, &target);
	is_shielded(&child);
	nbd_child_end(&child);
	ok(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGINT, "its server ends it");
	ends_with_a_killed_server(&target);
	return done();
}
