/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A FLUSH syncs the files that took WRITEs by the map, mapped still or not, and then goes to a
 * server, unless WRITE is mapped for the whole disk by then: all files of the map are synced in that case, also
 * those of redirected writes. The server has its whole time-out for it. A write with FUA, and each on a device without a write cache, is durable
 * when it ends, and keeps no file open. After a sync has failed no FLUSH succeeds. The file is another of our
 * disks, which counts.
 */
/* timeout: 150 */
#include "map.h"

#define SIZE	(1 * MIB)

static struct device upper, lower;
static struct ram *below;
static int ctl;

static void set_up_anew(uint64_t features)
{
	if (ctl)
		need(!reset(ctl), "RESET");
	set_up(&upper, SIZE, features);
	if (ctl)
		close(ctl);
	ctl = server_open(&upper);
}

static int map_lower(uint64_t from, uint64_t length, uint32_t rights)
{
	int fd = disk_open(&lower, O_RDWR), ret;

	ret = map_bytes(ctl, registered(ctl, fd), from, length, rights);
	close(fd);
	return ret;
}

static int flush(void)
{
	return io_end(io_start(&upper, IO_FSYNC, 0, 0));
}

static int write_page(uint64_t offset)
{
	return io_end(io_write(&upper, offset, 4096, 1));
}

static long flushes(void)
{
	return below->served[ABUSE_OP_FLUSH];
}

/* The FLUSH that this leads to, at the server of the upper disk. */
static void reaches_a_server(struct io *io, int want, const char *what)
{
	struct abuse_request q = fetch_one(ctl, NULL, 0);

	is(q.op, ABUSE_OP_FLUSH, "what comes to the server");
	need(!reply(ctl, q.id, 0, NULL), "its answer");
	is(io_end(io), want, what);
}

static void of_a_part(void)
{
	long before = flushes();
	unsigned long written = below->served[ABUSE_OP_WRITE];
	struct io *io;

	set_up_anew(ABUSE_F_WRITE_CACHE);
	is(map_lower(0, SIZE / 2, MAP_RW), 0, "MAP of one half");
	is(write_page(0), 0, "a write");
	is(below->served[ABUSE_OP_WRITE], written, "which the page cache has");
	io = io_start(&upper, IO_FSYNC, 0, 0);
	need(wait_for(attribute_number(&upper, "queued") == 1), "the FLUSH to come to the server");
	ok(!wait_for_within(1, io->done), "a FLUSH waits for a server");
	is(below->served[ABUSE_OP_WRITE], written + 1, "when the file has it");
	is(flushes(), before + 1, "and was flushed");
	reaches_a_server(io, 0, "the FLUSH");
	io = io_start(&upper, IO_FSYNC, 0, 0);
	reaches_a_server(io, 0, "one more, with nothing written");
	is(flushes(), before + 1, "needs no sync");
	is(write_page(0), 0, "a write");
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR");
	io = io_start(&upper, IO_FSYNC, 0, 0);
	reaches_a_server(io, 0, "a FLUSH when nothing is mapped any more");
	is(flushes(), before + 2, "syncs what was written before");
}

static void of_all(void)
{
	long before;

	set_up_anew(ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	is(map_lower(0, SIZE / 2, MAP_RW), 0, "MAP of one half");
	is(map_lower(SIZE / 2, SIZE / 2, MAP_RW), 0, "and of the other");
	close(ctl);
	before = flushes();
	is(write_page(0) | write_page(SIZE - 4096), 0, "two writes");
	is(flush(), 0, "a FLUSH needs no server");
	ok(flushes() > before, "it was one of the file");
	ctl = server_open(&upper);
}

static void durable_writes(void)
{
	struct io *io = io_prepare(&upper, IO_WRITE, 0, 4096);
	long before = flushes(), fua = below->fua;

	io->pwrite_flags = RWF_DSYNC;
	is(io_end(io_go(io)), 0, "a write with FUA");
	ok(flushes() + (long)below->fua > before + fua, "is durable below");
	set_up_anew(0);
	is(map_lower(0, SIZE, MAP_RW), 0, "MAP on a device without a write cache");
	before = flushes();
	fua = below->fua;
	is(write_page(4096), 0, "a write");
	ok(flushes() + (long)below->fua > before + fua, "is durable below, too");
}

/* A disk that completes a request when the test says so. */
static struct device slow;
static int slow_ctl;

/* No FLUSH comes that would let the file go. */
static void a_file_goes_without_a_flush(void)
{
	unsigned int fd = disk_open(&lower, O_RDWR), index, before;

	set_up_anew(0);
	before = attribute_number(&lower, "openers");
	index = registered(ctl, fd);
	is(map_bytes(ctl, index, 0, SIZE, MAP_RW), 0, "MAP on a device without a write cache");
	is(write_page(0), 0, "a write");
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_RW)), 0, "the map goes");
	need(!file_unregister(ctl, index), "UNREGISTER_FILE");
	close(fd);
	ok(wait_for(attribute_number(&lower, "openers") < before), "and the file with it");
}

static void slow_answers(unsigned int op)
{
	static char *buffer;
	struct abuse_request q;

	if (!buffer)
		buffer = memory_new(MIB);
	q = fetch_one(slow_ctl, buffer, MIB);
	is(q.op, op, "at the slow disk");
	need(!reply(slow_ctl, q.id, 0, buffer), "its answer");
}

