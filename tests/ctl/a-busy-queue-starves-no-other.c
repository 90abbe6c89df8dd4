/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * With a queue limit, readers who keep the queue of one processor full leave one that reads
 * from another processor its share: it need not wait until they pause.
 */
#include "recorder.h"

#define FLOODERS	24
#define LIMIT		8
#define READS		50
#define FAIR		100	/* reads of the others for one; 50 are seen, and 130 to 700 where they starve it */
#define STARVED		(20 * READS * FAIR)

static struct device d;
static _Atomic bool stop;
static _Atomic unsigned int flood;

/* Takes what there is, sleeps, answers all of it. */
static int server_main(void *arg)
{
	struct abuse_request q[LIMIT];
	struct abuse_reply a[LIMIT];
	int fd = server_open(&d), n = 0;

	(void)arg;
	memset(a, 0, sizeof(a));
	while (!stop || n > 0) {
		n = exchange_both(fd, a, n > 0 ? n : 0, q, LIMIT, NULL, 0, 50 * MSEC);
		for (int i = 0; i < n; i++)
			a[i] = (struct abuse_reply){ .id = q[i].id, .flags = ABUSE_REPLY_ZERO };
		nap_ms(1);
	}
	close(fd);
	return 0;
}

static void *flooder_main(void *unused)
{
	int fd = disk_open(&d, O_RDONLY | O_DIRECT);
	void *data = memory_new(4096);

	(void)unused;
	need(!pin(0), "a processor");
	while (!stop) {
		need(pread(fd, data, 4096, 0) == 4096, "a read");
		flood++;
	}
	close(fd);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/*
 * How many the others did for each read of ours, at most, but for a tenth of these: the
 * processor of ours may stand still for a while. STARVED if it came to nothing.
 */
static unsigned int reads_of_others(void)
{
	int fd = disk_open(&d, O_RDONLY | O_DIRECT);
	void *data = memory_new(4096);
	unsigned int others[READS], n = 0, begin = flood;

	while (n < READS && flood - begin < STARVED) {
		unsigned int before = flood;

		need(pread(fd, data, 4096, 4096) == 4096, "a read");
		others[n++] = flood - before;
	}
	close(fd);
	qsort(others, n, sizeof(*others), by_size);
	printf("# %u reads, the others did %u\n", n, flood - begin);
	return n < READS ? STARVED : others[n * 9 / 10];
}

int main(void)
{
	struct abuse_params p = params_of(MIB);
	pthread_t threads[FLOODERS];
	unsigned int others;
	struct job server;

	test_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("needs two processors");
	d = device_new_depth(2, 64);
	p.queue_limit = LIMIT;
	set_up_as(&d, &p);
	job_start(&server, server_main, NULL);
	for (int i = 0; i < FLOODERS; i++)
		need(!pthread_create(&threads[i], NULL, flooder_main, NULL), "a thread");
	need(wait_for(flood > 2 * FLOODERS), "the flood");
	need(!pin(1), "a processor");
	others = reads_of_others();
	ok(others <= FAIR, "for a read from another processor the flood does %u", others);
	stop = true;
	for (int i = 0; i < FLOODERS; i++)
		pthread_join(threads[i], NULL);
	is(job_wait(&server, "the server"), 0, "the server");
	return done();
}
