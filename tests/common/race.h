/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * For tests that race answers against something else for a while: threads that do
 * I/O and check every byte that they may rely on, servers of each kind that come
 * and go, counters. The test itself loops over what it races with.
 */
#ifndef TESTS_RACE_H
#define TESTS_RACE_H

#include "recorder.h"

#define RACE_SIZE	(4 * MIB)
#define RACE_WRITERS	4
#define RACE_BLOCK	4096
#define RACE_BLOCKS	16		/* of each writer */

struct race {
	struct device d;
	unsigned char *store;
	bool errors_allowed;		/* I/O may fail: with EIO, or with ENXIO at open */
	uint64_t begin;			/* where the writers' blocks begin */
	_Atomic bool stop;
	_Atomic unsigned long good, failed, answered, stale, refused;
	_Atomic int wrong;		/* unexpected errors, wrong bytes */
	unsigned int nr_jobs;
	struct job job[32];
	struct race_writer {
		struct race *race;
		unsigned int number;
	} writer[RACE_WRITERS];
};

static inline bool race_may_fail(const struct race *r, int error)
{
	return r->errors_allowed &&
	       (error == EIO || error == ENXIO || error == ENOSPC || error == ENODEV ||
		error == ENOENT || error == EPROTO || error == EBADMSG);
}

static inline void race_note(struct race *r, int error, const char *what)
{
	if (!error) {
		r->good++;
	} else if (race_may_fail(r, error) && error != EBADMSG) {
		r->failed++;
	} else if (r->wrong++ < 10) {
		printf("# %s: %s\n", what, strerror(error));
	}
}

static inline uint64_t race_place(const struct race_writer *w, unsigned int block)
{
	return w->race->begin + ((uint64_t)block * RACE_WRITERS + w->number) * RACE_BLOCK;
}

