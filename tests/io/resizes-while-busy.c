/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * While readers and writers keep a device busy it grows and shrinks, with requests
 * queued and held: I/O below the smallest size never fails, I/O beyond the end
 * does and never hangs, and no byte is lost.
 */
/* timeout: 90 */
#include "recorder.h"

#define SMALL	(4 * MIB)
#define LARGE	(12 * MIB)
#define THREADS	4
#define BLOCK	16384
#define ROUNDS	200

static struct device d;
static unsigned char *store;
static _Atomic bool stop;
static _Atomic unsigned int below, beyond, beyond_failed, other;

/* Thread i owns the blocks whose number is i modulo THREADS. */
static int work(void *arg)
{
	unsigned int me = (uintptr_t)arg, round = 0;
	unsigned char *data = memory_new(BLOCK), *want = memory_new(BLOCK);
	int fd = open(d.disk, O_RDWR | O_DIRECT | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return errno;
	while (!stop && !ret) {
		uint64_t at = (uint64_t)(me + THREADS * (round % 40)) * BLOCK;
		ssize_t n;

		round++;
		pattern_fill(want, BLOCK, me + round);
		memcpy(data, want, BLOCK);
		if (pwrite(fd, data, BLOCK, at) != BLOCK) {
			ret = errno ? errno : EPROTO;
			break;
		}
		memset(data, 0, BLOCK);
		if (pread(fd, data, BLOCK, at) != BLOCK) {
			ret = errno ? errno : EPROTO;
			break;
		}
		if (memcmp(data, want, BLOCK))
			ret = EBADMSG;
		below++;

		n = pwrite(fd, want, BLOCK, SMALL + at);
		beyond++;
		if (n == BLOCK)
			continue;
		beyond_failed++;
		if (n >= 0 || (errno != EIO && errno != ENOSPC))
			other++;
	}
	close(fd);
	munmap(data, BLOCK);
	munmap(want, BLOCK);
	return ret;
}

static int resize(int fd, uint64_t size)
{
	struct abuse_params p = params_of(size);

	return set_params(fd, &p);
}

int main(void)
{
	struct ram *ram[2];
	struct job job[THREADS];
	unsigned int rounds = 0, seen;
	int fd, bad = 0;
	double end;

	test_begin();
	store = memory_new(LARGE);
	d = device_new();
	set_up(&d, LARGE, 0);
	fd = server_open(&d);
	ram[0] = ram_start(&d, store, LARGE);
	ram[1] = ram_start(&d, store, LARGE);
	for (uintptr_t i = 0; i < THREADS; i++)
		job_start(&job[i], work, (void *)i);
	end = now() + 15 * stretched(1);
	while (rounds < ROUNDS && now() < end) {
		bad += resize(fd, rounds % 2 ? LARGE : SMALL) != 0;
		bad += disk_size(&d) != (rounds % 2 ? LARGE : SMALL);
		seen = below;
		need(wait_for(below >= seen + 2), "I/O to go on");
		rounds++;
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		is(job_wait(&job[i], "a thread"), 0, "I/O below the smallest size");
	printf("# %u resizes, %u I/Os below, %u beyond of which %u failed\n", rounds,
	       below, beyond, beyond_failed);
	ok(rounds >= 10, "%u resizes", rounds);
	is(bad, 0, "resizes refused or not seen");
	ok(beyond_failed > 0 && beyond_failed < beyond, "I/O beyond: some fail, some do not");
	is(other, 0, "I/Os beyond that failed in another way");
	ram_stop(ram[0]);
	ram_stop(ram[1]);

	/* Requests beyond a new end fail with EIO, those below it stay queued. */
	is(resize(fd, LARGE), 0, "resize");
	{
		struct io *low = io_write(&d, 0, 4096, 1);
		struct io *high = io_write(&d, SMALL, 4096, 2);

		need(wait_for(attribute_number(&d, "queued") == 2), "two queued requests");
		is(resize(fd, SMALL), 0, "resize below one of them");
		is(io_end(high), EIO, "the one beyond");
		ok(!low->done, "the one below still waits");
		ram[0] = ram_start(&d, store, LARGE);
		is(io_end(low), 0, "the one below");
		ram_stop(ram[0]);
	}
	return done();
}
