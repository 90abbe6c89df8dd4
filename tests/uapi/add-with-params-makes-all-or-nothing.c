/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * ADD with params and OPEN makes a configured device and returns a descriptor that serves it, also for an
 * ordinary user and a program with the first struct; after each failure there is neither a device nor a
 * descriptor.
 */
/* build: m32 */
#include "abuse.h"
#include <sys/resource.h>

#define USER		4242
#define ADD_SIZE_1	72
#define SECTORS		2048
#define OTHERS		64

static int references(void)
{
	FILE *file = fopen("/sys/module/abuse/refcnt", "re");
	int n = -1;

	need(file && fscanf(file, "%d", &n) == 1, "refcnt");
	fclose(file);
	return n;
}

static struct abuse_add born(struct abuse_params *params, uint32_t flags)
{
	return (struct abuse_add){
		.size = sizeof(struct abuse_add), .number = ABUSE_NUMBER_ANY,
		.flags = flags, .params = ADDR(params),
	};
}

/* ---- what fails leaves nothing ---- */

static void expect_nothing(struct abuse_add *add, int error, const char *what)
{
	int devices = count_devices(), fds = count_entries("/proc/self/fd"), refs = references();

	is(device_add(add), -error, what);
	is(add->number, ABUSE_NUMBER_ANY, "the number that was asked for stays");
	is(count_devices(), devices, "devices");
	is(count_entries("/proc/self/fd"), fds, "descriptors");
	/* udev may have had one of them. */
	ok(wait_for(references() <= refs), "references to the module (%d, were %d)", references(), refs);
}

#define fails(field, value, error) do {					\
	struct abuse_params p_ = params_of(SECTORS * 512);		\
	struct abuse_add a_ = born(&p_, ABUSE_ADD_OPEN);		\
	p_.field = (value);						\
	expect_nothing(&a_, error, #field " = " #value);		\
} while (0)

static void no_descriptor_is_left(void)
{
	struct abuse_params p = params_of(SECTORS * 512);
	struct abuse_add a = born(&p, ABUSE_ADD_OPEN);
	int control = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	int devices = count_devices();
	struct rlimit old, few;

	need(control >= 0 && !getrlimit(RLIMIT_NOFILE, &old), "limits");
	few = old;
	few.rlim_cur = count_entries("/proc/self/fd") - 1;
	need(!setrlimit(RLIMIT_NOFILE, &few), "a limit of descriptors");
	is(call(control, ABUSE_CTL_ADD, &a), -EMFILE, "no descriptor is left");
	need(!setrlimit(RLIMIT_NOFILE, &old), "the limit as it was");
	is(count_devices(), devices, "devices");
	close(control);
}

static void number_cannot_be_written(void)
{
	int devices = count_devices(), fds = count_entries("/proc/self/fd");
	struct abuse_params p = params_of(SECTORS * 512);
	struct abuse_add *a = memory_new(4096);

	*a = born(&p, ABUSE_ADD_OPEN);
	need(!mprotect(a, 4096, PROT_READ), "mprotect");
	is(device_add(a), -EFAULT, "the number cannot be written");
	is(count_devices(), devices, "devices");
	is(count_entries("/proc/self/fd"), fds, "descriptors");
}

static int as_a_user(void *arg)
{
	struct abuse_params p = params_of(SECTORS * 512);
	struct abuse_add a = born(&p, ABUSE_ADD_OPEN);
	struct abuse_params have;
	int fd;

	(void)arg;
	p.flags = ABUSE_PARAMS_SEALED;
	expect_nothing(&a, EPERM, "a user seals");
	p.flags = 0;
	p.timeout = 3600 * SEC;
	expect_nothing(&a, EPERM, "a user wants more time than user_timeout");
	p.timeout = 0;
	fd = device_add(&a);
	ok(fd >= 0, "a user gets a descriptor (%d)", fd);
	is(get_params(fd, &have), 0, "GET_PARAMS");
	is(have.state, ABUSE_S_UP, "state");
	is(have.owner, USER, "owner");
	return test_failures ? 1 : 0;
}

/* ---- what succeeds is whole ---- */

static void serve_one(int fd, const struct device *d)
{
	char *data = memory_new(4096);
	struct io *io = io_read(d, 8192, 4096);
	struct abuse_request q = fetch_one(fd, NULL, 0);

	pattern_fill(data, 4096, 7);
	is(q.sector, 16, "the request");
	is(reply(fd, q.id, 0, data), 0, "the reply");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, 4096, 7), "its bytes");
	io_end(io);
}

