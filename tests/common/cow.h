/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The backend cow without a device: cow_server() opens it as abusectl would, cow_do() has a
 * request done by its callbacks and, where they redirect it, by the kernel, as played
 * here. A test that wants to see system calls defines them as macros, with
 * COW_SYSTEM_CALLS, before it includes this; with COW_LIBRARY it brings the library itself.
 */
#ifndef ABUSE_TEST_COW_H
#define ABUSE_TEST_COW_H

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifdef COW_SYSTEM_CALLS
#include COW_SYSTEM_CALLS
#endif
#include "../../utils/abusectl/backends/store.c"
#include "../../utils/abusectl/backends/store-file.c"
#include "../../utils/abusectl/backends/store-lock.c"
#include "../../utils/abusectl/backends/cow/lock.c"
#include "../../utils/abusectl/backends/cow/map.c"
#include "../../utils/abusectl/backends/cow/delta.c"
#include "../../utils/abusectl/backends/cow/kernel.c"
#include "../../utils/abusectl/backends/cow/cow.c"

#define SECTOR	512

/* The control node; a test that brings the library has one of its own. */
#ifndef COW_CTL
#define COW_CTL	0
#endif

static char cow_dir[32];
static char cow_base[64], cow_delta[64];

static void cow_complain(const char *subject, const char *format, va_list args)
{
	printf("# %s: ", subject);
	vprintf(format, args);
	printf("\n");
}

#define COW_COMPLAINER(name, status) \
int name(const char *subject, const char *format, ...)	\
{							\
	va_list args;					\
							\
	va_start(args, format);				\
	cow_complain(subject, format, args);		\
	va_end(args);					\
	return status;					\
}
COW_COMPLAINER(failed, EXIT_FAILED)
COW_COMPLAINER(note, EXIT_OK)

int misused(const char *format, ...)
{
	printf("# %s\n", format);
	return EXIT_USAGE;
}

const char *device_name(unsigned int number)
{
	(void)number;
	return "abuse0";
}

/* Any other device is up. */
int abuse_dev_stat(unsigned int number, struct abuse_dev *dev)
{
	dev->number = number;
	strcpy(dev->state, "up");
	return 0;
}

#ifndef COW_LIBRARY
/* The library's part of a request. */
struct cow_slot {
	struct abuse_req req;
	int file;			/* redirected to; < 0: not */
	uint64_t target;
};

int abuse_server_add_file(struct abuse_server *srv, int fd)
{
	(void)srv;
	return fd;
}

int abuse_req_redirect(struct abuse_req *req, unsigned int file, uint64_t offset)
{
	struct cow_slot *slot = (struct cow_slot *)req;

	slot->file = (int)file;
	slot->target = offset;
	return 0;
}

#endif /* COW_LIBRARY */

static void cow_remove(void)
{
	unlink(cow_base);
	unlink(cow_delta);
	rmdir(cow_dir);
}

/* A base of those bytes, in a folder that goes when the test ends. */
__attribute__((unused))
static void cow_begin(const void *bytes, size_t size)
{
	int fd;

	snprintf(cow_dir, sizeof(cow_dir), "%s/cow-XXXXXX", test_folder());
	must(mkdtemp(cow_dir), "a folder");
	snprintf(cow_base, sizeof(cow_base), "%s/base", cow_dir);
	snprintf(cow_delta, sizeof(cow_delta), "%s/delta", cow_dir);
	atexit(cow_remove);
	fd = open(cow_base, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	must(write(fd, bytes, size) == (ssize_t)size, "a base of %zu bytes", size);
	close(fd);
}

#ifndef cow_synced_range
#define cow_synced_range(fd, offset, length)	fdatasync(fd)
#endif
#include "cow-kernel.h"

/* NULL: refused. */
__attribute__((unused))
static struct cow *cow_server(uint64_t size, bool redirects)
{
	struct abuse_params params = { 0 };
	struct target target = { .size = size, .params = &params, .fd = COW_CTL };
	void *store;
	char args[160];

	snprintf(args, sizeof(args), "%s:%s", cow_base, cow_delta);
	if (backend_cow.open(&target, args, &store))
		return NULL;
	if (redirects && backend_cow.direct(store, NULL))
		return NULL;
#ifndef COW_LIBRARY
	if (redirects && kernel_map && backend_cow.map(store, NULL))
		return NULL;
#endif
	return store;
}

/* As a server that dies leaves it. */
__attribute__((unused))
static void cow_abandon(struct cow *cow)
{
	cow_kernel_free(&cow->kernel);
	cow_map_close(&cow->map);
	close(cow->again);
	close(cow->base);
	store_close(&cow->delta);
	free(cow);
}

#ifndef COW_LIBRARY
static int cow_redirected(const struct cow_slot *slot, void *data)
{
	uint64_t length = slot->req.length;
	int ret;

	if (slot->req.op == ABUSE_OP_READ)
		return store_read(slot->file, data, slot->target, length);
	ret = store_write(slot->file, data, slot->target, length);
	if (!ret && slot->req.flags & ABUSE_REQ_FUA)
		ret = cow_synced_range(slot->file, slot->target, length) ? -EIO : 0;
	return ret;
}

/* Done when it returns; 0 or -errno. */
__attribute__((unused))
static int cow_do(struct cow *cow, uint32_t op, uint32_t flags, uint64_t offset,
		  uint64_t length, void *data)
{
	const struct abuse_ops *ops = &backend_cow.ops;
	int (*callbacks[])(struct abuse_req *req) = {
		ops->pread, ops->pwrite, ops->flush, ops->trim, ops->zero,
	};
	/* A WRITE brings no bytes where it is to be redirected. */
	bool is_blind = op == ABUSE_OP_WRITE && cow->indexes[DELTA] >= 0;
	struct cow_slot slot = {
		.req = {
			.arg = cow, .op = op, .flags = flags, .offset = offset,
			.length = length, .data = is_blind ? NULL : data,
		},
		.file = -1,
	};
	int ret = kernel_do(op, flags, offset, length, data);

	if (ret != KERNEL_MISSED)
		return ret;
	ret = callbacks[op](&slot.req);
	if (ret == ABUSE_ZEROES) {
		memset(data, 0, length);
		return 0;
	}
	if (!ret && slot.file >= 0)
		return cow_redirected(&slot, data);
	if (!ret && flags & ABUSE_REQ_FUA)
		ret = ops->flush(&slot.req);
	return ret;
}

#endif /* COW_LIBRARY */

#endif