/* Begins a FLUSH, which waits for the slow disk, which has one half. */
static struct io *flush_that_waits(void)
{
	int fd = disk_open(&slow, O_RDWR);
	struct io *io;

	is(map_bytes(ctl, registered(ctl, fd), 0, SIZE / 2, MAP_W), 0, "MAP of one half to a slow disk");
	close(fd);
	is(write_page(0), 0, "a write, which the page cache has");
	io = io_start(&upper, IO_FSYNC, 0, 0);
	need(wait_for(attribute_number(&slow, "queued") == 1), "the slow disk to have it");
	return io;
}

static void becomes_whole_meanwhile(void)
{
	int fd = disk_open(&lower, O_RDWR), file;
	struct abuse_request q;
	unsigned long written;
	struct io *io;
	long before;

	set_up_anew(ABUSE_F_WRITE_CACHE);
	file = registered(ctl, fd);
	io = io_write(&upper, SIZE / 2, 4096, 5);
	q = fetch_one(ctl, memory_new(MIB), MIB);
	need(!redirect(ctl, q.id, file, q.sector * 512), "a redirected write");
	is(io_end(io), 0, "which the page cache has");
	written = below->served[ABUSE_OP_WRITE];
	before = flushes();

	io = flush_that_waits();
	is(map_bytes(ctl, file, SIZE / 2, SIZE / 2, MAP_W), 0, "the whole disk is mapped meanwhile");
	close(ctl);
	slow_answers(ABUSE_OP_WRITE);
	slow_answers(ABUSE_OP_FLUSH);
	slow_answers(ABUSE_OP_FLUSH);
	is(io_end(io), 0, "the FLUSH needs no server");
	is(below->served[ABUSE_OP_WRITE], written + 1, "the redirected write is in its file");
	is(flushes(), before + 1, "and was flushed");
	ctl = server_open(&upper);
	close(fd);
}

/* The sync lasts longer than the time-out of requests, and the server takes a part of that, too. */
static void lasts_long(void)
{
	struct abuse_params p = params_of(SIZE);
	unsigned int time_out = stretched(2);
	struct io *io;

	need(!reset(ctl), "RESET");
	p.features = ABUSE_F_WRITE_CACHE;
	p.timeout = time_out * SEC;
	set_up_as(&upper, &p);
	close(ctl);
	ctl = server_open(&upper);
	io = flush_that_waits();
	sleep(time_out + 1);
	slow_answers(ABUSE_OP_WRITE);
	slow_answers(ABUSE_OP_FLUSH);
	need(wait_for(attribute_number(&upper, "queued") == 1), "the FLUSH to wait for a server");
	nap_ms(350 * time_out);
	reaches_a_server(io, 0, "a FLUSH after a long sync");
}

/* The disk below fails. */
static _Atomic bool fails;
static _Atomic bool over;

static void *serve_badly(void *unused)
{
	int low = server_open(&lower);
	char *zeroes = memory_new(MIB), *buffer = memory_new(MIB);
	struct abuse_request q;

	while (!over)
		if (fetch(low, &q, 1, buffer, MIB, SEC / 20) == 1)
			reply(low, q.id, q.op != ABUSE_OP_READ && fails ? EIO : 0, zeroes);
	close(low);
	return unused;
}

static void after_a_failure(void)
{
	pthread_t thread;
	struct io *io;

	need(!pthread_create(&thread, NULL, serve_badly, NULL), "a thread");
	set_up_anew(ABUSE_F_WRITE_CACHE);
	is(map_lower(0, SIZE, MAP_RW), 0, "MAP");
	is(write_page(0), 0, "a write");
	fails = true;
	is(flush(), EIO, "the FLUSH that loses it");
	fails = false;
	is(flush(), EIO, "the next FLUSH");
	is(write_page(0), 0, "a write");
	is(flush(), EIO, "and one after that");
	is(map_one(ctl, entry_clear(0, 8, MAP_W)), 0, "WRITE of part of it goes");
	io = io_start(&upper, IO_FSYNC, 0, 0);
	is(io_end(io), EIO, "a FLUSH that servers answer as well, without asking them");
	set_up_anew(0);
	is(map_lower(0, SIZE, MAP_RW), 0, "MAP on a device without a write cache");
	fails = true;
	is(write_page(0), EIO, "a write that is lost");
	fails = false;
	is(write_page(8192), EIO, "another, which may have lost bytes as well");
	set_up_anew(ABUSE_F_WRITE_CACHE);
	is(map_lower(0, SIZE, MAP_RW), 0, "MAP in a new set-up");
	is(write_page(0), 0, "a write");
	is(flush(), 0, "and a FLUSH");
	is(reset(ctl), 0, "RESET");
	over = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	test_begin();
	lower = device_new();
	set_up(&lower, SIZE, ABUSE_F_WRITE_CACHE);
	below = ram_start(&lower, memory_new(SIZE), SIZE);
	upper = device_new();
	of_a_part();
	of_all();
	durable_writes();
	a_file_goes_without_a_flush();
	slow = device_new();
	set_up(&slow, SIZE, ABUSE_F_WRITE_CACHE);
	slow_ctl = server_open(&slow);
	becomes_whole_meanwhile();
	lasts_long();
	is(reset(ctl), 0, "RESET");
	ram_stop(below);
	after_a_failure();
	close(ctl);
	return done();
}
