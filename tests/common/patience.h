/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * For tests of how long the driver waits for servers: a user's device, I/O that ends
 * at once or waits, and servers that are processes of their own.
 */
#ifndef TESTS_PATIENCE_H
#define TESTS_PATIENCE_H

#include "abuse.h"

#define USER	4242

/* Of an ordinary user, with so many requests, all of 4 KiB; set up by root, who may open its disk. */
static inline struct device users_device(unsigned int depth)
{
	struct abuse_add a = {
		.size = sizeof(a), .number = ABUSE_NUMBER_ANY, .depth = depth,
		.flags = ABUSE_ADD_OWNER, .owner = USER,
	};
	struct abuse_params p = params_of(64 * MIB);
	int ret = device_add(&a);
	struct device d;

	errno = -ret;
	need(!ret, "a user's device");
	d = device_of(a.number);
	need(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)),
	     "the nodes %s and %s", d.node, d.disk);
	p.logical_block_size = 4096;
	set_up_as(&d, &p);
	device_admit(&d);
	return d;
}

/*
 * Does a read end with EIO, and at once? One in three does even where the machine is slow,
 * and none if each waits for a time-out.
 */
static inline bool io_fails_at_once(const struct device *d)
{
	for (int i = 0; i < 3; i++) {
		double start = now();

		if (io_end(io_read(d, 0, 4096)) != EIO)
			return false;
		/* Less than any time-out of these tests. */
		if (now() - start < 0.9)
			return true;
	}
	return false;
}

/* Completes the requests that come within a moment with zeroes; true. */
static inline bool serve_some(int fd)
{
	struct abuse_request q;

	if (fetch(fd, &q, 1, NULL, 0, 10 * MSEC) == 1)
		reply_with(fd, q.id, 0, ABUSE_REPLY_ZERO, NULL);
	return true;
}

/* A read succeeds while fd serves; others may read the disk, too. */
static inline bool io_is_served(const struct device *d, int fd)
{
	struct io *io = io_read(d, 0, 4096);

	return wait_for(io->done || (serve_some(fd) && io->done)) && !io_end(io);
}

/* The same once a server that asks again and again has brought the device back. */
static inline bool io_is_served_again(const struct device *d, int fd)
{
	return wait_for(serve_some(fd) && io_is_served(d, fd));
}

/* Has it waited for so many seconds? */
static inline bool io_still_waits(const struct io *io, double seconds)
{
	return !wait_for_within(seconds, io->done);
}

/* ---- a server process that asks once, and stays ------------------------------------ */

struct asker {
	struct device device;
	bool by_get_bio;
	int fd;			/* -1: it opens its own */
	_Atomic bool has_asked;
	pid_t pid;
};

static inline int asker_main(void *arg)
{
	struct asker *asker = arg;
	struct abuse_request q;
	struct bio bio;
	int fd = asker->fd, ret;

	if (fd < 0)
		fd = server_open(&asker->device);
	if (asker->by_get_bio)
		ret = get_bio(fd, &bio);
	else
		ret = fetch(fd, &q, 1, NULL, 0, NO_WAIT);
	if (ret < 0 && ret != -ENOMSG)
		return 1;
	asker->has_asked = true;
	for (;;)
		pause();
}

/* fd: to use, which the child shares with this process; or -1. */
static inline struct asker *asker_start(const struct device *d, bool by_get_bio,
					int fd)
{
	struct asker *asker = memory_new(sizeof(*asker));

	asker->device = *d;
	asker->by_get_bio = by_get_bio;
	asker->fd = fd;
	asker->pid = child_start(asker_main, asker);
	need(wait_for(asker->has_asked), "a server to ask");
	return asker;
}

static inline void asker_kill(struct asker *asker)
{
	kill(asker->pid, SIGKILL);
	is(child_wait(asker->pid), 256 + SIGKILL, "a server is killed");
	munmap(asker, sizeof(*asker));
}

#endif /* TESTS_PATIENCE_H */
