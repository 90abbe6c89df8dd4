/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A container of an ordinary user, root in its own namespaces of users, mounts and processes, has
 * one control node in its /dev. It serves that device, its user's or one sealed for the
 * user. It reaches no other device: it makes no node and device, resets and removes none, and
 * writes no attribute; and it may no more with its own than its user.
 */
/* timeout: 120 */
#include <sys/prctl.h>

#include "map.h"

#define USER	4242
#define OTHER	4343
#define SIZE	(1 * MIB)
#define NEW_DEV	"/tmp/container"

static struct {
	struct device mine, groups, others, sealed;
	_Atomic bool stop_exchange, uses_get_bio, stop_get_bio;
} *s;

/* ---- inside -------------------------------------------------------------------------- */

static bool write_text(const char *path, const char *format, ...)
{
	char text[128];
	va_list args;
	bool done;
	int fd;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return done;
}

/* Root there is USER outside. False: this kernel lets no ordinary user have one. */
static bool enter_namespaces(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
		return false;
	/* As a process that exec(2) started is: else /proc/self is the system's root's. */
	need(!prctl(PR_SET_DUMPABLE, 1), "to be dumpable");
	need(write_text("/proc/self/setgroups", "deny") &&
	     write_text("/proc/self/uid_map", "0 %d 1", USER) &&
	     write_text("/proc/self/gid_map", "0 %d 1", USER), "to be root there");
	return true;
}

/* /dev with the one node in it, and nothing else. */
static void make_dev(void)
{
	char path[64];
	int fd;

	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	need(!mount("dev", NEW_DEV, "tmpfs", 0, NULL), "a tmpfs");
	snprintf(path, sizeof(path), NEW_DEV "/abctl%u", s->mine.number);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && !mount(s->mine.node, path, NULL, MS_BIND, NULL), "the node");
	close(fd);
	need(!mount(NEW_DEV, "/dev", NULL, MS_MOVE, NULL), "a /dev of its own");
	is(count_entries("/dev"), 1, "nodes in it");
}

/* A sealed disk is also read by udev. */
static void exchanges(int fd, char *page)
{
	struct abuse_request q;

	while (!s->stop_exchange) {
		if (fetch(fd, &q, 1, page, MIB, 50 * MSEC) != 1)
			continue;
		if (q.op == ABUSE_OP_WRITE)
			ok(pattern_is(page, 4096, 3), "a write has its bytes");
		pattern_fill(page, MIB, 4);
		is(reply(fd, q.id, 0, page), 0, "EXCHANGE completes a request");
	}
}

static void puts_bios(int fd, char *page)
{
	struct bio bio;

	s->uses_get_bio = true;
	while (!s->stop_get_bio) {
		if (get_bio(fd, &bio)) {
			nap_ms(20);
			continue;
		}
		pattern_fill(page, MIB, 4);
		bio_point(&bio, page);
		is(put_bio(fd, &bio, 0), 0, "PUT_BIO completes a request");
	}
}

static void serves(int fd)
{
	char *page = memory_new(MIB);
	struct abuse_info info;

	is(get_status(fd, &info), 0, "GET_STATUS");
	exchanges(fd, page);
	puts_bios(fd, page);
	munmap(page, MIB);
}

static void opens_no_other(const struct device *d)
{
	fails_with(open(d->node, O_RDWR), ENOENT);
	fails_with(open(d->disk, O_RDWR), ENOENT);
}

static void makes_no_node(const struct device *d, const struct stat *node, const struct stat *disk)
{
	printf("# nodes of device %u\n", d->number);
	fails_with(mknod("/dev/node", S_IFCHR | 0666, node->st_rdev), EPERM);
	fails_with(mknod("/dev/disk", S_IFBLK | 0666, disk->st_rdev), EPERM);
}

/* Files of that directory and below that can be opened to write; seen counts all. */
static unsigned int writable(const char *path, unsigned int depth, unsigned int *seen)
{
	unsigned int n = 0;
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[512];
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (lstat(below, &st))
			continue;
		if (S_ISDIR(st.st_mode) && depth)
			n += writable(below, depth - 1, seen);
		if (!S_ISREG(st.st_mode))
			continue;
		(*seen)++;
		fd = open(below, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		printf("# %s can be opened to write\n", below);
		n++;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void writes_no_attribute(const struct device *d)
{
	unsigned int seen = 0;
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/abuse/abctl%u/", d->number);
	is(writable(path, 2, &seen), 0, "writable attributes of a control node");
	snprintf(path, sizeof(path), "/sys/block/abuse%u/", d->number);
	is(writable(path, 2, &seen), 0, "writable attributes of a disk");
	ok(seen > 40, "of %u", seen);
	is(attribute_write(d, "admitted", "1"), -EACCES, "it admits nobody");
}

static void writes_no_parameter(void)
{
	unsigned int seen = 0;

	is(writable("/sys/module/abuse/", 2, &seen), 0, "writable parameters of the module");
	ok(seen > 4, "of %u", seen);
}

/* Calls that are root's, on its own device. */
static void is_no_root(int fd, bool is_sealed)
{
	struct abuse_params p = params_of(0);
	struct abuse_add add = { .size = sizeof(add), .number = ABUSE_NUMBER_ANY };

	fails_with(ioctl(fd, ABUSE_CTL_ADD, &add), ENOTTY);
	fails_with(ioctl(fd, ABUSE_CTL_REMOVE, s->groups.number), ENOTTY);
	fails_with(ioctl(fd, ABUSE_CTL_GET_FREE, 0), ENOTTY);
	if (is_sealed)
		return;
	is(file_register(fd, open("/etc/passwd", O_RDONLY | O_CLOEXEC)), -EPERM,
	   "REGISTER_FILE on a user's device");
	p.timeout = FOR_EVER;
	is(set_params(fd, &p), -EPERM, "no time-out");
	is(reset(fd), 0, "RESET of its own");
	p = params_of(SIZE);
	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = USER;
	is(set_params(fd, &p), -EPERM, "a seal");
	p.flags = p.seal_uid = 0;
	is(set_params(fd, &p), 0, "set-up of its own");
}

struct inside {
	bool is_sealed;
	struct stat node[3], disk[3];
};

static int inside(void *arg)
{
	struct inside *in = arg;
	const struct device *others[] = { &s->groups, &s->others, &s->sealed };
	int fd;

	make_dev();
	fd = server_open(&s->mine);
	serves(fd);
	for (int i = 0; i < 3; i++) {
		opens_no_other(others[i]);
		makes_no_node(others[i], &in->node[i], &in->disk[i]);
		writes_no_attribute(others[i]);
	}
	writes_no_attribute(&s->mine);
	writes_no_parameter();
	fails_with(open("/dev/abuse-control", O_RDWR), ENOENT);
	fails_with(mknod("/dev/control", S_IFCHR | 0666, makedev(10, 0)), EPERM);
	is_no_root(fd, in->is_sealed);
	return done();
}

static int container(void *arg)
{
	close_all_above_2();
	if (!enter_namespaces())
		return 77;
	/* The first process of the new namespace of processes. */
	return arg ? child_wait(child_start(inside, arg)) : 0;
}

/* ---- outside -------------------------------------------------------------------------- */

static struct device users_new(uid_t owner)
{
	struct abuse_add add = {
		.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .flags = ABUSE_ADD_OWNER,
		.owner = owner,
	};
	struct device d;

	need(!device_add(&add), "a device of uid %u", owner);
	d = device_of(add.number);
	need(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)), "its nodes");
	return d;
}

