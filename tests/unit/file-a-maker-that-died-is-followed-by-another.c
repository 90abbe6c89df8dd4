/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * file: makes what is not there, and finishes what a maker has left that died before the
 * file had its length; not while the device is up, and nothing that has any bytes.
 * Where part of a sector cannot be discarded that is said, and zeroes are written.
 */
/* cflags: -lz */
#include "test.h"

#include <fcntl.h>

static bool has_large_sectors;

static int sector_fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (!has_large_sectors || !((offset | length) % 4096))
		return fallocate(fd, mode, offset, length);
	errno = EINVAL;
	return -1;
}

#define fallocate sector_fallocate
#include "cow.h"
#include "../../utils/abusectl/backends/file.c"

#define SIZE	65536

/* Opens the file @size bytes long, as keys say; how long it is after, or -1: refused. */
static long long try_with(uint64_t size, bool is_up, bool read_only)
{
	struct abuse_params params = { 0 };
	struct target target = {
		.size = size, .is_up = is_up, .read_only = read_only, .params = &params,
	};
	struct stat st;
	void *store;

	if (backend_file.open(&target, cow_delta, &store))
		return -1;
	backend_file.close(store, false);
	return stat(cow_delta, &st) ? -2 : st.st_size;
}

static void leave(const char *bytes)
{
	int fd = open(cow_delta, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes), "a file");
	close(fd);
}

static void making(void)
{
	is(try_with(0, false, false), -1, "none is made without size=");
	is(access(cow_delta, F_OK), -1, "nothing is left of that");
	is(try_with(SIZE, true, false), -1, "nor while the device is up");
	is(try_with(SIZE, false, false), SIZE, "one is made");
	is(try_with(SIZE, false, false), SIZE, "and found again");
	is(try_with(0, true, false), SIZE, "of any size");

	leave("");
	is(try_with(SIZE, false, false), SIZE, "an empty one is finished");
	leave("");
	is(try_with(SIZE, false, true), SIZE, "a read-only one, too");
	leave("");
	is(try_with(SIZE, true, false), -1, "not while the device is up");
	leave("a text");
	is(try_with(SIZE, false, false), -1, "what has bytes is left alone");
	is(try_with(0, false, false), 6, "as it is");
}

static void sectors(void)
{
	static char bytes[8192], zeroes[512];
	int fd = open(cow_delta, O_RDWR);

	memset(bytes, 'x', sizeof(bytes));
	must(!store_write(fd, bytes, 0, sizeof(bytes)), "bytes");
	has_large_sectors = true;
	is(store_punch(fd, 512, 512), -EOPNOTSUPP, "a discard of part of a sector");
	is(store_clear(fd, 512, 512, true), 0, "zeroes there");
	is(store_clear(fd, 4096, 4096, false), 0, "or in a whole one");
	must(!store_read(fd, bytes, 0, sizeof(bytes)), "what is there now");
	ok(!memcmp(bytes + 512, zeroes, 512), "zeroes");
	ok(bytes[511] == 'x' && bytes[1024] == 'x', "and around them what was");
	close(fd);
}

int main(void)
{
	cow_begin("", 0);
	making();
	sectors();
	return done();
}
