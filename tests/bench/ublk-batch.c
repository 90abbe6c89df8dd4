// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * ublk with UBLK_F_BATCH_IO: one command stays at the kernel and delivers the tags of all new
 * requests, as an array in a provided buffer; another commits an array of results. With -a the
 * ring does the I/O of a request between its pages and the file before the commit.
 */
#include "ublk-server.h"

#ifdef UBLK_F_BATCH_IO

#ifndef IORING_URING_CMD_MULTISHOT	/* liburing has headers of its own, of an older kernel */
#define IORING_URING_CMD_MULTISHOT	(1U << 1)
#endif

#define BUFFERS		8	/* of tags: the kernel fills one at a time */
#define FETCHED		(1ULL << 32)	/* user_data; a tag is that of the I/O of its request */
#define COMMITTED	(2ULL << 32)

struct element {
	struct ublk_elem_header header;
	uint64_t address;	/* of the tag's buffer, if the kernel copies */
};

struct batch {
	struct queue q;
	struct io_uring_buf_ring *free;
	uint16_t *tags;		/* BUFFERS arrays of a queue's depth */
	unsigned char *elements;	/* to be committed */
	unsigned int nr_elements;
	size_t element_size;
};

/* The ring has room for all that can be queued between two waits. */
static struct io_uring_sqe *entry(struct batch *b)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&b->q.ring);

	if (!sqe) {
		errno = EBUSY;
		die("ring");
	}
	return sqe;
}

static struct io_uring_sqe *command(struct batch *b, unsigned int op, size_t size)
{
	struct io_uring_sqe *sqe = entry(b);
	struct ublk_batch_io *io = (struct ublk_batch_io *)sqe->cmd;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_DEVICE;
	sqe->cmd_op = op;
	*io = (struct ublk_batch_io){ .q_id = b->q.id, .elem_bytes = size };
	return sqe;
}

static void fetch(struct batch *b)
{
	struct io_uring_sqe *sqe = command(b, UBLK_U_IO_FETCH_IO_CMDS, sizeof(*b->tags));

	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->uring_cmd_flags = IORING_URING_CMD_MULTISHOT;
	sqe->user_data = FETCHED;
}