static void seal_for(const struct device *d, uid_t uid)
{
	struct abuse_params p = params_of(SIZE);

	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = uid;
	set_up_as(d, &p);
}

static void stat_nodes(struct inside *in, int i, const struct device *d)
{
	/* Else it would be the mode that keeps the container from them. */
	node_for_all(d->node);
	node_for_all(d->disk);
	need(!stat(d->node, &in->node[i]) && !stat(d->disk, &in->disk[i]), "its nodes");
}

static void runs(bool is_sealed)
{
	struct inside *in = memory_new(sizeof(*in));
	struct io *ios[3];
	pid_t pid;

	in->is_sealed = is_sealed;
	stat_nodes(in, 0, &s->groups);
	stat_nodes(in, 1, &s->others);
	stat_nodes(in, 2, &s->sealed);
	node_for_all(s->mine.node);
	s->stop_exchange = s->uses_get_bio = s->stop_get_bio = false;
	pid = child_start(run_as_child, &(struct run_as){ USER, container, in });
	ios[0] = io_write(&s->mine, 8192, 4096, 3);
	ios[1] = io_read(&s->mine, 0, 4096);
	ok(wait_for(ios[0]->done && ios[1]->done), "the container serves by EXCHANGE");
	s->stop_exchange = true;
	need(wait_for(s->uses_get_bio), "it to use GET_BIO");
	ios[2] = io_read(&s->mine, 16384, 4096);
	ok(wait_for(ios[2]->done), "and by GET_BIO");
	s->stop_get_bio = true;
	is(child_wait(pid), 0, "the container's own verdict");
	for (int i = 0; i < 3; i++) {
		is(io_wait(ios[i]), 0, "a request that the container served");
		ok(pattern_is(ios[i]->data, 4096, i ? 4 : 3), "its bytes");
		io_free(ios[i]);
	}
}

static void is_untouched(const struct device *d, unsigned int seed)
{
	struct io *io = io_read(d, 0, 65536);

	is(io_wait(io), 0, "a read of another device");
	ok(pattern_is(io->data, 65536, seed), "has its bytes");
	io_free(io);
	ok(!strcmp(attribute(d, "state"), "up"), "it is up");
}

int main(void)
{
	struct ram *rams[3];
	unsigned char *stores[3];
	int before;

	test_begin();
	s = memory_new(sizeof(*s));
	if (run_as(USER, container, NULL) == 77)
		skip("this kernel lets no ordinary user have a container");
	s->groups = device_new();
	s->others = users_new(OTHER);
	s->sealed = device_new();
	set_up(&s->groups, SIZE, 0);
	set_up(&s->others, SIZE, 0);
	device_admit(&s->others);
	seal_for(&s->sealed, OTHER);
	for (int i = 0; i < 3; i++) {
		stores[i] = memory_new(SIZE);
		pattern_fill(stores[i], SIZE, 10 + i);
	}
	rams[0] = ram_start(&s->groups, stores[0], SIZE);
	rams[1] = ram_start(&s->others, stores[1], SIZE);
	rams[2] = ram_start(&s->sealed, stores[2], SIZE);
	mkdir(NEW_DEV, 0755);

	puts("# its user's device");
	s->mine = users_new(USER);
	set_up(&s->mine, SIZE, 0);
	device_admit(&s->mine);
	before = count_devices();
	runs(false);
	is(count_devices(), before, "devices");
	is(device_remove(s->mine.number), 0, "REMOVE");

	puts("# one that is sealed for its user");
	s->mine = device_new();
	seal_for(&s->mine, USER);
	runs(true);

	is_untouched(&s->groups, 10);
	is_untouched(&s->others, 11);
	is_untouched(&s->sealed, 12);
	for (int i = 0; i < 3; i++)
		ram_stop(rams[i]);
	rmdir(NEW_DEV);
	return done();
}
