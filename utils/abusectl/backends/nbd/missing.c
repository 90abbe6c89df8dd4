// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/* nbd, nbdkit and qemu where libnbd was not there when this was built. They say so. */
#include "backends/backend.h"
#include "cmd.h"

static int missing_open(struct target *target, const char *args, void **store)
{
	(void)target;
	(void)store;
	return failed(args ? args : "nbd", "this abusectl was built without libnbd; install "
		      "its headers (libnbd-dev, libnbd-devel) and build it anew");
}

static void missing_close(void *store, bool is_gone)
{
	(void)store;
	(void)is_gone;
}

#define MISSING(word, what)			\
	.name = word,				\
	.args = what,				\
	.summary = "not in this abusectl, which was built without libnbd",	\
	.knows_size = true,			\
	.has_connections = true,		\
	.open = missing_open,			\
	.close = missing_close

const struct backend backend_nbd = { MISSING("nbd", "URI") };
const struct backend backend_nbdkit = { MISSING("nbdkit", "PLUGIN ..."), .is_command = true };
const struct backend backend_qemu = { MISSING("qemu", "PATH") };
