/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A file that reads or writes less than it was asked to, by any number of bytes, is asked for
 * the rest until all is done, each byte at its place: at once, and as direct I/O that ends
 * later. Where it moves nothing more, as at its end, that is EIO.
 */
/* timeout: 120 */
#include "redirect.h"

#include <linux/fuse.h>

#define SIZE	(1 * MIB)
#define END	(SIZE - 64 * KIB)	/* the file says that it goes on to SIZE */
#define LARGEST	(128 * KIB)		/* that one call to it moves */
#define FOLDER	"/tmp/short"

static struct device d;

/* ---- a file system with one file, which never does all ----------------------------- */

static int fuse;
static unsigned char *store;
static uint64_t unit;			/* moved are multiples of it */
static _Atomic unsigned int nr_short;

static size_t part_of(uint64_t offset, size_t size)
{
	size_t left = offset < END ? END - offset : 0, units;

	size = size < left ? size : left;
	units = size / unit;
	if (units < 2)
		return size;
	nr_short++;
	return unit * (1 + offset / unit * 7919 % (units - 1));
}

static void answer(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + size, .error = -error, .unique = in->unique,
	};
	struct iovec { const void *base; size_t length; } iov[2] = {
		{ &out, sizeof(out) }, { data, size },
	};

	need(syscall(SYS_writev, fuse, iov, size ? 2 : 1) > 0 || errno == ENOENT,
	     "an answer to FUSE");
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr) {
		.ino = node, .size = node == 1 ? 0 : SIZE, .nlink = 1, .blksize = 512,
		.mode = node == 1 ? S_IFDIR | 0700 : S_IFREG | 0600,
	};
}

static void answer_read(const struct fuse_in_header *in, const struct fuse_read_in *asked)
{
	answer(in, 0, store + asked->offset, part_of(asked->offset, asked->size));
}

static void answer_write(const struct fuse_in_header *in, const struct fuse_write_in *asked)
{
	struct fuse_write_out out = { .size = part_of(asked->offset, asked->size) };

	memcpy(store + asked->offset, asked + 1, out.size);
	answer(in, 0, &out, sizeof(out));
}

static void answer_any(const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .flags = FUSE_ASYNC_DIO,
		.max_background = 16, .max_write = LARGEST, .time_gran = 1,
	};
	struct fuse_entry_out entry = { .nodeid = 2, .entry_valid = 1000, .attr = attr_of(2) };
	struct fuse_attr_out attr = { .attr_valid = 1000, .attr = attr_of(in->nodeid) };
	struct fuse_open_out open = { .open_flags = FOPEN_DIRECT_IO };

	switch (in->opcode) {
	case FUSE_INIT:
		return answer(in, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return answer(in, 0, &entry, sizeof(entry));
	case FUSE_GETATTR:
		return answer(in, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return answer(in, 0, &open, sizeof(open));
	case FUSE_READ:
		return answer_read(in, (const void *)(in + 1));
	case FUSE_WRITE:
		return answer_write(in, (const void *)(in + 1));
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(in, ENOSYS, NULL, 0);
	}
}

/* Until the file system is gone. */
static void *fuse_main(void *unused)
{
	struct fuse_in_header *in = memory_new(2 * LARGEST);

	(void)unused;
	for (;;) {
		ssize_t n = read(fuse, in, 2 * LARGEST);

		if (n > 0)
			answer_any(in);
		else if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
			return NULL;
	}
}

static void unmount(void)
{
	umount2(FOLDER, MNT_DETACH);
	rmdir(FOLDER);
}

static void mount_it(void)
{
	char options[80];
	pthread_t thread;

	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		skip("no FUSE in this kernel");
	store = memory_new(SIZE);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40700,user_id=0,group_id=0", fuse);
	mkdir(FOLDER, 0700);
	atexit(unmount);
	need(!mount("short", FOLDER, "fuse", MS_NOSUID | MS_NODEV, options), "a mounted file system");
	need(!pthread_create(&thread, NULL, fuse_main, NULL), "a thread");
	pthread_detach(thread);
}

/* ---- redirected to that file ------------------------------------------------------- */

static void read_at(uint64_t offset, size_t length, unsigned int seed)
{
	struct io *io;

	pattern_fill(store + offset, length, seed);
	io = io_read(&d, offset, length);
	is(io_wait(io), 0, "a read");
	ok(pattern_is(io->data, length, seed), "%zu bytes at %llu", length,
	   (unsigned long long)offset);
	io_free(io);
}

static void all_sizes(void (*move_at)(uint64_t offset, size_t length, unsigned int seed))
{
	move_at(0, 512, 1);
	move_at(512, 4096, 2);
	move_at(8192, 64 * KIB, 3);
	move_at(96 * KIB + 512, 333 * 512, 4);
	move_at(0, 512 * KIB, 5);
}

static void read_all_kinds(void)
{
	all_sizes(read_at);
	is(io_end(io_read(&d, END - 4096, 4096)), 0, "a read up to its end");
	is(io_end(io_read(&d, END - 4096, 8192)), EIO, "one across it");
	is(io_end(io_read(&d, END, 4096)), EIO, "one behind it");
}

static void write_at(uint64_t offset, size_t length, unsigned int seed)
{
	is(io_end(io_write(&d, offset, length, seed)), 0, "a write");
	ok(pattern_is(store + offset, length, seed), "%zu bytes at %llu", length,
	   (unsigned long long)offset);
}

/* Through the page cache: requests of many bios. */
static void write_back(uint64_t offset, size_t length)
{
	struct io *io = io_prepare(&d, IO_WRITE, offset, length);

	io->open_flags = O_RDWR;
	pattern_fill(io->data, io->length, 77);
	is(io_end(io_go(io)), 0, "a buffered write");
	is(io_end(io_go(io_prepare(&d, IO_FSYNC, 0, 0))), 0, "fsync");
	ok(pattern_is(store + offset, length, 77), "is in the file");
}

static void write_all_kinds(void)
{
	memset(store, 0xee, SIZE);
	all_sizes(write_at);
	write_back(512 * KIB, 256 * KIB);
	is(io_end(io_write(&d, END - 4096, 8192, 9)), EIO, "one that is not taken whole");
	is(io_end(io_write(&d, END, 4096, 9)), EIO, "one of which nothing is taken");
	ok(bytes_are(store + END, SIZE - END, 0xee), "nothing is written where it ends");
}

static void run(int flags, uint64_t of)
{
	int file = open(FOLDER "/file", O_RDWR | O_CLOEXEC | flags), ctl;
	struct redirector *r;

	need(file >= 0, "the file");
	unit = of;
	nr_short = 0;
	memset(store, 0xee, SIZE);
	d = device_new();
	set_up(&d, SIZE, 0);
	r = redirector_start(&d, file, 0);
	read_all_kinds();
	/* FUSE itself makes EIO of one that ends later and is short. */
	if (!flags)
		write_all_kinds();
	printf("# flags %#x, multiples of %llu: %u times short\n", flags,
	       (unsigned long long)of, nr_short);
	ok(nr_short > 20, "the file was short often enough");
	redirector_stop(r);
	close(file);
	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	close(ctl);
}

int main(void)
{
	test_begin();
	mount_it();
	run(0, 1);
	run(O_DIRECT, 1);
	run(O_DIRECT, 512);
	return done();
}
