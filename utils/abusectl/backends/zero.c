// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * zero: the server of 2009. Reads give zeroes, written bytes are fetched
 * and dropped. Payloads do cross to this process and back.
 */
#include "backend.h"

#include <string.h>

static int zero_pread(struct abuse_req *req)
{
	memset(req->data, 0, req->length);
	return 0;
}

static int zero_pwrite(struct abuse_req *req)
{
	(void)req;
	return 0;
}

static int zero_open(struct target *target, const char *args, void **store)
{
	(void)target;
	(void)args;
	(void)store;
	return 0;
}

static void zero_close(void *store, bool is_gone)
{
	(void)store;
	(void)is_gone;
}

const struct backend backend_zero = {
	.name = "zero",
	.summary = "reads give zeroes, writes are dropped (default)",
	.batch = 64,
	.ops = { .pread = zero_pread, .pwrite = zero_pwrite },
	.open = zero_open,
	.close = zero_close,
};
