/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A cow: disk whose DELTA cannot be synced: the next server has what was flushed before and
 * otherwise the base, and makes nothing else durable; that one is trusted again. It is let in
 * when the one that failed has ended, and not while that reads what it has written. A
 * sync that is interrupted by a signal is none that failed. It is the same if the first sync of a flush,
 * that of the data, succeeds, and the one of the map fails: it may be for what another wrote in between.
 */
/* cflags: -lz */
#include "test.h"

static int failures, failure;
static void (*after_one)(void);		/* that succeeds, then */

static int failing_fdatasync(int fd)
{
	void (*next)(void) = after_one;

	if (next) {
		after_one = NULL;
		next();
		return fdatasync(fd);
	}
	if (failures) {
		failures--;
		errno = failure;
		return -1;
	}
	return fdatasync(fd);
}

#define fdatasync failing_fdatasync
#include "cow.h"

#define CHUNKS	4
#define SIZE	(CHUNKS * COW_CHUNK)

static unsigned char bytes[SECTOR];

static int put(struct cow *cow, uint64_t chunk, int byte)
{
	memset(bytes, byte, SECTOR);
	return cow_do(cow, ABUSE_OP_WRITE, 0, chunk * COW_CHUNK, SECTOR, bytes);
}

static int get(struct cow *cow, uint64_t chunk)
{
	if (cow_do(cow, ABUSE_OP_READ, 0, chunk * COW_CHUNK, SECTOR, bytes))
		fail("reading");
	return bytes[0];
}

static int flush(struct cow *cow)
{
	return cow_do(cow, ABUSE_OP_FLUSH, 0, 0, 0, NULL);
}

static struct cow *server(void)
{
	struct cow *cow = cow_server(SIZE, false);

	must(cow, "a server");
	return cow;
}

static struct cow *other;

static void the_other_writes(void)
{
	is(put(other, 3, '3'), 0, "a write of the other in the middle of a flush");
	failures = 1;
}

int main(void)
{
	static unsigned char base[SIZE];
	struct cow *cow;

	memset(base, 'b', sizeof(base));
	cow_begin(base, sizeof(base));
	cow = server();
	is(put(cow, 0, '0'), 0, "a write");
	failures = 2;
	failure = EINTR;
	is(flush(cow), 0, "a flush that is interrupted twice");
	is(failures, 0, "as it was");

	is(put(cow, 1, '1'), 0, "another write");
	failures = 1;
	failure = EIO;
	is(flush(cow), -EIO, "a flush that fails");
	is(flush(cow), -EIO, "and all that come");
	ok(!cow_server(SIZE, false), "no other server takes that away from it");
	is(get(cow, 1), '1', "which reads what it wrote");
	cow_abandon(cow);
	other = server();
	is(get(other, 0), '0', "the next server has what was flushed");
	is(get(other, 1), 'b', "what was not is the base's");
	is(put(other, 2, '2'), 0, "a write");
	cow = server();
	is(get(cow, 2), '2', "what the other wrote is trusted");
	is(flush(other), 0, "its flush");
	is(cow_map_is_durable(&other->map), true, "is of all it has");
	must(!store_read(other->delta.fd, bytes, COW_DURABLE, 1), "the durable map");
	is(bytes[0], 5, "which is the first chunk and the third");

	is(put(cow, 1, '1'), 0, "a write");
	after_one = the_other_writes;
	is(flush(cow), -EIO, "a flush whose second sync fails");
	cow_abandon(cow);
	cow_abandon(other);
	other = server();
	is(get(other, 2), '2', "the next server has what was flushed");
	is(get(other, 3), 'b', "what the other wrote meanwhile is the base's");
	cow_abandon(other);
	return done();
}
