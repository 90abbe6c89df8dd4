// SPDX-License-Identifier: GPL-2.0-or-later
/* nbd: where libnbd was not there when this was built. It says so. */
#include "backends/backend.h"
#include "cmd.h"

static int nbd_open(struct target *target, const char *uri, void **store)
{
	(void)target;
	(void)store;
	return failed(uri ? uri : "nbd", "this abusectl was built without libnbd; install "
		      "its headers (libnbd-dev, libnbd-devel) and build it anew");
}

static void nbd_close(void *store, bool is_gone)
{
	(void)store;
	(void)is_gone;
}

const struct backend backend_nbd = {
	.name = "nbd",
	.args = "URI",
	.summary = "not in this abusectl, which was built without libnbd",
	.knows_size = true,
	.has_connections = true,
	.open = nbd_open,
	.close = nbd_close,
};
