// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes kept in a descriptor. Every write reaches the kernel before it is
 * answered, so other servers of the device see it and killing this one loses
 * nothing; reads beyond the end are errors, never old bytes.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct store {
	int fd;
	pthread_mutex_t flushing;	/* guards flush_error */
	int flush_error;
};

struct store *store_alloc(int fd)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store) {
		store->fd = fd;
		pthread_mutex_init(&store->flushing, NULL);
	}
	return store;
}

void store_free(struct store *store)
{
	close(store->fd);
	pthread_mutex_destroy(&store->flushing);
	free(store);
}

int store_fd(const struct store *store)
{
	return store->fd;
}

int store_read(void *arg, void *to, uint64_t offset, uint64_t length)
{
	const struct store *store = arg;
	char *at = to;
	ssize_t nr;

	while (length) {
		nr = pread(store->fd, at, length, (off_t)offset);
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

int store_write(void *arg, const void *from, uint64_t offset, uint64_t length)
{
	const struct store *store = arg;
	const char *at = from;
	ssize_t nr;

	while (length) {
		nr = pwrite(store->fd, at, length, (off_t)offset);
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

static int change_range(const struct store *store, int mode, uint64_t offset,
			uint64_t length)
{
	int ret;

	do
		ret = fallocate(store->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				(off_t)length);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int store_discard(void *arg, uint64_t offset, uint64_t length)
{
	return change_range(arg, FALLOC_FL_PUNCH_HOLE, offset, length);
}

int store_write_zeroes(void *arg, uint64_t offset, uint64_t length, bool may_unmap)
{
	static const char zeroes[64 * 1024];
	int ret;

	ret = change_range(arg, may_unmap ? FALLOC_FL_PUNCH_HOLE :
			   FALLOC_FL_ZERO_RANGE, offset, length);
	if (ret != -EOPNOTSUPP)
		return ret;
	for (ret = 0; length && !ret; ) {
		uint64_t nr = length < sizeof(zeroes) ? length : sizeof(zeroes);

		ret = store_write(arg, zeroes, offset, nr);
		offset += nr;
		length -= nr;
	}
	return ret;
}

/*
 * The kernel reports a failed write-back once, then forgets it. Threads flush
 * one at a time, and after a failure all fail: an answer "durable" would be a
 * guess until the server is started anew.
 */
int store_flush(void *arg)
{
	struct store *store = arg;
	int ret;

	pthread_mutex_lock(&store->flushing);
	if (!store->flush_error && fdatasync(store->fd))
		store->flush_error = -errno;
	ret = store->flush_error;
	pthread_mutex_unlock(&store->flushing);
	return ret;
}
