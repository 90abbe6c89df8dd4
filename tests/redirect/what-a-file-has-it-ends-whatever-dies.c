/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A request that a file has is ended by that file alone: neither its server's death nor
 * UNREGISTER nor a time-out nor DEVICE_FAILURE ends it; RESET and REMOVE wait for it, can
 * be killed meanwhile, leave nothing half done, and keep no other device waiting. The
 * file is another of our disks, which answers when the test wants it to.
 */
/* timeout: 120 */
#include "redirect.h"

#define SIZE	(1 * MIB)

static struct device upper, lower;

/* A server that redirects one request and is killed. */
static int redirect_one(void *arg)
{
	int ctl, file, index;
	struct abuse_request q;

	(void)arg;
	close_all_above_2();
	ctl = open(upper.node, O_RDWR | O_CLOEXEC);
	file = open(lower.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	index = file_register(ctl, file);
	need(index >= 0, "REGISTER_FILE");
	q = fetch_one(ctl, NULL, 0);
	need(!redirect(ctl, q.id, index, q.sector * 512), "a redirect");
	need(!file_unregister(ctl, index), "UNREGISTER_FILE");
	for (;;)
		pause();
}

static int fail_device(int ctl)
{
	struct bio bio = { };

	return put_bio(ctl, &bio, ABUSE_RESULT_DEVICE_FAILURE);
}

static int reset_it(void *arg)
{
	int ctl = open(upper.node, O_RDWR | O_CLOEXEC);

	(void)arg;
	return -reset(ctl);
}

/* By who gives it a name, for which all devices are looked at. */
static int name_it(void *arg)
{
	struct abuse_params p = params_of(0);
	int ctl = open(upper.node, O_RDWR | O_CLOEXEC);

	(void)arg;
	strcpy(p.name, "named");
	return -set_params(ctl, &p);
}

static int remove_it(void *arg)
{
	(void)arg;
	return -device_remove_once(upper.number);
}

/* One that a file has; its server is dead. */
static struct io *stuck(enum io_op op)
{
	struct io *io;
	pid_t pid;

	upper = device_new();
	set_up(&upper, SIZE, 0);
	pid = child_start(redirect_one, NULL);
	io = io_prepare(&upper, op, 8192, 4096);
	if (op == IO_WRITE)
		pattern_fill(io->data, 4096, 6);
	io_go_child(io);
	need(wait_for(attribute_number(&upper, "redirected") == 1), "the file to have it");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "the server is gone");
	ok(!wait_for_within(1, io->done), "the file has it all the same");
	is(attribute_number(&upper, "redirected"), 1, "redirected");
	return io;
}

static pid_t reset_begins(void)
{
	pid_t pid = child_start(reset_it, NULL);

	need(wait_for(!strcmp(attribute(&upper, "state"), "empty")), "RESET to begin");
	return pid;
}

static void reset_waits(void)
{
	pid_t pid = reset_begins();

	ok(child_runs_on(pid), "RESET waits for it");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "and can be killed meanwhile");
}

int main(void)
{
	struct abuse_params p = params_of(SIZE);
	struct abuse_request q;
	unsigned char *store;
	struct io *io;
	pid_t pid, namer;
	int ctl, low;

	test_begin();
	store = memory_new(SIZE);
	lower = device_new();
	set_up(&lower, SIZE, 0);
	low = server_open(&lower);

	puts("# a write, to its end");
	io = stuck(IO_WRITE);
	q = fetch_one(low, store, SIZE);
	is(q.sector, 16, "it reached the file at its place");
	ok(pattern_is(store, 4096, 6), "with its bytes");
	is(reply(low, q.id, 0, NULL), 0, "the file answers");
	is(io_end(io), 0, "the writer");
	ctl = server_open(&upper);
	is(reset(ctl), 0, "RESET");
	close(ctl);

	puts("# a file that fails");
	io = stuck(IO_READ);
	q = fetch_one(low, NULL, 0);
	is(reply(low, q.id, EIO, NULL), 0, "the file answers");
	is(io_end(io), EIO, "the reader");

	puts("# a RESET that waits holds up no other device");
	io = stuck(IO_READ);
	pid = reset_begins();
	ok(child_runs_on(pid), "RESET waits");
	namer = child_start(name_it, NULL);
	ok(child_runs_on(namer), "a set-up waits for it");
	is(device_remove(device_new().number), 0, "another device comes and goes");
	kill(namer, SIGKILL);
	is(child_wait(namer), 256 + SIGKILL, "the set-up can be killed");
	q = fetch_one(low, NULL, 0);
	is(reply(low, q.id, EIO, NULL), 0, "the file answers");
	is(child_wait(pid), 0, "RESET is done");
	is(io_end(io), EIO, "the reader");

	puts("# RESET, killed, then anew");
	io = stuck(IO_READ);
	ctl = server_open(&upper);
	p.timeout = 100 * 1000000;
	is(set_params(ctl, &p), 0, "a time-out");
	ok(!wait_for_within(1, io->done), "does not end it");
	is(fail_device(ctl), 0, "DEVICE_FAILURE");
	ok(!wait_for_within(1, io->done), "does not end it");
	is(attribute_number(&upper, "redirected"), 1, "the file has it");
	reset_waits();
	is(set_params(ctl, &p), -EBUSY, "no set-up while the file has it");
	pid = child_start(reset_it, NULL);
	q = fetch_one(low, NULL, 0);
	pattern_fill(store, 4096, 8);
	is(reply(low, q.id, 0, store), 0, "the file answers");
	is(child_wait(pid), 0, "RESET is done");
	is(io_wait(io), 0, "the reader");
	ok(pattern_is(io->data, 4096, 8), "has the file's bytes");
	io_free(io);
	is(set_params(ctl, &p), 0, "set-up");
	is(reset(ctl), 0, "RESET");

	puts("# a killed RESET is finished by set-up");
	close(ctl);
	io = stuck(IO_READ);
	reset_waits();
	q = fetch_one(low, NULL, 0);
	is(reply(low, q.id, EIO, NULL), 0, "the file answers");
	is(io_end(io), EIO, "the reader");
	ctl = server_open(&upper);
	p.timeout = 0;
	is(set_params(ctl, &p), 0, "set-up");
	is(reset(ctl), 0, "RESET");
	close(ctl);

	puts("# REMOVE, after the reader is gone");
	io = stuck(IO_READ);
	kill(io->pid, SIGKILL);
	is(remove_it(NULL), EBUSY, "the disk is open");
	q = fetch_one(low, NULL, 0);
	is(reply(low, q.id, EIO, NULL), 0, "the file answers");
	child_wait(io->pid);
	is(device_remove(upper.number), 0, "REMOVE");

	close(low);
	return done();
}
