/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Where set-up asked for a write cache, a flush reaches GET_BIO as a
 * SYNC_NOTIFICATION without vecs, and PUT_BIO answers it; where it did not, fsync
 * bothers no server.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	struct device d, e;
	struct bio bio;
	struct io *io;
	int fd;

	test_begin();
	d = device_new();
	e = device_new();
	set_up(&d, 1 * MIB, ABUSE_F_WRITE_CACHE);
	set_up_2009(&e, 1 * MIB, 512, 128);

	fd = server_open(&d);
	io = io_start(&d, IO_FSYNC, 0, 0);
	get_bio_wait(fd, &bio);
	is(bio.hdr.ab_command, ABUSE_SYNC_NOTIFICATION, "command");
	is(bio.hdr.ab_vec_count, 0, "vecs");
	ok(!io->done, "fsync waits for it");
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), 0, "PUT_BIO");
	is(io_end(io), 0, "fsync");

	io = io_start(&d, IO_FSYNC, 0, 0);
	get_bio_wait(fd, &bio);
	bio.hdr.ab_command = ABUSE_WRITE;
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), -EINVAL, "PUT_BIO as a WRITE");
	bio.hdr.ab_command = ABUSE_SYNC_NOTIFICATION;
	bio.hdr.ab_vec_count = 1;
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), -EINVAL, "PUT_BIO with a vec");
	bio.hdr.ab_vec_count = 0;
	bio.hdr.ab_sector += 8;
	is(put_bio(fd, &bio, ABUSE_RESULT_OKAY), -EINVAL, "PUT_BIO of another sector");
	bio.hdr.ab_sector -= 8;
	ok(!io->done, "fsync still waits");
	is(put_bio(fd, &bio, ABUSE_RESULT_MEDIA_FAILURE), 0, "MEDIA_FAILURE");
	is(io_end(io), EIO, "fsync");
	close(fd);

	fd = server_open(&e);
	io = io_start(&e, IO_FSYNC, 0, 0);
	is(io_end(io), 0, "fsync without a write cache");
	is(get_bio(fd, &bio), -ENOMSG, "and the server heard nothing");
	is(attribute_number(&e, "served"), 0, "served");
	return done();
}
