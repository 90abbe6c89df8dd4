/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * While a listener of fanotify may forbid reads of a mapped file, no READ is served in place:
 * a worker does it, the listener is asked, and a READ that it forbids fails. Before and after
 * that cached bytes are read in place. On each file system whose cache is read so.
 */
/* timeout: 240 */
#include <poll.h>
#include <sys/fanotify.h>

#include "map.h"

#define SIZE	(64 * KIB)
#define FOLDER	"/tmp/watched"
#define IMAGE	"/var/tmp/abuse-watched.img"

static struct device dev;
static int ctl;

/* ---- the listener ---------------------------------------------------------------------- */

static int listener;
static _Atomic unsigned int nr_asked, verdict;
static _Atomic bool is_over;

static void *listener_main(void *unused)
{
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	struct fanotify_event_metadata event;
	struct fanotify_response response;

	(void)unused;
	while (!is_over) {
		if (poll(&pfd, 1, 50) < 1 ||
		    read(listener, &event, sizeof(event)) != sizeof(event))
			continue;
		nr_asked++;
		response = (struct fanotify_response){ .fd = event.fd, .response = verdict };
		need(write(listener, &response, sizeof(response)) == sizeof(response),
		     "an answer to fanotify");
		close(event.fd);
	}
	return NULL;
}

/* Of that file; false: this kernel has no such listeners. */
static bool listen_to(const char *path)
{
	int ret;

	listener = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_LARGEFILE);
	need(listener >= 0, "fanotify");
	ret = fanotify_mark(listener, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD, path);
	need(!ret || errno == EINVAL, "a mark");
	return !ret;
}

/* ---- reads ------------------------------------------------------------------------------ */

static int read_it(void)
{
	struct io *io = io_read(&dev, 0, 4096);
	int error = io_wait(io);

	if (!error)
		ok(pattern_is(io->data, 4096, 5), "has the file's bytes");
	io_free(io);
	return error;
}

/* Two, and who served them. */
static void reads(bool in_place)
{
	struct hits before = hits_of(&dev);

	is(read_it(), 0, "a read");
	is(read_it(), 0, "another");
	is(hits_of(&dev).in_place - before.in_place, in_place ? 2 : 0, "in place");
	is(hits_of(&dev).by_worker - before.by_worker, in_place ? 0 : 2, "by a worker");
}

/* Reads of a file that is opened now. */
static void map_it(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), file;
	char bytes[4096];

	need(fd >= 0 && pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes), "to read %s", path);
	file = registered(ctl, fd);
	is(map_bytes(ctl, file, 0, SIZE, MAP_R), 0, "MAP");
	close(fd);
	file_unregister(ctl, file);
}

static void watched(const char *path)
{
	pthread_t thread;

	is_over = false;
	nr_asked = 0;
	verdict = FAN_ALLOW;
	need(!pthread_create(&thread, NULL, listener_main, NULL), "a thread");
	map_it(path);
	ok(nr_asked, "the listener is asked");
	nr_asked = 0;
	reads(false);
	ok(nr_asked >= 2, "the listener was asked for each (%u)", nr_asked);
	verdict = FAN_DENY;
	is(read_it(), EIO, "a read that it forbids");
	verdict = FAN_ALLOW;
	is(read_it(), 0, "one that it does not");
	is_over = true;
	pthread_join(thread, NULL);
}

static void on(const char *folder)
{
	/* Older kernels cannot tell which accesses somebody watches: systemd does some. */
	bool in_place = kernel_is_from(6, 10);
	char path[128], bytes[SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/abuse-watched", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pattern_fill(bytes, SIZE, 5);
	need(fd >= 0 && write(fd, bytes, SIZE) == SIZE && !fsync(fd), "a file in %s", folder);
	close(fd);
	if (in_place) {
		map_it(path);
		reads(true);
	}
	if (listen_to(path))
		watched(path);
	else
		printf("# this kernel has no such listeners\n");
	close(listener);
	map_it(path);
	if (in_place)
		reads(true);
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR");
	unlink(path);
}

static void unmount(void)
{
	if (getpid() == test_main_pid)
		shell("umount -l " FOLDER " 2>/dev/null; rmdir " FOLDER "; rm -f " IMAGE);
}

/* Where the guest can make and mount one. */
static void on_new(const char *fs)
{
	printf("# %s\n", fs);
	if (shell("command -v mkfs.%s >/dev/null && rm -f " IMAGE " && truncate -s 320M " IMAGE
		  " && mkfs.%s -q " IMAGE " && mount -o loop " IMAGE " " FOLDER, fs, fs)) {
		printf("# cannot be made or mounted here\n");
		return;
	}
	on(FOLDER);
	need(wait_for(!shell("umount " FOLDER)), "to unmount it");
}

int main(void)
{
	test_begin();
	dev = device_new();
	set_up(&dev, SIZE, 0);
	ctl = server_open(&dev);
	atexit(unmount);
	mkdir(FOLDER, 0700);
	puts("# tmpfs");
	on("/dev/shm");
	on_new("ext4");
	on_new("xfs");
	on_new("btrfs");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
