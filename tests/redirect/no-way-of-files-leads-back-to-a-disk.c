/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A file that leads back to the disk it would serve is refused, by however many disks and
 * file systems of ours the way goes, since nothing could end what went round there. Disks
 * that lie on each other without a loop work, and a way that is gone is no hindrance.
 */
#include "redirect.h"

#define DISKS	4
#define SIZE	(64 * MIB)

static struct device d[DISKS];
static int ctl[DISKS];

static int on(unsigned int disk, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), ret;

	need(fd >= 0, "to open %s", path);
	ret = file_register(ctl[disk], fd);
	close(fd);
	return ret;
}

static void through_two_disks(void)
{
	int file = file_new("/dev/shm", SIZE, 7, O_RDWR), disk = open(d[1].disk, O_RDWR | O_CLOEXEC);
	struct redirector *lower, *upper;
	struct io *io;

	need(disk >= 0, "to open %s", d[1].disk);
	lower = redirector_start(&d[1], file, 0);
	upper = redirector_start(&d[0], disk, 0);
	close(disk);
	close(file);
	io = io_read(&d[0], 0, 4096);
	is(io_wait(io), 0, "a read through two disks");
	ok(pattern_is(io->data, 4096, 7), "gets the file's bytes");
	io_free(io);
	redirector_stop(upper);
	redirector_stop(lower);
}

static void loops(void)
{
	int index;

	need(on(0, d[1].disk) == 0, "the second disk below the first");
	is(on(1, d[0].disk), -ELOOP, "the first below the second");
	need(on(1, d[2].disk) == 0, "the third below the second");
	need(on(2, d[3].disk) == 0, "the fourth below the third");
	is(on(3, d[0].disk), -ELOOP, "the first below the fourth");
	is(on(3, d[1].disk), -ELOOP, "the second below the fourth");
	is(on(0, d[3].disk), 1, "the fourth below the first, too");
	index = on(0, d[1].disk);
	is(index, 2, "the same file once more");
	is(file_unregister(ctl[0], 0), 0, "and one of them goes");
	is(on(1, d[0].disk), -ELOOP, "what is left counts");
	is(file_unregister(ctl[0], index), 0, "the last goes");
	is(on(1, d[0].disk), 1, "then the first may be below the second");
	is(on(3, d[0].disk), -ELOOP, "but not below the fourth, which is below itself");
	close(ctl[0]);
	ctl[0] = server_open(&d[0]);
	is(on(3, d[0].disk), 0, "until the server below is gone");
	is(on(0, d[2].disk), -ELOOP, "whose next one finds the way taken");
}

static void a_file_system_between(void)
{
	unsigned char *store = memory_new(SIZE);
	struct device upper = device_new(), lower = device_new();
	struct ram *ram;

	set_up(&upper, SIZE, 0);
	set_up(&lower, SIZE, 0);
	ram = ram_start(&lower, store, SIZE);
	need(!shell("mkfs.ext4 -q %s && mkdir -p /tmp/lower && mount %s /tmp/lower && "
		    "truncate -s 1M /tmp/lower/file", lower.disk, lower.disk),
	     "a mounted file system");
	ctl[0] = server_open(&upper);
	ctl[1] = server_open(&lower);
	is(on(0, "/tmp/lower/file"), 0, "a file on the lower disk");
	is(on(1, upper.disk), -ELOOP, "the upper disk below the lower");
	close(ctl[0]);
	is(on(1, upper.disk), 0, "once the upper's server is gone");
	close(ctl[1]);
	is(shell("umount /tmp/lower"), 0, "umount");
	ram_stop(ram);
}

int main(void)
{
	test_begin();
	for (int i = 0; i < DISKS; i++) {
		d[i] = device_new();
		set_up(&d[i], SIZE, 0);
		ctl[i] = server_open(&d[i]);
	}
	through_two_disks();
	loops();
	for (int i = 0; i < DISKS; i++)
		close(ctl[i]);
	a_file_system_between();
	return done();
}
