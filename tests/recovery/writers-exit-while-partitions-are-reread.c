/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Writers are killed with I/O in flight, so that their last close writes back, while
 * the partition table is read again in a loop and one server answers: a final close
 * that were to run in the server would wait for that server for ever.
 */
/* timeout: 120 */
#include "race.h"

#define WRITERS	3

static struct race *r;
static _Atomic unsigned long scans, refused;

static int scanner(void *arg)
{
	(void)arg;
	while (!r->stop) {
		int fd = open(r->d.disk, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		/* Somebody else does it at this moment, or nobody has served yet. */
		if (!ioctl(fd, BLKRRPART))
			scans++;
		else if (errno == EBUSY || errno == EINVAL)
			refused++;
		else
			race_note(r, errno, "BLKRRPART");
		close(fd);
	}
	return 0;
}

/* Buffered and direct writes, until it is killed. */
static int writer(void *arg)
{
	unsigned char *data = memory_new(64 * KIB);
	int fd[2];

	close_all_above_2();
	fd[0] = open(r->d.disk, O_RDWR | O_CLOEXEC);
	fd[1] = open(r->d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	for (unsigned int i = 0;; i++) {
		if (pwrite(fd[i % 2], data, 64 * KIB,
			   1 * MIB + (((uintptr_t)arg + i) % 32) * 64 * KIB) < 0)
			return 1;
		r->good++;
	}
}

int main(void)
{
	struct abuse_params p = params_of(RACE_SIZE);
	unsigned long n = 0, served;
	pid_t pid[WRITERS];
	struct device d;
	double begin;
	int stuck = 0;

	test_begin();
	need(!module_reload("max_part=15"), "the module with max_part=15");
	d = device_new_depth(1, 32);
	r = race_new(d, false);
	p.flags = ABUSE_PARAMS_SEALED;
	set_up_as(&d, &p);
	race_job(r, race_server_main, r);
	race_job(r, scanner, NULL);
	for (begin = now(); race_goes_on(r, begin, n) && !stuck; n++) {
		served = r->answered;
		for (uintptr_t i = 0; i < WRITERS; i++)
			pid[i] = child_start(writer, (void *)(i * 11));
		need(wait_for(r->answered > served + 3), "I/O of the writers");
		for (int i = 0; i < WRITERS; i++)
			kill(pid[i], SIGKILL);
		for (int i = 0; i < WRITERS; i++)
			stuck += child_wait(pid[i]) != 256 + SIGKILL;
	}
	is(stuck, 0, "writers that were not gone at once");
	ok(scans > 0, "the table was read again meanwhile (%lu times, refused %lu times)",
	   scans, refused);
	race_end(r, "killed writers", n);
	return done();
}
