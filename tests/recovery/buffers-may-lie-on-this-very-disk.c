/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server that passes memory mapped from its own disk, for the payload of a WRITE or
 * as its reply to a READ, waits for itself and for nobody else: another server
 * frees it, RESET frees it, and it can be killed.
 */
/* timeout: 120 */
#include "recorder.h"

#define SIZE	(8 * MIB)
#define OUTER	(6 * MIB)	/* far from what the mapping reads ahead */
#define MAPPED	(1 * MIB)

enum event { SERVED, RESETS, KILLS };
static const char *const events[] = { "another server comes", "RESET", "kill" };

struct victim {
	struct device d;
	bool write;
	_Atomic bool ready, calls, returned;
	_Atomic int ret;
};

static int victim_main(void *arg)
{
	struct victim *v = arg;
	struct abuse_request q;
	char *memory;
	int fd, disk;

	close_all_above_2();
	fd = open(v->d.node, O_RDWR | O_CLOEXEC);
	disk = open(v->d.disk, O_RDWR | O_CLOEXEC);
	memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 0);
	need(fd >= 0 && memory != MAP_FAILED, "a mapping of %s", v->d.disk);
	v->ready = true;
	if (v->write) {
		need(wait_for(attribute_number(&v->d, "queued") == 1), "a request");
		v->calls = true;
		v->ret = fetch(fd, &q, 1, memory, MAPPED, NO_WAIT);
		if (v->ret == 1)
			v->ret = pattern_is(memory + q.offset, 4096, 7) ?
				 reply(fd, q.id, 0, NULL) : 1000;
	} else {
		q = fetch_one(fd, NULL, 0);
		v->calls = true;
		v->ret = reply(fd, q.id, 0, memory);
	}
	v->returned = true;
	return 0;
}

static int do_reset(void *arg)
{
	return reset(*(int *)arg);
}

static void try(bool write, enum event event)
{
	struct victim *v = memory_new(sizeof(*v));
	unsigned char *store = memory_new(SIZE);
	struct ram *ram = NULL;
	struct job job;
	struct io *io;
	pid_t pid;
	int fd;

	printf("# %s, %s\n", write ? "WRITE payload" : "READ reply", events[event]);
	v->d = device_new();
	v->write = write;
	set_up(&v->d, SIZE, 0);
	fd = server_open(&v->d);
	pattern_fill(store, 4096, 3);	/* what the mapping shows */
	io = io_prepare(&v->d, write ? IO_WRITE : IO_READ, OUTER, 4096);
	if (write)
		pattern_fill(io->data, 4096, 7);
	pid = child_start(victim_main, v);
	need(wait_for(v->ready), "the mapping");
	io_go_child(io);
	/* Its fault has made a request of its own, which nobody answers. */
	need(wait_for(v->calls && attribute_number(&v->d, "held") >= 1 &&
		      attribute_number(&v->d, "queued") >= 1), "the server to wait for itself");
	ok(!v->returned && !io->done, "the server waits for itself");

	switch (event) {
	case SERVED:
		ram = ram_start(&v->d, store, SIZE);
		is(child_wait(pid), 0, "the server goes on");
		is(v->ret, 0, "its answer");
		is(io_wait(io), 0, "the I/O");
		if (!write)
			ok(pattern_is(io->data, 4096, 3), "with the bytes of the mapping");
		break;
	case RESETS:
		job_start(&job, do_reset, &fd);
		is(job_wait(&job, "RESET"), 0, "RESET");
		is(io_wait(io), EIO, "the I/O");
		is(child_wait(pid), 0, "the server goes on");
		ok(v->ret != 0 || write, "without having answered (%d)", v->ret);
		break;
	case KILLS:
		kill(pid, SIGKILL);
		/* It closes its disk when its read has ended: by another server. */
		ok(wait_for(attribute_number(&v->d, "held") == 0),
		   "what it held goes back at once");
		ram = ram_start(&v->d, store, SIZE);
		is(child_wait(pid), 256 + SIGKILL, "it is gone");
		is(io_wait(io), 0, "the I/O, by another server");
		break;
	}
	if (write && event == KILLS)
		ok(pattern_is(store + OUTER, 4096, 7), "with its bytes");
	io_free(io);
	if (ram)
		ram_stop(ram);
	close(fd);
	is(device_remove(v->d.number), 0, "REMOVE");
	munmap(store, SIZE);
}

int main(void)
{
	test_begin();
	for (int write = 0; write < 2; write++)
		for (enum event event = SERVED; event <= KILLS; event++)
			try(write, event);
	return done();
}
