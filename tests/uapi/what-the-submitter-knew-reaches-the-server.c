/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A request says which I/O priority its submitter has and, where the kernel has such
 * hints, how long a write's bytes will live; a server that has no room for these
 * two gets the first version of the struct and nothing behind it.
 */
#include "abuse.h"

#define CLASS_RT	(1 << 13)
#define CLASS_IDLE	(3 << 13)
#define SET_RW_HINT	1036	/* fcntl(2) */
#define LIFE_LONG	4

static struct device d;

struct submitter {
	unsigned int ioprio;
	uint64_t hint;
	bool writes;
};

static int submit(void *arg)
{
	const struct submitter *s = arg;
	void *data = memory_new(4096);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);

	need(!syscall(SYS_ioprio_set, 1, 0, s->ioprio), "ioprio_set");
	if (s->hint)
		need(!fcntl(fd, SET_RW_HINT, &s->hint), "F_SET_RW_HINT");
	return s->writes ? pwrite(fd, data, 4096, 0) != 4096 :
			   pread(fd, data, 4096, 0) != 4096;
}

static bool kernel_has_hints(void)
{
	return !kernel_is_from(5, 18) || kernel_is_from(6, 9);
}

int main(void)
{
	struct submitter urgent = { .ioprio = CLASS_RT | 3 };
	struct submitter idle = { .ioprio = CLASS_IDLE, .writes = true };
	struct submitter lasting = {
		.ioprio = CLASS_RT | 1, .hint = LIFE_LONG, .writes = true,
	};
	struct abuse_exchange x = exchange_new();
	struct abuse_request q;
	struct { uint64_t words[6]; } first_version[2];
	char *buffer;
	pid_t pid;
	int fd;

	test_begin();
	buffer = memory_new(MIB);
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	fd = server_open(&d);

	pid = child_start(submit, &urgent);
	q = fetch_one(fd, buffer, MIB);
	is(q.ioprio, CLASS_RT | 3, "priority of a real-time reader");
	is(q.write_hint, 0, "a READ has no hint");
	is(reply(fd, q.id, 0, buffer), 0, "answer");
	is(child_wait(pid), 0, "the reader");

	pid = child_start(submit, &idle);
	q = fetch_one(fd, buffer, MIB);
	is(q.ioprio, CLASS_IDLE, "priority of an idle writer");
	is(q.write_hint, 0, "its hint");
	is(reply(fd, q.id, 0, NULL), 0, "answer");
	is(child_wait(pid), 0, "the writer");

	pid = child_start(submit, &lasting);
	q = fetch_one(fd, buffer, MIB);
	is(q.ioprio, CLASS_RT | 1, "priority of a real-time writer");
	is(q.write_hint, kernel_has_hints() ? LIFE_LONG : 0, "its hint");
	is(reply(fd, q.id, 0, NULL), 0, "answer");
	is(child_wait(pid), 0, "the writer");

	pid = child_start(submit, &lasting);
	memset(first_version, 0xa5, sizeof(first_version));
	x.request_size = 40;
	x.requests = ADDR(first_version);
	x.max_requests = 1;
	x.buffer = ADDR(buffer);
	x.buffer_size = MIB;
	x.wait = DEADLINE_SECONDS * SEC;
	is(exchange(fd, &x), 0, "exchange of the first version");
	is(x.nr_requests, 1, "requests");
	ok(bytes_are((char *)first_version + 40, sizeof(first_version) - 40, 0xa5),
	   "nothing is written behind an entry of the first version");
	is(reply(fd, first_version[0].words[0], 0, NULL), 0, "answer");
	is(child_wait(pid), 0, "the writer");
	return done();
}
