// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file DELTA of a cow: disk: made over a base, or found to be made over that one.
 * A maker that dies leaves an empty file, or a header alone; both are gone on with.
 */
#include "cow.h"
#include "cmd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS	1000000000ULL

static int write_header(const char *path, int fd, uint64_t size,
			const struct cow_base *base)
{
	struct cow_header header = {
		.version = htole32(COW_VERSION),
		.chunk = htole32(COW_CHUNK),
		.size = htole64(size),
		.base_size = htole64(base->size),
		.base_changed = htole64(base->changed),
	};
	int ret;

	memcpy(header.magic, COW_MAGIC, sizeof(header.magic));
	ret = store_write(fd, &header, 0, sizeof(header));
	return ret ? failed(path, "cannot be written: %s", strerror(-ret)) : EXIT_OK;
}

/* Maps have their blocks from the start, where the file system does that. */
static int finish(const char *path, int fd, uint64_t size)
{
	uint64_t length = cow_map_length(size);

	if (ftruncate(fd, (off_t)(cow_data(size) + size)))
		return failed(path, "cannot be made %llu bytes long: %s",
			      (unsigned long long)(cow_data(size) + size),
			      strerror(errno));
	if ((fallocate(fd, 0, (off_t)COW_DURABLE, (off_t)length) && errno == ENOSPC) ||
	    (fallocate(fd, 0, (off_t)cow_live(size), (off_t)length) && errno == ENOSPC) ||
	    fsync(fd))
		return failed(path, "cannot be written: %s", strerror(errno));
	return EXIT_OK;
}

static const char *describe(uint64_t changed, char text[64])
{
	time_t seconds = (time_t)(changed / NANOSECONDS);
	struct tm tm;

	if (!changed)
		return "a block device";
	if (!localtime_r(&seconds, &tm) ||
	    !strftime(text, 64, "a file changed last on %F at %T", &tm))
		return "a file";
	return text;
}

static int check_base(const char *path, const struct cow_header *header,
		      const struct cow_base *base)
{
	uint64_t size = le64toh(header->base_size);
	uint64_t changed = le64toh(header->base_changed);
	char then[64], now[64];

	if (size != base->size)
		return failed(path, "was made over a base of %llu bytes, but %s has "
			      "%llu: give the base that it was made over, or another "
			      "DELTA", (unsigned long long)size, base->path,
			      (unsigned long long)base->size);
	if (changed == base->changed)
		return EXIT_OK;
	return failed(path, "was made over %s, but %s is %s: give the base that it was "
		      "made over, or another DELTA; if no byte differs, 'touch -d "
		      "@%llu.%09llu' makes it that base", describe(changed, then),
		      base->path, describe(base->changed, now),
		      (unsigned long long)(changed / NANOSECONDS),
		      (unsigned long long)(changed % NANOSECONDS));
}

static int check_size(const struct target *target, const char *path, uint64_t size)
{
	if (target->size == size)
		return EXIT_OK;
	if (target->is_up)
		return failed(path, "is of a disk of %llu bytes for good, the device has "
			      "%llu; 'abusectl resize %u %llu' makes them equal",
			      (unsigned long long)size,
			      (unsigned long long)target->size, target->number,
			      (unsigned long long)size);
	return failed(path, "is of a disk of %llu bytes for good, size= says %llu; leave "
		      "it out, or give another DELTA", (unsigned long long)size,
		      (unsigned long long)target->size);
}

static int check(struct target *target, const char *path, int fd, uint64_t length,
		 const struct cow_base *base)
{
	struct cow_header header;
	uint64_t size;
	int ret;

	ret = length < sizeof(header) ? -EINVAL :
	      store_read(fd, &header, 0, sizeof(header));
	if (ret == -EIO)
		return failed(path, "cannot be read: %s", strerror(-ret));
	if (ret || memcmp(header.magic, COW_MAGIC, sizeof(header.magic)))
		return failed(path, "was not made by cow:, and is left as it is: give a "
			      "DELTA that does not exist yet, or one that was");
	if (le32toh(header.version) != COW_VERSION || le32toh(header.chunk) != COW_CHUNK)
		return failed(path, "was made by another version of abusectl, which "
			      "has to serve it");
	size = le64toh(header.size);
	if (!target->size)
		target->size = size;
	ret = check_base(path, &header, base) || check_size(target, path, size);
	if (ret)
		return EXIT_FAILED;
	if (length == sizeof(header))
		return finish(path, fd, size);
	if (length < cow_data(size) + size)
		return failed(path, "has %llu bytes and had %llu: it was cut, and what is "
			      "missing is lost; give a copy that is whole",
			      (unsigned long long)length,
			      (unsigned long long)(cow_data(size) + size));
	return EXIT_OK;
}

static int make(struct target *target, const char *path, int fd,
		const struct cow_base *base)
{
	uint64_t bs = target->params->logical_block_size;
	int ret;

	if (target->is_up)
		return failed(path, "is empty, but %s is up: give the file it was set up "
			      "with, or 'abusectl reset %u' first",
			      device_name(target->number), target->number);
	if (!bs)
		bs = 512;
	if (!target->size)
		target->size = (base->size + bs - 1) / bs * bs;
	if (!target->size)
		return failed(base->path, "is empty; size= says how large the disk is");
	ret = write_header(path, fd, target->size, base);
	return ret ? ret : finish(path, fd, target->size);
}

static int examine(struct target *target, const char *path, int fd,
		   const struct cow_base *base)
{
	struct stat st, of_base;
	int ret;

	/* Of servers of several devices, one makes it. */
	ret = cow_lock_file(fd, F_WRLCK, 0, sizeof(struct cow_header));
	if (ret)
		return failed(path, "cannot be locked: %s", strerror(-ret));
	if (fstat(fd, &st) || fstat(base->fd, &of_base))
		return failed(path, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return failed(path, "is no regular file, as DELTA must be");
	if (st.st_dev == of_base.st_dev && st.st_ino == of_base.st_ino)
		return failed(path, "is BASE itself: give DELTA another name");
	ret = st.st_size ? check(target, path, fd, (uint64_t)st.st_size, base) :
			   make(target, path, fd, base);
	cow_lock_file(fd, F_UNLCK, 0, sizeof(struct cow_header));
	return ret;
}

int cow_delta_open(struct target *target, const char *path, const struct cow_base *base)
{
	int fd = store_file_open(target, path, O_RDWR);

	if (fd == -2)
		fd = store_file_create(path, 0);
	if (fd >= 0 && examine(target, path, fd, base)) {
		close(fd);
		return -1;
	}
	return fd;
}
