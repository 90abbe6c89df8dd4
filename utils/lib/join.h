/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Waiting for the end of a thread until a time of CLOCK_MONOTONIC. pthread_clockjoin_np(), which does this, is in
 * glibc 2.31 and newer, Enterprise Linux 8 has 2.28; pthread_timedjoin_np() depends on a clock that may be set.
 */
#ifndef ABUSE_JOIN_H
#define ABUSE_JOIN_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define JOIN_NAP	1000000		/* nanoseconds */

static inline bool is_past(const struct timespec *at)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > at->tv_sec ||
	       (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/* Whether the thread ended, and was joined, in time. */
static inline bool join_by(pthread_t thread, const struct timespec *deadline)
{
	static const struct timespec nap = { .tv_nsec = JOIN_NAP };

	while (pthread_tryjoin_np(thread, NULL)) {
		if (is_past(deadline))
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

#endif /* ABUSE_JOIN_H */
