/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A user's device that always has something unanswered and completes, in one user_timeout,
 * less than user_floor bytes and less than user_floor_requests requests fails, though each
 * request is answered in time; one that reaches either, or is idle now and then, does not.
 * It is not idle while the next request waits for the tag of the one that was answered late.
 */
/* timeout: 90 */
#include "patience.h"

static struct device d;
static unsigned int time_out;		/* seconds */
static unsigned int held_ms;		/* each request of the slow server: well within one time-out */

struct load {
	_Atomic bool stop, failed;
	unsigned int length, pause_ms, phase_ms;
	uint64_t at;
	pthread_t thread;
};

/* Reads one piece after the other. */
static void *reader(void *arg)
{
	struct load *load = arg;
	void *data = memory_new(load->length);
	int fd = disk_open(&d, O_RDONLY | O_DIRECT);

	nap_ms(load->phase_ms);
	while (!load->stop && !load->failed) {
		if (pread(fd, data, load->length, load->at) != (ssize_t)load->length)
			load->failed = true;
		if (load->pause_ms)
			nap_ms(load->pause_ms);
	}
	close(fd);
	return NULL;
}

static void load_start(struct load *load)
{
	need(!pthread_create(&load->thread, NULL, reader, load), "a thread");
}

static bool load_end(struct load *load)
{
	load->stop = true;
	pthread_join(load->thread, NULL);
	return load->failed;
}

struct late {
	int fd;
	_Atomic bool stop;
	pthread_t thread;
};

/* One MiB in the middle, where nobody else reads. */
#define SLOW	(32 * MIB)

static bool is_slow(const struct abuse_request *q)
{
	return q->sector >= SLOW / 512 && q->sector < (SLOW + MIB) / 512;
}

/* Answers each request for that MiB held_ms after it came, others at once. */
static void *late_server(void *arg)
{
	static const struct abuse_request none;
	struct late *late = arg;
	struct { struct abuse_request q; double due; } held[16];
	unsigned int n = 0, i;

	while (!late->stop) {
		struct abuse_request q = none;
		int got = fetch(late->fd, &q, n < 16, NULL, 0, 5 * MSEC);

		if (got == 1) {
			held[n].q = q;
			held[n++].due = now() + (is_slow(&q) ? held_ms / 1000.0 : 0);
		}
		for (i = 0; i < n; i++) {
			if (now() < held[i].due)
				continue;
			reply_with(late->fd, held[i].q.id, 0, ABUSE_REPLY_ZERO, NULL);
			held[i--] = held[--n];
		}
	}
	for (i = 0; i < n; i++)
		reply_with(late->fd, held[i].q.id, 0, ABUSE_REPLY_ZERO, NULL);
	return NULL;
}

static struct late late;

/* Of a device that is not failing. */
static void late_start(int fd)
{
	need(io_is_served_again(&d, fd), "a device that works");
	late = (struct late){ .fd = fd };
	need(!pthread_create(&late.thread, NULL, late_server, &late), "a thread");
}

static void late_end(void)
{
	late.stop = true;
	pthread_join(late.thread, NULL);
}

/* Two readers whose requests overlap in time, so that something is always unanswered. */
static struct load a, b, c;

static void overlap_start(void)
{
	a = (struct load){ .length = 4096, .at = SLOW };
	b = (struct load){ .length = 4096, .at = SLOW + 65536, .phase_ms = held_ms / 2 };
	load_start(&a);
	load_start(&b);
}

static bool overlap_end(void)
{
	bool failed = load_end(&a);

	return load_end(&b) || failed;
}

static bool any_fails_within(double seconds)
{
	return wait_for_within(seconds, a.failed || b.failed || c.failed);
}

int main(void)
{
	double start;
	int fd;

	test_begin();
	time_out = stretched(3);
	held_ms = 350 * time_out;
	need(!module_reload("user_timeout=%u user_floor=1048576 user_floor_requests=40", time_out),
	     "modprobe abuse");
	d = users_device(8);
	fd = server_open(&d);

	late_start(fd);
	start = now();
	overlap_start();
	ok(any_fails_within(3.0 * time_out * stretched(1)), "answered just in time it fails");
	ok(now() - start >= time_out, "not before one time-out (%.2f s)", now() - start);
	overlap_end();
	late_end();
	ok(attribute_number(&d, "errors") > 0, "with errors");

	/* Idle between two requests, for longer than the gap that a late answer allows. */
	late_start(fd);
	a = b = (struct load){ };
	c = (struct load){ .length = 4096, .at = SLOW, .pause_ms = 60 * time_out };
	load_start(&c);
	ok(!any_fails_within(4.0 * time_out), "idle now and then it does not");
	ok(!load_end(&c), "no read failed");
	late_end();

	/* Enough requests, while others are slow. */
	late_start(fd);
	overlap_start();
	c = (struct load){ .length = 4096, .at = 2 * MIB, .pause_ms = 5 };
	load_start(&c);
	ok(!any_fails_within(3.0 * time_out), "with enough requests it does not");
	ok(!load_end(&c) & !overlap_end(), "no read failed");
	late_end();

	/* Enough bytes. */
	late_start(fd);
	overlap_start();
	c = (struct load){ .length = 256 * KIB, .at = 2 * MIB, .pause_ms = 150 };
	load_start(&c);
	ok(!any_fails_within(3.0 * time_out), "with enough bytes it does not");
	ok(!load_end(&c) & !overlap_end(), "no read failed");
	late_end();
	close(fd);

	/* One at a time. */
	d = users_device(1);
	fd = server_open(&d);
	late_start(fd);
	a = (struct load){ .length = 4096, .at = SLOW };
	b = c = (struct load){ };
	start = now();
	load_start(&a);
	ok(any_fails_within(3.0 * time_out * stretched(1)), "with one tag it fails, too");
	ok(now() - start >= time_out, "not before one time-out (%.2f s)", now() - start);
	load_end(&a);
	late_end();
	close(fd);
	return done();
}