static void one_call_makes_a_disk(void)
{
	struct abuse_params p = params_of(SECTORS * 512), have;
	struct abuse_add a = born(&p, ABUSE_ADD_OPEN);
	char path[64];
	struct device d;
	struct stat st;
	int fd, again;

	p.logical_block_size = 4096;
	p.flags = ABUSE_PARAMS_READ_ONLY;
	strcpy(p.store, "test:store");
	strcpy(p.name, "born-with-it");
	fd = device_add(&a);
	need(fd >= 0, "ADD with params and OPEN (%d)", fd);
	d = device_of(a.number);
	is(fcntl(fd, F_GETFD), FD_CLOEXEC, "closed on exec");
	is(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR, "open for both");
	is(fstat(fd, &st), 0, "fstat");
	ok(S_ISCHR(st.st_mode) && minor(st.st_rdev) == d.number, "it is the node's number");
	is(get_params(fd, &have), 0, "GET_PARAMS");
	is(have.state, ABUSE_S_UP, "state");
	is(have.capacity, SECTORS * 512, "capacity");
	is(have.logical_block_size, 4096, "block size");
	is(have.number, d.number, "number");
	is(strcmp(attribute(&d, "name"), "born-with-it"), 0, "name");
	is(strcmp(attribute(&d, "store"), "test:store"), 0, "store");
	is(attribute_number(&d, "read_only"), 1, "read-only");
	need(wait_for(!access(d.disk, F_OK) && !access(d.node, F_OK)), "the nodes");
	is(disk_size(&d), SECTORS * 512, "size of the disk");
	serve_one(fd, &d);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	ok(again >= 0 && !get_params(again, &have), "it can be opened again through /proc");
	close(again);

	p.flags = 0;
	a = born(&p, ABUSE_ADD_OPEN);
	expect_nothing(&a, EEXIST, "the name of params is taken");
	strcpy(p.name, "another");
	strcpy(a.name, "a-third");
	expect_nothing(&a, EBUSY, "two names for one device");

	strcpy(p.name, "born-with-it");
	is(reset(fd), 0, "RESET through the descriptor");
	/* Programs of udev may have it open. */
	ok(wait_for(set_params(fd, &p) != -EBUSY), "it can set the device up again");
	is(device_remove(d.number), 0, "REMOVE while the descriptor is open");
	is(get_params(fd, &have), -ENODEV, "then it is ENODEV");
	close(fd);
}

/* While all other disks are open, so that they are not free. */
static void get_free_gives_another(unsigned int number)
{
	int fds[OTHERS], ret;

	for (unsigned int i = 0; i < OTHERS; i++) {
		struct device d = device_of(i);

		fds[i] = i == number ? -1 : open(d.disk, O_RDONLY | O_CLOEXEC);
	}
	ret = device_get_free();
	ok(ret >= 0 && (unsigned int)ret != number, "GET_FREE gives another one than %u: %d", number, ret);
	for (unsigned int i = 0; i < OTHERS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (ret >= 0 && (unsigned int)ret != number)
		is(device_remove(ret), 0, "it is removed");
}

static void each_half_works_alone(void)
{
	struct abuse_params p = params_of(SECTORS * 512), have;
	struct abuse_add a = born(NULL, ABUSE_ADD_OPEN);
	struct device d;
	int fd;

	a.size = ADD_SIZE_1;
	fd = device_add(&a);
	ok(fd >= 0, "OPEN with the first struct (%d)", fd);
	is(get_params(fd, &have), 0, "GET_PARAMS");
	is(have.state, ABUSE_S_EMPTY, "state");
	get_free_gives_another(a.number);
	is(set_params(fd, &p), 0, "SET_PARAMS through it");
	close(fd);
	a = born(&p, 0);
	is(device_add(&a), 0, "params without OPEN");
	d = device_of(a.number);
	is(strcmp(attribute(&d, "state"), "up"), 0, "up");
	fd = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	p.size = 8;
	a = born(&p, 0);
	expect_nothing(&a, EINVAL, "params too short");
	close(fd);
}

int main(void)
{
	struct abuse_add a;
	int refs;

	test_begin();
	refs = references();
	fails(capacity, 0, EINVAL);
	fails(capacity, 1000, EINVAL);
	fails(capacity, 1ULL << 63, EFBIG);
	fails(logical_block_size, 1000, EINVAL);
	fails(queue_limit, 513, EINVAL);
	fails(features, 1ULL << 63, EINVAL);
	fails(flags, 1U << 31, EINVAL);
	fails(reserved, 1, EINVAL);
	fails(size, 8192, E2BIG);
	fails(name[0], '/', EINVAL);
	a = born(NULL, ABUSE_ADD_OPEN);
	a.params = 8;
	expect_nothing(&a, EFAULT, "params from nowhere");
	no_descriptor_is_left();
	number_cannot_be_written();
	one_call_makes_a_disk();
	each_half_works_alone();
	node_for_all("/dev/abuse-control");
	is(run_as(USER, as_a_user, NULL), 0, "an ordinary user");
	test_clean_up();
	ok(wait_for(references() <= refs), "the module is as free as it was");
	return done();
}
