/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The memory in which a descriptor notes results of GET_BIO, 8 bytes for each request of the device, is
 * charged to the memory cgroup of the process that called it.
 */
#include "abuse.h"
#include <sys/resource.h>

#define GROUP		"/sys/fs/cgroup/abuse-memory"
#define USER		4242
#define DESCRIPTORS	900

static struct device *d;

static void group_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	need(fd >= 0 && write(fd, text, strlen(text)) > 0, "'%s' in %s", text, path);
	close(fd);
}

/* Kernel memory of this process's cgroup, in KiB. */
static long long charged(void)
{
	FILE *file = fopen(GROUP "/memory.current", "re");
	long long bytes = -1;

	need(file && fscanf(file, "%lld", &bytes) == 1, "memory.current");
	fclose(file);
	return bytes >> 10;
}

static int join(void)
{
	int fd = open(GROUP "/cgroup.procs", O_WRONLY);

	return fd < 0 || write(fd, "0", 1) != 1;
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
	return join() ? 255 : run_as_child(arg);
}

static void remove_group(void)
{
	if (getpid() == test_main_pid)
		wait_for_within(10, !rmdir(GROUP) || errno == ENOENT);
}

int main(void)
{
	test_begin();
	if (shell("grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null"))
		skip("no cgroup2 with the memory controller here");
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	group_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	need(!mkdir(GROUP, 0755) || errno == EEXIST, "a cgroup");
	atexit(remove_group);
	is(child_wait(child_start(in_group, &(struct run_as){ USER, user, NULL })), 0,
	   "an ordinary user with many descriptors");
	return done();
}
