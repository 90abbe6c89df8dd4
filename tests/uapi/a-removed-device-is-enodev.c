/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * After REMOVE an open control descriptor gets ENODEV from every call and POLLHUP
 * from poll, who waits there is woken with the same, and the nodes are gone.
 */
/* build: m32 */
#include "abuse.h"

struct waiter {
	int fd, ret, revents;
	bool polls;
	_Atomic pid_t tid;
	_Atomic bool done;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct abuse_request q;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	w->tid = syscall(SYS_gettid);
	if (w->polls) {
		w->ret = poll(&p, 1, -1);
		w->revents = p.revents;
	} else {
		w->ret = fetch(w->fd, &q, 1, NULL, 0, FOR_EVER);
	}
	w->done = true;
	return NULL;
}

int main(void)
{
	struct waiter w[3];
	pthread_t thread[3];
	struct device d;
	struct abuse_info info;
	struct abuse_params p;
	struct bio bio;
	struct abuse_request q;
	struct pollfd pfd;
	struct io *io;
	char *data = memory_new(4096);
	int fd;

	test_begin();
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);
	io = io_read(&d, 0, 4096);
	q = fetch_one(fd, NULL, 0);
	is(reply(fd, q.id, 0, data), 0, "it serves");
	is(io_end(io), 0, "a read");

	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiter){ .fd = fd, .polls = i == 2 };
		need(!pthread_create(&thread[i], NULL, waiter_main, &w[i]),
		     "a thread");
		ok(wait_for(w[i].tid && task_is(w[i].tid, 'S')), "asleep");
	}
	is(device_remove(d.number), 0, "REMOVE of a device that is up but not open");
	for (int i = 0; i < 3; i++) {
		ok(wait_for(w[i].done), "REMOVE wakes each that waits");
		pthread_join(thread[i], NULL);
		if (w[i].polls)
			ok(w[i].ret == 1 && w[i].revents & POLLHUP, "POLLHUP");
		else
			is(w[i].ret, -ENODEV, "its exchange");
	}

	is(get_status(fd, &info), -ENODEV, "GET_STATUS");
	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 1;
	is(set_status(fd, &info), -ENODEV, "SET_STATUS");
	is(set_poll(fd, 0), -ENODEV, "SET_POLL");
	is(reset(fd), -ENODEV, "RESET");
	is(get_bio(fd, &bio), -ENODEV, "GET_BIO");
	is(put_bio(fd, &bio, 0), -ENODEV, "PUT_BIO");
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), -ENODEV, "EXCHANGE for requests");
	is(reply(fd, 1, 0, data), -ENODEV, "EXCHANGE with a reply");
	is(get_params(fd, &p), -ENODEV, "GET_PARAMS");
	p = params_of(1 * MIB);
	is(set_params(fd, &p), -ENODEV, "SET_PARAMS");
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents & POLLHUP, "POLLHUP (%x)",
	   pfd.revents);
	ok(wait_for(access(d.node, F_OK) && access(d.disk, F_OK)),
	   "the nodes are gone");
	is(device_remove_once(d.number), -ENODEV, "REMOVE again");
	return done();
}
