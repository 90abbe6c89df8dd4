// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * nbd: an export of an NBD server, through libnbd. The device can what the export can
 * and follows its size; requests wait while the server is away. Here a device and an
 * export are brought together, and requests handed over; the files beside this do them.
 */
#include "backends/backend.h"
#include "cmd.h"
#include "backends/uri.h"
#include "join.h"
#include "nbd.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512
#define PAGE		4096
#define DEFAULT_CONNECTIONS	4

/* ---- the device and the export ---- */

static uint64_t rounded(uint64_t size, uint64_t unit)
{
	return size - size % unit;
}

static bool is_power_of_two(uint64_t number)
{
	return number && !(number & (number - 1));
}

/* Without a key, the export decides. */
static void fill_in(struct abuse_params *params, const struct nbd_export *export)
{
	uint64_t preferred = export->preferred_block, most = export->max_payload;

	if (!params->logical_block_size)
		params->logical_block_size = export->min_block > SECTOR ?
					     (uint32_t)export->min_block : SECTOR;
	if (is_power_of_two(preferred) && preferred >= PAGE && preferred <= 1U << 30) {
		if (!params->physical_block_size)
			params->physical_block_size = PAGE;
		if (!params->io_min && preferred >= params->physical_block_size)
			params->io_min = (uint32_t)preferred;
	}
	if (!params->max_request && most < ABUSE_MAX_REQUEST)
		params->max_request = (uint32_t)rounded(most, PAGE);
}

static uint64_t features_of(const struct nbd_export *export)
{
	uint64_t features = 0;

	if (export->can_flush)
		features |= ABUSE_F_WRITE_CACHE;
	if (export->can_flush && export->can_fua)
		features |= ABUSE_F_FUA;
	if (export->can_trim && !export->is_read_only)
		features |= ABUSE_F_DISCARD;
	if (export->can_zero && !export->is_read_only)
		features |= ABUSE_F_WRITE_ZEROES;
	if (export->is_rotational)
		features |= ABUSE_F_ROTATIONAL;
	return features;
}

/* Requests as the device has them must be such as the server takes. */
static int check_blocks(const struct target *target, const char *uri,
			const struct nbd_export *export)
{
	const struct abuse_params *params = target->params;
	uint64_t most = params->max_request ? params->max_request : ABUSE_MAX_REQUEST;

	if (export->min_block > PAGE)
		return failed(uri, "its blocks of %llu bytes are larger than a disk can "
			      "have; have the server export smaller ones",
			      (unsigned long long)export->min_block);
	if (params->logical_block_size % export->min_block)
		return failed(uri, "has blocks of %llu bytes, so bs=%u cannot be; %s",
			      (unsigned long long)export->min_block,
			      params->logical_block_size,
			      target->is_up ? "'abusectl reset' starts over" :
					      "leave bs= out");
	if (most > export->max_payload)
		return failed(uri, "takes %llu bytes at once, max_request is %llu; %s",
			      (unsigned long long)export->max_payload,
			      (unsigned long long)most,
			      target->is_up ? "'abusectl reset' starts over" :
					      "leave max_request= out");
	return EXIT_OK;
}

static int check_mode(struct target *target, const char *uri,
		      const struct nbd_export *export)
{
	if (!export->is_read_only || target->read_only)
		return EXIT_OK;
	if (target->is_up)
		return failed(uri, "is read-only, %s is not; have the server export it "
			      "for writing, or 'abusectl setup %u reconnect,ro' first",
			      device_name(target->number), target->number);
	if (target->must_be_writable)
		return failed(uri, "is read-only, so rw cannot be; leave it out");
	target->read_only = true;
	return EXIT_OK;
}

static int resize(int fd, uint64_t size)
{
	struct abuse_params now, wanted = { 0 };
	int ret = abuse_ctl_get_params(fd, &now);

	if (ret < 0)
		return ret;
	if (now.state != ABUSE_S_UP)
		return -ENXIO;
	if (!size || size % now.logical_block_size)
		return -EINVAL;
	wanted.capacity = size;
	if (wanted.capacity == now.capacity)
		return 0;
	wanted.flags = now.flags;	/* flags always count */
	wanted.seal_uid = now.seal_uid;
	ret = abuse_ctl_set_params(fd, &wanted);
	return ret < 0 ? ret : 1;
}

int nbd_follow_size(struct nbd_store *store, uint64_t size)
{
	int ret;

	pthread_mutex_lock(&store->resizing);
	ret = resize(store->fd, size);
	pthread_mutex_unlock(&store->resizing);
	if (ret > 0)
		note(store->name, "the export has changed: its size is %llu now",
		     (unsigned long long)size);
	return ret;
}

static int check_size(struct target *target, struct nbd_store *store,
		      const struct nbd_export *export)
{
	uint32_t bs = target->params->logical_block_size;
	uint64_t size = export->size;
	int ret;

	if (!size || size % bs)
		return failed(store->title, "has %llu bytes, which is no multiple of bs=%u: the "
			      "rest would be missing; have the server export whole blocks, as "
			      "nbdkit does with --filter=truncate and round-up=%u",
			      (unsigned long long)size, bs, bs);
	if (!target->is_up && target->size && target->size != size)
		return failed(store->title, "has %llu bytes, size= says %llu; leave size= "
			      "out", (unsigned long long)size,
			      (unsigned long long)target->size);
	if (target->is_up) {
		ret = nbd_follow_size(store, size);
		if (ret < 0)
			return failed(store->title, "has %llu bytes, %s %llu, and it cannot "
				      "be resized: %s", (unsigned long long)size,
				      device_name(target->number),
				      (unsigned long long)target->size, strerror(-ret));
	}
	target->size = size;
	return EXIT_OK;
}

