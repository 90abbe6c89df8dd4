/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Requests asked for of a device that is not set up are ENXIO, and RESET ends an
 * exchange that waits with it; replies alone are judged as ever. I/O on an
 * empty disk ends at once.
 */
/* build: m32 */
#include "abuse.h"

struct waiter {
	int fd, ret;
	_Atomic pid_t tid;
	_Atomic bool done;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct abuse_request q;

	w->tid = syscall(SYS_gettid);
	w->ret = fetch(w->fd, &q, 1, NULL, 0, FOR_EVER);
	w->done = true;
	return NULL;
}

int main(void)
{
	struct device d;
	struct abuse_request q;
	struct bio bio;
	struct waiter w[3];
	pthread_t thread[3];
	struct abuse_params p;
	char *data = memory_new(65536), byte;
	struct io *io;
	int fd, disk;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), -ENXIO, "fetch");
	is(fetch(fd, &q, 1, NULL, 0, FOR_EVER), -ENXIO, "fetch that would wait");
	is(reply(fd, 12345, 0, data), ESTALE, "a reply");
	is(get_bio(fd, &bio), -ENOMSG, "GET_BIO");
	is(get_params(fd, &p), 0, "GET_PARAMS");
	is(p.state, ABUSE_S_EMPTY, "state");
	disk = disk_open(&d, O_RDONLY);
	is(pread(disk, &byte, 1, 0), 0, "a read at the end of nothing");
	close(disk);

	set_up(&d, 1 * MIB, 0);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiter){ .fd = i ? server_open(&d) : fd };
		need(!pthread_create(&thread[i], NULL, waiter_main, &w[i]),
		     "a thread");
		ok(wait_for(w[i].tid && task_is(w[i].tid, 'S')), "asleep in exchange");
	}
	is(reset(fd), 0, "RESET");
	for (int i = 0; i < 3; i++) {
		ok(wait_for(w[i].done), "RESET wakes each that waits");
		is(w[i].ret, -ENXIO, "its exchange");
		pthread_join(thread[i], NULL);
	}

	/* A server that slept through RESET and the next set-up has another disk's bytes. */
	set_up(&d, 1 * MIB, 0);
	io = io_read(&d, 0, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "a read of the next set-up");
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), -ENXIO, "a server of the last set-up");
	is(fetch(fd, &q, 1, NULL, 0, FOR_EVER), -ENXIO, "it does not wait either");
	close(fd);
	fd = server_open(&d);
	q = fetch_one(fd, NULL, 0);
	is(reply(fd, q.id, 0, data), 0, "answer");
	is(io_end(io), 0, "opened again it serves");
	return done();
}
