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

/* The server and its set-up end, as in a machine that stops, and both disks are there again. */
static enum verdict restart(struct subject *subject)
{
	enum verdict verdict;
	int ret;

	server_kill(subject->server);
	subject->server = 0;
	close(subject->disk);
	subject->disk = -1;
	ret = abuse_ctl_reset(subject->node);
	if (ret)
		return say(subject, BROKEN, "RESET: %s", strerror(-ret));
	ret = store_restart(subject);
	if (ret)
		return say(subject, BROKEN, "its store cannot be had again: %s", strerror(-ret));
	verdict = replace(subject);
	if (verdict == KEPT && subject_open_disk(subject))
		verdict = say(subject, BROKEN, "its disk cannot be opened again");
	return verdict;
}

static bool has_write_cache(const struct subject *subject)
{
	struct abuse_params params;

	return abuse_ctl_get_params(subject->node, &params) >= 0 && (params.features & ABUSE_F_WRITE_CACHE);
}

/* ---- promises ---- */

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
		if (fsync(subject->disk)) {
			verdict = say(subject, BROKEN, "a flush failed: %s", strerror(errno));
			break;
		}
		server_kill(subject->server);
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

/*
 * The power goes after a flush, or after any write if no write cache is declared. Blocks that are written after the flush
 * may have anything.
 */
static enum verdict lose_power(struct subject *subject, struct io *io, bool has_cache)
{
	enum verdict verdict;
	uint32_t mark;

	if (io_write(io, 20) || (has_cache && fsync(subject->disk)))
		return say(subject, BROKEN, "a write or a flush failed: %s", io_trouble(io));
	mark = io_mark(io);
	if (has_cache && io_write(io, 5))
		return say(subject, BROKEN, "%s", io_trouble(io));
	store_power_off();
	io_forget_since(io, mark);
	verdict = restart(subject);
	if (verdict == KEPT && io_verify_known(io))
		verdict = say(subject, BROKEN, "a power cut lost what was %s: %s",
			      has_cache ? "flushed" : "written to a disk without a write cache", io_trouble(io));
	return verdict;
}

#define NO_STORE	"its store is not on the disk that {store} or {dir} in its words would name"

static enum verdict try_durable(struct subject *subject)
{
	bool has_cache = has_write_cache(subject);
	enum verdict verdict = KEPT;
	struct io *io;
	unsigned int i;

	if (!store_is_there())
		return say(subject, NOT_TRIED, NO_STORE);
	io = io_new(subject);
	if (!io)
		return say(subject, NOT_TRIED, "out of memory");
	for (i = 0; i < 3 && verdict == KEPT; i++)
		verdict = lose_power(subject, io, has_cache);
	if (verdict == KEPT)
		say(subject, KEPT, "%u power cuts, each after %s", i, has_cache ? "a flush" :
		    "writes: it has no write cache");
	io_free(io);
	return verdict;
}

/* A read gives the right bytes, those of a cache, or an error; and once the store can be read, the right bytes. */
static enum verdict fail_reads(struct subject *subject, struct io *io, unsigned long *failed)
{
	unsigned long wrong;

	store_forget_cache();
	store_fail(true, false);
	io_let_fail(io, true);
	wrong = io_verify_known(io);
	*failed = io_failed(io);
	store_fail(false, false);
	io_let_fail(io, false);
	if (server_has_ended(subject->server))
		return say(subject, BROKEN, "it ended when its store could not be read");
	if (wrong)
		return say(subject, BROKEN, "while its store could not be read %s", io_trouble(io));
	if (io_verify_known(io))
		return say(subject, BROKEN, "its store can be read again, but %s", io_trouble(io));
	return KEPT;
}

/* A write is acknowledged, and then flushed, only if the store has it; others of its bytes stay as they are. */
static enum verdict fail_writes(struct subject *subject, struct io *io, unsigned long *failed)
{
	const unsigned int nr = 20;
	uint32_t mark = io_mark(io);
	bool is_flushed;

	store_fail(false, true);
	io_let_fail(io, true);
	io_write(io, nr);
	is_flushed = !fsync(subject->disk);
	*failed = io_failed(io);
	io_let_fail(io, false);
	io_forget_since(io, mark);
	if (server_has_ended(subject->server))
		return say(subject, BROKEN, "it ended when its store took no write");
	if (is_flushed && *failed < nr)
		return say(subject, BROKEN, "its store took no write, but %lu writes%s were completed", nr - *failed,
			   has_write_cache(subject) ? " and a flush" : "");
	if (io_verify_known(io))
		return say(subject, BROKEN, "other blocks were written, in vain, and %s", io_trouble(io));
	return KEPT;
}

static enum verdict try_failures(struct subject *subject, struct io *io)
{
	unsigned long reads = 0, writes = 0;
	enum verdict verdict;

	if (io_write(io, 200) || fsync(subject->disk) || io_verify_known(io))
		return say(subject, BROKEN, "before its store failed: %s", io_trouble(io));
	verdict = fail_reads(subject, io, &reads);
	if (verdict == KEPT)
		verdict = fail_writes(subject, io, &writes);
	store_fail(false, false);
	if (verdict != KEPT)
		return verdict;
	verdict = restart(subject);
	if (verdict == KEPT && (io_verify_known(io) || io_write(io, 20) || fsync(subject->disk) || io_verify_known(io)))
		verdict = say(subject, BROKEN, "with a store that works again %s", io_trouble(io));
	if (verdict != KEPT)
		return verdict;
	return say(subject, KEPT, "its store refused reads and writes: %lu reads and %lu writes of its disk failed, or "
		   "the flush after them, and no others", reads, writes);
}

/* A store that fails: an error for the request, and neither silence nor wrong bytes. */
static enum verdict try_store(struct subject *subject)
{
	enum verdict verdict;
	struct io *io;

	if (!store_is_there())
		return say(subject, NOT_TRIED, NO_STORE);
	io = io_new(subject);
	if (!io)
		return say(subject, NOT_TRIED, "out of memory");
	verdict = try_failures(subject, io);
	io_free(io);
	return verdict;
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
	{ "durable", try_durable },
	{ "store", try_store },
	{ "reset", try_reset },
	{ NULL, NULL },
};
