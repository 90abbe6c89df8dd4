// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * cow: a file or block device that is only read, and a file that gets what is written.
 * Chunks are copied from BASE to DELTA whole, before the first write to them; then that
 * write, and all that comes, has its place there. Where it can, the kernel
 * reads and writes both itself.
 *
 * A chunk is DELTA's once the live map says so, which it does last: until then, what
 * a server that died had copied is nothing, and the next one copies it anew. So even
 * a write of whole chunks is redirected only when they have been copied: if it
 * failed, or the power did, they would be neither the old nor the new ones.
 */
#include "cmd.h"
#include "cow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum source { BASE, DELTA, NOTHING };	/* the last: beyond the end of BASE */

struct cow {
	struct store delta;
	struct cow_map map;
	struct cow_lock lock;
	uint64_t size;
	uint64_t data;			/* where DELTA has the first byte of the disk */
	int base;
	uint64_t base_size;
	int again;			/* DELTA, opened for redirects; or -1 */
	int indexes[NOTHING];		/* registered as, by source; < 0: they are not */
	bool is_cut;			/* DELTA is not as long as it was */
	struct cow_kernel kernel;
};

/* ---- where bytes are ---- */

/* A source of the byte at @offset, or -errno; lowers *end to where another begins. */
static int find(const struct cow *cow, uint64_t offset, uint64_t *end)
{
	uint64_t chunk_end = cow_chunks(*end);
	int ret = cow_map_look(&cow->map, offset / COW_CHUNK, &chunk_end);

	if (ret < 0)
		return ret;
	if (chunk_end * COW_CHUNK < *end)
		*end = chunk_end * COW_CHUNK;
	if (ret)
		return DELTA;
	if (offset >= cow->base_size)
		return NOTHING;
	if (cow->base_size < *end)
		*end = cow->base_size;
	return BASE;
}

static uint64_t place(const struct cow *cow, enum source source, uint64_t offset)
{
	return source == DELTA ? cow->data + offset : offset;
}

static int fetch(const struct cow *cow, char *to, uint64_t offset, uint64_t end)
{
	uint64_t until;
	int source, ret = 0;

	for (; offset < end && !ret; to += until - offset, offset = until) {
		until = end;
		source = find(cow, offset, &until);
		if (source < 0)
			return source;
		if (source == NOTHING)
			memset(to, 0, until - offset);
		else
			ret = store_read(source == DELTA ? cow->delta.fd : cow->base, to,
					 place(cow, source, offset), until - offset);
	}
	return ret;
}

/* ---- chunks become DELTA's ---- */

static bool is_zero(const char *at, size_t length)
{
	return !*at && !memcmp(at, at + 1, length - 1);
}

static int copy_chunk(const struct cow *cow, uint64_t chunk)
{
	uint64_t at = chunk * COW_CHUNK, length = COW_CHUNK, nr = 0;
	char bytes[COW_CHUNK];
	int ret;

	if (length > cow->size - at)
		length = cow->size - at;
	if (cow->base_size > at)
		nr = cow->base_size - at < length ? cow->base_size - at : length;
	ret = store_read(cow->base, bytes, at, nr);
	if (ret)
		return ret;
	memset(bytes + nr, 0, length - nr);
	at = place(cow, DELTA, at);
	return is_zero(bytes, length) ? store_clear(cow->delta.fd, at, length, true) :
					store_write(cow->delta.fd, bytes, at, length);
}

static int copy_chunks(struct cow *cow, uint64_t first, uint64_t end)
{
	struct cow_range range = cow_map_range(&cow->map, first, end);
	uint64_t chunk, next;
	int ret;

	ret = cow_lock_take(&cow->lock, &range);
	if (ret)
		return ret;
	for (chunk = first; chunk < end && ret >= 0; chunk++) {
		next = chunk + 1;
		/* Another server may have been here first, and been written to since. */
		ret = cow_map_look(&cow->map, chunk, &next);
		if (!ret)
			ret = copy_chunk(cow, chunk);
	}
	ret = ret < 0 ? ret : 0;
	if (!ret)
		ret = cow_map_add(&cow->map, first, end);
	cow_lock_drop(&cow->lock, &range);
	return ret;
}

