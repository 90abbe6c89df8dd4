// SPDX-License-Identifier: GPL-2.0-or-later
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

int store_pread(struct abuse_req *req)
{
	const struct store *store = req->arg;
	uint64_t offset = req->offset, length = req->length;
	char *at = req->data;
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

static int write_all(const struct store *store, const void *from, uint64_t offset,
		     uint64_t length)
{
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

int store_pwrite(struct abuse_req *req)
{
	return write_all(req->arg, req->data, req->offset, req->length);
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

int store_trim(struct abuse_req *req)
{
	return change_range(req->arg, FALLOC_FL_PUNCH_HOLE, req->offset, req->length);
}

int store_zero(struct abuse_req *req)
{
	static const char zeroes[64 * 1024];
	uint64_t offset = req->offset, length = req->length;
	int ret;

	ret = change_range(req->arg, req->flags & ABUSE_REQ_NOUNMAP ?
			   FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE, offset, length);
	if (ret != -EOPNOTSUPP)
		return ret;
	for (ret = 0; length && !ret; ) {
		uint64_t nr = length < sizeof(zeroes) ? length : sizeof(zeroes);

		ret = write_all(req->arg, zeroes, offset, nr);
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
int store_flush(struct abuse_req *req)
{
	struct store *store = req->arg;
	int ret;

	pthread_mutex_lock(&store->flushing);
	if (!store->flush_error && fdatasync(store->fd))
		store->flush_error = -errno;
	ret = store->flush_error;
	pthread_mutex_unlock(&store->flushing);
	return ret;
}
