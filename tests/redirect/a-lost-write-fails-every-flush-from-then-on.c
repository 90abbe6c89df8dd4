/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Once write-back to a registered file has failed, no later FLUSH or redirected FUA of the
 * device succeeds, whichever server, descriptor or file it goes to, also if a server answers
 * it itself, and whoever else was told of the error, until the device is set up anew.
 */
#include "redirect.h"

#define SIZE	(8 * MIB)

static struct device upper, lower;
static int ctl;

/* The disk below: its writes end with this. */
static _Atomic uint32_t outcome;
static _Atomic bool over;

static void *serve_lower(void *unused)
{
	int low = server_open(&lower);
	char *zeroes = memory_new(MIB), *buffer = memory_new(MIB);
	struct abuse_request q;

	while (!over)
		if (fetch(low, &q, 1, buffer, MIB, SEC / 20) == 1)
			reply(low, q.id, q.op == ABUSE_OP_WRITE ? outcome : 0, zeroes);
	close(low);
	return unused;
}

static int open_lower(void)
{
	return disk_open(&lower, O_RDWR);
}

static int registered(int server, int fd)
{
	int index = file_register(server, fd);

	need(index >= 0, "REGISTER_FILE");
	return index;
}

/* Every request that this system call makes goes to that file. How it ends. */
static int redirected(struct io *io, int server, int file)
{
	struct abuse_request q;
	int error;

	while (!io->done)
		if (fetch(server, &q, 1, NULL, 0, SEC / 20) == 1)
			need(!redirect(server, q.id, file, q.sector * 512), "a redirect");
	error = io->error;
	io_free(io);
	return error;
}

static int flush(int server, int file)
{
	return redirected(io_start(&upper, IO_FSYNC, 0, 0), server, file);
}

/* The server says itself that it has flushed. */
static int flush_answered(int server)
{
	struct io *io = io_start(&upper, IO_FSYNC, 0, 0);
	struct abuse_request q;

	while (!io->done)
		if (fetch(server, &q, 1, NULL, 0, SEC / 20) == 1)
			need(reply(server, q.id, 0, NULL) == 0, "an answer");
	return io_end(io);
}

static int write_page(int file, uint64_t offset)
{
	return redirected(io_write(&upper, offset, 4096, 1), ctl, file);
}

static int write_fua(int file, uint64_t offset)
{
	struct io *io = io_prepare(&upper, IO_WRITE, offset, 4096);

	io->pwrite_flags = RWF_DSYNC;
	return redirected(io_go(io), ctl, file);
}

static void set_up_anew(void)
{
	outcome = 0;
	need(!reset(ctl), "RESET");
	set_up(&upper, SIZE, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	close(ctl);
	ctl = server_open(&upper);
}

static void a_flush_that_failed(void)
{
	int fd = open_lower(), file = registered(ctl, fd), second, other;

	is(write_page(file, 0), 0, "a write");
	is(flush(ctl, file), 0, "a flush");
	is(flush_answered(ctl), 0, "one that the server answers");
	is(write_page(file, 0), 0, "a write that is lost later");
	outcome = EIO;
	is(flush(ctl, file), EIO, "the flush that loses it");
	outcome = 0;
	is(flush(ctl, file), EIO, "the next flush");
	is(flush_answered(ctl), EIO, "one that the server answers");
	is(write_page(file, 4096), 0, "a write without FUA");
	is(write_fua(file, 8192), EIO, "a write with FUA");
	is(flush(ctl, registered(ctl, open_lower())), EIO, "a flush to the same file, opened again");
	is(flush(ctl, registered(ctl, file_new("/dev/shm", SIZE, 1, O_RDWR))), EIO, "to another file");
	second = server_open(&upper);
	other = registered(second, open_lower());
	is(flush(second, other), EIO, "on another descriptor");
	close(second);
	close(fd);
}

static void a_program_was_told_first(void)
{
	int fd = open_lower(), file = registered(ctl, fd);

	is(write_page(file, 0), 0, "a write");
	outcome = EIO;
	is(fsync(fd) ? errno : 0, EIO, "the program's own fsync of the same open file");
	outcome = 0;
	is(fsync(fd), 0, "which is told once");
	is(flush(ctl, file), EIO, "a flush after that");
	is(flush(ctl, file), EIO, "and one more");
	close(fd);
}

static void a_fua_write_was_told_first(void)
{
	int fd = open_lower(), file = registered(ctl, fd);

	is(write_page(file, 0), 0, "a write");
	outcome = EIO;
	is(write_fua(file, MIB), EIO, "a write with FUA that fails");
	outcome = 0;
	is(flush(ctl, file), EIO, "a flush after that");
	close(fd);
}

static void the_file_stays_registered(void)
{
	int fd = open_lower(), file = registered(ctl, fd);
	struct abuse_params p = params_of(SIZE);

	is(write_page(file, 0), 0, "a write");
	outcome = EIO;
	is(flush(ctl, file), EIO, "a flush that fails");
	outcome = 0;
	need(!reset(ctl), "RESET");
	p.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	need(!set_params(ctl, &p), "SET_PARAMS");
	is(write_page(file, 0), 0, "a write after RESET and set-up");
	is(flush(ctl, file), 0, "a flush");
	is(write_fua(file, 4096), 0, "a write with FUA");
	close(fd);
}

int main(void)
{
	pthread_t thread;
	int keep;

	test_begin();
	lower = device_new();
	set_up(&lower, SIZE, 0);
	need(!pthread_create(&thread, NULL, serve_lower, NULL), "a thread");
	upper = device_new();
	ctl = server_open(&upper);
	/* Else closing a file for the last time would write what it has. */
	keep = open_lower();
	set_up_anew();
	a_flush_that_failed();
	set_up_anew();
	a_program_was_told_first();
	set_up_anew();
	a_fua_write_was_told_first();
	set_up_anew();
	the_file_stays_registered();
	close(ctl);
	close(keep);
	over = true;
	pthread_join(thread, NULL);
	return done();
}
