// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Reads and writes whose bytes are known: each block of 4096 bytes has its number and a version
 * in every word. Direct I/O, so that each one reaches the server. Knows no server.
 */
#include "conform.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK		4096
#define WORDS		(BLOCK / 8)
#define THREADS		4
#define MOST		64		/* blocks of one request */
#define ANYTHING	UINT32_MAX	/* version: not known, version 0 is zeroes */

struct worker {
	struct io *io;
	pthread_t thread;
	uint64_t first, nr, random;
	uint64_t *data;
};

struct io {
	struct subject *subject;
	uint64_t nr_blocks;
	uint32_t *versions;
	uint32_t next;
	struct worker workers[THREADS];
	bool is_over, may_fail;
	unsigned long done, wrong, failed;
	char trouble[160];
};

static uint64_t next_random(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

struct io *io_new(struct subject *subject)
{
	struct io *io = calloc(1, sizeof(*io));
	uint64_t i;

	if (!io)
		return NULL;
	io->subject = subject;
	io->nr_blocks = subject->size / BLOCK;
	io->versions = malloc(io->nr_blocks * sizeof(*io->versions));
	for (i = 0; io->versions && i < io->nr_blocks; i++)
		io->versions[i] = ANYTHING;
	for (i = 0; i < THREADS; i++) {
		struct worker *worker = &io->workers[i];

		*worker = (struct worker){
			.io = io, .first = i * (io->nr_blocks / THREADS),
			.nr = io->nr_blocks / THREADS, .random = subject->seed + i,
			.data = mmap(NULL, MOST * BLOCK, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		};
		if (!io->versions || worker->data == MAP_FAILED) {
			io_free(io);
			return NULL;
		}
	}
	return io;
}

void io_free(struct io *io)
{
	int i;

	for (i = 0; i < THREADS; i++)
		if (io->workers[i].data && io->workers[i].data != MAP_FAILED)
			munmap(io->workers[i].data, MOST * BLOCK);
	free(io->versions);
	free(io);
}

uint64_t io_blocks(const struct io *io)
{
	return io->nr_blocks;
}

const char *io_trouble(const struct io *io)
{
	return io->trouble;
}

static void note_move(struct io *io)
{
	__atomic_add_fetch(&io->subject->moves, 1, __ATOMIC_RELAXED);
}

/* The first is told. */
static void complain(struct io *io, const char *what, uint64_t block, int err)
{
	if (__atomic_fetch_add(&io->wrong, 1, __ATOMIC_RELAXED))
		return;
	snprintf(io->trouble, sizeof(io->trouble), "%s at byte %llu%s%s", what,
		 (unsigned long long)block * BLOCK, err ? ": " : "",
		 err ? strerror(err) : "");
}

static void complain_of_failure(struct io *io, const char *what, uint64_t block, int err)
{
	if (io->may_fail)
		__atomic_add_fetch(&io->failed, 1, __ATOMIC_RELAXED);
	else
		complain(io, what, block, err);
}

static void fill(uint64_t *words, uint64_t block, uint32_t version)
{
	int i;

	for (i = 0; i < WORDS; i++)
		words[i] = version ? block << 32 | version : 0;
}

static void write_some(struct worker *worker, uint64_t block, uint64_t nr)
{
	struct io *io = worker->io;
	uint32_t version = __atomic_add_fetch(&io->next, 1, __ATOMIC_RELAXED);
	ssize_t got;
	uint64_t i;

	for (i = 0; i < nr; i++)
		fill(worker->data + i * WORDS, block + i, version);
	got = pwrite(io->subject->disk, worker->data, nr * BLOCK, (off_t)(block * BLOCK));
	note_move(io);
	if (got != (ssize_t)(nr * BLOCK))
		complain_of_failure(io, "a write failed", block, got < 0 ? errno : 0);
	for (i = 0; i < nr; i++)
		io->versions[block + i] = got == (ssize_t)(nr * BLOCK) ? version : ANYTHING;
}

static void read_some(struct worker *worker, uint64_t block, uint64_t nr)
{
	struct io *io = worker->io;
	uint64_t wanted[WORDS], i;
	ssize_t got = pread(io->subject->disk, worker->data, nr * BLOCK, (off_t)(block * BLOCK));

	note_move(io);
	if (got != (ssize_t)(nr * BLOCK)) {
		complain_of_failure(io, "a read failed", block, got < 0 ? errno : 0);
		return;
	}
	for (i = 0; i < nr; i++) {
		if (io->versions[block + i] == ANYTHING)
			continue;
		fill(wanted, block + i, io->versions[block + i]);
		if (memcmp(wanted, worker->data + i * WORDS, BLOCK))
			complain(io, "other bytes than written were read", block + i, 0);
	}
}

/* Somewhere in its part, mostly short. */
static void one_request(struct worker *worker, bool may_read)
{
	uint64_t block = next_random(&worker->random) % worker->nr;
	uint64_t nr = 1 + next_random(&worker->random) % (next_random(&worker->random) % 4 ?
							  4 : MOST);

	if (nr > worker->nr - block)
		nr = worker->nr - block;
	block += worker->first;
	if (may_read && next_random(&worker->random) % 3 == 0)
		read_some(worker, block, nr);
	else
		write_some(worker, block, nr);
	__atomic_add_fetch(&worker->io->done, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!__atomic_load_n(&worker->io->is_over, __ATOMIC_RELAXED))
		one_request(worker, true);
	return NULL;
}

int io_start(struct io *io)
{
	int i, ret;

	io->is_over = false;
	for (i = 0; i < THREADS; i++) {
		ret = pthread_create(&io->workers[i].thread, NULL, work, &io->workers[i]);
		if (!ret)
			continue;
		__atomic_store_n(&io->is_over, true, __ATOMIC_RELAXED);
		while (i--)
			pthread_join(io->workers[i].thread, NULL);
		return -ret;
	}
	return 0;
}

unsigned long io_done(const struct io *io)
{
	return __atomic_load_n(&io->done, __ATOMIC_RELAXED);
}

unsigned long io_stop(struct io *io)
{
	int i;

	__atomic_store_n(&io->is_over, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(io->workers[i].thread, NULL);
	return io->wrong;
}

unsigned long io_write(struct io *io, unsigned int nr)
{
	while (nr--)
		one_request(&io->workers[nr % THREADS], false);
	return io->wrong;
}

unsigned long io_verify(struct io *io)
{
	uint64_t block, nr;

	for (block = 0; block < io->nr_blocks; block += nr) {
		nr = io->nr_blocks - block < MOST ? io->nr_blocks - block : MOST;
		read_some(&io->workers[0], block, nr);
	}
	return io->wrong;
}

void io_forget(struct io *io, uint64_t first, uint64_t nr, bool is_known)
{
	uint64_t i;

	for (i = first; i < first + nr; i++)
		io->versions[i] = is_known ? 0 : ANYTHING;
}

uint32_t io_mark(const struct io *io)
{
	return io->next;
}

void io_forget_since(struct io *io, uint32_t mark)
{
	uint64_t i;

	for (i = 0; i < io->nr_blocks; i++)
		if (io->versions[i] > mark)
			io->versions[i] = ANYTHING;
}

void io_let_fail(struct io *io, bool may_fail)
{
	io->may_fail = may_fail;
	io->failed = 0;
}

unsigned long io_failed(const struct io *io)
{
	return io->failed;
}

unsigned long io_verify_known(struct io *io)
{
	uint64_t block, nr;

	for (block = 0; block < io->nr_blocks; block += nr ? nr : 1) {
		for (nr = 0; nr < MOST && block + nr < io->nr_blocks && io->versions[block + nr] != ANYTHING; nr++)
			;
		if (nr)
			read_some(&io->workers[0], block, nr);
	}
	return io->wrong;
}
