/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* The calls of libnbd that are used, as nbd.create() and so on; see library.c. */
#ifndef ABUSECTL_NBD_LIBRARY_H
#define ABUSECTL_NBD_LIBRARY_H

#include <libnbd.h>

#define NBD_CALLS(X) \
	X(aio_connect_uri) \
	X(aio_disconnect) \
	X(aio_flush) \
	X(aio_get_direction) \
	X(aio_get_fd) \
	X(aio_is_connecting) \
	X(aio_is_processing) \
	X(aio_is_ready) \
	X(aio_notify_read) \
	X(aio_notify_write) \
	X(aio_pread) \
	X(aio_pwrite) \
	X(aio_trim) \
	X(aio_zero) \
	X(can_flush) \
	X(can_fua) \
	X(can_multi_conn) \
	X(can_trim) \
	X(can_zero) \
	X(close) \
	X(create) \
	X(get_block_size) \
	X(get_errno) \
	X(get_error) \
	X(get_size) \
	X(is_read_only) \
	X(is_rotational) \
	X(set_uri_allow_local_file)

struct nbd_library {
#define DECLARE(name)	__typeof__(nbd_##name) *name;
	NBD_CALLS(DECLARE)
#undef DECLARE
};

extern struct nbd_library nbd;

/* To be called before any other; reports its failure and returns an exit status. */
int nbd_library_load(void);

#endif /* ABUSECTL_NBD_LIBRARY_H */
