/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * MAP returns when what began under the ranges that it changes has ended, and waits for
 * nothing else. It can be killed, and the same call again waits for the same requests. RESET, REMOVE
 * and a shrink end the map; a dead maker and UNREGISTER do not. The file is another of our
 * disks, which answers when the test wants it to.
 */
/* timeout: 120 */
#include "map.h"

#define SIZE	(1 * MIB)

static struct device upper, lower;
static int low, ctl;

static int lower_open(void)
{
	return disk_open(&lower, O_RDWR | O_DIRECT);
}

/* One that the file has. */
static struct io *running(enum io_op op, uint64_t offset)
{
	struct io *io = io_prepare(&upper, op, offset, 4096);
	long long before = attribute_number(&upper, "redirected");

	if (op == IO_WRITE)
		pattern_fill(io->data, 4096, 4);
	io_go_child(io);
	need(wait_for(attribute_number(&upper, "redirected") == before + 1), "the file to have it");
	return io;
}

/* The file does what it has. */
static void file_answers(int op)
{
	static unsigned char *bytes;
	struct abuse_request q;

	if (!bytes)
		bytes = memory_new(MIB);
	q = fetch_one(low, bytes, MIB);

	is(q.op, op, "what reached the file");
	if (op == ABUSE_OP_WRITE)
		ok(pattern_is(bytes, 4096, 4), "with its bytes");
	need(!reply(low, q.id, 0, bytes), "its answer");
}

static pid_t change(struct abuse_map_entry e)
{
	static struct mapper m;

	m = (struct mapper) { .device = upper, .file = -1, .nr = 1, .entries = { e } };
	return child_start(mapper_main, &m);
}

/* MAP changes what new requests find and then waits for those before: it has begun to wait. */
static bool is_changed(uint64_t sectors)
{
	struct abuse_map_entry got;

	return map_get(ctl, 0, &got, 1) == 1 && (got.sector == sectors || got.sectors == sectors);
}

/* All of the disk, by a server that is gone afterwards. */
static void map_all(void)
{
	struct mapper m = { .device = upper, .file = lower_open(), .nr = 1,
			    .entries = { entry(0, SIZE / 512, 0, 0, MAP_ALL) } };

	is(child_wait(child_start(mapper_main, &m)), 0, "MAP by who is gone then");
	close(m.file);
}

static void a_change(void)
{
	struct io *io;
	pid_t pid;

	map_all();
	io = running(IO_WRITE, 8192);
	is(map_one(ctl, entry_clear(0, 16, MAP_ALL)), 0, "another range waits for nothing");
	is(map_one(ctl, entry_clear(24, 1000, MAP_ALL)), 0, "nor does one behind");
	pid = change(entry_clear(20, 1, MAP_W));
	ok(child_runs_on(pid), "a change of that range waits");
	is(io_end(io_read(&upper, 1 * MIB - 4096, 0)), 0, "the device goes on");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "it can be killed");
	pid = change(entry_clear(20, 1, MAP_W));
	ok(child_runs_on(pid), "the same call again waits, too");
	file_answers(ABUSE_OP_WRITE);
	is(child_wait(pid), 0, "until the request has ended");
	is(io_end(io), 0, "the writer");
}

static void ranges_of_two_ages(void)
{
	struct io *old, *young;
	pid_t pid;

	map_all();
	old = running(IO_READ, 0);
	pid = change(entry_clear(0, 8, MAP_W));
	need(wait_for(is_changed(8)), "the change");
	ok(child_runs_on(pid), "a change waits for a read");
	young = running(IO_READ, 0);
	file_answers(ABUSE_OP_READ);
	is(child_wait(pid), 0, "but not for one that began afterwards");
	file_answers(ABUSE_OP_READ);
	is(io_end(old) | io_end(young), 0, "the readers");
}

static int reset_upper(void *unused)
{
	(void)unused;
	return -reset(ctl);
}

static int remove_upper(void *unused)
{
	(void)unused;
	return -device_remove_once(upper.number);
}

