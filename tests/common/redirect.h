/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Redirecting: files to redirect to, single replies, and a server thread that leaves
 * every request of its disk to one file.
 */
#ifndef TEST_REDIRECT_H
#define TEST_REDIRECT_H

#include "abuse.h"

/* The index, or -errno. */
static inline int file_register(int ctl, int fd)
{
	struct abuse_file file = { .size = sizeof(file), .fd = fd };
	int ret = call(ctl, ABUSE_REGISTER_FILE, &file);

	return ret ? ret : (int)file.index;
}

static inline int file_unregister(int ctl, unsigned long index)
{
	return call_value(ctl, ABUSE_UNREGISTER_FILE, index);
}

/* The reply's status, or -errno of the call. */
static inline int redirect(int ctl, uint64_t id, unsigned int file, uint64_t offset)
{
	struct abuse_reply r;
	int ret;

	memset(&r, 0, sizeof(r));
	r.id = id;
	r.address = offset;
	r.flags = ABUSE_REPLY_REDIRECT;
	r.file = file;
	r.status = 0xdead;
	ret = exchange_both(ctl, &r, 1, NULL, 0, NULL, 0, NO_WAIT);
	return ret < 0 ? ret : (int)r.status;
}

/* A new file of so many bytes with that pattern in it, open; it has no name any more. */
static inline int file_new(const char *folder, size_t size, unsigned int seed, int flags)
{
	char path[128], *bytes = memory_new(size ? size : 1);
	int fd, again;

	snprintf(path, sizeof(path), "%s/abuse-test-XXXXXX", folder);
	fd = mkstemp(path);
	need(fd >= 0, "a file in %s", folder);
	pattern_fill(bytes, size, seed);
	need(pwrite(fd, bytes, size, 0) == (ssize_t)size, "its bytes");
	again = open(path, flags | O_CLOEXEC);
	need(again >= 0, "to open it with flags %#x", flags);
	close(fd);
	unlink(path);
	munmap(bytes, size ? size : 1);
	return again;
}

/* Whether a place in a file, read through another descriptor, has that pattern. */
static inline bool file_has(int fd, uint64_t offset, size_t size, unsigned int seed)
{
	char path[64], *bytes = memory_new(size);
	bool has;
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	need(again >= 0, "to open the file again");
	has = pread(again, bytes, size, offset) == (ssize_t)size &&
	      (seed ? pattern_is(bytes, size, seed) : bytes_are(bytes, size, 0));
	close(again);
	munmap(bytes, size);
	return has;
}

struct redirector {
	int ctl, stop;
	unsigned int file;
	uint64_t base;			/* where in the file the disk begins */
	_Atomic unsigned int ops[5];
	_Atomic unsigned int fua;
	pthread_t thread;
};

static inline void *redirector_main(void *arg)
{
	struct redirector *r = arg;
	struct abuse_request requests[32];
	struct abuse_reply replies[32];
	int n = 0;

	for (;;) {
		for (int i = 0; i < n; i++) {
			replies[i] = (struct abuse_reply) {
				.id = requests[i].id, .flags = ABUSE_REPLY_REDIRECT,
				.address = r->base + requests[i].sector * 512,
				.file = r->file,
			};
			r->ops[requests[i].op]++;
			r->fua += !!(requests[i].flags & ABUSE_REQ_FUA);
		}
		n = exchange_both(r->ctl, replies, n, requests, 32, NULL, 0, SEC / 10);
		if (n < 0 || (!n && __atomic_load_n(&r->stop, __ATOMIC_RELAXED)))
			return NULL;
	}
}

/* The file's descriptor may be closed afterwards. */
static inline struct redirector *redirector_start(const struct device *d, int file,
						  uint64_t base)
{
	struct redirector *r = memory_new(sizeof(*r));
	int index;

	r->ctl = server_open(d);
	r->base = base;
	index = file_register(r->ctl, file);
	errno = -index;
	need(index >= 0, "REGISTER_FILE");
	r->file = index;
	need(!pthread_create(&r->thread, NULL, redirector_main, r), "a thread");
	return r;
}

static inline void redirector_stop(struct redirector *r)
{
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELAXED);
	pthread_join(r->thread, NULL);
	close(r->ctl);
	munmap(r, sizeof(*r));
}

#endif /* TEST_REDIRECT_H */
