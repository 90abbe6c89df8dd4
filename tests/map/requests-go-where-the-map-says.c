/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A request that one range holds and permits is done on that range's file, though every server
 * is stopped or dead: READs of cached bytes in place, all else by a worker, each counted so. Any
 * other request goes to a server. Reads of bytes that a file has lost fail, and show no old ones.
 */
/* timeout: 120 */
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

#include "map.h"

#define SIZE	(1 * MIB)

static struct device dev;
static int ctl;

static bool reads(uint64_t offset, size_t length, uint64_t from, unsigned int seed)
{
	struct io *io = io_read(&dev, offset, length);
	unsigned char *want = memory_new(SIZE);
	bool same;

	pattern_fill(want, SIZE, seed);
	same = !io_wait(io) && !memcmp(io->data, want + from, length);
	io_free(io);
	munmap(want, SIZE);
	return same;
}

/* The request that this leads to comes to a server, which answers it. */
static void is_missed(struct io *io, const char *what)
{
	struct abuse_request q = fetch_one(ctl, NULL, 0);
	unsigned char *zeroes = memory_new(SIZE);

	need(!reply(ctl, q.id, 0, zeroes), "an answer");
	is(io_end(io), 0, what);
	munmap(zeroes, SIZE);
}

/* Whether listeners of fanotify may forbid this kernel's programs to read a file. */
static bool may_be_forbidden(int fd)
{
	int listener = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY), ret;
	char path[64];

	need(listener >= 0, "fanotify");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = fanotify_mark(listener, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD, path);
	close(listener);
	return !ret;
}

/* Whether inotify or fanotify may keep this kernel from reading in place there. */
static bool reads_in_place(int fd)
{
	struct statfs fs;

	return kernel_is_from(6, 10) || !may_be_forbidden(fd) ||
	       (!fstatfs(fd, &fs) && fs.f_type == 0x01021994 /* tmpfs */);
}

static void bytes_and_counters(void)
{
	int fd = file_new("/dev/shm", SIZE, 7, O_RDWR), file = registered(ctl, fd);
	struct abuse_map_entry parts[] = {
		entry(0, 64, file, 65536, MAP_RW), entry(64, 64, file, 0, MAP_ALL),
		entry(128, 8, file, 0, MAP_R), entry(136, 8, file, 512 * 1024, MAP_W),
	};
	struct io *io;

	is(map_entries(ctl, parts, 4), 0, "MAP");
	hits_are(&dev, 0, 0, 0, "at first");
	ok(reads(0, 32768, 65536, 7), "a read of one range");
	ok(reads(4096, 512, 69632, 7), "a small one within");
	ok(reads(64 * 512, 4096, 0, 7), "a read of another range");
	hits_are(&dev, 3, 0, 0, "what is cached");
	is_missed(io_read(&dev, 63 * 512, 1024), "a read across two ranges goes to a server");
	is_missed(io_read(&dev, 136 * 512, 4096), "a read where WRITE alone is mapped");
	is_missed(io_write(&dev, 128 * 512, 4096, 1), "a write where READ alone is");
	is_missed(io_start(&dev, IO_DISCARD, 0, 4096), "a discard where SHAPE is not");
	is_missed(io_read(&dev, 144 * 512, 4096), "a read of no range");
	is_missed(io_read(&dev, 143 * 512, 1024), "or half of it");
	hits_are(&dev, 3, 0, 6, "missed");

	is(io_end(io_write(&dev, 136 * 512, 4096, 9)), 0, "a write");
	ok(file_has(fd, 512 * 1024, 4096, 9), "is in the file");
	is(io_end(io_start(&dev, IO_DISCARD, 64 * 512, 4096)), 0, "a discard");
	ok(file_has(fd, 0, 4096, 0), "makes a hole");
	is(io_end(io_start(&dev, IO_ZEROOUT, 72 * 512, 4096)), 0, "zeroes");
	ok(file_has(fd, 4096, 4096, 0), "are in the file");
	ok(hits_of(&dev).by_worker >= 3, "these were a worker's");
	io = io_read(&dev, 80 * 512, 4096);
	is(io_end(io), 0, "a read of what is cached still");
	is(map_one(ctl, entry_clear(0, 2048, MAP_W)), 0, "CLEAR of WRITE");
	is_missed(io_write(&dev, 0, 4096, 1), "a write goes to a server then");
	ok(reads(0, 4096, 65536, 7), "a read does not");
	is(map_one(ctl, entry_clear(0, 2048, MAP_ALL)), 0, "CLEAR");
	is_missed(io_read(&dev, 0, 4096), "a read goes to a server");
	is(attribute_number(&dev, "map_extents"), 0, "no range is left");
	file_unregister(ctl, file);
	close(fd);
}

