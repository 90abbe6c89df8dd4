// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Files and block devices that backends keep their bytes in: made so that they are
 * there after a power failure, examined before they are used. Knows no request.
 */
#include "backend.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int store_file_open(const struct target *target, const char *path, int flags)
{
	/* Opening a FIFO would wait for another process; store_file_check() refuses FIFOs. */
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd >= 0) {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		return fd;
	}
	if (!(flags & O_CREAT) && (errno == EROFS || (errno == EACCES && !target->read_only && !access(path, R_OK))))
		return failed(path, "cannot be written: %s; with ro it need not be",
			      strerror(errno)), -1;
	if (errno != ENOENT || flags & O_CREAT)
		return failed(path, "cannot be opened: %s", strerror(errno)), -1;
	if (target->is_up)
		return failed(path, "is missing, but %s is up: give the file it was set "
			      "up with, or 'abusectl reset %u' first",
			      device_name(target->number), target->number), -1;
	return -2;
}

int store_file_sync_name(const char *path)
{
	char *copy = strdup(path);
	int fd, ret = -1;

	fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		ret = fsync(fd);
		close(fd);
	}
	free(copy);
	return ret;
}

bool store_file_is_unfinished(const struct target *target, int fd)
{
	struct stat st;

	return !target->is_up && !fstat(fd, &st) && S_ISREG(st.st_mode) && !st.st_size;
}

int store_file_create(const char *path, uint64_t size, bool is_there)
{
	int flags = O_RDWR | O_CLOEXEC | (is_there ? 0 : O_CREAT | O_EXCL);
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == ENOENT)
		return failed(path, "cannot be made: its directory does not exist; make that first"), -1;
	if (fd < 0)
		return failed(path, "cannot be made: %s", strerror(errno)), -1;
	if (ftruncate(fd, (off_t)size) || fsync(fd) || store_file_sync_name(path)) {
		failed(path, "cannot be made %llu bytes long: %s",
		       (unsigned long long)size, strerror(errno));
		if (!is_there)
			unlink(path);
		close(fd);
		return -1;
	}
	return fd;
}

int store_file_check(const struct target *target, const char *path, int fd,
		     uint64_t *size)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return failed(path, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return failed(path, "is neither a regular file nor a block device; only these can be a disk");
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return failed(path, "cannot be examined: %s", strerror(errno));
	if (S_ISBLK(st.st_mode) && st.st_rdev == target->disk)
		return failed(path, "is the very disk to be served");
	*size = (uint64_t)end;
	return EXIT_OK;
}

bool store_file_punches(int fd, uint64_t size)
{
	struct stat st;

	return !fstat(fd, &st) &&
	       (S_ISBLK(st.st_mode) ||
		!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)size,
			   4096));
}

int store_file_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int store_file_map(struct abuse_server *srv, int index, uint64_t size, uint32_t rights)
{
	struct abuse_map_entry entry = {
		.sectors = size / 512,
		.file = (uint32_t)index,
		.rights = rights,
	};

	return abuse_map(srv, &entry, 1);
}

/* Whether the file takes zeroes as the kernel writes them for WRITE_ZEROES. Tried beyond the end, and undone. */
static bool can_zero(int fd, uint64_t size)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISBLK(st.st_mode))
		return true;
	return !fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)size, 4096) &&
	       !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)size, 4096);
}

uint32_t store_file_rights(int fd, uint64_t size, bool read_only, uint64_t features)
{
	if (read_only)
		return ABUSE_MAP_READ;
	if (!(features & (ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES)) || !can_zero(fd, size))
		return ABUSE_MAP_READ | ABUSE_MAP_WRITE;
	return ABUSE_MAP_READ | ABUSE_MAP_WRITE | ABUSE_MAP_SHAPE;
}
