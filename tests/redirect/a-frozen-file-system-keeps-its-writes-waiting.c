/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A frozen file system is written to only after it thaws: what was redirected there
 * waits, may be read meanwhile, and keeps neither others nor a killed RESET waiting.
 * Writes that have ended, buffered, direct or to a device's node on it, keep nobody from freezing it.
 */
#include "redirect.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define SIZE	(1 * MIB)
#define FOLDER	"/tmp/frozen"

static struct device lower, upper;
static struct ram *ram;
static int ctl, folder;

static void make_file_system(void)
{
	lower = device_new();
	set_up(&lower, 64 * MIB, 0);
	ram = ram_start(&lower, memory_new(64 * MIB), 64 * MIB);
	need(!shell("mkfs.ext4 -q %s && mkdir -p " FOLDER " && mount %s " FOLDER,
		    lower.disk, lower.disk), "a mounted file system");
	folder = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(folder >= 0, "to open it");
}

static int freeze(void)
{
	return ioctl(folder, FIFREEZE, 0) ? -errno : 0;
}

static int thaw(void)
{
	return ioctl(folder, FITHAW, 0) ? -errno : 0;
}

static int registered(int fd)
{
	int index = file_register(ctl, fd);

	need(index >= 0, "REGISTER_FILE");
	return index;
}

static struct io *redirected(struct io *io, int file)
{
	struct abuse_request q = fetch_one(ctl, NULL, 0);

	is(redirect(ctl, q.id, file, q.sector * 512), 0, "a redirect");
	return io;
}

static int reset_it(void *arg)
{
	(void)arg;
	return -reset(ctl);
}

static void with(int flags)
{
	int fd = file_new(FOLDER, SIZE, 1, O_RDWR | flags);
	int other = file_new("/dev/shm", SIZE, 3, O_RDWR);
	unsigned int file;
	struct io *io;
	pid_t pid;

	upper = device_new();
	set_up(&upper, SIZE, 0);
	ctl = server_open(&upper);
	file = registered(fd);
	other = registered(other);
	is(io_end(redirected(io_write(&upper, 0, 4096, 5), file)), 0, "a write");

	is(freeze(), 0, "it freezes");
	io = redirected(io_write(&upper, 0, 4096, 7), file);
	ok(!wait_for_within(1, io->done), "a write waits");
	is(attribute_number(&upper, "redirected"), 1, "redirected");
	is(io_end(redirected(io_write(&upper, 4096, 4096, 8), other)), 0,
	   "another file's does not");
	is(io_end(redirected(io_read(&upper, 8192, 4096), file)), 0, "nor does a read");
	pid = child_start(reset_it, NULL);
	ok(child_runs_on(pid), "RESET waits");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "and can be killed");

	is(thaw(), 0, "it thaws");
	is(io_end(io), 0, "the write ends");
	ok(file_has(fd, 0, 4096, 7), "and has come to the file");
	is(freeze(), 0, "it freezes again");
	is(thaw(), 0, "and thaws");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	close(fd);
}

/* Only a node lies on it: the writes to its disk concern nobody here. */
static void node_on_it(void)
{
	int fd;

	need(!mknod(FOLDER "/node", S_IFBLK | 0600, makedev(7, 0)), "a node");
	need(!shell("{ modprobe -q loop || :; }; truncate -s 1M /dev/shm/abuse-test-loop && losetup /dev/loop0 "
		    "/dev/shm/abuse-test-loop && rm /dev/shm/abuse-test-loop"), "a loop device");
	fd = open(FOLDER "/node", O_RDWR | O_DIRECT | O_CLOEXEC);
	need(fd >= 0, "to open it");
	upper = device_new();
	set_up(&upper, SIZE, 0);
	ctl = server_open(&upper);
	is(io_end(redirected(io_write(&upper, 0, 4096, 5), registered(fd))), 0, "a write");
	is(freeze(), 0, "it freezes");
	is(thaw(), 0, "and thaws");
	close(ctl);
	close(fd);
	shell("losetup -d /dev/loop0");
}

int main(void)
{
	test_begin();
	make_file_system();
	with(0);
	with(O_DIRECT);
	node_on_it();
	close(folder);
	ok(wait_for(!shell("umount " FOLDER)), "nothing keeps the file system");
	ram_stop(ram);
	return done();
}
