// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The promises of a server, a function for each; each begins with one server that serves,
 * and leaves one behind unless it says that the promise is broken.
 */
#include "conform.h"

#include <errno.h>
#include <libabuse.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096

enum verdict say(struct subject *subject, enum verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(subject->detail, sizeof(subject->detail), format, args);
	va_end(args);
	return verdict;
}

static void nap(unsigned int milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

/* ---- the server's process ---- */

static enum verdict replace(struct subject *subject)
{
	int ret;

	subject->server = 0;
	subject->server = server_start(subject);
	ret = server_await_ready(subject, subject->server);
	if (ret == -ECHILD)
		return say(subject, BROKEN, "a server that was to take over ended by itself");
	if (ret)
		return say(subject, BROKEN, "a server that was to take over did not serve "
			   "within %u s", subject->seconds);
	return KEPT;
}

/* ---- promises ---- */

static enum verdict try_size(struct subject *subject)
{
	void *data = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t last = subject->whole_size - subject->block;
	bool is_read, is_written;

	if (data == MAP_FAILED || subject->block > BLOCK)
		return say(subject, NOT_TRIED, "blocks of %u bytes", subject->block);
	memset(data, 'x', subject->block);
	is_written = pwrite(subject->disk, data, subject->block, (off_t)last) ==
		     (ssize_t)subject->block;
	memset(data, 0, subject->block);
	is_read = pread(subject->disk, data, subject->block, (off_t)last) ==
		  (ssize_t)subject->block && *(char *)data == 'x';
	munmap(data, BLOCK);
	return say(subject, is_written && is_read ? KEPT : BROKEN, "%llu bytes in blocks of %u; "
		   "the last one %s", (unsigned long long)subject->whole_size, subject->block,
		   is_written && is_read ? "keeps its bytes" : "does not keep its bytes");
}

static enum verdict try_data(struct subject *subject)
{
	struct io *io = io_new(subject);
	unsigned long wrong;
	enum verdict verdict;

	if (!io)
		return say(subject, NOT_TRIED, "out of memory");
	wrong = io_write(io, 200) ?: io_verify(io);
	if (!wrong && !io_start(io)) {
		while (io_done(io) < 800)
			nap(10);
		wrong = io_stop(io) ?: io_verify(io);
	}
	verdict = wrong ? say(subject, BROKEN, "%lu requests: %s", wrong, io_trouble(io)) :
			  say(subject, KEPT, "%lu requests, 4 at once", io_done(io));
	io_free(io);
	return verdict;
}

/* The blocks in the middle of what is written; the others must stay. */
static enum verdict try_range(struct subject *subject, unsigned long request, const char *what,
			      bool is_zero)
{
	struct io *io = io_new(subject);
	uint64_t first, nr, range[2];
	enum verdict verdict;
	int ret = 0;

	if (!io)
		return say(subject, NOT_TRIED, "out of memory");
	io_write(io, 200);
	first = io_blocks(io) / 4;
	nr = io_blocks(io) / 2;
	range[0] = first * BLOCK;
	range[1] = nr * BLOCK;
	if (ioctl(subject->disk, request, range))
		ret = errno;
	io_forget(io, first, nr, is_zero);
	if (ret == EOPNOTSUPP)
		verdict = say(subject, NOT_TRIED, "the disk has no %s", what);
	else if (ret)
		verdict = say(subject, BROKEN, "%s failed: %s", what, strerror(ret));
	else if (io_verify(io))
		verdict = say(subject, BROKEN, "after %s %s", what, io_trouble(io));
	else
		verdict = say(subject, KEPT, "%llu bytes, and the others stay",
			      (unsigned long long)range[1]);
	io_free(io);
	return verdict;
}

static enum verdict try_discard(struct subject *subject)
{
	return try_range(subject, BLKDISCARD, "discard", false);
}

static enum verdict try_zero(struct subject *subject)
{
	return try_range(subject, BLKZEROOUT, "zeroing", true);
}

/* A write cache is volatile at power loss, never at the death of a server. */
static enum verdict try_flush(struct subject *subject)
{
	struct io *io = io_new(subject);
	enum verdict verdict = KEPT;
	unsigned int i;

	if (!io)
		return say(subject, NOT_TRIED, "out of memory");
	for (i = 0; i < 3 && verdict == KEPT; i++) {
		io_write(io, 20);
		if (fsync(subject->disk))
			verdict = say(subject, BROKEN, "a flush failed: %s", strerror(errno));
		server_kill(subject->server);
		if (verdict == KEPT)
			verdict = replace(subject);
		if (verdict == KEPT && io_verify(io))
			verdict = say(subject, BROKEN, "after a flush and a kill %s",
				      io_trouble(io));
	}
	if (verdict == KEPT)
		say(subject, KEPT, "%u flushes, each followed by a kill", i);
	io_free(io);
	return verdict;
}

static enum verdict kill_while_busy(struct subject *subject, struct io *io)
{
	enum verdict verdict = KEPT;
	unsigned long before;
	unsigned int i;

	for (i = 0; i < subject->kills && verdict == KEPT; i++) {
		before = io_done(io);
		while (io_done(io) < before + 20 && !server_has_ended(subject->server))
			nap(1);
		nap((unsigned int)(subject->seed * (i + 7) % 20));
		if (server_has_ended(subject->server))
			return say(subject, BROKEN, "the server ended by itself");
		server_kill(subject->server);
		verdict = replace(subject);
	}
	return verdict;
}

/* Writers wait, and no acknowledged write is lost. */
static enum verdict try_kills(struct subject *subject)
{
	struct io *io = io_new(subject);
	enum verdict verdict;
	unsigned long wrong;

	if (!io || io_start(io))
		return say(subject, NOT_TRIED, "no threads");
	verdict = kill_while_busy(subject, io);
	if (verdict != KEPT)
		abuse_ctl_reset(subject->node);		/* else its threads would wait */
	wrong = io_stop(io);
	if (verdict == KEPT && (wrong || io_verify(io)))
		verdict = say(subject, BROKEN, "%s", io_trouble(io));
	if (verdict == KEPT)
		say(subject, KEPT, "%u kills, %lu requests meanwhile", subject->kills,
		    io_done(io));
	io_free(io);
	return verdict;
}

static enum verdict both_serve(struct subject *subject, pid_t second)
{
	struct io *io = io_new(subject);
	enum verdict verdict = KEPT;
	pid_t first = subject->server;
	unsigned long wrong;

	if (!io || io_start(io))
		return say(subject, NOT_TRIED, "no threads");
	while (io_done(io) < 400 && !server_has_ended(second) && !server_has_ended(first))
		nap(5);
	if (server_has_ended(second) || server_has_ended(first))
		verdict = say(subject, BROKEN, "one of two servers ended by itself");
	server_kill(first);
	subject->server = second;
	if (verdict != KEPT)
		abuse_ctl_reset(subject->node);
	wrong = io_stop(io);
	if (verdict == KEPT && (wrong || io_verify(io)))
		verdict = say(subject, BROKEN, "two servers: %s", io_trouble(io));
	if (verdict == KEPT)
		say(subject, KEPT, "%lu requests, then one was killed", io_done(io));
	io_free(io);
	return verdict;
}

/* A WRITE is answered when every other server would read it back. */
static enum verdict try_two(struct subject *subject)
{
	pid_t second = server_start(subject);
	int ret = server_await_ready(subject, second);

	if (!ret)
		return both_serve(subject, second);
	server_kill(second);
	return say(subject, NOT_TRIED, "a second server %s", ret == -ECHILD ? "ends at once" :
		   "does not serve");
}

static enum verdict try_stop(struct subject *subject)
{
	struct io *io = io_new(subject);
	enum verdict verdict = KEPT;
	unsigned long before;
	int status;

	if (!io || io_start(io))
		return say(subject, NOT_TRIED, "no threads");
	before = io_done(io);
	while (io_done(io) < before + 50)
		nap(1);
	kill(subject->server, SIGTERM);
	if (server_await_end(subject, subject->server, &status)) {
		server_kill(subject->server);
		verdict = say(subject, BROKEN, "SIGTERM does not end it within %u s",
			      subject->seconds);
		replace(subject);
	} else {
		verdict = replace(subject);
	}
	if (io_stop(io) || io_verify(io))
		verdict = say(subject, BROKEN, "SIGTERM: %s", io_trouble(io));
	if (verdict == KEPT && WIFSIGNALED(status))
		say(subject, KEPT, "SIGTERM kills it, and nothing is lost");
	else if (verdict == KEPT)
		say(subject, KEPT, "SIGTERM ends it with %d, and nothing is lost",
		    WEXITSTATUS(status));
	io_free(io);
	return verdict;
}

static enum verdict try_errors(struct subject *subject)
{
	struct abuse_dev dev;

	if (abuse_dev_stat(subject->number, &dev))
		return say(subject, NOT_TRIED, "the device has gone");
	return say(subject, dev.errors ? BROKEN : KEPT, "%llu of %llu requests failed",
		   (unsigned long long)dev.errors, (unsigned long long)dev.served);
}

/* Nothing is left to serve: a server that stays would never end. */
static enum verdict try_reset(struct subject *subject)
{
	int status, ret = abuse_ctl_reset(subject->node);

	if (ret)
		return say(subject, NOT_TRIED, "RESET: %s", strerror(-ret));
	ret = server_await_end(subject, subject->server, &status);
	if (ret)
		server_kill(subject->server);
	subject->server = 0;
	return say(subject, ret ? BROKEN : KEPT, "%s", ret ? "it does not end when its device is "
		   "reset" : "it ends when its device is reset");
}

const struct promise promises[] = {
	{ "size", try_size },
	{ "data", try_data },
	{ "discard", try_discard },
	{ "zero", try_zero },
	{ "flush", try_flush },
	{ "kill", try_kills },
	{ "share", try_two },
	{ "stop", try_stop },
	{ "errors", try_errors },
	{ "reset", try_reset },
	{ NULL, NULL },
};
