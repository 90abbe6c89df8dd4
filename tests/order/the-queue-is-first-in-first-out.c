/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Requests of a hardware queue are handed out in the order in which they came,
 * whatever their kind and the number of calls that fetch them; of several queues
 * none is forgotten. That holds for the requests of one read, too, which come together.
 */
#include "abuse.h"

#define N	24

/* Queues N requests, one after the other, from alternating processors. */
static void queue(const struct device *d, struct io **io)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (int i = 0; i < N; i++) {
		/* Not ascending on the disk. */
		uint64_t at = (uint64_t)(i * 7 % N) * 64 * KIB;

		need(!pin(i % cpus), "a processor");
		io[i] = i % 3 ? io_read(d, at, 4096) : io_write(d, at, 4096, i);
		need(wait_for(attribute_number(d, "queued") == i + 1), "queued");
	}
}

/* Which request of queue() it is. */
static int number_of(const struct abuse_request *q)
{
	int i = 0;

	while (q->sector != (uint64_t)(i * 7 % N) * 128)
		i++;
	return i;
}

static void take(const struct device *d, const unsigned int *batches,
		 unsigned int queues)
{
	struct io *io[N];
	struct abuse_request q[N];
	char *data = memory_new(4096);
	char *buffer = memory_new(2 * MIB);
	int fd = server_open(d), n = 0, wrong = 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int last[2] = { -1, -1 };

	queue(d, io);
	while (n < N) {
		unsigned int max = *batches ? *batches++ : N;
		int got = fetch(fd, q + n, max, buffer, 2 * MIB, NO_WAIT);

		need(got > 0 && got <= (int)max, "a batch (got %d)", got);
		n += got;
	}
	for (int i = 0; i < n; i++) {
		int number = number_of(&q[i]);
		int *before = &last[queues == 1 ? 0 : number % cpus % queues];

		wrong += number <= *before;
		*before = number;
	}
	is(wrong, 0, "requests out of turn");
	for (int i = 0; i < n; i++)
		is(reply(fd, q[i].id, 0, data), 0, "answer");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its caller");
	close(fd);
}

static void take_a_plug(void)
{
	enum { PIECES = 16 };
	struct device d = device_new_depth(1, 64);
	struct abuse_params p = params_of(PIECES * 64 * KIB);
	struct abuse_request q[PIECES];
	char *buffer = memory_new(2 * MIB);
	int fd, wrong = 0;
	struct io *io;

	printf("# one read of %d requests\n", PIECES);
	p.max_request = 64 * KIB;
	set_up_as(&d, &p);
	fd = server_open(&d);
	io = io_read(&d, 0, PIECES * 64 * KIB);
	need(wait_for(attribute_number(&d, "queued") == PIECES), "queued");
	is(fetch(fd, q, PIECES, buffer, 2 * MIB, NO_WAIT), PIECES, "requests");
	for (unsigned int i = 0; i < PIECES; i++)
		wrong += q[i].sector != i * 128;
	is(wrong, 0, "requests out of turn");
	for (unsigned int i = 0; i < PIECES; i++)
		is(reply(fd, q[i].id, 0, buffer), 0, "answer");
	is(io_end(io), 0, "its caller");
	close(fd);
}

int main(void)
{
	static const unsigned int one[N + 1] = {
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	};
	static const unsigned int some[] = { 1, 3, 2, 7, 1, 0 }, all[] = { 0 };
	const unsigned int *batches[] = { one, some, all };

	test_begin();
	for (int queues = 1; queues <= 2; queues++)
		for (int i = 0; i < 3; i++) {
			struct device d = device_new_depth(queues, 64);

			printf("# %d hardware queues\n", queues);
			set_up(&d, N * 64 * KIB, 0);
			take(&d, batches[i], queues);
		}
	take_a_plug();
	return done();
}
