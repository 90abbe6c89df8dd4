/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Of requests that one call redirects, each begins, and each that can be done is done,
 * although others sleep in their file: here another of our disks, which does not answer.
 * Later requests are done as well, and those that slept end when their file answers.
 */
/* timeout: 120 */
#include "redirect.h"

#define PAIRS	12
#define STEP	(64 * KIB)
#define SIZE	(2 * PAIRS * STEP)

static struct device upper, lower;
static struct io *ios[2 * PAIRS];
static int ctl;

/* Every other one to the disk that does not answer, which comes first. */
static void redirect_all(unsigned int slow, unsigned int quick)
{
	struct abuse_request requests[2 * PAIRS];
	struct abuse_reply replies[2 * PAIRS];

	fetch_all(ctl, requests, 2 * PAIRS, NULL, 0);
	for (int i = 0; i < 2 * PAIRS; i++)
		replies[i] = (struct abuse_reply) {
			.id = requests[i].id, .flags = ABUSE_REPLY_REDIRECT,
			.address = requests[i].sector * 512,
			.file = requests[i].sector * 512 / STEP % 2 ? quick : slow,
		};
	is(exchange_both(ctl, replies, 2 * PAIRS, NULL, 0, NULL, 0, NO_WAIT), 0,
	   "a call redirects them all");
	for (int i = 0; i < 2 * PAIRS; i++)
		need(!replies[i].status, "reply %d to be taken", i);
}

static int nr_done(int first)
{
	int n = 0;

	for (int i = first; i < 2 * PAIRS; i += 2)
		n += ios[i]->done;
	return n;
}

int main(void)
{
	struct abuse_request q;
	unsigned char *bytes;
	int low, slow, quick, index;
	struct io *io;

	test_begin();
	bytes = memory_new(4096);
	pattern_fill(bytes, 4096, 9);
	lower = device_new();
	set_up(&lower, SIZE, 0);
	low = server_open(&lower);
	upper = device_new();
	set_up(&upper, SIZE, 0);
	ctl = server_open(&upper);

	/* Through the page cache, whose readers sleep; each of its own page. */
	slow = disk_open(&lower, O_RDONLY);
	need(!posix_fadvise(slow, 0, 0, POSIX_FADV_RANDOM), "no reading ahead");
	quick = file_new("/dev/shm", SIZE, 5, O_RDWR);
	slow = file_register(ctl, slow);
	need(slow >= 0, "REGISTER_FILE");
	index = file_register(ctl, quick);
	need(index >= 0, "REGISTER_FILE");

	for (int i = 0; i < 2 * PAIRS; i++)
		ios[i] = io_read(&upper, i * STEP, 4096);
	redirect_all(slow, index);
	ok(wait_for(nr_done(1) == PAIRS), "what can be done is done");
	ok(wait_for(attribute_number(&lower, "queued") == PAIRS),
	   "what sleeps has begun, each");
	is(nr_done(0), 0, "and waits for its file");
	is(attribute_number(&upper, "redirected"), PAIRS, "redirected");

	io = io_read(&upper, STEP, 4096);
	q = fetch_one(ctl, NULL, 0);
	is(redirect(ctl, q.id, index, STEP), 0, "one that comes later");
	is(io_end(io), 0, "is done");

	for (int i = 0; i < PAIRS; i++) {
		q = fetch_one(low, NULL, 0);
		need(!reply(low, q.id, 0, bytes), "the file to answer");
	}
	for (int i = 0; i < 2 * PAIRS; i++) {
		is(io_wait(ios[i]), 0, "the reader");
		ok(i % 2 || pattern_is(ios[i]->data, 4096, 9), "has the file's bytes");
		io_free(ios[i]);
	}
	is(reset(ctl), 0, "RESET");
	return done();
}
