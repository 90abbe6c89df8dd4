// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A handle of libnbd: connected, asked what is there, waited for, closed. Its errors
 * become reasons for people.
 */
#include "nbd.h"

#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS	10000
#define MAX_PAYLOAD	(32U << 20)	/* what any server takes, says the protocol */

bool nbd_is_alive(struct nbd_handle *handle)
{
	return nbd.aio_is_ready(handle) == 1 || nbd.aio_is_processing(handle) == 1;
}


/* The message of libnbd, without the name of its function. */
static bool fails(struct nbd_conn *conn)
{
	const char *text = nbd.get_error();
	size_t len;

	if (!text)
		return false;
	len = strncmp(text, "nbd_", 4) ? 0 : strcspn(text, ":");
	if (text[len] == ':')
		text += len + 1;
	while (isspace((unsigned char)*text))
		text++;
	snprintf(conn->why, sizeof(conn->why), "%s", text);
	return false;
}

/* One step of libnbd's, if its socket is ready in time. */
void nbd_conn_step(struct nbd_conn *conn, int timeout)
{
	unsigned int direction = nbd.aio_get_direction(conn->handle);
	struct pollfd fds[] = {
		{ .fd = conn->bell, .events = POLLIN },
		{ .fd = nbd.aio_get_fd(conn->handle) },
	};
	int ret;

	if (direction & LIBNBD_AIO_DIRECTION_READ)
		fds[1].events |= POLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		fds[1].events |= POLLOUT;
	if (poll(fds, 2, timeout) <= 0)
		return;
	if (fds[0].revents)
		nbd_silence(conn);
	if (!fds[1].revents)
		return;
	/* An error shows at the next operation of the handle. */
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL) &&
	    direction & LIBNBD_AIO_DIRECTION_READ)
		ret = nbd.aio_notify_read(conn->handle);
	else
		ret = nbd.aio_notify_write(conn->handle);
	if (ret < 0)
		fails(conn);
}

static bool connect_handle(struct nbd_conn *conn)
{
	int64_t deadline = nbd_now_ms() + CONNECT_MS, left;
	struct nbd_handle *handle = conn->handle;

	/* The URI is its user's, who may name files of keys there. */
	if (nbd.set_uri_allow_local_file(handle, true) < 0 ||
	    nbd.aio_connect_uri(handle, conn->store->uri) < 0)
		return fails(conn);
	while (nbd.aio_is_connecting(handle) == 1) {
		left = deadline - nbd_now_ms();
		if (left <= 0 || nbd_is_over(conn->store)) {
			snprintf(conn->why, sizeof(conn->why), "no reply in %d s; it "
				 "may be busy with as many clients as it takes",
				 CONNECT_MS / 1000);
			return false;
		}
		nbd_conn_step(conn, (int)left);
	}
	return nbd_is_alive(handle);
}

/* A peer that vanished without a word is found out in half a minute. */
static void watch_peer(const struct nbd_conn *conn)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 15 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
	};
	int fd = nbd.aio_get_fd(conn->handle);
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(*options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

static uint64_t block_size(struct nbd_handle *handle, int which, uint64_t otherwise)
{
	int64_t size = nbd.get_block_size(handle, which);

	return size > 0 ? (uint64_t)size : otherwise;
}

static bool find_out(struct nbd_conn *conn)
{
	struct nbd_handle *handle = conn->handle;
	int64_t size = nbd.get_size(handle);

	if (size < 0)
		return fails(conn);
	conn->export = (struct nbd_export) {
		.size = (uint64_t)size,
		.min_block = block_size(handle, LIBNBD_SIZE_MINIMUM, 1),
		.preferred_block = block_size(handle, LIBNBD_SIZE_PREFERRED, 0),
		.max_payload = block_size(handle, LIBNBD_SIZE_MAXIMUM, MAX_PAYLOAD),
		.is_read_only = nbd.is_read_only(handle) == 1,
		.is_rotational = nbd.is_rotational(handle) == 1,
		.can_multi_conn = nbd.can_multi_conn(handle) == 1,
		.can_flush = nbd.can_flush(handle) == 1,
		.can_fua = nbd.can_fua(handle) == 1,
		.can_trim = nbd.can_trim(handle) == 1,
		.can_zero = nbd.can_zero(handle) == 1,
	};
	return true;
}

bool nbd_conn_open(struct nbd_conn *conn)
{
	snprintf(conn->why, sizeof(conn->why), "the server closed the connection");
	conn->handle = nbd.create();
	if (!conn->handle)
		return fails(conn);
	if (!connect_handle(conn) || !find_out(conn)) {
		nbd_conn_close(conn);
		return false;
	}
	watch_peer(conn);
	conn->has_answered = false;
	conn->last_call = 0;
	return true;
}

/* Commands in flight end with the handle, which calls completed() for each. */
void nbd_conn_close(struct nbd_conn *conn)
{
	if (!conn->handle)
		return;
	if (nbd.aio_is_ready(conn->handle) == 1)
		nbd.aio_disconnect(conn->handle, 0);
	nbd.close(conn->handle);
	conn->handle = NULL;
}
