/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The disk of an ordinary user's device opens for its owner alone, whatever the mode of
 * its node: neither for another user nor for root. The control node is born the owner's,
 * and root's disks open for those whom the mode lets in. No more than 1 % of the dirty pages may
 * be a user's disk's; root's has no such limit.
 */
#include "abuse.h"

#define OWNER	4242
#define OTHER	4343

static struct device *d;

static int open_disk(void *arg)
{
	int fd = open(d->disk, arg ? O_RDWR : O_RDONLY);

	return fd < 0 ? errno : 0;
}

static int open_node(void *arg)
{
	int fd = open(d->node, O_RDWR);

	(void)arg;
	return fd < 0 ? errno : 0;
}

static int add(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };
	struct abuse_params p = params_of(1 * MIB);
	int fd, ret;

	(void)arg;
	ret = device_add(&a);
	if (ret)
		return -ret;
	*d = device_of(a.number);
	if (!wait_for((fd = open(d->node, O_RDWR)) >= 0))
		return errno;
	return -set_params(fd, &p);
}

/* A value of /sys/class/bdi for the disk; -1: this kernel has none. */
static int writeback(const char *name)
{
	char path[96];
	struct stat st;
	FILE *file;
	int value = -1;

	need(!stat(d->disk, &st), "%s", d->disk);
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/%s", major(st.st_rdev),
		 minor(st.st_rdev), name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	need(fscanf(file, "%d", &value) == 1, "a number in %s", path);
	fclose(file);
	return value;
}

static bool is_refused(int error)
{
	return error == EACCES || error == EPERM;
}

int main(void)
{
	test_begin();
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	is(run_as(OWNER, add, NULL), 0, "an ordinary user adds and sets up a device");
	node_for_all(d->disk);
	is(run_as(OWNER, open_disk, NULL), 0, "its owner opens the disk");
	is(run_as(OWNER, open_disk, d), 0, "its owner opens the disk to write");
	ok(is_refused(run_as(OTHER, open_disk, NULL)), "another user does not");
	ok(is_refused(run_as(OTHER, open_disk, d)), "another user does not, to write");
	is(run_as(0, open_disk, NULL), ENXIO, "nor does root");
	is(run_as(0, open_node, NULL), 0, "though root opens the control node");
	ok(is_refused(run_as(OTHER, open_node, NULL)), "another user opens no control node");
	is(run_as(OWNER, open_node, NULL), 0, "its owner does");

	is(writeback("max_ratio"), 1, "per cent of the dirty pages that may be a user's disk's");
	if (writeback("strict_limit") >= 0)
		is(writeback("strict_limit"), 1, "even while there are few in all");

	/* Root's: the mode of the node decides. */
	*d = device_new();
	node_for_all(d->disk);
	is(run_as(OTHER, open_disk, NULL), 0, "any user opens it");
	need(!chmod(d->disk, 0600), "chmod");
	ok(is_refused(run_as(OTHER, open_disk, NULL)), "with mode 0600 none does");
	is(writeback("max_ratio"), 100, "per cent of the dirty pages that may be root's disk's");
	if (writeback("strict_limit") >= 0)
		is(writeback("strict_limit"), 0, "nor is it strict");
	return done();
}
