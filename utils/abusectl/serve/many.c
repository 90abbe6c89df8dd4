// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The threads of "abusectl serve-many"; see many.h. Each disk has one loop of the library, and
 * all loops are in one epoll set. A thread that is given a loop serves it, and then gives it back:
 * meanwhile no other thread is given it (EPOLLONESHOT).
 */
#include "many.h"
#include "cmd.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE	(256 * 1024)	/* locked memory: keep it small */

static int watch(const struct many *many, int how, int fd, void *what)
{
	struct epoll_event event = {
		.events = EPOLLIN | (what ? EPOLLONESHOT : 0),
		.data.ptr = what,
	};

	return epoll_ctl(many->epoll, how, fd, &event) ? -errno : 0;
}

/* ---- the end of a disk ---- */

static int verdict(const struct many_disk *disk, int err)
{
	char name[32];

	snprintf(name, sizeof(name), "abuse%u", disk->plan.serving.number);
	switch (-err) {
	case ESHUTDOWN:
		return EXIT_OK;
	case ENXIO:
		return failed(name, "the device was reset; it is served no more");
	case ENODEV:
		return failed(name, "the device was removed; it is served no more");
	}
	return failed(name, "cannot be served any more: %s", strerror(-err));
}

static void end_disk(struct many *many, struct many_disk *disk, int err)
{
	const struct serving *serving = &disk->plan.serving;
	struct abuse_server *srv;
	int ret;

	report_place(disk->place);
	ret = verdict(disk, err);
	pthread_mutex_lock(&many->lock);
	srv = disk->srv;
	disk->srv = NULL;
	pthread_mutex_unlock(&many->lock);
	abuse_server_free(srv);
	serving->backend->close(serving->store, err == -ENXIO || err == -ENODEV);
	close(serving->fd);
	report_place(NULL);

	pthread_mutex_lock(&many->lock);
	many->nr_failed += !!ret;
	if (!--many->nr_serving && many->is_ready)
		pthread_kill(many->owner, MANY_ENDED);
	pthread_mutex_unlock(&many->lock);
}

/* ---- threads ---- */

static void serve(struct many *many, struct many_disk *disk)
{
	int ret = abuse_server_dispatch(disk->srv, 0);

	if (!ret)
		ret = watch(many, EPOLL_CTL_MOD, abuse_server_fd(disk->srv, 0), disk);
	if (ret < 0)
		end_disk(many, disk, ret);
}

/* As threads of the library are: the submitter goes on first. */
static void be_patient(void)
{
	static const struct sched_param none;

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *thread_main(void *arg)
{
	struct many *many = arg;
	struct epoll_event event;
	int nr;

	be_patient();
	for (;;) {
		nr = epoll_wait(many->epoll, &event, 1, -1);
		if (nr < 1)
			continue;
		if (!event.data.ptr)
			return NULL;	/* the bell, which stays rung for all */
		serve(many, event.data.ptr);
	}
}

static int start_threads(struct many *many, unsigned int nr_threads)
{
	pthread_attr_t attr;
	int ret = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	while (many->nr_threads < nr_threads && !ret) {
		ret = pthread_create(&many->threads[many->nr_threads], &attr, thread_main, many);
		many->nr_threads += !ret;
	}
	pthread_attr_destroy(&attr);
	/* Fewer are enough. */
	return many->nr_threads ? EXIT_OK :
	       failed("workers", "cannot be started: %s", strerror(ret));
}

int many_start(struct many *many, unsigned int nr_threads)
{
	*many = (struct many) {
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.bell = eventfd(0, EFD_CLOEXEC),
		.owner = pthread_self(),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (many->epoll < 0 || many->bell < 0 || watch(many, EPOLL_CTL_ADD, many->bell, NULL))
		return failed("workers", "cannot be started: %s", strerror(errno));
	return start_threads(many, nr_threads);
}

/* ---- disks ---- */

int many_add(struct many *many, struct many_disk *disk)
{
	struct serving *serving = &disk->plan.serving;
	int ret;

	ret = serving_open(serving, &serving->backend->ops, 1, 0, &disk->srv);
	if (ret < 0) {
		abuse_server_free(disk->srv);
		disk->srv = NULL;
		return device_failed(serving->number, "prepare to serve", -ret);
	}
	pthread_mutex_lock(&many->lock);
	many->nr_serving++;
	pthread_mutex_unlock(&many->lock);
	ret = abuse_server_fd(disk->srv, 0);
	if (ret >= 0)
		ret = watch(many, EPOLL_CTL_ADD, ret, disk);
	if (ret >= 0)
		return EXIT_OK;
	pthread_mutex_lock(&many->lock);
	many->nr_serving--;
	pthread_mutex_unlock(&many->lock);
	abuse_server_free(disk->srv);
	disk->srv = NULL;
	return device_failed(serving->number, "prepare to serve", -ret);
}

void many_ready(struct many *many)
{
	pthread_mutex_lock(&many->lock);
	many->is_ready = true;
	if (!many->nr_serving)
		pthread_kill(many->owner, MANY_ENDED);
	pthread_mutex_unlock(&many->lock);
}

unsigned int many_count(struct many *many)
{
	unsigned int nr;

	pthread_mutex_lock(&many->lock);
	nr = many->nr_serving;
	pthread_mutex_unlock(&many->lock);
	return nr;
}

bool many_serves(struct many *many, const struct many_disk *disk)
{
	bool serves;

	pthread_mutex_lock(&many->lock);
	serves = disk->srv;
	pthread_mutex_unlock(&many->lock);
	return serves;
}

void many_stop(struct many *many, struct many_disk *disks, size_t nr)
{
	size_t i;

	pthread_mutex_lock(&many->lock);
	for (i = 0; i < nr; i++)
		if (disks[i].srv)
			abuse_server_stop(disks[i].srv);
	pthread_mutex_unlock(&many->lock);
}

void many_end(struct many *many)
{
	static const uint64_t one = 1;
	ssize_t written = write(many->bell, &one, sizeof(one));
	unsigned int i;

	(void)written;			/* nothing else is ever written there */
	for (i = 0; i < many->nr_threads; i++)
		pthread_join(many->threads[i], NULL);
	close(many->bell);
	close(many->epoll);
}
