// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * From an open store to a server of the library that is about to serve it: with the
 * help of the kernel, if the backend and the kernel can. Starts no thread.
 */
#include "backends/backend.h"
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#define SECTOR		512
#define ROOM		(128 * 1024)	/* bytes for a request that may stay */

/* Requests that are not answered at once need room beside each other. */
static uint64_t buffer_size(const struct serving *serving)
{
	uint64_t size = (uint64_t)serving->batch * ROOM;

	if (!serving->backend->is_async && !inject_delays(&serving->inject))
		return 0;
	return size < 2 * ABUSE_MAX_REQUEST ? 0 : size;
}

/*
 * Without a write cache each write is flushed before it is answered: the library does
 * that for those that it answers itself.
 */
static bool may_redirect(const struct serving *serving)
{
	struct abuse_params params;

	return serving->redirect && !abuse_ctl_get_params(serving->fd, &params) &&
	       params.features & ABUSE_F_WRITE_CACHE;
}

/* As flags say; a store that the kernel must not use, or cannot, is read and written here. */
static int try_open(const struct serving *serving, struct abuse_config *config,
		    struct abuse_server **srv)
{
	const struct backend *backend = serving->backend;
	bool is_direct = backend->direct &&
			 (!backend->redirects || may_redirect(serving));
	uint32_t flags = config->flags | backend->server_flags;
	int ret;

	if (!serving->spin)
		flags |= ABUSE_SERVER_NO_SPIN;
	config->flags = flags;
	if (is_direct)
		config->flags |= backend->direct_flags;
	ret = abuse_server_open(srv, config);
	if (ret < 0 || !is_direct || !backend->direct(serving->store, *srv))
		return ret;
	abuse_server_free(*srv);
	*srv = NULL;
	config->flags = flags;
	return abuse_server_open(srv, config);
}

/*
 * An earlier server may have mapped the disk: the kernel closes the files once the data that it wrote to
 * them has been synced. Waits, killably, for mapped requests that run. On a kernel or device without maps
 * there is nothing to end.
 */
static int end_map(int ctl)
{
	struct abuse_map_entry all = { .rights = ABUSE_MAP_READ | ABUSE_MAP_WRITE | ABUSE_MAP_SHAPE,
				       .flags = ABUSE_MAP_CLEAR };
	struct abuse_params params;
	int ret;

	ret = abuse_ctl_get_params(ctl, &params);
	if (ret < 0 || !(params.all_features & ABUSE_F_MAP) || params.owner ||
	    params.state != ABUSE_S_UP)
		return ret < 0 ? ret : 0;
	all.sectors = params.capacity / SECTOR;
	return abuse_ctl_map(ctl, &all, 1);
}

/*
 * From now on the kernel serves what the store has; with keys that inject, redirect=0 or map=0,
 * each request comes here.
 */
static int try_map(const struct serving *serving, struct abuse_server *srv)
{
	int ret;

	if (!serving->map || !serving->redirect || serving->inject.given || !serving->backend->map)
		return end_map(abuse_server_ctl(srv));
	ret = serving->backend->map(serving->store, srv);
	if (ret < 0 && serving->verbose)
		note(device_name(serving->number), "the kernel serves nothing alone: %s", strerror(-ret));
	return 0;
}

int serving_open(const struct serving *serving, const struct abuse_ops *ops, unsigned int nr_queues,
		 uint32_t flags, struct abuse_server **srv)
{
	struct abuse_config config = {
		.ops = ops,
		.arg = serving->store,
		.fd = serving->fd,
		.threads = nr_queues,
		.depth = serving->batch,
		.spin = serving->spin,
		.buffer = buffer_size(serving),
		.flags = flags,
	};
	int ret = try_open(serving, &config, srv);

	return ret < 0 ? ret : try_map(serving, *srv);
}