/* ---- open and close ---- */

static struct nbd_store *store_alloc(const struct target *target, const char *uri,
				     const char *title)
{
	static char absolute[URI_TEXT];	/* one store in a process */
	unsigned int i, nr = target->connections;
	struct nbd_store *store;

	if (!nr)
		nr = DEFAULT_CONNECTIONS;
	store = calloc(1, sizeof(*store) + nr * sizeof(*store->conns));
	if (!store)
		return NULL;
	store->uri = uri_absolute(uri, absolute, sizeof(absolute));
	store->title = title ? title : store->uri;
	store->fd = target->fd;
	store->nr_conns = nr;
	snprintf(store->name, sizeof(store->name), "%s", device_name(target->number));
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->resizing, NULL);
	for (i = 0; i < nr; i++)
		nbd_conn_init(&store->conns[i], store, i);
	return store;
}

void nbd_close_store(void *arg, bool is_gone)
{
	struct nbd_store *store = arg;
	unsigned int i;

	(void)is_gone;
	if (store->is_left_behind) {
		if (store->child)
			nbd_child_end(store->child);
		return;
	}
	for (i = 0; i < store->nr_conns; i++) {
		nbd_conn_close(&store->conns[i]);
		close(store->conns[i].bell);
	}
	if (store->child)
		nbd_child_end(store->child);
	free(store);
}

static int unreachable(struct nbd_store *store, const char *why)
{
	char fate[64];

	if (!store->child)
		return failed(store->uri, "cannot be reached: %s; start the NBD server "
			      "there, or correct the URI", why);
	if (nbd_child_is_over(store->child))
		return failed(store->title, "%s %s before it served; what it said is above",
			      store->child->program, nbd_child_fate(store->child, fate));
	return failed(store->title, "%s does not serve: %s", store->child->program, why);
}

static int join(struct target *target, struct nbd_store *store)
{
	struct nbd_conn *conn = &store->conns[0];
	int ret;

	if (!nbd_conn_open(conn))
		return unreachable(store, conn->why);
	if (!target->is_up)
		fill_in(target->params, &conn->export);
	target->features &= features_of(&conn->export);
	ret = check_blocks(target, store->title, &conn->export);
	if (!ret)
		ret = check_mode(target, store->title, &conn->export);
	if (!ret)
		ret = check_size(target, store, &conn->export);
	return ret;
}

static int open_uri(struct target *target, const char *uri, const char *title,
		    struct nbd_child *child, void **to)
{
	struct nbd_store *store = store_alloc(target, uri, title);
	int ret;

	if (!store) {
		if (child)
			nbd_child_end(child);
		return failed(uri, "out of memory");
	}
	store->child = child;
	ret = join(target, store);
	if (ret)
		nbd_close_store(store, false);
	else
		*to = store;
	return ret;
}

static int nbd_open(struct target *target, const char *uri, void **to)
{
	if (!uri || !*uri)
		return misused("nbd: needs a URI, as in nbd:nbd://localhost");
	if (nbd_library_load())
		return EXIT_FAILED;
	return open_uri(target, uri, NULL, NULL, to);
}

int nbd_open_child(struct target *target, char **argv, const char *title, void **to)
{
	static struct nbd_child child;	/* one store in a process */

	if (nbd_library_load() || nbd_child_start(&child, target, argv))
		return EXIT_FAILED;
	return open_uri(target, child.uri, title, &child, to);
}

/* ---- serving ---- */

int nbd_start(void *arg)
{
	struct nbd_store *store = arg;
	unsigned int i;
	int ret = 0;

	/* An arena of each thread's own would be 64M of locked memory, for accounts. */
	mallopt(M_ARENA_MAX, 1);
	for (i = 0; i < store->nr_conns && !ret; i++)
		ret = nbd_conn_start(&store->conns[i]);
	return ret;
}

bool nbd_is_stuck(void *arg)
{
	struct nbd_store *store = arg;
	bool is_stuck;

	pthread_mutex_lock(&store->lock);
	is_stuck = !store->nr_open;
	pthread_mutex_unlock(&store->lock);
	return is_stuck;
}

bool nbd_is_lost(void *arg)
{
	struct nbd_store *store = arg;
	char fate[64];
	bool is_lost;

	pthread_mutex_lock(&store->lock);
	is_lost = store->is_lost;
	pthread_mutex_unlock(&store->lock);
	if (is_lost)
		failed(store->title, "%s %s; the next server starts another",
		       store->child->program, nbd_child_fate(store->child, fate));
	return is_lost;
}

/* A thread that looks up a name cannot be told, but has no request. */
void nbd_quit(void *arg)
{
	struct nbd_store *store = arg;
	struct timespec until;
	unsigned int i;

	pthread_mutex_lock(&store->lock);
	store->is_over = true;
	pthread_mutex_unlock(&store->lock);
	nbd_ring_all(store);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	for (i = 0; i < store->nr_conns; i++)
		if (store->conns[i].is_started && !join_by(store->conns[i].thread, &until))
			store->is_left_behind = true;
}

int nbd_request(struct abuse_req *req)
{
	nbd_submit(req->arg, req);
	return ABUSE_ASYNC;
}

static const char *const nbd_forms[] = {
	"nbd://", "nbds://", "nbd+unix:///?socket=", "nbds+unix:///?socket=", NULL,
};

const struct backend backend_nbd = {
	NBD_BACKEND,
	.name = "nbd",
	.args = "URI",
	.summary = "what an NBD server exports, as in nbd:nbd://HOST",
	.forms = nbd_forms,
	.open = nbd_open,
};
