// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Requests of every size, from a block to the largest, at the begin of the disk, at its end and across the borders of
 * chunks. A copy of two windows of the disk, its begin and its end, says which bytes must be there.
 */
#include "conform.h"

#include <errno.h>
#include <libabuse.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_SIZES	160
#define EACH		64		/* numbers of blocks up to this one are tried each */
#define BESIDE		4096		/* bytes that are read before and after a request */
#define CHUNK		(64 << 10)	/* of a disk that has none: many servers have pages of this size */
#define TAIL		(2ULL << 20)

struct window {
	uint64_t offset, length;
	char *bytes;
};

struct sizes {
	struct subject *subject;
	struct window windows[2];
	unsigned int nr_windows;
	uint64_t chunk, most;		/* bytes */
	uint64_t blocks[MOST_SIZES];	/* the sizes, in blocks */
	unsigned int nr;
	char *data;			/* room for the largest request, and what is beside it */
};

static bool transfer(const struct sizes *sizes, bool is_write, char *data, uint64_t offset, uint64_t length)
{
	int disk = sizes->subject->disk;
	ssize_t got = is_write ? pwrite(disk, data, length, (off_t)offset) : pread(disk, data, length, (off_t)offset);

	__atomic_add_fetch(&sizes->subject->moves, 1, __ATOMIC_RELAXED);
	return got == (ssize_t)length;
}

static void add_size(struct sizes *sizes, uint64_t blocks)
{
	if (blocks && blocks * sizes->subject->block <= sizes->most && sizes->nr < MOST_SIZES)
		sizes->blocks[sizes->nr++] = blocks;
}

/* Each number of blocks up to 64, then each power of two and its neighbours, and the largest. */
static void pick_sizes(struct sizes *sizes)
{
	struct abuse_params params = { 0 };
	uint64_t blocks;

	sizes->chunk = CHUNK;
	sizes->most = 1 << 20;
	if (abuse_ctl_get_params(sizes->subject->node, &params) >= 0 && params.max_request) {
		sizes->most = params.max_request;
		sizes->chunk = params.chunk ? params.chunk : CHUNK;
	}
	if (sizes->most > sizes->subject->size / 2)
		sizes->most = sizes->subject->size / 2 / sizes->subject->block * sizes->subject->block;
	for (blocks = 1; blocks <= EACH; blocks++)
		add_size(sizes, blocks);
	for (blocks = 2 * EACH; blocks * sizes->subject->block <= sizes->most; blocks *= 2) {
		add_size(sizes, blocks - 1);
		add_size(sizes, blocks);
		add_size(sizes, blocks + 1);
	}
	add_size(sizes, sizes->most / sizes->subject->block);
}

/* In turn the begin of a window, its end, and across a border of chunks. */
static uint64_t pick_place(const struct sizes *sizes, const struct window *window, unsigned int turn, uint64_t length)
{
	uint64_t room = window->length - length;
	uint64_t half = length / 2 / sizes->subject->block * sizes->subject->block;
	uint64_t border = sizes->chunk * (1 + turn % 7);

	if (turn % 3 == 0)
		return window->offset + room;
	if (turn % 3 == 1 || border < half || border - half > room)
		return window->offset;
	return window->offset + border - half;
}

static bool is_right(struct sizes *sizes, const struct window *window, uint64_t offset, uint64_t length)
{
	uint64_t before = offset - window->offset, after = window->length - before - length;

	before = before < BESIDE ? before : BESIDE;
	length += before + (after < BESIDE ? after : BESIDE);
	offset -= before;
	return transfer(sizes, false, sizes->data, offset, length) &&
	       !memcmp(sizes->data, window->bytes + (offset - window->offset), length);
}

static enum verdict try_one(struct sizes *sizes, const struct window *window, unsigned int turn, uint64_t length)
{
	uint64_t offset = pick_place(sizes, window, turn, length), i;
	char *bytes = window->bytes + (offset - window->offset);

	for (i = 0; i < length; i++)
		sizes->data[i] = (char)((offset + i) / 512 * 7 + turn * 31 + i % 251);
	memcpy(bytes, sizes->data, length);
	if (!transfer(sizes, true, sizes->data, offset, length))
		return say(sizes->subject, BROKEN, "a write of %llu bytes at byte %llu failed: %s",
			   (unsigned long long)length, (unsigned long long)offset, strerror(errno));
	if (!is_right(sizes, window, offset, length))
		return say(sizes->subject, BROKEN, "after a write of %llu bytes at byte %llu other bytes are there",
			   (unsigned long long)length, (unsigned long long)offset);
	return KEPT;
}

static enum verdict try_window(struct sizes *sizes, const struct window *window)
{
	enum verdict verdict = KEPT;
	unsigned int i;

	if (!transfer(sizes, false, window->bytes, window->offset, window->length))
		return say(sizes->subject, BROKEN, "%llu bytes at byte %llu cannot be read: %s",
			   (unsigned long long)window->length, (unsigned long long)window->offset, strerror(errno));
	for (i = 0; i < sizes->nr && verdict == KEPT; i++)
		if (sizes->blocks[i] * sizes->subject->block <= window->length)
			verdict = try_one(sizes, window, i, sizes->blocks[i] * sizes->subject->block);
	/* The end once more: the smaller ones were the first. */
	if (verdict == KEPT)
		verdict = try_one(sizes, window, 0, sizes->subject->block);
	return verdict;
}

static enum verdict try_windows(struct sizes *sizes)
{
	struct subject *subject = sizes->subject;
	enum verdict verdict = KEPT;
	unsigned int i;

	for (i = 0; i < sizes->nr_windows && verdict == KEPT; i++)
		verdict = try_window(sizes, &sizes->windows[i]);
	if (verdict != KEPT)
		return verdict;
	return say(subject, KEPT, "%llu bytes in blocks of %u; %u sizes of requests up to %llu, the first block and the last",
		   (unsigned long long)subject->whole_size, subject->block, sizes->nr, (unsigned long long)sizes->most);
}

/* Direct I/O wants aligned memory. */
static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + BESIDE - 1) / BESIDE * BESIDE;
}

enum verdict try_size(struct subject *subject)
{
	uint64_t tail = subject->whole_size - subject->size;
	struct sizes sizes = { .subject = subject };
	uint64_t length;
	enum verdict verdict;
	char *memory;

	tail = tail < TAIL ? tail : TAIL;
	pick_sizes(&sizes);
	length = whole_pages(subject->size) + whole_pages(tail) + whole_pages(sizes.most) + 2 * BESIDE;
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return say(subject, NOT_TRIED, "out of memory");
	sizes.windows[0] = (struct window){ 0, subject->size, memory };
	sizes.windows[1] = (struct window){ subject->whole_size - tail, tail, memory + whole_pages(subject->size) };
	sizes.nr_windows = tail ? 2 : 1;
	sizes.data = sizes.windows[1].bytes + whole_pages(tail);
	verdict = try_windows(&sizes);
	munmap(memory, length);
	return verdict;
}
