/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Segments smaller than a page, beginning at any 512 bytes inside one and running
 * across page ends, more of them than one request may have, keep their bytes in both
 * directions, through exchange and GET_BIO/PUT_BIO, whose vecs describe them.
 */
#include "recorder.h"

#define SIZE	(2 * MIB)
#define SEGS	700
#define SPAN	(4 * 1024)	/* of memory for each segment */

static struct device d;
static unsigned char *store, *memory;
static struct iovec iov[SEGS];
static size_t total;

/* Pieces of 512 .. 3584 bytes, each somewhere else in its own pages. */
static void lay_out(void)
{
	total = 0;
	for (int i = 0; i < SEGS; i++) {
		iov[i].iov_len = 512 * (1 + i * 5 % 7);
		iov[i].iov_base = memory + (size_t)i * 2 * SPAN + 512 * (i * 3 % 8);
		total += iov[i].iov_len;
	}
}

static void fill(unsigned int seed)
{
	size_t at = 0;

	memset(memory, 0xee, SEGS * 2 * SPAN);
	for (int i = 0; i < SEGS; i++)
		for (size_t j = 0; j < iov[i].iov_len; j++)
			((unsigned char *)iov[i].iov_base)[j] = pattern_byte(at++, seed);
}

static bool is_filled(unsigned int seed)
{
	size_t at = 0, outside = 0;

	for (int i = 0; i < SEGS; i++) {
		unsigned char *base = memory + (size_t)i * 2 * SPAN;

		for (unsigned char *p = base; p < base + 2 * SPAN; p++) {
			bool inside = p >= (unsigned char *)iov[i].iov_base &&
				      p < (unsigned char *)iov[i].iov_base + iov[i].iov_len;

			if (inside && *p != pattern_byte(at++, seed))
				return false;
			if (!inside && *p != 0xee)
				outside++;
		}
	}
	return !outside;
}

static void go(struct aio *aio, struct job *job, int opcode)
{
	aio_again(aio);
	aio_add(aio, opcode, iov, SEGS, 4096, 0);
	aio_go(aio, job);
}

static void through_exchange(struct aio *aio, unsigned int seed, bool cold)
{
	struct recorder *rec = recorder_new(&d, store, SIZE);
	struct job job;

	rec->cold = cold;
	fill(seed);
	go(aio, &job, IOCB_CMD_PWRITEV);
	ok(recorder_serve(rec, &job.done), "the write ends");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(aio->res[0], total, "bytes written");
	ok(pattern_is(store + 4096, total, seed), "the bytes arrived");
	memset(memory, 0xee, SEGS * 2 * SPAN);
	go(aio, &job, IOCB_CMD_PREADV);
	ok(recorder_serve(rec, &job.done), "the read ends");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(aio->res[0], total, "bytes read");
	ok(is_filled(seed), "the bytes came back, to their segments alone");
	recorder_free(rec);
}

static void by_bio(struct aio *aio, int opcode)
{
	int fd = server_open(&d), bad = 0;
	bool unaligned = false;
	struct job job;
	struct bio bio;

	go(aio, &job, opcode);
	for (size_t sum = 0; sum < total; sum += bio_length(&bio)) {
		get_bio_wait(fd, &bio);
		need(bio_length(&bio), "a request with bytes");
		for (unsigned int i = 0; i < bio.hdr.ab_vec_count; i++) {
			bad += bio.vecs[i].ab_offset >= 4096 ||
			       bio.vecs[i].ab_offset % 512 || bio.vecs[i].ab_len % 512;
			unaligned |= bio.vecs[i].ab_offset;
		}
		bad += bio.hdr.ab_vec_count > 256;
		bio_point(&bio, store + bio.hdr.ab_sector * 512);
		is(put_bio(fd, &bio, 0), 0, "PUT_BIO");
	}
	is(bad, 0, "vecs that are out of range");
	ok(unaligned, "some begin inside a page");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(aio->res[0], total, "bytes");
	close(fd);
}

int main(void)
{
	struct aio *aio;

	test_begin();
	store = memory_new(SIZE);
	memory = memory_new(SEGS * 2 * SPAN);
	lay_out();
	need(total + 4096 <= SIZE, "room for all segments");
	d = device_new();
	set_up(&d, SIZE, 0);
	aio = aio_new(&d);
	through_exchange(aio, 1, false);
	through_exchange(aio, 2, true);
	fill(3);
	by_bio(aio, IOCB_CMD_PWRITEV);
	ok(pattern_is(store + 4096, total, 3), "the bytes arrived");
	memset(memory, 0xee, SEGS * 2 * SPAN);
	by_bio(aio, IOCB_CMD_PREADV);
	ok(is_filled(3), "the bytes came back, to their segments alone");
	aio_free(aio);
	return done();
}
