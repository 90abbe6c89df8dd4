/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Requests merged of up to 256 bios are handed out as one, and every byte of them
 * goes to and comes from the right place, also if each page of the server's
 * memory has to be faulted in half-way, through exchange and GET_BIO/PUT_BIO.
 */
#include "recorder.h"

#define SIZE	(4 * MIB)
#define N	256

static unsigned char *store, *data;
static struct device d;

/* N neighbours of 4096 bytes from offset on, submitted at once. */
static void submit(struct aio *aio, struct job *job, int opcode, uint64_t offset)
{
	aio_again(aio);
	for (int i = 0; i < N; i++)
		aio_add(aio, opcode, data + i * 4096, 4096, offset + i * 4096, 0);
	aio_go(aio, job);
}

static int wrong(struct aio *aio)
{
	int n = 0;

	for (int i = 0; i < N; i++)
		n += aio->res[i] != 4096;
	return n;
}

static void largest(const struct recorder *rec)
{
	uint64_t most = 0;

	for (unsigned int i = 0; i < rec->n; i++)
		if (rec->seen[i].length > most)
			most = rec->seen[i].length;
	is(most, N * 4096, "bytes in the largest request");
	is(rec->n, 1, "requests");
}

static void through_exchange(struct aio *aio, bool cold)
{
	struct recorder *rec = recorder_new(&d, store, SIZE);
	struct job job;

	printf("# exchange, memory that is %s\n", cold ? "to be faulted in" : "there");
	rec->cold = cold;
	pattern_fill(data, N * 4096, cold);
	submit(aio, &job, IOCB_CMD_PWRITE, 1 * MIB);
	ok(recorder_serve(rec, &job.done), "the writes end");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(wrong(aio), 0, "writes that failed");
	ok(pattern_is(store + 1 * MIB, N * 4096, cold), "the bytes arrived");
	largest(rec);

	recorder_forget(rec);
	memset(data, 0, N * 4096);
	submit(aio, &job, IOCB_CMD_PREAD, 1 * MIB);
	ok(recorder_serve(rec, &job.done), "the reads end");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(wrong(aio), 0, "reads that failed");
	ok(pattern_is(data, N * 4096, cold), "the bytes came back");
	largest(rec);
	recorder_free(rec);
}

static void by_bio(struct aio *aio, int opcode, bool cold)
{
	int fd = server_open(&d), got = 0;
	struct job job;
	struct bio bio;

	submit(aio, &job, opcode, 2 * MIB);
	for (uint64_t sum = 0; sum < N * 4096; sum += bio_length(&bio)) {
		get_bio_wait(fd, &bio);
		need(bio_length(&bio), "a request with bytes");
		ok(bio.hdr.ab_vec_count <= 256, "%u vecs", bio.hdr.ab_vec_count);
		if (cold)
			madvise(store, SIZE, MADV_DONTNEED);
		bio_point(&bio, store + bio.hdr.ab_sector * 512);
		is(put_bio(fd, &bio, 0), 0, "PUT_BIO");
		got++;
	}
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(wrong(aio), 0, "I/Os that failed");
	is(got, 1, "requests");
	close(fd);
}

int main(void)
{
	struct aio *aio;

	test_begin();
	store = memory_new(SIZE);
	data = memory_new(N * 4096);
	d = device_new();
	set_up(&d, SIZE, 0);
	aio = aio_new(&d);
	through_exchange(aio, false);
	through_exchange(aio, true);
	for (int cold = 0; cold < 2; cold++) {
		printf("# PUT_BIO, memory that is %s\n", cold ? "to be faulted in" : "there");
		pattern_fill(data, N * 4096, 5 + cold);
		by_bio(aio, IOCB_CMD_PWRITE, cold);
		ok(pattern_is(store + 2 * MIB, N * 4096, 5 + cold), "the bytes arrived");
		memset(data, 0, N * 4096);
		by_bio(aio, IOCB_CMD_PREAD, cold);
		ok(pattern_is(data, N * 4096, 5 + cold), "the bytes came back");
	}
	aio_free(aio);
	return done();
}
