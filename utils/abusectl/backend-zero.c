// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zero: what the 2009 server did. Reads give zeroes, written bytes are fetched
 * and dropped. Payloads do cross to this process and back.
 */
#include "backend.h"

#include <string.h>

static int zero_read(void *arg, void *to, uint64_t offset, uint64_t length)
{
	(void)arg;
	(void)offset;
	memset(to, 0, length);
	return 0;
}

static int zero_write(void *arg, const void *from, uint64_t offset, uint64_t length)
{
	(void)arg;
	(void)from;
	(void)offset;
	(void)length;
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
	.wants_payload = true,
	.ops = { .read = zero_read, .write = zero_write },
	.open = zero_open,
	.close = zero_close,
};
