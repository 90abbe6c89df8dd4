/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * With blocks of 512, 1024, 2048 and 4096 bytes, random direct and buffered writes of
 * whole and odd lengths read back as written, and every request is whole blocks.
 */
#include "recorder.h"

#define SIZE	(2 * MIB)
#define ROUNDS	60

static struct device d;
static unsigned char *shadow, *data;
static unsigned int block;
static int bad;

static unsigned int pick(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % below;
}

static int work(void *arg)
{
	int direct = open(d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	int plain = open(d.disk, O_RDWR | O_CLOEXEC);
	unsigned int seed = block;

	(void)arg;
	if (direct < 0 || plain < 0)
		return errno;
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = (1 + pick(&seed, 32)) * block;
		uint64_t at = pick(&seed, (SIZE - n) / block + 1) * (uint64_t)block;

		pattern_fill(data, n, i);
		memcpy(shadow + at, data, n);
		if (pwrite(direct, data, n, at) != (ssize_t)n)
			return errno;
		/* Any bytes: the page cache makes blocks of them. */
		n = 1 + pick(&seed, 5000);
		at = pick(&seed, SIZE - n);
		pattern_fill(data, n, i + 100);
		memcpy(shadow + at, data, n);
		if (pwrite(plain, data, n, at) != (ssize_t)n || fsync(plain))
			return errno;
		n = (1 + pick(&seed, 32)) * block;
		at = pick(&seed, (SIZE - n) / block + 1) * (uint64_t)block;
		if (pread(direct, data, n, at) != (ssize_t)n)
			return errno;
		bad += !!memcmp(data, shadow + at, n);
	}
	close(direct);
	close(plain);
	return 0;
}

int main(void)
{
	unsigned char *store;

	test_begin();
	store = memory_new(SIZE);
	shadow = memory_new(SIZE);
	data = memory_new(256 * KIB);
	for (block = 512; block <= 4096; block *= 2) {
		struct abuse_params p = params_of(SIZE);
		struct recorder *rec;
		struct job job;
		int odd = 0;

		d = device_new();
		p.logical_block_size = block;
		set_up_as(&d, &p);
		memset(store, 0, SIZE);
		memset(shadow, 0, SIZE);
		bad = 0;
		rec = recorder_new(&d, store, SIZE);
		job_start(&job, work, NULL);
		ok(recorder_serve(rec, &job.done), "blocks of %u: it ends", block);
		is(job_wait(&job, "the work"), 0, "I/O");
		is(bad, 0, "reads that gave other bytes");
		ok(!memcmp(store, shadow, SIZE), "the store is as it should be");
		for (unsigned int i = 0; i < rec->n; i++)
			odd += rec->seen[i].sector * 512 % block || rec->seen[i].length % block;
		is(odd, 0, "requests that are not whole blocks");
		recorder_free(rec);
		is(device_remove(d.number), 0, "REMOVE");
	}
	return done();
}
