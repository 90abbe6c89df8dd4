// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A server from open to free: configuration and end. All queues share one descriptor: then
 * all requests return at once when the server dies, and all threads serve the same device,
 * also if it is removed and added again meanwhile. threads.c or loops.c runs it, turn.c
 * serves; this file touches no request.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_SIZE	(256 * 1024)	/* locked memory: keep it small */
#define LEAST_STACK	(64 * 1024)
#define MOST_STACK	(1 << 30)
#define DEFAULT_DEPTH	16

#define ALL_FLAGS (ABUSE_SERVER_ADD | ABUSE_SERVER_FUA | ABUSE_SERVER_NO_READ_DATA | \
		   ABUSE_SERVER_NO_WRITE_DATA | ABUSE_SERVER_NO_LOCK | \
		   ABUSE_SERVER_NO_SPIN)
#define NO_DATA	(ABUSE_SERVER_NO_READ_DATA | ABUSE_SERVER_NO_WRITE_DATA)

/* ---- open ---- */

static int check_config(struct abuse_config *config)
{
	unsigned int i;

	if (!config->ops)
		return reason_set(-EINVAL, "abuse_config.ops is NULL: point it to the callbacks");
	if (config->flags & ~ALL_FLAGS)
		return reason_set(-EINVAL, "abuse_config.flags has unknown bits 0x%x", config->flags & ~ALL_FLAGS);
	if (config->threads > ABUSE_MAX_THREADS)
		return reason_set(-EINVAL, "abuse_config.threads is %u: use 1 to %d", config->threads, ABUSE_MAX_THREADS);
	if (config->depth > MAX_DEPTH)
		return reason_set(-EINVAL, "abuse_config.depth is %u: use 1 to %d", config->depth, MAX_DEPTH);
	if (config->spin > ABUSE_MAX_SPIN)
		return reason_set(-EINVAL, "abuse_config.spin is %llu: use at most %d nanoseconds",
				  (unsigned long long)config->spin, ABUSE_MAX_SPIN);
	if (config->stack_size && (config->stack_size < LEAST_STACK || config->stack_size > MOST_STACK))
		return reason_set(-EINVAL, "abuse_config.stack_size is %llu: use %d to %d bytes",
				  (unsigned long long)config->stack_size, LEAST_STACK, MOST_STACK);
	for (i = 0; i < sizeof(config->reserved) / sizeof(*config->reserved); i++)
		if (config->reserved[i])
			return reason_set(-EINVAL, "abuse_config.reserved is not zero: this library is older than the program");
	for (i = 0; i < sizeof(config->ops->reserved) / sizeof(*config->ops->reserved); i++)
		if (config->ops->reserved[i])
			return reason_set(-EINVAL, "abuse_ops.reserved is not NULL: this library is older than the program");
	if (!config->threads)
		config->threads = 1;
	if (!config->depth)
		config->depth = DEFAULT_DEPTH;
	if (!config->stack_size)
		config->stack_size = STACK_SIZE;
	if (!config->spin)
		config->spin = ABUSE_DEFAULT_SPIN;
	if (config->flags & ABUSE_SERVER_NO_SPIN)
		config->spin = 0;
	return 0;
}

/* At least two segments: one may be full of payloads, READs need another. */
static int plan_buffer(struct abuse_server *srv)
{
	uint64_t least = srv->params.max_request, size = srv->config.buffer;

	if (!size)
		size = 2 * least;
	if (size < 2 * least || size > INT32_MAX)
		return reason_set(-EINVAL, "abuse_config.buffer is %llu: use %llu (twice the largest request) to %d bytes",
				  (unsigned long long)size, (unsigned long long)(2 * least), INT32_MAX);
	srv->segment_size = size / MAX_SEGMENTS;
	if (srv->segment_size < least)
		srv->segment_size = least;
	srv->segment_size -= srv->segment_size % ABUSE_PAYLOAD_ALIGN;
	srv->buffer_size = size / srv->segment_size * srv->segment_size;
	if (srv->buffer_size > MAX_SEGMENTS * srv->segment_size)
		srv->buffer_size = MAX_SEGMENTS * srv->segment_size;
	if ((srv->config.flags & NO_DATA) == NO_DATA)
		srv->buffer_size = 0;
	return 0;
}

static int prepare(struct abuse_server *srv)
{
	int ret;

	ret = plan_buffer(srv);
	if (ret < 0)
		return ret;
	if (!(srv->params.features & ABUSE_F_WRITE_CACHE) &&
	    (srv->ops.flush || srv->config.flags & ABUSE_SERVER_FUA))
		srv->always = ABUSE_REQ_FUA;
	for (; srv->nr_queues < srv->config.threads; srv->nr_queues++) {
		ret = queue_init(&srv->queues[srv->nr_queues], srv);
		if (ret < 0) {
			queue_destroy(&srv->queues[srv->nr_queues]);
			return ret;
		}
	}
	memory_hold(srv);
	return 0;
}

/* Fields that the caller's header lacks are 0; fields that this library does not know must be 0. */
static int read_struct(void *to, size_t known, const void *from, size_t size)
{
	const unsigned char *more = from;
	size_t i;

	for (i = known; i < size; i++)
		if (more[i])
			return reason_set(-E2BIG, "a struct asks for something that this library is too old for");
	memset(to, 0, known);
	memcpy(to, from, size < known ? size : known);
	return 0;
}

