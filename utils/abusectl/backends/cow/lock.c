// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Ranges of DELTA that one thread of one process has to itself: only who gives it a
 * new chunk needs one. Between processes that is a lock on the open file, which
 * goes when the process does; threads, which share that, look at a list first.
 */
#include "cow.h"

#include <errno.h>
#include <fcntl.h>

void cow_lock_init(struct cow_lock *lock, int fd)
{
	*lock = (struct cow_lock) { .fd = fd };
	pthread_mutex_init(&lock->mutex, NULL);
	pthread_cond_init(&lock->dropped, NULL);
}

int cow_lock_file(int fd, short type, uint64_t first, uint64_t end)
{
	struct flock flock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)first,
		.l_len = (off_t)(end - first),
	};
	int ret;

	do
		ret = fcntl(fd, F_OFD_SETLKW, &flock);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static bool is_held(const struct cow_lock *lock, const struct cow_range *range)
{
	const struct cow_range *held;

	for (held = lock->held; held; held = held->next)
		if (held->first < range->end && range->first < held->end)
			return true;
	return false;
}

static void forget(struct cow_lock *lock, struct cow_range *range)
{
	struct cow_range **held = &lock->held;

	pthread_mutex_lock(&lock->mutex);
	while (*held != range)
		held = &(*held)->next;
	*held = range->next;
	pthread_cond_broadcast(&lock->dropped);
	pthread_mutex_unlock(&lock->mutex);
}

int cow_lock_take(struct cow_lock *lock, struct cow_range *range)
{
	int ret;

	pthread_mutex_lock(&lock->mutex);
	while (is_held(lock, range))
		pthread_cond_wait(&lock->dropped, &lock->mutex);
	range->next = lock->held;
	lock->held = range;
	pthread_mutex_unlock(&lock->mutex);
	ret = cow_lock_file(lock->fd, F_WRLCK, range->first, range->end);
	if (ret)
		forget(lock, range);
	return ret;
}

void cow_lock_drop(struct cow_lock *lock, struct cow_range *range)
{
	cow_lock_file(lock->fd, F_UNLCK, range->first, range->end);
	forget(lock, range);
}
