/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Root opens a user's disk, and mounts it, only after CAP_SYS_ADMIN wrote 1 to the
 * attribute admitted: a program set-uid to root that the owner starts does not either.
 * Writing 0, RESET and a new set-up end the admission. The owner cannot write it. Root's
 * and sealed disks always open for root. A refused mount is explained in the kernel log.
 */
#include "abuse.h"

#define OWNER	4242

static struct device *d;

static int add(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };
	int ret = device_add(&a);

	(void)arg;
	*d = device_of(a.number);
	return -ret;
}

static int set_it_up(void *arg)
{
	struct abuse_params p = params_of(1 * MIB);
	int fd, ret;

	(void)arg;
	if (!wait_for((fd = open(d->node, O_RDWR)) >= 0))
		return errno;
	ret = set_params(fd, &p);
	close(fd);
	return -ret;
}

static int reset_it(void *arg)
{
	int fd = open(d->node, O_RDWR);

	(void)arg;
	return fd < 0 ? errno : -reset(fd);
}

static int open_disk(void *arg)
{
	int fd = open(d->disk, O_RDONLY | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? errno : 0;
}

static int admit(void *arg)
{
	return -attribute_write(d, "admitted", arg);
}

/* As a program set-uid to root has it: the real uid is the owner's. */
static int open_disk_set_uid(void *arg)
{
	(void)arg;
	return setresuid(OWNER, 0, 0) ? 255 : open_disk(NULL);
}

static int root_opens(void)
{
	return run_as(0, open_disk, NULL);
}

static bool log_says(const char *text)
{
	return !shell("dmesg | grep -qF '%s'", text);
}

static void seal(void)
{
	struct abuse_params p = params_of(1 * MIB);
	int fd = server_open(d);

	p.flags = ABUSE_PARAMS_SEALED;
	is(set_params(fd, &p), 0, "root seals it");
	close(fd);
}

int main(void)
{
	char explained[96];

	test_begin();
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	is(run_as(OWNER, add, NULL), 0, "an ordinary user adds a device");
	is(run_as(0, admit, "1"), ENXIO, "what is empty cannot be admitted");
	is(run_as(OWNER, set_it_up, NULL), 0, "its owner sets it up");
	is(attribute_number(d, "admitted"), 0, "admitted");
	is(root_opens(), ENXIO, "root's open");
	is(run_as(0, open_disk_set_uid, NULL), ENXIO, "that of a program set-uid to root");
	snprintf(explained, sizeof(explained), "abuse%u belongs to uid %d", d->number, OWNER);
	need(!log_says(explained), "nothing of it in the log");
	is(mount(d->disk, "/mnt", "ext4", 0, NULL) ? errno : 0, ENXIO, "its mount");
	ok(log_says(explained), "the log explains it");

	is(run_as(OWNER, admit, "1"), EACCES, "the owner's word");
	is(run_as(0, admit, "x"), EINVAL, "a word that is none");
	is(run_as(0, admit, "1\n"), 0, "root's word");
	is(attribute_number(d, "admitted"), 1, "admitted");
	is(root_opens(), 0, "root's open");
	is(run_as(0, open_disk_set_uid, NULL), 0, "that of a program set-uid to root");
	is(run_as(OWNER + 1, open_disk, NULL), EACCES, "another user's");
	is(run_as(0, admit, "0"), 0, "root's other word");
	is(root_opens(), ENXIO, "root's open");
	is(run_as(0, admit, "1"), 0, "admitted again");
	is(run_as(OWNER, reset_it, NULL), 0, "its owner resets it");
	is(attribute_number(d, "admitted"), 0, "admitted");
	is(root_opens(), ENXIO, "root's open");
	is(run_as(OWNER, set_it_up, NULL), 0, "and sets it up anew");
	is(root_opens(), ENXIO, "root's open");
	node_for_all(d->disk);
	is(run_as(OWNER, open_disk, NULL), 0, "its owner's");

	is(run_as(OWNER, reset_it, NULL), 0, "reset");
	seal();
	node_for_all(d->disk);
	is(attribute_number(d, "admitted"), 1, "admitted, sealed");
	is(root_opens(), 0, "root's open");
	is(run_as(OWNER, open_disk, NULL), EACCES, "its owner's");

	*d = device_new();
	is(attribute_number(d, "admitted"), 1, "admitted, root's");
	is(run_as(0, admit, "1"), 0, "may be said");
	is(run_as(0, admit, "0"), EINVAL, "the opposite may not");
	is(root_opens(), 0, "root's open");
	return done();
}
