/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Two unrelated server processes share one device and one store: both get work, and
 * what one stored the other gives back.
 */
#include "recorder.h"

#define SIZE	(4 * MIB)
#define THREADS	8
#define ROUNDS	150
#define BLOCK	4096

static struct device d;
static struct ram *rams[2];
static _Atomic int wrong;

static int serve(void *arg)
{
	struct ram *ram = arg;

	close_all_above_2();
	ram->fd = open(d.node, O_RDWR | O_CLOEXEC);
	ram->buffer = memory_new(RAM_BUFFER);
	return ram_serve(ram) ? 1 : 0;
}

static int work(void *arg)
{
	unsigned int me = (uintptr_t)arg;
	unsigned char *data = memory_new(BLOCK);
	int fd = open(d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at = (uint64_t)(me + THREADS * (i % 16)) * BLOCK;

		pattern_fill(data, BLOCK, i + me);
		if (pwrite(fd, data, BLOCK, at) != BLOCK)
			wrong++;
		memset(data, 0, BLOCK);
		if (pread(fd, data, BLOCK, at) != BLOCK || !pattern_is(data, BLOCK, i + me))
			wrong++;
	}
	close(fd);
	return 0;
}

static unsigned long served(const struct ram *ram)
{
	return ram->served[ABUSE_OP_READ] + ram->served[ABUSE_OP_WRITE];
}

int main(void)
{
	unsigned char *store;
	struct job job[THREADS];
	pid_t pid[2];

	test_begin();
	store = memory_new(SIZE);
	d = device_new_depth(2, 64);
	set_up(&d, SIZE, 0);
	for (int i = 0; i < 2; i++) {
		rams[i] = memory_new(sizeof(*rams[i]));
		rams[i]->store = store;
		rams[i]->size = SIZE;
		pid[i] = child_start(serve, rams[i]);
	}
	need(wait_for(attribute_number(&d, "servers") == 2), "two servers");
	for (uintptr_t i = 0; i < THREADS; i++)
		job_start(&job[i], work, (void *)i);
	for (int i = 0; i < THREADS; i++)
		job_wait(&job[i], "a thread");
	is(wrong, 0, "I/Os that failed or gave other bytes");
	for (int i = 0; i < 2; i++) {
		rams[i]->stop = true;
		is(child_wait(pid[i]), 0, "a server's end");
		ok(served(rams[i]) > 0, "it answered %lu", served(rams[i]));
	}
	is(served(rams[0]) + served(rams[1]), THREADS * ROUNDS * 2, "answers in all");
	is(attribute_number(&d, "served"), THREADS * ROUNDS * 2, "counted by the module");
	return done();
}
