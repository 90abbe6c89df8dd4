/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * GET_BIO hands out the oldest request and moves it to the tail without owning
 * it; without a transfer address it fills in the header alone; vecs add up to
 * the request and lie within 256.
 */
/* build: m32 */
#include "abuse.h"

#define N 4

int main(void)
{
	struct device d;
	struct bio bio[N], again, one;
	struct abuse_xfr_hdr hdr;
	struct io *io[N];
	char *data = memory_new(2 * MIB);
	int fd, other, bad = 0;

	test_begin();
	d = device_new();
	set_up_2009(&d, 4 * MIB, 512, 128);
	fd = server_open(&d);
	other = server_open(&d);
	is(get_bio(fd, &one), -ENOMSG, "an empty queue");

	for (int i = 0; i < N; i++) {
		io[i] = io_write(&d, i * 65536, 4096, i);
		ok(wait_for(attribute_number(&d, "queued") == i + 1), "queued");
	}
	for (int i = 0; i < N; i++) {
		is(get_bio(i % 2 ? other : fd, &bio[i]), 0, "GET_BIO");
		is(bio[i].hdr.ab_sector, i * 128, "oldest first: sector");
		is(bio[i].hdr.ab_command, ABUSE_WRITE, "command");
		is(bio_length(&bio[i]), 4096, "length of the vecs");
		is(bio[i].vecs[0].ab_address, 0, "nothing is told of addresses");
	}
	for (int i = 0; i < N; i++) {
		is(get_bio(fd, &again), 0, "GET_BIO in the second turn");
		ok(again.hdr.ab_id == bio[i].hdr.ab_id, "the same request, same id");
	}

	memset(&hdr, 0, sizeof(hdr));
	is(call(fd, ABUSE_GET_BIO, &hdr), 0, "without a transfer address");
	ok(hdr.ab_id == bio[0].hdr.ab_id && hdr.ab_sector == 0 &&
	   hdr.ab_vec_count == bio[0].hdr.ab_vec_count, "the header is filled in");
	hdr.ab_transfer_address = ADDR(memory_faulting(0, 4096));
	is(call(fd, ABUSE_GET_BIO, &hdr), -EFAULT, "a bad transfer address");

	/* Any server may answer: out of order, through the other descriptor. */
	for (int i = N - 1; i >= 0; i--) {
		bio_point(&bio[i], data);
		is(put_bio(i % 2 ? fd : other, &bio[i], 0), 0, "PUT_BIO");
		is(io_end(io[i]), 0, "its write");
		ok(pattern_is(data, 4096, i), "its bytes");
	}

	/* The largest request. */
	io[0] = io_write(&d, 0, 1 * MIB, 7);
	for (uint64_t at = 0; at < 1 * MIB && !bad; at += bio_length(&one)) {
		get_bio_wait(fd, &one);
		bad |= one.hdr.ab_vec_count < 1 || one.hdr.ab_vec_count > 256;
		for (unsigned int i = 0; i < one.hdr.ab_vec_count; i++)
			bad |= !one.vecs[i].ab_len || one.vecs[i].ab_offset >= 4096;
		bio_point(&one, data + one.hdr.ab_sector * 512);
		bad |= put_bio(fd, &one, 0) != 0;
	}
	ok(!bad, "a write of 1 MiB in requests of 1 to 256 vecs");
	is(io_end(io[0]), 0, "the write");
	ok(pattern_is(data, 1 * MIB, 7), "its bytes");
	return done();
}
