/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A worker drops the last reference to a registered file, whose close never ends: files of
 * other devices and of programs that have nothing to do with abuse are closed all the same,
 * and the device itself is removed.
 */
#include "redirect.h"

#include <linux/aio_abi.h>

#define SIZE	(8 * MIB)
#define READ_AT	(4 * MIB)

/* The next request of that operation; all others stay unanswered. */
static struct abuse_request fetch_op(int ctl, uint32_t op, void *buffer)
{
	struct abuse_request q;

	do
		q = fetch_one(ctl, buffer, MIB);
	while (q.op != op);
	return q;
}

static struct device disk_new(void)
{
	struct device d = device_new();

	set_up(&d, SIZE, 0);
	return d;
}

/* Opened, with a dirty page that closing writes back first. */
static int open_dirty(const struct device *d)
{
	int fd = disk_open(d, O_RDWR);
	char *page = memory_new(4096);

	need(pwrite(fd, page, 4096, 0) == 4096, "a dirty page");
	return fd;
}

/*
 * A request for upper is redirected to lower, and lower is unregistered and closed
 * meanwhile, so that the request has the last reference; then the request ends.
 */
static void let_a_worker_close(const struct device *upper, const struct device *lower, int low)
{
	int ctl = server_open(upper), fd = open_dirty(lower), file = file_register(ctl, fd);
	struct io *io = io_read(upper, READ_AT, 4096);
	void *buffer = memory_new(MIB);
	struct abuse_request q;

	need(file >= 0, "REGISTER_FILE");
	need(!posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), "no reading ahead");
	q = fetch_one(ctl, NULL, 0);
	need(!redirect(ctl, q.id, file, READ_AT), "a redirect");
	q = fetch_op(low, ABUSE_OP_READ, buffer);
	need(!file_unregister(ctl, file), "UNREGISTER_FILE");
	close(fd);
	need(!reply(low, q.id, 0, buffer), "the file to answer");
	is(io_end(io), 0, "a read from a file that was let go");
	close(ctl);
}

static int aio_fsync(aio_context_t *context, int fd)
{
	struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd }, *iocbs = &iocb;

	if (syscall(SYS_io_setup, 1, context) || syscall(SYS_io_submit, *context, 1, &iocbs) != 1)
		return -errno;
	return 0;
}

/* The kernel's own worker closes it, after an fsync that the program did not wait for. */
static void let_the_kernel_close(const struct device *d)
{
	int ctl = server_open(d), fd = open_dirty(d);
	void *buffer = memory_new(MIB);
	aio_context_t context = 0;
	struct abuse_request q;

	is(aio_fsync(&context, fd), 0, "an asynchronous fsync");
	q = fetch_op(ctl, ABUSE_OP_WRITE, buffer);
	close(fd);
	need(!reply(ctl, q.id, 0, NULL), "the write to end");
	close(ctl);
}

int main(void)
{
	struct device upper, lower, other, others_file, program;
	void *buffer = memory_new(MIB);
	struct abuse_request stuck, q;
	int low, ctl;

	test_begin();
	upper = disk_new();
	lower = disk_new();
	low = server_open(&lower);
	let_a_worker_close(&upper, &lower, low);
	stuck = fetch_op(low, ABUSE_OP_WRITE, buffer);
	is(device_remove_once(lower.number), -EBUSY, "its close waits for a write");

	program = disk_new();
	let_the_kernel_close(&program);
	ok(wait_for(device_remove_once(program.number) != -EBUSY), "a program's file is closed");

	other = disk_new();
	others_file = disk_new();
	ctl = server_open(&others_file);
	let_a_worker_close(&other, &others_file, ctl);
	q = fetch_op(ctl, ABUSE_OP_WRITE, buffer);
	need(!reply(ctl, q.id, 0, NULL), "the write to end");
	ok(wait_for(device_remove_once(others_file.number) != -EBUSY), "another device's file is closed");

	is(device_remove(upper.number), 0, "the device itself is removed");
	is(device_remove_once(lower.number), -EBUSY, "whose file is open still");
	need(!reply(low, stuck.id, 0, NULL), "the write to end");
	is(device_remove(lower.number), 0, "until its write has ended");
	return done();
}
