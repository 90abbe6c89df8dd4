/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Two processes of 2009 get the same request and both answer: the first
 * answer counts, the second is ENOMSG, every request is ended exactly once.
 */
/* build: m32 */
#include "abuse.h"

#define TURNS 40

struct shared {
	struct device d;
	_Atomic int turn[2];	/* turns that this one has got its request in */
	_Atomic int done[2];
	_Atomic int won[2];
	_Atomic int lost[2];
	_Atomic int odd[2];
};

static struct shared *s;

static int server(void *arg)
{
	int me = *(int *)arg, fd = open(s->d.node, O_RDONLY);
	struct bio bio;
	char *data = memory_new(65536);

	for (int i = 0; i < TURNS; i++) {
		int ret;

		if (!wait_for((ret = get_bio(fd, &bio)) != -ENOMSG) || ret)
			return 2;
		pattern_fill(data, 4096, me);
		bio_point(&bio, data);
		s->turn[me]++;
		if (!wait_for(s->turn[!me] > i))	/* both have it */
			return 3;
		ret = put_bio(fd, &bio, ABUSE_RESULT_OKAY);
		if (!ret)
			s->won[me]++;
		else if (ret == -ENOMSG)
			s->lost[me]++;
		else
			s->odd[me]++;
		s->done[me]++;
		if (!wait_for(s->done[!me] > i))
			return 4;
	}
	return 0;
}

int main(void)
{
	int one = 0, two = 1, failed = 0, mixed = 0;
	pid_t a, b;

	test_begin();
	s = memory_new(sizeof(*s));
	s->d = device_new();
	set_up_2009(&s->d, 1 * MIB, 4096, 128);
	a = child_start(server, &one);
	b = child_start(server, &two);
	for (int i = 0; i < TURNS; i++) {
		struct io *io = io_read(&s->d, 0, 4096);

		if (io_wait(io))
			failed++;
		else if (!pattern_is(io->data, 4096, 0) &&
			 !pattern_is(io->data, 4096, 1))
			mixed++;
		if (!wait_for(s->done[0] > i && s->done[1] > i))
			break;
		io_free(io);
	}
	is(child_wait(a), 0, "exit status of the first server");
	is(child_wait(b), 0, "exit status of the second server");
	is(failed, 0, "reads that failed");
	is(mixed, 0, "reads with bytes of both");
	is(s->won[0] + s->won[1], TURNS, "answers that counted");
	is(s->lost[0] + s->lost[1], TURNS, "answers that came second");
	is(s->odd[0] + s->odd[1], 0, "anything else");
	return done();
}
