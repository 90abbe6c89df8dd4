// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The file DELTA of a cow: disk: made over a base, or found to be made over that one. It
 * gets its name when all of it is on disk: a maker that dies leaves none. A file
 * that is there is never made anew, whatever it has: it may be what was cut.
 */
#include "cow.h"
#include "cmd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define NANOSECONDS	1000000000ULL

static uint32_t checksum(struct cow_header header)
{
	header.checksum = 0;
	return (uint32_t)crc32(0, (const Bytef *)&header, sizeof(header));
}

static uint64_t length_of(uint64_t size)
{
	return cow_data(size) + size;
}

/* ---- making ---- */

static int write_header(int fd, uint64_t size, const struct cow_base *base)
{
	struct cow_header header = {
		.version = htole32(COW_VERSION),
		.chunk = htole32(COW_CHUNK),
		.size = htole64(size),
		.base_size = htole64(base->size),
		.base_changed = htole64(base->changed),
		.length = htole64(length_of(size)),
	};

	memcpy(header.magic, COW_MAGIC, sizeof(header.magic));
	header.checksum = htole32(checksum(header));
	return store_write(fd, &header, 0, sizeof(header));
}

/* Where the file system does that, a map has its blocks before they are needed. */
static int reserve(int fd, uint64_t offset, uint64_t length)
{
	return fallocate(fd, 0, (off_t)offset, (off_t)length) && errno != EOPNOTSUPP ?
	       -errno : 0;
}

static int write_new(int fd, uint64_t size, const struct cow_base *base)
{
	uint64_t length = cow_map_length(size);
	int ret;

	ret = ftruncate(fd, (off_t)length_of(size)) ? -errno : 0;
	if (!ret)
		ret = reserve(fd, COW_DURABLE, length);
	if (!ret)
		ret = reserve(fd, cow_live(size), length);
	if (!ret)
		ret = write_header(fd, size, base);
	return !ret && fsync(fd) ? -errno : ret;
}

/* A file without a name or, where there is no such thing, with one of its own in *temporary */
static int open_nameless(const char *path, char temporary[PATH_MAX])
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	free(copy);
	*temporary = '\0';
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	snprintf(temporary, PATH_MAX, "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		*temporary = '\0';
	return fd;
}

/* Not over another file. Some file systems, as NFS, rename only without such a flag, others have no links. */
static int move(const char *temporary, const char *path)
{
	if (!renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL || link(temporary, path))
		return -1;
	unlink(temporary);
	return 0;
}

static int name(int fd, const char *temporary, const char *path)
{
	char proc[32];
	int ret;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ret = *temporary ? move(temporary, path) :
			   linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
	if (!ret)
		ret = store_file_sync_name(path);
	return ret ? -errno : 0;
}

/* A descriptor; or -errno, -EEXIST if another was faster. */
static int make(const char *path, uint64_t size, const struct cow_base *base)
{
	char temporary[PATH_MAX];
	int fd = open_nameless(path, temporary), ret;

	if (fd < 0)
		return -errno;
	ret = write_new(fd, size, base);
	if (!ret)
		ret = name(fd, temporary, path);
	if (!ret)
		return fd;
	if (*temporary)
		unlink(temporary);
	close(fd);
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

/* As store_file_open(); *is_new: it was not there. */
static int obtain(struct target *target, const char *path, const struct cow_base *base,
		  bool *is_new)
{
	int fd = store_file_open(target, path, O_RDWR);

	*is_new = fd == -2;
	if (fd != -2)
		return fd;
	if (choose_size(target, base))
		return -1;
	fd = make(path, target->size, base);
	if (fd >= 0)
		return fd;
	*is_new = false;
	if (fd == -EEXIST) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd >= 0)
		return fd;
	return failed(path, "cannot be made for a disk of %llu bytes: %s",
		      (unsigned long long)target->size, strerror(-fd)), -1;
}

