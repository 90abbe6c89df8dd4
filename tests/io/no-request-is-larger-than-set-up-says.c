/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * max_request is respected for every operation that carries bytes, a write of just
 * that size (up to 1 MiB, in 256 pages) arrives as one request, and what is larger
 * arrives in pieces that miss nothing and overlap nowhere; discards and
 * write-zeroes stay below limits of their own.
 */
#include "recorder.h"

#define SIZE	(8 * MIB)
#define SPAN	(4 * MIB)

static unsigned char *store;

static void covers(const struct recorder *rec, unsigned int op, uint64_t most,
		   uint64_t from, uint64_t length)
{
	uint64_t sum = 0, largest = 0;
	bool inside = true;

	for (unsigned int i = 0; i < rec->n; i++) {
		const struct abuse_request *r = &rec->seen[i];

		if (r->op != op)
			continue;
		sum += r->length;
		if (r->length > largest)
			largest = r->length;
		if (r->sector * 512 < from || r->sector * 512 + r->length > from + length)
			inside = false;
		for (unsigned int j = 0; j < i; j++)
			if (rec->seen[j].op == op &&
			    rec->seen[j].sector < r->sector + r->length / 512 &&
			    r->sector < rec->seen[j].sector + rec->seen[j].length / 512)
				inside = false;
	}
	is(sum, length, "bytes in all requests");
	ok(largest <= most, "none is larger than %llu (%llu)",
	   (unsigned long long)most, (unsigned long long)largest);
	ok(inside, "none overlaps another or leaves the range");
}

static void try(unsigned int most)
{
	struct abuse_params p = params_of(SIZE);
	struct device d = device_new();
	struct recorder *rec;
	struct io *io;

	printf("# max_request %u\n", most);
	p.max_request = most;
	p.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	p.max_discard = 256 * KIB;
	p.max_write_zeroes = 128 * KIB;
	set_up_as(&d, &p);
	rec = recorder_new(&d, store, SIZE);

	is(recorder_end(rec, io_write(&d, SPAN, most, 1)), 0, "a write of that size");
	is(rec->n, 1, "requests");
	ok(pattern_is(store + SPAN, most, 1), "its bytes");

	recorder_forget(rec);
	is(recorder_end(rec, io_write(&d, 512, SPAN, 2)), 0, "a larger write");
	covers(rec, ABUSE_OP_WRITE, most, 512, SPAN);
	ok(pattern_is(store + 512, SPAN, 2), "its bytes");

	recorder_forget(rec);
	io = io_read(&d, 512, SPAN);
	ok(recorder_serve(rec, &io->done), "a large read ends");
	is(io_wait(io), 0, "a large read");
	covers(rec, ABUSE_OP_READ, most, 512, SPAN);
	ok(pattern_is(io->data, SPAN, 2), "its bytes");
	io_free(io);

	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_DISCARD, 512, SPAN)), 0, "a discard");
	covers(rec, ABUSE_OP_DISCARD, p.max_discard, 512, SPAN);
	recorder_forget(rec);
	is(recorder_end(rec, io_start(&d, IO_ZEROOUT, 512, SPAN)), 0, "a zero-out");
	covers(rec, ABUSE_OP_WRITE_ZEROES, p.max_write_zeroes, 512, SPAN);
	recorder_free(rec);
	is(device_remove(d.number), 0, "REMOVE");
}

int main(void)
{
	test_begin();
	store = memory_new(SIZE);
	try(4096);
	try(64 * KIB);
	try(ABUSE_MAX_REQUEST);
	return done();
}
