// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * file: a regular file or block device. Writes go to it before they are
 * answered, FLUSH waits for fdatasync; its size is the device's. Where it can, the
 * kernel reads and writes it, and no byte comes here.
 */
#include "backend.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file {
	struct store store;		/* first: the callbacks of store.c get it */
	int again;			/* the same file, opened for redirects; or -1 */
	int index;			/* registered as; < 0: it is not */
	uint64_t size;
	uint32_t rights;		/* of its map */
};

/* Opened or made; reports and returns -1 on failure. */
static int file_obtain(struct target *target, const char *path)
{
	int fd = store_file_open(target, path,
				 target->read_only ? O_RDONLY : O_RDWR);
	bool is_there = fd >= 0;

	if (fd == -1)
		return -1;
	if (is_there && (!target->size || !store_file_is_unfinished(target, fd)))
		return fd;
	if (is_there)
		close(fd);
	if (!target->size)
		return strchr(path, ',') ?
		       failed(path, "does not exist; size= makes it, as a word of its own"), -1 :
		       failed(path, "does not exist; size= makes it"), -1;
	fd = store_file_create(path, target->size, is_there);
	if (fd >= 0 && !is_there)
		target->made = path;
	return fd;
}

static int file_check(struct target *target, const char *path, int fd)
{
	uint64_t size;
	int ret = store_file_check(target, path, fd, &size);

	if (ret)
		return ret;
	if (!target->size)
		target->size = size;
	if (target->size != size)
		return failed(path, "has %llu bytes, %s %llu; %s makes them equal",
			      (unsigned long long)size,
			      target->is_up ? "the device" : "size= says",
			      (unsigned long long)target->size,
			      target->is_up ? "'abusectl resize' or 'truncate -s'" :
					      "leaving size= out, or 'truncate -s',");
	if (!target->read_only && !store_file_punches(fd, size))
		target->features &= ~(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES);
	return EXIT_OK;
}

static int file_open(struct target *target, const char *path, void **store)
{
	struct file *file;
	int fd, ret;

	if (!path || !*path)
		return misused("file: needs a path, as in file:disk.img");
	fd = file_obtain(target, path);
	if (fd < 0)
		return EXIT_FAILED;
	ret = store_lock(target, path, fd, !target->read_only);
	if (!ret)
		ret = file_check(target, path, fd);
	file = ret ? NULL : malloc(sizeof(*file));
	if (!file) {
		close(fd);
		return ret ? ret : failed(path, "out of memory");
	}
	store_init(&file->store, fd);
	file->again = store_file_again(fd, target->read_only ? O_RDONLY : O_RDWR);
	store_lock_again(target, file->again, !target->read_only);
	file->index = -1;
	file->size = target->size;
	file->rights = store_file_rights(fd, target->size, target->read_only, target->features);
	*store = file;
	return EXIT_OK;
}

static int file_direct(void *store, struct abuse_server *srv)
{
	struct file *file = store;

	if (file->again < 0)
		return -EBADF;
	file->index = abuse_server_add_file(srv, file->again);
	return file->index < 0 ? file->index : 0;
}

static int file_map(void *store, struct abuse_server *srv)
{
	struct file *file = store;
	int index = file->index;

	if (index < 0 && file->again >= 0)
		index = abuse_server_add_file(srv, file->again);
	return index < 0 ? index : store_file_map(srv, index, file->size, file->rights);
}

static void file_close(void *store, bool is_gone)
{
	struct file *file = store;

	(void)is_gone;
	if (file->again >= 0)
		close(file->again);
	store_close(&file->store);
	free(file);
}

static int redirect(struct abuse_req *req, const struct file *file)
{
	return abuse_req_redirect(req, (unsigned int)file->index, req->offset);
}

static int file_pread(struct abuse_req *req)
{
	const struct file *file = req->arg;

	return file->index < 0 ? store_pread(req) : redirect(req, file);
}

static int file_pwrite(struct abuse_req *req)
{
	const struct file *file = req->arg;

	return file->index < 0 ? store_pwrite(req) : redirect(req, file);
}

const struct backend backend_file = {
	.name = "file",
	.args = "PATH",
	.summary = "a file (made with size=) or block device",
	.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
		    ABUSE_F_WRITE_ZEROES,
	.knows_size = true,
	.ops = {
		.pread = file_pread,
		.pwrite = file_pwrite,
		.trim = store_trim,
		.zero = store_zero,
		.flush = store_flush,
	},
	.open = file_open,
	.direct = file_direct,
	.direct_flags = ABUSE_SERVER_NO_READ_DATA | ABUSE_SERVER_NO_WRITE_DATA,
	.redirects = true,
	.map = file_map,
	.close = file_close,
};
