/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A full XFS flushes workqueues of its own, which only some of the kernel's workers may:
 * redirected writes there end with ENOSPC and nothing in the kernel's log.
 */
/* timeout: 120 */
#include "redirect.h"

#define IMAGE	"/var/tmp/abuse-test-xfs"
#define FOLDER	"/tmp/abuse-full"
#define SIZE	(64 * MIB)

/* Lines of the kernel's log from here on that speak of flushing. */
static int count_warnings(int kmsg)
{
	char line[8192];
	int warnings = 0;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = 0;
		if (strstr(line, "is flushing"))
			printf("# %s", strstr(line, "workqueue") ?: line);
		warnings += !!strstr(line, "is flushing");
	}
	return warnings;
}

int main(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), file, error, full = 0;
	struct redirector *r;
	struct device d;
	struct io *io;

	test_begin();
	need(kmsg >= 0 && lseek(kmsg, 0, SEEK_END) >= 0, "the kernel's log");
	need(!shell("truncate -s 320M " IMAGE " && mkdir -p " FOLDER), "a file");
	/* The second is for kernels that are older than what mkfs makes. */
	need(!shell("mkfs.xfs -q " IMAGE " && mount -o loop " IMAGE " " FOLDER " 2>/dev/null") ||
	     !shell("mkfs.xfs -q -f -c options=/usr/share/xfsprogs/mkfs/lts_4.19.conf " IMAGE
		    " && mount -o loop " IMAGE " " FOLDER), "a mounted XFS");
	unlink(IMAGE);
	/* All but a little is taken. */
	need(!shell("fallocate -l $(($(stat -fc '%%a * %%S' " FOLDER ") - 8388608)) " FOLDER "/filler"),
	     "to fill it");
	file = open(FOLDER "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(file >= 0 && !ftruncate(file, SIZE), "a sparse file");

	d = device_new();
	set_up(&d, SIZE, 0);
	r = redirector_start(&d, file, 0);
	for (uint64_t at = 0; at < SIZE && full < 4; at += MIB) {
		io = io_write(&d, at, MIB, 1);
		error = io_end(io);
		need(!error || error == ENOSPC, "a write at %llu to end as it should (%d)",
		     (unsigned long long)at, error);
		full += error == ENOSPC;
	}
	is(full, 4, "writes that find no room");
	redirector_stop(r);
	close(file);
	is(count_warnings(kmsg), 0, "warnings of workqueues that may not be flushed");
	ok(wait_for(!shell("umount " FOLDER)), "umount");
	return done();
}
