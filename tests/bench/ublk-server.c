// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The peer of abuse-server.c on ublk, with the same stores: a thread and a ring for each
 * hardware queue. Rings have a single issuer, deferred task work, registered files and a
 * registered descriptor of their own.
 *
 * How requests come: each with a command of its own, or -B: UBLK_F_BATCH_IO.
 *
 * How bytes travel, the last of these counts:
 *   -p  the default: between the request and a buffer of the tag, copied by the kernel for
 *       the null store too; mem copies them once more. (A READ could be answered from
 *       inside the store, but the tag's next WRITE would land there.)
 *   -g  UBLK_F_NEED_GET_DATA: a WRITE asks where to, so mem names the place in its array
 *       for either, and nothing is copied twice. Costs a WRITE a command. Not with -B.
 *   -d  UBLK_F_USER_COPY: null moves no byte, and mem copies between requests and its
 *       array by a pread or pwrite each.
 *   -a  UBLK_F_AUTO_BUF_REG: the ring reads and writes the file from and to the pages of
 *       the request. With -B, and for a file: only. The file is opened with O_DIRECT and
 *       O_NONBLOCK: otherwise io_uring would hand each request for a file on tmpfs to a
 *       thread of its own.
 * -S NS busy-polls before each sleep. README.md has the cost of each.
 */
#include "ublk-server.h"

#include <time.h>

struct server srv = { .threads = 1, .depth = 128, .size = 128 << 20, .variant = 'p' };
static char node[32], disk[32];
static int device;
static pthread_barrier_t fetched;

void demand(const char *what, int ret)
{
	if (ret < 0) {
		errno = -ret;
		die("%s", what);
	}
}

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

/* The features that the options ask for; of those that these headers do not know, none. */
static uint64_t features(void)
{
	uint64_t flags = UBLK_F_CMD_IOCTL_ENCODE;

	if (srv.variant == 'd')
		flags |= UBLK_F_USER_COPY;
	if (srv.variant == 'g')
		flags |= UBLK_F_NEED_GET_DATA;
#ifdef UBLK_F_AUTO_BUF_REG
	if (srv.variant == 'a')
		flags |= UBLK_F_AUTO_BUF_REG;
#endif
#ifdef UBLK_F_BATCH_IO
	if (srv.is_batch)
		flags |= UBLK_F_BATCH_IO;
#endif
	return flags;
}

static void add(void)
{
	struct io_uring_params ring = { .flags = IORING_SETUP_SQE128 };
	struct ublksrv_ctrl_dev_info info = {
		.dev_id = srv.number,
		.nr_hw_queues = srv.threads,
		.queue_depth = srv.depth,
		.max_io_buf_bytes = MAX_REQUEST,
		.flags = features(),
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
	/* The kernel leaves out the features that it does not have. */
	if (features() & ~info.flags) {
		command(UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
		errno = EOPNOTSUPP;
		die("features %#llx", (unsigned long long)(features() & ~info.flags));
	}
	demand("parameters", command(UBLK_U_CMD_SET_PARAMS, &params, sizeof(params), 0));
	for (tries = 0; tries < 500; tries++) {
		device = open(node, O_RDWR | O_CLOEXEC);
		if (device >= 0)
			return;
		usleep(10000);
	}
	die("%s", node);
}

/* ---- a queue -------------------------------------------------------------- */

void queue_open(struct queue *q, unsigned int id, unsigned int entries)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE | (srv.spin ? IORING_SETUP_TASKRUN_FLAG : 0),
		.cq_entries = 2 * entries,
	};
	size_t stride = UBLK_MAX_QUEUE_DEPTH * sizeof(*q->descs);
	int files[] = { [FILE_DEVICE] = device, [FILE_STORE] = srv.file };

	q->id = id;
	if (srv.variant != 'a') {
		q->buffers = memory((size_t)srv.depth * MAX_REQUEST);
		/* null writes none of it, and the kernel is slow to copy from pages that are not there. */
		memset(q->buffers, 0, (size_t)srv.depth * MAX_REQUEST);
	}
	q->descs = mmap(NULL, srv.depth * sizeof(*q->descs), PROT_READ, MAP_SHARED | MAP_POPULATE,
			device, (off_t)(UBLKSRV_CMD_BUF_OFFSET + id * stride));
	if (q->descs == MAP_FAILED)
		die("descriptions of queue %u", id);
	demand("ring", io_uring_queue_init_params(entries, &q->ring, &params));
	demand("ring", io_uring_register_files(&q->ring, files, srv.store == STORE_FILE ? 2 : 1));
	demand("ring", io_uring_register_ring_fd(&q->ring));
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Whether the kernel has something for this ring before the time is over. */
static bool polled(const struct queue *q)
{
	uint64_t end = now() + srv.spin;

	while (!(IO_URING_READ_ONCE(*q->ring.sq.kflags) & IORING_SQ_TASKRUN)) {
		if (now() > end)
			return false;
#ifdef __x86_64__
		__builtin_ia32_pause();
#endif
	}
	return true;
}

void queue_wait(struct queue *q)
{
	int ret;

	if (srv.spin) {
		ret = io_uring_submit_and_get_events(&q->ring);
		if (ret < 0 && ret != -EINTR)
			demand("submit", ret);
		if (io_uring_cq_ready(&q->ring))
			return;
		if (polled(q)) {
			demand("events", io_uring_get_events(&q->ring));
			return;
		}
	}
	ret = io_uring_submit_and_wait(&q->ring, 1);
	if (ret < 0 && ret != -EINTR)
		demand("wait", ret);
}

void queue_ready(void)
{
	pthread_barrier_wait(&fetched);
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
	unsigned char *buffer = queue_buffer(q, tag);
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

int queue_serve(const struct queue *q, unsigned int tag)
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
		ret = store_read(&srv, queue_buffer(q, tag), offset, length);
	else
		ret = store_write(&srv, queue_buffer(q, tag), offset, length);
	return ret ? -ret : (int)length;
}

int main(int argc, char **argv)
{
	server_options(&srv, argc, argv);
	if (srv.variant == 'a' && (!srv.is_batch || srv.store != STORE_FILE)) {
		errno = EINVAL;
		die("-a is for -B and a file");
	}
	snprintf(node, sizeof(node), "/dev/ublkc%u", srv.number);
	snprintf(disk, sizeof(disk), "/dev/ublkb%u", srv.number);
	pthread_barrier_init(&fetched, NULL, srv.threads + 1);
	add();
	server_start(&srv, srv.is_batch ? serve_batches : serve_tags);
	queue_ready();
	demand("start", command(UBLK_U_CMD_START_DEV, NULL, 0, getpid()));
	server_wait(disk);
	demand("stop", command(UBLK_U_CMD_STOP_DEV, NULL, 0, 0));
	/* Deletion waits for the last user of the node: this process. */
	command(UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
	return 0;
}