static void free_tags(struct batch *b, unsigned int buffer)
{
	io_uring_buf_ring_add(b->free, b->tags + (size_t)buffer * srv.depth, srv.depth * sizeof(*b->tags),
			      buffer, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(b->free, 1);
}

static void add_element(struct batch *b, unsigned int tag, int result)
{
	struct element element = {
		.header = { .tag = tag, .buf_index = tag, .result = result },
		.address = b->q.buffers ? (uintptr_t)queue_buffer(&b->q, tag) : 0,
	};

	memcpy(b->elements + b->nr_elements++ * b->element_size, &element, b->element_size);
}

/* The elements are copied when the command is submitted. */
static struct io_uring_sqe *use_elements(struct batch *b, unsigned int op)
{
	struct io_uring_sqe *sqe = command(b, op, b->element_size);
	struct ublk_batch_io *io = (struct ublk_batch_io *)sqe->cmd;

	io->nr_elem = b->nr_elements;
	io->flags = b->element_size == sizeof(struct element) ? UBLK_BATCH_F_HAS_BUF_ADDR : 0;
	sqe->addr = (uintptr_t)b->elements;
	sqe->user_data = COMMITTED;
	b->nr_elements = 0;
	return sqe;
}

/* -a: the I/O of a request. */
static void start(struct batch *b, unsigned int tag)
{
	const struct ublksrv_io_desc *desc = &b->q.descs[tag];
	uint64_t offset = desc->start_sector << SECTOR_SHIFT;
	unsigned int length = desc->nr_sectors << SECTOR_SHIFT;
	unsigned int op = ublksrv_get_op(desc);
	struct io_uring_sqe *sqe;

	if (op != UBLK_IO_OP_READ && op != UBLK_IO_OP_WRITE) {
		add_element(b, tag, op == UBLK_IO_OP_FLUSH ? 0 : -EOPNOTSUPP);
		return;
	}
	sqe = entry(b);
	if (op == UBLK_IO_OP_READ)
		io_uring_prep_read_fixed(sqe, FILE_STORE, NULL, length, offset, tag);
	else
		io_uring_prep_write_fixed(sqe, FILE_STORE, NULL, length, offset, tag);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = tag;
}

static void fetched(struct batch *b, const struct io_uring_cqe *cqe)
{
	unsigned int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT, i;
	const uint16_t *tags = b->tags + (size_t)buffer * srv.depth;

	if (cqe->res == UBLK_IO_RES_ABORT)
		return;
	if (cqe->res != -ENOBUFS)
		demand("fetched", cqe->res);
	for (i = 0; cqe->res > 0 && i < cqe->res / sizeof(*tags); i++) {
		if (srv.variant == 'a')
			start(b, tags[i]);
		else
			add_element(b, tags[i], queue_serve(&b->q, tags[i]));
	}
	if (cqe->flags & IORING_CQE_F_BUFFER)
		free_tags(b, buffer);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		fetch(b);
}

static void completed(struct batch *b, const struct io_uring_cqe *cqe)
{
	unsigned int tag = cqe->user_data;
	int length = b->q.descs[tag].nr_sectors << SECTOR_SHIFT;

	add_element(b, tag, cqe->res == length || cqe->res < 0 ? cqe->res : -EIO);
}

static void open_batch(struct batch *b, unsigned int id)
{
	struct io_uring_cqe *cqe;
	unsigned int i;
	int ret;

	/* At once: the I/O of all tags, a commit and a fetch. */
	queue_open(&b->q, id, 2 * srv.depth);
	b->tags = memory(BUFFERS * srv.depth * sizeof(*b->tags));
	b->elements = memory(srv.depth * sizeof(struct element));
	b->element_size = sizeof(struct ublk_elem_header);
	if (srv.variant == 'p')
		b->element_size = sizeof(struct element);
	if (srv.variant == 'a')
		demand("buffers", io_uring_register_buffers_sparse(&b->q.ring, srv.depth));
	b->free = io_uring_setup_buf_ring(&b->q.ring, BUFFERS, 0, 0, &ret);
	if (!b->free)
		demand("buffers of tags", ret);
	for (i = 0; i < BUFFERS; i++)
		free_tags(b, i);
	for (i = 0; i < srv.depth; i++)
		add_element(b, i, 0);
	use_elements(b, UBLK_U_IO_PREP_IO_CMDS);
	demand("prepare", io_uring_submit_and_wait(&b->q.ring, 1));
	demand("prepare", io_uring_wait_cqe(&b->q.ring, &cqe));
	demand("prepare", cqe->res);
	io_uring_cqe_seen(&b->q.ring, cqe);
	fetch(b);
	demand("fetch", io_uring_submit(&b->q.ring));
}

void *serve_batches(void *id)
{
	struct batch b = { };
	struct io_uring_cqe *cqe;
	unsigned int head, seen;

	open_batch(&b, (uintptr_t)id);
	queue_ready();
	for (;;) {
		queue_wait(&b.q);
		seen = 0;
		io_uring_for_each_cqe(&b.q.ring, head, cqe) {
			seen++;
			if (cqe->user_data == FETCHED)
				fetched(&b, cqe);
			else if (cqe->user_data == COMMITTED)
				demand("commit", cqe->res);
			else
				completed(&b, cqe);
		}
		io_uring_cq_advance(&b.q.ring, seen);
		/* A completion for each commit would end the next wait at once. */
		if (b.nr_elements)
			use_elements(&b, UBLK_U_IO_COMMIT_IO_CMDS)->flags |= IOSQE_CQE_SKIP_SUCCESS;
	}
}

#else

void *serve_batches(void *id)
{
	errno = EOPNOTSUPP;
	die("queue %u: no UBLK_F_BATCH_IO in the headers that this was built with", (unsigned int)(uintptr_t)id);
}

#endif
