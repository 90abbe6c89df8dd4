/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Many disks in one process: a set of threads serves whatever disk has requests. A
 * disk that ends does so alone.
 */
#ifndef ABUSECTL_MANY_H
#define ABUSECTL_MANY_H

#include "keys/plan.h"

#include <pthread.h>

struct many_disk {
	char *place;			/* "FILE:LINE", for what is said of it */
	char *text;			/* of the line; plan and name point into it */
	const char *name;
	struct plan plan;
	struct abuse_server *srv;	/* while it is served; lock */
};

struct many {
	int epoll;
	int bell;			/* ends the threads */
	unsigned int nr_threads;
	pthread_t threads[ABUSE_MAX_THREADS];
	pthread_t owner;		/* hears by a signal that the last disk has ended */
	pthread_mutex_t lock;
	unsigned int nr_serving;	/* lock, as the next */
	unsigned int nr_failed;
	bool is_ready;			/* all that will be served is */
};

#define MANY_ENDED	SIGUSR2		/* to the owner, who keeps it blocked, with all signals */

/* Starts the threads, which have no disk yet. Reports and returns an exit status. */
int many_start(struct many *many, unsigned int nr_threads);

/*
 * Serves a disk whose plan is attached, from now on and until it ends by itself or many_stop() is
 * called. Reports and returns an exit status; after an error the store is still open.
 */
int many_add(struct many *many, struct many_disk *disk);

/* No disk is added any more: the owner is told when the last one has ended. */
void many_ready(struct many *many);
unsigned int many_count(struct many *many);
bool many_serves(struct many *many, const struct many_disk *disk);

/* Asks all to end, once they have completed the requests that they hold. */
void many_stop(struct many *many, struct many_disk *disks, size_t nr);

/* Ends the threads, when no disk is served any more. */
void many_end(struct many *many);

#endif /* ABUSECTL_MANY_H */
