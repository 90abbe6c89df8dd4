// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem: bytes in a shared-memory object of this user, one per device, so that
 * they outlive any server. Made anew at set-up, also the object itself: what a
 * server of the device's former life may still write goes to the old one.
 * Dropped when a server sees its device reset or removed.
 *
 * READs are answered from a mapping of the object, without a copy, where it is known
 * to have pages: a hole that is read through a mapping is filled, and a device much
 * larger than memory would not stay so. WRITEs do not use it: a page that cannot be
 * had, or an object made shorter, is an error to pwrite() and a signal otherwise.
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

#define PAGE_SHIFT	12

struct mem {
	struct store store;		/* first: the callbacks of store.c get it */
	uint64_t size;
	unsigned char *bytes;		/* the object, or NULL: it is not mapped */
	unsigned char *known;		/* for each page whether it is there: 1 */
	char name[48];
};

/* ---- what is there ---- */

static uint64_t nr_pages(const struct mem *mem)
{
	return (mem->size >> PAGE_SHIFT) + 1;
}

/* Nor is what is not in the mapping: the device may have grown. */
static bool is_known(const struct mem *mem, const struct abuse_req *req)
{
	uint64_t page = req->offset >> PAGE_SHIFT, end = req->offset + req->length;

	if (!mem->known || end > mem->size)
		return false;
	for (; page << PAGE_SHIFT < end; page++)
		if (!__atomic_load_n(&mem->known[page], __ATOMIC_RELAXED))
			return false;
	return true;
}

/*
 * Another server may make holes in what is known here: they read as zeroes all the same,
 * for a page of memory each.
 */
static void know(const struct mem *mem, const struct abuse_req *req, bool is_there)
{
	uint64_t page = req->offset >> PAGE_SHIFT, end = req->offset + req->length;

	if (!mem->known || end > mem->size)
		return;
	for (; page << PAGE_SHIFT < end; page++)
		if (__atomic_load_n(&mem->known[page], __ATOMIC_RELAXED) != is_there)
			__atomic_store_n(&mem->known[page], is_there, __ATOMIC_RELAXED);
}

static bool has_no_hole(const struct mem *mem, const struct abuse_req *req)
{
	off_t hole = lseek(mem->store.fd, (off_t)req->offset, SEEK_HOLE);

	return hole >= 0 && (uint64_t)hole >= req->offset + req->length;
}

/* ---- callbacks ---- */

static int mem_pread(struct abuse_req *req)
{
	const struct mem *mem = req->arg;
	int ret;

	if (is_known(mem, req))
		return abuse_req_point(req, mem->bytes + req->offset);
	ret = store_pread(req);
	if (!ret && mem->known && has_no_hole(mem, req))
		know(mem, req, true);
	return ret;
}

static int mem_pwrite(struct abuse_req *req)
{
	int ret = store_pwrite(req);

	if (!ret)
		know(req->arg, req, true);
	return ret;
}

static int mem_trim(struct abuse_req *req)
{
	int ret = store_trim(req);

	know(req->arg, req, false);
	return ret;
}

static int mem_zero(struct abuse_req *req)
{
	int ret = store_zero(req);

	know(req->arg, req, false);
	return ret;
}

/* ---- the object ---- */

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
	mem->size = target->size;
	*store = mem;
	return EXIT_OK;
}

static void *map(size_t size, int protection, int flags, int fd)
{
	void *at = mmap(NULL, size, protection, flags | MAP_NORESERVE, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/*
 * Locked memory is filled in, holes too: what is mapped between these calls is not, and
 * what was locked stays so. Where there is no room for it, READs do without.
 */
static void mem_opened(void *store, const struct abuse_server *srv)
{
	bool is_locked = abuse_server_holds(srv) & ABUSE_IS_LOCKED;
	struct mem *mem = store;

	if (mem->size > SIZE_MAX / 2 || (is_locked && mlockall(MCL_CURRENT)))
		return;
	mem->bytes = map(mem->size, PROT_READ, MAP_SHARED, mem->store.fd);
	if (mem->bytes)
		mem->known = map(nr_pages(mem), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (is_locked) {
		if (mem->known)
			mlock2(mem->known, nr_pages(mem), MLOCK_ONFAULT);
		mlockall(MCL_FUTURE);
	}
}

static void mem_unmap(struct mem *mem)
{
	if (mem->bytes)
		munmap(mem->bytes, mem->size);
	if (mem->known)
		munmap(mem->known, nr_pages(mem));
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
	mem_unmap(mem);
	store_close(&mem->store);
	free(mem);
}

const struct backend backend_mem = {
	.name = "mem",
	.summary = "memory that outlives the server, until reset or reboot",
	.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES,
	.batch = 64,
	.ops = {
		.pread = mem_pread,
		.pwrite = mem_pwrite,
		.trim = mem_trim,
		.zero = mem_zero,
	},
	.open = mem_open,
	.opened = mem_opened,
	.close = mem_close,
};
