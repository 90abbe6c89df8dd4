/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * ADD, REMOVE and GET_FREE refuse one bad value, everything else being valid,
 * with the documented errno, and make no device then, nor for a uid 0 without
 * CAP_SYS_ADMIN; the edges of each range are taken.
 */
/* build: m32 */
#include "abuse.h"
#include <linux/capability.h>

static struct abuse_add good(void)
{
	return (struct abuse_add){
		.size = sizeof(struct abuse_add), .number = ABUSE_NUMBER_ANY,
	};
}

#define refused(field, value, error) do {				\
	struct abuse_add a_ = good();					\
	a_.field = (value);						\
	is(device_add(&a_), -(error), #field " = " #value);		\
} while (0)

/* The kernel makes no more queues than it has processors. */
static long as_made(const char *field, long value)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);

	return strcmp(field, "hw_queues") || value < processors ?
	       value : processors;
}

#define taken(field, value) do {					\
	struct abuse_add a_ = good();					\
	a_.field = (value);						\
	is(device_add(&a_), 0, #field " = " #value);			\
	d = device_of(a_.number);					\
	is(attribute_number(&d, #field), as_made(#field, value),	\
	   #field " in sysfs");						\
	is(device_remove(a_.number), 0, "REMOVE");			\
} while (0)

/* A child of uid 0 that has no capability any more. */
static int without_capabilities(void *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { };
	struct abuse_add a = good();
	int fd = *(int *)arg;

	if (syscall(SYS_capset, &header, none))
		return 255;
	if (call(fd, ABUSE_CTL_ADD, &a) != -EPERM)
		return 1;
	a.flags = ABUSE_ADD_OWNER;
	a.owner = 4242;
	if (call(fd, ABUSE_CTL_ADD, &a) != -EPERM)
		return 2;
	if (call(fd, ABUSE_CTL_GET_FREE, NULL) != -EPERM)
		return 3;
	return call_value(fd, ABUSE_CTL_REMOVE, 0) == -EPERM ? 0 : 4;
}

int main(void)
{
	struct abuse_add a;
	struct device d;
	int before, fd;

	test_begin();
	before = count_devices();
	refused(size, 0, EINVAL);
	refused(size, 4, EINVAL);
	refused(size, 1U << 31, E2BIG);
	refused(flags, 1U << 2, EINVAL);
	refused(params, 1, EFAULT);
	refused(flags, 1U << 31, EINVAL);
	refused(hw_queues, 65, EINVAL);
	refused(hw_queues, 0xffffffff, EINVAL);
	refused(depth, 1025, EINVAL);
	refused(depth, 0xffffffff, EINVAL);
	refused(number, 0, EEXIST);
	refused(number, 7, EEXIST);
	refused(number, 0xfffffffe, ENOSPC);
	refused(number, 1U << 20, ENOSPC);
	refused(name[0], '/', EINVAL);
	refused(name[0], ' ', EINVAL);
	refused(name[0], '\n', EINVAL);
	refused(name[0], ':', EINVAL);
	refused(name[0], (char)0xc3, EINVAL);
	a = good();
	memset(a.name, 'x', sizeof(a.name));
	is(device_add(&a), -EINVAL, "a name without its final 0");
	is(device_add(NULL), -EFAULT, "ADD from NULL");
	is(device_remove_once(4242), -ENODEV, "REMOVE of no device");
	is(device_remove_once(ABUSE_NUMBER_ANY), -ENODEV, "REMOVE of ANY");
	fd = open("/dev/abuse-control", O_RDWR);
	need(fd >= 0, "/dev/abuse-control");
	is(child_wait(child_start(without_capabilities, &fd)), 0,
	   "a uid 0 without CAP_SYS_ADMIN gets EPERM");
	close(fd);
	is(count_devices(), before, "devices after all that");

	taken(hw_queues, 1);
	taken(hw_queues, 64);
	taken(depth, 1);
	taken(depth, 1024);
	a = good();
	memset(a.name, 'x', sizeof(a.name) - 1);
	is(device_add(&a), 0, "a name of 31");
	is(device_remove(a.number), 0, "REMOVE");
	a = good();
	strcpy(a.name, "A.b_c-9");
	is(device_add(&a), 0, "a name of all kinds of characters");
	d = device_of(a.number);
	is(strcmp(attribute(&d, "name"), "A.b_c-9"), 0, "it is in sysfs");
	is(attribute_number(&d, "hw_queues"), 1, "default of hw_queues");
	is(attribute_number(&d, "depth"), 512, "default of depth");
	return done();
}