/* Has DELTA have all chunks from @first to @end. */
static int bring(struct cow *cow, uint64_t first, uint64_t end)
{
	uint64_t until;
	int ret = 0;

	for (; first < end && ret >= 0; first = until) {
		until = end;
		ret = cow_map_look(&cow->map, first, &until);
		if (!ret)
			ret = copy_chunks(cow, first, until);
	}
	return ret < 0 ? ret : 0;
}

/* Adds the chunks, filled with zeroes. */
static int bring_zeroes(struct cow *cow, uint64_t first, uint64_t end, bool unmap)
{
	uint64_t at = first * COW_CHUNK, until = end * COW_CHUNK;
	struct cow_range range = cow_map_range(&cow->map, first, end);
	int ret;

	if (until > cow->size)
		until = cow->size;
	ret = cow_lock_take(&cow->lock, &range);
	if (ret)
		return ret;
	ret = store_clear(cow->delta.fd, place(cow, DELTA, at), until - at, unmap);
	if (!ret)
		ret = cow_map_add(&cow->map, first, end);
	cow_lock_drop(&cow->lock, &range);
	return ret;
}

/* Bytes in DELTA have changed: from now on the kernel reads them there. */
static int show(struct cow *cow, uint64_t offset, uint64_t length)
{
	return cow_kernel_show(&cow->kernel, offset / COW_CHUNK, cow_chunks(offset + length));
}

/* ---- callbacks ---- */

/*
 * Before anything is written: beyond the end of a file that was cut that would make it
 * longer again, with zeroes where bytes were.
 */
static int check_whole(struct cow *cow)
{
	struct stat st;

	if (__atomic_load_n(&cow->is_cut, __ATOMIC_RELAXED))
		return -EIO;
	if (!fstat(cow->delta.fd, &st) && (uint64_t)st.st_size == cow->data + cow->size)
		return 0;
	if (!__atomic_exchange_n(&cow->is_cut, true, __ATOMIC_RELAXED))
		note("cow", "DELTA was cut or made longer while it was served: nothing is written "
		     "any more; give a copy that is whole to a new server");
	return -EIO;
}

static bool is_inside(const struct cow *cow, const struct abuse_req *req)
{
	return req->offset <= cow->size && req->length <= cow->size - req->offset;
}

static int cow_pread(struct abuse_req *req)
{
	const struct cow *cow = req->arg;
	uint64_t end = req->offset + req->length, until = end;
	int source;

	if (!is_inside(cow, req))
		return -EIO;
	source = find(cow, req->offset, &until);
	if (source < 0)
		return source;
	if (until < end)
		return fetch(cow, req->data, req->offset, end);
	if (source == NOTHING)
		return ABUSE_ZEROES;
	if (cow->indexes[source] < 0)
		return fetch(cow, req->data, req->offset, end);
	return abuse_req_redirect(req, (unsigned int)cow->indexes[source],
				  place(cow, source, req->offset));
}

static int cow_pwrite(struct abuse_req *req)
{
	struct cow *cow = req->arg;
	uint64_t first = req->offset / COW_CHUNK, at = place(cow, DELTA, req->offset);
	uint64_t end = cow_chunks(req->offset + req->length);
	int ret;

	ret = is_inside(cow, req) ? check_whole(cow) : -EIO;
	if (!ret)
		ret = bring(cow, first, end);
	if (!ret)
		ret = show(cow, req->offset, req->length);
	if (ret)
		return ret;
	if (cow->indexes[DELTA] < 0)
		return store_write(cow->delta.fd, req->data, at, req->length);
	/* The kernel makes these bytes durable, but nothing that says that they are there. */
	if (req->flags & ABUSE_REQ_FUA && !cow_map_is_synced(&cow->map, first, end))
		ret = cow_map_persist(&cow->map, &cow->delta);
	return ret ? ret : abuse_req_redirect(req, (unsigned int)cow->indexes[DELTA], at);
}

