/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Requests that a server held go back to the queue, in order and just once, when it
 * closes, exits, is killed or runs another program, also while a forked child, a
 * process it passed the descriptor to, or an unread message keeps that open.
 */
/* timeout: 90 */
#include "recorder.h"
#include <sys/socket.h>

#define N	8		/* queued */
#define HELD	6		/* of which the server holds so many */

enum way { CLOSES, EXITS, KILLED, FORKED, PASSED, IN_FLIGHT, EXECS, WAYS };
static const char *const ways[WAYS] = {
	"closes", "exits", "is killed", "is killed, a forked child lives on",
	"is killed, its descriptor was passed on", "is killed, its descriptor is in flight",
	"runs another program",
};

struct holder {
	struct device d;
	enum way way;
	int sockets[2];
	int others;			/* the test's own descriptor */
	_Atomic bool holds, go, closed;
	_Atomic pid_t child;
	struct abuse_request q[HELD];
};

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	need(sendmsg(socket, &msg, 0) == 1, "sendmsg");
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	need(recvmsg(socket, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int holder_main(void *arg)
{
	struct holder *h = arg;
	int fd = open(h->d.node, O_RDWR);	/* survives exec */
	pid_t pid;

	close(h->others);
	need(fd >= 0, "open");
	need(fetch(fd, h->q, HELD, NULL, 0, NO_WAIT) == HELD, "to hold %d", HELD);
	switch (h->way) {
	case FORKED:
		pid = fork();
		if (!pid)
			for (;;)
				pause();
		h->child = pid;
		break;
	case PASSED:
	case IN_FLIGHT:
		send_fd(h->sockets[1], fd);
		break;
	default:
		break;
	}
	h->holds = true;
	while (!h->go)
		nap_ms(2);
	switch (h->way) {
	case CLOSES:
		close(fd);
		h->closed = true;
		break;
	case EXITS:
		return 0;
	case EXECS:
		execl("/bin/sleep", "sleep", "1000", NULL);
		break;
	default:
		break;
	}
	for (;;)
		pause();
}

static void try(enum way way)
{
	struct holder *h = memory_new(sizeof(*h));
	char *data = memory_new(4096);
	struct abuse_request q[N + 1];
	struct io *io[N];
	int fd, passed = -1, got;
	bool order = true;
	pid_t pid;

	printf("# the server %s\n", ways[way]);
	h->way = way;
	h->d = device_new();
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, h->sockets), "socketpair");
	set_up(&h->d, N * 64 * KIB, 0);
	h->others = fd = server_open(&h->d);
	for (int i = 0; i < N; i++) {
		io[i] = io_read(&h->d, (N - 1 - i) * 64 * KIB, 4096);
		need(wait_for(attribute_number(&h->d, "queued") == i + 1), "queued");
	}
	pid = child_start(holder_main, h);
	need(wait_for(h->holds), "the server to hold");
	if (way == PASSED)
		passed = receive_fd(h->sockets[0]);
	close(h->sockets[1]);
	is(attribute_number(&h->d, "held"), HELD, "held");
	got = fetch(fd, q, N, NULL, 0, NO_WAIT);
	is(got, N - HELD, "another server is handed the others only");
	close(fd);
	fd = server_open(&h->d);

	h->go = true;
	if (way >= KILLED && way <= IN_FLIGHT) {
		kill(pid, SIGKILL);
		is(child_wait(pid), 256 + SIGKILL, "it is gone");
	}
	ok(wait_for(attribute_number(&h->d, "held") == 0), "nothing is held any more");
	got = fetch(fd, q, N + 1, NULL, 0, NO_WAIT);
	is(got, N, "another server is handed all");
	for (int i = 0; i < got; i++)
		order &= q[i].sector == (uint64_t)(N - 1 - i) * 128;
	ok(order, "in order");
	is(attribute_number(&h->d, "returned"), N, "counted");
	if (passed >= 0) {
		is(reply(passed, h->q[0].id, 0, data), -EBUSY,
		   "who received the descriptor cannot answer");
		is(fetch(passed, q + N, 1, NULL, 0, NO_WAIT), -EBUSY, "nor fetch");
	}
	for (int i = 0; i < HELD; i++)
		need(reply(fd, h->q[i].id, 0, data) == ESTALE, "ids of before are stale");
	for (int i = 0; i < got; i++)
		is(reply(fd, q[i].id, 0, data), 0, "answer");
	for (int i = 0; i < N; i++)
		is(io_end(io[i]), 0, "its caller");
	is(attribute_number(&h->d, "served"), N, "served");

	if (h->child)
		kill(h->child, SIGKILL);
	if (way < KILLED || way > IN_FLIGHT) {
		kill(pid, SIGKILL);
		child_wait(pid);
	}
	close(passed);
	close(h->sockets[0]);
	close(fd);
	is(device_remove(h->d.number), 0, "REMOVE");
}

int main(void)
{
	test_begin();
	for (enum way way = 0; way < WAYS; way++)
		try(way);
	return done();
}
