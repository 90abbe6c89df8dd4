/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Each rule of who may redirect what to which file has its error: at registration,
 * and in the status of a reply, after which the request is still held.
 */
#include "redirect.h"

#include <sys/swap.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SIZE	(1 * MIB)

static struct device d;
static int ctl;

static int registered(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), ret;

	need(fd >= 0, "to open %s", path);
	ret = file_register(ctl, fd);
	close(fd);
	return ret;
}

static void registration(void)
{
	struct { struct abuse_file file; uint64_t more; } large = { .file.size = sizeof(large) };
	struct abuse_file file = { .size = sizeof(file), .fd = -1 };
	int i, fd = file_new("/dev/shm", 4096, 1, O_RDWR);

	is(call(ctl, ABUSE_REGISTER_FILE, &file), -EBADF, "no descriptor");
	file.fd = fd;
	file.size = sizeof(file) - 4;
	is(call(ctl, ABUSE_REGISTER_FILE, &file), -EINVAL, "a struct too small");
	file.size = sizeof(file);
	file.flags = 1;
	is(call(ctl, ABUSE_REGISTER_FILE, &file), -EINVAL, "an unknown flag");
	large.file.fd = fd;
	large.more = 1;
	is(call(ctl, ABUSE_REGISTER_FILE, &large), -E2BIG, "what is not known");
	is(call(ctl, ABUSE_REGISTER_FILE, (void *)8), -EFAULT, "a bad address");
	is(registered("/tmp", O_RDONLY | O_DIRECTORY), -EINVAL, "a folder");
	is(registered("/dev/zero", O_RDWR), -EINVAL, "a character device");
	is(registered("/tmp", O_PATH), -EBADF, "a path alone");
	is(registered(d.disk, O_RDWR), -ELOOP, "this very disk");
	close(fd);
	fd = file_new("/dev/shm", 4096, 1, O_RDWR | O_APPEND);
	is(file_register(ctl, fd), -EINVAL, "a file that is appended to");
	close(fd);
	fd = file_new("/dev/shm", 4096, 1, O_RDWR);
	for (i = 0; i < 300; i++)
		if (file_register(ctl, fd) != i)
			break;
	is(i, 256, "as many files as one descriptor has");
	is(file_register(ctl, fd), -EMFILE, "one more");
	is(file_unregister(ctl, 300), -ENOENT, "no such file");
	while (i--)
		if (file_unregister(ctl, i))
			break;
	is(i, -1, "all go");
	is(file_unregister(ctl, 0), -ENOENT, "and are gone");
	close(fd);
}

/* A file on the root file system, and another disk. */
static void swap_space(void)
{
	static char file[] = "/var/tmp/swap-space";
	struct device below = device_new();
	struct ram *ram;

	set_up(&below, 16 * MIB, 0);
	ram = ram_start(&below, memory_new(16 * MIB), 16 * MIB);
	need(!shell("dd if=/dev/zero of=%s bs=1M count=16 status=none && chmod 600 %s && mkswap %s >/dev/null && mkswap %s >/dev/null",
		    file, file, file, below.disk), "two that can be swap space");
	if (swapon(below.disk, 0) && errno == ENOSYS) {
		puts("# this kernel does not swap");
	} else {
		need(!swapon(file, 0), "swap space");
		is(registered(file, O_RDWR), -ETXTBSY, "a file that is swap space");
		is(registered(below.disk, O_RDWR), -ETXTBSY, "a disk that is");
		is(swapoff(file) | swapoff(below.disk), 0, "swapoff");
	}
	unlink(file);
	ram_stop(ram);
}

static void reply_as(uint64_t id, uint32_t result, uint32_t flags, int wanted,
		     const char *what)
{
	struct abuse_reply r = { .id = id, .result = result, .flags = flags };
	int ret = exchange_both(ctl, &r, 1, NULL, 0, NULL, 0, NO_WAIT);

	is(ret < 0 ? ret : (int)r.status, wanted, what);
}

