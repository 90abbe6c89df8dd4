// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Appending to and reading the log of a recorded disk; see log.h. Knows no request and no
 * device.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_LENGTH	(1ULL << 40)

static int read_all(int fd, void *to, uint64_t length, uint64_t at)
{
	ssize_t nr;

	for (; length; at += (uint64_t)nr, length -= (uint64_t)nr) {
		nr = pread(fd, to, length, (off_t)at);
		if (nr < 0 && errno == EINTR)
			nr = 0;
		else if (nr <= 0)
			return nr ? -errno : -EINVAL;
		to = (char *)to + nr;
	}
	return 0;
}

static int write_all(int fd, const void *from, uint64_t length, uint64_t at)
{
	ssize_t nr;

	for (; length; at += (uint64_t)nr, length -= (uint64_t)nr) {
		nr = pwrite(fd, from, length, (off_t)at);
		if (nr < 0 && errno == EINTR)
			nr = 0;
		else if (nr <= 0)
			return nr ? -errno : -EIO;
		from = (const char *)from + nr;
	}
	return 0;
}

static int lock_file(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(fd, F_OFD_SETLKW, &lock))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int log_create(struct log *log, const char *path, uint64_t size, uint32_t block_size)
{
	struct log_header header = {
		.version = LOG_VERSION, .block_size = block_size,
		.size = size, .end = sizeof(header),
	};
	int ret;

	memcpy(header.magic, LOG_MAGIC, sizeof(header.magic));
	log->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (log->fd < 0)
		return -errno;
	ret = write_all(log->fd, &header, sizeof(header), 0);
	if (ret) {
		close(log->fd);
		unlink(path);
		return ret;
	}
	pthread_mutex_init(&log->lock, NULL);
	return 0;
}

static int check(int fd, struct log_header *header)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* A writer that appends makes the file longer first. */
	ret = lock_file(fd, F_RDLCK);
	if (ret)
		return ret;
	ret = read_all(fd, header, sizeof(*header), 0);
	if (!ret && fstat(fd, &st))
		ret = -errno;
	lock_file(fd, F_UNLCK);
	if (ret)
		return ret;
	return memcmp(header->magic, LOG_MAGIC, sizeof(header->magic)) ||
	       header->version != LOG_VERSION || header->end < sizeof(*header) ||
	       header->end > (uint64_t)st.st_size ? -EINVAL : 0;
}

int log_open(struct log *log, const char *path, int flags, struct log_header *header)
{
	int ret;

	log->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);	/* no FIFO holds us up */
	if (log->fd < 0)
		return -errno;
	ret = check(log->fd, header);
	if (ret) {
		close(log->fd);
		return ret;
	}
	pthread_mutex_init(&log->lock, NULL);
	return 0;
}

void log_close(struct log *log)
{
	close(log->fd);
	pthread_mutex_destroy(&log->lock);
}

static int read_end(int fd, uint64_t *end)
{
	return read_all(fd, end, sizeof(*end), offsetof(struct log_header, end));
}

int log_end(struct log *log, uint64_t *end)
{
	int ret;

	pthread_mutex_lock(&log->lock);
	ret = lock_file(log->fd, F_RDLCK);
	if (!ret) {
		ret = read_end(log->fd, end);
		lock_file(log->fd, F_UNLCK);
	}
	pthread_mutex_unlock(&log->lock);
	return ret;
}

static int append(const struct log *log, const struct log_record *record, const void *bytes,
		  uint64_t length)
{
	uint64_t end;
	int ret = read_end(log->fd, &end);

	if (!ret)
		ret = write_all(log->fd, record, sizeof(*record), end);
	end += sizeof(*record);
	if (!ret)
		ret = write_all(log->fd, bytes, length, end);
	end += length;
	return ret ? ret : write_all(log->fd, &end, sizeof(end), offsetof(struct log_header, end));
}

int log_append(struct log *log, struct log_record *record, const void *bytes, bool has_bytes)
{
	struct timespec now;
	int ret;

	pthread_mutex_lock(&log->lock);
	ret = lock_file(log->fd, F_WRLCK);
	if (!ret) {
		clock_gettime(CLOCK_REALTIME, &now);
		record->time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
		ret = append(log, record, bytes, has_bytes ? record->length : 0);
		lock_file(log->fd, F_UNLCK);
	}
	pthread_mutex_unlock(&log->lock);
	return ret;
}

int log_next(const struct log *log, uint64_t *at, uint64_t end, struct log_record *record)
{
	int ret;

	if (*at == end)
		return 0;
	if (end - *at < sizeof(*record))
		return -EINVAL;
	ret = read_all(log->fd, record, sizeof(*record), *at);
	if (ret)
		return ret;
	*at += sizeof(*record);
	if (record->op < LOG_WRITE || record->op > LOG_MARK || record->length > MAX_LENGTH ||
	    record->offset > INT64_MAX - MAX_LENGTH || log_payload(record) > end - *at ||
	    (record->op == LOG_MARK && record->length > LOG_MARK_MAX))
		return -EINVAL;
	*at += log_payload(record);
	return 1;
}
