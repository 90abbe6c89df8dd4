// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Gets a device for a server: finds it by number, name or path, opens or adds it, and
 * configures it or joins its configuration. server.c enters with a checked config; no
 * request is fetched here.
 */
#include "internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_TRIES	500
#define LOCK_PAUSE_MS	20

static int open_number(int number)
{
	char text[16];

	if (number < 0)
		return number;
	snprintf(text, sizeof(text), "%d", number);
	return abuse_dev_open(text);
}

/* Adds a device with the number or name in @text; -EEXIST: another process added it first. */
static int add(const char *text)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	int number = abuse_dev_find(text), ret;

	if (number >= 0)
		add.number = (uint32_t)number;
	else if (strlen(text) < sizeof(add.name) && !strchr(text, '/'))
		memcpy(add.name, text, strlen(text));
	else
		return -EINVAL;
	ret = abuse_ctl_add_sized(&add, sizeof(add));
	return ret < 0 ? ret : open_number((int)add.number);
}

static int open_named(const char *text, bool may_add)
{
	int fd = abuse_dev_open(text);

	if (!may_add || (fd != -ENODEV && fd != -ENOENT && fd != -ENXIO))
		return fd == -ENOENT || fd == -ENXIO ? -ENODEV : fd;
	fd = add(text);
	return fd == -EEXIST ? abuse_dev_open(text) : fd;
}

static int open_device(struct abuse_server *srv)
{
	const struct abuse_config *config = &srv->config;

	if (!config->device && config->fd > 0)
		return config->fd;
	srv->is_fd_ours = true;
	if (!config->device)
		return open_number(abuse_ctl_get_free());
	return open_named(config->device, config->flags & ABUSE_SERVER_ADD);
}

/* Another user may have taken the name or number first, and would get all data that is served there. */
static bool is_foreign(const struct abuse_server *srv)
{
	return srv->config.flags & ABUSE_SERVER_ADD && srv->params.owner &&
	       srv->params.owner != geteuid();
}

static uint64_t features_of(const struct abuse_server *srv)
{
	const struct abuse_ops *ops = &srv->ops;
	uint64_t features = 0;

	if (ops->flush)
		features |= ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	if (ops->trim)
		features |= ABUSE_F_DISCARD;
	if (ops->zero)
		features |= ABUSE_F_WRITE_ZEROES;
	return features & srv->params.all_features;
}

static int set_up(struct abuse_server *srv)
{
	struct abuse_params params = *srv->config.params;

	if (!params.features)
		params.features = features_of(srv);
	return abuse_ctl_set_params_sized(srv->fd, &params, sizeof(params));
}

/* The first value of @wanted that differs from @now, or NULL; limits that may change are not compared. */
static const char *difference(const struct abuse_params *wanted,
			      const struct abuse_params *now)
{
	static const unsigned char none[sizeof(wanted->uuid)];

	if ((wanted->flags ^ now->flags) & ABUSE_PARAMS_READ_ONLY)
		return "read-only";
	if (wanted->flags & ~now->flags)
		return "flags";
#define COMPARE(field)	do { if (wanted->field && wanted->field != now->field) return #field; } while (0)
	COMPARE(features);
	COMPARE(capacity);
	COMPARE(logical_block_size);
	COMPARE(physical_block_size);
	COMPARE(io_min);
	COMPARE(io_opt);
	COMPARE(max_request);
	COMPARE(chunk);
	COMPARE(max_discard);
	COMPARE(max_write_zeroes);
	COMPARE(discard_granularity);
	COMPARE(atomic_min);
	COMPARE(atomic_max);
#undef COMPARE
	if (memcmp(wanted->uuid, none, sizeof(none)) &&
	    memcmp(wanted->uuid, now->uuid, sizeof(none)))
		return "uuid";
	if (wanted->flags & ABUSE_PARAMS_SEALED && wanted->seal_uid != now->seal_uid)
		return "seal_uid";
	if (*wanted->name && strncmp(wanted->name, now->name, ABUSE_NAME_LEN))
		return "name";
	if (*wanted->store && strncmp(wanted->store, now->store, ABUSE_STORE_LEN))
		return "store";
	return NULL;
}

/* The limits may change while the device is up; a field of 0 stays as it is, but not flags. */
static int change_limits(struct abuse_server *srv)
{
	const struct abuse_params *wanted = srv->config.params;
	struct abuse_params *now = &srv->params, change = {
		.flags = now->flags,
		.seal_uid = now->seal_uid,
		.queue_limit = wanted->queue_limit,
		.timeout = wanted->timeout,
	};
	int ret;

	if ((!wanted->queue_limit || wanted->queue_limit == now->queue_limit) &&
	    (!wanted->timeout || wanted->timeout == now->timeout))
		return 0;
	ret = abuse_ctl_set_params_sized(srv->fd, &change, sizeof(change));
	if (ret < 0)
		return reason_of_error(ret, "cannot change timeout or queue_limit");
	return abuse_ctl_get_params_sized(srv->fd, now, sizeof(*now));
}

static int take_over(struct abuse_server *srv)
{
	const char *field;

	if (!srv->config.params)
		return 0;
	field = difference(srv->config.params, &srv->params);
	if (!field)
		return change_limits(srv);
	return reason_set(-EBUSY, "/dev/abuse%u is up and its %s is not what was asked for: reset it first, or ask for what it has",
			  srv->params.number, field);
}

static int set_up_or_take_over(struct abuse_server *srv)
{
	int ret;

	ret = abuse_ctl_get_params_sized(srv->fd, &srv->params, sizeof(srv->params));
	if (ret < 0)
		return reason_of_error(ret, "cannot read the parameters of the device");
	if (is_foreign(srv))
		return reason_set(-EPERM, "/dev/abuse%u belongs to user %u: choose another name or number",
				  srv->params.number, srv->params.owner);
	if (srv->params.state == ABUSE_S_UP)
		return take_over(srv);
	if (!srv->config.params)
		return reason_set(-ENXIO, "/dev/abuse%u is not configured, and abuse_config.params does not say how",
				  srv->params.number);
	ret = set_up(srv);
	if (ret < 0)
		return reason_of_error(ret, "cannot configure the device");
	return abuse_ctl_get_params_sized(srv->fd, &srv->params, sizeof(srv->params));
}

/*
 * If several servers start at once, the lock lets one configure the device, and the others join. A server keeps the
 * lock for milliseconds. If a process keeps it longer, by mistake or on purpose, give up.
 */
static int lock_node(int fd)
{
	unsigned int tries = LOCK_TRIES;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (!tries--)
			return -ETIMEDOUT;
		poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return 0;
}

int server_attach(struct abuse_server *srv)
{
	int ret;

	srv->fd = open_device(srv);
	if (srv->fd < 0)
		return reason_of_error(srv->fd, "cannot open the control node");
	ret = lock_node(srv->fd);
	if (ret < 0)
		return reason_set(ret, "another process has kept the lock of the control node for %d s, as servers do only while they start; /proc/locks has its pid",
				  LOCK_TRIES * LOCK_PAUSE_MS / 1000);
	ret = set_up_or_take_over(srv);
	flock(srv->fd, LOCK_UN);
	return ret;
}
