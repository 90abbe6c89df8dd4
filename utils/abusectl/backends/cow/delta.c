// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file DELTA of a cow: disk: made over a base, or found to be made over that one.
 * A maker that dies leaves an empty file, or a header alone; both are made anew.
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

static int write_header(int fd, uint64_t size, const struct cow_base *base)
{
	struct cow_header header = {
		.version = htole32(COW_VERSION),
		.chunk = htole32(COW_CHUNK),
		.size = htole64(size),
		.base_size = htole64(base->size),
		.base_changed = htole64(base->changed),
	};

	memcpy(header.magic, COW_MAGIC, sizeof(header.magic));
	return store_write(fd, &header, 0, sizeof(header));
}

/* Where the file system does that, a map has its blocks before they are needed. */
static int reserve(int fd, uint64_t offset, uint64_t length)
{
	return fallocate(fd, 0, (off_t)offset, (off_t)length) && errno != EOPNOTSUPP ?
	       -errno : 0;
}

static int write_new(const char *path, int fd, uint64_t size,
		     const struct cow_base *base)
{
	uint64_t length = cow_map_length(size);
	int ret;

	ret = write_header(fd, size, base);
	if (!ret && ftruncate(fd, (off_t)(cow_data(size) + size)))
		ret = -errno;
	if (!ret)
		ret = reserve(fd, COW_DURABLE, length);
	if (!ret)
		ret = reserve(fd, cow_live(size), length);
	if (!ret && (fsync(fd) || store_file_sync_name(path)))
		ret = -errno;
	return ret;
}

static int make(const struct target *target, const char *path, int fd,
		const struct cow_base *base)
{
	int ret;

	if (target->is_up)
		return failed(path, "is empty, but %s is up: give the file it was set up "
			      "with, or 'abusectl reset %u' first",
			      device_name(target->number), target->number);
	ret = write_new(path, fd, target->size, base);
	if (!ret)
		return EXIT_OK;
	/* Empty, it can be made anew. */
	if (ftruncate(fd, 0))
		note(path, "stays behind: %s", strerror(errno));
	return failed(path, "cannot be made for a disk of %llu bytes: %s",
		      (unsigned long long)target->size, strerror(-ret));
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

static int check(struct target *target, const char *path, uint64_t length,
		 const struct cow_header *header, const struct cow_base *base)
{
	uint64_t size = le64toh(header->size), whole = cow_data(size) + size;
	int ret;

	if (le32toh(header->version) != COW_VERSION ||
	    le32toh(header->chunk) != COW_CHUNK)
		return failed(path, "was made by another version of abusectl, which "
			      "has to serve it");
	if (!target->size)
		target->size = size;
	ret = check_base(path, header, base);
	if (!ret)
		ret = check_size(target, path, size);
	if (!ret && length < whole)
		ret = failed(path, "has %llu bytes and had %llu: it was cut, and what is "
			     "missing is lost; give a copy that is whole",
			     (unsigned long long)length, (unsigned long long)whole);
	return ret;
}

/* Without size=, a new one is of as many blocks as the base fills. */
static int choose_size(struct target *target, const struct cow_base *base)
{
	uint64_t bs = target->params->logical_block_size;

	if (!bs)
		bs = 512;
	if (!target->size)
		target->size = (base->size + bs - 1) / bs * bs;
	return target->size ? EXIT_OK :
	       failed(base->path, "is empty; size= says how large the disk is");
}

static int examine(struct target *target, const char *path, int fd,
		   const struct cow_base *base)
{
	struct cow_header header = { .version = 0 };
	struct stat st, of_base;
	int ret;

	/* Of servers of several devices, one makes it. */
	ret = cow_lock_file(fd, F_WRLCK, 0, sizeof(header));
	if (ret)
		return failed(path, "cannot be locked: %s", strerror(-ret));
	if (fstat(fd, &st) || fstat(base->fd, &of_base))
		return failed(path, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return failed(path, "is no regular file, as DELTA must be");
	if (st.st_dev == of_base.st_dev && st.st_ino == of_base.st_ino)
		return failed(path, "is BASE itself: give DELTA another name");
	if (st.st_size >= (off_t)sizeof(header)) {
		ret = store_read(fd, &header, 0, sizeof(header));
		if (ret)
			return failed(path, "cannot be read: %s", strerror(-ret));
	}
	if (st.st_size && memcmp(header.magic, COW_MAGIC, sizeof(header.magic)))
		return failed(path, "was not made by cow:, and is left as it is: give a "
			      "DELTA that does not exist yet, or one that was");
	if (st.st_size <= (off_t)sizeof(header)) {
		ret = choose_size(target, base);
		if (!ret)
			ret = make(target, path, fd, base);
	} else {
		ret = check(target, path, (uint64_t)st.st_size, &header, base);
	}
	cow_lock_file(fd, F_UNLCK, 0, sizeof(header));
	return ret;
}

int cow_delta_open(struct target *target, const char *path, const struct cow_base *base)
{
	bool is_new = access(path, F_OK) != 0;
	struct stat st;
	int fd = store_file_open(target, path, O_RDWR | (target->is_up ? 0 : O_CREAT));

	if (fd >= 0 && examine(target, path, fd, base)) {
		if (is_new && !fstat(fd, &st) && !st.st_size)
			unlink(path);
		close(fd);
		return -1;
	}
	if (fd >= 0 && is_new)
		target->made = path;
	return fd;
}
