// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Keeps a server alive under memory pressure: the process becomes an I/O flusher, so that its allocations do not wait
 * for its own disk, and its memory is locked, so that no page must be read back. server.c enters at open and at
 * start; a forked child inherits neither, and gets both again.
 *
 * Memory that is still to be mapped is locked only if no limit can make a later malloc() or pthread_create() of the
 * program fail: with CAP_IPC_LOCK, or without a limit. An ordinary user's limit is 8 MiB: then only what a request
 * needs is locked, which is the library's own buffers and the stacks of its threads.
 */
#include "internal.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Counts forks on the side of the child: neither locks nor PR_SET_IO_FLUSHER pass to it. */
static unsigned int generation;

static void count_fork(void)
{
	SET(generation, generation + 1);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

unsigned int memory_generation(void)
{
	return LOAD(generation);
}

bool memory_be_flusher(void)
{
	return !prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static bool has_capability(unsigned int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &header, data) &&
	       data[number / 32].effective & (1U << number % 32);
}

static bool may_lock_all(void)
{
	struct rlimit limit;

	return has_capability(CAP_IPC_LOCK) ||
	       (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur == RLIM_INFINITY);
}

static bool lock(const void *at, size_t length)
{
	return !length || !mlock(at, length);
}

static bool lock_queue(const struct queue *queue)
{
	size_t nr = queue->nr_slots;

	return lock(queue->buffer, queue->srv->buffer_size) &&
	       lock(queue->requests, nr * sizeof(*queue->requests)) &&
	       lock(queue->replies, nr * sizeof(*queue->replies)) &&
	       lock(queue->replied, nr * sizeof(struct slot *)) &&
	       lock(queue->free, nr * sizeof(struct slot *)) &&
	       lock(queue->slots, nr * sizeof(*queue->slots));
}

static bool lock_own(const struct abuse_server *srv)
{
	unsigned int i;

	if (!lock(srv, sizeof(*srv) + srv->nr_queues * sizeof(*srv->queues)))
		return false;
	for (i = 0; i < srv->nr_queues; i++)
		if (!lock_queue(&srv->queues[i]))
			return false;
	return true;
}

/* All there is, once: what the program has unlocked since, as the mapping of a sparse store, would be filled in. */
static bool lock_all(const struct abuse_server *srv)
{
	static unsigned int locked;	/* generation + 1, 0: never */
	unsigned int now = memory_generation() + 1;
	bool is_again = LOAD(locked) == now;

	if (!may_lock_all() || mlockall(is_again ? MCL_FUTURE : MCL_CURRENT | MCL_FUTURE))
		return false;
	SET(locked, now);
	return !is_again || lock_own(srv);
}

void memory_hold(struct abuse_server *srv)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned int holds = memory_be_flusher() ? ABUSE_IS_FLUSHER : 0;

	pthread_once(&once, watch_forks);
	STORE(srv->generation, memory_generation());
	if (!(srv->config.flags & ABUSE_SERVER_NO_LOCK)) {
		if (lock_all(srv))
			holds |= ABUSE_IS_LOCKED | ABUSE_IS_OWN_LOCKED;
		else if (lock_own(srv))
			holds |= ABUSE_IS_OWN_LOCKED;
	}
	STORE(srv->holds, holds);
}

/* Do not lock the guard page. */
void memory_hold_stack(struct abuse_server *srv)
{
	unsigned int holds = LOAD(srv->holds);
	pthread_attr_t attr;
	bool locked = false;
	size_t length;
	void *at;

	if (holds & ABUSE_IS_LOCKED || !(holds & ABUSE_IS_OWN_LOCKED))
		return;
	if (!pthread_getattr_np(pthread_self(), &attr)) {
		locked = !pthread_attr_getstack(&attr, &at, &length) && lock(at, length);
		pthread_attr_destroy(&attr);
	}
	if (!locked)
		__atomic_and_fetch(&srv->holds, ~(unsigned int)ABUSE_IS_OWN_LOCKED, __ATOMIC_SEQ_CST);
}
