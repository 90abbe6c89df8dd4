/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * ADD makes the device that was asked for, by number or any, with its name and
 * UUID; a number, name or UUID that is taken is EEXIST; GET_FREE finds an
 * empty device that nobody has open, or makes one.
 */
#include "abuse.h"

static struct abuse_add any(void)
{
	return (struct abuse_add){
		.size = sizeof(struct abuse_add), .number = ABUSE_NUMBER_ANY,
	};
}

static bool is_empty_and_closed(int number)
{
	struct device d = device_of(number);

	return number >= 0 && !strcmp(attribute(&d, "state"), "empty");
}

int main(void)
{
	struct abuse_add a, b;
	struct abuse_params p;
	struct device d;
	struct stat st;
	int n, m, fd, disk;

	test_begin();
	for (int i = 0; i < 8; i++) {
		d = device_of(i);
		ok(!access(d.node, F_OK) && !access(d.disk, F_OK) &&
		   attribute_number(&d, "owner") == 0, "device %d came with the module", i);
	}

	/* By number. */
	a = any();
	a.number = 1234;
	is(device_add(&a), 0, "ADD 1234");
	is(a.number, 1234, "it became 1234");
	d = device_of(1234);
	ok(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)), "its nodes");
	need(!stat(d.node, &st), "stat");
	ok(S_ISCHR(st.st_mode) && major(st.st_rdev) == ABUSECTL_MAJOR &&
	   minor(st.st_rdev) == 1234, "control node 61:1234");
	is(st.st_mode & 07, 0, "which others may not use");
	need(!stat(d.disk, &st), "stat");
	ok(S_ISBLK(st.st_mode) && major(st.st_rdev) != ABUSE_MAJOR,
	   "its disk has a number of the kernel's choice");
	is(device_add(&a), -EEXIST, "ADD 1234 again");
	is(device_remove(1234), 0, "REMOVE 1234");
	is(device_add(&a), 0, "ADD 1234 after that");

	/* Name and UUID. */
	a = any();
	strcpy(a.name, "one");
	memset(a.uuid, 0x11, 16);
	is(device_add(&a), 0, "ADD with a name and a UUID");
	d = device_of(a.number);
	ok(!strcmp(attribute(&d, "name"), "one"), "its name in sysfs");
	ok(!strcmp(attribute(&d, "uuid"), "11111111-1111-1111-1111-111111111111"),
	   "its UUID in sysfs (%s)", attribute(&d, "uuid"));
	b = any();
	strcpy(b.name, "one");
	is(device_add(&b), -EEXIST, "a name that is taken");
	b = any();
	memset(b.uuid, 0x11, 16);
	is(device_add(&b), -EEXIST, "a UUID that is taken");
	b = any();
	strcpy(b.name, "One");
	is(device_add(&b), 0, "a name that differs");
	fd = server_open(&d);
	is(get_params(fd, &p), 0, "GET_PARAMS of an empty device");
	ok(!strcmp(p.name, "one") && p.uuid[15] == 0x11, "name and UUID there");
	p = params_of(1 * MIB);
	strcpy(p.name, "two");
	is(set_params(fd, &p), -EBUSY, "another name at set-up");
	p = params_of(1 * MIB);
	memset(p.uuid, 0x22, 16);
	is(set_params(fd, &p), -EBUSY, "another UUID at set-up");
	p = params_of(1 * MIB);
	strcpy(p.name, "one");
	is(set_params(fd, &p), 0, "the same name at set-up");
	is(reset(fd), 0, "RESET");
	ok(!strcmp(attribute(&d, "name"), "one"), "it keeps its name");
	close(fd);

	/* Given at set-up instead. */
	d = device_new();
	fd = server_open(&d);
	p = params_of(1 * MIB);
	strcpy(p.name, "one");
	is(set_params(fd, &p), -EEXIST, "SET_PARAMS with a name that is taken");
	p = params_of(1 * MIB);
	memset(p.uuid, 0x11, 16);
	is(set_params(fd, &p), -EEXIST, "SET_PARAMS with a UUID that is taken");
	p = params_of(1 * MIB);
	strcpy(p.name, "three");
	memset(p.uuid, 0x33, 16);
	is(set_params(fd, &p), 0, "SET_PARAMS with a name and a UUID");
	ok(!strcmp(attribute(&d, "name"), "three"), "its name in sysfs");
	p = params_of(0);
	strcpy(p.name, "four");
	is(set_params(fd, &p), -EBUSY, "another name when it is up");
	b = any();
	strcpy(b.name, "three");
	is(device_add(&b), -EEXIST, "ADD with that name");
	is(device_remove(a.number), 0, "REMOVE of device one");
	b = any();
	strcpy(b.name, "one");
	is(device_add(&b), 0, "its name is free then");

	/* GET_FREE: not the one that is up, nor one whose disk is open. */
	n = device_get_free();
	ok(is_empty_and_closed(n), "GET_FREE gives an empty device (%d)", n);
	disk = open(device_of(n).disk, O_RDONLY);
	need(disk >= 0, "open %s", device_of(n).disk);
	m = device_get_free();
	ok(is_empty_and_closed(m) && m != n, "another one while that is open (%d)", m);
	close(disk);
	for (int i = 0; i < 60; i++) {
		/* Use up all that are empty: at last it makes one. */
		m = device_get_free();
		need(m >= 0, "GET_FREE");
		d = device_of(m);
		need(wait_for(!access(d.node, F_OK)), "%s", d.node);
		fd = open(d.node, O_RDWR);
		p = params_of(1 * MIB);
		need(fd >= 0 && !set_params(fd, &p), "set up device %d", m);
		close(fd);
		test_devices[100 + i] = m + 1;
	}
	ok(true, "60 devices were found or made, one after the other");
	return done();
}