/* Which file systems READs are served in place on, and how. */
static void where_bytes_are(const char *folder)
{
	int fd = file_new(folder, SIZE, 5, O_RDWR), direct, file;
	struct hits before = hits_of(&dev);
	int watch = inotify_init1(IN_CLOEXEC);
	bool in_place = reads_in_place(fd);
	char path[64];

	printf("# %s, in place: %d\n", folder, in_place);
	/* Older kernels cannot tell which accesses somebody watches: one who does is enough. */
	if (!in_place)
		need(inotify_add_watch(watch, folder, IN_MODIFY) >= 0, "a watch");
	file = registered(ctl, fd);
	is(map_bytes(ctl, file, 0, SIZE, MAP_RW), 0, "MAP");
	ok(reads(0, 128 * KIB, 0, 5), "128 KiB");
	is(hits_of(&dev).in_place - before.in_place, in_place, "in place");
	ok(reads(0, 132 * KIB, 0, 5), "132 KiB");
	is(hits_of(&dev).in_place - before.in_place, in_place, "not in place");
	before = hits_of(&dev);
	fsync(fd);
	if (!strcmp(folder, "/var/tmp")) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		ok(reads(256 * KIB, 4096, 256 * KIB, 5), "what is not cached");
		is(hits_of(&dev).by_worker - before.by_worker, 1, "is read by a worker");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
		need(direct >= 0, "O_DIRECT");
		is(map_bytes(ctl, registered(ctl, direct), 0, SIZE, MAP_RW), 0, "MAP of O_DIRECT");
		before = hits_of(&dev);
		ok(reads(0, 4096, 0, 5) && reads(0, 4096, 0, 5), "two reads");
		is(hits_of(&dev).by_worker - before.by_worker, 2, "by a worker");
		close(direct);
	}
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR");
	file_unregister(ctl, file);
	close(fd);
	close(watch);
}

static void a_file_is_cut(const char *folder)
{
	int fd = file_new(folder, SIZE, 5, O_RDWR), file = registered(ctl, fd);
	struct io *io;

	is(map_bytes(ctl, file, 0, SIZE, MAP_ALL), 0, "MAP");
	ok(reads(60 * KIB, 4096, 60 * KIB, 5), "before it is cut");
	need(!ftruncate(fd, 62 * KIB), "to cut it");
	is(io_end(io_read(&dev, 64 * KIB, 4096)), EIO, "a read beyond the end");
	io = io_read(&dev, 60 * KIB, 4096);
	is(io_wait(io), EIO, "a read across the end");
	ok(bytes_are(io->data + 2048, 2048, 0), "has no old bytes");
	io_free(io);
	ok(reads(60 * KIB, 2048, 60 * KIB, 5), "what is left is read");
	is(io_end(io_write(&dev, 64 * KIB, 4096, 1)), EIO, "a write beyond the end");
	is(io_end(io_start(&dev, IO_ZEROOUT, 64 * KIB, 4096)), EIO, "zeroes beyond the end");
	need(lseek(fd, 0, SEEK_END) == 62 * KIB, "it has not grown");
	need(!ftruncate(fd, SIZE), "to lengthen it");
	io = io_read(&dev, 60 * KIB, 8192);
	is(io_wait(io), 0, "a read when it is long again");
	ok(bytes_are(io->data + 2048, 6144, 0), "has zeroes");
	io_free(io);
	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR");
	file_unregister(ctl, file);
	close(fd);
}

/* Maps all of the disk and holds a request until it is killed. */
static int map_and_hold(void *arg)
{
	int fd = *(int *)arg, server = open(dev.node, O_RDWR | O_CLOEXEC);
	struct abuse_request q;

	if (map_bytes(server, registered(server, fd), 0, SIZE / 2, MAP_ALL))
		return 1;
	q = fetch_one(server, NULL, 0);
	need(q.sector == SIZE / 1024, "the request of no range");
	for (;;)
		pause();
}

static void servers_do_not_matter(void)
{
	int fd = file_new("/dev/shm", SIZE, 6, O_RDWR);
	struct io *held = io_read(&dev, SIZE / 2, 4096);
	pid_t pid = child_start(map_and_hold, &fd);

	need(wait_for(attribute_number(&dev, "held") == 1), "the server to hold a request");
	kill(pid, SIGSTOP);
	ok(reads(0, 4096, 0, 6), "a read while the server is stopped");
	is(io_end(io_write(&dev, 4096, 4096, 8)), 0, "a write");
	ok(file_has(fd, 4096, 4096, 8), "it is in the file");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "the server is gone");
	ok(reads(4096, 4096, 0, 8) || reads(4096, 512, 0, 8), "a read when it is dead");
	is(io_end(io_write(&dev, 8192, 4096, 8)), 0, "a write");
	is(io_end(io_start(&dev, IO_ZEROOUT, 8192, 4096)), 0, "zeroes");
	ok(!held->done, "what no range has waits for a server");
	is_missed(held, "which another one is");
	close(fd);
}

int main(void)
{
	struct abuse_params p = params_of(SIZE);

	test_begin();
	dev = device_new();
	p.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES;
	p.io_opt = 0;
	set_up_as(&dev, &p);
	ctl = server_open(&dev);
	bytes_and_counters();
	where_bytes_are("/dev/shm");
	where_bytes_are("/var/tmp");
	a_file_is_cut("/dev/shm");
	a_file_is_cut("/var/tmp");
	servers_do_not_matter();
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
