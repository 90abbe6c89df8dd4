/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A device gets only the operations that its set-up asked for: without WRITE_CACHE no
 * FLUSH, with it and without FUA a write and then a FLUSH, without DISCARD an error
 * to the caller, without WRITE_ZEROES plain writes of zeroes.
 */
#include "recorder.h"

#define SIZE	(2 * MIB)

static struct device d;
static struct recorder *rec;
static unsigned char *store;

static void durable_write(uint64_t features)
{
	struct aio *aio = aio_new(&d);
	char *data = memory_new(4096);
	struct job job;

	recorder_forget(rec);
	pattern_fill(data, 4096, 3);
	aio_add(aio, IOCB_CMD_PWRITE, data, 4096, 4096, RWF_DSYNC);
	aio_go(aio, &job);
	ok(recorder_serve(rec, &job.done), "a durable write ends");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(aio->res[0], 4096, "a durable write");
	ok(pattern_is(store + 4096, 4096, 3), "its bytes arrived");
	is(recorder_count(rec, ABUSE_OP_WRITE, ABUSE_REQ_FUA, ABUSE_REQ_FUA),
	   !!(features & ABUSE_F_FUA), "WRITEs with FUA");
	is(recorder_count(rec, ABUSE_OP_WRITE, ABUSE_REQ_FUA, 0),
	   !(features & ABUSE_F_FUA), "WRITEs without");
	if ((features & ABUSE_F_WRITE_CACHE) && !(features & ABUSE_F_FUA))
		ok(rec->n == 2 && rec->seen[0].op == ABUSE_OP_WRITE &&
		   rec->seen[1].op == ABUSE_OP_FLUSH,
		   "FUA is a WRITE and then a FLUSH");
	else
		is(recorder_count(rec, ABUSE_OP_FLUSH, 0, 0), 0, "FLUSHes beside it");
	aio_free(aio);
	munmap(data, 4096);
}

static void try(uint64_t features)
{
	bool wants;

	printf("# features 0x%llx\n", (unsigned long long)features);
	d = device_new();
	set_up(&d, SIZE, features);
	memset(store, 0xaa, SIZE);
	rec = recorder_new(&d, store, SIZE);

	durable_write(features);

	wants = features & ABUSE_F_WRITE_CACHE;
	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_FSYNC, 0, 0)), 0, "fsync");
	is(recorder_count(rec, ABUSE_OP_FLUSH, 0, 0), wants, "FLUSHes");
	is(rec->n, wants, "requests");

	wants = features & ABUSE_F_DISCARD;
	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_DISCARD, 64 * KIB, 64 * KIB)),
	   wants ? 0 : EOPNOTSUPP, "BLKDISCARD");
	is(recorder_count(rec, ABUSE_OP_DISCARD, 0, 0), wants, "DISCARDs");
	is(rec->n, wants, "requests");

	wants = features & ABUSE_F_WRITE_ZEROES;
	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_ZEROOUT, 256 * KIB, 64 * KIB)), 0,
	   "BLKZEROOUT");
	is(recorder_count(rec, ABUSE_OP_WRITE_ZEROES, 0, 0), wants, "WRITE_ZEROES");
	ok(wants || recorder_count(rec, ABUSE_OP_WRITE, 0, 0),
	   "or it comes as plain writes");
	ok(bytes_are(store + 256 * KIB, 64 * KIB, 0), "the bytes are zero");
	recorder_free(rec);
	is(device_remove(d.number), 0, "REMOVE");
}

int main(void)
{
	test_begin();
	store = memory_new(SIZE);
	try(0);
	try(ABUSE_F_WRITE_CACHE);
	try(ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	try(ABUSE_F_DISCARD);
	try(ABUSE_F_WRITE_ZEROES);
	return done();
}
