/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Each batch goes to a file that is opened, registered, unregistered and closed around
 * the call: asynchronous I/O is then all that keeps it. Thousands of reads by several
 * threads each get their bytes, once.
 */
/* timeout: 120 */
#include "redirect.h"

#define SIZE	(8 * MIB)
#define BLOCKS	(SIZE / 4096)
#define READERS	8
#define SECONDS	10

static struct device d;
static char path[] = "/var/tmp/abuse-test-XXXXXX";
static _Atomic int over;
static _Atomic unsigned int nr_reads, nr_wrong;

static void put(uint64_t *block, uint64_t n)
{
	for (int i = 0; i < 512; i++)
		block[i] = n << 16 | i;
}

static void make_file(void)
{
	uint64_t *block = memory_new(4096);
	int fd = mkstemp(path);

	need(fd >= 0, "a file");
	for (uint64_t n = 0; n < BLOCKS; n++) {
		put(block, n);
		need(write(fd, block, 4096) == 4096, "its bytes");
	}
	need(!fsync(fd), "fsync");
	close(fd);
}

static void redirect_batch(int ctl, struct abuse_request *requests, int n)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC), index;
	struct abuse_reply replies[32];

	need(fd >= 0, "the file");
	index = file_register(ctl, fd);
	need(index >= 0, "REGISTER_FILE");
	for (int i = 0; i < n; i++)
		replies[i] = (struct abuse_reply) {
			.id = requests[i].id, .flags = ABUSE_REPLY_REDIRECT,
			.address = requests[i].sector * 512, .file = index,
		};
	need(!exchange_both(ctl, replies, n, NULL, 0, NULL, 0, NO_WAIT), "the call");
	need(!file_unregister(ctl, index), "UNREGISTER_FILE");
	close(fd);
}

static void *serve(void *arg)
{
	struct abuse_request requests[32];
	int ctl = server_open(&d), n;

	while (!over || *(_Atomic int *)arg) {
		n = fetch(ctl, requests, 32, NULL, 0, SEC / 10);
		if (n > 0)
			redirect_batch(ctl, requests, n);
	}
	close(ctl);
	return NULL;
}

static void *read_on(void *arg)
{
	uint64_t *block = memory_new(4096), *want = memory_new(4096);
	unsigned int seed = (uintptr_t)arg;
	int fd = disk_open(&d, O_RDONLY | O_DIRECT);

	while (!over) {
		uint64_t n = (unsigned int)rand_r(&seed) % BLOCKS;

		put(want, n);
		memset(block, 0, 4096);
		nr_wrong += pread(fd, block, 4096, n * 4096) != 4096 ||
			    memcmp(block, want, 4096);
		nr_reads++;
	}
	close(fd);
	return NULL;
}

int main(void)
{
	pthread_t server, readers[READERS];
	_Atomic int nr_readers = READERS;
	int ctl;

	test_begin();
	make_file();
	d = device_new();
	set_up(&d, SIZE, 0);
	need(!pthread_create(&server, NULL, serve, &nr_readers), "a thread");
	for (uintptr_t i = 0; i < READERS; i++)
		need(!pthread_create(&readers[i], NULL, read_on, (void *)(i + 1)), "a thread");
	nap_ms(SECONDS * 1000);
	over = 1;
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	nr_readers = 0;
	pthread_join(server, NULL);
	unlink(path);
	printf("# %u reads\n", nr_reads);
	ok(nr_reads > 100, "reads");
	is(nr_wrong, 0, "of which have other bytes");
	is(attribute_number(&d, "redirected"), 0, "nothing is with a file any more");
	ok(wait_for(attribute_number(&d, "served") == nr_reads), "each was answered once");
	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	return done();
}
