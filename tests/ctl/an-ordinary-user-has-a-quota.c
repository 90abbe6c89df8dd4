/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Where /dev/abuse-control lets an ordinary user in, a device added is that user's:
 * so many devices and requests and no more (EDQUOT), removed by none but
 * the owner and root (EPERM), never another one's (EPERM for OWNER).
 */
#include "abuse.h"

#define ALICE 4242
#define BOB 4343
#define CAROL 4444

static unsigned int *number;

static struct abuse_add any(unsigned int hw_queues, unsigned int depth)
{
	return (struct abuse_add){
		.size = sizeof(struct abuse_add), .number = ABUSE_NUMBER_ANY,
		.hw_queues = hw_queues, .depth = depth,
	};
}

/* The result of ADD for that uid. */
static int add_child(void *arg)
{
	struct abuse_add *a = arg;
	int ret = device_add(a);

	*number = a->number;
	return -ret;
}

static int add_as(uid_t uid, struct abuse_add a)
{
	return -run_as(uid, add_child, &a);
}

static int remove_child(void *arg)
{
	return -device_remove(*(unsigned int *)arg);
}

static int get_free_child(void *arg)
{
	int ret = device_get_free();

	(void)arg;
	if (ret >= 0) {
		*number = ret;
		return 0;
	}
	return -ret;
}

int main(void)
{
	struct abuse_add a;
	struct device d, alices;
	struct stat st;
	unsigned int n;

	test_begin();
	number = memory_new(4096);
	need(!module_reload("user_devices=3 user_depth=1000"), "modprobe");
	node_for_all("/dev/abuse-control");
	need(!chmod("/dev/abuse-control", 0600), "chmod");
	is(add_as(ALICE, any(1, 16)), -EACCES, "ADD without access to the node");
	node_for_all("/dev/abuse-control");

	is(add_as(ALICE, any(1, 16)), 0, "ADD by an ordinary user");
	alices = device_of(*number);
	n = *number;
	is(attribute_number(&alices, "owner"), ALICE, "owner in sysfs");
	ok(wait_for(!access(alices.node, F_OK)), "its control node");
	need(!stat(alices.node, &st), "stat %s", alices.node);
	is(st.st_uid, ALICE, "uid of its control node");
	is(st.st_mode & 0777, 0600, "mode of its control node");

	/* So many devices. */
	is(add_as(ALICE, any(1, 16)), 0, "the second");
	is(add_as(ALICE, any(1, 16)), 0, "the third of three");
	is(add_as(ALICE, any(1, 16)), -EDQUOT, "the fourth");
	is(add_as(BOB, any(1, 16)), 0, "somebody else's first");
	d = device_of(*number);
	is(attribute_number(&d, "owner"), BOB, "owner in sysfs");

	/* So many requests. */
	is(add_as(BOB, any(2, 500)), -EDQUOT, "16 + 2 * 500 requests of 1000");
	is(add_as(BOB, any(1, 984)), 0, "16 + 984 requests of 1000");
	is(add_as(BOB, any(1, 1)), -EDQUOT, "1001 requests of 1000");
	is(add_as(0, any(64, 1024)), 0, "root has no quota");
	is(device_remove(*number), 0, "REMOVE of that");

	/* REMOVE. */
	is(run_as(BOB, remove_child, &n), EPERM, "REMOVE of another's");
	n = 0;
	is(run_as(ALICE, remove_child, &n), EPERM, "REMOVE of root's");
	n = alices.number;
	is(run_as(ALICE, remove_child, &n), 0, "REMOVE of one's own");
	is(add_as(ALICE, any(1, 16)), 0, "which makes room for another");
	is(device_remove(*number), 0, "REMOVE of a user's by root");

	/* OWNER. */
	a = any(1, 16);
	a.flags = ABUSE_ADD_OWNER;
	a.owner = BOB;
	is(add_as(ALICE, a), -EPERM, "OWNER without CAP_SYS_ADMIN");
	a.owner = ALICE;
	is(add_as(ALICE, a), -EPERM, "OWNER without CAP_SYS_ADMIN, oneself");
	is(device_add(&a), 0, "OWNER by root");
	d = device_of(a.number);
	is(attribute_number(&d, "owner"), ALICE, "owner in sysfs");
	is(device_add(&a), -EEXIST, "its number is taken");
	a.number = ABUSE_NUMBER_ANY;
	is(device_add(&a), -EDQUOT, "root's gifts count");
	a.owner = 0xffffffff;
	is(device_add(&a), -EINVAL, "an owner who cannot be");

	/* GET_FREE: root's empty ones are the group's; with none left, the quota holds. */
	is(run_as(BOB, get_free_child, NULL), 0, "GET_FREE by an ordinary user");
	d = device_of(*number);
	ok(attribute_number(&d, "owner") == 0 || attribute_number(&d, "owner") == BOB,
	   "gives one that the caller could serve (device %u of %lld)", d.number,
	   attribute_number(&d, "owner"));
	for (int i = 0; i < 8; i++)
		is(device_remove(i), 0, "REMOVE of one of the first eight");
	need(!shell("echo 0 >/sys/module/abuse/parameters/user_devices"), "a quota of 0");
	is(run_as(CAROL, get_free_child, NULL), EDQUOT, "GET_FREE where one would be made");
	return done();
}
