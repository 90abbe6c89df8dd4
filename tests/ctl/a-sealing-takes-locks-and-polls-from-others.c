/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Advisory locks (flock, fcntl of both kinds) and polls that others took on a control
 * node before it was sealed are gone with the sealing, those who wait for a lock then get
 * EPERM, as do all who ask later; an open is EPERM, too. The servers of the
 * sealed device lock and poll as ever, and after RESET so do the others.
 */
#include "abuse.h"
#include <sys/epoll.h>
#include <sys/file.h>

#define SERVER	4242
#define OTHER	4343

static struct shared {
	struct device d;
	_Atomic int ready;
	_Atomic bool sealed, asked, reset, request;
	_Atomic pid_t waiter;
	_Atomic bool wait_ended;
	_Atomic int wait_error;
} *s;

static int error_of(int ret)
{
	return ret < 0 ? errno : 0;
}

static int lock_by_flock(int fd, int operation)
{
	return error_of(flock(fd, operation));
}

/* The process has it. */
static int lock_by_fcntl(int fd, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_start = start, .l_len = len };

	return error_of(fcntl(fd, F_SETLK, &lock));
}

/* The open file has it. */
static int lock_by_ofd(int fd, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_start = start, .l_len = len };

	return error_of(fcntl(fd, F_OFD_SETLK, &lock));
}

static int test_by_fcntl(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	return error_of(fcntl(fd, F_GETLK, &lock));
}

static short events_of(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? POLLNVAL : pfd.revents;
}

/* Waits for a lock that root has. */
static void *wait_for_lock(void *arg)
{
	s->waiter = syscall(SYS_gettid);
	s->wait_error = lock_by_flock(*(int *)arg, LOCK_EX);
	s->wait_ended = true;
	return NULL;
}

/* A member of the group who opens the node before it is sealed. */
static int other(void *arg)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = open(s->d.node, O_RDWR), again = open(s->d.node, O_RDWR), polls;
	pthread_t thread;

	(void)arg;
	polls = epoll_create1(0);
	if (fd < 0 || again < 0 || polls < 0 || epoll_ctl(polls, EPOLL_CTL_ADD, fd, &event))
		return 1;
	if (lock_by_fcntl(fd, F_WRLCK, 0, 1) || lock_by_ofd(again, F_WRLCK, 0, 1) != EAGAIN)
		return 2;
	if (lock_by_ofd(again, F_WRLCK, 1, 2))
		return 3;
	if (pthread_create(&thread, NULL, wait_for_lock, &again))
		return 4;
	s->ready++;
	if (!wait_for(s->sealed))
		return 5;
	is(lock_by_flock(fd, LOCK_SH | LOCK_NB), EPERM, "flock(2) by another");
	is(lock_by_fcntl(fd, F_RDLCK, 0, 1), EPERM, "fcntl(2)");
	is(lock_by_ofd(fd, F_RDLCK, 0, 1), EPERM, "fcntl(2), of the open file");
	is(test_by_fcntl(fd), EPERM, "fcntl(2), asking");
	is(lock_by_flock(fd, LOCK_UN), 0, "unlocking");
	is(error_of(open(s->d.node, O_RDWR)), EPERM, "open(2)");
	is(events_of(fd), POLLERR, "poll(2)");
	is(epoll_wait(polls, &event, 1, 0), 1, "an edge by epoll(7)");
	is(event.events, EPOLLERR, "its events");
	s->asked = true;
	if (!wait_for(s->request))
		return 6;
	is(epoll_wait(polls, &event, 1, 0), 0, "edges when a request comes");
	if (!wait_for(s->reset))
		return 7;
	is(lock_by_flock(fd, LOCK_EX | LOCK_NB), 0, "flock(2) after RESET");
	is(lock_by_fcntl(fd, F_WRLCK, 0, 1), 0, "fcntl(2) after RESET");
	is(events_of(fd), 0, "poll(2) after RESET");
	return test_failures;
}

/* One who has the lock when the device is sealed. */
static int holder(void *arg)
{
	int fd = open(s->d.node, O_RDWR);

	(void)arg;
	if (fd < 0 || lock_by_flock(fd, LOCK_SH))
		return 1;
	s->ready++;
	return wait_for(s->reset) ? 0 : 2;
}

static int server(void *arg)
{
	int fd = open(s->d.node, O_RDWR);

	(void)arg;
	if (fd < 0 || lock_by_flock(fd, LOCK_EX | LOCK_NB) || lock_by_fcntl(fd, F_WRLCK, 0, 0) ||
	    test_by_fcntl(fd) || !(events_of(fd) & POLLIN))
		return 1;
	return 0;
}

int main(void)
{
	struct abuse_params p = params_of(1 * MIB);
	struct abuse_request q;
	pid_t others, has_it;
	struct pollfd pfd;
	struct io *io;
	int fd, fd2;

	test_begin();
	s = memory_new(sizeof(*s));
	s->d = device_new();
	node_for_all(s->d.node);
	fd = server_open(&s->d);
	has_it = child_start(run_as_child, &(struct run_as){ OTHER, holder, NULL });
	need(wait_for(s->ready == 1), "one who has the lock");
	need(!lock_by_flock(fd, LOCK_SH), "root to share it");
	others = child_start(run_as_child, &(struct run_as){ OTHER, other, NULL });
	need(wait_for(s->ready == 2), "another one with locks and polls");
	need(wait_for(s->waiter && task_is(s->waiter, 'S')), "it to wait for the lock");
	is(lock_by_flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK, "root's lock before");
	need(!lock_by_flock(fd, LOCK_SH), "root to share it again");
	is(lock_by_fcntl(fd, F_RDLCK, 0, 1), EAGAIN, "root's fcntl(2) before");
	is(lock_by_fcntl(fd, F_RDLCK, 2, 1), EAGAIN, "root's fcntl(2) before, against the open file's");

	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = SERVER;
	is(set_params(fd, &p), 0, "sealed set-up");
	fd2 = server_open(&s->d);
	is(lock_by_flock(fd, LOCK_EX | LOCK_NB), 0, "root's flock(2), with nobody else's in the way");
	is(lock_by_fcntl(fd2, F_WRLCK, 0, 0), 0, "root's fcntl(2), of all that both kinds had");
	is(lock_by_fcntl(fd2, F_UNLCK, 0, 0), 0, "and its end");
	s->sealed = true;
	need(wait_for(s->asked), "the other one to ask");
	ok(!s->wait_ended, "who waits for the lock of root waits on");
	is(lock_by_flock(fd, LOCK_UN), 0, "root unlocks");
	ok(wait_for(s->wait_ended), "who waited");
	is(s->wait_error, EPERM, "is refused");

	io = io_read(&s->d, 0, 4096);
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	is(poll(&pfd, 1, stretched(DEADLINE_SECONDS) * 1000), 1, "root's poll(2)");
	is(run_as(SERVER, server, NULL), 0, "the named uid locks and polls");
	s->request = true;
	/* The poll has made the disk ready: udev reads it, too, and may come first. */
	while (!io->done) {
		q = fetch_one(fd, NULL, 0);
		is(reply_with(fd, q.id, 0, ABUSE_REPLY_ZERO, NULL), 0, "a reply");
		wait_for(io->done || attribute_number(&s->d, "queued"));
	}
	is(io_end(io), 0, "its read");
	is(reset(fd), 0, "RESET");
	s->reset = true;
	is(child_wait(others), 0, "the other one");
	is(child_wait(has_it), 0, "who had the lock");
	return done();
}
