// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The peer of abuse-server.c on ublk, with the same stores: a thread and a ring for
 * each hardware queue, one io_uring_enter to commit a batch, fetch anew and
 * wait. Rings have a single issuer, deferred task work and registered files.
 *
 * How bytes travel, the last of these counts:
 *   -p  as it is by default: between the request and a buffer of the tag, copied by
 *       the kernel for the null store too; mem copies them once more. (A READ could
 *       be answered from inside the store, but the tag's next WRITE would land there.)
 *   -g  UBLK_F_NEED_GET_DATA: a WRITE asks where to, so mem names the place in
 *       its array for either, and nothing is copied twice. Costs a WRITE a command.
 *   -d  UBLK_F_USER_COPY: null moves no byte, and mem copies between requests and
 *       its array by a pread or pwrite each.
 * README.md has the cost of each.
 */
#include "server.h"

#include <liburing.h>
#include <linux/ublk_cmd.h>

static struct server srv = { .threads = 1, .depth = 128, .size = 128 << 20, .variant = 'p' };
static char node[32], disk[32];
static int device;		/* /dev/ublkcN */
static pthread_barrier_t fetched;

/* ---- control ------------------------------------------------------------ */

static struct io_uring control;

static int command(unsigned int op, void *data, size_t length, uint64_t value)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&control);
	struct io_uring_cqe *cqe;
	struct ublksrv_ctrl_cmd *cmd;
	int ret;

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->cmd_op = op;
	cmd = (struct ublksrv_ctrl_cmd *)sqe->cmd;
	cmd->dev_id = srv.number;
	cmd->queue_id = UINT16_MAX;
	cmd->addr = (uintptr_t)data;
	cmd->len = length;
	cmd->data[0] = value;
	ret = io_uring_submit(&control);
	if (ret < 0)
		return ret;
	do {
		ret = io_uring_wait_cqe(&control, &cqe);
	} while (ret == -EINTR);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(&control, cqe);
	return ret;
}

static void demand(const char *what, int ret)
{
	if (ret < 0) {
		errno = -ret;
		die("%s", what);
	}
}

static void add(void)
{
	struct io_uring_params ring = { .flags = IORING_SETUP_SQE128 };
	struct ublksrv_ctrl_dev_info info = {
		.dev_id = srv.number,
		.nr_hw_queues = srv.threads,
		.queue_depth = srv.depth,
		.max_io_buf_bytes = MAX_REQUEST,
		.flags = UBLK_F_CMD_IOCTL_ENCODE | (srv.variant == 'd' ? UBLK_F_USER_COPY : 0) |
			 (srv.variant == 'g' ? UBLK_F_NEED_GET_DATA : 0),
	};
	struct ublk_params params = {
		.len = sizeof(params),
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = 9,
			.physical_bs_shift = 9,
			.io_min_shift = 9,
			.io_opt_shift = 9,
			.max_sectors = MAX_REQUEST >> SECTOR_SHIFT,
			.dev_sectors = srv.size >> SECTOR_SHIFT,
		},
	};
	int fd, ret, tries = 0;

	fd = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/ublk-control");
	demand("ring", io_uring_queue_init_params(4, &control, &ring));
	demand("ring", io_uring_register_files(&control, &fd, 1));
	/* The number may still be that of a device on its way out. */
	do {
		ret = command(UBLK_U_CMD_ADD_DEV, &info, sizeof(info), 0);
	} while (ret == -EEXIST && tries++ < 500 && !usleep(10000));
	demand("add", ret);
	demand("parameters", command(UBLK_U_CMD_SET_PARAMS, &params, sizeof(params), 0));
	for (tries = 0; tries < 500; tries++) {
		device = open(node, O_RDWR | O_CLOEXEC);
		if (device >= 0)
			return;
		usleep(10000);
	}
	die("%s", node);
}

/* ---- data ----------------------------------------------------------------- */

struct queue {
	struct io_uring ring;
	const struct ublksrv_io_desc *descs;
	unsigned char *buffers;		/* one of each tag */
	unsigned int id;
};

static unsigned char *buffer_of(const struct queue *q, unsigned int tag)
{
	return q->buffers + (size_t)tag * MAX_REQUEST;
}

/* Between where and the request the kernel copies, if it does. */
static unsigned char *place_of(const struct queue *q, unsigned int tag)
{
	if (srv.variant == 'd')
		return NULL;
	if (srv.variant == 'g' && srv.store == STORE_MEM)
		return srv.bytes + (q->descs[tag].start_sector << SECTOR_SHIFT);
	return buffer_of(q, tag);
}

static void submit(struct queue *q, unsigned int tag, unsigned int op, int result)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
	struct ublksrv_io_cmd *cmd = (struct ublksrv_io_cmd *)sqe->cmd;

	/* The rest of it was cleared once: an entry is of this kind each time. */
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = 0;
	sqe->cmd_op = op;
	sqe->user_data = tag;
	cmd->q_id = q->id;
	cmd->tag = tag;
	cmd->result = result;
	cmd->addr = (uintptr_t)place_of(q, tag);
}

