/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A WRITE answered with STORE has its bytes at the address that the reply names before
 * its writer hears of it, whether they went into the buffer or not. A reply to a request that is no WRITE
 * or must be durable (FUA), or one with a result, a file or another flag is EINVAL,
 * memory that faults or must not be written EFAULT; it is still held and no byte lost.
 */
/* build: m32 */
#include "abuse.h"

#define SIZE	(4 * MIB)
#define LEN	(64 * KIB)

static struct device d;
static int fd;
static char *store;

static void refuse(uint64_t id, struct abuse_reply with, const char *what)
{
	with.id = id;
	with.address = ADDR(store);
	is(exchange_both(fd, &with, 1, NULL, 0, NULL, 0, NO_WAIT), 0, what);
	is(with.status, EINVAL, "its status");
	ok(bytes_are(store, LEN, 0xee), "nothing is stored");
	is(attribute_number(&d, "held"), 1, "held");
}

static void refuse_for_op(struct io *io, uint32_t op, const char *what)
{
	struct abuse_request q = fetch_one(fd, NULL, 0);

	is(q.op, op, what);
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE }, what);
	is(reply(fd, q.id, 0, store), 0, "answered without it");
	is(io_end(io), 0, "its caller");
}

static void store_one(struct io *io, void *buffer, char *to, unsigned int seed)
{
	struct abuse_request q = fetch_one(fd, buffer, buffer ? 1 * MIB : 0);

	if (buffer)
		ok(pattern_is((char *)buffer + q.offset, LEN, seed), "its bytes came, too");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, to), 0, "STORE");
	is(io_wait(io), 0, "the write");
	ok(pattern_is(to, LEN, seed), "its bytes are there");
	ok((unsigned char)to[LEN] == 0xee, "and none behind them");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, to), ESTALE, "a second time");
	io_free(io);
	memset(store, 0xee, SIZE);
}

int main(void)
{
	struct abuse_params p;
	struct abuse_request q;
	char *page, *buffer;
	struct io *io;

	test_begin();
	store = memory_new(SIZE);
	buffer = memory_new(1 * MIB);
	memset(store, 0xee, SIZE);
	d = device_new();
	set_up(&d, SIZE, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
	       ABUSE_F_WRITE_ZEROES);
	fd = server_open(&d);
	p.size = sizeof(p);
	is(get_params(fd, &p), 0, "GET_PARAMS");
	ok(p.all_features & ABUSE_F_STORE, "says that replies may STORE");

	store_one(io_write(&d, 0, LEN, 1), NULL, store, 1);
	store_one(io_write(&d, LEN, LEN, 2), NULL, store + 12345, 2);
	store_one(io_write(&d, 0, LEN, 3), buffer, store + LEN, 3);

	io = io_write(&d, 0, LEN, 4);
	q = fetch_one(fd, NULL, 0);
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE, .result = EIO },
	       "an error and STORE");
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE, .file = 1 },
	       "a file and STORE");
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE | ABUSE_REPLY_REDIRECT },
	       "REDIRECT and STORE");
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE | ABUSE_REPLY_ZERO },
	       "ZERO and STORE");
	page = memory_faulting(LEN / 2, LEN);
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, page), EFAULT, "half is there");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, NULL), EFAULT, "nowhere");
	ok(!io->done && attribute_number(&d, "held") == 1, "it is still held");
	memory_mend(page, LEN);
	memset(page, 0, LEN);
	need(!mprotect(page, LEN, PROT_READ), "mprotect");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, page), EFAULT, "read-only");
	ok(bytes_are(page, LEN, 0), "nothing is stored there");
	need(!mprotect(page, LEN, PROT_READ | PROT_WRITE), "mprotect");
	is(reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, page), 0, "a good place");
	is(io_end(io), 0, "the write");
	ok(pattern_is(page, LEN, 4), "its bytes are there");

	refuse_for_op(io_read(&d, 0, LEN), ABUSE_OP_READ, "a READ");
	refuse_for_op(io_start(&d, IO_FSYNC, 0, 0), ABUSE_OP_FLUSH, "a FLUSH");
	refuse_for_op(io_start(&d, IO_DISCARD, 0, LEN), ABUSE_OP_DISCARD, "a DISCARD");
	refuse_for_op(io_start(&d, IO_ZEROOUT, 0, LEN), ABUSE_OP_WRITE_ZEROES,
		      "a WRITE_ZEROES");
	io = io_prepare(&d, IO_WRITE, 0, LEN);
	io->pwrite_flags = RWF_DSYNC;
	io_go(io);
	q = fetch_one(fd, NULL, 0);
	is(q.op, ABUSE_OP_WRITE, "a WRITE");
	is(q.flags & ABUSE_REQ_FUA, ABUSE_REQ_FUA, "with FUA");
	refuse(q.id, (struct abuse_reply){ .flags = ABUSE_REPLY_STORE }, "STORE, and FUA");
	is(reply(fd, q.id, 0, NULL), 0, "answered without it");
	q = fetch_one(fd, NULL, 0);	/* RWF_DSYNC flushes, too */
	is(reply(fd, q.id, 0, NULL), 0, "what comes behind it");
	is(io_end(io), 0, "its caller");
	return done();
}
