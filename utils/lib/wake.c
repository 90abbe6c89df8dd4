// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * How the thread that serves a queue sleeps when answers may come from other threads,
 * and how these wake it: a bell (eventfd) beside the control node in one epoll
 * descriptor, which is also what event loops poll. A queue without asynchronous
 * requests needs none of it: its thread waits in exchange.
 *
 * Race between a thread that completes a request and the serving thread that goes to sleep:
 * the first puts the slot on the stack, then reads is_asleep; the second sets is_asleep,
 * then reads the stack. At least one of them sees the other.
 */
#include "internal.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int watch(const struct queue *queue, int how, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(queue->epoll, how, fd, &event) ? -errno : 0;
}

int queue_open_bell(struct queue *queue)
{
	queue->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->bell < 0)
		return -errno;
	queue->epoll = epoll_create1(EPOLL_CLOEXEC);
	return queue->epoll < 0 ? -errno :
				   watch(queue, EPOLL_CTL_ADD, queue->bell, EPOLLIN);
}

void queue_close_bell(struct queue *queue)
{
	if (queue->bell >= 0)
		close(queue->bell);
	if (queue->epoll >= 0)
		close(queue->epoll);
}

void queue_ring(struct queue *queue)
{
	static const uint64_t one = 1;
	ssize_t ret;

	/* A write fails only if the counter of the eventfd is full: then the bell rings already. */
	ret = write(queue->bell, &one, sizeof(one));
	(void)ret;
	STORE(queue->is_rung, true);
}

void queue_wake(struct queue *queue)
{
	if (LOAD(queue->is_asleep) && SWAP(queue->is_asleep, false))
		queue_ring(queue);
}

/*
 * A full queue does not watch for requests, which it could not fetch. The end of its set-up
 * (POLLERR, POLLHUP) is reported without being asked for.
 */
static void watch_control(struct queue *queue)
{
	bool wanted = !queue->is_full && !LOAD(queue->srv->is_stopped);

	if (queue->is_known && wanted == queue->is_watching)
		return;
	if (watch(queue, queue->is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, queue->srv->fd,
		  wanted ? EPOLLIN : 0)) {
		queue_ring(queue);	/* out of memory: try again */
		return;
	}
	queue->is_known = true;
	queue->is_watching = wanted;
}

/* The meaning of @events of the control node: 0, or -errno if the configuration has ended. */
static int judge_events(const struct queue *queue, uint32_t events)
{
	struct abuse_params params;
	int ret;

	if (!(events & (EPOLLERR | EPOLLHUP)))
		return 0;
	if (events & EPOLLHUP)
		return -ENODEV;
	ret = abuse_ctl_get_params_sized(queue->srv->fd, &params, sizeof(params));
	return ret < 0 ? ret : -ENXIO;
}

int queue_is_orphaned(const struct queue *queue)
{
	struct pollfd node = { .fd = queue->srv->fd };

	return poll(&node, 1, 0) <= 0 ? 0 : judge_events(queue, (uint32_t)node.revents);
}

void queue_lie_down(struct queue *queue)
{
	watch_control(queue);
	STORE(queue->is_asleep, true);
	if (LOAD(queue->done))
		queue_wake(queue);
}

void queue_rise(struct queue *queue)
{
	uint64_t times;
	ssize_t ret;

	STORE(queue->is_asleep, false);
	if (!LOAD(queue->is_rung))
		return;
	STORE(queue->is_rung, false);
	ret = read(queue->bell, &times, sizeof(times));
	(void)ret;
}

int queue_sleep(struct queue *queue)
{
	struct epoll_event event;
	int nr;

	queue_lie_down(queue);
	/* After a signal, too, take a turn. */
	nr = epoll_wait(queue->epoll, &event, 1, -1);
	queue_rise(queue);
	return nr == 1 && event.data.fd == queue->srv->fd ?
	       judge_events(queue, event.events) : 0;
}
