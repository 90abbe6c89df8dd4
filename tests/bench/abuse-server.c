// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A server for the benchmark that is nothing but ABUSE_EXCHANGE: what the module
 * costs, like for like with ublk-server.c. Adds device -n with a hardware queue
 * for each of -t threads, serves it, and removes it upon SIGTERM.
 *
 * READs are answered from a buffer, as ublk does, which the kernel copies for the
 * null store too. -d: null answers "zeroes", mem has the kernel copy from and to its own
 * memory, and no payload is fetched.
 */
#include "server.h"

#include <linux/abuse.h>
#include <sys/ioctl.h>

static struct server srv = { .threads = 1, .depth = 128, .size = 128 << 20 };
static char node[32], disk[32];

static void answer(const struct abuse_request *req, struct abuse_reply *reply,
		   unsigned char *buffer, const unsigned char *payload)
{
	uint64_t offset = req->sector << SECTOR_SHIFT;

	*reply = (struct abuse_reply){ .id = req->id };
	if (req->op == ABUSE_OP_WRITE && srv.variant == 'd' && srv.store == STORE_MEM) {
		reply->flags = ABUSE_REPLY_STORE;
		reply->address = (uintptr_t)(srv.bytes + offset);
	} else if (req->op == ABUSE_OP_WRITE) {
		reply->result = store_write(&srv, payload + req->offset, offset, req->length);
	} else if (req->op == ABUSE_OP_READ) {
		if (srv.variant == 'd' && srv.store == STORE_NULL) {
			reply->flags = ABUSE_REPLY_ZERO;
			return;
		}
		if (srv.variant == 'd' && srv.store == STORE_MEM)
			buffer = srv.bytes + offset;
		else
			reply->result = store_read(&srv, buffer, offset, req->length);
		reply->address = (uintptr_t)buffer;
	}
}

static void *serve(void *arg)
{
	size_t payloads = (size_t)srv.depth * 128 * 1024 + MAX_REQUEST;
	unsigned char *buffers = memory((size_t)srv.depth * MAX_REQUEST);
	unsigned char *payload = memory(payloads);
	struct abuse_request *requests = memory(srv.depth * sizeof(*requests));
	struct abuse_reply *replies = memory(srv.depth * sizeof(*replies));
	struct abuse_exchange x = {
		.size = sizeof(x),
		.reply_size = sizeof(*replies),
		.request_size = sizeof(*requests),
		.replies = (uintptr_t)replies,
		.requests = (uintptr_t)requests,
		.max_requests = srv.depth,
		.buffer = (uintptr_t)payload,
		.buffer_size = payloads,
		.wait = -1,
		.spin = srv.spin,
	};
	int fd = open(node, O_RDWR | O_CLOEXEC);
	unsigned int i;

	(void)arg;
	if (fd < 0)
		die("%s", node);
	if (srv.store != STORE_FILE && srv.variant == 'd')
		x.buffer_size = 0;
	for (;;) {
		if (ioctl(fd, ABUSE_EXCHANGE, &x)) {
			if (errno == EINTR)
				continue;
			if (errno == ENXIO || errno == ENODEV)
				return NULL;
			die("%s: exchange", node);
		}
		for (i = 0; i < x.nr_requests; i++)
			answer(&requests[i], &replies[i], buffers + (size_t)i * MAX_REQUEST,
			       payload);
		x.nr_replies = x.nr_requests;
	}
}

int main(int argc, char **argv)
{
	struct abuse_add add = { .size = sizeof(add) };
	struct abuse_params params = { .size = sizeof(params) };
	int control, fd;

	server_options(&srv, argc, argv);
	add.number = srv.number;
	add.hw_queues = srv.threads;
	control = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	if (control < 0 || ioctl(control, ABUSE_CTL_ADD, &add))
		die("add %u", srv.number);
	snprintf(node, sizeof(node), "/dev/abctl%u", srv.number);
	snprintf(disk, sizeof(disk), "/dev/abuse%u", srv.number);
	fd = open(node, O_RDWR | O_CLOEXEC);
	params.capacity = srv.size;
	if (fd < 0 || ioctl(fd, ABUSE_SET_PARAMS, &params))
		die("%s: set-up", node);
	server_start(&srv, serve);
	server_wait(disk);
	ioctl(fd, ABUSE_RESET);
	close(fd);
	while (ioctl(control, ABUSE_CTL_REMOVE, (unsigned long)srv.number) && errno == EBUSY)
		usleep(10000);
	return 0;
}
