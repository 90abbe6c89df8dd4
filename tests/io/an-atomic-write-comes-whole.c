/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A write that its submitter made atomic comes as one request that says so, if the
 * set-up asked for atomic writes, and can be neither stored nor redirected by the
 * kernel; without that it is refused; kernels that have none refuse the set-up.
 */
#include "abuse.h"

#define ATOMIC	0x40	/* RWF_ATOMIC of pwritev2(2) */
#define LEN	32768

static struct device d;

static struct io *write_atomically(size_t length, uint64_t at)
{
	struct io *io = io_prepare(&d, IO_WRITE, at, length);

	io->pwrite_flags = ATOMIC;
	pattern_fill(io->data, length, 5);
	return io_go(io);
}

static long long unit_max(void)
{
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/block/abuse%u/queue/atomic_write_unit_max_bytes", d.number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atoll(text);
}

int main(void)
{
	struct abuse_params p;
	struct abuse_request q;
	char *buffer;
	struct bio bio;
	struct io *io;
	int fd, error;

	test_begin();
	buffer = memory_new(MIB);
	d = device_new();
	fd = server_open(&d);
	need(!get_params(fd, &p), "GET_PARAMS");
	if (!(p.all_features & ABUSE_F_ATOMIC)) {
		ok(unit_max() < 0, "the kernel has no atomic writes");
		p = params_of(8 * MIB);
		p.atomic_max = LEN;
		is(set_params(fd, &p), -EOPNOTSUPP, "a set-up that asks for them");
		is(get_params(fd, &p), 0, "GET_PARAMS");
		is(p.state, ABUSE_S_EMPTY, "the device is still empty");
		return done();
	}

	p = params_of(8 * MIB);
	p.atomic_min = 4096;
	p.atomic_max = LEN;
	is(set_params(fd, &p), 0, "a set-up that asks for atomic writes");
	is(unit_max(), LEN, "the largest, as the block layer shows it");
	is(get_bio(fd, &bio), -EOPNOTSUPP, "GET_BIO cannot express them");

	io = write_atomically(LEN, LEN);
	q = fetch_one(fd, buffer, MIB);
	is(q.op, ABUSE_OP_WRITE, "op");
	ok(q.flags & ABUSE_REQ_ATOMIC, "the request says so");
	is(q.length, LEN, "and is the whole write");
	ok(pattern_is(buffer + q.offset, LEN, 5), "with its bytes");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, buffer), EINVAL, "STORE");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_REDIRECT, NULL), EINVAL, "REDIRECT");
	is(reply(fd, q.id, 0, NULL), 0, "a plain answer");
	is(io_end(io), 0, "the write");

	io = io_write(&d, 0, LEN, 6);
	q = fetch_one(fd, buffer, MIB);
	ok(!(q.flags & ABUSE_REQ_ATOMIC), "a usual write is not atomic");
	is(reply(fd, q.id, 0, NULL), 0, "answer");
	is(io_end(io), 0, "the write");

	error = io_end(write_atomically(2 * LEN, 0));
	ok(error == EINVAL || error == EOPNOTSUPP, "one that is too large is refused (%d)",
	   error);

	is(reset(fd), 0, "RESET");
	close(fd);
	set_up(&d, 8 * MIB, 0);
	is(unit_max(), 0, "the next set-up has none");
	error = io_end(write_atomically(LEN, LEN));
	ok(error == EINVAL || error == EOPNOTSUPP, "an atomic write is refused (%d)",
	   error);
	is(attribute_number(&d, "queued"), 0, "queued");
	return done();
}
