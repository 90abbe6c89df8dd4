/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * PUT_BIO whose memory faults, from the first byte on or half-way through the
 * payload, is EFAULT; the request is back in the queue and a good answer then
 * moves the right bytes.
 */
/* build: m32 */
#include "abuse.h"

#define LEN 65536

int main(void)
{
	struct device d;
	struct bio bio;
	struct io *io;
	char *half, *none;
	int fd;

	test_begin();
	half = memory_faulting(LEN / 2, LEN);
	none = memory_faulting(0, LEN);
	d = device_new();
	set_up_2009(&d, 1 * MIB, 4096, 128);
	fd = server_open(&d);

	pattern_fill(half, LEN / 2, 1);
	io = io_read(&d, 0, LEN);
	for (int i = 0; i < 3; i++) {
		get_bio_wait(fd, &bio);
		bio_point(&bio, i == 1 ? none : half);
		is(put_bio(fd, &bio, 0), -EFAULT, "PUT_BIO of a read that faults");
		ok(!io->done, "the read waits");
	}
	/* The vecs themselves. */
	bio.hdr.ab_transfer_address = ADDR(none);
	is(call(fd, ABUSE_PUT_BIO, &bio.hdr), -EFAULT, "vecs that fault");
	bio.hdr.ab_transfer_address = 0;
	is(call(fd, ABUSE_PUT_BIO, &bio.hdr), -EFAULT, "no vecs");
	is(attribute_number(&d, "queued"), 1, "queued");
	memory_mend(half, LEN);
	pattern_fill(half, LEN, 2);
	get_bio_wait(fd, &bio);
	bio_point(&bio, half);
	is(put_bio(fd, &bio, 0), 0, "a good answer");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, LEN, 2), "all its bytes are of the good answer");
	io_free(io);

	half = memory_faulting(LEN / 2, LEN);
	io = io_write(&d, 0, LEN, 3);
	for (int i = 0; i < 3; i++) {
		get_bio_wait(fd, &bio);
		bio_point(&bio, i == 1 ? none : half);
		is(put_bio(fd, &bio, 0), -EFAULT, "PUT_BIO of a write that faults");
		ok(!io->done, "the write waits");
	}
	/* An address that only the kernel has. */
	get_bio_wait(fd, &bio);
	bio_point(&bio, half);
	bio.vecs[0].ab_address = 0xffff888000000000;
	if (sizeof(long) == 8)
		is(put_bio(fd, &bio, 0), -EFAULT, "an address of the kernel");
	bio.vecs[0].ab_address = 0x00007ffffffff800;
	if (sizeof(long) == 8)
		is(put_bio(fd, &bio, 0), -EFAULT, "an address up to its border");
	memory_mend(half, LEN);
	get_bio_wait(fd, &bio);
	bio_point(&bio, half);
	is(put_bio(fd, &bio, 0), 0, "a good answer");
	is(io_end(io), 0, "the write");
	ok(pattern_is(half, LEN, 3), "all its bytes came");
	return done();
}
