/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A processor goes offline and comes back while requests that it submitted wait for a
 * server, on a device with a hardware queue for each: the kernel waits for none of them,
 * and a server that comes later answers them all. Devices that were removed before are
 * asked for nothing: their queues went with them.
 */
/* timeout: 150 */
#include "recorder.h"

#define CPU	"/sys/devices/system/cpu/cpu1/online"
#define N	4
#define GONE	1000	/* each takes several grace periods of RCU, so some at once */
#define FEWEST	100	/* on a machine that is too slow for all of them */
#define THREADS	20

static int online(const char *value)
{
	int fd = open(CPU, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, value, 1) != 1 ? errno : 0;

	close(fd);
	return ret;
}

static int switch_to(void *arg)
{
	return online(arg);
}

static _Atomic int nr_gone;

static int come_and_go(void *unused)
{
	double end = now() + stretched(60);

	(void)unused;
	for (int i = 0; i < GONE / THREADS && now() < end; i++) {
		struct abuse_add add = {
			.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .hw_queues = 1 + i % 2, .depth = 32,
		};
		int ret = device_add(&add);

		if (!ret)
			ret = device_remove(add.number);
		if (ret)
			return ret;
		nr_gone++;
	}
	return 0;
}

static void cpu_on(void)
{
	if (getpid() == test_main_pid)
		online("1");
}

/* A thread stays where its maker was. */
static struct io *read_on(const struct device *d, int cpu, uint64_t at)
{
	cpu_set_t cpus;
	struct io *io;

	need(!pin(cpu), "processor %d", cpu);
	io = io_read(d, at, 4096);
	memset(&cpus, 0xff, sizeof(cpus));
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return io;
}

int main(void)
{
	struct io *io[2 * N], *late;
	unsigned char *store;
	struct device d;
	struct ram *ram;
	struct job job, jobs[THREADS];

	test_begin();
	if (access(CPU, W_OK))
		skip("no processor here that can go offline");
	/* However slow the machine is: what waits here does so until it is served. */
	need(!module_reload("unserved_timeout=0"), "modprobe abuse");
	atexit(cpu_on);
	for (int i = 0; i < THREADS; i++)
		job_start(&jobs[i], come_and_go, NULL);
	for (int i = 0; i < THREADS; i++)
		need(wait_for_within(stretched(100), jobs[i].done) &&
		     !job_wait(&jobs[i], "devices to come and go"), "devices to come and go");
	printf("# %d devices have come and gone\n", nr_gone);
	need(nr_gone >= FEWEST, "at least %d of them", FEWEST);
	store = memory_new(2 * MIB);
	for (int queues = 1; queues <= 2; queues++) {
		printf("# %d hardware queues\n", queues);
		d = device_new_depth(queues, 32);
		set_up(&d, 2 * MIB, 0);
		for (int i = 0; i < 2 * N; i++)
			io[i] = read_on(&d, i % 2, i * 64 * KIB);
		need(wait_for(attribute_number(&d, "queued") == 2 * N), "all are queued");

		job_start(&job, switch_to, "0");
		is(job_wait(&job, "the processor to go offline"), 0, "offline");
		ok(!io[0]->done && !io[1]->done, "the requests still wait");
		late = read_on(&d, 0, 1 * MIB);
		need(wait_for(attribute_number(&d, "queued") == 2 * N + 1), "one more");
		ram = ram_start(&d, store, 2 * MIB);
		for (int i = 0; i < 2 * N; i++)
			is(io_end(io[i]), 0, "a read of before");
		is(io_end(late), 0, "a read of meanwhile");
		job_start(&job, switch_to, "1");
		is(job_wait(&job, "the processor to come back"), 0, "online");
		is(io_end(read_on(&d, 1, 0)), 0, "a read from it");
		ram_stop(ram);
		is(device_remove(d.number), 0, "REMOVE");
	}
	return done();
}
