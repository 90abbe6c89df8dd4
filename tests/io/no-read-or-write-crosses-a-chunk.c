/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a device that is set up with a chunk no read or write crosses a multiple of it,
 * neither one that is submitted whole nor neighbours that could be merged.
 */
#include "recorder.h"

#define SIZE	(4 * MIB)
#define CHUNK	(64 * KIB)

static void check(struct recorder *rec, unsigned int op, uint64_t length)
{
	unsigned int crossing = 0, whole = 0;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < rec->n; i++) {
		uint64_t from = rec->seen[i].sector * 512;
		uint64_t last = from + rec->seen[i].length - 1;

		if (rec->seen[i].op != op)
			continue;
		crossing += from / CHUNK != last / CHUNK;
		whole += rec->seen[i].length == CHUNK;
		sum += rec->seen[i].length;
	}
	is(crossing, 0, "requests that cross a chunk's end");
	ok(whole, "%u fill a chunk", whole);
	is(sum, length, "bytes");
	recorder_forget(rec);
}

int main(void)
{
	struct abuse_params p = params_of(SIZE);
	unsigned char *store, *data;
	struct recorder *rec;
	struct device d;
	struct aio *aio;
	struct job job;
	struct io *io;

	test_begin();
	store = memory_new(SIZE);
	data = memory_new(1 * MIB);
	d = device_new();
	p.chunk = CHUNK;
	set_up_as(&d, &p);
	rec = recorder_new(&d, store, SIZE);

	is(recorder_end(rec, io_write(&d, 3 * 4096, 1 * MIB, 1)), 0, "a write");
	check(rec, ABUSE_OP_WRITE, 1 * MIB);
	ok(pattern_is(store + 3 * 4096, 1 * MIB, 1), "its bytes");
	io = io_read(&d, 3 * 4096, 1 * MIB);
	ok(recorder_serve(rec, &io->done), "a read ends");
	is(io_wait(io), 0, "a read");
	ok(pattern_is(io->data, 1 * MIB, 1), "its bytes");
	io_free(io);
	check(rec, ABUSE_OP_READ, 1 * MIB);

	aio = aio_new(&d);
	pattern_fill(data, 1 * MIB, 2);
	for (int i = 0; i < 256; i++)
		aio_add(aio, IOCB_CMD_PWRITE, data + i * 4096, 4096, (5 + i) * 4096, 0);
	aio_go(aio, &job);
	ok(recorder_serve(rec, &job.done), "256 neighbours end");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	check(rec, ABUSE_OP_WRITE, 1 * MIB);
	ok(pattern_is(store + 5 * 4096, 1 * MIB, 2), "their bytes");
	aio_free(aio);
	recorder_free(rec);
	return done();
}
