// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * record: another backend, and a log of whatever changes its disk. "abusectl replay" rebuilds
 * from the log what a power cut could have left. A request is done by the other backend first,
 * then logged, then answered, so that the log has what was acknowledged.
 *
 * The disk gets a write cache even if the other backend needs none: only then does the log
 * show which writes a program asked to be durable. Bytes pass through here in any case.
 */
#include "record/log.h"
#include "backend.h"
#include "cmd.h"
#include "label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct record {
	void *inner;			/* store of the other backend */
	struct log log;
	char *made;			/* path of the log if this process made it */
};

/* The other backend, and this one in front of it: a process serves one device. */
static const struct backend *inner;
static const char *inner_args;
static struct backend composed;

/* ---- callbacks ---- */

static int pass(struct abuse_req *req, int (*callback)(struct abuse_req *req))
{
	struct record *record = req->arg;
	int ret;

	req->arg = record->inner;
	ret = callback(req);
	req->arg = record;
	return ret;
}

static int flush_inner(struct abuse_req *req)
{
	return inner->ops.flush ? pass(req, inner->ops.flush) : 0;
}

static int change(struct abuse_req *req, int (*callback)(struct abuse_req *req), enum log_op op)
{
	struct record *record = req->arg;
	bool is_fua = req->flags & ABUSE_REQ_FUA;
	struct log_record entry = {
		.op = op, .offset = req->offset, .length = req->length,
		.flags = (is_fua ? LOG_FUA : 0) |
			 (req->flags & ABUSE_REQ_ATOMIC ? LOG_ATOMIC : 0),
	};
	int ret = pass(req, callback);

	if (!ret && is_fua)
		ret = flush_inner(req);
	return ret ? ret : log_append(&record->log, &entry, req->data, op == LOG_WRITE);
}

static int record_pread(struct abuse_req *req)
{
	return pass(req, inner->ops.pread);
}

static int record_pwrite(struct abuse_req *req)
{
	return change(req, inner->ops.pwrite, LOG_WRITE);
}

static int record_trim(struct abuse_req *req)
{
	return change(req, inner->ops.trim, LOG_DISCARD);
}

static int record_zero(struct abuse_req *req)
{
	return change(req, inner->ops.zero, LOG_ZERO);
}

/* A flush does not cover requests that complete while it runs. */
static int record_flush(struct abuse_req *req)
{
	struct record *record = req->arg;
	struct log_record entry = { .op = LOG_FLUSH };
	int ret = log_end(&record->log, &entry.begun);

	if (!ret)
		ret = flush_inner(req);
	return ret ? ret : log_append(&record->log, &entry, NULL, false);
}

/* ---- beginning and end ---- */

static int log_failed(const char *path, int err)
{
	return err == EINVAL ? failed(path, "is there and no log of this version; give another "
				      "path") :
			       failed(path, "cannot be used as a log: %s", strerror(err));
}

/* A log without earlier writes would show disks that never existed. */
static int log_obtain(const struct target *target, const char *path, struct record *record)
{
	struct log_header header;
	int ret = log_open(&record->log, path, O_RDWR, &header);

	if (ret == -ENOENT && target->is_up)
		return failed(path, "is missing, but %s is up: 'abusectl reset %u' first",
			      device_name(target->number), target->number);
	if (ret == -ENOENT) {
		ret = log_create(&record->log, path, target->size,
				 target->params->logical_block_size ?: 512);
		record->made = ret ? NULL : realpath(path, NULL);	/* until a background process has moved */
		return ret ? log_failed(path, -ret) : EXIT_OK;
	}
	if (ret)
		return log_failed(path, -ret);
	if (target->is_up || header.size == target->size)
		return EXIT_OK;
	log_close(&record->log);
	return failed(path, "is the log of a disk of %llu bytes, not %llu; give another path",
		      (unsigned long long)header.size, (unsigned long long)target->size);
}

static int record_open(struct target *target, const char *args, void **store)
{
	struct record *record = calloc(1, sizeof(*record));
	char *path = strndup(args, strcspn(args, ":"));
	int ret;

	if (!record || !path) {
		free(record);
		free(path);
		return failed("record", "out of memory");
	}
	target->features &= inner->features;
	ret = inner->open(target, inner_args, &record->inner);
	if (!ret) {
		ret = log_obtain(target, path, record);
		if (ret)
			inner->close(record->inner, !target->is_up);
	}
	if (ret && target->made)
		unlink(target->made);
	free(path);
	if (ret) {
		free(record);
		return ret;
	}
	target->features |= ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	*store = record;
	return EXIT_OK;
}

static void record_close(void *store, bool is_gone)
{
	struct record *record = store;
	uint64_t end;

	inner->close(record->inner, is_gone);
	if (is_gone && record->made && !log_end(&record->log, &end) &&
	    end == sizeof(struct log_header))
		unlink(record->made);
	free(record->made);
	log_close(&record->log);
	free(record);
}

static const struct backend *record_compose(const char *args)
{
	const char *colon = args ? strchr(args, ':') : NULL;

	inner = colon && colon != args ? backend_find(colon + 1, &inner_args) : NULL;
	if (!inner || inner->compose || (inner_args && !inner->args)) {
		misused("record: needs a path without a colon and a backend, as in "
			"record:disk.log:file:disk.img");
		return NULL;
	}
	if (inner->is_async) {
		misused("record: %s completes requests in another order; file, cow, mem, null "
			"and zero can be recorded", inner->name);
		return NULL;
	}
	composed = backend_record;
	composed.inner = inner;
	composed.features = inner->features | ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	composed.server_flags = (inner->server_flags & ~ABUSE_SERVER_NO_WRITE_DATA) |
				ABUSE_SERVER_FUA;
	composed.batch = inner->batch;
	composed.knows_size = inner->knows_size;
	composed.ops.trim = inner->ops.trim ? record_trim : NULL;
	composed.ops.zero = inner->ops.zero ? record_zero : NULL;
	return &composed;
}

const struct backend backend_record = {
	.name = "record",
	.args = "LOG:BACKEND",
	.summary = "another backend, with a log for 'abusectl replay'",
	.compose = record_compose,
	.ops = {
		.pread = record_pread,
		.pwrite = record_pwrite,
		.trim = record_trim,
		.zero = record_zero,
		.flush = record_flush,
	},
	.open = record_open,
	.close = record_close,
};
