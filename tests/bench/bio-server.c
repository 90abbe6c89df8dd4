// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A server for the benchmark that speaks the interface of 2009: GET_BIO, PUT_BIO,
 * poll. Its store is the array itself, which the kernel copies from and to, as
 * that interface wants. A thread asks only for requests that no thread has.
 */
#include "server.h"

#include <linux/abuse.h>
#include <poll.h>
#include <sys/ioctl.h>

static struct server srv = { .threads = 1, .depth = 512, .size = 128 << 20 };
static char node[32], disk[32];

static void *serve(void *arg)
{
	struct abuse_vec vecs[256];
	int fd = open(node, O_RDWR | O_CLOEXEC);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	unsigned char *at;
	unsigned int i;

	(void)arg;
	if (fd < 0 || ioctl(fd, ABUSE_SET_POLL, srv.threads > 1))
		die("%s", node);
	for (;;) {
		struct abuse_xfr_hdr hdr = { .ab_transfer_address = (uintptr_t)vecs };

		if (ioctl(fd, ABUSE_GET_BIO, &hdr)) {
			if (errno == ENODEV)
				return NULL;
			if (errno != ENOMSG)
				die("%s: get", node);
			poll(&pollfd, 1, -1);
			continue;
		}
		at = srv.bytes + (hdr.ab_sector << SECTOR_SHIFT);
		for (i = 0; i < hdr.ab_vec_count; i++) {
			vecs[i].ab_address = (uintptr_t)at;
			at += vecs[i].ab_len;
		}
		if (ioctl(fd, ABUSE_PUT_BIO, &hdr) && errno != ENOMSG)
			die("%s: put", node);
	}
}

int main(int argc, char **argv)
{
	struct abuse_add add = { .size = sizeof(add) };
	struct abuse_info info = { .ab_blocksize = 512, .ab_max_queue = 512 };
	int control, fd;

	server_options(&srv, argc, argv);
	if (srv.store != STORE_MEM) {
		errno = EINVAL;
		die("its store is mem");
	}
	add.number = srv.number;
	add.hw_queues = srv.threads;
	control = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	if (control < 0 || ioctl(control, ABUSE_CTL_ADD, &add))
		die("add %u", srv.number);
	snprintf(node, sizeof(node), "/dev/abctl%u", srv.number);
	snprintf(disk, sizeof(disk), "/dev/abuse%u", srv.number);
	fd = open(node, O_RDWR | O_CLOEXEC);
	info.ab_size = srv.size;
	if (fd < 0 || ioctl(fd, ABUSE_SET_STATUS, &info))
		die("%s: set-up", node);
	server_start(&srv, serve);
	server_wait(disk);
	ioctl(fd, ABUSE_RESET);
	/* The threads keep the node open, not the disk. */
	while (ioctl(control, ABUSE_CTL_REMOVE, (unsigned long)srv.number) && errno == EBUSY)
		usleep(10000);
	return 0;
}
