/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * On a device that asked for all of them, a flush, a write with FUA, a discard and
 * a write-zeroes (with and without leave to deallocate) each reach the server
 * as what they are, with place and length.
 */
#include "recorder.h"

#define SIZE	(8 * MIB)

static struct device d;
static struct recorder *rec;

static const struct abuse_request *only(unsigned int op)
{
	const struct abuse_request *found = NULL;

	for (unsigned int i = 0; i < rec->n; i++) {
		if (rec->seen[i].op != op)
			continue;
		if (found)
			return NULL;
		found = &rec->seen[i];
	}
	return found;
}

static void range(unsigned int op, enum io_op io_op, unsigned int nounmap)
{
	const struct abuse_request *r;

	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, io_op, 1 * MIB, 128 * KIB)), 0, "its caller");
	r = only(op);
	ok(r && r->sector == 2048 && r->length == 128 * KIB,
	   "op %u comes once, with sector and length", op);
	ok(r && (r->flags & ABUSE_REQ_NOUNMAP) == nounmap, "NOUNMAP is as asked");
	is(rec->n, 1, "requests");
	ok(bytes_are(rec->ram.store + 1 * MIB, 128 * KIB, 0) &&
	   rec->ram.store[1 * MIB - 1] == 0xaa &&
	   rec->ram.store[1 * MIB + 128 * KIB] == 0xaa, "just that range is changed");
	memset(rec->ram.store, 0xaa, SIZE);
}

static int punch(void *arg)
{
	int fd = open(d.disk, O_RDWR | O_CLOEXEC);
	int ret;

	(void)arg;
	ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 * MIB,
			128 * KIB) ? errno : 0;
	close(fd);
	return ret;
}

int main(void)
{
	unsigned char *store = memory_new(SIZE);
	const struct abuse_request *r;
	struct aio *aio;
	struct job job;
	char *data = memory_new(4096);

	test_begin();
	d = device_new();
	set_up(&d, SIZE, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
	       ABUSE_F_WRITE_ZEROES);
	rec = recorder_new(&d, store, SIZE);

	is(recorder_end(rec, io_write(&d, 8192, 4096, 1)), 0, "a write");
	r = only(ABUSE_OP_WRITE);
	ok(r && r->sector == 16 && r->length == 4096 && !(r->flags & ABUSE_REQ_FUA),
	   "it comes as a plain WRITE");
	ok(pattern_is(store + 8192, 4096, 1), "with its bytes");
	is(rec->n, 1, "requests");

	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_FSYNC, 0, 0)), 0, "fsync");
	r = only(ABUSE_OP_FLUSH);
	ok(r && !r->sector && !r->length, "it comes as one FLUSH of no bytes");
	is(rec->n, 1, "requests");

	/* Asynchronous: else the caller's own fsync comes on top. */
	recorder_forget(rec);
	aio = aio_new(&d);
	pattern_fill(data, 4096, 2);
	aio_add(aio, IOCB_CMD_PWRITE, data, 4096, 64 * KIB, RWF_DSYNC);
	aio_go(aio, &job);
	ok(recorder_serve(rec, &job.done), "a durable write ends");
	is(job_wait(&job, "io_submit"), 0, "io_submit");
	is(aio->res[0], 4096, "a durable write");
	r = only(ABUSE_OP_WRITE);
	ok(r && r->sector == 128 && r->length == 4096 && (r->flags & ABUSE_REQ_FUA),
	   "it comes as a WRITE with FUA");
	ok(pattern_is(store + 64 * KIB, 4096, 2), "with its bytes");
	is(rec->n, 1, "requests");
	aio_free(aio);

	memset(store, 0xaa, SIZE);
	range(ABUSE_OP_DISCARD, IO_DISCARD, 0);
	range(ABUSE_OP_WRITE_ZEROES, IO_ZEROOUT, ABUSE_REQ_NOUNMAP);

	recorder_forget(rec);
	job_start(&job, punch, NULL);
	ok(recorder_serve(rec, &job.done), "punching a hole ends");
	is(job_wait(&job, "fallocate"), 0, "punching a hole");
	r = only(ABUSE_OP_WRITE_ZEROES);
	ok(r && r->sector == 2048 && r->length == 128 * KIB &&
	   !(r->flags & ABUSE_REQ_NOUNMAP),
	   "it comes as WRITE_ZEROES that may deallocate");
	recorder_free(rec);
	return done();
}
