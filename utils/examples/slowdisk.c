// SPDX-License-Identifier: 0BSD
// Copyright (C) 2026 the abuse authors
/*
 * A disk of 64 MiB in memory, each of whose requests takes some milliseconds: one thread, its own event loop, many requests
 * in flight. So would a server look that asks another one. Compile and run:
 *	cc -o slowdisk slowdisk.c $(pkg-config --cflags --libs libabuse)
 *	./slowdisk 0 /dev/shm/slowdisk 50
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libabuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct abuse_server *srv;
static struct abuse_req *first, *last;	/* by the time they are due; priv[0] is the next, priv[1] the time */
static long delay;

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* pread and pwrite: not now. */
static int defer(struct abuse_req *req)
{
	req->priv[0] = NULL;
	req->priv[1] = (void *)(now() + delay);
	if (first)
		last->priv[0] = req;
	else
		first = req;
	last = req;
	return ABUSE_ASYNC;
}

/* Answers what is due. Returns milliseconds until the next is, or -1. */
static int finish(void)
{
	struct abuse_req *req;

	while ((req = first) && (long)req->priv[1] <= now()) {
		char *at = (char *)req->arg + req->offset;

		first = req->priv[0];
		if (req->op == ABUSE_OP_READ)
			memcpy(req->data, at, req->length);
		else
			memcpy(at, req->data, req->length);
		abuse_req_done(req, 0);
	}
	return req ? (int)((long)req->priv[1] - now()) : -1;
}

static void stop(int sig)
{
	(void)sig;
	abuse_server_stop(srv);	/* NOLINT(bugprone-signal-handler,cert-sig30-c): libabuse(3) allows it */
}

int main(int argc, char **argv)
{
	struct abuse_ops ops = { .pread = defer, .pwrite = defer };
	struct abuse_params params = { .capacity = 64 << 20 };
	struct abuse_config config = { .ops = &ops, .params = &params, .device = argv[1], .depth = 128, .buffer = 16 << 20 };
	struct pollfd polled = { .events = POLLIN };
	int fd = argc < 4 ? -1 : open(argv[2], O_RDWR | O_CREAT, 0600), ret, wait;

	config.arg = mmap(NULL, params.capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (config.arg == MAP_FAILED || ftruncate(fd, (off_t)params.capacity))
		err(1, "usage: slowdisk DEV FILE MILLISECONDS");
	delay = atol(argv[3]);
	ret = abuse_server_open(&srv, &config);
	if (!ret) {
		signal(SIGTERM, stop);
		polled.fd = abuse_server_fd(srv, 0);
	}
	while (!ret) {
		wait = finish();
		poll(&polled, 1, wait < 0 ? -1 : wait);
		ret = abuse_server_dispatch(srv, 0);
	}
	if (ret != -ESHUTDOWN)
		errx(1, "%s: %s", argv[1], strerror(-ret));
	abuse_server_free(srv);
	return 0;
}
