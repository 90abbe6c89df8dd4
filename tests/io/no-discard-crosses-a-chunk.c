/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * "No request crosses a multiple of chunk" holds for DISCARD and WRITE_ZEROES too:
 * a server that stripes by chunk need not split them.
 */
#include "recorder.h"

#define SIZE	(4 * MIB)
#define CHUNK	(64 * KIB)

static void check(struct recorder *rec, unsigned int op, uint64_t from,
		  uint64_t length)
{
	unsigned int crossing = 0;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < rec->n; i++) {
		uint64_t at = rec->seen[i].sector * 512;

		if (rec->seen[i].op != op)
			continue;
		crossing += at / CHUNK != (at + rec->seen[i].length - 1) / CHUNK;
		sum += rec->seen[i].length;
	}
	is(crossing, 0, "requests that cross a chunk's end");
	is(sum, length, "bytes");
	ok(bytes_are(rec->ram.store + from, length, 0) &&
	   rec->ram.store[from - 1] == 0xaa && rec->ram.store[from + length] == 0xaa,
	   "just the range is changed");
	recorder_forget(rec);
	memset(rec->ram.store, 0xaa, SIZE);
}

int main(void)
{
	struct abuse_params p = params_of(SIZE);
	struct recorder *rec;
	struct device d;

	test_begin();
	d = device_new();
	p.chunk = CHUNK;
	p.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	set_up_as(&d, &p);
	rec = recorder_new(&d, memory_new(SIZE), SIZE);
	memset(rec->ram.store, 0xaa, SIZE);
	is(recorder_end(rec, io_start(&d, IO_DISCARD, 12 * KIB, 1 * MIB)), 0, "a discard");
	check(rec, ABUSE_OP_DISCARD, 12 * KIB, 1 * MIB);
	is(recorder_end(rec, io_start(&d, IO_ZEROOUT, 12 * KIB, 1 * MIB)), 0, "a zero-out");
	check(rec, ABUSE_OP_WRITE_ZEROES, 12 * KIB, 1 * MIB);
	recorder_free(rec);
	return done();
}
