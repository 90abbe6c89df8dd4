// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Bytes kept in a descriptor. Every write reaches the kernel before it is
 * answered, so other servers of the device see it and killing this one loses
 * nothing; reads beyond the end are errors, never old bytes.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void store_init(struct store *store, int fd)
{
	*store = (struct store) { .fd = fd };
	pthread_mutex_init(&store->flushing, NULL);
}

void store_close(struct store *store)
{
	close(store->fd);
	pthread_mutex_destroy(&store->flushing);
}

int store_read(int fd, void *to, uint64_t offset, uint64_t length)
{
	char *at = to;
	ssize_t nr;

	while (length) {
		nr = pread(fd, at, length, (off_t)offset);
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr ? -errno : -EIO;	/* 0: it was made shorter */
		at += nr;
		offset += (uint64_t)nr;
		length -= (uint64_t)nr;
	}
	return 0;
}

int store_write(int fd, const void *from, uint64_t offset, uint64_t length)
{
	const char *at = from;
	ssize_t nr;

	while (length) {
		nr = pwrite(fd, at, length, (off_t)offset);
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr ? -errno : -EIO;
		at += nr;
		offset += (uint64_t)nr;
		length -= (uint64_t)nr;
	}
	return 0;
}

static int change_range(int fd, int mode, uint64_t offset, uint64_t length)
{
	int ret;

	do
		ret = fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				(off_t)length);
	while (ret < 0 && errno == EINTR);
	/* Part of a sector of a block device cannot be done, but written. */
	if (ret < 0 && errno == EINVAL)
		return -EOPNOTSUPP;
	return ret < 0 ? -errno : 0;
}

int store_allocate(int fd, uint64_t offset, uint64_t length)
{
	return change_range(fd, 0, offset, length);
}

int store_punch(int fd, uint64_t offset, uint64_t length)
{
	return change_range(fd, FALLOC_FL_PUNCH_HOLE, offset, length);
}

int store_clear(int fd, uint64_t offset, uint64_t length, bool unmap)
{
	static const char zeroes[64 * 1024];
	int ret;

	ret = change_range(fd, unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE,
			   offset, length);
	if (ret != -EOPNOTSUPP)
		return ret;
	for (ret = 0; length && !ret; ) {
		uint64_t nr = length < sizeof(zeroes) ? length : sizeof(zeroes);

		ret = store_write(fd, zeroes, offset, nr);
		offset += nr;
		length -= nr;
	}
	return ret;
}

/* A signal that ends waits may come meanwhile, and says nothing of the bytes. */
static int sync_data(int fd)
{
	int ret;

	do
		ret = fdatasync(fd);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/*
 * The kernel reports a failed write-back once, then forgets it. Threads flush
 * one at a time, and after a failure all fail: an answer "durable" would be a
 * guess until the server is started anew.
 */
int store_sync(struct store *store)
{
	int ret;

	pthread_mutex_lock(&store->flushing);
	if (!store->flush_error)
		store->flush_error = sync_data(store->fd);
	ret = store->flush_error;
	pthread_mutex_unlock(&store->flushing);
	return ret;
}

/* ---- callbacks, for backends whose bytes have the same place in the store ---- */

int store_pread(struct abuse_req *req)
{
	const struct store *store = req->arg;

	return store_read(store->fd, req->data, req->offset, req->length);
}

int store_pwrite(struct abuse_req *req)
{
	const struct store *store = req->arg;

	return store_write(store->fd, req->data, req->offset, req->length);
}

int store_trim(struct abuse_req *req)
{
	const struct store *store = req->arg;

	return store_punch(store->fd, req->offset, req->length);
}

int store_zero(struct abuse_req *req)
{
	const struct store *store = req->arg;

	return store_clear(store->fd, req->offset, req->length,
			   !(req->flags & ABUSE_REQ_NOUNMAP));
}

int store_flush(struct abuse_req *req)
{
	return store_sync(req->arg);
}
