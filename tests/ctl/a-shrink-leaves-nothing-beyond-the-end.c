/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Once a shrink has returned nobody is handed a request beyond the new end, whatever
 * way it takes back into the queue: from a PUT_BIO whose memory faults, or from a
 * server that is closed while another one fetches. Such a request ends with EIO.
 */
/* timeout: 120 */
#include "abuse.h"

#define LARGE	(16 * MIB)
#define SMALL	(4 * MIB)
#define LEN	MIB

static struct device d;

static void resize(int fd, uint64_t capacity)
{
	struct abuse_params p = params_of(capacity);
	int ret = set_params(fd, &p);

	errno = -ret;
	need(!ret, "SET_PARAMS");
}

/* ---- PUT_BIO -------------------------------------------------------------------- */

static _Atomic bool put_stop;
static _Atomic unsigned int puts_done;

/* Nearly all of the bytes are copied before the memory faults, over and over. */
static int put_faulting(void *memory)
{
	int fd = server_open(&d), ret;
	struct bio bio;

	get_bio_wait(fd, &bio);
	bio_point(&bio, memory);
	while (!put_stop) {
		ret = put_bio(fd, &bio, 0);
		if (ret != -EFAULT)
			break;
		puts_done++;
	}
	close(fd);
	return ret == -EFAULT || ret == -ENOMSG ? 0 : -ret;
}

static void *put_main(void *memory)
{
	return (void *)(intptr_t)put_faulting(memory);
}

/* False: the request is in the queue still. */
static bool shrinks_under_a_put(void *memory, unsigned int round)
{
	int fd = server_open(&d);
	struct io *io;
	pthread_t thread;
	void *error;
	int ret;

	resize(fd, LARGE);
	put_stop = false;
	puts_done = 0;
	io = io_read(&d, LARGE - LEN, LEN);
	need(!pthread_create(&thread, NULL, put_main, memory), "a thread");
	need(wait_for(puts_done >= 2 + round % 3), "PUT_BIOs that fault");
	resize(fd, SMALL);
	ret = io_wait(io);
	put_stop = true;
	pthread_join(thread, &error);
	if (error)
		printf("# PUT_BIO: error %d\n", (int)(intptr_t)error);
	need(!reset(fd), "RESET");
	io_end(io);
	close(fd);
	return ret == EIO && !error;
}

/* ---- a server that is closed ------------------------------------------------------- */

#define HELD	60	/* fewer than one queue has */

static _Atomic bool fetch_stop, shrunken;
static _Atomic unsigned int wrong;

/* Fetches whatever there is, and counts what it must not be handed. */
static void *fetch_main(void *unused)
{
	struct abuse_request q[HELD];
	int fd = server_open(&d), n;

	while (!fetch_stop) {
		n = fetch(fd, q, HELD, NULL, 0, NO_WAIT);
		for (int i = 0; i < n; i++) {
			wrong += shrunken && q[i].sector * 512 >= SMALL;
			need(!reply(fd, q[i].id, EIO, NULL), "an answer");
		}
	}
	close(fd);
	return unused;
}

static void closes_what_it_holds(void)
{
	int fd = server_open(&d), holder = server_open(&d);
	struct abuse_request q[HELD];
	struct io *io[HELD];
	pthread_t thread;
	unsigned int failed = 0;

	resize(fd, LARGE);
	for (unsigned int i = 0; i < HELD; i++)
		io[i] = io_read(&d, LARGE - (i + 1) * 65536, 4096);
	fetch_all(holder, q, HELD, NULL, 0);
	shrunken = fetch_stop = false;
	need(!pthread_create(&thread, NULL, fetch_main, NULL), "a thread");
	resize(fd, SMALL);
	shrunken = true;
	is(attribute_number(&d, "held"), HELD, "held requests are their holder's still");
	close(holder);
	for (unsigned int i = 0; i < HELD; i++)
		failed += io_end(io[i]) == EIO;
	is(failed, HELD, "each request that came back ended with EIO");
	fetch_stop = true;
	pthread_join(thread, NULL);
	need(!reset(fd), "RESET");
	close(fd);
}

int main(void)
{
	unsigned int left = 0;
	char *memory;

	test_begin();
	d = device_new_depth(4, 64);
	memory = memory_faulting(LEN - 4096, LEN);
	for (unsigned int round = 0; round < 10; round++)
		left += !shrinks_under_a_put(memory, round);
	is(left, 0, "rounds that left a request beyond the end to PUT_BIO");
	for (unsigned int round = 0; round < 5; round++)
		closes_what_it_holds();
	is(wrong, 0, "requests beyond the end that another server was handed");
	return done();
}
