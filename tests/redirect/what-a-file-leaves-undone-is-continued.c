/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A file that reads or writes less than it was asked to, by any number of bytes, is asked for
 * the rest until all is done, each byte at its place: at once, and as direct I/O that ends
 * later. Where it moves nothing more, as at its end, that is EIO.
 */
/* timeout: 120 */
#include "redirect.h"
#include "fuse.h"

#define SIZE	(1 * MIB)
#define END	(SIZE - 64 * KIB)	/* the file says that it goes on to SIZE */
#define FOLDER	"/tmp/short"

static struct device d;

/* ---- a file system with one file, which never does all ----------------------------- */

static unsigned char *store;
static uint64_t unit;			/* moved are multiples of it */
static _Atomic unsigned int nr_short;

static size_t part_of(uint64_t offset, size_t size)
{
	size_t left = offset < END ? END - offset : 0, units;

	size = size < left ? size : left;
	units = size / unit;
	if (units < 2)
		return size;
	nr_short++;
	return unit * (1 + offset / unit * 7919 % (units - 1));
}

static void answer_read(const struct fuse_in_header *in, const struct fuse_read_in *asked)
{
	fuse_answer(in, 0, store + asked->offset, part_of(asked->offset, asked->size));
}

static void answer_write(const struct fuse_in_header *in, const struct fuse_write_in *asked)
{
	struct fuse_write_out out = { .size = part_of(asked->offset, asked->size) };

	memcpy(store + asked->offset, asked + 1, out.size);
	fuse_answer(in, 0, &out, sizeof(out));
}

static void mount_it(void)
{
	pthread_t thread;

	store = memory_new(SIZE);
	fuse = (struct fuse) {
		.folder = FOLDER, .size = SIZE, .mode = 0600, .open_flags = FOPEN_DIRECT_IO,
		.read = answer_read, .write = answer_write,
	};
	if (!fuse_mount(""))
		skip("no FUSE in this kernel");
	need(!pthread_create(&thread, NULL, fuse_main, NULL), "a thread");
	pthread_detach(thread);
}

/* ---- redirected to that file ------------------------------------------------------- */

static void read_at(uint64_t offset, size_t length, unsigned int seed)
{
	struct io *io;

	pattern_fill(store + offset, length, seed);
	io = io_read(&d, offset, length);
	is(io_wait(io), 0, "a read");
	ok(pattern_is(io->data, length, seed), "%zu bytes at %llu", length,
	   (unsigned long long)offset);
	io_free(io);
}

static void all_sizes(void (*move_at)(uint64_t offset, size_t length, unsigned int seed))
{
	move_at(0, 512, 1);
	move_at(512, 4096, 2);
	move_at(8192, 64 * KIB, 3);
	move_at(96 * KIB + 512, 333 * 512, 4);
	move_at(0, 512 * KIB, 5);
}

static void read_all_kinds(void)
{
	all_sizes(read_at);
	is(io_end(io_read(&d, END - 4096, 4096)), 0, "a read up to its end");
	is(io_end(io_read(&d, END - 4096, 8192)), EIO, "one across it");
	is(io_end(io_read(&d, END, 4096)), EIO, "one behind it");
}

static void write_at(uint64_t offset, size_t length, unsigned int seed)
{
	is(io_end(io_write(&d, offset, length, seed)), 0, "a write");
	ok(pattern_is(store + offset, length, seed), "%zu bytes at %llu", length,
	   (unsigned long long)offset);
}

/* Through the page cache: requests of many bios. */
static void write_back(uint64_t offset, size_t length)
{
	struct io *io = io_prepare(&d, IO_WRITE, offset, length);

	io->open_flags = O_RDWR;
	pattern_fill(io->data, io->length, 77);
	is(io_end(io_go(io)), 0, "a buffered write");
	is(io_end(io_go(io_prepare(&d, IO_FSYNC, 0, 0))), 0, "fsync");
	ok(pattern_is(store + offset, length, 77), "is in the file");
}

static void write_all_kinds(void)
{
	memset(store, 0xee, SIZE);
	all_sizes(write_at);
	write_back(512 * KIB, 256 * KIB);
	is(io_end(io_write(&d, END - 4096, 8192, 9)), EIO, "one that is not taken whole");
	is(io_end(io_write(&d, END, 4096, 9)), EIO, "one of which nothing is taken");
	ok(bytes_are(store + END, SIZE - END, 0xee), "nothing is written where it ends");
}

static void run(int flags, uint64_t of)
{
	int file = open(FOLDER "/file", O_RDWR | O_CLOEXEC | flags), ctl;
	struct redirector *r;

	need(file >= 0, "the file");
	unit = of;
	nr_short = 0;
	memset(store, 0xee, SIZE);
	d = device_new();
	set_up(&d, SIZE, 0);
	r = redirector_start(&d, file, 0);
	read_all_kinds();
	/* FUSE itself makes EIO of one that ends later and is short. */
	if (!flags)
		write_all_kinds();
	printf("# flags %#x, multiples of %llu: %u times short\n", flags,
	       (unsigned long long)of, nr_short);
	ok(nr_short > 20, "the file was short often enough");
	redirector_stop(r);
	close(file);
	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	close(ctl);
}

int main(void)
{
	test_begin();
	mount_it();
	run(0, 1);
	run(O_DIRECT, 1);
	run(O_DIRECT, 512);
	return done();
}
