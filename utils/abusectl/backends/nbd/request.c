// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Requests with an NBD server: sent, answered, or lost when the connection breaks. All
 * of it runs in the thread of the connection. A request that was answered is never sent again; of
 * those whose answer was lost the server may see some twice.
 */
#include "nbd.h"

#include <errno.h>

static bool wants_fua(const struct abuse_req *req)
{
	return req->flags & ABUSE_REQ_FUA &&
	       (req->op == ABUSE_OP_WRITE || req->op == ABUSE_OP_WRITE_ZEROES);
}

/* Counts the writes that an NBD server might lose when it ends. */
static void note_dirt(struct nbd_store *store, const struct nbd_command *command)
{
	const struct abuse_req *req = command->req;

	if (req->op == ABUSE_OP_READ || wants_fua(req))
		return;
	pthread_mutex_lock(&store->lock);
	if (req->op != ABUSE_OP_FLUSH)
		store->dirt++;
	else if (command->dirt > store->clean)
		store->clean = command->dirt;
	pthread_mutex_unlock(&store->lock);
}

void nbd_release(struct nbd_command *command)
{
	struct nbd_conn *conn = command->conn;

	command->phase = NBD_FREE;
	command->req = NULL;
	conn->free[conn->nr_free++] = command;
}

static void answer(struct nbd_command *command, int result)
{
	struct abuse_req *req = command->req;

	if (!result)
		note_dirt(command->conn->store, command);
	nbd_release(command);
	abuse_req_done(req, result);
}

/* Others may still be answered, if that is soon: they need not be sent again. */
static void lose(struct nbd_command *command)
{
	struct nbd_conn *conn = command->conn;

	command->phase = NBD_LOST;
	if (!conn->last_call)
		conn->last_call = nbd_now_ms() + NBD_LAST_CALL;
}

/* Called within libnbd, so it cannot be asked for anything here. */
static int completed(void *arg, int *error)
{
	struct nbd_command *command = arg;
	struct nbd_conn *conn = command->conn;

	/* The connection broke first, or the server says that it is about to end. */
	if (*error == ENOTCONN || *error == ESHUTDOWN) {
		lose(command);
		return 1;
	}
	conn->has_answered = true;
	if (!*error && command->phase == NBD_SENT && wants_fua(command->req) &&
	    conn->export.can_flush && !conn->export.can_fua) {
		command->phase = NBD_WRITTEN;
		conn->nr_written++;
		return 1;
	}
	answer(command, -*error);
	return 1;
}

/* ---- requests ---- */

static int64_t send_flush(struct nbd_command *command)
{
	nbd_completion_callback done = { .callback = completed, .user_data = command };
	struct nbd_conn *conn = command->conn;

	pthread_mutex_lock(&conn->store->lock);
	command->dirt = conn->store->dirt;
	pthread_mutex_unlock(&conn->store->lock);
	return nbd.aio_flush(conn->handle, done, 0);
}

static int64_t send_request(struct nbd_command *command)
{
	nbd_completion_callback done = { .callback = completed, .user_data = command };
	struct nbd_handle *handle = command->conn->handle;
	const struct abuse_req *req = command->req;
	uint32_t flags = 0;

	if (wants_fua(req) && command->conn->export.can_fua)
		flags |= LIBNBD_CMD_FLAG_FUA;
	switch (req->op) {
	case ABUSE_OP_READ:
		return nbd.aio_pread(handle, req->data, req->length, req->offset, done, 0);
	case ABUSE_OP_WRITE:
		return nbd.aio_pwrite(handle, req->data, req->length, req->offset, done,
				      flags);
	case ABUSE_OP_DISCARD:
		return nbd.aio_trim(handle, req->length, req->offset, done, 0);
	case ABUSE_OP_WRITE_ZEROES:
		if (req->flags & ABUSE_REQ_NOUNMAP)
			flags |= LIBNBD_CMD_FLAG_NO_HOLE;
		return nbd.aio_zero(handle, req->length, req->offset, done, flags);
	}
	return send_flush(command);
}

/* Is it sent at all? The export may not be what it was at set-up. If not, *result. */
static bool is_for_server(const struct nbd_export *export, const struct abuse_req *req,
			  int *result)
{
	switch (req->op) {
	case ABUSE_OP_FLUSH:
		*result = 0;
		return export->can_flush;
	case ABUSE_OP_DISCARD:
		*result = -EOPNOTSUPP;
		return export->can_trim;
	case ABUSE_OP_WRITE_ZEROES:
		*result = -EOPNOTSUPP;
		return export->can_zero;
	}
	*result = -EIO;
	return req->length <= export->max_payload;
}

/* libnbd did not take it: is it to blame, or is there no connection any more? */
static void refused(struct nbd_command *command)
{
	struct nbd_conn *conn = command->conn;
	int err = nbd.get_errno();

	if (command->phase != NBD_SENT && command->phase != NBD_FLUSHING)
		return;
	if (nbd_is_alive(conn->handle)) {
		answer(command, err ? -err : -EIO);
		return;
	}
	lose(command);
}

static void issue(struct nbd_conn *conn, struct abuse_req *req)
{
	struct nbd_command *command = conn->free[--conn->nr_free];
	int result;

	command->req = req;
	command->phase = NBD_SENT;
	if (!is_for_server(&conn->export, req, &result))
		answer(command, result);
	else if (send_request(command) < 0)
		refused(command);
}

void nbd_issue_inbox(struct nbd_conn *conn)
{
	struct nbd_store *store = conn->store;
	struct abuse_req *req;

	while (conn->nr_free && !conn->last_call) {
		pthread_mutex_lock(&store->lock);
		/* Requests that an ending thread gives away are not sent by another one. */
		req = store->is_over ? NULL : nbd_list_pop(&conn->inbox);
		pthread_mutex_unlock(&store->lock);
		if (!req)
			return;
		issue(conn, req);
	}
}

/* For a server that knows no FUA: a flush behind each write that wants it. */
void nbd_flush_written(struct nbd_conn *conn)
{
	unsigned int i;

	for (i = 0; conn->nr_written && i < NBD_MAX_COMMANDS; i++) {
		struct nbd_command *command = &conn->commands[i];

		if (command->phase != NBD_WRITTEN)
			continue;
		conn->nr_written--;
		command->phase = NBD_FLUSHING;
		if (send_flush(command) < 0)
			refused(command);
	}
}

/* Is something left on which a server that is about to end may yet work? */
bool nbd_is_last_call(const struct nbd_conn *conn)
{
	unsigned int i;

	for (i = 0; i < NBD_MAX_COMMANDS; i++)
		if (conn->commands[i].phase != NBD_FREE &&
		    conn->commands[i].phase != NBD_LOST)
			return nbd_now_ms() < conn->last_call;
	return false;
}
