/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A reader or writer gets the errno of the server's reply, for each
 * errno that is allowed; any other is EINVAL and the request is still held.
 */
#include "abuse.h"

static const int allowed[] = { EIO, ENOSPC, ETIMEDOUT, ENODATA, EILSEQ, ENOLINK };

static bool is_allowed(int result)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (allowed[i] == result)
			return true;
	return !result;
}

static struct io *start(const struct device *d, enum io_op op)
{
	return op == IO_FSYNC ? io_start(d, op, 0, 0) : io_start(d, op, 4096, 8192);
}

int main(void)
{
	static const enum io_op ops[] = { IO_READ, IO_WRITE, IO_FSYNC, IO_DISCARD, IO_PUNCH, IO_ZEROOUT };
	static const char *const names[] = { "read", "write", "fsync", "discard", "zeroes", "zeroout" };
	struct device d;
	struct abuse_request q;
	struct io *io;
	struct ram *ram;
	char *buffer = memory_new(1 * MIB);
	int fd, wrong = 0;

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD |
			    ABUSE_F_WRITE_ZEROES);
	fd = server_open(&d);

	/* Where BLKZEROOUT fails, older kernels write zeroes. */
	for (int op = 0; op < (kernel_is_from(6, 11) ? 6 : 5); op++)
		for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
			int status, error;

			io = start(&d, ops[op]);
			q = fetch_one(fd, buffer, 1 * MIB);
			status = reply(fd, q.id, allowed[i], NULL);
			error = io_end(io);
			/* Of these the kernel reports a failure its own way. */
			if (op >= 3)
				ok(!status && error > 0, "%s, %s (%d, %d)", names[op],
				   strerror(allowed[i]), status, error);
			else
				ok(!status && error == allowed[i], "%s, %s (%d, %d)",
				   names[op], strerror(allowed[i]), status, error);
		}

	for (int op = 0; op < 3; op++) {
		io = start(&d, ops[op]);
		q = fetch_one(fd, buffer, 1 * MIB);
		for (int result = 1; result < 200; result++)
			if (!is_allowed(result) &&
			    reply(fd, q.id, result, NULL) != EINVAL)
				ok(!++wrong, "%s: result %d is refused", names[op], result);
		is(reply(fd, q.id, (uint32_t)-EIO, NULL), EINVAL, "result -EIO");
		is(reply(fd, q.id, ~0U, NULL), EINVAL, "result 0xffffffff");
		ok(!io->done, "%s: still unanswered after 190 bad results", names[op]);
		is(attribute_number(&d, "held"), 1, "still held");
		is(reply(fd, q.id, 0, buffer), 0, "a good answer");
		is(io_end(io), 0, "the call");
	}
	is(wrong, 0, "results wrongly taken");

	/* Not supported is an answer to DISCARD and WRITE_ZEROES alone. */
	io = start(&d, IO_DISCARD);
	q = fetch_one(fd, buffer, 1 * MIB);
	is(reply(fd, q.id, EPERM, NULL), EINVAL, "DISCARD, EPERM");
	is(reply(fd, q.id, EOPNOTSUPP, NULL), 0, "DISCARD, EOPNOTSUPP");
	ok(io_end(io) != -1, "BLKDISCARD returns");
	io = start(&d, IO_ZEROOUT);
	q = fetch_one(fd, buffer, 1 * MIB);
	is(q.op, ABUSE_OP_WRITE_ZEROES, "op");
	is(reply(fd, q.id, EPERM, NULL), EINVAL, "WRITE_ZEROES, EPERM");
	is(reply(fd, q.id, EOPNOTSUPP, NULL), 0, "WRITE_ZEROES, EOPNOTSUPP");
	ram = ram_start(&d, memory_new(1 * MIB), 1 * MIB);
	is(io_end(io), 0, "BLKZEROOUT, done by writes instead");
	ok(ram->served[ABUSE_OP_WRITE] > 0, "which the server saw");
	ram_stop(ram);
	return done();
}
