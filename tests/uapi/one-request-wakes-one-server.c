/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A request wakes one of the servers that sleep in exchange, on whatever queue's processor,
 * and none as long as another one looks before it sleeps: that one takes request after
 * request without being put to sleep and woken for each.
 */
/* timeout: 120 */
#include "waiter.h"

#define SERVERS	6
#define ONE_BY_ONE 100
#define IN_A_ROW 40

static struct device d;
static struct waiter waiters[SERVERS];
static unsigned char *data;
static int disk;
static unsigned int rows, fewest = -1;

static void begin(unsigned int hw_queues)
{
	d = device_new_depth(hw_queues, 0);
	set_up(&d, MIB, 0);
	disk = disk_open(&d, O_RDONLY | O_DIRECT);
}

static void end(unsigned int servers)
{
	int fd = server_open(&d);

	is(reset(fd), 0, "RESET");
	for (unsigned int i = 0; i < servers; i++)
		waiter_end(&waiters[i]);
	close(fd);
	close(disk);
}

static void read_once(void)
{
	need(pread(disk, data, 4096, 0) == 4096, "a read");
}

static unsigned int sleeps(unsigned int servers)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < servers; i++)
		n += waiter_sleeps(&waiters[i]);
	return n;
}

static bool all_sleep(void)
{
	for (int i = 0; i < SERVERS; i++)
		if (!waiter_is_asleep(&waiters[i]))
			return false;
	return true;
}

static void one_wakes(unsigned int hw_queues)
{
	unsigned int n;

	begin(hw_queues);
	for (unsigned int i = 0; i < SERVERS; i++)
		waiter_start(&waiters[i], &d, i % 2, 0);
	n = sleeps(SERVERS);
	for (int i = 0; i < ONE_BY_ONE; i++) {
		need(!pin(i / 2 % 2), "a processor");
		read_once();
		need(wait_for(all_sleep()), "all to sleep again");
	}
	n = sleeps(SERVERS) - n;
	printf("# %u queues, %d servers: %u sleeps for %d requests\n", hw_queues, SERVERS,
	       n, ONE_BY_ONE);
	ok(n >= ONE_BY_ONE, "each request woke a server");
	ok(n < 2 * ONE_BY_ONE, "and no other one");
	end(SERVERS);
}

/* Of two servers, one of which looks; a busy host lets it look in vain for a while. */
static bool few_sleep(void)
{
	unsigned int n = sleeps(2);

	for (int i = 0; i < IN_A_ROW; i++)
		read_once();
	n = sleeps(2) - n;
	rows++;
	fewest = n < fewest ? n : fewest;
	return n < IN_A_ROW / 2;
}

static void none_is_woken(void)
{
	begin(1);
	keep_awake(0);
	waiter_start(&waiters[0], &d, 1, MSEC);
	waiter_start(&waiters[1], &d, 0, 0);
	need(!pin(0), "a processor");
	ok(wait_for(few_sleep()), "who looks is neither put to sleep nor helped each time");
	printf("# %u sleeps for %d requests, in the best of %u rows\n", fewest, IN_A_ROW,
	       rows);
	end(2);
}

int main(void)
{
	test_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("needs two processors");
	data = memory_new(4096);
	one_wakes(1);
	one_wakes(2);
	none_is_woken();
	return done();
}