/* Chunks that DELTA does not have are skipped: they show BASE. */
static int cow_trim(struct abuse_req *req)
{
	struct cow *cow = req->arg;
	uint64_t offset = req->offset, end = offset + req->length, until;
	int ret = is_inside(cow, req) ? show(cow, offset, req->length) : -EIO;

	for (; offset < end && ret >= 0; offset = until) {
		until = end;
		ret = find(cow, offset, &until);
		if (ret == DELTA)
			ret = store_punch(cow->delta.fd, place(cow, DELTA, offset),
					  until - offset);
	}
	return ret < 0 ? ret : 0;
}

/* Of parts of a chunk, which DELTA has to have. */
static int clear(struct cow *cow, uint64_t offset, uint64_t end, bool unmap)
{
	int ret;

	if (offset >= end)
		return 0;
	ret = bring(cow, offset / COW_CHUNK, cow_chunks(end));
	return ret ? ret : store_clear(cow->delta.fd, place(cow, DELTA, offset),
				       end - offset, unmap);
}

static int cow_zero(struct abuse_req *req)
{
	bool unmap = !(req->flags & ABUSE_REQ_NOUNMAP);
	uint64_t offset = req->offset, end = offset + req->length;
	struct cow *cow = req->arg;
	uint64_t first = cow_chunks(offset);
	uint64_t last = end == cow->size ? cow_chunks(end) : end / COW_CHUNK;
	int ret;

	ret = is_inside(cow, req) ? check_whole(cow) : -EIO;
	if (ret)
		return ret;
	if (first >= last) {
		ret = clear(cow, offset, end, unmap);
	} else {
		ret = clear(cow, offset, first * COW_CHUNK, unmap);
		if (!ret)
			ret = bring_zeroes(cow, first, last, unmap);
		if (!ret)
			ret = clear(cow, last * COW_CHUNK, end, unmap);
	}
	return ret ? ret : show(cow, req->offset, req->length);
}

static int cow_flush(struct abuse_req *req)
{
	struct cow *cow = req->arg;
	int ret = check_whole(cow);

	return ret ? ret : cow_map_persist(&cow->map, &cow->delta);
}

/* ---- beginning and end ---- */

/* BASE, which ends with the first colon of @args, and where DELTA's path begins. */
static char *split(const char *args, const char **delta)
{
	const char *colon = args ? strchr(args, ':') : NULL;

	if (!colon || colon == args || !colon[1])
		return NULL;
	*delta = colon + 1;
	return strndup(args, (size_t)(colon - args));
}

