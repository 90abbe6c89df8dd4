/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abuse-conform ends a run if no request is completed for ten times the seconds of a step, and not sooner: a promise
 * that takes longer, while requests complete, is tried to its end. Each read and each write counts. Requests of a server that
 * has ended by itself are freed by RESET soon.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Seconds pass at once; one that is a multiple of `every` completes a request; 0: none does. */
static unsigned int every, most, passed;
static bool server_ends;
static unsigned int pass(unsigned int seconds);

#define complain complain_of_io
#include "../../utils/conform/io.c"
#undef complain
#undef MOST
#define VERSION "0"
#define main conform_main
#define sleep pass
#include "../../utils/conform/main.c"
#undef main

static unsigned int pass(unsigned int seconds)
{
	passed += seconds;
	if (passed == most)
		_exit(0);
	if (every && passed % every == 0)
		subject.moves++;
	return 0;
}

const struct promise promises[] = { { NULL, NULL } };

enum verdict say(struct subject *subject_, enum verdict verdict, const char *format, ...)
{
	(void)subject_;
	(void)format;
	return verdict;
}

pid_t server_start(const struct subject *subject_)
{
	(void)subject_;
	return 0;
}

int server_await_ready(const struct subject *subject_, pid_t pid)
{
	(void)subject_;
	(void)pid;
	return 0;
}

void server_kill(pid_t pid)
{
	(void)pid;
}

bool server_has_ended(pid_t pid)
{
	(void)pid;
	return server_ends;
}

bool command_has(const struct subject *subject_, const char *holder)
{
	(void)subject_;
	(void)holder;
	return false;
}

int store_begin(const struct subject *subject_, bool has_folder)
{
	(void)subject_;
	(void)has_folder;
	return -EIO;
}

void store_end(void)
{
}

int abuse_ctl_add_sized(struct abuse_add *add, size_t size)
{
	(void)add;
	(void)size;
	return -EIO;
}

int abuse_ctl_remove(unsigned int number)
{
	(void)number;
	return 0;
}

int abuse_ctl_reset(int fd)
{
	(void)fd;
	if (passed < most)
		_exit(3);
	return 0;
}

int abuse_dev_open(const char *text)
{
	(void)text;
	return -EIO;
}

/* The exit status of a run of `seconds` that has one request in each `each`: 0 it was not ended, 1 it was. */
static int status_of_watch(unsigned int each, unsigned int seconds)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		every = each;
		most = seconds;
		watch(NULL);
		_exit(2);
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "it ends");
	return WEXITSTATUS(status);
}

static void each_request_counts(void)
{
	char path[] = "/tmp/conform-XXXXXX";
	unsigned long before;
	struct io *io;

	subject.size = 1 << 20;
	subject.disk = mkstemp(path);
	must(subject.disk >= 0 && !unlink(path) && !ftruncate(subject.disk, (off_t)subject.size), "a disk");
	io = io_new(&subject);
	must(io, "requests");
	before = subject.moves;
	is(io_write(io, 20), 0, "20 writes");
	is(subject.moves - before, 20, "each counts");
	before = subject.moves;
	is(io_verify(io), 0, "reads of all");
	ok(subject.moves > before, "count, too");
	io_free(io);
}

int main(void)
{
	subject.seconds = 20;
	is(status_of_watch(199, 5000), 0, "a request in 199 s");
	is(status_of_watch(0, 5000), 1, "none in 200 s");
	is(status_of_watch(0, 198), 0, "none in 198 s");
	subject.server = 1;
	is(status_of_watch(0, 198), 0, "and the server lives");
	server_ends = true;
	is(status_of_watch(0, 100), 3, "the server has ended: RESET");
	is(status_of_watch(1, 100), 0, "but requests complete: another one serves");
	server_ends = false;
	subject.server = 0;
	each_request_counts();
	return done();
}
