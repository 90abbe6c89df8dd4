/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A killed server that has its own disk open with dirty pages writes them back when
 * that is closed: what it held is back in the queue by then, so that another
 * server gets it and the dirty pages, and the process ends.
 */
#include "recorder.h"

#define SIZE	(4 * MIB)
#define DIRTY	(256 * KIB)

struct victim {
	struct device d;
	_Atomic bool holds;
};

static int victim_main(void *arg)
{
	struct victim *v = arg;
	struct abuse_request q[2];
	char *data = memory_new(DIRTY);
	int disk, fd;

	close_all_above_2();
	/* In this order: descriptors are closed by number. */
	disk = open(v->d.disk, O_RDWR | O_CLOEXEC);
	fd = open(v->d.node, O_RDWR | O_CLOEXEC);
	need(disk >= 0 && disk < fd, "the disk and then the node");
	pattern_fill(data, DIRTY, 5);
	need(pwrite(disk, data, DIRTY, 0) == DIRTY, "dirty pages");
	for (int n = 0; n < 2; n++)
		q[n] = fetch_one(fd, NULL, 0);
	v->holds = q[0].id != q[1].id;
	for (;;)
		pause();
}

int main(void)
{
	struct victim *v = memory_new(sizeof(*v));
	unsigned char *store;
	struct ram *ram;
	struct io *a, *b;
	pid_t pid;

	test_begin();
	store = memory_new(SIZE);
	v->d = device_new();
	set_up(&v->d, SIZE, ABUSE_F_WRITE_CACHE);
	pid = child_start(victim_main, v);
	need(wait_for(attribute_number(&v->d, "ready") == 1), "the server to wait");
	a = io_go_child(io_prepare(&v->d, IO_READ, 2 * MIB, 4096));
	b = io_go_child(io_prepare(&v->d, IO_READ, 3 * MIB, 4096));
	need(wait_for(v->holds), "the server to hold both");
	is(attribute_number(&v->d, "held"), 2, "held");

	kill(pid, SIGKILL);
	ok(wait_for(attribute_number(&v->d, "held") == 0), "nothing is held any more");
	ram = ram_start(&v->d, store, SIZE);
	is(child_wait(pid), 256 + SIGKILL, "the server is gone");
	is(io_end(a), 0, "a read that it held");
	is(io_end(b), 0, "the other");
	/* Closing does not promise the write-back of a disk that others have open. */
	is(io_end(io_go(io_prepare(&v->d, IO_FSYNC, 0, 0))), 0, "fsync");
	ok(pattern_is(store, DIRTY, 5), "its dirty pages were written");
	ram_stop(ram);
	return done();
}
