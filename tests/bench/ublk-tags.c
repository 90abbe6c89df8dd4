// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * ublk without batches: each tag has a command that waits for a request. One io_uring_enter
 * commits all requests that were served, fetches anew and waits.
 */
#include "ublk-server.h"

/* Between this address and the request the kernel copies, if it does. */
static unsigned char *place_of(const struct queue *q, unsigned int tag)
{
	if (srv.variant == 'd')
		return NULL;
	if (srv.variant == 'g' && srv.store == STORE_MEM)
		return srv.bytes + (q->descs[tag].start_sector << SECTOR_SHIFT);
	return queue_buffer(q, tag);
}

static void submit(struct queue *q, unsigned int tag, unsigned int op, int result)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
	struct ublksrv_io_cmd *cmd = (struct ublksrv_io_cmd *)sqe->cmd;

	/* The rest of it was cleared once: an entry is of this kind each time. */
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_DEVICE;
	sqe->cmd_op = op;
	sqe->user_data = tag;
	cmd->q_id = q->id;
	cmd->tag = tag;
	cmd->result = result;
	cmd->addr = (uintptr_t)place_of(q, tag);
}

void *serve_tags(void *id)
{
	struct io_uring_cqe *cqe;
	unsigned int tag, head, seen;
	struct queue q = { };

	queue_open(&q, (uintptr_t)id, srv.depth);
	for (tag = 0; tag < srv.depth; tag++)
		submit(&q, tag, UBLK_U_IO_FETCH_REQ, 0);
	demand("fetch", io_uring_submit(&q.ring));
	queue_ready();
	for (;;) {
		queue_wait(&q);
		seen = 0;
		io_uring_for_each_cqe(&q.ring, head, cqe) {
			seen++;
			if (cqe->res == UBLK_IO_RES_ABORT)
				continue;
			demand("fetched", cqe->res);
			tag = cqe->user_data;
			if (cqe->res == UBLK_IO_RES_NEED_GET_DATA)
				submit(&q, tag, UBLK_U_IO_NEED_GET_DATA, 0);
			else
				submit(&q, tag, UBLK_U_IO_COMMIT_AND_FETCH_REQ, queue_serve(&q, tag));
		}
		io_uring_cq_advance(&q.ring, seen);
	}
}
