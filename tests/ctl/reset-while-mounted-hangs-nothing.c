/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * RESET of a device with a mounted, busy file system is not refused: every process that waits
 * for it gets an error, sync returns, umount works, and only then can it be set
 * up again, to serve as if nothing had been.
 */
/* timeout: 120 */
#include "abuse.h"

#define SIZE (32 * MIB)

struct writer {
	char path[64];
	int error;
	_Atomic unsigned int rounds;
	_Atomic bool done;
};

/* Writes and syncs until that fails. */
static void *writer_main(void *arg)
{
	struct writer *w = arg;
	static char data[65536];
	int fd = open(w->path, O_RDWR | O_CREAT, 0600);

	while (fd >= 0) {
		if (pwrite(fd, data, sizeof(data), w->rounds % 64 * sizeof(data)) < 0 ||
		    fsync(fd))
			break;
		w->rounds++;
	}
	w->error = errno;
	if (fd >= 0)
		close(fd);
	w->done = true;
	return NULL;
}

static void *sync_main(void *arg)
{
	sync();
	*(_Atomic bool *)arg = true;
	return NULL;
}

static int set_up_again(int fd)
{
	struct abuse_params p = params_of(SIZE);

	return set_params(fd, &p);
}

int main(void)
{
	struct writer w[2];
	pthread_t thread[2], sync_thread;
	_Atomic bool synced = false;
	struct device d;
	struct ram *ram;
	unsigned char *store = memory_new(SIZE);
	char dir[] = "/run/abuse-test-XXXXXX";
	int fd;

	test_begin();
	if (shell("command -v mkfs.ext4 >/dev/null"))
		skip("no mkfs.ext4 here");
	need(mkdtemp(dir), "a folder");
	d = device_new();
	set_up(&d, SIZE, ABUSE_F_WRITE_CACHE);
	fd = server_open(&d);
	ram = ram_start(&d, store, SIZE);
	need(!shell("mkfs.ext4 -q -F %s >/dev/null 2>&1", d.disk), "mkfs.ext4");
	need(!shell("mount -t ext4 %s %s", d.disk, dir), "mount");
	is(set_up_again(fd), 0, "SET_PARAMS with what is, while mounted");
	for (int i = 0; i < 2; i++) {
		memset(&w[i], 0, sizeof(w[i]));
		snprintf(w[i].path, sizeof(w[i].path), "%s/file%d", dir, i);
		need(!pthread_create(&thread[i], NULL, writer_main, &w[i]), "a thread");
	}
	ok(wait_for(w[0].rounds > 1 && w[1].rounds > 1), "files are written and synced");

	/* No server: everything piles up. */
	ram_stop(ram);
	ok(wait_for(attribute_number(&d, "queued") > 0), "requests wait for a server");
	need(!pthread_create(&sync_thread, NULL, sync_main, &synced), "a thread");
	ok(!w[0].done && !w[1].done, "the writers wait");

	is(reset(fd), 0, "RESET while mounted");
	for (int i = 0; i < 2; i++) {
		ok(wait_for(w[i].done), "a writer ends");
		pthread_join(thread[i], NULL);
		ok(w[i].error == EIO || w[i].error == EROFS || w[i].error == ENOSPC,
		   "with an error (%s)", strerror(w[i].error));
	}
	ok(wait_for(synced), "sync returns");
	pthread_join(sync_thread, NULL);
	is(disk_size(&d), 0, "the disk is empty");
	is(set_up_again(fd), -EBUSY, "set-up while it is still mounted");
	is(shell("umount %s", dir), 0, "umount");

	ok(wait_for(set_up_again(fd) != -EBUSY), "set-up after that");
	ram = ram_start(&d, store, SIZE);
	is(shell("e2fsck -fp %s >/dev/null 2>&1", d.disk) & ~1, 0, "e2fsck can mend it");
	is(shell("mount -t ext4 %s %s", d.disk, dir), 0, "mount");
	is(shell("umount %s", dir), 0, "umount");
	rmdir(dir);
	ram_stop(ram);
	is(reset(fd), 0, "RESET");
	close(fd);
	is(device_remove(d.number), 0, "REMOVE");
	return done();
}
