/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Shared by the files of ublk-server. ublk-server.c controls the device; each of its threads
 * serves a hardware queue: either serve_tags() (ublk-tags.c: a command for each request, any
 * kernel) or serve_batches() (ublk-batch.c: UBLK_F_BATCH_IO, Linux 7.0).
 */
#ifndef BENCH_UBLK_SERVER_H
#define BENCH_UBLK_SERVER_H

#include "server.h"

#include <liburing.h>
#include <linux/ublk_cmd.h>

/* The registered files of a queue's ring. */
#define FILE_DEVICE	0	/* /dev/ublkcN */
#define FILE_STORE	1

struct queue {
	struct io_uring ring;
	const struct ublksrv_io_desc *descs;
	unsigned char *buffers;		/* one of each tag, unless the kernel needs none */
	unsigned int id;
};

extern struct server srv;

void demand(const char *what, int ret);

/* Maps the descriptions and makes the ring; room for so many commands at once. */
void queue_open(struct queue *q, unsigned int id, unsigned int entries);
/* Submits what was queued, and returns when there may be completions; busy-polls before it sleeps if -S says so. */
void queue_wait(struct queue *q);
/* Tells main() that this queue has asked for requests. */
void queue_ready(void);
/* Does the request of a tag, without the kernel's help for -a; returns its result for ublk. */
int queue_serve(const struct queue *q, unsigned int tag);

static inline unsigned char *queue_buffer(const struct queue *q, unsigned int tag)
{
	return q->buffers + (size_t)tag * MAX_REQUEST;
}

void *serve_tags(void *id);
void *serve_batches(void *id);

#endif
