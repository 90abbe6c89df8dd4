/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * All workers of a processor sleep in files that do not answer, and the kernel cannot make
 * another: a request that was redirected to a file which does answer ends all the same.
 */
#include "redirect.h"

#define SLEEPERS	100
#define STEP		(64 * KIB)
#define SIZE		(SLEEPERS * STEP)
#define THREADS_MAX	"/proc/sys/kernel/threads-max"

static struct io *ios[SLEEPERS];
static struct abuse_request requests[SLEEPERS];
static struct abuse_reply replies[SLEEPERS];
static char threads_max[32];
static _Atomic bool over, restored;

static void set_threads_max(const char *value)
{
	int fd = open(THREADS_MAX, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		printf("# %s cannot be set\n", THREADS_MAX);
	close(fd);
}

/* Nobody can run a program until then, whatever becomes of this one. */
static void *restore(void *unused)
{
	wait_for(over);
	set_threads_max(threads_max);
	restored = true;
	return unused;
}

static void allow_no_threads(void)
{
	int fd = open(THREADS_MAX, O_RDONLY | O_CLOEXEC);
	pthread_t thread;

	need(fd >= 0 && read(fd, threads_max, sizeof(threads_max) - 1) > 0, "%s", THREADS_MAX);
	close(fd);
	need(!pthread_create(&thread, NULL, restore, NULL), "a thread");
	pthread_detach(thread);
	set_threads_max("20");
	need(pthread_create(&thread, NULL, restore, NULL), "no more threads");
}

int main(void)
{
	struct device sleepy, lower, awake;
	int ctl, low, fd, file, other, others_file;
	struct abuse_request q;
	unsigned char *bytes = memory_new(4096);
	struct io *io;

	test_begin();
	/* Workers are the processor's that redirects. */
	need(!pin(0), "to run on one processor");
	lower = device_new_depth(1, 256);
	set_up(&lower, SIZE, 0);
	low = server_open(&lower);
	sleepy = device_new_depth(1, 256);
	set_up(&sleepy, SIZE, 0);
	ctl = server_open(&sleepy);
	fd = disk_open(&lower, O_RDONLY);
	need(!posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), "no reading ahead");
	file = file_register(ctl, fd);
	awake = device_new_depth(1, 0);
	set_up(&awake, MIB, 0);
	other = server_open(&awake);
	others_file = file_register(other, file_new("/dev/shm", MIB, 3, O_RDWR));
	need(file >= 0 && others_file >= 0, "REGISTER_FILE");

	for (int i = 0; i < SLEEPERS; i++)
		ios[i] = io_read(&sleepy, i * STEP, 4096);
	fetch_all(ctl, requests, SLEEPERS, NULL, 0);
	io = io_read(&awake, 0, 4096);
	q = fetch_one(other, NULL, 0);
	for (int i = 0; i < SLEEPERS; i++)
		replies[i] = (struct abuse_reply) {
			.id = requests[i].id, .flags = ABUSE_REPLY_REDIRECT,
			.address = requests[i].sector * 512, .file = file,
		};

	allow_no_threads();
	is(exchange_both(ctl, replies, SLEEPERS, NULL, 0, NULL, 0, NO_WAIT), 0, "redirects to a file that sleeps");
	ok(wait_for(attribute_number(&lower, "queued") > 0), "workers sleep");
	is(redirect(other, q.id, others_file, 0), 0, "a redirect to one that does not");
	wait_for(io->done || restored);
	ok(io->done && !restored, "its read has ended");
	printf("# %lld of %d sleep\n", (long long)attribute_number(&lower, "queued"), SLEEPERS);
	ok(restored || attribute_number(&lower, "queued") < SLEEPERS, "with workers for some of the others only");
	over = true;
	wait_for(restored);

	for (int i = 0; i < SLEEPERS; i++) {
		q = fetch_one(low, NULL, 0);
		need(!reply(low, q.id, 0, bytes), "the file to answer");
	}
	for (int i = 0; i < SLEEPERS; i++)
		need(!io_end(ios[i]), "a reader");
	is(io_end(io), 0, "the read");
	is(reset(ctl), 0, "RESET");
	return done();
}