/* Writes a block, reads one back whose bytes are known. Opens anew now and then. */
static inline int race_writer_main(void *arg)
{
	struct race_writer *w = arg;
	struct race *r = w->race;
	unsigned char *data = memory_new(RACE_BLOCK), *want = memory_new(RACE_BLOCK);
	int seed[RACE_BLOCKS], fd = -1;
	unsigned int i = w->number;

	memset(seed, -1, sizeof(seed));		/* unknown */
	for (; !r->stop; i++) {
		unsigned int b = i % RACE_BLOCKS;
		uint64_t at = race_place(w, b);
		ssize_t n;

		if (fd < 0)
			fd = open(r->d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (fd < 0) {
			race_note(r, errno, "open");
			nap_ms(1);
			continue;
		}
		pattern_fill(data, RACE_BLOCK, i);
		n = pwrite(fd, data, RACE_BLOCK, at);
		race_note(r, n == RACE_BLOCK ? 0 : n < 0 ? errno : EPROTO, "write");
		seed[b] = n == RACE_BLOCK ? (int)i : -1;

		b = (i * 7 + 3) % RACE_BLOCKS;
		at = race_place(w, b);
		n = pread(fd, data, RACE_BLOCK, at);
		race_note(r, n == RACE_BLOCK ? 0 : n < 0 ? errno : EPROTO, "read");
		if (n == RACE_BLOCK && seed[b] >= 0 &&
		    !pattern_is(data, RACE_BLOCK, seed[b])) {
			if (r->wrong++ < 10)
				printf("# block %u of writer %u has other bytes\n", b,
				       w->number);
		}
		if (n != RACE_BLOCK || i % 64 == 0) {
			close(fd);
			fd = -1;
		}
		if (n != RACE_BLOCK)
			nap_ms(1);	/* leave the processor to the race */
	}
	if (fd >= 0)
		close(fd);
	munmap(data, RACE_BLOCK);
	munmap(want, RACE_BLOCK);
	return 0;
}

/*
 * So many batches, answered as a server should, the last one only if that is asked
 * for. -errno: of an exchange that ends its service.
 */
static inline int race_serve(struct race *r, int fd, void *buffer,
			     unsigned int batches, bool last)
{
	struct abuse_request q[8];
	struct abuse_reply a[8];
	struct ram ram = { .store = r->store, .size = RACE_SIZE, .buffer = buffer };
	int n = 0, got;

	do {
		got = exchange_both(fd, a, n, q, 8, buffer, RAM_BUFFER, 2 * MSEC);
		if (got < 0)
			return got;
		for (int i = 0; i < n; i++) {
			if (!a[i].status)
				r->answered++;
			else if (a[i].status == ESTALE)
				r->stale++;
			else
				r->wrong++;
		}
		for (n = 0; n < got; n++)
			ram_answer(&ram, &q[n], &a[n]);
	} while (--batches);
	if (last && n)
		got = exchange_both(fd, a, n, NULL, 0, NULL, 0, NO_WAIT);
	return got < 0 ? got : 0;
}

/* Serves on, whatever the device does meanwhile. */
static inline int race_server_main(void *arg)
{
	struct race *r = arg;
	void *buffer = memory_new(RAM_BUFFER);
	int fd = -1, ret;

	while (!r->stop) {
		if (fd < 0)
			fd = open(r->d.node, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			nap_ms(1);
			continue;
		}
		ret = race_serve(r, fd, buffer, 20, true);
		if (ret >= 0)
			continue;
		if (ret != -ENXIO && ret != -ENODEV && ret != -EINTR)
			race_note(r, -ret, "exchange");
		if (ret == -ENODEV) {
			close(fd);
			fd = -1;
		}
		nap_ms(1);
	}
	if (fd >= 0)
		close(fd);
	munmap(buffer, RAM_BUFFER);
	return 0;
}

/* Fetches, answers some, closes over the rest. */
static inline int race_quitter_main(void *arg)
{
	struct race *r = arg;
	void *buffer = memory_new(RAM_BUFFER);

	while (!r->stop) {
		int fd = open(r->d.node, O_RDWR | O_CLOEXEC);
		int ret = fd < 0 ? -errno : race_serve(r, fd, buffer, 2, false);

		if (ret < 0 && ret != -ENXIO && ret != -ENODEV && ret != -ENOENT &&
		    ret != -EINTR)
			race_note(r, -ret, "exchange");
		if (fd >= 0)
			close(fd);
		if (ret < 0)
			nap_ms(1);
	}
	munmap(buffer, RAM_BUFFER);
	return 0;
}

/* As in 2009: gets, and puts with its memory in the shared store. */
static inline int race_bio_main(void *arg)
{
	struct race *r = arg;
	struct bio bio;
	int fd = -1, ret;

	while (!r->stop) {
		if (fd < 0)
			fd = open(r->d.node, O_RDWR | O_CLOEXEC);
		ret = fd < 0 ? -ENODEV : get_bio(fd, &bio);
		if (!ret && bio.hdr.ab_sector * 512 + bio_length(&bio) <= RACE_SIZE) {
			bio_point(&bio, r->store + bio.hdr.ab_sector * 512);
			ret = put_bio(fd, &bio, 0);
			if (!ret)
				r->answered++;
			else if (ret == -ENOMSG || ret == -EBUSY || ret == -EINVAL)
				r->stale++;
		}
		if (ret == -ENODEV && fd >= 0) {
			close(fd);
			fd = -1;
		}
		if (ret == -ENOMSG || ret == -ENODEV)
			nap_ms(1);
		else if (ret && ret != -EBUSY && ret != -EINVAL)
			race_note(r, -ret, "GET_BIO or PUT_BIO");
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static inline void race_job(struct race *r, int (*fn)(void *), void *arg)
{
	job_start(&r->job[r->nr_jobs++], fn, arg);
}

static inline struct race *race_new(struct device d, bool errors_allowed)
{
	struct race *r = memory_new(sizeof(*r));

	r->d = d;
	r->store = memory_new(RACE_SIZE);
	r->errors_allowed = errors_allowed;
	return r;
}

static inline void race_writers(struct race *r)
{
	for (unsigned int i = 0; i < RACE_WRITERS; i++) {
		r->writer[i] = (struct race_writer){ r, i };
		race_job(r, race_writer_main, &r->writer[i]);
	}
}

/* 20, or RACE_SECONDS of the environment. */
static inline double race_seconds(void)
{
	const char *text = getenv("RACE_SECONDS");

	return text ? atof(text) : 20;
}

#define RACE_ROUNDS	20	/* at least: a busy machine needs longer for them */

/* True until its time is over and it was gone through so often. */
static inline bool race_goes_on(const struct race *r, double begin, unsigned long rounds)
{
	return (now() - begin < race_seconds() || rounds < RACE_ROUNDS) && r->wrong < 10;
}

/* Everybody ends, writers first; nothing may be left over. */
static inline void race_end(struct race *r, const char *what,
			    unsigned long iterations)
{
	struct ram *ram = NULL;
	unsigned int i;

	r->stop = true;
	if (!strcmp(attribute(&r->d, "state"), "up"))
		ram = ram_start(&r->d, r->store, RACE_SIZE);
	for (i = 0; i < r->nr_jobs; i++)
		job_wait(&r->job[i], "a thread of the race");
	/* udev reads a disk that it trusts, too: it is done before the server is. */
	ok(wait_for(!attribute_number(&r->d, "queued") &&
		    !attribute_number(&r->d, "held")), "nothing is left over");
	if (ram)
		ram_stop(ram);
	printf("# %lu times %s; %lu I/Os succeeded, %lu failed; %lu answers taken, %lu stale\n",
	       iterations, what, r->good, r->failed, r->answered, r->stale);
	is(r->wrong, 0, "wrong bytes and unexpected errors");
	if (!r->errors_allowed)
		is(r->failed, 0, "failed I/Os");
	ok(r->good > 0, "some I/O succeeded");
	ok(iterations >= RACE_ROUNDS, "%s often enough (%lu)", what, iterations);
}

#endif /* TESTS_RACE_H */
