/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Each request that a server redirects is done on the file, at the offset that it named, and on
 * no other byte: buffered and direct, aligned or not, requests of one bio and of many;
 * FLUSH, FUA, DISCARD and WRITE_ZEROES too.
 */
/* timeout: 120 */
#include "redirect.h"

#define SIZE	(8 * MIB)
#define FEATURES (ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD | \
		  ABUSE_F_WRITE_ZEROES)

static struct device d;

static void write_and_read(int file, uint64_t base)
{
	static const struct { uint64_t offset; size_t length; } places[] = {
		{ 0, 512 }, { 512, 4096 }, { 8192, 4096 }, { 3 * 512, 64 * KIB },
		{ MIB, MIB }, { SIZE - 4096, 4096 }, { 3 * MIB + 512, 333 * 512 },
	};
	struct io *io;

	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++) {
		uint64_t offset = places[i].offset;
		size_t length = places[i].length;

		is(io_end(io_write(&d, offset, length, 10 + i)), 0, "a write");
		ok(file_has(file, base + offset, length, 10 + i), "%zu bytes at %llu",
		   length, (unsigned long long)offset);
		io = io_read(&d, offset, length);
		is(io_wait(io), 0, "a read");
		ok(pattern_is(io->data, length, 10 + i), "gives them back");
		io_free(io);
	}
}

/* Through the page cache: many pages, merged into requests of many segments and bios. */
static void write_back(int file, uint64_t base)
{
	struct io *io = io_prepare(&d, IO_WRITE, 4 * MIB, 2 * MIB);

	io->open_flags = O_RDWR;
	pattern_fill(io->data, io->length, 77);
	is(io_end(io_go(io)), 0, "a buffered write");
	is(io_end(io_go(io_prepare(&d, IO_FSYNC, 0, 0))), 0, "fsync");
	ok(file_has(file, base + 4 * MIB, 2 * MIB, 77), "is in the file");
}

static void shape(int file, uint64_t base, struct redirector *r)
{
	unsigned int fua = r->fua;
	struct io *io = io_prepare(&d, IO_WRITE, 6 * MIB, 128 * KIB);
	pattern_fill(io->data, io->length, 5);
	io->pwrite_flags = RWF_DSYNC;
	is(io_end(io_go(io)), 0, "a write with FUA");
	ok(r->fua > fua, "the server saw it as such");
	is(io_end(io_start(&d, IO_DISCARD, 6 * MIB, 64 * KIB)), 0, "a discard");
	ok(file_has(file, base + 6 * MIB, 64 * KIB, 0), "made a hole");
	ok(r->ops[ABUSE_OP_DISCARD] > 0, "at the server's word");
	ok(!file_has(file, base + 6 * MIB + 64 * KIB, 4096, 0), "of just that length");
	is(io_end(io_start(&d, IO_ZEROOUT, 6 * MIB + 64 * KIB, 64 * KIB)), 0,
	   "BLKZEROOUT");
	ok(file_has(file, base + 6 * MIB + 64 * KIB, 64 * KIB, 0), "zeroes");
	ok(r->ops[ABUSE_OP_WRITE_ZEROES] > 0, "as one request");
	ok(r->ops[ABUSE_OP_FLUSH] > 0, "flushes went there");
}

static void run(const char *folder, int flags, uint64_t base)
{
	int file = file_new(folder, base + SIZE + 64 * KIB, 3, O_RDWR | flags);
	struct redirector *r;
	int ctl;

	printf("# %s, flags %#x, from %llu on\n", folder, flags, (unsigned long long)base);
	d = device_new();
	set_up(&d, SIZE, FEATURES);
	r = redirector_start(&d, file, base);
	write_and_read(file, base);
	write_back(file, base);
	shape(file, base, r);
	ok(!base || file_has(file, 0, base < 512 ? base : 512, 3),
	   "what comes before the disk is as it was");
	is(attribute_number(&d, "redirected"), 0, "nothing is with the file any more");
	/* tmpfs cannot zero without a hole, which BLKZEROOUT asks for first. */
	ok(attribute_number(&d, "errors") <= 1, "no error else");
	redirector_stop(r);
	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	close(ctl);
	close(file);
}

int main(void)
{
	test_begin();
	run("/dev/shm", 0, 0);
	run("/dev/shm", 0, 4096 + 17);
	run("/var/tmp", 0, 64 * KIB);
	run("/var/tmp", O_DIRECT, 0);
	run("/var/tmp", O_DIRECT, 4096 + 1);
	return done();
}
