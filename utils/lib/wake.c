// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How the thread that serves a queue sleeps when answers may come from other threads,
 * and how these wake it: a bell (eventfd) beside the control node in one epoll
 * descriptor, which is also what event loops poll. A queue without asynchronous
 * requests needs none of it: its thread waits in exchange.
 *
 * Who answers puts the slot on the stack, then looks whether the thread sleeps; who
 * goes to sleep says so, then looks at the stack. One of them sees the other.
 */
#include "internal.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int watch(const struct queue *queue, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(queue->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int queue_open_bell(struct queue *queue)
{
	queue->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->bell < 0)
		return -errno;
	queue->epoll = epoll_create1(EPOLL_CLOEXEC);
	return queue->epoll < 0 ? -errno : watch(queue, queue->bell);
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

	/* It fails only if the bell has been ringing for ever. */
	ret = write(queue->bell, &one, sizeof(one));
	(void)ret;
	STORE(queue->is_rung, true);
}

void queue_wake(struct queue *queue)
{
	if (LOAD(queue->is_asleep) && SWAP(queue->is_asleep, false))
		queue_ring(queue);
}

/* A full queue must not be told of what it cannot take. */
static void watch_control(struct queue *queue)
{
	bool wanted = !queue->is_full && !LOAD(queue->srv->is_stopped);
	int fd = queue->srv->fd;

	if (wanted == queue->is_watching)
		return;
	if (wanted && watch(queue, fd)) {
		queue_ring(queue);	/* out of memory: try again */
		return;
	}
	if (!wanted)
		epoll_ctl(queue->epoll, EPOLL_CTL_DEL, fd, NULL);
	queue->is_watching = wanted;
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

void queue_sleep(struct queue *queue)
{
	struct epoll_event event;

	queue_lie_down(queue);
	/* Interrupted or not: there is a turn to take. */
	epoll_wait(queue->epoll, &event, 1, -1);
	queue_rise(queue);
}
