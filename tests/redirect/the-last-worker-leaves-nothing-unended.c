/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * As many requests sleep in their file as there are workers, and one that was done just
 * before the last of them is ended all the same: nobody else would be there to end it.
 */
/* timeout: 120 */
#include "redirect.h"

#define WORKERS	128	/* ABUSE_LANE_WORKERS */
#define STEP	(64 * KIB)
#define SIZE	((WORKERS + 1) * STEP)
#define QUICK	(WORKERS - 1)

static struct io *ios[WORKERS + 1];
static struct abuse_request requests[WORKERS + 1];
static struct abuse_reply replies[WORKERS + 1];

static int by_sector(const void *a, const void *b)
{
	const struct abuse_request *x = a, *y = b;

	return x->sector < y->sector ? -1 : x->sector > y->sector;
}

int main(void)
{
	unsigned char *bytes = memory_new(4096);
	int ctl, low, slow, quick, index;
	struct device upper, lower;
	struct abuse_request q;

	test_begin();
	lower = device_new_depth(1, 256);
	set_up(&lower, SIZE, 0);
	low = server_open(&lower);
	upper = device_new_depth(1, 256);
	set_up(&upper, SIZE, 0);
	ctl = server_open(&upper);

	/* Through the page cache, whose readers sleep; each of its own page. */
	index = disk_open(&lower, O_RDONLY);
	need(!posix_fadvise(index, 0, 0, POSIX_FADV_RANDOM), "no reading ahead");
	slow = file_register(ctl, index);
	quick = file_register(ctl, file_new("/dev/shm", SIZE, 5, O_RDWR));
	need(slow >= 0 && quick >= 0, "REGISTER_FILE");

	for (int i = 0; i <= WORKERS; i++)
		ios[i] = io_read(&upper, i * STEP, 4096);
	fetch_all(ctl, requests, WORKERS + 1, NULL, 0);
	qsort(requests, WORKERS + 1, sizeof(requests[0]), by_sector);
	for (int i = 0; i <= WORKERS; i++)
		replies[i] = (struct abuse_reply) {
			.id = requests[i].id, .flags = ABUSE_REPLY_REDIRECT,
			.address = requests[i].sector * 512,
			.file = i == QUICK ? quick : slow,
		};
	is(exchange_both(ctl, replies, WORKERS + 1, NULL, 0, NULL, 0, NO_WAIT), 0,
	   "a call redirects them all");
	ok(wait_for(attribute_number(&lower, "queued") == WORKERS),
	   "all but one sleep in their file (%lld)", (long long)attribute_number(&lower, "queued"));
	ok(wait_for(ios[QUICK]->done), "that one is ended");

	for (int i = 0; i < WORKERS; i++) {
		q = fetch_one(low, NULL, 0);
		need(!reply(low, q.id, 0, bytes), "the file to answer");
	}
	for (int i = 0; i <= WORKERS; i++)
		need(!io_end(ios[i]), "the reader");
	is(reset(ctl), 0, "RESET");
	return done();
}
