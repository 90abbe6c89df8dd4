/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A request that a descriptor fetched is given to no other one, and no other one may
 * answer: not another exchange (ESTALE), not PUT_BIO (EBUSY), and GET_BIO
 * passes over it.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	struct device d;
	struct abuse_request q, r;
	struct bio bio, first;
	struct pollfd p;
	struct io *io, *jo;
	char *data = memory_new(65536);
	int fd, other;

	test_begin();
	d = device_new();
	set_up_2009(&d, 1 * MIB, 512, 128);
	fd = server_open(&d);
	other = server_open(&d);

	io = io_read(&d, 0, 4096);
	get_bio_wait(other, &first);
	q = fetch_one(fd, NULL, 0);
	ok(q.op == ABUSE_OP_READ && q.sector == 0 && q.length == 4096 &&
	   !(q.flags & (ABUSE_REQ_FUA | ABUSE_REQ_NOUNMAP)),
	   "exchange describes it");
	is(get_bio(other, &bio), -ENOMSG, "GET_BIO while it is held");
	is(fetch(other, &r, 1, NULL, 0, NO_WAIT), 0, "fetch while it is held");
	p = (struct pollfd){ .fd = other, .events = POLLIN | POLLMSG };
	is(poll(&p, 1, 0), 0, "poll while it is held");
	bio_point(&first, data);
	is(put_bio(other, &first, 0), -EBUSY, "PUT_BIO by the id it had before");
	first.hdr.ab_id = q.id;
	is(put_bio(other, &first, 0), -EBUSY, "PUT_BIO by its id now");
	is(put_bio(fd, &first, 0), -EBUSY, "PUT_BIO by its holder");
	is(put_bio(fd, &first, ABUSE_RESULT_MEDIA_FAILURE), -EBUSY, "and MEDIA_FAILURE");
	is(reply(other, q.id, 0, data), ESTALE, "a reply from another descriptor");

	jo = io_read(&d, 65536, 4096);
	get_bio_wait(other, &bio);
	is(bio.hdr.ab_sector, 128, "GET_BIO gives the other request");
	bio_point(&bio, data);
	is(put_bio(other, &bio, 0), 0, "PUT_BIO of that");
	is(io_end(jo), 0, "its read");
	ok(!io->done, "the held one waits");
	is(reply(fd, q.id, 0, data), 0, "its holder answers");
	is(io_end(io), 0, "its read");
	return done();
}
