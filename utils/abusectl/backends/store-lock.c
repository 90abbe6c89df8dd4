// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * One store serves one device. Each server has a lock of its open file on a byte that
 * stands for its device, far beyond the end of any file: read locks, so that the servers
 * of one device do not exclude each other, and then it looks for the bytes of others.
 * Devices that only read, and bases of cow: disks, have bytes of their own: a store may
 * have any number of readers, or one device that writes. The kernel drops the lock when
 * the last descriptor of that open file is closed, however its process ends.
 *
 *	2^62 + N		device N writes
 *	2^62 + 2^20 + N		device N reads
 */
#include "backend.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BYTE	((off_t)1 << 62)
#define NUMBERS		((off_t)ABUSE_MAX_NUMBER + 1)
#define TRIES		10
#define MOST_TRIES	200		/* while the device that has the store is not up */
#define NAP		50000000	/* nanoseconds */

struct bytes {
	off_t first, end;
};

static const struct bytes writers = { FIRST_BYTE, FIRST_BYTE + NUMBERS };
static const struct bytes readers = { FIRST_BYTE + NUMBERS, FIRST_BYTE + 2 * NUMBERS };

static int lock_byte(int fd, short type, off_t byte)
{
	struct flock flock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
	};
	int ret;

	do
		ret = fcntl(fd, F_OFD_SETLK, &flock);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* Is any of these bytes locked through another open file? Then *byte is where. */
static bool find_lock(int fd, struct bytes bytes, off_t *byte)
{
	struct flock flock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = bytes.first, .l_len = bytes.end - bytes.first,
	};

	if (bytes.first == bytes.end || fcntl(fd, F_OFD_GETLK, &flock) ||
	    flock.l_type == F_UNLCK)
		return false;
	*byte = flock.l_start;
	return true;
}

/* The same for all but the byte of @number */
static bool find_other_lock(int fd, struct bytes bytes, unsigned int number, off_t *byte)
{
	off_t own = bytes.first + number;

	return find_lock(fd, (struct bytes){ bytes.first, own }, byte) ||
	       find_lock(fd, (struct bytes){ own + 1, bytes.end }, byte);
}

static bool find_conflict(int fd, bool is_writer, unsigned int number, off_t *byte)
{
	return find_other_lock(fd, writers, number, byte) ||
	       (is_writer && find_other_lock(fd, readers, number, byte));
}

/* Errors of file systems that have no such locks */
static bool is_without_locks(int err)
{
	return err == ENOLCK || err == EOPNOTSUPP || err == ENOSYS || err == EINVAL ||
	       err == EOVERFLOW;
}

/* Its servers are about to end, or have not begun. */
static bool is_down(off_t byte)
{
	struct abuse_dev dev;

	return byte >= FIRST_BYTE && byte < readers.end &&
	       (abuse_dev_stat((unsigned int)((byte - FIRST_BYTE) % NUMBERS), &dev) ||
		strcmp(dev.state, "up") != 0);
}

static int conflict(const struct target *target, const char *path, off_t byte)
{
	unsigned int holder = (unsigned int)((byte - FIRST_BYTE) % NUMBERS);

	if (byte < FIRST_BYTE || byte >= readers.end)
		return failed(path, "is locked by another program; end that, or give another "
			      "file");
	if (target->is_forced)
		return note(path, "is the store of /dev/abuse%u, too: each may lose what the "
			    "other writes", holder);
	return failed(path, "is the store of /dev/abuse%u: 'abusectl reset %u' ends that disk; "
		      "or give another file, or pass --force to risk the data in it",
		      holder, holder);
}

static off_t byte_of(unsigned int number, bool is_writer)
{
	return (is_writer ? writers : readers).first + number;
}

int store_lock(const struct target *target, const char *path, int fd, bool is_writer)
{
	/* Two that find each other let go for times that differ. */
	struct timespec nap = { .tv_nsec = NAP + getpid() % 16 * (NAP / 16) };
	off_t own = byte_of(target->number, is_writer), byte = 0;
	int i, ret;

	for (i = 0; i < TRIES || (i < MOST_TRIES && is_down(byte)); i++) {
		ret = lock_byte(fd, F_RDLCK, own);
		if (ret && is_without_locks(-ret))
			return is_writer ? note(path, "cannot be locked (%s): see to it that no "
						"other device has it", strerror(-ret)) : EXIT_OK;
		if (ret && ret != -EAGAIN && ret != -EACCES)
			return failed(path, "cannot be locked: %s", strerror(-ret));
		if (!ret && !find_conflict(fd, is_writer, target->number, &byte))
			return EXIT_OK;
		if (!ret && target->is_forced)
			break;
		lock_byte(fd, F_UNLCK, own);
		nanosleep(&nap, NULL);
	}
	return conflict(target, path, byte);
}

void store_lock_again(const struct target *target, int fd, bool is_writer)
{
	if (fd >= 0)
		lock_byte(fd, F_RDLCK, byte_of(target->number, is_writer));
}

bool store_is_locked(int fd, unsigned int *number)
{
	off_t byte;

	if (!find_lock(fd, writers, &byte))
		return false;
	*number = byte < FIRST_BYTE ? 0 : (unsigned int)(byte - FIRST_BYTE);
	return true;
}
