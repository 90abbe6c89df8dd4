/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A mapped file whose file system asks somebody whether its cached pages are valid still, as
 * FUSE does, is read by workers alone: bytes that changed behind the cache reach the disk.
 */
#include "fuse.h"
#include "map.h"

#define SIZE	(64 * KIB)

static struct device dev;
static unsigned char *store;
static _Atomic unsigned int nr_reads;

static void answer_read(const struct fuse_in_header *in, const struct fuse_read_in *asked)
{
	uint64_t left = asked->offset < SIZE ? SIZE - asked->offset : 0;

	nr_reads++;
	fuse_answer(in, 0, store + asked->offset, asked->size < left ? asked->size : left);
}

static int open_cached(void)
{
	pthread_t thread;
	int fd;

	store = memory_new(SIZE);
	fuse = (struct fuse) {
		.folder = "/tmp/cached", .size = SIZE, .mode = 0600, .read = answer_read,
		.init_flags = FUSE_AUTO_INVAL_DATA, .asks_first = true,
	};
	if (!fuse_mount(""))
		skip("no FUSE in this kernel");
	need(!pthread_create(&thread, NULL, fuse_main, NULL), "a thread");
	pthread_detach(thread);
	fd = open("/tmp/cached/file", O_RDONLY | O_CLOEXEC);
	need(fd >= 0, "a file there");
	return fd;
}

static void reads(unsigned int seed, const char *what)
{
	struct io *io = io_read(&dev, 0, 4096);

	is(io_wait(io), 0, what);
	ok(pattern_is(io->data, 4096, seed), "has the bytes that the file has");
	io_free(io);
}

int main(void)
{
	unsigned int asked;
	int ctl, file;

	test_begin();
	file = open_cached();
	dev = device_new();
	set_up(&dev, SIZE, 0);
	ctl = server_open(&dev);
	is(map_bytes(ctl, registered(ctl, file), 0, SIZE, MAP_R), 0, "MAP");

	pattern_fill(store, SIZE, 1);
	reads(1, "a read");
	asked = nr_reads;
	ok(asked, "the FUSE server was asked for the bytes");
	reads(1, "the same again");
	is(nr_reads, asked, "reads that the server was asked for, as the cache has the bytes");
	for (unsigned int seed = 2; seed < 5; seed++) {
		pattern_fill(store, SIZE, seed);
		fuse.mtime++;
		nap_ms(50);
		reads(seed, "a read after the bytes changed behind the cache");
	}
	hits_are(&dev, 0, 5, 0, "reads");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	close(file);
	return done();
}
