/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The memory in which a descriptor notes results of GET_BIO, 8 bytes for each request of the device, is
 * charged to the memory cgroup of the process that called it.
 */
#include "cgroup.h"
#include <sys/resource.h>

#define USER		4242
#define DESCRIPTORS	900

static struct device *d;

/* Kernel memory of this process's cgroup, in KiB. */
static long long charged(void)
{
	FILE *file = fopen(CGROUP "/memory.current", "re");
	long long bytes = -1;

	need(file && fscanf(file, "%lld", &bytes) == 1, "memory.current");
	fclose(file);
	return bytes >> 10;
}

static int user(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY,
			       .hw_queues = 4, .depth = 1024 };
	struct rlimit files = { DESCRIPTORS + 64, DESCRIPTORS + 64 };
	struct abuse_params p = params_of(1 * MIB);
	long long before, wanted;
	struct bio bio;
	int fd;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &files) || device_add(&a))
		return 1;
	*d = device_of(a.number);
	if (!wait_for((fd = open(d->node, O_RDWR)) >= 0) || set_params(fd, &p) ||
	    get_params(fd, &p))
		return 2;
	before = charged();
	/* 8 bytes for each request of the device, in each descriptor. */
	wanted = 8LL * p.hw_queues * p.depth * DESCRIPTORS >> 10;
	for (int i = 0; i < DESCRIPTORS; i++) {
		fd = open(d->node, O_RDONLY);
		if (fd < 0 || get_bio(fd, &bio) != -ENOMSG)
			return 3;
	}
	ok(charged() - before >= wanted, "%lld KiB are charged, at least %lld wanted",
	   charged() - before, wanted);
	return test_failures ? 4 : 0;
}

static int in_group(void *arg)
{
	cgroup_join();
	return run_as_child(arg);
}

int main(void)
{
	test_begin();
	cgroup_new();
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	is(child_wait(child_start(in_group, &(struct run_as){ USER, user, NULL })), 0,
	   "an ordinary user with many descriptors");
	return done();
}
