/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A write is acknowledged when it is answered, not when it is fetched: until then
 * its writer waits, and a server that refuses it makes direct writers, fsync of
 * buffered ones, flushes and discards fail with its error; the next one may succeed.
 */
#include "recorder.h"

static struct device d;
static void *buffer;
static int fd;

/* Fetches that op and answers it with result; other writes succeed. */
static void answer(unsigned int op, uint32_t result, _Atomic bool *done)
{
	struct abuse_request r = fetch_one(fd, buffer, RAM_BUFFER);

	is(r.op, op, "the request's op");
	ok(!*done, "its caller waits while it is held");
	is(reply(fd, r.id, result, NULL), 0, "the answer");
}

static int buffered(void *arg)
{
	int disk = open(d.disk, O_RDWR | O_CLOEXEC);
	int ret = 0;

	if (pwrite(disk, arg, 4096, 8192) != 4096)
		ret = -1;
	else if (fsync(disk))
		ret = errno;
	close(disk);
	return ret;
}

int main(void)
{
	static const int errors[] = { EIO, ENOSPC };
	struct job job;
	struct io *io;
	int ret;

	test_begin();
	buffer = memory_new(RAM_BUFFER);
	d = device_new();
	set_up(&d, 1 * MIB, ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD);
	fd = server_open(&d);

	for (unsigned int i = 0; i < 2; i++) {
		io = io_write(&d, 0, 4096, i);
		answer(ABUSE_OP_WRITE, errors[i], &io->done);
		is(io_end(io), errors[i], "a refused write");
		io = io_write(&d, 0, 4096, i);
		answer(ABUSE_OP_WRITE, 0, &io->done);
		is(io_end(io), 0, "the next write");

		job_start(&job, buffered, memory_new(4096));
		answer(ABUSE_OP_WRITE, errors[i], &job.done);
		/* Whether a flush follows is the kernel's affair. */
		while (!wait_for_within(1, job.done)) {
			struct abuse_request r;

			if (fetch(fd, &r, 1, buffer, RAM_BUFFER, 10 * MSEC) == 1)
				reply(fd, r.id, 0, NULL);
		}
		/* The page cache of a disk makes EIO of every error. */
		ret = job_wait(&job, "fsync");
		ok(ret == errors[i] || ret == EIO, "fsync of a refused buffered write (%d)", ret);
	}

	io = io_start(&d, IO_FSYNC, 0, 0);
	answer(ABUSE_OP_FLUSH, EIO, &io->done);
	is(io_end(io), EIO, "a refused flush");
	io = io_start(&d, IO_DISCARD, 0, 4096);
	answer(ABUSE_OP_DISCARD, EIO, &io->done);
	is(io_end(io), EIO, "a refused discard");
	io = io_start(&d, IO_FSYNC, 0, 0);
	answer(ABUSE_OP_FLUSH, 0, &io->done);
	is(io_end(io), 0, "a flush after all that");
	is(attribute_number(&d, "errors"), 6, "errors counted");
	return done();
}
