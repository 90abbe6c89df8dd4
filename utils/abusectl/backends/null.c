// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * null: answers at once. No payload crosses in either direction, so what is left
 * is the cost of requests themselves.
 */
#include "backend.h"

static int null_pread(struct abuse_req *req)
{
	(void)req;
	return ABUSE_ZEROES;
}

static int null_pwrite(struct abuse_req *req)
{
	(void)req;
	return 0;
}

static int null_open(struct target *target, const char *args, void **store)
{
	(void)target;
	(void)args;
	(void)store;
	return 0;
}

static void null_close(void *store, bool is_gone)
{
	(void)store;
	(void)is_gone;
}

const struct backend backend_null = {
	.name = "null",
	.summary = "as zero, but no payload is copied: for measurements",
	.server_flags = ABUSE_SERVER_NO_READ_DATA | ABUSE_SERVER_NO_WRITE_DATA,
	.batch = 64,
	.ops = { .pread = null_pread, .pwrite = null_pwrite },
	.open = null_open,
	.close = null_close,
};