int abuse_server_open_sized(struct abuse_server **to, const struct abuse_config *config,
			    size_t config_size, size_t params_size)
{
	struct abuse_config checked;
	struct abuse_params wanted;
	struct abuse_server *srv;
	int ret;

	*to = NULL;
	reason_clear();
	ret = read_struct(&checked, sizeof(checked), config, config_size);
	if (!ret && checked.params)
		ret = read_struct(&wanted, sizeof(wanted), checked.params, params_size);
	if (!ret)
		ret = check_config(&checked);
	if (ret < 0)
		return ret;
	srv = calloc(1, sizeof(*srv) + checked.threads * sizeof(*srv->queues));
	if (!srv)
		return reason_of_error(-ENOMEM, "cannot open a server");
	srv->config = checked;
	if (checked.params) {
		srv->wanted = wanted;
		srv->config.params = &srv->wanted;
	}
	srv->ops = *checked.ops;
	sem_init(&srv->ending, 0, 0);
	ret = server_attach(srv);
	if (!ret)
		ret = reason_of_error(prepare(srv), "cannot prepare to serve");
	if (ret < 0)
		abuse_server_free(srv);
	else
		*to = srv;
	return ret;
}

/* For programs that were built with the first header. */
int abuse_server_open(struct abuse_server **to, const struct abuse_config *config)
{
	return abuse_server_open_sized(to, config, sizeof(*config), PARAMS_SIZE_1);
}

/* ---- debugging ---- */

/* Calls the debug callback, if there is one; for rare events. */
void server_debug(const struct abuse_server *srv, const char *format, ...)
{
	char line[256];
	va_list values;

	if (!srv->ops.debug)
		return;
	va_start(values, format);
	vsnprintf(line, sizeof(line), format, values);
	va_end(values);
	srv->ops.debug(srv->config.arg, line);
}

/* ---- properties ---- */

unsigned int abuse_server_number(const struct abuse_server *srv)
{
	return srv->params.number;
}

int abuse_server_ctl(const struct abuse_server *srv)
{
	return srv->fd;
}

unsigned int abuse_server_holds(const struct abuse_server *srv)
{
	return LOAD(srv->holds);
}

void abuse_server_counts(const struct abuse_server *srv, struct abuse_counts *counts)
{
	uint64_t *to = (uint64_t *)(void *)counts;
	const uint64_t *from;
	unsigned int i;
	size_t n;

	memset(counts, 0, sizeof(*counts));
	for (i = 0; i < srv->nr_queues; i++) {
		from = (const uint64_t *)(const void *)&srv->queues[i].counts;
		for (n = 0; n < sizeof(*counts) / sizeof(*to); n++)
			to[n] += __atomic_load_n(&from[n], __ATOMIC_RELAXED);
	}
}

/* Why serving ended, or cannot go on, in words */
int server_explain(const struct abuse_server *srv, int err)
{
	unsigned int number = srv->params.number;

	reason_clear();
	switch (err) {
	case -ENXIO:
		return reason_set(err, "/dev/abuse%u was reset", number);
	case -ENODEV:
		return reason_set(err, "/dev/abuse%u was removed", number);
	case -ETIMEDOUT:
		return reason_set(err, "a callback has not completed its request in time; wait again, or free the server");
	case -EDEADLK:
		return reason_set(err, "a callback of this server must not call this function");
	case -EALREADY:
		return reason_set(err, "abuse_server_start() was called before");
	case -EBUSY:
		return reason_set(err, "the server serves in the other way already: by threads or by event loops");
	}
	return reason_of_error(err, "cannot serve");
}

/* ---- what threads and event loops share ---- */

bool server_enter(struct abuse_server *srv, int serves)
{
	int none = SERVES_NOT;

	return __atomic_compare_exchange_n(&srv->serves, &none, serves, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
	       (serves == SERVES_LOOPS && none == SERVES_LOOPS);
}

void server_hold_again(struct abuse_server *srv)
{
	if (LOAD(srv->generation) != memory_generation())
		memory_hold(srv);
	else
		memory_be_flusher();	/* this may be another thread */
}

void abuse_server_stop(struct abuse_server *srv)
{
	int err = errno;
	unsigned int i;

	STORE(srv->is_stopped, true);
	sem_post(&srv->ending);
	for (i = 0; i < srv->nr_queues; i++)
		if (LOAD(srv->serves) == SERVES_LOOPS)
			queue_ring(&srv->queues[i]);
	errno = err;
}

/* ---- the end ---- */

void abuse_server_free(struct abuse_server *srv)
{
	unsigned int i;

	if (!srv)
		return;
	STORE(srv->is_abandoned, true);
	abuse_server_stop(srv);
	if (srv->serves == SERVES_THREADS)
		while (abuse_server_wait(srv, -1) == -EINTR)
			;
	for (i = 0; i < srv->nr_queues; i++) {
		if (srv->serves == SERVES_LOOPS)
			while (queue_turn(&srv->queues[i], 0) > 0)
				;
		queue_destroy(&srv->queues[i]);
	}
	if (srv->is_fd_ours && srv->fd >= 0)
		close(srv->fd);
	sem_destroy(&srv->ending);
	free(srv);
}
