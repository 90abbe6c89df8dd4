// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem: bytes in a shared-memory object of this user, one per device, so that
 * they outlive any server. Made anew at set-up, also the object itself: what a
 * server of the device's former life may still write goes to the old one.
 * Dropped when a server sees its device reset or removed.
 */
#include "backend.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mem {
	struct store store;		/* first: callbacks know no more */
	char name[48];
};

static int mem_create(const struct mem *mem, uint64_t size)
{
	int fd;

	if (shm_unlink(mem->name) && errno != ENOENT)
		return failed(mem->name, "the old shared-memory object cannot be "
			      "removed: %s", strerror(errno)), -1;
	fd = shm_open(mem->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return failed(mem->name, "the shared-memory object cannot be made: %s",
			      strerror(errno)), -1;
	if (ftruncate(fd, (off_t)size)) {
		failed(mem->name, "size=%llu: the shared-memory object cannot be so "
		       "large: %s", (unsigned long long)size, strerror(errno));
		shm_unlink(mem->name);
		close(fd);
		return -1;
	}
	return fd;
}

static int mem_find(const struct mem *mem, const struct target *target)
{
	struct stat st;
	int fd;

	fd = shm_open(mem->name, O_RDWR, 0);
	if (fd < 0)
		return failed(device_name(target->number), "is up, but its "
			      "shared-memory object %s is missing (%s): the bytes are "
			      "lost, or another user's; 'abusectl reset %u' starts over",
			      mem->name, strerror(errno), target->number), -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0600 || (uint64_t)st.st_size != target->size) {
		failed(device_name(target->number), "is up, but its shared-memory "
		       "object %s is not ours of mode 0600 and %llu bytes; 'abusectl "
		       "reset %u' starts over", mem->name,
		       (unsigned long long)target->size, target->number);
		close(fd);
		return -1;
	}
	return fd;
}

static int mem_open(struct target *target, const char *args, void **store)
{
	struct mem *mem = calloc(1, sizeof(*mem));
	int fd;

	(void)args;
	if (!mem)
		return failed("mem", "out of memory");
	snprintf(mem->name, sizeof(mem->name), "/abuse-%u-%u", geteuid(),
		 target->number);
	fd = target->is_up ? mem_find(mem, target) : mem_create(mem, target->size);
	if (fd < 0) {
		free(mem);
		return EXIT_FAILED;
	}
	store_init(&mem->store, fd);
	*store = mem;
	return EXIT_OK;
}

static void mem_close(void *store, bool is_gone)
{
	struct mem *mem = store;
	struct stat ours, named;
	int fd;

	/* Drop the object, unless the name is a new life's already. */
	fd = is_gone ? shm_open(mem->name, O_RDONLY, 0) : -1;
	if (fd >= 0) {
		if (!fstat(fd, &named) && !fstat(mem->store.fd, &ours) &&
		    named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
			shm_unlink(mem->name);
		close(fd);
	}
	store_close(&mem->store);
	free(mem);
}

const struct backend backend_mem = {
	.name = "mem",
	.summary = "memory that outlives the server, until reset or reboot",
	.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES,
	.ops = {
		.pread = store_pread,
		.pwrite = store_pwrite,
		.trim = store_trim,
		.zero = store_zero,
	},
	.open = mem_open,
	.close = mem_close,
};
