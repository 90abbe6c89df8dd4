// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null: answers at once. No payload crosses in either direction, so what is left
 * is the cost of requests themselves.
 */
#include "backend.h"

static int null_read(void *arg, void *to, uint64_t offset, uint64_t length)
{
	(void)arg;
	(void)to;
	(void)offset;
	(void)length;
	return ABUSE_ZEROES;
}

static int null_write(void *arg, const void *from, uint64_t offset, uint64_t length)
{
	(void)arg;
	(void)from;
	(void)offset;
	(void)length;
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
	.ops = { .read = null_read, .write = null_write },
	.open = null_open,
	.close = null_close,
};