/* Where pread and pwrite find the bytes of a request. */
static off_t position(const struct queue *q, unsigned int tag)
{
	return UBLKSRV_IO_BUF_OFFSET + ((off_t)q->id << UBLK_QID_OFF) +
		((off_t)tag << UBLK_TAG_OFF);
}

static int copy_self(const struct queue *q, unsigned int tag, bool is_read, uint64_t offset,
		     size_t length)
{
	unsigned char *buffer = buffer_of(q, tag);
	off_t at = position(q, tag);
	ssize_t moved;
	int ret = 0;

	if (srv.store == STORE_NULL)
		return 0;
	if (offset > srv.size || length > srv.size - offset)
		return EIO;
	if (srv.store == STORE_MEM)
		buffer = srv.bytes + offset;
	else if (is_read)
		ret = store_read(&srv, buffer, offset, length);
	moved = is_read ? pwrite(device, buffer, length, at) : pread(device, buffer, length, at);
	if (ret || moved != (ssize_t)length)
		return EIO;
	if (srv.store == STORE_FILE && !is_read)
		ret = store_write(&srv, buffer, offset, length);
	return ret;
}

static int answer(const struct queue *q, unsigned int tag)
{
	const struct ublksrv_io_desc *desc = &q->descs[tag];
	uint64_t offset = desc->start_sector << SECTOR_SHIFT;
	size_t length = (size_t)desc->nr_sectors << SECTOR_SHIFT;
	unsigned int op = ublksrv_get_op(desc);
	int ret;

	if (op != UBLK_IO_OP_READ && op != UBLK_IO_OP_WRITE)
		return op == UBLK_IO_OP_FLUSH ? 0 : -EOPNOTSUPP;
	if (srv.variant == 'g' && srv.store == STORE_MEM)
		ret = 0;	/* the kernel copies */
	else if (srv.variant == 'd')
		ret = copy_self(q, tag, op == UBLK_IO_OP_READ, offset, length);
	else if (op == UBLK_IO_OP_READ)
		ret = store_read(&srv, buffer_of(q, tag), offset, length);
	else
		ret = store_write(&srv, buffer_of(q, tag), offset, length);
	return ret ? -ret : (int)length;
}

static void *serve(void *arg)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 2 * srv.depth,
	};
	struct queue q = { .id = (uintptr_t)arg };
	size_t stride = UBLK_MAX_QUEUE_DEPTH * sizeof(*q.descs);
	struct io_uring_cqe *cqe;
	unsigned int tag, head, seen;
	int ret;

	q.buffers = memory((size_t)srv.depth * MAX_REQUEST);
	/* null writes none of it, and the kernel is slow to copy from pages that are not there. */
	memset(q.buffers, 0, (size_t)srv.depth * MAX_REQUEST);
	q.descs = mmap(NULL, srv.depth * sizeof(*q.descs), PROT_READ, MAP_SHARED | MAP_POPULATE,
		       device, (off_t)(UBLKSRV_CMD_BUF_OFFSET + q.id * stride));
	if (q.descs == MAP_FAILED)
		die("descriptions of queue %u", q.id);
	demand("ring", io_uring_queue_init_params(srv.depth, &q.ring, &params));
	demand("ring", io_uring_register_files(&q.ring, &device, 1));
	demand("ring", io_uring_register_ring_fd(&q.ring));
	for (tag = 0; tag < srv.depth; tag++)
		submit(&q, tag, UBLK_U_IO_FETCH_REQ, 0);
	demand("fetch", io_uring_submit(&q.ring));
	pthread_barrier_wait(&fetched);
	for (;;) {
		ret = io_uring_submit_and_wait(&q.ring, 1);
		if (ret < 0 && ret != -EINTR)
			demand("wait", ret);
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
				submit(&q, tag, UBLK_U_IO_COMMIT_AND_FETCH_REQ, answer(&q, tag));
		}
		io_uring_cq_advance(&q.ring, seen);
	}
}

int main(int argc, char **argv)
{
	server_options(&srv, argc, argv);
	snprintf(node, sizeof(node), "/dev/ublkc%u", srv.number);
	snprintf(disk, sizeof(disk), "/dev/ublkb%u", srv.number);
	pthread_barrier_init(&fetched, NULL, srv.threads + 1);
	add();
	server_start(&srv, serve);
	pthread_barrier_wait(&fetched);
	demand("start", command(UBLK_U_CMD_START_DEV, NULL, 0, getpid()));
	server_wait(disk);
	demand("stop", command(UBLK_U_CMD_STOP_DEV, NULL, 0, 0));
	/* Deletion waits for the last user of the node: this process. */
	command(UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
	return 0;
}
