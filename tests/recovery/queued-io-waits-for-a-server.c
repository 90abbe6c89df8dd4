/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * I/O on a device without a server waits; when the first server comes, at last, all
 * of it is done, with the right bytes.
 */
#include "recorder.h"

#define N	16
#define SIZE	(N * 128 * KIB)

int main(void)
{
	struct io *io[2 * N];
	unsigned char *store;
	struct device d;
	struct ram *ram;
	int early = 0;

	test_begin();
	store = memory_new(SIZE);
	d = device_new();
	set_up(&d, SIZE, ABUSE_F_WRITE_CACHE);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			pattern_fill(store + i * 128 * KIB + 64 * KIB, 4096, i + round);
			io[2 * i] = io_write(&d, i * 128 * KIB, 4096, 50 + i + round);
			io[2 * i + 1] = io_read(&d, i * 128 * KIB + 64 * KIB, 4096);
		}
		need(wait_for(attribute_number(&d, "queued") == 2 * N), "all are queued");
		/* Nothing may end them: there is no condition to wait for. */
		nap_ms(1000);
		for (int i = 0; i < 2 * N; i++)
			early += io[i]->done;
		is(early, 0, "I/Os that ended without a server");
		is(attribute_number(&d, "queued"), 2 * N, "queued");
		ok(attribute_number(&d, "oldest_ms") >= 1000, "the oldest waits for a second");
		ram = ram_start(&d, store, SIZE);
		for (int i = 0; i < N; i++) {
			is(io_end(io[2 * i]), 0, "a write");
			ok(pattern_is(store + i * 128 * KIB, 4096, 50 + i + round), "its bytes");
			is(io_wait(io[2 * i + 1]), 0, "a read");
			ok(pattern_is(io[2 * i + 1]->data, 4096, i + round), "its bytes");
			io_free(io[2 * i + 1]);
		}
		/* The next round: a server has been and gone. */
		ram_stop(ram);
	}
	is(attribute_number(&d, "errors"), 0, "errors");
	return done();
}