static void the_end_of_a_set_up(void)
{
	struct abuse_map_entry got[2];
	struct abuse_params p = params_of(SIZE / 2);
	struct io *io, *queued;
	pid_t pid, mapper;

	map_all();
	p.features = ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	io = running(IO_READ, SIZE - 4096);
	is(set_params(ctl, &p), 0, "a shrink does not wait for what runs beyond");
	is(map_get(ctl, 0, got, 2), 1, "one range is left");
	is(got[0].sectors, SIZE / 1024, "up to the new end");
	p.capacity = SIZE;
	is(set_params(ctl, &p), 0, "growth");
	is(map_get(ctl, SIZE / 1024, got, 2), 0, "is not mapped");
	file_answers(ABUSE_OP_READ);
	is(io_end(io), 0, "the reader");

	io = running(IO_WRITE, 0);
	queued = io_read(&upper, SIZE / 2, 4096);
	need(wait_for(attribute_number(&upper, "queued") == 1), "one that waits for a server");
	mapper = change(entry_clear(0, 8, MAP_ALL));
	need(wait_for(is_changed(8)), "the change");
	ok(child_runs_on(mapper), "a change waits");
	pid = child_start(reset_upper, NULL);
	ok(child_runs_on(pid), "RESET waits for what runs by the map");
	is(io_end(queued), EIO, "it ends what is queued");
	is(io_end(io_read(&upper, 0, 4096)), EIO, "what comes fails");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "RESET can be killed");
	file_answers(ABUSE_OP_WRITE);
	is(io_end(io), 0, "the writer");
	is(child_wait(mapper), 0, "the change");
	set_up(&upper, SIZE, 0);
	is(map_get(ctl, 0, got, 2), 0, "the next set-up has no map");

	map_all();
	is(reset(ctl), 0, "RESET");
	ok(io_end(io_read(&upper, 0, 4096)) > 0, "a read after it fails");
	set_up(&upper, SIZE, 0);
	map_all();
	io = running(IO_WRITE, 0);
	kill(io->pid, SIGKILL);
	is(remove_upper(NULL), EBUSY, "REMOVE while the writer is there");
	file_answers(ABUSE_OP_WRITE);
	child_wait(io->pid);
	close(ctl);
	is(device_remove(upper.number), 0, "REMOVE of a device with a map");
}

static void unregistered(void)
{
	int fd = lower_open(), file = registered(ctl, fd);
	struct abuse_map_entry got;
	struct io *io;

	is(map_bytes(ctl, file, 0, 4096, MAP_R), 0, "MAP");
	is(map_get(ctl, 0, &got, 1) == 1 && got.file == (unsigned int)file, 1, "GET_MAP names the file");
	is(file_unregister(ctl, file), 0, "UNREGISTER_FILE");
	is(map_get(ctl, 0, &got, 1) == 1 && got.file == ABUSE_NO_FILE, 1, "and then none");
	io = running(IO_READ, 0);
	file_answers(ABUSE_OP_READ);
	is(io_end(io), 0, "the range is there all the same");
	is(map_one(ctl, entry_clear(0, 8, MAP_ALL)), 0, "CLEAR");
	is(map_bytes(ctl, file, 0, 4096, MAP_R), -ENOENT, "its index is gone");
	close(fd);
}

/* A disk below a disk may not be put on top of it, as long as a range leads there. */
static void no_loop(void)
{
	int fd = disk_open(&upper, O_RDWR), file, top = server_open(&lower);

	map_all();
	is(file_register(top, fd), -ELOOP, "a disk on one that a map leads to");
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR");
	file = file_register(top, fd);
	ok(file >= 0, "without a range it may be");
	is(file_register(ctl, low), -EINVAL, "a control node is no file");
	close(top);
	close(fd);
}

int main(void)
{
	test_begin();
	lower = device_new();
	set_up(&lower, SIZE, ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES);
	low = server_open(&lower);
	upper = device_new();
	set_up(&upper, SIZE, ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES);
	ctl = server_open(&upper);
	unregistered();
	no_loop();
	a_change();
	ranges_of_two_ages();
	the_end_of_a_set_up();
	close(low);
	return done();
}
