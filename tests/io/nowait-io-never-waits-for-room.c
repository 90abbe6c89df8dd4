/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * I/O with RWF_NOWAIT is queued while the device has room for a request and ends with EAGAIN at
 * once when it has none; the same without the flag waits until there is some.
 */
#include <linux/aio_abi.h>
#include "abuse.h"

#define DEPTH	4
#define EXTRA	64	/* more than any kernel has in reserve for a queue of this depth */

static aio_context_t context;
static unsigned char *data;

struct submission {
	int fd;
	int flags;
	int error;
	_Atomic bool done;
};

static void *submit(void *arg)
{
	struct submission *s = arg;
	struct iocb iocb = {
		.aio_fildes = s->fd, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = ADDR(data),
		.aio_nbytes = 4096, .aio_rw_flags = s->flags,
	}, *list = &iocb;

	s->error = syscall(SYS_io_submit, context, 1, &list) == 1 ? 0 : errno;
	s->done = true;
	return NULL;
}

/* Of those that have ended: how many so. */
static int ended(int result, int least)
{
	struct io_event events[DEPTH + EXTRA];
	struct timespec patience = { stretched(DEADLINE_SECONDS), 0 };
	int n, found = 0;

	n = syscall(SYS_io_getevents, context, least, DEPTH + EXTRA, events,
		    least ? &patience : &(struct timespec){ 0 });
	for (int i = 0; i < n; i++)
		found += events[i].res == result;
	return n == found ? n : -1;
}

int main(void)
{
	struct submission s, waits = { };
	struct device d;
	struct ram *ram;
	pthread_t thread;
	int fd, node, queued = 0, refused = 0;

	test_begin();
	need(!posix_memalign((void **)&data, 4096, 4096), "memory");
	need(!syscall(SYS_io_setup, 2 * (DEPTH + EXTRA), &context), "io_setup");
	d = device_new_depth(1, DEPTH);
	set_up(&d, 1 * MIB, 0);
	node = server_open(&d);
	fd = disk_open(&d, O_RDONLY | O_DIRECT);

	/* No server. */
	for (int i = 0; i < EXTRA; i++) {
		s = (struct submission){ .fd = fd, .flags = RWF_NOWAIT };
		submit(&s);
		if (s.error == EAGAIN)
			refused++;
		else if (s.error)
			fail("io_submit with RWF_NOWAIT: %s", strerror(s.error));
		else if (ended(-EAGAIN, 0) == 1)
			refused++;
		else
			queued++;
	}
	is(queued, DEPTH, "requests that were queued");
	is(refused, EXTRA - DEPTH, "requests that were refused, at once");
	is(attribute_number(&d, "queued"), DEPTH, "requests that wait for a server");

	waits.fd = fd;
	need(!pthread_create(&thread, NULL, submit, &waits), "a thread");
	ok(!wait_for_within(1, waits.done), "without the flag it waits for room");
	ram = ram_start(&d, memory_new(1 * MIB), 1 * MIB);
	ok(wait_for(waits.done), "until a server makes some");
	pthread_join(thread, NULL);
	is(waits.error, 0, "and is queued then");
	is(ended(4096, DEPTH + 1), DEPTH + 1, "requests that were served");
	s = (struct submission){ .fd = fd, .flags = RWF_NOWAIT };
	submit(&s);
	is(s.error, 0, "with room it is queued");
	is(ended(4096, 1), 1, "and served");
	close(fd);
	ram_stop(ram);
	is(reset(node), 0, "RESET");
	return done();
}
