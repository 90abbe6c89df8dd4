/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A read-only device gives no write to its servers and tells who writes; it may
 * become read-only while up, but not (EBUSY) while the disk is claimed, and who
 * writes meanwhile does not notice that it was tried. blockdev --setro is no such change.
 */
#include "recorder.h"

static int read_only(int fd, bool yes)
{
	struct abuse_params p = params_of(0);

	p.flags = yes ? ABUSE_PARAMS_READ_ONLY : 0;
	return set_params(fd, &p);
}

static int read_only_2009(int fd, bool yes)
{
	struct abuse_info info;

	need(!get_status(fd, &info), "GET_STATUS");
	info.ab_flags = ABUSE_FLAGS_RECONNECT | (yes ? ABUSE_FLAGS_READ_ONLY : 0);
	return set_status(fd, &info);
}

/* As an administrator with blockdev does; -1 asks. */
static int set_disk_ro(const struct device *d, int value)
{
	int disk = disk_open(d, O_RDONLY), ret;

	if (value < 0)
		ret = call(disk, BLKROGET, &value) ?: value;
	else
		ret = call(disk, BLKROSET, &value);
	close(disk);
	return ret;
}

static _Atomic bool stop;

static int writer(void *arg)
{
	const struct device *d = arg;
	char *data;
	int fd = disk_open(d, O_RDWR | O_DIRECT), failed = 0;

	need(!posix_memalign((void **)&data, 4096, 4096), "memory");
	while (!stop)
		failed += pwrite(fd, data, 4096, 0) != 4096;
	close(fd);
	free(data);
	return failed;
}

int main(void)
{
	struct device d;
	struct abuse_params p = params_of(1 * MIB);
	struct abuse_info info;
	struct ram *ram;
	char *store = memory_new(1 * MIB), *data;
	int fd, disk, claim, taken = 0;
	struct job job;

	test_begin();
	need(!posix_memalign((void **)&data, 4096, 4096), "memory");
	d = device_new();
	p.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	p.flags = ABUSE_PARAMS_READ_ONLY;
	p.queue_limit = 16;
	set_up_as(&d, &p);
	fd = server_open(&d);
	ram = ram_start(&d, store, 1 * MIB);
	is(attribute_number(&d, "read_only"), 1, "read_only in sysfs");
	ok(io_end(io_write(&d, 0, 4096, 1)) > 0, "a write fails");
	ok(io_end(io_start(&d, IO_DISCARD, 0, 4096)) > 0, "a discard fails");
	ok(io_end(io_start(&d, IO_ZEROOUT, 0, 4096)) > 0, "zeroing fails");
	is(io_end(io_read(&d, 0, 4096)), 0, "a read");

	is(read_only(fd, false), 0, "read-write while up");
	is(attribute_number(&d, "read_only"), 0, "read_only in sysfs");
	disk = disk_open(&d, O_RDWR | O_DIRECT);
	is(pwrite(disk, data, 4096, 0), 4096, "a write");
	is(ram->served[ABUSE_OP_WRITE], 1, "the server got it");
	is(read_only(fd, true), 0, "read-only while open, unclaimed");
	ok(pwrite(disk, data, 4096, 0) < 0, "a write of who had it open fails");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_flags & ABUSE_FLAGS_READ_ONLY, 1, "READ_ONLY in GET_STATUS");
	is(read_only(fd, false), 0, "read-write again");
	is(pwrite(disk, data, 4096, 0), 4096, "a write");
	close(disk);

	claim = open(d.disk, O_RDWR | O_EXCL);
	need(claim >= 0, "claim %s", d.disk);
	is(read_only(fd, true), -EBUSY, "read-only while claimed");
	is(read_only_2009(fd, true), -EBUSY, "the same through SET_STATUS");
	is(attribute_number(&d, "read_only"), 0, "read_only in sysfs");
	job_start(&job, writer, &d);
	for (int i = 0; i < 300; i++)
		taken += read_only(fd, true) != -EBUSY;
	stop = true;
	is(taken, 0, "times that it was taken while somebody writes");
	is(job_wait(&job, "the writer"), 0, "writes that failed");
	is(read_only(fd, false), 0, "read-write while claimed and read-write");
	close(claim);
	is(read_only_2009(fd, true), 0, "read-only through SET_STATUS");
	claim = open(d.disk, O_RDONLY | O_EXCL);
	need(claim >= 0, "claim %s", d.disk);
	is(read_only(fd, true), 0, "read-only while claimed and read-only");
	is(read_only(fd, false), 0, "read-write");
	is(set_disk_ro(&d, 1), 0, "blockdev --setro");
	is(read_only(fd, true), -EBUSY, "which makes no live change less of one: EBUSY while claimed");
	is(attribute_number(&d, "read_only"), 0, "read_only in sysfs");
	p = params_of(2 * MIB);
	is(set_params(fd, &p), 0, "another size");
	is(set_disk_ro(&d, -1), 1, "the disk is still as blockdev --setro left it");
	is(set_disk_ro(&d, 0), 0, "blockdev --setrw");
	close(claim);
	is(ram->served[ABUSE_OP_DISCARD] + ram->served[ABUSE_OP_WRITE_ZEROES], 0,
	   "discards and zeroings that it got");
	ram_stop(ram);
	is(reset(fd), 0, "RESET");
	set_up(&d, 1 * MIB, 0);
	is(attribute_number(&d, "read_only"), 0, "the next set-up is read-write");
	return done();
}
