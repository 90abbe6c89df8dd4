/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A FUSE file system in the test itself: each name in it is a file of the same size. The test
 * answers READ and WRITE, at once, late, short or with an error.
 */
#ifndef TESTS_FUSE_H
#define TESTS_FUSE_H

#include "abuse.h"
#include <linux/fuse.h>

#define FUSE_LARGEST	(128 * KIB)	/* that one call to it moves */

struct fuse {
	const char *folder;
	uint64_t size;			/* of each file */
	mode_t mode;			/* of each file, without its type */
	uint32_t open_flags;		/* FOPEN_* */
	uint32_t init_flags;		/* FUSE_*, beside ASYNC_DIO */
	bool asks_first;		/* attributes are asked for before each use */
	_Atomic uint64_t mtime;		/* of all, in seconds */
	void (*read)(const struct fuse_in_header *in, const struct fuse_read_in *asked);
	void (*write)(const struct fuse_in_header *in, const struct fuse_write_in *asked);
	bool (*is_mute)(const struct fuse_in_header *in);	/* true: it is never answered */
};

static struct fuse fuse;
static int fuse_fd;

static inline void fuse_answer(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + size, .error = -error, .unique = in->unique,
	};
	struct iovec { const void *base; size_t length; } iov[2] = {
		{ &out, sizeof(out) }, { data, size },
	};

	need(syscall(SYS_writev, fuse_fd, iov, size ? 2 : 1) > 0 || errno == ENOENT,
	     "an answer to FUSE");
}

static inline struct fuse_attr fuse_attr_of(uint64_t node)
{
	return (struct fuse_attr) {
		.ino = node, .size = node == 1 ? 0 : fuse.size, .nlink = 1, .blksize = 512,
		.mode = node == 1 ? S_IFDIR | fuse.mode | (fuse.mode & 0444) >> 2 :
				    S_IFREG | fuse.mode,
		.mtime = fuse.mtime,
	};
}

/* A name that is a number is a file of its own; all others are one. */
static inline void fuse_answer_lookup(const struct fuse_in_header *in, const char *name)
{
	uint64_t node = 2 + strtoull(name, NULL, 10);
	struct fuse_entry_out entry = {
		.nodeid = node, .entry_valid = 1000, .attr = fuse_attr_of(node),
	};

	fuse_answer(in, 0, &entry, sizeof(entry));
}

static inline void fuse_answer_any(const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .flags = FUSE_ASYNC_DIO | fuse.init_flags,
		.max_background = 16, .max_write = FUSE_LARGEST, .time_gran = 1,
	};
	struct fuse_attr_out attr = {
		.attr_valid = fuse.asks_first ? 0 : 1000, .attr = fuse_attr_of(in->nodeid),
	};
	struct fuse_open_out open = { .open_flags = fuse.open_flags };

	if (fuse.is_mute && fuse.is_mute(in))
		return;
	switch (in->opcode) {
	case FUSE_INIT:
		return fuse_answer(in, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return fuse_answer_lookup(in, (const char *)(in + 1));
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return fuse_answer(in, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return fuse_answer(in, 0, &open, sizeof(open));
	case FUSE_READ:
		return fuse.read(in, (const void *)(in + 1));
	case FUSE_WRITE:
		return fuse.write(in, (const void *)(in + 1));
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return fuse_answer(in, ENOSYS, NULL, 0);
	}
}

/* Until the file system is gone; any number of threads at once. */
static inline void *fuse_main(void *unused)
{
	struct fuse_in_header *in = memory_new(2 * FUSE_LARGEST);

	(void)unused;
	for (;;) {
		ssize_t n = read(fuse_fd, in, 2 * FUSE_LARGEST);

		if (n > 0)
			fuse_answer_any(in);
		else if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
			return NULL;
	}
}

static inline void fuse_unmount(void)
{
	if (getpid() != test_main_pid)
		return;
	umount2(fuse.folder, MNT_DETACH);
	rmdir(fuse.folder);
}

/* Mounts what the caller described in `fuse`. False: no FUSE in this kernel. fuse_main() follows. */
static inline bool fuse_mount(const char *options)
{
	char all[128];

	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0)
		return false;
	snprintf(all, sizeof(all), "fd=%d,rootmode=40700,user_id=0,group_id=0%s", fuse_fd, options);
	mkdir(fuse.folder, 0700);
	atexit(fuse_unmount);
	need(!mount("test", fuse.folder, "fuse", MS_NOSUID | MS_NODEV, all), "a mounted file system");
	return true;
}

#endif /* TESTS_FUSE_H */