static void replies(void)
{
	int ro = file_register(ctl, file_new("/dev/shm", SIZE, 1, O_RDONLY));
	int wo = file_register(ctl, file_new("/dev/shm", SIZE, 2, O_WRONLY));
	struct rlimit limit, small = { 4096, RLIM_INFINITY };
	struct abuse_request q;
	struct io *io;

	need(ro >= 0 && wo >= 0, "two files");
	io = io_write(&d, 0, 4096, 9);
	q = fetch_one(ctl, NULL, 0);
	is(redirect(ctl, q.id, 200, 0), EINVAL, "no such file");
	is(redirect(ctl, q.id, ro, 0), EINVAL, "a write to what is open for reading");
	is(redirect(ctl, q.id, wo, -4096), EINVAL, "a place that is none");
	is(redirect(ctl, q.id, wo, INT64_MAX - 10), EINVAL, "a place beyond the last");
	reply_as(q.id, EIO, ABUSE_REPLY_REDIRECT, EINVAL, "an error and a file");
	reply_as(q.id, 0, ABUSE_REPLY_REDIRECT | ABUSE_REPLY_ZERO, EINVAL, "both flags");
	getrlimit(RLIMIT_FSIZE, &limit);
	small.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	is(redirect(ctl, q.id, wo, 512), EINVAL, "beyond the server's limit of file sizes");
	setrlimit(RLIMIT_FSIZE, &limit);
	is(redirect(ctl, q.id + 1, wo, 0), ESTALE, "not held by us");
	is(attribute_number(&d, "held"), 1, "it is still held");
	is(redirect(ctl, q.id, wo, 0), 0, "where it may go");
	is(io_end(io), 0, "the writer");
	is(redirect(ctl, q.id, wo, 0), ESTALE, "answered twice");

	io = io_read(&d, 0, 4096);
	q = fetch_one(ctl, NULL, 0);
	is(redirect(ctl, q.id, wo, 0), EINVAL, "a read of what is open for writing");
	is(redirect(ctl, q.id, ro, 0), 0, "a read");
	is(io_wait(io), 0, "the reader");
	ok(pattern_is(io->data, 4096, 1), "gets the file's bytes");
	io_free(io);
	is(file_unregister(ctl, ro), 0, "a file goes");
	io = io_read(&d, 0, 4096);
	q = fetch_one(ctl, NULL, 0);
	is(redirect(ctl, q.id, ro, 0), EINVAL, "and is no longer there");
	is(reply(ctl, q.id, EIO, NULL), 0, "answered otherwise");
	is(io_end(io), EIO, "the reader");
}

/* A file on a file system on this disk. */
static void file_on_itself(void)
{
	static unsigned char *store;
	struct ram *ram;

	store = memory_new(64 * MIB);
	d = device_new();
	set_up(&d, 64 * MIB, 0);
	ram = ram_start(&d, store, 64 * MIB);
	need(!shell("mkfs.ext4 -q %s && mkdir -p /tmp/itself && mount %s /tmp/itself && "
		    "echo bytes >/tmp/itself/file", d.disk, d.disk), "a mounted file system");
	ctl = server_open(&d);
	is(registered("/tmp/itself/file", O_RDWR), -ELOOP, "a file on this very disk");
	close(ctl);
	is(shell("umount /tmp/itself"), 0, "umount");
	ram_stop(ram);
}

int main(void)
{
	struct abuse_params p = { .size = sizeof(p) };

	test_begin();
	d = device_new();
	set_up(&d, SIZE, 0);
	ctl = server_open(&d);
	is(get_params(ctl, &p), 0, "GET_PARAMS");
	ok(p.all_features & ABUSE_F_REDIRECT, "says that replies may redirect");
	registration();
	swap_space();
	replies();
	close(ctl);
	file_on_itself();
	return done();
}
