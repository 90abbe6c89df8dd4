/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The kernel does redirected I/O as the process that registered the file, whatever its
 * workers may: blocks that a file system reserves for root are not an ordinary user's.
 */
/* timeout: 120 */
#include "redirect.h"

#define USER	4242
#define SIZE	(6 * MIB)
#define PIECE	(256 * KIB)
#define FOLDER	"/tmp/reserve"

static struct device d;

/* A server that leaves all to a file, until it is killed. */
static int serve(void *arg)
{
	int file;

	(void)arg;
	file = open(FOLDER "/file", O_RDWR | O_CLOEXEC);
	need(file >= 0, "the file");
	redirector_start(&d, file, 0);
	for (;;)
		pause();
}

/* How many pieces of the disk could be written while that user served. */
static int written_as(uid_t uid)
{
	struct run_as as = { uid, serve, NULL };
	pid_t pid = child_start(run_as_child, &as);
	int n = 0, errors = 0, ret;

	for (uint64_t at = 0; at < SIZE; at += PIECE) {
		ret = io_end(io_write(&d, at, PIECE, 1 + n));
		n += !ret;
		errors += ret && ret != ENOSPC;
	}
	is(errors, 0, "errors but ENOSPC");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "the server is gone");
	return n;
}

static void remove_all(void)
{
	shell("umount -l " FOLDER " 2>/dev/null; rm -rf " FOLDER " " FOLDER ".img");
}

int main(void)
{
	int n, ctl;

	test_begin();
	atexit(remove_all);
	need(!shell("mkdir -p " FOLDER " && truncate -s 8M " FOLDER ".img && "
		    "mkfs.ext4 -q -m 50 -O ^has_journal " FOLDER ".img && "
		    "mount -o loop " FOLDER ".img " FOLDER " && "
		    "truncate -s %d " FOLDER "/file && chmod 666 " FOLDER "/file", SIZE),
	     "a file system half of which is root's");
	d = device_new();
	set_up(&d, SIZE, 0);
	node_for_all(d.node);

	n = written_as(USER);
	printf("# an ordinary user's server: %d of %d\n", n, (int)(SIZE / PIECE));
	ok(n > 0, "some of it can be written as a user");
	ok(n < (int)(SIZE / PIECE), "but not what is reserved");
	is(written_as(0), SIZE / PIECE, "all of it as root");

	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	return done();
}