static int base_open(const struct target *target, struct cow_base *base)
{
	struct stat st;

	base->fd = open(base->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* no FIFO holds us up */
	if (base->fd < 0)
		return failed(base->path, "cannot be opened to be read: %s; cow:BASE:DELTA "
			      "needs a BASE, whose path has no colon", strerror(errno));
	if (store_file_check(target, base->path, base->fd, &base->size))
		return EXIT_FAILED;
	if (fstat(base->fd, &st))
		return failed(base->path, "cannot be examined: %s", strerror(errno));
	if (S_ISREG(st.st_mode))
		base->changed = (uint64_t)st.st_mtim.tv_sec * 1000000000 +
				(uint64_t)st.st_mtim.tv_nsec;
	return store_lock(target, base->path, base->fd, false);
}

static int maps_refused(const struct target *target, const char *path, int err)
{
	unsigned int number = target->number;

	if (err == EBUSY)
		return failed(path, "is served by a server of another boot id, or one that could "
			      "not sync it, and what was not flushed would be lost: end that "
			      "first, with 'abusectl stop %u', or, if the disk has no server, with "
			      "'abusectl reset %u'", number, number);
	if (err == ESTALE)
		return failed(path, "was served last under another boot id, as in a container, "
			      "and has bytes that were not flushed: run the server there, or "
			      "'abusectl reset %u' first, which loses them", number);
	return failed(path, "its maps cannot be used: %s", strerror(err));
}

static int cow_prepare(struct target *target, const struct cow_base *base,
		       const char *path, int fd, void **store)
{
	struct cow *cow = malloc(sizeof(*cow));
	int ret;

	if (!cow)
		return failed(path, "out of memory");
	*cow = (struct cow) {
		.size = target->size,
		.data = cow_data(target->size),
		.base = base->fd,
		.base_size = base->size,
		.indexes = { -1, -1 },
	};
	ret = cow_map_open(&cow->map, fd, cow->size, target->is_up);
	if (ret) {
		free(cow);
		return maps_refused(target, path, -ret);
	}
	ret = cow_kernel_init(&cow->kernel, target->fd, &cow->map, base->size);
	if (ret) {
		cow_map_close(&cow->map);
		free(cow);
		return failed(path, "cannot be prepared for /dev/abuse%u: %s", target->number,
			      strerror(-ret));
	}
	store_init(&cow->delta, fd);
	cow_lock_init(&cow->lock, fd);
	cow->again = store_file_again(fd, O_RDWR);
	store_lock_again(target, cow->again, true);
	if (!store_file_punches(fd, cow->data + cow->size))
		target->features &= ~(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES);
	*store = cow;
	return EXIT_OK;
}

static int cow_open(struct target *target, const char *args, void **store)
{
	struct cow_base base = { .fd = -1 };
	const char *path;
	char *base_path;
	int fd = -1, ret;

	base_path = split(args, &path);
	if (!base_path)
		return misused("cow: needs two paths, as in cow:base.img:delta; the first "
			       "has no colon");
	base.path = base_path;
	ret = base_open(target, &base);
	if (!ret) {
		fd = cow_delta_open(target, path, &base);
		ret = fd < 0 ? EXIT_FAILED :
			       cow_prepare(target, &base, path, fd, store);
	}
	if (ret && fd >= 0)
		close(fd);
	if (ret && base.fd >= 0)
		close(base.fd);
	free(base_path);
	return ret;
}

static int cow_direct(void *store, struct abuse_server *srv)
{
	struct cow *cow = store;
	int base, delta;

	if (cow->again < 0)
		return -EBADF;
	base = abuse_server_add_file(srv, cow->base);
	if (base < 0)
		return base;
	delta = abuse_server_add_file(srv, cow->again);
	if (delta < 0)
		return delta;
	cow->indexes[BASE] = base;
	cow->indexes[DELTA] = delta;
	return 0;
}

static int cow_serve_by_kernel(void *store, struct abuse_server *srv)
{
	struct cow *cow = store;

	(void)srv;
	if (cow->indexes[BASE] < 0)
		return -EOPNOTSUPP;
	return cow_kernel_map(&cow->kernel, &cow->lock, cow->indexes[BASE], cow->indexes[DELTA]);
}

static void cow_close(void *store, bool is_gone)
{
	struct cow *cow = store;
	int ret = check_whole(cow);

	(void)is_gone;
	/* The machine may be about to restart: make unflushed data durable. */
	if (!ret && !cow_map_is_durable(&cow->map))
		ret = cow_map_persist(&cow->map, &cow->delta);
	if (ret)
		note("cow", "what was not flushed would not survive a restart of the "
		     "machine: %s", strerror(-ret));
	cow_kernel_free(&cow->kernel);
	cow_map_close(&cow->map);
	if (cow->again >= 0)
		close(cow->again);
	close(cow->base);
	store_close(&cow->delta);
	free(cow);
}

const struct backend backend_cow = {
	.name = "cow",
	.args = "BASE:DELTA",
	.summary = "what is written goes to DELTA, BASE is only read",
	.has_two_paths = true,
	.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
		    ABUSE_F_WRITE_ZEROES,
	.knows_size = true,
	.ops = {
		.pread = cow_pread,
		.pwrite = cow_pwrite,
		.trim = cow_trim,
		.zero = cow_zero,
		.flush = cow_flush,
	},
	.open = cow_open,
	.direct = cow_direct,
	.direct_flags = ABUSE_SERVER_NO_WRITE_DATA,
	.redirects = true,
	.map = cow_serve_by_kernel,
	.close = cow_close,
};