/* ---- examining ---- */

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

/* The first version had zeroes where the others have more. */
static bool is_damaged(const struct cow_header *header)
{
	if (le32toh(header->version) == 1)
		return header->length || header->checksum;
	return le32toh(header->checksum) != checksum(*header) ||
	       le64toh(header->length) != length_of(le64toh(header->size));
}

/* Fit to be read by this program, and what was written? */
static int check_header(const char *path, const struct cow_header *header)
{
	uint64_t unknown = le64toh(header->incompat) & ~COW_KNOWN;
	uint32_t version = le32toh(header->version);

	if (!version || version > COW_VERSION)
		return failed(path, "was made by another version of abusectl, which "
			      "has to serve it");
	if (is_damaged(header))
		return failed(path, "is damaged: its header does not have its checksum; give a "
			      "copy that is whole");
	if (unknown)
		return failed(path, "has features (%#llx) that this abusectl lacks; serve it "
			      "with the version that made it", (unsigned long long)unknown);
	if (le32toh(header->chunk) != COW_CHUNK)
		return failed(path, "has chunks of %u bytes, which no abusectl has made; give "
			      "a copy that is whole", le32toh(header->chunk));
	return EXIT_OK;
}

static int check_length(const char *path, uint64_t length, const struct cow_header *header)
{
	uint64_t whole = length_of(le64toh(header->size));

	if (length < whole)
		return failed(path, "has %llu bytes and had %llu: it was cut, and what is "
			      "missing is lost; give a copy that is whole",
			      (unsigned long long)length, (unsigned long long)whole);
	if (length > whole)
		return failed(path, "has %llu bytes and had %llu: another program wrote to "
			      "it; 'truncate -s %llu' makes it as long as it was",
			      (unsigned long long)length, (unsigned long long)whole,
			      (unsigned long long)whole);
	return EXIT_OK;
}

static int check(struct target *target, const char *path, uint64_t length, int fd,
		 const struct cow_base *base)
{
	struct cow_header header = { .version = 0 };
	uint64_t size;
	int ret;

	ret = store_read(fd, &header, 0, length < sizeof(header) ? length : sizeof(header));
	if (ret)
		return failed(path, "cannot be read: %s", strerror(-ret));
	if (length && memcmp(header.magic, COW_MAGIC, sizeof(header.magic)))
		return failed(path, "was not made by cow:, and is left as it is: give a "
			      "DELTA that does not exist yet, or one that was");
	if (length < sizeof(header))
		return failed(path, "has %llu bytes, less than any DELTA: it was cut, or never "
			      "made; remove it, or give a copy that is whole",
			      (unsigned long long)length);
	ret = check_header(path, &header);
	if (ret)
		return ret;
	size = le64toh(header.size);
	if (!target->size)
		target->size = size;
	ret = check_base(path, &header, base);
	if (!ret)
		ret = check_size(target, path, size);
	return ret ? ret : check_length(path, length, &header);
}

static int examine(struct target *target, const char *path, int fd,
		   const struct cow_base *base)
{
	struct stat st, of_base;

	if (fstat(fd, &st) || fstat(base->fd, &of_base))
		return failed(path, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return failed(path, "is no regular file, as DELTA must be");
	if (st.st_dev == of_base.st_dev && st.st_ino == of_base.st_ino)
		return failed(path, "is BASE itself: give DELTA another name");
	return store_lock(target, path, fd, true) ||
	       check(target, path, (uint64_t)st.st_size, fd, base) ? EXIT_FAILED : EXIT_OK;
}

int cow_delta_open(struct target *target, const char *path, const struct cow_base *base)
{
	bool is_new;
	int fd = obtain(target, path, base, &is_new);

	if (fd >= 0 && examine(target, path, fd, base)) {
		close(fd);
		return -1;
	}
	if (fd >= 0 && is_new)
		target->made = path;
	return fd;
}
