/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests are handed out in the order in which they came, whatever their kind, the
 * hardware queue they came through and the number of calls that fetch them.
 */
#include "abuse.h"

#define N	24

static int pin(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

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

static void take(const struct device *d, const unsigned int *batches)
{
	struct io *io[N];
	struct abuse_request q[N];
	char *data = memory_new(4096);
	char *buffer = memory_new(2 * MIB);
	int fd = server_open(d), n = 0, wrong = 0;

	queue(d, io);
	for (int i = 0; n < N; i++) {
		unsigned int max = batches[i] ? batches[i] : N;
		int got = fetch(fd, q + n, max, buffer, 2 * MIB, NO_WAIT);

		need(got > 0 && got <= (int)max, "a batch (got %d)", got);
		n += got;
		if (!batches[i])
			break;
	}
	is(n, N, "handed out");
	for (int i = 0; i < n; i++)
		wrong += q[i].sector != (uint64_t)(i * 7 % N) * 128;
	is(wrong, 0, "requests out of turn");
	for (int i = 0; i < n; i++)
		is(reply(fd, q[i].id, 0, data), 0, "answer");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its caller");
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
			take(&d, batches[i]);
		}
	return done();
}
